//! What must hold after a round, whatever happened in it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::faults::STRANGER;
use crate::members::{Members, voters};
use crate::schedule::{Kind, Round, members_of};
use crate::truth::Truth;

/// Counts what was checked, and keeps what was wrong.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) checks: u64,
    pub(crate) wrong: Vec<String>,
}

impl Verdict {
    /// One check.
    pub(crate) fn check(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        self.checks += 1;
        if !holds {
            self.wrong.push(otherwise());
        }
    }
}

/// What a round left in the ensemble.
pub(crate) struct Left<'a> {
    pub(crate) round: &'a Round,
    pub(crate) truth: &'a Truth,
    /// The version before the round.
    pub(crate) from: u64,
    /// Versions that another client has made.
    pub(crate) foreign: &'a [u64],
    /// How many servers may fail at every moment, by the plan; `None` where another plan was made
    /// on the way.
    pub(crate) tolerates: Option<i64>,
    /// A voter that was down all the time.
    pub(crate) dead: Option<u8>,
    /// The runs that were opened.
    pub(crate) runs: Vec<Value>,
}

impl Left<'_> {
    pub(crate) fn judge(&self, verdict: &mut Verdict) {
        let versions = self.truth.since(self.from);
        for (version, members) in &versions {
            self.is_on_the_way(verdict, *version, members);
            self.tolerates(verdict, *version, members);
        }
        for text in self.truth.wrong() {
            verdict.check(false, || text);
        }
        // One membership a version, and one leader an epoch.
        verdict.checks += 2;
        let mut journal = Journal::default();
        for run in &self.runs {
            journal.read(verdict, run);
        }
        self.journal_is_true(verdict, &journal, &versions);
    }

    /// Whether every server is as before, as wanted, or between.
    fn is_on_the_way(&self, verdict: &mut Verdict, version: u64, members: &Members) {
        let (base, target) = (members_of(&self.round.base), members_of(&self.round.target));
        let ids: BTreeSet<u8> =
            base.keys().chain(target.keys()).chain(members.keys()).copied().collect();
        let without_role = |line: &String| line.replace(":observer;", ":participant;");
        let strange: Vec<u8> = ids
            .into_iter()
            .filter(|id| !(*id == STRANGER && self.round.has(Kind::ForeignChange)))
            .filter(|id| {
                let (old, new, now) = (base.get(id), target.get(id), members.get(id));
                let is = |other: Option<&String>| other == now;
                let on_the_way = match now {
                    None => old.is_some() && new.is_some() && old != new,
                    Some(now) => [old, new]
                        .into_iter()
                        .flatten()
                        .any(|line| without_role(line) == without_role(now)),
                };
                !(is(old) || is(new) || on_the_way)
            })
            .collect();
        verdict.check(strange.is_empty(), || {
            format!(
                "in version {version:x}, servers {strange:?} are as no plan has them: {members:?}"
            )
        });
    }

    fn tolerates(&self, verdict: &mut Verdict, version: u64, members: &Members) {
        let struck = |kind: Kind| kind.strikes_servers() && kind != Kind::VoterDeadBefore;
        let Some(promised) = self.tolerates else { return };
        if self.round.faults.iter().any(|fault| struck(fault.kind)) {
            return;
        }
        let mut all = voters(members);
        let quorum = all.len() / 2 + 1;
        if let Some(dead) = self.dead {
            all.remove(&dead);
        }
        let seen = i64::try_from(all.len()).unwrap_or(0) - i64::try_from(quorum).unwrap_or(0);
        verdict.check(seen >= promised, || {
            format!("version {version:x} tolerates {seen} failures, the plan said {promised}: {members:?}")
        });
    }

    /// Whether the journal says what the servers' records say.
    fn journal_is_true(
        &self,
        verdict: &mut Verdict,
        journal: &Journal,
        versions: &BTreeMap<u64, Members>,
    ) {
        for (version, step) in &journal.committed {
            verdict.check(versions.contains_key(version), || {
                format!("{step} is recorded as committed in version {version:x}, which never was")
            });
        }
        for (from, step) in &journal.not_applied {
            let before = self.truth.of(*from);
            let next = versions.range(from + 1..).next();
            let carried_out = next.is_some_and(|(version, members)| {
                Some(members) != before.as_ref() && !self.foreign.contains(version)
            });
            verdict.check(before.is_none() || !carried_out, || {
                format!("{step} from version {from:x} is recorded as not applied, and is: {next:?}")
            });
        }
        if journal.is_given_up {
            return;
        }
        let mut before = self.truth.of(self.from);
        for (version, members) in versions {
            let changed = before.as_ref().is_some_and(|before| before != members);
            let accounted =
                journal.committed.contains_key(version) || self.foreign.contains(version);
            verdict.check(!changed || accounted, || {
                format!(
                    "version {version:x} changed the members, and no run tells of it: {members:?}"
                )
            });
            before = Some(members.clone());
        }
    }
}

/// What the runs of a round tell.
#[derive(Debug, Default)]
struct Journal {
    /// Steps by the version that they made.
    committed: BTreeMap<u64, String>,
    /// Versions from which a step was sent that is said not to have been carried out.
    not_applied: Vec<(u64, String)>,
    /// A run was abandoned: no entry says what became of what it had sent last.
    is_given_up: bool,
}

impl Journal {
    fn read(&mut self, verdict: &mut Verdict, run: &Value) {
        let number = &run["run"];
        let version =
            |value: &Value| u64::from_str_radix(value.as_str().unwrap_or_default(), 16).ok();
        let mut sent: BTreeMap<String, u64> = BTreeMap::new();
        let mut done: BTreeSet<String> = BTreeSet::new();
        for record in run["records"].as_array().into_iter().flatten() {
            let step = record["step"].as_str().unwrap_or_default().to_owned();
            match record["entry"].as_str().unwrap_or_default() {
                "intent" => {
                    let from = version(&record["version"]).unwrap_or(0);
                    let twice = sent.insert(step.clone(), from).is_some() || done.contains(&step);
                    verdict.check(!twice, || format!("run {number} sends {step} twice: {run:#}"));
                }
                "committed" => {
                    sent.remove(&step);
                    let twice = !done.insert(step.clone());
                    verdict.check(!twice, || format!("run {number} commits {step} twice: {run:#}"));
                    let made = version(&record["version"]).unwrap_or(0);
                    let other = self.committed.insert(made, step);
                    verdict.check(other.is_none(), || {
                        format!("two steps are recorded for version {made:x}: {run:#}")
                    });
                }
                "not-applied" => {
                    if let Some(from) = sent.remove(&step) {
                        self.not_applied.push((from, step));
                    }
                }
                "disarmed" => drop(sent.remove(&step)),
                "abandoned" => self.is_given_up = true,
                _ => {}
            }
        }
        verdict.check(run["state"] != "open", || format!("run {number} is left open: {run:#}"));
    }
}
