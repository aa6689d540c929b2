//! What the files of a data directory are worth, and what is in them.

use std::time::{Duration, UNIX_EPOCH};

use super::archives::{ArchiveFacts, origin};
use super::file_findings::{bytes, file_finding, releases, server_start, zxid};
use super::phrases;
use super::table::{Column, Table};
use super::text::{Line, Style, Text};
use crate::snapshot::{
    DataContents, DataVerdict, FileSeverity, FileState, LogEnd, ScannedLog, ScannedSnapshot,
    ServerStart, Verification, ZnodeContents, ZnodeLifetime,
};

/// What is said of the files of a data directory.
#[derive(Debug, Clone, Copy)]
pub struct FilesScreen<'a> {
    /// Its path, or both paths where logs are elsewhere.
    pub paths: &'a [String],
    /// What the files are worth.
    pub verification: &'a Verification,
    /// The flags of the same directory, as they are typed.
    pub typed: &'a str,
    /// The archive that the files are in, where they are in one.
    pub archive: Option<&'a ArchiveFacts>,
    /// Columns of the terminal.
    pub width: usize,
}

impl FilesScreen<'_> {
    /// The paths, where they are those of directories.
    pub fn directories(&self) -> &[String] {
        let is_archive = |path: &String| self.archive.is_some_and(|facts| facts.path == *path);
        if self.paths.first().is_some_and(is_archive) { &[] } else { self.paths }
    }
}

/// Findings that are printed. A document has all of them.
const MOST_FINDINGS: usize = 40;

/// A time in milliseconds since 1970, in UTC. `None` where no clock has such a time.
pub fn time(ms: i64) -> Option<String> {
    const LATEST: u64 = 253_402_300_799_999;
    let ms = u64::try_from(ms).ok().filter(|ms| *ms <= LATEST)?;
    Some(humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(ms)).to_string())
}

/// The verdict, in one sentence.
pub fn verdict(of: &Verification) -> Line {
    let reached = of.last_zxid.map_or_else(|| "nothing".to_owned(), zxid);
    let first = of.findings.first().map(file_finding).unwrap_or_default();
    let more = of.findings.iter().filter(|finding| finding.severity > FileSeverity::Note).count();
    let more = match more {
        0 | 1 => String::new(),
        more => format!(" ({})", phrases::count_of(more, "finding")),
    };
    match of.verdict {
        DataVerdict::Whole => Line::new(Style::Green, "Whole")
            .then(Style::Plain, format!(" up to zxid {reached}: the digest of the data is right.")),
        DataVerdict::NotProvable => Line::new(Style::Yellow, "Not provable").then(
            Style::Plain,
            format!(" up to zxid {reached}, although nothing damaged was found: {first}{more}."),
        ),
        DataVerdict::Damaged => Line::new(Style::Red, "Damaged or incomplete")
            .then(Style::Plain, format!(": {first}{more}.")),
    }
}

/// The screen of `zkplan snapshot verify`.
pub fn verified(screen: &FilesScreen<'_>) -> Text {
    let FilesScreen { paths, verification, typed, archive, width } = *screen;
    let mut text = Text::new();
    let label = Line::new(Style::Bold, paths.join(" and ")).then(Style::Plain, ": ");
    text.paragraph("", label.join(verdict(verification)), width);
    text.append(archive.map(|facts| origin(facts, width)).unwrap_or_default());
    text.section(files(verification, width));
    let mut findings = Text::new();
    for finding in verification.findings.iter().take(MOST_FINDINGS) {
        let (style, word) = match finding.severity {
            FileSeverity::Damaged => (Style::Red, "damaged"),
            FileSeverity::NotProvable => (Style::Yellow, "not provable"),
            FileSeverity::Note => (Style::Dim, "note"),
        };
        let lead = Line::plain("  ").then(style, format!("{word:<14}"));
        findings.paragraph(lead, file_finding(finding) + ".", width);
    }
    let left = verification.findings.len().saturating_sub(MOST_FINDINGS);
    if left > 0 {
        let what = format!("  and {} (--format json)", phrases::count_of(left, "more finding"));
        findings.line(what);
    }
    text.section(findings);
    text.section(servers(verification, width));
    text.gap();
    let next = match verification.verdict {
        DataVerdict::Whole => format!("zkplan snapshot inspect {typed}"),
        DataVerdict::NotProvable | DataVerdict::Damaged => "zkplan explain snapshots".to_owned(),
    };
    text.line(Line::plain("Next: ").then(Style::Cyan, next));
    text
}

/// What each line of servers does; one line where all do the same.
fn servers(of: &Verification, width: usize) -> Text {
    let mut text = Text::new();
    let mut line = |who: &str, start: &ServerStart| {
        text.paragraph(format!("  {who:<18}"), server_start(start) + ".", width);
    };
    match of.servers.as_slice() {
        [first, rest @ ..] if rest.iter().all(|start| start.verdict == first.verdict) => {
            line("a server", first);
        }
        all => all.iter().for_each(|start| line(releases(start.releases), start)),
    }
    text
}

fn state<T>(state: &FileState<T>, is_growing: bool) -> Line {
    match state {
        _ if is_growing => Line::plain("being written"),
        FileState::Whole(_) => Line::new(Style::Green, "whole"),
        FileState::Damaged(damage) => {
            Line::new(Style::Red, format!("damaged at byte {}", damage.offset))
        }
        FileState::Vanished => Line::new(Style::Yellow, "removed"),
        FileState::Unreadable(_) => Line::new(Style::Yellow, "not readable"),
    }
}

fn files(of: &Verification, width: usize) -> Text {
    let columns = [
        Column::words("file"),
        Column::words("zxid"),
        Column::numbers("size"),
        Column::words("holds"),
        Column::words("state"),
    ];
    let mut table = Table::new(columns);
    for snapshot in &of.snapshots {
        let ScannedSnapshot { file, zxid: begun, state: read, is_growing, .. } = snapshot;
        let holds = read.whole().map(|facts| {
            let fuzzy = facts.stored_digest.filter(|stored| stored.zxid > *begun);
            let until = fuzzy.map(|stored| format!(", written until {}", zxid(stored.zxid)));
            phrases::count(facts.znodes, "znode") + &until.unwrap_or_default()
        });
        let is_base = of.base.as_ref() == Some(&file.name);
        let begins = if is_base { ", loaded" } else { "" };
        table.row([
            Line::plain(&*file.name),
            Line::plain(zxid(*begun)),
            Line::plain(file.length.to_string()),
            Line::plain(holds.unwrap_or_default()),
            state(read, *is_growing).then(Style::Plain, begins),
        ]);
    }
    for log in &of.logs {
        let ScannedLog { file, facts, state: read, is_growing, .. } = log;
        let zxids = match (facts.first, facts.last) {
            (Some(first), Some(last)) => format!("{} to {}", zxid(first), zxid(last)),
            _ => String::new(),
        };
        let end = match facts.end {
            LogEnd::Torn if read.whole().is_some() => ", ends inside a record",
            LogEnd::Torn | LogEnd::AtRecord | LogEnd::Padded => "",
        };
        table.row([
            Line::plain(&*file.name),
            Line::plain(zxids),
            Line::plain(file.length.to_string()),
            Line::plain(phrases::count(facts.records, "transaction")),
            state(read, *is_growing).then(Style::Plain, end),
        ]);
    }
    table.to_text(width)
}

/// The screen of `zkplan snapshot inspect`.
pub fn inspected(screen: &FilesScreen<'_>, contents: &DataContents) -> Text {
    let FilesScreen { paths, verification, width, .. } = *screen;
    let mut text = Text::new();
    let label = Line::new(Style::Bold, paths.join(" and ")).then(Style::Plain, ": ");
    text.paragraph("", label.join(verdict(verification)), width);
    if verification.base.is_none() {
        text.line(Line::plain("Next: ").then(Style::Cyan, "zkplan explain snapshots"));
        return text;
    }
    let at = contents.last_time_ms.and_then(time).map(|at| format!(", written at {at}"));
    let last = verification.last_zxid.map(zxid).unwrap_or_default();
    text.gap();
    for (name, value) in [
        ("last transaction", last + &at.unwrap_or_default()),
        ("path", contents.all.path.clone()),
        ("znodes", contents.all.znodes.to_string()),
        ("data", bytes(contents.all.data_bytes)),
        ("ephemeral znodes", contents.ephemerals.to_string()),
        ("containers", contents.containers.to_string()),
        ("TTL znodes", contents.ttls.to_string()),
        ("sessions", contents.session_count.to_string()),
    ] {
        text.line(Line::plain(format!("  {name:<18}{value}")));
    }
    if contents.top.is_none() {
        let none = format!("There is no znode {}.", contents.all.path);
        text.paragraph("", Line::new(Style::Yellow, none), width);
    }
    text.section(subtrees(contents, width));
    text.section(largest(contents, width));
    text.section(sessions(contents, width));
    text.section(memberships(contents, width));
    text
}

fn subtrees(contents: &DataContents, width: usize) -> Text {
    let columns =
        [Column::words("subtree"), Column::numbers("znodes"), Column::numbers("bytes of data")];
    let mut table = Table::new(columns);
    for part in &contents.subtrees {
        let figures = [part.znodes, part.data_bytes].map(|figure| Line::plain(figure.to_string()));
        table.row([Line::plain(&*part.path)].into_iter().chain(figures));
    }
    left(&mut table, contents.subtree_count, contents.subtrees.len());
    table.to_text(width)
}

fn left(table: &mut Table, all: usize, shown: usize) {
    if all > shown {
        table.across(0, format!("and {} more (--most N)", all - shown));
    }
}

fn largest(contents: &DataContents, width: usize) -> Text {
    let columns = [
        Column::words("largest znodes"),
        Column::numbers("bytes of data"),
        Column::numbers("version"),
        Column::words("last set"),
        Column::words("lives"),
    ];
    let mut table = Table::new(columns);
    for znode in &contents.largest {
        let ZnodeContents { path, data_bytes, version, mtime_ms, mzxid, .. } = znode;
        let at = time(*mtime_ms).map(|at| format!(" {at}")).unwrap_or_default();
        table.row([
            Line::plain(&**path),
            Line::plain(data_bytes.to_string()),
            Line::plain(version.to_string()),
            Line::plain(zxid(*mzxid) + &at),
            Line::plain(lifetime(znode.lifetime)),
        ]);
    }
    table.to_text(width)
}

/// A session as ZooKeeper prints it.
pub fn session_id(id: i64) -> String {
    format!("{id:#x}")
}

fn lifetime(of: ZnodeLifetime) -> String {
    match of {
        ZnodeLifetime::Persistent => String::new(),
        ZnodeLifetime::Ephemeral(session) => format!("with session {}", session_id(session)),
        ZnodeLifetime::Container => "container".to_owned(),
        ZnodeLifetime::Ttl(ms) => format!("TTL {ms} ms"),
    }
}

fn sessions(contents: &DataContents, width: usize) -> Text {
    let columns = [
        Column::words("session"),
        Column::numbers("timeout ms"),
        Column::numbers("ephemeral znodes"),
    ];
    let mut table = Table::new(columns);
    for session in &contents.sessions {
        let timeout = session.timeout_ms.map(|ms| ms.to_string());
        table.row([
            Line::plain(session_id(session.id)),
            Line::plain(timeout.unwrap_or_else(|| "closed".to_owned())),
            Line::plain(session.ephemerals.to_string()),
        ]);
    }
    left(&mut table, contents.session_count, contents.sessions.len());
    table.to_text(width)
}

fn memberships(contents: &DataContents, width: usize) -> Text {
    let mut text = Text::new();
    let mut membership = |head: String, lines: &str| {
        text.paragraph("", head, width);
        lines.lines().for_each(|line| text.line(Line::plain(format!("  {line}"))));
    };
    for logged in &contents.memberships {
        let at = time(logged.time_ms).map(|at| format!(" at {at}")).unwrap_or_default();
        membership(format!("Reconfig {}{at}:", zxid(logged.zxid)), &logged.text);
    }
    let is_last = |logged: &crate::snapshot::LoggedMembership| {
        Some(&logged.text) == contents.membership.as_ref()
    };
    if let Some(now) = &contents.membership
        && !contents.memberships.last().is_some_and(is_last)
    {
        membership("Membership in /zookeeper/config:".to_owned(), now);
    }
    text
}
