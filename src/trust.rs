//! Who can have written what zkplan reads in an ensemble.
//!
//! Every client may make znodes where nothing stands yet, and give them any access control list,
//! one that keeps the client itself out included. So a list that lets only the right people write
//! says who may act from now on, and nothing about who acted before. `Stat.aversion` counts every
//! setting of a list and `create` starts at 0: a znode with a closed list and aversion 0 was closed
//! when it was made, and all that stands below it was made by those whom the list lets
//! (`PrepRequestProcessor`, `OpCode.create`: the parent's list is asked, inside one multi too).
//!
//! No I/O: lists and `Stat`s go in, a proof or a doubt comes out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ensemble::{AclEntry, Credential, FolderRead, IDENTITY_NAME, Kept, NodeAcl};

/// What a session has proven to be, in the words of access control lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnIds {
    user: Option<String>,
    ids: Vec<AclEntry>,
}

/// Who may change the ensemble, as one session sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Writers {
    config: Vec<AclEntry>,
    own: OwnIds,
}

/// How a znode lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Until it is deleted.
    Persistent,
    /// With a session: the lock.
    Ephemeral,
}

/// What is known of who can have written a znode and what stands below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Only those who may write `/zookeeper/config`, since it was made.
    Proven,
    /// The same, as far as a session without credentials can tell: servers mask digests.
    AsFarAsSeen,
    /// The same, if this session may write it: its one masked entry is of the session's own user.
    IfWritable,
    /// Others may write it, or could have.
    Doubtful(Doubt),
}

/// Why it is not known that only those who may change the ensemble wrote a znode.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Doubt {
    /// These entries of its list, as `scheme:id`, let others write.
    Open(Vec<String>),
    /// Its list was set so often since it was made. Who wrote before is not known.
    Changed(i32),
    /// It lives with a session.
    Ephemeral,
    /// It does not live with a session.
    NotEphemeral,
    /// A server does not show it: a `KeeperException.ErrorCode`.
    Unreadable(i32),
    /// It was made anew while it was read.
    Moving,
}

/// A znode of which it is not known that only those who may change the ensemble wrote it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Unproven {
    /// Its path.
    pub path: String,
    /// Why.
    pub doubt: Doubt,
}

impl OwnIds {
    /// Those of a session that was opened with this credential.
    ///
    /// The digest is the one of ZooKeeper's default algorithm; servers with another
    /// (`zookeeper.DigestAuthenticationProvider.digestAlg`) show the session's id in the list of
    /// its lock, see [`Writers::with_lock`].
    pub fn of(auth: Option<&Credential>) -> Self {
        let Some(credential) = auth else { return Self::default() };
        let (scheme, id) = credential.id();
        // Ids of other schemes are never masked.
        let user = (scheme == "digest").then(|| credential.user().to_owned());
        let id = AclEntry { scheme: scheme.to_owned(), id, permissions: AclEntry::WRITE };
        Self { user, ids: vec![id] }
    }
}

impl Writers {
    /// Those whom the list of `/zookeeper/config` lets write, and the session itself.
    pub fn of(config: &[AclEntry], own: OwnIds) -> Self {
        let config = config.iter().filter(|entry| entry.writes()).cloned().collect();
        Self { config, own }
    }

    /// With the ids that the session's own lock shows: the server has put them in the place of the
    /// entry `auth`.
    #[must_use]
    pub fn with_lock(mut self, lock: &NodeAcl, made_with: &[AclEntry]) -> Self {
        if made_with.iter().any(|entry| entry.scheme == "auth") {
            let known = |entry: &&AclEntry| !made_with.iter().any(|made| made.is_same(entry));
            self.own.ids.extend(lock.entries.iter().filter(known).cloned());
        }
        self
    }

    /// The list for what this session makes: everyone reads; those change it who may change the
    /// ensemble. A super user needs no entry, and leaves none: another super user would find a
    /// stranger's.
    ///
    /// Digests are masked for a session that may not administer the list of `/zookeeper/config`; its own ids
    /// then stand for themselves.
    pub fn list(&self) -> Vec<AclEntry> {
        const ALL: u8 = 31;
        let entry = |scheme: &str, id: &str, permissions| AclEntry {
            scheme: scheme.to_owned(),
            id: id.to_owned(),
            permissions,
        };
        let mut list = vec![entry("world", "anyone", AclEntry::READ)];
        for writer in &self.config {
            let writer = if writer.is_masked() {
                entry("auth", "", ALL)
            } else {
                entry(&writer.scheme, &writer.id, ALL)
            };
            if !list.contains(&writer) {
                list.push(writer);
            }
        }
        list
    }

    /// Whether those who wrote a znode could only be writers of the configuration.
    pub fn prove(&self, acl: &NodeAcl, life: Life) -> Proof {
        match (life, acl.owner) {
            (Life::Persistent, 0) => {}
            (Life::Persistent, _) => return Proof::Doubtful(Doubt::Ephemeral),
            (Life::Ephemeral, 0) => return Proof::Doubtful(Doubt::NotEphemeral),
            (Life::Ephemeral, _) => {}
        }
        let is_known = |entry: &&AclEntry| !self.config.iter().any(|writer| writer.is_same(entry));
        let is_own = |entry: &&AclEntry| !self.own.ids.iter().any(|own| own.is_same(entry));
        let changes = acl.entries.iter().filter(|entry| entry.changes());
        let others: Vec<&AclEntry> = changes.filter(is_known).filter(is_own).collect();
        let closed = self.masked(acl, &others);
        match closed {
            Proof::Doubtful(_) => closed,
            _ if acl.aversion != 0 => Proof::Doubtful(Doubt::Changed(acl.aversion)),
            _ => closed,
        }
    }

    /// What is known where these entries stand for neither a known writer nor the session.
    ///
    /// That the session may write proves whose the masked entry is only where no other entry lets
    /// anybody write: a session may have more than one id, by a certificate for one.
    fn masked(&self, acl: &NodeAcl, others: &[&AclEntry]) -> Proof {
        let open = || {
            let id = |entry: &&AclEntry| format!("{}:{}", entry.scheme, entry.id);
            Proof::Doubtful(Doubt::Open(others.iter().map(id).collect()))
        };
        let is_listed = |entry: &&&AclEntry| {
            entry.is_masked()
                && self.config.iter().any(|w| w.scheme == entry.scheme && w.id == entry.id)
        };
        let writes = |one: &&AclEntry| acl.entries.iter().filter(|e| e.writes()).eq([*one]);
        match (others, &self.own.user) {
            ([], _) => Proof::Proven,
            ([one], Some(user)) if one.masked_user() == Some(user) && writes(one) => {
                Proof::IfWritable
            }
            (others, None) if others.iter().all(|other| is_listed(&other)) => Proof::AsFarAsSeen,
            _ => open(),
        }
    }
}

/// What a session without credentials has read of zkplan's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderSeen {
    /// There is none, or nothing in it.
    Empty,
    /// It is an operator's, as far as was seen; the identity that it holds.
    Closed(Option<String>),
    /// That it is an operator's is not proven, and nothing in it is believed.
    Unproven(Unproven),
}

impl FolderSeen {
    /// Reads the evidence of one look.
    pub fn of(reading: &FolderRead) -> Self {
        let folder = reading.folder.as_str();
        let identity = &reading.folder.child(IDENTITY_NAME);
        let doubt = |path: &str, doubt| Self::Unproven(Unproven { path: path.to_owned(), doubt });
        let acl = match &reading.before {
            _ if reading.is_empty => return Self::Empty,
            Ok(None) => return Self::Empty,
            Ok(Some(acl)) => acl,
            Err(code) => return doubt(folder, Doubt::Unreadable(code.number())),
        };
        let same = |after: &NodeAcl| (after.czxid, after.aversion) == (acl.czxid, acl.aversion);
        if !matches!(&reading.after, Ok(Some(after)) if same(after)) {
            return doubt(folder, Doubt::Moving);
        }
        let writers = Writers::of(&reading.config, OwnIds::default());
        if let Proof::Doubtful(why) = writers.prove(acl, Life::Persistent) {
            return doubt(folder, why);
        }
        match &reading.identity {
            Kept::Absent => Self::Closed(None),
            Kept::Refused(code) => doubt(identity, Doubt::Unreadable(code.number())),
            Kept::Here { acl, text } => match writers.prove(acl, Life::Persistent) {
                Proof::Doubtful(why) => doubt(identity, why),
                Proof::Proven | Proof::AsFarAsSeen | Proof::IfWritable => {
                    Self::Closed(Some(text.clone()))
                }
            },
        }
    }

    /// What is not proven.
    pub const fn unproven(&self) -> Option<&Unproven> {
        match self {
            Self::Unproven(unproven) => Some(unproven),
            Self::Empty | Self::Closed(_) => None,
        }
    }

    /// The identity of the ensemble, where one is believed.
    pub fn identity(&self) -> Option<&str> {
        match self {
            Self::Closed(identity) => identity.as_deref(),
            Self::Empty | Self::Unproven(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ensemble::{ErrorCode, InClear, digest_id};

    fn entry(scheme: &str, id: &str, permissions: u8) -> AclEntry {
        AclEntry { scheme: scheme.into(), id: id.into(), permissions }
    }

    fn readers() -> AclEntry {
        entry("world", "anyone", AclEntry::READ)
    }

    fn acl(entries: &[AclEntry]) -> NodeAcl {
        NodeAcl { entries: entries.to_vec(), aversion: 0, owner: 0, czxid: 7, children: 2 }
    }

    fn own(user: &str, password: &str) -> OwnIds {
        OwnIds::of(Some(&Credential::digest(user, password, InClear::Loopback)))
    }

    fn proof(writers: &Writers, entries: &[AclEntry]) -> Proof {
        writers.prove(&acl(entries), Life::Persistent)
    }

    fn is_open(proof: &Proof) -> bool {
        matches!(proof, Proof::Doubtful(Doubt::Open(_)))
    }

    #[test]
    fn closed_since_it_was_made_is_proven_and_closed_later_is_not() {
        let writers = Writers::of(&[readers()], OwnIds::default());
        assert_eq!(proof(&writers, &[readers()]), Proof::Proven);
        let mut closed_later = acl(&[readers()]);
        closed_later.aversion = 1;
        let proven = writers.prove(&closed_later, Life::Persistent);
        assert_eq!(proven, Proof::Doubtful(Doubt::Changed(1)));
        assert!(is_open(&proof(&writers, &[entry("world", "anyone", 31)])));
        for permission in [2, 4, 8, 16] {
            assert!(is_open(&proof(&writers, &[entry("ip", "10.0.0.1", permission)])));
        }
    }

    #[test]
    fn only_the_very_ids_that_write_the_configuration_count() {
        let op = entry("digest", "op:hash", 3);
        let writers = Writers::of(&[readers(), op.clone()], OwnIds::default());
        assert_eq!(proof(&writers, &[readers(), entry("digest", "op:hash", 31)]), Proof::Proven);
        assert!(is_open(&proof(&writers, &[entry("digest", "op:other", 31)])));
        // Who may only read the configuration is no writer.
        let reader = Writers::of(&[entry("digest", "op:hash", 1)], OwnIds::default());
        assert!(is_open(&proof(&reader, &[op])));
    }

    #[test]
    fn a_masked_entry_is_one_of_the_own_user_that_lets_it_write_or_none() {
        let masked = entry("digest", "op:x", 31);
        let config = [readers(), entry("digest", "op:x", 3)];
        let op = Writers::of(&config, own("op", "secret"));
        assert_eq!(proof(&op, &[readers(), masked.clone()]), Proof::IfWritable);
        assert!(is_open(&proof(&op, &[masked.clone(), masked.clone()])));
        assert!(is_open(&proof(&op, &[entry("digest", "admin:x", 31)])));
        // The session may write by another id, and the masked one is a stranger's.
        let by_certificate = entry("x509", "CN=op", 3);
        let both =
            Writers::of(&[by_certificate.clone(), entry("digest", "op:x", 3)], own("op", "s"));
        assert!(is_open(&proof(&both, &[by_certificate, masked.clone()])));
        let none = Writers::of(&config, OwnIds::default());
        assert_eq!(proof(&none, std::slice::from_ref(&masked)), Proof::AsFarAsSeen);
        // A super user sees every digest; a masked one is not expected, and is a stranger's.
        let root = Writers::of(&[readers()], own("super", "secret"));
        assert!(is_open(&proof(&root, &[masked])));
        let named_alike = entry("digest", "super:of-another", 31);
        assert!(is_open(&proof(&root, &[named_alike])));
    }

    #[test]
    fn own_ids_are_those_of_the_credential_and_of_the_lock() {
        let op = own("op", "secret");
        let literal = entry("digest", &digest_id("op", "secret"), 31);
        let writers = Writers::of(&[entry("digest", "op:x", 3)], op);
        assert_eq!(proof(&writers, std::slice::from_ref(&literal)), Proof::Proven);
        // With another digestAlg.
        let other = entry("digest", "op:sha-512", 31);
        assert!(is_open(&proof(&writers, std::slice::from_ref(&other))));
        let made_with = writers.list();
        assert_eq!(made_with, [readers(), entry("auth", "", 31)]);
        let lock = NodeAcl { owner: 5, ..acl(&[readers(), other.clone()]) };
        let writers = writers.with_lock(&lock, &made_with);
        assert_eq!(proof(&writers, &[other]), Proof::Proven);
    }

    #[test]
    fn nothing_of_a_super_user_is_left_behind() {
        let root = Writers::of(&[readers()], own("super", "secret"));
        assert_eq!(root.list(), [readers()]);
    }

    #[test]
    fn a_lock_lives_with_a_session_and_nothing_else_does() {
        let writers = Writers::of(&[readers()], OwnIds::default());
        let mut lock = acl(&[readers()]);
        assert_eq!(writers.prove(&lock, Life::Ephemeral), Proof::Doubtful(Doubt::NotEphemeral));
        lock.owner = 5;
        assert_eq!(writers.prove(&lock, Life::Ephemeral), Proof::Proven);
        assert_eq!(writers.prove(&lock, Life::Persistent), Proof::Doubtful(Doubt::Ephemeral));
    }

    #[test]
    fn an_identity_counts_from_a_folder_that_held_still_and_is_closed() {
        let seen = FolderSeen::of;
        let made = FolderRead::of_super(Some("us"));
        assert_eq!(seen(&made).identity(), Some("us"));
        let mut open = made.clone();
        if let Kept::Here { acl, .. } = &mut open.identity {
            acl.aversion = 1;
        }
        assert_eq!(seen(&open).identity(), None);
        let mut swapped = made.clone();
        swapped.after = Ok(Some(NodeAcl { czxid: 9, ..acl(&[readers()]) }));
        assert!(matches!(
            seen(&swapped),
            FolderSeen::Unproven(Unproven { doubt: Doubt::Moving, .. })
        ));
        let unreadable = FolderRead { identity: Kept::Refused(ErrorCode::NoAuth), ..made };
        assert_eq!(seen(&unreadable).identity(), None);
        assert_eq!(seen(&FolderRead::default()), FolderSeen::Empty);
    }
}
