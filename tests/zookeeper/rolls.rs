//! Rolling restarts as an operator does them who types what the screens name, and nothing else.
//!
//! The operator has a spec, and begins with `zkplan status`. From there each command is the one that the
//! last screen names behind `Next:`. By hand are done: the edits of `zoo.cfg` that a screen shows as a
//! diff, the installation of a release where the plan brings one, and the restart of the server that an
//! apply asks for. Applies are killed at moments of these restarts, and a leader dies.

use std::collections::BTreeSet;
use std::fs;
use std::rc::Rc;

use crate::applying::Applying;
use crate::harness::{Ensemble, PATIENCE, Release, wait_until};
use crate::show;
use crate::spec::Spec;
use crate::zkplan::{Desk, Outcome, one_line};

/// What is typed first, and whenever no screen names anything.
pub(crate) const FIRST: &str = "zkplan status spec.yaml";

/// What a screen names where a file needs the digest of the super user.
const DIGEST: &str = "zkplan digest --user super > super.token";

/// How a command begins that changes something.
pub(crate) const APPLY: &str = "zkplan apply";

/// More commands between two applies, or more applies, are a circle, or as good as one.
const MOST: usize = 8;

/// More applies than kills.
const MORE: usize = 4;

/// What a screen says where files are to be edited before the restarts.
const EDITS: &str = "The edit of a file: ";

/// What a screen says where a voter has to be started before anything else.
const START_OTHERS: [&str; 2] =
    ["start the voters that are down", "Start it, or wait until it is in sync"];

/// When an apply is killed: where it asks for a restart, while the server is away, and once it was
/// started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Asked,
    Away,
    Back,
}

/// Something that goes wrong after a number of restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The apply is killed at a moment of the restart that it asks for.
    Killed(Moment),
    /// The server that leads dies before the restart that is asked for. It is started again from the
    /// files that lie there.
    LeaderDies,
}

/// What an operator has typed so far, and does by hand.
pub(crate) struct Operator<'a> {
    ensemble: &'a Ensemble,
    ids: Vec<u8>,
    desk: Rc<Desk>,
    /// The release that is installed before each restart.
    installs: Option<Release>,
    has_edited: bool,
    /// The servers that were restarted because an apply asked for it.
    restarted: BTreeSet<u8>,
    troubles: Vec<(usize, Trouble)>,
    typed: Vec<String>,
    /// How many of them would have been typed without the kills.
    counted: usize,
    /// Whether an apply was killed and none was typed since.
    resumes: bool,
    /// The command that writes the files of joiners, where a screen named one.
    writes_joiners: Option<String>,
}

impl<'a> Operator<'a> {
    /// With this spec, and what will go wrong: each after a number of restarts.
    pub(crate) fn with(
        ensemble: &'a Ensemble,
        ids: impl IntoIterator<Item = u8>,
        spec: &Spec,
        troubles: impl IntoIterator<Item = (usize, Trouble)>,
    ) -> Self {
        let desk = Rc::new(Desk::new());
        desk.write("spec.yaml", &spec.text());
        Self {
            ensemble,
            ids: ids.into_iter().collect(),
            desk,
            installs: None,
            has_edited: false,
            restarted: BTreeSet::new(),
            troubles: troubles.into_iter().collect(),
            typed: Vec::new(),
            counted: 0,
            resumes: false,
            writes_joiners: None,
        }
    }

    /// With another release on each server before its restart.
    pub(crate) fn installing(self, release: Release) -> Self {
        Self { installs: Some(release), ..self }
    }

    /// Types what the screens name until none names anything, and returns every command.
    ///
    /// # Panics
    /// Where the screens lead in a circle, or a trouble did not come.
    pub(crate) fn rolls(&mut self) -> Vec<String> {
        let next = self.restarts();
        assert_eq!(self.comes_to(&[APPLY], &next), None, "more than was wanted: {:#?}", self.typed);
        self.may_change();
        self.typed.clone()
    }

    /// The same until the restarts are done, and returns the command that is named then.
    ///
    /// # Panics
    /// As [`Operator::rolls`].
    pub(crate) fn restarts(&mut self) -> String {
        let most = self.troubles.len() + MORE;
        for _ in 0..most {
            let next = if let Some(apply) = self.comes_to(&[APPLY], FIRST) {
                self.applies(&apply)
            } else {
                self.resumes = false;
                Some(FIRST.to_owned())
            };
            if let Some(next) = next {
                assert_eq!(self.troubles, [], "did not come: {:#?}", self.typed);
                return next;
            }
        }
        panic!("{most} applies and no end: {:#?}", self.typed);
    }

    /// Types an apply, which is killed at an output, and what the screens then name until the next one,
    /// which is returned.
    pub(crate) fn is_killed(&mut self, apply: &str, output: &str) -> String {
        self.counts(apply);
        let line = format!("{apply} --auto-approve");
        self.desk.line(&line).at("KILL", output).ends().was_killed();
        show(&format!("typed: {apply} -> killed at {output}"));
        self.resumes = true;
        self.comes_to(&[APPLY], FIRST).expect("an apply goes on")
    }

    fn counts(&mut self, line: &str) {
        self.typed.push(line.to_owned());
        self.counted += usize::from(!self.resumes);
        if line.starts_with(APPLY) {
            self.resumes = false;
        }
    }

    /// The number of commands that would have been typed without the kills.
    pub(crate) const fn counted(&self) -> usize {
        self.counted
    }

    /// The command that writes the files of joiners, which a screen named.
    pub(crate) fn writes_joiners(&self) -> String {
        self.writes_joiners.clone().expect("a screen names it")
    }

    /// The person edits the spec.
    pub(crate) fn edits_spec(&mut self, spec: &Spec) {
        self.desk.write("spec.yaml", &spec.text());
    }

    pub(crate) fn desk(&self) -> &Desk {
        &self.desk
    }

    pub(crate) fn typed(&self) -> &[String] {
        &self.typed
    }

    pub(crate) fn types(&mut self, line: &str) -> Outcome {
        self.counts(line);
        let outcome = self.desk.line(line).ends();
        let mut named = outcome.stdout.lines().map(str::trim);
        if let Some(writes) = named.rfind(|line| line.starts_with("zkplan joiner ")) {
            self.writes_joiners = Some(writes.to_owned());
        }
        show(&format!("typed: {line} -> exit {:?}", outcome.code()));
        outcome
    }

    /// The command of one of these kinds that is named in the end; nothing where no command is.
    pub(crate) fn comes_to(&mut self, kinds: &[&str], first: &str) -> Option<String> {
        let mut line = first.to_owned();
        let mut since = BTreeSet::new();
        while !kinds.iter().any(|kind| line.starts_with(kind)) {
            assert!(since.insert(line.clone()), "a circle: {line} of {:#?}", self.typed);
            assert!(since.len() < MOST, "no end: {:#?}", self.typed);
            if line.ends_with(" --watch") {
                self.watches(&line);
                looks_again(&mut line, &mut since);
                continue;
            }
            let outcome = self.types(&line);
            if !self.has_edited && outcome.stdout.contains(EDITS) {
                self.edits(&outcome);
            }
            if START_OTHERS.iter().any(|said| outcome.has_said(&[said])) && self.is_any_down() {
                self.starts_what_is_down();
                looks_again(&mut line, &mut since);
                continue;
            }
            if outcome.has_said(&["they have no leader"]) {
                self.ensemble.wait_leader();
                since.clear();
            }
            let next: Vec<String> = outcome.next_lines().into_iter().map(str::to_owned).collect();
            line = match <[String; 1]>::try_from(next) {
                Ok([next]) => next,
                Err(none) if none.is_empty() => accepting(&outcome)?,
                Err(several) => panic!("{several:?} are named\n{outcome}"),
            };
        }
        Some(line)
    }

    fn is_any_down(&self) -> bool {
        self.ids.iter().any(|id| !self.ensemble.is_started(*id))
    }

    /// Starts the servers that were stopped for a restart and not started since.
    fn starts_what_is_down(&mut self) {
        let down: Vec<u8> =
            self.ids.iter().copied().filter(|id| !self.ensemble.is_started(*id)).collect();
        for id in down {
            show(&format!("server {id} is started, as the screen says"));
            self.starts(id);
        }
        self.ensemble.wait_serving();
    }

    fn starts(&mut self, id: u8) {
        if let Some(release) = self.installs {
            self.ensemble.install(id, release);
        }
        self.ensemble.start_again(id);
        self.restarted.insert(id);
    }

    /// Types a watch, and ends it when all servers serve.
    fn watches(&mut self, line: &str) {
        self.counts(line);
        let mut watch = self.desk.line(line).start();
        watch.wait_printed(&["tolerates"]);
        self.ensemble.wait_serving();
        watch.interrupt();
        watch.ends().exits(0);
    }

    /// Has zkplan show the edit of each file, and makes it.
    fn edits(&mut self, plan: &Outcome) {
        let line = plan.stdout.lines().find_map(|line| line.trim_start().strip_prefix(EDITS));
        let line = line.expect("a command").trim().to_owned();
        let (command, _) = line.split_once("--zoo-cfg ").expect("a file to be named");
        let files = self.ids.iter().map(|id| {
            let file = self.ensemble.file(*id, "zoo.cfg");
            format!("--zoo-cfg {id}={}", file.display())
        });
        let files = files.collect::<Vec<_>>().join(" ");
        let shown = self.types(&format!("{command}{files}"));
        let digest = if shown.has_said(&["HASH is a placeholder. Run"]) {
            assert!(shown.has_said(&[DIGEST]), "{shown}");
            let printed = self.types(DIGEST).exits(0);
            let mut lines = printed.stderr.lines().map(str::trim);
            let key = "DigestAuthenticationProvider.superDigest=";
            lines.find(|line| line.starts_with(key)).expect("a line for zoo.cfg").to_owned()
        } else {
            String::new()
        };
        for id in &self.ids {
            let title = format!("zoo.cfg of server {id}");
            let diff = shown.stdout.lines().skip_while(|line| line.trim() != title).skip(3);
            let diff: Vec<&str> =
                diff.take_while(|line| line.starts_with(['@', ' ', '+', '-'])).collect();
            assert!(!diff.is_empty(), "no edit of {title}\n{shown}");
            let file = self.ensemble.file(*id, "zoo.cfg");
            let before = fs::read_to_string(&file).expect("its zoo.cfg");
            let gone: BTreeSet<&str> =
                diff.iter().filter_map(|line| line.strip_prefix('-')).collect();
            let new = diff.iter().filter_map(|line| line.strip_prefix('+'));
            let new = new.map(|line| if line.ends_with(":HASH") { &*digest } else { line });
            let all = before.lines().filter(|line| !gone.contains(line)).chain(new);
            let after = all.collect::<Vec<_>>().join("\n") + "\n";
            fs::write(&file, after).expect("its zoo.cfg can be written");
        }
        self.has_edited = true;
    }

    /// Types an apply and does what it asks for, until it ends: the command that comes next. Nothing where
    /// it was killed.
    fn applies(&mut self, line: &str) -> Option<String> {
        self.counts(line);
        let desk = Rc::clone(&self.desk);
        let mut apply = desk.line(&format!("{line} --auto-approve")).start();
        let mut done = 0;
        loop {
            let all = wait_until("an apply to ask for a restart, or to end", PATIENCE, || {
                let all = asked(&apply);
                (all.len() > done || apply.has_ended()).then_some(all)
            });
            let Some(id) = all.get(done).copied() else { break };
            done += 1;
            if self.is_trouble(Trouble::LeaderDies) {
                self.leader_dies();
            }
            let killed = [Moment::Asked, Moment::Away, Moment::Back];
            let killed = killed.into_iter().find(|one| self.is_trouble(Trouble::Killed(*one)));
            self.resumes = killed.is_some();
            if killed == Some(Moment::Asked) {
                return kills(apply, id, Moment::Asked);
            }
            if self.ensemble.is_started(id) {
                self.ensemble.stop(id);
            }
            if killed == Some(Moment::Away) {
                return kills(apply, id, Moment::Away);
            }
            self.starts(id);
            if killed == Some(Moment::Back) {
                return kills(apply, id, Moment::Back);
            }
        }
        let ended = apply.ends();
        if !ended.has_exited(0) {
            self.shows_logs();
        }
        let ended = ended.exits(0);
        Some(ended.next_lines().first().map_or_else(|| FIRST.to_owned(), |line| (*line).to_owned()))
    }

    /// The ends of the servers' logs, to find out why an apply failed.
    fn shows_logs(&self) {
        const LINES: usize = 60;
        for id in &self.ids {
            let log = self.ensemble.log(*id);
            let lines: Vec<&str> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(LINES)..].join("\n");
            show(&format!("--- end of the log of server {id}\n{end}\n"));
        }
    }

    /// Whether this comes now; then it does not come again.
    fn is_trouble(&mut self, trouble: Trouble) -> bool {
        let now = (self.restarted.len(), trouble);
        let at = self.troubles.iter().position(|one| *one == now);
        at.map(|at| self.troubles.remove(at)).is_some()
    }

    fn leader_dies(&self) {
        let leader = self.ensemble.wait_leader();
        show(&format!("server {leader}, which leads, dies"));
        self.ensemble.kill(leader);
        wait_until("another leader", PATIENCE, || {
            self.ensemble.leader_id().filter(|id| *id != leader)
        });
        self.ensemble.start_again(leader);
        self.ensemble.wait_serving();
    }

    /// Everything is as it has to be before the first change.
    fn may_change(&mut self) {
        let status = self.desk.run(["status", "spec.yaml", "--format", "json"]).exits(0).json();
        assert_eq!(status["mayChange"], true, "{status:#}");
        let preflight = self.desk.run_as_super(&["preflight", "spec.yaml"]);
        preflight.says(["No check failed: you can plan a change"]);
    }
}

/// The command that a refusal names, with the risk that it would take.
fn accepting(refusal: &Outcome) -> Option<String> {
    let mut lines = refusal.stdout.lines().map(str::trim);
    let is_it = |line: &&str| line.starts_with("zkplan plan ") && line.contains(" --accept ");
    lines.find(is_it).map(str::to_owned)
}

/// No screen names what comes next.
fn kills(apply: Applying<'_>, id: u8, moment: Moment) -> Option<String> {
    apply.kill();
    show(&format!("killed: {moment:?}, server {id}"));
    None
}

/// The person looks again.
fn looks_again(line: &mut String, since: &mut BTreeSet<String>) {
    FIRST.clone_into(line);
    since.clear();
}

/// The servers that an apply has asked to be restarted, in order.
fn asked(apply: &Applying<'_>) -> Vec<u8> {
    let said = one_line(&apply.said());
    let asks = said.split("Now: restart server ").skip(1);
    let id = |rest: &str| rest.split(|char: char| !char.is_ascii_digit()).next()?.parse().ok();
    asks.map(|rest| id(rest).expect("the id of a server")).collect()
}
