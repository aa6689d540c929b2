//! The first line of a screen: which ensemble, in which configuration, seen how.

use super::phrases;
use super::text::{Line, Style, Text};
use crate::observe::{Facts, Identity, Observation, ServerStatus};

/// Which ensemble a screen is about, and how it was seen.
pub(super) fn head(
    ensemble: &str,
    facts: &Facts,
    observation: Option<&Observation>,
    width: usize,
) -> Text {
    let voters = facts.base.membership.voters();
    let synced = voters.intersection(&facts.synced).count();
    let mut line =
        Line::default().then(Style::Plain, format!("config version {}", facts.base.version));
    let say = |line: Line, style, text: String| line.then(Style::Plain, ", ").then(style, text);
    if facts.assumed {
        let said = if facts.assumes_all() {
            "no server was asked: every server is assumed to be up".to_owned()
        } else {
            let of = phrases::count_of(voters.len(), "voter");
            format!("no server was asked: {synced} of {of} were in sync in the status")
        };
        line = say(line, Style::Yellow, said);
    } else {
        let leads = match facts.leader {
            Some(id) => format!("server {id} leads"),
            None => "leader not known".to_owned(),
        };
        line = say(line, Style::Plain, leads);
        let servers = observation.into_iter().flat_map(|seen| seen.servers.values());
        let not_asked = servers.filter(|s| s.status == ServerStatus::NotAsked);
        let not_asked = not_asked.filter(|s| voters.contains(&s.id)).count();
        let style = match synced {
            _ if synced == voters.len() => Style::Green,
            _ if synced + not_asked == voters.len() => Style::Yellow,
            _ => Style::Red,
        };
        let of = phrases::count_of(voters.len(), "voter");
        line = say(line, style, format!("{synced} of {of} synced"));
        if not_asked > 0 {
            line = say(line, Style::Yellow, format!("{not_asked} not asked"));
        }
    }
    if facts.base.membership.is_weighted() {
        line = say(line, Style::Plain, "quorum by groups".to_owned());
    }
    // Where no server was asked, it is not known whether there was an apply.
    if !facts.assumed || facts.identity != Identity::NoneYet {
        line = say(line, Style::Plain, phrases::identity(&facts.identity));
    }
    if let Some(zxid) = observation.and_then(Observation::leader_reached) {
        line = say(line, Style::Plain, format!("leader at zxid {zxid}"));
    }
    let mut text = Text::new();
    text.paragraph(Line::new(Style::Bold, ensemble).then(Style::Plain, "  "), line, width);
    text
}
