//! The list that `zkplan snapshot unpack` leaves beside the files it has unpacked. With it install.sh and
//! `zkplan joiner --check` see whether the files are still those, and whether a server has used them: a
//! server that starts writes its epochs beside them (`QuorumPeer.loadDataBase`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The name of the list in `dataDir`. A server does not read it.
pub const SEED_LIST: &str = "zkplan-seed.sha256";

/// The folder of the files, as the list names them.
const FOLDER: &str = "version-2";

/// The files of an unpacked archive: names in `version-2`, with the SHA-256 of each in hex.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeedList(BTreeMap<String, String>);

/// How files are beside their list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeedFiles {
    /// Files of the list that are not there.
    pub missing: Vec<String>,
    /// Files whose bytes are others.
    pub differing: Vec<String>,
    /// Files that are there and not in the list.
    pub added: Vec<String>,
}

impl SeedFiles {
    /// Whether they are those of the list.
    pub fn are_unchanged(&self) -> bool {
        let Self { missing, differing, added } = self;
        missing.is_empty() && differing.is_empty() && added.is_empty()
    }
}

impl SeedList {
    /// Of these files.
    pub fn of(files: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(files.into_iter().collect())
    }

    /// Reads the text of a list; `None` where it is none that zkplan writes.
    pub fn parse(text: &str) -> Option<Self> {
        let files: Option<BTreeMap<String, String>> = text.lines().map(file).collect();
        files.filter(|files| !files.is_empty()).map(Self)
    }

    /// As `sha256sum -c` reads it.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (name, hash) in &self.0 {
            writeln!(text, "{hash}  {FOLDER}/{name}").expect("text takes text");
        }
        text
    }

    /// Adds the files of another list: that of a directory of logs.
    pub fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The files, by name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Holds the files of a directory against the list: by name the SHA-256, which those need that are in
    /// the list.
    pub fn compare(&self, found: &BTreeMap<String, Option<String>>) -> SeedFiles {
        let mut files = SeedFiles::default();
        for (name, hash) in &self.0 {
            match found.get(name) {
                None => files.missing.push(name.clone()),
                Some(own) if own.as_ref() != Some(hash) => files.differing.push(name.clone()),
                Some(_) => {}
            }
        }
        files.added.extend(found.keys().filter(|name| !self.0.contains_key(*name)).cloned());
        files
    }
}

/// Reads one line.
fn file(line: &str) -> Option<(String, String)> {
    let (hash, path) = line.split_once("  ")?;
    let name = path.strip_prefix(FOLDER)?.strip_prefix('/')?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_name = !name.is_empty() && !name.contains('/');
    (is_hash && is_name).then(|| (name.to_owned(), hash.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> SeedList {
        let files = [("log.5", "a"), ("snapshot.4", "b")];
        SeedList::of(files.map(|(name, hash)| (name.to_owned(), hash.repeat(64))))
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(SeedList::parse(&list().to_text()), Some(list()));
        let hash = "0".repeat(64);
        for wrong in [
            String::new(),
            "\n".to_owned(),
            format!("{hash} version-2/log.5\n"),
            format!("{hash}  log.5\n"),
            format!("{hash}  version-2/../log.5\n"),
            format!("{hash}  version-2/\n"),
            format!("{}  version-2/log.5\n", &hash[1..]),
        ] {
            assert_eq!(SeedList::parse(&wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn each_change_is_seen() {
        let compared = |files: &[(&str, Option<&str>)]| {
            let found = files
                .iter()
                .map(|(name, hash)| ((*name).to_owned(), hash.map(|hash| hash.repeat(64))));
            list().compare(&found.collect())
        };
        let whole = [("log.5", Some("a")), ("snapshot.4", Some("b"))];
        assert!(compared(&whole).are_unchanged());
        let files = compared(&[("log.5", Some("c")), ("acceptedEpoch", None)]);
        assert_eq!(files.differing, ["log.5"]);
        assert_eq!(
            (files.missing, files.added),
            (vec!["snapshot.4".to_owned()], vec!["acceptedEpoch".to_owned()])
        );
    }
}
