//! The thin shell around the executor: does what it says, one output at a time, and reports back.
//!
//! Nothing is decided here. The port has the sockets, the [`RunHost`] clock, terminal and commands.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::join_all;
use tracing::debug;

use super::access::{Access, Permission, Recipient, permission};
use super::command_line::argv;
use super::end::Outcome;
use super::event::Event;
use super::executor::{Executor, Input, Options, Output, RunQuestion};
use super::journal::HookEnd;
use super::leaving::{known_endpoints, leaving_now, reached};
use super::report::RunReport;
use super::retired::since_1970;
use super::run_store::{ApplyIdentity, Opening, RunStore};
use super::run_view::{self, RunView};
use crate::check::CheckedPlan;
use crate::ensemble::four_letter::Mntr;
use crate::ensemble::{
    CONFIG, ConfigRead, Ensemble, ErrorCode, FolderRead, FourLetterWord, Mode, PortState,
    RequestError, Session, SessionFactory,
};
use crate::model::{Endpoint, ServerId, Target, Update};
use crate::observe::{self, Observation, OwnSession, observe_beside, prove_data};
use crate::plan::StepId;

/// A server that takes longer than this to refuse a session hangs, in milliseconds.
const HANGS_MS: u64 = 1000;

/// What surrounds a run on the machine that it runs on.
pub trait RunHost {
    /// The time since the run began, in milliseconds.
    fn now_ms(&self) -> u64;

    /// The time of day, for people who read the journal.
    fn time_of_day(&self) -> String;

    /// Takes note of what happened.
    fn tell(&mut self, event: &Event);

    /// Whether the operator asked to stop.
    fn is_interrupted(&self) -> bool;

    /// Ends when the operator asks to stop.
    fn interruption(&self) -> impl Future<Output = ()>;

    /// Runs a command, at most for that long.
    fn hook(&mut self, argv: &[String], limit_ms: u64) -> impl Future<Output = HookEnd>;

    /// Asks the operator whether to go on in spite of that.
    fn ask(&mut self, why: &Outcome) -> impl Future<Output = bool>;
}

/// Carries out the outputs of the executor.
pub struct Driver<'a, P: SessionFactory, S> {
    port: &'a P,
    surroundings: &'a mut S,
    checked: Arc<CheckedPlan>,
    target: Target,
    session: Option<P::Session>,
    keeper: RunStore,
    /// The identity of the run, and the servers that may receive its credential.
    access: Access,
    /// The observation after which the session was opened.
    seen: Observation,
    /// The servers that may take the session, as seen last.
    recipients: Vec<Recipient>,
    /// Those that refused the user when they were asked last, and those that took it.
    refused: BTreeSet<Recipient>,
    granted: BTreeSet<Recipient>,
    /// The server that the session was attached to last.
    on: Option<Recipient>,
    /// Where servers that leave are reached.
    leaving: BTreeMap<ServerId, Endpoint>,
    timeout_ms: u64,
    /// The folder that holds those of the files of joiners.
    joiner_dir: Option<PathBuf>,
    /// Whether the session may hold the lock: until then another one is as good.
    asked_for_lock: bool,
    /// What this apply has measured.
    figures: RunReport,
    /// Up to which of its reconfigs the journal has that.
    kept: usize,
}

/// The plan to apply, the identity, and the state before.
#[derive(Debug)]
pub struct Task {
    /// The plan.
    pub checked: Arc<CheckedPlan>,
    /// What the operator asks.
    pub options: Options,
    /// Who applies.
    pub mine: ApplyIdentity,
    /// What was seen before.
    pub seen: Observation,
    /// The identity of the run, and the servers that may receive its credential.
    pub access: Access,
    /// The run that keeps the plan, where it is not the operator's file that does.
    pub plan_of: Option<u64>,
}

/// Applies a plan on an open session, and returns the outcome. The session is then closed.
pub async fn drive<P: SessionFactory, S: RunHost>(
    port: &P,
    surroundings: &mut S,
    session: P::Session,
    task: Task,
) -> Outcome {
    let Task { checked, mut options, mine, seen, access, plan_of } = task;
    // The lock of a crashed apply remains until its session expires: a time-out like ours.
    options.lock_timeout_ms.get_or_insert(2 * session.timeout_ms());
    let target = checked.plan().to_target();
    let (timeout_ms, joiner_dir) = (options.timeout_ms, options.joiner_dir.clone());
    let mut machine = Executor::new(Arc::clone(&checked), options).with_plan_of(plan_of);
    let mut driver = Driver {
        port,
        surroundings,
        leaving: known_endpoints(checked.plan(), &seen),
        keeper: RunStore::new(mine),
        recipients: access.recipients(&seen, &run_view::leaving(checked.plan())),
        refused: BTreeSet::new(),
        granted: BTreeSet::new(),
        on: None,
        access,
        seen,
        checked,
        target,
        session: Some(session),
        timeout_ms,
        joiner_dir,
        asked_for_lock: false,
        figures: RunReport::default(),
        kept: 0,
    };
    driver.attached();
    let mut input = Input::Begin;
    let mut index = 0;
    loop {
        if driver.surroundings.is_interrupted() {
            machine.interrupt();
        }
        let output = machine.next(driver.surroundings.now_ms(), input);
        for event in machine.take_events() {
            driver.figures.take(driver.surroundings.now_ms(), &event);
            driver.surroundings.tell(&event);
        }
        if let Output::End(end) = output {
            return match *end {
                Outcome::NotAuthorized { .. } => driver.not_authorized(),
                Outcome::LocalSession { .. } => Outcome::LocalSession { by: driver.on },
                end => end,
            };
        }
        driver.surroundings.tell(&Event::Output { index, name: output.name() });
        debug!(index, action = output.name(), "the run");
        index += 1;
        input = driver.perform(output.clone()).await;
        if let Input::Failed(failure) = &input {
            debug!(?failure, "that failed");
        }
        // A server that was started again without the user's rights; nothing was carried out.
        if is_refused(&input) && driver.try_elsewhere().await {
            input = driver.perform(output).await;
        }
    }
}

/// Whether the server that the session is on does not let the user do what was asked.
const fn is_refused(input: &Input) -> bool {
    matches!(input, Input::Failed(RequestError::Refused(ErrorCode::NoAuth)))
}

impl<P: SessionFactory, S: RunHost> Driver<'_, P, S> {
    async fn perform(&mut self, output: Output) -> Input {
        let Some(session) = &mut self.session else { return Input::Done };
        match output {
            Output::Permission => self.permission().await,
            Output::Lock => {
                self.asked_for_lock = true;
                self.keeper.lock(session).await
            }
            Output::Read => self.keeper.read(session).await,
            Output::ReadRuns => {
                let runs = self.keeper.runs(session).await;
                if let Input::Runs(runs) = &runs {
                    self.leaving.extend(reached(&self.checked, runs, &self.leaving));
                }
                runs
            }
            Output::MakeIdentity => self.keeper.make_identity(session).await,
            Output::OpenRun(number) => {
                let at = self.surroundings.time_of_day();
                let opening =
                    Opening { number, checked: &self.checked, leaving: &self.leaving, at };
                self.keeper.open_run(session, opening).await
            }
            Output::Record(run, entry) => {
                let (at, measured) =
                    (self.surroundings.time_of_day(), self.figures.gap_behind(self.kept));
                let (gap, kept) = measured.unzip();
                let written = self.keeper.record(session, run, &entry, (at, gap)).await;
                if matches!(written, Input::Done) {
                    self.kept = kept.unwrap_or(self.kept);
                }
                written
            }
            Output::Send { request, version, .. } => {
                let replied = session.reconfig(&request, version).await;
                // A server that leaves with this request is no longer a member, whatever the
                // answer: it gets no password until a survey has shown that it is one.
                self.recipients.retain(|to| stays(&request, to.server));
                match replied {
                    Ok(config) => Input::Replied(Box::new(config)),
                    Err(failure) => Input::Failed(failure),
                }
            }
            Output::Look(question) => self.look(&question).await,
            Output::Mark(run, count) => self.keeper.mark(session, run, count).await,
            Output::Move(away) => self.move_away(&away).await,
            Output::Settle => self.settle().await,
            Output::Pause(ms) => {
                let time = std::time::Duration::from_millis(ms);
                let pause = std::pin::pin!(self.port.pause(time));
                let interruption = std::pin::pin!(self.surroundings.interruption());
                futures::future::select(pause, interruption).await;
                Input::Done
            }
            Output::Hook(step) => self.hook(&step).await,
            Output::Ask(end) => Input::Answered(self.surroundings.ask(&end).await),
            Output::Prune(_) => {
                let now = since_1970(&self.surroundings.time_of_day());
                self.keeper.prune(session, now.unwrap_or_default()).await
            }
            Output::Close => {
                if let Some(session) = self.session.take() {
                    session.close().await;
                }
                Input::Done
            }
            Output::End(_) => Input::Done,
        }
    }

    fn attached(&mut self) {
        if let Some(session) = &self.session {
            let at = session.at();
            self.on = self.recipients.iter().find(|to| to.at == *at).cloned();
            let event = Event::Attached(at.clone());
            self.surroundings.tell(&event);
        }
    }

    async fn look(&mut self, question: &RunQuestion) -> Input {
        let mut asked = observe::Question::of(&self.target).brief();
        asked.ports = observe::PortsOf::These(question.listening.clone());
        let at = self.session.as_ref().map(|session| session.at().clone());
        asked.contacts.extend(at.clone().filter(|at| !asked.contacts.contains(at)));
        let early = async { self.committed().await };
        let seen = match observe_beside(self.port, &asked, (at.as_ref(), early)).await {
            Ok(seen) => {
                let of = run_view::leaving(self.checked.plan());
                let recipients = self.access.recipients(&seen, &of);
                if !recipients.is_empty() {
                    self.recipients = recipients;
                }
                Ok(Box::new(self.complete(&seen, question).await))
            }
            Err(error) => Err(error.to_string()),
        };
        let Some(session) = &self.session else { return Input::Done };
        match (self.keeper.read(session).await, seen) {
            (Input::Read(read), Ok(view)) => Input::Saw(view, read),
            (Input::Read(read), Err(why)) => Input::SawNothing(why, read),
            (failed, _) => failed,
        }
    }

    /// A write that commits on the session of the run, and what it reads behind it. The folder is not
    /// read anew: the run keeps its state there, and reads its lock after each survey.
    async fn committed(&self) -> Option<ConfigRead> {
        let session = self.session.as_ref()?;
        let config = session.commits().await.ok()??;
        Some(ConfigRead {
            server_id_byte: session.id().to_be_bytes()[0],
            config: config.text(),
            config_data_version: config.version,
            config_mzxid: config.mzxid,
            folder: FolderRead::of_super(self.keeper.identity()),
        })
    }

    /// Adds what is asked in addition to a survey.
    async fn complete(&mut self, seen: &Observation, question: &RunQuestion) -> RunView {
        let plan = self.checked.plan();
        let mut view = run_view::run_view(plan, &self.target, seen);
        let at_of = |id: ServerId| seen.servers.get(&id).and_then(|s| s.endpoint.clone());
        let joiners: BTreeMap<ServerId, Endpoint> = question
            .prove
            .iter()
            .filter(|id| view.facts.following.contains(id))
            .filter_map(|id| Some((*id, at_of(*id)?)))
            .collect();
        if let (Some(leader), false) = (seen.leader.and_then(at_of), joiners.is_empty()) {
            let identity = self.keeper.identity();
            let proofs = prove_data(self.port, &leader, &joiners, &question.counts, identity).await;
            for (id, proof) in proofs {
                if let Some(joiner) = view.joiners.get_mut(&id) {
                    joiner.data = Some(proof);
                }
            }
        }
        if !view.not_serving.is_empty()
            && let Some(leader) = seen.leader.and_then(at_of)
        {
            view.is_syncing = has_more_learners(self.port, &leader, seen).await;
        }
        self.ask_joiners(seen, question, &mut view).await;
        if question.clients {
            let own = self
                .session
                .as_ref()
                .map(|session| OwnSession { id: session.id().cast_unsigned(), at: session.at() });
            let of = run_view::leaving(self.checked.plan());
            view.leaving = leaving_now(self.port, &of, &self.leaving, own).await;
        }
        for id in &question.moving {
            let own = seen.servers.get(id).map(run_view::own_ports).unwrap_or_default();
            if let Some(port) = self.taken(*id, &view, &own).await {
                view.taken.insert(*id, port);
            }
        }
        view
    }

    /// A port that a server is to move to and that another process has already: none at which it was
    /// seen to listen itself, by its line or by its own answers.
    async fn taken(&self, id: ServerId, view: &RunView, own: &BTreeSet<u16>) -> Option<u16> {
        let now = view.facts.base.membership.get(id)?;
        let then = self.checked.plan().target.get(id)?;
        let peer = now.peer();
        let client = now.client.as_ref().map(|client| client.port);
        let mut old = BTreeSet::from([peer.quorum_port, peer.election_port]);
        old.extend(client.into_iter().chain(own.iter().copied()));
        let peer = then.peer();
        let client = then.client_endpoint().map(|at| (at.host, at.port));
        let peers = [(&peer.host, peer.quorum_port), (&peer.host, peer.election_port)];
        let places = peers.map(|(host, port)| (host.clone(), port)).into_iter().chain(client);
        for (host, port) in places.filter(|(_, port)| !old.contains(port)) {
            if self.port.check_port(&host, port).await == PortState::Open {
                return Some(port);
            }
        }
        None
    }

    /// Whether joiners take the user: those whose data are proven, and no others.
    async fn ask_joiners(&self, seen: &Observation, question: &RunQuestion, view: &mut RunView) {
        let is_proven = |id: &ServerId| {
            let data = view.joiners.get(id).and_then(|joiner| joiner.data.as_ref());
            data.map_or(!question.prove.contains(id), observe::DataProof::is_equal)
        };
        let follows = |id: &&ServerId| view.facts.following.contains(id) && is_proven(id);
        let joiners = question.ask.iter().filter(follows);
        let joiners = joiners.filter_map(|id| self.access.joiner(seen, *id));
        let asked = join_all(
            joiners
                .map(|to| async move { (to.server, self.access.ask(self.port, seen, &to).await) }),
        );
        for (id, asked) in asked.await {
            if let Some(joiner) = view.joiners.get_mut(&id) {
                joiner.asked = Some(asked);
            }
        }
    }

    /// Asks every server that may have to take the session whether it takes the user, before
    /// anything is sent; then the rest on a session that a server gave which does.
    async fn permission(&mut self) -> Input {
        let Some(session) = &self.session else { return Input::Done };
        let others = self.recipients.iter().filter(|to| to.at != *session.at());
        let asked = join_all(others.map(|to| async {
            (to.clone(), self.access.ask(self.port, &self.seen, to).await.permission)
        }));
        let (asked, own) = futures::join!(asked, session.probe_write(CONFIG));
        let own = self.on.clone().map(|to| (to, permission(&own)));
        let refuses = matches!(own, Some((_, Permission::Refused)));
        for (to, permission) in asked.into_iter().chain(own) {
            self.note(&to, permission);
        }
        if refuses {
            match self.settle().await {
                Input::Done => {}
                over @ Input::Failed(RequestError::SessionOver) => return over,
                // Nothing was sent yet, so there is nothing to wait for.
                _ => return Input::Denied(Box::new(self.not_authorized())),
            }
        }
        let Some(session) = &self.session else { return Input::Done };
        if self.access.is_shut_out_beside(self.port, session).await {
            return Input::Denied(Box::new(Outcome::TakesOneConnection { by: self.on.clone() }));
        }
        self.keeper.permission(session).await
    }

    /// Records whether a server accepts the user, and reports it if not.
    fn note(&mut self, to: &Recipient, permission: Permission) {
        match permission {
            Permission::Granted => {
                self.refused.remove(to);
                self.granted.insert(to.clone());
            }
            Permission::Refused => {
                self.granted.remove(to);
                if self.refused.insert(to.clone()) {
                    let signer = self.access.signer();
                    self.surroundings.tell(&Event::Refused { by: to.clone(), signer });
                }
            }
            Permission::InClear | Permission::Unknown => {}
        }
    }

    /// Takes the session to a server that is none of those, where it is on one of them and there is
    /// another.
    async fn move_away(&mut self, away: &BTreeSet<ServerId>) -> Input {
        let Some(session) = &self.session else { return Input::Done };
        let is_away = |at: &Endpoint| {
            self.recipients.iter().any(|to| to.at == *at && away.contains(&to.server))
        };
        if !is_away(session.at()) {
            return Input::Done;
        }
        let others = self.recipients.iter().filter(|to| !away.contains(&to.server));
        let others: Vec<Recipient> = others.cloned().collect();
        if others.is_empty() {
            return Input::Done;
        }
        self.attach_to_one(&others).await
    }

    /// Attaches the session again to the first server of this ensemble that takes it, and that takes
    /// the user.
    async fn settle(&mut self) -> Input {
        let mut recipients = self.recipients.clone();
        // One that refused may have been restarted since; it is asked last.
        recipients.sort_by_key(|to| self.refused.contains(to));
        self.attach_to_one(&recipients).await
    }

    /// Attaches the session to the first of these. One that hangs ends the round and comes last in
    /// the next: those that answer may have a leader again, and the session lives only so long
    /// unseen.
    async fn attach_to_one(&mut self, recipients: &[Recipient]) -> Input {
        let mut failures = Vec::new();
        for to in recipients {
            let Some(session) = &mut self.session else { return Input::Done };
            let began_ms = self.surroundings.now_ms();
            let mut attached = session.attach(&to.at).await;
            if attached == Err(RequestError::SessionOver) && !self.asked_for_lock {
                attached = self.open_another(to).await;
            }
            let hung = self.surroundings.now_ms().saturating_sub(began_ms) >= HANGS_MS;
            match attached {
                Ok(()) => {
                    self.attached();
                    if self.takes_the_user(to).await {
                        return Input::Done;
                    }
                    failures.push(RequestError::Refused(ErrorCode::NoAuth));
                }
                Err(RequestError::SessionOver) => return Input::Failed(RequestError::SessionOver),
                Err(failure) => {
                    failures.push(failure);
                    if hung {
                        let hangs = self.recipients.iter().position(|known| known == to);
                        if let Some(index) = hangs {
                            self.recipients[index..].rotate_left(1);
                        }
                        break;
                    }
                }
            }
        }
        self.not_attached(&failures)
    }

    /// Opens another session in the place of one that is over and holds nothing. A local session
    /// (`localSessionsEnabled`) is known to no server but its own, and is a global one only once the
    /// lock was made on it.
    async fn open_another(&mut self, on: &Recipient) -> Result<(), RequestError> {
        let session = self.access.session(self.port, &self.seen, on).await?;
        self.session = Some(session);
        Ok(())
    }

    /// Whether the server that the session is on now takes the user: one that did is believed.
    async fn takes_the_user(&mut self, to: &Recipient) -> bool {
        let Some(session) = self.session.as_ref().filter(|_| !self.granted.contains(to)) else {
            return true;
        };
        let permission = permission(&session.probe_write(CONFIG).await);
        self.note(to, permission);
        permission != Permission::Refused
    }

    /// Takes the session from a server that refuses the user to one that does not, where there is
    /// one.
    async fn try_elsewhere(&mut self) -> bool {
        let (Some(on), Some(session)) = (self.on.clone(), &self.session) else { return false };
        // It may have been a znode of ours that refused, and not the server the user.
        if permission(&session.probe_write(CONFIG).await) != Permission::Refused {
            return false;
        }
        self.note(&on, Permission::Refused);
        // Their earlier answers may have changed with the ACL of the configuration.
        self.granted.clear();
        let others = self.recipients.iter().filter(|to| !self.refused.contains(to));
        let others: Vec<Recipient> = others.cloned().collect();
        matches!(self.attach_to_one(&others).await, Input::Done)
    }

    /// What it means that no server took the session: a refusal where each of them refused the user.
    fn not_attached(&self, failures: &[RequestError]) -> Input {
        let is_refused = |failure: &RequestError| matches!(failure, RequestError::Refused(_));
        if !failures.is_empty() && failures.iter().all(is_refused) {
            return Input::Denied(Box::new(self.not_authorized()));
        }
        let in_clear = failures.iter().find(|failure| **failure == RequestError::InClear);
        Input::Failed(in_clear.copied().unwrap_or(RequestError::NotSent))
    }

    /// The outcome that the user may not change the configuration, with the servers that refused.
    fn not_authorized(&self) -> Outcome {
        let on = self.on.iter().filter(|_| self.refused.is_empty());
        let by = self.refused.iter().chain(on).cloned().collect();
        Outcome::NotAuthorized { by, signer: self.access.signer() }
    }

    async fn hook(&mut self, step: &StepId) -> Input {
        let plan = self.checked.plan();
        let known = plan.steps().find(|known| known.id == *step);
        let Some(Ok(argv)) = known.and_then(|step| argv(plan, step, self.joiner_dir.as_deref()))
        else {
            return Input::HookEnded(HookEnd::NotStarted("no such command".to_owned()));
        };
        self.surroundings.tell(&Event::HookStarted { step: step.clone(), argv: argv.clone() });
        Input::HookEnded(self.surroundings.hook(&argv, self.timeout_ms).await)
    }
}

/// Whether a leader has more learners than were seen serving: it has one from the moment at which that
/// one connects (`Leader.addLearnerHandler`).
async fn has_more_learners<E: Ensemble>(port: &E, leader: &Endpoint, seen: &Observation) -> bool {
    let mntr = port.ask(leader, FourLetterWord::Mntr).await.map(|answer| Mntr::parse(&answer));
    let learners = mntr.ok().and_then(|mntr| mntr.learners).unwrap_or_default();
    let all = seen.servers.values().chain(&seen.strangers);
    let serving = all.filter(|s| matches!(s.mode, Some(Mode::Follower | Mode::Observer))).count();
    usize::try_from(learners).is_ok_and(|learners| learners > serving)
}

/// Whether a server is no less a member after a request than before it.
fn stays(request: &Update, server: ServerId) -> bool {
    match request {
        Update::Incremental(change) => !change.leaving.contains(&server),
        Update::Full(members) => members.contains(server),
    }
}
