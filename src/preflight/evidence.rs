//! What a check rests on, and what to do about it, as data. `render` has the sentences.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::ensemble::{AuthDemand, FourLetterWord, Mode, NoAnswer, PortState, ServerVersion};
use crate::model::{ServerId, SettingName};
use crate::observe::{FindingKind, Issue};

/// What a check rests on. Addresses are `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Evidence {
    /// It answers there.
    Answers {
        /// Where.
        at: String,
        /// The state that it reports.
        mode: Option<Mode>,
    },
    /// It does not answer there.
    Silent {
        /// Where.
        at: String,
        /// Why.
        why: NoAnswer,
    },
    /// No client address of it is known that could be asked.
    NotAsked,
    /// It is to join, and does not answer yet.
    NotRunning,
    /// A port was tried.
    Port {
        /// Where.
        at: String,
        /// The result.
        state: PortState,
    },
    /// Only the leader listens on its quorum port. Whether the server is connected to the leader's.
    NotLeader {
        /// Whether it follows or observes the leader.
        follows: bool,
    },
    /// It is reached at the host of its line alone.
    NoOtherAddress,
    /// The id that it gives itself; none where it shows none.
    Id {
        /// The id.
        own: Option<ServerId>,
    },
    /// Its state in the ensemble, in the words of the table of servers.
    Status {
        /// Whether it is a member.
        member: bool,
        /// The state.
        status: StateWord,
    },
    /// The leader, and how many servers follow and observe it.
    Leader {
        /// Its id; none where it is not known.
        leader: Option<ServerId>,
        /// Followers that are members.
        followers: usize,
        /// Observers.
        observers: usize,
    },
    /// Other servers that were asked say that they lead.
    OtherLeaders {
        /// Where.
        at: Vec<String>,
    },
    /// Every host has an address here.
    Resolves,
    /// Hosts without an address here.
    Unresolved {
        /// The hosts.
        hosts: BTreeSet<String>,
    },
    /// The epoch of its zxid and the leader's.
    Epochs {
        /// Its epoch.
        own: u64,
        /// The leader's.
        leader: u64,
    },
    /// It runs and does not serve.
    LooksForLeader,
    /// It has a plain client port, or the spec gives it none.
    PlainPortFits,
    /// Whether it has a plain client port is not known.
    PlainPortUnknown,
    /// It has no plain client port, and the spec gives it one.
    NoPlainPort,
    /// No earlier run retired a server that answers.
    NoneRetired,
    /// No run is open, or an apply of this spec resumes it.
    NoRunInTheWay,
    /// The journal of earlier applies could not be read.
    JournalUnread,
    /// A finding of `zkplan plan`, with its own code.
    Found {
        /// Its code.
        code: &'static str,
        /// What it is.
        details: FindingKind,
    },
    /// The release; none where it is not known.
    Runs {
        /// The release.
        version: Option<ServerVersion>,
    },
    /// The lowest and the highest release, and servers whose release is not known.
    Releases {
        /// The lowest.
        lowest: Option<ServerVersion>,
        /// The highest.
        highest: Option<ServerVersion>,
        /// The servers.
        unknown: BTreeSet<ServerId>,
    },
    /// Bugs of the release that bear on a change.
    Bugs {
        /// The release.
        version: ServerVersion,
        /// The bugs.
        issues: Vec<Issue>,
    },
    /// Whether it runs with `reconfigEnabled=true`, and what shows it.
    Reconfig {
        /// Whether; none where nothing shows it.
        enabled: Option<bool>,
        /// What shows it.
        by: ReconfigShownBy,
    },
    /// What it answered to the impossible write of the user.
    Asked {
        /// The user, or none for a certificate.
        user: Option<String>,
        /// The answer.
        answer: CredentialWord,
    },
    /// What the leader answered to a session without rights.
    WithoutRights {
        /// The answer.
        answer: WithoutRightsWord,
    },
    /// What it demands of a session.
    Demands {
        /// What.
        demand: AuthDemand,
        /// Why zkplan has no session there; none where it has one.
        why: Option<NoAnswer>,
    },
    /// zkplan has no session on it.
    NoSession,
    /// Whether it keeps sessions that it alone knows; none where no word shows it.
    KeepsLocalSessions {
        /// Whether.
        kept: Option<bool>,
    },
    /// How many connections it takes from one address, and how many an apply needs. 0 is any
    /// number.
    Limit {
        /// The limit; none where it does not report one.
        limit: Option<u32>,
        /// Whether it was seen to close a second connection.
        takes_one: bool,
        /// What an apply needs.
        needs: u32,
    },
    /// Words that it does not answer, of those that zkplan asks.
    WordsMissing {
        /// The words.
        words: Vec<FourLetterWord>,
    },
    /// The largest heap of its Java, and the data of the leader, in bytes.
    Heap {
        /// The heap; none where it does not report it.
        heap: Option<u64>,
        /// The data; none where the leader does not report them.
        data: Option<u64>,
    },
    /// The tick and the limit of a server against the tick of another one, in milliseconds and
    /// ticks.
    Ticks {
        /// Its tick.
        tick_ms: u64,
        /// Its `syncLimit`.
        sync_limit: u64,
        /// The server with the longest tick.
        other: ServerId,
        /// That tick.
        other_tick_ms: u64,
    },
    /// It does not report its tick and limits.
    TicksUnknown,
    /// The time that `initLimit` gives, and the time that loading and writing the data takes twice
    /// over, in milliseconds.
    InitTime {
        /// What `initLimit` gives.
        given_ms: u64,
        /// What is needed.
        needed_ms: u64,
        /// The data, in bytes.
        data: u64,
        /// Whether a server measured it; else it follows from the size alone.
        measured: bool,
    },
    /// Names of properties with secrets that the AdminServer shows to everyone. Never their values.
    Shows {
        /// The names.
        properties: BTreeSet<String>,
    },
    /// The AdminServer was not asked: the spec has no address of it.
    NoAdminAddress,
    /// The AdminServer does not answer.
    NoAdminAnswer {
        /// Why.
        why: NoAnswer,
    },
    /// It was started from one file with server lines, for these servers.
    StartedFromLines {
        /// The servers of that file.
        servers: BTreeSet<ServerId>,
        /// Whether these are the present members.
        present: bool,
    },
    /// It was started from a file without server lines, as ZooKeeper writes it.
    StartedFromRewritten,
    /// Nothing outside shows it; the server's `zoo.cfg` does.
    OnlyInFile,
    /// The server does not show it; by the `zoo.cfg` that was given it is so.
    ByFile {
        /// What.
        evidence: Box<Self>,
    },
    /// The names of keys of the `zoo.cfg` that was given whose values are secrets. Never the values.
    SecretsInFile {
        /// The names.
        keys: BTreeSet<String>,
    },
    /// The `zoo.cfg` that was given has server lines of these servers.
    FileHasLines {
        /// The servers.
        servers: BTreeSet<ServerId>,
        /// Whether these are the present members.
        present: bool,
    },
    /// A setting of the spec is as it is wanted.
    SettingAsWanted {
        /// The setting.
        setting: SettingName,
        /// What is wanted.
        wanted: String,
    },
    /// A setting of the spec is not as it is wanted.
    SettingDiffers {
        /// The setting.
        setting: SettingName,
        /// What is wanted.
        wanted: String,
        /// What was seen.
        seen: String,
    },
    /// What the server has of a setting of the spec was not seen.
    SettingNotSeen {
        /// The setting.
        setting: SettingName,
        /// What is wanted.
        wanted: String,
    },
}

impl Evidence {
    /// The same, where a file that was given says it, and not the server.
    pub(super) fn by_file(self) -> Self {
        Self::ByFile { evidence: Box::new(self) }
    }
}

/// A state of a server in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StateWord {
    /// It leads.
    Leads,
    /// It follows, up to date.
    Follows,
    /// It observes, up to date.
    Observes,
    /// It follows, and has not caught up.
    Behind,
    /// It runs with another configuration.
    OtherConfiguration,
    /// It follows, up to date, with the server lines of its own file (`reconfigEnabled=false`).
    OwnFile,
    /// An older configuration is in force there.
    OldConfiguration,
    /// It answers with another id.
    OtherId,
    /// It does not show its id.
    IdUnknown,
    /// It runs standalone.
    Standalone,
    /// It reads only.
    ReadOnly,
    /// It runs and does not serve.
    NotServing,
    /// It does not answer.
    NoAnswer,
    /// It was not asked.
    NotAsked,
}

impl StateWord {
    /// Whether the server leads, or follows or observes up to date.
    pub const fn is_in_sync(self) -> bool {
        matches!(self, Self::Leads | Self::Follows | Self::Observes | Self::OwnFile)
    }
}

/// What shows whether reconfigs are enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ReconfigShownBy {
    /// The version of the configuration in its `conf`.
    Conf,
    /// It leads: its answer to an impossible reconfig, or its own version.
    Leader,
    /// The `zoo.cfg` that was given.
    File,
    /// Nothing, for the leader runs without it.
    HiddenByLeader,
    /// Nothing.
    Nothing,
}

/// What came of asking a server for the user's rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CredentialWord {
    /// It lets the user change the configuration.
    Accepted,
    /// It does not.
    Refused,
    /// Not asked: the password would have been sent to another machine without TLS.
    InClear,
    /// It gave no answer.
    NoAnswer,
    /// Not asked: the file has no user.
    NoUser,
    /// Not asked: no password is at hand.
    NoPassword,
    /// Not asked: the file does not name its address.
    NotNamed,
    /// Not asked: it is not seen leading or following this ensemble.
    NotFollowing,
    /// Not asked: it follows, and its data are not proven yet.
    DataNotProven,
}

/// What the leader answered to a session without rights that tried the impossible write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum WithoutRightsWord {
    /// It asks for rights.
    Refused,
    /// It does not.
    Allowed,
    /// It gave no answer.
    NoAnswer,
    /// It takes no session without a user.
    NoSuchSession,
}

/// What to do about a check that does not pass, or what would make it known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CheckRemedy {
    /// Start the server, or open its client port for this machine.
    ReachClientPort,
    /// Start the joiner; it is checked again before it is added.
    StartJoiner,
    /// Give its client address.
    NameClientAddress,
    /// Open the port, or correct the line.
    OpenPort,
    /// It is seen when the server leads.
    KnownWhenItLeads,
    /// Set `quorumListenOnAllIPs=true`.
    ListenOnAllIps,
    /// Correct the address or `myid`.
    CorrectId,
    /// Allow `conf`, so that the server shows its id and its settings.
    AllowConf,
    /// Bring the member back, or take it out of the spec.
    BringBack,
    /// Find out which of two ensembles is meant.
    OneEnsemble,
    /// Correct the hosts or the name service.
    CorrectHosts,
    /// Move the data away of a joiner whose data come from elsewhere.
    EmptyDataDirectory,
    /// Find out whose the data of a standalone server are, before they are moved away.
    StandaloneData,
    /// Write `clientPort: none`.
    NoClientPort,
    /// See the page of the finding.
    SeeFinding,
    /// Read the journal from here.
    ReadJournal,
    /// Upgrade.
    Upgrade,
    /// Run one release line.
    OneReleaseLine,
    /// Set `reconfigEnabled=true` by a rolling restart.
    EnableReconfig,
    /// Set the super user of the server.
    SetSuperUser,
    /// Give the user in the file or by a flag.
    GiveUser,
    /// Give the password.
    GivePassword,
    /// Allow the password to travel in clear, or use TLS.
    AllowClear,
    /// Name the address in the file.
    NameAddress,
    /// Wait until the joiner follows with proven data; apply asks before its join.
    AskedBeforeJoin,
    /// Ask again.
    AskAgain,
    /// Switch `skipACL` off, or close the list of `/zookeeper/config`.
    CheckPermissions,
    /// Use a user of the scheme that is enforced.
    UseEnforcedScheme,
    /// Set `localSessionsUpgradingEnabled=true`.
    UpgradeSessions,
    /// Raise `maxClientCnxns`.
    RaiseConnections,
    /// Allow the words.
    AllowWords,
    /// Give the server more memory.
    MoreHeap,
    /// Look at the disk of the host.
    LookAtDisk,
    /// Raise `syncLimit`.
    RaiseSyncLimit,
    /// Raise `initLimit` on all servers.
    RaiseInitLimit,
    /// Close the AdminServer.
    CloseAdminServer,
    /// Give the address of the AdminServer.
    NameAdmin,
    /// Let no tool lay the first file again.
    KeepRewrittenFile,
    /// Look at the server's `zoo.cfg`.
    LookAtFile,
    /// Keep the secret out of `zoo.cfg`, or make it one that cannot be guessed.
    ProtectSecret,
    /// Restart the server with the setting in its `zoo.cfg`.
    RestartWithSetting,
}
