//! The step of a plan after which reconfigs alone do not lead back.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::ServerId;
use crate::plan::{NoReturn, NoReturnReason, StepId};
use crate::render::words_for_no_return;

/// The first step after which reconfigs alone do not lead back to the base of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NoReturnEntry {
    /// The step.
    pub step: StepId,
    /// The servers for which it is so, on this step and on later ones.
    pub servers: BTreeSet<ServerId>,
    /// Why.
    pub reason: NoReturnWord,
    /// The same for people, with what is left to do from there on.
    pub text: String,
}

/// Why reconfigs alone do not lead back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "NoReturnReason")]
pub enum NoReturnWord {
    /// Members get `reconfigEnabled=true`: the only safe way is forward (ZKQ15).
    SwitchesReconfigOn,
    /// A server with an id outside 1 to 254 leaves; no server may join with such an id (ZKQ11).
    IdCannotJoin,
    /// A server leaves that was not seen up and in sync.
    WasDown,
    /// The id of the server goes to another machine; it returns only to a blank one (ZKQ11).
    IdMoves,
    /// The process of a server that left is stopped.
    Stopped,
}

impl From<&NoReturn> for NoReturnEntry {
    fn from(point: &NoReturn) -> Self {
        let NoReturn { step, servers, because } = point;
        Self {
            step: step.clone(),
            servers: servers.clone(),
            reason: match because {
                NoReturnReason::SwitchesReconfigOn => NoReturnWord::SwitchesReconfigOn,
                NoReturnReason::IdCannotJoin => NoReturnWord::IdCannotJoin,
                NoReturnReason::WasDown => NoReturnWord::WasDown,
                NoReturnReason::IdMoves => NoReturnWord::IdMoves,
                NoReturnReason::Stopped => NoReturnWord::Stopped,
            },
            text: words_for_no_return(point),
        }
    }
}
