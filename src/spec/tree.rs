//! YAML as a small tree in which every value knows its place, read within tight limits.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{DuplicateKeyPolicy, Error, Location, MergeKeyPolicy, Spanned};

use super::complaint::Complaints;
use super::place::Place;
use super::shown;

/// The longest file, in bytes. 254 servers with every field given and a comment each take a third.
pub(super) const MAX_BYTES: usize = 256 * 1024;

/// The deepest nesting. A spec needs 5.
const MAX_DEPTH: usize = 32;

/// Values in a file. 254 servers with every field given are 5334.
const MAX_NODES: usize = 5_500;

/// Aliases, and anchors. Enough to share a zone or a port; far from a bomb.
const MAX_ALIASES: usize = 256;

/// Values that all aliases together may stand for.
const MAX_ALIASED: usize = 2_000;

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// What YAML can hold.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Whole(i128),
    Float,
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Value {
    /// What it is, as a message says it.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Whole(_) => "a number",
            Self::Float => "a number that is not whole or far too large",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// Reads a file into a tree; `None` where it is no YAML or breaks a limit, which is complained
/// about.
pub(super) fn read(text: &str, complaints: &mut Complaints) -> Option<Node> {
    if text.len() > MAX_BYTES {
        let what = format!("the file has {} bytes, more than {MAX_BYTES}", text.len());
        complaints.add(Place::START, what, "too long for a spec", "pass a zkplan spec");
        return None;
    }
    match serde_saphyr::from_str_with_options::<Raw>(text, options()) {
        Ok(raw) => Some(raw.placed(text)),
        Err(error) => {
            complain(text, &error, complaints);
            None
        }
    }
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            flow_nesting_limit: MAX_DEPTH,
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 3 * MAX_NODES,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_documents: 1,
            max_recorded_anchor_events: MAX_ALIASED,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_ALIASED,
            max_replay_stack_depth: 4,
            max_alias_expansions_per_anchor: MAX_ALIASES,
        },
        // The walk over the tree reports them, all at once and with both places.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        // `no` and `on` are texts, as in YAML 1.2 and in editors.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

/// A value with the parser's own location.
struct Raw(Spanned<RawValue>);

enum RawValue {
    Plain(Value),
    List(Vec<Raw>),
    Map(Vec<(Raw, Raw)>),
}

impl Raw {
    fn placed(self, text: &str) -> Node {
        let place = place_of(text, self.0.referenced);
        let value = match self.0.value {
            RawValue::Plain(value) => value,
            RawValue::List(items) => {
                Value::List(items.into_iter().map(|item| item.placed(text)).collect())
            }
            RawValue::Map(entries) => Value::Map(
                entries
                    .into_iter()
                    .map(|(key, item)| (key.placed(text), item.placed(text)))
                    .collect(),
            ),
        };
        Node { value, place }
    }
}

/// A place from the parser's location: never outside the text, never over the end of a line.
fn place_of(text: &str, location: Location) -> Place {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let (line, column) = (number(location.line()).max(1), number(location.column()).max(1));
    let span = location.span();
    // Where the scanner fails it knows the line and the column only.
    let start = match span.byte_offset().map(number) {
        Some(start) if start > 0 => shown::boundary_before(text, start),
        _ => offset_of(text, line, column),
    };
    let rest = &text[start..];
    let line_len = rest.find(['\n', '\r']).unwrap_or(rest.len());
    let len = shown::boundary_before(rest, span.byte_len().map_or(0, number).min(line_len));
    let len = rest[..len].trim_end().len();
    Place { start, len, line, column }
}

/// The byte at which a line and a column lie.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let mut before = 0;
    for (at, whole) in text.split_inclusive('\n').enumerate() {
        if at + 1 == line {
            let inside = whole.char_indices().nth(column - 1).map_or(whole.len(), |(byte, _)| byte);
            return before + inside;
        }
        before += whole.len();
    }
    text.len()
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = RawValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<RawValue, E> {
        Ok(RawValue::Plain(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<RawValue, E> {
        Ok(RawValue::Plain(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<RawValue, E> {
        Ok(RawValue::Plain(Value::Whole(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<RawValue, E> {
        Ok(RawValue::Plain(Value::Whole(value.into())))
    }

    fn visit_f64<E>(self, _: f64) -> Result<RawValue, E> {
        Ok(RawValue::Plain(Value::Float))
    }

    fn visit_str<E>(self, value: &str) -> Result<RawValue, E> {
        Ok(RawValue::Plain(Value::Text(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<RawValue, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
            within_limit(list.len())?;
        }
        Ok(RawValue::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<RawValue, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
            within_limit(map.len())?;
        }
        Ok(RawValue::Map(map))
    }
}

/// Holds what aliases stand for to the limit, too: the parser counts a value once.
fn within_limit<E: serde::de::Error>(count: usize) -> Result<(), E> {
    if count > MAX_NODES { Err(E::custom("too many values")) } else { Ok(()) }
}

/// Complains about a file that is no YAML or breaks a limit.
fn complain(text: &str, error: &Error, complaints: &mut Complaints) {
    let place = error.location().map_or(Place::START, |location| place_of(text, location));
    let (what, remedy) = words(error);
    complaints.add(place, what, "here", remedy);
}

/// What to say of an error of the parser, and how to mend it.
fn words(error: &Error) -> (String, &'static str) {
    const TOO_MUCH: &str = "a spec needs none of this; simplify it";
    let said = error.without_snippet().to_string();
    let said = said.split(" at line ").next().unwrap_or_default();
    match error.without_snippet() {
        Error::AliasError { error, .. } => words(error),
        Error::MultipleDocuments { .. }
        | Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => (
            "more than one document".to_owned(),
            "a file holds one spec: no `---` between two of them",
        ),
        Error::Budget { breach, .. } => {
            let what = match breach {
                BudgetBreach::Depth { .. } => format!("nested more than {MAX_DEPTH} deep"),
                BudgetBreach::Nodes { .. } => format!("more than {MAX_NODES} values"),
                BudgetBreach::Aliases { .. } | BudgetBreach::Anchors { .. } => {
                    format!("more than {MAX_ALIASES} anchors or aliases")
                }
                BudgetBreach::RecordedAnchorEvents { .. } => too_many_aliased(),
                _ => format!("beyond the limits: {said}"),
            };
            (what, TOO_MUCH)
        }
        Error::AliasReplayLimitExceeded { .. } | Error::AliasExpansionLimitExceeded { .. } => {
            (too_many_aliased(), TOO_MUCH)
        }
        Error::AliasReplayStackDepthExceeded { .. } => ("aliases of aliases".to_owned(), TOO_MUCH),
        Error::MergeKeyNotAllowed { .. } => {
            ("merge keys (`<<`) are not supported".to_owned(), "write every key")
        }
        Error::UnknownAnchor { .. } => (
            "an alias (`*`) without its anchor (`&`)".to_owned(),
            "put a text that begins with `*` in quotes",
        ),
        _ if said == "recursion limit exceeded" => {
            (format!("nested more than {MAX_DEPTH} deep"), TOO_MUCH)
        }
        _ if said.starts_with("unsupported tag") => (said.to_owned(), "remove the tag"),
        _ => (
            format!("not valid YAML: {said}"),
            "check the indentation, the quotes and the brackets here and just before",
        ),
    }
}

fn too_many_aliased() -> String {
    format!("aliases for more than {MAX_ALIASED} values")
}
