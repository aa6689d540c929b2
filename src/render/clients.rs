//! The clients of servers that leave: who they are, what they own, and the addresses that they need.

use super::phrases;
use super::table::{Column, Table};
use super::text::{Line, Style, Text};
use crate::apply::Occupied;
use crate::apply::connect_strings::ConnectStrings;
use crate::model::{Endpoint, Millis, ServerId};
use crate::observe::{ClientSession, Clients};

/// This many clients of a server are listed; the rest is counted.
const LISTED: usize = 20;

/// Clients on servers that leave: a table of the sessions that are known, and a line for each server of
/// which there is more to say.
pub(super) fn occupied(occupied: &[Occupied], width: usize) -> Text {
    let mut table = Table::new([
        Column::words("server"),
        Column::words("client"),
        Column::words("session"),
        Column::numbers("timeout"),
        Column::words("owns"),
    ]);
    let mut has_rows = false;
    let mut more = Text::new();
    for Occupied { server, clients, came } in occupied {
        let sessions = clients.as_ref().map_or(&[][..], |clients| &clients.sessions);
        for (at, one) in sessions.iter().take(LISTED).enumerate() {
            has_rows = true;
            let id = if at == 0 { server.to_string() } else { String::new() };
            let timeout =
                one.timeout_ms.map_or_else(|| "-".to_owned(), |ms| Millis(ms).to_string());
            let cells = [id, one.from.clone(), format!("0x{:x}", one.id), timeout, owns(one)];
            table.row(cells.map(Line::plain));
        }
        if let Some(said) = beside_the_table(*server, clients.as_ref(), *came) {
            more.paragraph(Line::plain(format!("  server {server}  ")), said, width);
        }
    }
    let mut text = Text::new();
    if has_rows {
        text.append(table.to_text(width));
    }
    text.append(more);
    text
}

/// What a table of sessions does not show.
fn beside_the_table(server: ServerId, clients: Option<&Clients>, came: u64) -> Option<String> {
    let Some(Clients { count, sessions }) = clients else {
        return Some("does not show which clients are connected".to_owned());
    };
    let unlisted = sessions.len().saturating_sub(LISTED);
    if *count == 0 && came > 0 {
        let came = phrases::count(came, "session");
        return Some(format!("no client now, but {came} came and went while zkplan watched"));
    }
    if sessions.is_empty() {
        let count = phrases::count(*count, "client");
        return Some(format!(
            "{count} (add cons to 4lw.commands.whitelist of server {server} to see which)"
        ));
    }
    (unlisted > 0).then(|| format!("and {unlisted} more"))
}

/// What a session owns: the first of its ephemeral znodes, by the name of its owner where the path
/// shows one.
fn owns(session: &ClientSession) -> String {
    let named = session.owns.iter().find_map(|path| Some((owner(path)?, path)));
    let (what, shown) = match (named, session.owns.first()) {
        (Some((owner, path)), _) => (format!("{owner} ({path})"), 1),
        (None, Some(path)) => (path.clone(), 1),
        (None, None) => ("-".to_owned(), 0),
    };
    match session.owns.len() - shown {
        0 => what,
        more => format!("{what} and {more} more"),
    }
}

/// The owner of an ephemeral znode, where a well-known program makes such a path.
fn owner(path: &str) -> Option<String> {
    let (parent, name) = path.rsplit_once('/')?;
    let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    if parent.ends_with("/brokers/ids") && is_number {
        return Some(format!("Kafka broker {name}"));
    }
    if parent.ends_with("/live_nodes") {
        return Some("Solr node".to_owned());
    }
    if parent.ends_with("/hbase/rs") {
        return Some("HBase region server".to_owned());
    }
    // Curator's protection puts an id of its own before the name.
    let is_of = |kind: &str| name.contains(kind);
    if is_of("-latch-") {
        return Some("leader latch".to_owned());
    }
    // Curator and go-zookeeper; kazoo; Curator's locks for readers and one writer.
    let is_lock =
        ["-lock-", "__lock__", "__rlock__", "__READ__", "__WRIT__"].into_iter().any(is_of);
    is_lock.then(|| "lock".to_owned())
}

/// The connect strings that clients need, each on one line, to be copied.
pub(super) fn connect_strings(strings: &ConnectStrings, width: usize) -> Text {
    let mut text = Text::new();
    let ConnectStrings { afterwards, leaving, unknown } = strings;
    if afterwards.is_empty() {
        return text;
    }
    let joined = |all: &mut dyn Iterator<Item = &Endpoint>| {
        let all: Vec<String> = all.map(ToString::to_string).collect();
        all.join(",")
    };
    if !leaving.is_empty() {
        let both = joined(&mut leaving.iter().chain(afterwards));
        text.line(Line::plain("  connect string for now:").then(Style::Cyan, format!("  {both}")));
    }
    let after = joined(&mut afterwards.iter());
    text.line(Line::plain("  connect string afterwards:").then(Style::Cyan, format!("  {after}")));
    if !unknown.is_empty() {
        let said = format!("The client address of {} is not known", phrases::servers(unknown));
        text.paragraph("  ", said, width);
    }
    text.paragraph("  ", "Kinds of clients, and what each needs: zkplan explain clients", width);
    text
}

/// What becomes of clients that do not have the new addresses.
pub(super) fn no_way_back(leaving: &[ServerId]) -> String {
    let (who, last, them, old) = match leaving {
        [one] => (format!("server {one}"), "it stops", "it", "its old address"),
        all => (phrases::servers(all), "the last of them stops", "them", "an old address"),
    };
    format!(
        "A client that knows only {who} loses its session, and its locks, when {last}. Do not start \
         {them} again for such clients: point {old} to a new server."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: u64, owns: &[&str]) -> ClientSession {
        ClientSession {
            from: format!("10.0.0.9:5000{number}"),
            id: 0x1000_0000_0000_0000 + number,
            timeout_ms: Some(15_000),
            owns: owns.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn owners_of_well_known_paths_are_named() {
        let known = [
            ("/kafka/brokers/ids/12", Some("Kafka broker 12")),
            ("/live_nodes/10.0.0.1:8983_solr", Some("Solr node")),
            ("/hbase/rs/h1,16020,1700000000000", Some("HBase region server")),
            ("/app/_c_7a-latch-0000000003", Some("leader latch")),
            ("/app/_c_7a-lock-0000000003", Some("lock")),
            ("/app/4144727b__lock__0000000003", Some("lock")),
            ("/app/_c_7a-__WRIT__0000000003", Some("lock")),
            ("/brokers/ids/x", None),
            ("plain", None),
        ];
        for (path, expected) in known {
            assert_eq!(owner(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn each_client_is_listed_with_what_it_owns() {
        let sessions =
            vec![session(1, &["/kafka/controller", "/kafka/brokers/ids/1"]), session(2, &[])];
        let id = ServerId::new(3);
        let all = [
            Occupied { server: id, clients: Some(Clients::of(sessions)), came: 0 },
            Occupied { server: id, clients: Some(Clients::counted(2)), came: 0 },
            Occupied { server: id, clients: Some(Clients::counted(0)), came: 4 },
            Occupied { server: id, clients: None, came: 0 },
        ];
        insta::assert_snapshot!(occupied(&all, 100).to_string_with(false), @"
          server  client          session             timeout  owns
          3       10.0.0.9:50001  0x1000000000000001      15s  Kafka broker 1 (/kafka/brokers/ids/1) and 1
                                                               more
                  10.0.0.9:50002  0x1000000000000002      15s  -
          server 3  2 clients (add cons to 4lw.commands.whitelist of server 3 to see which)
          server 3  no client now, but 4 sessions came and went while zkplan watched
          server 3  does not show which clients are connected
        ");
    }

    #[test]
    fn one_server_that_leaves_is_it_and_several_are_them() {
        let said = |ids: &[i64]| {
            let ids: Vec<ServerId> = ids.iter().copied().map(ServerId::new).collect();
            no_way_back(&ids)
        };
        insta::assert_snapshot!(said(&[3]), @"A client that knows only server 3 loses its session, and its locks, when it stops. Do not start it again for such clients: point its old address to a new server.");
        insta::assert_snapshot!(said(&[1, 3]), @"A client that knows only servers 1 and 3 loses its session, and its locks, when the last of them stops. Do not start them again for such clients: point an old address to a new server.");
    }

    #[test]
    fn both_connect_strings_are_shown() {
        let at = |host: &str| Endpoint::plain(crate::model::Host::new(host), 2181);
        let strings = ConnectStrings {
            afterwards: vec![at("zk4"), at("zk5")],
            leaving: vec![at("zk1"), at("zk2")],
            unknown: vec![ServerId::new(6)],
        };
        insta::assert_snapshot!(connect_strings(&strings, 100).to_string_with(false), @"
          connect string for now:  zk1:2181,zk2:2181,zk4:2181,zk5:2181
          connect string afterwards:  zk4:2181,zk5:2181
          The client address of server 6 is not known
          Kinds of clients, and what each needs: zkplan explain clients
        ");
    }
}
