//! The rules, each with what ZooKeeper answers. A case begins where the one before it has ended.

use zkplan::ensemble::Code;

use super::case::{Case, Deed, Part, Step, Told, Who, join, joins, leaves, request};

use Who::{Id, Last, Leader, Voter};

/// An id that nobody has.
const NOBODY: Who = Id(200);

fn case(name: &'static str, steps: impl IntoIterator<Item = Step>) -> Case {
    Case { name, steps: steps.into_iter().collect() }
}

/// For voters 1 to 3, observers 6 to 8, joiners 4 and 5 that follow, and 9, 11, 12 that never run.
pub(super) fn of_eight() -> Vec<Case> {
    let mut cases = vec![case("everybody is in place", [Deed::Look.is_done()])];
    cases.extend(words());
    cases.extend(accepted());
    cases.extend(refused());
    cases.extend(in_order());
    cases.extend(roles());
    cases.extend(addresses());
    cases.extend(hand_overs());
    cases.extend(transactions());
    cases.extend(sessions());
    cases.extend(words());
    cases
}

fn words() -> [Case; 1] {
    [case("`srvr`, `conf` and `mntr` of everybody", [Deed::AskWords.is_done()])]
}

fn accepted() -> [Case; 9] {
    let dead = join(Id(9));
    [
        case("a joiner that follows is added", [joins(join(Id(4))).is_accepted()]),
        case("a follower is removed", [leaves(Id(4)).is_accepted()]),
        case("an unknown id is removed", [leaves(NOBODY).is_accepted()]),
        case("nothing is asked for", [request(&[], &[]).is_accepted()]),
        case(
            "an id that is no member's leaves and joins",
            [request(&[join(Id(4))], &[Id(4)]).is_accepted(), leaves(Id(4)).is_accepted()],
        ),
        case(
            "a member's id leaves and joins",
            [request(&[join(Voter(0))], &[Voter(0)]).is_accepted()],
        ),
        case(
            "the same id joins twice: the last line counts",
            [
                request(&[join(Id(4)).at_another_client_port(), join(Id(4))], &[]).is_accepted(),
                leaves(Id(4)).is_accepted(),
            ],
        ),
        case(
            "an observer that never ran is added",
            [joins(dead.observer()).is_accepted(), leaves(Id(9)).is_accepted()],
        ),
        case(
            "a voter that does not run is added: the rest is a quorum",
            [
                joins(dead).is_accepted(),
                request(&[join(Id(11))], &[]).is_accepted(),
                request(&[], &[Id(9), Id(11)]).is_accepted(),
            ],
        ),
    ]
}

fn refused() -> [Case; 8] {
    let ghosts = [join(Id(9)), join(Id(11)), join(Id(12))];
    [
        case("the version is an older one", [leaves(NOBODY).stale().is_refused(Code::BadVersion)]),
        case(
            "more dead joiners than a quorum can miss",
            [request(&ghosts, &[]).is_refused(Code::NewConfigNoQuorum)],
        ),
        case(
            "more observers promoted than voters acknowledge",
            [request(&[6, 7, 8].map(|id| join(Id(id)).participant()), &[])
                .is_refused(Code::NewConfigNoQuorum)],
        ),
        case(
            "the voters that are there leave those that are not",
            [request(&[join(Id(9)), join(Id(11))], &[Voter(0), Voter(1)])
                .is_refused(Code::NewConfigNoQuorum)],
        ),
        case(
            "all voters are removed",
            [request(&[], &[Id(1), Id(2), Id(3)]).is_refused(Code::BadArguments)],
        ),
        case(
            "all members are removed",
            [request(&[], &[1, 2, 3, 6, 7, 8].map(Id)).is_refused(Code::BadArguments)],
        ),
        case(
            "a joiner has no client part",
            [joins(join(Id(4)).without_client_part()).is_refused(Code::BadArguments)],
        ),
        case(
            "a member is named without its client part",
            [joins(join(Voter(0)).without_client_part()).is_refused(Code::BadArguments)],
        ),
    ]
}

/// Whoever is wrong in two ways is told the first of them.
fn in_order() -> [Case; 8] {
    let ghosts = request(&[join(Id(9)), join(Id(11)), join(Id(12))], &[]);
    let bare = joins(join(Id(4)).without_client_part());
    [
        case(
            "an old version before arguments",
            [bare.clone().stale().is_refused(Code::BadVersion)],
        ),
        case(
            "an old version before a missing quorum",
            [ghosts.clone().stale().is_refused(Code::BadVersion)],
        ),
        case(
            "an old version before a missing permission",
            [leaves(NOBODY).stale().by_nobody().is_refused(Code::BadVersion)],
        ),
        case(
            "arguments before a missing permission",
            [bare.by_nobody().is_refused(Code::BadArguments)],
        ),
        case(
            "a missing quorum before a missing permission",
            [ghosts.by_nobody().is_refused(Code::NewConfigNoQuorum)],
        ),
        case(
            "a missing permission comes last",
            [
                joins(join(Id(4))).by_nobody().is_refused(Code::NoAuth),
                leaves(NOBODY).by_nobody().through(Voter(0)).is_refused(Code::NoAuth),
            ],
        ),
        case(
            "a write at an impossible version",
            [
                Deed::ProbeWriteAsNobody.is_refused(Code::NoAuth),
                Deed::Open(Leader).is_done(),
                Deed::ProbeWrite.is_done(),
            ],
        ),
        case(
            "a reconfig at an impossible version",
            [
                Deed::ProbeReconfigAsNobody.is_done(),
                Deed::Open(Voter(0)).is_done(),
                Deed::ProbeReconfig.is_done(),
            ],
        ),
    ]
}

fn roles() -> [Case; 5] {
    [
        case(
            "a follower is demoted, and promoted with all other voters up",
            [joins(join(Voter(0)).observer()).is_accepted(), joins(join(Last)).is_accepted()],
        ),
        case(
            "one observer is promoted",
            [joins(join(Id(6)).participant()).is_accepted(), joins(join(Id(6))).is_accepted()],
        ),
        case(
            "two observers are promoted at once",
            [
                request(&[join(Id(6)).participant(), join(Id(7)).participant()], &[]).is_accepted(),
                request(&[join(Id(6)), join(Id(7))], &[]).is_accepted(),
            ],
        ),
        case(
            "a joiner that follows is added as an observer",
            [joins(join(Id(5)).observer()).is_accepted(), leaves(Id(5)).is_accepted()],
        ),
        case(
            "an observer is removed, and comes back",
            [leaves(Id(8)).is_accepted(), joins(join(Id(8))).is_accepted()],
        ),
    ]
}

fn addresses() -> [Case; 6] {
    let back = || joins(join(Last));
    [
        case(
            "a follower's client port",
            [joins(join(Voter(0)).at_another_client_port()).is_accepted(), back().is_accepted()],
        ),
        case(
            "a follower's election port",
            [joins(join(Voter(0)).at_another_election_port()).is_accepted(), back().is_accepted()],
        ),
        case(
            "a follower's quorum port",
            [joins(join(Voter(0)).at_another_quorum_port()).is_accepted(), back().is_accepted()],
        ),
        case(
            "the leader's client port: it goes on leading",
            [joins(join(Leader).at_another_client_port()).is_accepted(), back().is_accepted()],
        ),
        case(
            "the leader's election port: it goes on leading",
            [joins(join(Leader).at_another_election_port()).is_accepted(), back().is_accepted()],
        ),
        case(
            "an observer's client port",
            [joins(join(Id(6)).at_another_client_port()).is_accepted(), back().is_accepted()],
        ),
    ]
}

fn hand_overs() -> [Case; 5] {
    [
        case(
            "the leader is removed, follows without a vote, and comes back",
            [leaves(Leader).hands_over(), joins(join(Last)).is_accepted()],
        ),
        case(
            "the leader is removed through a follower",
            [leaves(Leader).through(Voter(0)).hands_over(), joins(join(Last)).is_accepted()],
        ),
        case(
            "the leader's quorum port changes",
            [
                joins(join(Leader).at_another_quorum_port()).hands_over(),
                joins(join(Last)).is_accepted(),
            ],
        ),
        case(
            "the leader is demoted",
            [joins(join(Leader).observer()).hands_over(), joins(join(Last)).is_accepted()],
        ),
        case(
            "the leader makes room for a joiner",
            [request(&[join(Id(4))], &[Leader]).hands_over(), Deed::Look.is_done()],
        ),
    ]
}

fn transactions() -> [Case; 12] {
    use Part::{Check, Delete, Make, MakeEphemeral, Set};
    let on = |steps: Vec<Step>| {
        let mut all = vec![Deed::Open(Voter(0)).is_done()];
        all.extend(steps);
        all
    };
    let all = |parts: &'static [Part]| Deed::Do(parts);
    [
        case(
            "znodes are made, and found",
            on(vec![
                Deed::Make("/a").is_done(),
                all(&[Make("/a/b"), Make("/a/c")]).is_done(),
                Deed::See("/a/b").is_done(),
                Deed::Children("/a").is_done(),
                Deed::Children("/nowhere").is_done(),
            ]),
        ),
        case(
            "a check that fails leaves everything as it was",
            on(vec![
                all(&[Make("/x"), Set("/a"), Check("/a", 7)]).is_refused(Code::BadVersion),
                all(&[Check("/a", 7), Make("/x"), Set("/a")]).is_refused(Code::BadVersion),
                Deed::See("/x").is_refused(Code::NoNode),
                Deed::See("/a").is_done(),
            ]),
        ),
        case(
            "a check of what is not there",
            on(vec![
                all(&[Make("/x"), Check("/nowhere", 0)]).is_refused(Code::BadVersion),
                Deed::See("/x").is_refused(Code::NoNode),
            ]),
        ),
        case(
            "what is there is made again",
            on(vec![
                Deed::Make("/a").is_refused(Code::NodeExists),
                all(&[Make("/x"), Make("/a")]).is_refused(Code::NodeExists),
                all(&[Make("/x"), Make("/x")]).is_refused(Code::NodeExists),
                Deed::See("/x").is_refused(Code::NoNode),
            ]),
        ),
        case(
            "what is not there is written or deleted",
            on(vec![
                all(&[Set("/nowhere")]).is_refused(Code::NoNode),
                all(&[Delete("/nowhere")]).is_refused(Code::NoNode),
                Deed::SetMany("/nowhere", 3).is_refused(Code::NoNode),
            ]),
        ),
        case(
            "a parent is not there",
            on(vec![
                Deed::Make("/nowhere/x").is_refused(Code::NoNode),
                all(&[Make("/nowhere/x")]).is_refused(Code::NoNode),
            ]),
        ),
        case(
            "what has children is deleted",
            on(vec![
                all(&[Delete("/a")]).is_refused(Code::NotEmpty),
                all(&[Delete("/a/c")]).is_done(),
                Deed::Children("/a").is_done(),
            ]),
        ),
        case(
            "an ephemeral znode has no children",
            on(vec![
                all(&[MakeEphemeral("/e")]).is_done(),
                Deed::Make("/e/x").is_refused(Code::NoChildrenForEphemerals),
                all(&[MakeEphemeral("/e2"), Make("/e2/x")])
                    .is_refused(Code::NoChildrenForEphemerals),
            ]),
        ),
        case(
            "a part sees what those before it did",
            on(vec![
                all(&[Make("/p"), Make("/p/q"), Check("/p", 0)]).is_done(),
                all(&[Set("/p"), Check("/p", 1)]).is_done(),
                all(&[Set("/p"), Check("/p", 1)]).is_refused(Code::BadVersion),
                Deed::See("/p").is_done(),
                all(&[Delete("/p/q"), Delete("/p")]).is_done(),
                Deed::See("/p").is_refused(Code::NoNode),
            ]),
        ),
        case(
            "a part sees what is gone before it",
            on(vec![
                all(&[Make("/p"), Delete("/p")]).is_done(),
                all(&[Make("/p"), Delete("/p"), Make("/p")]).is_done(),
                all(&[Delete("/p"), Set("/p")]).is_refused(Code::NoNode),
                all(&[Delete("/p"), Make("/p"), Check("/p", 0)]).is_done(),
                all(&[Make("/p/q"), Delete("/p")]).is_refused(Code::NotEmpty),
                all(&[Delete("/p"), Make("/p/q")]).is_refused(Code::NoNode),
                all(&[Delete("/p"), Check("/p", 0)]).is_refused(Code::BadVersion),
                all(&[Delete("/p")]).is_done(),
            ]),
        ),
        case(
            "many writes in a row",
            on(vec![Deed::SetMany("/a", 20).is_done(), Deed::See("/a").is_done()]),
        ),
        case(
            "a transaction of nothing but checks",
            on(vec![
                all(&[Check("/a", 20)]).is_done(),
                all(&[Check("/a", 21)]).is_refused(Code::BadVersion),
                Deed::See("/a").is_done(),
            ]),
        ),
    ]
}

fn sessions() -> [Case; 5] {
    let lock: &[Part] = &[Part::MakeEphemeral("/lock")];
    [
        case(
            "a session moves with its id and its ephemeral znode",
            [
                Deed::Open(Voter(0)).is_done(),
                Deed::Do(lock).is_done(),
                Deed::Attach(Voter(1)).is_done(),
                Deed::See("/lock").is_done(),
                Deed::Attach(Leader).is_done(),
                Deed::Attach(Id(7)).is_done(),
                Deed::SeeFromElsewhere("/lock").is_done(),
                Deed::Do(&[Part::Set("/lock")]).is_done(),
                Deed::See("/lock").is_done(),
            ],
        ),
        case(
            "closing a session deletes what lived with it",
            [
                Deed::Open(Voter(0)).is_done(),
                Deed::Do(lock).is_done(),
                Deed::Attach(Voter(1)).is_done(),
                Deed::Close.is_done(),
                Deed::SeeFromElsewhere("/lock").is_refused(Code::NoNode),
            ],
        ),
        case(
            "a session that expired is over, and its ephemeral znode gone",
            [
                Deed::OpenFor(Voter(0), 1000).is_done(),
                Deed::Do(lock).is_done(),
                Deed::Freeze(Voter(0)).is_done(),
                Deed::AwaitGone("/lock").is_done(),
                Deed::Thaw(Voter(0)).is_done(),
                Deed::Attach(Voter(1)).is(Told::Over),
                Deed::See("/lock").is(Told::Silent),
                Deed::Look.is_done(),
            ],
        ),
        case("a session lives for two ticks at least", [Deed::OpenFor(Voter(0), 1).is_done()]),
        case(
            "two of three acknowledge",
            [
                Deed::Open(Voter(0)).is_done(),
                Deed::Freeze(Voter(1)).is_done(),
                Deed::Make("/two-are-enough").is_done(),
                Deed::Thaw(Voter(1)).is_done(),
                Deed::Look.is_done(),
            ],
        ),
    ]
}

/// For voters 1 to 3 that may become a standalone server, and 9 that never runs.
pub(super) fn of_three_with_standalone() -> Vec<Case> {
    vec![
        case("everybody is in place", [Deed::Look.is_done()]),
        case(
            "where one server may be standalone: two voters are left",
            [leaves(Voter(0)).is_accepted(), joins(join(Last)).is_accepted()],
        ),
        case(
            "where one server may be standalone: one voter would be left",
            [
                request(&[], &[Voter(0), Voter(1)]).is_refused(Code::BadArguments),
                request(&[], &[Voter(0), Leader]).is_refused(Code::BadArguments),
                request(&[], &[Voter(0), Voter(1)]).by_nobody().is_refused(Code::BadArguments),
            ],
        ),
        case(
            "where one server may be standalone: no voter would be left",
            [request(&[], &[1, 2, 3].map(Id)).is_refused(Code::BadArguments)],
        ),
        case(
            "where one server may be standalone: one voter and an observer would be left",
            [request(&[join(Voter(0)).observer()], &[Voter(1)]).is_refused(Code::BadArguments)],
        ),
        case(
            "where one server may be standalone: one voter and a dead one are no quorum",
            [request(&[join(Id(9))], &[Voter(0), Voter(1)]).is_refused(Code::NewConfigNoQuorum)],
        ),
    ]
}

/// For one voter, and a joiner that follows.
pub(super) fn of_one_and_a_joiner() -> Vec<Case> {
    let make = |path| [Deed::Open(Leader).is_done(), Deed::Make(path).is_done()];
    let [open, before] = make("/before");
    let [open_again, after] = make("/after");
    vec![
        case("one leads, and one follows without a vote", [Deed::Look.is_done()]),
        case(
            "the second of two dies just after it was named: writes stop until it is back",
            [
                joins(join(Id(2))).is_accepted(),
                open,
                before,
                Deed::Kill(Id(2)).is_done(),
                Deed::FindNoQuorum.is_done(),
                Deed::Make("/stuck").is(Told::Silent),
                Deed::Start(Id(2)).is_done(),
                Deed::Look.is_done(),
                open_again,
                after,
                Deed::See("/stuck").is_refused(Code::NoNode),
            ],
        ),
        case(
            "of two, the leader is removed and follows without a vote",
            [leaves(Leader).hands_over()],
        ),
        case(
            "a joiner that is frozen counts as synced: the request is stuck until it goes on",
            [
                Deed::Freeze(Last).is_done(),
                Deed::SendOnly(joins(join(Last))).is(Told::Silent),
                Deed::FindNoQuorum.is_done(),
                Deed::Thaw(Last).is_done(),
                Deed::Look.is_done(),
            ],
        ),
    ]
}
