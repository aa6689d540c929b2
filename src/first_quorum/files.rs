//! The files with which a standalone server starts as a quorum of one.

use super::hindrance::Hindrance;
use crate::model::{Server, ServerId, Target, properties, trimmed};
use crate::settings::{Edit, SuperUser, edit, needed_for_changes, with_keys};

/// A `zoo.cfg` that the operator gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// Its name.
    pub name: String,
    /// Its text, decoded as [`crate::model::latin_1`] does.
    pub text: String,
}

/// What `myid` and `zoo.cfg` of the server need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEdits {
    /// The folder of `myid`: `dataDir`, where it is known.
    pub data_dir: Option<String>,
    /// What `myid` holds.
    pub my_id: ServerId,
    /// The name of the `zoo.cfg` that was given; `None` where none was.
    pub given: Option<String>,
    /// The edit of that file. Where none was given, the lines to add, as the edit of an empty file.
    pub zoo_cfg: Edit,
}

impl FileEdits {
    /// What the server needs to start with that line; `tells_all` says whether it answers all words
    /// that zkplan asks.
    pub(super) fn of(
        target: &Target,
        server: &Server,
        (data_dir, tells_all): (Option<&str>, bool),
        given: Option<&NamedFile>,
    ) -> Result<Self, Vec<Hindrance>> {
        let text = given.map_or("", |given| &given.text);
        let malformed =
            |error: &dyn std::fmt::Display| vec![Hindrance::Malformed(error.to_string())];
        let own = properties(text).map_err(|error| malformed(&error))?;
        let value = |key: &str| {
            let last = own.iter().rev().find(|property| trimmed(&property.key) == key);
            last.map(|property| trimmed(&property.value).to_owned())
        };
        let hindrances = conflicts(server, value, own.iter().map(|own| trimmed(&own.key)));
        if !hindrances.is_empty() {
            return Err(hindrances);
        }
        let auth = target.connect.auth.as_ref();
        let mut needed = needed_for_changes(&target.settings, auth.is_some());
        if target.settings.four_letter_words.is_empty() && tells_all {
            needed.four_letter_words.clear();
        }
        let edit = edit(text, &needed, SuperUser::of(auth)).map_err(|error| malformed(&error))?;
        let line = (format!("server.{}", server.id), server.value());
        let alone = ("standaloneEnabled".to_owned(), "false".to_owned());
        let zoo_cfg = with_keys(edit, &[alone, line]).map_err(|error| malformed(&error))?;
        Ok(Self {
            data_dir: value("dataDir").or_else(|| data_dir.map(str::to_owned)),
            my_id: server.id,
            given: given.map(|given| given.name.clone()),
            zoo_cfg,
        })
    }

    /// The lines to add, where no file was given.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        let lines = self.zoo_cfg.after.lines();
        lines.filter(|_| self.given.is_none())
    }
}

/// What of a file a server with that line does not start with (`QuorumPeerConfig.setupClientPort`),
/// or what shows that it is no standalone server's.
fn conflicts<'a>(
    server: &Server,
    value: impl Fn(&str) -> Option<String>,
    keys: impl Iterator<Item = &'a str>,
) -> Vec<Hindrance> {
    let mut found = Vec::new();
    if let Some(client) = &server.client {
        let port = value("clientPort").filter(|port| port.parse() != Ok(client.port));
        found.extend(port.map(|file| Hindrance::OtherClientPort { file, spec: client.port }));
        let is_any = |host: &str| crate::model::Host::new(host).is_wildcard();
        let address = value("clientPortAddress").filter(|address| !is_any(address));
        let address = address.filter(|address| *address != client.host.to_string());
        let spec = client.host.to_string();
        found.extend(address.map(|file| Hindrance::OtherClientAddress { file, spec }));
    }
    let own = format!("server.{}", server.id);
    let mut others: Vec<String> = keys
        .filter(|key| key.starts_with("server.") || *key == "dynamicConfigFile")
        .filter(|key| *key != own)
        .map(str::to_owned)
        .collect();
    others.sort();
    others.dedup();
    if !others.is_empty() {
        found.push(Hindrance::MembersInFile(others));
    }
    found
}
