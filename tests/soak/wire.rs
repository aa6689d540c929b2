//! A slow line that loses frames, in the place of the bridge: not every kernel has `netem`.
//!
//! Every machine's link is taken off the bridge, and each frame that leaves one is given to the
//! link it is for after a while, or to none. What the test itself asks and hears passes at once, so
//! that its clocks tell of the servers and not of the line.

use std::collections::{HashMap, VecDeque};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pnet_datalink::{Channel, Config, DataLinkReceiver, DataLinkSender};

use crate::chance::Chance;
use crate::harness::lock;
use crate::lab::Lab;
use crate::network;

/// The test's own end of the line.
const HUB: &str = "hub1";

/// What a link does not take over from its driver: a frame then is whole, no longer than a packet,
/// and has its own checksum.
const OFF: [&str; 8] = ["tx", "off", "gso", "off", "tso", "off", "gro", "off"];

/// More than any frame.
const FRAME: usize = 64 * 1024;

/// A reader looks so often whether the line is to end.
const LOOK: Duration = Duration::from_millis(100);

/// What a line does to a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// How long a frame takes, at least.
    pub(crate) delay: Duration,
    /// How much longer, at most.
    pub(crate) jitter: Duration,
    /// How many of a hundred are lost.
    pub(crate) loss: u64,
}

/// A line that is up until it is dropped. The bridge is not put back.
pub(crate) struct Wire {
    line: Arc<State>,
    threads: Vec<JoinHandle<()>>,
}

struct State {
    line: Line,
    links: Vec<Link>,
    /// Behind which link each address is.
    behind: Mutex<HashMap<Vec<u8>, usize>>,
    lost: AtomicU64,
    ends: AtomicBool,
}

/// What is on its way to one link, in the order in which it arrives.
#[derive(Default)]
struct Link {
    frames: Mutex<VecDeque<(Instant, Vec<u8>)>>,
    came: Condvar,
}

impl Wire {
    /// Puts the line between all machines of a lab.
    pub(crate) fn between(lab: &Lab, line: Line) -> Self {
        let ip = |words: &str| {
            network::run("ip", &words.split_whitespace().collect::<Vec<_>>(), "");
        };
        ip("addr flush dev hub");
        ip("link add hub0 type veth peer name hub1");
        ip("link set hub1 up");
        ip("link set hub0 up");
        ip("addr add 10.77.0.1/24 dev hub0");
        network::run("ethtool", &["-K", "hub0"].into_iter().chain(OFF).collect::<Vec<_>>(), "");
        for host in lab.everywhere() {
            ip(&format!("link set {} nomaster", host.link()));
            host.run("ethtool", &["-K", "eth0"].into_iter().chain(OFF).collect::<Vec<_>>());
        }
        let names = lab.everywhere().map(|host| host.link());
        let names: Vec<String> = [HUB.to_owned()].into_iter().chain(names).collect();
        let state = Arc::new(State {
            line,
            links: names.iter().map(|_| Link::default()).collect(),
            behind: Mutex::default(),
            lost: AtomicU64::new(0),
            ends: AtomicBool::new(false),
        });
        let mut threads = Vec::new();
        for (number, name) in names.iter().enumerate() {
            network::run("ethtool", &["-K", name].into_iter().chain(OFF).collect::<Vec<_>>(), "");
            let (sender, receiver) = open(name);
            let (one, other) = (Arc::clone(&state), Arc::clone(&state));
            threads.push(thread::spawn(move || one.carry(number, receiver)));
            threads.push(thread::spawn(move || other.deliver(number, sender)));
        }
        Self { line: state, threads }
    }

    /// How many frames were lost.
    pub(crate) fn lost(&self) -> u64 {
        self.line.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.line.ends.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            assert!(thread.join().is_ok() || thread::panicking(), "the line broke");
        }
    }
}

impl State {
    fn is_over(&self) -> bool {
        self.ends.load(Ordering::SeqCst)
    }

    /// Takes frames from a link until the line ends.
    fn carry(&self, from: usize, mut receiver: Box<dyn DataLinkReceiver>) {
        let mut chance = Chance::of(from as u64 + 1);
        while !self.is_over() {
            let frame = match receiver.next() {
                Ok(frame) if frame.len() >= 12 => frame,
                Ok(_) => continue,
                Err(why) if matches!(why.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
                    continue;
                }
                Err(why) => panic!("a link cannot be read: {why}"),
            };
            for to in self.links_of(frame, from) {
                self.send(from, to, frame, &mut chance);
            }
        }
    }

    /// Where a frame belongs: to every other link where its address is not known.
    fn links_of(&self, frame: &[u8], from: usize) -> Vec<usize> {
        let mut behind = lock(&self.behind);
        behind.insert(frame[6..12].to_vec(), from);
        match behind.get(&frame[..6]) {
            Some(to) => vec![*to],
            None => (0..self.links.len()).filter(|to| *to != from).collect(),
        }
    }

    fn send(&self, from: usize, to: usize, frame: &[u8], chance: &mut Chance) {
        let is_slow = from != 0 && to != 0;
        if is_slow && chance.below(100) < self.line.loss {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let percent = u32::try_from(chance.below(101)).expect("a small number");
        let jitter = self.line.jitter * percent / 100;
        let takes = self.line.delay + jitter;
        let link = &self.links[to];
        let mut frames = lock(&link.frames);
        let due = Instant::now() + if is_slow { takes } else { Duration::ZERO };
        let due = if is_slow { frames.back().map_or(due, |(last, _)| due.max(*last)) } else { due };
        frames.push_back((due, frame.to_vec()));
        link.came.notify_one();
    }

    /// Gives a link its frames when they are due, until the line ends.
    fn deliver(&self, to: usize, mut sender: Box<dyn DataLinkSender>) {
        let link = &self.links[to];
        while !self.is_over() {
            let frames = lock(&link.frames);
            let wait = match frames.front() {
                Some((due, _)) => due.saturating_duration_since(Instant::now()).min(LOOK),
                None => LOOK,
            };
            let (mut frames, _) = link.came.wait_timeout(frames, wait).expect("no thread panicked");
            let is_due = frames.front().is_some_and(|(due, _)| *due <= Instant::now());
            let Some((_, frame)) = is_due.then(|| frames.pop_front()).flatten() else { continue };
            drop(frames);
            // Without a machine behind the link any more, it is lost.
            if let Some(Err(_)) = sender.send_to(&frame, None) {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Both directions of a link.
fn open(name: &str) -> (Box<dyn DataLinkSender>, Box<dyn DataLinkReceiver>) {
    let links = pnet_datalink::interfaces();
    let link = links.iter().find(|link| link.name == name).expect("the link was just made");
    let config = Config { read_buffer_size: FRAME, read_timeout: Some(LOOK), ..Config::default() };
    match pnet_datalink::channel(link, config) {
        Ok(Channel::Ethernet(sender, receiver)) => (sender, receiver),
        Ok(_) => panic!("{name} is no Ethernet link"),
        Err(why) => panic!("{name} cannot be opened: {why}"),
    }
}
