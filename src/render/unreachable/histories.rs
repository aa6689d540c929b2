//! Two ensembles that answer, side by side, and what to do about it.

use super::super::table::{Column, Table};
use super::super::text::{Line, Text};
use super::super::{phrases, retired};
use super::advice::{Reached, shown, todo};
use crate::observe::{Lineage, RetiredBy, TargetEnsemble};

/// The present ensemble, and the one that a wanted server still runs.
pub(super) fn target_before_the_merge(
    present: &Lineage,
    target: &TargetEnsemble,
    width: usize,
) -> Text {
    let mut table = Table::new([
        Column::words(""),
        Column::words("present ensemble"),
        Column::words("other ensemble"),
    ]);
    let mut row = |head: &str, one: String, other: String| {
        table.row([Line::plain(head), Line::plain(one), Line::plain(other)]);
    };
    let other = &target.history;
    // Its ids are its own: those of the present ensemble are other machines.
    row("leader", leads(present), leads(other).replacen("server", "its id", 1));
    let members = |history: &Lineage| phrases::list(history.config.membership.ids());
    row("members", members(present), format!("its ids {}", members(other)));
    let answered = |history: &Lineage| phrases::list(history.answered.iter().map(shown));
    row("answered", answered(present), answered(other));
    let known = |count: Option<u64>| count.map_or("not known".to_owned(), |n| n.to_string());
    for (head, count) in [("znodes", target.znodes), ("clients", target.clients)] {
        row(head, "not asked".to_owned(), known(count));
    }
    table.to_text(width)
}

/// Clients that use it say that it may not be what the spec takes it for.
pub(super) fn before_the_merge(target: &TargetEnsemble, width: usize) -> Text {
    let at = phrases::list(target.wanted.iter().map(|(id, at)| format!("server {id} at {at}")));
    let clients = match target.clients {
        Some(0) => None,
        Some(count) => Some(format!("{} of that ensemble", connected(count))),
        None => Some("zkplan cannot see whether clients use that ensemble".to_owned()),
    };
    if let Some(clients) = clients {
        let right = format!(
            "{clients}. Check the address in the spec: {at}. Do not stop these servers while \
             clients use them."
        );
        return todo(&[&right], width);
    }
    let ids = phrases::servers(target.wanted.iter().map(|(id, _)| id));
    let places = phrases::list(target.wanted.iter().map(|(_, at)| at));
    let stop = format!(
        "Stop every server of the other ensemble: {places} ({ids} of the spec). Do not stop a server \
         of the present ensemble."
    );
    let znodes = target.znodes.map_or_else(String::new, |n| {
        format!(" ({}, with ZooKeeper's own)", phrases::count(n, "znode"))
    });
    let data =
        format!("First make sure that you do not need the data of the other ensemble{znodes}.");
    let ids: Vec<String> = target.wanted.iter().map(|(id, _)| id.to_string()).collect();
    let files = format!(
        "Then write the files with which each of them starts as a joiner: zkplan joiner SPEC {} -o \
         joiners/. Install them with install.sh, and start the servers. A joiner copies the data of \
         the present ensemble.",
        ids.join(" ")
    );
    todo(
        &[
            &data,
            &stop,
            "Move version-2 out of the data directory of each, and out of dataLogDir where it has one. \
             Keep it: do not delete it.",
            &files,
        ],
        width,
    )
}

fn connected(count: u64) -> String {
    let verb = if count == 1 { "is connected to a server" } else { "are connected to servers" };
    format!("{} {verb}", phrases::count(count, "client"))
}

/// Who leads a history.
fn leads(history: &Lineage) -> String {
    match &history.leader {
        Some((Some(id), at)) => format!("server {id} at {}", shown(at)),
        Some((None, at)) => format!("id not known, at {}", shown(at)),
        // A write commits, so a server leads; a static configuration hides which one and where.
        None if history.commits => "none of the servers that were asked".to_owned(),
        None => "none".to_owned(),
    }
}

pub(super) fn side_by_side(histories: &[Lineage; 2], by: Option<&RetiredBy>, width: usize) -> Text {
    let [one, other] = histories;
    let mut table =
        Table::new([Column::words(""), Column::words("ensemble A"), Column::words("ensemble B")]);
    let mut row = |head: &str, show: &dyn Fn(&Lineage) -> String| {
        table.row([Line::plain(head), Line::plain(show(one)), Line::plain(show(other))]);
    };
    row("leader", &leads);
    row("writes", &|history| {
        if history.commits { "commit" } else { "no committed write was seen" }.to_owned()
    });
    row("config version", &|history| history.config.version.to_string());
    row("highest zxid", &|history| {
        history.zxid.map_or_else(|| "not known".to_owned(), |zxid| zxid.to_string())
    });
    if let Some(by) = by {
        let is_it = |history: &Lineage| std::ptr::eq(history, &raw const histories[by.side]);
        let run = format!("retired by run {}", by.run);
        row("members", &|history| if is_it(history) { run.clone() } else { "-".to_owned() });
    }
    row("answered", &|history| phrases::list(history.answered.iter().map(shown)));
    let members = |history: &Lineage| history.config.membership.ids();
    for id in members(one).union(&members(other)) {
        row(&format!("server.{id}"), &|history| {
            let server = history.config.membership.get(*id);
            server.map_or_else(|| "-".to_owned(), |server| server.value().replace(';', " ;"))
        });
    }
    table.to_text(width)
}

pub(super) fn choose_none(
    histories: &[Lineage; 2],
    by: Option<&RetiredBy>,
    reached: Reached,
    width: usize,
) -> Text {
    let [one, other] = histories;
    let mut text = Text::new();
    if let Some(by) = by {
        text.paragraph("", retired::two_histories(by), width);
        text.gap();
    }
    let versions = if one.config.version == other.config.version {
        "Both have the same config version. Every new ensemble starts with it, so it does not \
         show which one is right."
    } else {
        "The higher config version does not show which one is right: an old ensemble that was \
         started again can have it."
    };
    text.paragraph("", versions, width);
    let apart = match reached {
        Reached::BySpec | Reached::BySpecWithSasl => {
            "Stop the servers of the wrong one, or remove their addresses from connect and from \
             the spec, so that only the right one answers."
        }
        Reached::ByFlags => {
            "Stop the servers of the wrong one, or remove their addresses from --connect, so that \
             only the right one answers."
        }
    };
    let put_away = by.map(retired::put_away);
    let mut steps = vec![
        "Find out which one your clients write to: look at the clients of each, and at the last \
         writes.",
        apart,
        "Keep the data directories of both until you are sure. zkplan does not copy writes from \
         one to the other.",
    ];
    steps.splice(1..1, put_away.as_deref());
    text.section(todo(&steps, width));
    text
}

#[cfg(test)]
mod tests {
    use super::super::{Reached, screen};
    use super::*;
    use crate::model::{EnsembleConfig, ServerId, Zxid};
    use crate::observe::ObserveError;
    use crate::render::fixture::{endpoint, lines};

    fn shown(error: &ObserveError) -> String {
        screen("prod-eu", error, Reached::BySpec, 80).to_string_with(false)
    }

    fn history(members: &[i64], leader: i64, version: &str, zxid: u64) -> Lineage {
        let text = format!("{}\nversion={version}", lines(members).join("\n"));
        let at = |number: &i64| endpoint(&format!("10.0.0.{number}"));
        Lineage {
            leader: Some((Some(ServerId::new(leader)), at(&leader))),
            config: EnsembleConfig::parse(&text).unwrap(),
            zxid: Some(Zxid::new(zxid)),
            answered: members.iter().map(at).collect(),
            commits: true,
            identity: None,
        }
    }

    #[test]
    fn a_target_that_runs_an_ensemble_of_its_own() {
        let wanted = [4, 5].map(|id| (ServerId::new(id), endpoint(&format!("10.0.0.{id}"))));
        let mut own = history(&[1, 2], 2, "100000000", 0x1_0000_0007);
        own.answered = wanted.iter().map(|(_, at)| at.clone()).collect();
        own.leader = Some((Some(ServerId::new(2)), endpoint("10.0.0.5")));
        let target = |clients| ObserveError::TargetRuns {
            present: Box::new(history(&[1, 2, 3], 1, "100000000", 0x1_0000_0a11)),
            target: Box::new(TargetEnsemble {
                history: own.clone(),
                wanted: wanted.to_vec(),
                znodes: Some(16),
                clients,
            }),
        };
        insta::assert_snapshot!(shown(&target(Some(0))), @r#"
        prod-eu  Servers 4 and 5 are in the spec and run an ensemble of their own.
                 Nothing was changed.

                    present ensemble                     other ensemble
          leader    server 1 at 10.0.0.1:2181            its id 2 at 10.0.0.5:2181
          members   1, 2 and 3                           its ids 1 and 2
          answered  10.0.0.1:2181, 10.0.0.2:2181 and     10.0.0.4:2181 and 10.0.0.5:2181
                    10.0.0.3:2181
          znodes    not asked                            16
          clients   not asked                            0

        What to do
          - First make sure that you do not need the data of the other ensemble (16
            znodes, with ZooKeeper's own).
          - Stop every server of the other ensemble: 10.0.0.4:2181 and 10.0.0.5:2181
            (servers 4 and 5 of the spec). Do not stop a server of the present ensemble.
          - Move version-2 out of the data directory of each, and out of dataLogDir
            where it has one. Keep it: do not delete it.
          - Then write the files with which each of them starts as a joiner: zkplan
            joiner SPEC 4 5 -o joiners/. Install them with install.sh, and start the
            servers. A joiner copies the data of the present ensemble.
        "#);
        for clients in [Some(2), None] {
            let out = shown(&target(clients));
            let said = out.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(said.contains("Check the address"), "{out}");
            assert!(!said.contains("version-2") && !said.contains("Stop"), "{out}");
        }
    }

    /// A proven run says which side was retired, and it stays a refusal.
    #[test]
    fn two_histories_of_which_one_was_retired() {
        let new = history(&[4, 5, 6], 6, "30000274f", 0x3_0000_2800);
        let old = history(&[1, 2, 3], 3, "500000000", 0x5_0000_0004);
        let ids = |numbers: [i64; 3]| numbers.map(ServerId::new).into();
        let retired = Some(Box::new(RetiredBy {
            run: 1,
            is_closed: true,
            last_entry: "2026-03-02T09:14:05Z".into(),
            side: 1,
            from: ids([1, 2, 3]),
            to: ids([4, 5, 6]),
        }));
        let error = ObserveError::TwoHistories { histories: Box::new([new, old]), retired };
        assert_eq!(
            error.to_string(),
            "servers of two different ensembles answered; run 1 retired members of one of them"
        );
        let text = shown(&error);
        let shown = &text[text.find("server.6").unwrap()..];
        insta::assert_snapshot!(shown, @r#"
        server.6        10.0.0.6:2888:3888:participant  -
                          ;0.0.0.0:2181

        According to the journal, run 1 (done, last entry at 2026-03-02T09:14:05Z)
        retired servers 1, 2 and 3 and moved the ensemble to servers 4, 5 and 6. Now
        servers 1, 2 and 3 serve again. This happens when an old zoo.cfg is restored.
        They may hold writes that the other ensemble does not have: zkplan does not
        choose.

        The higher config version does not show which one is right: an old ensemble that
        was started again can have it.

        What to do
          - Find out which one your clients write to: look at the clients of each, and
            at the last writes.
          - If it is the ensemble that run 1 moved to: move the clients there, then stop
            servers 1, 2 and 3, disable their service, and move their zoo.cfg and data
            away.
          - Stop the servers of the wrong one, or remove their addresses from connect
            and from the spec, so that only the right one answers.
          - Keep the data directories of both until you are sure. zkplan does not copy
            writes from one to the other.
        "#);
        let row = text.lines().find(|line| line.trim_start().starts_with("members")).unwrap();
        insta::assert_snapshot!(row.trim_start(), @"members         -                               retired by run 1");
    }

    #[test]
    fn two_histories_side_by_side() {
        let one = history(&[1, 2, 3], 1, "100000000", 0x1_0000_0a11);
        let other = history(&[4, 5], 5, "100000000", 0x1_0000_0007);
        let error = ObserveError::TwoHistories { histories: Box::new([one, other]), retired: None };
        insta::assert_snapshot!(shown(&error), @r#"
        prod-eu  Servers of two different ensembles answered. zkplan does not guess
                 which one you mean. Nothing was changed.

                          ensemble A                      ensemble B
          leader          server 1 at 10.0.0.1:2181       server 5 at 10.0.0.5:2181
          writes          commit                          commit
          config version  100000000                       100000000
          highest zxid    0x100000a11                     0x100000007
          answered        10.0.0.1:2181, 10.0.0.2:2181    10.0.0.4:2181 and
                          and 10.0.0.3:2181               10.0.0.5:2181
          server.1        10.0.0.1:2888:3888:participant  -
                          ;0.0.0.0:2181
          server.2        10.0.0.2:2888:3888:participant  -
                          ;0.0.0.0:2181
          server.3        10.0.0.3:2888:3888:participant  -
                          ;0.0.0.0:2181
          server.4        -                               10.0.0.4:2888:3888:participant
                                                          ;0.0.0.0:2181
          server.5        -                               10.0.0.5:2888:3888:participant
                                                          ;0.0.0.0:2181

        Both have the same config version. Every new ensemble starts with it, so it does
        not show which one is right.

        What to do
          - Find out which one your clients write to: look at the clients of each, and
            at the last writes.
          - Stop the servers of the wrong one, or remove their addresses from connect
            and from the spec, so that only the right one answers.
          - Keep the data directories of both until you are sure. zkplan does not copy
            writes from one to the other.
        "#);
    }
}
