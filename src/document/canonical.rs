//! JSON with one spelling for each value, in printable ASCII.

use std::fmt::Write as _;

use serde_json::Value;

/// JSON in which every character outside printable ASCII is escaped as `\uXXXX`, with surrogate
/// pairs where it takes two, and in which the keys of every object are sorted.
///
/// With `pretty`, one value a line, indented by two spaces, the lines parted by `\n`.
pub fn canonical(value: &Value, pretty: bool) -> String {
    let mut out = String::new();
    write_value(&mut out, value, pretty.then_some(0));
    out
}

fn write_value(out: &mut String, value: &Value, indent: Option<usize>) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            write_items(out, ['[', ']'], items, indent, |out, item, indent| {
                write_value(out, item, indent);
            });
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            write_items(out, ['{', '}'], entries, indent, |out, (key, item), indent| {
                write_string(out, key);
                out.push_str(if indent.is_some() { ": " } else { ":" });
                write_value(out, item, indent);
            });
        }
    }
}

fn write_items<T>(
    out: &mut String,
    [open, close]: [char; 2],
    items: impl IntoIterator<Item = T>,
    indent: Option<usize>,
    mut write: impl FnMut(&mut String, T, Option<usize>),
) {
    out.push(open);
    let inner = indent.map(|depth| depth + 1);
    let mut any = false;
    for item in items {
        if any {
            out.push(',');
        }
        any = true;
        write_break(out, inner);
        write(out, item, inner);
    }
    if any {
        write_break(out, indent);
    }
    out.push(close);
}

fn write_break(out: &mut String, indent: Option<usize>) {
    if let Some(depth) = indent {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    }
}

fn write_string(out: &mut String, text: &str) {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if text.bytes().all(is_plain) {
        out.extend(["\"", text, "\""]);
        return;
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn reads_back_as_the_same_and_is_printable_ascii(value in values(), pretty: bool) {
            let text = canonical(&value, pretty);
            prop_assert!(text.chars().all(|c| c == '\n' && pretty || matches!(c, ' '..='~')));
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }

    #[test]
    fn keys_are_sorted_and_surrogates_paired() {
        let value = json!({ "b": ["\u{1f600}", "\u{7f}"], "a": {}, "c": [] });
        assert_eq!(canonical(&value, false), r#"{"a":{},"b":["\ud83d\ude00","\u007f"],"c":[]}"#);
        insta::assert_snapshot!(canonical(&value, true), @r#"
        {
          "a": {},
          "b": [
            "\ud83d\ude00",
            "\u007f"
          ],
          "c": []
        }
        "#);
    }
}
