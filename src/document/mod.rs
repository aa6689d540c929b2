//! Machine documents: one family, for pipelines and policies.
//!
//! Every document is one JSON object. `format` says what it is, like `zkplan/plan`, and
//! `formatVersion` in which version: a minor version adds keys, a major one may change any. Keys and
//! enumerated values are camelCase. Codes, numbers, server ids and places are data; what is for
//! people stands beside them as `text`. [`Document::schema`] has the shape, with an `$id`.
//!
//! This module has the head and the spelling that all share. What a document holds is in `report`; the
//! part of a plan that is read back is in `saved`.

mod canonical;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::{Map, Value, json};

pub use canonical::canonical;

/// Which document something is, in which version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// The name: `plan` of `zkplan/plan`, and of `zkplan schema plan`.
    pub name: &'static str,
    /// Rises where a reader of the version before could be misled.
    pub major: u32,
    /// Rises where keys are added.
    pub minor: u32,
}

impl Format {
    /// What the `format` key says.
    pub fn key(self) -> String {
        format!("zkplan/{}", self.name)
    }

    /// What the `formatVersion` key says.
    pub fn version(self) -> String {
        format!("{}.{}", self.major, self.minor)
    }

    /// The `$id` of its schema. A name, not an address: schemas are in the repository and in
    /// `zkplan schema`.
    pub fn schema_id(self) -> String {
        format!("urn:zkplan:schema:{}:{}", self.name, self.major)
    }
}

/// A machine document.
pub trait Document: Serialize + JsonSchema {
    /// Which one.
    const FORMAT: Format;

    /// The document, with its head.
    fn to_value(&self) -> Value
    where
        Self: Sized,
    {
        headed(Self::FORMAT, self)
    }

    /// The text of the document, of many lines, with one at its end.
    fn to_text(&self) -> String
    where
        Self: Sized,
    {
        canonical(&self.to_value(), true) + "\n"
    }

    /// The JSON Schema (draft 7) of the document.
    fn schema() -> Value
    where
        Self: Sized,
    {
        let mut schema = schema_of_part::<Self>(Self::FORMAT);
        let Some(shape) = schema.as_object_mut() else { unreachable!("a schema is an object") };
        let properties = shape.entry("properties").or_insert_with(|| json!({}));
        if let Some(properties) = properties.as_object_mut() {
            properties.extend(head_schema(Self::FORMAT));
        }
        let required = shape.entry("required").or_insert_with(|| json!([]));
        if let Some(required) = required.as_array_mut() {
            required.extend(head(Self::FORMAT).into_iter().map(|(key, _)| Value::from(key)));
            required.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
        }
        schema
    }
}

/// The JSON Schema (draft 7) of what several documents have in common: keys that they hold beside
/// their own. It asks for no head, for each document has that of its own format.
pub fn schema_of_part<Part: JsonSchema>(format: Format) -> Value {
    // The shape of what is written: a key that is always there is required.
    let settings = SchemaSettings::draft07().for_serialize();
    let settings = settings.with_transform(RecursiveTransform(in_one_line));
    let mut schema = settings.into_generator().into_root_schema_for::<Part>().to_value();
    let Some(shape) = schema.as_object_mut() else { unreachable!("a schema is an object") };
    shape.insert("$id".to_owned(), format.schema_id().into());
    shape.insert("title".to_owned(), format.key().into());
    schema
}

/// Content, an object, with the head of its format.
///
/// # Panics
///
/// Where the content is no object, or has keys that are no text: a mistake in its type.
pub fn headed(format: Format, content: &impl Serialize) -> Value {
    let content = serde_json::to_value(content).expect("plain data are JSON");
    let Value::Object(mut document) = content else { unreachable!("a document is an object") };
    document.extend(head(format));
    Value::Object(document)
}

fn head(format: Format) -> Map<String, Value> {
    let head = [("format", format.key()), ("formatVersion", format.version())];
    head.map(|(key, value)| (key.to_owned(), value.into())).into_iter().collect()
}

/// Doc comments break their lines where the source does.
fn in_one_line(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        let paragraphs: Vec<String> = text.split("\n\n").map(|p| p.replace('\n', " ")).collect();
        *text = paragraphs.join("\n\n");
    }
}

fn head_schema(format: Format) -> Map<String, Value> {
    let version = json!({
        "description": "`major.minor`: a minor version adds keys, a major one may change any.",
        "pattern": format!("^{}\\.[0-9]+$", format.major),
        "type": "string",
    });
    let kind = json!({ "const": format.key(), "description": "What the document is." });
    let head = [("format", kind), ("formatVersion", version)];
    head.map(|(key, value)| (key.to_owned(), value)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A document of this test.
    #[derive(Serialize, JsonSchema)]
    struct Example {
        /// A number.
        many: u32,
    }

    impl Document for Example {
        const FORMAT: Format = Format { name: "example", major: 2, minor: 1 };
    }

    #[test]
    fn a_document_fits_its_schema_and_another_major_version_does_not() {
        let validator = jsonschema::validator_for(&Example::schema()).expect("a schema");
        let document = Example { many: 3 }.to_value();
        assert_eq!(
            document,
            json!({ "format": "zkplan/example", "formatVersion": "2.1", "many": 3 })
        );
        assert!(validator.is_valid(&document));
        let mut newer = document.clone();
        newer["formatVersion"] = "3.0".into();
        assert!(!validator.is_valid(&newer));
        let mut other = document;
        other["format"] = "zkplan/plan".into();
        assert!(!validator.is_valid(&other));
        assert_eq!(Example::schema()["$id"], "urn:zkplan:schema:example:2");
    }
}
