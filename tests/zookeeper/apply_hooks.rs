//! Commands that start and stop servers: run once for one intent, whatever happens to us.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, PATIENCE, wait_until};
use crate::ledger::{Ledger, is_at};
use crate::spec::Spec;
use crate::zkplan::Desk;

/// A command that writes down that it was run, and ends when the test has done what it asks for.
pub(crate) struct Hook<'a> {
    desk: &'a Desk,
    program: PathBuf,
}

impl<'a> Hook<'a> {
    pub(crate) fn new(desk: &'a Desk) -> Self {
        let program = desk.path("hook.sh");
        let place =
            program.parent().expect("it lies in the desk's directory").display().to_string();
        // It waits for a fact, as a command does that talks to a service manager.
        let script = format!(
            "#!/bin/sh\necho \"$1 $2\" >> '{place}/asked'\n\
             while [ ! -e '{place}/did-'\"$1-$2\" ]; do sleep 0.05; done\n"
        );
        fs::write(&program, script).expect("the temporary directory can be written to");
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&program, mode).expect("our own file can be made executable");
        Self { desk, program }
    }

    /// The spec with this command for each.
    pub(crate) fn add_to(&self, spec: Spec) -> Spec {
        let argv =
            |what: &str| [self.program.display().to_string(), what.to_owned(), "{id}".to_owned()];
        let spec = spec.hook("start", argv("start")).hook("stop", argv("stop"));
        spec.hook("restart", argv("restart"))
    }

    /// What it was asked for, in order, `start 4` and the like.
    pub(crate) fn asked(&self) -> Vec<String> {
        let asked = fs::read_to_string(self.desk.path("asked")).unwrap_or_default();
        asked.lines().map(str::to_owned).collect()
    }

    /// Waits until it is asked for this.
    pub(crate) fn wait_asked(&self, what: &str) {
        wait_until(format!("the hook to be asked to {what}"), PATIENCE, || {
            self.asked().iter().any(|asked| asked == what).then_some(())
        });
    }

    /// Lets it end with success.
    pub(crate) fn did(&self, what: &str) {
        self.desk.write(&format!("did-{}", what.replace(' ', "-")), "");
    }
}

#[test]
fn servers_are_started_and_stopped_by_hooks() {
    let ensemble = Builder::rich().start();
    ensemble.reserve(4);
    let desk = Desk::new();
    let hook = Hook::new(&desk);
    let leaving = a_follower(&ensemble);
    let spec = hook.add_to(replacing(&ensemble, leaving));
    let ledger = Ledger::begin(&ensemble);

    let mut apply = desk.apply_spec(&spec).with(&["--approve", "stop"]).start();
    hook.wait_asked("start 4");
    let running = apply.wait_for("hookRunning", "start-4");
    assert!(running["runningMs"].as_u64().is_some_and(|ms| ms >= 2000), "{running:#}");
    ensemble.start_joiner(4);
    hook.did("start 4");
    let stop = format!("stop {leaving}");
    hook.wait_asked(&stop);
    // No committed configuration names it any more.
    assert!(!ensemble.administrator().config().ids().contains(&leaving));
    ensemble.stop(leaving);
    hook.did(&stop);
    apply.ends().exits(0);
    assert_eq!(hook.asked(), ["start 4", &stop]);
    ledger.has_steps(2);
    journal_tells(&desk, &["start-4", &format!("stop-{leaving}")]);
}

/// Killed when the command runs: it may have done its work or not, and it is not run a second time
/// where a look shows that it has.
#[test]
fn no_hook_is_run_twice_for_one_intent() {
    let ensemble = Builder::rich().start();
    ensemble.reserve(4);
    let desk = Desk::new();
    let hook = Hook::new(&desk);
    let leaving = a_follower(&ensemble);
    let stop = format!("stop {leaving}");
    let spec = hook.add_to(replacing(&ensemble, leaving));
    let ledger = Ledger::begin(&ensemble);
    let apply = || desk.apply_spec(&spec).with(&["--approve", "stop"]);

    let started = apply().start();
    hook.wait_asked("start 4");
    started.kill();
    ensemble.start_joiner(4);
    hook.did("start 4");
    ensemble.wait_following(4);

    let stopping = apply().start();
    hook.wait_asked(&stop);
    stopping.kill();
    ensemble.stop(leaving);
    hook.did(&stop);
    apply().ends().exits(0);
    assert_eq!(hook.asked(), ["start 4", &stop]);
    ledger.has_steps(2);
}

/// Killed between the last removal and the stop: the next one stops what is left to stop.
#[test]
fn a_stop_that_was_left_is_done_by_the_next() {
    let ensemble = Builder::rich().start_with([4]);
    let desk = Desk::new();
    let hook = Hook::new(&desk);
    let leaving = a_follower(&ensemble);
    let stop = format!("stop {leaving}");
    let spec = hook.add_to(replacing(&ensemble, leaving));
    let ledger = Ledger::begin(&ensemble);
    let boundary = format!("hook stop-{leaving}");
    let apply = || desk.apply_spec(&spec).with(&["--approve", "stop"]);
    apply().at("KILL", &boundary).ends().was_killed();
    ledger.has_steps(2);
    assert_eq!(hook.asked(), Vec::<String>::new());

    let next = apply().start();
    hook.wait_asked(&stop);
    ensemble.stop(leaving);
    hook.did(&stop);
    next.ends().exits(0);
    ledger.has_steps(2);
    assert_eq!(hook.asked(), [stop]);
}

#[test]
fn a_hook_that_fails_or_hangs_stops_it_in_a_safe_place() {
    let ensemble = Builder::rich().start();
    ensemble.reserve(4);
    let spec = wanting(&ensemble, 1..=4, 1..=3);
    let ledger = Ledger::begin(&ensemble);

    let desk = Desk::new();
    let failing = spec.clone().hook("start", ["false"]);
    desk.apply_spec(&failing).ends().exits(7).says(["start-4", "zkplan apply"]);
    journal_tells(&desk, &["start-4"]);
    ledger.membership_is_unchanged();
    assert_eq!(ensemble.administrator().znode("/zkplan/lock"), None);

    let absent = spec.clone().hook("start", ["/nowhere/no-such-command"]);
    let run = desk.run_as_super(&["history", "spec.yaml"]).exits(0).last_run();
    let outcome = desk.apply_spec(&absent).with(&["--abandon", &run]).ends().exits(7);
    outcome.says(["no-such-command"]);

    let run = desk.run_as_super(&["history", "spec.yaml"]).exits(0).last_run();
    let hanging = spec.clone().hook("start", ["sleep", "600"]);
    let flags = ["--abandon", &run, "--timeout", "2s"];
    desk.apply_spec(&hanging).with(&flags).ends().exits_with_one_of(&[7, 9]).says(["start-4"]);
    ledger.membership_is_unchanged();

    // A person does it instead.
    let run = desk.run_as_super(&["history", "spec.yaml"]).exits(0).last_run();
    ensemble.start_joiner(4);
    let flags = ["--abandon", &run, "--no-hooks"];
    desk.apply_spec(&hanging).with(&flags).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
}

/// A spec that wants 4 in place of a member.
fn replacing(ensemble: &Ensemble, leaving: u8) -> Spec {
    wanting(ensemble, (1..=4).filter(|id| *id != leaving), 1..=3)
}

fn a_follower(ensemble: &Ensemble) -> u8 {
    let leader = ensemble.wait_leader();
    (1..=3).find(|id| *id != leader).expect("there are two followers")
}

fn journal_tells(desk: &Desk, what: &[&str]) {
    let run = desk.run_as_super(&["history", "spec.yaml"]).exits(0).last_run();
    desk.run_as_super(&["history", "spec.yaml", &run]).exits(0).says(what);
}
