//! An apply as the command line makes it: a look, a session, and the driver that ships.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use zkplan::apply::driver::{Surroundings, Task, drive};
use zkplan::apply::journal::{HookEnd, IdentityText, LockText, Stamp};
use zkplan::apply::judge::Approved;
use zkplan::apply::keeper::Mine;
use zkplan::apply::machine::Options;
use zkplan::apply::sight::spec_of;
use zkplan::apply::{End, Event};
use zkplan::check::CheckedPlan;
use zkplan::ensemble::simulated::{Rules, Simulated, Timing, World};
use zkplan::ensemble::{Control, SessionTerms};
use zkplan::model::{Connect, Hooks, Membership, Millis, Policy, Server};
use zkplan::observe::{Facts, Question, observe};
use zkplan::plan::{Acceptance, Action};
use zkplan::proposal::propose;
use zkplan::saved::plan_id;
use zkplan::spec::{Spec, WantedServer};

/// Servers in short hand: `1 2 3o 4p`, where `o` is an observer and `p` has other ports.
pub(crate) fn servers(text: &str) -> Vec<Server> {
    text.split_whitespace().map(server).collect()
}

fn server(word: &str) -> Server {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let (id, marks) = word.split_at(digits);
    let role = if marks.contains('o') { "observer" } else { "participant" };
    let ports = if marks.contains('p') { "2889:3889" } else { "2888:3888" };
    let line = format!("server.{id}=zk{id}:{ports}:{role};2181");
    Server::parse_line(&line).expect("a server line")
}

/// An ensemble of these members, with every joiner placed and synced.
pub(crate) fn world(base: &str, wanted: &str) -> World {
    let members = Membership::of(servers(base));
    let mut world = World::new(members.clone(), Timing::default(), Rules::default());
    for server in servers(wanted) {
        if !members.contains(server.id) {
            world.place(server);
        }
    }
    world.advance(1000);
    world
}

/// What is wanted.
pub(crate) fn spec(base: &str, wanted: &str) -> Spec {
    let contacts = servers(base).into_iter().filter_map(|server| server.client_endpoint());
    let wanted = servers(wanted).into_iter().map(|server| WantedServer {
        server,
        secure_client_port: None,
        zone: None,
        admin: None,
        line: 1,
    });
    let policy = Policy { stable_for: Millis(0), max_shrink: 9, ..Policy::default() };
    Spec {
        ensemble: "test".to_owned(),
        connect: Connect {
            servers: contacts.map(|at| at.to_string()).collect(),
            ..Connect::default()
        },
        servers: wanted.map(|wanted| (wanted.server.id, wanted)).collect(),
        former_zones: BTreeMap::new(),
        policy,
        hooks: Hooks::default(),
    }
}

/// Looks and plans, as `zkplan plan` does.
pub(crate) fn plan(port: &Simulated, spec: &Spec, accepted: &[Acceptance]) -> Arc<CheckedPlan> {
    let seen = port.run(observe(port, &Question::of(spec))).expect("a client that lives");
    let facts = Facts::of(&seen.expect("an observation"), spec);
    let checked = propose(spec, &facts, accepted).map_err(|refusal| refusal.breaches);
    Arc::new(checked.expect("a plan"))
}

/// What surrounds an apply.
pub(crate) struct Around<'a> {
    pub(crate) port: &'a Simulated,
    pub(crate) began_ms: u64,
    pub(crate) events: Vec<Event>,
}

impl<'a> Around<'a> {
    pub(crate) fn new(port: &'a Simulated) -> Self {
        Self { port, began_ms: port.world().now_ms(), events: Vec::new() }
    }
}

impl Surroundings for Around<'_> {
    fn now_ms(&self) -> u64 {
        self.port.world().now_ms() - self.began_ms
    }

    fn time_of_day(&self) -> String {
        String::new()
    }

    fn tell(&mut self, event: &Event) {
        self.events.push(event.clone());
    }

    fn is_interrupted(&self) -> bool {
        false
    }

    fn interruption(&self) -> impl Future<Output = ()> {
        std::future::pending()
    }

    async fn hook(&mut self, _: &[String], _: u64) -> HookEnd {
        HookEnd::Succeeded
    }

    async fn ask(&mut self, _: &End) -> bool {
        false
    }
}

pub(crate) fn options(checked: &CheckedPlan, plan: String, nonce: &str) -> Options {
    let attested = checked.plan().steps().filter_map(|step| match step.action {
        Action::AttestBlank(id) => Some(id),
        _ => None,
    });
    Options {
        plan_id: plan,
        who: format!("{nonce}@here"),
        approved: Approved { cutover: true, stop: true, blank: attested.collect() },
        interactive: false,
        no_hooks: false,
        timeout_ms: 30_000,
        lock_timeout_ms: None,
        abandon: None,
        strict_version: false,
    }
}

pub(crate) fn mine(plan: &str, nonce: &str) -> Mine {
    let by = Stamp {
        nonce: nonce.to_owned(),
        who: nonce.to_owned(),
        host: "here".to_owned(),
        pid: 1,
        at: String::new(),
    };
    let lock = LockText { by, operation: "apply".to_owned(), plan_id: plan.to_owned() };
    let identity = IdentityText { id: format!("made-by-{nonce}"), ensemble: "test".to_owned() };
    Mine { lock, identity }
}

/// Applies, as `zkplan apply` does: a look, a session on a server that follows, the driver.
pub(crate) async fn apply(
    port: &Simulated,
    around: &mut Around<'_>,
    checked: &Arc<CheckedPlan>,
    nonce: &str,
) -> End {
    let plan = plan_id(checked.plan());
    let spec = spec_of(checked.plan());
    let mut question = Question::of(&spec);
    question.skip_data = true;
    let Ok(seen) = observe(port, &question).await else { return End::Unreachable };
    let serving =
        zkplan::apply::sight::serving(&seen, &zkplan::apply::sight::leaving(checked.plan()));
    let terms = SessionTerms { timeout: Millis(10_000), auth: None };
    for (_, at) in serving {
        if let Ok(session) = port.open(&at, &terms).await {
            let task = Task {
                checked: Arc::clone(checked),
                options: options(checked, plan.clone(), nonce),
                mine: mine(&plan, nonce),
                seen,
            };
            return drive(port, around, session, task).await;
        }
    }
    End::Unreachable
}
