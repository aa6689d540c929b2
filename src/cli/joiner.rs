//! `zkplan joiner`: the files from which servers start that are to join.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::error::{CommandError, unwritable};
use super::exit::Exit;
use super::first_quorum::{self, Shown};
use super::formats::TextOrJson;
use super::joiner_args::JoinerArgs;
use super::output::Output;
use super::source::Source;
use super::{joiner_check, live, specs};
use crate::apply::command_line::joiner_folder;
use crate::joiner::{
    FileWishes, JoinerFile, JoinerFiles, JoinerFilesError, PresentEnsemble, TicksSeen,
};
use crate::model::{Auth, Membership, ServerId, Target, latin_1};
use crate::observe::{Facts, Question, observe_confirmed};
use crate::render::joiner_files::{JoinerScreen, screen};
use crate::render::{Line, Style, Text, words_for_shell};
use crate::report::error::CommandFailure;

/// A superDigest is no longer than this, in bytes.
const LONGEST_TOKEN: usize = 1024;

pub(super) fn run(args: &JoinerArgs, output: &Output) -> Result<Exit, CommandError> {
    if args.check.is_empty() && args.format == TextOrJson::Json {
        // A flag that is required by one that contradicts others is not missed.
        let what = "--format json works only with --check";
        return Err(CommandError::new(CommandFailure::Usage, what));
    }
    if args.check.is_empty() {
        live::block_on(write(args, output))?
    } else {
        joiner_check::check(args, output)
    }
}

/// What the files are made for.
struct Found {
    present: PresentEnsemble,
    /// The server that first becomes the only voter, and the command that leads there.
    first: Option<(ServerId, String)>,
}

async fn write(args: &JoinerArgs, output: &Output) -> Result<Exit, CommandError> {
    let (Some(file), Some(out)) = (&args.file, &args.out) else {
        unreachable!("both are required without --check");
    };
    let source = Source::read(file, output)?;
    let target = source.target();
    let model = args.zoo_cfg.as_deref().map(model).transpose()?;
    let token = args.token.as_deref().map(|path| token(path, &target)).transpose()?;
    let Found { present, first } = found((file, &source), &target, output).await?;
    let joiners = present.joiners(&target);
    let wanted = wanted(args, (&joiners, &present), &target)?;
    if wanted.is_empty() {
        return Ok(nothing_to_write(&target, output));
    }
    let wishes = FileWishes {
        model: model.as_ref().map(|(name, text)| (&**name, &**text)),
        token: token.as_deref(),
        conf_dir: args.conf_dir.as_deref(),
        data_dir: args.data_dir.as_deref(),
    };
    let files = wanted.iter().filter_map(|id| joiners.get(*id));
    let files = files.map(|joiner| JoinerFiles::of(&target, &present, joiner, wishes));
    let files: Result<Vec<JoinerFiles>, JoinerFilesError> = files.collect();
    let files = files.map_err(|error| not_made(args.zoo_cfg.as_deref(), &error))?;
    let unchanged = lay_down(out, &files)?;
    let folder = words_for_shell(&out.display().to_string());
    let again = typed(args);
    let is_by_hook = target.hooks.want_joiner_files();
    let by_hook = if is_by_hook { format!(" --joiner-dir {folder}") } else { String::new() };
    let apply = first.as_ref().map_or_else(
        || format!("zkplan apply {}", words_for_shell(&file.display().to_string())),
        |(_, next)| next.clone(),
    );
    let text = screen(&JoinerScreen {
        ensemble: &target.ensemble,
        joiners: &files,
        folder: &folder,
        unchanged: &unchanged,
        after: first.as_ref().map(|(id, _)| *id),
        is_by_hook,
        with_token: &with_token(&target, &folder, &again),
        next: &(apply + &by_hook),
        width: output.width,
    });
    Ok(output.screen(&text, Exit::Done))
}

/// The ensemble that the joiners join: the live one, or the quorum of one that a standalone server
/// becomes.
async fn found(
    (file, source): (&Path, &Source),
    target: &Target,
    output: &Output,
) -> Result<Found, CommandError> {
    let port = live::servers(target, &source.named())?;
    let error = match observe_confirmed(&port, &Question::of(target)).await {
        Ok(seen) => {
            let facts = Facts::of(&seen, target);
            return Ok(Found { present: PresentEnsemble::of(&seen, &facts), first: None });
        }
        Err(error) => error,
    };
    let answer = first_quorum::answer(&port, target, &error, &BTreeMap::new()).await;
    let Some(answer) = answer else { return Err(live::not_seen(target, &error, output)) };
    let path = file.display().to_string();
    let shown = Shown::of(target, Some(&path), &answer, &source.accepted());
    let Ok(first) = &answer.verdict else { return Err(shown.error(output.width)) };
    let present = PresentEnsemble {
        members: Membership::of([first.server.clone()]),
        other_machine: BTreeSet::new(),
        versions: first.now.version.into_iter().collect(),
        ticks: TicksSeen::default(),
    };
    Ok(Found { present, first: Some((first.id(), shown.next().to_owned())) })
}

/// The joiners whose files are asked for.
fn wanted(
    args: &JoinerArgs,
    (joiners, present): (&Membership, &PresentEnsemble),
    target: &Target,
) -> Result<Vec<ServerId>, CommandError> {
    if args.all {
        return Ok(joiners.ids().into_iter().collect());
    }
    let ids: BTreeSet<ServerId> = args.ids.iter().copied().map(ServerId::new).collect();
    let usage = |what: String, hint: &str| {
        Err(CommandError::new(CommandFailure::Usage, what).hint(hint.to_owned()))
    };
    for id in &ids {
        if !target.servers.contains_key(id) {
            return usage(
                format!("the spec has no server {id}"),
                "add it to the spec, or give the id of a server in it",
            );
        }
        if !joiners.contains(*id) {
            let is = if present.members.contains(*id) { "a member already" } else { "no joiner" };
            return usage(
                format!("server {id} is {is}"),
                "files are written for servers that are to join; --all writes those of all of them",
            );
        }
    }
    Ok(ids.into_iter().collect())
}

fn nothing_to_write(target: &Target, output: &Output) -> Exit {
    let mut text = Text::new();
    let line = Line::new(Style::Green, "Nothing to write.").then(
        Style::Plain,
        format!(" Every server of the spec is a member of {}.", target.ensemble),
    );
    text.paragraph("", line, output.width);
    output.screen(&text, Exit::Done)
}

/// The `zoo.cfg` of a running server: its name and its text.
fn model(path: &Path) -> Result<(String, String), CommandError> {
    Ok((path.display().to_string(), latin_1(&specs::read_bytes(path)?)))
}

/// The superDigest in a file.
pub(super) fn token(path: &Path, target: &Target) -> Result<String, CommandError> {
    let text = specs::read_text(path)?;
    let token = text.trim();
    let unusable = |what: &str| {
        let what = format!("{}: {what}", path.display());
        Err(CommandError::new(CommandFailure::FileNotUsable, what).hint(format!(
            "write it: zkplan digest > {}",
            words_for_shell(&path.display().to_string())
        )))
    };
    let is_plain = token.chars().all(|c| c.is_ascii_graphic());
    let parts = token.split_once(':').filter(|(user, hash)| !user.is_empty() && !hash.is_empty());
    let Some((user, _)) = parts.filter(|_| is_plain && token.len() <= LONGEST_TOKEN) else {
        return unusable("no superDigest: one line `user:hash` is needed here");
    };
    match target.connect.auth.as_ref() {
        Some(Auth::Digest { user: wanted, .. }) if wanted.as_str() != user => {
            unusable(&format!("is of user {user}, and connect.auth has user {wanted}"))
        }
        _ => Ok(token.to_owned()),
    }
}

/// There are no files; `model` is the `zoo.cfg` that was given.
pub(super) fn not_made(model: Option<&Path>, error: &JoinerFilesError) -> CommandError {
    let model = model.map(|path| path.display().to_string());
    match error {
        JoinerFilesError::Malformed(error) => {
            let what = format!("{}: {error}", model.unwrap_or_default());
            CommandError::new(CommandFailure::ConfigInvalid, what)
        }
        JoinerFilesError::Path { .. } => {
            let hint = "give other paths: --conf-dir DIR, --data-dir DIR";
            CommandError::new(CommandFailure::Usage, error.to_string()).hint(hint)
        }
    }
}

/// The same command without a token, as it is typed.
fn typed(args: &JoinerArgs) -> String {
    let word = |path: &PathBuf| words_for_shell(&path.display().to_string());
    let mut words = vec!["zkplan joiner".to_owned()];
    words.extend(args.file.iter().map(word));
    words.extend(args.ids.iter().map(ToString::to_string));
    words.extend(args.all.then(|| "--all".to_owned()));
    words.extend(args.zoo_cfg.iter().map(|path| format!("--zoo-cfg {}", word(path))));
    for (flag, value) in [("--conf-dir", &args.conf_dir), ("--data-dir", &args.data_dir)] {
        words.extend(value.iter().map(|value| format!("{flag} {}", words_for_shell(value))));
    }
    words.extend(args.out.iter().map(|path| format!("-o {}", word(path))));
    words.join(" ")
}

/// How the files get a super user.
fn with_token(target: &Target, folder: &str, again: &str) -> String {
    match target.connect.auth.as_ref() {
        Some(Auth::Digest { user, .. }) => format!(
            "zkplan digest --user {} > super.token; rm -r {folder}; {again} --token super.token",
            words_for_shell(user)
        ),
        _ => "zkplan explain auth".to_owned(),
    }
}

/// Writes the files of each joiner to its folder, unless one would be overwritten. Returns the joiners
/// whose files were there already.
fn lay_down(out: &Path, all: &[JoinerFiles]) -> Result<BTreeSet<ServerId>, CommandError> {
    let mut unchanged = BTreeSet::new();
    for files in all {
        let folder = joiner_folder(out, files.server);
        let mut are_there = true;
        for file in files.files() {
            are_there &= is_there(&folder.join(file.name), &file)?;
        }
        // What an earlier call needed and this one does not would still be started with.
        let extra = folder.join("java.env");
        if !files.files().iter().any(|file| file.name == "java.env") && extra.exists() {
            return Err(differs(&extra, &folder));
        }
        if are_there {
            unchanged.insert(files.server);
        }
    }
    for files in all.iter().filter(|files| !unchanged.contains(&files.server)) {
        let folder = joiner_folder(out, files.server);
        fs::create_dir_all(&folder).map_err(|error| unwritable(folder.display(), &error))?;
        for file in files.files() {
            let path = folder.join(file.name);
            put(&path, &file).map_err(|error| unwritable(path.display(), &error))?;
        }
    }
    Ok(unchanged)
}

/// Whether a file is there; an error if another one is.
fn is_there(path: &Path, file: &JoinerFile) -> Result<bool, CommandError> {
    match fs::read(path) {
        Ok(bytes) if bytes == file.bytes() => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Ok(_) => Err(differs(path, path.parent().unwrap_or(path))),
        Err(error) => Err(CommandError::new(
            CommandFailure::IoFailed,
            format!("{} cannot be read: {error}", path.display()),
        )),
    }
}

fn differs(path: &Path, folder: &Path) -> CommandError {
    let what = format!(
        "{} is there and differs from what would be written. Nothing was written",
        path.display()
    );
    CommandError::new(CommandFailure::FileNotUsable, what).hint(format!(
        "if that server has not started with it, remove the folder ({}) and write it again; or give \
         another folder with -o",
        folder.display()
    ))
}

/// Writes a file, whole or not at all.
pub(super) fn put(path: &Path, file: &JoinerFile) -> io::Result<()> {
    let mode = match (file.is_secret, file.is_program) {
        (true, _) => 0o600,
        (false, true) => 0o755,
        (false, false) => 0o644,
    };
    let partial = path.with_file_name(format!(".{}.{}", file.name, std::process::id()));
    let written =
        write_new(&partial, &file.bytes(), mode).and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        drop(fs::remove_file(&partial));
    }
    written
}

#[cfg(unix)]
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(not(unix))]
fn write_new(path: &Path, bytes: &[u8], _: u32) -> io::Result<()> {
    fs::write(path, bytes)
}
