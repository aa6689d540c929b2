//! What the servers have written to their transaction logs: every reconfig that was ever proposed,
//! whoever sent it and whatever became of the reply.
//!
//! This is the one record that no client can colour: a request that was committed twice stands
//! here twice.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// `ZooDefs.OpCode.reconfig`.
const RECONFIG: i32 = 16;

/// Magic, format version and database id of `FileTxnLog`.
const FILE_HEADER: usize = 16;

/// A reconfig in the transaction log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logged {
    /// Its zxid, which is the version of the configuration that it made.
    pub(crate) version: u64,
    /// The session that asked for it.
    pub(crate) session: i64,
    /// The membership that it made, `server.N=…` each, sorted.
    pub(crate) members: Vec<String>,
    /// The whole text of the configuration that it made.
    pub(crate) text: String,
}

/// The reconfigs in the logs of one server, by version.
pub(crate) fn reconfigs(data: &Path) -> BTreeMap<u64, Logged> {
    let logged = logged(data, reconfig);
    logged.into_iter().map(|logged| (logged.version, logged)).collect()
}

/// What is made of the transactions in the logs of one server, those of each file in order.
pub(crate) fn logged<T>(data: &Path, read: impl Fn(Bytes<'_>) -> Option<T>) -> Vec<T> {
    let mut found = Vec::new();
    let files = fs::read_dir(data.join("version-2")).into_iter().flatten().filter_map(Result::ok);
    for file in files.filter(|file| file.file_name().to_string_lossy().starts_with("log.")) {
        let log = fs::read(file.path()).unwrap_or_default();
        let mut rest = Bytes(log.get(FILE_HEADER..).unwrap_or_default());
        while let Some(transaction) = next_transaction(&mut rest) {
            found.extend(read(transaction));
        }
    }
    found
}

/// The next transaction; nothing at the end, which is zeros up to the size set aside, or torn, as a
/// full disk leaves it.
fn next_transaction<'a>(rest: &mut Bytes<'a>) -> Option<Bytes<'a>> {
    let checksum = rest.long()?;
    let length = usize::try_from(rest.int()?).ok().filter(|length| *length > 0)?;
    let transaction = rest.take(length)?;
    let _end_of_record = rest.take(1)?;
    (i64::from(adler32(transaction)) == checksum).then_some(Bytes(transaction))
}

/// The checksum of `FileTxnLog`.
fn adler32(bytes: &[u8]) -> u32 {
    const LARGEST_PRIME: u32 = 65_521;
    let (low, high) = bytes.iter().fold((1, 0), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % LARGEST_PRIME;
        (low, (high + low) % LARGEST_PRIME)
    });
    high << 16 | low
}

/// A `TxnHeader`, and a `SetDataTxn` if it is a reconfig.
fn reconfig(mut transaction: Bytes<'_>) -> Option<Logged> {
    let session = transaction.long()?;
    let _cxid = transaction.int()?;
    let version = u64::try_from(transaction.long()?).ok()?;
    let _time = transaction.long()?;
    if transaction.int()? != RECONFIG {
        return None;
    }
    let _path = transaction.text()?;
    let text = transaction.text()?;
    let mut members: Vec<String> =
        text.lines().filter(|line| line.starts_with("server.")).map(str::to_owned).collect();
    members.sort();
    Some(Logged { version, session, members, text: text.clone() })
}

/// Bytes in jute's form, read from the front.
pub(crate) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn int(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(crate) fn long(&mut self) -> Option<i64> {
        Some(i64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.int()?).ok()?;
        Some(String::from_utf8_lossy(self.take(length)?).into_owned())
    }
}
