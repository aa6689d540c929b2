//! Judges one case: the answer of `plan` against every state that its schedule reaches, and against
//! the best of all orders.

use zkplan::check::{BreachKind, CheckedPlan};
use zkplan::plan::{Acceptance, Plan};
use zkplan::proposal::{Refusal, Remedy, acceptance, propose};

use crate::ground::Ground;
use crate::oracle::{Best, NO_ZONE, Oracle};
use crate::tally::Tally;
use crate::walk::{Sum, Walker};
use crate::world::Case;

/// A pair of eyes of one thread.
#[derive(Default)]
pub(crate) struct Judge {
    pub(crate) walker: Walker,
    oracle: Oracle,
    /// The most servers of a case whose schedule is compared with that of `apply`.
    pub(crate) compares: usize,
}

type Answer = Result<CheckedPlan, Box<Refusal>>;

impl Judge {
    /// Asks for a plan under each class of leader, or without a known leader, and judges the
    /// answers.
    pub(crate) fn judge(&mut self, case: &Case, every_leader: bool, tally: &mut Tally) {
        let ground = Ground::of(case);
        let target = case.target();
        let mut first: Option<Answer> = None;
        tally.classes += 1;
        if !ground.commits() {
            // There is no leader.
            tally.asked += 1;
            let answer = propose(&target, &case.facts(None), &[]);
            self.answered(case, &ground, &answer, tally);
            return;
        }
        let leaders = if every_leader { case.leaders() } else { vec![None] };
        for leader in leaders {
            tally.asked += 1;
            let answer = propose(&target, &case.facts(leader), &[]);
            match &first {
                None => {
                    self.answered(case, &ground, &answer, tally);
                    first = Some(answer);
                }
                // The plan must not depend on the leader.
                Some(known) if !is_same(known, &answer) => {
                    tally.violation(
                        "leader",
                        case,
                        &format!("another answer where {leader:?} leads"),
                    );
                }
                Some(_) => {}
            }
        }
    }

    /// Judges an answer that was given to a case.
    pub(crate) fn answered(
        &mut self,
        case: &Case,
        ground: &Ground,
        answer: &Answer,
        tally: &mut Tally,
    ) {
        match answer {
            Ok(checked) if !ground.changes() => {
                if !checked.plan().is_empty() {
                    tally.violation("nothing", case, "steps where nothing changes");
                }
            }
            Ok(checked) => {
                if let Some(sum) = self.planned(case, ground, checked, tally)
                    && Oracle::knows(case)
                {
                    let best = self.oracle.best(case, ground, false);
                    let zone = best.and_then(|_| self.oracle.best_zone(ground));
                    tally.dearer_zones += usize::from(zone > best.map(|best| best.zone_spare));
                    Self::counted("worse", case, &sum, best, tally);
                }
            }
            Err(refusal) => self.refused(case, ground, refusal, tally),
        }
    }

    /// Walks a plan, and compares the result with the checker's.
    fn planned(
        &mut self,
        case: &Case,
        ground: &Ground,
        checked: &CheckedPlan,
        tally: &mut Tally,
    ) -> Option<Sum> {
        tally.plans += 1;
        match self.walked(case, ground, checked.plan()) {
            Ok(sum) => {
                tally.steps += sum.steps;
                tally.states += sum.states;
                if let Err(what) = reported(checked, &sum) {
                    tally.violation("report", case, &what);
                }
                Some(sum)
            }
            Err(what) => {
                tally.violation("unsafe", case, &what);
                None
            }
        }
    }

    fn walked(&mut self, case: &Case, ground: &Ground, plan: &Plan) -> Result<Sum, String> {
        self.walker.compares = case.seats.len() <= self.compares;
        self.walker.walk(case, ground, plan).map_err(|wrong| wrong.to_string())
    }

    /// Counts a plan that is as good as the best.
    ///
    /// What the planner does not consider is counted separately: healthy voters whose ids move to
    /// other machines do so all with the additions, or all with the removals, so another order may
    /// survive a zone better.
    fn counted(kind: &'static str, case: &Case, sum: &Sum, best: Option<Best>, tally: &mut Tally) {
        let zone_spare = sum.zone_spare.unwrap_or(NO_ZONE);
        let same_but_zone = best.map(|best| Best { zone_spare, ..best });
        match compared(sum, best) {
            Ok(()) => tally.best += 1,
            Err(_) if case.groups_machines() && compared(sum, same_but_zone).is_ok() => {
                tally.grouped += 1;
            }
            Err(what) => tally.violation(kind, case, &what),
        }
    }

    /// Whether a plan keeps the rules and is as good as the best of all orders.
    pub(crate) fn is_best(&mut self, case: &Case, plan: &Plan) -> Result<(), String> {
        let ground = Ground::of(case);
        let sum = self.walked(case, &ground, plan)?;
        compared(&sum, self.oracle.best(case, &ground, false))
    }

    /// Whether a refusal is right: no order is legal.
    pub(crate) fn is_right_to_refuse(&mut self, case: &Case) -> Result<(), String> {
        match self.oracle.best(case, &Ground::of(case), false) {
            None => Ok(()),
            Some(best) => Err(format!("refused where {best:?} is legal")),
        }
    }

    fn refused(&mut self, case: &Case, ground: &Ground, refusal: &Refusal, tally: &mut Tally) {
        if !ground.changes() {
            tally.violation("nothing", case, "refused where nothing changes");
            return;
        }
        if Oracle::knows(case)
            && let Err(what) = self.is_right_to_refuse(case)
        {
            let breaches: Vec<&BreachKind> = refusal.breaches.iter().map(|b| &b.detail).collect();
            tally.violation("refused", case, &format!("{what}: {breaches:?}"));
            return;
        }
        if !ground.commits() {
            tally.stopped += 1;
            return;
        }
        tally.refusals += 1;
        if !Oracle::knows(case) || self.oracle.best(case, ground, true).is_none() {
            return;
        }
        tally.acceptances += 1;
        let Some(risks) = risks(refusal) else {
            let breaches: Vec<_> = refusal.breaches.iter().map(|b| (&b.step, &b.detail)).collect();
            let what = format!("a risk would do, not {:?}: {breaches:?}", refusal.remedies);
            tally.violation("risk", case, &what);
            return;
        };
        match propose(&case.target(), &case.facts(None), &risks) {
            Ok(checked) => {
                if let Some(sum) = self.planned(case, ground, &checked, tally) {
                    let best = self.oracle.best(case, ground, true);
                    Self::counted("riskier", case, &sum, best, tally);
                }
            }
            Err(again) => {
                let left: Vec<Acceptance> = again.breaches.iter().map(acceptance).collect();
                tally.violation("risk", case, &format!("{risks:?} accepted, refused by {left:?}"));
            }
        }
    }
}

/// The risks that a refusal offers to accept, if it asks for nothing else.
fn risks(refusal: &Refusal) -> Option<Vec<Acceptance>> {
    let risk = |remedy: &Remedy| match remedy {
        Remedy::Accept(risk) => Some(risk.clone()),
        _ => None,
    };
    let risks: Option<Vec<Acceptance>> = refusal.remedies.iter().map(risk).collect();
    risks.filter(|risks| !risks.is_empty())
}

fn is_same(one: &Answer, other: &Answer) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => one.plan().phases == other.plan().phases,
        (Err(one), Err(other)) => one.breaches == other.breaches,
        _ => false,
    }
}

/// The figures of the checker must be those of the walk.
fn reported(checked: &CheckedPlan, sum: &Sum) -> Result<(), String> {
    let report = checked.report();
    let zone = report.worst_zone.as_ref().map(|window| window.votes.spare());
    let windows = report.windows.keys().cloned().collect();
    for (what, same) in [
        ("spare", report.worst_spare == i64::from(sum.spare)),
        ("zone spare", zone == sum.zone_spare.map(i64::from)),
        ("risk", report.accepted.len() == sum.risks),
        ("windows", sum.windows == windows),
        ("hand-over", report.may_hand_over == sum.hands_over),
        ("reconfigs", checked.plan().reconfigs() == sum.reconfigs),
    ] {
        if !same {
            return Err(format!("the report has another {what} than {sum:?}: {report:?}"));
        }
    }
    Ok(())
}

fn compared(sum: &Sum, best: Option<Best>) -> Result<(), String> {
    let best = best.ok_or("planned where no order is legal")?;
    let zone_spare = sum.zone_spare.unwrap_or(NO_ZONE);
    let [reconfigs, risks] = [sum.reconfigs, sum.risks].map(|n| u32::try_from(n).expect("few"));
    let ours = Best { spare: sum.spare, zone_spare, reconfigs, risks };
    (ours == best).then_some(()).ok_or_else(|| format!("{ours:?} planned, {best:?} possible"))
}
