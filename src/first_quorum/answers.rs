//! What a standalone server and the other servers of a spec answer.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::noted::Noted;
use crate::ensemble::four_letter::{Conf, Mntr, Srvr};
use crate::ensemble::{Ensemble, FourLetterWord, Mode, NoAnswer, PortState, ServerVersion};
use crate::model::{Endpoint, ServerId, Target};

/// What a server that runs standalone shows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandaloneServer {
    /// Where it was asked.
    pub at: Endpoint,
    /// Its release.
    pub version: Option<ServerVersion>,
    /// How far its data go.
    pub noted: Option<Noted>,
    /// The approximate size of its data in bytes, where it answers `mntr`.
    pub bytes: Option<u64>,
    /// Open connections, zkplan's own included.
    pub connections: Option<u64>,
    /// Its `dataDir`, where it answers `conf`.
    pub data_dir: Option<String>,
    /// Whether it answers `conf` and `mntr`, so that its list of words needs no edit.
    pub tells_all: bool,
}

/// What a wanted server does beside the standalone one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedState {
    /// Nothing runs there.
    Down,
    /// Nothing answers, and whether it runs is not known.
    Unknown(NoAnswer),
    /// It has no client address at which it could be asked.
    NotAsked,
    /// It runs standalone.
    Standalone,
    /// It runs and looks for a leader.
    Looks,
    /// It serves in that mode.
    Serves(Mode),
    /// It runs; what it does is not known.
    Runs,
}

impl WantedState {
    /// Whether a server runs there for sure.
    pub const fn is_running(self) -> bool {
        !matches!(self, Self::Down | Self::Unknown(_) | Self::NotAsked)
    }
}

/// Everything that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The standalone server that was reached first.
    pub reached: StandaloneServer,
    /// Every wanted server.
    pub wanted: BTreeMap<ServerId, WantedState>,
    /// The wanted servers that run standalone, as they show themselves at their wanted addresses.
    pub standalone: BTreeMap<ServerId, StandaloneServer>,
    /// Those of them whose wanted address is that of the server that was reached first.
    pub reached_as: BTreeSet<ServerId>,
    /// Ports of wanted servers, other than client ports, on which a process listens.
    pub open_ports: BTreeMap<ServerId, BTreeSet<u16>>,
}

/// Asks the standalone server at that address, and every wanted server.
pub async fn look<E: Ensemble>(port: &E, target: &Target, at: &Endpoint) -> Answered {
    let wanted = target.reach().into_iter().map(|(id, reach)| (id, reach.client));
    let asked = join_all(wanted.map(|(id, own)| async move {
        let srvr = port.ask(&own, FourLetterWord::Srvr).await;
        let beside = beside(&srvr);
        let is_alone = beside == WantedState::Standalone;
        let shown = if is_alone { Some(standalone(port, &own).await) } else { None };
        let is_reached = is_alone && is_same(port, &own, at).await;
        (id, beside, shown, is_reached)
    }));
    let (reached, asked, ports) =
        futures::join!(standalone(port, at), asked, open_ports(port, target));
    let mut answered = Answered {
        reached,
        wanted: target.servers.keys().map(|id| (*id, WantedState::NotAsked)).collect(),
        standalone: BTreeMap::new(),
        reached_as: BTreeSet::new(),
        open_ports: ports,
    };
    for (id, mut beside, shown, is_reached) in asked {
        if !beside.is_running() && answered.open_ports.contains_key(&id) {
            beside = WantedState::Runs;
        }
        answered.wanted.insert(id, beside);
        answered.standalone.extend(shown.map(|shown| (id, shown)));
        answered.reached_as.extend(is_reached.then_some(id));
    }
    answered
}

/// What a server shows of itself, whatever it does.
async fn standalone<E: Ensemble>(port: &E, at: &Endpoint) -> StandaloneServer {
    let (srvr, conf, mntr) = futures::join!(
        port.ask(at, FourLetterWord::Srvr),
        port.ask(at, FourLetterWord::Conf),
        port.ask(at, FourLetterWord::Mntr)
    );
    let tells_all = conf.is_ok() && mntr.is_ok();
    let srvr = srvr.map(|answer| Srvr::parse(&answer)).unwrap_or_default();
    let conf = conf.map(|answer| Conf::parse(&answer)).unwrap_or_default();
    let mntr = mntr.map(|answer| Mntr::parse(&answer)).unwrap_or_default();
    StandaloneServer {
        at: at.clone(),
        version: srvr.version,
        noted: srvr.zxid.zip(srvr.znodes).map(|(zxid, znodes)| Noted { zxid, znodes }),
        bytes: mntr.bytes,
        connections: srvr.connections,
        data_dir: conf.data_dir.as_deref().map(own_data_dir),
        tells_all,
    }
}

/// The `dataDir` of `zoo.cfg`: `conf` shows the folder below it (`FileTxnSnapLog.version`).
fn own_data_dir(shown: &str) -> String {
    shown.trim_end_matches('/').strip_suffix("/version-2").unwrap_or(shown).to_owned()
}

fn beside(srvr: &Result<String, NoAnswer>) -> WantedState {
    match srvr {
        Ok(answer) => match Srvr::parse(answer).mode {
            Some(Mode::Standalone) => WantedState::Standalone,
            Some(mode) => WantedState::Serves(mode),
            None => WantedState::Runs,
        },
        Err(NoAnswer::NotServing) => WantedState::Looks,
        Err(NoAnswer::Refused) => WantedState::Down,
        Err(silence @ (NoAnswer::Unresolved | NoAnswer::NoRoute | NoAnswer::ConnectTimedOut)) => {
            WantedState::Unknown(*silence)
        }
        Err(
            NoAnswer::AnswerTimedOut
            | NoAnswer::Closed
            | NoAnswer::NotWhitelisted
            | NoAnswer::Tls(_)
            | NoAnswer::NeedsAuth
            | NoAnswer::AuthRefused
            | NoAnswer::AuthWithheld
            | NoAnswer::Unreadable,
        ) => WantedState::Runs,
    }
}

/// Whether two endpoints are one: by their text, or by an address of both.
async fn is_same<E: Ensemble>(port: &E, one: &Endpoint, other: &Endpoint) -> bool {
    if one == other {
        return true;
    }
    if (one.port, one.tls) != (other.port, other.tls) {
        return false;
    }
    let (one, other) = futures::join!(port.resolve(&one.host), port.resolve(&other.host));
    one.iter().any(|address| other.contains(address))
}

/// The quorum and election ports of wanted servers on which a process listens.
async fn open_ports<E: Ensemble>(port: &E, target: &Target) -> BTreeMap<ServerId, BTreeSet<u16>> {
    let peers = target.servers.iter().flat_map(|(id, wanted)| {
        let ports = wanted.server.peers.iter().flat_map(|peer| {
            [peer.quorum_port, peer.election_port].map(|number| (peer.host.clone(), number))
        });
        ports.map(|(host, number)| (*id, host, number)).collect::<Vec<_>>()
    });
    let asked =
        peers.filter(|(_, host, _)| !host.is_wildcard()).map(|(id, host, number)| async move {
            let is_open = port.check_port(&host, number).await == PortState::Open;
            is_open.then_some((id, number))
        });
    let mut open: BTreeMap<ServerId, BTreeSet<u16>> = BTreeMap::new();
    for (id, number) in join_all(asked).await.into_iter().flatten() {
        open.entry(id).or_default().insert(number);
    }
    open
}
