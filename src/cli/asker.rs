//! One look of a preflight: the observation, the further questions, and the checks.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use super::accepting::Accepts;
use super::args::AccessArgs;
use super::error::CommandError;
use super::exit::Exit;
use super::output::Output;
use super::{journal, live, secret};
use crate::apply::access::{Access, Named, Recipient, Signer};
use crate::ensemble::{SessionTerms, ZooKeeper};
use crate::model::Target;
use crate::observe::{Facts, Observation, Question, observe_confirmed};
use crate::preflight::{Answers, AskedAs, Check, GivenFiles, View, ask, checks, recipients};
use crate::render::signing_in::announced;

/// Whose rights are asked for.
pub(super) enum User {
    Known(SessionTerms),
    None,
    WithoutPassword,
}

impl User {
    pub(super) async fn of(
        access: &AccessArgs,
        target: &Target,
        output: &Output,
    ) -> Result<Self, CommandError> {
        let connect = &target.connect;
        if Signer::of(connect) == Signer::Anonymous {
            return Ok(Self::None);
        }
        match secret::terms(connect, secret::in_clear(access), output).await {
            Ok(terms) => Ok(Self::Known(terms)),
            Err(error) if error.exit() == Exit::Stopped => Err(error),
            // Everything else can be checked without.
            Err(error) => {
                output.note(&format!("{}; the credential is not checked", error.message));
                Ok(Self::WithoutPassword)
            }
        }
    }
}

impl User {
    /// The same where many ensembles are asked, and no person is asked for the password of each.
    pub(super) async fn at_hand(
        access: &AccessArgs,
        target: &Target,
        output: &Output,
    ) -> Result<Self, CommandError> {
        if secret::is_to_be_typed(&target.connect) {
            return Ok(Self::WithoutPassword);
        }
        Self::of(access, target, output).await
    }
}

/// What a look needs.
pub(super) struct Asker<'a> {
    pub(super) port: &'a ZooKeeper,
    pub(super) target: &'a Target,
    pub(super) user: &'a User,
    pub(super) named: &'a Named,
    /// The files that were given.
    pub(super) files: &'a GivenFiles,
    /// The servers that were announced to get the credential.
    pub(super) announced: RefCell<BTreeSet<Recipient>>,
    /// Whether the command holds a session beside.
    pub(super) holds_session: Cell<bool>,
}

/// What one look showed.
pub(super) struct Looked {
    pub(super) seen: Observation,
    pub(super) answers: Answers,
    pub(super) checks: Vec<Check>,
}

impl Asker<'_> {
    /// Looks at the ensemble, asks further, and checks.
    pub(super) async fn look(&self, output: &Output) -> Result<Looked, CommandError> {
        let Self { port, target, user, named, .. } = *self;
        let seen = observe_confirmed(port, &Question::of(target)).await;
        let seen = seen.map_err(|error| live::not_seen(target, &error, output))?;
        let access = match user {
            User::Known(terms) => Some(Access::new(terms.clone(), named.clone())),
            User::None | User::WithoutPassword => None,
        };
        let asked_as = match (user, &access) {
            (_, Some(access)) => {
                self.announce(&seen, access, output);
                AskedAs::User(access)
            }
            (User::WithoutPassword, None) => AskedAs::NoPassword,
            (_, None) => AskedAs::NoUser,
        };
        let bare = port.unauthenticated();
        let bare = if self.holds_session.get() { bare.beside_a_session() } else { bare };
        let mut answers = ask(port, &bare, target, &seen, asked_as).await;
        let facts = Facts::of(&seen, target);
        let earlier =
            journal::open_runs(port, &seen, &facts, (target, Some(Accepts::default()))).await;
        answers.earlier = earlier.ok().map(|earlier| earlier.journal.findings);
        let checks = checks(View { target, seen: &seen, answers: &answers, files: self.files });
        Ok(Looked { seen, answers, checks })
    }

    /// Names each server that gets the credential before it gets it for the first time.
    fn announce(&self, seen: &Observation, access: &Access, output: &Output) {
        if access.user().is_none() {
            return;
        }
        let mut known = self.announced.borrow_mut();
        let to = recipients(seen, access).into_iter().filter(|to| !known.contains(to));
        let to: Vec<Recipient> = to.collect();
        if !to.is_empty() {
            output.note(&announced(&access.signer(), &to, &[]));
            known.extend(to);
        }
    }
}
