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
    before: Option<RollSample>,
    /// Servers that refused connections and do not serve again, with their trackers before that.
    stopped: BTreeMap<ServerId, Option<u64>>,
    /// Servers that were seen to be restarted.
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
    view.seen.servers.get(&id).is_none_or(|observed| !observed.status.is_healthy())
}

/// The part of a session's id that is the time at which its server's tracker was made
/// (`SessionTrackerImpl.initializeNextSessionId`).
const fn tracker(session: i64) -> u64 {
    (session.cast_unsigned() >> 16) & ((1 << 40) - 1)
}

impl Sampled {
    const fn is_healthy(&self) -> bool {
        matches!(self.status, StateWord::Leads | StateWord::Follows | StateWord::Observes)
    }
}

impl Roll {
    /// Takes the next sample: what changed, and what to do now.
    pub fn advance(&mut self, now: RollSample) -> (Vec<RollChange>, RollAdvice) {
        let mut changes = Vec::new();
        for (id, own) in &now.servers {
            let before = self.before.as_ref().and_then(|before| before.servers.get(id));
            let before = before.cloned();
            if own.refused && !self.stopped.contains_key(id) {
                let tracker = before.as_ref().and_then(|before| before.tracker);
                self.stopped.insert(*id, tracker);
                self.last = Some((*id, 0));
            }
            if let Some(by) = self.shown_by(*id, before.as_ref(), own) {
                self.stopped.remove(id);
                self.restarted.insert(*id);
                self.last = Some((*id, 0));
                changes.push(RollChange::Restarted { server: *id, by });
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
    fn shown_by(
        &self,
        id: ServerId,
        before: Option<&Sampled>,
        own: &Sampled,
    ) -> Option<RestartShownBy> {
        if !own.is_healthy() {
            return None;
        }
        if let Some(tracker) = self.stopped.get(&id).filter(|_| !own.refused || own.commits) {
            let is_new = tracker.zip(own.tracker).is_none_or(|(before, now)| before != now);
            return is_new.then_some(RestartShownBy::Refused);
        }
        // Whether reconfigs are enabled also shows, or stops to, when another server leads.
        let gained = before?.lacks.intersection(&own.has);
        let by_itself = |kind: &&CheckKind| **kind != CheckKind::ReconfigEnabled;
        gained.into_iter().any(|kind| by_itself(&kind)).then_some(RestartShownBy::Setting)
    }

    /// Whether a follower has the new file, where its `reconfigEnabled` does not show before the
    /// leader has it: it was seen to be restarted, or it knows the user and the leader does not,
    /// which is a line of the same edit.
    fn has_new_file(&self, now: &RollSample, id: ServerId) -> bool {
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
        if now.is_blocked {
            return RollAdvice::Otherwise { fail: now.others.clone() };
        }
        RollAdvice::AllSet
    }

    /// The next server: followers in order of ids, the leader last.
    fn next(&self, now: &RollSample) -> Option<ServerId> {
        let is_hidden = now.leader_enabled == Some(false);
        let needs = |(id, own): &(&ServerId, &Sampled)| {
            !own.lacks.is_empty()
                || is_hidden && Some(**id) != now.leader && !self.has_new_file(now, **id)
        };
        let all: Vec<ServerId> = now.servers.iter().filter(needs).map(|(id, _)| *id).collect();
        let follower = all.iter().find(|id| Some(**id) != now.leader);
        follower.or(all.first()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Scene;
    use super::*;
    use crate::ensemble::NoAnswer;
    use crate::model::{Membership, Server};
    use crate::observe::{ServerObservation, ServerStatus};

    fn id(number: i64) -> ServerId {
        ServerId::new(number)
    }

    /// Three servers that lack the user; server 3 leads, without reconfigs.
    fn start() -> RollSample {
        let own = |number: i64| Sampled {
            status: if number == 3 { StateWord::Leads } else { StateWord::Follows },
            lacks: [CheckKind::Credential].into(),
            has: BTreeSet::new(),
            credential: CredentialWord::Refused,
            refused: false,
            tracker: Some(1),
            commits: true,
        };
        let mut sample = RollSample {
            servers: (1..=3).map(|number| (id(number), own(number))).collect(),
            leader: Some(id(3)),
            leader_enabled: Some(false),
            others: BTreeSet::new(),
            is_blocked: true,
        };
        of(&mut sample, 3).lacks.insert(CheckKind::ReconfigEnabled);
        sample
    }

    fn of(sample: &mut RollSample, number: i64) -> &mut Sampled {
        sample.servers.get_mut(&id(number)).expect("a server")
    }

    /// It is away: its port refuses.
    fn down(sample: &RollSample, number: i64) -> RollSample {
        let mut sample = sample.clone();
        let own = of(&mut sample, number);
        (own.status, own.refused, own.commits) = (StateWord::NoAnswer, true, false);
        (own.tracker, own.credential) = (None, CredentialWord::NotFollowing);
        own.lacks.clear();
        sample
    }

    /// It is back with the new file.
    fn renewed(sample: &RollSample, number: i64) -> RollSample {
        let mut sample = sample.clone();
        let own = of(&mut sample, number);
        (own.tracker, own.credential) = (Some(2), CredentialWord::Accepted);
        own.lacks.clear();
        own.has.insert(CheckKind::Credential);
        sample
    }

    fn next(advice: &RollAdvice) -> Option<(i64, bool, bool)> {
        match advice {
            RollAdvice::Restart { server, leads, forward, .. } => {
                Some((server.get(), *leads, *forward))
            }
            _ => None,
        }
    }

    fn missing(advice: &RollAdvice) -> Option<(Option<i64>, RollMissing)> {
        match advice {
            RollAdvice::Wait { server, missing, .. } => Some((server.map(ServerId::get), *missing)),
            _ => None,
        }
    }

    #[test]
    fn followers_come_first_and_the_next_waits_until_the_last_is_back() {
        let mut roll = Roll::default();
        let first = start();
        let (changes, advice) = roll.advance(first.clone());
        assert_eq!(changes.len(), 3, "the first sample names every server");
        assert_eq!(next(&advice), Some((1, false, false)));

        let (_, advice) = roll.advance(down(&first, 1));
        let away = RollMissing::Role(StateWord::NoAnswer);
        assert_eq!(missing(&advice), Some((Some(1), away)));

        let one = renewed(&first, 1);
        let mut mute = one.clone();
        of(&mut mute, 1).commits = false;
        let (changes, advice) = roll.advance(mute);
        let by = RestartShownBy::Refused;
        assert!(changes.contains(&RollChange::Restarted { server: id(1), by }));
        assert_eq!(missing(&advice), Some((Some(1), RollMissing::Commit)));
        let (_, advice) = roll.advance(one.clone());
        assert_eq!(missing(&advice), Some((Some(1), RollMissing::Again)));
        let (_, advice) = roll.advance(one.clone());
        assert_eq!(next(&advice), Some((2, false, true)), "the roll goes forward only");

        let two = renewed(&one, 2);
        roll.advance(down(&one, 2));
        roll.advance(two.clone());
        let (_, advice) = roll.advance(two.clone());
        assert_eq!(next(&advice), Some((3, true, true)), "the leader last");

        let mut three = renewed(&two, 3);
        of(&mut three, 2).status = StateWord::Leads;
        of(&mut three, 3).status = StateWord::Follows;
        (three.leader, three.leader_enabled, three.is_blocked) = (Some(id(2)), Some(true), false);
        let mut election = down(&two, 3);
        election.leader = None;
        let (_, advice) = roll.advance(election);
        assert_eq!(missing(&advice), Some((None, RollMissing::Leader)));
        roll.advance(three.clone());
        let (_, advice) = roll.advance(three);
        assert_eq!(advice, RollAdvice::AllSet);
    }

    /// It would be waited for in vain. While another server is away it may be needed for the quorum.
    #[test]
    fn a_server_that_came_back_without_the_setting_is_restarted_once_more() {
        let mut sample = renewed(&renewed(&start(), 2), 3);
        (sample.leader, sample.leader_enabled) = (Some(id(3)), Some(true));
        let own = of(&mut sample, 1);
        own.status = StateWord::OtherConfiguration;
        own.lacks = [CheckKind::ReconfigEnabled].into();
        let (_, advice) = Roll::default().advance(sample.clone());
        assert_eq!(next(&advice), Some((1, false, true)));
        let (_, advice) = Roll::default().advance(down(&sample, 2));
        let away = RollMissing::Role(StateWord::NoAnswer);
        assert_eq!(missing(&advice), Some((Some(2), away)));
        let own = of(&mut sample, 2);
        own.status = StateWord::OtherConfiguration;
        own.lacks = [CheckKind::ReconfigEnabled].into();
        let (_, advice) = Roll::default().advance(sample);
        assert_eq!(next(&advice), None, "both may acknowledge writes");
    }

    /// The superDigest was there before: nothing shows whether a follower has the new file while the
    /// leader has the old one, but that it was restarted.
    #[test]
    fn a_follower_whose_file_does_not_show_is_restarted_once() {
        let mut first = start();
        for number in 1..=3 {
            let own = of(&mut first, number);
            own.lacks.remove(&CheckKind::Credential);
            own.credential = CredentialWord::Accepted;
        }
        let mut roll = Roll::default();
        assert_eq!(next(&roll.advance(first.clone()).1), Some((1, false, false)));
        roll.advance(down(&first, 1));
        let back = renewed(&first, 1);
        roll.advance(back.clone());
        assert_eq!(next(&roll.advance(back).1), Some((2, false, true)));
    }

    /// A watch that begins in the middle of a roll: what the first server has shows that it has the
    /// new file.
    #[test]
    fn a_watch_that_begins_in_the_middle_goes_on_from_there() {
        let mut roll = Roll::default();
        let (_, advice) = roll.advance(renewed(&start(), 1));
        assert_eq!(next(&advice), Some((2, false, true)));
    }

    /// One of three is down and leaves: a restart of another one would take the quorum. Of five
    /// servers, one that is down takes none.
    #[test]
    fn no_restart_is_advised_that_takes_the_quorum() {
        let mut scene = Scene::new();
        scene.target.servers.remove(&id(1));
        let silent = ServerStatus::Silent(NoAnswer::Refused);
        *scene.observed(1) = ServerObservation::blank(id(1), silent);
        let sampled = |scene: &Scene| {
            let view = View { target: &scene.target, seen: &scene.seen, answers: &scene.answers };
            RollSample::of(view, &scene.checks(), &BTreeSet::new())
        };
        let sample = sampled(&scene);
        let (_, advice) = Roll::default().advance(sample);
        let away = RollMissing::Role(StateWord::NoAnswer);
        assert_eq!(missing(&advice), Some((Some(1), away)));

        for number in [5, 6] {
            let line = format!("server.{number}=10.0.0.{number}:2888:3888:participant;2181");
            let line = Server::parse_line(&line).expect("a line");
            let members = scene.seen.config.membership.servers().cloned().chain([line]);
            scene.seen.config.membership = Membership::of(members.collect::<Vec<_>>());
            let mut observed = scene.observed(2).clone();
            observed.id = id(number);
            scene.seen.servers.insert(id(number), observed);
        }
        assert!(!sampled(&scene).servers.contains_key(&id(1)), "four of five are up");
    }

    /// One lost connection is no restart: the session tracker is the same.
    #[test]
    fn a_refused_connection_alone_is_no_restart() {
        let mut roll = Roll::default();
        let first = start();
        roll.advance(first.clone());
        let mut refused = first.clone();
        of(&mut refused, 1).refused = true;
        let (changes, _) = roll.advance(refused);
        assert_eq!(changes, []);
        roll.advance(first.clone());
        assert_eq!(next(&roll.advance(first).1), Some((1, false, false)));
    }

    #[test]
    fn what_no_restart_mends_is_named() {
        let mut sample = start();
        for own in sample.servers.values_mut() {
            own.lacks.clear();
        }
        (sample.leader_enabled, sample.others) =
            (Some(true), BTreeSet::from([CheckKind::ElectionPort]));
        let (_, advice) = Roll::default().advance(sample);
        let fail = BTreeSet::from([CheckKind::ElectionPort]);
        assert_eq!(advice, RollAdvice::Otherwise { fail });
    }
}
