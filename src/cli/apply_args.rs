//! What can be typed behind `zkplan apply`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::access_args::AccessArgs;
use super::formats::TextOrJson;
use super::signature::SignatureArgs;
use super::values::{acceptance, duration, plan_id, said};
use crate::apply::ApprovalScope;
use crate::first_quorum::Noted;
use crate::model::{Millis, ServerId};
use crate::plan::Acceptance;

#[derive(Debug, Clone, Args)]
pub(super) struct ApplyArgs {
    /// A saved plan, or a spec that is planned first
    #[arg(value_name = "PLAN|SPEC")]
    pub(super) file: PathBuf,

    /// Do not ask for approval; required when there is no terminal. additive approves only a plan
    /// that takes nothing away: no server leaves, loses its vote, moves, or is restarted or stopped.
    /// no-leader-change approves only a plan in which the leader stays, and stops the run where the
    /// leader has changed and would have to
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "all",
          value_name = "WHAT")]
    pub(super) auto_approve: Option<AutoApprove>,

    /// Refuse (exit 5) if the plan has another id than this one, which plan and show print
    #[arg(long, value_name = "ID", value_parser = plan_id)]
    pub(super) expect_plan: Option<String>,

    #[command(flatten)]
    pub(super) signed: SignatureArgs,

    /// Approve a step: cutover (the clients that are on leaving servers now may be there),
    /// host-ADDRESS (those of that client host, whenever they come), stop (stop servers that still
    /// have clients), or attest-ID (the data directory of server ID is blank); repeatable
    #[arg(long, value_name = "WHAT", value_parser = approval)]
    pub(super) approve: Vec<Approval>,

    /// Why this is done, like a ticket; the lock and the journal keep it, and history shows it
    #[arg(long, value_name = "TEXT", value_parser = said)]
    pub(super) reason: Option<String>,

    /// Who has it done, where that is not the user of this machine [default: `GITHUB_ACTOR`, else
    /// `GITLAB_USER_LOGIN`]
    #[arg(long, value_name = "NAME", value_parser = said)]
    pub(super) by: Option<String>,

    /// Accept a risk by its code, for this command only; repeatable
    #[arg(long, value_name = "CODE[:STEP]", value_parser = acceptance)]
    pub(super) accept: Vec<Acceptance>,

    /// Stop after this long without progress, like 90s or 10m
    #[arg(long, value_name = "TIME", default_value_t = DEFAULT_TIMEOUT, value_parser = duration)]
    pub(super) timeout: Millis,

    /// How long to wait for the lock of another apply [default: twice the session timeout]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) lock_timeout: Option<Millis>,

    /// A backup of this ensemble: an archive of `zkplan snapshot pack`. It is checked before anything
    /// is sent; policy.backup asks for it before voters change
    #[arg(long, value_name = "FILE")]
    pub(super) backup: Option<PathBuf>,

    /// Run no start and stop commands: you start and stop the servers by hand
    #[arg(long)]
    pub(super) no_hooks: bool,

    /// The folder that zkplan joiner wrote to: hooks.start gets DIR/4 as {joinerDir} of server 4
    #[arg(long, value_name = "DIR")]
    pub(super) joiner_dir: Option<PathBuf>,

    /// Abandon the open run with this number
    #[arg(long, value_name = "RUN")]
    pub(super) abandon: Option<u64>,

    /// With a standalone server: its id, zxid and number of znodes before its restart, as an
    /// interrupted apply printed them; see `zkplan explain first-quorum`
    #[arg(long, value_name = "ID:ZXID:ZNODES", value_parser = noted)]
    pub(super) noted: Option<NotedArg>,

    /// Refuse if something other than zkplan has changed the config version
    #[arg(long)]
    pub(super) strict_version: bool,

    #[command(flatten)]
    pub(super) access: AccessArgs,

    /// Write events to a file, one JSON object per line
    #[arg(long, value_name = "FILE")]
    pub(super) events: Option<PathBuf>,

    /// What to print at the end; everything on the way is on stderr
    #[arg(long, value_enum, default_value_t = TextOrJson::Text)]
    pub(super) format: TextOrJson,
}

/// What was noted of which server.
#[derive(Debug, Clone, Copy)]
pub(super) struct NotedArg {
    pub(super) id: ServerId,
    pub(super) data: Noted,
}

fn noted(text: &str) -> Result<NotedArg, String> {
    let (id, data) = text.split_once(':').ok_or("give ID:ZXID:ZNODES, like 1:0x16e:1234")?;
    let id = id.parse().map_err(|_| format!("`{id}` is no server id"))?;
    Ok(NotedArg { id: ServerId::new(id), data: data.parse()? })
}

/// How long a run may make no progress, by default.
pub(super) const DEFAULT_TIMEOUT: Millis = Millis::from_secs(600);

/// Which plans are approved without a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AutoApprove {
    /// Plans that take nothing away
    Additive,
    /// Plans in which the leader stays
    NoLeaderChange,
    /// Any plan
    All,
}

impl AutoApprove {
    /// Whether the run ends before the leader has to change.
    pub(super) fn keeps_leader(self) -> bool {
        ApprovalScope::from(self).keeps_leader()
    }
}

impl From<AutoApprove> for ApprovalScope {
    fn from(what: AutoApprove) -> Self {
        match what {
            AutoApprove::Additive => Self::Additive,
            AutoApprove::NoLeaderChange => Self::NoLeaderChange,
            AutoApprove::All => Self::All,
        }
    }
}

/// What is approved beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Approval {
    /// Clients have moved.
    Cutover,
    /// Clients of that host may stay where they are.
    Host(IpAddr),
    /// Servers are stopped although clients are connected.
    Stop,
    /// The data directory of that server is blank.
    Blank(i64),
}

fn approval(text: &str) -> Result<Approval, String> {
    let blank = |text: &str| Some(Approval::Blank(text.strip_prefix("attest-")?.parse().ok()?));
    let host = |text: &str| Some(Approval::Host(text.strip_prefix("host-")?.parse().ok()?));
    match text {
        "cutover" => Ok(Approval::Cutover),
        "stop" => Ok(Approval::Stop),
        other => blank(other)
            .or_else(|| host(other))
            .ok_or_else(|| "give `cutover`, `host-ADDRESS`, `stop` or `attest-ID`".to_owned()),
    }
}
