//! How an ensemble differs from its spec and from what zkplan applied last, and whose change that is.
//!
//! In: a target, the facts of now, and what the journal says of the last run that was completed. Out:
//! one [`Difference`] for each thing that is not as it is wanted. It changes nothing, plans nothing, and
//! says whose a change is only where the journal tells.

use std::collections::BTreeSet;

use crate::diff::{Change, diff};
use crate::model::{Membership, Server, ServerId, Target};
use crate::observe::{
    Facts, Finding, FindingKind, LeftToDo, Level, RetiredState, SettingDifference,
};

/// The last run that was completed, as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastApplied {
    /// Its number.
    pub run: u64,
    /// Its plan.
    pub plan_id: String,
    /// Who opened it.
    pub by: String,
    /// Why, where that was said.
    pub reason: Option<String>,
    /// When it was completed, as the clock of that host had it.
    pub at: String,
    /// The members that it ended with; `None` where its plan cannot be read.
    pub target: Option<Membership>,
}

/// What the journal says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// The last run that was completed.
    pub last: Option<LastApplied>,
    /// The config version that a run of zkplan made last, completed or not.
    pub version: Option<String>,
    /// The run that is open.
    pub open: Option<u64>,
    /// Whether an operator is proven to have written this, and it does not only look so.
    pub is_certain: bool,
}

/// How much a difference weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DriftSeverity {
    /// The ensemble is as it is wanted, but this should be seen to.
    Warning,
    /// The ensemble is not as it is wanted.
    Drift,
}

/// Whose change a difference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangedBy {
    /// The spec was changed since the last run.
    Spec,
    /// Another client than zkplan changed the ensemble since the last run.
    OtherClient,
    /// Both were changed.
    Both,
    /// A run that is open has done a part.
    OpenRun,
    /// The journal does not tell.
    Unknown,
}

/// One thing that is not as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is.
    pub kind: DriftKind,
    /// Whose change it is.
    pub by: ChangedBy,
}

/// What differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DriftKind {
    /// A server is no member and is wanted, is a member and not wanted, or has another line.
    Member {
        /// What a plan would change.
        change: Box<Change>,
        /// Its line after the last run; `None` where it was no member then, or that is not known.
        applied: Option<Server>,
    },
    /// The members are those of the last run, and yet the configuration was changed since.
    Version {
        /// The config version that a run of zkplan made last.
        applied: String,
        /// The config version now.
        live: String,
    },
    /// A setting differs from the spec on some servers.
    Setting(SettingDifference),
    /// Members were not seen up and in sync.
    MembersDown(BTreeSet<ServerId>),
    /// A run is neither complete nor abandoned.
    OpenRun(u64),
    /// Servers that a run retired still run.
    RetiredRun {
        /// The run.
        run: u64,
        /// These servers.
        servers: Vec<ServerId>,
        /// Whether they serve clients outside the ensemble.
        serve: bool,
    },
    /// Members that a run retired, and that are members again.
    MembersRetired {
        /// The run.
        run: u64,
        /// These members.
        members: BTreeSet<ServerId>,
    },
    /// A finding that is a warning, or that has to be accepted before a change.
    Finding(Finding),
    /// The journal could not be read: whose a change is, and whether a run is open, is not known.
    JournalUnread,
}

impl Difference {
    /// How much it weighs.
    pub const fn severity(&self) -> DriftSeverity {
        match self.kind {
            DriftKind::Member { .. }
            | DriftKind::Setting(_)
            | DriftKind::MembersDown(_)
            | DriftKind::OpenRun(_)
            | DriftKind::RetiredRun { serve: true, .. }
            | DriftKind::MembersRetired { .. } => DriftSeverity::Drift,
            DriftKind::Version { .. }
            | DriftKind::RetiredRun { serve: false, .. }
            | DriftKind::Finding(_)
            | DriftKind::JournalUnread => DriftSeverity::Warning,
        }
    }
}

/// Every difference, the weightiest first. `applied` is what the journal says; `None` where it could not
/// be read.
pub fn differences(target: &Target, facts: &Facts, applied: Option<&Applied>) -> Vec<Difference> {
    let unknown = |kind| Difference { kind, by: ChangedBy::Unknown };
    let mut all = members(target, facts, applied);
    all.extend(version(facts, applied, &all));
    for left in facts.left_to_do() {
        all.push(match left {
            LeftToDo::MembersDown(down) => unknown(DriftKind::MembersDown(down)),
            LeftToDo::OpenRun { run } => {
                Difference { kind: DriftKind::OpenRun(run), by: ChangedBy::OpenRun }
            }
            LeftToDo::RetiredServe { run, servers } => {
                unknown(DriftKind::RetiredRun { run, servers, serve: true })
            }
            LeftToDo::MembersRetired { run, members } => {
                unknown(DriftKind::MembersRetired { run, members })
            }
        });
    }
    all.extend(facts.findings.iter().flat_map(of_finding).map(unknown));
    all.extend(applied.is_none().then(|| unknown(DriftKind::JournalUnread)));
    all.sort_by_key(|one| std::cmp::Reverse(one.severity()));
    all
}

fn members(target: &Target, facts: &Facts, applied: Option<&Applied>) -> Vec<Difference> {
    let live = &facts.base.membership;
    let wanted = target.membership_for(live);
    let found = diff(live, &wanted, &facts.other_machine, target.policy.client_part);
    let last = applied.and_then(|applied| applied.last.as_ref()?.target.as_ref());
    let has_open_run = applied.is_some_and(|applied| applied.open.is_some());
    let of = |change: Change| {
        let then = last.map(|members| members.get(change.id));
        let by = match then {
            _ if has_open_run => ChangedBy::OpenRun,
            None => ChangedBy::Unknown,
            Some(then) => match (then == change.before.as_ref(), then == change.after.as_ref()) {
                (true, true) => ChangedBy::Unknown,
                (true, false) => ChangedBy::Spec,
                (false, true) => ChangedBy::OtherClient,
                (false, false) => ChangedBy::Both,
            },
        };
        let applied = then.flatten().cloned();
        Difference { kind: DriftKind::Member { change: Box::new(change), applied }, by }
    };
    found.changes.into_iter().map(of).collect()
}

/// A config version that no run made, where no member shows that another client changed something.
fn version(facts: &Facts, applied: Option<&Applied>, members: &[Difference]) -> Option<Difference> {
    let applied = applied?.version.clone()?;
    let live = facts.base.version.to_string();
    let is_named = |one: &Difference| matches!(one.by, ChangedBy::OtherClient | ChangedBy::Both);
    if applied == live || members.iter().any(is_named) {
        return None;
    }
    let kind = DriftKind::Version { applied, live };
    Some(Difference { kind, by: ChangedBy::OtherClient })
}

fn of_finding(finding: &Finding) -> Vec<DriftKind> {
    match &finding.kind {
        FindingKind::SettingsDiffer { differences } => {
            differences.iter().cloned().map(DriftKind::Setting).collect()
        }
        FindingKind::RetiredAnswers { run, state, servers } if *state != RetiredState::Serve => {
            let servers = servers.iter().map(|server| server.id).collect();
            vec![DriftKind::RetiredRun { run: *run, servers, serve: false }]
        }
        // These are left to be done, or follow from what is.
        FindingKind::RetiredAnswers { .. }
        | FindingKind::MembersRetired { .. }
        | FindingKind::OpenRun { .. }
        | FindingKind::MemberSilent
        | FindingKind::MemberNotAsked => Vec::new(),
        kind if kind.level() == Level::Note => Vec::new(),
        _ => vec![DriftKind::Finding(finding.clone())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Example, config};

    fn applied(members: &str, version: &str) -> Applied {
        let last = LastApplied {
            run: 3,
            plan_id: "sha256:1".to_owned(),
            by: "ann@ops".to_owned(),
            reason: None,
            at: "2026-11-29T03:00:00Z".to_owned(),
            target: Some(config(members).membership),
        };
        let version = Some(version.to_owned());
        Applied { last: Some(last), version, open: None, is_certain: true }
    }

    /// Each difference: its server and whose change it is.
    fn whose(live: &str, wanted: &str, applied: &Applied) -> Vec<(Option<i64>, ChangedBy)> {
        let example = Example::new(live, wanted);
        let found = differences(&example.target(), &example.facts(), Some(applied));
        let of = |one: Difference| match one.kind {
            DriftKind::Member { change, .. } => (Some(change.id.get()), one.by),
            _ => (None, one.by),
        };
        found.into_iter().map(of).collect()
    }

    const NOW: &str = crate::example::FIRST_VERSION;

    #[test]
    fn after_an_apply_nothing_differs() {
        assert_eq!(whose("1 2 3", "1 2 3", &applied("1 2 3", NOW)), []);
    }

    #[test]
    fn three_ways_tell_whose_change_it_is() {
        let then = applied("1 2 3", "1");
        let other = (Some(3), ChangedBy::OtherClient);
        assert_eq!(whose("1 2", "1 2 3", &then), [other], "removed by another client");
        let own = applied("1 2 3", NOW);
        assert_eq!(whose("1 2 3", "1 2 3 4", &own), [(Some(4), ChangedBy::Spec)]);
        assert_eq!(
            whose("1 2 3 5", "1 2 3o", &own)[..],
            [(Some(3), ChangedBy::Spec), (Some(5), ChangedBy::OtherClient)]
        );
        assert_eq!(whose("1 2 3o", "1 2 3p", &own), [(Some(3), ChangedBy::Both)]);
        let none = Applied { last: None, version: None, ..own.clone() };
        assert_eq!(whose("1 2", "1 2 3", &none), [(Some(3), ChangedBy::Unknown)]);
        let open = Applied { open: Some(4), ..own };
        assert_eq!(whose("1 2 3", "1 2 3 4", &open), [(Some(4), ChangedBy::OpenRun)]);
    }

    #[test]
    fn a_reconfig_that_was_undone_again_is_a_warning() {
        let example = Example::new("1 2 3", "1 2 3");
        let found = differences(&example.target(), &example.facts(), Some(&applied("1 2 3", "1")));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(matches!(found[0].kind, DriftKind::Version { .. }), "{found:?}");
        assert_eq!(found[0].severity(), DriftSeverity::Warning);
    }

    #[test]
    fn a_member_that_is_down_is_drift_and_what_was_not_read_is_said() {
        let example = Example::new("1 2 3", "1 2 3").down("2");
        let found = differences(&example.target(), &example.facts(), None);
        let kinds: Vec<_> = found.iter().map(|one| (&one.kind, one.severity())).collect();
        let down = DriftKind::MembersDown([ServerId::new(2)].into());
        assert!(kinds.contains(&(&down, DriftSeverity::Drift)), "{kinds:?}");
        assert_eq!(kinds.last(), Some(&(&DriftKind::JournalUnread, DriftSeverity::Warning)));
    }
}
