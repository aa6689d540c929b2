//! Who may change the configuration, and how sessions come in.

use super::answers::ServerAnswers;
use super::check::Check;
use super::codes::CheckKind;
use super::evidence::{CheckRemedy, CredentialWord, Evidence, ReconfigShownBy, WithoutRightsWord};
use super::given_files::GivenFile;
use super::view::View;
use crate::ensemble::{AuthDemand, ErrorCode};
use crate::observe::{ServerObservation, Source};

pub(super) fn checks(view: View<'_>) -> Vec<Check> {
    let of_servers = view.servers().flat_map(|observed| {
        [
            Some(reconfig_enabled(view, observed)),
            Some(credential(view, observed)),
            enforced(view, observed),
            local_sessions(view, observed),
        ]
    });
    of_servers.flatten().chain([permissions(view)]).collect()
}

/// Whether the leader runs with `reconfigEnabled=true`.
///
/// Its answer to an impossible reconfig shows it, else the version of its own configuration: a leader
/// with it gives that a version.
pub(super) fn leader_enabled(view: View<'_>) -> Option<bool> {
    let leader = view.seen.leader?;
    let by_conf = || conf_has_version(view.seen.servers.get(&leader)?);
    view.answers(leader).and_then(probed).or_else(by_conf)
}

/// Whether the configuration in a server's `conf` has a version. What a session reads is replicated,
/// and shows nothing of the server that it is on.
fn conf_has_version(observed: &ServerObservation) -> Option<bool> {
    let config = observed.config.as_ref().filter(|config| config.source == Source::Conf)?;
    Some(!config.value.version.is_zero())
}

/// A server without it keeps version 0 in its `conf` while the leader's is higher. While the leader
/// has none either, nothing shows it.
fn reconfig_enabled(view: View<'_>, observed: &ServerObservation) -> Check {
    const KIND: CheckKind = CheckKind::ReconfigEnabled;
    let id = Some(observed.id);
    let file = view.file(observed.id).map(GivenFile::enables_reconfig);
    if view.is_to_start(observed) && file.is_none() {
        let remedy = CheckRemedy::StartJoiner;
        return Check::unknown(KIND, id, Evidence::NotRunning, remedy);
    }
    let is_member = view.is_member(observed.id);
    let leader = leader_enabled(view);
    let (enabled, by) = if view.seen.leader == id {
        (leader, ReconfigShownBy::Leader)
    } else {
        match (leader, conf_has_version(observed).filter(|_| is_member)) {
            (Some(false), _) => (None, ReconfigShownBy::HiddenByLeader),
            (_, Some(enabled)) => (Some(enabled), ReconfigShownBy::Conf),
            (_, None) => (None, ReconfigShownBy::Nothing),
        }
    };
    // A file that has it may be newer than the process: behind a leader without it nothing shows that.
    let by_file = file.filter(|has| !has || by != ReconfigShownBy::HiddenByLeader);
    let (enabled, by) = match (enabled, by_file) {
        (None, Some(has)) => (Some(has), ReconfigShownBy::File),
        shown => (shown.0, by),
    };
    let evidence = Evidence::Reconfig { enabled, by };
    match (enabled, by) {
        (Some(true), _) => Check::pass(KIND, id, evidence),
        (Some(false), _) => Check::fail(KIND, id, evidence, CheckRemedy::EnableReconfig),
        (None, ReconfigShownBy::HiddenByLeader) => {
            Check::unknown(KIND, id, evidence, CheckRemedy::EnableReconfig)
        }
        // A joiner gets the configuration with its sync: what it shows is that of its leader.
        (None, _) if is_member => Check::unknown(KIND, id, evidence, CheckRemedy::AllowConf),
        (None, _) => Check::unknown(KIND, id, evidence, CheckRemedy::LookAtFile),
    }
}

/// The leader checks that first (`PrepRequestProcessor`).
fn probed(answers: &ServerAnswers) -> Option<bool> {
    match answers.reconfig? {
        Err(ErrorCode::ReconfigDisabled) => Some(false),
        Ok(()) | Err(ErrorCode::NoAuth) => Some(true),
        Err(_) => None,
    }
}

fn credential(view: View<'_>, observed: &ServerObservation) -> Check {
    const KIND: CheckKind = CheckKind::Credential;
    let id = Some(observed.id);
    let answer = view
        .answers(observed.id)
        .map_or(CredentialWord::NotFollowing, |answers| answers.credential);
    if view.is_to_start(observed) {
        return Check::unknown(KIND, id, Evidence::NotRunning, CheckRemedy::AskedBeforeJoin);
    }
    let evidence = Evidence::Asked { user: view.answers.user.clone(), answer };
    let unknown = |remedy| Check::unknown(KIND, id, evidence.clone(), remedy);
    match answer {
        CredentialWord::Accepted => Check::pass(KIND, id, evidence),
        CredentialWord::Refused => Check::fail(KIND, id, evidence, CheckRemedy::SetSuperUser),
        CredentialWord::InClear => unknown(CheckRemedy::AllowClear),
        CredentialWord::NoAnswer => unknown(CheckRemedy::AskAgain),
        CredentialWord::NoUser => unknown(CheckRemedy::GiveUser),
        CredentialWord::NoPassword => unknown(CheckRemedy::GivePassword),
        CredentialWord::NotNamed => unknown(CheckRemedy::NameAddress),
        CredentialWord::NotFollowing if view.is_member(observed.id) => {
            unknown(CheckRemedy::BringBack)
        }
        CredentialWord::NotFollowing | CredentialWord::DataNotProven => {
            unknown(CheckRemedy::AskedBeforeJoin)
        }
    }
}

/// The leader checks lists for every server (`PrepRequestProcessor.checkACL`).
fn permissions(view: View<'_>) -> Check {
    const KIND: CheckKind = CheckKind::Permissions;
    let answers = view.seen.leader.and_then(|leader| view.answers(leader));
    let answered = answers.and_then(|answers| answers.without_rights.as_ref());
    let of = |answer| Evidence::WithoutRights { answer };
    // Where servers take no session without SASL, that of a look has the user's rights too.
    let demand = answers.and_then(|answers| answers.session).map(|(demand, _)| demand);
    if demand == Some(AuthDemand::Sasl) {
        let evidence = of(WithoutRightsWord::NoSuchSession);
        return Check::unknown(KIND, None, evidence, CheckRemedy::CheckPermissions);
    }
    match answered {
        Some(Err(ErrorCode::NoAuth)) => Check::pass(KIND, None, of(WithoutRightsWord::Refused)),
        Some(Ok(())) => {
            let evidence = of(WithoutRightsWord::Allowed);
            Check::fail(KIND, None, evidence, CheckRemedy::CheckPermissions)
        }
        Some(Err(_)) | None => {
            Check::unknown(KIND, None, of(WithoutRightsWord::NoAnswer), CheckRemedy::AskAgain)
        }
    }
}

fn enforced(view: View<'_>, observed: &ServerObservation) -> Option<Check> {
    const KIND: CheckKind = CheckKind::EnforcedAuth;
    let id = Some(observed.id);
    if view.is_to_start(observed) {
        let remedy = CheckRemedy::StartJoiner;
        return Some(Check::unknown(KIND, id, Evidence::NotRunning, remedy));
    }
    let answers = view.answers(observed.id)?;
    let Some((demand, why)) = answers.session else {
        return Some(Check::unknown(KIND, id, Evidence::NoSession, CheckRemedy::AskAgain));
    };
    let evidence = Evidence::Demands { demand, why };
    // A session with the user came about although one without it did not.
    let has_session =
        matches!(answers.credential, CredentialWord::Accepted | CredentialWord::Refused);
    Some(match why {
        None => Check::pass(KIND, id, evidence),
        Some(why) if why.is_for_want_of_auth() && !has_session => {
            Check::fail(KIND, id, evidence, CheckRemedy::UseEnforcedScheme)
        }
        Some(why) if why.is_for_want_of_auth() => Check::pass(KIND, id, evidence),
        Some(_) => Check::unknown(KIND, id, evidence, CheckRemedy::AskAgain),
    })
}

/// Whether the lock can be made on such a session is not known before it is tried (ZKF21).
fn local_sessions(view: View<'_>, observed: &ServerObservation) -> Option<Check> {
    const KIND: CheckKind = CheckKind::LocalSessions;
    if !view.is_member(observed.id) {
        return None;
    }
    let id = Some(observed.id);
    let counted = view.answers(observed.id).and_then(|answers| answers.local_sessions);
    let kept = if observed.data.has_local_sessions { Some(true) } else { counted.map(|n| n > 0) };
    let evidence = Evidence::KeepsLocalSessions { kept };
    Some(match kept {
        Some(false) => Check::pass(KIND, id, evidence),
        Some(true) => Check::unknown(KIND, id, evidence, CheckRemedy::UpgradeSessions),
        None => Check::unknown(KIND, id, evidence, CheckRemedy::AllowWords),
    })
}
