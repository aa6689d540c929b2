//! The real port: ZooKeeper servers over TCP and TLS, `AdminServer`s over HTTP.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};
use tracing::{debug, trace};

use super::admission::{Admission, Pass};
use super::attachment::ConnectOptions;
use super::pace::{Kind, Limits, Pace, is_out_of_time};
use super::replies::outcome;
use super::short_session::{self, Ending};
use super::transport::{self, Stream, TlsClient, TlsFiles, TlsSetupError};
use super::ways::{Show, Shown, Ways};
use super::{
    AuthDemand, ConfigRead, Credential, DryRun, Ensemble, FourLetterWord, HeldSession, NoAnswer,
    PortState, RequestError, SessionFactory, SessionTerms, TlsFailure, admin_server, dry_run,
    four_letter, session,
};
use crate::model::{ConfigVersion, Endpoint, Folder, Host, Tls, Update};

/// Whose turn it is at a port.
type Turn = Arc<tokio::sync::Mutex<()>>;

/// What a short session showed, and its end, where that is still to come.
type ShortRead = (ConfigRead, Option<Ending>);

/// The client for real servers. It needs a tokio runtime with I/O and time.
///
/// Surveys are unauthenticated. With scheme `x509` a certificate authenticates every session as its
/// subject. So it is shown only to servers that have refused a connection or a session without one
/// (`ssl.clientAuth=need`, the default), and on held sessions ([`SessionFactory::open`]). For servers that
/// enforce another scheme see [`Credential`].
pub struct ZooKeeper {
    pace: Arc<Pace>,
    tls: Option<TlsFiles>,
    /// The credentials that servers require.
    ways: Arc<Ways>,
    /// The credential of surveys for servers that enforce SASL, and the addresses at which it may
    /// be shown.
    sasl: Option<(Credential, BTreeSet<Endpoint>)>,
    /// Where the identity is read.
    folder: Folder,
    /// Allows one check at a time of each port: a server handles the connections to its election
    /// port one after the other (`QuorumCnxManager.Listener`).
    port_checks: Mutex<HashMap<(Host, u16), Turn>>,
    /// Limits the open connections to each server.
    admission: Admission,
    /// When each port was last seen open, where that is believed for a while.
    open_ports: Option<Mutex<HashMap<(Host, u16), Instant>>>,
    /// Whether a session of ours is held on some server all the while.
    is_beside_a_session: bool,
}

/// For how long a port that was open is not tried again, where that is wanted.
const STAYS_OPEN: Duration = Duration::from_secs(60);

impl ZooKeeper {
    /// A client with these certificates for TLS endpoints. Reads their files.
    pub fn new(limits: Limits, tls: Option<&Tls>) -> Result<Self, TlsSetupError> {
        let tls = tls.map(TlsFiles::read).transpose()?;
        Ok(Self {
            pace: Arc::new(Pace::new(limits)),
            tls,
            ways: Arc::default(),
            sasl: None,
            folder: Folder::default(),
            port_checks: Mutex::default(),
            admission: Admission::default(),
            open_ports: None,
            is_beside_a_session: false,
        })
    }

    /// Tries a port that was open not again for a minute. For observations that are repeated: a server
    /// writes a warning for each connection to its election or quorum port that says nothing.
    #[must_use]
    pub fn trying_ports_rarely(self) -> Self {
        Self { open_ports: Some(Mutex::default()), ..self }
    }

    /// Tries every port again from now on, once.
    pub fn forget_open_ports(&self) {
        if let Some(open) = &self.open_ports {
            open.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// Connects to a client port and says nothing, until the server ends the connection or stops: then
    /// the port was [`PortState::Open`]. Any other state is returned at once. `opened` is called when the
    /// connection is there.
    pub async fn until_closed(&self, at: &Endpoint, opened: impl FnOnce()) -> PortState {
        let connected = transport::connect(&at.host, at.port, self.pace.limits(Kind::Connection));
        let connected = connected.await;
        let state = state_of(&connected);
        if let Ok(mut stream) = connected {
            opened();
            // An error is an end too.
            stream.read_exact(&mut [0]).await.ok();
        }
        state
    }

    /// Connects to a client port and hangs up at once.
    pub async fn try_port(&self, at: &Endpoint) -> PortState {
        let limits = self.pace.limits(Kind::Connection);
        state_of(&transport::connect(&at.host, at.port, limits).await)
    }

    /// Whether a server is known to take more connections than zkplan opens.
    pub fn has_room(&self, at: &Endpoint) -> bool {
        self.admission.is_wide(at)
    }

    /// Reads the identity in that folder.
    #[must_use]
    pub fn with_folder(self, folder: Folder) -> Self {
        Self { folder, ..self }
    }

    /// Uses this SASL credential for surveys at these addresses, if servers accept no session
    /// without one. The addresses are those that the operator's file or flags name.
    #[must_use]
    pub fn with_survey_credential(self, credential: Credential, at: BTreeSet<Endpoint>) -> Self {
        // A password that would be sent in clear is never shown by a survey.
        let sasl = (!credential.sends_password()).then_some((credential, at));
        Self { sasl, ..self }
    }

    /// The same servers, asked without the client's own certificate. With scheme `x509` a
    /// certificate authenticates every session as its subject, for example as the super user.
    /// Servers that require a certificate of every client (`ssl.clientAuth=need`, the default)
    /// refuse such a connection.
    #[must_use]
    pub fn unauthenticated(&self) -> Self {
        Self {
            pace: Arc::clone(&self.pace),
            tls: self.tls.as_ref().map(TlsFiles::unauthenticated),
            ways: Arc::clone(&self.ways),
            sasl: self.sasl.clone(),
            folder: self.folder.clone(),
            port_checks: Mutex::default(),
            admission: self.admission.clone(),
            open_ports: None,
            is_beside_a_session: self.is_beside_a_session,
        }
    }

    /// The same servers, beside a session that is held on one of them: it takes one of the two
    /// connections, and a second session there leaves none for a question.
    #[must_use]
    pub fn beside_a_session(self) -> Self {
        Self { is_beside_a_session: true, ..self }
    }

    /// Has the leader check one reconfig without carrying it out. It uses a separate,
    /// unauthenticated session, and sends the request only after the leader proved that such a
    /// session has no permission.
    ///
    /// # Errors
    ///
    /// The reason why the server gave no session. Nothing was sent. `CertificateWanted` if the
    /// server accepts no connection without a client certificate: none is shown.
    pub async fn dry_run(
        &self,
        at: &Endpoint,
        request: &Update,
        version: ConfigVersion,
    ) -> Result<DryRun, NoAnswer> {
        let tls = self.tls.as_ref().map(|tls| tls.clients().anonymous);
        let limits = self.pace.limits(Kind::Session);
        let mut pass = self.admission.question(at, limits).await;
        pass.linger();
        dry_run::dry_run(at, tls.as_ref(), limits, request, version).await
    }

    /// Sends a request in its turn. A request that is cut off while another of our connections is
    /// open is repeated alone: it may have been one connection too many. The turn lasts as long as the
    /// pass that is returned.
    async fn admitted<T>(
        &self,
        at: &Endpoint,
        mut pass: Pass,
        [is_cut_off, is_ended_by_us]: [impl Fn(&Result<T, NoAnswer>) -> bool; 2],
        ask: impl AsyncFn() -> Result<T, NoAnswer>,
    ) -> (Result<T, NoAnswer>, Pass) {
        let answer = ask().await;
        if is_ended_by_us(&answer) {
            pass.linger();
        }
        if !is_cut_off(&answer) || !pass.is_shared() {
            return (answer, pass);
        }
        drop(pass);
        debug!(
            server = %at,
            "the server closed a connection beside another one of ours: asking once more, alone"
        );
        let limits = self.pace.limits(Kind::Connection);
        let mut pass = self.admission.question_alone(at, limits).await;
        pass.linger();
        let answer = ask().await;
        if !is_cut_off(&answer) && pass.is_only() && self.is_cut_off_beside(at).await {
            pass.takes_one();
        }
        (answer, pass)
    }

    /// Whether a server closes a request that works alone, while another connection is open without
    /// a request.
    async fn is_cut_off_beside(&self, at: &Endpoint) -> bool {
        let limits = self.pace.limits(Kind::Word);
        let Ok(beside) = transport::connect(&at.host, at.port, limits).await else {
            return false;
        };
        let answer = self.asking(at, async |tls, _| {
            self.say(at, tls.as_ref(), FourLetterWord::Srvr, limits).await
        });
        let is_cut_off = is_cut_off(&answer.await);
        drop(beside);
        is_cut_off
    }

    /// Asks a server unauthenticated, or with the credential that it requires.
    async fn asking<T>(
        &self,
        at: &Endpoint,
        ask: impl AsyncFn(Option<TlsClient>, Shown) -> Result<T, NoAnswer>,
    ) -> Result<T, NoAnswer> {
        let files = self.tls.as_ref().filter(|_| at.tls);
        let mut shown = self.ways.shown(at);
        loop {
            let tls = files.map(TlsFiles::clients);
            let own = tls.as_ref().and_then(|tls| tls.own.as_ref());
            let (certificate, sasl) = (own.is_some(), self.sasl_at(at).is_some());
            let may = Shown { certificate, look: true, sasl };
            let client =
                own.filter(|_| shown.certificate).or(tls.as_ref().map(|tls| &tls.anonymous));
            let silence = match ask(client.cloned(), shown).await {
                Err(silence) => silence,
                answer => return answer,
            };
            if let (NoAnswer::Tls(_), Some(files), Some(tls)) = (silence, files, &tls)
                && files.have_changed(tls)
            {
                continue;
            }
            let Some(more) = shown.beyond(silence, may) else {
                let silence = match silence {
                    NoAnswer::NeedsAuth if self.sasl.is_some() && !may.sasl => {
                        NoAnswer::AuthWithheld
                    }
                    silence => silence,
                };
                if silence.is_for_want_of_auth() {
                    self.ways.refuse(at, silence);
                }
                return Err(silence);
            };
            shown = more;
            self.ways.show(at, shown);
        }
    }

    /// The SASL credential that may be shown there.
    fn sasl_at(&self, at: &Endpoint) -> Option<&Credential> {
        let (credential, named) = self.sasl.as_ref()?;
        named.contains(at).then_some(credential)
    }

    /// Sends a request within the measured limits. If it times out, it is repeated once.
    async fn patiently<T>(
        &self,
        place: (&Host, u16),
        kind: Kind,
        ask: impl AsyncFn(Limits) -> Result<T, NoAnswer>,
    ) -> Result<T, NoAnswer> {
        let place = (place.0.clone(), place.1);
        let mut limits = self.pace.limits(kind);
        let mut again = true;
        loop {
            let began = Instant::now();
            // Boxed, because it is large and part of every survey.
            let answer = Box::pin(ask(limits)).await;
            let silence = answer.as_ref().err().copied();
            if silence.is_some_and(is_out_of_time)
                && again
                && let Some(longer) = self.pace.again(&place, kind)
            {
                debug!(
                    host = %place.0,
                    port = place.1,
                    answer_ms = u64::try_from(longer.answer.as_millis()).unwrap_or(u64::MAX),
                    "no answer in time: asking once more, with more time"
                );
                (limits, again) = (longer, false);
                continue;
            }
            self.pace.learn(&place, kind, began.elapsed(), silence);
            return answer;
        }
    }

    /// One four-letter word.
    async fn say(
        &self,
        at: &Endpoint,
        tls: Option<&TlsClient>,
        word: FourLetterWord,
        limits: Limits,
    ) -> Result<String, NoAnswer> {
        let stream = transport::open(at, tls, limits).await?;
        let exchange = exchange(stream, tls, word, limits.answer_bytes);
        let answer =
            timeout(limits.answer, exchange).await.unwrap_or(Err(NoAnswer::AnswerTimedOut))?;
        match four_letter::refusal(&answer) {
            Some(silence) => Err(silence),
            None if answer.is_empty() && word.always_says_something() => Err(NoAnswer::Closed),
            None => Ok(answer),
        }
    }

    /// One short session.
    async fn read_as(
        &self,
        at: &Endpoint,
        tls: Option<TlsClient>,
        (shown, limits): (Shown, Limits),
    ) -> Result<ShortRead, NoAnswer> {
        let folder = self.folder.clone();
        let credential = self.sasl_at(at).filter(|_| shown.sasl).cloned();
        if credential.is_none() {
            let read = short_session::read(at, tls.as_ref(), &folder, limits, shown.look).await;
            return read.map(|(reading, ending)| (reading, Some(ending)));
        }
        let (endpoint, client) = (at.clone(), tls.clone());
        let show = Show { look: shown.look, credential };
        let began = Instant::now();
        let reading = spawn_blocking(move || {
            session::read(&endpoint, client.as_ref(), &folder, limits, &show)
        })
        .await;
        let silence = match reading {
            Ok(Ok(reading)) => return Ok((reading, None)),
            Ok(Err(NoAnswer::Closed)) => NoAnswer::Closed,
            Ok(Err(silence)) => return Err(silence),
            // The library panicked; its thread is gone, and with it the session's connection.
            Err(_) => return Err(NoAnswer::Unreadable),
        };
        if began.elapsed() >= limits.answer_from(at) {
            return Err(NoAnswer::AnswerTimedOut);
        }
        // The library does not distinguish a refused connection or handshake from a closed one.
        Err(match self.say(at, tls.as_ref(), FourLetterWord::Srvr, limits).await {
            Err(why @ (NoAnswer::Refused | NoAnswer::NoRoute | NoAnswer::Tls(_))) => why,
            _ => silence,
        })
    }

    fn turn_at(&self, host: &Host, port: u16) -> Turn {
        let mut all = self.port_checks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry((host.clone(), port)).or_default())
    }
}

impl Ensemble for ZooKeeper {
    async fn ask(&self, at: &Endpoint, word: FourLetterWord) -> Result<String, NoAnswer> {
        type Answer = Result<String, NoAnswer>;
        let is_cut_off: fn(&Answer) -> bool =
            |answer| is_cut_off(answer) || answer.as_ref().is_ok_and(String::is_empty);
        // A server closes the connection behind its answer.
        let is_ended_by_us: fn(&Answer) -> bool = |answer| {
            matches!(
                answer,
                Err(NoAnswer::AnswerTimedOut | NoAnswer::Unreadable | NoAnswer::Tls(_))
            )
        };
        let say = async |limits| {
            self.asking(at, async |tls, _| self.say(at, tls.as_ref(), word, limits).await).await
        };
        let ask = async || self.patiently((&at.host, at.port), Kind::Word, say).await;
        let began = Instant::now();
        let limits = self.pace.limits(Kind::Connection);
        let pass = self.admission.question(at, limits).await;
        let asked = self.admitted(at, pass, [is_cut_off, is_ended_by_us], ask);
        let (answer, _pass) = Box::pin(asked).await;
        trace!(
            server = %at,
            word = word.letters(),
            outcome = outcome(&answer),
            bytes = answer.as_ref().map_or(0, String::len),
            took_ms = millis_since(began),
            "asked"
        );
        if let (FourLetterWord::Conf, Ok(conf)) = (word, &answer)
            && let Some(connections) = four_letter::Conf::parse(conf).max_client_connections
        {
            self.admission.takes(at, connections);
        }
        answer
    }

    async fn read(&self, at: &Endpoint) -> Result<ConfigRead, NoAnswer> {
        // The library accepts a connect string. A host with a comma or a slash would name other
        // servers.
        if !at.host.is_plain() {
            return Err(NoAnswer::Unresolved);
        }
        if let Some(silence) = self.ways.refused(at) {
            return Err(silence);
        }
        let read = async |limits| {
            let read = async |tls, shown| self.read_as(at, tls, (shown, limits)).await;
            self.asking(at, read).await
        };
        let ask = async || self.patiently((&at.host, at.port), Kind::Session, read).await;
        let is_cut_off: fn(&Result<ShortRead, NoAnswer>) -> bool = is_cut_off;
        let began = Instant::now();
        let pass = self.admission.question(at, self.pace.limits(Kind::Connection)).await;
        let (read, pass) = Box::pin(self.admitted(at, pass, [is_cut_off, |_| true], ask)).await;
        if read.is_ok() {
            pass.took_session();
        }
        let reading = match read {
            Ok((reading, Some(ending))) => {
                let ended = async move {
                    ending.ended().await;
                    drop(pass);
                };
                // Where connections are few, the next command must not find this one still counted.
                if self.admission.is_wide(at) {
                    tokio::spawn(ended);
                } else {
                    ended.await;
                }
                Ok(reading)
            }
            read => read.map(|(reading, _)| reading),
        };
        debug!(
            server = %at,
            outcome = outcome(&reading),
            took_ms = millis_since(began),
            "wrote and read on a short session"
        );
        reading
    }

    fn takes_one_connection(&self, at: &Endpoint) -> bool {
        self.is_beside_a_session || self.admission.takes_one(at)
    }

    fn demanded(&self, at: &Endpoint) -> AuthDemand {
        match self.ways.shown(at) {
            Shown { sasl: true, .. } => AuthDemand::Sasl,
            Shown { look: true, .. } => AuthDemand::Digest,
            Shown { .. } => AuthDemand::Nothing,
        }
    }

    async fn admin(&self, base: &str, command: &str) -> Result<serde_json::Value, NoAnswer> {
        admin_server::ask(base, command, self.pace.limits(Kind::Word)).await
    }

    async fn check_port(&self, host: &Host, port: u16) -> PortState {
        let turn = self.turn_at(host, port);
        let _mine = turn.lock().await;
        let known = self.open_ports.as_ref();
        let known = || known.map(|known| known.lock().unwrap_or_else(PoisonError::into_inner));
        let place = (host.clone(), port);
        let last = known().and_then(|known| known.get(&place).copied());
        if last.is_some_and(|last| last.elapsed() < STAYS_OPEN) {
            return PortState::Open;
        }
        let connect = async |limits| transport::connect(host, port, limits).await.map(drop);
        let state = state_of(&self.patiently((host, port), Kind::Connection, connect).await);
        trace!(%host, port, ?state, "checked a port");
        if let Some(mut known) = known() {
            match state {
                PortState::Open => known.insert(place, Instant::now()),
                PortState::Refused | PortState::Unreachable => known.remove(&place),
            };
        }
        state
    }

    async fn resolve(&self, host: &Host) -> Vec<IpAddr> {
        let limits = self.pace.limits(Kind::Connection);
        let found = transport::addresses(host, 0, limits).await.unwrap_or_default();
        let mut found: Vec<IpAddr> = found.into_iter().map(|address| address.ip()).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn sessions_opened(&self, at: &Endpoint) -> u64 {
        self.admission.sessions(at)
    }

    async fn closes_sessions(&self, at: &Endpoint) {
        drop(self.admission.question_alone(at, self.pace.limits(Kind::Connection)).await);
    }

    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

impl SessionFactory for ZooKeeper {
    type Session = HeldSession;

    async fn open(&self, at: &Endpoint, terms: &SessionTerms) -> Result<HeldSession, RequestError> {
        let means = ConnectOptions {
            terms: terms.clone(),
            tls: self.tls.clone(),
            pace: Arc::clone(&self.pace),
            admission: self.admission.clone(),
            ways: Arc::clone(&self.ways),
            survey_sasl: self.sasl.clone(),
        };
        HeldSession::open(at, means).await
    }
}

/// What a connection to a port, or its failure, says of the port.
fn state_of<T>(connected: &Result<T, NoAnswer>) -> PortState {
    match connected {
        Ok(_) => PortState::Open,
        Err(NoAnswer::Refused | NoAnswer::Closed) => PortState::Refused,
        Err(_) => PortState::Unreachable,
    }
}

/// How long ago that was, in milliseconds.
fn millis_since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Whether a server closed a connection, as it does with one too many. In TLS that ends the handshake.
fn is_cut_off<T>(answer: &Result<T, NoAnswer>) -> bool {
    matches!(answer, Err(NoAnswer::Closed | NoAnswer::Tls(TlsFailure::Handshake)))
}

/// Sends a word and reads to the end.
async fn exchange(
    mut stream: Box<dyn Stream>,
    tls: Option<&TlsClient>,
    word: FourLetterWord,
    answer_bytes: u32,
) -> Result<String, NoAnswer> {
    let sent = async {
        stream.write_all(word.letters().as_bytes()).await?;
        stream.flush().await
    };
    sent.await.map_err(|cause| transport::why_lost(&cause, tls))?;
    let mut answer = Vec::with_capacity(16 * 1024);
    let end = stream.take(u64::from(answer_bytes) + 1).read_to_end(&mut answer).await;
    // Servers close with a reset, or in TLS without a close alert, after a complete answer.
    if let (Err(cause), true) = (&end, answer.is_empty()) {
        return Err(transport::why_lost(cause, tls));
    }
    if answer.len() > usize::try_from(answer_bytes).unwrap_or(usize::MAX) {
        return Err(NoAnswer::Unreadable);
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
