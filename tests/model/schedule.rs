//! Every schedule: the possible actions in a state, as a model that stateright searches.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use stateright::{Model, Property};

use crate::ensemble::{Ablation, Rules};
use crate::executors::{Answer, Asks};
use crate::quick::QuickMap;
use crate::state::{Broken, State, UnderWay};
use crate::world::{FENCE, World};

/// No search comes near this version. One that does is cut, and reports that.
const HIGHEST_VERSION: u8 = 60;

/// The property that no action breaks one of [`Broken`].
const KEPT: &str = "no action breaks a property";

/// The property that every state can be led to the target.
const HEALED: &str = "healed, the plan comes to its target";

/// How far the search goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Applies that are started, at most two of them at the same time.
    pub(crate) applies: u8,
    /// Faults, of any kind, in any order.
    pub(crate) faults: u8,
    /// Whether every state is also healed and led to the target.
    pub(crate) heals: bool,
    /// Whether members fail and come back, one at a time.
    pub(crate) deaths: bool,
}

/// All schedules within the bounds.
#[derive(Debug)]
pub(crate) struct Schedules {
    pub(crate) rules: Rules,
    pub(crate) bounds: Bounds,
    /// The properties that count.
    pub(crate) watched: Broken,
    /// When the search is cut short.
    deadline: Instant,
    /// Whether it was.
    was_cut: AtomicBool,
    /// Whether a property is already broken. The search ends at the first state that breaks one,
    /// which has the shortest path.
    is_broken: AtomicBool,
    /// States that were healed and led to the target, with the number of answers.
    pub(crate) healed: Mutex<QuickMap<State, u32>>,
}

/// One action. Applies and requests are numbered as the state orders them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// An apply is started.
    Start,
    /// The output of an apply is carried out, and it gets the answer.
    Answer(usize),
    /// A request that is under way arrives; it may arrive again.
    Arrive(usize),
    /// A reconfig is sent, and its sender gets no answer: the request is lost or late, or the
    /// answer is.
    Unknown(usize),
    /// Anything else is done, and the answer is lost.
    AnswerLost(usize),
    /// A reconfig is refused for the moment.
    NoQuorum(usize),
    /// A reconfig is carried out, and the reply is the configuration before it: the answering
    /// server lags.
    OldReply(usize),
    /// A reconfig arrives twice. It is carried out, and the answer is the refusal of the second
    /// one.
    Repeated(usize),
    /// The process dies. What it just sent is on its way, and its lock remains.
    Crash(usize),
    /// The session of a paused process expires, and with it the lock.
    SessionOver(usize),
    /// The operator interrupts an apply.
    Interrupt(usize),
    /// The operator removes the lock of a live apply, and sends a fence.
    Unlock,
    /// The session of a dead apply expires, and with it the lock.
    GhostOver,
    /// A server dies.
    Dies(u8),
    /// The server that is down is back.
    Returns,
}

impl Schedules {
    /// The schedules of a world, searched for at most that long.
    pub(crate) fn new(
        world: World,
        ablation: Ablation,
        bounds: Bounds,
        watched: Broken,
        longest: Duration,
    ) -> Self {
        Self {
            rules: Rules::new(Arc::new(world), ablation),
            bounds,
            watched,
            deadline: Instant::now() + longest,
            was_cut: AtomicBool::new(false),
            is_broken: AtomicBool::new(false),
            healed: Mutex::default(),
        }
    }

    /// Whether states were left out.
    pub(crate) fn was_cut(&self) -> bool {
        self.was_cut.load(Ordering::Relaxed)
    }

    fn faults(&self, state: &State, at: usize, actions: &mut Vec<Action>) {
        let apply = state.applies[at];
        let asks = self.rules.executors.asks(apply.executor);
        match asks {
            _ if !apply.session => {}
            Asks::Send(request, Some(version)) => {
                actions.push(Action::Unknown(at));
                let sent = UnderWay { rank: apply.rank, request, version, denied: false };
                if self.rules.accepts(state, sent) {
                    actions.push(Action::NoQuorum(at));
                    actions.push(Action::OldReply(at));
                    actions.push(Action::Repeated(at));
                }
            }
            Asks::Lock if state.lock == 0 => actions.push(Action::AnswerLost(at)),
            Asks::Read
            | Asks::ReadRuns
            | Asks::MakeIdentity
            | Asks::OpenRun(_)
            | Asks::Record(..)
            | Asks::Look => actions.push(Action::AnswerLost(at)),
            _ => {}
        }
        actions.push(Action::Crash(at));
        if state.holder() == Some(at) {
            actions.push(Action::SessionOver(at));
            actions.push(Action::Unlock);
        }
        actions.push(Action::Interrupt(at));
    }

    fn act(&self, state: &mut State, action: Action) {
        let rules = &self.rules;
        match action {
            Action::Start => rules.start(state),
            Action::Answer(at) => {
                let answer = rules.perform(state, at);
                rules.tell(state, at, answer);
            }
            Action::Arrive(at) => {
                let sent = state.requests[at];
                rules.commit(state, sent);
            }
            Action::Unknown(at) => {
                self.leave(state, at);
                rules.tell(state, at, Answer::Unknown);
            }
            Action::AnswerLost(at) => {
                let answer = rules.perform(state, at);
                let asks = rules.executors.asks(state.applies[at].executor);
                if let (Asks::Record(_, entry), Answer::Done) = (asks, answer) {
                    state.applies[at].written = Some(entry);
                }
                rules.tell(state, at, Answer::Unknown);
            }
            Action::NoQuorum(at) => rules.tell(state, at, Answer::NoQuorum),
            Action::OldReply(at) => {
                let before = state.config;
                rules.perform(state, at);
                rules.tell(state, at, Answer::Replied(before));
            }
            Action::Repeated(at) => {
                rules.perform(state, at);
                rules.tell(state, at, Answer::BadVersion);
            }
            Action::Crash(at) => {
                self.leave(state, at);
                state.applies.remove(at);
            }
            Action::SessionOver(at) => {
                state.applies[at].session = false;
                state.lock = 0;
            }
            Action::Interrupt(at) => rules.tell(state, at, Answer::Interrupt),
            Action::Unlock => {
                let (rank, version) = (state.lock + 1, state.config.version);
                state.lock = 0;
                Rules::send(state, rank, FENCE, Some(version));
            }
            Action::GhostOver => state.lock = 0,
            Action::Dies(server) => state.down = server,
            Action::Returns => state.down = 0,
        }
    }

    /// The request that an apply is about to send leaves it.
    fn leave(&self, state: &mut State, at: usize) {
        let apply = state.applies[at];
        if let (Asks::Send(request, version), true) =
            (self.rules.executors.asks(apply.executor), apply.session)
        {
            self.rules.is_kept(state, at);
            Rules::send(state, apply.rank, request, version);
        }
    }

    /// An action in words.
    pub(crate) fn words(&self, state: &State, action: Action) -> String {
        let rules = &self.rules;
        let asked = |at: usize| {
            let apply = state.applies[at];
            let who = match apply.rank {
                0 => "the apply without a lock".to_owned(),
                rank => format!("the apply of lock {}", rank / 2),
            };
            format!("{who}: {}", rules.executors.name(apply.executor))
        };
        let lock = state.lock / 2;
        match action {
            Action::Start => "an apply is started".to_owned(),
            Action::Answer(at) => {
                let answer = rules.perform(&mut state.clone(), at);
                format!("{}: {}", asked(at), told(answer))
            }
            Action::Arrive(at) => {
                let UnderWay { rank, request, version, .. } = state.requests[at];
                let of =
                    if rank % 2 == 0 { "the apply" } else { "the operator who removed the lock" };
                let request = rules.world.name(request);
                let rank = rank / 2;
                format!("`{request}` from version {version}, of {of} of lock {rank}, arrives")
            }
            Action::Unknown(at) => format!("{}: sent, and no answer comes", asked(at)),
            Action::AnswerLost(at) => format!("{}: done, and the answer gets lost", asked(at)),
            Action::NoQuorum(at) => format!("{}: refused, no quorum", asked(at)),
            Action::OldReply(at) => format!("{}: committed, and the reply is old", asked(at)),
            Action::Repeated(at) => format!("{}: committed, repeated and refused", asked(at)),
            Action::Crash(at) => format!("{}: the process dies when that has left it", asked(at)),
            Action::SessionOver(at) => format!("{}: before that its session is over", asked(at)),
            Action::Interrupt(at) => format!("{}: before that it is interrupted", asked(at)),
            Action::Unlock => format!("lock {lock} is removed by an operator"),
            Action::Dies(server) => format!("server {server} dies"),
            Action::Returns => format!("server {} is back", state.down),
            Action::GhostOver => format!("the session of the dead apply of lock {lock} is over"),
        }
    }
}

fn told(answer: Answer) -> String {
    match answer {
        Answer::Read(view) | Answer::Saw(view) => match view.lock / 2 {
            0 => format!("version {}, no lock", view.config.version),
            lock => format!("version {}, lock {lock}", view.config.version),
        },
        Answer::Replied(config) => format!("committed as version {}", config.version),
        Answer::Locked(rank) => format!("taken, lock {}", rank / 2),
        Answer::Held => "held by another".to_owned(),
        Answer::BadVersion => "refused, bad version".to_owned(),
        Answer::NoQuorum => "refused, no quorum".to_owned(),
        Answer::SessionOver => "the session is over".to_owned(),
        Answer::Runs(_) | Answer::Granted | Answer::Done | Answer::Unknown | Answer::Interrupt => {
            "done".to_owned()
        }
    }
}

impl Model for Schedules {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.rules.begin()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if !state.broken.is_nothing() {
            return;
        }
        actions.extend((0..state.applies.len()).map(Action::Answer));
        if state.applies.len() < 2 && state.started < self.bounds.applies {
            actions.push(Action::Start);
        }
        let accepted = |at: &usize| self.rules.accepts(state, state.requests[*at]);
        actions.extend((0..state.requests.len()).filter(accepted).map(Action::Arrive));
        if state.lock > 0 && state.holder().is_none() {
            actions.push(Action::GhostOver);
        }
        if state.down > 0 {
            actions.push(Action::Returns);
        } else if self.bounds.deaths && state.faults < self.bounds.faults {
            actions.extend(self.rules.world.servers().into_iter().map(Action::Dies));
        }
        if state.faults < self.bounds.faults {
            for at in 0..state.applies.len() {
                self.faults(state, at, actions);
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        self.act(&mut state, action);
        state.faults += u8::from(action.is_fault());
        state.broken = state.broken.only(self.watched);
        state.sort();
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        // One property for everything that an action can break: the state says which, and the
        // search is faster.
        vec![
            Property::always(KEPT, |_, state: &State| state.broken.is_nothing()),
            Property::always(HEALED, |model: &Self, state: &State| {
                !model.bounds.heals || !state.broken.is_nothing() || model.heal(state).is_ok()
            }),
        ]
    }

    fn within_boundary(&self, state: &State) -> bool {
        if Instant::now() > self.deadline || state.config.version > HIGHEST_VERSION {
            self.was_cut.store(true, Ordering::Relaxed);
            return false;
        }
        if self.is_broken.load(Ordering::Relaxed) {
            return false;
        }
        if !state.broken.is_nothing() {
            self.is_broken.store(true, Ordering::Relaxed);
        }
        true
    }
}

impl Action {
    /// Whether it counts against the bound of faults. The other actions are ordinary.
    const fn is_fault(self) -> bool {
        match self {
            Self::Start | Self::Answer(_) | Self::Arrive(_) | Self::GhostOver | Self::Returns => {
                false
            }
            Self::Dies(_)
            | Self::Unknown(_)
            | Self::AnswerLost(_)
            | Self::NoQuorum(_)
            | Self::OldReply(_)
            | Self::Repeated(_)
            | Self::Crash(_)
            | Self::SessionOver(_)
            | Self::Interrupt(_)
            | Self::Unlock => true,
        }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} applies, {} faults", self.applies, self.faults)
    }
}
