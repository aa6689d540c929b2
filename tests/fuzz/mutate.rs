//! Mutations of text, and of JSON as a tree, by a seeded generator.

use serde_json::Value;

/// Words that parsers trip over.
const WORDS: &[&str] = &[
    "0",
    "-1",
    "1",
    "+1",
    "254",
    "255",
    "256",
    "65535",
    "65536",
    "2147483648",
    "4294967295",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "1e999",
    "0x7fffffffffffffff",
    "ffffffffffffffff",
    "00",
    "",
    " ",
    "\t",
    "\r",
    "\n",
    "\0",
    "\u{1b}[2J",
    "\u{9b}31m",
    "\u{202e}",
    "\u{feff}",
    "é",
    "\u{1f600}",
    "::",
    "::1",
    "[::1]",
    "[",
    "]",
    "0.0.0.0",
    "127.0.0.1",
    "localhost",
    "::ffff:10.0.0.1",
    ":",
    ";",
    "|",
    "=",
    ",",
    "{",
    "}",
    "\"",
    "\\",
    "#",
    "&a",
    "*a",
    "<<: *a",
    "!!str",
    "- ",
    "---",
    "~",
    "null",
    "true",
    "participant",
    "observer",
    "leader",
    "standalone",
    "version=",
    "server.1=",
    "server.256=a:1:2",
    "group.1=1:2:3",
    "weight.1=9223372036854775807",
    "membership:\n",
    "auto",
    "strict",
    "blank",
    "write",
    "manual",
    "drained",
    "9999999999h",
    "sideBySide",
    "inOrder",
    "leaderLast",
    "join",
    "leave",
    "unlist",
    "promote",
    "demote",
    "prove",
    "askToStop",
];

/// The longest input that is made.
const MAX_LEN: usize = 64 * 1024;

/// A seeded generator (xorshift64*).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    /// A number below `end`; 0 where there is none.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % end).unwrap_or(0)
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// One of the seeds, changed in one to eight places; more often in few.
    pub(crate) fn mutated(&mut self, seeds: &[String]) -> String {
        let mut text = self.pick(seeds).clone();
        let most = 1 + self.below(8);
        let changes = 1 + self.below(most);
        if self.below(3) > 0
            && let Ok(mut tree) = serde_json::from_str::<Value>(&text)
        {
            for _ in 0..changes {
                self.change_tree(&mut tree);
            }
            return tree.to_string();
        }
        for _ in 0..changes {
            text = self.changed(&text, seeds);
        }
        text
    }

    /// Changes one value of a tree: another in its place, or a list or map with other items.
    fn change_tree(&mut self, tree: &mut Value) {
        let known = nodes(tree);
        let other = known.get(self.below(known.len())).cloned().unwrap_or_default();
        let target = self.below(known.len());
        let word = *self.pick(WORDS);
        let number = word.parse::<i64>().map_or(Value::Null, Value::from);
        let (what, one, two) = (self.below(6), self.next(), self.next());
        let place = |random: u64, len: usize| usize::try_from(random).unwrap_or(0) % len.max(1);
        let Some(node) = nth(tree, &mut { target }) else { return };
        match (what, node) {
            (0, Value::Array(items)) if !items.is_empty() => {
                let (from, to) = (place(one, items.len()), place(two, items.len()));
                items.swap(from, to);
            }
            (1, Value::Array(items)) if !items.is_empty() => {
                let (from, to) = (place(one, items.len()), place(two, items.len()));
                let item = items[from].clone();
                items.insert(to, item);
            }
            (0..=2, Value::Array(items)) if !items.is_empty() => {
                drop(items.remove(place(one, items.len())));
            }
            (0, Value::Object(map)) => {
                let key = map.keys().nth(place(one, map.len())).cloned().unwrap_or_default();
                drop(map.remove(&key));
            }
            (0 | 1, Value::String(text)) => word.clone_into(text),
            (2, Value::String(text)) => {
                let changed = self.changed(text, &[word.to_owned()]);
                *text = changed;
            }
            (3, node) => *node = number,
            (_, node) => *node = other,
        }
    }

    fn changed(&mut self, text: &str, seeds: &[String]) -> String {
        let changed = match self.below(9) {
            0 => self.with_other_byte(text),
            1 => self.with_word(text, 0),
            2 | 3 => self.with_word_for_token(text),
            4 => {
                let range = self.range(text);
                format!("{}{}", &text[..range.0], &text[range.1..])
            }
            5 => {
                let (from, to) = self.range(text);
                let at = self.place(text);
                format!("{}{}{}", &text[..at], &text[from..to], &text[at..])
            }
            6 => self.with_lines(text),
            7 => {
                let other = self.pick(seeds).clone();
                let ((from, to), at) = (self.range(&other), self.place(text));
                format!("{}{}{}", &text[..at], &other[from..to], &text[at..])
            }
            _ => {
                let other = self.pick(seeds).clone();
                let (at, from) = (self.place(text), self.place(&other));
                format!("{}{}", &text[..at], &other[from..])
            }
        };
        if changed.len() > MAX_LEN { text.to_owned() } else { changed }
    }

    /// A place between two characters.
    fn place(&mut self, text: &str) -> usize {
        let mut at = self.below(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    /// A short range, now and then a long one.
    fn range(&mut self, text: &str) -> (usize, usize) {
        let from = self.place(text);
        let rest = text.len() - from;
        let most = if self.below(8) == 0 { rest } else { rest.min(40) };
        let mut to = from + self.below(most + 1);
        while !text.is_char_boundary(to) {
            to -= 1;
        }
        (from, to.max(from))
    }

    fn with_other_byte(&mut self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        let at = self.below(bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << self.below(8);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn with_word(&mut self, text: &str, replaced: usize) -> String {
        let at = self.place(text);
        let word = *self.pick(WORDS);
        let mut end = (at + replaced).min(text.len());
        while !text.is_char_boundary(end) {
            end += 1;
        }
        format!("{}{word}{}", &text[..at], &text[end..])
    }

    /// A word in place of a run of letters and digits.
    fn with_word_for_token(&mut self, text: &str) -> String {
        let at = self.place(text);
        let part = |c: char| c.is_ascii_alphanumeric();
        let from = text[..at]
            .rfind(|c| !part(c))
            .map_or(0, |last| last + text[last..].chars().next().map_or(1, char::len_utf8));
        let to = text[at..].find(|c| !part(c)).map_or(text.len(), |len| at + len);
        let word = *self.pick(WORDS);
        format!("{}{word}{}", &text[..from], &text[to..])
    }

    /// A line doubled, dropped or swapped with another.
    fn with_lines(&mut self, text: &str) -> String {
        let mut lines: Vec<&str> = text.lines().collect();
        if lines.is_empty() {
            return text.to_owned();
        }
        let (one, other) = (self.below(lines.len()), self.below(lines.len()));
        match self.below(3) {
            0 => lines.insert(other, lines[one]),
            1 => drop(lines.remove(one)),
            _ => lines.swap(one, other),
        }
        lines.join("\n")
    }
}

/// Every value of a tree, itself first.
fn nodes(tree: &Value) -> Vec<Value> {
    let mut all = vec![tree.clone()];
    match tree {
        Value::Array(items) => all.extend(items.iter().flat_map(nodes)),
        Value::Object(map) => all.extend(map.values().flat_map(nodes)),
        _ => {}
    }
    all
}

/// The value of a tree with that number, in the order of [`nodes`].
fn nth<'a>(tree: &'a mut Value, left: &mut usize) -> Option<&'a mut Value> {
    if *left == 0 {
        return Some(tree);
    }
    *left -= 1;
    match tree {
        Value::Array(items) => items.iter_mut().find_map(|item| nth(item, left)),
        Value::Object(map) => map.values_mut().find_map(|item| nth(item, left)),
        _ => None,
    }
}
