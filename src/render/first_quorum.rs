//! The screens of a standalone server: what it is, the one restart that makes it the first voter, or what
//! is in its way, and the lines while a person does it.

mod hindrances;
mod mistakes;
pub mod restart_progress;

use self::hindrances::hindrances;
use super::phrases::{acceptance, list, servers, silence};
use super::settings;
use super::table::{Column, Table};
use super::text::{Line, Style, Text};
use crate::first_quorum::{FirstQuorum, FirstQuorumAnswer, StandaloneServer, WantedState};
use crate::model::Endpoint;
use crate::plan::Acceptance;
use crate::settings::without_secrets;

pub use self::hindrances::sentence as words_for_hindrance;
pub use self::mistakes::{cause as words_for_cause, looks as words_for_mistake};

/// What a screen is about.
#[derive(Debug, Clone, Copy)]
pub struct FirstQuorumScreen<'a> {
    /// The label of the ensemble.
    pub ensemble: &'a str,
    /// The path of the spec, as a shell takes it; `None` where there is none.
    pub spec: Option<&'a str>,
    /// What can be said.
    pub answer: &'a FirstQuorumAnswer,
    /// The risks that the plan for the other servers includes: all that apply has to accept.
    pub accepts: &'a [Acceptance],
    /// The command that comes next, where there is one.
    pub next: Option<&'a str>,
    /// Columns of the terminal.
    pub width: usize,
}

/// What the server is, the files, the order, what to expect, and what to do if it comes otherwise.
pub fn screen(of: &FirstQuorumScreen<'_>) -> Text {
    let mut text = head(of);
    text.section(present(of.answer.now(), of.width));
    match &of.answer.verdict {
        Ok(first) => {
            text.section(plan(first, of));
            text.section(files(first, of));
            text.section(expected(first, of.width));
            text.section(mistakes::table(first, of.width));
            text.section(way_back(first, of.width));
            let is_alone = first.others.is_empty();
            let lead =
                if is_alone { "Next, after step 1: " } else { "Next, after steps 1 and 2: " };
            text.section(next(lead, of));
        }
        Err(all) => {
            text.section(hindrances(all, (of.ensemble, reached(of)), of.width));
            text.section(next("Next: ", of));
        }
    }
    text
}

/// Where the standalone server was reached.
const fn reached<'a>(of: &FirstQuorumScreen<'a>) -> &'a Endpoint {
    &of.answer.answered.reached.at
}

/// What the server is, and the command that shows more.
pub fn short(of: &FirstQuorumScreen<'_>) -> Text {
    let mut text = head(of);
    text.section(present(of.answer.now(), of.width));
    match &of.answer.verdict {
        Ok(first) => {
            let mut how = Text::new();
            let what = format!(
                "One restart of this server makes it server {}, the only voter of {}; it keeps its \
                 data. Then servers can be added.",
                first.id(),
                of.ensemble
            );
            how.paragraph("", what, of.width);
            how.paragraph("", do_not_start(first, of.spec), of.width);
            text.section(how);
        }
        Err(all) => text.section(hindrances(all, (of.ensemble, reached(of)), of.width)),
    }
    text.section(next("Next: ", of));
    text
}

fn head(of: &FirstQuorumScreen<'_>) -> Text {
    let at = &of.answer.now().at;
    let mut text = Text::new();
    let label = Line::new(Style::Bold, of.ensemble).then(Style::Plain, "  ");
    let what = format!("The server at {at} runs standalone.");
    let more =
        " It is not an ensemble, and no reconfig can add servers to it. Nothing was changed.";
    text.paragraph(label, Line::new(Style::Yellow, what).then(Style::Plain, more), of.width);
    text
}

/// The figures to note before the restart.
fn present(now: &StandaloneServer, width: usize) -> Text {
    let unknown = || "not known".to_owned();
    let version = now.version.map_or_else(unknown, |version| version.to_string());
    let zxid = now.noted.map_or_else(unknown, |noted| noted.zxid.to_string());
    let znodes = now.noted.map_or_else(unknown, |noted| {
        let empty = if noted.is_empty() { ", none of an application" } else { "" };
        format!("{}{empty}", noted.znodes)
    });
    let size = now.bytes.map_or_else(
        || "not known: it does not answer mntr".to_owned(),
        |bytes| format!("about {bytes} bytes"),
    );
    let clients =
        now.connections.map_or_else(unknown, |all| format!("{all}, with those of zkplan"));
    let mut table = Table::new([Column::words("write this down"), Column::words("value now")]);
    for (name, value) in [
        ("ZooKeeper", version),
        ("zxid", zxid),
        ("znodes", znodes),
        ("data", size),
        ("connections", clients),
    ] {
        table.row([Line::plain(name), Line::plain(value)]);
    }
    table.to_text(width)
}

fn plan(first: &FirstQuorum, of: &FirstQuorumScreen<'_>) -> Text {
    let id = first.id();
    let mut text = Text::new();
    text.line(Line::new(Style::Bold, "First quorum: one restart, by a person"));
    let apply = format!("zkplan apply {}{}", of.spec.unwrap_or("SPEC"), flags(of.accepts));
    let mut number = 0;
    let mut step = |what: String| {
        number += 1;
        text.paragraph(Line::plain(format!("  {number}. ")), what, of.width);
    };
    step(format!(
        "Keep a copy of zoo.cfg of server {id}, and of its dataDir and dataLogDir. The copy of \
         zoo.cfg is the way back. Without a copy of the data there is none if server {id} takes the \
         data of other servers."
    ));
    if !first.others.is_empty() {
        step(do_not_start(first, of.spec));
    }
    step(format!(
        "Start {apply}. It waits for the restart, checks that nothing is missing, and then adds the \
         other servers as usual."
    ));
    step(format!(
        "Write the files below, and restart server {id}. Its clients lose their connections for 2 to \
         6 s with little data, longer with much. They keep their sessions if they reconnect before \
         the session timeout."
    ));
    if !first.others.is_empty() {
        let others = servers(first.others.keys());
        step(format!(
            "When apply says that server {id} leads alone, start {others} with the files of zkplan joiner."
        ));
    }
    if !of.accepts.is_empty() {
        text.paragraph(Line::new(Style::Bold, "  Risk: "), risks(of.accepts), of.width);
    }
    text
}

/// The flags that accept these risks, as they are typed after others.
pub fn flags(risks: &[Acceptance]) -> String {
    let all: Vec<String> =
        risks.iter().map(|risk| format!(" --accept {}", acceptance(risk))).collect();
    all.concat()
}

/// What the plan for the other servers costs.
fn risks(risks: &[Acceptance]) -> String {
    let codes = list(risks.iter().map(acceptance));
    let of_two = risks.iter().any(|risk| risk.code == "ZKQ2");
    let of_two = if of_two {
        " While only two servers are voters, writes stop if either fails: keep both running."
    } else {
        ""
    };
    format!("the command above accepts {codes}.{of_two}")
}

/// Why the others must not run yet.
fn do_not_start(first: &FirstQuorum, spec: Option<&str>) -> String {
    let ids: Vec<_> = first.others.keys().collect();
    let unknown = first.others.iter().filter_map(|(id, beside)| match beside {
        WantedState::Unknown(why) => {
            Some(format!("whether server {id} runs is not known: {}", silence(*why)))
        }
        WantedState::NotAsked => {
            Some(format!("whether server {id} runs is not known: it was not asked"))
        }
        _ => None,
    });
    let unknown: Vec<String> = unknown.collect();
    let unknown =
        if unknown.is_empty() { String::new() } else { format!(" ({})", unknown.join("; ")) };
    let (them, verb) = if ids.len() == 1 { ("it", "does") } else { ("they", "do") };
    let voters = ids.len() + 1;
    format!(
        "Do not start {} yet{unknown}. If {them} {verb} start with the lines of all {voters} servers, \
         empty servers can elect each other, and server {} then takes their empty data: all data are \
         lost. zkplan joiner {} --all -o joiners/ writes the files with which {} can only join.",
        servers(ids),
        first.id(),
        spec.unwrap_or("SPEC"),
        if voters == 2 { "it" } else { "they" }
    )
}

fn files(first: &FirstQuorum, of: &FirstQuorumScreen<'_>) -> Text {
    let files = &first.files;
    let mut text = Text::new();
    text.line(Line::new(Style::Bold, format!("Files of server {}", first.id())));
    match &files.data_dir {
        Some(folder) => {
            let folder = folder.trim_end_matches('/');
            text.line(Line::plain(format!("  {folder}/myid holds one line:")));
        }
        None => text.line("  myid, in the dataDir of its zoo.cfg, holds one line:"),
    }
    text.line(Line::new(Style::Cyan, format!("      {}", files.my_id)));
    if let Some(name) = &files.given {
        text.section(settings::edit(first.id(), name, &files.zoo_cfg, of.width));
        return text;
    }
    let port = first.server.client.as_ref().map_or_else(String::new, |client| {
        format!(
            ", also clientPort={} (server.{} ends with the same number)",
            client.port,
            first.id()
        )
    });
    let how = format!(
        "zoo.cfg: keep all lines{port}. Add these lines; if a key exists, change its value:"
    );
    text.paragraph("  ", how, of.width);
    for line in without_secrets(&files.zoo_cfg.after).lines() {
        text.line(Line::new(Style::Cyan, format!("      {line}")));
    }
    for note in settings::words_for_notes(&files.zoo_cfg) {
        text.paragraph(Line::new(Style::Yellow, "  note: "), note, of.width);
    }
    if let Some(spec) = of.spec {
        let more = format!(
            "As a diff of your file: zkplan preflight {spec} --zoo-cfg {}=FILE",
            first.id()
        );
        text.paragraph("  ", Line::new(Style::Dim, more), of.width);
    }
    text
}

/// What apply checks after the restart.
fn expected(first: &FirstQuorum, width: usize) -> Text {
    let mut text = Text::new();
    text.line(Line::new(Style::Bold, "Expected after the restart; apply checks this"));
    let version = first.now.noted.map_or_else(
        || "greater than 0".to_owned(),
        |noted| format!("{:x}", noted.first_version()),
    );
    let znodes = first.now.noted.map_or_else(String::new, |noted| {
        format!(
            " At least {} znodes are there, or fewer if sessions ended or clients deleted some.",
            noted.znodes
        )
    });
    for what in [
        format!("Mode: leader, id {}, config version {version}.", first.id()),
        format!("The membership is the line of server {} alone, with its client port.", first.id()),
        format!("The zxid is of the next epoch.{znodes}"),
        "Sessions and ephemeral znodes are there, and a write commits.".to_owned(),
    ] {
        text.paragraph("  - ", what, width);
    }
    text
}

fn way_back(first: &FirstQuorum, width: usize) -> Text {
    let mut text = Text::new();
    text.line(Line::new(Style::Bold, "The way back"));
    let what = format!(
        "Until another server is added: put the copy of zoo.cfg from step 1 back, and restart server \
         {}. It runs standalone again, with all data, also what was written since. myid may stay.",
        first.id()
    );
    text.paragraph("  ", what, width);
    text
}

/// `lead` says when it is right to type the command.
fn next(lead: &str, of: &FirstQuorumScreen<'_>) -> Text {
    let mut text = Text::new();
    if let Some(next) = of.next {
        text.line(Line::plain(lead).then(Style::Cyan, next));
    }
    text
}

#[cfg(test)]
mod tests;
