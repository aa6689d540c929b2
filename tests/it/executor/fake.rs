//! A minimal ensemble for the executor: one configuration with a version, a lock, a journal, and
//! requests that arrive late.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zkplan::apply::executor::{Executor, Input, Output, ReadBack, RequestPurpose, RunQuestion};
use zkplan::apply::journal::{Entry, Header, HookEnd, LockText, Record, Run, Runs};
use zkplan::apply::old_runs::KEPT;
use zkplan::apply::run_view::{Joiner, Leaving, Presence, RunView, awaited, leaving};
use zkplan::apply::{Event, Outcome, Wait};
use zkplan::check::CheckedPlan;
use zkplan::ensemble::{ErrorCode, PortState, RequestError};
use zkplan::model::{ConfigVersion, EnsembleConfig, Membership, ServerId, Update, Zxid};
use zkplan::observe::{Clients, DataProof, Facts, Finding, FindingKind, Identity, ServerStatus};
use zkplan::plan::{Acceptance, StepId};
use zkplan::saved::plan_id;

use crate::example::applying::{granted, options, run_view, stamp};

/// The fault of one output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process dies before it.
    DiesBefore,
    /// The process dies after it is carried out, before any event is reported.
    DiesAfter,
    /// It never arrives, and no error is reported.
    LostBefore,
    /// It is done, and the answer is lost.
    LostAfter,
    /// A reconfig waits in a frozen server and arrives when the next one is sent.
    Late,
    /// The same, but the process that sent it dies.
    LateAndDies,
}

/// The whole of it.
#[derive(Debug, Clone)]
pub(crate) struct Fake {
    pub(crate) config: EnsembleConfig,
    version: u64,
    lock: Option<(i64, LockText)>,
    czxid: i64,
    identity: Identity,
    pub(crate) runs: Vec<Run>,
    /// How many runs there are before these.
    pub(crate) old_runs: usize,
    /// Requests that are still on their way.
    late: Vec<(RequestPurpose, Update, ConfigVersion)>,
    /// Steps that were carried out, in order.
    pub(crate) carried_out: Vec<StepId>,
    /// Requests that were carried out although the journal had recorded that they never would be.
    pub(crate) lies: Vec<RequestPurpose>,
    /// Servers that are down.
    pub(crate) down: BTreeSet<ServerId>,
    /// Servers that run and do not serve.
    pub(crate) not_serving: BTreeSet<ServerId>,
    /// Whether the leader has a learner that does not serve.
    pub(crate) is_syncing: bool,
    /// Servers whose znode has the configuration while an older one is in force, with the version
    /// that they missed.
    pub(crate) missed: BTreeMap<ServerId, ConfigVersion>,
    /// The result of comparing a joiner's data, if it is no proof; and the zxids of joiners.
    pub(crate) data: Option<DataProof>,
    pub(crate) joiners_at: Option<Zxid>,
    /// How often marks were written.
    pub(crate) marks: usize,
    /// Commands that were run.
    pub(crate) commands: Vec<StepId>,
    /// The events of all applies.
    pub(crate) events: Vec<Event>,
    /// Whether no survey shows a leader.
    pub(crate) is_leader_hidden: bool,
    /// The findings of surveys.
    pub(crate) findings: Vec<FindingKind>,
    /// The risks that the next apply accepts on its command line.
    pub(crate) accepted: Vec<Acceptance>,
    /// Whether only runs in which the leader stays are approved.
    pub(crate) keeps_leader: bool,
    /// The leader, if it is not the server with the highest id.
    pub(crate) leads: Option<ServerId>,
    pub(crate) now_ms: u64,
}

impl Fake {
    pub(crate) fn of(checked: &CheckedPlan) -> Self {
        let config = checked.plan().facts.base.clone();
        Self {
            version: config.version.as_zxid().get(),
            config,
            lock: None,
            czxid: 100,
            identity: Identity::NoneYet,
            runs: Vec::new(),
            old_runs: 0,
            late: Vec::new(),
            carried_out: Vec::new(),
            lies: Vec::new(),
            down: BTreeSet::new(),
            not_serving: BTreeSet::new(),
            is_syncing: false,
            missed: BTreeMap::new(),
            data: None,
            joiners_at: None,
            marks: 0,
            commands: Vec::new(),
            events: Vec::new(),
            is_leader_hidden: false,
            findings: Vec::new(),
            accepted: Vec::new(),
            keeps_leader: false,
            leads: None,
            now_ms: 0,
        }
    }

    pub(crate) fn members(&self) -> &Membership {
        &self.config.membership
    }

    /// Another client changes the configuration.
    pub(crate) fn change(&mut self, request: &Update) {
        self.version += 1;
        self.config = EnsembleConfig {
            version: version(self.version),
            membership: request.applied(&self.config.membership),
        };
    }

    /// Another client takes the lock, as after an unlock.
    pub(crate) fn steal_lock(&mut self) {
        self.czxid += 1;
        self.lock = Some((self.czxid, lock_text("thief", "another")));
    }

    /// The lock is removed, as by an unlock.
    pub(crate) fn remove_lock(&mut self) {
        self.lock = None;
    }

    /// Runs an apply to its end, with faults at some outputs. `None` if it died. `seen` receives
    /// every output.
    pub(crate) fn apply(
        &mut self,
        checked: &Arc<CheckedPlan>,
        nonce: &str,
        faults: &BTreeMap<usize, Fault>,
        mut seen: impl FnMut(usize, &Output, &mut Self),
    ) -> Option<Outcome> {
        const MANY: usize = 3000;
        // The ephemeral lock of an apply that died goes with its session.
        self.lock = None;
        let mut options = options(checked, &plan_id(checked.plan()), nonce);
        options.lock_timeout_ms = Some(1000);
        options.approved.accepted.clone_from(&self.accepted);
        options.approved.keeps_leader = self.keeps_leader;
        let mut machine = Executor::new(Arc::clone(checked), options);
        let mut input = Input::Begin;
        for index in 0..MANY {
            let output = machine.next(self.now_ms, input);
            self.now_ms += 1;
            self.events.extend(machine.take_events());
            if let Output::End(end) = output {
                self.lock = None;
                return Some(*end);
            }
            seen(index, &output, self);
            input = match faults.get(&index) {
                Some(Fault::DiesBefore) => return None,
                Some(Fault::LostBefore) => Input::Failed(RequestError::Unknown),
                Some(Fault::LostAfter) => {
                    self.perform(checked, nonce, &output);
                    Input::Failed(RequestError::Unknown)
                }
                Some(Fault::DiesAfter) => {
                    self.perform(checked, nonce, &output);
                    return None;
                }
                Some(fault @ (Fault::Late | Fault::LateAndDies)) => {
                    let Output::Send { what, request, version } = output else {
                        panic!("only reconfigs come late")
                    };
                    self.late.push((what, request, version));
                    if *fault == Fault::LateAndDies {
                        return None;
                    }
                    Input::Failed(RequestError::Unknown)
                }
                None => self.perform(checked, nonce, &output),
            };
        }
        panic!("the apply does not come to an end");
    }

    fn late_requests_arrive(&mut self) {
        for (what, request, version) in std::mem::take(&mut self.late) {
            let denied = self.is_denied(&what, version);
            if self.reconfig(&what, &request, version).is_ok() && denied {
                self.lies.push(what);
            }
        }
    }

    fn perform(&mut self, checked: &CheckedPlan, nonce: &str, output: &Output) -> Input {
        match output {
            Output::Permission => Input::Granted,
            Output::Lock => match &self.lock {
                Some((czxid, by)) if by.by.nonce == nonce => Input::Locked(*czxid),
                Some((_, by)) => Input::Held(Some(by.clone())),
                None => {
                    self.czxid += 1;
                    self.lock = Some((self.czxid, lock_text(nonce, &plan_id(checked.plan()))));
                    Input::Locked(self.czxid)
                }
            },
            Output::Read => Input::Read(Box::new(self.read())),
            Output::ReadRuns => Input::Runs(Runs {
                latest: self.runs.clone(),
                highest: self.runs.last().map_or(0, |run| run.number),
                count: self.runs.len() + self.old_runs,
                ..Runs::default()
            }),
            Output::Prune(_) => self.prune(),
            Output::MakeIdentity => {
                self.identity = Identity::Known("us".to_owned());
                Input::Done
            }
            Output::OpenRun(number) => {
                if self.runs.iter().all(|run| run.number != *number) {
                    self.runs.push(new_run(*number, checked, nonce));
                }
                Input::Done
            }
            Output::Record(run, entry) => self.record(*run, entry, nonce),
            Output::Send { what, request, version } => {
                self.late_requests_arrive();
                match self.reconfig(what, request, *version) {
                    Ok(()) => Input::Replied(Box::new(self.config.clone())),
                    Err(code) => Input::Failed(RequestError::Refused(code)),
                }
            }
            Output::Look(question) => {
                Input::Saw(Box::new(self.run_view(checked, question)), Box::new(self.read()))
            }
            Output::Mark(_, count) => {
                self.marks += count;
                Input::Done
            }
            Output::Move(_) | Output::Settle | Output::Close | Output::End(_) => Input::Done,
            Output::Pause(ms) => {
                // The old listener may be open a moment after the configuration is in force.
                if let Some(Event::Waiting(waits)) = self.events.last() {
                    let is_bind = waits.iter().any(|wait| matches!(wait, Wait::Bound { .. }));
                    assert!(!is_bind || *ms >= 20, "a bind is looked at again after {ms} ms");
                }
                self.now_ms += ms;
                Input::Done
            }
            Output::Hook(step) => {
                self.commands.push(step.clone());
                let id =
                    checked.plan().steps().find(|s| s.id == *step).and_then(|s| s.servers().next());
                if step.as_str().starts_with("stop") {
                    self.down.extend(id);
                } else if let Some(id) = id {
                    self.down.remove(&id);
                }
                Input::HookEnded(HookEnd::Succeeded)
            }
            Output::Ask(_) => Input::Answered(true),
        }
    }

    fn prune(&mut self) -> Input {
        let is_removed = self.old_runs > 0 && self.old_runs + self.runs.len() > KEPT;
        self.old_runs -= usize::from(is_removed);
        Input::Pruned(is_removed)
    }

    fn read(&self) -> ReadBack {
        ReadBack {
            config: self.config.clone(),
            lock: self.lock.as_ref().map(|(czxid, _)| *czxid),
            identity: self.identity.clone(),
        }
    }

    /// Written in one transaction with the check that a lock exists. The check cannot distinguish
    /// whose lock it is.
    fn record(&mut self, run: u64, entry: &Entry, nonce: &str) -> Input {
        if self.lock.is_none() {
            return Input::Failed(RequestError::Refused(ErrorCode::BadVersion));
        }
        let run = self.runs.iter_mut().find(|known| known.number == run).expect("an open run");
        let record = Record::new(entry.clone(), nonce.to_owned(), String::new());
        // The driver finds an entry that it wrote before its answer got lost.
        if run.records.last() != Some(&record) || !is_once(entry) {
            run.records.push(record);
            run.last += 1;
        }
        Input::Done
    }

    /// Whether the journal records that a request will not be carried out.
    fn is_denied(&self, what: &RequestPurpose, version: ConfigVersion) -> bool {
        let RequestPurpose::Step(step) = what else { return false };
        let records = self.runs.iter().flat_map(|run| &run.records);
        let records: Vec<&Entry> = records.map(|record| &record.entry).collect();
        let intents = records.iter().rposition(|entry| {
            matches!(entry, Entry::Intent { step: s, version: v }
                if s == step && *v == version.to_string())
        });
        let denials = records.iter().rposition(|entry| {
            matches!(entry, Entry::NotApplied { step: s, .. } | Entry::Disarmed { step: s } if s == step)
        });
        intents.is_some() && denials > intents
    }

    fn reconfig(
        &mut self,
        what: &RequestPurpose,
        request: &Update,
        version: ConfigVersion,
    ) -> Result<(), ErrorCode> {
        if version != self.config.version {
            return Err(ErrorCode::BadVersion);
        }
        self.change(request);
        if let RequestPurpose::Step(step) = what {
            self.carried_out.push(step.clone());
        }
        Ok(())
    }

    /// The result of comparing a joiner's data. As with real servers, counts are used only if they
    /// are accepted.
    fn compared(&self, id: ServerId, question: &RunQuestion) -> DataProof {
        let counts = &question.counts;
        let data = self.data.clone().unwrap_or(DataProof::Digest(Zxid::new(128)));
        let is_without = match data {
            DataProof::NoCommonDigest => counts.given_up.contains(&id),
            DataProof::NoDigests { .. } => true,
            _ => false,
        };
        match (is_without, counts.is_accepted) {
            (true, true) => DataProof::Counts { zxid: Zxid::new(7), znodes: 5 },
            (true, false) => DataProof::NoDigests { leader: None, joiner: None },
            (false, _) => data,
        }
    }

    /// Every server that is up follows the one with the highest id, and joiners have the data.
    pub(crate) fn run_view(&self, checked: &CheckedPlan, question: &RunQuestion) -> RunView {
        let plan = checked.plan();
        let members = self.members();
        let misses = |id: &ServerId| self.missed.get(id) == Some(&self.config.version);
        let up = |id: &ServerId| !self.down.contains(id) && !misses(id);
        let synced: BTreeSet<ServerId> = members.ids().into_iter().filter(up).collect();
        let joiners: BTreeSet<ServerId> =
            awaited(plan).into_iter().filter(|id| !members.contains(*id)).collect();
        let following: BTreeSet<ServerId> = joiners.iter().copied().filter(up).collect();
        let joiner = |id: &ServerId| Joiner {
            status: match (up(id), misses(id)) {
                (true, _) => ServerStatus::FollowingWithoutVote,
                (false, true) => ServerStatus::ConfigNotInForce,
                (false, false) => ServerStatus::NotServing,
            },
            up: up(id),
            zxid: self.joiners_at,
            other_ports: None,
            election_port: question.listening.contains(id).then_some(PortState::Open),
            quorum_port: Some(PortState::Refused),
            data: question.prove.contains(id).then(|| self.compared(*id, question)),
            asked: question.ask.contains(id).then(granted),
        };
        let leaving_sight = |id: ServerId| Leaving {
            clients: Some(Clients::default()),
            shows_sessions: true,
            names_itself: Some(members.contains(id)),
            ..Leaving::seen(None, if up(&id) { Presence::Up } else { Presence::Gone })
        };
        // What was not tried is not seen to listen.
        let bound = synced.intersection(&question.listening).copied().collect();
        let facts = Facts {
            base: self.config.clone(),
            leader: self
                .leads
                .filter(|id| synced.contains(id) && members.has_voter(*id))
                .or_else(|| members.voters().intersection(&synced).last().copied())
                .filter(|_| !self.is_leader_hidden),
            synced,
            following,
            findings: self
                .findings
                .iter()
                .map(|kind| Finding { kind: kind.clone(), server: None })
                .collect(),
            ..plan.facts.clone()
        };
        RunView {
            down: members
                .ids()
                .into_iter()
                .filter(misses)
                .map(|id| (id, ServerStatus::ConfigNotInForce))
                .collect(),
            joiners: joiners.iter().map(|id| (*id, joiner(id))).collect(),
            not_serving: self.not_serving.clone(),
            is_syncing: self.is_syncing,
            bound,
            leaving: leaving(plan).into_iter().map(|id| (id, leaving_sight(id))).collect(),
            ..run_view(facts)
        }
    }
}

/// Entries that an apply writes twice only because it must.
fn is_once(entry: &Entry) -> bool {
    !matches!(entry, Entry::FenceIntent { .. } | Entry::Intent { .. } | Entry::HookIntent { .. })
}

fn version(number: u64) -> ConfigVersion {
    format!("{number:x}").parse().expect("a config version")
}

fn lock_text(nonce: &str, plan_id: &str) -> LockText {
    LockText::new(stamp(nonce), "apply", plan_id.to_owned())
}

fn new_run(number: u64, checked: &CheckedPlan, nonce: &str) -> Run {
    let plan = checked.plan();
    let (id, ensemble) = (plan_id(plan), plan.ensemble.clone());
    let header = Header::new(id, ensemble, 1, BTreeMap::new(), stamp(nonce));
    Run { number, header: Ok(header), records: Vec::new(), illegible: BTreeMap::new(), last: 0 }
}
