//! The `zkplan` binary: parse, run, exit code.

fn main() {}
