//! The command line: one file a command, and the one place where errors become message and exit
//! code.
//!
//! stdout carries the thing that was asked for, stderr everything else.

mod accepting;
mod access_args;
mod anonymous;
mod apply;
mod apply_args;
mod archive_error;
mod args;
mod asker;
mod assumed;
mod byte_progress;
mod client_ports;
mod data_directory;
mod demo;
mod digest;
mod digest_args;
mod drift;
mod error;
mod events;
mod exit;
mod explain;
mod file_kind;
mod first_quorum;
mod fleet;
mod forge;
mod formats;
mod history;
mod hook;
mod import;
mod joiner;
mod joiner_args;
mod joiner_check;
mod journal;
mod live;
mod local;
mod logs;
mod output;
mod paths;
mod plan;
mod plan_file;
mod plan_files;
mod plan_formats;
mod planned;
mod preflight;
mod probe;
mod progress;
mod rebase;
mod recover;
mod recover_args;
mod recover_files;
mod rehearse;
mod restart_lock;
mod retired;
mod rollback;
mod rollback_args;
mod secret;
mod server_files;
mod show;
mod shown_files;
mod signature;
mod snapshot;
mod snapshot_args;
mod snapshot_diff;
mod snapshot_pack;
mod snapshot_unpack;
mod source;
mod specs;
mod status;
mod unfinished;
mod unlock;
mod validate;
mod values;
mod version;
mod watch;
mod write_gaps;

use std::ffi::OsString;
use std::path::PathBuf;
use std::slice;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};

pub use error::{exit_of_breaches, exit_of_error};
pub use exit::Exit;
pub use version::Build;

use self::args::{
    Cli, Command, DriftFormat, Format, HistoryFormat, ShowFormat, TextOrJson, ValidateFormat,
};
use self::error::CommandError;
use self::output::Output;
use self::version::VersionArgs;
use crate::document::{self, Document as _};
use crate::report::SCHEMAS;
use crate::report::error::CommandFailure;
use crate::review::{Reviewed, comment, html, junit};

/// Runs one command line, from the program's name on.
pub fn main(arguments: impl IntoIterator<Item = OsString>, build: Build) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let version = VersionArgs::try_parse_from(&arguments);
    if let Ok(args) = &version {
        return version::run(args, build);
    }
    match Cli::try_parse_from(arguments) {
        Ok(cli) => {
            // Whatever panics has said so on stderr already.
            let ran = std::panic::catch_unwind(|| run(&cli));
            ran.unwrap_or_else(|_| {
                let bug = CommandError::new(CommandFailure::Bug, "this is a bug in zkplan").hint(
                    "please report it with the output; zkplan history shows which steps an apply \
                     has done, and zkplan apply resumes it",
                );
                fail(&cli, &bug, &Output::new(cli.color))
            })
        }
        Err(error) => {
            // `--version`, and beside it what does not belong there.
            let error = match version {
                Err(wrong) if error.kind() == ErrorKind::DisplayVersion => wrong,
                _ => with_tip(error),
            };
            // Help is an answer; clap prints it, and errors, where they belong.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            if error.print().is_err() { Exit::Error } else { exit }
        }
    }
}

/// A second `ID=FILE` behind one `--zoo-cfg` is an argument too many to clap, which cannot say why.
fn with_tip(mut error: clap::Error) -> clap::Error {
    let unknown =
        error.get(ContextKind::InvalidArg).filter(|_| error.kind() == ErrorKind::UnknownArgument);
    let file = match unknown {
        Some(ContextValue::String(text)) => {
            text.split_once('=').filter(|(id, file)| id.parse::<i64>().is_ok() && !file.is_empty())
        }
        _ => None,
    };
    if let Some((id, file)) = file {
        let tip = format!("give the flag once for each file: --zoo-cfg {id}={file}").into();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

fn run(cli: &Cli) -> Exit {
    let output = Output::new(cli.color);
    let ran = logs::begin(cli.verbose, cli.log_format).and_then(|()| command(cli, &output));
    ran.unwrap_or_else(|error| fail(cli, &error, &output))
}

/// The one place where an error of a command is printed: on stderr for people, and on stdout where
/// the answer was to be a document, or what a forge shows.
fn fail(cli: &Cli, error: &CommandError, output: &Output) -> Exit {
    output.error(error);
    let (document, exit) = (error.to_document(), error.exit());
    if is_json(&cli.command) {
        return output.raw(&document.to_text(), exit);
    }
    let Some((format, files, command)) = reviewed(&cli.command) else { return exit };
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let again = format!("zkplan {command}");
    let failed = |file| Reviewed::failed(file, specs::label_of(file), &again, document.clone());
    let failed: Vec<Reviewed<'_>> = files.iter().map(|file| failed(file)).collect();
    match format {
        Format::Markdown => output.raw(&comment(&failed), exit),
        Format::Html => output.raw(&html(&failed), exit),
        Format::Github => forge::github(&failed, exit, output),
        Format::Junit => output.raw(&junit(command, &failed), exit),
        Format::Text | Format::Json | Format::Mermaid | Format::Dot => exit,
    }
}

/// What a forge is to show of a command, of which files.
fn reviewed(command: &Command) -> Option<(Format, &[PathBuf], &'static str)> {
    match command {
        Command::Plan(args) => Some((args.format, &args.specs, "plan")),
        Command::Drift(args) => {
            let format = match args.format {
                DriftFormat::Text | DriftFormat::Json => return None,
                DriftFormat::Markdown => Format::Markdown,
                DriftFormat::Html => Format::Html,
                DriftFormat::Github => Format::Github,
                DriftFormat::Junit => Format::Junit,
            };
            Some((format, &args.specs, "drift"))
        }
        Command::Show(args) if args.format == ShowFormat::Markdown => {
            Some((Format::Markdown, slice::from_ref(&args.plan), "show"))
        }
        Command::Show(args) if args.format == ShowFormat::Html => {
            Some((Format::Html, slice::from_ref(&args.plan), "show"))
        }
        Command::History(args) if args.format == HistoryFormat::Markdown => {
            Some((Format::Markdown, slice::from_ref(&args.file), "history"))
        }
        _ => None,
    }
}

/// Whether stdout is to hold a document.
fn is_json(command: &Command) -> bool {
    match command {
        Command::Validate(args) => args.format == ValidateFormat::Json,
        Command::Preflight(args) => args.format == TextOrJson::Json,
        Command::Status(args) => args.format == TextOrJson::Json,
        Command::Drift(args) => args.format == DriftFormat::Json,
        Command::Plan(args) => args.format == Format::Json,
        Command::Rollback(args) => args.format == TextOrJson::Json,
        Command::Show(args) => args.format == ShowFormat::Json,
        Command::Rehearse(args) => args.format == TextOrJson::Json,
        Command::History(args) => args.format == HistoryFormat::Json,
        Command::Apply(args) => args.format == TextOrJson::Json,
        Command::Joiner(args) => args.format == TextOrJson::Json,
        Command::Snapshot(args) => args.command.format() == TextOrJson::Json,
        Command::Recover(args) => args.format == TextOrJson::Json,
        Command::Import(_)
        | Command::Unlock(_)
        | Command::Demo
        | Command::Digest(_)
        | Command::Explain(_)
        | Command::Schema { .. }
        | Command::Completions { .. }
        | Command::Man { .. } => false,
    }
}

fn command(cli: &Cli, output: &Output) -> Result<Exit, CommandError> {
    match &cli.command {
        Command::Validate(args) => validate::run(args, output),
        Command::Import(args) => import::run(args, output),
        Command::Preflight(args) => preflight::run(args, output),
        Command::Status(args) => status::run(args, output),
        Command::Drift(args) => drift::run(args, output),
        Command::Plan(args) => plan::run(args, output),
        Command::Rollback(args) => rollback::run(args, output),
        Command::Show(args) => show::run(args, output),
        Command::Rehearse(args) => rehearse::run(args, output),
        Command::Joiner(args) => joiner::run(args, output),
        Command::Snapshot(args) => snapshot::run(args, output),
        Command::Recover(args) => recover::run(args, output),
        Command::Apply(args) => apply::run(args, output),
        Command::History(args) => history::run(args, output),
        Command::Unlock(args) => unlock::run(args, output),
        Command::Demo => demo::run(output),
        Command::Digest(args) => digest::run(args, output),
        Command::Explain(args) => explain::run(args, output),
        Command::Schema { of } => {
            let schema = SCHEMAS.iter().find(|(name, _)| name == of);
            let (_, schema) = schema.expect("the flag takes no other name");
            Ok(output.raw(&(document::canonical(&schema(), true) + "\n"), Exit::Done))
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "zkplan", &mut script);
            Ok(output.raw(&String::from_utf8_lossy(&script), Exit::Done))
        }
        Command::Man { command } => man(command.as_deref(), output),
    }
}

/// The manual page of zkplan, or that of one of its commands.
fn man(command: Option<&str>, output: &Output) -> Result<Exit, CommandError> {
    let mut all = Cli::command();
    // Commands get the names of their pages, like zkplan-plan.
    all.build();
    let of = match command {
        None => Some(all),
        Some(name) => all.find_subcommand(name).cloned(),
    };
    let Some(of) = of else {
        let what = format!("`{}` is not a command", command.unwrap_or_default());
        return Err(
            CommandError::new(CommandFailure::Usage, what).hint("zkplan --help lists the commands")
        );
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(of)
        .render(&mut page)
        .map_err(|error| CommandError::new(CommandFailure::Bug, error.to_string()))?;
    Ok(output.raw(&String::from_utf8_lossy(&page), Exit::Done))
}
