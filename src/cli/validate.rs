//! `zkplan validate`: specs, without asking any server.

use super::args::{TextOrJson, ValidateArgs};
use super::error::CommandError;
use super::exit::Exit;
use super::output::Output;
use super::specs::{self, Loaded};
use crate::render::{Line, Style, Text, words_for_count};
use crate::spec::Spec;

pub(super) fn run(args: &ValidateArgs, output: &Output) -> Result<Exit, CommandError> {
    let loaded = specs::load(&args.specs);
    for Loaded { path, spec } in &loaded {
        for remark in spec.iter().flat_map(Spec::remarks) {
            output.note(&format!("{path}: {remark}"));
        }
    }
    if args.format == TextOrJson::Text {
        return Ok(said(&loaded, output));
    }
    let errors = loaded.into_iter().filter_map(|file| file.spec.err());
    errors.reduce(|one, other| one.and(other, output.width)).map_or(Ok(Exit::Done), Err)
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
