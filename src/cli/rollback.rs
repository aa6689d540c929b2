//! `zkplan rollback`: a checked plan back to the members before a run. It sends nothing.

use std::collections::BTreeSet;
use std::slice;

use super::accepting::Accepts;
use super::anonymous::open_anonymous;
use super::error::{CommandError, exit_of_breaches};
use super::exit::Exit;
use super::formats::TextOrJson;
use super::journal::{self, Earlier, Unread, Wanted, sessions_at};
use super::live::{self, journal_unreadable, no_server};
use super::output::Output;
use super::plan::BESIDE_PLANNING;
use super::plan_file::{not_writable, write_plan};
use super::rollback_args::RollbackArgs;
use super::source::accepts;
use super::{retired, secret, specs};
use crate::apply::Outcome;
use crate::apply::access::{Access, Named, Signer};
use crate::apply::journal::Run;
use crate::apply::old_runs::READ;
use crate::check::CheckedPlan;
use crate::document::Document as _;
use crate::ensemble::{RequestError, ZooKeeper};
use crate::model::Target;
use crate::observe::{Facts, Finding, FindingKind, Observation, Question, observe_confirmed};
use crate::proposal::{Refusal, propose};
use crate::rehearsal;
use crate::render::plan::{PlanFile, SpecFile};
use crate::render::rollback::{self as screens, Rollback};
use crate::render::{ends, not_proven, refusal, words_for_shell};
use crate::report::RefusalDocument;
use crate::report::error::CommandFailure;
use crate::report::rollback::RollbackDocument;
use crate::rollback::{RunBefore, spec_edits};
use crate::saved;
use crate::spec::Spec;
use crate::trust::{OwnIds, Unproven};

/// The command, its spec, and the port.
struct Asked<'a> {
    args: &'a RollbackArgs,
    spec: &'a Spec,
    path: &'a str,
    port: &'a ZooKeeper,
    output: &'a Output,
}

pub(super) fn run(args: &RollbackArgs, output: &Output) -> Result<Exit, CommandError> {
    if let Some((wrong, hint)) = not_writable(&args.out, slice::from_ref(&args.spec)) {
        return Err(CommandError::new(CommandFailure::Usage, wrong).hint(&hint));
    }
    let loaded = specs::load(slice::from_ref(&args.spec)).pop().expect("one for each path");
    let spec = loaded.spec?;
    let connect = secret::connected(&spec.connect, &args.access)?;
    let spec = Spec { connect, ..spec };
    let wanted = spec.to_target();
    let port = live::servers(&wanted, &Named::of(&wanted, None))?;
    let asked = Asked { args, spec: &spec, path: &loaded.path, port: &port, output };
    live::block_on(asked.back())?
}

impl Asked<'_> {
    /// Reads the run, plans back, and writes and shows the plan.
    async fn back(&self) -> Result<Exit, CommandError> {
        let wanted = self.spec.to_target();
        let seen = live::look(self.port, &wanted, self.output).await?;
        let earlier = Box::pin(self.proven(&seen, &wanted)).await?;
        let (run, kept) = self.run_of(&earlier)?;
        if let Some(lock) = &earlier.journal.lock {
            return Err(self.ended(&Outcome::Locked(lock.text.clone())));
        }
        let header = run.header.as_ref().map_err(|_| self.plan_lost())?;
        let before = RunBefore { number: run.number, header, plan: kept.plan() };
        let target = before.target(self.spec);
        let (facts, open) = self.facts(&target).await?;
        let accepted = Accepts::of(&self.args.accept, self.spec);
        accepted.note_ended(self.path, self.output);
        let proposed = propose(&target, &facts.0, &accepted.now());
        let taken_back = taken_back(earlier.runs().latest.iter(), run.number);
        let of = |checked| Rollback { before, checked, taken_back: &taken_back, open };
        match proposed {
            Ok(checked) => {
                let checked = accepted.with_terms(checked).taking_back(run.number);
                self.planned(&of(&checked), &target, &facts.1)
            }
            Err(mut refusal) => {
                refusal.nearest.takes_back = Some(run.number);
                Ok(self.refused(&refusal, &facts.1))
            }
        }
    }

    /// What the ensemble keeps, as far as it is proven to be an operator's. Where a session without
    /// credentials cannot prove that, one with the credential of the spec does.
    async fn proven(&self, seen: &Observation, wanted: &Target) -> Result<Earlier, CommandError> {
        let servers = sessions_at(seen, wanted);
        let lost = || no_server(&format!("zkplan plan {}", words_for_shell(self.path)));
        let unread = |why| match why {
            Unread::NoSession => lost(),
            Unread::Refused(code) => journal_unreadable(code),
        };
        let depth = Wanted { runs: READ, plan_of: Some(self.args.run), watch: None };
        let session = open_anonymous(self.port, &servers, &wanted.connect).await;
        let session = session.map_err(|_| lost())?;
        let read = journal::read_proven(session, OwnIds::default(), wanted, depth).await;
        let read = read.map_err(unread)?;
        if is_proven(&read, self.args.run) {
            return Ok(read);
        }
        let closed = journal::read(self.port, &servers, wanted, depth).await.map_err(unread)?;
        if !is_proven(&closed, self.args.run) || closed.journal.is_certain {
            return Ok(read);
        }
        // It is closed, and servers show only a session with rights whose it is.
        let in_clear = secret::in_clear(&self.args.access);
        let terms = secret::terms(&wanted.connect, in_clear, self.output).await?;
        let own = OwnIds::of(terms.auth.as_ref());
        if terms.auth.is_none() {
            return Ok(read);
        }
        let access = Access::new(terms, Named::of(wanted, None));
        let recipients = access.recipients(seen, &BTreeSet::new());
        if recipients.is_empty() {
            return Err(self.ended(&Outcome::NoRecipient { unnamed: access.unnamed(seen) }));
        }
        if Signer::of(&wanted.connect).sends_password() {
            secret::may_travel(self.port, in_clear, recipients.iter()).await?;
        }
        let session = access.open(self.port, seen, &recipients).await;
        let session = session.map_err(|why| match why {
            RequestError::InClear => secret::in_the_clear("a server that is not on this machine"),
            RequestError::Refused(_) => {
                let signer = access.signer();
                self.ended(&Outcome::NotAuthorized { by: recipients.clone(), signer })
            }
            _ => lost(),
        })?;
        journal::read_proven(session, own, wanted, depth).await.map_err(unread)
    }

    /// The run that is to be taken back, and its plan.
    fn run_of<'e>(&self, earlier: &'e Earlier) -> Result<(&'e Run, CheckedPlan), CommandError> {
        let number = self.args.run;
        if let Some(unproven) = earlier.journal.unproven() {
            return Err(self.ended(&Outcome::Unproven(unproven.clone())));
        }
        let runs = earlier.runs();
        let Some(run) = runs.latest.iter().find(|run| run.number == number) else {
            if let Some(unproven) = below(&runs.unproven, number) {
                return Err(self.unproven(unproven));
            }
            return Err(journal::no_such_run(runs, number, &words_for_shell(self.path)));
        };
        let kept = earlier.plan.as_deref().and_then(|text| saved::read_kept(text).ok());
        let kept = kept.filter(|kept| run.is_of(&saved::plan_id(kept.plan())));
        Ok((run, kept.ok_or_else(|| self.plan_lost())?))
    }

    /// The facts for the way back, what was seen, and the run that is open.
    async fn facts(
        &self,
        target: &Target,
    ) -> Result<((Facts, Observation), Option<u64>), CommandError> {
        let not_seen = |error| live::not_seen(target, &error, self.output);
        let seen = match observe_confirmed(self.port, &Question::of(target)).await {
            Ok(seen) => seen,
            Err(error) => return Err(not_seen(retired::named(self.port, target, error).await)),
        };
        let mut facts = Facts::of(&seen, target);
        let accepts = Some(Accepts::of(&self.args.accept, self.spec));
        let open = journal::open_runs(self.port, &seen, &facts, (target, accepts)).await;
        let open = open.map_err(|why| match why {
            Unread::NoSession => no_server(&format!("zkplan plan {}", words_for_shell(self.path))),
            Unread::Refused(code) => journal_unreadable(code),
        })?;
        if let Some(error) = retired::two_histories(self.port, target, open.rivals).await {
            return Err(not_seen(error));
        }
        if let Some(position) = open.resumed {
            return Err(self.is_on_its_way(position.run));
        }
        // Those that are wanted back are to run.
        let is_wanted = |finding: &Finding| match &finding.kind {
            FindingKind::RetiredAnswers { servers, .. } => {
                servers.iter().all(|server| target.servers.contains_key(&server.id))
            }
            _ => false,
        };
        facts.findings.extend(open.journal.findings.into_iter().filter(|one| !is_wanted(one)));
        facts.findings.sort();
        Ok(((facts, seen), open.applied.open))
    }

    /// Writes the plan, and shows it with what leads to it.
    fn planned(
        &self,
        rollback: &Rollback<'_>,
        target: &Target,
        seen: &Observation,
    ) -> Result<Exit, CommandError> {
        let Self { args, spec, path, output, .. } = *self;
        let checked = rollback.checked;
        // A run that is open is closed by the apply of a plan, also of one without changes.
        let is_written = !checked.plan().is_empty() || rollback.open.is_some();
        let edits = spec_edits(spec, target, &checked.plan().target);
        if is_written {
            write_plan(&args.out, &args.spec, checked)?;
        }
        let out = args.out.display().to_string();
        let plan_id = saved::plan_id(checked.plan());
        let file = PlanFile { path: &out, plan_id: &plan_id };
        let rehearsed = rehearsal::summary(checked, BESIDE_PLANNING);
        let exit = if is_written { Exit::Differences } else { Exit::Done };
        let view = screens::RollbackScreen {
            rollback: *rollback,
            spec: SpecFile { path, spec },
            edits: &edits,
            file: is_written.then_some(file),
            observation: seen,
            rehearsed: (checked.plan().reconfigs() > 0).then_some(&rehearsed),
            width: output.width,
        };
        Ok(match args.format {
            TextOrJson::Text => output.screen(&screens::screen(&view), exit),
            TextOrJson::Json => {
                output.raw(&RollbackDocument::of(&view, exit.code()).to_text(), exit)
            }
        })
    }

    /// No plan back is safe now.
    fn refused(&self, refusal: &Refusal, seen: &Observation) -> Exit {
        let Self { args, spec, path, output, .. } = *self;
        let exit = exit_of_breaches(&refusal.breaches);
        if args.format == TextOrJson::Json {
            return output.raw(&RefusalDocument::of(refusal, path, exit.code()).to_text(), exit);
        }
        let screen = refusal::screen(&refusal::RefusalScreen {
            spec: SpecFile { path, spec },
            observation: Some(seen),
            refusal,
            again: &self.again(),
            width: output.width,
        });
        output.screen(&screens::refused(args.run, screen, output.width), exit)
    }

    /// The command as it was typed.
    fn again(&self) -> String {
        let accepted: String = self.args.accept.iter().map(accepts).collect();
        let (spec, out) = (words_for_shell(self.path), self.args.out.display().to_string());
        let out = words_for_shell(&out);
        format!("zkplan rollback {} {spec}{accepted} --out {out}", self.args.run)
    }

    /// The screen of an end that an apply has too.
    fn ended(&self, end: &Outcome) -> CommandError {
        let again = self.again();
        CommandError::of_end(&ends::EndScreen {
            end,
            again: &again,
            path: self.path,
            plans: &again,
            anew: None,
            run: None,
            width: self.output.width,
        })
    }

    fn plan_lost(&self) -> CommandError {
        let number = self.args.run;
        let what = format!(
            "the plan of run {number} is damaged or not proven, so that the members before it are not \
             known. Nothing was written"
        );
        CommandError::new(CommandFailure::PlanLost, what).hint(format!(
            "write the members that you want into the spec, and plan that: zkplan plan {}",
            words_for_shell(self.path)
        ))
    }

    /// It is not known who wrote the run.
    fn unproven(&self, unproven: &Unproven) -> CommandError {
        let what = format!(
            "run {} is not taken back: {}. Nothing was written",
            self.args.run,
            not_proven(unproven)
        );
        CommandError::new(CommandFailure::FolderNotProven, what).hint(format!(
            "zkplan history {} --unproven shows what is there; write the members that you want into \
             the spec, and plan that",
            words_for_shell(self.path)
        ))
    }

    /// An earlier rollback to these members is not finished.
    fn is_on_its_way(&self, run: u64) -> CommandError {
        let spec = words_for_shell(self.path);
        let out = self.args.out.display().to_string();
        let out = words_for_shell(&out);
        let what = format!(
            "run {run} is open and leads to the members before run {}. Nothing was written",
            self.args.run
        );
        CommandError::new(CommandFailure::OtherRun, what).hint(format!(
            "finish it with the file that started it, or with the plan that the ensemble keeps: zkplan \
             history {spec} {run} --plan > {out}, then zkplan apply {out}"
        ))
    }
}

/// Whether a run is proven, in a folder that is.
fn is_proven(earlier: &Earlier, number: u64) -> bool {
    let is_there = earlier.runs().latest.iter().any(|run| run.number == number);
    earlier.journal.unproven().is_none() && is_there && earlier.plan.is_some()
}

/// Why a run is not proven.
fn below(unproven: &[Unproven], number: u64) -> Option<&Unproven> {
    let name = format!("/{number:010}");
    unproven.iter().find(|one| one.path.ends_with(&name) || one.path.contains(&format!("{name}/")))
}

/// The runs that are taken back with that one: those after it that changed something.
fn taken_back<'a>(runs: impl Iterator<Item = &'a Run>, number: u64) -> Vec<u64> {
    let later = runs.filter(|run| run.number > number && !run.committed().is_empty());
    later.map(|run| run.number).collect()
}
