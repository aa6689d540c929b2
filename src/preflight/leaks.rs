//! What shows a secret, and what takes a change back.

use std::collections::{BTreeMap, BTreeSet};

use super::answers::AdminAnswers;
use super::check::Check;
use super::codes::CheckKind;
use super::evidence::{CheckRemedy, Evidence};
use super::view::View;
use crate::model::ServerId;
use crate::observe::ServerObservation;

/// Parts of the names of properties whose values are secrets, in small letters. The digest has no
/// salt, so that a short password follows from it.
const SECRETS: [&str; 3] = ["superdigest", "password", "passwd"];

/// What stands before the id of a server line that was read from `zoo.cfg` (`QuorumPeerConfig`, the
/// last `else` of `parseProperties`).
const SERVER_LINE: &str = "zookeeper.server.";

pub(super) fn checks(view: View<'_>) -> Vec<Check> {
    view.servers()
        .flat_map(|observed| {
            [admin(view, observed), secret_file(view, observed), template(view, observed)]
        })
        .collect()
}

fn admin_answers<'a>(view: View<'a>, observed: &ServerObservation) -> Option<&'a AdminAnswers> {
    view.answers(observed.id).map(|answers| &answers.admin)
}

/// Its `system_properties` needs no authentication (3.6 and later).
fn admin(view: View<'_>, observed: &ServerObservation) -> Check {
    const KIND: CheckKind = CheckKind::AdminServer;
    let id = Some(observed.id);
    match admin_answers(view, observed) {
        Some(AdminAnswers::Properties(properties, _)) => {
            let shown = secrets(properties);
            let is_clean = shown.is_empty();
            let evidence = Evidence::Shows { properties: shown };
            if is_clean {
                Check::pass(KIND, id, evidence)
            } else {
                Check::advise(KIND, id, evidence, CheckRemedy::CloseAdminServer)
            }
        }
        Some(AdminAnswers::Silent(why)) => {
            Check::unknown(KIND, id, Evidence::NoAdminAnswer { why: *why }, CheckRemedy::NameAdmin)
        }
        Some(AdminAnswers::NotNamed) | None => {
            Check::unknown(KIND, id, Evidence::NoAdminAddress, CheckRemedy::NameAdmin)
        }
    }
}

/// The names of properties that hold secrets.
fn secrets(properties: &BTreeMap<String, String>) -> BTreeSet<String> {
    let is_secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        SECRETS.iter().any(|part| name.contains(part)) && !name.ends_with("path")
    };
    let holds = |(name, value): &(&String, &String)| is_secret(name) && !value.is_empty();
    properties.iter().filter(holds).map(|(name, _)| name.clone()).collect()
}

/// A `zoo.cfg` that only its owner may read is rewritten readable for every user.
fn secret_file(view: View<'_>, observed: &ServerObservation) -> Check {
    const KIND: CheckKind = CheckKind::SecretFile;
    let id = Some(observed.id);
    let Some(file) = view.file(observed.id) else {
        return Check::unknown(KIND, id, Evidence::OnlyInFile, CheckRemedy::LookAtFile);
    };
    let keys = secrets(file.keys());
    let is_clean = keys.is_empty();
    let evidence = Evidence::SecretsInFile { keys };
    if is_clean {
        Check::pass(KIND, id, evidence)
    } else {
        Check::advise(KIND, id, evidence, CheckRemedy::ProtectSecret)
    }
}

/// A server that was started from one file with server lines shows these lines. After a change of
/// members such a file is an old one that was laid down again: on a quorum of it, the old membership
/// comes back, and acknowledged writes are lost.
fn template(view: View<'_>, observed: &ServerObservation) -> Check {
    const KIND: CheckKind = CheckKind::Template;
    let id = Some(observed.id);
    let Some(AdminAnswers::Properties(properties, _)) = admin_answers(view, observed) else {
        return template_by_file(view, observed);
    };
    let lines = properties.keys().filter_map(|name| name.strip_prefix(SERVER_LINE)?.parse().ok());
    let servers: BTreeSet<ServerId> = lines.map(ServerId::new).collect();
    if servers.is_empty() {
        return Check::pass(KIND, id, Evidence::StartedFromRewritten);
    }
    let present = servers == view.seen.config.membership.ids();
    let evidence = Evidence::StartedFromLines { servers, present };
    if present || !view.is_member(observed.id) {
        Check::pass(KIND, id, evidence)
    } else {
        Check::advise(KIND, id, evidence, CheckRemedy::KeepRewrittenFile)
    }
}

/// The same by the file that was given. That of a joiner lists servers that are no members yet.
fn template_by_file(view: View<'_>, observed: &ServerObservation) -> Check {
    const KIND: CheckKind = CheckKind::Template;
    let id = Some(observed.id);
    let Some(file) = view.file(observed.id) else {
        return Check::unknown(KIND, id, Evidence::OnlyInFile, CheckRemedy::LookAtFile);
    };
    let servers = file.servers();
    let present = servers.is_empty() || servers == view.seen.config.membership.ids();
    let evidence = Evidence::FileHasLines { servers, present };
    if present || !view.is_member(observed.id) {
        Check::pass(KIND, id, evidence)
    } else {
        Check::advise(KIND, id, evidence, CheckRemedy::KeepRewrittenFile)
    }
}
