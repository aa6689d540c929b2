//! The super user of a demo: a password made at run time, and its digest for the servers.

use crate::ensemble::digest_id;

/// The user that `plans/demo.yaml` names.
pub(super) const USER: &str = "super";

/// A new password: 128 random bits in hex.
pub(super) fn fresh() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// What servers are given instead of the password.
pub(super) fn super_digest(password: &str) -> String {
    digest_id(USER, password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_passwords_are_alike() {
        let (one, other) = (fresh().unwrap(), fresh().unwrap());
        assert_eq!((one.len(), other.len()), (32, 32));
        assert_ne!(one, other);
    }
}
