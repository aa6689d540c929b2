//! The settings that servers show of themselves, each with its source.
//!
//! | setting | sources, best first |
//! |---|---|
//! | `reconfigEnabled` | the config version in `conf` |
//! | `fourLetterWords` | the word itself, sent; `system_properties` of the AdminServer (3.6) |
//! | `initLimit`, `syncLimit` | `conf` |
//! | `tickTime`, `maxClientCnxns`, session time-outs | `conf`; `configuration` of the AdminServer |
//! | `version` | `srvr`; AdminServer |
//!
//! Whether a credential is a super user shows only who shows it: observing does not.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use serde_json::Value;

use super::endpoint_answers::EndpointAnswers;
use super::{Question, ServerObservation, Source, Sourced};
use crate::ensemble::{Ensemble, FourLetterWord, NoAnswer, ServerVersion};
use crate::model::{EnsembleConfig, ServerId, SettingName};

/// The settings that one server shows of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedSettings {
    values: BTreeMap<SettingName, Result<Sourced<SettingValue>, NotSeen>>,
}

/// A setting as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingValue {
    /// Whether it is on; for `superuser`, whether the credential is accepted.
    Flag(bool),
    /// A number.
    Number(u64),
    /// Four-letter words that the server answers, and those that it refuses. Of others it is not
    /// known.
    Words {
        /// Those that it answers.
        allowed: BTreeSet<String>,
        /// Those that are not in its `4lw.commands.whitelist`.
        refused: BTreeSet<String>,
    },
    /// The release.
    Release(ServerVersion),
}

/// Why a setting of a server is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NotSeen {
    /// No question was put that could tell.
    NotAsked,
    /// The server does not answer as itself.
    NoAnswer,
    /// `conf` is not in its `4lw.commands.whitelist`, and nothing else tells.
    ConfNotAllowed,
    /// What it answered does not tell.
    NotTold,
    /// It shows only once a server leads that has it: the leader has `reconfigEnabled=false`, and
    /// while it leads no server shows another config version than 0.
    LeaderFirst,
    /// Only a session with the credential shows it.
    NeedsCredential,
}

impl ObservedSettings {
    /// What is known of a setting.
    pub fn get(&self, name: SettingName) -> Result<&Sourced<SettingValue>, NotSeen> {
        match self.values.get(&name) {
            Some(Ok(seen)) => Ok(seen),
            Some(Err(why)) => Err(*why),
            None => Err(NotSeen::NotAsked),
        }
    }

    /// Keeps what was seen of a setting, in place of what was known before.
    pub fn set(&mut self, name: SettingName, seen: Result<Sourced<SettingValue>, NotSeen>) {
        self.values.insert(name, seen);
    }

    /// Of a server that does not answer as itself.
    fn of_silent() -> Self {
        let all = SettingName::NUMBERS.into_iter().chain([
            SettingName::ReconfigEnabled,
            SettingName::Superuser,
            SettingName::FourLetterWords,
            SettingName::Version,
        ]);
        Self { values: all.map(|name| (name, Err(NotSeen::NoAnswer))).collect() }
    }

    /// What the answers of an endpoint contain, before anything is asked for the sake of settings.
    pub(super) fn of_words(probe: &EndpointAnswers) -> Self {
        let mut settings = Self::default();
        let conf = probe.conf.as_ref();
        let unseen = match conf {
            Err(NoAnswer::NotWhitelisted) => NotSeen::ConfNotAllowed,
            Ok(_) | Err(_) => NotSeen::NotTold,
        };
        for name in SettingName::NUMBERS {
            let number = conf.ok().and_then(|conf| match name {
                SettingName::InitLimit => conf.init_limit,
                SettingName::SyncLimit => conf.sync_limit,
                SettingName::TickTime => conf.tick_ms,
                SettingName::MaxClientCnxns => conf.max_client_connections.map(u64::from),
                SettingName::MinSessionTimeout => conf.min_session_ms,
                SettingName::MaxSessionTimeout => conf.max_session_ms,
                _ => None,
            });
            settings.set(name, number.map(|n| sourced(n, Source::Conf)).ok_or(unseen));
        }
        settings.set(SettingName::Superuser, Err(NotSeen::NeedsCredential));
        settings.set(SettingName::FourLetterWords, Ok(words_of(probe)));
        let version = probe.version_sourced().map(|version| Sourced {
            value: SettingValue::Release(version.value),
            source: version.source,
        });
        settings.set(SettingName::Version, version.ok_or(NotSeen::NotTold));
        settings
    }
}

fn sourced(number: u64, source: Source) -> Sourced<SettingValue> {
    Sourced { value: SettingValue::Number(number), source }
}

/// What two words that are always sent show of the whitelist.
fn words_of(probe: &EndpointAnswers) -> Sourced<SettingValue> {
    let mut tried = TriedWords::default();
    tried.note(FourLetterWord::Srvr, probe.srvr.as_ref().map(drop).map_err(|why| *why));
    tried.note(FourLetterWord::Conf, probe.conf.as_ref().map(drop).map_err(|why| *why));
    tried.seen()
}

/// Words that were sent, and whether they were answered.
#[derive(Default)]
struct TriedWords {
    allowed: BTreeSet<String>,
    refused: BTreeSet<String>,
}

impl TriedWords {
    fn note(&mut self, word: FourLetterWord, answer: Result<(), NoAnswer>) {
        let word = word.letters().to_owned();
        match answer {
            Ok(()) => drop(self.allowed.insert(word)),
            Err(NoAnswer::NotWhitelisted) => drop(self.refused.insert(word)),
            // Neither: a server before 3.6 hangs up at `hash`.
            Err(_) => {}
        }
    }

    fn seen(self) -> Sourced<SettingValue> {
        let Self { allowed, refused } = self;
        Sourced { value: SettingValue::Words { allowed, refused }, source: Source::Word }
    }
}

/// Asks the wanted servers what the words that are always sent do not tell of the wanted settings.
pub(super) async fn complete<E: Ensemble>(
    port: &E,
    question: &Question,
    config: &EnsembleConfig,
    leader: Option<ServerId>,
    servers: &mut BTreeMap<ServerId, ServerObservation>,
) {
    if question.settings.is_empty() {
        return;
    }
    let wanted = servers.values_mut().filter(|observed| question.wanted.contains_key(&observed.id));
    join_all(wanted.map(|observed| async {
        let is_itself = observed.own_id.is_some_and(|own| own.value == observed.id);
        if !is_itself || observed.mode.is_none() {
            observed.settings = ObservedSettings::of_silent();
            return;
        }
        let leads = leader == Some(observed.id);
        let enabled = reconfig_enabled(observed, leads, config);
        observed.settings.set(SettingName::ReconfigEnabled, enabled);
        ask_words(port, question, observed).await;
        ask_admin(port, question, observed).await;
    }))
    .await;
}

/// What the config version of a server tells of its `reconfigEnabled`.
///
/// A server with `reconfigEnabled=false` takes no configuration from a leader, and so stays at
/// version 0 (`QuorumPeer.processReconfig`). Only where the flag was switched off later, in a file
/// that ZooKeeper has rewritten, does it start with a version all the same, and keep that.
fn reconfig_enabled(
    observed: &ServerObservation,
    leads: bool,
    config: &EnsembleConfig,
) -> Result<Sourced<SettingValue>, NotSeen> {
    let own = observed.config.as_ref().ok_or(NotSeen::NotTold)?;
    let flag = |on| Ok(Sourced { value: SettingValue::Flag(on), source: own.source });
    match (own.value.version.is_zero(), own.source) {
        (true, _) if leads => flag(false),
        (true, _) if config.version.is_zero() => Err(NotSeen::LeaderFirst),
        (true, Source::Conf) => flag(false),
        (false, Source::Conf) => flag(true),
        // The znode is the leader's data, also where this server runs without reconfigs.
        (_, _) => Err(NotSeen::ConfNotAllowed),
    }
}

/// Sends the wanted words that zkplan uses. Other words can be costly or reset figures.
async fn ask_words<E: Ensemble>(port: &E, question: &Question, observed: &mut ServerObservation) {
    let Some(at) = observed.endpoint.clone() else { return };
    let seen = observed.settings.get(SettingName::FourLetterWords);
    let Ok(Sourced { value: SettingValue::Words { allowed, refused }, .. }) = seen else { return };
    let mut tried = TriedWords { allowed: allowed.clone(), refused: refused.clone() };
    let used =
        [FourLetterWord::Mntr, FourLetterWord::Cons, FourLetterWord::Hash, FourLetterWord::Dump];
    for word in used {
        if question.settings.four_letter_words.contains(word.letters()) {
            // One after the other: a server may take few connections from one address.
            tried.note(word, port.ask(&at, word).await.map(drop));
        }
    }
    observed.settings.set(SettingName::FourLetterWords, Ok(tried.seen()));
}

/// Asks the AdminServer that the spec names, if anything is left that it could tell.
async fn ask_admin<E: Ensemble>(port: &E, question: &Question, observed: &mut ServerObservation) {
    let base = question.wanted.get(&observed.id).and_then(|wanted| wanted.admin.as_deref());
    let Some(base) = base else { return };
    let numbers = question.settings.numbers.keys().copied();
    let lacking: Vec<(SettingName, &str)> = numbers
        .filter(|name| observed.settings.get(*name).is_err())
        .filter_map(|name| Some((name, admin_key(name)?)))
        .collect();
    let words = question.settings.four_letter_words.iter();
    let is_unknown = |word: &&String| {
        !matches!(
            observed.settings.get(SettingName::FourLetterWords),
            Ok(Sourced { value: SettingValue::Words { allowed, refused }, .. })
                if allowed.contains(*word) || refused.contains(*word)
        )
    };
    let lacks_words = words.clone().any(|word| is_unknown(&word));
    if lacking.is_empty() && !lacks_words {
        return;
    }
    let Ok(configuration) = port.admin(base, "configuration").await else { return };
    // The URL comes from the spec and may lead to another server.
    if configuration.get("server_id").and_then(Value::as_i64) != Some(observed.id.get()) {
        return;
    }
    for (name, key) in lacking {
        if let Some(number) = configuration.get(key).and_then(Value::as_u64) {
            observed.settings.set(name, Ok(sourced(number, Source::AdminServer)));
        }
    }
    if lacks_words && let Ok(properties) = port.admin(base, "system_properties").await {
        add_whitelist(&properties, words, &mut observed.settings);
    }
}

/// The key of `configuration` (`Commands.ConfCommand`).
const fn admin_key(name: SettingName) -> Option<&'static str> {
    match name {
        SettingName::TickTime => Some("tick_time"),
        SettingName::MaxClientCnxns => Some("max_client_cnxns"),
        SettingName::MinSessionTimeout => Some("min_session_timeout"),
        SettingName::MaxSessionTimeout => Some("max_session_timeout"),
        _ => None,
    }
}

/// Adds what the whitelist tells of the words that were not sent. Of the properties, which hold
/// secrets too, no other is read.
fn add_whitelist<'a>(
    properties: &Value,
    words: impl Iterator<Item = &'a String>,
    settings: &mut ObservedSettings,
) {
    let text = |key: &str| properties.get(key).and_then(Value::as_str);
    // An answer without any property that each JVM has is no answer.
    if text("java.version").is_none() {
        return;
    }
    let list = text("zookeeper.4lw.commands.whitelist").unwrap_or_default();
    let list: BTreeSet<&str> = list.split(',').map(str::trim).collect();
    let is_read_only = text("readonlymode.enabled") == Some("true");
    let is_allowed = |word: &str| {
        list.contains("*")
            || list.contains(word)
            || word == "srvr"
            || (word == "isro" && is_read_only)
    };
    let Ok(Sourced { value: SettingValue::Words { allowed, refused }, .. }) =
        settings.get(SettingName::FourLetterWords)
    else {
        return;
    };
    let (mut allowed, mut refused) = (allowed.clone(), refused.clone());
    for word in words {
        if !allowed.contains(word) && !refused.contains(word) {
            let to = if is_allowed(word) { &mut allowed } else { &mut refused };
            to.insert(word.clone());
        }
    }
    let value = SettingValue::Words { allowed, refused };
    let seen = Sourced { value, source: Source::AdminServer };
    settings.set(SettingName::FourLetterWords, Ok(seen));
}
