//! Digests of documents.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::document::canonical;

/// The key under which a document has its own digest.
pub(super) const DIGEST: &str = "digest";

/// The digest of a document: SHA-256, in hex, of its canonical JSON without line breaks and without
/// the key `digest`.
pub fn digest(document: &Value) -> String {
    let mut document = document.clone();
    if let Value::Object(map) = &mut document {
        map.remove(DIGEST);
    }
    sha256(&canonical(&document, false))
}

/// SHA-256, in hex.
pub(super) fn sha256(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        for nibble in [byte >> 4, byte & 15] {
            hex.push(char::from_digit(u32::from(nibble), 16).unwrap_or('?'));
        }
    }
    hex
}
