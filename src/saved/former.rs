//! Plans of format 1, which runs of former releases keep in the journal: the same content under other
//! keys.

use serde_json::{Map, Value};

/// The major version of the format.
pub(super) const MAJOR: u32 = 1;

/// The key of the version in that format.
pub(super) const VERSION_KEY: &str = "format_version";

/// What keys of the document are called today.
const RENAMED: [(&str, &str); 3] =
    [("min_tolerance", "minTolerance"), ("plan_id", "planId"), ("tool_version", "toolVersion")];

/// What keys of `base` are called today.
const RENAMED_IN_BASE: [(&str, &str); 5] = [
    ("client_confirmed", "clientConfirmed"),
    ("leader_zxid", "leaderZxid"),
    ("live", "synced"),
    ("one_voter_possible", "standaloneDisabled"),
    ("other_machine", "otherMachine"),
];

/// The document with the keys of today. A plan means the same in both formats, and its id is the same.
pub(super) fn renewed(mut document: Map<String, Value>) -> Map<String, Value> {
    rename(&mut document, &RENAMED);
    if let Some(Value::Object(base)) = document.get_mut("base") {
        rename(base, &RENAMED_IN_BASE);
    }
    document
}

fn rename(map: &mut Map<String, Value>, keys: &[(&str, &str)]) {
    for (former, today) in keys {
        if let Some(value) = map.remove(*former) {
            map.insert((*today).to_owned(), value);
        }
    }
}
