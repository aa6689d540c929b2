//! The section of the settings that every server must run with.

use std::collections::BTreeSet;

use super::read::Reader;
use super::shown::quoted;
use super::tree::{Node, Value};
use crate::model::{Bound, FOUR_LETTER_WORDS, ServerVersion, SettingName, WantedSettings};

/// The keys of the section, in the order of [`SettingName`].
const KEYS: [&str; 10] = [
    SettingName::ReconfigEnabled.key(),
    SettingName::Superuser.key(),
    SettingName::FourLetterWords.key(),
    SettingName::InitLimit.key(),
    SettingName::SyncLimit.key(),
    SettingName::TickTime.key(),
    SettingName::MaxClientCnxns.key(),
    SettingName::MinSessionTimeout.key(),
    SettingName::MaxSessionTimeout.key(),
    SettingName::Version.key(),
];

/// A release, as the schema says it.
pub(super) const VERSION_PATTERN: &str = r"^(0|[1-9][0-9]{0,3})(\.(0|[1-9][0-9]{0,3})){2}$";

/// A bound that is a text, as the schema says it.
pub(super) const BOUND_PATTERN: &str = "^>= *[0-9]{1,9}$";

impl Reader {
    /// Reads the settings.
    pub(super) fn settings(&mut self, node: &Node) -> WantedSettings {
        let mut settings = WantedSettings::default();
        let Some(map) = self.fields(node, "`settings`", &KEYS) else { return settings };
        if let Some(node) = map.get("reconfigEnabled") {
            settings.reconfig_enabled = self.only_true(node);
        }
        if let Some(node) = map.get("superuser") {
            settings.superuser = self.choice(node, "`superuser`", &[("required", ())]).is_some();
        }
        if let Some(node) = map.get("fourLetterWords") {
            settings.four_letter_words = self.words(node);
        }
        for name in SettingName::NUMBERS {
            let bound = map.get(name.key()).and_then(|node| self.bound(node, name));
            settings.numbers.extend(bound.map(|bound| (name, bound)));
        }
        settings.version = map.get("version").and_then(|node| self.version(node));
        settings
    }

    fn only_true(&mut self, node: &Node) -> bool {
        let is_true = matches!(node.value, Value::Bool(true));
        if !is_true {
            let found = match node.value {
                Value::Bool(false) => "found false".to_owned(),
                _ => format!("found {}", node.value.kind()),
            };
            let remedy = "zkplan changes members by reconfig: write true, or remove the line";
            self.complain(node.place, "`reconfigEnabled` must be true", found, remedy);
        }
        is_true
    }

    fn words(&mut self, node: &Node) -> BTreeSet<String> {
        let what = "`fourLetterWords`";
        let items = self.list(node, what, "a list of words").unwrap_or_default();
        let known: Vec<(&'static str, &'static str)> =
            FOUR_LETTER_WORDS.iter().map(|word| (*word, *word)).collect();
        let words = items
            .iter()
            .filter_map(|item| self.choice(item, "a word in `fourLetterWords`", &known));
        words.map(str::to_owned).collect()
    }

    fn bound(&mut self, node: &Node, name: SettingName) -> Option<Bound> {
        const LARGEST: u32 = Bound::LARGEST;
        let what = format!("`{name}`");
        let least = u32::from(name != SettingName::MaxClientCnxns);
        let bound = match &node.value {
            Value::Whole(number) => u32::try_from(*number).ok().map(Bound::Exactly),
            Value::Text(text) if text.starts_with(">=") => text.parse().ok(),
            Value::Text(text) => {
                let remedy = "write a number, or a least number in quotes, like \">=30\"";
                let what = format!("{what} is `{}`", quoted(text));
                self.complain(node.place, what, "not a number and not >=", remedy);
                return None;
            }
            _ => {
                self.wrong_type(node, &what, "a number, or a least number like \">=30\"");
                return None;
            }
        };
        let range = least..=LARGEST;
        let bound = bound.filter(|bound| range.contains(&bound.number()));
        if bound.is_none() {
            let shown = match &node.value {
                Value::Whole(number) => number.to_string(),
                Value::Text(text) => format!("`{}`", quoted(text)),
                _ => String::new(),
            };
            let label = format!("not from {least} to {LARGEST}");
            let remedy = format!("give a number from {least} to {LARGEST}, or >= and one");
            self.complain(node.place, format!("{what} is {shown}"), label, remedy);
        }
        bound
    }

    fn version(&mut self, node: &Node) -> Option<ServerVersion> {
        const REMEDY: &str = "give a release in quotes, like \"3.9.5\"";
        let text = match &node.value {
            Value::Text(text) => text,
            Value::Whole(_) | Value::Float => {
                let found = format!("found {}", node.value.kind());
                self.complain(node.place, "`version` must be a text", found, REMEDY);
                return None;
            }
            _ => {
                self.wrong_type(node, "`version`", "a text");
                return None;
            }
        };
        let version = ServerVersion::from_build(text);
        let is_release = |version: &ServerVersion| {
            let ServerVersion { major, minor, patch } = *version;
            version.to_string() == *text && [major, minor, patch].iter().all(|part| *part < 10_000)
        };
        let version = version.filter(is_release);
        if version.is_none() {
            let what = format!("`version` is `{}`", quoted(text));
            self.complain(node.place, what, "not a release", REMEDY);
        }
        version
    }
}
