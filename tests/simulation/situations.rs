//! The situations of interest in which a schedule ended up, by its logs.

use zkplan::apply::journal::{CommitEvidence, Entry};
use zkplan::apply::{Event, Outcome};
use zkplan::ensemble::ErrorCode;
use zkplan::simulator::{SimEvent, World};

use crate::coverage::{Coverage, Situation};
use crate::schedule::Applied;

pub(crate) fn note(coverage: &mut Coverage, world: &World, applies: &[Applied]) {
    let log = &world.truth.log;
    for (at, happening) in log.iter().enumerate() {
        let situation = match happening {
            SimEvent::HandedOver(..) => Situation::HandOver,
            SimEvent::Refused(ErrorCode::ReconfigInProgress) => Situation::InProgressRefused,
            SimEvent::Refused(ErrorCode::NewConfigNoQuorum) => Situation::NoQuorumRefused,
            SimEvent::Refused(ErrorCode::BadVersion) => {
                // Arrived, committed as an error, refused.
                let arrived = at >= 2 && matches!(log[at - 2], SimEvent::Arrived(_));
                if !arrived {
                    continue;
                }
                Situation::LateRequestFenced
            }
            SimEvent::Moved(..) => Situation::SessionMoved,
            SimEvent::Expired(_) => Situation::SessionExpired,
            SimEvent::Elected(..) => Situation::ElectionMidway,
            SimEvent::Forgotten(_) => Situation::ProposalForgotten,
            _ => continue,
        };
        coverage.note(situation);
    }
    let mut is_reordered = false;
    for applied in applies {
        told(coverage, applied);
        let any = |test: fn(&Event) -> bool| applied.events.iter().any(|(_, event)| test(event));
        if is_reordered && any(|event| matches!(event, Event::Run { resumed: true, .. })) {
            coverage.note(Situation::ResumedInAnotherOrder);
        }
        is_reordered |= any(|event| matches!(event, Event::Reordered(_)));
    }
}

fn told(coverage: &mut Coverage, applied: &Applied) {
    let (mut waited, mut fencing) = (false, false);
    for (_, event) in &applied.events {
        let situation = match event {
            Event::Committed {
                known: CommitEvidence::ReadBack | CommitEvidence::Found, ..
            } => Situation::UnknownThenApplied,
            Event::Recorded(Entry::NotApplied { because, .. }) if because.contains("fence") => {
                Situation::UnknownThenFenced
            }
            Event::Recorded(Entry::Disarmed { .. }) => Situation::UnknownForGood,
            Event::Run { resumed: true, .. } => Situation::Resumed,
            Event::Locked(_) => Situation::LockAwaited,
            Event::Reordered(_) => Situation::AnotherOrder,
            Event::VersionMoved { .. } => Situation::VersionMoved,
            Event::Waiting(_) => {
                waited = true;
                continue;
            }
            Event::Sent { .. } if waited => Situation::WaitedThenSent,
            Event::Output { name, .. } if name == "fence" => {
                fencing = true;
                continue;
            }
            Event::Fenced { .. } => {
                fencing = false;
                continue;
            }
            Event::Ended(Outcome::Foreign { .. }) => {
                if fencing {
                    coverage.note(Situation::FenceOvertaken);
                }
                Situation::ForeignChange
            }
            Event::Ended(Outcome::LockLost { .. }) => Situation::LockLost,
            _ => continue,
        };
        coverage.note(situation);
    }
}
