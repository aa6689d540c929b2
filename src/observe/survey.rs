//! The servers to ask, in which order, until their answers agree or are known to disagree.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use futures::future::join_all;
use tracing::debug;

use super::endpoint_answers::EndpointAnswers;
use super::{Question, Source};
use crate::ensemble::{Ensemble, Mode, NoAnswer};
use crate::model::{Endpoint, EnsembleConfig, Host, Server, ServerId};

/// ZooKeeper's default tick, for servers that do not report their own.
const DEFAULT_TICK_MS: u64 = 2000;

/// A tick is the word of a server; more than this is not waited for.
const MAX_TICK_MS: u64 = 10_000;

/// A survey waits two ticks in all, which have this number of parts. The first pause is one part, and each
/// next pause is twice as long: most hand-overs end long before two ticks.
const PARTS: u32 = 512;

/// The longest pause, in parts.
const LONGEST_PAUSE: u32 = 64;

/// The contacts to ask. A name with several addresses of one kind is that of several servers, as a
/// headless service has: two questions to the name may be answered by two servers. Each address is
/// asked by itself then, but in TLS, where the certificate is for the name.
async fn contacts<E: Ensemble>(
    port: &E,
    given: &[Endpoint],
) -> (Vec<Endpoint>, BTreeMap<Endpoint, Endpoint>) {
    let resolved = join_all(given.iter().map(|at| async {
        let is_name = at.host.literal().is_none() && !at.tls;
        if is_name { port.resolve(&at.host).await } else { Vec::new() }
    }));
    let (mut contacts, mut shared) = (Vec::new(), BTreeMap::new());
    for (at, addresses) in given.iter().zip(resolved.await) {
        let addresses: BTreeSet<IpAddr> = addresses.into_iter().collect();
        let of_kind = |v4: bool| addresses.iter().filter(|ip| ip.is_ipv4() == v4).count();
        if of_kind(true) > 1 || of_kind(false) > 1 {
            let each = addresses.iter().map(|ip| Host::new(&ip.to_string()));
            let each = each.map(|host| Endpoint { host, ..at.clone() });
            shared.extend(each.clone().map(|own| (own, at.clone())));
            contacts.extend(each);
        } else {
            contacts.push(at.clone());
        }
    }
    (contacts, shared)
}

/// Every server that was asked.
pub(super) struct Survey {
    pub(super) probes: Vec<EndpointAnswers>,
    /// The URLs of the `AdminServer`s that belong to endpoints.
    admins: BTreeMap<Endpoint, String>,
    /// Where the spec wants servers.
    wanted: BTreeMap<ServerId, Option<Endpoint>>,
    pub(super) contacts: Vec<Endpoint>,
    /// Contacts that stand for a name of several servers, each at its own address, with that name.
    pub(super) of_shared_names: BTreeMap<Endpoint, Endpoint>,
    /// For how many parts of two ticks answers were awaited.
    waited: u32,
    /// Two ticks, as the last server that served reported them.
    last_two_ticks: Option<Duration>,
}

impl Survey {
    /// Asks contacts and wanted servers, then the members that they name.
    pub(super) async fn at<E: Ensemble>(port: &E, question: &Question) -> Self {
        let wanted = question.wanted.values();
        let admins = wanted.clone().filter_map(|w| Some((w.endpoint.clone()?, w.admin.clone()?)));
        let (contacts, of_shared_names) = contacts(port, &question.contacts).await;
        let mut survey = Self {
            probes: Vec::new(),
            admins: admins.collect(),
            wanted: question.wanted.iter().map(|(id, w)| (*id, w.endpoint.clone())).collect(),
            contacts,
            of_shared_names,
            waited: 0,
            last_two_ticks: None,
        };
        let first = survey.contacts.clone().into_iter();
        survey.ask(port, first.chain(wanted.filter_map(|w| w.endpoint.clone()))).await;
        survey.complete(port).await;
        survey
    }

    /// Asks again until the answers agree, or no patience is left.
    pub(super) async fn settle<E: Ensemble>(&mut self, port: &E) {
        while !self.is_settled() && self.probes.iter().any(EndpointAnswers::serves) {
            if !self.wait(port).await {
                break;
            }
        }
    }

    /// Waits a little and asks again. Returns `false`, without waiting, after two ticks of waiting.
    /// A change of leader or of configuration takes up to that long to show everywhere: an old
    /// leader answers `leader` for up to a tick after a hand-over, and no server serves meanwhile.
    pub(super) async fn wait<E: Ensemble>(&mut self, port: &E) -> bool {
        if self.waited == PARTS {
            return false;
        }
        let ticks = self.two_ticks();
        self.last_two_ticks = Some(ticks);
        let pause = (self.waited + 1).min(LONGEST_PAUSE).min(PARTS - self.waited);
        self.waited += pause;
        debug!(pause = ?(ticks / PARTS * pause), "the servers' answers do not fit together: asking again");
        port.pause(ticks / PARTS * pause).await;
        self.ask_again(port).await;
        true
    }

    /// Asks every server again that may answer differently now.
    pub(super) async fn ask_again<E: Ensemble>(&mut self, port: &E) {
        let again = join_all(self.probes.iter().map(|probe| async {
            if !probe.may_change() {
                return probe.clone();
            }
            let now = EndpointAnswers::of(port, &probe.endpoint, probe.admin_url.as_deref()).await;
            now.guessing(probe.guess_of)
        }));
        self.probes = again.await;
        self.complete(port).await;
    }

    /// Reads the znode of the servers whose `conf` shows an older configuration than this one.
    pub(super) async fn read_znodes<E: Ensemble>(&mut self, port: &E, config: &EnsembleConfig) {
        let is_older = |probe: &&mut EndpointAnswers| {
            let own = probe.config().filter(|own| own.source == Source::Conf);
            let is_older = own.is_some_and(|own| {
                !own.value.version.is_zero() && own.value.version < config.version
            });
            is_older && probe.guess_of.is_none() && probe.mode().is_some_and(Mode::in_ensemble)
        };
        let older = self.probes.iter_mut().filter(is_older);
        join_all(older.map(|probe| probe.read_znode(port))).await;
    }

    /// Twice the longest tick of those who serve.
    pub(super) fn two_ticks(&self) -> Duration {
        let serving = self.counted().filter(|probe| probe.serves());
        let ticks = serving.map(|probe| probe.tick_ms().unwrap_or(DEFAULT_TICK_MS));
        let longest = ticks.max().map(|tick| Duration::from_millis(2 * tick.min(MAX_TICK_MS)));
        longest.or(self.last_two_ticks).unwrap_or(Duration::from_millis(2 * DEFAULT_TICK_MS))
    }

    /// The probes whose answers count: a guessed port counts only where the member that was
    /// guessed at answers there, with the configuration that names it.
    pub(super) fn counted(&self) -> impl Iterator<Item = &EndpointAnswers> {
        self.probes.iter().filter(|probe| probe.guess_of.is_none())
    }

    /// The id that a probe gives itself.
    pub(super) fn own_id(&self, probe: &EndpointAnswers) -> Option<ServerId> {
        Some(probe.own_id(|| self.known(probe))?.value)
    }

    /// The ids that a probe could have.
    pub(super) fn known(&self, probe: &EndpointAnswers) -> BTreeSet<ServerId> {
        let mut known: BTreeSet<ServerId> = self.wanted.keys().copied().collect();
        known.extend(probe.member_ids());
        known
    }

    /// The servers that report to lead, and their configurations. A server that answers at two
    /// endpoints is listed once.
    pub(super) fn leaders(&self) -> Vec<(&EndpointAnswers, EnsembleConfig)> {
        let mut leaders: Vec<(&EndpointAnswers, EnsembleConfig)> = Vec::new();
        for probe in self.counted().filter(|probe| probe.mode() == Some(Mode::Leader)) {
            let Some(config) = probe.config() else { continue };
            let id = self.own_id(probe);
            let same = |(other, theirs): &(&EndpointAnswers, EnsembleConfig)| {
                id.is_some() && self.own_id(other) == id && *theirs == config.value
            };
            if !leaders.iter().any(same) {
                leaders.push((probe, config.value));
            }
        }
        leaders
    }

    /// Whether there is one leader, in its own configuration, and no server with another
    /// configuration that may still become that one. Servers without reconfigs keep the content of
    /// their own files.
    pub(super) fn is_settled(&self) -> bool {
        let leaders = self.leaders();
        let [(leader, config)] = leaders.as_slice() else { return false };
        let votes = self.own_id(leader).is_none_or(|id| config.membership.has_voter(id));
        let mut others =
            self.counted().filter(|probe| probe.serves()).filter_map(EndpointAnswers::config);
        let stays = |other: &EnsembleConfig| other.version.is_zero() && config.version.is_zero();
        votes && others.all(|other| other.value == *config || stays(&other.value))
    }

    async fn ask<E: Ensemble>(&mut self, port: &E, endpoints: impl Iterator<Item = Endpoint>) {
        let mut new: Vec<Endpoint> = Vec::new();
        for at in endpoints {
            if !new.contains(&at) && !self.probes.iter().any(|probe| probe.endpoint == at) {
                new.push(at);
            }
        }
        let asked = new
            .iter()
            .map(|at| EndpointAnswers::of(port, at, self.admins.get(at).map(String::as_str)));
        let asked = join_all(asked).await;
        self.probes.extend(asked);
    }

    /// Asks the members that were not asked yet.
    async fn complete<E: Ensemble>(&mut self, port: &E) {
        let members = self.members();
        self.ask(port, members.iter().filter_map(Server::client_endpoint)).await;
        let is_known = |server: &&Server| {
            let mut there =
                self.counted().filter(|p| !self.of_shared_names.contains_key(&p.endpoint));
            there.any(|probe| self.own_id(probe) == Some(server.id))
        };
        // A wildcard is no address of one server.
        let lost: Vec<&Server> = members
            .iter()
            .filter(|server| server.client.is_none() && !server.peer().host.is_wildcard())
            .filter(|server| !is_known(server))
            .collect();
        self.guess(port, &lost).await;
        let probes = std::mem::take(&mut self.probes);
        let configs: Vec<EnsembleConfig> = probes
            .iter()
            .filter(|probe| probe.guess_of.is_none())
            .filter_map(|probe| Some(probe.config()?.value))
            .collect();
        self.probes = probes.into_iter().map(|probe| self.checked(probe, &configs)).collect();
    }

    /// Every server in any of the configurations.
    pub(super) fn members(&self) -> Vec<Server> {
        let configs = self.counted().filter(|p| p.serves()).filter_map(EndpointAnswers::config);
        let mut members: Vec<Server> = Vec::new();
        for config in configs {
            for server in config.value.membership.servers() {
                if !members.contains(server) {
                    members.push(server.clone());
                }
            }
        }
        members
    }

    /// Members of static origin keep their client port to themselves: they are tried at the ports
    /// that other servers of the ensemble have.
    async fn guess<E: Ensemble>(&mut self, port: &E, lost: &[&Server]) {
        let ports: BTreeSet<(u16, bool)> = self
            .counted()
            .filter(|probe| probe.serves())
            .map(|probe| (probe.endpoint.port, probe.endpoint.tls))
            .collect();
        let mut guesses: Vec<(ServerId, Endpoint)> = Vec::new();
        for server in lost {
            for (port, tls) in &ports {
                let at = Endpoint { host: server.peer().host.clone(), port: *port, tls: *tls };
                let known = self.probes.iter().any(|probe| probe.endpoint == at);
                if !known && !guesses.iter().any(|(_, guess)| *guess == at) {
                    guesses.push((server.id, at));
                }
            }
        }
        let asked =
            join_all(guesses.iter().map(|(_, at)| EndpointAnswers::of(port, at, None))).await;
        for ((id, _), probe) in guesses.iter().zip(asked) {
            self.probes.push(probe.guessing(Some(*id)));
        }
    }

    /// Lifts the reserve from a guess that came true.
    fn checked(&self, probe: EndpointAnswers, configs: &[EnsembleConfig]) -> EndpointAnswers {
        let fits = |config: &EnsembleConfig| probe.runs_with(config) || probe.has_file_like(config);
        let right = probe
            .guess_of
            .is_some_and(|id| self.own_id(&probe) == Some(id) && configs.iter().any(fits));
        if right { probe.guessing(None) } else { probe }
    }

    /// The id by which a server is meant that was asked there, where the spec wants one there.
    pub(super) fn meant_at(&self, at: &Endpoint) -> Option<ServerId> {
        self.wanted.iter().find(|(_, wanted)| wanted.as_ref() == Some(at)).map(|(id, _)| *id)
    }

    /// Where nothing came of asking, and why.
    pub(super) fn silent(&self) -> Vec<(Endpoint, NoAnswer)> {
        let why = |probe: &EndpointAnswers| probe.silence().or_else(|| probe.session_silence());
        self.counted().filter_map(|probe| Some((probe.endpoint.clone(), why(probe)?))).collect()
    }
}
