//! What a server takes a file for, by its name alone (`Util.getZxidFromName`, `SnapStream`).

use super::compression::Compression;

/// What a server takes a file for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileRole {
    /// A snapshot, begun behind that transaction.
    Snapshot {
        /// The zxid in the name.
        zxid: u64,
        /// How it is packed.
        compression: Compression,
    },
    /// A log that begins with that transaction.
    Log {
        /// The zxid in the name.
        zxid: u64,
    },
    /// `acceptedEpoch` or `currentEpoch`.
    Epoch,
    /// Nothing: a server does not read it.
    Other,
}

/// What a server takes a name for. It splits names at each dot and reads the second part alone, so that
/// `snapshot.d25.tmp` is a snapshot to it.
pub(super) fn role_of(name: &str) -> FileRole {
    let parts: Vec<&str> = name.trim_end_matches('.').split('.').collect();
    let zxid = parts.get(1).and_then(|hex| i64::from_str_radix(hex, 16).ok());
    let zxid = zxid.and_then(|zxid| u64::try_from(zxid).ok());
    let is = |wanted: &str| parts.last().is_some_and(|last| last.eq_ignore_ascii_case(wanted));
    match (parts.first().copied(), zxid) {
        (Some("snapshot"), Some(zxid)) => {
            let compression = match (is("gz"), is("snappy")) {
                (true, _) => Compression::Gzip,
                (_, true) => Compression::Snappy,
                _ => Compression::Plain,
            };
            FileRole::Snapshot { zxid, compression }
        }
        (Some("log"), Some(zxid)) => FileRole::Log { zxid },
        _ if name == "acceptedEpoch" || name == "currentEpoch" => FileRole::Epoch,
        _ => FileRole::Other,
    }
}

/// Whether a server takes a file of that name for a snapshot.
pub fn is_snapshot_name(name: &str) -> bool {
    matches!(role_of(name), FileRole::Snapshot { .. })
}

/// Whether a server writes a file of that name, and not only reads it.
pub(super) fn is_written_by_servers(name: &str) -> bool {
    match role_of(name) {
        FileRole::Snapshot { zxid, compression } => {
            let extension = match compression {
                Compression::Plain => "",
                Compression::Gzip => ".gz",
                Compression::Snappy => ".snappy",
            };
            name == format!("snapshot.{zxid:x}{extension}")
        }
        FileRole::Log { zxid } => name == format!("log.{zxid:x}"),
        FileRole::Epoch => true,
        // What is left behind of an epoch file that was being written.
        FileRole::Other => matches!(name, "acceptedEpoch.tmp" | "currentEpoch.tmp"),
    }
}

/// Whether a server with separate directories refuses to start because of a file in the other one.
/// It looks at the beginning of the name alone (`Util.isLogFileName`).
pub(super) fn begins_like(name: &str, role: &str) -> bool {
    name.strip_prefix(role).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_a_server_reads_them() {
        let snapshot = |zxid, compression| FileRole::Snapshot { zxid, compression };
        let plain = Compression::Plain;
        for (name, role, is_written) in [
            ("snapshot.0", snapshot(0, plain), true),
            ("snapshot.1000000ff", snapshot(0x1_0000_00ff, plain), true),
            ("snapshot.d25.gz", snapshot(0xd25, Compression::Gzip), true),
            ("snapshot.d25.snappy", snapshot(0xd25, Compression::Snappy), true),
            ("snapshot.d25.tmp", snapshot(0xd25, plain), false),
            ("snapshot.D25", snapshot(0xd25, plain), false),
            ("snapshot.0d25.GZ", snapshot(0xd25, Compression::Gzip), false),
            ("snapshot.d25.gz.1", snapshot(0xd25, plain), false),
            ("log.300", FileRole::Log { zxid: 0x300 }, true),
            ("log.300.bak", FileRole::Log { zxid: 0x300 }, false),
            ("log.x", FileRole::Other, false),
            ("log.-1", FileRole::Other, false),
            ("snapshot.", FileRole::Other, false),
            ("snapshot..5", FileRole::Other, false),
            ("snapshot.ffffffffffffffff", FileRole::Other, false),
            ("currentEpoch", FileRole::Epoch, true),
            ("currentEpoch.tmp", FileRole::Other, true),
            ("backup.tgz", FileRole::Other, false),
        ] {
            assert_eq!((role_of(name), is_written_by_servers(name)), (role, is_written), "{name}");
        }
    }
}
