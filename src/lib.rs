//! zkplan is plan and apply for Apache ZooKeeper ensembles. This page is its architecture.
//!
//! The desired ensemble is a YAML file in a repository; the live configuration, the znode
//! `/zookeeper/config`, is the state. zkplan compares the two, makes a plan whose every
//! intermediate state is proven safe for the quorum, and shows it. There is no state file to lose.
//!
//! ```text
//! spec.yaml -> Spec -----------+
//!                              +-> diff -> plan -> check -> render, report, saved
//! live ensemble -> Observation +                    |
//!      ^                                            v
//!   ensemble (the port) <--------- apply: look, judge, intent, send, outcome
//! ```
//!
//! In the order in which a reader who has a spec in hand walks it:
//!
//! * [`model`] has the values: servers and their lines, memberships, quorum arithmetic, policy
//!   with its defaults (`model::policy`), and the [`model::Target`] that a spec and a plan both want. It
//!   is tolerant: whatever a live ensemble shows can be held and printed back. No I/O.
//! * [`spec`] turns YAML into a [`spec::Spec`], or into every complaint about the file at once, each
//!   with its place. It is strict where `model` is tolerant. No I/O.
//! * [`ensemble`] is the port: the questions that can be put to servers, as traits, and the
//!   implementation that puts them to real ones.
//! * [`simulator`] is the other implementation: an ensemble in memory with ZooKeeper's rules, each held
//!   against real servers by the tests.
//! * [`trust`] tells what only an operator can have written in an ensemble from what any client can.
//! * [`observe`] takes one look through the port. Every fact names its source, what no server said is
//!   unknown, and unknown is never counted as healthy. `server_status` gives each server its status;
//!   [`observe::Facts`] (in `facts`) is what planning and checking take from it: its `synced` is the
//!   set of members that count, its `following` the set of joiners that follow without a vote.
//! * [`import`] goes the other way: from a `zoo.cfg`, or from a look, to a spec.
//! * [`diff`] compares membership with membership: one change for each server that differs.
//! * [`plan`] puts changes into phases of steps, in the best order that it finds: the one that
//!   tolerates most failures, then the fewest reconfigs. It believes nothing to be safe. Why each
//!   step stands where it stands is data ([`plan::Plan::graph`]); [`render`] only puts it in words.
//! * [`check`] holds a plan against the safety rules ZKQ1 to ZKQ15. It shares no arithmetic with `plan`,
//!   walks every order that the plan grants under every leader, and is the only maker of a
//!   [`check::CheckedPlan`]. Each rule is one file; the table at the head of `check/rules/mod.rs` says
//!   which.
//! * [`proposal`] joins both: the plan that keeps the safety rules, or the refusal with the breaches of the
//!   best one and a change that was tried and passes.
//! * [`settings`] has the edit of a `zoo.cfg` that wanted settings need, and the order of the restarts.
//!   What servers show of their settings, and how that differs, is in [`observe`].
//! * [`first_quorum`] has the one restart by which a standalone server becomes the first voter: whether it
//!   is possible, its files, and what shows that it is done.
//! * [`joiner`] has the files with which a joiner is started, so that it can only join, and what a data
//!   directory tells of the server that used it.
//! * [`snapshot`] reads the files in which ZooKeeper keeps data, says what they are worth and what is in
//!   them; it packs them, and reads archives as if they were directories.
//! * [`recovery`] says what the directories of survivors mean where a quorum is gone for good, and has the
//!   first voter of a new ensemble, which the old servers cannot meet.
//! * [`backup`] says whether an archive is a backup of an ensemble, which `apply` asks before voters change
//!   where the spec wants one.
//! * [`prediction`] has what a plan is expected to cost in time: figures for reviewers, beside which an
//!   apply shows what it measured.
//! * [`whynot`] checks the same change in another order.
//! * [`document`] has the head and the spelling of every machine document.
//! * [`saved`] writes a checked plan as canonical JSON and reads it back through the same check.
//! * [`apply`] carries a checked plan out. Its executor is a state machine without I/O; a thin driver
//!   does what it says on one session, under a lock, behind a fence, and leaves a journal in the
//!   ensemble, so that any machine can resume. `apply::executor::setup` takes lock and run and says
//!   whether the fence comes first (`must_fence`); while it does, `apply::executor::step` judges no step.
//!   [`apply::judge`] says whether a step may be taken now (a joiner added, a gate passed), and how long
//!   an added server has to bind its ports. A joiner's data are judged again at every look, until the
//!   reconfig that adds it is sent (`apply::executor::step`, `saw`).
//! * [`preflight`] checks servers before anything is changed: each check has a code, a verdict, what it
//!   rests on, and a remedy.
//! * [`restarting`] carries a plan of restarts out: which server is next, and when.
//! * [`rehearsal`] applies a plan to a simulated ensemble, and has every server and zone fail at every
//!   moment of it; below the plan that `zkplan plan` shows, of as many of them as take no time.
//! * [`status`] says what an ensemble is now, what a spec wants beyond that, and whether the next
//!   change is possible; it asks `check`, `proposal` and `apply` and decides nothing anew.
//! * [`drift`] holds spec, ensemble and the last completed run against each other, and says whose change a
//!   difference is, as far as the journal tells.
//! * [`rebase`] holds a saved plan against what is there now: what has changed, by whose change, and which
//!   of its steps still hold.
//! * [`rollback`] has the target of the way back to the members before a run, and the edits that the spec
//!   needs afterwards. The plan back is made and checked like any other.
//! * [`render`] makes screens of all of this; [`explain`] has a page for every code. The table of
//!   `check::rules` has the file of each `ZKQn`, with its page beside it; the table of
//!   `observe::finding_kind` has the file that finds each `ZKFn`.
//! * [`report`] has what machines read: one value for each document, with its schema. What the end of an
//!   apply means to its caller is decided in [`report::error`] (a closed gate: stopped, so 7); `cli::exit`
//!   has the number of each kind, and `cli::error` joins both.
//! * [`review`] has what reviewers see: comments of pull requests, pages, annotations, test reports. It
//!   takes documents of `report`, and lets no text from outside be markup.
//! * [`demo`] has the servers of `zkplan demo`, real ones on loopback, and its client that writes. The
//!   real servers of the tests are started with the same code.
//! * [`cli`] is the one place where files are read, errors become exit codes and text is printed.
//!
//! Why it is so: one page for each decision that took thought, in `src/decisions/`.
//!
//! # Invariants
//!
//! * The arrows between modules point one way, in the order above; no module uses `cli`. Inside a
//!   module no chain of uses leads from a file back to it. Tests read the `use` lines.
//! * Nothing but `cli` reads files of its own accord, and nothing but the port's implementation
//!   opens a socket; `demo`, which runs servers and a client of theirs, is no part of the flow
//!   above. No decision in `diff`, `plan`, `check`, `proposal` and `apply` reads a clock: time is an
//!   argument.
//! * What `plan`, `check` and the screens show is one value: preview cannot differ from what is
//!   applied.
//! * A plan grants apply one choice: within an unordered phase any step may be next, and the
//!   leader goes last over the whole plan ([`plan::Plan::next_steps`], in `plan::schedule`). The checker walks exactly
//!   what is granted. Where a server dies or comes back, apply may take another order of the same
//!   steps, which [`plan::reorder`] looks for and [`check::regrant`] holds against what the plan
//!   promised.
//! * No request without the config version that it starts from: [`model::ConfigVersion`] cannot be
//!   the −1 that switches the server's check off.
//! * Text from outside reaches a terminal through [`render::Text::to_string_with`] alone, which lets
//!   nothing but printable ASCII through.
//! * Nothing in the ensemble commands the operator's machine: target, requests, commands and
//!   approvals come from the file and the flags, the position from the live configuration. What only
//!   the journal tells is believed where no other client can have written it ([`trust`]).
//! * Looking needs no password, and writes nothing but sessions, which it closes, and on each a
//!   transaction that only checks `/`: it changes no znode, and shows that writes commit.
//! * Nothing is believed after an error: what came of a request is what the session reads while the
//!   lock stands, and "not carried out" is written only behind a committed fence. A request without an
//!   answer is unknown in `ensemble::replies` (`failure`), and after a time-out in
//!   `ensemble::client_session`; `apply::classify` says which answers of a server leave an outcome
//!   unknown, `apply::executor::request` what the session reads then, `apply::executor::doubt` what is
//!   recorded.

pub mod apply;
pub mod backup;
pub mod check;
pub mod cli;
pub mod demo;
pub mod diff;
pub mod document;
pub mod drift;
pub mod ensemble;
pub mod explain;
pub mod first_quorum;
pub mod import;
pub mod joiner;
pub mod model;
pub mod observe;
pub mod plan;
pub mod prediction;
pub mod preflight;
pub mod proposal;
pub mod rebase;
pub mod recovery;
pub mod rehearsal;
pub mod render;
pub mod report;
pub mod restarting;
pub mod review;
pub mod rollback;
pub mod saved;
pub mod settings;
pub mod simulator;
pub mod snapshot;
pub mod spec;
pub mod status;
pub mod trust;
pub mod whynot;

#[cfg(test)]
extern crate self as zkplan;
/// The example ensembles of all tests.
#[cfg(test)]
#[path = "../tests/example/mod.rs"]
#[expect(dead_code, reason = "what the suites in `tests` take from the examples")]
mod example;
