//! Typed reading of the tree: what is not as it should be is complained about, and reading goes on.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::complaint::Complaints;
use super::place::Place;
use super::shown::{is_hidden, quoted};
use super::tree::{Node, Value};
use crate::model::{Host, Millis};

/// The longest key that is compared with the known ones.
const LONGEST_KEY: usize = 40;

/// Reads values and collects complaints.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) complaints: Complaints,
}

/// The known entries of a map.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    /// The place of the map, or of its first key.
    pub(super) place: Place,
    entries: Vec<(&'a str, Place, &'a Node)>,
    /// Keys that an unknown key is nearly; to miss them too would be to say it twice.
    nearly: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// The value of a key, where it is given.
    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        self.entries.iter().find(|(name, ..)| *name == key).map(|(.., node)| *node)
    }

    /// The place of a key; of the map where the key is not given.
    pub(super) fn place_of(&self, key: &str) -> Place {
        let entry = self.entries.iter().find(|(name, ..)| *name == key);
        entry.map_or(self.place, |(_, place, _)| *place)
    }
}

impl Reader {
    /// Adds a complaint.
    pub(super) fn complain(
        &mut self,
        place: Place,
        what: impl AsRef<str>,
        label: impl AsRef<str>,
        remedy: impl AsRef<str>,
    ) {
        self.complaints.add(place, what, label, remedy);
    }

    /// Complains about a value of the wrong type. `wanted` has its article: `a list of servers`.
    pub(super) fn wrong_type(&mut self, node: &Node, what: &str, wanted: &str) {
        let (place, kind) = (node.place, node.value.kind());
        let remedy = match node.value {
            Value::Null => format!("give {what} a value, or remove the line"),
            Value::Bool(_) | Value::Whole(_) | Value::Float if wanted.starts_with("a text") => {
                "put it in quotes".to_owned()
            }
            Value::Text(_) if wanted.starts_with("a number") => {
                format!("write {what} as a whole number, without quotes")
            }
            _ => format!("give {what} as {wanted}"),
        };
        self.complain(place, format!("{what} must be {wanted}"), format!("found {kind}"), remedy);
    }

    /// Reads a map with known keys. `of` names it: `a server`.
    pub(super) fn fields<'a>(
        &mut self,
        node: &'a Node,
        of: &str,
        known: &[&'static str],
    ) -> Option<Fields<'a>> {
        let Value::Map(entries) = &node.value else {
            self.wrong_type(node, of, "a map");
            return None;
        };
        let place = entries.first().map_or(node.place, |(key, _)| key.place);
        let mut fields = Fields { place, entries: Vec::new(), nearly: Vec::new() };
        for (name, key_place, value) in self.unique_keys(entries, of) {
            if known.contains(&name) {
                fields.entries.push((name, key_place, value));
            } else {
                fields.nearly.extend(self.unknown_key(name, key_place, of, known));
            }
        }
        Some(fields)
    }

    /// The entries of a map whose keys are texts, each key once.
    fn unique_keys<'a>(
        &mut self,
        entries: &'a [(Node, Node)],
        of: &str,
    ) -> Vec<(&'a str, Place, &'a Node)> {
        let mut seen: HashMap<&str, Place> = HashMap::new();
        let mut unique = Vec::new();
        for (key, value) in entries {
            let Value::Text(name) = &key.value else {
                let found = format!("found {}", key.value.kind());
                self.complain(
                    key.place,
                    format!("the keys of {of} must be words"),
                    found,
                    "remove it",
                );
                continue;
            };
            if let Some(first) = seen.get(name.as_str()) {
                self.twice(key.place, &format!("key `{}`", quoted(name)), *first);
            } else {
                seen.insert(name, key.place);
                unique.push((name.as_str(), key.place, value));
            }
        }
        unique
    }

    /// Complains about something that stands in two places.
    pub(super) fn twice(&mut self, again: Place, what: &str, first: Place) {
        let remedy = format!("first given on line {}; keep one", first.line);
        self.complain(again, format!("{what} is given twice"), "again here", remedy);
    }

    /// Complains about an unknown key; gives the key that it may have been meant to be.
    fn unknown_key(
        &mut self,
        name: &str,
        place: Place,
        of: &str,
        known: &[&'static str],
    ) -> Option<&'static str> {
        let near = self.complaints.has_room().then(|| nearest(name, known)).flatten();
        let remedy = format!("{of} has the keys {}", known.join(", "));
        let what = format!("unknown key `{}` in {of}", quoted(name));
        self.complain(place, what, meant(near), remedy);
        near
    }

    /// The value of a key that has to be there.
    pub(super) fn needed<'a>(
        &mut self,
        fields: &Fields<'a>,
        key: &str,
        of: &str,
        remedy: &str,
    ) -> Option<&'a Node> {
        let found = fields.get(key);
        if found.is_none() && !fields.nearly.contains(&key) {
            let what = format!("{of} has no `{key}`");
            self.complain(fields.place, what, format!("no `{key}`"), remedy);
        }
        found
    }

    /// Reads a text without hidden characters, not empty.
    pub(super) fn text<'a>(&mut self, node: &'a Node, what: &str) -> Option<&'a str> {
        let Value::Text(text) = &node.value else {
            self.wrong_type(node, what, "a text");
            return None;
        };
        if text.is_empty() {
            self.complain(node.place, format!("{what} is empty"), "nothing here", "give a value");
            return None;
        }
        if let Some(hidden) = text.chars().find(|c| is_hidden(*c)) {
            let label = format!("holds {}", hidden.escape_unicode());
            let what = format!("{what} has a character that cannot be printed");
            self.complain(node.place, what, label, "type it again");
            return None;
        }
        Some(text)
    }

    /// Reads true or false.
    pub(super) fn bool(&mut self, node: &Node, what: &str) -> Option<bool> {
        let Value::Bool(value) = node.value else {
            self.wrong_type(node, what, "true or false");
            return None;
        };
        Some(value)
    }

    /// Reads a whole number.
    pub(super) fn whole(
        &mut self,
        node: &Node,
        what: &str,
        range: RangeInclusive<u32>,
    ) -> Option<u32> {
        let remedy = format!("give a number from {} to {}", range.start(), range.end());
        self.whole_or(node, what, range, &remedy)
    }

    /// The same, with what to do about one that does not fit.
    pub(super) fn whole_or(
        &mut self,
        node: &Node,
        what: &str,
        range: RangeInclusive<u32>,
        remedy: &str,
    ) -> Option<u32> {
        let Value::Whole(number) = node.value else {
            self.wrong_type(node, what, "a number");
            return None;
        };
        let fits = u32::try_from(number).ok().filter(|number| range.contains(number));
        if fits.is_none() {
            let label = format!("not from {} to {}", range.start(), range.end());
            self.complain(node.place, format!("{what} is {number}"), label, remedy);
        }
        fits
    }

    /// Reads a port.
    pub(super) fn port(&mut self, node: &Node, what: &str) -> Option<u16> {
        self.whole(node, what, 1..=65_535).and_then(|port| u16::try_from(port).ok())
    }

    /// Reads one of several words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        node: &Node,
        what: &str,
        choices: &[(&'static str, T)],
    ) -> Option<T> {
        let words: Vec<&'static str> = choices.iter().map(|(word, _)| *word).collect();
        let Value::Text(text) = &node.value else {
            self.wrong_type(node, what, &format!("one of {}", words.join(", ")));
            return None;
        };
        let found = choices.iter().find(|(word, _)| word == text).map(|(_, choice)| *choice);
        if found.is_none() {
            let label = meant(nearest(text, &words));
            let remedy = match words.as_slice() {
                [only] => format!("{what} must be {only}"),
                _ => format!("{what} must be one of {}", words.join(", ")),
            };
            self.complain(node.place, format!("{what} is `{}`", quoted(text)), label, remedy);
        }
        found
    }

    /// Reads a length of time, at most `longest`.
    pub(super) fn duration(&mut self, node: &Node, what: &str, longest: Millis) -> Option<Millis> {
        const REMEDY: &str = "write a whole number and ms, s, m or h, like 10s";
        let text = match &node.value {
            Value::Text(text) => text,
            Value::Whole(_) | Value::Float => {
                let message = format!("{what} has no unit");
                self.complain(node.place, message, "seconds? milliseconds?", REMEDY);
                return None;
            }
            _ => {
                self.wrong_type(node, what, "a length of time");
                return None;
            }
        };
        match text.parse::<Millis>() {
            Ok(length) if length <= longest => Some(length),
            Ok(_) => {
                let label = format!("more than {longest}");
                self.complain(node.place, format!("{what} is too long"), label, REMEDY);
                None
            }
            Err(reason) => {
                let message = format!("{what} is `{}`", quoted(text));
                self.complain(node.place, message, reason, REMEDY);
                None
            }
        }
    }

    /// Reads a list. `of` says what it holds: `a list of servers`.
    pub(super) fn list<'a>(&mut self, node: &'a Node, what: &str, of: &str) -> Option<&'a [Node]> {
        let Value::List(items) = &node.value else {
            self.wrong_type(node, what, of);
            return None;
        };
        Some(items)
    }

    /// Checks a host: a DNS name or an IP literal, plainly written.
    pub(super) fn host(&mut self, place: Place, what: &str, text: &str) -> Option<Host> {
        const REMEDY: &str = "give a DNS name, an IPv4 or an IPv6 address";
        let host = Host::new(text);
        let bare = host.as_str();
        let numeric = bare
            .rsplit('.')
            .next()
            .is_some_and(|last| !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()));
        let mapped = matches!(
            host.literal(),
            Some(std::net::IpAddr::V6(ip)) if ip.to_ipv4_mapped().is_some()
        );
        let with_port = |(name, port): (&str, &str)| {
            !name.contains(':') && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())
        };
        let bracketed = bare.len() < text.len();
        let (label, remedy) = if bracketed && !bare.contains(':') {
            ("brackets are for IPv6 addresses", REMEDY)
        } else if bare.split_once(':').is_some_and(with_port) {
            ("no port here", "give only the host; ports have their own keys")
        } else if !host.is_plain() {
            ("not a host name", REMEDY)
        } else if numeric && host.literal().is_none() {
            ("not a name and not an IPv4 address", REMEDY)
        } else if bare.starts_with(['-', '.']) {
            ("a name begins with a letter or a digit", REMEDY)
        } else if mapped {
            // Java turns it into the IPv4 address, so that two spellings would mean one place.
            ("an IPv4 address written as IPv6", "write it as an IPv4 address")
        } else {
            return Some(host);
        };
        self.complain(place, format!("{what} is `{}`", quoted(text)), label, remedy);
        None
    }
}

/// What to say of a word that is not known.
fn meant(near: Option<&str>) -> String {
    near.map_or_else(|| "not known".to_owned(), |near| format!("did you mean `{near}`?"))
}

/// The known word that someone may have meant.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    if name.len() > LONGEST_KEY {
        return None;
    }
    let plain = |text: &str| text.replace(['-', '_'], "").to_ascii_lowercase();
    let name = plain(name);
    known
        .iter()
        .map(|word| (strsim::damerau_levenshtein(&name, &plain(word)), *word))
        .min()
        .filter(|(distance, word)| *distance <= 1 + word.len() / 5)
        .map(|(_, word)| word)
}
