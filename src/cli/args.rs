//! What can be typed.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{ArgAction, ArgGroup, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(super) use super::access_args::{AccessArgs, SchemeArg};
pub(super) use super::apply_args::{ApplyArgs, Approval, AutoApprove, DEFAULT_TIMEOUT};
use super::digest_args::DigestArgs;
pub(super) use super::formats::{
    DriftFormat, Format, HistoryFormat, ShowFormat, TextOrJson, ValidateFormat,
};
use super::joiner_args::JoinerArgs;
use super::recover_args::RecoverArgs;
use super::rollback_args::RollbackArgs;
use super::snapshot_args::SnapshotArgs;
use super::values::{Restarted, acceptance, client_address, label, restarted, user};
use crate::model::{Millis, ServerId, Tls};
use crate::plan::Acceptance;
use crate::report::SCHEMAS;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Green.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

const AFTER_HELP: &str = "\
Examples:
  zkplan import --connect zk1:2181,zk2:2181,zk3:2181 --ensemble prod --user super > prod.yaml
  zkplan validate prod.yaml
  zkplan preflight prod.yaml
  zkplan status prod.yaml
  zkplan drift specs/*.yaml
  zkplan plan prod.yaml --out plan.json
  zkplan show plan.json
  zkplan apply plan.json
  zkplan history prod.yaml
  zkplan rollback 3 prod.yaml --out back.json

Exit codes: 0 done, 1 error, 2 differences (drift, rollback, --detailed-exitcode), 3 unsafe,
4 not approved, 5 stale, 6 locked, 7 stopped in a safe place, 9 timed out, 10 unreachable, no quorum, reconfig
disabled or not authorized, 64 usage, 65 bad spec or plan file, 70 bug.
More: zkplan explain exit-codes. Codes and topics: zkplan explain";

/// Plan and apply for ZooKeeper ensembles: who is a member, in which role, at which address
#[derive(Debug, Parser)]
#[command(name = "zkplan", version, disable_version_flag = true, styles = STYLES, after_help = AFTER_HELP, max_term_width = 100)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,

    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(super) color: Color,

    /// Log to stderr what zkplan does: sessions, reconfigs and decisions; twice: each request too
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,

    /// The format of the log lines of -v
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    pub(super) log_format: LogFormat,

    /// Print the version and the commit of this build; with --format json, for programs
    #[arg(short = 'V', long, action = ArgAction::Version)]
    version: Option<bool>,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// A line for people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check specs, offline
    Validate(ValidateArgs),
    /// Write the spec of an existing ensemble
    Import(ImportArgs),
    /// Check servers before a change: ports, releases, rights, limits; changes nothing
    Preflight(PreflightArgs),
    /// Show an ensemble on one screen, and the one command that comes next
    Status(StatusArgs),
    /// Show how ensembles differ from their specs, and whose change that is; changes nothing
    Drift(DriftArgs),
    /// Show what would change, step by step, and prove that it is safe
    Plan(PlanArgs),
    /// Plan the way back to the members before a run; sends nothing
    Rollback(RollbackArgs),
    /// Show a saved plan, offline
    Show(ShowArgs),
    /// Simulate a plan with a failure of each server and zone, before the plan and after each reconfig
    Rehearse(RehearseArgs),
    /// Write the files with which new servers start, so that they can only join; check a data directory
    Joiner(JoinerArgs),
    /// Check the snapshots and transaction logs of a server, or show what is in them; changes nothing
    Snapshot(SnapshotArgs),
    /// Show what surviving data directories are worth where the quorum is gone for good, and write the
    /// files of a new ensemble that begins with one; offline
    Recover(RecoverArgs),
    /// Carry out a plan, step by step, under a lock; resumes an earlier apply
    Apply(ApplyArgs),
    /// List runs, or show one in detail
    History(HistoryArgs),
    /// Remove the lock of an apply that hangs, and disable its older requests
    Unlock(UnlockArgs),
    /// Move a real ensemble on this machine to new servers while a client writes
    Demo,
    /// Print the superDigest of a user, the setting by which servers know their super user
    Digest(DigestArgs),
    /// Explain a code or a topic
    Explain(ExplainArgs),
    /// Print the JSON Schema of specs or of a document that zkplan prints
    Schema {
        /// Which schema
        #[arg(value_name = "NAME", default_value = "spec", value_parser = schema_names())]
        of: String,
    },
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page of zkplan or of one command
    Man {
        /// The command; without one, the page of zkplan itself
        #[arg(value_name = "COMMAND")]
        command: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// Spec files. A folder stands for each file in it that ends in .yaml or .yml
    #[arg(required = true, value_name = "SPEC|FOLDER")]
    pub(super) specs: Vec<PathBuf>,

    /// What to print
    #[arg(long, value_enum, default_value_t = ValidateFormat::Text)]
    pub(super) format: ValidateFormat,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("from").args(["connect", "zoo_cfg"]).required(true))]
pub(super) struct ImportArgs {
    /// Client addresses of the ensemble, separated by commas: host:port,host:port
    #[arg(long, value_name = "HOSTS", value_delimiter = ',', value_parser = client_address)]
    pub(super) connect: Vec<String>,

    /// The zoo.cfg of a server; its dynamic file is read too. For several servers, give the flag once
    /// for each, with the server id: --zoo-cfg 1=a.cfg --zoo-cfg 2=b.cfg. Give the files of all
    /// servers if each has 0.0.0.0 in its own line, or if client ports differ
    #[arg(long, value_name = "[ID=]FILE", value_parser = zoo_cfg)]
    pub(super) zoo_cfg: Vec<ZooCfgArg>,

    /// The label of the ensemble in the spec
    #[arg(long, value_name = "LABEL", default_value = "my-ensemble", value_parser = label)]
    pub(super) ensemble: String,

    #[command(flatten)]
    pub(super) tls: TlsArgs,

    /// How zkplan authenticates. It is written into the spec, and import uses it only if the servers
    /// enforce authentication
    #[arg(long, value_enum, value_name = "SCHEME", requires = "connect")]
    pub(super) auth: Option<SchemeArg>,

    /// The user; the scheme is digest unless --auth says otherwise
    #[arg(long, value_name = "USER", value_parser = user, requires = "connect")]
    pub(super) user: Option<String>,

    /// A file with the password. Without it, the password comes from `ZKPLAN_PASSWORD`, from the file
    /// in `ZKPLAN_PASSWORD_FILE`, or from a prompt. Only scheme sasl needs it here
    #[arg(long, value_name = "FILE", requires = "user")]
    pub(super) password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("of").args(["specs", "connect"]).required(true))]
pub(super) struct StatusArgs {
    /// A spec: shows also what it wants beyond what is there. Of several, or of a folder with several
    /// that end in .yaml or .yml, one table; their ensembles are asked in parallel
    #[arg(value_name = "SPEC|FOLDER")]
    pub(super) specs: Vec<PathBuf>,

    /// Client addresses of an ensemble without a spec, separated by commas: host:port,host:port
    #[arg(long, value_name = "HOSTS", value_delimiter = ',', value_parser = client_address)]
    pub(super) connect: Vec<String>,

    #[command(flatten)]
    pub(super) tls: TlsArgs,

    /// Look again every 5 s until interrupted. A terminal shows the screen; elsewhere a line is
    /// printed when something changed, with --format json a document a line each time. Of several
    /// specs, a round takes as long as the slowest ensemble. Servers log connections that say nothing:
    /// a port that was open is tried again once a minute
    #[arg(long)]
    pub(super) watch: bool,

    /// What to print
    #[arg(long, value_enum, default_value_t = TextOrJson::Text)]
    pub(super) format: TextOrJson,
}

/// How servers are reached in TLS where no spec says it.
#[derive(Debug, Args)]
pub(super) struct TlsArgs {
    /// Certificate authorities (PEM); the addresses are then secure client ports
    #[arg(id = "tls_ca", long = "tls-ca", value_name = "FILE", requires = "connect")]
    pub(super) ca: Option<PathBuf>,

    /// The client's own certificate (PEM)
    #[arg(id = "tls_cert", long = "tls-cert", value_name = "FILE", requires_all = ["tls_ca", "tls_key"])]
    pub(super) cert: Option<PathBuf>,

    /// The key of the client's certificate (PEM)
    #[arg(id = "tls_key", long = "tls-key", value_name = "FILE", requires = "tls_cert")]
    pub(super) key: Option<PathBuf>,
}

impl TlsArgs {
    /// What they say; `None` where they are not given.
    pub(super) fn tls(&self) -> Option<Tls> {
        let Self { ca, cert, key } = self;
        ca.as_ref().map(|ca| Tls { ca: ca.clone(), cert: cert.clone(), key: key.clone() })
    }
}

#[derive(Debug, Args)]
pub(super) struct DriftArgs {
    /// Spec files; their ensembles are asked in parallel. A folder stands for each file in it that
    /// ends in .yaml or .yml
    #[arg(required = true, value_name = "SPEC|FOLDER")]
    pub(super) specs: Vec<PathBuf>,

    /// What counts for exit code 2
    #[arg(long, value_enum, default_value_t = FailOn::Drift, value_name = "WHAT")]
    pub(super) fail_on: FailOn,

    /// What to print
    #[arg(long, value_enum, default_value_t = DriftFormat::Text)]
    pub(super) format: DriftFormat,
}

/// What counts for the exit code of drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    /// Warnings, too
    Warning,
    /// An ensemble that is not as its spec wants it
    Drift,
}

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// Spec files; several are planned in parallel. A folder stands for each file in it that ends in
    /// .yaml or .yml
    #[arg(required = true, value_name = "SPEC|FOLDER")]
    pub(super) specs: Vec<PathBuf>,

    /// Write the plan to a file. Several specs, or a folder that exists: write a file for each to it,
    /// a plan (JSON) or what --format says, and with html and markdown an index
    #[arg(long, short, value_name = "FILE|FOLDER")]
    pub(super) out: Option<PathBuf>,

    /// Plan offline, from a file with the text of /zookeeper/config, or with what `zkplan status
    /// --format json` printed (`-` for stdin). If it is a directory, zkplan reads the file
    /// DIRECTORY/ENSEMBLE for each spec
    #[arg(long, value_name = "FILE|DIRECTORY")]
    pub(super) live: Option<PathBuf>,

    /// With --live: how old a status may be, like 30m; 24h unless it is given
    #[arg(long, value_name = "DURATION", requires = "live")]
    pub(super) live_max_age: Option<Millis>,

    /// Which of several safe plans to prefer; text output compares all three
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(super) prefer: Option<Preference>,

    /// Explain why the plan does not use another order, like 'remove 2 first', 'join 5 before 4' or
    /// 'promote 6 directly'; text output only; repeatable
    #[arg(long, value_name = "ORDER")]
    pub(super) why_not: Vec<crate::whynot::Wish>,

    /// Plan to restart these members, one at a time and the leader last, whatever their settings are:
    /// for new certificates, another JVM, another kernel; `all`, or ids like 1,3
    #[arg(long, value_name = "all|IDS", value_parser = restarted, conflicts_with_all = ["prefer", "why_not"])]
    pub(super) restart: Option<Restarted>,

    /// Show what has changed since a saved plan was made, by whose change, and which of its steps still
    /// hold, above the new plan
    #[arg(long, value_name = "PLAN", conflicts_with_all = ["live", "restart"])]
    pub(super) rebase: Option<PathBuf>,

    /// Accept a risk by its code, like ZKQ2:join-2 or ZKF1; repeatable
    #[arg(long, value_name = "CODE[:STEP]", value_parser = acceptance)]
    pub(super) accept: Vec<Acceptance>,

    /// Let the leader check the next reconfig without carrying it out, on a session without
    /// credentials; changes nothing; see `zkplan explain probe`
    #[arg(long, conflicts_with = "live")]
    pub(super) probe: bool,

    /// Exit with 2 if something is left to do: changes, a member that is down, an open run, or a
    /// retired server that serves clients
    #[arg(long)]
    pub(super) detailed_exitcode: bool,

    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

/// What counts most in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Preference {
    /// Highest tolerance of failures on the way
    Safest,
    /// Fewest reconfigs that the safety rules allow
    Fewest,
    /// Fewest leader changes
    NoLeaderChange,
}

impl From<Preference> for crate::plan::Prefer {
    fn from(preference: Preference) -> Self {
        match preference {
            Preference::Safest => Self::Safest,
            Preference::Fewest => Self::Fewest,
            Preference::NoLeaderChange => Self::NoLeaderChange,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct PreflightArgs {
    /// A spec or a saved plan. Of several, or of a folder with several specs that end in .yaml or
    /// .yml, one table; their ensembles are asked in parallel, and for no password
    #[arg(required = true, value_name = "PLAN|SPEC|FOLDER")]
    pub(super) files: Vec<PathBuf>,

    /// List the checks that passed, too
    #[arg(long)]
    pub(super) all: bool,

    /// Follow a rolling restart until no check fails, and say which server is to be restarted next.
    /// Looks at once when a server stops or runs again, every 2 s until it is back, and else every
    /// 15 s, so that little is added to the servers' logs
    #[arg(long, conflicts_with = "format")]
    pub(super) watch: bool,

    /// The zoo.cfg of a server, with its id. Shows the edit that it needs, and the order of the
    /// restarts; give the flag once for each server. No file is written
    #[arg(long, value_name = "ID=FILE", value_parser = zoo_cfg, conflicts_with = "watch")]
    pub(super) zoo_cfg: Vec<ZooCfgArg>,

    #[command(flatten)]
    pub(super) access: AccessArgs,

    /// What to print
    #[arg(long, value_enum, default_value_t = TextOrJson::Text)]
    pub(super) format: TextOrJson,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// A saved plan
    #[arg(value_name = "PLAN")]
    pub(super) plan: PathBuf,

    /// What to print
    #[arg(long, value_enum, default_value_t = ShowFormat::Text)]
    pub(super) format: ShowFormat,
}

#[derive(Debug, Args)]
pub(super) struct RehearseArgs {
    /// A saved plan (offline), or a spec that is planned first
    #[arg(value_name = "PLAN|SPEC")]
    pub(super) file: PathBuf,

    /// With a spec: plan offline, from a file with the text of /zookeeper/config, or with what
    /// `zkplan status --format json` printed. If it is a directory, zkplan reads the file
    /// DIRECTORY/ENSEMBLE
    #[arg(long, value_name = "FILE|DIRECTORY")]
    pub(super) live: Option<PathBuf>,

    /// With --live: how old a status may be, like 30m; 24h unless it is given
    #[arg(long, value_name = "DURATION", requires = "live")]
    pub(super) live_max_age: Option<Millis>,

    /// With a spec: accept a risk by its code, as for plan; repeatable
    #[arg(long, value_name = "CODE[:STEP]", value_parser = acceptance)]
    pub(super) accept: Vec<Acceptance>,

    /// What to print
    #[arg(long, value_enum, default_value_t = TextOrJson::Text)]
    pub(super) format: TextOrJson,
}

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// A spec or a saved plan, which says how to reach the ensemble
    #[arg(value_name = "PLAN|SPEC")]
    pub(super) file: PathBuf,

    /// The number of a run
    #[arg(value_name = "RUN")]
    pub(super) run: Option<u64>,

    /// Print the plan stored in the run. If the file that started the run is lost, save this plan
    /// to a file and read it: zkplan apply FILE finishes the run
    #[arg(long, requires = "run", conflicts_with = "format")]
    pub(super) plan: bool,

    /// Print the content of zkplan's folder, also if it is not proven who wrote it
    #[arg(long, conflicts_with_all = ["run", "plan"])]
    pub(super) unproven: bool,

    /// What to print
    #[arg(long, value_enum, default_value_t = HistoryFormat::Text)]
    pub(super) format: HistoryFormat,
}

#[derive(Debug, Args)]
pub(super) struct UnlockArgs {
    /// A spec or a saved plan, which says how to reach the ensemble
    #[arg(value_name = "PLAN|SPEC")]
    pub(super) file: PathBuf,

    /// The nonce of the lock, from the message of the refused apply
    #[arg(value_name = "NONCE")]
    pub(super) nonce: String,

    #[command(flatten)]
    pub(super) access: AccessArgs,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// A code like ZKQ3 or ZKF1, or a topic like `words` or `auth`; without one, a list of all
    #[arg(value_name = "CODE")]
    pub(super) code: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless `NO_COLOR` is set or TERM=dumb
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

fn schema_names() -> PossibleValuesParser {
    PossibleValuesParser::new(SCHEMAS.iter().map(|(name, _)| *name))
}

/// A `zoo.cfg`, and whose it is.
#[derive(Debug, Clone)]
pub(super) struct ZooCfgArg {
    pub(super) id: Option<ServerId>,
    pub(super) path: PathBuf,
}

fn zoo_cfg(text: &str) -> Result<ZooCfgArg, String> {
    let owned = text.split_once('=').and_then(|(id, path)| Some((id.parse().ok()?, path)));
    let (id, path) = owned.map_or((None, text), |(id, path)| (Some(ServerId::new(id)), path));
    if path.is_empty() {
        Err("give a file".to_owned())
    } else {
        Ok(ZooCfgArg { id, path: path.into() })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
