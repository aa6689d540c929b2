//! Circles between the files of one top folder of `src`, read from the paths in their text.
//!
//! A file that uses a name which `mod.rs` re-exports uses the file that defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The path of a module: `["plan", "step"]` is `crate::plan::step`.
type ModulePath = Vec<String>;

/// What the text of a file says about other files.
#[derive(Default)]
struct Paths {
    /// The paths that its code uses, without those that it only re-exports.
    used: BTreeSet<ModulePath>,
    /// The names that it re-exports, each with its path.
    exported: BTreeMap<String, ModulePath>,
}

#[test]
fn no_circle_joins_the_files_of_a_top_folder() {
    let circles = circles(&read_files());
    assert!(circles.is_empty(), "these uses are parts of circles:\n{}", circles.join("\n"));
}

#[test]
fn a_circle_is_found_through_a_re_export_and_a_group() {
    let texts = [
        ("m", "mod a;\nmod b;\nmod c;\npub use a::Alpha;\n"),
        ("m::a", "use super::{c::self, b::Beta as Other};\npub struct Alpha(Other);\n"),
        ("m::b", "pub(in crate::m) struct Beta;\nfn of(alpha: crate::m::Alpha) {}\n"),
        ("m::c", "pub(in crate::m::a) struct Gamma;\n// as in [`super::Alpha`]\n"),
    ];
    let path = |module: &str| module.split("::").map(str::to_owned).collect::<ModulePath>();
    let modules: BTreeSet<ModulePath> = texts.iter().map(|(module, _)| path(module)).collect();
    let files = texts.map(|(module, text)| {
        let module = path(module);
        let paths = paths_of(&module, &without_tests(text), &modules);
        (module, paths)
    });
    assert_eq!(circles(&files.into()), ["m::a uses m::b", "m::b uses m::a"]);
}

/// The uses that are parts of circles.
fn circles(files: &BTreeMap<ModulePath, Paths>) -> Vec<String> {
    let mut uses: BTreeMap<&ModulePath, BTreeSet<ModulePath>> = BTreeMap::new();
    for (module, paths) in files {
        let defined = paths.used.iter().map(|path| defining_file(files, path, 0));
        let siblings = defined.filter(|used| used != module && used.first() == module.first());
        uses.insert(module, siblings.collect());
    }
    let of_file = |(module, used): (&&ModulePath, &BTreeSet<ModulePath>)| -> Vec<String> {
        let back = used.iter().filter(|next| reaches(&uses, next, module));
        back.map(|next| format!("{} uses {}", module.join("::"), next.join("::"))).collect()
    };
    uses.iter().flat_map(of_file).collect()
}

/// Whether a chain of uses leads from one file to the other.
fn reaches(
    uses: &BTreeMap<&ModulePath, BTreeSet<ModulePath>>,
    from: &ModulePath,
    to: &ModulePath,
) -> bool {
    let mut open = vec![from];
    let mut seen = BTreeSet::new();
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            open.extend(uses.get(at).into_iter().flatten());
        }
    }
    false
}

/// The file that defines the last name of a path.
fn defining_file(files: &BTreeMap<ModulePath, Paths>, path: &[String], depth: usize) -> ModulePath {
    assert!(depth < 20, "a re-export of itself: {path:?}");
    let mut at = ModulePath::new();
    for (nth, name) in path.iter().enumerate() {
        let mut below = at.clone();
        below.push(name.clone());
        if files.contains_key(&below) {
            at = below;
        } else if let Some(export) = files[&at].exported.get(name) {
            let whole = [export.as_slice(), &path[nth + 1..]].concat();
            return defining_file(files, &whole, depth + 1);
        } else {
            break;
        }
    }
    at
}

/// Every file of `src` by the path of its module, without the unit tests and what serves only them.
fn read_files() -> BTreeMap<ModulePath, Paths> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut texts: BTreeMap<ModulePath, String> = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(&root).expect("below src").with_extension("");
                let mut module: ModulePath =
                    inside.iter().map(|name| name.to_string_lossy().into_owned()).collect();
                if module.iter().any(|name| name.starts_with("tests") || name == "fixture") {
                    continue;
                }
                if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
                    module.pop();
                }
                let text = fs::read_to_string(&path).expect("a source file");
                texts.entry(module).or_default().push_str(&without_tests(&text));
            }
        }
    }
    let modules: BTreeSet<ModulePath> = texts.keys().cloned().collect();
    texts.iter().map(|(at, text)| (at.clone(), paths_of(at, text, &modules))).collect()
}

/// The code of a file, without comments and unit tests.
fn without_tests(text: &str) -> String {
    let code = text.split_once("#[cfg(test)]\nmod tests").map_or(text, |(code, _)| code);
    let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.collect::<Vec<_>>().join("\n")
}

fn paths_of(at: &ModulePath, text: &str, modules: &BTreeSet<ModulePath>) -> Paths {
    let mut paths = Paths::default();
    let mut code = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some((before, tree)) = line.split_once("use ").filter(|(b, _)| is_visibility(b)) else {
            code.push_str(&without_visibility(line));
            code.push('\n');
            continue;
        };
        let mut tree = tree.to_owned();
        while !tree.contains(';') {
            tree.push_str(lines.next().expect("the end of a use"));
        }
        let tree: String = tree.split_whitespace().collect::<Vec<_>>().join(" ");
        for (path, name) in leaves(tree.trim_end_matches(';'), &[]) {
            let Some(path) = absolute(at, &path, modules) else { continue };
            if before.trim().is_empty() {
                paths.used.insert(path);
            } else {
                paths.exported.insert(name, path);
            }
        }
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    for word in code.split(|c: char| !is_part(c)).filter(|word| word.contains("::")) {
        let path: ModulePath = word.split("::").map(str::to_owned).collect();
        paths.used.extend(absolute(at, &path, modules));
    }
    paths
}

/// A line without the path to which it limits the visibility of an item, which is no use of it.
fn without_visibility(line: &str) -> String {
    let Some((before, rest)) = line.split_once("pub(in ") else { return line.to_owned() };
    format!("{before}{}", rest.split_once(')').map_or(rest, |(_, item)| item))
}

/// Whether the text before `use` is nothing, or a visibility.
fn is_visibility(before: &str) -> bool {
    let before = before.trim();
    before.is_empty() || before == "pub" || before.starts_with("pub(") && before.ends_with(')')
}

/// The paths of a tree of `use`, each with the name by which it is known.
fn leaves(tree: &str, before: &[String]) -> Vec<(ModulePath, String)> {
    let tree = tree.trim();
    if let Some((path, group)) = tree.split_once('{') {
        let names = path.split("::").map(str::trim).filter(|name| !name.is_empty());
        let before: Vec<String> = before.iter().cloned().chain(names.map(str::to_owned)).collect();
        let group = group.rsplit_once('}').map_or(group, |(group, _)| group);
        return in_group(group).into_iter().flat_map(|tree| leaves(tree, &before)).collect();
    }
    let (path, name) = tree.split_once(" as ").unwrap_or((tree, ""));
    let names = path.split("::").filter(|name| !name.is_empty() && *name != "*");
    let mut path: ModulePath = before.iter().cloned().chain(names.map(str::to_owned)).collect();
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let name = if name.is_empty() { path.last().cloned().unwrap_or_default() } else { name.into() };
    vec![(path, name)]
}

/// The trees of a group: the text between commas that stand in no inner group.
fn in_group(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut trees) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                trees.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    trees.push(&group[start..]);
    trees.into_iter().filter(|tree| !tree.trim().is_empty()).collect()
}

/// A path from the root of the crate. `None` if it leads out of the crate.
fn absolute(
    at: &ModulePath,
    path: &[String],
    modules: &BTreeSet<ModulePath>,
) -> Option<ModulePath> {
    let mut base = at.clone();
    let mut rest = path;
    match rest.first()?.as_str() {
        "crate" => (base, rest) = (ModulePath::new(), &rest[1..]),
        "self" => rest = &rest[1..],
        "super" => {
            while let Some(("super", after)) = rest.split_first().map(|(n, r)| (n.as_str(), r)) {
                base.pop();
                rest = after;
            }
        }
        child => {
            base.push(child.to_owned());
            if !modules.contains(&base) {
                return None;
            }
            rest = &rest[1..];
        }
    }
    base.extend(rest.iter().cloned());
    Some(base)
}
