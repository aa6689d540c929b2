//! The command line: one file a command, and the one place where errors become message and exit
//! code.
//!
//! stdout carries the thing that was asked for, stderr everything else.

mod apply;
mod args;
mod assumed;
mod demo;
mod digest;
mod digest_args;
mod events;
mod exit;
mod explain;
mod history;
mod import;
mod journal;
mod live;
mod local;
mod logs;
mod output;
mod paths;
mod plan;
mod probe;
mod progress;
mod rehearse;
mod retired;
mod secret;
mod show;
mod source;
mod specs;
mod unlock;
mod validate;
mod values;
mod version;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

pub use exit::Exit;
pub use live::exit_of as exit_of_error;
pub use plan::exit_of_breaches;
pub use version::Build;

use self::args::{Cli, Command, SchemaOf};
use self::output::Output;
use self::version::VersionArgs;
use crate::document;
use crate::saved;
use crate::spec;

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
                Output::new(cli.color).error(
                    "this is a bug in zkplan",
                    "please report it with the output; zkplan history shows which steps an apply \
                     has done, and zkplan apply resumes it",
                );
                Exit::Bug
            })
        }
        Err(error) => {
            // `--version`, and beside it what does not belong there.
            let error = match version {
                Err(wrong) if error.kind() == ErrorKind::DisplayVersion => wrong,
                _ => error,
            };
            // Help is an answer; clap prints it, and errors, where they belong.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            if error.print().is_err() { Exit::Error } else { exit }
        }
    }
}

fn run(cli: &Cli) -> Exit {
    let output = Output::new(cli.color);
    if let Err((what, remedy)) = logs::begin(cli.verbose, cli.log_format) {
        output.error(&what, remedy);
        return Exit::Usage;
    }
    match &cli.command {
        Command::Validate(args) => validate::run(args, &output),
        Command::Import(args) => import::run(args, &output),
        Command::Plan(args) => plan::run(args, &output),
        Command::Show(args) => show::run(args, &output),
        Command::Rehearse(args) => rehearse::run(args, &output),
        Command::Apply(args) => apply::run(args, &output),
        Command::History(args) => history::run(args, &output),
        Command::Unlock(args) => unlock::run(args, &output),
        Command::Demo => demo::run(&output),
        Command::Digest(args) => digest::run(args, &output),
        Command::Explain(args) => explain::run(args, &output),
        Command::Schema { of } => {
            let schema = match of {
                SchemaOf::Spec => spec::schema(),
                SchemaOf::Plan => saved::schema(),
            };
            output.raw(&(document::canonical(&schema, true) + "\n"), Exit::Done)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "zkplan", &mut script);
            output.raw(&String::from_utf8_lossy(&script), Exit::Done)
        }
        Command::Man { command } => man(command.as_deref(), &output),
    }
}

/// The manual page of zkplan, or that of one of its commands.
fn man(command: Option<&str>, output: &Output) -> Exit {
    let mut all = Cli::command();
    // Commands get the names of their pages, like zkplan-plan.
    all.build();
    let of = match command {
        None => Some(all),
        Some(name) => all.find_subcommand(name).cloned(),
    };
    let Some(of) = of else {
        let what = format!("`{}` is not a command", command.unwrap_or_default());
        output.error(&what, "zkplan --help lists the commands");
        return Exit::Usage;
    };
    let mut page = Vec::new();
    match clap_mangen::Man::new(of).render(&mut page) {
        Ok(()) => output.raw(&String::from_utf8_lossy(&page), Exit::Done),
        Err(_) => Exit::Bug,
    }
}
