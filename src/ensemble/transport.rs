//! Connections with time limits: resolves names, tries ports, and uses TLS if required.

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

use super::{Limits, NoAnswer, TlsFailure, validity};
use crate::model::{Endpoint, Host, Tls};

/// A stream of either kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// The two TLS clients: one without a certificate, and one with the client's own certificate.
#[derive(Clone)]
pub(super) struct TlsClients {
    /// Without a certificate of the client's own.
    pub(super) anonymous: TlsClient,
    /// With the one that is given, where one is.
    pub(super) own: Option<TlsClient>,
    /// How often the files had been read again, and held something else.
    reading: u32,
}

/// The same certificates in the forms that the two TLS clients need.
#[derive(Clone)]
pub(super) struct TlsClient {
    /// For four-letter words.
    words: TlsConnector,
    /// For sessions.
    pub(super) sessions: TlsOptions,
    /// Whether it shows a certificate.
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
        /// The expected content.
        what: &'static str,
    },
    /// It is in another form than PEM, or encrypted.
    #[error("`{}` is {form}; zkplan reads PEM without a password", path.display())]
    OtherForm {
        /// The file.
        path: PathBuf,
        /// The form found.
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
    /// Recognises content that cannot be used.
    fn of(bytes: &[u8]) -> Option<Self> {
        let has = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        // After the tag of the outer sequence comes its length, in one byte or in a counted number
        // of bytes.
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

/// The certificate and key files, and their content.
///
/// A run may last longer than a certificate. If TLS fails, the files are read again, and their new
/// content is used from then on.
#[derive(Clone)]
pub(super) struct TlsFiles {
    files: Tls,
    /// Shared by all that was made of the same port.
    now: Arc<Mutex<(Texts, TlsClients)>>,
    /// Whether the client's own certificate is shown to servers that request it.
    shows_own: bool,
}

/// The content of the files: authorities, certificate, key.
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
    pub(super) fn unauthenticated(&self) -> Self {
        Self { shows_own: false, ..self.clone() }
    }

    /// The TLS clients with the present certificates.
    pub(super) fn clients(&self) -> TlsClients {
        let (_, clients) = &*self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if self.shows_own { clients.clone() } else { TlsClients { own: None, ..clients.clone() } }
    }

    /// Reads the files again, unless that has happened since these clients were made. Returns
    /// whether they hold different, usable content.
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
    /// TLS clients with the content of these files.
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
        let anonymous = TlsClient { words, sessions: sessions.clone(), shows: false, ends: None };
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
        Ok(Self { anonymous, own, reading: 0 })
    }

    /// The client of held sessions that may change something: the one with a certificate if there
    /// is one.
    pub(super) fn holder(&self) -> &TlsClient {
        self.own.as_ref().unwrap_or(&self.anonymous)
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

/// The addresses of a host. A host that no name server could know is not looked up: it may come
/// from a live configuration, which can contain any text.
pub(super) async fn addresses(
    host: &Host,
    port: u16,
    limits: Limits,
) -> Result<Vec<SocketAddr>, NoAnswer> {
    if let Some(ip) = host.literal() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    if !host.is_plain() {
        return Err(NoAnswer::Unresolved);
    }
    let found = timeout(limits.lookup(), lookup_host((host.as_str(), port))).await;
    match found {
        Ok(Ok(found)) => Some(found.collect::<Vec<_>>()).filter(|all| !all.is_empty()),
        Ok(Err(_)) | Err(_) => None,
    }
    .ok_or(NoAnswer::Unresolved)
}

/// Connects to the first address that accepts. All addresses together have the time limit of one.
pub(super) async fn connect(host: &Host, port: u16, limits: Limits) -> Result<TcpStream, NoAnswer> {
    connect_to(&addresses(host, port, limits).await?, limits).await
}

/// The first of some addresses that accepts a connection.
pub(super) async fn first_open(
    addresses: &[SocketAddr],
    limits: Limits,
) -> Result<SocketAddr, NoAnswer> {
    let stream = connect_to(addresses, limits).await?;
    stream.peer_addr().map_err(|_| NoAnswer::Closed)
}

async fn connect_to(addresses: &[SocketAddr], limits: Limits) -> Result<TcpStream, NoAnswer> {
    let share = limits.connect / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut last = NoAnswer::Unresolved;
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Small messages are answered sooner without delay. A failure has no effect.
                stream.set_nodelay(true).ok();
                return Ok(stream);
            }
            Ok(Err(cause)) => last = why_no_connection(&cause),
            Err(_) => last = NoAnswer::ConnectTimedOut,
        }
    }
    Err(last)
}

/// Connects to a client port, with TLS if the endpoint requires it.
pub(super) async fn open(
    at: &Endpoint,
    tls: Option<&TlsClient>,
    limits: Limits,
) -> Result<Box<dyn Stream>, NoAnswer> {
    let stream = connect(&at.host, at.port, limits).await?;
    if !at.tls {
        return Ok(Box::new(stream));
    }
    let tls = tls.ok_or(NoAnswer::Tls(TlsFailure::NoAuthority))?;
    let name = ServerName::try_from(at.host.as_str().to_owned());
    let name = name.map_err(|_| NoAnswer::Tls(TlsFailure::OtherHost))?;
    match timeout(limits.handshake, tls.words.connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(cause)) => Err(NoAnswer::Tls(why_no_tls(&cause, tls))),
        Err(_) => Err(NoAnswer::AnswerTimedOut),
    }
}

/// Why an open connection was lost. In TLS 1.3 a server verifies the client's certificate after the
/// client's handshake is done, and reports a failure only then.
pub(super) fn why_lost(cause: &io::Error, tls: Option<&TlsClient>) -> NoAnswer {
    match (alert(cause), tls) {
        (Some(_), Some(tls)) => NoAnswer::Tls(why_no_tls(cause, tls)),
        _ => NoAnswer::Closed,
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
        // Java sends the first alert to a client without a certificate, and in TLS 1.3 the second
        // one.
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
            // The alert does not distinguish the two cases.
            let has_ended = |end: &String| validity::has_passed(end, SystemTime::now());
            if tls.ends.as_ref().is_some_and(has_ended) {
                TlsFailure::CertificateExpired
            } else {
                TlsFailure::CertificateRefused
            }
        }
        // A plain client port closes the connection: it reads the handshake as a packet that is too
        // long.
        Some(Error::InvalidMessage(_)) => TlsFailure::NoTls,
        None if cause.kind() == io::ErrorKind::UnexpectedEof => TlsFailure::NoTls,
        _ => TlsFailure::Handshake,
    }
}

fn why_no_connection(cause: &io::Error) -> NoAnswer {
    match cause.kind() {
        io::ErrorKind::ConnectionRefused => NoAnswer::Refused,
        io::ErrorKind::TimedOut => NoAnswer::ConnectTimedOut,
        // The server has already closed the connection. The result is a broken pipe if its end
        // arrived before the reset.
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected => NoAnswer::Closed,
        _ => NoAnswer::NoRoute,
    }
}
