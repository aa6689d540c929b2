//! A `zoo.cfg` that another server gets: what it takes over, and what it does not.

use super::edit::{Edit, ZooCfg};
use crate::model::{MalformedEscape, properties, trimmed};

/// The last value of a key, which counts.
///
/// # Errors
///
/// A malformed escape, with which no server reads the file.
pub fn value_in(text: &str, key: &str) -> Result<Option<String>, MalformedEscape> {
    Ok(ZooCfg::read(text)?.value(key).map(str::to_owned))
}

/// The same edit without the keys of that kind, wherever they stand.
///
/// # Errors
///
/// A malformed escape, with which no server reads the file.
pub fn without_keys(edit: Edit, is_it: impl Fn(&str) -> bool) -> Result<Edit, MalformedEscape> {
    let mut file = ZooCfg::read(&edit.after)?;
    let of_kind = file.properties.iter().filter(|property| is_it(trimmed(&property.key)));
    let lines: Vec<usize> = of_kind.map(|property| property.line - 1).collect();
    for from in lines.into_iter().rev() {
        file.remove(from)?;
    }
    Ok(Edit { after: file.text, ..edit })
}

/// The same edit, in which each of these keys stands once, on a line of its own that is `key=value`, as
/// a script can find it.
///
/// # Errors
///
/// A malformed escape, with which no server reads the file.
pub fn with_plain_lines(edit: Edit, keys: &[(&str, String)]) -> Result<Edit, MalformedEscape> {
    let mut file = ZooCfg::read(&edit.after)?;
    for (key, value) in keys {
        let of_key = file.properties.iter().filter(|property| trimmed(&property.key) == *key);
        let mut earlier: Vec<usize> = of_key.map(|property| property.line - 1).collect();
        earlier.pop();
        for from in earlier.into_iter().rev() {
            file.remove(from)?;
        }
        file.set(key, value)?;
    }
    Ok(Edit { after: file.text, ..edit })
}

impl ZooCfg {
    /// Reads a text.
    pub(super) fn read(text: &str) -> Result<Self, MalformedEscape> {
        Ok(Self { text: text.to_owned(), properties: properties(text)? })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SuperUser, edit};
    use super::*;
    use crate::model::WantedSettings;

    fn of(text: &str) -> Edit {
        edit(text, &WantedSettings::default(), SuperUser::OtherScheme).expect("a file")
    }

    #[test]
    fn a_key_goes_with_all_its_lines_and_nothing_else_does() {
        let text = "# ours\nserver.1=a:1:2\ntickTime=2000\nserver.2 = \\\n  b:1:2\ndataDir=/d\nserver.3:c:1:2";
        let edit = without_keys(of(text), |key| key.starts_with("server.")).expect("a file");
        assert_eq!(edit.after, "# ours\ntickTime=2000\ndataDir=/d\n");
        assert_eq!(edit.before, text);
    }

    #[test]
    fn a_key_stands_once_on_a_plain_line() {
        let text = "dataDir=/old\ntickTime=2000\n dataDir : \\\n /d\n";
        let keys = [("dataDir", "/d".to_owned()), ("dynamicConfigFile", "/c/z".to_owned())];
        let edit = with_plain_lines(of(text), &keys).expect("a file");
        assert_eq!(edit.after, "tickTime=2000\ndataDir=/d\ndynamicConfigFile=/c/z\n");
        assert_eq!(value_in(&edit.after, "dataDir"), Ok(Some("/d".to_owned())));
    }
}
