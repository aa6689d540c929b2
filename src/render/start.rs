//! How to start a joiner that is not up, so that it can only join.

use std::collections::BTreeSet;

use super::phrases;
use super::text::{Line, Style, Text};
use crate::check::CheckedPlan;
use crate::joiner::to_start;
use crate::model::{Auth, ServerId};
use crate::observe::{Facts, Finding, FindingKind, Observation, ServerStatus};

/// What to start before the plan can go on, and how; nothing where every joiner follows.
///
/// `now` is what is known now: of a saved plan, not what was known when it was made.
pub(super) fn start(
    checked: &CheckedPlan,
    now: &Facts,
    seen: Option<&Observation>,
    (file, width): (&str, usize),
) -> Text {
    let mut text = Text::new();
    let plan = checked.plan();
    let joiners = to_start(plan, now);
    if joiners.is_empty() {
        return text;
    }
    let ids: BTreeSet<ServerId> = joiners.iter().map(|server| server.id).collect();
    let who = phrases::servers(&ids);
    let is_by_hook = plan.hooks.start.is_some();
    let is_one = ids.len() == 1;
    let lead = Line::new(Style::Bold, "Before apply");
    let state = not_seen(is_one, now.assumed);
    let auth = plan.connect.auth.as_ref();
    let commands = commands(file, auth);
    let below = if commands.len() == 1 { "command below" } else { "commands below" };
    let (its, it) = if is_one { ("its", "it") } else { ("their", "them") };
    let runs = |id: &ServerId| {
        let observed = seen.and_then(|seen| seen.servers.get(id));
        let is_other = now.base.membership.contains(*id);
        !is_other && observed.is_some_and(|observed| observed.status == ServerStatus::NotServing)
    };
    let does = if ids.iter().all(runs) {
        let [runs, does, its, was] = if is_one {
            ["It runs: wait until it follows", "it does", "its log", "it was"]
        } else {
            ["They run: wait until they follow", "they do", "their logs", "they were"]
        };
        format!(
            "{runs}. If {does} not, read {its}, and check that {was} started with these files ({below})"
        )
    } else if is_by_hook {
        format!(
            "Write {its} files ({below}) and install them (install.sh); hooks.start then starts {it}"
        )
    } else {
        format!("Write {its} files ({below}), install them (install.sh), and start {it}")
    };
    text.paragraph("", lead.then(Style::Plain, format!(": {who} {state}. {does}.")), width);
    for server in &joiners {
        let seen_of = seen.and_then(|seen| seen_of(now, seen, server.id)).unwrap_or_default();
        text.paragraph(
            "  ",
            format!("server {} at {}{seen_of}", server.id, server.peer().host),
            width,
        );
    }
    let how = "New servers that start with other files can form an empty ensemble of their own (zkplan \
               explain joiner).";
    text.paragraph("  ", how, width);
    for command in commands {
        text.line(Line::new(Style::Cyan, format!("    {command}")));
    }
    if plan.hooks.want_joiner_files() {
        let how = "hooks.start gets the folder of each: zkplan apply with --joiner-dir joiners/";
        text.paragraph("  ", how, width);
    }
    text.paragraph("  ", super_user(auth), width);
    text
}

/// The commands that write the files of all joiners, as they are typed. `file` is the spec or the plan.
fn commands(file: &str, auth: Option<&Auth>) -> Vec<String> {
    let write = writes(file);
    match auth {
        Some(Auth::Digest { user, .. }) => {
            let user = phrases::shell(user);
            let token = format!("zkplan digest --user {user} > super.token");
            vec![token, format!("{write} --token super.token")]
        }
        Some(Auth::Sasl { .. } | Auth::X509) | None => vec![write],
    }
}

/// The command that writes the files of all joiners, as it is typed. `file` is the spec or the plan.
pub(super) fn writes(file: &str) -> String {
    format!("zkplan joiner {} --all -o joiners/", phrases::shell(file))
}

/// The one thing that a joiner needs beside its files, and that it would be missed for only later.
fn super_user(auth: Option<&Auth>) -> String {
    let checks = "apply checks every joiner, and does not add one that refuses the user.";
    match auth {
        Some(Auth::Digest { .. }) => checks.to_owned(),
        Some(Auth::Sasl { .. } | Auth::X509) | None => {
            format!(
                "Set the same super user as on the present servers (zkplan explain auth): {checks}"
            )
        }
    }
}

const fn not_seen(is_one: bool, assumed: bool) -> &'static str {
    match (assumed, is_one) {
        (true, true) => "was not asked, and must follow before its join",
        (true, false) => "were not asked, and must follow before they join",
        (false, true) => "is not ready to join; its step waits for it",
        (false, false) => "are not ready to join; their steps wait for them",
    }
}

/// What was seen of a joiner; of a machine that takes over an id, what answers at its own address.
fn seen_of(now: &Facts, seen: &Observation, id: ServerId) -> Option<String> {
    if now.base.membership.contains(id) {
        let at = seen.wanted_at.get(&id)?;
        return at.silence.map(|silence| format!(": no answer, {}", phrases::silence(silence)));
    }
    let on_other_ports = |finding: &Finding| {
        finding.server == Some(id) && matches!(finding.kind, FindingKind::PortsDiffer { .. })
    };
    if let Some(finding) = now.findings.iter().find(|finding| on_other_ports(finding)) {
        let code = finding.kind.code();
        return Some(format!(": listens on other ports than the spec says ({code})"));
    }
    let status = &seen.servers.get(&id)?.status;
    if *status == ServerStatus::Assumed {
        return None;
    }
    let (word, _, more) = phrases::status(status);
    let more = more.map(|more| format!(", {more}")).unwrap_or_default();
    Some(format!(": {word}{more}"))
}
