//! `zkplan demo`: a real ensemble moves onto new servers while a client writes.

use std::fs;
use std::path::PathBuf;

use super::args::{AccessArgs, ApplyArgs, Approval, TextOrJson};
use super::error::{CommandError, unwritable};
use super::exit::Exit;
use super::output::Output;
use super::source::Source;
use super::{apply, live, local};
use crate::demo::{INSTALL, Stage, StageError, Writer, WriterError, WriterReport};
use crate::ensemble::{Credential, InClear, SessionTerms};
use crate::model::{Millis, ServerId};
use crate::render::{Line, Style, Text};
use crate::report::error::CommandFailure;

pub(super) fn run(output: &Output) -> Result<Exit, CommandError> {
    live::block_on(perform(output))?
}

async fn perform(output: &Output) -> Result<Exit, CommandError> {
    output.note("starting three servers of real ZooKeeper and three more to move to, on 127.0.0.1");
    let interrupts = local::interrupts();
    let below = std::env::temp_dir();
    let set = tokio::select! {
        set = Stage::set(&below) => set,
        // What was started ends with the future that started it.
        () = local::asked_to_stop(interrupts.clone(), 1) => return Ok(Exit::Stopped),
    };
    let mut stage = set.map_err(|error| not_set(&error, output))?;
    let path = stage.dir().join("demo.yaml");
    fs::write(&path, stage.spec()).map_err(|error| unwritable(path.display(), &error))?;
    let failed =
        |error: WriterError| CommandError::new(CommandFailure::DemoFailed, error.to_string());
    let writer = Writer::start(&stage.addresses()).map_err(failed)?;
    output.note("a client writes all the time; its connect string has all six addresses");
    output
        .note("the demo gives the approvals of a person, and stops servers 1, 2 and 3 at the end");
    let args = arguments(path);
    let source = Source::read(&args.file, output)?;
    let auth = Some(Credential::digest("super", stage.password(), InClear::Loopback));
    let terms = SessionTerms { timeout: source.target().connect.session_timeout, auth };
    let exit =
        Box::pin(apply::apply_with(&args, &source, Some(terms), (interrupts, output))).await?;
    if exit != Exit::Done {
        return Ok(exit);
    }
    for id in [1, 2, 3] {
        // What the report asks a person to do.
        stage.stop(ServerId::new(id));
    }
    let report = writer.finish(&stage.spares()).await.map_err(failed)?;
    let exit = if report.lost == 0 { Exit::Done } else { Exit::Error };
    let exit = output.screen(&screen(&report, output.width), exit);
    if let Err(error) = stage.strike() {
        output.note(&error.to_string());
    }
    Ok(exit)
}

fn arguments(file: PathBuf) -> ApplyArgs {
    ApplyArgs {
        file,
        auto_approve: true,
        approve: vec![Approval::Cutover],
        accept: Vec::new(),
        timeout: Millis::from_secs(60),
        lock_timeout: None,
        no_hooks: false,
        abandon: None,
        strict_version: false,
        access: AccessArgs::default(),
        events: None,
        format: TextOrJson::Text,
    }
}

fn not_set(error: &StageError, output: &Output) -> CommandError {
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
