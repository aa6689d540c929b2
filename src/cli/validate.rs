//! `zkplan validate`: specs, without asking any server.

use super::args::ValidateArgs;
use super::exit::Exit;
use super::output::Output;
use super::specs;
use crate::render::{Line, Style, Text, words_for_count};

pub(super) fn run(args: &ValidateArgs, output: &Output) -> Exit {
    let loaded = specs::load(&args.specs, output);
    let mut worst = Exit::Done;
    let mut text = Text::new();
    for file in loaded {
        match file.spec {
            Ok(spec) => {
                for remark in spec.remarks() {
                    output.note(&format!("{}: {remark}", file.path));
                }
                let voters = spec.membership().voters().len();
                let observers = words_for_count(spec.servers.len() - voters, "observer");
                let voters = words_for_count(voters, "voter");
                text.line(Line::new(Style::Green, "valid").then(
                    Style::Plain,
                    format!("  {}  ensemble {}, {voters}, {observers}", file.path, spec.ensemble),
                ));
            }
            Err(unusable) => {
                worst = worst.worse(unusable.exit);
                let word = if unusable.exit == Exit::Data { "wrong" } else { "not read" };
                text.line(
                    Line::new(Style::Red, word).then(Style::Plain, format!("  {}", file.path)),
                );
            }
        }
    }
    output.screen(&text, worst)
}
