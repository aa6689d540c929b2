//! Reading specs from files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::output::Output;
use super::source;
use crate::model::latin_1;
use crate::render::complaints;
use crate::spec::{self, Spec};

/// A spec file that was read.
pub(super) struct Loaded {
    /// Its path, as it was typed.
    pub(super) path: String,
    pub(super) spec: Result<Spec, Unusable>,
}

/// Why a file cannot be used. It was said already; this is for what is printed of it later.
#[derive(Debug, Clone)]
pub(super) struct Unusable {
    /// One sentence.
    pub(super) why: String,
    pub(super) exit: Exit,
}

impl From<Unusable> for Exit {
    fn from(unusable: Unusable) -> Self {
        unusable.exit
    }
}

/// Files larger than this are not read as text.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Reads every spec, and says what is wrong with those that cannot be used.
pub(super) fn load(paths: &[PathBuf], output: &Output) -> Vec<Loaded> {
    let mut loaded: Vec<Loaded> = paths
        .iter()
        .map(|path| Loaded { path: path.display().to_string(), spec: load_one(path, output) })
        .collect();
    refuse_twins(&mut loaded, output);
    loaded
}

fn load_one(path: &Path, output: &Output) -> Result<Spec, Unusable> {
    let text = read_text(path, output)?;
    let name = path.display().to_string();
    if let Some(why) = source::not_a_spec(&name, &text, output) {
        return Err(Unusable { why, exit: Exit::Data });
    }
    let mut spec = spec::parse(&name, &text).map_err(|errors| {
        output.aside(&complaints(&errors.render()));
        Unusable { why: format!("{name} cannot be used as a spec"), exit: Exit::Data }
    })?;
    spec.rooted_at(path.parent().unwrap_or(Path::new("")));
    Ok(spec)
}

/// Two specs of one ensemble in one run can only contradict each other.
fn refuse_twins(loaded: &mut [Loaded], output: &Output) {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for file in loaded {
        let Ok(spec) = &file.spec else { continue };
        match seen.get(&spec.ensemble) {
            Some(first) => {
                let why = format!("{} and {} both describe {}", first, file.path, spec.ensemble);
                output.error(&why, "give each ensemble one spec, or plan them in two runs");
                file.spec = Err(Unusable { why, exit: Exit::Data });
            }
            None => {
                seen.insert(spec.ensemble.clone(), file.path.clone());
            }
        }
    }
}

/// Reads a text file; `-` is stdin.
pub(super) fn read_text(path: &Path, output: &Output) -> Result<String, Unusable> {
    String::from_utf8(read_bytes(path, output)?).map_err(|_| {
        let why = format!("{} is not UTF-8 text", path.display());
        output.error(&why, "give a text file");
        Unusable { why, exit: Exit::Data }
    })
}

/// Reads a file that Java wrote or reads: in UTF-8, else in ISO-8859-1, in which everything is text.
pub(super) fn read_java_text(path: &Path, output: &Output) -> Result<String, Unusable> {
    let bytes = read_bytes(path, output)?;
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| latin_1(error.as_bytes())))
}

/// Reads a file of any content; `-` is stdin.
pub(super) fn read_bytes(path: &Path, output: &Output) -> Result<Vec<u8>, Unusable> {
    let refuse = |why: String, help: &str, exit: Exit| {
        output.error(&why, help);
        Unusable { why, exit }
    };
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
                ErrorKind::IsADirectory => "give a file in that folder",
                ErrorKind::PermissionDenied => "check the permissions of the file",
                _ => "",
            };
            Err(refuse(format!("{name} cannot be read: {error}"), help, Exit::Error))
        }
        Ok(size) if u64::try_from(size).is_ok_and(|size| size > MAX_BYTES) => {
            let most = MAX_BYTES / (1024 * 1024);
            let why = format!("{name} is larger than {most} MiB and was not read");
            Err(refuse(why, "no spec, plan or configuration is that large", Exit::Data))
        }
        Ok(_) => Ok(bytes),
    }
}
