//! What an operator accepts: by flag, for one command, and in the spec, until a day.

use super::local::time_of_day;
use super::output::Output;
use crate::apply::journal::Run;
use crate::check::CheckedPlan;
use crate::model::{AcceptedRisk, Day};
use crate::plan::{Acceptance, StepId};
use crate::render::words_for_acceptance;
use crate::spec::Spec;

/// What is accepted for one spec.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Accepts<'a> {
    /// By flag.
    pub(super) flags: &'a [Acceptance],
    /// In the spec.
    pub(super) spec: &'a [AcceptedRisk],
}

impl<'a> Accepts<'a> {
    /// By flags and in that spec.
    pub(super) fn of(flags: &'a [Acceptance], spec: &'a Spec) -> Self {
        Self { flags, spec: &spec.accept }
    }

    /// What counts on that day.
    pub(super) fn on(self, day: Day) -> Vec<Acceptance> {
        let mut all = self.flags.to_vec();
        for risk in self.spec.iter().filter(|risk| risk.until >= day) {
            let risk = named(risk);
            if !all.contains(&risk) {
                all.push(risk);
            }
        }
        all
    }

    /// What counts today.
    pub(super) fn now(self) -> Vec<Acceptance> {
        self.on(today())
    }

    /// What counts for a run: what is accepted on its first day is for all of it, as long as the entry
    /// stands in the spec.
    pub(super) fn for_run(self, run: &Run) -> Vec<Acceptance> {
        self.on(first_day(run))
    }

    /// The same plan, with the reason and the day of what it accepts because the spec says so.
    pub(super) fn with_terms(self, checked: CheckedPlan) -> CheckedPlan {
        let held = &checked.plan().accepted;
        let by_spec = |risk: &&AcceptedRisk| {
            let risk = named(risk);
            held.contains(&risk) && !self.flags.contains(&risk)
        };
        let terms = self.spec.iter().filter(by_spec).cloned().collect();
        checked.accepting_until(terms)
    }

    /// Says which entries have ended.
    pub(super) fn note_ended(self, path: &str, output: &Output) {
        for line in ended(self.spec, today()) {
            output.note(&format!("{path}: {line}"));
        }
    }
}

/// Entries that have ended by that day, each in a sentence.
pub(super) fn ended(risks: &[AcceptedRisk], day: Day) -> Vec<String> {
    let over = risks.iter().filter(|risk| risk.until < day);
    over.map(|risk| {
        format!(
            "{} was accepted until {} ({}): it counts again",
            words_for_acceptance(&named(risk)),
            risk.until,
            risk.reason
        )
    })
    .collect()
}

/// The first day of a run; today where it cannot be read.
pub(super) fn first_day(run: &Run) -> Day {
    let opened = run.header.as_ref().ok().and_then(|header| Day::of_time(&header.opened.at));
    opened.unwrap_or_else(today)
}

/// Today, in UTC.
pub(super) fn today() -> Day {
    Day::of_time(&time_of_day()).expect("a clock before the year 10000")
}

fn named(risk: &AcceptedRisk) -> Acceptance {
    Acceptance { code: risk.code.clone(), step: risk.step.clone().map(StepId::new) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::apply::journal::{Header, Stamp};

    fn risk(code: &str, until: &str) -> AcceptedRisk {
        let until = until.parse().expect("a day");
        AcceptedRisk { code: code.to_owned(), step: None, reason: "upgrade".to_owned(), until }
    }

    #[test]
    fn an_entry_counts_to_the_end_of_its_day() {
        let spec = [risk("ZKF1", "2026-12-31")];
        let accepts = Accepts { flags: &[], spec: &spec };
        let on = |day: &str| accepts.on(day.parse().expect("a day")).len();
        assert_eq!((on("2026-12-30"), on("2026-12-31"), on("2027-01-01")), (1, 1, 0));
        let said = |day: &str| ended(&spec, day.parse().expect("a day"));
        assert!(said("2026-12-31").is_empty());
        assert_eq!(
            said("2027-01-01"),
            ["ZKF1 was accepted until 2026-12-31 (upgrade): it counts again"]
        );
    }

    #[test]
    fn a_run_goes_on_with_what_was_accepted_on_its_first_day() {
        let spec = [risk("ZKF1", "2026-12-31")];
        let accepts = Accepts { flags: &[], spec: &spec };
        let run = |opened: &str| {
            let by = crate::example::applying::stamp("n");
            let by = Stamp { at: opened.to_owned(), ..by };
            let header = Header::new("p".into(), "e".into(), 1, BTreeMap::new(), by);
            let (records, illegible) = (Vec::new(), BTreeMap::new());
            Run { number: 1, header: Ok(header), records, illegible, last: 0 }
        };
        assert_eq!(accepts.for_run(&run("2026-12-31T23:59:59Z")).len(), 1);
        assert!(accepts.for_run(&run("2027-01-01T00:00:00Z")).is_empty());
        assert!(
            Accepts::default().for_run(&run("2026-12-31T23:59:59Z")).is_empty(),
            "not in the spec"
        );
    }

    #[test]
    fn what_a_flag_accepts_has_no_day() {
        let flags = [named(&risk("ZKF1", "2026-12-31"))];
        let spec = [risk("ZKF1", "2026-12-31")];
        let accepts = Accepts { flags: &flags, spec: &spec };
        assert_eq!(accepts.on("2027-01-01".parse().expect("a day")), flags);
    }
}
