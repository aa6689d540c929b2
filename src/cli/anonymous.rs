//! Sessions without credentials.

use crate::apply::Outcome;
use crate::apply::access::Signer;
use crate::ensemble::{HeldSession, RequestError, SessionFactory, SessionTerms, ZooKeeper};
use crate::model::{Connect, Endpoint};

/// A session that only reads and has no credentials. A client's certificate is shown only where no server
/// takes a session without one.
pub(super) async fn open_anonymous(
    port: &ZooKeeper,
    servers: &[Endpoint],
    connect: &Connect,
) -> Result<HeldSession, Outcome> {
    let anonymous = SessionTerms { timeout: connect.session_timeout, auth: None };
    if connect.tls.as_ref().is_none_or(|tls| tls.cert.is_none()) {
        return open(port, servers, &anonymous).await;
    }
    match open(&port.unauthenticated(), servers, &anonymous).await {
        Ok(session) => Ok(session),
        Err(_) => open(port, servers, &anonymous).await,
    }
}

/// A session without credentials, on the first server that gives one; servers that stay come first.
async fn open<P: SessionFactory>(
    port: &P,
    servers: &[Endpoint],
    terms: &SessionTerms,
) -> Result<P::Session, Outcome> {
    for at in servers {
        match port.open(at, terms).await {
            Ok(session) => return Ok(session),
            Err(RequestError::Refused(_)) => {
                return Err(Outcome::NotAuthorized { by: Vec::new(), signer: Signer::Anonymous });
            }
            Err(_) => {}
        }
    }
    Err(Outcome::Unreachable)
}
