//! Safety rules and breaches in words.

use std::collections::BTreeSet;

use super::{findings, phrases, sessions};
use crate::check::{Breach, BreachKind, Votes};
use crate::explain;
use crate::model::ServerId;
use crate::observe::{Finding, FindingKind, JoinersRun, Level, Obstacle};

/// The code that names a breach to `explain` and `--accept`.
pub(super) const fn code(breach: &Breach) -> &'static str {
    match breach.detail {
        BreachKind::Finding(code) => code,
        _ => breach.law.code(),
    }
}

/// What stands behind the code of a breach: what a safety rule asks for, or what a finding is.
pub(super) fn title(breach: &Breach) -> &'static str {
    match breach.detail {
        BreachKind::Finding(code) => explain::title(code).unwrap_or(breach.law.asks()),
        _ => breach.law.asks(),
    }
}

/// Whether a breach is a finding of that code, which is to be accepted.
pub(super) fn is_finding(breach: &Breach, code: &str) -> bool {
    matches!(breach.detail, BreachKind::Finding(of) if of == code)
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

/// Who votes and who can acknowledge, in numbers. Joiners whose votes are needed do not count.
fn figures(votes: &Votes, joiners: &BTreeSet<ServerId>) -> String {
    let Votes { voters, acking, need } = votes;
    let away = voters.difference(acking).copied();
    let (new, missing): (BTreeSet<ServerId>, BTreeSet<ServerId>) =
        away.partition(|id| joiners.contains(id));
    let the_joiner = if new.len() == 1 { "the joiner" } else { "the joiners" };
    let parts = [
        (!missing.is_empty()).then(|| format!("missing: {}", phrases::list(&missing))),
        (!new.is_empty()).then(|| format!("not counted: {}, {the_joiner}", phrases::list(&new))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let missing = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join("; ")) };
    format!(
        "voters {}; able to acknowledge {}{missing}; quorum is {need}",
        phrases::set(voters),
        phrases::set(acking)
    )
}

/// The way to a breach and its numbers, like
/// `after join-4: voters {1, 2, 3, 4}, can acknowledge {1, 2}, 3 must`; empty where the sentence
/// says it all.
pub(super) fn way(breach: &Breach) -> String {
    let example = counter_example(&breach.detail);
    let Some(step) = breach.step.as_ref().filter(|_| !example.is_empty()) else { return example };
    // The worse side of these can be the one before the step.
    let both_sides = matches!(
        breach.detail,
        BreachKind::SpareTooSmall { .. } | BreachKind::LeavesTooEarly { .. }
    );
    if !both_sides {
        return format!("after {}: {example}", phrases::list(breach.path.iter().chain([step])));
    }
    let before = match breach.path.len() {
        0 => String::new(),
        _ => format!("after {}, ", phrases::list(&breach.path)),
    };
    format!("{before}at {step}: {example}")
}

/// The counter-example of a breach, in numbers.
fn counter_example(detail: &BreachKind) -> String {
    match detail {
        BreachKind::NoLiveQuorum(votes)
        | BreachKind::TooFewAcknowledge(votes)
        | BreachKind::RestartTakesQuorum(votes) => figures(votes, &BTreeSet::new()),
        BreachKind::NeedsJoiners { without: votes, joiners } => figures(votes, joiners),
        BreachKind::SpareTooSmall { votes, tolerance } => format!(
            "{}; tolerates {}, {tolerance} required",
            figures(votes, &BTreeSet::new()),
            phrases::count(votes.spare(), "failure")
        ),
        BreachKind::ZoneLoss(window) => {
            let left = phrases::servers(&window.votes.acking);
            format!("{} (remaining: {left})", phrases::zone_loss(window))
        }
        BreachKind::NoWayBack(votes) => {
            format!("after going back: {}", figures(votes, &BTreeSet::new()))
        }
        BreachKind::NoOverlap { before, after } => {
            format!("voters before {}, voters after {}", phrases::set(before), phrases::set(after))
        }
        BreachKind::BlankQuorum { newcomers, need } => {
            format!("new servers {}, quorum is {need}", phrases::set(newcomers))
        }
        BreachKind::LeavesTooEarly { leaves, waiting } => {
            format!("server {leaves} loses its vote while {} have none yet", phrases::set(waiting))
        }
        BreachKind::TooManyTogether { changed, most } => {
            format!("the request changes {changed}, policy.changesPerStep is {most}")
        }
        BreachKind::Shrinks { removed, added, max } => {
            format!("removed {removed}, added {added}, policy.maxShrink {max}")
        }
        BreachKind::TooFewParticipants { left } => {
            format!("{} left", phrases::count_of(*left, "participant"))
        }
        BreachKind::OtherTolerance { says, policy } => {
            format!("the plan has tolerance {says}, its policy {policy}")
        }
        BreachKind::AddressTaken { .. }
        | BreachKind::Obstacle(_)
        | BreachKind::MemberDisagrees(_)
        | BreachKind::NotAwaited(_)
        | BreachKind::LeaderNotLast(_)
        | BreachKind::FurtherHandOver(_)
        | BreachKind::BeforeGate(_)
        | BreachKind::NotAscending { .. }
        | BreachKind::WildcardHost(_)
        | BreachKind::LoopbackHost(_)
        | BreachKind::LoopbackClient(_)
        | BreachKind::ClientLost(_)
        | BreachKind::UnwantableId(_)
        | BreachKind::OtherMachine(_)
        | BreachKind::StopsMember(_)
        | BreachKind::StopsUnproven(_)
        | BreachKind::RestartsNotAlone
        | BreachKind::WrongEnd
        | BreachKind::Mislabelled
        | BreachKind::OutOfTurn
        | BreachKind::ClientUnproven(_)
        | BreachKind::NotBlank(_)
        | BreachKind::UnlikeSteps
        | BreachKind::TooManyOrders(_)
        | BreachKind::OddPlaces
        | BreachKind::TooManyWeights
        | BreachKind::NoGroup(_)
        | BreachKind::OtherPlace(_)
        | BreachKind::GroupsOfMajority(_)
        | BreachKind::SeveralAddresses(_)
        | BreachKind::Finding(_) => String::new(),
    }
}

/// What a plan does not grant as things are now.
fn not_granted(detail: &BreachKind) -> String {
    match detail {
        BreachKind::FurtherHandOver(id) => {
            format!(
                "Server {id} leads now, so this step would change the leader. The plan has no \
                 leader change."
            )
        }
        BreachKind::BeforeGate(id) => format!(
            "Server {id} answers again. This step would remove it before the approval gate of \
             this plan."
        ),
        _ => String::new(),
    }
}

/// A step that comes too early.
fn out_of_order(detail: &BreachKind) -> String {
    match detail {
        BreachKind::NotAwaited(id) => format!("Server {id} is added before it was seen following."),
        BreachKind::LeaderNotLast(id) => format!(
            "Server {id} may lead. This step would change the leader before other changes are done."
        ),
        BreachKind::NotAscending { joins, after } => {
            format!(
                "Server {joins} joins after server {after}. Servers must join in ascending order \
                 of ids."
            )
        }
        BreachKind::LeavesTooEarly { leaves, .. } => {
            format!(
                "Server {leaves} is healthy and loses its vote before all new voters have theirs."
            )
        }
        BreachKind::StopsMember(id) => {
            format!("Server {id} would be stopped while it is still a member.")
        }
        BreachKind::StopsUnproven(id) => {
            format!("Server {id} would be stopped before a write commits in the new configuration.")
        }
        _ => String::new(),
    }
}

/// What is wrong, as a sentence.
pub(super) fn sentence(detail: &BreachKind) -> String {
    let fixed = |text: &str| text.to_owned();
    match detail {
        BreachKind::Obstacle(obstacle) => obstacle_sentence(obstacle),
        BreachKind::MemberDisagrees(id) => format!(
            "Server {id} is a member and runs with another configuration. This must be fixed first."
        ),
        BreachKind::NoLiveQuorum(_) => fixed(NO_LIVE_QUORUM),
        BreachKind::TooFewAcknowledge(_) => fixed(TOO_FEW_ACKNOWLEDGE),
        BreachKind::NeedsJoiners { joiners, .. } => needs_joiners(joiners),
        BreachKind::SpareTooSmall { .. } => fixed(SPARE_TOO_SMALL),
        BreachKind::ZoneLoss(_) => fixed(ZONE_LOSS),
        BreachKind::NotAwaited(_)
        | BreachKind::LeaderNotLast(_)
        | BreachKind::NotAscending { .. }
        | BreachKind::LeavesTooEarly { .. }
        | BreachKind::StopsMember(_)
        | BreachKind::StopsUnproven(_) => out_of_order(detail),
        BreachKind::FurtherHandOver(_) | BreachKind::BeforeGate(_) => not_granted(detail),
        BreachKind::NoOverlap { .. } => fixed(NO_OVERLAP),
        BreachKind::TooFewParticipants { .. } => fixed(TOO_FEW_PARTICIPANTS),
        BreachKind::AddressTaken { server, other, port } => address_taken(*server, *other, *port),
        BreachKind::WildcardHost(id)
        | BreachKind::LoopbackHost(id)
        | BreachKind::LoopbackClient(id) => own_machine(detail, *id),
        BreachKind::ClientLost(id) => format!("Server {id} would lose its client address."),
        BreachKind::UnwantableId(id) => unwantable_id(*id),
        BreachKind::OtherMachine(id) => {
            format!(
                "The spec moves server id {id} to another machine than the one that has it now."
            )
        }
        BreachKind::BlankQuorum { .. } => fixed(BLANK_QUORUM),
        BreachKind::NoWayBack(_) => fixed(NO_WAY_BACK),
        BreachKind::Shrinks { .. } => fixed(SHRINKS),
        BreachKind::RestartTakesQuorum(_) => fixed(RESTART_TAKES_QUORUM),
        BreachKind::RestartsNotAlone => fixed(RESTARTS_NOT_ALONE),
        BreachKind::WrongEnd => {
            fixed("The steps do not lead to the target. This is a bug in zkplan.")
        }
        BreachKind::Mislabelled => {
            fixed("The step does not do what its name says. This is a bug in zkplan.")
        }
        BreachKind::OutOfTurn => fixed(
            "The order allows this step before a step of the same server that must come first. This is \
             a bug in zkplan.",
        ),
        BreachKind::ClientUnproven(id) => client_unproven(*id),
        BreachKind::NotBlank(id) => not_blank(*id),
        BreachKind::UnlikeSteps => fixed("One unordered phase has steps of different kinds."),
        BreachKind::OtherTolerance { .. } => fixed(OTHER_TOLERANCE),
        BreachKind::TooManyOrders(_) => fixed(TOO_MANY_ORDERS),
        BreachKind::OddPlaces => fixed(ODD_PLACES),
        BreachKind::TooManyWeights => fixed(TOO_MANY_WEIGHTS),
        BreachKind::NoGroup(ids) => no_group(ids),
        BreachKind::OtherPlace(ids) => other_place(ids),
        BreachKind::GroupsOfMajority(ids) => groups_of_majority(ids),
        BreachKind::SeveralAddresses(id) => format!(
            "Server {id} has several addresses or a secure client part. zkplan cannot change its line; \
             it can keep it or remove it."
        ),
        BreachKind::TooManyTogether { .. } => {
            fixed("One reconfig changes more servers than policy.changesPerStep allows.")
        }
        BreachKind::Finding(code) => {
            format!("Finding {code} must be accepted before anything changes.")
        }
    }
}

const NO_LIVE_QUORUM: &str = "Too few voters are up and in sync. No reconfig would commit.";
const TOO_FEW_ACKNOWLEDGE: &str =
    "Too few of the next voters could acknowledge. Once sent, this reconfig would stop writes.";
const SPARE_TOO_SMALL: &str = "The ensemble would tolerate fewer failures than \
                               policy.minTolerance requires.";
const ZONE_LOSS: &str =
    "The loss of one zone would stop writes. policy.zones: strict forbids this.";
const NO_OVERLAP: &str = "A quorum of the voters before and a quorum of the voters after could \
                          have no server in common.";
const TOO_FEW_PARTICIPANTS: &str = "The leader refuses a reconfig that leaves one participant, \
                                    unless its zoo.cfg says standaloneEnabled=false.";
const BLANK_QUORUM: &str = "The new servers alone are a quorum: they could elect a leader that \
                            does not have the data.";
const RESTART_TAKES_QUORUM: &str = "While this server restarts, too few voters would \
                                    acknowledge: writes would stop.";
const RESTARTS_NOT_ALONE: &str = "The plan restarts servers and does something else too, or restarts \
                                  several at a time. Restarts are a plan of their own.";
const NO_WAY_BACK: &str = "The plan may stop after this step, and the step could not be undone.";
const SHRINKS: &str = "The ensemble would shrink by more servers than policy.maxShrink allows.";
const ODD_PLACES: &str = "The quorum is by groups and weights. Some groups or weights belong to \
                          no voter, or a voter has none. zkplan does not change such an ensemble.";
const TOO_MANY_WEIGHTS: &str = "The servers of a group have too many different weights. zkplan \
                                cannot count which failures are tolerated.";

const OTHER_TOLERANCE: &str = "The tolerance of the plan differs from the one in its policy.";
const TOO_MANY_ORDERS: &str =
    "The steps can run in too many different orders. zkplan must check every one and cannot.";

/// A host of a new line that leads to the machine from which it is dialled.
fn own_machine(detail: &BreachKind, id: ServerId) -> String {
    match detail {
        BreachKind::WildcardHost(_) => format!(
            "The quorum host of server {id} is a wildcard. Other servers that connect to server {id} \
             would reach themselves."
        ),
        BreachKind::LoopbackClient(_) => format!(
            "The client host of server {id} is a loopback address. Clients on other machines \
             cannot reach it."
        ),
        _ => format!(
            "The quorum host of server {id} is a loopback address, and those of other servers are \
             not."
        ),
    }
}

fn unwantable_id(id: ServerId) -> String {
    format!(
        "zkplan gives no new server the id {id}: new ids are 1 to 254 (TTL nodes refuse ids above 254)."
    )
}

fn other_place(ids: &BTreeSet<ServerId>) -> String {
    format!("The group or the weight of {} would change.", phrases::servers(ids))
}

fn groups_of_majority(ids: &BTreeSet<ServerId>) -> String {
    let who = phrases::servers(ids);
    format!(
        "The spec gives a group to {who}. The quorum of this ensemble is a majority and has no \
         groups."
    )
}

fn no_group(ids: &BTreeSet<ServerId>) -> String {
    let have = if ids.len() == 1 { "has" } else { "have" };
    let who = phrases::servers(ids).replacen('s', "S", 1);
    format!("{who} {have} no group. The quorum of this ensemble is by groups.")
}

fn client_unproven(id: ServerId) -> String {
    format!(
        "The line of server {id} would get a client address at which no server with this id answered."
    )
}

fn not_blank(id: ServerId) -> String {
    format!(
        "Server id {id} moves to another machine before its old process is stopped and before the \
         data directory of the new machine is confirmed to be blank."
    )
}

fn needs_joiners(joiners: &BTreeSet<ServerId>) -> String {
    let them = phrases::servers(joiners);
    let [needs, fails] = if joiners.len() == 1 {
        [format!("the vote of {them}"), format!("if {them} fails, writes stop until it is back")]
    } else {
        [
            format!("votes of {them}"),
            "if they fail, writes stop until enough of them are back".to_owned(),
        ]
    };
    format!(
        "After this step the quorum needs {needs}. A reconfig cannot be cancelled once sent: {fails}."
    )
}

fn address_taken(server: ServerId, other: ServerId, port: u16) -> String {
    if server == other {
        return format!("Server {server} would use port {port} of its host twice.");
    }
    format!("Server {server} would use port {port} of its host. Server {other} uses it already.")
}

fn obstacle_sentence(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::ReconfigDisabled(on) => phrases::reconfig_disabled(on),
        Obstacle::WantedDataDiffer(id) => format!(
            "Server {id} is to join, and its data differ from the leader's at the same zxid. They \
             come from another ensemble or are damaged. Apply does not add such a server."
        ),
        Obstacle::NoCommit => "No committed write was seen.".to_owned(),
        Obstacle::WantedStandalone(id) => {
            format!("Server {id} is in the spec and runs standalone, with data of its own.")
        }
        Obstacle::NoPlainPort(id) => format!(
            "The line of server {id} would get a plain client port, and the server has none \
             (clientPort=-1 in conf). A leader hangs when that commits. A follower opens the port \
             at its next restart."
        ),
        Obstacle::WantedAnswersAs(id, other) => {
            format!(
                "Server {id} is in the spec, and the server at its address answers with id {other}."
            )
        }
        Obstacle::TakesOneConnection(id, limit) => takes_one_connection(*id, *limit),
        Obstacle::WantedElsewhere(id) => {
            format!("Server {id} is in the spec and follows another ensemble.")
        }
        Obstacle::MemberAnswersAs(id, other) => {
            format!(
                "Server {id} is a member, and the server at its address answers with id {other}."
            )
        }
    }
}

fn takes_one_connection(id: ServerId, limit: Option<u32>) -> String {
    let need = sessions::TWO_CONNECTIONS;
    match limit {
        Some(1) => format!(
            "Server {id} accepts 1 connection at a time from one address (maxClientCnxns=1). {need}"
        ),
        Some(limit @ 2..) => format!(
            "Server {id} closes a second connection from this machine. Other clients of the same \
             address use the rest of maxClientCnxns={limit}. {need}"
        ),
        Some(0) | None => format!(
            "Server {id} closes a second connection from this machine. The cause is a limit on \
             connections (maxClientCnxns or maxCnxns). {need}"
        ),
    }
}

/// What accepting a breach means, in one text.
pub(super) fn risk(breach: &Breach, findings: &[Finding]) -> String {
    risks(breach, findings).join(" ")
}

/// The same, with a text for each finding that is to be accepted.
pub(super) fn risks(breach: &Breach, findings: &[Finding]) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for (accepting, sentences) in to_accept(breach, findings) {
        texts.extend(sentences.iter().map(|said| format!("{}.", phrases::capital(said))));
        if let Some(last) = texts.last_mut() {
            *last = format!("{last} {}.", phrases::capital(accepting));
        }
    }
    if texts.is_empty() { vec![sentence(&breach.detail)] } else { texts }
}

/// What accepting a breach costs, without what was found.
pub(super) fn cost(breach: &Breach, findings: &[Finding]) -> String {
    let costs = to_accept(breach, findings);
    if costs.is_empty() {
        return sentence(&breach.detail);
    }
    let costs = costs.iter().map(|(accepting, _)| format!("{}.", phrases::capital(accepting)));
    costs.collect::<Vec<_>>().join(" ")
}

/// The findings behind a breach. What may happen is said once, behind everything of which it is said.
fn to_accept(breach: &Breach, findings: &[Finding]) -> Vec<(&'static str, Vec<String>)> {
    let BreachKind::Finding(code) = breach.detail else { return Vec::new() };
    let weighs = |finding: &&Finding| finding.kind.level() == Level::Accept;
    let meant = findings.iter().filter(|finding| finding.kind.code() == code).filter(weighs);
    let mut said: Vec<(&str, Vec<String>)> = Vec::new();
    for (finding, sentence) in findings::findings(&meant.collect::<Vec<_>>()) {
        let accepting = accepting(&finding.kind);
        match said.iter_mut().find(|(same, _)| *same == accepting) {
            Some((_, findings)) => findings.push(sentence),
            None => said.push((accepting, vec![sentence])),
        }
    }
    said
}

/// What may happen if a finding is accepted.
const fn accepting(kind: &FindingKind) -> &'static str {
    match kind {
        FindingKind::KnownBug { .. } => "the bug can occur while members change",
        FindingKind::MixedVersions { joiners: JoinersRun::Older | JoinersRun::Both, .. } => {
            "an older server may not be able to read data that a newer one has written"
        }
        FindingKind::MixedVersions { .. } => {
            "servers may not understand each other's requests: do not switch on a feature that \
             only the newer version has, and do not stop halfway"
        }
        FindingKind::JudgedByCounts { .. } => {
            "only counts of znodes and bytes at one zxid and zkplan's marker are compared; \
             different data with equal counts would pass"
        }
        FindingKind::ConfigWritten => {
            "the next reconfig overwrites the content that was written by hand"
        }
        FindingKind::DataDiffers => {
            "a server with different data may become the leader; find out first which server has \
             the right data (zkplan explain ZKF13), and keep that one"
        }
        FindingKind::MachineNotShown { .. } => {
            "you confirm that it is the same machine with the same data directory; on another \
             machine acknowledged writes can be lost"
        }
        FindingKind::HostileName { .. }
        | FindingKind::ClientPartsMixed { .. }
        | FindingKind::ClientAddressUnusable { .. }
        | FindingKind::WildcardHost { .. }
        | FindingKind::QuorumPortUnreachable
        | FindingKind::ElectionPortClosed
        | FindingKind::MemberSilent
        | FindingKind::MemberNotAsked
        | FindingKind::MemberDisagrees
        | FindingKind::MemberKeepsItsFile
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
        | FindingKind::MembersRetired { .. }
        | FindingKind::LocalSessions { .. }
        | FindingKind::MemberClosesConnections
        | FindingKind::InitLimitTooLow { .. }
        | FindingKind::SettingsDiffer { .. } => "no acceptance is needed",
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
            sentence(&BreachKind::NeedsJoiners { joiners, without: without.clone() })
        };
        assert!(said(&[2]).contains("needs the vote of server 2. A reconfig"), "{}", said(&[2]));
        assert!(
            said(&[3, 4]).contains("needs votes of servers 3 and 4. A reconfig"),
            "{}",
            said(&[3, 4])
        );
    }
}
