//! Small ensembles, one for each way in which its servers can be now and at the end.

use super::Example;

/// The possible states of one server: member or not, wanted or not, up or down.
pub(crate) const FATES: [(&str, &str, bool); 15] = [
    ("", "", false),
    ("", "v", false),
    ("", "o", false),
    ("v", "", false),
    ("v", "", true),
    ("v", "v", false),
    ("v", "v", true),
    ("v", "o", false),
    ("v", "o", true),
    ("o", "", false),
    ("o", "", true),
    ("o", "o", false),
    ("o", "o", true),
    ("o", "v", false),
    ("o", "v", true),
];

/// The ensemble whose servers have these states, with ids from 1.
pub(crate) fn of_fates(fates: &[usize]) -> Example {
    let (mut base, mut wanted, mut down) = (String::new(), String::new(), String::new());
    for (at, fate) in fates.iter().enumerate() {
        let (was, is, dead) = FATES[*fate];
        let word = |role: &str| match role {
            "v" => format!("{} ", at + 1),
            "o" => format!("{}o ", at + 1),
            _ => String::new(),
        };
        base.push_str(&word(was));
        wanted.push_str(&word(is));
        if dead {
            down.push_str(&word("v"));
        }
    }
    Example::new(&base, &wanted).down(&down)
}
