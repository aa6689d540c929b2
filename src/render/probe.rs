//! What the leader says of the next reconfig of a plan (`zkplan plan --probe`).

use super::phrases;
use super::text::{Line, Style, Text};
use crate::check::ENABLE_RECONFIG;
use crate::ensemble::{DryRun, ErrorCode};
use crate::model::ServerId;
use crate::plan::{Plan, StepId};

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeAnswer {
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
    Checked {
        /// The step whose request it is.
        step: StepId,
        /// What came of it; `None` where no server took a session.
        dry_run: Option<DryRun>,
    },
}

/// What stays open where a probe may not be sent.
const UNPROVEN: &str = "So three things are not proven: that the leader accepts reconfigs, that \
                        it can read these server lines, and which servers it counts as synced. \
                        apply learns them from its first request.";

/// Everything that the screen of a probe shows.
#[derive(Debug, Clone, Copy)]
pub struct ProbeScreen<'a> {
    /// The plan whose next request it is.
    pub plan: &'a Plan,
    /// What came of it.
    pub answer: &'a ProbeAnswer,
    /// Columns of the terminal.
    pub width: usize,
}

/// The screen of a probe.
pub fn screen(screen: &ProbeScreen<'_>) -> Text {
    let ProbeScreen { plan, answer, width } = *screen;
    let (style, said, remedy) = match answer {
        ProbeAnswer::NothingToSend => {
            (Style::Plain, "the plan has no reconfig. Nothing was sent.".to_owned(), None)
        }
        ProbeAnswer::Awaits(joiners) => (
            Style::Yellow,
            format!(
                "nothing was sent. The plan first waits for {}, which {} not follow yet.",
                phrases::servers(joiners),
                if joiners.len() == 1 { "does" } else { "do" }
            ),
            Some("start the joiners (the plan shows how) and probe again".to_owned()),
        ),
        ProbeAnswer::WantsCertificate { step } => (
            Style::Yellow,
            format!(
                "{step} was not sent. The servers accept no connection without a client \
                 certificate (ssl.clientAuth=need), and the leader could carry out a request that \
                 comes with one. {UNPROVEN}"
            ),
            Some(NOTHING_PROVEN.to_owned()),
        ),
        ProbeAnswer::Checked { step, dry_run: None } => (
            Style::Red,
            format!("{step} was not sent: no server accepted a session without credentials."),
            Some(
                "the plan shows which servers answer; probe again when the leader answers"
                    .to_owned(),
            ),
        ),
        ProbeAnswer::Checked { step, dry_run: Some(dry_run) } => checked(plan, step, *dry_run),
    };
    let mut text = Text::new();
    let lead = Line::new(Style::Bold, "Probe: ");
    text.paragraph(lead, Line::new(style, said), width);
    if let Some(remedy) = remedy {
        let lead = if remedy == NOTHING_PROVEN { "       note: " } else { "       help: " };
        text.paragraph(Line::new(Style::Cyan, lead), Line::plain(remedy), width);
    }
    text
}

/// What a probe that could not be sent leaves open: nothing is to be done about it.
const NOTHING_PROVEN: &str = "the probe proved nothing; apply checks this with its first request";

/// How it looks, what was said, and what to do about it.
fn checked(plan: &Plan, step: &StepId, dry_run: DryRun) -> (Style, String, Option<String>) {
    let version = plan.facts.base.version;
    match dry_run {
        DryRun::Sound => (
            Style::Green,
            format!(
                "the leader would accept {step}. The request was sent without credentials, from \
                 config version {version}. It passed every check except the last one, permission \
                 (NoAuth). Nothing was changed."
            ),
            None,
        ),
        DryRun::OpenToAll => (
            Style::Yellow,
            format!(
                "{step} was not sent. A session without credentials may write the configuration \
                 of this ensemble (skipACL=yes, or the ACL of /zookeeper/config lets every client \
                 write). The leader would carry it out."
            ),
            Some(
                "every client that can reach a client port can change the members; set \
                 skipACL=no, or correct the ACL"
                    .to_owned(),
            ),
        ),
        DryRun::NotSent(ErrorCode::SessionClosedRequireSaslAuth) => (
            Style::Yellow,
            format!(
                "{step} was not sent. The servers enforce authentication (-124), and the leader \
                 could carry out a request of an authenticated user. {UNPROVEN}"
            ),
            Some(NOTHING_PROVEN.to_owned()),
        ),
        DryRun::NotSent(code) => (
            Style::Yellow,
            format!(
                "{step} was not sent. zkplan could not find out whether the leader checks \
                 permissions: it answered {code}."
            ),
            Some(NOTHING_PROVEN.to_owned()),
        ),
        DryRun::NoAnswer => (
            Style::Red,
            format!("the connection was lost before the leader answered {step}."),
            Some("nothing was changed; plan again, and check which server leads".to_owned()),
        ),
        DryRun::CarriedOut => (
            Style::Red,
            format!(
                "{step} WAS CARRIED OUT. The leader refused a write to the configuration (NoAuth) \
                 and accepted this request directly after it: the ACL was opened in between."
            ),
            Some(
                "plan again from the present ensemble, and find out who opened the ACL".to_owned(),
            ),
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
            "too few of the next voters are connected to the leader and synced for a quorum",
            "find out which of them stopped or fell behind; zkplan plan SPEC shows it",
        ),
        ErrorCode::BadVersion => (
            format!("the config version is not {} any more", plan.facts.base.version),
            "the configuration was changed since zkplan read it; plan again".to_owned(),
        ),
        ErrorCode::ReconfigInProgress => say(
            "another reconfig is proposed and not yet active",
            "plan again in a moment; if this stays, start the servers of the proposed \
             configuration (zkplan explain ZKQ1)",
        ),
        ErrorCode::BadArguments | ErrorCode::MarshallingError => {
            say("it cannot read the request as a configuration", "the leader's log has the reason")
        }
        ErrorCode::ReconfigDisabled => say("it runs with reconfigEnabled=false", ENABLE_RECONFIG),
        ErrorCode::Unimplemented => say(
            "it runs standalone",
            "a standalone server has no members to change (zkplan explain ZKQ11)",
        ),
        ErrorCode::ThrottledOp => say("it is too busy", "probe again when the leader is less busy"),
        _ => say("it refused", "nothing was changed; the leader's log may have the reason"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Scene, id, lines};
    use super::*;

    fn said(answer: &ProbeAnswer) -> String {
        let checked = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3, 4])).plan();
        let text = screen(&ProbeScreen { plan: checked.plan(), answer, width: 100 });
        text.to_string_with(false)
    }

    fn checked(dry_run: DryRun) -> String {
        said(&ProbeAnswer::Checked { step: StepId::new("join-4"), dry_run: Some(dry_run) })
    }

    #[test]
    fn it_is_said_what_the_leader_would_do_and_that_nothing_was_changed() {
        insta::assert_snapshot!(checked(DryRun::Sound), @r#"
        Probe: the leader would accept join-4. The request was sent without credentials, from config version
               100000004. It passed every check except the last one, permission (NoAuth). Nothing was
               changed.
        "#);
        insta::assert_snapshot!(checked(DryRun::Refused(ErrorCode::NewConfigNoQuorum)), @r#"
        Probe: the leader would refuse join-4: too few of the next voters are connected to the leader and
               synced for a quorum (NewConfigNoQuorum). Nothing was changed.
               help: find out which of them stopped or fell behind; zkplan plan SPEC shows it
        "#);
        insta::assert_snapshot!(checked(DryRun::OpenToAll), @r#"
        Probe: join-4 was not sent. A session without credentials may write the configuration of this
               ensemble (skipACL=yes, or the ACL of /zookeeper/config lets every client write). The leader
               would carry it out.
               help: every client that can reach a client port can change the members; set skipACL=no, or
                     correct the ACL
        "#);
        insta::assert_snapshot!(said(&ProbeAnswer::Awaits(vec![id(4), id(5)])), @r#"
        Probe: nothing was sent. The plan first waits for servers 4 and 5, which do not follow yet.
               help: start the joiners (the plan shows how) and probe again
        "#);
    }

    #[test]
    fn only_what_was_carried_out_is_not_said_to_have_changed_nothing() {
        let refused = ErrorCode::ALL.iter().map(|code| DryRun::Refused(*code));
        let others = [DryRun::Sound, DryRun::NotSent(ErrorCode::NoNode), DryRun::NoAnswer];
        for dry_run in refused.chain(others) {
            let said = checked(dry_run).to_lowercase();
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(
                said.contains("nothing was changed") || said.contains("was not sent"),
                "{said}"
            );
        }
        let said = checked(DryRun::CarriedOut);
        assert!(said.contains("WAS CARRIED OUT") && !said.contains("othing was"), "{said}");
    }
}
