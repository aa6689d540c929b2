//! Text from a file, made harmless for a terminal.

/// The longest text that a message quotes, in characters.
const LONGEST_QUOTE: usize = 60;

/// Whether a character shows nothing of its own or changes how others show: controls, directional
/// marks, zero-width and unassigned characters, blanks other than the space.
pub(super) fn is_hidden(c: char) -> bool {
    // Fillers and the blank Braille pattern count as letters and symbols, but they are not visible.
    let blank =
        matches!(c, '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' | '\u{fffc}');
    !c.is_ascii_graphic() && c != ' ' && (blank || c.escape_debug().len() > 1)
}

/// A text as a message may quote it: hidden characters escaped, cut where it is long.
pub(super) fn quoted(text: &str) -> String {
    let mut shown = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == LONGEST_QUOTE {
            shown.push_str("...");
            break;
        }
        if is_hidden(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// A text of the same length in bytes, with the same lines, in which every hidden character became
/// question marks.
pub(super) fn masked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' | '\t' => shown.push(c),
            '\r' if rest.peek() == Some(&'\n') => shown.push(' '),
            _ if is_hidden(c) => shown.extend(std::iter::repeat_n('?', c.len_utf8())),
            _ => shown.push(c),
        }
    }
    shown
}

/// A text of the same length in bytes in which nothing is left of what stands behind a key that
/// sounds like a secret, unless it says where the secret comes from.
///
/// A file that is no YAML has no values, and its lines are shown all the same.
pub(super) fn without_secrets(text: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| {
            secret_of(line).map_or_else(
                || line.to_owned(),
                |at| {
                    let value = line[at..].trim_end();
                    let behind = &line[at + value.len()..];
                    format!("{}{}{behind}", &line[..at], "*".repeat(value.len()))
                },
            )
        })
        .collect()
}

/// Where in a line a secret begins.
fn secret_of(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    credentials_of(&lower).or_else(|| password_of(line, &lower))
}

/// Where credentials begin that are written as `zkCli.sh` takes them: all in one, behind `auth:`
/// or `digest:`.
fn credentials_of(lower: &str) -> Option<usize> {
    let behind = |key: &str| {
        let at = lower.find(key)? + key.len();
        let value = lower[at..].trim();
        let is_other = value.is_empty() || value.starts_with('#') || value.contains("passw");
        (!is_other).then_some(at + (lower.len() - at - lower[at..].trim_start().len()))
    };
    behind("auth:").or_else(|| behind("digest:"))
}

/// Where the value of a key begins that sounds like a secret.
fn password_of(line: &str, lower: &str) -> Option<usize> {
    let word = ["passw", "secret", "pwd"].iter().filter_map(|word| lower.find(word)).min()?;
    let colon = word + lower[word..].find([':', '='])?;
    let value = lower[colon + 1..].trim();
    let comes_from = |source: &str| {
        let rest = value.strip_prefix('{').and_then(|rest| rest.trim_start().strip_prefix(source));
        rest.is_some_and(|rest| {
            let one = rest.split_once('}').is_some_and(|(inside, _)| !inside.contains(','));
            rest.trim_start().starts_with(':') && one
        })
    };
    let harmless = value.is_empty() || value.starts_with('#');
    let start = colon + 1 + (line.len() - colon - 1 - line[colon + 1..].trim_start().len());
    (!harmless && !comes_from("env") && !comes_from("file")).then_some(start)
}

/// The last character boundary at or before a byte, at most the end.
pub(super) fn boundary_before(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The first character boundary at or after a byte, at most the end.
pub(super) fn boundary_after(text: &str, at: usize) -> usize {
    (at..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_what_a_terminal_would_act_on() {
        for c in ['\u{1b}', '\u{9b}', '\u{202e}', '\u{200b}', '\u{feff}', '\u{2028}', '\u{3164}'] {
            assert!(is_hidden(c), "{c:?}");
        }
        for c in ['a', '\'', '"', '\\', 'ü', '漢', ' '] {
            assert!(!is_hidden(c), "{c:?}");
        }
    }

    #[test]
    fn credentials_in_one_piece_are_left_out_too() {
        for line in [
            "auth: digest:super:hunter2",
            "  auth: { digest: \"super:hunter2\" }",
            "  digest: super:hunter2",
        ] {
            assert!(!without_secrets(line).contains("hunter2"), "{line}");
        }
        let fine = "  auth: { scheme: digest, user: super, password: { env: ZKPLAN_PASSWORD } }";
        assert_eq!(without_secrets(fine), fine);
    }

    #[test]
    fn masks_byte_for_byte() {
        let text = "a\u{1b}[31m\u{202e}b\r\nc\td\u{85}";
        let shown = masked(text);
        assert_eq!(shown, "a?[31m???b \nc\td??");
        assert_eq!(shown.len(), text.len());
    }

    #[test]
    fn secrets_are_blotted_out() {
        let shown = |line: &str| without_secrets(line);
        assert_eq!(shown("  password: hunter2\nuser: a\n"), "  password: *******\nuser: a\n");
        assert_eq!(shown("{ \"passwd\": 'ü', user: a }"), "{ \"passwd\": ***************");
        for kept in ["password: { env: NAME }", "password: {file: a/b}", "password:", "host: a"] {
            assert_eq!(shown(kept), kept);
        }
        assert!(!shown("password: { env: A, value: hunter2 }").contains("hunter2"));
    }

    #[test]
    fn boundaries_lie_inside() {
        let text = "aü";
        let found: Vec<_> =
            (0..5).map(|at| (boundary_before(text, at), boundary_after(text, at))).collect();
        assert_eq!(found, [(0, 0), (1, 1), (1, 3), (3, 3), (3, 3)]);
    }

    #[test]
    fn quotes_stay_short() {
        assert_eq!(quoted("zk\u{1b}c"), "zk\\u{1b}c");
        assert_eq!(quoted(&"x".repeat(100)).len(), LONGEST_QUOTE + 3);
    }
}
