//! Carries a plan of restarts out: which server is next, and when it may be restarted.
//!
//! In: looks. Out: what to do now, as data. No clock and no I/O, and no state that has to be kept
//! anywhere: each restart is proven by looking, so a run that was cut short begins anew with what
//! is seen. [`crate::preflight::Roll`] has the gate of each restart; here it is held against the plan.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::apply::{RestartMissing, Wait};
use crate::check::{Breach, BreachKind, CheckedPlan, recheck};
use crate::model::{ServerId, SettingName};
use crate::observe::{Facts, Observation, SettingVerdict, compare_settings};
use crate::plan::{Done, Restart, Step, StepId};
use crate::preflight::{
    Check, Roll, RollAdvice, RollChange, RollMissing, RollSample, StateWord, View,
};

/// One look in the middle of a roll.
#[derive(Debug, Clone, Copy)]
pub struct RestartLook<'a> {
    /// What was seen.
    pub view: View<'a>,
    /// The checks of it.
    pub checks: &'a [Check],
    /// The servers whose client port has refused connections since the last look.
    pub refused: &'a BTreeSet<ServerId>,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextRestart {
    /// Every server of the plan was restarted and is back.
    Finished,
    /// Have this server restarted.
    Begin {
        /// The step.
        step: StepId,
        /// The server.
        server: ServerId,
    },
    /// Wait for these, and restart nothing.
    Wait(Vec<Wait>),
    /// A server was restarted and still has the old settings: the next one is not restarted.
    OldSettings {
        /// The server.
        server: ServerId,
        /// The settings that were seen to differ.
        settings: BTreeSet<SettingName>,
    },
    /// Findings forbid the next restart, and were not accepted.
    Unsafe(Vec<Breach>),
    /// The members are not those of the plan.
    OtherMembers,
}

/// A plan of restarts that is being carried out.
#[derive(Debug, Clone)]
pub struct RestartRun {
    checked: Arc<CheckedPlan>,
    /// Follows the restarts; `None` before the first look.
    roll: Option<Roll>,
    /// The server whose restart was begun last.
    begun: Option<ServerId>,
    /// Servers that were away at the first look.
    away: BTreeSet<ServerId>,
    done: Done,
}

impl RestartRun {
    /// Begins to carry a plan out.
    pub const fn new(checked: Arc<CheckedPlan>) -> Self {
        Self { checked, roll: None, begun: None, away: BTreeSet::new(), done: Done::new() }
    }

    /// The steps that are done: their servers were seen to be restarted and to be back, or had what
    /// the restart was to bring before.
    pub const fn done(&self) -> &Done {
        &self.done
    }

    /// Notes that the restart of a server was begun, by a command or by a person who was asked.
    pub const fn begin(&mut self, server: ServerId) {
        self.begun = Some(server);
    }

    /// Notes that the command which restarts a server has succeeded.
    pub fn commanded(&mut self, server: ServerId) {
        if let Some(roll) = &mut self.roll {
            roll.was_commanded(server);
        }
    }

    /// Whether the first look was taken.
    pub const fn has_begun(&self) -> bool {
        self.roll.is_some()
    }

    /// Whether the server whose restart was begun is away, or not proven to be back: not a moment to stop
    /// at. One that is away for another reason keeps no apply from stopping.
    pub fn is_underway(&self) -> bool {
        let begun = self.begun.zip(self.roll.as_ref());
        begun.is_some_and(|(server, roll)| {
            roll.has_stopped(server) || roll.restarted().contains(&server)
        })
    }

    /// Takes a look: what changed on servers, and what to do now.
    pub fn next(&mut self, look: RestartLook<'_>) -> (Vec<RollChange>, NextRestart) {
        let checked = Arc::clone(&self.checked);
        let plan = checked.plan();
        if look.view.seen.config.membership != plan.facts.base.membership {
            return (Vec::new(), NextRestart::OtherMembers);
        }
        let mut sample = RollSample::of(look.view, look.checks, look.refused);
        // One that was down when the plan was made, and is not restarted, is not waited for: the
        // rules say whether the others are enough.
        let counts = |id: &ServerId, status: StateWord| {
            status.is_in_sync() || plan.facts.synced.contains(id) || self.step_of(*id).is_some()
        };
        sample.servers.retain(|id, own| counts(id, own.status));
        let mut roll = match self.roll.take() {
            Some(roll) => roll,
            None => self.first(&sample, look.view),
        };
        let is_led_enabled = sample.leader_enabled == Some(true);
        self.reopen(&mut roll, look.view);
        let (changes, advice) = roll.advance(sample);
        let settled = self.settle(&roll, &advice, look.view);
        let next = settled.unwrap_or_else(|| self.order(&roll, &advice, look.view, is_led_enabled));
        self.roll = Some(roll);
        (changes, next)
    }

    /// The roll of what is left. A step that only brings settings is done where they are seen to be
    /// there; where they cannot be seen, a line of the same edit stands for them.
    fn first(&mut self, sample: &RollSample, view: View<'_>) -> Roll {
        let fresh = Roll::default();
        let has_all = |step: &&Step| {
            step.restart().is_some_and(|restart| {
                let stands_in = sample.leader != Some(restart.server)
                    && fresh.has_new_file(sample, restart.server);
                let has = |verdict: SettingVerdict| match verdict {
                    SettingVerdict::AsWanted => true,
                    SettingVerdict::Unknown => stands_in,
                    SettingVerdict::Differs => false,
                };
                !restart.is_asked
                    && is_healthy(sample, restart.server)
                    && brought(view, restart).all(|(_, verdict)| has(verdict))
            })
        };
        let plan = self.checked.plan();
        let is_away = |id: &ServerId| !is_healthy(sample, *id);
        self.away = sample.servers.keys().copied().filter(is_away).collect();
        self.done = plan.steps().filter(has_all).map(|step| step.id.clone()).collect();
        let left = plan.steps().filter(|step| !self.done.contains(&step.id));
        Roll::of_servers(left.filter_map(Step::restart).map(|restart| restart.server).collect())
    }

    /// Has servers restarted after all that were counted as done, and are seen only now to lack what
    /// their restarts were to bring: while the leader has `reconfigEnabled=false` no other shows it.
    fn reopen(&mut self, roll: &mut Roll, view: View<'_>) {
        let checked = Arc::clone(&self.checked);
        for step in checked.plan().steps() {
            let lacks = |restart: &Restart| !lacking(view, restart).is_empty();
            if let Some(restart) = step.restart().filter(|restart| lacks(restart))
                && self.done.remove(&step.id)
            {
                roll.forget(restart.server);
            }
        }
    }

    /// Counts servers whose gate has held as done, unless one has the old settings.
    fn settle(&mut self, roll: &Roll, advice: &RollAdvice, view: View<'_>) -> Option<NextRestart> {
        let waited = match advice {
            RollAdvice::Wait { server, .. } => *server,
            _ => None,
        };
        let has_leader = !matches!(advice, RollAdvice::Wait { missing: RollMissing::Leader, .. });
        let checked = Arc::clone(&self.checked);
        for step in checked.plan().steps() {
            let Some(restart) = step.restart() else { continue };
            let server = restart.server;
            let is_back =
                roll.restarted().contains(&server) && waited != Some(server) && has_leader;
            if !is_back || self.done.contains(&step.id) {
                continue;
            }
            let settings = lacking(view, restart);
            if !settings.is_empty() {
                return Some(NextRestart::OldSettings { server, settings });
            }
            self.done.insert(step.id.clone());
            self.begun.take_if(|begun| *begun == server);
        }
        None
    }

    fn order(
        &self,
        roll: &Roll,
        advice: &RollAdvice,
        view: View<'_>,
        is_led_enabled: bool,
    ) -> NextRestart {
        // Also if another server leads by then: two are never asked for at once.
        if let Some(begun) = self.begun.filter(|begun| !roll.restarted().contains(begun)) {
            let is_away = roll.has_stopped(begun);
            let missing = if is_away { RestartMissing::Role } else { RestartMissing::ByHand };
            return wait(Some(begun), missing);
        }
        match advice {
            RollAdvice::AllSet | RollAdvice::Otherwise { .. } => NextRestart::Finished,
            RollAdvice::Restart { server, .. } => self.restart(*server, view),
            // It was down before anything was restarted: that it is started is its step. One that runs
            // and does not serve may have come back with its old file, and can never serve with it.
            RollAdvice::Wait {
                server: Some(server), missing: RollMissing::Role(status), ..
            } if !roll.restarted().contains(server)
                && (self.was_down(*server)
                    || *status == StateWord::NotServing
                        && is_led_enabled
                        && self.brings_reconfigs(*server)) =>
            {
                self.restart(*server, view)
            }
            RollAdvice::Wait { server, missing, .. } => wait(
                *server,
                match missing {
                    RollMissing::Role(_) => RestartMissing::Role,
                    RollMissing::Commit => RestartMissing::Commit,
                    RollMissing::Again => RestartMissing::Again,
                    RollMissing::Leader => RestartMissing::Leader,
                },
            ),
        }
    }

    /// Has a server restarted, unless the plan has no such step or the rules stand against it now.
    fn restart(&self, server: ServerId, view: View<'_>) -> NextRestart {
        let Some(step) = self.step_of(server).filter(|step| !self.done.contains(&step.id)) else {
            return wait(Some(server), RestartMissing::Role);
        };
        let now = Facts::of(view.seen, view.target);
        let mut breaches = recheck(&self.checked, &self.done, &now);
        // It serves nothing, so its restart takes nothing from the others, whatever comes after it.
        if !now.synced.contains(&server) {
            let is_own = |own: &StepId| *own == step.id;
            breaches.retain(|breach| {
                breach.step.as_ref().is_none_or(|own| is_own(own) && breach.path.is_empty())
            });
        }
        let is_finding = |breach: &Breach| matches!(breach.detail, BreachKind::Finding(_));
        let (lasting, passing): (Vec<_>, Vec<_>) = breaches.into_iter().partition(is_finding);
        if !lasting.is_empty() {
            return NextRestart::Unsafe(lasting);
        }
        if !passing.is_empty() {
            // The broken rule names the effect. The servers that are down are the cause.
            let down = away(view.seen);
            return NextRestart::Wait(down.chain(passing.into_iter().map(Wait::Law)).collect());
        }
        NextRestart::Begin { step: step.id.clone(), server }
    }

    fn was_down(&self, server: ServerId) -> bool {
        let was_up = self.checked.plan().facts.synced.contains(&server);
        (!was_up || self.away.contains(&server)) && self.step_of(server).is_some()
    }

    fn brings_reconfigs(&self, server: ServerId) -> bool {
        let restart = self.step_of(server).and_then(Step::restart);
        restart.is_some_and(|restart| restart.brings.contains(&SettingName::ReconfigEnabled))
    }

    fn step_of(&self, server: ServerId) -> Option<&Step> {
        let of = |step: &&Step| step.restart().is_some_and(|restart| restart.server == server);
        self.checked.plan().steps().find(of)
    }
}

fn wait(server: Option<ServerId>, missing: RestartMissing) -> NextRestart {
    NextRestart::Wait(vec![Wait::Restart { server, missing }])
}

/// The members that do not acknowledge writes.
fn away(seen: &Observation) -> impl Iterator<Item = Wait> {
    let members = seen.servers.iter().filter(|(id, _)| seen.config.membership.contains(**id));
    let away = members.filter(|(_, one)| !one.status.acknowledges());
    away.map(|(id, one)| Wait::Down { server: *id, status: one.status.clone() })
}

fn is_healthy(sample: &RollSample, server: ServerId) -> bool {
    let status = sample.servers.get(&server).map(|own| own.status);
    status.is_some_and(StateWord::is_in_sync)
}

/// What is seen of the settings that a restart is to bring.
fn brought(
    view: View<'_>,
    restart: &Restart,
) -> impl Iterator<Item = (SettingName, SettingVerdict)> {
    let states = compare_settings(view.seen, view.target).into_iter();
    let own = states.filter(|state| state.server == restart.server);
    own.filter(|state| restart.brings.contains(&state.setting))
        .map(|state| (state.setting, state.verdict))
}

/// The settings that a restart is to bring and that its server was seen to lack.
fn lacking(view: View<'_>, restart: &Restart) -> BTreeSet<SettingName> {
    let differs = |(name, verdict)| (verdict == SettingVerdict::Differs).then_some(name);
    brought(view, restart).filter_map(differs).collect()
}

#[cfg(test)]
mod tests;
