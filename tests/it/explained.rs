//! Runs the examples on the pages of `zkplan explain`: the output on the page must be zkplan's.
//!
//! An example is a block of indented lines in the section `An example`. Servers are written in the
//! short form of [`Example`]. A block without `now` continues the one above it. `steps` are a plan
//! that was written by hand and is only checked. `join-4(leave-1)` is a step that is named after
//! the first and sends the second.

use std::collections::BTreeMap;

use zkplan::check::{Breach, CheckedPlan, Law, check};
use zkplan::explain;
use zkplan::model::{Reconfig, Server};
use zkplan::observe::Facts;
use zkplan::plan::{
    Acceptance, Action, ChangeVerb, Phase, PhaseKind, Plan, ServerChange, Step, StepId, StepOrder,
};
use zkplan::proposal::{Refusal, propose, propose_restarts};
use zkplan::render::{refusal, remedies};

use crate::example::{Example, id, ids, policy_of};

/// Rules that the form of a plan always keeps: the schedule decides which step may be next, a
/// request that does more than its step is refused for that reason, and a change of one server
/// stops no other. Their pages show what zkplan does instead.
const KEPT_BY_FORM: &[&str] = &["ZKQ6", "ZKQ12"];

/// The lines of an example by their first words.
type Lines = BTreeMap<String, String>;

#[test]
#[expect(clippy::print_stdout, reason = "how many there are is a figure of the run")]
fn the_examples_of_the_pages_come_out_as_they_say() {
    let (mut count, mut wrong) = (0, Vec::new());
    for code in Law::ALL.map(Law::code) {
        let page = explain::page(code).expect("a page");
        let examples = examples(page);
        count += examples.len();
        let own = |example: &Lines| {
            let refused = example.get("refused").into_iter().flat_map(|said| said.lines());
            refused.into_iter().any(|line| line.split([' ', ':']).next() == Some(code))
        };
        if examples.is_empty() {
            wrong.push(format!("{code}: no example"));
        } else if examples.iter().any(own) == KEPT_BY_FORM.contains(&code) {
            wrong.push(format!("{code}: its own refusal is shown where there is one"));
        }
        for (at, example) in examples.iter().enumerate() {
            let differs = outcome(example).differences(example);
            wrong.extend(differs.into_iter().map(|what| format!("{code}, {}: {what}", at + 1)));
        }
    }
    println!("{count} examples of {} laws", Law::ALL.len());
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The examples of a page, each with what it takes over from the one before.
fn examples(page: &str) -> Vec<Lines> {
    let section = page.split("\n## ").find_map(|section| section.strip_prefix("An example\n"));
    let mut examples: Vec<Lines> = Vec::new();
    for block in section.unwrap_or_default().split("\n\n").filter(|b| b.starts_with("    ")) {
        let mut example = examples.last().cloned().unwrap_or_default();
        example.retain(|word, _| !OUTCOMES.contains(&word.as_str()));
        let mut key = "";
        for line in block.lines() {
            let line = line.strip_prefix("    ").expect("an indented block");
            let text = match line.split_once(' ') {
                Some((word, text)) if !word.is_empty() => {
                    key = word;
                    if key == "now" {
                        example.clear();
                    }
                    // An outcome may have several lines.
                    let said = example.entry(key.to_owned()).or_default();
                    if OUTCOMES.contains(&word) && !said.is_empty() {
                        said.push('\n');
                    } else {
                        said.clear();
                    }
                    text
                }
                _ => line,
            };
            let said = example.get_mut(key).expect("a word and its text");
            let gap = if said.is_empty() || said.ends_with('\n') { "" } else { " " };
            said.extend([gap, &text.split_whitespace().collect::<Vec<_>>().join(" ")]);
        }
        examples.push(example);
    }
    examples
}

/// The words that tell what comes of it; the others are its input.
const OUTCOMES: &[&str] = &["planned", "tolerates", "windows", "refused", "passes"];

struct Outcome(Result<CheckedPlan, Box<Refusal>>);

fn outcome(example: &Lines) -> Outcome {
    let said = |word: &str| example.get(word).map_or("", String::as_str);
    let known = ["now", "down", "leads", "zones", "wanted", "policy", "accept", "steps", "restart"];
    for word in example.keys() {
        assert!(known.contains(&&**word) || OUTCOMES.contains(&&**word), "{word}");
    }
    let ensemble = Example::new(said("now"), said("wanted")).down(said("down"));
    let ensemble = ensemble.policy(|policy| *policy = policy_of(said("policy")));
    let mut facts = ensemble.facts();
    facts.leader = ids(said("leads")).first().copied().or(facts.leader);
    for (zone, members) in said("zones").split(", ").filter_map(|zone| zone.split_once(' ')) {
        facts.zones.extend(ids(members).into_iter().map(|id| (id, zone.to_owned())));
    }
    let accepted: Vec<Acceptance> = said("accept").split_whitespace().map(acceptance).collect();
    if let Some(asked) = example.get("restart") {
        let asked = ids(asked).into_iter().collect();
        let made = propose_restarts(&ensemble.target(), &facts, &accepted, &asked);
        return Outcome(made.expect("members to restart"));
    }
    let made = propose(&ensemble.target(), &facts, &accepted);
    Outcome(match example.get("steps") {
        None => made,
        Some(steps) => by_hand(made, steps, &facts),
    })
}

fn acceptance(word: &str) -> Acceptance {
    let (code, step) = word.split_once(':').expect("LAW:STEP");
    Acceptance { code: code.to_owned(), step: Some(StepId::new(step)) }
}

/// The result of the checker for a plan with these steps.
fn by_hand(
    made: Result<CheckedPlan, Box<Refusal>>,
    steps: &str,
    facts: &Facts,
) -> Result<CheckedPlan, Box<Refusal>> {
    let mut plan = made.map_or_else(|refusal| refusal.nearest, |checked| checked.plan().clone());
    let alone = |step| Phase { kind: PhaseKind::Join, rule: StepOrder::InOrder, steps: vec![step] };
    plan.phases = steps.split_whitespace().map(|word| alone(step(word, &plan))).collect();
    check(plan.clone(), facts)
        .map_err(|breaches| Box::new(Refusal { nearest: plan, breaches, remedies: Vec::new() }))
}

fn step(word: &str, plan: &Plan) -> Step {
    if word == "prove" {
        return Step::named(Action::Prove(None));
    }
    let (says, sends) = word.trim_end_matches(')').split_once('(').unwrap_or((word, word));
    let (verb, servers) = parts(says);
    let server = servers[0];
    let change = match verb {
        "join" => ChangeVerb::Join,
        "leave" => ChangeVerb::Leave,
        "unlist" => ChangeVerb::Unlist,
        "promote" => ChangeVerb::Promote,
        "demote" => ChangeVerb::Demote,
        "readdress" => ChangeVerb::Readdress { quorum: true },
        "await" => return Step::named(Action::AwaitJoiner(id(server))),
        "stop" => return Step::named(Action::AskToStop(id(server))),
        "attest" => return Step::named(Action::AttestBlank(id(server))),
        other => panic!("no step is called `{other}`"),
    };
    let mut request = Reconfig { joining: Vec::new(), leaving: Vec::new() };
    for sent in sends.split('+') {
        let (verb, servers) = parts(sent);
        match verb {
            "leave" | "unlist" => request.leaving.extend(servers.into_iter().map(id)),
            _ => request.joining.extend(servers.into_iter().map(|server| line(plan, server))),
        }
    }
    let parts = servers.iter().map(|server| ServerChange { server: id(*server), change }).collect();
    Step::named(Action::Reconfig { parts, request })
}

fn parts(word: &str) -> (&str, Vec<i64>) {
    let (verb, servers) = word.split_once('-').expect("what and who");
    (verb, servers.split(',').map(|server| server.parse().expect("a server id")).collect())
}

fn line(plan: &Plan, server: i64) -> Server {
    let now = &plan.facts.base.membership;
    let line = plan.target.get(id(server)).or_else(|| now.get(id(server)));
    line.unwrap_or_else(|| panic!("server {server} has no line")).clone()
}

impl Outcome {
    /// The differences between the page and zkplan.
    fn differences(&self, example: &Lines) -> Vec<String> {
        let said: BTreeMap<&str, &str> = example
            .iter()
            .filter(|(word, _)| OUTCOMES.contains(&word.as_str()))
            .map(|(word, text)| (word.as_str(), text.as_str()))
            .collect();
        if said.is_empty() {
            return vec!["nothing is said of what comes of it".to_owned()];
        }
        let mut wrong = Vec::new();
        for (word, text) in said {
            let is = match (word, &self.0) {
                ("refused", Err(refusal)) if are_told(&refusal.breaches, text) => continue,
                ("passes", Err(refusal)) => {
                    let exact = |remedy| remedies::remedy(remedy, refusal).0;
                    refusal.remedies.iter().map(exact).collect::<Vec<_>>().join(", ")
                }
                ("planned", Ok(checked)) => reconfigs(checked),
                ("tolerates", Ok(checked)) => checked.report().worst_spare.to_string(),
                ("windows", Ok(checked)) => {
                    let after = checked.report().windows.keys().map(StepId::as_str);
                    after.collect::<Vec<_>>().join(" ")
                }
                (_, Ok(checked)) => format!("planned {}", reconfigs(checked)),
                (_, Err(refusal)) => sentences(&refusal.breaches).join("\n  "),
            };
            if is != text {
                wrong.push(format!("the page says\n  {word} {text}\nbut it is\n  {is}"));
            }
        }
        wrong
    }
}

/// The reconfigs, or the restarts, as they go under the present leader.
fn reconfigs(checked: &CheckedPlan) -> String {
    let steps = checked.plan().schedule();
    let names = steps.iter().filter(|(_, step)| step.takes_a_turn());
    names.map(|(_, step)| step.id.as_str()).collect::<Vec<_>>().join(" ")
}

/// Whether the listed breaches are these, one a line, in zkplan's own words.
fn are_told(breaches: &[Breach], told: &str) -> bool {
    let mut told: Vec<&str> = told.lines().collect();
    for breach in breaches {
        let place = place(breach);
        let sentence = refusal::sentence(breach, &[]);
        let at = told.iter().position(|line| {
            line.strip_prefix(&place)
                .and_then(|rest| rest.strip_prefix(": "))
                .is_some_and(|words| sentence.contains(words))
        });
        let Some(at) = at else { return false };
        told.remove(at);
    }
    told.is_empty()
}

fn place(breach: &Breach) -> String {
    match &breach.step {
        Some(step) => format!("{} at {step}", breach.law.code()),
        None => breach.law.code().to_owned(),
    }
}

fn sentences(breaches: &[Breach]) -> Vec<String> {
    let sentence =
        |breach: &Breach| format!("{}: {}", place(breach), refusal::sentence(breach, &[]));
    breaches.iter().map(sentence).collect()
}
