//! Parsers for the answers to four-letter words. They trust no input: any text is accepted, and
//! every figure that cannot be read is left out.

use std::collections::BTreeMap;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Serialize;

use super::{FourLetterWord, NoAnswer};
use crate::model::{ConfigParseError, EnsembleConfig, ServerId, ServerVersion, Zxid};

/// The limit on lines. `hash` has 1024, `cons` one for each connection.
const MAX_LINES: usize = 100_000;

/// The state of a server (`ServerStats`). It may differ from the configured role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// It leads.
    Leader,
    /// It follows, with or without a vote.
    Follower,
    /// It observes.
    Observer,
    /// It runs alone, outside every ensemble.
    Standalone,
    /// It lost its ensemble and serves reads only.
    ReadOnly,
}

impl Mode {
    /// ZooKeeper's word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Observer => "observer",
            Self::Standalone => "standalone",
            Self::ReadOnly => "read-only",
        }
    }

    /// Whether a server in this mode is part of an ensemble with a quorum.
    pub const fn in_ensemble(self) -> bool {
        matches!(self, Self::Leader | Self::Follower | Self::Observer)
    }

    /// The mode with that word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Leader, Self::Follower, Self::Observer, Self::Standalone, Self::ReadOnly]
            .into_iter()
            .find(|mode| mode.word() == word)
    }
}

/// The reason that the server gave for not answering.
///
/// Whitelist and readiness are checked before any word is run (`CommandExecutor`,
/// `AbstractFourLetterCommand`).
pub fn refusal(answer: &str) -> Option<NoAnswer> {
    if answer.contains("is not executed because it is not in the whitelist") {
        Some(NoAnswer::NotWhitelisted)
    } else if answer.contains("This ZooKeeper instance is not currently serving requests") {
        Some(NoAnswer::NotServing)
    } else {
        None
    }
}

impl FourLetterWord {
    /// Whether a valid answer to it is never empty, so that an empty one means a closed connection.
    pub const fn always_says_something(self) -> bool {
        match self {
            Self::Srvr | Self::Conf | Self::Mntr | Self::Dump => true,
            Self::Cons | Self::Hash => false,
        }
    }
}

/// The answer to `srvr` (`StatCommand`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Srvr {
    /// Its software.
    pub version: Option<ServerVersion>,
    /// Its state.
    pub mode: Option<Mode>,
    /// Its last zxid.
    pub zxid: Option<Zxid>,
    /// Open connections, including the one that sent the word.
    pub connections: Option<u64>,
    /// Number of znodes.
    pub znodes: Option<u64>,
}

impl Srvr {
    /// The znodes that ZooKeeper itself makes: `/` (counted twice), `/zookeeper`, its `config` and
    /// its `quota` (`DataTree`).
    pub const OWN_ZNODES: u64 = 5;

    /// Whether the server has no znode of an application; `false` where it does not say.
    pub fn is_empty(&self) -> bool {
        self.znodes.is_some_and(|znodes| znodes <= Self::OWN_ZNODES)
    }

    /// Reads it.
    pub fn parse(answer: &str) -> Self {
        let mut srvr = Self::default();
        for (key, value) in pairs(answer, ':') {
            match key {
                "Zookeeper version" => srvr.version = ServerVersion::from_build(value),
                "Mode" => srvr.mode = Mode::from_word(value),
                "Zxid" => srvr.zxid = hex(value).map(Zxid::new),
                "Connections" => srvr.connections = value.parse().ok(),
                "Node count" => srvr.znodes = value.parse().ok(),
                _ => {}
            }
        }
        srvr
    }
}

/// The answer to `conf` (`ConfCommand`, `ZooKeeperServerConf`, `QuorumPeer`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conf {
    /// The server's own id. A standalone server reports 0.
    pub server_id: Option<ServerId>,
    /// Its client port.
    pub client_port: Option<u16>,
    /// Its secure client port.
    pub secure_client_port: Option<u16>,
    /// Its quorum ports; several where it has several addresses.
    pub quorum_ports: Vec<u16>,
    /// Its election ports, likewise.
    pub election_ports: Vec<u16>,
    /// Its tick in milliseconds.
    pub tick_ms: Option<u64>,
    /// Ticks that a follower may take to catch up.
    pub init_limit: Option<u64>,
    /// Ticks that a follower may fall behind.
    pub sync_limit: Option<u64>,
    /// How many connections it takes from one address (`maxClientCnxns`); 0 is any number.
    pub max_client_connections: Option<u32>,
    /// The shortest session time-out that it grants, in milliseconds.
    pub min_session_ms: Option<u64>,
    /// The longest.
    pub max_session_ms: Option<u64>,
    /// Where its snapshots lie.
    pub data_dir: Option<String>,
    /// The configuration it runs with; a standalone server has none.
    pub config: Option<Result<EnsembleConfig, ConfigParseError>>,
}

impl Conf {
    /// Reads the answer. Everything after the line `membership:` is the configuration.
    pub fn parse(answer: &str) -> Self {
        let (figures, membership) = match answer.split_once("\nmembership:") {
            Some((figures, membership)) => (figures, Some(membership)),
            None => (answer, None),
        };
        let config = membership.map(|text| bounded(text).map_or_else(Err, EnsembleConfig::parse));
        let mut conf = Self { config, ..Self::default() };
        for (key, value) in pairs(figures, '=') {
            match key {
                "serverId" => conf.server_id = value.parse().ok().map(ServerId::new),
                "clientPort" => conf.client_port = port(value),
                "secureClientPort" => conf.secure_client_port = port(value),
                "quorumPort" => conf.quorum_ports = value.split('|').filter_map(port).collect(),
                "electionPort" => conf.election_ports = value.split('|').filter_map(port).collect(),
                "tickTime" => conf.tick_ms = value.parse().ok(),
                "initLimit" => conf.init_limit = value.parse().ok(),
                "syncLimit" => conf.sync_limit = value.parse().ok(),
                "maxClientCnxns" => conf.max_client_connections = value.parse().ok(),
                "minSessionTimeout" => conf.min_session_ms = value.parse().ok(),
                "maxSessionTimeout" => conf.max_session_ms = value.parse().ok(),
                "dataDir" => conf.data_dir = Some(value.to_owned()),
                _ => {}
            }
        }
        conf
    }
}

/// The answer to `mntr` (`MonitorCommand`), as far as zkplan reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mntr {
    /// Its software.
    pub version: Option<ServerVersion>,
    /// State and phase, such as `following - broadcast` (3.6 and later).
    pub peer_state: Option<String>,
    /// Number of znodes.
    pub znodes: Option<u64>,
    /// Approximate size of the data in bytes.
    pub bytes: Option<u64>,
    /// Open connections, including the one that sent the word.
    pub connections: Option<u64>,
    /// Digest mismatches counted (3.6 and later).
    pub digest_mismatches: Option<u64>,
    /// On the leader: connected learners of participant type, including those that are still
    /// syncing and those without a vote.
    pub synced_followers: Option<u64>,
    /// On the leader: connected learners of participant type without a vote (3.6 and later).
    pub synced_non_voting_followers: Option<u64>,
    /// On the leader: connected learners of either type, including those that are still syncing
    /// (`zk_learners`; `zk_followers` in 3.5).
    pub learners: Option<u64>,
    /// Voters in the configuration (3.6 and later).
    pub quorum_size: Option<u64>,
    /// Requests of clients for a session since the process began, a new one or one that they have (3.6
    /// and later, `CONNECTION_REQUEST_COUNT`).
    pub connects: Option<u64>,
    /// Sessions that only this server knows (3.6 and later). 0 if it keeps none.
    pub local_sessions: Option<u64>,
    /// The longest time that writing a snapshot took it since it was started, in milliseconds (3.6
    /// and later). 0 if it has written none.
    pub snapshot_ms: Option<u64>,
    /// The longest time that it took to load its data when it started, in milliseconds (3.6 and
    /// later).
    pub load_ms: Option<u64>,
}

impl Mntr {
    /// Reads it.
    pub fn parse(answer: &str) -> Self {
        let mut mntr = Self::default();
        for (key, value) in pairs(answer, '\t') {
            // From 3.6 on some figures are printed as floating-point numbers.
            let count = || value.split('.').next().and_then(|whole| whole.parse().ok());
            match key {
                "zk_version" => mntr.version = ServerVersion::from_build(value),
                "zk_peer_state" => mntr.peer_state = Some(value.to_owned()),
                "zk_znode_count" => mntr.znodes = count(),
                "zk_approximate_data_size" => mntr.bytes = count(),
                "zk_num_alive_connections" => mntr.connections = count(),
                "zk_digest_mismatches_count" => mntr.digest_mismatches = count(),
                "zk_synced_followers" => mntr.synced_followers = count(),
                "zk_synced_non_voting_followers" => mntr.synced_non_voting_followers = count(),
                "zk_learners" | "zk_followers" => mntr.learners = count(),
                "zk_quorum_size" => mntr.quorum_size = count(),
                "zk_local_sessions" => mntr.local_sessions = count(),
                "zk_connection_request_count" => mntr.connects = count(),
                "zk_max_snapshottime" => mntr.snapshot_ms = count(),
                "zk_max_startup_snap_load_time" => mntr.load_ms = count(),
                _ => {}
            }
        }
        mntr
    }
}

/// Whether a server with this answer to `dump` keeps local sessions: it lists them separately
/// (`UpgradeableSessionTracker`, `LeaderSessionTracker.dumpSessions`).
pub fn keeps_local_sessions(answer: &str) -> bool {
    answer.lines().any(|line| line.starts_with("Local Session"))
}

/// One line of the answer to `cons` (`ServerCnxn.dumpConnectionInfo`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The client's address, `address:port`.
    pub from: String,
    /// Its session. A connection that sends a four-letter word has none.
    pub session: Option<u64>,
    /// The time-out of the session, in milliseconds.
    pub timeout_ms: Option<u64>,
}

/// Reads the answer to `cons`; lines that are none are passed over.
pub fn parse_cons(answer: &str) -> Vec<Connection> {
    answer.lines().take(MAX_LINES).filter_map(parse_connection).collect()
}

/// Reads `/ADDRESS:PORT[INTEREST](queued=0,…,sid=0xHEX,…,to=MS,…)`.
fn parse_connection(line: &str) -> Option<Connection> {
    let (from, rest) = line.trim().strip_prefix('/')?.rsplit_once('(')?;
    let from = from.rsplit_once('[').map_or(from, |(from, _)| from);
    let field = |key: &str| rest.split([',', ')']).find_map(|field| field.strip_prefix(key));
    let session = field("sid=").and_then(hex).filter(|id| *id != 0);
    let timeout_ms = field("to=").and_then(|text| text.parse().ok());
    Some(Connection { from: from.to_owned(), session, timeout_ms })
}

/// Reads the ephemeral znodes of each session from the answer to `dump` (`DataTree.dumpEphemerals`):
/// `0xHEX:`, and below it a path a line, indented.
pub fn parse_dump(answer: &str) -> BTreeMap<u64, Vec<String>> {
    let mut owned: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let mut lines = answer.lines().take(MAX_LINES);
    // Sessions and connections stand in lists of their own, before and behind.
    lines.by_ref().find(|line| line.starts_with("Sessions with Ephemerals"));
    let mut owner = None;
    for line in lines {
        if let Some(path) = line.strip_prefix('\t') {
            if let Some(owner) = owner {
                owned.entry(owner).or_default().push(path.to_owned());
            }
        } else if let Some(session) = line.strip_suffix(':').and_then(hex) {
            owner = Some(session);
        } else {
            break;
        }
    }
    owned
}

/// Reads the answer to `hash`: tree digests by zxid (`DataTree.ZxidDigest`, one every 128 zxids).
pub fn parse_hash(answer: &str) -> BTreeMap<Zxid, u64> {
    let lines = answer.lines().take(MAX_LINES);
    lines.filter_map(parse_digest).collect()
}

/// Reads `ZXID: DIGEST`. The zxid is hex without `0x`, the digest is a signed decimal number
/// (`HashCommand`).
fn parse_digest(line: &str) -> Option<(Zxid, u64)> {
    let (zxid, digest) = line.split_once(':')?;
    Some((Zxid::new(hex(zxid)?), digest.trim().parse::<i64>().ok()?.cast_unsigned()))
}

/// Figures one a line, `key` and `value` parted by a separator.
fn pairs(answer: &str, separator: char) -> impl Iterator<Item = (&str, &str)> {
    let lines = answer.lines().take(MAX_LINES);
    lines.filter_map(move |line| line.split_once(separator)).map(|(k, v)| (k.trim(), v.trim()))
}

/// The text of a configuration, unless it is longer than ZooKeeper itself could transmit: election
/// notifications carry it, and they are limited to 512 KiB (`QuorumCnxManager.PACKETMAXSIZE`).
fn bounded(text: &str) -> Result<&str, ConfigParseError> {
    const MAX: usize = 512 * 1024;
    if text.len() > MAX { Err(ConfigParseError::NoVersion) } else { Ok(text) }
}

fn hex(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").unwrap_or(text);
    // `from_str_radix` would take a sign.
    if digits.starts_with('+') { None } else { u64::from_str_radix(digits, 16).ok() }
}

fn port(text: &str) -> Option<u16> {
    u16::from_str(text.trim()).ok().filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn srvr_of_a_real_leader() {
        let srvr = Srvr::parse(include_str!("testdata/leader.srvr"));
        assert_eq!(srvr.version, Some(ServerVersion::new(3, 8, 0)));
        assert_eq!(srvr.mode, Some(Mode::Leader));
        assert_eq!(srvr.zxid, Some(Zxid::new(0x1_0000_0002)));
        assert_eq!((srvr.connections, srvr.znodes), (Some(1), Some(6)));
    }

    #[test]
    fn srvr_of_a_real_follower() {
        let srvr = Srvr::parse(include_str!("testdata/follower.srvr"));
        assert_eq!(srvr.mode, Some(Mode::Follower));
    }

    #[test]
    fn conf_of_a_real_leader() {
        let conf = Conf::parse(include_str!("testdata/leader.conf"));
        assert_eq!(conf.server_id, Some(ServerId::new(5)));
        assert_eq!((conf.client_port, conf.secure_client_port), (Some(21405), None));
        assert_eq!((conf.quorum_ports, conf.election_ports), (vec![22405], vec![23405]));
        assert_eq!(
            (conf.tick_ms, conf.init_limit, conf.sync_limit),
            (Some(200), Some(50), Some(10))
        );
        let config = conf.config.unwrap().unwrap();
        assert_eq!(config.version.to_string(), "100000000");
        assert_eq!(config.membership.len(), 5);
    }

    #[test]
    fn conf_of_a_real_standalone_server_has_no_membership() {
        let conf = Conf::parse(include_str!("testdata/standalone.conf"));
        assert_eq!((conf.server_id, conf.config), (Some(ServerId::new(0)), None));
    }

    #[test]
    fn only_a_line_of_its_own_begins_the_membership() {
        let conf = Conf::parse("dataDir=/data/membership:x\nserverId=3\nmembership: \nversion=0");
        assert_eq!(conf.server_id, Some(ServerId::new(3)));
        assert_eq!(conf.data_dir.as_deref(), Some("/data/membership:x"));
    }

    #[test]
    fn several_addresses_have_several_ports() {
        let conf = Conf::parse("electionPort=3888|3889\nquorumPort=2888|2889\n");
        assert_eq!(conf.election_ports, [3888, 3889]);
        assert_eq!(conf.quorum_ports, [2888, 2889]);
    }

    #[test]
    fn mntr_of_a_real_leader() {
        let mntr = Mntr::parse(include_str!("testdata/leader.mntr"));
        assert_eq!(mntr.version, Some(ServerVersion::new(3, 8, 0)));
        assert_eq!(mntr.peer_state.as_deref(), Some("leading - broadcast"));
        assert_eq!((mntr.znodes, mntr.bytes), (Some(6), Some(349)));
        assert_eq!((mntr.synced_followers, mntr.quorum_size), (Some(4), Some(5)));
        assert_eq!(mntr.digest_mismatches, Some(0));
        assert_eq!((mntr.snapshot_ms, mntr.load_ms), (Some(2), Some(1)));
    }

    /// 3.5 has fewer figures with other names. 3.6.4 has an empty qualifier after its number.
    #[test]
    fn mntr_of_other_releases() {
        let of_35 = "zk_version\t3.5.10-a32c7183d42325b03e44a06aade6a0f16955bf13, built on 05/29/2022 \
                     16:59 GMT\nzk_server_state\tleader\nzk_znode_count\t5\n\
                     zk_approximate_data_size\t120\nzk_followers\t3\nzk_synced_followers\t2\n";
        let mntr = Mntr::parse(of_35);
        assert_eq!(mntr.version, Some(ServerVersion::new(3, 5, 10)));
        assert_eq!((mntr.znodes, mntr.bytes, mntr.learners), (Some(5), Some(120), Some(3)));
        assert_eq!((mntr.synced_followers, mntr.digest_mismatches), (Some(2), None));
        let of_36 = ServerVersion::from_build("3.6.4--d65253dcf68e, built on 12/18/2022 18:10 GMT");
        assert_eq!(of_36, Some(ServerVersion::new(3, 6, 4)));
    }

    #[test]
    fn cons_distinguishes_clients_from_word_connections() {
        let cons = parse_cons(include_str!("testdata/follower.cons"));
        let clients = cons.iter().filter(|c| c.session.is_some()).count();
        assert_eq!((cons.len(), clients), (2, 1));
        assert!(cons.iter().all(|c| c.from.starts_with("127.0.0.1:")), "{cons:?}");
    }

    #[test]
    fn cons_reads_addresses_of_both_kinds() {
        let cons = parse_cons(" /[0:0:0:0:0:0:0:1]:4000[1](queued=0,sid=0x10,lop=PING)\n\n");
        assert_eq!(
            cons,
            [Connection {
                from: "[0:0:0:0:0:0:0:1]:4000".to_owned(),
                session: Some(16),
                timeout_ms: None
            }]
        );
    }

    #[test]
    fn cons_has_the_time_out_of_a_session() {
        let cons = parse_cons(include_str!("testdata/follower.cons"));
        let timeouts: Vec<_> = cons.iter().filter_map(|c| c.timeout_ms).collect();
        assert_eq!(timeouts, [20_000]);
    }

    #[test]
    fn dump_lists_the_ephemeral_znodes_of_each_session_and_nothing_else() {
        let owned = parse_dump(include_str!("testdata/leader.dump"));
        let paths = |session| owned.get(&session).map(|paths| paths.join(" "));
        assert_eq!(
            (paths(0x0001_0000_1bcd_a502), paths(0x0003_0000_1bcd_a500), owned.len()),
            (Some("/brokers/ids/1 /controller".to_owned()), Some("/lock/a-0001".to_owned()), 2)
        );
        assert!(parse_dump("dump is not executed because it is not in the whitelist.").is_empty());
    }

    #[test]
    fn digests_of_a_real_leader_and_follower_agree() {
        let leader = parse_hash(include_str!("testdata/leader.hash"));
        let follower = parse_hash(include_str!("testdata/follower.hash"));
        assert!(leader.len() > 1, "{leader:?}");
        assert_eq!(leader, follower);
    }

    #[test]
    fn refusals_are_distinguished_from_answers() {
        let refused = include_str!("testdata/plain.conf");
        assert_eq!(refusal(refused), Some(NoAnswer::NotWhitelisted));
        let looking = include_str!("testdata/looking.srvr");
        assert_eq!(refusal(looking), Some(NoAnswer::NotServing));
        assert_eq!(refusal(include_str!("testdata/leader.srvr")), None);
    }

    #[test]
    fn nonsense_gives_nothing() {
        for text in ["", ":", "=", "\t", "Zxid: 0x", "Mode: \u{1b}[31m", "/(", "/[", "membership:"]
        {
            assert_eq!(Srvr::parse(text), Srvr::default(), "{text:?}");
            assert_eq!(Mntr::parse(text), Mntr::default(), "{text:?}");
            assert_eq!(parse_hash(text), BTreeMap::new(), "{text:?}");
            assert!(parse_cons(text).iter().all(|c| c.session.is_none()), "{text:?}");
            assert!(Conf::parse(text).server_id.is_none(), "{text:?}");
        }
        assert_eq!(ServerVersion::from_build("3.8"), None);
        assert_eq!(ServerVersion::from_build("3.x.1"), None);
    }
}
