//! The table of all checks: each has a code, a name and a page of `zkplan explain`.

use schemars::JsonSchema;
use serde::Serialize;

macro_rules! checks {
    ($($(#[$doc:meta])* $check:ident = $code:literal, $name:literal;)*) => {
        /// What a check is about.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema,
        )]
        #[serde(rename_all = "camelCase")]
        pub enum CheckKind {
            $($(#[$doc])* $check,)*
        }

        impl CheckKind {
            /// Every check, in the order of the codes.
            pub const ALL: &[Self] = &[$(Self::$check,)*];

            /// The code that `zkplan explain` knows.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$check => $code,)*
                }
            }

            /// The name on screens.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$check => $name,)*
                }
            }
        }
    };
}

checks! {
    /// The client port answers.
    ClientPort = "ZKP1", "client port";
    /// The election port listens at the host of the server's line.
    ElectionPort = "ZKP2", "election port";
    /// The quorum port of the leader listens.
    QuorumPort = "ZKP3", "quorum port";
    /// The server listens at the other addresses at which it is to be reached
    /// (`quorumListenOnAllIPs`).
    OtherAddress = "ZKP4", "other address";
    /// The server answers with the id by which it goes.
    OwnId = "ZKP5", "server id";
    /// The server leads, follows or observes this ensemble, up to date.
    InSync = "ZKP6", "in sync";
    /// There is one leader, and writes commit.
    OneLeader = "ZKP7", "one leader";
    /// Every host has an address, and the server's file has the same addresses.
    Addresses = "ZKP8", "addresses";
    /// The epoch of a joiner's data is not above the leader's.
    Epoch = "ZKP9", "epoch";
    /// The spec gives no plain client port to a server that has none.
    TlsOnly = "ZKP10", "TLS only";
    /// No retired server serves clients.
    Retired = "ZKP11", "retired servers";
    /// No run is in the way, and zkplan's folder is proven.
    EarlierRuns = "ZKP12", "earlier runs";
    /// The release has dynamic reconfiguration (3.5.0).
    Release = "ZKP13", "release";
    /// All servers run one release line.
    ReleaseLine = "ZKP14", "release line";
    /// The release has no known bug that bears on a change.
    KnownBugs = "ZKP15", "known bugs";
    /// The server runs with `reconfigEnabled=true`.
    ReconfigEnabled = "ZKP16", "reconfigEnabled";
    /// The server lets the user change the configuration.
    Credential = "ZKP17", "credential";
    /// A client without rights may not change the configuration (`skipACL`).
    Permissions = "ZKP18", "permissions";
    /// The server takes the sessions that zkplan can open (`enforce.auth`, SASL).
    EnforcedAuth = "ZKP19", "enforced auth";
    /// A session lives on when its server is gone (`localSessionsEnabled`).
    LocalSessions = "ZKP20", "local sessions";
    /// The server takes the connections that an apply needs (`maxClientCnxns`).
    Connections = "ZKP21", "connections";
    /// The server answers the four-letter words that zkplan asks.
    Words = "ZKP22", "words";
    /// A joiner has room for the data.
    Room = "ZKP23", "heap and disk";
    /// The ticks of all servers fit together (`tickTime`, `syncLimit`).
    TickSync = "ZKP24", "syncLimit";
    /// A leader has the time to load and write the data (`initLimit`).
    InitLimit = "ZKP25", "initLimit";
    /// The AdminServer shows no secrets.
    AdminServer = "ZKP26", "AdminServer";
    /// No secret is in a file that ZooKeeper makes readable for every user.
    SecretFile = "ZKP27", "secret in file";
    /// The server's first file is not laid down again over the membership.
    Template = "ZKP28", "old zoo.cfg";
    /// The server runs with what the spec's `settings` want.
    Settings = "ZKP29", "settings";
}
