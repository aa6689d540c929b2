//! The meaning of an answer to a reconfig.

use crate::ensemble::{ErrorCode, RequestError};

/// The outcome of a reconfig that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplyClass {
    /// It was refused before it was proposed: it has changed nothing and never will.
    Refused(Refused),
    /// Whether it was carried out, or still will be, is not known.
    Unknown,
    /// The session is over, and with it the lock.
    SessionOver,
}

/// Why a reconfig was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refused {
    /// The configuration has another version: it was changed, or an earlier request of ours was
    /// carried out after all.
    Moved,
    /// Another reconfig is under way.
    InProgress,
    /// No quorum of the next voters is connected and synced.
    NoQuorum,
    /// The session may not change the configuration.
    NotAuthorized,
    /// Reconfigs are switched off, or this is no ensemble.
    Disabled,
    /// The server is too busy.
    Busy,
    /// The request is wrong.
    Wrong(ErrorCode),
}

/// The class of an answer. Only an answer of the leader before the proposal is a refusal
/// (`PrepRequestProcessor`, `case OpCode.reconfig`). Every other error leaves the outcome open.
pub const fn classify(failure: RequestError) -> ReplyClass {
    let code = match failure {
        RequestError::Refused(code) => code,
        RequestError::Unknown | RequestError::NotSent | RequestError::InClear => {
            return ReplyClass::Unknown;
        }
        RequestError::SessionOver => return ReplyClass::SessionOver,
    };
    ReplyClass::Refused(match code {
        ErrorCode::BadVersion => Refused::Moved,
        ErrorCode::ReconfigInProgress => Refused::InProgress,
        ErrorCode::NewConfigNoQuorum => Refused::NoQuorum,
        ErrorCode::NoAuth => Refused::NotAuthorized,
        ErrorCode::ReconfigDisabled | ErrorCode::Unimplemented => Refused::Disabled,
        ErrorCode::ThrottledOp => Refused::Busy,
        ErrorCode::BadArguments
        | ErrorCode::MarshallingError
        | ErrorCode::NotReadOnly
        | ErrorCode::QuotaExceeded
        | ErrorCode::InvalidAcl => Refused::Wrong(code),
        ErrorCode::SystemError
        | ErrorCode::RuntimeInconsistency
        | ErrorCode::DataInconsistency
        | ErrorCode::ConnectionLoss
        | ErrorCode::OperationTimeout
        | ErrorCode::UnknownSession
        | ErrorCode::ApiError
        | ErrorCode::NoNode
        | ErrorCode::NoChildrenForEphemerals
        | ErrorCode::NodeExists
        | ErrorCode::NotEmpty
        | ErrorCode::SessionExpired
        | ErrorCode::InvalidCallback
        | ErrorCode::AuthFailed
        | ErrorCode::SessionMoved
        | ErrorCode::EphemeralOnLocalSession
        | ErrorCode::NoWatcher
        | ErrorCode::RequestTimeout
        | ErrorCode::SessionClosedRequireSaslAuth
        | ErrorCode::Other(_) => return ReplyClass::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every code of ZooKeeper, and its class. A code that is missing here, or has another class,
    /// fails the test.
    #[test]
    fn every_code_has_its_class() {
        let refused: &[(i32, Refused)] = &[
            (-5, Refused::Wrong(ErrorCode::MarshallingError)),
            (-6, Refused::Disabled),
            (-8, Refused::Wrong(ErrorCode::BadArguments)),
            (-13, Refused::NoQuorum),
            (-14, Refused::InProgress),
            (-102, Refused::NotAuthorized),
            (-103, Refused::Moved),
            (-114, Refused::Wrong(ErrorCode::InvalidAcl)),
            (-119, Refused::Wrong(ErrorCode::NotReadOnly)),
            (-123, Refused::Disabled),
            (-125, Refused::Wrong(ErrorCode::QuotaExceeded)),
            (-127, Refused::Busy),
        ];
        assert_eq!(ErrorCode::ALL.len(), 31);
        for code in ErrorCode::ALL {
            let listed = refused.iter().find(|(number, _)| *number == code.number());
            let wanted = listed.map_or(ReplyClass::Unknown, |(_, why)| ReplyClass::Refused(*why));
            assert_eq!(classify(RequestError::Refused(*code)), wanted, "{code}");
            assert_eq!(ErrorCode::of(code.number()), *code);
        }
        for number in [-9, -104, -999, 7] {
            assert_eq!(classify(RequestError::Refused(ErrorCode::of(number))), ReplyClass::Unknown);
        }
        assert_eq!(classify(RequestError::Unknown), ReplyClass::Unknown);
        assert_eq!(classify(RequestError::NotSent), ReplyClass::Unknown);
        assert_eq!(classify(RequestError::SessionOver), ReplyClass::SessionOver);
    }
}
