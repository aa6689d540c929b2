//! Pages for reviewers: as they were, well-formed, complete in themselves, and without markup from specs
//! and ensembles. `tests/documents` has one of each kind; `ZKPLAN_UPDATE=1` writes them anew.
//! `tests/browser` looks at them.

use std::collections::BTreeSet;
use std::fs;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::documents::{desk, is_update};
use crate::run::{Answer, Desk, LIVE, SPEC, project_file};

/// The elements that pages are made of. A script, a frame or a picture from elsewhere is none of them.
const ELEMENTS: &str = "html head meta title style body main article section p h1 h2 h3 strong code dl div dt \
                        dd ul li b span a table caption thead tbody tr th td pre ins del details summary \
                        figure figcaption svg g desc rect circle path text";

/// What a reader of a page sees of it.
#[derive(Debug, Default)]
struct Page {
    elements: Vec<String>,
    ids: BTreeSet<String>,
    /// The ids that it points to, and the files.
    points_to: BTreeSet<String>,
    text: String,
}

impl Page {
    fn count(&self, name: &str) -> usize {
        self.elements.iter().filter(|known| *known == name).count()
    }

    fn element(&mut self, tag: &BytesStart<'_>, page: &str) {
        let name = String::from_utf8(tag.name().as_ref().to_vec()).expect("a name");
        assert!(ELEMENTS.split_whitespace().any(|known| known == name), "<{name}> in {page}");
        for attribute in tag.attributes() {
            let attribute = attribute.expect("an attribute");
            let value = attribute.unescape_value().expect("text").into_owned();
            let key = String::from_utf8(attribute.key.as_ref().to_vec()).expect("a name");
            match &*key {
                "id" => assert!(self.ids.insert(value), "an id is there twice: {page}"),
                "aria-labelledby" => {
                    self.points_to.extend(value.split(' ').map(|id| format!("#{id}")));
                }
                "href" => drop(self.points_to.insert(value)),
                "src" | "style" => panic!("{key}={value} in {page}"),
                "xmlns" => assert!(value.starts_with("http://www.w3.org/"), "{value}"),
                _ => assert!(!key.starts_with("on"), "{key}={value} in {page}"),
            }
        }
        self.elements.push(name);
    }
}

/// Reads a page as XML. Panics where it is none, or where something of it is elsewhere.
fn read(page: &str) -> Page {
    assert!(page.starts_with("<!DOCTYPE html>\n<html "), "{page}");
    for elsewhere in ["url(", "@import", "javascript:", "]]>"] {
        assert!(!page.contains(elsewhere), "{elsewhere} in {page}");
    }
    let mut reader = Reader::from_str(page);
    reader.config_mut().check_end_names = true;
    let mut seen = Page::default();
    loop {
        match reader.read_event().expect("XML") {
            Event::Start(tag) | Event::Empty(tag) => seen.element(&tag, page),
            Event::Text(part) => seen.text.push_str(&part.decode().expect("text")),
            Event::GeneralRef(name) => {
                let name = String::from_utf8(name.to_vec()).expect("a name");
                let c = quick_xml::escape::resolve_predefined_entity(&name);
                seen.text.push_str(c.expect("an entity that all know"));
            }
            Event::End(_) | Event::DocType(_) => {}
            Event::Eof => break,
            other => panic!("{other:?} in {page}"),
        }
    }
    for id in seen.points_to.iter().filter_map(|link| link.strip_prefix('#')) {
        assert!(seen.ids.contains(id), "{id} is nowhere: {page}");
    }
    assert_eq!(seen.count("h1"), 1, "{page}");
    assert_eq!(seen.count("svg"), seen.count("desc"), "a picture is said in words: {page}");
    assert_eq!(seen.count("table"), seen.count("caption"), "{page}");
    assert_eq!(seen.count("table"), seen.count("thead"), "{page}");
    seen
}

fn shown(desk: &Desk, words: &[&str]) -> (Answer, Page) {
    let answer = desk.zkplan(&[&["plan", "--format", "html", "--live"], words].concat());
    answer.assert_clean();
    let page = read(&answer.out);
    (answer, page)
}

#[test]
fn one_page_of_each_kind_is_as_it_was() {
    let desk = desk();
    for (name, specs, code) in [
        ("plan", &["prod.yaml"][..], 0),
        ("refusal", &["small.yaml"][..], 3),
        ("fleet", &["prod.yaml", "small.yaml", "bad.yaml"][..], 65),
    ] {
        let (answer, _) = shown(&desk, &[&["live"], specs].concat());
        assert_eq!(answer.code, code, "{answer:?}");
        let path = project_file("tests/documents").join(format!("{name}.html"));
        if is_update() {
            fs::write(&path, &answer.out).expect("the file can be written");
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(answer.out == kept, "{name}: ZKPLAN_UPDATE=1 writes it anew");
    }
}

#[test]
fn a_plan_has_its_figures_its_pictures_and_its_tables() {
    let desk = desk();
    let (answer, page) = shown(&desk, &["live", "prod.yaml"]);
    assert_eq!(page.count("svg"), 3, "votes, failures, graph: {}", answer.out);
    let json = desk.zkplan(&["plan", "--live", "live", "--format", "json", "prod.yaml"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    let steps = json["steps"].as_array().expect("steps");
    let lowest = json["summary"]["toleratesFailures"].as_i64().expect("a figure");
    assert!(page.text.contains(&format!("Lowest tolerance: {lowest} failure")), "{}", page.text);
    // Verdict and lowest tolerance come before the first step.
    let at =
        |what: &str| page.text.find(what).unwrap_or_else(|| panic!("no {what}: {}", page.text));
    let first = steps[0]["text"].as_str().expect("text");
    assert!(at("Lowest tolerance") < at(first), "{}", page.text);
    for step in steps {
        assert!(page.text.contains(step["id"].as_str().expect("an id")), "{}", page.text);
    }
    assert!(page.text.contains(json["planId"].as_str().expect("an id")), "{}", page.text);
    // The picture of failures says the same as the rehearsal, failure by failure.
    let rehearsed = desk.zkplan(&["plan", "--live", "live", "prod.yaml", "--out", "plan.json"]);
    assert_eq!(rehearsed.code, 0, "{rehearsed:?}");
    let rehearsed = desk.zkplan(&["rehearse", "plan.json", "--format", "json"]);
    let rehearsed: serde_json::Value = serde_json::from_str(&rehearsed.out).expect("JSON");
    let failures = rehearsed["rehearsals"].as_array().expect("failures");
    assert!(failures.len() > 5, "{rehearsed}");
    let of_each = |servers: &serde_json::Value| servers.as_array().expect("servers").len();
    let cells: usize = failures
        .iter()
        .map(|one| if one["who"]["kind"] == "zone" { 1 } else { of_each(&one["who"]["servers"]) })
        .sum();
    assert_eq!(answer.out.matches("<rect class=\"case ").count(), cells, "{rehearsed}");
    let stops = failures.iter().filter(|one| one["writes"] == "stop").count();
    assert!(answer.out.matches("<rect class=\"case bad").count() >= stops, "{rehearsed}");
}

#[test]
fn a_saved_plan_has_the_same_page_and_a_broken_one_says_why() {
    let desk = desk();
    let saved = desk.zkplan(&["plan", "--live", "live", "prod.yaml", "--out", "plan.json"]);
    assert_eq!(saved.code, 0, "{saved:?}");
    let page = desk.zkplan(&["show", "plan.json", "--format", "html"]);
    assert_eq!(page.code, 0, "{page:?}");
    let (made, _) = shown(&desk, &["live", "prod.yaml"]);
    let made = made.out.replace("zkplan plan prod.yaml --live live", "zkplan show plan.json");
    assert!(page.out == made.replace("prod.yaml", "plan.json"), "{}\n{made}", page.out);
    desk.write("plan.json", &desk.read("plan.json").replace("join-4", "join-5"));
    let broken = desk.zkplan(&["show", "plan.json", "--format", "html"]);
    assert_eq!(broken.code, 65, "{broken:?}");
    assert!(read(&broken.out).text.contains("Failed: planInvalid"), "{broken:?}");
}

/// One of the examples is planned, one is refused, and of the others no configuration is saved.
#[test]
fn what_is_planned_refused_or_not_known_has_its_part_of_a_page() {
    let desk = Desk::new();
    let mut plans: Vec<String> = Vec::new();
    for entry in fs::read_dir(project_file("plans")).expect("the plans") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            plans.push(path.display().to_string());
        }
    }
    let live = project_file("plans/live").display().to_string();
    let words = [vec![live.as_str()], plans.iter().map(String::as_str).collect()].concat();
    let (_, page) = shown(&desk, &words);
    assert_eq!(page.count("article"), plans.len(), "each has its part");
    assert_eq!(page.count("svg"), 3, "pictures of the one that is planned");
    for name in ["hostile-host", "weighted-changed", "role-and-address", "three-to-one"] {
        let folder = project_file("tests/scenarios").join(name);
        let [spec, live] =
            ["spec.yaml", "live"].map(|file| folder.join(file).display().to_string());
        shown(&desk, &[&live, &spec]);
    }
}

#[test]
fn names_from_outside_are_no_markup_in_a_page() {
    let desk = Desk::new();
    let name = "a\"'</code></pre><script>alert(1)</script>&lt;!--";
    let further = format!("server.9={name}:2888:3888:observer;0.0.0.0:2181\nversion=");
    desk.write("live", &LIVE.replace("version=", &further));
    desk.write("prod.yaml", SPEC);
    let (answer, page) = shown(&desk, &["live", "prod.yaml"]);
    assert!(page.text.contains(&format!("server.9={name}")), "{}", answer.out);
    // A value of the spec stands in the message, a zone in pictures.
    let wrong =
        SPEC.replace("host: 10.0.0.4", "host: 10.0.0.4, zone: \"z</td><img src=x onerror=y>\"");
    desk.write("wrong.yaml", &wrong);
    let (answer, page) = shown(&desk, &["live", "wrong.yaml"]);
    assert_eq!(answer.code, 65, "{answer:?}");
    assert!(page.text.contains("</td><img src=x"), "{}", page.text);
    let (answer, page) = shown(&desk, &["live", "a\u{202e}<script>\".yaml"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(page.text.contains("a\\u{202e}<script>\".yaml"), "{}", page.text);
}

#[test]
fn a_folder_gets_a_file_for_each_spec_and_an_index() {
    let desk = desk();
    let specs = ["prod.yaml", "small.yaml", "bad.yaml"];
    let words = |format, out| {
        [&["plan", "--live", "live", "--format", format, "--out", out][..], &specs].concat()
    };
    let answer = desk.zkplan(&words("html", "pages/"));
    assert_eq!(answer.code, 65, "{answer:?}");
    assert!(answer.err.contains("wrote pages/index.html, and 3 files beside it"), "{answer:?}");
    assert!(answer.out.contains("small.yaml") && !answer.out.contains("<html"), "{answer:?}");
    let index = read(&desk.read("pages/index.html"));
    let links: Vec<&str> = index.points_to.iter().map(String::as_str).collect();
    assert_eq!(links, ["bad.html", "prod.html", "small.html"]);
    let (alone, _) = shown(&desk, &["live", "prod.yaml"]);
    assert!(desk.read("pages/prod.html") == alone.out, "one spec, one page");
    assert!(read(&desk.read("pages/bad.html")).text.contains("Failed: specInvalid"));
    // Its own files are written anew.
    assert_eq!(desk.zkplan(&words("html", "pages")).code, 65);

    assert_eq!(desk.zkplan(&words("markdown", "comments")).code, 65);
    let index = desk.read("comments/index.md");
    assert!(index.starts_with("<!-- zkplan -->\n") && index.contains("[prod](prod.md)"), "{index}");
    assert!(desk.read("comments/small.md").contains("**Refused: ZKQ2.**"));
    for (format, name) in [("junit", "prod.xml"), ("mermaid", "prod.mmd"), ("dot", "prod.dot")] {
        let answer = desk.zkplan(&words(format, format));
        assert_eq!(answer.code, 65, "{answer:?}");
        assert!(desk.read(&format!("{format}/{name}")).len() > 100, "{answer:?}");
        assert_eq!(desk.zkplan(&words(format, format)).code, 65, "{format} knows its own files");
    }
}

#[test]
fn saved_plans_of_many_specs_are_applied_one_by_one() {
    let desk = desk();
    let words = ["plan", "--live", "live", "prod.yaml", "small.yaml", "--out", "saved"];
    let answer = desk.zkplan(&words);
    assert_eq!(answer.code, 3, "{answer:?}");
    assert!(answer.err.contains("wrote 2 files to saved"), "{answer:?}");
    assert!(answer.out.contains("zkplan apply saved/prod.json"), "{answer:?}");
    let alone = desk.zkplan(&["plan", "--live", "live", "prod.yaml", "--out", "saved/alone.json"]);
    assert_eq!(alone.code, 0, "{alone:?}");
    assert_eq!(desk.read("saved/prod.json"), desk.read("saved/alone.json"), "one plan, one file");
    let shown = desk.zkplan(&["show", "saved/prod.json"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    // Where there is no plan any more, no older one stays to be applied.
    assert!(desk.read("saved/small.json").contains("zkplan/refusal"));
    assert_eq!(desk.zkplan(&["show", "saved/small.json"]).code, 65);
}

#[test]
fn what_zkplan_did_not_write_stays_as_it_is() {
    let desk = desk();
    fs::create_dir(desk.path("pages")).expect("a folder");
    for (name, text) in [("small.html", "<html>mine</html>"), ("index.html", "")] {
        desk.write(&format!("pages/{name}"), text);
    }
    let words = ["plan", "--live", "live", "prod.yaml", "small.yaml", "--out", "pages"];
    let html = [&words[..], &["--format", "html"]].concat();
    let answer = desk.zkplan(&html);
    assert_eq!(answer.code, 64, "{answer:?}");
    assert!(answer.err.contains("pages/small.html was not written by zkplan"), "{answer:?}");
    assert!(answer.err.contains("(and 1 more)"), "{answer:?}");
    assert_eq!(desk.read("pages/small.html"), "<html>mine</html>");
    assert!(!desk.path("pages/prod.html").exists(), "nothing is written");
    // Other formats have other files.
    assert_eq!(desk.zkplan(&words).code, 3);
    for (further, said) in [
        (&["--out", "prod.yaml"][..], "prod.yaml is a file"),
        (&["--out", "no/where"][..], "there is no folder no"),
        (&["--out", "pages", "--format", "github"][..], "does not work with --format github"),
    ] {
        let words = [&["plan", "--live", "live", "prod.yaml", "small.yaml"][..], further].concat();
        let answer = desk.zkplan(&words);
        assert_eq!(answer.code, 64, "{answer:?}");
        assert!(answer.err.contains(said), "{answer:?}");
    }
    // A page is not what --out of one spec writes.
    let answer = desk.zkplan(&["plan", "--live", "live", "prod.yaml", "--out", "prod.html"]);
    assert_eq!(answer.code, 64, "{answer:?}");
    assert!(answer.err.contains("--format html > prod.html"), "{answer:?}");
    assert!(!desk.path("prod.html").exists());
}
