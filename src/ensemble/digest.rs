//! The ids that the digest scheme gives a user.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest as _, Sha1};

/// The id of a user in scheme `digest`, as in access control lists and in the property
/// `superDigest`: `user:base64(sha1(user:password))` (`DigestAuthenticationProvider.generateDigest`
/// with its default algorithm, SHA1).
pub fn digest_id(user: &str, password: &str) -> String {
    let hash = Sha1::digest(format!("{user}:{password}"));
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
