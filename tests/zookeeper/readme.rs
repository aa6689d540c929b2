//! What the README shows of real ensembles: each block is typed here, and what it prints is compared.
//!
//! What differs from run to run is masked on both sides: times, counts, zxids, config versions, ports,
//! and which server leads and is therefore removed last. `[...]` in the README stands for lines that
//! it leaves out.

use std::env;

use crate::consoles::{Console, LEFT_OUT, Typed, consoles};
use crate::harness::Builder;
use crate::zkplan::{Desk, Outcome};

/// The block that names a test of this file.
fn block_of(test: &str) -> Console {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let page = std::fs::read_to_string(page).expect("the README");
    let mark = Some(("tests/zookeeper/readme.rs".to_owned(), test.to_owned()));
    let mut blocks = consoles(&page).into_iter().filter(|block| block.mark == mark);
    let block = blocks.next().unwrap_or_else(|| panic!("the README has no block of {test}"));
    assert!(blocks.next().is_none(), "the README has two blocks of {test}");
    block
}

#[test]
fn an_import_is_planned_as_the_readme_shows() {
    let block = block_of("an_import_is_planned_as_the_readme_shows");
    let ensemble = Builder::rich().start();
    let desk = Desk::new();
    for typed in &block.typed {
        let line = (1..=3).fold(typed.line.clone(), |line, id| {
            line.replace(&format!("zk{id}:2181"), &ensemble.client_address(id).to_string())
        });
        let outcome = desk.line(&line).ends().exits(0);
        prints(&outcome, &block, typed);
    }
}

#[test]
fn the_demo_prints_what_the_readme_shows() {
    let block = block_of("the_demo_prints_what_the_readme_shows");
    let [typed] = &block.typed[..] else { panic!("one line is typed") };
    let desk = Desk::new();
    let mut demo = desk.line(&format!("{} 2>&1", typed.line));
    for name in ["JAVA_HOME", "ZOOKEEPER_HOME"] {
        demo = demo.environment(name, env::var(name).ok().as_deref());
    }
    prints(&demo.ends().exits(0), &block, typed);
}

/// Panics unless the outcome shows what is printed below a line of the README.
fn prints(outcome: &Outcome, block: &Console, typed: &Typed) {
    let said: Vec<&str> = outcome.stdout.lines().collect();
    let (events, words) = (events(&said), words(&said));
    let (mut next_event, mut next_word) = (0, 0);
    for part in typed.printed.split(|line| line == LEFT_OUT) {
        let part: Vec<&str> = part.iter().map(String::as_str).collect();
        // How long things take decides what else is said between two events.
        for event in self::events(&part) {
            let at = events[next_event..].iter().position(|said| *said == event);
            let at = at.unwrap_or_else(|| panic!("{}: no `{event}` in\n{outcome}", at_line(block)));
            next_event += at + 1;
        }
        let part = self::words(&part);
        if part.is_empty() {
            continue;
        }
        let at = words[next_word..].windows(part.len()).position(|said| said == part);
        let at = at.unwrap_or_else(|| panic!("{}: no\n{part:?}\nin\n{words:?}", at_line(block)));
        next_word += at + part.len();
    }
}

fn at_line(block: &Console) -> String {
    format!("README.md:{}", block.line)
}

/// The events of an apply, which begin with a time.
fn events(lines: &[&str]) -> Vec<String> {
    let events = lines.iter().filter_map(|line| line.split_once("s  ").filter(is_event));
    // Some are answered at once, some have to be read back.
    let events = events.map(|(_, event)| event.trim_end_matches(", read back").to_owned());
    events.map(|event| masked(&event).join(" ")).collect()
}

fn is_event((time, _): &(&str, &str)) -> bool {
    time.trim_start().parse::<f64>().is_ok()
}

/// The words of everything else, wherever lines were broken.
fn words(lines: &[&str]) -> Vec<String> {
    let others =
        lines.iter().filter(|line| !line.split_once("s  ").is_some_and(|at| is_event(&at)));
    masked(&others.copied().collect::<Vec<_>>().join("\n"))
}

/// The words of a text without what differs from run to run.
fn masked(text: &str) -> Vec<String> {
    let text = text.replace(" by reply ", " KNOWN ").replace(" read back ", " KNOWN ");
    let plain: Vec<&str> = text.split_whitespace().collect();
    let mask = |at: usize| {
        let word = plain[at];
        let bare = word.trim_end_matches([',', ';', ':', '.']);
        let end = &word[bare.len()..];
        let before = at.checked_sub(1).map_or("", |at| plain[at]);
        let after = plain.get(at + 1).map_or("", |word| word.trim_end_matches([',', ';']));
        let is_number = bare.parse::<u64>().is_ok();
        let is_version =
            bare.len() == 9 && bare.starts_with('1') && bare.chars().all(|c| c.is_ascii_hexdigit());
        let name = match bare {
            _ if is_version => "VERSION",
            _ if bare.starts_with("0x") => "ZXID",
            _ if bare.starts_with("127.0.0.1:") => "ADDRESS",
            _ if bare.starts_with("leave-") => "leave-ID",
            _ if is_number && before == "server" => "ID",
            _ if is_number && ["ms", "writes"].contains(&after) => "NUMBER",
            _ if before == "around" => "STEP",
            _ => bare,
        };
        format!("{name}{end}")
    };
    (0..plain.len()).map(mask).collect()
}

#[test]
fn a_picture_that_is_not_printed_is_found() {
    let line = "   0.390s  join-4 sent, from config version 100000020";
    let later = "  12.001s  join-4 sent, from config version 1000000a3";
    assert_eq!(events(&[line]), events(&[later]));
    assert_eq!(events(&[line]), ["join-4 sent, from config version VERSION"]);
    assert_ne!(events(&[line]), events(&[&later.replace("join-4", "join-5")]));
    assert_eq!(words(&[line, "done, run 1"]), ["done,", "run", "1"]);
    let (short, long) =
        ("  leave-3  1000000da  read back  220 ms", "leave-3 100000111 by reply 9 ms");
    assert_eq!(words(&[short]), words(&[long]));
}
