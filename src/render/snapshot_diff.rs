//! What differs between the trees of two sets of data files.

use super::data_files::{session_id, time, verdict};
use super::file_findings::zxid;
use super::phrases;
use super::table::{Column, Table};
use super::text::{Line, Style, Text};
use crate::snapshot::{
    ChangedSubtree, ChangedZnode, DataDifference, DiffSide, Verification, ZnodeChange,
};

/// What is said of two sets of data files.
#[derive(Debug, Clone, Copy)]
pub struct DiffScreen<'a> {
    /// The paths of both.
    pub paths: [&'a str; 2],
    /// What differs.
    pub found: &'a DataDifference,
    /// Columns of the terminal.
    pub width: usize,
}

/// When the last transaction in the logs was (UTC); `None` where there is none.
pub fn last_at(of: &Verification) -> Option<String> {
    of.logs.iter().rev().find_map(|log| log.facts.last_time_ms).and_then(time)
}

/// What became of a znode.
pub fn change(change: ZnodeChange) -> &'static str {
    match change {
        ZnodeChange::Created => "created",
        ZnodeChange::Deleted => "deleted",
        ZnodeChange::Recreated => "deleted and created again",
        ZnodeChange::Changed { data: true, acl: false } => "data set",
        ZnodeChange::Changed { data: false, .. } => "ACL set",
        ZnodeChange::Changed { data: true, acl: true } => "data and ACL set",
    }
}

/// What differs, in one sentence.
pub fn summary(found: &DataDifference) -> String {
    let ChangedSubtree { path, created, deleted, recreated, data, acl, .. } = &found.all;
    if found.all.count() == 0 {
        return format!("No znode differs at or below {path}.");
    }
    let counts = [
        (created, "created"),
        (deleted, "deleted"),
        (recreated, "deleted and created again"),
        (data, "with their data set"),
        (acl, "with their ACL set"),
    ];
    let some = counts.iter().filter(|(count, _)| **count > 0);
    let words: Vec<String> = some.map(|(count, what)| format!("{count} {what}")).collect();
    format!("Znodes at or below {path}: {}.", words.join(", "))
}

/// The screen of `zkplan snapshot inspect --diff`.
pub fn differences(screen: &DiffScreen<'_>) -> Text {
    let DiffScreen { paths, found, width } = *screen;
    let mut text = Text::new();
    for (name, path, side) in [("A", paths[0], &found.before), ("B", paths[1], &found.after)] {
        let label = Line::new(Style::Bold, format!("{name} is {path}")).then(Style::Plain, ": ");
        text.paragraph("", label.join(verdict(&side.verification)), width);
    }
    text.section(sides(found, width));
    text.gap();
    if found.after.verification.last_zxid < found.before.verification.last_zxid {
        let older = "B ends before A: what was created after the end of B is shown as deleted.";
        text.paragraph("", Line::new(Style::Yellow, older), width);
    }
    text.paragraph("", summary(found), width);
    text.section(subtrees(found, width));
    text.section(znodes(found, width));
    text.section(sessions(found, width));
    text
}

fn sides(found: &DataDifference, width: usize) -> Text {
    let columns = [Column::words(""), Column::numbers("A"), Column::numbers("B")];
    let mut table = Table::new(columns);
    let sides = [&found.before, &found.after];
    let mut row = |name: &str, of: fn(&DiffSide) -> String| {
        table.row([name.to_owned(), of(sides[0]), of(sides[1])].map(Line::plain));
    };
    row("last transaction", |side| side.verification.last_zxid.map(zxid).unwrap_or_default());
    row("its time", |side| last_at(&side.verification).unwrap_or_else(|| "-".to_owned()));
    row("znodes", |side| side.znodes.to_string());
    row("bytes of data", |side| side.data_bytes.to_string());
    row("ephemeral znodes", |side| side.ephemerals.to_string());
    row("sessions", |side| side.sessions.to_string());
    table.to_text(width)
}

fn subtrees(found: &DataDifference, width: usize) -> Text {
    let names = ["created", "deleted", "again", "data", "ACL", "bytes in A", "in B"];
    let columns = [Column::words("subtree")].into_iter().chain(names.map(Column::numbers));
    let mut table = Table::new(columns);
    for part in &found.subtrees {
        let ChangedSubtree { path, created, deleted, recreated, data, acl, .. } = part;
        let figures =
            [created, deleted, recreated, data, acl, &part.before_bytes, &part.after_bytes];
        let figures = figures.map(|figure| Line::plain(figure.to_string()));
        table.row([Line::plain(&**path)].into_iter().chain(figures));
    }
    let left = found.subtree_count.saturating_sub(found.subtrees.len());
    if left > 0 {
        table.across(0, format!("and {left} more (--most N)"));
    }
    if found.subtree_count > 0 { table.to_text(width) } else { Text::new() }
}

fn znodes(found: &DataDifference, width: usize) -> Text {
    let columns = [
        Column::words("znode"),
        Column::words("what"),
        Column::numbers("bytes in A"),
        Column::numbers("in B"),
        Column::words("last set by"),
    ];
    let mut table = Table::new(columns);
    let bytes =
        |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
    for znode in &found.znodes {
        let ChangedZnode { path, change: what, before_bytes, after_bytes, mzxid } = znode;
        table.row([
            Line::plain(&**path),
            Line::plain(change(*what)),
            Line::plain(bytes(*before_bytes)),
            Line::plain(bytes(*after_bytes)),
            Line::plain(zxid(*mzxid)),
        ]);
    }
    let left = found.left();
    if left > 0 {
        table.across(0, format!("and {left} more (--most N, --path PATH)"));
    }
    if found.all.count() > 0 { table.to_text(width) } else { Text::new() }
}

fn sessions(found: &DataDifference, width: usize) -> Text {
    let mut text = Text::new();
    let mut some = |what: &str, ids: &[i64], count: usize| {
        if count > 0 {
            let shown: Vec<String> = ids.iter().map(|id| session_id(*id)).collect();
            let left = count - ids.len();
            let more = if left > 0 { format!(" and {left} more") } else { String::new() };
            let head = format!("{} only in {what}: ", phrases::count_of(count, "session"));
            text.paragraph(head, shown.join(", ") + &more, width);
        }
    };
    some("A", &found.closed, found.closed_count);
    some("B", &found.opened, found.opened_count);
    text
}
