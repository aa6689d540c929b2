//! A bridge, and hosts on it: network namespaces whose links can be cut in one direction, or lose
//! packets.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

/// What a host drops, and how much it has dropped.
const RULES: &str = "\
table inet soak {
  set cut { type ipv4_addr; }
  counter dropped { }
  chain cuts { type filter hook input priority 0; ip saddr @cut counter name dropped drop; }
  chain losses { type filter hook input priority 1; }
  chain ports { type filter hook input priority 2; }
}
";

/// Runs a command to its end, with a text for its input.
///
/// # Panics
/// When it fails, with what it says.
pub(crate) fn run(program: &str, words: &[&str], input: &str) -> String {
    let spawned = Command::new(program)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.unwrap_or_else(|why| panic!("`{program}` does not run: {why}"));
    let mut stdin = child.stdin.take().expect("it is piped");
    // It may end without reading all of it; then its status tells.
    stdin.write_all(input.as_bytes()).ok();
    drop(stdin);
    let output = child.wait_with_output().expect("our own child can be waited for");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {words:?} failed: {said}{input}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The bridge, on which the test itself has an address.
pub(crate) fn hub() {
    ip("link set lo up");
    ip("link add hub type bridge");
    ip("addr add 10.77.0.1/24 dev hub");
    ip("link set hub up");
}

fn ip(words: &str) {
    run("ip", &words.split_whitespace().collect::<Vec<_>>(), "");
}

/// A network namespace on the bridge, taken away when dropped.
pub(crate) struct Host {
    name: String,
    pub(crate) address: Ipv4Addr,
}

impl Host {
    /// The last byte of its address makes it another one than all others.
    pub(crate) fn new(name: &str, last: u8) -> Self {
        let host = Self {
            name: format!("{name}-{}", std::process::id()),
            address: [10, 77, 0, last].into(),
        };
        let (name, address) = (&host.name, host.address);
        ip(&format!("netns add {name}"));
        ip(&format!("link add v{last} type veth peer name eth0 netns {name}"));
        ip(&format!("link set v{last} master hub up"));
        ip(&format!("-n {name} link set lo up"));
        ip(&format!("-n {name} addr add {address}/24 dev eth0"));
        ip(&format!("-n {name} link set eth0 up"));
        host.nft(RULES);
        host
    }

    /// The end of its link that is not in its namespace.
    pub(crate) fn link(&self) -> String {
        let [.., last] = self.address.octets();
        format!("v{last}")
    }

    /// What a command is put behind to run here.
    pub(crate) fn prefix(&self) -> Vec<String> {
        vec!["nsenter".to_owned(), format!("--net=/run/netns/{}", self.name), "--".to_owned()]
    }

    /// Nothing that these send arrives here any more.
    pub(crate) fn cut_from(&self, others: impl IntoIterator<Item = Ipv4Addr>) {
        let others: Vec<String> = others.into_iter().map(|other| other.to_string()).collect();
        if !others.is_empty() {
            self.nft(&format!("add element inet soak cut {{ {} }}", others.join(", ")));
        }
    }

    /// Nothing that this one sends to a port arrives here any more. Connections that go out from here work.
    pub(crate) fn close_port(&self, port: u16, other: Ipv4Addr) {
        let rule = format!("ip saddr {other} tcp dport {port} counter name dropped drop");
        self.nft(&format!("add rule inet soak ports {rule}"));
    }

    /// This percentage of packets does not arrive here.
    pub(crate) fn lose(&self, percent: u32) {
        let rule = format!("numgen random mod 100 < {percent} counter name dropped drop");
        self.nft(&format!("add rule inet soak losses iifname eth0 {rule}"));
    }

    /// Everything arrives again.
    pub(crate) fn heal(&self) {
        self.nft(
            "flush set inet soak cut\nflush chain inet soak losses\nflush chain inet soak ports\n",
        );
    }

    /// How many packets were dropped here since it was made.
    pub(crate) fn dropped(&self) -> u64 {
        let counter = self.nft("list counter inet soak dropped");
        let packets = counter.split("packets ").nth(1).and_then(|rest| rest.split(' ').next());
        packets.and_then(|packets| packets.parse().ok()).expect("nft lists a counter")
    }

    fn nft(&self, rules: &str) -> String {
        self.run_with("nft", &["-f", "-"], &format!("{rules}\n"))
    }

    /// Runs a command here to its end.
    pub(crate) fn run(&self, program: &str, words: &[&str]) -> String {
        self.run_with(program, words, "")
    }

    fn run_with(&self, program: &str, words: &[&str], input: &str) -> String {
        let prefix = self.prefix();
        let all: Vec<&str> = prefix[1..]
            .iter()
            .map(String::as_str)
            .chain([program])
            .chain(words.iter().copied())
            .collect();
        run(&prefix[0], &all, input)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // The link first, for a namespace keeps it for a while. What is left ends with the namespace
        // that all of this lies in.
        Command::new("ip").args(["link", "del", &self.link()]).output().ok();
        Command::new("ip").args(["netns", "del", &self.name]).output().ok();
    }
}
