//! Sentences and phrases that several screens share.

use std::collections::{BTreeMap, BTreeSet};

use super::text::Style;
use super::{retired, sessions};
use crate::apply::journal::{self, IdentityText};
use crate::check::{Votes, Window};
use crate::ensemble::{ErrorCode, NoAnswer, PortState, ServerVersion, TlsFailure};
use crate::model::{Host, ServerId, VoteWeight};
use crate::observe::{
    Finding, FindingKind, Identity, Issue, JoinersRun, Level, NoDigests, NotResumed, NotShown,
    ServerStatus, Source, WithoutDigests, fixed_in,
};
use crate::plan::Acceptance;
use crate::trust::{Doubt, Unproven};

/// A set of server ids, like `{1, 2}`.
pub(super) fn set(ids: &BTreeSet<ServerId>) -> String {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    format!("{{{}}}", ids.join(", "))
}

/// Things in a row, like `1, 2 and 3`.
pub(super) fn list<T: ToString>(things: impl IntoIterator<Item = T>) -> String {
    let mut words: Vec<String> = things.into_iter().map(|thing| thing.to_string()).collect();
    match (words.pop(), words.is_empty()) {
        (None, _) => "none".to_owned(),
        (Some(only), true) => only,
        (Some(last), false) => format!("{} and {last}", words.join(", ")),
    }
}

/// Servers by id, like `server 1` or `servers 1 and 2`.
pub fn servers<'a>(ids: impl IntoIterator<Item = &'a ServerId>) -> String {
    let ids: Vec<&ServerId> = ids.into_iter().collect();
    format!("{} {}", if ids.len() == 1 { "server" } else { "servers" }, list(ids))
}

/// Who runs, at the beginning of a sentence: `Server 1 runs`, or a member where none is known.
pub(super) fn some_servers(ids: &BTreeSet<ServerId>) -> String {
    match ids.len() {
        0 => "A member runs".to_owned(),
        1 => format!("Server {} runs", list(ids)),
        _ => format!("Servers {} run", list(ids)),
    }
}

/// A number with its unit, like `1 voter` or `2 voters`.
pub(super) fn count(number: impl Into<i128>, unit: &str) -> String {
    let number = number.into();
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

/// The length of a list as a number with its unit.
pub fn count_of(number: usize, unit: &str) -> String {
    count(i128::try_from(number).unwrap_or(i128::MAX), unit)
}

/// A risk that is accepted, as it is typed.
pub fn acceptance(risk: &Acceptance) -> String {
    match &risk.step {
        Some(step) => format!("{}:{step}", risk.code),
        None => risk.code.clone(),
    }
}

/// Where a vote counts, like `group 2, weight 1`.
pub(super) fn place(place: VoteWeight) -> String {
    format!("group {}, weight {}", place.group, place.weight)
}

/// What the loss of a zone leaves.
pub(super) fn zone_loss(window: &Window) -> String {
    let Window { zone, votes } = window;
    let Votes { voters, acking, need } = votes;
    let (left, of) = (acking.len(), voters.len());
    let verb = if *need == 1 { "is" } else { "are" };
    format!("losing zone {zone} leaves {left} of {of} voters, {need} {verb} needed")
}

/// The identity of an ensemble, as short as it can still be told from others.
pub(super) fn identity(identity: &Identity) -> String {
    const TELLING: usize = 12;
    match identity {
        Identity::NoneYet => "no identity yet".to_owned(),
        Identity::Known(text) => {
            let known: Option<IdentityText> = journal::read(text.as_bytes());
            let id = known.map_or_else(|| text.clone(), |known| known.id);
            format!("identity {}", id.chars().take(TELLING).collect::<String>())
        }
    }
}

/// A path or file name as a shell takes it.
pub fn shell(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/+:=@%,".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A command as a shell takes it.
pub(super) fn command(argv: &[String]) -> String {
    let words: Vec<String> = argv.iter().map(|word| shell(word)).collect();
    words.join(" ")
}

/// Why a question got no answer.
pub(super) const fn silence(silence: NoAnswer) -> &'static str {
    match silence {
        NoAnswer::Unresolved => "the host name has no address",
        NoAnswer::Refused => "nobody listens on the port",
        NoAnswer::NoRoute => "there is no route to the host",
        NoAnswer::ConnectTimedOut => "no connection in time: down, or a firewall drops it",
        NoAnswer::AnswerTimedOut => "connected, but no answer in time: frozen or overloaded",
        NoAnswer::Closed => {
            "it closes the connection: a limit on connections (maxClientCnxns), or it does not serve"
        }
        NoAnswer::NotWhitelisted => "the word is not in its 4lw.commands.whitelist",
        NoAnswer::NotServing => "it runs and serves nobody: it looks for a leader",
        NoAnswer::Tls(failure) => tls_failure(failure),
        NoAnswer::NeedsAuth => "it enforces authentication (-124): no session without it",
        NoAnswer::AuthRefused => "it enforces authentication, and refused the SASL user",
        NoAnswer::AuthWithheld => {
            "it enforces authentication; the SASL user is not shown to an address that is not listed"
        }
        NoAnswer::Unreadable => "its answer cannot be read",
    }
}

/// Why no TLS connection came about.
const fn tls_failure(failure: TlsFailure) -> &'static str {
    match failure {
        TlsFailure::NoAuthority => "it speaks TLS, and no certificate authority is given",
        TlsFailure::UnknownAuthority => "its certificate is of no authority in the ca file",
        TlsFailure::OtherHost => "its certificate is for another host",
        TlsFailure::NotValidNow => "its certificate has expired, or is not valid yet",
        TlsFailure::Unverified => "its certificate cannot be verified",
        TlsFailure::CertificateWanted => "it wants a client certificate (ssl.clientAuth)",
        TlsFailure::CertificateRefused => "it refuses the client certificate",
        TlsFailure::CertificateExpired => "it refuses the client certificate, which has expired",
        TlsFailure::NoTls => "it speaks no TLS on this port",
        TlsFailure::Handshake => "the TLS handshake failed",
    }
}

/// What a knock on a port showed.
pub(super) const fn check_port(check_port: PortState) -> &'static str {
    match check_port {
        PortState::Open => "open",
        PortState::Refused => "closed",
        PortState::Unreachable => "unreachable",
    }
}

/// Who said something.
pub(super) const fn source(source: Source) -> &'static str {
    match source {
        Source::Conf => "conf",
        Source::Srvr => "srvr",
        Source::Mntr => "mntr",
        Source::Cons => "cons",
        Source::AdminServer => "its AdminServer",
        Source::Session => "a session on it",
    }
}

/// A standing in one or two words, its style, and what else there is to say of it.
pub(super) fn standing(standing: &ServerStatus) -> (&'static str, Style, Option<String>) {
    let told = |text: &str| Some(text.to_owned());
    match standing {
        ServerStatus::Leading => ("leads", Style::Green, None),
        ServerStatus::Following => ("follows", Style::Green, None),
        ServerStatus::Observing => ("observes", Style::Green, None),
        ServerStatus::FollowingWithoutVote => ("no vote yet", Style::Green, None),
        ServerStatus::Behind => (
            "behind",
            Style::Yellow,
            told("it has not reached the zxid that the leader had before"),
        ),
        ServerStatus::OtherConfiguration => (
            "other config",
            Style::Red,
            told("it serves with another configuration; counts as down"),
        ),
        ServerStatus::ConfigNotInForce => (
            "old config",
            Style::Red,
            told(
                "it holds the ensemble's configuration and runs with an older one: a reconfig \
                 committed while it finished its sync; counts as down until the next reconfig",
            ),
        ),
        ServerStatus::AnswersAs(id) => {
            ("other id", Style::Red, Some(format!("it answers as server {id}; counts as down")))
        }
        ServerStatus::IdUnknown => {
            ("id unknown", Style::Yellow, told("it does not say which id it has; not counted"))
        }
        ServerStatus::Standalone => {
            ("standalone", Style::Red, told("it runs alone, outside any ensemble"))
        }
        ServerStatus::ReadOnly => {
            ("read-only", Style::Red, told("it lost the ensemble; serves reads"))
        }
        ServerStatus::NotServing => {
            ("not serving", Style::Red, told(silence(NoAnswer::NotServing)))
        }
        ServerStatus::Silent(NoAnswer::Closed) => {
            ("closes", Style::Red, told(silence(NoAnswer::Closed)))
        }
        ServerStatus::Silent(why) => ("silent", Style::Red, told(silence(*why))),
        ServerStatus::NotAsked => {
            ("not asked", Style::Yellow, told("no client address of it is known; not counted"))
        }
        ServerStatus::Assumed => ("assumed", Style::Yellow, None),
    }
}

/// The word for the weight of a finding, and its style.
pub(super) const fn level(level: Level) -> (&'static str, Style) {
    match level {
        Level::Note => ("note", Style::Dim),
        Level::Warning => ("warning", Style::Yellow),
        Level::Accept => ("to accept", Style::Red),
    }
}

fn ports(ports: &[u16]) -> String {
    if ports.is_empty() { "unknown".to_owned() } else { list(ports) }
}

/// What a bug does.
const fn harm(issue: Issue) -> &'static str {
    match issue {
        Issue::Zk2014 => "whoever reaches a client port may change the members",
        Issue::Zk2080 => "a reconfig and an election can dead-lock a server",
        Issue::Zk2172 => "a learner that gets its data during a reconfig can come to an end",
        Issue::Zk2778 => "a reconfig can dead-lock a server that connects to others",
        Issue::Zk2847 => "a reconfig can shut a client port that stands in zoo.cfg alone",
        Issue::Zk3540 => "a reconfig can shut the client port of a server with Netty",
        Issue::Zk3642 => {
            "a joiner that loses its leader in the middle of its copy can end up with other data"
        }
        Issue::Zk3756 => "every dead peer holds an election up for as long as connecting may take",
        Issue::Zk3769 => "half a vote leaves a server out of elections until it is restarted",
        Issue::Zk3829 => {
            "members added by restarts, without reconfig, can leave a leader that \
                          commits nothing"
        }
        Issue::Zk3911 => "a learner can serve what was never committed and lose what was",
        Issue::Zk4394 => {
            "a server that copies data while writes commit can fail and try again, make the leader \
             step down, or lose acknowledged writes if it crashes"
        }
        Issue::Zk4689 => {
            "a server that copies data while ACLs change can lose the ACLs of znodes: they cannot be \
             read there"
        }
        Issue::Zk4708 => "a leader whose own name does not resolve never commits",
        Issue::Zk4712 => {
            "a server that changes its leader or its role may still log what it was sent before, and \
             end up with other data"
        }
        Issue::Zk4785 => "a learner that crashes while it syncs can lose acknowledged writes",
        Issue::Zk4846 => "a server that copied data while ACLs changed may fail to start again",
        Issue::Zk4925 => "a joiner can get a history with a hole, and spread it when it leads",
        Issue::Zk4925Observer => {
            "a server that observed, was promoted without a restart and leads can take acknowledged \
             writes from a server that comes back after it was down"
        }
    }
}

/// Findings as sentences, one for each fact: a bug is said once, with all servers that have it.
pub(super) fn findings<'a>(findings: &[&'a Finding]) -> Vec<(&'a Finding, String)> {
    let mut facts: Vec<(&Finding, Vec<&Finding>)> = Vec::new();
    for one in findings {
        match facts.iter_mut().find(|(first, _)| is_same_bug(first, one)) {
            Some((_, all)) => all.push(one),
            None => facts.push((one, vec![one])),
        }
    }
    let sentence = |first: &Finding, all: &[&Finding]| match &first.kind {
        FindingKind::KnownBug { issue, .. } => known_bug(*issue, all),
        _ => finding(first),
    };
    facts.into_iter().map(|(first, all)| (first, sentence(first, &all))).collect()
}

fn is_same_bug(one: &Finding, other: &Finding) -> bool {
    match (&one.kind, &other.kind) {
        (FindingKind::KnownBug { issue, .. }, FindingKind::KnownBug { issue: same, .. }) => {
            issue == same
        }
        _ => false,
    }
}

/// Who runs releases with a bug, what that does, and where it is fixed.
fn known_bug(issue: Issue, findings: &[&Finding]) -> String {
    let mut releases: BTreeMap<ServerVersion, Option<BTreeSet<ServerId>>> = BTreeMap::new();
    for finding in findings {
        let FindingKind::KnownBug { version, .. } = finding.kind else { continue };
        match (releases.entry(version).or_insert_with(|| Some(BTreeSet::new())), finding.server) {
            (Some(servers), Some(id)) => drop(servers.insert(id)),
            (all, None) => *all = None,
            (None, Some(_)) => {}
        }
    }
    let runs = |(version, ids): (&ServerVersion, &Option<BTreeSet<ServerId>>)| match ids {
        None => format!("every server runs {version}"),
        Some(ids) => {
            let verb = if ids.len() == 1 { "runs" } else { "run" };
            format!("{} {verb} {version}", servers(ids))
        }
    };
    let who = list(releases.iter().map(runs));
    let fixed = |version: &ServerVersion| match fixed_in(issue, *version) {
        None => "no release yet".to_owned(),
        Some(release) if release.line() == version.line() => release.to_string(),
        Some(release) => {
            format!("no {}.{} release, first in {release}", version.major, version.minor)
        }
    };
    let mut fixes: Vec<String> = releases.keys().map(fixed).collect();
    fixes.dedup();
    let fixed = if fixes.len() == 1 {
        format!("fixed in {}", fixes.concat())
    } else {
        let of = |version: &ServerVersion| format!("for {version} in {}", fixed(version));
        format!("fixed {}", releases.keys().map(of).collect::<Vec<_>>().join("; "))
    };
    format!("{who}: {} ({}); {fixed}", harm(issue), issue.name())
}

/// Which minor versions are in one ensemble, now or on the way.
fn mixed_versions(lowest: ServerVersion, highest: ServerVersion, joiners: JoinersRun) -> String {
    let range = format!("{lowest} to {highest}");
    match joiners {
        JoinersRun::AsMembers => format!("members run different minor versions, {range}"),
        JoinersRun::Newer => format!(
            "servers that are to join run a newer minor version than the members: {range} until the last \
             older server has left"
        ),
        JoinersRun::Older => format!(
            "servers that are to join run an older minor version than the members, {range}: that is a \
             downgrade, which ZooKeeper does not promise to work"
        ),
        JoinersRun::Both => format!(
            "servers that are to join run older and newer minor versions than the members, {range}"
        ),
    }
}

/// Whose data no digest proves, and why.
fn judged_by_counts(joiners: &BTreeSet<ServerId>, without: &[WithoutDigests]) -> String {
    let of = |why: NoDigests| -> BTreeSet<ServerId> {
        without.iter().filter(|one| one.why == why).map(|one| one.id).collect()
    };
    let reasons = [
        (NoDigests::OldRelease, "a release before 3.6"),
        (NoDigests::NotAllowed, "hash is not in 4lw.commands.whitelist"),
        (NoDigests::SwitchedOff, "zookeeper.digest.enabled=false"),
        (NoDigests::NoAnswer, "the word hash is answered with nothing"),
    ];
    let lacking = reasons.into_iter().filter_map(|(why, says)| {
        let ids = of(why);
        (!ids.is_empty()).then(|| format!("{} ({says})", servers(&ids)))
    });
    let lacking: Vec<String> = lacking.collect();
    let why = if lacking.is_empty() {
        "no digest was listed by both".to_owned()
    } else {
        format!("no digests from {}", list(lacking))
    };
    format!(
        "the data of {} can be compared with the leader's by counts alone, which cannot prove the \
         content: {why}",
        servers(joiners)
    )
}

/// What a server's own file writes otherwise than the configuration that is shown.
fn file_differs(it: &str, lines: &BTreeSet<ServerId>, is_alike: bool) -> String {
    let lines = servers(lines);
    let more = if is_alike {
        "the address is the same. With reconfigEnabled=true the file of the first leader becomes the \
         configuration of all servers"
    } else {
        "whether the address is the same is not known"
    };
    format!("the file of {it} writes {lines} otherwise than shown here; {more}")
}

/// Where a member is wanted, and why it is not known whether that is its machine.
fn not_shown(it: &str, host: &Host, because: NotShown) -> String {
    let because = match because {
        NotShown::PresentHost => "its present host does not resolve here",
        NotShown::WantedHost => "that host does not resolve here",
        NotShown::NoAnswer => "no server that follows the leader answered there under this id",
    };
    format!("{it} is wanted at {host}; whether that is the same machine is not known: {because}")
}

fn digest_mismatches(it: &str, count: u64) -> String {
    let mismatches = match count {
        1 => "1 digest mismatch".to_owned(),
        n => format!("{n} digest mismatches"),
    };
    format!("{it} has counted {mismatches}: its data may differ")
}

/// A finding as a sentence.
pub(super) fn finding(finding: &Finding) -> String {
    let Finding { kind, server } = finding;
    let it = server.map_or_else(|| "a server".to_owned(), |id| format!("server {id}"));
    match kind {
        FindingKind::KnownBug { issue, .. } => known_bug(*issue, &[finding]),
        FindingKind::MixedVersions { lowest, highest, joiners } => {
            mixed_versions(*lowest, *highest, *joiners)
        }
        FindingKind::JudgedByCounts { joiners, without } => judged_by_counts(joiners, without),
        FindingKind::HostileName { host } => {
            format!("{it} has host `{host}`, which holds characters that no host name has")
        }
        FindingKind::WildcardHost { host } => {
            format!("{it} has quorum host {host}: the other servers connect to themselves")
        }
        FindingKind::ConfigWritten => {
            "somebody wrote to /zookeeper/config by hand; its content is not the membership"
                .to_owned()
        }
        FindingKind::QuorumPortUnreachable => {
            format!("the quorum port of {it} cannot be reached, not even to be refused")
        }
        FindingKind::PortsDiffer { own } => format!(
            "{it} listens on quorum port {} and election port {}, not where the spec says: named \
             there, it would fail to bind and exit",
            ports(&own.quorum),
            ports(&own.election)
        ),
        FindingKind::ElectionPortClosed => format!("nobody listens on the election port of {it}"),
        FindingKind::MemberSilent => {
            format!("{it} is a member and gave no answer: it counts as down")
        }
        FindingKind::MemberDisagrees => {
            format!("{it} follows another configuration, so it counts as down")
        }
        FindingKind::ConfigNotInForce => format!(
            "{it} holds the ensemble's configuration and runs with an older one, so it counts as down: \
             a reconfig committed while it finished its sync. The next apply that changes something \
             heals it with a reconfig that changes nothing; a restart of {it} does too"
        ),
        FindingKind::ZoneUnknown => {
            format!("the zone of {it} is not known; it is taken for a zone of its own")
        }
        FindingKind::EvenVoters { voters } => format!(
            "{voters} voters are wanted, an even number: one more must acknowledge than with {}, \
             and no more may fail",
            voters.saturating_sub(1)
        ),
        FindingKind::DigestMismatches { count } => digest_mismatches(&it, *count),
        FindingKind::DataDiffers => {
            format!("the data of {it} differs from the leader's at the same zxid")
        }
        FindingKind::UnwantableId => {
            format!("{it} has an id outside 1 to 254; it may stay, no new server can have it")
        }
        FindingKind::OpenRun { .. } => open_run(kind),
        FindingKind::StaleContacts { contacts, instead } => stale_contacts(contacts, instead),
        FindingKind::FolderNotProven(unproven) => folder_not_proven(unproven),
        FindingKind::RetiredAnswers { run, state, servers } => {
            retired::answer(*run, *state, servers)
        }
        FindingKind::FileDiffers { lines, is_alike } => file_differs(&it, lines, *is_alike),
        FindingKind::MachineNotShown { host, because } => not_shown(&it, host, *because),
        FindingKind::MembersRetired { run, members, moved_to } => {
            retired::members(*run, members, moved_to)
        }
        FindingKind::LocalSessions { servers } => sessions::may_be_local(servers),
        FindingKind::MemberClosesConnections => sessions::closes_connections(&it),
    }
}

/// A znode of which it is not known that only operators wrote it, and why.
pub fn folder_not_proven(Unproven { path, doubt }: &Unproven) -> String {
    format!("{path} is not proven to be written by operators alone: {}", self::doubt(doubt))
}

/// Why it is not known that only operators wrote a znode.
pub(super) fn doubt(doubt: &Doubt) -> String {
    const SHOWN: usize = 3;
    match doubt {
        Doubt::Open(ids) => {
            let more = ids.len().saturating_sub(SHOWN);
            let shown = ids.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            format!("its access control list lets {shown}{more} write")
        }
        Doubt::Changed(times) => format!(
            "its access control list was set {} after it was made, so that what stands in it may \
             be older than the list",
            count_of(usize::try_from(*times).unwrap_or(usize::MAX), "time")
        ),
        Doubt::Ephemeral => "it lives with a session of another client".to_owned(),
        Doubt::NotEphemeral => "it does not live with a session".to_owned(),
        Doubt::Unreadable(code) => {
            format!("not readable without credentials ({})", ErrorCode::of(*code))
        }
        Doubt::Moving => "another client keeps making and removing it".to_owned(),
    }
}

/// Which contacts are no members, and the line that names members instead.
fn stale_contacts(contacts: &[String], instead: &[String]) -> String {
    let verb = if contacts.len() == 1 { "is no member" } else { "are no members" };
    let paste = if instead.is_empty() {
        String::new()
    } else {
        format!(". Replace that line by  servers: [{}]", instead.join(", "))
    };
    format!("{} in connect.servers {verb} of this ensemble{paste}", list(contacts))
}

/// What is said first of what servers mask for a session without credentials.
pub const AS_FAR_AS_SEEN: &str = "as far as can be told without credentials, ";

/// Whose run is open, and what comes of an apply beside it.
fn open_run(kind: &FindingKind) -> String {
    let FindingKind::OpenRun {
        run, plan_id, opened_by, opened_at, locked_by, because, masked, ..
    } = kind
    else {
        return String::new();
    };
    let seen = if *masked { AS_FAR_AS_SEEN } else { "" };
    let this = match because {
        None => "an apply of this spec goes on with it",
        Some(NotResumed::OtherSpec) => "it wants something else than this spec",
        Some(NotResumed::Overtaken) => "another client has changed the configuration since",
        Some(NotResumed::NotUnderstood) => "this version of zkplan cannot read it",
    };
    let work = locked_by.as_ref().map_or_else(String::new, |by| {
        format!("; {by} holds the lock: an apply may be at work on it right now")
    });
    format!(
        "{seen}run {run}, opened by {opened_by} at {opened_at} for plan {plan_id}, is open: {this}; any \
         plan but its own is refused until it is done or given up (--abandon {run}){work}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_bug_is_said_once() {
        let bug = |id: Option<i64>, minor, patch, issue| Finding {
            kind: FindingKind::KnownBug { version: ServerVersion::new(3, minor, patch), issue },
            server: id.map(ServerId::new),
        };
        let (old, new) = (Issue::Zk4785, Issue::Zk4846);
        let all = [
            bug(Some(1), 5, 10, old),
            bug(Some(2), 5, 10, old),
            bug(Some(4), 8, 0, old),
            bug(None, 8, 0, new),
        ];
        let said: Vec<String> =
            findings(&all.iter().collect::<Vec<_>>()).into_iter().map(|(_, said)| said).collect();
        assert_eq!(
            said,
            [
                "servers 1 and 2 run 3.5.10 and server 4 runs 3.8.0: a learner that crashes while it \
                 syncs can lose acknowledged writes (ZOOKEEPER-4785); fixed for 3.5.10 in no \
                 3.5 release, first in 3.8.5; for 3.8.0 in 3.8.5",
                "every server runs 3.8.0: a server that copied data while ACLs changed may fail to start \
                 again (ZOOKEEPER-4846); fixed in 3.8.5",
            ]
        );
    }
}
