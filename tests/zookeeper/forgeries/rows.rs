//! The table.

use std::time::Duration;

use zkplan::apply::journal::{CommitEvidence, GateOpenedBy, HookEnd};
use zkplan::ensemble::digest_id;
use zkplan::plan::StepId;
use zookeeper_client::{AuthId, Permission};

use super::person::{ELSEWHERE, of};
use super::scene::{OPERATOR, from_here};
use super::*;

type Forge = Box<dyn Fn(&Scene<'_>) + Send + Sync>;

/// A forgery, and how an apply ends that meets it.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) forge: Forge,
    pub(super) operator: Operator,
    pub(super) folder: &'static str,
    /// Whether a plan file is applied, and no spec.
    pub(super) is_plan: bool,
    /// The output before which it is made; before the apply where there is none.
    pub(super) moment: Option<&'static str>,
    pub(super) end: End,
    /// Whether a session without credentials sees nothing wrong.
    pub(super) is_masked: bool,
}

impl Row {
    fn new(name: impl Into<String>, forge: impl Fn(&Scene<'_>) + Send + Sync + 'static) -> Self {
        Self {
            name: name.into(),
            forge: Box::new(forge),
            operator: Operator::Super,
            folder: "/zkplan",
            is_plan: false,
            moment: None,
            end: End::Refused,
            is_masked: false,
        }
    }

    fn plan(self) -> Self {
        Self { is_plan: true, ..self }
    }

    fn by(self, operator: Operator) -> Self {
        Self { operator, ..self }
    }

    fn at(self, moment: &'static str) -> Self {
        Self { moment: Some(moment), ..self }
    }

    fn ends(self, end: End) -> Self {
        Self { end, ..self }
    }

    fn masked(self) -> Self {
        Self { is_masked: true, ..self }
    }

    fn below(self, folder: &'static str) -> Self {
        Self { folder, ..self }
    }
}

pub(super) fn rows() -> Vec<Row> {
    [entries(), headers(), contents(), lists(), kinds(), operators(), by_address(), moments()]
        .into_iter()
        .flatten()
        .collect()
}

/// Each kind of entry, in an open folder or one that was closed after.
fn entries() -> Vec<Row> {
    let step = StepId::new;
    let cutover = || step("gate");
    let entries = vec![
        Entry::Claimed { who: BOSS.into(), backup: None },
        Entry::FenceIntent { version: "1".into() },
        Entry::Fenced { from: "1".into(), version: "2".into() },
        Entry::Intent { step: step("join-4"), version: "1".into() },
        Entry::Committed {
            step: step("join-4"),
            version: "1".into(),
            known: CommitEvidence::Reply,
        },
        Entry::NotApplied { step: step("join-4"), because: BOSS.into() },
        Entry::Disarmed { step: step("join-4") },
        Entry::Passed { step: cutover(), how: GateOpenedBy::Approved, clients: Vec::new() },
        Entry::Passed { step: cutover(), how: GateOpenedBy::Drained, clients: Vec::new() },
        Entry::Attested { step: step("attest-4") },
        Entry::HookIntent { step: step("stop-3") },
        Entry::HookEnded { step: step("stop-3"), how: HookEnd::Succeeded },
        Entry::Gone { step: step("stop-3") },
        Entry::Stopped { why: BOSS.into() },
        Entry::Closed,
        abandoned(),
    ];
    let row = |(at, entry): (usize, Entry)| {
        let row = Row::new(format!("entry {}", entry.name()), move |scene: &Scene<'_>| {
            let nodes = scene.tale(Of::Operator, std::slice::from_ref(&entry));
            match at % 2 {
                0 => scene.lay(&scene.stage.anon, &nodes, &open()),
                _ => scene.lay_and_close(&nodes, &closed()),
            }
        });
        if at % 4 < 2 { row.plan() } else { row }
    };
    entries.into_iter().enumerate().map(row).collect()
}

/// Headers, and the pieces that belong to them.
fn headers() -> Vec<Row> {
    let with = |name: &str, change: fn(&Scene<'_>, &str) -> String| {
        Row::new(name, move |scene| {
            let mut nodes = scene.everything();
            let path = scene.paths.run(RUN);
            let header = nodes.iter_mut().find(|node| node.path == path).expect("a header");
            header.data = change(scene, &header.data);
            scene.lay_and_close(&nodes, &closed());
        })
    };
    vec![
        with("header of another plan", |scene, header| {
            header.replace(&scene::id_of(&scene.plan), &format!("sha256:{:064}", 1))
        }),
        with("header of a newer format", |_, header| {
            header.replace("\"formatVersion\":1", "\"formatVersion\":99")
        })
        .plan(),
        with("header of very many pieces", |scene, header| {
            let mut header: serde_json::Value = serde_json::from_str(header).expect("JSON");
            header["pieces"] = u64::MAX.into();
            let _ = scene;
            header.to_string()
        }),
        with("garbled header", |_, _| "of tomorrow".to_owned()),
        Row::new("header alone", |scene| {
            let header = write(&scene.header(&scene.plan));
            let nodes = [
                Znode::new(scene.paths.folder(), ""),
                Znode::new(scene.paths.runs(), ""),
                Znode::new(scene.paths.run(RUN), header),
            ];
            scene.lay_and_close(&nodes, &closed());
        })
        .plan(),
        Row::new("pieces of another plan", |scene| {
            let evil = scene.evil.clone();
            let mut nodes = scene.everything();
            let path = scene.paths.piece(RUN, 0);
            nodes.iter_mut().find(|node| node.path == path).expect("a piece").data = evil;
            scene.lay_and_close(&nodes, &closed());
        }),
    ]
}

/// What else may stand in the folder.
fn contents() -> Vec<Row> {
    let only = |name: &str, nodes: fn(&Scene<'_>) -> Vec<Znode>| {
        Row::new(name, move |scene| {
            let folder = Znode::new(scene.paths.folder(), FALSE_NONCE);
            let nodes = [vec![folder], nodes(scene)].concat();
            scene.lay_and_close(&nodes, &closed());
        })
    };
    let run = |name: &str, entries: Vec<Entry>| {
        Row::new(name, move |scene: &Scene<'_>| {
            scene.lay_and_close(&scene.tale(Of::Another(&scene.evil), &entries), &closed());
        })
    };
    let claimed = || Entry::Claimed { who: BOSS.into(), backup: None };
    vec![
        only("identity alone", |scene| vec![scene.identity()]),
        only("lock alone", |scene| vec![scene.lock()]).plan(),
        only("folder of runs alone", |scene| vec![Znode::new(scene.paths.runs(), "")]),
        only("lock that stays", |scene| vec![scene.lock().mode(CreateMode::Persistent)]),
        run("open run", vec![claimed()]),
        run("closed run", vec![claimed(), Entry::Closed]),
        run("abandoned run", vec![claimed(), abandoned()]),
        run("run not begun", Vec::new()),
        Row::new("genuine run under another number", genuine_run_again).plan(),
        Row::new("blank names", |scene| {
            let runs = scene.paths.runs();
            let mut nodes = vec![
                Znode::new(scene.paths.folder(), ""),
                Znode::new(format!("{}/ ", scene.paths.folder()), BOSS),
                Znode::new(&runs, ""),
                Znode::new(format!("{runs}/ "), BOSS),
            ];
            nodes.extend(scene.run(RUN, Of::Operator, &scene.passed()));
            scene.lay(&scene.stage.anon, &nodes, &open());
        }),
        Row::new("thousands of runs", |scene| {
            let nodes = [Znode::new(scene.paths.folder(), ""), Znode::new(scene.paths.runs(), "")];
            scene.lay(&scene.stage.anon, &nodes, &open());
            let paths: Vec<String> = (1..=5000).map(|run| scene.paths.run(run)).collect();
            let header = write(&scene.header(&scene.plan));
            scene.stage.anon.create_many(&paths, &header, &open());
            scene.stage.anon.set_list(scene.paths.folder(), &closed()).expect("it is the forger's");
        }),
    ]
}

/// A run that an operator's apply wrote, copied by one who has read it.
fn genuine_run_again(scene: &Scene<'_>) {
    let (stage, root) = (scene.stage, &scene.stage.root);
    let folder = scene.paths.folder();
    scene
        .desk
        .apply("plan.json")
        .with(&["--timeout", "1ms"])
        .at("KILL", "fence")
        .ends()
        .was_killed();
    let copy: Vec<Znode> = stage
        .anon
        .below(folder)
        .into_iter()
        .filter(|path| *path != scene.paths.lock())
        .map(|path| Znode::new(&path, stage.anon.read(&path).expect("everybody reads")))
        .collect();
    root.delete_all(folder);
    let (old, new) = (scene.paths.run(1), scene.paths.run(RUN));
    let copy: Vec<Znode> =
        copy.into_iter().map(|it| Znode { path: it.path.replace(&old, &new), ..it }).collect();
    scene.lay_and_close(&copy, &closed());
}

/// What lists a client can set, and what they say of who wrote before: nothing.
fn lists() -> Vec<Row> {
    let all = |scheme: &str, id: &str| of(scheme, id);
    let hash = || digest_id(OPERATOR, SUPER_PASSWORD);
    let after = |name: &str, list: Vec<Acl>| {
        Row::new(name, move |scene: &Scene<'_>| scene.lay_and_close(&scene.everything(), &list))
    };
    let from_birth = |name: &str, list: Vec<Acl>| {
        Row::new(name, move |scene: &Scene<'_>| {
            scene.lay(&scene.stage.anon, &scene.everything(), &list);
        })
    };
    vec![
        from_birth("open", open()),
        after("closed after", closed()).plan(),
        Row::new("exact imitation from birth, empty", |scene| {
            scene.lay(&scene.stage.anon, &[Znode::new(scene.paths.folder(), BOSS)], &closed());
        })
        .ends(End::AtTheGate),
        after("hash of super copied", all("digest", &digest_id("super", SUPER_PASSWORD))),
        after("hash of the operator copied", all("digest", &hash())).by(Operator::Administrator),
        after("hash of the operator copied, rw", all("digest", &hash()))
            .by(Operator::Writer)
            .plan(),
        after("sasl:super", all("sasl", "super")),
        from_birth("ip from birth", all("ip", &ELSEWHERE.to_string())),
        after("ip after", all("ip", "127.0.0.1")).plan(),
        Row::new("auth: an own id from birth", |scene| {
            let list = [closed(), vec![Acl::new(Permission::ALL, AuthId::authed())]].concat();
            scene.lay(&scene.stage.namesakes[0], &scene.everything(), &list);
        }),
        Row::new("closed from birth in an open folder", closed_in_an_open_folder),
        Row::new("empty and not readable", |scene| {
            let hidden = vec![Acl::new(Permission::ALL, AuthId::new("digest", "other:hash"))];
            scene.lay(&scene.stage.anon, &[Znode::new(scene.paths.folder(), BOSS)], &hidden);
        })
        .ends(End::AtTheGate),
        after("not readable", vec![Acl::new(Permission::ALL, AuthId::new("digest", &hash()))]),
        Row::new("folder closed, what is in it not readable", |scene| {
            let anon = &scene.stage.anon;
            scene.lay(anon, &scene.everything(), &open());
            let hidden = Acl::new(Permission::ALL, AuthId::new("digest", "somebody:hash"));
            for path in scene.stage.anon.below(scene.paths.folder()).iter().rev() {
                let is_folder = path == scene.paths.folder();
                let list = if is_folder { closed() } else { vec![hidden.clone()] };
                anon.set_list(path, &list).expect("the forger made it");
            }
        }),
        Row::new("open at the folder alone", |scene| {
            let scene_paths = &scene.paths;
            scene.lay(&scene.stage.anon, &scene.everything(), &open());
            for path in scene.stage.anon.below(scene_paths.folder()) {
                if path != scene_paths.folder() {
                    scene.stage.anon.set_list(&path, &closed()).expect("the forger made it");
                }
            }
        }),
    ]
}

/// What is in it has been closed since it was made: only the folder's own list tells.
fn closed_in_an_open_folder(scene: &Scene<'_>) {
    let anon = &scene.stage.anon;
    scene.lay(anon, &[Znode::new(scene.paths.folder(), BOSS)], &open());
    let runs = Znode::new(scene.paths.runs(), "");
    scene.lay(anon, &[scene.identity(), runs, scene.lock()], &closed());
}

/// How the folder lives.
fn kinds() -> Vec<Row> {
    let folder = |scene: &Scene<'_>| Znode::new(scene.paths.folder(), BOSS);
    let lay = |scene: &Scene<'_>, folder: Znode| {
        let mut nodes = scene.everything();
        nodes[0] = folder;
        scene.lay(&scene.stage.anon, &nodes, &open());
    };
    let long = |node: Znode| Znode { ttl: Some(Duration::from_secs(3600)), ..node };
    vec![
        Row::new("ephemeral folder", move |scene| {
            let node = folder(scene).mode(CreateMode::Ephemeral);
            scene.lay(&scene.stage.anon, &[node], &closed());
        })
        .ends(End::AtTheGate),
        Row::new("empty open folder", move |scene| {
            scene.lay(&scene.stage.anon, &[folder(scene)], &open());
        })
        .ends(End::AtTheGate)
        .plan(),
        Row::new("empty container", move |scene| {
            let node = folder(scene).mode(CreateMode::Container);
            scene.lay(&scene.stage.anon, &[node], &open());
        })
        .ends(End::AtTheGate),
        Row::new("container", move |scene| {
            lay(scene, folder(scene).mode(CreateMode::Container));
        }),
        Row::new("empty folder with a time to live", move |scene| {
            scene.lay(&scene.stage.anon, &[long(folder(scene))], &open());
        })
        .ends(End::AtTheGate),
        Row::new("folder with a time to live", move |scene| lay(scene, long(folder(scene)))),
        Row::new("elsewhere", move |scene| {
            scene.lay(&scene.stage.anon, &[Znode::new("/apps", "")], &open());
            scene.lay_and_close(&scene.everything(), &closed());
        })
        .below("/apps/zkplan"),
        Row::new("elsewhere, empty", move |scene| {
            let nodes = [Znode::new("/apps", ""), folder(scene)];
            scene.lay(&scene.stage.anon, &nodes, &open());
        })
        .below("/apps/zkplan")
        .ends(End::AtTheGate),
    ]
}

/// Operators whose entry in the list of the configuration is masked for others.
fn operators() -> Vec<Row> {
    let digest = [Operator::Administrator, Operator::Writer];
    let namesake = || digest_id(OPERATOR, "guess");
    let mut rows = Vec::new();
    for (operator, whose) in digest.into_iter().zip(["cdrwa", "rw"]) {
        let row = |name: &str, forge: fn(&Scene<'_>)| {
            Row::new(format!("{name}, for an operator with {whose}"), forge).by(operator)
        };
        rows.extend([
            row("open", |scene| scene.lay(&scene.stage.anon, &scene.everything(), &open())),
            row("a namesake's from birth", |scene| scene.lay_as_namesake(&scene.everything()))
                .masked(),
            row("a namesake's from birth, of a plan", |scene| {
                scene.lay_as_namesake(&scene.everything());
            })
            .masked()
            .plan(),
            row("a namesake's run of another plan", |scene| {
                scene.lay_as_namesake(&scene.tale(Of::Another(&scene.evil), &scene.passed()));
            })
            .masked(),
            row("a namesake's, empty", |scene| {
                let folder = Znode::new(scene.paths.folder(), "");
                scene.lay_as_namesake(&[folder]);
            })
            .ends(End::AtTheGate),
            row("super's imitation from birth, empty", |scene| {
                let folder = Znode::new(scene.paths.folder(), "");
                scene.lay(&scene.stage.anon, &[folder], &closed());
            })
            .ends(End::AtTheGate),
        ]);
        rows.push(
            Row::new(format!("two namesakes, for an operator with {whose}"), move |scene| {
                let second = Acl::new(
                    Permission::ALL,
                    AuthId::new("digest", &digest_id(OPERATOR, "guess again")),
                );
                let list = [of("digest", &namesake()), vec![second]].concat();
                scene.lay(&scene.stage.namesakes[1], &scene.everything(), &list);
            })
            .by(operator)
            .masked(),
        );
        rows.push(
            Row::new(
                format!("a namesake beside the operator, for an operator with {whose}"),
                move |scene| {
                    // It lets the operator write, so that a probe alone would be content.
                    let own = AuthId::new("digest", &digest_id(OPERATOR, SUPER_PASSWORD));
                    let own = Acl::new(Permission::WRITE, own);
                    let list = [of("digest", &namesake()), vec![own]].concat();
                    scene.lay(&scene.stage.namesakes[0], &scene.everything(), &list);
                },
            )
            .by(operator)
            .masked(),
        );
    }
    rows
}

/// Operators of whom an address is known besides a name, or alone: a session may then write more
/// than its name lets it, and prove less.
fn by_address() -> Vec<Row> {
    let namesake = |scene: &Scene<'_>| scene.lay_as_namesake(&scene.everything());
    vec![
        Row::new("a namesake's from birth, for an operator by address", namesake)
            .by(Operator::FromHere)
            .masked(),
        Row::new("a namesake's where the operator's address may write", |scene| {
            let namesake = of("digest", &digest_id(OPERATOR, "guess"));
            let list = [namesake, vec![from_here(Permission::WRITE)]].concat();
            scene.lay(&scene.stage.namesakes[0], &scene.everything(), &list);
        })
        .by(Operator::WriterFromHere)
        .masked(),
    ]
}

/// Forgers who come in between.
fn moments() -> Vec<Row> {
    let all = |scene: &Scene<'_>| scene.lay(&scene.stage.anon, &scene.everything(), &open());
    let shut = |scene: &Scene<'_>| scene.lay_and_close(&scene.everything(), &closed());
    let namesake = |scene: &Scene<'_>| scene.lay_as_namesake(&scene.everything());
    let mut rows = vec![
        Row::new("open, before the password is read", all).at("password"),
        Row::new("open, before the permission", all).at("permission"),
        Row::new("closed from birth in an open folder, before the permission", |scene| {
            closed_in_an_open_folder(scene);
        })
        .at("permission"),
        Row::new("closed after, before the permission", shut).at("permission").plan(),
        Row::new("open, between permission and lock", all).at("lock"),
        Row::new("closed after, between permission and lock", shut).at("lock").plan(),
        Row::new("a namesake's, between permission and lock", namesake)
            .at("lock")
            .by(Operator::Writer)
            .masked(),
        Row::new("empty and open, between permission and lock", |scene| {
            scene.lay(&scene.stage.anon, &[Znode::new(scene.paths.folder(), BOSS)], &open());
        })
        .at("lock")
        .ends(End::AtTheGate),
        Row::new("ephemeral, between permission and lock", |scene| {
            let node = Znode::new(scene.paths.folder(), BOSS).mode(CreateMode::Ephemeral);
            scene.lay(&scene.stage.anon, &[node], &closed());
        })
        .at("lock")
        .ends(End::AtTheGate),
        Row::new("an imitation that is swapped while it is empty", swaps)
            .at("all along")
            .ends(End::Either),
        Row::new("an imitation that is swapped while it is empty, of a plan", swaps)
            .at("all along")
            .by(Operator::Writer)
            .plan()
            .ends(End::Either),
    ];
    for moment in ["read", "read-runs", "open-run", "identity", "record claimed", "send join-4"] {
        let name = format!("everything that is tried under the lock, before {moment}");
        rows.push(Row::new(name, tries_everything).at(moment).ends(End::AtTheGate));
    }
    rows
}

/// An empty folder that looks like zkplan's, then an open one; what is in it is turned when a lock
/// appears, and the lock is deleted.
fn swaps(scene: &Scene<'_>) {
    let (anon, folder) = (&scene.stage.anon, scene.paths.folder());
    let made = anon.create(&Znode::new(folder, BOSS), &closed()).is_ok();
    if made && anon.delete(folder).is_ok() {
        for node in scene.everything() {
            if node.path != scene.paths.lock() {
                drop(anon.create(&node, &open()));
            }
        }
        if anon.read(&scene.paths.lock()).is_some() {
            let header = write(&scene.header(&scene.plan)).replace(BOSS, "another");
            drop(anon.write(&scene.paths.run(RUN), &header));
            drop(anon.delete(&scene.paths.lock()));
        }
    }
    anon.delete_all(folder);
}

/// With our lock in a folder of our own, no client can do anything to it.
fn tries_everything(scene: &Scene<'_>) {
    let (paths, anon) = (&scene.paths, &scene.stage.anon);
    for person in [anon, &scene.stage.namesakes[0]] {
        let mut tried = vec![person.delete(&paths.lock()), person.delete(paths.folder())];
        for path in anon.below(paths.folder()) {
            tried.push(person.set_list(&path, &open()));
            tried.push(person.write(&path, BOSS));
            let child = Znode::new(format!("{path}/{BOSS}"), BOSS);
            tried.push(person.create(&child, &open()));
        }
        for node in scene.tale(Of::Operator, &scene.passed()) {
            if anon.read(&node.path).is_none() {
                tried.push(person.create(&node, &open()));
            }
        }
        for answer in tried {
            let is_refused = matches!(
                answer,
                Err(Error::NoAuth
                    | Error::NotEmpty
                    | Error::NoNode
                    | Error::NoChildrenForEphemerals)
            );
            assert!(is_refused, "{answer:?}");
        }
    }
}
