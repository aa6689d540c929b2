//! Shapes of ensembles that people run, each a folder of small files: `tests/cases/NAME/case` says
//! which commands are run there, how each ends and what is decisive in what it prints.
//!
//! A line `$ words` runs zkplan with them (`> FILE` at the end keeps what it prints); the lines below
//! it hold for that run:
//!
//! * `exit CODE`;
//! * `out TEXT` and `err TEXT`: that stream has it, blanks and line ends being alike;
//! * `out! TEXT` and `err! TEXT`: it has not.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{Answer, Desk, project_file};

/// Every folder below one that has a `case`.
fn folders(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut entries: Vec<PathBuf> = fs::read_dir(below)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    entries.sort();
    for path in entries.into_iter().filter(|path| path.is_dir()) {
        if path.join("case").is_file() {
            found.push(path.clone());
        }
        found.extend(folders(&path));
    }
    found
}

/// Words as a shell splits them; single quotes hold blanks together.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (at, part) in text.split('\'').enumerate() {
        if at % 2 == 1 {
            words.last_mut().expect("a word").push_str(part);
            continue;
        }
        for (at, piece) in part.split(' ').enumerate() {
            if at > 0 {
                words.push(String::new());
            }
            words.last_mut().expect("a word").push_str(piece);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A text without its line breaks, indentation and the comment signs of a written spec.
fn flat(text: &str) -> String {
    text.split_whitespace().filter(|word| *word != "#").collect::<Vec<_>>().join(" ")
}

/// Whether what a line of a `case` says is so.
fn holds(line: &str, answer: &Answer) -> bool {
    let (what, text) = line.split_once(' ').unwrap_or((line, ""));
    let has = |stream: &str| flat(stream).contains(&flat(text));
    match what {
        "exit" => answer.code.to_string() == text,
        "out" => has(&answer.out),
        "err" => has(&answer.err),
        "out!" => !has(&answer.out),
        "err!" => !has(&answer.err),
        _ => panic!("no such line: {line}"),
    }
}

fn play(folder: &Path) -> Vec<String> {
    let desk = Desk::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            fs::copy(&path, desk.path(&path.file_name().expect("a name").to_string_lossy()))
                .expect("a copy");
        }
    }
    let case = fs::read_to_string(folder.join("case")).expect("a case");
    let (mut wrong, mut last, mut said) = (Vec::new(), None, 0);
    for line in case.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let Some(command) = line.strip_prefix("$ ") else {
            let answer = last.as_ref().expect("a command first");
            said += 1;
            if !holds(line, answer) {
                wrong.push(format!("{}: {line}\n{answer:#?}", folder.display()));
            }
            continue;
        };
        let (command, file) =
            command.split_once(" > ").map_or((command, None), |(c, f)| (c, Some(f)));
        let words = words(command);
        let answer = desk.zkplan(&words.iter().map(String::as_str).collect::<Vec<_>>());
        answer.assert_clean();
        if let Some(file) = file {
            desk.write(file, &answer.out);
        }
        last = Some(answer);
    }
    assert!(said > 0, "{}: nothing is said of any command", folder.display());
    wrong
}

#[test]
fn every_case_ends_as_it_says() {
    let folders = folders(&project_file("tests/cases"));
    assert!(folders.len() >= 40, "only {} cases", folders.len());
    let wrong: Vec<String> = folders.iter().flat_map(|folder| play(folder)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn words_are_split_as_a_shell_does() {
    assert_eq!(words("a --b 'c, d'  e"), ["a", "--b", "c, d", "e"]);
}
