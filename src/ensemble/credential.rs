//! What proves an operator to a server, and to whom it may be shown.

use std::fmt;
use std::net::IpAddr;

use super::digest_id;

/// A user and a password of scheme `digest` (`DigestAuthenticationProvider`).
///
/// The scheme sends both in clear, in one packet, and the server proves nothing before: whoever
/// receives the packet has the password. So whether it may leave this machine without TLS is part
/// of it, and is held against the address of every single connection.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    user: String,
    password: String,
    in_clear: InClear,
}

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
        Self { user: user.to_owned(), password: password.to_owned(), in_clear }
    }

    /// The user's name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Its id in access control lists, with ZooKeeper's default algorithm.
    pub fn id(&self) -> String {
        digest_id(&self.user, &self.password)
    }

    /// Where it may go without TLS.
    pub const fn in_clear(&self) -> InClear {
        self.in_clear
    }

    /// The scheme's name, and what is sent for it.
    pub(super) fn packet(&self) -> (&'static str, String) {
        ("digest", format!("{}:{}", self.user, self.password))
    }
}

impl fmt::Debug for Credential {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({:?}, {:?})", self.user, self.in_clear)
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
        assert_eq!(format!("{credential:?}"), "Credential(\"super\", Loopback)");
    }
}
