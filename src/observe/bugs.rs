//! Releases with known bugs that bear on membership changes.

use super::finding_kind::Issue;
use super::{Finding, FindingKind, Observation};
use crate::ensemble::ServerVersion;
use crate::model::{AddAs, Role, Server, ServerId, Target};

/// A bug.
struct Bug {
    issue: Issue,
    /// The first release with it.
    since: ServerVersion,
    /// For each line with a fix, the first release that has it, ascending. Later lines never have
    /// the bug. Earlier lines that are not listed have it in every release.
    fixed: &'static [ServerVersion],
    /// The trigger of the bug.
    trigger: Trigger,
}

/// The kind of change that triggers a bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trigger {
    /// Any change.
    Change,
    /// Any change, if members have their client ports only in `zoo.cfg`.
    StaticChange,
    /// A server gets its data from a leader.
    Join,
    /// The leader changes, or a server changes its role: it restarts inside the same process.
    NewLeader,
    /// A server votes that observed before, without a restart in between.
    Promotion,
    /// Any change, if servers have host names: at each reconfig the leader compares its own
    /// address, resolved or not, with the one in the configuration (`Leader.getDesignatedLeader`).
    ChangeByName,
}

const fn v(major: u16, minor: u16, patch: u16) -> ServerVersion {
    ServerVersion::new(major, minor, patch)
}

const fn bug(
    issue: Issue,
    since: ServerVersion,
    fixed: &'static [ServerVersion],
    trigger: Trigger,
) -> Bug {
    Bug { issue, since, fixed, trigger }
}

/// By issue. The release tags that contain a fix count (`git tag --contains`), not the fields of
/// the issue tracker.
const BUGS: &[Bug] = &[
    bug(Issue::Zk2014, v(3, 5, 0), &[v(3, 5, 3), v(3, 6, 0)], Trigger::Change),
    bug(Issue::Zk2080, v(3, 5, 0), &[v(3, 5, 3), v(3, 6, 0)], Trigger::Change),
    bug(Issue::Zk2172, v(3, 5, 0), &[v(3, 5, 3), v(3, 6, 0)], Trigger::Join),
    // The locks in question came with the fix of 2080.
    bug(Issue::Zk2778, v(3, 5, 3), &[v(3, 5, 5), v(3, 6, 0)], Trigger::Change),
    bug(Issue::Zk2847, v(3, 5, 0), &[v(3, 6, 0)], Trigger::StaticChange),
    bug(Issue::Zk3540, v(3, 5, 0), &[v(3, 6, 0)], Trigger::Change),
    // Backported as 4225.
    bug(Issue::Zk3642, v(3, 5, 0), &[v(3, 5, 10), v(3, 6, 3), v(3, 7, 0)], Trigger::Join),
    bug(Issue::Zk3756, v(3, 5, 0), &[v(3, 5, 8), v(3, 6, 1), v(3, 7, 0)], Trigger::NewLeader),
    bug(Issue::Zk3769, v(3, 5, 0), &[v(3, 5, 8), v(3, 6, 1), v(3, 7, 0)], Trigger::NewLeader),
    bug(Issue::Zk3829, v(3, 5, 0), &[v(3, 5, 9), v(3, 6, 2), v(3, 7, 0)], Trigger::Change),
    bug(Issue::Zk3911, v(3, 5, 0), &[v(3, 5, 10), v(3, 6, 3), v(3, 7, 0)], Trigger::Join),
    // With 3023, 4643, 4646 and 4685, in one commit.
    bug(Issue::Zk4394, v(3, 5, 0), &[v(3, 9, 3)], Trigger::Join),
    // Of a pull request; on no branch.
    bug(Issue::Zk4689, v(3, 5, 0), &[], Trigger::Join),
    // Fixed only on master.
    bug(Issue::Zk4708, v(3, 5, 0), &[], Trigger::ChangeByName),
    bug(Issue::Zk4712, v(3, 5, 0), &[v(3, 9, 3)], Trigger::NewLeader),
    // Only a warning: every release before these has the bug, including those of distributions.
    bug(Issue::Zk4785, v(3, 5, 0), &[v(3, 8, 5), v(3, 9, 2)], Trigger::Join),
    bug(Issue::Zk4846, v(3, 5, 0), &[v(3, 8, 5), v(3, 9, 4)], Trigger::Join),
    // It came with the fix of 4394.
    bug(Issue::Zk4925, v(3, 9, 3), &[v(3, 9, 4)], Trigger::Join),
    // Mended by the same commit: `Observer.processPacket` made its requests with zxid 0 before.
    bug(Issue::Zk4925Observer, v(3, 5, 0), &[v(3, 9, 4)], Trigger::Promotion),
];

/// This release is never recommended: servers that join it can get a transaction log with a gap
/// (4925).
const NEVER_ADVISED: ServerVersion = v(3, 9, 3);

/// Instead of that.
const ADVISED: ServerVersion = v(3, 9, 4);

/// The release to which a server with the bug should be upgraded: the first fixed one of its own
/// line, else of the next line with a fix. `None` if there is none.
pub fn fixed_in(issue: Issue, version: ServerVersion) -> Option<ServerVersion> {
    let bug = BUGS.iter().find(|bug| bug.issue == issue && bug.affects(version))?;
    let first = bug.fixed.iter().copied().find(|fixed| *fixed > version)?;
    Some(if first == NEVER_ADVISED { ADVISED } else { first })
}

/// The bugs of the observed releases that an upgrade within their lines fixes. Bugs of promotions
/// are left out: only a plan that promotes a server triggers them.
pub(super) fn known_bugs(seen: &Observation) -> Vec<Finding> {
    findings(seen, |bug, version| {
        bug.fixed_on_line(version).is_some()
            && bug.trigger != Trigger::Promotion
            && (bug.trigger != Trigger::StaticChange || has_static_lines(seen))
    })
}

/// The bugs that the change to a target triggers, if no release of the server's line fixes them or
/// only a promotion triggers them. A bug that the operator can neither fix nor avoid is not
/// reported.
pub(super) fn triggered_bugs(seen: &Observation, target: &Target) -> Vec<Finding> {
    let triggers = triggers(seen, target);
    findings(seen, |bug, version| {
        let is_cured = bug.fixed_on_line(version).is_some();
        (!is_cured || bug.trigger == Trigger::Promotion) && triggers.contains(&bug.trigger)
    })
}

fn has_static_lines(seen: &Observation) -> bool {
    seen.config.membership.servers().any(|server| server.client.is_none())
}

/// What the change to a target triggers.
fn triggers(seen: &Observation, target: &Target) -> Vec<Trigger> {
    let members = &seen.config.membership;
    let wanted = |id: &ServerId| target.line(*id);
    let joins = target.servers.keys().any(|id| !members.contains(*id));
    let moves = |id: &ServerId| match (members.get(*id), wanted(id)) {
        (Some(now), Some(then)) => now.peers != then.peers || now.role != then.role,
        _ => true,
    };
    let leader_goes = seen.leader.as_ref().is_some_and(|leader| {
        moves(leader) || wanted(leader).is_some_and(|line| line.role == Role::Observer)
    });
    let turns = members.servers().any(|now| wanted(&now.id).is_some_and(|t| t.role != now.role));
    let is_voter = |line: &Server| line.role == Role::Participant;
    let promotes = members
        .servers()
        .any(|now| now.role == Role::Observer && wanted(&now.id).is_some_and(is_voter));
    let by_way_of_observer = target.policy.add_as == AddAs::Observer
        && target
            .servers
            .values()
            .any(|new| is_voter(&new.server) && !members.contains(new.server.id));
    let changes = joins || members.ids().iter().any(moves);
    let by_name = members.servers().flat_map(|server| &server.peers);
    let by_name = by_name.into_iter().any(|peer| peer.host.literal().is_none());
    let all = [
        (Trigger::Change, changes),
        (Trigger::StaticChange, changes && has_static_lines(seen)),
        (Trigger::Join, joins),
        (Trigger::NewLeader, leader_goes || turns),
        (Trigger::Promotion, promotes || by_way_of_observer),
        (Trigger::ChangeByName, changes && by_name && !seen.reconfig_disabled),
    ];
    all.into_iter().filter(|(_, is_so)| *is_so).map(|(trigger, _)| trigger).collect()
}

/// The bugs that fulfil a condition. One finding covers all servers of the same release.
fn findings(seen: &Observation, shows: impl Fn(&Bug, ServerVersion) -> bool) -> Vec<Finding> {
    let versions: Vec<_> =
        seen.servers.iter().filter_map(|(id, observed)| Some((*id, observed.version?))).collect();
    let mut findings = Vec::new();
    for bug in BUGS {
        let affected: Vec<_> = versions
            .iter()
            .filter(|(_, version)| bug.affects(*version) && shows(bug, *version))
            .collect();
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
        version >= self.since
            && match (self.fixed_on_line(version), self.fixed.last()) {
                (Some(fixed), _) => version < fixed,
                (None, Some(last)) => version.line() < last.line(),
                (None, None) => true,
            }
    }

    /// The first release without it of a release's line.
    fn fixed_on_line(&self, version: ServerVersion) -> Option<ServerVersion> {
        self.fixed.iter().copied().find(|fixed| fixed.line() == version.line())
    }

    const fn found(&self, version: ServerVersion) -> FindingKind {
        FindingKind::KnownBug { version, issue: self.issue }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Level;

    /// The bugs of a release, and after them those that no release of its line fixes.
    fn of(version: ServerVersion) -> (Vec<Issue>, Vec<Issue>) {
        let all = BUGS.iter().filter(|bug| bug.affects(version));
        let (cured, not): (Vec<&Bug>, Vec<&Bug>) =
            all.partition(|bug| bug.fixed_on_line(version).is_some());
        let issues = |bugs: Vec<&Bug>| bugs.into_iter().map(|bug| bug.issue).collect();
        (issues(cured), issues(not))
    }

    #[test]
    fn each_release_has_its_bugs() {
        use Issue::{
            Zk2014, Zk2080, Zk2172, Zk2778, Zk2847, Zk3540, Zk3642, Zk3756, Zk3769, Zk3829, Zk3911,
            Zk4394, Zk4689, Zk4708, Zk4712, Zk4785, Zk4846, Zk4925, Zk4925Observer,
        };
        let late = [Zk4394, Zk4689, Zk4708, Zk4712, Zk4785, Zk4846, Zk4925Observer];
        let of_35 = [&[Zk2847, Zk3540], &late[..]].concat();
        assert_eq!(of(v(3, 5, 10)), (vec![], of_35.clone()));
        assert_eq!(of(v(3, 5, 9)).0, [Zk3642, Zk3911]);
        assert_eq!(of(v(3, 5, 8)).0, [Zk3642, Zk3829, Zk3911]);
        let of_5 = [Zk3642, Zk3756, Zk3769, Zk3829, Zk3911];
        assert_eq!(of(v(3, 5, 5)), (of_5.to_vec(), of_35));
        assert_eq!(of(v(3, 5, 4)).0, [&[Zk2778], &of_5[..]].concat());
        assert_eq!(of(v(3, 5, 2)).0, [&[Zk2014, Zk2080, Zk2172], &of_5[..]].concat());
        assert_eq!(of(v(3, 6, 0)), (of_5.to_vec(), late.to_vec()));
        assert_eq!(of(v(3, 6, 1)).0, [Zk3642, Zk3829, Zk3911]);
        assert_eq!(of(v(3, 6, 3)), (vec![], late.to_vec()));
        assert_eq!(of(v(3, 7, 2)), (vec![], late.to_vec()));
        let never = vec![Zk4394, Zk4689, Zk4708, Zk4712, Zk4925Observer];
        assert_eq!(of(v(3, 8, 0)), (vec![Zk4785, Zk4846], never.clone()));
        assert_eq!(of(v(3, 8, 5)), (vec![], never.clone()));
        assert_eq!(of(v(3, 8, 6)), (vec![], never));
        let none = vec![Zk4689, Zk4708];
        assert_eq!(
            of(v(3, 9, 1)),
            (vec![Zk4394, Zk4712, Zk4785, Zk4846, Zk4925Observer], none.clone())
        );
        assert_eq!(of(v(3, 9, 2)), (vec![Zk4394, Zk4712, Zk4846, Zk4925Observer], none.clone()));
        assert_eq!(of(v(3, 9, 3)), (vec![Zk4846, Zk4925, Zk4925Observer], none.clone()));
        assert_eq!(of(v(3, 9, 4)), (vec![], none));
    }

    #[test]
    fn the_release_that_spreads_a_log_gap_is_never_recommended() {
        for bug in BUGS {
            for minor in 5..=9 {
                for patch in 0..=10 {
                    assert_ne!(fixed_in(bug.issue, v(3, minor, patch)), Some(NEVER_ADVISED));
                }
            }
        }
        assert_eq!(fixed_in(Issue::Zk4394, v(3, 8, 0)), Some(v(3, 9, 4)));
        assert_eq!(fixed_in(Issue::Zk4712, v(3, 9, 2)), Some(v(3, 9, 4)));
        assert_eq!(fixed_in(Issue::Zk4785, v(3, 7, 2)), Some(v(3, 8, 5)));
        assert_eq!(fixed_in(Issue::Zk3642, v(3, 6, 1)), Some(v(3, 6, 3)));
        assert_eq!(fixed_in(Issue::Zk4708, v(3, 8, 0)), None);
    }

    #[test]
    fn debians_own_release_needs_no_acceptance() {
        let mut bugs = BUGS.iter().filter(|bug| bug.affects(v(3, 8, 0)));
        assert!(bugs.all(|bug| bug.found(v(3, 8, 0)).level() < Level::Accept));
    }
}
