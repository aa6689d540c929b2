//! Archives in memory: what is packed comes out, and what is hostile is refused.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use proptest::prelude::*;
use tar::{EntryType, Header};

use super::super::fixture::{Memory, World};
use super::super::{DataVerdict, Verification, verify};
use super::fault::{ArchiveFailure, ArchiveFaultKind};
use super::members::Members;
use super::wrapping::Unwrapped;
use super::*;

/// The bytes of an archive.
struct Bytes(Vec<u8>);

impl ArchiveBytes for Bytes {
    fn open(&self, at: u64) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(&self.0[usize::try_from(at).unwrap()..]))
    }
}

fn packed(files: &Memory, wrapping: Wrapping) -> (ArchiveManifest, Vec<u8>) {
    let listing = chosen(&files.listing(), files, 1, &BTreeSet::new()).unwrap();
    let seen = verify(&listing, files);
    let parts = parts(&seen);
    let from = (&["data".to_owned()][..], "0.0.0", "2026-01-01T00:00:00Z");
    let manifest = manifest_of(&seen, (&parts, None), files, from).unwrap();
    let mut encoder = ArchiveEncoder::new(Vec::new(), wrapping, true).unwrap();
    write_archive(&mut encoder, &manifest, (&parts, None), files).unwrap();
    (manifest, encoder.finish().unwrap())
}

fn read(bytes: &[u8]) -> Result<ArchiveContents, ArchiveFaultKind> {
    read_archive(bytes, &mut ()).map_err(kind)
}

fn kind(failure: ArchiveFailure) -> ArchiveFaultKind {
    match failure {
        ArchiveFailure::Fault(fault) => fault.kind,
        ArchiveFailure::Io(error) => panic!("{error}"),
    }
}

fn verified(bytes: Vec<u8>) -> Verification {
    let contents = read(&bytes).unwrap();
    let bytes = Bytes(bytes);
    let files = IndexedArchive::new(&bytes, &contents);
    packed_verdict(verify(&contents.listing(), &files), contents.manifest.as_ref())
}

#[test]
fn what_is_packed_is_whole_and_cut_behind_its_last_record() {
    let world = World::busy();
    for wrapping in [Wrapping::None, Wrapping::Gzip, Wrapping::Zstd] {
        let (manifest, bytes) = packed(&world.files, wrapping);
        let contents = read(&bytes).unwrap();
        assert_eq!((contents.wrapping, contents.manifest.as_ref()), (wrapping, Some(&manifest)));
        assert_eq!(contents.packed_bytes, u64::try_from(bytes.len()).unwrap());
        let seen = verified(bytes);
        assert_eq!(seen.verdict, DataVerdict::Whole, "{:#?}", seen.findings);
        assert_eq!((seen.last_zxid, seen.proven), (Some(world.zxid), Some(world.zxid)));
        assert_eq!(manifest.proven_zxid.as_ref(), Some(&manifest.last_zxid));
        for file in manifest.files.iter().filter(|file| file.kind == PackedKind::Log) {
            assert!(file.bytes + 8000 < file.bytes_on_server, "{file:#?}");
        }
    }
}

/// The newest snapshot that is whole, and the logs from the one on that can hold what comes behind it.
#[test]
fn the_newest_snapshot_and_its_logs_are_chosen() {
    let mut world = World::busy();
    world.snapshot();
    let newest = format!("snapshot.{:x}", world.zxid);
    world.create(1, "/behind", b"", false);
    world.files.put("log.999999999", Vec::new());
    world.files.put("snapshot.99.tmp", world.snapshot_bytes());
    let names = |count, without: &[&str]| {
        let without = without.iter().map(|name| (*name).to_owned()).collect();
        let listing = chosen(&world.files.listing(), &world.files, count, &without);
        listing.map(|all| all.files.into_iter().map(|file| file.name).collect::<Vec<_>>())
    };
    assert_eq!(names(1, &[]).unwrap(), ["log.f", newest.as_str()]);
    assert_eq!(names(2, &[]).unwrap(), ["log.8", "log.f", newest.as_str(), "snapshot.a"]);
    assert_eq!(names(1, &[newest.as_str()]).unwrap(), ["log.8", "log.f", "snapshot.a"]);
    let all = names(9, &[]).unwrap();
    assert_eq!(all, ["log.1", "log.8", "log.f", newest.as_str(), "snapshot.a", "snapshot.0"]);
    assert_eq!(names(1, &[newest.as_str(), "snapshot.a", "snapshot.0"]), None);
}

/// A snapshot that is being written has no last seal yet.
#[test]
fn a_snapshot_without_its_last_seal_is_not_chosen() {
    let mut world = World::busy();
    let mut half = world.snapshot_bytes();
    half.truncate(half.len() - 20);
    world.files.put("snapshot.fff", half);
    let listing = chosen(&world.files.listing(), &world.files, 1, &BTreeSet::new()).unwrap();
    assert!(listing.files.iter().all(|file| file.name != "snapshot.fff"), "{listing:#?}");
}

/// What could not be proven when it was packed cannot be proven later.
#[test]
fn an_archive_of_files_that_were_not_proven_is_not_provable() {
    let mut world = World::busy();
    let (manifest, _) = packed(&world.files, Wrapping::None);
    let manifest = ArchiveManifest { verdict: PackedVerdict::NotProvable, ..manifest };
    let seen = packed_verdict(verify(&world.files.listing(), &world.files), Some(&manifest));
    assert_eq!(seen.verdict, DataVerdict::NotProvable);
    // A log that ends inside a record has no zeros in the archive either.
    let name = "log.f";
    let end = world.files.files[name].iter().rposition(|byte| *byte == b'B').unwrap();
    world.files.edit(name, |bytes| bytes.truncate(end - 5));
    let (manifest, bytes) = packed(&world.files, Wrapping::None);
    assert_eq!(manifest.verdict, PackedVerdict::NotProvable);
    assert_eq!(verified(bytes).verdict, DataVerdict::NotProvable);
}

/// A file of a tar archive.
fn member(name: &[u8], kind: EntryType, size: u64, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    let mut bytes = [&header.as_bytes()[..], content].concat();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    let size = u64::try_from(content.len()).unwrap();
    member(name.as_bytes(), EntryType::Regular, size, content)
}

/// An extra header of one record, of less than a hundred bytes.
fn pax(key: &str, value: &str) -> Vec<u8> {
    let record = format!("{} {key}={value}\n", key.len() + value.len() + 5);
    member(b"x", EntryType::XHeader, u64::try_from(record.len()).unwrap(), record.as_bytes())
}

fn archive(members: &[Vec<u8>]) -> Vec<u8> {
    [&members.concat()[..], &[0; 1024]].concat()
}

#[test]
fn hostile_members_are_refused() {
    use ArchiveFaultKind as Kind;
    let data = || file("snapshot.0", b"ZKSN");
    let of = |kind, name: &str| member(name.as_bytes(), kind, 0, b"");
    let link = |kind| {
        let mut header = Header::new_gnu();
        header.set_path("snapshot.1").unwrap();
        header.set_entry_type(kind);
        header.set_link_name_literal("/etc/passwd").unwrap();
        header.set_size(0);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    for (name, members, wanted) in [
        ("absolute", vec![file("/etc/snapshot.0", b"")], Kind::Outside),
        ("upwards", vec![file("../snapshot.0", b"")], Kind::Outside),
        ("upwards inside", vec![file("a/../../snapshot.0", b"")], Kind::Outside),
        ("folder upwards", vec![of(EntryType::Directory, "a/../.."), data()], Kind::Outside),
        (
            "long name",
            vec![member(b"l", EntryType::GNULongName, 12, b"../snapshot\0"), data()],
            Kind::Outside,
        ),
        ("pax name", vec![pax("path", "../snapshot.0"), data()], Kind::Outside),
        ("pax absolute", vec![pax("path", "/snapshot.0"), data()], Kind::Outside),
        ("no name", vec![file("", b"")], Kind::BadName),
        ("a folder as name", vec![file("version-2//", b"x")], Kind::BadName),
        ("a byte of a terminal", vec![file("snapshot.\x1b[2J", b"")], Kind::BadName),
        ("backslash", vec![file("..\\snapshot.0", b"")], Kind::BadName),
        ("symlink", vec![link(EntryType::Symlink)], Kind::Link),
        ("hard link", vec![data(), link(EntryType::Link)], Kind::Link),
        ("device", vec![of(EntryType::Char, "snapshot.1")], Kind::NoFile),
        ("block device", vec![of(EntryType::Block, "snapshot.1")], Kind::NoFile),
        ("pipe", vec![of(EntryType::Fifo, "snapshot.1")], Kind::NoFile),
        ("holes", vec![of(EntryType::GNUSparse, "snapshot.1")], Kind::NoFile),
        ("pax holes", vec![pax("GNU.sparse.major", "1"), data()], Kind::NoFile),
        ("twice", vec![data(), data()], Kind::Twice),
        ("twice in folders", vec![data(), file("version-2/snapshot.0", b"")], Kind::Twice),
    ] {
        assert_eq!(read(&archive(&members)), Err(wanted), "{name}");
    }
}

#[test]
fn what_is_no_archive_of_data_is_refused() {
    use ArchiveFaultKind as Kind;
    let data = || file("snapshot.0", b"ZKSN");
    for (name, members, wanted) in [
        ("too long", vec![member(b"log.1", EntryType::Regular, 1 << 40, b"")], Kind::Truncated),
        (
            "too long by far",
            vec![member(b"log.1", EntryType::Regular, u64::MAX / 2, b"")],
            Kind::Truncated,
        ),
        (
            "a long header",
            vec![member(b"x", EntryType::XHeader, 1 << 40, b"")],
            Kind::LongHeader(1 << 40),
        ),
        ("nothing", vec![], Kind::NoData),
        ("other files", vec![file("README", b"hello")], Kind::NoData),
        ("a late manifest", vec![data(), file(MANIFEST_NAME, b"{}")], Kind::LateManifest),
        (
            "another document",
            vec![file(MANIFEST_NAME, b"{\"format\":\"zkplan/plan\"}")],
            Kind::BadManifest("its format is not zkplan/snapshot-archive".to_owned()),
        ),
        (
            "a later manifest",
            vec![file(
                MANIFEST_NAME,
                b"{\"format\":\"zkplan/snapshot-archive\",\"formatVersion\":\"2.0\"}",
            )],
            Kind::NewerManifest("2.0".to_owned()),
        ),
    ] {
        assert_eq!(read(&archive(&members)), Err(wanted), "{name}");
    }
    let end = |bytes: &[u8]| [&archive(&[data()])[..], bytes].concat();
    assert_eq!(read(&end(b"more")), Err(Kind::Surplus));
    assert_eq!(read(&end(&vec![0; 2 << 20])), Err(Kind::Surplus));
    assert!(read(&end(&[0; 9216])).is_ok());
    assert_eq!(read(b"no archive"), Err(Kind::NoHeader));
    assert_eq!(read(b""), Err(Kind::NoHeader));
    assert_eq!(read(&data()), Err(Kind::Truncated));
}

/// What other tools pack: a folder or none, names in extra headers, an empty folder, other files.
#[test]
fn archives_of_other_tools_are_read() {
    let world = World::busy();
    for folder in ["", "./", "data/version-2/"] {
        let files = &world.files.files;
        let mut members: Vec<Vec<u8>> =
            files.iter().map(|(name, bytes)| file(&format!("{folder}{name}"), bytes)).collect();
        members.push(member(b"./", EntryType::Directory, 0, b""));
        members.push(file("x/myid", b"1"));
        let bytes = archive(&members);
        assert_eq!(read(&bytes).unwrap().others, ["x/myid"]);
        let seen = verified(bytes);
        assert_eq!(seen.verdict, DataVerdict::Whole, "{folder}: {:#?}", seen.findings);
    }
    let (name, bytes) = ("log.1", &world.files.files["log.1"]);
    let long = pax("path", &format!("a/{name}"));
    let contents = read(&archive(&[long, file("short", bytes)])).unwrap();
    assert_eq!(contents.files[0].name, name);
}

#[test]
fn what_is_not_as_the_manifest_says_is_refused() {
    use ArchiveFaultKind as Kind;
    let world = World::busy();
    let (manifest, _) = packed(&world.files, Wrapping::None);
    let with = |members: &[Vec<u8>]| {
        use crate::document::Document as _;
        let first = file(MANIFEST_NAME, manifest.to_text().as_bytes());
        read(&archive(&[&[first], members].concat()))
    };
    let name = &manifest.files[0].file;
    let right = manifest.files[0].bytes;
    let short = vec![1; usize::try_from(right).unwrap() - 1];
    assert_eq!(with(&[]), Err(Kind::Missing));
    let other = Kind::OtherSize { manifest: right, archive: right - 1 };
    assert_eq!(with(&[file(name, &short)]), Err(other));
    assert_eq!(with(&[file(name, &[&short[..], &[1]].concat())]), Err(Kind::OtherHash));
    assert_eq!(with(&[file("log.fff", b"")]), Err(Kind::NotInManifest));
    assert_eq!(with(&[file("README", b"")]), Err(Kind::NotInManifest));
}

/// A gigabyte of zeros takes a megabyte of gzip.
#[test]
fn what_unpacks_to_far_more_than_data_do_is_refused() {
    let zeros = vec![0; 4 << 20];
    let mut encoder = ArchiveEncoder::new(Vec::new(), Wrapping::Gzip, true).unwrap();
    encoder.write_all(&archive(&[file("log.1", &zeros)])).unwrap();
    let bytes = encoder.finish().unwrap();
    assert!(bytes.len() < 20_000, "{}", bytes.len());
    let unwrapped = Unwrapped::new(&bytes[..]).unwrap();
    let mut members = Members::new(unwrapped.stream, unwrapped.packed);
    members.always_taken = 1 << 20;
    members.next().unwrap();
    let ended = members.next().map_err(kind);
    assert!(matches!(ended, Err(ArchiveFaultKind::Bomb { .. })), "{ended:?}");
    // With a manifest its sizes are the bound.
    let unwrapped = Unwrapped::new(&bytes[..]).unwrap();
    let mut members = Members::new(unwrapped.stream, unwrapped.packed);
    (members.always_taken, members.is_bounded) = (1 << 20, true);
    members.next().unwrap();
    assert_eq!(members.next().unwrap(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// An archive that was cut anywhere is refused.
    #[test]
    fn a_cut_archive_is_refused(part in 0.0..1.0_f64, wrapping in 0..3_usize) {
        let wrapping = [Wrapping::None, Wrapping::Gzip, Wrapping::Zstd][wrapping];
        let (_, bytes) = packed(&World::busy().files, wrapping);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
                 reason = "a place in a small file")]
        let at = (bytes.len() as f64 * part) as usize;
        // Of the two blocks of zeros at the end one is enough.
        let is_end = wrapping == Wrapping::None && at + 512 >= bytes.len();
        prop_assert_eq!(read(&bytes[..at]).is_err(), !is_end);
    }

    /// A bit that differs is seen, or changes nothing that a server reads.
    #[test]
    fn a_bit_that_differs_is_seen(part in 0.0..1.0_f64, bit in 0..8_u8, wrapping in 0..3_usize) {
        let wrapping = [Wrapping::None, Wrapping::Gzip, Wrapping::Zstd][wrapping];
        let (_, right) = packed(&World::busy().files, wrapping);
        let mut bytes = right.clone();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
                 reason = "a place in a small file")]
        let at = ((bytes.len() - 1) as f64 * part) as usize;
        bytes[at] ^= 1 << bit;
        if let Ok(contents) = read(&bytes) {
            let right = read(&right).unwrap();
            let files = |of: &ArchiveContents| -> Vec<(String, String)> {
                of.files.iter().map(|file| (file.name.clone(), file.sha256.clone())).collect()
            };
            prop_assert_eq!(files(&contents), files(&right));
        }
    }
}

#[test]
fn the_hash_of_a_file_is_that_of_sha256sum() {
    let long = vec![b'a'; 1_000_000];
    for (bytes, hash) in [
        (&b"abc"[..], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (&long, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ] {
        assert_eq!(sha256_of(bytes).expect("bytes"), hash);
    }
}
