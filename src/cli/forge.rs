//! What GitHub Actions reads beside stdout: the summary of a step, and its outputs.

use std::fs;
use std::io::Write as _;

use super::error::unwritable;
use super::exit::Exit;
use super::output::Output;
use crate::review::{Reviewed, annotations, comment, outputs};

/// Prints the annotations, and appends to the files that GitHub Actions names, where it names any:
/// the comment, and the outputs.
pub(super) fn github(reviewed: &[Reviewed<'_>], exit: Exit, output: &Output) -> Exit {
    let exit = append("GITHUB_STEP_SUMMARY", &comment(reviewed), output).worse(exit);
    let exit = append("GITHUB_OUTPUT", &outputs(reviewed, exit.code()), output).worse(exit);
    output.raw(&annotations(reviewed), exit)
}

/// Appends to the file that a variable names, where it names one.
fn append(variable: &str, text: &str, output: &Output) -> Exit {
    let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()) else {
        return Exit::Done;
    };
    let file = fs::OpenOptions::new().append(true).create(true).open(path);
    match file.and_then(|mut file| file.write_all(text.as_bytes())) {
        Ok(()) => Exit::Done,
        Err(error) => {
            let error = unwritable(format!("the file in {variable}"), &error);
            output.error(&error);
            error.exit()
        }
    }
}
