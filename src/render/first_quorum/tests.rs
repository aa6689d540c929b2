//! The screens, read by eye.

use std::collections::BTreeMap;

use insta::assert_snapshot;

use super::*;
use crate::first_quorum::{Answered, Noted};
use crate::model::{Endpoint, Host, Server, ServerId, Target, Zxid};

fn target() -> Target {
    let line = |number: i64| {
        let text = format!("server.{number}=10.0.0.{number}:2888:3888:participant;2181");
        Server::parse_line(&text).expect("a server line")
    };
    Target::of("prod-eu", [1, 2, 3].map(line))
}

fn answer(beside: WantedState) -> FirstQuorumAnswer {
    let id = ServerId::new;
    let now = StandaloneServer {
        at: Endpoint::plain(Host::new("10.0.0.1"), 2181),
        version: Some(crate::ensemble::ServerVersion::new(3, 9, 5)),
        noted: Some(Noted { zxid: Zxid::new(0x16e), znodes: 1234 }),
        bytes: Some(1_200_000),
        connections: Some(7),
        data_dir: Some("/var/lib/zookeeper".to_owned()),
        tells_all: true,
    };
    let answered = Answered {
        reached: now.clone(),
        wanted: [(id(1), WantedState::Standalone), (id(2), beside), (id(3), WantedState::Down)]
            .into(),
        standalone: [(id(1), now)].into(),
        reached_as: [id(1)].into(),
        open_ports: BTreeMap::new(),
    };
    FirstQuorumAnswer::of(&target(), answered, &BTreeMap::new())
}

fn shown(answer: &FirstQuorumAnswer) -> String {
    let accepts =
        [Acceptance { code: "ZKQ2".to_owned(), step: Some(crate::plan::StepId::new("join-2")) }];
    let of = FirstQuorumScreen {
        ensemble: "prod-eu",
        spec: Some("prod.yaml"),
        answer,
        accepts: if answer.verdict.is_ok() { &accepts } else { &[] },
        next: Some(match answer.verdict {
            Ok(_) => "zkplan apply prod.yaml --accept ZKQ2:join-2",
            Err(_) => "zkplan plan prod.yaml",
        }),
        width: 100,
    };
    screen(&of).to_string_with(false)
}

#[test]
fn one_restart_makes_the_first_voter() {
    assert_snapshot!(shown(&answer(WantedState::Down)));
}

#[test]
fn others_that_run_are_in_the_way() {
    assert_snapshot!(shown(&answer(WantedState::Looks)));
}
