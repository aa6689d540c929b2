//! `zkplan preflight`: check an ensemble, and the servers that are to join it, before a change.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use super::args::{PreflightArgs, TextOrJson, ZooCfgArg};
use super::asker::{Asker, Looked, User};
use super::error::CommandError;
use super::exit::Exit;
use super::first_quorum::{self, Shown};
use super::output::Output;
use super::source::Source;
use super::watch::watch;
use super::{live, local, specs};
use crate::document::Document as _;
use crate::first_quorum::{FirstQuorumAnswer, NamedFile};
use crate::model::{ServerId, Target, latin_1};
use crate::observe::{Facts, Observation};
use crate::preflight::{GivenFile, GivenFiles, is_blocked, restarts_mend};
use crate::proposal::propose_restarts;
use crate::render::preflight::{PreflightScreen, screen};
use crate::render::{Text, words_for_shell};
use crate::report::error::CommandFailure;
use crate::report::preflight::PreflightDocument;
use crate::settings::{Edits, FileEdit, SuperUser, edit, needed_for_changes};

pub(super) fn run(args: &PreflightArgs, output: &Output) -> Result<Exit, CommandError> {
    let source = Source::read(&args.file, output)?.reached(&args.access)?;
    let files = edits(&args.zoo_cfg, &source.target())?;
    live::block_on(preflight(args, (&source, files), output))?
}

async fn preflight(
    args: &PreflightArgs,
    (source, files): (&Source, Vec<FileEdit>),
    output: &Output,
) -> Result<Exit, CommandError> {
    let target = &source.target();
    let named = source.named();
    let port = live::servers(target, &named)?;
    let port = if args.watch { port.trying_ports_rarely() } else { port };
    let interrupts = args.watch.then(local::interrupts);
    let user = User::of(&args.access, target, output).await?;
    let (announced, holds_session) = (RefCell::default(), Cell::new(false));
    let (user, named, given) = (&user, &named, &given(&files));
    let asker = Asker { port: &port, target, user, named, files: given, announced, holds_session };
    let looked = match interrupts {
        Some(interrupts) => watch(&asker, interrupts, output).await,
        None => asker.look(output).await.map(|looked| (Exit::Done, Some(looked))),
    };
    let looked = match looked {
        Ok((_, Some(looked))) => looked,
        Ok((exit, None)) => return Ok(exit),
        Err(error) if error.is(CommandFailure::Standalone) => {
            let answer = first_quorum::met(&port, target, &named_files(&args.zoo_cfg)?).await;
            let answer = answer.ok_or(error)?;
            return Ok(standalone(args, (source, target), &answer, output));
        }
        Err(error) => return Err(error),
    };
    let Looked { seen, checks, .. } = &looked;
    let edits = &with_order(files, target, seen)?;
    let exit = if is_blocked(checks) { Exit::Unsafe } else { Exit::Done };
    let next = next(args, (source, target), exit, &looked);
    Ok(match args.format {
        TextOrJson::Text => {
            let (ensemble, all, width) = (&*target.ensemble, args.all, output.width);
            let mut text = Text::new();
            if args.watch {
                text.line("");
            }
            let is_again = exit == Exit::Unsafe && next == again(args);
            let next = &*next;
            let of = PreflightScreen { ensemble, seen, checks, all, edits, next, is_again, width };
            text.append(screen(&of));
            output.screen(&text, exit)
        }
        TextOrJson::Json => {
            let document = PreflightDocument::of((&target.ensemble, seen), checks, edits);
            output.raw(&document.to_text(), exit)
        }
    })
}

/// A standalone server instead of an ensemble: it is not ready for a change of members.
fn standalone(
    args: &PreflightArgs,
    (source, target): (&Source, &Target),
    answer: &FirstQuorumAnswer,
    output: &Output,
) -> Exit {
    let path = args.file.display().to_string();
    let path = Some(&*path).filter(|_| matches!(source, Source::Spec(_)));
    let shown = Shown::of(target, path, answer, &source.accepted()).planned_next();
    shown.print(args.format == TextOrJson::Json, Exit::Unsafe, output)
}

/// The files that were given, by server.
fn named_files(files: &[ZooCfgArg]) -> Result<BTreeMap<ServerId, NamedFile>, CommandError> {
    let of = |given: &ZooCfgArg| {
        let name = given.path.display().to_string();
        let text = latin_1(&specs::read_bytes(&given.path)?);
        Ok(given.id.map(|id| (id, NamedFile { name, text })))
    };
    files.iter().filter_map(|given| of(given).transpose()).collect()
}

/// The edit of each file that was given.
fn edits(files: &[ZooCfgArg], target: &Target) -> Result<Vec<FileEdit>, CommandError> {
    let auth = target.connect.auth.as_ref();
    let super_user = SuperUser::of(auth);
    let needed = needed_for_changes(&target.settings, auth.is_some());
    let of = |given: &ZooCfgArg| {
        let file = given.path.display().to_string();
        let Some(server) = given.id else {
            return Err(usage(format!("whose zoo.cfg is {file}?"))
                .hint(format!("give the server id: --zoo-cfg 1={file}")));
        };
        let text = latin_1(&specs::read_bytes(&given.path)?);
        let edit = edit(&text, &needed, super_user).map_err(|error| {
            CommandError::new(CommandFailure::ConfigInvalid, format!("{file}: {error}"))
        })?;
        Ok(FileEdit { server, file, edit })
    };
    files.iter().map(of).collect()
}

/// What the files say as they are.
fn given(files: &[FileEdit]) -> GivenFiles {
    let of = |file: &FileEdit| Some((file.server, GivenFile::read(&file.edit.before).ok()?));
    files.iter().filter_map(of).collect()
}

/// The edits with the order of the restarts, where each is of a server of this ensemble.
fn with_order(
    files: Vec<FileEdit>,
    target: &Target,
    seen: &Observation,
) -> Result<Edits, CommandError> {
    let is_known =
        |id: ServerId| seen.config.membership.contains(id) || target.servers.contains_key(&id);
    match files.iter().find(|file| !is_known(file.server)) {
        Some(other) => Err(usage(format!(
            "--zoo-cfg {}={}: the ensemble and the spec have no server {}",
            other.server, other.file, other.server
        ))),
        None => Ok(Edits::of(files, seen.leader)),
    }
}

fn usage(what: String) -> CommandError {
    CommandError::new(CommandFailure::Usage, what)
}

/// The command that comes next, as it is typed.
fn next(
    args: &PreflightArgs,
    (source, target): (&Source, &Target),
    exit: Exit,
    looked: &Looked,
) -> String {
    let path = words_for_shell(&args.file.display().to_string());
    let by_restarts = restarts_mend(&looked.checks);
    let plans_restarts = || {
        let facts = Facts::of(&looked.seen, target);
        let plan = propose_restarts(target, &facts, &source.accepted(), &BTreeSet::new());
        plan.is_some_and(|plan| plan.is_ok())
    };
    match (exit, source) {
        (Exit::Done, Source::Spec(_)) => source.plans_to_file(&args.file),
        (Exit::Done, Source::Plan(_)) => format!("zkplan apply {path}"),
        (_, Source::Spec(_)) if by_restarts && plans_restarts() => source.plans_to_file(&args.file),
        _ if by_restarts || !args.zoo_cfg.is_empty() => format!("zkplan preflight {path} --watch"),
        _ => again(args),
    }
}

/// This command, as it is typed.
fn again(args: &PreflightArgs) -> String {
    format!("zkplan preflight {}", words_for_shell(&args.file.display().to_string()))
}
