//! A file that is a spec or a saved plan.

use std::path::Path;

use super::args::AccessArgs;
use super::exit::Exit;
use super::output::Output;
use super::{secret, specs};
use crate::apply::access::Named;
use crate::apply::sight::spec_of;
use crate::check::CheckedPlan;
use crate::render::{Text, refusal, words_for_shell};
use crate::saved::{self, ReadError};
use crate::spec::{self, Spec};

/// What a file holds.
pub(super) enum Source {
    /// A spec.
    Spec(Box<Spec>),
    /// A saved plan, checked again.
    Plan(Box<CheckedPlan>),
}

impl Source {
    /// Reads a file.
    pub(super) fn read(path: &Path, output: &Output) -> Result<Self, Exit> {
        let text = specs::read_text(path, output)?;
        let name = path.display().to_string();
        if is_plan(&text) {
            return match saved::read(&text) {
                Ok(checked) => Ok(Self::Plan(Box::new(checked))),
                Err(error) => Err(not_a_plan(&name, &error, output)),
            };
        }
        let mut spec = spec::parse(&name, &text).map_err(|errors| {
            output.aside(&Text::preformatted(&errors.render()));
            Exit::Data
        })?;
        spec.rooted_at(path.parent().unwrap_or(Path::new("")));
        Ok(Self::Spec(Box::new(spec)))
    }

    /// The same, reached as the command line says.
    pub(super) fn reached(self, args: &AccessArgs, output: &Output) -> Result<Self, Exit> {
        Ok(match self {
            Self::Spec(mut spec) => {
                spec.connect = secret::connected(&spec.connect, args, output)?;
                Self::Spec(spec)
            }
            Self::Plan(checked) => {
                let plan = checked.plan();
                let connect = secret::connected(&plan.connect, args, output)?;
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
        Named::of(&self.spec(), plan)
    }

    /// The command that plans anew for it, as it is typed; of a saved plan, nobody knows the spec.
    pub(super) fn plans(&self, path: &Path) -> String {
        match self {
            Self::Spec(_) => {
                format!("zkplan plan {}", words_for_shell(&path.display().to_string()))
            }
            Self::Plan(_) => "zkplan plan SPEC".to_owned(),
        }
    }

    /// The spec, or what a plan tells of it: enough to look at the ensemble.
    pub(super) fn spec(&self) -> Spec {
        match self {
            Self::Spec(spec) => (**spec).clone(),
            Self::Plan(checked) => spec_of(checked.plan()),
        }
    }
}

/// Whether a text is meant to be a plan file, whole or not. A spec does not begin with a brace.
fn is_plan(text: &str) -> bool {
    text.trim_start().starts_with('{') && text.contains("\"plan_id\"")
}

/// Says why a file is no plan that can be trusted.
pub(super) fn not_a_plan(path: &str, error: &ReadError, output: &Output) -> Exit {
    output.error(&format!("{path}: {error}"), "make the plan again: zkplan plan SPEC --out FILE");
    if let ReadError::Unlawful(breaches) = error {
        output.aside(&refusal::breaches(breaches, output.width));
    }
    Exit::Data
}
