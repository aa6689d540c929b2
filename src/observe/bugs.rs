//! Releases with known bugs that bear on membership changes.

use super::finding::Issue;
use super::{Finding, FindingKind, Observation};
use crate::ensemble::ServerVersion;

/// A bug, and a line of releases that has it.
struct Bug {
    issue: Issue,
    /// The first release with it.
    since: ServerVersion,
    /// The first release of that line without it; `None` where no release is.
    fixed: Option<ServerVersion>,
}

const fn v(major: u16, minor: u16, patch: u16) -> ServerVersion {
    ServerVersion::new(major, minor, patch)
}

const fn bug(issue: Issue, since: ServerVersion, fixed: ServerVersion) -> Bug {
    Bug { issue, since, fixed: Some(fixed) }
}

/// By issue. The tags that hold a fix count, not the fields of the tracker.
const BUGS: &[Bug] = &[
    bug(Issue::Zk2014, v(3, 5, 0), v(3, 5, 3)),
    bug(Issue::Zk2080, v(3, 5, 0), v(3, 5, 3)),
    bug(Issue::Zk2172, v(3, 5, 0), v(3, 5, 3)),
    // The locks that it is about came with the fix of 2080.
    bug(Issue::Zk2778, v(3, 5, 3), v(3, 5, 5)),
    bug(Issue::Zk2847, v(3, 5, 0), v(3, 6, 0)),
    bug(Issue::Zk3540, v(3, 5, 0), v(3, 6, 0)),
    bug(Issue::Zk3756, v(3, 5, 0), v(3, 5, 8)),
    bug(Issue::Zk3756, v(3, 6, 0), v(3, 6, 1)),
    bug(Issue::Zk3769, v(3, 5, 0), v(3, 5, 8)),
    bug(Issue::Zk3769, v(3, 6, 0), v(3, 6, 1)),
    bug(Issue::Zk3829, v(3, 5, 0), v(3, 5, 9)),
    bug(Issue::Zk3829, v(3, 6, 0), v(3, 6, 2)),
    bug(Issue::Zk3911, v(3, 5, 0), v(3, 5, 10)),
    bug(Issue::Zk3911, v(3, 6, 0), v(3, 6, 3)),
    Bug { issue: Issue::Zk4708, since: v(3, 5, 0), fixed: None },
    // No more than a warning: every release up to these has it, those of distributions included.
    bug(Issue::Zk4785, v(3, 5, 0), v(3, 8, 5)),
    bug(Issue::Zk4785, v(3, 9, 0), v(3, 9, 2)),
    bug(Issue::Zk4925, v(3, 9, 3), v(3, 9, 4)),
];

/// The first release of a release's line without a bug; `None` where no release is.
pub fn fixed_in(issue: Issue, version: ServerVersion) -> Option<ServerVersion> {
    BUGS.iter().find(|bug| bug.issue == issue && bug.affects(version))?.fixed
}

/// The bugs of the releases that were seen; one finding for all servers where they run the same.
pub(super) fn known_bugs(seen: &Observation) -> Vec<Finding> {
    let versions: Vec<_> =
        seen.servers.iter().filter_map(|(id, sight)| Some((*id, sight.version?))).collect();
    let names = seen.config.membership.servers().flat_map(|server| &server.peers);
    let by_name = !seen.reconfig_disabled && names.into_iter().any(|p| p.host.literal().is_none());
    let is_static = seen.config.membership.servers().any(|server| server.client.is_none());
    let mut findings = Vec::new();
    for bug in BUGS {
        let bites = match bug.issue {
            Issue::Zk4708 => by_name,
            Issue::Zk2847 => is_static,
            _ => true,
        };
        if !bites {
            continue;
        }
        let affected: Vec<_> =
            versions.iter().filter(|(_, version)| bug.affects(*version)).collect();
        let same = affected.len() == versions.len()
            && affected
                .iter()
                .all(|(_, version)| Some(version) == affected.first().map(|(_, v)| v));
        let shown = if same { affected.get(..1).unwrap_or_default() } else { &affected[..] };
        for (id, version) in shown {
            findings.push(Finding { kind: bug.found(*version), server: (!same).then_some(*id) });
        }
    }
    findings
}

impl Bug {
    fn affects(&self, version: ServerVersion) -> bool {
        version >= self.since && self.fixed.is_none_or(|fixed| version < fixed)
    }

    const fn found(&self, version: ServerVersion) -> FindingKind {
        FindingKind::KnownBug { version, issue: self.issue }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Level;

    #[test]
    fn each_release_has_its_bugs() {
        let of = |version| -> Vec<Issue> {
            let bugs = BUGS.iter().filter(|bug| bug.issue != Issue::Zk4708);
            bugs.filter(|bug| bug.affects(version)).map(|bug| bug.issue).collect()
        };
        let early = [Issue::Zk2847, Issue::Zk3540];
        assert_eq!(of(v(3, 5, 10)), [&early[..], &[Issue::Zk4785]].concat());
        assert_eq!(of(v(3, 5, 9)), [&early[..], &[Issue::Zk3911, Issue::Zk4785]].concat());
        let of_8 = [Issue::Zk3829, Issue::Zk3911, Issue::Zk4785];
        assert_eq!(of(v(3, 5, 8)), [&early[..], &of_8].concat());
        let of_5 = [&early[..], &[Issue::Zk3756, Issue::Zk3769], &of_8].concat();
        assert_eq!(of(v(3, 5, 5)), of_5);
        assert_eq!(of(v(3, 5, 4)), [&[Issue::Zk2778], &of_5[..]].concat());
        let first = [Issue::Zk2014, Issue::Zk2080, Issue::Zk2172];
        assert_eq!(of(v(3, 5, 2)), [&first, &of_5[..]].concat());
        assert_eq!(of(v(3, 6, 0)), of_5[2..]);
        assert_eq!(of(v(3, 6, 1)), of_8);
        assert_eq!(of(v(3, 6, 3)), [Issue::Zk4785]);
        assert_eq!(of(v(3, 8, 0)), [Issue::Zk4785]);
        assert_eq!(of(v(3, 8, 5)), []);
        assert_eq!(of(v(3, 9, 1)), [Issue::Zk4785]);
        assert_eq!(of(v(3, 9, 3)), [Issue::Zk4925]);
        assert_eq!(of(v(3, 9, 4)), []);
    }

    #[test]
    fn debians_own_release_needs_no_acceptance() {
        let mut bugs = BUGS.iter().filter(|bug| bug.affects(v(3, 8, 0)));
        assert!(bugs.all(|bug| bug.found(v(3, 8, 0)).level() < Level::Accept));
    }
}
