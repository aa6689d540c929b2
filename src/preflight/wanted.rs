//! Whether the servers run with the settings that the spec wants.

use super::check::Check;
use super::codes::CheckKind;
use super::evidence::{CheckRemedy, Evidence};
use super::view::View;
use crate::model::SettingName;
use crate::observe::{SettingState, SettingVerdict, compare_settings};

/// Settings that have a check of their own, which asks closer.
const CHECKED_ELSEWHERE: [SettingName; 2] = [SettingName::ReconfigEnabled, SettingName::Superuser];

pub(super) fn checks(view: View<'_>) -> Vec<Check> {
    let states = compare_settings(view.seen, view.target).into_iter();
    let states = states.filter(|state| !CHECKED_ELSEWHERE.contains(&state.setting));
    states.map(|state| check(view, &state)).collect()
}

fn check(view: View<'_>, state: &SettingState) -> Check {
    const KIND: CheckKind = CheckKind::Settings;
    let id = Some(state.server);
    if view.seen.servers.get(&state.server).is_some_and(|observed| view.is_to_start(observed)) {
        return Check::unknown(KIND, id, Evidence::NotRunning, CheckRemedy::StartJoiner);
    }
    let (setting, wanted) = (state.setting, state.wanted.to_string());
    match state.verdict {
        SettingVerdict::AsWanted => {
            Check::pass(KIND, id, Evidence::SettingAsWanted { setting, wanted })
        }
        SettingVerdict::Differs => {
            let seen = state.shown_difference().unwrap_or_default();
            let evidence = Evidence::SettingDiffers { setting, wanted, seen };
            Check::advise(KIND, id, evidence, CheckRemedy::RestartWithSetting)
        }
        SettingVerdict::Unknown => {
            let evidence = Evidence::SettingNotSeen { setting, wanted };
            Check::unknown(KIND, id, evidence, CheckRemedy::AllowConf)
        }
    }
}
