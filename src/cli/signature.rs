//! `apply --verify-key`: only a plan that is signed for one of these keys.

use std::path::{Path, PathBuf};

use clap::Args;

use super::error::CommandError;
use super::file_kind::{Kind, kind};
use super::specs::read_bytes;
use crate::render::words_for_shell;
use crate::report::error::CommandFailure;
use crate::saved::signature::{KeyError, PlanSignature, VerifyKey};

#[derive(Debug, Clone, Args)]
pub(super) struct SignatureArgs {
    /// Apply only a saved plan that was signed with the private key of this Ed25519 public key
    /// (PEM); repeatable: one of them is enough; see `zkplan explain signatures`
    #[arg(long, value_name = "KEY")]
    pub(super) verify_key: Vec<PathBuf>,

    /// The signature of the plan file [default: its name with .sig behind it]
    #[arg(long, value_name = "FILE", requires = "verify_key")]
    pub(super) signature: Option<PathBuf>,
}

/// Refuses a file that none of the keys has signed; without a key nothing is asked. What was not
/// verified is not read as a plan.
pub(super) fn verified(file: &Path, text: &str, asked: &SignatureArgs) -> Result<(), CommandError> {
    if asked.verify_key.is_empty() {
        return Ok(());
    }
    let keys = asked.verify_key.iter().map(|path| key(path)).collect::<Result<Vec<_>, _>>()?;
    let plan = file.display().to_string();
    if matches!(kind(text), Kind::Spec) {
        let what = format!("{plan} is a spec; with --verify-key only a signed plan is applied");
        let hint =
            "save the plan (zkplan plan SPEC --out plan.json), have it signed, then apply it";
        return Err(not_signed(&what, hint));
    }
    let path = asked.signature.clone().unwrap_or_else(|| beside(file));
    let how = format!(
        "sign it where the private key is: openssl pkeyutl -sign -rawin -inkey KEY -in {} -out {}",
        words_for_shell(&plan),
        words_for_shell(&path.display().to_string())
    );
    if !path.exists() {
        let what = format!("{plan} is not signed: there is no file {}", path.display());
        return Err(not_signed(&what, &how));
    }
    let Some(signature) = PlanSignature::read(&read_bytes(&path)?) else {
        let what = format!("{} is no Ed25519 signature (64 bytes, or Base64)", path.display());
        return Err(not_signed(&what, &how));
    };
    if keys.iter().any(|key| key.has_signed(text.as_bytes(), &signature)) {
        return Ok(());
    }
    let names: Vec<String> =
        asked.verify_key.iter().map(|path| path.display().to_string()).collect();
    let what = format!(
        "the signature {} does not fit {plan} and the key {}: the plan was changed after it was \
         signed, or another key signed it",
        path.display(),
        names.join(" or ")
    );
    let hint = format!("look what it would do: zkplan show {}", words_for_shell(&plan));
    Err(not_signed(&what, &hint))
}

fn key(path: &Path) -> Result<VerifyKey, CommandError> {
    let name = path.display();
    VerifyKey::from_pem(&read_bytes(path)?).map_err(|error| {
        let hint = match error {
            KeyError::Private => format!(
                "keep it where plans are signed, and give its public key: openssl pkey -in {} -pubout",
                words_for_shell(&name.to_string())
            ),
            KeyError::OtherKind | KeyError::NoKey => {
                "give the public key as openssl pkey -in KEY -pubout prints it; openssl genpkey \
                 -algorithm ed25519 makes a key"
                    .to_owned()
            }
        };
        let what = format!("{name} cannot be a --verify-key: {error}");
        CommandError::new(CommandFailure::FileNotUsable, what).hint(hint)
    })
}

fn not_signed(what: &str, hint: &str) -> CommandError {
    CommandError::new(CommandFailure::PlanNotSigned, format!("{what}. Nothing was changed"))
        .hint(hint)
}

/// The place of a signature for which no other was named.
fn beside(plan: &Path) -> PathBuf {
    let mut name = plan.as_os_str().to_owned();
    name.push(".sig");
    PathBuf::from(name)
}
