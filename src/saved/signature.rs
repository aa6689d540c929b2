//! Detached signatures of plan files: Ed25519 (RFC 8032) over the bytes of the file.
//!
//! zkplan only verifies. Those who approve sign with a tool of their own, such as
//! `openssl pkeyutl -sign -rawin`, and keep the private key away from zkplan.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use tokio_rustls::rustls::SignatureScheme;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};

/// What stands before the 32 bytes of an Ed25519 key in its `SubjectPublicKeyInfo` (RFC 8410, 4).
const BEFORE_THE_KEY: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A public key that plans are signed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyKey([u8; 32]);

/// Why a file is no public key for signatures of plans.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// It holds a private key.
    #[error("it holds a private key")]
    Private,
    /// It holds a public key of another kind.
    #[error("it holds a public key of another kind than Ed25519")]
    OtherKind,
    /// It holds no public key in PEM.
    #[error("it holds no public key in PEM")]
    NoKey,
}

/// A detached signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanSignature([u8; 64]);

impl VerifyKey {
    /// Reads a public key in PEM, as `openssl pkey -pubout` writes it.
    ///
    /// # Errors
    /// The file is something else.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        let Ok(key) = SubjectPublicKeyInfoDer::from_pem_slice(text) else {
            let private = PrivateKeyDer::from_pem_slice(text);
            let is_private = !matches!(private, Err(pem::Error::NoItemsFound));
            return Err(if is_private { KeyError::Private } else { KeyError::NoKey });
        };
        let bytes = key.as_ref().strip_prefix(&BEFORE_THE_KEY);
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(KeyError::OtherKind)
    }

    /// Whether the signature of these bytes was made with the private key of this one.
    pub fn has_signed(&self, bytes: &[u8], signature: &PlanSignature) -> bool {
        let provider = default_provider();
        let known = provider.signature_verification_algorithms.mapping.iter();
        let ed25519 = known.filter(|(scheme, _)| *scheme == SignatureScheme::ED25519);
        let mut algorithms = ed25519.flat_map(|(_, algorithms)| *algorithms);
        algorithms.any(|one| one.verify_signature(&self.0, bytes, &signature.0).is_ok())
    }
}

impl PlanSignature {
    /// Reads a signature: its 64 bytes, or the same in Base64.
    pub fn read(content: &[u8]) -> Option<Self> {
        if let Ok(bytes) = content.try_into() {
            return Some(Self(bytes));
        }
        let text: Vec<u8> =
            content.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let bytes = STANDARD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key and the signature of an empty message from RFC 8032, 7.1, test 1.
    const KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
                       MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
                       -----END PUBLIC KEY-----\n";
    const SIGNATURE: &str = "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc+bRr\n\
                             0lv18FlbviRlUUFDjnoQCw==\n";

    #[test]
    fn a_signature_fits_its_bytes_and_its_key_alone() {
        let key = VerifyKey::from_pem(KEY.as_bytes()).expect("a key");
        let signature = PlanSignature::read(SIGNATURE.as_bytes()).expect("a signature");
        assert_eq!(PlanSignature::read(&signature.0), Some(signature.clone()), "without Base64");
        assert!(key.has_signed(b"", &signature));
        assert!(!key.has_signed(b" ", &signature));
        let other = VerifyKey([9; 32]);
        assert!(!other.has_signed(b"", &signature));
    }

    #[test]
    fn what_is_no_key_is_named() {
        let of = |text: &str| VerifyKey::from_pem(text.as_bytes());
        assert_eq!(of("apiVersion: zkplan/v1"), Err(KeyError::NoKey));
        let block = |kind: &str| format!("-----BEGIN {kind}-----\nAAAA\n-----END {kind}-----\n");
        assert_eq!(of(&block("PRIVATE KEY")), Err(KeyError::Private));
        assert_eq!(of(&block("CERTIFICATE")), Err(KeyError::NoKey));
        assert_eq!(of(&block("PUBLIC KEY")), Err(KeyError::OtherKind));
        assert!(PlanSignature::read(b"no signature").is_none());
    }
}
