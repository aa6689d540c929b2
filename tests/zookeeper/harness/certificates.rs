//! Certificates for servers and clients, made anew for every test.

use std::fmt;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// What issues certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub(crate) struct Certificate {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    /// One with a key of its own.
    pub(crate) fn new() -> Arc<Self> {
        Self::named("authority")
    }

    /// The same with a name of its own: Java keeps one authority a name where its trust store is a
    /// PEM file (`PemReader.loadTrustStore`).
    pub(crate) fn named(name: &str) -> Arc<Self> {
        let key = key();
        let mut own = params(name, &[]);
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = own.self_signed(&key).expect("the parameters are sound").pem();
        Arc::new(Self { issuer: Issuer::new(own, key), pem })
    }

    /// Its own certificate, by which those that it issues are checked.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for a server at these hosts.
    pub(crate) fn server(&self, hosts: &[&str]) -> Certificate {
        self.issue(&params("server", hosts))
    }

    /// A certificate for a client, whose x509 id is `CN=` and this name.
    pub(crate) fn client(&self, name: &str) -> Certificate {
        self.issue(&params(name, &[]))
    }

    /// A certificate for a client of that name elsewhere, whose x509 id is `O=` and the
    /// organization, then `,CN=` and the name.
    pub(crate) fn client_of(&self, organization: &str, name: &str) -> Certificate {
        let mut params = params(name, &[]);
        params.distinguished_name.push(DnType::OrganizationName, organization);
        self.issue(&params)
    }

    /// A certificate for a client that has expired.
    pub(crate) fn expired_client(&self, name: &str) -> Certificate {
        let mut params = params(name, &[]);
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        self.issue(&params)
    }

    fn issue(&self, params: &CertificateParams) -> Certificate {
        let key = key();
        let signed = params.signed_by(&key, &self.issuer);
        let certificate = signed.expect("the parameters are sound").pem();
        Certificate { certificate, key: key.serialize_pem() }
    }

    /// How a client that shows this certificate connects to servers that have one of it.
    pub(super) fn connects(&self, client: &Certificate) -> Arc<ClientConfig> {
        let certificate = |pem: &str| {
            CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate made here")
        };
        let mut roots = RootCertStore::empty();
        roots.add(certificate(&self.pem)).expect("a certificate made here");
        let key = PrivateKeyDer::from_pem_slice(client.key.as_bytes()).expect("a key made here");
        let chain = vec![certificate(&client.certificate)];
        let config = ClientConfig::builder().with_root_certificates(roots);
        Arc::new(config.with_client_auth_cert(chain, key).expect("they fit"))
    }
}

impl fmt::Debug for Authority {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("this machine makes keys")
}

fn params(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).expect("hosts are names or addresses");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
