//! The shape of a spec as JSON Schema, for editors and for tools that write specs.
//!
//! The types here are never read into: they describe what [`super::parse`] takes, and the tests
//! hold both to the same files.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, json_schema};
use serde::Serialize;
use serde_json::Value;

use super::sections::{API_VERSION, LABEL_PATTERN};
use super::servers::{CLIENT_PORT, ELECTION_PORT, QUORUM_PORT, ZONE_PATTERN};
use super::settings_section::{BOUND_PATTERN, VERSION_PATTERN};
use crate::model::{Bound, Connect, Day, FOUR_LETTER_WORDS, Hooks, Policy};

/// What a host can be; that it means something is left to the parser.
const HOST_PATTERN: &str =
    r"^(\[[0-9A-Fa-f:.]+\]|[0-9A-Fa-f:]+:[0-9A-Fa-f:.]*|[A-Za-z0-9_][A-Za-z0-9._-]*)$";

/// ZooKeeper's own line, with a client part, a secure one (3.10), or both.
const LINE_PATTERN: &str = r"^\s*server\.\+?0*[0-9]{1,10}\s*=\s*[^;]+;([^;]+(;[^;]*)?|;[^;]+)$";

/// The JSON Schema (draft 7, which every editor knows) of a spec.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft07().with_transform(RecursiveTransform(tidy));
    let mut schema = settings.into_generator().into_root_schema_for::<SpecFile>();
    schema.insert("$id".to_owned(), "urn:zkplan:schema:ensemble:1".into());
    schema.insert("title".to_owned(), "zkplan spec".into());
    schema.to_value()
}

fn tidy(schema: &mut Schema) {
    never_null(schema);
    // Doc comments break their lines where the source does.
    if let Some(Value::String(text)) = schema.get_mut("description") {
        let paragraphs: Vec<String> = text.split("\n\n").map(|p| p.replace('\n', " ")).collect();
        *text = paragraphs.join("\n\n");
    }
}

/// Takes `null` out of what an optional field may be: leaving the line out says the same, and a
/// line without a value is more often a mistake.
fn never_null(schema: &mut Schema) {
    let null = Value::from("null");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| *kind != null);
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type") != Some(&null));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            if schema.get("description").is_some() && only.contains_key("$ref") {
                // Draft 7 reads nothing beside a `$ref`.
                schema.insert("allOf".to_owned(), Value::Array(vec![Value::Object(only)]));
            } else {
                for (key, value) in only {
                    schema.insert(key, value);
                }
            }
        }
    }
    if schema.get("default") == Some(&Value::Null) {
        schema.remove("default");
    }
}

/// The desired ZooKeeper ensemble: who is a member, in which role, at which address.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct SpecFile {
    /// The version of this format.
    #[schemars(schema_with = "api_version")]
    api_version: String,
    /// A label for the ensemble, kept in its identity.
    #[schemars(regex(pattern = LABEL_PATTERN))]
    ensemble: String,
    /// How to reach the present ensemble; needed unless a wanted server is a member of it.
    connect: Option<Connect>,
    /// Every server that the ensemble is to have.
    #[schemars(length(min = 1))]
    servers: Vec<ServerEntry>,
    /// What every listed server must run with, as far as it can be seen: compared, not written.
    settings: Option<SettingsMap>,
    /// What is asked of the way there.
    policy: Option<Policy>,
    /// Risks that are accepted, each until a day.
    accept: Option<Vec<AcceptEntry>>,
    /// Commands that start and stop servers; none by default.
    hooks: Option<Hooks>,
    /// Failure domains of present servers that are no longer listed, and of servers given as a
    /// line, by server id.
    #[schemars(schema_with = "zones")]
    #[serde(default)]
    zones: (),
}

/// A risk that is accepted.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct AcceptEntry {
    /// The code of a finding, like `ZKF1`, or of a safety rule at a step, like `ZKQ2:join-2`.
    #[schemars(regex(pattern = r"^[Zz][Kk]([Ff](1|2|5|13|20|24)|[Qq](2|10):.+)$"))]
    rule: String,
    /// Why.
    #[schemars(length(min = 1, max = 300))]
    reason: String,
    /// The last day on which it is accepted, in UTC; from then on the finding or rule counts again.
    until: Day,
}

/// A server, as a map or as ZooKeeper's own line.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum ServerEntry {
    Map(ServerMap),
    /// ZooKeeper's own line: `server.N=host:quorumPort:electionPort[:role];clientPort`.
    Line(#[schemars(regex(pattern = LINE_PATTERN))] String),
}

/// A port without TLS, or that there is none.
#[derive(JsonSchema, Serialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum ClientPortEntry {
    Port(#[schemars(range(min = 1, max = 65535))] u16),
    None(NoPort),
}

#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
enum NoPort {
    None,
}

/// A server.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct ServerMap {
    /// Its id, as in its `myid` file; for a new server 1 to 254.
    #[schemars(range(min = 0, max = 4_294_967_295_u32))]
    id: u32,
    /// Where the other servers reach it: a name, an IPv4 or an IPv6 address.
    #[schemars(regex(pattern = HOST_PATTERN))]
    host: String,
    /// Followers connect to it while this server leads.
    #[serde(default = "quorum_port")]
    #[schemars(range(min = 1, max = 65535))]
    quorum_port: u16,
    /// Leader election.
    #[serde(default = "election_port")]
    #[schemars(range(min = 1, max = 65535))]
    election_port: u16,
    /// Clients connect to it; `none` where they do so by `secureClientPort` alone.
    #[serde(default = "client_port")]
    client_port: ClientPortEntry,
    /// The address that the client port is bound to; by default all, reached through `host`.
    #[schemars(regex(pattern = HOST_PATTERN))]
    client_host: Option<String>,
    /// The client port that speaks TLS, for probing; no part of the server line before ZooKeeper
    /// 3.10.
    #[schemars(range(min = 1, max = 65535))]
    secure_client_port: Option<u16>,
    /// Whether it votes; participant by default.
    role: Option<RoleWord>,
    /// The group in which its vote counts, where quorums are by groups; a voter that stays keeps its
    /// own where none is named.
    group: Option<u32>,
    /// What its vote weighs in its group; 1 by default.
    weight: Option<u32>,
    /// Its failure domain.
    #[schemars(regex(pattern = ZONE_PATTERN))]
    zone: Option<String>,
    /// The base URL of its AdminServer.
    #[schemars(regex(
        pattern = r"^http://[^/:?#@]+:[0-9]{1,5}$|^http://\[[0-9A-Fa-f:.]+\]:[0-9]{1,5}$"
    ))]
    admin: Option<String>,
}

/// The settings that every listed server must run with. zkplan compares them with what it sees and
/// writes no file on a server.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct SettingsMap {
    /// Whether reconfigs are taken.
    #[schemars(schema_with = "only_true")]
    #[serde(default)]
    reconfig_enabled: (),
    /// Whether `connect.auth` is a super user of each server.
    superuser: Option<SuperuserWord>,
    /// Four-letter words that each server must answer (`4lw.commands.whitelist`).
    #[schemars(schema_with = "four_letter_words")]
    #[serde(default)]
    four_letter_words: (),
    /// Ticks that a learner may take to connect and to copy the data.
    init_limit: Option<LeastOne>,
    /// Ticks that a learner may fall behind.
    sync_limit: Option<LeastOne>,
    /// The tick in milliseconds.
    tick_time: Option<LeastOne>,
    /// Connections from one address; 0 is any number.
    max_client_cnxns: Option<LeastZero>,
    /// The shortest session timeout in milliseconds.
    min_session_timeout: Option<LeastOne>,
    /// The longest session timeout in milliseconds.
    max_session_timeout: Option<LeastOne>,
    /// The release.
    #[schemars(regex(pattern = VERSION_PATTERN))]
    version: Option<String>,
}

/// A number, or a least number such as `>=30`.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum LeastOne {
    Exactly(#[schemars(range(min = 1, max = Bound::LARGEST))] u32),
    AtLeast(#[schemars(regex(pattern = BOUND_PATTERN))] String),
}

/// A number, or a least number such as `>=60`; 0 is any number.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum LeastZero {
    Exactly(#[schemars(range(min = 0, max = Bound::LARGEST))] u32),
    AtLeast(#[schemars(regex(pattern = BOUND_PATTERN))] String),
}

/// That the credential must be accepted.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
enum SuperuserWord {
    Required,
}

/// Whether a server votes.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
enum RoleWord {
    /// Votes in elections and acknowledges writes.
    Participant,
    /// Follows without a vote.
    Observer,
}

fn api_version(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({ "const": API_VERSION })
}

fn only_true(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({ "const": true })
}

fn four_letter_words(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "enum": FOUR_LETTER_WORDS } })
}

fn zones(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "patternProperties": {
            "^(0|[1-9][0-9]{0,9})$": { "type": "string", "pattern": ZONE_PATTERN },
        },
        "additionalProperties": false,
    })
}

const fn quorum_port() -> u16 {
    QUORUM_PORT
}

const fn election_port() -> u16 {
    ELECTION_PORT
}

const fn client_port() -> ClientPortEntry {
    ClientPortEntry::Port(CLIENT_PORT)
}
