//! `zkplan preflight`: check an ensemble, and the servers that are to join it, before a change.

use std::cell::RefCell;

use super::args::{PreflightArgs, TextOrJson};
use super::asker::{Asker, Looked, User};
use super::error::CommandError;
use super::exit::Exit;
use super::output::Output;
use super::source::Source;
use super::watch::watch;
use super::{live, local};
use crate::document::Document as _;
use crate::preflight::is_blocked;
use crate::render::preflight::{PreflightScreen, screen};
use crate::render::{Text, words_for_shell};
use crate::report::preflight::PreflightDocument;

pub(super) fn run(args: &PreflightArgs, output: &Output) -> Result<Exit, CommandError> {
    let source = Source::read(&args.file, output)?.reached(&args.access)?;
    live::block_on(preflight(args, &source, output))?
}

async fn preflight(
    args: &PreflightArgs,
    source: &Source,
    output: &Output,
) -> Result<Exit, CommandError> {
    let target = &source.target();
    let named = source.named();
    let port = live::servers(target, &named)?;
    let interrupts = args.watch.then(local::interrupts);
    let user = User::of(args, target, output).await?;
    let announced = RefCell::default();
    let asker = Asker { port: &port, target, user: &user, named: &named, announced };
    let looked = match interrupts {
        Some(interrupts) => match watch(&asker, interrupts, output).await? {
            (_, Some(looked)) => looked,
            (exit, None) => return Ok(exit),
        },
        None => asker.look(output).await?,
    };
    let Looked { seen, checks, .. } = &looked;
    let exit = if is_blocked(checks) { Exit::Unsafe } else { Exit::Done };
    let next = next(args, source, exit);
    Ok(match args.format {
        TextOrJson::Text => {
            let (ensemble, all, width) = (&*target.ensemble, args.all, output.width);
            let mut text = Text::new();
            if args.watch {
                text.line("");
            }
            let of = PreflightScreen { ensemble, seen, checks, all, next: &next, width };
            text.append(screen(&of));
            output.screen(&text, exit)
        }
        TextOrJson::Json => {
            output.raw(&PreflightDocument::of(&target.ensemble, seen, checks).to_text(), exit)
        }
    })
}

/// The command that comes next, as it is typed.
fn next(args: &PreflightArgs, source: &Source, exit: Exit) -> String {
    let path = words_for_shell(&args.file.display().to_string());
    match (exit, source) {
        (Exit::Done, Source::Spec(_)) => source.plans(&args.file),
        (Exit::Done, Source::Plan(_)) => format!("zkplan apply {path}"),
        _ => format!("zkplan preflight {path}"),
    }
}
