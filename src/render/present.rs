//! The present state: members, joiners, other servers that answered, and the findings.

use std::collections::{BTreeMap, BTreeSet};

use super::table::{Column, Table};
use super::text::{Line, Style, Text};
use super::{findings, phrases};
use crate::model::{Server, ServerId};
use crate::observe::{
    DataProof, Facts, Finding, Lag, Level, Observation, ServerObservation, ServerStatus, Tried,
};
use crate::plan::{Acceptance, Plan};

/// What is said of each server beside who it is and whether it is well.
#[derive(Clone, Copy)]
enum Detail<'a> {
    /// Its last zxid.
    Zxid,
    /// How far it is behind the leader, and what a joiner lacks.
    Lag {
        /// What a server of this id lacks, where it is a joiner.
        lacks: &'a dyn Fn(ServerId) -> Option<String>,
    },
}

const fn columns(detail: Detail<'_>) -> [Column; 9] {
    [
        Column::numbers("id"),
        Column::words("role"),
        Column::words("mode"),
        Column::words("version"),
        match detail {
            Detail::Zxid => Column::words("zxid"),
            Detail::Lag { .. } => Column::numbers("lag"),
        },
        Column::numbers("clients"),
        Column::words("zone"),
        Column::words("status"),
        Column::words("address").optional(),
    ]
}

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
    let members = &facts.base.membership;
    let joining = plan.target.ids().into_iter().filter(|id| !members.contains(*id));
    let changed = plan.changes.iter().map(|change| change.id).chain(joining);
    let mut uneventful = Uneventful::of(changed, facts);
    let table = match observation {
        Some(seen) => of_observation((facts, seen), Detail::Zxid, &mut uneventful),
        None => of_facts(facts, &mut uneventful),
    };
    let mut text = table.to_text(width);
    text.append(uneventful.to_text(width));
    text
}

/// The present state of the servers with how far each is behind the leader; `lacks` is what a joiner
/// still lacks. Of a large ensemble those that are well and are not in `shown` are counted.
pub(super) fn with_lag(
    facts: &Facts,
    seen: &Observation,
    (shown, lacks): (&BTreeSet<ServerId>, &dyn Fn(ServerId) -> Option<String>),
    width: usize,
) -> Text {
    let mut uneventful = Uneventful::of(shown.iter().copied(), facts);
    let table = of_observation((facts, seen), Detail::Lag { lacks }, &mut uneventful);
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
    fn of(changed: impl Iterator<Item = ServerId>, facts: &Facts) -> Self {
        let shown = (facts.base.membership.len() > MOST_ROWS).then(|| {
            let found = facts.findings.iter().filter_map(|finding| finding.server);
            changed.chain(found).chain(facts.leader).collect()
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

fn of_observation(
    (facts, seen): (&Facts, &Observation),
    detail: Detail<'_>,
    uneventful: &mut Uneventful,
) -> Table {
    let mut table = Table::new(columns(detail));
    for observed in seen.servers.values() {
        if uneventful.leaves_out(observed.id, what_many_do(&observed.status)) {
            continue;
        }
        let role = match seen.config.membership.get(observed.id) {
            Some(server) => server.role.word(),
            None => "joiner",
        };
        add_server(&mut table, (facts, seen), (observed, role), detail);
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
        add_server(&mut table, (facts, seen), (observed, "not a member"), detail);
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
    (facts, seen): (&Facts, &Observation),
    (observed, role): (&ServerObservation, &'static str),
    detail: Detail<'_>,
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
    let figure = match (detail, &observed.status) {
        (Detail::Zxid, ServerStatus::Leading) => seen.leader_reached().map(|zxid| zxid.to_string()),
        (Detail::Zxid, _) => observed.zxid.map(|zxid| zxid.to_string()),
        (Detail::Lag { .. }, _) => lag(seen, observed),
    };
    table.row([
        Line::plain(observed.id.to_string()),
        Line::plain(role),
        known(observed.mode.map(|mode| mode.word().to_owned())),
        known(observed.version.map(|version| version.to_string())),
        known(figure),
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
    if let Detail::Lag { lacks } = detail
        && let Some(lacks) = lacks(observed.id)
    {
        table.across(BELOW, Line::new(Style::Yellow, lacks));
    }
}

/// How far a server of this ensemble is behind the leader.
fn lag(seen: &Observation, observed: &ServerObservation) -> Option<String> {
    observed.mode.filter(|mode| mode.in_ensemble())?;
    Some(match seen.lag(observed)? {
        Lag::Transactions(behind) => behind.to_string(),
        Lag::EarlierEpoch => "old epoch".to_owned(),
    })
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
        | ServerStatus::OwnFile
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
    let zxid = match seen.lag(observed) {
        Some(Lag::Transactions(0)) => "at the leader's zxid".to_owned(),
        Some(Lag::Transactions(behind)) => {
            phrases::count(behind, "transaction") + " behind the leader"
        }
        Some(Lag::EarlierEpoch) => "in an earlier epoch than the leader".to_owned(),
        None => "zxid not comparable".to_owned(),
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
        let live = facts.synced.contains(&server.id);
        let (style, status) = match (facts.assumed, live, server.votes()) {
            (true, true, _) => (Style::Yellow, "assumed up"),
            _ if facts.leader == Some(server.id) => (Style::Green, "leads"),
            (false, true, true) => (Style::Green, "follows"),
            (false, true, false) => (Style::Green, "observes"),
            (_, false, _) => (Style::Red, "not seen in sync; counts as down"),
        };
        let does = match (facts.assumed, live, server.votes()) {
            (true, true, _) => what_many_do(&ServerStatus::Assumed),
            (false, true, true) => what_many_do(&ServerStatus::Following),
            (false, true, false) => what_many_do(&ServerStatus::Observing),
            (_, false, _) => None,
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
    of_findings(plan.facts.findings.iter().collect(), &plan.accepted, width)
}

/// These findings, weightiest first, with those that are accepted marked.
pub(super) fn of_findings(findings: Vec<&Finding>, accepted: &[Acceptance], width: usize) -> Text {
    titled("Findings", accepted, findings, width)
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
    let mut text = titled(of_now, &plan.accepted, seen_now.iter().collect(), width);
    text.section(titled(of_then, &plan.accepted, then, width));
    text
}

fn titled(title: &str, accepted: &[Acceptance], mut findings: Vec<&Finding>, width: usize) -> Text {
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
        let (word, style) = if level == Level::Accept && accepted.contains(&risk) {
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
