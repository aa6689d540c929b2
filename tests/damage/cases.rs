//! The ways to damage a directory: each field, each record boundary, each seal, and each file as a whole.

use std::collections::BTreeMap;

use super::directory::{Directory, is_compressed, zxid_of};
use super::places::{Layout, Place, Record, of_log, of_snapshot};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// A bit of a field is another one.
    Flipped,
    /// The same, and the checksums over it were made anew: only the tree digest can tell.
    Resealed,
    /// The file ends before a field.
    Cut,
    /// A byte stands before a field that belongs to nothing.
    Inserted,
    /// The first byte of a field is missing.
    Removed,
    /// A bit of a compressed file is another one.
    Packed,
    /// A compressed file ends inside what was packed.
    PackedCut,
    /// The log ends behind a record, without zeros.
    CutAtRecord,
    /// From a record on, there are only zeros, as many as there were bytes.
    Zeroed,
    /// One record has become zeros.
    RecordZeroed,
    /// A record is not there, and the next one stands in its place.
    RecordRemoved,
    /// A record is there twice.
    RecordDoubled,
    /// Two records stand in the wrong order.
    RecordsSwapped,
    /// A file is not there.
    Missing,
    /// Two files of a kind have each other's names.
    Swapped,
    /// A file is that of another ensemble.
    Foreign,
    /// A file of another ensemble lies beside the others.
    ForeignAdded,
    /// A file has no bytes.
    Emptied,
    /// All bytes of a file are zeros.
    Blank,
    /// A file has text.
    Text,
    /// A copy has a name that no server gives.
    Copied,
    /// The name says that the file is compressed in another way.
    OtherPacking,
    /// An epoch file is missing, no number, or does not fit.
    Epochs,
}

type Change = Box<dyn Fn(&mut Directory)>;
type Edit = Box<dyn Fn(&mut Vec<u8>)>;

/// One damage.
pub(crate) struct Case {
    pub(crate) way: Way,
    /// The file that is damaged.
    pub(crate) file: String,
    /// The field, where there is one.
    pub(crate) field: Option<String>,
    /// Whether the tree digest changes with that field.
    pub(crate) is_in_digest: bool,
    /// Where it is, for people.
    pub(crate) at: usize,
    /// The record that it is in, and how many the log has.
    pub(crate) record: Option<(usize, usize)>,
    change: Change,
}

impl Case {
    fn new(way: Way, file: &str, change: impl Fn(&mut Directory) + 'static) -> Self {
        Self {
            way,
            file: file.to_owned(),
            field: None,
            is_in_digest: false,
            at: 0,
            record: None,
            change: Box::new(change),
        }
    }

    /// A copy of the directory with the damage.
    pub(crate) fn of(&self, whole: &Directory) -> Directory {
        let mut directory = whole.clone();
        (self.change)(&mut directory);
        directory
    }

    fn is_at(&self, field: &str) -> bool {
        self.field.as_deref() == Some(field)
    }

    /// Whether it is in the zeros that a server writes ahead.
    pub(crate) fn is_in_zeros(&self) -> bool {
        self.is_at("log: zeros")
    }

    /// Whether what is left of a snapshot is one of an older release: its last parts are optional.
    pub(crate) fn is_older_shape(&self) -> bool {
        self.is_at("snapshot: digest zxid") || self.is_at("snapshot: last zxid")
    }

    /// Whether an epoch file has no number.
    pub(crate) fn is_no_number(&self) -> bool {
        self.is_at("`two`") || self.is_at("``")
    }

    /// Whether a log is cut behind its last record.
    pub(crate) fn is_behind_all(&self) -> bool {
        self.record.is_some_and(|(record, count)| record == count) || self.is_in_zeros()
    }

    /// What it is, for people.
    pub(crate) fn label(&self) -> String {
        let field = self.field.as_deref().unwrap_or_default();
        format!("{:?} {} {field} at {}", self.way, self.file, self.at)
    }
}

/// Every damage of this list to the files of these kinds, `snapshot` and `log`, and to the epoch files. Those
/// of the other directory are foreign ones.
pub(crate) fn cases(whole: &Directory, other: &Directory, kinds: &[&str]) -> Vec<Case> {
    let mut all = Vec::new();
    for kind in kinds.iter().copied() {
        let mut layouts = BTreeMap::new();
        for name in whole.names(kind) {
            let bytes = whole.unpacked(&name);
            let layout = if kind == "log" { of_log(&bytes) } else { of_snapshot(&bytes) };
            layouts.insert(name, layout);
        }
        for (name, place) in chosen(&layouts) {
            all.extend(of_place(name, place, &layouts[name]));
        }
        for (name, layout) in &layouts {
            all.extend(of_records(name, layout));
            all.extend(of_packing(name, whole.files[name].len()));
            all.extend(of_file(name, other.names(kind).first()));
        }
        all.extend(of_files(&whole.names(kind), other, kind));
    }
    all.extend(of_epochs());
    all
}

/// Of each field the first place, the last one and one between them, in the order of the files.
fn chosen(layouts: &BTreeMap<String, Layout>) -> Vec<(&String, &Place)> {
    let mut by_field: BTreeMap<&str, Vec<(&String, &Place)>> = BTreeMap::new();
    let mut names: Vec<&String> = layouts.keys().collect();
    names.sort_by_key(|name| zxid_of(name));
    for name in names {
        for place in &layouts[name].places {
            by_field.entry(&place.field).or_default().push((name, place));
        }
    }
    let mut all = Vec::new();
    for places in by_field.values() {
        let mut at = [0, places.len() / 2, places.len() - 1].to_vec();
        at.dedup();
        all.extend(at.into_iter().map(|at| places[at]));
    }
    all
}

/// The ways to damage a field.
fn of_place(name: &str, place: &Place, layout: &Layout) -> Vec<Case> {
    let Place { field, bytes, is_in_digest } = place.clone();
    let is_log = !layout.records.is_empty();
    let (start, last) = (bytes.start, bytes.end - 1);
    let edit = |way, at: usize, how: Edit| {
        let file = name.to_owned();
        let mut case = Case::new(way, name, move |directory| directory.edit(&file, &how));
        case.field = Some(field.clone());
        (case.at, case.is_in_digest) = (at, is_in_digest);
        let inside = layout.records.iter().position(|record| record.bytes.contains(&start));
        case.record = inside.map(|record| (record, layout.records.len()));
        case
    };
    let mut all = vec![
        edit(Way::Flipped, start, Box::new(move |bytes| bytes[start] ^= 0x80)),
        edit(Way::Flipped, last, Box::new(move |bytes| bytes[last] ^= 0x01)),
        edit(Way::Cut, start, Box::new(move |bytes| bytes.truncate(start))),
        edit(Way::Inserted, start, Box::new(move |bytes| bytes.insert(start, 0x5a))),
        edit(
            Way::Removed,
            start,
            Box::new(move |bytes| {
                bytes.remove(start);
            }),
        ),
    ];
    if is_in_digest {
        let places = layout.places.clone();
        let records = layout.records.clone();
        let reseal = move |bytes: &mut Vec<u8>| {
            bytes[last] ^= 0x01;
            if is_log { sum_up(bytes, &records) } else { seal(bytes, &places) }
        };
        all.push(edit(Way::Resealed, last, Box::new(reseal)));
    }
    all
}

/// The checksum of ZooKeeper's files, Adler-32.
fn adler(bytes: &[u8]) -> [u8; 8] {
    let (mut a, mut b) = (1_u64, 0_u64);
    for byte in bytes {
        a = (a + u64::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    (b << 16 | a).to_be_bytes()
}

/// Makes the seals of a snapshot fit.
fn seal(bytes: &mut [u8], places: &[Place]) {
    let is_seal =
        |place: &&Place| place.field.contains("seal") && place.field.ends_with("checksum");
    for place in places.iter().filter(is_seal) {
        let sum = adler(&bytes[..place.bytes.start]);
        bytes[place.bytes.clone()].copy_from_slice(&sum);
    }
}

/// Makes the checksums of records fit.
fn sum_up(bytes: &mut [u8], records: &[Record]) {
    for Record { bytes: at, .. } in records {
        let sum = adler(&bytes[at.start + 12..at.end - 1]);
        bytes[at.start..at.start + 8].copy_from_slice(&sum);
    }
}

/// The ways to damage the records of a log: at each boundary.
fn of_records(name: &str, layout: &Layout) -> Vec<Case> {
    let (mut all, count) = (Vec::new(), layout.records.len());
    for (number, record) in layout.records.iter().enumerate() {
        let (start, end) = (record.bytes.start, record.bytes.end);
        let edit = |way, how: Edit| {
            let file = name.to_owned();
            let mut case = Case::new(way, name, move |directory| directory.edit(&file, &how));
            (case.at, case.record) = (start, Some((number, count)));
            case
        };
        let remove = move |bytes: &mut Vec<u8>| {
            bytes.drain(start..end);
            bytes.resize(bytes.len() + end - start, 0);
        };
        let double = move |bytes: &mut Vec<u8>| {
            let copy = bytes[start..end].to_vec();
            bytes.splice(end..end, copy);
        };
        all.extend([
            edit(Way::CutAtRecord, Box::new(move |bytes| bytes.truncate(start))),
            edit(Way::Zeroed, Box::new(move |bytes| bytes[start..].fill(0))),
            edit(Way::RecordZeroed, Box::new(move |bytes| bytes[start..end].fill(0))),
            edit(Way::RecordRemoved, Box::new(remove)),
            edit(Way::RecordDoubled, Box::new(double)),
        ]);
        if let Some(next) = layout.records.get(number + 1) {
            let next = next.bytes.clone();
            let swap = move |bytes: &mut Vec<u8>| bytes[start..next.end].rotate_left(end - start);
            all.push(edit(Way::RecordsSwapped, Box::new(swap)));
        }
    }
    if let Some(last) = layout.records.last() {
        let (file, end) = (name.to_owned(), last.bytes.end);
        let cut = move |directory: &mut Directory| {
            directory.edit(&file, |bytes| bytes.truncate(end));
        };
        let mut case = Case::new(Way::CutAtRecord, name, cut);
        (case.at, case.record) = (end, Some((count, count)));
        all.push(case);
    }
    all
}

/// The ways to damage a compressed file as it is on the disk.
fn of_packing(name: &str, length: usize) -> Vec<Case> {
    if !is_compressed(name) {
        return Vec::new();
    }
    let step = length / 12 + 1;
    let places = (0..24.min(length)).chain((24..length).step_by(step)).chain(length - 8..length);
    let of = |at: usize| {
        let edit = |way, how: fn(&mut Vec<u8>, usize)| {
            let file = name.to_owned();
            let change = move |directory: &mut Directory| {
                how(directory.files.get_mut(&file).expect("a file"), at);
            };
            let mut case = Case::new(way, name, change);
            case.at = at;
            case
        };
        let flip = edit(Way::Packed, |bytes, at| bytes[at] ^= 0x04);
        [flip, edit(Way::PackedCut, Vec::truncate)]
    };
    places.flat_map(of).collect()
}

/// The ways to damage a file as a whole.
fn of_file(name: &str, foreign: Option<&String>) -> Vec<Case> {
    let put = |way, how: fn(&mut Vec<u8>)| {
        let file = name.to_owned();
        let change = move |directory: &mut Directory| {
            how(directory.files.get_mut(&file).expect("a file"));
        };
        Case::new(way, name, change)
    };
    let file = name.to_owned();
    let remove = move |directory: &mut Directory| drop(directory.files.remove(&file));
    let (file, copy) = (name.to_owned(), format!("{name}.bak"));
    let copied = copy.clone();
    let copy_it = move |directory: &mut Directory| {
        let bytes = directory.files[&file].clone();
        directory.files.insert(copied.clone(), bytes);
    };
    let end = name.rsplit('.').next();
    let other_end = if end == Some("gz") { "snappy" } else { "gz" };
    let renamed = format!("{}.{other_end}", name.split('.').take(2).collect::<Vec<_>>().join("."));
    let (file, to) = (name.to_owned(), renamed.clone());
    let rename = move |directory: &mut Directory| {
        let bytes = directory.files.remove(&file).expect("a file");
        directory.files.insert(to.clone(), bytes);
    };
    let mut all = vec![
        Case::new(Way::Missing, name, remove),
        put(Way::Emptied, Vec::clear),
        put(Way::Blank, |bytes| bytes.fill(0)),
        put(Way::Text, |bytes| *bytes = b"snapshot of Tuesday, do not remove\n".to_vec()),
        Case::new(Way::Copied, &copy, copy_it),
    ];
    if foreign.is_some() && name.starts_with("snapshot") {
        all.push(Case::new(Way::OtherPacking, &renamed, rename));
    }
    all
}

/// The ways to mix up the files of a kind, with each other and with those of another ensemble.
fn of_files(names: &[String], other: &Directory, kind: &str) -> Vec<Case> {
    let mut all = Vec::new();
    for (at, one) in names.iter().enumerate() {
        for two in &names[at + 1..] {
            let (a, b) = (one.clone(), two.clone());
            let swap = move |directory: &mut Directory| {
                let (one, two) = (directory.files[&a].clone(), directory.files[&b].clone());
                directory.files.insert(a.clone(), two);
                directory.files.insert(b.clone(), one);
            };
            all.push(Case::new(Way::Swapped, two, swap));
        }
    }
    let theirs = other.names(kind);
    for (at, name) in theirs.iter().enumerate() {
        let bytes = other.unpacked(name);
        if let Some(own) = names.get(at) {
            let (file, bytes) = (own.clone(), bytes.clone());
            let replace = move |directory: &mut Directory| {
                directory.edit(&file, |content| content.clone_from(&bytes));
            };
            all.push(Case::new(Way::Foreign, own, replace));
        }
        let plain = name.split('.').take(2).collect::<Vec<_>>().join(".");
        if !names.contains(&plain) {
            let file = plain.clone();
            let add = move |directory: &mut Directory| {
                directory.files.insert(file.clone(), bytes.clone());
            };
            all.push(Case::new(Way::ForeignAdded, &plain, add));
        }
    }
    all
}

/// The ways to damage the epoch files.
fn of_epochs() -> Vec<Case> {
    const TEXTS: [&str; 12] =
        ["", "0", "1", "3", "-1", "+2", "two", " 2", "2 ", "2\n", "2\nx", "99999999999999999999"];
    let mut all = Vec::new();
    for name in ["acceptedEpoch", "currentEpoch"] {
        for text in TEXTS {
            let put = move |directory: &mut Directory| {
                directory.files.insert(name.to_owned(), text.as_bytes().to_vec());
            };
            let mut case = Case::new(Way::Epochs, name, put);
            case.field = Some(format!("`{}`", text.escape_debug()));
            all.push(case);
        }
        let remove = move |directory: &mut Directory| drop(directory.files.remove(name));
        let mut case = Case::new(Way::Epochs, name, remove);
        case.field = Some("missing".to_owned());
        all.push(case);
    }
    all
}
