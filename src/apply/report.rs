//! The result of a run, collected from its events.

use std::collections::BTreeMap;

use super::connect_strings::ConnectStrings;
use super::end::Outcome;
use super::event::Event;
use super::journal::{CommitEvidence, Entry, MeasuredGap};
use super::wait::{Missing, Wait};
use crate::ensemble::NoAnswer;
use crate::model::ServerId;
use crate::observe::{Clients, ServerStatus};
use crate::plan::StepId;

/// The result of one apply.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunReport {
    /// The run, and whether an earlier apply began it.
    pub run: Option<(u64, bool)>,
    /// The reconfigs of this apply, in order.
    pub commits: Vec<Commit>,
    /// The old leader, the new leader, and the step that planned the change.
    pub hand_overs: Vec<(ServerId, ServerId, Option<StepId>)>,
    /// Servers that a person is to stop, and the clients on them, where they report these.
    pub stop_by_hand: BTreeMap<ServerId, Option<Clients>>,
    /// The addresses that clients need, where clients were asked for.
    pub strings: ConnectStrings,
    /// Retired servers that do not answer and that no command of this run has stopped.
    pub silent_leavers: Vec<ServerId>,
    /// The run that was abandoned first.
    pub abandoned: Option<u64>,
    /// The request whose outcome is unknown.
    pub unknown: Option<StepId>,
    /// How long joiners took from when they were first seen running without serving until their data
    /// were proven, in milliseconds; those that were seen so.
    pub copies: BTreeMap<ServerId, u64>,
    /// The longest time without a committed write of zkplan around each restart, in milliseconds; those
    /// whose stop was seen.
    pub restarts: BTreeMap<StepId, u64>,
    /// Since when joiners run without serving.
    syncing_since: BTreeMap<ServerId, u64>,
    /// The command that runs.
    pub running_hook: Option<StepId>,
    /// Whether the run closed itself, for it had sent nothing.
    is_withdrawn: bool,
    sent_ms: Option<u64>,
    /// When the last reconfig that committed was sent.
    committed_was_sent_ms: Option<u64>,
    last_write_ms: Option<u64>,
    /// Since when the ensemble has not answered.
    away_since: Option<u64>,
    /// The longest time without an answer, and whether it lasted until the end.
    away: Option<(u64, Gap)>,
}

/// When nothing of our own committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// Around that reconfig.
    Around(StepId),
    /// While the ensemble did not answer.
    Away,
    /// The same, to the very end.
    StillAway,
}

/// One reconfig of this apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The step.
    pub step: StepId,
    /// The version that it made.
    pub version: String,
    /// How that is known.
    pub known: CommitEvidence,
    /// From the request to the reply, or until it was read back. `None` if an earlier apply sent
    /// it.
    pub took_ms: Option<u64>,
    /// From our last write that committed before the request to our first one after it. This is an
    /// upper bound of the time in which no write of ours committed.
    pub gap_ms: Option<u64>,
    /// From the request to our first write that committed after it.
    pub again_ms: Option<u64>,
}

impl RunReport {
    /// Records an event.
    pub fn take(&mut self, now_ms: u64, event: &Event) {
        match event {
            Event::Run { number, resumed, .. } => self.run = Some((*number, *resumed)),
            Event::Sent { step, .. } => {
                self.sent_ms = Some(now_ms);
                self.unknown = Some(step.clone());
            }
            Event::Committed { step, version, known } => {
                self.committed_was_sent_ms = self.sent_ms.take();
                let sent = self.committed_was_sent_ms;
                let took_ms = sent.map(|sent| now_ms.saturating_sub(sent));
                self.unknown = None;
                self.commits.push(Commit {
                    step: step.clone(),
                    version: version.clone(),
                    known: *known,
                    took_ms: took_ms.filter(|_| *known != CommitEvidence::Found),
                    gap_ms: None,
                    again_ms: None,
                });
            }
            Event::Recorded(entry) => {
                match entry {
                    Entry::NotApplied { .. } | Entry::Disarmed { .. } => self.unknown = None,
                    Entry::Withdrawn => self.is_withdrawn = true,
                    _ => {}
                }
                self.end_away(now_ms, Gap::Away);
                self.wrote(now_ms);
            }
            Event::Waiting(waits) => {
                if waits.iter().any(is_away) {
                    self.away_since.get_or_insert(self.last_write_ms.unwrap_or(now_ms));
                }
                self.awaits(now_ms, waits);
            }
            Event::DataProven { server, .. } => {
                if let Some(since) = self.syncing_since.remove(server) {
                    self.copies.insert(*server, now_ms.saturating_sub(since));
                }
            }
            Event::Ended(Outcome::Finished) => {}
            Event::Ended(_) => self.end_away(now_ms, Gap::StillAway),
            Event::HookStarted { step, .. } => self.running_hook = Some(step.clone()),
            Event::HookEnded { .. } => self.running_hook = None,
            Event::LeaderChanged { from, to, step } => {
                self.hand_overs.push((*from, *to, step.clone()));
            }
            Event::StopByHand { server, clients } => {
                self.stop_by_hand.insert(*server, clients.clone());
            }
            Event::ConnectStrings(strings) => self.strings = strings.clone(),
            Event::NoAnswer { server, .. } => self.silent_leavers.push(*server),
            Event::Abandoned { run } => self.abandoned = Some(*run),
            _ => {}
        }
    }

    /// Takes note of joiners that run and do not serve yet: they get their data, as far as can be
    /// seen. One that is down has to begin anew.
    fn awaits(&mut self, now_ms: u64, waits: &[Wait]) {
        for wait in waits {
            match wait {
                Wait::Syncing { server, .. }
                | Wait::Joiner {
                    server,
                    missing: Missing::Following { status: ServerStatus::NotServing, .. },
                } => {
                    self.syncing_since.entry(*server).or_insert(now_ms);
                }
                Wait::Joiner {
                    server,
                    missing:
                        Missing::Following { status: ServerStatus::Silent(NoAnswer::Refused), .. },
                } => drop(self.syncing_since.remove(server)),
                _ => {}
            }
        }
    }

    fn wrote(&mut self, now_ms: u64) {
        if let (Some(sent), Some(commit)) =
            (self.committed_was_sent_ms.take(), self.commits.last_mut())
            && commit.took_ms.is_some()
        {
            commit.again_ms = Some(now_ms.saturating_sub(sent));
        }
        if let (Some(last), Some(commit)) = (self.last_write_ms, self.commits.last_mut())
            && commit.gap_ms.is_none()
            && commit.took_ms.is_some()
        {
            commit.gap_ms = Some(now_ms.saturating_sub(last));
        }
        self.last_write_ms = Some(now_ms);
    }

    fn end_away(&mut self, now_ms: u64, gap: Gap) {
        let since = self.away_since.take();
        let time = since.map(|since| now_ms.saturating_sub(since));
        if let Some(time) =
            time.filter(|time| self.away.as_ref().is_none_or(|(longest, _)| time > longest))
        {
            self.away = Some((time, gap));
        }
    }

    /// The first gap around a reconfig of this apply that is known, behind this many of them, and how
    /// many lie up to there.
    pub fn gap_behind(&self, commits: usize) -> Option<(MeasuredGap, usize)> {
        let mut later = self.commits.iter().enumerate().skip(commits);
        later.find_map(|(at, commit)| {
            let (step, gap_ms) = (commit.step.clone(), commit.gap_ms?);
            Some((MeasuredGap { step, gap_ms }, at + 1))
        })
    }

    /// The run that is left open, where this apply did not finish it.
    pub fn left_open(&self) -> Option<u64> {
        self.run.filter(|_| !self.is_withdrawn).map(|(number, _)| number)
    }

    /// The step that changed the leader as planned, and how long from its request a write of ours
    /// committed again.
    pub fn leader_change(&self) -> Option<(&StepId, u64)> {
        let planned = self.hand_overs.iter().find_map(|(.., step)| step.as_ref())?;
        let commit = self.commits.iter().find(|commit| commit.step == *planned)?;
        Some((planned, commit.again_ms?))
    }

    /// When nothing of ours committed for longest, and for how long.
    pub fn longest_gap(&self) -> Option<(Gap, u64)> {
        let around = |commit: &Commit| Some((Gap::Around(commit.step.clone()), commit.gap_ms?));
        let gaps = self.commits.iter().filter_map(around);
        let away = self.away.clone().map(|(time, gap)| (gap, time));
        away.into_iter().chain(gaps).max_by_key(|(_, gap)| *gap)
    }
}

/// Whether the ensemble as a whole is awaited.
const fn is_away(wait: &Wait) -> bool {
    matches!(wait, Wait::Connection | Wait::Stuck { .. } | Wait::Ensemble(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joiner(status: ServerStatus) -> Event {
        let missing =
            Missing::Following { status, zxids: None, followed_before: false, for_long: false };
        Event::Waiting(vec![Wait::Joiner { server: ServerId::new(4), missing }])
    }

    /// From the request, not from the reply, and to the first write after it, not to the next request.
    #[test]
    fn a_leader_change_lasts_from_its_request_until_a_write_commits() {
        let step = StepId::new("leave-1");
        let (one, two) = (ServerId::new(1), ServerId::new(2));
        let (version, known) = ("2".to_owned(), CommitEvidence::Reply);
        let mut report = RunReport::default();
        report
            .take(10, &Event::Recorded(Entry::Intent { step: step.clone(), version: "1".into() }));
        report.take(100, &Event::Sent { step: step.clone(), version: "1".to_owned() });
        let committed = Event::Committed { step: step.clone(), version: version.clone(), known };
        report.take(250, &committed);
        report.take(900, &Event::Recorded(Entry::Committed { step: step.clone(), version, known }));
        report.take(5000, &Event::Recorded(Entry::Closed));
        let gap = MeasuredGap { step: step.clone(), gap_ms: 890 };
        assert_eq!((report.gap_behind(0), report.gap_behind(1)), (Some((gap, 1)), None));
        assert_eq!(report.leader_change(), None, "no leader has changed");
        report.take(950, &Event::LeaderChanged { from: one, to: two, step: Some(step.clone()) });
        assert_eq!(report.leader_change(), Some((&step, 800)));
    }

    /// A joiner that is busy may not answer in time; one that is gone begins anew.
    #[test]
    fn a_copy_lasts_while_a_joiner_runs_and_does_not_serve() {
        let proof = crate::observe::DataProof::Digest(crate::model::Zxid::new(128));
        let proven = Event::DataProven { server: ServerId::new(4), proof };
        let mut report = RunReport::default();
        report.take(100, &joiner(ServerStatus::NotServing));
        report.take(200, &joiner(ServerStatus::Silent(NoAnswer::Refused)));
        report.take(1000, &joiner(ServerStatus::NotServing));
        report.take(2000, &joiner(ServerStatus::Silent(NoAnswer::AnswerTimedOut)));
        report.take(3000, &joiner(ServerStatus::NotServing));
        report.take(4000, &proven);
        assert_eq!(report.copies, BTreeMap::from([(ServerId::new(4), 3000)]));
        // One that was not seen doing it has no time.
        let mut report = RunReport::default();
        report.take(4000, &proven);
        assert!(report.copies.is_empty());
    }

    #[test]
    fn a_run_that_has_closed_itself_is_not_left_open() {
        let mut report = RunReport::default();
        assert_eq!(report.left_open(), None);
        report.run = Some((3, false));
        assert_eq!(report.left_open(), Some(3));
        report.take(1, &Event::Recorded(Entry::Withdrawn));
        assert_eq!(report.left_open(), None);
    }
}
