//! Data directories made of bytes, by a server of this file's own: it keeps whole znodes and sums up the
//! digest anew each time.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};

use super::{DataFiles, DataListing, DataSide, ListedFile};

/// A znode with its stat: czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, owner.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) data: Vec<u8>,
    pub(super) longs: [u64; 5],
    pub(super) ints: [i32; 3],
    pub(super) owner: i64,
    pub(super) acl: i64,
}

impl Kept {
    fn new(data: &[u8], zxid: u64, owner: i64) -> Self {
        let time = zxid + 1_600_000_000_000;
        Self {
            data: data.to_vec(),
            longs: [zxid, zxid, zxid, time, time],
            ints: [0; 3],
            owner,
            acl: -1,
        }
    }
}

/// A server that writes files.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) zxid: u64,
    pub(super) znodes: BTreeMap<String, Kept>,
    pub(super) sessions: BTreeMap<i64, i32>,
    /// Whether it writes digests.
    pub(super) digests: bool,
    pub(super) files: Memory,
    records: Vec<u8>,
    log: Option<String>,
}

pub(super) const SESSION: i64 = 0x0100_0000_0000_0001;

/// A length and the bytes.
pub(super) fn buffer(bytes: &[u8]) -> Vec<u8> {
    [&i32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// One entry: world, anyone.
pub(super) fn open_acl() -> Vec<u8> {
    let entry = [&31_i32.to_be_bytes()[..], &buffer(b"world"), &buffer(b"anyone")].concat();
    [&1_i32.to_be_bytes()[..], &entry].concat()
}

pub(super) fn adler(bytes: &[u8]) -> u64 {
    let (mut a, mut b) = (1_u64, 0_u64);
    for byte in bytes {
        a = (a + u64::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    b << 16 | a
}

pub(super) fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = adler(&bytes);
    bytes.extend(checksum.to_be_bytes());
    bytes.extend(buffer(b"/"));
    bytes
}

pub(super) fn record(payload: &[u8]) -> Vec<u8> {
    [&adler(payload).to_be_bytes()[..], &buffer(payload), b"B"].concat()
}

pub(super) fn log_header() -> Vec<u8> {
    [&b"ZKLG"[..], &2_i32.to_be_bytes(), &0_i64.to_be_bytes()].concat()
}

impl World {
    /// A server on empty disks: it writes `snapshot.0` first.
    pub(super) fn new() -> Self {
        let built_in = ["", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"];
        let mut znodes: BTreeMap<String, Kept> =
            built_in.iter().map(|path| ((*path).to_owned(), Kept::new(b"", 0, 0))).collect();
        for kept in znodes.values_mut() {
            kept.longs = [0; 5];
        }
        let (sessions, files) = (BTreeMap::new(), Memory::default());
        let mut world = Self {
            zxid: 0,
            znodes,
            sessions,
            digests: true,
            files,
            records: Vec::new(),
            log: None,
        };
        world.snapshot();
        world
    }

    pub(super) fn digest(&self) -> u64 {
        let of = |(path, kept): (&String, &Kept)| {
            if path.starts_with("/zookeeper/") {
                return 0;
            }
            let mut bytes = [path.as_bytes(), &kept.data].concat();
            bytes.extend(kept.longs.map(u64::to_be_bytes).as_flattened());
            bytes.extend(kept.ints.map(i32::to_be_bytes).as_flattened());
            bytes.extend(kept.owner.to_be_bytes());
            u64::from(crc32fast::hash(&bytes))
        };
        self.znodes.iter().map(of).fold(0, u64::wrapping_add)
    }

    /// Appends a transaction whose effect is there already.
    pub(super) fn logged(&mut self, kind: i32, body: &[u8]) {
        let mut payload = SESSION.to_be_bytes().to_vec();
        payload.extend(7_i32.to_be_bytes());
        payload.extend(self.zxid.to_be_bytes());
        payload.extend((self.zxid + 1_600_000_000_000).to_be_bytes());
        payload.extend(kind.to_be_bytes());
        payload.extend(body);
        if self.digests {
            payload.extend(2_i32.to_be_bytes());
            payload.extend(self.digest().to_be_bytes());
        }
        if self.log.is_none() {
            self.log = Some(format!("log.{:x}", self.zxid));
            self.records = log_header();
        }
        self.records.extend(record(&payload));
        let file = [&self.records[..], &[0; 8192]].concat();
        self.files.put(self.log.as_deref().unwrap(), file);
    }

    pub(super) fn next(&mut self) -> u64 {
        self.zxid += 1;
        self.zxid
    }

    /// The next transaction goes to a file of its own.
    pub(super) fn roll(&mut self) {
        self.log = None;
    }

    /// A leader of the next epoch.
    pub(super) fn epoch(&mut self) {
        self.zxid = ((self.zxid >> 32) + 1) << 32;
    }

    fn child(&mut self, path: &str, zxid: u64) -> i32 {
        let parent = self.znodes.get_mut(path.rsplit_once('/').unwrap().0).unwrap();
        parent.ints[1] += 1;
        parent.longs[2] = zxid;
        parent.ints[1]
    }

    /// Type 1, 15 or 19, or 21 with an hour.
    pub(super) fn create(&mut self, kind: i32, path: &str, data: &[u8], is_ephemeral: bool) {
        let zxid = self.next();
        let cversion = self.child(path, zxid);
        let mut body = [buffer(path.as_bytes()), buffer(data), open_acl()].concat();
        let hour = 3_600_000_i64;
        let owner = match kind {
            19 => i64::MIN,
            21 => -0x0100_0000_0000_0000 | hour,
            _ => {
                body.push(is_ephemeral.into());
                if is_ephemeral { SESSION } else { 0 }
            }
        };
        body.extend(cversion.to_be_bytes());
        if kind == 21 {
            body.extend(hour.to_be_bytes());
        }
        self.znodes.insert(path.to_owned(), Kept::new(data, zxid, owner));
        self.logged(kind, &body);
    }

    fn set(&mut self, path: &str, data: &[u8], zxid: u64) -> Vec<u8> {
        let kept = self.znodes.get_mut(if path == "/" { "" } else { path }).unwrap();
        kept.data = data.to_vec();
        kept.ints[0] += 1;
        (kept.longs[1], kept.longs[4]) = (zxid, zxid + 1_600_000_000_000);
        [&buffer(path.as_bytes())[..], &buffer(data), &kept.ints[0].to_be_bytes()].concat()
    }

    /// Type 5 or 16.
    pub(super) fn set_data(&mut self, kind: i32, path: &str, data: &[u8]) {
        let zxid = self.next();
        let body = self.set(path, data, zxid);
        self.logged(kind, &body);
    }

    pub(super) fn set_acl(&mut self, path: &str) {
        self.next();
        let kept = self.znodes.get_mut(if path == "/" { "" } else { path }).unwrap();
        kept.ints[2] += 1;
        let body =
            [&buffer(path.as_bytes())[..], &open_acl(), &kept.ints[2].to_be_bytes()].concat();
        self.logged(7, &body);
    }

    fn remove(&mut self, path: &str, zxid: u64) {
        self.znodes.remove(path).unwrap();
        self.znodes.get_mut(path.rsplit_once('/').unwrap().0).unwrap().longs[2] = zxid;
    }

    /// Type 2 or 20.
    pub(super) fn delete(&mut self, kind: i32, path: &str) {
        let zxid = self.next();
        self.remove(path, zxid);
        self.logged(kind, &buffer(path.as_bytes()));
    }

    pub(super) fn create_session(&mut self) {
        self.next();
        self.sessions.insert(SESSION, 30_000);
        self.logged(-10, &30_000_i32.to_be_bytes());
    }

    /// With the paths of what goes, or as 3.5 writes it.
    pub(super) fn close_session(&mut self, with_paths: bool) {
        let zxid = self.next();
        self.sessions.clear();
        let of_session =
            |(path, kept): (&String, &Kept)| (kept.owner == SESSION).then(|| path.clone());
        let gone: Vec<String> = self.znodes.iter().filter_map(of_session).collect();
        let mut body = Vec::new();
        if with_paths {
            body.extend(i32::try_from(gone.len()).unwrap().to_be_bytes());
        }
        for path in gone {
            self.remove(&path, zxid);
            if with_paths {
                body.extend(buffer(path.as_bytes()));
            }
        }
        self.logged(-11, &body);
    }

    pub(super) fn error(&mut self) {
        self.next();
        self.logged(-1, &(-101_i32).to_be_bytes());
    }

    /// A check and a change, or the same failed.
    pub(super) fn multi(&mut self, path: &str, data: &[u8], has_failed: bool) {
        let zxid = self.next();
        let check = [&buffer(path.as_bytes())[..], &0_i32.to_be_bytes()].concat();
        let set = if has_failed {
            (-1_i32, (-103_i32).to_be_bytes().to_vec())
        } else {
            (5, self.set(path, data, zxid))
        };
        // As a server writes it: what came before the part that failed has its type alone.
        let first = if has_failed { -1 } else { 13 };
        let parts = [(first, check), set]
            .map(|(kind, body)| [&kind.to_be_bytes()[..], &buffer(&body)].concat());
        self.logged(14, &[&2_i32.to_be_bytes()[..], &parts.concat()].concat());
    }

    /// Writes a snapshot as 3.9 does, or as 3.5 where it writes no digests.
    pub(super) fn snapshot(&mut self) {
        let name = format!("snapshot.{:x}", self.zxid);
        let bytes = self.snapshot_bytes();
        self.files.put(&name, bytes);
    }

    /// The bytes of a snapshot of what is there now.
    pub(super) fn snapshot_bytes(&self) -> Vec<u8> {
        let mut bytes = [&b"ZKSN"[..], &2_i32.to_be_bytes(), &(-1_i64).to_be_bytes()].concat();
        bytes.extend(i32::try_from(self.sessions.len()).unwrap().to_be_bytes());
        for (id, timeout) in &self.sessions {
            bytes.extend(id.to_be_bytes());
            bytes.extend(timeout.to_be_bytes());
        }
        bytes.extend(1_i32.to_be_bytes());
        bytes.extend(1_i64.to_be_bytes());
        bytes.extend(open_acl());
        self.subtree("", &mut bytes);
        bytes.extend(buffer(b"/"));
        bytes = sealed(bytes);
        if self.digests {
            bytes.extend(self.zxid.to_be_bytes());
            bytes.extend(2_i32.to_be_bytes());
            bytes.extend(if self.zxid == 0 { 0 } else { self.digest() }.to_be_bytes());
            bytes = sealed(bytes);
            bytes.extend(self.zxid.to_be_bytes());
            bytes = sealed(bytes);
        }
        bytes
    }

    fn subtree(&self, path: &str, bytes: &mut Vec<u8>) {
        let Kept { data, longs: [czxid, mzxid, pzxid, ctime, mtime], ints, owner, acl } =
            &self.znodes[path];
        bytes.extend(buffer(path.as_bytes()));
        bytes.extend(buffer(data));
        bytes.extend(acl.to_be_bytes());
        bytes.extend([czxid, mzxid, ctime, mtime].map(|long| long.to_be_bytes()).as_flattened());
        bytes.extend(ints.map(i32::to_be_bytes).as_flattened());
        bytes.extend(owner.to_be_bytes());
        bytes.extend(pzxid.to_be_bytes());
        let is_child =
            |other: &&String| other.rsplit_once('/').is_some_and(|(parent, _)| parent == path);
        for child in self.znodes.keys().filter(is_child) {
            self.subtree(child, bytes);
        }
    }

    /// A server that has done everything that a server can do, over two epochs and three logs.
    pub(super) fn busy() -> Self {
        let mut world = Self::new();
        world.create_session();
        world.create(1, "/a", b"one", false);
        world.create(15, "/a/b", b"two", false);
        world.create(1, "/a/e", b"", true);
        world.create(19, "/c", b"", false);
        world.create(21, "/t", b"ttl", false);
        world.set_data(5, "/a", b"other");
        world.roll();
        world.set_data(5, "/", b"root");
        world.set_acl("/a");
        world.set_acl("/");
        world.snapshot();
        world.error();
        world.multi("/a", b"multi", false);
        world.multi("/a", b"never", true);
        world.set_data(16, "/zookeeper/config", b"server.1=a:1:2:participant;3\nversion=100");
        world.roll();
        world.delete(2, "/a/b");
        world.epoch();
        world.create(1, "/later", b"epoch", false);
        world.close_session(true);
        world.delete(20, "/c");
        world
    }
}

/// Files in memory. One can grow or vanish while it is read.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// A file that is listed and cannot be opened.
    pub(super) gone: Option<String>,
    /// A file that has these bytes when it is opened for the second time.
    pub(super) grown: Option<(String, Vec<u8>)>,
    /// How often it is opened before it has grown; 0 where no server is waited for.
    pub(super) slow: usize,
    pub(super) opened: Cell<usize>,
}

impl Memory {
    pub(super) fn put(&mut self, name: &str, bytes: Vec<u8>) {
        self.files.insert(name.to_owned(), bytes);
    }

    pub(super) fn listing(&self) -> DataListing {
        let listed = |(name, bytes): (&String, &Vec<u8>)| ListedFile {
            side: DataSide::Data,
            name: name.clone(),
            length: bytes.len().try_into().unwrap(),
            is_regular: true,
        };
        DataListing { files: self.files.iter().map(listed).collect(), ..DataListing::default() }
    }

    pub(super) fn edit(&mut self, name: &str, how: impl FnOnce(&mut Vec<u8>)) {
        how(self.files.get_mut(name).unwrap());
    }
}

impl DataFiles for Memory {
    fn open(&self, file: &ListedFile) -> io::Result<Box<dyn Read + '_>> {
        if self.gone.as_ref() == Some(&file.name) {
            return Err(ErrorKind::NotFound.into());
        }
        if let Some((_, grown)) = self.grown.as_ref().filter(|(name, _)| *name == file.name) {
            self.opened.set(self.opened.get() + 1);
            if self.opened.get() > self.slow.max(1) {
                return Ok(Box::new(&grown[..]));
            }
        }
        Ok(Box::new(&self.files[&file.name][..]))
    }

    fn last_bytes(&self, file: &ListedFile, count: usize) -> io::Result<Vec<u8>> {
        let bytes = &self.files[&file.name];
        Ok(bytes[bytes.len().saturating_sub(count)..].to_vec())
    }

    fn length(&self, file: &ListedFile) -> io::Result<u64> {
        Ok(file.length)
    }

    fn wait_for_writer(&self) -> bool {
        self.slow > 0
    }
}
