//! Servers with `reconfigEnabled=true` beside servers without it, and those that can never come back.
//! Server 0 of then leads at the beginning.

use zkplan::simulator::Barred;

use super::case::{AdminAction, Case, Step, Who};

use Who::Then;

fn case(name: &'static str, steps: Vec<Step>) -> Case {
    Case { name, steps }
}

fn killed(nth: usize) -> Step {
    AdminAction::Kill(Then(nth)).done()
}

fn started(nth: usize) -> Step {
    AdminAction::Start(Then(nth)).done()
}

fn look() -> Step {
    AdminAction::Look.done()
}

fn is_barred(nth: usize, why: Barred) -> Vec<Step> {
    vec![AdminAction::FindBarred(Then(nth), why).done(), look()]
}

/// A restart with the new setting.
fn renewed(nth: usize) -> Vec<Step> {
    vec![killed(nth), AdminAction::Enable(Then(nth)).done(), started(nth)]
}

/// One leads with the one that was started last. It has what was written while that one was away.
fn leads(away: usize, leader: usize) -> Vec<Step> {
    vec![killed(away), look(), killed(leader), started(away), look()]
}

/// Three servers whose files have one and the same text of the members.
pub(super) fn with_one_text() -> Vec<Case> {
    vec![
        case("where no server takes reconfigs the version is 0", vec![look()]),
        case(
            "a follower that takes reconfigs stays at version 0 under a leader that does not",
            [renewed(1), vec![look()]].concat(),
        ),
        case("a leader that takes reconfigs gives the configuration a version", leads(2, 0)),
        case("a server without joins with the same text, at version 0", vec![started(0), look()]),
        case(
            "a server with a version is refused by a leader without, for ever",
            [leads(0, 1), vec![started(1)], is_barred(1, Barred::IsAhead)].concat(),
        ),
        case("restarting it once more is no cure", {
            [vec![killed(1), started(1)], is_barred(1, Barred::IsAhead)].concat()
        }),
        case(
            "of three the second one that takes the version on takes the quorum from the leader",
            [renewed(0), vec![AdminAction::FindNoQuorum.done()]].concat(),
        ),
        case(
            "the two lead under the version while the third one is away",
            vec![killed(2), AdminAction::ExpectBack(Then(1)).done(), look()],
        ),
        case(
            "all are back when all take reconfigs",
            vec![AdminAction::Enable(Then(2)).done(), started(2), look()],
        ),
    ]
}

/// Three servers that have their client port in their own file alone.
pub(super) fn with_own_ports() -> Vec<Case> {
    vec![
        case("where no server takes reconfigs the version is 0", vec![look()]),
        case(
            "a leader that takes reconfigs gives the configuration a version",
            [renewed(1), vec![look()], leads(2, 0)].concat(),
        ),
        case(
            "a server without never ends its election: the text is not that of its file",
            [vec![started(0)], is_barred(0, Barred::CannotAdopt)].concat(),
        ),
        case("restarting it once more is no cure", {
            [vec![killed(0), started(0)], is_barred(0, Barred::CannotAdopt)].concat()
        }),
        case("it is back with the new setting", [renewed(0), vec![look()]].concat()),
        case(
            "one that was in before is kept out from its next start on",
            [vec![killed(2), started(2)], is_barred(2, Barred::CannotAdopt)].concat(),
        ),
        case("it is back with the new setting as well", [renewed(2), vec![look()]].concat()),
    ]
}
