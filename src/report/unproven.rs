//! `zkplan/unproven`: what stands in the folder of zkplan. Its author is not known.

use schemars::JsonSchema;
use serde::Serialize;

use crate::apply::journal_reader::{RawNode, RawTree};
use crate::document::{Document, Format};
use crate::model::Target;

/// The content of zkplan's folder. None of it is proven to be an operator's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnprovenDocument {
    /// The label of the ensemble in the file that was given.
    pub ensemble: String,
    /// The folder (`connect.folder`).
    pub folder: String,
    /// The znodes, each before what lies below it; empty where there is no folder.
    pub nodes: Vec<UnprovenNode>,
    /// Whether there is more than was read.
    pub is_cut: bool,
}

impl Document for UnprovenDocument {
    const FORMAT: Format = Format { name: "unproven", major: 1, minor: 0 };
}

/// A znode as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnprovenNode {
    /// Its path.
    pub path: String,
    /// Its access control list, as `scheme:id:permissions`; ZooKeeper may mask digests.
    pub entries: Vec<String>,
    /// How often the list was set since the znode was created.
    pub aversion: i32,
    /// The session that it lives with; 0 for a persistent znode.
    pub owner: i64,
    /// The transaction that created it.
    pub czxid: i64,
    /// Its data, where they are text; otherwise what they are.
    pub data: String,
}

impl UnprovenDocument {
    /// Of what was read.
    pub fn of(target: &Target, tree: &RawTree) -> Self {
        Self {
            ensemble: target.ensemble.clone(),
            folder: target.connect.folder.to_string(),
            nodes: tree.nodes.iter().map(UnprovenNode::of).collect(),
            is_cut: tree.is_cut,
        }
    }
}

impl UnprovenNode {
    fn of(node: &RawNode) -> Self {
        let RawNode { path, entries, aversion, owner, czxid, data } = node.clone();
        Self { path, entries, aversion, owner, czxid, data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;

    #[test]
    fn a_copy_says_what_it_is_and_of_which_folder_and_fits_its_schema() {
        let text = "apiVersion: zkplan/v1\nensemble: prod\nconnect: { folder: /ours }\n\
                    servers: [{ id: 1, host: zk1 }, { id: 2, host: zk2 }, { id: 3, host: zk3 }]\n";
        let target = spec::parse("spec.yaml", text).expect("a spec").to_target();
        let node = RawNode {
            path: "/ours/lock".to_owned(),
            entries: vec!["world:anyone:cdrwa".to_owned()],
            aversion: 1,
            owner: 72_057_594_037_927_936,
            czxid: 4_294_967_298,
            data: "{}".to_owned(),
        };
        let tree = RawTree { nodes: vec![node], is_cut: true };
        let document = UnprovenDocument::of(&target, &tree).to_value();
        let validator = jsonschema::validator_for(&UnprovenDocument::schema()).expect("a schema");
        assert!(validator.is_valid(&document), "{document:#}");
        assert_eq!(document["format"], "zkplan/unproven");
        assert_eq!(document["formatVersion"], "1.0");
        assert_eq!((&document["ensemble"], &document["folder"]), (&"prod".into(), &"/ours".into()));
        assert_eq!(document["nodes"][0]["path"], "/ours/lock");
        assert_eq!(document["isCut"], true);
    }
}
