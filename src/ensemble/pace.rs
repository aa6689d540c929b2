//! How fast servers have answered, and so how long the next request may take.
//!
//! A limit that fits one rack declares servers on another continent unreachable. A limit that fits
//! those waits too long for every unreachable server. So the first limits are those of a near
//! ensemble. A request that timed out is repeated with longer limits, and the limits of all later
//! requests grow with the measured times. If even the longer limit was exceeded, one try is enough
//! until the server answers again.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::NoAnswer;
use crate::model::{Endpoint, Host, Millis, Timeouts};

/// Bounds of every question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long connecting may take. Resolving a name may take three times as long.
    pub connect: Duration,
    /// How long a TLS handshake may take. The first one after the start of a server takes seconds
    /// on a busy machine, because Java loads its classes.
    pub handshake: Duration,
    /// How long an answer may take from the connection, or the handshake, on.
    pub answer: Duration,
    /// The maximum size of an answer in bytes. A longer one is unreadable.
    pub answer_bytes: u32,
    /// Whether the limits grow with the measured times.
    pub adapt: bool,
}

impl Limits {
    /// How long resolving a name may take. A name server on a slow line takes the time of several
    /// connections.
    pub(super) fn lookup(self) -> Duration {
        self.connect * 3
    }

    /// How long an answer may take on a connection of the library, which makes the handshake
    /// itself.
    pub(super) fn answer_from(self, at: &Endpoint) -> Duration {
        if at.tls { self.handshake + self.answer } else { self.answer }
    }
}

impl Default for Limits {
    /// A second to connect, five for a TLS handshake, two to answer, one mebibyte. The limits
    /// adapt.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            handshake: Duration::from_secs(5),
            answer: Duration::from_secs(2),
            answer_bytes: 1024 * 1024,
            adapt: true,
        }
    }
}

impl From<Timeouts> for Limits {
    fn from(timeouts: Timeouts) -> Self {
        match timeouts {
            Timeouts::Auto => Self::default(),
            Timeouts::Fixed { connect: Millis(connect), answer: Millis(answer) } => {
                let (connect, answer) =
                    (Duration::from_millis(connect), Duration::from_millis(answer));
                let handshake = Self::default().handshake.max(answer);
                Self { connect, handshake, answer, adapt: false, ..Self::default() }
            }
        }
    }
}

/// No limit that was learned is longer.
const LONGEST: Duration = Duration::from_secs(20);

/// Before the first measurement, a request is repeated with limits this many times as long.
const UNMEASURED: u32 = 3;

/// Round trips beyond the first limit that connecting may take: a lost packet is sent again after
/// two round trips at the earliest, and then after four.
const ROUND_TRIPS_TO_CONNECT: u32 = 8;

/// Round trips beyond the first limit that an answer may take: a session needs five between client
/// and server, and each may lose a packet.
const ROUND_TRIPS_TO_ANSWER: u32 = 16;

/// The next session may take this many times the slowest one. Slow disks may become slower.
const SLOWEST_SESSION: u32 = 4;

/// The kind of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// That it takes a connection.
    Connection,
    /// A four-letter word.
    Word,
    /// A session. It waits for a quorum, and so for the disks of other servers.
    Session,
}

/// The address of a request.
pub(super) type HostPort = (Host, u16);

/// The pace of an ensemble.
pub(super) struct Pace {
    first: Limits,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The fastest round trip at each place.
    round_trips: HashMap<HostPort, Duration>,
    /// The time of the slowest session.
    session: Option<Duration>,
    /// Where a question got no answer in the longer time either.
    unanswered: HashSet<(HostPort, Kind)>,
}

impl Pace {
    pub(super) fn new(first: Limits) -> Self {
        Self { first, seen: Mutex::default() }
    }

    /// The limits before anything was learned.
    pub(super) fn first(&self) -> Limits {
        self.first
    }

    /// How long a request may take, by the measured times.
    pub(super) fn limits(&self, kind: Kind) -> Limits {
        let Limits { connect, handshake, answer, .. } = self.first;
        if !self.first.adapt {
            return self.first;
        }
        let seen = self.seen();
        let round_trip = seen.round_trips.values().max().copied().unwrap_or_default();
        let slowest = seen.session.filter(|_| kind == Kind::Session).unwrap_or_default();
        let answer = (answer + round_trip * ROUND_TRIPS_TO_ANSWER).max(slowest * SLOWEST_SESSION);
        Limits {
            connect: (connect + round_trip * ROUND_TRIPS_TO_CONNECT).min(LONGEST.max(connect)),
            handshake: (handshake + round_trip * ROUND_TRIPS_TO_CONNECT)
                .min(LONGEST.max(handshake)),
            answer: answer.min(LONGEST.max(self.first.answer)),
            ..self.first
        }
    }

    /// The limits for repeating a request that timed out. `None` if repeating it has already
    /// failed.
    pub(super) fn again(&self, place: &HostPort, kind: Kind) -> Option<Limits> {
        let learned = self.limits(kind);
        let seen = self.seen();
        if seen.unanswered.contains(&(place.clone(), kind)) {
            return None;
        }
        let is_measured = match kind {
            Kind::Connection | Kind::Word => !seen.round_trips.is_empty(),
            Kind::Session => seen.session.is_some(),
        };
        let longer = |learned: Duration, first: Duration| learned.max(first * UNMEASURED);
        Some(if is_measured || !self.first.adapt {
            learned
        } else {
            Limits {
                connect: longer(learned.connect, self.first.connect),
                answer: longer(learned.answer, self.first.answer),
                ..learned
            }
        })
    }

    /// Records the result of a request and the time that it took.
    pub(super) fn learn(
        &self,
        place: &HostPort,
        kind: Kind,
        took: Duration,
        silence: Option<NoAnswer>,
    ) {
        let mut seen = self.seen();
        if silence.is_some_and(is_out_of_time) {
            seen.unanswered.insert((place.clone(), kind));
            return;
        }
        seen.unanswered.remove(&(place.clone(), kind));
        match (kind, silence) {
            (Kind::Session, None) => seen.session = seen.session.max(Some(took)),
            (Kind::Connection, _) => seen.round_trip(place, took),
            // One to connect, one for the answer.
            (Kind::Word, None) => seen.round_trip(place, took / 2),
            (Kind::Session | Kind::Word, Some(_)) => {}
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn round_trip(&mut self, place: &HostPort, took: Duration) {
        let fastest = self.round_trips.entry(place.clone()).or_insert(took);
        *fastest = took.min(*fastest);
    }
}

/// Whether a request timed out and a longer limit might have helped.
pub(super) fn is_out_of_time(silence: NoAnswer) -> bool {
    matches!(silence, NoAnswer::ConnectTimedOut | NoAnswer::AnswerTimedOut)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEAR: Duration = Duration::from_millis(1);
    const FAR: Duration = Duration::from_millis(600);

    fn place(port: u16) -> HostPort {
        (Host::new("127.0.0.1"), port)
    }

    #[test]
    fn a_near_ensemble_keeps_the_first_limits() {
        let pace = Pace::new(Limits::default());
        pace.learn(&place(1), Kind::Word, NEAR, None);
        let limits = pace.limits(Kind::Word);
        assert!(limits.connect < Duration::from_millis(1_010), "{limits:?}");
        assert!(limits.answer < Duration::from_millis(2_020), "{limits:?}");
    }

    #[test]
    fn what_is_far_is_given_the_time_of_lost_packets() {
        let pace = Pace::new(Limits::default());
        for port in [1, 2] {
            pace.learn(&place(port), Kind::Word, NEAR, None);
        }
        pace.learn(&place(3), Kind::Word, 2 * FAR, None);
        let limits = pace.limits(Kind::Word);
        assert!(limits.connect > 8 * FAR && limits.answer > 16 * FAR, "{limits:?}");
    }

    #[test]
    fn the_fastest_answer_of_a_place_is_its_round_trip() {
        let pace = Pace::new(Limits::default());
        pace.learn(&place(1), Kind::Connection, FAR, None);
        pace.learn(&place(1), Kind::Connection, NEAR, Some(NoAnswer::Refused));
        assert!(pace.limits(Kind::Word).connect < Duration::from_millis(1_010));
    }

    #[test]
    fn a_slow_disk_makes_sessions_slow_and_nothing_else() {
        let pace = Pace::new(Limits::default());
        pace.learn(&place(1), Kind::Session, Duration::from_secs(3), None);
        assert_eq!(pace.limits(Kind::Session).answer, Duration::from_secs(12));
        assert_eq!(pace.limits(Kind::Word), Limits::default());
    }

    #[test]
    fn a_missing_answer_is_retried_once_and_then_asked_once_a_survey() {
        let pace = Pace::new(Limits::default());
        let limits = pace.again(&place(1), Kind::Word).expect("it was not asked before");
        assert_eq!(limits.answer, 3 * Limits::default().answer);
        pace.learn(&place(1), Kind::Word, limits.answer, Some(NoAnswer::AnswerTimedOut));
        assert_eq!(pace.again(&place(1), Kind::Word), None);
        assert!(pace.again(&place(1), Kind::Session).is_some(), "another question");
        pace.learn(&place(1), Kind::Word, NEAR, None);
        assert!(pace.again(&place(1), Kind::Word).is_some());
    }

    #[test]
    fn limits_that_are_given_stay() {
        let fixed = Timeouts::Fixed { connect: Millis(3_000), answer: Millis(6_000) };
        let pace = Pace::new(fixed.into());
        pace.learn(&place(1), Kind::Word, 2 * FAR, None);
        let limits = pace.limits(Kind::Word);
        assert_eq!((limits.connect.as_secs(), limits.answer.as_secs()), (3, 6));
        assert_eq!(pace.again(&place(2), Kind::Session), Some(limits));
    }
}
