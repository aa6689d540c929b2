//! Complaints about a spec, as they are laid out already, with the colours of every other screen.

use super::text::{Line, Style, Text};

/// The complaints that [`crate::spec::SpecErrors::render`] has laid out.
pub fn complaints(rendered: &str) -> Text {
    let mut text = Text::new();
    for (at, line) in rendered.lines().enumerate() {
        text.line(Line::new(style(at, line), line));
    }
    text
}

/// What is wrong, the place, and the remedy each have a mark in front (`GraphicalTheme::none`).
fn style(at: usize, line: &str) -> Style {
    let inside = line.trim_start();
    if at == 0 {
        Style::Bold
    } else if line.starts_with("  x ") {
        Style::Red
    } else if line.starts_with("  help: ") {
        Style::Cyan
    } else if inside.starts_with(",-[") || inside.starts_with("`----") {
        Style::Dim
    } else if inside.starts_with(": ") {
        Style::Yellow
    } else {
        Style::Plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;

    #[test]
    fn a_terminal_shows_what_is_wrong_and_the_remedy_in_colour() {
        let errors = spec::parse("f.yaml", "apiVersion: zkplan/v1\nensmble: x\n").unwrap_err();
        let rendered = errors.render();
        let text = complaints(&rendered);
        assert_eq!(text.to_string_with(false), rendered, "the words stay as they are");
        let coloured = text.to_string_with(true);
        assert!(coloured.contains("\u{1b}[31m  x "), "{coloured}");
        assert!(coloured.contains("\u{1b}[36m  help: "), "{coloured}");
    }
}
