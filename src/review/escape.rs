//! Text from specs and ensembles in Markdown and in HTML: shown as it is, never as markup.
//!
//! Everything is printable ASCII first, as on every screen, so that one value stays on one line.

use crate::render::escape;

/// Cuts a mention, an issue number or an address in two for what looks for them in the finished page.
const CUT: &str = "<!-- -->";

/// Text in a paragraph, a list or a cell of a table. No markup, no link, no mention.
pub(super) fn prose(text: &str) -> String {
    let text = escape(text);
    let text = text.trim();
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | '!' => out.extend(['\\', c]),
            '-' | '+' | '=' if at == 0 => out.extend(['\\', c]),
            '.' | ')' if at > 0 && text[..at].bytes().all(|b| b.is_ascii_digit()) => {
                out.extend(['\\', c]);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' | '#' => out.extend([&c.to_string(), CUT]),
            ':' if text[at..].starts_with("://") => out.extend([":", CUT]),
            '.' if text[..at].to_ascii_lowercase().ends_with("www") => out.extend([CUT, "."]),
            _ => out.push(c),
        }
    }
    out
}

/// A name or a command in a paragraph, a list or a cell of a table, to be copied. What cannot stand in
/// a code span everywhere is prose.
pub(super) fn code(text: &str) -> String {
    let shown = escape(text);
    if shown.is_empty() || shown.contains(['`', '|']) || shown.trim() != shown {
        prose(text)
    } else {
        format!("`{shown}`")
    }
}

/// Text in an HTML element.
pub(super) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in escape(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '@' | '#' => out.extend([&c.to_string(), CUT]),
            _ => out.push(c),
        }
    }
    out
}

/// Text in XML: in an element or in an attribute.
pub(super) fn xml(text: &str) -> String {
    let text = escape(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;")
}

/// The fence around these lines: longer than any run of backticks in them.
pub(super) fn fence(lines: &[String]) -> String {
    let runs = lines.iter().flat_map(|line| line.split(|c| c != '`').map(str::len));
    "`".repeat(runs.max().unwrap_or(0).max(2) + 1)
}

/// The first line of a comment, by which the next one finds it. The name is a label or a path.
pub(super) fn marker(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    let name: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    format!("<!-- zkplan {name} -->")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser, Tag};

    use super::*;

    /// What a reader sees of a cell, and whether it is markup.
    fn cell(source: &str) -> (String, bool) {
        let table = format!("| a | b |\n|---|---|\n| {source} | end |\n");
        let (mut text, mut is_markup, mut cells) = (String::new(), false, 0);
        for event in Parser::new_ext(&table, Options::ENABLE_TABLES | Options::ENABLE_GFM) {
            match event {
                Event::Start(Tag::TableCell) => cells += 1,
                Event::Text(part) | Event::Code(part) if cells == 3 => text.push_str(&part),
                Event::InlineHtml(part) if &*part == CUT => {}
                Event::Start(Tag::Table(_) | Tag::TableHead | Tag::TableRow) | Event::End(_) => {}
                Event::Text(part) if "ab end".contains(&*part) => {}
                _ => is_markup = true,
            }
        }
        (text, is_markup || cells != 4)
    }

    fn hostile() -> impl Strategy<Value = String> {
        let parts = prop_oneof![
            any::<String>(),
            "[-`|<>&\\[\\]()!*_~#@$:/.0-9a-w\\\\\n ]{0,12}",
            Just("</details>".to_owned()),
            Just("<!--".to_owned()),
            Just("https://evil.example".to_owned()),
        ];
        prop::collection::vec(parts, 0..4).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn nothing_from_outside_is_markup(text in hostile()) {
            for shown in [prose(&text), code(&text)] {
                let (read, is_markup) = cell(&shown);
                prop_assert!(!is_markup, "{shown}");
                let text = escape(&text);
                prop_assert_eq!(read.trim(), text.trim());
                // Behind these a forge looks for links, mentions and numbers, outside of code.
                let is_code = shown.starts_with('`');
                for link in ["://", "www.", "@", "#"] {
                    let mut cuts = shown.split(link).skip(1);
                    let is_cut = cuts.all(|behind| behind.starts_with(CUT)) && !link.contains(['/', '.']);
                    prop_assert!(is_code || is_cut || !shown.contains(link), "{shown}");
                }
            }
            let shown = html(&text);
            prop_assert!(!shown.replace(CUT, "").contains(['<', '>', '"']), "{shown}");
            prop_assert!(!marker(&text)[4..].replace(" -->", "").contains('>'));
        }

        #[test]
        fn a_fence_ends_where_it_is_to_end(lines in prop::collection::vec("[`~ a]{0,9}", 0..5)) {
            let fence = fence(&lines);
            let source = format!("{fence}text\n{}\n{fence}\n\nbehind\n", lines.join("\n"));
            let blocks = Parser::new(&source).filter(|e| matches!(e, Event::Start(_))).count();
            prop_assert_eq!(blocks, 2, "{}", source);
        }
    }
}
