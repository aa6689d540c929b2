//! An ensemble on which forgeries are played, one after the other, and what a forger writes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use zkplan::apply::journal::{
    CommitEvidence, Entry, GateOpenedBy, Header, HookEnd, IdentityText, LeavingText, LockText,
    Record, Stamp, pieces, write,
};
use zkplan::apply::paths::Paths;
use zkplan::ensemble::digest_id;
use zkplan::model::Folder;
use zkplan::plan::StepId;
use zkplan::saved;
use zookeeper_client::{Acl, AuthId, CreateMode, Permission};

use super::person::{Person, Znode, closed, of, open};
use crate::applying::wanting;
use crate::harness::{Ensemble, PATIENCE, SUPER_PASSWORD, wait_until};
use crate::spec::Spec;
use crate::zkplan::Desk;

/// Where a forged run stands, so that it is told from a genuine one at once.
pub(super) const RUN: u64 = 7;

/// Who wrote what is forged, the identity that it gives, and the nonce of its lock.
pub(super) const BOSS: &str = "boss";
pub(super) const FALSE_ID: &str = "feedfacefeedfacefeedfacefeedface";
pub(super) const FALSE_NONCE: &str = "b055b055b055b055";

/// As whom zkplan applies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operator {
    Super,
    /// `digest`, with all rights on the configuration.
    Administrator,
    /// `digest`, with nothing but `rw` there, which is all that a reconfig takes.
    Writer,
    /// The same, and who comes from the address of zkplan may write there too.
    WriterFromHere,
    /// No user: who comes from the address of zkplan may write there, besides the digest user.
    FromHere,
}

/// The user of the digest operators.
pub(super) const OPERATOR: &str = "admin";

impl Operator {
    /// The user that the spec names.
    fn user(self) -> Option<&'static str> {
        match self {
            Self::Super => Some("super"),
            Self::Administrator | Self::Writer | Self::WriterFromHere => Some(OPERATOR),
            Self::FromHere => None,
        }
    }

    /// The list of `/zookeeper/config` that makes it one.
    fn list(self) -> Vec<Acl> {
        let entry = |permissions| {
            let id = digest_id(OPERATOR, SUPER_PASSWORD);
            [closed(), vec![Acl::new(permissions, AuthId::new("digest", &id))]].concat()
        };
        match self {
            Self::Super => closed(),
            Self::Administrator => entry(Permission::ALL),
            Self::Writer => entry(Permission::READ | Permission::WRITE),
            Self::WriterFromHere | Self::FromHere => {
                [Self::Writer.list(), vec![from_here(Permission::READ | Permission::WRITE)]]
                    .concat()
            }
        }
    }
}

/// Who comes from the address of zkplan.
pub(super) fn from_here(permissions: Permission) -> Acl {
    Acl::new(permissions, AuthId::new("ip", "127.0.0.1"))
}

/// The ensemble: three members, and a fourth that wants to join.
pub(super) struct Stage {
    pub(super) ensemble: Ensemble,
    pub(super) root: Person,
    pub(super) anon: Person,
    /// Who has the operators' name and another password; and another such.
    pub(super) namesakes: [Person; 2],
    /// The follower that is to leave.
    pub(super) leaving: u8,
    /// Where zkplan runs.
    pub(super) desk: Desk,
    hook: PathBuf,
    /// The plans that were made for an operator and a folder: they hold for every row, for each
    /// begins with the same members.
    plans: Mutex<Vec<(Operator, String, Plans)>>,
}

/// The plan of the operator's spec, and the same with commands that leave a mark.
#[derive(Clone)]
struct Plans {
    plan: String,
    evil: String,
}

impl Stage {
    pub(super) fn new(ensemble: Ensemble) -> Self {
        let leader = ensemble.wait_leader();
        Self::with_clients_on(ensemble, leader)
    }

    /// Where every session of these clients is on that server.
    pub(super) fn with_clients_on(ensemble: Ensemble, server: u8) -> Self {
        let (leader, at) = (ensemble.wait_leader(), ensemble.client_address(server));
        let leaving = (1..=3).rev().find(|id| *id != leader).expect("there are two followers");
        let root = Person::root(at);
        let anon = Person::anonymous(at);
        let namesakes = ["guess", "guess again"].map(|it| Person::named(at, OPERATOR, it));
        let desk = Desk::accepting(&ensemble);
        let (hook, plans) = (hook(&desk), Mutex::default());
        Self { ensemble, root, anon, namesakes, leaving, desk, hook, plans }
    }

    /// Everything as it was: no folder, the first three members, no rights but super's.
    pub(super) fn clean(&self, operator: Operator) {
        wait_until("the folders to be gone", PATIENCE, || {
            for folder in ["/zkplan", "/zkplan-2", "/apps"] {
                self.root.delete_all(folder);
            }
            let gone = |folder: &&str| self.root.read(folder).is_none();
            ["/zkplan", "/zkplan-2", "/apps"].iter().all(gone).then_some(())
        });
        let administrator = self.ensemble.administrator();
        let members = administrator.config().ids();
        for stranger in members.iter().filter(|id| **id > 3) {
            administrator.remove(*stranger);
        }
        self.ensemble.wait_following(4);
        for left in ["asked", "mark"] {
            drop(fs::remove_file(self.desk.path(left)));
        }
        let list = operator.list();
        self.root.set_list("/zookeeper/config", &list).expect("super may set any list");
    }
}

/// One forgery: an operator with a file, and what a forger knows.
pub(super) struct Scene<'a> {
    pub(super) stage: &'a Stage,
    pub(super) desk: &'a Desk,
    pub(super) spec: Spec,
    pub(super) paths: Paths,
    /// The plan of the operator's spec, and the same with commands that leave a mark.
    pub(super) plan: String,
    pub(super) evil: String,
}

/// A plan that another wrote.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of<'a> {
    /// Word for word the operator's.
    Operator,
    /// This one.
    Another(&'a str),
}

impl<'a> Scene<'a> {
    pub(super) fn new(stage: &'a Stage, operator: Operator, folder: &str) -> Self {
        stage.clean(operator);
        Self::with_members_as_they_are(stage, operator, folder)
    }

    /// Where nothing was cleaned.
    pub(super) fn with_members_as_they_are(
        stage: &'a Stage,
        operator: Operator,
        folder: &str,
    ) -> Self {
        let wanted = (1..=4).filter(|id| *id != stage.leaving);
        let hook = stage.hook.display().to_string();
        let mut spec = wanting(&stage.ensemble, wanted, 1..=3);
        spec.connect_with.retain(|line| !line.trim_start().starts_with("auth:"));
        if let Some(user) = operator.user() {
            spec = spec.auth(user);
        }
        let spec = spec
            .session_timeout("20s")
            .policy("cutover", "manual")
            .hook("stop", [hook.as_str(), "{host}", "{id}"])
            .folder(folder);
        let mut plans = stage.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let known = plans.iter().find(|(by, at, _)| (*by, at.as_str()) == (operator, folder));
        if let Some((.., made)) = known {
            return Self::with(stage, spec, folder, made.clone());
        }
        let scene = Self::of(stage, spec, folder);
        let made = Plans { plan: scene.plan.clone(), evil: scene.evil.clone() };
        plans.push((operator, folder.to_owned(), made));
        scene
    }

    /// The scene of a spec, which is planned.
    pub(super) fn of(stage: &'a Stage, spec: Spec, folder: &str) -> Self {
        let nothing = Plans { plan: String::new(), evil: String::new() };
        let unplanned = Self::with(stage, spec, folder, nothing);
        let plan = unplanned.variant(|spec| spec, &[]);
        let evil = unplanned.evil_plan();
        Self { plan, evil, ..unplanned }
    }

    fn with(stage: &'a Stage, spec: Spec, folder: &str, plans: Plans) -> Self {
        let paths = Paths::below(Folder::parse(folder).expect("a path"));
        let Plans { plan, evil } = plans;
        Self { stage, desk: &stage.desk, spec, paths, plan, evil }
    }

    /// A plan of the same spec with a change.
    pub(super) fn variant(&self, change: impl FnOnce(Spec) -> Spec, flags: &[&str]) -> String {
        let file = self.desk.write("variant.yaml", &change(self.spec.clone()).text());
        let words = ["plan", &file, "--out", "variant.json"];
        self.desk.run(words.iter().chain(self.desk.accepts()).chain(flags)).exits(0);
        self.desk.read("variant.json")
    }

    /// The operator's plan with commands that leave a mark.
    fn evil_plan(&self) -> String {
        let mark = self.mark().display().to_string();
        let hooked = |mut spec: Spec| {
            spec.hooks.clear();
            spec.hook("start", ["touch", &mark]).hook("stop", ["touch", &mark])
        };
        self.variant(hooked, &[])
    }

    /// What stands there if a command was run that the operator's file does not hold.
    pub(super) fn mark(&self) -> PathBuf {
        self.desk.path("mark")
    }

    /// What the operator's own command was asked for.
    pub(super) fn asked(&self) -> Vec<String> {
        let asked = fs::read_to_string(self.desk.path("asked")).unwrap_or_default();
        asked.lines().map(str::to_owned).collect()
    }

    /// The folder, its identity, its lock and a run, as zkplan writes them.
    pub(super) fn tale(&self, plan: Of<'_>, entries: &[Entry]) -> Vec<Znode> {
        let mut nodes = vec![
            Znode::new(self.paths.folder(), ""),
            self.identity(),
            Znode::new(self.paths.runs(), ""),
        ];
        nodes.extend(self.run(RUN, plan, entries));
        nodes.push(self.lock());
        nodes
    }

    /// A run that has passed its gates, is attested, and stands before its last steps.
    pub(super) fn everything(&self) -> Vec<Znode> {
        self.tale(Of::Operator, &self.passed())
    }

    pub(super) fn passed(&self) -> Vec<Entry> {
        let step = StepId::new;
        vec![
            Entry::Claimed { who: format!("{BOSS}@h"), backup: None },
            Entry::Fenced { from: "1".into(), version: "2".into() },
            Entry::Committed {
                step: step("join-4"),
                version: "3".into(),
                known: CommitEvidence::Reply,
            },
            Entry::Attested { step: step("attest-4") },
            Entry::Passed { step: step("gate"), how: GateOpenedBy::Approved, clients: Vec::new() },
            Entry::HookEnded { step: self.stop(), how: HookEnd::Succeeded },
        ]
    }

    /// The step that stops the server that leaves.
    pub(super) fn stop(&self) -> StepId {
        StepId::new(format!("stop-{}", self.stage.leaving))
    }

    pub(super) fn identity(&self) -> Znode {
        let text = IdentityText::new(FALSE_ID.into(), "story".into());
        Znode::new(self.paths.identity(), write(&text))
    }

    pub(super) fn lock(&self) -> Znode {
        let text = LockText::new(stamp(), "apply", id_of(&self.plan));
        Znode::new(self.paths.lock(), write(&text)).mode(CreateMode::Ephemeral)
    }

    pub(super) fn run(&self, number: u64, plan: Of<'_>, entries: &[Entry]) -> Vec<Znode> {
        let text = match plan {
            Of::Operator => &self.plan,
            Of::Another(text) => text,
        };
        let mut nodes = vec![Znode::new(self.paths.run(number), write(&self.header(text)))];
        for (at, piece) in pieces(text).into_iter().enumerate() {
            nodes.push(Znode::new(self.paths.piece(number, at), piece));
        }
        nodes.push(Znode::new(self.paths.mark(number), ""));
        for (at, entry) in (1..).zip(entries) {
            let record = Record::new(entry.clone(), FALSE_NONCE.into(), "then".into());
            nodes.push(Znode::new(self.paths.record(number, at), write(&record)));
        }
        nodes
    }

    /// The header of a run of that plan, which says that the server that leaves is gone: nobody
    /// listens where it sends whoever asks.
    pub(super) fn header(&self, plan: &str) -> Header {
        let ensemble = &self.stage.ensemble;
        let gone = |id: u8| LeavingText {
            line: ensemble.server_line(id),
            client: Some("127.0.0.1:1".into()),
            tls: false,
        };
        let leaving = (1..=3).filter(|id| !self.spec.servers.iter().any(|it| it.id == *id));
        let leaving: BTreeMap<i64, LeavingText> =
            leaving.map(|id| (i64::from(id), gone(id))).collect();
        let label = "story".to_owned();
        Header::new(id_of(plan), label, pieces(plan).len(), leaving, stamp())
    }

    /// Makes all that with one list.
    #[expect(clippy::unused_self, reason = "a row asks its scene for everything")]
    pub(super) fn lay(&self, person: &Person, nodes: &[Znode], list: &[Acl]) {
        for node in nodes {
            person.create(node, list).unwrap_or_else(|why| panic!("{}: {why}", node.path));
        }
    }

    /// Makes all that while everybody may, and closes the list behind it.
    pub(super) fn lay_and_close(&self, nodes: &[Znode], list: &[Acl]) {
        let anon = &self.stage.anon;
        self.lay(anon, nodes, &open());
        anon.set_list_of_all(self.paths.folder(), list);
    }

    /// Makes all that as one who has the operators' name, with lists that say so from birth.
    pub(super) fn lay_as_namesake(&self, nodes: &[Znode]) {
        self.lay(&self.stage.namesakes[0], nodes, &of("digest", &digest_id(OPERATOR, "guess")));
    }
}

/// A command that writes down what it is asked for.
fn hook(desk: &Desk) -> PathBuf {
    let program = desk.path("hook.sh");
    let asked = desk.path("asked").display().to_string();
    fs::write(&program, format!("#!/bin/sh\necho \"$1 $2\" >> '{asked}'\n"))
        .expect("the temporary directory can be written to");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))
        .expect("our own file can be made executable");
    program
}

pub(super) fn id_of(plan: &str) -> String {
    saved::plan_id(saved::read(plan).expect("zkplan wrote it").plan())
}

fn stamp() -> Stamp {
    Stamp {
        nonce: FALSE_NONCE.into(),
        who: BOSS.into(),
        host: "h".into(),
        pid: 1,
        at: "then".into(),
    }
}
