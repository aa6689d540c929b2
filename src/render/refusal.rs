//! Why there is no plan: which safety rule, where, in which numbers, and what would pass.

use std::collections::BTreeSet;

use super::files::SpecFile;
use super::text::{Line, Style, Text};
use super::{changes, head, law, phrases, present, remedies};
use crate::check::{Breach, BreachKind, Law};
use crate::observe::{Finding, Observation, Obstacle};
use crate::plan::StepId;
use crate::proposal::Refusal;

/// Everything that the screen of a refusal shows.
#[derive(Debug, Clone, Copy)]
pub struct RefusalScreen<'a> {
    /// The spec that was asked for.
    pub spec: SpecFile<'a>,
    /// What was seen, where servers were asked for this screen.
    pub observation: Option<&'a Observation>,
    /// The refusal.
    pub refusal: &'a Refusal,
    /// The command that was refused, as it is typed.
    pub again: &'a str,
    /// Columns of the terminal; 80 to 120 look best.
    pub width: usize,
}

/// The screen of a refusal.
pub fn screen(screen: &RefusalScreen<'_>) -> Text {
    let RefusalScreen { spec, observation, refusal, again, width } = *screen;
    let plan = &refusal.nearest;
    let mut text = head::head(&plan.ensemble, &plan.facts, observation, width);
    text.section(present::present(plan, &plan.facts, observation, width));
    text.section(present::findings(plan, width));
    text.section(changes::changes(plan, Some(&spec), width));
    text.gap();
    let why = format!(": {}. {UNCHANGED}", why(&refusal.breaches, spec.path));
    text.paragraph("", Line::new(Style::Red, "Refused").then(Style::Plain, why), width);
    text.section(first_things_first(refusal, width));
    text.section(remedies::remedies(refusal, (&spec, again), width));
    text
}

const UNCHANGED: &str = "Nothing was changed.";

/// A refusal in one sentence, and that nothing was changed.
pub fn in_short(breaches: &[Breach], path: &str) -> String {
    format!("Refused: {}. {UNCHANGED}", why(breaches, path))
}

/// What stands against a plan, as one phrase.
fn why(breaches: &[Breach], path: &str) -> String {
    let all = law::codes(breaches);
    let unsupported = all.contains(&Law::Unsupported.code());
    let is_finding = |code: &&str| breaches.iter().any(|b| law::is_finding(b, code));
    let (findings, others): (Vec<&str>, Vec<&str>) = all.into_iter().partition(is_finding);
    let laws: Vec<&str> =
        others.into_iter().filter(|code| *code != Law::Unsupported.code()).collect();
    let also = match (unsupported, laws.is_empty() || findings.is_empty()) {
        (true, _) => ". In addition, zkplan does not support all of the change yet".to_owned(),
        (false, true) => String::new(),
        (false, false) => format!(". {} must also be accepted", phrases::list(&findings)),
    };
    match (laws.len(), findings.len()) {
        (0, 0) => format!("zkplan does not support the change to {path} yet"),
        (0, 1) => {
            format!("a risk must be accepted before {path} is planned: {}{also}", findings.concat())
        }
        (0, _) => format!(
            "risks must be accepted before {path} is planned: {}{also}",
            phrases::list(&findings)
        ),
        // Nothing is wrong with the change itself.
        _ if laws == [Law::Now.code()] => {
            format!("the ensemble cannot be changed now ({}){also}", laws.concat())
        }
        _ => format!(
            "no plan for {path} is safe. The best one breaks {}{also}",
            phrases::list(&laws)
        ),
    }
}

/// Breaches alone, without the ensemble around them; `findings` are what was found beside them.
pub fn breaches(breaches: &[Breach], findings: &[Finding], width: usize) -> Text {
    let mut text = Text::new();
    for cause in causes(breaches, findings) {
        text.section(of_cause(&cause, findings, width));
    }
    text
}

/// Breaches that one thing is behind.
struct Cause<'a> {
    /// The first of them on the way stands for all.
    first: &'a Breach,
    others: Vec<&'a Breach>,
}

/// What is behind the breaches, in the order in which they stand.
fn causes<'a>(breaches: &'a [Breach], findings: &[Finding]) -> Vec<Cause<'a>> {
    let mut causes: Vec<Cause<'a>> = Vec::new();
    for breach in breaches {
        match causes.iter_mut().find(|cause| same_cause(cause.first, breach, findings)) {
            Some(cause) if breach.law == cause.first.law && is_earlier(breach, cause.first) => {
                cause.others.push(std::mem::replace(&mut cause.first, breach));
            }
            Some(cause) => cause.others.push(breach),
            None => causes.push(Cause { first: breach, others: Vec::new() }),
        }
    }
    causes
}

fn is_earlier(one: &Breach, other: &Breach) -> bool {
    one.path.len() < other.path.len()
}

fn same_cause(first: &Breach, other: &Breach, findings: &[Finding]) -> bool {
    let said = |breach: &Breach| (breach.law, law::risk(breach, findings));
    match (&first.detail, &other.detail) {
        // Who cannot go on with what is left cannot lose any of it either.
        (BreachKind::TooFewAcknowledge(_), BreachKind::SpareTooSmall { votes, .. }) => {
            first.step == other.step && votes.spare() < 0
        }
        (
            BreachKind::Obstacle(Obstacle::WantedAnswersAs(id, own)),
            BreachKind::Obstacle(Obstacle::MemberAnswersAs(member, theirs)),
        ) => (id, own) == (member, theirs),
        (BreachKind::Obstacle(one), BreachKind::Obstacle(another)) => {
            std::mem::discriminant(one) == std::mem::discriminant(another)
        }
        _ => said(first) == said(other),
    }
}

/// Whether both say the same of two servers.
fn is_another_server(first: &Breach, other: &Breach) -> bool {
    match (&first.detail, &other.detail) {
        (BreachKind::Obstacle(one), BreachKind::Obstacle(another)) => {
            one != another && std::mem::discriminant(one) == std::mem::discriminant(another)
        }
        _ => false,
    }
}

/// The breaches of a refusal. Where no change of policy helps, what is wrong with the change as a
/// whole is to be corrected first.
fn first_things_first(refusal: &Refusal, width: usize) -> Text {
    let findings = &refusal.nearest.facts.findings;
    let at = refusal.breaches.iter().position(|breach| !breach.is_of_the_whole());
    let (whole, at_steps) = refusal.breaches.split_at(at.unwrap_or(refusal.breaches.len()));
    if !refusal.remedies.is_empty() || whole.is_empty() || at_steps.is_empty() {
        return breaches(&refusal.breaches, findings, width);
    }
    let mut text = breaches(whole, findings, width);
    text.gap();
    let what = "Also broken. Correct the above first: this may then be gone.";
    text.paragraph("", Line::new(Style::Bold, what), width);
    text.section(breaches(at_steps, findings, width));
    text
}

/// A breach in one sentence, with its numbers.
pub fn sentence(breach: &Breach, findings: &[Finding]) -> String {
    let way = law::way(breach);
    let risk = law::risk(breach, findings);
    if way.is_empty() { risk } else { format!("{risk} {way}") }
}

/// Breaches as the screen has them: each cause, and below it what the same thing is behind, which has
/// the place of its cause beside it.
pub fn in_order<'a>(
    breaches: &'a [Breach],
    findings: &[Finding],
) -> Vec<(&'a Breach, Option<usize>)> {
    let mut all = Vec::with_capacity(breaches.len());
    for Cause { first, others } in causes(breaches, findings) {
        let place = all.len();
        all.push((first, None));
        all.extend(others.into_iter().map(|other| (other, Some(place))));
    }
    all
}

fn of_cause(cause: &Cause<'_>, findings: &[Finding], width: usize) -> Text {
    let Cause { first, others } = cause;
    let mut text = Text::new();
    let code = law::code(first);
    let at = first.step.as_ref().map(|step| format!(" at {step}")).unwrap_or_default();
    let title = Line::new(Style::Bold, format!("{code}{at}"));
    text.paragraph("", title.then(Style::Plain, format!(": {}", law::title(first))), width);
    for risk in law::risks(first, findings) {
        text.paragraph("  ", risk, width);
    }
    // Of several servers each has its sentence.
    for other in others.iter().filter(|other| is_another_server(first, other)) {
        text.paragraph("  ", law::risk(other, findings), width);
    }
    let way = law::way(first);
    if !way.is_empty() {
        text.paragraph("  ", Line::new(Style::Yellow, way), width);
    }
    let others_of = |same: bool| others.iter().filter(move |o| (law::code(o) == code) == same);
    let steps: BTreeSet<&StepId> = others_of(true).filter_map(|b| b.step.as_ref()).collect();
    if !steps.is_empty() {
        text.paragraph("  ", format!("also at {}", phrases::list(steps)), width);
    }
    let laws: BTreeSet<&str> = others_of(false).map(|breach| law::code(breach)).collect();
    if !laws.is_empty() {
        text.paragraph("  ", format!("also breaks {}", phrases::list(laws)), width);
    }
    text.line(Line::new(Style::Cyan, format!("  zkplan explain {code}")));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Votes;
    use crate::model::MinTolerance;
    use crate::observe::{FindingKind, Issue};
    use crate::render::fixture::{Scene, id, lines};

    fn shown(scene: &Scene, width: usize) -> String {
        let refusal = scene.refusal();
        let observation = Some(&scene.seen);
        let (spec, again) = (scene.file(), "zkplan plan prod-eu.yaml");
        screen(&RefusalScreen { spec, observation, refusal: &refusal, again, width })
            .to_string_with(false)
    }

    #[test]
    fn one_to_three_wants_an_acceptance() {
        insta::assert_snapshot!(shown(&Scene::new(&lines(&[1]), &lines(&[1, 2, 3])), 80), @r#"
        prod-eu  config version 100000004, server 1 leads, 1 of 1 voter synced, not
                 managed by zkplan yet (no apply so far), leader at zxid 0x100000080

          id  role         mode      version  zxid         clients  status
           1  participant  leader    3.8.0    0x100000080        7  leads
           2  joiner       follower  3.8.0    0x100000080        0  no vote yet
              id 2 from conf, follows without a vote, at the leader's zxid, data equal
              at zxid 0x100000000, election port open
           3  joiner       follower  3.8.0    0x100000080        0  no vote yet
              id 3 from conf, follows without a vote, at the leader's zxid, data equal
              at zxid 0x100000000, election port open

        Changes
          + join        server.2=10.0.0.2:2888:3888:participant;0.0.0.0:2181
                        in prod-eu.yaml:7, not in the ensemble
          + join        server.3=10.0.0.3:2888:3888:participant;0.0.0.0:2181
                        in prod-eu.yaml:8, not in the ensemble

        Refused: no plan for prod-eu.yaml is safe. The best one breaks ZKQ2. Nothing was
        changed.

        ZKQ2 at join-2: a quorum of the new voters must be able to acknowledge
          After this step the quorum needs the vote of server 2. A reconfig cannot be
          cancelled once sent: if server 2 fails, writes stop until it is back.
          after join-2: voters {1, 2}; able to acknowledge {1} (not counted: 2, the
          joiner); quorum is 2
          zkplan explain ZKQ2

        What would pass (zkplan made and checked a plan with it)
          zkplan plan prod-eu.yaml --accept ZKQ2:join-2
            From this step on the quorum needs server 2. Keep it running until more
            voters have joined; if it fails, writes stop.
        "#);
    }

    #[test]
    fn too_few_would_be_spare() {
        let mut scene = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2]));
        scene.spec.policy.min_tolerance = MinTolerance::AtLeast(1);
        insta::assert_snapshot!(shown(&scene, 80), @r#"
        prod-eu  config version 100000004, server 1 leads, 3 of 3 voters synced, not
                 managed by zkplan yet (no apply so far), leader at zxid 0x100000080

          id  role         mode      version  zxid         clients  status
           1  participant  leader    3.8.0    0x100000080        7  leads
           2  participant  follower  3.8.0    0x100000080        7  follows
           3  participant  follower  3.8.0    0x100000080        7  follows

        Changes
          - leave       server.3=10.0.0.3:2888:3888:participant;0.0.0.0:2181
                        in the ensemble, not in prod-eu.yaml

        Refused: no plan for prod-eu.yaml is safe. The best one breaks ZKQ3. Nothing was
        changed.

        ZKQ3 at leave-3: the ensemble must tolerate enough failures
          The ensemble would tolerate fewer failures than policy.minTolerance requires.
          at leave-3: voters {1, 2}; able to acknowledge {1, 2}; quorum is 2; tolerates
          0 failures, 1 required
          zkplan explain ZKQ3

        What would pass (zkplan made and checked a plan with it)
          policy.minTolerance: 0  in prod-eu.yaml
            The ensemble then ends with 2 voters and tolerates 0 failures: if one fails,
            writes stop.
        If you accept that, change prod-eu.yaml, and plan again.
        Next: zkplan plan prod-eu.yaml
        "#);
    }

    #[test]
    fn obstacles_have_hints() {
        let mut scene = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3, 4]));
        scene.facts.obstacles.push(Obstacle::ReconfigDisabled([1, 3].map(id).into()));
        insta::assert_snapshot!(shown(&scene, 100), @r#"
        prod-eu  config version 100000004, server 1 leads, 3 of 3 voters synced, not managed by zkplan yet
                 (no apply so far), leader at zxid 0x100000080

          id  role         mode      version  zxid         clients  status       address
           1  participant  leader    3.8.0    0x100000080        7  leads        10.0.0.1:2181
           2  participant  follower  3.8.0    0x100000080        7  follows      10.0.0.2:2181
           3  participant  follower  3.8.0    0x100000080        7  follows      10.0.0.3:2181
           4  joiner       follower  3.8.0    0x100000080        0  no vote yet  10.0.0.4:2181
              id 4 from conf, follows without a vote, at the leader's zxid, data equal at zxid 0x100000000,
              election port open

        Changes
          + join        server.4=10.0.0.4:2888:3888:participant;0.0.0.0:2181
                        in prod-eu.yaml:9, not in the ensemble

        Refused: the ensemble cannot be changed now (ZKQ1). Nothing was changed.

        ZKQ1: the ensemble must be healthy before the first change
          Servers 1 and 3 run with reconfigEnabled=false. The ensemble accepts no reconfig.
          zkplan explain ZKQ1

        What to do (zkplan found no policy and no --accept with which a plan passes)
          - write the same server lines into zoo.cfg of every server (not where it has dynamicConfigFile)
            and set reconfigEnabled=true in each; then restart one server at a time, the leader last.
            Restart all of them: do not leave some with reconfigEnabled=true and some with false (zkplan
            explain super-user)
        "#);
    }

    #[test]
    fn every_server_with_a_wrong_id_is_named() {
        let mut scene = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3, 4, 5, 6]));
        let wrong = [(4, 1), (5, 2), (6, 3)];
        let wrong = wrong.map(|(wanted, own)| Obstacle::WantedAnswersAs(id(wanted), id(own)));
        scene.facts.obstacles.extend(wrong);
        let out = shown(&scene, 100);
        let one_line = out.split_whitespace().collect::<Vec<_>>().join(" ");
        for (wanted, own) in [(4, 1), (5, 2), (6, 3)] {
            let said = format!(
                "Server {wanted} is in the spec, and the server at its address answers with id {own}."
            );
            assert!(one_line.contains(&said), "{out}");
        }
        assert_eq!(out.matches("zkplan explain ZKQ1").count(), 1, "{out}");
        for wanted in 4..=6 {
            assert!(
                one_line.contains(&format!("correct the myid file of server {wanted}")),
                "{out}"
            );
        }
    }

    #[test]
    fn a_joiner_with_other_data_is_no_risk_to_be_accepted() {
        let mut scene = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3, 4]));
        scene.facts.obstacles.push(Obstacle::WantedDataDiffer(id(4)));
        let out = shown(&scene, 100);
        assert!(!out.contains("--accept ZK"), "{out}");
        assert!(out.contains("move version-2 out of its dataDir and dataLogDir"), "{out}");
    }

    /// What may come of it is said once, however many servers it is said of.
    #[test]
    fn a_risk_of_several_servers_is_said_once() {
        let mut scene = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3, 4]));
        scene.finding(FindingKind::DataDiffers, Some(id(2)));
        scene.finding(FindingKind::DataDiffers, Some(id(3)));
        let out = shown(&scene, 200);
        let risk = &out[out.find("Refused").unwrap()..out.find("What would pass").unwrap()];
        assert!(risk.contains("server 2") && risk.contains("server 3"), "{risk}");
        assert_eq!(risk.matches("may become the leader").count(), 1, "{risk}");
        assert!(!risk.contains("zxid; "), "{risk}");
    }

    #[test]
    fn a_finding_to_accept_is_explained() {
        let mut scene = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3, 4, 5]));
        scene.finding(FindingKind::ConfigWritten, None);
        let out = shown(&scene, 80);
        assert!(out.contains("to accept  ZKF5 "), "{out}");
        assert!(out.contains("\nZKF5: /zookeeper/config was written by hand\n"), "{out}");
        assert!(out.contains("\n  zkplan plan prod-eu.yaml --accept ZKF5\n"), "{out}");
        assert!(out.contains("a risk must be accepted before prod-eu.yaml is planned: ZKF5. N"));
        assert!(out.contains("The next reconfig overwrites"), "{out}");
    }

    #[test]
    fn the_same_at_several_steps_is_said_once() {
        let mut wanted = lines(&[1, 2, 3, 4]);
        wanted[3] = wanted[3].replace("participant", "observer");
        let mut scene = Scene::new(&lines(&[1, 2, 3, 4, 5]), &wanted);
        scene.spec.policy.min_tolerance = MinTolerance::AtLeast(2);
        let out = shown(&scene, 80);
        assert_eq!(out.matches("ZKQ3 at").count(), 1, "{out}");
        assert!(out.contains("\n  also at leave-5\n"), "{out}");
    }

    #[test]
    fn a_cause_is_shown_where_it_comes_first_and_with_every_law_that_it_breaks() {
        let votes = |acking: &[i64]| Votes {
            voters: [1, 2].map(id).into(),
            acking: acking.iter().map(|number| id(*number)).collect(),
            need: 2,
        };
        let breach = |law, step: &str, path: &[&str], detail| Breach {
            law,
            step: Some(StepId::new(step)),
            path: path.iter().map(|step| StepId::new(*step)).collect(),
            detail,
        };
        let scarce =
            |acking: &[i64]| BreachKind::SpareTooSmall { votes: votes(acking), tolerance: 1 };
        let early = breach(Law::Spare, "leave-3", &[], scarce(&[1, 2]));
        let late = breach(Law::Spare, "join-3", &["leave-3"], scarce(&[1, 2]));
        let out = breaches(&[late, early], &[], 80).to_string_with(false);
        assert!(out.starts_with("ZKQ3 at leave-3: "), "{out}");
        assert!(out.contains("\n  also at join-3\n"), "{out}");
        let next = BreachKind::TooFewAcknowledge(votes(&[1]));
        let next = breach(Law::Next, "leave-3", &[], next);
        let spare = breach(Law::Spare, "leave-3", &[], scarce(&[1]));
        let out = breaches(&[next, spare], &[], 80).to_string_with(false);
        assert_eq!(out.matches("zkplan explain").count(), 1, "{out}");
        assert!(out.contains("\n  also breaks ZKQ3\n"), "{out}");
    }

    #[test]
    fn bugs_that_need_no_acceptance_are_no_part_of_the_risk() {
        let mut scene = Scene::new(&lines(&[1, 2, 3]), &lines(&[1, 2, 3, 4]));
        for issue in [Issue::Zk3911, Issue::Zk4785] {
            let version = crate::ensemble::ServerVersion::new(3, 6, 2);
            scene.finding(FindingKind::KnownBug { version, issue }, None);
        }
        let out = shown(&scene, 200);
        let risk = &out[out.find("Refused").unwrap()..];
        assert!(risk.contains("ZOOKEEPER-3911") && !risk.contains("ZOOKEEPER-4785"), "{out}");
        assert!(out.contains("warning    ZKF1   every server runs 3.6.2"), "{out}");
    }

    #[test]
    fn several_remedies_belong_together() {
        let scene = Scene::new(&lines(&[1, 2, 3, 4, 5]), &lines(&[1]));
        insta::assert_snapshot!(shown(&scene, 80), @r#"
        prod-eu  config version 100000004, server 1 leads, 5 of 5 voters synced, not
                 managed by zkplan yet (no apply so far), leader at zxid 0x100000080

          id  role         mode      version  zxid         clients  status
           1  participant  leader    3.8.0    0x100000080        7  leads
           2  participant  follower  3.8.0    0x100000080        7  follows
           3  participant  follower  3.8.0    0x100000080        7  follows
           4  participant  follower  3.8.0    0x100000080        7  follows
           5  participant  follower  3.8.0    0x100000080        7  follows

        Changes
          - leave       server.2=10.0.0.2:2888:3888:participant;0.0.0.0:2181
                        in the ensemble, not in prod-eu.yaml
          - leave       server.3=10.0.0.3:2888:3888:participant;0.0.0.0:2181
                        in the ensemble, not in prod-eu.yaml
          - leave       server.4=10.0.0.4:2888:3888:participant;0.0.0.0:2181
                        in the ensemble, not in prod-eu.yaml
          - leave       server.5=10.0.0.5:2888:3888:participant;0.0.0.0:2181
                        in the ensemble, not in prod-eu.yaml

        Refused: no plan for prod-eu.yaml is safe. The best one breaks ZKQ14 and ZKQ9.
        Nothing was changed.

        ZKQ14: the ensemble must not shrink by more than policy.maxShrink
          The ensemble would shrink by more servers than policy.maxShrink allows.
          removed 4, added 0, policy.maxShrink 2
          zkplan explain ZKQ14

        ZKQ9 at leave-5: two participants must remain
          The leader refuses a reconfig that leaves one participant, unless its zoo.cfg
          says standaloneEnabled=false.
          after leave-2, leave-3, leave-4 and leave-5: 1 participant left
          zkplan explain ZKQ9

        Better: if servers 2, 3, 4 and 5 are missing from the spec by mistake, put them
                back
        What would pass, all together (zkplan made and checked a plan with them)
          policy.maxShrink: 4  in prod-eu.yaml
            4 servers may then leave without a replacement.
          policy.standaloneEnabled: false  in prod-eu.yaml
            Set this only if zoo.cfg of every server already has standaloneEnabled=false
            and the servers were restarted with it. The policy changes no server, and
            zkplan cannot check zoo.cfg. One voter tolerates 0 failures.
        If you accept that, change prod-eu.yaml, and plan again.
        Next: zkplan plan prod-eu.yaml
        "#);
    }
}
