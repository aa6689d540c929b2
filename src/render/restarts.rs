//! A plan that restarts members, in words: what the restarts bring, and what has to be done before.

use std::collections::{BTreeMap, BTreeSet};

use super::files::SpecFile;
use super::phrases;
use super::text::{Line, Style, Text};
use crate::check::CheckedPlan;
use crate::diff::diff;
use crate::model::{ServerId, SettingName, Target};
use crate::plan::{Plan, Step};

/// What the restarts bring, to which servers, and what the operator does first. Nothing for a plan
/// without restarts.
pub(super) fn brings(plan: &Plan, spec: Option<&SpecFile<'_>>, width: usize) -> Text {
    let mut text = Text::new();
    if !plan.restarts_servers() {
        return text;
    }
    let wanted: BTreeMap<SettingName, String> =
        plan.settings.each().into_iter().map(|(name, wanted)| (name, wanted.to_string())).collect();
    let mut lacking: BTreeMap<SettingName, BTreeSet<ServerId>> = BTreeMap::new();
    let mut asked: BTreeSet<ServerId> = BTreeSet::new();
    for restart in plan.steps().filter_map(Step::restart) {
        for name in &restart.brings {
            lacking.entry(*name).or_default().insert(restart.server);
        }
        if restart.brings.is_empty() {
            asked.insert(restart.server);
        }
    }
    text.line(Line::new(Style::Bold, "What changes with the restarts"));
    for (name, servers) in &lacking {
        let value = wanted.get(name).map(|value| format!(": {value}")).unwrap_or_default();
        text.paragraph("  ", format!("{name}{value} on {}", phrases::servers(servers)), width);
    }
    if !asked.is_empty() {
        let who = phrases::servers(&asked);
        text.paragraph(
            "  ",
            format!(
                "{who}: whatever {} files have now (--restart)",
                if asked.len() == 1 { "its" } else { "their" }
            ),
            width,
        );
    }
    if !lacking.is_empty() {
        text.append(before(&lacking, spec, width));
    }
    let left = spec.map_or(0, |spec| changes_left(plan, &spec.spec.to_target()));
    if left > 0 {
        let what = phrases::count_of(left, "change");
        let says = format!("The spec wants {what} of members too: after the restarts, plan again.");
        text.paragraph("  ", says, width);
    }
    text
}

/// How many changes of members the spec wants when the restarts are done.
fn changes_left(plan: &Plan, target: &Target) -> usize {
    let base = &plan.facts.base.membership;
    let wanted = target.membership_for(base);
    let found = diff(base, &wanted, &plan.facts.other_machine, target.policy.client_part);
    found.changes.len()
}

/// What the operator does before the restarts.
fn before(
    lacking: &BTreeMap<SettingName, BTreeSet<ServerId>>,
    spec: Option<&SpecFile<'_>>,
    width: usize,
) -> Text {
    let mut text = Text::new();
    let first = "Before you approve: edit zoo.cfg on each of these servers, or install the release. \
                 zkplan changes no file on a server, and a restart with the old file has no effect.";
    text.paragraph("  ", Line::new(Style::Yellow, first), width);
    if let Some(spec) = spec.filter(|_| lacking.keys().any(|name| *name != SettingName::Version)) {
        let id = lacking.values().flatten().next().map_or(1, |id| id.get());
        let path = phrases::shell(spec.path);
        text.line(
            Line::plain("  The edit of a file: ")
                .then(Style::Cyan, format!("zkplan preflight {path} --zoo-cfg {id}=FILE")),
        );
    }
    if lacking.contains_key(&SettingName::ReconfigEnabled) {
        text.paragraph("  ", Line::new(Style::Yellow, FORWARD), width);
    }
    text
}

const FORWARD: &str = "reconfigEnabled=true cannot be taken back in the middle: once one server has \
                       it, finish the restarts, even if the leader fails. A server that starts with \
                       its old file then may never rejoin (zkplan explain ZKQ15).";

/// The plan in a few sentences.
pub(super) fn in_short(checked: &CheckedPlan) -> String {
    let plan = checked.plan();
    let restarts = plan.steps().filter(|step| step.restart().is_some()).count();
    let leader = plan.facts.leader.filter(|id| plan.steps().any(|step| step.concerns(*id)));
    let last = match leader {
        Some(id) if restarts > 1 => format!(", server {id}, the leader, last"),
        Some(_) => ", which leads".to_owned(),
        None if plan.facts.leader.is_none() && restarts > 1 => ", the leader last".to_owned(),
        None => String::new(),
    };
    let worst = checked.report().worst_spare;
    let fails = match worst {
        0 => "While one server restarts, the failure of any other voter stops writes".to_owned(),
        n => format!(
            "While one server restarts, the ensemble survives the failure of {} more",
            phrases::count(n, "voter")
        ),
    };
    let one_by_one = if restarts > 1 { ", one at a time" } else { "" };
    format!(
        "restart {}{one_by_one}{last}. No member changes. {fails}.",
        phrases::count_of(restarts, "server")
    )
}
