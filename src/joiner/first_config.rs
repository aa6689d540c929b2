//! The first start of a joiner: which joiners are to be started, and the configuration with which
//! they can only join.

use std::collections::BTreeSet;
use std::fmt;

use crate::model::{Membership, Reconfig, Server, ServerId};
use crate::observe::Facts;
use crate::plan::{Action, Plan};

/// Wanted servers that a configuration does not have yet, and those that take over the id of a member
/// on another machine.
pub fn new_servers<'a>(
    wanted: &'a Membership,
    present: &Membership,
    other_machine: &BTreeSet<ServerId>,
) -> Vec<&'a Server> {
    let is_new = |id: ServerId| !present.contains(id) || other_machine.contains(&id);
    wanted.servers().filter(|server| is_new(server.id)).collect()
}

/// Joiners that were not seen following: servers that are no members, and servers that take over the
/// id of a member on another machine.
///
/// `now` is what is known now. For a saved plan, that is not what was known when it was made.
pub fn to_start<'a>(plan: &'a Plan, now: &Facts) -> Vec<&'a Server> {
    let awaited = plan.steps().filter_map(|step| match step.action {
        Action::AwaitJoiner(id) => Some(id),
        _ => None,
    });
    let awaited: BTreeSet<ServerId> = awaited.collect();
    let mut new = new_servers(&plan.target, &now.base.membership, &now.other_machine);
    new.retain(|server| awaited.contains(&server.id) && !now.following.contains(&server.id));
    new
}

/// The configuration with which a joiner is started. Printed, it is the lines of its `zoo.cfg`
/// beside those that each server has for itself, like `dataDir`.
///
/// It contains the present voters, so that the joiner finds the leader, and the joiners as observers,
/// so that joiners can never elect one of themselves (`QuorumPeer.updateLearnerType` makes it a
/// follower without a vote on contact). Present observers are left out: a joiner asks voters for the
/// leader (`QuorumPeer.getVotingView`), and takes the whole configuration from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstConfig {
    members: Membership,
}

impl FirstConfig {
    /// The configuration for these joiners of an ensemble.
    pub fn of(present: &Membership, joiners: &[&Server]) -> Self {
        let observers = present.servers().filter(|server| !server.votes()).map(|server| server.id);
        let mut members =
            observers.fold(present.clone(), |members, id| members.with(&Reconfig::leave(id)));
        for joiner in joiners {
            members = members.with(&Reconfig::join((*joiner).clone().observing()));
        }
        Self { members }
    }

    /// The lines of the servers alone.
    pub const fn members(&self) -> &Membership {
        &self.members
    }
}

impl fmt::Display for FirstConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "standaloneEnabled=false\nreconfigEnabled=true")?;
        self.members.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;
    use crate::proposal::propose;

    const PRESENT: &str = "server.1=h1:2888:3888:participant;0.0.0.0:2181\n\
                           server.2=h2:2888:3888:participant;0.0.0.0:2181\n\
                           server.3=h3:2888:3888:participant;0.0.0.0:2181\n\
                           server.9=h9:2888:3888:observer;0.0.0.0:2181\n";
    const JOINERS: &str = "server.4=h4:2888:3888:participant;0.0.0.0:2181\n\
                           server.5=h5:2888:3888:participant;0.0.0.0:2181\n";

    fn members(text: &str) -> Membership {
        Membership::parse(text).expect("server lines")
    }

    /// Two joiners that listed each other as voters could elect one of themselves.
    #[test]
    fn a_joiner_is_an_observer_in_its_own_file_and_finds_the_voters() {
        let joiners = members(JOINERS);
        let joiners: Vec<&Server> = joiners.servers().collect();
        let config = FirstConfig::of(&members(PRESENT), &joiners).to_string();
        let lines: Vec<&str> = config.lines().collect();
        assert_eq!(
            lines,
            [
                "standaloneEnabled=false",
                "reconfigEnabled=true",
                "server.1=h1:2888:3888:participant;0.0.0.0:2181",
                "server.2=h2:2888:3888:participant;0.0.0.0:2181",
                "server.3=h3:2888:3888:participant;0.0.0.0:2181",
                "server.4=h4:2888:3888:observer;0.0.0.0:2181",
                "server.5=h5:2888:3888:observer;0.0.0.0:2181",
            ]
        );
    }

    #[test]
    fn joiners_that_follow_are_not_to_be_started() {
        let (target, mut facts) = example::lines(PRESENT, &format!("{PRESENT}{JOINERS}"));
        let checked = propose(&target, &facts, &[]).expect("a plan");
        let started = |now: &Facts| -> Vec<i64> {
            to_start(checked.plan(), now).iter().map(|server| server.id.get()).collect()
        };
        assert_eq!(started(&facts), [4, 5]);
        facts.following.insert(ServerId::new(4));
        assert_eq!(started(&facts), [5]);
    }
}
