//! One schedule: everything in it follows from its seed.

use std::cell::RefCell;
use std::fmt::Write;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use zkplan::apply::journal_reader::Archive;
use zkplan::apply::unlock::take_over;
use zkplan::apply::{Event, Outcome};
use zkplan::ensemble::{Session, SessionFactory};
use zkplan::model::{EnsembleConfig, Folder, Update};
use zkplan::simulator::{AdminAction, Condition, ProcessId, Rules, Simulated};
use zkplan::trust::OwnIds;

use crate::applying::{Around, Order, apply, terms};
use crate::chance::Chance;
use crate::coverage::{Coverage, Situation};
use crate::faults::{Befallen, chaos};
use crate::judging::judge;
use crate::shapes::Prepared;

/// The time-out of each wait of an apply, with faults and afterwards.
const IMPATIENT_MS: u64 = 4000;
const PATIENT_MS: u64 = 60_000;

/// One apply, and its events.
pub(crate) struct Applied {
    pub(crate) nonce: String,
    pub(crate) events: Vec<(usize, Event)>,
    /// `None` where it died.
    pub(crate) end: Option<Outcome>,
}

/// The result of a schedule.
pub(crate) struct ScheduleOutcome {
    pub(crate) operations: u64,
    pub(crate) faults: u64,
    pub(crate) applies: u64,
    pub(crate) violations: Vec<String>,
    pub(crate) coverage: Coverage,
    /// Whether a foreign change kept it from the target.
    pub(crate) stale: bool,
    /// Of the whole log.
    pub(crate) hash: u64,
    /// The log, if requested.
    pub(crate) log: String,
}

/// Runs one schedule. `change` may switch off rules on which zkplan's mechanisms depend.
pub(crate) fn run(
    all: &[Prepared],
    seed: u64,
    change: fn(&mut Rules),
    talks: bool,
) -> ScheduleOutcome {
    let mut chance = Chance::of(seed);
    let prepared = drawn(all, &mut chance);
    let port = Simulated::new(prepared.start.clone());
    {
        let mut world = port.world();
        world.bias = chance.next();
        change(&mut world.rules);
    }
    let befallen = Rc::new(RefCell::new(Befallen::default()));
    let deaths = prepared.shape.deaths;
    port.set_chaos(Some(chaos(Chance::of(chance.next()), &befallen, deaths)));
    let mut applies = Vec::new();
    if chance.once_in(6) {
        befallen.borrow_mut().coverage.note(Situation::TwoAtOnce);
        applies.extend(two_at_once(&port, prepared, &mut chance));
    } else {
        applies.push(one(&port, prepared, 1, IMPATIENT_MS));
    }
    let more = chance.below(2);
    for number in 0..more {
        if applies.iter().any(|applied| applied.end == Some(Outcome::Finished)) {
            break;
        }
        if chance.once_in(2) && force_unlock(&port, 100 + number, chance.once_in(2)) {
            befallen.borrow_mut().coverage.note(Situation::ForceUnlocked);
        }
        applies.push(one(&port, prepared, 3 + number, IMPATIENT_MS));
    }
    port.set_chaos(None);
    heal(&port, prepared);
    let healer = one(&port, prepared, 9, PATIENT_MS);
    if applies.iter().all(|applied| applied.end != Some(Outcome::Finished))
        && healer.events.iter().any(|(_, e)| matches!(e, Event::Run { resumed: true, .. }))
    {
        befallen.borrow_mut().coverage.note(Situation::HealedByResuming);
    }
    applies.push(healer);
    let world = port.world();
    let befallen = befallen.borrow();
    let (violations, stale) = judge(prepared, &world, &befallen, &applies);
    let mut coverage = befallen.coverage.clone();
    crate::situations::note(&mut coverage, &world, &applies);
    let mut hasher = DefaultHasher::new();
    world.truth.log.hash(&mut hasher);
    for applied in &applies {
        (applied.events.len(), applied.end.as_ref().map(Outcome::word)).hash(&mut hasher);
    }
    let log = if talks || !violations.is_empty() {
        let plan = prepared.checked.plan();
        let steps: Vec<String> = plan.steps().map(|step| step.id.to_string()).collect();
        let merged = merged(&world.truth.log, &applies);
        format!("{:?}\nsteps: {}\n{merged}", prepared.shape, steps.join(" "))
    } else {
        String::new()
    };
    ScheduleOutcome {
        operations: befallen.operations,
        faults: befallen.faults,
        applies: applies.len() as u64,
        violations,
        coverage,
        stale,
        hash: hasher.finish(),
        log,
    }
}

/// One of the changes; the long ones less often.
fn drawn<'a>(all: &'a [Prepared], chance: &mut Chance) -> &'a Prepared {
    loop {
        let prepared = chance.of_slice(all).expect("a change");
        if !prepared.is_long || chance.once_in(8) {
            return prepared;
        }
    }
}

fn order<'a>(prepared: &'a Prepared, nonce: &'a str, timeout_ms: u64) -> Order<'a> {
    Order { checked: &prepared.checked, plan_id: &prepared.plan_id, nonce, timeout_ms }
}

fn one(port: &Simulated, prepared: &Prepared, number: u64, timeout_ms: u64) -> Applied {
    let client = port.client(u32::try_from(number).unwrap_or(0));
    let nonce = format!("n{number}");
    let mut around = Around::new(&client);
    let end = client.run(apply(&client, &mut around, order(prepared, &nonce, timeout_ms)));
    Applied { events: around.events, end, nonce }
}

/// Two applies whose operations alternate as chance has it.
fn two_at_once(port: &Simulated, prepared: &Prepared, chance: &mut Chance) -> [Applied; 2] {
    port.interleave(true);
    let clients = [port.client(1), port.client(2)];
    let nonces = ["n1", "n2"];
    let [mut a, mut b] = [Around::new(&clients[0]), Around::new(&clients[1])];
    let ends = {
        let one = apply(&clients[0], &mut a, order(prepared, nonces[0], IMPATIENT_MS));
        let other = apply(&clients[1], &mut b, order(prepared, nonces[1], IMPATIENT_MS));
        alternate(&clients, [Box::pin(one), Box::pin(other)], chance)
    };
    port.interleave(false);
    let [one, other] = ends;
    [
        Applied { nonce: nonces[0].to_owned(), events: a.events, end: one },
        Applied { nonce: nonces[1].to_owned(), events: b.events, end: other },
    ]
}

fn alternate<'a>(
    clients: &[Simulated; 2],
    futures: [Pin<Box<dyn Future<Output = Outcome> + 'a>>; 2],
    chance: &mut Chance,
) -> [Option<Outcome>; 2] {
    let mut futures = futures.map(Some);
    let mut ends = [None, None];
    let mut ready = [true, true];
    while futures.iter().any(Option::is_some) {
        let first = usize::from(chance.once_in(2));
        let runnable = |at: &usize| futures[*at].is_some() && ready[*at];
        let Some(at) = [first, 1 - first].into_iter().find(runnable) else {
            // No client can continue, so time advances.
            let mut world = clients[0].world();
            let waits = clients.iter().zip(&futures).filter(|(_, future)| future.is_some());
            let next = waits.map(|(client, _)| client.wake_ms()).chain(world.due()).min();
            let next = next.unwrap_or(u64::MAX).max(world.now_ms());
            world.advance(next);
            ready = [true, true];
            continue;
        };
        let Some(future) = &mut futures[at] else { continue };
        let before = clients[at].world().truth.log.len();
        match clients[at].poll(future.as_mut()) {
            Poll::Ready(end) => {
                ends[at] = Some(end);
                futures[at] = None;
            }
            // Dropping it drops its session's client, as the end of a process does.
            Poll::Pending if clients[at].is_dead() => futures[at] = None,
            Poll::Pending => {
                let world = clients[at].world();
                ready[at] = clients[at].wake_ms() <= world.now_ms();
                // The work of one client may be what the other waits for.
                ready[1 - at] |= world.truth.log.len() > before;
            }
        }
    }
    ends
}

/// Takes the lock over as `zkplan unlock` does, with its fence, or interrupted before it.
fn force_unlock(port: &Simulated, number: u64, with_fence: bool) -> bool {
    let client = port.client(u32::try_from(number).unwrap_or(0));
    let unlock = async {
        let places: Vec<_> =
            client.world().processes().filter_map(|(_, process)| process.endpoint()).collect();
        for at in places {
            let Ok(session) = client.open(&at, &terms()).await else { continue };
            let removed = taken_over(&session, number).await.is_some();
            if removed && with_fence {
                fence(&session).await;
            }
            session.close().await;
            return removed;
        }
        false
    };
    client.run(unlock).unwrap_or(false)
}

/// Takes the lock over, where there is one that can be read.
async fn taken_over<S: Session>(session: &S, number: u64) -> Option<()> {
    let (folder, own) = (Folder::default(), OwnIds::default());
    let archive = Archive::proven(session, &folder, own).await.ok()?;
    let lock = archive.lock().await.ok()??;
    let mut by = lock.text.clone()?;
    (by.by.nonce, by.operation) = (format!("unlock-{number}"), "unlock".to_owned());
    take_over(session, &archive, &lock, &by).await.ok()
}

async fn fence<S: Session>(session: &S) -> Option<()> {
    let nodes = session.read(&["/zookeeper/config"]).await.ok()?;
    let node = nodes.into_iter().next().flatten()?;
    let config = EnsembleConfig::parse(&String::from_utf8_lossy(&node.data)).ok()?;
    session.reconfig(&Update::fence(&config.membership), config.version).await.ok()?;
    Some(())
}

/// Everything is healthy again, and requests on their way arrive.
fn heal(port: &Simulated, prepared: &Prepared) {
    let mut world = port.world();
    world.cancel_actions();
    world.does(AdminAction::Join);
    let all: Vec<(ProcessId, Condition)> =
        world.processes().map(|(at, process)| (at, process.condition)).collect();
    for (at, condition) in all {
        let id = world.process(at).id();
        let stays = world.config().names(id) || prepared.checked.plan().target.contains(id);
        match condition {
            Condition::Frozen => world.thaw(at),
            Condition::Down if stays && !prepared.is_down_from_the_beginning(at) => {
                world.does(AdminAction::Start(at));
            }
            Condition::Down | Condition::Up => {}
        }
    }
    let later = world.now_ms() + 5000;
    world.advance(later);
}

/// All events of the ensemble and of the applies, in order.
fn merged(log: &[zkplan::simulator::SimEvent], applies: &[Applied]) -> String {
    let mut told: Vec<(usize, &str, &Event)> = applies
        .iter()
        .flat_map(|applied| {
            applied.events.iter().map(|(before, event)| (*before, &applied.nonce[..], event))
        })
        .collect();
    told.sort_by_key(|(before, ..)| *before);
    let mut told = told.into_iter().peekable();
    let mut text = String::new();
    for (at, happening) in log.iter().enumerate() {
        while let Some((_, nonce, event)) = told.next_if(|(before, ..)| *before <= at) {
            writeln!(text, "      {nonce}: {event:?}").expect("a text takes everything");
        }
        writeln!(text, "{at:>5} {happening:?}").expect("a text takes everything");
    }
    for (_, nonce, event) in told {
        writeln!(text, "      {nonce}: {event:?}").expect("a text takes everything");
    }
    text
}
