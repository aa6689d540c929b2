//! The settings that every server must run with, as a spec wants them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ServerVersion;

/// The settings that every server of the spec must run with. What is not given is not wanted.
///
/// They are wanted, not written: zkplan compares them with what it sees and edits no file on a
/// server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WantedSettings {
    /// `reconfigEnabled=true`.
    pub reconfig_enabled: bool,
    /// The credential of `connect.auth` may write `/zookeeper/config` through each server.
    pub superuser: bool,
    /// Four-letter words that each server must answer (`4lw.commands.whitelist`). More may be
    /// allowed.
    pub four_letter_words: BTreeSet<String>,
    /// Numbers, by their setting; only those of [`SettingName::NUMBERS`].
    pub numbers: BTreeMap<SettingName, Bound>,
    /// The release.
    pub version: Option<ServerVersion>,
}

impl WantedSettings {
    /// Whether nothing is wanted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is wanted, one by one, in the order of [`SettingName`].
    pub fn each(&self) -> Vec<(SettingName, WantedSetting)> {
        let Self { reconfig_enabled, superuser, four_letter_words, numbers, version } = self;
        let mut each = Vec::new();
        if *reconfig_enabled {
            each.push((SettingName::ReconfigEnabled, WantedSetting::On));
        }
        if *superuser {
            each.push((SettingName::Superuser, WantedSetting::Required));
        }
        if !four_letter_words.is_empty() {
            let words = WantedSetting::Words(four_letter_words.clone());
            each.push((SettingName::FourLetterWords, words));
        }
        each.extend(numbers.iter().map(|(name, bound)| (*name, WantedSetting::Number(*bound))));
        each.extend(version.map(|version| (SettingName::Version, WantedSetting::Release(version))));
        each
    }
}

/// A setting that a spec can want, in the order in which screens show them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum SettingName {
    /// Whether reconfigs are taken at all.
    ReconfigEnabled,
    /// Whether `connect.auth` is a super user of the server.
    Superuser,
    /// Which four-letter words are answered.
    FourLetterWords,
    /// Ticks that a learner may take to connect and copy the data (`initLimit`).
    InitLimit,
    /// Ticks that a learner may fall behind (`syncLimit`).
    SyncLimit,
    /// The tick in milliseconds (`tickTime`).
    TickTime,
    /// Connections that are taken from one address (`maxClientCnxns`); 0 is any number.
    MaxClientCnxns,
    /// The shortest session time-out in milliseconds (`minSessionTimeout`).
    MinSessionTimeout,
    /// The longest session time-out in milliseconds (`maxSessionTimeout`).
    MaxSessionTimeout,
    /// The release.
    Version,
}

impl SettingName {
    /// The settings that are numbers.
    pub const NUMBERS: [Self; 6] = [
        Self::InitLimit,
        Self::SyncLimit,
        Self::TickTime,
        Self::MaxClientCnxns,
        Self::MinSessionTimeout,
        Self::MaxSessionTimeout,
    ];

    /// Its key in a spec. The key of a number is that of `zoo.cfg`.
    pub const fn key(self) -> &'static str {
        match self {
            Self::ReconfigEnabled => "reconfigEnabled",
            Self::Superuser => "superuser",
            Self::FourLetterWords => "fourLetterWords",
            Self::InitLimit => "initLimit",
            Self::SyncLimit => "syncLimit",
            Self::TickTime => "tickTime",
            Self::MaxClientCnxns => "maxClientCnxns",
            Self::MinSessionTimeout => "minSessionTimeout",
            Self::MaxSessionTimeout => "maxSessionTimeout",
            Self::Version => "version",
        }
    }
}

impl fmt::Display for SettingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// What is wanted of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WantedSetting {
    /// It is true.
    On,
    /// The server has it.
    Required,
    /// These words are answered.
    Words(BTreeSet<String>),
    /// The number is within that bound.
    Number(Bound),
    /// The server runs this release.
    Release(ServerVersion),
}

impl fmt::Display for WantedSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On => f.write_str("true"),
            Self::Required => f.write_str("required"),
            Self::Words(words) => {
                f.write_str(&words.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
            }
            Self::Number(bound) => bound.fmt(f),
            Self::Release(version) => version.fmt(f),
        }
    }
}

/// What a number must be: `30`, or `>=30`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub enum Bound {
    /// Exactly this.
    Exactly(u32),
    /// This or more.
    AtLeast(u32),
}

impl Bound {
    /// The largest number: nine digits, which ZooKeeper can read (`Integer.parseInt`).
    pub const LARGEST: u32 = 999_999_999;

    /// The number in it.
    pub const fn number(self) -> u32 {
        match self {
            Self::Exactly(number) | Self::AtLeast(number) => number,
        }
    }

    /// Whether a number is within it.
    fn holds(self, number: u64) -> bool {
        match self {
            Self::Exactly(wanted) => number == u64::from(wanted),
            Self::AtLeast(least) => number >= u64::from(least),
        }
    }
}

impl Bound {
    /// Whether the value of that setting is as wanted: within the bound. `maxClientCnxns=0` is any
    /// number of connections, and so more than each least number.
    pub fn allows(self, name: SettingName, value: u64) -> bool {
        let is_unlimited = name == SettingName::MaxClientCnxns && value == 0;
        self.holds(value) || (is_unlimited && matches!(self, Self::AtLeast(_)))
    }
}

impl From<Bound> for String {
    fn from(bound: Bound) -> Self {
        bound.to_string()
    }
}

impl TryFrom<String> for Bound {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|()| format!("`{text}` is no bound of a number"))
    }
}

impl FromStr for Bound {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (digits, of): (&str, fn(u32) -> Self) = match text.strip_prefix(">=") {
            Some(digits) => (digits.trim_start_matches(' '), Self::AtLeast),
            None => (text, Self::Exactly),
        };
        let is_plain =
            (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|_| is_plain).map(of).ok_or(())
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(number) => number.fmt(f),
            Self::AtLeast(least) => write!(f, ">={least}"),
        }
    }
}

/// The four-letter words of ZooKeeper (`FourLetterCommands`); `hash` from 3.6.
pub const FOUR_LETTER_WORDS: [&str; 18] = [
    "conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "isro", "mntr", "ruok", "srst",
    "srvr", "stat", "stmk", "wchc", "wchp", "wchs",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_a_number_or_a_least_number() {
        for (text, bound, shown) in [
            ("30", Bound::Exactly(30), "30"),
            (">=30", Bound::AtLeast(30), ">=30"),
            (">=  7", Bound::AtLeast(7), ">=7"),
        ] {
            assert_eq!(text.parse(), Ok(bound));
            assert_eq!(bound.to_string(), shown);
        }
        for wrong in ["", ">=", "<=3", ">3", ">= -1", "+3", "3 ", "0000000003", "3.5"] {
            assert_eq!(wrong.parse::<Bound>(), Err(()), "{wrong}");
        }
        let holds = [Bound::Exactly(3).holds(3), Bound::Exactly(3).holds(4)];
        assert_eq!(holds, [true, false]);
        let holds = [Bound::AtLeast(3).holds(3), Bound::AtLeast(3).holds(2)];
        assert_eq!(holds, [true, false]);
        let unlimited = |bound: Bound| bound.allows(SettingName::MaxClientCnxns, 0);
        assert_eq!([Bound::AtLeast(60), Bound::Exactly(60)].map(unlimited), [true, false]);
    }
}
