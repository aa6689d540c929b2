//! Seeds of joiners without a server: what `zkplan joiner --check` says of an unpacked archive, and what
//! install.sh takes.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::joiners::directory;
use crate::run::{Desk, project_file};
use crate::snapshots::{copied, corpus};

const LIST: &str = "zkplan-seed.sha256";

/// An archive of real files, and the directory that it was unpacked to.
fn unpacked(desk: &Desk, out: &str, flags: &[&str]) {
    copied(desk, corpus().last().expect("a directory with digests"));
    let pack = [&["snapshot", "pack", "data", "-n", "9", "-o", "data.tar"], flags].concat();
    assert_eq!(desk.zkplan(&pack).code, 0);
    assert_eq!(desk.zkplan(&["snapshot", "unpack", "data.tar", "-o", out]).code, 0);
    fs::remove_file(desk.path("data.tar")).expect("removed");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn checked(desk: &Desk, words: &[&str]) -> (i32, Value) {
    let answer = desk.zkplan(&[&["joiner", "--format", "json"], words].concat());
    (answer.code, directory(&answer))
}

/// Where no leader is asked, an unpacked archive is neither used nor a seed.
#[test]
fn an_unpacked_archive_is_not_called_used_until_a_server_has_used_it() {
    let desk = Desk::new();
    unpacked(&desk, "seed", &[]);
    let (code, seen) = checked(&desk, &["--check", "seed"]);
    assert_eq!((code, &seen["state"], &seen["data"]), (3, &"unpacked".into(), &"whole".into()));
    assert_eq!((&seen["unpacked"]["isUnchanged"], &seen["origin"]), (&true.into(), &Value::Null));
    let screen = desk.zkplan(&["joiner", "--check", "seed"]);
    assert!(screen.out.starts_with("seed  Unpacked. It holds an unpacked archive"), "{screen:?}");
    assert!(screen.out.contains("add --leader"), "{screen:?}");
    screen.assert_clean();

    // What a server leaves at its start, before it has followed a leader.
    for name in ["acceptedEpoch", "currentEpoch"] {
        desk.write(&format!("seed/version-2/{name}"), "0");
    }
    let (code, seen) = checked(&desk, &["--check", "seed"]);
    assert_eq!((code, &seen["state"]), (3, &"used".into()));
    let added = &seen["unpacked"]["added"];
    assert_eq!(added, &Value::from(vec!["acceptedEpoch", "currentEpoch"]));
}

/// A file that is missing or has other bytes is damage; so is a list that is there without it.
#[test]
fn a_gap_in_a_seed_is_seen_before_any_start() {
    let desk = Desk::new();
    unpacked(&desk, "seed", &[]);
    let files = names(&desk.path("seed/version-2"));
    let log = files.iter().find(|name| name.starts_with("log.")).expect("a log");
    let path = desk.path("seed/version-2").join(log);
    let bytes = fs::read(&path).expect("a log");
    fs::remove_file(&path).expect("removed");
    let (code, seen) = checked(&desk, &["--check", "seed"]);
    assert_eq!((code, &seen["state"]), (65, &"damaged".into()), "{seen:#}");
    assert_eq!(seen["unpacked"]["missing"], Value::from(vec![log.as_str()]));
    let mut changed = bytes.clone();
    changed[bytes.len() / 2] ^= 1;
    fs::write(&path, &changed).expect("a log");
    let (code, seen) = checked(&desk, &["--check", "seed"]);
    assert_eq!((code, &seen["state"]), (65, &"damaged".into()), "{seen:#}");
    assert_eq!(seen["unpacked"]["changed"], Value::from(vec![log.as_str()]));
    fs::write(&path, &bytes).expect("a log");
    assert_eq!(checked(&desk, &["--check", "seed"]).1["state"], "unpacked");
    // Nothing is in the way of another archive, or of an empty start.
    fs::remove_dir_all(desk.path("seed/version-2")).expect("removed");
    assert_eq!(checked(&desk, &["--check", "seed"]).1["state"], "blank");
    unpacked(&desk, "seed", &[]);
    assert_eq!(checked(&desk, &["--check", "seed"]).1["state"], "unpacked");
}

/// A folder as `zkplan joiner` writes it, for server 4.
struct Kit<'a> {
    desk: &'a Desk,
    script: PathBuf,
}

impl<'a> Kit<'a> {
    fn new(desk: &'a Desk) -> Self {
        fs::create_dir_all(desk.path("kit")).expect("a folder");
        let script = fs::read_to_string(project_file("src/joiner/install.sh")).expect("the script");
        let script =
            script.replace("@SERVER@", "4").replace("@UMASK@", "022").replace("@LOG_DIR@", "");
        let script = desk.write("kit/install.sh", &script);
        desk.write("kit/zoo.cfg", "dataDir=/x\ndynamicConfigFile=/x\n");
        desk.write("kit/zoo.cfg.dynamic", "server.4=10.0.0.4:2888:3888:observer;2181\n");
        desk.write("kit/myid", "4\n");
        Self { desk, script }
    }

    fn run(&self, words: &[&str]) -> Output {
        let paths = ["conf", "to"].map(|name| self.desk.path(name));
        Command::new("sh").arg(&self.script).args(words).args(paths).output().expect("a shell")
    }

    /// Runs it; it must refuse for that reason, and leave nothing.
    fn refuses(&self, words: &[&str], why: &str) {
        let before = names(&self.desk.path("to/version-2"));
        let output = self.run(words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(why), "{words:?}: {said}");
        assert_eq!(names(&self.desk.path("to/version-2")), before, "{words:?}");
        assert!(!self.desk.path("conf/zoo.cfg").exists(), "{words:?}");
    }

    fn takes(&self, words: &[&str]) {
        let output = self.run(words);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn install_takes_a_seed_and_nothing_that_is_none() {
    let desk = Desk::new();
    let kit = Kit::new(&desk);
    kit.refuses(&["--seed", "/nowhere"], "there is no such directory");
    kit.refuses(&["--sed", "/nowhere"], "no such option");
    unpacked(&desk, "seed", &[]);
    let seed = desk.path("seed").display().to_string();
    let with_seed = ["--seed", seed.as_str()];
    let data = desk.path("data").display().to_string();
    kit.refuses(&["--seed", &data], "zkplan snapshot unpack has put no data there");

    let files = names(&desk.path("seed/version-2"));
    let log = desk.path("seed/version-2").join(files.first().expect("a log"));
    let bytes = fs::read(&log).expect("a log");
    let not_as_it_was = "is not as it was unpacked";
    fs::remove_file(&log).expect("removed");
    kit.refuses(&with_seed, not_as_it_was);
    fs::write(&log, &bytes[..bytes.len() / 2]).expect("a log");
    kit.refuses(&with_seed, not_as_it_was);
    fs::write(&log, &bytes).expect("a log");
    desk.write("seed/version-2/acceptedEpoch", "3");
    kit.refuses(&with_seed, not_as_it_was);
    fs::remove_file(desk.path("seed/version-2/acceptedEpoch")).expect("removed");

    fs::set_permissions(&log, fs::Permissions::from_mode(0o600)).expect("a mode");
    kit.takes(&with_seed);
    assert_eq!(names(&desk.path("to")), ["myid", "version-2", LIST]);
    assert_eq!(names(&desk.path("to/version-2")), files);
    let copy = fs::metadata(desk.path("to/version-2").join(files.first().expect("a log")));
    let mode = copy.expect("a log").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "a copy is no more open than the seed");
    assert_eq!(checked(&desk, &["--check", "to"]).1["state"], "unpacked");
    // Run again, it changes nothing, and also not where only the list says that it has run.
    kit.takes(&with_seed);
    fs::remove_dir_all(desk.path("conf")).expect("removed");
    kit.refuses(&[], "has an unpacked archive. To begin with it: --seed");
    desk.write("to/version-2/currentEpoch", "3");
    kit.refuses(&with_seed, "a server has used it");
    kit.refuses(&[], "a server has used it");
}

/// Where root installs, the files are for the user to whom the data directory belongs; any other user who
/// installs keeps them.
#[test]
fn a_seed_belongs_to_the_owner_of_the_data_directory() {
    let desk = Desk::new();
    let kit = Kit::new(&desk);
    unpacked(&desk, "seed", &[]);
    fs::create_dir(desk.path("to")).expect("a folder");
    // Only root can give it away.
    drop(chown(desk.path("to"), Some(4711), Some(4712)));
    kit.takes(&["--seed", &desk.path("seed").display().to_string()]);
    let owner = |path: &Path| {
        let facts = fs::metadata(path).expect("it is there");
        (facts.uid(), facts.gid())
    };
    let wanted = owner(&desk.path("to"));
    let mut all = ["to/myid", "to/version-2"].map(|name| desk.path(name)).to_vec();
    all.push(desk.path("to").join(LIST));
    let files = names(&desk.path("to/version-2"));
    all.extend(files.iter().map(|name| desk.path("to/version-2").join(name)));
    for path in all {
        assert_eq!(owner(&path), wanted, "{}", path.display());
    }
}

/// Straight into the data directory, where there is not room for two copies.
#[test]
fn an_archive_that_was_unpacked_in_its_place_is_a_seed_there() {
    let desk = Desk::new();
    let kit = Kit::new(&desk);
    unpacked(&desk, "to", &[]);
    let to = desk.path("to").display().to_string();
    let files = names(&desk.path("to/version-2"));
    kit.takes(&["--seed", &to]);
    assert_eq!(names(&desk.path("to/version-2")), files);
    assert_eq!(desk.read("to/myid"), "4\n");
}

/// Logs of a seed go to the directory of logs, and both have their list.
#[test]
fn a_seed_is_divided_where_logs_have_their_own_directory() {
    let desk = Desk::new();
    let kit = Kit::new(&desk);
    unpacked(&desk, "seed", &[]);
    let words = ["--seed", "seed", "conf", "to", "logs"].map(|name| match name {
        "--seed" => name.to_owned(),
        name => desk.path(name).display().to_string(),
    });
    for _ in 0..2 {
        let output = Command::new("sh").arg(&kit.script).args(&words).output().expect("a shell");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let of = |folder: &str, kind: &str| {
            let names = names(&desk.path(folder));
            assert!(
                !names.is_empty() && names.iter().all(|name| name.starts_with(kind)),
                "{names:?}"
            );
        };
        of("to/version-2", "snapshot.");
        of("logs/version-2", "log.");
    }
    let (code, seen) = checked(&desk, &["--check", "to", "--check", "logs"]);
    assert_eq!((code, &seen["state"], &seen["data"]), (3, &"unpacked".into(), &"whole".into()));
    assert!(desk.read("conf/zoo.cfg").contains("dataLogDir="), "{}", desk.read("conf/zoo.cfg"));
    // Interrupted between both: run again, it ends what it has begun.
    fs::remove_dir_all(desk.path("to/version-2")).expect("removed");
    let output = Command::new("sh").arg(&kit.script).args(&words).output().expect("a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(checked(&desk, &["--check", "to", "--check", "logs"]).1["state"], "unpacked");
}

/// The epochs of another server can keep one from joining.
#[test]
fn a_seed_has_no_epochs() {
    let desk = Desk::new();
    let kit = Kit::new(&desk);
    unpacked(&desk, "seed", &["--with-epochs"]);
    let seed = desk.path("seed").display().to_string();
    kit.refuses(&["--seed", &seed], "without --with-epochs");
}
