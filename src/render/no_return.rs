//! From where on a plan has no way back by reconfigs alone, in words.

use super::phrases;
use super::text::{Line, Style, Text};
use crate::plan::{NoReturn, NoReturnReason, Plan};

/// Where the way back ends, and what is left to do from there on.
pub fn words(point: &NoReturn) -> String {
    let NoReturn { step, servers, because } = point;
    let who = phrases::servers(servers);
    let is_one = servers.len() == 1;
    let until = format!("by reconfigs alone until {step}");
    match because {
        NoReturnReason::SwitchesReconfigOn => format!(
            "none from {step} on: finish the restarts. Servers with and without \
             reconfigEnabled=true must not stay side by side (ZKQ15)."
        ),
        NoReturnReason::IdCannotJoin => format!(
            "{until}. {} cannot join again: ids outside 1 to 254 may not (ZKQ11). The machine can, \
             under another id.",
            phrases::capital(&who)
        ),
        NoReturnReason::WasDown => format!(
            "{until}. {} {} not up and in sync, and must join again like {}.",
            phrases::capital(&who),
            if is_one { "was" } else { "were" },
            if is_one { "a new server" } else { "new servers" }
        ),
        NoReturnReason::IdMoves => format!(
            "{until}. The id of {who} goes to another machine. It returns only to a blank disk, with \
             policy.reuseIds: blank (ZKQ11)."
        ),
        NoReturnReason::Stopped => format!(
            "{until}, while {who} {} with the data. A stopped server must join again like a new one. \
             Clients that know only stopped servers have no way back but forwarding (zkplan explain \
             rollback).",
            if is_one { "follows" } else { "follow" }
        ),
    }
}

/// The line below a plan; nothing where every step of it can be undone by reconfigs.
pub(super) fn below(plan: &Plan, width: usize) -> Text {
    let mut text = Text::new();
    if let Some(point) = plan.no_return() {
        let lead = Line::new(Style::Bold, "Way back:");
        text.paragraph("", lead.then(Style::Plain, format!(" {}", words(&point))), width);
    }
    text
}
