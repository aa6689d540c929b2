//! ZooKeeper's files as the fields that they are made of (`FileSnap`, `FileTxnLog`, `DataTree`, the records
//! of `org.apache.zookeeper.txn`).

use std::ops::Range;

/// A field of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// What it is, as the table of places has it.
    pub(crate) field: String,
    pub(crate) bytes: Range<usize>,
    /// Whether the tree digest changes with it.
    pub(crate) is_in_digest: bool,
}

/// A record of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) bytes: Range<usize>,
    pub(crate) zxid: u64,
}

/// The places of a file, and where its records are if it is a log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layout {
    pub(crate) places: Vec<Place>,
    pub(crate) records: Vec<Record>,
    /// Where the last record or the last seal ends.
    pub(crate) end: usize,
}

const SNAPSHOT: [&str; 39] = [
    "magic",
    "version",
    "dbid",
    "session count",
    "session id",
    "session timeout",
    "ACL count",
    "ACL key",
    "ACL entry count",
    "ACL permissions",
    "ACL scheme length",
    "ACL scheme",
    "ACL id length",
    "ACL id",
    "path length",
    "path",
    "data length",
    "data",
    "znode ACL",
    "czxid",
    "mzxid",
    "ctime",
    "mtime",
    "version of data",
    "cversion",
    "aversion",
    "ephemeralOwner",
    "pzxid",
    "end of znodes",
    "seal 1 checksum",
    "seal 1 mark",
    "digest zxid",
    "digest version",
    "digest",
    "seal 2 checksum",
    "seal 2 mark",
    "last zxid",
    "seal 3 checksum",
    "seal 3 mark",
];

const LOG: [&str; 14] = [
    "magic",
    "version",
    "dbid",
    "checksum",
    "length",
    "clientId",
    "cxid",
    "zxid",
    "time",
    "type",
    "digest version",
    "digest",
    "end of record",
    "zeros",
];

/// What stands in a snapshot, then what stands in a log: the list is made from the formats, not from files.
pub(crate) fn fields() -> Vec<String> {
    let bodies: [(&str, &[&str]); 12] = [
        ("create", &CREATE),
        ("create2", &CREATE),
        ("createContainer", &CREATE_CONTAINER),
        ("createTTL", &CREATE_TTL),
        ("delete", &["path length", "path"]),
        ("setData", &SET_DATA),
        ("reconfig", &SET_DATA),
        ("setACL", &SET_ACL),
        ("createSession", &["timeout"]),
        ("closeSession", &["path count", "path length", "path"]),
        ("multi", &["part count", "part type", "part body length", "part body"]),
        ("error", &["error"]),
    ];
    let of = |kind: &str, field: &str| format!("{kind}: {field}");
    let mut all: Vec<String> = SNAPSHOT.iter().map(|field| of("snapshot", field)).collect();
    all.extend(LOG.iter().map(|field| of("log", field)));
    all.extend(bodies.iter().flat_map(|(kind, body)| body.iter().map(|field| of(kind, field))));
    all
}

const CREATE: [&str; 12] = [
    "path length",
    "path",
    "data length",
    "data",
    "ACL entry count",
    "ACL permissions",
    "ACL scheme length",
    "ACL scheme",
    "ACL id length",
    "ACL id",
    "ephemeral",
    "parentCVersion",
];
/// No container of the corpus has data.
const CREATE_CONTAINER: [&str; 10] = [
    "path length",
    "path",
    "data length",
    "ACL entry count",
    "ACL permissions",
    "ACL scheme length",
    "ACL scheme",
    "ACL id length",
    "ACL id",
    "parentCVersion",
];
const CREATE_TTL: [&str; 12] = [
    "path length",
    "path",
    "data length",
    "data",
    "ACL entry count",
    "ACL permissions",
    "ACL scheme length",
    "ACL scheme",
    "ACL id length",
    "ACL id",
    "parentCVersion",
    "ttl",
];
const SET_DATA: [&str; 5] = ["path length", "path", "data length", "data", "version"];
const SET_ACL: [&str; 9] = [
    "path length",
    "path",
    "ACL entry count",
    "ACL permissions",
    "ACL scheme length",
    "ACL scheme",
    "ACL id length",
    "ACL id",
    "version",
];

/// Walks over the fields of a file that is whole.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    layout: Layout,
    kind: String,
    is_in_digest: bool,
}

impl<'a> Walk<'a> {
    fn new(bytes: &'a [u8], kind: &str) -> Self {
        let layout = Layout::default();
        Self { bytes, at: 0, layout, kind: kind.to_owned(), is_in_digest: false }
    }

    fn field(&mut self, field: &str, length: usize) -> &'a [u8] {
        let range = self.at..self.at + length;
        self.at = range.end;
        let bytes = &self.bytes[range.clone()];
        if length > 0 {
            let (field, is_in_digest) = (format!("{}: {field}", self.kind), self.is_in_digest);
            self.layout.places.push(Place { field, bytes: range, is_in_digest });
        }
        bytes
    }

    fn int(&mut self, field: &str) -> i32 {
        i32::from_be_bytes(self.field(field, 4).try_into().expect("four bytes"))
    }

    fn long(&mut self, field: &str) -> i64 {
        i64::from_be_bytes(self.field(field, 8).try_into().expect("eight bytes"))
    }

    /// A length, and as many bytes; -1 is none.
    fn buffer(&mut self, field: &str) -> &'a [u8] {
        let length = usize::try_from(self.int(&format!("{field} length"))).unwrap_or_default();
        self.field(field, length)
    }

    fn acl(&mut self) {
        for _ in 0..self.int("ACL entry count") {
            self.int("ACL permissions");
            self.buffer("ACL scheme");
            self.buffer("ACL id");
        }
    }

    fn peek(&self) -> i32 {
        i32::from_be_bytes(self.bytes[self.at..self.at + 4].try_into().expect("four bytes"))
    }

    fn seal(&mut self, number: u8) {
        self.long(&format!("seal {number} checksum"));
        self.field(&format!("seal {number} mark"), 5);
    }
}

/// The places of a snapshot.
pub(crate) fn of_snapshot(bytes: &[u8]) -> Layout {
    let mut walk = Walk::new(bytes, "snapshot");
    walk.field("magic", 4);
    walk.int("version");
    walk.long("dbid");
    for _ in 0..walk.int("session count") {
        walk.long("session id");
        walk.int("session timeout");
    }
    for _ in 0..walk.int("ACL count") {
        walk.long("ACL key");
        walk.acl();
    }
    while walk.bytes[walk.at..walk.at + 5] != [0, 0, 0, 1, b'/'] {
        let length = usize::try_from(walk.peek()).expect("a length");
        let path = &walk.bytes[walk.at + 4..walk.at + 4 + length];
        walk.is_in_digest = !path.starts_with(b"/zookeeper/");
        walk.buffer("path");
        walk.buffer("data");
        let is_in_digest = std::mem::replace(&mut walk.is_in_digest, false);
        walk.long("znode ACL");
        walk.is_in_digest = is_in_digest;
        for field in ["czxid", "mzxid", "ctime", "mtime"] {
            walk.long(field);
        }
        for field in ["version of data", "cversion", "aversion"] {
            walk.int(field);
        }
        walk.long("ephemeralOwner");
        walk.long("pzxid");
        walk.is_in_digest = false;
    }
    walk.field("end of znodes", 5);
    walk.seal(1);
    let rest = bytes.len() - walk.at;
    if rest >= 33 {
        walk.long("digest zxid");
        walk.int("digest version");
        walk.is_in_digest = true;
        walk.long("digest");
        walk.is_in_digest = false;
        walk.seal(2);
    }
    if rest == 21 || rest == 54 {
        walk.long("last zxid");
        walk.seal(if rest == 54 { 3 } else { 2 });
    }
    assert_eq!(walk.at, bytes.len(), "nothing stands behind the last seal");
    walk.layout.end = walk.at;
    walk.layout
}

/// The places of a log.
pub(crate) fn of_log(bytes: &[u8]) -> Layout {
    let mut walk = Walk::new(bytes, "log");
    walk.field("magic", 4);
    walk.int("version");
    walk.long("dbid");
    while walk.bytes[walk.at..].len() >= 12 && walk.bytes[walk.at + 8..walk.at + 12] != [0; 4] {
        let begin = walk.at;
        walk.long("checksum");
        let length = usize::try_from(walk.int("length")).expect("a length");
        let end = walk.at + length;
        walk.long("clientId");
        walk.int("cxid");
        let zxid = u64::try_from(walk.long("zxid")).expect("a zxid");
        walk.long("time");
        let kind = walk.int("type");
        body(&mut walk, kind, end);
        if end - walk.at == 12 {
            walk.int("digest version");
            walk.long("digest");
        }
        assert_eq!(walk.at, end, "the fields of a transaction of type {kind}");
        assert_eq!(walk.field("end of record", 1), b"B");
        walk.layout.records.push(Record { bytes: begin..walk.at, zxid });
    }
    walk.layout.end = walk.at;
    let zeros = bytes.len() - walk.at;
    walk.field("zeros", zeros);
    walk.layout
}

fn body(walk: &mut Walk<'_>, kind: i32, end: usize) {
    let names = [
        (1, "create"),
        (15, "create2"),
        (19, "createContainer"),
        (21, "createTTL"),
        (2, "delete"),
        (20, "delete"),
        (5, "setData"),
        (16, "reconfig"),
        (7, "setACL"),
        (-10, "createSession"),
        (-11, "closeSession"),
        (14, "multi"),
        (-1, "error"),
    ];
    let name = names.iter().find(|(known, _)| *known == kind).expect("a type of the format").1;
    name.clone_into(&mut walk.kind);
    // Sessions and what is below `/zookeeper/` are in no digest.
    walk.is_in_digest = !matches!(kind, 16 | -10 | -1 | 14);
    match kind {
        1 | 15 | 19 | 21 => {
            walk.buffer("path");
            walk.buffer("data");
            walk.is_in_digest = false;
            walk.acl();
            walk.is_in_digest = true;
            if kind < 19 {
                walk.field("ephemeral", 1);
            }
            walk.int("parentCVersion");
            if kind == 21 {
                walk.long("ttl");
            }
        }
        2 | 20 => {
            walk.buffer("path");
        }
        5 | 16 => {
            walk.buffer("path");
            walk.buffer("data");
            walk.int("version");
        }
        7 => {
            walk.buffer("path");
            walk.acl();
            walk.int("version");
        }
        -10 => {
            walk.int("timeout");
        }
        -11 if end - walk.at > 0 => {
            for _ in 0..walk.int("path count") {
                walk.buffer("path");
            }
        }
        14 => {
            for _ in 0..walk.int("part count") {
                walk.int("part type");
                walk.buffer("part body");
            }
        }
        -1 => {
            walk.int("error");
        }
        _ => {}
    }
    walk.is_in_digest = false;
    "log".clone_into(&mut walk.kind);
}
