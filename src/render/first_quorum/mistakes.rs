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
        "If it comes back otherwise (apply says which; the likely ones first)",
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
             starts, or the old file is in its place. Mend it and restart it."
        ),
        RestartMistake::DoesNotStart => format!(
            "Not started yet, or it ends at once. Look in its log: \"myid file is missing\" means no \
             myid in dataDir; \"client address for this server\" means that clientPort and the line \
             server.{id} have two numbers; \"Address already in use\" means a port is taken."
        ),
        RestartMistake::ReconfigDisabled => {
            "reconfigEnabled=true is missing in zoo.cfg. As a JVM flag it does nothing. Add it and \
             restart it."
                .to_owned()
        }
        RestartMistake::NoClientPart => format!(
            "The line server.{id} has no ;CLIENTPORT at its end. Add it to the file that \
             dynamicConfigFile in zoo.cfg names now, and restart it."
        ),
        RestartMistake::WaitsForOthers => format!(
            "zoo.cfg has lines of other servers, and it waits for them; or it still writes a snapshot \
             of much data. Leave only server.{id}, do not start the others, and restart it."
        ),
        RestartMistake::OtherMembers(_) => {
            format!("zoo.cfg has lines of other servers. Leave only server.{id} and restart it.")
        }
        RestartMistake::OtherId(_) => {
            format!("myid or the line in zoo.cfg has another number. Both must be {id}.")
        }
        RestartMistake::DataMissing => {
            "Another dataDir or dataLogDir than before: stop it, and put the old ones back into \
             zoo.cfg. Its data are still there. Let no client write before."
                .to_owned()
        }
        RestartMistake::Follows => {
            "Other servers run with a membership that has it. Stop it at once, stop the others, and put \
             its copy of dataDir back."
                .to_owned()
        }
    }
}
