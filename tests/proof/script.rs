//! A plan read as a script of small numbers, and what it grants, written from the contract alone: a
//! phase is an unordered group of like steps, and the leader's own change comes last over the whole
//! plan.

use zkplan::model::{Role, Server};
use zkplan::plan::{Action, Part, Plan, Rule, Step};

use crate::ground::{MOST, Seats};
use crate::world::{Case, Is, Moves};

/// A set of steps: bit 0 is the first step of the first phase.
pub(crate) type Steps = u64;

/// What a step does to its seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    Await(usize),
    Start(usize),
    Stop(usize),
    Attest(usize),
    /// It is a member from now on, in that role, at its wanted addresses or at those it had.
    Set {
        seat: usize,
        votes: bool,
        moved: bool,
    },
    Drop(usize),
    /// Where a seat is named, of its own leaving.
    Prove(Option<usize>),
    Gate,
}

/// A plan by numbers.
pub(crate) struct Script<'a> {
    pub(crate) steps: Vec<(&'a Step, Does)>,
    phases: Vec<(Rule, Steps)>,
    pub(crate) all: Steps,
    pub(crate) reconfigs: Steps,
    /// Steps by which a server that leads would hand over.
    pub(crate) hands_over: Steps,
    own: [Steps; MOST],
    /// Steps whose risk was accepted.
    pub(crate) accepted: Steps,
    /// Whether the leader's own change is held back; not only where the proof itself is tried.
    holds: bool,
}

impl<'a> Script<'a> {
    /// Reads a plan; what it is not allowed to hold comes back as words.
    pub(crate) fn read(case: &Case, plan: &'a Plan) -> Result<Self, String> {
        let mut script = Self {
            steps: Vec::new(),
            phases: Vec::new(),
            all: 0,
            reconfigs: 0,
            hands_over: 0,
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
        let does = read(case, step)?;
        if let Some(seat) = does.seat() {
            self.own[seat] |= bit;
        }
        let voted = |seat: usize| case.seats[seat].fate.was == Is::Voter;
        match does {
            Does::Drop(seat) => {
                self.reconfigs |= bit;
                if voted(seat) {
                    self.hands_over |= bit;
                }
            }
            Does::Set { seat, votes, moved } => {
                self.reconfigs |= bit;
                let moves = moved && case.seats[seat].fate.moves == Moves::Ports;
                if voted(seat) && (!votes || moves) {
                    self.hands_over |= bit;
                }
            }
            _ => {}
        }
        let voter = does.seat().filter(|seat| voted(*seat));
        let says = voter.is_some_and(|seat| step.hands_over(case.id(seat)));
        let is = self.hands_over & bit != 0;
        // What an observer's step says is of no account: it does not lead.
        if voter.is_some() && says != is {
            return Err(format!("`{}` says that it hands over: {says}", step.id));
        }
        self.steps.push((step, does));
        Ok(bit)
    }

    pub(crate) fn name(&self, at: usize) -> &'a str {
        self.steps[at].0.id.as_str()
    }

    pub(crate) fn is_own(&self, seat: usize, step: Steps) -> bool {
        self.own[seat] & step != 0
    }

    /// What is granted when those steps are done and that seat leads, and whether all of it goes
    /// side by side.
    pub(crate) fn next(&self, done: Steps, leader: usize) -> (Steps, bool) {
        let left = self.all & !done;
        let own = self.own[leader];
        let last = own & left & self.hands_over != 0 && left & self.reconfigs & !own != 0;
        let held = if self.holds && last { own } else { 0 };
        for (rule, mask) in &self.phases {
            let open = left & mask & !held;
            if open == 0 {
                continue;
            }
            return match rule {
                Rule::SideBySide => (open, true),
                Rule::LeaderLast => (open, false),
                Rule::InOrder => (self.first(open, done & mask), false),
            };
        }
        (0, false)
    }

    /// What a server has begun goes first, then what is listed first.
    fn first(&self, open: Steps, begun: Steps) -> Steps {
        let goes_on = |at: &usize| {
            let seat = self.steps[*at].1.seat();
            seat.is_some_and(|seat| self.own[seat] & begun != 0)
        };
        let mut positions = bits(open);
        let first = open & open.wrapping_neg();
        positions.find(goes_on).map_or(first, |at| 1 << at)
    }
}

impl Does {
    pub(crate) const fn seat(self) -> Option<usize> {
        match self {
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

fn read(case: &Case, step: &Step) -> Result<Does, String> {
    let seat = |id| case.seat(id).ok_or_else(|| format!("`{}` is about a stranger", step.id));
    Ok(match &step.action {
        Action::AwaitJoiner(id) => Does::Await(seat(*id)?),
        Action::Start(id) => Does::Start(seat(*id)?),
        Action::Stop(id) | Action::AskToStop(id) => Does::Stop(seat(*id)?),
        Action::AttestBlank(id) => Does::Attest(seat(*id)?),
        Action::Prove(id) => Does::Prove(id.map(seat).transpose()?),
        Action::Gate(_) => Does::Gate,
        Action::Reconfig { parts, request } => {
            let [Part { server, .. }] = parts.as_slice() else {
                return Err(format!("`{}` says more than one change", step.id));
            };
            let seat = seat(*server)?;
            match (request.joining.as_slice(), request.leaving.as_slice()) {
                ([], [id]) if id == server => Does::Drop(seat),
                ([line], []) if line.id == *server => set(case, seat, line)
                    .ok_or_else(|| format!("`{}` asks for a line of nobody's", step.id))?,
                _ => return Err(format!("`{}` asks for more than one change", step.id)),
            }
        }
    })
}

/// A line that a server has at some time: now, when all is done, or as an observer on its way to a
/// vote.
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
