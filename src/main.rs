//! The `zkplan` binary: parse, run, exit code.

use std::process::ExitCode;

use zkplan::cli::{self, Build};

/// What `build.rs` found out.
const BUILD: Build = Build {
    commit: option_env!("ZKPLAN_COMMIT"),
    date: option_env!("ZKPLAN_COMMIT_DATE"),
    is_modified: option_env!("ZKPLAN_COMMIT_MODIFIED").is_some(),
};

fn main() -> ExitCode {
    cli::main(std::env::args_os(), BUILD).into()
}
