//! How long servers may take to answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Millis;

/// How long a connection, and an answer on it, may take before a server counts as unreachable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Form", into = "Form")]
pub enum Timeouts {
    /// Learned from the answer times of this ensemble.
    #[default]
    Auto,
    /// Set by the operator.
    Fixed {
        /// For a connection.
        connect: Millis,
        /// For an answer, counted from the connection on.
        answer: Millis,
    },
}

impl Timeouts {
    /// Whether the time-outs are learned.
    pub fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// The form of the value in a file.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Form {
    /// Learned from the answer times of the servers.
    Word(Word),
    /// Set by the operator.
    Fixed(Fixed),
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Word {
    Auto,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Fixed {
    /// How long a connection may take.
    connect: Millis,
    /// How long an answer may take, from the connection on.
    answer: Millis,
}

impl From<Form> for Timeouts {
    fn from(form: Form) -> Self {
        match form {
            Form::Word(Word::Auto) => Self::Auto,
            Form::Fixed(Fixed { connect, answer }) => Self::Fixed { connect, answer },
        }
    }
}

impl From<Timeouts> for Form {
    fn from(timeouts: Timeouts) -> Self {
        match timeouts {
            Timeouts::Auto => Self::Word(Word::Auto),
            Timeouts::Fixed { connect, answer } => Self::Fixed(Fixed { connect, answer }),
        }
    }
}

impl JsonSchema for Timeouts {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timeouts".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Form::json_schema(generator)
    }
}
