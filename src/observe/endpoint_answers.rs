//! One endpoint, asked: the table of evidence as code.
//!
//! Each fact has its sources best first; what none of them gives is unknown.
//!
//! | fact | sources |
//! |---|---|
//! | the server's own id | `conf`; AdminServer; a session |
//! | its configuration | `conf`; a session |
//! | mode, zxid, version | `srvr`; AdminServer |

use std::collections::BTreeSet;

use serde_json::Value;

use super::{OwnPorts, PlainPort, Source, Sourced};
use crate::ensemble::four_letter::{Conf, Srvr};
use crate::ensemble::{ConfigRead, Ensemble, FourLetterWord, Mode, NoAnswer, ServerVersion};
use crate::model::{ConfigParseError, Endpoint, EnsembleConfig, ServerId, Zxid};

/// Everything that one endpoint answered.
#[derive(Debug, Clone)]
pub(super) struct EndpointAnswers {
    pub(super) endpoint: Endpoint,
    pub(super) admin_url: Option<String>,
    pub(super) srvr: Result<Srvr, NoAnswer>,
    pub(super) conf: Result<Conf, NoAnswer>,
    /// Opened only where words do not suffice.
    pub(super) session: Option<Result<ConfigRead, NoAnswer>>,
    /// The configuration that the session showed.
    session_config: Option<Result<EnsembleConfig, ConfigParseError>>,
    /// What `/zookeeper/config` holds there, where that was asked beside `conf`.
    pub(super) znode: Option<EnsembleConfig>,
    admin: AdminServerAnswers,
    /// The member that was expected at a guessed port; no other answer there counts.
    pub(super) guess_of: Option<ServerId>,
}

/// The answers of the AdminServer, if it was asked.
#[derive(Debug, Clone, Default)]
struct AdminServerAnswers {
    id: Option<ServerId>,
    mode: Option<Mode>,
    zxid: Option<Zxid>,
    version: Option<ServerVersion>,
    bind_tries: Option<u64>,
    max_client_connections: Option<u32>,
}

/// How often a server tries to bind its election port where nothing else is set, a second apart
/// (`QuorumCnxManager.Listener`, `DEFAULT_PORT_BIND_MAX_RETRY`).
const DEFAULT_BIND_TRIES: u64 = 3;

impl EndpointAnswers {
    /// Asks one endpoint everything that is needed to know who it is.
    pub(super) async fn of<E: Ensemble>(port: &E, at: &Endpoint, admin: Option<&str>) -> Self {
        let (srvr, conf) =
            futures::join!(port.ask(at, FourLetterWord::Srvr), port.ask(at, FourLetterWord::Conf));
        let mut probe = Self {
            endpoint: at.clone(),
            admin_url: admin.map(str::to_owned),
            srvr: srvr.map(|answer| Srvr::parse(&answer)),
            conf: conf.map(|answer| Conf::parse(&answer)),
            session: None,
            session_config: None,
            znode: None,
            admin: AdminServerAnswers::default(),
            guess_of: None,
        };
        let session =
            async { if probe.wants_session() { Some(port.read(at).await) } else { None } };
        let admin = async {
            match admin {
                Some(base) if !probe.words_suffice() => ask_admin(port, base, &probe.srvr).await,
                Some(_) | None => AdminServerAnswers::default(),
            }
        };
        (probe.session, probe.admin) = futures::join!(session, admin);
        probe.session_config =
            probe.reading().map(|reading| EnsembleConfig::parse(&reading.config));
        probe
    }

    /// The same, as the answer to a guess, or not.
    pub(super) fn guessing(self, guess_of: Option<ServerId>) -> Self {
        Self { guess_of, ..self }
    }

    /// Whether the words gave id, configuration and mode.
    fn words_suffice(&self) -> bool {
        let answered = self
            .conf
            .as_ref()
            .is_ok_and(|conf| conf.server_id.is_some() && matches!(conf.config, Some(Ok(_))));
        answered && self.srvr.as_ref().is_ok_and(|srvr| srvr.mode.is_some())
    }

    /// Whether a session is needed, and can be had.
    fn wants_session(&self) -> bool {
        let serves = match &self.srvr {
            Ok(srvr) => srvr.mode.is_none_or(Mode::in_ensemble),
            Err(silence) => *silence == NoAnswer::NotWhitelisted,
        };
        serves && !self.words_suffice()
    }

    /// Why nothing is known of it; `None` where something is.
    pub(super) fn silence(&self) -> Option<NoAnswer> {
        match (&self.srvr, self.mode()) {
            (_, Some(_)) => None,
            (Err(silence), None) => Some(*silence),
            (Ok(_), None) => Some(NoAnswer::Unreadable),
        }
    }

    /// Why its session gave nothing, where one was tried.
    pub(super) fn session_silence(&self) -> Option<NoAnswer> {
        self.session.as_ref().and_then(|session| session.as_ref().err().copied())
    }

    /// Why no answer contained its configuration.
    pub(super) fn config_silence(&self) -> Option<NoAnswer> {
        self.session_silence().or_else(|| self.conf.as_ref().err().copied())
    }

    /// The id that it reports. `known` are its possible ids: a session contains only the low byte.
    pub(super) fn own_id(
        &self,
        known: impl FnOnce() -> BTreeSet<ServerId>,
    ) -> Option<Sourced<ServerId>> {
        // A standalone server reports 0, which has no meaning.
        if self.mode() == Some(Mode::Standalone) {
            return None;
        }
        if let Some(value) = self.conf.as_ref().ok().and_then(|conf| conf.server_id) {
            return Some(Sourced { value, source: Source::Conf });
        }
        let byte = self.reading().map(|reading| reading.server_id_byte);
        if let Some(value) = self.admin.id
            // The URL comes from the spec and may lead to another server than the client port.
            && byte.is_none_or(|byte| low_byte(value) == byte)
        {
            return Some(Sourced { value, source: Source::AdminServer });
        }
        let byte = byte?;
        let mut alike = known().into_iter().filter(|id| low_byte(*id) == byte);
        let value = match (alike.next(), alike.next()) {
            (Some(id), None) => id,
            (None, _) => ServerId::new(i64::from(byte)),
            (Some(_), Some(_)) => return None,
        };
        Some(Sourced { value, source: Source::Session })
    }

    /// The configuration it runs with.
    pub(super) fn config(&self) -> Option<Sourced<EnsembleConfig>> {
        match self.config_answer()? {
            (Ok(value), source) => Some(Sourced { value: value.clone(), source }),
            (Err(_), _) => None,
        }
    }

    /// Whether it runs with that configuration.
    pub(super) fn runs_with(&self, config: &EnsembleConfig) -> bool {
        matches!(self.config_answer(), Some((Ok(own), _)) if own == config)
    }

    /// Whether both come from files of servers without reconfigs, with the same servers and the
    /// same votes. Each such server always shows its own file, in which hosts may be written
    /// differently: its own as a wildcard, others by another name.
    pub(super) fn has_file_like(&self, config: &EnsembleConfig) -> bool {
        let own = self.config_answer().and_then(|(answered, _)| answered.ok());
        own.is_some_and(|own| {
            own.version.is_zero()
                && config.version.is_zero()
                && own.membership.has_the_votes_of(&config.membership)
        })
    }

    /// The ids of the members that it knows.
    pub(super) fn member_ids(&self) -> BTreeSet<ServerId> {
        match self.config_answer() {
            Some((Ok(config), _)) => config.membership.ids(),
            Some((Err(_), _)) | None => BTreeSet::new(),
        }
    }

    /// What is wrong with its configuration, where it gave one that cannot be read.
    pub(super) fn config_error(&self) -> Option<ConfigParseError> {
        self.config_answer()?.0.err().cloned()
    }

    fn config_answer(&self) -> Option<(Result<&EnsembleConfig, &ConfigParseError>, Source)> {
        let conf = self.conf.as_ref().ok().and_then(|conf| conf.config.as_ref());
        match (conf, &self.session_config) {
            (Some(Ok(config)), _) => Some((Ok(config), Source::Conf)),
            (_, Some(answered)) => Some((answered.as_ref(), Source::Session)),
            (Some(Err(cause)), None) => Some((Err(cause), Source::Conf)),
            (None, None) => None,
        }
    }

    /// What its session showed.
    pub(super) fn reading(&self) -> Option<&ConfigRead> {
        self.session.as_ref()?.as_ref().ok()
    }

    pub(super) fn mode(&self) -> Option<Mode> {
        self.srvr.as_ref().ok().and_then(|srvr| srvr.mode).or(self.admin.mode)
    }

    pub(super) fn zxid(&self) -> Option<Zxid> {
        self.srvr.as_ref().ok().and_then(|srvr| srvr.zxid).or(self.admin.zxid)
    }

    pub(super) fn version(&self) -> Option<ServerVersion> {
        self.srvr.as_ref().ok().and_then(|srvr| srvr.version).or(self.admin.version)
    }

    /// The same with its source.
    pub(super) fn version_sourced(&self) -> Option<Sourced<ServerVersion>> {
        let srvr = self.srvr.as_ref().ok().and_then(|srvr| srvr.version);
        let source = if srvr.is_some() { Source::Srvr } else { Source::AdminServer };
        self.version().map(|value| Sourced { value, source })
    }

    pub(super) fn tick_ms(&self) -> Option<u64> {
        self.conf.as_ref().ok().and_then(|conf| conf.tick_ms)
    }

    /// The ticks that it gives a learner to get its data.
    pub(super) fn init_limit(&self) -> Option<u64> {
        self.conf.as_ref().ok().and_then(|conf| conf.init_limit)
    }

    /// The ports it has for the other servers.
    pub(super) fn own_ports(&self) -> Option<OwnPorts> {
        let conf = self.conf.as_ref().ok()?;
        let answered = !conf.quorum_ports.is_empty() && !conf.election_ports.is_empty();
        answered.then(|| OwnPorts {
            quorum: conf.quorum_ports.clone(),
            election: conf.election_ports.clone(),
        })
    }

    /// Its client port without TLS.
    pub(super) fn plain_port(&self) -> PlainPort {
        match self.conf.as_ref().ok().filter(|conf| conf.server_id.is_some()) {
            None => PlainPort::Unknown,
            // It writes -1 where there is none.
            Some(conf) => conf.client_port.map_or(PlainPort::Nowhere, PlainPort::At),
        }
    }

    /// How often it tries to bind its election port. 0 means without end.
    pub(super) fn bind_tries(&self) -> Option<u64> {
        self.admin.bind_tries
    }

    /// How many connections it accepts from one address, if it reports that. 0 means any number.
    pub(super) fn max_client_connections(&self) -> Option<u32> {
        let conf = self.conf.as_ref().ok().and_then(|conf| conf.max_client_connections);
        conf.or(self.admin.max_client_connections)
    }

    /// Whether it is part of a quorum now.
    pub(super) fn serves(&self) -> bool {
        self.mode().is_some_and(Mode::in_ensemble)
    }

    /// Whether asking again soon could bring another answer: it answers, or it may be in the
    /// middle of an election.
    pub(super) fn may_change(&self) -> bool {
        self.silence().is_none_or(|silence| {
            matches!(silence, NoAnswer::NotServing | NoAnswer::Closed | NoAnswer::Refused)
        })
    }

    /// Reads `/zookeeper/config` there, and then asks for the configuration in force again: read in
    /// that order, a reconfig in between shows in both.
    pub(super) async fn read_znode<E: Ensemble>(&mut self, port: &E) {
        let reading = port.read(&self.endpoint).await.ok();
        self.znode = reading.and_then(|reading| EnsembleConfig::parse(&reading.config).ok());
        if let Ok(answer) = port.ask(&self.endpoint, FourLetterWord::Conf).await {
            self.conf = Ok(Conf::parse(&answer));
        }
    }

    /// Asks again for mode and zxid alone.
    pub(super) async fn again<E: Ensemble>(&mut self, port: &E) {
        let answer = port.ask(&self.endpoint, FourLetterWord::Srvr).await;
        self.srvr = answer.map(|answer| Srvr::parse(&answer));
    }
}

/// The part of an id that session ids carry.
fn low_byte(id: ServerId) -> u8 {
    id.get().to_le_bytes()[0]
}

/// How often a server with these system properties tries to bind its election port; a negative
/// number, or none, is the default (`Integer.getInteger`).
fn bind_tries(properties: &Value) -> Option<u64> {
    let known = properties.as_object()?;
    // An answer without any property that each JVM has is no answer.
    known.get("java.version")?;
    let set = known.get("zookeeper.electionPortBindRetry").and_then(Value::as_str);
    Some(set.and_then(|tries| tries.parse().ok()).unwrap_or(DEFAULT_BIND_TRIES))
}

/// The id from `zabstate` (3.6 and later) or `configuration`. Mode, zxid and version only if `srvr`
/// is not answered.
async fn ask_admin<E: Ensemble>(
    port: &E,
    base: &str,
    srvr: &Result<Srvr, NoAnswer>,
) -> AdminServerAnswers {
    let number = |answer: &Result<Value, NoAnswer>, key: &str| {
        answer.as_ref().ok().and_then(|json| json.get(key)?.as_i64()).map(ServerId::new)
    };
    let (zabstate, configuration, properties) = futures::join!(
        port.admin(base, "zabstate"),
        port.admin(base, "configuration"),
        port.admin(base, "system_properties")
    );
    let id = number(&zabstate, "myid").or_else(|| number(&configuration, "server_id"));
    let bind_tries = properties.ok().as_ref().and_then(bind_tries);
    let limit = configuration.as_ref().ok().and_then(|json| json.get("max_client_cnxns")?.as_u64());
    let max_client_connections = limit.and_then(|limit| u32::try_from(limit).ok());
    let mut answers = AdminServerAnswers {
        id,
        bind_tries,
        max_client_connections,
        ..AdminServerAnswers::default()
    };
    if srvr.is_ok() {
        return answers;
    }
    if let Ok(answer) = port.admin(base, "server_stats").await {
        let text = |json: &Value, key: &str| json.get(key)?.as_str().map(str::to_owned);
        answers.version = text(&answer, "version").and_then(|v| ServerVersion::from_build(&v));
        if let Some(stats) = answer.get("server_stats") {
            answers.mode = text(stats, "server_state").and_then(|word| Mode::from_word(&word));
            answers.zxid = stats.get("last_processed_zxid").and_then(Value::as_u64).map(Zxid::new);
        }
    }
    answers
}
