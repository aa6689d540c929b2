//! Changes under load: an application writes throughout, and what it sees is what counts.

use std::time::Duration;

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, Role, Witness};
use crate::ledger::{Ledger, is_at};
use crate::show;
use crate::spec::Spec;
use crate::zkplan::Desk;

/// With ticks of 200 ms a bare hand-over takes a quarter of a second, and one pause of a Java process
/// on a busy core is as long.
const FLOOR: Duration = Duration::from_millis(500);

/// The tick of the plain profile. A leader that was removed looks once a tick whether it still has a
/// quorum, and only then closes its clients' connections (`Leader.lead`): one bare hand-over takes
/// anything from a third of a second to a tick more.
const PLAIN_TICK: Duration = Duration::from_secs(2);

/// An ensemble, an application, and how long the application waits when reconfigs are sent by
/// hand.
struct Story<'a> {
    ensemble: &'a Ensemble,
    witness: Witness,
    /// All servers, members or not.
    servers: Vec<u8>,
    /// A server added, and removed again.
    calm: Duration,
    /// The leader removed.
    hand_over: Duration,
    /// Gaps below this are alike.
    floor: Duration,
}

/// Whether the lead goes to another server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lead {
    Stays,
    GoesOnce,
}

impl<'a> Story<'a> {
    /// The application begins, and the bare reconfigs are measured: `spare` comes and goes, and the
    /// leader goes and comes back.
    fn begin(ensemble: &'a Ensemble, servers: &[u8], spare: u8) -> Self {
        let witness = Witness::of(ensemble, servers.iter().copied());
        let administrator = ensemble.administrator();
        let line = |id| {
            let line = ensemble.server_line(id);
            let port = ensemble.client_address(id).port();
            if line.contains(';') { line } else { format!("{line};{port}") }
        };
        let ((), calm) = witness.longest_gap(|| {
            administrator.add(&line(spare));
            administrator.remove(spare);
        });
        let leader = ensemble.wait_leader();
        let (_, hand_over) = witness.longest_gap(|| administrator.remove(leader));
        ensemble.wait_serving();
        administrator.add(&line(leader));
        show(&format!("by hand: calm {calm:?}, hand-over {hand_over:?}"));
        Self { ensemble, witness, servers: servers.to_vec(), calm, hand_over, floor: FLOOR }
    }

    /// A spec that wants these servers.
    fn wanting(&self, ids: &[u8]) -> Spec {
        wanting(self.ensemble, ids.iter().copied(), self.servers.iter().copied())
    }

    /// Applies a spec; it comes to its target, with every step sent once, and the application waits
    /// no longer than twice as long as with a bare reconfig.
    fn applies(&self, what: &str, spec: &Spec, flags: &[&str], lead: Lead) {
        let desk = Desk::accepting(self.ensemble);
        let accepted = flags.iter().position(|flag| *flag == "--accept");
        let accepted = accepted.map_or(&[][..], |place| &flags[place..place + 2]);
        let plan = desk.planned(spec, accepted);
        let ledger = Ledger::begin(self.ensemble);
        let apply = desk.apply_spec(spec).with(flags);
        let (outcome, gap) = self.witness.longest_gap(|| apply.ends().exits(0));

        let mut steps: Vec<&str> =
            outcome.events.committed().iter().map(|(step, _)| *step).collect();
        let mut planned = plan.reconfigs();
        steps.sort_unstable();
        planned.sort_unstable();
        assert_eq!(steps, planned, "{what}\n{outcome}");
        ledger.has_steps(planned.len());
        let hand_overs = ledger.hand_overs();
        show(&format!(
            "{what}: {} steps, {} fences, hand-overs {hand_overs}, longest gap {gap:?}",
            planned.len(),
            ledger.fences()
        ));
        let (expected, bare) = match lead {
            Lead::Stays => (0, self.calm),
            Lead::GoesOnce => (1, self.hand_over),
        };
        assert_eq!(hand_overs, expected, "{what}\n{outcome}");
        assert!(
            gap <= bare.max(self.floor) * 2,
            "{what}: {gap:?}, but {bare:?} by hand\n{outcome}"
        );
        // A server whose role or leader has just changed may be away for a moment, and is named then.
        desk.plan(spec, &[]).exits_with_one_of(&[0, 2]).says(["No changes"]);
        // The report names the versions, for whoever looks into the logs later.
        for (_, version) in outcome.events.committed() {
            assert!(outcome.stdout.contains(&format!("{version:x}")), "{version:x}\n{outcome}");
        }
    }

    /// The application ends: nothing is lost on any of these servers.
    fn ends(self, servers: &[u8]) {
        let figures = self.witness.finish(self.ensemble, servers.iter().copied());
        show(&figures.to_string());
        assert!(figures.acknowledged > 0 && figures.lost == 0);
    }
}

#[test]
fn voters_come_and_go() {
    let ensemble = Builder::rich().start_with([4, 5, 6]);
    let story = Story::begin(&ensemble, &[1, 2, 3, 4, 5, 6], 4);
    let applies = |what: &str, ids: &[u8], flags: &[&str], lead| {
        story.applies(what, &story.wanting(ids), flags, lead);
        is_at(&ensemble, ids);
    };
    let cutover = ["--approve", "cutover"];

    applies("3 to 5", &[1, 2, 3, 4, 5], &[], Lead::Stays);
    applies("5 to 3", &[1, 2, 3], &[], Lead::Stays);
    applies("3 to 4", &[1, 2, 3, 4], &[], Lead::Stays);
    applies("4 to 3", &[1, 2, 3], &[], Lead::Stays);
    applies("3 onto new servers", &[4, 5, 6], &cutover, Lead::GoesOnce);
    applies("and back", &[1, 2, 3], &cutover, Lead::GoesOnce);
    story.ends(&[1, 2, 3, 4, 5, 6]);
}

#[test]
fn five_move_onto_new_servers() {
    let ensemble = Builder::rich().servers(5).start_with(6..=10);
    let all: Vec<u8> = (1..=10).collect();
    let story = Story::begin(&ensemble, &all, 6);
    let new = [6, 7, 8, 9, 10];
    let spec = story.wanting(&new);
    story.applies("5 onto new servers", &spec, &["--approve", "cutover"], Lead::GoesOnce);
    is_at(&ensemble, &new);
    story.ends(&all);
}

#[test]
fn observers_come_go_and_get_a_vote() {
    let ensemble = Builder::rich().start_with([4]);
    let all = [1, 2, 3, 4];
    let story = Story::begin(&ensemble, &all, 4);
    let administrator = ensemble.administrator();
    let observing = story.wanting(&all).role(4, Role::Observer);

    story.applies("observer in", &observing, &[], Lead::Stays);
    story.applies("observer out", &story.wanting(&[1, 2, 3]), &[], Lead::Stays);
    story.applies("observer in again", &observing, &[], Lead::Stays);
    story.applies("promote", &story.wanting(&all), &[], Lead::Stays);
    is_at(&ensemble, &all);

    // With a voter down, the promoted one is needed at once: a risk that somebody accepts.
    administrator.remove(4);
    ensemble.wait_following(4);
    administrator.add(&ensemble.server_line_as(4, Role::Observer));
    let down = a_follower(&ensemble);
    ensemble.kill(down);
    let accept = ["--accept", "ZKQ2:promote-4"];
    story.applies("promote, a voter down", &story.wanting(&all), &accept, Lead::Stays);
    is_at(&ensemble, &all);
    ensemble.start_again(down);
    ensemble.wait_following(down);

    let leader = ensemble.wait_leader();
    let demoted = story.wanting(&all).role(leader, Role::Observer);
    story.applies("demote the leader", &demoted, &[], Lead::GoesOnce);
    let line = ensemble.server_line_as(leader, Role::Observer);
    assert_eq!(administrator.config().line(leader), Some(line.as_str()));
    story.ends(&all);
}

#[test]
fn addresses_change_and_the_dead_are_replaced() {
    let ensemble = Builder::rich().start_with([4]);
    ensemble.reserve(7);
    let all = [1, 2, 3, 4];
    let story = Story::begin(&ensemble, &all, 4);

    let moved = a_follower(&ensemble);
    let [quorum, election] = [ensemble.quorum_port(7), ensemble.election_port(7)];
    let other_ports = story.wanting(&[1, 2, 3]).with(moved, |server| {
        server.quorum_port = quorum;
        server.election_port = election;
    });
    story.applies("ports re-addressed", &other_ports, &[], Lead::Stays);
    let line = ensemble.administrator().config().line(moved).map(str::to_owned);
    assert!(line.is_some_and(|line| line.contains(&format!(":{quorum}:{election}:"))));

    // The same process under another name of its host.
    let renamed = other_ports.with(moved, |server| "localhost".clone_into(&mut server.host));
    story.applies("host renamed", &renamed, &[], Lead::Stays);

    let mut replaced = renamed.clone();
    let dead = (1..=3).find(|id| *id != moved && *id != ensemble.wait_leader());
    let dead = dead.expect("there are two followers");
    ensemble.kill(dead);
    replaced.servers.retain(|server| server.id != dead);
    replaced.servers.extend(story.wanting(&[4]).servers);
    story.applies("one dead replaced", &replaced, &[], Lead::Stays);
    let alive: Vec<u8> = all.into_iter().filter(|id| *id != dead).collect();
    assert_eq!(ensemble.administrator().config().ids(), alive);
    story.ends(&alive);
}

/// A voter of the first three that does not lead.
fn a_follower(ensemble: &Ensemble) -> u8 {
    let leader = ensemble.wait_leader();
    (1..=3).find(|id| *id != leader).expect("there are three")
}

/// Three servers move onto three others by three requests, and back though each is killed on the way.
#[test]
fn requests_that_change_several_servers_are_few_and_resumed() {
    let ensemble = Builder::rich().start_with([4, 5, 6]);
    let all = [1, 2, 3, 4, 5, 6];
    let story = Story::begin(&ensemble, &all, 4);
    let cutover = ["--approve", "cutover"];
    let together = |ids: &[u8]| story.wanting(ids).policy("changesPerStep", "0");
    story.applies("3 onto new servers, by 3", &together(&[4, 5, 6]), &cutover, Lead::GoesOnce);
    is_at(&ensemble, &[4, 5, 6]);

    let back = together(&[1, 2, 3]);
    let desk = Desk::new();
    assert_eq!(desk.planned(&back, &[]).reconfigs(), ["join-1,2", "join-3", "leave-4..6"]);
    let ledger = Ledger::begin(&ensemble);
    for output in ["send join-1,2", "record committed join-3", "send leave-4..6"] {
        let apply = Desk::new();
        apply.apply_spec(&back).with(&cutover).at("KILL", output).ends().was_killed();
    }
    Desk::new().apply_spec(&back).with(&cutover).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3]);
    ledger.has_steps(3);
    assert!(ledger.hand_overs() <= 1, "{} hand-overs", ledger.hand_overs());

    let observing = together(&all).role(4, Role::Observer).role(5, Role::Observer);
    let observing = observing.role(6, Role::Observer);
    story.applies("3 observers in, by 1", &observing, &[], Lead::Stays);
    story.applies("and promoted, by 3", &together(&all), &[], Lead::Stays);
    is_at(&ensemble, &all);
    story.ends(&all);
}

/// The times of ZooKeeper's own sample configuration, client ports that no configuration tells, and
/// `srvr` alone.
#[test]
fn a_plain_ensemble_moves_and_comes_back_though_killed() {
    let ensemble = Builder::plain().start_with([4, 5, 6]);
    let story = Story::begin(&ensemble, &[1, 2, 3, 4, 5, 6], 4);
    let story = Story { floor: PLAIN_TICK, ..story };
    let cutover = ["--approve", "cutover"];
    story.applies(
        "plain, 3 onto new servers",
        &story.wanting(&[4, 5, 6]),
        &cutover,
        Lead::GoesOnce,
    );
    is_at(&ensemble, &[4, 5, 6]);

    let back = story.wanting(&[1, 2, 3]);
    let ledger = Ledger::begin(&ensemble);
    let leader = ensemble.wait_leader();
    for output in ["send join-2".to_owned(), format!("send leave-{leader}")] {
        let apply = Desk::accepting(&ensemble);
        apply.apply_spec(&back).with(&cutover).at("KILL", &output).ends().was_killed();
    }
    Desk::accepting(&ensemble).apply_spec(&back).with(&cutover).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3]);
    ledger.has_steps(6);
    assert!(ledger.hand_overs() <= 1, "{} hand-overs", ledger.hand_overs());
    story.ends(&[1, 2, 3, 4, 5, 6]);
}
