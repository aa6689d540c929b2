//! The command line as a user types it, without any ZooKeeper: exit codes, streams, files.

mod answers;
mod approving;
mod archives;
mod backups;
mod cases;
mod commands;
mod comments;
mod consoles;
mod differences;
mod documents;
mod files;
mod fleets;
mod forges;
mod interrupted;
mod joiners;
mod other_plans;
mod pages;
mod readme;
mod recorded;
mod recover;
mod rehearse;
mod run;
mod scenarios;
mod seeds;
mod snapshots;
mod ways_back;
