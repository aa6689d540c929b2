//! One round after the other: a target, a plan, an apply under faults, healing, and everything that
//! must hold then.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::administrator;
use crate::faults::Scene;
use crate::harness::{PATIENCE, lock, wait_until};
use crate::judging::{Left, Verdict};
use crate::lab::Lab;
use crate::members::Config;
use crate::operator::{Ended, STANDS_STILL, history, run, start_apply, write_spec};
use crate::sandbox::inside;
use crate::schedule::{KILLED, Kind, Round, Schedule, Seat, members_of};
use crate::server::{Server, Setting};
use crate::truth::Truth;
use crate::writer::{Writer, read_back};
use crate::{number, say};

/// So often an apply may be given again until the target is reached.
const TRIES: usize = 6;

/// What no apply may end with, whatever happens: an error without a name, usage, data, a bug, a
/// panic.
const NEVER: [i32; 5] = [1, 64, 65, 70, 101];

/// What a run may take beyond its time: the last round, on a busy machine.
const GRACE: Duration = Duration::from_secs(1200);

/// Outputs of an apply besides its reconfigs, and for each of those.
const OUTPUTS: (u64, u64) = (14, 6);

#[test]
fn random_targets_are_reached_under_random_faults() {
    let (seed, minutes) = (number("ZKPLAN_SOAK_SEED", 1), number("ZKPLAN_SOAK_MINUTES", 2));
    let time = Duration::from_secs(60 * minutes);
    inside(time + GRACE, || {
        let mut soak = Soak::begin(seed);
        let began = Instant::now();
        for round in Schedule::of(seed) {
            if began.elapsed() >= time || !soak.verdict.wrong.is_empty() {
                break;
            }
            soak.round = Some(round.clone());
            soak.play(&round);
        }
        soak.end();
    });
}

/// An ensemble, an application at work on it, and what was seen so far.
struct Soak {
    seed: u64,
    began: Instant,
    // Before the servers, whose records it reads.
    truth: Truth,
    writer: Writer,
    lab: Arc<Lab>,
    verdict: Verdict,
    applies: u64,
    exits: BTreeMap<String, u64>,
    /// How often each fault was seen to happen.
    faults: BTreeMap<Kind, u64>,
    /// Faults whose moment did not come before the apply had ended.
    late: u64,
    /// Acknowledged writes that a member lacked.
    lost: usize,
    /// The round that is played.
    round: Option<Round>,
    /// The last run that was judged.
    last_run: u64,
}

/// How the applies of a round went.
struct Applied {
    /// The one that met the faults.
    first: Ended,
    /// Versions that another client made.
    foreign: Vec<u64>,
    /// How many servers may fail at every moment, by the plan; `None` once it is another plan.
    tolerates: Option<i64>,
    /// A voter that was down all the time.
    dead: Option<u8>,
}

impl Soak {
    fn begin(seed: u64) -> Self {
        let schedule = Schedule::of(seed);
        let setting = Setting::of_tick(schedule.tick_ms);
        say(&format!("ZKPLAN_SOAK_SEED={seed}, {setting:?}"));
        let began = Instant::now();
        let lab = Arc::new(Lab::new(setting));
        lab.begin(&schedule.seats);
        let truth = Truth::begin(&lab);
        let writer = Writer::begin(addresses(&schedule.seats));
        Self {
            seed,
            began,
            truth,
            writer,
            lab,
            verdict: Verdict::default(),
            applies: 0,
            exits: BTreeMap::new(),
            faults: BTreeMap::new(),
            late: 0,
            lost: 0,
            round: None,
            last_run: 0,
        }
    }

    fn play(&mut self, round: &Round) {
        let began = Instant::now();
        let before = self.prepare(round);
        let own_clock = self.set_up_clock(round);
        let dead = self.kill_a_voter(round);
        let contacts: Vec<&Seat> = round.base.iter().collect();
        let spec = write_spec(&self.lab, round, &addresses(contacts));
        let prepared = began.elapsed();
        let Some(plan) = self.plan(round, &spec, dead) else { return };
        let planned = began.elapsed();
        self.writer.longest_gap();
        let mut applied = self.apply(round, &plan, own_clock);
        // A plan may have been refused while a voter was down; then it is up again.
        applied.dead = dead.filter(|id| !self.lab.server(*id).is_running());
        let applied_after = began.elapsed();
        self.lab.heal();
        self.lab.wait_serving();
        let healed = began.elapsed();
        let tries = self.finish(round, &plan.file, &spec, &mut applied);
        self.judge(round, &spec, before.version, &applied);
        let codes: Vec<String> = tries.iter().map(|code| format!("{code:?}")).collect();
        say(&format!(
            "[{:5.1} s] {}: exit {:?} in {:.1?}, then [{}]; prepared, planned, applied, healed and \
             judged after {prepared:.1?}, {planned:.1?}, {applied_after:.1?}, {healed:.1?} and \
             {:.1?}; {} writes, longest gap {:.1?}",
            self.began.elapsed().as_secs_f64(),
            round.label(),
            applied.first.code,
            applied.first.took,
            codes.join(", "),
            began.elapsed(),
            self.writer.count(),
            self.writer.longest_gap(),
        ));
        if !self.verdict.wrong.is_empty() {
            return;
        }
        let leaving = round.base.iter().filter(|old| round.target.iter().all(|s| s.id != old.id));
        leaving.for_each(|seat| self.lab.remove(seat.id));
        self.restart_promoted(round);
    }

    /// Starts the joiners, and sees that the ensemble is where the schedule has it.
    fn prepare(&mut self, round: &Round) -> Config {
        self.lab.join(&round.base, round.joiners());
        self.lab.wait_serving();
        let servers = round.base.iter().chain(round.joiners());
        self.writer.serves_at(addresses(servers));
        let member = round.base.first().expect("an ensemble has members");
        let address = self.lab.server(member.id).client_address().to_string();
        let read = read_back(&address, &self.writer.acknowledged(), PATIENCE);
        let config = read.and_then(|read| read.config).expect("a served member tells its members");
        assert_eq!(config.members, members_of(&round.base), "the round before ended elsewhere");
        self.truth.note(config.version, &config.members, member.id);
        config
    }

    /// Restarts a server with a clock of its own, where clocks are to jump.
    fn set_up_clock(&self, round: &Round) -> Option<Arc<Server>> {
        let fault = round.faults.iter().find(|fault| fault.kind == Kind::ClockJumps)?;
        let servers = self.lab.servers();
        let at = fault.pick % u64::try_from(servers.len()).expect("a small number");
        let server = Arc::clone(&servers[usize::try_from(at).expect("less than a length")]);
        server.get_own_clock();
        server.kill();
        server.start();
        self.lab.wait_serving();
        Some(server)
    }

    /// Kills a voter before anything is planned, where that is a fault of the round.
    fn kill_a_voter(&self, round: &Round) -> Option<u8> {
        let fault = round.faults.iter().find(|fault| fault.kind == Kind::VoterDeadBefore)?;
        let leader = self.lab.wait("a leader", || self.lab.leader()).id;
        let followers: Vec<u8> = round
            .base
            .iter()
            .filter(|seat| seat.votes && seat.id != leader)
            .map(|seat| seat.id)
            .collect();
        let at = usize::try_from(fault.pick % followers.len() as u64).expect("less than a length");
        self.lab.server(followers[at]).kill();
        Some(followers[at])
    }

    /// Plans; `None` where there is no plan and should be one.
    fn plan(&mut self, round: &Round, spec: &str, dead: Option<u8>) -> Option<Plan> {
        let file = format!("plan-{}.json", round.number);
        let began = Instant::now();
        let mut dead = dead;
        loop {
            let ended = run(&self.lab, &["plan", spec, "--out", &file]);
            match (ended.code, dead) {
                (Some(0 | 2), _) => {
                    let read = fs::read(self.lab.file(&file)).ok();
                    let plan = read.and_then(|text| serde_json::from_slice(&text).ok());
                    self.verdict.check(plan.is_some(), || {
                        format!("no plan was saved: {}\n{}", ended.words, ended.said)
                    });
                    return Some(Plan { file, json: plan? });
                }
                // Not every change is safe while a voter is down.
                (Some(3), Some(id)) => {
                    self.lab.server(id).start();
                    self.lab.wait_serving();
                    dead = None;
                }
                (Some(3), None) if began.elapsed() < PATIENCE && self.mends_data() => {}
                // A leader has just changed.
                (Some(10), _) if began.elapsed() < PATIENCE => {
                    self.count_exit("plan 10".to_owned());
                    thread::sleep(Duration::from_millis(500));
                }
                (code, _) => {
                    self.verdict.check(false, || {
                        format!("exit {code:?} of {}\n{}", ended.words, ended.said)
                    });
                    return None;
                }
            }
        }
    }

    /// Whether servers have other data than the leader: then zkplan was right to refuse, and they
    /// are started again without data. This ZooKeeper brings it about by itself: a leader that was
    /// promoted from observer gives a joiner a part of the data only (ZOOKEEPER-4925, fixed in
    /// 3.9.4), and a learner that is interrupted in its sync logs transactions twice
    /// (ZOOKEEPER-4394 and its like, fixed in 3.9.3).
    fn mends_data(&mut self) -> bool {
        let differing = self.lab.differing();
        for server in &differing {
            server.start_blank();
            self.lab.wait_serving();
            self.count_exit("other data, refused".to_owned());
        }
        !differing.is_empty()
    }

    /// A server that was away in the middle of such a round, and was sent its data by a voter that had
    /// observed, has a part of them only (ZOOKEEPER-4925; `releases` in the tests on real ZooKeeper). A
    /// plan names it, and it is started again without data.
    fn mend_what_promoted_voters_sent(&mut self, round: &Round, spec: &str) {
        let any_was_away = round.faults.iter().any(|fault| fault.kind.strikes_servers());
        if !any_was_away || promoted(round).next().is_none() {
            return;
        }
        let differing = self.lab.differing();
        let planned = run(&self.lab, &["plan", spec]);
        for server in &differing {
            let named = format!("server {}", server.id);
            self.verdict.check(planned.stdout.contains(&named), || {
                format!("the data of {named} differ, and plan does not say so\n{}", planned.stdout)
            });
        }
        if !differing.is_empty() {
            self.restart_promoted(round);
            self.mends_data();
        }
    }

    /// Restarts the voters that were observers, one at a time: each could come to lead and then give
    /// joiners a part of the data only (ZOOKEEPER-4925, fixed in 3.9.4); a restart mends that.
    fn restart_promoted(&self, round: &Round) {
        for seat in promoted(round) {
            let server = self.lab.server(seat.id);
            server.kill();
            server.start();
            self.lab.wait_serving();
        }
    }

    /// Applies the plan while the round's faults happen.
    fn apply(&mut self, round: &Round, plan: &Plan, own_clock: Option<Arc<Server>>) -> Applied {
        let lab = Arc::clone(&self.lab);
        let scene = Scene {
            lab: &lab,
            round,
            plan: &plan.file,
            apply: Arc::new(start_apply(&lab, &plan.file, &[], STANDS_STILL, None)),
            outputs: OUTPUTS.0 + OUTPUTS.1 * plan.reconfigs(),
            others: Mutex::default(),
            foreign: Mutex::default(),
            own_clock,
        };
        let (first, happened) = thread::scope(|scope| {
            let faults: Vec<_> = round
                .faults
                .iter()
                .map(|fault| (fault.kind, scope.spawn(|| scene.bring(fault))))
                .collect();
            let first = scene.apply.ends();
            let happened = faults.into_iter().map(|(kind, thread)| {
                (kind, thread.join().unwrap_or_else(|why| std::panic::resume_unwind(why)))
            });
            (first, happened.collect::<Vec<_>>())
        });
        for (kind, happened) in happened {
            if happened {
                *self.faults.entry(kind).or_default() += 1;
            } else {
                self.late += 1;
            }
        }
        self.applies += 1;
        self.fits(round, &first);
        for other in lock(&scene.others).drain(..) {
            let other = other.ends();
            self.applies += 1;
            self.fits(round, &other);
        }
        let foreign = std::mem::take(&mut *lock(&scene.foreign));
        Applied { first, foreign, tolerates: plan.tolerates(), dead: None }
    }

    /// Whether an apply ended, and in a way that the faults of the round explain.
    fn fits(&mut self, round: &Round, ended: &Ended) {
        let fitting = round.faults.iter().flat_map(|fault| fault.kind.fitting_exits());
        let fits = ended.code == Some(0) || fitting.copied().any(|fit| ended.code == Some(fit));
        self.count_exit(ended.code.map_or("hung".to_owned(), |code| code.to_string()));
        let panicked = ended.said.contains("panicked");
        self.verdict.check(fits && !panicked, || {
            let Ended { words, code, said, took, .. } = ended;
            format!("exit {code:?} after {took:?} of {words}\n{said}")
        });
    }

    /// Applies again and again, all being well, until the target is reached.
    fn finish(
        &mut self,
        round: &Round,
        plan: &str,
        spec: &str,
        applied: &mut Applied,
    ) -> Vec<Option<i32>> {
        let mut codes = Vec::new();
        let (mut code, mut said) = (applied.first.code, applied.first.said.clone());
        let mut file = plan;
        while code != Some(0) && codes.len() < TRIES {
            let mut more = Vec::new();
            let number = said
                .split("--abandon ")
                .nth(1)
                .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
            if matches!(code, Some(3 | 5)) {
                // What was planned is not what is to be done any more.
                (file, applied.tolerates) = (spec, None);
                if let Some(number) = &number {
                    more.extend(["--abandon", number]);
                }
            }
            self.lab.wait_serving();
            if code == Some(3) {
                self.mends_data();
            }
            let ended = start_apply(&self.lab, file, &more, STANDS_STILL, None).ends();
            self.applies += 1;
            self.count_exit(ended.code.map_or("hung".to_owned(), |code| format!("then {code}")));
            let never = ended.code.is_none_or(|code| NEVER.contains(&code) || code == KILLED);
            self.verdict.check(!never && !ended.said.contains("panicked"), || {
                let Ended { words, code, said, took, .. } = &ended;
                format!("exit {code:?} after {took:?} of {words}\n{said}")
            });
            (code, said) = (ended.code, ended.said);
            codes.push(code);
            self.lab.heal();
        }
        self.verdict.check(code == Some(0), || {
            format!("{} does not reach its target: {codes:?}\n{said}", round.label())
        });
        codes
    }

    /// Holds everything that was said and done against the servers' own records.
    fn judge(&mut self, round: &Round, spec: &str, from: u64, applied: &Applied) {
        self.lab.wait_serving();
        self.mend_what_promoted_voters_sent(round, spec);
        self.read_back(round);
        self.truth.read_logs();
        let matches = run(&self.lab, &["plan", spec, "--detailed-exitcode"]);
        self.verdict.check(matches.code == Some(0), || {
            format!(
                "at the target, and exit {:?} of {}\n{}",
                matches.code, matches.words, matches.said
            )
        });
        let lab = Arc::clone(&self.lab);
        let gone = wait_until("the lock to be gone", PATIENCE, || {
            administrator::exists(&lab, "/zkplan/lock").ok().filter(|there| !there)
        });
        self.verdict.check(!gone, || "a lock is left".to_owned());
        let runs = match history(&self.lab, spec) {
            Ok(runs) => runs,
            Err(why) => return self.verdict.check(false, || why),
        };
        let number = |run: &Value| run["run"].as_u64().unwrap_or(0);
        let mut runs: Vec<Value> =
            runs.into_iter().filter(|run| number(run) > self.last_run).collect();
        runs.sort_by_key(number);
        self.verdict.check(!runs.is_empty(), || "the round left no run".to_owned());
        self.last_run = runs.last().map_or(self.last_run, number);
        let Applied { foreign, tolerates, dead, .. } = applied;
        let (foreign, tolerates, dead) = (foreign, *tolerates, *dead);
        let left = Left { round, truth: &self.truth, from, foreign, tolerates, dead, runs };
        left.judge(&mut self.verdict);
    }

    /// Every member has every acknowledged write, and the target as its configuration.
    fn read_back(&mut self, round: &Round) {
        let written = self.writer.acknowledged();
        self.writer.serves_at(addresses(&round.target));
        for seat in &round.target {
            let address = self.lab.server(seat.id).client_address().to_string();
            let Some(read) = read_back(&address, &written, PATIENCE) else {
                let mode = self.lab.server(seat.id).mode();
                self.verdict.check(false, || {
                    format!("member {} answers nothing for {PATIENCE:?}: {mode:?}", seat.id)
                });
                continue;
            };
            self.lost += read.missing.len();
            self.verdict.check(read.missing.is_empty(), || {
                format!("ACKNOWLEDGED WRITES LOST on member {}: {:?}", seat.id, read.missing)
            });
            let wanted = members_of(&round.target);
            let config = read.config;
            self.verdict.check(config.as_ref().is_some_and(|c| c.members == wanted), || {
                format!("member {} has {config:?}, wanted is {wanted:?}", seat.id)
            });
            if let Some(config) = config {
                self.truth.note(config.version, &config.members, seat.id);
            }
        }
        self.writer.turn_page(&written);
    }

    fn count_exit(&mut self, code: String) {
        *self.exits.entry(code).or_default() += 1;
    }

    fn kept(&self) -> PathBuf {
        let name = format!("soak-seed-{}-{}", self.seed, std::process::id());
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
    }

    /// Shows the figures, and fails where something was wrong.
    fn end(&self) {
        let Self { seed, verdict, applies, exits, faults, late, lost, .. } = self;
        let happened: u64 = faults.values().sum();
        say(&format!(
            "seed {seed}: {applies} applies, {} checks, {happened} faults ({late} more came after \
             the end), {} writes acknowledged, {lost} lost, {} wrong",
            verdict.checks,
            self.writer.count(),
            verdict.wrong.len()
        ));
        say(&format!("exits: {exits:?}\nfaults: {faults:?}"));
        let wrong = verdict.wrong.join("\n\n");
        assert!(wrong.is_empty(), "ZKPLAN_SOAK_SEED={seed} went wrong:\n{wrong}");
    }
}

impl Drop for Soak {
    /// Keeps the files of a run that went wrong.
    fn drop(&mut self) {
        if thread::panicking() {
            let folder = self.kept();
            self.lab.keep(&folder);
            let text = format!("{:#?}\n\n{}\n", self.round, self.verdict.wrong.join("\n\n"));
            fs::write(folder.join("wrong"), text).ok();
            say(&format!("ZKPLAN_SOAK_SEED={}: see {}", self.seed, folder.display()));
        }
    }
}

/// A saved plan.
struct Plan {
    file: String,
    json: Value,
}

impl Plan {
    /// How many requests it sends.
    fn reconfigs(&self) -> u64 {
        let phases = self.json["phases"].as_array().into_iter().flatten();
        let steps = phases.flat_map(|phase| phase["steps"].as_array().into_iter().flatten());
        steps.filter(|step| step["action"]["kind"] == "reconfig").count() as u64
    }

    /// How many servers may fail at every moment.
    fn tolerates(&self) -> Option<i64> {
        let summary = &self.json["summary"];
        let figure = summary["toleratesFailures"].as_i64();
        assert!(figure.is_some(), "a plan says what it tolerates: {summary:#}");
        figure
    }
}

fn addresses<'a>(seats: impl IntoIterator<Item = &'a Seat>) -> Vec<String> {
    let at = |seat: &Seat| format!("{}:{}", seat.address(), crate::schedule::CLIENT_PORT);
    seats.into_iter().map(at).collect()
}

/// The voters that observed at first, in this round.
fn promoted(round: &Round) -> impl Iterator<Item = &Seat> {
    let is_by_way_of_observer = round.policy.contains(&("addAs", "observer"));
    round.target.iter().filter(|seat| seat.votes).filter(move |seat| {
        match round.base.iter().find(|old| old.id == seat.id) {
            Some(old) => !old.votes,
            None => is_by_way_of_observer,
        }
    })
}
