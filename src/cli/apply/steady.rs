//! The look before anything is sent. What would be one hiccup for a run under way is one for this
//! look too: it is taken again for a while before anything is concluded from it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::super::args::ApplyArgs;
use super::super::error::CommandError;
use super::super::output::Output;
use super::super::{live, local, retired};
use super::typed::to_be_tried_again;
use crate::ensemble::ZooKeeper;
use crate::model::{Connect, Endpoint, Policy, ServerId, Target};
use crate::observe::{Facts, Observation, Question, observe};
use crate::render::words_for_servers;

/// The longest time for which it is looked again, however long `policy.stableFor` is.
const LONGEST: Duration = Duration::from_secs(10);

/// The time between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// How long something that passes may last before something is concluded from it.
pub(super) struct Patience {
    limit: Duration,
    /// What sets the limit.
    by: &'static str,
    /// When the first try came to nothing.
    since: Option<Instant>,
}

/// Voters that did not count in the last look, each with the time of day since when.
pub(super) type NotCounted = BTreeMap<ServerId, String>;

impl Patience {
    /// For a hiccup of servers.
    pub(super) fn of(policy: &Policy) -> Self {
        let limit = Duration::from_millis(policy.stable_for.0).min(LONGEST);
        Self { limit, by: "policy.stableFor", since: None }
    }

    /// For the lock of another apply. That of a crashed one stands until its session is over, which
    /// had a timeout like ours.
    pub(super) fn with_lock(args: &ApplyArgs, connect: &Connect) -> Self {
        let limit = args.lock_timeout.map_or(2 * connect.session_timeout.0, |time| time.0);
        Self { limit: Duration::from_millis(limit), by: "--lock-timeout", since: None }
    }

    /// Waits a little, so that the same can be tried again; `false` where the time is over. Why is
    /// said once.
    pub(super) async fn is_left(&mut self, why: &str, output: &Output) -> bool {
        let is_first = self.since.is_none();
        if self.since.get_or_insert_with(Instant::now).elapsed() >= self.limit {
            return false;
        }
        if is_first {
            let (limit, by) = (self.limit.as_millis().div_ceil(1000), self.by);
            output.note(&format!("{why}; checking again for up to {limit} s ({by})"));
        }
        tokio::time::sleep(PAUSE).await;
        true
    }

    /// For how long it was tried, in whole seconds.
    pub(super) fn tried_seconds(&self) -> u64 {
        self.since.map_or(0, |since| since.elapsed().as_secs())
    }
}

/// Looks at the ensemble of a spec until every voter counts, or patience is over; where there is no
/// ensemble to look at even then, it says why.
pub(super) async fn look(
    args: &ApplyArgs,
    (port, target): (&ZooKeeper, &Target),
    patience: &mut Patience,
    output: &Output,
) -> Result<(Observation, NotCounted), CommandError> {
    let mut since = NotCounted::new();
    loop {
        match observe(port, &Question::of(target)).await {
            Ok(seen) => {
                since = not_counted(&seen, target, &since);
                if since.is_empty() {
                    return Ok((seen, since));
                }
                let verb = if since.len() == 1 { "does" } else { "do" };
                let why = format!("{} {verb} not count now", words_for_servers(since.keys()));
                if !patience.is_left(&why, output).await {
                    return Ok((seen, since));
                }
            }
            Err(error) => {
                if !error.is_passing() || !patience.is_left(&error.to_string(), output).await {
                    let is_passing = error.is_passing();
                    let error = retired::named(port, target, error).await;
                    let shown = live::not_seen(target, &error, output);
                    if is_passing {
                        return Err(to_be_tried_again(args, (&error, shown), output));
                    }
                    return Err(shown);
                }
            }
        }
    }
}

/// The voters that do not count, each since it was first seen not to count without a break.
fn not_counted(seen: &Observation, target: &Target, known: &NotCounted) -> NotCounted {
    let live = Facts::of(seen, target).synced;
    let voters = seen.config.membership.voters();
    let down = voters.difference(&live);
    down.map(|id| (*id, known.get(id).cloned().unwrap_or_else(local::time_of_day))).collect()
}

/// No server takes a session, and which were asked; `plans` is the command that shows more.
pub(super) fn no_session(servers: &[Endpoint], patience: &Patience, plans: &str) -> CommandError {
    let asked: Vec<String> = servers.iter().map(ToString::to_string).collect();
    let what = match asked.len() {
        0 => "no server accepts a session: no server leads or follows this ensemble".to_owned(),
        _ => format!(
            "no server accepts a session: {} were asked for {} s",
            asked.join(", "),
            patience.tried_seconds()
        ),
    };
    live::no_session(what, plans)
}
