//! Whole rolls of three servers, without I/O.

use super::*;
use crate::check::BreachKind;
use crate::ensemble::{ErrorCode, NoAnswer, ServerVersion};
use crate::model::{Bound, WantedSettings};
use crate::observe::{ServerStatus, SettingValue, Source, Sourced};
use crate::preflight::fixture::Scene;
use crate::proposal::propose_restarts;

fn id(number: i64) -> ServerId {
    ServerId::new(number)
}

/// What is looked at: three members, of which server 3 leads.
struct Looks {
    scene: Scene,
    refused: BTreeSet<ServerId>,
}

impl Looks {
    /// `initLimit` is 10 everywhere; `wanted` is what the spec asks for.
    fn wanting(wanted: Option<u32>) -> Self {
        let mut scene = Scene::new();
        scene.target.servers.remove(&id(4));
        scene.seen.servers.remove(&id(4));
        scene.seen.wanted_at.clear();
        let bound = wanted.map(|limit| (SettingName::InitLimit, Bound::AtLeast(limit)));
        scene.target.settings =
            WantedSettings { numbers: bound.into_iter().collect(), ..WantedSettings::default() };
        let mut looks = Self { scene, refused: BTreeSet::new() };
        (1..=3).for_each(|number| looks.has_init_limit(number, 10));
        looks
    }

    fn has_init_limit(&mut self, number: i64, limit: u64) {
        let value = SettingValue::Number(limit);
        let seen = Sourced { value, source: Source::Conf };
        self.scene.observed(number).settings.set(SettingName::InitLimit, Ok(seen));
    }

    fn facts(&self) -> Facts {
        Facts::of(&self.scene.seen, &self.scene.target)
    }

    /// The run of the plan that restarts what differs, and these servers.
    fn run(&self, asked: &[i64]) -> RestartRun {
        let asked = asked.iter().copied().map(id).collect();
        let plan = propose_restarts(&self.scene.target, &self.facts(), &[], &asked);
        let plan = plan.expect("servers to restart").map_err(|refusal| refusal.breaches);
        RestartRun::new(Arc::new(plan.expect("a plan")))
    }

    fn next(&self, run: &mut RestartRun) -> NextRestart {
        let view = self.scene.view();
        let checks = self.scene.checks();
        run.next(RestartLook { view, checks: &checks, refused: &self.refused }).1
    }

    fn stopped(&mut self, number: i64) {
        self.refused = [id(number)].into();
        self.scene.observed(number).status = ServerStatus::Silent(NoAnswer::Refused);
        let answers = self.scene.of(number);
        (answers.session_id, answers.without_rights) = (None, None);
    }

    /// It serves again, as another process.
    fn back(&mut self, number: i64) {
        self.refused.clear();
        let leads = self.scene.seen.leader == Some(id(number));
        self.scene.observed(number).status =
            if leads { ServerStatus::Leading } else { ServerStatus::Following };
        let answers = self.scene.of(number);
        answers.session_id = Some(0x0100_0000_0077_0000);
        answers.without_rights = Some(Err(ErrorCode::NoAuth));
    }

    /// It is restarted with a file that has this limit, and looked at until its gate has held.
    fn restarted(&mut self, run: &mut RestartRun, number: i64, limit: u64) -> NextRestart {
        run.begin(id(number));
        self.stopped(number);
        assert!(matches!(self.next(run), NextRestart::Wait(_)));
        self.back(number);
        self.has_init_limit(number, limit);
        let again = waits_for(number, RestartMissing::Again);
        assert_eq!(self.next(run), again);
        self.next(run)
    }
}

fn waits_for(number: i64, missing: RestartMissing) -> NextRestart {
    NextRestart::Wait(vec![Wait::Restart { server: Some(id(number)), missing }])
}

fn begins(number: i64) -> NextRestart {
    NextRestart::Begin { step: StepId::new(format!("restart-{number}")), server: id(number) }
}

#[test]
fn one_at_a_time_the_leader_last_until_all_have_it() {
    let mut looks = Looks::wanting(Some(20));
    let mut run = looks.run(&[]);
    assert_eq!(looks.next(&mut run), begins(1));
    run.begin(id(1));
    let by_hand = waits_for(1, RestartMissing::ByHand);
    assert_eq!(looks.next(&mut run), by_hand, "asked for once");
    assert!(!run.is_underway(), "a moment to stop at");
    assert_eq!(looks.restarted(&mut run, 1, 20), begins(2));
    assert_eq!(looks.restarted(&mut run, 2, 20), begins(3));
    assert_eq!(looks.restarted(&mut run, 3, 30), NextRestart::Finished);
    assert_eq!(run.done().len(), 3);
}

/// An apply that was killed after the first restart: what is there is not done again.
#[test]
fn a_run_that_begins_in_the_middle_goes_on_from_there() {
    let mut looks = Looks::wanting(Some(20));
    let plan = Arc::clone(&looks.run(&[]).checked);
    looks.has_init_limit(1, 20);
    let mut run = RestartRun::new(plan);
    assert_eq!(looks.next(&mut run), begins(2));
    assert_eq!(run.done().len(), 1);
}

#[test]
fn a_restart_that_is_asked_for_is_done_whatever_shows() {
    let mut looks = Looks::wanting(None);
    let mut run = looks.run(&[2, 3]);
    assert_eq!(looks.next(&mut run), begins(2));
    assert_eq!(looks.restarted(&mut run, 2, 10), begins(3));
    assert_eq!(looks.restarted(&mut run, 3, 10), NextRestart::Finished);
}

#[test]
fn the_next_server_is_not_touched_after_one_with_the_old_file() {
    let mut looks = Looks::wanting(Some(20));
    let mut run = looks.run(&[]);
    assert_eq!(looks.next(&mut run), begins(1));
    let old = NextRestart::OldSettings { server: id(1), settings: [SettingName::InitLimit].into() };
    assert_eq!(looks.restarted(&mut run, 1, 10), old);
}

/// In the middle of an upgrade members run two releases, and that is what the restarts help against. A
/// plan that brings something else has to accept it.
#[test]
fn an_upgrade_goes_on_where_members_run_two_releases() {
    let [old, new] = [ServerVersion::new(3, 8, 6), ServerVersion::new(3, 9, 5)];
    let mut looks = Looks::wanting(None);
    for (number, version) in [(1, new), (2, old), (3, old)] {
        let value = SettingValue::Release(version);
        let observed = looks.scene.observed(number);
        observed.version = Some(version);
        observed.settings.set(SettingName::Version, Ok(Sourced { value, source: Source::Srvr }));
    }
    looks.scene.target.settings.version = Some(new);
    let mut run = looks.run(&[]);
    assert_eq!(looks.next(&mut run), begins(2));

    looks.scene.target.settings.version = None;
    let asked = [id(2)].into();
    let refused = propose_restarts(&looks.scene.target, &looks.facts(), &[], &asked);
    let refused = refused.expect("a server to restart").map(drop);
    let refused = refused.map_err(|refusal| refusal.breaches).expect_err("two releases");
    assert!(
        refused.iter().any(|breach| breach.detail == BreachKind::Finding("ZKF2")),
        "{refused:?}"
    );
}

/// Server 2 is down before anything begins: its own start takes nothing, every other restart would.
#[test]
fn what_is_down_is_first() {
    let mut looks = Looks::wanting(None);
    looks.stopped(2);
    let mut run = looks.run(&[1, 2]);
    assert_eq!(looks.next(&mut run), begins(2));
    run.begin(id(2));
    looks.back(2);
    assert!(matches!(looks.next(&mut run), NextRestart::Wait(_)));
    assert_eq!(looks.next(&mut run), begins(1));
}

/// Two of three are not seen to acknowledge at the first look. That may pass: it is no reason to end, and
/// nothing is restarted meanwhile.
#[test]
fn too_few_voters_are_waited_for() {
    let mut looks = Looks::wanting(None);
    let mut run = looks.run(&[1, 2]);
    for number in [1, 2] {
        looks.scene.observed(number).status = ServerStatus::NotServing;
    }
    let NextRestart::Wait(waits) = looks.next(&mut run) else { panic!("a wait") };
    let down = |number| Wait::Down { server: id(number), status: ServerStatus::NotServing };
    assert_eq!(waits[..2], [down(1), down(2)], "the cause comes first");
    assert!(
        waits[2..].iter().any(|wait| matches!(
            wait,
            Wait::Law(breach) if matches!(breach.detail, BreachKind::NoLiveQuorum(_))
        )),
        "{waits:?}"
    );
    for number in [1, 2] {
        looks.scene.observed(number).status = ServerStatus::Following;
    }
    assert_eq!(looks.next(&mut run), waits_for(1, RestartMissing::Again));
    assert_eq!(looks.next(&mut run), begins(1));
}

/// A finding that was not accepted does not pass by waiting.
#[test]
fn a_new_finding_ends_it() {
    let mut looks = Looks::wanting(None);
    let mut run = looks.run(&[1, 2]);
    looks.scene.observed(2).version = Some(ServerVersion::new(3, 6, 4));
    let NextRestart::Unsafe(breaches) = looks.next(&mut run) else { panic!("an end") };
    assert_eq!(breaches[0].detail, BreachKind::Finding("ZKF2"));
}

/// Another server fails in the middle: nothing is restarted before it is back.
#[test]
fn a_failure_of_another_server_is_waited_for() {
    let mut looks = Looks::wanting(Some(20));
    let mut run = looks.run(&[]);
    assert_eq!(looks.next(&mut run), begins(1));
    looks.stopped(2);
    let waits = waits_for(2, RestartMissing::Role);
    assert_eq!(looks.next(&mut run), waits);
    assert!(!run.is_underway(), "nothing was begun: a moment to stop at");
}

#[test]
fn other_members_end_it() {
    let mut looks = Looks::wanting(Some(20));
    let mut run = looks.run(&[]);
    assert_eq!(looks.next(&mut run), begins(1));
    let members = looks.scene.seen.config.membership.servers().filter(|line| line.id != id(2));
    let members = crate::model::Membership::of(members.cloned().collect::<Vec<_>>());
    looks.scene.seen.config.membership = members;
    assert_eq!(looks.next(&mut run), NextRestart::OtherMembers);
}

/// What cannot be seen is restarted once more: that harms nothing.
#[test]
fn a_setting_that_does_not_show_any_more_is_not_taken_for_there() {
    let mut looks = Looks::wanting(Some(20));
    let plan = Arc::clone(&looks.run(&[]).checked);
    let unseen = Err(crate::observe::NotSeen::ConfNotAllowed);
    looks.scene.observed(1).settings.set(SettingName::InitLimit, unseen);
    let mut run = RestartRun::new(plan);
    assert_eq!(looks.next(&mut run), begins(1));
}

impl Looks {
    /// The spec wants `reconfigEnabled`, which no server has; the leader shows that.
    fn wanting_reconfigs() -> Self {
        let mut looks = Self::wanting(None);
        looks.scene.target.settings.reconfig_enabled = true;
        looks.scene.seen.reconfig_disabled = true;
        let own = looks.scene.observed(3).config.as_mut().expect("its configuration");
        own.value.version = "0".parse().expect("a version");
        looks.scene.of(3).reconfig = Some(Err(ErrorCode::ReconfigDisabled));
        looks
    }

    fn has_reconfigs(&mut self, number: i64) {
        let seen = Sourced { value: SettingValue::Flag(true), source: Source::Conf };
        self.scene.observed(number).settings.set(SettingName::ReconfigEnabled, Ok(seen));
    }

    /// Another server leads and takes reconfigs. Server 3, which led, runs and looks for a leader.
    fn led_anew(&mut self, number: i64) {
        self.scene.seen.leader = Some(id(number));
        self.scene.seen.reconfig_disabled = false;
        self.scene.observed(number).status = ServerStatus::Leading;
        self.scene.of(number).reconfig = Some(Err(ErrorCode::NoAuth));
        let observed = self.scene.observed(3);
        (observed.status, observed.config) = (ServerStatus::NotServing, None);
        let answers = self.scene.of(3);
        (answers.session_id, answers.without_rights, answers.reconfig) = (None, None, None);
    }
}

/// The leader has died in the middle, and its old file keeps it away. It is waited for in vain, and it
/// serves nothing: its restart takes nothing.
#[test]
fn a_server_that_its_old_file_keeps_away_is_next() {
    let mut looks = Looks::wanting_reconfigs();
    let mut run = looks.run(&[]);
    looks.has_reconfigs(1);
    assert_eq!(looks.next(&mut run), begins(2), "server 1 has it already");
    looks.led_anew(1);
    assert_eq!(looks.next(&mut run), begins(3));
}

/// The same for an apply that is typed again, of a plan that was made while all were up.
#[test]
fn a_run_that_begins_while_a_server_is_kept_away_has_it_restarted_first() {
    let mut looks = Looks::wanting_reconfigs();
    let plan = Arc::clone(&looks.run(&[]).checked);
    assert_eq!(plan.plan().steps().count(), 3);
    looks.has_reconfigs(1);
    looks.led_anew(1);
    assert_eq!(looks.next(&mut RestartRun::new(plan)), begins(3));
}

/// It failed before its turn and came back with its old file. While the leader had none of it, nothing
/// showed that.
#[test]
fn a_server_that_shows_only_later_that_it_has_the_old_file_is_restarted_again() {
    let mut looks = Looks::wanting(Some(20));
    let mut run = looks.run(&[]);
    assert_eq!(looks.next(&mut run), begins(1));
    let hidden = Err(crate::observe::NotSeen::LeaderFirst);
    run.begin(id(1));
    looks.stopped(1);
    looks.next(&mut run);
    looks.back(1);
    looks.scene.observed(1).settings.set(SettingName::InitLimit, hidden);
    looks.next(&mut run);
    assert_eq!(looks.next(&mut run), begins(2), "what cannot be seen is no difference");
    looks.has_init_limit(1, 10);
    assert_eq!(looks.next(&mut run), begins(1));
}
