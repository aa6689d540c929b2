//! What a check rests on, as a sentence behind the servers that it is about.

use super::super::findings;
use super::super::phrases::{self, list, servers, silence};
use super::super::signing_in;
use crate::apply::access::Signer;
use crate::ensemble::{AuthDemand, FourLetterWord, ServerVersion};
use crate::model::SettingName;
use crate::observe::{Finding, FindingKind, Issue};
use crate::preflight::{CredentialWord, Evidence, ReconfigShownBy, StateWord, WithoutRightsWord};

/// The sentence.
pub(super) fn sentence(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Answers { at, mode: Some(mode) } => format!("{at} answers: {}", mode.word()),
        Evidence::Answers { at, mode: None } => format!("{at} answers"),
        Evidence::Silent { at, why } => format!("{at}: {}", silence(*why)),
        Evidence::NotAsked => "not asked: its client address is not known".to_owned(),
        Evidence::NotRunning => "does not run yet".to_owned(),
        Evidence::Port { at, state } => format!("{at} is {}", phrases::check_port(*state)),
        Evidence::NotLeader { follows: true } => {
            "not tested: only the leader listens on its quorum port, and that one is reached"
                .to_owned()
        }
        Evidence::NotLeader { follows: false } => {
            "not tested: only the leader listens on its quorum port".to_owned()
        }
        Evidence::NoOtherAddress => "zkplan knows only the address in its server line".to_owned(),
        Evidence::Id { own: Some(own) } => format!("shows id {own}"),
        Evidence::Id { own: None } => "does not show its id".to_owned(),
        Evidence::Status { status, .. } => status_word(*status).to_owned(),
        Evidence::Resolves => "every host has an address here".to_owned(),
        Evidence::Unresolved { hosts } => format!("no address here for {}", list(hosts)),
        Evidence::Runs { version: Some(version) } => format!("runs {version}"),
        Evidence::Runs { version: None } => "does not show its release".to_owned(),
        Evidence::Bugs { version, issues } => bugs(*version, issues),
        Evidence::Found { details, .. } => finding(details),
        Evidence::Leader { .. }
        | Evidence::OtherLeaders { .. }
        | Evidence::Epochs { .. }
        | Evidence::LooksForLeader
        | Evidence::PlainPortFits
        | Evidence::PlainPortUnknown
        | Evidence::NoPlainPort
        | Evidence::NoneRetired
        | Evidence::NoRunInTheWay
        | Evidence::JournalUnread
        | Evidence::Releases { .. } => of_ensemble(evidence),
        Evidence::Reconfig { .. }
        | Evidence::Asked { .. }
        | Evidence::WithoutRights { .. }
        | Evidence::Demands { .. }
        | Evidence::NoSession
        | Evidence::KeepsLocalSessions { .. } => of_authority(evidence),
        Evidence::Limit { .. }
        | Evidence::WordsMissing { .. }
        | Evidence::Heap { .. }
        | Evidence::Ticks { .. }
        | Evidence::TicksUnknown
        | Evidence::InitTime { .. } => of_limits(evidence),
        Evidence::Shows { .. }
        | Evidence::NoAdminAddress
        | Evidence::NoAdminAnswer { .. }
        | Evidence::StartedFromLines { .. }
        | Evidence::StartedFromRewritten
        | Evidence::OnlyInFile
        | Evidence::SecretsInFile { .. }
        | Evidence::FileHasLines { .. } => of_leaks(evidence),
        Evidence::ByFile { evidence } => format!("by its zoo.cfg: {}", sentence(evidence)),
        Evidence::SettingAsWanted { setting, wanted } => {
            format!("{setting} is as wanted ({wanted})")
        }
        Evidence::SettingDiffers { setting, wanted, seen } => match setting {
            // What is wanted is longer than what is lacking.
            SettingName::FourLetterWords => format!("{setting}: {seen}"),
            _ => format!("{setting} is {seen}, wanted {wanted}"),
        },
        Evidence::SettingNotSeen { setting, wanted } => {
            format!("does not show {setting} (wanted {wanted})")
        }
    }
}

fn of_ensemble(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Leader { leader: Some(leader), followers, observers } => format!(
            "server {leader} leads, {} and {} are in sync, writes commit",
            phrases::count_of(*followers, "follower"),
            phrases::count_of(*observers, "observer")
        ),
        Evidence::OtherLeaders { at } => {
            format!("{} {} to lead too", list(at), if at.len() == 1 { "claims" } else { "claim" })
        }
        Evidence::Epochs { own, leader } if own > leader => {
            format!("its data are of epoch {own:x}, the leader's of epoch {leader:x}")
        }
        Evidence::Epochs { own, .. } => format!("its data are of epoch {own:x}"),
        Evidence::LooksForLeader => {
            "runs and does not serve yet: it looks for a leader, or copies the leader's data"
                .to_owned()
        }
        Evidence::PlainPortFits => "its client port is as the spec has it".to_owned(),
        Evidence::PlainPortUnknown => {
            "does not show whether it has a client port without TLS".to_owned()
        }
        Evidence::NoPlainPort => {
            "has no client port without TLS, and the spec gives it one".to_owned()
        }
        Evidence::NoneRetired => "no retired server answers".to_owned(),
        Evidence::NoRunInTheWay => "no run is in the way".to_owned(),
        Evidence::JournalUnread => "the journal of earlier applies was not read".to_owned(),
        Evidence::Releases { lowest: Some(lowest), highest: Some(highest), unknown } => {
            let range = if lowest == highest {
                format!("{lowest}")
            } else {
                format!("{lowest} to {highest}")
            };
            let rest = if unknown.is_empty() {
                String::new()
            } else {
                format!("; that of {} is not known", servers(unknown))
            };
            format!("servers run {range}{rest}")
        }
        _ => "not known".to_owned(),
    }
}

fn of_authority(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Reconfig { enabled, by } => reconfig(*enabled, *by),
        Evidence::Asked { user, answer } => asked(user.as_deref(), *answer),
        Evidence::WithoutRights { answer } => match answer {
            WithoutRightsWord::Refused => {
                "the leader refuses a write to /zookeeper/config without rights".to_owned()
            }
            WithoutRightsWord::Allowed => "every client may change the members: the leader runs \
                                           with skipACL=yes, or the list of /zookeeper/config is \
                                           open"
                .to_owned(),
            WithoutRightsWord::NoSuchSession => {
                "not tried: the leader accepts no session without a SASL user".to_owned()
            }
            WithoutRightsWord::NoAnswer => {
                "the leader did not answer a write without rights".to_owned()
            }
        },
        Evidence::Demands { why: Some(why), .. } => silence(*why).to_owned(),
        Evidence::Demands { demand, why: None } => match demand {
            AuthDemand::Nothing => "accepts sessions without a user".to_owned(),
            AuthDemand::Digest => "enforces scheme digest; any digest user may read".to_owned(),
            AuthDemand::Sasl => "enforces SASL, and accepts the user of the spec".to_owned(),
        },
        Evidence::NoSession => "zkplan had no session there".to_owned(),
        Evidence::KeepsLocalSessions { kept } => match kept {
            Some(true) => "keeps local sessions (localSessionsEnabled); it is not known whether \
                           the lock of an apply can be made on one"
                .to_owned(),
            Some(false) => "keeps no local sessions".to_owned(),
            None => "no four-letter word that it allows shows whether it keeps local sessions"
                .to_owned(),
        },
        _ => "not known".to_owned(),
    }
}

fn reconfig(enabled: Option<bool>, by: ReconfigShownBy) -> String {
    let by = match by {
        ReconfigShownBy::Conf => "by the config version in its conf",
        ReconfigShownBy::Leader => "shown by the leader itself",
        ReconfigShownBy::File if enabled == Some(false) => {
            return "its zoo.cfg does not have reconfigEnabled=true".to_owned();
        }
        ReconfigShownBy::File => "by its zoo.cfg",
        ReconfigShownBy::HiddenByLeader => {
            return "known only after the leader has reconfigEnabled=true".to_owned();
        }
        ReconfigShownBy::Nothing => "nothing shows it",
    };
    match enabled {
        Some(true) => format!("reconfigEnabled=true ({by})"),
        Some(false) => format!("runs with reconfigEnabled=false ({by})"),
        None => "no answer shows reconfigEnabled".to_owned(),
    }
}

fn asked(user: Option<&str>, answer: CredentialWord) -> String {
    let who = user.map_or_else(|| "the certificate".to_owned(), |user| format!("user \"{user}\""));
    match answer {
        CredentialWord::Accepted => format!("accepts {who}"),
        CredentialWord::Refused => {
            let signer = user.map_or(Signer::Certificate, |user| Signer::User(user.to_owned()));
            format!("refused {}", signing_in::who_and_why(&signer))
        }
        CredentialWord::InClear => {
            "not asked: the password would travel unencrypted to another machine".to_owned()
        }
        CredentialWord::NoAnswer => format!("gave no answer to {who}"),
        CredentialWord::NoUser => "not asked: the spec has no user (connect.auth)".to_owned(),
        CredentialWord::NoPassword => "not asked: no password was given".to_owned(),
        CredentialWord::NotNamed => {
            "not asked: its address is not in the spec, and gets no password".to_owned()
        }
        CredentialWord::NotFollowing => {
            "not asked: it is not seen leading or following this ensemble".to_owned()
        }
        CredentialWord::DataNotProven => {
            "not asked: it follows, and its data are not proven to be this ensemble's yet"
                .to_owned()
        }
    }
}

fn of_limits(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Limit { takes_one: true, .. } => {
            "closes a second connection of zkplan; an apply needs two".to_owned()
        }
        Evidence::Limit { limit: Some(0), .. } => "no limit on connections".to_owned(),
        Evidence::Limit { limit: Some(limit), needs, .. } => format!(
            "accepts {} at a time from one address (maxClientCnxns={limit}); an apply wants {needs}",
            phrases::count(*limit, "connection")
        ),
        Evidence::Limit { limit: None, .. } => "does not show maxClientCnxns".to_owned(),
        Evidence::WordsMissing { words } if words.is_empty() => {
            "answers every word that zkplan asks".to_owned()
        }
        Evidence::WordsMissing { words } => format!(
            "does not allow the words {}",
            list(words.iter().map(|word: &FourLetterWord| word.letters()))
        ),
        Evidence::Heap { heap: Some(heap), data: Some(data) } => format!(
            "{} of heap for {} of data; zkplan cannot see the free space of its disk",
            megabytes(*heap),
            megabytes(*data)
        ),
        Evidence::Heap { .. } => {
            "zkplan cannot see its heap and the free space of its disk".to_owned()
        }
        Evidence::Ticks { tick_ms, sync_limit, other, other_tick_ms } => format!(
            "tickTime {tick_ms} x syncLimit {sync_limit} = {} ms; server {other} ticks every \
             {other_tick_ms} ms",
            tick_ms.saturating_mul(*sync_limit)
        ),
        Evidence::TicksUnknown => "does not show its ticks and limits".to_owned(),
        Evidence::InitTime { given_ms, needed_ms, data, measured } => format!(
            "tickTime x initLimit = {given_ms} ms; {} of data take {needed_ms} ms to load and \
             write twice ({})",
            megabytes(*data),
            if *measured { "measured by a server" } else { "estimated from the size" }
        ),
        _ => "not known".to_owned(),
    }
}

fn of_leaks(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Shows { properties } if properties.is_empty() => {
            "its AdminServer shows no secret".to_owned()
        }
        Evidence::Shows { properties } => {
            format!("its AdminServer shows {} to every client that reaches it", list(properties))
        }
        Evidence::NoAdminAddress => "its AdminServer was not asked: the spec has no address".into(),
        Evidence::NoAdminAnswer { why } => {
            format!("its AdminServer does not answer: {}", silence(*why))
        }
        Evidence::StartedFromLines { servers: ids, present: true } => {
            format!("was started from server lines of {}, the present members", servers(ids))
        }
        Evidence::StartedFromLines { servers: ids, present: false } => format!(
            "was started from server lines of {}, and these are not the members: an old zoo.cfg was put \
             back",
            servers(ids)
        ),
        Evidence::StartedFromRewritten => "was started from the file that ZooKeeper wrote".into(),
        Evidence::SecretsInFile { keys } if keys.is_empty() => "its zoo.cfg has no secret".into(),
        Evidence::SecretsInFile { keys } => format!(
            "its zoo.cfg has {}; with reconfigEnabled=true ZooKeeper rewrites that file, and every \
             user of the machine can read it",
            list(keys)
        ),
        Evidence::FileHasLines { servers: ids, .. } if ids.is_empty() => {
            "its zoo.cfg has no server lines; a dynamic file has them".into()
        }
        Evidence::FileHasLines { servers: ids, present: true } => {
            format!("its zoo.cfg has server lines of {}, the present members", servers(ids))
        }
        Evidence::FileHasLines { servers: ids, present: false } => format!(
            "its zoo.cfg has server lines of {}, and these are not the members",
            servers(ids)
        ),
        _ => "zkplan cannot see zoo.cfg from outside".to_owned(),
    }
}

fn finding(details: &FindingKind) -> String {
    findings::finding(&Finding { kind: details.clone(), server: None })
}

fn bugs(version: ServerVersion, issues: &[Issue]) -> String {
    if issues.is_empty() {
        return format!("{version} has no known bug that an upgrade of its line fixes");
    }
    format!("{version} has {}", list(issues.iter().map(|issue| issue.name())))
}

pub(super) const fn status_word(status: StateWord) -> &'static str {
    match status {
        StateWord::Leads => "leads",
        StateWord::Follows => "follows, in sync",
        StateWord::Observes => "observes, in sync",
        StateWord::Behind => "follows and has not caught up yet",
        StateWord::OtherConfiguration => "runs with another configuration",
        StateWord::OwnFile => "follows, in sync, with the server lines of its own file",
        StateWord::OldConfiguration => {
            "it still uses an older configuration, until the next reconfig"
        }
        StateWord::OtherId => "answers with another id",
        StateWord::IdUnknown => "does not show its id",
        StateWord::Standalone => "runs standalone",
        StateWord::ReadOnly => "has no quorum and serves reads only",
        StateWord::NotServing => "runs and serves no clients",
        StateWord::NoAnswer => "does not answer",
        StateWord::NotAsked => "not asked: its client address is not known",
    }
}

/// Bytes, in a unit that a person compares.
fn megabytes(bytes: u64) -> String {
    const MB: u64 = 1_000_000;
    if bytes < MB { "less than 1 MB".to_owned() } else { format!("{} MB", bytes / MB) }
}
