//! The commands that come next, as they are typed, and the end that names them.

use std::path::Path;

use clap::ValueEnum as _;

use super::super::args::{AccessArgs, ApplyArgs, Approval, DEFAULT_TIMEOUT};
use super::super::error::{CommandError, next};
use super::super::output::Output;
use super::super::signature::SignatureArgs;
use super::super::source::{Source, accepts};
use crate::apply::Outcome;
use crate::observe::ObserveError;
use crate::render::{Line, Style, ends, words_for_shell};

/// The end of an apply before its session was opened.
pub(super) fn refuse(
    (args, source): (&ApplyArgs, &Source),
    end: &Outcome,
    output: &Output,
) -> CommandError {
    let path = args.file.display().to_string();
    let again = again(args, &path);
    CommandError::of_end(&ends::EndScreen {
        end,
        again: &again,
        path: &path,
        plans: &source.plans_after(end, &args.file),
        anew: anew(args, source).as_deref(),
        run: None,
        width: output.width,
    })
}

/// The command that resumes, as it is typed.
///
/// What was approved, and which run was given up, is left out: it was said of that moment, and
/// the next apply checks again.
pub(super) fn again(args: &ApplyArgs, path: &str) -> String {
    let accepted: String = args.accept.iter().map(accepts).collect();
    format!("zkplan apply {}{accepted}{}", words_for_shell(path), kept(args))
}

/// The command that applies what the spec wants now, as it is typed: that of the file, or of the
/// spec that a saved plan was made from, where that is there. A plan that takes a run back is made and
/// applied again: what the spec wants is the other way.
pub(super) fn anew(args: &ApplyArgs, source: &Source) -> Option<String> {
    let spec = source.spec_path(&args.file)?;
    if source.takes_back().is_some() {
        let again = again(args, &args.file.display().to_string());
        return Some(format!("{}; {again}", source.plans(&args.file)));
    }
    let held = source.accepted();
    let more = args.accept.iter().filter(|risk| !held.contains(risk));
    let accepted: String = held.iter().chain(more).map(accepts).collect();
    Some(format!("zkplan apply {spec}{accepted}{}", kept(args)))
}

/// The command that saves the plan of the spec that was given, with what is accepted.
pub(super) fn saves(args: &ApplyArgs, file: &str) -> String {
    let accepted: String = args.accept.iter().map(accepts).collect();
    let spec = words_for_shell(&args.file.display().to_string());
    format!("zkplan plan {spec}{accepted} --out {file}")
}

/// An error with the command that comes next.
pub(super) fn with_next(error: CommandError, command: &str, output: &Output) -> CommandError {
    let mut text = error.to_text(output.width);
    text.append(next(command));
    error.hint(command).shown_as(text)
}

/// Why there is no ensemble to apply to, with the command to be typed again once that is over.
pub(super) fn to_be_tried_again(
    args: &ApplyArgs,
    (why, error): (&ObserveError, CommandError),
    output: &Output,
) -> CommandError {
    let lead = match why {
        ObserveError::Unreachable { .. } => "Next, when servers answer: ",
        _ => "Next, after the fix: ",
    };
    let command = typed(args, &args.file.display().to_string());
    let mut text = error.to_text(output.width);
    text.gap();
    text.line(Line::plain(lead).then(Style::Cyan, command.clone()));
    error.hint(command).shown_as(text)
}

/// The command as it was typed, for that file, but for who approves: where nothing came of it yet.
pub(super) fn typed(args: &ApplyArgs, file: &str) -> String {
    let approved = args.approve.iter().map(|approval| match approval {
        Approval::Cutover => " --approve cutover".to_owned(),
        Approval::Host(host) => format!(" --approve host-{host}"),
        Approval::Stop => " --approve stop".to_owned(),
        Approval::Blank(id) => format!(" --approve attest-{id}"),
    });
    let abandoned = args.abandon.map(|number| format!(" --abandon {number}"));
    let further: String = approved.chain(abandoned).collect();
    again(args, file) + &further
}

/// The flags that hold for another try too.
fn kept(args: &ApplyArgs) -> String {
    let flag = |is_given: bool, flag: &str| is_given.then(|| format!(" {flag}"));
    let timeout = Some(args.timeout).filter(|time| *time != DEFAULT_TIMEOUT);
    let flags = timeout
        .map(|time| format!(" --timeout {time}"))
        .into_iter()
        .chain(args.lock_timeout.map(|time| format!(" --lock-timeout {time}")))
        .chain(flag(args.no_hooks, "--no-hooks"))
        .chain(backup(args))
        .chain(joiner_dir(args))
        .chain(flag(args.strict_version, "--strict-version"))
        .chain(signed(&args.signed))
        .chain(because(args))
        .chain(accessed(&args.access));
    flags.collect()
}

/// Why it is done and who has it done, as it is typed.
fn because(args: &ApplyArgs) -> impl Iterator<Item = String> {
    let flag = |flag: &str, text: &Option<String>| {
        text.as_ref().map(|text| format!(" {flag} {}", words_for_shell(text)))
    };
    [flag("--reason", &args.reason), flag("--by", &args.by)].into_iter().flatten()
}

/// Whose signature is asked for, as it is typed.
fn signed(args: &SignatureArgs) -> impl Iterator<Item = String> {
    let flag = |flag: &str, path: &Path| {
        format!(" {flag} {}", words_for_shell(&path.display().to_string()))
    };
    let keys = args.verify_key.iter().map(move |key| flag("--verify-key", key));
    keys.chain(args.signature.iter().map(move |path| flag("--signature", path)))
}

/// The backup, as it is typed: the next apply checks it again.
fn backup(args: &ApplyArgs) -> Option<String> {
    let file = args.backup.as_ref()?.display().to_string();
    Some(format!(" --backup {}", words_for_shell(&file)))
}

/// The folder of joiners' files, as it is typed.
fn joiner_dir(args: &ApplyArgs) -> Option<String> {
    let dir = args.joiner_dir.as_ref()?.display().to_string();
    Some(format!(" --joiner-dir {}", words_for_shell(&dir)))
}

/// How the ensemble is reached, as it is typed.
fn accessed(args: &AccessArgs) -> impl Iterator<Item = String> {
    let AccessArgs { connect, auth, user, password_file, allow_cleartext_auth } = args;
    let connect = (!connect.is_empty()).then(|| format!(" --connect {}", connect.join(",")));
    let auth =
        auth.and_then(|auth| Some(format!(" --auth {}", auth.to_possible_value()?.get_name())));
    let user = user.as_ref().map(|user| format!(" --user {}", words_for_shell(user)));
    let path = password_file.as_ref().map(|path| path.display().to_string());
    let path = path.map(|path| format!(" --password-file {}", words_for_shell(&path)));
    let clear = allow_cleartext_auth.then(|| " --allow-cleartext-auth".to_owned());
    [connect, auth, user, path, clear].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::args::{ApplyArgs, Cli, Command};

    fn args(words: &str) -> ApplyArgs {
        let typed = format!("zkplan apply plan.yaml{words}");
        let cli = Cli::try_parse_from(typed.split_whitespace()).expect("a command line");
        let Command::Apply(args) = cli.command else { panic!("{typed}") };
        args
    }

    fn again(words: &str) -> String {
        super::again(&args(words), "plan.yaml")
    }

    #[test]
    fn the_next_command_keeps_what_still_holds() {
        let kept = " --accept ZKQ2:join-2 --timeout 90s --lock-timeout 1m --no-hooks \
                    --backup b.tar.gz --joiner-dir joiners/ --strict-version --verify-key a.pem --verify-key b.pem --signature s --reason OPS-7 --by ann --connect zk1:2181,zk2:2181 --auth sasl --user super --password-file pw \
                    --allow-cleartext-auth";
        assert_eq!(again(kept), format!("zkplan apply plan.yaml{kept}"));
        let said_once = " --approve cutover --auto-approve --abandon 3 --events e --timeout 10m";
        assert_eq!(again(said_once), "zkplan apply plan.yaml");
        let typed = |words: &str| super::typed(&args(words), "plan.yaml");
        let asked = " --timeout 90s --approve cutover --approve attest-4 --abandon 3";
        assert_eq!(typed(&format!("{asked} --events e")), format!("zkplan apply plan.yaml{asked}"));
    }
}
