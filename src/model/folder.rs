//! The znode below which zkplan keeps its state in an ensemble.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The path of the folder: identity, lock and journal are kept below it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Folder(String);

impl Folder {
    /// The folder that is used when the spec names none.
    pub const USUAL: &'static str = "/zkplan";

    /// Reads a path. `None` if it is not an absolute path of plain names, if a name is `.` or `..`
    /// (`PathUtils.validatePath`), or if it lies in `/zookeeper`, which belongs to the servers.
    pub fn parse(text: &str) -> Option<Self> {
        let names = text.strip_prefix('/')?;
        let is_plain = |name: &str| {
            !matches!(name, "" | "." | "..")
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
        };
        let first = names.split('/').next();
        (names.split('/').all(is_plain) && first != Some("zookeeper"))
            .then(|| Self(text.to_owned()))
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of a znode in it.
    pub fn child(&self, name: &str) -> String {
        format!("{}/{name}", self.0)
    }

    /// The parent znode, in which the folder is created.
    pub fn parent(&self) -> &str {
        match self.0.rsplit_once('/') {
            Some((parent, _)) if !parent.is_empty() => parent,
            _ => "/",
        }
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self(Self::USUAL.to_owned())
    }
}

impl TryFrom<String> for Folder {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or_else(|| format!("{text} is not the path of a folder"))
    }
}

impl From<Folder> for String {
    fn from(folder: Folder) -> Self {
        folder.0
    }
}

impl JsonSchema for Folder {
    fn schema_name() -> Cow<'static, str> {
        "Folder".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(/[A-Za-z0-9_.-]+)+$" })
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_an_absolute_path_of_plain_names() {
        let read = |text| Folder::parse(text).map(|folder| folder.parent().to_owned());
        assert_eq!(read("/zkplan").as_deref(), Some("/"));
        assert_eq!(read("/ops/zk.plan").as_deref(), Some("/ops"));
        for wrong in ["", "/", "zkplan", "/zkplan/", "//a", "/a/../b", "/a b", "/zookeeper/zkplan"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
