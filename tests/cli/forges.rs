//! What forges read beside comments: annotations and outputs of GitHub Actions, test reports.
//! `tests/documents` has one of each; `ZKPLAN_UPDATE=1` writes them anew, for a person to read.

use std::fs;

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::documents::{desk, is_update};
use crate::run::{Answer, Desk, LIVE, SPEC, project_file};

/// What is wrong with a zone, and what would end an annotation and begin another command.
const HOSTILE: &str = "zone: \"x%0A::error file=a,line=1::]]></testcase> & <b>\"";

fn is_as_it_was(name: &str, text: &str) {
    let path = project_file("tests/documents").join(name);
    if is_update() {
        fs::write(&path, text).expect("the file can be written");
    }
    assert_eq!(text, fs::read_to_string(&path).unwrap_or_default(), "{name}");
}

/// In a job of GitHub Actions: the answer, the summary of the step, and its outputs.
fn in_github(desk: &Desk, words: &[&str]) -> (Answer, String, String) {
    let [summary, outputs] = ["summary.md", "outputs"].map(|name| desk.write(name, "before\n"));
    let paths = [&summary, &outputs].map(|path| path.display().to_string());
    let variables = [("GITHUB_STEP_SUMMARY", &*paths[0]), ("GITHUB_OUTPUT", &*paths[1])];
    let answer = desk.zkplan_with(words, &variables);
    answer.assert_clean();
    for line in answer.out.lines() {
        let is_command =
            ["::error ", "::warning ", "::notice "].iter().any(|c| line.starts_with(c));
        assert!(is_command, "{line}");
        let (properties, _) = line[2..].split_once("::").expect("a message");
        assert_eq!(properties.matches("file=").count(), 1, "{line}");
    }
    let [summary, outputs] = ["summary.md", "outputs"].map(|name| {
        desk.read(name).strip_prefix("before\n").expect("what was there stays").to_owned()
    });
    (answer, summary, outputs)
}

#[test]
fn annotations_have_places_and_the_step_has_a_summary_and_outputs() {
    let desk = desk();
    let words = ["plan", "--live", "live", "--format", "github"];
    let plan = |specs: &[&str]| in_github(&desk, &[&words, specs].concat());
    let (planned, summary, outputs) = plan(&["prod.yaml"]);
    assert_eq!(planned.code, 0, "{planned:?}");
    let comment = desk.zkplan(&["plan", "--live", "live", "--format", "markdown", "prod.yaml"]);
    assert_eq!(summary, comment.out);
    let id = "sha256:021e491d4e9b21564599758894754ae9a92ae069601756f6eb95423e9b3acccb";
    assert_eq!(outputs, format!("verdict=planned\nchanges=3\nplan_id={id}\nexit=0\n"));

    let (refused, summary, outputs) = plan(&["small.yaml"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(
        refused.out.contains("::error file=small.yaml,line=5,title=ZKQ2 at join-2::"),
        "{refused:?}"
    );
    assert!(summary.contains("**Refused: ZKQ2.**"), "{summary}");
    assert_eq!(outputs, "verdict=refused\nchanges=2\nplan_id=\nexit=3\n");

    let (all, summary, outputs) = plan(&["prod.yaml", "small.yaml", "bad.yaml"]);
    assert!(summary.starts_with("<!-- zkplan -->\n"), "{summary}");
    assert_eq!(outputs, "verdict=failed\nchanges=5\nplan_id=\nexit=65\n");
    is_as_it_was("annotations.txt", &all.out);
    let (usage, summary, outputs) = plan(&["prod.yaml", "--out", "nowhere/plan.json"]);
    assert_eq!(usage.code, 64, "{usage:?}");
    assert!(
        usage.out.starts_with("::error file=prod.yaml,title=zkplan prod%3A usage::"),
        "{usage:?}"
    );
    assert!(
        summary.starts_with("<!-- zkplan prod -->\n") && outputs.contains("exit=64\n"),
        "{outputs}"
    );
    // Outside of a job there is no file to write to.
    let alone = desk.zkplan(&[&words[..], &["prod.yaml"]].concat());
    assert_eq!(alone.out, planned.out);
    let (planned, lost) = (desk.path("prod.yaml").display().to_string(), "/nowhere/outputs");
    let answer = desk.zkplan_with(&[&words[..], &[&planned]].concat(), &[("GITHUB_OUTPUT", lost)]);
    assert_eq!(answer.code, 1, "{answer:?}");
}

#[test]
fn a_spec_that_is_wrong_has_an_annotation_at_each_place() {
    let desk = desk();
    let spec = SPEC.replace("host: 10.0.0.4", &format!("host: 10.0.0.4, {HOSTILE}"));
    desk.write("hostile.yaml", &spec.replace("ensemble:", "surprise: 1\nensemble:"));
    let words = ["validate", "prod.yaml", "hostile.yaml", "--format", "github"];
    let (answer, summary, outputs) = in_github(&desk, &words);
    assert_eq!(answer.code, 65, "{answer:?}");
    let lines: Vec<&str> = answer.out.lines().collect();
    assert_eq!(lines.len(), 2, "{answer:?}");
    assert!(lines[0].starts_with("::error file=hostile.yaml,line=2,col=1,title="), "{answer:?}");
    assert!(lines[1].contains(",line=7,") && lines[1].contains("%250A"), "{answer:?}");
    assert!(summary.contains("specInvalid"), "{summary}");
    assert!(outputs.starts_with("verdict=failed\n") && outputs.contains("exit=65\n"), "{outputs}");
    let (answer, _, outputs) = in_github(&desk, &["validate", "prod.yaml", "--format", "github"]);
    assert_eq!((answer.code, &*answer.out), (0, ""), "{answer:?}");
    assert!(outputs.starts_with("verdict=unchanged\n"), "{outputs}");
}

/// The elements of a report, and the text in it. Panics where it is no XML.
fn elements(report: &str) -> (Vec<String>, String) {
    let mut reader = Reader::from_str(report);
    reader.config_mut().check_end_names = true;
    let (mut names, mut text) = (Vec::new(), String::new());
    loop {
        match reader.read_event().expect("XML") {
            Event::Start(tag) | Event::Empty(tag) => {
                for attribute in tag.attributes() {
                    let value = attribute.expect("an attribute").unescape_value();
                    text.push_str(&value.expect("text"));
                }
                names.push(String::from_utf8(tag.name().as_ref().to_vec()).expect("a name"));
            }
            Event::Text(part) => text.push_str(&part.decode().expect("text")),
            Event::GeneralRef(name) => {
                let name = String::from_utf8(name.to_vec()).expect("a name");
                let c = quick_xml::escape::resolve_predefined_entity(&name);
                text.push_str(c.expect("an entity that all know"));
            }
            Event::End(_) | Event::Decl(_) => {}
            Event::Eof => break,
            other => panic!("{other:?} in {report}"),
        }
    }
    (names, text)
}

#[test]
fn a_report_has_a_case_for_each_spec() {
    let desk = desk();
    desk.write(
        "hostile.yaml",
        &SPEC.replace("host: 10.0.0.4", &format!("host: 10.0.0.4, {HOSTILE}")),
    );
    let specs = ["prod.yaml", "small.yaml", "bad.yaml", "hostile.yaml"];
    let words = [&["plan", "--live", "live", "--format", "junit"][..], &specs].concat();
    let planned = desk.zkplan(&words);
    assert_eq!(planned.code, 65, "{planned:?}");
    planned.assert_clean();
    let (names, text) = elements(&planned.out);
    let count = |name: &str| names.iter().filter(|known| *known == name).count();
    assert_eq!(["testcase", "failure", "error", "system-out"].map(count), [4, 1, 2, 1]);
    assert!(text.contains("]]></testcase> & <b>"), "it is text: {text}");
    is_as_it_was("junit.xml", &planned.out);

    let valid = desk.zkplan(&[&["validate", "--format", "junit"][..], &specs].concat());
    assert_eq!(valid.code, 65, "{valid:?}");
    let (names, _) = elements(&valid.out);
    assert_eq!(names.iter().filter(|name| *name == "error").count(), 2, "{valid:?}");
    // A command line that is wrong has a report, too.
    desk.write("live-file", LIVE);
    let usage = desk.zkplan(&[
        "plan",
        "--format",
        "junit",
        "--live",
        "live-file",
        "prod.yaml",
        "small.yaml",
    ]);
    assert_eq!(usage.code, 64, "{usage:?}");
    assert_eq!(elements(&usage.out).0.last().map(String::as_str), Some("error"), "{usage:?}");
}
