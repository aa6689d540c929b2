//! The credential of an operator, and the servers to which it may be shown.

use std::fmt;
use std::net::IpAddr;

use zookeeper_client::{Connector, SaslOptions};

use super::digest_id;

/// A user, a password, and the way in which they are shown.
///
/// # Which servers may receive it
///
/// A secret goes only to a server that was observed leading or following this ensemble at this
/// attach (`apply::access`). Servers that enforce authentication require a credential before the
/// first request, when nothing about them can be verified yet. The rules are:
///
/// * *Surveys* show no secret. Servers that enforce scheme `digest` check the scheme and never the
///   password (`AuthenticationHelper.enforceAuthentication`). So a survey shows `zkplan:look`,
///   which is public. On a connection that shows it, an ACL entry `auth` would contain the public
///   id: the operator's own id is written instead, and without one nothing with such an entry.
/// * *Scheme `digest`* sends the password in clear. A held session is opened without it, or with
///   the public credential if authentication is enforced. The server is verified. Then the same
///   session is attached again at the same address, with the password and without the public
///   credential.
/// * *SASL `DIGEST-MD5`* is a challenge and a response: the password is not sent, and a response is
///   useless for another challenge. If SASL is not enforced it is handled like `digest`, but that the
///   public credential stays beside it where digests are enforced. If it is enforced, a session without it can read nothing. Then surveys use it too, but only at
///   addresses that the file or a flag names.
/// * *Scheme `x509`* has no secret to show: the certificate is a part of the TLS handshake.
///
/// A server without a JAAS section answers a SASL client as if it had authenticated
/// (`ZooKeeperServer.processSasl`: `cnxn.saslServer is null`), and every digest is accepted. So a
/// connection proves nothing. A credential is proven only by a write that fails with a version
/// error and not with a permission error.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    scheme: Scheme,
    user: String,
    password: String,
    in_clear: InClear,
}

/// The way in which a credential is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// `DigestAuthenticationProvider`.
    Digest,
    /// `SASLAuthenticationProvider`, by a `DigestLoginModule` of the server.
    SaslDigestMd5,
}

/// The public credential for servers that enforce scheme `digest`. It is no secret and proves
/// nothing.
pub(super) const LOOK: &str = "zkplan:look";

/// Where a credential may go without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InClear {
    /// To this machine itself.
    Loopback,
    /// Anywhere: the operator trusts the network (`--allow-cleartext-auth`).
    Anywhere,
}

impl InClear {
    /// Whether a credential may go to that address without TLS.
    pub const fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::Loopback => address.is_loopback(),
            Self::Anywhere => true,
        }
    }
}

impl Credential {
    /// A user of scheme `digest`.
    pub fn digest(user: &str, password: &str, in_clear: InClear) -> Self {
        let (user, password) = (user.to_owned(), password.to_owned());
        Self { scheme: Scheme::Digest, user, password, in_clear }
    }

    /// A user of scheme `sasl` with mechanism `DIGEST-MD5`. Its password is not sent, so it may be
    /// used without TLS.
    pub fn sasl_digest_md5(user: &str, password: &str) -> Self {
        let (user, password) = (user.to_owned(), password.to_owned());
        Self { scheme: Scheme::SaslDigestMd5, user, password, in_clear: InClear::Anywhere }
    }

    /// The user's name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Whether its password itself is sent.
    pub const fn sends_password(&self) -> bool {
        matches!(self.scheme, Scheme::Digest)
    }

    /// Its scheme and id in access control lists. A digest uses ZooKeeper's default algorithm.
    pub fn id(&self) -> (&'static str, String) {
        match self.scheme {
            Scheme::Digest => ("digest", digest_id(&self.user, &self.password)),
            Scheme::SaslDigestMd5 => ("sasl", self.user.clone()),
        }
    }

    /// Where it may go without TLS.
    pub const fn in_clear(&self) -> InClear {
        self.in_clear
    }

    /// The content of its `auth` request. `None` for a credential that is shown only while
    /// connecting.
    pub(super) fn packet(&self) -> Option<(&'static str, String)> {
        match self.scheme {
            Scheme::Digest => Some(("digest", format!("{}:{}", self.user, self.password))),
            Scheme::SaslDigestMd5 => None,
        }
    }

    /// A connector that shows it when it connects.
    pub(super) fn shown_by(&self, connector: Connector) -> Connector {
        if let Some((scheme, secret)) = self.packet() {
            return connector.with_auth(scheme, secret.as_bytes());
        }
        let (user, password) = (self.user.clone(), self.password.clone());
        connector.with_sasl(SaslOptions::digest_md5(user, password))
    }
}

impl fmt::Debug for Credential {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({:?}, {:?}, {:?})", self.scheme, self.user, self.in_clear)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_stays_on_this_machine_unless_the_operator_consents() {
        let allowed =
            |in_clear: InClear, ip: &str| in_clear.allows(ip.parse().expect("an address"));
        for (ip, is_loopback) in [("127.0.0.1", true), ("127.8.8.8", true), ("::1", true)]
            .into_iter()
            .chain([("10.0.0.1", false), ("0.0.0.0", false), ("fe80::1", false)])
        {
            assert_eq!(allowed(InClear::Loopback, ip), is_loopback, "{ip}");
            assert!(allowed(InClear::Anywhere, ip), "{ip}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let credential = Credential::digest("super", "geheim", InClear::Loopback);
        assert_eq!(format!("{credential:?}"), "Credential(Digest, \"super\", Loopback)");
        let credential = Credential::sasl_digest_md5("super", "geheim");
        assert_eq!(format!("{credential:?}"), "Credential(SaslDigestMd5, \"super\", Anywhere)");
    }
}
