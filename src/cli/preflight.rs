//! `zkplan preflight`: check an ensemble, and the servers that are to join it, before a change.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::args::{PreflightArgs, TextOrJson, ZooCfgArg};
use super::asker::{Asker, Looked, User};
use super::error::CommandError;
use super::exit::Exit;
use super::first_quorum::{self, Shown};
use super::fleet::{document_text, side_by_side};
use super::output::Output;
use super::source::Source;
use super::watch::watch;
use super::{live, local, specs};
use crate::check::tolerance_now;
use crate::document::Document as _;
use crate::first_quorum::{FirstQuorumAnswer, NamedFile};
use crate::model::{ServerId, Target, latin_1};
use crate::observe::{Facts, Observation};
use crate::preflight::{GivenFile, GivenFiles, is_blocked, restarts_mend};
use crate::proposal::propose_restarts;
use crate::render::fleet::{FleetCells, FleetRow, FleetTable, table};
use crate::render::preflight::{PreflightScreen, screen};
use crate::render::{Text, words_for_count, words_for_shell};
use crate::report::error::CommandFailure;
use crate::report::preflight::PreflightDocument;
use crate::report::{FleetCommand, FleetMember};
use crate::settings::{Edits, FileEdit, SuperUser, edit, needed_for_changes};

/// A file, and what it wants checked.
struct Asked<'a> {
    path: &'a Path,
    source: Source,
    target: Target,
}

/// What came of one file of many.
struct Checked {
    document: Value,
    cells: FleetCells,
    exit: Exit,
}

pub(super) fn run(args: &PreflightArgs, output: &Output) -> Result<Exit, CommandError> {
    let paths = specs::files(&args.files);
    let [path] = &paths[..] else {
        if let Some((wrong, hint)) = not_for_many(args, &paths) {
            return Err(usage(wrong.to_owned()).hint(hint));
        }
        return live::block_on(fleet(args, &paths, output));
    };
    let asked = Asked::of(args, path, output)?;
    let files = edits(&args.zoo_cfg, &asked.target)?;
    live::block_on(preflight(args, (&asked, files), output))?
}

impl<'a> Asked<'a> {
    fn of(args: &PreflightArgs, path: &'a Path, output: &Output) -> Result<Self, CommandError> {
        let source = Source::read(path, output)?.reached(&args.access)?;
        Ok(Self { path, target: source.target(), source })
    }
}

/// Flags that are of one ensemble, and what to do instead.
fn not_for_many(args: &PreflightArgs, paths: &[PathBuf]) -> Option<(&'static str, String)> {
    // A second file behind one flag looks like one more argument.
    let behind = paths.iter().find_map(|path| {
        let text = path.to_str()?;
        let (id, file) = text.split_once('=')?;
        (id.parse::<i64>().is_ok() && !file.is_empty()).then_some(text)
    });
    if args.watch {
        let hint =
            "follow the rolling restart of each ensemble on a terminal of its own".to_owned();
        Some(("--watch works only with one file", hint))
    } else if let (false, Some(file)) = (args.zoo_cfg.is_empty(), behind) {
        let hint = format!("give the flag once for each file: --zoo-cfg {file}");
        Some(("--zoo-cfg takes one file", hint))
    } else if !args.zoo_cfg.is_empty() {
        Some(("--zoo-cfg works only with one file", "it is of a server of one ensemble".to_owned()))
    } else if !args.access.connect.is_empty() {
        let hint = "it is the address of one ensemble; write it into connect.servers of the spec";
        Some(("--connect works only with one file", hint.to_owned()))
    } else if args.all {
        let hint = "zkplan preflight FILE --all lists the checks of one".to_owned();
        Some(("--all works only with one file", hint))
    } else {
        None
    }
}

/// Checks many ensembles side by side: a table, or one document.
async fn fleet(args: &PreflightArgs, paths: &[PathBuf], output: &Output) -> Exit {
    let mut asked = Vec::new();
    let mut without = 0;
    for path in paths {
        let one = match Asked::of(args, path, output) {
            Ok(one) => match User::at_hand(&args.access, &one.target, output).await {
                Ok(user) => Ok((one, user)),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        without += usize::from(matches!(one, Ok((_, User::WithoutPassword))));
        asked.push(one);
    }
    if without > 0 {
        let of = words_for_count(paths.len(), "file");
        output.note(&format!(
            "the password of the user is not at hand for {without} of {of}: these credentials are \
             not checked"
        ));
    }
    let all = side_by_side(asked.iter().map(async |one| match one {
        Ok((one, user)) => {
            checked(args, (one, user), output).await.map_err(|error| ("not seen", error))
        }
        Err(error) => Err(("not asked", error.clone())),
    }));
    let all = all.await;
    for (_, error) in all.iter().filter_map(|one| one.as_ref().err()) {
        output.error(error);
    }
    let all = all.into_iter();
    let all: Vec<Checked> = all.map(|one| one.unwrap_or_else(Checked::failed)).collect();
    let exit = all.iter().fold(Exit::Done, |worst, one| worst.worse(one.exit));
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let ensembles = asked.iter().map(|one| one.as_ref().ok().map(|(one, _)| &*one.target.ensemble));
    let named = names.iter().zip(ensembles).zip(all);
    match args.format {
        TextOrJson::Text => {
            let named: Vec<_> = named.collect();
            let rows = named.iter().map(|((file, ensemble), one)| FleetRow {
                ensemble: *ensemble,
                file,
                cells: &one.cells,
                exit_code: one.exit.code(),
            });
            let rows: Vec<FleetRow<'_>> = rows.collect();
            output.screen(&table(&FleetTable::PREFLIGHT, &rows, output.width), exit)
        }
        TextOrJson::Json => {
            let members = named.map(|((file, ensemble), one)| FleetMember {
                spec: file.clone(),
                ensemble: ensemble.map(str::to_owned),
                exit_code: one.exit.code(),
                document: one.document,
            });
            output.raw(&document_text(FleetCommand::Preflight, members.collect(), exit), exit)
        }
    }
}

/// The checks of one ensemble of many.
async fn checked(
    args: &PreflightArgs,
    (asked, user): (&Asked<'_>, &User),
    output: &Output,
) -> Result<Checked, CommandError> {
    let Asked { path, source, target } = asked;
    let port = live::servers(target, &source.named())?;
    let (named, given) = (&source.named(), &GivenFiles::new());
    let (announced, holds_session) = (RefCell::default(), Cell::new(false));
    let asker = Asker { port: &port, target, user, named, files: given, announced, holds_session };
    let looked = match asker.look(output).await {
        Ok(looked) => looked,
        Err(error) if error.is(CommandFailure::Standalone) => {
            let answer = first_quorum::met(&port, target, &BTreeMap::new()).await;
            let answer = answer.ok_or_else(|| error.clone())?;
            let spec = path.display().to_string();
            let spec = Some(&*spec).filter(|_| matches!(source, Source::Spec(_)));
            let shown = Shown::of(target, spec, &answer, &source.accepted()).planned_next();
            let document = shown.document(output.width, Exit::Unsafe).to_value();
            let cells = FleetCells::failed("standalone", error.message);
            return Ok(Checked { document, cells, exit: Exit::Unsafe });
        }
        Err(error) => return Err(error),
    };
    let Looked { seen, checks, .. } = &looked;
    let exit = if is_blocked(checks) { Exit::Unsafe } else { Exit::Done };
    let (next, edits) = (&*next(args, asked, exit, &looked), &Edits::default());
    let (ensemble, width) = (&*target.ensemble, output.width);
    let view =
        PreflightScreen { ensemble, seen, checks, all: false, edits, next, is_again: false, width };
    let votes = tolerance_now(&Facts::of(seen, target)).votes;
    let document = PreflightDocument::of((ensemble, seen), checks, edits).to_value();
    Ok(Checked { document, cells: FleetCells::of_preflight(&view, &votes), exit })
}

impl Checked {
    /// A file that cannot be used, or an ensemble that was not seen.
    fn failed((verdict, error): (&str, CommandError)) -> Self {
        let (document, exit) = (error.to_document().to_value(), error.exit());
        Self { document, cells: FleetCells::failed(verdict, error.message), exit }
    }
}

async fn preflight(
    args: &PreflightArgs,
    (asked, files): (&Asked<'_>, Vec<FileEdit>),
    output: &Output,
) -> Result<Exit, CommandError> {
    let Asked { source, target, .. } = asked;
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
            return Ok(standalone(args, asked, &answer, output));
        }
        Err(error) => return Err(error),
    };
    let Looked { seen, checks, .. } = &looked;
    let edits = &with_order(files, target, seen)?;
    let exit = if is_blocked(checks) { Exit::Unsafe } else { Exit::Done };
    let next = next(args, asked, exit, &looked);
    Ok(match args.format {
        TextOrJson::Text => {
            let (ensemble, all, width) = (&*target.ensemble, args.all, output.width);
            let mut text = Text::new();
            if args.watch {
                text.line("");
            }
            let is_again = exit == Exit::Unsafe && next == again(asked.path);
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
    Asked { path, source, target }: &Asked<'_>,
    answer: &FirstQuorumAnswer,
    output: &Output,
) -> Exit {
    let path = path.display().to_string();
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
    Asked { path: file, source, target }: &Asked<'_>,
    exit: Exit,
    looked: &Looked,
) -> String {
    let path = words_for_shell(&file.display().to_string());
    let by_restarts = restarts_mend(&looked.checks);
    let plans_restarts = || {
        let facts = Facts::of(&looked.seen, target);
        let plan = propose_restarts(target, &facts, &source.accepted(), &BTreeSet::new());
        plan.is_some_and(|plan| plan.is_ok())
    };
    match (exit, source) {
        (Exit::Done, Source::Spec(_)) => source.plans_to_file(file),
        (Exit::Done, Source::Plan(_)) => format!("zkplan apply {path}"),
        (_, Source::Spec(_)) if by_restarts && plans_restarts() => source.plans_to_file(file),
        _ if by_restarts || !args.zoo_cfg.is_empty() => format!("zkplan preflight {path} --watch"),
        _ => again(file),
    }
}

/// This command, as it is typed.
fn again(path: &Path) -> String {
    format!("zkplan preflight {}", words_for_shell(&path.display().to_string()))
}
