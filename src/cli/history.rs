//! `zkplan history`: what the runs did that an ensemble keeps.

use super::accepting::Accepts;
use super::anonymous::open_anonymous;
use super::args::{HistoryArgs, HistoryFormat};
use super::error::CommandError;
use super::exit::Exit;
use super::journal::{self, Asked, Earlier, Unread, Wanted, sessions_at};
use super::live::{self, journal_unreadable, no_server};
use super::output::Output;
use super::source::{Source, accepts};
use crate::apply::journal_reader::{RawTree, raw_tree};
use crate::apply::old_runs::READ;
use crate::apply::{Differs, Outcome};
use crate::document::Document as _;
use crate::ensemble::{Session as _, ZooKeeper};
use crate::model::Target;
use crate::observe::{Facts, NotResumed, Observation};
use crate::prediction::Prediction;
use crate::render::{
    AS_FAR_AS_SEEN, Line, Style, Text, ends, history, not_proven, trust, words_for_shell,
};
use crate::report::error::CommandFailure;
use crate::report::history::{HistoryDocument, HistoryRun};
use crate::report::{PlanDocument, UnprovenDocument};
use crate::review::{record, record_of_all};
use crate::saved;
use crate::trust::Unproven;

pub(super) fn run(args: &HistoryArgs, output: &Output) -> Result<Exit, CommandError> {
    if args.unproven && args.format == HistoryFormat::Markdown {
        let what = "--unproven works only with --format text or json";
        return Err(CommandError::new(CommandFailure::Usage, what)
            .hint("its answer is a copy of znodes, not the record of a run"));
    }
    let source = Source::read(&args.file, output)?;
    live::block_on(history_of(args, &source, output))?
}

async fn history_of(
    args: &HistoryArgs,
    source: &Source,
    output: &Output,
) -> Result<Exit, CommandError> {
    let target = &source.target();
    let port = live::servers(target, &source.named())?;
    let seen = live::look(&port, target, output).await?;
    if args.unproven {
        let tree = everything((args, source), &port, (&seen, target)).await?;
        return Ok(show_tree(args, target, &tree, output));
    }
    let wanted = Wanted { runs: READ, plan_of: args.run, watch: None };
    let earlier = journal::read(&port, &sessions_at(&seen, target), target, wanted).await;
    let earlier = earlier.map_err(|why| match why {
        Unread::NoSession => no_server(&source.plans(&args.file)),
        Unread::Refused(code) => journal_unreadable(code),
    })?;
    if let Some(unproven) = earlier.journal.unproven() {
        return Err(refuse(args, unproven, output));
    }
    if !earlier.journal.is_certain {
        output.note(&format!("{AS_FAR_AS_SEEN}an operator wrote this; an apply checks it"));
    }
    let next = next(args, source, (&seen, target), &earlier);
    match args.run {
        Some(number) => one(args, (source, &earlier, number), next.as_deref(), output),
        None => Ok(all(args, (source, &earlier), next.as_deref(), output)),
    }
}

/// The folder does not tell what the runs did.
fn refuse(args: &HistoryArgs, unproven: &Unproven, output: &Output) -> CommandError {
    let path = args.file.display().to_string();
    let end = Outcome::Unproven(unproven.clone());
    CommandError::of_end(&ends::EndScreen {
        end: &end,
        again: "",
        path: &path,
        plans: "",
        anew: None,
        run: None,
        width: output.width,
    })
}

/// The command that comes next, where a run is open.
fn next(
    args: &HistoryArgs,
    source: &Source,
    (seen, target): (&Observation, &Target),
    earlier: &Earlier,
) -> Option<String> {
    let facts = Facts::of(seen, target);
    let asked = match source {
        Source::Plan(checked) => Asked::Plan(checked),
        Source::Spec(spec) => Asked::Spec(target, Accepts::of(&[], spec)),
    };
    let open = earlier.decide(asked, &facts, None).open()?;
    let path = words_for_shell(&args.file.display().to_string());
    let lacking = open.plan.as_ref().err().and_then(Differs::lacks_only);
    let number = open.run.number;
    match (open.done(&earlier.journal, seen), lacking) {
        (Ok(_), _) => Some(format!("zkplan apply {path}")),
        (Err(_), Some(risks)) => {
            let accepted: String = risks.iter().map(accepts).collect();
            Some(format!("zkplan apply {path}{accepted}"))
        }
        // A plan that does not lead on from what is there is made anew from its spec.
        (Err(NotResumed::Overtaken), None) => {
            let accepted: String = source.accepted().iter().map(accepts).collect();
            let spec = source.spec_path(&args.file)?;
            Some(format!("zkplan apply {spec}{accepted} --abandon {number}"))
        }
        // That version finishes it.
        (Err(NotResumed::Newer), None) => None,
        (Err(NotResumed::OtherSpec | NotResumed::NotUnderstood), None) => {
            Some(format!("zkplan apply {path} --abandon {number}"))
        }
    }
}

fn all(
    args: &HistoryArgs,
    (source, earlier): (&Source, &Earlier),
    next: Option<&str>,
    output: &Output,
) -> Exit {
    let runs = earlier.runs();
    if args.format == HistoryFormat::Json {
        let listed = runs.latest.iter().map(|run| HistoryRun::of(run, None));
        return output.raw(&document((source, earlier), listed, next), Exit::Done);
    }
    if args.format == HistoryFormat::Markdown {
        let listed: Vec<HistoryRun> =
            runs.latest.iter().map(|run| HistoryRun::of(run, None)).collect();
        let (ensemble, proven) = (source.target().ensemble, earlier.journal.is_certain);
        let older = history::older(runs);
        return output.raw(&record_of_all(&ensemble, &listed, &older, proven), Exit::Done);
    }
    let mut text = history::runs(runs, output.width);
    for unproven in &runs.unproven {
        let lead = Line::new(Style::Yellow, "not used: ");
        text.paragraph(lead, not_proven(unproven), output.width);
    }
    append(&mut text, next);
    output.screen(&text, Exit::Done)
}

/// Ends a screen with the command that comes next.
fn append(text: &mut Text, next: Option<&str>) {
    if let Some(next) = next {
        text.line(Line::plain("Next: ").then(Style::Cyan, next));
    }
}

/// A plan that the ensemble keeps, as the document that `zkplan plan --out` writes; as it is, where
/// this release cannot read it.
fn whole(kept: &str) -> String {
    let checked = saved::read_kept(kept);
    checked.map_or_else(|_| kept.to_owned(), |checked| PlanDocument::of(&checked).to_text())
}

fn one(
    args: &HistoryArgs,
    (source, earlier, number): (&Source, &Earlier, u64),
    next: Option<&str>,
    output: &Output,
) -> Result<Exit, CommandError> {
    let path = words_for_shell(&args.file.display().to_string());
    let Some(run) = earlier.runs().latest.iter().find(|run| run.number == number) else {
        return Err(journal::no_such_run(earlier.runs(), number, &path));
    };
    if args.plan {
        let Some(plan) = &earlier.plan else {
            let what = format!("the plan of run {number} is damaged or not proven");
            return Err(CommandError::new(CommandFailure::PlanLost, what)
                .hint(format!("zkplan history {path} {number} shows what is left of the run")));
        };
        return Ok(output.raw(&whole(plan), Exit::Done));
    }
    let next = next.filter(|_| run.is_open());
    let kept = earlier.plan.as_deref().and_then(|kept| saved::read_kept(kept).ok());
    let prediction = kept.map(|checked| Prediction::of(&checked));
    Ok(match args.format {
        HistoryFormat::Json => {
            let run = HistoryRun::of(run, prediction);
            output.raw(&document((source, earlier), [run], next), Exit::Done)
        }
        HistoryFormat::Markdown => {
            let document = HistoryRun::of(run, prediction);
            let (ensemble, proven) = (source.target().ensemble, earlier.journal.is_certain);
            output.raw(&record(&ensemble, run, &document, proven), Exit::Done)
        }
        HistoryFormat::Text => {
            let mut text = history::run(run, prediction.as_ref(), output.width);
            append(&mut text, next);
            output.screen(&text, Exit::Done)
        }
    })
}

/// The document of these runs.
fn document(
    (source, earlier): (&Source, &Earlier),
    runs: impl IntoIterator<Item = HistoryRun>,
    next: Option<&str>,
) -> String {
    let not_used = earlier.runs().unproven.iter();
    let document = HistoryDocument {
        ensemble: source.target().ensemble,
        proven: earlier.journal.is_certain,
        runs: runs.into_iter().collect(),
        not_used: not_used.map(not_proven).collect(),
        removed: earlier.runs().removed(),
        not_listed: earlier.runs().not_read,
        next: next.map(ToOwned::to_owned),
    };
    document.to_text()
}

async fn everything(
    (args, source): (&HistoryArgs, &Source),
    port: &ZooKeeper,
    (seen, target): (&Observation, &Target),
) -> Result<RawTree, CommandError> {
    let lost = || no_server(&source.plans(&args.file));
    let servers = sessions_at(seen, target);
    let session = open_anonymous(port, &servers, &target.connect).await;
    let session = session.map_err(|_| lost())?;
    let tree = raw_tree(&session, &target.connect.folder).await;
    session.close().await;
    tree.map_err(|_| lost())
}

fn show_tree(args: &HistoryArgs, target: &Target, tree: &RawTree, output: &Output) -> Exit {
    match args.format {
        HistoryFormat::Json => {
            output.raw(&UnprovenDocument::of(target, tree).to_text(), Exit::Done)
        }
        HistoryFormat::Text | HistoryFormat::Markdown => {
            output.screen(&trust::raw(tree, output.width), Exit::Done)
        }
    }
}
