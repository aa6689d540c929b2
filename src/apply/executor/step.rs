//! From a survey to the next step. None is judged while the fence comes first (`must_fence` in `setup`).

use std::collections::BTreeSet;

use super::messages::{ReadBack, RequestPurpose, RunQuestion};
use super::other_order::Turn;
use super::state::{Continuation, Executor, RunStage};
use crate::apply::client_watch::PassedClients;
use crate::apply::end::Outcome;
use crate::apply::event::Event;
use crate::apply::journal::{Entry, HookEnd, PassedClient};
use crate::apply::judge::{Judge, Verdict};
use crate::apply::old_runs::MOST_REMOVED;
use crate::apply::run_view::{self, Presence, RunView};
use crate::apply::wait::{Missing, Wait};
use crate::model::{ServerId, Zxid};
use crate::observe::{ByCounts, DataProof, FindingKind};
use crate::plan::{Action, ChangeVerb, Phase, PhaseKind, ServerChange, Step, StepId, StepOrder};

/// The limit on reconfigs without changes in one apply. They are sent to servers that hold the
/// configuration while an older one is in force.
const HEALS: u32 = 3;

/// How often it takes to write at most from one digest to the next (`DataTree.DIGEST_LOG_INTERVAL`).
const MARKS_PER_DIGEST: usize = 128;

/// How many digests more than one for each joiner that the plan awaits are made at most: one digest
/// serves all joiners that follow by then, and the first that is common decides nearly always.
const SPARE_DIGESTS: usize = 3;

/// A digest of the data is kept of every zxid that this divides (`DataTree.DIGEST_LOG_INTERVAL`).
const DIGEST_INTERVAL: u64 = 128;

impl Executor {
    /// Surveys next, with the questions of the present step.
    pub(super) fn look(&mut self) -> RunStage {
        let members = self.config.as_ref().map(|config| &config.membership);
        let is_member = |id: &ServerId| members.is_some_and(|members| members.contains(*id));
        let mut listening: BTreeSet<ServerId> = self.memory.named.keys().copied().collect();
        let awaited = run_view::awaited(self.plan()).into_iter().filter(|id| !is_member(id));
        let (mut prove, mut ask) = (BTreeSet::new(), BTreeSet::new());
        for id in awaited {
            listening.insert(id);
            if !self.memory.proven.contains(&id) {
                prove.insert(id);
            }
            if !self.memory.admitting.contains(&id) {
                ask.insert(id);
            }
        }
        let open = self.plan().steps().filter(|step| !self.memory.done.contains(&step.id));
        let moves = |part: &&ServerChange| matches!(part.change, ChangeVerb::Readdress { .. });
        let moving = open.flat_map(Step::parts).filter(moves).map(|part| part.server).collect();
        let clients = self.wants_clients();
        let counts = ByCounts {
            is_accepted: self.accepts(FindingKind::BY_COUNTS),
            given_up: self.given_up.clone(),
        };
        self.question = RunQuestion { prove, counts, ask, clients, listening, moving };
        RunStage::Look
    }

    /// Whether a finding is accepted, by the plan or by the command of this apply.
    fn accepts(&self, code: &str) -> bool {
        let own = self.options.approved.accepted.iter();
        self.plan().accepted.iter().chain(own).any(|risk| risk.code == code)
    }

    /// Whether the next step is one that clients can hold up, or that waits for a server to go.
    fn wants_clients(&self) -> bool {
        if self.memory.clients.has_passed() && self.open_gate().is_some() {
            return true;
        }
        let next = self.plan().next_steps(&self.memory.done, self.leader);
        next.iter().any(|step| {
            matches!(step.action, Action::Gate(_) | Action::Stop(_) | Action::AskToStop(_))
        })
    }

    /// Continues only while the lock is ours and the configuration is the one that this run made.
    /// Before the fence a request of an earlier apply may still be carried out.
    fn has_lost(&mut self, now_ms: u64, read: ReadBack) -> Option<RunStage> {
        if !self.is_locked(&read) {
            return Some(self.lock_lost());
        }
        if self.config.as_ref() == Some(&read.config) {
            return None;
        }
        Some(if self.must_fence() {
            self.settled(RequestPurpose::Fence, now_ms, read)
        } else {
            self.foreign(read.config)
        })
    }

    pub(super) fn saw_nothing(&mut self, now_ms: u64, why: String, read: ReadBack) -> RunStage {
        if let Some(stage) = self.has_lost(now_ms, read) {
            return stage;
        }
        if self.must_fence() {
            // A server that finishes its sync now activates the configuration later; earlier
            // requests do not.
            return self.fence();
        }
        // Who serves may have started anew meanwhile.
        self.memory.first_served.clear();
        self.wait(now_ms, vec![Wait::Ensemble(why)], RunStage::Look)
    }

    pub(super) fn saw(&mut self, now_ms: u64, view: &RunView, read: ReadBack) -> RunStage {
        if let Some(stage) = self.has_lost(now_ms, read) {
            return stage;
        }
        if self.must_fence() {
            return self.fence_or_hold(now_ms, view);
        }
        if self.config.as_ref() != Some(&view.facts.base) {
            let lags = "the leader shows an older configuration".to_owned();
            return self.wait(now_ms, vec![Wait::Ensemble(lags)], RunStage::Look);
        }
        self.see_leader(view.facts.leader);
        let before = self.memory.proven.clone();
        self.memory.see(view, now_ms);
        for (id, joiner) in &view.joiners {
            if let (Some(proof), true) = (&joiner.data, self.memory.proven.contains(id))
                && !before.contains(id)
            {
                self.tell(Event::DataProven { server: *id, proof: proof.clone() });
            }
        }
        if !view.leaving.is_empty() {
            self.hand_out(view);
            self.watch_gate(view, now_ms);
        }
        self.forget_hiccup(view);
        // A joiner that was awaited may be gone again.
        let waits: Vec<StepId> = self
            .plan()
            .steps()
            .filter(|step| match step.action {
                Action::AwaitJoiner(id) => view.joiners.contains_key(&id),
                _ => false,
            })
            .map(|step| step.id.clone())
            .collect();
        for step in waits {
            self.memory.done.remove(&step);
        }
        self.decide(now_ms, view)
    }

    /// A leader that is out of sight may lead all the same: only another one is news.
    fn see_leader(&mut self, leader: Option<ServerId>) {
        let Some(to) = leader.filter(|to| self.leader != Some(*to)) else { return };
        if let Some(from) = self.leader.replace(to) {
            let planned = self.last_reconfig.clone().filter(|step| {
                let step = self.plan().steps().find(|known| known.id == *step);
                step.is_some_and(|step| step.hands_over(from))
            });
            self.tell(Event::LeaderChanged { from, to, step: planned });
        }
    }

    fn decide(&mut self, now_ms: u64, view: &RunView) -> RunStage {
        loop {
            if self.interrupted {
                return self.stop(Outcome::Interrupted { unknown: None });
            }
            let open = self.open(view);
            let Some((kind, rule, first)) = open.first().cloned() else {
                if let Some(heals) = self.heal(view) {
                    return heals;
                }
                let run = self.open_run();
                return RunStage::Record(
                    run,
                    Entry::Closed,
                    Continuation::Stop(Box::new(Outcome::Finished)),
                );
            };
            if self.wants_clients() && !self.question.clients {
                return self.look();
            }
            let candidates = match rule {
                StepOrder::SideBySide => open,
                StepOrder::InOrder | StepOrder::LeaderLast => vec![(kind, rule, first)],
            };
            let mut waits = Vec::new();
            let mut done = Vec::new();
            for (kind, _, step) in candidates {
                if let Some(end) = self.would_move_leader(&step, view) {
                    return self.stop(end);
                }
                match self.judge(view, now_ms).step(kind, &step) {
                    Verdict::AlreadyDone => done.push((kind, step)),
                    Verdict::Proceed => return self.take(&step, view, now_ms),
                    Verdict::Wait(more) => waits.extend(more),
                    Verdict::Ask(end) => return self.ask(end),
                    Verdict::Stop(end) => return self.stop(end),
                }
            }
            for (kind, step) in done {
                if let Some(stage) = self.is_done(kind, &step, view) {
                    return stage;
                }
            }
            if !waits.is_empty() {
                if let Some(heals) = self.heal(view) {
                    return heals;
                }
                match self.take_turns(now_ms, view, &waits) {
                    Turn::Another => {}
                    Turn::Ends(stage) => return stage,
                    Turn::Waits => return self.await_or_mark(now_ms, view, waits),
                }
            }
        }
    }

    /// Where only a run in which the leader stays was approved: the end before a step in which it
    /// changes. The leader goes last, so that by then all else is done.
    fn would_move_leader(&self, step: &Step, view: &RunView) -> Option<Outcome> {
        let leader = view.facts.leader.filter(|_| self.options.approved.keeps_leader)?;
        let step = Some(step).filter(|step| step.hands_over(leader))?.id.clone();
        Some(Outcome::LeaderMoved { step, leader })
    }

    /// The steps that may be next, each with its phase's kind and rule.
    fn open(&self, view: &RunView) -> Vec<(PhaseKind, StepOrder, Step)> {
        let next = self.plan().next_steps(&self.memory.done, view.facts.leader);
        let of = |step: &Step| -> Option<&Phase> {
            self.plan().phases.iter().find(|phase| phase.steps.iter().any(|s| s.id == step.id))
        };
        let open = next.into_iter().filter_map(|step| {
            let phase = of(step)?;
            Some((phase.kind, phase.rule, step.clone()))
        });
        open.collect()
    }

    pub(super) fn judge<'a>(&'a self, view: &'a RunView, now_ms: u64) -> Judge<'a> {
        Judge {
            checked: &self.checked,
            view,
            memory: &self.memory,
            approved: &self.options.approved,
            no_hooks: self.options.no_hooks,
            now_ms,
        }
    }

    /// A step that needs no doing; a stop that is seen done is written down.
    fn is_done(&mut self, kind: PhaseKind, step: &Step, view: &RunView) -> Option<RunStage> {
        let id = step.id.clone();
        match step.action {
            Action::Stop(server) if !self.options.no_hooks => {
                if !self.memory.hooked.contains(&id) {
                    self.tell(Event::NoAnswer { step: id.clone(), server });
                }
                let entry = Entry::Gone { step: id };
                return Some(RunStage::Record(self.open_run(), entry, Continuation::Look));
            }
            Action::Stop(server) | Action::AskToStop(server) if kind == PhaseKind::Retire => {
                let presence = view.leaving.get(&server).map(|leaving| leaving.presence);
                self.memory.done.insert(id.clone());
                let clients = view.leaving.get(&server).and_then(|leaving| leaving.clients.clone());
                self.tell(match presence {
                    Some(Presence::Gone | Presence::OutOfReach) => {
                        Event::NoAnswer { step: id, server }
                    }
                    Some(Presence::Up | Presence::Unknown) | None => {
                        Event::StopByHand { server, clients }
                    }
                });
            }
            Action::Start(_) if !self.memory.hooked.contains(&id) => {
                self.memory.done.insert(id.clone());
                if self.reported.insert(id.clone()) {
                    self.tell(Event::NotNeeded { step: id });
                }
            }
            _ => self.finish_step(id),
        }
        None
    }

    /// A wait for a joiner is judged at every survey. Its result is reported once.
    fn finish_step(&mut self, step: StepId) {
        self.memory.done.insert(step.clone());
        if self.reported.insert(step.clone()) {
            self.progress();
            self.tell(Event::Done { step });
        }
    }

    /// Sends a reconfig that changes nothing where a server holds the configuration and runs with an
    /// older one: the next that commits is activated there. Not while another finishes its sync, which
    /// would miss it, and not again and again.
    fn heal(&mut self, view: &RunView) -> Option<RunStage> {
        let servers = view.not_in_force();
        if servers.is_empty() || view.is_syncing || self.heals == HEALS {
            return None;
        }
        self.heals += 1;
        self.tell(Event::Healing { servers });
        Some(self.fence())
    }

    /// Waits. If only a newer digest is missing, writes until there is one, up to a limit.
    fn await_or_mark(&mut self, now_ms: u64, view: &RunView, mut waits: Vec<Wait>) -> RunStage {
        let only_data = waits
            .iter()
            .all(|wait| matches!(wait, Wait::Joiner { missing: Missing::Data { .. }, .. }));
        let wanting = |wait: &Wait| match wait {
            Wait::Joiner { server, missing: Missing::Data { proof: Some(proof), .. } }
                if proof.wants_newer_digest() =>
            {
                Some(*server)
            }
            _ => None,
        };
        let wanting: Vec<ServerId> = waits.iter().filter_map(wanting).collect();
        let stage = self.look();
        if !only_data || wanting.is_empty() {
            return self.wait(now_ms, waits, stage);
        }
        // What was written last has to arrive first.
        let zxid_of = |id: &ServerId| view.joiners.get(id).and_then(|joiner| joiner.zxid);
        let arrives = |id: &ServerId| zxid_of(id).is_some_and(|zxid| zxid.get() < self.marked_to);
        if wanting.iter().any(arrives) {
            return self.wait(now_ms, waits, stage);
        }
        let zxid = view.leader_zxid.map_or(0, Zxid::get);
        let left = DIGEST_INTERVAL - zxid % DIGEST_INTERVAL;
        let count = usize::try_from(left).expect("an interval of 128");
        if self.marks + count > self.most_marks() {
            if self.give_up_digests(view, &wanting) {
                return self.look();
            }
            for wait in &mut waits {
                if let Wait::Joiner { missing: Missing::Data { marked_in_vain, .. }, .. } = wait {
                    *marked_in_vain = Some(self.marks);
                }
            }
            return self.wait(now_ms, waits, stage);
        }
        if let Some(end) = self.ran_out(now_ms, &waits) {
            return end;
        }
        self.marks += count;
        self.marked_to = view.leader_zxid.map_or(0, |zxid| zxid.get() + left);
        RunStage::Mark(count)
    }

    /// How often the run's mark may be written.
    fn most_marks(&self) -> usize {
        MARKS_PER_DIGEST * (SPARE_DIGESTS + run_view::awaited(self.plan()).len())
    }

    /// Has joiners compared as if they gave no digests, where none of theirs is common with one of the
    /// leader's after all marks; whether that is new of one of them.
    fn give_up_digests(&mut self, view: &RunView, wanting: &[ServerId]) -> bool {
        let has_none = |id: &ServerId| {
            let data = view.joiners.get(id).and_then(|joiner| joiner.data.as_ref());
            data == Some(&DataProof::NoCommonDigest)
        };
        let known = self.given_up.len();
        self.given_up.extend(wanting.iter().copied().filter(has_none));
        self.given_up.len() > known
    }

    fn take(&mut self, step: &Step, view: &RunView, now_ms: u64) -> RunStage {
        let run = self.open_run();
        let id = step.id.clone();
        match &step.action {
            Action::Reconfig { parts, .. } => {
                let away = self.away(parts);
                if away.is_empty() { self.intend(&id) } else { RunStage::Move(id, away) }
            }
            Action::Gate(kind) => {
                let present = self.judge(view, now_ms).occupied();
                let how = self.pass(*kind, &present);
                let clients = PassedClient::of(&present);
                RunStage::Record(run, Entry::Passed { step: id, how, clients }, Continuation::Look)
            }
            Action::AttestBlank(_) => {
                RunStage::Record(run, Entry::Attested { step: id }, Continuation::Look)
            }
            Action::Start(_) | Action::Stop(_) => RunStage::BeforeHook(id),
            Action::AwaitJoiner(_) | Action::AskToStop(_) | Action::Prove(_) => self.look(),
            Action::Restart(_) => unreachable!("no run has restarts"),
        }
    }

    /// The servers that our session had better not be on when a step is taken.
    fn away(&self, parts: &[ServerChange]) -> BTreeSet<ServerId> {
        let changes = |part: &&ServerChange| part.change != ChangeVerb::Join;
        let mut away: BTreeSet<ServerId> =
            parts.iter().filter(changes).map(|part| part.server).collect();
        if parts.iter().any(|part| part.change == ChangeVerb::Leave) {
            away.extend(run_view::leaving(self.plan()));
        }
        away
    }

    fn ask(&mut self, end: Outcome) -> RunStage {
        if self.options.interactive { RunStage::Ask(Box::new(end)) } else { self.stop(end) }
    }

    pub(super) fn answered(&mut self, end: Outcome, yes: bool) -> RunStage {
        if !yes {
            return self.stop(end);
        }
        if let Outcome::Gate { step, approve, occupied, .. } = &end {
            let servers = self.plan().steps().filter(|s| s.id == *step).flat_map(Step::servers);
            let servers: Vec<ServerId> = servers.collect();
            match approve.as_str() {
                // Those that were shown, and no others.
                "cutover" => self.memory.clients.pass(PassedClients::of(occupied)),
                "stop" => self.options.approved.stop = true,
                _ => self.options.approved.blank.extend(servers),
            }
        }
        self.look()
    }

    /// The last reading of lock and members before a command is run. The intent that follows is a
    /// committed write.
    pub(super) fn before_hook(&mut self, now_ms: u64, step: StepId, read: ReadBack) -> RunStage {
        if let Some(stage) = self.has_lost(now_ms, read) {
            return stage;
        }
        self.has_acted = true;
        let entry = Entry::HookIntent { step: step.clone() };
        RunStage::Record(self.open_run(), entry, Continuation::Hook(step))
    }

    pub(super) fn hook_ended(&mut self, step: StepId, how: HookEnd) -> RunStage {
        self.tell(Event::HookEnded { step: step.clone(), how: how.clone() });
        let after = if how == HookEnd::Succeeded {
            self.memory.hooked.insert(step.clone());
            self.progress();
            Continuation::Look
        } else {
            Continuation::Stop(Box::new(Outcome::Hook { step: step.clone(), how: how.clone() }))
        };
        RunStage::Record(self.open_run(), Entry::HookEnded { step, how }, after)
    }

    /// What comes when an entry is written.
    pub(super) fn recorded(&mut self, now_ms: u64, entry: &Entry, after: Continuation) -> RunStage {
        match entry {
            Entry::Passed { step, .. } | Entry::Attested { step } | Entry::Gone { step } => {
                self.finish_step(step.clone());
            }
            Entry::Abandoned { .. } => {
                // The runs are read again, and the run is closed by then.
                self.events.extend(self.options.abandon.take().map(|run| Event::Abandoned { run }));
            }
            _ => {}
        }
        self.tell(Event::Recorded(entry.clone()));
        match after {
            Continuation::ReadRuns => RunStage::ReadRuns,
            Continuation::Begun => self.begun(now_ms),
            Continuation::Wait(code) => {
                let look = self.look();
                self.wait(now_ms, vec![Wait::Refused(code)], look)
            }
            Continuation::Send(what) => self.send(what),
            Continuation::Look => self.look(),
            Continuation::Hook(step) => RunStage::Hook(step),
            Continuation::Stop(end) => self.after_run(entry, end),
        }
    }

    /// Old runs are removed once the run of this apply is over and recorded.
    fn after_run(&self, entry: &Entry, end: Box<Outcome>) -> RunStage {
        let is_over = matches!(entry, Entry::Closed | Entry::Withdrawn);
        if is_over && self.has_old_runs && !self.interrupted {
            return RunStage::Prune(1, end);
        }
        RunStage::Close(end)
    }

    pub(super) fn pruned(&self, count: u32, end: Box<Outcome>, is_removed: bool) -> RunStage {
        if is_removed && count < MOST_REMOVED && !self.interrupted {
            return RunStage::Prune(count + 1, end);
        }
        RunStage::Close(end)
    }
}
