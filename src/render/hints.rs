//! What helps against a broken safety rule.

use super::phrases;
use crate::check::{Breach, BreachKind, Hint};
use crate::proposal::Refusal;

/// What may help where no change of policy does, the most important first. Where something is wrong
/// with the change as a whole, nothing else is corrected before it. Beside a remedy there is none.
pub fn hints(refusal: &Refusal) -> Vec<String> {
    if !refusal.remedies.is_empty() {
        return Vec::new();
    }
    let is_whole = refusal.breaches.iter().any(Breach::is_of_the_whole);
    let mut hints: Vec<String> = Vec::new();
    for breach in refusal.breaches.iter().filter(|breach| !is_whole || breach.is_of_the_whole()) {
        for hint in applying(&breach.detail, refusal).iter().map(words) {
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
    }
    hints
}

/// What helps against this one, as far as it applies to what is there.
fn applying(kind: &BreachKind, refusal: &Refusal) -> Vec<Hint> {
    match kind {
        // An acceptance is no way out while something else stands against the plan.
        BreachKind::NeedsJoiners { .. } | BreachKind::Finding(_)
            if refusal.breaches.iter().any(|breach| !breach.detail.is_acceptable()) =>
        {
            Vec::new()
        }
        _ => kind.hints(&refusal.nearest),
    }
}

fn words(hint: &Hint) -> String {
    match hint {
        Hint::Start(servers) if servers.len() == 1 => {
            let it = phrases::servers(servers);
            format!("start {it} if it is down; if it hangs, restart it. Wait until it is in sync")
        }
        Hint::Start(servers) => format!(
            "start those of {} that are down, restart those that hang, and wait until all are in \
             sync",
            phrases::servers(servers)
        ),
        Hint::Other(text) => text.clone(),
    }
}
