//! A `zkplan/status` of earlier, read back: what a plan can start from where no server can be asked.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use super::status::StatusDocument;
use crate::document::Document as _;
use crate::model::{EnsembleConfig, Membership, ServerId};
use crate::observe::Identity;

/// What a status showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierStatus {
    /// The label of the ensemble.
    pub ensemble: String,
    /// When, in RFC 3339, by the clock of the machine that asked.
    pub at: String,
    /// The configuration.
    pub config: EnsembleConfig,
    /// The identity of the ensemble.
    pub identity: Identity,
    /// Members that were in sync.
    pub synced: BTreeSet<ServerId>,
    /// The run that was open.
    pub open_run: Option<u64>,
    /// Whether the journal could be read. If not, a run may have been open.
    pub is_journal_read: bool,
}

/// Why no plan can start from a status.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotPlannable {
    /// It was cut off or edited, or another program wrote it.
    #[error("it cannot be read as a status: {0}")]
    Malformed(String),
    /// Its format version.
    #[error("format version {0}; this zkplan reads versions from 1.3 to below 2.0")]
    Version(String),
    /// Why the ensemble was not seen.
    #[error("the ensemble was not seen: {0}")]
    NotSeen(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    ensemble: String,
    text: String,
    seen: Option<SeenShape>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SeenShape {
    at: String,
    config_version: String,
    members: Vec<String>,
    identity_text: Option<String>,
    servers: Vec<ServerShape>,
    is_journal_read: bool,
    run: Option<RunShape>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServerShape {
    id: ServerId,
    is_member: bool,
    in_sync: bool,
}

#[derive(Deserialize)]
struct RunShape {
    run: u64,
}

impl EarlierStatus {
    /// Reads the text of a file; `None` where it is no status document.
    pub fn read(text: &str) -> Option<Result<Self, NotPlannable>> {
        let format = StatusDocument::FORMAT;
        // A configuration is no JSON; a document that was cut off is none either.
        let is_json = text.trim_start().starts_with('{');
        let is_status = is_json && text.contains(&format!("\"{}\"", format.key()));
        is_status.then(|| Self::of(text))
    }

    fn of(text: &str) -> Result<Self, NotPlannable> {
        let malformed = |why: &dyn ToString| NotPlannable::Malformed(why.to_string());
        let document: Value = serde_json::from_str(text).map_err(|why| malformed(&why))?;
        let version = document["formatVersion"].as_str().unwrap_or_default().to_owned();
        let numbers = version.split_once('.').and_then(|(major, minor)| {
            Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
        });
        // Members and time are there since 1.3.
        if !matches!(numbers, Some((1, 3..))) {
            return Err(NotPlannable::Version(version));
        }
        let Shape { ensemble, text, seen } =
            serde_json::from_value(document).map_err(|why| malformed(&why))?;
        let Some(seen) = seen else { return Err(NotPlannable::NotSeen(text)) };
        let membership = Membership::parse(&seen.members.join("\n"));
        let membership = membership.map_err(|why| malformed(&why))?;
        let version = seen.config_version.parse().map_err(|why| malformed(&why))?;
        let synced = seen.servers.into_iter().filter(|server| server.is_member && server.in_sync);
        let synced: BTreeSet<ServerId> = synced.map(|server| server.id).collect();
        let members = membership.ids();
        Ok(Self {
            ensemble,
            at: seen.at,
            identity: seen.identity_text.map_or(Identity::NoneYet, Identity::Known),
            synced: synced.intersection(&members).copied().collect(),
            config: EnsembleConfig { version, membership },
            open_run: seen.run.map(|run| run.run),
            is_journal_read: seen.is_journal_read,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> String {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents/status.json");
        std::fs::read_to_string(path).expect("a document")
    }

    #[test]
    fn a_status_gives_members_and_who_was_in_sync() {
        let read = EarlierStatus::read(&kept()).expect("a status").expect("it can be planned from");
        assert_eq!(read.ensemble, "prod-eu");
        assert_eq!(read.config.membership.ids(), read.synced);
        assert_eq!((read.open_run, read.is_journal_read), (None, true));
        let second_is_down = kept().replacen("\"inSync\": true", "\"inSync\": false", 1);
        let read = EarlierStatus::read(&second_is_down).expect("a status").expect("members");
        assert_eq!(read.config.membership.ids().len(), read.synced.len() + 1);
    }

    #[test]
    fn what_no_plan_can_start_from_is_said() {
        let why = |text: &str| EarlierStatus::read(text).expect("a status").expect_err("no plan");
        assert_eq!(EarlierStatus::read("server.1=a:2888:3888;2181\nversion=1"), None);
        let half = &kept()[..kept().len() / 2];
        assert!(matches!(why(half), NotPlannable::Malformed(_)));
        for version in ["1.2", "2.0", ""] {
            let other = kept().replace(
                "\"formatVersion\": \"1.3\"",
                &format!("\"formatVersion\": \"{version}\""),
            );
            assert_eq!(why(&other), NotPlannable::Version(version.to_owned()));
        }
        let mut unseen: Value = serde_json::from_str(&kept()).expect("JSON");
        unseen["seen"] = Value::Null;
        assert!(matches!(why(&unseen.to_string()), NotPlannable::NotSeen(_)));
    }
}
