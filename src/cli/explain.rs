//! `zkplan explain`: what a code means and what to do about it.

use super::args::ExplainArgs;
use super::exit::Exit;
use super::output::Output;
use crate::explain;
use crate::render::{Line, Style, Text};

pub(super) fn run(args: &ExplainArgs, output: &Output) -> Exit {
    let Some(code) = &args.code else {
        let mut text = Text::new();
        for (code, title) in explain::titles() {
            text.line(Line::new(Style::Cyan, format!("{code:<11}")).then(Style::Plain, title));
        }
        return output.screen(&text, Exit::Done);
    };
    if let Some(page) = explain::page(code) {
        return output.screen(&Text::preformatted(page), Exit::Done);
    }
    output.error(&format!("there is no page `{code}`"), "`zkplan explain` lists all pages");
    Exit::Usage
}
