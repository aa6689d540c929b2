//! What is known before anything of ours is made: the ensemble, its journal, and the plan.

use super::super::args::ApplyArgs;
use super::super::exit::Exit;
use super::super::journal::{self, Earlier, Unread, Wanted, sessions_at};
use super::super::output::Output;
use super::super::retired;
use super::super::source::Source;
use super::super::{live, plan};
use super::steady::{self, NotCounted, Patience};
use super::{again, refuse};
use crate::apply::Outcome;
use crate::apply::command_line::argv;
use crate::apply::journal::Run;
use crate::apply::position::{implied, is_complete};
use crate::apply::reorder::order_now;
use crate::apply::resume::{ApplyRequest, OpenRun, RunDecision, starts_from};
use crate::apply::stale::{Now, ResumePoint};
use crate::check::{Breach, CheckedPlan};
use crate::ensemble::{ErrorCode, ZooKeeper};
use crate::model::{Endpoint, ServerId, Target};
use crate::observe::{Facts, Finding, Observation};
use crate::plan::Done;
use crate::proposal::{Refusal, propose};
use crate::render::plan::SpecFile;
use crate::render::run::{another_order, holder};
use crate::render::{Line, Style, Text, not_proven, refusal, words_for_servers};
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
}

/// Looks, reads the journal, and makes or takes the plan; `None` where nothing is to be done.
pub(super) async fn ready(
    args: &ApplyArgs,
    source: &Source,
    spec: &Target,
    port: &ZooKeeper,
    output: &Output,
) -> Result<Option<Ready>, Exit> {
    let Found { seen, not_counted, facts, earlier } =
        found((args, source), (port, spec), output).await?;
    let runs = &earlier.runs().latest[..];
    let decision = earlier.decide(asked(args, source, spec), &facts, args.abandon);
    if let Some(end) = decision.refusal(&earlier.journal) {
        return Err(refuse((args, source), &end, output));
    }
    let (checked, resumes) = match decision {
        RunDecision::Meets(OpenRun { run, plan: Ok(checked) }) => (checked, Some(run.number)),
        _ => (planned((args, source), (&seen, &facts), &not_counted, output)?, None),
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
    if resumes.is_none() {
        if is_complete(checked.plan(), &done) && args.abandon.is_none() {
            let runs = if earlier.journal.is_certain { runs } else { &[] };
            return Ok(nothing_to_do(args, &checked, runs, output));
        }
        let order = order_now(&checked, &done, &facts, &args.accept).map_err(|breaches| {
            let breaches = (&breaches[..], &facts.findings[..]);
            unlawful_now((args, source), breaches, (&seen, &not_counted), output)
        })?;
        if let Some(order) = order {
            output.note(&another_order(&order));
        }
    }
    let is_certain = earlier.journal.is_certain;
    Ok(Some(Ready { checked, seen, done, resumes, is_certain }))
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
    (port, spec): (&ZooKeeper, &Target),
    output: &Output,
) -> Result<Found, Exit> {
    let mut patience = Patience::of(&spec.policy);
    let mut with_lock = Patience::with_lock(args, &spec.connect);
    loop {
        let (seen, not_counted) = steady::look(port, spec, &mut patience, output).await?;
        let reached = (port, &seen, spec);
        let earlier = believed((args, source), reached, &mut patience, output).await?;
        let facts = Facts::of(&seen, spec);
        let decision = earlier.decide(asked(args, source, spec), &facts, args.abandon);
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
fn asked<'a>(args: &'a ApplyArgs, source: &'a Source, spec: &'a Target) -> ApplyRequest<'a> {
    match source {
        Source::Plan(checked) => ApplyRequest::Plan(checked),
        Source::Spec(_) => ApplyRequest::Target(spec, &args.accept),
    }
}

/// What the ensemble keeps of earlier applies, where it is proven to be an operator's.
async fn believed(
    (args, source): (&ApplyArgs, &Source),
    (port, seen, spec): (&ZooKeeper, &Observation, &Target),
    patience: &mut Patience,
    output: &Output,
) -> Result<Earlier, Exit> {
    let not_proven =
        |unproven: &Unproven| refuse((args, source), &Outcome::Unproven(unproven.clone()), output);
    let servers = sessions_at(seen, spec);
    let reached = (port, &servers[..], spec, seen);
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
) -> Result<CheckedPlan, Exit> {
    match source {
        Source::Plan(checked) => Ok((**checked).clone()),
        Source::Spec(spec) => propose(&spec.to_target(), facts, &args.accept)
            .map_err(|refusal| refused((args, spec), &refusal, (seen, not_counted), output)),
    }
}

/// A server whose host a command of the plan would be given, and must not be.
fn not_plain(checked: &CheckedPlan, no_hooks: bool) -> Option<ServerId> {
    let mut steps = checked.plan().steps().filter(|_| !no_hooks);
    steps.find_map(|step| argv(checked.plan(), step)?.err())
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
    (port, servers, spec, seen): (&ZooKeeper, &[Endpoint], &Target, &Observation),
    patience: &mut Patience,
    output: &Output,
) -> Result<Earlier, Exit> {
    let watch = Some(retired::watch(&seen.config.membership));
    loop {
        match journal::read(port, servers, spec, Wanted { watch, ..Wanted::LATEST }).await {
            Ok(earlier) => {
                let rivals = earlier.past.ask(port, seen).await.rivals;
                return match retired::two_histories(port, spec, rivals).await {
                    Some(error) => Err(live::not_seen(spec, &error, output)),
                    None => Ok(earlier),
                };
            }
            Err(Unread::NoSession) => {
                if !patience.is_left("no server accepts a session", output).await {
                    let plans = source.plans(&args.file);
                    return Err(steady::no_session(servers, patience, &plans, output));
                }
            }
            Err(Unread::Refused(code)) => return Err(unread(code, output)),
        }
    }
}

/// Says why there is no plan for a spec, and which voters do not count.
fn refused(
    (args, spec): (&ApplyArgs, &Spec),
    refusal: &Refusal,
    (seen, not_counted): (&Observation, &NotCounted),
    output: &Output,
) -> Exit {
    let path = args.file.display().to_string();
    output.aside(&refusal::screen(&refusal::RefusalScreen {
        spec: SpecFile { path: &path, spec },
        observation: Some(seen),
        refusal,
        width: output.width,
    }));
    output.aside(&refusal::not_counted(seen, not_counted, output.width));
    plan::exit_of_breaches(&refusal.breaches)
}

/// Says which safety rules stand against what is left, as things are now, and which voters are the
/// cause, as far as they are.
fn unlawful_now(
    (args, source): (&ApplyArgs, &Source),
    (breaches, findings): (&[Breach], &[Finding]),
    (seen, not_counted): (&Observation, &NotCounted),
    output: &Output,
) -> Exit {
    output.aside(&refusal::breaches(breaches, findings, output.width));
    output.aside(&refusal::not_counted(seen, not_counted, output.width));
    let path = args.file.display().to_string();
    let plans = source.plans(&args.file);
    if not_counted.is_empty() {
        output.error(
            "the plan breaks safety rules in the present state of the ensemble; nothing was \
             changed",
            &format!("{plans} shows the ensemble and the changes that would pass"),
        );
        if source.spec_path(&args.file).is_some() {
            output.next(&plans);
        }
    } else {
        let who = words_for_servers(not_counted.keys());
        let (verb, them) = match not_counted.len() {
            1 => ("does", "it"),
            _ => ("do", "them"),
        };
        output.error(
            &format!("the plan is not safe while {who} {verb} not count; nothing was changed"),
            &format!(
                "start {them} again, then {}; to continue without {them}: {plans} shows the \
                 changes that would pass",
                again(args, &path)
            ),
        );
        output.next(&again(args, &path));
    }
    plan::exit_of_breaches(breaches)
}

fn nothing_to_do(
    args: &ApplyArgs,
    checked: &CheckedPlan,
    runs: &[Run],
    output: &Output,
) -> Option<Ready> {
    let plan_id = saved::plan_id(checked.plan());
    let by = runs.iter().rev().find(|run| run.is_of(&plan_id) && !run.is_open());
    let by = by.map(|run| format!(", done by run {}", run.number)).unwrap_or_default();
    let mut text = Text::new();
    let line = Line::new(Style::Green, "Nothing to do.").then(
        Style::Plain,
        format!(" Ensemble {} matches {}{by}.", checked.plan().ensemble, args.file.display()),
    );
    text.paragraph("", line, output.width);
    output.screen(&text, Exit::Done);
    None
}

fn unread(code: ErrorCode, output: &Output) -> Exit {
    output.error(&format!("the journal cannot be read: {code}"), "nothing was changed");
    Exit::Unreachable
}
