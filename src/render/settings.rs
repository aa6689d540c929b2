//! Settings that differ from the spec, in words, and the edit of a `zoo.cfg` that they need.

use super::changes::text_diff;
use super::phrases::{self, servers};
use super::text::{Line, Style, Text};
use crate::model::{ServerId, SettingName};
use crate::observe::SettingDifference;
use crate::settings::{Edit, EditNote, RestartOrder, SUPER_DIGEST, without_secrets};

/// The settings that differ, with their servers, and what to do about them.
pub(super) fn differ(differences: &[SettingDifference]) -> String {
    let one = |difference: &SettingDifference| {
        let SettingDifference { setting, wanted, seen, servers: on } = difference;
        let why = match setting {
            // What is wanted is longer than what is lacking.
            SettingName::FourLetterWords => seen.clone(),
            _ => format!("wanted {wanted}, seen {seen}"),
        };
        format!("{setting} on {} ({why})", servers(on))
    };
    let all: Vec<String> = differences.iter().map(one).collect();
    format!(
        "settings differ from the spec: {}. Edit the files of these servers; restarts then bring the \
         settings, one server at a time and the leader last: zkplan explain settings",
        all.join("; ")
    )
}

/// The edit of the `zoo.cfg` of a server: a diff, the flags that are needed beside it, and what to
/// know. `file` is the name of the file.
pub fn edit(server: ServerId, file: &str, edit: &Edit, width: usize) -> Text {
    let titles = [file.to_owned(), format!("{file} (edited)")];
    let title = format!("zoo.cfg of server {server}");
    let [before, after] = [&edit.before, &edit.after].map(|text| without_secrets(text));
    let mut text = text_diff(&title, [&before, &after], titles);
    if text.is_empty() {
        let says = if edit.is_empty() { "needs no edit" } else { "has a value to fill in" };
        text.line(Line::plain(format!("{title}: {file} {says}")));
    }
    if !edit.jvm_flags.is_empty() {
        text.line(Line::plain("JVM flags (where they go: zkplan explain packagings):"));
        for flag in &edit.jvm_flags {
            text.line(Line::new(Style::Cyan, format!("  {flag}")));
        }
    }
    for note in words_for_notes(edit) {
        text.paragraph(Line::new(Style::Yellow, "note: "), note, width);
    }
    text
}

/// What to know about an edit, as sentences.
pub fn words_for_notes(edit: &Edit) -> Vec<String> {
    let mut only_in_file: Vec<&'static str> = Vec::new();
    let mut notes = Vec::new();
    for note in &edit.notes {
        match note {
            EditNote::NotAsFlag(setting) => only_in_file.push(setting.key()),
            note => notes.push(sentence(note)),
        }
    }
    if let Some((last, others)) = only_in_file.split_last() {
        notes.push(if others.is_empty() {
            format!("{last} works only in zoo.cfg, not as a JVM flag")
        } else {
            format!("{} and {last} work only in zoo.cfg, not as JVM flags", others.join(", "))
        });
    }
    notes
}

fn sentence(note: &EditNote) -> String {
    match note {
        EditNote::DigestToFill { user } => {
            format!(
                "HASH is a placeholder. Run \"zkplan digest --user {} > super.token\": it shows the whole \
                 line that begins with {SUPER_DIGEST}. Put that line in place of the one with HASH. \
                 The file has only USER:HASH, for new servers: zkplan joiner --token super.token",
                phrases::shell(user)
            )
        }
        EditNote::SecretInFile => {
            "this file holds a secret. With reconfigEnabled=true ZooKeeper rewrites zoo.cfg with \
             mode 0644: every user of the machine can then read it, and zoo.cfg.bak too"
                .to_owned()
        }
        EditNote::OtherScheme => {
            "the super user of connect.auth is not of scheme digest: zkplan adds no key for it \
             (zkplan explain auth)"
                .to_owned()
        }
        EditNote::NotAsFlag(setting) => format!("{setting} works only in zoo.cfg"),
        EditNote::ReplacesFlag => {
            "4lw.commands.whitelist in zoo.cfg replaces a list that is given as a JVM flag: add \
             the words of that list. srvr is always allowed"
                .to_owned()
        }
        EditNote::MaxBufferIgnored => {
            "jute.maxbuffer has no effect in zoo.cfg: it works only as a JVM flag, with the same \
             value on every server and client"
                .to_owned()
        }
        EditNote::TicksApart { from_ms, to_ms } => format!(
            "servers with tickTime {from_ms} and {to_ms} lose each other with this syncLimit between \
             the restarts. First raise syncLimit on every server, so that its own tickTime x syncLimit \
             is more than 2 x the largest tickTime of any server. Only then change tickTime"
        ),
        EditNote::Release(version) => format!(
            "the release is no line of zoo.cfg: install {version} on this server before its restart"
        ),
    }
}

/// In which order servers are restarted.
pub fn restart_order(order: &RestartOrder) -> String {
    let RestartOrder { servers, leader, only_forward } = order;
    let each: Vec<String> = servers
        .iter()
        .map(|id| if Some(*id) == *leader { format!("{id} (leads)") } else { id.to_string() })
        .collect();
    let forward = if *only_forward {
        ". Once begun, finish: after a server with reconfigEnabled=true has led, one that starts with \
         its old file may never serve. Restart such a server with the new file"
    } else {
        ""
    };
    format!(
        "Restart one server at a time, the next when the last one follows again: {}{forward}",
        each.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Bound, WantedSettings};
    use crate::settings::{SuperUser, edit as edit_of};

    #[test]
    fn an_edit_is_shown_as_a_diff_with_what_to_know() {
        let text = "# ours\ntickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir=/d\n";
        let wanted = WantedSettings {
            reconfig_enabled: true,
            superuser: true,
            four_letter_words: ["conf", "hash"].map(str::to_owned).into(),
            numbers: [(SettingName::InitLimit, Bound::AtLeast(30))].into(),
            ..WantedSettings::default()
        };
        let of = edit_of(text, &wanted, SuperUser::Digest("super", None)).expect("an edit");
        let shown = edit(ServerId::new(2), "zk2.cfg", &of, 90).to_string_with(false);
        insta::assert_snapshot!(shown, @r#"
        zoo.cfg of server 2
        --- zk2.cfg
        +++ zk2.cfg (edited)
        @@ -1,5 +1,8 @@
         # ours
         tickTime=2000
        -initLimit=10
        +initLimit=30
         syncLimit=5
         dataDir=/d
        +reconfigEnabled=true
        +DigestAuthenticationProvider.superDigest=super:HASH
        +4lw.commands.whitelist=conf, hash
        note: HASH is a placeholder. Run "zkplan digest --user super > super.token": it shows the
              whole line that begins with DigestAuthenticationProvider.superDigest. Put that line
              in place of the one with HASH. The file has only USER:HASH, for new servers: zkplan
              joiner --token super.token
        note: this file holds a secret. With reconfigEnabled=true ZooKeeper rewrites zoo.cfg with
              mode 0644: every user of the machine can then read it, and zoo.cfg.bak too
        note: 4lw.commands.whitelist in zoo.cfg replaces a list that is given as a JVM flag: add
              the words of that list. srvr is always allowed
        note: reconfigEnabled and initLimit work only in zoo.cfg, not as JVM flags
        "#);
        let user = SuperUser::Digest("super", None);
        let to_fill = edit_of(&of.after, &wanted, user).expect("an edit");
        let shown = edit(ServerId::new(2), "zk2.cfg", &to_fill, 90).to_string_with(false);
        assert!(
            shown.starts_with("zoo.cfg of server 2: zk2.cfg has a value to fill in\n"),
            "{shown}"
        );
        let filled = of.after.replace("super:HASH", "super:y55k");
        let none = edit_of(&filled, &wanted, user).expect("an edit");
        let shown = edit(ServerId::new(2), "zk2.cfg", &none, 90).to_string_with(false);
        assert!(shown.starts_with("zoo.cfg of server 2: zk2.cfg needs no edit\n"), "{shown}");
        let ids = [1, 2, 3].map(ServerId::new).into();
        let order = RestartOrder::of(&ids, Some(ServerId::new(1)), true);
        let shown = restart_order(&order);
        assert!(shown.contains(": 2, 3, 1 (leads). Once begun, finish"), "{shown}");
    }
}
