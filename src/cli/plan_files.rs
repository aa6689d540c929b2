//! `zkplan plan --out`: the plan in a file, or a file for each spec in a folder, with an index.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::args::{Format, PlanArgs};
use super::error::{CommandError, unwritable};
use super::exit::Exit;
use super::output::Output;
use super::paths::{self, folder_of};
use super::plan_file::{not_writable, write_plan, write_whole};
use super::plan_formats::{documents, rehearse_all, reviewed};
use super::planned::Outcome;
use super::specs::{self, Loaded};
use crate::document::Document as _;
use crate::render::{dot, mermaid, words_for_count};
use crate::report::PlanDocument;
use crate::report::error::CommandFailure;
use crate::review::{Reviewed, comment, html, html_index, junit, markdown_index};
use crate::saved;

/// Where what came of the specs is kept.
pub(super) enum Keeping {
    /// Nowhere: it is only printed.
    Nowhere,
    /// The plan of the one spec, in this file.
    File(PathBuf),
    /// A file for each spec.
    Folder(Folder),
}

/// A folder with a file for each spec.
pub(super) struct Folder {
    path: PathBuf,
    /// The name of each file, in the order of the specs, and that of the index where there is one.
    names: Vec<String>,
    index: Option<String>,
}

fn usage(what: String, hint: &str) -> CommandError {
    CommandError::new(CommandFailure::Usage, what).hint(hint)
}

impl Keeping {
    /// Of that command line: several specs have a folder, one has a file or a folder that is there.
    ///
    /// # Errors
    ///
    /// What speaks against the place, before a server is asked and before anything is written.
    pub(super) fn of(args: &PlanArgs, loaded: &[Loaded]) -> Result<Self, CommandError> {
        let Some(out) = &args.out else { return Ok(Self::Nowhere) };
        let is_named_so = out.as_os_str().to_string_lossy().ends_with('/');
        let is_folder = loaded.len() > 1 || out.is_dir() || is_named_so;
        if is_folder && out != Path::new("-") {
            return Folder::of(args.format, out, loaded).map(Self::Folder);
        }
        match not_writable(out, &specs::files(&args.specs)) {
            Some((wrong, hint)) => Err(usage(wrong, &hint)),
            None => Ok(Self::File(out.clone())),
        }
    }

    /// The file of the spec in that place.
    pub(super) fn path_of(&self, at: usize) -> Option<PathBuf> {
        match self {
            Self::Nowhere => None,
            Self::File(path) => Some(path.clone()),
            Self::Folder(folder) => folder.names.get(at).map(|name| folder.path.join(name)),
        }
    }

    /// Whether stdout has no more than a table, because pages are in files.
    pub(super) const fn has_pages(&self, format: Format) -> bool {
        matches!(self, Self::Folder(_)) && !matches!(format, Format::Text | Format::Json)
    }

    /// Writes each file whole or not at all, where there is something to write.
    pub(super) fn save(
        &self,
        args: &PlanArgs,
        (loaded, outcomes): (&[Loaded], &[Outcome]),
        output: &Output,
    ) -> Result<(), CommandError> {
        match (self, loaded, outcomes) {
            (Self::File(out), [file], [Outcome::Planned(checked, ..)]) => {
                write_plan(out, Path::new(&file.path), checked)
            }
            (Self::Folder(folder), ..) => folder.save(args, (loaded, outcomes), output),
            _ => Ok(()),
        }
    }

    /// Says whether what was asked for is there; the text of a plan says so itself.
    pub(super) fn note(
        &self,
        args: &PlanArgs,
        outcomes: &[Outcome],
        saved: &Result<(), CommandError>,
        output: &Output,
    ) {
        match self {
            Self::File(out) => note_file(args, (out, outcomes), saved, output),
            Self::Folder(folder) if saved.is_ok() => folder.note(outcomes, args.format, output),
            Self::Nowhere | Self::Folder(_) => {}
        }
    }
}

fn note_file(
    args: &PlanArgs,
    (out, outcomes): (&Path, &[Outcome]),
    saved: &Result<(), CommandError>,
    output: &Output,
) {
    match (outcomes, saved) {
        ([Outcome::Planned(..)], Ok(())) if args.format == Format::Text => {}
        ([Outcome::Planned(checked, ..)], Ok(())) => {
            let plan_id = saved::plan_id(checked.plan());
            output.note(&format!("saved to {}, plan id {plan_id}", out.display()));
        }
        ([Outcome::Planned(..)], Err(_)) => {}
        _ => not_written(out, output),
    }
}

fn not_written(out: &Path, output: &Output) {
    let old = if out.exists() { "; the file has an older plan" } else { "" };
    output.note(&format!("there is no plan: {} was not written{old}", out.display()));
}

impl Folder {
    /// Of that path, with names for these specs.
    fn of(format: Format, path: &Path, loaded: &[Loaded]) -> Result<Self, CommandError> {
        let Some(ending) = ending(format) else {
            let what = "--out with a folder does not work with --format github".to_owned();
            return Err(usage(
                what,
                "annotations belong to the job that prints them; leave --out away",
            ));
        };
        let named_like_a_file = path.extension().and_then(|ending| ending.to_str());
        let is_like_a_file =
            matches!(named_like_a_file, Some("json" | "html" | "htm" | "md" | "yaml"));
        if !path.exists() && is_like_a_file {
            let name = path.display();
            let what =
                format!("{name} is the name of a file: with several specs --out takes a folder");
            return Err(usage(what, "give a folder, or plan the specs one by one"));
        }
        if path.exists() && !path.is_dir() {
            let what =
                format!("{} is a file: with several specs --out takes a folder", path.display());
            return Err(usage(what, "give a folder, or plan the specs one by one"));
        }
        // Without a slash at its end: the folder above it is asked for.
        let path: PathBuf = path.components().collect();
        let above = folder_of(&path);
        if !above.is_dir() {
            let (path, above) = (path.display(), above.display());
            let what = format!("{path} cannot be written: there is no folder {above}");
            return Err(usage(what, "make that folder first"));
        }
        let index = matches!(format, Format::Html | Format::Markdown);
        let index = index.then(|| format!("index.{ending}"));
        let folder = Self { names: names(loaded, ending), path, index };
        let all = folder.names.iter().chain(&folder.index).map(|name| folder.path.join(name));
        let foreign: Vec<PathBuf> = all.filter(|file| !is_replaceable(file)).collect();
        match foreign.split_first() {
            None => Ok(folder),
            Some((first, more)) => {
                let more = match more.len() {
                    0 => String::new(),
                    count => format!(" (and {count} more)"),
                };
                let what = format!(
                    "{} was not written by zkplan{more}; nothing was written",
                    first.display()
                );
                Err(usage(what, "move it away, or give another folder"))
            }
        }
    }

    fn save(
        &self,
        args: &PlanArgs,
        (loaded, outcomes): (&[Loaded], &[Outcome]),
        output: &Output,
    ) -> Result<(), CommandError> {
        if !self.path.is_dir() {
            fs::create_dir(&self.path).map_err(|error| unwritable(self.path.display(), &error))?;
        }
        let mut reviewed = reviewed(args, loaded, outcomes, output);
        if args.format == Format::Html {
            rehearse_all(&mut reviewed);
        }
        for (at, name) in self.names.iter().enumerate() {
            let text = text(args.format, (&loaded[at], &outcomes[at]), &reviewed[at], &self.path);
            if let Some(text) = text {
                write_whole(&self.path.join(name), &text)?;
            }
        }
        let Some(index) = &self.index else { return Ok(()) };
        let pages: Vec<(&Reviewed<'_>, String)> =
            reviewed.iter().zip(self.names.iter().cloned()).collect();
        let text = match args.format {
            Format::Html => html_index(&pages),
            _ => markdown_index(&pages),
        };
        write_whole(&self.path.join(index), &text)
    }

    fn note(&self, outcomes: &[Outcome], format: Format, output: &Output) {
        let is_graph = matches!(format, Format::Mermaid | Format::Dot);
        let mut written = 0;
        for (name, outcome) in self.names.iter().zip(outcomes) {
            if is_graph && !matches!(outcome, Outcome::Planned(..)) {
                not_written(&self.path.join(name), output);
            } else {
                written += 1;
            }
        }
        let folder = self.path.display();
        let files = words_for_count(written, "file");
        output.note(&match &self.index {
            Some(index) => format!("wrote {folder}/{index}, and {files} beside it"),
            None => format!("wrote {files} to {folder}"),
        });
    }
}

/// The text of one file; nothing where there is no graph.
fn text(
    format: Format,
    (file, outcome): (&Loaded, &Outcome),
    reviewed: &Reviewed<'_>,
    folder: &Path,
) -> Option<String> {
    let one = std::slice::from_ref(reviewed);
    let marked = |sign: &str, graph: crate::render::Text| {
        format!("{sign} zkplan plan\n{}", graph.to_string_with(false))
    };
    match (format, outcome) {
        (Format::Html, _) => Some(html(one)),
        (Format::Markdown, _) => Some(comment(one)),
        (Format::Junit, _) => Some(junit("plan", one)),
        (Format::Mermaid, Outcome::Planned(plan, ..)) => Some(marked("%%", mermaid::mermaid(plan))),
        (Format::Dot, Outcome::Planned(plan, ..)) => Some(marked("//", dot::dot(plan))),
        (Format::Mermaid | Format::Dot, _) => None,
        (Format::Text | Format::Json | Format::Github, Outcome::Planned(checked, ..)) => {
            let spec = Path::new(&file.path);
            let checked = paths::saved((**checked).clone(), spec, Some(folder));
            Some(PlanDocument::of(&checked).to_text())
        }
        (Format::Text | Format::Json | Format::Github, _) => Some(documents(one, Exit::Done)),
    }
}

/// How the names of files in that format end; nothing where it has no files.
const fn ending(format: Format) -> Option<&'static str> {
    match format {
        Format::Text | Format::Json => Some("json"),
        Format::Markdown => Some("md"),
        Format::Html => Some("html"),
        Format::Junit => Some("xml"),
        Format::Mermaid => Some("mmd"),
        Format::Dot => Some("dot"),
        Format::Github => None,
    }
}

/// A name for the file of each spec: the label of its ensemble, or what its own name has of the letters
/// that labels have. No two are the same, however a file system compares letters.
fn names(loaded: &[Loaded], ending: &str) -> Vec<String> {
    let mut taken = BTreeSet::from(["index".to_owned()]);
    let name = |file: &Loaded| {
        let wanted = match &file.spec {
            Ok(spec) => spec.ensemble.clone(),
            Err(_) => plain(&file.path),
        };
        let others = (2_usize..).map(|number| format!("{wanted}-{number}"));
        let mut free = std::iter::once(wanted.clone()).chain(others);
        let name =
            free.find(|name| !taken.contains(name)).expect("there are more numbers than specs");
        taken.insert(name.clone());
        format!("{name}.{ending}")
    };
    loaded.iter().map(name).collect()
}

/// The name of a file without its ending, in the letters of labels.
fn plain(path: &str) -> String {
    let stem = Path::new(path).file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let name: String = stem.chars().map(|c| if is_plain(c) { c } else { '-' }).take(63).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "spec".to_owned() } else { name.to_owned() }
}

/// Whether nothing is lost where a file takes this place: there is none, or zkplan wrote it.
fn is_replaceable(file: &Path) -> bool {
    if fs::symlink_metadata(file).is_err() {
        return true;
    }
    let Ok(text) = fs::read_to_string(file) else { return false };
    match file.extension().and_then(|ending| ending.to_str()) {
        Some("json") => serde_json::from_str::<Value>(&text).is_ok_and(|document| {
            document["format"].as_str().is_some_and(|format| format.starts_with("zkplan/"))
        }),
        Some("md") => text.starts_with("<!-- zkplan "),
        Some("html") => text.contains("<meta name=\"generator\" content=\"zkplan\" />"),
        Some("xml") => text.contains("<testsuites name=\"zkplan\""),
        Some("mmd") => text.starts_with("%% zkplan plan\n"),
        Some("dot") => text.starts_with("// zkplan plan\n"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_plain_and_no_two_are_the_same() {
        let failed = |path: &str| {
            let error = CommandError::new(CommandFailure::SpecInvalid, "wrong");
            Loaded { path: path.to_owned(), spec: Err(error) }
        };
        let paths = [
            "a/prod.yaml",
            "b/prod.yaml",
            "../../etc/..",
            "index.yaml",
            "<b> c.yaml",
            "PROD.yml",
            "-",
        ];
        let names = names(&paths.map(failed), "html");
        assert_eq!(
            names,
            [
                "prod.html",
                "prod-2.html",
                "spec.html",
                "index-2.html",
                "b--c.html",
                "prod-3.html",
                "spec-2.html"
            ]
        );
    }
}
