//! Elements of a page. Text becomes markup in [`Markup::text`] and in attributes alone, and is
//! escaped there, so that nothing from outside can be an element.

use std::fmt::Display;

use crate::review::escape::xml;

/// Well-formed markup: what it opens it closes, as a reader of HTML and one of XML see it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Markup(String);

/// Elements that hold nothing and are closed by themselves.
const VOID: [&str; 2] = ["meta", "br"];

/// Elements in a line of text, behind which no line ends.
const INLINE: [&str; 14] = [
    "a", "b", "br", "code", "del", "ins", "small", "span", "strong", "text", "tspan", "td", "th",
    "pre",
];

impl Markup {
    /// Text as it is.
    pub(super) fn text(text: &str) -> Self {
        Self(xml(text))
    }

    /// Text that keeps its lines.
    pub(super) fn lines(text: &str) -> Self {
        let lines: Vec<String> = text.lines().map(xml).collect();
        Self(lines.join("\n"))
    }

    /// The end of a line in text that keeps its lines.
    pub(super) fn line_end() -> Self {
        Self("\n".to_owned())
    }

    /// What zkplan itself wrote: a style sheet. It has no `<` and no `&`.
    pub(super) fn of_style(sheet: &'static str) -> Self {
        Self(sheet.to_owned())
    }

    /// Appends.
    pub(super) fn push(&mut self, part: impl Into<Self>) {
        self.0.push_str(&part.into().0);
    }

    /// A whole page.
    pub(super) fn into_page(self) -> String {
        format!("<!DOCTYPE html>\n{}", self.0)
    }
}

impl From<&str> for Markup {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Markup {
    fn from(text: String) -> Self {
        Self::text(&text)
    }
}

impl<T: Into<Self>> FromIterator<T> for Markup {
    fn from_iter<I: IntoIterator<Item = T>>(parts: I) -> Self {
        let mut all = Self::default();
        for part in parts {
            all.push(part);
        }
        all
    }
}

/// An element under construction.
#[derive(Debug, Clone)]
pub(super) struct Element {
    name: &'static str,
    attributes: String,
    inside: Markup,
}

/// An element of this name.
pub(super) fn element(name: &'static str) -> Element {
    Element { name, attributes: String::new(), inside: Markup::default() }
}

impl Element {
    /// The same with an attribute.
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: impl Display) -> Self {
        self.attributes.extend([" ", name, "=\"", &xml(&value.to_string()), "\""]);
        self
    }

    /// The same in a class of the style sheet.
    #[must_use]
    pub(super) fn class(self, class: &str) -> Self {
        self.with("class", class)
    }

    /// The same with something more in it.
    #[must_use]
    pub(super) fn holding(mut self, part: impl Into<Markup>) -> Self {
        self.inside.push(part);
        self
    }

    /// The same with all of these in it.
    #[must_use]
    pub(super) fn holding_all<T: Into<Markup>>(self, parts: impl IntoIterator<Item = T>) -> Self {
        self.holding(parts.into_iter().collect::<Markup>())
    }
}

impl From<Element> for Markup {
    fn from(element: Element) -> Self {
        let Element { name, attributes, inside } = element;
        let end = if INLINE.contains(&name) { "" } else { "\n" };
        Self(if VOID.contains(&name) {
            format!("<{name}{attributes} />{end}")
        } else {
            format!("<{name}{attributes}>{}</{name}>{end}", inside.0)
        })
    }
}

/// A table that a reader of screens can walk: a caption, heads of columns, heads of rows. In a frame of
/// its own, so that a wide one moves sideways there and the page does not.
pub(super) fn table(caption: &str, heads: &[(&str, &str)], rows: impl Into<Markup>) -> Markup {
    let head = |(class, title): &(&str, &str)| {
        let cell = element("th").with("scope", "col").holding(*title);
        if class.is_empty() { cell } else { cell.class(class) }
    };
    let heads = element("tr").holding_all(heads.iter().map(head));
    let table = element("table")
        .holding(element("caption").class("unseen").holding(caption))
        .holding(element("thead").holding(heads))
        .holding(element("tbody").holding(rows));
    frame(caption, table)
}

/// What may be wider than the page, in a frame that moves sideways, with the keyboard too.
pub(super) fn frame(name: &str, wide: impl Into<Markup>) -> Markup {
    element("div")
        .class("frame")
        .with("role", "region")
        .with("tabindex", "0")
        .with("aria-label", name)
        .holding(wide)
        .into()
}

/// A cell of a table.
pub(super) fn cell(class: &str, inside: impl Into<Markup>) -> Element {
    let cell = element("td").holding(inside);
    if class.is_empty() { cell } else { cell.class(class) }
}

/// A name or a command, to be copied.
pub(super) fn code(text: &str) -> Element {
    element("code").holding(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quick_xml::Reader;
    use quick_xml::events::Event;

    use super::*;
    use crate::render::escape;

    proptest! {
        #[test]
        fn text_stays_text_wherever_it_stands(text in "[a-z<>&\"' /=;#!-]{0,24}|\\PC{0,8}") {
            let page = element("p").with("title", &text).holding(text.as_str());
            let page = Markup::from(page).into_page();
            let mut reader = Reader::from_str(&page);
            let (mut names, mut said) = (Vec::new(), String::new());
            loop {
                match reader.read_event().expect("XML") {
                    Event::Start(tag) => {
                        let title = tag.attributes().next().expect("one").expect("an attribute");
                        let title = title.unescape_value().expect("text");
                        prop_assert_eq!(&*title, escape(&text));
                        names.push(tag.name().as_ref().to_vec());
                    }
                    Event::Text(part) => said.push_str(&part.decode().expect("text")),
                    Event::GeneralRef(name) => {
                        let name = String::from_utf8(name.to_vec()).expect("a name");
                        let c = quick_xml::escape::resolve_predefined_entity(&name);
                        said.push_str(c.expect("an entity that all know"));
                    }
                    Event::Eof => break,
                    _ => {}
                }
            }
            prop_assert_eq!(names, vec![b"p".to_vec()]);
            prop_assert_eq!(said.trim_matches('\n'), escape(&text));
        }
    }
}
