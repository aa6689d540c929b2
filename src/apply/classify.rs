//! The meaning of an answer to a reconfig.

use crate::ensemble::{Code, Failure};

/// The outcome of a reconfig that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
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
    Wrong(Code),
}

/// The class of an answer. Only an answer of the leader before the proposal is a refusal
/// (`PrepRequestProcessor`, `case OpCode.reconfig`). Every other error leaves the outcome open.
pub const fn classify(failure: Failure) -> Class {
    let code = match failure {
        Failure::Refused(code) => code,
        Failure::Unknown | Failure::NotSent | Failure::InClear => return Class::Unknown,
        Failure::SessionOver => return Class::SessionOver,
    };
    Class::Refused(match code {
        Code::BadVersion => Refused::Moved,
        Code::ReconfigInProgress => Refused::InProgress,
        Code::NewConfigNoQuorum => Refused::NoQuorum,
        Code::NoAuth => Refused::NotAuthorized,
        Code::ReconfigDisabled | Code::Unimplemented => Refused::Disabled,
        Code::ThrottledOp => Refused::Busy,
        Code::BadArguments
        | Code::MarshallingError
        | Code::NotReadOnly
        | Code::QuotaExceeded
        | Code::InvalidAcl => Refused::Wrong(code),
        Code::SystemError
        | Code::RuntimeInconsistency
        | Code::DataInconsistency
        | Code::ConnectionLoss
        | Code::OperationTimeout
        | Code::UnknownSession
        | Code::ApiError
        | Code::NoNode
        | Code::NoChildrenForEphemerals
        | Code::NodeExists
        | Code::NotEmpty
        | Code::SessionExpired
        | Code::InvalidCallback
        | Code::AuthFailed
        | Code::SessionMoved
        | Code::EphemeralOnLocalSession
        | Code::NoWatcher
        | Code::RequestTimeout
        | Code::SessionClosedRequireSaslAuth
        | Code::Other(_) => return Class::Unknown,
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
            (-5, Refused::Wrong(Code::MarshallingError)),
            (-6, Refused::Disabled),
            (-8, Refused::Wrong(Code::BadArguments)),
            (-13, Refused::NoQuorum),
            (-14, Refused::InProgress),
            (-102, Refused::NotAuthorized),
            (-103, Refused::Moved),
            (-114, Refused::Wrong(Code::InvalidAcl)),
            (-119, Refused::Wrong(Code::NotReadOnly)),
            (-123, Refused::Disabled),
            (-125, Refused::Wrong(Code::QuotaExceeded)),
            (-127, Refused::Busy),
        ];
        assert_eq!(Code::ALL.len(), 31);
        for code in Code::ALL {
            let listed = refused.iter().find(|(number, _)| *number == code.number());
            let wanted = listed.map_or(Class::Unknown, |(_, why)| Class::Refused(*why));
            assert_eq!(classify(Failure::Refused(*code)), wanted, "{code}");
            assert_eq!(Code::of(code.number()), *code);
        }
        for number in [-9, -104, -999, 7] {
            assert_eq!(classify(Failure::Refused(Code::of(number))), Class::Unknown);
        }
        assert_eq!(classify(Failure::Unknown), Class::Unknown);
        assert_eq!(classify(Failure::NotSent), Class::Unknown);
        assert_eq!(classify(Failure::SessionOver), Class::SessionOver);
    }
}
