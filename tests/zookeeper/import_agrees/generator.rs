//! Files from a seed: a sound one, and up to three things done to it that people do.

use std::fmt::Write as _;

/// A file with the dynamic file that it names.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) zoo_cfg: String,
    pub(super) dynamic: Option<String>,
}

/// Chance from a seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(count.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// What can stand in the settings beside what every file has.
const SETTINGS: &[&str] = &[
    "maxClientCnxns=0",
    "maxClientCnxns=+60",
    "autopurge.purgeInterval=24",
    "autopurge.snapRetainCount = 1",
    "standaloneEnabled=false",
    "standaloneEnabled=TRUE",
    "reconfigEnabled=true",
    "reconfigEnabled = False",
    "quorumListenOnAllIPs=true",
    "4lw.commands.whitelist=mntr, conf, ruok",
    "admin.enableServer=false",
    "electionAlg=3",
    "peerType=observer",
    "peerType=PARTICIPANT",
    "minSessionTimeout=-1",
    "maxSessionTimeout=60000",
    "sslQuorum=false",
    "secureClientPort=2281",
    "quorum.auth.enableSasl=true",
    "skipACL=yes",
    "leaderServes=yes",
    "cnxTimeout=5",
    "snapCount=100000",
    "! old: server.9=zk9:2888:3888",
    "# server.8=zk8:2888:3888",
    "version=1",
    "multiAddress.reachabilityCheckEnabled=true",
    "jvm.pause.monitor=true",
    "",
];

/// What no server starts with, or what nothing comes of.
const MISTAKES: &[&str] = &[
    "tickTime=2000 # a tick",
    "tickTime=0",
    "initLimit=",
    "syncLimit=0",
    "syncLimit=5)",
    "clientPort=70000",
    "clientPort=-1",
    "clientPort=0",
    "clientPort=2181;",
    "clientPortAddress=127.0.0.1",
    "clientPortAddress=0.0.0.0",
    "clientPortAddress=10.0.0.1",
    "secureClientPortAddress=0.0.0.0",
    "secureClientPort=x",
    "electionAlg=0",
    "reconfigEnabled=yes",
    "standaloneEnabled=",
    "sslQuorum=1",
    "peerType=learner",
    "maxSessionTimeout=1000",
    "minSessionTimeout=90000",
    "quorum.auth.serverRequireSasl=true",
    "quorum.auth.learnerRequireSasl=true",
    "autopurge.purgeInterval=${PURGE}",
    "dataLogDir=C:\\users\\zk",
    "dataLogDir=C:\\zk\\unknown",
    "dataLogDir=x",
    "version=0x1",
    "server.=zk1:2888:3888",
    "server.x=zk1:2888:3888",
    "server.1.2=zk1:2888:3888",
    "server.-3=zk33:2888:3888",
    "Server.7=zk7:2888:3888",
    "server7=zk7:2888:3888",
    "servers=zk1,zk2",
    "group=1:2:3",
    "weights.1=2",
    "electionPort=3888",
    "\\u00zz=1",
    "jvm.pause.monitor=on",
    "multiAddress.enabled=maybe",
    "multiAddress.enabled=true",
    "oraclePath=/var/lib/oracle",
];

/// What can be done to a server line; `LINE` stands for what it was.
const TWISTS: &[&str] = &[
    "LINE ",
    " LINE",
    "LINE\t",
    "LINE:",
    "LINE;",
    "LINE;;",
    "LINE ;2181",
    "LINE; 2181",
    "LINE;2182",
    "LINE;127.0.0.1:2181",
    "LINE;0.0.0.0:2181",
    "LINE;[::]:2181",
    "LINE;[::1]2181",
    "LINE;::1:2181",
    "LINE;a:b:2181",
    "LINE;x",
    "LINE;-1",
    "LINE;2181;2281",
    "LINE;;2281",
    "LINE;2181;2281;9",
    "LINE|zk77:2888:3888",
    "LINE|zk77:2888",
    "LINE # leader",
    "LINE,zk9:2888:3888",
    "LINE:observer",
    "LINE: OBSERVER ",
    "LINE:Participant;2181",
    "LINE:learner",
    "LINE:observer:x",
    "zk1:2888",
    "zk1:2888:2888",
    "zk1:+2888:3888",
    "zk1:2888:99999",
    "zk1:-2:3888",
    "zk1:28 88:3888",
    "zk1",
    "[::1]:2888:3888",
    "[fe80::1:2888:3888",
    "[fe80::1]:",
    "[fe80::1]",
    "[zk1]:2888:3888",
    "::1:2888:3888",
    "0:0:0:0:0:0:0:1:2888:3888",
    "ZK1.Example:2888:3888",
    "zk_1.example:2888:3888",
    "zk1.example.:2888:3888",
    "${ZK1}:2888:3888",
    "<zk1>:2888:3888",
    "'zk1:2888:3888'",
    "\"zk1:2888:3888\"",
    "zk1\\:2888\\:3888",
    "zk1:2888:\\\n   3888",
    "zk1:2888:3888\\",
    "http://zk1:2888:3888",
    "zk1/zk1:2888:3888",
    ";2181",
    "|",
    "",
];

const HOSTS: &[&str] = &["zk", "10.0.0.", "zk-", "fd00::"];

/// The file of a seed.
pub(super) fn file(seed: u64) -> Made {
    let mut chance = Chance(seed);
    let count = 1 + chance.below(5);
    let host = chance.of(HOSTS);
    let client = chance.of(&["", "", ";2181", ";0.0.0.0:2181"]);
    let mut ids: Vec<usize> = (1..=count).collect();
    if chance.once_in(6) {
        for id in &mut ids {
            *id += [0, 253, 1000][chance.below(3)];
        }
    }
    let mut members: Vec<(String, String)> = ids
        .iter()
        .map(|id| {
            let place =
                if host.contains("::") { format!("[{host}{id}]") } else { format!("{host}{id}") };
            let role = chance.of(&["", "", "", "", ":participant", ":participant", ":observer"]);
            (format!("server.{id}"), format!("{place}:2888:3888{role}{client}"))
        })
        .collect();
    if chance.once_in(4) {
        members.extend(places(&ids, &mut chance));
    }
    let mut settings: Vec<String> =
        ["tickTime=2000", "initLimit=10", "syncLimit=5", "dataDir=DATA"]
            .map(str::to_owned)
            .to_vec();
    if !chance.once_in(8) {
        settings.push("clientPort=2181".to_owned());
    }
    for _ in 0..chance.below(4) {
        settings.push(chance.of(SETTINGS).to_owned());
    }
    match chance.below(8) {
        0..=4 => {}
        5 => settings.push(chance.of(MISTAKES).to_owned()),
        6 => twist(&mut members, &mut chance),
        _ => {
            let left_out = chance.below(settings.len());
            if chance.once_in(2) {
                settings.remove(left_out);
            } else {
                twist(&mut members, &mut chance);
                settings.push(chance.of(MISTAKES).to_owned());
            }
        }
    }
    written(&settings, &members, &mut chance)
}

fn twist(members: &mut Vec<(String, String)>, chance: &mut Chance) {
    let which = chance.below(members.len());
    let (key, line) = &mut members[which];
    match chance.below(10) {
        0 => {
            let other = ["server.+1", "server.01", "server.99999999999", "server.0"];
            chance.of(&other).clone_into(key);
        }
        1 => {
            let twin = (key.clone(), line.replace("2888", "2889"));
            members.push(twin);
        }
        _ => *line = chance.of(TWISTS).replace("LINE", line),
    }
}

/// Groups and weights, mostly sound.
fn places(ids: &[usize], chance: &mut Chance) -> Vec<(String, String)> {
    let mut all: Vec<String> = ids.iter().map(usize::to_string).collect();
    match chance.below(12) {
        0 => drop(all.pop()),
        1 => all.push(all[0].clone()),
        2 => all.push("77".to_owned()),
        _ => {}
    }
    let half = all.len() / 2;
    let join = |ids: &[String], by: &str| ids.join(by);
    let mut lines = vec![("group.1".to_owned(), join(&all[..half.max(1).min(all.len())], ":"))];
    if half > 0 {
        let by = if chance.once_in(10) { " : " } else { ":" };
        lines.push(("group.2".to_owned(), join(&all[half..], by)));
    }
    for id in ids {
        if !chance.once_in(3) {
            lines.push((
                format!("weight.{id}"),
                chance.of(&["1", "1", "1", "2", "3", "0", "x"]).to_owned(),
            ));
        }
    }
    lines
}

fn written(settings: &[String], members: &[(String, String)], chance: &mut Chance) -> Made {
    let by = chance.of(&["=", "=", "=", " = ", ":", " "]);
    let mut lists = String::new();
    for (key, value) in members {
        writeln!(lists, "{key}{by}{value}").unwrap_or_default();
    }
    let mut zoo_cfg = settings.join("\n") + "\n";
    let end = chance.of(&["\n", "\n", "\n", "\r\n"]);
    if !chance.once_in(4) {
        return Made { zoo_cfg: (zoo_cfg + &lists).replace('\n', end), dynamic: None };
    }
    let suffix = chance.of(&["", ".100000004", ".next"]);
    writeln!(zoo_cfg, "dynamicConfigFile=DIR/zoo.cfg.dynamic{suffix}").unwrap_or_default();
    match chance.below(6) {
        0 => lists += "version=100000004\n",
        1 => lists += "clientPort=2181\n",
        2 if chance.once_in(3) => lists.clear(),
        3 if chance.once_in(3) => zoo_cfg += "server.1=zk1:2888:3888\n",
        _ => {}
    }
    Made { zoo_cfg: zoo_cfg.replace('\n', end), dynamic: Some(lists) }
}
