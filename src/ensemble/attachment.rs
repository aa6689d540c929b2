//! One attachment of a held session to one server: to which address, with what to show, for how long
//! it is tried.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use zookeeper_client::{Client, Error, SessionInfo};

use super::admission::{Admission, Pass};
use super::connection::Background;
use super::pace::{Kind, Limits, Pace};
use super::port::{Failure, SessionTerms};
use super::transport::{self, TlsFiles};
use super::ways::{Show, Shown, Ways};
use super::{Code, Credential, Silence};
use crate::model::Endpoint;

/// What every attachment takes.
pub(super) struct Means {
    /// What the session was asked for with.
    pub(super) terms: SessionTerms,
    /// How servers are reached in TLS.
    pub(super) tls: Option<TlsFiles>,
    /// How long connections and answers may take.
    pub(super) pace: Arc<Pace>,
    /// The turn among our connections.
    pub(super) admission: Admission,
    /// What servers want to be shown.
    pub(super) ways: Arc<Ways>,
    /// What may be shown where servers enforce SASL, whoever asks, and at which addresses.
    pub(super) looks_as: Option<(Credential, BTreeSet<Endpoint>)>,
}

/// One client of the session, on one server. Dropping it ends everything that the library does for
/// this client, without a word to the server.
pub(super) struct Attached {
    /// Through which it is asked.
    pub(super) client: Client,
    /// What the library runs in.
    pub(super) runtime: Background,
    /// Where it is connected to.
    pub(super) to: String,
    /// What it showed as it connected.
    pub(super) show: Show,
    /// After the runtime, for it ends with the connection.
    pub(super) pass: Pass,
}

/// Whether the session outlives its client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Detached {
    /// The session lives on without it.
    Yes,
    /// The session is closed with it.
    No,
}

impl Means {
    /// Attaches a session, or opens one, and shows no more than the server wants before it takes
    /// any session.
    pub(super) async fn attach(
        &self,
        at: &Endpoint,
        session: Option<SessionInfo>,
        detached: Detached,
    ) -> Result<Attached, Failure> {
        let to = self.address(at).await?;
        let may = Shown { certificate: false, look: true, sasl: self.sasl_at(at).is_some() };
        let mut shown = self.ways.shown(at);
        loop {
            let credential = self.sasl_at(at).filter(|_| shown.sasl).cloned();
            let show = Show { look: shown.look, credential };
            match self.connect((at, &to), session.clone(), detached, show).await {
                Err(refused @ Failure::Refused(Code::AuthFailed)) => {
                    shown = shown.beyond(Silence::NeedsAuth, may).ok_or(refused)?;
                    self.ways.show(at, shown);
                }
                attached => return attached,
            }
        }
    }

    /// What may be shown there where servers enforce SASL: the credential of the session, which is
    /// attached only where `apply::access` lets it, else that of looks.
    fn sasl_at(&self, at: &Endpoint) -> Option<&Credential> {
        let own = self.terms.auth.as_ref().filter(|own| !own.sends_password());
        let looks = self.looks_as.as_ref().filter(|(_, named)| named.contains(at));
        own.or(looks.map(|(credential, _)| credential))
    }

    /// One connection, which shows that and nothing else.
    pub(super) async fn connect(
        &self,
        (at, to): (&Endpoint, &str),
        session: Option<SessionInfo>,
        detached: Detached,
        show: Show,
    ) -> Result<Attached, Failure> {
        let Self { terms, tls, .. } = self;
        let pass = self.admission.session(at, self.limits()).await;
        let mut connector = Client::connector()
            .with_session_timeout(terms.timeout.as_duration())
            .with_fail_eagerly();
        if detached == Detached::Yes {
            connector = connector.with_detached();
        }
        let attaches = session.is_some();
        if let Some(session) = session {
            connector = connector.with_session(session);
        }
        if at.tls {
            let tls = tls.as_ref().ok_or(Failure::NotSent)?.clients();
            connector = connector.with_tls(tls.holder().sessions.clone());
        }
        let keeper = show.without_secret().on(connector.clone());
        let connecting = Background::connect(show.on(connector), keeper, to.to_owned());
        match timeout(self.bound(at), connecting).await {
            Ok(Ok((client, runtime))) => {
                Ok(Attached { client, runtime, to: to.to_owned(), show, pass })
            }
            Ok(Err(cause)) => Err(match cause {
                // Of a session that is asked for again, only a server says that it is over.
                Error::SessionExpired if attaches => Failure::SessionOver,
                Error::AuthFailed => Failure::Refused(Code::AuthFailed),
                _ => Failure::NotSent,
            }),
            Err(_) => Err(Failure::NotSent),
        }
    }

    /// How long connections and answers may take.
    pub(super) fn limits(&self) -> Limits {
        self.pace.limits(Kind::Session)
    }

    /// How long an attachment may take. Where servers are slow, longer, yet never so long that a
    /// server that does not answer costs the session: another one is to be tried in time.
    fn bound(&self, at: &Endpoint) -> Duration {
        let of =
            |limits: Limits| limits.connect + limits.answer_from(at).max(Duration::from_secs(1));
        let half = self.terms.timeout.as_duration() / 2;
        of(self.limits()).min(half.max(of(self.pace.first())))
    }

    /// What is connected to. In TLS that is the host as the file names it, for the certificate
    /// proves it. Else it is one address, the one that was judged: where a credential may come to
    /// be shown, all that the host leads to now must be this machine's, or allowed.
    async fn address(&self, at: &Endpoint) -> Result<String, Failure> {
        if !at.host.is_plain() {
            return Err(Failure::NotSent);
        }
        if at.tls {
            return Ok(format!("tcp+tls://{at}"));
        }
        let found = transport::addresses(&at.host, at.port, self.limits()).await;
        let found = found.map_err(|_| Failure::NotSent)?;
        if let Some(credential) = &self.terms.auth
            && !found.iter().all(|address| credential.in_clear().allows(address.ip()))
        {
            return Err(Failure::InClear);
        }
        let address = match found.as_slice() {
            [address] => *address,
            many => {
                transport::first_open(many, self.limits()).await.map_err(|_| Failure::NotSent)?
            }
        };
        Ok(format!("tcp://{address}"))
    }
}
