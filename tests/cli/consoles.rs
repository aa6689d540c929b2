//! The console blocks of a Markdown page: what is typed, and what is printed then.
//!
//! A line that begins with `$ ` is typed; the lines below it are printed. A comment above a block,
//! `<!-- FILE: TEST -->`, names the test that produces it. `[...]` in place of lines says that some
//! were left out.

/// Begins a block.
const FENCE: &str = "```console";

/// What stands for lines that were left out.
pub(crate) const LEFT_OUT: &str = "[...]";

/// A console block.
pub(crate) struct Console {
    /// The number of its first line, counted from 1: that of the fence.
    pub(crate) line: usize,
    /// The file and the test that produce it.
    pub(crate) mark: Option<(String, String)>,
    pub(crate) typed: Vec<Typed>,
}

/// A line that is typed.
pub(crate) struct Typed {
    pub(crate) line: String,
    pub(crate) printed: Vec<String>,
}

/// Every console block of a page.
///
/// # Panics
/// If a block begins without a line that is typed, or has no end.
pub(crate) fn consoles(page: &str) -> Vec<Console> {
    let lines: Vec<&str> = page.lines().collect();
    let mut consoles = Vec::new();
    for (at, fence) in lines.iter().enumerate().filter(|(_, line)| line.trim() == FENCE) {
        assert_eq!(*fence, FENCE, "line {}: a block is not indented", at + 1);
        let body = lines[at + 1..].iter().take_while(|line| **line != "```").copied();
        let mut typed: Vec<Typed> = Vec::new();
        for text in body {
            match (text.strip_prefix("$ "), typed.last_mut()) {
                (Some(line), _) => {
                    typed.push(Typed { line: line.to_owned(), printed: Vec::new() });
                }
                (None, Some(last)) => last.printed.push(text.to_owned()),
                (None, None) => panic!("line {}: nothing is typed", at + 1),
            }
        }
        let mark = at.checked_sub(1).and_then(|above| mark(lines[above]));
        consoles.push(Console { line: at + 1, mark, typed });
    }
    consoles
}

fn mark(line: &str) -> Option<(String, String)> {
    let inside = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?;
    let (file, test) = inside.split_once(": ")?;
    Some((file.to_owned(), test.to_owned()))
}
