//! The ids that the digest scheme gives a user.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// How a server makes the id of a user from the password: the property
/// `zookeeper.DigestAuthenticationProvider.digestAlg`, which releases from 3.7 on have. Before, it is
/// SHA1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DigestAlgorithm {
    /// ZooKeeper's default.
    #[default]
    Sha1,
    /// SHA-2 with 256 bits.
    Sha256,
    /// SHA-2 with 384 bits.
    Sha384,
    /// SHA-2 with 512 bits.
    Sha512,
}

impl fmt::Display for DigestAlgorithm {
    /// The value of the property: a name of Java's `MessageDigest`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        })
    }
}

/// The id of a user in scheme `digest` on a server with ZooKeeper's default algorithm, as in access
/// control lists and in the property `superDigest`: `user:base64(sha1(user:password))`
/// (`DigestAuthenticationProvider.generateDigest`).
pub fn digest_id(user: &str, password: &str) -> String {
    digest_id_by(DigestAlgorithm::Sha1, user, password)
}

/// The same on a server with that algorithm.
pub fn digest_id_by(algorithm: DigestAlgorithm, user: &str, password: &str) -> String {
    let secret = format!("{user}:{password}");
    let hash = match algorithm {
        DigestAlgorithm::Sha1 => Sha1::digest(secret).to_vec(),
        DigestAlgorithm::Sha256 => Sha256::digest(secret).to_vec(),
        DigestAlgorithm::Sha384 => Sha384::digest(secret).to_vec(),
        DigestAlgorithm::Sha512 => Sha512::digest(secret).to_vec(),
    };
    format!("{user}:{}", BASE64_STANDARD.encode(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_one_that_zookeeper_makes() {
        assert_eq!(digest_id("super", "zkplan-test"), "super:RX4WTyccCctM2IkpYLXtXE1GFB0=");
    }
}
