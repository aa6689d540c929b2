//! The procedure from its true start to its end: three servers with a static `zoo.cfg`, no superDigest and
//! no `reconfigEnabled` move onto three that still run an ensemble of their own, while clients write and
//! queue for a lock.
//!
//! The operator types what the screens name, and nothing else. By hand are done: edits of the spec and of
//! `zoo.cfg`, what a screen asks for on a server, and moving the clients. An apply is killed in each phase;
//! what is typed to resume it is not counted. With [`Begin::Seeds`] the data are carried over first: the
//! leader is packed while clients write, and two of the new servers begin with its archive.

use std::fs;
use std::time::Duration;

use crate::applying::wanting;
use crate::harness::{Builder, Ensemble, Witness};
use crate::installing;
use crate::ledger::is_at;
use crate::queue::Queue;
use crate::rolls::{APPLY, FIRST, Moment, Operator, Trouble};
use crate::seeding::{DIFF, SNAP, installed};
use crate::show;
use crate::spec::Spec;

const OLD: [u8; 3] = [1, 2, 3];
const NEW: [u8; 3] = [4, 5, 6];
const BOTH: [u8; 6] = [1, 2, 3, 4, 5, 6];

const ZNODE_BYTES: usize = 10_000;

/// What the spec wants of every server.
const WANTED: &str = "{ reconfigEnabled: true, superuser: required }";

/// The same where leaders have to show digests, by which an archive is known as that of its ensemble.
const WANTED_WITH_DIGESTS: &str =
    "{ reconfigEnabled: true, superuser: required, fourLetterWords: [srvr, hash] }";

/// From the first look to the last one.
const MOST_COMMANDS: usize = 12;

/// The new servers that begin with the archive, where there is one.
const SEEDED: [u8; 2] = [4, 5];

/// Further commands to carry the data over: a look that names the leader, to pack, and for each server to
/// unpack and to check.
const COMMANDS_TO_CARRY: usize = 2 + 2 * SEEDED.len();

/// How new servers come to their votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Each is added as a participant.
    Participants,
    /// Each is added as an observer, and promoted later.
    ObserversFirst,
}

impl Way {
    const fn policy(self) -> &'static str {
        match self {
            Self::Participants => "participant",
            Self::ObserversFirst => "observer",
        }
    }

    /// Where applies are killed, each before that is sent or shown, in the order in which they come.
    const fn kills_before_the_gate(self) -> &'static [&'static str] {
        match self {
            Self::Participants => &["lock", "send join-5"],
            Self::ObserversFirst => &["lock", "send join-5", "send promote-6"],
        }
    }
}

/// What new servers begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// Empty directories.
    Empty,
    /// Those of [`SEEDED`] with an archive of the leader, the last one empty.
    Seeds,
}

impl Begin {
    const fn wanted(self) -> &'static str {
        match self {
            Self::Empty => WANTED,
            Self::Seeds => WANTED_WITH_DIGESTS,
        }
    }

    /// How many commands there may be beside those after kills.
    const fn most_commands(self) -> usize {
        match self {
            Self::Empty => MOST_COMMANDS,
            Self::Seeds => MOST_COMMANDS + COMMANDS_TO_CARRY,
        }
    }
}

/// Moves everything, and returns the longest time between two acknowledged writes.
///
/// # Panics
/// Where an acknowledged write or a session is lost, or the screens lead nowhere or name too much.
pub(crate) fn migrates(builder: Builder, way: Way, begin: Begin, megabytes: usize) -> Duration {
    let heap = format!("{}m", 256 + 2 * megabytes);
    let builder = builder.heap(&heap).unset("reconfigEnabled").without_super_user(BOTH);
    let ensemble = builder.start();
    run_an_ensemble_of_their_own(&ensemble);
    ensemble.administrator().fill("/data", megabytes * 1_000_000 / ZNODE_BYTES, ZNODE_BYTES);
    let (witness, queue) = (Witness::of(&ensemble, OLD), Queue::of(&ensemble, &OLD, 3));
    let spec = wanting(&ensemble, OLD, OLD).settings(begin.wanted());
    let killed = [Moment::Asked, Moment::Away].map(|moment| (0, Trouble::Killed(moment)));
    let troubles = killed.into_iter().chain([(1, Trouble::LeaderDies)]);
    let mut operator = Operator::with(&ensemble, OLD, &spec, troubles);
    let next = operator.restarts();

    let spec = wanting(&ensemble, NEW, OLD).settings(begin.wanted()).policy("addAs", way.policy());
    operator.edits_spec(&spec);
    let refused = operator.types(&next).exits(3).says(["run an ensemble of their own"]);
    let next = refused.next_lines().first().map_or(next, |next| (*next).to_owned());
    for id in NEW {
        ensemble.stop(id);
    }
    let mut apply = operator.comes_to(&[APPLY], &next).expect("a plan to apply");
    start_joiners(&mut operator, &ensemble, begin);
    let epoch = ensemble.epoch();
    for output in way.kills_before_the_gate() {
        apply = operator.is_killed(&apply, output);
    }
    let gate = operator.types(&format!("{apply} --auto-approve")).exits(7);
    // The clients get the new addresses. Some get both lists, and stay where they are.
    let everywhere = Queue::of(&ensemble, &BOTH, 3);
    ensemble.administrator().fill("/moved", 0, 0);
    let moved = Witness::below("/moved", &ensemble, NEW);
    let moved_queue = Queue::of(&ensemble, &NEW, 3);
    let before = witness.finish(&ensemble, BOTH);
    queue.keeps_its_order();
    let [approves] = gate.next_lines()[..] else { panic!("one command comes next\n{gate}") };
    // Before the first removal it would ask for the approval again.
    let leader = ensemble.wait_leader();
    let second = OLD.into_iter().filter(|id| *id != leader).nth(1).expect("two follow");
    let again = operator.is_killed(approves, &format!("send leave-{second}"));
    let done = operator.types(&format!("{again} --auto-approve")).exits(0);
    assert_eq!(ensemble.epoch(), epoch + 1, "the leader changes once by membership");
    done.says([
        "Leader change (leave-",
        "predicted",
        "measured",
        "stop them, one server at a time",
    ]);
    for id in OLD {
        ensemble.stop(id);
    }
    end(operator, &ensemble, &spec, begin);
    let kept = everywhere.keeps_its_order() + moved_queue.keeps_its_order();
    let after = moved.finish(&ensemble, NEW);
    show(&format!("{megabytes} MB, {kept} sessions kept; before: {before}; after: {after}"));
    before.longest_gap.max(after.longest_gap)
}

/// The new servers were used for something else.
fn run_an_ensemble_of_their_own(ensemble: &Ensemble) {
    for id in NEW {
        ensemble.reserve(id);
    }
    let lines = NEW.map(|id| ensemble.server_line(id));
    for id in NEW {
        ensemble.start_with_members(id, &lines);
    }
    ensemble.wait_serving();
    let other = Witness::of(ensemble, NEW);
    other.finish(ensemble, NEW);
}

/// The operator writes their files as the plan says. Directories and files of before are refused, and are
/// moved away.
fn start_joiners(operator: &mut Operator<'_>, ensemble: &Ensemble, begin: Begin) {
    let writes = operator.writes_joiners();
    operator.types(&writes).exits(0).says(["--seed DIR", "zkplan explain archives"]);
    let leader = (begin == Begin::Seeds).then(|| packs_the_leader(operator, ensemble));
    for id in NEW {
        assert!(refused(operator, ensemble, id).contains("version-2 is not empty"));
        ensemble.wipe(id);
        let said = refused(operator, ensemble, id);
        let file = said.trim_start_matches("install.sh: ").split(" is there and is another file");
        let file = file.into_iter().next().expect("a first part");
        fs::rename(file, format!("{file}.old")).unwrap_or_else(|why| panic!("{said}: {why}"));
        let before = ensemble.log(id).len();
        let seeded = leader.filter(|_| SEEDED.contains(&id));
        if let Some(leader) = seeded {
            starts_with_the_archive(operator, ensemble, id, leader);
        } else {
            installing::start(operator.desk(), ensemble, id);
        }
        if begin == Begin::Seeds {
            ensemble.wait_following(id);
            let log = &ensemble.log(id)[before..];
            let got = [DIFF, SNAP].map(|way| log.contains(way));
            assert_eq!(got, [seeded.is_some(), seeded.is_none()], "server {id}: {log}");
        }
    }
}

/// The file in which the data are carried.
const ARCHIVE: &str = "data.tar.gz";

/// The leader is packed where it runs, while clients write. Returns which one the screen names.
fn packs_the_leader(operator: &mut Operator<'_>, ensemble: &Ensemble) -> u8 {
    let status = operator.types(FIRST).exits(0).says(["zkplan explain archives"]);
    let leads = |line: &str| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [id, "participant", "leader", ..] => id.parse().ok(),
        _ => None,
    };
    let leader = status.stdout.lines().find_map(leads);
    let leader: u8 = leader.unwrap_or_else(|| panic!("no server leads\n{status}"));
    let config = ensemble.file(leader, "zoo.cfg").display().to_string();
    let packs = format!("zkplan snapshot pack --zoo-cfg {config} -o {ARCHIVE}");
    operator.types(&packs).exits(0).says(["Whole up to zxid"]);
    leader
}

/// The archive is copied to the server, unpacked and checked there, and laid down with the server's files.
fn starts_with_the_archive(operator: &mut Operator<'_>, ensemble: &Ensemble, id: u8, leader: u8) {
    let folder = format!("host-{id}");
    let (archive, seed) = (format!("{folder}/{ARCHIVE}"), format!("{folder}/seed"));
    let desk = operator.desk();
    fs::create_dir(desk.path(&folder)).expect("a new folder");
    fs::copy(desk.path(ARCHIVE), desk.path(&archive)).expect("it was packed");
    operator.types(&format!("zkplan snapshot unpack {archive} -o {seed}")).exits(0);
    let leader = ensemble.client_address(leader);
    let checks = format!("zkplan joiner --check {seed} --leader {leader}");
    let says = ["Seed of this ensemble.", "sh install.sh --seed"];
    operator.types(&checks).exits(0).says(says);
    let desk = operator.desk();
    let output = installed(desk, ensemble, id, &desk.path(&seed).display().to_string());
    assert!(output.status.success(), "{}", installing::said(&output));
    ensemble.start_installed(id);
}

/// What the script says of directories that it does not take.
fn refused(operator: &Operator<'_>, ensemble: &Ensemble, id: u8) -> String {
    let output = installing::install(operator.desk(), ensemble, id);
    let said = installing::said(&output);
    assert!(!output.status.success(), "it takes what was used: {said}");
    said
}

/// The last look: the old servers are gone, and what is left is to name the new ones in the spec. Then
/// nothing comes next, and a second apply has nothing to do.
fn end(mut operator: Operator<'_>, ensemble: &Ensemble, spec: &Spec, begin: Begin) {
    let last = operator.types(FIRST).exits(0).says(["No changes"]);
    assert_eq!(last.next_lines(), ["zkplan explain ZKF17"], "{last}");
    is_at(ensemble, &NEW);
    let (typed, counted) = (operator.typed().join("; "), operator.counted());
    show(&format!("{counted} commands beside those after kills: {typed}"));
    // A risk that is accepted is one more: the refusal shows it first.
    let accepted = usize::from(typed.contains(" --accept "));
    // With digests nothing has to be accepted: the data are proven equal.
    assert!(begin == Begin::Empty || accepted == 0, "{typed}");
    assert!(counted <= begin.most_commands() + accepted, "{counted} commands: {typed}");
    let addresses =
        NEW.map(|id| format!("{}:{}", ensemble.host(), ensemble.client_address(id).port()));
    let line = format!("servers: [{}]", addresses.join(", "));
    last.says([line]);
    operator.edits_spec(&spec.clone().connect(&addresses.join(",")));
    let nothing = operator.types(FIRST).exits(0);
    assert_eq!(nothing.next_lines(), [""; 0], "{nothing}");
    let again = operator.types("zkplan apply spec.yaml --auto-approve").exits(0);
    again.says(["Nothing to do", "done by run 1"]);
}

#[test]
fn three_servers_move_onto_three_others_typed_from_the_screens() {
    let megabytes = crate::apply_syncing::asked("ZKPLAN_DATA_MB", 20).min(200);
    migrates(Builder::plain(), Way::Participants, Begin::Empty, megabytes);
}

#[test]
fn three_servers_move_onto_three_others_of_which_two_begin_with_an_archive_of_the_leader() {
    let megabytes = crate::apply_syncing::asked("ZKPLAN_DATA_MB", 20).min(200);
    migrates(Builder::plain(), Way::Participants, Begin::Seeds, megabytes);
}
