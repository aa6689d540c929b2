//! `zkplan rehearse`: a plan in the simulator, with every server and zone failing at every moment.

use super::accepting::Accepts;
use super::args::{RehearseArgs, TextOrJson};
use super::error::CommandError;
use super::exit::Exit;
use super::output::Output;
use super::source::{Source, accepts};
use super::{assumed, live};
use crate::apply::access::Named;
use crate::check::CheckedPlan;
use crate::document::Document as _;
use crate::observe::Facts;
use crate::proposal::propose;
use crate::rehearsal::{RehearsalLimits, Unrehearsed, rehearse};
use crate::render::plan::SpecFile;
use crate::render::rehearse as render;
use crate::render::{refusal, words_for_shell};
use crate::report::error::CommandFailure;
use crate::report::rehearsal::RehearsalDocument;
use crate::spec::Spec;

pub(super) fn run(args: &RehearseArgs, output: &Output) -> Result<Exit, CommandError> {
    let checked = match Source::read(&args.file, output)? {
        Source::Plan(_) if args.live.is_some() || !args.accept.is_empty() => {
            let what = "--live and --accept work only with a spec";
            return Err(CommandError::new(CommandFailure::Usage, what)
                .hint("a saved plan includes its starting configuration and the accepted risks"));
        }
        Source::Plan(checked) => *checked,
        Source::Spec(spec) => planned(args, &spec, output)?,
    };
    let rehearsal = rehearse(&checked, RehearsalLimits::default()).map_err(|why| {
        let (what, remedy) = render::unrehearsed(&why);
        let code = match why {
            Unrehearsed::Awaits(_) | Unrehearsed::Undisturbed(_) | Unrehearsed::TooMuch => {
                CommandFailure::NotRehearsed
            }
            Unrehearsed::BreaksRules(_) => CommandFailure::Bug,
        };
        CommandError::new(code, what).hint(remedy)
    })?;
    let exit = if rehearsal.always_ends() { Exit::Done } else { Exit::Unsafe };
    Ok(match args.format {
        TextOrJson::Text => {
            output.screen(&render::screen(&checked, &rehearsal, output.width), exit)
        }
        TextOrJson::Json => {
            output.raw(&RehearsalDocument::of(&checked, &rehearsal).to_text(), exit)
        }
    })
}

/// Plans for a spec: for what a file holds, or for what is there.
fn planned(args: &RehearseArgs, spec: &Spec, output: &Output) -> Result<CheckedPlan, CommandError> {
    let target = &spec.to_target();
    let facts = if let Some(live) = &args.live {
        assumed::facts((live, args.live_max_age), (spec, target), output)?
    } else {
        let port = live::servers(target, &Named::of(target, None))?;
        Facts::of(&live::block_on(live::look(&port, target, output))??, target)
    };
    propose(target, &facts, &Accepts::of(&args.accept, spec).now()).map_err(|refusal| {
        let path = args.file.display().to_string();
        let live = args.live.as_ref().map(|live| words_for_shell(&live.display().to_string()));
        let live = live.map(|live| format!(" --live {live}")).unwrap_or_default();
        let age = args.live_max_age.map(|age| format!(" --live-max-age {age}")).unwrap_or_default();
        let accepted: String = args.accept.iter().map(accepts).collect();
        let again = format!("zkplan rehearse {}{live}{age}{accepted}", words_for_shell(&path));
        let screen = refusal::screen(&refusal::RefusalScreen {
            spec: SpecFile { path: &path, spec },
            observation: None,
            refusal: &refusal,
            again: &again,
            width: output.width,
        });
        CommandError::of_breaches(&refusal.breaches, screen)
    })
}
