//! What is known before anything of ours is made: the ensemble, its journal, and the plan.

use super::super::accepting::{Accepts, ended, first_day, today};
use super::super::args::{ApplyArgs, TextOrJson};
use super::super::error::{CommandError, next, sentence};
use super::super::exit::Exit;
use super::super::journal::{self, Asked, Earlier, Unread, Wanted, sessions_at};
use super::super::live;
use super::super::output::Output;
use super::super::retired;
use super::super::source::{Source, accepts};
use super::joiner_files::with_joiner_files;
use super::steady::{self, NotCounted, Patience};
use super::typed::{again, refuse, saves, typed, with_next};
use crate::apply::Outcome;
use crate::apply::command_line::argv;
use crate::apply::journal::{BackupNote, Run};
use crate::apply::position::{implied, is_complete};
use crate::apply::reorder::order_now;
use crate::apply::resume::{OpenRun, RunDecision, starts_from};
use crate::apply::retired::is_closed;
use crate::apply::stale::{Now, ResumePoint};
use crate::check::{Breach, CheckedPlan};
use crate::document::Document as _;
use crate::ensemble::ZooKeeper;
use crate::model::{ConfigVersion, Day, Endpoint, ServerId, Target};
use crate::observe::{Facts, Finding, Observation};
use crate::plan::{Acceptance, Done, Plan};
use crate::proposal::{Refusal, propose};
use crate::render::plan::SpecFile;
use crate::render::run::{another_order, holder};
use crate::render::{
    Line, Style, Text, not_proven, refusal, uncounted, unexpected_plan, words_for_servers,
    words_for_shell,
};
use crate::report::error::CommandFailure;
use crate::report::run::RunDocument;
use crate::saved;
use crate::spec::Spec;
use crate::trust::Unproven;

/// Everything that is known before anything of ours is made.
pub(super) struct Ready {
    pub(super) checked: CheckedPlan,
    pub(super) seen: Observation,
    pub(super) done: Done,
    /// The run that is gone on with.
    pub(super) resumes: Option<u64>,
    /// Whether that run is proven to be an operator's already.
    pub(super) is_certain: bool,
    /// The risks that are accepted beside those of the plan.
    pub(super) accepted: Vec<Acceptance>,
    /// The backup that passed, where one was asked for or given; nothing before it was checked.
    pub(super) backup: Option<BackupNote>,
}

/// Looks, reads the journal, and makes or takes the plan; `None` where nothing is to be done.
pub(super) async fn ready(
    args: &ApplyArgs,
    source: &Source,
    target: &Target,
    port: &ZooKeeper,
    output: &Output,
) -> Result<Option<Ready>, CommandError> {
    let Found { seen, not_counted, facts, earlier } =
        found((args, source), (port, target), output).await?;
    let runs = &earlier.runs().latest[..];
    let decision = earlier.decide(asked(args, source, target), &facts, args.abandon);
    if let Some(end) = decision.refusal(&earlier.journal) {
        return Err(refuse((args, source), &end, output));
    }
    let (checked, resumes, day) = match decision {
        RunDecision::Meets(OpenRun { run, plan: Ok(checked) }) => {
            (checked, Some(run.number), first_day(run))
        }
        _ => (planned((args, source), (&seen, &facts), &not_counted, output)?, None, today()),
    };
    agrees_with_what_was_approved((args, source), (checked.plan(), resumes), output)?;
    still_accepted((args, source), checked.plan(), day, output)?;
    let accepted = match source {
        Source::Plan(_) => args.accept.clone(),
        Source::Spec(spec) => Accepts::of(&args.accept, spec).on(day),
    };
    if let Some(server) = not_plain(&checked, args.no_hooks) {
        return Err(refuse((args, source), &Outcome::HostNotPlain { server }, output));
    }
    let plan_id = saved::plan_id(checked.plan());
    let now = Now::of(&plan_id, &seen, runs);
    let ResumePoint { done, version_moved: _ } =
        starts_from(checked.plan(), now, args.strict_version, resumes)
            .map_err(|end| refuse((args, source), &end, output))?;
    let done = implied(checked.plan(), &done);
    if !args.no_hooks {
        with_joiner_files(args, (&checked, &done), output)?;
    }
    if resumes.is_none() {
        if is_complete(checked.plan(), &done) && args.abandon.is_none() {
            let runs = if earlier.journal.is_certain { runs } else { &[] };
            let by = done_by(runs, &plan_id, seen.config.version);
            return Ok(nothing_to_do(args, &checked, by, output));
        }
        let order = order_now(&checked, &done, &facts, &accepted).map_err(|breaches| {
            let breaches = (&breaches[..], &facts.findings[..]);
            breaks_rules_now((args, source), breaches, (&seen, &not_counted), output)
        })?;
        if let Some(order) = order {
            output.note(&another_order(&order));
        }
    }
    let is_certain = earlier.journal.is_certain;
    Ok(Some(Ready { checked, seen, done, resumes, is_certain, accepted, backup: None }))
}

/// Refuses a plan that was not approved: one that is not the expected one, or that is made only now where
/// the spec has saved plans applied and no others. A run that is resumed has the plan with which it began.
fn agrees_with_what_was_approved(
    (args, source): (&ApplyArgs, &Source),
    (plan, resumes): (&Plan, Option<u64>),
    output: &Output,
) -> Result<(), CommandError> {
    let path = words_for_shell(&args.file.display().to_string());
    let (whose, look) = match (source, resumes) {
        (Source::Plan(_), _) => ("the file has", format!("zkplan show {path}")),
        (Source::Spec(_), Some(run)) => {
            ("the open run has", format!("zkplan history {path} {run}"))
        }
        (Source::Spec(_), None) if plan.policy.require_saved_plan => {
            let what = "the spec has only saved plans applied (policy.requireSavedPlan). Nothing was \
                        changed";
            let file = "plan.json";
            let hint =
                format!("save the plan, have it reviewed, then apply it: {}", typed(args, file));
            let error = CommandError::new(CommandFailure::PlanNotSaved, what).hint(hint);
            return Err(with_next(error, &saves(args, file), output));
        }
        (Source::Spec(_), None) => {
            ("the plan that this spec makes now is", saves(args, "plan.json"))
        }
    };
    let found = saved::plan_id(plan);
    let Some(expected) = args.expect_plan.as_ref().filter(|expected| **expected != found) else {
        return Ok(());
    };
    let what = unexpected_plan(expected, &found, whose);
    Err(with_next(CommandError::new(CommandFailure::UnexpectedPlan, what), &look, output))
}

/// Refuses a saved plan that rests on risks whose day is over; `day` is today, or the first day of the
/// run that is resumed.
fn still_accepted(
    (args, source): (&ApplyArgs, &Source),
    plan: &Plan,
    day: Day,
    output: &Output,
) -> Result<(), CommandError> {
    let over = ended(&plan.terms, day);
    if over.is_empty() {
        return Ok(());
    }
    let what =
        format!("the plan rests on risks that are not accepted any more: {}", over.join("; "));
    let error = CommandError::new(CommandFailure::PlanRefused, what).hint(
        "nothing was changed; make the plan again: without the risk, or with a new day in the spec",
    );
    Err(with_next(error, &source.plans_to_file(&args.file), output))
}

/// What a look shows.
struct Found {
    seen: Observation,
    not_counted: NotCounted,
    facts: Facts,
    earlier: Earlier,
}

/// Looks, and reads the journal. Where a run is open that this apply does not resume, its lock is
/// waited for: another apply may be at work, and the lock of a crashed one goes with its session.
async fn found(
    (args, source): (&ApplyArgs, &Source),
    (port, target): (&ZooKeeper, &Target),
    output: &Output,
) -> Result<Found, CommandError> {
    let mut patience = Patience::of(&target.policy);
    let mut with_lock = Patience::with_lock(args, &target.connect);
    loop {
        let (seen, not_counted) = steady::look(args, (port, target), &mut patience, output).await?;
        let reached = (port, &seen, target);
        let earlier = believed((args, source), reached, &mut patience, output).await?;
        let facts = Facts::of(&seen, target);
        let decision = earlier.decide(asked(args, source, target), &facts, args.abandon);
        if let Some(Outcome::Locked(lock)) = decision.refusal(&earlier.journal) {
            let by = lock.map(|by| format!(": {}", holder(&by)));
            let why = format!("another apply holds the lock{}", by.unwrap_or_default());
            if with_lock.is_left(&why, output).await {
                continue;
            }
        }
        return Ok(Found { seen, not_counted, facts, earlier });
    }
}

/// What the operator asks for.
fn asked<'a>(args: &'a ApplyArgs, source: &'a Source, target: &'a Target) -> Asked<'a> {
    match source {
        Source::Plan(checked) => Asked::Plan(checked),
        Source::Spec(spec) => Asked::Spec(target, Accepts::of(&args.accept, spec)),
    }
}

/// What the ensemble keeps of earlier applies, where it is proven to be an operator's.
async fn believed(
    (args, source): (&ApplyArgs, &Source),
    (port, seen, target): (&ZooKeeper, &Observation, &Target),
    patience: &mut Patience,
    output: &Output,
) -> Result<Earlier, CommandError> {
    let not_proven =
        |unproven: &Unproven| refuse((args, source), &Outcome::Unproven(unproven.clone()), output);
    let servers = sessions_at(seen, target);
    let reached = (port, &servers[..], target, seen);
    let earlier = read_journal((args, source), reached, patience, output).await?;
    if let Some(unproven) = earlier.journal.unproven() {
        return Err(not_proven(unproven));
    }
    note_unproven(&earlier, output);
    Ok(earlier)
}

/// The plan of the file, or the one that is made of the spec now.
fn planned(
    (args, source): (&ApplyArgs, &Source),
    (seen, facts): (&Observation, &Facts),
    not_counted: &NotCounted,
    output: &Output,
) -> Result<CheckedPlan, CommandError> {
    match source {
        Source::Plan(checked) => Ok((**checked).clone()),
        Source::Spec(spec) => {
            let accepts = Accepts::of(&args.accept, spec);
            accepts.note_ended(&args.file.display().to_string(), output);
            propose(&spec.to_target(), facts, &accepts.now())
                .map(|checked| accepts.with_terms(checked))
                .map_err(|refusal| refused((args, spec), &refusal, (seen, not_counted), output))
        }
    }
}

/// A server whose host a command of the plan would be given, and must not be.
fn not_plain(checked: &CheckedPlan, no_hooks: bool) -> Option<ServerId> {
    let mut steps = checked.plan().steps().filter(|_| !no_hooks);
    steps.find_map(|step| argv(checked.plan(), step, None)?.err())
}

fn note_unproven(earlier: &Earlier, output: &Output) {
    for unproven in &earlier.runs().unproven {
        output.note(&format!("not used: {}", not_proven(unproven)));
    }
}

/// Reads the journal; a server that takes no session now may take one in a moment. Where servers
/// that a run moved this ensemble to serve something else, these are old data, and it is refused.
async fn read_journal(
    (args, source): (&ApplyArgs, &Source),
    (port, servers, target, seen): (&ZooKeeper, &[Endpoint], &Target, &Observation),
    patience: &mut Patience,
    output: &Output,
) -> Result<Earlier, CommandError> {
    let watch = Some(journal::watch(&seen.config.membership));
    loop {
        match journal::read(port, servers, target, Wanted { watch, ..Wanted::LATEST }).await {
            Ok(earlier) => {
                let rivals = earlier.past.ask(port, seen).await.rivals;
                return match retired::two_histories(port, target, rivals).await {
                    Some(error) => Err(live::not_seen(target, &error, output)),
                    None => Ok(earlier),
                };
            }
            Err(Unread::NoSession) => {
                if !patience.is_left("no server accepts a session", output).await {
                    let plans = source.plans(&args.file);
                    return Err(steady::no_session(servers, patience, &plans));
                }
            }
            Err(Unread::Refused(code)) => {
                return Err(live::journal_unreadable(code).hint("nothing was changed"));
            }
        }
    }
}

/// Why there is no plan for a spec, and which voters do not count.
fn refused(
    (args, spec): (&ApplyArgs, &Spec),
    refusal: &Refusal,
    (seen, not_counted): (&Observation, &NotCounted),
    output: &Output,
) -> CommandError {
    let path = args.file.display().to_string();
    let accepted: String = args.accept.iter().map(accepts).collect();
    let again = format!("zkplan plan {}{accepted}", words_for_shell(&path));
    let mut text = refusal::screen(&refusal::RefusalScreen {
        spec: SpecFile { path: &path, spec },
        observation: Some(seen),
        refusal,
        again: &again,
        width: output.width,
    });
    text.append(uncounted::not_counted(seen, not_counted, output.width));
    CommandError::of_breaches(&refusal.breaches, text)
}

/// Which safety rules stand against what is left, as things are now, and which voters are the
/// cause, as far as they are.
fn breaks_rules_now(
    (args, source): (&ApplyArgs, &Source),
    (breaches, findings): (&[Breach], &[Finding]),
    (seen, not_counted): (&Observation, &NotCounted),
    output: &Output,
) -> CommandError {
    let mut text = refusal::breaches(breaches, findings, output.width);
    text.append(uncounted::not_counted(seen, not_counted, output.width));
    let path = args.file.display().to_string();
    let plans = source.plans(&args.file);
    let (what, hint, command) = if not_counted.is_empty() {
        (
            "the plan breaks safety rules in the present state of the ensemble; nothing was \
             changed"
                .to_owned(),
            format!("{plans} shows the ensemble and the changes that would pass"),
            source.spec_path(&args.file).map(|_| plans),
        )
    } else {
        let who = words_for_servers(not_counted.keys());
        let (verb, them) = match not_counted.len() {
            1 => ("does", "it"),
            _ => ("do", "them"),
        };
        let again = again(args, &path);
        (
            format!("the plan is not safe while {who} {verb} not count; nothing was changed"),
            format!(
                "start {them} again, then {again}; to continue without {them}: {plans} shows the \
                 changes that would pass"
            ),
            Some(again),
        )
    };
    text.append(sentence(&what, std::slice::from_ref(&hint), output.width));
    if let Some(command) = &command {
        text.append(next(command));
    }
    CommandError::of_breaches(breaches, text).hint(hint)
}

/// The run that has done it: one of this plan, or the one that made the present configuration.
fn done_by(runs: &[Run], plan_id: &str, now: ConfigVersion) -> Option<u64> {
    let now = now.to_string();
    let mut ended = runs.iter().rev().filter(|run| is_closed(run));
    let made = |run: &&Run| run.is_of(plan_id) || run.last_version() == Some(now.as_str());
    ended.find(made).map(|run| run.number)
}

fn nothing_to_do(
    args: &ApplyArgs,
    checked: &CheckedPlan,
    by: Option<u64>,
    output: &Output,
) -> Option<Ready> {
    let plan_id = saved::plan_id(checked.plan());
    let by = by.map(|run| format!(", done by run {run}")).unwrap_or_default();
    let mut text = Text::new();
    let line = Line::new(Style::Green, "Nothing to do.").then(
        Style::Plain,
        format!(" Ensemble {} matches {}{by}.", checked.plan().ensemble, args.file.display()),
    );
    text.paragraph("", line, output.width);
    match args.format {
        TextOrJson::Text => output.screen(&text, Exit::Done),
        TextOrJson::Json => {
            let says = text.to_string_with(false);
            let ensemble = &checked.plan().ensemble;
            let document = RunDocument::without_changes(ensemble, &plan_id, says.trim_end());
            output.raw(&document.to_text(), Exit::Done)
        }
    };
    None
}
