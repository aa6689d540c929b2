//! The end of a certificate's validity. A server that refuses a certificate does not say whether it
//! has expired.

use std::time::SystemTime;

/// `UTCTime`: two digits of the year. Below 50 the year is in this century (RFC 5280, 4.1.2.5.1).
const UTC_TIME: u8 = 0x17;
/// `GeneralizedTime`: four digits of the year.
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The version of a certificate, which may be left out.
const VERSION: u8 = 0xa0;

/// The end of a certificate's validity, as the digits of year, month, day, hour, minute and second
/// in UTC. `None` if it cannot be read.
pub(super) fn not_after(certificate: &[u8]) -> Option<String> {
    let (_, certificate, _) = element(certificate).filter(|(tag, ..)| *tag == SEQUENCE)?;
    let (_, mut signed, _) = element(certificate).filter(|(tag, ..)| *tag == SEQUENCE)?;
    if let (VERSION, _, rest) = element(signed)? {
        signed = rest;
    }
    // Serial number, algorithm, issuer.
    for _ in 0..3 {
        (_, _, signed) = element(signed)?;
    }
    let (_, validity, _) = element(signed)?;
    let (_, _, end) = element(validity)?;
    let (tag, end, _) = element(end)?;
    let digits = std::str::from_utf8(end).ok()?.strip_suffix('Z')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match (tag, digits.len()) {
        (UTC_TIME, 12) if digits < "5" => Some(format!("20{digits}")),
        (UTC_TIME, 12) => Some(format!("19{digits}")),
        (GENERALIZED_TIME, 14) => Some(digits.to_owned()),
        _ => None,
    }
}

/// Whether that end has passed.
pub(super) fn has_passed(end: &str, now: SystemTime) -> bool {
    let now = humantime::format_rfc3339_seconds(now).to_string();
    let now: String = now.chars().filter(char::is_ascii_digit).collect();
    *end < *now
}

/// The first element of DER: its tag, its content, and the remaining bytes.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, length, rest @ ..] = der else { return None };
    let is_short = *length < 0x80;
    let bytes = if is_short { 0 } else { usize::from(length & 0x7f) };
    let (bytes, rest) = rest.split_at_checked(bytes)?;
    let add = |length: usize, byte: &u8| length.checked_mul(256)?.checked_add(usize::from(*byte));
    let length = if is_short { usize::from(*length) } else { bytes.iter().try_fold(0, add)? };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn certificate(year: i32) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("no hosts");
        params.not_before = rcgen::date_time_ymd(1999, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 12, 31);
        let key = rcgen::KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("a certificate").der().to_vec()
    }

    #[test]
    fn the_end_of_a_certificate_is_read() {
        for (year, end) in
            [(1999, "19991231000000"), (2049, "20491231000000"), (2050, "20501231000000")]
        {
            assert_eq!(not_after(&certificate(year)).as_deref(), Some(end));
        }
        // 2026-11-28.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_824_000);
        assert!(has_passed("20261127000000", now) && !has_passed("20261129000000", now));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let whole = certificate(2049);
        for length in 0..whole.len() {
            assert_eq!(not_after(&whole[..length]), None, "{length}");
        }
        for at in 0..whole.len().min(200) {
            let mut bent = whole.clone();
            bent[at] ^= 0x9f;
            drop(not_after(&bent));
        }
    }
}
