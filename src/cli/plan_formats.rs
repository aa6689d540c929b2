//! What `zkplan plan` prints for machines and forges.

use std::collections::BTreeMap;
use std::path::Path;

use clap::ValueEnum as _;

use super::args::PlanArgs;
use super::error::CommandError;
use super::exit::Exit;
use super::first_quorum::Shown;
use super::output::Output;
use super::planned::{Outcome, Position};
use super::specs::Loaded;
use super::{fleet, paths};
use crate::check::CheckedPlan;
use crate::document::Document as _;
use crate::model::ServerId;
use crate::observe::{Observation, ObserveError};
use crate::plan::Acceptance;
use crate::rehearsal;
use crate::render::unreachable::Reached;
use crate::render::{Text, refusal, unreachable, words_for_acceptance, words_for_shell};
use crate::report::rehearsal::RehearsalDocument;
use crate::report::{FindingEntry, FleetCommand, FleetMember, PlanDocument, RefusalDocument};
use crate::review::{PlanReview, ReviewOutcome, Reviewed, ReviewedRun};
use crate::spec::Spec;

/// The flags that made the plan what it is, to be typed again.
pub(super) fn flags(args: &PlanArgs, accepted: &[Acceptance]) -> Vec<String> {
    let live = args.live.iter().flat_map(|file| ["--live".to_owned(), file.display().to_string()]);
    let age = args.live_max_age.iter();
    let age = age.flat_map(|age| ["--live-max-age".to_owned(), age.to_string()]);
    let prefer = args.prefer.and_then(|prefer| prefer.to_possible_value());
    let prefer = prefer.into_iter().flat_map(|p| ["--prefer".to_owned(), p.get_name().to_owned()]);
    let accepted =
        accepted.iter().flat_map(|risk| ["--accept".to_owned(), words_for_acceptance(risk)]);
    let restart = args.restart.iter().flat_map(|of| ["--restart".to_owned(), of.to_string()]);
    live.chain(age).chain(prefer).chain(restart).chain(accepted).collect()
}

/// Why there is no ensemble to plan for.
pub(super) fn not_seen(file: &Loaded, error: &ObserveError, output: &Output) -> CommandError {
    let spec = file.spec.as_ref();
    let label = spec.map_or("", |spec| spec.ensemble.as_str());
    let reached = spec.map_or(Reached::BySpec, |spec| Reached::by(&spec.connect));
    CommandError::of_look(error, unreachable::screen(label, error, reached, output.width))
}

/// What came of each spec, as documents.
pub(super) fn reviewed<'a>(
    args: &PlanArgs,
    loaded: &'a [Loaded],
    outcomes: &'a [Outcome],
    output: &Output,
) -> Vec<Reviewed<'a>> {
    let of = |(file, outcome): (&'a Loaded, &'a Outcome)| {
        let exit = outcome.exit(args.detailed_exitcode);
        Reviewed {
            file: &file.path,
            name: file.name(),
            ensemble: file.ensemble(),
            exit_code: exit.code(),
            again: again(args, file),
            lines: file.lines(),
            outcome: match outcome {
                Outcome::Planned(checked, seen, position) => {
                    let saved = paths::saved((**checked).clone(), Path::new(&file.path), None);
                    let position = position.as_deref();
                    let document = PlanDocument::of(&saved);
                    let plan = plan(checked, document, seen.as_deref(), (position, &args.accept));
                    ReviewOutcome::Plan(Box::new(plan))
                }
                Outcome::Refused(refusal, _) => {
                    let document = RefusalDocument::of(refusal, &file.path, exit.code());
                    ReviewOutcome::Refusal(Box::new(document))
                }
                Outcome::Standalone(answer) => {
                    let target = file.spec.as_ref().map(Spec::to_target);
                    let target = target.expect("it was read before a server was asked");
                    let shown = Shown::of(&target, Some(&file.path), answer, &args.accept);
                    let document = shown.document(output.width, exit);
                    ReviewOutcome::FirstQuorum(Box::new(document))
                }
                Outcome::Unreachable(error) => {
                    let error = not_seen(file, error, output);
                    ReviewOutcome::Error(Box::new(error.to_document()))
                }
                Outcome::Failed(error) => ReviewOutcome::Error(Box::new(error.to_document())),
            },
        }
    };
    loaded.iter().zip(outcomes).map(of).collect()
}

/// The command that was given, for this spec alone.
fn again(args: &PlanArgs, file: &Loaded) -> String {
    let flags = flags(args, &args.accept);
    let words = ["zkplan", "plan", &file.path].into_iter().chain(flags.iter().map(String::as_str));
    words.map(words_for_shell).collect::<Vec<_>>().join(" ")
}

/// A plan for review, with what was seen of its clients, and how far its run is.
fn plan<'a>(
    checked: &'a CheckedPlan,
    document: PlanDocument,
    seen: Option<&Observation>,
    (position, accepted): (Option<&'a Position>, &[Acceptance]),
) -> PlanReview<'a> {
    let servers = seen.into_iter().flat_map(|seen| seen.servers.values());
    let clients = servers.filter_map(|server| {
        let count = server.clients.as_ref()?.value.count;
        Some((server.id, count))
    });
    PlanReview {
        checked,
        findings: match position {
            Some(position) => FindingEntry::all(&position.now.findings, accepted),
            None => document.findings.clone(),
        },
        document,
        clients: clients.collect::<BTreeMap<ServerId, u64>>(),
        open_run: position.map(|Position { run, is_certain, done, now: _ }| ReviewedRun {
            number: *run,
            is_certain: *is_certain,
            done,
        }),
        rehearsal: None,
    }
}

/// The work that the rehearsals of a page may cost, as [`rehearsal::RehearsalLimits`] counts: every failure
/// of a plan that moves five servers, in a second or so.
const BESIDE_A_PAGE: u64 = 20_000;

/// Simulates single failures of each plan that has steps and is not begun, for the pages of all of them.
pub(super) fn rehearse_all(reviewed: &mut [Reviewed<'_>]) {
    let plans = reviewed.iter_mut().filter_map(|one| match &mut one.outcome {
        ReviewOutcome::Plan(plan) if plan.open_run.is_none() => Some(plan),
        _ => None,
    });
    let mut plans: Vec<_> = plans.collect();
    let work = BESIDE_A_PAGE / u64::try_from(plans.len()).unwrap_or(u64::MAX).max(1);
    for plan in &mut plans {
        plan.rehearsal = rehearsed(plan.checked, work);
    }
}

/// What came of the rehearsal of a plan; nothing where it has no moments or cannot be rehearsed.
fn rehearsed(checked: &CheckedPlan, work: u64) -> Option<RehearsalDocument> {
    let rehearsal = rehearsal::summary(checked, work).ok()?;
    let has_moments = !rehearsal.moments.is_empty();
    has_moments.then(|| RehearsalDocument::of(checked, &rehearsal))
}

/// The document of one spec, or that of many.
pub(super) fn documents(reviewed: &[Reviewed<'_>], exit: Exit) -> String {
    let of = |one: &Reviewed<'_>| FleetMember {
        spec: one.file.to_owned(),
        ensemble: one.ensemble.map(str::to_owned),
        exit_code: one.exit_code,
        document: match &one.outcome {
            ReviewOutcome::Plan(plan) => plan.document.to_value(),
            ReviewOutcome::Refusal(refused) => refused.to_value(),
            ReviewOutcome::FirstQuorum(first) => first.to_value(),
            ReviewOutcome::Error(error) => error.to_value(),
            ReviewOutcome::Valid | ReviewOutcome::Drift(_) => {
                unreachable!("specs were planned for")
            }
        },
    };
    let all: Vec<FleetMember> = reviewed.iter().map(of).collect();
    fleet::document_text(FleetCommand::Plan, all, exit)
}

/// The graphs of the plans, each as `graph` draws it; what is no plan is said on stderr.
pub(super) fn graphs(
    args: &PlanArgs,
    (loaded, outcomes): (&[Loaded], &[Outcome]),
    graph: fn(&CheckedPlan) -> Text,
    output: &Output,
) -> Text {
    let mut all = Text::new();
    for (file, outcome) in loaded.iter().zip(outcomes) {
        match outcome {
            Outcome::Planned(checked, ..) => all.append(graph(checked)),
            Outcome::Refused(refusal, _) => {
                let findings = &refusal.nearest.facts.findings;
                output.aside(&refusal::breaches(&refusal.breaches, findings, output.width));
            }
            Outcome::Standalone(answer) => {
                if let Ok(spec) = &file.spec {
                    let target = &spec.to_target();
                    let shown = Shown::of(target, Some(&file.path), answer, &args.accept);
                    output.aside(&shown.short(output.width));
                }
            }
            Outcome::Unreachable(_) | Outcome::Failed(_) => {}
        }
    }
    all
}
