//! The files as they come out.

use super::*;
use crate::model::{Auth, PasswordSource};

const PRESENT: &str = "server.1=h1:2888:3888:participant;0.0.0.0:2181\n\
                       server.2=h2:2888:3888:participant;0.0.0.0:2181\n\
                       server.9=h9:2888:3888:observer;0.0.0.0:2181\n";
const WANTED: &str = "server.1=h1:2888:3888:participant;0.0.0.0:2181\n\
                      server.4=h4:2888:3888:participant;0.0.0.0:2181\n\
                      server.5=h5:2888:3888:participant;0.0.0.0:2181\n";

fn members(text: &str) -> Membership {
    Membership::parse(text).expect("server lines")
}

fn target() -> Target {
    Target::of("prod", members(WANTED).servers().cloned())
}

fn present(versions: &[(u16, u16, u16)]) -> PresentEnsemble {
    let version = |&(major, minor, patch): &_| ServerVersion::new(major, minor, patch);
    PresentEnsemble {
        members: members(PRESENT),
        other_machine: BTreeSet::new(),
        versions: versions.iter().map(version).collect(),
        ticks: TicksSeen::default(),
    }
}

fn files(target: &Target, present: &PresentEnsemble, wishes: FileWishes<'_>) -> JoinerFiles {
    let joiners = present.joiners(target);
    assert_eq!(joiners.ids().len(), 2, "servers 4 and 5");
    let joiner = joiners.get(ServerId::new(4)).expect("server 4");
    JoinerFiles::of(target, present, joiner, wishes).expect("files")
}

fn text(files: &JoinerFiles, name: &str) -> String {
    let file = files.files().into_iter().find(|file| file.name == name);
    file.unwrap_or_else(|| panic!("no {name}")).text
}

#[test]
fn without_a_model_the_sample_and_what_only_a_joiner_needs() {
    let files = files(&target(), &present(&[(3, 8, 0)]), FileWishes::default());
    assert_eq!(
        text(&files, "zoo.cfg"),
        "reconfigEnabled=true\n4lw.commands.whitelist=conf, cons, hash, mntr\ntickTime=2000\n\
         initLimit=10\nsyncLimit=5\nstandaloneEnabled=false\ndb.autocreate=false\n\
         dataDir=/var/lib/zookeeper\ndynamicConfigFile=/etc/zookeeper/conf/zoo.cfg.dynamic\n"
    );
    assert_eq!(
        text(&files, "zoo.cfg.dynamic"),
        "server.1=h1:2888:3888:participant;0.0.0.0:2181\n\
         server.2=h2:2888:3888:participant;0.0.0.0:2181\n\
         server.4=h4:2888:3888:observer;0.0.0.0:2181\n\
         server.5=h5:2888:3888:observer;0.0.0.0:2181\n"
    );
    assert_eq!(text(&files, "myid"), "4\n");
    assert!(!files.has_secret());
    assert!(files.files().iter().all(|file| file.name != "java.env"), "it needs no flag");
    let notes = [JoinerNote::LimitsAssumed, JoinerNote::SizeUnknown];
    assert_eq!(files.notes, notes.into());
}

/// Its own members, client port and config version stay behind; everything else comes along.
#[test]
fn a_model_gives_all_but_its_members_and_what_names_the_server() {
    let model = "# ours\ntickTime=1000\ninitLimit=20\nsyncLimit=10\ndataDir=/data/zk\ndataLogDir=/logs\n\
                 clientPort=2181\nserver.1=h1:2888:3888\nserver.2=h2:2888:3888\nautopurge.purgeInterval=1\n\
                 dynamicConfigFile=/opt/zk/conf/zoo.cfg.dynamic.100000000\n";
    let wishes = FileWishes { model: Some(("zk1.cfg", model)), ..FileWishes::default() };
    let files = files(&target(), &present(&[(3, 5, 10), (3, 8, 0)]), wishes);
    assert_eq!(
        text(&files, "zoo.cfg"),
        "# ours\ntickTime=1000\ninitLimit=20\nsyncLimit=10\ndataDir=/data/zk\ndataLogDir=/logs\n\
         autopurge.purgeInterval=1\nreconfigEnabled=true\n4lw.commands.whitelist=conf, cons, hash, \
         mntr\nstandaloneEnabled=false\ndynamicConfigFile=/opt/zk/conf/zoo.cfg.dynamic\n",
        "3.5 does not know db.autocreate"
    );
    let script = text(&files, "install.sh");
    for path in ["conf=${1:-'/opt/zk/conf'}", "data=${2:-'/data/zk'}", "logs=${3:-'/logs'}"] {
        assert!(script.contains(path), "{path}\n{script}");
    }
    assert!(!script.contains('@'), "{script}");
    assert!(!text(&files, "README.txt").contains('@'));
}

#[test]
fn a_token_makes_the_file_one_for_its_owner_alone() {
    let mut target = target();
    let password = PasswordSource::Env("ZKPLAN_PASSWORD".to_owned());
    let user = "super".to_owned();
    target.connect.auth = Some(Auth::Digest { user, password });
    let none = files(&target, &present(&[]), FileWishes::default());
    assert!(none.notes.contains(&JoinerNote::NoSuperUser));
    let wishes = FileWishes { token: Some("super:hash="), ..FileWishes::default() };
    let files = files(&target, &present(&[]), wishes);
    assert!(files.has_secret() && !files.notes.contains(&JoinerNote::NoSuperUser));
    let line = "DigestAuthenticationProvider.superDigest=super:hash=\n";
    assert!(text(&files, "zoo.cfg").contains(line), "{}", text(&files, "zoo.cfg"));
    let secret: Vec<&str> =
        files.files().iter().filter(|file| file.is_secret).map(|file| file.name).collect();
    assert_eq!(secret, ["zoo.cfg"]);
    assert!(text(&files, "install.sh").contains("umask 077"));
}

#[test]
fn what_works_only_as_a_flag_is_one() {
    let model = "tickTime=2000\ninitLimit=10\nsyncLimit=5\njute.maxbuffer=4194304\n";
    let wishes = FileWishes { model: Some(("zk1.cfg", model)), ..FileWishes::default() };
    let files = files(&target(), &present(&[(3, 9, 5)]), wishes);
    assert_eq!(
        text(&files, "java.env"),
        "SERVER_JVMFLAGS=\"$SERVER_JVMFLAGS -Djute.maxbuffer=4194304\"\n"
    );
}

#[test]
fn a_path_that_a_script_could_misread_is_refused() {
    let of = |dir: &str| {
        let (target, present) = (target(), present(&[]));
        let joiners = present.joiners(&target);
        let joiner = joiners.get(ServerId::new(4)).expect("server 4").clone();
        let wishes = FileWishes { data_dir: Some(dir), ..FileWishes::default() };
        JoinerFiles::of(&target, &present, &joiner, wishes).map(|files| files.paths.data_dir)
    };
    assert_eq!(of("/data/{id}"), Ok("/data/4".to_owned()));
    for path in ["data", "/d'; rm -rf x", "/a|b", "/a&b", "/a b", "/\u{e4}"] {
        assert!(matches!(of(path), Err(JoinerFilesError::Path { .. })), "{path}");
    }
}
