//! `zkplan drift`: how ensembles differ from their specs, and whose change that is.

use super::accepting::Accepts;
use super::args::{DriftArgs, DriftFormat, FailOn};
use super::error::CommandError;
use super::exit::Exit;
use super::journal::{self, OpenRuns};
use super::output::Output;
use super::specs::{self, Loaded};
use super::{fleet, forge, live, retired};
use crate::apply::access::Named;
use crate::document::Document as _;
use crate::drift::{Applied, Difference, DriftSeverity, differences};
use crate::observe::{Facts, Observation, Question, observe_confirmed};
use crate::render::drift::{DriftRow, DriftScreen, screen, table};
use crate::render::unreachable::{self, Reached};
use crate::render::{Text, words_for_shell};
use crate::report::drift::DriftDocument;
use crate::report::{FleetCommand, FleetMember};
use crate::review::{ReviewOutcome, Reviewed, comment, html, junit};

/// What was seen of one ensemble.
struct Seen {
    observation: Observation,
    facts: Facts,
    applied: Option<Applied>,
    differences: Vec<Difference>,
}

pub(super) fn run(args: &DriftArgs, output: &Output) -> Result<Exit, CommandError> {
    let loaded = specs::load(&specs::files(&args.specs));
    let all = live::block_on(fleet::side_by_side(loaded.iter().map(|one| seen(one, output))))?;
    for error in all.iter().filter_map(|one| one.as_ref().err()) {
        output.error(error);
    }
    let exits: Vec<Exit> = all.iter().map(|one| exit(args, one)).collect();
    let worst = exits.iter().fold(Exit::Done, |worst, exit| worst.worse(*exit));
    let ended: Vec<Ended<'_>> = loaded
        .iter()
        .zip(&all)
        .zip(exits)
        .map(|((loaded, seen), exit)| (loaded, seen, exit))
        .collect();
    Ok(match args.format {
        DriftFormat::Text => output.screen(&texts(&ended, output.width), worst),
        DriftFormat::Json => output.raw(&documents(&ended, worst, output.width), worst),
        DriftFormat::Markdown => output.raw(&comment(&reviewed(&ended, output.width)), worst),
        DriftFormat::Html => output.raw(&html(&reviewed(&ended, output.width)), worst),
        DriftFormat::Github => forge::github(&reviewed(&ended, output.width), worst, output),
        DriftFormat::Junit => output.raw(&junit("drift", &reviewed(&ended, output.width)), worst),
    })
}

/// What the command comes to for one spec.
fn exit(args: &DriftArgs, seen: &Result<Box<Seen>, CommandError>) -> Exit {
    let seen = match seen {
        Ok(seen) => seen,
        Err(error) => return error.exit(),
    };
    let least = match args.fail_on {
        FailOn::Warning => DriftSeverity::Warning,
        FailOn::Drift => DriftSeverity::Drift,
    };
    let fails = seen.differences.iter().any(|one| one.severity() >= least);
    if fails { Exit::Differences } else { Exit::Done }
}

/// Looks at the ensemble of a spec, and reads its journal; nothing is changed.
async fn seen(loaded: &Loaded, output: &Output) -> Result<Box<Seen>, CommandError> {
    let spec = loaded.spec.as_ref().map_err(Clone::clone)?;
    let target = &spec.to_target();
    let port = live::servers(target, &Named::of(target, None))?;
    let not_seen = |error| {
        let reached = Reached::by(&spec.connect);
        let screen = unreachable::screen(&spec.ensemble, &error, reached, output.width);
        CommandError::of_look(&error, screen)
    };
    let observation = match observe_confirmed(&port, &Question::of(target)).await {
        Ok(seen) => seen,
        Err(error) => return Err(not_seen(retired::named(&port, target, error).await)),
    };
    let mut facts = Facts::of(&observation, target);
    let accepts = Some(Accepts::of(&[], spec));
    let open = journal::open_runs(&port, &observation, &facts, (target, accepts)).await;
    let is_read = open.is_ok();
    let OpenRuns { journal, applied, rivals, .. } = open.unwrap_or_default();
    if let Some(error) = retired::two_histories(&port, target, rivals).await {
        return Err(not_seen(error));
    }
    facts.findings.extend(journal.findings);
    facts.findings.sort();
    facts.findings.dedup();
    let applied = is_read.then_some(applied);
    let differences = differences(target, &facts, applied.as_ref());
    Ok(Box::new(Seen { observation, facts, applied, differences }))
}

type Ended<'a> = (&'a Loaded, &'a Result<Box<Seen>, CommandError>, Exit);

fn view<'a>(loaded: &'a Loaded, seen: &'a Seen, width: usize) -> Option<DriftScreen<'a>> {
    let Seen { observation, facts, applied, differences } = seen;
    Some(DriftScreen {
        ensemble: &loaded.spec.as_ref().ok()?.ensemble,
        spec: &loaded.path,
        seen: observation,
        facts,
        applied: applied.as_ref(),
        differences,
        width,
    })
}

fn row<'a>((loaded, seen, exit): &Ended<'a>) -> DriftRow<'a> {
    DriftRow {
        ensemble: loaded.ensemble(),
        spec: &loaded.path,
        differences: seen.as_ref().ok().map(|seen| &seen.differences[..]),
        exit_code: exit.code(),
    }
}

fn texts(ended: &[Ended<'_>], width: usize) -> Text {
    let mut all = Text::new();
    for (loaded, seen, _) in ended {
        if let Some(view) = seen.as_ref().ok().and_then(|seen| view(loaded, seen, width)) {
            all.section(screen(&view));
        }
    }
    if ended.len() > 1 {
        all.section(table(&ended.iter().map(row).collect::<Vec<_>>(), width));
    }
    all
}

/// What came of each spec, as a forge shows it.
fn reviewed<'a>(ended: &[Ended<'a>], width: usize) -> Vec<Reviewed<'a>> {
    let of = |(loaded, seen, exit): &Ended<'a>| {
        let view = seen.as_ref().ok().and_then(|seen| view(loaded, seen, width));
        Reviewed {
            file: &loaded.path,
            name: loaded.name(),
            ensemble: loaded.ensemble(),
            exit_code: exit.code(),
            again: format!("zkplan drift {}", words_for_shell(&loaded.path)),
            lines: loaded.lines(),
            outcome: match (view, seen) {
                (Some(view), _) => {
                    ReviewOutcome::Drift(Box::new(DriftDocument::of(&view, exit.code())))
                }
                (None, Err(error)) => ReviewOutcome::Error(Box::new(error.to_document())),
                (None, Ok(_)) => unreachable!("a spec was read before its ensemble was seen"),
            },
        }
    };
    ended.iter().map(of).collect()
}

fn documents(ended: &[Ended<'_>], worst: Exit, width: usize) -> String {
    let member = |(loaded, seen, exit): &Ended<'_>| {
        let view = seen.as_ref().ok().and_then(|seen| view(loaded, seen, width));
        let document = match (view, seen) {
            (Some(view), _) => DriftDocument::of(&view, exit.code()).to_value(),
            (None, Err(error)) => error.to_document().to_value(),
            (None, Ok(_)) => unreachable!("a spec was read before its ensemble was seen"),
        };
        FleetMember {
            spec: loaded.path.clone(),
            ensemble: loaded.ensemble().map(str::to_owned),
            exit_code: exit.code(),
            document,
        }
    };
    let members: Vec<FleetMember> = ended.iter().map(member).collect();
    fleet::document_text(FleetCommand::Drift, members, worst)
}
