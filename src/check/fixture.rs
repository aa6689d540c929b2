//! Checked plans for the unit tests of rules.

use super::CheckedPlan;
use crate::model::EnsembleConfig;
use crate::observe::Facts;
use crate::proposal::propose;

/// The plan from participants with these ids to a spec with these servers, in YAML.
pub(in crate::check) fn plan(now: &[i64], servers: &str) -> CheckedPlan {
    let line = |id: &i64| format!("server.{id}=10.0.0.{id}:2888:3888:participant;2181\n");
    let lines: String = now.iter().map(line).collect();
    let config = EnsembleConfig::parse(&format!("{lines}version=100000000")).expect("lines");
    let text = format!("apiVersion: zkplan/v1\nensemble: test\nservers:\n{servers}");
    let target = crate::spec::parse("spec.yaml", &text).expect("a spec").to_target();
    propose(&target, &Facts::assumed(config, &target), &[]).expect("a plan")
}
