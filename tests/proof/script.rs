//! A plan as a script of small numbers, and its schedule, written only from the contract: a phase
//! is an unordered group of like steps, and the leader's own change is last in the whole plan.

use zkplan::model::{Role, Server};
use zkplan::plan::{Action, Plan, Step, StepOrder};

use crate::ground::{MOST, Seats};
use crate::world::{Case, Is, Moves};

/// A set of steps: bit 0 is the first step of the first phase.
pub(crate) type Steps = u64;

/// The effect of a step on a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    Await(usize),
    Start(usize),
    Stop(usize),
    Attest(usize),
    /// It is a member from now on, in that role, at its wanted addresses or at its present ones.
    Set {
        seat: usize,
        votes: bool,
        moved: bool,
    },
    Drop(usize),
    /// With a server, the proof of its own leaving.
    Prove(Option<usize>),
    Gate,
}

/// A plan by numbers.
pub(crate) struct Script<'a> {
    pub(crate) steps: Vec<(&'a Step, Vec<Does>)>,
    phases: Vec<(StepOrder, Steps)>,
    pub(crate) all: Steps,
    pub(crate) reconfigs: Steps,
    /// For each server, the steps in which it would hand over, if it leads.
    hands_over: [Steps; MOST],
    own: [Steps; MOST],
    /// Steps whose risk was accepted.
    pub(crate) accepted: Steps,
    /// Whether the leader's own change is deferred. False only in tests of the proof itself.
    holds: bool,
}

impl<'a> Script<'a> {
    /// Reads a plan. What it must not contain is returned as an error.
    pub(crate) fn read(case: &Case, plan: &'a Plan) -> Result<Self, String> {
        let mut script = Self {
            steps: Vec::new(),
            phases: Vec::new(),
            all: 0,
            reconfigs: 0,
            hands_over: [0; MOST],
            own: [0; MOST],
            accepted: 0,
            holds: true,
        };
        for phase in &plan.phases {
            let mut mask = 0;
            for step in &phase.steps {
                let bit = script.add(case, step)?;
                mask |= bit;
                let named = |risk: &zkplan::plan::Acceptance| {
                    risk.code == "ZKQ2" && risk.step.as_ref() == Some(&step.id)
                };
                if plan.accepted.iter().any(named) {
                    script.accepted |= bit;
                }
            }
            script.phases.push((phase.rule, mask));
            script.all |= mask;
        }
        let mut names: Vec<&str> = script.steps.iter().map(|(step, _)| step.id.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() < script.steps.len() {
            return Err("two steps of one name".to_owned());
        }
        Ok(script)
    }

    /// The same without the rule that the leader goes last.
    pub(crate) fn without_holding(mut self) -> Self {
        self.holds = false;
        self
    }

    fn add(&mut self, case: &Case, step: &'a Step) -> Result<Steps, String> {
        let at = self.steps.len();
        if at >= 64 {
            return Err("more steps than can be walked".to_owned());
        }
        let bit = 1 << at;
        let all = read(case, step)?;
        for does in &all {
            if matches!(does, Does::Drop(_) | Does::Set { .. }) {
                self.reconfigs |= bit;
            }
            let Some(seat) = does.seat() else { continue };
            self.own[seat] |= bit;
            // The kind of an observer's step does not matter: an observer does not lead.
            if case.seats[seat].fate.was != Is::Voter {
                continue;
            }
            let is = match *does {
                Does::Drop(_) => true,
                Does::Set { votes, moved, .. } => {
                    !votes || moved && case.seats[seat].fate.moves == Moves::Ports
                }
                _ => false,
            };
            let says = step.hands_over(case.id(seat));
            if says != is {
                return Err(format!("`{}` says that it hands over: {says}", step.id));
            }
            if is {
                self.hands_over[seat] |= bit;
            }
        }
        self.steps.push((step, all));
        Ok(bit)
    }

    pub(crate) fn name(&self, at: usize) -> &'a str {
        self.steps[at].0.id.as_str()
    }

    pub(crate) fn is_own(&self, seat: usize, step: Steps) -> bool {
        self.own[seat] & step != 0
    }

    /// The steps by which that seat would hand over, should it lead.
    pub(crate) fn hand_overs(&self, seat: usize) -> Steps {
        self.own[seat] & self.hands_over[seat]
    }

    /// The possible next steps after those steps under that leader, and whether all of them may be
    /// concurrent.
    pub(crate) fn next(&self, done: Steps, leader: usize) -> (Steps, bool) {
        let left = self.all & !done;
        let own = self.own[leader];
        let last = left & self.hand_overs(leader) != 0 && left & self.reconfigs & !own != 0;
        let held = if self.holds && last { own } else { 0 };
        for (rule, mask) in &self.phases {
            let open = left & mask & !held;
            if open == 0 {
                continue;
            }
            return match rule {
                StepOrder::SideBySide => (open, true),
                StepOrder::LeaderLast => (open, false),
                StepOrder::InOrder => (self.first(open, done & mask), false),
            };
        }
        (0, false)
    }

    /// The server that has begun comes first, then the order of the list.
    fn first(&self, open: Steps, begun: Steps) -> Steps {
        let goes_on = |at: &usize| {
            let mut seats = self.steps[*at].1.iter().filter_map(Does::seat);
            seats.any(|seat| self.own[seat] & begun != 0)
        };
        let mut positions = bits(open);
        let first = open & open.wrapping_neg();
        positions.find(goes_on).map_or(first, |at| 1 << at)
    }
}

impl Does {
    pub(crate) const fn seat(&self) -> Option<usize> {
        match *self {
            Self::Await(seat)
            | Self::Start(seat)
            | Self::Stop(seat)
            | Self::Attest(seat)
            | Self::Set { seat, .. }
            | Self::Drop(seat) => Some(seat),
            Self::Prove(seat) => seat,
            Self::Gate => None,
        }
    }
}

/// The effect of a step: one thing, or the effect of its request on each server.
fn read(case: &Case, step: &Step) -> Result<Vec<Does>, String> {
    let seat = |id| case.seat(id).ok_or_else(|| format!("`{}` is about a stranger", step.id));
    Ok(vec![match &step.action {
        Action::AwaitJoiner(id) => Does::Await(seat(*id)?),
        Action::Start(id) => Does::Start(seat(*id)?),
        Action::Stop(id) | Action::AskToStop(id) => Does::Stop(seat(*id)?),
        Action::AttestBlank(id) => Does::Attest(seat(*id)?),
        Action::Prove(id) => Does::Prove(id.map(seat).transpose()?),
        Action::Gate(_) => Does::Gate,
        Action::Restart(_) => return Err(format!("`{}` changes no member", step.id)),
        Action::Reconfig { parts, request } => {
            let named = request.joining.len() + request.leaving.len();
            if parts.is_empty() || named != parts.len() {
                return Err(format!("`{}` asks for other changes than it says", step.id));
            }
            let mut all = Vec::with_capacity(parts.len());
            for (nth, part) in parts.iter().enumerate() {
                if parts[..nth].iter().any(|known| known.server == part.server) {
                    return Err(format!("`{}` names a server twice", step.id));
                }
                let seat = seat(part.server)?;
                let line = request.joining.iter().find(|line| line.id == part.server);
                all.push(match line {
                    Some(line) => set(case, seat, line)
                        .ok_or_else(|| format!("`{}` asks for a line of nobody's", step.id))?,
                    None if request.leaving.contains(&part.server) => Does::Drop(seat),
                    None => {
                        return Err(format!("`{}` asks for other changes than it says", step.id));
                    }
                });
            }
            return Ok(all);
        }
    }])
}

/// The line of a server at some time: now, at the end, or as an observer on its way to a vote.
fn set(case: &Case, seat: usize, line: &Server) -> Option<Does> {
    let fate = case.seats[seat].fate;
    let role = |is: Is| if is == Is::Observer { Role::Observer } else { Role::Participant };
    let wanted = (fate.wanted != Is::Out).then(|| role(fate.wanted));
    let stays = fate.moves != Moves::Stays;
    let on_the_way = case.rules.observers_first && fate.was == Is::Out;
    let lines = [
        (wanted, true),
        (on_the_way.then_some(Role::Observer), true),
        (stays.then(|| role(fate.was)), false),
    ];
    let (role, moved) = lines.into_iter().find_map(|(role, moved)| {
        let role = role?;
        (case.line(seat, role, moved) == *line).then_some((role, moved))
    })?;
    let moved = moved && fate.moves != Moves::Stays;
    Some(Does::Set { seat, votes: role == Role::Participant, moved })
}

/// The positions of a set, ascending.
pub(crate) fn bits(set: u64) -> impl Iterator<Item = usize> {
    let mut left = set;
    std::iter::from_fn(move || {
        let at = left.trailing_zeros();
        left &= left.wrapping_sub(1);
        (at < 64).then_some(at as usize)
    })
}

/// The seats of a set, ascending.
pub(crate) fn seats(set: Seats) -> impl Iterator<Item = usize> {
    bits(u64::from(set))
}
