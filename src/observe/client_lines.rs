//! What clients make of the client parts of the lines, where they read the configuration themselves.

use std::collections::BTreeSet;

use super::{Finding, FindingKind, UnusableBecause};
use crate::model::{ClientPart, EnsembleConfig, Server, ServerId, Target};

/// What a change would do to clients that read the configuration.
pub(super) fn findings(config: &EnsembleConfig, target: &Target) -> Vec<Finding> {
    mixed(config, target).into_iter().chain(unusable(config, target)).collect()
}

/// Members whose lines have no client part beside servers whose lines will have one.
fn mixed(config: &EnsembleConfig, target: &Target) -> Option<Finding> {
    if target.policy.client_part != ClientPart::Keep {
        return None;
    }
    let (members, wanted) = (&config.membership, target.membership_for(&config.membership));
    let ids = |mut of: Vec<&Server>, has_part: bool| -> BTreeSet<ServerId> {
        of.retain(|line| line.client.is_some() == has_part);
        of.into_iter().map(|line| line.id).collect()
    };
    let joiners = wanted.servers().filter(|line| !members.contains(line.id));
    let without = ids(members.servers().collect(), false);
    let with = ids(members.servers().chain(joiners).collect(), true);
    // Lines of secure ports alone have none by intention.
    let is_mixed = !without.is_empty() && !with.is_empty();
    let changes = wanted.ids() != members.ids();
    let kind = FindingKind::ClientPartsMixed { without, with };
    (is_mixed && changes).then_some(Finding { kind, server: None })
}

/// Joiners whose client address clients that read the configuration cannot use.
fn unusable(config: &EnsembleConfig, target: &Target) -> Vec<Finding> {
    let joiners = target.servers.values().map(|wanted| &wanted.server);
    let joiners = joiners.filter(|line| !config.membership.contains(line.id));
    let unusable = joiners.filter_map(|line| {
        let because = if line.has_several_addresses() {
            UnusableBecause::SeveralAddresses
        } else if line.makes_ipv6_without_brackets() {
            UnusableBecause::Ipv6
        } else {
            return None;
        };
        Some(Finding {
            kind: FindingKind::ClientAddressUnusable { because },
            server: Some(line.id),
        })
    });
    unusable.collect()
}
