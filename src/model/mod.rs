//! The basic types of zkplan: servers, memberships, quorums, policy,
//! and the target of a change.
//!
//! In: text that ZooKeeper prints. Out: values with the meaning that ZooKeeper gives them. The
//! model does no I/O, reads no clock and does not judge what is safe. It is tolerant: everything
//! that a live ensemble shows can be held and printed back. `spec` is strict about what is wanted.

mod accepted_risk;
mod config;
mod connect;
mod day;
mod folder;
mod host;
mod membership;
mod policy;
mod properties;
mod quorum;
mod reconfig;
mod release;
mod server;
mod settings;
mod target;
mod timeouts;

pub use accepted_risk::{AcceptedRisk, acceptable_codes, risk_of};
pub use config::{ConfigParseError, ConfigVersion, EnsembleConfig, Zxid};
pub use connect::{
    Auth, AuthScheme, Connect, Endpoint, Hooks, Mechanism, PASSWORD_VARIABLE, PasswordSource,
    Reach, Tls,
};
pub use day::Day;
pub use folder::Folder;
pub use host::Host;
pub use membership::{Membership, MembershipParseError};
pub use policy::{
    AddAs, BackupPolicy, ClientPart, Cutover, Millis, MinTolerance, Policy, ReuseIds,
    StandaloneEnabled, ZonePolicy,
};
pub use properties::{MalformedEscape, Property, latin_1, properties, trimmed};
pub use quorum::{Majority, quorum_of};
pub use reconfig::{Reconfig, Update};
pub use release::ServerVersion;
pub use server::{ClientAddress, PeerAddress, Role, Server, ServerId, ServerLineError, VoteWeight};
pub use settings::{Bound, FOUR_LETTER_WORDS, SettingName, WantedSetting, WantedSettings};
pub use target::{Target, TargetServer};
pub use timeouts::Timeouts;
