//! A gate that is shut: what it waits for, who is there, and what a person does before it is approved.

use super::clients;
use super::text::{Line, Style, Text};
use crate::apply::connect_strings::ConnectStrings;
use crate::apply::{Occupied, Outcome};
use crate::model::ServerId;
use crate::plan::StepId;

/// The question to a person who can let a run continue.
pub fn question(end: &Outcome, width: usize) -> Text {
    let mut text = Text::new();
    let Outcome::Gate { step, approve, occupied, strings } = end else { return text };
    let what = match approve.as_str() {
        "cutover" if occupied.is_empty() => {
            "no client is connected to the servers that leave. The next steps remove these \
             servers. Have you changed the clients' connect strings?"
                .to_owned()
        }
        "cutover" => {
            "clients are still connected to servers that leave. The next steps remove these \
             servers. Have the clients moved?"
                .to_owned()
        }
        "stop" => {
            "clients are still connected to the server that is to be stopped. The next step stops \
             it and cuts them off."
                .to_owned()
        }
        _ => format!("is {} blank (no version-2)? zkplan cannot see that.", new_directory(step)),
    };
    text.paragraph(Line::new(Style::Yellow, format!("{step}: ")), what, width);
    text.append(who_is_there(occupied, strings, width));
    text
}

/// The clients that hold a gate shut, what they need, and what becomes of them without it.
pub(super) fn who_is_there(occupied: &[Occupied], strings: &ConnectStrings, width: usize) -> Text {
    let mut text = clients::occupied(occupied, width);
    if !occupied.is_empty() {
        text.append(clients::connect_strings(strings, width));
        let servers: Vec<ServerId> = occupied.iter().map(|on| on.server).collect();
        text.paragraph("  ", clients::no_way_back(&servers), width);
    }
    text
}

/// What lets clients pass that an approval of those who are there never reaches: each connection is a
/// new session.
pub(super) fn again_and_again(approve: &str, occupied: &[Occupied], again: &str) -> String {
    if approve != "cutover" || occupied.is_empty() {
        return String::new();
    }
    format!(
        ". To let all clients of one host pass, whenever they connect: {again} --approve cutover \
         --approve host-ADDRESS"
    )
}

/// What a person does before a gate is approved.
pub(super) fn before_approval(approve: &str) -> &'static str {
    match approve {
        "cutover" => "move the clients to the new servers (zkplan explain gate)",
        "stop" => {
            "move these clients to other servers. A client that knows no other server loses its session"
        }
        _ => "look on that machine: its dataDir and its dataLogDir must not have a version-2",
    }
}

/// The data directory that a machine which takes over an id starts with.
fn new_directory(step: &StepId) -> String {
    let id = step.as_str().rsplit('-').next().unwrap_or_default();
    format!("the data directory of server {id} on its new machine")
}

pub(super) fn gate(step: &StepId, approve: &str, no_clients: bool) -> String {
    match approve {
        "cutover" if no_clients => {
            format!("{step} waits for approval: confirm that the clients have moved.")
        }
        "cutover" => format!("{step} waits: clients are still connected to servers that leave."),
        "stop" => format!("{step} waits: clients are still connected to that server."),
        _ => format!(
            "{step} waits for approval: confirm that {} is blank (no version-2). zkplan cannot see that.",
            new_directory(step)
        ),
    }
}
