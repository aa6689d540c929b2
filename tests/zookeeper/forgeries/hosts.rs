//! Hosts that a writer of the configuration gives a member, where ZooKeeper takes nearly any text
//! for one: none becomes a word of a command.

use super::scene::{Operator, Scene, Stage};
use crate::ledger::Ledger;

/// A shell would run the first ones, a program would take the next for an option, and others end a
/// word or begin one.
const HOSTS: [&str; 10] = [
    "$(touch mark)",
    "$(touch${IFS}mark)",
    "`touch mark`",
    "h9;touch mark",
    "-v",
    "-oProxyCommand=touch mark",
    "h9 x",
    "h9%h",
    "h9'x",
    "h9\"x",
];

pub(super) fn play(stage: &Stage) -> usize {
    let mut played = 0;
    for (host, operator) in
        HOSTS.into_iter().zip([Operator::Super, Operator::Writer].into_iter().cycle())
    {
        let scene = Scene::new(stage, operator, "/zkplan");
        let line = format!("server.9={host}:2888:3888:observer;2181");
        if stage.root.add(&line).is_err() {
            continue;
        }
        played += 1;
        for words in [["sh", "-c", "echo stopping {host}"], ["echo", "{id}", "{host}"]] {
            let mut spec = scene.spec.clone();
            spec.hooks = vec![("stop", words.map(str::to_owned).to_vec())];
            let ledger = Ledger::begin(&stage.ensemble);
            let flags = ["--approve", "cutover", "--approve", "stop", "--timeout", "10s"];
            let outcome = scene.desk.apply_spec(&spec).with(&flags).ends().exits(3);
            let outcome = outcome.says(["server 9", "not a plain name or address", "--no-hooks"]);
            assert!(!scene.mark().exists(), "a host was run\n{outcome}");
            ledger.is_untouched();
            if words[0] != "sh" {
                continue;
            }
            // A plan file that was made then is refused as well.
            scene.desk.plan(&spec, &["--out", "plan.json"]).exits(2);
            let outcome = scene.desk.apply("plan.json").with(&flags).ends().exits(3);
            assert!(!scene.mark().exists(), "a host was run\n{outcome}");
            ledger.is_untouched();
        }
    }
    assert!(played > 5, "these servers take hardly any such host");
    played
}
