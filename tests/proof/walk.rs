//! Checks every state that a plan's schedule can reach, under any leader at any moment, against the
//! rules.
//!
//! Written only from the contract: no code is shared with the planner or the checker.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use zkplan::model::ServerId;
use zkplan::plan::{Done, Plan, Step, StepId};

use crate::ground::{Ground, Seats};
use crate::script::{Does, Script, Steps, bits, seats};
use crate::world::Case;

/// A moment of a plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) members: Seats,
    pub(crate) voters: Seats,
    /// Members at their wanted addresses.
    pub(crate) moved: Seats,
    /// Members that are up and in sync.
    pub(crate) live: Seats,
    /// Servers that are no members and were seen following.
    pub(crate) ready: Seats,
    /// Processes that are up.
    pub(crate) up: Seats,
    /// Newcomers that have joined.
    joined: Seats,
    /// Servers that were removed, and those without which a write has committed since.
    gone: Seats,
    proven: Seats,
    stopped: Seats,
    blank: Seats,
}

/// The violation, the step, and the steps before it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wrong {
    pub(crate) law: String,
    pub(crate) step: String,
    pub(crate) path: Vec<String>,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at `{}` after [{}]", self.law, self.step, self.path.join(" "))
    }
}

/// The summary of all orders of a plan.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sum {
    pub(crate) steps: usize,
    pub(crate) reconfigs: usize,
    pub(crate) states: usize,
    /// The tolerance at the worst moment.
    pub(crate) spare: i32,
    /// The same without the worst zone.
    pub(crate) zone_spare: Option<i32>,
    /// Steps after which, in some order, the loss of a zone would stop writes.
    pub(crate) windows: BTreeSet<StepId>,
    /// Steps whose quorum, in some order, needs the joiner itself.
    pub(crate) risks: usize,
    /// Whether a leader may hand over.
    pub(crate) hands_over: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// Walks plans; its memory is used again.
#[derive(Default)]
pub(crate) struct Walker {
    /// The steps that are done, and those that are proven, which depends on the order.
    seen: HashSet<(Steps, Seats), BuildHasherDefault<Mix>>,
    path: Vec<usize>,
    /// Whether the schedule is compared with that of `apply`, which is slow.
    pub(crate) compares: bool,
    /// Every moment that was visited, if requested.
    pub(crate) rests: Option<Vec<(Steps, Moment)>>,
}

/// The promise of a plan whose rest is walked in another order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Promise<'a> {
    /// The steps of the plan in its own order.
    pub(crate) plan: &'a Plan,
    /// The tolerance below which no step goes, where the order is another one.
    pub(crate) lowest: Option<i32>,
}

struct Walk<'a> {
    case: &'a Case,
    ground: &'a Ground,
    plan: &'a Plan,
    script: Script<'a>,
    sum: Sum,
    windows: Steps,
    risks: Steps,
    promise: Option<Promise<'a>>,
    /// The position of each step in the plan's own order.
    stood: Vec<usize>,
}

impl Walker {
    /// Walks the rest from a moment on, in the order that was chosen there.
    pub(crate) fn walk_on<'a>(
        &mut self,
        (case, ground): (&'a Case, &'a Ground),
        order: &'a Plan,
        promise: Promise<'a>,
        (done, moment): (&Done, Moment),
    ) -> Result<usize, Wrong> {
        let whole = |law: String| Wrong { law, step: "plan".to_owned(), path: Vec::new() };
        let script = Script::read(case, order).map_err(whole)?;
        let places: BTreeMap<&StepId, usize> =
            promise.plan.steps().enumerate().map(|(at, step)| (&step.id, at)).collect();
        let same = script.steps.len() == places.len()
            && promise.plan.steps().all(|step| script.steps.iter().any(|(own, _)| *own == step));
        if !same {
            return Err(whole("grant: other steps".to_owned()));
        }
        let stood = script.steps.iter().map(|(step, _)| places[&step.id]).collect();
        let is_done = |(_, (step, _)): &(usize, &(&Step, Vec<Does>))| done.contains(&step.id);
        let done: Steps =
            script.steps.iter().enumerate().filter(is_done).fold(0, |all, (at, _)| all | 1 << at);
        let (sum, promise) = (Sum::default(), Some(promise));
        let mut walk =
            Walk { case, ground, plan: order, script, sum, windows: 0, risks: 0, promise, stood };
        self.seen.clear();
        self.path.clear();
        let visited = self.visit(&mut walk, done, moment);
        visited.map_err(|(law, step)| Wrong {
            law,
            step: step.map_or("end", |at| walk.script.name(at)).to_owned(),
            path: self.path.iter().map(|at| walk.script.name(*at).to_owned()).collect(),
        })?;
        Ok(walk.sum.states)
    }

    /// Walks a plan to all its ends.
    pub(crate) fn walk(&mut self, case: &Case, ground: &Ground, plan: &Plan) -> Result<Sum, Wrong> {
        self.walk_script(case, ground, plan, Script::read)
    }

    /// The same without deferring the leader's own change: the proof must refuse this.
    pub(crate) fn walk_unheld(
        &mut self,
        case: &Case,
        ground: &Ground,
        plan: &Plan,
    ) -> Result<Sum, Wrong> {
        self.walk_script(case, ground, plan, |case, plan| {
            Script::read(case, plan).map(Script::without_holding)
        })
    }

    fn walk_script<'a>(
        &mut self,
        case: &'a Case,
        ground: &'a Ground,
        plan: &'a Plan,
        read: impl FnOnce(&Case, &'a Plan) -> Result<Script<'a>, String>,
    ) -> Result<Sum, Wrong> {
        let whole = |law: String| Wrong { law, step: "plan".to_owned(), path: Vec::new() };
        let script = read(case, plan).map_err(whole)?;
        if ground.shrinks {
            return Err(whole("ZKQ14".to_owned()));
        }
        if !ground.commits() {
            return Err(whole("ZKQ1".to_owned()));
        }
        if i64::from(plan.min_tolerance) != i64::from(ground.asked) {
            return Err(whole(format!("tolerance {} asked", ground.asked)));
        }
        let sum = Sum {
            steps: script.steps.len(),
            reconfigs: script.reconfigs.count_ones() as usize,
            spare: ground.spare(ground.voters, ground.live),
            zone_spare: ground.zone_spare(ground.voters, ground.live),
            ..Sum::default()
        };
        let (promise, stood) = (None, Vec::new());
        let mut walk =
            Walk { case, ground, plan, script, sum, windows: 0, risks: 0, promise, stood };
        self.seen.clear();
        self.path.clear();
        let visited = self.visit(&mut walk, 0, Moment::base(ground));
        visited.map_err(|(law, step)| Wrong {
            law,
            step: step.map_or("end", |at| walk.script.name(at)).to_owned(),
            path: self.path.iter().map(|at| walk.script.name(*at).to_owned()).collect(),
        })?;
        let named = bits(walk.windows).map(|at| walk.script.steps[at].0.id.clone());
        walk.sum.windows = named.collect();
        walk.sum.risks = walk.risks.count_ones() as usize;
        Ok(walk.sum)
    }

    fn visit(
        &mut self,
        walk: &mut Walk<'_>,
        done: Steps,
        moment: Moment,
    ) -> Result<(), (String, Option<usize>)> {
        if !self.seen.insert((done, moment.proven)) {
            return Ok(());
        }
        walk.sum.states += 1;
        if let Some(rests) = &mut self.rests {
            rests.push((done, moment));
        }
        walk.rests(&moment).map_err(|law| (law.to_owned(), None))?;
        if done == walk.script.all {
            return walk.ends(&moment).map_err(|law| (law.to_owned(), None));
        }
        let mut granted: Steps = 0;
        for leader in seats(moment.voters & moment.live) {
            let (next, together) = walk.script.next(done, leader);
            if self.compares {
                walk.compare(done, leader, next).map_err(|law| (law, None))?;
            }
            if next == 0 {
                return Err(("no step is granted".to_owned(), None));
            }
            walk.leader_goes_last(done, leader, next)
                .map_err(|(law, at)| (law.to_owned(), Some(at)))?;
            // Concurrent steps change no member, so their order does not matter.
            let new = next & !granted;
            if together && new != 0 {
                let mut after = moment;
                for at in bits(next) {
                    walk.keeps_places(done, &moment, at)
                        .map_err(|law| (law.to_owned(), Some(at)))?;
                    after = walk.take(&after, at).map_err(|law| (law.to_owned(), Some(at)))?;
                }
                self.path.extend(bits(next));
                self.visit(walk, done | next, after)?;
                self.path.truncate(self.path.len() - next.count_ones() as usize);
            } else {
                for at in bits(new) {
                    walk.keeps_places(done, &moment, at)
                        .map_err(|law| (law.to_owned(), Some(at)))?;
                    let after = walk.take(&moment, at).map_err(|law| (law.to_owned(), Some(at)))?;
                    self.path.push(at);
                    self.visit(walk, done | 1 << at, after)?;
                    self.path.pop();
                }
            }
            granted |= next;
        }
        Ok(())
    }
}

type Law = &'static str;

impl Moment {
    const fn base(ground: &Ground) -> Self {
        Self {
            members: ground.members,
            voters: ground.voters,
            moved: 0,
            live: ground.live,
            ready: 0,
            up: ground.live,
            joined: 0,
            gone: 0,
            proven: 0,
            stopped: 0,
            blank: 0,
        }
    }
}

impl Walk<'_> {
    /// ZKQ6. The leader hands over only when no other change is left.
    fn leader_goes_last(
        &mut self,
        done: Steps,
        leader: usize,
        next: Steps,
    ) -> Result<(), (Law, usize)> {
        let script = &self.script;
        for at in bits(next & script.hand_overs(leader)) {
            self.sum.hands_over = true;
            let left = script.all & !done & script.reconfigs;
            if bits(left).any(|other| !script.is_own(leader, 1 << other)) {
                return Err(("ZKQ6", at));
            }
        }
        Ok(())
    }

    /// Whether a step keeps its place in another order: after the earlier steps of its servers, the
    /// gate before removals only, the last proof last, and no server that answers removed before
    /// the gate.
    fn keeps_places(&self, done: Steps, moment: &Moment, at: usize) -> Result<(), Law> {
        if self.promise.is_none_or(|promise| promise.lowest.is_none()) {
            return Ok(());
        }
        let steps = &self.script.steps;
        let is = |at: usize, what: &Does| steps[at].1.contains(what);
        let seats_of = |at: usize| steps[at].1.iter().filter_map(Does::seat).collect::<Vec<_>>();
        for other in bits(self.script.all & !done & !(1 << at)) {
            if is(other, &Does::Gate) && self.takes_out(at) {
                let live = |seat: &usize| moment.live & 1 << seat != 0;
                let leaves = |seat: &usize| self.ground.wanted & 1 << seat == 0;
                if seats_of(at).iter().any(|seat| live(seat) && leaves(seat)) {
                    return Err("grant: a server that answers leaves before the gate");
                }
            }
            if self.stood[other] > self.stood[at] {
                continue;
            }
            if seats_of(at).iter().any(|seat| seats_of(other).contains(seat)) {
                return Err("grant: the steps of a server change places");
            }
            if is(other, &Does::Gate) {
                return Err("grant: a step before the gate that it stood behind");
            }
            if is(at, &Does::Gate) && !self.takes_out(other) {
                return Err("grant: the gate is earlier");
            }
            if is(at, &Does::Prove(None)) || is(other, &Does::Prove(None)) {
                return Err("grant: the proof changes places");
            }
        }
        Ok(())
    }

    /// Whether a step takes servers out or their votes away, and nothing else.
    fn takes_out(&self, at: usize) -> bool {
        let does = &self.script.steps[at].1;
        self.script.reconfigs & 1 << at != 0
            && does.iter().all(|does| match *does {
                Does::Drop(_) => true,
                Does::Set { seat, votes, .. } => !votes && self.ground.voters & 1 << seat != 0,
                _ => false,
            })
    }

    /// This schedule must be that of `apply`.
    fn compare(&self, done: Steps, leader: usize, next: Steps) -> Result<(), String> {
        let id = |at: usize| self.script.steps[at].0.id.clone();
        let done: Done = bits(done).map(id).collect();
        let leader: ServerId = self.case.id(leader);
        let theirs = self.plan.next_steps(&done, Some(leader));
        let theirs: BTreeSet<StepId> = theirs.into_iter().map(|step| step.id.clone()).collect();
        let ours: BTreeSet<StepId> = bits(next).map(id).collect();
        (ours == theirs).then_some(()).ok_or_else(|| format!("apply is granted {theirs:?}"))
    }

    /// The invariants of every state: a live quorum, and a way back to the base, without the
    /// servers that were down.
    fn rests(&self, moment: &Moment) -> Result<(), Law> {
        let ground = self.ground;
        if ground.spare(moment.voters, moment.live) < 0 {
            return Err("ZKQ1: no live quorum");
        }
        // A server that has failed cannot come back, and one that is back was not up at the start.
        if self.promise.is_some() {
            return Ok(());
        }
        // An id that moved to another machine cannot return to the stopped one.
        let home = ground.voters & ground.live & !(ground.machines & moment.stopped);
        let mut stopped_at_the_end = moment.stopped & home;
        if moment.members == ground.wanted && moment.voters == ground.wanted_voters {
            // To bring them back they must be started first.
            stopped_at_the_end = 0;
        }
        if home & !(moment.up | moment.stopped) != 0 || stopped_at_the_end != 0 {
            return Err("ZKQ12: who is to come back is down");
        }
        // Servers that return follow without a vote until they are added, so each acknowledges.
        let mut voters = moment.voters;
        for seat in seats(home & !moment.voters) {
            voters |= 1 << seat;
            if ground.spare(voters, moment.live | home) < 0 {
                return Err("ZKQ12: no way back in");
            }
        }
        let up = moment.live | home;
        for seat in seats(voters & !home & !up).chain(seats(voters & !home & up)) {
            voters &= !(1 << seat);
            if voters != 0 && ground.spare(voters, up) < 0 {
                return Err("ZKQ12: no way back out");
            }
        }
        Ok(())
    }

    fn ends(&self, moment: &Moment) -> Result<(), Law> {
        let ground = self.ground;
        let there = moment.members == ground.wanted
            && moment.voters == ground.wanted_voters
            && moment.moved == ground.movers;
        there.then_some(()).ok_or("the target is not reached")
    }

    fn take(&mut self, moment: &Moment, at: usize) -> Result<Moment, Law> {
        let mut next = *moment;
        let (mut set, mut dropped) = (0, 0);
        for does in &self.script.steps[at].1 {
            match *does {
                Does::Gate => {}
                Does::Prove(_) => next.proven = moment.gone,
                Does::Attest(seat) => next.blank |= 1 << seat,
                Does::Start(seat) => self.is_blank(moment, seat)?,
                Does::Await(seat) => {
                    if moment.members & 1 << seat != 0 {
                        return Err("ZKQ5: a member is no joiner");
                    }
                    self.is_blank(moment, seat)?;
                    next.ready |= 1 << seat;
                    next.up |= 1 << seat;
                }
                Does::Stop(seat) => {
                    if moment.members & 1 << seat != 0 {
                        return Err("ZKQ13: a member is stopped");
                    }
                    if moment.proven & 1 << seat == 0 {
                        return Err("ZKQ13: stopped before the proof");
                    }
                    next.stopped |= 1 << seat;
                    next.up &= !(1 << seat);
                }
                Does::Drop(seat) => {
                    let bit = 1 << seat;
                    if moment.members & bit == 0 {
                        return Err("form: who is no member cannot leave");
                    }
                    dropped |= bit;
                    next.members &= !bit;
                    next.voters &= !bit;
                    next.live &= !bit;
                    next.moved &= !bit;
                    next.gone |= bit;
                }
                Does::Set { seat, votes, moved } => {
                    set |= 1 << seat;
                    self.set(moment, &mut next, seat, [votes, moved])?;
                }
            }
        }
        if set | dropped != 0 {
            self.reconfig(moment, &next, set | dropped, at)?;
            is_alike(moment, &next, [set, dropped])?;
        }
        Ok(next)
    }

    /// A line is added, or put in the place of another.
    fn set(
        &self,
        moment: &Moment,
        next: &mut Moment,
        seat: usize,
        [votes, moved]: [bool; 2],
    ) -> Result<(), Law> {
        let ground = self.ground;
        let bit = 1 << seat;
        let put = |set: Seats, holds: bool| if holds { set | bit } else { set & !bit };
        next.members |= bit;
        next.voters = put(next.voters, votes);
        next.moved = put(next.moved, moved);
        if moment.members & bit == 0 {
            self.joins(moment, seat)?;
            next.ready &= !bit;
            next.live |= bit;
            next.gone &= !bit;
            next.proven &= !bit;
            if ground.members & bit == 0 {
                next.joined |= bit;
            }
            return Ok(());
        }
        let revotes = (moment.voters ^ next.voters) & bit != 0;
        let moves = (moment.moved ^ next.moved) & bit != 0;
        if revotes == moves {
            return Err("form: neither a change of role nor one of address");
        }
        if moves && ground.machines & bit != 0 {
            return Err("ZKQ11: an id is moved to another machine");
        }
        if revotes && votes && moment.live & bit == 0 {
            return Err("ZKQ5: a vote for who was not seen");
        }
        Ok(())
    }

    fn is_blank(&self, moment: &Moment, seat: usize) -> Result<(), Law> {
        let sure = moment.stopped & moment.blank & 1 << seat != 0;
        let same = self.ground.machines & 1 << seat == 0;
        (sure || same).then_some(()).ok_or("ZKQ11: another machine is not blank")
    }

    /// ZKQ5 and the first half of ZKQ7.
    fn joins(&self, moment: &Moment, seat: usize) -> Result<(), Law> {
        let bit = 1 << seat;
        if moment.ready & bit == 0 {
            return Err("ZKQ5: a joiner was not awaited");
        }
        self.is_blank(moment, seat)?;
        let comes_back = (self.ground.members | moment.joined) & bit != 0;
        if !comes_back && moment.joined & self.ground.above[seat] != 0 {
            return Err("ZKQ7: ids do not ascend");
        }
        Ok(())
    }

    /// The rules of one reconfig.
    fn reconfig(
        &mut self,
        was: &Moment,
        is: &Moment,
        changed: Seats,
        at: usize,
    ) -> Result<(), Law> {
        let ground = self.ground;
        let most = ground.changes_per_step;
        if most != 0 && changed.count_ones() > most {
            return Err("ZKQ8: too many changes by one request");
        }
        let in_place = was.members & is.members & changed;
        let moves = in_place & (was.moved ^ is.moved);
        let gains = in_place & is.voters & !was.voters;
        // A server that changes its address is away for a moment. One that gets a vote observes
        // until the change is active.
        let acking = (was.live | was.ready) & !(moves | gains);
        let before = ground.spare(was.voters, was.live);
        let during = ground.spare(is.voters, acking);
        let after = ground.spare(is.voters, is.live);
        self.sum.spare = self.sum.spare.min(during).min(after);
        if (was.voters | is.voters) & changed != 0 {
            if during < 0 {
                return Err("ZKQ2: the next voters cannot acknowledge");
            }
            let joins = is.voters & changed & !was.members;
            let accepted = self.script.accepted & 1 << at != 0;
            let risky = joins != 0 && ground.spare(is.voters, acking & !joins) < 0;
            if risky {
                self.risks |= 1 << at;
            }
            if risky && !accepted {
                return Err("ZKQ2: the quorum needs the joiner itself");
            }
            let moment = i32::from(moves != 0);
            if let Some(lowest) = self.promise.and_then(|promise| promise.lowest) {
                let takes_vote = was.voters & was.live & !is.voters != 0;
                let (promised, worst) = (lowest.max(ground.tolerance - moment), during.min(after));
                if worst < promised && (worst < before || worst == before && takes_vote) {
                    return Err("grant: a lower tolerance");
                }
            } else if before.min(after) < ground.tolerance || during < ground.tolerance - moment {
                return Err("ZKQ3: too few can fail");
            }
        }
        self.order(was, is)?;
        if !ground.overlaps(was.voters, is.voters) {
            return Err("ZKQ8: quorums miss each other");
        }
        let (olds, news) = (was.voters.count_ones(), is.voters.count_ones());
        if news < olds && news < ground.floor {
            return Err("ZKQ9: too few participants");
        }
        if ground.newcomers_decide(was.voters, is.voters) {
            return Err("ZKQ11: newcomers are a quorum");
        }
        let zone = ground.zone_spare(is.voters, is.live);
        self.sum.zone_spare = match (self.sum.zone_spare, zone) {
            (Some(worst), Some(zone)) => Some(worst.min(zone)),
            (worst, zone) => worst.or(zone),
        };
        if ground.survives && zone.is_some_and(|zone| zone < 0) {
            if ground.strict {
                return Err("ZKQ4: the loss of a zone would stop writes");
            }
            self.windows |= 1 << at;
        }
        Ok(())
    }

    /// The second half of ZKQ7.
    fn order(&self, was: &Moment, is: &Moment) -> Result<(), Law> {
        let ground = self.ground;
        let healthy = ground.voters & ground.live & !ground.machines;
        let give_up = was.voters & !is.voters & healthy;
        let waiting = ground.wanted_voters & !ground.voters & !was.voters;
        if give_up != 0 && waiting != 0 {
            return Err("ZKQ7: an old voter leaves before the new ones vote");
        }
        Ok(())
    }
}

/// One request changes servers in one way only, and an address change is alone.
fn is_alike(was: &Moment, is: &Moment, [set, dropped]: [Seats; 2]) -> Result<(), Law> {
    let joins = set & !was.members;
    let gains = set & was.members & is.voters & !was.voters;
    let demoted = set & was.voters & !is.voters;
    let moves = set & was.members & (was.moved ^ is.moved);
    let ways = [joins, gains, demoted, moves, dropped].into_iter().filter(|way| *way != 0).count();
    if ways > 1 || moves.count_ones() > 1 {
        return Err("form: unlike changes by one request");
    }
    Ok(())
}
