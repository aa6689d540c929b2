//! Reading specs from files.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::output::Output;
use crate::render::Text;
use crate::spec::{self, Spec};

/// A spec file that was read.
pub(super) struct Loaded {
    /// Its path, as it was typed.
    pub(super) path: String,
    pub(super) spec: Result<Spec, Exit>,
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

fn load_one(path: &Path, output: &Output) -> Result<Spec, Exit> {
    let text = read_text(path, output)?;
    let mut spec = spec::parse(&path.display().to_string(), &text).map_err(|errors| {
        output.aside(&Text::preformatted(&errors.render()));
        Exit::Data
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
                output.error(
                    &format!("{} and {} both describe {}", first, file.path, spec.ensemble),
                    "give each ensemble one spec, or plan them in two runs",
                );
                file.spec = Err(Exit::Data);
            }
            None => {
                seen.insert(spec.ensemble.clone(), file.path.clone());
            }
        }
    }
}

/// Reads a text file; `-` is stdin.
pub(super) fn read_text(path: &Path, output: &Output) -> Result<String, Exit> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(MAX_BYTES).read_to_end(&mut bytes)
    } else {
        fs::File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes))
    };
    if let Err(error) = read {
        output.error(&format!("{} cannot be read: {error}", path.display()), "");
        return Err(Exit::Error);
    }
    String::from_utf8(bytes).map_err(|_| {
        output.error(&format!("{} is no UTF-8 text", path.display()), "");
        Exit::Data
    })
}
