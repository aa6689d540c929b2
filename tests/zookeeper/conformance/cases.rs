//! The rules, each with what ZooKeeper answers. A case begins where the one before it has ended.

use zkplan::ensemble::ErrorCode;

use super::case::{AdminAction, Case, Part, Step, Told, Who, join, joins, leaves, request};

use Who::{Id, Last, Leader, Voter};

/// An id that nobody has.
const NOBODY: Who = Id(200);

fn case(name: &'static str, steps: impl IntoIterator<Item = Step>) -> Case {
    Case { name, steps: steps.into_iter().collect() }
}

/// For voters 1 to 3, observers 6 to 8, joiners 4 and 5 that follow, and 9, 11, 12 that never run.
pub(super) fn of_eight() -> Vec<Case> {
    let mut cases = vec![case("everybody is in place", [AdminAction::Look.done()])];
    cases.extend(words());
    cases.extend(accepted());
    cases.extend(refused());
    cases.extend(in_order());
    cases.extend(roles());
    cases.extend(addresses());
    cases.extend(hand_overs());
    cases.extend(transactions());
    cases.extend(parts_of_transactions());
    cases.extend(sessions());
    cases.extend(words());
    cases
}

/// For voters 1 to 3, of which the first does not know the super user.
pub(super) fn of_three_without_super_user_on_the_first() -> Vec<Case> {
    vec![
        case("everybody is in place", [AdminAction::Look.done()]),
        case(
            "a user is what the server says that the session is on, wherever the session comes from",
            [
                AdminAction::Open(Id(1)).done(),
                AdminAction::ProbeWrite.refused(ErrorCode::NoAuth),
                AdminAction::Attach(Id(2)).done(),
                AdminAction::ProbeWrite.done(),
                AdminAction::Attach(Id(1)).done(),
                AdminAction::ProbeWrite.refused(ErrorCode::NoAuth),
                AdminAction::Attach(Id(3)).done(),
                AdminAction::ProbeWrite.done(),
                AdminAction::Close.done(),
            ],
        ),
    ]
}

fn words() -> [Case; 1] {
    [case("`srvr`, `conf` and `mntr` of everybody", [AdminAction::AskWords.done()])]
}

fn accepted() -> [Case; 9] {
    let dead = join(Id(9));
    [
        case("a joiner that follows is added", [joins(join(Id(4))).accepted()]),
        case("a follower is removed", [leaves(Id(4)).accepted()]),
        case("an unknown id is removed", [leaves(NOBODY).accepted()]),
        case("nothing is asked for", [request(&[], &[]).accepted()]),
        case(
            "an id that is no member's leaves and joins",
            [request(&[join(Id(4))], &[Id(4)]).accepted(), leaves(Id(4)).accepted()],
        ),
        case(
            "a member's id leaves and joins",
            [request(&[join(Voter(0))], &[Voter(0)]).accepted()],
        ),
        case(
            "the same id joins twice: the last line counts",
            [
                request(&[join(Id(4)).at_another_client_port(), join(Id(4))], &[]).accepted(),
                leaves(Id(4)).accepted(),
            ],
        ),
        case(
            "an observer that never ran is added",
            [joins(dead.observer()).accepted(), leaves(Id(9)).accepted()],
        ),
        case(
            "a voter that does not run is added: the rest is a quorum",
            [
                joins(dead).accepted(),
                request(&[join(Id(11))], &[]).accepted(),
                request(&[], &[Id(9), Id(11)]).accepted(),
            ],
        ),
    ]
}

fn refused() -> [Case; 8] {
    let ghosts = [join(Id(9)), join(Id(11)), join(Id(12))];
    [
        case(
            "the version is an older one",
            [leaves(NOBODY).stale().refused(ErrorCode::BadVersion)],
        ),
        case(
            "more dead joiners than a quorum can miss",
            [request(&ghosts, &[]).refused(ErrorCode::NewConfigNoQuorum)],
        ),
        case(
            "more observers promoted than voters acknowledge",
            [request(&[6, 7, 8].map(|id| join(Id(id)).participant()), &[])
                .refused(ErrorCode::NewConfigNoQuorum)],
        ),
        case(
            "the voters that are there leave those that are not",
            [request(&[join(Id(9)), join(Id(11))], &[Voter(0), Voter(1)])
                .refused(ErrorCode::NewConfigNoQuorum)],
        ),
        case(
            "all voters are removed",
            [request(&[], &[Id(1), Id(2), Id(3)]).refused(ErrorCode::BadArguments)],
        ),
        case(
            "all members are removed",
            [request(&[], &[1, 2, 3, 6, 7, 8].map(Id)).refused(ErrorCode::BadArguments)],
        ),
        case(
            "a joiner has no client part",
            [joins(join(Id(4)).without_client_part())
                .incremental()
                .refused(ErrorCode::BadArguments)],
        ),
        case(
            "a member is named without its client part",
            [joins(join(Voter(0)).without_client_part())
                .incremental()
                .refused(ErrorCode::BadArguments)],
        ),
    ]
}

/// Whoever is wrong in two ways is told the first of them.
fn in_order() -> [Case; 8] {
    let ghosts = request(&[join(Id(9)), join(Id(11)), join(Id(12))], &[]);
    let bare = joins(join(Id(4)).without_client_part()).incremental();
    [
        case(
            "an old version before arguments",
            [bare.clone().stale().refused(ErrorCode::BadVersion)],
        ),
        case(
            "an old version before a missing quorum",
            [ghosts.clone().stale().refused(ErrorCode::BadVersion)],
        ),
        case(
            "an old version before a missing permission",
            [leaves(NOBODY).stale().by_nobody().refused(ErrorCode::BadVersion)],
        ),
        case(
            "arguments before a missing permission",
            [bare.by_nobody().refused(ErrorCode::BadArguments)],
        ),
        case(
            "a missing quorum before a missing permission",
            [ghosts.by_nobody().refused(ErrorCode::NewConfigNoQuorum)],
        ),
        case(
            "a missing permission comes last",
            [
                joins(join(Id(4))).by_nobody().refused(ErrorCode::NoAuth),
                leaves(NOBODY).by_nobody().through(Voter(0)).refused(ErrorCode::NoAuth),
            ],
        ),
        case(
            "a write at an impossible version",
            [
                AdminAction::ProbeWriteAsNobody.refused(ErrorCode::NoAuth),
                AdminAction::Open(Leader).done(),
                AdminAction::ProbeWrite.done(),
            ],
        ),
        case(
            "a reconfig at an impossible version",
            [
                AdminAction::ProbeReconfigAsNobody.done(),
                AdminAction::Open(Voter(0)).done(),
                AdminAction::ProbeReconfig.done(),
            ],
        ),
    ]
}

fn roles() -> [Case; 5] {
    [
        case(
            "a follower is demoted, and promoted with all other voters up",
            [joins(join(Voter(0)).observer()).accepted(), joins(join(Last)).accepted()],
        ),
        case(
            "one observer is promoted",
            [joins(join(Id(6)).participant()).accepted(), joins(join(Id(6))).accepted()],
        ),
        case(
            "two observers are promoted at once",
            [
                request(&[join(Id(6)).participant(), join(Id(7)).participant()], &[]).accepted(),
                request(&[join(Id(6)), join(Id(7))], &[]).accepted(),
            ],
        ),
        case(
            "a joiner that follows is added as an observer",
            [joins(join(Id(5)).observer()).accepted(), leaves(Id(5)).accepted()],
        ),
        case(
            "an observer is removed, and comes back",
            [leaves(Id(8)).accepted(), joins(join(Id(8))).accepted()],
        ),
    ]
}

fn addresses() -> [Case; 6] {
    let back = || joins(join(Last));
    [
        case(
            "a follower's client port",
            [joins(join(Voter(0)).at_another_client_port()).accepted(), back().accepted()],
        ),
        case(
            "a follower's election port",
            [joins(join(Voter(0)).at_another_election_port()).accepted(), back().accepted()],
        ),
        case(
            "a follower's quorum port",
            [joins(join(Voter(0)).at_another_quorum_port()).accepted(), back().accepted()],
        ),
        case(
            "the leader's client port: it goes on leading",
            [joins(join(Leader).at_another_client_port()).accepted(), back().accepted()],
        ),
        case(
            "the leader's election port: it goes on leading",
            [joins(join(Leader).at_another_election_port()).accepted(), back().accepted()],
        ),
        case(
            "an observer's client port",
            [joins(join(Id(6)).at_another_client_port()).accepted(), back().accepted()],
        ),
    ]
}

fn hand_overs() -> [Case; 5] {
    [
        case(
            "the leader is removed, follows without a vote, and comes back",
            [leaves(Leader).hands_over(), joins(join(Last)).accepted()],
        ),
        case(
            "the leader is removed through a follower",
            [leaves(Leader).through(Voter(0)).hands_over(), joins(join(Last)).accepted()],
        ),
        case(
            "the leader's quorum port changes",
            [
                joins(join(Leader).at_another_quorum_port()).hands_over(),
                joins(join(Last)).accepted(),
            ],
        ),
        case(
            "the leader is demoted",
            [joins(join(Leader).observer()).hands_over(), joins(join(Last)).accepted()],
        ),
        case(
            "the leader makes room for a joiner",
            [request(&[join(Id(4))], &[Leader]).hands_over(), AdminAction::Look.done()],
        ),
    ]
}

/// A case of one session on a follower.
fn on_a_session(name: &'static str, steps: impl IntoIterator<Item = Step>) -> Case {
    case(name, [AdminAction::Open(Voter(0)).done()].into_iter().chain(steps))
}

fn all(parts: &'static [Part]) -> AdminAction {
    AdminAction::Do(parts)
}

fn transactions() -> [Case; 7] {
    use Part::{Check, Delete, Make, Set};
    [
        on_a_session(
            "a transaction that only checks is committed and leaves nothing",
            [
                AdminAction::Children("/").done(),
                AdminAction::Raise(Voter(0), &[Check("/", -1)]).done(),
                AdminAction::Raise(Voter(0), &[Check("/", 999)]).refused(ErrorCode::BadVersion),
                AdminAction::Children("/").done(),
            ],
        ),
        on_a_session(
            "znodes are made, and found",
            [
                AdminAction::Make("/a").done(),
                all(&[Make("/a/b"), Make("/a/c")]).done(),
                AdminAction::See("/a/b").done(),
                AdminAction::Children("/a").done(),
                AdminAction::Children("/nowhere").done(),
            ],
        ),
        on_a_session(
            "a check that fails leaves everything as it was",
            [
                all(&[Make("/x"), Set("/a"), Check("/a", 7)]).refused(ErrorCode::BadVersion),
                all(&[Check("/a", 7), Make("/x"), Set("/a")]).refused(ErrorCode::BadVersion),
                AdminAction::See("/x").refused(ErrorCode::NoNode),
                AdminAction::See("/a").done(),
            ],
        ),
        on_a_session(
            "a check of what is not there",
            [
                all(&[Make("/x"), Check("/nowhere", 0)]).refused(ErrorCode::BadVersion),
                AdminAction::See("/x").refused(ErrorCode::NoNode),
            ],
        ),
        on_a_session(
            "what is there is made again",
            [
                AdminAction::Make("/a").refused(ErrorCode::NodeExists),
                all(&[Make("/x"), Make("/a")]).refused(ErrorCode::NodeExists),
                all(&[Make("/x"), Make("/x")]).refused(ErrorCode::NodeExists),
                AdminAction::See("/x").refused(ErrorCode::NoNode),
            ],
        ),
        on_a_session(
            "what is not there is written or deleted",
            [
                all(&[Set("/nowhere")]).refused(ErrorCode::NoNode),
                all(&[Delete("/nowhere")]).refused(ErrorCode::NoNode),
                AdminAction::SetMany("/nowhere", 3).refused(ErrorCode::NoNode),
            ],
        ),
        on_a_session(
            "a parent is not there",
            [
                AdminAction::Make("/nowhere/x").refused(ErrorCode::NoNode),
                all(&[Make("/nowhere/x")]).refused(ErrorCode::NoNode),
            ],
        ),
    ]
}

fn parts_of_transactions() -> [Case; 6] {
    use Part::{Check, Delete, Make, MakeEphemeral, Set};
    [
        on_a_session(
            "what has children is deleted",
            [
                all(&[Delete("/a")]).refused(ErrorCode::NotEmpty),
                all(&[Delete("/a/c")]).done(),
                AdminAction::Children("/a").done(),
            ],
        ),
        on_a_session(
            "an ephemeral znode has no children",
            [
                all(&[MakeEphemeral("/e")]).done(),
                AdminAction::Make("/e/x").refused(ErrorCode::NoChildrenForEphemerals),
                all(&[MakeEphemeral("/e2"), Make("/e2/x")])
                    .refused(ErrorCode::NoChildrenForEphemerals),
            ],
        ),
        on_a_session(
            "a part sees what those before it did",
            [
                all(&[Make("/p"), Make("/p/q"), Check("/p", 0)]).done(),
                all(&[Set("/p"), Check("/p", 1)]).done(),
                all(&[Set("/p"), Check("/p", 1)]).refused(ErrorCode::BadVersion),
                AdminAction::See("/p").done(),
                all(&[Delete("/p/q"), Delete("/p")]).done(),
                AdminAction::See("/p").refused(ErrorCode::NoNode),
            ],
        ),
        on_a_session(
            "a part sees what is gone before it",
            [
                all(&[Make("/p"), Delete("/p")]).done(),
                all(&[Make("/p"), Delete("/p"), Make("/p")]).done(),
                all(&[Delete("/p"), Set("/p")]).refused(ErrorCode::NoNode),
                all(&[Delete("/p"), Make("/p"), Check("/p", 0)]).done(),
                all(&[Make("/p/q"), Delete("/p")]).refused(ErrorCode::NotEmpty),
                all(&[Delete("/p"), Make("/p/q")]).refused(ErrorCode::NoNode),
                all(&[Delete("/p"), Check("/p", 0)]).refused(ErrorCode::BadVersion),
                all(&[Delete("/p")]).done(),
            ],
        ),
        on_a_session(
            "many writes in a row",
            [AdminAction::SetMany("/a", 20).done(), AdminAction::See("/a").done()],
        ),
        on_a_session(
            "a transaction of nothing but checks",
            [
                all(&[Check("/a", 20)]).done(),
                all(&[Check("/a", 21)]).refused(ErrorCode::BadVersion),
                AdminAction::See("/a").done(),
            ],
        ),
    ]
}

fn sessions() -> [Case; 5] {
    let lock: &[Part] = &[Part::MakeEphemeral("/lock")];
    [
        case(
            "a session moves with its id and its ephemeral znode",
            [
                AdminAction::Open(Voter(0)).done(),
                AdminAction::Do(lock).done(),
                AdminAction::Attach(Voter(1)).done(),
                AdminAction::See("/lock").done(),
                AdminAction::Attach(Leader).done(),
                AdminAction::Attach(Id(7)).done(),
                AdminAction::SeeFromElsewhere("/lock").done(),
                AdminAction::Do(&[Part::Set("/lock")]).done(),
                AdminAction::See("/lock").done(),
            ],
        ),
        case(
            "closing a session deletes what lived with it",
            [
                AdminAction::Open(Voter(0)).done(),
                AdminAction::Do(lock).done(),
                AdminAction::Attach(Voter(1)).done(),
                AdminAction::Close.done(),
                AdminAction::SeeFromElsewhere("/lock").refused(ErrorCode::NoNode),
            ],
        ),
        case(
            "a session that expired is over, and its ephemeral znode gone",
            [
                AdminAction::OpenFor(Voter(0), 1000).done(),
                AdminAction::Do(lock).done(),
                AdminAction::Freeze(Voter(0)).done(),
                AdminAction::AwaitGone("/lock").done(),
                AdminAction::Thaw(Voter(0)).done(),
                AdminAction::Attach(Voter(1)).is(Told::Over),
                AdminAction::See("/lock").is(Told::Silent),
                AdminAction::Look.done(),
            ],
        ),
        case("a session lives for two ticks at least", [AdminAction::OpenFor(Voter(0), 1).done()]),
        case(
            "two of three acknowledge",
            [
                AdminAction::Open(Voter(0)).done(),
                AdminAction::Freeze(Voter(1)).done(),
                AdminAction::Make("/two-are-enough").done(),
                AdminAction::Thaw(Voter(1)).done(),
                AdminAction::Look.done(),
            ],
        ),
    ]
}

/// For voters 1 to 3 that may become a standalone server, and 9 that never runs.
pub(super) fn of_three_with_standalone() -> Vec<Case> {
    vec![
        case("everybody is in place", [AdminAction::Look.done()]),
        case(
            "where one server may be standalone: two voters are left",
            [leaves(Voter(0)).accepted(), joins(join(Last)).accepted()],
        ),
        case(
            "where one server may be standalone: one voter would be left",
            [
                request(&[], &[Voter(0), Voter(1)]).refused(ErrorCode::BadArguments),
                request(&[], &[Voter(0), Leader]).refused(ErrorCode::BadArguments),
                request(&[], &[Voter(0), Voter(1)]).by_nobody().refused(ErrorCode::BadArguments),
            ],
        ),
        case(
            "where one server may be standalone: no voter would be left",
            [request(&[], &[1, 2, 3].map(Id)).refused(ErrorCode::BadArguments)],
        ),
        case(
            "where one server may be standalone: one voter and an observer would be left",
            [request(&[join(Voter(0)).observer()], &[Voter(1)]).refused(ErrorCode::BadArguments)],
        ),
        case(
            "where one server may be standalone: one voter and a dead one are no quorum",
            [request(&[join(Id(9))], &[Voter(0), Voter(1)]).refused(ErrorCode::NewConfigNoQuorum)],
        ),
    ]
}

/// For one voter, and a joiner that follows.
pub(super) fn of_one_and_a_joiner() -> Vec<Case> {
    vec![
        case("one leads, and one follows without a vote", [AdminAction::Look.done()]),
        case("one becomes two", [joins(join(Id(2))).accepted()]),
        case(
            "of two, the leader is removed and follows without a vote",
            [leaves(Leader).hands_over()],
        ),
        case(
            "a joiner that is frozen counts as synced: the request is stuck until it goes on",
            [
                AdminAction::Freeze(Last).done(),
                AdminAction::SendOnly(joins(join(Last))).is(Told::Silent),
                AdminAction::FindNoQuorum.done(),
                AdminAction::Thaw(Last).done(),
                AdminAction::Settle.done(),
            ],
        ),
        case(
            "one of two dies: writes stop until it is back",
            [
                AdminAction::Open(Leader).done(),
                AdminAction::Make("/before").done(),
                AdminAction::Kill(Voter(0)).done(),
                AdminAction::FindNoQuorum.done(),
                AdminAction::Make("/stuck").is(Told::Silent),
                AdminAction::Start(Voter(0)).done(),
                AdminAction::Settle.done(),
                AdminAction::Open(Leader).done(),
                AdminAction::Make("/after").done(),
                AdminAction::See("/before").done(),
            ],
        ),
    ]
}

/// For voters 1 to 3 in group 1, 4 in group 2 and 5 in group 3, joiners 6 and 7 that follow, and 9
/// and 11 that never run.
pub(super) fn of_groups() -> Vec<Case> {
    let dead = [join(Id(9)).in_group(2, 1), join(Id(11)).in_group(3, 1)];
    let joins_group = |group, weight| joins(join(Id(6)).in_group(group, weight));
    vec![
        case("everybody is in place", [AdminAction::Look.done()]),
        case("the whole list as it is", [request(&[], &[]).accepted()]),
        case(
            "into a group, and out of it",
            [joins_group(2, 1).accepted(), leaves(Id(6)).accepted()],
        ),
        case(
            "into a group of its own, whatever its number",
            [joins_group(7, 3).accepted(), leaves(Id(6)).accepted()],
        ),
        case(
            "into a group with no weight",
            [joins_group(1, 0).accepted(), leaves(Id(6)).accepted()],
        ),
        case(
            "two in one request, into two groups",
            [
                request(&[join(Id(6)).in_group(2, 1), join(Id(7)).in_group(3, 1)], &[]).accepted(),
                request(&[], &[Id(6), Id(7)]).accepted(),
            ],
        ),
        case(
            "a voter becomes an observer, which is in no group",
            [joins(join(Voter(0)).observer()).accepted(), joins(join(Last)).accepted()],
        ),
        case(
            "a dead voter in a group that does without it",
            [joins(join(Id(9)).in_group(1, 1)).accepted(), leaves(Id(9)).accepted()],
        ),
        case(
            "by groups, those who come and go cannot be named alone",
            [
                joins_group(2, 1).incremental().refused(ErrorCode::BadArguments),
                leaves(NOBODY).incremental().refused(ErrorCode::BadArguments),
                leaves(NOBODY).incremental().stale().refused(ErrorCode::BadVersion),
            ],
        ),
        case(
            "a participant without a group",
            [joins(join(Id(6))).refused(ErrorCode::BadArguments)],
        ),
        case(
            "the whole list of an older version",
            [joins_group(2, 1).stale().refused(ErrorCode::BadVersion)],
        ),
        case(
            "in two of three groups half would be dead",
            [request(&dead, &[]).refused(ErrorCode::NewConfigNoQuorum)],
        ),
        case(
            "the whole list without permission, checked last",
            [
                joins_group(2, 1).by_nobody().refused(ErrorCode::NoAuth),
                request(&dead, &[]).by_nobody().refused(ErrorCode::NewConfigNoQuorum),
            ],
        ),
        case(
            "of a weighted ensemble the leader is removed and follows without a vote",
            [leaves(Leader).hands_over(), joins(join(Last)).accepted()],
        ),
    ]
}
