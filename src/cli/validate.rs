//! `zkplan validate`: specs, without asking any server.

use std::collections::BTreeMap;

use super::args::{ValidateArgs, ValidateFormat};
use super::error::CommandError;
use super::exit::Exit;
use super::forge;
use super::output::Output;
use super::specs::{self, Loaded};
use crate::render::{Line, Style, Text, words_for_count, words_for_shell};
use crate::review::{ReviewOutcome, Reviewed, junit};
use crate::spec::Spec;

pub(super) fn run(args: &ValidateArgs, output: &Output) -> Result<Exit, CommandError> {
    let loaded = specs::load(&specs::files(&args.specs));
    for Loaded { path, spec } in &loaded {
        for remark in spec.iter().flat_map(Spec::remarks) {
            output.note(&format!("{path}: {remark}"));
        }
    }
    let exits =
        loaded.iter().map(|file| file.spec.as_ref().err().map_or(Exit::Done, CommandError::exit));
    let exit = exits.fold(Exit::Done, Exit::worse);
    Ok(match args.format {
        ValidateFormat::Text => said(&loaded, output),
        ValidateFormat::Json => {
            let errors = loaded.into_iter().filter_map(|file| file.spec.err());
            let all = errors.reduce(|one, other| one.and(other, output.width));
            return all.map_or(Ok(Exit::Done), Err);
        }
        ValidateFormat::Github => forge::github(&reviewed(&loaded, output), exit, output),
        ValidateFormat::Junit => output.raw(&junit("validate", &reviewed(&loaded, output)), exit),
    })
}

/// Which specs are valid, for forges; what is wrong with the others is said to people, too.
fn reviewed<'a>(loaded: &'a [Loaded], output: &Output) -> Vec<Reviewed<'a>> {
    let of = |file: &'a Loaded| match &file.spec {
        Ok(spec) => Reviewed {
            file: &file.path,
            name: spec.ensemble.clone(),
            ensemble: Some(&spec.ensemble),
            exit_code: Exit::Done.code(),
            again: format!("zkplan validate {}", words_for_shell(&file.path)),
            lines: BTreeMap::new(),
            outcome: ReviewOutcome::Valid,
        },
        Err(error) => {
            output.error(error);
            let label = specs::label_of(&file.path);
            Reviewed::failed(&file.path, label, "zkplan validate", error.to_document())
        }
    };
    loaded.iter().map(of).collect()
}

/// Says what is wrong with each file, and lists which are valid.
fn said(loaded: &[Loaded], output: &Output) -> Exit {
    let mut worst = Exit::Done;
    let mut text = Text::new();
    for file in loaded {
        match &file.spec {
            Ok(spec) => {
                let voters = spec.membership().voters().len();
                let observers = words_for_count(spec.servers.len() - voters, "observer");
                let voters = words_for_count(voters, "voter");
                text.line(Line::new(Style::Green, "valid").then(
                    Style::Plain,
                    format!("  {}  ensemble {}, {voters}, {observers}", file.path, spec.ensemble),
                ));
            }
            Err(error) => {
                output.error(error);
                worst = worst.worse(error.exit());
                let word = if error.exit() == Exit::Data { "wrong" } else { "not read" };
                text.line(
                    Line::new(Style::Red, word).then(Style::Plain, format!("  {}", file.path)),
                );
            }
        }
    }
    output.screen(&text, worst)
}
