//! The rules that the operator sets for the way from one membership to the next.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A length of time in whole milliseconds; written as a whole number and `ms`, `s`, `m` or `h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String", extend("pattern" = "^[0-9]{1,9}(ms|s|m|h)$"))]
pub struct Millis(pub u64);

impl Millis {
    /// A length in seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1000)
    }

    /// The same length for the standard library.
    pub const fn as_duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

impl FromStr for Millis {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "a duration is a whole number and `ms`, `s`, `m` or `h`, like `5s`";
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let factor = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(FORM),
        };
        if digits > 9 {
            return Err("a duration has at most nine digits");
        }
        number.parse::<u64>().map(|n| Self(n * factor)).map_err(|_| FORM)
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ms if ms % 1000 != 0 => write!(f, "{ms}ms"),
            ms if ms % 3_600_000 == 0 && ms > 0 => write!(f, "{}h", ms / 3_600_000),
            ms if ms % 60_000 == 0 && ms > 0 => write!(f, "{}m", ms / 60_000),
            ms => write!(f, "{}s", ms / 1000),
        }
    }
}

impl Serialize for Millis {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The rules that the operator sets for a plan. Every field has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Policy {
    /// Voter failures that the ensemble tolerates at every moment of the plan without stopping
    /// writes.
    pub min_tolerance: MinTolerance,
    /// How strictly the plan must survive the loss of a whole zone.
    pub zones: ZonePolicy,
    /// Voters that one reconfig may change. 0 means as many as the safety rules allow.
    pub changes_per_step: u32,
    /// How new voters are added.
    pub add_as: AddAs,
    /// Whether the plan waits for clients before it removes old servers.
    pub cutover: Cutover,
    /// An extra wait for each joiner, after it has been proven ready.
    pub stable_for: Millis,
    /// The most removals that no addition replaces (ZKQ14).
    pub max_shrink: u32,
    /// What the operator knows about the servers' `standaloneEnabled`, which zkplan cannot read.
    pub standalone_enabled: StandaloneEnabled,
    /// Whether an id may be moved to another machine.
    pub reuse_ids: ReuseIds,
    /// Whether statically configured server lines get their client address.
    pub client_part: ClientPart,
    /// Whether only a saved plan is applied: what a reviewer has seen, and nothing that is made
    /// while it is applied.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub require_saved_plan: bool,
    /// The backup that an apply asks for before voters change; `None` where it asks for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupPolicy>,
}

/// What an apply asks of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupPolicy {
    /// How long ago its last transaction may be.
    pub max_age: Millis,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            min_tolerance: MinTolerance::Auto,
            zones: ZonePolicy::Best,
            changes_per_step: 1,
            add_as: AddAs::Participant,
            cutover: Cutover::Auto,
            stable_for: Millis::from_secs(5),
            max_shrink: 2,
            standalone_enabled: StandaloneEnabled::Unknown,
            reuse_ids: ReuseIds::Never,
            client_part: ClientPart::Keep,
            require_saved_plan: false,
            backup: None,
        }
    }
}

/// Voter failures that the ensemble tolerates at every moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MinTolerance {
    /// The smaller of the present tolerance and that of the target.
    Auto,
    /// At least this many, but never more than the ensemble tolerates at the start.
    AtLeast(u32),
}

impl Serialize for MinTolerance {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::AtLeast(count) => serializer.serialize_u32(*count),
        }
    }
}

impl<'de> Deserialize<'de> for MinTolerance {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(word) if word == "auto" => Ok(Self::Auto),
            serde_json::Value::Number(number) => number
                .as_u64()
                .and_then(|count| u32::try_from(count).ok())
                .map(Self::AtLeast)
                .ok_or_else(|| serde::de::Error::custom("not a small whole number")),
            _ => Err(serde::de::Error::custom("not `auto` and not a whole number")),
        }
    }
}

impl JsonSchema for MinTolerance {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MinTolerance".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Voter failures that the ensemble tolerates at every step; `auto` is \
                            the smaller of now and target.",
            "oneOf": [{ "const": "auto" }, { "type": "integer", "minimum": 0, "maximum": 127 }]
        })
    }
}

/// How strictly the plan must survive the loss of a whole zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ZonePolicy {
    /// As safe as any order of steps allows. The plan lists the steps after which it is not safe.
    Best,
    /// The loss of one zone must not stop writes at any moment.
    Strict,
    /// Zones are not considered.
    Ignore,
}

/// How new voters are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AddAs {
    /// With a vote at once.
    Participant,
    /// As observers, promoted when all have been added.
    Observer,
}

/// Whether the plan waits for clients before it removes old servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Cutover {
    /// A gate before the first removal if no present server stays. Otherwise no gate.
    Auto,
    /// A gate before the first removal that opens only by approval.
    Manual,
    /// A gate before the first removal that opens when no client is left on a leaving server.
    Drained,
    /// No gate.
    None,
}

/// What the operator knows about the servers' `standaloneEnabled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandaloneEnabled {
    /// Nothing; ZooKeeper's default is true.
    Unknown,
    /// It is true on at least one server.
    True,
    /// It is false on every server.
    False,
}

impl Serialize for StandaloneEnabled {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unknown => serializer.serialize_str("unknown"),
            Self::True => serializer.serialize_bool(true),
            Self::False => serializer.serialize_bool(false),
        }
    }
}

impl<'de> Deserialize<'de> for StandaloneEnabled {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(word) if word == "unknown" => Ok(Self::Unknown),
            serde_json::Value::Bool(true) => Ok(Self::True),
            serde_json::Value::Bool(false) => Ok(Self::False),
            _ => Err(serde::de::Error::custom("not `unknown`, `true` or `false`")),
        }
    }
}

impl JsonSchema for StandaloneEnabled {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StandaloneEnabled".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "The `standaloneEnabled` of the servers; zkplan cannot see it.",
            "enum": ["unknown", true, false]
        })
    }
}

/// Whether an id may be moved to another machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ReuseIds {
    /// Never.
    Never,
    /// Only to a machine whose data directory the operator attests to be blank.
    Blank,
}

/// Whether statically configured server lines get their client address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ClientPart {
    /// They stay as they are.
    Keep,
    /// They get it.
    Write,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print() {
        for (text, ms) in
            [("0s", 0), ("250ms", 250), ("5s", 5000), ("10m", 600_000), ("2h", 7_200_000)]
        {
            let read: Millis = text.parse().unwrap();
            assert_eq!((read.0, read.to_string()), (ms, text.to_owned()));
        }
        for text in ["5", "s", "1.5s", "5 s", "-5s", "9999999999s", "5d"] {
            assert!(text.parse::<Millis>().is_err(), "{text}");
        }
    }

    #[test]
    fn policy_round_trips_through_json() {
        let policy = Policy {
            min_tolerance: MinTolerance::AtLeast(2),
            standalone_enabled: StandaloneEnabled::False,
            ..Policy::default()
        };
        let text = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy);
    }
}
