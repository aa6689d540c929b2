//! What a data directory is, before a server is started with it.

use super::text::{Line, Style, Text};
use crate::joiner::{DataDirectory, DirectoryState, EpochVerdict, FileByZxid};

/// What is said of a data directory.
#[derive(Debug, Clone, Copy)]
pub struct DirectoryScreen<'a> {
    /// Its path, or both paths where logs are elsewhere.
    pub paths: &'a [String],
    /// What it is.
    pub directory: &'a DataDirectory,
    /// The epoch of the ensemble's leader, where it is known.
    pub leader_epoch: Option<u64>,
    /// Whether its server can follow such a leader.
    pub epoch: EpochVerdict,
    /// Columns of the terminal.
    pub width: usize,
}

/// The screen.
pub fn screen(of: &DirectoryScreen<'_>) -> Text {
    let DirectoryScreen { paths, directory, leader_epoch, epoch, width } = *of;
    let mut text = Text::new();
    let label = Line::new(Style::Bold, paths.join(" and ")).then(Style::Plain, "  ");
    let said = match directory.state {
        DirectoryState::Blank => Line::new(Style::Green, "Blank.").then(
            Style::Plain,
            " No server has used it: a joiner that starts with it copies all data.",
        ),
        DirectoryState::Used => {
            Line::new(Style::Yellow, "Used.").then(Style::Plain, " A server has run with it.")
        }
    };
    text.paragraph(label, said, width);
    for (name, value) in facts(directory) {
        text.line(Line::plain(format!("  {name:<15}  {value}")));
    }
    if directory.state == DirectoryState::Blank {
        return text;
    }
    match (epoch, leader_epoch) {
        (EpochVerdict::TooHigh, Some(leaders)) => {
            let accepted = directory.accepted_epoch.unwrap_or_default();
            let why = format!(
                "It can never join: acceptedEpoch {accepted} is higher than {leaders}, the epoch of the \
                 ensemble. The server would look for a leader for ever."
            );
            text.paragraph("", Line::new(Style::Red, why), width);
        }
        (EpochVerdict::CanJoin, Some(leaders)) => {
            let why = format!(
                "Its epoch does not keep it from joining (the ensemble's is {leaders}). That its data are \
                 of this ensemble is not known: data of another one can stay beneath what is copied."
            );
            text.paragraph("", why, width);
        }
        (_, None) | (EpochVerdict::NotKnown, _) => {
            let why = "Whether its epoch lets it join is not known: add --leader-epoch N, or the spec of \
                       the ensemble.";
            text.paragraph("", why, width);
        }
    }
    let what = "What to do: if this server is a member of an ensemble or has data that you need, keep it. \
                Else stop the server, move version-2 out of the directory (of both, where logs are \
                elsewhere), and keep it until the migration is done. Then check again.";
    text.paragraph("", what, width);
    text
}

fn facts(directory: &DataDirectory) -> Vec<(&'static str, String)> {
    let none = || "none".to_owned();
    let number = |number: Option<i64>| number.map_or_else(none, |number| number.to_string());
    let file = |file: &Option<FileByZxid>| {
        file.as_ref().map_or_else(none, |file| format!("{} (zxid {})", file.name, file.zxid))
    };
    let my_id = directory.my_id.map_or_else(none, |id| id.to_string());
    let mut facts = vec![("myid", my_id)];
    if directory.state == DirectoryState::Used {
        facts.push(("acceptedEpoch", number(directory.accepted_epoch)));
        facts.push(("currentEpoch", number(directory.current_epoch)));
        facts.push(("newest snapshot", file(&directory.snapshot)));
        facts.push(("newest log", file(&directory.log)));
    }
    facts
}
