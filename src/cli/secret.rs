//! The password: from the environment, a file or a prompt; never from the command line, and never
//! to anywhere but the servers.

use std::fs;
use std::io::{IsTerminal, Read as _};
use std::net::IpAddr;
use std::path::Path;

use super::exit::Exit;
use super::output::Output;
use crate::ensemble::{Ensemble, SessionTerms};
use crate::model::{Auth, AuthScheme, Connect, Endpoint, PasswordSource};

/// A password file is not read further.
const MAX_BYTES: u64 = 4096;

/// What the session of a run is opened with.
pub(super) async fn terms(connect: &Connect, output: &Output) -> Result<SessionTerms, Exit> {
    let auth = match &connect.auth {
        Some(auth) => Some(credential(auth, output).await?),
        None => None,
    };
    Ok(SessionTerms { timeout: connect.session_timeout, auth })
}

/// What a session that only reads is opened with.
pub(super) fn nobody(connect: &Connect) -> SessionTerms {
    SessionTerms { timeout: connect.session_timeout, auth: None }
}

async fn credential(auth: &Auth, output: &Output) -> Result<(String, String), Exit> {
    let password = match &auth.password {
        PasswordSource::Env(name) => match std::env::var(name) {
            Ok(password) => password,
            Err(_) if std::io::stdin().is_terminal() => prompted(&auth.user, output).await?,
            Err(_) => {
                output.error(
                    &format!("the password of {} is not in the environment: {name}", auth.user),
                    "set it for this command, or name a file in connect.auth.password",
                );
                return Err(Exit::Unreachable);
            }
        },
        PasswordSource::File(path) => from_file(path, output)?,
    };
    let AuthScheme::Digest = auth.scheme;
    Ok(("digest".to_owned(), format!("{}:{password}", auth.user)))
}

async fn prompted(user: &str, output: &Output) -> Result<String, Exit> {
    output.note(&format!("the password of {user} is asked for"));
    let asked = tokio::task::spawn_blocking(|| rpassword::prompt_password("Password: "));
    match asked.await {
        Ok(Ok(password)) if !password.is_empty() => Ok(password),
        Ok(Ok(_)) => {
            output.error("no password was given; nothing was changed", "");
            Err(Exit::Unreachable)
        }
        Ok(Err(_)) | Err(_) => {
            output.error("interrupted; nothing was changed", "");
            Err(Exit::Stopped)
        }
    }
}

/// The content of a file, without the line end that editors add.
fn from_file(path: &Path, output: &Output) -> Result<String, Exit> {
    let mut text = String::new();
    let read = fs::File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text));
    match read {
        Ok(_) => Ok(text.trim_end_matches(['\n', '\r']).to_owned()),
        Err(error) => {
            output.error(
                &format!("the password file {} cannot be read: {error}", path.display()),
                "see connect.auth.password",
            );
            Err(Exit::Unreachable)
        }
    }
}

/// Digest credentials travel in clear: off this machine and without TLS somebody has to want that.
pub(super) async fn may_travel<E: Ensemble>(
    port: &E,
    connect: &Connect,
    servers: &[Endpoint],
    allowed: bool,
    output: &Output,
) -> Result<(), Exit> {
    if connect.auth.is_none() || allowed {
        return Ok(());
    }
    for at in servers.iter().filter(|at| !at.tls) {
        let addresses = port.resolve(&at.host).await;
        let local = |addresses: &[IpAddr]| addresses.iter().all(IpAddr::is_loopback);
        if !addresses.is_empty() && local(&addresses) {
            continue;
        }
        output.error(
            &format!("the password would travel to {at} in clear"),
            "use secure client ports (connect.tls), or add --allow-cleartext-auth where the \
             network is trusted",
        );
        return Err(Exit::Usage);
    }
    Ok(())
}
