//! Parts of pictures: rows, labels, shapes. Lengths are pixels of a picture in its natural size.

use super::markup::{Element, Markup, element};

/// A picture with a name and a description, for readers who do not see it.
pub(super) fn picture(
    id: &str,
    [width, height]: [usize; 2],
    [title, description]: [&str; 2],
    inside: impl Into<Markup>,
) -> Element {
    let [title_id, description_id] = ["title", "desc"].map(|part| format!("{id}-{part}"));
    element("svg")
        .with("xmlns", "http://www.w3.org/2000/svg")
        .with("viewBox", format!("0 0 {width} {height}"))
        .with("width", width)
        .with("height", height)
        .with("role", "img")
        .with("aria-labelledby", format!("{title_id} {description_id}"))
        .holding(element("title").with("id", title_id).holding(title))
        .holding(element("desc").with("id", description_id).holding(description))
        .holding(inside)
}

/// Text at a place; `anchor` is `start`, `middle` or `end`.
pub(super) fn label(class: &str, [x, y]: [usize; 2], anchor: &str, text: &str) -> Element {
    element("text").class(class).with("x", x).with("y", y).with("text-anchor", anchor).holding(text)
}

/// A rectangle with round corners.
pub(super) fn rect(class: &str, [x, y]: [usize; 2], [width, height]: [usize; 2]) -> Element {
    element("rect")
        .class(class)
        .with("x", x)
        .with("y", y)
        .with("width", width)
        .with("height", height)
        .with("rx", 4)
}

/// A circle.
pub(super) fn circle(class: &str, [x, y]: [usize; 2], radius: usize) -> Element {
    element("circle").class(class).with("cx", x).with("cy", y).with("r", radius)
}

/// A line along these commands of the SVG path language.
pub(super) fn path(class: &str, along: &str) -> Element {
    element("path").class(class).with("d", along)
}

/// The words that a mouse shows.
pub(super) fn hint(text: &str) -> Element {
    element("title").holding(text)
}

/// A name that fits: what is left out is said by two dots.
pub(super) fn short(name: &str, most: usize) -> String {
    let name = crate::render::escape(name);
    match name.get(..most.saturating_sub(2)) {
        Some(begin) if name.len() > most => format!("{begin}.."),
        _ => name,
    }
}

/// Text in lines of at most this many characters and at most this many lines; a longer word is cut.
pub(super) fn wrapped(text: &str, width: usize, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let word = short(word, width);
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => line.extend([" ", &word]),
            _ => lines.push(word),
        }
    }
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            *last = short(&format!("{last} and more"), width);
        }
    }
    lines
}
