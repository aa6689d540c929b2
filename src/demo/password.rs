//! The super user of a stage: a password made at run time, and its digest for the servers.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest as _, Sha1};

/// The user that `plans/demo.yaml` names.
pub(super) const USER: &str = "super";

/// A password that nobody has had before: 128 random bits in hex.
pub(super) fn fresh() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// What servers are told instead of the password
/// (`DigestAuthenticationProvider.generateDigest`): `user:base64(sha1(user:password))`.
pub(super) fn super_digest(password: &str) -> String {
    let hash = Sha1::digest(format!("{USER}:{password}"));
    format!("{USER}:{}", BASE64_STANDARD.encode(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_one_that_zookeeper_makes() {
        assert_eq!(super_digest("zkplan-test"), "super:RX4WTyccCctM2IkpYLXtXE1GFB0=");
    }

    #[test]
    fn no_two_passwords_are_alike() {
        let (one, other) = (fresh().unwrap(), fresh().unwrap());
        assert_eq!((one.len(), other.len()), (32, 32));
        assert_ne!(one, other);
    }
}
