//! ZKQ1: the ensemble is healthy before the plan starts.

use std::collections::BTreeSet;

use crate::check::breach::{Breach, BreachKind, Law};
use crate::check::engine::step_table::StepTable;
use crate::model::ServerId;
use crate::observe::{Facts, FindingKind, Level, Obstacle};

/// What the rule asks for.
pub(super) const ASKS: &str = "the ensemble must be healthy before the first change";

/// What helps against a member with another configuration.
pub(super) const RESTART: &str = "restart that server, or find out why it cannot follow the leader";

/// What helps where no quorum follows.
pub(super) const START_VOTERS: &str = "start voters until a quorum follows. Add the client \
                                       addresses of servers that run but were not asked to \
                                       connect.servers";

/// What helps where a quorum follows a leader that was not seen.
pub(super) const FIND_LEADER: &str = "find out which server leads. If it was not asked, add its \
                                      client address to connect.servers; else it accepts no \
                                      clients (leaderServes=no), or is cut off from this machine";

/// What helps where a server takes fewer connections from one address than an apply needs.
pub const RAISE_THE_LIMIT: &str = "set maxClientCnxns=3 or more in zoo.cfg of these servers and \
                                   restart them one at a time, the leader last; or run zkplan on \
                                   a machine with fewer connections to them";

/// The rule, on the facts of now.
pub(in crate::check) fn now(facts: &Facts) -> Vec<Breach> {
    let base = &facts.base.membership;
    let voters = base.voters();
    let acking: BTreeSet<ServerId> = voters.intersection(&facts.synced).copied().collect();
    let votes = StepTable::votes_in(base, voters, acking);
    let law = |detail| Breach::of_plan(Law::Now, detail);
    let mut found: Vec<Breach> =
        facts.obstacles.iter().cloned().map(|o| law(BreachKind::Obstacle(o))).collect();
    let disagreeing = facts.findings.iter().filter_map(|finding| match finding.kind {
        FindingKind::MemberDisagrees => finding.server,
        _ => None,
    });
    found.extend(disagreeing.map(|id| law(BreachKind::MemberDisagrees(id))));
    if votes.spare() < 0 {
        found.push(law(BreachKind::NoLiveQuorum(votes)));
    }
    found
}

/// Obstacles that count even for a plan without steps.
///
/// Such a plan says that the ensemble is as the spec wants it. That is wrong if another server
/// answers at an address of the spec. The live line of a statically configured server has no client
/// part that could differ, so no change would show it.
pub(super) fn mistaken(facts: &Facts) -> Vec<Breach> {
    let obstacles = facts.obstacles.iter().filter(|obstacle| match obstacle {
        Obstacle::WantedStandalone(_)
        | Obstacle::WantedAnswersAs(..)
        | Obstacle::WantedElsewhere(_)
        | Obstacle::MemberAnswersAs(..)
        | Obstacle::WantedDataDiffer(_)
        | Obstacle::NoPlainPort(_) => true,
        Obstacle::ReconfigDisabled(_) | Obstacle::NoCommit | Obstacle::TakesOneConnection(..) => {
            false
        }
    });
    let breach = |obstacle| Breach::of_plan(Law::Now, BreachKind::Obstacle(obstacle));
    obstacles.cloned().map(breach).collect()
}

/// Findings that must be accepted.
pub(in crate::check) fn findings(facts: &Facts) -> Vec<Breach> {
    let weighty = facts.findings.iter().filter(|f| f.kind.level() == Level::Accept);
    let codes: BTreeSet<&'static str> = weighty.map(|finding| finding.kind.code()).collect();
    codes.into_iter().map(|code| Breach::of_plan(Law::Now, BreachKind::Finding(code))).collect()
}

/// How reconfig is switched on. The first leader with reconfigEnabled=true gives its server lines to all;
/// a server with lines in zoo.cfg and `dynamicConfigFile` does not start (`QuorumPeerConfig`).
pub const ENABLE_RECONFIG: &str = "write the same server lines into zoo.cfg of every server (not where it has \
     dynamicConfigFile) and set reconfigEnabled=true in each; then restart one server at a time, the \
     leader last. Restart all of them: do not leave some with reconfigEnabled=true and some with false \
     (zkplan explain super-user)";

/// What helps against an obstacle.
pub(super) fn against_obstacle(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::WantedDataDiffer(id) => format!(
            "stop server {id}, move version-2 out of its dataDir and dataLogDir (keep it), restore the \
             zoo.cfg it first started with, start it, and plan again: it then copies the leader's data"
        ),
        Obstacle::ReconfigDisabled(_) => ENABLE_RECONFIG.to_owned(),
        Obstacle::NoCommit => {
            "find out why writes do not commit: disks, network, too few voters".to_owned()
        }
        Obstacle::WantedStandalone(id) => format!(
            "find out whether the data of server {id} are needed. If not: stop it, move version-2 out of \
             its dataDir and dataLogDir (keep it), and start it with the files of `zkplan joiner`"
        ),
        Obstacle::NoPlainPort(id) => format!(
            "write `clientPort: none` for server {id} in the spec, or give it a clientPort in its \
             zoo.cfg"
        ),
        Obstacle::TakesOneConnection(..) => RAISE_THE_LIMIT.to_owned(),
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
