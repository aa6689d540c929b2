//! What can be typed behind `zkplan digest`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values::user;
use crate::ensemble::DigestAlgorithm;

const EXAMPLES: &str = "\
Examples:
  (umask 077; openssl rand -hex 16 > super.password)
  zkplan digest --password-file super.password
More: zkplan explain auth";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DigestArgs {
    /// The user, as in connect.auth of the spec
    #[arg(long, value_name = "USER", default_value = "super", value_parser = user)]
    pub(super) user: String,

    /// A file with the password. Without it, the password comes from `ZKPLAN_PASSWORD`, from the file
    /// in `ZKPLAN_PASSWORD_FILE`, or from a prompt
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,

    /// The servers' DigestAuthenticationProvider.digestAlg, which ZooKeeper has from 3.7 on
    #[arg(long, value_enum, default_value_t = AlgorithmArg::Sha1, value_name = "ALGORITHM", ignore_case = true)]
    pub(super) algorithm: AlgorithmArg,
}

/// Algorithms of digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AlgorithmArg {
    /// ZooKeeper's default
    #[value(name = "SHA1")]
    Sha1,
    /// SHA-2 with 256 bits
    #[value(name = "SHA-256")]
    Sha256,
    /// SHA-2 with 384 bits
    #[value(name = "SHA-384")]
    Sha384,
    /// SHA-2 with 512 bits
    #[value(name = "SHA-512")]
    Sha512,
}

impl From<AlgorithmArg> for DigestAlgorithm {
    fn from(arg: AlgorithmArg) -> Self {
        match arg {
            AlgorithmArg::Sha1 => Self::Sha1,
            AlgorithmArg::Sha256 => Self::Sha256,
            AlgorithmArg::Sha384 => Self::Sha384,
            AlgorithmArg::Sha512 => Self::Sha512,
        }
    }
}
