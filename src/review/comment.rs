//! The comment of a pull request.

use super::body::body;
use super::budget::LONGEST;
use super::escape::{marker, prose};
use super::{Reviewed, many};

/// The comment of what came of these files, in Markdown. The first line names the ensemble, so that
/// the next comment can take the place of this one.
pub fn comment(reviewed: &[Reviewed<'_>]) -> String {
    match reviewed {
        [one] => {
            let name = &one.name;
            let head = format!("{}\n### zkplan: {}\n\n", marker(name), prose(name));
            let body = body(one, LONGEST - head.len().min(LONGEST));
            head + &body
        }
        all => many::comment(all),
    }
}
