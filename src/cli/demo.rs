//! `zkplan demo`: a real ensemble moves onto new servers while a client writes.

use std::fs;

use clap::Parser as _;

use super::args::{ApplyArgs, Cli, Command};
use super::error::{CommandError, unwritable};
use super::exit::Exit;
use super::output::Output;
use super::{apply, live, local};
use crate::demo::{DemoEnsemble, DemoError, INSTALL, Writer, WriterError, WriterReport};
use crate::model::ServerId;
use crate::render::{Line, Style, Text};
use crate::report::error::CommandFailure;

pub(super) fn run(output: &Output) -> Result<Exit, CommandError> {
    output.note("starting three servers of real ZooKeeper and three more to move to, on 127.0.0.1");
    let Some(mut ensemble) = live::block_on(start(output))?? else { return Ok(Exit::Stopped) };
    let writer = Writer::start(&ensemble.addresses()).map_err(|error| failed(&error))?;
    output.note("a client writes all the time; its connect string has all six addresses");
    output
        .note("the demo gives the approvals of a person, and stops servers 1, 2 and 3 at the end");
    let words = command_line(&ensemble)?;
    output.note(&format!("it runs: {}", words.join(" ")));
    let exit = apply::run(&arguments(&words)?, output)?;
    if exit != Exit::Done {
        return Ok(exit);
    }
    for id in [1, 2, 3] {
        // What the report asks a person to do.
        ensemble.stop(ServerId::new(id));
    }
    let report =
        live::block_on(writer.finish(&ensemble.joiners()))?.map_err(|error| failed(&error))?;
    let exit = if report.lost == 0 { Exit::Done } else { Exit::Error };
    let exit = output.screen(&screen(&report, output.width), exit);
    if let Err(error) = ensemble.remove() {
        output.note(&error.to_string());
    }
    Ok(exit)
}

/// The ensemble; none where the operator asked to stop before it was up.
async fn start(output: &Output) -> Result<Option<DemoEnsemble>, CommandError> {
    let below = std::env::temp_dir();
    tokio::select! {
        started = DemoEnsemble::start(&below) => started.map(Some).map_err(|error| not_started(&error, output)),
        // What was started ends with the future that started it.
        () = local::asked_to_stop(local::interrupts(), 1) => Ok(None),
    }
}

fn failed(error: &WriterError) -> CommandError {
    CommandError::new(CommandFailure::DemoFailed, error.to_string())
}

/// The command of an operator who moves the ensemble. Spec and password are files in its own folder, which no other user can enter.
fn command_line(ensemble: &DemoEnsemble) -> Result<Vec<String>, CommandError> {
    let file = |name: &str, text: &str| {
        let path = ensemble.dir().join(name);
        let written = fs::write(&path, text);
        written.map_err(|error| unwritable(path.display(), &error))?;
        Ok::<_, CommandError>(path.display().to_string())
    };
    let spec = file("demo.yaml", ensemble.spec())?;
    let password = file("super.password", ensemble.password())?;
    let words = ["zkplan", "apply", &spec, "--auto-approve", "--approve", "cutover"];
    let limits = ["--timeout", "60s", "--password-file", &password];
    Ok(words.into_iter().chain(limits).map(str::to_owned).collect())
}

/// These words, read as those of every command line are.
fn arguments(words: &[String]) -> Result<ApplyArgs, CommandError> {
    match Cli::try_parse_from(words).map(|cli| cli.command) {
        Ok(Command::Apply(args)) => Ok(args),
        Ok(_) => Err(CommandError::new(CommandFailure::Bug, "the demo runs another command")),
        Err(error) => Err(CommandError::new(CommandFailure::Bug, error.to_string())),
    }
}

fn not_started(error: &DemoError, output: &Output) -> CommandError {
    let help = if error.is_not_installed() { format!("run: {INSTALL}") } else { String::new() };
    let failed = CommandError::new(CommandFailure::DemoFailed, error.to_string()).hint(help);
    let Some(log) = error.log() else { return failed };
    let mut text = failed.to_text(output.width);
    text.append(Text::preformatted(log));
    failed.shown_as(text)
}

fn screen(report: &WriterReport, width: usize) -> Text {
    let WriterReport { acknowledged, lost, longest_gap_ms, sessions } = report;
    let mut text = Text::new();
    text.gap();
    let (style, verdict) =
        if *lost == 0 { (Style::Green, "nothing was lost") } else { (Style::Red, "LOST WRITES") };
    let said = Line::new(Style::Bold, "The client: ").then(
        Style::Plain,
        format!(
            "{acknowledged} writes acknowledged, {lost} lost; longest time between two \
             acknowledgements {longest_gap_ms} ms; sessions used: {sessions}. Servers 1, 2 and 3 \
             are stopped. All writes were read back from servers 4, 5 and 6: "
        ),
    );
    text.paragraph("", said.then(style, format!("{verdict}.")), width);
    text
}
