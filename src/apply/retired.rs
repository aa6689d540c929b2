//! The servers that earlier runs retired, and their addresses.
//!
//! Retired servers that get their first files back can elect a leader among themselves and serve an
//! old copy of the data. The configuration of this ensemble no longer contains them, but the
//! journal does. Only proven runs are used here ([`super::journal_reader`]), and such a server receives
//! only questions without credentials.
//!
//! The watch ends by itself. No attestation is needed that a server is gone: one that refuses the
//! connection, or serves another ensemble, is no finding.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, UNIX_EPOCH};

use super::journal::{Entry, Run};
use crate::model::{Endpoint, Membership, Server, ServerId};
use crate::observe::contact;
use crate::plan::{ChangeVerb, Plan, Step};

/// How long after its last entry the servers that a run retired are watched.
pub const WATCHED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A server that a run has retired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    /// The run, the latest of several.
    pub run: u64,
    /// Its line before.
    pub line: Server,
    /// Where it was reached, where that is known.
    pub at: Option<Endpoint>,
}

/// A run that moved the ensemble away from servers, by its records and its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Its number.
    pub run: u64,
    /// Servers that it retired and that are still members.
    pub from: BTreeSet<ServerId>,
    /// The servers to which it moved the ensemble, and their addresses if known.
    pub to: BTreeMap<ServerId, Option<Endpoint>>,
}

/// The runs that are needed to judge a membership by earlier retirements.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The run that removed servers which are members now.
    by: &'a Run,
    /// The latest run. Its plan shows whether they came back, and which servers replaced them.
    pub latest: &'a Run,
}

/// The servers that runs have retired recently and that are no members.
///
/// `now` is the operator's clock, as the time since 1970 (UTC). A run whose time cannot be read
/// counts as recent.
pub fn retired<'a>(
    runs: impl DoubleEndedIterator<Item = &'a Run>,
    members: &Membership,
    now: Duration,
) -> Vec<Retired> {
    let mut found: Vec<Retired> = Vec::new();
    for run in runs.rev().filter(|run| is_watched(run, now)) {
        for (line, at) in leaving(run) {
            let is_known = found.iter().any(|known| is_same(&known.line, &line));
            if !is_known && !has(members, &line) {
                found.push(Retired { run: run.number, line, at });
            }
        }
    }
    found
}

/// The runs that may contradict a membership. The plan of the latest one must be read to decide.
pub fn claim<'a>(
    runs: impl DoubleEndedIterator<Item = &'a Run>,
    members: &Membership,
    now: Duration,
) -> Option<Claim<'a>> {
    let mut runs = runs.rev().filter(|run| run.is_begun());
    let latest = runs.next()?;
    let speaks = |run: &&Run| {
        (is_closed(run) || (run.number == latest.number && has_retired(run)))
            && is_recent(run, now)
            && leaving(run).any(|(line, _)| has(members, &line))
    };
    let by = std::iter::once(latest).chain(runs).find(speaks)?;
    Some(Claim { by, latest })
}

impl Claim<'_> {
    /// The judgement of a membership by the plan of the latest run. `None` if a retired server came
    /// back later, or if the run has not removed it yet.
    pub fn moved(self, plan: &Plan, members: &Membership) -> Option<Moved> {
        let committed = self.by.committed();
        let steps = plan.steps().filter(|step| committed.contains(&step.id));
        let left: BTreeSet<ServerId> = steps
            .flat_map(Step::parts)
            .filter(|part| part.change == ChangeVerb::Leave)
            .map(|part| part.server)
            .collect();
        let is_latest = self.by.number == self.latest.number;
        let is_out = |line: &Server| match (is_latest, is_closed(self.by)) {
            (true, true) => true,
            (true, false) => left.contains(&line.id),
            (false, _) => !has(&plan.facts.base.membership, line) && !has(&plan.target, line),
        };
        let lines = leaving(self.by).map(|(line, _)| line);
        let from = lines.filter(|line| has(members, line) && is_out(line));
        let from: BTreeSet<ServerId> = from.map(|line| line.id).collect();
        (!from.is_empty()).then(|| Moved { run: self.by.number, from, to: target(plan) })
    }
}

/// The servers of a plan's target, and their addresses.
pub fn target(plan: &Plan) -> BTreeMap<ServerId, Option<Endpoint>> {
    let reach = |server: &Server| plan.reach.get(&server.id).map(|reach| reach.client.clone());
    let servers = plan.target.servers();
    servers.map(|line| (line.id, reach(line).or_else(|| line.client_endpoint()))).collect()
}

/// Whether two lines describe one server: the same id, reached by the other servers in the same
/// way.
pub fn is_same(one: &Server, other: &Server) -> bool {
    one.id == other.id && one.peers == other.peers
}

/// Whether a membership has that server.
pub fn has(members: &Membership, line: &Server) -> bool {
    members.get(line.id).is_some_and(|member| is_same(member, line))
}

/// The time of a run's last entry, by the clock of that host.
pub fn last_entry(run: &Run) -> Option<&str> {
    run.records.last().map(|record| record.at.as_str())
}

/// Whether a run has done everything.
pub fn is_closed(run: &Run) -> bool {
    run.records.iter().any(|record| record.entry == Entry::Closed)
}

/// Whether servers that a run removes can be removed already: the run is complete, or partly done.
fn has_retired(run: &Run) -> bool {
    is_closed(run) || !run.committed().is_empty()
}

/// Whether a run has removed servers, recently enough for them to be watched.
pub fn is_watched(run: &Run, now: Duration) -> bool {
    has_retired(run) && is_recent(run, now) && leaving(run).next().is_some()
}

/// A time of day in a journal (RFC 3339, UTC), as the time since 1970.
pub fn since_1970(at: &str) -> Option<Duration> {
    humantime::parse_rfc3339_weak(at).ok()?.duration_since(UNIX_EPOCH).ok()
}

fn is_recent(run: &Run, now: Duration) -> bool {
    let at = last_entry(run).and_then(since_1970);
    let age = at.and_then(|at| now.checked_sub(at));
    age.is_none_or(|age| age <= WATCHED)
}

/// The servers that a run removes, as far as its header is understood.
fn leaving(run: &Run) -> impl Iterator<Item = (Server, Option<Endpoint>)> {
    let leaving = run.header.iter().flat_map(|header| header.leaving.values());
    leaving.filter_map(|text| {
        let line = Server::parse_line(&text.line).ok()?;
        Some((line, text.client.as_deref().and_then(|client| contact(client, text.tls))))
    })
}

#[cfg(test)]
mod tests {
    use super::super::journal::{CommitEvidence, Header, LeavingText, Record, Stamp};
    use super::*;
    use crate::plan::StepId;

    const DAY: &str = "2026-03-01T12:00:00Z";

    fn line(number: i64) -> String {
        format!("server.{number}=10.0.0.{number}:2888:3888:participant;0.0.0.0:2181")
    }

    fn members(numbers: &[i64]) -> Membership {
        let lines: Vec<String> = numbers.iter().map(|number| line(*number)).collect();
        Membership::parse(&lines.join("\n")).expect("a membership")
    }

    /// A run that takes these servers out.
    fn run(number: u64, leaving: &[i64], entries: Vec<Entry>) -> Run {
        let [nonce, who, host] = ["n", "w", "h"].map(str::to_owned);
        let by = Stamp { nonce, who, host, pid: 1, at: DAY.into() };
        let text = |number: &i64| {
            let client = Some(format!("10.0.0.{number}:2181"));
            (*number, LeavingText { line: line(*number), client, tls: false })
        };
        let leaving = leaving.iter().map(text).collect();
        Run {
            number,
            header: Ok(Header::new("p".into(), "e".into(), 1, leaving, by)),
            last: entries.len() as u64,
            illegible: BTreeMap::new(),
            records: entries.into_iter().map(|e| Record::new(e, "n".into(), DAY.into())).collect(),
        }
    }

    fn committed(step: &str) -> Entry {
        let (step, version) = (StepId::new(step), "300000005".to_owned());
        Entry::Committed { step, version, known: CommitEvidence::Reply }
    }

    fn after_days(days: u64) -> Duration {
        let day = humantime::parse_rfc3339(DAY).expect("a time").duration_since(UNIX_EPOCH);
        day.expect("after 1970") + Duration::from_secs(days * 24 * 60 * 60)
    }

    fn ids(runs: &[Run], members: &Membership, days: u64) -> Vec<(u64, i64)> {
        let found = retired(runs.iter(), members, after_days(days));
        found.iter().map(|one| (one.run, one.line.id.get())).collect()
    }

    #[test]
    fn what_a_run_took_out_is_watched_for_thirty_days() {
        let now = members(&[4, 5, 6]);
        let closed = [run(1, &[1, 2], vec![committed("leave-1"), Entry::Closed])];
        assert_eq!(ids(&closed, &now, 30), [(1, 1), (1, 2)]);
        assert_eq!(ids(&closed, &now, 31), []);
        // A clock that is behind ends no watch.
        let found = retired(closed.iter(), &now, Duration::ZERO);
        assert_eq!(found[0].at.as_ref().map(ToString::to_string).as_deref(), Some("10.0.0.1:2181"));
        // One that is open, and has taken out server 1 so far.
        let open = [run(1, &[1, 2], vec![committed("leave-1")])];
        assert_eq!(ids(&open, &members(&[2, 4, 5, 6]), 1), [(1, 1)]);
    }

    #[test]
    fn what_was_not_taken_out_or_came_back_is_not_retired() {
        let begun = run(1, &[1, 2], vec![Entry::Claimed { who: "w".into(), backup: None }]);
        assert_eq!(ids(&[begun], &members(&[4, 5, 6]), 1), []);
        let closed = [run(1, &[1, 2], vec![Entry::Closed])];
        assert_eq!(ids(&closed, &members(&[1, 4, 5, 6]), 1), [(1, 2)]);
        // The same id on another machine.
        let other = line(1).replace("10.0.0.1", "10.0.1.1");
        let other = Membership::parse(&other).expect("a membership");
        assert_eq!(ids(&closed, &other, 1), [(1, 1), (1, 2)]);
        // Taken out twice: the later run is named.
        let twice = [closed[0].clone(), run(3, &[1], vec![Entry::Closed])];
        assert_eq!(ids(&twice, &members(&[4]), 1), [(3, 1), (1, 2)]);
    }

    #[test]
    fn members_that_a_run_took_out_are_a_claim_and_a_run_under_way_is_none() {
        let by = |runs: &[Run], members: &Membership| {
            let claim = claim(runs.iter(), members, after_days(1))?;
            Some((claim.by.number, claim.latest.number))
        };
        let old = members(&[1, 2, 3]);
        let closed = run(1, &[1, 2, 3], vec![Entry::Closed]);
        assert_eq!(by(std::slice::from_ref(&closed), &old), Some((1, 1)));
        assert_eq!(by(std::slice::from_ref(&closed), &members(&[4, 5, 6])), None);
        assert_eq!(by(&[closed, run(2, &[4], vec![Entry::Closed])], &old), Some((1, 2)));
        let open = run(1, &[1, 2, 3], vec![Entry::Claimed { who: "w".into(), backup: None }]);
        assert_eq!(by(&[open], &old), None);
    }
}
