//! The reaction of the ensemble to an executor's output, and the progress of an apply.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zkplan::apply::journal::{CommitEvidence, Entry};
use zkplan::plan::StepId;

use crate::executors::{Answer, Asks, Ended, ExecutorId, Executors};
use crate::journals::{EntryId, Journals};
use crate::state::{Apply, Broken, Rank, State, UnderWay};
use crate::world::{Config, FENCE, Request, View, World, version};

/// A mechanism that is taken away, from the ensemble or from the answers to an executor. The
/// executor is the one that ships.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ablation {
    /// Everything is there.
    Nothing,
    /// The ensemble ignores the version of a request.
    Version,
    /// A fence commits, but what was sent before it is still accepted.
    Fence,
    /// Reading always reports that the lock is still the reader's.
    LockWhenReading,
    /// An entry is written whoever holds the lock.
    LockWhenWriting,
    /// Both.
    Lock,
    /// The fence before an entry "not applied" is answered without being sent: that the step is not
    /// applied follows only from what was read.
    FenceBeforeDenial,
    /// An intent is acknowledged and not stored.
    Intent,
    /// A survey shows every server as up.
    Deaths,
}

/// Moments that must occur, or the model does not test what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    TakenOver,
    Disarmed,
    LateCommit,
    SettledAsApplied,
    FoundApplied,
    SettledAsNotApplied,
    UnknownForGood,
    RefusedForNow,
    Displaced,
    BothFinished,
    StoppedByUnlock,
}

impl Moment {
    /// Each with its name.
    pub(crate) const ALL: [(Self, &'static str); 11] = [
        (Self::TakenOver, "a fence after another apply's fence"),
        (Self::Disarmed, "a request of an earlier apply disarmed by a fence"),
        (Self::LateCommit, "a request committed after its sender had died or was displaced"),
        (Self::SettledAsApplied, "unknown, settled as applied"),
        (Self::FoundApplied, "unknown, found applied by a later apply"),
        (Self::SettledAsNotApplied, "unknown, settled as not applied behind a fence"),
        (Self::UnknownForGood, "unknown for good, and disarmed by a fence"),
        (Self::RefusedForNow, "refused for now, and sent again"),
        (Self::Displaced, "a living apply stopped because its lock is gone"),
        (Self::BothFinished, "two applies that both finish"),
        (Self::StoppedByUnlock, "an apply stopped by the fence of who removed the lock before its"),
    ];
}

/// The ensemble's rules.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) world: Arc<World>,
    pub(crate) journals: Arc<Journals>,
    pub(crate) executors: Executors,
    pub(crate) ablation: Ablation,
    /// How often each moment occurred.
    moments: [AtomicU64; Moment::ALL.len()],
}

impl Rules {
    pub(crate) fn new(world: Arc<World>, ablation: Ablation) -> Self {
        let journals = Arc::new(Journals::new());
        let executors = Executors::new(Arc::clone(&world), Arc::clone(&journals));
        Self { world, journals, executors, ablation, moments: Default::default() }
    }

    pub(crate) fn count(&self, moment: Moment) -> u64 {
        self.moments[moment as usize].load(Ordering::Relaxed)
    }

    fn saw(&self, moment: Moment) {
        self.moments[moment as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// An ensemble without any earlier apply.
    pub(crate) fn begin(&self) -> State {
        State {
            config: Config { version: 0, members: 0 },
            lock: 0,
            last_lock: 0,
            identity: false,
            journal: self.journals.empty(),
            applies: Vec::new(),
            requests: Vec::new(),
            started: 0,
            finished: 0,
            faults: 0,
            fenced: 0,
            stepped: 0,
            committed: 0,
            broken: Broken::default(),
            down: 0,
        }
    }

    /// Starts an apply, which asks for its permission and gets it.
    pub(crate) fn start(&self, state: &mut State) {
        let executor = self.executors.fresh();
        state.started += 1;
        state.applies.push(Apply { executor, rank: 0, session: true, written: None, saw_down: 0 });
        self.tell(state, state.applies.len() - 1, Answer::Granted);
    }

    /// Gives an apply an answer, and continues to its next output that matters. Pauses end at once,
    /// a live session is attached again at once, and a survey that led to another survey is
    /// repeated as long as that makes a difference.
    pub(crate) fn tell(&self, state: &mut State, at: usize, answer: Answer) {
        let (mut answer, mut seen) = (answer, None);
        loop {
            let next = self.executors.tell(state.applies[at].executor, answer);
            state.applies[at].executor = next.executor;
            if next.said & !state.committed != 0 {
                state.broken.add(Broken::FALSE_COMMITTED);
            }
            if matches!(answer, Answer::Saw(_)) {
                seen = Some(answer);
                state.applies[at].saw_down = state.down;
            }
            answer = match (self.executors.asks(next.executor), seen) {
                (Asks::Permission, _) => Answer::Granted,
                (Asks::Nothing, _) => Answer::Done,
                (Asks::Settle, _) if state.applies[at].session => Answer::Done,
                (Asks::Settle, _) => Answer::SessionOver,
                (Asks::Look, Some(saw)) if !self.is_fixed(next.executor, saw) => saw,
                (Asks::End(how), _) => return self.ended(state, at, how),
                _ => return,
            };
        }
    }

    /// Whether an executor stays the same if it surveys, sees this and surveys again.
    fn is_fixed(&self, executor: ExecutorId, saw: Answer) -> bool {
        let next = self.executors.tell(executor, saw);
        let paused = self.executors.asks(next.executor) == Asks::Nothing;
        paused && self.executors.tell(next.executor, Answer::Done).executor == executor
    }

    fn ended(&self, state: &mut State, at: usize, how: Ended) {
        let executor = state.applies.remove(at).executor;
        let again = self.executors.tell(executor, Answer::Done).executor;
        if !matches!(self.executors.asks(again), Asks::End(_)) {
            state.broken.add(Broken::UNDEAD);
        }
        match how {
            Ended::Finished => {
                let all = (1..=self.world.steps.len()).fold(0, |all, step| all | (1 << step));
                if state.config.members != self.world.target || state.committed != all {
                    state.broken.add(Broken::UNFINISHED);
                }
                state.finished += 1;
                if state.finished == 2 {
                    self.saw(Moment::BothFinished);
                }
            }
            // `zkplan unlock` sends a fence, and an apply cannot distinguish it from a foreign
            // request.
            Ended::Stranger if state.fenced % 2 == 1 => self.saw(Moment::StoppedByUnlock),
            Ended::Stranger => state.broken.add(Broken::STRANGER),
            Ended::LockLost => self.saw(Moment::Displaced),
            Ended::Resumable => {}
        }
    }

    /// Carries out the output of an apply, and returns its answer.
    pub(crate) fn perform(&self, state: &mut State, at: usize) -> Answer {
        let Apply { executor, rank, session, .. } = state.applies[at];
        let asks = self.executors.asks(executor);
        if asks == Asks::Close {
            if session && state.lock == rank {
                state.lock = 0;
            }
            return Answer::Done;
        }
        if !session {
            return Answer::SessionOver;
        }
        match asks {
            Asks::Lock if state.lock == 0 => {
                state.last_lock += 2;
                state.lock = state.last_lock;
                state.applies[at].rank = state.lock;
                Answer::Locked(state.lock)
            }
            Asks::Lock if state.lock == rank => Answer::Locked(rank),
            Asks::Lock => Answer::Held,
            Asks::Read => Answer::Read(self.view(state, rank)),
            Asks::Look => {
                let down = if self.ablation == Ablation::Deaths { 0 } else { state.down };
                Answer::Saw(View { down, ..self.view(state, rank) })
            }
            Asks::ReadRuns => Answer::Runs(state.journal),
            Asks::MakeIdentity => {
                state.identity = true;
                Answer::Done
            }
            Asks::OpenRun(run) => {
                state.journal = self.journals.opened(state.journal, run);
                Answer::Done
            }
            Asks::Record(run, entry) => self.record(state, at, run, entry),
            Asks::Send(request, version) => {
                if self.is_feigned(state, at) {
                    let version = state.config.version + 1;
                    return Answer::Replied(Config { version, ..state.config });
                }
                self.is_kept(state, at);
                match Self::send(state, rank, request, version) {
                    Some(sent) if self.accepts(state, sent) => {
                        self.commit(state, sent);
                        Answer::Replied(state.config)
                    }
                    _ => Answer::BadVersion,
                }
            }
            Asks::Permission | Asks::Settle | Asks::Nothing | Asks::Close | Asks::End(_) => {
                Answer::Done
            }
        }
    }

    fn view(&self, state: &State, reader: Rank) -> View {
        let blind = matches!(self.ablation, Ablation::LockWhenReading | Ablation::Lock);
        let lock = if blind { reader } else { state.lock };
        View { config: state.config, lock, identity: state.identity, down: 0 }
    }

    /// Whether this is the fence before an entry "not applied", in the model without it.
    fn is_feigned(&self, state: &State, at: usize) -> bool {
        let Apply { executor, rank, .. } = state.applies[at];
        let fences = matches!(self.executors.asks(executor), Asks::Send(FENCE, _));
        // An apply that has already fenced does so again only to settle the outcome of a request.
        self.ablation == Ablation::FenceBeforeDenial && fences && state.fenced == rank
    }

    /// An entry is written in one transaction with the check that the lock is still the writer's.
    /// An entry that was written before its answer got lost is found.
    fn record(&self, state: &mut State, at: usize, run: u64, entry: EntryId) -> Answer {
        let Apply { rank, written, .. } = state.applies[at];
        let blind = matches!(self.ablation, Ablation::LockWhenWriting | Ablation::Lock);
        if state.lock != rank {
            if !blind {
                return Answer::BadVersion;
            }
            state.broken.add(Broken::NO_LOCK);
        }
        state.applies[at].written = None;
        if written == Some(entry) {
            return Answer::Done;
        }
        let said = self.journals.said(entry);
        if self.ablation == Ablation::Intent && matches!(said, Entry::Intent { .. }) {
            return Answer::Done;
        }
        self.hold_against(state, &said);
        if self.is_never_read(state, &said) {
            return Answer::Done;
        }
        state.journal = self.journals.longer(state.journal, run, entry);
        Answer::Done
    }

    /// Entries that neither an executor nor a property reads are not kept: states that differ only
    /// in them are one state. A run without any entry is different.
    fn is_never_read(&self, state: &State, said: &Entry) -> bool {
        match said {
            Entry::FenceIntent { .. } | Entry::Stopped { .. } => true,
            Entry::Claimed { .. } => self.journals.any(state.journal, |_| true),
            _ => false,
        }
    }

    /// Checks an entry that is about to be written against what has happened.
    fn hold_against(&self, state: &mut State, said: &Entry) {
        let has_committed = |step| state.committed & (1 << self.world.step(step)) != 0;
        match said {
            Entry::Committed { step, known, .. } => {
                match known {
                    CommitEvidence::Reply => {}
                    CommitEvidence::ReadBack => self.saw(Moment::SettledAsApplied),
                    CommitEvidence::Found => self.saw(Moment::FoundApplied),
                }
                if !has_committed(step) {
                    state.broken.add(Broken::FALSE_COMMITTED);
                }
                if self.journals.tells_committed(state.journal, step) {
                    state.broken.add(Broken::GAP);
                }
            }
            Entry::NotApplied { step, because } => {
                let refused = because.starts_with("refused");
                self.saw(if refused { Moment::RefusedForNow } else { Moment::SettledAsNotApplied });
                if has_committed(step) {
                    state.broken.add(Broken::FALSE_DENIED);
                }
                self.deny(state, step);
            }
            Entry::Disarmed { step } => {
                self.saw(Moment::UnknownForGood);
                self.deny(state, step);
            }
            Entry::Closed => {
                let told = |step| self.journals.tells_committed(state.journal, step);
                if !self.world.steps.iter().all(told) {
                    state.broken.add(Broken::GAP);
                }
            }
            _ => {}
        }
    }

    /// The journal records that the request will never be carried out.
    fn deny(&self, state: &mut State, step: &StepId) {
        let step = self.world.step(step);
        for sent in state.requests.iter_mut().filter(|sent| sent.request == step) {
            sent.denied = true;
        }
    }

    /// Checks the step that an apply is about to send against what the plan promised.
    pub(crate) fn is_kept(&self, state: &mut State, at: usize) {
        let Apply { executor, saw_down, .. } = state.applies[at];
        if let Asks::Send(request, version) = self.executors.asks(executor)
            && version == Some(state.config.version)
            && self.world.goes_lower(state.config.members, request, saw_down)
        {
            state.broken.add(Broken::LOWER);
        }
    }

    /// A reconfig leaves its sender, and may arrive at any time from now on. `None` if its version
    /// is one that no configuration had.
    pub(crate) fn send(
        state: &mut State,
        rank: Rank,
        request: Request,
        version: Option<u8>,
    ) -> Option<UnderWay> {
        let version = version.filter(|version| *version <= state.config.version);
        if version.is_none() {
            state.broken.add(Broken::UNVERSIONED);
        }
        let sent = UnderWay { rank, request, version: version?, denied: false };
        state.requests.push(sent);
        Some(sent)
    }

    /// Whether the ensemble carries a request out that arrives now.
    pub(crate) fn accepts(&self, state: &State, sent: UnderWay) -> bool {
        match self.ablation {
            Ablation::Version => true,
            Ablation::Fence => sent.version >= state.stepped,
            _ => sent.version == state.config.version,
        }
    }

    /// Carries a request out.
    pub(crate) fn commit(&self, state: &mut State, sent: UnderWay) {
        let UnderWay { rank, request, version: from, denied } = sent;
        state.config.version += 1;
        state.config.members = self.world.after(state.config.members, request);
        if request == FENCE {
            if rank < state.fenced {
                state.broken.add(Broken::LATE_FENCE);
            }
            if state.fenced > 0 && rank > state.fenced {
                self.saw(Moment::TakenOver);
            }
            state.fenced = state.fenced.max(rank);
        } else {
            self.commit_step(state, sent);
            if self.ablation == Ablation::Fence {
                state.stepped = state.config.version;
            }
            let is_intent = |entry: &Entry| {
                matches!(entry, Entry::Intent { step, version: v }
                    if self.world.step(step) == request && *v == version(from).to_string())
            };
            if !self.journals.any(state.journal, is_intent) {
                state.broken.add(Broken::NO_INTENT);
            }
        }
        if denied {
            state.broken.add(Broken::FALSE_DENIED);
        }
        // Versions only rise: a request with an older one is refused from now on.
        if self.ablation != Ablation::Version {
            let oldest =
                if self.ablation == Ablation::Fence { state.stepped } else { state.config.version };
            let dead = |sent: &&UnderWay| sent.version < oldest && sent.rank < rank;
            if state.requests.iter().any(|sent| dead(&sent)) && request == FENCE {
                self.saw(Moment::Disarmed);
            }
            state.requests.retain(|sent| sent.version >= oldest);
        }
    }

    fn commit_step(&self, state: &mut State, sent: UnderWay) {
        let bit = 1 << sent.request;
        if sent.rank != state.fenced {
            state.broken.add(Broken::LATE_STEP);
        }
        if state.committed & bit != 0 {
            state.broken.add(Broken::TWICE);
        }
        if !self.world.is_granted(state.config.members) {
            state.broken.add(Broken::OFF_PLAN);
        }
        state.committed |= bit;
        if state.lock != sent.rank || state.holder().is_none() {
            self.saw(Moment::LateCommit);
        }
    }
}
