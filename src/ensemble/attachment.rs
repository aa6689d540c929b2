//! One attachment of a held session to one server: the address, the credential to show, and the
//! time limit.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use zookeeper_client::{Client, Error, SessionInfo};

use super::admission::{Admission, Pass};
use super::connection::Background;
use super::pace::{Kind, Limits, Pace};
use super::port::{RequestError, SessionTerms};
use super::transport::{self, TlsFiles};
use super::ways::{Show, Shown, Ways};
use super::{Credential, ErrorCode, NoAnswer};
use crate::model::Endpoint;

/// The options of every attachment.
pub(super) struct ConnectOptions {
    /// The terms under which the session was requested.
    pub(super) terms: SessionTerms,
    /// How servers are reached in TLS.
    pub(super) tls: Option<TlsFiles>,
    /// How long connections and answers may take.
    pub(super) pace: Arc<Pace>,
    /// The turn among our connections.
    pub(super) admission: Admission,
    /// The credentials that servers require.
    pub(super) ways: Arc<Ways>,
    /// The credential for servers that enforce SASL, for every session, and the addresses at which
    /// it may be shown.
    pub(super) survey_sasl: Option<(Credential, BTreeSet<Endpoint>)>,
}

/// One client of the session, on one server. Dropping it ends all work of the library for this
/// client. The server receives no message about it.
pub(super) struct Attached {
    /// The client that sends requests.
    pub(super) client: Client,
    /// The runtime of the library.
    pub(super) runtime: Background,
    /// Where it is connected to.
    pub(super) to: String,
    /// The credential that it showed when it connected.
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

impl ConnectOptions {
    /// Attaches a session, or opens one. It shows no more than the server requires before it
    /// accepts a session.
    pub(super) async fn attach(
        &self,
        at: &Endpoint,
        session: Option<SessionInfo>,
        detached: Detached,
    ) -> Result<Attached, RequestError> {
        let to = self.address(at).await?;
        let may = Shown { certificate: false, look: true, sasl: self.sasl_at(at).is_some() };
        let mut shown = self.ways.shown(at);
        loop {
            let credential = self.sasl_at(at).filter(|_| shown.sasl).cloned();
            let show = Show { look: shown.look, credential };
            match self.connect((at, &to), session.clone(), detached, show).await {
                Err(refused @ RequestError::Refused(ErrorCode::AuthFailed)) => {
                    shown = shown.beyond(NoAnswer::NeedsAuth, may).ok_or(refused)?;
                    self.ways.show(at, shown);
                }
                attached => return attached,
            }
        }
    }

    /// The credential for a server that enforces SASL: the credential of the session if it has one,
    /// else that of surveys. A session is attached with a credential only where `apply::access`
    /// allows it.
    fn sasl_at(&self, at: &Endpoint) -> Option<&Credential> {
        let own = self.terms.auth.as_ref().filter(|own| !own.sends_password());
        let looks = self.survey_sasl.as_ref().filter(|(_, named)| named.contains(at));
        own.or(looks.map(|(credential, _)| credential))
    }

    /// One connection that shows exactly this credential.
    pub(super) async fn connect(
        &self,
        (at, to): (&Endpoint, &str),
        session: Option<SessionInfo>,
        detached: Detached,
        show: Show,
    ) -> Result<Attached, RequestError> {
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
            let tls = tls.as_ref().ok_or(RequestError::NotSent)?.clients();
            connector = connector.with_tls(tls.holder().sessions.clone());
        }
        let keeper = show.without_secret().on(connector.clone());
        let connecting = Background::connect(show.on(connector), keeper, to.to_owned());
        match timeout(self.bound(at), connecting).await {
            Ok(Ok((client, runtime))) => {
                pass.took_session();
                Ok(Attached { client, runtime, to: to.to_owned(), show, pass })
            }
            Ok(Err(cause)) => Err(match cause {
                // If the session is attached again, only a server can report that it has expired.
                Error::SessionExpired if attaches => RequestError::SessionOver,
                Error::AuthFailed => RequestError::Refused(ErrorCode::AuthFailed),
                _ => RequestError::NotSent,
            }),
            Err(_) => Err(RequestError::NotSent),
        }
    }

    /// How long connections and answers may take.
    pub(super) fn limits(&self) -> Limits {
        self.pace.limits(Kind::Session)
    }

    /// How long an attachment may take. It is longer for slow servers, but short enough to try
    /// another server before the session expires.
    fn bound(&self, at: &Endpoint) -> Duration {
        let of =
            |limits: Limits| limits.connect + limits.answer_from(at).max(Duration::from_secs(1));
        let half = self.terms.timeout.as_duration() / 2;
        of(self.limits()).min(half.max(of(self.pace.first())))
    }

    /// The address to connect to. With TLS it is the host as written in the file, because the
    /// certificate proves it. Otherwise it is the one address that was verified: if a credential
    /// may be shown, all addresses to which the host resolves now must belong to this machine or be
    /// allowed.
    async fn address(&self, at: &Endpoint) -> Result<String, RequestError> {
        if !at.host.is_plain() {
            return Err(RequestError::NotSent);
        }
        if at.tls {
            return Ok(format!("tcp+tls://{at}"));
        }
        let found = transport::addresses(&at.host, at.port, self.limits()).await;
        let found = found.map_err(|_| RequestError::NotSent)?;
        if let Some(credential) = &self.terms.auth
            && !found.iter().all(|address| credential.in_clear().allows(address.ip()))
        {
            return Err(RequestError::InClear);
        }
        let address = match found.as_slice() {
            [address] => *address,
            many => transport::first_open(many, self.limits())
                .await
                .map_err(|_| RequestError::NotSent)?,
        };
        Ok(format!("tcp://{address}"))
    }
}
