//! Bounded connections: names resolved, ports tried, TLS where it is asked for.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, RootCertStore,
};
use zookeeper_client::TlsOptions;

use super::{Limits, Silence, TlsFailure};
use crate::model::{Endpoint, Host, Tls};

/// A stream of either kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// How servers are reached in TLS: as nobody, and with a certificate of the client's own.
#[derive(Clone)]
pub(super) struct TlsClients {
    /// Without a certificate of the client's own.
    pub(super) nobody: TlsClient,
    /// With the one that is given, where one is.
    pub(super) own: Option<TlsClient>,
}

/// Certificates, in the forms that the two TLS clients want.
#[derive(Clone)]
pub(super) struct TlsClient {
    /// For four-letter words.
    words: TlsConnector,
    /// For sessions.
    pub(super) sessions: TlsOptions,
    /// Whether a certificate is shown.
    shows: bool,
}

/// Why the certificates cannot be used. Never holds their content.
#[derive(Debug, thiserror::Error)]
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
        let sessions =
            TlsOptions::new().with_pem_ca(&ca).map_err(|_| no(&tls.ca, "certificate"))?;
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let words = TlsConnector::from(Arc::new(builder.clone().with_no_client_auth()));
        let nobody = TlsClient { words, sessions: sessions.clone(), shows: false };
        let own = match (&tls.cert, &tls.key) {
            (None, None) => None,
            (Some(cert_path), Some(key_path)) => {
                let (cert, key) = (read(cert_path)?, read(key_path)?);
                let sessions = sessions
                    .with_pem_identity(&cert, &key)
                    .map_err(|_| no(key_path, "private key"))?;
                let chain: Result<Vec<_>, _> =
                    CertificateDer::pem_slice_iter(cert.as_bytes()).collect();
                let chain = chain.map_err(|_| no(cert_path, "certificate"))?;
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
                    .map_err(|_| no(key_path, "private key"))?;
                let mismatch = |_| TlsSetupError::Mismatch { path: cert_path.clone() };
                let config = builder.with_client_auth_cert(chain, key).map_err(mismatch)?;
                let words = TlsConnector::from(Arc::new(config));
                Some(TlsClient { words, sessions, shows: true })
            }
            _ => return Err(TlsSetupError::HalfAnIdentity),
        };
        Ok(Self { nobody, own })
    }

    /// As whom a session is held that may change something: by the client's own certificate, where
    /// there is one.
    pub(super) fn holder(&self) -> &TlsClient {
        self.own.as_ref().unwrap_or(&self.nobody)
    }

    /// The same without a certificate of the client's own.
    pub(super) fn as_nobody(&self) -> Self {
        Self { own: None, ..self.clone() }
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
    let found = timeout(limits.lookup(), lookup_host((host.as_str(), port))).await;
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
    tls: Option<&TlsClient>,
    limits: Limits,
) -> Result<Box<dyn Stream>, Silence> {
    let stream = connect(&at.host, at.port, limits).await?;
    if !at.tls {
        return Ok(Box::new(stream));
    }
    let tls = tls.ok_or(Silence::Tls(TlsFailure::NoAuthority))?;
    let name = ServerName::try_from(at.host.as_str().to_owned());
    let name = name.map_err(|_| Silence::Tls(TlsFailure::OtherHost))?;
    match timeout(limits.handshake, tls.words.connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(cause)) => Err(Silence::Tls(why_no_tls(&cause, tls.shows))),
        Err(_) => Err(Silence::AnswerTimedOut),
    }
}

/// Why a connection was lost that stood. In TLS 1.3 a server judges the client's certificate after
/// the client's handshake is done, and says so only then.
pub(super) fn why_lost(cause: &io::Error, tls: Option<&TlsClient>) -> Silence {
    match (alert(cause), tls) {
        (Some(_), Some(tls)) => Silence::Tls(why_no_tls(cause, tls.shows)),
        _ => Silence::Closed,
    }
}

fn rustls(cause: &io::Error) -> Option<&Error> {
    cause.get_ref()?.downcast_ref()
}

fn alert(cause: &io::Error) -> Option<AlertDescription> {
    match rustls(cause)? {
        Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

/// Why a handshake failed; `shown` tells whether a certificate was shown in it.
fn why_no_tls(cause: &io::Error, shown: bool) -> TlsFailure {
    use AlertDescription as Alert;
    use CertificateError as Bad;
    match rustls(cause) {
        Some(Error::InvalidCertificate(bad)) => match bad {
            // An authority of the same name with another key is another one.
            Bad::UnknownIssuer | Bad::BadSignature => TlsFailure::UnknownAuthority,
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => TlsFailure::OtherHost,
            Bad::Expired
            | Bad::ExpiredContext { .. }
            | Bad::NotValidYet
            | Bad::NotValidYetContext { .. } => TlsFailure::NotValidNow,
            _ => TlsFailure::Unverified,
        },
        // Java says the first to a client without a certificate, and in TLS 1.3 the second.
        Some(Error::AlertReceived(Alert::BadCertificate | Alert::CertificateRequired))
            if !shown =>
        {
            TlsFailure::CertificateWanted
        }
        Some(Error::AlertReceived(
            Alert::BadCertificate
            | Alert::CertificateExpired
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::UnsupportedCertificate,
        )) if shown => TlsFailure::CertificateRefused,
        // A plain client port hangs up: it takes the handshake for a packet that is too long.
        Some(Error::InvalidMessage(_)) => TlsFailure::NoTls,
        None if cause.kind() == io::ErrorKind::UnexpectedEof => TlsFailure::NoTls,
        _ => TlsFailure::Handshake,
    }
}

fn why_no_connection(cause: &io::Error) -> Silence {
    match cause.kind() {
        io::ErrorKind::ConnectionRefused => Silence::Refused,
        io::ErrorKind::TimedOut => Silence::ConnectTimedOut,
        // The server has closed it already: a broken pipe where its end came before the reset.
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected => Silence::Closed,
        _ => Silence::NoRoute,
    }
}
