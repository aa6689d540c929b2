//! What the README shows is what zkplan prints, and what it refers to exists.
//!
//! Blocks of commands that need no server are typed here, in the folder of the project, exactly as
//! they are written. Blocks of a real ensemble name the test of `tests/zookeeper` that produces
//! them. `ZKPLAN_UPDATE=1` writes the blocks of the first kind anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::consoles::{Console, LEFT_OUT, consoles};
use crate::run::{Desk, project_file};

/// Printed by the shell after each command, and by nothing else.
const NEXT: &str = "\u{1e}\n";

fn readme() -> String {
    fs::read_to_string(project_file("README.md")).expect("the README")
}

#[test]
fn the_readme_shows_what_zkplan_prints() {
    let page = readme();
    let blocks = consoles(&page);
    let (marked, typed): (Vec<Console>, Vec<Console>) =
        blocks.into_iter().partition(|block| block.mark.is_some());
    assert!(!marked.is_empty() && !typed.is_empty(), "the README shows no console");
    let mut lines: Vec<String> = page.lines().map(str::to_owned).collect();
    // From the last to the first: those above keep their line numbers.
    for block in typed.iter().rev() {
        let was = block.typed.iter().map(|typed| typed.printed.len() + 1).sum::<usize>();
        let now = block.typed.iter().zip(answers(block)).flat_map(|(typed, printed)| {
            let printed = printed.trim_end().lines().map(str::to_owned).collect::<Vec<_>>();
            [vec![format!("$ {}", typed.line)], printed].concat()
        });
        drop(lines.splice(block.line..block.line + was, now.collect::<Vec<_>>()));
    }
    let now = lines.join("\n") + "\n";
    if std::env::var_os("ZKPLAN_UPDATE").is_some() {
        fs::write(project_file("README.md"), &now).expect("the README can be written");
        return;
    }
    let differs = page.lines().zip(now.lines()).position(|(was, is)| was != is);
    assert!(page == now, "from line {:?} on zkplan prints\n{now}", differs.map(|at| at + 1));
}

/// What each command of a block prints, on either stream.
fn answers(block: &Console) -> Vec<String> {
    let mut script = "exec 2>&1\n".to_owned();
    for typed in &block.typed {
        let at = block.line;
        assert!(
            is_offline(&typed.line),
            "README.md:{at}: `{}` is not run: it needs a server, writes a file or is no command \
             of zkplan, and no comment above the block names a test",
            typed.line
        );
        let shown = typed.printed.iter().all(|line| line != LEFT_OUT);
        assert!(shown, "README.md:{at}: lines are left out; use `sed`, and all is compared");
        // The next command sees the exit code of this one.
        script.extend([&typed.line, "\ncode=$?; printf '\\036\\n'; (exit $code)\n"]);
    }
    let folder = Path::new(env!("CARGO_BIN_EXE_zkplan")).parent().expect("a folder");
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(project_file(""))
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .env("COLUMNS", "100")
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let said = String::from_utf8(output.stdout).expect("text");
    let answers: Vec<String> = said.split_terminator(NEXT).map(str::to_owned).collect();
    assert_eq!(answers.len(), block.typed.len(), "README.md:{}: {said}", block.line);
    for answer in &answers {
        let raw = answer.chars().find(|c| !matches!(c, ' '..='~' | '\n'));
        assert_eq!(raw, None, "{answer}");
        assert!(answer.lines().all(|line| line.len() <= 100), "{answer}");
    }
    answers
}

/// Whether a line asks no server and writes no file.
fn is_offline(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    if words.iter().any(|word| word.contains('>') || ["--out", "-o"].contains(word)) {
        return false;
    }
    match words[..] {
        ["zkplan", "plan" | "rehearse", ..] => words.contains(&"--live"),
        ["zkplan", "validate" | "show" | "explain" | "schema", ..] | ["echo", "$?"] => true,
        _ => false,
    }
}

#[test]
fn a_block_of_a_real_ensemble_names_a_test_that_exists() {
    for block in consoles(&readme()) {
        let Some((file, test)) = block.mark else { continue };
        let code = fs::read_to_string(project_file(&file)).unwrap_or_default();
        let head = format!("#[test]\nfn {test}()");
        assert!(code.contains(&head), "README.md:{}: no test {test} in {file}", block.line);
    }
}

#[test]
fn a_block_that_no_test_produces_is_found() {
    for line in [
        "zkplan plan prod.yaml",
        "zkplan apply plan.json",
        "zkplan demo",
        "zkplan plan prod.yaml --live live --out plan.json",
        "zkplan schema > schema.json",
        "rm -r data",
    ] {
        assert!(!is_offline(line), "{line}");
    }
    let page = "```console\n$ zkplan validate a.yaml\nvalid\n$ echo $?\n0\n```\n";
    let block = &consoles(page)[0];
    assert!(block.mark.is_none() && block.typed.iter().all(|typed| is_offline(&typed.line)));
}

#[test]
fn every_page_and_file_that_the_readme_names_exists() {
    let page = readme();
    let mut missing = Vec::new();
    for named in page.split("zkplan explain ").skip(1) {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let code = &named[..named.find(|c| !is_part(c)).unwrap_or(named.len())];
        if !code.is_empty() && zkplan::explain::page(code).is_none() {
            missing.push(format!("zkplan explain {code}"));
        }
    }
    for linked in page.split("](").skip(1).filter_map(|rest| rest.split_once(')')) {
        let target = linked.0;
        if !target.contains("://") && !project_file(target).exists() {
            missing.push(target.to_owned());
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

/// The settings have a page of their own.
/// A whole spec on a page of `explain` is one that people copy.
#[test]
fn a_spec_on_a_page_is_one() {
    let desk = Desk::new();
    let mut specs = 0;
    for (code, _) in zkplan::explain::titles() {
        let page = zkplan::explain::page(&code).expect("a page");
        let indented = page.lines().map(|line| line.strip_prefix("    "));
        let from_its_head = indented.skip_while(|line| *line != Some("apiVersion: zkplan/v1"));
        let spec: String =
            from_its_head.map_while(|line| line).flat_map(|line| [line, "\n"]).collect();
        if spec.is_empty() {
            continue;
        }
        specs += 1;
        desk.write("spec.yaml", &spec);
        let answer = desk.zkplan(&["validate", "spec.yaml"]);
        assert_eq!(answer.code, 0, "{code}: {}", answer.err);
    }
    assert!(specs >= 2, "{specs} specs");
}

#[test]
fn the_page_of_the_spec_is_a_spec_with_every_key() {
    let pages = ["spec", "settings"].map(|name| zkplan::explain::page(name).expect("a page"));
    let block = |page: &'static str| -> String {
        let lines = page.lines().filter_map(|line| line.strip_prefix("    "));
        lines.flat_map(|line| [line, "\n"]).collect()
    };
    let desk = Desk::new();
    let [spec, settings] = pages.map(block);
    let with_settings: String = spec
        .lines()
        .filter(|line| !line.starts_with("settings:"))
        .flat_map(|line| [line, "\n"])
        .chain([settings.as_str()])
        .collect();
    for spec in [&spec, &with_settings] {
        desk.write("spec.yaml", spec);
        let answer = desk.zkplan(&["validate", "spec.yaml"]);
        assert_eq!(answer.code, 0, "{}", answer.err);
    }

    let mut keys = BTreeSet::new();
    let schema = desk.zkplan(&["schema"]).out;
    collect_keys(&serde_json::from_str(&schema).expect("a schema"), &mut keys);
    assert!(keys.len() > 30, "{keys:?}");
    let is_part = |c: char| !c.is_ascii_alphanumeric();
    let words: BTreeSet<&str> = pages.iter().flat_map(|page| page.split(is_part)).collect();
    let missing: Vec<&String> = keys.iter().filter(|key| !words.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "zkplan explain spec and settings do not show {missing:?}");
}

/// The keys of all objects that a schema describes.
fn collect_keys(schema: &Value, keys: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Object(properties)) = map.get("properties") {
                keys.extend(properties.keys().cloned());
            }
            map.values().for_each(|value| collect_keys(value, keys));
        }
        Value::Array(all) => all.iter().for_each(|value| collect_keys(value, keys)),
        _ => {}
    }
}
