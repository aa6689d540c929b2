//! What helps against a broken safety rule.

use super::{phrases, sessions};
use crate::check::{Breach, BreachKind};
use crate::observe::Obstacle;
use crate::proposal::Refusal;

/// What may help where no change of policy does, the most important first. Where something is wrong
/// with the change as a whole, nothing else is corrected before it. Beside a remedy there is none.
pub fn hints(refusal: &Refusal) -> Vec<String> {
    if !refusal.remedies.is_empty() {
        return Vec::new();
    }
    let is_whole = refusal.breaches.iter().any(Breach::is_of_the_whole);
    let mut hints: Vec<String> = Vec::new();
    for breach in refusal.breaches.iter().filter(|breach| !is_whole || breach.is_of_the_whole()) {
        for hint in applying(&breach.detail, refusal) {
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
    }
    hints
}

/// What helps against this one, as far as it applies to what is there.
fn applying(detail: &BreachKind, refusal: &Refusal) -> Vec<String> {
    let facts = &refusal.nearest.facts;
    match detail {
        BreachKind::TooFewAcknowledge(_)
        | BreachKind::SpareTooSmall { .. }
        | BreachKind::NoWayBack(_) => {
            let voters = facts.base.membership.voters();
            let down: Vec<_> = voters.difference(&facts.live).collect();
            let start = (!down.is_empty()).then(|| {
                format!(
                    "start what is down of {}, and wait until all are synced",
                    phrases::servers(down)
                )
            });
            let is_one = refusal.nearest.changes.len() == 1;
            let split = if is_one { ADD_FIRST } else { FEWER_AT_A_TIME };
            start.into_iter().chain([split.to_owned()]).collect()
        }
        // A quorum follows: with none there would be no configuration to plan from.
        BreachKind::NoLiveQuorum(_) if facts.leader.is_none() && !facts.assumed => {
            vec!["find out which server leads. If it was not asked, add its client address to \
                  connect.servers; else it accepts no clients (leaderServes=no), or is cut off from \
                  this machine"
                .to_owned()]
        }
        BreachKind::Obstacle(obstacle) => vec![obstacle_hint(obstacle)],
        // An acceptance is no way out while something else stands against the plan.
        BreachKind::NeedsJoiners { .. } | BreachKind::Finding(_)
            if refusal.breaches.iter().any(|breach| !breach.detail.is_acceptable()) =>
        {
            Vec::new()
        }
        _ => vec![hint(detail).to_owned()],
    }
}

/// What helps where quorums are too small on the way of several changes.
const FEWER_AT_A_TIME: &str = "change fewer voters at a time: in several specs, applied one after the \
                               other, or add voters before you change or remove others";

/// The same of one change.
const ADD_FIRST: &str = "add voters before you change or remove others";

/// What helps against a breach, whatever is there.
const fn hint(detail: &BreachKind) -> &'static str {
    match detail {
        BreachKind::Obstacle(_) => "correct what stands in the way",
        BreachKind::MemberDisagrees(_) => {
            "restart that server, or find out why it cannot follow the leader"
        }
        BreachKind::NoLiveQuorum(_) => {
            "start voters until a quorum follows. Add the client addresses of servers that run \
             but were not asked to connect.servers"
        }
        BreachKind::TooFewAcknowledge(_)
        | BreachKind::SpareTooSmall { .. }
        | BreachKind::NoWayBack(_) => ADD_FIRST,
        BreachKind::NeedsJoiners { .. } | BreachKind::Finding(_) => {
            "accept the risk, or fix the cause"
        }
        BreachKind::ZoneLoss(_) => "set policy.zones: best, or put the voters into more zones",
        BreachKind::NotAwaited(_)
        | BreachKind::LeaderNotLast(_)
        | BreachKind::LeavesTooEarly { .. }
        | BreachKind::NoOverlap { .. }
        | BreachKind::BlankQuorum { .. }
        | BreachKind::StopsMember(_)
        | BreachKind::StopsUnproven(_)
        | BreachKind::NotBlank(_)
        | BreachKind::TooManyOrders(_) => {
            "split the change into several specs, applied one after the other"
        }
        BreachKind::WrongEnd
        | BreachKind::Mislabelled
        | BreachKind::OutOfTurn
        | BreachKind::TooManyTogether { .. }
        | BreachKind::UnlikeSteps
        | BreachKind::OtherTolerance { .. } => {
            "report this bug, with the spec and the output of zkCli.sh config"
        }
        BreachKind::FurtherHandOver(_) | BreachKind::BeforeGate(_) => {
            "make a new plan: the ensemble has changed since this one was made"
        }
        BreachKind::NotAscending { .. } => "give new servers higher ids than the present ones",
        BreachKind::TooFewParticipants { .. } => {
            "keep two participants, or set standaloneEnabled=false in zoo.cfg of every server and \
             policy.standaloneEnabled: false in the spec"
        }
        BreachKind::AddressTaken { .. } => "give the server a free port or another host",
        BreachKind::WildcardHost(_) | BreachKind::LoopbackHost(_) => {
            "give a host name or address at which the other servers reach it"
        }
        BreachKind::LoopbackClient(_) => {
            "give the host at which clients reach it; without one the server listens on all \
             addresses"
        }
        BreachKind::ClientUnproven(_) => {
            "make sure that the server answers at its clientPort of the spec, or accept the risk"
        }
        BreachKind::ClientLost(_) => "give the server its client port in the spec",
        BreachKind::UnwantableId(_) => "choose an id from 1 to 254 that was never used",
        BreachKind::OtherMachine(_) => {
            "give the new machine an id from 1 to 254 that was never used"
        }
        BreachKind::Shrinks { .. } => "raise policy.maxShrink, or shrink in several specs",
        BreachKind::NoGroup(_) => "give it a group in the spec, and a weight if it is not 1",
        BreachKind::OtherPlace(_) => {
            "remove the server, and add it under a new id with the new group and weight"
        }
        BreachKind::GroupsOfMajority(_) => "remove group and weight from the spec",
        BreachKind::TooManyWeights => "give the servers of one group equal weights",
        BreachKind::OddPlaces => {
            "change groups and weights by hand; zkplan keeps what the spec does not change"
        }
        BreachKind::SeveralAddresses(_) => {
            "change the line of that server by hand; zkplan keeps what the spec does not change"
        }
    }
}

fn obstacle_hint(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::WantedDataDiffer(id) => format!(
            "stop server {id}, move version-2 out of its data directory (and out of dataLogDir) and \
             keep it, restore the zoo.cfg it first started with, start it, and plan again: it then \
             copies the leader's data"
        ),
        Obstacle::ReconfigDisabled(_) => "set reconfigEnabled=true in zoo.cfg of every server and \
                                          restart the servers one at a time, the leader last"
            .to_owned(),
        Obstacle::NoCommit => {
            "find out why writes do not commit: disks, network, too few voters".to_owned()
        }
        Obstacle::WantedStandalone(id) => format!(
            "stop server {id}, move version-2 out of its data directory (and out of dataLogDir) and \
             keep it, and start it with a zoo.cfg that lists the members; a new server lists itself \
             as observer"
        ),
        Obstacle::NoPlainPort(id) => format!(
            "write `clientPort: none` for server {id} in the spec, or give it a clientPort in its \
             zoo.cfg"
        ),
        Obstacle::TakesOneConnection(..) => sessions::RAISE_THE_LIMIT.to_owned(),
        Obstacle::WantedAnswersAs(id, _) => {
            format!("correct the myid file of server {id}, or its address in the spec")
        }
        Obstacle::WantedElsewhere(id) => format!(
            "correct the address of server {id} in the spec, or remove it from the other ensemble \
             first"
        ),
        Obstacle::MemberAnswersAs(id, _) => format!(
            "correct the myid file at the address of server {id}, or find out which server has \
             taken that address"
        ),
    }
}
