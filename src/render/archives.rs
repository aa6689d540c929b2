//! What is known of an archive, and what is wrong with one.

use super::file_findings::bytes;
use super::text::{Line, Text};
use crate::snapshot::{ArchiveContents, ArchiveFault, ArchiveFaultKind, ArchiveManifest, Wrapping};

/// What is known of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveFacts {
    /// Its path; `-` for a pipe.
    pub path: String,
    /// Its length in bytes; `None` of one that was written to a pipe.
    pub bytes: Option<u64>,
    /// How it is compressed.
    pub wrapping: Wrapping,
    /// What zkplan wrote of it; `None` where another tool has made it.
    pub manifest: Option<ArchiveManifest>,
    /// Members that no server reads.
    pub others: Vec<String>,
}

impl ArchiveFacts {
    /// Of an archive that was read.
    pub fn of(path: String, contents: &ArchiveContents) -> Self {
        let ArchiveContents { wrapping, packed_bytes, manifest, others, .. } = contents;
        let (manifest, others) = (manifest.clone(), others.clone());
        Self { path, bytes: Some(*packed_bytes), wrapping: *wrapping, manifest, others }
    }
}

/// Where an archive comes from, below the verdict of its files.
pub(super) fn origin(facts: &ArchiveFacts, width: usize) -> Text {
    let mut text = Text::new();
    let what = match &facts.manifest {
        Some(manifest) => format!(
            "Packed by zkplan {} at {} from {}. Each file has the SHA-256 of the manifest.",
            manifest.packed_by,
            manifest.packed_at,
            manifest.directories.join(" and ")
        ),
        None => "The archive has no manifest: another tool has made it.".to_owned(),
    };
    text.paragraph("", Line::plain(what), width);
    if !facts.others.is_empty() {
        let shown: Vec<&str> = facts.others.iter().take(5).map(String::as_str).collect();
        let left = facts.others.len() - shown.len();
        let more = if left > 0 { format!(" and {left} more") } else { String::new() };
        let what = format!("No files of ZooKeeper's, and not used: {}{more}.", shown.join(", "));
        text.paragraph("", Line::plain(what), width);
    }
    text
}

/// How an archive is compressed.
pub(super) fn compression(wrapping: Wrapping) -> &'static str {
    match wrapping {
        Wrapping::None => "not compressed",
        Wrapping::Gzip => "gzip",
        Wrapping::Zstd => "Zstandard",
    }
}

/// What is wrong with an archive.
pub fn archive_fault(fault: &ArchiveFault) -> String {
    use ArchiveFaultKind as Kind;
    let what = match &fault.kind {
        Kind::NoHeader => "this is no tar archive, or it is damaged here".to_owned(),
        Kind::Truncated => "the archive ends too early: it was not copied whole".to_owned(),
        Kind::Surplus => "bytes follow the end of the archive".to_owned(),
        Kind::Compression(why) => format!("the archive cannot be unpacked: {why}"),
        Kind::Outside => {
            "the name leads out of the folder. Nothing of this archive is used".to_owned()
        }
        Kind::BadName => "no file of ZooKeeper's has such a name".to_owned(),
        Kind::Link => {
            "it is a link. Data are never links: nothing of this archive is used".to_owned()
        }
        Kind::NoFile => "it is a device, a pipe or a file with holes, and no plain file".to_owned(),
        Kind::Twice => "the archive has this file twice".to_owned(),
        Kind::TooMany => {
            "the archive has more members than any data directory has files".to_owned()
        }
        Kind::LongHeader(size) => format!("{} is too long for a header", bytes(*size)),
        Kind::Bomb { unpacked, packed } => format!(
            "{} were unpacked from {}, and data never shrink so much",
            bytes(*unpacked),
            bytes(*packed)
        ),
        Kind::NoData => "there is no snapshot and no log in the archive".to_owned(),
        Kind::BadManifest(why) => format!("the manifest cannot be read: {why}"),
        Kind::NewerManifest(version) => {
            format!("the manifest has version {version}, which a later zkplan wrote")
        }
        Kind::LateManifest => "the manifest is not the first member".to_owned(),
        Kind::NotInManifest => "it is not in the manifest".to_owned(),
        Kind::Missing => "it is in the manifest, and not in the archive".to_owned(),
        Kind::OtherSize { manifest, archive } => {
            format!("it has {} here, and {} in the manifest", bytes(*archive), bytes(*manifest))
        }
        Kind::OtherHash => "its SHA-256 is not that of the manifest: it was changed".to_owned(),
    };
    match &fault.member {
        Some(member) => format!("{member}: {what}"),
        None => what,
    }
}
