//! The screens of `zkplan snapshot pack` and `unpack`.

use super::archives::{ArchiveFacts, compression, origin};
use super::data_files::{FilesScreen, verdict, verified};
use super::file_findings::bytes;
use super::phrases;
use super::table::{Column, Table};
use super::text::{Line, Style, Text};
use crate::snapshot::{ArchiveManifest, DataVerdict, PackedFile, PackedKind};

/// What was packed, or where it was unpacked to.
#[derive(Debug, Clone, Copy)]
pub struct ArchiveScreen<'a> {
    /// What the files are worth.
    pub files: FilesScreen<'a>,
    /// The archive.
    pub archive: &'a ArchiveFacts,
    /// Snapshots of the server that were left out, for they are not whole.
    pub left_out: &'a [String],
    /// The command that comes next.
    pub next: &'a str,
}

/// The screen of `zkplan snapshot pack`.
pub fn packed(screen: &ArchiveScreen<'_>) -> Text {
    let ArchiveScreen { files, archive, left_out, next } = *screen;
    let width = files.width;
    let mut text = Text::new();
    let to = if archive.path == "-" { "stdout" } else { &archive.path };
    let label = Line::new(Style::Bold, to).then(Style::Plain, ": ");
    text.paragraph("", label.join(verdict(files.verification)), width);
    let manifest = archive.manifest.as_ref();
    text.section(manifest.map(|manifest| table(manifest, width)).unwrap_or_default());
    text.gap();
    let of = manifest.map(|manifest| manifest.files.iter().map(|file| file.bytes).sum::<u64>());
    let size = match archive.bytes {
        Some(size) => format!(
            "{} in {} ({}). The archive was read back: each file has the SHA-256 of the manifest.",
            bytes(of.unwrap_or_default()),
            bytes(size),
            compression(archive.wrapping)
        ),
        None => format!("{} ({}).", bytes(of.unwrap_or_default()), compression(archive.wrapping)),
    };
    text.paragraph("", Line::plain(size), width);
    for name in left_out {
        let what = format!("{name} was left out: it is damaged, or a server is writing it.");
        text.paragraph("", Line::new(Style::Yellow, what), width);
    }
    text.gap();
    if archive.path == "-" {
        return text;
    }
    text.line(Line::plain("Copy it to the new server, and type there:"));
    text.line(Line::plain("Next: ").then(Style::Cyan, next));
    text
}

/// The screen of `zkplan snapshot unpack`.
pub fn unpacked(screen: &ArchiveScreen<'_>) -> Text {
    let ArchiveScreen { files, archive, next, .. } = *screen;
    let width = files.width;
    let mut text = Text::new();
    let label = Line::new(Style::Bold, files.paths.join(" and ")).then(Style::Plain, ": ");
    text.paragraph("", label.join(verdict(files.verification)), width);
    text.section(origin(archive, width));
    let what = format!(
        "A server whose dataDir is {} starts with these data. Its user must be able to write there.",
        files.paths.join(" and ")
    );
    text.paragraph("", Line::plain(what), width);
    text.gap();
    text.line(Line::plain("Next: ").then(Style::Cyan, next));
    text
}

/// The screen of files that are not packed, or not unpacked: `done` says what was not done.
pub fn refused(screen: &FilesScreen<'_>, done: &str) -> Text {
    let width = screen.width;
    let mut text = Text::new();
    let (why, way_out) = match screen.verification.verdict {
        DataVerdict::Damaged => ("the files are damaged or incomplete", None),
        DataVerdict::NotProvable | DataVerdict::Whole => (
            "nothing shows that the files are whole",
            Some("if you know that they are, add --accept-not-provable to the command"),
        ),
    };
    let error = Line::plain(format!("{done}: {why}"));
    text.paragraph(Line::new(Style::Red, "error: "), error, width);
    if let Some(way_out) = way_out {
        text.paragraph(Line::new(Style::Cyan, "help: "), Line::plain(way_out), width);
    }
    text.section(verified(screen));
    text
}

fn table(manifest: &ArchiveManifest, width: usize) -> Text {
    let columns = [
        Column::words("file"),
        Column::words("zxid"),
        Column::numbers("bytes"),
        Column::words("holds"),
    ];
    let mut table = Table::new(columns);
    for file in &manifest.files {
        let PackedFile { kind, zxid, first_zxid, last_zxid, transactions, znodes, .. } = file;
        let (zxids, holds) = match kind {
            PackedKind::Snapshot => {
                (zxid.clone(), znodes.map(|count| phrases::count(count, "znode")))
            }
            PackedKind::Log => {
                let both = first_zxid.as_ref().zip(last_zxid.as_ref());
                let zxids = both.map(|(first, last)| format!("{first} to {last}"));
                (zxids, transactions.map(|count| phrases::count(count, "transaction")))
            }
            PackedKind::Epoch => (None, None),
        };
        table.row([
            Line::plain(&*file.file),
            Line::plain(zxids.unwrap_or_default()),
            Line::plain(file.bytes.to_string()),
            Line::plain(holds.unwrap_or_default()),
        ]);
    }
    table.to_text(width)
}
