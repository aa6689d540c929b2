//! What a plan is expected to cost in time: the gap at the leader change and at each restart, and what
//! each joiner has to copy. Figures for reviewers; no rule depends on them, and they are no part of what a plan means.
//!
//! In: a plan with the facts that it was made from. Out: times and bytes as data, the same for the
//! same plan. Where the size of the data was not seen, they are not known, and it says why.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::check::CheckedPlan;
use crate::joiner::to_start;
use crate::model::ServerId;
use crate::observe::{SizeUnknown, TimeSpan};
use crate::plan::{Plan, Step, StepId};

/// An election and the first commit of the new leader, without data to write: from the request that
/// takes the leader out until a write commits again (3.8.0, loopback, `tickTime` 200 to 2000).
/// `tests/README.md` has the measurements.
const ELECTION: TimeSpan = TimeSpan { from_ms: 300, to_ms: 1000 };

/// The same where the leader is stopped for a restart: its connections close at once, and its process
/// goes 0.3 s later (3.5.10, 3.8.6 and 3.9.5 with 3 and 5 voters).
const RESTARTED_LEADER: TimeSpan = TimeSpan { from_ms: 400, to_ms: 1900 };

/// A server that is restarted and does not lead: the others acknowledge without it (the same servers).
const RESTARTED_FOLLOWER: TimeSpan = TimeSpan { from_ms: 0, to_ms: 200 };

/// A learner that has found its leader, and waits for it and for votes, without data to copy. The
/// same source.
const FOLLOWING: TimeSpan = TimeSpan { from_ms: 0, to_ms: 500 };

/// What a plan is expected to cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Prediction {
    /// The length of a snapshot of the data, which a joiner copies; `null` where it is not known.
    pub snapshot_bytes: Option<u64>,
    /// Why it is not known, where it is not. Then no time is.
    pub unknown: Option<SizeUnknown>,
    /// The time without writes at the leader change; `null` where the plan changes no leader.
    pub leader_change: Option<LeaderChangeTime>,
    /// The time without writes at each restart, in the order in which they are planned.
    pub restarts: Vec<RestartTime>,
    /// The joiners that have not copied the data yet, by id. Each is assumed to get a snapshot: the
    /// files that it starts with are not seen.
    pub copies: Vec<CopyTime>,
    /// What each server gives a learner, and what it should give, where it reports its limit.
    pub init_limits: Vec<InitLimitNeed>,
}

/// The time without writes at a leader change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeaderChangeTime {
    /// The step that changes the present leader; `null` where it is not known which server leads.
    pub step: Option<StepId>,
    /// From the request until a write commits again: an election, and the snapshot that the new
    /// leader writes before it serves. Of the servers that may lead next, the slowest counts.
    pub gap: Option<TimeSpan>,
    /// That server.
    pub slowest: Option<ServerId>,
    /// Whether it has reported how long a snapshot takes it. Otherwise a rate is assumed.
    pub is_reported: bool,
}

/// The time without writes while a server is restarted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestartTime {
    /// The step.
    pub step: StepId,
    /// The server.
    pub server: ServerId,
    /// From its stop until a write commits again: at the leader, the time of the leader change. `null`
    /// where that is not known.
    pub gap: Option<TimeSpan>,
}

/// What a joiner has to copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CopyTime {
    /// The joiner.
    pub server: ServerId,
    /// From the moment at which it finds the leader until it follows: it loads a snapshot and writes
    /// it.
    pub time: Option<TimeSpan>,
}

/// The time that a server gives a learner to get its data, and what it should give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InitLimitNeed {
    /// The server.
    pub server: ServerId,
    /// `initLimit` times `tickTime`.
    pub given_ms: u64,
    /// Twice what the slowest server may take to load a snapshot and to write it; `null` where that
    /// is not known.
    pub needed_ms: Option<u64>,
}

impl Prediction {
    /// What a plan is expected to cost, by the facts that it was made from.
    pub fn of(checked: &CheckedPlan) -> Self {
        let plan = checked.plan();
        let data = &plan.facts.data;
        let limits = data.servers.iter().filter_map(|(id, times)| {
            let given_ms = times.init_limit?.saturating_mul(times.tick_ms?);
            Some(InitLimitNeed { server: *id, given_ms, needed_ms: data.needed_ms() })
        });
        let copies: BTreeSet<ServerId> =
            to_start(plan, &plan.facts).into_iter().map(|server| server.id).collect();
        let time = |server| copy(checked, server);
        let change = leader_change(checked);
        Self {
            snapshot_bytes: data.snapshot_bytes(),
            unknown: data.unknown,
            restarts: restarts(plan, change.as_ref()),
            leader_change: change,
            copies: copies.into_iter().map(|id| CopyTime { server: id, time: time(id) }).collect(),
            init_limits: limits.collect(),
        }
    }

    /// The time that is expected for a joiner to copy the data.
    pub fn copy_of(&self, server: ServerId) -> Option<TimeSpan> {
        self.copies.iter().find(|copy| copy.server == server)?.time
    }
}

/// The restarts of a plan. Which of them is the leader's is not known where none was seen to lead.
fn restarts(plan: &Plan, change: Option<&LeaderChangeTime>) -> Vec<RestartTime> {
    let time = |step: &Step| {
        let server = step.restart()?.server;
        let gap = match plan.facts.leader {
            Some(leader) if leader == server => change.and_then(|change| change.gap),
            Some(_) => Some(RESTARTED_FOLLOWER),
            None => None,
        };
        Some(RestartTime { step: step.id.clone(), server, gap })
    };
    plan.schedule().into_iter().filter_map(|(_, step)| time(step)).collect()
}

fn copy(checked: &CheckedPlan, server: ServerId) -> Option<TimeSpan> {
    let data = &checked.plan().facts.data;
    Some(FOLLOWING.and(data.load()?).and(data.write(server)?.0))
}

fn leader_change(checked: &CheckedPlan) -> Option<LeaderChangeTime> {
    let (plan, report) = (checked.plan(), checked.report());
    let step = report.rows.iter().find(|row| row.hands_over).map(|row| row.step.clone());
    // Which server leads by then is not known where none was seen to lead.
    if step.is_none() && !(report.may_hand_over && plan.facts.leader.is_none()) {
        return None;
    }
    // The leader's own change is the last one: those that vote in the end may lead next.
    let mut next = plan.target.voters();
    next.retain(|id| Some(*id) != plan.facts.leader);
    let writes = next.into_iter().filter_map(|id| {
        let (write, is_reported) = plan.facts.data.write(id)?;
        Some((id, write, is_reported))
    });
    let slowest = writes.max_by_key(|(_, write, _)| write.to_ms);
    Some(LeaderChangeTime {
        step,
        gap: slowest.map(|(_, write, _)| {
            let election = if plan.restarts_servers() { RESTARTED_LEADER } else { ELECTION };
            election.and(write)
        }),
        slowest: slowest.map(|(id, ..)| id),
        is_reported: slowest.is_some_and(|(.., is_reported)| is_reported),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::example::{Example, id, participants};
    use crate::model::MinTolerance;
    use crate::observe::{DataSeen, Facts, TimesSeen};
    use crate::proposal::{propose, propose_restarts};

    const BYTES: u64 = 206_000_000;

    /// A plan from servers 1 to 3, which server 1 leads, to those; with what was seen of the data.
    fn planned(wanted: &[i64], data: DataSeen) -> CheckedPlan {
        let example = Example::new("1 2 3", &participants(wanted))
            .policy(|policy| policy.min_tolerance = MinTolerance::AtLeast(0));
        let facts = Facts { leader: Some(id(1)), data, ..example.facts() };
        propose(&example.target(), &facts, &[]).map_err(|refusal| refusal.breaches).expect("a plan")
    }

    fn seen(snapshots: &[(i64, u64)]) -> DataSeen {
        let times =
            |ms| TimesSeen { snapshot_ms: Some(ms), tick_ms: Some(2000), init_limit: Some(10) };
        let servers = snapshots.iter().map(|(id, ms)| (ServerId::new(*id), times(*ms)));
        DataSeen {
            bytes: Some(BYTES),
            znodes: Some(24_318),
            unknown: None,
            servers: servers.collect::<BTreeMap<_, _>>(),
        }
    }

    /// The slowest of those that may lead next counts.
    #[test]
    fn the_gap_is_an_election_and_the_snapshot_of_the_slowest_next_leader() {
        let data = seen(&[(1, 9000), (2, 2541), (3, 2700)]);
        let change = Prediction::of(&planned(&[2, 3], data)).leader_change.expect("a change");
        assert_eq!(change.step, Some(StepId::new("leave-1")));
        assert_eq!((change.slowest, change.is_reported), (Some(ServerId::new(3)), true));
        assert_eq!(change.gap, Some(TimeSpan { from_ms: 3000, to_ms: 3700 }));
    }

    /// What a server has not shown is assumed, and may be what decides.
    #[test]
    fn a_next_leader_that_has_shown_nothing_is_taken_at_a_rate() {
        let data = seen(&[(1, 2541), (2, 2541)]);
        let change = Prediction::of(&planned(&[2, 3], data)).leader_change.expect("a change");
        assert_eq!((change.slowest, change.is_reported), (Some(ServerId::new(3)), false));
        let gap = change.gap.expect("a size");
        assert!(gap.from_ms > 2000 && gap.to_ms < 4600, "{gap:?}");
    }

    #[test]
    fn a_leader_that_stays_has_no_gap_and_a_joiner_copies_all() {
        let prediction = Prediction::of(&planned(&[1, 2, 3, 4], seen(&[(1, 2541)])));
        assert_eq!(prediction.leader_change, None);
        assert_eq!(prediction.snapshot_bytes, Some(BYTES + 24_318 * 76));
        let time = prediction.copy_of(ServerId::new(4)).expect("a size");
        assert!((4000..6000).contains(&time.from_ms) && time.to_ms < 11_000, "{time:?}");
        let [limit] = &prediction.init_limits[..] else { panic!("{prediction:?}") };
        assert_eq!(limit.given_ms, 20_000);
        assert!((16_000..18_000).contains(&limit.needed_ms.expect("a size")), "{limit:?}");
    }

    /// One that follows has copied the data; the other one has not.
    #[test]
    fn a_joiner_that_follows_copies_nothing() {
        let example = Example::new("1 2 3", &participants(&[1, 2, 3, 4, 5]));
        let following = [id(4)].into();
        let facts = Facts { leader: Some(id(1)), data: seen(&[]), following, ..example.facts() };
        let plan = propose(&example.target(), &facts, &[]).map_err(|refusal| refusal.breaches);
        let copies = Prediction::of(&plan.expect("a plan")).copies;
        assert_eq!(copies.iter().map(|copy| copy.server).collect::<Vec<_>>(), [ServerId::new(5)]);
    }

    /// Only the leader's restart is an election, and how long that takes depends on the data.
    #[test]
    fn a_restart_takes_no_time_but_that_of_the_leader() {
        let example = Example::new("1 2 3", "1 2 3");
        let all = [1, 2, 3].map(id).into();
        let planned = |data| {
            let facts = Facts { leader: Some(id(1)), data, ..example.facts() };
            let plan = propose_restarts(&example.target(), &facts, &[], &all);
            let plan = plan.expect("restarts").map_err(|refusal| refusal.breaches);
            Prediction::of(&plan.expect("a plan"))
        };
        let gaps = |prediction: &Prediction| -> Vec<(i64, Option<u64>)> {
            let gap = |time: &RestartTime| (time.server.get(), time.gap.map(|gap| gap.to_ms));
            prediction.restarts.iter().map(gap).collect()
        };
        let known = planned(seen(&[(2, 2541), (3, 2541)]));
        assert_eq!(gaps(&known), [(2, Some(200)), (3, Some(200)), (1, Some(4441))]);
        let unknown = planned(DataSeen::default());
        assert_eq!(gaps(&unknown), [(2, Some(200)), (3, Some(200)), (1, None)]);
    }

    #[test]
    fn without_a_size_no_time_is_named() {
        let data = DataSeen { unknown: Some(SizeUnknown::NotAllowed), ..DataSeen::default() };
        let prediction = Prediction::of(&planned(&[2, 3, 4], data));
        assert_eq!(prediction.unknown, Some(SizeUnknown::NotAllowed));
        let change = prediction.leader_change.expect("a change");
        assert_eq!((change.gap, change.slowest), (None, None));
        let [copy] = &prediction.copies[..] else { panic!("{:?}", prediction.copies) };
        assert_eq!((copy.server, copy.time), (ServerId::new(4), None));
    }
}
