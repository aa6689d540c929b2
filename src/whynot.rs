//! `plan --why-not`: what speaks against another order, shown by checking a plan that has it.

use std::fmt;
use std::str::FromStr;

use crate::check::{Breach, CheckedPlan, check};
use crate::model::ServerId;
use crate::plan::{Action, ChangeVerb, Phase, Plan, Step, StepOrder};

/// Another order of one server's change, as in `remove 2 first` or `join 5 before 4`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    verb: Verb,
    server: ServerId,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Remove,
    Join,
    Promote,
    Demote,
    Move,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Last,
    Before(ServerId),
    After(ServerId),
    /// A promotion where the observer stands.
    Directly,
}

/// What comes of a wish.
#[derive(Debug, Clone)]
pub enum OrderAnswer {
    /// The plan does no such thing.
    NotInPlan,
    /// The plan does it so already.
    AsPlanned,
    /// It breaks safety rules.
    Breaks(Vec<Breach>),
    /// It keeps the safety rules too, with these figures.
    Keeps(Box<CheckedPlan>),
}

impl FromStr for Wish {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "write it like `remove 2 first`, `join 5 before 4`, `demote 3 last` or \
                            `promote 6 directly`";
        let words: Vec<String> = text.split_whitespace().map(str::to_ascii_lowercase).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let id = |word: &str| word.parse().map(ServerId::new).map_err(|_| FORM);
        let verb = |word: &str| match word {
            "remove" | "leave" | "drop" => Ok(Verb::Remove),
            "join" | "add" => Ok(Verb::Join),
            "promote" => Ok(Verb::Promote),
            "demote" => Ok(Verb::Demote),
            "move" | "readdress" => Ok(Verb::Move),
            _ => Err(FORM),
        };
        let (verb, server, place) = match words.as_slice() {
            [does, server, "first"] => (verb(does)?, id(server)?, Place::First),
            [does, server, "last"] => (verb(does)?, id(server)?, Place::Last),
            [does, server, "directly"] => (verb(does)?, id(server)?, Place::Directly),
            [does, server, "before", other] => {
                (verb(does)?, id(server)?, Place::Before(id(other)?))
            }
            [does, server, "after", other] => (verb(does)?, id(server)?, Place::After(id(other)?)),
            _ => return Err(FORM),
        };
        Ok(Self { verb, server, place })
    }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.verb {
            Verb::Remove => "remove",
            Verb::Join => "join",
            Verb::Promote => "promote",
            Verb::Demote => "demote",
            Verb::Move => "move",
        };
        write!(f, "{verb} {} ", self.server)?;
        match self.place {
            Place::First => f.write_str("first"),
            Place::Last => f.write_str("last"),
            Place::Before(other) => write!(f, "before {other}"),
            Place::After(other) => write!(f, "after {other}"),
            Place::Directly => f.write_str("directly"),
        }
    }
}

impl Wish {
    fn means(&self, step: &Step) -> bool {
        let mut own = step.parts().iter().filter(|part| part.server == self.server);
        own.any(|part| {
            matches!(
                (self.verb, part.change),
                (Verb::Remove, ChangeVerb::Leave)
                    | (Verb::Join, ChangeVerb::Join)
                    | (Verb::Promote, ChangeVerb::Promote)
                    | (Verb::Demote, ChangeVerb::Demote)
                    | (Verb::Move, ChangeVerb::Readdress { .. })
            )
        })
    }
}

/// Makes the plan that a wish describes, and holds it against the safety rules.
pub fn why_not(plan: &Plan, wish: &Wish) -> OrderAnswer {
    let Some(other) = rearranged(plan, wish) else { return OrderAnswer::NotInPlan };
    if order(&other) == order(plan) {
        return OrderAnswer::AsPlanned;
    }
    let facts = other.facts.clone();
    match check(other, &facts) {
        Ok(checked) => OrderAnswer::Keeps(Box::new(checked)),
        Err(breaches) => OrderAnswer::Breaks(breaches),
    }
}

fn order(plan: &Plan) -> Vec<&Step> {
    plan.schedule().into_iter().map(|(_, step)| step).collect()
}

/// One server's steps of one phase: what is moved as a whole.
struct Unit {
    phase: Phase,
    is_wished: bool,
    /// The servers that its requests change; one, unless a request changes several.
    changes: Vec<ServerId>,
}

fn rearranged(plan: &Plan, wish: &Wish) -> Option<Plan> {
    let mut units = units(plan, wish);
    let from = units.iter().position(|unit| unit.is_wished)?;
    let mut unit = units.remove(from);
    let of = |server: ServerId| units.iter().position(|unit| unit.changes.contains(&server));
    let changes = |unit: &Unit| !unit.changes.is_empty();
    let first = units.iter().position(changes).unwrap_or(from);
    let last = units.iter().rposition(changes).map_or(from, |at| at + 1);
    let to = match wish.place {
        Place::First => first,
        Place::Last => last,
        Place::Before(other) => of(other)?,
        Place::After(other) => of(other)? + 1,
        Place::Directly => {
            let way = |step: &Step| {
                matches!(step.action, Action::AwaitJoiner(_))
                    || step.parts().iter().any(|part| part.change == ChangeVerb::Unlist)
            };
            unit.phase.steps.retain(|step| !way(step));
            from
        }
    };
    units.insert(to, unit);
    let phases = units.into_iter().map(|unit| unit.phase).collect();
    Some(Plan { phases, ..plan.clone() })
}

/// The plan in the order that the present leader gives, server by server.
fn units(plan: &Plan, wish: &Wish) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for (phase, step) in plan.schedule() {
        let sends = phase.steps.iter().any(|s| s.reconfig().is_some());
        let changes: Vec<ServerId> =
            step.servers().filter(|_| sends && phase.rule != StepOrder::SideBySide).collect();
        let joins = units.last_mut().filter(|unit| {
            unit.phase.kind == phase.kind && (unit.changes == changes || changes.is_empty())
        });
        let is_wished = wish.means(step);
        match joins {
            Some(unit) => {
                unit.phase.steps.push(step.clone());
                unit.is_wished |= is_wished;
            }
            None => units.push(Unit {
                phase: Phase {
                    kind: phase.kind,
                    rule: if changes.is_empty() { phase.rule } else { StepOrder::InOrder },
                    steps: vec![step.clone()],
                },
                is_wished,
                changes,
            }),
        }
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read_and_said_again() {
        for text in ["remove 2 first", "join 5 before 4", "demote 3 last", "promote 6 directly"] {
            let wish: Wish = text.parse().unwrap();
            assert_eq!(wish.to_string(), text);
        }
        assert_eq!("Drop 2 First".parse::<Wish>().unwrap().to_string(), "remove 2 first");
        for text in ["", "remove", "remove two first", "remove 2", "eat 2 first", "join 5 before"] {
            assert!(text.parse::<Wish>().is_err(), "{text}");
        }
    }
}
