//! A moment of a plan as the checker sees it: marks on each server, and the votes counted.
//!
//! Own arithmetic on purpose: nothing here is shared with the planner.

use std::ops::BitOr;

use super::step_table::{Change, Effect, Entry, StepTable};
use crate::model::Server;
use crate::plan::Action;

/// What can be said of a server at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(in crate::check) struct Mark(u8);

impl Mark {
    pub(in crate::check) const MEMBER: Self = Self(1);
    pub(in crate::check) const VOTER: Self = Self(2);
    /// A member that is up and in sync.
    pub(in crate::check) const LIVE: Self = Self(4);
    /// It was awaited: it follows without a vote.
    pub(in crate::check) const READY: Self = Self(8);
    /// It was taken out and is no member.
    pub(in crate::check) const GONE: Self = Self(16);
    /// A configuration without it was proven active.
    pub(in crate::check) const PROVEN_GONE: Self = Self(32);
    /// Its process was stopped.
    pub(in crate::check) const STOPPED: Self = Self(64);
    /// Its data directory was attested blank.
    pub(in crate::check) const BLANK: Self = Self(128);

    pub(in crate::check) const fn has(self, all: Self) -> bool {
        self.0 & all.0 == all.0
    }

    fn set(&mut self, marks: Self) {
        self.0 |= marks.0;
    }

    fn clear(&mut self, marks: Self) {
        self.0 &= !marks.0;
    }
}

impl BitOr for Mark {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A moment of a plan.
#[derive(Debug, Clone)]
pub(in crate::check) struct State {
    marks: Vec<Mark>,
    /// How many vote.
    pub(in crate::check) voters: usize,
    /// How many of them are up and in sync.
    pub(in crate::check) acking: usize,
    /// The highest newcomer that has joined so far.
    pub(in crate::check) highest_joined: Option<usize>,
    /// How many of the target's new voters vote.
    pub(in crate::check) new_voting: usize,
}

impl State {
    pub(in crate::check) fn base(table: &StepTable<'_>) -> Self {
        let marks = table.ids.iter().zip(&table.base).map(|(id, line)| {
            let mut marks = Mark::default();
            if let Some(line) = line {
                marks.set(Mark::MEMBER);
                if line.votes() {
                    marks.set(Mark::VOTER);
                }
            }
            if table.facts.synced.contains(id) {
                marks.set(Mark::LIVE);
            }
            marks
        });
        let mut state = Self {
            marks: marks.collect(),
            voters: 0,
            acking: 0,
            highest_joined: None,
            new_voting: 0,
        };
        state.count();
        state
    }

    /// Counts the votes anew.
    fn count(&mut self) {
        let count = |all: Mark| self.marks.iter().filter(|marks| marks.has(all)).count();
        (self.voters, self.acking) = (count(Mark::VOTER), count(Mark::VOTER | Mark::LIVE));
    }

    pub(in crate::check) fn marks(&self, server: usize) -> Mark {
        self.marks[server]
    }

    pub(in crate::check) fn has(&self, server: usize, marks: Mark) -> bool {
        self.marks[server].has(marks)
    }

    /// The servers that have all these marks, ascending.
    pub(in crate::check) fn all(&self, all: Mark) -> Vec<usize> {
        (0..self.marks.len()).filter(|server| self.marks[*server].has(all)).collect()
    }

    pub(in crate::check) fn any(&self, test: impl Fn(usize, Mark) -> bool) -> bool {
        self.marks.iter().enumerate().any(|(server, marks)| test(server, *marks))
    }

    /// How many of those that acknowledge are such.
    pub(in crate::check) fn acking_where(&self, test: impl Fn(usize) -> bool) -> usize {
        let counts = |server: &usize| self.has(*server, Mark::VOTER | Mark::LIVE) && test(*server);
        (0..self.marks.len()).filter(counts).count()
    }

    /// How it stands with those that answer now, in the middle of the way.
    pub(in crate::check) fn seen(
        &mut self,
        is_live: impl Fn(usize) -> bool,
        follows: impl Fn(usize) -> bool,
    ) {
        for (server, marks) in self.marks.iter_mut().enumerate() {
            marks.clear(Mark::LIVE);
            if is_live(server) {
                marks.set(Mark::LIVE);
            }
            if !follows(server) {
                marks.clear(Mark::READY);
            }
        }
        self.count();
    }

    /// The moment after a step.
    pub(in crate::check) fn after(&self, table: &StepTable<'_>, entry: &Entry<'_>) -> Self {
        let mut next = self.clone();
        match (&entry.step.action, entry.servers.first().copied()) {
            // A member cannot be seen following without a vote.
            (Action::AwaitJoiner(_), Some(at)) if !self.has(at, Mark::MEMBER) => {
                next.marks[at].set(Mark::READY);
            }
            (Action::Stop(_) | Action::AskToStop(_), Some(at)) => next.marks[at].set(Mark::STOPPED),
            (Action::AttestBlank(_), Some(at)) => next.marks[at].set(Mark::BLANK),
            // It is done only when it is proven to be back and in sync.
            (Action::Restart(_), Some(at)) if self.has(at, Mark::MEMBER) => {
                next.marks[at].set(Mark::LIVE);
                next.count();
            }
            (Action::Prove(_), _) => next.prove(),
            (Action::Reconfig { .. }, _) => {
                for change in &entry.changes {
                    next.change(table, change);
                }
            }
            (
                Action::AwaitJoiner(_)
                | Action::Stop(_)
                | Action::AskToStop(_)
                | Action::AttestBlank(_)
                | Action::Restart(_)
                | Action::Gate(_)
                | Action::Start(_),
                _,
            ) => {}
        }
        next
    }

    fn prove(&mut self) {
        for marks in &mut self.marks {
            if marks.has(Mark::GONE) {
                marks.set(Mark::PROVEN_GONE);
            } else {
                marks.clear(Mark::PROVEN_GONE);
            }
        }
    }

    fn change(&mut self, table: &StepTable<'_>, change: &Change<'_>) {
        let server = change.server;
        let marks = &mut self.marks[server];
        let counted = |marks: Mark| (marks.has(Mark::VOTER), marks.has(Mark::VOTER | Mark::LIVE));
        let (voted, acked) = counted(*marks);
        match change.effect {
            Effect::Leaves => {
                marks.clear(Mark::MEMBER | Mark::LIVE);
                marks.set(Mark::GONE);
            }
            Effect::Joins => {
                if marks.has(Mark::READY) {
                    marks.set(Mark::LIVE);
                }
                marks.clear(Mark::READY | Mark::GONE | Mark::PROVEN_GONE);
                marks.set(Mark::MEMBER);
                // Who was a member before is no newcomer.
                if table.base[server].is_none() {
                    self.highest_joined = self.highest_joined.max(Some(server));
                }
            }
            Effect::GainsVote
            | Effect::LosesVote
            | Effect::Moves
            | Effect::GetsClientPart
            | Effect::Nothing => {}
        }
        marks.clear(Mark::VOTER);
        if change.after.is_some_and(Server::votes) {
            marks.set(Mark::VOTER);
        }
        let (votes, acks) = counted(*marks);
        self.voters = self.voters + usize::from(votes) - usize::from(voted);
        self.acking = self.acking + usize::from(acks) - usize::from(acked);
        if table.new_voters[server] {
            self.new_voting = self.new_voting + usize::from(votes) - usize::from(voted);
        }
    }

    /// Those that vote once the step is done, and those of them that can acknowledge it while it is
    /// under way: an observer that is being promoted does not (`Leader.isQuorumSynced`), and a
    /// server that moves may be away for a moment.
    pub(in crate::check) fn during(&self, changes: &[Change<'_>]) -> During {
        let (mut voters, mut acking) = (self.voters, self.acking);
        for change in changes {
            let acked = self.has(change.server, Mark::VOTER | Mark::LIVE);
            voters = voters + usize::from(change.votes()) - usize::from(change.voted());
            let acks = self.acknowledges(change);
            acking = acking + usize::from(acks) - usize::from(acked);
        }
        During { voters, acking }
    }

    /// Whether a server that a request changes can acknowledge that very request.
    pub(in crate::check) fn acknowledges(&self, change: &Change<'_>) -> bool {
        let up = self.has(change.server, Mark::LIVE) || self.has(change.server, Mark::READY);
        change.votes() && up && !matches!(change.effect, Effect::GainsVote | Effect::Moves)
    }
}

/// How many vote and how many acknowledge while a step is under way.
#[derive(Debug, Clone, Copy)]
pub(in crate::check) struct During {
    pub(in crate::check) voters: usize,
    pub(in crate::check) acking: usize,
}
