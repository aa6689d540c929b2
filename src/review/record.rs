//! The record of a run in Markdown: what was done, when, by whom, with which approvals.

use super::budget::{Part, fit};
use super::escape::{code, prose};
use crate::apply::journal::{Entry, GateOpenedBy, LeavingText, PassedClient, Record, Run};
use crate::render::backup::noted;
use crate::render::run::entry;
use crate::render::{words_for_count, words_for_prediction};
use crate::report::events::KnownBy;
use crate::report::history::HistoryRun;
use crate::report::run::{RunStep, StepEnd};

/// A record is kept, not only shown: nothing of it is left out.
const WHOLE: usize = usize::MAX / 8;

/// Wide enough that no sentence is broken twice.
const WIDE: usize = 120;

const UNPROVEN: &str = "Read without a password: zkplan has not verified who wrote this. Apply \
                        does.";

/// The record of one run. `document` is the same as the journal's; `proven` says whether an operator is
/// proven to have written it.
pub fn record(ensemble: &str, run: &Run, document: &HistoryRun, proven: bool) -> String {
    let mut head = vec![format!("### zkplan: {}, run {}", prose(ensemble), run.number)];
    if !proven {
        head.push(UNPROVEN.to_owned());
    }
    head.push(format!("**{}**", prose(&document.summary.text)));
    if let Ok(header) = &run.header {
        let by = header.opened.for_whom(&header.cause);
        let [by, at, plan_id] = [&by, &header.opened.at, &header.plan_id].map(|text| code(text));
        head.push(format!("Opened by {by} at {at}; plan id {plan_id}."));
        let reason = header.cause.reason.as_deref();
        head.extend(reason.map(|reason| format!("Reason: {}", prose(reason))));
    }
    if let Some(prediction) = &document.prediction {
        let text = words_for_prediction(prediction, None, WIDE).to_string_with(false);
        let words: Vec<&str> = text.split_whitespace().collect();
        head.extend((!words.is_empty()).then(|| prose(&words.join(" "))));
    }
    let not_understood = document.not_understood.keys().map(|number| vec![number.to_string()]);
    let tables = [
        table("Steps", &["step", "done", "config version", "without writes", "at"], {
            document.summary.steps.iter().map(step).collect()
        }),
        table("Approvals", &["step", "what", "by", "at"], approvals(run)),
        table("Clients that were passed", &["server", "session", "from", "owns"], passed(run)),
        table("Servers that leave", &["id", "line", "reached at"], leaving(run)),
        table("Entries that are not understood", &["number"], not_understood.collect()),
        table("Entries of the journal", &["at", "apply", "what"], entries(run)),
    ];
    let parts: Vec<Part> = tables.into_iter().flatten().collect();
    head.join("\n\n") + "\n\n" + &fit(&parts, WHOLE, "")
}

/// The list of runs, oldest first; `older` says which runs are not listed.
pub fn record_of_all(
    ensemble: &str,
    runs: &[HistoryRun],
    older: &[String],
    proven: bool,
) -> String {
    let mut head = vec![format!("### zkplan: runs of {}", prose(ensemble))];
    if !proven {
        head.push(UNPROVEN.to_owned());
    }
    head.extend(older.iter().map(|line| prose(line)));
    let rows: Vec<Vec<String>> = runs.iter().map(row).collect();
    if rows.is_empty() {
        head.push("The journal of this ensemble has no runs.".to_owned());
    }
    let listed = table("Runs", &["run", "opened", "by", "state", "plan"], rows);
    let parts: Vec<Part> = listed.into_iter().collect();
    head.join("\n\n") + "\n\n" + &fit(&parts, WHOLE, "")
}

fn row(run: &HistoryRun) -> Vec<String> {
    let (at, by) = match &run.opened {
        Some(opened) => (code(&opened.at), code(&opened.for_whom())),
        None => (String::new(), String::new()),
    };
    let number = run.summary.run.map(|number| number.to_string()).unwrap_or_default();
    let plan = run.summary.plan_id.as_deref().map(code).unwrap_or_default();
    vec![number, at, by, prose(&run.summary.text), plan]
}

/// A table below its title; nothing where it has no row.
fn table(title: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Option<Part> {
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let titles = columns.iter().map(|&column| column.to_owned()).collect();
    let rule = columns.iter().map(|_| "---".to_owned()).collect();
    let header = [line(titles), line(rule)];
    let rows: Vec<String> = rows.into_iter().map(line).collect();
    (!rows.is_empty()).then(|| {
        let before = [vec![format!("{title}:"), String::new()], header.to_vec()].concat();
        Part::of_rows(title, "row", rows).headed(before)
    })
}

fn step(step: &RunStep) -> Vec<String> {
    let RunStep { step, how, version, known, at, took_ms: _, gap_ms } = step;
    let done = match (how, known) {
        (StepEnd::Committed, Some(KnownBy::Reply)) => "committed, by reply",
        (StepEnd::Committed, Some(KnownBy::ReadBack)) => "committed, read back",
        (StepEnd::Committed, Some(KnownBy::Found)) => "committed, found",
        (StepEnd::Committed, None) => "committed",
        (StepEnd::Done, _) => "done",
        (StepEnd::Skipped, _) => "skipped",
    };
    let gap = gap_ms.map(|ms| format!("{ms} ms")).unwrap_or_default();
    let version = version.as_deref().map(code).unwrap_or_default();
    vec![code(step.as_str()), done.to_owned(), version, gap, code(at)]
}

/// Who ran the apply that wrote a record, as far as the journal has it.
fn by(run: &Run, nonce: &str) -> String {
    let claimed = run.records.iter().find_map(|record| match &record.entry {
        Entry::Claimed { who, .. } if record.nonce == nonce => Some(who.clone()),
        _ => None,
    });
    let opened = run.header.as_ref().ok().filter(|header| header.opened.nonce == nonce);
    let opened = opened.map(|header| header.opened.for_whom(&header.cause));
    claimed.or(opened).map(|who| code(&who)).unwrap_or_default()
}

/// What persons have approved and attested, and gates that needed no approval.
fn approvals(run: &Run) -> Vec<Vec<String>> {
    let row = |record: &Record| {
        let (step, what) = match &record.entry {
            Entry::Passed { step, how: GateOpenedBy::Approved, clients } => {
                let there = words_for_count(clients.len(), "client");
                (step, format!("approved, with {there} on servers that leave"))
            }
            Entry::Passed { step, how: GateOpenedBy::Drained, .. } => {
                (step, "no approval needed: no client was connected any more".to_owned())
            }
            Entry::Attested { step } => (step, "attested: the data directory is blank".to_owned()),
            Entry::Claimed { backup: Some(note), .. } => {
                let by = by(run, &record.nonce);
                return Some(vec![String::new(), prose(&noted(note)), by, code(&record.at)]);
            }
            _ => return None,
        };
        Some(vec![code(step.as_str()), what, by(run, &record.nonce), code(&record.at)])
    };
    run.records.iter().filter_map(row).collect()
}

fn passed(run: &Run) -> Vec<Vec<String>> {
    let clients = run.records.iter().flat_map(|record| match &record.entry {
        Entry::Passed { clients, .. } => clients.as_slice(),
        _ => &[],
    });
    let row = |client: &PassedClient| {
        let owns: Vec<String> = client.owns.iter().map(|path| code(path)).collect();
        vec![client.server.to_string(), code(&client.session), code(&client.from), owns.join(", ")]
    };
    clients.map(row).collect()
}

fn leaving(run: &Run) -> Vec<Vec<String>> {
    let Ok(header) = &run.header else { return Vec::new() };
    let row = |(id, leaving): (&i64, &LeavingText)| {
        let reached = leaving.client.as_deref().map(code).unwrap_or_default();
        vec![id.to_string(), code(&leaving.line), reached]
    };
    header.leaving.iter().map(row).collect()
}

fn entries(run: &Run) -> Vec<Vec<String>> {
    let row =
        |record: &Record| vec![code(&record.at), code(&record.nonce), prose(&entry(&record.entry))];
    run.records.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::apply::journal::{CommitEvidence, Header, MeasuredGap, Stamp};
    use crate::plan::StepId;

    fn run() -> Run {
        let stamp = |nonce: &str| Stamp {
            nonce: nonce.to_owned(),
            who: "ann|<b>".to_owned(),
            host: "ops".to_owned(),
            pid: 7,
            at: "2026-11-29T03:00:00Z".to_owned(),
        };
        let [join, gate, leave] = ["join-4", "gate", "leave-1"].map(StepId::new);
        let committed = |step: &StepId, version: &str, known| Entry::Committed {
            step: step.clone(),
            version: version.to_owned(),
            known,
        };
        let client = PassedClient {
            server: 1,
            session: "0x10001".to_owned(),
            from: "10.0.0.7:40000".to_owned(),
            owns: vec!["/brokers/ids/1".to_owned()],
        };
        let entries = [
            committed(&join, "100000005", CommitEvidence::Reply),
            Entry::Claimed { who: "bob@ci".to_owned(), backup: None },
            Entry::Passed { step: gate, how: GateOpenedBy::Approved, clients: vec![client] },
            committed(&leave, "100000006", CommitEvidence::ReadBack),
            Entry::Closed,
        ];
        let nonces = ["aa", "bb", "bb", "bb", "bb"];
        let records = entries.into_iter().zip(nonces).enumerate().map(|(at, (entry, nonce))| {
            Record::new(entry, nonce.to_owned(), format!("2026-11-29T03:0{at}:09Z"))
        });
        let mut records: Vec<Record> = records.collect();
        records[4].measured = Some(MeasuredGap { step: leave, gap_ms: 150 });
        let line = "server.1=a:1:2:participant;3".to_owned();
        let client = Some("a:3".to_owned());
        let leaving = BTreeMap::from([(1, LeavingText { line, client, tls: false })]);
        let (plan_id, ensemble) = ("sha256:1".to_owned(), "prod".to_owned());
        let header = Header::new(plan_id, ensemble, 1, leaving, stamp("aa"));
        Run { number: 3, header: Ok(header), records, illegible: BTreeMap::new(), last: 5 }
    }

    #[test]
    fn who_approved_what_with_which_clients_is_on_record() {
        let run = run();
        let document = HistoryRun::of(&run, None);
        insta::assert_snapshot!("record", record("prod", &run, &document, false));
        insta::assert_snapshot!("runs", record_of_all("prod", &[document], &[], true));
    }
}
