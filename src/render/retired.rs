//! Sentences about servers that an earlier run retired.

use std::collections::BTreeSet;

use super::phrases;
use crate::model::ServerId;
use crate::observe::{AskedServer, RetiredBy, RetiredState};

/// What to do with a retired server, so that it does not come back.
const PUT_AWAY: &str = "disable the service, and move zoo.cfg and data away";

/// What each of them does that was not stopped, and what to do about it.
pub(super) const STILL_FOLLOWS: &str = "still follows this ensemble without a vote. When no client \
                                        uses it, stop it, disable the service, and move zoo.cfg and \
                                        data away";

/// What retired servers do that answer.
pub(super) fn answer(run: u64, state: RetiredState, servers: &[AskedServer]) -> String {
    let ids: Vec<ServerId> = servers.iter().map(|server| server.id).collect();
    let who = phrases::servers(&ids);
    let each = phrases::list(servers.iter().map(one));
    let is_one = servers.len() == 1;
    let (it, them, s) = if is_one { ("it", "it", "s") } else { ("they", "them", "") };
    match state {
        RetiredState::Serve => format!(
            "run {run} retired {who}, and {it} serve{s} clients outside this ensemble, with old \
             data: {each}. This happens when an old zoo.cfg is restored. Writes there never reach \
             this ensemble. Move the clients, stop {them}, {PUT_AWAY}"
        ),
        RetiredState::Follow => format!(
            "run {run} retired {who}, and {it} still follow{s} this ensemble without a vote: \
             {each}. When no client uses {them}, stop {them}, {PUT_AWAY}"
        ),
        RetiredState::NotKnown => {
            let (what, is) = if is_one {
                ("a server answers at the address", "it is the old one")
            } else {
                ("servers answer at the addresses", "they are the old ones")
            };
            format!(
                "{what} of {who}, which run {run} retired: {each}. It is not known whether {is}"
            )
        }
    }
}

/// A server with its address, and what it says it does.
fn one(server: &AskedServer) -> String {
    let at = server.at.as_ref().map_or_else(String::new, |at| format!(" at {at}"));
    let mode = server.mode.as_ref().map_or_else(String::new, |mode| format!(" ({mode})"));
    format!("server {}{at}{mode}", server.id)
}

/// Members that a run retired.
pub(super) fn members(run: u64, members: &BTreeSet<ServerId>, to: &[AskedServer]) -> String {
    let is_one = members.len() == 1;
    let (verb, them) = if is_one { ("is", "it") } else { ("are", "them") };
    format!(
        "{} {verb} in this ensemble, but run {run} retired {them} and moved the ensemble to {}, \
         which were not seen serving. Either a client changed the members back without zkplan, or \
         these servers serve old data. Find out which before you change anything",
        phrases::servers(members),
        phrases::list(to.iter().map(one))
    )
}

/// What the journal says of two histories.
pub(super) fn two_histories(by: &RetiredBy) -> String {
    let RetiredBy { run, is_closed, last_entry, side: _, from, to } = by;
    let state = if *is_closed { "done" } else { "not finished" };
    let (verb, it) = if from.len() == 1 { ("serves", "It") } else { ("serve", "They") };
    let moved = match to.len() {
        0 => String::new(),
        _ => format!(" and moved the ensemble to {}", phrases::servers(to)),
    };
    format!(
        "According to the journal, run {run} ({state}, last entry at {last_entry}) retired \
         {who}{moved}. Now {who} {verb} again. This happens when an old zoo.cfg is restored. {it} \
         may hold writes that the other ensemble does not have: zkplan does not choose.",
        who = phrases::servers(from),
    )
}

/// What to do with the servers that a run retired, if it is the other side that counts.
pub(super) fn put_away(by: &RetiredBy) -> String {
    let their = if by.from.len() == 1 { "its" } else { "their" };
    format!(
        "If it is the ensemble that run {} moved to: move the clients there, then stop {}, disable \
         {their} service, and move {their} zoo.cfg and data away.",
        by.run,
        phrases::servers(&by.from)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(number: i64, mode: Option<&str>) -> AskedServer {
        let at = Some(format!("10.0.0.{number}:2181"));
        AskedServer { id: ServerId::new(number), at, mode: mode.map(str::to_owned) }
    }

    #[test]
    fn each_state_is_one_sentence_or_two_and_says_what_to_do() {
        let trio = [(1, "follower"), (2, "follower"), (3, "leader")];
        let trio = trio.map(|(number, mode)| asked(number, Some(mode)));
        insta::assert_snapshot!(answer(1, RetiredState::Serve, &trio), @"run 1 retired servers 1, 2 and 3, and they serve clients outside this ensemble, with old data: server 1 at 10.0.0.1:2181 (follower), server 2 at 10.0.0.2:2181 (follower) and server 3 at 10.0.0.3:2181 (leader). This happens when an old zoo.cfg is restored. Writes there never reach this ensemble. Move the clients, stop them, disable the service, and move zoo.cfg and data away");
        insta::assert_snapshot!(answer(1, RetiredState::Follow, &[asked(2, None)]), @"run 1 retired server 2, and it still follows this ensemble without a vote: server 2 at 10.0.0.2:2181. When no client uses it, stop it, disable the service, and move zoo.cfg and data away");
        insta::assert_snapshot!(answer(1, RetiredState::NotKnown, &trio[2..]), @"a server answers at the address of server 3, which run 1 retired: server 3 at 10.0.0.3:2181 (leader). It is not known whether it is the old one");
        insta::assert_snapshot!(answer(1, RetiredState::NotKnown, &trio[1..]), @"servers answer at the addresses of servers 2 and 3, which run 1 retired: server 2 at 10.0.0.2:2181 (follower) and server 3 at 10.0.0.3:2181 (leader). It is not known whether they are the old ones");
        let old = BTreeSet::from([1, 2, 3].map(ServerId::new));
        insta::assert_snapshot!(members(1, &old, &[4, 5, 6].map(|id| asked(id, None))), @"servers 1, 2 and 3 are in this ensemble, but run 1 retired them and moved the ensemble to server 4 at 10.0.0.4:2181, server 5 at 10.0.0.5:2181 and server 6 at 10.0.0.6:2181, which were not seen serving. Either a client changed the members back without zkplan, or these servers serve old data. Find out which before you change anything");
    }
}
