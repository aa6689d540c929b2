//! `zkplan import`: the spec of an ensemble that exists.

use std::path::Path;

use super::args::{AccessArgs, ImportArgs};
use super::exit::Exit;
use super::output::Output;
use super::{live, secret, specs};
use crate::import::{self, Imported};
use crate::model::{Auth, Endpoint, Tls};
use crate::observe::{Question, contact, observe};
use crate::render::unreachable::{self, Reached};

pub(super) fn run(args: &ImportArgs, output: &Output) -> Exit {
    let imported = match &args.zoo_cfg {
        Some(path) => from_file(args, path, output),
        None => from_servers(args, output),
    };
    match imported {
        Ok(imported) => {
            for note in &imported.notes {
                output.note(&note.to_string());
            }
            output.raw(&imported.to_yaml(), Exit::Done)
        }
        Err(exit) => exit,
    }
}

fn from_file(args: &ImportArgs, path: &Path, output: &Output) -> Result<Imported, Exit> {
    let text = specs::read_text(path, output)?;
    let dynamic = match import::dynamic_file_name(&text) {
        Some(name) => Some(specs::read_text(&beside(path, &name), output)?),
        None => None,
    };
    import::from_zoo_cfg(&args.ensemble, &text, dynamic.as_deref()).map_err(|error| {
        output.error(&format!("{}: {error}", path.display()), "");
        Exit::Data
    })
}

/// The dynamic file at the path that `zoo.cfg` names, or beside `zoo.cfg` where that path is one of
/// the server's machine and not of this one.
fn beside(zoo_cfg: &Path, name: &str) -> std::path::PathBuf {
    let named = Path::new(name);
    if named.exists() {
        return named.to_owned();
    }
    let file = named.file_name().unwrap_or(named.as_os_str());
    zoo_cfg.with_file_name(file)
}

fn from_servers(args: &ImportArgs, output: &Output) -> Result<Imported, Exit> {
    let tls = args.tls_ca.as_ref().map(|ca| Tls {
        ca: ca.clone(),
        cert: args.tls_cert.clone(),
        key: args.tls_key.clone(),
    });
    let mut contacts: Vec<Endpoint> = Vec::new();
    for host in &args.connect {
        let Some(endpoint) = contact(host, tls.is_some()) else {
            output.error(
                &format!("`{host}` is not of the form host:port"),
                "a connect string here has no chroot, like zk1:2181,zk2:2181",
            );
            return Err(Exit::Usage);
        };
        contacts.push(endpoint);
    }
    let port = live::servers_by(tls.as_ref(), "--tls-ca, --tls-cert and --tls-key", output)?;
    let auth = auth(args, output)?;
    let look = async {
        let credential = match &auth {
            Some(auth) => secret::for_import(auth, output).await?,
            None => None,
        };
        let port = match credential {
            Some(credential) => port.looking_as(credential, contacts.iter().cloned().collect()),
            None => port,
        };
        Ok::<_, Exit>(observe(&port, &Question::of_contacts(contacts)).await)
    };
    let seen = live::block_on(output, look)??.map_err(|error| {
        output.aside(&unreachable::screen(&args.ensemble, &error, Reached::ByFlags, output.width));
        live::exit_of(&error)
    })?;
    Ok(Imported { tls, auth, ..import::from_observation(&args.ensemble, &seen) })
}

/// As whom the flags say that the ensemble is changed.
fn auth(args: &ImportArgs, output: &Output) -> Result<Option<Auth>, Exit> {
    let auth = secret::by_flags(
        &AccessArgs {
            auth: args.auth,
            user: args.user.clone(),
            password_file: args.password_file.clone(),
            ..AccessArgs::default()
        },
        output,
    )?;
    if auth == Some(Auth::X509) && args.tls_cert.is_none() {
        output.error("--auth x509 needs a certificate", "add --tls-ca, --tls-cert and --tls-key");
        return Err(Exit::Usage);
    }
    Ok(auth)
}
