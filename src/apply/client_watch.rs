//! Watches the clients of servers that leave: since when there are none, and which the operator let
//! pass.
//!
//! One look at an instant proves nothing: all clients of a server are between two connections for a
//! moment after a leader change, and a job that connects for a tenth of a second is seen by no look.
//! So a gate opens when no client was there over the longest session time-out, and none came and went
//! meanwhile, where servers count that.

use std::collections::{BTreeMap, BTreeSet};

use super::run_view::{Leaving, Presence};
use super::wait::Occupied;
use crate::model::{Millis, ServerId};
use crate::observe::{ClientSession, Clients};

/// The longest session time-out that a server gives by default: twenty ticks of two seconds
/// (`ZooKeeperServer.getMaxSessionTimeout`, `DEFAULT_TICK_TIME` of `zoo_sample.cfg`).
const DEFAULT_LONGEST_MS: u64 = 40_000;

/// What a run has seen of the clients of servers that leave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientWatch {
    /// Since when no client was there and none came, in milliseconds of the run.
    quiet_since: Option<u64>,
    /// The longest session time-out that was seen, or that a server may have given.
    longest_ms: u64,
    /// How many sessions each server had counted when it was asked last.
    counted: BTreeMap<ServerId, u64>,
    /// How many sessions came and went on each server since no client was there.
    came: BTreeMap<ServerId, u64>,
    /// Servers that clients were on when they were asked last, or that did not show it.
    used: BTreeSet<ServerId>,
    /// Until when the clients of a server that has stopped may come to another.
    hops_until: Option<(ServerId, u64)>,
    /// Whom the gate let pass.
    passed: Option<PassedClients>,
}

/// The clients that were on servers that leave when a gate was passed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PassedClients {
    sessions: BTreeSet<u64>,
    /// How many there were, of servers that show no more.
    counts: BTreeMap<ServerId, u64>,
}

impl PassedClients {
    /// These.
    pub fn of(occupied: &[Occupied]) -> Self {
        let mut passed = Self::default();
        for Occupied { server, clients, .. } in occupied {
            let Some(clients) = clients else { continue };
            passed.sessions.extend(clients.sessions.iter().map(|session| session.id));
            if clients.sessions.is_empty() {
                passed.counts.insert(*server, clients.count);
            }
        }
        passed
    }

    /// The clients that are not among them.
    fn without(&self, server: ServerId, clients: &Clients) -> Clients {
        if clients.sessions.is_empty() {
            let known = self.counts.get(&server).copied().unwrap_or_default();
            return Clients::counted(clients.count.saturating_sub(known));
        }
        let is_new = |session: &&ClientSession| !self.sessions.contains(&session.id);
        Clients::of(clients.sessions.iter().filter(is_new).cloned().collect())
    }
}

impl ClientWatch {
    /// Records what was seen of the servers that leave; nothing where they were not asked.
    pub fn see(&mut self, leaving: &BTreeMap<ServerId, Leaving>, now_ms: u64) {
        if leaving.is_empty() {
            return;
        }
        let mut have_come = false;
        for (id, leaving) in leaving {
            self.see_timeouts(leaving);
            if leaving.presence == Presence::Gone && self.used.remove(id) {
                self.hops_until = Some((*id, now_ms + self.longest_ms));
            }
            if leaving.presence == Presence::Up {
                let is_free = leaving.is_drained();
                if is_free {
                    self.used.remove(id)
                } else {
                    self.used.insert(*id)
                };
            }
            let Some(count) = leaving.connects else { continue };
            let before = self.counted.insert(*id, count).unwrap_or(count);
            // A process that began anew counts from nothing.
            let more = count.saturating_sub(before);
            if more > 0 && self.quiet_since.is_some() {
                *self.came.entry(*id).or_default() += more;
                have_come = true;
            }
        }
        if !leaving.values().all(Leaving::is_drained) {
            self.quiet_since = None;
            self.came.clear();
        } else if have_come {
            self.quiet_since = Some(now_ms);
        } else {
            self.quiet_since.get_or_insert(now_ms);
        }
    }

    fn see_timeouts(&mut self, leaving: &Leaving) {
        let sessions = leaving.clients.iter().flat_map(|clients| &clients.sessions);
        let shown = sessions.filter_map(|session| session.timeout_ms).max();
        let shows_none = leaving.presence == Presence::Up && !leaving.shows_sessions;
        let may_be = leaving.longest_timeout_ms.unwrap_or(DEFAULT_LONGEST_MS);
        let longest = shown.or(shows_none.then_some(may_be));
        self.longest_ms = self.longest_ms.max(longest.unwrap_or_default());
    }

    /// How long no client must be there.
    pub fn window(&self, stable_for: Millis) -> Millis {
        Millis(self.longest_ms.max(stable_for.0))
    }

    /// How long it has been so, and how long is left.
    pub fn quiet(&self, stable_for: Millis, now_ms: u64) -> (Millis, Millis) {
        let watched = self.quiet_since.map_or(0, |since| now_ms.saturating_sub(since));
        (Millis(watched), Millis(self.window(stable_for).0.saturating_sub(watched)))
    }

    /// How many sessions came to a server and went, since no client was there.
    pub fn came(&self, server: ServerId) -> u64 {
        self.came.get(&server).copied().unwrap_or_default()
    }

    /// The server that stopped last with clients on it, and how long they may still come to another.
    pub fn hops(&self, now_ms: u64) -> Option<(ServerId, Millis)> {
        let (server, until) = self.hops_until?;
        let left = until.saturating_sub(now_ms);
        (left > 0).then_some((server, Millis(left)))
    }

    /// The gate lets these clients pass.
    pub fn pass(&mut self, clients: PassedClients) {
        self.passed = Some(clients);
    }

    /// Whether the operator or an empty server has opened the gate in this apply.
    pub const fn has_passed(&self) -> bool {
        self.passed.is_some()
    }

    /// The clients that the gate did not let pass, of those on a server.
    pub fn newcomers(&self, server: ServerId, clients: &Clients) -> Clients {
        self.passed
            .as_ref()
            .map_or_else(|| clients.clone(), |passed| passed.without(server, clients))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STABLE: Millis = Millis(5000);

    fn session(id: u64, timeout_ms: u64) -> ClientSession {
        let from = format!("10.0.0.9:{id}");
        ClientSession { from, id, timeout_ms: Some(timeout_ms), owns: Vec::new() }
    }

    fn one(sessions: Vec<ClientSession>, connects: u64) -> BTreeMap<ServerId, Leaving> {
        let leaving = Leaving {
            clients: Some(Clients::of(sessions)),
            shows_sessions: true,
            connects: Some(connects),
            ..Leaving::seen(None, Presence::Up)
        };
        BTreeMap::from([(ServerId::new(1), leaving)])
    }

    /// All clients are between two connections for a moment when a server comes back.
    #[test]
    fn a_moment_without_clients_opens_nothing() {
        let mut watch = ClientWatch::default();
        watch.see(&one(vec![session(1, 15_000)], 1), 0);
        watch.see(&one(Vec::new(), 1), 1000);
        assert_eq!(watch.quiet(STABLE, 3000), (Millis(2000), Millis(13_000)));
        watch.see(&one(vec![session(1, 15_000)], 2), 4000);
        watch.see(&one(Vec::new(), 2), 6000);
        assert_eq!(watch.quiet(STABLE, 20_999).1, Millis(1));
        assert_eq!(watch.quiet(STABLE, 21_000).1, Millis(0));
    }

    /// No look ever shows a job that stays for a tenth of a second.
    #[test]
    fn a_client_that_comes_and_goes_is_counted_and_the_watch_begins_anew() {
        let mut watch = ClientWatch::default();
        for (at, connects) in [(0, 7), (1000, 7), (2000, 9)] {
            watch.see(&one(Vec::new(), connects), at);
        }
        assert_eq!((watch.came(ServerId::new(1)), watch.quiet(STABLE, 2000).0), (2, Millis(0)));
    }

    #[test]
    fn where_no_session_is_shown_the_longest_possible_time_out_counts() {
        let unknown =
            Leaving { clients: Some(Clients::counted(0)), ..Leaving::seen(None, Presence::Up) };
        let known = Leaving { longest_timeout_ms: Some(9000), ..unknown.clone() };
        for (leaving, window) in [(unknown, DEFAULT_LONGEST_MS), (known, 9000)] {
            let mut watch = ClientWatch::default();
            watch.see(&BTreeMap::from([(ServerId::new(1), leaving)]), 0);
            assert_eq!(watch.window(STABLE), Millis(window));
        }
    }

    /// A client keeps its session where it connects again; another session is another matter.
    #[test]
    fn only_sessions_that_passed_are_no_newcomers() {
        let mut watch = ClientWatch::default();
        let server = ServerId::new(1);
        let clients = Some(Clients::of(vec![session(1, 4000)]));
        watch.pass(PassedClients::of(&[Occupied { server, clients, came: 0 }]));
        let now = Clients::of(vec![session(1, 4000), session(2, 4000)]);
        assert_eq!(watch.newcomers(server, &now), Clients::of(vec![session(2, 4000)]));
        // Of a server that shows numbers only, one client more is one too many.
        let clients = Some(Clients::counted(3));
        watch.pass(PassedClients::of(&[Occupied { server, clients, came: 0 }]));
        assert_eq!(watch.newcomers(server, &Clients::counted(4)).count, 1);
        assert_eq!(watch.newcomers(server, &Clients::counted(2)).count, 0);
    }

    #[test]
    fn clients_of_a_server_that_stops_may_come_to_the_next() {
        let mut watch = ClientWatch::default();
        watch.see(&one(vec![session(1, 4000)], 1), 0);
        let gone = BTreeMap::from([(ServerId::new(1), Leaving::seen(None, Presence::Gone))]);
        watch.see(&gone, 500);
        assert_eq!(watch.hops(1000), Some((ServerId::new(1), Millis(3500))));
        assert_eq!(watch.hops(4500), None);
    }
}
