//! How the files of a directory or of an archive are shown.

use std::fs::File;
use std::path::Path;

use super::data_directory::unreadable;
use super::error::CommandError;
use super::formats::TextOrJson;
use super::output::Output;
use crate::render::archives::ArchiveFacts;
use crate::render::data_files::FilesScreen;
use crate::snapshot::Verification;

/// The file of an archive.
pub(super) fn opened(path: &Path) -> Result<File, CommandError> {
    File::open(path).map_err(|error| unreadable(path, &error))
}

/// How something is shown.
pub(super) struct Shown<'a> {
    /// The directories, or the archive.
    pub(super) paths: &'a [String],
    /// The same as they are typed.
    pub(super) typed: &'a str,
    /// What is known of the archive.
    pub(super) archive: Option<&'a ArchiveFacts>,
    pub(super) format: TextOrJson,
}

impl<'a> Shown<'a> {
    pub(super) fn screen(&self, seen: &'a Verification, output: &Output) -> FilesScreen<'a> {
        FilesScreen {
            paths: self.paths,
            verification: seen,
            typed: self.typed,
            archive: self.archive,
            width: output.width,
        }
    }
}
