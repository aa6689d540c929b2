//! What an ensemble shall be like, and the configuration files that follow from it.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::ClientConfig;
use zkplan::demo::super_digest_flag;

use super::certificates::Authority;
use super::server::{Ports, Server};
use super::{Certificate, Ensemble, Release};

/// The password of the user `super` in every ensemble started here.
pub(crate) const SUPER_PASSWORD: &str = "zkplan-test";

/// Who can come by SASL and has no rights, where a test lets clients come by it.
pub(crate) const SASL_USER: &str = "visitor";

/// What `DigestAuthenticationProvider` makes of `super:` and [`SUPER_PASSWORD`].
const SUPER_DIGEST: &str = "super:RX4WTyccCctM2IkpYLXtXE1GFB0=";

/// Short ticks: followers are missed after two seconds, and clients may have sessions of 0.4 to 20
/// seconds.
const RICH_SETTINGS: [(&str, &str); 6] = [
    ("tickTime", "200"),
    ("initLimit", "50"),
    ("syncLimit", "10"),
    ("minSessionTimeout", "400"),
    ("maxSessionTimeout", "20000"),
    ("4lw.commands.whitelist", "*"),
];

/// The times of ZooKeeper's own sample configuration, and its default whitelist, which is `srvr`
/// alone.
const PLAIN_SETTINGS: [(&str, &str); 3] =
    [("tickTime", "2000"), ("initLimit", "10"), ("syncLimit", "5")];

/// Both: no fsync and small log files (`preAllocSize` is in KiB), for a killed process does not
/// lose the page cache.
const COMMON_SETTINGS: [(&str, &str); 3] =
    [("maxClientCnxns", "0"), ("preAllocSize", "1024"), ("forceSync", "no")];

/// The part a server is given in the membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Votes, and may lead.
    Participant,
    /// Follows without a vote.
    Observer,
}

impl Role {
    /// As ZooKeeper prints it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Participant => "participant",
            Self::Observer => "observer",
        }
    }
}

/// How the servers are configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Profile {
    /// As an operator who knows dynamic reconfiguration does it: membership in a file of its own,
    /// with client ports.
    Rich,
    /// As most ensembles are: `server.N=host:quorum:election` and `clientPort` in `zoo.cfg`, and
    /// defaults.
    Plain,
}

/// Secure client ports.
#[derive(Clone, Debug)]
struct Secure {
    authority: Arc<Authority>,
    /// Whose certificates servers take beside those of the authority.
    trusted: String,
    /// Whether there are no others.
    alone: bool,
    /// Servers whose certificate is for that host, and for no other.
    hosts: Vec<(u8, String)>,
}

/// Describes an ensemble; [`Builder::start`] starts it.
#[derive(Clone, Debug)]
pub(crate) struct Builder {
    profile: Profile,
    release: Release,
    release_of: Vec<(u8, Release)>,
    host: String,
    /// Whether each server has a loopback address of its own.
    apart: bool,
    /// How a server's own line names its host in its own file.
    own_host: Option<String>,
    /// The client address in each line, where it is not every address of the machine.
    client_host: Option<String>,
    participants: Vec<u8>,
    observers: Vec<u8>,
    /// `group.G=…` and `weight.N=…` lines of the first membership.
    places: Vec<String>,
    standalone: bool,
    admin_server: bool,
    /// A later one wins, for so does it in `zoo.cfg`.
    settings: Vec<(String, String)>,
    settings_of: Vec<(u8, String, String)>,
    without_super: Vec<u8>,
    archive: Option<String>,
    heap: Option<String>,
    secure: Option<Secure>,
    /// Who can come by SASL.
    sasl_users: Vec<&'static str>,
}

impl Builder {
    /// Dynamic configuration file, client ports in the membership, fast ticks, all four-letter
    /// words. Three servers.
    pub(crate) fn rich() -> Self {
        Self::new(Profile::Rich, "127.0.0.1")
    }

    /// Static `zoo.cfg` without client ports in the membership, ticks of two seconds, `srvr` as the
    /// only four-letter word. Three servers.
    pub(crate) fn plain() -> Self {
        Self::new(Profile::Plain, "localhost")
    }

    fn new(profile: Profile, host: &str) -> Self {
        let builder = Self {
            profile,
            release: Release::default(),
            release_of: Vec::new(),
            host: host.to_owned(),
            apart: false,
            own_host: None,
            client_host: None,
            participants: Vec::new(),
            observers: Vec::new(),
            places: Vec::new(),
            standalone: false,
            admin_server: false,
            settings: Vec::new(),
            settings_of: Vec::new(),
            without_super: Vec::new(),
            archive: None,
            heap: None,
            secure: None,
            sasl_users: Vec::new(),
        };
        builder.servers(3).reconfig_enabled(true)
    }

    /// The release of every server; that of this machine where nothing is said.
    #[must_use]
    pub(crate) fn release(mut self, release: Release) -> Self {
        self.release = release;
        self
    }

    /// The release of these servers.
    #[must_use]
    pub(crate) fn release_of(
        mut self,
        ids: impl IntoIterator<Item = u8>,
        release: Release,
    ) -> Self {
        self.release_of.extend(ids.into_iter().map(|id| (id, release)));
        self
    }

    /// Participants 1 to `count`.
    #[must_use]
    pub(crate) fn servers(self, count: u8) -> Self {
        self.participants(1..=count)
    }

    /// Participants with these ids.
    #[must_use]
    pub(crate) fn participants(mut self, ids: impl IntoIterator<Item = u8>) -> Self {
        self.participants = ids.into_iter().collect();
        self
    }

    /// Observers in the first membership, beside the participants.
    #[must_use]
    pub(crate) fn observers(mut self, ids: impl IntoIterator<Item = u8>) -> Self {
        self.observers = ids.into_iter().collect();
        self
    }

    /// Quorums by groups: `group.G=…` and `weight.N=…` lines of the first membership.
    #[must_use]
    pub(crate) fn places<L: Into<String>>(mut self, lines: impl IntoIterator<Item = L>) -> Self {
        self.places = lines.into_iter().map(Into::into).collect();
        self
    }

    /// One server that knows nothing of ensembles: no `server.N` line at all.
    #[must_use]
    pub(crate) fn standalone(mut self) -> Self {
        self.standalone = true;
        self.servers(1)
    }

    /// The name or address under which the servers know each other. It must lead to loopback.
    #[must_use]
    pub(crate) fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// Gives each server a loopback address of its own, `127.0.0.N`, at which alone it listens for the
    /// others unless its own line says otherwise.
    #[must_use]
    pub(crate) fn hosts_apart(self) -> Self {
        Self { apart: true, ..self }
    }

    /// How each server's first file names the host of that server itself, such as `0.0.0.0`; the
    /// files of the others do not.
    #[must_use]
    pub(crate) fn own_host(self, host: &str) -> Self {
        Self { own_host: Some(host.to_owned()), ..self }
    }

    /// At which address alone the servers take clients, as their lines say.
    #[must_use]
    pub(crate) fn client_host(self, host: &str) -> Self {
        Self { client_host: Some(host.to_owned()), ..self }
    }

    /// Whether servers accept `reconfig`; they do unless told otherwise.
    #[must_use]
    pub(crate) fn reconfig_enabled(self, enabled: bool) -> Self {
        self.setting("reconfigEnabled", if enabled { "true" } else { "false" })
    }

    /// Switches on the `AdminServer`, each server's on a port of its own.
    #[must_use]
    pub(crate) fn admin_server(mut self) -> Self {
        self.admin_server = true;
        self
    }

    /// A secure client port for each server, beside the plain one, with a certificate of this
    /// authority for loopback. Clients have to show one of it too, which is ZooKeeper's default
    /// (`ssl.clientAuth=need`).
    #[must_use]
    pub(crate) fn tls(mut self, authority: &Arc<Authority>) -> Self {
        let authority = Arc::clone(authority);
        self.secure =
            Some(Secure { authority, trusted: String::new(), alone: false, hosts: Vec::new() });
        self.setting("serverCnxnFactory", "org.apache.zookeeper.server.NettyServerCnxnFactory")
            .setting("ssl.keyStore.location", "server.pem")
            .setting("ssl.keyStore.type", "PEM")
            .setting("ssl.trustStore.location", "ca.pem")
            .setting("ssl.trustStore.type", "PEM")
    }

    /// [`Builder::tls`], and no plain client port.
    #[must_use]
    pub(crate) fn tls_alone(self, authority: &Arc<Authority>) -> Self {
        let mut builder = self.tls(authority);
        builder.secure = builder.secure.map(|secure| Secure { alone: true, ..secure });
        builder
    }

    /// Lets servers take certificates of another authority too.
    #[must_use]
    pub(crate) fn trusting(mut self, authority: &Authority) -> Self {
        let secure = self.secure.as_mut().expect("there are secure client ports");
        secure.trusted.push_str(authority.pem());
        self
    }

    /// Encrypts what servers say to each other, with the certificates of their client ports.
    #[must_use]
    pub(crate) fn tls_among_servers(self) -> Self {
        self.setting("sslQuorum", "true")
            .setting("ssl.quorum.keyStore.location", "server.pem")
            .setting("ssl.quorum.keyStore.type", "PEM")
            .setting("ssl.quorum.trustStore.location", "ca.pem")
            .setting("ssl.quorum.trustStore.type", "PEM")
    }

    /// Gives one server's certificate to a host where it is not reached.
    #[must_use]
    pub(crate) fn certificate_for(mut self, id: u8, host: &str) -> Self {
        let secure = self.secure.as_mut().expect("there are secure client ports");
        secure.hosts.push((id, host.to_owned()));
        self
    }

    /// Lets clients come by SASL, mechanism `DIGEST-MD5`: `super` with [`SUPER_PASSWORD`], who is a
    /// super user, and [`SASL_USER`] with the same password, who has no rights.
    #[must_use]
    pub(crate) fn sasl(mut self) -> Self {
        self.sasl_users = vec!["super", SASL_USER];
        let provider = "org.apache.zookeeper.server.auth.SASLAuthenticationProvider";
        self.setting("authProvider.sasl", provider).setting("superUser", "super")
    }

    /// The heap of every server, as Java takes it: `256m`. It is small where nothing is said.
    #[must_use]
    pub(crate) fn heap(mut self, size: &str) -> Self {
        self.heap = Some(size.to_owned());
        self
    }

    /// A line of every server's `zoo.cfg`; it wins over what the harness sets.
    #[must_use]
    pub(crate) fn setting(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Leaves a line out of every server's `zoo.cfg`, so that ZooKeeper's own default holds.
    #[must_use]
    pub(crate) fn unset(mut self, key: &str) -> Self {
        self.settings.retain(|(known, _)| known != key);
        self
    }

    /// A line of one server's `zoo.cfg`; it wins over [`Builder::setting`].
    #[must_use]
    pub(crate) fn setting_of(mut self, id: u8, key: &str, value: &str) -> Self {
        self.settings_of.push((id, key.to_owned(), value.to_owned()));
        self
    }

    /// Servers whose processes do not know the super user, until [`Ensemble::tell_super_user`].
    #[must_use]
    pub(crate) fn without_super_user(mut self, ids: impl IntoIterator<Item = u8>) -> Self {
        self.without_super.extend(ids);
        self
    }

    /// Starts the servers side by side and returns when one leads and all serve.
    ///
    /// # Panics
    /// When they do not, with the end of each server's log.
    pub(crate) fn start(self) -> Ensemble {
        Ensemble::start(self)
    }

    /// Starts the servers, then these as joiners, and returns when all follow.
    pub(crate) fn start_with(self, joiners: impl IntoIterator<Item = u8> + Clone) -> Ensemble {
        let ensemble = self.start();
        for id in joiners.clone() {
            ensemble.start_joiner(id);
        }
        for id in joiners {
            ensemble.wait_following(id);
        }
        ensemble
    }

    /// For the server whose only purpose is the class archive that it leaves.
    pub(super) fn making_archive(mut self, path: &Path) -> Self {
        self.archive = Some(format!("-XX:ArchiveClassesAtExit={}", path.display()));
        self
    }

    pub(super) fn archive(&self) -> Option<&String> {
        self.archive.as_ref()
    }

    /// The release of a server.
    pub(super) fn release_at(&self, id: u8) -> Release {
        let own = self.release_of.iter().find(|(server, _)| *server == id);
        own.map_or(self.release, |(_, release)| *release)
    }

    /// Java's flag for the file that [`Builder::sasl`] makes.
    pub(super) fn sasl_flag(&self) -> Option<String> {
        let wanted = !self.sasl_users.is_empty();
        wanted.then(|| "-Djava.security.auth.login.config=jaas.conf".to_owned())
    }

    /// The same file.
    fn jaas(&self) -> Option<(&'static str, String)> {
        let users = self.sasl_users.iter();
        let users: Vec<String> =
            users.map(|user| format!("user_{user}=\"{SUPER_PASSWORD}\"")).collect();
        let module = "org.apache.zookeeper.server.auth.DigestLoginModule required";
        let text = format!("Server {{ {module} {}; }};\n", users.join(" "));
        (!users.is_empty()).then_some(("jaas.conf", text))
    }

    pub(super) fn heap_flag(&self) -> Option<String> {
        self.heap.as_ref().map(|size| format!("-Xmx{size}"))
    }

    pub(super) fn host_name(&self) -> &str {
        &self.host
    }

    /// The host under which the others know a server.
    pub(super) fn host_of(&self, id: u8) -> String {
        if self.apart { format!("127.0.0.{id}") } else { self.host.clone() }
    }

    pub(super) fn admin_server_wanted(&self) -> bool {
        self.admin_server
    }

    pub(super) fn has_secure_ports(&self) -> bool {
        self.secure.is_some()
    }

    /// Whether servers have no plain client port.
    pub(super) fn is_tls_alone(&self) -> bool {
        self.secure.as_ref().is_some_and(|secure| secure.alone)
    }

    /// What checks servers where they have no plain client port, and what is shown to them.
    pub(super) fn identity_where_tls_alone(&self) -> Option<(&Arc<Authority>, Certificate)> {
        let secure = self.secure.as_ref().filter(|secure| secure.alone)?;
        Some((&secure.authority, secure.authority.client("harness")))
    }

    /// How four-letter words are asked at secure client ports.
    pub(super) fn words_over_tls(&self) -> Option<Arc<ClientConfig>> {
        let Secure { authority, .. } = self.secure.as_ref()?;
        Some(authority.connects(&authority.client("harness")))
    }

    pub(super) fn first_places(&self) -> &[String] {
        &self.places
    }

    pub(super) fn first_without_super_user(&self) -> &[u8] {
        &self.without_super
    }

    /// The servers of the first membership.
    pub(super) fn first_members(&self) -> impl Iterator<Item = (u8, Role)> {
        let participants = self.participants.iter().map(|&id| (id, Role::Participant));
        participants.chain(self.observers.iter().map(|&id| (id, Role::Observer)))
    }

    /// `server.N=…` as ZooKeeper prints it once the server is a member.
    pub(super) fn line_printed(&self, id: u8, role: Role, ports: &Ports) -> String {
        let Ports { client, quorum, election, .. } = ports;
        let host = self.host_of(id);
        let line = format!("server.{id}={host}:{quorum}:{election}:{}", role.name());
        match self.profile {
            Profile::Rich if !self.is_tls_alone() => {
                format!("{line};{}:{client}", self.client_host.as_deref().unwrap_or("0.0.0.0"))
            }
            Profile::Rich | Profile::Plain => line,
        }
    }

    /// `server.N=…` as a person writes it into a server's first configuration.
    pub(super) fn line_written(&self, id: u8, role: Role, ports: &Ports) -> String {
        let Ports { client, quorum, election, .. } = ports;
        let line = format!("server.{id}={}:{quorum}:{election}", self.host_of(id));
        match (self.profile, role) {
            (Profile::Rich, role) if self.is_tls_alone() => format!("{line}:{}", role.name()),
            (Profile::Rich, role) => match &self.client_host {
                Some(host) => format!("{line}:{};{host}:{client}", role.name()),
                None => format!("{line}:{};{client}", role.name()),
            },
            (Profile::Plain, Role::Participant) => line,
            (Profile::Plain, Role::Observer) => format!("{line}:observer"),
        }
    }

    /// Whether a server knows nothing of ensembles. Those that are added to it later do.
    fn is_standalone(&self, server: &Server) -> bool {
        self.standalone && !server.is_joiner()
    }

    /// The files from which a server starts for the first time, by name; `members` are its lines.
    pub(super) fn files(&self, server: &Server, members: &[String]) -> Vec<(&'static str, String)> {
        let own = format!("server.{}={}:", server.id(), self.host_of(server.id()));
        let line = |line: &String| match (&self.own_host, line.strip_prefix(&own)) {
            (Some(host), Some(rest)) => format!("server.{}={host}:{rest}\n", server.id()),
            _ => format!("{line}\n"),
        };
        let members: String = members.iter().map(line).collect();
        let zoo_cfg = self.zoo_cfg(server);
        let id = ("data/myid", format!("{}\n", server.id()));
        let client = format!("clientPort={}\n", server.ports().client);
        let client = if self.is_tls_alone() { String::new() } else { client };
        let mut files = match self.profile {
            _ if self.is_standalone(server) => {
                vec![id, ("zoo.cfg", format!("{zoo_cfg}{client}"))]
            }
            Profile::Rich => {
                // A name whose last part is no hex number: such a part would count as the config
                // version.
                let dynamic = server.file("zoo.cfg.dynamic");
                let zoo_cfg = format!("{zoo_cfg}dynamicConfigFile={}\n", dynamic.display());
                vec![id, ("zoo.cfg", zoo_cfg), ("zoo.cfg.dynamic", members)]
            }
            Profile::Plain => {
                vec![id, ("zoo.cfg", format!("{zoo_cfg}{client}{members}"))]
            }
        };
        files.extend(self.certificates(server.id()));
        files.extend(self.jaas());
        files
    }

    /// The files by which a server speaks TLS.
    fn certificates(&self, id: u8) -> Vec<(&'static str, String)> {
        let Some(Secure { authority, trusted, hosts, .. }) = &self.secure else {
            return Vec::new();
        };
        let other = hosts.iter().find(|(server, _)| *server == id).map(|(_, host)| host.as_str());
        let hosts = other.map_or(vec!["127.0.0.1", "localhost"], |host| vec![host]);
        let Certificate { certificate, key } = authority.server(&hosts);
        let server = ("server.pem", format!("{key}{certificate}"));
        vec![server, ("ca.pem", format!("{}{trusted}", authority.pem()))]
    }

    fn zoo_cfg(&self, server: &Server) -> String {
        let of_profile: &[(&str, &str)] = match self.profile {
            Profile::Rich => &RICH_SETTINGS,
            Profile::Plain => &PLAIN_SETTINGS,
        };
        let admin = match server.ports().admin {
            Some(port) => {
                [("admin.enableServer", "true".to_owned()), ("admin.serverPort", port.to_string())]
                    .to_vec()
            }
            None => [("admin.enableServer", "false".to_owned())].to_vec(),
        };
        let ensemble =
            if self.is_standalone(server) { None } else { Some(("standaloneEnabled", "false")) };
        let secure = server.ports().secure.map(|port| ("secureClientPort", port.to_string()));
        let own = self.settings_of.iter().filter(|(id, ..)| *id == server.id());
        let mut text = format!("dataDir={}\n", server.file("data").display());
        let lines = (COMMON_SETTINGS.iter().chain(of_profile).copied().chain(ensemble))
            .chain(admin.iter().chain(&secure).map(|(key, value)| (*key, value.as_str())))
            .chain(self.settings.iter().map(|(key, value)| (key.as_str(), value.as_str())))
            .chain(own.map(|(_, key, value)| (key.as_str(), value.as_str())));
        for (key, value) in lines {
            writeln!(text, "{key}={value}").expect("a String takes all text");
        }
        text
    }

    /// Java's flag for a server: the super user's digest is a system property, as in operators'
    /// `java.env`.
    pub(crate) fn server_flag() -> String {
        super_digest_flag(SUPER_DIGEST)
    }
}
