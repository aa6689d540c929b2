//! `zkplan preflight` where servers are reached in other ways, and what it must never do there.

use std::sync::Arc;

use crate::applying::wanting;
use crate::harness::{Authority, Builder};
use crate::ledger::Ledger;
use crate::preflight::{preflight, verdicts};
use crate::spec::Spec;
use crate::tls::{ROOT, by_certificate, desk_of, wanting_by_tls};
use crate::zkplan::Desk;

const JSON: [&str; 2] = ["--format", "json"];

/// The user of the spec is asked by SASL, and servers that enforce it are no obstacle.
#[test]
fn where_sasl_is_enforced_its_user_is_asked() {
    let builder = Builder::rich().sasl().setting("sessionRequireClientSASLAuth", "true");
    let ensemble = builder.start();
    let spec = wanting(&ensemble, 1..=3, 1..=3).sasl("super");
    let desk = Desk::new();
    let ledger = Ledger::begin(&ensemble);
    let document = preflight(&desk, &spec, &JSON).exits(0).json();
    assert_eq!(verdicts(&document, "ZKP17"), ["pass"; 3], "{document:#}");
    assert_eq!(verdicts(&document, "ZKP19"), ["pass"; 3], "{document:#}");
    // A look has the rights of its user there: that is no open list.
    assert_eq!(verdicts(&document, "ZKP18"), ["unknown"], "{document:#}");
    ledger.is_untouched();
    let file = desk.write("preflight.yaml", &spec.text());
    let without = desk.run(["preflight", &file]).exits(10);
    crate::show(&without.stdout);
}

/// A certificate is an identity: it is asked for its rights, and no password is needed.
#[test]
fn a_certificate_is_asked_for_its_rights() {
    let authority: Arc<Authority> = Authority::new();
    let root = format!("CN={ROOT}");
    let ensemble = Builder::rich()
        .tls(&authority)
        .setting("X509AuthenticationProvider.superUser", &root)
        .start();
    let spec = by_certificate(wanting_by_tls(&ensemble, 1..=3)).x509();
    for (holder, verdict, exit) in [(ROOT, "pass", 0), ("visitor", "fail", 3)] {
        let desk = desk_of(&authority, &authority.client(holder));
        let file = desk.write("preflight.yaml", &spec.text());
        let document = desk.run(["preflight", &file].iter().chain(&JSON)).exits(exit).json();
        assert_eq!(verdicts(&document, "ZKP17"), [verdict; 3], "{document:#}");
        assert_eq!((1..=3).map(|id| ensemble.credentials_sent_to(id)).sum::<usize>(), 0);
    }
}

/// Its system properties are for everyone who reaches it.
#[test]
fn an_admin_server_that_shows_the_digest_is_named_and_the_digest_is_not() {
    let ensemble = Builder::rich().admin_server().start();
    let spec = wanting(&ensemble, 1..=3, 1..=3);
    assert!(spec.text().contains("admin: \"http://"), "{}", spec.text());
    let text = preflight(&Desk::new(), &spec, &[]).exits(0);
    crate::show(&text.stdout);
    text.says(["DigestAuthenticationProvider.superDigest", "admin.enableServer=false"])
        .says_nowhere("RX4WTyccCctM2IkpYLXtXE1GFB0");
}

/// The new server still belongs to another ensemble: no password, and no word that all is well.
#[test]
fn a_joiner_of_another_ensemble_is_named_and_sent_nothing() {
    let ours = Builder::rich().start();
    let theirs = Builder::rich().participants([4, 5, 6]).start();
    let mut spec = wanting(&ours, 1..=3, 1..=3);
    spec.servers.extend(Spec::of(&theirs, [4]).servers);
    let (own, other) = (Ledger::begin(&ours), Ledger::begin(&theirs));
    let sent = || (4..=6).map(|id| theirs.credentials_sent_to(id)).sum::<usize>();
    let before = sent();
    let outcome = preflight(&Desk::new(), &spec, &[]).exits(3);
    crate::show(&outcome.to_string());
    outcome.says(["server 4"]).says_nowhere("No check failed");
    assert_eq!(sent(), before);
    own.is_untouched();
    other.is_untouched();
}
