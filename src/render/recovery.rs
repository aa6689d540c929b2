//! The screens of `zkplan recover`: what survived, what may be lost, and what is written.

use super::data_files::time;
use super::file_findings::{bytes, file_finding, zxid};
use super::joiner_files::zoo_cfg;
use super::phrases::{self, capital, count_of, list, servers};
use super::table::{Column, Table};
use super::text::{Line, Style, Text};
use crate::joiner::JoinerNote;
use crate::model::{Membership, ServerId};
use crate::recovery::{
    Assessment, ConfigSource, History, LossBound, Losses, RecoveryPlan, RecoveryRefusal, Standing,
    Survivor, WayBack,
};
use crate::snapshot::DataVerdict;

/// What a recovery shows.
#[derive(Debug, Clone, Copy)]
pub struct RecoveryScreen<'a> {
    /// The label of the ensemble.
    pub ensemble: &'a str,
    /// What the directories mean.
    pub assessment: &'a Assessment,
    /// What would be written, or was; `None` where nothing is to be written.
    pub plan: Option<&'a RecoveryPlan>,
    /// Whether it was written.
    pub is_written: bool,
    /// The command that comes next, as it is typed.
    pub next: &'a str,
    /// Columns of the terminal.
    pub width: usize,
}

/// The screen.
pub fn screen(of: &RecoveryScreen<'_>) -> Text {
    let mut text = Text::new();
    let label = Line::new(Style::Bold, of.ensemble).then(Style::Plain, "  ");
    text.paragraph(label, summary(of), of.width);
    if of.is_written {
        text.section(what_is_written(of));
        return text;
    }
    text.section(directories(of));
    let mut in_force = Text::new();
    in_force.paragraph("", configuration(of.assessment), of.width);
    text.section(in_force);
    if let Standing::Lost { way_back, losses, .. } = &of.assessment.standing {
        text.section(way(way_back, of));
        text.section(losses.as_ref().map(|lost| losses_of(lost, of)).unwrap_or_default());
    }
    if let Some(refusal) = &of.assessment.refusal {
        let mut refused = Text::new();
        refused.paragraph(Line::new(Style::Red, "Refused: "), words(refusal), of.width);
        text.section(refused);
    }
    text.section(what_is_written(of));
    text
}

/// The files, what to do with them, and the next command.
fn what_is_written(of: &RecoveryScreen<'_>) -> Text {
    let mut text = Text::new();
    if let Some(plan) = of.plan {
        text.section(written(plan, of));
        if !of.is_written {
            text.section(zoo_cfg(&[&plan.files], of.width));
        }
        text.section(to_do(plan, of));
    }
    text.gap();
    text.line(Line::plain("Next: ").then(Style::Cyan, of.next));
    text
}

/// The outcome in one line.
pub fn summary(of: &RecoveryScreen<'_>) -> Line {
    let members = &of.assessment.config.members;
    match &of.assessment.standing {
        Standing::Quorum { start } => {
            let voters = start.intersection(&members.voters()).copied().collect::<Vec<_>>();
            let are = if voters.len() == 1 { "is" } else { "are" };
            Line::new(Style::Green, "Nothing needs recovering.").then(
                Style::Plain,
                format!(
                    " {} {are} a quorum: start {}. Nothing was written.",
                    capital(&servers(&voters)),
                    if start.len() == 1 { "it" } else { "them" }
                ),
            )
        }
        Standing::Lost { way_back, .. } => {
            let voters = members.voters();
            let left: Vec<ServerId> = voters.difference(&way_back.missing).copied().collect();
            let has = match left.as_slice() {
                [] => "none has usable data here".to_owned(),
                [one] => format!("only {one} has usable data here"),
                more => format!("only {} have usable data here", ids(more)),
            };
            let done = if of.is_written {
                "The files of a new first voter were written."
            } else {
                "Nothing was written."
            };
            let what = format!(" Of voters {}, {has}. {done}", ids(&voters));
            Line::new(Style::Red, "No quorum.").then(Style::Plain, what)
        }
    }
}

fn ids<T: ToString>(all: impl IntoIterator<Item = T>) -> String {
    list(all)
}

fn directories(of: &RecoveryScreen<'_>) -> Text {
    let columns = [
        Column::numbers("server"),
        Column::paths("data in"),
        Column::numbers("epoch"),
        Column::words("last zxid"),
        Column::words("last write at"),
        Column::words("files"),
    ];
    let mut table = Table::new(columns);
    let chosen = match &of.assessment.standing {
        Standing::Lost { chosen, .. } if of.assessment.refusal.is_none() => *chosen,
        Standing::Lost { .. } | Standing::Quorum { .. } => None,
    };
    for survivor in &of.assessment.survivors {
        let of_history = |word: &dyn Fn(History) -> String| {
            Line::plain(survivor.history.map(word).unwrap_or_default())
        };
        let taken = if chosen == Some(survivor.id) { ", taken" } else { "" };
        let (style, word) = state(survivor);
        table.row([
            Line::plain(survivor.id.to_string()),
            Line::plain(survivor.paths.join(" and ")),
            of_history(&|history| history.epoch.to_string()),
            of_history(&|history| zxid(history.zxid)),
            Line::plain(survivor.last_time_ms.and_then(time).unwrap_or_default()),
            Line::new(style, word).then(Style::Bold, taken),
        ]);
    }
    let mut text = table.to_text(of.width);
    for survivor in &of.assessment.survivors {
        if !survivor.left_out.is_empty() {
            let what = format!(
                "damaged and not needed: {}. Move it out of version-2 before that server starts again.",
                list(&survivor.left_out)
            );
            text.paragraph(format!("  server {}: ", survivor.id), what, of.width);
        }
        let Some(finding) = &survivor.finding else { continue };
        if survivor.verdict == DataVerdict::Whole {
            continue;
        }
        let lead = Line::new(state(survivor).0, format!("  server {}: ", survivor.id));
        text.paragraph(lead, file_finding(finding) + ".", of.width);
    }
    text
}

fn state(survivor: &Survivor) -> (Style, &'static str) {
    match survivor.verdict {
        _ if survivor.is_written => (Style::Yellow, "being written"),
        DataVerdict::Whole => (Style::Green, "whole"),
        DataVerdict::NotProvable => (Style::Yellow, "not provable"),
        DataVerdict::Damaged => (Style::Red, "damaged"),
    }
}

fn configuration(of: &Assessment) -> String {
    let version = of.config.version.map(|version| format!(" version {version}"));
    let source = match &of.config.source {
        ConfigSource::Data(id) => format!("from the data of server {id}"),
        ConfigSource::ZooCfg(name) => format!("from {name}"),
        ConfigSource::Spec => "from the spec: no file of a server has one".to_owned(),
    };
    let observers = of.config.members.servers().filter(|server| !server.votes());
    let observers: Vec<ServerId> = observers.map(|server| server.id).collect();
    let observers = if observers.is_empty() {
        String::new()
    } else {
        format!(", observers {}", ids(observers))
    };
    format!(
        "Configuration in force{}, {source}: voters {}{observers}.",
        version.unwrap_or_default(),
        ids(of.config.members.voters())
    )
}

/// What loses nothing, and comes before everything else.
fn way(back: &WayBack, of: &RecoveryScreen<'_>) -> Text {
    let mut text = Text::new();
    let lead = Line::new(Style::Bold, "First try the way back, which loses nothing. ");
    let enough = if back.enough == 1 && back.alone.len() == back.missing.len() {
        "One of these with its data is enough".to_owned()
    } else if back.alone.is_empty() {
        format!("{} of these with their data are enough", back.enough)
    } else {
        format!("{} with its data is enough", capital(&servers_or(&back.alone)))
    };
    let how = format!(
        "{enough}: start it where its disk still is, or read the disk here and add --data ID=DIR to \
         this command."
    );
    text.paragraph("", lead.then(Style::Plain, how), of.width);
    for id in &back.missing {
        let at = place(&of.assessment.config.members, *id);
        text.line(format!("  server {id}{at}"));
    }
    text
}

fn servers_or(ids: &std::collections::BTreeSet<ServerId>) -> String {
    let all: Vec<String> = ids.iter().map(ToString::to_string).collect();
    format!("server {}", all.join(" or "))
}

fn place(members: &Membership, id: ServerId) -> String {
    let peer = members.get(id).map(crate::model::Server::peer);
    peer.map(|peer| format!(" at {}:{}", peer.host, peer.quorum_port)).unwrap_or_default()
}

fn losses_of(lost: &Losses, of: &RecoveryScreen<'_>) -> Text {
    let mut text = Text::new();
    let at = lost.after_time_ms.and_then(time).map(|at| format!(" ({at})")).unwrap_or_default();
    let reached = format!("zxid {}{at}", zxid(lost.after.zxid));
    let what = match lost.bound {
        LossBound::NothingAcknowledged => format!(
            "no acknowledged write. The missing voters alone are no quorum, so that each acknowledged \
             write is in one of these directories, and with that in the one with the highest epoch and \
             zxid, which ends at {reached}."
        ),
        LossBound::Unknown => format!(
            "every write after {reached}. Clients may have been answered that such writes are done. No \
             upper bound is known: these files do not show how far the missing servers went."
        ),
    };
    let lead = Line::new(Style::Bold, "What may be lost: ");
    text.paragraph("", lead.then(Style::Plain, what), of.width);
    for (id, history) in &lost.beyond {
        let what = format!(
            "server {id} has damaged files that go on to epoch {}, zxid {}: what they have after zxid {} \
             is lost",
            history.epoch,
            zxid(history.zxid),
            zxid(lost.after.zxid)
        );
        text.paragraph(Line::new(Style::Yellow, "  note: "), what + ".", of.width);
    }
    if let Some(epoch) = lost.later_epoch {
        let what = format!(
            "a survivor has accepted epoch {epoch}, and the data end in epoch {}: a leader of epoch {epoch} \
             may have committed writes that are in none of these files.",
            lost.after.epoch
        );
        text.paragraph(Line::new(Style::Yellow, "  note: "), what, of.width);
    }
    text
}

/// Why nothing can be written.
pub fn words(refusal: &RecoveryRefusal) -> String {
    match refusal {
        RecoveryRefusal::Running(running) => format!(
            "{} {} to {} files now. recover is for servers that do not run: stop {}, and run the command \
             again.",
            servers(running),
            if running.len() == 1 { "writes" } else { "write" },
            if running.len() == 1 { "its" } else { "their" },
            if running.len() == 1 { "it" } else { "them" },
        ),
        RecoveryRefusal::TwoEnsembles([one, other]) => format!(
            "the data of servers {one} and {other} have different members under one config version: they \
             are of two ensembles. Check the paths."
        ),
        RecoveryRefusal::NothingUsable => {
            "no directory is usable. Look for another copy: a backup, an \
             archive of zkplan snapshot pack, the disk of a missing server."
                .to_owned()
        }
        RecoveryRefusal::HighestDamaged { damaged, usable } => format!(
            "server {damaged} has the highest epoch and zxid, and its files are damaged. Make a copy of them \
             and look for what is missing there first. --take {usable} begins with the data of server \
             {usable} instead, and gives up what only server {damaged} has."
        ),
        RecoveryRefusal::TakenDamaged(id) => {
            format!("the files of server {id} are damaged: no ensemble can begin with them.")
        }
        RecoveryRefusal::TakenIsLower { taken, highest } => format!(
            "server {highest} has a higher epoch or zxid than server {taken}, and its files are usable. \
             Leave --take {taken} out."
        ),
    }
}

fn written(plan: &RecoveryPlan, of: &RecoveryScreen<'_>) -> Text {
    let mut text = Text::new();
    let verb = if of.is_written { "Written" } else { "What would be written" };
    let folder = plan.folder.as_deref().unwrap_or("DIR").trim_end_matches('/').to_owned();
    let id = plan.voter.server.id;
    text.line(Line::new(Style::Bold, verb).then(Style::Plain, format!(" to {folder}:")));
    let names: Vec<&str> = plan.files.files().iter().map(|file| file.name).collect();
    let mut row = |name: String, what: String| {
        text.paragraph(Line::new(Style::Green, format!("  {name}  ")), what, of.width);
    };
    row(format!("{id}/"), list(names));
    let size: u64 = plan.copied.iter().map(|file| file.bytes).sum();
    row(
        format!("{id}/version-2/"),
        format!("a copy of {} ({})", count_of(plan.copied.len(), "data file"), bytes(size)),
    );
    for file in &plan.copied {
        row(format!("    {}", file.name), bytes(file.bytes));
    }
    row(
        format!("    currentEpoch {}", plan.voter.current_epoch),
        "the epoch of the data".to_owned(),
    );
    row(
        format!("    acceptedEpoch {}", plan.voter.accepted_epoch),
        format!(
            "the new ensemble begins in epoch {}, far above any that the old servers had",
            plan.voter.epoch()
        ),
    );
    row(plan.spec.clone(), format!("the spec of the new ensemble: server {id} alone"));
    text.line(Line::new(Style::Cyan, format!("  {}", plan.voter.server)));
    text
}

fn to_do(plan: &RecoveryPlan, of: &RecoveryScreen<'_>) -> Text {
    let mut text = Text::new();
    let folder = plan.folder.as_deref().unwrap_or("DIR").trim_end_matches('/').to_owned();
    let (id, host) = (plan.voter.server.id, &plan.voter.server.peer().host);
    let title = if of.is_written { "To do now" } else { "To do when it is written" };
    text.line(Line::new(Style::Bold, title));
    let old = servers(&of.assessment.config.members.ids());
    let paths = &plan.files.paths;
    let logs = paths.log_dir.as_ref().map(|dir| format!(" and {dir}")).unwrap_or_default();
    let steps = [
        format!(
            "Keep {old} from starting, wherever they are: two or more of them could serve clients with the \
             old data. They cannot join server {id}. Keep their data directories: zkplan changes none."
        ),
        format!(
            "Copy {folder}/{id} to {host}. There: sh install.sh [CONF_DIR [DATA_DIR [DATA_LOG_DIR]]]. Without \
             arguments: {}, {}{logs}. It overwrites nothing: move an old zoo.cfg away first.",
            paths.conf_dir, paths.data_dir
        ),
        format!("Start ZooKeeper there. Server {id} leads alone and serves the data."),
        format!(
            "Add servers with ids above {id} and empty data directories to {folder}/{}; then zkplan joiner, \
             zkplan plan and zkplan apply.",
            phrases::shell(&plan.spec)
        ),
    ];
    for (at, step) in steps.into_iter().enumerate() {
        text.paragraph(Line::plain(format!("  {}. ", at + 1)), step, of.width);
    }
    for note in &plan.files.notes {
        let said = match note {
            JoinerNote::NoSuperUser => {
                "no super user is set, so that server can be changed by no client: add --zoo-cfg FILE of an \
                 old server, or --token FILE (zkplan explain auth)."
            }
            JoinerNote::LimitsAssumed => {
                "tickTime, initLimit and syncLimit are those of ZooKeeper's sample: add --zoo-cfg FILE of an \
                 old server."
            }
            JoinerNote::NoKeys => {
                "it has a secure client port, and zkplan does not know where its keys are: add --zoo-cfg \
                 FILE of an old server."
            }
            JoinerNote::SizeUnknown => continue,
        };
        text.paragraph(Line::new(Style::Yellow, "note: "), said, of.width);
    }
    text
}
