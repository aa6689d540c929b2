//! Ensembles whose clients come by TLS, and operators who are known by a certificate.

use std::sync::Arc;

use crate::applying::wanting;
use crate::harness::{Authority, Builder, Certificate, Ensemble};
use crate::ledger::is_at;
use crate::spec::Spec;
use crate::zkplan::Desk;

/// The x509 user that is super.
const ROOT: &str = "root";

/// Wants these servers, reached by their secure client ports; the authority's certificate is
/// `ca.pem`.
fn wanting_by_tls(ensemble: &Ensemble, wanted: impl IntoIterator<Item = u8>) -> Spec {
    let mut spec = wanting(ensemble, wanted, []);
    let at = (1..=3).filter_map(|id| ensemble.secure_address(id));
    spec.connect = at.map(|at| at.to_string()).collect();
    spec.tls("ca.pem", None)
}

/// The same by whoever this certificate names, without a password.
fn by_certificate(spec: Spec) -> Spec {
    let mut spec = spec.tls("ca.pem", Some(("client.pem", "client-key.pem")));
    spec.connect_with.retain(|line| !line.contains("auth:"));
    spec
}

/// A desk that has the authority's certificate.
fn desk(authority: &Authority) -> Desk {
    let desk = Desk::new();
    desk.write("ca.pem", authority.pem());
    desk
}

/// Puts a client's certificate and its key on the desk.
fn shows(desk: &Desk, Certificate { certificate, key }: &Certificate) {
    desk.write("client.pem", certificate);
    desk.write("client-key.pem", key);
}

fn rich(authority: &Arc<Authority>) -> Builder {
    Builder::rich()
        .tls(authority)
        .setting("X509AuthenticationProvider.superUser", &format!("CN={ROOT}"))
}

#[test]
fn a_password_travels_in_tls_where_servers_want_no_certificate() {
    let authority = Authority::new();
    let ensemble = rich(&authority).setting("ssl.clientAuth", "none").start_with([4]);
    let desk = desk(&authority);
    desk.plan(&wanting_by_tls(&ensemble, 1..=3), &[]).exits(0).says(["No changes"]);
    desk.apply_spec(&wanting_by_tls(&ensemble, 1..=4)).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
    desk.apply_spec(&wanting_by_tls(&ensemble, [2, 3, 4])).ends().exits(0);
    is_at(&ensemble, &[2, 3, 4]);
}

#[test]
fn a_certificate_makes_its_holder_the_super_user() {
    let authority = Authority::new();
    let ensemble = rich(&authority).start_with([4]);
    let desk = desk(&authority);
    shows(&desk, &authority.client(ROOT));
    let spec = |wanted: &[u8]| by_certificate(wanting_by_tls(&ensemble, wanted.iter().copied()));
    desk.plan(&spec(&[1, 2, 3]), &[]).exits(0).says(["No changes"]);
    desk.apply_spec(&spec(&[1, 2, 3, 4])).ends().exits(0);
    is_at(&ensemble, &[1, 2, 3, 4]);
}
