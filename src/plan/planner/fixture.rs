//! Goals for unit tests: servers by id at addresses of their own.

use super::goal::{Goal, Prefer};
use crate::diff::diff;
use crate::example;
use crate::model::ServerId;
use crate::observe::Facts;

/// A goal from one list of servers to another. `3` is a participant, `o3` an observer. All members
/// answer, the first one leads.
pub(in crate::plan) fn goal(now: &str, wanted: &str) -> Goal {
    let role_behind = |(id, role)| format!("{id}{}", if role == "observer" { "o" } else { "" });
    let config = example::config(&servers(now).map(role_behind).collect::<Vec<_>>().join(" "));
    let entry =
        |(id, role): (i64, &str)| format!("- {{ id: {id}, host: 10.0.0.{id}, role: {role} }}\n");
    let entries: String = servers(wanted).map(entry).collect();
    let text = format!("apiVersion: zkplan/v1\nensemble: test\nservers:\n{entries}");
    let spec = crate::spec::parse("spec.yaml", &text).expect("a spec").to_target();
    let mut facts = Facts::assumed(config, &spec);
    facts.leader = servers(now).map(|(id, _)| ServerId::new(id)).next();
    let base = &facts.base.membership;
    let target = spec.membership_for(base);
    Goal {
        ensemble: spec.ensemble.clone(),
        diff: diff(base, &target, &facts.other_machine, spec.policy.client_part),
        policy: spec.policy.clone(),
        connect: spec.connect.clone(),
        reach: spec.reach(),
        hooks: spec.hooks.clone(),
        accepted: Vec::new(),
        prefer: Prefer::default(),
        facts,
    }
}

/// The same with these members unreachable.
pub(in crate::plan) fn with_down(mut goal: Goal, down: &[i64]) -> Goal {
    goal.facts.synced.retain(|id| !down.contains(&id.get()));
    goal
}

/// The same with servers in zones.
pub(in crate::plan) fn with_zones(mut goal: Goal, zones: &[(&str, &[i64])]) -> Goal {
    for (zone, ids) in zones {
        let of_zone = ids.iter().map(|id| (ServerId::new(*id), (*zone).to_owned()));
        goal.facts.zones.extend(of_zone);
    }
    goal
}

fn servers(list: &str) -> impl Iterator<Item = (i64, &'static str)> + '_ {
    list.split_whitespace().map(|word| match word.strip_prefix('o') {
        Some(id) => (id.parse().expect("an id"), "observer"),
        None => (word.parse().expect("an id"), "participant"),
    })
}
