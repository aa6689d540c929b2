//! Namespaces of our own.
//!
//! A test runs itself again behind `unshare`, in a network and a mount namespace that no other
//! process has. Bridges, links, named namespaces, disks and files are made in there, below a `/run`
//! that is memory: they end with the last process in it, however that ends, and two runs at a time
//! cannot meet.

use std::env;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::harness::{Process, wait_until};
use crate::network;

/// Set where the test already runs in its own namespaces.
const INSIDE: &str = "ZKPLAN_SOAK_INSIDE";

/// Below it everything lies.
pub(crate) const GROUND: &str = "/run";

/// Runs a test in namespaces of its own.
///
/// # Panics
/// When they cannot be made: a soak that did not run must not look like one that passed. When the
/// test fails, or takes longer than `limit`.
pub(crate) fn inside(limit: Duration, story: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        furnish();
        return story();
    }
    let mut flags = vec!["--net", "--mount"];
    if !rustix::process::getuid().is_root() {
        flags.extend(["--user", "--map-root-user"]);
    }
    let tried = Command::new("unshare").args(&flags).args(["--", "true"]).output();
    let tried = tried.expect("`unshare` is there: apt-get install util-linux");
    assert!(
        tried.status.success(),
        "the soak runs servers in network namespaces of its own, and these cannot be made here: {}\
         Run it as root, in a container with the capability SYS_ADMIN.",
        String::from_utf8_lossy(&tried.stderr)
    );
    let name = thread::current().name().expect("a test has a name").to_owned();
    let program = env::current_exe().expect("a running program has a file");
    let mut again = Process::spawn("unshare", |command| {
        command.args(&flags).arg("--").arg(program).env(INSIDE, "1");
        // `ip` and `nft` lie where only root looks.
        command.env("PATH", env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin");
        command.args([&name, "--exact", "--nocapture", "--test-threads=1"]);
    });
    let status = wait_until(format!("the end of {name}"), limit, || again.ended());
    assert!(status.success(), "{name} failed in its namespaces ({status}); see above");
}

/// Makes the empty namespaces fit to live in.
fn furnish() {
    for (program, package) in [("ip", "iproute2"), ("nft", "nftables"), ("nsenter", "util-linux")] {
        let found = Command::new(program).arg("-V").output();
        assert!(found.is_ok(), "the soak needs `{program}`: apt-get install {package}");
    }
    network::run("mount", &["-t", "tmpfs", "-o", "mode=755", "none", GROUND], "");
    network::hub();
}

/// Debian's `faketime`, which changes what a process takes for the time.
pub(crate) fn faketime() -> String {
    let arch = env::consts::ARCH;
    let paths = [
        format!("/usr/lib/{arch}-linux-gnu/faketime/libfaketimeMT.so.1"),
        "/usr/lib/faketime/libfaketimeMT.so.1".to_owned(),
    ];
    let found = paths.into_iter().find(|path| Path::new(path).exists());
    found.expect("the soak needs libfaketime: apt-get install faketime")
}
