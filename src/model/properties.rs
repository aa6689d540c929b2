//! `java.util.Properties` text, as ZooKeeper reads its configuration files and the data of
//! `/zookeeper/config` (`Properties.load`, `QuorumPeer.configFromString`).

use thiserror::Error;

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// The key.
    pub key: String,
    /// The value, with the blanks at its end, which `Properties` keeps.
    pub value: String,
    /// The line on which it begins, from 1.
    pub line: usize,
}

/// A `\u` without four hexadecimal digits after it. `Properties.load` throws, so no key of the text
/// is read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: malformed \\uxxxx encoding")]
pub struct MalformedEscape {
    /// The line, from 1.
    pub line: usize,
}

/// Every key and value of a text, in order, duplicates included.
///
/// # Errors
///
/// A malformed escape anywhere in the text.
pub fn properties(text: &str) -> Result<Vec<Property>, MalformedEscape> {
    let mut all = Vec::new();
    for (line, chars) in logical_lines(text) {
        let (key, value) = split(&chars);
        let read = |part| unescape(part).ok_or(MalformedEscape { line });
        all.push(Property { key: read(key)?, value: read(value)?, line });
    }
    Ok(all)
}

/// Bytes decoded as `Properties.load(InputStream)` does: ISO-8859-1, so every file can be decoded.
pub fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// A value without the blanks and control characters around it, as ZooKeeper uses most values
/// (`String.trim`).
pub fn trimmed(value: &str) -> &str {
    value.trim_matches(|c| c <= ' ')
}

/// Lines with their continuations joined, without comments and blank lines.
fn logical_lines(text: &str) -> Vec<(usize, Vec<char>)> {
    let mut whole: Vec<(usize, Vec<char>)> = Vec::new();
    let mut continues = false;
    // A line ends with `\n`, `\r` or both.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    for (at, natural) in text.split('\n').enumerate() {
        let rest = natural.trim_start_matches(is_blank);
        if !continues && (rest.is_empty() || rest.starts_with(['#', '!'])) {
            continue;
        }
        let slashes = rest.chars().rev().take_while(|c| *c == '\\').count();
        let more = slashes % 2 == 1;
        let kept = if more { &rest[..rest.len() - 1] } else { rest };
        match whole.last_mut() {
            Some((_, chars)) if continues => chars.extend(kept.chars()),
            _ => whole.push((at + 1, kept.chars().collect())),
        }
        continues = more;
    }
    whole.retain(|(_, chars)| !chars.is_empty());
    whole
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

/// Splits at the first unescaped `=`, `:` or blank.
fn split(line: &[char]) -> (&[char], &[char]) {
    let mut escaped = false;
    let end = line.iter().position(|c| {
        let ends = !escaped && (matches!(c, '=' | ':') || is_blank(*c));
        escaped = *c == '\\' && !escaped;
        ends
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let blanks = |from: &[char]| from.iter().take_while(|c| is_blank(**c)).count();
    let rest = &rest[blanks(rest)..];
    let rest = if let ['=' | ':', behind @ ..] = rest { behind } else { rest };
    (key, &rest[blanks(rest)..])
}

fn unescape(text: &[char]) -> Option<String> {
    let mut plain = String::new();
    let mut rest = text.iter().copied();
    while let Some(c) = rest.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match rest.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => {
                let digits: Vec<char> = rest.by_ref().take(4).collect();
                let code =
                    digits.iter().try_fold(0, |code, c| Some(code * 16 + c.to_digit(16)?))?;
                // No name that zkplan accepts contains half of a character beyond 16 bits.
                let unit = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                plain.push((digits.len() == 4).then_some(unit)?);
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(usize, String, String)> {
        properties(text)
            .unwrap()
            .into_iter()
            .map(|found| (found.line, found.key, found.value))
            .collect()
    }

    fn one(line: usize, key: &str, value: &str) -> (usize, String, String) {
        (line, key.to_owned(), value.to_owned())
    }

    #[test]
    fn reads_what_java_reads() {
        let text = "# comment \\\n  ! another\n\na=1\n b : 2 \nc 3\nd\ne\\=f=g\\:h\n\
                    server.1:zk1:2888:3888\nlong=one,\\\n   two\\\\\nu=\\u0041\\t\r\nlast=x\\";
        let wanted = [
            one(4, "a", "1"),
            one(5, "b", "2 "),
            one(6, "c", "3"),
            one(7, "d", ""),
            one(8, "e=f", "g:h"),
            one(9, "server.1", "zk1:2888:3888"),
            one(10, "long", "one,two\\"),
            one(12, "u", "A\t"),
            one(13, "last", "x"),
        ];
        assert_eq!(pairs(text), wanted);
    }

    #[test]
    fn a_comment_does_not_continue_but_a_blank_line_may_be_continued_into() {
        assert_eq!(pairs("a=1\\\n\nb=2"), [one(1, "a", "1"), one(3, "b", "2")]);
        assert_eq!(
            pairs("a=1\\\n# no comment\nb=2"),
            [one(1, "a", "1# no comment"), one(3, "b", "2")]
        );
    }

    #[test]
    fn a_malformed_escape_spoils_the_whole_text() {
        for text in ["a=1\nb=C:\\users", "a=1\nb=\\u00", "a=1\n\\u00g0=1"] {
            assert_eq!(properties(text), Err(MalformedEscape { line: 2 }), "{text}");
        }
        assert_eq!(pairs("#\\users\nb=\\\\users"), [one(2, "b", "\\users")]);
    }

    #[test]
    fn any_bytes_are_a_text() {
        assert_eq!(latin_1(b"# Gr\xf6\xdfe\nb=1"), "# Gr\u{f6}\u{df}e\nb=1");
    }
}
