//! From a look to the next step.

use std::collections::BTreeSet;

use super::reorder::Turn;
use super::{After, Machine, Question, ReadBack, Stage};
use crate::apply::end::End;
use crate::apply::event::{Event, Missing, Wait};
use crate::apply::journal::{Entry, HookEnd, Passage};
use crate::apply::judge::{Judge, Verdict};
use crate::apply::sight::{self, Presence, Sight};
use crate::model::ServerId;
use crate::plan::{Action, GateKind, Move, Part, Phase, PhaseKind, Rule, Step, StepId};

/// A digest of the data is kept of every zxid that this divides (`DataTree.DIGEST_LOG_INTERVAL`).
const DIGEST_INTERVAL: u64 = 128;

impl Machine {
    /// Looks next, and says what is wanted to be seen.
    pub(super) fn look(&mut self) -> Stage {
        let members = self.config.as_ref().map(|config| &config.membership);
        let is_member = |id: &ServerId| members.is_some_and(|members| members.contains(*id));
        let prove = sight::awaited(self.plan()).into_iter();
        let prove = prove.filter(|id| !is_member(id) && !self.memory.proven.contains(id)).collect();
        let open = self.plan().steps().filter(|step| !self.memory.done.contains(&step.id));
        let moves = |part: &&Part| matches!(part.change, Move::Readdress { .. });
        let moving = open.flat_map(Step::parts).filter(moves).map(|part| part.server).collect();
        let clients = self.wants_clients();
        self.question = Question { prove, clients, moving };
        Stage::Look
    }

    /// Whether the next step is one that clients can hold up, or that waits for a server to go.
    fn wants_clients(&self) -> bool {
        let next = self.plan().next_steps(&self.memory.done, self.leader);
        next.iter().any(|step| {
            matches!(step.action, Action::Gate(_) | Action::Stop(_) | Action::AskToStop(_))
        })
    }

    /// Goes on only while the lock is ours and the configuration is the one that this run made.
    fn has_lost(&mut self, read: ReadBack) -> Option<Stage> {
        if !self.is_locked(&read) {
            return Some(self.lock_lost());
        }
        (self.config.as_ref() != Some(&read.config)).then(|| self.foreign(read.config))
    }

    pub(super) fn saw_nothing(&mut self, now_ms: u64, why: String, read: ReadBack) -> Stage {
        match self.has_lost(read) {
            Some(stage) => stage,
            None => self.wait(now_ms, vec![Wait::Ensemble(why)], Stage::Look),
        }
    }

    pub(super) fn saw(&mut self, now_ms: u64, sight: &Sight, read: ReadBack) -> Stage {
        if let Some(stage) = self.has_lost(read) {
            return stage;
        }
        if self.config.as_ref() != Some(&sight.facts.base) {
            let lags = "the leader shows an older configuration".to_owned();
            return self.wait(now_ms, vec![Wait::Ensemble(lags)], Stage::Look);
        }
        if self.leader != sight.facts.leader {
            let (from, to) = (self.leader, sight.facts.leader);
            let planned = self.last_reconfig.clone().filter(|step| {
                let step = self.plan().steps().find(|known| known.id == *step);
                step.zip(from).is_some_and(|(step, leader)| step.hands_over(leader))
            });
            if from.is_some() {
                self.tell(Event::LeaderChanged { from, to, step: planned });
            }
            self.leader = to;
        }
        self.memory.see(sight, now_ms);
        self.forget_hiccup(sight);
        // A joiner that was awaited may be gone again.
        let waits: Vec<StepId> = self
            .plan()
            .steps()
            .filter(|step| match step.action {
                Action::AwaitJoiner(id) => sight.joiners.contains_key(&id),
                _ => false,
            })
            .map(|step| step.id.clone())
            .collect();
        for step in waits {
            self.memory.done.remove(&step);
        }
        self.decide(now_ms, sight)
    }

    fn decide(&mut self, now_ms: u64, sight: &Sight) -> Stage {
        loop {
            if self.interrupted {
                return self.stop(End::Interrupted { unknown: None });
            }
            let open = self.open(sight);
            let Some((kind, rule, first)) = open.first().cloned() else {
                let run = self.run.unwrap_or(1);
                return Stage::Record(run, Entry::Closed, After::Stop(Box::new(End::Finished)));
            };
            if self.wants_clients() && !self.question.clients {
                return self.look();
            }
            let candidates = match rule {
                Rule::SideBySide => open,
                Rule::InOrder | Rule::LeaderLast => vec![(kind, rule, first)],
            };
            let mut waits = Vec::new();
            let mut done = Vec::new();
            for (kind, _, step) in candidates {
                match self.judge(sight, now_ms).step(kind, &step) {
                    Verdict::AlreadyDone => done.push((kind, step)),
                    Verdict::Proceed => return self.take(&step),
                    Verdict::Wait(more) => waits.extend(more),
                    Verdict::Ask(end) => return self.ask(end),
                    Verdict::Stop(end) => return self.stop(end),
                }
            }
            for (kind, step) in done {
                if let Some(stage) = self.is_done(kind, &step, sight) {
                    return stage;
                }
            }
            if !waits.is_empty() {
                match self.take_turns(now_ms, sight, &waits) {
                    Turn::Another => {}
                    Turn::Ends(stage) => return stage,
                    Turn::Waits => return self.await_or_mark(now_ms, sight, waits),
                }
            }
        }
    }

    /// The steps that may be next, each with its phase's kind and rule.
    fn open(&self, sight: &Sight) -> Vec<(PhaseKind, Rule, Step)> {
        let next = self.plan().next_steps(&self.memory.done, sight.facts.leader);
        let of = |step: &Step| -> Option<&Phase> {
            self.plan().phases.iter().find(|phase| phase.steps.iter().any(|s| s.id == step.id))
        };
        let open = next.into_iter().filter_map(|step| {
            let phase = of(step)?;
            Some((phase.kind, phase.rule, step.clone()))
        });
        open.collect()
    }

    fn judge<'a>(&'a self, sight: &'a Sight, now_ms: u64) -> Judge<'a> {
        Judge {
            checked: &self.checked,
            sight,
            memory: &self.memory,
            approved: &self.options.approved,
            no_hooks: self.options.no_hooks,
            now_ms,
        }
    }

    /// A step that needs no doing; a stop that is seen done is written down.
    fn is_done(&mut self, kind: PhaseKind, step: &Step, sight: &Sight) -> Option<Stage> {
        let id = step.id.clone();
        match step.action {
            Action::Stop(_) if !self.options.no_hooks => {
                let entry = Entry::Gone { step: id };
                return Some(Stage::Record(self.run.unwrap_or(1), entry, After::Look));
            }
            Action::Stop(server) | Action::AskToStop(server) if kind == PhaseKind::Retire => {
                let leaving = sight.leaving.get(&server);
                let is_gone = leaving.is_some_and(|leaving| leaving.presence == Presence::Gone);
                self.memory.done.insert(id.clone());
                self.tell(if is_gone {
                    Event::NotNeeded { step: id }
                } else {
                    Event::StopByHand { server }
                });
            }
            Action::Start(_) if !self.memory.hooked.contains(&id) => {
                self.memory.done.insert(id.clone());
                if self.told.insert(id.clone()) {
                    self.tell(Event::NotNeeded { step: id });
                }
            }
            _ => self.finish_step(id),
        }
        None
    }

    /// A wait for a joiner is judged at every look; what it comes to is news once.
    fn finish_step(&mut self, step: StepId) {
        self.memory.done.insert(step.clone());
        if self.told.insert(step.clone()) {
            self.progress();
            self.tell(Event::Done { step });
        }
    }

    /// Waits; where nothing but a common digest is missing, writes until there is one.
    fn await_or_mark(&mut self, now_ms: u64, sight: &Sight, waits: Vec<Wait>) -> Stage {
        let only_data =
            waits.iter().all(|wait| matches!(wait, Wait::Joiner { missing: Missing::Data, .. }));
        let no_digest = sight
            .joiners
            .values()
            .any(|joiner| joiner.data == Some(crate::observe::DataProof::NoCommonDigest));
        let stage = self.look();
        if only_data && no_digest {
            if let Some(end) = self.ran_out(now_ms, &waits) {
                return end;
            }
            let zxid = sight.leader_zxid.map_or(0, |zxid| zxid.get() % DIGEST_INTERVAL);
            let left = usize::try_from(DIGEST_INTERVAL - zxid).unwrap_or(1);
            return Stage::Mark(left);
        }
        self.wait(now_ms, waits, stage)
    }

    fn take(&mut self, step: &Step) -> Stage {
        let run = self.run.unwrap_or(1);
        let id = step.id.clone();
        match &step.action {
            Action::Reconfig { parts, .. } => {
                let away = self.away(parts);
                if away.is_empty() { self.intend(&id) } else { Stage::Move(id, away) }
            }
            Action::Gate(kind) => {
                let approved = self.options.approved.cutover || *kind == GateKind::CutoverManual;
                let how = if approved { Passage::Approved } else { Passage::Drained };
                Stage::Record(run, Entry::Passed { step: id, how }, After::Look)
            }
            Action::AttestBlank(_) => Stage::Record(run, Entry::Attested { step: id }, After::Look),
            Action::Start(_) | Action::Stop(_) => Stage::BeforeHook(id),
            Action::AwaitJoiner(_) | Action::AskToStop(_) | Action::Prove(_) => self.look(),
        }
    }

    /// The servers that our session had better not be on when a step is taken.
    fn away(&self, parts: &[Part]) -> BTreeSet<ServerId> {
        let changes = |part: &&Part| part.change != Move::Join;
        let mut away: BTreeSet<ServerId> =
            parts.iter().filter(changes).map(|part| part.server).collect();
        if parts.iter().any(|part| part.change == Move::Leave) {
            away.extend(sight::leaving(self.plan()));
        }
        away
    }

    fn ask(&mut self, end: End) -> Stage {
        if self.options.interactive { Stage::Ask(Box::new(end)) } else { self.stop(end) }
    }

    pub(super) fn answered(&mut self, end: End, yes: bool) -> Stage {
        if !yes {
            return self.stop(end);
        }
        if let End::Gate { step, approve, .. } = &end {
            let servers = self.plan().steps().filter(|s| s.id == *step).flat_map(Step::servers);
            let servers: Vec<ServerId> = servers.collect();
            match approve.as_str() {
                "cutover" => self.options.approved.cutover = true,
                "stop" => self.options.approved.stop = true,
                _ => self.options.approved.blank.extend(servers),
            }
        }
        self.look()
    }

    /// The last look at lock and members before a command is run; the intent that follows is a
    /// committed write.
    pub(super) fn before_hook(&mut self, step: StepId, read: ReadBack) -> Stage {
        if let Some(stage) = self.has_lost(read) {
            return stage;
        }
        let entry = Entry::HookIntent { step: step.clone() };
        Stage::Record(self.run.unwrap_or(1), entry, After::Hook(step))
    }

    pub(super) fn hook_ended(&mut self, step: StepId, how: HookEnd) -> Stage {
        self.tell(Event::HookEnded { step: step.clone(), how: how.clone() });
        let after = if how == HookEnd::Succeeded {
            self.memory.hooked.insert(step.clone());
            self.progress();
            After::Look
        } else {
            After::Stop(Box::new(End::Hook { step: step.clone(), how: how.clone() }))
        };
        Stage::Record(self.run.unwrap_or(1), Entry::HookEnded { step, how }, after)
    }

    /// What comes when an entry is written.
    pub(super) fn recorded(&mut self, now_ms: u64, entry: &Entry, after: After) -> Stage {
        match entry {
            Entry::Passed { step, .. } | Entry::Attested { step } | Entry::Gone { step } => {
                self.finish_step(step.clone());
            }
            _ => {}
        }
        self.tell(Event::Recorded(entry.clone()));
        match after {
            After::ReadRuns => Stage::ReadRuns,
            After::Begun => self.begun(now_ms),
            After::Wait(code) => {
                let look = self.look();
                self.wait(now_ms, vec![Wait::Refused(code)], look)
            }
            After::Send(what) => self.send(what),
            After::Look => self.look(),
            After::Hook(step) => Stage::Hook(step),
            After::Stop(end) => Stage::Close(end),
        }
    }
}
