//! The command line as a user types it, without any server: exit codes, streams, files.

mod cases;
mod commands;
mod files;
mod other_plans;
mod rehearse;
mod run;
mod scenarios;
