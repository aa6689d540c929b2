//! A run while it goes, and what came of it.

use std::collections::BTreeSet;

use super::table::{Column, Table};
use super::text::{Line, Style, Text};
use super::{law, signing_in, words};
use crate::apply::journal::{CommitEvidence, Entry, GateOpenedBy, HookEnd, LockText};
use crate::apply::report::{Gap, RunReport};
use crate::apply::{BindProof, Event, Missing, Occupied, Reordered, Wait};
use crate::ensemble::NoAnswer;
use crate::model::{Millis, ServerId};
use crate::observe::{Clients, DataProof, ServerStatus};

/// So many client addresses are named; the rest is counted.
const NAMED_CLIENTS: usize = 8;

/// One line for something that happened; `None` for what only machines want to know.
pub fn line(event: &Event) -> Option<Line> {
    let plain = |text: String| Some(Line::plain(text));
    match event {
        Event::Output { .. } | Event::Recorded(_) | Event::Waiting(_) | Event::Ended(_) => None,
        Event::Attached(at) => Some(Line::new(Style::Dim, format!("session on {at}"))),
        Event::Refused { by, signer } => Some(Line::new(
            Style::Yellow,
            format!("{}; trying another server", signing_in::refused(by, signer)),
        )),
        Event::Run { number, resumed: false, .. } => plain(format!("run {number} begins")),
        Event::Run { number, resumed: true, .. } => plain(format!("run {number} goes on")),
        Event::Fenced { version } => Some(Line::new(
            Style::Dim,
            format!("fenced at config version {version}: no earlier request can be carried out"),
        )),
        Event::DataProven { server, proof } => {
            Some(Line::new(Style::Dim, format!("server {server}: {}", proven(proof))))
        }
        Event::Healing { servers } => Some(Line::new(Style::Yellow, healing(servers))),
        Event::Sent { step, version } => {
            Some(Line::new(Style::Dim, format!("{step} sent, from config version {version}")))
        }
        Event::Committed { step, version, known } => Some(
            Line::new(Style::Green, step.to_string())
                .then(Style::Plain, format!(" committed, config version {version}{}", how(*known))),
        ),
        Event::Done { step } => {
            Some(Line::new(Style::Green, step.to_string()).then(Style::Plain, " done"))
        }
        Event::LeaderChanged { from, to, step: Some(step) } => {
            plain(format!("server {from} hands over to server {to}, as planned with {step}"))
        }
        Event::LeaderChanged { from, to, step: None } => Some(Line::new(
            Style::Yellow,
            format!("server {to} leads instead of server {from}; no step planned that"),
        )),
        Event::Reordered(reordered) => {
            Some(Line::new(Style::Yellow, format!("{}.", another_order(reordered))))
        }
        Event::Locked(by) => Some(Line::new(Style::Yellow, format!("locked by {}", holder(by)))),
        Event::Settling { step } => {
            let what = step.as_ref().map_or("the fence".to_owned(), ToString::to_string);
            Some(Line::new(Style::Yellow, format!("no answer to {what}: looking what came of it")))
        }
        Event::HookStarted { step, argv } => plain(format!("{step} runs {}", words::command(argv))),
        Event::HookEnded { step, how } => {
            let style = if *how == HookEnd::Succeeded { Style::Green } else { Style::Red };
            Some(Line::new(style, format!("{step}: the command {}", hook_end(how))))
        }
        Event::NotNeeded { step } => Some(
            Line::new(Style::Green, step.to_string())
                .then(Style::Plain, " skipped: its server is up, or is started by hand"),
        ),
        Event::NoAnswer { step, server } => {
            Some(Line::new(Style::Yellow, step.to_string()).then(Style::Plain, no_answer(*server)))
        }
        Event::Abandoned { run } => plain(format!("run {run} is abandoned")),
        Event::StopByHand { server } => {
            plain(format!("server {server} is still running without a vote: stop it"))
        }
        Event::VersionMoved { from, to } => Some(Line::new(
            Style::Yellow,
            format!(
                "the config version moved from {from} to {to} and no run tells who did it; the \
                 members are those of the plan"
            ),
        )),
    }
}

fn no_answer(server: ServerId) -> String {
    format!(
        " skipped: server {server} does not answer. Make sure it never starts with its old data"
    )
}

/// Why a reconfig is sent that changes nothing.
fn healing(servers: &BTreeSet<ServerId>) -> String {
    format!(
        "{} holds the configuration and runs with an older one: a reconfig that changes nothing is \
         sent, which puts it in force",
        words::servers(servers)
    )
}

/// Why what is left goes in another order, and in which.
pub fn another_order(reordered: &Reordered) -> String {
    let Reordered { down, back, order } = reordered;
    let who = |ids: &BTreeSet<ServerId>, [one, many]: [&str; 2]| {
        let verb = if ids.len() == 1 { one } else { many };
        (!ids.is_empty()).then(|| format!("{} {verb}", words::servers(ids)))
    };
    let causes = [
        who(down, ["does not answer", "do not answer"]),
        who(back, ["answers again", "answer again"]),
    ];
    let causes: Vec<String> = causes.into_iter().flatten().collect();
    let why =
        if causes.is_empty() { "every member answers".to_owned() } else { words::list(causes) };
    format!(
        "{why}: the steps that are left go in another order, within what the plan grants: {}",
        order.iter().map(ToString::to_string).collect::<Vec<_>>().join(", then ")
    )
}

const fn how(known: CommitEvidence) -> &'static str {
    match known {
        CommitEvidence::Reply => "",
        CommitEvidence::ReadBack => ", read back",
        CommitEvidence::Found => ", found done",
    }
}

/// How a command came to its end.
pub(super) fn hook_end(how: &HookEnd) -> String {
    match how {
        HookEnd::Succeeded => "has done its work".to_owned(),
        HookEnd::Failed(why) => format!("failed: {why}"),
        HookEnd::TimedOut => "did not come to an end in time and was killed".to_owned(),
        HookEnd::NotStarted(why) => format!("could not be started: {why}"),
        HookEnd::Unknown => "was running when the apply died; nobody saw how it ended".to_owned(),
    }
}

/// Who holds a lock, since when, and what for.
pub fn holder(by: &LockText) -> String {
    let LockText { by: stamp, operation, .. } = by;
    format!(
        "{}@{}, process {}, since {}, for {operation}, nonce {}",
        stamp.who, stamp.host, stamp.pid, stamp.at, stamp.nonce
    )
}

/// What a run waits for, as one line.
pub fn waiting(waits: &[Wait]) -> String {
    let all: Vec<String> = waits.iter().map(wait).collect();
    all.join("; ")
}

/// Something that a run waits for.
pub fn wait(wait: &Wait) -> String {
    match wait {
        Wait::Joiner { server, missing } => format!("server {server} {}", self::missing(missing)),
        Wait::Down { server, standing } => {
            let (word, _, more) = words::standing(standing);
            let more = more.map(|more| format!(", {more}")).unwrap_or_default();
            format!("server {server}, a member, is needed: {word}{more}")
        }
        Wait::Syncing { server, is_seen, left_ms } => syncing(*server, *is_seen, *left_ms),
        Wait::Bound { server, by } => {
            format!("server {server} was named; waiting until it is sure to listen there{}", bound(*by))
        }
        Wait::Law(breach) => format!("{}: {}", law::place(breach), law::risk(breach, &[])),
        Wait::Ensemble(why) => why.clone(),
        Wait::PortTaken { server, port } => {
            format!("port {port}, to which server {server} is to move, is taken by somebody")
        }
        Wait::Refused(code) => format!("the leader refused for now: {code}"),
        Wait::Stuck { step, voters } => {
            let what = step.as_ref().map_or("the fence".to_owned(), ToString::to_string);
            let voters: Vec<String> =
                voters.iter().map(|(id, at)| format!("server {id} at {at}")).collect();
            format!(
                "{what} is out and not acknowledged; a majority of these must be up: {}. Restart \
                 nothing: bring back the one that is missing at its address, with its data",
                words::list(voters)
            )
        }
        Wait::NamesItself { server } => format!(
            "server {server} left and does not know it yet; it is not stopped before it does"
        ),
        Wait::StillUp { server } => format!("the stop command of server {server} succeeded and it still answers: does something restart it?"),
        Wait::StopByHand { server } => {
            format!("somebody has to stop server {server} before its id goes to another machine")
        }
        Wait::InClear => {
            "the password may not be sent without TLS to an address that is not on this machine: a \
             host name leads elsewhere now. Use TLS, or --allow-cleartext-auth on a trusted network"
                .to_owned()
        }
        Wait::Connection => {
            "no server of the ensemble takes the session: frozen, down, or without a quorum; zkplan \
             plan SPEC tells which"
                .to_owned()
        }
    }
}

/// What is missing before a joiner may be named.
fn missing(missing: &Missing) -> String {
    match missing {
        Missing::Following { standing, zxids, followed_before, for_long } => {
            let (word, _, more) = words::standing(standing);
            let far = zxids.map(|(own, leaders)| format!("at zxid {own}, the leader at {leaders}"));
            let told: Vec<String> = more.into_iter().chain(far).collect();
            let more =
                if told.is_empty() { String::new() } else { format!(", {}", told.join(", ")) };
            let again = match standing {
                ServerStatus::Silent(NoAnswer::Refused) => {
                    ". If it ran before: a joiner that restarts before it is named ends at once, \
                     for ZooKeeper has rewritten its zoo.cfg without it; lay its first zoo.cfg \
                     down again and start it"
                }
                ServerStatus::NotServing if *followed_before => {
                    "; it followed before and comes back by itself when a leader is elected"
                }
                ServerStatus::NotServing if *for_long => LOOKS_FOR_LONG,
                _ => "",
            };
            format!("does not follow yet ({word}{more}){again}")
        }
        Missing::Ports(own) => {
            let ports = |ports: &[u16]| words::list(ports.iter());
            format!(
                "listens on quorum port {} and election port {}, not where the plan would name \
                 it: it would fail to bind and end",
                ports(&own.quorum),
                ports(&own.election)
            )
        }
        Missing::ElectionPort(port) => {
            format!("follows, but nobody listens at its election port {port}")
        }
        Missing::QuorumPortTaken(port) => {
            format!("follows, but another process has its quorum port {port}: it could never lead")
        }
        Missing::Data { proof, marked_in_vain } => {
            format!(
                "follows; its data are not yet proven to be the leader's{}",
                unproven(proof.as_ref(), *marked_in_vain)
            )
        }
        Missing::Permission(asked) => signing_in::joiner(asked.as_ref()),
        Missing::Stable { left_ms } => {
            let seconds = left_ms.div_ceil(1000);
            format!("follows; watching it {seconds} s more (policy.stableFor)")
        }
    }
}

/// Why a server may run for long without serving.
const LOOKS_FOR_LONG: &str = ". It does so for long: it may still copy much data; it may not reach the \
    others' election ports, or they its own; or its data directory has belonged to another ensemble, \
    whose epoch was higher than the leader's, so that it refuses this leader (its log: \"Leaders epoch \
    ... is less than accepted epoch\"). Has it? Then stop it, move its data directory aside, and start it \
    as a joiner again";

/// Who holds the fence back, and how long.
fn syncing(server: ServerId, is_seen: bool, left_ms: u64) -> String {
    let left = Millis(left_ms);
    if is_seen {
        format!(
            "server {server} copies the leader's data and does not serve yet: a reconfig that commits \
             before it does would not come into force on it. The fence waits for it, at most {left} more"
        )
    } else {
        format!(
            "server {server} runs and does not serve: if it is about to finish copying the leader's \
             data, a reconfig would not come into force on it. The fence waits for it, at most {left} \
             more"
        )
    }
}

/// On what the proof of a bind rests.
fn bound(by: BindProof) -> String {
    match by {
        BindProof::OwnPorts => String::new(),
        BindProof::SettingSeen(ms) => format!(
            ": its tries to bind are over after {}, as its AdminServer tells its \
             zookeeper.electionPortBindRetry",
            Millis(ms)
        ),
        BindProof::DefaultAssumed(ms) => format!(
            ": it does not tell its own ports (conf), so zkplan waits until its tries to bind are over; \
             that is {} if it has ZooKeeper's default, zookeeper.electionPortBindRetry=3, which cannot be \
             seen",
            Millis(ms)
        ),
        BindProof::TriesForEver => {
            ": it tries to bind for ever (zookeeper.electionPortBindRetry=0), so no \
             time proves anything; add conf to its 4lw.commands.whitelist"
                .to_owned()
        }
    }
}

/// Why data are taken for equal.
fn proven(proof: &DataProof) -> String {
    match proof {
        DataProof::Digest(zxid) => format!("data equal to the leader's, by digest at zxid {zxid}"),
        DataProof::Counts { zxid, znodes } => format!(
            "counts equal, content cannot be proven: {} here and on the leader at zxid {zxid}, and \
             zkplan's marker is read on it; no digests to compare",
            words::count(*znodes, "znode")
        ),
        DataProof::Differ
        | DataProof::DigestDiffers(_)
        | DataProof::NoCommonDigest
        | DataProof::Unanswered
        | DataProof::NoDigests { .. }
        | DataProof::NoMarker
        | DataProof::NeverMet => "data not proven".to_owned(),
    }
}

/// In one word, by what data are taken for equal.
pub const fn proof_word(proof: &DataProof) -> &'static str {
    match proof {
        DataProof::Digest(_) => "digest",
        DataProof::Counts { .. } => "counts",
        DataProof::Differ
        | DataProof::DigestDiffers(_)
        | DataProof::NoCommonDigest
        | DataProof::Unanswered
        | DataProof::NoDigests { .. }
        | DataProof::NoMarker
        | DataProof::NeverMet => "nothing",
    }
}

/// The zxid at which data are taken for equal, as ZooKeeper prints it.
pub fn proof_zxid(proof: &DataProof) -> Option<String> {
    match proof {
        DataProof::Digest(zxid) | DataProof::Counts { zxid, .. } => Some(zxid.to_string()),
        _ => None,
    }
}

/// What is missing before data are proven.
fn unproven(proof: Option<&DataProof>, marked_in_vain: Option<usize>) -> String {
    if let Some(marks) = marked_in_vain {
        let marks = words::count_of(marks, "write");
        return format!(
            ": after {marks} to the run's mark the newest digest that both list still differs, and zkplan \
             makes no more. See that both run releases that count digests alike"
        );
    }
    match proof {
        Some(DataProof::NoCommonDigest) => {
            ": no digest of one zxid is listed by both yet".to_owned()
        }
        Some(DataProof::DigestDiffers(zxid)) => format!(
            ": the digest at zxid {zxid} differs, as it may where data were copied under writes; a newer \
             one decides"
        ),
        Some(DataProof::Unanswered) => {
            ": it or the leader gave no answer to the word hash".to_owned()
        }
        Some(DataProof::NoDigests { .. }) => ": there are no digests to compare".to_owned(),
        Some(DataProof::NoMarker) => ": zkplan's marker /zkplan/id is not read on it".to_owned(),
        Some(DataProof::NeverMet) => {
            ": there are no digests to compare, and the two were never asked at one zxid: fewer writes \
             help"
                .to_owned()
        }
        Some(DataProof::Differ | DataProof::Digest(_) | DataProof::Counts { .. }) | None => {
            String::new()
        }
    }
}

/// Clients on servers that leave, a line a server.
pub fn occupied(occupied: &[Occupied], width: usize) -> Text {
    let mut text = Text::new();
    for Occupied { server, clients } in occupied {
        let says = match clients {
            None => "does not tell who is connected".to_owned(),
            Some(Clients { count, addresses }) => {
                let named = addresses.iter().take(NAMED_CLIENTS).cloned().collect::<Vec<_>>();
                let rest = addresses.len().saturating_sub(NAMED_CLIENTS);
                let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
                let from = if named.is_empty() {
                    String::new()
                } else {
                    format!(": {}", named.join(", "))
                };
                format!("{}{from}{rest}", words::count(*count, "client"))
            }
        };
        text.paragraph(Line::plain(format!("  server {server}  ")), says, width);
    }
    text
}

/// What came of an apply.
pub fn report(report: &RunReport, ensemble: &str, finished: bool, width: usize) -> Text {
    let mut text = Text::new();
    let run = report.run.map_or_else(String::new, |(number, resumed)| {
        format!("run {number}{}", if resumed { ", begun earlier" } else { "" })
    });
    let (style, word) = if finished { (Style::Green, "done") } else { (Style::Yellow, "stopped") };
    let head = Line::new(Style::Bold, ensemble)
        .then(Style::Plain, "  ")
        .then(style, word)
        .then(Style::Plain, if run.is_empty() { run } else { format!(", {run}") });
    text.line(head);
    if !report.commits.is_empty() {
        text.gap();
        text.append(commits(report, width));
    }
    text.gap();
    for (from, to, step) in &report.hand_overs {
        let said = match step {
            Some(step) => format!("server {from} handed over to server {to}, planned with {step}"),
            None => {
                format!(
                    "the leader changed from server {from} to server {to}; no step planned that"
                )
            }
        };
        text.paragraph("", said, width);
    }
    if let Some((when, gap)) = report.longest_gap() {
        let when = match when {
            Gap::Around(step) => format!("around {step}"),
            Gap::Away => "while the ensemble did not answer".to_owned(),
            Gap::StillAway => "and still none when this ended".to_owned(),
        };
        let said = format!("Longest time without a committed write of our own: {gap} ms, {when}");
        text.paragraph("", said, width);
    }
    if let (Some(run), None) = (report.abandoned, report.run) {
        let said = format!("Run {run} was abandoned. Nothing else was to be changed.");
        text.paragraph("", said, width);
    }
    if !report.silent_leavers.is_empty() {
        let who = words::servers(&report.silent_leavers);
        let (does, it, its) = match report.silent_leavers.len() {
            1 => ("does", "it never starts", "its"),
            _ => ("do", "they never start", "their"),
        };
        let said = format!(
            "Warning: {who} {does} not answer. Make sure {it} with {its} old data: disable the \
             service, and move zoo.cfg and data away."
        );
        text.paragraph("", Line::new(Style::Yellow, said), width);
    }
    if !report.stop_by_hand.is_empty() {
        let who = words::servers(&report.stop_by_hand);
        let said = format!(
            "Next: stop {who} when no client needs them any more, disable the service, and move \
             zoo.cfg and data away: restored first files would bring an old ensemble back to life."
        );
        text.paragraph("", Line::new(Style::Cyan, said), width);
    }
    text
}

fn commits(report: &RunReport, width: usize) -> Text {
    let mut table = Table::new([
        Column::words("step"),
        Column::words("config version"),
        Column::words("known"),
        Column::numbers("took"),
        Column::numbers("gap"),
    ]);
    let ms = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
    for commit in &report.commits {
        let known = match commit.known {
            CommitEvidence::Reply => "by reply",
            CommitEvidence::ReadBack => "read back",
            CommitEvidence::Found => "found done",
        };
        table.row([
            Line::plain(commit.step.to_string()),
            Line::plain(commit.version.clone()),
            Line::plain(known),
            Line::plain(ms(commit.took_ms)),
            Line::plain(ms(commit.gap_ms)),
        ]);
    }
    table.to_text(width)
}

/// An entry of a run's journal as one line.
pub fn entry(entry: &Entry) -> String {
    match entry {
        Entry::Claimed { who } => format!("taken up by {who}"),
        Entry::FenceIntent { version } => format!("fence, from config version {version}"),
        Entry::Fenced { version, .. } => format!("fenced, config version {version}"),
        Entry::Intent { step, version } => format!("{step}, from config version {version}"),
        Entry::Committed { step, version, known } => {
            format!("{step} committed, config version {version}{}", how(*known))
        }
        Entry::NotApplied { step, because } => format!("{step} not carried out: {because}"),
        Entry::Disarmed { step } => format!(
            "{step} never will be carried out; whether it was, and was undone, cannot be told"
        ),
        Entry::Passed { step, how: GateOpenedBy::Drained } => {
            format!("{step} passed: no client left")
        }
        Entry::Passed { step, how: GateOpenedBy::Approved } => format!("{step} passed: approved"),
        Entry::Attested { step } => format!("{step}: a blank data directory is attested"),
        Entry::HookIntent { step } => format!("{step}: the command is about to run"),
        Entry::HookEnded { step, how } => format!("{step}: the command {}", hook_end(how)),
        Entry::Gone { step } => format!("{step}: the server is gone"),
        Entry::Stopped { why } => format!("stopped: {why}"),
        Entry::Closed => "closed: everything is done".to_owned(),
        Entry::Withdrawn => "closed: nothing but the fence was sent, no command was run".to_owned(),
        Entry::Abandoned { who } => format!("abandoned by {who}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Zxid;

    fn joiner(missing: Missing) -> String {
        wait(&Wait::Joiner { server: ServerId::new(4), missing })
    }

    /// A higher acceptedEpoch cannot be seen from outside: only its own log tells.
    #[test]
    fn a_server_that_looks_for_a_leader_for_long_may_have_been_in_another_ensemble() {
        let looks = |for_long| {
            joiner(Missing::Following {
                standing: ServerStatus::NotServing,
                zxids: None,
                followed_before: false,
                for_long,
            })
        };
        assert!(!looks(false).contains("another ensemble"), "{}", looks(false));
        let long = looks(true);
        for cause in ["copy much data", "election ports", "another ensemble", "accepted epoch"] {
            assert!(long.contains(cause), "{long}");
        }
    }

    #[test]
    fn a_wait_for_proof_says_what_is_missing_and_when_no_more_is_written() {
        let data = |proof, marked_in_vain| joiner(Missing::Data { proof, marked_in_vain });
        assert!(data(Some(DataProof::NoCommonDigest), Some(512)).contains("512 writes"));
        let differs = data(Some(DataProof::DigestDiffers(Zxid::new(0x1_0000_0080))), None);
        assert!(differs.contains("0x100000080") && differs.contains("newer"), "{differs}");
        assert!(data(Some(DataProof::NoMarker), None).contains("/zkplan/id"));
        let counts = DataProof::Counts { zxid: Zxid::new(0x1_0000_0007), znodes: 16 };
        let event = Event::DataProven { server: ServerId::new(4), proof: counts };
        let mut text = Text::new();
        text.line(line(&event).expect("a line"));
        let said = text.to_string_with(false);
        assert!(said.contains("counts equal, content cannot be proven: 16 znodes"), "{said}");
    }

    #[test]
    fn a_wait_for_a_bind_says_on_what_it_rests() {
        let bound = |by| wait(&Wait::Bound { server: ServerId::new(4), by });
        let assumed = bound(BindProof::DefaultAssumed(4000));
        assert!(assumed.contains("4s") && assumed.contains("cannot be seen"), "{assumed}");
        let seen = bound(BindProof::SettingSeen(11_000));
        assert!(seen.contains("11s") && seen.contains("AdminServer"), "{seen}");
        assert!(bound(BindProof::TriesForEver).contains("4lw.commands.whitelist"));
    }
}
