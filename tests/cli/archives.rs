//! `zkplan snapshot pack` and `unpack` on the files of real servers (`tests/data-directories`), and what is
//! wrong with archives.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tar::{Builder, EntryType, Header};
use zkplan::report::SCHEMAS;

use crate::run::{Answer, Desk};
use crate::snapshots::{copied, corpus, json};

const ACCEPT: &str = "--accept-not-provable";

/// A directory whose servers wrote digests.
fn provable(desk: &Desk) {
    copied(desk, corpus().last().expect("a directory with digests"));
}

fn packs(desk: &Desk, words: &[&str]) -> Answer {
    let answer = desk.zkplan(&[&["snapshot", "pack", "data"], words].concat());
    answer.assert_clean();
    answer
}

fn removed(desk: &Desk, folder: &str) {
    drop(fs::remove_dir_all(desk.path(folder)));
}

/// What was packed and unpacked has the same znodes, and is worth the same.
#[test]
fn the_files_of_real_servers_come_out_as_they_went_in() {
    let desk = Desk::new();
    for directory in corpus() {
        copied(&desk, &directory);
        removed(&desk, "new");
        let has_digests = !directory.to_string_lossy().contains("no-digest");
        let name = directory.display().to_string();
        let inspect =
            |what: &str| json(&desk.zkplan(&["snapshot", "inspect", what, "--format", "json"]));
        let before = inspect("data");
        let flags: &[&str] = if has_digests { &[] } else { &[ACCEPT] };
        if !has_digests {
            let refused = packs(&desk, &["-o", "data.tar.gz"]);
            assert_eq!(refused.code, 3, "{refused:?}");
            assert!(refused.out.contains(ACCEPT), "{refused:?}");
            assert_eq!(desk.names("."), ["data"], "{name}");
        }
        let done = packs(&desk, &[&["-o", "data.tar.gz"], flags].concat());
        assert_eq!(done.code, 0, "{name}: {done:?}");
        let packed = inspect("data.tar.gz");
        assert_eq!(packed["contents"]["znodes"], before["contents"]["znodes"], "{name}");
        assert_eq!(packed["contents"]["membership"], before["contents"]["membership"]);
        assert_eq!(packed["lastZxid"], before["lastZxid"], "{name}");
        assert_eq!(packed["archive"]["compression"], "gzip");
        assert_eq!(packed["verdict"], if has_digests { "whole" } else { "notProvable" });
        manifest_fits(&packed["archive"]["manifest"]);
        // The next command works as it is typed, but for the directory.
        let next = done.out.lines().find_map(|line| line.strip_prefix("Next: zkplan "));
        let next = next.expect("a command").replace("-o data", "-o new");
        let unpacked = desk.zkplan(&next.split(' ').collect::<Vec<_>>());
        assert_eq!(unpacked.code, 0, "{name}: {unpacked:?}");
        unpacked.assert_clean();
        let after = inspect("new");
        assert_eq!(after["contents"]["znodes"], before["contents"]["znodes"], "{name}");
        assert_eq!(after["provenZxid"], packed["provenZxid"], "{name}");
        assert_eq!(desk.names("new"), ["version-2", "zkplan-seed.sha256"]);
        assert_eq!(desk.names("."), ["data", "data.tar.gz", "new"]);
        fs::remove_file(desk.path("data.tar.gz")).expect("removed");
    }
}

/// The manifest in a document has its own schema, but for the head.
fn manifest_fits(manifest: &Value) {
    let (_, schema) =
        SCHEMAS.iter().find(|(name, _)| *name == "snapshot-archive").expect("a schema");
    let mut document = manifest.clone();
    document["format"] = "zkplan/snapshot-archive".into();
    document["formatVersion"] = "1.0".into();
    let validator = jsonschema::validator_for(&schema()).expect("a schema");
    let wrong: Vec<String> =
        validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{document:#}: {wrong:?}");
}

/// 3.5 knows no compressed snapshots.
#[test]
fn snapshots_are_stored_plain_where_that_is_asked_for() {
    let desk = Desk::new();
    let compressed = corpus().into_iter().filter(|directory| {
        let name = directory.to_string_lossy().into_owned();
        name.ends_with("-gz") || name.ends_with("-snappy")
    });
    let mut count = 0;
    for directory in compressed {
        copied(&desk, &directory);
        removed(&desk, "new");
        assert_eq!(packs(&desk, &["-n", "3", "-o", "data.tar"]).code, 0);
        let words = ["snapshot", "unpack", "data.tar", "-o", "new", "--plain", "--format", "json"];
        let seen = json(&desk.zkplan(&words));
        assert_eq!(seen["verdict"], "whole", "{seen:#}");
        let snapshots = seen["snapshots"].as_array().expect("a list");
        assert_eq!(snapshots.len(), 3, "{seen:#}");
        let files = desk.names("new/version-2");
        assert!(files.iter().all(|name| !name.ends_with("gz") && !name.ends_with("snappy")));
        let servers = seen["servers"].as_array().expect("a list");
        assert!(servers.iter().all(|server| server["does"] == "loads"), "{servers:#?}");
        count += 1;
    }
    assert_eq!(count, 2);
}

/// Each way to compress, by name and by flag, and through a pipe.
#[test]
fn an_archive_is_compressed_as_its_name_says() {
    let desk = Desk::new();
    provable(&desk);
    for (out, flag, wanted) in [
        ("a.tar.gz", "auto", "gzip"),
        ("a.tgz", "auto", "gzip"),
        ("a.tar.zst", "auto", "zstd"),
        ("a.tar", "auto", "none"),
        ("a.tar.gz", "none", "none"),
        ("a.tar.gz", "zstd", "zstd"),
        ("a.tar", "gzip", "gzip"),
    ] {
        let words = ["-o", out, "--compress", flag, "--format", "json"];
        let seen = json(&packs(&desk, &words));
        assert_eq!(seen["archive"]["compression"], wanted, "{out} {flag}");
        let length = fs::metadata(desk.path(out)).expect("an archive").len();
        assert_eq!(seen["archive"]["bytes"], length);
        let verified = desk.zkplan(&["snapshot", "verify", out]);
        assert_eq!(verified.code, 0, "{verified:?}");
        verified.assert_clean();
    }
    let zkplan = env!("CARGO_BIN_EXE_zkplan");
    let pipe = format!("{zkplan} snapshot pack data -o - | {zkplan} snapshot unpack - -o new");
    let done = Command::new("sh").args(["-c", &pipe]).current_dir(desk.path(".")).output();
    let done = done.expect("a shell");
    assert!(done.status.success(), "{done:?}");
    assert_eq!(desk.zkplan(&["snapshot", "verify", "new"]).code, 0);
    let json = packs(&desk, &["-o", "-", "--format", "json"]);
    assert_eq!(json.code, 64, "{json:?}");
}

#[test]
fn directories_come_from_zoo_cfg_and_epochs_only_where_they_are_asked_for() {
    let desk = Desk::new();
    provable(&desk);
    fs::create_dir_all(desk.path("logs/version-2")).expect("a folder");
    for name in desk.names("data/version-2").iter().filter(|name| name.starts_with("log.")) {
        let to = desk.path("logs/version-2").join(name);
        fs::rename(desk.path("data/version-2").join(name), to).expect("moved");
    }
    desk.write("zoo.cfg", "# ours\ntickTime=2000\ndataDir=data \ndataLogDir=logs\n");
    let pack = |words: &[&str]| {
        let pack = ["snapshot", "pack", "--zoo-cfg", "zoo.cfg", "-o", "a.tar.gz"];
        desk.zkplan(&[&pack, words].concat())
    };
    let files = |answer: &Answer| -> Vec<String> {
        let files =
            json(answer)["archive"]["manifest"]["files"].as_array().expect("a list").clone();
        files.iter().map(|file| file["kind"].as_str().expect("a kind").to_owned()).collect()
    };
    let without = pack(&["--format", "json"]);
    assert_eq!(without.code, 0, "{without:?}");
    assert!(!files(&without).contains(&"epoch".to_owned()), "{without:?}");
    let with = pack(&["--with-epochs", "--format", "json"]);
    assert_eq!(files(&with).iter().filter(|kind| *kind == "epoch").count(), 2, "{with:?}");
    assert_eq!(desk.zkplan(&["snapshot", "unpack", "a.tar.gz", "-o", "new"]).code, 0);
    let new = desk.names("new/version-2");
    assert!(new.contains(&"currentEpoch".to_owned()), "{new:?}");
    desk.write("zoo.cfg", "tickTime=2000\n");
    assert_eq!(pack(&[]).code, 65);
    assert_eq!(desk.zkplan(&["snapshot", "pack", "-o", "a.tar"]).code, 64);
}

/// An archive in the folder of the files would be one of them.
#[test]
fn nothing_is_written_where_a_server_reads() {
    let desk = Desk::new();
    provable(&desk);
    for out in ["data/version-2/log.1", "data/version-2/a.tar"] {
        let before = desk.names("data/version-2");
        assert_eq!(packs(&desk, &["-o", out]).code, 64);
        assert_eq!(desk.names("data/version-2"), before);
    }
    // What is there already is replaced by a whole archive, or stays.
    desk.write("a.tar", "old");
    let snapshots = desk.names("data/version-2");
    for name in snapshots.iter().filter(|name| name.starts_with("snapshot.")) {
        fs::write(desk.path("data/version-2").join(name), "x").expect("a file");
    }
    let failed = packs(&desk, &["-o", "a.tar"]);
    assert_eq!(failed.code, 65, "{failed:?}");
    assert_eq!((desk.read("a.tar").as_str(), desk.names(".").len()), ("old", 2));
}

/// Only a directory without data is filled.
#[test]
fn a_directory_with_data_is_not_filled() {
    let desk = Desk::new();
    provable(&desk);
    assert_eq!(packs(&desk, &["-o", "a.tar.gz"]).code, 0);
    let unpack = |to: &str| desk.zkplan(&["snapshot", "unpack", "a.tar.gz", "-o", to]);
    fs::create_dir_all(desk.path("new")).expect("a folder");
    desk.write("new/myid", "4");
    assert_eq!(unpack("new").code, 0);
    assert_eq!(desk.names("new"), ["myid", "version-2", "zkplan-seed.sha256"]);
    let again = unpack("new");
    assert_eq!(again.code, 65, "{again:?}");
    assert!(again.err.contains("version-2"), "{again:?}");
    assert_eq!(desk.names("new"), ["myid", "version-2", "zkplan-seed.sha256"]);
    assert_eq!(unpack("nowhere/new").code, 1);
    assert_eq!(unpack("a.tar.gz").code, 1);
    let folder = desk.zkplan(&["snapshot", "unpack", "data", "-o", "other"]);
    assert_eq!(folder.code, 65, "{folder:?}");
    assert_eq!(desk.names("."), ["a.tar.gz", "data", "new"]);
}

/// A damaged data directory is not packed; a damaged snapshot is left out where an older one is whole.
#[test]
fn what_is_damaged_is_not_packed() {
    let desk = Desk::new();
    provable(&desk);
    let whole = json(&desk.zkplan(&["snapshot", "verify", "data", "--format", "json"]));
    let base = whole["base"].as_str().expect("a snapshot").to_owned();
    let path = desk.path("data/version-2").join(&base);
    let mut bytes = fs::read(&path).expect("a snapshot");
    let half = bytes.len() / 2;
    bytes[half] ^= 0x10;
    fs::write(&path, &bytes).expect("a file");
    let done = packs(&desk, &["-o", "a.tar"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains(&format!("{base} was left out")), "{done:?}");
    let packed = json(&desk.zkplan(&["snapshot", "verify", "a.tar", "--format", "json"]));
    assert_eq!((&packed["verdict"], &packed["lastZxid"]), (&"whole".into(), &whole["lastZxid"]));
    fs::remove_file(desk.path("a.tar")).expect("removed");
    let log = whole["logs"].as_array().and_then(|logs| logs.last()).expect("a log");
    let log = desk.path("data/version-2").join(log["file"].as_str().expect("a name"));
    let mut bytes = fs::read(&log).expect("a log");
    bytes[60] ^= 1;
    fs::write(&log, &bytes).expect("a log");
    let done = packs(&desk, &["-o", "a.tar"]);
    assert_eq!(done.code, 65, "{done:?}");
    assert!(done.out.contains("nothing was packed"), "{done:?}");
    assert_eq!(desk.names("."), ["data"]);
}

/// A member of an archive of the tests' own.
fn add(builder: &mut Builder<Vec<u8>>, name: &str, kind: EntryType, (size, content): (u64, &[u8])) {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    if matches!(kind, EntryType::Symlink | EntryType::Link) {
        header.set_link_name_literal("/etc/passwd").expect("a link");
    }
    header.set_cksum();
    let mut member = [&header.as_bytes()[..], content].concat();
    member.resize(member.len().next_multiple_of(512), 0);
    builder.get_mut().extend(member);
}

/// Each is refused in words, and leaves nothing behind.
#[test]
fn hostile_archives_are_refused_and_leave_nothing() {
    let desk = Desk::new();
    provable(&desk);
    assert_eq!(packs(&desk, &["-o", "right.tar"]).code, 0);
    let right = fs::read(desk.path("right.tar")).expect("an archive");
    let mut changed = right.clone();
    let last = changed.iter().rposition(|byte| *byte != 0).expect("data");
    changed[last - 40] ^= 1;
    let mut files = vec![
        ("changed", changed),
        ("cut", right[..right.len() / 2].to_vec()),
        ("cut at a member", right[..right.len() - 1024].to_vec()),
        ("followed", [&right[..], &right[..]].concat()),
        ("text", b"hello".to_vec()),
        ("nothing", Vec::new()),
        ("broken gzip", vec![0x1f, 0x8b, 8, 0, 1, 2, 3]),
        ("broken zstd", vec![0x28, 0xb5, 0x2f, 0xfd, 0xff, 0xff, 0xff]),
    ];
    let data: &[u8] = b"ZKSN";
    for (what, name, kind, size) in [
        ("absolute", "/tmp/snapshot.0", EntryType::Regular, 4),
        ("upwards", "../snapshot.0", EntryType::Regular, 4),
        ("upwards inside", "version-2/../../snapshot.0", EntryType::Regular, 4),
        ("symlink", "snapshot.0", EntryType::Symlink, 0),
        ("hard link", "snapshot.0", EntryType::Link, 0),
        ("device", "snapshot.0", EntryType::Char, 0),
        ("pipe", "snapshot.0", EntryType::Fifo, 0),
        ("a size that lies", "snapshot.0", EntryType::Regular, 1 << 60),
        ("a header that lies", "long", EntryType::XHeader, 1 << 60),
        ("no snapshot", "snapshot.0", EntryType::Regular, 4),
        ("other files", "README", EntryType::Regular, 4),
    ] {
        let mut builder = Builder::new(Vec::new());
        add(&mut builder, name, kind, (size, data));
        files.push((what, builder.into_inner().expect("an archive")));
    }
    let mut twice = Builder::new(Vec::new());
    for name in ["snapshot.0", "version-2/snapshot.0"] {
        add(&mut twice, name, EntryType::Regular, (4, data));
    }
    files.push(("twice", twice.into_inner().expect("an archive")));
    for (what, bytes) in files {
        fs::write(desk.path("a.tar"), bytes).expect("a file");
        for words in
            [&["unpack", "a.tar", "-o", "new"][..], &["verify", "a.tar"], &["inspect", "a.tar"]]
        {
            let answer = desk.zkplan(&[&["snapshot"], words].concat());
            assert_eq!(answer.code, 65, "{what}: {answer:?}");
            answer.assert_clean();
            assert!(answer.out.contains("a.tar") || answer.err.contains("a.tar"), "{answer:?}");
            assert_eq!(desk.names("."), ["a.tar", "data", "right.tar"], "{what}");
        }
        fs::create_dir_all(desk.path("new")).expect("a folder");
        let unpack = Command::new(env!("CARGO_BIN_EXE_zkplan"))
            .args(["snapshot", "unpack", "-", "-o", "new"])
            .current_dir(desk.path("."))
            .stdin(fs::File::open(desk.path("a.tar")).expect("an archive"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert_eq!(unpack.expect("it runs").code(), Some(65), "{what}");
        assert!(desk.names("new").is_empty(), "{what}");
        removed(&desk, "new");
    }
}

/// A gigabyte and more of zeros in a megabyte of gzip: it costs no memory, and not the disk.
#[cfg(target_os = "linux")]
#[test]
fn a_bomb_costs_no_memory() {
    let desk = Desk::new();
    let mut header = Header::new_gnu();
    // What is no file of ZooKeeper's is passed over, and not hashed.
    header.set_path("README").expect("a name");
    header.set_size(1 << 40);
    header.set_cksum();
    // One frame for each 64 MiB of zeros.
    let zeros = zstd::bulk::compress(&vec![0; 64 << 20], 1).expect("memory");
    let mut bytes = zstd::bulk::compress(header.as_bytes(), 1).expect("memory");
    for _ in 0..64 {
        bytes.extend(&zeros);
    }
    fs::write(desk.path("a.tar.zst"), &bytes).expect("a file");
    let limited = "ulimit -v 400000; exec \"$0\" snapshot verify a.tar.zst";
    let done = Command::new("sh")
        .args(["-c", limited, env!("CARGO_BIN_EXE_zkplan")])
        .current_dir(desk.path("."))
        .output()
        .expect("a shell");
    assert_eq!(done.status.code(), Some(65), "{done:?}");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(said.contains("data never shrink so much"), "{said}");
}

/// `data.tar.gz` as other tools make it: snapshots and logs with a folder or without one.
#[test]
fn archives_of_other_tools_are_read() {
    let desk = Desk::new();
    provable(&desk);
    for folder in ["", "version-2"] {
        let file = fs::File::create(desk.path("data.tar.gz")).expect("a file");
        let gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        let mut builder = Builder::new(gzip);
        for name in desk.names("data/version-2").iter().filter(|name| name.contains('.')) {
            let from = desk.path("data/version-2").join(name);
            builder.append_path_with_name(from, Path::new(folder).join(name)).expect("packed");
        }
        builder
            .into_inner()
            .and_then(flate2::write::GzEncoder::finish)
            .and_then(|mut file| file.flush())
            .expect("written");
        let seen = json(&desk.zkplan(&["snapshot", "verify", "data.tar.gz", "--format", "json"]));
        assert_eq!(seen["verdict"], "whole", "{seen:#}");
        assert_eq!(seen["archive"]["manifest"], Value::Null);
        removed(&desk, "new");
        let done = desk.zkplan(&["snapshot", "unpack", "data.tar.gz", "-o", "new"]);
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.out.contains("another tool"), "{done:?}");
        assert_eq!(desk.zkplan(&["snapshot", "verify", "new"]).code, 0);
    }
}
