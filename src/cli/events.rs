//! `--events FILE`: what happens, one JSON object a line.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::apply::access::Signer;
use crate::apply::journal::HookEnd;
use crate::apply::{Event, Outcome, Reordered};
use crate::document;
use crate::render::run;

/// What the `format` key of every line says.
const FORMAT: &str = "zkplan/events";

/// The version of the lines: keys may be added, none gets another meaning.
const VERSION: u32 = 1;

/// The file that events are written to.
pub(super) struct Events {
    file: File,
    sequence: u64,
}

impl Events {
    /// Makes the file anew.
    pub(super) fn create(path: &Path) -> std::io::Result<Self> {
        Ok(Self { file: File::create(path)?, sequence: 0 })
    }

    /// Writes an event, at once.
    pub(super) fn write(
        &mut self,
        ms: u64,
        event: &Event,
        exit: Option<u8>,
    ) -> std::io::Result<()> {
        let (name, mut fields) = described(event, exit);
        if let Value::Object(map) = &mut fields {
            let head = [
                ("format", json!(FORMAT)),
                ("v", json!(VERSION)),
                ("seq", json!(self.sequence)),
                ("ms", json!(ms)),
                ("event", json!(name)),
            ];
            map.extend(head.map(|(key, value)| (key.to_owned(), value)));
        }
        self.sequence += 1;
        let line = document::canonical(&fields, false) + "\n";
        self.file.write_all(line.as_bytes())?;
        self.file.flush()
    }
}

/// The name of an event and what belongs to it.
fn described(event: &Event, exit: Option<u8>) -> (&'static str, Value) {
    match event {
        Event::Output { index, name } => ("output", json!({ "index": index, "name": name })),
        Event::Attached(at) => ("attached", json!({ "server": at.to_string() })),
        Event::Refused { by, signer } => {
            let user = match signer {
                Signer::User(user) | Signer::Sasl(user) => Some(user),
                Signer::Certificate | Signer::Anonymous => None,
            };
            ("refused", json!({ "id": by.server, "server": by.at.to_string(), "user": user }))
        }
        Event::Run { number, plan_id, resumed } => {
            ("run", json!({ "run": number, "plan_id": plan_id, "resumed": resumed }))
        }
        Event::Fenced { version } => ("fenced", json!({ "version": version })),
        Event::DataProven { server, proof } => (
            "data-proven",
            json!({ "server": server, "by": run::proof_word(proof), "zxid": run::proof_zxid(proof) }),
        ),
        Event::Healing { servers } => ("healing", json!({ "servers": servers })),
        Event::Sent { step, version } => ("sent", json!({ "step": step, "version": version })),
        Event::Committed { step, version, known } => {
            ("committed", json!({ "step": step, "version": version, "how": known }))
        }
        Event::Done { step } => ("done", json!({ "step": step })),
        Event::NotNeeded { step } => ("not-needed", json!({ "step": step })),
        Event::Recorded(entry) => ("recorded", json!({ "record": entry })),
        Event::LeaderChanged { from, to, step } => {
            ("leader-changed", json!({ "from": from, "to": to, "step": step }))
        }
        Event::Reordered(Reordered { down, back, order }) => {
            ("reordered", json!({ "down": down, "back": back, "order": order }))
        }
        Event::Waiting(waits) => ("waiting", json!({ "for": run::waiting(waits) })),
        Event::Locked(by) => ("locked", json!({ "by": by })),
        Event::Settling { step } => ("settling", json!({ "step": step })),
        Event::HookStarted { step, argv } => {
            ("hook-started", json!({ "step": step, "argv": argv }))
        }
        Event::HookEnded { step, how } => (
            "hook-ended",
            json!({ "step": step, "succeeded": *how == HookEnd::Succeeded, "how": how }),
        ),
        Event::NoAnswer { step, server } => {
            ("no-answer", json!({ "step": step, "server": server }))
        }
        Event::Abandoned { run } => ("abandoned", json!({ "run": run })),
        Event::StopByHand { server } => ("stop-by-hand", json!({ "server": server })),
        Event::VersionMoved { from, to } => ("version-moved", json!({ "from": from, "to": to })),
        Event::Ended(Outcome::Finished) => ("finished", json!({ "exit": exit })),
        Event::Ended(end) => ("stopped", json!({ "exit": exit, "why": end.word() })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::journal::{CommitEvidence, Entry};
    use crate::plan::StepId;

    /// One fact has one spelling in one stream: what happened, and what the journal holds of it.
    #[test]
    fn how_a_commit_is_known_is_spelled_as_in_the_journal() {
        for known in [CommitEvidence::Reply, CommitEvidence::ReadBack, CommitEvidence::Found] {
            let (step, version) = (StepId::new("join-4"), "10000000a".to_owned());
            let event = Event::Committed { step: step.clone(), version: version.clone(), known };
            let entry = Entry::Committed { step, version, known };
            let (_, happened) = described(&event, None);
            let (_, recorded) = described(&Event::Recorded(entry), None);
            assert_eq!(happened["how"], recorded["record"]["known"]);
        }
    }
}
