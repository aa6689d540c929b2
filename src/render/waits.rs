//! What a run waits for, and why data are taken for equal.

use super::{law, phrases, signing_in};
use crate::apply::{BindProof, Missing, RestartMissing, Wait};
use crate::ensemble::NoAnswer;
use crate::model::{Millis, ServerId};
use crate::observe::{DataProof, ServerStatus};

/// What a run waits for, as one line.
pub fn waiting(waits: &[Wait]) -> String {
    let mut all: Vec<String> = Vec::new();
    for (at, one) in waits.iter().enumerate() {
        let Wait::Syncing { is_seen, left_ms, .. } = one else {
            all.push(wait(one));
            continue;
        };
        // What is true of several servers is said once.
        let same = |other: &Wait| match other {
            Wait::Syncing { server, is_seen: seen, .. } if seen == is_seen => Some(*server),
            _ => None,
        };
        if waits[..at].iter().all(|before| same(before).is_none()) {
            let servers: Vec<ServerId> = waits.iter().filter_map(same).collect();
            all.push(syncing(&servers, *is_seen, *left_ms));
        }
    }
    all.join("; ")
}

/// What is missing before the next server is restarted.
fn restart(server: Option<ServerId>, missing: RestartMissing) -> String {
    let who = server.map_or_else(|| "the ensemble".to_owned(), |id| format!("server {id}"));
    match missing {
        RestartMissing::ByHand => format!("restart {who} now, and no other server"),
        RestartMissing::Role => format!("{who} is not back in its role and in sync yet"),
        RestartMissing::Commit => format!("{who} is back; no write was seen to commit through it"),
        RestartMissing::Again => format!("{who} is back; checking once more"),
        RestartMissing::Leader => format!("{who} has no leader"),
        RestartMissing::Lock => {
            format!("another apply is restarting servers; {who} waits for it")
        }
    }
}

/// Something that a run waits for.
pub fn wait(wait: &Wait) -> String {
    match wait {
        Wait::Joiner { server, missing } => format!("server {server} {}", self::missing(missing)),
        Wait::Down { server, status } => {
            let (word, _, more) = phrases::status(status);
            let more = more.map(|more| format!(", {more}")).unwrap_or_default();
            format!("server {server} is a member and must be in sync first: {word}{more}")
        }
        Wait::Syncing { server, is_seen, left_ms } => syncing(&[*server], *is_seen, *left_ms),
        Wait::Bound { server, by } => {
            format!("server {server} has its vote; checking that its ports are open{}", bound(*by))
        }
        Wait::Law(breach) => format!("{}: {}", law::place(breach), law::risk(breach, &[])),
        Wait::Ensemble(why) => why.clone(),
        Wait::PortTaken { server, port } => {
            format!("server {server} is to move to port {port}, and another process uses that port")
        }
        Wait::Refused(code) => format!("the leader refused it for now: {code}"),
        Wait::Stuck { step, voters } => {
            let what = step.as_ref().map_or("the fence".to_owned(), ToString::to_string);
            let voters: Vec<String> =
                voters.iter().map(|(id, at)| format!("server {id} at {at}")).collect();
            format!(
                "{what} was sent and is not acknowledged. Enough of these voters must be up: {}. Start \
                 those that are down, each with its own data. Restart none that runs. If all of them \
                 run, check the network of this machine",
                phrases::list(voters)
            )
        }
        Wait::NamesItself { server } => format!(
            "server {server} was removed but still has the old configuration; zkplan waits before \
             it is stopped"
        ),
        Wait::StillUp { server } => format!(
            "server {server} still answers, although its stop command succeeded. Check whether a \
             supervisor restarts it"
        ),
        Wait::Quiet { watched, left } => quiet(*watched, *left),
        Wait::Hops { from, to, left, clients } => {
            let now = clients.map_or_else(String::new, |count| {
                format!(" ({} now)", phrases::count(count, "client"))
            });
            format!(
                "server {from} has stopped; its clients may connect to server {to} next{now}. zkplan \
                 watches server {to} {} s more before it stops it",
                left.0.div_ceil(1000)
            )
        }
        Wait::StopByHand { server } => {
            format!(
                "stop server {server} by hand: its id can move to another machine only after that"
            )
        }
        Wait::Restart { server, missing } => restart(*server, *missing),
        Wait::InClear => {
            "a host name now resolves to an address that is not on this machine, and zkplan does \
             not send the password there without TLS. Use TLS, or --allow-cleartext-auth on a \
             trusted network"
                .to_owned()
        }
        Wait::Connection => {
            "no server of the ensemble accepts the session: they are frozen, down, or have no \
             quorum (zkplan status shows which)"
                .to_owned()
        }
    }
}

/// No client is there, but not for long enough.
fn quiet(watched: Millis, left: Millis) -> String {
    let seconds = |time: Millis| time.0.div_ceil(1000);
    format!(
        "no client has been connected to the servers that leave for {} s. zkplan watches {} s more: \
         a client that has just lost its connection has as long to come back",
        seconds(watched),
        seconds(left)
    )
}

/// What is missing before a joiner may be named.
fn missing(missing: &Missing) -> String {
    match missing {
        Missing::Following { status, zxids, followed_before, for_long } => {
            let (word, _, more) = phrases::status(status);
            let far = zxids.map(|(own, leaders)| format!("at zxid {own}, the leader at {leaders}"));
            let details: Vec<String> = more.into_iter().chain(far).collect();
            let more = if details.is_empty() {
                String::new()
            } else {
                format!(", {}", details.join(", "))
            };
            let again = match status {
                ServerStatus::Silent(NoAnswer::Refused) => {
                    ". If it ran before: a joiner that restarts before it is added exits at once, \
                     because ZooKeeper has rewritten its zoo.cfg. Restore the zoo.cfg it first \
                     started with, and start it"
                }
                ServerStatus::NotServing
                | ServerStatus::Silent(NoAnswer::Closed | NoAnswer::AnswerTimedOut)
                    if *for_long =>
                {
                    LOOKS_FOR_LONG
                }
                ServerStatus::NotServing if *followed_before => {
                    "; it followed before, and will follow again when a leader is elected"
                }
                _ => "",
            };
            format!("does not follow yet ({word}{more}){again}")
        }
        Missing::Ports(own) => {
            let ports = |ports: &[u16]| phrases::list(ports.iter());
            format!(
                "listens on quorum port {} and election port {}, and the plan has other ports: \
                 after the join it could not bind them and would exit",
                ports(&own.quorum),
                ports(&own.election)
            )
        }
        Missing::ElectionPort(port) => {
            format!("follows, but its election port {port} is closed")
        }
        Missing::QuorumPortTaken(port) => {
            format!("follows, but another process uses its quorum port {port}: it could never lead")
        }
        Missing::Data { proof, marked_in_vain } => {
            format!(
                "follows; its data are not yet proven equal to the leader's{}",
                unproven(proof.as_ref(), *marked_in_vain)
            )
        }
        Missing::Permission(asked) => signing_in::joiner(asked.as_ref()),
        Missing::Stable { left_ms } => {
            let seconds = left_ms.div_ceil(1000);
            format!("follows; watching it {seconds} s more (policy.stableFor)")
        }
    }
}

/// Why a server may run for long without serving.
const LOOKS_FOR_LONG: &str = ". This takes unusually long; its log says why. Possible causes: it \
                              still copies much data; tickTime x initLimit is shorter than this \
                              copy takes, so that it starts again and again (zkplan preflight: \
                              ZKP25); it cannot reach the leader's quorum port or the election \
                              ports of the members, or they cannot reach its election port; its \
                              disk is full; or its data directory is from another ensemble with a \
                              higher epoch, so it refuses this leader (its log: \"Leaders epoch \
                              ... is less than accepted epoch\"). In the last case stop it, move \
                              version-2 out of its dataDir and dataLogDir (keep it, and keep \
                              myid), and start it with the files of \"zkplan joiner\". Once the \
                              cause is mended, it can take a minute to ask for the leader again";

/// Who holds the fence back, and how long. That the leader has one more learner than serve shows neither
/// which one it is, nor that it copies.
fn syncing(servers: &[ServerId], is_seen: bool, left_ms: u64) -> String {
    let who = phrases::servers(servers);
    let seconds = left_ms.div_ceil(1000);
    let (run, they, them) = if servers.len() == 1 {
        ("runs and does not serve", "it is", "it")
    } else {
        ("run and do not serve", "they are", "them")
    };
    let seen =
        if is_seen { ", and a server that does not serve is connected to the leader" } else { "" };
    format!(
        "{who} {run}{seen}. If {they} copying the leader's data, a reconfig that commits now would not \
         become active on {them}. zkplan waits for {them} before it sends the fence, at most {seconds} \
         s more"
    )
}

/// On what the proof of a bind rests.
fn bound(by: BindProof) -> String {
    match by {
        BindProof::OwnPorts => String::new(),
        BindProof::SettingSeen(ms) => format!(
            " (up to {}, from zookeeper.electionPortBindRetry in its AdminServer)",
            Millis(ms)
        ),
        BindProof::DefaultAssumed(ms) => format!(
            " (up to {}: it does not show its own ports (conf), so zkplan waits until its \
             attempts to bind are over; this assumes the default \
             zookeeper.electionPortBindRetry=3, which zkplan cannot see)",
            Millis(ms)
        ),
        BindProof::TriesForEver => {
            ": it tries to bind for ever (zookeeper.electionPortBindRetry=0), so waiting proves \
             nothing; add conf to its 4lw.commands.whitelist"
                .to_owned()
        }
    }
}

/// Why data are taken for equal.
pub(super) fn proven(proof: &DataProof) -> String {
    match proof {
        DataProof::Digest(zxid) => {
            format!("data equal to the leader's: same digest at zxid {zxid}")
        }
        DataProof::Counts { zxid, znodes } => format!(
            "counts equal, content cannot be proven: {} here and on the leader at zxid {zxid}, \
             and zkplan's marker was read on it; there are no digests to compare",
            phrases::count(*znodes, "znode")
        ),
        DataProof::Differ
        | DataProof::DigestDiffers(_)
        | DataProof::NoCommonDigest
        | DataProof::Unanswered
        | DataProof::NoDigests { .. }
        | DataProof::NoMarker
        | DataProof::NeverMet => "data not proven".to_owned(),
    }
}

/// The zxid at which data are taken for equal, as ZooKeeper prints it.
pub fn proof_zxid(proof: &DataProof) -> Option<String> {
    match proof {
        DataProof::Digest(zxid) | DataProof::Counts { zxid, .. } => Some(zxid.to_string()),
        _ => None,
    }
}

/// What is missing before data are proven.
fn unproven(proof: Option<&DataProof>, marked_in_vain: Option<usize>) -> String {
    if let Some(marks) = marked_in_vain {
        let marks = phrases::count_of(marks, "write");
        return format!(
            ": after {marks} to zkplan's marker the newest digest that both list still differs, \
             and zkplan makes no more writes. Check that both run releases that compute digests \
             in the same way"
        );
    }
    match proof {
        Some(DataProof::NoCommonDigest) => {
            ": the two list no digest of the same zxid yet".to_owned()
        }
        Some(DataProof::DigestDiffers(zxid)) => format!(
            ": the digest at zxid {zxid} differs, which is normal if data were copied during \
             writes; a newer digest decides"
        ),
        Some(DataProof::Unanswered) => {
            ": it or the leader did not answer the four-letter word hash".to_owned()
        }
        Some(DataProof::NoDigests { .. }) => ": there are no digests to compare".to_owned(),
        Some(DataProof::NoMarker) => {
            ": zkplan's marker /zkplan/id could not be read on it".to_owned()
        }
        Some(DataProof::NeverMet) => {
            ": there are no digests to compare, and zkplan never read both at the same zxid: try \
             at a time with fewer writes"
                .to_owned()
        }
        Some(DataProof::Differ | DataProof::Digest(_) | DataProof::Counts { .. }) | None => {
            String::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{run, text::Text};
    use super::*;
    use crate::apply::Event;
    use crate::model::Zxid;

    fn joiner(missing: Missing) -> String {
        wait(&Wait::Joiner { server: ServerId::new(4), missing })
    }

    /// A higher acceptedEpoch cannot be seen from outside: only its own log tells.
    #[test]
    fn a_server_that_looks_for_a_leader_for_long_may_have_been_in_another_ensemble() {
        let looks = |for_long| {
            joiner(Missing::Following {
                status: ServerStatus::NotServing,
                zxids: None,
                followed_before: for_long,
                for_long,
            })
        };
        assert!(!looks(false).contains("another ensemble"), "{}", looks(false));
        // It has followed, and its disk is full now: no election would help.
        let long = looks(true);
        let causes = [
            "copies much data",
            "initLimit",
            "the leader's quorum port",
            "election ports",
            "disk is full",
            "another ensemble",
            "accepted epoch",
        ];
        for cause in causes {
            assert!(long.contains(cause), "{long}");
        }
    }

    /// One that refuses the leader is connected to it as well, again and again.
    #[test]
    fn a_server_that_is_connected_to_the_leader_is_not_said_to_copy() {
        let said =
            |is_seen| wait(&Wait::Syncing { server: ServerId::new(4), is_seen, left_ms: 9001 });
        assert!(
            said(true).contains("is connected to the leader. If it is copying"),
            "{}",
            said(true)
        );
        assert!(!said(false).contains("connected"), "{}", said(false));
        assert!(said(false).ends_with("before it sends the fence, at most 10 s more"));
    }

    #[test]
    fn a_wait_for_proof_says_what_is_missing_and_when_no_more_is_written() {
        let data = |proof, marked_in_vain| joiner(Missing::Data { proof, marked_in_vain });
        assert!(data(Some(DataProof::NoCommonDigest), Some(512)).contains("512 writes"));
        let differs = data(Some(DataProof::DigestDiffers(Zxid::new(0x1_0000_0080))), None);
        assert!(differs.contains("0x100000080") && differs.contains("newer"), "{differs}");
        assert!(data(Some(DataProof::NoMarker), None).contains("/zkplan/id"));
        let counts = DataProof::Counts { zxid: Zxid::new(0x1_0000_0007), znodes: 16 };
        let event = Event::DataProven { server: ServerId::new(4), proof: counts };
        let mut text = Text::new();
        text.line(run::line(&event).expect("a line"));
        let said = text.to_string_with(false);
        assert!(said.contains("counts equal, content cannot be proven: 16 znodes"), "{said}");
    }

    #[test]
    fn a_wait_for_a_bind_says_on_what_it_rests() {
        let bound = |by| wait(&Wait::Bound { server: ServerId::new(4), by });
        let assumed = bound(BindProof::DefaultAssumed(4000));
        assert!(assumed.contains("4s") && assumed.contains("zkplan cannot see"), "{assumed}");
        let seen = bound(BindProof::SettingSeen(11_000));
        assert!(seen.contains("11s") && seen.contains("AdminServer"), "{seen}");
        assert!(bound(BindProof::TriesForEver).contains("4lw.commands.whitelist"));
    }
}
