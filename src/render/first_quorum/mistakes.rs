//! What a restart that went wrong looks like, and its cause.

use super::super::phrases::servers;
use super::super::table::{Column, Table};
use super::super::text::{Line, Style, Text};
use crate::first_quorum::{FirstQuorum, RestartMistake};

/// Every mistake, the likely ones first: what it looks like, and its cause.
pub(super) fn table(first: &FirstQuorum, width: usize) -> Text {
    let mut text = Text::new();
    text.line(Line::new(
        Style::Bold,
        "If something is wrong after the restart (apply says what; the likely ones first)",
    ));
    let mut table = Table::new([Column::words("what is seen"), Column::words("cause")]);
    for mistake in RestartMistake::all() {
        table.row([Line::plain(short(&mistake)), Line::plain(cause(&mistake, first.id()))]);
    }
    text.append(table.to_text(width));
    text
}

fn short(mistake: &RestartMistake) -> &'static str {
    match mistake {
        RestartMistake::StandaloneAgain => "Mode: standalone",
        RestartMistake::DoesNotStart => "connection refused",
        RestartMistake::ReconfigDisabled => "leader, config empty",
        RestartMistake::NoClientPart => "leader, no client port in config",
        RestartMistake::WaitsForOthers => "not serving for long",
        RestartMistake::OtherMembers(_) => "leader, other servers in config",
        RestartMistake::OtherId(_) => "leader with another id",
        RestartMistake::DataMissing => "znodes are missing",
        RestartMistake::Follows => "Mode: follower",
    }
}

/// What a server with that id is seen to do.
pub fn looks(mistake: &RestartMistake, id: crate::model::ServerId) -> String {
    match mistake {
        RestartMistake::StandaloneAgain => {
            format!("Server {id} was restarted and runs standalone again")
        }
        RestartMistake::DoesNotStart => {
            format!("Server {id} refuses connections and does not come back")
        }
        RestartMistake::ReconfigDisabled => {
            format!("Server {id} leads, and /zookeeper/config is empty, so no reconfig is possible")
        }
        RestartMistake::NoClientPart => {
            format!("Server {id} leads, and its line in the config has no client port")
        }
        RestartMistake::WaitsForOthers => {
            format!("Server {id} runs and does not serve: it looks for a leader")
        }
        RestartMistake::OtherMembers(others) => {
            format!("Server {id} leads, and its config has {} too", servers(others))
        }
        RestartMistake::OtherId(other) => format!("A server leads with id {other}, not {id}"),
        RestartMistake::DataMissing => {
            format!("Server {id} serves, and data that it had are missing")
        }
        RestartMistake::Follows => format!("Server {id} follows another server and takes its data"),
    }
}

/// The cause, and what to do.
pub fn cause(mistake: &RestartMistake, id: crate::model::ServerId) -> String {
    match mistake {
        RestartMistake::StandaloneAgain => format!(
            "standaloneEnabled=false or the line server.{id} is missing in the zoo.cfg with which it \
             starts, or it starts with the old file. Correct zoo.cfg and restart server {id}."
        ),
        RestartMistake::DoesNotStart => format!(
            "Not started yet, or it ends at once. Look in its log: \"myid file is missing\" means no \
             myid in dataDir; \"client address for this server\" means that clientPort and the line \
             server.{id} have two numbers; \"Address already in use\" means a port is taken."
        ),
        RestartMistake::ReconfigDisabled => format!(
            "reconfigEnabled=true is missing in zoo.cfg; a JVM flag does nothing. Add the line to \
             zoo.cfg and restart server {id}."
        ),
        RestartMistake::NoClientPart => format!(
            "The line server.{id} has no ;CLIENTPORT at its end. Add it to the file that \
             dynamicConfigFile in zoo.cfg names now, and restart server {id}."
        ),
        RestartMistake::WaitsForOthers => format!(
            "If zoo.cfg has lines of other servers, it waits for them: leave only server.{id}, do not \
             start the others, and restart server {id}. If zoo.cfg has only server.{id}, it still \
             writes a snapshot of much data: wait, and do not restart it."
        ),
        RestartMistake::OtherMembers(_) => format!(
            "Server {id} was started with lines of other servers. Stop the other servers. Write \
             zoo.cfg again: your copy of it, with server.{id} as the only server line. Restart server \
             {id}."
        ),
        RestartMistake::OtherId(_) => {
            format!("myid or the line in zoo.cfg has another number. Both must be {id}.")
        }
        RestartMistake::DataMissing => format!(
            "Server {id} was started with another dataDir or dataLogDir. Stop it at once, so that no \
             client writes to it. Put the old ones back into zoo.cfg, and start it: they still have \
             its data."
        ),
        RestartMistake::Follows => format!(
            "Other servers run, and server {id} is a member of their ensemble: it copies their data. \
             Stop server {id} at once, then the others. Put your copies of its zoo.cfg, dataDir and \
             dataLogDir back, and start it alone. Without a copy delete nothing: its old log.N and \
             snapshot.N files may still be there."
        ),
    }
}
