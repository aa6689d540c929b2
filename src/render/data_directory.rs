//! What a data directory is, before a server is started with it.

use super::phrases::{self, list, silence};
use super::text::{Line, Style, Text};
use crate::joiner::{
    CatchUp, DataDirectory, DataOrigin, DirectoryData, DirectoryState, EpochVerdict, FileByZxid,
    OriginUnknown, SeedFiles,
};
use crate::model::{Endpoint, Zxid};
use crate::observe::{LeaderData, NoLeaderData};

/// What is said of a data directory.
#[derive(Debug, Clone, Copy)]
pub struct DirectoryScreen<'a> {
    /// Its path, or both paths where logs are elsewhere.
    pub paths: &'a [String],
    /// The same as they are typed.
    pub typed: &'a [String],
    /// What it is.
    pub directory: &'a DataDirectory,
    /// What its files are worth, where they were read.
    pub data: Option<DirectoryData>,
    /// The last transaction in its files, where they were read.
    pub last_zxid: Option<Zxid>,
    /// What the leader of the ensemble says of its data, where it was asked.
    pub leader: Option<&'a LeaderData>,
    /// What the comparison with it shows.
    pub origin: Option<DataOrigin>,
    /// The epoch of the ensemble's leader, where it is known.
    pub leader_epoch: Option<u64>,
    /// Whether its server can follow such a leader.
    pub epoch: EpochVerdict,
    /// Columns of the terminal.
    pub width: usize,
}

/// The screen.
pub fn screen(of: &DirectoryScreen<'_>) -> Text {
    let DirectoryScreen { paths, directory, width, .. } = *of;
    let mut text = Text::new();
    let label = Line::new(Style::Bold, paths.join(" and ")).then(Style::Plain, "  ");
    text.paragraph(label, headline(directory), width);
    for (name, value) in facts(of) {
        text.line(Line::plain(format!("  {name:<15}  {value}")));
    }
    if directory.state == DirectoryState::Blank {
        return text;
    }
    let catch_up = catch_up(of).map(|sentence| (Style::Plain, sentence));
    for (style, sentence) in origin(of).into_iter().chain(epoch(of)).chain(catch_up) {
        text.paragraph("", Line::new(style, sentence), width);
    }
    text.paragraph("", what_to_do(of), width);
    text
}

/// Why a server that is said to lead gives nothing to compare with.
pub fn no_leader(at: &Endpoint, error: NoLeaderData) -> String {
    match error {
        NoLeaderData::Silent(why) => format!("{at} gives no answer to srvr: {}", silence(why)),
        NoLeaderData::NoLeader(mode) => format!("{at} does not lead: its mode is {}", mode.word()),
    }
}

fn headline(directory: &DataDirectory) -> Line {
    let changed = directory.seed.as_ref().filter(|files| !files.are_unchanged());
    let (style, word, sentence) = match directory.state {
        DirectoryState::Blank => (
            Style::Green,
            "Blank.",
            "No server has used it: a joiner that starts with it copies all data.".to_owned(),
        ),
        DirectoryState::Used => (
            Style::Yellow,
            "Used.",
            changed.map_or_else(
                || "A server has run with it, or with what it is a copy of.".to_owned(),
                |files| {
                    format!("An archive was unpacked there and used since: {}.", changes(files))
                },
            ),
        ),
        DirectoryState::Unpacked => (Style::Yellow, "Unpacked.", unchanged()),
        DirectoryState::Seed => (Style::Green, "Seed of this ensemble.", unchanged()),
        DirectoryState::Alien => {
            (Style::Red, "Alien.", "Its data are not those of this ensemble.".to_owned())
        }
        DirectoryState::Damaged => (
            Style::Red,
            "Damaged.",
            changed.map_or_else(
                || "Its files are damaged or incomplete.".to_owned(),
                |files| format!("Since the archive was unpacked there: {}.", changes(files)),
            ),
        ),
    };
    Line::new(style, word).then(Style::Plain, format!(" {sentence}"))
}

fn unchanged() -> String {
    "It holds an unpacked archive, and no server has changed it.".to_owned()
}

/// What became of an unpacked archive.
fn changes(files: &SeedFiles) -> String {
    let SeedFiles { missing, differing, added } = files;
    let of = |names: &[String], is: &str, are: &str| {
        let verb = if names.len() == 1 { is } else { are };
        (!names.is_empty()).then(|| format!("{} {verb}", list(names)))
    };
    let all = [
        of(missing, "is missing", "are missing"),
        of(differing, "has changed", "have changed"),
        of(added, "is new", "are new"),
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// What the comparison with the leader shows.
fn origin(of: &DirectoryScreen<'_>) -> Option<(Style, String)> {
    let (origin, leader) = of.origin.zip(of.leader)?;
    let leader_at = format!("the leader ({})", leader.at);
    let unknown = |why: String| {
        let sentence = format!("{why}. Whether its data are those of this ensemble is not known.");
        (Style::Yellow, sentence)
    };
    Some(match origin {
        DataOrigin::Same { zxid, not_compared } => {
            let rest = match not_compared {
                Some(0) => String::new(),
                Some(1) => " The transaction after it is not compared.".to_owned(),
                Some(more) => format!(" The {more} transactions after it are not compared."),
                None => {
                    " The transactions after it are of a later epoch and not compared.".to_owned()
                }
            };
            let sentence = format!(
                "At zxid {zxid} its data are those of {leader_at}: the digests are equal.{rest} apply \
                 proves the data of a joiner before it adds it."
            );
            (Style::Plain, sentence)
        }
        DataOrigin::Differs { zxid } => {
            let what = "its data differ from those of";
            (Style::Red, format!("At zxid {zxid} {what} {leader_at}: the digests are not equal."))
        }
        DataOrigin::Ahead { zxid } => (
            Style::Red,
            format!("Its last zxid is {zxid}; {leader_at} has only reached {}.", leader.zxid),
        ),
        DataOrigin::Unknown { why } => unknown(match why {
            OriginUnknown::LeaderTooOld => {
                format!("There are no digests to compare: {leader_at} is older than 3.6")
            }
            OriginUnknown::HashNotAllowed => {
                format!("hash is not in the 4lw.commands.whitelist of {leader_at}")
            }
            OriginUnknown::DigestsOff => format!(
                "There are no digests to compare: {leader_at} runs with zookeeper.digest.enabled=false"
            ),
            OriginUnknown::NoAnswer => format!("There was no answer to hash from {leader_at}"),
            OriginUnknown::NoDigestInFiles => format!(
                "There are no digests to compare: {leader_at} lists one for every 128th zxid, and the \
                 logs here have none of those"
            ),
            OriginUnknown::NotListed => format!(
                "The zxid of the newest digest to compare is not in the list of {leader_at}, which \
                 keeps the last 1024 since it started"
            ),
        }),
    })
}

/// What the epoch means, and what is not known because no leader was asked.
fn epoch(of: &DirectoryScreen<'_>) -> Option<(Style, String)> {
    let is_asked = of.origin.is_some();
    match (of.epoch, of.leader_epoch) {
        (EpochVerdict::TooHigh, Some(leaders)) => {
            let accepted = of.directory.accepted_epoch.unwrap_or_default();
            let why = format!(
                "It can never join: acceptedEpoch {accepted} is higher than {leaders}, the epoch of the \
                 ensemble. The server would look for a leader for ever."
            );
            Some((Style::Red, why))
        }
        (EpochVerdict::CanJoin, Some(leaders)) if !is_asked => {
            let why = format!(
                "Its epoch does not keep it from joining (the ensemble's is {leaders}). That its data are \
                 of this ensemble is not known: data of another one can stay beneath what is copied."
            );
            Some((Style::Plain, why))
        }
        (_, None) | (EpochVerdict::NotKnown, _)
            if of.directory.state != DirectoryState::Damaged =>
        {
            let why = "Whether it can join, and whether its data are those of your ensemble, is not \
                       known: add --leader HOST, or the spec of the ensemble.";
            Some((Style::Plain, why.to_owned()))
        }
        _ => None,
    }
}

/// What the leader would send to a server that starts with a seed now.
fn catch_up(of: &DirectoryScreen<'_>) -> Option<String> {
    let is_seed = of.directory.state == DirectoryState::Seed;
    let behind = |missing: u64| {
        let by = phrases::count(missing, "transaction");
        format!("It is {by} behind the leader now")
    };
    Some(match DirectoryScreen::catch_up(of).filter(|_| is_seed)? {
        CatchUp::Diff { missing } => format!(
            "{}. A leader has the last 500 in memory by default: it sends only what is missing (DIFF).",
            behind(missing)
        ),
        CatchUp::Snap { missing } => format!(
            "{}. A leader has the last 500 in memory by default: it sends a whole snapshot (SNAP), unless \
             its logs since then are small beside that. Pack again shortly before the start.",
            behind(missing)
        ),
        CatchUp::NotKnown => {
            "The leader is in a later epoch: whether it sends only what is missing (DIFF) \
                              or a whole snapshot (SNAP) is not known."
                .to_owned()
        }
    })
}

fn what_to_do(of: &DirectoryScreen<'_>) -> String {
    let typed = of.typed.join(" --log-dir ");
    match of.directory.state {
        DirectoryState::Blank => String::new(),
        DirectoryState::Seed => format!(
            "What to do: install it on the joiner (sh install.sh --seed {typed}), unless this is its \
             dataDir already. Then start the server soon."
        ),
        DirectoryState::Unpacked if of.data == Some(DirectoryData::NotProvable) => format!(
            "What to do: nothing shows that its files are whole (zkplan snapshot verify {typed}). A joiner \
             is safe with an empty directory."
        ),
        DirectoryState::Unpacked => {
            "What to do: start no joiner with it before that is known. A joiner is safe with an empty \
             directory."
                .to_owned()
        }
        DirectoryState::Alien => {
            "What to do: start no joiner of this ensemble with it. If it was packed on a member of this \
             ensemble, pack and check again. A joiner is safe with an empty directory."
                .to_owned()
        }
        DirectoryState::Damaged => format!(
            "What to do: start no server with it. zkplan snapshot verify {typed} shows what is wrong. \
             Unpack an archive again, or start the joiner with an empty directory."
        ),
        DirectoryState::Used => "What to do: if this server is a member of an ensemble or has data that \
            you need, keep it. Else stop the server, move version-2 out of the directory (of both, where \
            logs are elsewhere), and keep it until the migration is done. Then check again."
            .to_owned(),
    }
}

impl DirectoryScreen<'_> {
    /// What the leader would send to a server that starts with the files now, where that is asked for.
    pub fn catch_up(&self) -> Option<CatchUp> {
        let is_same = matches!(self.origin, Some(DataOrigin::Same { .. }));
        let (last, leader) = self.last_zxid.zip(self.leader).filter(|_| is_same)?;
        Some(CatchUp::of(last.get(), leader.zxid))
    }
}

fn facts(of: &DirectoryScreen<'_>) -> Vec<(&'static str, String)> {
    let directory = of.directory;
    let none = || "none".to_owned();
    let number = |number: Option<i64>| number.map_or_else(none, |number| number.to_string());
    let file = |file: &Option<FileByZxid>| {
        file.as_ref().map_or_else(none, |file| format!("{} (zxid {})", file.name, file.zxid))
    };
    let my_id = directory.my_id.map_or_else(none, |id| id.to_string());
    let mut facts = vec![("myid", my_id)];
    if directory.state != DirectoryState::Blank {
        facts.push(("acceptedEpoch", number(directory.accepted_epoch)));
        facts.push(("currentEpoch", number(directory.current_epoch)));
        facts.push(("newest snapshot", file(&directory.snapshot)));
        facts.push(("newest log", file(&directory.log)));
        facts.extend(of.last_zxid.map(|zxid| ("last zxid", zxid.to_string())));
    }
    facts
}
