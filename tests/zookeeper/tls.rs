//! Ensembles whose clients come by TLS, and operators who are known by a certificate.
//!
//! Each server's own log tells whom it took for whom, and counts the passwords that it was sent.

use std::sync::Arc;

use zookeeper_client::{Acl, Acls, AuthId, Client, CreateMode, Error, Permission, TlsOptions};

use crate::applying::wanting;
use crate::harness::{Authority, Builder, Certificate, Ensemble, PATIENCE, Role, ports};
use crate::ledger::{Ledger, is_at};
use crate::spec::Spec;
use crate::zkplan::Desk;

/// Who is the x509 super user.
pub(crate) const ROOT: &str = "root";

/// Who has rights on the configuration, where a test gives them.
const OPERATOR: &str = "operator";

/// An ensemble with plain and secure client ports, or with secure ones alone.
fn rich(authority: &Arc<Authority>) -> Builder {
    let root = format!("CN={ROOT}");
    Builder::rich().tls(authority).setting("X509AuthenticationProvider.superUser", &root)
}

/// Wants these servers; the members are reached by their secure client ports, and checked by
/// `ca.pem` of the desk.
pub(crate) fn wanting_by_tls(ensemble: &Ensemble, wanted: impl IntoIterator<Item = u8>) -> Spec {
    // The library gives a handshake two fifths of a session time-out.
    let mut spec = wanting(ensemble, wanted, []).session_timeout("10s");
    let at = (1..=3).filter_map(|id| ensemble.secure_address(id));
    spec.connect = at.map(|at| at.to_string()).collect();
    spec.tls("ca.pem", None)
}

/// The same with the desk's client certificate, and without a user.
pub(crate) fn by_certificate(spec: Spec) -> Spec {
    by_files(spec, ["client.pem", "client-key.pem"])
}

/// The same with a certificate and a key from these files, and without a user.
pub(crate) fn by_files(spec: Spec, [certificate, key]: [&str; 2]) -> Spec {
    let mut spec = spec.tls("ca.pem", Some((certificate, key)));
    spec.connect_with.retain(|line| !line.contains("auth:"));
    spec
}

/// A desk that has the authority's certificate.
fn desk(authority: &Authority) -> Desk {
    let desk = Desk::new();
    desk.write("ca.pem", authority.pem());
    desk
}

/// The same, and a client's certificate.
pub(crate) fn desk_of(
    authority: &Authority,
    Certificate { certificate, key }: &Certificate,
) -> Desk {
    let desk = desk(authority);
    desk.write("client.pem", certificate);
    desk.write("client-key.pem", key);
    desk
}

/// How many passwords each server was sent.
fn passwords(ensemble: &Ensemble, ids: impl IntoIterator<Item = u8>) -> Vec<usize> {
    ids.into_iter().map(|id| ensemble.credentials_sent_to(id)).collect()
}

/// How often servers took a client for the holder of such a certificate.
fn sightings(ensemble: &Ensemble, name: &str) -> usize {
    let sighting = format!("Authenticated Id 'CN={name}'");
    (1..=4).map(|id| ensemble.log(id).matches(&sighting).count()).sum()
}

/// Does something on a session that shows a certificate, on the server that leads.
fn as_holder<T>(
    (ensemble, authority): (&Ensemble, &Authority),
    shown: &Certificate,
    work: impl AsyncFnOnce(&Client) -> Result<T, Error>,
) -> Result<T, Error> {
    let at = ensemble.secure_address(ensemble.wait_leader()).expect("a secure client port");
    let tls = TlsOptions::new().with_pem_ca(authority.pem());
    let tls = tls.and_then(|tls| tls.with_pem_identity(&shown.certificate, &shown.key));
    let tls = tls.expect("certificates made here");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime for one client").block_on(async {
        let done = async {
            let at = format!("tcp+tls://{at}");
            work(&Client::connector().with_tls(tls).connect(&at).await?).await
        };
        tokio::time::timeout(PATIENCE, done).await.expect("requests are answered")
    })
}

/// The list of a znode, as `scheme:id` and the number of rights.
fn list(on: (&Ensemble, &Authority), shown: &Certificate, path: &str) -> Vec<(String, Permission)> {
    let list = as_holder(on, shown, async |client| client.get_acl(path).await);
    let (list, _) = list.expect("it is there");
    let entry = |it: &Acl| (format!("{}:{}", it.scheme(), it.id()), it.permission());
    list.iter().map(entry).collect()
}

#[test]
fn a_password_travels_in_tls_to_servers_of_that_authority_alone() {
    let authority = Authority::new();
    let ensemble = rich(&authority).setting("ssl.clientAuth", "none").start_with([4]);
    let spec = wanting_by_tls(&ensemble, 1..=4);

    let other = desk(&Authority::new());
    let ledger = Ledger::begin(&ensemble);
    let before = passwords(&ensemble, 1..=4);
    let why =
        ["its certificate is not signed by an authority in the ca file", "another server answers"];
    other.plan(&spec, &[]).exits(10).says(why);
    other.apply_spec(&spec).ends().exits(10).says(why);
    assert_eq!(passwords(&ensemble, 1..=4), before);
    ledger.is_untouched();

    let desk = desk(&authority);
    desk.plan(&wanting_by_tls(&ensemble, 1..=3), &[]).exits(0).says(["No changes"]);
    let at = ensemble.secure_address(1).expect("a secure client port");
    let added = desk.apply_spec(&spec).ends().exits(0);
    added.says([format!("zkplan sends the password of \"super\" to server 1 ({at})")]);
    is_at(&ensemble, &[1, 2, 3, 4]);
    desk.apply_spec(&wanting_by_tls(&ensemble, [2, 3, 4])).ends().exits(0);
    is_at(&ensemble, &[2, 3, 4]);
}

/// Its plain client port is no way round: with a plan file, whose lines name that port too.
#[test]
fn who_has_another_hosts_certificate_is_sent_no_password() {
    let authority = Authority::new();
    let builder = rich(&authority).setting("ssl.clientAuth", "none");
    let ensemble = builder.certificate_for(3, "elsewhere.example").start_with([4]);
    let desk = desk(&authority);
    let spec = wanting_by_tls(&ensemble, 1..=4);
    desk.plan(&spec, &["--out", "plan.json"]).exits(2);
    let before = passwords(&ensemble, 1..=4);
    desk.apply("plan.json").ends().exits(0);
    let sent = passwords(&ensemble, 1..=4);
    is_at(&ensemble, &[1, 2, 3, 4]);
    assert_eq!(sent[2], before[2], "server 3 was sent a password: {sent:?}");
    assert!(sent[0] > before[0] && sent[3] > before[3], "{sent:?}");

    let mut alone = wanting_by_tls(&ensemble, [3]);
    alone.connect.drain(..2);
    let why = ["its certificate is for another host", "subject alternative names"];
    desk.plan(&alone, &[]).exits(10).says(why);
}

/// Lines have no client part there. A plain client port in a line would be opened by the next
/// restart, and would end the leader.
#[test]
fn servers_that_speak_tls_alone_join_and_leave_without_a_plain_client_port() {
    let authority = Authority::new();
    let ensemble =
        Builder::rich().tls_alone(&authority).setting("ssl.clientAuth", "none").start_with([4]);
    let desk = desk(&authority);
    let spec = |wanted: &[u8]| wanting_by_tls(&ensemble, wanted.iter().copied());
    desk.plan(&spec(&[1, 2, 3]), &[]).exits(0).says(["No changes"]);

    // A spec that knows nothing of that leaves members as they are, and adds none like this.
    let plain = |mut spec: Spec| {
        for server in &mut spec.servers {
            [server.client_port] = ports::free();
        }
        spec
    };
    desk.plan(&plain(spec(&[1, 2, 3])), &[]).exits(0).says(["No changes"]);
    let ledger = Ledger::begin(&ensemble);
    let refused = ["The line of server 4 would get a plain client port", "`clientPort: none`"];
    desk.plan(&plain(spec(&[1, 2, 3, 4])), &[]).exits(3).says(refused);
    desk.apply_spec(&plain(spec(&[1, 2, 3, 4]))).ends().exits(3).says(refused);
    let written = plain(spec(&[1, 2, 3])).policy("clientPart", "write");
    let demoted = plain(spec(&[1, 2, 3])).role(1, Role::Observer);
    for spec in [written, demoted] {
        let refused = desk.plan(&spec, &[]).exits(3).says(["`clientPort: none`"]);
        refused.says_nowhere("--accept ZK");
    }
    ledger.is_untouched();

    desk.apply_spec(&spec(&[1, 2, 3, 4])).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
    let leader = ensemble.wait_leader();
    let staying: Vec<u8> = (1..=4).filter(|id| *id != leader).collect();
    desk.apply_spec(&spec(&staying)).ends().exits(0);
    is_at(&ensemble, &staying);
    let lines = ensemble.administrator().config().members;
    assert!(lines.iter().all(|line| !line.contains(';')), "{lines:?}");
}

/// Up to 3.9 that takes whole lists of lines, on each of which there is no client part.
#[test]
fn an_ensemble_that_speaks_tls_alone_moves_onto_new_servers() {
    let authority = Authority::new();
    let root = format!("CN={ROOT}");
    let builder = Builder::rich().tls_alone(&authority);
    let builder = builder.setting("X509AuthenticationProvider.superUser", &root);
    let ensemble = builder.start_with([4, 5, 6]);
    let desk = desk_of(&authority, &authority.client(ROOT));
    let spec = by_certificate(wanting_by_tls(&ensemble, 4..=6));
    let ledger = Ledger::begin(&ensemble);
    desk.apply_spec(&spec).with(&["--approve", "cutover"]).ends().exits(0);
    ledger.has_steps(6);
    is_at(&ensemble, &[4, 5, 6]);
    let lines = ensemble.administrator().config().members;
    assert!(lines.iter().all(|line| !line.contains(';')), "{lines:?}");
    // What came in serves clients as before once it is started again.
    for id in 1..=3 {
        ensemble.stop(id);
    }
    ensemble.stop(4);
    ensemble.start_again(4);
    ensemble.wait_serving();
    is_at(&ensemble, &[4, 5, 6]);
}

/// `ssl.clientAuth=need`, ZooKeeper's default.
#[test]
fn where_servers_want_a_certificate_its_holder_applies_and_others_are_told_why_not() {
    let authority = Authority::new();
    let ensemble = rich(&authority).start_with([4]);
    let spec = wanting_by_tls(&ensemble, 1..=4);
    let why =
        ["it requires a client certificate", "connect.tls.cert", "ssl.clientAuth=want or none"];
    desk(&authority).plan(&spec, &[]).exits(10).says(why);

    let other = Authority::new();
    let desk = desk_of(&authority, &other.client(ROOT));
    let why = ["it refuses the client certificate", "ssl.trustStore.location"];
    desk.plan(&by_certificate(spec.clone()), &[]).exits(10).says(why);

    let desk = desk_of(&authority, &authority.expired_client(ROOT));
    let expired = desk.plan(&by_certificate(spec.clone()), &[]).exits(10);
    expired.says(["it refuses the client certificate, which has expired", "Renew the client"]);

    // Who is let in has no rights for that: a password gives them, as it does without TLS.
    let desk = desk_of(&authority, &authority.client("visitor"));
    desk.plan(&by_certificate(wanting_by_tls(&ensemble, 1..=3)), &[]).exits(0);
    let alone = desk.apply_spec(&by_certificate(spec.clone())).ends().exits(10);
    alone.says(["the client certificate", "X509AuthenticationProvider.superUser="]);
    is_at(&ensemble, &[1, 2, 3]);
    let both = spec.clone().tls("ca.pem", Some(("client.pem", "client-key.pem")));
    desk.apply_spec(&both).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);

    // The super user by certificate goes on with what the super user by password has left.
    let root = authority.client(ROOT);
    let desk = desk_of(&authority, &root);
    let second = desk.apply_spec(&by_certificate(wanting_by_tls(&ensemble, 2..=4))).ends();
    second.exits(0).says(["run 2"]);
    is_at(&ensemble, &[2, 3, 4]);
    // Made by certificate, too, nothing of it is left behind: another super user finds no stranger.
    deletes_all((&ensemble, &authority), &root, "/zkplan");
    ensemble.wait_following(1);
    desk.apply_spec(&by_certificate(spec)).ends().exits(0).says(["run 1"]);
    let anyone = ("world:anyone".to_owned(), Permission::READ);
    assert_eq!(list((&ensemble, &authority), &root, "/zkplan"), [anyone]);
}

/// What zkCli's `deleteall` does.
fn deletes_all(on: (&Ensemble, &Authority), shown: &Certificate, root: &str) {
    let deleted = as_holder(on, shown, async |client| {
        let (mut found, mut paths) = (Vec::new(), vec![root.to_owned()]);
        while let Some(path) = paths.pop() {
            let names = client.list_children(&path).await?;
            paths.extend(names.iter().map(|name| format!("{path}/{name}")));
            found.push(path);
        }
        for path in found.iter().rev() {
            client.delete(path, None).await?;
        }
        Ok(())
    });
    deleted.expect("super may delete anything");
}

/// With all rights on the configuration, and with those that a reconfig takes.
fn a_writer_of_the_configuration_applies(on: (&Ensemble, &Authority), desk: &Desk) {
    let (ensemble, authority) = on;
    let id = format!("CN={OPERATOR}");
    let operator = authority.client(OPERATOR);
    let spec = |wanted: &[u8]| by_certificate(wanting_by_tls(ensemble, wanted.to_vec()));
    for rights in [Permission::ALL, Permission::READ | Permission::WRITE] {
        ensemble.administrator().let_certified(&id, rights);
        // Who only looks proves nobody.
        let before = sightings(ensemble, OPERATOR);
        desk.plan(&spec(&[1, 2, 3, 4]), &[]).exits(2);
        assert_eq!(sightings(ensemble, OPERATOR), before, "plan showed the certificate");
        desk.apply_spec(&spec(&[1, 2, 3, 4])).ends().exits(0);
        is_at(ensemble, &[1, 2, 3, 4]);
        let anyone = ("world:anyone".to_owned(), Permission::READ);
        let writer = (format!("x509:{id}"), Permission::ALL);
        assert_eq!(list(on, &operator, "/zkplan"), [anyone, writer]);
        // A run is believed by who has no certificate too: x509 ids are not masked.
        desk.run(["history", "spec.yaml"]).exits(0).says(["done"]).says_nowhere("as far as");
        desk.apply_spec(&spec(&[1, 2, 3])).ends().exits(0).says(["run 2"]);
        is_at(ensemble, &[1, 2, 3]);
        ensemble.wait_following(4);
        deletes_all(on, &authority.client(ROOT), "/zkplan");
    }
}

#[test]
fn a_certificate_with_rights_applies_and_no_folder_of_another_is_believed() {
    let authority = Authority::new();
    let ensemble = rich(&authority).setting("ssl.clientAuth", "want").start_with([4]);
    let on = (&ensemble, &*authority);
    let desk = desk_of(&authority, &authority.client(OPERATOR));
    a_writer_of_the_configuration_applies(on, &desk);
    others_folders_are_not_believed(on, &desk);
    desk.apply_spec(&by_certificate(wanting_by_tls(&ensemble, 1..=4))).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
}

/// Another client with a certificate of the same authority fills the folder first.
fn others_folders_are_not_believed(on: (&Ensemble, &Authority), desk: &Desk) {
    let (ensemble, authority) = on;
    let id = format!("CN={OPERATOR}");
    let spec = by_certificate(wanting_by_tls(ensemble, 1..=4));
    let [mallory, namesake] =
        [authority.client("mallory"), authority.client_of("elsewhere", OPERATOR)];
    let anyone = |rights| Acl::new(rights, AuthId::anyone());
    let closed_to = |scheme: &str, id: &str| {
        vec![anyone(Permission::READ), Acl::new(Permission::ALL, AuthId::new(scheme, id))]
    };
    let open = vec![anyone(Permission::ALL)];
    let rows = [
        ("open", &mallory, open.clone(), None),
        ("closed behind", &mallory, open, Some(closed_to("x509", &id))),
        ("own id", &mallory, closed_to("x509", "CN=mallory"), None),
        ("namesake", &namesake, closed_to("x509", &format!("O=elsewhere,{id}")), None),
    ];
    for (name, who, list, later) in &rows {
        let laid = as_holder(on, who, async |client| {
            let options = CreateMode::Persistent.with_acls(Acls::new(list));
            client.create("/zkplan", b"", &options).await?;
            client.create("/zkplan/runs", b"", &options).await?;
            client.create("/zkplan/id", b"feedfacefeedface", &options).await?;
            if let Some(list) = later {
                for path in ["/zkplan/id", "/zkplan/runs", "/zkplan"] {
                    client.set_acl(path, list, None).await?;
                }
            }
            Ok(())
        });
        laid.unwrap_or_else(|why| panic!("{name}: {why}"));
        let ledger = Ledger::begin(ensemble);
        desk.plan(&spec, &[])
            .exits(2)
            .says(["ZKF18", "cannot prove that only operators wrote"])
            .says_nowhere("feedface");
        let refused = desk.apply_spec(&spec).ends().exits(3);
        refused
            .says(["cannot prove that only operators wrote", "`folder: /zkplan-2`"])
            .says_nowhere("feedface");
        ledger.is_untouched();
        deletes_all(on, &authority.client(ROOT), "/zkplan");
    }
}

/// `connect.auth` names the scheme, and no user.
#[test]
fn a_spec_of_scheme_x509_changes_the_configuration_by_certificate() {
    let authority = Authority::new();
    let ensemble = rich(&authority).start_with([4]);
    let desk = desk_of(&authority, &authority.client(ROOT));
    let mut spec = by_certificate(wanting_by_tls(&ensemble, 1..=4));
    spec.connect_with.push("  auth: { scheme: x509 }".to_owned());
    desk.plan(&spec, &["--out", "plan.json"]).exits(2);
    let before = passwords(&ensemble, 1..=4);
    desk.apply("plan.json").ends().exits(0).says_nowhere("password");
    assert_eq!(passwords(&ensemble, 1..=4), before, "a password was sent");
    is_at(&ensemble, &[1, 2, 3, 4]);
}

/// Where servers take a session of nobody the leader is asked as nobody; else it is said what stays
/// unproven, for the holder of a certificate might have it carried out.
#[test]
fn a_probe_shows_no_certificate() {
    let authority = Authority::new();
    let unproven =
        ["join-4 was not sent", "ssl.clientAuth=need", "that the leader accepts reconfigs"];
    let would = ["the leader would accept join-4"];
    for (wanted, said) in [("need", &unproven[..]), ("want", &would[..])] {
        let ensemble = rich(&authority).setting("ssl.clientAuth", wanted).start_with([4]);
        let desk = desk_of(&authority, &authority.client(ROOT));
        let ledger = Ledger::begin(&ensemble);
        let spec = by_certificate(wanting_by_tls(&ensemble, 1..=4));
        let before = sightings(&ensemble, ROOT);
        desk.plan(&spec, &["--probe"]).exits(2).says(said);
        ledger.is_untouched();
        if wanted == "want" {
            assert_eq!(sightings(&ensemble, ROOT), before, "the probe showed the certificate");
        }
    }
}

/// While a joiner is awaited, every certificate is replaced by one of another authority, which
/// afterwards is the only one that servers and operator trust.
#[test]
fn certificates_are_rotated_in_the_middle_of_a_run() {
    let (old, new) = (Authority::new(), Authority::named("next authority"));
    let ensemble = rich(&old).trusting(&new).start_with([4]);
    ensemble.stop(4);
    let desk = desk_of(&old, &old.client(ROOT));
    let spec = by_certificate(wanting_by_tls(&ensemble, 1..=4));
    let mut apply = desk.apply_spec(&spec).start();
    apply.wait_said(&["session on"]);
    // A file that holds both, as `openssl pkcs12 -nodes` writes it.
    let Certificate { certificate, key } = new.client(ROOT);
    let both = format!("Bag Attributes\n    localKeyID: 01\n{certificate}Key Attributes\n{key}");
    desk.write("ca.pem", &format!("{}{}", old.pem(), new.pem()));
    desk.write("client.pem", &both);
    desk.write("client-key.pem", &both);
    for id in 1..=3 {
        ensemble.stop(id);
        ensemble.renew_certificate(id, &new);
        ensemble.start_again(id);
        ensemble.wait_serving();
    }
    desk.write("ca.pem", new.pem());
    ensemble.restore_first_files(4);
    ensemble.renew_certificate(4, &new);
    ensemble.start_again(4);
    apply.ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
}

/// The client port takes plain clients and those in TLS.
#[test]
fn one_port_serves_clients_with_and_without_tls() {
    let authority = Authority::new();
    let ensemble = rich(&authority).setting("client.portUnification", "true").start_with([4]);
    let desk = desk_of(&authority, &authority.client(ROOT));
    let at = [1, 2, 3].map(|id| ensemble.client_address(id).to_string()).join(",");
    let mut spec = by_certificate(wanting_by_tls(&ensemble, 1..=4)).connect(&at);
    for server in &mut spec.servers {
        server.secure_port = Some(server.client_port);
    }
    let one_port = |text: String, at: u16| {
        text.replace(
            &format!("none, secureClientPort: {at}"),
            &format!("{at}, secureClientPort: {at}"),
        )
    };
    let text =
        spec.servers.iter().fold(spec.text(), |text, server| one_port(text, server.client_port));
    let name = desk.write("spec.yaml", &text);
    desk.run(["plan", &name, "--detailed-exitcode"]).exits(2);
    desk.apply(&name).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
    let plain = wanting(&ensemble, 1..=3, 1..=3);
    desk.apply_spec(&plain).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3]);
}

/// Servers talk to each other in TLS: their ports are looked at, and nothing is said there.
#[test]
fn servers_that_talk_to_each_other_in_tls_are_moved() {
    let authority = Authority::new();
    let ensemble = rich(&authority).tls_among_servers().start_with([4, 5, 6]);
    let desk = desk_of(&authority, &authority.client(ROOT));
    let spec = by_certificate(wanting_by_tls(&ensemble, 4..=6));
    desk.plan(&spec, &[]).exits(2).says(["election port open"]);
    desk.apply_spec(&spec).with(&["--approve", "cutover"]).ends().exits(0);
    is_at(&ensemble, &[4, 5, 6]);
}

/// Only a digest is enforced, and the operator is known by a certificate.
#[test]
fn where_digest_is_enforced_the_holder_of_a_certificate_applies() {
    let authority = Authority::new();
    let builder = rich(&authority)
        .setting("enforce.auth.enabled", "true")
        .setting("enforce.auth.schemes", "digest");
    let ensemble = builder.start_with([4]);
    let desk = desk_of(&authority, &authority.client(ROOT));
    let spec = by_certificate(wanting_by_tls(&ensemble, 1..=4));
    desk.plan(&spec, &[]).exits(2);
    desk.apply_spec(&spec).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
}
