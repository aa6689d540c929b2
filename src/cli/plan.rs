//! `zkplan plan`: what would change, step by step, proven safe or refused.

use std::collections::BTreeMap;
use std::path::Path;

use super::accepting::Accepts;
use super::args::{Format, PlanArgs};
use super::error::CommandError;
use super::exit::Exit;
use super::first_quorum::{self, Shown};
use super::journal::{self, OpenRuns, Unread};
use super::output::Output;
use super::plan_files::Keeping;
use super::plan_formats::{documents, flags, graphs, not_seen, rehearse_all, reviewed};
use super::planned::{Outcome, Position};
use super::specs::Loaded;
use super::{assumed, fleet, forge, live, probe, rebase, retired, specs};
use crate::apply::access::Named;
use crate::check::CheckedPlan;
use crate::model::Target;
use crate::observe::{Facts, Observation, Question, observe_confirmed};
use crate::plan::{Acceptance, Prefer};
use crate::proposal::{propose_preferring, propose_restarts};

use crate::rehearsal;
use crate::render::plan::{Origin, PlanFile, PlanScreen, SpecFile, screen};
use crate::render::summary::{FleetEntry, FleetVerdict, table};
use crate::render::{Text, dot, mermaid, other, refusal, words_for_acceptance, words_for_shell};
use crate::report::error::CommandFailure;
use crate::review::{comment, html, junit};
use crate::saved;
use crate::spec::Spec;
use crate::status::RunPosition;
use crate::whynot::why_not;

/// What the rehearsal below a plan may cost, as [`rehearsal::RehearsalLimits`] counts.
pub(super) const BESIDE_PLANNING: u64 = 1_000;

pub(super) fn run(args: &PlanArgs, output: &Output) -> Result<Exit, CommandError> {
    let usage = |what: &str, hint: &str| CommandError::new(CommandFailure::Usage, what).hint(hint);
    if let Some((wrong, hint)) = misused(args) {
        return Err(usage(wrong, hint));
    }
    let old = args.rebase.as_deref().map(|old| rebase::old_plan(old, output)).transpose()?;
    let loaded = specs::load(&specs::files(&args.specs));
    let keeping = Keeping::of(args, &loaded)?;
    let outcomes = if let Some(live) = &args.live {
        loaded.iter().map(|loaded| assuming(args, loaded, live, output)).collect()
    } else {
        let seen = loaded.iter().map(|one| seen(args, one, output));
        live::block_on(fleet::side_by_side(seen))?
    };
    let outcomes = without_twins(&loaded, outcomes);
    tell_errors(&loaded, &outcomes, output);
    note_idle_acceptances(args, &outcomes, output);
    let since = match (&old, loaded.as_slice(), outcomes.as_slice()) {
        (Some(old), [file], [outcome]) => rebase::rebased(old.plan(), file, outcome)?,
        _ => None,
    };
    let exits = outcomes.iter().map(|outcome| outcome.exit(args.detailed_exitcode));
    let saved = keeping.save(args, (&loaded, &outcomes), output);
    keeping.note(args, &outcomes, &saved, output);
    let kept = match &saved {
        Ok(()) => Exit::Done,
        Err(error) => {
            output.error(error);
            error.exit()
        }
    };
    let exit = exits.fold(kept, Exit::worse);
    let exit = match args.format {
        format if keeping.has_pages(format) => {
            output.screen(&summary(args, &loaded, &outcomes, output), exit)
        }
        Format::Text => {
            let mut text = rebase::section(args, since.as_ref(), output);
            text.section(texts(args, (&loaded, &outcomes), (&keeping, &saved), output));
            output.screen(&text, exit)
        }
        Format::Json => {
            let reviewed = reviewed(args, &loaded, &outcomes, output);
            let documents = documents(&reviewed, exit);
            output.raw(&rebase::document(args, since.as_ref(), documents, (exit, output)), exit)
        }
        Format::Markdown => output.raw(&comment(&reviewed(args, &loaded, &outcomes, output)), exit),
        Format::Html => {
            let mut reviewed = reviewed(args, &loaded, &outcomes, output);
            rehearse_all(&mut reviewed);
            output.raw(&html(&reviewed), exit)
        }
        Format::Github => forge::github(&reviewed(args, &loaded, &outcomes, output), exit, output),
        Format::Junit => {
            output.raw(&junit("plan", &reviewed(args, &loaded, &outcomes, output)), exit)
        }
        Format::Mermaid => {
            let graphs = graphs(args, (&loaded, &outcomes), mermaid::mermaid, output);
            output.screen(&graphs, exit)
        }
        Format::Dot => output.screen(&graphs(args, (&loaded, &outcomes), dot::dot, output), exit),
    };
    let planned = loaded.iter().zip(&outcomes).filter_map(|(file, outcome)| match outcome {
        Outcome::Planned(checked, Some(seen), _) => {
            Some((file.spec.as_ref().ok()?, &**checked, &**seen))
        }
        _ => None,
    });
    Ok(if args.probe { probe::run(planned, args.format, output).worse(exit) } else { exit })
}

/// Says what kept a spec from being planned.
fn tell_errors(loaded: &[Loaded], outcomes: &[Outcome], output: &Output) {
    for (file, outcome) in loaded.iter().zip(outcomes) {
        match outcome {
            Outcome::Failed(error) => output.error(error),
            Outcome::Unreachable(error) => output.error(&not_seen(file, error, output)),
            Outcome::Planned(..) | Outcome::Refused(..) | Outcome::Standalone(_) => {}
        }
    }
}

/// Flags that do not go together, and what to do instead.
fn misused(args: &PlanArgs) -> Option<(&'static str, &'static str)> {
    let many = specs::files(&args.specs).len() > 1;
    if !args.why_not.is_empty() && args.format != Format::Text {
        return Some(("--why-not works only with --format text", "its answer is text for people"));
    }
    let is_file = args.live.as_deref().is_some_and(|live| !live.is_dir());
    if many && args.rebase.is_some() {
        Some((
            "--rebase works only with one spec",
            "give the spec that the saved plan was made from",
        ))
    } else if args.rebase.is_some() && !matches!(args.format, Format::Text | Format::Json) {
        Some(("--rebase works only with --format text or json", "it shows two plans"))
    } else if many && is_file {
        Some((
            "--live with a file works only with one spec",
            "give a folder that has one file for each ensemble, named like the ensemble",
        ))
    } else {
        None
    }
}

/// An acceptance that nothing needs is no error: the same command line may serve many days.
fn note_idle_acceptances(args: &PlanArgs, outcomes: &[Outcome], output: &Output) {
    let used = |risk: &Acceptance| {
        outcomes.iter().any(|outcome| match outcome {
            Outcome::Planned(checked, ..) => checked.plan().accepted.contains(risk),
            Outcome::Refused(..)
            | Outcome::Standalone(_)
            | Outcome::Unreachable(_)
            | Outcome::Failed(_) => true,
        })
    };
    for risk in args.accept.iter().filter(|risk| !used(risk)) {
        let risk = words_for_acceptance(risk);
        output.note(&format!(
            "the plan has no risk {risk}, so it does not include this acceptance; \"zkplan apply \
             --accept {risk}\" accepts it in advance"
        ));
    }
}

/// Looks at the ensemble of a spec and plans for what is there.
async fn seen(args: &PlanArgs, loaded: &Loaded, output: &Output) -> Outcome {
    let spec = match &loaded.spec {
        Ok(spec) => spec,
        Err(error) => return Outcome::Failed(error.clone()),
    };
    let target = &spec.to_target();
    let port = match live::servers(target, &Named::of(target, None)) {
        Ok(port) => port,
        Err(error) => return Outcome::Failed(error),
    };
    let seen = match observe_confirmed(&port, &Question::of(target)).await {
        Ok(seen) => seen,
        Err(error) => {
            let answer = first_quorum::answer(&port, target, &error, &BTreeMap::new()).await;
            return match answer {
                Some(answer) => Outcome::Standalone(Box::new(answer)),
                None => Outcome::Unreachable(retired::named(&port, target, error).await),
            };
        }
    };
    let mut facts = Facts::of(&seen, target);
    let accepts = Accepts::of(&args.accept, spec);
    accepts.note_ended(&loaded.path, output);
    let open = match journal::open_runs(&port, &seen, &facts, (target, Some(accepts))).await {
        Ok(open) => open,
        Err(why) => {
            output.note(&not_known(&spec.ensemble, &why));
            OpenRuns::default()
        }
    };
    if let Some(error) = retired::two_histories(&port, target, open.rivals).await {
        return Outcome::Unreachable(error);
    }
    facts.findings.extend(open.journal.findings);
    facts.findings.sort();
    if let Some(RunPosition { run, is_certain, checked, done }) = open.resumed {
        if args.restart.is_some() {
            let what = format!("run {run} is open: servers are restarted before it or after it");
            let error = CommandError::new(CommandFailure::OtherRun, what);
            let path = words_for_shell(&loaded.path);
            return Outcome::Failed(error.hint(format!("finish it: zkplan apply {path}")));
        }
        let position = Some(Box::new(Position { run, is_certain, done, now: facts }));
        return Outcome::Planned(Box::new(checked), Some(Box::new(seen)), position);
    }
    proposed(args, (target, accepts), &facts, Some(Box::new(seen)))
}

fn not_known(ensemble: &str, why: &Unread) -> String {
    let why = match why {
        Unread::NoSession => "no server accepts a session".to_owned(),
        Unread::Refused(code) => format!("the journal cannot be read: {code}"),
    };
    format!("{ensemble}: zkplan could not check whether a run is open: {why}")
}

/// Plans for what a file tells, or the one in a folder that is named after the ensemble.
fn assuming(args: &PlanArgs, loaded: &Loaded, live: &Path, output: &Output) -> Outcome {
    let spec = match &loaded.spec {
        Ok(spec) => spec,
        Err(error) => return Outcome::Failed(error.clone()),
    };
    let target = &spec.to_target();
    match assumed::facts((live, args.live_max_age), (spec, target), output) {
        Ok(facts) => {
            let accepts = Accepts::of(&args.accept, spec);
            accepts.note_ended(&loaded.path, output);
            proposed(args, (target, accepts), &facts, None)
        }
        Err(error) => Outcome::Failed(error),
    }
}

fn proposed(
    args: &PlanArgs,
    (target, accepts): (&Target, Accepts<'_>),
    facts: &Facts,
    seen: Option<Box<Observation>>,
) -> Outcome {
    let accepted = accepts.now();
    let planned = |checked: CheckedPlan, seen| {
        Outcome::Planned(Box::new(accepts.with_terms(checked)), seen, None)
    };
    if let Some(restart) = &args.restart {
        let members = facts.base.membership.ids();
        let asked = restart.of(&members);
        if let Some(stranger) = asked.difference(&members).next() {
            let what = format!("--restart {restart}: the ensemble has no member {stranger}");
            return Outcome::Failed(CommandError::new(CommandFailure::Usage, what));
        }
        return match propose_restarts(target, facts, &accepted, &asked) {
            Some(Ok(checked)) => planned(checked, seen),
            Some(Err(refusal)) => Outcome::Refused(refusal, seen),
            None => {
                Outcome::Failed(CommandError::new(CommandFailure::Usage, "no member to restart"))
            }
        };
    }
    let prefer = args.prefer.map(Prefer::from).unwrap_or_default();
    match propose_preferring(target, facts, &accepted, prefer) {
        Ok(checked) => planned(checked, seen),
        Err(refusal) => Outcome::Refused(refusal, seen),
    }
}

/// Specs with two labels that turn out to describe one ensemble can only contradict each other.
fn without_twins(loaded: &[Loaded], mut outcomes: Vec<Outcome>) -> Vec<Outcome> {
    for later in 1..outcomes.len() {
        let twin = (0..later).find(|first| same_ensemble(&outcomes[*first], &outcomes[later]));
        if let Some(first) = twin {
            let why =
                format!("{} and {} describe one ensemble", loaded[first].path, loaded[later].path);
            outcomes[later] = Outcome::Failed(specs::twins(why));
        }
    }
    outcomes
}

fn same_ensemble(one: &Outcome, other: &Outcome) -> bool {
    one.facts().zip(other.facts()).is_some_and(|(one, other)| one.are_of_the_ensemble_of(other))
}

fn texts(
    args: &PlanArgs,
    (loaded, outcomes): (&[Loaded], &[Outcome]),
    (keeping, saved): (&Keeping, &Result<(), CommandError>),
    output: &Output,
) -> Text {
    let mut all = Text::new();
    for (at, (file, outcome)) in loaded.iter().zip(outcomes).enumerate() {
        let Ok(spec) = &file.spec else { continue };
        let spec = SpecFile { path: &file.path, spec };
        match outcome {
            Outcome::Planned(checked, seen, position) => {
                let plan_id = saved::plan_id(checked.plan());
                let name = keeping.path_of(at).map(|out| out.display().to_string());
                let saved = name.as_ref().map(|path| match saved {
                    Ok(()) => Ok(PlanFile { path, plan_id: plan_id.as_str() }),
                    Err(error) => Err(error.message.as_str()),
                });
                let plan = checked.plan();
                let does_any = plan.reconfigs() > 0 || plan.restarts_servers();
                let is_new = does_any && position.is_none();
                let alone = outcomes.len() == 1 && is_new;
                let rehearsed = alone.then(|| rehearsal::summary(checked, BESIDE_PLANNING));
                let (rehearsed, flags) =
                    (rehearsed.as_ref(), &flags(args, &checked.plan().accepted_by_flag())[..]);
                all.section(screen(&PlanScreen {
                    origin: Origin::Made { spec, saved, flags, rehearsed },
                    observation: seen.as_deref(),
                    checked,
                    resumed: position.as_deref().map(|position| position.seen(&args.accept)),
                    width: output.width,
                }));
                for other in others(args, spec.spec, checked, output) {
                    all.section(other);
                }
            }
            Outcome::Refused(refusal, seen) => {
                let flags = flags(args, &args.accept);
                let out = args.out.as_ref().map(|out| out.display().to_string());
                let again = ["zkplan", "plan", &file.path].into_iter();
                let again = again.chain(flags.iter().map(String::as_str));
                let again = again.chain(out.iter().flat_map(|out| ["--out", out]));
                let again: Vec<String> = again.map(words_for_shell).collect();
                all.section(refusal::screen(&refusal::RefusalScreen {
                    spec,
                    observation: seen.as_deref(),
                    refusal,
                    again: &again.join(" "),
                    width: output.width,
                }));
                for wish in &args.why_not {
                    all.section(other::no_plan(wish, output.width));
                }
            }
            Outcome::Standalone(answer) => {
                let target = &spec.spec.to_target();
                let shown = Shown::of(target, Some(&file.path), answer, &args.accept);
                all.section(shown.screen(output.width));
            }
            Outcome::Unreachable(_) | Outcome::Failed(_) => {}
        }
    }
    if outcomes.len() > 1 {
        all.section(summary(args, loaded, outcomes, output));
    }
    all
}

/// Other plans that were asked about: with other preferences, or in another order.
fn others(args: &PlanArgs, spec: &Spec, checked: &CheckedPlan, output: &Output) -> Vec<Text> {
    let facts = &checked.plan().facts;
    let mut others = Vec::new();
    if let Some(chosen) = args.prefer {
        let (target, accepted) = (spec.to_target(), Accepts::of(&args.accept, spec).now());
        let price = |prefer: Prefer| {
            Some((prefer, propose_preferring(&target, facts, &accepted, prefer).ok()?))
        };
        let prices: Vec<(Prefer, CheckedPlan)> =
            Prefer::ALL.into_iter().filter_map(price).collect();
        others.push(other::prices(&prices, chosen.into()));
    }
    for wish in &args.why_not {
        let answer = why_not(checked.plan(), wish);
        others.push(other::why_not(wish, checked, &answer, output.width));
    }
    others
}

fn summary(args: &PlanArgs, loaded: &[Loaded], outcomes: &[Outcome], output: &Output) -> Text {
    let entries: Vec<FleetEntry<'_>> = loaded
        .iter()
        .zip(outcomes)
        .map(|(file, outcome)| FleetEntry {
            ensemble: file.spec.as_ref().ok().map(|spec| spec.ensemble.as_str()),
            spec: &file.path,
            verdict: match outcome {
                Outcome::Planned(checked, ..) => FleetVerdict::Planned(checked),
                Outcome::Refused(refusal, _) => FleetVerdict::Refused(refusal),
                Outcome::Standalone(answer) if answer.verdict.is_ok() => FleetVerdict::FirstQuorum,
                Outcome::Standalone(_) => FleetVerdict::Failed("standalone"),
                Outcome::Unreachable(error) => FleetVerdict::Unreachable(error),
                Outcome::Failed(_) => FleetVerdict::Failed("not planned"),
            },
            exit_code: outcome.exit(args.detailed_exitcode).code(),
        })
        .collect();
    table(&entries, output.width)
}
