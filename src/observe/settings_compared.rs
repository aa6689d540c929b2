//! The settings that servers show, held against those that are wanted.

use std::collections::BTreeSet;

use super::finding_kind::SettingDifference;
use super::settings_seen::{NotSeen, SettingValue};
use super::{Finding, FindingKind, Observation, Sourced};
use crate::model::{ServerId, SettingName, Target, WantedSetting};

/// One wanted setting of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingState {
    /// The server.
    pub server: ServerId,
    /// The setting.
    pub setting: SettingName,
    /// What is wanted of it.
    pub wanted: WantedSetting,
    /// What was seen of it, with its source, or why nothing was.
    pub seen: Result<Sourced<SettingValue>, NotSeen>,
    /// What follows.
    pub verdict: SettingVerdict,
}

/// Whether a setting is as it is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SettingVerdict {
    /// It was seen to be.
    AsWanted,
    /// It was seen not to be.
    Differs,
    /// It is not known: no difference, and no reason for a restart.
    Unknown,
}

/// The wanted settings of every wanted server, by server, in the order of [`SettingName`].
pub fn compare_settings(seen: &Observation, target: &Target) -> Vec<SettingState> {
    let wanted = target.settings.each();
    let of_server = |id: &ServerId| {
        let own = seen.servers.get(id).map(|observed| &observed.settings);
        let state = |(setting, wanted): &(SettingName, WantedSetting)| {
            let shown = own.map_or(Err(NotSeen::NoAnswer), |own| own.get(*setting).cloned());
            let verdict = verdict(*setting, wanted, &shown);
            let (server, wanted) = (*id, wanted.clone());
            SettingState { server, setting: *setting, wanted, seen: shown, verdict }
        };
        wanted.iter().map(state).collect::<Vec<_>>()
    };
    target.servers.keys().flat_map(of_server).collect()
}

fn verdict(
    name: SettingName,
    wanted: &WantedSetting,
    seen: &Result<Sourced<SettingValue>, NotSeen>,
) -> SettingVerdict {
    let Ok(Sourced { value, .. }) = seen else { return SettingVerdict::Unknown };
    let is_as_wanted = match (wanted, value) {
        (WantedSetting::On | WantedSetting::Required, SettingValue::Flag(on)) => *on,
        (WantedSetting::Number(bound), SettingValue::Number(number)) => bound.allows(name, *number),
        (WantedSetting::Release(wanted), SettingValue::Release(runs)) => wanted == runs,
        (WantedSetting::Words(wanted), SettingValue::Words { allowed, refused }) => {
            if wanted.is_subset(allowed) {
                true
            } else if wanted.is_disjoint(refused) {
                return SettingVerdict::Unknown;
            } else {
                false
            }
        }
        (_, _) => return SettingVerdict::Unknown,
    };
    if is_as_wanted { SettingVerdict::AsWanted } else { SettingVerdict::Differs }
}

/// ZKF25: the settings that were seen to differ. A member with `reconfigEnabled=false` is a reason
/// of its own to refuse a plan.
pub(super) fn settings_differ(seen: &Observation, target: &Target) -> Option<Finding> {
    let mut differences: Vec<SettingDifference> = Vec::new();
    for state in compare_settings(seen, target) {
        let is_refusal = state.setting == SettingName::ReconfigEnabled
            && seen.config.membership.contains(state.server);
        let Some(shown) = state.shown_difference().filter(|_| !is_refusal) else { continue };
        let wanted = state.wanted.to_string();
        let same = |one: &&mut SettingDifference| {
            one.setting == state.setting && one.wanted == wanted && one.seen == shown
        };
        if let Some(known) = differences.iter_mut().find(same) {
            known.servers.insert(state.server);
        } else {
            let servers = BTreeSet::from([state.server]);
            let setting = state.setting;
            differences.push(SettingDifference { setting, wanted, seen: shown, servers });
        }
    }
    differences.sort();
    let any = !differences.is_empty();
    any.then_some(Finding { kind: FindingKind::SettingsDiffer { differences }, server: None })
}

impl SettingState {
    /// What was seen, as text, where it differs from what is wanted. Of words, those that are wanted
    /// and refused.
    pub fn shown_difference(&self) -> Option<String> {
        if self.verdict != SettingVerdict::Differs {
            return None;
        }
        match (&self.wanted, &self.seen.as_ref().ok()?.value) {
            (WantedSetting::Words(wanted), SettingValue::Words { refused, .. }) => {
                let refused: Vec<&str> = wanted.intersection(refused).map(String::as_str).collect();
                Some(format!("{} not allowed", refused.join(", ")))
            }
            (_, SettingValue::Flag(on)) => Some(on.to_string()),
            (_, SettingValue::Number(number)) => Some(number.to_string()),
            (_, SettingValue::Release(version)) => Some(version.to_string()),
            (_, SettingValue::Words { .. }) => None,
        }
    }
}
