//! `zkplan plan --rebase OLD SPEC`: a saved plan beside the plan that is made now.

use std::path::Path;

use super::args::PlanArgs;
use super::error::CommandError;
use super::exit::Exit;
use super::file_kind::{Kind, kind};
use super::journal::{self, Unread, Wanted, sessions_at};
use super::live::{self, journal_unreadable};
use super::output::Output;
use super::planned::Outcome;
use super::source::not_a_plan;
use super::specs::{self, Loaded};
use crate::apply::access::Named;
use crate::apply::journal::Run;
use crate::apply::old_runs::READ;
use crate::check::CheckedPlan;
use crate::document::Document as _;
use crate::model::Target;
use crate::observe::{Facts, Observation};
use crate::plan::Plan;
use crate::rebase::{Rebase, rebase};
use crate::render::rebase::{self as words, RebaseScreen};
use crate::render::{Text, words_for_shell};
use crate::report::error::CommandFailure;
use crate::report::read_plan;
use crate::report::rebase::RebaseDocument;

/// Reads the saved plan.
pub(super) fn old_plan(path: &Path, output: &Output) -> Result<CheckedPlan, CommandError> {
    let (text, name) = (specs::read_text(path)?, path.display().to_string());
    if kind(&text) != Kind::Plan {
        let what = format!("{name} is not a saved plan");
        let hint =
            format!("zkplan plan SPEC --out FILE saves one; --rebase {}", words_for_shell(&name));
        return Err(CommandError::new(CommandFailure::FileNotUsable, what)
            .hint(format!("{hint} compares it later")));
    }
    read_plan(&text).map_err(|error| not_a_plan(&name, &error, output))
}

/// Holds the saved plan against what came of the spec now; `None` where no ensemble was seen.
pub(super) fn rebased(
    old: &Plan,
    loaded: &Loaded,
    outcome: &Outcome,
) -> Result<Option<Rebase>, CommandError> {
    let Ok(spec) = &loaded.spec else { return Ok(None) };
    let Some((plan, facts, seen, is_safe)) = seen_now(outcome) else { return Ok(None) };
    if plan.ensemble != old.ensemble {
        let what =
            format!("the saved plan is for {}, the spec for {}", old.ensemble, plan.ensemble);
        return Err(CommandError::new(CommandFailure::Usage, what)
            .hint("give the plan that was made from this spec"));
    }
    let runs = live::block_on(runs(&spec.to_target(), seen))??;
    Ok(Some(rebase(old, facts, &runs, (plan, is_safe))))
}

/// The plan that was made now or the best one, the facts of now, and whether that plan is safe.
fn seen_now(outcome: &Outcome) -> Option<(&Plan, &Facts, &Observation, bool)> {
    match outcome {
        Outcome::Planned(checked, Some(seen), position) => {
            let plan = checked.plan();
            let now = position.as_ref().map_or(&plan.facts, |position| &position.now);
            Some((plan, now, seen, true))
        }
        Outcome::Refused(refusal, Some(seen)) => {
            Some((&refusal.nearest, &refusal.nearest.facts, seen, false))
        }
        Outcome::Planned(_, None, _)
        | Outcome::Refused(_, None)
        | Outcome::Standalone(_)
        | Outcome::Unreachable(_)
        | Outcome::Failed(_) => None,
    }
}

async fn runs(target: &Target, seen: &Observation) -> Result<Vec<Run>, CommandError> {
    let port = live::servers(target, &Named::of(target, None))?;
    let wanted = Wanted { runs: READ, plan_of: None, watch: None };
    match journal::read(&port, &sessions_at(seen, target), target, wanted).await {
        Ok(earlier) => Ok(earlier.runs().latest.clone()),
        Err(Unread::NoSession) => Err(live::no_server("zkplan status SPEC")),
        Err(Unread::Refused(code)) => Err(journal_unreadable(code)),
    }
}

/// What is shown above the new plan; nothing where no saved plan is held against it.
pub(super) fn section(args: &PlanArgs, since: Option<&Rebase>, output: &Output) -> Text {
    with_screen(args, since, output, words::section).unwrap_or_default()
}

/// The document of the command: that of the new plan, with what has changed around it where a saved plan
/// is held against it.
pub(super) fn document(
    args: &PlanArgs,
    since: Option<&Rebase>,
    documents: String,
    (exit, output): (Exit, &Output),
) -> String {
    let document = with_screen(args, since, output, |screen| {
        let new = serde_json::from_str(&documents).expect("zkplan prints JSON");
        RebaseDocument::of(screen, new, exit.code()).to_text()
    });
    document.unwrap_or(documents)
}

fn with_screen<T>(
    args: &PlanArgs,
    since: Option<&Rebase>,
    output: &Output,
    show: impl FnOnce(&RebaseScreen<'_>) -> T,
) -> Option<T> {
    let (rebase, old) = since.zip(args.rebase.as_ref())?;
    let (old, spec) = (old.display().to_string(), args.specs.first()?.display().to_string());
    Some(show(&RebaseScreen { rebase, old: &old, spec: &spec, width: output.width }))
}
