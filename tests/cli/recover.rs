//! `zkplan recover` on the files of real servers (`tests/data-directories`) and on what is made of them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json as value};

use crate::documents::{fits, is_update};
use crate::run::{Answer, Desk, project_file};

/// The configuration in the data has one voter; this one, in a `zoo.cfg`, is later.
const LATER: &str = "server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181\n\
                     server.2=10.0.0.2:2888:3888:participant;0.0.0.0:2181\n\
                     server.3=10.0.0.3:2888:3888:participant;0.0.0.0:2181\n";

const SPEC: &str = "apiVersion: zkplan/v1\nensemble: prod\nservers:\n\
                    \x20 - { id: 1, host: 10.0.0.1 }\n\
                    \x20 - { id: 2, host: 10.0.0.2 }\n\
                    \x20 - { id: 3, host: 10.0.0.3 }\n\
                    connect: { tls: { ca: ca.pem } }\n";

/// A spec, a `zoo.cfg` of three voters, and the directories of these servers.
fn desk(ids: &[u8]) -> Desk {
    let desk = Desk::new();
    desk.write("prod.yaml", SPEC);
    desk.write("zoo.cfg.dynamic.900000000", LATER);
    let zoo_cfg = "tickTime=2000\ninitLimit=20\nsyncLimit=5\ndataDir=/var/lib/zookeeper\n\
                   reconfigEnabled=true\ndynamicConfigFile=zoo.cfg.dynamic.900000000\n";
    desk.write("zk1.cfg", zoo_cfg);
    for id in ids {
        let to = desk.path(&format!("zk{id}/version-2"));
        fs::create_dir_all(&to).expect("a folder");
        let from = project_file("tests/data-directories/3.9.5");
        for entry in fs::read_dir(from).expect("a directory of the corpus") {
            let path = entry.expect("an entry").path();
            fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("a copy");
        }
        desk.write(&format!("zk{id}/myid"), &format!("{id}\n"));
    }
    desk
}

fn recover(desk: &Desk, ids: &[u8], further: &[&str]) -> Answer {
    let data: Vec<String> = ids.iter().map(|id| format!("{id}=zk{id}")).collect();
    let data = data.iter().flat_map(|data| ["--data", data.as_str()]);
    let words: Vec<&str> =
        ["recover", "prod.yaml", "--zoo-cfg", "zk1.cfg"].into_iter().chain(data).collect();
    let answer = desk.zkplan(&[&words[..], further].concat());
    answer.assert_clean();
    answer
}

fn document(answer: &Answer) -> Value {
    let document: Value = serde_json::from_str(&answer.out).expect("JSON");
    fits("recover", &document);
    assert_eq!(document["exitCode"], answer.code);
    document
}

fn json(desk: &Desk, ids: &[u8], further: &[&str]) -> Value {
    document(&recover(desk, ids, &[further, &["--format", "json"]].concat()))
}

/// Every byte below a folder.
fn content(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(content(&path));
        } else {
            all.push((path.display().to_string(), fs::read(&path).expect("a file")));
        }
    }
    all.sort();
    all
}

#[test]
fn survivors_that_are_a_quorum_are_to_be_started_and_nothing_is_written() {
    let desk = desk(&[1, 3]);
    let answer = recover(&desk, &[1, 3], &["-o", "new", "--auto-approve"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(
        answer.out.contains("Nothing needs recovering. Servers 1 and 3 are a quorum"),
        "{}",
        answer.out
    );
    assert!(answer.out.contains("Next: zkplan status prod.yaml"), "{}", answer.out);
    assert!(!desk.path("new").exists());
    let seen = json(&desk, &[1, 3], &[]);
    assert_eq!((&seen["outcome"], &seen["start"]), (&value!("nothingToRecover"), &value!([1, 3])));
}

#[test]
fn one_of_three_is_shown_and_written_only_with_a_yes() {
    let desk = desk(&[1]);
    let before = content(&desk.path("zk1"));
    let shown = recover(&desk, &[1], &[]);
    assert_eq!(shown.code, 2, "{shown:?}");
    for words in [
        "No quorum. Of voters 1, 2 and 3, only 1 has usable data here. Nothing was written.",
        "One of these with its data is enough",
        "server 2 at 10.0.0.2:2888",
        "No upper bound is known",
        "server.10=10.0.0.1:2888:3888:participant;0.0.0.0:2181",
        "acceptedEpoch 131071",
    ] {
        let said = shown.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(words), "{words}: {}", shown.out);
    }
    let next = "Next: zkplan recover prod.yaml --data 1=zk1 --zoo-cfg zk1.cfg -o recovered/";
    assert!(shown.out.ends_with(&format!("{next}\n")), "{}", shown.out);
    let refused = recover(&desk, &[1], &["-o", "new"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(!desk.path("new").exists());
    let cancelled = desk.typed(
        &["recover", "prod.yaml", "--zoo-cfg", "zk1.cfg", "--data", "1=zk1", "-o", "new"],
        "y\n",
    );
    assert_eq!((cancelled.code, desk.path("new").exists()), (4, false), "{cancelled:?}");
    let written = desk.typed(
        &["recover", "prod.yaml", "--zoo-cfg", "zk1.cfg", "--data", "1=zk1", "-o", "new"],
        "yes\n",
    );
    assert_eq!(written.code, 0, "{written:?}");
    assert_eq!(content(&desk.path("zk1")), before, "the old directory is only read");
    assert_eq!(desk.read("new/10/myid"), "10\n", "9 is an observer in the data");
    assert_eq!(desk.read("new/10/version-2/acceptedEpoch"), "131071");
    assert_eq!(desk.read("new/10/version-2/currentEpoch"), desk.read("zk1/version-2/currentEpoch"));
    let line = "server.10=10.0.0.1:2888:3888:participant;0.0.0.0:2181\n";
    assert_eq!(desk.read("new/10/zoo.cfg.dynamic"), line);
    let zoo_cfg = desk.read("new/10/zoo.cfg");
    for key in ["dataDir=/var/lib/zookeeper-10\n", "standaloneEnabled=false\n", "initLimit=20\n"] {
        assert!(zoo_cfg.contains(key), "{zoo_cfg}");
    }
    assert_eq!(desk.zkplan(&["validate", "new/prod.yaml"]).code, 0);
    let spec = desk.read("new/prod.yaml");
    assert!(spec.contains(&desk.path("ca.pem").display().to_string()), "{spec}");
    let [old, copy] = ["zk1", "new/10"].map(|data| {
        let seen = desk.zkplan(&["snapshot", "verify", data, "--format", "json"]);
        let seen: Value = serde_json::from_str(&seen.out).expect("JSON");
        (seen["verdict"].clone(), seen["lastZxid"].clone())
    });
    assert_eq!(old, copy);
    let again = recover(&desk, &[1], &["-o", "new", "--auto-approve"]);
    assert_eq!(again.code, 65, "{again:?}");
}

/// The files of the new server are laid down with the data, beside the old ones, and never over others.
#[test]
fn the_script_lays_the_data_down() {
    let desk = desk(&[1]);
    assert_eq!(recover(&desk, &[1], &["-o", "new", "--auto-approve"]).code, 0);
    let run = |to: [&str; 2]| {
        let paths = to.map(|to| desk.path(to).display().to_string());
        let script = desk.path("new/10/install.sh");
        std::process::Command::new("sh").arg(script).args(paths).output().expect("a shell")
    };
    let over = run(["conf", "zk1"]);
    assert!(!over.status.success() && !desk.path("conf").exists(), "{over:?}");
    let laid = run(["conf", "zk1-10"]);
    assert!(laid.status.success(), "{laid:?}");
    let named = |folder: &str| {
        let all = content(&desk.path(folder)).into_iter();
        let name = |path: String| Path::new(&path).file_name().map(ToOwned::to_owned);
        all.map(|(path, bytes)| (name(path), bytes)).collect::<Vec<_>>()
    };
    assert_eq!(named("zk1-10/version-2"), named("new/10/version-2"));
    assert_eq!(desk.read("zk1-10/myid"), "10\n");
    assert!(desk.read("conf/zoo.cfg").contains("zk1-10\n"));
}

/// Cuts the last log of a server to less, and breaks a byte in the one of another.
#[test]
fn the_highest_is_taken_and_a_damaged_higher_one_only_given_up_on_request() {
    let desk = desk(&[1, 2]);
    let five = LATER.to_owned()
        + "server.4=10.0.0.4:2888:3888:participant;0.0.0.0:2181\n\
           server.5=10.0.0.5:2888:3888:participant;0.0.0.0:2181\n";
    desk.write("zoo.cfg.dynamic.900000000", &five);
    let seen = json(&desk, &[1, 2], &[]);
    assert_eq!(seen["survivors"][0]["isTaken"], true, "of equals the lowest id: {seen:#}");
    let log = "zk1/version-2/log.200000001";
    let bytes = fs::read(desk.path(log)).expect("a log");
    let files = desk.zkplan(&["snapshot", "verify", "zk1", "--format", "json"]);
    let files: Value = serde_json::from_str(&files.out).expect("JSON");
    let end = files["logs"].as_array().expect("logs").last().expect("a log")["endOffset"]
        .as_u64()
        .and_then(|end| usize::try_from(end).ok())
        .expect("an offset");
    // A record less: it is broken off.
    fs::write(desk.path(log), &bytes[..end - 3]).expect("a log");
    let seen = json(&desk, &[1, 2], &[]);
    assert_eq!(seen["survivors"][1]["isTaken"], true, "{seen:#}");
    assert_eq!(seen["losses"]["afterZxid"], seen["survivors"][1]["lastZxid"]);
    // Server 2 is damaged before its last record, in a log that it needs.
    let logs = files["logs"].as_array().expect("logs");
    let before = logs[logs.len() - 2]["file"].as_str().expect("a name");
    let other = desk.path(&format!("zk2/version-2/{before}"));
    let mut damaged = fs::read(&other).expect("a log");
    damaged[20] ^= 1;
    fs::write(&other, &damaged).expect("a log");
    let refused = json(&desk, &[1, 2], &[]);
    assert_eq!(refused["refusal"]["code"], "highestDamaged", "{refused:#}");
    assert_eq!((&refused["exitCode"], &refused["plan"]), (&value!(3), &Value::Null));
    assert_eq!(refused["next"], "zkplan snapshot verify zk2");
    let taken = json(&desk, &[1, 2], &["--take", "1"]);
    assert_eq!((&taken["exitCode"], &taken["losses"]["beyond"]), (&value!(2), &value!([2])));
    let none = json(&desk, &[2], &[]);
    assert_eq!(
        (&none["refusal"]["code"], &none["exitCode"]),
        (&value!("nothingUsable"), &value!(65))
    );
}

/// A damaged snapshot is left out where an older one and the logs are whole.
#[test]
fn a_damaged_snapshot_that_is_not_needed_stays_behind() {
    let desk = desk(&[1]);
    let names = content(&desk.path("zk1/version-2")).into_iter().map(|(path, _)| path);
    let newest = names.filter(|path| path.contains("snapshot.")).max_by_key(|path| {
        u64::from_str_radix(path.rsplit('.').next().expect("a zxid"), 16).expect("a zxid")
    });
    let newest = newest.expect("a snapshot");
    let mut bytes = fs::read(&newest).expect("a snapshot");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&newest, &bytes).expect("a snapshot");
    let name = Path::new(&newest).file_name().expect("a name").to_string_lossy().into_owned();
    let done = recover(&desk, &[1], &["-o", "new", "--auto-approve"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains(&format!("damaged and not needed: {name}")), "{}", done.out);
    assert!(!desk.path(&format!("new/10/version-2/{name}")).exists());
    assert_eq!(desk.zkplan(&["snapshot", "verify", "new/10"]).code, 0);
}

#[test]
fn what_is_typed_wrongly_is_named() {
    let desk = desk(&[1, 2]);
    for (ids, further, words) in [
        (&[1][..], &["--data", "2=zk1"][..], "zk1 is given for two servers"),
        (&[1], &["--data", "1=zk2"], "two directories for server 1"),
        (&[][..], &["--data", "3=zk2"], "zk2 has myid 2, and --data says 3"),
        (&[1], &["--take", "2"], "--take 2 has no directory"),
        (&[1], &["--server", "server.3=h:1:2;3"], "server 3 was a member of the old ensemble"),
        (&[1], &["--server", "server.7=h:1:2"], "server 7 has no client port"),
        (&[1], &["--data", "nothing"], "give ID=DIR or ID=DIR:LOGDIR"),
    ] {
        let answer = recover(&desk, ids, further);
        assert_eq!(answer.code, 64, "{answer:?}");
        let said = answer.err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(words), "{words}: {said}");
    }
    fs::remove_file(desk.path("zk2/myid")).expect("a file");
    let stranger = recover(&desk, &[1], &["--data", "9=zk2"]);
    assert_eq!(stranger.code, 64, "{stranger:?}");
    assert!(stranger.err.contains("server 9 is no member of prod"), "{stranger:?}");
    let inside = recover(&desk, &[1], &["-o", "zk1/new", "--auto-approve"]);
    assert_eq!((inside.code, desk.path("zk1/new").exists()), (65, false), "{inside:?}");
}

/// The one document, as pipelines read it.
#[test]
fn the_document_is_as_it_was() {
    let seen = json(&desk(&[1]), &[1], &[]);
    let path = project_file("tests/documents/recover.json");
    if is_update() {
        fs::write(&path, format!("{seen:#}\n")).expect("the file can be written");
    }
    let kept: Value =
        serde_json::from_str(&fs::read_to_string(&path).expect("a document")).expect("JSON");
    assert_eq!(seen, kept);
}
