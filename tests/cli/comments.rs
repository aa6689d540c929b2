//! Comments for pull requests: as they were, whole for a reader of Markdown, short enough, and without
//! markup from specs and ensembles. `tests/documents` has one of each kind; `ZKPLAN_UPDATE=1` writes
//! them anew, for a person to read.

use std::fs;
use std::path::PathBuf;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag};

use crate::documents::{desk, is_update};
use crate::run::{Answer, Desk, LIVE, SPEC, project_file};

/// What a forge takes.
const LONGEST: usize = 16 * 1024;

/// What a reader of Markdown sees of a comment.
#[derive(Debug, Default)]
struct Seen {
    tables: usize,
    folded: usize,
    /// The languages of its code.
    code: Vec<String>,
    /// All text.
    text: String,
}

/// Reads a comment as a forge does. Panics where it is too long, has what no comment has, or does not
/// close what it opens.
fn seen(comment: &str) -> Seen {
    assert!(comment.len() < LONGEST, "{} bytes:\n{comment}", comment.len());
    assert!(comment.starts_with("<!-- zkplan "), "{comment}");
    let mut seen = Seen::default();
    let mut html = String::new();
    for event in Parser::new_ext(comment, Options::ENABLE_TABLES | Options::ENABLE_GFM) {
        match event {
            Event::Start(Tag::Table(_)) => seen.tables += 1,
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                seen.code.push(language.to_string());
            }
            Event::Start(
                Tag::Paragraph
                | Tag::Heading { level: HeadingLevel::H3, .. }
                | Tag::HtmlBlock
                | Tag::List(_)
                | Tag::Item
                | Tag::Strong
                | Tag::TableHead
                | Tag::TableRow
                | Tag::TableCell,
            )
            | Event::End(_)
            | Event::SoftBreak => {}
            Event::Html(part) => html.push_str(&part),
            Event::InlineHtml(part) => assert_eq!(&*part, "<!-- -->", "{comment}"),
            Event::Text(part) | Event::Code(part) => seen.text.push_str(&part),
            other => panic!("{other:?} in\n{comment}"),
        }
    }
    let mut open = 0_i32;
    for tag in html.split('<').skip(1) {
        match tag.split(['>', ' ']).next() {
            Some("details") => (open, seen.folded) = (open + 1, seen.folded + 1),
            Some("/details") => open -= 1,
            Some("summary" | "/summary" | "b" | "/b" | "!--") => {}
            other => panic!("{other:?} in\n{comment}"),
        }
        assert!(open >= 0, "{comment}");
    }
    assert_eq!(open, 0, "{comment}");
    seen
}

fn commented(desk: &Desk, words: &[&str]) -> Answer {
    let answer = desk.zkplan(&[&["plan", "--format", "markdown"], words].concat());
    answer.assert_clean();
    answer
}

#[test]
fn one_comment_of_each_kind_is_as_it_was() {
    let desk = desk();
    desk.write("nothing.yaml", "apiVersion: zkplan/v1\nensemble: prod\nservers:\n  - { id: 1, host: 10.0.0.1 }\n  - { id: 2, host: 10.0.0.2 }\n  - { id: 3, host: 10.0.0.3 }\n");
    for (name, specs, code) in [
        ("plan", &["prod.yaml"][..], 0),
        ("no-changes", &["nothing.yaml"][..], 0),
        ("refusal", &["small.yaml"][..], 3),
        ("error", &["bad.yaml"][..], 65),
        ("fleet", &["prod.yaml", "small.yaml", "bad.yaml"][..], 65),
    ] {
        let answer = commented(&desk, &[&["--live", "live"], specs].concat());
        assert_eq!(answer.code, code, "{answer:?}");
        drop(seen(&answer.out));
        let path = project_file("tests/documents").join(format!("{name}.md"));
        if is_update() {
            fs::write(&path, &answer.out).expect("the file can be written");
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(answer.out, kept, "{name}");
    }
}

#[test]
fn a_plan_has_its_table_its_graph_and_its_diff() {
    let desk = desk();
    let answer = commented(&desk, &["--live", "live", "prod.yaml"]);
    let seen = seen(&answer.out);
    assert_eq!(seen.tables, 1, "{}", answer.out);
    assert_eq!(seen.code, ["diff", "mermaid"], "{}", answer.out);
    assert!(seen.folded >= 3, "{}", answer.out);
    let first = answer.out.lines().next();
    assert_eq!(first, Some("<!-- zkplan prod -->"), "for an update in place");
    let json = desk.zkplan(&["plan", "--live", "live", "--format", "json", "prod.yaml"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    let plan_id = json["planId"].as_str().expect("an id");
    assert!(seen.text.contains(plan_id), "{}", answer.out);
}

#[test]
fn every_scenario_and_every_plan_has_a_comment() {
    let mut files: Vec<(PathBuf, PathBuf)> = Vec::new();
    for entry in fs::read_dir(project_file("tests/scenarios")).expect("the scenarios") {
        let folder = entry.expect("an entry").path();
        files.push((folder.join("spec.yaml"), folder.join("live")));
    }
    for entry in fs::read_dir(project_file("plans")).expect("the plans") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push((path, project_file("plans/live")));
        }
    }
    assert!(files.len() > 40, "{}", files.len());
    let desk = Desk::new();
    let mut tables = 0;
    for (spec, live) in files {
        let [spec, live] = [spec, live].map(|path| path.display().to_string());
        let answer = commented(&desk, &[&spec, "--live", &live]);
        tables += seen(&answer.out).tables;
    }
    assert!(tables > 15, "{tables} tables");
}

/// A member and zones with names that would be markup, and would end what they stand in.
#[test]
fn names_from_outside_are_no_markup() {
    let desk = Desk::new();
    let name = "a`b</details><h1>@team*c*#1![x](//evil.example)";
    desk.write("live", &LIVE.replace(
        "version=",
        &format!("server.9={name}:2888:3888:observer;0.0.0.0:2181\nserver.8=b```\u{202e}c:2888:3888:observer;2181\nversion="),
    ));
    desk.write("prod.yaml", SPEC);
    let answer = commented(&desk, &["--live", "live", "prod.yaml"]);
    assert!(answer.out.contains("server.9=a`b"), "it stands in the diff: {}", answer.out);
    assert!(seen(&answer.out).text.contains(name), "{}", answer.out);
    // A value of the spec stands in the message.
    let zone = "zone: \"z``` | </details> --> [a](b)\"";
    desk.write("zone.yaml", &SPEC.replace("host: 10.0.0.4", &format!("host: 10.0.0.4, {zone}")));
    let answer = commented(&desk, &["--live", "live", "zone.yaml"]);
    assert_eq!(answer.code, 65, "{answer:?}");
    assert!(seen(&answer.out).text.contains("```"), "{answer:?}");
    // The comment takes the place of the one that the spec had while it was right.
    assert!(answer.out.starts_with("<!-- zkplan prod -->\n"), "{answer:?}");
    // A path that cannot be read stands in the first line.
    let answer = commented(&desk, &["--live", "live", "a --> <script>|`x`.yaml"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    drop(seen(&answer.out));
}

#[test]
fn forty_servers_fit_and_what_is_cut_is_said() {
    let desk = Desk::new();
    let old: Vec<String> = (1..=20)
        .map(|id| {
            format!(
                "server.{id}=old-{id}.example.com:2888:3888:{};2181",
                if id <= 7 { "participant" } else { "observer" }
            )
        })
        .collect();
    desk.write("live", &format!("{}\nversion=100000004", old.join("\n")));
    let new: Vec<String> = (21..=40)
        .map(|id| {
            format!(
                "  - {{ id: {id}, host: new-{id}.example.com{} }}\n",
                if id <= 27 { "" } else { ", role: observer" }
            )
        })
        .collect();
    desk.write("prod.yaml", &format!("apiVersion: zkplan/v1\nensemble: prod\nservers:\n{}hooks: {{ start: [ssh, \"{{host}}\", start], stop: [ssh, \"{{host}}\", stop] }}\npolicy: {{ maxShrink: 20 }}\n", new.concat()));
    let answer = commented(&desk, &["--live", "live", "prod.yaml"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let seen = seen(&answer.out);
    assert_eq!(seen.tables, 1, "{}", answer.out);
    assert!(
        answer.out.contains("Left out: Graph (also: --format mermaid). Shown by"),
        "{}",
        answer.out
    );
    assert!(answer.out.len() > LONGEST / 2, "what fits is there: {}", answer.out.len());
}

#[test]
fn two_hundred_specs_are_one_comment_with_the_worst_first() {
    let desk = Desk::new();
    fs::create_dir(desk.path("live")).expect("a folder");
    let mut words = vec!["--live".to_owned(), "live".to_owned()];
    for at in 0..200 {
        desk.write(&format!("live/prod-{at}"), &LIVE.replace("10.0.0.", &format!("10.0.{at}.")));
        let spec = SPEC.replace("ensemble: prod", &format!("ensemble: prod-{at}"));
        let spec = spec.replace("10.0.0.", &format!("10.0.{at}."));
        let spec = if at == 150 { spec.replace("servers:", "servars:") } else { spec };
        desk.write(&format!("prod-{at}.yaml"), &spec);
        words.push(format!("prod-{at}.yaml"));
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let answer = commented(&desk, &words);
    assert_eq!(answer.code, 65, "{}", answer.err);
    drop(seen(&answer.out));
    let rows: Vec<&str> = answer.out.lines().filter(|line| line.starts_with("| ")).collect();
    assert!(rows[1].contains("prod-150.yaml"), "{}", rows[1]);
    assert!(
        answer.out.contains("Left out: ") && answer.out.contains("Not shown in detail: "),
        "{}",
        answer.out
    );
}

#[test]
fn a_saved_plan_and_a_broken_one_are_shown_as_comments() {
    let desk = desk();
    let saved = desk.zkplan(&["plan", "--live", "live", "prod.yaml", "--out", "plan.json"]);
    assert_eq!(saved.code, 0, "{saved:?}");
    let shown = desk.zkplan(&["show", "plan.json", "--format", "markdown"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    drop(seen(&shown.out));
    let made = commented(&desk, &["--live", "live", "prod.yaml"]);
    assert_eq!(shown.out.replace("`plan.json`", "`prod.yaml`"), made.out, "one plan, one comment");
    desk.write("plan.json", &desk.read("plan.json").replace("join-4", "join-5"));
    let broken = desk.zkplan(&["show", "plan.json", "--format", "markdown"]);
    assert_eq!(broken.code, 65, "{broken:?}");
    assert!(broken.out.starts_with("<!-- zkplan plan.json -->\n"), "{broken:?}");
    assert!(seen(&broken.out).text.contains("Failed: planInvalid"), "{broken:?}");
    // The command line is wrong, and the spec says which comment that concerns.
    let usage = commented(&desk, &["--live", "live", "prod.yaml", "--out", "nowhere/plan.json"]);
    assert_eq!(usage.code, 64, "{usage:?}");
    assert!(usage.out.starts_with("<!-- zkplan prod -->\n"), "{usage:?}");
    assert!(seen(&usage.out).text.contains("Failed: usage"), "{usage:?}");
    let usage = commented(&desk, &["--live", "live", "prod.yaml", "small.yaml", "--out", "a.json"]);
    assert!(usage.out.starts_with("<!-- zkplan -->\n"), "{usage:?}");
}
