//! The way back to the members before a run: what `zkplan rollback` plans for, and what the spec has
//! to say afterwards.
//!
//! In: the spec, and the plan of a run as a proven journal keeps it. The members come from the base of
//! that plan; policy, hooks, zones and how the ensemble is reached come from the spec. Where a server
//! is asked comes from its line, else from the spec, else from what the run recorded of that line.

use std::collections::{BTreeMap, BTreeSet};

use crate::apply::journal::Header;
use crate::diff::{ChangeKind, diff};
use crate::model::{
    ClientAddress, Endpoint, Membership, Server, ServerId, Target, TargetServer, WantedSettings,
};
use crate::plan::Plan;
use crate::spec::{self, Spec, WantedServer};

/// A run as its proven journal has it.
#[derive(Debug, Clone, Copy)]
pub struct RunBefore<'a> {
    /// The number of the run.
    pub number: u64,
    /// The header of the run.
    pub header: &'a Header,
    /// The plan of the run; its base has the members before it.
    pub plan: &'a Plan,
}

/// What has to change in a spec so that it wants the members that a rollback leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpecEdits {
    /// The servers, by id.
    pub servers: Vec<SpecEdit>,
    /// What `connect.servers` is to list, where it lists no server that remains.
    pub contacts: Option<Vec<String>>,
}

/// The edit of one server of a spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecEdit {
    /// The server.
    pub server: ServerId,
    /// The line of the spec on which it stands now; `None` where the spec does not list it.
    pub line: Option<usize>,
    /// The entry that it is to have, in YAML, without its indent; `None` where it is to go.
    pub entry: Option<String>,
}

impl RunBefore<'_> {
    /// The members before the run, as it recorded them.
    pub const fn members(&self) -> &Membership {
        &self.plan.facts.base.membership
    }

    /// What the way back leads to. Wanted settings are no part of it: the members come first, and the
    /// spec's own plan brings settings about.
    pub fn target(&self, spec: &Spec) -> Target {
        let servers = self.members().servers().map(|line| (line.id, self.wanted(line, spec)));
        let mut zones = self.plan.facts.zones.clone();
        zones.extend(spec.zones());
        Target {
            servers: servers.collect(),
            zones,
            settings: WantedSettings::default(),
            ..spec.to_target()
        }
    }

    /// A member before the run, and where it is asked.
    fn wanted(&self, line: &Server, spec: &Spec) -> TargetServer {
        let of_spec = spec.servers.get(&line.id).filter(|own| own.server.peers == line.peers);
        let recorded = self.header.reached(line).or_else(|| self.reached(line));
        let secure = line.secure_client.as_deref().and_then(|part| part.rsplit(':').next());
        let secure = secure.and_then(|port| port.parse().ok());
        let secure = secure.or_else(|| of_spec.and_then(|own| own.secure_client_port));
        let recorded_as = |tls: bool| recorded.as_ref().filter(|at| at.tls == tls);
        let plain = recorded_as(false).map(|at| ClientAddress::on_all_addresses(at.port));
        let mut server = line.clone();
        if server.client.is_none() {
            server.client = of_spec.and_then(|own| own.server.client.clone()).or(plain);
        }
        TargetServer {
            server,
            secure_client_port: secure.or_else(|| recorded_as(true).map(|at| at.port)),
            admin: of_spec.and_then(|own| own.admin.clone()),
        }
    }

    /// Where the plan of the run asked a server that kept its line.
    fn reached(&self, line: &Server) -> Option<Endpoint> {
        let kept = self.plan.target.get(line.id).filter(|then| then.peers == line.peers);
        Some(self.plan.reach.get(&kept?.id)?.client.clone())
    }
}

/// What has to change in a spec so that a plan of it has no changes once the members are `after`.
pub fn spec_edits(spec: &Spec, target: &Target, after: &Membership) -> SpecEdits {
    let wanted = spec.to_target().membership_for(after);
    let differing = diff(after, &wanted, &BTreeSet::new(), spec.policy.client_part).changes;
    let servers = differing.iter().map(|change| SpecEdit {
        server: change.id,
        line: spec.servers.get(&change.id).map(|own| own.line),
        // The spec lists it, and it is no member.
        entry: (change.kind != ChangeKind::Join).then(|| entry(target, after, change.id)).flatten(),
    });
    SpecEdits { servers: servers.collect(), contacts: contacts(spec, target, after) }
}

/// The entry of a server in a spec.
fn entry(target: &Target, after: &Membership, id: ServerId) -> Option<String> {
    let wanted = target.servers.get(&id)?;
    let mut server = after.get(id)?.clone();
    if server.client.is_none() {
        server.client.clone_from(&wanted.server.client);
    }
    Some(spec::entry(&WantedServer {
        server,
        secure_client_port: wanted.secure_client_port,
        zone: target.zones.get(&id).cloned(),
        admin: wanted.admin.clone(),
        line: 0,
    }))
}

/// What `connect.servers` is to list, where it lists only servers that are no members afterwards.
fn contacts(spec: &Spec, target: &Target, after: &Membership) -> Option<Vec<String>> {
    let tls = spec.connect.tls.is_some();
    let reached: BTreeMap<ServerId, Endpoint> = target
        .servers
        .iter()
        .filter(|(id, _)| after.contains(**id))
        .filter_map(|(id, wanted)| Some((*id, wanted.endpoint(tls)?)))
        .collect();
    let listed = &spec.connect.servers;
    let remains = |at: &String| {
        let at = crate::observe::contact(at, tls);
        at.is_some_and(|at| reached.values().any(|member| *member == at))
    };
    let leaves = |at: &String| {
        let at = crate::observe::contact(at, tls);
        let of_spec = spec.to_target().reach();
        let mut others = of_spec.iter().filter(|(id, _)| !after.contains(**id));
        at.is_some_and(|at| others.any(|(_, reach)| reach.client == at))
    };
    let are_to_change =
        !listed.is_empty() && !listed.iter().any(remains) && listed.iter().any(leaves);
    are_to_change.then(|| reached.values().map(ToString::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::journal::LeavingText;
    use crate::example::applying::stamp;
    use crate::example::{Example, planned};

    fn spec(servers: &str) -> Spec {
        let text = format!(
            "apiVersion: zkplan/v1\nensemble: test\nconnect:\n  servers: [10.0.0.4:2181]\n\
             policy: {{ cutover: none }}\nservers:\n{servers}"
        );
        spec::parse("spec.yaml", &text).expect("a spec")
    }

    fn listed(ids: &[i64]) -> String {
        let entry = |id| format!("- id: {id}\n  host: 10.0.0.{id}\n");
        ids.iter().map(entry).collect::<Vec<_>>().concat()
    }

    fn run(base: &str, wanted: &str) -> (Header, Plan) {
        let example = Example::new(base, wanted);
        let plan = planned(&example.target(), &example.facts()).plan().clone();
        (Header::new("p".into(), "test".into(), 1, BTreeMap::new(), stamp("n")), plan)
    }

    #[test]
    fn members_come_from_the_run_and_policy_from_the_spec() {
        let (header, plan) = run("1 2 3", "4 5 6");
        let before = RunBefore { number: 3, header: &header, plan: &plan };
        let spec = spec(&listed(&[4, 5, 6]));
        let target = before.target(&spec);
        assert_eq!(target.membership(), plan.facts.base.membership);
        assert_eq!((&target.policy, &target.connect), (&spec.policy, &spec.connect));
        assert_ne!(target.policy, plan.policy);
    }

    /// The line of a static server does not contain its client port; the run recorded it.
    #[test]
    fn a_server_without_a_client_part_is_asked_where_the_run_reached_it() {
        let (mut header, mut plan) = run("1 2 3", "4 5 6");
        let line = "server.1=10.0.0.1:2888:3888:participant";
        let members = &mut plan.facts.base.membership;
        members.put(Server::parse_line(line).expect("a line"));
        let client = Some("10.0.0.1:2191".to_owned());
        header.leaving.insert(1, LeavingText { line: line.to_owned(), client, tls: false });
        let before = RunBefore { number: 3, header: &header, plan: &plan };
        let asked = |target: &Target| {
            target.reach().get(&ServerId::new(1)).map(|reach| reach.client.to_string())
        };
        let spec = spec(&listed(&[4, 5, 6]));
        assert_eq!(asked(&before.target(&spec)).as_deref(), Some("10.0.0.1:2191"));
        // What was recorded of another line is not about this server.
        header.leaving.get_mut(&1).expect("it").line = line.replace("2888", "2889");
        let before = RunBefore { number: 3, header: &header, plan: &plan };
        assert_eq!(asked(&before.target(&spec)), None);
    }

    /// A spec that is edited as it is said has nothing left to change.
    #[test]
    fn an_edited_spec_wants_what_the_rollback_leads_to() {
        let (header, plan) = run("1 2 3o", "3 4 5");
        let before = RunBefore { number: 3, header: &header, plan: &plan };
        let spec = spec(&listed(&[3, 4, 5]));
        let target = before.target(&spec);
        let after = target.membership();
        let edits = spec_edits(&spec, &target, &after);
        let what = edits.servers.iter().map(|edit| {
            (edit.server.get(), edit.line, edit.entry.as_deref().map(|text| text.lines().count()))
        });
        let what: Vec<_> = what.collect();
        let expected = [
            (1, None, Some(2)),
            (2, None, Some(2)),
            (3, Some(7), Some(3)),
            (4, Some(9), None),
            (5, Some(11), None),
        ];
        assert_eq!(what, expected);
        let members = ["10.0.0.1:2181", "10.0.0.2:2181", "10.0.0.3:2181"].map(str::to_owned);
        assert_eq!(edits.contacts.as_deref(), Some(&members[..]));
        let entries: String =
            edits.servers.iter().filter_map(|edit| edit.entry.as_ref()).cloned().collect();
        let edited = self::spec(&entries);
        assert_eq!(spec_edits(&edited, &target, &after).servers, []);
    }
}
