//! What must hold in a roll, by what is true in the simulated ensemble.

use std::collections::BTreeSet;

use zkplan::model::ServerId;
use zkplan::simulator::{Condition, PeerState, Process, ProcessId};

use super::operator::Operator;
use super::scene::Edits;

fn serves(process: &Process) -> bool {
    process.condition == Condition::Up && process.now != PeerState::Looking
}

impl Operator<'_> {
    /// A server is about to be restarted by our hand.
    pub(super) fn judge_restart(&mut self, at: ProcessId) {
        let wrong = {
            let world = self.port.world();
            let own = world.process(at);
            let id = own.id();
            let mut wrong = Vec::new();
            let others: BTreeSet<ServerId> = world
                .processes()
                .filter(|(other, process)| *other != at && serves(process))
                .map(|(_, process)| process.id())
                .collect();
            if serves(own) && !world.config().is_quorum(&others) {
                wrong.push(format!("the restart of server {id} takes the quorum"));
            }
            if !own.file.reconfig_enabled {
                wrong.push(format!("server {id} is restarted with its old file"));
            }
            let is_old = |process: &Process| process.id() != id && !process.runs.reconfig_enabled;
            let is_last = !world.processes().any(|(_, one)| is_old(one));
            // One that came back by itself with its old file counts as restarted until it shows.
            let hides = self.scene.edits == Edits::Late;
            if world.leader() == Some(at) && !is_last && !hides {
                wrong.push(format!("server {id} leads and is not the last"));
            }
            wrong
        };
        self.wrong.extend(wrong);
    }

    /// Everything is said to be done.
    pub(super) fn judge_the_end(&mut self) {
        let hides = self.scene.hides_old_files();
        let mut world = self.port.world();
        let mut wrong = Vec::new();
        for (at, process) in world.processes() {
            let id = process.id();
            if let Some(why) = world.barred(at).filter(|_| !hides) {
                wrong.push(format!("server {id} can never come back: {why:?}"));
            }
            if !process.runs.reconfig_enabled && !hides {
                wrong.push(format!("server {id} still runs with its old file"));
            }
        }
        if world.config().version() == 0 && !hides {
            wrong.push("the configuration has no version".to_owned());
        }
        let then = world.now_ms() + 10_000;
        world.advance(then);
        if !world.commits() {
            wrong.push("no write commits".to_owned());
        }
        if !world.truth.lost.is_empty() || !world.truth.rivals.is_empty() {
            wrong.push("writes were lost, or two servers led".to_owned());
        }
        drop(world);
        self.wrong.extend(wrong);
    }
}
