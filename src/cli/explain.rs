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
            text.line(Line::new(Style::Cyan, format!("{code:<13}")).then(Style::Plain, title));
        }
        return Ok(output.screen(&text, Exit::Done));
    };
    if let Some(page) = explain::page(code) {
        return Ok(output.screen(&Text::preformatted(page), Exit::Done));
    }
    if let Some(entry) = explain::word(code) {
        return Ok(output.screen(&Text::preformatted(&entry), Exit::Done));
    }
    let like = explain::like(code);
    let all = "`zkplan explain` lists all pages";
    let hint = match like.as_slice() {
        [] => all.to_owned(),
        pages => {
            let pages: Vec<String> =
                pages.iter().map(|page| format!("zkplan explain {page}")).collect();
            format!("did you mean {}? {all}", pages.join(", or "))
        }
    };
    let what = format!("there is no page `{code}`");
    Err(CommandError::new(CommandFailure::Usage, what).hint(hint))
}
