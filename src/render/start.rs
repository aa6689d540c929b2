//! How to start a joiner that is not up, so that it can only join.

use std::collections::BTreeSet;

use super::phrases;
use super::signing_in::SUPER_DIGEST;
use super::text::{Line, Style, Text};
use crate::check::CheckedPlan;
use crate::joiner::{FirstConfig, to_start};
use crate::model::ServerId;
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
    let title = if is_by_hook { "Started by hooks.start" } else { "To start" };
    let mut lead = Line::new(Style::Bold, title);
    lead = lead.then(Style::Plain, format!(": {who} {}", not_seen(ids.len(), now.assumed)));
    if !is_by_hook {
        let them = if ids.len() == 1 { "it" } else { "them" };
        lead = lead.then(Style::Plain, format!(". Start {them}, then apply"));
    }
    text.paragraph("", lead, width);
    for server in &joiners {
        let seen_of = seen.and_then(|seen| seen_of(now, seen, server.id)).unwrap_or_default();
        text.paragraph(
            "  ",
            format!("server {} at {}{seen_of}", server.id, server.peer().host),
            width,
        );
    }
    let writes = writes(file);
    let whose = if joiners.len() == 1 { "its files" } else { "the files of each" };
    text.paragraph("  ", format!("This command writes {whose}, with an install.sh:"), width);
    text.line(Line::new(Style::Cyan, format!("    {writes}")));
    if plan.hooks.want_joiner_files() {
        let how = "hooks.start gets the folder of each: zkplan apply with --joiner-dir joiners/";
        text.paragraph("  ", how, width);
    }
    let each = if joiners.len() == 1 { "It starts" } else { "Each starts" };
    let how = format!(
        "{each} with a data directory that holds only its myid file. Its zoo.cfg has its own dataDir \
         (and dataLogDir); tickTime, initLimit, syncLimit and 4lw.commands.whitelist as on the \
         present servers; and these lines:"
    );
    text.paragraph("  ", how, width);
    for line in FirstConfig::of(&now.base.membership, &joiners).to_string().lines() {
        text.line(Line::new(Style::Cyan, format!("    {line}")));
    }
    let again = "Keep a copy of this zoo.cfg: ZooKeeper rewrites it when the joiner follows. A \
                 joiner that restarts before its join needs the copy.";
    text.paragraph("  ", Line::new(Style::Dim, again), width);
    text.paragraph("  ", super_user(), width);
    text
}

/// The command that writes the files of all joiners, as it is typed. `file` is the spec or the plan.
pub(super) fn writes(file: &str) -> String {
    format!("zkplan joiner {} --all -o joiners/", phrases::shell(file))
}

/// The one thing that a joiner needs beside its files, and that it would be missed for only later.
fn super_user() -> String {
    format!(
        "Set the same super user as on the present servers: in zoo.cfg {SUPER_DIGEST} (zkplan \
         digest prints it; for SASL and certificates: zkplan explain auth). apply checks every \
         joiner, and does not add one that refuses the user."
    )
}

fn not_seen(joiners: usize, assumed: bool) -> &'static str {
    match (assumed, joiners) {
        (true, 1) => "was not asked, and must follow before its join",
        (true, _) => "were not asked, and must follow before they join",
        (false, 1) => "is not ready to join; its step waits for it",
        (false, _) => "are not ready to join; their steps wait for them",
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
