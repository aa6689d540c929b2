//! What can be typed of `zkplan rollback`.

use std::path::PathBuf;

use clap::Args;

use super::access_args::AccessArgs;
use super::formats::TextOrJson;
use super::values::acceptance;
use crate::plan::Acceptance;

/// The run to take back, the spec, and the file for the plan.
#[derive(Debug, Args)]
pub(super) struct RollbackArgs {
    /// The number of the run to take back, as `zkplan history SPEC` lists it. The runs after it are
    /// taken back with it
    #[arg(value_name = "RUN")]
    pub(super) run: u64,

    /// The spec of the ensemble: policy, hooks, and how the ensemble is reached
    #[arg(value_name = "SPEC")]
    pub(super) spec: PathBuf,

    /// Write the plan to a file; zkplan apply FILE applies it, like any saved plan
    #[arg(long, short, required = true, value_name = "FILE")]
    pub(super) out: PathBuf,

    /// Accept a risk by its code, as for plan; repeatable
    #[arg(long, value_name = "CODE[:STEP]", value_parser = acceptance)]
    pub(super) accept: Vec<Acceptance>,

    #[command(flatten)]
    pub(super) access: AccessArgs,

    /// What to print
    #[arg(long, value_enum, default_value_t = TextOrJson::Text)]
    pub(super) format: TextOrJson,
}
