//! The present state: members, joiners, other servers that answered, and the findings.

use std::collections::{BTreeMap, BTreeSet};

use super::table::{Column, Table};
use super::text::{Line, Style, Text};
use super::{findings, phrases};
use crate::model::{Server, ServerId};
use crate::observe::{
    DataProof, Facts, Finding, Level, Observation, ServerObservation, ServerStatus, Tried,
};
use crate::plan::{Acceptance, Plan};

const COLUMNS: [Column; 9] = [
    Column::numbers("id"),
    Column::words("role"),
    Column::words("mode"),
    Column::words("version"),
    Column::words("zxid"),
    Column::numbers("clients"),
    Column::words("zone"),
    Column::words("status"),
    Column::words("asked at").optional(),
];

/// How far in the lines below a row stand: behind the id.
const BELOW: usize = 4;

/// An ensemble of more servers fills a screen; of those that are well and stay as they are, it is
/// enough to know how many there are.
const MOST_ROWS: usize = 20;

/// The present state of the servers that a plan starts from; from its facts alone where no server was
/// asked for this screen.
pub(super) fn present(
    plan: &Plan,
    facts: &Facts,
    observation: Option<&Observation>,
    width: usize,
) -> Text {
    let mut uneventful = Uneventful::of(plan, facts);
    let table = match observation {
        Some(seen) => of_observation(facts, seen, &mut uneventful),
        None => of_facts(facts, &mut uneventful),
    };
    let mut text = table.to_text(width);
    text.append(uneventful.to_text(width));
    text
}

/// Servers of a large ensemble that a reader need not look at: counted, not shown.
struct Uneventful {
    /// Those that may not be left out.
    shown: Option<BTreeSet<ServerId>>,
    /// How many were left out, by what they do.
    left_out: BTreeMap<&'static str, usize>,
}

impl Uneventful {
    fn of(plan: &Plan, facts: &Facts) -> Self {
        let members = &facts.base.membership;
        let shown = (members.len() > MOST_ROWS).then(|| {
            let changed = plan.changes.iter().map(|change| change.id);
            let found = facts.findings.iter().filter_map(|finding| finding.server);
            let joining = plan.target.ids().into_iter().filter(|id| !members.contains(*id));
            changed.chain(found).chain(joining).chain(facts.leader).collect()
        });
        Self { shown, left_out: BTreeMap::new() }
    }

    /// Whether a server is left out that does this; then it is counted. One of which there is more
    /// to say never is.
    fn leaves_out(&mut self, id: ServerId, does: Option<&'static str>) -> bool {
        let Some(does) = does else { return false };
        let is_out = self.shown.as_ref().is_some_and(|shown| !shown.contains(&id));
        if is_out {
            *self.left_out.entry(does).or_default() += 1;
        }
        is_out
    }

    fn to_text(&self, width: usize) -> Text {
        let mut text = Text::new();
        if !self.left_out.is_empty() {
            let parts = self.left_out.iter().map(|(does, count)| format!("{count} {does}"));
            let more = format!("{}, and stay as they are", phrases::list(parts));
            text.paragraph("      ", Line::new(Style::Dim, more), width);
        }
        text
    }
}

/// What servers do that are well, as a word for many of them.
fn what_many_do(status: &ServerStatus) -> Option<&'static str> {
    match status {
        ServerStatus::Following => Some("more follow"),
        ServerStatus::Observing => Some("more observe"),
        ServerStatus::Assumed => Some("more are assumed to answer"),
        _ => None,
    }
}

fn of_observation(facts: &Facts, seen: &Observation, uneventful: &mut Uneventful) -> Table {
    let mut table = Table::new(COLUMNS);
    for observed in seen.servers.values() {
        if uneventful.leaves_out(observed.id, what_many_do(&observed.status)) {
            continue;
        }
        let role = match seen.config.membership.get(observed.id) {
            Some(server) => server.role.word(),
            None => "joiner",
        };
        add_server(&mut table, facts, seen, observed, role);
    }
    let missing = seen.config.membership.servers().filter(|s| !seen.servers.contains_key(&s.id));
    for server in missing {
        let id = Line::plain(server.id.to_string());
        let mut cells = vec![id, server.role.word().into()];
        cells.resize(6, Line::plain("-"));
        cells.push(zone(facts, server.id));
        cells.push(Line::new(Style::Yellow, "not asked"));
        table.row(cells);
    }
    for observed in &seen.strangers {
        add_server(&mut table, facts, seen, observed, "not a member");
    }
    for Tried { endpoint, silence } in &seen.silent_contacts {
        let mut cells = vec![Line::plain("-"), "contact".into()];
        cells.resize(6, Line::plain("-"));
        cells.extend([Line::plain(if facts.zones.is_empty() { "" } else { "-" })]);
        cells.extend([Line::new(Style::Yellow, "no answer"), Line::plain(endpoint.to_string())]);
        table.row(cells);
        let why = format!("{endpoint}: {}; in connect.servers", phrases::silence(*silence));
        table.across(BELOW, Line::new(Style::Yellow, why));
    }
    table
}

fn add_server(
    table: &mut Table,
    facts: &Facts,
    seen: &Observation,
    observed: &ServerObservation,
    role: &'static str,
) {
    let known = |text: Option<String>| Line::plain(text.unwrap_or_else(|| "-".to_owned()));
    let (word, style, more) = match observed.status {
        // It has left, or the spec of another change wants it.
        ServerStatus::FollowingWithoutVote if role == "not a member" => (
            "follows",
            Style::Yellow,
            Some(
                "it is not a member and not in the spec: it was retired, or another spec is to \
                 add it"
                    .to_owned(),
            ),
        ),
        ServerStatus::NotAsked => {
            let (word, style, more) = phrases::status(&observed.status);
            let line = seen.config.membership.get(observed.id);
            (word, style, line.and_then(no_address).or(more))
        }
        _ => phrases::status(&observed.status),
    };
    let zxid = match observed.status {
        ServerStatus::Leading => seen.leader_reached(),
        _ => observed.zxid,
    };
    table.row([
        Line::plain(observed.id.to_string()),
        Line::plain(role),
        known(observed.mode.map(|mode| mode.word().to_owned())),
        known(observed.version.map(|version| version.to_string())),
        known(zxid.map(|zxid| zxid.to_string())),
        known(observed.clients.as_ref().map(|known| known.value.count.to_string())),
        zone(facts, observed.id),
        Line::new(style, word),
        known(observed.endpoint.as_ref().map(ToString::to_string)),
    ]);
    if let Some(more) = more {
        let at = observed.endpoint.as_ref().map(|at| format!("{at}: ")).unwrap_or_default();
        table.across(BELOW, Line::new(style, format!("{at}{more}")));
    }
    if role == "joiner" && answers(&observed.status) {
        table.across(BELOW, Line::new(Style::Dim, evidence(seen, observed)));
    }
}

/// Why the line of a member leads nowhere, where it names an address that is not the server's alone.
fn no_address(line: &Server) -> Option<String> {
    let client = line.client.as_ref()?;
    if line.has_own_client_address() {
        return Some(format!(
            "its client address {client} can be reached only from its own machine; counts as down. \
             Set its secureClientPort and connect.tls in the spec"
        ));
    }
    let is_wildcard = line.peer().host.is_wildcard();
    is_wildcard.then(|| {
        format!(
            "its server line has {} and no address; counts as down. Add its client address to \
             connect.servers",
            line.peer().host
        )
    })
}

fn zone(facts: &Facts, id: ServerId) -> Line {
    let unknown = if facts.zones.is_empty() { "" } else { "-" };
    Line::plain(facts.zones.get(&id).map_or(unknown, String::as_str))
}

const fn answers(status: &ServerStatus) -> bool {
    match status {
        ServerStatus::Silent(_) | ServerStatus::NotAsked | ServerStatus::Assumed => false,
        ServerStatus::Leading
        | ServerStatus::Following
        | ServerStatus::Observing
        | ServerStatus::FollowingWithoutVote
        | ServerStatus::Behind
        | ServerStatus::OtherConfiguration
        | ServerStatus::ConfigNotInForce
        | ServerStatus::AnswersAs(_)
        | ServerStatus::IdUnknown
        | ServerStatus::Standalone
        | ServerStatus::ReadOnly
        | ServerStatus::NotServing => true,
    }
}

/// What is known of a joiner, and by whom.
fn evidence(seen: &Observation, observed: &ServerObservation) -> String {
    let id = match &observed.own_id {
        Some(known) => format!("id {} from {}", known.value, phrases::source(known.source)),
        None => "id not shown".to_owned(),
    };
    let vote = match observed.status {
        ServerStatus::FollowingWithoutVote => "follows without a vote, ",
        _ => "",
    };
    let zxid = match (observed.zxid, seen.leader_zxid) {
        (Some(own), Some(leader)) if own >= leader => "at the leader's zxid".to_owned(),
        (Some(own), Some(leader)) if own.epoch() == leader.epoch() => {
            phrases::count(leader.get() - own.get(), "transaction") + " behind the leader"
        }
        (Some(_), Some(_)) => "in an earlier epoch than the leader".to_owned(),
        _ => "zxid not comparable".to_owned(),
    };
    let port = observed.election_port.map_or("not tried", phrases::check_port);
    format!("{id}, {vote}{zxid}, {}, election port {port}", data(seen, observed))
}

/// Whether its data is the leader's, as far as one look can tell.
fn data(seen: &Observation, observed: &ServerObservation) -> String {
    let znodes = |observed: &ServerObservation| observed.data.znodes;
    let leader = seen.leader.and_then(|id| seen.servers.get(&id));
    match &observed.data.compared {
        Some(DataProof::Digest(zxid)) => return format!("data equal at zxid {zxid}"),
        Some(DataProof::Differ) => return "DATA DIFFERS".to_owned(),
        Some(DataProof::DigestDiffers(zxid)) => {
            return format!(
                "data not proven equal yet (the digest at zxid {zxid} differs; this is normal \
                 after a copy during writes; apply compares a newer one)"
            );
        }
        _ => {}
    }
    match (znodes(observed), leader.and_then(znodes)) {
        (Some(own), Some(theirs)) => format!(
            "data not compared by digest yet ({} here, {theirs} on the leader); apply checks them",
            phrases::count(own, "znode")
        ),
        _ => "data not compared yet; apply checks them".to_owned(),
    }
}

fn of_facts(facts: &Facts, uneventful: &mut Uneventful) -> Table {
    let mut table = Table::new([
        Column::numbers("id"),
        Column::words("role"),
        Column::words("zone"),
        Column::words("status"),
    ]);
    for server in facts.base.membership.servers() {
        let live = facts.live.contains(&server.id);
        let (style, status) = match (facts.assumed, live, server.votes()) {
            (true, _, _) => (Style::Yellow, "assumed"),
            _ if facts.leader == Some(server.id) => (Style::Green, "leads"),
            (false, true, true) => (Style::Green, "follows"),
            (false, true, false) => (Style::Green, "observes"),
            (false, false, _) => (Style::Red, "not seen in sync; counts as down"),
        };
        let does = match (facts.assumed, live, server.votes()) {
            (true, _, _) => what_many_do(&ServerStatus::Assumed),
            (false, true, true) => what_many_do(&ServerStatus::Following),
            (false, true, false) => what_many_do(&ServerStatus::Observing),
            (false, false, _) => None,
        };
        if uneventful.leaves_out(server.id, does) {
            continue;
        }
        table.row([
            Line::plain(server.id.to_string()),
            server.role.word().into(),
            zone(facts, server.id),
            Line::new(style, status),
        ]);
    }
    for id in facts.following.iter().filter(|id| !facts.base.membership.contains(**id)) {
        table.row([
            Line::plain(id.to_string()),
            "joiner".into(),
            zone(facts, *id),
            Line::new(Style::Green, "no vote yet"),
        ]);
    }
    table
}

/// The findings of a plan, weightiest first; nothing where there are none.
pub(super) fn findings(plan: &Plan, width: usize) -> Text {
    titled("Findings", plan, plan.facts.findings.iter().collect(), width)
}

/// The findings of a plan that was made earlier: those of `now`, where there is a look of now, and
/// those of then that are not seen any more.
pub(super) fn findings_of_then(plan: &Plan, now: Option<&Facts>, width: usize) -> Text {
    let seen_now = now.map_or(&[][..], |now| &now.findings);
    let then = plan.facts.findings.iter().filter(|finding| !seen_now.contains(finding)).collect();
    let (of_now, of_then) = match now {
        Some(_) => ("Findings", "Findings when the plan was made, not seen now"),
        None => ("", "Findings when the plan was made"),
    };
    let mut text = titled(of_now, plan, seen_now.iter().collect(), width);
    text.section(titled(of_then, plan, then, width));
    text
}

fn titled(title: &str, plan: &Plan, mut findings: Vec<&Finding>, width: usize) -> Text {
    let mut text = Text::new();
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.kind.level()), *finding));
    if findings.is_empty() {
        return text;
    }
    text.line(Line::new(Style::Bold, title));
    for (finding, sentence) in findings::findings(&findings) {
        let code = finding.kind.code();
        let level = finding.kind.level();
        let risk = Acceptance { code: code.to_owned(), step: None };
        let (word, style) = if level == Level::Accept && plan.accepted.contains(&risk) {
            ("accepted", Style::Bold)
        } else {
            phrases::level(level)
        };
        let lead =
            Line::new(style, format!("  {word:<9}  ")).then(Style::Plain, format!("{code:<5}  "));
        text.paragraph(lead, sentence, width);
    }
    text
}
