//! Stories on real ZooKeeper: ensembles of Debian's package on loopback, and the `zkplan` binary.

/// Tells each of these stories on an ensemble of either profile.
macro_rules! on_both_profiles {
    ($($story:ident)*) => {
        mod rich {
            $(#[test] fn $story() { super::$story(&crate::harness::Builder::rich()); })*
        }
        mod plain {
            $(#[test] fn $story() { super::$story(&crate::harness::Builder::plain()); })*
        }
    };
}

mod apply_changes;
mod apply_faults;
mod apply_gates;
mod apply_hooks;
mod apply_joiners;
mod apply_kills;
mod apply_locks;
mod apply_refusals;
mod apply_reordered;
mod apply_syncing;
mod applying;
mod approvals;
mod as_planned;
mod backups;
mod conformance;
#[path = "../cli/consoles.rs"]
mod consoles;
mod credentials;
mod cutover;
#[path = "../damage/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the list of places, which `it` has")]
mod damage;
mod degraded;
mod demo_ensemble;
mod digests;
mod disasters;
mod drift;
mod files_agree;
mod first_quorum;
mod forgeries;
mod goes_wrong;
mod harness;
mod harness_works;
mod healthy;
mod histories;
mod hostile;
mod import_agrees;
mod installing;
mod joiner_files;
mod joiners;
mod key_forms;
mod ledger;
mod limits;
mod logs;
mod much_data;
mod next_lines;
mod old_runs;
mod open_runs;
mod pipelines;
mod predicted;
mod preflight;
mod preflight_ways;
mod probes;
mod queue;
mod readme;
mod rebase;
mod recovered;
mod refusals;
mod releases;
mod restarts;
mod retired_servers;
mod rollback;
#[expect(dead_code, reason = "upgrades, which the matrix plays")]
mod rolls;
mod seeding;
mod seeds;
mod settings;
mod shapes;
mod sizes;
mod snapshot_archives;
mod snapshot_files;
mod spec;
mod status;
mod stopped_early;
mod tls;
mod true_sentences;
#[expect(dead_code, reason = "kills everywhere, which the matrix plays")]
mod true_start;
mod ways_in;
mod weighted;
#[expect(dead_code, reason = "the other way, which the matrix plays")]
mod whole_migration;
mod zkplan;

/// Figures are for whoever runs the tests.
#[expect(clippy::print_stdout, reason = "the issue asks that each test prints its figures")]
fn show(figures: &str) {
    println!("{figures}");
}
