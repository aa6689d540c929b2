//! The connect strings that clients need: one while old servers still run, one for afterwards.

use std::collections::BTreeMap;

use super::retired;
use super::run_view::Leaving;
use crate::model::{Endpoint, ServerId};
use crate::plan::Plan;

/// Addresses for the connect strings of clients.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectStrings {
    /// The servers that stay or have joined: the string for afterwards.
    pub afterwards: Vec<Endpoint>,
    /// The servers that leave. With the others they make a string that works until they stop.
    pub leaving: Vec<Endpoint>,
    /// Wanted servers whose client address is not known.
    pub unknown: Vec<ServerId>,
}

impl ConnectStrings {
    /// Of a plan, with what is known of the servers that leave.
    pub fn of(plan: &Plan, leaving: &BTreeMap<ServerId, Leaving>) -> Self {
        let mut strings = Self::default();
        for (id, at) in retired::target(plan) {
            match at {
                Some(at) => strings.afterwards.push(at),
                None => strings.unknown.push(id),
            }
        }
        let old = leaving.values().filter_map(|leaving| leaving.at.clone());
        strings.leaving = old.filter(|at| !strings.afterwards.contains(at)).collect();
        strings
    }
}
