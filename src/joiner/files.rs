//! The files from which a joiner starts.

use std::collections::BTreeSet;

use super::first_config::{FirstConfig, new_servers};
use super::limits::{JoinerLimits, TicksSeen};
use super::paths::{DYNAMIC_FILE, JoinerFilesError, JoinerPaths};
use super::script;
use crate::model::{
    MalformedEscape, Membership, Server, ServerId, ServerVersion, SettingName, Target,
};
use crate::observe::{Facts, Observation};
use crate::settings::{
    Edit, EditNote, SUPER_DIGEST, SuperUser, edit, needed_for_changes, value_in, with_keys,
    with_plain_lines, without_keys,
};

/// The key of `zookeeper.db.autocreate` in `zoo.cfg`. With `false`, an empty server has no vote that
/// counts until it has copied the data (`FileTxnSnapLog.restore`, 3.6 and later).
const AUTOCREATE: &str = "db.autocreate";

/// The first release line with that key.
const AUTOCREATE_SINCE: (u16, u16) = (3, 6);

/// What of the present ensemble the files of a joiner depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentEnsemble {
    /// Its members.
    pub members: Membership,
    /// Ids that move to another machine.
    pub other_machine: BTreeSet<ServerId>,
    /// The releases that its servers were seen to run.
    pub versions: BTreeSet<ServerVersion>,
    /// Its ticks and limits.
    pub ticks: TicksSeen,
}

impl PresentEnsemble {
    /// What was seen.
    pub fn of(seen: &Observation, facts: &Facts) -> Self {
        let members = &facts.base.membership;
        let of_members = seen.servers.values().filter(|server| members.contains(server.id));
        Self {
            members: members.clone(),
            other_machine: facts.other_machine.clone(),
            versions: of_members.filter_map(|server| server.version).collect(),
            ticks: TicksSeen::of(seen, &facts.data),
        }
    }

    /// The wanted servers that are to join, with their lines.
    pub fn joiners(&self, target: &Target) -> Membership {
        let wanted = target.membership_for(&self.members);
        let new = new_servers(&wanted, &self.members, &self.other_machine);
        Membership::of(new.into_iter().cloned())
    }
}

/// What the operator gives for the files.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileWishes<'a> {
    /// Name and text of a `zoo.cfg` of a running server, decoded as [`crate::model::latin_1`] does.
    pub model: Option<(&'a str, &'a str)>,
    /// The superDigest, `user:hash`.
    pub token: Option<&'a str>,
    /// Where `zoo.cfg` is on the server; `{id}` is the server's id.
    pub conf_dir: Option<&'a str>,
    /// Its `dataDir`, likewise.
    pub data_dir: Option<&'a str>,
}

/// What to know of the files of a joiner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JoinerNote {
    /// No superDigest was given, and the model has none.
    NoSuperUser,
    /// No file was given, and no server shows its ticks and limits: those of ZooKeeper's sample.
    LimitsAssumed,
    /// The size of the data is not known, so `initLimit` may be too low for them.
    SizeUnknown,
    /// It serves clients in TLS, and no file was given that names keys.
    NoKeys,
}

/// The files of one joiner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinerFiles {
    /// The joiner.
    pub server: ServerId,
    /// Whether it begins an ensemble, with data beside its files.
    pub is_first: bool,
    /// `zoo.cfg`: the edit of the model, or of an empty file.
    pub zoo_cfg: Edit,
    /// The name of the model, where there is one.
    pub model: Option<String>,
    /// The lines of the members: the present voters, and all joiners as observers.
    pub members: Membership,
    /// Where they go.
    pub paths: JoinerPaths,
    /// What to know of them.
    pub notes: BTreeSet<JoinerNote>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinerFile {
    /// Its name.
    pub name: &'static str,
    /// Its text, of characters that are one byte each.
    pub text: String,
    /// Whether it is for its owner alone.
    pub is_secret: bool,
    /// Whether it is a program.
    pub is_program: bool,
}

impl JoinerFile {
    /// Its content: a `zoo.cfg` is read and written in ISO-8859-1.
    pub fn bytes(&self) -> Vec<u8> {
        self.text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
    }
}

impl JoinerFiles {
    /// The files of a joiner, which is among the servers that are to join.
    ///
    /// # Errors
    ///
    /// The model cannot be read, or a path cannot be used.
    pub fn of(
        target: &Target,
        present: &PresentEnsemble,
        joiner: &Server,
        wishes: FileWishes<'_>,
    ) -> Result<Self, JoinerFilesError> {
        let all = present.joiners(target);
        let all: Vec<&Server> = all.servers().collect();
        let members = FirstConfig::of(&present.members, &all).members().clone();
        let text = wishes.model.map_or("", |(_, text)| text);
        let paths = JoinerPaths::of(text, joiner.id, [wishes.conf_dir, wishes.data_dir])?;
        Self::with((target, present), joiner, wishes, (members, paths))
    }

    /// The files of a server that begins an ensemble as its only voter, with data that lie beside them.
    /// Its directories are not those of the model, in which the data of an old server are: their names
    /// end with its id, where no other ones are wished.
    ///
    /// # Errors
    ///
    /// The model cannot be read, or a path cannot be used.
    pub fn of_first_voter(
        target: &Target,
        voter: &Server,
        wishes: FileWishes<'_>,
    ) -> Result<Self, JoinerFilesError> {
        let members = Membership::of([voter.clone()]);
        let present = PresentEnsemble {
            members: members.clone(),
            other_machine: BTreeSet::new(),
            versions: BTreeSet::new(),
            ticks: TicksSeen::default(),
        };
        let text = wishes.model.map_or("", |(_, text)| text);
        let paths = JoinerPaths::beside(text, voter.id, [wishes.conf_dir, wishes.data_dir])?;
        let mut files = Self::with((target, &present), voter, wishes, (members, paths))?;
        // The data are carried over: nothing is copied that could take long.
        files.notes.remove(&JoinerNote::SizeUnknown);
        files.is_first = true;
        Ok(files)
    }

    fn with(
        (target, present): (&Target, &PresentEnsemble),
        joiner: &Server,
        wishes: FileWishes<'_>,
        (members, paths): (Membership, JoinerPaths),
    ) -> Result<Self, JoinerFilesError> {
        let (name, text) = wishes.model.unzip();
        let text = text.unwrap_or_default();
        let auth = target.connect.auth.as_ref();
        let mut needed = needed_for_changes(&target.settings, false);
        needed.superuser = wishes.token.is_some();
        let user = wishes.token.and_then(|token| token.split_once(':')).map(|(user, _)| user);
        let user = SuperUser::Digest(user.unwrap_or_default(), wishes.token);
        let edited = edit(text, &needed, user)?;
        let edited = without_keys(edited, |key| is_of_the_model(key, joiner))?;
        let number = |name: SettingName| -> Result<Option<u64>, MalformedEscape> {
            Ok(value_in(&edited.after, name.key())?.and_then(|value| value.parse::<u64>().ok()))
        };
        let own = [
            number(SettingName::TickTime)?,
            number(SettingName::InitLimit)?,
            number(SettingName::SyncLimit)?,
        ];
        let limits = JoinerLimits::of(own, present.ticks);
        let mut keys = keys(target, present, joiner.id, limits);
        if name.is_none() {
            let further = present.ticks.further(limits.tick_ms);
            keys.extend(further.map(|(name, value)| (name.key().to_owned(), value.to_string())));
        }
        let edited = with_keys(edited, &keys)?;
        let zoo_cfg = with_plain_lines(edited, &paths.keys())?;
        let mut notes = BTreeSet::new();
        if auth.is_some() && value_in(&zoo_cfg.after, SUPER_DIGEST)?.is_none() {
            notes.insert(JoinerNote::NoSuperUser);
        }
        if own.contains(&None) && present.ticks.init_limit.is_none() {
            notes.insert(JoinerNote::LimitsAssumed);
        }
        if present.ticks.needed_ms.is_none() {
            notes.insert(JoinerNote::SizeUnknown);
        }
        if name.is_none() && secure_port(target, joiner.id).is_some() {
            notes.insert(JoinerNote::NoKeys);
        }
        let model = name.map(str::to_owned);
        Ok(Self { server: joiner.id, is_first: false, zoo_cfg, model, members, paths, notes })
    }

    /// Whether `zoo.cfg` holds a secret.
    pub fn has_secret(&self) -> bool {
        self.zoo_cfg.notes.contains(&EditNote::SecretInFile)
    }

    /// The files, by name.
    pub fn files(&self) -> Vec<JoinerFile> {
        let file =
            |name, text: String| JoinerFile { name, text, is_secret: false, is_program: false };
        let flags = &self.zoo_cfg.jvm_flags;
        let java_env = format!("SERVER_JVMFLAGS=\"$SERVER_JVMFLAGS {}\"\n", flags.join(" "));
        let secret = self.has_secret();
        let install = script::install(self.server, &self.paths, secret);
        let mut files = vec![
            JoinerFile { is_secret: secret, ..file("zoo.cfg", self.zoo_cfg.after.clone()) },
            file(DYNAMIC_FILE, self.members.to_string()),
            file("myid", format!("{}\n", self.server)),
            JoinerFile { is_program: true, ..file("install.sh", install) },
            file("README.txt", script::readme((self.server, self.is_first), &self.paths, flags)),
        ];
        files.extend((!flags.is_empty()).then(|| file("java.env", java_env)));
        files
    }
}

/// Keys that a joiner does not take over from a running server: its members, and its client port where
/// the joiner's own line, or its secure port, takes its place.
fn is_of_the_model(key: &str, joiner: &Server) -> bool {
    let of_members = ["server.", "group.", "weight."].iter().any(|kind| key.starts_with(kind));
    let of_clients = ["clientPort", "clientPortAddress"].contains(&key);
    of_members
        || ["dynamicConfigFile", "peerType", "version"].contains(&key)
        || (of_clients && joiner.client.is_some())
}

/// The keys of a joiner beside those of every server.
fn keys(
    target: &Target,
    present: &PresentEnsemble,
    joiner: ServerId,
    limits: JoinerLimits,
) -> Vec<(String, String)> {
    let key = |name: &str, value: String| (name.to_owned(), value);
    let mut keys = vec![
        key("tickTime", limits.tick_ms.to_string()),
        key("initLimit", limits.init_limit.to_string()),
        key("syncLimit", limits.sync_limit.to_string()),
        key("standaloneEnabled", "false".to_owned()),
    ];
    let mut versions = present.versions.iter().chain(&target.settings.version);
    if versions.all(|version| version.line() >= AUTOCREATE_SINCE) {
        keys.push(key(AUTOCREATE, "false".to_owned()));
    }
    keys.extend(secure_port(target, joiner).map(|port| key("secureClientPort", port.to_string())));
    keys
}

fn secure_port(target: &Target, joiner: ServerId) -> Option<u16> {
    target.servers.get(&joiner)?.secure_client_port
}

#[cfg(test)]
mod tests;
