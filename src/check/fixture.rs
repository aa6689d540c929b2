//! Checked plans for the unit tests of rules.

use super::CheckedPlan;
use crate::example;
use crate::observe::Facts;
use crate::proposal::propose;

/// The plan from participants with these ids to a spec with these servers, in YAML.
pub(in crate::check) fn plan(now: &[i64], servers: &str) -> CheckedPlan {
    let config = example::config(&example::participants(now));
    let text = format!("apiVersion: zkplan/v1\nensemble: test\nservers:\n{servers}");
    let target = crate::spec::parse("spec.yaml", &text).expect("a spec").to_target();
    propose(&target, &Facts::assumed(config, &target), &[]).expect("a plan")
}
