//! A spec as a file that people like to read and that [`super::parse`] takes.

use std::fmt::{self, Display, Formatter};

use serde_json::Value;

use super::sections::API_VERSION;
use super::servers::{CLIENT_PORT, ELECTION_PORT, NO_CLIENT_PORT, QUORUM_PORT};
use super::shown::is_hidden;
use super::{Spec, WantedServer};
use crate::model::{
    AcceptedRisk, Auth, Bound, ClientAddress, Connect, Hooks, Mechanism, PasswordSource, Policy,
    Role, Timeouts, VoteWeight, WantedSetting, WantedSettings,
};

/// What editors look for to find the schema, beside the spec, and how it comes to be there.
const MODELINE: &str = "# yaml-language-server: $schema=ensemble.v1.schema.json
# for editors that check as you type: zkplan schema > ensemble.v1.schema.json";

/// Columns that a comment takes.
const WIDTH: usize = 100;

/// Writes a spec as YAML: what equals its default is left out, servers come by id, and what a map
/// cannot say (several addresses, no client port) is written as ZooKeeper's own line.
///
/// `remarks` become comments at the top. Reading the text gives the same spec again, as far as the
/// spec is one that [`super::parse`] accepts.
pub fn write(spec: &Spec, remarks: &[String]) -> String {
    File { spec, remarks }.to_string()
}

/// One server as an entry of a spec's list of servers, without its indent.
pub fn entry(wanted: &WantedServer) -> String {
    struct Entry<'a>(&'a WantedServer);
    impl Display for Entry<'_> {
        fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
            server(out, self.0)
        }
    }
    let text = Entry(wanted).to_string();
    let lines = text.lines().map(|line| line.strip_prefix("  ").unwrap_or(line));
    lines.flat_map(|line| [line, "\n"]).collect()
}

struct File<'a> {
    spec: &'a Spec,
    remarks: &'a [String],
}

impl Display for File<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "{MODELINE}")?;
        self.remarks.iter().try_for_each(|remark| comment(out, remark))?;
        writeln!(out, "apiVersion: {API_VERSION}")?;
        writeln!(out, "ensemble: {}", scalar(&self.spec.ensemble))?;
        connect(out, &self.spec.connect)?;
        writeln!(out, "servers:")?;
        self.spec.servers.values().try_for_each(|wanted| server(out, wanted))?;
        zones(out, self.spec)?;
        settings(out, &self.spec.settings)?;
        policy(out, &self.spec.policy)?;
        accept(out, &self.spec.accept)?;
        hooks(out, &self.spec.hooks)
    }
}

/// Writes a comment, broken into lines between words.
fn comment(out: &mut Formatter<'_>, remark: &str) -> fmt::Result {
    let mut line = String::from("#");
    for word in remark.split_whitespace() {
        if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(out, "{line}")?;
            line = String::from("#");
        }
        line.push(' ');
        line.extend(word.chars().map(|c| if is_hidden(c) { '?' } else { c }));
    }
    writeln!(out, "{line}")
}

fn connect(out: &mut Formatter<'_>, connect: &Connect) -> fmt::Result {
    if *connect == Connect::default() {
        return Ok(());
    }
    writeln!(out, "connect:")?;
    if !connect.servers.is_empty() {
        writeln!(out, "  servers: {}", flow(&connect.servers))?;
    }
    if let Some(auth) = &connect.auth {
        self::auth(out, auth)?;
    }
    if let Some(tls) = &connect.tls {
        let files = [("ca", Some(&tls.ca)), ("cert", tls.cert.as_ref()), ("key", tls.key.as_ref())];
        let given: Vec<String> = files
            .into_iter()
            .filter_map(|(key, path)| {
                Some(format!("{key}: {}", scalar(&path?.display().to_string())))
            })
            .collect();
        writeln!(out, "  tls: {{ {} }}", given.join(", "))?;
    }
    if connect.session_timeout != Connect::default().session_timeout {
        writeln!(out, "  sessionTimeout: {}", connect.session_timeout)?;
    }
    if connect.folder != Connect::default().folder {
        writeln!(out, "  folder: {}", connect.folder)?;
    }
    if let Timeouts::Fixed { connect, answer } = connect.timeouts {
        writeln!(out, "  timeouts: {{ connect: {connect}, answer: {answer} }}")?;
    }
    Ok(())
}

fn auth(out: &mut Formatter<'_>, auth: &Auth) -> fmt::Result {
    let scheme = match auth {
        Auth::Digest { .. } => "digest",
        Auth::Sasl { mechanism: Mechanism::DigestMd5, .. } => "sasl, mechanism: DIGEST-MD5",
        Auth::X509 => "x509",
    };
    let Some((user, password)) = auth.user() else {
        return writeln!(out, "  auth: {{ scheme: {scheme} }}");
    };
    let (source, at) = match password {
        PasswordSource::Env(name) => ("env", name.clone()),
        PasswordSource::File(path) => ("file", path.display().to_string()),
    };
    let (user, at) = (scalar(user), scalar(&at));
    writeln!(out, "  auth: {{ scheme: {scheme}, user: {user}, password: {{ {source}: {at} }} }}")
}

/// Whether a server line is all there is room for.
fn needs_line(wanted: &WantedServer) -> bool {
    let server = &wanted.server;
    let is_bare = server.client.is_none() && wanted.secure_client_port.is_none();
    server.peers.len() != 1 || is_bare || server.secure_client.is_some()
}

fn server(out: &mut Formatter<'_>, wanted: &WantedServer) -> fmt::Result {
    let WantedServer { server, secure_client_port, zone, admin, line: _ } = wanted;
    if needs_line(wanted) {
        return writeln!(out, "  - {}", scalar(&server.to_string()));
    }
    let peer = server.peer();
    writeln!(out, "  - id: {}", server.id)?;
    writeln!(out, "    host: {}", scalar(peer.host.as_str()))?;
    let ports = [
        ("quorumPort", peer.quorum_port, QUORUM_PORT),
        ("electionPort", peer.election_port, ELECTION_PORT),
    ];
    for (key, port, default) in ports {
        if port != default {
            writeln!(out, "    {key}: {port}")?;
        }
    }
    match &server.client {
        None => writeln!(out, "    clientPort: {NO_CLIENT_PORT}")?,
        Some(client) => {
            // One port for clients with and without TLS has to be said.
            if client.port != CLIENT_PORT || *secure_client_port == Some(client.port) {
                writeln!(out, "    clientPort: {}", client.port)?;
            }
            if client.host != ClientAddress::on_all_addresses(client.port).host {
                writeln!(out, "    clientHost: {}", scalar(client.host.as_str()))?;
            }
        }
    }
    if let Some(port) = secure_client_port {
        writeln!(out, "    secureClientPort: {port}")?;
    }
    if server.role != Role::Participant {
        writeln!(out, "    role: {}", server.role)?;
    }
    if let Some(VoteWeight { group, weight }) = server.place {
        writeln!(out, "    group: {group}")?;
        if weight != 1 {
            writeln!(out, "    weight: {weight}")?;
        }
    }
    if let Some(zone) = zone {
        writeln!(out, "    zone: {}", scalar(zone))?;
    }
    if let Some(admin) = admin {
        writeln!(out, "    admin: {}", scalar(admin))?;
    }
    Ok(())
}

/// Writes the zones of former servers, and of those that stand as a line.
fn zones(out: &mut Formatter<'_>, spec: &Spec) -> fmt::Result {
    let of_lines = spec.servers.iter().filter(|(_, wanted)| needs_line(wanted));
    let mut all = spec.leaving_zones.clone();
    all.extend(of_lines.filter_map(|(id, wanted)| Some((*id, wanted.zone.clone()?))));
    if all.is_empty() {
        return Ok(());
    }
    writeln!(out, "zones:")?;
    all.iter().try_for_each(|(id, zone)| writeln!(out, "  {id}: {}", scalar(zone)))
}

fn settings(out: &mut Formatter<'_>, settings: &WantedSettings) -> fmt::Result {
    if settings.is_empty() {
        return Ok(());
    }
    writeln!(out, "settings:")?;
    settings.each().into_iter().try_for_each(|(name, wanted)| {
        let value = match &wanted {
            WantedSetting::Words(words) => {
                format!("[{}]", words.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
            }
            // A text that begins like a number or an operator has to be quoted.
            WantedSetting::Number(Bound::AtLeast(_)) | WantedSetting::Release(_) => {
                quote(&wanted.to_string())
            }
            WantedSetting::On | WantedSetting::Required | WantedSetting::Number(_) => {
                wanted.to_string()
            }
        };
        writeln!(out, "  {name}: {value}")
    })
}

fn policy(out: &mut Formatter<'_>, policy: &Policy) -> fmt::Result {
    if *policy == Policy::default() {
        return Ok(());
    }
    let json = |policy: &Policy| serde_json::to_value(policy).unwrap_or_default();
    let (Value::Object(given), Value::Object(defaults)) = (json(policy), json(&Policy::default()))
    else {
        return Ok(());
    };
    writeln!(out, "policy:")?;
    for (key, value) in given.iter().filter(|(key, value)| defaults.get(*key) != Some(value)) {
        match value {
            Value::String(word) => writeln!(out, "  {key}: {}", scalar_or_duration(word))?,
            // The backup: a map of lengths of time.
            Value::Object(parts) => {
                let part = |(key, value): (&String, &Value)| {
                    format!("{key}: {}", scalar_or_duration(value.as_str().unwrap_or_default()))
                };
                let parts: Vec<String> = parts.iter().map(part).collect();
                writeln!(out, "  {key}: {{ {} }}", parts.join(", "))?;
            }
            other => writeln!(out, "  {key}: {other}")?,
        }
    }
    Ok(())
}

/// A word of the policy; a length of time begins with a digit and is plain all the same.
fn scalar_or_duration(word: &str) -> String {
    if word.parse::<crate::model::Millis>().is_ok() { word.to_owned() } else { scalar(word) }
}

fn accept(out: &mut Formatter<'_>, accept: &[AcceptedRisk]) -> fmt::Result {
    if accept.is_empty() {
        return Ok(());
    }
    writeln!(out, "accept:")?;
    accept.iter().try_for_each(|AcceptedRisk { code, step, reason, until }| {
        let step = step.as_ref().map(|step| format!(":{step}")).unwrap_or_default();
        let (rule, reason) = (scalar(&format!("{code}{step}")), quote(reason));
        writeln!(out, "  - {{ rule: {rule}, reason: {reason}, until: {until} }}")
    })
}

fn hooks(out: &mut Formatter<'_>, hooks: &Hooks) -> fmt::Result {
    let Hooks { start, stop, restart } = hooks;
    if start.is_none() && stop.is_none() && restart.is_none() {
        return Ok(());
    }
    writeln!(out, "hooks:")?;
    for (key, arguments) in [("start", start), ("stop", stop), ("restart", restart)] {
        if let Some(arguments) = arguments {
            let quoted: Vec<String> = arguments.iter().map(|argument| quote(argument)).collect();
            writeln!(out, "  {key}: [{}]", quoted.join(", "))?;
        }
    }
    Ok(())
}

fn flow(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| scalar(item)).collect();
    format!("[{}]", items.join(", "))
}

/// A text as a YAML scalar: plain where no reader could take it for anything else, else quoted.
fn scalar(text: &str) -> String {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-=:;|".contains(&byte);
    let word = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'/';
    // YAML 1.1 takes a dozen short words for true, false and nothing.
    let spoken = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let named = text.bytes().next().is_some_and(|first| word(&first))
        && !spoken.contains(&text.to_ascii_lowercase().as_str());
    let address =
        text.split(':').next().is_some_and(|host| host.parse::<std::net::Ipv4Addr>().is_ok());
    let plain = (named || address) && text.bytes().all(safe) && !text.ends_with(':');
    if plain { text.to_owned() } else { quote(text) }
}

/// A text in double quotes, with everything escaped that does not print.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            _ if is_hidden(c) => quoted += &code(c),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn code(c: char) -> String {
    format!("\\U{:08x}", u32::from(c))
}
