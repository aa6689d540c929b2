//! Settings that differ from the spec, in words.

use super::phrases::servers;
use crate::observe::SettingDifference;

/// The settings that differ, with their servers, and what to do about them.
pub(super) fn differ(differences: &[SettingDifference]) -> String {
    let one = |difference: &SettingDifference| {
        let SettingDifference { setting, wanted, seen, servers: on } = difference;
        format!("{setting} on {} (wanted {wanted}, seen {seen})", servers(on))
    };
    let all: Vec<String> = differences.iter().map(one).collect();
    format!(
        "settings differ from the spec: {}. Bring them about by a rolling restart, one server at a \
         time and the leader last, then plan again: zkplan explain settings",
        all.join("; ")
    )
}
