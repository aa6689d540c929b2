//! `java.util.Properties` text, as ZooKeeper reads its configuration files (`Properties.load`).

/// A key with its last value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Property {
    /// The key.
    pub(super) key: String,
    /// The value, without the blanks around it, which ZooKeeper strips.
    pub(super) value: String,
    /// The line that it begins on, from 1.
    pub(super) line: usize,
}

/// Every key and value of a text, in order, duplicates included.
pub(super) fn read(text: &str) -> Vec<Property> {
    logical_lines(text)
        .into_iter()
        .map(|(line, chars)| {
            let (key, value) = split(&chars);
            Property { key: unescape(key), value: unescape(value).trim().to_owned(), line }
        })
        .collect()
}

/// Lines with their continuations put together, without comments and blank lines.
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

fn unescape(text: &[char]) -> String {
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
                let digits: String = rest.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                plain.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(usize, String, String)> {
        read(text).into_iter().map(|found| (found.line, found.key, found.value)).collect()
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
            one(5, "b", "2"),
            one(6, "c", "3"),
            one(7, "d", ""),
            one(8, "e=f", "g:h"),
            one(9, "server.1", "zk1:2888:3888"),
            one(10, "long", "one,two\\"),
            one(12, "u", "A"),
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
}
