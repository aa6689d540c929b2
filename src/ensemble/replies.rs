//! The meaning of what the client library answers.

use std::fmt;

use zookeeper_client::{Acl, Error, Permission, Stat};

use super::ErrorCode;
use super::port::{AclEntry, NodeAcl, RequestError};

/// A data version that no znode ever has. A write with it changes nothing, and shows whether it
/// would have been allowed (the server checks the ACL first).
pub(super) const IMPOSSIBLE_DATA_VERSION: i32 = 0x7fff_fffe;

/// The meaning of an error of the library for its request.
///
/// The library also declares a session expired by its own clock. That is not trusted: the outcome
/// of the request is unknown until a server has reported whether the session has expired.
pub(super) fn failure(cause: &Error) -> RequestError {
    RequestError::Refused(match cause {
        Error::NoNode => ErrorCode::NoNode,
        Error::NoAuth => ErrorCode::NoAuth,
        Error::BadVersion => ErrorCode::BadVersion,
        Error::NoChildrenForEphemerals => ErrorCode::NoChildrenForEphemerals,
        Error::NodeExists => ErrorCode::NodeExists,
        Error::NotEmpty => ErrorCode::NotEmpty,
        Error::InvalidAcl => ErrorCode::InvalidAcl,
        Error::NotReadOnly => ErrorCode::NotReadOnly,
        Error::NoWatcher => ErrorCode::NoWatcher,
        Error::QuotaExceeded => ErrorCode::QuotaExceeded,
        Error::Throttled => ErrorCode::ThrottledOp,
        Error::MarshallingError => ErrorCode::MarshallingError,
        Error::Unimplemented => ErrorCode::Unimplemented,
        Error::BadArguments(_) => ErrorCode::BadArguments,
        Error::ReconfigDisabled => ErrorCode::ReconfigDisabled,
        Error::UnexpectedErrorCode(number) => ErrorCode::of(*number),
        _ => return RequestError::Unknown,
    })
}

/// A list with its `Stat`; `None` where there is no such znode.
pub(super) fn listed(answer: Result<(Vec<Acl>, Stat), Error>) -> Result<Option<NodeAcl>, Error> {
    match answer {
        Ok((acl, stat)) => Ok(Some(NodeAcl {
            entries: acl.iter().map(entry).collect(),
            aversion: stat.aversion,
            owner: stat.ephemeral_owner,
            czxid: stat.czxid,
            children: stat.num_children,
        })),
        Err(Error::NoNode) => Ok(None),
        Err(cause) => Err(cause),
    }
}

fn entry(acl: &Acl) -> AclEntry {
    let bit = |permission: Permission, bit: u8| {
        if acl.permission().has(permission) { bit } else { 0 }
    };
    AclEntry {
        scheme: acl.scheme().to_owned(),
        id: acl.id().to_owned(),
        permissions: bit(Permission::READ, AclEntry::READ)
            | bit(Permission::WRITE, AclEntry::WRITE)
            | bit(Permission::CREATE, AclEntry::CREATE)
            | bit(Permission::DELETE, AclEntry::DELETE)
            | bit(Permission::ADMIN, AclEntry::ADMIN),
    }
}

/// How a request went, for the log.
pub(super) fn outcome<T, E: fmt::Debug>(of: &Result<T, E>) -> String {
    of.as_ref().err().map_or_else(|| "ok".to_owned(), |error| format!("{error:?}"))
}
