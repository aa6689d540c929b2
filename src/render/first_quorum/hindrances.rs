//! What is in the way of the restart, and what to do about it.

use super::super::phrases::list;
use super::super::text::{Line, Style, Text};
use crate::first_quorum::{Hindrance, WantedState};
use crate::model::{Endpoint, ServerId};

/// All that is in the way.
pub(super) fn hindrances(
    all: &[Hindrance],
    (ensemble, reached): (&str, &Endpoint),
    width: usize,
) -> Text {
    let mut text = Text::new();
    let title = format!("It cannot become the first voter of {ensemble} now");
    text.line(Line::new(Style::Red, title));
    for one in all {
        text.paragraph("  - ", sentence(one, reached), width);
        text.paragraph("    ", Line::new(Style::Dim, remedy(one)), width);
    }
    text
}

/// What is in the way of the restart of the server at that address.
pub fn sentence(hindrance: &Hindrance, reached: &Endpoint) -> String {
    match hindrance {
        Hindrance::NoSpec => {
            "There is no spec, so its id and its addresses as a member are not known.".to_owned()
        }
        Hindrance::NotInSpec { asked } => {
            let asked: Vec<String> = asked.iter().map(|(id, at)| format!("{id} at {at}")).collect();
            format!(
                "The spec has no server at an address where it answers: {reached} is the client \
                 address of none, and no standalone server answers at those of the spec ({}).",
                asked.join(", ")
            )
        }
        Hindrance::OtherServer { server, at } => format!(
            "Two standalone servers answer: one at {reached}, and one at {at}, where the spec wants \
             server {server}. zkplan does not guess which one has your data."
        ),
        Hindrance::SeveralStandalone(ids) => format!(
            "Servers {} of the spec run standalone, each with data of its own. Only one can be the \
             first voter; the data of the others are not taken over.",
            list(ids)
        ),
        Hindrance::OthersRun(running) => format!(
            "Other servers of the spec run already: {}. If they have the lines of all servers, they \
             can elect each other with empty data. If the server at {reached} then starts with the \
             lines of all servers, it copies their data and loses its own.",
            doing(running)
        ),
        Hindrance::NotParticipant(id) => {
            format!(
                "The spec wants server {id} as observer. The first voter must be a participant."
            )
        }
        Hindrance::NoClientPort(id) => format!(
            "The spec gives server {id} no plain client port. Without it the line has no client part, \
             and no reconfig of this server is possible later."
        ),
        Hindrance::PortTaken(id, port) => format!(
            "A process listens on port {port} of server {id} already. The server needs it for other \
             servers."
        ),
        Hindrance::OtherClientPort { file, spec } => format!(
            "zoo.cfg has clientPort={file}, and the spec {spec}. With two numbers the server does not \
             start."
        ),
        Hindrance::OtherClientAddress { file, spec } => format!(
            "zoo.cfg has clientPortAddress={file}, and the client address of the spec is {spec}. With \
             two addresses the server does not start."
        ),
        Hindrance::MembersInFile(keys) => format!(
            "The zoo.cfg that was given has {}: it is the file of a member, not that of a standalone \
             server.",
            list(keys)
        ),
        Hindrance::Malformed(why) => format!("No server reads the zoo.cfg that was given: {why}."),
    }
}

fn remedy(hindrance: &Hindrance) -> &'static str {
    match hindrance {
        Hindrance::NoSpec => {
            "Write a spec with this server as participant, and with the servers to add: zkplan \
             explain first-quorum has one."
        }
        Hindrance::NotInSpec { .. } => {
            "Give the server in the spec a host and a clientPort at which it answers. Clients and \
             the other servers will use that host."
        }
        Hindrance::OtherServer { .. } => {
            "Stop the one that has none of your data, or give the address of the right one in \
             connect.servers and in its line of the spec."
        }
        Hindrance::SeveralStandalone(_) => {
            "Stop all but the one whose data you keep. The others start later with an empty dataDir."
        }
        Hindrance::OthersRun(_) => {
            "Was the standalone server a member together with these servers before? If so, stop nothing \
             and delete nothing: put its server lines back into its zoo.cfg and restart it. If not, and \
             the others are new: stop them, and move version-2 out of their dataDir and dataLogDir (keep \
             it). They start later, with the files that zkplan shows then."
        }
        Hindrance::NotParticipant(_) => "Give it role: participant.",
        Hindrance::NoClientPort(_) => "Give it a clientPort in the spec.",
        Hindrance::PortTaken(..) => {
            "Give the server other quorumPort and electionPort in the spec, or stop that process."
        }
        Hindrance::OtherClientPort { .. } => {
            "Clients keep the number of zoo.cfg: write it into the spec."
        }
        Hindrance::OtherClientAddress { .. } => {
            "Write the line of the server with that client address: server.1=HOST:2888:3888;ADDRESS:PORT."
        }
        Hindrance::MembersInFile(_) => {
            "Give the zoo.cfg with which the server runs now. If it was a member before, put its server \
             lines back instead, and do not make a first quorum."
        }
        Hindrance::Malformed(_) => "Correct the file. The server does not start with it.",
    }
}

/// Which servers do what, like `server 2 leads, and server 3 follows`.
fn doing<'a>(running: impl IntoIterator<Item = (&'a ServerId, &'a WantedState)>) -> String {
    list(running.into_iter().map(|(id, beside)| format!("server {id} {}", does(*beside))))
}

fn does(beside: WantedState) -> String {
    match beside {
        WantedState::Down => "is down".to_owned(),
        WantedState::Unknown(_) | WantedState::NotAsked => "may run".to_owned(),
        WantedState::Standalone => "runs standalone".to_owned(),
        WantedState::Looks => "runs and looks for a leader".to_owned(),
        WantedState::Serves(mode) => format!("serves as {}", mode.word()),
        WantedState::Runs => "runs".to_owned(),
    }
}
