//! Carries a plan of restarts out: by `hooks.restart`, or with a person who restarts the servers.
//!
//! No journal is written: each restart is proven by looking, and the credential may be what the
//! restarts bring. Where commands are run, an ephemeral znode keeps two applies from running them at
//! once.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::args::{ApplyArgs, AutoApprove, TextOrJson};
use super::super::asker::{Asker, Looked, User};
use super::super::client_ports::ClientPorts;
use super::super::error::{CommandError, exit_of_end};
use super::super::events::Events;
use super::super::exit::Exit;
use super::super::local::{self, Interrupts, Local};
use super::super::output::Output;
use super::super::restart_lock::{Held, RestartLock};
use super::super::source::Source;
use super::super::write_gaps::WriteGaps;
use super::ready::Ready;
use super::typed::{again, anew};
use crate::apply::command_line::argv;
use crate::apply::driver::RunHost as _;
use crate::apply::journal::HookEnd;
use crate::apply::{Event, Outcome, RestartMissing, Stale, Wait};
use crate::check::CheckedPlan;
use crate::document::Document as _;
use crate::ensemble::ZooKeeper;
use crate::model::{ServerId, Target};
use crate::observe::Observation;
use crate::plan::{Done, Plan, Step, StepId};
use crate::prediction::Prediction;
use crate::preflight::{GivenFiles, View};
use crate::render::preflight::watch::change;
use crate::render::{Text, ends, restarts_done};
use crate::report::run::{RunDocument, RunEnd};
use crate::restarting::{NextRestart, RestartLook, RestartRun};
use crate::saved;

/// From the end of one look to the next.
const BETWEEN: Duration = Duration::from_millis(500);

/// What is needed to carry a plan out.
struct Roll<'a, 'b> {
    args: &'a ApplyArgs,
    asker: Asker<'a>,
    checked: Arc<CheckedPlan>,
    ports: &'a ClientPorts,
    gaps: &'a WriteGaps,
    run: RestartRun,
    local: Local<'b>,
    lock: RestartLock,
    /// Since when nothing has changed.
    since: Instant,
    reported: Done,
    last_waits: Vec<Wait>,
    /// Since when another apply holds the lock.
    locked_since: Option<Instant>,
    output: &'b Output,
}

/// Restarts the servers of a plan, or has them restarted, one after the other.
pub(super) async fn carry_out(
    (args, source): (&ApplyArgs, &Source),
    ready: Ready,
    port: &ZooKeeper,
    (interrupts, output): (Interrupts, &Output),
) -> Result<Exit, CommandError> {
    let checked = Arc::new(ready.checked);
    let plan = checked.plan();
    let target = Target { connect: source.target().connect, ..plan.to_target() };
    let user = User::of(&args.access, &target, output).await?;
    let named = source.named();
    // Those were named before the approval.
    let named_before = named.recipients(&ready.seen, &BTreeSet::new()).into_iter().collect();
    let (announced, holds_session) = (RefCell::new(named_before), Cell::new(false));
    let (user, named, files) = (&user, &named, &GivenFiles::new());
    let asker = Asker { port, target: &target, user, named, files, announced, holds_session };
    let events =
        args.events.as_deref().map(|path| Events::create(path, &plan.ensemble)).transpose();
    let events =
        events.map_err(|error| super::super::error::unwritable("the file for --events", &error))?;
    let mut local = Local::new(output, interrupts.clone(), events, plan.steps().count());
    local.keep_secret(&target.connect);
    let (ports, gaps) = (ClientPorts::default(), WriteGaps::default());
    let mut roll = Roll {
        args,
        asker,
        run: RestartRun::new(Arc::clone(&checked)),
        checked: Arc::clone(&checked),
        ports: &ports,
        gaps: &gaps,
        local,
        lock: RestartLock::of(&target.connect),
        since: Instant::now(),
        reported: Done::new(),
        last_waits: Vec::new(),
        locked_since: None,
        output,
    };
    let end = tokio::select! {
        end = roll.until_the_end(&interrupts) => end?,
        () = ports.watch(port) => Outcome::Unreachable,
        () = gaps.watch(port, &ports) => Outcome::Unreachable,
    };
    roll.local.tell(&Event::Ended(end.clone()));
    roll.local.clear();
    let Roll { lock, local, run, .. } = roll;
    lock.release().await;
    Ok(ended((args, source), &local, (&checked, run.done(), &end), output))
}

impl Roll<'_, '_> {
    async fn until_the_end(&mut self, interrupts: &Interrupts) -> Result<Outcome, CommandError> {
        let mut once = std::pin::pin!(local::asked_to_stop(interrupts.clone(), 1));
        let mut twice = std::pin::pin!(local::asked_to_stop(interrupts.clone(), 2));
        let (output, mut is_said) = (self.output, false);
        loop {
            let turn = {
                let mut turn = std::pin::pin!(self.turn(interrupts));
                // Who sees no answer asks again, and that ends a command that runs.
                loop {
                    tokio::select! {
                        turn = &mut turn => break turn?,
                        () = &mut twice => break Some(Outcome::Interrupted { unknown: None }),
                        () = &mut once, if !is_said => {
                            is_said = true;
                            output.interrupted();
                        }
                    }
                }
            };
            if let Some(end) = turn {
                return Ok(end);
            }
            if self.since.elapsed() >= Duration::from_millis(self.args.timeout.0) {
                return Ok(Outcome::RanOut { waits: self.last_waits.clone(), unknown: None });
            }
        }
    }

    /// One look and what follows from it; the end, where it is one.
    async fn turn(&mut self, interrupts: &Interrupts) -> Result<Option<Outcome>, CommandError> {
        self.ports.set_busy(true);
        let looked = self.asker.look(self.output).await;
        self.ports.set_busy(false);
        let looked = match looked {
            Ok(looked) => looked,
            // While a server is away that passes.
            Err(error) if self.run.has_begun() && error.exit() == Exit::Unreachable => {
                if *interrupts.borrow() > 0 && !self.run.is_underway() {
                    return Ok(Some(Outcome::Interrupted { unknown: None }));
                }
                let missing = RestartMissing::Leader;
                self.wait(vec![Wait::Restart { server: None, missing }]).await;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let next = self.taken(&looked);
        let is_stopping = *interrupts.borrow() > 0;
        match next {
            NextRestart::Finished => return Ok(Some(Outcome::Finished)),
            _ if is_stopping && !self.run.is_underway() => {
                return Ok(Some(Outcome::Interrupted { unknown: None }));
            }
            NextRestart::OtherMembers => return Ok(Some(self.other_members(&looked.seen))),
            NextRestart::Unsafe(breaches) => {
                return Ok(Some(Outcome::Unsafe(breaches, Vec::new())));
            }
            NextRestart::OldSettings { server, settings } => {
                return Ok(Some(Outcome::OldSettings { server, settings }));
            }
            NextRestart::Wait(waits) => self.wait(waits).await,
            NextRestart::Begin { step, server }
                if looked.seen.leader == Some(server)
                    && self.args.auto_approve.is_some_and(AutoApprove::keeps_leader) =>
            {
                return Ok(Some(Outcome::LeaderMoved { step, leader: server }));
            }
            NextRestart::Begin { step, server } => {
                return self.begin(&step, server, &looked.seen).await;
            }
        }
        Ok(None)
    }

    /// Takes a look into account, and says what changed.
    fn taken(&mut self, looked: &Looked) -> NextRestart {
        let (seen, answers) = (&looked.seen, &looked.answers);
        let view = View { target: self.asker.target, seen, answers, files: self.asker.files };
        let members = looked.seen.servers.values();
        let members = members.filter(|one| looked.seen.config.membership.contains(one.id));
        self.ports.set(members.filter_map(|one| Some((one.id, one.endpoint.clone()?))));
        let refused = self.ports.take_refused();
        let look = RestartLook { view, checks: &looked.checks, refused: &refused };
        let was_first = !self.run.has_begun();
        let (changes, next) = self.run.next(look);
        if !changes.is_empty() {
            self.since = Instant::now();
        }
        for one in changes.iter().filter(|_| !was_first) {
            let mut text = Text::new();
            text.paragraph("           ", change(one), self.output.width);
            self.local.aside(&text);
        }
        let done: Vec<StepId> = self.run.done().difference(&self.reported).cloned().collect();
        for step in done {
            self.since = Instant::now();
            let own = self.checked.plan().steps().find(|one| one.id == step);
            let server = own.and_then(Step::restart).map(|restart| restart.server);
            if let Some(ms) = server.and_then(|server| self.gaps.end(server)) {
                self.local.report.restarts.insert(step.clone(), ms);
            }
            self.local.tell(&Event::Done { step: step.clone() });
            self.reported.insert(step);
        }
        next
    }

    /// Runs the command of a step, or asks a person.
    async fn begin(
        &mut self,
        step: &StepId,
        server: ServerId,
        seen: &Observation,
    ) -> Result<Option<Outcome>, CommandError> {
        let checked = Arc::clone(&self.checked);
        let command = checked.plan().steps().find(|one| one.id == *step);
        let command = command.and_then(|step| argv_of(checked.plan(), step, self.args.no_hooks));
        let Some(command) = command else {
            self.gaps.begin(server, seen, self.asker.port);
            self.run.begin(server);
            self.since = Instant::now();
            let mut text = Text::new();
            text.append(restarts_done::by_hand(
                checked.plan(),
                server,
                seen.leader,
                self.output.width,
            ));
            self.local.aside(&text);
            return Ok(None);
        };
        let Ok(command) = command else { return Ok(Some(Outcome::HostNotPlain { server })) };
        let held = self.lock.hold(self.asker.port, seen, server).await;
        if held == Held::Others {
            // That of an apply that was killed goes with its session.
            let limit = self.args.lock_timeout.map_or(2 * self.lock.timeout().0, |time| time.0);
            let since = *self.locked_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= Duration::from_millis(limit) {
                return Ok(Some(Outcome::Locked(None)));
            }
            let missing = RestartMissing::Lock;
            self.wait(vec![Wait::Restart { server: Some(server), missing }]).await;
            return Ok(None);
        }
        self.locked_since = None;
        self.asker.holds_session.set(held == Held::Ours);
        self.gaps.begin(server, seen, self.asker.port);
        self.run.begin(server);
        self.since = Instant::now();
        let argv = command.clone();
        self.local.tell(&Event::HookStarted { step: step.clone(), argv });
        let how = self.local.hook(&command, self.args.timeout.0).await;
        self.local.tell(&Event::HookEnded { step: step.clone(), how: how.clone() });
        match how {
            HookEnd::Succeeded => {
                self.run.commanded(server);
                Ok(None)
            }
            how => Ok(Some(Outcome::Hook { step: step.clone(), how })),
        }
    }

    async fn wait(&mut self, waits: Vec<Wait>) {
        self.local.tell(&Event::Waiting(waits.clone()));
        self.last_waits = waits;
        tokio::select! {
            () = tokio::time::sleep(BETWEEN) => {}
            () = self.ports.changed() => {}
        }
    }

    fn other_members(&self, seen: &Observation) -> Outcome {
        let plan = Box::new(self.checked.plan().facts.base.clone());
        Outcome::Stale(Stale::Members { plan, live: Box::new(seen.config.clone()), by: None })
    }
}

/// The command of a step, where one is to be run.
fn argv_of(plan: &Plan, step: &Step, no_hooks: bool) -> Option<Result<Vec<String>, ServerId>> {
    argv(plan, step, None).filter(|_| !no_hooks)
}

/// Prints what came of it.
fn ended(
    (args, source): (&ApplyArgs, &Source),
    local: &Local<'_>,
    (checked, done, end): (&CheckedPlan, &Done, &Outcome),
    output: &Output,
) -> Exit {
    let exit = exit_of_end(end);
    let path = args.file.display().to_string();
    let (again, anew) = (again(args, &path), anew(args, source));
    let plans = source.plans(&args.file);
    let view = ends::EndScreen {
        end,
        again: &again,
        path: &path,
        plans: &plans,
        anew: anew.as_deref(),
        run: None,
        width: output.width,
    };
    let mut screen = ends::screen(&view);
    output.aside(&screen);
    let plan = checked.plan();
    let prediction = Prediction::of(checked);
    let times = (&local.report, &prediction);
    let next = source.plans_to_file(&args.file);
    let report = restarts_done::report(plan, done, times, (end, &next), output.width);
    if args.format == TextOrJson::Text {
        return output.screen(&report, exit);
    }
    screen.section(report);
    let text = screen.to_string_with(false);
    let plan_id = saved::plan_id(plan);
    let end = RunEnd {
        ensemble: &plan.ensemble,
        plan_id: &plan_id,
        prediction: &prediction,
        outcome: end,
        exit_code: exit.code(),
        elapsed_ms: local.now_ms(),
        text: text.trim_end(),
    };
    output.raw(&RunDocument::of(&local.log, &local.report, end).to_text(), exit)
}
