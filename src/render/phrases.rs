//! Sentences and phrases that several screens share.

use std::collections::BTreeSet;

use super::text::Style;
use crate::apply::journal::IdentityText;
use crate::check::{Votes, Window};
use crate::ensemble::{ErrorCode, NoAnswer, PortState, TlsFailure};
use crate::model::{ServerId, VoteWeight};
use crate::observe::{Identity, Level, ServerStatus, Source};
use crate::plan::Acceptance;
use crate::trust::{Doubt, Unproven};

/// A set of server ids, like `{1, 2}`.
pub(super) fn set(ids: &BTreeSet<ServerId>) -> String {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    format!("{{{}}}", ids.join(", "))
}

/// Things in a row, like `1, 2 and 3`.
pub fn list<T: ToString>(things: impl IntoIterator<Item = T>) -> String {
    let mut words: Vec<String> = things.into_iter().map(|thing| thing.to_string()).collect();
    match (words.pop(), words.is_empty()) {
        (None, _) => "none".to_owned(),
        (Some(only), true) => only,
        (Some(last), false) => format!("{} and {last}", words.join(", ")),
    }
}

/// Servers by id, like `server 1` or `servers 1 and 2`.
pub fn servers<'a>(ids: impl IntoIterator<Item = &'a ServerId>) -> String {
    let ids: Vec<&ServerId> = ids.into_iter().collect();
    format!("{} {}", if ids.len() == 1 { "server" } else { "servers" }, list(ids))
}

/// Servers that were seen to run without reconfig; none where only the version of the configuration
/// shows it.
pub(super) fn reconfig_disabled(ids: &BTreeSet<ServerId>) -> String {
    let who = match ids.len() {
        0 => {
            return "The configuration has version 0: the ensemble runs with \
                    reconfigEnabled=false and accepts no reconfig."
                .to_owned();
        }
        1 => format!("Server {} runs", list(ids)),
        _ => format!("Servers {} run", list(ids)),
    };
    format!("{who} with reconfigEnabled=false. The ensemble accepts no reconfig.")
}

/// The first letter in upper case.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// A number with its unit, like `1 voter` or `2 voters`.
pub(super) fn count(number: impl Into<i128>, unit: &str) -> String {
    let number = number.into();
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

/// The length of a list as a number with its unit.
pub fn count_of(number: usize, unit: &str) -> String {
    count(i128::try_from(number).unwrap_or(i128::MAX), unit)
}

/// A risk that is accepted, as it is typed.
pub fn acceptance(risk: &Acceptance) -> String {
    match &risk.step {
        Some(step) => format!("{}:{step}", risk.code),
        None => risk.code.clone(),
    }
}

/// Where a vote counts, like `group 2, weight 1`.
pub(super) fn place(place: VoteWeight) -> String {
    format!("group {}, weight {}", place.group, place.weight)
}

/// What the loss of a zone leaves.
pub(super) fn zone_loss(window: &Window) -> String {
    let Window { zone, votes } = window;
    let Votes { voters, acking, need } = votes;
    let (left, of) = (acking.len(), voters.len());
    let verb = if *need == 1 { "is" } else { "are" };
    format!("losing zone {zone} leaves {left} of {of} voters, {need} {verb} needed")
}

/// The identity of an ensemble, as short as it still differs from others.
pub(super) fn identity(identity: &Identity) -> String {
    const TELLING: usize = 12;
    match identity {
        Identity::NoneYet => "not managed by zkplan yet (no apply so far)".to_owned(),
        Identity::Known(text) => {
            let id = IdentityText::id_in(text);
            format!("identity {}", id.chars().take(TELLING).collect::<String>())
        }
    }
}

/// A path or file name as a shell takes it.
pub fn shell(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/+:=@%,".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A command as a shell takes it.
pub(super) fn command(argv: &[String]) -> String {
    let words: Vec<String> = argv.iter().map(|word| shell(word)).collect();
    words.join(" ")
}

/// Why a question got no answer.
pub(super) const fn silence(silence: NoAnswer) -> &'static str {
    match silence {
        NoAnswer::Unresolved => "the host name has no address",
        NoAnswer::Refused => "connection refused: no process listens on the port",
        NoAnswer::NoRoute => "there is no route to the host",
        NoAnswer::ConnectTimedOut => {
            "timed out while connecting: the server is down, or a firewall drops packets"
        }
        NoAnswer::AnswerTimedOut => "connected, but timed out: the server is frozen or overloaded",
        NoAnswer::Closed => {
            "it closes the connection: a limit on connections (maxClientCnxns), or it is not \
             serving"
        }
        NoAnswer::NotWhitelisted => "the four-letter word is not in its 4lw.commands.whitelist",
        NoAnswer::NotServing => {
            "it runs but serves no clients: it looks for a leader, or copies the leader's data"
        }
        NoAnswer::Tls(failure) => tls_failure(failure),
        NoAnswer::NeedsAuth => {
            "it enforces authentication (-124): it accepts no session without it"
        }
        NoAnswer::AuthRefused => "it enforces authentication, and refused the SASL user",
        NoAnswer::AuthWithheld => {
            "it enforces authentication, and its address is not in the file: zkplan does not sign \
             in there by SASL"
        }
        NoAnswer::Unreadable => "its answer cannot be read",
    }
}

/// Why no TLS connection came about.
const fn tls_failure(failure: TlsFailure) -> &'static str {
    match failure {
        TlsFailure::NoAuthority => "it uses TLS, and no certificate authority (ca) is given",
        TlsFailure::UnknownAuthority => {
            "its certificate is not signed by an authority in the ca file"
        }
        TlsFailure::OtherHost => "its certificate is for another host",
        TlsFailure::NotValidNow => "its certificate has expired or is not yet valid",
        TlsFailure::Unverified => "its certificate cannot be verified",
        TlsFailure::CertificateWanted => "it requires a client certificate (ssl.clientAuth)",
        TlsFailure::CertificateRefused => "it refuses the client certificate",
        TlsFailure::CertificateExpired => "it refuses the client certificate, which has expired",
        TlsFailure::NoTls => "it does not use TLS on this port",
        TlsFailure::Handshake => "the TLS handshake failed",
    }
}

/// What a port check showed.
pub(super) const fn check_port(check_port: PortState) -> &'static str {
    match check_port {
        PortState::Open => "open",
        PortState::Refused => "closed",
        PortState::Unreachable => "unreachable",
    }
}

/// From what something is known.
pub(super) const fn source(source: Source) -> &'static str {
    match source {
        Source::Conf => "conf",
        Source::Srvr => "srvr",
        Source::Mntr => "mntr",
        Source::Cons => "cons",
        Source::Word => "the word itself",
        Source::AdminServer => "its AdminServer",
        Source::Session => "a session",
    }
}

/// A status in one or two words, its style, and what else there is to say of it.
pub(super) fn status(status: &ServerStatus) -> (&'static str, Style, Option<String>) {
    let more = |text: &str| Some(text.to_owned());
    match status {
        ServerStatus::Leading => ("leads", Style::Green, None),
        ServerStatus::Following => ("follows", Style::Green, None),
        ServerStatus::Observing => ("observes", Style::Green, None),
        ServerStatus::FollowingWithoutVote => ("no vote yet", Style::Green, None),
        ServerStatus::Behind => {
            ("behind", Style::Yellow, more("it was not seen at the leader's zxid; counts as down"))
        }
        ServerStatus::OtherConfiguration => {
            ("other config", Style::Red, more("it runs with another configuration; counts as down"))
        }
        ServerStatus::OwnFile => (
            "own file",
            Style::Yellow,
            more("it follows, with the server lines of its own file: reconfigEnabled=false there"),
        ),
        ServerStatus::ConfigNotInForce => (
            "old config",
            Style::Red,
            more(
                "it has the configuration of the ensemble but runs with an older one, because a \
                 reconfig committed while it finished its sync; counts as down until the next \
                 reconfig",
            ),
        ),
        ServerStatus::AnswersAs(id) => {
            ("other id", Style::Red, Some(format!("it answers with id {id}; counts as down")))
        }
        ServerStatus::IdUnknown => {
            ("id unknown", Style::Yellow, more("it does not show its id; counts as down"))
        }
        ServerStatus::Standalone => {
            ("standalone", Style::Red, more("it runs standalone, outside any ensemble"))
        }
        ServerStatus::ReadOnly => (
            "read-only",
            Style::Red,
            more("it lost the connection to the quorum and serves only reads"),
        ),
        ServerStatus::NotServing => {
            ("not serving", Style::Red, more(silence(NoAnswer::NotServing)))
        }
        ServerStatus::Silent(NoAnswer::Closed) => {
            ("conn closed", Style::Red, more(silence(NoAnswer::Closed)))
        }
        ServerStatus::Silent(why) => ("no answer", Style::Red, more(silence(*why))),
        ServerStatus::NotAsked => {
            ("not asked", Style::Yellow, more("its client address is not known; counts as down"))
        }
        ServerStatus::Assumed => ("assumed up", Style::Yellow, None),
    }
}

/// The word for the weight of a finding, and its style.
pub(super) const fn level(level: Level) -> (&'static str, Style) {
    match level {
        Level::Note => ("note", Style::Dim),
        Level::Warning => ("warning", Style::Yellow),
        Level::Accept => ("to accept", Style::Red),
    }
}

pub(super) fn ports(ports: &[u16]) -> String {
    if ports.is_empty() { "unknown".to_owned() } else { list(ports) }
}

/// A znode of which it is not known that only operators wrote it, and why.
pub fn folder_not_proven(Unproven { path, doubt }: &Unproven) -> String {
    format!("zkplan cannot prove that only operators wrote {path}: {}", self::doubt(doubt))
}

/// Why it is not known that only operators wrote a znode.
pub(super) fn doubt(doubt: &Doubt) -> String {
    const SHOWN: usize = 3;
    match doubt {
        Doubt::Open(ids) => {
            let more = ids.len().saturating_sub(SHOWN);
            let shown = ids.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            format!("its access control list lets {shown}{more} write")
        }
        Doubt::Changed(times) => format!(
            "its access control list was set {} after it was created, so its content may be older \
             than the list",
            count_of(usize::try_from(*times).unwrap_or(usize::MAX), "time")
        ),
        Doubt::Ephemeral => "it is the ephemeral znode of another client".to_owned(),
        Doubt::NotEphemeral => "it is not ephemeral".to_owned(),
        Doubt::Unreadable(code) => {
            format!("not readable without credentials ({})", ErrorCode::of(*code))
        }
        Doubt::Moving => "another client keeps creating and deleting it".to_owned(),
    }
}

/// Where it is recorded who changed a configuration without zkplan (`ZKAuditProvider`, 3.6 and later).
pub(super) const WHO_CHANGED: &str = "Only ZooKeeper's audit log records who: on the server to which that \
                                      client was connected, from 3.6 on, and only with audit.enable=true.";

/// What is said first of what servers mask for a session without credentials.
pub const AS_FAR_AS_SEEN: &str = "as far as zkplan can see without credentials, ";
