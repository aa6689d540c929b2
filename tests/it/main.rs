//! Tests that need neither a network nor a server: the table of common changes, properties of
//! plans, and the shape of the source tree.

mod addresses;
mod circles;
mod common_changes;
#[path = "../damage/mod.rs"]
#[expect(dead_code, reason = "what only real servers need")]
mod damage;
mod damages;
mod dependencies;
mod documents;
mod evidence;
#[path = "../example/mod.rs"]
#[expect(dead_code, reason = "what other suites take from the examples")]
mod example;
mod executor;
mod explained;
mod grants;
mod incidents;
mod pains;
mod plans;
mod positions;
mod rehearsals;
mod restarts;
mod rules;
mod seen_to_fail;
mod tampered;
mod tidy;
