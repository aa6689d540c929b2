//! Writing a plan file: where it may be written, and whole or not at all.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::error::{CommandError, unwritable};
use super::paths::{self, folder_of};
use crate::check::CheckedPlan;
use crate::document::Document as _;
use crate::report::PlanDocument;

/// What speaks against a file for the plan, and what to do: it is replaced whole, and nothing but a plan
/// may be.
pub(super) fn not_writable(out: &Path, specs: &[PathBuf]) -> Option<(String, String)> {
    let hint = || "give a new file, or a plan that may be overwritten".to_owned();
    if out == Path::new("-") {
        return Some(("--out takes a file; --format json prints the plan".to_owned(), hint()));
    }
    let ending = out.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if let "html" | "htm" | "md" = ending {
        let format = if ending == "md" { "markdown" } else { "html" };
        let name = out.display();
        let what =
            format!("--out saves the plan itself, as JSON, and {name} is the name of a page");
        return Some((what, format!("for the page, add: --format {format} > {name}")));
    }
    let dir = folder_of(out);
    if !dir.is_dir() {
        let (out, dir) = (out.display(), dir.display());
        return Some((format!("{out} cannot be written: there is no folder {dir}"), hint()));
    }
    let there = fs::metadata(out).ok()?;
    let same = |spec: &PathBuf| {
        fs::canonicalize(spec).ok().is_some_and(|spec| fs::canonicalize(out).ok() == Some(spec))
    };
    if !there.is_file() {
        Some((format!("{} is not a regular file", out.display()), hint()))
    } else if specs.iter().any(same) {
        Some((format!("{} is the spec itself", out.display()), hint()))
    } else {
        None
    }
}

/// Writes a plan that was made from that spec, whole or not at all.
pub(super) fn write_plan(
    out: &Path,
    spec: &Path,
    checked: &CheckedPlan,
) -> Result<(), CommandError> {
    // A link is followed: what it leads to is replaced, not the link.
    let out = &fs::canonicalize(out).unwrap_or_else(|_| out.to_owned());
    let dir = folder_of(out);
    let checked = paths::saved(checked.clone(), spec, Some(dir));
    write_whole(out, &PlanDocument::of(&checked).to_text())
}

/// Writes a file whole or not at all.
pub(super) fn write_whole(out: &Path, text: &str) -> Result<(), CommandError> {
    let name = out.file_name().unwrap_or(out.as_os_str()).to_string_lossy();
    let partial = folder_of(out).join(format!(".{name}.{}", std::process::id()));
    let written = fs::File::create(&partial)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&partial, out));
    written.map_err(|error| {
        drop(fs::remove_file(&partial));
        unwritable(out.display(), &error)
    })
}
