//! Every rule of evidence, against scripted servers in memory.

mod fake;
mod former_places;
mod healthy;
mod lineages;
mod own_files;
mod planning;
mod settings;
mod trouble;

use std::collections::BTreeSet;
use std::time::Duration;

use self::fake::{FakeEnsemble, at, run};
use super::{
    FindingKind, Observation, ObserveError, Question, ServerStatus, Wanted, observe,
    observe_confirmed,
};
use crate::model::{Host, Server, ServerId};

fn id(number: i64) -> ServerId {
    ServerId::new(number)
}

fn ids(numbers: &[i64]) -> BTreeSet<ServerId> {
    numbers.iter().copied().map(ServerId::new).collect()
}

/// The survey went on soon after that time: the longest pause is an eighth of two ticks of 200 ms.
fn is_noticed_after(fake: &FakeEnsemble, ms: u64) {
    let waited = fake.waited.get();
    let soon = millis(ms)..=millis(ms + 50);
    assert!(soon.contains(&waited), "{waited:?}, and not {soon:?}");
}

/// A question to these contacts.
fn contacts(numbers: &[i64]) -> Question {
    Question::of_contacts(numbers.iter().copied().map(at).collect())
}

/// The same question with wanted servers at their usual places.
fn wanting(mut question: Question, numbers: &[i64]) -> Question {
    for number in numbers {
        let server = Server::parse_line(&fake::line(*number)).expect("a server line");
        let wanted = Wanted { endpoint: Some(at(*number)), server, admin: None };
        question.wanted.insert(id(*number), wanted);
    }
    question
}

fn look(fake: &FakeEnsemble, question: &Question) -> Result<Observation, ObserveError> {
    run(observe(fake, question))
}

fn seen(fake: &FakeEnsemble, question: &Question) -> Observation {
    look(fake, question).expect("an ensemble")
}

fn status(seen: &Observation, number: i64) -> ServerStatus {
    seen.servers[&id(number)].status.clone()
}

fn has(seen: &Observation, kind: &FindingKind, server: Option<i64>) -> bool {
    seen.findings.iter().any(|f| f.kind == *kind && f.server == server.map(ServerId::new))
}

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
