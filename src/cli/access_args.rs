//! How an ensemble is reached, and as whom, as it can be typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values::{client_address, user};
use crate::model::AuthScheme;

/// How the ensemble is reached, and as whom, where the file says something else or nothing.
///
/// A plan's meaning does not change with it. Whether a password may travel in clear is said each
/// time: no environment variable stands for that.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct AccessArgs {
    /// Client addresses of the ensemble, instead of those in the file: host:port,host:port
    #[arg(long, value_name = "HOSTS", value_delimiter = ',', value_parser = client_address)]
    pub(super) connect: Vec<String>,

    /// How zkplan authenticates, instead of the scheme in the file
    #[arg(long, value_enum, value_name = "SCHEME")]
    pub(super) auth: Option<SchemeArg>,

    /// The user who changes the configuration, instead of the user in the file (scheme digest, unless
    /// --auth or the file says sasl). The password comes from the file, from `ZKPLAN_PASSWORD`, from
    /// the file in `ZKPLAN_PASSWORD_FILE`, or from a prompt
    #[arg(long, value_name = "USER", value_parser = user)]
    pub(super) user: Option<String>,

    /// A file with the password, instead of the source in the spec or plan
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,

    /// Allow sending the password unencrypted to servers on other machines
    #[arg(long)]
    pub(super) allow_cleartext_auth: bool,
}

/// Schemes of `connect.auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemeArg {
    /// User and password, which is sent unencrypted
    Digest,
    /// User and password by SASL DIGEST-MD5, which does not send the password
    Sasl,
    /// The client certificate
    X509,
}

impl From<SchemeArg> for AuthScheme {
    fn from(scheme: SchemeArg) -> Self {
        match scheme {
            SchemeArg::Digest => Self::Digest,
            SchemeArg::Sasl => Self::Sasl,
            SchemeArg::X509 => Self::X509,
        }
    }
}
