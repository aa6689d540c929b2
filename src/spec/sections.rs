//! The sections of a spec beside its servers: label, connect, policy, hooks.

use std::path::PathBuf;

use super::read::{Fields, Reader};
use super::shown::{is_hidden, quoted};
use super::tree::{Node, Value};
use crate::model::{
    AddAs, Auth, AuthScheme, BackupPolicy, ClientPart, Connect, Cutover, Folder, Hooks, Mechanism,
    Millis, MinTolerance, PasswordSource, Policy, ReuseIds, StandaloneEnabled, Timeouts, Tls,
    ZonePolicy,
};

/// The only `apiVersion`.
pub(super) const API_VERSION: &str = "zkplan/v1";

/// A label, as the schema says it; [`is_label`] says the same.
pub(super) const LABEL_PATTERN: &str = "^[a-z0-9][a-z0-9.-]{0,62}$";

/// The same for people.
pub const LABEL_FORM: &str = "1 to 63 of the characters a-z 0-9 . - with a letter or digit first";

/// Whether an ensemble may be called that.
pub fn is_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= 63
        && text.bytes().next().is_some_and(plain)
        && text.bytes().all(|byte| plain(byte) || b".-".contains(&byte))
}

/// The longest session timeout. ZooKeeper itself grants 20 ticks, 40 seconds by default.
const LONGEST_SESSION: Millis = Millis::from_secs(3600);

/// The longest time for one answer: what takes longer is of no use to a run.
const LONGEST_ANSWER: Millis = Millis::from_secs(60);

/// The longest wait on top of proof.
const LONGEST_WAIT: Millis = Millis::from_secs(24 * 3600);

/// The oldest backup that a spec can allow: a year.
const OLDEST_BACKUP: Millis = Millis::from_secs(366 * 24 * 3600);

/// The highest `minTolerance`: half of what 254 servers could be.
const MOST_TOLERANCE: u32 = 127;

/// What stands in a hook for the server at hand.
const PLACEHOLDERS: [&str; 3] = ["id", "host", "joinerDir"];

impl Reader {
    /// Checks the `apiVersion`.
    pub(super) fn api_version(&mut self, node: &Node) {
        let Some(text) = self.text(node, "`apiVersion`") else { return };
        if text != API_VERSION {
            let what = format!("`apiVersion` is `{}`", quoted(text));
            let remedy = format!("this zkplan reads {API_VERSION}");
            self.complain(node.place, what, "not known", remedy);
        }
    }

    /// Reads the label of the ensemble.
    pub(super) fn label(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node, "`ensemble`")?;
        if is_label(text) {
            return Some(text.to_owned());
        }
        let what = format!("`ensemble` is `{}`", quoted(text));
        self.complain(node.place, what, "not a label", LABEL_FORM);
        None
    }

    /// Reads how the ensemble is reached.
    pub(super) fn connect(&mut self, node: &Node) -> Connect {
        let mut connect = Connect::default();
        let known = ["servers", "auth", "tls", "sessionTimeout", "folder", "timeouts"];
        let Some(map) = self.fields(node, "`connect`", &known) else { return connect };
        if let Some(node) = map.get("servers") {
            let items =
                self.list(node, "`connect.servers`", "a list of host:port").unwrap_or_default();
            connect.servers = items.iter().filter_map(|item| self.connect_server(item)).collect();
        }
        connect.auth = map.get("auth").and_then(|node| self.auth(node));
        connect.tls = map.get("tls").and_then(|node| self.tls(node));
        let has_certificate = connect.tls.as_ref().is_some_and(|tls| tls.cert.is_some());
        if connect.auth == Some(Auth::X509) && !has_certificate {
            let what = "`auth` of scheme x509 without a client certificate";
            let remedy = "give `tls: { ca: ca.pem, cert: client.pem, key: client-key.pem }`";
            self.complain(map.place_of("auth"), what, "no `tls.cert`", remedy);
        }
        if let Some(node) = map.get("sessionTimeout")
            && let Some(length) = self.duration(node, "`sessionTimeout`", LONGEST_SESSION)
        {
            if length.0 == 0 {
                let remedy = "ZooKeeper grants 2 to 20 ticks, so 4s to 40s by default";
                self.complain(node.place, "`sessionTimeout` is zero", "zero", remedy);
            }
            connect.session_timeout = length;
        }
        if let Some(folder) = map.get("folder").and_then(|node| self.folder(node)) {
            connect.folder = folder;
        }
        if let Some(timeouts) = map.get("timeouts").and_then(|node| self.timeouts(node)) {
            connect.timeouts = timeouts;
        }
        connect
    }

    /// Reads how long servers may take to answer.
    fn timeouts(&mut self, node: &Node) -> Option<Timeouts> {
        const REMEDY: &str = "write auto, or both: { connect: 3s, answer: 6s }";
        if matches!(&node.value, Value::Text(word) if word == "auto") {
            return Some(Timeouts::Auto);
        }
        let Value::Map(_) = &node.value else {
            let found = format!("found {}", node.value.kind());
            self.complain(node.place, "`timeouts` must be auto or two durations", found, REMEDY);
            return None;
        };
        let map = self.fields(node, "`timeouts`", &["connect", "answer"])?;
        let mut length = |key: &'static str, what: &'static str| {
            let node = self.needed(&map, key, "`timeouts`", REMEDY)?;
            let length = self.duration(node, what, LONGEST_ANSWER)?;
            if length.0 == 0 {
                self.complain(node.place, format!("{what} is zero"), "zero", REMEDY);
                return None;
            }
            Some(length)
        };
        let (connect, answer) = (length("connect", "`connect`"), length("answer", "`answer`"));
        Some(Timeouts::Fixed { connect: connect?, answer: answer? })
    }

    /// Reads where zkplan keeps its state.
    fn folder(&mut self, node: &Node) -> Option<Folder> {
        const REMEDY: &str = "give an absolute path of plain names outside /zookeeper, like \
                              `/zkplan`; its parent must exist";
        let text = self.text(node, "`folder`")?;
        let folder = Folder::parse(text);
        if folder.is_none() {
            let what = format!("`folder` is `{}`", quoted(text));
            self.complain(node.place, what, "not the path of a folder", REMEDY);
        }
        folder
    }

    fn connect_server(&mut self, node: &Node) -> Option<String> {
        const REMEDY: &str = "give one host:port each, IPv6 as `[::1]:2181`, without a chroot";
        let text = self.text(node, "an address")?;
        if let Some((host, _)) = host_and_port(text) {
            let host = self.host(node.place, "a host", host)?;
            if host.is_wildcard() {
                // What answers there depends on the machine that zkplan runs on.
                let remedy = "give a host at which clients reach a member";
                let what = format!("address `{}` is not the address of a server", quoted(text));
                self.complain(node.place, what, "a wildcard", remedy);
                return None;
            }
            return Some(text.to_owned());
        }
        let label = match text {
            _ if text.contains(',') => "several addresses in one text",
            _ if text.contains('/') => "no path here",
            _ => "not host:port",
        };
        self.complain(node.place, format!("address `{}`", quoted(text)), label, REMEDY);
        None
    }

    fn auth(&mut self, node: &Node) -> Option<Auth> {
        let schemes = [
            ("digest", AuthScheme::Digest),
            ("sasl", AuthScheme::Sasl),
            ("x509", AuthScheme::X509),
        ];
        let map = self.fields(node, "`auth`", &["scheme", "mechanism", "user", "password"])?;
        let scheme = self
            .needed(&map, "scheme", "`auth`", "the scheme must be digest, sasl or x509")
            .and_then(|node| self.choice(node, "`scheme`", &schemes));
        if scheme == Some(AuthScheme::X509) {
            return self.certificate(&map);
        }
        let mechanism = match (map.get("mechanism"), scheme) {
            (_, Some(AuthScheme::Sasl)) => {
                let node =
                    self.needed(&map, "mechanism", "`auth`", "the mechanism must be DIGEST-MD5");
                let known = [("DIGEST-MD5", Mechanism::DigestMd5)];
                node.and_then(|node| self.choice(node, "`mechanism`", &known))
            }
            (Some(_), Some(_)) => {
                let (place, remedy) =
                    (map.place_of("mechanism"), "only scheme sasl has mechanisms");
                self.complain(place, "`mechanism` without SASL", "not of this scheme", remedy);
                None
            }
            // There is one so far.
            (_, _) => Some(Mechanism::DigestMd5),
        };
        let user = self
            .needed(
                &map,
                "user",
                "`auth`",
                "give the user, like the one in the servers' superDigest",
            )
            .and_then(|node| self.user(node));
        let password = match map.get("password") {
            Some(node) => self.password(node),
            None => Some(PasswordSource::default()),
        };
        mechanism?;
        Some(Auth::of(scheme?, user?, password?))
    }

    /// Scheme x509: the certificate stands in `tls`.
    fn certificate(&mut self, map: &Fields<'_>) -> Option<Auth> {
        for key in ["mechanism", "user", "password"] {
            if let Some(node) = map.get(key) {
                // What stands here may be a secret.
                self.complaints.hide(node.place);
                let what = format!("`auth` of scheme x509 has a `{key}`");
                let remedy = "the certificate in tls.cert is the identity: remove this key";
                self.complain(map.place_of(key), what, "not of this scheme", remedy);
                return None;
            }
        }
        Some(Auth::X509)
    }

    fn user(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node, "`user`")?;
        if text.contains(':') {
            // What goes over the wire is `user:password`, and so it may stand here.
            self.complaints.hide(node.place);
            let remedy = "give only the user; the password comes from the environment or a file";
            self.complain(node.place, "`user` has a `:`", "ends the name", remedy);
            return None;
        }
        Some(text.to_owned())
    }

    fn password(&mut self, node: &Node) -> Option<PasswordSource> {
        const REMEDY: &str = "keep it out of the spec: { env: NAME } or { file: path }";
        let Value::Map(entries) = &node.value else {
            // What stands here may be the secret itself.
            self.complaints.hide(node.place);
            let what = "`password` must be the source of the password";
            self.complain(node.place, what, "not the password itself", REMEDY);
            return None;
        };
        let named =
            |key: &Node| matches!(&key.value, Value::Text(key) if key == "env" || key == "file");
        for (_, value) in entries.iter().filter(|(key, _)| !named(key)) {
            self.complaints.hide(value.place);
        }
        let map = self.fields(node, "`password`", &["env", "file"])?;
        match (map.get("env"), map.get("file")) {
            (Some(node), None) => self.variable(node).map(PasswordSource::Env),
            (None, Some(node)) => self.path(node, "`file`").map(PasswordSource::File),
            (Some(_), Some(_)) => {
                let place = map.place_of("file");
                self.complain(place, "`password` has two sources", "and a file", REMEDY);
                None
            }
            (None, None) => {
                self.complain(map.place, "`password` has no source", "no env and no file", REMEDY);
                None
            }
        }
    }

    fn variable(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node, "`env`")?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if text.bytes().all(plain) && !text.starts_with(|c: char| c.is_ascii_digit()) {
            return Some(text.to_owned());
        }
        self.complaints.hide(node.place);
        let remedy = "give the name of an environment variable, like ZKPLAN_PASSWORD, without `$`";
        self.complain(node.place, "`env` is not a variable name", "only A-Z a-z 0-9 _", remedy);
        None
    }

    fn path(&mut self, node: &Node, what: &str) -> Option<PathBuf> {
        self.text(node, what).map(PathBuf::from)
    }

    fn tls(&mut self, node: &Node) -> Option<Tls> {
        let map = self.fields(node, "`tls`", &["ca", "cert", "key"])?;
        let remedy = "give the PEM file with the authorities of the servers' certificates";
        let ca = self.needed(&map, "ca", "`tls`", remedy).and_then(|node| self.path(node, "`ca`"));
        let cert = map.get("cert").and_then(|node| self.path(node, "`cert`"));
        let key = map.get("key").and_then(|node| self.path(node, "`key`"));
        for (one, other) in [("cert", "key"), ("key", "cert")] {
            if map.get(one).is_some() && map.get(other).is_none() {
                let what = format!("`tls` has a `{one}` and no `{other}`");
                let remedy = "a client certificate needs both `cert` and `key`";
                self.complain(map.place_of(one), what, format!("no `{other}`"), remedy);
            }
        }
        Some(Tls { ca: ca?, cert, key })
    }

    /// Reads the policy.
    pub(super) fn policy(&mut self, node: &Node) -> Policy {
        let known = [
            "minTolerance",
            "zones",
            "changesPerStep",
            "addAs",
            "cutover",
            "stableFor",
            "maxShrink",
            "standaloneEnabled",
            "reuseIds",
            "clientPart",
            "requireSavedPlan",
            "backup",
        ];
        let mut policy = Policy::default();
        let Some(map) = self.fields(node, "`policy`", &known) else { return policy };
        if let Some(node) = map.get("minTolerance") {
            policy.min_tolerance = self.min_tolerance(node).unwrap_or(policy.min_tolerance);
        }
        let zones = [
            ("best", ZonePolicy::Best),
            ("strict", ZonePolicy::Strict),
            ("ignore", ZonePolicy::Ignore),
        ];
        self.set(&map, "zones", &zones, &mut policy.zones);
        let together = "give 0, or how many servers one reconfig may change";
        self.count(&map, "changesPerStep", together, &mut policy.changes_per_step);
        let add_as = [("participant", AddAs::Participant), ("observer", AddAs::Observer)];
        self.set(&map, "addAs", &add_as, &mut policy.add_as);
        let cutover = [
            ("auto", Cutover::Auto),
            ("manual", Cutover::Manual),
            ("drained", Cutover::Drained),
            ("none", Cutover::None),
        ];
        self.set(&map, "cutover", &cutover, &mut policy.cutover);
        if let Some(node) = map.get("stableFor") {
            let length = self.duration(node, "`stableFor`", LONGEST_WAIT);
            policy.stable_for = length.unwrap_or(policy.stable_for);
        }
        let unmatched = "give 0, or how many servers may leave without a replacement";
        self.count(&map, "maxShrink", unmatched, &mut policy.max_shrink);
        if let Some(node) = map.get("standaloneEnabled") {
            let known = self.standalone_enabled(node);
            policy.standalone_enabled = known.unwrap_or(policy.standalone_enabled);
        }
        let reuse_ids = [("never", ReuseIds::Never), ("blank", ReuseIds::Blank)];
        self.set(&map, "reuseIds", &reuse_ids, &mut policy.reuse_ids);
        let client_part = [("keep", ClientPart::Keep), ("write", ClientPart::Write)];
        self.set(&map, "clientPart", &client_part, &mut policy.client_part);
        if let Some(node) = map.get("requireSavedPlan") {
            policy.require_saved_plan = self.bool(node, "`requireSavedPlan`").unwrap_or_default();
        }
        policy.backup = map.get("backup").and_then(|node| self.backup(node));
        policy
    }

    /// Reads what is asked of a backup.
    fn backup(&mut self, node: &Node) -> Option<BackupPolicy> {
        const REMEDY: &str = "give the age that a backup may have: { maxAge: 24h }";
        let map = self.fields(node, "`backup`", &["maxAge"])?;
        let node = self.needed(&map, "maxAge", "`backup`", REMEDY)?;
        let max_age = self.duration(node, "`maxAge`", OLDEST_BACKUP)?;
        if max_age.0 == 0 {
            self.complain(node.place, "`maxAge` is zero", "no backup is so young", REMEDY);
            return None;
        }
        Some(BackupPolicy { max_age })
    }

    fn set<T: Copy>(
        &mut self,
        map: &Fields<'_>,
        key: &str,
        choices: &[(&'static str, T)],
        to: &mut T,
    ) {
        if let Some(node) = map.get(key) {
            *to = self.choice(node, &format!("`{key}`"), choices).unwrap_or(*to);
        }
    }

    fn count(&mut self, map: &Fields<'_>, key: &str, remedy: &str, to: &mut u32) {
        if let Some(node) = map.get(key) {
            let what = format!("`{key}`");
            *to = self.whole_or(node, &what, 0..=u32::MAX, remedy).unwrap_or(*to);
        }
    }

    fn min_tolerance(&mut self, node: &Node) -> Option<MinTolerance> {
        match &node.value {
            Value::Text(word) if word == "auto" => Some(MinTolerance::Auto),
            Value::Whole(_) => {
                self.whole(node, "`minTolerance`", 0..=MOST_TOLERANCE).map(MinTolerance::AtLeast)
            }
            _ => {
                let remedy = "write auto, or how many failures the ensemble must tolerate at \
                              every step";
                let found = format!("found {}", node.value.kind());
                self.complain(node.place, "`minTolerance` must be auto or a number", found, remedy);
                None
            }
        }
    }

    fn standalone_enabled(&mut self, node: &Node) -> Option<StandaloneEnabled> {
        match &node.value {
            Value::Bool(true) => Some(StandaloneEnabled::True),
            Value::Bool(false) => Some(StandaloneEnabled::False),
            Value::Text(word) if word == "unknown" => Some(StandaloneEnabled::Unknown),
            _ => {
                let what = "`standaloneEnabled` must be unknown, true or false";
                let remedy = "write the value in the servers' zoo.cfg, or remove the line";
                self.complain(node.place, what, format!("found {}", node.value.kind()), remedy);
                None
            }
        }
    }

    /// Reads the hooks.
    pub(super) fn hooks(&mut self, node: &Node) -> Hooks {
        let Some(map) = self.fields(node, "`hooks`", &["start", "stop", "restart"]) else {
            return Hooks::default();
        };
        Hooks {
            start: map.get("start").and_then(|node| self.hook(node, "`hooks.start`")),
            stop: map.get("stop").and_then(|node| self.hook(node, "`hooks.stop`")),
            restart: map.get("restart").and_then(|node| self.hook(node, "`hooks.restart`")),
        }
    }

    fn hook(&mut self, node: &Node, what: &str) -> Option<Vec<String>> {
        const REMEDY: &str = r#"give program and arguments, like ["ssh", "{host}", "systemctl", "start", "zookeeper"]"#;
        if let Value::Text(_) = node.value {
            let message = format!("{what} must be a list: zkplan runs commands without a shell");
            self.complain(node.place, message, "found a text", REMEDY);
            return None;
        }
        let items = self.list(node, what, "a list of texts")?;
        if items.is_empty() {
            let remedy = format!("{REMEDY}, or remove the line");
            self.complain(node.place, format!("{what} is empty"), "empty", remedy);
            return None;
        }
        let arguments: Vec<String> = items
            .iter()
            .enumerate()
            .filter_map(|(at, item)| self.argument(item, what, at))
            .collect();
        (arguments.len() == items.len()).then_some(arguments)
    }

    fn argument(&mut self, node: &Node, what: &str, at: usize) -> Option<String> {
        let Value::Text(text) = &node.value else {
            self.wrong_type(node, &format!("an argument of {what}"), "a text");
            return None;
        };
        if at == 0 && text.is_empty() {
            let message = format!("{what} has no program");
            self.complain(node.place, message, "nothing here", "give the program to run");
            return None;
        }
        if let Some(hidden) = text.chars().find(|c| is_hidden(*c) && !matches!(c, '\n' | '\t')) {
            let message = format!("{what} has a character that cannot be printed");
            let label = format!("holds {}", hidden.escape_unicode());
            self.complain(node.place, message, label, "type it again");
            return None;
        }
        if what != "`hooks.start`" && placeholders(text).any(|name| name == "joinerDir") {
            let message = format!("{what} has `{{joinerDir}}`, which only `hooks.start` gets");
            let remedy = "remove it: only a server that is to join has files there";
            self.complain(node.place, message, "not replaced here", remedy);
            return None;
        }
        let unknown: Vec<&str> =
            placeholders(text).filter(|name| !PLACEHOLDERS.contains(name)).collect();
        for name in &unknown {
            let message = format!("{what} has the unknown placeholder `{{{}}}`", quoted(name));
            let remedy = "only {id}, {host} and {joinerDir} are replaced; there is no shell and \
                          there are no variables";
            self.complain(node.place, message, "not known", remedy);
        }
        unknown.is_empty().then(|| text.clone())
    }
}

/// The names in braces in an argument of a hook. Braces around anything but letters, digits and
/// `_` mean themselves.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    let named = |name: &&str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    text.split('{')
        .skip(1)
        .filter_map(|part| part.split_once('}'))
        .map(|(name, _)| name)
        .filter(named)
}

/// Splits `host:port`, the host of an IPv6 address in brackets.
pub(super) fn host_and_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    if host.is_empty() || (host.contains(':') && !bracketed) {
        return None;
    }
    Some((host, self::port(port)?))
}

/// Reads a port: digits alone, from 1 to 65535.
pub(super) fn port(text: &str) -> Option<u16> {
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse::<u16>().ok().filter(|port| digits && *port > 0)
}
