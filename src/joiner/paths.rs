//! Where the files of a joiner go.

use thiserror::Error;

use crate::model::{MalformedEscape, ServerId};
use crate::settings::value_in;

/// Where `zoo.cfg` is, where nothing says otherwise.
const CONF_DIR: &str = "/etc/zookeeper/conf";

/// Where the data are, likewise.
const DATA_DIR: &str = "/var/lib/zookeeper";

/// The file of the members. Text after the last dot of its name must be no hexadecimal number: it
/// would count as the config version (`QuorumPeerConfig.getVersionFromFilename`).
pub(super) const DYNAMIC_FILE: &str = "zoo.cfg.dynamic";

/// Why there are no files.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JoinerFilesError {
    /// No server reads the model.
    #[error(transparent)]
    Malformed(#[from] MalformedEscape),
    /// A path that a script cannot take.
    #[error("{key} is `{path}`: a whole path of letters, digits and . _ - + @ : / is needed here")]
    Path {
        /// The key of `zoo.cfg`.
        key: &'static str,
        /// The path.
        path: String,
    },
}

/// Folders on the server of a joiner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinerPaths {
    /// That of `zoo.cfg`.
    pub conf_dir: String,
    /// `dataDir`.
    pub data_dir: String,
    /// `dataLogDir`, where it has one.
    pub log_dir: Option<String>,
}

impl JoinerPaths {
    /// Those of a joiner: as they are wished (`{id}` is its id), else as the model has them.
    pub(super) fn of(
        model: &str,
        joiner: ServerId,
        [conf_dir, data_dir]: [Option<&str>; 2],
    ) -> Result<Self, JoinerFilesError> {
        let of_joiner = |path: &str| path.replace("{id}", &joiner.to_string());
        let of_model = |key| value_in(model, key);
        let dynamic = of_model("dynamicConfigFile")?;
        let beside = dynamic.as_deref().and_then(|file| Some(file.rsplit_once('/')?.0));
        let conf_dir = conf_dir.map(of_joiner).or_else(|| beside.map(str::to_owned));
        let data_dir = match data_dir {
            Some(path) => Some(of_joiner(path)),
            None => of_model("dataDir")?,
        };
        let paths = Self {
            conf_dir: conf_dir.unwrap_or_else(|| CONF_DIR.to_owned()),
            data_dir: data_dir.unwrap_or_else(|| DATA_DIR.to_owned()),
            log_dir: of_model("dataLogDir")?,
        };
        for (key, path) in paths.keys() {
            if !is_plain_path(&path) {
                return Err(JoinerFilesError::Path { key, path });
            }
        }
        Ok(paths)
    }

    /// Those of a server that is laid down beside an old one: the names of its data directories end with
    /// its id where they are not wished.
    pub(super) fn beside(
        model: &str,
        server: ServerId,
        [conf_dir, data_dir]: [Option<&str>; 2],
    ) -> Result<Self, JoinerFilesError> {
        let Self { conf_dir, data_dir: of_model, log_dir } =
            Self::of(model, server, [conf_dir, data_dir])?;
        let own = |dir: String| format!("{}-{server}", dir.trim_end_matches('/'));
        let data_dir = if data_dir.is_some() { of_model } else { own(of_model) };
        Ok(Self { conf_dir, data_dir, log_dir: log_dir.map(own) })
    }

    /// Their keys in `zoo.cfg`.
    pub(super) fn keys(&self) -> Vec<(&'static str, String)> {
        let conf_dir = self.conf_dir.trim_end_matches('/');
        let mut keys = vec![
            ("dataDir", self.data_dir.clone()),
            ("dynamicConfigFile", format!("{conf_dir}/{DYNAMIC_FILE}")),
        ];
        let log_dir = self.log_dir.clone();
        keys.extend(log_dir.map(|dir| ("dataLogDir", dir)));
        keys
    }
}

/// Whether a path is whole, and of characters that mean themselves in a script and in a `zoo.cfg`.
fn is_plain_path(path: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-+@:/".contains(c);
    path.starts_with('/') && path.chars().all(is_plain)
}
