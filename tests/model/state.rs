//! A state of the model: one ensemble, the live applies, the requests on their way.

use crate::executors::ExecutorId;
use crate::journals::{EntryId, Journal};
use crate::world::{Config, Request};

/// The lock under which a request was sent. The first lock has rank 2, the next one 4. The fence of
/// an operator who removed the lock of rank r has rank r + 1. 0 means no lock.
pub(crate) type Rank = u8;

/// Everything on which the next action depends, and what the properties need of the past.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) config: Config,
    /// The holder of the lock. The rank stands for its czxid.
    pub(crate) lock: Rank,
    /// The rank that was given last.
    pub(crate) last_lock: Rank,
    pub(crate) identity: bool,
    pub(crate) journal: Journal,
    /// In a canonical order, so that states that differ only in it are one state.
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
    /// The properties that the last action broke.
    pub(crate) broken: Broken,
    /// The member that is down; 0 for none.
    pub(crate) down: u8,
}

/// A process that applies the plan, on a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Apply {
    pub(crate) executor: ExecutorId,
    /// The lock that its session made, there or not; 0 for none.
    pub(crate) rank: Rank,
    /// Whether its session lives.
    pub(crate) session: bool,
    /// An entry that was written without the apply knowing.
    pub(crate) written: Option<EntryId>,
    /// The member that was down in its last survey. 0 for none.
    pub(crate) saw_down: u8,
}

/// A reconfig that has left its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UnderWay {
    pub(crate) rank: Rank,
    pub(crate) request: Request,
    /// The version that it starts from.
    pub(crate) version: u8,
    /// Whether the journal records that it will never be carried out.
    pub(crate) denied: bool,
}

impl State {
    /// Whether some apply that lives has the lock.
    pub(crate) fn holder(&self) -> Option<usize> {
        let holds = |apply: &Apply| self.lock > 0 && apply.rank == self.lock && apply.session;
        self.applies.iter().position(holds)
    }

    /// Sorts everything whose order does not matter.
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

    /// The union of both.
    pub(crate) const fn and(self, those: Self) -> Self {
        Self(self.0 | those.0)
    }

    /// Their names.
    pub(crate) fn says(self) -> String {
        let names = Self::NAMES.iter().filter(|(which, _)| self.has(*which));
        names.map(|(_, says)| *says).collect::<Vec<&str>>().join("; ")
    }

    /// The intersection of both.
    pub(crate) const fn only(self, of: Self) -> Self {
        Self(self.0 & of.0)
    }
}
