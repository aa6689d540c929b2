//! Pages as a person sees them: in headless Chromium, on a phone and on a wide screen, light and dark. Nothing
//! is wider than the window. The screenshots stay under `target/pages`, to be looked at.
//!
//! A part of `tests/run long`, which installs Chromium. Where it is missing this fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Put at the end of a copy of a page, which has no script itself: writes down what the browser made of it.
const MEASURE: &str = "<script>
addEventListener('load', () => {
  const root = document.scrollingElement;
  const wide = [...document.querySelectorAll('body *')].filter((one) =>
    !one.closest('.frame') && one.getBoundingClientRect().right > innerWidth + 1);
  const small = [...document.querySelectorAll('svg text')].filter((one) =>
    one.getBoundingClientRect().height < 9);
  document.documentElement.setAttribute('data-measured', [
    'window=' + innerWidth, 'content=' + root.scrollWidth,
    'dark=' + matchMedia('(prefers-color-scheme: dark)').matches,
    'page=' + getComputedStyle(document.body).backgroundColor.replace(/ /g, ''),
    'height=' + root.scrollHeight,
    'wide=' + wide.map((one) => one.tagName + '.' + one.className).join('+'),
    'small=' + small.length,
  ].join(' '));
});
</script></body>";

fn project_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The folder of the screenshots and of the pages that they are of.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../pages");
    fs::create_dir_all(&folder).expect("a folder");
    fs::canonicalize(folder).expect("its path")
}

fn zkplan(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_zkplan"))
        .args(words)
        .current_dir(project_file(""))
        .env_clear()
        .output()
        .expect("the binary runs")
}

/// Runs Chromium on a page in a window of this width and height.
fn chromium(page: &Path, [width, height]: [u32; 2], is_dark: bool, further: &[&str]) -> String {
    let profile = tempfile::tempdir().expect("a folder");
    let output = Command::new("chromium-headless-shell")
        .args(["--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--window-size={width},{height}"))
        // 0 is dark, 1 is light.
        .arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!is_dark)))
        .args(further)
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("it is there: apt-get install chromium-headless-shell");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// What the browser wrote down, by its name.
fn measured(dom: &str, name: &str) -> String {
    let (_, rest) = dom.split_once("data-measured=\"").expect("the page was measured");
    let (all, _) = rest.split_once('"').expect("its end");
    let value = all.split(' ').find_map(|one| one.strip_prefix(&format!("{name}=")));
    value.unwrap_or_else(|| panic!("no {name} in {all}")).to_owned()
}

/// Loads a page in both sizes and both colours, measures it, and keeps a screenshot of each.
fn is_fit_to_see(name: &str, html: &str) {
    let folder = folder();
    let page = folder.join(format!("{name}.html"));
    fs::write(&page, html).expect("a page");
    let copy = folder.join(format!("{name}-measured.html"));
    fs::write(&copy, html.replace("</body>", MEASURE)).expect("a copy");
    let mut colours = Vec::new();
    for width in [360, 1600] {
        for is_dark in [false, true] {
            let dom = chromium(&copy, [width, 900], is_dark, &["--dump-dom"]);
            let what = format!("{name} at {width}, dark: {is_dark}");
            assert_eq!(measured(&dom, "window"), width.to_string(), "{what}");
            assert_eq!(measured(&dom, "dark"), is_dark.to_string(), "{what}");
            let content: u32 = measured(&dom, "content").parse().expect("a number");
            assert!(content <= width, "{what}: {content} pixels");
            assert_eq!(measured(&dom, "wide"), "", "{what}: reaches out of the window");
            assert_eq!(measured(&dom, "small"), "0", "{what}: text too small to read");
            colours.push(measured(&dom, "page"));
            let height: u32 = measured(&dom, "height").parse().expect("a number");
            let colour = if is_dark { "dark" } else { "light" };
            let picture = folder.join(format!("{name}-{width}-{colour}.png"));
            let keep = format!("--screenshot={}", picture.display());
            drop(chromium(&page, [width, height.min(12_000)], is_dark, &[&keep]));
            let size = fs::metadata(&picture).expect("a screenshot").len();
            assert!(size > 10_000, "{what}: {size} bytes");
        }
    }
    assert_eq!(colours[0], colours[2], "{name}");
    assert_eq!(colours[1], colours[3], "{name}");
    assert_ne!(colours[0], colours[1], "{name}: dark is another colour");
}

fn planned(specs: &[&str], live: &str, code: i32) -> String {
    let words = [&["plan", "--format", "html", "--live", live], specs].concat();
    let output = zkplan(&words);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_migration_fits_every_screen() {
    is_fit_to_see("migration", &planned(&["plans/hot-migration.yaml"], "plans/live", 0));
}

#[test]
fn a_refusal_fits_every_screen() {
    let folder = "tests/scenarios/one-to-three";
    let [spec, live] = ["spec.yaml", "live"].map(|name| format!("{folder}/{name}"));
    is_fit_to_see("refusal", &planned(&[&spec], &live, 3));
}

#[test]
fn many_specs_fit_every_screen() {
    let specs = ["plans/hot-migration.yaml", "plans/grow-observers-first.yaml", "nowhere.yaml"];
    is_fit_to_see("fleet", &planned(&specs, "plans/live", 1));
}

/// Names that are long and have no place to break, and more voters than are drawn one by one.
#[test]
fn what_is_long_and_wide_fits_every_screen() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = |id: u32| format!("{}-{id}.example.com", "a-host-with-a-very-long-name".repeat(2));
    let live: Vec<String> = (1..=21)
        .map(|id| format!("server.{id}={}:2888:3888:participant;0.0.0.0:2181", host(id)))
        .collect();
    let [spec, file] = ["spec.yaml", "live"].map(|name| folder.path().join(name));
    fs::write(&file, live.join("\n") + "\nversion=100000004").expect("a file");
    let wanted: Vec<String> = (4..=24)
        .map(|id| {
            format!(
                "  - {{ id: {id}, host: {}, zone: zone-with-a-long-name-{} }}\n",
                host(id),
                id % 3
            )
        })
        .collect();
    let zones: Vec<String> =
        (1..=3).map(|id| format!("  {id}: zone-with-a-long-name-{}\n", id % 3)).collect();
    let spec_text = format!(
        "apiVersion: zkplan/v1\nensemble: {}\nservers:\n{}zones:\n{}",
        "e".repeat(63),
        wanted.concat(),
        zones.concat()
    );
    fs::write(&spec, spec_text).expect("a file");
    let [spec, file] = [spec, file].map(|path| path.display().to_string());
    let output = zkplan(&["plan", "--format", "html", "--live", &file, &spec]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    is_fit_to_see("wide", &String::from_utf8(output.stdout).expect("text"));
}
