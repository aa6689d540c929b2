//! `zkplan status`: what an ensemble is now, and whether it can be changed.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant, SystemTime};

use futures::future::join_all;

use super::accepting::Accepts;
use super::args::{StatusArgs, TextOrJson};
use super::error::{CommandError, exit_of_error};
use super::exit::Exit;
use super::first_quorum::{self, Shown};
use super::journal::{self, OpenRuns};
use super::output::Output;
use super::{live, local, retired, specs};
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
use crate::render::status::{StatusOf, StatusScreen, one_line, screen};
use crate::render::unreachable::{self, Reached};
use crate::render::{Line, Style, Text, words_for_shell};
use crate::report::error::CommandFailure;
use crate::report::status::StatusDocument;
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

/// What one round came to.
struct Round {
    text: Text,
    document: StatusDocument,
    /// The same in one line.
    line: String,
    exit: Exit,
}

pub(super) fn run(args: &StatusArgs, output: &Output) -> Result<Exit, CommandError> {
    let asked = Asked::of(args)?;
    let named = Named::of(&asked.target, None);
    let port = live::servers(&asked.target, &named)?;
    if args.watch {
        let port = port.trying_ports_rarely();
        return live::block_on(watched(args, &asked, &port, output));
    }
    let round = live::block_on(asked.round(&port, output))?;
    Ok(match args.format {
        TextOrJson::Text => output.screen(&round.text, round.exit),
        TextOrJson::Json => output.raw(&round.document.to_text(), round.exit),
    })
}

/// Looks again and again, until the operator interrupts. A round that has begun is finished, so that
/// it closes its sessions; asked twice, it is not.
async fn watched(args: &StatusArgs, asked: &Asked, port: &ZooKeeper, output: &Output) -> Exit {
    let interrupts = local::interrupts();
    let mut last = String::new();
    loop {
        let began = Instant::now();
        let round = tokio::select! {
            round = asked.round(port, output) => round,
            () = local::asked_to_stop(interrupts.clone(), 2) => return Exit::Done,
        };
        let shown = match args.format {
            TextOrJson::Json => {
                output.raw(&(canonical(&round.document.to_value(), false) + "\n"), Exit::Done)
            }
            TextOrJson::Text if io::stdout().is_terminal() => {
                output.screen_from(CLEAR, &round.text, Exit::Done)
            }
            TextOrJson::Text if round.line != last => {
                let now = humantime::format_rfc3339_seconds(SystemTime::now());
                let mut text = Text::new();
                text.line(
                    Line::new(Style::Dim, format!("{now}  ")).then(Style::Plain, &round.line),
                );
                output.screen(&text, Exit::Done)
            }
            TextOrJson::Text => Exit::Done,
        };
        if shown != Exit::Done {
            return shown;
        }
        last = round.line;
        tokio::select! {
            () = tokio::time::sleep(ROUND.saturating_sub(began.elapsed())) => {}
            () = local::asked_to_stop(interrupts.clone(), 1) => return Exit::Done,
        }
    }
}

impl Asked {
    fn of(args: &StatusArgs) -> Result<Self, CommandError> {
        let Some(path) = &args.spec else { return Ok(Self::of_flags(args)) };
        let loaded = specs::load(std::slice::from_ref(path)).pop();
        let Some(loaded) = loaded else {
            return Err(CommandError::new(CommandFailure::Usage, "give a spec or --connect"));
        };
        let spec = loaded.spec?;
        let typed = words_for_shell(&loaded.path);
        Ok(Self { target: spec.to_target(), typed, spec: Some((loaded.path, spec)) })
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
            document: StatusDocument::of(&view, spec),
            line: one_line(&status),
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
        Round { text, document, line: error.to_string(), exit }
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
            document: StatusDocument::of_error(of, error, next),
            line: error.to_string(),
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
