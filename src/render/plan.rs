//! The plan as the person on call wants to see it.
//!
//! In this order: which ensemble and how it was seen, the present state, findings, changes, steps
//! with figures and reasons, what to start, the commands that are run, the configuration before and
//! after, windows, accepted risks, one line that says it all, how long it is expected to take, what came
//! of rehearsing it, and what to type next.

pub use super::files::{PlanFile, SpecFile};
use super::text::{Line, Style, Text};
use super::{
    backup, changes, commands, head, law, no_return, open_run, phrases, predicted, present,
    rehearse, restarts, start, steps,
};
use crate::check::CheckedPlan;
use crate::joiner::to_start;
use crate::model::AcceptedRisk;
use crate::observe::{Facts, Finding, LeftToDo, Level, Observation, Obstacle};
use crate::plan::{Acceptance, Done, Plan, StepId};
use crate::prediction::Prediction;
use crate::proposal::acceptance;
use crate::rehearsal::{Rehearsal, Unrehearsed};
use crate::status::OpenRunSeen;

/// Where a plan on the screen comes from, and whether it can be found again.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// Made just now from a spec, and saved where a file is named.
    Made {
        /// The spec.
        spec: SpecFile<'a>,
        /// The file that it was written to, or why it could not be, where a file is asked for.
        saved: Option<Result<PlanFile<'a>, &'a str>>,
        /// The flags that made the plan what it is.
        flags: &'a [String],
        /// What came of rehearsing it, where that was tried.
        rehearsed: Option<&'a Result<Rehearsal, Unrehearsed>>,
    },
    /// Made just now from a spec, to be applied at once.
    Applied(SpecFile<'a>),
    /// Read from a plan file, to be applied on what was just seen.
    AppliedPlan {
        /// The file.
        file: PlanFile<'a>,
        /// What was just seen, as far as planning goes.
        now: &'a Facts,
    },
    /// Read from a plan file.
    Read(PlanFile<'a>),
}

/// Everything that the plan screen shows.
#[derive(Debug, Clone, Copy)]
pub struct PlanScreen<'a> {
    /// Where the plan comes from.
    pub origin: Origin<'a>,
    /// What was seen, where servers were asked for this screen.
    pub observation: Option<&'a Observation>,
    /// The plan and its figures.
    pub checked: &'a CheckedPlan,
    /// How far it is, where it is that of a run that is open.
    pub resumed: Option<Resumed<'a>>,
    /// Columns of the terminal; 80 to 120 look best.
    pub width: usize,
}

/// How far a run is that is open.
#[derive(Debug, Clone, Copy)]
pub struct Resumed<'a> {
    /// Its number.
    pub run: u64,
    /// Whether it is proven to be an operator's, and not only as far as was seen.
    pub is_certain: bool,
    /// The steps that are done.
    pub done: &'a Done,
    /// What was just seen, as far as planning goes.
    pub now: &'a Facts,
    /// The risks that the operator accepts now, beside those that the plan holds.
    pub accepted: &'a [Acceptance],
}

impl Resumed<'_> {
    /// The risks that the next apply has to accept so that nothing that is known now stops it: those
    /// that the plan holds, those that the operator accepts now, and those of the findings of now.
    pub(super) fn accepts(&self, plan: &Plan) -> Vec<Acceptance> {
        let weighty = self.now.findings.iter().filter(|f| f.kind.level() == Level::Accept);
        let found = weighty.map(|f| Acceptance { code: f.kind.code().to_owned(), step: None });
        let mut all = plan.accepted_by_flag();
        for risk in self.accepted.iter().cloned().chain(found) {
            if !all.contains(&risk) && plan.terms_of(&risk).is_none() {
                all.push(risk);
            }
        }
        all
    }
}

impl<'a> Origin<'a> {
    const fn spec(&self) -> Option<SpecFile<'a>> {
        match self {
            Self::Made { spec, .. } | Self::Applied(spec) => Some(*spec),
            Self::Read(_) | Self::AppliedPlan { .. } => None,
        }
    }

    /// The file that is applied: the plan where it is saved, else the spec.
    const fn file(&self) -> &'a str {
        match self {
            Self::Made { saved: Some(Ok(file)), .. }
            | Self::Read(file)
            | Self::AppliedPlan { file, .. } => file.path,
            Self::Made { spec, .. } | Self::Applied(spec) => spec.path,
        }
    }

    /// Whether the plan was made from an earlier look than the one that is shown.
    const fn is_past(&self) -> bool {
        match self {
            Self::Read(_) | Self::AppliedPlan { .. } => true,
            Self::Made { .. } | Self::Applied(_) => false,
        }
    }
}

/// The plan screen.
pub fn screen(screen: &PlanScreen<'_>) -> Text {
    let PlanScreen { origin, observation, checked, resumed, width } = *screen;
    let plan = checked.plan();
    let now = match (resumed, origin) {
        (Some(resumed), _) => Some(resumed.now),
        (None, Origin::AppliedPlan { now, .. }) => Some(now),
        (None, Origin::Made { .. } | Origin::Applied(_) | Origin::Read(_)) => None,
    };
    let is_past = origin.is_past() || resumed.is_some();
    let facts = now.unwrap_or(&plan.facts);
    let mut text = head::head(&plan.ensemble, facts, observation, width);
    text.append(whose(&origin, plan, width));
    let findings = if is_past {
        present::findings_of_then(plan, now, width)
    } else {
        present::findings(plan, width)
    };
    if plan.is_empty() {
        let strangers = observation.is_some_and(|seen| !seen.strangers.is_empty());
        if strangers || facts.synced.len() < facts.base.membership.len() {
            text.section(present::present(plan, facts, observation, width));
        }
        text.section(findings);
        text.section(no_changes(screen));
        if facts.findings.iter().find_map(OpenRunSeen::of).is_some() {
            text.append(next(&origin, (plan, facts), &plan.accepted_by_flag(), width));
        } else {
            text.append(saved_without_changes(&origin, width));
        }
        return text;
    }
    let spec = origin.spec();
    text.section(present::present(plan, facts, observation, width));
    text.section(findings);
    text.section(changes::changes(plan, spec.as_ref(), width));
    if let Some(resumed) = resumed {
        text.section(position(plan, &resumed, width));
    }
    let done = resumed.map(|resumed| resumed.done);
    text.section(steps::steps(checked, observation, (is_past, done), width));
    text.append(other_leader(&origin, plan, width));
    text.section(start::start(checked, facts, observation, (origin.file(), width)));
    text.section(restarts::brings(plan, spec.as_ref(), width));
    text.section(commands::commands(plan, width));
    text.section(changes::config_diff(plan));
    text.section(steps::windows(checked, width));
    text.section(accepted(checked, &facts.findings, width));
    text.gap();
    text.paragraph("", summary(checked, is_past), width);
    text.append(predicted::below(&Prediction::of(checked), plan.facts.leader, width));
    text.append(no_return::below(plan, width));
    text.append(backup::below(plan, done, width));
    if let Origin::Made { rehearsed: Some(rehearsed), spec, saved, flags } = origin {
        let command = match saved.and_then(Result::ok) {
            Some(file) => format!("zkplan rehearse {}", phrases::shell(file.path)),
            None => rehearses(spec, flags),
        };
        text.append(rehearse::below(rehearsed, checked.report().worst_spare, &command, width));
    }
    let accepted = resumed.map_or_else(|| plan.accepted_by_flag(), |resumed| resumed.accepts(plan));
    text.append(next(&origin, (plan, facts), &accepted, width));
    text
}

/// The file of the plan, and the run that it takes back.
fn whose(origin: &Origin<'_>, plan: &Plan, width: usize) -> Text {
    let mut text = Text::new();
    if let Origin::Read(file) = origin {
        let made = format!(
            "the plan in {}, plan id {}; all figures are from the time when it was made, no \
             server was asked now",
            file.path, file.plan_id
        );
        text.paragraph("", Line::new(Style::Dim, made), width);
    }
    if let Some(run) = plan.takes_back {
        let back =
            format!("this plan takes run {run} back: it leads to the members before that run");
        text.paragraph("", Line::new(Style::Dim, back), width);
    }
    if let Origin::AppliedPlan { file, .. } = origin {
        let made = format!("the plan in {}, plan id {}", file.path, file.plan_id);
        text.paragraph("", Line::new(Style::Dim, made), width);
    }
    text
}

/// The command that rehearses a plan that is not saved. rehearse takes no preference, and restarts nothing
/// because it is asked for: it reads the file that the next command writes.
fn rehearses(spec: SpecFile<'_>, flags: &[String]) -> String {
    if flags.iter().any(|flag| flag == "--prefer" || flag == "--restart") {
        return "zkplan rehearse plan.json".to_owned();
    }
    let words = ["zkplan", "rehearse", spec.path].into_iter();
    let words: Vec<String> =
        words.chain(flags.iter().map(String::as_str)).map(phrases::shell).collect();
    words.join(" ")
}

/// What of a run is done, and what is left of it.
fn position(plan: &Plan, resumed: &Resumed<'_>, width: usize) -> Text {
    let mut text = Text::new();
    let said = format!(
        "{}run {} of this plan is open and will be resumed; {}",
        if resumed.is_certain { "" } else { phrases::AS_FAR_AS_SEEN },
        resumed.run,
        open_run::progress(plan, resumed.done)
    );
    text.paragraph("", Line::new(Style::Bold, said), width);
    text
}

/// The figures of the steps are those of the leader of then.
fn other_leader(origin: &Origin<'_>, plan: &Plan, width: usize) -> Text {
    let mut text = Text::new();
    let Origin::AppliedPlan { now, .. } = origin else { return text };
    if let (Some(then), Some(now)) =
        (plan.facts.leader, now.leader.filter(|now| Some(*now) != plan.facts.leader))
    {
        let said = format!(
            "Server {now} leads now; server {then} led when the plan was made. The server that \
             leads during the run is changed last."
        );
        text.paragraph("  ", Line::new(Style::Yellow, said), width);
    }
    text
}

/// What keeps an ensemble from being as its spec wants it although the members are right, each in a
/// few words.
pub(super) fn still_to_do(facts: &Facts) -> Vec<String> {
    let words = |left: LeftToDo| match left {
        LeftToDo::MembersDown(down) => {
            let verb = if down.len() == 1 { "was" } else { "were" };
            format!("{} {verb} not up and in sync", phrases::servers(&down))
        }
        LeftToDo::OpenRun { run } => format!("run {run} is open"),
        LeftToDo::RetiredServe { run, servers } => {
            let verb = if servers.len() == 1 { "serves" } else { "serve" };
            format!("{}, retired by run {run}, {verb} outside it", phrases::servers(&servers))
        }
        LeftToDo::MembersRetired { run, members } => {
            let verb = if members.len() == 1 { "was" } else { "were" };
            format!("{} {verb} retired by run {run}", phrases::servers(&members))
        }
    };
    facts.left_to_do().into_iter().map(words).collect()
}

/// What a person does about members that are down; nothing where none is.
fn start_them(facts: &Facts) -> Option<&'static str> {
    let down = facts.left_to_do().into_iter().find_map(|left| match left {
        LeftToDo::MembersDown(down) => Some(down.len()),
        _ => None,
    })?;
    Some(if down == 1 {
        " Start it, or wait until it is in sync."
    } else {
        " Start them, or wait until they are in sync."
    })
}

/// Whether the spec wants settings, and no server was asked for them.
fn wants_unseen_settings(screen: &PlanScreen<'_>) -> bool {
    let wants = screen.origin.spec().is_some_and(|spec| !spec.spec.settings.is_empty());
    wants && screen.checked.plan().facts.assumed
}

fn no_changes(screen: &PlanScreen<'_>) -> Text {
    let plan = screen.checked.plan();
    let of = match screen.origin {
        Origin::Made { spec, .. } | Origin::Applied(spec) => spec.path.to_owned(),
        Origin::Read(file) | Origin::AppliedPlan { file, .. } => {
            format!("the target of {}", file.path)
        }
    };
    let base = &plan.facts.base;
    let voters = phrases::count_of(base.membership.voters().len(), "voter");
    let open = still_to_do(&plan.facts);
    let figures = format!("(config version {}, {voters})", base.version);
    let line = if open.is_empty() && wants_unseen_settings(screen) {
        let said = format!(
            " Ensemble {} has the members listed in {of} {figures}. The settings in {of} were not \
             checked: no server was asked.",
            plan.ensemble
        );
        Line::new(Style::Green, "No membership changes.").then(Style::Plain, said)
    } else if open.is_empty() {
        let said = format!(" Ensemble {} matches {of} {figures}.", plan.ensemble);
        Line::new(Style::Green, "No changes.").then(Style::Plain, said)
    } else {
        let said = format!(
            " Ensemble {} has the members listed in {of} {figures}, but {}.{}",
            plan.ensemble,
            phrases::list(open),
            start_them(&plan.facts).unwrap_or_default()
        );
        Line::new(Style::Yellow, "No changes to plan.").then(Style::Plain, said)
    };
    let mut text = Text::new();
    text.paragraph("", line, screen.width);
    if base.membership.is_weighted() {
        text.paragraph("", "Groups and weights stay as they are.", screen.width);
    }
    let disabled = plan.facts.obstacles.iter().find_map(|obstacle| match obstacle {
        Obstacle::ReconfigDisabled(on) => Some(phrases::reconfig_disabled(on)),
        _ => None,
    });
    if let Some(who) = disabled {
        let disabled = format!("{who} zkplan cannot change this ensemble (zkplan explain ZKQ1).");
        text.paragraph("", Line::new(Style::Yellow, disabled), screen.width);
    }
    text
}

/// Risks that the operator accepted by name.
pub fn accepted(checked: &CheckedPlan, findings: &[Finding], width: usize) -> Text {
    let mut text = Text::new();
    let now = &checked.report().accepted;
    let later = checked.plan().accepted.iter().filter(|risk| {
        risk.step.is_none() && !now.iter().any(|breach| law::code(breach) == risk.code)
    });
    let later: Vec<String> = later
        .map(|risk| match checked.plan().terms_of(risk) {
            Some(terms) => format!("{} ({})", phrases::acceptance(risk), accepted_until(terms)),
            None => phrases::acceptance(risk),
        })
        .collect();
    for breach in now {
        let lead = Line::new(Style::Bold, "Accepted risk  ");
        let risk = format!("{}: {}", law::place(breach), law::risk(breach, findings));
        text.paragraph(lead, Line::new(Style::Bold, risk), width);
        if let Some(terms) = checked.plan().terms_of(&acceptance(breach)) {
            text.paragraph("               ", accepted_until(terms), width);
        }
    }
    if !later.is_empty() {
        let lead = Line::new(Style::Bold, "Accepted in advance  ");
        let what = format!(
            "{}: not found now; an apply does not stop if it is found later",
            phrases::list(&later)
        );
        text.paragraph(lead, Line::new(Style::Bold, what), width);
    }
    text
}

/// Until when a spec accepts a risk, and why.
fn accepted_until(AcceptedRisk { reason, until, .. }: &AcceptedRisk) -> String {
    format!("accepted in the spec until {until}: {reason}")
}

/// One line that says it all, and no more than the report does.
fn summary(checked: &CheckedPlan, is_past: bool) -> Line {
    let title = if is_past { "Plan, as it was made:" } else { "Plan:" };
    Line::new(Style::Bold, title).then(Style::Plain, format!(" {}", in_short(checked)))
}

/// A plan in a few sentences.
pub fn in_short(checked: &CheckedPlan) -> String {
    if checked.plan().is_empty() {
        let open = still_to_do(&checked.plan().facts);
        if open.is_empty() {
            return "No changes.".to_owned();
        }
        let start = start_them(&checked.plan().facts).unwrap_or_default();
        return format!("No changes to plan, but {}.{start}", phrases::list(open));
    }
    let plan = checked.plan();
    let report = checked.report();
    let reconfigs = phrases::count_of(plan.reconfigs(), "reconfig");
    let leader = if report.rows.iter().any(|row| row.hands_over) {
        "The leader changes once, at the end"
    } else if report.may_hand_over && plan.facts.leader.is_none() {
        "The leader may change once"
    } else if report.may_hand_over {
        "No leader change, unless another server leads by then"
    } else {
        "No leader change"
    };
    let assumed = match (plan.facts.assumed, plan.facts.assumes_all()) {
        (false, _) => "",
        (true, true) => " Assumes that every server is up.",
        (true, false) => " Assumes that the servers in sync in the status are still up.",
    };
    if plan.restarts_servers() {
        return format!("{}{assumed}", restarts::in_short(checked));
    }
    let tally = changes::tally(plan);
    format!("{tally} in {reconfigs}. {}. {leader}.{assumed}", tolerance(checked))
}

/// How many failures the ensemble tolerates on the way, and until when it is fewest.
fn tolerance(checked: &CheckedPlan) -> String {
    let report = checked.report();
    let (worst, now) = (report.worst_spare, report.base.votes.spare());
    let end = report.rows.last().map_or(now, |row| row.figures.votes.spare());
    let failures = phrases::count(worst, "failure");
    if worst < 0 {
        return "On the way too few voters can acknowledge".to_owned();
    }
    if worst == now && now == end {
        return format!("Tolerates {failures} throughout");
    }
    let reconfigs = || checked.plan().steps().filter(|step| step.reconfig().is_some());
    let is_reconfig = |id: &StepId| reconfigs().any(|step| step.id == *id);
    let is_shown = now == worst || report.rows.iter().any(|row| row.spare == worst);
    let elsewhere = if is_shown { "" } else { ", in the order of steps when another server leads" };
    let mut lowest = report.rows.iter().filter(|row| row.spare == worst && is_reconfig(&row.step));
    match lowest.next_back().filter(|_| worst < end) {
        Some(row) if worst == now => {
            format!("Tolerates {failures} until {} is done, then {end}", row.step)
        }
        Some(row) => format!(
            "Lowest tolerance on the way: {failures}, until {} is done (now {now}, at the end {end})",
            row.step
        ),
        None => format!(
            "Lowest tolerance on the way: {failures}{elsewhere} (now {now}, at the end {end})"
        ),
    }
}

/// A plan without changes is a file like any other, and what was written is said.
fn saved_without_changes(origin: &Origin<'_>, width: usize) -> Text {
    let mut text = Text::new();
    let Origin::Made { saved: Some(saved), .. } = origin else { return text };
    match saved {
        Err(why) => {
            text.paragraph(Line::new(Style::Red, "Not saved: "), Line::plain(*why), width);
        }
        Ok(file) => {
            let said =
                format!("Saved to {}, plan id {}: a plan without changes", file.path, file.plan_id);
            text.paragraph("", said, width);
        }
    }
    text
}

/// The command that applies a plan which takes a run back, as it is typed: it gives up the open run.
pub(super) fn applies_back(plan: &Plan, file: &str) -> String {
    let run = plan.facts.findings.iter().find_map(OpenRunSeen::of);
    let abandons = run.map(|run| format!(" --abandon {}", run.number)).unwrap_or_default();
    format!("zkplan apply {}{abandons}", phrases::shell(file))
}

fn next(
    origin: &Origin<'_>,
    (plan, facts): (&Plan, &Facts),
    accepted: &[Acceptance],
    width: usize,
) -> Text {
    let mut text = Text::new();
    let findings = &facts.findings[..];
    let Origin::Made { spec, saved, flags, .. } = origin else { return text };
    let saved = match saved {
        Some(Err(why)) => {
            let lead = Line::new(Style::Red, "Not saved: ");
            text.paragraph(lead, Line::plain(*why), width);
            return text;
        }
        Some(Ok(file)) => {
            text.paragraph("", format!("Saved to {}, plan id {}", file.path, file.plan_id), width);
            Some(file)
        }
        None => None,
    };
    let path = phrases::shell(spec.path);
    let accepts: Vec<String> =
        accepted.iter().map(|risk| format!(" --accept {}", phrases::acceptance(risk))).collect();
    let accepts = accepts.concat();
    let run = findings.iter().find_map(OpenRunSeen::of);
    let command = match (run, saved) {
        (_, Some(file)) if plan.takes_back.is_some() => {
            let joins = plan.hooks.want_joiner_files() && !to_start(plan, facts).is_empty();
            if joins { start::writes(file.path) } else { applies_back(plan, file.path) }
        }
        (Some(run), Some(file)) if run.not_resumed.is_none() && run.plan_id == file.plan_id => {
            format!("zkplan apply {}{}", phrases::shell(file.path), backup::flag(plan))
        }
        (Some(run), _) => open_run::command(&path, &run, &accepts),
        (None, saved) => open_run::unproven(&path, findings).unwrap_or_else(|| {
            if let Some(file) = saved {
                if plan.hooks.want_joiner_files() && !to_start(plan, facts).is_empty() {
                    return start::writes(file.path);
                }
                return format!("zkplan apply {}{}", phrases::shell(file.path), backup::flag(plan));
            }
            let flags: Vec<String> = flags.iter().map(|word| phrases::shell(word) + " ").collect();
            format!("zkplan plan {path} {}--out plan.json", flags.concat())
        }),
    };
    text.line(Line::plain("Next: ").then(Style::Cyan, command));
    text
}

#[cfg(test)]
mod screens;
#[cfg(test)]
mod sections;
