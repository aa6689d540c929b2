//! Bounded connections: names resolved, ports tried, TLS where it is asked for.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

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

use super::{Limits, Silence, TlsFailure, validity};
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
    /// How often the files had been read again, and held something else.
    reading: u32,
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
    /// When that certificate ends, where that could be read.
    ends: Option<String>,
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
    #[error("`{}` has no {what} in PEM format", path.display())]
    NoPem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// It is in another form than PEM, or encrypted.
    #[error("`{}` is {form}; zkplan reads PEM without a password", path.display())]
    OtherForm {
        /// The file.
        path: PathBuf,
        /// What it is.
        form: KeyForm,
    },
    /// A certificate without its key, or a key without its certificate.
    #[error("a client certificate and its key are needed together")]
    HalfAnIdentity,
    /// The key does not belong to the certificate, or is of an unknown kind.
    #[error("the client certificate in `{}` and the key do not belong together", path.display())]
    Mismatch {
        /// The certificate's file.
        path: PathBuf,
    },
}

/// Forms of certificates and keys that are not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// A key in PEM that a password encrypts (PKCS #8, or `Proc-Type: 4,ENCRYPTED`).
    EncryptedPem,
    /// A key store of PKCS #12, often `.p12` or `.pfx`.
    Pkcs12,
    /// A key store of Java's own, `.jks`.
    Jks,
    /// A certificate or key in DER.
    Der,
}

impl fmt::Display for KeyForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EncryptedPem => "an encrypted key",
            Self::Pkcs12 => "a PKCS #12 key store",
            Self::Jks => "a Java key store",
            Self::Der => "in DER",
        })
    }
}

impl KeyForm {
    /// What a file holds that cannot be used as it is.
    fn of(bytes: &[u8]) -> Option<Self> {
        let has = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        // Behind the tag of the outer sequence: its length, in one byte or behind a count of bytes.
        let inside = match bytes {
            [0x30, length, ..] => {
                let more = if length & 0x80 == 0 { 0 } else { usize::from(length & 0x7f) };
                Some(bytes.get(2 + more..).unwrap_or_default())
            }
            _ => None,
        };
        match inside {
            // `PFX`: version 3 comes first (RFC 7292).
            Some([0x02, 0x01, 0x03, ..]) => Some(Self::Pkcs12),
            Some(_) => Some(Self::Der),
            None if bytes.starts_with(&[0xfe, 0xed, 0xfe, 0xed]) => Some(Self::Jks),
            None if has("BEGIN ENCRYPTED PRIVATE KEY") || has("Proc-Type: 4,ENCRYPTED") => {
                Some(Self::EncryptedPem)
            }
            None => None,
        }
    }
}

/// The files of certificates and key, and what they hold.
///
/// A run may outlive a certificate: where TLS fails, the files are read once more, and what they
/// hold by then is used from then on.
#[derive(Clone)]
pub(super) struct TlsFiles {
    files: Tls,
    /// Shared by all that was made of the same port.
    now: Arc<Mutex<(Texts, TlsClients)>>,
    /// Whether the client's own certificate is shown where it is wanted.
    shows_own: bool,
}

/// What the files hold: authorities, certificate, key.
#[derive(Clone, PartialEq, Eq)]
struct Texts {
    ca: String,
    cert: Option<String>,
    key: Option<String>,
}

impl TlsFiles {
    /// Reads the files.
    pub(super) fn read(files: &Tls) -> Result<Self, TlsSetupError> {
        let texts = Texts::read(files)?;
        let clients = TlsClients::of(files, &texts)?;
        let now = Arc::new(Mutex::new((texts, clients)));
        Ok(Self { files: files.clone(), now, shows_own: true })
    }

    /// The same without a certificate of the client's own.
    pub(super) fn as_nobody(&self) -> Self {
        Self { shows_own: false, ..self.clone() }
    }

    /// What they hold.
    pub(super) fn clients(&self) -> TlsClients {
        let (_, clients) = &*self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if self.shows_own { clients.clone() } else { TlsClients { own: None, ..clients.clone() } }
    }

    /// Reads the files once more where nobody has since those clients were made; whether they hold
    /// something else by now that can be used.
    pub(super) fn have_changed(&self, since: &TlsClients) -> bool {
        let Ok(texts) = Texts::read(&self.files) else { return false };
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if now.0 == texts {
            return now.1.reading != since.reading;
        }
        // While they are being written one may not fit the other yet.
        let Ok(clients) = TlsClients::of(&self.files, &texts) else { return false };
        let reading = now.1.reading + 1;
        *now = (texts, TlsClients { reading, ..clients });
        true
    }
}

impl Texts {
    fn read(files: &Tls) -> Result<Self, TlsSetupError> {
        let optional = |path: &Option<PathBuf>| path.as_ref().map(read).transpose();
        Ok(Self { ca: read(&files.ca)?, cert: optional(&files.cert)?, key: optional(&files.key)? })
    }
}

impl TlsClients {
    /// Clients of what these files hold.
    fn of(files: &Tls, texts: &Texts) -> Result<Self, TlsSetupError> {
        let ca = &texts.ca;
        let no = |path: &PathBuf, what| TlsSetupError::NoPem { path: path.clone(), what };
        let mut roots = RootCertStore::empty();
        for cert in CertificateDer::pem_slice_iter(ca.as_bytes()) {
            let cert = cert.map_err(|_| no(&files.ca, "certificate"))?;
            roots.add(cert).map_err(|_| no(&files.ca, "usable certificate"))?;
        }
        let sessions =
            TlsOptions::new().with_pem_ca(ca).map_err(|_| no(&files.ca, "certificate"))?;
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let words = TlsConnector::from(Arc::new(builder.clone().with_no_client_auth()));
        let nobody = TlsClient { words, sessions: sessions.clone(), shows: false, ends: None };
        let Tls { cert: cert_path, key: key_path, .. } = files;
        let own = match (cert_path, &texts.cert, key_path, &texts.key) {
            (None, _, None, _) => None,
            (Some(cert_path), Some(cert), Some(key_path), Some(key)) => {
                let sessions = sessions
                    .with_pem_identity(cert, key)
                    .map_err(|_| no(key_path, "private key"))?;
                let chain: Result<Vec<_>, _> =
                    CertificateDer::pem_slice_iter(cert.as_bytes()).collect();
                let chain = chain.map_err(|_| no(cert_path, "certificate"))?;
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
                    .map_err(|_| no(key_path, "private key"))?;
                let ends = chain.first().and_then(|own| validity::not_after(own));
                let mismatch = |_| TlsSetupError::Mismatch { path: cert_path.clone() };
                let config = builder.with_client_auth_cert(chain, key).map_err(mismatch)?;
                let words = TlsConnector::from(Arc::new(config));
                Some(TlsClient { words, sessions, shows: true, ends })
            }
            _ => return Err(TlsSetupError::HalfAnIdentity),
        };
        Ok(Self { nobody, own, reading: 0 })
    }

    /// As whom a session is held that may change something: by the client's own certificate, where
    /// there is one.
    pub(super) fn holder(&self) -> &TlsClient {
        self.own.as_ref().unwrap_or(&self.nobody)
    }
}

fn read(path: &PathBuf) -> Result<String, TlsSetupError> {
    let unreadable = |cause| TlsSetupError::Unreadable { path: path.clone(), cause };
    let bytes = std::fs::read(path).map_err(unreadable)?;
    if let Some(form) = KeyForm::of(&bytes) {
        return Err(TlsSetupError::OtherForm { path: path.clone(), form });
    }
    String::from_utf8(bytes).map_err(|_| unreadable(io::Error::other("it is not text")))
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
        Ok(Err(cause)) => Err(Silence::Tls(why_no_tls(&cause, tls))),
        Err(_) => Err(Silence::AnswerTimedOut),
    }
}

/// Why a connection was lost that stood. In TLS 1.3 a server judges the client's certificate after
/// the client's handshake is done, and says so only then.
pub(super) fn why_lost(cause: &io::Error, tls: Option<&TlsClient>) -> Silence {
    match (alert(cause), tls) {
        (Some(_), Some(tls)) => Silence::Tls(why_no_tls(cause, tls)),
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

/// Why a handshake of that client failed.
fn why_no_tls(cause: &io::Error, tls: &TlsClient) -> TlsFailure {
    use AlertDescription as Alert;
    use CertificateError as Bad;
    let shown = tls.shows;
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
        )) if shown => {
            // The alert does not tell the one from the other.
            let has_ended = |end: &String| validity::has_passed(end, SystemTime::now());
            if tls.ends.as_ref().is_some_and(has_ended) {
                TlsFailure::CertificateExpired
            } else {
                TlsFailure::CertificateRefused
            }
        }
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
