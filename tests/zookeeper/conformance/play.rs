//! One case, played on either stage through the port, and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use zkplan::ensemble::four_letter::{Conf, Mntr, Srvr};
use zkplan::ensemble::{
    AclEntry, CONFIG, Credential, Ensemble as _, ErrorCode, FourLetterWord, InClear, Lifetime, Op,
    PortState, RequestError, Session, SessionFactory, SessionTerms,
};
use zkplan::model::{
    ConfigVersion, Endpoint, EnsembleConfig, Membership, Millis, Reconfig, Server, ServerId,
    Update, VoteWeight, WantedSettings,
};
use zkplan::observe::{
    ClientsOf, Observation, ObserveError, PortsOf, Question, ServerObservation, ServerStatus,
    Wanted, observe,
};

use zkplan::simulator::Barred;

use super::case::{AdminAction, Case, Differs, Line, Part, Request, Told, Who};
use super::stage::Stage;
use crate::harness::{PATIENCE, SUPER_PASSWORD};

/// How long is waited between two questions whether something has come about.
const PAUSE: Duration = Duration::from_millis(25);

/// What one step came to: a word, and everything that has to be the same on both stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) told: Told,
    pub(super) detail: Vec<String>,
}

/// What is known of a stage between cases.
#[derive(Clone)]
pub(super) struct Knowledge {
    /// The lines with which servers came, those that never run too.
    lines: BTreeMap<ServerId, Server>,
    /// A line that lends its ports.
    spare: Server,
    /// Who runs, and is looked at.
    up: BTreeSet<ServerId>,
    /// Who runs and can never serve as things are.
    barred: BTreeSet<ServerId>,
    /// Who never runs, and is looked at.
    dead: BTreeSet<ServerId>,
    /// Where servers are asked whose lines have no client part.
    asked_at: BTreeMap<ServerId, Endpoint>,
    first: Option<ConfigVersion>,
    /// The leader of the first look, and the other voters.
    then: Vec<ServerId>,
    now: Option<Now>,
    last: Option<ServerId>,
}

/// What the last look showed.
#[derive(Clone)]
struct Now {
    leader: ServerId,
    config: EnsembleConfig,
}

impl Knowledge {
    pub(super) fn new(
        lines: BTreeMap<ServerId, Server>,
        spare: Server,
        up: BTreeSet<ServerId>,
    ) -> Self {
        let dead = lines.keys().copied().filter(|id| !up.contains(id)).collect();
        let (barred, asked_at, then) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
        Self { lines, spare, up, barred, dead, asked_at, first: None, then, now: None, last: None }
    }

    /// Where servers are asked whose lines have no client part.
    pub(super) fn asking(self, asked_at: BTreeMap<ServerId, Endpoint>) -> Self {
        Self { asked_at, ..self }
    }

    pub(super) fn leader(&self) -> ServerId {
        self.now().leader
    }

    fn now(&self) -> &Now {
        self.now.as_ref().expect("every story begins with a look")
    }

    fn id(&self, who: Who) -> ServerId {
        match who {
            Who::Id(id) => ServerId::new(id),
            Who::Leader => self.now().leader,
            Who::Voter(nth) => {
                let Now { leader, config } = self.now();
                let others = config.membership.voters().into_iter().filter(|id| id != leader);
                others.collect::<Vec<_>>()[nth]
            }
            Who::Then(nth) => self.then[nth],
            Who::Last => self.last.expect("a request before"),
        }
    }

    /// The line of a server now.
    fn line_of(&self, id: ServerId) -> &Server {
        self.now.as_ref().and_then(|now| now.config.membership.get(id)).unwrap_or(&self.lines[&id])
    }

    fn endpoint(&self, who: Who) -> Endpoint {
        self.asked_at(self.id(who)).expect("every line has a client part")
    }

    fn asked_at(&self, id: ServerId) -> Option<Endpoint> {
        self.line_of(id).client_endpoint().or_else(|| self.asked_at.get(&id).cloned())
    }

    fn line(&self, line: &Line) -> Server {
        let mut server = self.lines[&self.id(line.who)].clone();
        let spare = self.spare.peer();
        match line.differs {
            Differs::InNothing => {}
            Differs::InClientPort => server.client.clone_from(&self.spare.client),
            Differs::InQuorumPort => server.peers[0].quorum_port = spare.quorum_port,
            Differs::InElectionPort => server.peers[0].election_port = spare.election_port,
            Differs::WithoutClient => server.client = None,
        }
        server.role = line.role.unwrap_or(server.role);
        server.place = match line.place {
            Some((group, weight)) => Some(VoteWeight { group, weight }),
            None => server.place.filter(|_| server.votes()),
        };
        server
    }

    fn reconfig(&mut self, request: &Request) -> Reconfig {
        let joining = request.joining.iter().map(|line| self.line(line)).collect();
        let leaving: Vec<ServerId> = request.leaving.iter().map(|who| self.id(*who)).collect();
        let about = request.joining.first().map(|line| self.id(line.who));
        self.last = about.or(leaving.first().copied()).or(self.last);
        Reconfig { joining, leaving }
    }

    fn question(&self) -> Question {
        let all = self.up.iter().chain(&self.dead).chain(&self.barred).copied();
        let wanted = all.map(|id| {
            let server = self.line_of(id).clone();
            (id, Wanted { endpoint: self.asked_at(id), server, admin: None })
        });
        let contacts = self.up.iter().filter_map(|id| self.asked_at(*id));
        Question {
            contacts: contacts.collect(),
            wanted: wanted.collect(),
            clients: ClientsOf::NoServer,
            settings: WantedSettings::default(),
            skip_data: false,
            ports: PortsOf::EveryServer,
        }
    }

    /// Whether everybody who runs does what it goes on doing.
    fn is_calm(&self, seen: &Observation) -> bool {
        let healthy = |observed: &ServerObservation| {
            matches!(
                observed.status,
                ServerStatus::Leading
                    | ServerStatus::Following
                    | ServerStatus::Observing
                    | ServerStatus::FollowingWithoutVote
            )
        };
        // On every new membership a server closes its election port for a moment
        // (`QuorumPeer.restartLeaderElection`).
        let listens =
            |observed: &ServerObservation| observed.election_port == Some(PortState::Open);
        // One without reconfigs follows with its own file, under a leader that has given a version.
        let follows_with_its_file = |observed: &ServerObservation| {
            let has_none =
                observed.config.as_ref().is_some_and(|config| config.value.version.is_zero());
            has_none
                && observed.status == ServerStatus::OtherConfiguration
                && !seen.config.version.is_zero()
        };
        let serves =
            |observed: &ServerObservation| healthy(observed) || follows_with_its_file(observed);
        let calm = |id: &ServerId| seen.servers.get(id).is_some_and(|s| serves(s) && listens(s));
        seen.leader.is_some() && seen.write_committed && self.up.iter().all(calm)
    }
}

/// Plays a case to its end.
pub(super) async fn play<S: Stage>(
    stage: &S,
    knowledge: &mut Knowledge,
    case: &Case,
) -> Vec<Answer> {
    let mut player = Player { stage, knowledge, held: None };
    let mut answers = Vec::new();
    for step in &case.steps {
        answers.push(player.does(&step.deed, step.told).await);
    }
    if let Some(session) = player.held.take() {
        session.close().await;
    }
    answers
}

type Held<S> = <<S as Stage>::Port as SessionFactory>::Session;

struct Player<'a, S: Stage> {
    stage: &'a S,
    knowledge: &'a mut Knowledge,
    held: Option<Held<S>>,
}

impl<S: Stage> Player<'_, S> {
    async fn does(&mut self, deed: &AdminAction, wanted: Told) -> Answer {
        match deed {
            AdminAction::Send(request) => self.send(request, wanted).await,
            AdminAction::SendOnly(request) => {
                let told = self.ask(request).await.map(drop);
                word(&told, wanted).alone()
            }
            AdminAction::Look => self.look(None).await,
            AdminAction::Settle => self.look(None).await.told.alone(),
            AdminAction::FindNoQuorum => self.find_no_quorum().await,
            AdminAction::AskWords => self.ask_words().await,
            AdminAction::Open(who) => self.open(*who, 4000).await,
            AdminAction::OpenFor(who, timeout) => self.open(*who, *timeout).await,
            AdminAction::Attach(who) => {
                let at = self.knowledge.endpoint(*who);
                let session = self.held.as_mut().expect("a session");
                let before = session.id();
                let told = session.attach(&at).await;
                word(&told, wanted).with([format!("the same id: {}", session.id() == before)])
            }
            AdminAction::Close => {
                self.held.take().expect("a session").close().await;
                Told::Done.alone()
            }
            AdminAction::Kill(_)
            | AdminAction::Start(_)
            | AdminAction::Freeze(_)
            | AdminAction::Thaw(_) => self.turns(deed),
            AdminAction::Enable(who) => {
                self.stage.enable(self.knowledge.id(*who));
                Told::Done.alone()
            }
            AdminAction::ExpectBack(who) => {
                let id = self.knowledge.id(*who);
                self.knowledge.barred.remove(&id);
                self.knowledge.up.insert(id);
                Told::Done.alone()
            }
            AdminAction::FindBarred(who, why) => self.find_barred(*who, *why).await,
            AdminAction::SeeFromElsewhere(path) => self.see_from_elsewhere(path).await,
            AdminAction::AwaitGone(path) => {
                for _ in 0..pauses() {
                    let seen = self.see_from_elsewhere(path).await;
                    if seen.told == Told::Refused(ErrorCode::NoNode) {
                        return Told::Done.alone();
                    }
                    self.stage.port().pause(PAUSE).await;
                }
                Told::Never.alone()
            }
            AdminAction::ProbeWriteAsNobody | AdminAction::ProbeReconfigAsNobody => {
                let session = self.session(Who::Leader, true).await;
                let told = match deed {
                    AdminAction::ProbeWriteAsNobody => session.probe_write(CONFIG).await,
                    _ => session.probe_reconfig().await,
                };
                session.close().await;
                word(&told.map_err(RequestError::Refused), wanted).alone()
            }
            _ => self.in_session(deed, wanted).await,
        }
    }

    /// What is asked of the session that is held.
    async fn in_session(&self, deed: &AdminAction, wanted: Told) -> Answer {
        let session = self.held.as_ref().expect("a session");
        let acl = everybody();
        match deed {
            AdminAction::Do(parts) => {
                let ops: Vec<Op<'_>> = parts.iter().map(|part| op(*part, &acl)).collect();
                word(&session.transact(&ops).await, wanted).alone()
            }
            AdminAction::Raise(who, parts) => self.raise(*who, parts, wanted).await,
            AdminAction::Make(path) => word(&session.create(path, b"", &acl).await, wanted).alone(),
            AdminAction::SetMany(path, count) => {
                word(&session.set_many(path, *count).await, wanted).alone()
            }
            AdminAction::See(path) => see(session, path, wanted).await,
            AdminAction::Children(path) => {
                let listed = session.children(path).await;
                word(&listed, wanted).with(listed.unwrap_or_default())
            }
            AdminAction::ProbeWrite => {
                word(&session.probe_write(CONFIG).await.map_err(RequestError::Refused), wanted)
                    .alone()
            }
            AdminAction::ProbeReconfig => {
                word(&session.probe_reconfig().await.map_err(RequestError::Refused), wanted).alone()
            }
            _ => unreachable!("everything else is no matter of that session"),
        }
    }

    /// A transaction, and by how much it raises the zxid: the least of some tries, for sessions of
    /// before may end meanwhile.
    async fn raise(&self, who: Who, parts: &[Part], wanted: Told) -> Answer {
        let session = self.held.as_ref().expect("a session");
        let acl = everybody();
        let ops: Vec<Op<'_>> = parts.iter().map(|part| op(*part, &acl)).collect();
        let at = self.knowledge.endpoint(who);
        let zxid = async || {
            let told =
                self.stage.port().ask(&at, FourLetterWord::Srvr).await.expect("the server answers");
            Srvr::parse(&told).zxid.expect("a zxid").get()
        };
        let mut told = Err(RequestError::NotSent);
        let mut raised = u64::MAX;
        for _ in 0..5 {
            let before = zxid().await;
            told = session.transact(&ops).await;
            raised = raised.min(zxid().await - before);
        }
        word(&told, wanted).with([format!("raises the zxid by {raised}")])
    }

    fn turns(&mut self, deed: &AdminAction) -> Answer {
        let (AdminAction::Kill(who)
        | AdminAction::Start(who)
        | AdminAction::Freeze(who)
        | AdminAction::Thaw(who)) = deed
        else {
            unreachable!("nothing else is done to servers")
        };
        let id = self.knowledge.id(*who);
        match deed {
            AdminAction::Kill(_) => self.stage.kill(id),
            AdminAction::Start(_) => self.stage.start(id),
            AdminAction::Freeze(_) => self.stage.freeze(id),
            _ => self.stage.thaw(id),
        }
        self.knowledge.barred.remove(&id);
        if matches!(deed, AdminAction::Kill(_) | AdminAction::Freeze(_)) {
            self.knowledge.up.remove(&id);
        } else {
            self.knowledge.up.insert(id);
        }
        Told::Done.alone()
    }

    async fn session(&self, at: Who, by_nobody: bool) -> Held<S> {
        let at = self.knowledge.endpoint(at);
        self.opened(&at, &terms(4000, by_nobody)).await
    }

    /// Opens a session, as soon as the server takes one: no case is about that.
    async fn opened(&self, at: &Endpoint, terms: &SessionTerms) -> Held<S> {
        let mut why = RequestError::NotSent;
        for _ in 0..pauses() {
            match self.stage.port().open(at, terms).await {
                Ok(mut session) => match session.authenticate().await {
                    Ok(()) => return session,
                    Err(failure) => why = failure,
                },
                Err(failure) => why = failure,
            }
            self.stage.port().pause(PAUSE).await;
        }
        panic!("no session at {at}: {why:?}")
    }

    async fn open(&mut self, who: Who, timeout: u64) -> Answer {
        let at = self.knowledge.endpoint(who);
        let session = self.opened(&at, &terms(timeout, false)).await;
        let [byte, ..] = session.id().to_be_bytes();
        let told = [
            format!("made by whom was asked: {}", i64::from(byte) == self.knowledge.id(who).get()),
            format!("for {} ms", session.timeout_ms()),
        ];
        self.held = Some(session);
        Told::Done.with(told)
    }

    /// A request, and the configuration of the reply.
    async fn ask(&mut self, request: &Request) -> Result<EnsembleConfig, RequestError> {
        let session = self.session(request.at, request.by_nobody).await;
        let reconfig = self.knowledge.reconfig(request);
        let now = self.knowledge.now().config.version;
        let update = if request.incremental {
            Update::Incremental(reconfig)
        } else {
            Update::of(&self.knowledge.now().config.membership, &reconfig)
        };
        let first = self.knowledge.first.expect("the first look has told");
        let version = if request.stale { first } else { now };
        assert!(!request.stale || first != now, "a stale request names an older version");
        let answer = session.reconfig(&update, version).await;
        session.close().await;
        answer
    }

    async fn send(&mut self, request: &Request, wanted: Told) -> Answer {
        let before = self.knowledge.now().config.version;
        let answer = self.ask(request).await;
        let told = word(&answer, wanted);
        // The configuration that was committed may reach a server a moment later.
        let done = matches!(told, Told::Done | Told::DoneOrLost);
        let mut seen = self.look(done.then_some(before)).await;
        let Some(now) = &self.knowledge.now else { return seen };
        if let (Ok(reply), Told::Done) = (&answer, told) {
            let same = *reply == now.config;
            seen.detail.push(format!("the reply is what is there then: {same}"));
        }
        let raised = now.config.version > before;
        seen.detail.insert(0, format!("version raised: {raised}"));
        Answer { told: if seen.told == Told::Done { told } else { seen.told }, ..seen }
    }

    /// Looks until everybody is calm, and a version after that one is seen.
    async fn look(&mut self, after: Option<ConfigVersion>) -> Answer {
        let mut last = String::new();
        for _ in 0..pauses() {
            match observe(self.stage.port(), &self.knowledge.question()).await {
                Ok(seen) => {
                    let is_later = after.is_none_or(|before| seen.config.version > before);
                    if is_later && self.knowledge.is_calm(&seen) {
                        return self.takes(&seen);
                    }
                    last = described(&seen, &self.knowledge.barred).join("\n");
                    if is_later {
                        // Where servers listen now.
                        self.knows(&seen);
                    }
                }
                Err(why) => last = why.to_string(),
            }
            self.stage.port().pause(PAUSE).await;
        }
        Told::Never.with(last.lines().map(str::to_owned))
    }

    fn knows(&mut self, seen: &Observation) {
        if let Some(leader) = seen.leader {
            self.knowledge.first.get_or_insert(seen.config.version);
            if self.knowledge.then.is_empty() {
                let others = seen.config.membership.voters().into_iter();
                let others = others.filter(|id| *id != leader);
                self.knowledge.then = [leader].into_iter().chain(others).collect();
            }
            self.knowledge.now = Some(Now { leader, config: seen.config.clone() });
        }
    }

    fn takes(&mut self, seen: &Observation) -> Answer {
        self.knows(seen);
        Told::Done.with(described(seen, &self.knowledge.barred))
    }

    async fn find_no_quorum(&mut self) -> Answer {
        for _ in 0..pauses() {
            let seen = observe(self.stage.port(), &self.knowledge.question()).await;
            if matches!(seen, Err(ObserveError::NoQuorum { .. })) {
                return Told::Done.alone();
            }
            self.stage.port().pause(PAUSE).await;
        }
        Told::Never.alone()
    }

    async fn see_from_elsewhere(&self, path: &str) -> Answer {
        let session = self.session(Who::Leader, true).await;
        let seen = see(&session, path, Told::Done).await;
        session.close().await;
        seen
    }

    async fn find_barred(&mut self, who: Who, why: Barred) -> Answer {
        let (id, leader) = (self.knowledge.id(who), self.knowledge.now().leader);
        self.knowledge.up.remove(&id);
        self.knowledge.barred.insert(id);
        for _ in 0..pauses() {
            if self.stage.is_barred(id, leader, why) {
                return Told::Done.alone();
            }
            self.stage.port().pause(PAUSE).await;
        }
        Told::Never.alone()
    }

    async fn ask_words(&self) -> Answer {
        let mut spoken = Vec::new();
        for id in &self.knowledge.up {
            let at = self.knowledge.line_of(*id).client_endpoint().expect("a client part");
            let port = self.stage.port();
            let [srvr, conf, mntr] =
                [FourLetterWord::Srvr, FourLetterWord::Conf, FourLetterWord::Mntr];
            let srvr = port.ask(&at, srvr).await.map(|text| Srvr::parse(&text));
            let conf = port.ask(&at, conf).await.map(|text| Conf::parse(&text));
            let mntr = port.ask(&at, mntr).await.map(|text| Mntr::parse(&text));
            let now = &self.knowledge.now().config;
            spoken.push(format!("server {id}: {:?}", srvr.map(|srvr| srvr.mode)));
            spoken.push(format!("server {id}: {:?}", conf.map(|conf| of_conf(conf, now))));
            let figures = mntr.map(|mntr| {
                let synced = (mntr.synced_followers, mntr.synced_non_voting_followers);
                (mntr.peer_state, synced, mntr.quorum_size, mntr.digest_mismatches)
            });
            spoken.push(format!("server {id}: {figures:?}"));
        }
        Told::Done.with(spoken)
    }
}

/// What has to be the same of a `conf`: whether it is the committed configuration, in whatever
/// order and at whatever version.
fn of_conf(conf: Conf, now: &EnsembleConfig) -> String {
    let config = conf.config.map(|config| config.map(|config| config == *now));
    let figures = (conf.server_id, conf.client_port, conf.quorum_ports, conf.election_ports);
    let times = (conf.tick_ms, conf.init_limit, conf.sync_limit);
    format!("{figures:?}, {times:?}, the committed configuration: {config:?}")
}

/// Everything that a look shows and that does not differ by nature.
///
/// A server that begins its election again and again closes its election port each time.
fn described(seen: &Observation, barred: &BTreeSet<ServerId>) -> Vec<String> {
    let mut told = vec![
        format!("server {:?} leads", seen.leader.map(ServerId::get)),
        format!("reconfig disabled: {}", seen.reconfig_disabled),
        format!("version 0: {}", seen.config.version.is_zero()),
        format!("identity: {:?}", seen.identity),
    ];
    told.extend(lines(&seen.config.membership));
    told.extend(seen.servers.values().map(|observed| {
        let own = observed.own_id.map(|told| told.value.get());
        let config = observed.config.as_ref().map(|told| told.value == seen.config);
        let (quorum, mut election) = (observed.quorum_port, observed.election_port);
        election.take_if(|_| barred.contains(&observed.id));
        format!(
            "server {}: {:?}, says {:?} as {own:?}, the ensemble's configuration: {config:?}, own \
             ports {:?}, quorum port {quorum:?}, election port {election:?}",
            observed.id, observed.status, observed.mode, observed.own_ports
        )
    }));
    told
}

fn lines(members: &Membership) -> Vec<String> {
    members.to_string().lines().map(str::to_owned).collect()
}

async fn see(session: &impl Session, path: &str, wanted: Told) -> Answer {
    match session.read(&[path]).await {
        Ok(nodes) => match nodes.into_iter().next().flatten() {
            Some(node) => {
                let owner = if node.owner == 0 { "persistent" } else { "ephemeral" };
                Told::Done.with([format!("{owner}, written {} times", node.version)])
            }
            None => Told::Refused(ErrorCode::NoNode).alone(),
        },
        Err(why) => word(&Err::<(), _>(why), wanted).alone(),
    }
}

/// So many pauses are as long as patience lasts.
fn pauses() -> u128 {
    PATIENCE.as_millis() / PAUSE.as_millis()
}

fn terms(timeout: u64, by_nobody: bool) -> SessionTerms {
    let auth = Credential::digest("super", SUPER_PASSWORD, InClear::Loopback);
    SessionTerms { timeout: Millis(timeout), auth: (!by_nobody).then_some(auth) }
}

fn everybody() -> Vec<AclEntry> {
    vec![AclEntry { scheme: "world".to_owned(), id: "anyone".to_owned(), permissions: 31 }]
}

fn op(part: Part, acl: &[AclEntry]) -> Op<'_> {
    let make = |path, lifetime| Op::Create { path, data: b"", lifetime, acl };
    match part {
        Part::Check(path, version) => Op::Check { path, version },
        Part::Make(path) => make(path, Lifetime::Persistent),
        Part::MakeEphemeral(path) => make(path, Lifetime::Ephemeral),
        Part::Set(path) => Op::Set { path, data: b"" },
        Part::Delete(path) => Op::Delete { path },
    }
}

/// An answer in one word. Where it races the end of the connection, whether it came is left to
/// chance.
fn word<T>(answer: &Result<T, RequestError>, wanted: Told) -> Told {
    match answer {
        Ok(_) | Err(RequestError::Unknown) if wanted == Told::DoneOrLost => Told::DoneOrLost,
        Ok(_) => Told::Done,
        Err(RequestError::Refused(code)) => Told::Refused(*code),
        Err(RequestError::Unknown | RequestError::NotSent | RequestError::InClear) => Told::Silent,
        Err(RequestError::SessionOver) => Told::Over,
    }
}

impl Told {
    fn alone(self) -> Answer {
        Answer { told: self, detail: Vec::new() }
    }

    fn with(self, detail: impl IntoIterator<Item = String>) -> Answer {
        Answer { told: self, detail: detail.into_iter().collect() }
    }
}
