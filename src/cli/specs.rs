//! Reading specs from files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::error::CommandError;
use super::file_kind::not_a_spec;
use crate::model::{ServerId, latin_1};
use crate::render::complaints;
use crate::report::error::{CommandFailure, places};
use crate::report::read_plan;
use crate::spec::{self, Spec, SpecErrors};

/// A spec file that was read.
pub(super) struct Loaded {
    /// Its path, as it was typed.
    pub(super) path: String,
    pub(super) spec: Result<Spec, CommandError>,
}

impl Loaded {
    /// The label of its ensemble; `None` where it cannot be used.
    pub(super) fn ensemble(&self) -> Option<&str> {
        self.spec.as_ref().ok().map(|spec| spec.ensemble.as_str())
    }

    /// The label of its ensemble, also where the file is wrong elsewhere; its path where it has none.
    pub(super) fn name(&self) -> String {
        let label = self.ensemble().map(str::to_owned).or_else(|| label_of(&self.path));
        label.unwrap_or_else(|| self.path.clone())
    }

    /// The lines on which its servers begin, from 1.
    pub(super) fn lines(&self) -> BTreeMap<ServerId, usize> {
        let servers = self.spec.iter().flat_map(|spec| &spec.servers);
        servers.map(|(id, server)| (*id, server.line)).collect()
    }
}

/// Files larger than this are not read as text.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The endings of specs in a folder.
const ENDINGS: [&str; 2] = ["yaml", "yml"];

/// The files that the paths of a command line stand for: of a folder, the specs in it by name. One
/// without specs stays, and reading it says what is wrong.
pub(super) fn files(paths: &[PathBuf]) -> Vec<PathBuf> {
    paths.iter().flat_map(|path| in_folder(path).unwrap_or_else(|| vec![path.clone()])).collect()
}

/// The specs in a folder, by name; `None` where it is none, or has none.
fn in_folder(folder: &Path) -> Option<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).ok()?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_spec = |path: &PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        ending.is_some_and(|ending| ENDINGS.contains(&ending)) && path.is_file()
    };
    let mut specs: Vec<PathBuf> = paths.filter(is_spec).collect();
    specs.sort();
    (!specs.is_empty()).then_some(specs)
}

/// Reads every spec.
pub(super) fn load(paths: &[PathBuf]) -> Vec<Loaded> {
    let mut loaded: Vec<Loaded> = paths
        .iter()
        .map(|path| Loaded { path: path.display().to_string(), spec: load_one(path) })
        .collect();
    refuse_twins(&mut loaded);
    loaded
}

fn load_one(path: &Path) -> Result<Spec, CommandError> {
    let text = read_text(path)?;
    match not_a_spec(&path.display().to_string(), &text) {
        Some(error) => Err(error),
        None => parse(path, &text),
    }
}

/// The label of the ensemble in a file, also where the file is wrong elsewhere.
pub(super) fn label_of(path: &str) -> Option<String> {
    if path == "-" {
        return None;
    }
    let text = read_text(Path::new(path)).ok()?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("ensemble:"));
    let label = lines.find_map(|rest| rest.split('#').next().map(str::trim));
    let label = label.map(|label| label.trim_matches(['"', '\'']).to_owned());
    let planned = || Some(read_plan(&text).ok()?.plan().ensemble.clone());
    label.filter(|label| spec::is_label(label)).or_else(planned)
}

/// The spec of a file that holds this text.
pub(super) fn parse(path: &Path, text: &str) -> Result<Spec, CommandError> {
    let name = path.display().to_string();
    let mut spec = spec::parse(&name, text).map_err(|errors| invalid(&name, &errors))?;
    spec.rooted_at(path.parent().unwrap_or(Path::new("")));
    Ok(spec)
}

fn invalid(name: &str, errors: &SpecErrors) -> CommandError {
    CommandError::new(CommandFailure::SpecInvalid, format!("{name} cannot be used as a spec"))
        .at(places(errors))
        .shown_as(complaints(&errors.render()))
}

/// Two specs of one ensemble in one run can only contradict each other.
fn refuse_twins(loaded: &mut [Loaded]) {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for file in loaded {
        let Ok(spec) = &file.spec else { continue };
        match seen.get(&spec.ensemble) {
            Some(first) => {
                let both = format!("{} and {} both describe {}", first, file.path, spec.ensemble);
                file.spec = Err(twins(both));
            }
            None => {
                seen.insert(spec.ensemble.clone(), file.path.clone());
            }
        }
    }
}

/// Two specs of one ensemble.
pub(super) fn twins(what: String) -> CommandError {
    CommandError::new(CommandFailure::TwoSpecs, what)
        .hint("give each ensemble one spec, or plan them in two runs")
}

/// Reads a text file; `-` is stdin.
pub(super) fn read_text(path: &Path) -> Result<String, CommandError> {
    String::from_utf8(read_bytes(path)?).map_err(|_| {
        let what = format!("{} is not UTF-8 text", path.display());
        CommandError::new(CommandFailure::FileNotUsable, what).hint("give a text file")
    })
}

/// Reads a file that Java wrote or reads: in UTF-8, else in ISO-8859-1, in which everything is text.
pub(super) fn read_java_text(path: &Path) -> Result<String, CommandError> {
    let bytes = read_bytes(path)?;
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| latin_1(error.as_bytes())))
}

/// Reads a file of any content; `-` is stdin.
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(MAX_BYTES + 1).read_to_end(&mut bytes)
    } else {
        fs::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
    };
    let name = path.display();
    match read {
        Err(error) => {
            let help = match error.kind() {
                ErrorKind::NotFound => "check the path: it is relative to the present folder",
                ErrorKind::IsADirectory => {
                    "give a file in that folder, or a folder with files that end in .yaml or .yml"
                }
                ErrorKind::PermissionDenied => "check the permissions of the file",
                _ => "",
            };
            let what = format!("{name} cannot be read: {error}");
            Err(CommandError::new(CommandFailure::IoFailed, what).hint(help))
        }
        Ok(size) if u64::try_from(size).is_ok_and(|size| size > MAX_BYTES) => {
            let most = MAX_BYTES / (1024 * 1024);
            let what = format!("{name} is larger than {most} MiB and was not read");
            Err(CommandError::new(CommandFailure::FileNotUsable, what)
                .hint("no spec, plan or configuration is that large"))
        }
        Ok(_) => Ok(bytes),
    }
}
