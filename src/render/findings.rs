//! Findings as sentences.

use std::collections::{BTreeMap, BTreeSet};

use super::phrases::{AS_FAR_AS_SEEN, folder_not_proven, list, ports, servers};
use super::{retired, sessions, settings};
use crate::ensemble::ServerVersion;
use crate::model::{Host, ServerId};
use crate::observe::{
    Finding, FindingKind, Issue, JoinersRun, NoDigests, NotResumed, NotShown, OwnPorts,
    UnusableBecause, WithoutDigests, fixed_in,
};

/// What a bug does.
const fn harm(issue: Issue) -> &'static str {
    match issue {
        Issue::Zk2014 => "every client that can reach a client port may change the members",
        Issue::Zk2080 => "a reconfig and an election together can deadlock a server",
        Issue::Zk2172 => "a learner that copies its data during a reconfig can crash",
        Issue::Zk2778 => "a reconfig can deadlock a server that is connecting to others",
        Issue::Zk2847 => "a reconfig can close a client port that is set only in zoo.cfg",
        Issue::Zk3540 => "a reconfig can close the client port of a server that uses Netty",
        Issue::Zk3642 => {
            "a joiner that loses its leader while it copies data can end up with different data"
        }
        Issue::Zk3756 => "every unreachable peer delays an election by a connect timeout",
        Issue::Zk3769 => {
            "an incomplete vote message can exclude a server from elections until it is restarted"
        }
        Issue::Zk3829 => {
            "members added by restarts, without reconfig, can leave a leader that cannot commit"
        }
        Issue::Zk3911 => {
            "a learner can serve writes that were never committed, and lose committed ones"
        }
        Issue::Zk4394 => {
            "a server that copies data while writes commit can fail and retry, can make the \
             leader step down, and can lose acknowledged writes if it crashes"
        }
        Issue::Zk4689 => {
            "a server that copies data while ACLs change can lose ACLs: their znodes cannot be \
             read there"
        }
        Issue::Zk4708 => "a leader whose own host name does not resolve never commits",
        Issue::Zk4712 => {
            "a server that changes its leader or its role can still log older requests, and end \
             up with different data"
        }
        Issue::Zk4785 => "a learner that crashes while it syncs can lose acknowledged writes",
        Issue::Zk4846 => "a server that copied data while ACLs changed may fail to start again",
        Issue::Zk4925 => {
            "a joiner can miss transactions; when it leads, other servers lose them too"
        }
        Issue::Zk4925Observer => {
            "a former observer that leads, and was not restarted since its promotion, can remove \
             acknowledged writes from a server that returns after it was down"
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
            "the joiners run a newer minor version than the members: {range} until the last older \
             server has left"
        ),
        JoinersRun::Older => format!(
            "the joiners run an older minor version than the members, {range}: this is a \
             downgrade, which ZooKeeper does not support"
        ),
        JoinersRun::Both => {
            format!("the joiners run older and newer minor versions than the members, {range}")
        }
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
        (NoDigests::NoAnswer, "its answer to hash is empty"),
    ];
    let lacking = reasons.into_iter().filter_map(|(why, says)| {
        let ids = of(why);
        (!ids.is_empty()).then(|| format!("{} ({says})", servers(&ids)))
    });
    let lacking: Vec<String> = lacking.collect();
    let why = if lacking.is_empty() {
        "the two list no digest of the same zxid".to_owned()
    } else {
        format!("no digests from {}", list(lacking))
    };
    format!(
        "the data of {} can be compared with the leader's only by counts, which cannot prove that \
         the content is equal: {why}",
        servers(joiners)
    )
}

/// What a server's own file writes otherwise than the configuration that is shown.
fn file_differs(it: &str, lines: &BTreeSet<ServerId>, is_alike: bool) -> String {
    let lines = servers(lines);
    let more = if is_alike {
        "the addresses are the same. With reconfigEnabled=true the file of the first leader \
         becomes the configuration of all servers"
    } else {
        "it is not known whether the addresses are the same"
    };
    format!("the zoo.cfg of {it} has a different line for {lines} than shown here; {more}")
}

/// Where a member is wanted, and why it is not known whether that is its machine.
fn not_shown(it: &str, host: &Host, because: NotShown) -> String {
    let because = match because {
        NotShown::PresentHost => "its present host does not resolve here",
        NotShown::WantedHost => "the new host does not resolve here",
        NotShown::NoAnswer => "no server with this id that follows the leader answered there",
    };
    format!(
        "the spec moves {it} to {host}; it is not known whether that is the same machine: {because}"
    )
}

fn digest_mismatches(it: &str, count: u64) -> String {
    let mismatches = match count {
        1 => "1 digest mismatch".to_owned(),
        n => format!("{n} digest mismatches"),
    };
    format!("{it} has counted {mismatches}: its data may differ")
}

/// A joiner that listens on other ports than the spec has.
fn ports_differ(it: &str, own: &OwnPorts) -> String {
    format!(
        "{it} listens on quorum port {} and election port {}, and the spec has other ports: \
             after the join it could not bind them and would exit",
        ports(&own.quorum),
        ports(&own.election)
    )
}

/// A finding as a sentence.
pub fn finding(finding: &Finding) -> String {
    let Finding { kind, server } = finding;
    let it = server.map_or_else(|| "a server".to_owned(), |id| format!("server {id}"));
    match kind {
        FindingKind::KnownBug { issue, .. } => known_bug(*issue, &[finding]),
        FindingKind::MixedVersions { lowest, highest, joiners } => {
            mixed_versions(*lowest, *highest, *joiners)
        }
        FindingKind::JudgedByCounts { joiners, without } => judged_by_counts(joiners, without),
        FindingKind::HostileName { host } => {
            format!("{it} has host `{host}`, which is not a valid host name")
        }
        FindingKind::WildcardHost { host } => wildcard(&it, host),
        FindingKind::ConfigWritten => {
            "/zookeeper/config was written by hand: its content may differ from the real \
             configuration"
                .to_owned()
        }
        FindingKind::QuorumPortUnreachable => {
            format!("the quorum port of {it} cannot be reached: no connection and no refusal")
        }
        FindingKind::PortsDiffer { own } => ports_differ(&it, own),
        FindingKind::ElectionPortClosed => format!("the election port of {it} is closed"),
        FindingKind::MemberSilent => {
            format!("{it} is a member and does not answer: it counts as down")
        }
        FindingKind::MemberNotAsked => not_asked(&it),
        FindingKind::MemberDisagrees => {
            format!("{it} runs with another configuration: it counts as down")
        }
        FindingKind::MemberKeepsItsFile => keeps_its_file(&it),
        FindingKind::ConfigNotInForce => format!(
            "{it} has the configuration of the ensemble but runs with an older one, so it counts \
             as down. The cause: a reconfig committed while it finished its sync. The next apply \
             repairs it with a reconfig that changes nothing; a restart of {it} repairs it too"
        ),
        FindingKind::ZoneUnknown => {
            format!("the zone of {it} is not known; zkplan treats it as a zone of its own")
        }
        FindingKind::EvenVoters { voters } => even_voters(*voters),
        FindingKind::DigestMismatches { count } => digest_mismatches(&it, *count),
        FindingKind::DataDiffers => {
            format!("the data of {it} differ from the leader's at the same zxid")
        }
        FindingKind::UnwantableId => {
            format!(
                "{it} has an id outside 1 to 254; it can stay, but no new server can have such an \
                 id"
            )
        }
        FindingKind::OpenRun { .. } => open_run(kind),
        FindingKind::StaleContacts { contacts, instead } => stale_contacts(contacts, instead),
        FindingKind::FolderNotProven(unproven) => folder_not_proven(unproven),
        FindingKind::RetiredAnswers { run, state, servers } => {
            retired::answer(*run, *state, servers)
        }
        FindingKind::FileDiffers { lines, is_alike } => file_differs(&it, lines, *is_alike),
        FindingKind::MachineNotShown { host, because } => not_shown(&it, host, *because),
        FindingKind::ClientPartsMixed { without, with } => client_parts_mixed(without, with),
        FindingKind::ClientAddressUnusable { because } => unusable_address(&it, *because),
        FindingKind::MembersRetired { run, members, moved_to } => {
            retired::members(*run, members, moved_to)
        }
        FindingKind::LocalSessions { servers } => sessions::may_be_local(servers),
        FindingKind::MemberClosesConnections => sessions::closes_connections(&it),
        FindingKind::SettingsDiffer { differences } => settings::differ(differences),
        FindingKind::InitLimitTooLow { servers, init_limit, tick_ms, needed } => {
            init_limit_too_low(servers, [*init_limit, *needed], *tick_ms)
        }
    }
}

fn even_voters(voters: usize) -> String {
    format!(
        "the spec has {voters} voters, an even number: it tolerates as many failures as an ensemble \
         of {}, with a larger quorum",
        voters.saturating_sub(1)
    )
}

fn not_asked(it: &str) -> String {
    format!(
        "{it} was not asked, because its client address is not known: it counts as down, but it may \
         run and have clients. Add its client address to connect.servers"
    )
}

fn keeps_its_file(it: &str) -> String {
    format!(
        "{it} runs with reconfigEnabled=false, the leader with true: it acknowledges writes, but keeps \
         the server lines of its own file, and may find no leader after a restart. Set \
         reconfigEnabled=true there before it restarts"
    )
}

/// A quorum host that leads to the machine from which it is dialled.
fn wildcard(it: &str, host: &Host) -> String {
    format!("{it} has quorum host {host}: other servers that connect to it reach themselves")
}

/// Lines with and without a client part, after a join.
fn client_parts_mixed(without: &BTreeSet<ServerId>, with: &BTreeSet<ServerId>) -> String {
    let lines = if with.len() == 1 { "the line" } else { "those" };
    let (without, with) = (servers(without), servers(with));
    format!(
        "the lines of {without} have no client port, and {lines} of {with} will have one: Curator \
         clients will see only {with}. Set policy.clientPart: write, and the plan adds the client port \
         to the other lines first"
    )
}

fn unusable_address(it: &str, because: UnusableBecause) -> String {
    match because {
        UnusableBecause::Ipv6 => format!(
            "Curator builds its connect string from the quorum host, and puts no brackets around an IPv6 \
             address. Give {it} a host name, or set its clientHost"
        ),
        UnusableBecause::SeveralAddresses => format!(
            "clients that read the configuration do not understand the line of {it}: it has several \
             addresses"
        ),
    }
}

/// Servers that give a learner too little time.
fn init_limit_too_low(ids: &BTreeSet<ServerId>, [now, needed]: [u64; 2], tick_ms: u64) -> String {
    let verb = if ids.len() == 1 { "has" } else { "have" };
    format!(
        "{} {verb} initLimit={now} with tickTime={tick_ms}: too little time to load and write \
         the data. Elections may fail again and again; initLimit={needed} is enough",
        servers(ids)
    )
}

/// Which contacts are no members, and the line that names members instead.
fn stale_contacts(contacts: &[String], instead: &[String]) -> String {
    let verb = if contacts.len() == 1 { "is not a member" } else { "are not members" };
    let paste = if instead.is_empty() {
        String::new()
    } else {
        format!(". Replace that line with  servers: [{}]", instead.join(", "))
    };
    format!("{} in connect.servers {verb} of this ensemble{paste}", list(contacts))
}

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
        None => "an apply of this spec resumes it",
        Some(NotResumed::OtherSpec) => "it has another target than this spec",
        Some(NotResumed::Overtaken) => "another client has changed the configuration since then",
        Some(NotResumed::NotUnderstood) => "this version of zkplan cannot read it",
        Some(NotResumed::Newer) => "a newer zkplan wrote it, and only that version can finish it",
    };
    let work = locked_by.as_ref().map_or_else(String::new, |by| {
        format!("; {by} holds the lock: an apply may be running right now")
    });
    format!(
        "{seen}run {run}, opened by {opened_by} at {opened_at} for plan {plan_id}, is open: \
         {this}; apply refuses any other plan until the run is done or abandoned (--abandon \
         {run}){work}"
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
