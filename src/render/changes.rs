//! What changes: server by server, and as a diff of the configuration's text.

use similar::{ChangeTag, TextDiff};

use super::files::SpecFile;
use super::phrases;
use super::text::{Line, Style, Text};
use crate::diff::{Change, ChangeKind, Fields};
use crate::model::{Membership, Server};
use crate::plan::Plan;

/// The changes, each with its sign, its word, its server line and its reason.
pub(super) fn changes(plan: &Plan, spec: Option<&SpecFile<'_>>, width: usize) -> Text {
    let mut text = Text::new();
    if plan.changes.is_empty() {
        return text;
    }
    text.line(Line::new(Style::Bold, "Changes"));
    let shown: Vec<Shown> =
        plan.changes.iter().map(|change| Shown::of(change, plan, spec)).collect();
    let on_one_line = shown.iter().all(|change| change.width() <= width);
    for Shown { lead, now, then, why } in shown {
        if on_one_line {
            text.line(lead.then(Style::Plain, format!("{now}  ")).then(Style::Dim, why));
            continue;
        }
        let below = " ".repeat(lead.width());
        text.paragraph(lead, now, width);
        if let Some(then) = then {
            text.paragraph(below.as_str(), then, width);
        }
        text.paragraph(below.as_str(), Line::new(Style::Dim, why), width);
    }
    text
}

/// A change in one phrase, like `join: in the spec, not in the ensemble`.
pub fn sentence(change: &Change, plan: &Plan) -> String {
    format!("{}: {}", kind(change.kind).1, reason(change, plan, None))
}

/// A change, put in words.
struct Shown {
    lead: Line,
    now: String,
    then: Option<String>,
    why: String,
}

impl Shown {
    fn of(change: &Change, plan: &Plan, spec: Option<&SpecFile<'_>>) -> Self {
        let (sign, word, style) = kind(change.kind);
        let (now, then) = match (&change.before, &change.after) {
            (Some(before), Some(after)) => (with_place(before.to_string(), before), {
                Some(format!("-> {}", with_place(after.value(), after)))
            }),
            (Some(only), None) | (None, Some(only)) => (with_place(only.to_string(), only), None),
            (None, None) => (format!("server.{}", change.id), None),
        };
        let lead = Line::new(style, format!("  {sign} {word:<10}  "));
        Self { lead, now, then, why: reason(change, plan, spec) }
    }

    /// How wide it is on one line; a change with two server lines has no room there.
    fn width(&self) -> usize {
        let line = |text: &str| Line::plain(text).width();
        match self.then {
            Some(_) => usize::MAX,
            None => self.lead.width() + line(&self.now) + 2 + line(&self.why),
        }
    }
}

/// A server line, and where the server's vote counts.
fn with_place(line: String, server: &Server) -> String {
    match server.place {
        Some(place) => format!("{line}, {}", phrases::place(place)),
        None => line,
    }
}

/// The sign, the word and the style of a kind of change.
pub(super) const fn kind(kind: ChangeKind) -> (char, &'static str, Style) {
    match kind {
        ChangeKind::Join => ('+', "join", Style::Green),
        ChangeKind::Leave => ('-', "leave", Style::Red),
        ChangeKind::Promote => ('^', "promote", Style::Green),
        ChangeKind::Demote => ('v', "demote", Style::Yellow),
        ChangeKind::Readdress(_) => ('~', "re-address", Style::Yellow),
        ChangeKind::Replace => ('~', "replace", Style::Yellow),
        ChangeKind::RoleAndAddress => ('~', "change", Style::Yellow),
        ChangeKind::Regroup => ('~', "regroup", Style::Yellow),
    }
}

fn reason(change: &Change, plan: &Plan, spec: Option<&SpecFile<'_>>) -> String {
    let before = plan.takes_back.map(|run| format!("the configuration before run {run}"));
    // A rollback takes no server from the spec.
    let spec = spec.filter(|_| before.is_none());
    let path = before.as_deref().or(spec.map(|spec| spec.path)).unwrap_or("the spec");
    let wanted = spec.and_then(|spec| spec.spec.servers.get(&change.id));
    let here = wanted.map_or_else(|| path.to_owned(), |server| format!("{path}:{}", server.line));
    match change.kind {
        ChangeKind::Join => format!("in {here}, not in the ensemble"),
        ChangeKind::Leave if plan.facts.synced.contains(&change.id) || plan.facts.assumed => {
            format!("in the ensemble, not in {path}")
        }
        ChangeKind::Leave => format!("in the ensemble, not in {path}; was not seen in sync"),
        ChangeKind::Promote => format!("an observer now, {here} has it as participant"),
        ChangeKind::Demote => format!("a participant now, {here} has it as observer"),
        ChangeKind::Readdress(Fields { quorum: false, election: false, client: true })
            if change.before.as_ref().is_some_and(|line| line.client.is_none()) =>
        {
            format!("{here} has a client address, the line in the ensemble has none")
        }
        ChangeKind::Readdress(fields) => lacking(change).map_or_else(
            || format!("{here} has {}", parts(fields)),
            |gone| format!("{here} lacks {gone}"),
        ),
        ChangeKind::Replace if plan.facts.assumed => format!(
            "{here} has another host for server {}; no server was asked, so zkplan treats it as another \
             machine",
            change.id
        ),
        ChangeKind::Replace => format!("{here} has another machine for this id"),
        ChangeKind::RoleAndAddress => format!("{here} has another role and another address"),
        ChangeKind::Regroup => format!("{here} has another group or weight"),
    }
}

/// The addresses that the line in the ensemble has beside those of the spec; `None` where something else
/// differs too.
fn lacking(change: &Change) -> Option<String> {
    let (before, after) = (change.before.as_ref()?, change.after.as_ref()?);
    let stay = after.peers.iter().all(|peer| before.peers.contains(peer));
    let gone = before.peers.iter().filter(|peer| !after.peers.contains(peer));
    let gone: Vec<String> = gone.map(ToString::to_string).collect();
    let [is_only_that, is_one] = [stay && before.client == after.client, gone.len() == 1];
    let addresses = if is_one { "the address" } else { "the addresses" };
    (is_only_that && !gone.is_empty()).then(|| format!("{addresses} {}", phrases::list(gone)))
}

fn parts(fields: Fields) -> String {
    let Fields { quorum, election, client } = fields;
    let names = [
        (quorum, "another quorum address"),
        (election, "another election address"),
        (client, "another client address"),
    ];
    phrases::list(names.into_iter().filter(|(differs, _)| *differs).map(|(_, name)| name))
}

/// The words of changes, in the order in which they are counted up.
const TALLY: [&str; 8] =
    ["join", "promote", "re-address", "replace", "change", "regroup", "demote", "leave"];

/// How many changes of each kind, like `3 join, 3 leave`.
pub(super) fn tally(plan: &Plan) -> String {
    let words: Vec<&str> = plan.changes.iter().map(|change| kind(change.kind).1).collect();
    let counts = TALLY.iter().filter_map(|word| {
        let count = words.iter().filter(|known| *known == word).count();
        (count > 0).then(|| format!("{count} {word}"))
    });
    counts.collect::<Vec<_>>().join(", ")
}

/// The configuration's text before and after a plan, as a unified diff.
pub fn config_diff(plan: &Plan) -> Text {
    let base = &plan.facts.base;
    let titles = [format!("config version {}", base.version), "after the last step".to_owned()];
    membership_diff([&base.membership, &plan.target], titles)
}

/// Every line of the configuration before and after a plan, with whether it stays.
pub fn config_lines(plan: &Plan) -> Vec<(ChangeTag, String)> {
    let texts = [&plan.facts.base.membership, &plan.target].map(ToString::to_string);
    let [before, after] = [0, 1].map(|at| texts[at].lines().collect::<Vec<_>>());
    let diff = TextDiff::from_slices(&before, &after);
    diff.iter_all_changes().map(|change| (change.tag(), change.value().to_owned())).collect()
}

/// Two memberships as a unified diff; nothing where they are the same.
pub(super) fn membership_diff([before, after]: [&Membership; 2], [from, to]: [String; 2]) -> Text {
    text_diff("Configuration", [&before.to_string(), &after.to_string()], [from, to])
}

/// Two texts as a unified diff below a title; nothing where they are the same.
pub(super) fn text_diff(title: &str, [before, after]: [&str; 2], [from, to]: [String; 2]) -> Text {
    const CONTEXT: usize = 3;
    let mut text = Text::new();
    let (before, after): (Vec<&str>, Vec<&str>) =
        (before.lines().collect(), after.lines().collect());
    let diff = TextDiff::from_slices(&before, &after);
    let mut unified = diff.unified_diff();
    unified.context_radius(CONTEXT);
    for hunk in unified.iter_hunks() {
        if text.is_empty() {
            text.line(Line::new(Style::Bold, title.to_owned()));
            text.line(Line::new(Style::Dim, format!("--- {from}")));
            text.line(Line::new(Style::Dim, format!("+++ {to}")));
        }
        text.line(Line::new(Style::Cyan, hunk.header().to_string()));
        for change in hunk.iter_changes() {
            let (sign, style) = match change.tag() {
                ChangeTag::Equal => (' ', Style::Plain),
                ChangeTag::Delete => ('-', Style::Red),
                ChangeTag::Insert => ('+', Style::Green),
            };
            text.line(Line::new(style, format!("{sign}{}", change.value())));
        }
    }
    text
}
