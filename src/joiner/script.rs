//! The script that lays a joiner's files down on its server, and the page beside them.

use super::paths::JoinerPaths;
use crate::model::ServerId;

/// The script. It is short on purpose: it is read before it is run.
const SCRIPT: &str = include_str!("install.sh");

/// The page beside it.
const README: &str = include_str!("README.txt");

/// The page of a server that begins an ensemble.
const FIRST_README: &str = include_str!("FIRST-README.txt");

/// The script of a server whose files name these paths; `has_secret` says whether a file is for its
/// owner alone.
pub(super) fn install(server: ServerId, paths: &JoinerPaths, has_secret: bool) -> String {
    filled(SCRIPT, server, paths).replace("@UMASK@", if has_secret { "077" } else { "022" })
}

/// Where the files go; `is_first` of a server that begins an ensemble.
pub(super) fn readme(
    (server, is_first): (ServerId, bool),
    paths: &JoinerPaths,
    jvm_flags: &[String],
) -> String {
    let flags = if jvm_flags.is_empty() {
        "This server needs no JVM flag that zkplan knows of. Heap size, keystores and the like: as on the\n\
         present servers."
            .to_owned()
    } else {
        format!(
            "This server needs these JVM flags, beside those of the present servers (heap, keystores):\n\n    \
             {}\n\njava.env has them for Apache's scripts.",
            jvm_flags.join(" ")
        )
    };
    let page = if is_first { FIRST_README } else { README };
    filled(page, server, paths).replace("@FLAGS@", &flags)
}

fn filled(text: &str, server: ServerId, paths: &JoinerPaths) -> String {
    let log_dir = paths.log_dir.as_deref().unwrap_or_default();
    text.replace("@SERVER@", &server.to_string())
        .replace("@CONF_DIR@", &paths.conf_dir)
        .replace("@DATA_DIR@", &paths.data_dir)
        .replace("@LOG_DIR@", log_dir)
}
