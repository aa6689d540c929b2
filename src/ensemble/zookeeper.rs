//! The real port: ZooKeeper servers over TCP and TLS, `AdminServer`s over HTTP.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use super::held::Means;
use super::transport::{self, Stream, TlsClient, TlsFiles, TlsSetupError};
use super::ways::{Show, Shown, Ways};
use super::{
    Control, Credential, DryRun, Ensemble, Failure, HeldSession, Knock, Reading, SessionTerms,
    Silence, Word, dry_run, session, words,
};
use crate::model::{ConfigVersion, Endpoint, Folder, Host, Tls, Update};

/// Bounds of every question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long resolving a name may take, and again how long connecting may take.
    pub connect: Duration,
    /// How long a TLS handshake may take. The first one after a server's start takes seconds where
    /// the machine is busy: Java loads its classes for it.
    pub handshake: Duration,
    /// How long an answer may take from the connection, or the handshake, on.
    pub answer: Duration,
    /// How much of an answer is read, in bytes; what is longer is unreadable.
    pub answer_bytes: u32,
}

impl Limits {
    /// How long an answer from there may take on a connection of the library's, which makes the
    /// handshake itself.
    pub(super) fn answer_from(self, at: &Endpoint) -> Duration {
        if at.tls { self.handshake + self.answer } else { self.answer }
    }
}

impl Default for Limits {
    /// A second to connect, five for a TLS handshake, two to answer, a mebibyte.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            handshake: Duration::from_secs(5),
            answer: Duration::from_secs(2),
            answer_bytes: 1024 * 1024,
        }
    }
}

/// Whose turn it is at a port.
type Turn = Arc<tokio::sync::Mutex<()>>;

/// Asks real servers. Needs a tokio runtime with I/O and time.
///
/// Who only looks proves nobody: with scheme `x509` a certificate makes every session that of its
/// subject. So it is shown only to servers that take no connection, or no session, without one
/// (`ssl.clientAuth=need`, the default), once they have said so; and on sessions that are held
/// ([`Control::open`]). For servers that enforce another scheme see [`Credential`].
pub struct ZooKeeper {
    limits: Limits,
    tls: Option<TlsFiles>,
    /// What servers want to be shown.
    ways: Arc<Ways>,
    /// What looks may show where servers enforce SASL, and at which addresses.
    sasl: Option<(Credential, BTreeSet<Endpoint>)>,
    /// Where the identity is read.
    folder: Folder,
    /// One knock at a time on each port: a server takes the connections to its election port one
    /// after the other (`QuorumCnxManager.Listener`).
    knocking: Mutex<HashMap<(Host, u16), Turn>>,
}

impl ZooKeeper {
    /// With those certificates for endpoints that speak TLS; reads their files.
    pub fn new(limits: Limits, tls: Option<&Tls>) -> Result<Self, TlsSetupError> {
        let tls = tls.map(TlsFiles::read).transpose()?;
        let (ways, knocking) = (Arc::default(), Mutex::default());
        Ok(Self { limits, tls, ways, sasl: None, folder: Folder::default(), knocking })
    }

    /// Reads the identity in that folder.
    #[must_use]
    pub fn with_folder(self, folder: Folder) -> Self {
        Self { folder, ..self }
    }

    /// Looks with that SASL credential at those addresses, where servers take no session without
    /// one. The addresses are those that the operator's file or flags name.
    #[must_use]
    pub fn looking_as(self, credential: Credential, at: BTreeSet<Endpoint>) -> Self {
        // A password that is sent is never shown to look.
        let sasl = (!credential.sends_password()).then_some((credential, at));
        Self { sasl, ..self }
    }

    /// The same servers, asked without a certificate of the client's own: with scheme `x509` a
    /// certificate makes every session that of its subject, the super user's for one. Servers that
    /// want one of every client (`ssl.clientAuth=need`, the default) take no such connection.
    #[must_use]
    pub fn as_nobody(&self) -> Self {
        let tls = self.tls.as_ref().map(TlsFiles::as_nobody);
        let (limits, folder, sasl) = (self.limits, self.folder.clone(), self.sasl.clone());
        let ways = Arc::clone(&self.ways);
        Self { limits, tls, ways, sasl, folder, knocking: Mutex::default() }
    }

    /// Has the leader check one reconfig without carrying it out: on a session of its own that
    /// proves nobody, and only where such a session was just seen to have no permission.
    ///
    /// # Errors
    ///
    /// Why that server gave no session; nothing was sent. `CertificateWanted` where it takes no
    /// connection without a client certificate: none is shown.
    pub async fn dry_run(
        &self,
        at: &Endpoint,
        request: &Update,
        version: ConfigVersion,
    ) -> Result<DryRun, Silence> {
        let tls = self.tls.as_ref().map(|tls| tls.clients().nobody);
        dry_run::dry_run(at, tls.as_ref(), self.limits, request, version).await
    }

    /// Asks a server as nobody; with what it wants to be shown where it answers nobody.
    async fn asking<T>(
        &self,
        at: &Endpoint,
        ask: impl AsyncFn(Option<TlsClient>, Shown) -> Result<T, Silence>,
    ) -> Result<T, Silence> {
        let files = self.tls.as_ref().filter(|_| at.tls);
        let mut shown = self.ways.shown(at);
        loop {
            let tls = files.map(TlsFiles::clients);
            let own = tls.as_ref().and_then(|tls| tls.own.as_ref());
            let (certificate, sasl) = (own.is_some(), self.sasl_at(at).is_some());
            let may = Shown { certificate, look: true, sasl };
            let client = own.filter(|_| shown.certificate).or(tls.as_ref().map(|tls| &tls.nobody));
            let silence = match ask(client.cloned(), shown).await {
                Err(silence) => silence,
                answer => return answer,
            };
            if let (Silence::Tls(_), Some(files), Some(tls)) = (silence, files, &tls)
                && files.have_changed(tls)
            {
                continue;
            }
            let Some(more) = shown.beyond(silence, may) else {
                let silence = match silence {
                    Silence::NeedsAuth if self.sasl.is_some() && !may.sasl => Silence::AuthWithheld,
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

    /// One four-letter word.
    async fn say(
        &self,
        at: &Endpoint,
        tls: Option<&TlsClient>,
        word: Word,
    ) -> Result<String, Silence> {
        let stream = transport::open(at, tls, self.limits).await?;
        let exchange = exchange(stream, tls, word, self.limits.answer_bytes);
        let answer =
            timeout(self.limits.answer, exchange).await.unwrap_or(Err(Silence::AnswerTimedOut))?;
        match words::refusal(&answer) {
            Some(silence) => Err(silence),
            None if answer.is_empty() && word.always_says_something() => Err(Silence::Closed),
            None => Ok(answer),
        }
    }

    /// One short session.
    async fn read_as(
        &self,
        at: &Endpoint,
        tls: Option<TlsClient>,
        shown: Shown,
    ) -> Result<Reading, Silence> {
        let (endpoint, client, limits) = (at.clone(), tls.clone(), self.limits);
        let folder = self.folder.clone();
        let credential = self.sasl_at(at).filter(|_| shown.sasl).cloned();
        let show = Show { look: shown.look, credential };
        let began = Instant::now();
        let reading = spawn_blocking(move || {
            session::read(&endpoint, client.as_ref(), &folder, limits, &show)
        })
        .await;
        let silence = match reading {
            Ok(Ok(reading)) => return Ok(reading),
            Ok(Err(Silence::Closed)) => Silence::Closed,
            Ok(Err(silence)) => return Err(silence),
            // The library panicked; its thread is gone, and with it the session's connection.
            Err(_) => return Err(Silence::Unreadable),
        };
        if began.elapsed() >= self.limits.answer_from(at) {
            return Err(Silence::AnswerTimedOut);
        }
        // The library tells a refused connection or handshake from one that was hung up by nothing.
        Err(match self.say(at, tls.as_ref(), Word::Srvr).await {
            Err(why @ (Silence::Refused | Silence::NoRoute | Silence::Tls(_))) => why,
            _ => silence,
        })
    }

    fn turn_at(&self, host: &Host, port: u16) -> Turn {
        let mut all = self.knocking.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry((host.clone(), port)).or_default())
    }
}

impl Ensemble for ZooKeeper {
    async fn ask(&self, at: &Endpoint, word: Word) -> Result<String, Silence> {
        self.asking(at, async |tls, _| self.say(at, tls.as_ref(), word).await).await
    }

    async fn read(&self, at: &Endpoint) -> Result<Reading, Silence> {
        // The library takes a connect string: a host with a comma or a slash would mean others.
        if !at.host.is_plain() {
            return Err(Silence::Unresolved);
        }
        if let Some(silence) = self.ways.refused(at) {
            return Err(silence);
        }
        self.asking(at, async |tls, shown| self.read_as(at, tls, shown).await).await
    }

    async fn admin(&self, base: &str, command: &str) -> Result<serde_json::Value, Silence> {
        let url = format!("{}/commands/{command}", base.trim_end_matches('/'));
        let limits = self.limits;
        // Joining fails only where the blocking task panicked.
        spawn_blocking(move || get(&url, limits)).await.unwrap_or(Err(Silence::Unreadable))
    }

    async fn knock(&self, host: &Host, port: u16) -> Knock {
        let turn = self.turn_at(host, port);
        let _mine = turn.lock().await;
        match transport::connect(host, port, self.limits).await {
            Ok(stream) => {
                drop(stream);
                Knock::Open
            }
            Err(Silence::Refused | Silence::Closed) => Knock::Refused,
            Err(_) => Knock::Unreachable,
        }
    }

    async fn resolve(&self, host: &Host) -> Vec<IpAddr> {
        let found = transport::addresses(host, 0, self.limits).await.unwrap_or_default();
        let mut found: Vec<IpAddr> = found.into_iter().map(|address| address.ip()).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

impl Control for ZooKeeper {
    type Session = HeldSession;

    async fn open(&self, at: &Endpoint, terms: &SessionTerms) -> Result<HeldSession, Failure> {
        let means = Means {
            terms: terms.clone(),
            tls: self.tls.clone(),
            limits: self.limits,
            ways: Arc::clone(&self.ways),
            looks_as: self.sasl.clone(),
        };
        HeldSession::open(at, means).await
    }
}

/// Sends a word and reads to the end.
async fn exchange(
    mut stream: Box<dyn Stream>,
    tls: Option<&TlsClient>,
    word: Word,
    answer_bytes: u32,
) -> Result<String, Silence> {
    let sent = async {
        stream.write_all(word.letters().as_bytes()).await?;
        stream.flush().await
    };
    sent.await.map_err(|cause| transport::why_lost(&cause, tls))?;
    let mut answer = Vec::with_capacity(16 * 1024);
    let end = stream.take(u64::from(answer_bytes) + 1).read_to_end(&mut answer).await;
    // Servers close with a reset, or in TLS without saying so, after a whole answer.
    if let (Err(cause), true) = (&end, answer.is_empty()) {
        return Err(transport::why_lost(cause, tls));
    }
    if answer.len() > usize::try_from(answer_bytes).unwrap_or(usize::MAX) {
        return Err(Silence::Unreadable);
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// One HTTP request: no redirect is followed, no proxy is used.
fn get(url: &str, limits: Limits) -> Result<serde_json::Value, Silence> {
    let agent = ureq::Agent::config_builder()
        .timeout_connect(Some(limits.connect))
        .timeout_global(Some(limits.connect + limits.answer))
        .max_redirects(0)
        .proxy(None)
        .build()
        .new_agent();
    let response = agent.get(url).call().map_err(|cause| why(&cause))?;
    let body = response.into_body().into_with_config().limit(u64::from(limits.answer_bytes));
    let body = body.read_to_vec().map_err(|cause| why(&cause))?;
    serde_json::from_slice(&body).map_err(|_| Silence::Unreadable)
}

fn why(cause: &ureq::Error) -> Silence {
    match cause {
        ureq::Error::HostNotFound | ureq::Error::Timeout(ureq::Timeout::Resolve) => {
            Silence::Unresolved
        }
        ureq::Error::Timeout(ureq::Timeout::Connect) => Silence::ConnectTimedOut,
        ureq::Error::Timeout(_) => Silence::AnswerTimedOut,
        ureq::Error::ConnectionFailed => Silence::NoRoute,
        ureq::Error::Io(cause) => match cause.kind() {
            std::io::ErrorKind::ConnectionRefused => Silence::Refused,
            std::io::ErrorKind::TimedOut => Silence::ConnectTimedOut,
            std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::UnexpectedEof => {
                Silence::Closed
            }
            _ => Silence::NoRoute,
        },
        _ => Silence::Unreadable,
    }
}
