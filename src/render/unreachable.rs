//! Why there is no ensemble to plan for, and what to do about it.

mod advice;
mod histories;

use std::collections::BTreeSet;

pub use self::advice::Reached;
use self::advice::{shown, todo};
use self::histories::{before_the_merge, choose_none, side_by_side, target_before_the_merge};
use super::phrases;
use super::table::{Column, Table};
use super::text::{Line, Style, Text};
use crate::ensemble::{NoAnswer, TlsFailure};
use crate::model::{Endpoint, ServerId};
use crate::observe::{ObserveError, TargetEnsemble, Tried};

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
                text.section(Text::preformatted("  No address is known, so no server was asked."));
            }
            text.section(todo(&unreachable(tried, reached), width));
        }
        ObserveError::NoQuorum { tried, voteless, unclear } => {
            let what = "Servers answer, but they have no leader: the ensemble has no quorum.";
            text.paragraph(label, say(what.to_owned()), width);
            text.section(attempts(tried, width));
            text.section(no_quorum(tried, [voteless, unclear], width));
        }
        ObserveError::NoCommit { leader, endpoint, tried } => {
            let what = format!("Server {leader} at {endpoint} leads, {}.", but(tried));
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
                "The server at {endpoint} runs ZooKeeper {version}, which has no reconfig: its \
                 members can be changed only by restarts."
            );
            text.paragraph(label, say(what), width);
            text.section(todo(&TOO_OLD, width));
        }
        ObserveError::Standalone { endpoint } => {
            let what = format!("The server at {endpoint} runs standalone. It is not an ensemble.");
            text.paragraph(label, say(what), width);
            text.section(standalone(width));
        }
        ObserveError::TwoHistories { histories, retired } => {
            let (what, by) = (
                "Servers of two different ensembles answered. zkplan does not guess which one you \
                 mean.",
                retired.as_deref(),
            );
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
            let what = format!("The configuration of the server at {endpoint} cannot be read.");
            text.paragraph(label, say(what), width);
            text.section(todo(&UNREADABLE, width));
            text.paragraph("  Cause: ", cause.to_string(), width);
        }
    }
    text
}

/// Which wanted servers run an ensemble of their own.
fn runs_its_own(target: &TargetEnsemble) -> String {
    match target.wanted.as_slice() {
        [(id, at)] => {
            format!("Server {id} at {at} is in the spec and runs an ensemble of its own.")
        }
        all => {
            let ids = phrases::list(all.iter().map(|(id, _)| id));
            format!("Servers {ids} are in the spec and run an ensemble of their own.")
        }
    }
}

/// What to do about servers that gave no answer; about each cause in TLS, where that is all there is.
fn unreachable(tried: &[Tried], reached: Reached) -> Vec<&'static str> {
    let failures: BTreeSet<TlsFailure> = tried.iter().filter_map(of_tls).collect();
    if !failures.is_empty() && tried.iter().all(|one| of_tls(one).is_some()) {
        return failures.into_iter().map(|failure| in_tls(failure, reached)).collect();
    }
    if tried.iter().all(|one| one.silence == NoAnswer::Unresolved) && !tried.is_empty() {
        return vec![match reached {
            Reached::BySpec | Reached::BySpecWithSasl => {
                "The names do not resolve on this machine. Correct them in connect.servers of the \
                 spec, or correct DNS: getent hosts NAME"
            }
            Reached::ByFlags => {
                "The names do not resolve on this machine. Correct them in --connect, or correct \
                 DNS: getent hosts NAME"
            }
        }];
    }
    let running = "Check that the servers run, and that no firewall blocks their client ports \
                   from this machine.";
    let [addresses, tls] = match reached {
        Reached::BySpec | Reached::BySpecWithSasl => [
            "Check the addresses: connect.servers in the spec.",
            "If the client ports use TLS, set connect.tls and give the secure client ports.",
        ],
        Reached::ByFlags => [
            "Check the addresses in --connect.",
            "If the client ports use TLS, add --tls-ca and give the secure client ports.",
        ],
    };
    let all_time_out = tried.iter().all(|one| one.silence == NoAnswer::ConnectTimedOut);
    let own_network = (all_time_out && tried.len() > 1)
        .then_some("All connections timed out: check the network of this machine first.");
    let failures = failures.into_iter().map(|failure| in_tls(failure, reached));
    let failures = is_closed(tried).then_some(CLOSES).into_iter().chain(failures);
    let first = own_network.into_iter().chain([addresses, running]);
    first.chain(failures).chain([tls]).collect()
}

/// What is wrong where a server leads. Without a session it was not seen that writes fail.
fn but(tried: &[Tried]) -> &'static str {
    if tried.iter().all(|one| one.silence == NoAnswer::Closed) {
        "but the servers close zkplan's connections before it has a session, so it cannot check \
         that writes commit"
    } else {
        "but no write commits"
    }
}

/// Whether a server closed connections.
fn is_closed(tried: &[Tried]) -> bool {
    tried.iter().any(|one| one.silence == NoAnswer::Closed)
}

/// What to do about such a server.
const CLOSES: &str = "A server closes every connection above a limit at once. Check \
                      maxClientCnxns and maxCnxns in its zoo.cfg, \
                      zookeeper.connection_throttle_tokens for sessions, and \"Too many \
                      connections\" in its log.";

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
            "Check that the ca file has the authority of the servers' certificates. If it has, \
             another server answers at these addresses. No password was sent."
        }
        (TlsFailure::OtherHost, _) => {
            "Write each server with a name from its certificate (a DNS name or an IP address in \
             the subject alternative names), or give it a certificate for this address. No \
             password was sent."
        }
        (TlsFailure::NotValidNow, _) => {
            "Renew the servers' certificates, or correct the clock of this machine."
        }
        (TlsFailure::Unverified, _) => {
            "Check that the servers' certificates are issued by the authority in the ca file, and \
             that they are not authority certificates themselves."
        }
        (TlsFailure::CertificateWanted, Reached::BySpec | Reached::BySpecWithSasl) => {
            "Give a client certificate that the servers trust (connect.tls.cert and key in the \
             spec), or let the servers accept clients without one: ssl.clientAuth=want or none in \
             zoo.cfg (the default is need)."
        }
        (TlsFailure::CertificateWanted, Reached::ByFlags) => {
            "Give a client certificate that the servers trust (--tls-cert and --tls-key), or let \
             the servers accept clients without one: ssl.clientAuth=want or none in zoo.cfg (the \
             default is need)."
        }
        (TlsFailure::CertificateRefused, _) => {
            "Check that the servers' trust store (ssl.trustStore.location) has the authority of \
             the client certificate. By the clock of this machine the certificate has not expired."
        }
        (TlsFailure::CertificateExpired, _) => "Renew the client certificate.",
        (TlsFailure::NoTls, _) => {
            "Give the secure client ports (secureClientPort in zoo.cfg), or use the plain ports \
             without certificates."
        }
        (TlsFailure::Handshake, _) => {
            "Find the reason in the servers' logs: perhaps they share no protocol \
             (ssl.enabledProtocols) or cipher suite with this machine."
        }
    }
}

const NO_COMMIT: [&str; 3] = [
    "Check that a quorum of voters follows that server: it may have just lost its followers.",
    "Check whether disks of the voters are full or slow: a leader that cannot write its log \
     cannot commit.",
    "Then run the same command again. zkplan changes nothing while writes do not commit.",
];

/// Who enforces authentication, and what was wanting.
fn enforcing(server: Option<ServerId>, endpoint: &Endpoint, why: NoAnswer) -> String {
    let who = match server {
        Some(id) => format!("Server {id} ({endpoint})"),
        None => format!("The server at {endpoint}"),
    };
    match why {
        NoAnswer::AuthRefused => {
            format!("{who} enforces authentication and refused the SASL user.")
        }
        NoAnswer::AuthWithheld => format!(
            "{who} enforces authentication, and its address is not in the file: zkplan does not \
             sign in there by SASL."
        ),
        _ => format!("{who} enforces authentication (-124): it accepts no session without it."),
    }
}

/// What to do where servers enforce authentication. A look has shown a digest without a secret, and
/// the client certificate where there is one.
const fn enforced(why: NoAnswer, reached: Reached) -> &'static [&'static str] {
    const OTHER: &str = "Servers that enforce another scheme than SASL answer with the same code: \
                         check zookeeper.enforce.auth.schemes on that server.";
    const UNNAMED: &str = "The error does not say which scheme. It is sasl if the server runs \
                           with zookeeper.sessionRequireClientSASLAuth=true, else one of \
                           zookeeper.enforce.auth.schemes.";
    match (why, reached) {
        (NoAnswer::AuthRefused, Reached::ByFlags) => &[
            "Check --user and the password. The servers read users from their JAAS file \
             (-Djava.security.auth.login.config).",
            OTHER,
        ],
        (NoAnswer::AuthRefused, _) => &[
            "Check user and password of connect.auth. The servers read users from their JAAS file \
             (-Djava.security.auth.login.config).",
            OTHER,
        ],
        (NoAnswer::AuthWithheld, Reached::ByFlags) => &["List every server in --connect."],
        (NoAnswer::AuthWithheld, _) => &["List every server in connect.servers or servers."],
        (_, Reached::BySpecWithSasl) => {
            &["zkplan has no password for connect.auth: set its environment variable \
               (ZKPLAN_PASSWORD), or give a file. Commands that only read do not prompt for it."]
        }
        (_, Reached::BySpec) => &[
            UNNAMED,
            "For sasl, set connect.auth: { scheme: sasl, mechanism: DIGEST-MD5, user: USER, \
             password: { env: ZKPLAN_PASSWORD } }, and set ZKPLAN_PASSWORD. zkplan signs in only \
             at the addresses in connect.servers and servers: list every server.",
            "For x509, set connect.tls with cert and key. For digest, commands that only read \
             need nothing.",
        ],
        (_, Reached::ByFlags) => &[
            UNNAMED,
            "For sasl, add --auth sasl --user USER; the password comes from ZKPLAN_PASSWORD, \
             --password-file or a prompt. zkplan signs in only at the addresses in --connect: \
             list every server.",
            "For x509, add --tls-ca, --tls-cert and --tls-key. For digest, commands that only \
             read need nothing.",
        ],
    }
}

const TOO_OLD: [&str; 3] = [
    "Upgrade by rolling restart, one server at a time, the leader last: first to 3.4.6 or later, \
     then to the newest 3.5 or 3.6 release, then to the release that you want.",
    "A server with transaction logs and no snapshot does not start on 3.5 or later: set \
     snapshot.trust.empty=true for its first start only.",
    "When all servers are upgraded, set reconfigEnabled=true by one more rolling restart, then \
     plan again.",
];

const UNREADABLE: [&str; 2] = [
    "Read /zookeeper/config with zkCli.sh (config): it may have been written by hand.",
    "The servers show their own configuration in the membership part of the four-letter word conf.",
];

/// Everything that was tried; nothing where nothing was.
fn attempts(tried: &[Tried], width: usize) -> Text {
    if tried.is_empty() {
        return Text::new();
    }
    let mut table = Table::new([Column::words("tried"), Column::words("result")]);
    for Tried { endpoint, silence } in tried {
        table.row([Line::plain(shown(endpoint)), Line::plain(phrases::silence(*silence))]);
    }
    table.to_text(width)
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
        steps.push(format!("Start the voters that are down: {}.", phrases::list(voters)));
    } else if perhaps.is_empty() || up.iter().any(is_known) {
        let every = if down.is_empty() { "Every address" } else { "Every known voter" };
        steps.push(format!(
            "{every} answers: find out from the servers' logs why they elect no leader (election \
             ports, myid, disks)."
        ));
    }
    if !perhaps.is_empty() {
        steps.push(format!(
            "No server answers at {}, which the spec lists. Start those that are voters already. \
             A joiner does not help the quorum.",
            phrases::list(perhaps)
        ));
    }
    let steps: Vec<&str> = steps.iter().map(String::as_str).chain(NO_QUORUM).collect();
    todo(&steps, width)
}

const NO_QUORUM: [&str; 3] = [
    "More than half of the voters must run and reach each other on their election ports.",
    "Without a quorum no reconfig commits, so zkplan cannot help and changes nothing.",
    "Do not edit the servers' membership files by hand to get a quorum: two ensembles could then \
     take writes at the same time.",
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
    for step in [
        "To make it the first server of an ensemble, write a spec and plan it: zkplan explain \
         first-quorum.",
        "If it should be a member of an ensemble, do not do this: its zoo.cfg has lost its server \
         lines. Put them back, and restart it.",
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
        prod-eu  Servers answer, but they have no leader: the ensemble has no quorum.
                 Nothing was changed.

          tried          result
          10.0.0.1:2181  it runs but serves no clients: it looks for a leader, or copies
                         the leader's data
          10.0.0.2:2181  connection refused: no process listens on the port

        What to do
          - Start the voters that are down: 10.0.0.2:2181.
          - More than half of the voters must run and reach each other on their election
            ports.
          - Without a quorum no reconfig commits, so zkplan cannot help and changes
            nothing.
          - Do not edit the servers' membership files by hand to get a quorum: two
            ensembles could then take writes at the same time.
        "#);
    }

    /// Of several servers that all time out at once, this machine is the likelier cause.
    #[test]
    fn where_nothing_is_reached_the_network_of_this_machine_comes_first() {
        let tried = |silences: &[NoAnswer]| {
            let one = |silence: &NoAnswer| Tried { endpoint: endpoint("h"), silence: *silence };
            let error = ObserveError::Unreachable { tried: silences.iter().map(one).collect() };
            shown(&error).contains("check the network of this machine first")
        };
        assert!(tried(&[NoAnswer::ConnectTimedOut, NoAnswer::ConnectTimedOut]));
        assert!(!tried(&[NoAnswer::ConnectTimedOut, NoAnswer::Refused]));
        assert!(!tried(&[NoAnswer::ConnectTimedOut]));
    }

    #[test]
    fn a_joiner_that_is_down_is_no_voter_to_be_started() {
        let tried = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
            .map(|host| Tried { endpoint: endpoint(host), silence: NoAnswer::ConnectTimedOut });
        let [_, two, three] = tried.clone().map(|one| one.endpoint);
        let said = |voteless: &[&Endpoint], unclear: &[&Endpoint]| {
            let [voteless, unclear] =
                [voteless, unclear].map(|all| all.iter().copied().cloned().collect());
            let shown = shown(&ObserveError::NoQuorum { tried: tried.to_vec(), voteless, unclear });
            shown.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let known = said(&[&two, &three], &[]);
        assert!(known.contains("Start the voters that are down: 10.0.0.1:2181. - More"), "{known}");
        let unknown = said(&[], &[&two, &three]);
        let both = "Start the voters that are down: 10.0.0.1:2181. - No server answers at \
                    10.0.0.2:2181 and 10.0.0.3:2181, which the spec lists. Start those that are \
                    voters already.";
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

          tried                   result
          zk1.example:2181 (TLS)  the host name has no address

        What to do
          - The names do not resolve on this machine. Correct them in connect.servers of
            the spec, or correct DNS: getent hosts NAME
        "#);
    }

    #[test]
    fn a_standalone_server_is_no_ensemble() {
        let error = ObserveError::Standalone { endpoint: endpoint("10.0.0.1") };
        insta::assert_snapshot!(shown(&error), @r#"
        prod-eu  The server at 10.0.0.1:2181 runs standalone. It is not an ensemble.
                 Nothing was changed.

        What to do
          - To make it the first server of an ensemble, write a spec and plan it: zkplan
            explain first-quorum.
          - If it should be a member of an ensemble, do not do this: its zoo.cfg has
            lost its server lines. Put them back, and restart it.
        "#);
    }

    #[test]
    fn the_rest_says_what_to_do() {
        let leader = ServerId::new(1);
        let tried = vec![Tried { endpoint: endpoint("10.0.0.2"), silence: NoAnswer::Closed }];
        let closed = ObserveError::NoCommit { leader, endpoint: endpoint("10.0.0.1"), tried };
        let screen = shown(&closed);
        assert!(screen.contains("Server 1 at 10.0.0.1:2181 leads, but the servers close"));
        assert!(screen.contains("\n  10.0.0.2:2181  it closes the connection: a limit"));
        assert!(!screen.contains("no write commits"), "{screen}");
        let silence = NoAnswer::AnswerTimedOut;
        let tried = vec![Tried { endpoint: endpoint("10.0.0.2"), silence }];
        let error = ObserveError::NoCommit { leader, endpoint: endpoint("10.0.0.1"), tried };
        assert!(shown(&error).contains("Server 1 at 10.0.0.1:2181 leads, but no write commits."));
        let cause = EnsembleConfig::parse(&line(1)).unwrap_err();
        let error = ObserveError::UnreadableConfig { endpoint: endpoint("10.0.0.1"), cause };
        assert!(shown(&error).contains("Cause: the configuration has no `version=` line"));
    }
}
