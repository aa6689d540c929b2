//! The one error of commands. [`super::run`] prints it once, and only here does it get its exit code.

use std::fmt::Display;
use std::io;

use super::exit::Exit;
use crate::apply::Outcome;
use crate::check::{Breach, BreachKind, Law};
use crate::observe::{ObserveError, Obstacle};
use crate::render::ends::{self, EndScreen};
use crate::render::{Line, Style, Text};
use crate::report::clients::ServerClients;
use crate::report::error::{CommandFailure, ErrorDocument, ErrorKind, FilePlace};

/// Why a command does not do what was asked.
#[derive(Debug, Clone)]
pub(super) struct CommandError {
    code: CommandFailure,
    /// One sentence.
    pub(super) message: String,
    hints: Vec<String>,
    places: Vec<FilePlace>,
    /// The clients that hold a gate shut.
    clients: Box<[ServerClients]>,
    /// What people read, where that is more than the sentence and the hints.
    screen: Option<Text>,
}

impl CommandError {
    /// An error of one sentence.
    pub(super) fn new(code: CommandFailure, message: impl Into<String>) -> Self {
        let message = message.into();
        let (hints, places, clients) = (Vec::new(), Vec::new(), Box::default());
        Self { code, message, hints, places, clients, screen: None }
    }

    /// The same, with what to do about it; an empty hint is none.
    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        if !hint.is_empty() {
            self.hints.push(hint);
        }
        self
    }

    /// The same, with the places that are wrong.
    #[must_use]
    pub(super) fn at(mut self, places: Vec<FilePlace>) -> Self {
        self.places = places;
        self
    }

    /// The same, which people read as this screen.
    #[must_use]
    pub(super) fn shown_as(mut self, screen: Text) -> Self {
        self.screen = Some(screen);
        self
    }

    /// Both at once, where many files are wrong: the code is that of the graver one.
    #[must_use]
    pub(super) fn and(self, other: Self, width: usize) -> Self {
        let mut screen = self.to_text(width);
        screen.section(other.to_text(width));
        let is_graver = self.exit().worse(other.exit()) != self.exit();
        let code = if is_graver { other.code } else { self.code };
        let message = format!("{}; {}", self.message, other.message);
        let mut hints = self.hints;
        for hint in other.hints {
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
        let places = self.places.into_iter().chain(other.places).collect();
        let clients = self.clients.into_vec().into_iter().chain(other.clients).collect();
        Self { code, message, hints, places, clients, screen: Some(screen) }
    }

    /// What a failed look at the ensemble is shown as, and means.
    pub(super) fn of_look(error: &ObserveError, screen: Text) -> Self {
        Self::new(CommandFailure::of_look(error), error.to_string()).shown_as(screen)
    }

    /// What breaches that stand against a plan are shown as, and mean.
    pub(super) fn of_breaches(breaches: &[Breach], screen: Text) -> Self {
        Self::new(of_breaches(breaches), "no plan keeps the safety rules").shown_as(screen)
    }

    /// What the end of an apply is shown as, and means.
    pub(super) fn of_end(end: &EndScreen<'_>) -> Self {
        let code = CommandFailure::of_end(end.end).unwrap_or(CommandFailure::Bug);
        let screen = ends::screen(end);
        let message = screen.to_string_with(false).trim_end().to_owned();
        let error = Self::new(code, message).hint(ends::next_command(end).unwrap_or_default());
        Self { clients: ServerClients::at_gate(end.end).into(), ..error }.shown_as(screen)
    }

    /// Whether it is of that code.
    pub(super) fn is(&self, code: CommandFailure) -> bool {
        self.code == code
    }

    /// The exit code of the command.
    pub(super) const fn exit(&self) -> Exit {
        exit_of(self.code.kind())
    }

    /// What people read.
    pub(super) fn to_text(&self, width: usize) -> Text {
        self.screen.clone().unwrap_or_else(|| sentence(&self.message, &self.hints, width))
    }

    /// What machines read.
    pub(super) fn to_document(&self) -> ErrorDocument {
        let shown = self.screen.as_ref().map(|screen| screen.to_string_with(false));
        let text = shown.map_or_else(|| self.message.clone(), |shown| shown.trim_end().to_owned());
        ErrorDocument {
            code: self.code,
            kind: self.code.kind(),
            text,
            places: self.places.clone(),
            clients: self.clients.to_vec(),
            hints: self.hints.clone(),
            is_retryable: self.code.is_retryable(),
            exit_code: self.exit().code(),
        }
    }
}

/// A file or stream that cannot be written.
pub(super) fn unwritable(what: impl Display, error: &io::Error) -> CommandError {
    CommandError::new(CommandFailure::IoFailed, format!("{what} cannot be written: {error}"))
}

/// This machine gives no random numbers.
pub(super) fn no_randomness() -> CommandError {
    CommandError::new(CommandFailure::IoFailed, "this machine gives no random numbers")
}

/// The operator interrupted before anything was sent.
pub(super) fn interrupted() -> CommandError {
    CommandError::new(CommandFailure::Interrupted, "interrupted; nothing was changed")
}

/// An error of one sentence and what to do about it, as people read it.
pub(super) fn sentence(message: &str, hints: &[String], width: usize) -> Text {
    let mut text = Text::new();
    text.paragraph(Line::new(Style::Red, "error: "), Line::plain(message.to_owned()), width);
    for hint in hints {
        text.paragraph(Line::new(Style::Cyan, "help: "), Line::plain(hint.clone()), width);
    }
    text
}

/// The command that comes next, on a line of its own, as it is typed.
pub(super) fn next(command: &str) -> Text {
    let mut text = Text::new();
    text.line(Line::plain("Next: ").then(Style::Cyan, command.to_owned()));
    text
}

/// The exit code of a kind.
const fn exit_of(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::Error => Exit::Error,
        ErrorKind::Unsafe => Exit::Unsafe,
        ErrorKind::NotApproved => Exit::NotApproved,
        ErrorKind::Stale => Exit::Stale,
        ErrorKind::Locked => Exit::Locked,
        ErrorKind::Stopped => Exit::Stopped,
        ErrorKind::TimedOut => Exit::RanOut,
        ErrorKind::Unreachable => Exit::Unreachable,
        ErrorKind::Usage => Exit::Usage,
        ErrorKind::Data => Exit::Data,
        ErrorKind::Bug => Exit::Bug,
    }
}

/// The exit code of an ensemble that cannot be planned for.
pub const fn exit_of_error(error: &ObserveError) -> Exit {
    exit_of(CommandFailure::of_look(error).kind())
}

/// The exit code of breaches that stand against a plan.
pub fn exit_of_breaches(breaches: &[Breach]) -> Exit {
    exit_of(of_breaches(breaches).kind())
}

/// The exit code of the end of an apply.
pub(super) const fn exit_of_end(end: &Outcome) -> Exit {
    match CommandFailure::of_end(end) {
        Some(code) => exit_of(code.kind()),
        None => Exit::Done,
    }
}

/// The gravest of what breaches mean.
fn of_breaches(breaches: &[Breach]) -> CommandFailure {
    let codes = breaches.iter().map(|breach| match (breach.law, &breach.detail) {
        (_, BreachKind::Obstacle(Obstacle::ReconfigDisabled(_))) => {
            CommandFailure::ReconfigDisabled
        }
        (_, BreachKind::Obstacle(Obstacle::NoCommit)) => CommandFailure::NoCommit,
        (_, BreachKind::NoLiveQuorum(_)) => CommandFailure::NoQuorum,
        // A limit of what is looked at, and no mistake.
        (Law::Form, detail) if !matches!(detail, BreachKind::TooManyOrders(_)) => {
            CommandFailure::Bug
        }
        _ => CommandFailure::PlanRefused,
    });
    let graver = |one: CommandFailure, other: CommandFailure| {
        let [first, second] = [one, other].map(|code| exit_of(code.kind()));
        if first.worse(second) == first { one } else { other }
    };
    codes.fold(CommandFailure::PlanRefused, graver)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain;

    #[test]
    fn every_kind_has_an_exit_code_of_its_own_that_the_page_explains() {
        let page = explain::page("exit-codes").expect("a page");
        let mut codes: Vec<u8> = ErrorKind::ALL.map(|kind| exit_of(kind).code()).to_vec();
        for code in &codes {
            let line = format!("\n    {code:>2}  ");
            assert!(page.contains(&line), "{code} is not on the page");
        }
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ErrorKind::ALL.len());
        assert!(!codes.contains(&0), "an error is not success");
    }
}
