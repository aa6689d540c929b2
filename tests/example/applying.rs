//! What an apply of an example is given, and what it sees.

use std::collections::{BTreeMap, BTreeSet};

use zkplan::apply::access::{Asked, Permission, Signer};
use zkplan::apply::executor::Options;
use zkplan::apply::journal::Stamp;
use zkplan::apply::judge::Approved;
use zkplan::apply::run_view::RunView;
use zkplan::check::CheckedPlan;
use zkplan::observe::Facts;
use zkplan::plan::Action;

use super::at;

/// An operator who approves everything, and waits a minute.
pub(crate) fn options(checked: &CheckedPlan, plan_id: &str, who: &str) -> Options {
    let attested = checked.plan().steps().filter_map(|step| match step.action {
        Action::AttestBlank(id) => Some(id),
        _ => None,
    });
    let blank = attested.collect();
    Options {
        plan_id: plan_id.to_owned(),
        who: format!("{who}@here"),
        approved: Approved { cutover: true, stop: true, blank, ..Approved::default() },
        interactive: false,
        no_hooks: false,
        joiner_dir: None,
        timeout_ms: 60_000,
        lock_timeout_ms: None,
        abandon: None,
        strict_version: false,
        backup: None,
    }
}

/// Who holds the lock or wrote a record.
pub(crate) fn stamp(nonce: &str) -> Stamp {
    Stamp {
        nonce: nonce.to_owned(),
        who: nonce.to_owned(),
        host: "here".to_owned(),
        pid: 1,
        at: String::new(),
    }
}

/// A joiner takes the user.
pub(crate) fn granted() -> Asked {
    Asked { at: at(4), signer: Signer::Anonymous, permission: Permission::Granted }
}

/// A look at members that all do their part; no joiner and no server that leaves is in it yet.
pub(crate) fn run_view(facts: Facts) -> RunView {
    RunView {
        joiners: BTreeMap::new(),
        down: BTreeMap::new(),
        bound: facts.synced.clone(),
        tell_ports: facts.synced.clone(),
        bind_tries: BTreeMap::new(),
        not_serving: BTreeSet::new(),
        is_syncing: false,
        leaving: BTreeMap::new(),
        taken: BTreeMap::new(),
        leader_zxid: None,
        facts,
    }
}
