//! The cutover gate: whom it lets pass, and when it shuts again.

use super::state::Executor;
use crate::apply::client_watch::PassedClients;
use crate::apply::connect_strings::ConnectStrings;
use crate::apply::event::Event;
use crate::apply::journal::GateOpenedBy;
use crate::apply::run_view::RunView;
use crate::apply::wait::Occupied;
use crate::plan::{Action, ChangeVerb, GateKind, Step, StepId};

impl Executor {
    /// Lets the clients pass that are there now. An approval holds for these: one that comes later shuts
    /// the gate until servers are taken out.
    pub(super) fn pass(&mut self, kind: GateKind, present: &[Occupied]) -> GateOpenedBy {
        let by_command = std::mem::take(&mut self.options.approved.cutover);
        let is_approved = by_command || self.memory.clients.has_passed();
        self.memory.clients.pass(PassedClients::of(present));
        if is_approved || !present.is_empty() || kind == GateKind::CutoverManual {
            GateOpenedBy::Approved
        } else {
            GateOpenedBy::Drained
        }
    }

    /// The gate that was passed, as long as no server has been taken out behind it.
    pub(super) fn open_gate(&self) -> Option<&StepId> {
        let is_gate = |step: &&Step| matches!(step.action, Action::Gate(_));
        let phases = &self.plan().phases;
        let at = phases.iter().position(|phase| phase.steps.iter().any(|step| is_gate(&step)))?;
        let gate = phases[at].steps.iter().find(is_gate)?;
        let behind = phases[at..].iter().flat_map(|phase| &phase.steps);
        let leaves =
            |step: &&Step| step.parts().iter().any(|part| part.change == ChangeVerb::Leave);
        let mut removed = behind.filter(leaves).map(|step| &step.id);
        let is_open = self.memory.done.contains(&gate.id);
        (is_open && !removed.any(|step| self.memory.done.contains(step))).then_some(&gate.id)
    }

    /// Reports the addresses that clients need, once.
    pub(super) fn hand_out(&mut self, view: &RunView) {
        let strings = ConnectStrings::of(self.plan(), &view.leaving);
        if self.strings.as_ref() != Some(&strings) {
            self.strings = Some(strings.clone());
            self.tell(Event::ConnectStrings(strings));
        }
    }

    /// Shuts a gate again, where clients have come that it did not let pass.
    pub(super) fn watch_gate(&mut self, view: &RunView, now_ms: u64) {
        let watches = self.memory.clients.has_passed();
        let Some(gate) = self.open_gate().filter(|_| watches).cloned() else { return };
        let newcomers = self.judge(view, now_ms).not_passed();
        if !newcomers.is_empty() {
            self.memory.done.remove(&gate);
            self.tell(Event::GateShut { step: gate, newcomers });
        }
    }
}
