//! The commands of a plan, as they will be run, and what is asked before anything is sent.

use super::phrases;
use super::text::{Line, Style, Text};
use crate::apply::command_line::argv;
use crate::plan::{Action, Done, Plan, Step};

/// This many commands, or steps of a question, are shown; the others are counted.
const SHOWN: usize = 12;

/// The commands of a plan, a line a step, with the words that apply hands to the system; nothing
/// where it has none.
pub fn commands(plan: &Plan, width: usize) -> Text {
    let mut text = Text::new();
    let (starts, stops): (Vec<Command<'_>>, Vec<Command<'_>>) =
        of(plan).partition(|command| matches!(command.step.action, Action::Start(_)));
    if starts.is_empty() && stops.is_empty() {
        return text;
    }
    let title = "Commands that apply runs on this machine, without a shell";
    let lead = Line::new(Style::Bold, title).then(Style::Plain, " (none with --no-hooks)");
    text.paragraph("", lead, width);
    let ids = starts.iter().chain(&stops).map(|command| command.step.id.as_str().len());
    let widest = ids.max().unwrap_or(0);
    for alike in [starts, stops] {
        for Command { step, argv } in alike.iter().take(SHOWN) {
            let lead = format!("  {:<widest$}  ", step.id.as_str());
            text.paragraph(lead.as_str(), Line::new(Style::Cyan, argv.as_str()), width);
        }
        if let Some(more) = alike.get(SHOWN..).filter(|more| !more.is_empty()) {
            let names = phrases::list(more.iter().map(|command| &command.step.id));
            let others = phrases::count_of(more.len(), "more step");
            text.paragraph("  ", format!("the same of {others}: {names}"), width);
        }
    }
    text
}

/// What is asked before a plan is carried out, of which that much is done.
pub fn question(plan: &Plan, done: &Done, no_hooks: bool) -> String {
    let is_left = |step: &&Step| !done.contains(&step.id);
    let reconfigs: Vec<&Step> =
        plan.steps().filter(is_left).filter(|step| step.reconfig().is_some()).collect();
    let commands: Vec<&Step> = if no_hooks {
        Vec::new()
    } else {
        of(plan).map(|command| command.step).filter(is_left).collect()
    };
    let sends = match reconfigs.len() {
        0 => format!("Finish the remaining steps on {}", plan.ensemble),
        n => format!(
            "Send {} ({}) to {}",
            phrases::count_of(n, "reconfig"),
            named(&reconfigs),
            plan.ensemble
        ),
    };
    let runs = match commands.len() {
        0 => String::new(),
        n => format!(" and run {} ({})", phrases::count_of(n, "command"), named(&commands)),
    };
    format!("{sends}{runs}?")
}

/// A step and its command, in the words of a shell.
struct Command<'a> {
    step: &'a Step,
    argv: String,
}

/// The commands of a plan, in its order.
fn of(plan: &Plan) -> impl Iterator<Item = Command<'_>> {
    let command = |step| {
        let argv = match argv(plan, step, None)? {
            Ok(argv) => phrases::command(&argv),
            Err(id) => format!("refused: the host of server {id} is not a plain name or address"),
        };
        Some(Command { step, argv })
    };
    plan.steps().filter_map(command)
}

/// The steps that run a command, each with the words that apply hands to the system.
pub fn command_lines(plan: &Plan) -> Vec<(&Step, String)> {
    of(plan).map(|Command { step, argv }| (step, argv)).collect()
}

fn named(steps: &[&Step]) -> String {
    let mut names: Vec<String> = steps.iter().take(SHOWN).map(|step| step.id.to_string()).collect();
    if let Some(more) = steps.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        names.push(format!("and {more} more"));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Hooks;
    use crate::render::fixture::{Scene, lines};

    fn scene(wanted: &[i64]) -> Scene {
        let mut scene = Scene::new(&lines(&[1, 2, 3]), &lines(wanted));
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        scene.spec.hooks = Hooks {
            restart: None,
            start: Some(words(&["ssh", "{host}", "sudo systemctl start zk@{id}"])),
            stop: Some(words(&["ssh", "{host}", "sudo", "systemctl", "disable", "--now", "zk"])),
        };
        scene
    }

    #[test]
    fn whoever_approves_sees_what_will_be_run() {
        let checked = scene(&[2, 3, 4]).plan();
        insta::assert_snapshot!(commands(checked.plan(), 80).to_string_with(false), @r#"
        Commands that apply runs on this machine, without a shell (none with --no-hooks)
          start-4  ssh 10.0.0.4 'sudo systemctl start zk@4'
          stop-1   ssh 10.0.0.1 sudo systemctl disable --now zk
        "#);
        let done = Done::default();
        let asked = |no_hooks| question(checked.plan(), &done, no_hooks);
        insta::assert_snapshot!(
            asked(false),
            @"Send 2 reconfigs (join-4, leave-1) to prod-eu and run 2 commands (start-4, stop-1)?"
        );
        insta::assert_snapshot!(asked(true), @"Send 2 reconfigs (join-4, leave-1) to prod-eu?");
        let left = checked.plan().steps().filter(|step| step.id.as_str() == "stop-1");
        let left: Vec<_> = left.map(|step| &step.id).collect();
        let all = checked.plan().steps().map(|step| step.id.clone());
        let done = all.filter(|id| !left.contains(&id)).collect();
        insta::assert_snapshot!(question(checked.plan(), &done, false), @"Finish the remaining steps on prod-eu and run 1 command (stop-1)?");
    }

    #[test]
    fn of_very_many_commands_the_first_stand_for_all() {
        let wanted: Vec<i64> = (1..=20).collect();
        let checked = scene(&wanted).plan();
        let out = commands(checked.plan(), 80).to_string_with(false);
        assert_eq!(out.lines().filter(|line| line.contains("systemctl start")).count(), SHOWN);
        assert!(out.contains("the same of 5 more steps: start-16, "), "{out}");
    }
}
