//! The znodes, as far as zkplan uses them.
//!
//! Not modelled: watches, sequential and TTL znodes, quotas, and the enforcement of ACLs. ACLs are
//! stored and returned.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config::Config;
use crate::ensemble::{AclEntry, CONFIG, ErrorCode, Lifetime, Node, NodeAcl, Op};

/// One znode.
#[derive(Debug, Clone)]
struct Znode {
    data: Arc<[u8]>,
    acl: Arc<[AclEntry]>,
    czxid: u64,
    mzxid: u64,
    version: i32,
    /// How often its list was set.
    aversion: i32,
    owner: i64,
}

/// All znodes.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    nodes: BTreeMap<Arc<str>, Znode>,
    public: Arc<[AclEntry]>,
}

/// A part of a transaction that waits.
#[derive(Debug, Clone)]
pub(super) enum Owned {
    Check(Arc<str>, i32),
    Create(Arc<str>, Arc<[u8]>, Lifetime, Arc<[AclEntry]>),
    Set(Arc<str>, Arc<[u8]>),
    Delete(Arc<str>),
}

impl Owned {
    pub(super) fn of(op: &Op<'_>) -> Self {
        match *op {
            Op::Check { path, version } => Self::Check(path.into(), version),
            Op::Create { path, data, lifetime, acl } => {
                Self::Create(path.into(), data.into(), lifetime, acl.into())
            }
            Op::Set { path, data } => Self::Set(path.into(), data.into()),
            Op::Delete { path } => Self::Delete(path.into()),
        }
    }

    pub(super) fn as_op(&self) -> Op<'_> {
        match self {
            Self::Check(path, version) => Op::Check { path, version: *version },
            Self::Create(path, data, lifetime, acl) => {
                Op::Create { path, data, lifetime: *lifetime, acl }
            }
            Self::Set(path, data) => Op::Set { path, data },
            Self::Delete(path) => Op::Delete { path },
        }
    }
}

impl Tree {
    /// The znodes that every server begins with (`DataTree`).
    pub(super) fn new(config: &Config) -> Self {
        let reader = |permissions| AclEntry {
            scheme: "world".to_owned(),
            id: "anyone".to_owned(),
            permissions,
        };
        let everybody: Arc<[AclEntry]> = Arc::from([reader(31)]);
        // `ZooDefs.Ids.READ_ACL_UNSAFE`, since 3.5.3 (ZOOKEEPER-2014).
        let readers: Arc<[AclEntry]> = Arc::from([reader(AclEntry::READ)]);
        let znode = |acl: &Arc<[AclEntry]>| Znode {
            data: Arc::from([]),
            acl: Arc::clone(acl),
            czxid: 0,
            mzxid: 0,
            version: 0,
            aversion: 0,
            owner: 0,
        };
        let mut nodes = BTreeMap::new();
        for path in ["/", "/zookeeper", "/zookeeper/quota"] {
            nodes.insert(Arc::from(path), znode(&everybody));
        }
        // Its data version stays at -1 (`DataTree.addConfigNode`).
        let data = Arc::clone(&config.text);
        let node = Znode { data, mzxid: config.version(), version: -1, ..znode(&readers) };
        nodes.insert(Arc::from(CONFIG), node);
        Self { nodes, public: Arc::from([]) }
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn get(&self, path: &str) -> Option<Node> {
        let node = self.nodes.get(path)?;
        Some(Node {
            data: node.data.to_vec(),
            czxid: node.czxid.cast_signed(),
            mzxid: node.mzxid.cast_signed(),
            version: node.version,
            owner: node.owner,
        })
    }

    pub(super) fn acl(&self, path: &str) -> Option<NodeAcl> {
        let node = self.nodes.get(path)?;
        Some(NodeAcl {
            entries: node.acl.to_vec(),
            aversion: node.aversion,
            owner: node.owner,
            czxid: node.czxid.cast_signed(),
            children: i32::try_from(self.children(path).len()).unwrap_or(i32::MAX),
        })
    }

    /// Sets the ACL of an existing znode, as any client may that the ACL allows (`DataTree.setACL`:
    /// every call counts, even one that changes nothing).
    pub(super) fn set_acl(&mut self, path: &str, acl: &[AclEntry]) {
        if let Some(node) = self.nodes.get_mut(path) {
            node.acl = Arc::from(acl);
            node.aversion = node.aversion.wrapping_add(1);
        }
    }

    /// The names of a znode's children, sorted.
    pub(super) fn children(&self, path: &str) -> Vec<String> {
        let below = self
            .nodes
            .range::<str, _>((std::ops::Bound::Excluded(path), std::ops::Bound::Unbounded));
        // The path of the root already ends with the slash that separates children.
        let path = if path == "/" { "" } else { path };
        let names = below.map_while(|(full, _)| full.strip_prefix(path));
        let names = names.filter_map(|rest| rest.strip_prefix('/'));
        names.filter(|name| !name.contains('/')).map(str::to_owned).collect()
    }

    /// The data of the configuration (`DataTree.processTxn`, `OpCode.reconfig`).
    pub(super) fn configure(&mut self, config: &Config) {
        if let Some(node) = self.nodes.get_mut(CONFIG) {
            node.data = Arc::clone(&config.text);
            node.mzxid = config.version();
        }
    }

    /// Carries out all operations, or none. Each one sees the effects of those before it
    /// (`PrepRequestProcessor`, `OpCode.multi`: `outstandingChanges`).
    pub(super) fn transact(
        &mut self,
        zxid: u64,
        session: i64,
        ops: &[Op<'_>],
    ) -> Result<(), ErrorCode> {
        let mut before = Vec::with_capacity(ops.len());
        for op in ops {
            if let Err(code) = self.check(op) {
                for (path, node) in before.into_iter().rev() {
                    self.put_back(path, node);
                }
                return Err(code);
            }
            before.extend(self.carry_out(zxid, session, op));
        }
        Ok(())
    }

    fn check(&self, op: &Op<'_>) -> Result<(), ErrorCode> {
        match *op {
            // Every failed check is reported in one way, as the port promises.
            Op::Check { path, version } => match self.nodes.get(path) {
                Some(node) if version == -1 || node.version == version => Ok(()),
                _ => Err(ErrorCode::BadVersion),
            },
            Op::Create { path, .. } if self.has(path) => Err(ErrorCode::NodeExists),
            Op::Create { path, .. } => {
                let parent = path.rsplit_once('/').map_or("/", |(parent, _)| parent);
                match self.nodes.get(if parent.is_empty() { "/" } else { parent }) {
                    Some(node) if node.owner != 0 => Err(ErrorCode::NoChildrenForEphemerals),
                    Some(_) => Ok(()),
                    None => Err(ErrorCode::NoNode),
                }
            }
            Op::Set { path, .. } | Op::Delete { path } if !self.has(path) => Err(ErrorCode::NoNode),
            Op::Delete { path } if !self.children(path).is_empty() => Err(ErrorCode::NotEmpty),
            Op::Set { .. } | Op::Delete { .. } => Ok(()),
        }
    }

    /// Carries a part out; the znode that it changes, as it was.
    fn carry_out<'a>(
        &mut self,
        zxid: u64,
        session: i64,
        op: &Op<'a>,
    ) -> Option<(&'a str, Option<Znode>)> {
        let (path, before) = match *op {
            Op::Check { .. } => return None,
            Op::Create { path, data, lifetime, acl } => {
                let owner = if lifetime == Lifetime::Ephemeral { session } else { 0 };
                let acl = if acl.is_empty() { Arc::clone(&self.public) } else { Arc::from(acl) };
                let data = Arc::from(data);
                let node =
                    Znode { data, acl, czxid: zxid, mzxid: zxid, version: 0, aversion: 0, owner };
                (path, self.nodes.insert(Arc::from(path), node))
            }
            Op::Set { path, data } => {
                let before = self.nodes.get(path).cloned();
                self.set_many(zxid, path, data, 1);
                (path, before)
            }
            Op::Delete { path } => (path, self.nodes.remove(path)),
        };
        Some((path, before))
    }

    fn put_back(&mut self, path: &str, node: Option<Znode>) {
        match node {
            Some(node) => self.nodes.insert(Arc::from(path), node),
            None => self.nodes.remove(path),
        };
    }

    /// Writes an existing znode `count` times. The last write has the zxid `zxid`.
    pub(super) fn set_many(&mut self, zxid: u64, path: &str, data: &[u8], count: i32) {
        if let Some(node) = self.nodes.get_mut(path) {
            node.data = Arc::from(data);
            node.mzxid = zxid;
            node.version = node.version.wrapping_add(count);
        }
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.nodes.contains_key(path)
    }

    /// Deletes the ephemeral znodes of a session (`DataTree.killSession`).
    pub(super) fn delete_ephemerals(&mut self, session: i64) {
        self.nodes.retain(|_, node| node.owner != session);
    }

    /// Whether anything lives with a session.
    pub(super) fn has_of(&self, session: i64) -> bool {
        self.nodes.values().any(|node| node.owner == session)
    }
}
