//! The way out: stdout and stderr, colour, width.

use std::io::{self, IsTerminal, Write as _};

use super::args::Color;
use super::error::{CommandError, unwritable};
use super::exit::Exit;
use crate::render::{Line, Style, Text};

/// Columns where there is no terminal to ask.
const DEFAULT_WIDTH: usize = 100;

/// Columns for which screens are laid out: narrower ones are broken by the terminal.
const WIDTHS: std::ops::RangeInclusive<usize> = 60..=200;

/// The way out.
#[derive(Clone)]
pub(super) struct Output {
    colour: [bool; 2],
    /// Columns for screens.
    pub(super) width: usize,
}

impl Output {
    pub(super) fn new(color: Color) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let wanted = |terminal| is_coloured(color, terminal, plain);
        let columns = || std::env::var("COLUMNS").ok()?.parse::<usize>().ok();
        let terminal = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        let width = terminal.or_else(columns);
        Self {
            colour: [wanted(io::stdout().is_terminal()), wanted(io::stderr().is_terminal())],
            width: width.unwrap_or(DEFAULT_WIDTH).clamp(*WIDTHS.start(), *WIDTHS.end()),
        }
    }

    /// Prints a screen to stdout.
    pub(super) fn screen(&self, text: &Text, exit: Exit) -> Exit {
        self.raw(&text.to_string_with(self.colour[0]), exit)
    }

    /// Prints a screen to stdout behind a control sequence.
    pub(super) fn screen_from(&self, control: &str, text: &Text, exit: Exit) -> Exit {
        self.raw(&(control.to_owned() + &text.to_string_with(self.colour[0])), exit)
    }

    /// Prints what is printable ASCII already to stdout. A reader that went away is no error.
    pub(super) fn raw(&self, text: &str, exit: Exit) -> Exit {
        match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let error = unwritable("stdout", &error);
                self.error(&error);
                error.exit()
            }
            _ => exit,
        }
    }

    /// Prints a screen to stderr. Where stderr is closed there is no reader left.
    pub(super) fn aside(&self, text: &Text) {
        let text = text.to_string_with(self.colour[1]);
        drop(io::stderr().write_all(text.as_bytes()));
    }

    /// Prints an error to stderr.
    pub(super) fn error(&self, error: &CommandError) {
        self.aside(&error.to_text(self.width));
    }

    /// Says that a wish to stop was heard.
    pub(super) fn interrupted(&self) {
        // Behind the ^C that the terminal shows.
        self.aside(&Text::preformatted("\n"));
        self.note("stopping at the next safe place; press Ctrl-C again to stop at once");
    }

    /// Prints something worth knowing to stderr.
    pub(super) fn note(&self, what: &str) {
        let mut text = Text::new();
        text.paragraph(
            Line::new(Style::Yellow, "note: "),
            Line::plain(what.to_owned()),
            self.width,
        );
        self.aside(&text);
    }
}

/// Whether a stream gets colour; `plain` is what the environment asks for.
fn is_coloured(color: Color, terminal: bool, plain: bool) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && !plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_wins_on_a_terminal_and_the_flag_over_both() {
        assert!(is_coloured(Color::Auto, true, false));
        assert!(!is_coloured(Color::Auto, true, true));
        assert!(!is_coloured(Color::Auto, false, false));
        assert!(is_coloured(Color::Always, false, true));
        assert!(!is_coloured(Color::Never, true, false));
    }
}
