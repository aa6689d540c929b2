//! The credentials that servers require before they accept a session, as far as known.
//!
//! A survey shows no more than it must. A server that requires more refuses without naming the
//! scheme: `SessionClosedRequireSaslAuth` (-124) is the code for every enforced scheme
//! (`AuthenticationHelper`). So the possible credentials are tried in turn, those without a secret
//! first. The one that a server accepts is used there from then on, because every refused try
//! leaves a session on the servers until it expires.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use zookeeper_client::Connector;

use super::credential::{Credential, LOOK};
use super::{NoAnswer, TlsFailure};
use crate::model::Endpoint;

/// How long a refusal is remembered, so that frequent surveys do not leave many sessions.
const REMEMBERED: Duration = Duration::from_secs(5);

/// The credential that is shown to a server, or could be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// The client's own certificate.
    pub(super) certificate: bool,
    /// A digest without a secret.
    pub(super) look: bool,
    /// The operator's SASL credential.
    pub(super) sasl: bool,
}

/// The accepted credentials, by endpoint.
#[derive(Debug, Default)]
pub(super) struct Ways(Mutex<HashMap<Endpoint, Known>>);

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    shown: Shown,
    refused: Option<(Instant, NoAnswer)>,
}

/// The credential that one session shows when it connects.
#[derive(Debug, Clone, Default)]
pub(super) struct Show {
    /// A digest without a secret.
    pub(super) look: bool,
    /// The operator's.
    pub(super) credential: Option<Credential>,
}

impl Shown {
    /// The next credential to try after such a refusal, if any is left.
    pub(super) const fn beyond(self, refusal: NoAnswer, may: Self) -> Option<Self> {
        let certificate = may.certificate && !self.certificate;
        match refusal {
            NoAnswer::Tls(TlsFailure::CertificateWanted) if certificate => {
                Some(Self { certificate: true, ..self })
            }
            NoAnswer::NeedsAuth if may.look && !self.look => Some(Self { look: true, ..self }),
            NoAnswer::NeedsAuth if certificate => Some(Self { certificate: true, ..self }),
            NoAnswer::NeedsAuth if may.sasl && !self.sasl => Some(Self { sasl: true, ..self }),
            _ => None,
        }
    }
}

impl Ways {
    /// The credential that the server accepted last.
    pub(super) fn shown(&self, at: &Endpoint) -> Shown {
        self.lock().get(at).map(|known| known.shown).unwrap_or_default()
    }

    /// Records that the server requires more.
    pub(super) fn show(&self, at: &Endpoint, shown: Shown) {
        self.lock().entry(at.clone()).or_default().shown = shown;
    }

    /// The recent refusal of all possible credentials by that server.
    pub(super) fn refused(&self, at: &Endpoint) -> Option<NoAnswer> {
        let (when, silence) = self.lock().get(at)?.refused?;
        (when.elapsed() < REMEMBERED).then_some(silence)
    }

    /// Records that the server refused all possible credentials.
    pub(super) fn refuse(&self, at: &Endpoint, silence: NoAnswer) {
        self.lock().entry(at.clone()).or_default().refused = Some((Instant::now(), silence));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Endpoint, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Show {
    /// A connector that shows it.
    pub(super) fn on(&self, mut connector: Connector) -> Connector {
        if self.look {
            connector = connector.with_auth("digest", LOOK.as_bytes());
        }
        match &self.credential {
            Some(credential) => credential.shown_by(connector),
            None => connector,
        }
    }

    /// The same without a secret.
    pub(super) const fn without_secret(&self) -> Self {
        Self { look: self.look, credential: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Shown = Shown { certificate: true, look: true, sasl: true };

    fn tried(may: Shown) -> Vec<Shown> {
        let next = |shown: &Shown| shown.beyond(NoAnswer::NeedsAuth, may);
        std::iter::successors(Some(Shown::default()), next).collect()
    }

    #[test]
    fn what_has_no_secret_is_tried_first_and_nothing_that_may_not_be_shown() {
        let look = Shown { look: true, ..Shown::default() };
        let certificate = Shown { certificate: true, ..look };
        assert_eq!(tried(ALL), [Shown::default(), look, certificate, ALL]);
        assert_eq!(tried(look), [Shown::default(), look]);
        let wanted = NoAnswer::Tls(TlsFailure::CertificateWanted);
        let shown = Shown::default().beyond(wanted, ALL);
        assert_eq!(shown, Some(Shown { certificate: true, ..Shown::default() }));
        assert_eq!(Shown::default().beyond(wanted, look), None);
    }

    #[test]
    fn a_refused_credential_is_no_reason_to_show_more() {
        for silence in [NoAnswer::AuthRefused, NoAnswer::Closed, NoAnswer::AnswerTimedOut] {
            assert_eq!(Shown::default().beyond(silence, ALL), None);
        }
    }
}
