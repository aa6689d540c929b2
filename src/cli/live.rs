//! Asking a live ensemble from a command.

use std::future::Future;

use super::error::CommandError;
use super::output::Output;
use super::secret;
use crate::apply::access::Named;
use crate::ensemble::{ErrorCode, KeyForm, Limits, TlsSetupError, ZooKeeper};
use crate::model::{Target, Tls};
use crate::observe::{Observation, ObserveError, Question, observe};
use crate::render::unreachable::{self, Reached};
use crate::render::words_for_shell;
use crate::report::error::CommandFailure;

/// Runs what talks to servers.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        CommandError::new(CommandFailure::IoFailed, format!("no event loop: {error}"))
    })?;
    let done = runtime.block_on(work);
    // A prompt may still be open; its answer is not needed any more.
    runtime.shutdown_background();
    Ok(done)
}

/// The real port, with the certificates of a spec, and the folder that it names. Where servers
/// enforce SASL, looks use its credential at the addresses that the file names.
pub(super) fn servers(target: &Target, named: &Named) -> Result<ZooKeeper, CommandError> {
    let connect = &target.connect;
    let limits = connect.timeouts.into();
    let port = servers_by(connect.tls.as_ref(), limits, "`connect.tls` of the spec")?;
    let port = port.with_folder(connect.folder.clone());
    Ok(match secret::for_looks(connect) {
        Some(credential) => port.with_survey_credential(credential, named.endpoints().clone()),
        None => port,
    })
}

/// The real port, with certificates that stand there.
pub(super) fn servers_by(
    tls: Option<&Tls>,
    limits: Limits,
    there: &str,
) -> Result<ZooKeeper, CommandError> {
    ZooKeeper::new(limits, tls).map_err(|error| {
        let help = converts(&error).unwrap_or_else(|| format!("check {there}"));
        CommandError::new(CommandFailure::CertificateInvalid, error.to_string()).hint(help)
    })
}

/// The command that writes a file that zkplan reads. A key without a password is for its owner
/// alone.
fn converts(error: &TlsSetupError) -> Option<String> {
    let TlsSetupError::OtherForm { path, form } = error else { return None };
    let from = words_for_shell(&path.display().to_string());
    let to = |name: &str| words_for_shell(&path.with_extension(name).display().to_string());
    Some(match form {
        KeyForm::EncryptedPem => format!(
            "(umask 077; openssl pkey -in {from} -out {}) writes it without a password; use that \
             file",
            to("plain.pem")
        ),
        KeyForm::Pkcs12 => format!(
            "(umask 077; openssl pkcs12 -in {from} -nodes -out {}) writes certificates and key; \
             use that file as cert and as key, or as ca",
            to("pem")
        ),
        KeyForm::Jks => format!(
            "keytool -importkeystore -srckeystore {from} -destkeystore {p12} -deststoretype \
             PKCS12; then (umask 077; openssl pkcs12 -in {p12} -nodes -out {}), and use that file \
             as cert and as key, or as ca",
            to("pem"),
            p12 = to("p12")
        ),
        KeyForm::Der => format!(
            "openssl x509 -inform DER -in {from} -out {pem} for a certificate, (umask 077; \
             openssl pkey -inform DER -in {from} -out {pem}) for a key; use that file",
            pem = to("pem")
        ),
    })
}

/// A look at the ensemble of a spec.
pub(super) async fn look(
    port: &ZooKeeper,
    target: &Target,
    output: &Output,
) -> Result<Observation, CommandError> {
    let seen = observe(port, &Question::of(target)).await;
    seen.map_err(|error| not_seen(target, &error, output))
}

/// A look at who is there, and no more.
pub(super) async fn brief_look(
    port: &ZooKeeper,
    target: &Target,
    output: &Output,
) -> Result<Observation, CommandError> {
    let seen = observe(port, &Question::of(target).brief()).await;
    seen.map_err(|error| not_seen(target, &error, output))
}

/// There is no ensemble to look at.
pub(super) fn not_seen(target: &Target, error: &ObserveError, output: &Output) -> CommandError {
    let reached = Reached::by(&target.connect);
    let screen = unreachable::screen(&target.ensemble, error, reached, output.width);
    CommandError::of_look(error, screen)
}

/// No server takes a session; `plans` is the command that shows more.
pub(super) fn no_session(what: impl Into<String>, plans: &str) -> CommandError {
    let hint = format!("{plans} shows which servers answer");
    CommandError::new(CommandFailure::NoSession, what).hint(hint)
}

/// No server takes a session, and no more is known.
pub(super) fn no_server(plans: &str) -> CommandError {
    no_session("no server accepts a session", plans)
}

/// The journal cannot be read.
pub(super) fn journal_unreadable(code: ErrorCode) -> CommandError {
    let what = format!("the journal cannot be read: {code}");
    CommandError::new(CommandFailure::JournalUnreadable, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_has_the_command_that_converts_it() {
        let help = |form| {
            let error = TlsSetupError::OtherForm { path: "keys/it's.p12".into(), form };
            converts(&error).expect("a command")
        };
        assert!(
            help(KeyForm::Pkcs12)
                .contains(r"openssl pkcs12 -in 'keys/it'\''s.p12' -nodes -out 'keys/it'\''s.pem'")
        );
        assert!(help(KeyForm::EncryptedPem).contains("openssl pkey -in "));
        assert!(help(KeyForm::Jks).starts_with("keytool -importkeystore"));
        assert!(help(KeyForm::Der).contains("-inform DER"));
        assert_eq!(converts(&TlsSetupError::HalfAnIdentity), None);
    }
}
