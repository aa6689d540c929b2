//! Asking a live ensemble from a command.

use std::future::Future;

use super::exit::Exit;
use super::output::Output;
use super::secret;
use crate::apply::access::Named;
use crate::ensemble::{KeyForm, Limits, TlsSetupError, ZooKeeper};
use crate::model::{Target, Tls};
use crate::observe::{Observation, ObserveError, Question, observe};
use crate::render::unreachable::{self, Reached};
use crate::render::words_for_shell;

/// Runs what talks to servers.
pub(super) fn block_on<T>(output: &Output, work: impl Future<Output = T>) -> Result<T, Exit> {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let done = runtime.block_on(work);
            // A prompt may still be open; its answer is not needed any more.
            runtime.shutdown_background();
            Ok(done)
        }
        Err(error) => {
            output.error(&format!("no event loop: {error}"), "");
            Err(Exit::Error)
        }
    }
}

/// The real port, with the certificates of a spec, and the folder that it names. Where servers
/// enforce SASL, looks use its credential at the addresses that the file names.
pub(super) fn servers(spec: &Target, named: &Named, output: &Output) -> Result<ZooKeeper, Exit> {
    let connect = &spec.connect;
    let limits = connect.timeouts.into();
    let port = servers_by(connect.tls.as_ref(), limits, "`connect.tls` of the spec", output)?;
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
    output: &Output,
) -> Result<ZooKeeper, Exit> {
    ZooKeeper::new(limits, tls).map_err(|error| {
        let help = converts(&error).unwrap_or_else(|| format!("check {there}"));
        output.error(&error.to_string(), &help);
        Exit::Data
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

/// A look at the ensemble of a spec; where that fails, it says why.
pub(super) async fn look(
    port: &ZooKeeper,
    spec: &Target,
    output: &Output,
) -> Result<Observation, Exit> {
    let seen = observe(port, &Question::of(spec)).await;
    seen.map_err(|error| not_seen(spec, &error, output))
}

/// Says why there is no ensemble to look at.
pub(super) fn not_seen(spec: &Target, error: &ObserveError, output: &Output) -> Exit {
    let reached = Reached::by(&spec.connect);
    output.aside(&unreachable::screen(&spec.ensemble, error, reached, output.width));
    exit_of(error)
}

/// Says that no server takes a session; `plans` is the command that shows more.
pub(super) fn nobody_answers(plans: &str, output: &Output) -> Exit {
    output.error("no server accepts a session", &format!("{plans} shows which servers answer"));
    Exit::Unreachable
}

/// The exit code of an ensemble that cannot be planned for.
pub const fn exit_of(error: &ObserveError) -> Exit {
    match error {
        ObserveError::Unreachable { .. }
        | ObserveError::NoQuorum { .. }
        | ObserveError::NeedsAuth { .. }
        | ObserveError::NoCommit { .. } => Exit::Unreachable,
        ObserveError::TooOld { .. }
        | ObserveError::Standalone { .. }
        | ObserveError::TwoHistories { .. }
        | ObserveError::TargetRuns { .. }
        | ObserveError::UnreadableConfig { .. } => Exit::Unsafe,
    }
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
