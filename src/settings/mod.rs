//! How servers are brought to run with the settings that a spec wants: the edit of each `zoo.cfg`,
//! and the order of the restarts.
//!
//! In: the text of a `zoo.cfg` that the operator gave, and the wanted settings. Out: the text that is
//! needed, as data for a diff. Nothing is written: zkplan edits no file on a server. What servers show
//! of their settings is what `observe` sees.

mod edit;
mod edits;
mod restart_order;
mod rewrite;

pub use edit::{Edit, EditNote, SUPER_DIGEST, SuperUser, edit, with_keys, without_secrets};
pub use edits::{Edits, FileEdit, needed_for_changes};
pub use restart_order::RestartOrder;
pub use rewrite::{value_in, with_plain_lines, without_keys};
