//! The questions of a preflight beside an observation, and their answers.
//!
//! Nothing that is asked changes a znode, a list or a setting: four-letter words, `GET`s, a write to
//! `/zookeeper/config` with a version that no znode has, and a reconfig from a version that no
//! configuration has. The password goes where [`Access`] lets it go, and to no joiner whose data are
//! not proven.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use serde_json::Value;

use crate::apply::access::{Access, Permission, Recipient};
use crate::ensemble::four_letter::{Conf, Mntr};
use crate::ensemble::{
    AuthDemand, CONFIG, Ensemble, ErrorCode, FourLetterWord, NoAnswer, PortState, RequestError,
    Session as _, SessionFactory, SessionTerms,
};
use crate::model::{Endpoint, PeerAddress, ServerId, Target};
use crate::observe::{DataProof, Finding, Observation, ServerObservation, ServerStatus};

use super::evidence::CredentialWord;

/// The words that are asked beside `srvr`.
const WORDS: [FourLetterWord; 4] =
    [FourLetterWord::Conf, FourLetterWord::Mntr, FourLetterWord::Cons, FourLetterWord::Hash];

/// Everything that was asked beside the observation.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// By server.
    pub servers: BTreeMap<ServerId, ServerAnswers>,
    /// The user whose rights were asked for; `None` for a certificate and without a user.
    pub user: Option<String>,
    /// What the journal of earlier applies says; `None` if it could not be read.
    pub earlier: Option<Vec<Finding>>,
}

/// What one server answered.
#[derive(Debug, Clone)]
pub struct ServerAnswers {
    /// Its settings.
    pub conf: Option<Conf>,
    /// Its figures.
    pub mntr: Option<Mntr>,
    /// The words that it does not allow; `None` if it was not asked.
    pub missing: Option<Vec<FourLetterWord>>,
    /// Its AdminServer.
    pub admin: AdminAnswers,
    /// Another address at which other servers are to reach it, and whether it listens there.
    pub other_address: Option<(String, PortState)>,
    /// What it demands of sessions, and why none was had; `None` if it was not asked.
    pub session: Option<(AuthDemand, Option<NoAnswer>)>,
    /// The session that was had there: its id shows when the server's session tracker was made.
    pub session_id: Option<i64>,
    /// What it answered to the impossible write of a session without rights; `None` if that was not
    /// tried.
    pub without_rights: Option<Result<(), ErrorCode>>,
    /// How many sessions it alone knew while a session of ours was open there.
    pub local_sessions: Option<u64>,
    /// What it answered to the impossible reconfig. It speaks for the leader alone.
    pub reconfig: Option<Result<(), ErrorCode>>,
    /// Whether it lets the user change the configuration.
    pub credential: CredentialWord,
}

/// What an AdminServer answered.
#[derive(Debug, Clone, Default)]
pub enum AdminAnswers {
    /// The spec has no address of it.
    #[default]
    NotNamed,
    /// It does not answer.
    Silent(NoAnswer),
    /// The system properties of the server, and the largest heap of its Java in bytes.
    Properties(BTreeMap<String, String>, Option<u64>),
}

/// With whose rights servers are asked.
#[derive(Debug, Clone, Copy)]
pub enum AskedAs<'a> {
    /// With these. Without a user or a certificate there are none to ask for.
    User(&'a Access),
    /// The file has no user.
    NoUser,
    /// No password is at hand.
    NoPassword,
}

/// Asks every server that was observed. `bare` is the same port without the client's certificate.
pub async fn ask<P: SessionFactory>(
    port: &P,
    bare: &P,
    target: &Target,
    seen: &Observation,
    asked_as: AskedAs<'_>,
) -> Answers {
    let asker = Asker { target, seen, asked_as };
    let answers = seen.servers.values().map(|observed| asker.server(port, bare, observed));
    let servers = seen.servers.keys().copied().zip(join_all(answers).await).collect();
    let user = match asked_as {
        AskedAs::User(access) => access.user().map(str::to_owned),
        AskedAs::NoUser | AskedAs::NoPassword => None,
    };
    Answers { servers, user, earlier: None }
}

#[derive(Clone, Copy)]
struct Asker<'a> {
    target: &'a Target,
    seen: &'a Observation,
    asked_as: AskedAs<'a>,
}

impl Asker<'_> {
    /// One question after the other: a server may take few connections from one address.
    async fn server<P: SessionFactory>(
        self,
        port: &P,
        bare: &P,
        observed: &ServerObservation,
    ) -> ServerAnswers {
        let runs = observed.endpoint.as_ref().filter(|_| observed.mode.is_some());
        let mut answers = ServerAnswers {
            conf: None,
            mntr: None,
            missing: None,
            admin: self.admin(port, observed.id).await,
            other_address: self.other_address(port, observed).await,
            session: None,
            session_id: None,
            without_rights: None,
            local_sessions: None,
            reconfig: None,
            credential: CredentialWord::NotFollowing,
        };
        if let Some(at) = runs {
            words(port, at, &mut answers).await;
        }
        if let Some(at) = runs.filter(|_| observed.status.is_healthy()) {
            self.without_rights(bare, at, &mut answers).await;
        }
        answers.credential = self.credential(port, observed).await;
        answers
    }

    async fn admin<P: Ensemble>(self, port: &P, id: ServerId) -> AdminAnswers {
        let wanted = self.target.servers.get(&id);
        let Some(base) = wanted.and_then(|wanted| wanted.admin.as_deref()) else {
            return AdminAnswers::NotNamed;
        };
        let (properties, environment) =
            futures::join!(port.admin(base, "system_properties"), port.admin(base, "environment"));
        match properties {
            Err(why) => AdminAnswers::Silent(why),
            Ok(properties) => {
                let heap = environment.ok().as_ref().and_then(heap);
                AdminAnswers::Properties(texts(&properties), heap)
            }
        }
    }

    /// The election port at the host where the spec wants a server, if its line has another one.
    async fn other_address<P: Ensemble>(
        self,
        port: &P,
        observed: &ServerObservation,
    ) -> Option<(String, PortState)> {
        let now = self.seen.config.membership.get(observed.id)?.peer();
        let wanted = self.target.line(observed.id)?.peer();
        let addresses = |peer: &PeerAddress| self.seen.resolved.get(&peer.host.canonical());
        let same = now.host == wanted.host || addresses(now) == addresses(wanted);
        if same || wanted.host.is_wildcard() || now.host.is_wildcard() {
            return None;
        }
        let state = port.check_port(&wanted.host, wanted.election_port).await;
        Some((format!("{}:{}", wanted.host, wanted.election_port), state))
    }

    /// What a session without rights is answered.
    async fn without_rights<P: SessionFactory>(
        self,
        bare: &P,
        at: &Endpoint,
        answers: &mut ServerAnswers,
    ) {
        let terms = SessionTerms { timeout: self.target.connect.session_timeout, auth: None };
        let session = match bare.open(at, &terms).await {
            Ok(session) => session,
            Err(RequestError::Refused(ErrorCode::AuthFailed)) => {
                answers.session = Some((bare.demanded(at), Some(NoAnswer::NeedsAuth)));
                return;
            }
            Err(_) => return,
        };
        answers.session_id = Some(session.id());
        answers.without_rights = Some(session.probe_write(CONFIG).await);
        answers.reconfig = Some(session.probe_reconfig().await);
        // Where sessions are local, this one is counted.
        if answers.mntr.is_some() && !bare.takes_one_connection(at) {
            let mntr = bare.ask(at, FourLetterWord::Mntr).await.ok();
            answers.local_sessions = mntr.and_then(|mntr| Mntr::parse(&mntr).local_sessions);
        }
        session.close().await;
        answers.session = Some((bare.demanded(at), None));
    }

    async fn credential<P: SessionFactory>(
        self,
        port: &P,
        observed: &ServerObservation,
    ) -> CredentialWord {
        let access = match self.asked_as {
            AskedAs::User(access) => access,
            AskedAs::NoUser => return CredentialWord::NoUser,
            AskedAs::NoPassword => return CredentialWord::NoPassword,
        };
        match recipient(self.seen, access, observed) {
            Ok(to) => match access.ask(port, self.seen, &to).await.permission {
                Permission::Granted => CredentialWord::Accepted,
                Permission::Refused => CredentialWord::Refused,
                Permission::InClear => CredentialWord::InClear,
                Permission::Unknown => CredentialWord::NoAnswer,
            },
            Err(why) => why,
        }
    }
}

/// The servers to which the credential is shown, in order of ids.
pub fn recipients(seen: &Observation, access: &Access) -> Vec<Recipient> {
    seen.servers.values().filter_map(|observed| recipient(seen, access, observed).ok()).collect()
}

/// Where a server is shown the credential, or why it is not.
///
/// A joiner is shown it only where the data were proven to be this ensemble's: whatever runs at its
/// address could be anything before (`apply::access`, rule 2).
fn recipient(
    seen: &Observation,
    access: &Access,
    observed: &ServerObservation,
) -> Result<Recipient, CredentialWord> {
    if seen.config.membership.contains(observed.id) {
        let all = access.recipients(seen, &BTreeSet::new());
        let own = all.into_iter().find(|to| to.server == observed.id);
        return own.ok_or(match observed.status {
            ServerStatus::Leading | ServerStatus::Following | ServerStatus::Observing => {
                CredentialWord::NotNamed
            }
            _ => CredentialWord::NotFollowing,
        });
    }
    if observed.status != ServerStatus::FollowingWithoutVote {
        return Err(CredentialWord::NotFollowing);
    }
    if !observed.data.compared.as_ref().is_some_and(DataProof::is_equal) {
        return Err(CredentialWord::DataNotProven);
    }
    access.joiner(seen, observed.id).ok_or(CredentialWord::NotNamed)
}

async fn words<P: Ensemble>(port: &P, at: &Endpoint, answers: &mut ServerAnswers) {
    let mut missing = Vec::new();
    for word in WORDS {
        match port.ask(at, word).await {
            Ok(answer) => match word {
                FourLetterWord::Conf => answers.conf = Some(Conf::parse(&answer)),
                FourLetterWord::Mntr => answers.mntr = Some(Mntr::parse(&answer)),
                _ => {}
            },
            Err(NoAnswer::NotWhitelisted) => missing.push(word),
            // It does not know the word (3.5), or has a limit on connections.
            Err(_) => {}
        }
    }
    answers.missing = Some(missing);
}

fn texts(json: &Value) -> BTreeMap<String, String> {
    let pairs = json.as_object().into_iter().flatten();
    let texts = pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
    texts.collect()
}

/// The largest heap of a server's Java, from its environment (`Environment.list`, in mebibytes).
fn heap(environment: &Value) -> Option<u64> {
    let text = environment.get("os.memory.max")?.as_str()?;
    let mebibytes: u64 = text.strip_suffix("MB")?.parse().ok()?;
    Some(mebibytes * 1024 * 1024)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_heap_is_read_from_the_environment() {
        let heap = |text: &str| heap(&json!({ "os.memory.max": text }));
        assert_eq!(heap("1000MB"), Some(1000 * 1024 * 1024));
        assert_eq!((heap("?"), heap("1000")), (None, None));
    }
}
