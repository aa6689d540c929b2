//! The edit of a `zoo.cfg` that the wanted settings need.

use crate::model::{
    Auth, MalformedEscape, Property, ServerVersion, SettingName, WantedSettings, properties,
    trimmed,
};

/// The key of the super user's digest in `zoo.cfg`. ZooKeeper makes a system property
/// `zookeeper.…` of it, as of each key that it does not read itself (`QuorumPeerConfig`).
pub const SUPER_DIGEST: &str = "DigestAuthenticationProvider.superDigest";

/// What stands behind the user where the digest is still to be filled in.
const PLACEHOLDER: &str = ":HASH";

/// The key of the list of words, likewise.
const WHITELIST: &str = "4lw.commands.whitelist";

/// The key of the size limit of a request, which counts only as `-Djute.maxbuffer`.
const MAX_BUFFER: &str = "jute.maxbuffer";

/// The super user that servers need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuperUser<'a> {
    /// One of scheme digest, by this name. Its digest is what `zkplan digest` prints, or not known
    /// here.
    Digest(&'a str, Option<&'a str>),
    /// One of another scheme. Its key is not added.
    OtherScheme,
}

impl<'a> SuperUser<'a> {
    /// That of the user who changes the configuration.
    pub const fn of(auth: Option<&'a Auth>) -> Self {
        match auth {
            Some(Auth::Digest { user, .. }) => Self::Digest(user.as_str(), None),
            Some(Auth::Sasl { .. } | Auth::X509) | None => Self::OtherScheme,
        }
    }
}

/// What a `zoo.cfg` needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The text as it was.
    pub before: String,
    /// The text as it has to be; everything that is not wanted otherwise stands there word for word.
    pub after: String,
    /// JVM flags that are needed beside it.
    pub jvm_flags: Vec<String>,
    /// What to know about it.
    pub notes: Vec<EditNote>,
}

impl Edit {
    /// Whether the file is as it has to be.
    pub fn is_empty(&self) -> bool {
        let is_to_fill = |note: &EditNote| matches!(note, EditNote::DigestToFill { .. });
        self.before == self.after && !self.notes.iter().any(is_to_fill)
    }
}

/// What to know about an edit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EditNote {
    /// The text after [`SUPER_DIGEST`] is a placeholder: the first line of `zkplan digest` goes there.
    DigestToFill {
        /// The user whose it is.
        user: String,
    },
    /// The file holds a secret. ZooKeeper rewrites it with the mode of new files (0644), and its copy
    /// `zoo.cfg.bak` too, once a config version is activated.
    SecretInFile,
    /// The super user is of another scheme than digest: its key is not added.
    OtherScheme,
    /// This key is read from `zoo.cfg` alone: as a JVM flag it does nothing.
    NotAsFlag(SettingName),
    /// The list of words in `zoo.cfg` replaces one that is given as a JVM flag.
    ReplacesFlag,
    /// The file has `jute.maxbuffer`, which does nothing there.
    MaxBufferIgnored,
    /// With these ticks (in milliseconds) and limit, servers with the old and with the new file lose
    /// each other while the restarts go on: first a larger `syncLimit` everywhere, then the tick.
    TicksApart {
        /// The tick now.
        from_ms: u64,
        /// The tick that is wanted.
        to_ms: u64,
    },
    /// The release has to be installed: no file switches it.
    Release(ServerVersion),
}

/// The edit that the wanted settings need in a `zoo.cfg`, decoded as [`crate::model::latin_1`] does.
///
/// A key that is lacking is added at the end; of one that differs, the line that counts, the last, is
/// replaced. Nothing else changes.
///
/// # Errors
///
/// A malformed escape, with which no server reads the file.
pub fn edit(
    text: &str,
    wanted: &WantedSettings,
    super_user: SuperUser<'_>,
) -> Result<Edit, MalformedEscape> {
    let mut file = ZooCfg { text: text.to_owned(), properties: properties(text)? };
    let mut notes = Vec::new();
    let mut jvm_flags = Vec::new();
    if wanted.reconfig_enabled && !file.is_true("reconfigEnabled") {
        file.set("reconfigEnabled", "true")?;
        notes.push(EditNote::NotAsFlag(SettingName::ReconfigEnabled));
    }
    if wanted.superuser {
        add_super_user(&mut file, super_user, &mut notes)?;
    }
    add_words(&mut file, wanted, &mut notes)?;
    let ticks = Ticks::of(&file);
    for (name, bound) in &wanted.numbers {
        if !bound.allows(*name, file.number(*name)) {
            file.set(name.key(), &bound.number().to_string())?;
            notes.push(EditNote::NotAsFlag(*name));
        }
    }
    notes.extend(ticks.apart_from(Ticks::of(&file)));
    if let Some(size) = file.value(MAX_BUFFER) {
        jvm_flags.push(format!("-D{MAX_BUFFER}={size}"));
        notes.push(EditNote::MaxBufferIgnored);
    }
    if file.properties.iter().any(|property| is_secret(&property.key)) {
        notes.push(EditNote::SecretInFile);
    }
    notes.extend(wanted.version.map(EditNote::Release));
    notes.sort();
    Ok(Edit { before: text.to_owned(), after: file.text, jvm_flags, notes })
}

/// The same edit, with these keys set to these values beside it.
///
/// # Errors
///
/// A malformed escape, with which no server reads the file.
pub fn with_keys(edit: Edit, keys: &[(String, String)]) -> Result<Edit, MalformedEscape> {
    let properties = properties(&edit.after)?;
    let mut file = ZooCfg { text: edit.after, properties };
    for (key, value) in keys {
        if file.value(key) != Some(value) {
            file.set(key, value)?;
        }
    }
    Ok(Edit { after: file.text, ..edit })
}

/// A `zoo.cfg` as it may be shown: in place of each secret stands "(not shown)". A superDigest that
/// is still to be filled in is none.
pub fn without_secrets(text: &str) -> String {
    let mut continues = false;
    let line = |line: &str| {
        let (content, end) = line.strip_suffix('\n').map_or((line, ""), |content| (content, "\n"));
        let key_end = content.trim_start().find(|c: char| "=: \t".contains(c));
        let at = key_end.map(|end| end + content.len() - content.trim_start().len());
        let key = at.map_or("", |at| content[..at].trim_start());
        let hides = continues || (is_secret(key) && !content.ends_with(PLACEHOLDER));
        continues = hides && content.ends_with('\\');
        match at.filter(|_| hides && is_secret(key)) {
            Some(at) => format!("{}=(not shown){end}", &content[..at]),
            None if hides => format!("(not shown){end}"),
            None => line.to_owned(),
        }
    };
    text.split_inclusive('\n').map(line).collect()
}

/// Whether the value of a key is a secret, or as good as one: a digest has no salt.
fn is_secret(key: &str) -> bool {
    key == SUPER_DIGEST || key.to_ascii_lowercase().ends_with("password")
}

/// Whether a value can be the superDigest of a user: `user:hash`, and not what is to be replaced.
fn is_digest(value: &str) -> bool {
    let parts = value.split_once(':');
    parts.is_some_and(|(user, hash)| {
        !user.is_empty() && !user.contains('=') && !hash.is_empty() && !value.ends_with(PLACEHOLDER)
    })
}

fn add_super_user(
    file: &mut ZooCfg,
    super_user: SuperUser<'_>,
    notes: &mut Vec<EditNote>,
) -> Result<(), MalformedEscape> {
    match super_user {
        SuperUser::OtherScheme => notes.push(EditNote::OtherScheme),
        SuperUser::Digest(_, Some(digest)) => {
            if file.value(SUPER_DIGEST) != Some(digest) {
                file.set(SUPER_DIGEST, digest)?;
            }
        }
        // Whether one that stands there is of the right password is not known here.
        SuperUser::Digest(user, None) => {
            if !file.value(SUPER_DIGEST).is_some_and(is_digest) {
                file.set(SUPER_DIGEST, &format!("{user}{PLACEHOLDER}"))?;
                notes.push(EditNote::DigestToFill { user: user.to_owned() });
            }
        }
    }
    Ok(())
}

/// Adds the words that are not allowed yet. `srvr` always is.
fn add_words(
    file: &mut ZooCfg,
    wanted: &WantedSettings,
    notes: &mut Vec<EditNote>,
) -> Result<(), MalformedEscape> {
    let list = file.value(WHITELIST).map(str::to_owned);
    let listed: Vec<&str> = list.iter().flat_map(|list| list.split(',')).map(str::trim).collect();
    let lacks = |word: &&str| *word != "srvr" && !listed.contains(word) && !listed.contains(&"*");
    let lacking: Vec<&str> =
        wanted.four_letter_words.iter().map(String::as_str).filter(lacks).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    if list.is_none() {
        notes.push(EditNote::ReplacesFlag);
    }
    let all = listed.iter().copied().filter(|word| !word.is_empty()).chain(lacking);
    file.set(WHITELIST, &all.collect::<Vec<_>>().join(", "))
}

/// The tick in milliseconds, and how many a learner may fall behind.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ticks {
    ms: u64,
    sync_limit: u64,
}

impl Ticks {
    fn of(file: &ZooCfg) -> Self {
        Self {
            ms: file.number(SettingName::TickTime),
            sync_limit: file.number(SettingName::SyncLimit),
        }
    }

    /// A leader pings each half of its tick, and a learner gives up after its own `syncLimit` of its own
    /// ticks (`Leader.lead`, `Learner.syncWithLeader`). Twice the other's tick is a safe time.
    fn apart_from(self, new: Self) -> Option<EditNote> {
        let bears = |one: Self, other: Self| one.ms.saturating_mul(one.sync_limit) > 2 * other.ms;
        let fits = self == new || (bears(self, new) && bears(new, self));
        (!fits).then_some(EditNote::TicksApart { from_ms: self.ms, to_ms: new.ms })
    }
}

/// A file that is edited.
pub(super) struct ZooCfg {
    pub(super) text: String,
    pub(super) properties: Vec<Property>,
}

impl ZooCfg {
    /// The last value of a key, which counts.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        let last = self.properties.iter().rev().find(|property| trimmed(&property.key) == key);
        last.map(|property| trimmed(&property.value))
    }

    fn is_true(&self, key: &str) -> bool {
        self.value(key).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A number as the server has it, with ZooKeeper's defaults (`ZooKeeperServer.DEFAULT_TICK_TIME`,
    /// `ServerConfig.maxClientCnxns`, `ZooKeeperServer.getMinSessionTimeout`).
    fn number(&self, name: SettingName) -> u64 {
        let given = self.value(name.key()).and_then(|value| value.parse().ok());
        given.unwrap_or_else(|| match name {
            SettingName::TickTime => 3000,
            SettingName::MaxClientCnxns => 60,
            SettingName::MinSessionTimeout => 2 * self.number(SettingName::TickTime),
            SettingName::MaxSessionTimeout => 20 * self.number(SettingName::TickTime),
            SettingName::ReconfigEnabled
            | SettingName::Superuser
            | SettingName::FourLetterWords
            | SettingName::InitLimit
            | SettingName::SyncLimit
            | SettingName::Version => 0,
        })
    }

    /// Takes out the key that begins on that line, counted from 0, with all its lines.
    pub(super) fn remove(&mut self, from: usize) -> Result<(), MalformedEscape> {
        let lines = natural_lines(&self.text);
        let more = lines[from..].iter().take_while(|line| line.is_continued()).count();
        let to = (from + more).min(lines.len() - 1);
        let kept = lines[..from].iter().chain(&lines[to + 1..]);
        let text: String = kept.flat_map(|line| [line.content, line.end]).collect();
        self.properties = properties(&text)?;
        self.text = text;
        Ok(())
    }

    /// Gives a key a value: in the place of the last one, or at the end.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<(), MalformedEscape> {
        let last = self.properties.iter().rev().find(|property| trimmed(&property.key) == key);
        let from = last.map(|property| property.line - 1);
        let lines = natural_lines(&self.text);
        let end_of_line = lines.iter().map(|line| line.end).find(|end| !end.is_empty());
        let end_of_line = end_of_line.unwrap_or("\n");
        let new = format!("{key}={}", escaped(value));
        let mut text = String::new();
        if let Some(from) = from {
            // A value may go over several lines.
            let more = lines[from..].iter().take_while(|line| line.is_continued()).count();
            let to = (from + more).min(lines.len() - 1);
            text.extend(lines[..from].iter().flat_map(|line| [line.content, line.end]));
            text.extend([&*new, lines[to].end]);
            text.extend(lines[to + 1..].iter().flat_map(|line| [line.content, line.end]));
        } else {
            text.push_str(&self.text);
            if let Some(last) = lines.last() {
                // A line without an end, or one that would swallow the next.
                text.push_str(if last.end.is_empty() { end_of_line } else { "" });
                text.push_str(if last.is_continued() { end_of_line } else { "" });
            }
            text.extend([&*new, end_of_line]);
        }
        self.properties = properties(&text)?;
        self.text = text;
        Ok(())
    }
}

/// A value as `Properties.load` reads it back.
fn escaped(value: &str) -> String {
    let mut text = String::new();
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            ' '..='~' => text.push(c),
            _ => {
                let digits = format!("{:04x}", u32::from(c));
                text.extend(["\\u", &digits]);
            }
        }
    }
    text
}

/// A line of a file with what ends it: `\n`, `\r\n`, `\r`, or nothing at the end of the file.
struct NaturalLine<'a> {
    content: &'a str,
    end: &'a str,
}

impl NaturalLine<'_> {
    /// Whether the next line belongs to it: it ends with an odd number of `\`.
    fn is_continued(&self) -> bool {
        self.content.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1
    }
}

fn natural_lines(text: &str) -> Vec<NaturalLine<'_>> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let at = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let (content, behind) = rest.split_at(at);
        let length = if behind.starts_with("\r\n") { 2 } else { behind.len().min(1) };
        let (end, next) = behind.split_at(length);
        lines.push(NaturalLine { content, end });
        rest = next;
    }
    lines
}

#[cfg(test)]
mod tests;
