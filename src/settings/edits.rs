//! The edits of all files that were given.

use std::collections::BTreeSet;

use super::edit::{Edit, EditNote};
use super::restart_order::RestartOrder;
use crate::model::{ServerId, SettingName, WantedSettings};

/// Words without which a plan knows less: who is connected, and whether data are equal.
const WORDS: [&str; 4] = ["conf", "mntr", "cons", "hash"];

/// The edit of the `zoo.cfg` of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEdit {
    /// The server.
    pub server: ServerId,
    /// The name of the file, as it was given.
    pub file: String,
    /// The edit.
    pub edit: Edit,
}

/// The edits of the files that were given, and the order in which their servers are restarted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edits {
    /// One for each file.
    pub files: Vec<FileEdit>,
    /// The order of the servers whose file is edited; `None` where no file is.
    pub order: Option<RestartOrder>,
}

impl Edits {
    /// With the order that follows from who leads now.
    pub fn of(files: Vec<FileEdit>, leader: Option<ServerId>) -> Self {
        let edited = files.iter().filter(|file| !file.edit.is_empty());
        let ids: BTreeSet<ServerId> = edited.clone().map(|file| file.server).collect();
        let enables = edited.clone().any(|file| {
            file.edit.notes.contains(&EditNote::NotAsFlag(SettingName::ReconfigEnabled))
        });
        let order = (!ids.is_empty()).then(|| RestartOrder::of(&ids, leader, enables));
        Self { files, order }
    }
}

/// What a change of the membership needs of every server, beside what a spec wants: reconfigs, the
/// user of the spec as super user if it has one, and the words that zkplan asks.
pub fn needed_for_changes(wanted: &WantedSettings, has_user: bool) -> WantedSettings {
    let mut needed = wanted.clone();
    needed.reconfig_enabled = true;
    needed.superuser |= has_user;
    if needed.four_letter_words.is_empty() {
        needed.four_letter_words = WORDS.map(str::to_owned).into();
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::super::{SuperUser, edit};
    use super::*;

    fn file(server: i64, text: &str) -> FileEdit {
        let needed = needed_for_changes(&WantedSettings::default(), false);
        let edit = edit(text, &needed, SuperUser::OtherScheme).expect("a file");
        FileEdit { server: ServerId::new(server), file: format!("{server}.cfg"), edit }
    }

    #[test]
    fn servers_whose_file_is_as_needed_are_not_restarted() {
        let ready = "reconfigEnabled=true\n4lw.commands.whitelist=*\n";
        let edits = Edits::of(vec![file(1, ""), file(2, ready)], Some(ServerId::new(1)));
        let order = edits.order.expect("server 1 is restarted");
        assert_eq!((order.servers, order.only_forward), (vec![ServerId::new(1)], true));
        assert_eq!(Edits::of(vec![file(2, ready)], None).order, None);
    }

    #[test]
    fn words_alone_do_not_bind_a_roll_to_its_end() {
        let edits = Edits::of(vec![file(1, "reconfigEnabled=true\n")], None);
        assert_eq!(edits.order.map(|order| order.only_forward), Some(false));
    }
}
