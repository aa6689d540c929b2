//! Whether servers follow one that serves, whatever their configurations say.
//!
//! A server that runs without reconfigs shows its own file, and no two files need agree in how they
//! write a host. What tells is what commits: a write through one server moves the last zxid of every
//! server that follows with it, in the same epoch.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;

use super::endpoint_answers::EndpointAnswers;
use super::survey::Survey;
use crate::ensemble::four_letter::{Mntr, Srvr};
use crate::ensemble::{Ensemble, FourLetterWord, Mode};
use crate::model::{Endpoint, Zxid};

/// Two ensembles may count in the same epoch, and pass a number by chance; hardly twice, each time
/// between what one server had before a write of ours and what it had after it.
const ROUNDS: usize = 2;

/// The servers among these that were seen to follow with that one: in each round it commits a write,
/// and their last zxids come to lie between its own before and after that, in its epoch. No more of
/// them than the leader counts as synced.
pub(super) async fn following<E: Ensemble>(
    port: &E,
    survey: &Survey,
    first: &EndpointAnswers,
    others: &[&EndpointAnswers],
) -> BTreeSet<Endpoint> {
    let mut left: Vec<&EndpointAnswers> = others.to_vec();
    for _ in 0..ROUNDS {
        if left.is_empty() {
            break;
        }
        let bounds = match write(port, &first.endpoint).await {
            None => write(port, &first.endpoint).await,
            found => found,
        };
        let Some(bounds) = bounds else { return BTreeSet::new() };
        let seen =
            join_all(left.iter().map(|probe| reaches(port, survey, &probe.endpoint, bounds))).await;
        let highest = seen.iter().copied().flatten().max();
        let top = upper_bound(port, &first.endpoint, highest).await;
        let is_between = |seen: &Option<Zxid>| seen.zip(top).is_some_and(|(own, top)| own <= top);
        let kept = left.into_iter().zip(&seen).filter(|(_, seen)| is_between(seen));
        left = kept.map(|(probe, _)| probe).collect();
    }
    if left.is_empty() {
        return BTreeSet::new();
    }
    let followers = left.iter().filter(|probe| probe.mode() == Some(Mode::Follower)).count();
    let answer = port.ask(&first.endpoint, FourLetterWord::Mntr).await.ok();
    let synced = answer.and_then(|answer| Mntr::parse(&answer).synced_followers);
    if synced.is_some_and(|synced| u64::try_from(followers).is_ok_and(|own| own > synced)) {
        return BTreeSet::new();
    }
    left.into_iter().map(|probe| probe.endpoint.clone()).collect()
}

/// Has a server commit a write, which opening a session is, and tells its last zxid before that;
/// `None` where none was seen to commit.
async fn write<E: Ensemble>(port: &E, at: &Endpoint) -> Option<Zxid> {
    let before = zxid(port, at).await?;
    port.read(at).await.ok()?;
    let after = zxid(port, at).await?;
    (after > before && after.epoch() == before.epoch()).then_some(before)
}

/// The last zxid of a server once it is beyond that one in the same epoch; two ticks are waited for.
async fn reaches<E: Ensemble>(
    port: &E,
    survey: &Survey,
    at: &Endpoint,
    bound: Zxid,
) -> Option<Zxid> {
    let mut left = survey.two_ticks();
    let mut pause = Duration::from_millis(5);
    loop {
        let own = zxid(port, at).await.filter(|own| own.epoch() == bound.epoch() && *own > bound);
        if own.is_some() || left.is_zero() {
            return own;
        }
        let time = pause.min(left);
        port.pause(time).await;
        left -= time;
        pause *= 2;
    }
}

/// The last zxid of the server that wrote, asked until it has what others have: it may apply a write
/// a moment after they did.
async fn upper_bound<E: Ensemble>(port: &E, at: &Endpoint, highest: Option<Zxid>) -> Option<Zxid> {
    const TRIES: usize = 3;
    let mut top = None;
    for _ in 0..TRIES {
        top = zxid(port, at).await;
        if top >= highest {
            break;
        }
    }
    top
}

/// The last zxid of a server; one that does not answer is asked once more.
async fn zxid<E: Ensemble>(port: &E, at: &Endpoint) -> Option<Zxid> {
    let answer = match port.ask(at, FourLetterWord::Srvr).await {
        Ok(answer) => answer,
        Err(_) => port.ask(at, FourLetterWord::Srvr).await.ok()?,
    };
    Srvr::parse(&answer).zxid
}
