//! `zkplan show`: a saved plan, read again and checked again, without asking anybody.

use std::collections::BTreeMap;

use super::args::{ShowArgs, ShowFormat};
use super::error::CommandError;
use super::exit::Exit;
use super::file_kind::{Kind, kind};
use super::output::Output;
use super::plan_formats::rehearse_all;
use super::{source, specs};
use crate::check::CheckedPlan;
use crate::document::Document as _;
use crate::render::plan::{Origin, PlanFile, PlanScreen, screen};
use crate::render::{dot, mermaid, words_for_shell};
use crate::report::error::CommandFailure;
use crate::report::{self, PlanDocument};
use crate::review::{PlanReview, ReviewOutcome, Reviewed, comment, html};
use crate::saved;

pub(super) fn run(args: &ShowArgs, output: &Output) -> Result<Exit, CommandError> {
    let path = args.plan.display().to_string();
    let text = specs::read_text(&args.plan)?;
    if text.contains("apiVersion") && kind(&text) == Kind::Spec {
        let shell = words_for_shell(&path);
        let what = format!("{path} is a spec, not a saved plan");
        return Err(CommandError::new(CommandFailure::FileNotUsable, what)
            .hint(format!("zkplan plan {shell} shows its plan; with --out FILE it is saved")));
    }
    let checked =
        report::read_plan(&text).map_err(|error| source::not_a_plan(&path, &error, output))?;
    Ok(show(args.format, &path, &checked, output))
}

fn show(format: ShowFormat, path: &str, checked: &CheckedPlan, output: &Output) -> Exit {
    match format {
        ShowFormat::Text => {
            let plan_id = saved::plan_id(checked.plan());
            let origin = Origin::Read(PlanFile { path, plan_id: &plan_id });
            let view = PlanScreen {
                origin,
                observation: None,
                checked,
                resumed: None,
                width: output.width,
            };
            output.screen(&screen(&view), Exit::Done)
        }
        ShowFormat::Json => output.raw(&PlanDocument::of(checked).to_text(), Exit::Done),
        ShowFormat::Markdown | ShowFormat::Html => {
            let document = PlanDocument::of(checked);
            let plan = PlanReview {
                checked,
                findings: document.findings.clone(),
                document,
                clients: BTreeMap::new(),
                open_run: None,
                rehearsal: None,
            };
            let mut reviewed = Reviewed {
                file: path,
                name: checked.plan().ensemble.clone(),
                ensemble: Some(&checked.plan().ensemble),
                exit_code: Exit::Done.code(),
                again: format!("zkplan show {}", words_for_shell(path)),
                lines: BTreeMap::new(),
                outcome: ReviewOutcome::Plan(Box::new(plan)),
            };
            let text = if format == ShowFormat::Html {
                rehearse_all(std::slice::from_mut(&mut reviewed));
                html(&[reviewed])
            } else {
                comment(&[reviewed])
            };
            output.raw(&text, Exit::Done)
        }
        ShowFormat::Mermaid => output.screen(&mermaid::mermaid(checked), Exit::Done),
        ShowFormat::Dot => output.screen(&dot::dot(checked), Exit::Done),
    }
}
