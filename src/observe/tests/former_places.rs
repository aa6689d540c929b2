//! Servers at former addresses.

use super::fake::{Fake, FakeEnsemble, at, config, server, voters};
use super::*;
use crate::ensemble::{Mode, NoAnswer};
use crate::observe::{Beside, ask_beside};

/// Servers 4, 5 and 6 with an identity, and these beside them.
fn moved(old: impl IntoIterator<Item = Fake>) -> FakeEnsemble {
    let now = voters(&[4, 5, 6], "300000005");
    let fake = FakeEnsemble::of(now.into_iter().chain(old));
    fake.world.borrow_mut().identity = Some("us");
    fake
}

/// The old trio, with its first files.
fn restored() -> Vec<Fake> {
    voters(&[1, 2, 3], "500000000")
}

fn beside(fake: &FakeEnsemble) -> Vec<(i64, Beside)> {
    let seen = seen(fake, &contacts(&[4]));
    let before = fake.waited.get();
    let asked: Vec<_> = (1..=4).map(|number| (id(number), at(number))).collect();
    let answers = run(ask_beside(fake, &seen, &asked));
    fake.waited.set(fake.waited.get().saturating_sub(before));
    answers.into_iter().map(|((id, _), answer)| (id.get(), answer)).collect()
}

#[test]
fn an_old_trio_that_serves_again_is_seen_and_never_counted() {
    let fake = moved(restored());
    let [follows, leads] = [Mode::Follower, Mode::Leader].map(Beside::Serves);
    assert_eq!(beside(&fake), [(1, follows), (2, follows), (3, leads)]);
    assert_eq!(fake.waited.get(), millis(0));
    // Nor does it need any word but srvr.
    (1..=3).for_each(|id| fake.server(id, |server| server.rich = false));
    assert_eq!(beside(&fake), [(1, follows), (2, follows), (3, leads)]);
    let seen = seen(&fake, &contacts(&[4]));
    assert_eq!(seen.servers.keys().copied().collect::<BTreeSet<_>>(), ids(&[4, 5, 6]));
}

#[test]
fn one_that_hangs_costs_half_a_second_and_hides_no_other() {
    let fake = moved(restored());
    fake.server(1, |server| server.hangs = true);
    fake.server(2, |server| server.hangs = true);
    assert_eq!(beside(&fake), [(3, Beside::Serves(Mode::Leader))]);
    assert_eq!(fake.waited.get(), millis(500));
}

#[test]
fn followers_of_this_ensemble_are_distinguished_from_others() {
    let now = config(&[4, 5, 6], "300000005");
    // It was stopped before it received the last reconfigs.
    let older = config(&[1, 4, 5, 6], "300000001");
    let fake = moved([server(1, Mode::Follower, &now), server(2, Mode::Follower, &older)]);
    assert_eq!(beside(&fake), [(1, Beside::Follows), (2, Beside::Follows)]);
}

#[test]
fn another_ensemble_at_an_old_address_is_none_of_ours() {
    let fake = moved(restored());
    fake.server(1, |server| server.identity = Some("them"));
    fake.server(2, |server| server.id = 7);
    fake.server(3, |server| server.silent = Some(NoAnswer::Refused));
    assert_eq!(beside(&fake), []);
}

#[test]
fn without_a_session_it_is_not_known_whose_data_serve() {
    let fake = moved(restored());
    (1..=3).for_each(|id| fake.server(id, |server| server.no_session = Some(NoAnswer::Closed)));
    assert_eq!(beside(&fake)[2], (3, Beside::NotKnown(Mode::Leader)));
    // One of them is enough: they have one configuration.
    fake.server(1, |server| server.no_session = None);
    assert_eq!(beside(&fake)[2], (3, Beside::Serves(Mode::Leader)));
    // A server that runs alone has no id. Its data identify it.
    let fake = moved([server(1, Mode::Standalone, "")]);
    assert_eq!(beside(&fake), [(1, Beside::Serves(Mode::Standalone))]);
}
