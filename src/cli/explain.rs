//! `zkplan explain`: what a code means and what to do about it.

use super::args::ExplainArgs;
use super::error::CommandError;
use super::exit::Exit;
use super::output::Output;
use crate::explain;
use crate::render::{Line, Style, Text};
use crate::report::error::CommandFailure;

pub(super) fn run(args: &ExplainArgs, output: &Output) -> Result<Exit, CommandError> {
    let Some(code) = &args.code else {
        let mut text = Text::new();
        for (code, title) in explain::titles() {
            text.line(Line::new(Style::Cyan, format!("{code:<11}")).then(Style::Plain, title));
        }
        return Ok(output.screen(&text, Exit::Done));
    };
    if let Some(page) = explain::page(code) {
        return Ok(output.screen(&Text::preformatted(page), Exit::Done));
    }
    Err(CommandError::new(CommandFailure::Usage, format!("there is no page `{code}`"))
        .hint("`zkplan explain` lists all pages"))
}
