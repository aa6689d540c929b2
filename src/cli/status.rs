//! `zkplan status`: what an ensemble is now, and whether it can be changed.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant, SystemTime};

use futures::future::join_all;
use serde_json::Value;

use super::accepting::Accepts;
use super::args::{StatusArgs, TextOrJson};
use super::error::{CommandError, exit_of_error};
use super::exit::Exit;
use super::first_quorum::{self, Shown};
use super::journal::{self, OpenRuns};
use super::output::Output;
use super::specs::{self, Loaded};
use super::{fleet, live, local, retired};
use crate::apply::access::Named;
use crate::apply::journal::{self as kept, IdentityText};
use crate::apply::past_runs::RetiredSeen;
use crate::document::{Document as _, canonical};
use crate::ensemble::{Ensemble as _, FourLetterWord, ZooKeeper, four_letter::Srvr};
use crate::first_quorum::FirstQuorumAnswer;
use crate::model::{Connect, Endpoint, Target};
use crate::observe::{
    Beside, ClientsOf, Facts, Identity, Observation, ObserveError, Question, add_owned, clients,
    contact, observe_confirmed,
};
use crate::proposal::propose;
use crate::render::fleet::{FleetCells, FleetRow, FleetTable, table};
use crate::render::status::{StatusOf, StatusScreen, one_line, screen};
use crate::render::unreachable::{self, Reached};
use crate::render::{Line, Style, Text, words_for_shell};
use crate::report::status::StatusDocument;
use crate::report::{FleetCommand, FleetMember};
use crate::spec::{self, Spec};
use crate::status::{EnsembleStatus, JournalSeen, Known, SpecVerdict, WriteRate, ZxidReading};

/// The time from one round of `--watch` to the next: a round leaves lines in the logs of the servers.
const ROUND: Duration = Duration::from_secs(5);

/// The label of an ensemble that has none yet.
const NO_LABEL: &str = "my-ensemble";

/// Clears a terminal and goes to its first line (ECMA-48, 8.3.21 and 8.3.39).
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// What was asked about.
struct Asked {
    /// The path of the spec, and the spec.
    spec: Option<(String, Spec)>,
    /// How the ensemble is reached; of a spec, all that it wants.
    target: Target,
    /// What was typed behind the command to lead to the ensemble.
    typed: String,
}

/// What was found out.
struct Found {
    seen: Observation,
    facts: Facts,
    wanted: Option<SpecVerdict>,
    journal: Option<JournalSeen>,
    writes: Option<WriteRate>,
}

/// What one round came to, of one ensemble.
struct Round {
    text: Text,
    document: Value,
    /// The same in one line.
    line: String,
    /// The same as a row of many.
    cells: FleetCells,
    exit: Exit,
}

/// What is shown of one round, of however many ensembles.
struct ShownRound {
    text: Text,
    document: Value,
    /// A line for each ensemble.
    lines: Vec<String>,
    exit: Exit,
}

/// One spec of many.
struct Member {
    path: String,
    ensemble: Option<String>,
    /// What is asked about, and where; or why nothing is.
    asked: Result<(Asked, ZooKeeper), CommandError>,
}

pub(super) fn run(args: &StatusArgs, output: &Output) -> Result<Exit, CommandError> {
    let mut loaded = specs::load(&specs::files(&args.specs));
    let only = if loaded.len() > 1 { None } else { Some(loaded.pop()) };
    let Some(only) = only else {
        let all: Vec<Member> = loaded.into_iter().map(|one| Member::of(args, one)).collect();
        for error in all.iter().filter_map(|one| one.asked.as_ref().err()) {
            output.error(error);
        }
        return live::block_on(shown(args, || fleet_round(&all, output), output));
    };
    let asked = match only {
        Some(loaded) => Asked::of(loaded)?,
        None => Asked::of_flags(args),
    };
    let port = asked.port(args)?;
    let round = async || asked.round(&port, output).await.alone();
    live::block_on(shown(args, round, output))
}

/// Shows a round, or one after the other.
async fn shown(args: &StatusArgs, round: impl AsyncFn() -> ShownRound, output: &Output) -> Exit {
    if args.watch {
        return watched(args, round, output).await;
    }
    let round = round().await;
    match args.format {
        TextOrJson::Text => output.screen(&round.text, round.exit),
        TextOrJson::Json => output.raw(&(canonical(&round.document, true) + "\n"), round.exit),
    }
}

/// Looks again and again, until the operator interrupts. A round that has begun is finished, so that
/// it closes its sessions; asked twice, it is not.
async fn watched(args: &StatusArgs, round: impl AsyncFn() -> ShownRound, output: &Output) -> Exit {
    let interrupts = local::interrupts();
    let mut last = Vec::new();
    loop {
        let began = Instant::now();
        let round = tokio::select! {
            round = round() => round,
            () = local::asked_to_stop(interrupts.clone(), 2) => return Exit::Done,
        };
        let shown = match args.format {
            TextOrJson::Json => output.raw(&(canonical(&round.document, false) + "\n"), Exit::Done),
            TextOrJson::Text if io::stdout().is_terminal() => {
                output.screen_from(CLEAR, &round.text, Exit::Done)
            }
            TextOrJson::Text => {
                output.screen(&changed_lines(&round.lines, &last, SystemTime::now()), Exit::Done)
            }
        };
        if shown != Exit::Done {
            return shown;
        }
        last = round.lines;
        tokio::select! {
            () = tokio::time::sleep(ROUND.saturating_sub(began.elapsed())) => {}
            () = local::asked_to_stop(interrupts.clone(), 1) => return Exit::Done,
        }
    }
}

/// The lines that say something new, with the time.
fn changed_lines(lines: &[String], last: &[String], now: SystemTime) -> Text {
    let now = humantime::format_rfc3339_seconds(now);
    let mut text = Text::new();
    let is_new = |(at, line): &(usize, &String)| last.get(*at) != Some(*line);
    for (_, line) in lines.iter().enumerate().filter(is_new) {
        text.line(Line::new(Style::Dim, format!("{now}  ")).then(Style::Plain, line));
    }
    text
}

/// One round of many, side by side.
async fn fleet_round(all: &[Member], output: &Output) -> ShownRound {
    let rounds = fleet::side_by_side(all.iter().map(async |one| match &one.asked {
        Ok((asked, port)) => asked.round(port, output).await,
        Err(error) => Round::failed(error),
    }));
    let rounds = rounds.await;
    let exit = rounds.iter().fold(Exit::Done, |worst, round| worst.worse(round.exit));
    let rows = all.iter().zip(&rounds).map(|(one, round)| FleetRow {
        ensemble: one.ensemble.as_deref(),
        file: &one.path,
        cells: &round.cells,
        exit_code: round.exit.code(),
    });
    let text = table(&FleetTable::STATUS, &rows.collect::<Vec<_>>(), output.width);
    let name = |one: &Member| one.ensemble.clone().unwrap_or_else(|| one.path.clone());
    let lines =
        all.iter().zip(&rounds).map(|(one, round)| format!("{}: {}", name(one), round.line));
    let lines = lines.collect();
    let members = all.iter().zip(&rounds).map(|(one, round)| FleetMember {
        spec: one.path.clone(),
        ensemble: one.ensemble.clone(),
        exit_code: round.exit.code(),
        document: round.document.clone(),
    });
    let document = fleet::document(FleetCommand::Status, members.collect(), exit);
    ShownRound { text, document, lines, exit }
}

impl Member {
    fn of(args: &StatusArgs, loaded: Loaded) -> Self {
        let (path, ensemble) = (loaded.path.clone(), loaded.ensemble().map(str::to_owned));
        let asked = Asked::of(loaded).and_then(|asked| Ok((asked.port(args)?, asked)));
        Self { path, ensemble, asked: asked.map(|(port, asked)| (asked, port)) }
    }
}

impl Round {
    /// A spec that cannot be used.
    fn failed(error: &CommandError) -> Self {
        Self {
            text: Text::new(),
            document: error.to_document().to_value(),
            line: error.message.clone(),
            cells: FleetCells::failed("not asked", error.message.clone()),
            exit: error.exit(),
        }
    }

    /// The same where the ensemble is asked alone.
    fn alone(self) -> ShownRound {
        let Self { text, document, line, exit, .. } = self;
        ShownRound { text, document, lines: vec![line], exit }
    }
}

impl Asked {
    fn of(loaded: Loaded) -> Result<Self, CommandError> {
        let spec = loaded.spec?;
        let typed = words_for_shell(&loaded.path);
        Ok(Self { target: spec.to_target(), typed, spec: Some((loaded.path, spec)) })
    }

    /// The servers that are asked.
    fn port(&self, args: &StatusArgs) -> Result<ZooKeeper, CommandError> {
        let port = live::servers(&self.target, &Named::of(&self.target, None))?;
        Ok(if args.watch { port.trying_ports_rarely() } else { port })
    }

    fn of_flags(args: &StatusArgs) -> Self {
        let tls = args.tls.tls();
        let files = [
            ("--tls-ca", &args.tls.ca),
            ("--tls-cert", &args.tls.cert),
            ("--tls-key", &args.tls.key),
        ];
        let files = files.into_iter().filter_map(|(flag, path)| {
            let path = words_for_shell(&path.as_ref()?.display().to_string());
            Some(format!(" {flag} {path}"))
        });
        let hosts = words_for_shell(&args.connect.join(","));
        let typed = format!("--connect {hosts}{}", files.collect::<String>());
        let connect = Connect { servers: args.connect.clone(), tls, ..Connect::default() };
        let target = Target { connect, ..Target::of(NO_LABEL, []) };
        Self { spec: None, target, typed }
    }

    fn question(&self) -> Question {
        let tls = self.target.connect.tls.is_some();
        let contacts = self.target.connect.servers.iter().filter_map(|at| contact(at, tls));
        let question = match &self.spec {
            Some(_) => Question::of(&self.target),
            None => Question::of_contacts(contacts.collect()),
        };
        Question { clients: ClientsOf::EveryServer, ..question }
    }

    async fn round(&self, port: &ZooKeeper, output: &Output) -> Round {
        match Box::pin(self.found(port)).await {
            Ok(found) => self.shown(&found, output),
            Err(error) => {
                let none = BTreeMap::new();
                let alone = first_quorum::answer(port, &self.target, &error, &none).await;
                self.not_seen((&error, alone.as_ref()), output)
            }
        }
    }

    async fn found(&self, port: &ZooKeeper) -> Result<Found, ObserveError> {
        let seen = match observe_confirmed(port, &self.question()).await {
            Ok(seen) => seen,
            Err(error) => return Err(retired::named(port, &self.target, error).await),
        };
        let accepted = self.spec.as_ref().map(|(_, spec)| Accepts::of(&[], spec));
        // Without a spec the members are wanted as they are.
        let target = match &self.spec {
            Some(_) => self.target.clone(),
            None => Target {
                connect: self.target.connect.clone(),
                ..Target::of(NO_LABEL, seen.config.membership.servers().cloned())
            },
        };
        let mut facts = Facts::of(&seen, &target);
        if self.spec.is_none() {
            facts.findings.clone_from(&seen.findings);
        }
        let open = journal::open_runs(port, &seen, &facts, (&target, accepted)).await.ok();
        let is_read = open.is_some();
        let OpenRuns { mut journal, resumed, rivals, applied: _ } = open.unwrap_or_default();
        if let Some(error) = retired::two_histories(port, &target, rivals).await {
            return Err(error);
        }
        facts.findings.extend(journal.findings.iter().cloned());
        facts.findings.sort();
        let wanted = self.spec.is_some().then(|| match resumed {
            Some(position) => SpecVerdict::Resumes(Box::new(position)),
            None => match propose(&target, &facts, &accepted.unwrap_or_default().now()) {
                Ok(checked) => {
                    SpecVerdict::Planned(Box::new(accepted.unwrap_or_default().with_terms(checked)))
                }
                Err(refusal) => SpecVerdict::Refused(refusal),
            },
        });
        let writes = writes(port, &seen).await;
        count_clients(port, &mut journal.retired).await;
        Ok(Found { seen, facts, wanted, journal: is_read.then_some(journal), writes })
    }

    fn shown(&self, found: &Found, output: &Output) -> Round {
        let Found { seen, facts, wanted, journal, writes } = found;
        let status = EnsembleStatus::of(Known {
            seen,
            facts,
            wanted: wanted.as_ref(),
            journal: journal.as_ref(),
            writes: *writes,
        });
        let ensemble = self.label(seen);
        let of = match &self.spec {
            Some((path, _)) => StatusOf::Spec(path),
            None => StatusOf::Flags(&self.typed),
        };
        let view = StatusScreen { ensemble: &ensemble, of, status: &status, width: output.width };
        let spec = self.spec.as_ref().map(|(path, _)| path.as_str());
        Round {
            text: screen(&view),
            document: StatusDocument::of(&view, spec, local::time_of_day()).to_value(),
            line: one_line(&status),
            cells: FleetCells::of_status(&view),
            exit: Exit::Done,
        }
    }

    /// The label in the spec; without one, that which the first apply left in the ensemble.
    fn label(&self, seen: &Observation) -> String {
        let kept = match &seen.identity {
            Identity::Known(text) if self.spec.is_none() => {
                kept::read::<IdentityText>(text.as_bytes()).map(|known| known.ensemble)
            }
            _ => None,
        };
        let kept = kept.filter(|label| spec::is_label(label));
        kept.unwrap_or_else(|| self.target.ensemble.clone())
    }

    fn not_seen(
        &self,
        (error, alone): (&ObserveError, Option<&FirstQuorumAnswer>),
        output: &Output,
    ) -> Round {
        if let Some(answer) = alone {
            return self.standalone(error, answer, output);
        }
        let reached = match &self.spec {
            Some(_) => Reached::by(&self.target.connect),
            None => Reached::ByFlags,
        };
        let ensemble = &self.target.ensemble;
        let mut text = unreachable::screen(ensemble, error, reached, output.width);
        let again = format!("zkplan status {}", self.typed);
        text.gap();
        text.line(Line::plain("Next: ").then(Style::Cyan, again.clone()));
        let spec = self.spec.as_ref().map(|(path, _)| path.as_str());
        let document = StatusDocument::of_error((ensemble, spec), error, again);
        // Servers that answer are an answer, whatever they say.
        let exit = match error {
            ObserveError::Unreachable { .. } | ObserveError::NeedsAuth { .. } => {
                exit_of_error(error)
            }
            _ => Exit::Done,
        };
        let (line, cells) = (error.to_string(), FleetCells::not_seen(error));
        Round { text, document: document.to_value(), line, cells, exit }
    }
}

/// Counts the clients of retired servers that still follow: such a server is stopped once it has none.
async fn count_clients(port: &ZooKeeper, retired: &mut [RetiredSeen]) {
    let follow = retired.iter_mut().filter(|one| one.answer == Some(Beside::Follows));
    join_all(follow.map(|one| async {
        if let Some(at) = &one.at {
            one.clients = clients(port, at, None, None).await.map(|known| known.value);
            if let Some(clients) = &mut one.clients {
                add_owned(port, at, clients).await;
            }
        }
    }))
    .await;
}

impl Asked {
    /// A standalone server is an answer.
    fn standalone(
        &self,
        error: &ObserveError,
        answer: &FirstQuorumAnswer,
        output: &Output,
    ) -> Round {
        let path = self.spec.as_ref().map(|(path, _)| path.as_str());
        let shown = Shown::of(&self.target, path, answer, &[]).planned_next();
        let (of, next) = ((&*self.target.ensemble, path), shown.next().to_owned());
        Round {
            text: shown.short(output.width),
            document: StatusDocument::of_error(of, error, next).to_value(),
            line: error.to_string(),
            cells: FleetCells::not_seen(error),
            exit: Exit::Done,
        }
    }
}

/// Writes a second, by two readings of the leader's zxid. Four-letter words commit nothing.
async fn writes(port: &ZooKeeper, seen: &Observation) -> Option<WriteRate> {
    let at = seen.servers.get(&seen.leader?)?.endpoint.as_ref()?;
    let began = Instant::now();
    let first = reading(port, at, began).await?;
    tokio::time::sleep(Duration::from_millis(WriteRate::SHORTEST_MS)).await;
    WriteRate::between(first, reading(port, at, began).await?)
}

async fn reading(port: &ZooKeeper, at: &Endpoint, began: Instant) -> Option<ZxidReading> {
    let answer = port.ask(at, FourLetterWord::Srvr).await.ok()?;
    let at_ms = u64::try_from(began.elapsed().as_millis()).ok()?;
    Some(ZxidReading { zxid: Srvr::parse(&answer).zxid?, at_ms })
}
