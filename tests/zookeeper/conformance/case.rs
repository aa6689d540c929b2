//! A case as data: what is done, in which order, and what ZooKeeper is known to answer.

use zkplan::ensemble::ErrorCode;
use zkplan::model::Role;
use zkplan::simulator::Barred;

/// A rule.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) steps: Vec<Step>,
}

/// One thing that is done.
#[derive(Clone)]
pub(super) struct Step {
    pub(super) deed: AdminAction,
    pub(super) told: Told,
}

/// What came of it, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It was done.
    Done,
    /// It was refused.
    Refused(ErrorCode),
    /// It was done, whether or not the answer came: it races the end of the connection.
    DoneOrLost,
    /// No answer came, or there was no connection to ask on.
    Silent,
    /// The session is over.
    Over,
    /// What was waited for never came.
    Never,
}

/// Which server; who that is may differ from run to run, but not between the two stages.
#[derive(Debug, Clone, Copy)]
pub(super) enum Who {
    Id(i64),
    /// Whoever leads.
    Leader,
    /// One of the voters that do not lead, by ascending id.
    Voter(usize),
    /// Whom the last request was about.
    Last,
    /// The server that led at the first look, and then the other voters of then, by ascending id.
    Then(usize),
}

#[derive(Clone)]
pub(super) enum AdminAction {
    /// Sends a reconfig on a session of its own, and looks at all servers once they are calm.
    Send(Request),
    /// Sends a reconfig on a session of its own, and does not look.
    SendOnly(Request),
    /// Looks at all servers once they are calm.
    Look,
    /// Looks until all servers are calm. Who leads then is left open: it hangs on what a leader had
    /// logged when it stepped down.
    Settle,
    /// Waits until a look finds no quorum.
    FindNoQuorum,
    /// Asks every server for `srvr`, `conf` and `mntr`.
    AskWords,
    /// Opens the session that the following are about.
    Open(Who),
    /// Opens it with that time-out, in milliseconds.
    OpenFor(Who, u64),
    Attach(Who),
    Close,
    /// One transaction.
    Do(&'static [Part]),
    /// One transaction, and by how much it raises the zxid of that server, which the session is on: it
    /// answers when it has applied it, the leader may be later.
    Raise(Who, &'static [Part]),
    /// Creates without a transaction.
    Make(&'static str),
    /// Writes many times in a row.
    SetMany(&'static str, usize),
    /// Reads after a sync.
    See(&'static str),
    /// Reads through another session, on whoever leads.
    SeeFromElsewhere(&'static str),
    /// Waits until another session finds no such znode.
    AwaitGone(&'static str),
    Children(&'static str),
    ProbeWrite,
    ProbeReconfig,
    /// The same, on a session that has proven nobody.
    ProbeWriteAsNobody,
    ProbeReconfigAsNobody,
    Kill(Who),
    Start(Who),
    Freeze(Who),
    Thaw(Who),
    /// Sets `reconfigEnabled=true` in the file of a server.
    Enable(Who),
    /// Waits until a server that runs is seen to try again and again in vain.
    FindBarred(Who, Barred),
    /// Expects it to serve again from now on.
    ExpectBack(Who),
}

/// A part of a transaction.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Check(&'static str, i32),
    Make(&'static str),
    MakeEphemeral(&'static str),
    Set(&'static str),
    Delete(&'static str),
}

/// A reconfig, from the version of now.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) joining: Vec<Line>,
    pub(super) leaving: Vec<Who>,
    /// Whether it names the version of the very first configuration.
    pub(super) stale: bool,
    /// Whether it comes from somebody who has proven nothing.
    pub(super) by_nobody: bool,
    /// Whether it names those who come and go where only the whole list would do.
    pub(super) incremental: bool,
    /// Through whom.
    pub(super) at: Who,
}

/// A server line: that with which the server came, but for what is said here.
#[derive(Clone, Copy)]
pub(super) struct Line {
    pub(super) who: Who,
    pub(super) role: Option<Role>,
    /// Its group and its weight, where they are not those with which it came.
    pub(super) place: Option<(i64, i64)>,
    pub(super) differs: Differs,
}

/// In what a line differs from that with which the server came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Differs {
    InNothing,
    /// A port that nobody has.
    InClientPort,
    InQuorumPort,
    InElectionPort,
    /// It has no client part.
    WithoutClient,
}

pub(super) fn join(who: Who) -> Line {
    Line { who, role: None, place: None, differs: Differs::InNothing }
}

impl Line {
    pub(super) fn observer(self) -> Self {
        Self { role: Some(Role::Observer), ..self }
    }

    pub(super) fn participant(self) -> Self {
        Self { role: Some(Role::Participant), ..self }
    }

    pub(super) fn in_group(self, group: i64, weight: i64) -> Self {
        Self { place: Some((group, weight)), ..self }
    }

    pub(super) fn at_another_client_port(self) -> Self {
        Self { differs: Differs::InClientPort, ..self }
    }

    pub(super) fn at_another_quorum_port(self) -> Self {
        Self { differs: Differs::InQuorumPort, ..self }
    }

    pub(super) fn at_another_election_port(self) -> Self {
        Self { differs: Differs::InElectionPort, ..self }
    }

    pub(super) fn without_client_part(self) -> Self {
        Self { differs: Differs::WithoutClient, ..self }
    }
}

pub(super) fn request(joining: &[Line], leaving: &[Who]) -> Request {
    let (joining, leaving) = (joining.to_vec(), leaving.to_vec());
    Request {
        joining,
        leaving,
        stale: false,
        by_nobody: false,
        incremental: false,
        at: Who::Leader,
    }
}

pub(super) fn joins(line: Line) -> Request {
    request(&[line], &[])
}

pub(super) fn leaves(who: Who) -> Request {
    request(&[], &[who])
}

impl Request {
    pub(super) fn stale(self) -> Self {
        Self { stale: true, ..self }
    }

    pub(super) fn by_nobody(self) -> Self {
        Self { by_nobody: true, ..self }
    }

    pub(super) fn incremental(self) -> Self {
        Self { incremental: true, ..self }
    }

    pub(super) fn through(self, at: Who) -> Self {
        Self { at, ..self }
    }

    pub(super) fn is(self, told: Told) -> Step {
        AdminAction::Send(self).is(told)
    }

    pub(super) fn accepted(self) -> Step {
        self.is(Told::Done)
    }

    pub(super) fn refused(self, code: ErrorCode) -> Step {
        self.is(Told::Refused(code))
    }

    pub(super) fn hands_over(self) -> Step {
        self.is(Told::DoneOrLost)
    }
}

impl AdminAction {
    pub(super) fn is(self, told: Told) -> Step {
        Step { deed: self, told }
    }

    pub(super) fn done(self) -> Step {
        self.is(Told::Done)
    }

    pub(super) fn refused(self, code: ErrorCode) -> Step {
        self.is(Told::Refused(code))
    }
}
