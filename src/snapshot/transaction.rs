//! One transaction of a log (`SerializeUtils.deserializeTxn`, the records of `org.apache.zookeeper.txn`).

use super::damage::{DamageKind, ReadFailure};
use super::digest::DIGEST_VERSION;
use super::fields::Fields;

/// What every transaction begins with (`TxnHeader`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TransactionHeader {
    /// The session that asked for it.
    pub(super) session: i64,
    /// The number that the client gave it.
    pub(super) cxid: i32,
    /// Its own number.
    pub(super) zxid: u64,
    /// When, in milliseconds since 1970, as the clock of the leader had it.
    pub(super) time_ms: i64,
}

/// Who a znode belongs to that is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CreatedAs {
    Persistent,
    /// It ends with the session that creates it.
    Ephemeral,
    Container,
    /// With its time to live in milliseconds.
    Ttl(i64),
}

/// What a transaction does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation<'a> {
    Create {
        path: &'a [u8],
        data: Option<&'a [u8]>,
        kind: CreatedAs,
        /// How often the children of the parent have changed then; -1 leaves it to the server.
        parent_cversion: i32,
        /// Type 1 alone has a server count a child that is there already.
        counts_anyway: bool,
    },
    Delete {
        path: &'a [u8],
    },
    SetData {
        path: &'a [u8],
        data: Option<&'a [u8]>,
        version: i32,
        /// Type 16: the data are a membership.
        is_reconfig: bool,
    },
    SetAcl {
        path: &'a [u8],
        version: i32,
    },
    CreateSession {
        timeout_ms: i32,
    },
    /// With the ephemeral znodes that go, since 3.6.
    CloseSession {
        paths: Vec<&'a [u8]>,
    },
    /// It failed, or only checks: the tree stays as it is.
    Nothing,
    /// Parts that hold together, none of them failed.
    Multi(Vec<Self>),
}

/// A transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Transaction<'a> {
    pub(super) header: TransactionHeader,
    pub(super) operation: Operation<'a>,
    /// The digest of the tree behind it; `None` where the server wrote none, or one of another version.
    pub(super) digest: Option<u64>,
}

/// `ZooDefs.OpCode`, as far as logs have them.
mod op {
    pub(super) const ERROR: i32 = -1;
    pub(super) const CREATE: i32 = 1;
    pub(super) const DELETE: i32 = 2;
    pub(super) const SET_DATA: i32 = 5;
    pub(super) const SET_ACL: i32 = 7;
    pub(super) const CHECK: i32 = 13;
    pub(super) const MULTI: i32 = 14;
    pub(super) const CREATE_2: i32 = 15;
    pub(super) const RECONFIG: i32 = 16;
    pub(super) const CREATE_CONTAINER: i32 = 19;
    pub(super) const DELETE_CONTAINER: i32 = 20;
    pub(super) const CREATE_TTL: i32 = 21;
    pub(super) const CREATE_SESSION: i32 = -10;
    pub(super) const CLOSE_SESSION: i32 = -11;
}

/// The length of a digest behind a transaction.
const DIGEST: usize = 12;

impl<'a> Transaction<'a> {
    /// Reads the payload of a record that stands there in the file.
    pub(super) fn parse(payload: &'a [u8], offset: u64) -> Result<Self, ReadFailure> {
        let mut fields = Fields::new(payload, offset);
        let session = fields.long("clientId")?;
        let cxid = fields.int("cxid")?;
        let zxid = fields.unsigned("zxid")?;
        let time_ms = fields.long("time")?;
        let at = fields.offset();
        let kind = fields.int("type")?;
        let header = TransactionHeader { session, cxid, zxid, time_ms };
        let operation = match kind {
            op::CREATE_SESSION => Operation::CreateSession { timeout_ms: fields.int("timeOut")? },
            op::CLOSE_SESSION => close_session(&mut fields)?,
            op::MULTI => multi(&mut fields)?,
            op::RECONFIG => set_data(&mut fields, true)?,
            // A check stands inside a multi only.
            op::CHECK => return Err(unknown(kind, at)),
            _ => simple(kind, at, &mut fields)?,
        };
        let digest = digest(&mut fields)?;
        Ok(Self { header, operation, digest })
    }
}

fn unknown(kind: i32, at: u64) -> ReadFailure {
    ReadFailure::new(at, "type", DamageKind::Value { value: kind.into() })
}

/// An operation that can also be a part of a multi.
fn simple<'a>(kind: i32, at: u64, fields: &mut Fields<'a>) -> Result<Operation<'a>, ReadFailure> {
    Ok(match kind {
        op::CREATE | op::CREATE_2 | op::CREATE_CONTAINER | op::CREATE_TTL => create(kind, fields)?,
        op::DELETE | op::DELETE_CONTAINER => Operation::Delete { path: path(fields)? },
        op::SET_DATA => set_data(fields, false)?,
        op::SET_ACL => {
            let path = path(fields)?;
            acl(fields)?;
            Operation::SetAcl { path, version: fields.int("version")? }
        }
        op::ERROR => {
            fields.int("err")?;
            Operation::Nothing
        }
        op::CHECK => {
            path(fields)?;
            fields.int("version")?;
            Operation::Nothing
        }
        _ => return Err(unknown(kind, at)),
    })
}

fn create<'a>(kind: i32, fields: &mut Fields<'a>) -> Result<Operation<'a>, ReadFailure> {
    let path = path(fields)?;
    let data = fields.buffer("data")?;
    acl(fields)?;
    let has_flag = kind == op::CREATE || kind == op::CREATE_2;
    let is_ephemeral = has_flag && fields.boolean("ephemeral")?;
    // What 3.3 wrote ends here.
    let is_old = kind == op::CREATE && fields.left().is_empty();
    let parent_cversion = if is_old { -1 } else { fields.int("parentCVersion")? };
    let created_as = match kind {
        op::CREATE_CONTAINER => CreatedAs::Container,
        op::CREATE_TTL => CreatedAs::Ttl(fields.long("ttl")?),
        _ if is_ephemeral => CreatedAs::Ephemeral,
        _ => CreatedAs::Persistent,
    };
    let counts_anyway = kind == op::CREATE;
    Ok(Operation::Create { path, data, kind: created_as, parent_cversion, counts_anyway })
}

fn set_data<'a>(fields: &mut Fields<'a>, is_reconfig: bool) -> Result<Operation<'a>, ReadFailure> {
    let path = path(fields)?;
    let data = fields.buffer("data")?;
    Ok(Operation::SetData { path, data, version: fields.int("version")?, is_reconfig })
}

/// The paths of znodes that go with a session. 3.5 writes none, and so do later ones with
/// `closeSessionTxn.enabled=false`: then a digest may follow at once, whose version is no count that
/// fits into its length.
fn close_session<'a>(fields: &mut Fields<'a>) -> Result<Operation<'a>, ReadFailure> {
    let left = fields.left();
    let is_digest = left.len() == DIGEST && left.starts_with(&DIGEST_VERSION.to_be_bytes());
    let mut paths = Vec::new();
    if !left.is_empty() && !is_digest {
        for _ in 0..fields.count("paths2Delete")? {
            paths.push(path(fields)?);
        }
    }
    Ok(Operation::CloseSession { paths })
}

fn multi<'a>(fields: &mut Fields<'a>) -> Result<Operation<'a>, ReadFailure> {
    let (mut parts, mut has_failed) = (Vec::new(), false);
    for _ in 0..fields.count("txns")? {
        let at = fields.offset();
        let kind = fields.int("type")?;
        let body = fields.offset() + 4;
        let bytes = fields.buffer("data")?.unwrap_or_default();
        let mut part = Fields::new(bytes, body);
        if kind == op::ERROR {
            // The parts before the one that failed keep what they were to do, behind this type; a server
            // looks at the first four bytes alone.
            part.int("err")?;
            has_failed = true;
            continue;
        }
        // Access control lists are not set inside a multi (`DataTree.processTxn`).
        let is_part = kind != op::SET_ACL;
        let operation =
            if is_part { simple(kind, at, &mut part)? } else { return Err(unknown(kind, at)) };
        if !part.left().is_empty() {
            return Err(ReadFailure::new(part.offset(), "txns", DamageKind::Surplus));
        }
        parts.push(operation);
    }
    Ok(if has_failed { Operation::Nothing } else { Operation::Multi(parts) })
}

/// Where a znode can be: the root, or a path that begins with a slash and does not end with one.
fn path<'a>(fields: &mut Fields<'a>) -> Result<&'a [u8], ReadFailure> {
    let at = fields.offset();
    let path = fields.string("path")?;
    if path.first() == Some(&b'/') && (path.len() == 1 || path.last() != Some(&b'/')) {
        return Ok(path);
    }
    let kind = DamageKind::Path { path: super::damage::shown(path) };
    Err(ReadFailure::new(at, "path", kind))
}

/// Passes over an access control list; a length of -1 is none.
fn acl(fields: &mut Fields<'_>) -> Result<(), ReadFailure> {
    if fields.left().starts_with(&(-1_i32).to_be_bytes()) {
        fields.int("acl")?;
        return Ok(());
    }
    for _ in 0..fields.count("acl")? {
        fields.int("perms")?;
        fields.buffer("scheme")?;
        fields.buffer("id")?;
    }
    Ok(())
}

/// The digest behind the operation, where one is.
fn digest(fields: &mut Fields<'_>) -> Result<Option<u64>, ReadFailure> {
    if fields.left().is_empty() {
        return Ok(None);
    }
    let at = fields.offset();
    let version = fields.int("digest version")?;
    let digest = fields.unsigned("digest")?;
    if !fields.left().is_empty() {
        return Err(ReadFailure::new(at, "digest", DamageKind::Surplus));
    }
    Ok((version == DIGEST_VERSION).then_some(digest))
}
