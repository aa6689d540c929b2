//! `zkplan rehearse`: a plan in the simulator, with every server and zone failing at every moment.

use serde_json::{Value, json};

use super::args::{RehearseArgs, TextOrJson};
use super::exit::Exit;
use super::output::Output;
use super::source::Source;
use super::{assumed, live, plan};
use crate::apply::access::Named;
use crate::check::CheckedPlan;
use crate::document;
use crate::observe::Facts;
use crate::proposal::propose;
use crate::rehearsal::{
    ApplyResult, Recovery, Rehearsal, RehearsalLimits, TargetKind, Unrehearsed, Writes, rehearse,
};
use crate::render::plan::SpecFile;
use crate::render::refusal;
use crate::render::rehearse as render;
use crate::saved;
use crate::spec::Spec;

pub(super) fn run(args: &RehearseArgs, output: &Output) -> Exit {
    let checked = match Source::read(&args.file, output) {
        Ok(Source::Plan(_)) if args.live.is_some() || !args.accept.is_empty() => {
            output.error(
                "--live and --accept work only with a spec",
                "a saved plan includes its starting configuration and the accepted risks",
            );
            return Exit::Usage;
        }
        Ok(Source::Plan(checked)) => *checked,
        Ok(Source::Spec(spec)) => match planned(args, &spec, output) {
            Ok(checked) => checked,
            Err(exit) => return exit,
        },
        Err(exit) => return exit,
    };
    match rehearse(&checked, RehearsalLimits::default()) {
        Ok(rehearsal) => {
            let exit = if rehearsal.always_ends() { Exit::Done } else { Exit::Unsafe };
            match args.format {
                TextOrJson::Text => {
                    output.screen(&render::screen(&checked, &rehearsal, output.width), exit)
                }
                TextOrJson::Json => {
                    let document = document(&checked, &rehearsal);
                    output.raw(&(document::canonical(&document, true) + "\n"), exit)
                }
            }
        }
        Err(why) => {
            let (what, remedy) = render::unrehearsed(&why);
            output.error(&what, remedy);
            match why {
                Unrehearsed::Awaits(_) | Unrehearsed::Undisturbed(_) | Unrehearsed::TooMuch => {
                    Exit::Unsafe
                }
                Unrehearsed::Unlawful(_) => Exit::Bug,
            }
        }
    }
}

/// Plans for a spec: for what a file holds, or for what is there.
fn planned(args: &RehearseArgs, spec: &Spec, output: &Output) -> Result<CheckedPlan, Exit> {
    let target = &spec.to_target();
    let facts = if let Some(live) = &args.live {
        Facts::assumed(assumed::config(live, spec, output)?, target)
    } else {
        let port = live::servers(target, &Named::of(target, None), output)?;
        Facts::of(&live::block_on(output, live::look(&port, target, output))??, target)
    };
    propose(target, &facts, &args.accept).map_err(|refusal| {
        let path = args.file.display().to_string();
        output.aside(&refusal::screen(&refusal::RefusalScreen {
            spec: SpecFile { path: &path, spec },
            observation: None,
            refusal: &refusal,
            width: output.width,
        }));
        plan::exit_of_breaches(&refusal.breaches)
    })
}

fn apply(course: &ApplyResult) -> Value {
    let (how, at) = match course {
        ApplyResult::Completes => ("ends", &None),
        ApplyResult::Waits { at, .. } => ("waits", at),
        ApplyResult::Stops { at, .. } => ("stops", at),
    };
    json!({ "how": how, "at": at, "says": render::course(course, &[]).1 })
}

fn document(checked: &CheckedPlan, rehearsal: &Rehearsal) -> Value {
    let failures = rehearsal.all().map(|(moment, failure)| {
        let (kind, zone) = match &failure.who.what {
            TargetKind::Leader => ("leader", None),
            TargetKind::Follower => ("follower", None),
            TargetKind::Observer => ("observer", None),
            TargetKind::Joiner => ("joiner", None),
            TargetKind::Left => ("left", None),
            TargetKind::Zone(zone) => ("zone", Some(zone)),
        };
        json!({
            "after": moment.after,
            "who": { "kind": kind, "zone": zone, "servers": failure.who.servers },
            "writes": match failure.writes {
                Writes::Uninterrupted => "go-on",
                Writes::AfterElection => "after-election",
                Writes::Stop => "stop",
            },
            "apply": apply(&failure.apply_result),
            "back": match &failure.recovery {
                Recovery::AtTarget => json!({ "how": "at-target" }),
                Recovery::Resumed => json!({ "how": "resumed" }),
                Recovery::Failed(course) => json!({ "how": "not", "apply": apply(course) }),
            },
        })
    });
    json!({
        "format": "zkplan/rehearsal",
        "format_version": "1.0",
        "ensemble": checked.plan().ensemble,
        "plan_id": saved::plan_id(checked.plan()),
        "leader": rehearsal.leader,
        "leader_assumed": rehearsal.is_leader_assumed,
        "rehearsed": rehearsal.played(),
        "failures": rehearsal.failures,
        "moments": rehearsal.of_moments,
        "always_ends": rehearsal.always_ends(),
        "rehearsals": failures.collect::<Vec<Value>>(),
    })
}
