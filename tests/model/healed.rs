//! The healing schedule: from any state, without further faults and with one apply after the other,
//! the plan reaches its target.

use std::sync::PoisonError;

use crate::schedule::{Action, Schedules};
use crate::state::State;
use stateright::Model;

/// More answers than that are no progress.
const MANY: usize = 200;

impl Schedules {
    /// Leads a state to the target, and returns how many answers that took, or where it got stuck.
    ///
    /// The applies that live continue, the holder of the lock first. If none is left and the target
    /// is not reached, one more apply is started, which must finish. Requests that are on their way
    /// stay there: no apply may depend on their arrival.
    pub(crate) fn heal(&self, from: &State) -> Result<u32, Box<State>> {
        let mut healed = self.healed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = from.clone();
        state.requests.clear();
        state.faults = 0;
        state.started = 0;
        state.finished = 0;
        state.down = 0;
        let mut way = Vec::new();
        let mut left = loop {
            if let Some(answers) = healed.get(&state) {
                break *answers;
            }
            if way.len() == MANY || !state.broken.is_nothing() {
                return Err(Box::new(state));
            }
            let next = self.heal_on(&state);
            way.push(state.clone());
            match next {
                Some(next) => state = next,
                None if self.is_at_target(&state) => break 0,
                None => return Err(Box::new(state)),
            }
            state.requests.clear();
            state.finished = 0;
        };
        for state in way.into_iter().rev() {
            left += 1;
            healed.insert(state, left);
        }
        Ok(left)
    }

    /// How many states were healed, and the most answers that one of them took.
    pub(crate) fn healings(&self) -> (usize, u32) {
        let healed = self.healed.lock().unwrap_or_else(PoisonError::into_inner);
        (healed.len(), healed.values().copied().max().unwrap_or(0))
    }

    fn heal_on(&self, state: &State) -> Option<State> {
        if state.lock > 0 && state.holder().is_none() {
            return self.next_state(state, Action::GhostOver);
        }
        if let Some(holder) = state.holder() {
            return self.next_state(state, Action::Answer(holder));
        }
        let mut living = (0..state.applies.len()).map(Action::Answer);
        if let Some(next) = living.find_map(|action| self.next_state(state, action)) {
            return Some(next);
        }
        let may = state.applies.is_empty() && state.started == 0 && !self.is_at_target(state);
        may.then(|| self.next_state(state, Action::Start)).flatten()
    }

    fn is_at_target(&self, state: &State) -> bool {
        let rules = &self.rules;
        state.applies.is_empty()
            && state.config.members == rules.world.target
            && !rules.journals.is_open(state.journal)
    }
}
