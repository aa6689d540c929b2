//! The spec that a user writes.
//!
//! ```text
//! let spec = Spec::of(&ensemble, [1, 2, 3, 4]).role(4, Role::Observer).policy("stableFor", "0s");
//! desk.write("spec.yaml", &spec.text());
//! ```

use std::fmt::Write as _;

use crate::harness::{Ensemble, Role};

/// How the servers stand in a spec.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// `id:`, `host:` and so on.
    Keys,
    /// `server.N=…`.
    Lines,
}

/// A server in a spec.
#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) id: u8,
    pub(crate) host: String,
    pub(crate) quorum_port: u16,
    pub(crate) election_port: u16,
    pub(crate) client_port: u16,
    /// Where it is the client port, there is no plain one.
    pub(crate) secure_port: Option<u16>,
    pub(crate) role: Role,
    /// Its group and its weight.
    pub(crate) place: Option<(i64, i64)>,
    pub(crate) admin_port: Option<u16>,
}

impl Wanted {
    fn text(&self, form: Form, zone: Option<&str>) -> String {
        let Self { id, host, quorum_port, election_port, client_port, role, place, .. } = self;
        let admin_port = self.admin_port;
        let role = role.name();
        match (form, admin_port) {
            (Form::Lines, _) => {
                format!("server.{id}={host}:{quorum_port}:{election_port}:{role};{client_port}")
            }
            (Form::Keys, admin_port) => {
                let zone = zone.map(|zone| format!(", zone: {zone}")).unwrap_or_default();
                let place =
                    place.map(|(group, weight)| format!(", group: {group}, weight: {weight}"));
                let place = place.unwrap_or_default();
                let client = match self.secure_port {
                    Some(secure) if secure == *client_port => {
                        format!("none, secureClientPort: {secure}")
                    }
                    Some(secure) => format!("{client_port}, secureClientPort: {secure}"),
                    None => client_port.to_string(),
                };
                let admin = admin_port.map(|port| format!(", admin: \"http://{host}:{port}\""));
                format!(
                    "{{ id: {id}, host: {host}, quorumPort: {quorum_port}, electionPort: \
                     {election_port}, clientPort: {client}, role: {role}{place}{zone}{} }}",
                    admin.unwrap_or_default()
                )
            }
        }
    }
}

/// A spec.
#[derive(Clone)]
pub(crate) struct Spec {
    pub(crate) label: String,
    pub(crate) form: Form,
    pub(crate) servers: Vec<Wanted>,
    /// `host:port` each.
    pub(crate) connect: Vec<String>,
    /// Further lines below `connect:`.
    pub(crate) connect_with: Vec<String>,
    pub(crate) zones: Vec<(u8, &'static str)>,
    pub(crate) policy: Vec<(&'static str, &'static str)>,
    /// `settings:`, in braces.
    pub(crate) settings: Option<&'static str>,
    /// The commands of `hooks:` by name, words of argv each.
    pub(crate) hooks: Vec<(&'static str, Vec<String>)>,
}

impl Spec {
    /// Wants these servers of an ensemble, each in the role that it has or was reserved for.
    pub(crate) fn of(ensemble: &Ensemble, ids: impl IntoIterator<Item = u8>) -> Self {
        let wanted = |id| Wanted {
            id,
            host: ensemble.host_of(id),
            quorum_port: ensemble.quorum_port(id),
            election_port: ensemble.election_port(id),
            client_port: ensemble.client_address(id).port(),
            secure_port: ensemble.secure_address(id).map(|at| at.port()),
            role: if ensemble.server_line(id).contains(":observer") {
                Role::Observer
            } else {
                Role::Participant
            },
            place: None,
            admin_port: ensemble.admin_port(id),
        };
        Self {
            label: "story".to_owned(),
            form: Form::Keys,
            servers: ids.into_iter().map(wanted).collect(),
            connect: Vec::new(),
            connect_with: Vec::new(),
            zones: Vec::new(),
            policy: Vec::new(),
            settings: None,
            hooks: Vec::new(),
        }
    }

    /// Says how to reach the present ensemble.
    pub(crate) fn connect(mut self, addresses: &str) -> Self {
        self.connect = addresses.split(',').map(str::to_owned).collect();
        self
    }

    /// Says who we are; the password is in the environment.
    pub(crate) fn auth(self, user: &str) -> Self {
        self.connecting(&format!(
            "auth: {{ scheme: digest, user: {user}, password: {{ env: ZKPLAN_PASSWORD }} }}"
        ))
    }

    /// The same by SASL.
    pub(crate) fn sasl(self, user: &str) -> Self {
        self.connecting(&format!(
            "auth: {{ scheme: sasl, mechanism: DIGEST-MD5, user: {user}, password: {{ env: \
             ZKPLAN_PASSWORD }} }}"
        ))
    }

    /// The same by the certificate that is shown.
    pub(crate) fn x509(self) -> Self {
        self.connecting("auth: { scheme: x509 }")
    }

    /// Which certificates the servers have, and which one is shown to them: files of the desk.
    pub(crate) fn tls(self, ca: &str, shown: Option<(&str, &str)>) -> Self {
        let shown = shown.map(|(cert, key)| format!(", cert: {cert}, key: {key}"));
        self.connecting(&format!("tls: {{ ca: {ca}{} }}", shown.unwrap_or_default()))
    }

    /// How long a session lasts, and with it the ghost of a killed apply.
    pub(crate) fn session_timeout(self, duration: &str) -> Self {
        self.connecting(&format!("sessionTimeout: {duration}"))
    }

    /// Where zkplan keeps its state.
    pub(crate) fn folder(self, path: &str) -> Self {
        self.connecting(&format!("folder: {path}"))
    }

    fn connecting(mut self, line: &str) -> Self {
        let key = line.split(':').next().unwrap_or_default();
        self.connect_with.retain(|known| !known.trim_start().starts_with(key));
        self.connect_with.push(format!("  {line}"));
        self
    }

    /// Adds a command to `hooks:`.
    pub(crate) fn hook<W: Into<String>>(
        mut self,
        name: &'static str,
        argv: impl IntoIterator<Item = W>,
    ) -> Self {
        self.hooks.push((name, argv.into_iter().map(Into::into).collect()));
        self
    }

    /// Adds a line of `policy:`.
    pub(crate) fn policy(mut self, key: &'static str, value: &'static str) -> Self {
        self.policy.retain(|(known, _)| *known != key);
        self.policy.push((key, value));
        self
    }

    /// Wants every server to run with these settings.
    pub(crate) fn settings(mut self, settings: &'static str) -> Self {
        self.settings = Some(settings);
        self
    }

    /// Adds the zones of servers, wanted or not.
    pub(crate) fn zones(mut self, zones: impl IntoIterator<Item = (u8, &'static str)>) -> Self {
        self.zones.extend(zones);
        self
    }

    /// A wanted server, to be changed.
    pub(crate) fn server(&mut self, id: u8) -> &mut Wanted {
        self.servers.iter_mut().find(|server| server.id == id).expect("the spec wants it")
    }

    /// Changes one wanted server.
    pub(crate) fn with(mut self, id: u8, change: impl FnOnce(&mut Wanted)) -> Self {
        change(self.server(id));
        self
    }

    /// The same with another role for one wanted server.
    pub(crate) fn role(self, id: u8, role: Role) -> Self {
        self.with(id, |server| server.role = role)
    }

    /// The same where the vote of one wanted server counts in that group, with that weight.
    pub(crate) fn place(self, id: u8, group: i64, weight: i64) -> Self {
        self.with(id, |server| server.place = Some((group, weight)))
    }

    /// Writes its servers in this form.
    pub(crate) fn form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    /// The text of the file.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("apiVersion: zkplan/v1\nensemble: {}\n", self.label);
        let mut add = |line: String| writeln!(text, "{line}").expect("a String takes all text");
        if !self.connect.is_empty() || !self.connect_with.is_empty() {
            add("connect:".to_owned());
            if !self.connect.is_empty() {
                add(format!("  servers: [{}]", self.connect.join(", ")));
            }
            self.connect_with.iter().cloned().for_each(&mut add);
        }
        add("servers:".to_owned());
        let zone_of = |id| self.zones.iter().find(|(own, _)| *own == id).map(|(_, zone)| *zone);
        let mut zones = self.zones.clone();
        for server in &self.servers {
            if let Form::Keys = self.form {
                zones.retain(|(id, _)| *id != server.id);
            }
            add(format!("  - {}", server.text(self.form, zone_of(server.id))));
        }
        if let Some(settings) = self.settings {
            add(format!("settings: {settings}"));
        }
        for (name, lines) in [
            ("zones", zones.iter().map(|(id, zone)| format!("  {id}: {zone}")).collect()),
            (
                "policy",
                self.policy
                    .iter()
                    .map(|(key, value)| format!("  {key}: {value}"))
                    .collect::<Vec<_>>(),
            ),
            (
                "hooks",
                self.hooks.iter().map(|(name, argv)| format!("  {name}: {argv:?}")).collect(),
            ),
        ] {
            if !lines.is_empty() {
                add(format!("{name}:\n{}", lines.join("\n")));
            }
        }
        text
    }
}

/// Whether the configuration of this ensemble does not tell the client ports.
pub(crate) fn hides_client_ports(ensemble: &Ensemble) -> bool {
    ensemble.server_line(1).ends_with(":participant")
}
