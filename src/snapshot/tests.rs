//! Whole directories, and what verify says of damaged ones.

use super::fixture::{World, adler, log_header, record, sealed};
use super::{ContentsWish, inspect};
use super::{
    DataVerdict, FileFindingKind, FileSeverity, LogEnd, RefusalToStart, StartVerdict, Verification,
    verify,
};

fn verified(world: &World) -> Verification {
    verify(&world.files.listing(), &world.files)
}

/// Everything that is no note, by the names of the variants.
fn grave(of: &Verification) -> Vec<String> {
    let grave = of.findings.iter().filter(|finding| finding.severity > FileSeverity::Note);
    grave.map(|finding| format!("{:?}", finding.kind)).map(|text| first_word(&text)).collect()
}

fn first_word(text: &str) -> String {
    text.chars().take_while(char::is_ascii_alphanumeric).collect()
}

#[test]
fn a_directory_of_a_server_is_whole() {
    for (world, replayed) in [(World::new(), 0), (World::busy(), 8)] {
        let seen = verified(&world);
        assert_eq!(seen.verdict, DataVerdict::Whole, "{:#?}", seen.findings);
        assert_eq!((seen.last_zxid, seen.proven), (Some(world.zxid), Some(world.zxid)));
        assert_eq!(seen.replayed, replayed);
        assert!(
            seen.servers.iter().all(|start| matches!(start.verdict, StartVerdict::Loads { .. }))
        );
    }
}

#[test]
fn a_snapshot_alone_is_whole_if_its_digest_is_of_its_name() {
    let mut world = World::busy();
    world.snapshot();
    world.files.files.retain(|name, _| *name == format!("snapshot.{:x}", world.zxid));
    assert_eq!(verified(&world).verdict, DataVerdict::Whole);
    let mut fuzzy = World::busy();
    let bytes = fuzzy.snapshot_bytes();
    fuzzy.files.files.clear();
    fuzzy.files.put("snapshot.5", bytes);
    assert_eq!(grave(&verified(&fuzzy)), ["NotCovered"]);
    let hole =
        |start: &super::ServerStart| matches!(start.verdict, StartVerdict::StartsWithHole { .. });
    assert!(verified(&fuzzy).servers.iter().all(hole));
}

/// Its own digest proves what is in it, and not that it is what its name says.
#[test]
fn a_snapshot_under_a_later_name_is_named() {
    let mut world = World::busy();
    world.snapshot();
    let later = format!("snapshot.{:x}", world.zxid);
    let older = world.files.files["snapshot.a"].clone();
    world.files.put(&later, older);
    let seen = verified(&world);
    assert!(names_it(&seen, &later, FileSeverity::Note), "{:?}", seen.findings);
    assert_ne!(seen.verdict, DataVerdict::Whole);
    world.files.files.retain(|name, _| *name == later);
    let alone = verified(&world);
    assert!(names_it(&alone, &later, FileSeverity::NotProvable), "{:?}", alone.findings);
    assert_eq!((alone.verdict, alone.proven), (DataVerdict::NotProvable, None));
}

/// A snapshot that was begun before and written after transactions.
#[test]
fn a_fuzzy_snapshot_is_whole_with_the_logs_that_cover_it() {
    let mut world = World::busy();
    let bytes = world.snapshot_bytes();
    world.files.put("snapshot.d", bytes);
    world.create(1, "/behind", b"", false);
    let seen = verified(&world);
    assert_eq!((seen.verdict, seen.base.as_deref()), (DataVerdict::Whole, Some("snapshot.d")));
    // Its own digest is compared when the logs have reached its end.
    let whole = world.files.files["snapshot.d"].clone();
    let at = whole.windows(5).position(|bytes| bytes == b"other" || bytes == b"multi").unwrap();
    let mut other = whole[..whole.len() - 67].to_vec();
    other[at] = b'X';
    let tail = &whole[whole.len() - 54..whole.len() - 34];
    let mut other = [&sealed(other)[..], tail].concat();
    other = sealed(other);
    world.files.put("snapshot.d", other);
    assert!(grave(&verified(&world)).contains(&"OtherTree".to_owned()));
}

/// A server changes a znode before it counts the transaction: the snapshot has the change, and the digest of
/// before.
#[test]
fn a_change_that_is_not_counted_yet_is_no_damage() {
    let mut world = World::busy();
    let (zxid, digest) = (world.zxid, world.digest());
    world.create(1, "/ahead", b"", false);
    let bytes = world.snapshot_bytes();
    let body = bytes[..bytes.len() - 67].to_vec();
    let part = [&zxid.to_be_bytes()[..], &2_i32.to_be_bytes(), &digest.to_be_bytes()].concat();
    let name = format!("snapshot.{zxid:x}");
    world.files.put(&name, sealed([sealed(body), part].concat()));
    let seen = verified(&world);
    assert_eq!((seen.verdict, seen.base), (DataVerdict::Whole, Some(name.clone())));
    let mut alone = world.clone();
    alone.files.files.retain(|file, _| *file == name);
    assert_eq!(grave(&verified(&alone)), ["NotCovered"]);
}

/// Where the zeros begin that a server writes ahead.
fn end_of_records(world: &World, name: &str) -> usize {
    world.files.files[name].len() - if name.starts_with("log") { 8192 } else { 0 }
}

fn names_it(seen: &Verification, name: &str, least: FileSeverity) -> bool {
    let names = |finding: &super::FileFinding| {
        finding.file.as_deref() == Some(name) && finding.severity >= least
    };
    seen.findings.iter().any(names)
}

/// Every byte of a small directory: what changes a file never passes as whole, and is named with it.
#[test]
fn no_changed_byte_passes() {
    let world = World::busy();
    for name in world.files.files.keys() {
        let end = end_of_records(&world, name);
        // Of the zeros ahead, some.
        for at in 0..(end + 40).min(world.files.files[name].len()) {
            for bit in [0x01, 0x80] {
                let mut damaged = world.clone();
                damaged.files.edit(name, |bytes| bytes[at] ^= bit);
                let seen = verified(&damaged);
                let least = if at < end { FileSeverity::Damaged } else { FileSeverity::Note };
                assert!(names_it(&seen, name, least), "{name} {at}: {:?}", seen.findings);
            }
        }
    }
}

/// The end of the last log is where files can say no more than that they may be older. The first one is
/// not needed beside the snapshot.
#[test]
fn no_cut_passes() {
    let world = World::busy();
    let last = world.files.files.keys().rfind(|name| name.starts_with("log")).unwrap();
    for name in world.files.files.keys() {
        for length in 0..end_of_records(&world, name) {
            let mut damaged = world.clone();
            damaged.files.edit(name, |bytes| bytes.truncate(length));
            let seen = verified(&damaged);
            // Without its last parts a snapshot is one of an older release, and holds the same.
            let rest = end_of_records(&world, name) - length;
            if name.starts_with("snapshot") && (rest == 21 || rest == 54) {
                assert_eq!(seen.verdict, DataVerdict::Whole, "{name} {length}");
                continue;
            }
            let least = match length {
                16.. if name == last => FileSeverity::NotProvable,
                16.. if name == "log.1" => FileSeverity::Note,
                _ => FileSeverity::Damaged,
            };
            let worst = seen.findings.first().map(|finding| finding.severity);
            assert!(worst >= Some(least), "{name} {length}: {:?}", seen.findings);
        }
    }
}

#[test]
fn files_that_are_missing_or_swapped_are_seen() {
    let world = World::busy();
    let logs: Vec<&String> =
        world.files.files.keys().filter(|name| name.starts_with("log")).collect();
    let mut gap = world.clone();
    gap.files.files.remove(logs[1]);
    let seen = verified(&gap);
    assert!(grave(&seen).starts_with(&["Gap".to_owned()]), "{:?}", seen.findings);
    let mut swapped = world.clone();
    let (one, other) = (world.files.files[logs[1]].clone(), world.files.files[logs[2]].clone());
    swapped.files.put(logs[1], other);
    swapped.files.put(logs[2], one);
    assert!(grave(&verified(&swapped)).contains(&"OtherFirst".to_owned()));
    let mut snapshots = world.clone();
    let first = world.files.files["snapshot.0"].clone();
    snapshots.files.put("snapshot.a", first);
    assert_eq!(verified(&snapshots).verdict, DataVerdict::Damaged);
    let mut alone = world.clone();
    alone.files.files.retain(|name, _| name.starts_with("log"));
    assert_eq!(grave(&verified(&alone)), ["NoSnapshot"]);
    alone.files.files.clear();
    assert_eq!(grave(&verified(&alone)), ["Nothing"]);
}

/// What servers do where the log in the middle of three is missing.
#[test]
fn servers_since_3_9_4_refuse_a_transaction_that_is_not_the_next_one() {
    let with_a_gap = |snapshot_before_it: bool| {
        let mut world = World::busy();
        world.create(1, "/x", b"", false);
        if snapshot_before_it {
            world.snapshot();
        }
        world.roll();
        world.create(1, "/lost", b"", false);
        let lost = format!("log.{:x}", world.zxid);
        world.roll();
        world.create(1, "/y", b"", false);
        let log = format!("log.{:x}", world.zxid);
        world.files.files.remove(&lost);
        let mut seen = verified(&world).servers;
        let newest = seen.pop().expect("each line").verdict;
        let starts = |start: &super::ServerStart| {
            matches!(start.verdict, StartVerdict::StartsWithHole { .. })
        };
        assert!(seen.iter().all(starts), "{seen:?}");
        (newest, log)
    };
    let (newest, log) = with_a_gap(false);
    assert_eq!(newest, StartVerdict::Refuses { reason: RefusalToStart::NotTheNext(log) });
    // The last transaction before the gap is in the snapshot: it was not replayed.
    let (newest, _) = with_a_gap(true);
    assert!(matches!(newest, StartVerdict::StartsWithHole { .. }), "{newest:?}");
}

/// The transactions of the end of an epoch that left no hole in the numbers.
#[test]
fn the_digest_tells_what_is_missing_before_an_epoch() {
    let mut world = World::busy();
    world.create(1, "/x", b"", false);
    world.roll();
    world.create(1, "/lost", b"", false);
    let lost = format!("log.{:x}", world.zxid);
    world.roll();
    world.epoch();
    world.create(1, "/y", b"", false);
    assert_eq!(verified(&world).verdict, DataVerdict::Whole);
    world.files.files.remove(&lost);
    assert_eq!(grave(&verified(&world)), ["OtherTree"]);
}

#[test]
fn without_digests_nothing_is_proven() {
    let mut world = World::new();
    world.digests = false;
    world.create_session();
    world.create(1, "/a", b"", true);
    world.close_session(false);
    let seen = verified(&world);
    assert_eq!(grave(&seen), ["NoDigest"]);
    assert_eq!((seen.verdict, seen.proven), (DataVerdict::NotProvable, None));
    world.snapshot();
    assert_eq!(grave(&verified(&world)), ["MaybeFuzzy"]);
    // A record that cannot have happened is damage all the same.
    world.zxid += 1;
    world.logged(2, &super::fixture::buffer(b"/never"));
    assert!(grave(&verified(&world)).contains(&"NoDigest".to_owned()));
}

#[test]
fn a_torn_tail_is_told_from_damage() {
    let mut world = World::busy();
    let log = world.files.files.keys().rfind(|name| name.starts_with("log")).unwrap().clone();
    let whole = world.files.files[&log].clone();
    let end = whole.len() - 8192;
    let half = record(&[1; 100]);
    // A write that was broken off.
    for length in [8, 10, 12, 13, 60, 112] {
        world.files.edit(&log, |bytes| {
            bytes.truncate(end);
            bytes.extend(&half[..length]);
            bytes.resize(end + 8192, 0);
        });
        let seen = verified(&world);
        assert_eq!(grave(&seen), ["Torn"], "{length}: {:?}", seen.findings);
    }
    // Something behind it, which no server reads.
    world.files.edit(&log, |bytes| bytes[end + 300] = 1);
    assert_eq!(verified(&world).verdict, DataVerdict::Damaged);
    // The server has gone on when the log is read once more.
    world.files.edit(&log, |bytes| bytes[end + 300] = 0);
    world.create(1, "/growing", b"", false);
    let grown = world.files.files[&log].clone();
    world.files.put(&log, [&whole[..end], &half[..60], &[0; 8132]].concat());
    world.files.grown = Some((log, grown));
    let seen = verified(&world);
    assert_eq!((seen.verdict, seen.last_zxid), (DataVerdict::Whole, Some(world.zxid)), "{seen:#?}");
    // It is in the middle of the record for longer. That is waited for only where a server may run.
    world.files.slow = 3;
    world.files.opened.set(0);
    assert_eq!(verified(&world).verdict, DataVerdict::Whole);
    world.files.slow = 20;
    world.files.opened.set(0);
    assert_eq!(grave(&verified(&world)), ["Torn"]);
}

#[test]
fn names_that_mislead_are_named() {
    let mut world = World::busy();
    world.files.put("backup.tgz", Vec::new());
    assert_eq!(verified(&world).verdict, DataVerdict::Whole);
    let bytes = world.snapshot_bytes();
    world.files.put(&format!("snapshot.{:x}.tmp", world.zxid), bytes);
    assert_eq!(grave(&verified(&world)), ["Misnamed"]);
    let mut copied = World::busy();
    let log = copied.files.files.keys().rfind(|name| name.starts_with("log")).unwrap().clone();
    let bytes = copied.files.files[&log].clone();
    copied.files.put(&format!("{log}.bak"), bytes);
    let seen = verified(&copied);
    assert_eq!(grave(&seen), ["Misnamed"]);
    assert!(
        seen.findings.iter().any(|found| first_word(&format!("{:?}", found.kind)) == "Repeated")
    );
}

/// The records of a log, without the header and the zeros that the server wrote ahead.
fn records(world: &World, log: &str) -> Vec<u8> {
    world.files.files[log][log_header().len()..end_of_records(world, log)].to_vec()
}

/// A learner that was cut off while it synced has logged the same transactions again: a server loads them all
/// the same, and has the same data.
#[test]
fn transactions_that_are_there_again_are_no_damage() {
    let mut world = World::new();
    world.create(1, "/a", b"", false);
    world.create(1, "/b", b"", false);
    world.set_data(5, "/b", b"1");
    let log = world.files.files.keys().find(|name| name.starts_with("log")).unwrap().clone();
    let once = records(&world, &log);
    let header = log_header().len();
    let mut twice = world.clone();
    twice.set_data(5, "/b", b"2");
    twice.files.edit(&log, |bytes| drop(bytes.splice(header..header, once.clone())));
    let seen = verified(&twice);
    let proven = Some(twice.zxid);
    assert_eq!((seen.verdict, seen.proven), (DataVerdict::Whole, proven), "{:#?}", seen.findings);
    let found: Vec<&FileFindingKind> = seen.findings.iter().map(|found| &found.kind).collect();
    let repeated = FileFindingKind::Repeated { first: 1, last: 3, count: 3 };
    assert_eq!(found, [&repeated]);
    assert_eq!((seen.last_zxid, seen.logs[0].facts.last), (proven, proven));
    assert!(
        seen.servers.iter().all(|start| matches!(start.verdict, StartVerdict::Loads { .. })),
        "{:?}",
        seen.servers
    );
    // Only the beginning is there again: a server that starts now has an older value of /b.
    let mut begun = world.clone();
    begun.set_data(5, "/b", b"2");
    let end = end_of_records(&begun, &log);
    begun.files.edit(&log, |bytes| drop(bytes.splice(end..end, once)));
    let seen = verified(&begun);
    assert_eq!(grave(&seen), ["OtherTree"], "{:#?}", seen.findings);
    assert_eq!(seen.last_zxid, Some(begun.zxid));
    // Others with the same zxids are those of another server.
    let mut others = World::new();
    others.create(1, "/other", b"", false);
    let other = records(&others, &log);
    world.files.edit(&log, |bytes| drop(bytes.splice(header..header, other)));
    assert!(grave(&verified(&world)).contains(&"Backwards".to_owned()));
}

#[test]
fn a_file_that_vanishes_is_named() {
    let mut world = World::busy();
    world.files.gone = Some("snapshot.0".to_owned());
    let seen = verified(&world);
    assert_eq!(seen.verdict, DataVerdict::Whole);
    assert!(seen.findings.iter().any(|finding| finding.kind == FileFindingKind::Vanished));
}

#[test]
fn epoch_files_are_held_against_the_data() {
    let world = World::busy();
    let mut listing = world.files.listing();
    let mut with = |accepted: &str, current: &str| {
        listing.accepted_epoch = Some(accepted.to_owned());
        listing.current_epoch = Some(current.to_owned());
        grave(&verify(&listing, &world.files))
    };
    assert_eq!(with("1", "1"), Vec::<String>::new());
    assert_eq!(with("2", "1"), Vec::<String>::new());
    assert_eq!(with("1", "0"), ["EpochBehind"]);
    assert_eq!(with("2", "2"), ["EpochEmpty"]);
    assert_eq!(with("1", "2"), ["AcceptedBehind", "EpochEmpty"]);
    assert_eq!(with("1", "one"), ["EpochGarbled"]);
}

/// Lengths are believed as far as there are bytes, and a checksum is no reason to believe the rest.
#[test]
fn a_length_costs_no_memory() {
    let mut world = World::busy();
    for length in [i32::MAX, 0x7000_0000, -2, i32::MIN] {
        let mut bytes = [&b"ZKSN"[..], &2_i32.to_be_bytes(), &(-1_i64).to_be_bytes()].concat();
        bytes.extend(0_i32.to_be_bytes());
        bytes.extend(0_i32.to_be_bytes());
        bytes.extend(0_i32.to_be_bytes());
        bytes.extend(length.to_be_bytes());
        world.files.put("snapshot.ff", bytes);
        assert_eq!(verified(&world).verdict, DataVerdict::Damaged);
        let payload = [&[0; 28][..], &14_i32.to_be_bytes(), &length.to_be_bytes()].concat();
        let mut log = log_header();
        log.extend(record(&payload));
        world.files.put("log.ffffffff", log);
        assert_eq!(verified(&world).verdict, DataVerdict::Damaged);
    }
    assert_eq!(adler(b"Wikipedia"), 0x11E6_0398);
    assert_ne!(LogEnd::Torn, LogEnd::Padded);
}

#[test]
fn what_is_in_a_directory_is_counted() {
    let mut world = World::busy();
    world.create_session();
    world.create(1, "/a/e1", b"", true);
    world.create(1, "/a/e2", b"12345678901", true);
    let wish = |path: &str, depth| ContentsWish { path: path.to_owned(), depth, most: 3 };
    let all = inspect(&world.files.listing(), &world.files, &wish("/", 1));
    assert_eq!(all.all.znodes, world.znodes.len() as u64);
    let bytes: usize = world.znodes.values().map(|kept| kept.data.len()).sum();
    assert_eq!(all.all.data_bytes, bytes as u64);
    let parts: Vec<(&str, u64, u64)> = all
        .subtrees
        .iter()
        .map(|part| (part.path.as_str(), part.znodes, part.data_bytes))
        .collect();
    assert_eq!(parts, [("/zookeeper", 3, 40), ("/a", 3, 16), ("/later", 1, 5)]);
    assert_eq!((all.subtree_count, all.ephemerals, all.ttls, all.containers), (4, 2, 1, 0));
    assert_eq!(all.largest[0].path, "/zookeeper/config");
    assert_eq!(all.largest[1].path, "/a/e2");
    let session = (all.sessions[0].timeout_ms, all.sessions[0].ephemerals);
    assert_eq!((all.session_count, session), (1, (Some(30_000), 2)));
    assert!(all.membership.is_some_and(|text| text.ends_with("version=100")));
    assert_eq!(all.memberships.len(), 1);
    let part = inspect(&world.files.listing(), &world.files, &wish("/a", 1));
    assert_eq!((part.all.znodes, part.top.unwrap().version), (3, 2));
    let none = inspect(&world.files.listing(), &world.files, &wish("/nothing", 1));
    assert_eq!((none.top, none.all.znodes), (None, 0));
}
