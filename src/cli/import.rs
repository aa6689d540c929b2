//! `zkplan import`: the spec of an ensemble that exists.

use std::path::{Path, PathBuf};

use super::args::{AccessArgs, ImportArgs, ZooCfgArg};
use super::error::CommandError;
use super::exit::Exit;
use super::output::Output;
use super::{live, secret, specs};
use crate::ensemble::Limits;
use crate::import::{self, File, ImportError, Imported, ServerFiles};
use crate::model::{Auth, Endpoint};
use crate::observe::{Question, contact, observe};
use crate::render::unreachable::{self, Reached};
use crate::report::error::CommandFailure;

pub(super) fn run(args: &ImportArgs, output: &Output) -> Result<Exit, CommandError> {
    let imported = match args.zoo_cfg.as_slice() {
        [] => from_servers(args, output),
        files => from_files(args, files),
    }?;
    for note in &imported.notes {
        output.note(&note.to_string());
    }
    Ok(output.raw(&imported.to_yaml(), Exit::Done))
}

fn from_files(args: &ImportArgs, files: &[ZooCfgArg]) -> Result<Imported, CommandError> {
    let is_one = files.len() == 1;
    let read = |file: &ZooCfgArg| -> Result<ServerFiles, CommandError> {
        let zoo_cfg = read_file(&file.path)?;
        let named = import::dynamic_file_name(&zoo_cfg.bytes);
        let dynamic = named.map(|name| dynamic_file(&file.path, &name, is_one));
        let dynamic = dynamic.map(|path| read_file(&path)).transpose()?;
        let next = PathBuf::from(format!("{}.dynamic.next", file.path.display()));
        let next = next.exists().then(|| next.display().to_string());
        Ok(ServerFiles { id: file.id, zoo_cfg, dynamic, next })
    };
    let files = files.iter().map(read).collect::<Result<Vec<_>, CommandError>>()?;
    import::from_zoo_cfgs(&args.ensemble, &files).map_err(|error| {
        let code = match error {
            ImportError::WhoseFile(_) | ImportError::SameServer { .. } => CommandFailure::Usage,
            _ => CommandFailure::ConfigInvalid,
        };
        CommandError::new(code, error.to_string()).hint(error.remedy())
    })
}

fn read_file(path: &Path) -> Result<File, CommandError> {
    let bytes = specs::read_bytes(path)?;
    Ok(File { name: path.display().to_string(), bytes })
}

/// The dynamic file at the path that `zoo.cfg` names, or beside `zoo.cfg` where that path is one of
/// the server's machine and not of this one, as it is where the files of several servers are here.
pub(super) fn dynamic_file(zoo_cfg: &Path, name: &str, is_one: bool) -> PathBuf {
    let named = Path::new(name);
    let beside = zoo_cfg.with_file_name(named.file_name().unwrap_or(named.as_os_str()));
    if named.exists() && (is_one || !beside.exists()) { named.to_owned() } else { beside }
}

fn from_servers(args: &ImportArgs, output: &Output) -> Result<Imported, CommandError> {
    let tls = args.tls.tls();
    // The flag takes nothing else.
    let contacts = args.connect.iter().filter_map(|host| contact(host, tls.is_some()));
    let contacts: Vec<Endpoint> = contacts.collect();
    let port =
        live::servers_by(tls.as_ref(), Limits::default(), "--tls-ca, --tls-cert and --tls-key")?;
    let auth = auth(args)?;
    let look = async {
        let credential = match &auth {
            Some(auth) => secret::for_import(auth, output).await?,
            None => None,
        };
        let port = match credential {
            Some(credential) => {
                port.with_survey_credential(credential, contacts.iter().cloned().collect())
            }
            None => port,
        };
        Ok::<_, CommandError>(observe(&port, &Question::of_contacts(contacts)).await)
    };
    let seen = live::block_on(look)??.map_err(|error| {
        let screen = unreachable::screen(&args.ensemble, &error, Reached::ByFlags, output.width);
        CommandError::of_look(&error, screen)
    })?;
    Ok(Imported { tls, auth, ..import::from_observation(&args.ensemble, &seen) })
}

/// As whom the flags say that the ensemble is changed.
fn auth(args: &ImportArgs) -> Result<Option<Auth>, CommandError> {
    let auth = secret::by_flags(&AccessArgs {
        auth: args.auth,
        user: args.user.clone(),
        password_file: args.password_file.clone(),
        ..AccessArgs::default()
    })?;
    if auth == Some(Auth::X509) && args.tls.cert.is_none() {
        return Err(CommandError::new(CommandFailure::Usage, "--auth x509 needs a certificate")
            .hint("add --tls-ca, --tls-cert and --tls-key"));
    }
    Ok(auth)
}
