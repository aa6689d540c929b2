//! Follows a rolling restart that a person does, and says which server is next.
//!
//! Followers in ascending order of ids, the leader last, and the next only when the last one is
//! proven to be back. No clock and no I/O: samples go in, what changed and what to do come out.

use std::collections::{BTreeMap, BTreeSet};

use super::authority::leader_enabled;
use super::check::{Check, CheckVerdict};
use super::codes::CheckKind;
use super::evidence::{CredentialWord, StateWord};
use super::members::word;
use super::view::View;
use crate::model::ServerId;

/// The gate has to hold in this number of samples in a row.
const SAMPLES: u32 = 2;

/// What a restart can mend: settings of the server's own process.
const BY_RESTART: [CheckKind; 6] = [
    CheckKind::ReconfigEnabled,
    CheckKind::Credential,
    CheckKind::Connections,
    CheckKind::TickSync,
    CheckKind::InitLimit,
    CheckKind::Settings,
];

/// Whether restarts with other settings mend something that stands against a change.
pub fn restarts_mend(checks: &[Check]) -> bool {
    let mut failing =
        checks.iter().filter(|check| check.verdict == CheckVerdict::Fail && check.blocks);
    failing.any(|check| BY_RESTART.contains(&check.kind))
}

/// What was seen of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sampled {
    /// Its state in the ensemble.
    pub status: StateWord,
    /// The checks that it fails and that a restart with other settings mends.
    pub lacks: BTreeSet<CheckKind>,
    /// Those of them that it passes.
    pub has: BTreeSet<CheckKind>,
    /// Whether it accepts the user.
    pub credential: CredentialWord,
    /// Whether its client port refused a connection since the last sample.
    pub refused: bool,
    /// When its session tracker was made, by its own clock: it is made anew by a restart, and by a
    /// change of its role or leader.
    pub tracker: Option<u64>,
    /// Whether a write committed through it.
    pub commits: bool,
}

/// What was seen of all members at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollSample {
    /// The members.
    pub servers: BTreeMap<ServerId, Sampled>,
    /// The leader.
    pub leader: Option<ServerId>,
    /// Whether the leader runs with `reconfigEnabled=true`.
    pub leader_enabled: Option<bool>,
    /// Checks that fail and that no restart mends.
    pub others: BTreeSet<CheckKind>,
    /// Whether anything fails that makes a change unsafe.
    pub is_blocked: bool,
}

/// Something that is different from the sample before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RollChange {
    /// The first sample, or another state.
    State {
        /// The server.
        server: ServerId,
        /// Its state.
        status: StateWord,
        /// What it lacks.
        lacks: BTreeSet<CheckKind>,
    },
    /// It was restarted.
    Restarted {
        /// The server.
        server: ServerId,
        /// What shows it.
        by: RestartShownBy,
        /// What it lacked before and still lacks.
        still: BTreeSet<CheckKind>,
        /// Whether that is all that it lacked: it has the old settings.
        is_old: bool,
    },
}

/// What shows that a server was restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartShownBy {
    /// Its client port refused connections, and it serves again.
    Refused,
    /// It has a setting that it had not before.
    Setting,
}

/// What the operator is to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RollAdvice {
    /// Nothing fails any more.
    AllSet,
    /// Restart nothing before this server is back.
    Wait {
        /// The server; `None` for all of them.
        server: Option<ServerId>,
        /// What is missing.
        missing: RollMissing,
        /// Whether the roll may only be finished, not taken back.
        forward: bool,
    },
    /// Restart this server with the new settings.
    Restart {
        /// The server.
        server: ServerId,
        /// Whether it leads, so that it is the last one.
        leads: bool,
        /// What it lacks; empty where nothing shows that it has the new settings.
        lacks: BTreeSet<CheckKind>,
        /// Whether the roll may only be finished, not taken back.
        forward: bool,
    },
    /// Restarts mend nothing of what fails.
    Otherwise {
        /// The checks.
        fail: BTreeSet<CheckKind>,
    },
}

impl RollAdvice {
    /// Whether the roll may only be finished: some servers run with `reconfigEnabled=true` and others
    /// do not, and one that restarts with the old file may never rejoin.
    pub const fn is_forward(&self) -> bool {
        match self {
            Self::Wait { forward, .. } | Self::Restart { forward, .. } => *forward,
            Self::AllSet | Self::Otherwise { .. } => false,
        }
    }
}

/// What is missing before the next restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollMissing {
    /// It is not back in its role, in sync.
    Role(StateWord),
    /// No write committed through it.
    Commit,
    /// It has to be seen so once more.
    Again,
    /// There is no leader.
    Leader,
}

/// What is known of a rolling restart so far.
#[derive(Debug, Clone, Default)]
pub struct Roll {
    /// The servers to restart, each once, where a plan names them; else whatever fails.
    servers: Option<BTreeSet<ServerId>>,
    before: Option<RollSample>,
    /// Servers that refused connections and do not serve again, with their trackers before that.
    stopped: BTreeMap<ServerId, Option<u64>>,
    /// What each server lacked when it was last seen in its role.
    lacked: BTreeMap<ServerId, BTreeSet<CheckKind>>,
    /// Servers that were seen to be restarted, and not with the old settings.
    restarted: BTreeSet<ServerId>,
    /// The server that was restarted last, and in how many samples its gate held.
    last: Option<(ServerId, u32)>,
}

impl RollSample {
    /// What the checks say of the members.
    pub fn of(view: View<'_>, checks: &[Check], refused: &BTreeSet<ServerId>) -> Self {
        // What the spec wants of settings is what a roll is for, though a change is possible without.
        let fails = |check: &&Check| {
            let counts = check.blocks || check.kind == CheckKind::Settings;
            check.verdict == CheckVerdict::Fail && counts
        };
        // A member that the spec takes out may be down for good. It is waited for all the same where a
        // restart of another one would take the quorum.
        let may_restart = stands_without_one(view);
        let counts = |id| view.is_wanted(id) || !is_down(view, id) || !may_restart;
        let members =
            view.servers().filter(|observed| view.is_member(observed.id) && counts(observed.id));
        let servers = members.map(|observed| {
            let answers = view.answers(observed.id);
            let own = checks.iter().filter(|check| {
                check.server == Some(observed.id) && BY_RESTART.contains(&check.kind)
            });
            let passes = |check: &&Check| check.verdict == CheckVerdict::Pass;
            let session = answers.and_then(|answers| answers.session_id);
            let lacks: BTreeSet<CheckKind> =
                own.clone().filter(fails).map(|check| check.kind).collect();
            // Of several settings one may be as wanted and another not.
            let has = own.filter(passes).map(|check| check.kind);
            let sampled = Sampled {
                status: word(&observed.status),
                has: has.filter(|kind| !lacks.contains(kind)).collect(),
                lacks,
                credential: answers
                    .map_or(CredentialWord::NotFollowing, |answers| answers.credential),
                refused: refused.contains(&observed.id),
                tracker: session.map(tracker),
                // A refused write is a transaction too.
                commits: answers.is_some_and(|answers| answers.without_rights.is_some()),
            };
            (observed.id, sampled)
        });
        let mended = |check: &Check| {
            BY_RESTART.contains(&check.kind) && check.server.is_some_and(|id| view.is_member(id))
        };
        let fails = |check: &&Check| check.verdict == CheckVerdict::Fail && check.blocks;
        let others = checks.iter().filter(fails).filter(|check| !mended(check));
        Self {
            servers: servers.collect(),
            leader: view.seen.leader,
            leader_enabled: leader_enabled(view),
            others: others.map(|check| check.kind).collect(),
            is_blocked: super::is_blocked(checks),
        }
    }
}

/// Whether the voters that are up are a quorum with one of them less. Where groups or weights count,
/// only if all are up.
fn stands_without_one(view: View<'_>) -> bool {
    let members = &view.seen.config.membership;
    let voters = members.voters();
    let up = voters.iter().filter(|id| !is_down(view, **id)).count();
    if members.is_weighted() { up == voters.len() } else { up > voters.len() / 2 + 1 }
}

fn is_down(view: View<'_>, id: ServerId) -> bool {
    view.seen.servers.get(&id).is_none_or(|observed| !observed.status.acknowledges())
}

/// The part of a session's id that is the time at which its server's tracker was made
/// (`SessionTrackerImpl.initializeNextSessionId`).
const fn tracker(session: i64) -> u64 {
    (session.cast_unsigned() >> 16) & ((1 << 40) - 1)
}

impl Sampled {
    const fn is_healthy(&self) -> bool {
        self.status.is_in_sync()
    }
}

impl Roll {
    /// A roll that restarts these servers, whatever they lack.
    pub fn of_servers(servers: BTreeSet<ServerId>) -> Self {
        Self { servers: Some(servers), ..Self::default() }
    }

    /// Takes it that a server was stopped, since the command that restarts it has succeeded: it is
    /// proven to be restarted when its session tracker is another.
    pub fn was_commanded(&mut self, server: ServerId) {
        let before = self.before.as_ref().and_then(|before| before.servers.get(&server));
        if let Some(tracker) = before.and_then(|before| before.tracker) {
            self.stopped.entry(server).or_insert(Some(tracker));
        }
    }

    /// Takes a restart for none, and has its server restarted: what it was to bring is not there.
    pub fn forget(&mut self, server: ServerId) {
        self.restarted.remove(&server);
        if let Some(servers) = &mut self.servers {
            servers.insert(server);
        }
    }

    /// The servers that were seen to be restarted.
    pub const fn restarted(&self) -> &BTreeSet<ServerId> {
        &self.restarted
    }

    /// Whether a server was stopped and was not seen to serve again.
    pub fn has_stopped(&self, server: ServerId) -> bool {
        self.stopped.contains_key(&server)
    }

    /// Takes the next sample: what changed, and what to do now.
    pub fn advance(&mut self, now: RollSample) -> (Vec<RollChange>, RollAdvice) {
        let mut changes = Vec::new();
        for (id, own) in &now.servers {
            let before = self.before.as_ref().and_then(|before| before.servers.get(id));
            let before = before.cloned();
            let stops = own.refused && !self.stopped.contains_key(id);
            if stops {
                let tracker = before.as_ref().and_then(|before| before.tracker);
                self.stopped.insert(*id, tracker);
                self.last = Some((*id, 0));
            }
            // What was seen of it may be older than its stop, unless its tracker says otherwise.
            let is_older = stops && self.stopped.get(id).is_some_and(Option::is_none);
            let shown = self.shown_by(*id, own).filter(|_| !is_older);
            if let Some(by) = shown {
                self.stopped.remove(id);
                self.last = Some((*id, 0));
                let lacked = self.lacked.get(id).cloned().unwrap_or_default();
                let still: BTreeSet<CheckKind> = lacked.intersection(&own.lacks).copied().collect();
                let is_old = !still.is_empty() && still == lacked;
                // Where a plan names the servers, what each of them brings is for the plan to say.
                if is_old && self.servers.is_none() {
                    self.restarted.remove(id);
                } else {
                    self.restarted.insert(*id);
                }
                changes.push(RollChange::Restarted { server: *id, by, still, is_old });
            }
            if own.is_healthy() {
                self.lacked.insert(*id, own.lacks.clone());
            }
            let same =
                |before: &Sampled| (before.status, &before.lacks) == (own.status, &own.lacks);
            if !before.as_ref().is_some_and(same) {
                let (status, lacks) = (own.status, own.lacks.clone());
                changes.push(RollChange::State { server: *id, status, lacks });
            }
        }
        let advice = self.advice(&now);
        self.before = Some(now);
        (changes, advice)
    }

    /// What shows in this sample that a server was restarted.
    fn shown_by(&self, id: ServerId, own: &Sampled) -> Option<RestartShownBy> {
        if !own.is_healthy() {
            return None;
        }
        if let Some(tracker) = self.stopped.get(&id).filter(|_| !own.refused || own.commits) {
            let is_new = tracker.zip(own.tracker).is_none_or(|(before, now)| before != now);
            return is_new.then_some(RestartShownBy::Refused);
        }
        // Whether reconfigs are enabled also shows, or stops to, when another server leads.
        // It may have been seen in between, without its settings: while it looked for a leader.
        let gained = self.lacked.get(&id)?.intersection(&own.has);
        let by_itself = |kind: &&CheckKind| **kind != CheckKind::ReconfigEnabled;
        gained.into_iter().any(|kind| by_itself(&kind)).then_some(RestartShownBy::Setting)
    }

    /// Whether a follower has the new file, where its `reconfigEnabled` does not show before the
    /// leader has it: it was seen to be restarted, or it knows the user and the leader does not,
    /// which is a line of the same edit.
    pub fn has_new_file(&self, now: &RollSample, id: ServerId) -> bool {
        let credential = |id: &ServerId| now.servers.get(id).map(|own| own.credential);
        let leader = now.leader.as_ref().and_then(credential);
        let stands_in = credential(&id) == Some(CredentialWord::Accepted)
            && leader == Some(CredentialWord::Refused);
        self.restarted.contains(&id) || stands_in
    }

    /// Whether some servers run with `reconfigEnabled=true` and others do not.
    fn is_mixed(&self, now: &RollSample) -> bool {
        let lacks = |own: &Sampled| own.lacks.contains(&CheckKind::ReconfigEnabled);
        match now.leader_enabled {
            Some(true) => now.servers.values().any(lacks),
            Some(false) => {
                now.servers.keys().any(|id| Some(*id) != now.leader && self.has_new_file(now, *id))
            }
            None => false,
        }
    }

    fn advice(&mut self, now: &RollSample) -> RollAdvice {
        let forward = self.is_mixed(now);
        let wait = |server, missing| RollAdvice::Wait { server, missing, forward };
        if now.leader.is_none() {
            return wait(None, RollMissing::Leader);
        }
        // A server that was restarted without what the leader has stays as it is, whatever is waited
        // for. It may acknowledge writes all the same: it is restarted where no other one is away.
        let is_left_behind = |own: &Sampled| {
            let lacks_it = own.lacks.contains(&CheckKind::ReconfigEnabled);
            now.leader_enabled == Some(true) && lacks_it
        };
        let away: Vec<_> = now.servers.iter().filter(|(_, own)| !own.is_healthy()).collect();
        let first = away.iter().find(|(_, own)| !is_left_behind(own)).or(away.first());
        if let Some((id, own)) = first {
            self.last = Some((**id, 0));
            if is_left_behind(own) && away.len() == 1 {
                let (server, lacks) = (**id, own.lacks.clone());
                return RollAdvice::Restart { server, leads: false, lacks, forward };
            }
            return wait(Some(**id), RollMissing::Role(own.status));
        }
        if let Some((id, held)) = &mut self.last {
            if !now.servers.get(id).is_some_and(|own| own.commits) {
                *held = 0;
                return wait(Some(*id), RollMissing::Commit);
            }
            *held += 1;
            if *held < SAMPLES {
                return wait(Some(*id), RollMissing::Again);
            }
        }
        if let Some(server) = self.next(now) {
            let lacks = now.servers.get(&server).map(|own| own.lacks.clone()).unwrap_or_default();
            let leads = now.leader == Some(server);
            return RollAdvice::Restart { server, leads, lacks, forward };
        }
        if now.is_blocked && self.servers.is_none() {
            return RollAdvice::Otherwise { fail: now.others.clone() };
        }
        RollAdvice::AllSet
    }

    /// The next server: followers in order of ids, the leader last.
    fn next(&self, now: &RollSample) -> Option<ServerId> {
        let is_hidden = now.leader_enabled == Some(false);
        let needs = |(id, own): &(&ServerId, &Sampled)| match &self.servers {
            Some(servers) => servers.contains(id) && !self.restarted.contains(id),
            None => {
                !own.lacks.is_empty()
                    || is_hidden && Some(**id) != now.leader && !self.has_new_file(now, **id)
            }
        };
        let all: Vec<ServerId> = now.servers.iter().filter(needs).map(|(id, _)| *id).collect();
        let follower = all.iter().find(|id| Some(**id) != now.leader);
        follower.or(all.first()).copied()
    }
}

#[cfg(test)]
mod tests;
