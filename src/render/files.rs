//! The files that screens speak of, each with its path.

use crate::spec::Spec;

/// A spec and the path that it was read from.
#[derive(Debug, Clone, Copy)]
pub struct SpecFile<'a> {
    /// Its path, as the person gave it.
    pub path: &'a str,
    /// The spec.
    pub spec: &'a Spec,
}

/// A plan file.
#[derive(Debug, Clone, Copy)]
pub struct PlanFile<'a> {
    /// Its path, as the person gave it.
    pub path: &'a str,
    /// The plan's id.
    pub plan_id: &'a str,
}
