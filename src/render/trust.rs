//! What is said where zkplan does not know who wrote what stands in its folder.

use super::phrases;
use super::text::{Line, Style, Text};
use crate::apply::journal_reader::RawTree;
use crate::trust::Unproven;

/// What was found, and both ways out. The folder elsewhere comes first: a run may be open in the
/// one that is not proven, and what is deleted cannot be looked at any more.
pub(super) fn not_proven(unproven: &Unproven, path: &str) -> (String, String) {
    let found = phrases::folder_not_proven(unproven);
    let what = format!(
        "{found}. zkplan uses nothing in it: no lock, no run, no identity. Nothing was changed."
    );
    let path = phrases::shell(path);
    let then = format!(
        "keep zkplan's state in another folder: add `folder: /zkplan-2` to `connect` in the spec, \
         and plan again. Or save a copy (zkplan history {path} --unproven --format json > \
         kept.json), then let an operator delete the folder with zkCli.sh (deleteall {}). The \
         ensemble then gets a new identity, and saved plans must be made again",
        folder_of(&unproven.path)
    );
    (what, then)
}

/// The folder in which a znode of zkplan's lies.
fn folder_of(path: &str) -> &str {
    let below = ["/id", "/lock", "/runs"].into_iter();
    let cut = below.filter_map(|name| path.find(name)).filter(|at| *at > 0).min();
    cut.map_or(path, |at| &path[..at])
}

/// Everything that stands in a folder, as it stands there.
pub fn raw(tree: &RawTree, width: usize) -> Text {
    let mut text = Text::new();
    for node in &tree.nodes {
        let ephemeral = if node.owner == 0 { "" } else { ", ephemeral" };
        text.line(Line::new(Style::Bold, node.path.clone()).then(
            Style::Dim,
            format!("  ACL set {}{ephemeral}", phrases::count(i128::from(node.aversion), "time")),
        ));
        for entry in &node.entries {
            text.paragraph("    ", format!("list  {entry}"), width);
        }
        if !node.data.is_empty() {
            text.paragraph("    ", format!("data  {}", node.data), width);
        }
    }
    if tree.is_cut {
        text.line("There is more. Only the beginning is shown.");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::Doubt;

    #[test]
    fn both_ways_out_are_named_and_no_list_is_to_be_set() {
        let unproven =
            Unproven { path: "/zkplan/runs/0000000001".into(), doubt: Doubt::Changed(1) };
        let (what, then) = not_proven(&unproven, "my spec.yaml");
        assert!(what.contains("was set 1 time after it was created"), "{what}");
        let elsewhere = then.find("folder: /zkplan-2").expect("one way");
        let kept = then.find("zkplan history 'my spec.yaml' --unproven --format json > kept.json");
        let deleted = then.find("deleteall /zkplan)").expect("the other way");
        assert!(elsewhere < kept.expect("a copy") && kept < Some(deleted), "{then}");
        assert!(!then.contains("setAcl") && !then.contains("unlock"), "{then}");
    }

    #[test]
    fn the_folder_and_its_contents_are_shown_apart() {
        for (path, folder) in
            [("/zkplan", "/zkplan"), ("/a/b/lock", "/a/b"), ("/zkplan/runs/0000000001", "/zkplan")]
        {
            assert_eq!(folder_of(path), folder);
        }
    }
}
