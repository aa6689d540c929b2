//! Where the digest of a super user goes, in the packagings that people have.

use super::text::{Line, Style, Text};
use crate::ensemble::DigestAlgorithm;

/// What is to be said of a digest.
#[derive(Debug, Clone, Copy)]
pub struct SuperDigest<'a> {
    /// `user:hash`.
    pub id: &'a str,
    /// What the servers make it with.
    pub algorithm: DigestAlgorithm,
    /// Whether the password has no character outside ASCII.
    pub is_ascii: bool,
    /// Columns of the terminal.
    pub width: usize,
}

/// Where a property goes, by packaging: file or variable, and what stands before the property there.
/// From the start scripts of each (`zkEnv.sh`, Debian's init script, `docker-entrypoint.sh`, bitnami's
/// `libzookeeper.sh`).
const PLACES: [(&str, &str); 4] = [
    ("Apache's scripts", "SERVER_JVMFLAGS in conf/java.env"),
    ("Debian's service", "JAVA_OPTS in /etc/zookeeper/conf/environment"),
    ("Docker's zookeeper", "environment variable SERVER_JVMFLAGS"),
    ("bitnami", "environment variable JVMFLAGS"),
];

/// Where it goes, and what to know of it.
pub fn screen(of: &SuperDigest<'_>) -> Text {
    let SuperDigest { id, algorithm, is_ascii, width } = *of;
    let mut text = Text::new();
    let what = "Give this to every server, also to those that will be added, and restart the \
                servers one at a time, the leader last. In zoo.cfg:";
    text.paragraph("", what.to_owned(), width);
    let mut settings = vec![format!("DigestAuthenticationProvider.superDigest={id}")];
    if algorithm != DigestAlgorithm::default() {
        settings.push(format!("DigestAuthenticationProvider.digestAlg={algorithm}"));
    }
    for setting in &settings {
        text.line(Line::new(Style::Cyan, format!("  {setting}")));
    }
    text.paragraph("", "Or as Java properties:".to_owned(), width);
    for setting in &settings {
        text.line(Line::new(Style::Cyan, format!("  -Dzookeeper.{setting}")));
    }
    for (packaging, place) in PLACES {
        text.line(Line::plain(format!("  {packaging:<20}{place}")));
    }
    text.gap();
    let mut notes = vec![
        "ZooKeeper rewrites zoo.cfg once a config version is in force, readable for every user (mode \
         0644), and the AdminServer shows Java properties. The hash has no salt: use a long random password.",
    ];
    if algorithm != DigestAlgorithm::default() {
        notes.push(
            "digestAlg must be the same on all servers, and releases before 3.7 do not have it. \
             ACLs of scheme digest that were made with another algorithm match no user any more.",
        );
    }
    if !is_ascii {
        notes.push(
            "The password has characters outside ASCII. A server whose Java has another default \
             encoding than UTF-8 may make another hash of it.",
        );
    }
    for note in notes {
        text.paragraph(Line::new(Style::Yellow, "note: "), note.to_owned(), width);
    }
    text
}
