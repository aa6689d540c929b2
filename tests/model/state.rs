//! A state of the model: one ensemble, the applies that live, the requests under way.

use crate::executors::Executor;
use crate::journals::{EntryId, Journal};
use crate::world::{Config, Request};

/// Which lock a request was sent under. The first that was taken has rank 2, the next one 4; the
/// fence of an operator who removed the lock of rank r has rank r + 1. 0 stands for no lock.
pub(crate) type Rank = u8;

/// Everything that the next action depends on, and what the properties need of the past.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) config: Config,
    /// Who has the lock; the rank stands for its czxid.
    pub(crate) lock: Rank,
    /// The rank that was given last.
    pub(crate) last_lock: Rank,
    pub(crate) identity: bool,
    pub(crate) journal: Journal,
    /// In an order that makes no difference, so that states that differ in nothing else are one.
    pub(crate) applies: Vec<Apply>,
    /// Requests that may arrive now, later, again or never; ordered like the applies.
    pub(crate) requests: Vec<UnderWay>,
    pub(crate) started: u8,
    pub(crate) finished: u8,
    /// How many faults there were.
    pub(crate) faults: u8,
    /// The highest rank whose fence has committed.
    pub(crate) fenced: Rank,
    /// The version that the last step made; kept where fences are ablated.
    pub(crate) stepped: u8,
    /// The steps that have committed: bit n for request n.
    pub(crate) committed: u8,
    /// What was broken by the action that led here.
    pub(crate) broken: Broken,
    /// The member that is down; 0 for none.
    pub(crate) down: u8,
}

/// A process that applies the plan, on a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Apply {
    pub(crate) executor: Executor,
    /// The lock that its session made, there or not; 0 for none.
    pub(crate) rank: Rank,
    /// Whether its session lives.
    pub(crate) session: bool,
    /// An entry that was written and of which it was told nothing.
    pub(crate) written: Option<EntryId>,
    /// The member that was down when it looked last; 0 for none.
    pub(crate) saw_down: u8,
}

/// A reconfig that has left its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UnderWay {
    pub(crate) rank: Rank,
    pub(crate) request: Request,
    /// The version that it starts from.
    pub(crate) version: u8,
    /// Whether the journal says that it never will be carried out.
    pub(crate) denied: bool,
}

impl State {
    /// Whether some apply that lives has the lock.
    pub(crate) fn holder(&self) -> Option<usize> {
        let holds = |apply: &Apply| self.lock > 0 && apply.rank == self.lock && apply.session;
        self.applies.iter().position(holds)
    }

    /// Brings what has no order into one.
    pub(crate) fn sort(&mut self) {
        self.applies.sort_unstable();
        self.requests.sort_unstable();
        self.requests.dedup();
    }
}

/// Properties that are broken, as a set of bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Broken(u16);

macro_rules! properties {
    ($($name:ident = $bit:literal, $says:literal;)*) => {
        impl Broken {
            $(#[doc = concat!("Broken: ", $says, ".")] pub(crate) const $name: Self = Self(1 << $bit);)*

            /// All of them.
            pub(crate) const ALL: Self = Self($(1 << $bit)|*);

            const NAMES: &[(Self, &str)] = &[$((Self::$name, $says)),*];
        }
    };
}

properties! {
    UNVERSIONED = 0, "nothing is sent but with a version that a configuration had";
    OFF_PLAN = 1, "every committed configuration is a state of the plan";
    LATE_STEP = 2, "a step commits only while its sender's fence is the last one";
    LATE_FENCE = 3, "no fence commits after that of a later lock";
    TWICE = 4, "no step is committed twice";
    FALSE_COMMITTED = 5, "what is told to be committed is";
    FALSE_DENIED = 6, "what the journal says is not applied never is";
    NO_INTENT = 7, "an intent is durable before its request can arrive";
    GAP = 8, "a closed run tells of every step, once";
    UNFINISHED = 9, "an apply that has finished leaves the ensemble at the target";
    STRANGER = 10, "no apply takes another's work for a stranger's";
    NO_LOCK = 11, "only who has the lock writes the journal";
    UNDEAD = 12, "an apply that has ended wants nothing more";
    LOWER = 13, "no step is sent that goes below the tolerance that the plan promised";
}

impl Broken {
    /// Whether one of these is among them.
    pub(crate) const fn has(self, which: Self) -> bool {
        self.0 & which.0 != 0
    }

    /// Whether none is.
    pub(crate) const fn is_nothing(self) -> bool {
        self.0 == 0
    }

    /// These are broken as well.
    pub(crate) const fn add(&mut self, also: Self) {
        self.0 |= also.0;
    }

    /// These and those.
    pub(crate) const fn and(self, those: Self) -> Self {
        Self(self.0 | those.0)
    }

    /// What they say.
    pub(crate) fn says(self) -> String {
        let names = Self::NAMES.iter().filter(|(which, _)| self.has(*which));
        names.map(|(_, says)| *says).collect::<Vec<&str>>().join("; ")
    }

    /// Only what is among these.
    pub(crate) const fn only(self, of: Self) -> Self {
        Self(self.0 & of.0)
    }
}
