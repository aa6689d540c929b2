//! Laws and breaches in words.

use std::collections::BTreeSet;

use super::words;
use crate::check::{Breach, Detail, Law, Votes};
use crate::model::ServerId;
use crate::observe::{Finding, FindingKind, Level, Obstacle};

/// What a law asks for.
pub(super) const fn asks(law: Law) -> &'static str {
    match law {
        Law::Now => "the ensemble must be well to begin with",
        Law::Next => "the next voters must be able to acknowledge",
        Law::Spare => "enough voters must be able to fail",
        Law::Zones => "the loss of a zone must not stop writes",
        Law::Joiners => "joiners must be seen before they are named",
        Law::LeaderLast => "the leader's own change must be the last",
        Law::Order => "ids join ascending, and new voters vote before old ones leave",
        Law::Overlap => "quorums before and after must share a server",
        Law::TwoParticipants => "two participants must stay",
        Law::Addresses => "every address must be usable and belong to one server",
        Law::Identity => "every id must be one server of this ensemble",
        Law::WayBack => "there must be a way back from everywhere",
        Law::StopLast => "processes must stop last",
        Law::Shrink => "the ensemble must not shrink by more than is allowed",
        Law::Unsupported => "not supported yet",
        Law::Form => "a plan must do what it says",
    }
}

/// The code that names a breach to `explain` and `--accept`.
pub(super) const fn code(breach: &Breach) -> &'static str {
    match breach.detail {
        Detail::Finding(code) => code,
        _ => breach.law.code(),
    }
}

/// The codes of breaches, each once, in the order in which they come up.
pub(super) fn codes(breaches: &[Breach]) -> Vec<&'static str> {
    let mut codes = Vec::new();
    for code in breaches.iter().map(code) {
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}

/// The code of a breach, with its step where it has one, as `--accept` takes it.
pub(super) fn place(breach: &Breach) -> String {
    match &breach.step {
        Some(step) => format!("{}:{step}", code(breach)),
        None => code(breach).to_owned(),
    }
}

/// Who votes and who can acknowledge, in numbers.
fn figures(votes: &Votes) -> String {
    let Votes { voters, acking, need } = votes;
    let missing: BTreeSet<ServerId> = voters.difference(acking).copied().collect();
    let missing = match missing.len() {
        0 => String::new(),
        _ => format!(" (missing: {})", words::list(&missing)),
    };
    format!(
        "voters {}, can acknowledge {}{missing}, {need} must",
        words::set(voters),
        words::set(acking)
    )
}

/// The way to a breach and its numbers, like
/// `after join-4: voters {1, 2, 3, 4}, can acknowledge {1, 2}, 3 must`; empty where the sentence
/// says it all.
pub(super) fn way(breach: &Breach) -> String {
    let example = counter_example(&breach.detail);
    let Some(step) = breach.step.as_ref().filter(|_| !example.is_empty()) else { return example };
    // The worse side of these can be the one before the step.
    let both_sides =
        matches!(breach.detail, Detail::SpareTooSmall { .. } | Detail::LeavesTooEarly { .. });
    if !both_sides {
        return format!("after {}: {example}", words::list(breach.path.iter().chain([step])));
    }
    let before = match breach.path.len() {
        0 => String::new(),
        _ => format!("after {}, ", words::list(&breach.path)),
    };
    format!("{before}at {step}: {example}")
}

/// The counter-example of a breach, in numbers.
fn counter_example(detail: &Detail) -> String {
    match detail {
        Detail::NoLiveQuorum(votes)
        | Detail::TooFewAcknowledge(votes)
        | Detail::NeedsJoiners { without: votes, joiners: _ } => figures(votes),
        Detail::SpareTooSmall { votes, tolerance } => format!(
            "{}; {} may fail, {tolerance} must be able to",
            figures(votes),
            words::count(votes.spare(), "voter")
        ),
        Detail::ZoneLoss(window) => {
            let left = words::set(&window.votes.acking);
            format!("{} (left: {left})", words::zone_loss(window))
        }
        Detail::NoWayBack(votes) => format!("back there: {}", figures(votes)),
        Detail::NoOverlap { before, after } => {
            format!("voters before {}, voters after {}", words::set(before), words::set(after))
        }
        Detail::BlankQuorum { newcomers, need } => {
            format!("newcomers {}, {need} are a quorum", words::set(newcomers))
        }
        Detail::LeavesTooEarly { leaves, waiting } => {
            format!("server {leaves} gives up its vote, {} wait for theirs", words::set(waiting))
        }
        Detail::TooManyTogether { changed, most } => {
            format!("the request changes {changed}, policy.changesPerStep is {most}")
        }
        Detail::Shrinks { removed, added, max } => {
            format!("removed {removed}, added {added}, policy.maxShrink {max}")
        }
        Detail::TooFewParticipants { left } => {
            format!("{} left", words::count_of(*left, "participant"))
        }
        Detail::OtherTolerance { says, policy } => {
            format!("the plan says {says}, its policy {policy}")
        }
        Detail::AddressTaken { .. }
        | Detail::Obstacle(_)
        | Detail::MemberDisagrees(_)
        | Detail::NotAwaited(_)
        | Detail::LeaderNotLast(_)
        | Detail::FurtherHandOver(_)
        | Detail::BeforeGate(_)
        | Detail::NotAscending { .. }
        | Detail::WildcardHost(_)
        | Detail::LoopbackHost(_)
        | Detail::LoopbackClient(_)
        | Detail::ClientLost(_)
        | Detail::UnwantableId(_)
        | Detail::OtherMachine(_)
        | Detail::StopsMember(_)
        | Detail::StopsUnproven(_)
        | Detail::WrongEnd
        | Detail::Mislabelled
        | Detail::OutOfTurn
        | Detail::ClientUnproven(_)
        | Detail::NotBlank(_)
        | Detail::UnlikeSteps
        | Detail::TooManyOrders(_)
        | Detail::OddPlaces
        | Detail::TooManyWeights
        | Detail::NoGroup(_)
        | Detail::OtherPlace(_)
        | Detail::GroupsOfMajority(_)
        | Detail::SeveralAddresses(_)
        | Detail::Finding(_) => String::new(),
    }
}

/// What a plan does not grant as things are now.
fn not_granted(detail: &Detail) -> String {
    match detail {
        Detail::FurtherHandOver(id) => {
            format!("Server {id} leads now and would hand over; the plan has no leader change.")
        }
        Detail::BeforeGate(id) => format!(
            "Server {id} answers again and would leave before the approval gate of this plan."
        ),
        _ => String::new(),
    }
}

/// What is wrong, as a sentence.
pub(super) fn sentence(detail: &Detail) -> String {
    let fixed = |text: &str| text.to_owned();
    match detail {
        Detail::Obstacle(obstacle) => obstacle_sentence(obstacle),
        Detail::MemberDisagrees(id) => format!(
            "Server {id} is a member and runs with another configuration; that must be mended first."
        ),
        Detail::NoLiveQuorum(_) => fixed(NO_LIVE_QUORUM),
        Detail::TooFewAcknowledge(_) => fixed(TOO_FEW_ACKNOWLEDGE),
        Detail::NeedsJoiners { joiners, .. } => needs_joiners(joiners),
        Detail::SpareTooSmall { .. } => fixed(SPARE_TOO_SMALL),
        Detail::ZoneLoss(_) => fixed(ZONE_LOSS),
        Detail::NotAwaited(id) => format!("Server {id} is named before it was seen following."),
        Detail::LeaderNotLast(id) => format!(
            "Server {id} may lead, and would hand over while other changes are still to come."
        ),
        Detail::FurtherHandOver(_) | Detail::BeforeGate(_) => not_granted(detail),
        Detail::NotAscending { joins, after } => {
            format!("Server {joins} joins after server {after}; ids must join ascending.")
        }
        Detail::LeavesTooEarly { leaves, .. } => {
            format!("Server {leaves} is healthy and gives up its vote before all new voters vote.")
        }
        Detail::NoOverlap { .. } => fixed(NO_OVERLAP),
        Detail::TooFewParticipants { .. } => fixed(TOO_FEW_PARTICIPANTS),
        Detail::AddressTaken { server, other, port } => address_taken(*server, *other, *port),
        Detail::WildcardHost(id) | Detail::LoopbackHost(id) | Detail::LoopbackClient(id) => {
            own_machine(detail, *id)
        }
        Detail::ClientLost(id) => format!("Server {id} would lose its client address."),
        Detail::UnwantableId(id) => {
            format!("Server id {id} cannot be asked for; ids go from 1 to 254.")
        }
        Detail::OtherMachine(id) => {
            format!("Server id {id} is wanted on another machine than the one that holds it now.")
        }
        Detail::BlankQuorum { .. } => fixed(BLANK_QUORUM),
        Detail::NoWayBack(_) => fixed(NO_WAY_BACK),
        Detail::StopsMember(id) => {
            format!("Server {id} would be stopped while a configuration names it.")
        }
        Detail::StopsUnproven(id) => {
            format!(
                "Server {id} would be stopped before a write commits in the last configuration."
            )
        }
        Detail::Shrinks { .. } => fixed(SHRINKS),
        Detail::WrongEnd => fixed("The steps do not end at the target: a bug in zkplan."),
        Detail::Mislabelled => fixed("The step does not do what it says: a bug in zkplan."),
        Detail::OutOfTurn => fixed("The step may overtake one of its server: a bug in zkplan."),
        Detail::ClientUnproven(id) => client_unproven(*id),
        Detail::NotBlank(id) => not_blank(*id),
        Detail::UnlikeSteps => fixed("Steps that are not alike stand in one unordered phase."),
        Detail::OtherTolerance { .. } => fixed(OTHER_TOLERANCE),
        Detail::TooManyOrders(_) => fixed(TOO_MANY_ORDERS),
        Detail::OddPlaces => fixed(ODD_PLACES),
        Detail::TooManyWeights => fixed(TOO_MANY_WEIGHTS),
        Detail::NoGroup(ids) => no_group(ids),
        Detail::OtherPlace(ids) => other_place(ids),
        Detail::GroupsOfMajority(ids) => groups_of_majority(ids),
        Detail::SeveralAddresses(id) => format!(
            "Server {id} has several addresses or a secure client part; zkplan can only remove it."
        ),
        Detail::TooManyTogether { .. } => fixed("A request changes more servers than it may."),
        Detail::Finding(code) => {
            format!("Finding {code} has to be accepted before anything changes.")
        }
    }
}

const NO_LIVE_QUORUM: &str =
    "Too few voters are up and in sync to begin with: no reconfig would commit.";
const TOO_FEW_ACKNOWLEDGE: &str =
    "Too few of the next voters could acknowledge: once sent, the request would stop writes.";
const SPARE_TOO_SMALL: &str = "Fewer voters could fail than must be able to (policy.minTolerance).";
const ZONE_LOSS: &str =
    "The loss of one zone would stop writes, which policy.zones: strict forbids.";
const NO_OVERLAP: &str =
    "A quorum of the voters before and one of those after could miss each other.";
const TOO_FEW_PARTICIPANTS: &str = "A participant that is left alone runs standalone, outside the \
                                    ensemble, unless its zoo.cfg says standaloneEnabled=false.";
const BLANK_QUORUM: &str = "The newcomers could elect a leader among themselves, without the data.";
const NO_WAY_BACK: &str =
    "A plan may have to stop here for ever, and this step could not be taken back.";
const SHRINKS: &str = "More servers would go than come, by more than policy.maxShrink allows.";
const ODD_PLACES: &str = "The quorum is by groups and weights, and some of them are of nobody's vote or \
                          are missing; zkplan does not change that.";
const TOO_MANY_WEIGHTS: &str =
    "A group has servers of so many weights that their failures cannot be counted.";

const OTHER_TOLERANCE: &str = "The tolerance of the plan is not what its policy asks for.";
const TOO_MANY_ORDERS: &str =
    "The steps can go in more orders than can be looked at: no order may go unseen.";

/// A host of a new line that leads to the machine from which it is dialled.
fn own_machine(detail: &Detail, id: ServerId) -> String {
    match detail {
        Detail::WildcardHost(_) => format!(
            "The quorum host of server {id} is a wildcard: the others would connect to themselves."
        ),
        Detail::LoopbackClient(_) => format!(
            "The client host of server {id} is a loopback address: clients elsewhere do not reach it."
        ),
        _ => format!(
            "The quorum host of server {id} is a loopback address, and those of others are not."
        ),
    }
}

fn other_place(ids: &BTreeSet<ServerId>) -> String {
    format!("The group or the weight of {} would change.", words::servers(ids))
}

fn groups_of_majority(ids: &BTreeSet<ServerId>) -> String {
    let who = words::servers(ids);
    format!("A group is wanted for {who}; the quorum of this ensemble is a majority.")
}

fn no_group(ids: &BTreeSet<ServerId>) -> String {
    let have = if ids.len() == 1 { "has" } else { "have" };
    let who = words::servers(ids).replacen('s', "S", 1);
    format!("{who} {have} no group; the quorum of this ensemble is by groups.")
}

fn client_unproven(id: ServerId) -> String {
    format!("The line of server {id} would get a client address at which nobody answered as it.")
}

fn not_blank(id: ServerId) -> String {
    format!(
        "Server id {id} goes to another machine before its old process is stopped and the new \
         machine is attested blank."
    )
}

fn needs_joiners(joiners: &BTreeSet<ServerId>) -> String {
    let them = words::servers(joiners);
    let [needs, fails] = if joiners.len() == 1 {
        [
            format!("{them} itself"),
            format!("if {them} fails then, the whole ensemble stops until it is back"),
        ]
    } else {
        [
            format!("votes of {them}"),
            "if they fail then, the whole ensemble stops until enough of them are back".to_owned(),
        ]
    };
    format!(
        "The next quorum needs {needs}: once the request is sent nothing can take it back, and \
         {fails}."
    )
}

fn address_taken(server: ServerId, other: ServerId, port: u16) -> String {
    if server == other {
        return format!("Server {server} would use port {port} of its host twice.");
    }
    format!("Server {server} would use port {port} of its host, which server {other} has.")
}

fn obstacle_sentence(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::ReconfigDisabled(on) => format!(
            "{} with reconfigEnabled=false: the ensemble takes no reconfig.",
            words::some_servers(on)
        ),
        Obstacle::WantedDataDiffer(id) => format!(
            "Server {id} is to join with other data than the leader's at the same zxid: they come from \
             another ensemble, or were damaged. Apply would give it no vote."
        ),
        Obstacle::NoCommit => "No committed write was seen.".to_owned(),
        Obstacle::WantedStandalone(id) => {
            format!("Server {id} is wanted and runs standalone, with a history of its own.")
        }
        Obstacle::NoPlainPort(id) => format!(
            "Server {id} would get a plain client port in its line, and has none (clientPort=-1 in conf): \
             a leader hangs when that commits, and a follower opens the port at its next restart."
        ),
        Obstacle::WantedAnswersAs(id, other) => {
            format!("Server {id} is wanted; the process at its address answers as server {other}.")
        }
        Obstacle::WantedElsewhere(id) => {
            format!("Server {id} is wanted and follows another ensemble.")
        }
        Obstacle::MemberAnswersAs(id, other) => {
            format!(
                "Server {id} is a member; the process at its address answers as server {other}."
            )
        }
    }
}

/// What accepting a breach means, as a sentence.
pub(super) fn risk(breach: &Breach, findings: &[Finding]) -> String {
    let Detail::Finding(code) = breach.detail else { return sentence(&breach.detail) };
    let weighs = |finding: &&Finding| finding.kind.level() == Level::Accept;
    let meant = findings.iter().filter(|finding| finding.kind.code() == code).filter(weighs);
    // What may happen is said once, behind everything of which it is said.
    let mut told: Vec<(&str, Vec<String>)> = Vec::new();
    for finding in meant {
        let accepting = accepting(&finding.kind);
        match told.iter_mut().find(|(same, _)| *same == accepting) {
            Some((_, findings)) => findings.push(words::finding(finding)),
            None => told.push((accepting, vec![words::finding(finding)])),
        }
    }
    if told.is_empty() {
        return sentence(&breach.detail);
    }
    let all = told
        .into_iter()
        .flat_map(|(accepting, findings)| findings.into_iter().chain([accepting.to_owned()]));
    all.map(|text| format!("{}.", capital(&text))).collect::<Vec<_>>().join(" ")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

/// What may happen if a finding is accepted.
const fn accepting(kind: &FindingKind) -> &'static str {
    match kind {
        FindingKind::KnownBug { .. } => "the bug may bite while members change",
        FindingKind::MixedVersions { .. } => "servers may not understand each other's requests",
        FindingKind::ConfigWritten => "the next reconfig overwrites what was written",
        FindingKind::DataDiffers => "a server with other data may come to lead",
        FindingKind::MachineNotShown { .. } => {
            "you say that it is the same machine with the same data directory; on any other machine \
             acknowledged writes can be lost"
        }
        FindingKind::HostileName { .. }
        | FindingKind::WildcardHost { .. }
        | FindingKind::QuorumPortUnreachable
        | FindingKind::ElectionPortClosed
        | FindingKind::MemberSilent
        | FindingKind::MemberDisagrees
        | FindingKind::ConfigNotInForce
        | FindingKind::ZoneUnknown
        | FindingKind::EvenVoters { .. }
        | FindingKind::DigestMismatches { .. }
        | FindingKind::UnwantableId
        | FindingKind::PortsDiffer { .. }
        | FindingKind::OpenRun { .. }
        | FindingKind::StaleContacts { .. }
        | FindingKind::FolderNotProven(_)
        | FindingKind::RetiredAnswers { .. }
        | FindingKind::FileDiffers { .. }
        | FindingKind::MembersRetired { .. } => "nothing has to be accepted",
    }
}

/// What helps where no change of policy does.
pub(super) const fn hint(detail: &Detail) -> &'static str {
    match detail {
        Detail::Obstacle(obstacle) => obstacle_hint(obstacle),
        Detail::MemberDisagrees(_) => "restart that server, or see why it cannot follow the leader",
        Detail::NoLiveQuorum(_) => {
            "bring voters back until a quorum follows; those that run but were not asked need \
             their client addresses in connect.servers"
        }
        Detail::TooFewAcknowledge(_) | Detail::SpareTooSmall { .. } | Detail::NoWayBack(_) => {
            "bring voters that are down back first, or add voters before taking others out"
        }
        Detail::NeedsJoiners { .. } | Detail::Finding(_) => "accept the risk, or mend the cause",
        Detail::ZoneLoss(_) => "set policy.zones: best, or place the voters in more zones",
        Detail::NotAwaited(_)
        | Detail::LeaderNotLast(_)
        | Detail::LeavesTooEarly { .. }
        | Detail::NoOverlap { .. }
        | Detail::BlankQuorum { .. }
        | Detail::StopsMember(_)
        | Detail::StopsUnproven(_)
        | Detail::NotBlank(_)
        | Detail::TooManyOrders(_) => {
            "split the change into several specs, applied one after the other"
        }
        Detail::WrongEnd
        | Detail::Mislabelled
        | Detail::OutOfTurn
        | Detail::TooManyTogether { .. }
        | Detail::UnlikeSteps
        | Detail::OtherTolerance { .. } => "report it, with the spec and zkCli.sh config",
        Detail::FurtherHandOver(_) | Detail::BeforeGate(_) => {
            "make a new plan: this one was made for the ensemble as it was then"
        }
        Detail::NotAscending { .. } => "give new servers ids above those that are in",
        Detail::TooFewParticipants { .. } => {
            "keep two participants, or set standaloneEnabled=false on every server and say so in \
             policy.standaloneEnabled"
        }
        Detail::AddressTaken { .. } => "give the server a free port or another host",
        Detail::WildcardHost(_) | Detail::LoopbackHost(_) => {
            "name a host under which the other servers reach it"
        }
        Detail::LoopbackClient(_) => {
            "name the host where clients reach it; without one the server listens on all addresses"
        }
        Detail::ClientUnproven(_) => {
            "see that the server answers at its clientPort of the spec, or accept the risk"
        }
        Detail::ClientLost(_) => "give the server its client port in the spec",
        Detail::UnwantableId(_) => "choose an id from 1 to 254 that was never used",
        Detail::OtherMachine(_) => "give the new machine a new id, the highest so far plus one",
        Detail::Shrinks { .. } => "raise policy.maxShrink, or shrink in several specs",
        Detail::NoGroup(_) => "give it a group in the spec, and a weight if that is not 1",
        Detail::OtherPlace(_) => {
            "remove the server, and add it under a new id with the group and weight that it is to have"
        }
        Detail::GroupsOfMajority(_) => "take group and weight out of the spec",
        Detail::TooManyWeights => "give servers of one group like weights",
        Detail::OddPlaces => {
            "change groups and weights by hand; zkplan passes through what the spec does not change"
        }
        Detail::SeveralAddresses(_) => {
            "change the line of that server by hand; zkplan passes through what the spec does not \
             change"
        }
    }
}

const fn obstacle_hint(obstacle: &Obstacle) -> &'static str {
    match obstacle {
        Obstacle::WantedDataDiffer(_) => {
            "stop that server, move version-2 out of its data directory and keep it (also that of \
             dataLogDir), lay its first zoo.cfg down again, start it, and plan again: it then copies \
             the leader's data"
        }
        Obstacle::ReconfigDisabled(_) => {
            "put reconfigEnabled=true into zoo.cfg of every server and restart them one at a time, \
             the leader last"
        }
        Obstacle::NoCommit => "see why writes do not commit: disks, network, too few voters",
        Obstacle::WantedStandalone(_) => {
            "stop it, empty its data directory, and start it with the present members in zoo.cfg and itself as observer"
        }
        Obstacle::NoPlainPort(_) => {
            "write `clientPort: none` for it, or give it a clientPort in its zoo.cfg"
        }
        Obstacle::WantedAnswersAs(..) => "mend its myid or its address in the spec",
        Obstacle::WantedElsewhere(_) => {
            "mend its address in the spec, or take it out of the other ensemble first"
        }
        Obstacle::MemberAnswersAs(..) => "mend its myid, or find out who took its address",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_whose_vote_is_needed_is_named() {
        let without = Votes { voters: BTreeSet::new(), acking: BTreeSet::new(), need: 3 };
        let said = |joiners: &[i64]| {
            let joiners = joiners.iter().map(|id| ServerId::new(*id)).collect();
            sentence(&Detail::NeedsJoiners { joiners, without: without.clone() })
        };
        assert!(said(&[2]).contains("needs server 2 itself: once"), "{}", said(&[2]));
        assert!(
            said(&[3, 4]).contains("needs votes of servers 3 and 4: once"),
            "{}",
            said(&[3, 4])
        );
    }
}
