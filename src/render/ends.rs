//! Why an apply did not go on to the end: what, why, and what to do next.

use super::text::{Line, Style, Text};
use super::{changes, law, next, refusal, run, sessions, signing_in, trust, words};
use crate::apply::access::{Recipient, Signer};
use crate::apply::journal::Illegible;
use crate::apply::resume::Differs;
use crate::apply::{Outcome, Since, Stale, Wait};
use crate::check::Breach;
use crate::ensemble::ErrorCode;
use crate::model::EnsembleConfig;
use crate::observe::Identity;
use crate::plan::StepId;

/// What is said where an apply ended before everything was done.
#[derive(Debug, Clone, Copy)]
pub struct Screen<'a> {
    /// How it ended.
    pub end: &'a Outcome,
    /// The command that goes on, as it is typed.
    pub again: &'a str,
    /// The file that was applied, as it was given.
    pub path: &'a str,
    /// The command that plans anew, as it is typed; `SPEC` stands for a spec that is not known.
    pub plans: &'a str,
    /// The command that applies what the spec wants now, as it is typed; `None` where the spec is not
    /// known.
    pub anew: Option<&'a str>,
    /// The number of the run that is left open.
    pub run: Option<u64>,
    /// Columns of the terminal.
    pub width: usize,
}

/// The screen of an end; nothing where everything is done.
pub fn screen(screen: &Screen<'_>) -> Text {
    let Screen { end, width, .. } = *screen;
    let mut text = Text::new();
    let (what, then) = at_the_door(end, screen).unwrap_or_else(|| on_the_way(end, screen));
    if what.is_empty() {
        return text;
    }
    text.paragraph(Line::new(Style::Red, "stopped: "), what, width);
    text.section(details(end, width));
    if let Some(step) = end.unknown() {
        text.paragraph(Line::new(Style::Yellow, "unknown: "), unknown(step), width);
    }
    if !then.is_empty() {
        text.paragraph(Line::new(Style::Cyan, "then: "), then, width);
    }
    if let Some(command) = next::command(screen).filter(|command| !command.is_empty()) {
        text.line(Line::plain("Next: ").then(Style::Cyan, command));
    }
    text
}

fn unknown(step: &StepId) -> String {
    format!(
        "{step} was sent and nobody saw its answer: it may have been carried out, or still be. The \
         next apply fences it off and writes down what came of it."
    )
}

/// What happened and what to do next, of those that end an apply before it changes anything.
fn at_the_door(end: &Outcome, screen: &Screen<'_>) -> Option<(String, String)> {
    let Screen { again, path, plans, .. } = *screen;
    let path = &words::shell(path);
    let say = |what: &str, then: &str| (what.to_owned(), then.to_owned());
    Some(match end {
        Outcome::Stale(stale) => (
            self::stale(stale),
            format!("{plans} plans for what is there now; {path} was not applied"),
        ),
        Outcome::Locked(_)
        | Outcome::OtherRun { .. }
        | Outcome::Overtaken { .. }
        | Outcome::RunGone { .. }
        | Outcome::NotOpen { .. } => of_runs(end, screen),
        Outcome::NotAuthorized { by, signer } => not_authorized(by, signer, again),
        Outcome::NoRecipient { unnamed } => no_recipient(unnamed, path),
        Outcome::ReconfigDisabled => say(
            "the leader runs with reconfigEnabled=false.",
            "set reconfigEnabled=true on every server, restart one after the other, the leader last",
        ),
        Outcome::Unproven(unproven) => trust::not_proven(unproven, screen.path),
        Outcome::FolderRefused { path: znode, is_folder, code } => {
            folder_refused((znode, *is_folder), *code, again)
        }
        Outcome::LocalSession { by } => sessions::local(by.as_ref(), again),
        Outcome::TakesOneConnection { by } => sessions::takes_one_connection(by.as_ref(), again),
        Outcome::HostNotPlain { server } => (
            format!(
                "the host of server {server} is no plain name or address, and a command of the \
                 plan would be given it. Nothing was changed."
            ),
            format!("do the work of the commands by hand: {again} --no-hooks"),
        ),
        Outcome::Unreachable => (
            "no server takes a session. Nothing was changed.".to_owned(),
            format!("{plans} shows who answers and who does not"),
        ),
        Outcome::Finished
        | Outcome::LockLost { .. }
        | Outcome::Foreign { .. }
        | Outcome::Interrupted { .. }
        | Outcome::Gate { .. }
        | Outcome::Hook { .. }
        | Outcome::RanOut { .. }
        | Outcome::DataDiffer(_)
        | Outcome::NotGranted(_)
        | Outcome::Unsafe(..)
        | Outcome::Refused { .. } => return None,
    })
}

/// The same of those that the lock or a run stands behind.
fn of_runs(end: &Outcome, screen: &Screen<'_>) -> (String, String) {
    let Screen { again, path, .. } = *screen;
    let path = &words::shell(path);
    match end {
        Outcome::Locked(Some(by)) => (
            format!("another apply holds the lock: {}. Nothing was changed.", run::holder(by)),
            format!(
                "wait for it; the lock of a crashed apply goes with its session. If it hangs for \
                 good: zkplan unlock {path} {}",
                by.by.nonce
            ),
        ),
        // Who made it is not proven, or not understood: nothing here helps to remove it.
        Outcome::Locked(None) => (
            "a lock stands, and by whom is not known. Nothing was changed.".to_owned(),
            format!("wait: a lock goes with the session that made it; then {again}"),
        ),
        Outcome::OtherRun { number, why } => (
            format!("run {number} is open, and {}. Nothing was changed.", differs(why)),
            format!(
                "zkplan history {path} {number} shows how far it is. Finish it with the file that \
                 it was begun with, or abandon it where it stands: {again} --abandon {number}"
            ),
        ),
        Outcome::Overtaken { number, stale } => (
            format!("run {number} is open and cannot go on. {}", capital(&self::stale(stale))),
            format!(
                "where the change is meant, abandon the run where it stands and plan for what is \
                 there now: {} --abandon {number}",
                screen.anew.unwrap_or(APPLY_SPEC)
            ),
        ),
        Outcome::NotOpen { number } => (
            format!("there is no open run {number}. Nothing was changed."),
            format!("zkplan history {path} lists the runs"),
        ),
        Outcome::RunGone { number } => (
            format!(
                "run {number}, whose plan was to be carried out, is not there any more. Nothing was \
                 changed."
            ),
            format!("{again} looks again, and plans for what is there then"),
        ),
        _ => unreachable!("the caller names those that the lock or a run stands behind"),
    }
}

/// Why an apply does not go on with the run that is open.
fn differs(why: &Differs) -> String {
    match why {
        Differs::Header(Illegible::Newer(version)) => {
            format!("a newer zkplan wrote it (format {version}): use that one to finish it")
        }
        Differs::Header(Illegible::Garbled) => "its header cannot be read".to_owned(),
        Differs::PlanLost => "the plan that it keeps is damaged or not proven".to_owned(),
        Differs::OtherPlan => "it carries out another plan than this one".to_owned(),
        Differs::OtherSpec { servers, policy, hooks, accepted } => {
            let risks: Vec<String> = accepted.iter().map(words::acceptance).collect();
            let accepts = format!("risks that were accepted ({})", risks.join(", "));
            let others = [
                (*servers, "servers"),
                (*policy, "policy"),
                (*hooks, "hooks"),
                (!accepted.is_empty(), accepts.as_str()),
            ];
            let others = others.into_iter().filter(|(differs, _)| *differs);
            let others = words::list(others.map(|(_, what)| what));
            format!("it differs from this spec in its {others}")
        }
    }
}

/// The first letter in upper case.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What stands in the way of the folder, and the command that clears it.
fn folder_refused(
    (path, is_folder): (&str, bool),
    code: ErrorCode,
    again: &str,
) -> (String, String) {
    let what = format!("{path} does not let zkplan keep its lock and its journal there: {code}.");
    let then = match code {
        ErrorCode::QuotaExceeded => {
            let of = if path == "/" { "/zookeeper/quota".to_owned() } else { quota(path) };
            format!("a quota stands on it: delete it with zkCli.sh (deleteall {of}); then {again}")
        }
        ErrorCode::NoNode => format!("make it with zkCli.sh (create {path}); then {again}"),
        _ if is_folder => format!(
            "apply as the super user, or as a user whom the folder lists; or name another \
             `connect.folder` in the spec; then {again}"
        ),
        _ => format!(
            "have the super user let this user create in it (zkCli.sh, setAcl {path}), or name \
             another `connect.folder` in the spec; then {again}"
        ),
    };
    (what, then)
}

/// Where the quota of a znode stands (`Quotas.quotaPath`).
fn quota(path: &str) -> String {
    format!("/zookeeper/quota{path}")
}

/// Every server that was asked refused the user.
fn not_authorized(by: &[Recipient], signer: &Signer, again: &str) -> (String, String) {
    let said: Vec<String> = by.iter().map(|by| signing_in::refused(by, signer)).collect();
    let said = if said.is_empty() {
        "the servers refused: the user may not change the configuration".to_owned()
    } else {
        said.join("; ")
    };
    (format!("{said}. ZooKeeper says NoAuth."), signing_in::remedy(signer, again))
}

/// No server that serves may be sent the password.
fn no_recipient(unnamed: &[Recipient], path: &str) -> (String, String) {
    let what = "the password goes only to servers that the file names and that lead or follow this \
                ensemble, and there is none. Nothing was sent.";
    if unnamed.is_empty() {
        return (what.to_owned(), format!("zkplan history {path} and zkplan plan show who serves"));
    }
    let at: Vec<String> = unnamed.iter().map(|member| member.at.to_string()).collect();
    (
        format!("{what} Members at other addresses: {}", signing_in::recipients(unnamed)),
        format!("if these are yours, zkplan apply {path} --connect {}", at.join(",")),
    )
}

/// The same of those that end an apply in a safe place on its way.
fn on_the_way(end: &Outcome, screen: &Screen<'_>) -> (String, String) {
    let Screen { again, .. } = *screen;
    let anew = anew(screen);
    let go_on = format!("{again} goes on from here, from any machine");
    match end {
        Outcome::LockLost { since: Since::NeverTaken, .. } => {
            (lock_lost(&Since::NeverTaken), format!("run it again: {again}"))
        }
        Outcome::LockLost { since, .. } => (lock_lost(since), go_on),
        Outcome::Foreign { .. } => (
            "another client changed the configuration during this run. ZooKeeper does not record who."
                .to_owned(),
            format!("find out who did; where it was meant, {anew}; else undo it and {again}"),
        ),
        Outcome::Interrupted { .. } => ("interrupted.".to_owned(), go_on),
        Outcome::Gate { step, approve, occupied } => (
            gate(step, approve, occupied.is_empty()),
            format!("{again} --approve {approve}, when it is so"),
        ),
        Outcome::Hook { step, how } => (
            format!(
                "the command of {step} {}. The configuration is as it was before it.",
                run::hook_end(how)
            ),
            format!(
                "mend the command; {go_on}. Or do its work by hand, and go on without commands: \
                 {again} --no-hooks"
            ),
        ),
        Outcome::RanOut { waits, .. } => (
            "a wait ran out. The ensemble is in a place where it may stay.".to_owned(),
            format!("mend what is missing; {go_on}{}", where_gone(waits, &anew)),
        ),
        Outcome::DataDiffer(ids) => (
            format!(
                "the data of {} are not the leader's: they come from another ensemble, or were \
                 damaged. It got no vote.",
                words::servers(ids)
            ),
            format!(
                "stop it, move version-2 out of its data directory and keep it, lay its first zoo.cfg \
                 down again and start it; {go_on}"
            ),
        ),
        Outcome::NotGranted(_) => not_granted(&anew, &go_on),
        Outcome::Unsafe(breaches, _) => (
            "a finding came up during the run that was not accepted.".to_owned(),
            unsafe_now(breaches, screen),
        ),
        Outcome::Refused { step, code } => {
            let what = step.as_ref().map_or("a request".to_owned(), ToString::to_string);
            (format!("the server refused {what}: {code}. The leader's log has the reason."), go_on)
        }
        Outcome::Finished
        | Outcome::Stale(_)
        | Outcome::Locked(_)
        | Outcome::OtherRun { .. }
        | Outcome::NotOpen { .. }
        | Outcome::RunGone { .. }
        | Outcome::NotAuthorized { .. }
        | Outcome::NoRecipient { .. }
        | Outcome::ReconfigDisabled
        | Outcome::Overtaken { .. }
        | Outcome::Unproven(_)
        | Outcome::FolderRefused { .. }
        | Outcome::LocalSession { .. }
        | Outcome::TakesOneConnection { .. }
        | Outcome::HostNotPlain { .. }
        | Outcome::Unreachable => (String::new(), String::new()),
    }
}

/// What to do about findings that came up during a run.
fn unsafe_now(breaches: &[Breach], screen: &Screen<'_>) -> String {
    let Screen { again, plans, .. } = *screen;
    // Other data get no vote, whatever is accepted.
    let is_offered =
        |breach: &Breach| breach.detail.is_acceptable() && law::code(breach) != "ZKF13";
    if !breaches.iter().all(is_offered) {
        return format!("{plans} shows it, and what would pass");
    }
    let mut flags: Vec<String> =
        breaches.iter().map(|breach| format!(" --accept {}", law::place(breach))).collect();
    flags.sort();
    flags.dedup();
    format!("fix the problem above, then {again}; to accept the risk: {again}{}", flags.concat())
}

/// What became of the lock, and of what was sent after it was last seen.
fn lock_lost(since: &Since) -> String {
    const LOST: &str = "the lock is gone: the session expired, or \"zkplan unlock\" removed it.";
    match since {
        Since::NeverTaken => {
            "the session ended before the lock was taken. Nothing was changed.".to_owned()
        }
        Since::Nothing => format!("{LOST} Nothing was sent after that."),
        Since::Committed(Some(step)) => format!(
            "{LOST} {step} was sent before this was noticed, and it committed. The next apply writes \
             that to the journal."
        ),
        Since::Committed(None) => format!(
            "{LOST} The fence was sent before this was noticed, and it committed. It changes the \
             config version, no member."
        ),
        Since::Sent(Some(_)) => LOST.to_owned(),
        Since::Sent(None) => format!(
            "{LOST} The fence was sent before this was noticed, and its answer did not come. It can \
             change the config version, no member."
        ),
    }
}

fn not_granted(anew: &str, go_on: &str) -> (String, String) {
    let what = "a server stopped answering or came back since the plan was made, and no order of the \
                steps that are left keeps the safety rules and what the plan promised.";
    (what.to_owned(), format!("{anew}. Or bring the servers back to what they were then; {go_on}"))
}

/// How a run is given up for a plan of what is there now.
fn anew(screen: &Screen<'_>) -> String {
    let Screen { anew, run, .. } = *screen;
    let apply = anew.unwrap_or(APPLY_SPEC);
    // In the middle of a run, plan shows what is left of it: apply plans anew where it is abandoned.
    run.map_or_else(
        || format!("plan for what is there now: {apply}"),
        |run| format!("abandon this run and plan for what is there now: {apply} --abandon {run}"),
    )
}

/// The command that plans anew and applies that, where the spec is not known.
const APPLY_SPEC: &str = "zkplan apply SPEC";

/// The way out where a member that is needed will not come back.
fn where_gone(waits: &[Wait], anew: &str) -> String {
    if !waits.iter().any(|wait| matches!(wait, Wait::Down { .. })) {
        return String::new();
    }
    format!(". Where a server is gone for good: {anew}")
}

/// What somebody is asked who can let a run go on.
pub fn question(end: &Outcome, width: usize) -> Text {
    let mut text = Text::new();
    let Outcome::Gate { step, approve, occupied } = end else { return text };
    let what = match approve.as_str() {
        "cutover" if occupied.is_empty() => {
            "no client is connected to the servers that leave. Going on removes them: have the \
             clients' connect strings been changed?"
        }
        "cutover" => {
            "clients are still on servers that leave. Have they moved? Going on removes the servers."
        }
        "stop" => {
            "clients are still on the server that is to be stopped. Going on stops it all the same."
        }
        _ => "is its data directory blank? Going on takes your word for it.",
    };
    text.paragraph(Line::new(Style::Yellow, format!("{step}: ")), what, width);
    text.append(run::occupied(occupied, width));
    text
}

fn gate(step: &StepId, approve: &str, nobody: bool) -> String {
    match approve {
        "cutover" if nobody => {
            format!("{step} is not open: somebody has to say that the clients have moved.")
        }
        "cutover" => format!("{step} is not open: clients are still on servers that leave."),
        "stop" => format!("{step} waits: clients are still on that server."),
        _ => format!("{step}: somebody has to attest that the data directory is blank."),
    }
}

fn stale(stale: &Stale) -> String {
    match stale {
        Stale::Identity { plan: Identity::NoneYet, live } => format!(
            "the plan is stale: when it was made the ensemble had no identity of zkplan, and it has \
             one now ({}).",
            words::identity(live)
        ),
        Stale::Identity { plan, live } => format!(
            "this is not the ensemble that the plan was made for: {} then, {} now.",
            words::identity(plan),
            words::identity(live)
        ),
        Stale::ZxidBack { plan, live } => format!(
            "this is not the history that the plan was made for: the leader was at zxid {plan} \
             then, and is at {live} now."
        ),
        Stale::Members { by, .. } => {
            let by = by.map_or_else(
                || "No run of zkplan tells who changed them.".to_owned(),
                |run| format!("Run {run} made them so."),
            );
            format!(
                "the plan is stale: the members are neither those that it starts from nor any on \
                 its way. {by}"
            )
        }
        Stale::Version { plan, live } => format!(
            "the config version moved from {} to {} and no run tells who did it \
             (--strict-version); the members are those of the plan.",
            plan.version, live.version
        ),
    }
}

fn details(end: &Outcome, width: usize) -> Text {
    let mut text = Text::new();
    match end {
        Outcome::Stale(Stale::Members { plan, live, .. })
        | Outcome::Overtaken { stale: Stale::Members { plan, live, .. }, .. } => {
            text.append(diff(plan, live, "what the plan starts from"));
        }
        Outcome::Foreign { before, after } => {
            text.append(diff(before, after, "what this run had made"));
        }
        Outcome::Gate { occupied, .. } => text.append(run::occupied(occupied, width)),
        Outcome::RanOut { waits, .. } | Outcome::NotGranted(waits) => {
            for wait in waits {
                text.paragraph("  ", run::wait(wait), width);
            }
        }
        Outcome::Unsafe(breaches, findings) => {
            text.append(refusal::breaches(breaches, findings, width));
        }
        _ => {}
    }
    text
}

fn diff(before: &EnsembleConfig, after: &EnsembleConfig, from: &str) -> Text {
    let titles = [
        format!("config version {}, {from}", before.version),
        format!("config version {}, what is there", after.version),
    ];
    changes::membership_diff([&before.membership, &after.membership], titles)
}

#[cfg(test)]
mod tests;
