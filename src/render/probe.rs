//! What the leader says of the next reconfig of a plan (`zkplan plan --probe`).

use super::text::{Line, Style, Text};
use super::words;
use crate::ensemble::{DryRun, ErrorCode};
use crate::model::ServerId;
use crate::plan::{Plan, StepId};

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The plan sends nothing.
    NothingToSend,
    /// The plan awaits these joiners before it sends anything, and they do not follow yet.
    Awaits(Vec<ServerId>),
    /// It was not sent: servers take no connection without a client certificate.
    WantsCertificate {
        /// The step whose request it is.
        step: StepId,
    },
    /// What the leader said.
    Told {
        /// The step whose request it is.
        step: StepId,
        /// What came of it; `None` where no server took a session.
        dry_run: Option<DryRun>,
    },
}

/// What stays open where a probe may not be sent.
const UNPROVEN: &str = "So it is not proven that the leader takes reconfigs and reads these lines, \
                        nor whom it counts as synced; apply learns that from its first request.";

/// Everything that the screen of a probe shows.
#[derive(Debug, Clone, Copy)]
pub struct Screen<'a> {
    /// The plan whose next request it is.
    pub plan: &'a Plan,
    /// What came of it.
    pub answer: &'a Answer,
    /// Columns of the terminal.
    pub width: usize,
}

/// The screen of a probe.
pub fn screen(screen: &Screen<'_>) -> Text {
    let Screen { plan, answer, width } = *screen;
    let (style, said, remedy) = match answer {
        Answer::NothingToSend => {
            (Style::Plain, "there is no reconfig to send, so nothing was asked.".to_owned(), None)
        }
        Answer::Awaits(joiners) => (
            Style::Yellow,
            format!(
                "nothing was sent. The plan first awaits {}, which {} not follow yet.",
                words::servers(joiners),
                if joiners.len() == 1 { "does" } else { "do" }
            ),
            Some("start them (the plan says how) and probe again".to_owned()),
        ),
        Answer::WantsCertificate { step } => (
            Style::Yellow,
            format!(
                "{step} was not sent. The servers take no connection without a client certificate \
                 (ssl.clientAuth=need), and as the holder of one the leader might carry it out. \
                 {UNPROVEN}"
            ),
            Some("the plan stands as it does without a probe".to_owned()),
        ),
        Answer::Told { step, dry_run: None } => (
            Style::Red,
            format!("{step} was not sent: no server took a session without credentials."),
            Some("the plan shows who answers; probe again when the leader does".to_owned()),
        ),
        Answer::Told { step, dry_run: Some(dry_run) } => told(plan, step, *dry_run),
    };
    let mut text = Text::new();
    let lead = Line::new(Style::Bold, "Probe: ");
    text.paragraph(lead, Line::new(style, said), width);
    if let Some(remedy) = remedy {
        text.paragraph(Line::new(Style::Cyan, "       help: "), Line::plain(remedy), width);
    }
    text
}

/// How it looks, what was said, and what to do about it.
fn told(plan: &Plan, step: &StepId, dry_run: DryRun) -> (Style, String, Option<String>) {
    let version = plan.facts.base.version;
    match dry_run {
        DryRun::Sound => (
            Style::Green,
            format!(
                "the leader would accept {step}. Sent without credentials from config version \
                 {version}, it passed every check of the leader's and was refused for want of \
                 permission alone (NoAuth). Nothing was changed."
            ),
            None,
        ),
        DryRun::OpenToAll => (
            Style::Yellow,
            format!(
                "{step} was not sent. A session without credentials may write the configuration of \
                 this ensemble (skipACL=yes, or an ACL of /zookeeper/config that lets anybody \
                 write): the leader would carry it out."
            ),
            Some(
                "anybody who reaches a client port can change the members; set skipACL=no, or mend \
                 the ACL"
                    .to_owned(),
            ),
        ),
        DryRun::NotSent(ErrorCode::SessionClosedRequireSaslAuth) => (
            Style::Yellow,
            format!(
                "{step} was not sent. The servers enforce authentication (-124), and for a user who \
                 is proven the leader might carry it out. {UNPROVEN}"
            ),
            Some("the plan stands as it does without a probe".to_owned()),
        ),
        DryRun::NotSent(code) => (
            Style::Yellow,
            format!(
                "{step} was not sent. Whether the leader asks for permission could not be learned: \
                 it said {code}."
            ),
            Some("the plan stands as it does without a probe".to_owned()),
        ),
        DryRun::NoAnswer => (
            Style::Red,
            format!("the connection was lost before the leader said what it makes of {step}."),
            Some("nothing was changed; plan again, and see who leads".to_owned()),
        ),
        DryRun::CarriedOut => (
            Style::Red,
            format!(
                "{step} WAS CARRIED OUT. The leader refused a write to the configuration for want of \
                 permission, and took this directly after it: somebody opened its ACL in between."
            ),
            Some("plan again from what is there now, and find out who did it".to_owned()),
        ),
        DryRun::Refused(code) => {
            let (why, remedy) = refused(plan, code);
            (
                Style::Red,
                format!(
                    "the leader would refuse {step}: {why} ({}). Nothing was changed.",
                    code.name()
                ),
                Some(remedy),
            )
        }
    }
}

/// Why the leader would refuse, and what to do.
fn refused(plan: &Plan, code: ErrorCode) -> (String, String) {
    let say = |why: &str, remedy: &str| (why.to_owned(), remedy.to_owned());
    match code {
        ErrorCode::NewConfigNoQuorum => say(
            "no quorum of the voters that it leads to is connected to the leader and synced",
            "see which of them stopped or fell behind since the look; zkplan plan SPEC shows it",
        ),
        ErrorCode::BadVersion => (
            format!(
                "the configuration is not that of version {} any more",
                plan.facts.base.version
            ),
            "somebody changed it since the look; plan again".to_owned(),
        ),
        ErrorCode::ReconfigInProgress => say(
            "another reconfig is proposed and not active yet",
            "plan again in a moment; if it stays so, a server of the proposed configuration must \
             come back (zkplan explain ZKQ1)",
        ),
        ErrorCode::BadArguments | ErrorCode::MarshallingError => say(
            "it cannot make a configuration of the request",
            "the leader's log says what it objects to",
        ),
        ErrorCode::ReconfigDisabled => say(
            "it runs with reconfigEnabled=false",
            "set reconfigEnabled=true on every server, restart one after the other, the leader last",
        ),
        ErrorCode::Unimplemented => say(
            "it runs standalone",
            "a standalone server has no members to change (zkplan explain ZKQ11)",
        ),
        ErrorCode::ThrottledOp => say("it is too busy", "probe again when it has less to do"),
        _ => say("it said so", "nothing was changed; the leader's log may tell more"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Scene, id, lines};
    use super::*;

    fn said(answer: &Answer) -> String {
        let checked = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3, 4])).plan();
        let text = screen(&Screen { plan: checked.plan(), answer, width: 100 });
        text.to_string_with(false)
    }

    fn told(dry_run: DryRun) -> String {
        said(&Answer::Told { step: StepId::new("join-4"), dry_run: Some(dry_run) })
    }

    #[test]
    fn it_is_said_what_the_leader_would_do_and_that_nothing_was_changed() {
        insta::assert_snapshot!(told(DryRun::Sound), @r"
        Probe: the leader would accept join-4. Sent without credentials from config version 100000004, it
               passed every check of the leader's and was refused for want of permission alone (NoAuth).
               Nothing was changed.
        ");
        insta::assert_snapshot!(told(DryRun::Refused(ErrorCode::NewConfigNoQuorum)), @r"
        Probe: the leader would refuse join-4: no quorum of the voters that it leads to is connected to the
               leader and synced (NewConfigNoQuorum). Nothing was changed.
               help: see which of them stopped or fell behind since the look; zkplan plan SPEC shows it
        ");
        insta::assert_snapshot!(told(DryRun::OpenToAll), @r"
        Probe: join-4 was not sent. A session without credentials may write the configuration of this
               ensemble (skipACL=yes, or an ACL of /zookeeper/config that lets anybody write): the leader
               would carry it out.
               help: anybody who reaches a client port can change the members; set skipACL=no, or mend the
                     ACL
        ");
        insta::assert_snapshot!(said(&Answer::Awaits(vec![id(4), id(5)])), @r"
        Probe: nothing was sent. The plan first awaits servers 4 and 5, which do not follow yet.
               help: start them (the plan says how) and probe again
        ");
    }

    #[test]
    fn only_what_was_carried_out_is_not_said_to_have_changed_nothing() {
        let refused = ErrorCode::ALL.iter().map(|code| DryRun::Refused(*code));
        let others = [DryRun::Sound, DryRun::NotSent(ErrorCode::NoNode), DryRun::NoAnswer];
        for dry_run in refused.chain(others) {
            let said = told(dry_run).to_lowercase();
            assert!(
                said.contains("nothing was changed") || said.contains("was not sent"),
                "{said}"
            );
        }
        let said = told(DryRun::CarriedOut);
        assert!(said.contains("WAS CARRIED OUT") && !said.contains("othing was"), "{said}");
    }
}
