//! What proves an operator to a server, and to whom it may be shown.

use std::fmt;
use std::net::IpAddr;

use zookeeper_client::{Connector, SaslOptions};

use super::digest_id;

/// A user and a password, and how both are shown.
///
/// # Whom it may be shown to
///
/// A secret goes to a server that was seen leading or following this ensemble at this very attach
/// (`apply::access`), and to no other. Where servers enforce authentication a session has to show
/// something before its first request, so that nothing can be judged on it before. Both hold by
/// this:
///
/// * *Looks* show no secret. Servers that enforce scheme `digest` check the scheme and never the
///   password (`AuthenticationHelper.enforceAuthentication`), so a look shows `zkplan:look`, which
///   is public. On a connection that shows it no list with an entry `auth` is made: that would
///   hold the public id.
/// * *Scheme `digest`* sends the password in clear. A held session is opened without it, with the
///   public one where that is enforced. It is judged; then the same session is attached at the
///   same address once more, with the password on that connection and without the public one.
/// * *SASL `DIGEST-MD5`* is a challenge and a response: the password does not travel, and a
///   response is worth nothing for another challenge. Where SASL is not enforced it is handled like
///   `digest`. Where it is, a session without it can read nothing: then looks use it too, at
///   addresses that the file or a flag names, and nowhere else.
/// * *Scheme `x509`* has no secret to show: the certificate is a part of the TLS handshake.
///
/// A server without a JAAS section answers a SASL client as if all were well
/// (`ZooKeeperServer.processSasl`: `cnxn.saslServer is null`), and every digest is taken. So a
/// connect proves nothing: a credential is proven by a write that only its version makes fail.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    scheme: Scheme,
    user: String,
    password: String,
    in_clear: InClear,
}

/// How a credential is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// `DigestAuthenticationProvider`.
    Digest,
    /// `SASLAuthenticationProvider`, by a `DigestLoginModule` of the server.
    SaslDigestMd5,
}

/// What is shown where scheme `digest` is enforced and nothing is to be proven. No secret.
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

    /// A user of scheme `sasl`, by mechanism `DIGEST-MD5`. Its password does not travel, so that it
    /// may be shown without TLS.
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

    /// Its scheme and id in access control lists; of a digest with ZooKeeper's default algorithm.
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

    /// What an `auth` request sends for it; `None` for a credential that only a connect can show.
    pub(super) fn packet(&self) -> Option<(&'static str, String)> {
        match self.scheme {
            Scheme::Digest => Some(("digest", format!("{}:{}", self.user, self.password))),
            Scheme::SaslDigestMd5 => None,
        }
    }

    /// A connector that shows it as soon as it connects.
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
    fn a_password_stays_on_this_machine_unless_the_operator_says_otherwise() {
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
