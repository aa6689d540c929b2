//! `zkplan show`: a saved plan, read again and checked again, without asking anybody.

use super::args::{Format, ShowArgs};
use super::exit::Exit;
use super::output::Output;
use super::specs;
use crate::check::CheckedPlan;
use crate::render::plan::{Origin, PlanFile, Screen, screen};
use crate::render::{dot, refusal};
use crate::saved::{self, ReadError};

pub(super) fn run(args: &ShowArgs, output: &Output) -> Exit {
    let path = args.plan.display().to_string();
    let text = match specs::read_text(&args.plan, output) {
        Ok(text) => text,
        Err(exit) => return exit,
    };
    match saved::read(&text) {
        Ok(checked) => show(args.format, &path, &checked, output),
        Err(error) => {
            output.error(
                &format!("{path}: {error}"),
                "make the plan again: zkplan plan SPEC --out FILE",
            );
            if let ReadError::Unlawful(breaches) = &error {
                output.aside(&refusal::breaches(breaches, output.width));
            }
            Exit::Data
        }
    }
}

fn show(format: Format, path: &str, checked: &CheckedPlan, output: &Output) -> Exit {
    match format {
        Format::Text => {
            let plan_id = saved::plan_id(checked.plan());
            let origin = Origin::Read(PlanFile { path, plan_id: &plan_id });
            let view = Screen { origin, observation: None, checked, width: output.width };
            output.screen(&screen(&view), Exit::Done)
        }
        Format::Json => output.raw(&saved::write(checked), Exit::Done),
        Format::Dot => output.screen(&dot::dot(checked), Exit::Done),
    }
}
