//! What commands say where they meet a standalone server.

use std::collections::BTreeMap;

use super::error::CommandError;
use super::exit::Exit;
use super::output::Output;
use crate::document::Document as _;
use crate::ensemble::ZooKeeper;
use crate::first_quorum::{FirstQuorum, FirstQuorumAnswer, NamedFile, Noted, look};
use crate::model::{EnsembleConfig, Membership, ServerId, Target};
use crate::observe::{Facts, ObserveError, Question, observe};
use crate::plan::Acceptance;
use crate::proposal::{Remedy, propose};
use crate::render::first_quorum::{FirstQuorumScreen, flags, screen, short};
use crate::render::{Text, words_for_shell};
use crate::report::error::CommandFailure;
use crate::report::first_quorum::FirstQuorumDocument;

/// The config version of a quorum of one whose data have no epoch yet.
const FIRST_VERSION: u64 = 1 << 32;

/// The page that has a spec to begin with.
const EXPLAINED: &str = "zkplan explain first-quorum";

/// What can be said of the standalone server that a look met; `None` where it met something else.
pub(super) async fn answer(
    port: &ZooKeeper,
    target: &Target,
    error: &ObserveError,
    given: &BTreeMap<ServerId, NamedFile>,
) -> Option<FirstQuorumAnswer> {
    let ObserveError::Standalone { endpoint } = error else { return None };
    let answered = look(port, target, endpoint).await;
    Some(FirstQuorumAnswer::of(target, answered, given))
}

/// The same of the standalone server that a look meets now.
pub(super) async fn met(
    port: &ZooKeeper,
    target: &Target,
    given: &BTreeMap<ServerId, NamedFile>,
) -> Option<FirstQuorumAnswer> {
    let error = observe(port, &Question::of(target)).await.err()?;
    answer(port, target, &error, given).await
}

/// What the plan for the other servers has to accept beside that, as far as acceptances are all that it
/// needs. The server is then the only voter.
fn to_accept(target: &Target, first: &FirstQuorum, accepted: &[Acceptance]) -> Vec<Acceptance> {
    let version = first.now.noted.map_or(FIRST_VERSION, Noted::first_version);
    let Ok(version) = format!("{version:x}").parse() else { return Vec::new() };
    let membership = Membership::of([first.server.clone()]);
    let facts = Facts::assumed(EnsembleConfig { version, membership }, target);
    let Err(refusal) = propose(target, &facts, accepted) else { return Vec::new() };
    let risks = refusal.remedies.into_iter().map(|remedy| match remedy {
        Remedy::Accept(risk) => Some(risk),
        _ => None,
    });
    risks.collect::<Option<_>>().unwrap_or_default()
}

/// A standalone server as the command shows it that met it.
pub(super) struct Shown<'a> {
    ensemble: &'a str,
    /// The path of the spec, as a shell takes it.
    spec: Option<String>,
    answer: &'a FirstQuorumAnswer,
    accepts: Vec<Acceptance>,
    next: String,
}

impl<'a> Shown<'a> {
    /// With the command that comes next, which accepts what was accepted and what has to be.
    pub(super) fn of(
        target: &'a Target,
        path: Option<&str>,
        answer: &'a FirstQuorumAnswer,
        accepted: &[Acceptance],
    ) -> Self {
        let spec = path.map(words_for_shell);
        let accepts = match &answer.verdict {
            Ok(first) => [accepted, &to_accept(target, first, accepted)].concat(),
            Err(_) => accepted.to_vec(),
        };
        let next = match (&spec, &answer.verdict) {
            (Some(spec), Ok(_)) => format!("zkplan apply {spec}{}", flags(&accepts)),
            (Some(spec), Err(_)) => format!("zkplan plan {spec}{}", flags(&accepts)),
            (None, _) => EXPLAINED.to_owned(),
        };
        Self { ensemble: &target.ensemble, spec, answer, accepts, next }
    }

    /// The same where the next command is to see the whole.
    pub(super) fn planned_next(mut self) -> Self {
        if let Some(spec) = &self.spec {
            self.next = format!("zkplan plan {spec}");
        }
        self
    }

    fn view(&self, width: usize) -> FirstQuorumScreen<'_> {
        let Self { ensemble, spec, answer, accepts, next } = self;
        let (spec, next) = (spec.as_deref(), Some(&**next));
        FirstQuorumScreen { ensemble, spec, answer, accepts, next, width }
    }

    /// Everything.
    pub(super) fn screen(&self, width: usize) -> Text {
        screen(&self.view(width))
    }

    /// Everything but the next command.
    pub(super) fn without_next(&self, width: usize) -> Text {
        screen(&FirstQuorumScreen { next: None, ..self.view(width) })
    }

    /// What the server is, without the files.
    pub(super) fn short(&self, width: usize) -> Text {
        short(&self.view(width))
    }

    /// The command that comes next.
    pub(super) fn next(&self) -> &str {
        &self.next
    }

    /// For programs.
    pub(super) fn document(&self, width: usize, exit: Exit) -> FirstQuorumDocument {
        FirstQuorumDocument::of(&self.view(width), exit.code())
    }

    /// The whole answer of a command.
    pub(super) fn print(&self, is_json: bool, exit: Exit, output: &Output) -> Exit {
        if is_json {
            output.raw(&self.document(output.width, exit).to_text(), exit)
        } else {
            output.screen(&self.screen(output.width), exit)
        }
    }

    /// The error of a command that goes no further.
    pub(super) fn error(&self, width: usize) -> CommandError {
        let at = &self.answer.now().at;
        let what =
            format!("the server at {at} runs standalone and cannot become the first voter now");
        CommandError::new(CommandFailure::Standalone, what).shown_as(self.screen(width))
    }
}
