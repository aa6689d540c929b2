//! The shape of a plan that can be read back. Everything that is text in ZooKeeper is text here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::digest::sha256;
use crate::check::CheckedPlan;
use crate::diff::diff;
use crate::document::canonical;
use crate::model::{
    AcceptedRisk, Connect, EnsembleConfig, Hooks, Membership, Policy, Reach, Reconfig, Server,
    ServerId, SettingName, VoteWeight, WantedSettings,
};
use crate::observe::{DataSeen, Facts, Finding, Identity, Obstacle, contact};
use crate::plan::{
    Acceptance, Action, ChangeVerb, GateKind, Phase, PhaseKind, Plan, Restart, ServerChange, Step,
    StepId, StepOrder,
};

/// More steps than this are not read; 255 servers that all go to other machines need 2300.
const MAX_STEPS: usize = 5000;

/// What of a plan is read back: the plan itself, without anything that follows from it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Plan")]
pub struct KeptPlan {
    /// The release that wrote the file.
    tool_version: String,
    /// The digest of what the plan means; the same for the same change, by any planner at any time.
    pub(super) plan_id: String,
    /// The label of the ensemble.
    ensemble: String,
    /// What the plan starts from and what was known then.
    base: Base,
    /// The server lines to end at.
    target: Vec<String>,
    /// The steps, in groups.
    phases: Vec<PhaseShape>,
    /// Voters that may fail at any moment: `policy.minTolerance` as a number.
    min_tolerance: u32,
    /// What was asked of the way.
    policy: Policy,
    /// Risks that were accepted by name.
    accepted: Vec<Acceptance>,
    /// Of these, those that the spec accepts, with reason and last day.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    terms: Vec<AcceptedRisk>,
    /// How to reach the ensemble; no secrets.
    connect: Connect,
    /// Where each wanted server is asked, by server id.
    #[serde(default)]
    reach: BTreeMap<String, ReachShape>,
    /// Commands that start, stop and restart servers.
    hooks: Hooks,
    /// What servers must run with, of a plan that restarts them.
    #[serde(skip_serializing_if = "WantedSettings::is_empty", default)]
    settings: WantedSettings,
    /// The spec that the plan was made from; a relative path counts from the folder of this file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    spec: Option<PathBuf>,
    /// The run that it takes back, of a plan that `zkplan rollback` made.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    takes_back: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Reach")]
struct ReachShape {
    /// `host:port` of the client port.
    client: String,
    /// Whether that port speaks TLS.
    tls: bool,
    /// The base URL of the AdminServer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    admin: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Base {
    /// The config version, in hex as ZooKeeper prints it.
    version: String,
    /// The lines of `/zookeeper/config`, without the version.
    members: Vec<String>,
    /// The content of `/zkplan/id`; absent before the first apply.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    identity: Option<String>,
    /// Who led.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    leader: Option<ServerId>,
    /// The leader's last zxid, as ZooKeeper prints it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    leader_zxid: Option<String>,
    /// Members that answered, followed the leader and were up to date; the leader too.
    synced: BTreeSet<ServerId>,
    /// Wanted servers that followed without a vote.
    following: BTreeSet<ServerId>,
    /// Failure domains by server id.
    zones: BTreeMap<String, String>,
    /// Whether a single voter is known to be possible: `standaloneEnabled` is false.
    standalone_disabled: bool,
    /// Members whose id is wanted on another machine.
    other_machine: BTreeSet<ServerId>,
    /// Members without a client part that answered where the spec says.
    client_confirmed: BTreeSet<ServerId>,
    /// What each host resolved to.
    resolved: BTreeMap<String, Vec<String>>,
    /// What stood in the way; empty in every plan that was made.
    obstacles: Vec<Obstacle>,
    /// Things worth knowing.
    findings: Vec<Finding>,
    /// Whether no server was asked and all were assumed to answer.
    assumed: bool,
    /// The size of the data and the times that servers reported: what predictions rest on.
    #[serde(default = "DataSeen::not_asked")]
    data: DataSeen,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Phase")]
struct PhaseShape {
    /// What the steps have in common.
    kind: PhaseKind,
    /// In which order they go.
    rule: StepOrder,
    /// The steps.
    steps: Vec<StepShape>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Step")]
struct StepShape {
    /// The name of the step.
    id: StepId,
    /// What it does.
    action: ActionShape,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[schemars(rename = "Action")]
enum ActionShape {
    /// Waits until a server follows without a vote.
    AwaitJoiner { server: ServerId },
    /// Sends one reconfig request.
    Reconfig {
        /// The server that it changes, where it changes one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        server: Option<ServerId>,
        /// How.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        change: Option<ChangeVerb>,
        /// What it means for each server, by id, where it changes several.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        parts: Vec<ServerChange>,
        /// Server lines that are added or replaced.
        joining: Vec<String>,
        /// Ids that are removed.
        leaving: Vec<ServerId>,
        /// Where the votes of those added or replaced count, by server id; absent where quorums
        /// are majorities.
        #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
        places: BTreeMap<String, PlaceShape>,
    },
    /// Waits for clients or for a person.
    Gate { gate: GateKind },
    /// Runs `hooks.start`, if the server is not up.
    Start { server: ServerId },
    /// Runs `hooks.stop`.
    Stop { server: ServerId },
    /// Asks a person to stop the server.
    AskToStop { server: ServerId },
    /// Asks a person to attest a blank data directory.
    AttestBlank { server: ServerId },
    /// Has a member restarted, by `hooks.restart` or by a person.
    Restart {
        /// The server.
        server: ServerId,
        /// The wanted settings that it is to come back with, as far as it was seen to lack them.
        #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
        brings: BTreeSet<SettingName>,
        /// Whether the operator asked for it, whatever its settings are.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        is_asked: bool,
    },
    /// Proves that the last configuration is active.
    Prove {
        /// The server whose own leaving is proven.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        server: Option<ServerId>,
    },
}

/// The group and the weight of a voter.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Place")]
struct PlaceShape {
    /// The number of its group.
    group: i64,
    /// What its vote weighs in the group.
    weight: i64,
}

/// The identity of a plan: a digest of what it means.
///
/// It covers the identity of the ensemble, base and target membership, the groups of steps with
/// their rules, accepted risks with their reasons and days, policy and hooks. It leaves out versions, leader, liveness, figures,
/// time and lines, so that an approval survives whatever does not change the meaning.
pub fn plan_id(plan: &Plan) -> String {
    format!("sha256:{}", sha256(&canonical(&meaning(plan), false)))
}

/// What a plan id is the digest of.
fn meaning(plan: &Plan) -> Value {
    let phases: Vec<PhaseShape> = plan.phases.iter().map(PhaseShape::of).collect();
    let mut meaning = json!({
        "identity": identity(&plan.facts.identity),
        "base": lines(&plan.facts.base.membership),
        "target": lines(&plan.target),
        "phases": phases,
        "accepted": plan.accepted,
        "policy": plan.policy,
        "hooks": plan.hooks,
    });
    if !plan.terms.is_empty() {
        meaning["terms"] = json!(plan.terms);
    }
    if !plan.settings.is_empty() {
        meaning["settings"] = json!(plan.settings);
    }
    meaning
}

fn identity(identity: &Identity) -> Option<String> {
    match identity {
        Identity::NoneYet => None,
        Identity::Known(text) => Some(text.clone()),
    }
}

fn lines(members: &Membership) -> Vec<String> {
    members.to_string().lines().map(ToOwned::to_owned).collect()
}

impl KeptPlan {
    /// What is kept of a plan.
    pub fn of(checked: &CheckedPlan) -> Self {
        let plan = checked.plan();
        Self {
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            plan_id: plan_id(plan),
            ensemble: plan.ensemble.clone(),
            base: Base::of(&plan.facts),
            target: lines(&plan.target),
            phases: plan.phases.iter().map(PhaseShape::of).collect(),
            min_tolerance: plan.min_tolerance,
            policy: plan.policy.clone(),
            accepted: plan.accepted.clone(),
            terms: plan.terms.clone(),
            connect: plan.connect.clone(),
            reach: plan.reach.iter().map(|(id, at)| (id.to_string(), ReachShape::of(at))).collect(),
            hooks: plan.hooks.clone(),
            settings: plan.settings.clone(),
            spec: plan.spec.clone(),
            takes_back: plan.takes_back,
        }
    }

    /// The plan that the file describes; what can be derived is derived, not believed.
    pub(super) fn into_plan(self) -> Result<Plan, String> {
        if self.phases.iter().map(|phase| phase.steps.len()).sum::<usize>() > MAX_STEPS {
            return Err(format!("more than {MAX_STEPS} steps"));
        }
        let facts = self.base.into_facts()?;
        let target = members(&self.target)?;
        let differing =
            diff(&facts.base.membership, &target, &facts.other_machine, self.policy.client_part);
        let phases: Result<Vec<Phase>, String> =
            self.phases.into_iter().map(PhaseShape::into_phase).collect();
        let reach: Result<BTreeMap<ServerId, Reach>, String> = self
            .reach
            .into_iter()
            .map(|(id, at)| Ok((server_id(&id)?, at.into_reach()?)))
            .collect();
        let phases = phases?;
        let restarts = phases.iter().any(|phase| phase.kind == PhaseKind::Restart);
        let plan = Plan {
            ensemble: self.ensemble,
            facts,
            target,
            policy: self.policy,
            min_tolerance: self.min_tolerance,
            connect: self.connect,
            reach: reach?,
            hooks: self.hooks,
            settings: self.settings,
            changes: if restarts { Vec::new() } else { differing.changes },
            phases,
            accepted: self.accepted,
            terms: self.terms,
            spec: self.spec,
            takes_back: self.takes_back,
        };
        let mut ids = BTreeSet::new();
        if let Some(step) = plan.steps().find(|step| !ids.insert(step.id.clone())) {
            return Err(format!("step `{}` is there twice", step.id));
        }
        Ok(plan)
    }
}

fn server_id(text: &str) -> Result<ServerId, String> {
    text.parse().map(ServerId::new).map_err(|_| format!("`{text}` is not a server id"))
}

impl ReachShape {
    fn of(reach: &Reach) -> Self {
        let Reach { client, admin } = reach;
        Self { client: client.to_string(), tls: client.tls, admin: admin.clone() }
    }

    fn into_reach(self) -> Result<Reach, String> {
        let client = contact(&self.client, self.tls);
        let client = client.ok_or_else(|| format!("`{}` is not a client address", self.client))?;
        Ok(Reach { client, admin: self.admin })
    }
}

fn members(lines: &[String]) -> Result<Membership, String> {
    Membership::parse(&lines.join("\n")).map_err(|cause| cause.to_string())
}

impl Base {
    fn of(facts: &Facts) -> Self {
        Self {
            version: facts.base.version.to_string(),
            members: lines(&facts.base.membership),
            identity: identity(&facts.identity),
            leader: facts.leader,
            leader_zxid: facts.leader_zxid.map(|zxid| zxid.to_string()),
            synced: facts.synced.clone(),
            following: facts.following.clone(),
            zones: facts.zones.iter().map(|(id, zone)| (id.to_string(), zone.clone())).collect(),
            standalone_disabled: facts.standalone_disabled,
            other_machine: facts.other_machine.clone(),
            client_confirmed: facts.client_confirmed.clone(),
            resolved: facts.resolved.clone(),
            obstacles: facts.obstacles.clone(),
            findings: facts.findings.clone(),
            assumed: facts.assumed,
            data: facts.data.clone(),
        }
    }

    fn into_facts(self) -> Result<Facts, String> {
        let zone = |(id, zone): (String, String)| Ok((server_id(&id)?, zone));
        let zones: Result<BTreeMap<ServerId, String>, String> =
            self.zones.into_iter().map(zone).collect();
        Ok(Facts {
            base: EnsembleConfig {
                version: self.version.parse().map_err(|_| format!("version `{}`", self.version))?,
                membership: members(&self.members)?,
            },
            identity: self.identity.map_or(Identity::NoneYet, Identity::Known),
            leader: self.leader,
            leader_zxid: self.leader_zxid.map(|zxid| zxid.parse()).transpose()?,
            synced: self.synced,
            following: self.following,
            zones: zones?,
            standalone_disabled: self.standalone_disabled,
            other_machine: self.other_machine,
            client_confirmed: self.client_confirmed,
            resolved: self.resolved,
            obstacles: self.obstacles,
            findings: self.findings,
            assumed: self.assumed,
            data: self.data,
        })
    }
}

impl PhaseShape {
    fn of(phase: &Phase) -> Self {
        let step =
            |step: &Step| StepShape { id: step.id.clone(), action: ActionShape::of(&step.action) };
        Self { kind: phase.kind, rule: phase.rule, steps: phase.steps.iter().map(step).collect() }
    }

    fn into_phase(self) -> Result<Phase, String> {
        let step = |step: StepShape| Ok(Step { id: step.id, action: step.action.into_action()? });
        let steps: Result<Vec<Step>, String> = self.steps.into_iter().map(step).collect();
        Ok(Phase { kind: self.kind, rule: self.rule, steps: steps? })
    }
}

impl ActionShape {
    fn of(action: &Action) -> Self {
        match action {
            Action::AwaitJoiner(server) => Self::AwaitJoiner { server: *server },
            Action::Reconfig { parts, request } => {
                let (alone, parts) = match parts.as_slice() {
                    [alone] => (Some(*alone), Vec::new()),
                    several => (None, several.to_vec()),
                };
                Self::Reconfig {
                    server: alone.map(|part| part.server),
                    change: alone.map(|part| part.change),
                    parts,
                    joining: request.joining.iter().map(ToString::to_string).collect(),
                    leaving: request.leaving.clone(),
                    places: places(&request.joining),
                }
            }
            Action::Gate(gate) => Self::Gate { gate: *gate },
            Action::Start(server) => Self::Start { server: *server },
            Action::Stop(server) => Self::Stop { server: *server },
            Action::AskToStop(server) => Self::AskToStop { server: *server },
            Action::AttestBlank(server) => Self::AttestBlank { server: *server },
            Action::Restart(Restart { server, brings, is_asked }) => {
                let (brings, is_asked) = (brings.clone(), *is_asked);
                Self::Restart { server: *server, brings, is_asked }
            }
            Action::Prove(server) => Self::Prove { server: *server },
        }
    }

    fn into_action(self) -> Result<Action, String> {
        Ok(match self {
            Self::AwaitJoiner { server } => Action::AwaitJoiner(server),
            Self::Reconfig { server, change, parts, joining, leaving, places } => {
                let parts = match (server, change, parts.is_empty()) {
                    (Some(server), Some(change), true) => vec![ServerChange { server, change }],
                    (None, None, false) => parts,
                    _ => return Err("a reconfig has `server` and `change`, or `parts`".to_owned()),
                };
                let joining: Result<Vec<Server>, String> =
                    joining.iter().map(|line| placed(line, &places)).collect();
                let request = Reconfig { joining: joining?, leaving };
                Action::Reconfig { parts, request }
            }
            Self::Gate { gate } => Action::Gate(gate),
            Self::Start { server } => Action::Start(server),
            Self::Stop { server } => Action::Stop(server),
            Self::AskToStop { server } => Action::AskToStop(server),
            Self::AttestBlank { server } => Action::AttestBlank(server),
            Self::Restart { server, brings, is_asked } => {
                Action::Restart(Restart { server, brings, is_asked })
            }
            Self::Prove { server } => Action::Prove(server),
        })
    }
}

fn placed(line: &str, places: &BTreeMap<String, PlaceShape>) -> Result<Server, String> {
    let server = Server::parse_line(line).map_err(|cause| format!("`{line}`: {cause}"))?;
    let place = places.get(&server.id.to_string());
    let place = place.map(|of| VoteWeight { group: of.group, weight: of.weight });
    Ok(Server { place, ..server })
}

fn places(joining: &[Server]) -> BTreeMap<String, PlaceShape> {
    let of = |server: &Server| {
        let VoteWeight { group, weight } = server.place?;
        Some((server.id.to_string(), PlaceShape { group, weight }))
    };
    joining.iter().filter_map(of).collect()
}
