//! The `zkplan` binary: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    zkplan::cli::main(std::env::args_os()).into()
}
