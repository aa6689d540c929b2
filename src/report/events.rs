//! `zkplan/events`: what happens in an apply, one JSON object a line.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::clients::{ClientStrings, ServerClients};
use super::error::CommandFailure;
use super::waits::{ProofWord, WaitEntry};
use crate::apply::access::{Recipient, Signer};
use crate::apply::journal::{CommitEvidence, HookEnd, LockText};
use crate::apply::{Event, Reordered};
use crate::document::{Document, Format};
use crate::model::ServerId;
use crate::plan::StepId;
use crate::render::run;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventLine {
    /// Counts the lines of one apply, from 0.
    pub sequence: u64,
    /// When it happened, as this machine's clock has it (RFC 3339, UTC).
    pub at: String,
    /// The time since the apply began to work.
    pub elapsed_ms: u64,
    /// The label of the ensemble.
    pub ensemble: String,
    /// The number of the run; `null` until it is open.
    pub run: Option<u64>,
    /// What happened.
    #[serde(flatten)]
    pub event: EventEntry,
    /// The same for people; `null` for what only programs want to know.
    pub text: Option<String>,
}

impl Document for EventLine {
    const FORMAT: Format = Format { name: "events", major: 2, minor: 3 };
}

/// What happened, by `event`. A minor version may add some.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum EventEntry {
    /// An output of the executor is about to be carried out.
    Output {
        /// Which one, from 0.
        index: u64,
        /// Its name.
        name: String,
    },
    /// The session is on that server now.
    Attached {
        /// Its address.
        address: String,
    },
    /// A server does not let the user change the configuration.
    Refused {
        /// The server.
        server: ServerId,
        /// Its address.
        address: String,
        /// The user, where there is one.
        user: Option<String>,
    },
    /// The run is open.
    Run {
        /// Its plan.
        plan_id: String,
        /// Whether an earlier apply began it.
        resumed: bool,
    },
    /// A fence has committed.
    Fenced {
        /// The version that it made.
        version: String,
    },
    /// A joiner's data are taken for the leader's.
    DataProven {
        /// The joiner.
        server: ServerId,
        /// What the comparison found.
        by: ProofWord,
        /// The zxid at which the data are equal.
        zxid: Option<String>,
    },
    /// A reconfig without changes is about to be sent.
    Healing {
        /// The servers that it is for.
        servers: BTreeSet<ServerId>,
    },
    /// A request goes out now.
    Sent {
        /// The step.
        step: StepId,
        /// The version that it starts from.
        version: String,
    },
    /// A reconfig has committed.
    Committed {
        /// The step.
        step: StepId,
        /// The version that it made.
        version: String,
        /// How that is known.
        known: KnownBy,
    },
    /// A step without a request is done.
    Done {
        /// The step.
        step: StepId,
    },
    /// A step without a request is skipped: its goal is reached already.
    NotNeeded {
        /// The step.
        step: StepId,
    },
    /// The journal has a new entry.
    Recorded {
        /// The entry, spelled as the journal spells it (kebab-case words; its format is its own).
        record: Value,
    },
    /// The leader is another one.
    LeaderChanged {
        /// The leader before.
        from: ServerId,
        /// The leader now.
        to: ServerId,
        /// The step that handed over; `null` if the change was not planned.
        step: Option<StepId>,
    },
    /// The rest of the plan continues in another order that the plan allows.
    Reordered {
        /// Members that do not answer.
        down: BTreeSet<ServerId>,
        /// Members that answer again.
        back: BTreeSet<ServerId>,
        /// The remaining reconfigs.
        order: Vec<StepId>,
    },
    /// The run waits.
    Waiting {
        /// For all of this.
        #[serde(rename = "for")]
        waits: Vec<WaitEntry>,
    },
    /// Another apply holds the lock.
    Locked {
        /// Who.
        by: LockHolder,
    },
    /// The outcome of a request is unknown and is being checked.
    Settling {
        /// The step; `null` for the fence.
        step: Option<StepId>,
    },
    /// A command was started.
    HookStarted {
        /// The step.
        step: StepId,
        /// The command.
        argv: Vec<String>,
    },
    /// A command still runs. While it does, this comes every 2 s.
    HookRunning {
        /// The step.
        step: StepId,
        /// When it was started, as this machine's clock has it (RFC 3339, UTC).
        since: String,
        /// For how long it has run.
        running_ms: u64,
    },
    /// A command has ended.
    HookEnded {
        /// The step.
        step: StepId,
        /// How.
        result: HookResult,
        /// What the system said of a failure.
        detail: Option<String>,
    },
    /// A retired server does not answer, so no command stops it.
    NoAnswer {
        /// The step.
        step: StepId,
        /// The server.
        server: ServerId,
    },
    /// An earlier run was abandoned.
    Abandoned {
        /// Its number.
        abandoned_run: u64,
    },
    /// A person is to stop a server.
    StopByHand {
        /// The server.
        server: ServerId,
        /// The clients on it; `null` if it does not report them.
        clients: Option<ServerClients>,
    },
    /// The addresses that clients need.
    ConnectStrings(ClientStrings),
    /// A gate that was passed is shut again, because clients came after that.
    GateShut {
        /// The gate.
        step: StepId,
        /// These, a server each.
        clients: Vec<ServerClients>,
    },
    /// The configuration has versions that no run recorded.
    VersionMoved {
        /// The version that the plan was made from.
        from: String,
        /// The version now.
        to: String,
    },
    /// Everything is done.
    Finished {
        /// The exit code of the command.
        exit_code: u8,
    },
    /// The apply stopped before everything was done.
    Stopped {
        /// Why, as in `zkplan/error`.
        #[schemars(with = "String")]
        code: CommandFailure,
        /// Whether the same command may succeed later.
        retryable: bool,
        /// The exit code of the command.
        exit_code: u8,
    },
}

/// How it is known that a reconfig has committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum KnownBy {
    /// By the server's reply.
    Reply,
    /// By reading the configuration while holding the lock.
    ReadBack,
    /// A later apply found it.
    Found,
}

impl From<CommitEvidence> for KnownBy {
    fn from(known: CommitEvidence) -> Self {
        match known {
            CommitEvidence::Reply => Self::Reply,
            CommitEvidence::ReadBack => Self::ReadBack,
            CommitEvidence::Found => Self::Found,
        }
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HookResult {
    /// With exit status 0.
    Succeeded,
    /// With another exit status, or by a signal.
    Failed,
    /// It was killed at the time limit.
    TimedOut,
    /// It could not be started.
    NotStarted,
    /// Not known.
    Unknown,
}

/// The holder of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LockHolder {
    /// Names the lock, for `zkplan unlock`.
    pub nonce: String,
    /// The user.
    pub who: String,
    /// The host.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// Since when, as the clock of that host has it.
    pub since: String,
    /// The operation, like `apply`.
    pub operation: String,
    /// The plan that is applied.
    pub plan_id: String,
    /// Who has it done, where that is said; else `null`.
    pub actor: Option<String>,
    /// Why, where that is said; else `null`.
    pub reason: Option<String>,
}

impl From<&LockText> for LockHolder {
    fn from(lock: &LockText) -> Self {
        Self {
            nonce: lock.by.nonce.clone(),
            who: lock.by.who.clone(),
            host: lock.by.host.clone(),
            pid: lock.by.pid,
            since: lock.by.at.clone(),
            operation: lock.operation.clone(),
            plan_id: lock.plan_id.clone(),
            actor: lock.cause.actor.clone(),
            reason: lock.cause.reason.clone(),
        }
    }
}

/// What people read of an event.
pub fn text(event: &Event) -> Option<String> {
    match event {
        Event::Waiting(waits) => Some(run::waiting(waits)),
        other => run::line(other).map(|line| line.plain_text()),
    }
}

impl EventEntry {
    /// Of an event; `exit_code` is that of the command, where it ends.
    pub fn of(event: &Event, exit_code: u8) -> Self {
        match event {
            Event::Output { index, name } => Self::Output { index: *index, name: name.clone() },
            Event::Attached(at) => Self::Attached { address: at.to_string() },
            Event::Refused { by, signer } => refused(by, signer),
            Event::Run { number: _, plan_id, resumed } => {
                Self::Run { plan_id: plan_id.clone(), resumed: *resumed }
            }
            Event::Fenced { version } => Self::Fenced { version: version.clone() },
            Event::DataProven { server, proof } => {
                let zxid = run::proof_zxid(proof);
                Self::DataProven { server: *server, by: proof.into(), zxid }
            }
            Event::Healing { servers } => Self::Healing { servers: servers.clone() },
            Event::Sent { step, version } => {
                Self::Sent { step: step.clone(), version: version.clone() }
            }
            Event::Committed { step, version, known } => {
                let (step, version) = (step.clone(), version.clone());
                Self::Committed { step, version, known: (*known).into() }
            }
            Event::Done { step } => Self::Done { step: step.clone() },
            Event::NotNeeded { step } => Self::NotNeeded { step: step.clone() },
            Event::Recorded(entry) => {
                Self::Recorded { record: serde_json::to_value(entry).unwrap_or_default() }
            }
            Event::LeaderChanged { from, to, step } => {
                Self::LeaderChanged { from: *from, to: *to, step: step.clone() }
            }
            Event::Reordered(Reordered { down, back, order }) => {
                let (down, back, order) = (down.clone(), back.clone(), order.clone());
                Self::Reordered { down, back, order }
            }
            Event::Waiting(waits) => {
                Self::Waiting { waits: waits.iter().map(WaitEntry::of).collect() }
            }
            Event::Locked(by) => Self::Locked { by: by.into() },
            Event::Settling { step } => Self::Settling { step: step.clone() },
            Event::HookStarted { step, argv } => {
                Self::HookStarted { step: step.clone(), argv: argv.clone() }
            }
            Event::HookRunning { step, since, running_ms } => Self::HookRunning {
                step: step.clone(),
                since: since.clone(),
                running_ms: *running_ms,
            },
            Event::HookEnded { step, how } => hook_ended(step, how),
            Event::NoAnswer { step, server } => {
                Self::NoAnswer { step: step.clone(), server: *server }
            }
            Event::Abandoned { run } => Self::Abandoned { abandoned_run: *run },
            Event::StopByHand { server, clients } => Self::StopByHand {
                server: *server,
                clients: clients.as_ref().map(|all| ServerClients::of(*server, Some(all), 0)),
            },
            Event::ConnectStrings(strings) => Self::ConnectStrings(strings.into()),
            Event::GateShut { step, newcomers } => Self::GateShut {
                step: step.clone(),
                clients: newcomers.iter().map(ServerClients::from).collect(),
            },
            Event::VersionMoved { from, to } => {
                Self::VersionMoved { from: from.clone(), to: to.clone() }
            }
            Event::Ended(end) => match CommandFailure::of_end(end) {
                None => Self::Finished { exit_code },
                Some(code) => Self::Stopped { code, retryable: code.is_retryable(), exit_code },
            },
        }
    }
}

fn refused(by: &Recipient, signer: &Signer) -> EventEntry {
    let user = match signer {
        Signer::User(user) | Signer::Sasl(user) => Some(user.clone()),
        Signer::Certificate | Signer::Anonymous => None,
    };
    EventEntry::Refused { server: by.server, address: by.at.to_string(), user }
}

fn hook_ended(step: &StepId, how: &HookEnd) -> EventEntry {
    let (result, detail) = match how {
        HookEnd::Succeeded => (HookResult::Succeeded, None),
        HookEnd::Failed(why) => (HookResult::Failed, Some(why.clone())),
        HookEnd::TimedOut => (HookResult::TimedOut, None),
        HookEnd::NotStarted(why) => (HookResult::NotStarted, Some(why.clone())),
        HookEnd::Unknown => (HookResult::Unknown, None),
    };
    EventEntry::HookEnded { step: step.clone(), result, detail }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::apply::journal::Entry;
    use crate::apply::{Missing, Outcome, Wait};
    use crate::observe::ServerStatus;

    fn line(event: &Event) -> Value {
        let line = EventLine {
            sequence: 7,
            at: "2026-11-29T03:00:00.123Z".to_owned(),
            elapsed_ms: 1500,
            ensemble: "prod".to_owned(),
            run: Some(3),
            event: EventEntry::of(event, 9),
            text: text(event),
        };
        let document = line.to_value();
        let validator = jsonschema::validator_for(&EventLine::schema()).expect("a schema");
        let wrong: Vec<String> =
            validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{document:#}: {wrong:?}");
        document
    }

    #[test]
    fn a_wait_is_data_and_the_sentence_stands_beside_it() {
        let missing = Missing::Following {
            status: ServerStatus::NotServing,
            zxids: None,
            followed_before: true,
            for_long: false,
        };
        let wait = Wait::Joiner { server: ServerId::new(4), missing };
        let line = line(&Event::Waiting(vec![wait]));
        let what = &line["for"][0];
        assert_eq!(
            (&line["event"], &what["kind"]),
            (&json!("waiting"), &json!("joinerNotFollowing"))
        );
        assert_eq!((&what["server"], &what["status"]), (&json!(4), &json!("notServing")));
        assert!(line["text"].as_str().is_some_and(|text| text.contains("server 4")), "{line:#}");
    }

    #[test]
    fn words_are_camel_case_but_for_what_the_journal_holds() {
        let (step, version) = (StepId::new("join-4"), "10000000a".to_owned());
        let known = CommitEvidence::ReadBack;
        let entry = Entry::Committed { step: step.clone(), version: version.clone(), known };
        assert_eq!(line(&Event::Committed { step, version, known })["known"], "readBack");
        assert_eq!(line(&Event::Recorded(entry))["record"]["known"], "read-back");
    }

    #[test]
    fn the_end_says_what_the_command_says() {
        let end = Event::Ended(Outcome::RanOut { waits: Vec::new(), unknown: None });
        let stopped = line(&end);
        assert_eq!((&stopped["event"], &stopped["code"]), (&json!("stopped"), &json!("timedOut")));
        assert_eq!((&stopped["exitCode"], &stopped["retryable"]), (&json!(9), &json!(true)));
        assert_eq!(line(&Event::Ended(Outcome::Finished))["event"], "finished");
    }
}
