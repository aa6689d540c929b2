//! `zkplan unlock`: remove the lock of an apply that hangs, and disarm whatever it sent.
//!
//! The lock is taken over, not removed: an apply that waits for it must not begin before the fence
//! has committed, which it could not tell from a stranger's request. It goes with the session.

use super::args::UnlockArgs;
use super::exit::Exit;
use super::output::Output;
use super::source::Source;
use super::{history, live, local, secret};
use crate::apply::journal::{Entry, LockText, Record};
use crate::apply::keeper::{read_lock, record_fence, take_over};
use crate::ensemble::{Code, Failure, Session};
use crate::model::{EnsembleConfig, Update};
use crate::render::run::holder;

/// The znode that holds the committed configuration (`ZooDefs.CONFIG_NODE`).
const CONFIG: &str = "/zookeeper/config";

/// How often a fence is tried whose version was overtaken.
const ATTEMPTS: usize = 3;

pub(super) fn run(args: &UnlockArgs, output: &Output) -> Exit {
    let source = match Source::read(&args.file, output) {
        Ok(source) => source,
        Err(exit) => return exit,
    };
    match live::block_on(output, unlock(args, &source, output)) {
        Ok(Ok(exit) | Err(exit)) | Err(exit) => exit,
    }
}

async fn unlock(args: &UnlockArgs, source: &Source, output: &Output) -> Result<Exit, Exit> {
    let spec = &source.spec();
    let port = live::servers(spec.connect.tls.as_ref(), output)?;
    let addresses = history::addresses(spec);
    let allowed = args.allow_cleartext_auth;
    secret::may_travel(&port, &spec.connect, &addresses, allowed, output).await?;
    let terms = secret::terms(&spec.connect, output).await?;
    let session = history::any_session(&port, spec, terms).await;
    let session =
        session.ok_or_else(|| history::nobody_answers(&source.plans(&args.file), output))?;
    let exit = remove(args, &session, output).await;
    session.close().await;
    exit
}

async fn remove<S: Session>(args: &UnlockArgs, session: &S, output: &Output) -> Result<Exit, Exit> {
    let lost = |_: Failure| {
        output.error(
            "the connection was lost; whether the lock was removed is not known",
            "run the same command again",
        );
        Exit::Unreachable
    };
    let Some((by, turn)) = read_lock(session).await.map_err(lost)? else {
        output.error("there is no lock", "nothing is in the way of an apply; nothing was changed");
        return Err(Exit::Error);
    };
    if by.by.nonce != args.nonce {
        output.error(
            &format!("the lock is another one: {}", holder(&by)),
            "name the nonce of the lock that stands; nothing was changed",
        );
        return Err(Exit::Locked);
    }
    if let Err(code) = session.probe_write().await {
        return Err(refused(code, output));
    }
    let Some(stamp) = local::stamp() else {
        output.error("the machine gives no random numbers", "nothing was changed");
        return Err(Exit::Error);
    };
    let plan_id = by.plan_id.clone();
    let mine = LockText { by: stamp, operation: "unlock".to_owned(), plan_id };
    match take_over(session, turn, &mine).await {
        Ok(()) => {}
        Err(Failure::Refused(Code::BadVersion | Code::NodeExists)) => {
            output.error("somebody else holds the lock by now", "nothing was changed");
            return Err(Exit::Locked);
        }
        Err(Failure::Refused(code)) => return Err(refused(code, output)),
        Err(failure) => return Err(lost(failure)),
    }
    let (from, version) = fence(session, output).await?;
    let entry = Entry::Fenced { from, version: version.clone() };
    let fenced = Record { entry, nonce: "unlock".to_owned(), at: local::time_of_day() };
    if record_fence(session, &fenced).await.is_err() {
        output.note("the fence could not be written into the journal");
    }
    let said = format!(
        "unlocked: {}. Fenced at config version {version}: nothing that it sent can be carried \
         out any more.",
        holder(&by)
    );
    let mut text = crate::render::Text::new();
    text.paragraph("", said, output.width);
    Ok(output.screen(&text, Exit::Done))
}

fn refused(code: Code, output: &Output) -> Exit {
    output.error(
        &format!("the server refused: {code}"),
        "unlocking takes the rights of an apply; see connect.auth",
    );
    Exit::Unreachable
}

/// A committed reconfig that changes nothing but the version; from which version to which.
async fn fence<S: Session>(session: &S, output: &Output) -> Result<(String, String), Exit> {
    for _ in 0..ATTEMPTS {
        let node = session.get(CONFIG).await.ok().flatten();
        let text = node.map(|node| String::from_utf8_lossy(&node.data).into_owned());
        let Some(config) = text.and_then(|text| EnsembleConfig::parse(&text).ok()) else { break };
        let fence = Update::fence(&config.membership);
        match session.reconfig(&fence, config.version).await {
            Ok(fenced) => return Ok((config.version.to_string(), fenced.version.to_string())),
            Err(Failure::Refused(Code::BadVersion | Code::ReconfigInProgress)) => {}
            Err(Failure::Refused(code)) => return Err(refused(code, output)),
            Err(_) => break,
        }
    }
    output.error(
        "the lock is gone; the fence that disarms what was sent before is not known to have \
         committed",
        "the next apply fences before it sends anything",
    );
    Err(Exit::Error)
}
