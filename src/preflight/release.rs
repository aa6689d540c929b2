//! Which releases run, and what is known of them.

use std::collections::{BTreeMap, BTreeSet};

use super::check::Check;
use super::codes::CheckKind;
use super::evidence::{CheckRemedy, Evidence};
use super::view::View;
use crate::ensemble::ServerVersion;
use crate::model::ServerId;
use crate::observe::{Finding, FindingKind, Issue, Level, ServerStatus};

/// The first release with dynamic reconfiguration.
const FIRST: ServerVersion = ServerVersion::new(3, 5, 0);

pub(super) fn checks(view: View<'_>) -> Vec<Check> {
    let mut checks: Vec<Check> = view
        .servers()
        .map(|observed| {
            let (id, version) = (Some(observed.id), observed.version);
            let evidence = Evidence::Runs { version };
            match version {
                Some(version) if version < FIRST => {
                    Check::fail(CheckKind::Release, id, evidence, CheckRemedy::Upgrade)
                }
                Some(_) => Check::pass(CheckKind::Release, id, evidence),
                None if view.is_to_start(observed) => Check::unknown(
                    CheckKind::Release,
                    id,
                    Evidence::NotRunning,
                    CheckRemedy::StartJoiner,
                ),
                None => {
                    Check::unknown(CheckKind::Release, id, evidence, CheckRemedy::ReachClientPort)
                }
            }
        })
        .collect();
    checks.push(line(view));
    checks.extend(bugs(view));
    checks
}

fn line(view: View<'_>) -> Check {
    const KIND: CheckKind = CheckKind::ReleaseLine;
    let known: BTreeSet<ServerVersion> =
        view.servers().filter_map(|observed| observed.version).collect();
    let unknown =
        view.servers().filter(|observed| observed.version.is_none()).map(|observed| observed.id);
    let unknown: BTreeSet<ServerId> = unknown.collect();
    let (lowest, highest) = (known.first().copied(), known.last().copied());
    let is_one = lowest.map(ServerVersion::line) == highest.map(ServerVersion::line);
    let all_known = unknown.is_empty();
    let runs = |id: &ServerId| {
        view.seen.servers.get(id).is_some_and(|one| one.status == ServerStatus::NotServing)
    };
    let all_run = unknown.iter().all(runs);
    let remedy = if all_run { CheckRemedy::AskAgain } else { CheckRemedy::StartJoiner };
    let evidence = Evidence::Releases { lowest, highest, unknown };
    if !is_one {
        Check::fail(KIND, None, evidence, CheckRemedy::OneReleaseLine)
    } else if all_known {
        Check::pass(KIND, None, evidence)
    } else {
        Check::unknown(KIND, None, evidence, remedy)
    }
}

/// One check for each release: the bugs that `zkplan plan` lists for it (ZKF1).
fn bugs(view: View<'_>) -> Vec<Check> {
    const KIND: CheckKind = CheckKind::KnownBugs;
    let mut of_release: BTreeMap<ServerVersion, Vec<&Finding>> = BTreeMap::new();
    for version in view.servers().filter_map(|observed| observed.version) {
        of_release.entry(version).or_default();
    }
    for finding in &view.seen.findings {
        if let FindingKind::KnownBug { version, .. } = finding.kind {
            of_release.entry(version).or_default().push(finding);
        }
    }
    let check = |(version, findings): (ServerVersion, Vec<&Finding>)| {
        let is_grave = findings.iter().any(|finding| finding.kind.level() == Level::Accept);
        let issues: BTreeSet<Issue> = findings.iter().filter_map(|f| issue(&f.kind)).collect();
        let is_sound = issues.is_empty();
        let evidence = Evidence::Bugs { version, issues: issues.into_iter().collect() };
        match (is_sound, is_grave) {
            (true, _) => Check::pass(KIND, None, evidence),
            (false, true) => Check::fail(KIND, None, evidence, CheckRemedy::Upgrade),
            (false, false) => Check::advise(KIND, None, evidence, CheckRemedy::Upgrade),
        }
    };
    of_release.into_iter().map(check).collect()
}

const fn issue(kind: &FindingKind) -> Option<Issue> {
    match kind {
        FindingKind::KnownBug { issue, .. } => Some(*issue),
        _ => None,
    }
}
