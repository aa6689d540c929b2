//! What can be typed.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Green.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

const AFTER_HELP: &str = "\
Examples:
  zkplan import --connect zk1:2181,zk2:2181,zk3:2181 > prod.yaml
  zkplan validate prod.yaml
  zkplan plan prod.yaml --out plan.json
  zkplan show plan.json

Exit codes: 0 done, 1 error, 2 differences (--detailed-exitcode), 3 unsafe, 10 unreachable or no
quorum, 64 usage, 65 bad spec or plan file, 70 bug. More: zkplan explain exit-codes";

/// Plan and apply for ZooKeeper ensembles: who is a member, in which role, at which address
#[derive(Debug, Parser)]
#[command(name = "zkplan", version, styles = STYLES, after_help = AFTER_HELP, max_term_width = 100)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,

    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(super) color: Color,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check specs without asking any server
    Validate(ValidateArgs),
    /// Write the spec of an ensemble that exists
    Import(ImportArgs),
    /// Show what would change, step by step, and prove that it is safe
    Plan(PlanArgs),
    /// Show a saved plan; asks nobody
    Show(ShowArgs),
    /// Explain a law, a finding or the exit codes
    Explain(ExplainArgs),
    /// Print the JSON Schema of specs or of saved plans
    Schema {
        /// Whose schema
        #[arg(value_enum, default_value_t = SchemaOf::Spec)]
        of: SchemaOf,
    },
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// Specs
    #[arg(required = true, value_name = "SPEC")]
    pub(super) specs: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Client addresses of the ensemble, parted by commas: host:port,host:port
    #[arg(long, value_name = "HOSTS", value_delimiter = ',', required_unless_present = "zoo_cfg")]
    pub(super) connect: Vec<String>,

    /// A server's zoo.cfg; the dynamic file that it names is read too
    #[arg(long, value_name = "FILE", conflicts_with = "connect")]
    pub(super) zoo_cfg: Option<PathBuf>,

    /// The label of the ensemble in the spec
    #[arg(long, value_name = "LABEL", default_value = "my-ensemble")]
    pub(super) ensemble: String,

    /// Certificate authorities (PEM); the addresses are then secure client ports
    #[arg(long, value_name = "FILE", requires = "connect")]
    pub(super) tls_ca: Option<PathBuf>,

    /// The client's own certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_ca", requires = "tls_key")]
    pub(super) tls_cert: Option<PathBuf>,

    /// The key of the client's certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(super) tls_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// Specs; several are planned side by side
    #[arg(required = true, value_name = "SPEC")]
    pub(super) specs: Vec<PathBuf>,

    /// Write the plan to a file
    #[arg(long, short, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,

    /// Plan from the text of /zookeeper/config instead of asking servers (`-` for stdin)
    #[arg(long, value_name = "FILE")]
    pub(super) live: Option<PathBuf>,

    /// Accept a risk by name, like ZKQ2:join-2 or ZKF1; may be given again
    #[arg(long, value_name = "CODE[:STEP]", value_parser = acceptance)]
    pub(super) accept: Vec<crate::plan::Acceptance>,

    /// Exit with 2 where there is something to change
    #[arg(long)]
    pub(super) detailed_exitcode: bool,

    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// A saved plan
    #[arg(value_name = "PLAN")]
    pub(super) plan: PathBuf,

    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// A code like ZKQ3 or ZKF1, or `exit-codes`; a list of all without one
    #[arg(value_name = "CODE")]
    pub(super) code: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// The plan file, or the refusal
    Json,
    /// A graph for Graphviz
    Dot,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaOf {
    /// Of specs
    Spec,
    /// Of saved plans
    Plan,
}

fn acceptance(text: &str) -> Result<crate::plan::Acceptance, String> {
    let (code, step) = match text.split_once(':') {
        Some((code, step)) => (code, Some(crate::plan::StepId::new(step))),
        None => (text, None),
    };
    if crate::explain::page(code).is_none() {
        return Err(format!("`{code}` is no code of a law or finding; see `zkplan explain`"));
    }
    Ok(crate::plan::Acceptance { code: code.to_ascii_uppercase(), step })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
