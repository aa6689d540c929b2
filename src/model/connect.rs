//! How to reach an ensemble, and what to run on its servers' behalf. Never a secret.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Folder, Host, Millis, Timeouts};

/// A place where clients reach one server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Its host.
    pub host: Host,
    /// Its client port, or its secure client port where `tls` holds.
    pub port: u16,
    /// Whether it speaks TLS.
    pub tls: bool,
}

impl Endpoint {
    /// A plain-text endpoint.
    pub fn plain(host: Host, port: u16) -> Self {
        Self { host, port, tls: false }
    }
}

impl fmt::Display for Endpoint {
    /// Writes `host:port`, the form of a connect string.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Where zkplan sends questions to one server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reach {
    /// Its client port, or its secure one.
    pub client: Endpoint,
    /// The base URL of its AdminServer.
    pub admin: Option<String>,
}

/// How to reach the present ensemble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Connect {
    /// Client addresses, `host:port`, without a chroot.
    #[schemars(inner(regex(
        pattern = r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9._-]*):[0-9]{1,5}$"
    )))]
    pub servers: Vec<String>,
    /// The identity that sends reconfigs. Reading needs no identity, unless the servers enforce
    /// SASL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Certificates, where the client ports speak TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// The session time-out that is asked for.
    pub session_timeout: Millis,
    /// The znode below which identity, lock and journal are kept.
    #[serde(skip_serializing_if = "is_usual")]
    pub folder: Folder,
    /// How long servers may take to answer.
    #[serde(skip_serializing_if = "Timeouts::is_auto")]
    pub timeouts: Timeouts,
}

impl Default for Connect {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            auth: None,
            tls: None,
            session_timeout: Millis::from_secs(10),
            folder: Folder::default(),
            timeouts: Timeouts::Auto,
        }
    }
}

impl Connect {
    /// The path of every file that it names: of the password, and of certificates.
    pub fn files_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let tls = self.tls.iter_mut();
        let tls = tls.flat_map(|tls| [Some(&mut tls.ca), tls.cert.as_mut(), tls.key.as_mut()]);
        let password = self.auth.iter_mut().map(|auth| match auth.user_mut() {
            Some((_, PasswordSource::File(path))) => Some(path),
            Some((_, PasswordSource::Env(_))) | None => None,
        });
        tls.chain(password).flatten()
    }
}

fn is_usual(folder: &Folder) -> bool {
    *folder == Folder::default()
}

/// The identity that changes the configuration. It does not hold the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "scheme", rename_all = "camelCase", deny_unknown_fields)]
pub enum Auth {
    /// As a user of `DigestAuthenticationProvider`. The password is sent in clear.
    Digest {
        /// The user, as in the servers' `superDigest`.
        #[schemars(regex(pattern = "^[^:]+$"))]
        user: String,
        /// Where the password comes from.
        #[serde(default)]
        password: PasswordSource,
    },
    /// As a user of `SASLAuthenticationProvider`. The password is not sent.
    Sasl {
        /// How user and server prove themselves to each other.
        mechanism: Mechanism,
        /// The user, as in the servers' JAAS file and `zookeeper.superUser`.
        #[schemars(regex(pattern = "^[^:]+$"))]
        user: String,
        /// Where the password comes from.
        #[serde(default)]
        password: PasswordSource,
    },
    /// As the subject of the client certificate, `tls.cert` (`X509AuthenticationProvider`).
    X509,
}

/// Mechanisms of SASL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mechanism {
    /// By a password that client and server both know (`DigestLoginModule`).
    #[serde(rename = "DIGEST-MD5")]
    DigestMd5,
}

/// How zkplan proves who it is, by the name of the scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthScheme {
    /// [`Auth::Digest`].
    Digest,
    /// [`Auth::Sasl`].
    Sasl,
    /// [`Auth::X509`].
    X509,
}

impl Auth {
    /// The identity of a scheme. `user` and `password` are not used by a certificate.
    pub fn of(scheme: AuthScheme, user: String, password: PasswordSource) -> Self {
        match scheme {
            AuthScheme::Digest => Self::Digest { user, password },
            AuthScheme::Sasl => Self::Sasl { mechanism: Mechanism::DigestMd5, user, password },
            AuthScheme::X509 => Self::X509,
        }
    }

    /// Its scheme.
    pub const fn scheme(&self) -> AuthScheme {
        match self {
            Self::Digest { .. } => AuthScheme::Digest,
            Self::Sasl { .. } => AuthScheme::Sasl,
            Self::X509 => AuthScheme::X509,
        }
    }

    /// The user and the source of its password. `None` for a certificate, which has neither.
    pub const fn user(&self) -> Option<(&String, &PasswordSource)> {
        match self {
            Self::Digest { user, password } | Self::Sasl { user, password, .. } => {
                Some((user, password))
            }
            Self::X509 => None,
        }
    }

    /// The same as [`Auth::user`], mutable.
    pub const fn user_mut(&mut self) -> Option<(&mut String, &mut PasswordSource)> {
        match self {
            Self::Digest { user, password } | Self::Sasl { user, password, .. } => {
                Some((user, password))
            }
            Self::X509 => None,
        }
    }
}

/// Where a password comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum PasswordSource {
    /// From that environment variable.
    Env(#[schemars(regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))] String),
    /// From that file.
    File(PathBuf),
}

/// The variable that holds the password, where nothing else is said.
pub const PASSWORD_VARIABLE: &str = "ZKPLAN_PASSWORD";

impl Default for PasswordSource {
    fn default() -> Self {
        Self::Env(PASSWORD_VARIABLE.to_owned())
    }
}

/// Certificate files in PEM; relative paths count from the spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tls {
    /// Certificate authorities that the servers' certificates are checked against.
    pub ca: PathBuf,
    /// The client's own certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert: Option<PathBuf>,
    /// The key of the client's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}

/// Commands that start and stop servers: argument vectors, run without a shell.
///
/// `{id}` and `{host}` stand for the server at hand; in `start`, `{joinerDir}` for the folder with the
/// files of that joiner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Hooks {
    /// Starts a joiner that is not up.
    #[schemars(length(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Vec<String>>,
    /// Stops and disables a server that is no member any more.
    #[schemars(length(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Vec<String>>,
    /// Restarts a member; when it has ended, the server may still be starting.
    #[schemars(length(min = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<Vec<String>>,
}

impl Hooks {
    /// Whether the command that starts a joiner names `{joinerDir}`.
    pub fn want_joiner_files(&self) -> bool {
        self.start.iter().flatten().any(|word| word.contains("{joinerDir}"))
    }
}
