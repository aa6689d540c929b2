//! Servers without reconfigs, each with its own file, and lines without a usable address.

use super::fake::{FIRST, Fake, FakeEnsemble, config, server};
use super::*;
use crate::ensemble::{Mode, NoAnswer};
use crate::model::{Endpoint, EnsembleConfig};

/// Three servers of one ensemble; the last leads.
fn three(file: impl Fn(i64) -> String) -> FakeEnsemble {
    let servers = [1, 2, 3].map(|number| {
        let mode = if number == 3 { Mode::Leader } else { Mode::Follower };
        Fake { commits_with: Some(1), ..server(number, mode, &file(number)) }
    });
    FakeEnsemble::of(servers)
}

/// The file of a server in which hosts are written like that.
fn file(host: impl Fn(i64) -> String) -> String {
    let line = |number| format!("server.{number}={}:2888:3888:participant\n", host(number));
    [1, 2, 3].map(line).concat() + "version=0"
}

/// Each server has a wildcard in its own line of its own file.
fn own_wildcard(own: i64) -> String {
    file(|number| {
        let other = format!("10.0.0.{number}");
        if number == own { "0.0.0.0".to_owned() } else { other }
    })
}

fn differs(seen: &Observation, server: i64, lines: &[i64], is_alike: bool) -> bool {
    let kind = FindingKind::FileDiffers { lines: ids(lines), is_alike };
    has(seen, &kind, Some(server))
}

#[test]
fn own_lines_with_a_wildcard_are_one_ensemble() {
    for contacts in [contacts(&[1]), contacts(&[1, 2, 3])] {
        let fake = three(own_wildcard);
        let seen = seen(&fake, &contacts);
        assert_eq!(status(&seen, 1), ServerStatus::Following);
        assert_eq!(status(&seen, 2), ServerStatus::Following);
        assert_eq!(status(&seen, 3), ServerStatus::Leading);
        let real = EnsembleConfig::parse(&file(|number| format!("10.0.0.{number}"))).unwrap();
        assert_eq!(seen.config, real);
        for number in [1, 2, 3] {
            assert!(differs(&seen, number, &[number], true), "{:?}", seen.findings);
        }
        assert_eq!(fake.waited.get(), millis(0));
        assert!(fake.dialled.borrow().iter().all(|(host, _)| host != "0.0.0.0"));
    }
}

#[test]
fn a_long_name_in_the_own_file_is_the_same_server() {
    let named = |own: i64| {
        file(|number| {
            let domain = if number == own { ".example" } else { "" };
            format!("zk{number}{domain}")
        })
    };
    let asked = || {
        let fake = three(named);
        for number in [1, 2, 3] {
            fake.server(number, |server| server.at.host = Host::new(&format!("zk{number}")));
        }
        let contacts = [1, 2, 3].map(|n| Endpoint::plain(Host::new(&format!("zk{n}")), 2181));
        (fake, Question::of_contacts(contacts.to_vec()))
    };
    let (fake, question) = asked();
    for (short, long, last) in
        [("zk1", "zk1.example", 1), ("zk2", "zk2.example", 2), ("zk3", "zk3.example", 3)]
    {
        let address = vec![[10, 0, 0, last].into()];
        fake.world.borrow_mut().names.insert(short, address.clone());
        fake.world.borrow_mut().names.insert(long, address);
    }
    let alike = seen(&fake, &question);
    assert_eq!(status(&alike, 1), ServerStatus::Following);
    assert!(differs(&alike, 1, &[1, 3], true), "{:?}", alike.findings);
    // If no name resolves, a server that follows still belongs to the ensemble.
    let (fake, question) = asked();
    let unresolved = seen(&fake, &question);
    assert_eq!(status(&unresolved, 1), ServerStatus::Following);
    assert!(differs(&unresolved, 1, &[1, 3], false), "{:?}", unresolved.findings);
}

/// All files agree, but the writes of one server never appear in the other.
#[test]
fn who_does_not_commit_with_the_leader_is_of_another_ensemble() {
    for commits_with in [None, Some(2)] {
        let fake = three(own_wildcard);
        fake.server(1, |server| server.commits_with = commits_with);
        assert!(matches!(look(&fake, &contacts(&[1, 3])), Err(ObserveError::TwoHistories { .. })));
    }
    // In another epoch, and ahead of the leader.
    for zxid in [0x2_0000_0008, 0x1_0000_ffff] {
        let fake = three(own_wildcard);
        fake.server(1, |server| server.zxid = zxid);
        assert!(matches!(look(&fake, &contacts(&[1, 3])), Err(ObserveError::TwoHistories { .. })));
    }
}

#[test]
fn a_file_with_other_voters_is_no_healthy_one() {
    let fake = three(|_| config(&[1, 2, 3], "0"));
    fake.server(2, |server| server.config = config(&[1, 2, 3, 4, 5], "0"));
    let seen = seen(&fake, &contacts(&[1, 2, 3]));
    assert_eq!(status(&seen, 2), ServerStatus::OtherConfiguration);
    assert!(has(&seen, &FindingKind::MemberDisagrees, Some(2)));
}

/// Whatever the machine that zkplan runs on has at that port.
#[test]
fn a_wildcard_is_never_dialled() {
    let wild = config(&[1, 2, 3], FIRST).replace("10.0.0.2:2888", "0.0.0.0:2888");
    let fake = three(|_| wild.clone());
    let mut own = server(3, Mode::Leader, &wild);
    own.at = Endpoint::plain(Host::new("0.0.0.0"), 2181);
    fake.world.borrow_mut().servers.push(own);
    let unknown = seen(&fake, &contacts(&[1, 3]));
    assert_eq!(status(&unknown, 2), ServerStatus::NotAsked);
    assert!(fake.dialled.borrow().iter().all(|(host, _)| host != "0.0.0.0"));
    // If it answers with its own id, it is known, and its ports are checked there.
    let known = seen(&fake, &contacts(&[1, 2, 3]));
    assert_eq!(status(&known, 2), ServerStatus::Following);
    assert!(fake.dialled.borrow().contains(&("10.0.0.2".to_owned(), 3888)));
    fake.server(2, |server| server.silent = Some(NoAnswer::NotServing));
    let looks = seen(&fake, &wanting(contacts(&[1, 3]), &[1, 2, 3]));
    assert_eq!(status(&looks, 2), ServerStatus::NotServing);
}

#[test]
fn an_address_that_only_its_own_machine_reaches_is_not_asked() {
    let own = config(&[1, 2, 3], FIRST).replace(";0.0.0.0:2181", ";127.0.0.1:12181");
    let fake = three(|_| own.clone());
    fake.server(3, |server| server.at = Endpoint::plain(Host::new("127.0.0.1"), 12181));
    for number in [1, 2] {
        fake.server(number, |server| server.silent = Some(NoAnswer::Refused));
    }
    let inside = Question::of_contacts(vec![Endpoint::plain(Host::new("127.0.0.1"), 12181)]);
    for question in [inside.clone(), wanting(inside, &[1, 2, 3])] {
        let seen = seen(&fake, &question);
        assert_eq!(status(&seen, 3), ServerStatus::Leading);
        assert_eq!(
            (status(&seen, 1), status(&seen, 2)),
            (ServerStatus::NotAsked, ServerStatus::NotAsked)
        );
    }
}

#[test]
fn a_name_of_several_servers_is_none_of_them() {
    let names = |number: i64| format!("zk-{number}.zk");
    let fake = three(|_| file(names));
    for (name, last) in [("zk-1.zk", 1), ("zk-2.zk", 2), ("zk-3.zk", 3)] {
        fake.world.borrow_mut().names.insert(name, vec![[10, 0, 0, last].into()]);
    }
    let all = [1, 2, 3].map(|last| [10, 0, 0, last].into());
    fake.world.borrow_mut().names.insert("zk", all.to_vec());
    for number in [1, 2, 3] {
        let mut at_name = fake.world.borrow().servers[usize::try_from(number - 1).unwrap()].clone();
        at_name.at.host = Host::new(&names(number));
        fake.world.borrow_mut().servers.push(at_name);
    }
    let service = Endpoint::plain(Host::new("zk"), 2181);
    let seen = seen(&fake, &Question::of_contacts(vec![service.clone()]));
    assert!(fake.dialled.borrow().iter().all(|(host, _)| host != "zk"));
    for number in [1, 2, 3] {
        assert!(seen.servers[&id(number)].status.is_healthy());
        assert_eq!(seen.shared_names[&at(number)], service);
    }
    let own = Endpoint::plain(Host::new("zk-1.zk"), 2181);
    assert!(seen.servers[&id(1)].reached_at.contains(&own));
}
