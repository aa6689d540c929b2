//! How values of flags are read. Each error says what to give instead.

use std::collections::BTreeSet;
use std::fmt;

use crate::check::Law;
use crate::explain;
use crate::model::{Millis, ServerId};
use crate::observe::{FindingKind, contact};
use crate::plan::{Acceptance, StepId};
use crate::spec;

/// The members to restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Restarted {
    /// Every one.
    All,
    /// These.
    Ids(BTreeSet<ServerId>),
}

impl Restarted {
    /// Which members that is.
    pub(super) fn of(&self, members: &BTreeSet<ServerId>) -> BTreeSet<ServerId> {
        match self {
            Self::All => members.clone(),
            Self::Ids(ids) => ids.clone(),
        }
    }
}

impl fmt::Display for Restarted {
    /// As it is typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Ids(ids) => {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                f.write_str(&ids.join(","))
            }
        }
    }
}

/// The path of a znode.
pub(super) fn znode_path(text: &str) -> Result<String, String> {
    let is_path =
        text == "/" || text.starts_with('/') && !text.ends_with('/') && !text.contains("//");
    if is_path {
        Ok(text.to_owned())
    } else {
        Err("a path begins with a slash and does not end with one, like /app/locks".to_owned())
    }
}

pub(super) fn label(text: &str) -> Result<String, String> {
    if spec::is_label(text) { Ok(text.to_owned()) } else { Err(spec::LABEL_FORM.to_owned()) }
}

/// One address of a connect string; blanks around it are nothing, as to ZooKeeper's own client
/// (`ConnectStringParser`).
pub(super) fn client_address(text: &str) -> Result<String, String> {
    let text = text.trim();
    match contact(text, false) {
        Some(_) => Ok(text.to_owned()),
        None => Err("give host:port, without a chroot".to_owned()),
    }
}

pub(super) fn user(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(':') {
        return Err("give a user name without a colon".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn duration(text: &str) -> Result<Millis, String> {
    text.parse().map_err(ToOwned::to_owned)
}

pub(super) fn acceptance(text: &str) -> Result<Acceptance, String> {
    let (code, step) = match text.split_once(':') {
        Some((code, step)) => (code.to_ascii_uppercase(), Some(StepId::new(step))),
        None => (text.to_ascii_uppercase(), None),
    };
    let law = Law::ALL.into_iter().find(|law| law.code() == code);
    match (law, &step) {
        (Some(law), _) if !law.is_acceptable() => {
            Err(format!("{code} cannot be accepted; see `zkplan explain {code}`"))
        }
        (Some(_), None) => Err(format!("{code} is accepted for one step, like {code}:join-2")),
        (None, Some(_)) if FindingKind::ACCEPTED.contains(&&*code) => {
            Err(format!("{code} is accepted without a step: --accept {code}"))
        }
        (Some(_), Some(_)) => Ok(Acceptance { code, step }),
        (None, None) if FindingKind::ACCEPTED.contains(&&*code) => Ok(Acceptance { code, step }),
        (None, _) if code.starts_with("ZKF") && explain::page(&code).is_some() => {
            Err(format!("{code} blocks no plan: it needs no acceptance"))
        }
        (None, _) => {
            Err(format!("`{code}` is not a code of a rule or finding; see `zkplan explain`"))
        }
    }
}

/// The members to restart: `all`, or ids.
pub(super) fn restarted(text: &str) -> Result<Restarted, String> {
    if text.eq_ignore_ascii_case("all") {
        return Ok(Restarted::All);
    }
    let id = |text: &str| text.trim().parse().map(ServerId::new).map_err(|_| ());
    let ids: Result<BTreeSet<ServerId>, ()> = text.split(',').map(id).collect();
    ids.map(Restarted::Ids)
        .map_err(|()| "give all, or ids with commas between, like 1,3".to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_can_never_be_accepted_is_a_mistake_of_the_command_line() {
        let wrong = |text: &str| super::acceptance(text).expect_err(text);
        for (text, says) in [
            ("ZKQ3:join-4", "ZKQ3 cannot be accepted; see `zkplan explain ZKQ3`"),
            ("zku1", "ZKU1 cannot be accepted; see `zkplan explain ZKU1`"),
            ("ZKQ2", "ZKQ2 is accepted for one step, like ZKQ2:join-2"),
            ("ZKF1:join-2", "ZKF1 is accepted without a step: --accept ZKF1"),
            ("ZKF8", "ZKF8 blocks no plan: it needs no acceptance"),
        ] {
            assert_eq!(wrong(text), says);
        }
        for text in ["probe", "exit-codes", "ZKQ99", ""] {
            assert!(wrong(text).contains("is not a code of a rule or finding"), "{text}");
        }
        for text in ["zkq2:join-2", "ZKQ10:readdress-2", "ZKF1", "zkf13"] {
            assert!(super::acceptance(text).is_ok(), "{text}");
        }
    }
}
