//! The password: from the environment, a file or a prompt; never from the command line, and never
//! to anywhere but the servers.

use std::fs;
use std::io::{self, IsTerminal, Read as _};
use std::path::{Path, PathBuf};

use super::args::AccessArgs;
use super::error::{CommandError, interrupted};
use super::output::Output;
use crate::apply::access::Recipient;
use crate::ensemble::{Credential, Ensemble, InClear, SessionTerms};
use crate::model::{Auth, AuthScheme, Connect, Mechanism, PASSWORD_VARIABLE, PasswordSource};
use crate::report::error::CommandFailure;

/// A password file is not read further.
const MAX_BYTES: u64 = 4096;

/// The file that holds it, where it is not in the environment itself.
pub(super) const PASSWORD_FILE: &str = "ZKPLAN_PASSWORD_FILE";

/// What is asked on a terminal.
const PROMPT: &str = "Password: ";

/// The same for the second time, where it is chosen.
const PROMPT_AGAIN: &str = "Password again: ";

/// What a file says of how the ensemble is reached, with what the command line says instead.
pub(super) fn connected(connect: &Connect, args: &AccessArgs) -> Result<Connect, CommandError> {
    let mut connect = connect.clone();
    if !args.connect.is_empty() {
        connect.servers.clone_from(&args.connect);
    }
    connect.auth = authenticated(connect.auth.as_ref(), args)?;
    Ok(connect)
}

/// As whom, where the file says something else or nothing.
fn authenticated(auth: Option<&Auth>, args: &AccessArgs) -> Result<Option<Auth>, CommandError> {
    let AccessArgs { auth: scheme, user, password_file, .. } = args;
    let scheme = scheme.map(AuthScheme::from);
    let of_file =
        auth.and_then(Auth::user).map(|(user, password)| (user.clone(), password.clone()));
    let is_asked = user.is_some() || password_file.is_some();
    let scheme = match (scheme, auth) {
        (Some(scheme), _) => scheme,
        // A user is none of a certificate's.
        (None, Some(Auth::X509) | None) if is_asked => AuthScheme::Digest,
        (None, Some(auth)) => auth.scheme(),
        (None, None) => return Ok(None),
    };
    if scheme == AuthScheme::X509 {
        if is_asked {
            let what = "--auth x509 takes neither --user nor --password-file";
            return Err(CommandError::new(CommandFailure::Usage, what)
                .hint("the certificate in connect.tls.cert is the identity"));
        }
        return Ok(Some(Auth::X509));
    }
    let (of_file, password) = of_file.unzip();
    let Some(user) = user.clone().or(of_file) else {
        let flag = if password_file.is_some() { "--password-file" } else { "--auth" };
        let what = format!("{flag} needs a user, and there is none");
        return Err(CommandError::new(CommandFailure::Usage, what).hint("add --user USER"));
    };
    let from_flag = password_file.clone().map(PasswordSource::File);
    let password = password.filter(|source| *source != PasswordSource::default());
    let password = from_flag.or(password).unwrap_or_else(from_variables);
    Ok(Some(Auth::of(scheme, user, password)))
}

/// As whom flags alone say.
pub(super) fn by_flags(args: &AccessArgs) -> Result<Option<Auth>, CommandError> {
    authenticated(None, args)
}

fn from_variables() -> PasswordSource {
    from_environment(|name| std::env::var_os(name).is_some())
}

/// The source of a password that neither a flag nor the file says.
fn from_environment(is_set: impl Fn(&str) -> bool) -> PasswordSource {
    if !is_set(PASSWORD_VARIABLE) && is_set(PASSWORD_FILE) {
        let path = std::env::var_os(PASSWORD_FILE).unwrap_or_default();
        return PasswordSource::File(PathBuf::from(path));
    }
    PasswordSource::default()
}

/// How a password is asked for, and what to do where there is none.
struct Asking<'a> {
    user: &'a str,
    /// The place beside the environment where its source is named.
    named_in: &'static str,
}

impl<'a> Asking<'a> {
    /// For a command that has a spec, a plan, or flags in its place.
    const fn of_connect(user: &'a str) -> Self {
        Self { user, named_in: "connect.auth.password" }
    }

    /// For a command that has no file: the flag alone names the source.
    const fn of_flag(user: &'a str) -> Self {
        Self { user, named_in: "--password-file" }
    }
}

/// What the session of a run is opened with.
pub(super) async fn terms(
    connect: &Connect,
    in_clear: InClear,
    output: &Output,
) -> Result<SessionTerms, CommandError> {
    let auth = match &connect.auth {
        Some(Auth::Digest { user, password: source }) => {
            let password = password(&Asking::of_connect(user), source, output).await?;
            Some(Credential::digest(user, &password, in_clear))
        }
        Some(Auth::Sasl { mechanism: Mechanism::DigestMd5, user, password: source }) => {
            let password = password(&Asking::of_connect(user), source, output).await?;
            Some(Credential::sasl_digest_md5(user, &password))
        }
        Some(Auth::X509) | None => None,
    };
    Ok(SessionTerms { timeout: connect.session_timeout, auth })
}

/// Whether the password would have to be typed: it is in no file, and not in the environment.
pub(super) fn is_to_be_typed(connect: &Connect) -> bool {
    let source = connect.auth.as_ref().and_then(Auth::user).map(|(_, source)| source);
    matches!(source, Some(PasswordSource::Env(name)) if std::env::var_os(name).is_none())
}

/// What looks may show where servers enforce SASL: the credential that the file names, where its
/// password is at hand. Nothing is asked for it: most looks need none.
pub(super) fn for_looks(connect: &Connect) -> Option<Credential> {
    let Some(Auth::Sasl { mechanism: Mechanism::DigestMd5, user, password }) = &connect.auth else {
        return None;
    };
    let password = match password {
        PasswordSource::Env(name) => std::env::var(name).ok(),
        PasswordSource::File(path) => text_of(path).ok(),
    };
    let password = password.filter(|password| !password.is_empty())?;
    Some(Credential::sasl_digest_md5(user, &password))
}

/// The same for a command that has no file yet, and asks for the password where it is not at hand.
pub(super) async fn for_import(
    auth: &Auth,
    output: &Output,
) -> Result<Option<Credential>, CommandError> {
    let Auth::Sasl { mechanism: Mechanism::DigestMd5, user, password: source } = auth else {
        return Ok(None);
    };
    let password = password(&Asking::of_connect(user), source, output).await?;
    Ok(Some(Credential::sasl_digest_md5(user, &password)))
}

/// Whether the operator lets passwords travel in clear.
pub(super) const fn in_clear(args: &AccessArgs) -> InClear {
    if args.allow_cleartext_auth { InClear::Anywhere } else { InClear::Loopback }
}

async fn password(
    asking: &Asking<'_>,
    source: &PasswordSource,
    output: &Output,
) -> Result<String, CommandError> {
    let Asking { user, named_in } = *asking;
    let none = |what: String| CommandError::new(CommandFailure::NoPassword, what);
    let (password, whence) = match source {
        PasswordSource::Env(name) => match std::env::var(name) {
            Ok(password) => (password, format!("the environment variable {name} is set but empty")),
            Err(_) if io::stdin().is_terminal() => {
                output.note(&format!("the password of {user} is needed"));
                (prompted(PROMPT).await?, "no password was typed".to_owned())
            }
            Err(_) => {
                let what = format!("the password of {user} is not in the environment: {name}");
                let hint = format!("set it for this command, or give a file in {named_in}");
                return Err(none(what).hint(hint));
            }
        },
        PasswordSource::File(path) => {
            let whence = format!("the file {} is empty", path.display());
            (from_file(path, named_in)?, whence)
        }
    };
    // A server would take it for a wrong one, and say so only when it is asked for something.
    if password.is_empty() {
        let what = format!("the password of {user} is empty: {whence}. Nothing was sent");
        let hint = "set it for this command, or give a file with --password-file";
        return Err(none(what).hint(hint));
    }
    Ok(password)
}

/// The password that a super user is to have: a typed one is asked for twice.
pub(super) async fn chosen(
    user: &str,
    file: Option<&Path>,
    output: &Output,
) -> Result<String, CommandError> {
    let source = file.map_or_else(from_variables, |file| PasswordSource::File(file.to_owned()));
    let is_typed = matches!(&source, PasswordSource::Env(name) if std::env::var_os(name).is_none());
    let chosen = password(&Asking::of_flag(user), &source, output).await?;
    if is_typed && prompted(PROMPT_AGAIN).await? != chosen {
        return Err(CommandError::new(CommandFailure::Usage, "the two passwords differ")
            .hint("run the command again"));
    }
    Ok(chosen)
}

async fn prompted(prompt: &'static str) -> Result<String, CommandError> {
    let asked = tokio::task::spawn_blocking(move || rpassword::prompt_password(prompt));
    if let Ok(Ok(password)) = asked.await {
        return Ok(password);
    }
    Err(interrupted())
}

fn from_file(path: &Path, named_in: &str) -> Result<String, CommandError> {
    text_of(path).map_err(|error| {
        let what = format!("the password file {} cannot be read: {error}", path.display());
        CommandError::new(CommandFailure::NoPassword, what).hint(format!("check {named_in}"))
    })
}

/// The content of a file, without the line end that editors add.
fn text_of(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

/// Digest credentials travel in clear: off this machine and without TLS the operator has to consent.
///
/// This is the first word on it, before anybody approves; every connection is held to it again.
pub(super) async fn may_travel<E: Ensemble>(
    port: &E,
    in_clear: InClear,
    servers: impl Iterator<Item = &Recipient>,
) -> Result<(), CommandError> {
    for Recipient { server, at } in servers.filter(|to| !to.at.tls) {
        let addresses = port.resolve(&at.host).await;
        if let Some(address) = addresses.iter().find(|address| !in_clear.allows(**address)) {
            return Err(in_the_clear(&format!("server {server} ({at}, now {address})")));
        }
    }
    Ok(())
}

/// A password would travel in clear.
pub(super) fn in_the_clear(to: &str) -> CommandError {
    let what = format!("the password would be sent unencrypted to {to}");
    CommandError::new(CommandFailure::CleartextPassword, what).hint(
        "use secure client ports (connect.tls), or add --allow-cleartext-auth if the network is \
         trusted",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_goes_before_the_file_that_a_variable_names() {
        let variable = PasswordSource::default();
        assert_eq!(from_environment(|_| false), variable);
        assert_eq!(from_environment(|_| true), variable);
        let named = from_environment(|name| name == PASSWORD_FILE);
        assert!(matches!(named, PasswordSource::File(_)), "{named:?}");
    }
}
