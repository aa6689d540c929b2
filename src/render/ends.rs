//! Why an apply did not go on to the end: what, why, and what to do next.

use std::collections::BTreeSet;

pub use super::gates::question;
pub use super::next::EndScreen;
use super::text::{Line, Style, Text};
use super::{changes, gates, law, next, phrases, refusal, run, sessions, signing_in, trust};
use crate::apply::Differs;
use crate::apply::access::{Recipient, Signer};
use crate::apply::journal::{HookEnd, Illegible};
use crate::apply::{Outcome, Since, Stale, Wait};
use crate::check::{Breach, ENABLE_RECONFIG};
use crate::ensemble::ErrorCode;
use crate::model::{EnsembleConfig, ServerId, SettingName};
use crate::observe::Identity;
use crate::plan::StepId;

/// The command that comes next, as it is typed; `None` where there is none.
pub fn next_command(screen: &EndScreen<'_>) -> Option<String> {
    next::command(screen).filter(|command| !command.is_empty())
}

/// The screen of an end; nothing where everything is done.
pub fn screen(screen: &EndScreen<'_>) -> Text {
    let EndScreen { end, width, .. } = *screen;
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
    if let Some(command) = next_command(screen) {
        text.line(Line::plain(next::lead(screen)).then(Style::Cyan, command));
    }
    text
}

fn unknown(step: &StepId) -> String {
    format!(
        "{step} was sent and its answer was not received. It may have committed, or may still \
         commit. The next apply sends a fence so that it cannot commit later, and records whether \
         it did."
    )
}

/// What happened and what to do next, of those that end an apply before it changes anything.
fn at_the_door(end: &Outcome, screen: &EndScreen<'_>) -> Option<(String, String)> {
    let EndScreen { again, path, plans, .. } = *screen;
    let path = &phrases::shell(path);
    let say = |what: &str, then: &str| (what.to_owned(), then.to_owned());
    Some(match end {
        Outcome::Stale(stale) => (
            self::stale(stale),
            format!("{plans} makes a plan for the present ensemble; {path} was not applied"),
        ),
        Outcome::Locked(_)
        | Outcome::OtherRun { .. }
        | Outcome::Overtaken { .. }
        | Outcome::RunGone { .. }
        | Outcome::NotOpen { .. } => of_runs(end, screen),
        Outcome::NotAuthorized { by, signer } => not_authorized(by, signer, again),
        Outcome::NoRecipient { unnamed } => no_recipient(unnamed, screen),
        Outcome::ReconfigDisabled => {
            say("the leader runs with reconfigEnabled=false.", ENABLE_RECONFIG)
        }
        Outcome::Unproven(unproven) => trust::not_proven(unproven, screen.path),
        Outcome::FolderRefused { path: znode, is_folder, code } => {
            folder_refused((znode, *is_folder), *code, again)
        }
        Outcome::LocalSession { by } => sessions::local(by.as_ref(), again),
        Outcome::TakesOneConnection { by } => sessions::takes_one_connection(by.as_ref(), again),
        Outcome::HostNotPlain { server } => (
            format!(
                "the host of server {server} is not a plain name or address. zkplan does not put \
                 such a host into a command. Nothing was changed."
            ),
            format!("run the commands by hand: {again} --no-hooks"),
        ),
        Outcome::Unreachable => (
            "no server accepts a session. Nothing was changed.".to_owned(),
            format!("{plans} shows which servers answer"),
        ),
        Outcome::Finished
        | Outcome::LockLost { .. }
        | Outcome::Foreign { .. }
        | Outcome::Interrupted { .. }
        | Outcome::Gate { .. }
        | Outcome::LeaderMoved { .. }
        | Outcome::Hook { .. }
        | Outcome::RanOut { .. }
        | Outcome::DataDiffer(_)
        | Outcome::OldSettings { .. }
        | Outcome::NotGranted(_)
        | Outcome::Unsafe(..)
        | Outcome::Refused { .. } => return None,
    })
}

/// How a run that is in the way is finished, or given up: the plan that the journal keeps finishes it
/// too, where it is whole.
fn what_finishes(why: &Differs, run: u64, (path, again): (&str, &str)) -> String {
    let shows = format!("zkplan history {path} {run} shows which steps are done.");
    let abandons = format!("abandon it: {again} --abandon {run}");
    match why {
        Differs::Header(Illegible::Newer(_)) => {
            format!(
                "{shows} Use the newer zkplan. Only if the run is not wanted any more, {abandons}"
            )
        }
        Differs::Header(Illegible::Garbled) | Differs::PlanLost => {
            format!("{shows} Finish the run with the file that started it, or {abandons}")
        }
        Differs::OtherPlan | Differs::OtherSpec { .. } => format!(
            "{shows} Finish the run with the file that started it, or with the plan that the ensemble \
             keeps (zkplan history {path} {run} --plan > FILE, then zkplan apply FILE), or {abandons}"
        ),
    }
}

/// The same of those that the lock or a run stands behind.
fn of_runs(end: &Outcome, screen: &EndScreen<'_>) -> (String, String) {
    let EndScreen { again, path, .. } = *screen;
    let path = &phrases::shell(path);
    match end {
        Outcome::Locked(Some(by)) => (
            format!("another apply holds the lock: {}. Nothing was changed.", run::holder(by)),
            format!(
                "wait for it to finish. If that apply crashed, its lock is removed when its \
                 session expires. If it hangs: zkplan unlock {path} {}",
                by.by.nonce
            ),
        ),
        // Who made it is not proven, or not understood: nothing here helps to remove it.
        Outcome::Locked(None) => (
            "another apply holds the lock. Its owner is not known. Nothing was changed.".to_owned(),
            format!(
                "wait: the lock goes when the session of that apply ends or expires. If it stays, find \
                 its owner (zkCli.sh: stat FOLDER/lock, where FOLDER is connect.folder of the spec, \
                 /zkplan by default). Then {again}"
            ),
        ),
        Outcome::OtherRun { number, why } => (
            format!("run {number} is open, and {}. Nothing was changed.", differs(why)),
            what_finishes(why, *number, (path, again)),
        ),
        Outcome::Overtaken { number, stale } => (
            format!(
                "run {number} is open and cannot be resumed. {}",
                phrases::capital(&self::stale(stale))
            ),
            format!(
                "if the change was intended, abandon this run and plan for the present ensemble: \
                 {} --abandon {number}",
                screen.anew.unwrap_or(APPLY_SPEC)
            ),
        ),
        Outcome::NotOpen { number } => (
            format!("there is no open run {number}. Nothing was changed."),
            format!("zkplan history {path} lists the runs"),
        ),
        Outcome::RunGone { number } => (
            format!(
                "this apply was resuming run {number}, and the journal does not have that run any more. \
                 Nothing was changed."
            ),
            format!("{again} checks the ensemble again and makes a new plan"),
        ),
        _ => unreachable!("the caller has a screen of its own for a lock and for a run"),
    }
}

/// Why an apply does not go on with the run that is open.
fn differs(why: &Differs) -> String {
    match why {
        Differs::Header(Illegible::Newer(version)) => {
            format!("a newer zkplan wrote it (format {version}): finish it with that version")
        }
        Differs::Header(Illegible::Garbled) => "its header cannot be read".to_owned(),
        Differs::PlanLost => "the plan stored in it is damaged or not proven".to_owned(),
        Differs::OtherPlan => "it belongs to another plan".to_owned(),
        Differs::OtherSpec { servers, policy, hooks, accepted } => {
            let risks: Vec<String> = accepted.iter().map(phrases::acceptance).collect();
            let accepts = format!("accepted risks ({})", risks.join(", "));
            let others = [
                (*servers, "servers"),
                (*policy, "policy"),
                (*hooks, "hooks"),
                (!accepted.is_empty(), accepts.as_str()),
            ];
            let others = others.into_iter().filter(|(differs, _)| *differs);
            let others = phrases::list(others.map(|(_, what)| what));
            format!("it does not match this spec: different {others}")
        }
    }
}

/// What stands in the way of the folder, and the command that clears it.
fn folder_refused(
    (path, is_folder): (&str, bool),
    code: ErrorCode,
    again: &str,
) -> (String, String) {
    let what = format!("zkplan cannot write its lock and its journal to {path}: {code}.");
    let then = match code {
        ErrorCode::QuotaExceeded => {
            format!(
                "a quota limits {path}, or a parent of it: zkCli.sh shows it (listquota PATH); raise it \
                 with setquota, or remove it with delquota PATH. Then {again}"
            )
        }
        ErrorCode::NoNode => format!("create it with zkCli.sh (create {path}); then {again}"),
        _ if is_folder => format!(
            "apply as the super user, or as a user in the access control list of the folder; or \
             set another `connect.folder` in the spec; then {again}"
        ),
        _ => format!(
            "let the super user give this user the right to create in {path}, or set another \
             `connect.folder` in the spec; then {again}"
        ),
    };
    (what, then)
}

/// Every server that was asked refused the user.
fn not_authorized(by: &[Recipient], signer: &Signer, again: &str) -> (String, String) {
    let said: Vec<String> = by.iter().map(|by| signing_in::refused(by, signer)).collect();
    let said = if said.is_empty() {
        "the servers refused this user: it has no right to change the configuration".to_owned()
    } else {
        said.join("; ")
    };
    (format!("{said}. ZooKeeper's error is NoAuth."), signing_in::remedy(signer, again))
}

/// No server that serves may be sent the password.
fn no_recipient(unnamed: &[Recipient], screen: &EndScreen<'_>) -> (String, String) {
    let EndScreen { again, plans, .. } = *screen;
    let what = "zkplan sends the password only to servers that the file lists and that lead or \
                follow this ensemble. No server meets both conditions. Nothing was sent.";
    if unnamed.is_empty() {
        return (what.to_owned(), format!("{plans} shows which servers serve"));
    }
    let at: Vec<String> = unnamed.iter().map(|member| member.at.to_string()).collect();
    (
        format!("{what} Members at other addresses: {}", signing_in::recipients(unnamed)),
        format!("if these are yours, {again} --connect {}", at.join(",")),
    )
}

/// A command that did not do its work.
fn hook(step: &StepId, how: &HookEnd, (again, go_on): (&str, &str)) -> (String, String) {
    (
        format!("the command of {step} {}. It changed no configuration.", run::hook_end(how)),
        format!(
            "fix the command; {go_on}. Or do its work by hand and continue without commands: {again} \
             --no-hooks"
        ),
    )
}

/// The leader would have to change, and only a run in which it stays was approved.
fn leader_moved(step: &StepId, leader: ServerId, again: &str) -> (String, String) {
    (
        format!(
            "server {leader} leads now, and {step} would make another server the leader. Only a run \
             without a leader change was approved."
        ),
        format!("{again} asks for approval, and does the rest"),
    )
}

/// A server that was restarted to no effect.
fn old_settings(
    server: ServerId,
    settings: &BTreeSet<SettingName>,
    again: &str,
) -> (String, String) {
    (
        format!(
            "server {server} came back with the old settings: {}. No other server was restarted \
             after it.",
            phrases::list(settings)
        ),
        format!(
            "correct zoo.cfg on server {server}; {again} restarts it again and continues with the \
             others"
        ),
    )
}

/// The same of those that end an apply in a safe place on its way.
fn on_the_way(end: &Outcome, screen: &EndScreen<'_>) -> (String, String) {
    let EndScreen { again, .. } = *screen;
    let anew = anew(screen);
    let go_on = format!("{again} resumes here, from any machine");
    match end {
        Outcome::LockLost { since: Since::NeverTaken, .. } => {
            (lock_lost(&Since::NeverTaken), format!("run it again: {again}"))
        }
        Outcome::LockLost { since, .. } => (lock_lost(since), go_on),
        Outcome::Foreign { .. } => (
            format!(
                "another client changed the configuration during this run. {}",
                phrases::WHO_CHANGED
            ),
            format!(
                "find out who changed it. If the change was intended, {anew}. If not, undo it \
                     and {again}"
            ),
        ),
        Outcome::Interrupted { .. } => ("interrupted.".to_owned(), go_on),
        Outcome::Gate { step, approve, occupied, .. } => (
            gates::gate(step, approve, occupied.is_empty()),
            format!(
                "{}{}",
                gates::before_approval(approve),
                gates::again_and_again(approve, occupied, again)
            ),
        ),
        Outcome::LeaderMoved { step, leader } => leader_moved(step, *leader, again),
        Outcome::Hook { step, how } => hook(step, how, (again, &go_on)),
        Outcome::RanOut { waits, unknown } => (
            ran_out(waits, unknown.as_ref()),
            format!("fix the problem above; {go_on}{}", where_gone(waits, &anew)),
        ),
        Outcome::DataDiffer(ids) => data_differ(ids, &go_on),
        Outcome::OldSettings { server, settings } => old_settings(*server, settings, again),
        Outcome::NotGranted(_) => not_granted(&anew, &go_on),
        Outcome::Unsafe(breaches, _) => (
            "a new finding stops this run. It was not accepted.".to_owned(),
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

/// A wait that ran out: with a request that is not acknowledged, nothing is safe to leave.
fn ran_out(waits: &[Wait], unknown: Option<&StepId>) -> String {
    let stuck = waits.iter().find_map(|wait| match wait {
        Wait::Stuck { step, .. } => Some(step.as_ref()),
        _ => None,
    });
    let Some(step) = stuck.or_else(|| unknown.map(Some)) else {
        return "timed out. It is safe to leave the ensemble as it is.".to_owned();
    };
    let what = step.map_or("The fence".to_owned(), ToString::to_string);
    format!(
        "timed out. {what} was sent and is not acknowledged: writes may be stopped. Restart no server; \
         start the voters that are down."
    )
}

/// Joiners whose data are not the leader's.
fn data_differ(ids: &BTreeSet<ServerId>, go_on: &str) -> (String, String) {
    let each = if ids.len() == 1 { "" } else { "on each of them: " };
    (
        format!(
            "the data of {} differ from the leader's. They come from another ensemble or are \
             damaged. No join of such a server was sent.",
            phrases::servers(ids)
        ),
        format!(
            "{each}stop it, move version-2 out of its dataDir and dataLogDir (keep it), restore the \
             zoo.cfg it first started with, and start it. Then {go_on}"
        ),
    )
}

/// What to do about findings that came up during a run.
fn unsafe_now(breaches: &[Breach], screen: &EndScreen<'_>) -> String {
    let EndScreen { again, plans, .. } = *screen;
    // Other data get no vote, whatever is accepted.
    let is_offered =
        |breach: &Breach| breach.detail.is_acceptable() && law::code(breach) != "ZKF13";
    if !breaches.iter().all(is_offered) {
        return format!("{plans} shows the finding and what would pass");
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
            "{LOST} {step} was sent before zkplan noticed, and it committed. The next apply \
             records that in the journal."
        ),
        Since::Committed(None) => format!(
            "{LOST} The fence was sent before zkplan noticed, and it committed. It changes the \
             config version and no member."
        ),
        Since::Sent(Some(_)) => LOST.to_owned(),
        Since::Sent(None) => format!(
            "{LOST} The fence was sent before zkplan noticed, and its answer was not received. It \
             can change the config version and no member."
        ),
    }
}

fn not_granted(anew: &str, go_on: &str) -> (String, String) {
    let what = "no order of the remaining steps keeps the safety rules and the figures of the plan: a \
                server stopped answering or came back after the plan was made.";
    (
        what.to_owned(),
        format!(
            "{anew}. Or bring the servers back to the state that they had when the plan was made; \
             {go_on}"
        ),
    )
}

/// How a run is given up for a plan of what is there now.
fn anew(screen: &EndScreen<'_>) -> String {
    let EndScreen { anew, run, .. } = *screen;
    let apply = anew.unwrap_or(APPLY_SPEC);
    // In the middle of a run, plan shows what is left of it: apply plans anew where it is abandoned.
    run.map_or_else(
        || format!("make a plan for the present ensemble: {apply}"),
        |run| {
            format!(
                "abandon this run and make a plan for the present ensemble: {apply} --abandon {run}"
            )
        },
    )
}

/// The command that plans anew and applies that, where the spec is not known.
const APPLY_SPEC: &str = "zkplan apply SPEC";

/// The way out where a member that is needed will not come back.
fn where_gone(waits: &[Wait], anew: &str) -> String {
    if !waits.iter().any(|wait| matches!(wait, Wait::Down { .. })) {
        return String::new();
    }
    format!(". If a server will not come back: {anew}")
}

fn stale(stale: &Stale) -> String {
    match stale {
        Stale::Identity { plan: Identity::NoneYet, live } => format!(
            "the plan is stale: when it was made, zkplan had not been applied to this ensemble. \
             Since then it has ({}).",
            phrases::identity(live)
        ),
        Stale::Identity { plan, live } => format!(
            "this is not the ensemble that the plan was made for: {} then, {} now.",
            phrases::identity(plan),
            phrases::identity(live)
        ),
        Stale::ZxidBack { plan, live } => format!(
            "this is not the ensemble that the plan was made for, or it lost data: the leader was \
             at zxid {plan} then and is at {live} now."
        ),
        Stale::Members { by, .. } => {
            let by = by.map_or_else(
                || "No zkplan run made this change.".to_owned(),
                |run| format!("Run {run} made this change."),
            );
            format!(
                "the plan is stale: the members are not those that it starts from, nor those \
                 after any of its steps. {by}"
            )
        }
        Stale::Version { plan, live } => format!(
            "the config version changed from {} to {}, and no zkplan run made this change \
             (--strict-version). The members are those of the plan.",
            plan.version, live.version
        ),
    }
}

fn details(end: &Outcome, width: usize) -> Text {
    let mut text = Text::new();
    match end {
        Outcome::Stale(Stale::Members { plan, live, .. })
        | Outcome::Overtaken { stale: Stale::Members { plan, live, .. }, .. } => {
            text.append(diff(plan, live, "the start of the plan"));
        }
        Outcome::Foreign { before, after } => {
            text.append(diff(before, after, "the last state made by this run"));
        }
        Outcome::Gate { occupied, strings, .. } => {
            text.append(gates::who_is_there(occupied, strings, width));
        }
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
        format!("config version {}, the present state", after.version),
    ];
    changes::membership_diff([&before.membership, &after.membership], titles)
}

#[cfg(test)]
mod tests;
