//! Bounded connections: names resolved, ports tried, TLS where it is asked for.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use zookeeper_client::TlsOptions;

use super::{Limits, Silence};
use crate::model::{Endpoint, Host, Tls};

/// A stream of either kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// Certificates, in the forms that the two TLS clients want.
#[derive(Clone)]
pub(super) struct TlsClients {
    /// For four-letter words.
    words: TlsConnector,
    /// For who must not be known: without a certificate of the client's own.
    nobody: TlsConnector,
    /// For sessions.
    pub(super) sessions: TlsOptions,
    /// For sessions that must not be known: without a certificate of the client's own.
    sessions_of_nobody: TlsOptions,
}

/// Why the certificates cannot be used. Never holds their content.
#[derive(Debug, Error)]
pub enum TlsSetupError {
    /// A file cannot be read.
    #[error("`{}` cannot be read: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// A file holds no usable certificate or key.
    #[error("`{}` holds no {what} in PEM form", path.display())]
    NoPem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// A certificate without its key, or a key without its certificate.
    #[error("a client certificate and its key are needed together")]
    HalfAnIdentity,
    /// The key does not belong to the certificate, or is of an unknown kind.
    #[error("the client certificate in `{}` and its key do not fit", path.display())]
    Mismatch {
        /// The certificate's file.
        path: PathBuf,
    },
}

impl TlsClients {
    /// Reads the files.
    pub(super) fn read(tls: &Tls) -> Result<Self, TlsSetupError> {
        let ca = read(&tls.ca)?;
        let no = |path: &PathBuf, what| TlsSetupError::NoPem { path: path.clone(), what };
        let mut roots = RootCertStore::empty();
        for cert in CertificateDer::pem_slice_iter(ca.as_bytes()) {
            let cert = cert.map_err(|_| no(&tls.ca, "certificate"))?;
            roots.add(cert).map_err(|_| no(&tls.ca, "usable certificate"))?;
        }
        let mut sessions =
            TlsOptions::new().with_pem_ca(&ca).map_err(|_| no(&tls.ca, "certificate"))?;
        let sessions_of_nobody = sessions.clone();
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let nobody = builder.clone().with_no_client_auth();
        let config = match (&tls.cert, &tls.key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(cert_path), Some(key_path)) => {
                let (cert, key) = (read(cert_path)?, read(key_path)?);
                sessions = sessions
                    .with_pem_identity(&cert, &key)
                    .map_err(|_| no(key_path, "private key"))?;
                let chain: Result<Vec<_>, _> =
                    CertificateDer::pem_slice_iter(cert.as_bytes()).collect();
                let chain = chain.map_err(|_| no(cert_path, "certificate"))?;
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
                    .map_err(|_| no(key_path, "private key"))?;
                let mismatch = |_| TlsSetupError::Mismatch { path: cert_path.clone() };
                builder.with_client_auth_cert(chain, key).map_err(mismatch)?
            }
            _ => return Err(TlsSetupError::HalfAnIdentity),
        };
        let [words, nobody] = [config, nobody].map(|config| TlsConnector::from(Arc::new(config)));
        Ok(Self { words, nobody, sessions, sessions_of_nobody })
    }

    /// The same without a certificate of the client's own.
    pub(super) fn as_nobody(&self) -> Self {
        let (words, sessions) = (self.nobody.clone(), self.sessions_of_nobody.clone());
        Self { words, sessions, ..self.clone() }
    }
}

fn read(path: &PathBuf) -> Result<String, TlsSetupError> {
    std::fs::read_to_string(path)
        .map_err(|cause| TlsSetupError::Unreadable { path: path.clone(), cause })
}

/// The addresses of a host. A host that no name server could know is not looked up: it came from
/// a live configuration, which takes any text.
pub(super) async fn addresses(
    host: &Host,
    port: u16,
    limits: Limits,
) -> Result<Vec<SocketAddr>, Silence> {
    if let Some(ip) = host.literal() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    if !host.is_plain() {
        return Err(Silence::Unresolved);
    }
    let found = timeout(limits.connect, lookup_host((host.as_str(), port))).await;
    match found {
        Ok(Ok(found)) => Some(found.collect::<Vec<_>>()).filter(|all| !all.is_empty()),
        Ok(Err(_)) | Err(_) => None,
    }
    .ok_or(Silence::Unresolved)
}

/// Connects to the first address that accepts; all together get the time of one.
pub(super) async fn connect(host: &Host, port: u16, limits: Limits) -> Result<TcpStream, Silence> {
    connect_to(&addresses(host, port, limits).await?, limits).await
}

/// The first of some addresses that accepts a connection.
pub(super) async fn first_open(
    addresses: &[SocketAddr],
    limits: Limits,
) -> Result<SocketAddr, Silence> {
    let stream = connect_to(addresses, limits).await?;
    stream.peer_addr().map_err(|_| Silence::Closed)
}

async fn connect_to(addresses: &[SocketAddr], limits: Limits) -> Result<TcpStream, Silence> {
    let share = limits.connect / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut last = Silence::Unresolved;
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Words are answered sooner without waiting for more to send; it may fail freely.
                stream.set_nodelay(true).ok();
                return Ok(stream);
            }
            Ok(Err(cause)) => last = why_no_connection(&cause),
            Err(_) => last = Silence::ConnectTimedOut,
        }
    }
    Err(last)
}

/// Connects to a client port, in TLS where the endpoint says so.
pub(super) async fn open(
    at: &Endpoint,
    tls: Option<&TlsClients>,
    limits: Limits,
) -> Result<Box<dyn Stream>, Silence> {
    open_with(at, tls.map(|tls| &tls.words), limits).await
}

/// Connects as [`open`] does, and shows no certificate of the client's own.
pub(super) async fn open_as_nobody(
    at: &Endpoint,
    tls: Option<&TlsClients>,
    limits: Limits,
) -> Result<Box<dyn Stream>, Silence> {
    open_with(at, tls.map(|tls| &tls.nobody), limits).await
}

async fn open_with(
    at: &Endpoint,
    tls: Option<&TlsConnector>,
    limits: Limits,
) -> Result<Box<dyn Stream>, Silence> {
    let stream = connect(&at.host, at.port, limits).await?;
    if !at.tls {
        return Ok(Box::new(stream));
    }
    let tls = tls.ok_or(Silence::Tls)?;
    let name = ServerName::try_from(at.host.as_str().to_owned()).map_err(|_| Silence::Tls)?;
    match timeout(limits.answer, tls.connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(_)) => Err(Silence::Tls),
        Err(_) => Err(Silence::AnswerTimedOut),
    }
}

fn why_no_connection(cause: &io::Error) -> Silence {
    match cause.kind() {
        io::ErrorKind::ConnectionRefused => Silence::Refused,
        io::ErrorKind::TimedOut => Silence::ConnectTimedOut,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Silence::Closed,
        _ => Silence::NoRoute,
    }
}
