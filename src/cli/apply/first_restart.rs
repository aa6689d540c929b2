//! The restart that makes a standalone server the first voter: a person does it, and apply watches.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::future::join_all;

use super::super::args::ApplyArgs;
use super::super::error::{CommandError, next};
use super::super::first_quorum::{Shown, met};
use super::super::output::Output;
use super::super::source::Source;
use super::typed;
use crate::ensemble::four_letter::Srvr;
use crate::ensemble::{
    Ensemble as _, FourLetterWord, HeldSession, Mode, NoAnswer, RequestError, Session as _,
    SessionFactory as _, SessionTerms, ZooKeeper,
};
use crate::first_quorum::{
    Comparison, ConfigSeen, Noted, RestartMistake, RestartSample, RestartState, RestartWatch,
    ServingServer,
};
use crate::model::{ConfigParseError, Endpoint, EnsembleConfig, Millis, Server, ServerId, Target};
use crate::observe::{Question, observe};
use crate::render::first_quorum::restart_progress;
use crate::render::words_for_servers;
use crate::report::error::CommandFailure;

/// From one look to the next. A server that is restarted refuses for a second at least, while its Java
/// starts.
const PAUSE: Duration = Duration::from_millis(200);

/// The same while the server has come back otherwise than planned: each look opens a session.
const PAUSE_IF_WRONG: Duration = Duration::from_millis(500);

/// One look of this many asks the other servers, which must not run.
const LOOKS_A_ROUND: u32 = 10;

/// The session that shows that the data are those from before outlives a slow start of the server.
const SHORTEST_SESSION: Millis = Millis::from_secs(30);

/// This often the session is attached to a server that serves before that is given up.
const TRIES: u32 = 25;

/// What was typed.
type Asked<'a> = (&'a ApplyArgs, &'a Source);

/// The port, and what is wanted.
type Place<'a> = (&'a ZooKeeper, &'a Target);

/// Goes on with a restart that an earlier apply watched, where the operator gives its figures. There is
/// nothing to go on with where the server has become one of several.
pub(super) async fn resumed(
    (args, source): Asked<'_>,
    (port, target): Place<'_>,
    output: &Output,
) -> Result<(), CommandError> {
    let (Some(noted), Source::Spec(_)) = (args.noted, source) else { return Ok(()) };
    let Some(line) = target.line(noted.id) else {
        let what = format!("--noted: the spec has no server {}", noted.id);
        return Err(CommandError::new(CommandFailure::Usage, what));
    };
    match observe(port, &Question::of(target)).await {
        Ok(seen) if seen.config.membership.len() > 1 => Ok(()),
        // It is shown with its files again.
        Err(error) if CommandFailure::of_look(&error) == CommandFailure::Standalone => Ok(()),
        _ => watch_it((args, source), (port, target), (line, Some(noted.data)), output).await,
    }
}

/// Shows the restart, and watches until it is done; `error` is what a look met.
pub(super) async fn watched(
    (args, source): Asked<'_>,
    (port, target): Place<'_>,
    error: CommandError,
    output: &Output,
) -> Result<(), CommandError> {
    let Source::Spec(_) = source else { return Err(error) };
    let Some(answer) = met(port, target, &BTreeMap::new()).await else { return Ok(()) };
    let path = args.file.display().to_string();
    let shown = Shown::of(target, Some(&path), &answer, &args.accept);
    let Ok(first) = &answer.verdict else { return Err(shown.error(output.width)) };
    output.aside(&shown.without_next(output.width));
    boundary("restart shown");
    watch_it((args, source), (port, target), (&first.server, first.now.noted), output).await
}

/// Watches one server until it leads alone with its data.
async fn watch_it(
    (args, source): Asked<'_>,
    (port, target): Place<'_>,
    (line, noted): (&Server, Option<Noted>),
    output: &Output,
) -> Result<(), CommandError> {
    let id = line.id;
    let Some(at) =
        target.servers.get(&id).and_then(|own| own.endpoint(target.connect.tls.is_some()))
    else {
        let what = format!("the client address of server {id} is not known");
        return Err(CommandError::new(CommandFailure::NoAnswer, what));
    };
    let mut look = Look { port, target, at, id, marker: Marker::default() };
    let mut watcher = RestartWatch::new(line.clone(), noted);
    let path = args.file.display().to_string();
    let again = typed::again(args, &path);
    let resumes = |noted: Noted| format!("{again} --noted {id}:{noted}");
    if let Some(noted) = noted {
        output.aside(&restart_progress::noted(noted, &resumes(noted), output.width));
    }
    let began = Instant::now();
    let mut since = began;
    let mut last = None;
    let mut running = BTreeSet::new();
    for round in 0_u32.. {
        let sample = look.sample().await;
        let now_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let state = watcher.advance(now_ms, &sample);
        if last.as_ref() != Some(&state) {
            let clock = format!("{:>8.3}s  ", began.elapsed().as_secs_f64());
            output.aside(&restart_progress::state(id, &state, &clock, output.width));
            boundary(&format!("restart {}", name(&state)));
            since = Instant::now();
        }
        if let RestartState::Proven(_) = state {
            look.marker.close().await;
            return Ok(());
        }
        if round % LOOKS_A_ROUND == 0 {
            look.warn_of_others(&mut running, output).await;
        }
        if since.elapsed() >= args.timeout.as_duration() {
            let resumes = watcher.noted().map_or_else(|| again.clone(), resumes);
            return Err(ran_out(id, &state, (args, source), (&resumes, output)));
        }
        let pause = if matches!(state, RestartState::Wrong(_)) { PAUSE_IF_WRONG } else { PAUSE };
        last = Some(state);
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

/// The time is over.
fn ran_out(
    id: ServerId,
    state: &RestartState,
    (args, _source): Asked<'_>,
    (resumes, output): (&str, &Output),
) -> CommandError {
    let why = match state {
        RestartState::Waits => format!("server {id} was not restarted"),
        RestartState::Wrong(RestartMistake::DoesNotStart) | RestartState::Down => {
            format!("server {id} does not come back")
        }
        _ => format!("server {id} does not lead as a quorum of one"),
    };
    let what = format!("{why}; nothing new happened for {}", args.timeout);
    let error = CommandError::new(CommandFailure::TimedOut, what).hint(resumes);
    let mut text = error.to_text(output.width);
    text.append(next(resumes));
    error.shown_as(text)
}

/// The word of a state at which tests end the process.
const fn name(state: &RestartState) -> &'static str {
    match state {
        RestartState::Waits => "waits",
        RestartState::Down => "down",
        RestartState::Starts => "starts",
        RestartState::Silent => "silent",
        RestartState::Wrong(_) => "wrong",
        RestartState::Proven(_) => "proven",
    }
}

/// A point at which tests end the process.
fn boundary(name: &str) {
    #[cfg(debug_assertions)]
    super::super::local::rehearsed_death(None, name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// What is asked of the server.
struct Look<'a> {
    port: &'a ZooKeeper,
    target: &'a Target,
    at: Endpoint,
    id: ServerId,
    marker: Marker,
}

impl Look<'_> {
    async fn sample(&mut self) -> RestartSample {
        let answer = match self.port.ask(&self.at, FourLetterWord::Srvr).await {
            Ok(answer) => Srvr::parse(&answer),
            Err(NoAnswer::Refused) => {
                self.marker.detach(&self.at).await;
                return RestartSample::Refused;
            }
            Err(NoAnswer::NotServing) => return RestartSample::Looks,
            Err(_) => return RestartSample::Silent,
        };
        let noted = answer.zxid.zip(answer.znodes).map(|(zxid, znodes)| Noted { zxid, znodes });
        match answer.mode {
            None => RestartSample::Silent,
            Some(Mode::Standalone) => {
                self.marker.keep((self.port, self.target), &self.at).await;
                RestartSample::Standalone(noted)
            }
            Some(mode) => self.serves(mode, noted).await,
        }
    }

    /// A session that commits a write shows its configuration.
    async fn serves(&mut self, mode: Mode, noted: Option<Noted>) -> RestartSample {
        let Ok(read) = self.port.read(&self.at).await else { return RestartSample::Looks };
        let Some(comparison) = self.marker.compared(&self.at).await else {
            return RestartSample::Looks;
        };
        let config = match EnsembleConfig::parse(&read.config) {
            Ok(config) => ConfigSeen::Seen(config),
            Err(ConfigParseError::Empty) => ConfigSeen::Empty,
            Err(_) => ConfigSeen::Unreadable,
        };
        let own_id = read.server_id_byte;
        RestartSample::Serves(ServingServer { mode, noted, own_id, config, comparison })
    }

    /// Says it once where another server of the spec runs.
    async fn warn_of_others(&self, known: &mut BTreeSet<ServerId>, output: &Output) {
        let others = self.target.reach().into_iter().filter(|(id, _)| *id != self.id);
        let asked = join_all(others.map(|(id, reach)| async move {
            let answer = self.port.ask(&reach.client, FourLetterWord::Srvr).await;
            let runs = matches!(answer, Ok(_) | Err(NoAnswer::NotServing));
            runs.then_some(id)
        }));
        let running: BTreeSet<ServerId> = asked.await.into_iter().flatten().collect();
        let new: BTreeSet<ServerId> = running.difference(known).copied().collect();
        if !new.is_empty() {
            let id = self.id;
            let (runs, them) = if new.len() == 1 { ("runs", "it") } else { ("run", "them") };
            output.note(&format!(
                "{} {runs} already. Stop {them} until server {id} leads: with the lines of all servers, \
                 empty servers elect each other, and server {id} would take their data",
                words_for_servers(&new)
            ));
        }
        *known = running;
    }
}

/// A session from before the restart: where the server knows it afterwards, its data contain every
/// transaction before it. It leaves no znode.
#[derive(Default)]
struct Marker {
    session: Option<HeldSession>,
    is_attached: bool,
    /// Whether the server took it since it was attached to one that served after a restart.
    is_shown: bool,
    /// Whether a server said that it does not know it.
    is_gone: bool,
    failures: u32,
}

impl Marker {
    /// Opens it where there is none, and attaches it again where it was detached.
    async fn keep(&mut self, (port, target): Place<'_>, at: &Endpoint) {
        if self.session.is_none() {
            let timeout = target.connect.session_timeout.max(SHORTEST_SESSION);
            self.session = port.open(at, &SessionTerms { timeout, auth: None }).await.ok();
            self.is_attached = self.session.is_some();
            self.is_gone = false;
        } else if !self.is_attached {
            self.compared(at).await;
        }
    }

    /// Ends the connection of a server that is down; the session lives on in its data.
    async fn detach(&mut self, at: &Endpoint) {
        self.is_shown = false;
        if let Some(session) = self.session.as_mut().filter(|_| self.is_attached) {
            // It fails at once, and ends the old connection first.
            self.is_attached = session.attach(at).await.is_ok();
        }
    }

    /// What it shows; `None` where that is not known yet.
    async fn compared(&mut self, at: &Endpoint) -> Option<Comparison> {
        if self.is_shown {
            return Some(Comparison::SessionSurvived);
        }
        let Some(session) = &mut self.session else {
            let none = if self.is_gone { Comparison::SessionGone } else { Comparison::NotCompared };
            return Some(none);
        };
        match session.attach(at).await {
            Ok(()) => {
                (self.is_attached, self.is_shown) = (true, true);
                Some(Comparison::SessionSurvived)
            }
            Err(RequestError::SessionOver) => {
                (self.session, self.is_attached, self.is_gone) = (None, false, true);
                Some(Comparison::SessionGone)
            }
            Err(_) => {
                self.is_attached = false;
                self.failures += 1;
                (self.failures > TRIES).then_some(Comparison::NotCompared)
            }
        }
    }

    async fn close(&mut self) {
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }
}
