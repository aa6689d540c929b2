//! Why there is no ensemble to plan for, and what to do about it.

mod histories;

use std::collections::BTreeSet;

use self::histories::{before_the_merge, choose_none, side_by_side, target_before_the_merge};
use super::table::{Column, Table};
use super::text::{Line, Style, Text};
use super::words;
use crate::ensemble::{NoAnswer, TlsFailure};
use crate::model::{Auth, Connect, Endpoint, ServerId};
use crate::observe::{ObserveError, TargetEnsemble, Tried};

/// What says how the ensemble is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// A spec.
    BySpec,
    /// A spec that names a user of SASL.
    BySpecWithSasl,
    /// Flags, where there is no spec yet.
    ByFlags,
}

impl Reached {
    /// By a spec that says this.
    pub const fn by(connect: &Connect) -> Self {
        match connect.auth {
            Some(Auth::Sasl { .. }) => Self::BySpecWithSasl,
            Some(Auth::Digest { .. } | Auth::X509) | None => Self::BySpec,
        }
    }
}

/// The screen of an observation that failed; `ensemble` is the label in the spec.
pub fn screen(ensemble: &str, error: &ObserveError, reached: Reached, width: usize) -> Text {
    let mut text = Text::new();
    let label = Line::new(Style::Bold, ensemble).then(Style::Plain, "  ");
    let say =
        |what: String| Line::new(Style::Red, what).then(Style::Plain, " Nothing was changed.");
    match error {
        ObserveError::Unreachable { tried } => {
            text.paragraph(label, say("No server answered.".to_owned()), width);
            text.section(attempts(tried, width));
            if tried.is_empty() {
                text.section(Text::preformatted("  No address is known: nobody was asked."));
            }
            text.section(todo(&unreachable(tried, reached), width));
        }
        ObserveError::NoQuorum { tried, voteless, unclear } => {
            let what = "Servers answer, but no leader is elected: the ensemble has no quorum.";
            text.paragraph(label, say(what.to_owned()), width);
            text.section(attempts(tried, width));
            text.section(no_quorum(tried, [voteless, unclear], width));
        }
        ObserveError::NoCommit { leader, endpoint, tried } => {
            let what = format!("Server {leader} at {endpoint} leads, but no write commits.");
            text.paragraph(label, say(what), width);
            text.section(attempts(tried, width));
            let closed = is_closed(tried).then_some(CLOSES);
            let steps: Vec<&str> = closed.into_iter().chain(NO_COMMIT).collect();
            text.section(todo(&steps, width));
        }
        ObserveError::NeedsAuth { server, endpoint, why, tried } => {
            text.paragraph(label, say(enforcing(*server, endpoint, *why)), width);
            text.section(attempts(tried, width));
            text.section(todo(enforced(*why, reached), width));
        }
        ObserveError::TooOld { endpoint, version } => {
            let what = format!(
                "The server at {endpoint} runs ZooKeeper {version}, which cannot be reconfigured \
                 while it runs."
            );
            text.paragraph(label, say(what), width);
            text.section(todo(&TOO_OLD, width));
        }
        ObserveError::Standalone { endpoint } => {
            let what = format!("The server at {endpoint} runs standalone; it is no ensemble.");
            text.paragraph(label, say(what), width);
            text.section(standalone(width));
        }
        ObserveError::TwoHistories { histories, retired } => {
            let (what, by) = ("Two histories answer, and zkplan chooses none.", retired.as_deref());
            text.paragraph(label, say(what.to_owned()), width);
            text.section(side_by_side(histories, by, width));
            text.section(choose_none(histories, by, reached, width));
        }
        ObserveError::TargetRuns { present, target } => {
            text.paragraph(label, say(runs_its_own(target)), width);
            text.section(target_before_the_merge(present, target, width));
            text.section(before_the_merge(target, width));
        }
        ObserveError::UnreadableConfig { endpoint, cause } => {
            let what = format!("The configuration that {endpoint} shows cannot be read.");
            text.paragraph(label, say(what), width);
            text.section(todo(&UNREADABLE, width));
            text.paragraph("  Told: ", cause.to_string(), width);
        }
    }
    text
}

/// Which wanted servers run an ensemble of their own.
fn runs_its_own(target: &TargetEnsemble) -> String {
    match target.wanted.as_slice() {
        [(id, at)] => {
            format!("Server {id} at {at}, which the spec wants, runs an ensemble of its own.")
        }
        all => {
            let ids = words::list(all.iter().map(|(id, _)| id));
            format!("Servers {ids}, which the spec wants, run an ensemble of their own.")
        }
    }
}

/// What to do about servers that gave no answer; about each cause in TLS, where that is all there is.
fn unreachable(tried: &[Tried], reached: Reached) -> Vec<&'static str> {
    let failures: BTreeSet<TlsFailure> = tried.iter().filter_map(of_tls).collect();
    if !failures.is_empty() && tried.iter().all(|one| of_tls(one).is_some()) {
        return failures.into_iter().map(|failure| in_tls(failure, reached)).collect();
    }
    let running = "See whether the servers run, and whether a firewall lets this machine reach their \
                   client ports.";
    let [addresses, tls] = match reached {
        Reached::BySpec | Reached::BySpecWithSasl => [
            "See whether the addresses are right: connect.servers in the spec.",
            "Where the client ports speak TLS, give connect.tls and the secure client port.",
        ],
        Reached::ByFlags => [
            "See whether the addresses of --connect are right.",
            "Where the client ports speak TLS, give --tls-ca, and the secure client ports.",
        ],
    };
    let failures = failures.into_iter().map(|failure| in_tls(failure, reached));
    let failures = is_closed(tried).then_some(CLOSES).into_iter().chain(failures);
    [addresses, running].into_iter().chain(failures).chain([tls]).collect()
}

/// Whether a server closed connections.
fn is_closed(tried: &[Tried]) -> bool {
    tried.iter().any(|one| one.silence == NoAnswer::Closed)
}

/// What to do about such a server.
const CLOSES: &str = "A server closes connections beyond a limit at once: see maxClientCnxns and \
                      maxCnxns in its zoo.cfg, zookeeper.connection_throttle_tokens for sessions, \
                      and \"Too many connections\" in its log.";

fn of_tls(one: &Tried) -> Option<TlsFailure> {
    match one.silence {
        NoAnswer::Tls(failure) => Some(failure),
        _ => None,
    }
}

const fn in_tls(failure: TlsFailure, reached: Reached) -> &'static str {
    match (failure, reached) {
        (TlsFailure::NoAuthority, Reached::BySpec | Reached::BySpecWithSasl) => {
            "Give the authority of the servers' certificates: connect.tls.ca in the spec."
        }
        (TlsFailure::NoAuthority, Reached::ByFlags) => {
            "Give the authority of the servers' certificates: --tls-ca."
        }
        (TlsFailure::UnknownAuthority, _) => {
            "See whether the ca file has the authority of the servers' certificates. If it has, \
             something else answers at these addresses. No password was sent."
        }
        (TlsFailure::OtherHost, _) => {
            "Name each server as its certificate does (a DNS name or an IP address among the subject \
             alternative names), or give it a certificate for this address. No password was sent."
        }
        (TlsFailure::NotValidNow, _) => {
            "Renew the servers' certificates, and see whether this machine's clock is right."
        }
        (TlsFailure::Unverified, _) => {
            "See whether the servers' certificates are issued by the authority in the ca file, and \
             are no authority's own."
        }
        (TlsFailure::CertificateWanted, Reached::BySpec | Reached::BySpecWithSasl) => {
            "Give a client certificate that the servers trust (connect.tls.cert and key in the spec), \
             or let servers take clients without one: ssl.clientAuth=want or none in zoo.cfg, where \
             need is the default."
        }
        (TlsFailure::CertificateWanted, Reached::ByFlags) => {
            "Give a client certificate that the servers trust (--tls-cert and --tls-key), or let \
             servers take clients without one: ssl.clientAuth=want or none in zoo.cfg, where need is \
             the default."
        }
        (TlsFailure::CertificateRefused, _) => {
            "See whether the servers' trust store (ssl.trustStore.location) has the authority of the \
             client certificate. It has not expired, by this machine's clock."
        }
        (TlsFailure::CertificateExpired, _) => "Renew the client certificate.",
        (TlsFailure::NoTls, _) => {
            "Give the secure client ports (secureClientPort in zoo.cfg), or the plain ones without \
             certificates."
        }
        (TlsFailure::Handshake, _) => {
            "See in the servers' logs why the handshake failed: protocols (ssl.enabledProtocols) or \
             cipher suites that they do not share with this machine."
        }
    }
}

const NO_COMMIT: [&str; 3] = [
    "See whether a quorum of voters follows that server: it may be the old leader of a moment ago.",
    "See whether disks are full or slow on the voters; a leader that cannot log cannot commit.",
    "Then run the same command again. zkplan sends nothing while writes do not commit.",
];

/// Who enforces authentication, and what was wanting.
fn enforcing(server: Option<ServerId>, endpoint: &Endpoint, why: NoAnswer) -> String {
    let who = match server {
        Some(id) => format!("Server {id} ({endpoint})"),
        None => format!("The server at {endpoint}"),
    };
    match why {
        NoAnswer::AuthRefused => {
            format!("{who} enforces authentication, and refused the SASL user.")
        }
        NoAnswer::AuthWithheld => format!(
            "{who} enforces authentication, and its address is not listed: the SASL user is not shown \
             to it."
        ),
        _ => format!("{who} enforces authentication (-124): it takes no session without it."),
    }
}

/// What to do where servers enforce authentication. A look has shown a digest without a secret, and
/// the client certificate where there is one.
const fn enforced(why: NoAnswer, reached: Reached) -> &'static [&'static str] {
    const OTHER: &str = "The code is the same where another scheme than SASL is enforced: see \
                         zookeeper.enforce.auth.schemes on that server.";
    const UNNAMED: &str = "The code does not name the scheme. It is sasl where the server runs with \
                           zookeeper.sessionRequireClientSASLAuth=true, else one of \
                           zookeeper.enforce.auth.schemes.";
    match (why, reached) {
        (NoAnswer::AuthRefused, Reached::ByFlags) => &[
            "Check --user and the password. The servers know the user by their JAAS file \
             (-Djava.security.auth.login.config).",
            OTHER,
        ],
        (NoAnswer::AuthRefused, _) => &[
            "Check user and password of connect.auth. The servers know the user by their JAAS file \
             (-Djava.security.auth.login.config).",
            OTHER,
        ],
        (NoAnswer::AuthWithheld, Reached::ByFlags) => &["List every server in --connect."],
        (NoAnswer::AuthWithheld, _) => &["List every server in connect.servers or servers."],
        (_, Reached::BySpecWithSasl) => &[
            "The password of connect.auth is not at hand: set the environment variable that it names \
             (ZKPLAN_PASSWORD), or name a file. To look it is never asked for.",
        ],
        (_, Reached::BySpec) => &[
            UNNAMED,
            "For sasl, give connect.auth: { scheme: sasl, mechanism: DIGEST-MD5, user: USER, \
             password: { env: ZKPLAN_PASSWORD } }, and set ZKPLAN_PASSWORD. The user is shown only to \
             the addresses in connect.servers and servers: list every server.",
            "For x509, give connect.tls with cert and key. For digest nothing is needed to look.",
        ],
        (_, Reached::ByFlags) => &[
            UNNAMED,
            "For sasl, add --auth sasl --user USER; the password comes from ZKPLAN_PASSWORD, \
             --password-file or a prompt. The user is shown only to the addresses of --connect: list \
             every server.",
            "For x509, add --tls-ca, --tls-cert and --tls-key. For digest nothing is needed to look.",
        ],
    }
}

const TOO_OLD: [&str; 3] = [
    "Upgrade by rolling restart, one server at a time, the leader last: to 3.4.6 or later, then to the \
     newest 3.5 or 3.6 release, then to the one that you want.",
    "A server with transaction logs and no snapshot does not start on 3.5 or later: give it \
     snapshot.trust.empty=true for its first start, and for that alone.",
    "When all are upgraded, set reconfigEnabled=true by one more rolling restart, then plan again.",
];

const UNREADABLE: [&str; 2] = [
    "Look at /zookeeper/config with zkCli.sh (config); somebody may have written to it by hand.",
    "The servers' own view is the membership part of the four-letter word conf.",
];

fn todo(steps: &[&str], width: usize) -> Text {
    let mut text = Text::new();
    text.line(Line::new(Style::Bold, "What to do"));
    for step in steps {
        text.paragraph("  - ", *step, width);
    }
    text
}

/// Everything that was tried; nothing where nothing was.
fn attempts(tried: &[Tried], width: usize) -> Text {
    if tried.is_empty() {
        return Text::new();
    }
    let mut table = Table::new([Column::words("tried"), Column::words("what came of it")]);
    for Tried { endpoint, silence } in tried {
        table.row([Line::plain(shown(endpoint)), Line::plain(words::silence(*silence))]);
    }
    table.to_text(width)
}

fn shown(endpoint: &Endpoint) -> String {
    format!("{endpoint}{}", if endpoint.tls { " (TLS)" } else { "" })
}

fn no_quorum(tried: &[Tried], [voteless, unclear]: [&Vec<Endpoint>; 2], width: usize) -> Text {
    let (down, up): (Vec<&Tried>, Vec<&Tried>) = tried.iter().partition(|one| is_down(one.silence));
    let may_vote = down.iter().map(|one| &one.endpoint).filter(|at| !voteless.contains(at));
    let (perhaps, voters): (Vec<&Endpoint>, Vec<&Endpoint>) =
        may_vote.partition(|at| unclear.contains(at));
    let is_known =
        |one: &&Tried| ![voteless, unclear].iter().any(|all| all.contains(&one.endpoint));
    let mut steps = Vec::new();
    if !voters.is_empty() {
        steps.push(format!("Start the voters that are down: {}.", words::list(voters)));
    } else if perhaps.is_empty() || up.iter().any(is_known) {
        let every = if down.is_empty() { "Every address" } else { "Every voter that is known" };
        steps.push(format!(
            "{every} answers: see in the servers' logs why they do not elect (election ports, \
             myid, disks)."
        ));
    }
    if !perhaps.is_empty() {
        steps.push(format!(
            "Nobody answers at {}, where the spec wants servers: start those that are voters by \
             now. A joiner gives no quorum.",
            words::list(perhaps)
        ));
    }
    let steps: Vec<&str> = steps.iter().map(String::as_str).chain(NO_QUORUM).collect();
    todo(&steps, width)
}

const NO_QUORUM: [&str; 3] = [
    "More than half of the voters must run and reach each other on their election ports.",
    "Without a quorum no reconfig commits, so zkplan cannot help and changes nothing.",
    "Do not edit the servers' membership files by hand to get a quorum: two halves may then serve \
     at once.",
];

/// Whether nothing runs there, or nothing that gets anywhere.
const fn is_down(silence: NoAnswer) -> bool {
    matches!(
        silence,
        NoAnswer::Unresolved
            | NoAnswer::Refused
            | NoAnswer::NoRoute
            | NoAnswer::ConnectTimedOut
            | NoAnswer::AnswerTimedOut
    )
}

fn standalone(width: usize) -> Text {
    let mut text = Text::new();
    text.line(Line::new(Style::Bold, "What to do"));
    text.paragraph("  - ", "To make it an ensemble of one, put into its zoo.cfg:", width);
    for line in [
        "standaloneEnabled=false",
        "reconfigEnabled=true",
        "server.1=HOST:2888:3888:participant;CLIENTPORT",
    ] {
        text.line(Line::new(Style::Cyan, format!("      {line}")));
    }
    for step in [
        "Put the same id into its myid file, take clientPort out, and restart it. Its data stays; \
         clients are cut for the time of the restart.",
        "It then leads alone, and zkplan can add servers to it.",
        "If it should have been a member of an ensemble, do not: its zoo.cfg has lost the other \
         server lines.",
    ] {
        text.paragraph("  - ", step, width);
    }
    text
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EnsembleConfig, ServerId};
    use crate::render::fixture::{endpoint, line};

    fn shown(error: &ObserveError) -> String {
        screen("prod-eu", error, Reached::BySpec, 80).to_string_with(false)
    }

    #[test]
    fn no_quorum_names_whom_to_start() {
        let tried = [("10.0.0.1", NoAnswer::NotServing), ("10.0.0.2", NoAnswer::Refused)]
            .map(|(host, silence)| Tried { endpoint: endpoint(host), silence });
        let error =
            ObserveError::NoQuorum { tried: tried.to_vec(), voteless: vec![], unclear: vec![] };
        insta::assert_snapshot!(shown(&error), @r#"
        prod-eu  Servers answer, but no leader is elected: the ensemble has no quorum.
                 Nothing was changed.

          tried          what came of it
          10.0.0.1:2181  it runs and serves nobody: it looks for a leader
          10.0.0.2:2181  nobody listens on the port

        What to do
          - Start the voters that are down: 10.0.0.2:2181.
          - More than half of the voters must run and reach each other on their election
            ports.
          - Without a quorum no reconfig commits, so zkplan cannot help and changes
            nothing.
          - Do not edit the servers' membership files by hand to get a quorum: two
            halves may then serve at once.
        "#);
    }

    #[test]
    fn a_joiner_that_is_down_is_no_voter_to_be_started() {
        let tried = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
            .map(|host| Tried { endpoint: endpoint(host), silence: NoAnswer::ConnectTimedOut });
        let [_, two, three] = tried.clone().map(|one| one.endpoint);
        let told = |voteless: &[&Endpoint], unclear: &[&Endpoint]| {
            let [voteless, unclear] =
                [voteless, unclear].map(|all| all.iter().copied().cloned().collect());
            let shown = shown(&ObserveError::NoQuorum { tried: tried.to_vec(), voteless, unclear });
            shown.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let known = told(&[&two, &three], &[]);
        assert!(known.contains("Start the voters that are down: 10.0.0.1:2181. - More"), "{known}");
        let unknown = told(&[], &[&two, &three]);
        let both = "Start the voters that are down: 10.0.0.1:2181. - Nobody answers at \
                    10.0.0.2:2181 and 10.0.0.3:2181, where the spec wants servers: start those \
                    that are voters by now.";
        assert!(unknown.contains(both), "{unknown}");
    }

    #[test]
    fn nobody_answers() {
        let tried = vec![Tried {
            endpoint: Endpoint { tls: true, ..endpoint("zk1.example") },
            silence: NoAnswer::Unresolved,
        }];
        insta::assert_snapshot!(shown(&ObserveError::Unreachable { tried }), @r#"
        prod-eu  No server answered. Nothing was changed.

          tried                   what came of it
          zk1.example:2181 (TLS)  the host name has no address

        What to do
          - See whether the addresses are right: connect.servers in the spec.
          - See whether the servers run, and whether a firewall lets this machine reach
            their client ports.
          - Where the client ports speak TLS, give connect.tls and the secure client
            port.
        "#);
    }

    #[test]
    fn standalone_becomes_an_ensemble_of_one() {
        let error = ObserveError::Standalone { endpoint: endpoint("10.0.0.1") };
        insta::assert_snapshot!(shown(&error), @r#"
        prod-eu  The server at 10.0.0.1:2181 runs standalone; it is no ensemble. Nothing
                 was changed.

        What to do
          - To make it an ensemble of one, put into its zoo.cfg:
              standaloneEnabled=false
              reconfigEnabled=true
              server.1=HOST:2888:3888:participant;CLIENTPORT
          - Put the same id into its myid file, take clientPort out, and restart it. Its
            data stays; clients are cut for the time of the restart.
          - It then leads alone, and zkplan can add servers to it.
          - If it should have been a member of an ensemble, do not: its zoo.cfg has lost
            the other server lines.
        "#);
    }

    #[test]
    fn the_rest_says_what_to_do() {
        let leader = ServerId::new(1);
        let tried = vec![Tried { endpoint: endpoint("10.0.0.2"), silence: NoAnswer::Closed }];
        let error = ObserveError::NoCommit { leader, endpoint: endpoint("10.0.0.1"), tried };
        assert!(shown(&error).contains("Server 1 at 10.0.0.1:2181 leads, but no write commits."));
        assert!(shown(&error).contains("\n  10.0.0.2:2181  it closes the connection: a limit"));
        let cause = EnsembleConfig::parse(&line(1)).unwrap_err();
        let error = ObserveError::UnreadableConfig { endpoint: endpoint("10.0.0.1"), cause };
        assert!(shown(&error).contains("Told: the configuration has no `version=` line"));
    }
}
