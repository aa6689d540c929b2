//! What past runs tell about the servers that they retired: which are asked beside the members, what
//! their answers mean, and which run retired one side where two histories answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::journal::Run;
use super::journal_reader::{Archive, Journal};
use super::old_runs::READ;
use super::retired::{Moved, Retired, claim, has, is_closed, last_entry, retired, target};
use crate::check::CheckedPlan;
use crate::ensemble::{Ensemble, RequestError, Session};
use crate::model::{Endpoint, Membership, ServerId};
use crate::observe::{
    AskedServer, Beside, Clients, Finding, FindingKind, Lineage, Observation, RetiredBy,
    RetiredState, ServerStatus, ask_beside,
};
use crate::saved;

/// The membership that runs are held against, and the operator's clock.
#[derive(Debug, Clone, Copy)]
pub struct Watch<'a> {
    members: &'a Membership,
    /// The time since 1970.
    now: Duration,
}

/// What earlier runs say of retired servers.
#[derive(Debug, Default)]
pub struct PastRuns {
    /// Servers that are no members any more.
    retired: Vec<Retired>,
    /// The run that retired members of today.
    moved: Option<Moved>,
    /// Where the latest run brings the ensemble to, where that is to be asked.
    targets: Vec<(ServerId, Endpoint)>,
    /// The runs.
    runs: Vec<Run>,
}

/// What answers at the addresses that were asked.
type Answers = BTreeMap<(ServerId, Endpoint), Beside>;

/// A server that a run retired, and what answers at its address now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetiredSeen {
    /// The run.
    pub run: u64,
    /// Its id.
    pub id: ServerId,
    /// Where it was reached, where that is known.
    pub at: Option<Endpoint>,
    /// What answers there. `None` if it was not asked, or no such server answered in time.
    pub answer: Option<Beside>,
    /// The clients on it, where that was asked and reported.
    pub clients: Option<Clients>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct RetiredFound {
    /// The servers that runs retired.
    pub servers: Vec<RetiredSeen>,
    /// What a plan reports.
    pub findings: Vec<Finding>,
    /// Where servers serve that an earlier run moved this ensemble to, and not this ensemble.
    pub rivals: Vec<Endpoint>,
}

impl<'a> Watch<'a> {
    /// For these members, at that time since 1970.
    pub const fn of(members: &'a Membership, now: Duration) -> Self {
        Self { members, now }
    }

    /// Reads what the journal says; `stored` is the plan of the last run, where it is open.
    pub async fn read<S: Session>(
        self,
        archive: &Archive<'_, S>,
        journal: &Journal,
        stored: Option<&CheckedPlan>,
    ) -> Result<PastRuns, RequestError> {
        let Self { members, now } = self;
        let latest = &journal.runs.latest;
        let mut runs = archive.retiring(latest, READ).await?;
        runs.extend(latest.iter().cloned());
        let claim = claim(runs.iter(), members, now);
        let read = match claim {
            Some(claim) if stored.is_none() => archive.plan(claim.latest).await?,
            _ => None,
        };
        let read = read.and_then(|text| saved::read_kept(&text).ok());
        let plan = stored.or(read.as_ref()).map(CheckedPlan::plan);
        let is_its = |run: &Run| plan.is_some_and(|plan| run.is_of(&saved::plan_id(plan)));
        let plan = plan.filter(|_| runs.iter().any(is_its));
        let moved = claim.zip(plan).and_then(|(claim, plan)| claim.moved(plan, members));
        let targets = plan.filter(|_| moved.is_some() || stored.is_some()).map(target);
        let targets = targets.into_iter().flatten().filter_map(|(id, at)| Some((id, at?)));
        let targets = targets.collect();
        Ok(PastRuns { retired: retired(runs.iter(), members, now), moved, targets, runs })
    }
}

impl PastRuns {
    /// Asks the retired servers, and those that came in their place.
    pub async fn ask(&self, port: &impl Ensemble, seen: &Observation) -> RetiredFound {
        let servers = self.retired.iter().filter_map(|one| Some((one.line.id, one.at.clone()?)));
        let servers: Vec<_> = servers.chain(self.targets.iter().cloned()).collect();
        if servers.is_empty() && self.moved.is_none() && self.retired.is_empty() {
            return RetiredFound::default();
        }
        let answers = ask_beside(port, seen, &servers).await;
        let answer = |id: ServerId, at: &Endpoint| answers.get(&(id, at.clone())).copied();
        let serves = |(id, at): &(ServerId, Endpoint)| {
            matches!(answer(*id, at), Some(Beside::Serves(_))).then(|| at.clone())
        };
        let rivals: Vec<Endpoint> = self.targets.iter().filter_map(serves).collect();
        let mut findings = Vec::new();
        let mut servers = Vec::new();
        for one in &self.retired {
            let (run, id) = (one.run, one.line.id);
            let answer = one.at.as_ref().and_then(|at| answer(id, at));
            servers.push(RetiredSeen { run, id, at: one.at.clone(), answer, clients: None });
            let Some((at, answer)) = one.at.as_ref().zip(answer) else { continue };
            add(&mut findings, run, (id, at), answer);
        }
        let moved = self.moved.iter().filter(|moved| !is_back(moved, seen, &answers));
        findings.extend(moved.map(members_retired));
        RetiredFound { servers, findings, rivals }
    }

    /// The run that retired members of one of two histories; this journal is of the history `own`.
    pub fn claim(&self, histories: &[Lineage; 2], own: usize) -> Option<RetiredBy> {
        let by = |number: u64, side: usize, from, to| {
            let run = self.runs.iter().find(|run| run.number == number)?;
            let last_entry = last_entry(run).unwrap_or_default().to_owned();
            let is_closed = is_closed(run);
            Some(RetiredBy { run: number, is_closed, last_entry, side, from, to })
        };
        if let Some(moved) = &self.moved {
            let to = moved.to.keys().copied().collect();
            return by(moved.run, own, moved.from.clone(), to);
        }
        let theirs = &histories[1 - own].config.membership;
        let theirs = self.retired.iter().filter(|one| has(theirs, &one.line));
        let latest = theirs.clone().map(|one| one.run).max()?;
        let from = theirs.filter(|one| one.run == latest).map(|one| one.line.id).collect();
        by(latest, 1 - own, from, BTreeSet::new())
    }
}

/// Adds a server to the finding about those that one run retired and that do the same.
fn add(findings: &mut Vec<Finding>, by: u64, (id, at): (ServerId, &Endpoint), answer: Beside) {
    let (now, mode) = match answer {
        Beside::Follows => (RetiredState::Follow, None),
        Beside::Serves(mode) => (RetiredState::Serve, Some(mode)),
        Beside::NotKnown(mode) => (RetiredState::NotKnown, Some(mode)),
    };
    let mode = mode.map(|mode| mode.word().to_owned());
    let one = AskedServer { id, at: Some(at.to_string()), mode };
    let same = findings.iter_mut().find_map(|finding| match &mut finding.kind {
        FindingKind::RetiredAnswers { run, state, servers } if *run == by && *state == now => {
            Some(servers)
        }
        _ => None,
    });
    match same {
        Some(servers) => servers.push(one),
        None => findings.push(Finding {
            kind: FindingKind::RetiredAnswers { run: by, state: now, servers: vec![one] },
            server: None,
        }),
    }
}

/// Members that a run retired.
fn members_retired(moved: &Moved) -> Finding {
    let moved_to = moved.to.iter().map(|(id, at)| AskedServer {
        id: *id,
        at: at.as_ref().map(ToString::to_string),
        mode: None,
    });
    let kind = FindingKind::MembersRetired {
        run: moved.run,
        members: moved.from.clone(),
        moved_to: moved_to.collect(),
    };
    Finding { kind, server: None }
}

/// Whether a server that a run moved the ensemble to follows this ensemble: then the members were
/// changed back without zkplan, and no old data serve.
fn is_back(moved: &Moved, seen: &Observation, answers: &Answers) -> bool {
    moved.to.iter().any(|(id, at)| {
        let answer = at.as_ref().and_then(|at| answers.get(&(*id, at.clone())));
        let wanted = seen.servers.get(id).map(|observed| &observed.status);
        answer == Some(&Beside::Follows) || wanted == Some(&ServerStatus::FollowingWithoutVote)
    })
}

/// The run that both journals name, or the one that can be read. Old data may hold a run open that is
/// closed by now; only the plan tells where it moved the ensemble to.
pub fn agreed(mut claims: Vec<RetiredBy>) -> Option<RetiredBy> {
    claims.sort_by_key(|claim| claim.to.is_empty());
    let (first, others) = claims.split_first_mut()?;
    for other in others.iter() {
        if other.side != first.side {
            return None;
        }
        if other.run == first.run && other.last_entry > first.last_entry {
            first.is_closed |= other.is_closed;
            first.last_entry.clone_from(&other.last_entry);
        }
    }
    Some(first.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimed(run: u64, side: usize, to: &[i64], is_closed: bool, last_entry: &str) -> RetiredBy {
        let to = to.iter().copied().map(ServerId::new).collect();
        let from = [ServerId::new(1)].into();
        RetiredBy { run, is_closed, last_entry: last_entry.into(), side, from, to }
    }

    /// Old data may hold a run open that the other journal shows as closed.
    #[test]
    fn two_journals_name_one_run_or_none_is_named() {
        let newer = claimed(3, 1, &[], true, "2026-03-02T10:00:00Z");
        let older = claimed(3, 1, &[4], false, "2026-03-02T09:00:00Z");
        let both = agreed(vec![newer.clone(), older.clone()]).expect("the same run");
        assert_eq!(both, claimed(3, 1, &[4], true, "2026-03-02T10:00:00Z"));
        assert_eq!(agreed(vec![older.clone()]), Some(older.clone()));
        assert_eq!(agreed(vec![older, RetiredBy { side: 0, ..newer }]), None);
        assert_eq!(agreed(Vec::new()), None);
    }

    /// One sentence for the servers of one run that do the same.
    #[test]
    fn servers_that_one_run_retired_and_that_do_the_same_are_one_finding() {
        let at = Endpoint::plain(crate::model::Host::new("10.0.0.1"), 2181);
        let mut findings = Vec::new();
        let answers = [
            (1, 1, Beside::Follows),
            (1, 2, Beside::Follows),
            (1, 3, Beside::NotKnown(crate::observe::Mode::Follower)),
            (2, 4, Beside::Follows),
        ];
        for (run, id, answer) in answers {
            add(&mut findings, run, (ServerId::new(id), &at), answer);
        }
        let found = findings.iter().map(|finding| match &finding.kind {
            FindingKind::RetiredAnswers { run, state, servers } => {
                (*run, *state, servers.iter().map(|server| server.id.get()).collect())
            }
            other => panic!("{other:?}"),
        });
        let found: Vec<(u64, RetiredState, Vec<i64>)> = found.collect();
        let (follow, unknown) = (RetiredState::Follow, RetiredState::NotKnown);
        let expected = [(1, follow, vec![1, 2]), (1, unknown, vec![3]), (2, follow, vec![4])];
        assert_eq!(found, expected);
    }
}
