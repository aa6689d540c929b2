//! How values of flags are read. Each error says what to give instead.

use std::collections::BTreeSet;
use std::fmt;

use crate::model::{Endpoint, Millis, ServerId, risk_of};
use crate::observe::contact;
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

/// The client address of a leader, without TLS; the port is 2181 where none is given.
pub(super) fn leader(text: &str) -> Result<Endpoint, String> {
    contact(text.trim(), false).ok_or_else(|| "give HOST or HOST:PORT".to_owned())
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

/// A risk that is accepted: `CODE`, or `CODE:STEP`.
pub(super) fn acceptance(text: &str) -> Result<Acceptance, String> {
    let (code, step) = risk_of(text)?;
    Ok(Acceptance { code, step: step.map(StepId::new) })
}

/// What is said of an apply, for people: one line.
pub(super) fn said(text: &str) -> Result<String, String> {
    const LONGEST: usize = 300;
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST || text.contains(char::is_control) {
        return Err(format!("give one line of at most {LONGEST} characters"));
    }
    Ok(text.to_owned())
}

/// The id of a plan: `sha256:` and 64 hex digits. The prefix may be left out.
pub(super) fn plan_id(text: &str) -> Result<String, String> {
    const PREFIX: &str = "sha256:";
    let digits = text.strip_prefix(PREFIX).unwrap_or(text).to_ascii_lowercase();
    if digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(format!("{PREFIX}{digits}"))
    } else {
        Err("give the whole plan id, like sha256:7f3a... with 64 hex digits; `zkplan show PLAN` \
             prints it"
            .to_owned())
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
    use crate::check::Law;
    use crate::explain;
    use crate::model::acceptable_codes;
    use crate::observe::FindingKind;

    #[test]
    fn what_can_be_accepted_is_what_the_rules_and_findings_say() {
        let laws = Law::ALL.into_iter().filter(|law| law.is_acceptable()).map(Law::code);
        let known: Vec<&str> = laws.chain(FindingKind::ACCEPTED).collect();
        assert_eq!(acceptable_codes().collect::<Vec<_>>(), known);
        for code in ["ZKQ", "ZKF"].iter().flat_map(|of| (1..50).map(move |n| format!("{of}{n}"))) {
            if known.contains(&code.as_str()) {
                continue;
            }
            let why = super::acceptance(&code).expect_err(&code);
            assert_eq!(explain::page(&code).is_none(), why.contains("not a code"), "{code}: {why}");
        }
    }

    #[test]
    fn the_id_of_a_plan_is_given_whole() {
        let digits = "0123456789abcdef".repeat(4);
        let whole = format!("sha256:{digits}");
        assert_eq!(super::plan_id(&whole).as_ref(), Ok(&whole));
        assert_eq!(super::plan_id(&digits.to_uppercase()), Ok(whole));
        for text in ["", "sha256:", "sha256:0123", "plan.json", &digits[1..]] {
            assert!(super::plan_id(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_can_never_be_accepted_is_a_mistake_of_the_command_line() {
        let wrong = |text: &str| super::acceptance(text).expect_err(text);
        for (text, says) in [
            ("ZKQ3:join-4", "ZKQ3 cannot be accepted; see `zkplan explain ZKQ3`"),
            ("zku1", "ZKU1 cannot be accepted; see `zkplan explain ZKU1`"),
            ("ZKQ2", "ZKQ2 is accepted for one step, like ZKQ2:join-2"),
            ("ZKF1:join-2", "ZKF1 is accepted without a step: ZKF1"),
            ("ZKF8", "ZKF8 blocks no plan: it needs no acceptance"),
        ] {
            assert_eq!(wrong(text), says);
        }
        for text in ["probe", "exit-codes", "ZKQ99", "ZKF99", "ZKQ02", ""] {
            assert!(wrong(text).contains("is not a code of a rule or finding"), "{text}");
        }
        for text in ["zkq2:join-2", "ZKQ10:readdress-2", "ZKF1", "zkf13"] {
            assert!(super::acceptance(text).is_ok(), "{text}");
        }
    }
}
