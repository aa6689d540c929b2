//! The files of joiners: what was written, what it differs from, and what is to be done with it.

use std::collections::BTreeSet;

use super::changes::text_diff;
use super::phrases::{list, servers};
use super::settings::words_for_notes;
use super::text::{Line, Style, Text};
use crate::joiner::{JoinerFiles, JoinerNote};
use crate::model::ServerId;
use crate::settings::without_secrets;

/// What a screen of files shows.
#[derive(Debug, Clone, Copy)]
pub struct JoinerScreen<'a> {
    /// The label of the ensemble.
    pub ensemble: &'a str,
    /// The joiners with their files; not empty.
    pub joiners: &'a [JoinerFiles],
    /// The folder above those of the joiners, as a shell takes it.
    pub folder: &'a str,
    /// The joiners whose files were there already, the same.
    pub unchanged: &'a BTreeSet<ServerId>,
    /// The server that first becomes the only voter, where it runs standalone now.
    pub after: Option<ServerId>,
    /// Whether `hooks.start` gets the folder of a joiner.
    pub is_by_hook: bool,
    /// The command that makes a token and writes these files again, as it is typed.
    pub with_token: &'a str,
    /// The command that comes next, as it is typed.
    pub next: &'a str,
    /// Columns of the terminal.
    pub width: usize,
}

/// The screen.
pub fn screen(of: &JoinerScreen<'_>) -> Text {
    let mut text = Text::new();
    let ids: Vec<ServerId> = of.joiners.iter().map(|files| files.server).collect();
    let label = Line::new(Style::Bold, of.ensemble).then(Style::Plain, "  ");
    let they = if ids.len() == 1 { "it lists itself" } else { "each lists itself" };
    let what = format!(
        "Files of {}. With them a server can only join: {they} as observer. No server was changed.",
        servers(&ids)
    );
    text.paragraph(label, what, of.width);
    text.append(written(of));
    for group in groups(of.joiners) {
        text.section(zoo_cfg(&group, of.width));
    }
    text.section(members(&of.joiners[0]));
    text.section(to_do(of));
    text.section(notes(of));
    text.line(Line::plain("Next: ").then(Style::Cyan, of.next));
    text
}

/// Where the files are.
fn written(of: &JoinerScreen<'_>) -> Text {
    let mut text = Text::new();
    for files in of.joiners {
        let names: Vec<&str> = files.files().iter().map(|file| file.name).collect();
        let there = of.unchanged.contains(&files.server);
        let verb = if there { "unchanged" } else { "written" };
        let at = format!("{}/{}", of.folder.trim_end_matches('/'), files.server);
        let lead = Line::new(Style::Green, format!("  {verb:<9}  ")).then(Style::Plain, at + "  ");
        text.paragraph(lead, Line::new(Style::Dim, list(names)), of.width);
    }
    text
}

/// Joiners with the same `zoo.cfg`.
fn groups(joiners: &[JoinerFiles]) -> Vec<Vec<&JoinerFiles>> {
    let mut groups: Vec<Vec<&JoinerFiles>> = Vec::new();
    for files in joiners {
        match groups.iter_mut().find(|group| group[0].zoo_cfg.after == files.zoo_cfg.after) {
            Some(group) => group.push(files),
            None => groups.push(vec![files]),
        }
    }
    groups
}

pub(super) fn zoo_cfg(group: &[&JoinerFiles], width: usize) -> Text {
    let JoinerFiles { zoo_cfg, model, .. } = group[0];
    let title = format!("zoo.cfg of {}", servers(group.iter().map(|files| &files.server)));
    let [before, after] = [&zoo_cfg.before, &zoo_cfg.after].map(|text| without_secrets(text));
    let mut text = Text::new();
    if let Some(model) = model {
        let titles = [model.clone(), format!("{}/zoo.cfg", group[0].server)];
        text.append(text_diff(&title, [&before, &after], titles));
    } else {
        text.line(Line::new(Style::Bold, title));
        for line in after.lines() {
            text.line(Line::new(Style::Cyan, format!("  {line}")));
        }
    }
    if !zoo_cfg.jvm_flags.is_empty() {
        text.line(Line::plain(
            "JVM flags, in java.env (where they go: zkplan explain packagings):",
        ));
        for flag in &zoo_cfg.jvm_flags {
            text.line(Line::new(Style::Cyan, format!("  {flag}")));
        }
    }
    for note in words_for_notes(zoo_cfg) {
        text.paragraph(Line::new(Style::Yellow, "note: "), note, width);
    }
    text
}

fn members(files: &JoinerFiles) -> Text {
    let mut text = Text::new();
    let title = "zoo.cfg.dynamic: the present voters, and the joiners as observers";
    text.line(Line::new(Style::Bold, title));
    for line in files.members.to_string().lines() {
        text.line(Line::new(Style::Cyan, format!("  {line}")));
    }
    text
}

/// What is done with the files, server by server.
fn to_do(of: &JoinerScreen<'_>) -> Text {
    let mut text = Text::new();
    let (first, folder) = (&of.joiners[0], of.folder.trim_end_matches('/'));
    text.line(Line::new(Style::Bold, "To do for each of these servers"));
    let mut number = 0;
    let mut step = |what: String| {
        number += 1;
        text.paragraph(Line::plain(format!("  {number}. ")), what, of.width);
    };
    step(format!("Copy {folder}/ID to the server."));
    let paths = &first.paths;
    let logs = paths.log_dir.as_ref().map(|dir| format!(" and {dir}")).unwrap_or_default();
    step(format!(
        "There, as the user that runs ZooKeeper or as root: sh install.sh [--seed DIR] \
         [CONF_DIR [DATA_DIR [DATA_LOG_DIR]]]. For server {} without arguments: {}, {}{logs}. It refuses \
         a data directory that was used, and overwrites nothing. ZooKeeper must be able to write CONF_DIR. \
         With much data, --seed DIR begins with an unpacked archive: zkplan explain archives.",
        first.server, paths.conf_dir, paths.data_dir
    ));
    step(match (of.after, of.is_by_hook) {
        (Some(id), _) => format!(
            "Start ZooKeeper there only when zkplan apply says that server {id} leads alone."
        ),
        (None, true) => "apply starts it: hooks.start gets this folder as {joinerDir}. Let that \
                         command do 1, 2 and the start."
            .to_owned(),
        (None, false) => "Start ZooKeeper there. apply waits until it follows.".to_owned(),
    });
    step(format!(
        "Keep {folder}/ID until the server is a member. ZooKeeper rewrites zoo.cfg when the server \
         follows; one that restarts before it is added needs zoo.cfg and zoo.cfg.dynamic again, with its \
         data as they are."
    ));
    text
}

fn notes(of: &JoinerScreen<'_>) -> Text {
    let mut text = Text::new();
    let all: BTreeSet<JoinerNote> =
        of.joiners.iter().flat_map(|files| files.notes.iter().copied()).collect();
    for note in all {
        let said = match note {
            JoinerNote::NoSuperUser => format!(
                "no super user is set: apply adds no joiner that refuses the user of connect.auth. {}",
                of.with_token
            ),
            JoinerNote::LimitsAssumed => {
                "no server shows its ticks and limits (conf is not in its 4lw.commands.whitelist): \
                 tickTime, initLimit and syncLimit are those of ZooKeeper's sample. Give a zoo.cfg of a \
                 running server: --zoo-cfg FILE"
                    .to_owned()
            }
            JoinerNote::SizeUnknown => {
                "the size of the data is not known (no answer to mntr): initLimit may be too low for \
                 them. zkplan explain ZKP25"
                    .to_owned()
            }
            JoinerNote::NoKeys => {
                "these servers have secure client ports, and zkplan does not know where their keys are. \
                 Give a zoo.cfg of a running server: --zoo-cfg FILE"
                    .to_owned()
            }
        };
        text.paragraph(Line::new(Style::Yellow, "note: "), said, of.width);
    }
    text
}
