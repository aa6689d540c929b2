//! What was shown is what happens: the reconfigs that the plan lists, in its order, with no fewer
//! voters to spare than it says - by the transaction logs and the leader's own figures.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::applying::{Apply, wanting};
use crate::harness::{Builder, Ensemble, PATIENCE, Role, Witness, wait_until};
use crate::ledger::{Ledger, is_at};
use crate::show;
use crate::spec::Spec;
use crate::zkplan::{Desk, Outcome, Plan};

/// Clients have moved.
const CUTOVER: [&str; 2] = ["--approve", "cutover"];

#[test]
fn three_with_one_dead_are_mended_as_planned() {
    the_dead_are_taken_out(Story::begin(Builder::rich().start_with([4]), 1..=4), 1);
}

#[test]
fn five_with_two_dead_are_mended_as_planned() {
    let ensemble = Builder::rich().servers(5).start_with([6, 7]);
    the_dead_are_taken_out(Story::begin(ensemble, 1..=7), 2);
}

/// So many voters die, and everybody else is wanted.
fn the_dead_are_taken_out(story: Story, dead: usize) {
    let dead = story.loses_followers(dead);
    let wanted = without(&dead, story.servers.iter().copied());
    let spec = story.wanting(&wanted);
    let plan = Desk::new().planned(&spec, &[]);
    // Nothing is spare before, and nothing less than that on the way.
    assert_eq!(plan.worst_spare(), 0);
    story.applies(&plan, Desk::new().apply_spec(&spec));
    is_at(&story.ensemble, &wanted);
    story.ends(&wanted);
}

/// Whether the observer is promoted at once or by way of a follower, the last quorum needs it.
#[test]
fn an_observer_is_promoted_with_a_voter_down_as_planned() {
    let ensemble = Builder::rich().observers([4]).start();
    let story = Story::begin(ensemble, 1..=4);
    let down = story.loses_followers(1);
    let spec = story.wanting(&[1, 2, 3, 4]).role(4, Role::Participant);

    let refusal = Desk::new().refused(&spec, 3, &[]);
    assert_eq!(refusal["breaches"][0]["code"], "ZKQ2", "{refusal:#}");
    assert_eq!(refusal["breaches"][0]["step"], "promote-4", "{refusal:#}");
    let accept = ["--accept", "ZKQ2:promote-4"];
    let plan = Desk::new().planned(&spec, &accept);
    assert_eq!(plan.reconfigs().last(), Some(&"promote-4"));
    assert_eq!(plan.worst_spare(), 0);
    story.applies(&plan, Desk::new().apply_spec(&spec).with(&accept));
    assert_eq!(
        story.ensemble.administrator().config().line(4),
        Some(story.ensemble.server_line_as(4, Role::Participant).as_str())
    );
    story.ends(&without(&down, 1..=4));
}

#[test]
fn all_servers_in_one_zone_are_exchanged_as_planned() {
    let story = Story::begin(Builder::rich().start_with([4, 5, 6]), 1..=6);
    let spec = story.wanting(&[4, 5, 6]).zones((1..=6).map(|id| (id, "a")));
    let plan = Desk::new().planned(&spec, &[]);
    assert_eq!(plan.worst_spare(), 1);
    story.applies(&plan, Desk::new().apply_spec(&spec).with(&CUTOVER));
    is_at(&story.ensemble, &[4, 5, 6]);
    story.ends(&[1, 2, 3, 4, 5, 6]);
}

/// Of three zones one gets new servers, both of its two.
#[test]
fn the_servers_of_one_zone_are_exchanged_as_planned() {
    let story = Story::begin(Builder::rich().servers(5).start_with([6, 7]), 1..=7);
    let zones = [(1, "a"), (2, "b"), (3, "c"), (4, "a"), (5, "b"), (6, "a"), (7, "a")];
    let spec = story.wanting(&[2, 3, 5, 6, 7]).zones(zones);
    let plan = Desk::new().planned(&spec, &[]);
    assert_eq!(plan.worst_spare(), 2);
    story.applies(&plan, Desk::new().apply_spec(&spec));
    is_at(&story.ensemble, &[2, 3, 5, 6, 7]);
    story.ends(&[1, 2, 3, 4, 5, 6, 7]);
}

/// The order that was shown had another leader's change last: what is granted is that whoever leads
/// goes last.
#[test]
fn a_plan_whose_leader_moved_since_ends_as_planned() {
    let story = Story::begin(Builder::rich().start_with([4, 5, 6]), 1..=6);
    let Story { ensemble, .. } = &story;
    let desk = Desk::new();
    let spec = story.wanting(&[4, 5, 6]);
    let plan = desk.planned(&spec, &["--out", "plan.json"]);
    let shown = ensemble.wait_leader();
    assert_eq!(plan.reconfigs().last(), Some(&format!("leave-{shown}").as_str()));

    ensemble.kill(shown);
    ensemble.wait_serving();
    let leads = ensemble.wait_leader();
    assert_ne!(leads, shown);
    ensemble.start_again(shown);
    (1..=6).filter(|id| *id != leads).for_each(|id| ensemble.wait_following(id));

    let outcome = story.applied(&plan, desk.apply("plan.json").with(&CUTOVER));
    let steps = steps(&outcome);
    let last = steps.iter().position(|step| *step == format!("leave-{leads}"));
    assert_eq!(last, Some(steps.len() - 1), "whoever leads goes last\n{outcome}");
    // The rest in any order, but joins before removals and ascending.
    assert_eq!(steps[..3], ["join-4", "join-5", "join-6"], "{outcome}");
    let mut sent = steps.clone();
    let mut planned = plan.reconfigs();
    sent.sort_unstable();
    planned.sort_unstable();
    assert_eq!(sent, planned, "{outcome}");
    is_at(ensemble, &[4, 5, 6]);
    story.ends(&[1, 2, 3, 4, 5, 6]);
}

/// An ensemble with an application at work on it.
struct Story {
    ensemble: Ensemble,
    witness: Witness,
    servers: Vec<u8>,
}

impl Story {
    fn begin(ensemble: Ensemble, servers: impl IntoIterator<Item = u8>) -> Self {
        let servers: Vec<u8> = servers.into_iter().collect();
        let witness = Witness::of(&ensemble, servers.iter().copied());
        Self { ensemble, witness, servers }
    }

    /// Kills so many voters of those that follow, and waits until the leader misses them.
    fn loses_followers(&self, count: usize) -> Vec<u8> {
        let leader = self.ensemble.wait_leader();
        let voters = Figures::of(&self.ensemble, leader).expect("nothing changes now").voters;
        let lost: Vec<u8> = voters.iter().copied().filter(|id| *id != leader).take(count).collect();
        for id in &lost {
            self.ensemble.kill(*id);
        }
        wait_until("the leader to miss them", PATIENCE, || {
            let figures = Figures::of(&self.ensemble, leader)?;
            (figures.acknowledging + count == voters.len()).then_some(())
        });
        lost
    }

    fn wanting(&self, ids: &[u8]) -> Spec {
        wanting(&self.ensemble, ids.iter().copied(), self.servers.iter().copied())
    }

    /// Applies what was shown: the same reconfigs in the same order.
    fn applies(&self, plan: &Plan, apply: Apply<'_>) {
        let outcome = self.applied(plan, apply);
        assert_eq!(steps(&outcome), plan.reconfigs(), "{outcome}");
    }

    /// Applies a plan to its end: as many reconfigs as were shown, as many hand-overs, and at every
    /// moment as many voters to spare.
    fn applied(&self, plan: &Plan, apply: Apply<'_>) -> Outcome {
        let Self { ensemble, .. } = self;
        let ledger = Ledger::begin(ensemble);
        let (outcome, seen) = worst_spare_seen(ensemble, || apply.ends().exits(0));
        ledger.has_steps(plan.reconfigs().len());
        ensemble.wait_serving();
        // Nobody dies on the way: who is up now could acknowledge in every one of them.
        let up = |id: &u8| ensemble.mode(*id).is_some();
        let spare = |voters: Vec<u8>| {
            let quorum = voters.len() / 2 + 1;
            spare(voters.iter().filter(|id| up(id)).count(), quorum)
        };
        let logged = ledger.steps().iter().map(|step| spare(voters(&step.members))).min();
        let worst = logged.into_iter().chain([seen]).min().expect("a figure");
        let shown = plan.worst_spare();
        show(&format!(
            "{:?}: worst spare shown {shown}, in the logs {logged:?}, by the leader {seen}",
            steps(&outcome)
        ));
        assert!(worst >= shown, "worst spare {worst}, shown was {shown}\n{outcome}");
        let hand_overs = plan.hand_overs().len();
        assert_eq!(usize::try_from(ledger.hand_overs()), Ok(hand_overs), "{outcome}");
        outcome
    }

    /// The application ends: nothing that was acknowledged is lost on any of these servers.
    fn ends(self, servers: &[u8]) {
        let figures = self.witness.finish(&self.ensemble, servers.iter().copied());
        show(&figures.to_string());
        assert!(figures.acknowledged > 0 && figures.lost == 0);
    }
}

/// Those of `all` that were not lost.
fn without(lost: &[u8], all: impl IntoIterator<Item = u8>) -> Vec<u8> {
    all.into_iter().filter(|id| !lost.contains(id)).collect()
}

/// The reconfigs that an apply committed, in order.
fn steps(outcome: &Outcome) -> Vec<&str> {
    outcome.events.committed().iter().map(|(step, _)| *step).collect()
}

fn spare(acknowledging: usize, quorum: usize) -> i64 {
    let [acknowledging, quorum] = [acknowledging, quorum].map(|n| i64::try_from(n).expect("few"));
    acknowledging - quorum
}

/// The ids of those lines that have a vote.
fn voters(lines: &[String]) -> Vec<u8> {
    let voting = lines.iter().filter(|line| line.contains(":participant"));
    voting
        .filter_map(|line| line.strip_prefix("server.")?.split('=').next()?.parse().ok())
        .collect()
}

/// What a leader says of its quorum.
struct Figures {
    voters: Vec<u8>,
    /// Voters that are synced with it; itself, where it has a vote.
    acknowledging: usize,
}

impl Figures {
    /// Reads `conf` between two `mntr` that say the same; nothing where they do not, or where this
    /// server does not lead.
    fn of(ensemble: &Ensemble, leader: u8) -> Option<Self> {
        let counts = || {
            let mntr = ensemble.ask(leader, "mntr").ok()?;
            let leads =
                mntr.lines().any(|line| line.split_whitespace().eq(["zk_server_state", "leader"]));
            let count = |name: &str| -> Option<usize> {
                let line = mntr.lines().find(|l| l.split_whitespace().next() == Some(name))?;
                line.split_whitespace().nth(1)?.parse().ok()
            };
            let (size, synced) = (count("zk_quorum_size")?, count("zk_synced_followers")?);
            Some((size, synced, count("zk_synced_non_voting_followers")?)).filter(|_| leads)
        };
        let (size, synced, without_vote) = counts()?;
        let conf = ensemble.ask(leader, "conf").ok()?;
        let lines: Vec<String> = conf.lines().map(str::to_owned).collect();
        let voters = voters(&lines);
        let settled = counts() == Some((size, synced, without_vote)) && size == voters.len();
        let own = usize::from(voters.contains(&leader));
        settled.then(|| Self { acknowledging: synced - without_vote + own, voters })
    }
}

/// What an action yields, and the fewest voters to spare that the leader tells of while it goes on.
/// It is asked again and again until it leads no more: a new one is joined by its followers one
/// after the other, whatever was planned.
fn worst_spare_seen<T>(ensemble: &Ensemble, action: impl FnOnce() -> T) -> (T, i64) {
    let leader = ensemble.wait_leader();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut worst = i64::MAX;
            while !over.load(Ordering::Relaxed) {
                if let Some(Figures { voters, acknowledging }) = Figures::of(ensemble, leader)
                    && voters.contains(&leader)
                {
                    worst = worst.min(spare(acknowledging, voters.len() / 2 + 1));
                }
            }
            worst
        });
        let done = action();
        over.store(true, Ordering::Relaxed);
        (done, watching.join().expect("asking does not panic"))
    })
}
