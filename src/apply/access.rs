//! The identity of a run, and the servers that may receive its credential.
//!
//! Scheme `digest` sends the password in clear, and no server proves its identity before. So the
//! password goes to a server only if all of these rules hold. This page is the only one that
//! decides. A SASL credential follows the same rules, except for surveys of servers that enforce
//! SASL ([`Credential`]).
//!
//! 1. The *file* names its host and port ([`Named`]): in `connect.servers`, including the addresses
//!    of a name there, in `servers`, or in the base lines of a plan file. An address that only the
//!    live configuration contains gets nothing: an attacker who can write the configuration could
//!    add one.
//! 2. In the survey just before, it leads, follows or observes this ensemble under its own id, as a
//!    member ([`Named::recipients`]), or it is a joiner whose data are proven. If a plan file holds
//!    an identity, the ensemble must have it.
//! 3. On the very session on which the password is shown, it reports the same server id,
//!    configuration and identity ([`Access::session`]). If a session comes from another server, it
//!    accepts that session, which only a server of the same ensemble can (`Session::attach`).
//! 4. The connection uses TLS with a certificate for the host in the file, or goes to loopback, or
//!    the operator consents (`InClear`, checked for the address of every connection).

use std::collections::{BTreeMap, BTreeSet};

use super::paths::Paths;
use crate::ensemble::{
    CONFIG, Credential, ErrorCode, FourLetterWord, NoAnswer, RequestError, Session, SessionFactory,
    SessionTerms,
};
use crate::model::{Auth, Connect, Endpoint, EnsembleConfig, Server, ServerId, Target};
use crate::observe::{Identity, Observation, Question, ServerStatus};
use crate::plan::Plan;

/// A server that may take the session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recipient {
    /// Its id.
    pub server: ServerId,
    /// Where it is reached.
    pub at: Endpoint,
}

/// The identity under which sessions change something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Signer {
    /// As this user of scheme `digest`.
    User(String),
    /// As this user of SASL `DIGEST-MD5`.
    Sasl(String),
    /// As the subject of the client's certificate (scheme `x509`).
    Certificate,
    /// No identity.
    #[default]
    Anonymous,
}

/// The addresses in the operator's file.
#[derive(Debug, Clone, Default)]
pub struct Named {
    endpoints: BTreeSet<Endpoint>,
    /// Whether sessions show a client certificate: the file has one and names a TLS port.
    certificate: bool,
    /// The identity that a plan file holds.
    identity: Option<String>,
    /// Where zkplan keeps its state.
    paths: Paths,
}

/// The identity of a run, and the servers that may receive its credential.
#[derive(Debug, Clone)]
pub struct Access {
    terms: SessionTerms,
    named: Named,
}

/// Whether a server lets a session change the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// It does.
    Granted,
    /// It refuses: the password is wrong, or this server does not know the user.
    Refused,
    /// It was not asked: the password would have been sent to another machine without TLS.
    InClear,
    /// It gave no answer.
    Unknown,
}

/// The result of asking one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The address.
    pub at: Endpoint,
    /// The identity that was shown.
    pub signer: Signer,
    /// Its answer.
    pub permission: Permission,
}

impl Signer {
    /// The identity under which a file lets sessions change something.
    pub fn of(connect: &Connect) -> Self {
        let has_certificate = connect.tls.as_ref().is_some_and(|tls| tls.cert.is_some());
        match &connect.auth {
            Some(Auth::Digest { user, .. }) => Self::User(user.clone()),
            Some(Auth::Sasl { user, .. }) => Self::Sasl(user.clone()),
            Some(Auth::X509) => Self::Certificate,
            None if has_certificate => Self::Certificate,
            None => Self::Anonymous,
        }
    }

    /// Whether a password proves it.
    pub const fn has_password(&self) -> bool {
        matches!(self, Self::User(_) | Self::Sasl(_))
    }

    /// Whether that password itself is sent.
    pub const fn sends_password(&self) -> bool {
        matches!(self, Self::User(_))
    }
}

impl Named {
    /// The addresses of a target, and in a plan's base if the plan is the given file. A plan that was
    /// read from the ensemble, or was just made, names no address.
    pub fn of(target: &Target, plan: Option<&Plan>) -> Self {
        let Question { contacts, wanted, .. } = Question::of(target);
        let wanted: BTreeMap<ServerId, Endpoint> =
            wanted.into_iter().filter_map(|(id, wanted)| Some((id, wanted.endpoint?))).collect();
        let base = plan.into_iter().flat_map(|plan| plan.facts.base.membership.servers());
        // If the file names a secure client port, the plain one must not be used to avoid it.
        let is_secure = |id: &ServerId| wanted.get(id).is_some_and(|at| at.tls);
        let base = base.filter(|server| !is_secure(&server.id)).filter_map(Server::client_endpoint);
        let base: Vec<Endpoint> = base.collect();
        let has_certificate = target.connect.tls.as_ref().is_some_and(|tls| tls.cert.is_some());
        let identity = plan.and_then(|plan| match &plan.facts.identity {
            Identity::Known(identity) => Some(identity.clone()),
            Identity::NoneYet => None,
        });
        let endpoints: BTreeSet<Endpoint> =
            contacts.into_iter().chain(wanted.into_values()).chain(base).collect();
        Self {
            certificate: has_certificate && endpoints.iter().any(|at| at.tls),
            endpoints,
            identity,
            paths: Paths::below(target.connect.folder.clone()),
        }
    }

    /// The addresses.
    pub const fn endpoints(&self) -> &BTreeSet<Endpoint> {
        &self.endpoints
    }

    /// The members that may receive a credential, those that stay first.
    pub fn recipients(&self, seen: &Observation, leaving: &BTreeSet<ServerId>) -> Vec<Recipient> {
        if !self.fits(seen) {
            return Vec::new();
        }
        let members = &seen.config.membership;
        let may = |status: &ServerStatus| {
            matches!(
                status,
                ServerStatus::Leading | ServerStatus::Following | ServerStatus::Observing
            )
        };
        let of_members = seen.servers.values().filter(|observed| members.contains(observed.id));
        let named = of_members.filter(|observed| may(&observed.status)).filter_map(|observed| {
            let at = observed.reached_at.iter().find(|at| self.names(seen, at))?;
            Some(Recipient { server: observed.id, at: at.clone() })
        });
        let mut named: Vec<Recipient> = named.collect();
        named.sort_by_key(|to| (leaving.contains(&to.server), to.server));
        named
    }

    /// A joiner that follows without a vote, if it may receive a credential once its data are
    /// proven.
    pub fn joiner(&self, seen: &Observation, id: ServerId) -> Option<Recipient> {
        let observed = seen.servers.get(&id).filter(|_| self.fits(seen))?;
        let follows = observed.status == ServerStatus::FollowingWithoutVote;
        let at = observed.reached_at.iter().find(|at| follows && self.names(seen, at))?;
        Some(Recipient { server: id, at: at.clone() })
    }

    /// Members that serve only at addresses that the file does not name.
    pub fn unnamed(&self, seen: &Observation) -> Vec<Recipient> {
        let members = &seen.config.membership;
        let of_members = seen.servers.values().filter(|observed| members.contains(observed.id));
        let unnamed = of_members.filter_map(|observed| {
            let at = observed.reached_at.first()?;
            let is_named = observed.reached_at.iter().any(|at| self.names(seen, at));
            (!is_named).then(|| Recipient { server: observed.id, at: at.clone() })
        });
        unnamed.collect()
    }

    /// Whether the file names an address, directly or by a name that several servers share.
    fn names(&self, seen: &Observation, at: &Endpoint) -> bool {
        let name = seen.shared_names.get(at);
        self.endpoints.contains(at) || name.is_some_and(|name| self.endpoints.contains(name))
    }

    fn fits(&self, seen: &Observation) -> bool {
        let is = |wanted: &String| seen.identity == Identity::Known(wanted.clone());
        self.identity.as_ref().is_none_or(is)
    }
}

impl Access {
    /// Sessions on these terms, on servers that the file names.
    pub const fn new(terms: SessionTerms, named: Named) -> Self {
        Self { terms, named }
    }

    /// The user that sessions authenticate as, if any.
    pub fn user(&self) -> Option<&str> {
        self.terms.auth.as_ref().map(Credential::user)
    }

    /// The identity under which sessions change something.
    pub fn signer(&self) -> Signer {
        match &self.terms.auth {
            Some(auth) if auth.sends_password() => Signer::User(auth.user().to_owned()),
            Some(auth) => Signer::Sasl(auth.user().to_owned()),
            None if self.named.certificate => Signer::Certificate,
            None => Signer::Anonymous,
        }
    }

    /// The servers that may receive the session, those that stay first. Without a password there is
    /// nothing to protect, so every server of the ensemble may; a certificate is shown in TLS alone.
    pub fn recipients(&self, seen: &Observation, leaving: &BTreeSet<ServerId>) -> Vec<Recipient> {
        if self.terms.auth.is_some() {
            return self.named.recipients(seen, leaving);
        }
        let serving = serving(seen, leaving).into_iter();
        let at = |(server, at)| Some(Recipient { server, at: self.shown_at(seen, server, at)? });
        serving.filter_map(at).collect()
    }

    /// Where a session on a server shows what this file has, given one address of the server. A
    /// plain port takes no certificate: the session would be there without an identity, and would be
    /// refused.
    fn shown_at(&self, seen: &Observation, server: ServerId, at: Endpoint) -> Option<Endpoint> {
        if at.tls || !self.named.certificate {
            return Some(at);
        }
        seen.servers.get(&server)?.reached_at.iter().find(|at| at.tls).cloned()
    }

    /// Members that serve only at addresses that the file does not name.
    pub fn unnamed(&self, seen: &Observation) -> Vec<Recipient> {
        self.named.unnamed(seen)
    }

    /// A joiner that may be asked once its data are proven.
    pub fn joiner(&self, seen: &Observation, id: ServerId) -> Option<Recipient> {
        if self.terms.auth.is_some() {
            return self.named.joiner(seen, id);
        }
        let at = seen.servers.get(&id)?.reached_at.first()?.clone();
        Some(Recipient { server: id, at: self.shown_at(seen, id, at)? })
    }

    /// A session on the first of these servers that opens one and matches the survey. Otherwise the
    /// last error.
    pub async fn open<P: SessionFactory>(
        &self,
        port: &P,
        seen: &Observation,
        recipients: &[Recipient],
    ) -> Result<P::Session, RequestError> {
        let mut last = RequestError::NotSent;
        for to in recipients {
            match self.session(port, seen, to).await {
                Ok(session) => return Ok(session),
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    /// A session on one server. The credential is shown only after the session itself has verified
    /// that this is the observed server. Otherwise the session is closed.
    pub async fn session<P: SessionFactory>(
        &self,
        port: &P,
        seen: &Observation,
        to: &Recipient,
    ) -> Result<P::Session, RequestError> {
        let mut session = port.open(&to.at, &self.terms).await?;
        if self.terms.auth.is_none() {
            return Ok(session);
        }
        let shown = match self.is_as_seen(&session, seen, to.server).await {
            Ok(true) => session.authenticate().await,
            Ok(false) => Err(RequestError::NotSent),
            Err(failure) => Err(failure),
        };
        match shown {
            Ok(()) => Ok(session),
            Err(failure) => {
                session.close().await;
                Err(failure)
            }
        }
    }

    /// Asks whether a server lets this user change the configuration, on a short session of its
    /// own. Changes nothing.
    pub async fn ask<P: SessionFactory>(
        &self,
        port: &P,
        seen: &Observation,
        to: &Recipient,
    ) -> Asked {
        let permission = match self.session(port, seen, to).await {
            Ok(session) => {
                let probed = session.probe_write(CONFIG).await;
                session.close().await;
                permission(&probed)
            }
            Err(RequestError::InClear) => Permission::InClear,
            Err(RequestError::Refused(ErrorCode::AuthFailed)) => Permission::Refused,
            Err(_) => Permission::Unknown,
        };
        Asked { at: to.at.clone(), signer: self.signer(), permission }
    }

    /// Whether a server closes every connection beside a session: a connection limit
    /// (`maxClientCnxns`) then leaves room for no other request.
    pub async fn is_shut_out_beside<P: SessionFactory>(
        &self,
        port: &P,
        session: &P::Session,
    ) -> bool {
        port.ask(session.at(), FourLetterWord::Srvr).await == Err(NoAnswer::Closed)
            && session.get(CONFIG).await.is_ok()
    }

    /// Whether an unauthenticated session is on the server that the survey observed: the id, the
    /// same or a newer configuration, and the identity.
    async fn is_as_seen<S: Session>(
        &self,
        session: &S,
        seen: &Observation,
        server: ServerId,
    ) -> Result<bool, RequestError> {
        // The low byte of the server's id is the top byte of the sessions that it creates
        // (`SessionTrackerImpl.initializeNextSessionId`).
        if session.id().to_be_bytes()[0] != server.get().to_le_bytes()[0] {
            return Ok(false);
        }
        let [node] = session.read(&[CONFIG]).await?.try_into().unwrap_or_default();
        let config = node.map(|node| node.text()).unwrap_or_default();
        let Ok(config) = EnsembleConfig::parse(&config) else { return Ok(false) };
        // At version 0 each server shows its own file.
        let known = &seen.config;
        let is_known =
            known.version.is_zero() || config == *known || config.version > known.version;
        let identity = match session.get(&self.named.paths.identity()).await {
            Ok(node) => node.map_or(Identity::NoneYet, |node| Identity::Known(node.text())),
            // The znode is not readable for everyone, so it proves nothing here.
            Err(RequestError::Refused(ErrorCode::NoAuth)) => return Ok(is_known),
            Err(failure) => return Err(failure),
        };
        Ok(is_known && identity == seen.identity)
    }
}

/// The meaning of a probe's answer.
pub const fn permission(probed: &Result<(), ErrorCode>) -> Permission {
    match probed {
        Ok(()) => Permission::Granted,
        Err(ErrorCode::NoAuth | ErrorCode::AuthFailed) => Permission::Refused,
        Err(_) => Permission::Unknown,
    }
}

/// The servers that can give a session: those that follow this ensemble's leader, members that stay
/// first.
///
/// No other server is asked for one: only a server of this ensemble is trusted to report that a
/// session has expired. [`Named`] decides which of them may receive a password.
pub fn serving(seen: &Observation, leaving: &BTreeSet<ServerId>) -> Vec<(ServerId, Endpoint)> {
    let ours = |status: &ServerStatus| match status {
        ServerStatus::Leading
        | ServerStatus::Following
        | ServerStatus::Observing
        | ServerStatus::FollowingWithoutVote
        | ServerStatus::Behind => true,
        ServerStatus::OtherConfiguration
        | ServerStatus::OwnFile
        | ServerStatus::ConfigNotInForce
        | ServerStatus::AnswersAs(_)
        | ServerStatus::IdUnknown
        | ServerStatus::Standalone
        | ServerStatus::ReadOnly
        | ServerStatus::NotServing
        | ServerStatus::Silent(_)
        | ServerStatus::NotAsked
        | ServerStatus::Assumed => false,
    };
    let members = &seen.config.membership;
    let serving = seen.servers.values().filter(|observed| ours(&observed.status));
    let mut serving: Vec<(ServerId, Endpoint)> =
        serving.filter_map(|observed| Some((observed.id, observed.endpoint.clone()?))).collect();
    serving.sort_by_key(|(id, _)| (!members.contains(*id), leaving.contains(id), *id));
    serving
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ensemble::{Credential, InClear};
    use crate::model::{Membership, Millis};
    use crate::observe::observe;
    use crate::simulator::{Rules, Simulated, Timing, World};
    use crate::spec;

    const MEMBERS: &str = "server.1=h1:2888:3888;2181\nserver.2=h2:2888:3888;2181\n\
                           server.3=h3:2888:3888;2181";

    /// Lists server 1, and 2 at another address than its present one. Reaches the ensemble through
    /// server 1.
    const SPEC: &str = "apiVersion: zkplan/v1\nensemble: test\nconnect: { servers: [h1:2181] }\n\
                        servers: [{ id: 1, host: h1 }, { id: 2, host: h2, clientPort: 9999 }]";

    fn world() -> Simulated {
        let rules = Rules { needs_auth: true, ..Rules::default() };
        let members = Membership::parse(MEMBERS).expect("members");
        Simulated::new(World::new(members, Timing::default(), rules))
    }

    fn named() -> (Target, Named) {
        let target = spec::parse("spec.yaml", SPEC).expect("a spec").to_target();
        let named = Named::of(&target, None);
        (target, named)
    }

    fn seen(port: &Simulated, target: &Target) -> Observation {
        let seen = port.run(observe(port, &Question::of(target))).expect("a client that lives");
        seen.expect("an ensemble")
    }

    fn ids(of: &[Recipient]) -> Vec<i64> {
        of.iter().map(|to| to.server.get()).collect()
    }

    fn access(named: Named) -> Access {
        let auth = Some(Credential::digest("super", "geheim", InClear::Loopback));
        Access::new(SessionTerms { timeout: Millis(4000), auth }, named)
    }

    #[test]
    fn only_addresses_in_the_file_are_sent_a_password() {
        let (port, (target, named)) = (world(), named());
        let seen = seen(&port, &target);
        let none = BTreeSet::new();
        assert_eq!(ids(&named.recipients(&seen, &none)), [1]);
        assert_eq!(ids(&named.unnamed(&seen)), [2, 3], "2 serves elsewhere than the file says");
        let other = Named { identity: Some("another".to_owned()), ..named.clone() };
        assert_eq!(other.recipients(&seen, &none), [], "it is another ensemble than the plan's");
        // An unauthenticated session has no credential to lose.
        let terms = SessionTerms { timeout: Millis(4000), auth: None };
        assert_eq!(ids(&Access::new(terms, named).recipients(&seen, &none)), [1, 2, 3]);
    }

    /// A server whose TLS port does not answer for a moment is reached at its plain port all the
    /// same. A session there would have no identity.
    #[test]
    fn a_session_that_shows_a_certificate_goes_to_tls_ports_alone() {
        let (port, (target, mut named)) = (world(), named());
        let mut seen = seen(&port, &target);
        named.certificate = true;
        let plain = |named: &Named| {
            Access::new(SessionTerms { timeout: Millis(4000), auth: None }, named.clone())
        };
        let (one, none) = (ServerId::new(1), BTreeSet::new());
        assert_eq!(plain(&named).recipients(&seen, &none), []);
        assert_eq!(plain(&named).joiner(&seen, one), None);
        let server = seen.servers.get_mut(&one).expect("server 1");
        let secure = Endpoint { port: 2281, tls: true, ..server.reached_at[0].clone() };
        server.reached_at.push(secure.clone());
        let to = Recipient { server: one, at: secure };
        assert_eq!(plain(&named).recipients(&seen, &none), [to]);
        named.certificate = false;
        assert_eq!(ids(&plain(&named).recipients(&seen, &none)), [1, 2, 3]);
    }

    #[test]
    fn who_is_no_member_any_more_is_sent_nothing() {
        let (port, (target, named)) = (world(), named());
        let mut seen = seen(&port, &target);
        seen.config.membership = Membership::parse("server.3=h3:2888:3888;2181").expect("members");
        assert_eq!(named.recipients(&seen, &BTreeSet::new()), []);
    }

    #[test]
    fn who_does_not_follow_as_it_should_is_sent_nothing() {
        let (port, (target, named)) = (world(), named());
        let mut seen = seen(&port, &target);
        let one = ServerId::new(1);
        let mut status = |status| {
            seen.servers.get_mut(&one).expect("server 1").status = status;
            let other = Named { identity: Some("another".to_owned()), ..named.clone() };
            let elsewhere = Named { endpoints: BTreeSet::new(), ..named.clone() };
            assert_eq!(other.joiner(&seen, one), None, "another ensemble than the plan's");
            assert_eq!(elsewhere.joiner(&seen, one), None, "at no address of the file");
            let members = ids(&named.recipients(&seen, &BTreeSet::new()));
            (members, named.joiner(&seen, one).map(|to| to.server))
        };
        assert_eq!(status(ServerStatus::Following), (vec![1], None));
        assert_eq!(status(ServerStatus::FollowingWithoutVote), (Vec::new(), Some(one)));
        for other in
            [ServerStatus::Behind, ServerStatus::OtherConfiguration, ServerStatus::Standalone]
        {
            assert_eq!(status(other), (Vec::new(), None));
        }
    }

    #[test]
    fn a_session_shows_what_was_seen_before_it_shows_a_password() {
        let (port, (target, named)) = (world(), named());
        let mut seen = seen(&port, &target);
        let access = access(named);
        let [to] = access.recipients(&seen, &BTreeSet::new()).try_into().expect("one");
        let ask = |seen: &Observation, to: &Recipient| {
            port.run(access.ask(&port, seen, to)).expect("a client that lives").permission
        };
        assert_eq!(ask(&seen, &to), Permission::Granted);
        let other = Recipient { server: ServerId::new(2), ..to.clone() };
        assert_eq!(ask(&seen, &other), Permission::Unknown, "server 1 answers there");
        let mut elsewhere = seen.clone();
        elsewhere.config.version = "7f00000000".parse().expect("a version");
        assert_eq!(ask(&elsewhere, &to), Permission::Unknown, "it has an older configuration");
        seen.identity = Identity::Known("another".to_owned());
        assert_eq!(ask(&seen, &to), Permission::Unknown, "it has another identity");
    }

    #[test]
    fn a_server_that_does_not_know_the_user_refuses() {
        let (port, (target, named)) = (world(), named());
        let seen = seen(&port, &target);
        let at = port.world().place_of(ServerId::new(1)).expect("server 1");
        port.world().process_mut(at).set_up(|file| file.knows_super = false);
        let access = access(named);
        let [to] = access.recipients(&seen, &BTreeSet::new()).try_into().expect("one");
        let asked = port.run(access.ask(&port, &seen, &to)).expect("a client that lives");
        let user = Signer::User("super".to_owned());
        assert_eq!((asked.permission, asked.signer), (Permission::Refused, user));
    }
}
