//! The files of `zkplan joiner`, laid down on their server by their `install.sh`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::harness::Ensemble;
use crate::zkplan::Desk;

/// A desk with the token of the super user.
pub(crate) fn desk_with_token(ensemble: &Ensemble) -> Desk {
    let desk = Desk::accepting(ensemble);
    let token = desk.run_as_super(&["digest"]).exits(0).stdout;
    desk.write("super.token", &token);
    desk
}

/// What the script of a joiner does for a server of an ensemble: both directories are the harness's.
pub(crate) fn install(desk: &Desk, ensemble: &Ensemble, id: u8) -> Output {
    let data = ensemble.file(id, "data");
    let conf = data.parent().expect("it is in the server's own directory").to_owned();
    installed(&desk.path(&format!("joiners/{id}/install.sh")), [&conf, &data])
}

pub(crate) fn installed(script: &Path, to: [&PathBuf; 2]) -> Output {
    let output = Command::new("sh").arg(script).args(to).output();
    output.expect("there is a shell")
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// Installs the files of a joiner, which has to work, and starts it.
pub(crate) fn start(desk: &Desk, ensemble: &Ensemble, id: u8) {
    let output = install(desk, ensemble, id);
    assert!(output.status.success(), "{}", said(&output));
    ensemble.start_installed(id);
}
