//! A file that is a spec or a saved plan.

use std::path::Path;

use super::args::AccessArgs;
use super::error::CommandError;
use super::file_kind::{Kind, kind};
use super::output::Output;
use super::{paths, secret, specs};
use crate::apply::Outcome;
use crate::apply::access::Named;
use crate::check::CheckedPlan;
use crate::model::Target;
use crate::plan::Acceptance;
use crate::render::{refusal, words_for_acceptance, words_for_shell};
use crate::report;
use crate::report::error::CommandFailure;
use crate::saved::ReadError;
use crate::spec::Spec;

/// What a file holds.
pub(super) enum Source {
    /// A spec.
    Spec(Box<Spec>),
    /// A saved plan, checked again.
    Plan(Box<CheckedPlan>),
}

impl Source {
    /// Reads a file.
    pub(super) fn read(path: &Path, output: &Output) -> Result<Self, CommandError> {
        Self::of(path, &specs::read_text(path)?, output)
    }

    /// What the text of a file is.
    pub(super) fn of(path: &Path, text: &str, output: &Output) -> Result<Self, CommandError> {
        let name = path.display().to_string();
        match kind(text) {
            Kind::Plan => match report::read_plan(text) {
                Ok(checked) => Ok(Self::Plan(Box::new(paths::opened(checked, path)))),
                Err(error) => Err(not_a_plan(&name, &error, output)),
            },
            Kind::Other(format) => {
                let what =
                    format!("{name} is a zkplan document ({format}), not a spec and not a plan");
                Err(CommandError::new(CommandFailure::FileNotUsable, what)
                    .hint("give a spec, or a plan saved by \"zkplan plan SPEC --out FILE\""))
            }
            Kind::Spec => Ok(Self::Spec(Box::new(specs::parse(path, text)?))),
        }
    }

    /// The same, reached as the command line says.
    pub(super) fn reached(self, args: &AccessArgs) -> Result<Self, CommandError> {
        Ok(match self {
            Self::Spec(mut spec) => {
                spec.connect = secret::connected(&spec.connect, args)?;
                Self::Spec(spec)
            }
            Self::Plan(checked) => {
                let plan = checked.plan();
                let connect = secret::connected(&plan.connect, args)?;
                let reach = plan.reach.clone();
                Self::Plan(Box::new(checked.reached_by(&connect, &reach)))
            }
        })
    }

    /// The addresses that the file names, to which a password may go.
    pub(super) fn named(&self) -> Named {
        let plan = match self {
            Self::Spec(_) => None,
            Self::Plan(checked) => Some(checked.plan()),
        };
        Named::of(&self.target(), plan)
    }

    /// The spec that a new plan is made from, as a shell takes it: the file itself, or the one that
    /// a saved plan was made from, where that is there.
    pub(super) fn spec_path(&self, path: &Path) -> Option<String> {
        let spec = match self {
            Self::Spec(_) => path.to_owned(),
            Self::Plan(checked) => {
                let spec = checked.plan().spec.as_deref().filter(|spec| spec.is_file())?;
                paths::typed(spec)
            }
        };
        Some(words_for_shell(&spec.display().to_string()))
    }

    /// The command that plans anew for it, as it is typed; `SPEC` stands for a spec that is not
    /// known. What a saved plan accepts is accepted again.
    pub(super) fn plans(&self, path: &Path) -> String {
        let spec = self.spec_path(path).unwrap_or_else(|| "SPEC".to_owned());
        let accepted: String = self.accepted().iter().map(accepts).collect();
        match self.takes_back() {
            Some(run) => {
                let file = words_for_shell(&path.display().to_string());
                format!("zkplan rollback {run} {spec}{accepted} --out {file}")
            }
            None => format!("zkplan plan {spec}{accepted}"),
        }
    }

    /// The same for the end of an apply: a plan that is stale is held against what is there now.
    pub(super) fn plans_after(&self, end: &Outcome, path: &Path) -> String {
        let plans = self.plans(path);
        match (end, self) {
            (Outcome::Stale(_), Self::Plan(checked)) if checked.plan().takes_back.is_none() => {
                format!("{plans} --rebase {}", words_for_shell(&path.display().to_string()))
            }
            _ => plans,
        }
    }

    /// The run that a saved plan takes back.
    pub(super) fn takes_back(&self) -> Option<u64> {
        match self {
            Self::Spec(_) => None,
            Self::Plan(checked) => checked.plan().takes_back,
        }
    }

    /// The same, and saves the plan: over the one that was given, if that is a plan.
    pub(super) fn plans_to_file(&self, path: &Path) -> String {
        if self.takes_back().is_some() {
            return self.plans(path);
        }
        let file = match self {
            Self::Spec(_) => "plan.json".to_owned(),
            Self::Plan(_) => words_for_shell(&path.display().to_string()),
        };
        format!("{} --out {file}", self.plans(path))
    }

    /// The risks that a saved plan accepts and that no spec does.
    pub(super) fn accepted(&self) -> Vec<Acceptance> {
        match self {
            Self::Spec(_) => Vec::new(),
            Self::Plan(checked) => checked.plan().accepted_by_flag(),
        }
    }

    /// What the file wants of the ensemble, and how it is reached.
    pub(super) fn target(&self) -> Target {
        match self {
            Self::Spec(spec) => spec.to_target(),
            Self::Plan(checked) => checked.plan().to_target(),
        }
    }
}

/// The flag that accepts a risk, as it is typed after others.
pub(super) fn accepts(risk: &Acceptance) -> String {
    format!(" --accept {}", words_for_shell(&words_for_acceptance(risk)))
}

/// A file is no plan that can be trusted.
pub(super) fn not_a_plan(path: &str, error: &ReadError, output: &Output) -> CommandError {
    let hint = match error {
        ReadError::Former(_) => {
            "make the plan again: zkplan plan SPEC --out FILE. An open run of it is resumed by zkplan \
             apply SPEC, or by its plan as the ensemble keeps it: zkplan history SPEC RUN --plan > \
             FILE, then zkplan apply FILE"
        }
        _ => "make the plan again: zkplan plan SPEC --out FILE",
    };
    let invalid =
        CommandError::new(CommandFailure::PlanInvalid, format!("{path}: {error}")).hint(hint);
    let ReadError::BreaksRules(breaches) = error else { return invalid };
    let mut text = invalid.to_text(output.width);
    text.append(refusal::breaches(breaches, &[], output.width));
    invalid.shown_as(text)
}
