//! What the checks look at: the spec, the observation and the answers.

use super::answers::{Answers, ServerAnswers};
use super::given_files::{GivenFile, GivenFiles};
use crate::model::{ServerId, Target};
use crate::observe::{Observation, ServerObservation};

/// What the checks look at.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// What is wanted.
    pub target: &'a Target,
    /// What was observed.
    pub seen: &'a Observation,
    /// What was asked beside.
    pub answers: &'a Answers,
    /// The files that were given.
    pub files: &'a GivenFiles,
}

impl<'a> View<'a> {
    /// Every member and every wanted server, in order of ids.
    pub(super) fn servers(self) -> impl Iterator<Item = &'a ServerObservation> {
        self.seen.servers.values()
    }

    /// What a server answered.
    pub(super) fn answers(self, id: ServerId) -> Option<&'a ServerAnswers> {
        self.answers.servers.get(&id)
    }

    /// The file that was given of a server.
    pub(super) fn file(self, id: ServerId) -> Option<&'a GivenFile> {
        self.files.get(&id)
    }

    pub(super) fn is_member(self, id: ServerId) -> bool {
        self.seen.config.membership.contains(id)
    }

    /// Whether the spec has it.
    pub(super) fn is_wanted(self, id: ServerId) -> bool {
        self.target.servers.contains_key(&id)
    }

    /// Whether it is to join and does not run yet.
    pub(super) fn is_to_start(self, observed: &ServerObservation) -> bool {
        !self.is_member(observed.id) && observed.mode.is_none()
    }
}
