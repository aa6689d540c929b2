//! A data directory in memory.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::Path;

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use zkplan::snapshot::{DataFiles, DataListing, DataSide, ListedFile};

/// What `SnappyOutputStream` begins with, its two version numbers included.
const SNAPPY: [u8; 16] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];

/// The files of `version-2`, by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directory {
    /// The release that wrote it, and what was set there.
    pub(crate) name: String,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

/// The directories of real servers that are kept for tests.
pub(crate) fn corpus() -> Vec<Directory> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data-directories");
    let entries = fs::read_dir(root).expect("the corpus");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.is_dir());
    paths.sort();
    paths.iter().map(|path| Directory::read(path)).collect()
}

/// The hex number behind the first dot of a name.
pub(crate) fn zxid_of(name: &str) -> u64 {
    let hex = name.split('.').nth(1).unwrap_or_default();
    u64::from_str_radix(hex, 16).expect("a name with a zxid")
}

impl Directory {
    fn read(path: &Path) -> Self {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let entries = fs::read_dir(path).expect("a directory of the corpus");
        let files = entries.map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read(&path).expect("a file"))
        });
        Self { name, files: files.collect() }
    }

    /// Writes the files below a folder that is not there yet, the zeros at their ends as holes.
    pub(crate) fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).expect("a folder");
        for (name, bytes) in &self.files {
            let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            let mut file = File::create_new(folder.join(name)).expect("a file");
            file.write_all(&bytes[..end]).expect("it is written");
            file.set_len(u64::try_from(bytes.len()).expect("a length")).expect("it is extended");
        }
    }

    pub(crate) fn listing(&self) -> DataListing {
        let listed = |(name, bytes): (&String, &Vec<u8>)| ListedFile {
            side: DataSide::Data,
            name: name.clone(),
            length: u64::try_from(bytes.len()).expect("a length"),
            is_regular: true,
        };
        let text = |name: &str| {
            let bytes = self.files.get(name)?;
            Some(String::from_utf8_lossy(bytes).into_owned())
        };
        DataListing {
            files: self.files.iter().map(listed).collect(),
            has_log_dir: false,
            accepted_epoch: text("acceptedEpoch"),
            current_epoch: text("currentEpoch"),
            next_epoch: text("currentEpoch.tmp"),
        }
    }

    /// The snapshots, or the logs, in the order of their zxids.
    pub(crate) fn names(&self, kind: &str) -> Vec<String> {
        let is_kind = |name: &&String| name.split('.').next() == Some(kind);
        let mut names: Vec<String> = self.files.keys().filter(is_kind).cloned().collect();
        names.sort_by_key(|name| zxid_of(name));
        names
    }

    /// Whether its server wrote digests.
    pub(crate) fn has_digests(&self) -> bool {
        !self.name.contains("no-digest")
    }

    /// What is in a file, unpacked.
    pub(crate) fn unpacked(&self, name: &str) -> Vec<u8> {
        unpacked(name, &self.files[name])
    }

    /// Changes what is in a file, and packs it again as it was.
    pub(crate) fn edit(&mut self, name: &str, how: impl FnOnce(&mut Vec<u8>)) {
        let bytes = self.files.get_mut(name).expect("a file");
        let mut content = unpacked(name, bytes);
        how(&mut content);
        *bytes = packed(name, content);
    }
}

/// Whether a name says that the file is compressed.
pub(crate) fn is_compressed(name: &str) -> bool {
    let end = name.rsplit('.').next();
    matches!(end, Some("gz" | "snappy"))
}

fn unpacked(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    match name.rsplit('.').next() {
        Some("gz") => drop(GzDecoder::new(bytes).read_to_end(&mut all).expect("gzip")),
        Some("snappy") => {
            let mut rest = &bytes[SNAPPY.len()..];
            while let Some((length, behind)) = rest.split_first_chunk::<4>() {
                let length = usize::try_from(u32::from_be_bytes(*length)).expect("a length");
                let (block, behind) = behind.split_at(length);
                all.extend(snap::raw::Decoder::new().decompress_vec(block).expect("a block"));
                rest = behind;
            }
        }
        _ => all.extend(bytes),
    }
    all
}

fn packed(name: &str, content: Vec<u8>) -> Vec<u8> {
    match name.rsplit('.').next() {
        Some("gz") => {
            let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(&content).expect("memory");
            gzip.finish().expect("memory")
        }
        Some("snappy") => {
            let mut file = SNAPPY.to_vec();
            for block in content.chunks(32 * 1024) {
                let block = snap::raw::Encoder::new().compress_vec(block).expect("a block");
                file.extend(u32::try_from(block.len()).expect("a length").to_be_bytes());
                file.extend(block);
            }
            file
        }
        _ => content,
    }
}

impl DataFiles for Directory {
    fn open(&self, file: &ListedFile) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(&self.files[&file.name][..]))
    }

    fn last_bytes(&self, file: &ListedFile, count: usize) -> io::Result<Vec<u8>> {
        let bytes = &self.files[&file.name];
        Ok(bytes[bytes.len().saturating_sub(count)..].to_vec())
    }

    fn length(&self, file: &ListedFile) -> io::Result<u64> {
        Ok(file.length)
    }
}
