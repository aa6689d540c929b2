//! Ensembles that take no session without authentication, and operators who come by SASL.

use zookeeper_client::Permission;

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, SASL_USER};
use crate::ledger::{Ledger, is_at};
use crate::spec::Spec;
use crate::zkplan::Desk;

/// Wants these servers, and changes the configuration as that user of SASL.
fn by_sasl(ensemble: &Ensemble, wanted: impl IntoIterator<Item = u8>, user: &str) -> Spec {
    wanting(ensemble, wanted, 1..=3).sasl(user)
}

/// Servers that take no session without SASL.
fn sasl_alone() -> Builder {
    Builder::rich().sasl().setting("sessionRequireClientSASLAuth", "true")
}

/// Servers that take no session without a digest, whatever its password.
fn digest_alone() -> Builder {
    Builder::rich()
        .setting("enforce.auth.enabled", "true")
        .setting("enforce.auth.schemes", "digest")
}

/// All the commands that look, with the password at hand.
#[test]
fn where_sasl_is_enforced_its_user_moves_the_ensemble() {
    let ensemble = sasl_alone().start_with([4, 5, 6]);
    let desk = Desk::new();
    let contacts = [1, 2, 3].map(|id| ensemble.client_address(id).to_string()).join(",");
    let flags = ["import", "--connect", &contacts, "--auth", "sasl", "--user", "super"];
    let imported = desk.run_as_super(&flags).exits(0);
    let auth = "auth: { scheme: sasl, mechanism: DIGEST-MD5, user: super, password: { env: \
                ZKPLAN_PASSWORD } }";
    let imported = imported.says([auth]);
    desk.write("imported.yaml", &imported.stdout);
    desk.run_as_super(&["plan", "imported.yaml"]).exits(0).says(["No changes"]);

    let spec = by_sasl(&ensemble, 4..=6, "super");
    let name = desk.write("spec.yaml", &spec.text());
    desk.run_as_super(&["plan", &name, "--detailed-exitcode"]).exits(2);
    let apply = desk.apply_spec(&spec).with(&["--approve", "cutover"]).ends().exits(0);
    let at = ensemble.client_address(1);
    apply.says([format!("which does not send the password, to server 1 ({at})")]);
    is_at(&ensemble, &[4, 5, 6]);
    desk.run_as_super(&["history", &name]).exits(0).says(["done"]);
    let back = by_sasl(&ensemble, 4..=6, "super").connect(&contacts);
    desk.run_as_super(&["plan", &desk.write("back.yaml", &back.text())]).exits(0);
}

/// A connect proves nothing, and a code that does not name the scheme is not told as one that does.
#[test]
fn where_sasl_is_enforced_each_thing_that_is_missing_is_said() {
    let ensemble = sasl_alone().start_with([4]);
    let desk = Desk::new();
    let ledger = Ledger::begin(&ensemble);
    let at = ensemble.client_address(1);
    let enforced = format!("({at}) enforces authentication (-124)");

    let spec = wanting(&ensemble, 1..=4, 1..=3);
    let missing = desk.plan(&spec, &[]).exits(10).says(["enforces authentication (-124)"]);
    missing.says(["connect.auth: { scheme: sasl", "list every server"]).says_nowhere("disks");
    let missing = desk.apply_spec(&spec).ends().exits(10).says(["enforces authentication (-124)"]);
    missing.says_nowhere("disks");
    let contact = at.to_string();
    let missing = desk.run(["import", "--connect", &contact]).exits(10);
    missing.says(["enforces authentication (-124)", "--auth sasl --user USER"]);

    let spec = by_sasl(&ensemble, 1..=4, "super");
    // Its password is not at hand.
    desk.plan(&spec, &[]).exits(10).says(["zkplan has no password for connect.auth"]);
    let wrong = desk.apply_spec(&spec).password("guess-4711").ends().exits(10);
    let wrong = wrong.says(["enforces authentication, and refused the SASL user", "JAAS file"]);
    wrong.says_nowhere(&enforced).says_nowhere("disks");

    let visitor = by_sasl(&ensemble, 1..=4, SASL_USER);
    let refused = format!("server 1 ({at}) refused user \"{SASL_USER}\" (SASL)");
    let refused = desk.apply_spec(&visitor).ends().exits(10).says([refused]);
    refused.says(["superUser=USER in its zoo.cfg"]);
    ledger.is_untouched();
}

/// SASL is there for those who want it.
#[test]
fn where_sasl_is_not_enforced_looks_need_no_password_and_a_connect_proves_nothing() {
    let ensemble = Builder::rich().sasl().start_with([4]);
    let desk = Desk::new();
    let spec = by_sasl(&ensemble, 1..=4, "super");
    desk.plan(&spec, &[]).exits(2);
    let wrong = desk.apply_spec(&spec).password("guess-4711").ends().exits(10);
    wrong.says(["refused user \"super\" (SASL): wrong password"]);
    desk.apply_spec(&spec).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
    // By digest the same run can be read, and the folder is believed.
    let back = wanting(&ensemble, 1..=3, 1..=3);
    desk.apply_spec(&back).ends().exits(0).says(["run 2"]);
    is_at(&ensemble, &[1, 2, 3]);

    // Without a JAAS file servers answer a SASL client as if all were well.
    let ensemble = Builder::rich().start_with([4]);
    let ledger = Ledger::begin(&ensemble);
    let spec = by_sasl(&ensemble, 1..=4, "super");
    let refused = desk.apply_spec(&spec).ends().exits(10);
    refused.says(["refused user \"super\" (SASL)", "its JAAS file"]);
    ledger.is_untouched();
}

/// Any digest passes there: looks show one without a secret.
#[test]
fn where_digest_is_enforced_looks_need_no_password() {
    let ensemble = digest_alone().start_with([4, 5, 6]);
    let desk = Desk::new();
    let contact = ensemble.client_address(2).to_string();
    let imported = desk.run(["import", "--connect", &contact]).exits(0);
    desk.run(["plan", &desk.write("imported.yaml", &imported.stdout)]).exits(0);
    let spec = wanting(&ensemble, 4..=6, 1..=3);
    desk.plan(&spec, &[]).exits(2);
    let wrong = desk.apply_spec(&spec).password("guess-4711").with(&["--approve", "cutover"]);
    wrong.ends().exits(10).says(["refused user \"super\": wrong password"]);
    desk.apply_spec(&spec).with(&["--approve", "cutover"]).ends().exits(0);
    is_at(&ensemble, &[4, 5, 6]);
    desk.run(["history", "spec.yaml"]).exits(0).says(["done"]);
    let entries = ensemble.administrator().list("/zkplan");
    assert!(entries.iter().all(|entry| !entry.contains("zkplan")), "{entries:?}");
}

/// The id of a look is public: what an operator makes is not open to it.
#[test]
fn where_digest_is_enforced_what_an_operator_makes_is_closed() {
    let ensemble = digest_alone().start_with([4]);
    let id = zkplan::ensemble::digest_id("op", "secret");
    ensemble.administrator().let_user("digest", &id, Permission::READ | Permission::WRITE);
    let desk = Desk::new();
    let spec = wanting(&ensemble, 1..=4, 1..=3).auth("op");
    desk.apply_spec(&spec).password("secret").ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
    let entries = ensemble.administrator().list("/zkplan");
    assert_eq!(entries, ["world:anyone".to_owned(), format!("digest:{id}")]);
    desk.apply_spec(&wanting(&ensemble, 1..=3, 1..=3).auth("op"))
        .password("secret")
        .ends()
        .exits(0);
    is_at(&ensemble, &[1, 2, 3]);
}

/// With the rights of a list instead of a super user's.
#[test]
fn a_sasl_user_with_rights_applies_and_what_it_makes_is_closed() {
    sasl_user_with_rights(Builder::rich().sasl());
}

/// A server takes the session for a digest there, and the user for the configuration.
#[test]
fn where_digest_is_enforced_a_sasl_user_applies_and_what_it_makes_is_closed() {
    sasl_user_with_rights(digest_alone().sasl());
}

fn sasl_user_with_rights(builder: Builder) {
    let ensemble = builder.start_with([4]);
    let rights = Permission::READ | Permission::WRITE;
    ensemble.administrator().let_user("sasl", SASL_USER, rights);
    let desk = Desk::new();
    let spec = by_sasl(&ensemble, 1..=4, SASL_USER);
    desk.apply_spec(&spec).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
    let entries = ensemble.administrator().list("/zkplan");
    assert_eq!(entries, ["world:anyone".to_owned(), format!("sasl:{SASL_USER}")]);
    // It is believed without a password too: ids of SASL are not masked.
    desk.run(["history", "spec.yaml"]).exits(0).says(["done"]).says_nowhere("as far as");
    desk.apply_spec(&by_sasl(&ensemble, 1..=3, SASL_USER)).ends().exits(0).says(["run 2"]);
    is_at(&ensemble, &[1, 2, 3]);
}

/// The server of the session dies in mid-run, so that the session has to move.
#[test]
fn where_authentication_is_enforced_a_session_outlives_its_server() {
    for (builder, is_sasl) in [(sasl_alone(), true), (digest_alone(), false)] {
        let ensemble = builder.start_with([4]);
        let spec = wanting(&ensemble, 1..=4, 1..=4).session_timeout("10s");
        let spec = if is_sasl { spec.sasl("super") } else { spec };
        let desk = Desk::new();
        let mut apply = desk.apply_spec(&spec).at("STOP", "send join-4").start();
        apply.wait_frozen();
        let attached = apply.events().attached().map(str::to_owned).expect("a session");
        let on = (1..=3).find(|id| ensemble.client_address(*id).to_string() == attached);
        let on = on.expect("the session is on a member");
        ensemble.kill(on);
        apply.thaw();
        ensemble.start_again(on);
        let ended = apply.ends().exits_with_one_of(&[0, 7]);
        if ended.has_exited(7) {
            ensemble.wait_serving();
            desk.apply_spec(&spec).ends().exits(0);
        }
        is_at(&ensemble, &[1, 2, 3, 4]);
    }
}

/// A probe proves nobody there either.
#[test]
fn a_probe_is_sent_where_digests_are_enforced_and_not_where_sasl_is() {
    let digest = ["the leader would accept join-4"];
    let sasl =
        ["join-4 was not sent", "enforce authentication (-124)", "three things are not proven"];
    for (builder, said) in [(digest_alone(), &digest[..]), (sasl_alone(), &sasl[..])] {
        let ensemble = builder.start_with([4]);
        let ledger = Ledger::begin(&ensemble);
        let desk = Desk::new();
        let name = desk.write("spec.yaml", &by_sasl(&ensemble, 1..=4, "super").text());
        desk.run_as_super(&["plan", &name, "--probe", "--detailed-exitcode"]).exits(2).says(said);
        ledger.is_untouched();
    }
}
