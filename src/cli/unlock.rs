//! `zkplan unlock`: remove the lock of an apply that hangs, and disarm whatever it sent.

use super::args::UnlockArgs;
use super::error::{CommandError, no_randomness};
use super::exit::Exit;
use super::live::{self, no_server};
use super::output::Output;
use super::source::Source;
use super::{local, secret};
use crate::apply::Outcome;
use crate::apply::access::{Access, Permission, Signer, permission};
use crate::apply::journal::{Entry, LockText, Record};
use crate::apply::journal_reader::{Archive, FolderState, StateLock};
use crate::apply::unlock::{Fence, fence, record_fence, take_over};
use crate::ensemble::{CONFIG, Ensemble, ErrorCode, HeldSession, RequestError, Session, ZooKeeper};
use crate::model::ServerId;
use crate::observe::Observation;
use crate::render::run::holder;
use crate::render::signing_in::announced;
use crate::render::{ends, words_for_shell};
use crate::report::error::CommandFailure;
use crate::trust::{OwnIds, Unproven};

pub(super) fn run(args: &UnlockArgs, output: &Output) -> Result<Exit, CommandError> {
    let source = Source::read(&args.file, output)?.reached(&args.access)?;
    live::block_on(unlock(args, &source, output))?
}

async fn unlock(args: &UnlockArgs, source: &Source, output: &Output) -> Result<Exit, CommandError> {
    let target = &source.target();
    let port = live::servers(target, &source.named())?;
    let seen = live::look(&port, target, output).await?;
    // No password is sent for what is not an operator's.
    if let Some(unproven) = seen.folder.unproven() {
        return Err(ended(args, source, &Outcome::Unproven(unproven.clone()), output));
    }
    let (session, own) = signed_in(args, source, (&port, &seen), output).await?;
    let exit = match Archive::proven(&session, &target.connect.folder, own).await {
        Ok(archive) => remove((args, source), (&port, &session), &archive, output).await,
        Err(_) => Err(lost()),
    };
    session.close().await;
    exit
}

/// A session on the first server that takes the user; those that do not are named.
async fn signed_in(
    args: &UnlockArgs,
    source: &Source,
    (port, seen): (&ZooKeeper, &Observation),
    output: &Output,
) -> Result<(HeldSession, OwnIds), CommandError> {
    let target = source.target();
    let in_clear = secret::in_clear(&args.access);
    let stays = |id: &ServerId| target.servers.contains_key(id);
    let leaving = seen.config.membership.ids().into_iter().filter(|id| !stays(id)).collect();
    let named = source.named();
    let signer = Signer::of(&target.connect);
    if signer.has_password() {
        let members = named.recipients(seen, &leaving);
        if members.is_empty() {
            let end = Outcome::NoRecipient { unnamed: named.unnamed(seen) };
            return Err(ended(args, source, &end, output));
        }
        if signer.sends_password() {
            secret::may_travel(port, in_clear, members.iter()).await?;
        }
        output.note(&announced(&signer, &members, &[]));
    }
    let terms = secret::terms(&target.connect, in_clear, output).await?;
    let own = OwnIds::of(terms.auth.as_ref());
    let access = Access::new(terms, named);
    let mut by = Vec::new();
    for to in access.recipients(seen, &leaving) {
        let Ok(session) = access.session(port, seen, &to).await else { continue };
        if permission(&session.probe_write(CONFIG).await) != Permission::Refused {
            return Ok((session, own));
        }
        session.close().await;
        by.push(to);
    }
    if by.is_empty() {
        return Err(no_server(&source.plans(&args.file)));
    }
    let end = Outcome::NotAuthorized { by, signer: access.signer() };
    Err(ended(args, source, &end, output))
}

/// Why nothing was done.
///
/// A lock that any client can have made is not unlocked: unlocking a forged one would give the
/// forger's folder a look of order.
fn ended(args: &UnlockArgs, source: &Source, end: &Outcome, output: &Output) -> CommandError {
    let path = args.file.display().to_string();
    let nonce = words_for_shell(&args.nonce);
    let again = match end {
        Outcome::Unproven(_) => String::new(),
        _ => format!("zkplan unlock {} {nonce}", words_for_shell(&path)),
    };
    CommandError::of_end(&ends::EndScreen {
        end,
        again: &again,
        path: &path,
        plans: &source.plans(&args.file),
        anew: None,
        run: None,
        width: output.width,
    })
}

async fn remove<E: Ensemble, S: Session>(
    (args, source): (&UnlockArgs, &Source),
    (port, session): (&E, &S),
    archive: &Archive<'_, S>,
    output: &Output,
) -> Result<Exit, CommandError> {
    if let FolderState::Unproven(unproven) = archive.ground().await.map_err(|_| lost())? {
        return Err(ended(args, source, &Outcome::Unproven(unproven), output));
    }
    let Some(lock) = archive.lock().await.map_err(|_| lost())? else {
        return Err(CommandError::new(CommandFailure::NoLock, "there is no lock")
            .hint("no lock blocks an apply; nothing was changed"));
    };
    if let Some(doubt) = lock.doubt {
        let unproven = Unproven { path: archive.paths().lock(), doubt };
        return Err(ended(args, source, &Outcome::Unproven(unproven), output));
    }
    let StateLock { text, nonce, .. } = &lock;
    let by = text.as_ref().map_or_else(|| format!("{nonce}, written by another version"), holder);
    if *nonce != args.nonce {
        let what = format!("this is another lock: {by}");
        return Err(CommandError::new(CommandFailure::OtherLock, what)
            .hint("give the nonce of the present lock; nothing was changed"));
    }
    if let Err(code) = session.probe_write(CONFIG).await {
        return Err(refused(code));
    }
    let Some(stamp) = local::stamp() else {
        return Err(no_randomness().hint("nothing was changed"));
    };
    let plan_id = text.as_ref().map_or_else(String::new, |text| text.plan_id.clone());
    let mine = LockText::new(stamp, "unlock", plan_id);
    match take_over(session, archive, &lock, &mine).await {
        Ok(()) => {}
        Err(RequestError::Refused(ErrorCode::BadVersion | ErrorCode::NodeExists)) => {
            let what = "another apply holds the lock now";
            return Err(
                CommandError::new(CommandFailure::OtherLock, what).hint("nothing was changed")
            );
        }
        Err(RequestError::Refused(code)) => return Err(refused(code)),
        Err(_) => return Err(lost()),
    }
    let Fence { from, version } = fence(port, session).await.map_err(not_fenced)?;
    let entry = Entry::Fenced { from, version: version.clone() };
    let fenced = Record::new(entry, "unlock".to_owned(), local::time_of_day());
    if record_fence(session, archive, &fenced).await.is_err() {
        output.note("the fence could not be written into the journal");
    }
    let said = format!(
        "unlocked: {by}. Fenced at config version {version}: its older requests cannot commit any \
         more."
    );
    let mut text = crate::render::Text::new();
    text.paragraph("", said, output.width);
    Ok(output.screen(&text, Exit::Done))
}

fn lost() -> CommandError {
    let what = "the connection was lost; it is not known whether the lock was removed";
    CommandError::new(CommandFailure::ConnectionLost, what).hint("run the same command again")
}

fn refused(code: ErrorCode) -> CommandError {
    CommandError::new(CommandFailure::NotAuthorized, format!("the server refused: {code}"))
        .hint("unlock needs the same rights as apply; check connect.auth")
}

fn not_fenced(failure: RequestError) -> CommandError {
    let what = match failure {
        RequestError::Refused(code) => {
            format!(
                "the lock is removed, but the fence was refused: {code}. Older requests can still \
                 commit"
            )
        }
        _ => "the lock is removed, but it is not known whether the fence committed. Older \
              requests may still commit"
            .to_owned(),
    };
    CommandError::new(CommandFailure::NotFenced, what)
        .hint("the next apply sends a fence before anything else")
}
