//! The keys of a `zoo.cfg` as `QuorumPeerConfig.parseProperties` reads them.

use std::collections::BTreeMap;

use super::note::Note;
use super::refusal::{ImportError, ImportRefusal, Spot};
use crate::model::{Property, latin_1, properties, trimmed};

/// Keys of whole numbers of 32 bits, each with the port that it may be.
const NUMBERS: [&str; 16] = [
    "clientPort",
    "secureClientPort",
    "observerMasterPort",
    "clientPortListenBacklog",
    "tickTime",
    "maxClientCnxns",
    "minSessionTimeout",
    "maxSessionTimeout",
    "initLimit",
    "syncLimit",
    "connectToLearnerMasterLimit",
    "electionAlg",
    "autopurge.snapRetainCount",
    "autopurge.purgeInterval",
    "quorum.cnxn.threads.size",
    "multiAddress.reachabilityCheckTimeoutMs",
];

/// Keys of whole numbers of 64 bits.
const LONG_NUMBERS: [&str; 3] =
    ["jvm.pause.info-threshold.ms", "jvm.pause.warn-threshold.ms", "jvm.pause.sleep.time.ms"];

/// Keys that are true or false.
const FLAGS: [&str; 15] = [
    "localSessionsEnabled",
    "localSessionsUpgradingEnabled",
    "quorumListenOnAllIPs",
    "syncEnabled",
    "standaloneEnabled",
    "reconfigEnabled",
    "sslQuorum",
    "portUnification",
    "sslQuorumReloadCertFiles",
    ENABLE_SASL,
    SERVER_SASL,
    LEARNER_SASL,
    "jvm.pause.monitor",
    "multiAddress.enabled",
    "multiAddress.reachabilityCheckEnabled",
];

const ENABLE_SASL: &str = "quorum.auth.enableSasl";
const SERVER_SASL: &str = "quorum.auth.serverRequireSasl";
const LEARNER_SASL: &str = "quorum.auth.learnerRequireSasl";

/// Other keys that bear on who is a member and where it is reached.
const OTHERS: [&str; 6] = [
    "dataDir",
    "dataLogDir",
    "dynamicConfigFile",
    "clientPortAddress",
    "secureClientPortAddress",
    "peerType",
];

/// What the byte order mark of UTF-8 is in ISO-8859-1.
const BYTE_ORDER_MARK: &str = "\u{ef}\u{bb}\u{bf}";

/// Whether ZooKeeper looks for members behind that key.
pub(super) fn is_member(key: &str) -> bool {
    key.starts_with("server.") || key.starts_with("group") || key.starts_with("weight")
}

/// The keys of one file, the last of each.
#[derive(Debug)]
pub(super) struct Settings {
    /// How messages call the file.
    file: String,
    last: BTreeMap<String, Property>,
}

impl Settings {
    /// Reads a file. Notes say which lines count for nothing.
    pub(super) fn read(
        file: &str,
        bytes: &[u8],
        notes: &mut Vec<Note>,
    ) -> Result<Self, ImportError> {
        let mut settings = Self { file: file.to_owned(), last: BTreeMap::new() };
        let all = properties(&latin_1(bytes)).map_err(|malformed| ImportError::Refused {
            at: settings.at(Some(malformed.line)),
            why: ImportRefusal::MalformedEscape,
        })?;
        for property in all {
            if let Some(known) = meant(&property.key) {
                notes.push(Note::LooksLike {
                    at: settings.at(Some(property.line)),
                    key: property.key.replace(BYTE_ORDER_MARK, "\u{feff}"),
                    known,
                });
            }
            let (key, last) = (property.key.clone(), settings.at(Some(property.line)));
            if let Some(before) = settings.last.insert(key.clone(), property) {
                notes.push(Note::Repeated { key, first: before.line, last });
            }
        }
        Ok(settings)
    }

    /// A place in the file.
    pub(super) fn at(&self, line: Option<usize>) -> Spot {
        Spot { file: self.file.clone(), line }
    }

    /// The line of a key.
    pub(super) fn line(&self, key: &str) -> Option<usize> {
        self.last.get(key).map(|property| property.line)
    }

    /// The value of a key.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.last.get(key).map(|property| trimmed(&property.value))
    }

    /// The keys that have to do with members, in the order of the file.
    pub(super) fn members(&self) -> Vec<&Property> {
        self.in_order(is_member)
    }

    /// Keys in the order of the file.
    pub(super) fn in_order(&self, wanted: impl Fn(&str) -> bool) -> Vec<&Property> {
        let mut found: Vec<&Property> =
            self.last.values().filter(|property| wanted(&property.key)).collect();
        found.sort_by_key(|property| property.line);
        found
    }

    fn refuse<T>(&self, key: &str, why: ImportRefusal) -> Result<T, ImportError> {
        Err(ImportError::Refused { at: self.at(self.line(key)), why })
    }

    /// A whole number; 0 where it is not given. [`Settings::check`] has seen that it is one.
    fn number(&self, key: &str) -> i32 {
        self.value(key).and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// A flag, where it is given.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.value(key)?.to_ascii_lowercase().parse().ok()
    }

    /// A port; `None` where it is not given or 0, which switches it off.
    pub(super) fn port(&self, key: &'static str) -> Option<u16> {
        u16::try_from(self.number(key)).ok().filter(|port| *port > 0)
    }

    /// Holds the static settings against what ZooKeeper takes, in its order.
    pub(super) fn check(&self) -> Result<(), ImportError> {
        self.in_order(|_| true).into_iter().try_for_each(|property| self.check_value(property))?;
        let off = |key: &str| self.flag(key) != Some(true);
        let on = |key: &str| !off(key);
        for (needed, needs) in
            [(ENABLE_SASL, SERVER_SASL), (ENABLE_SASL, LEARNER_SASL), (LEARNER_SASL, SERVER_SASL)]
        {
            if off(needed) && on(needs) {
                return self.refuse(needs, ImportRefusal::Disabled { off: needed, on: needs });
            }
        }
        if self.value("dataDir").is_none() {
            return self.refuse("dataDir", ImportRefusal::NotSet("dataDir"));
        }
        for (key, address) in
            [("clientPort", "clientPortAddress"), ("secureClientPort", "secureClientPortAddress")]
        {
            let number = self.number(key);
            if number == 0 && self.value(address).is_some() {
                return self.refuse(address, ImportRefusal::AddressWithoutPort(key));
            }
            if u16::try_from(number).is_err() {
                return self.refuse(key, ImportRefusal::PortRange(number));
            }
        }
        self.check_times()
    }

    fn check_value(&self, property: &Property) -> Result<(), ImportError> {
        let Property { key, value, .. } = property;
        let (name, value) = (trimmed(key), trimmed(value));
        let not_a_number = || ImportRefusal::NotANumber(value.to_owned());
        let checked = match name {
            _ if NUMBERS.contains(&name) => {
                value.parse::<i32>().map(drop).map_err(|_| not_a_number())
            }
            _ if LONG_NUMBERS.contains(&name) => {
                value.parse::<i64>().map(drop).map_err(|_| not_a_number())
            }
            _ if FLAGS.contains(&name) => match value.to_ascii_lowercase().as_str() {
                "true" | "false" => Ok(()),
                _ => Err(ImportRefusal::NotABoolean {
                    key: name.to_owned(),
                    value: value.to_owned(),
                }),
            },
            "peerType" => match value.to_lowercase().as_str() {
                "observer" | "participant" => Ok(()),
                _ => Err(ImportRefusal::PeerType(value.to_owned())),
            },
            "dataDir" | "dataLogDir" if value.len() < 2 && value != "/" => {
                Err(ImportRefusal::ShortPath(value.len()))
            }
            _ if is_member(name) && self.last.contains_key("dynamicConfigFile") => {
                Err(ImportRefusal::MemberInStaticFile(name.to_owned()))
            }
            _ => Ok(()),
        };
        let checked = checked.and_then(|()| match name {
            "electionAlg" if self.number("electionAlg") != 3 => {
                Err(ImportRefusal::ElectionAlgorithm)
            }
            _ => Ok(()),
        });
        checked.or_else(|why| self.refuse(key, why))
    }

    fn check_times(&self) -> Result<(), ImportError> {
        let given = |key| self.value(key).map(|_| self.number(key));
        let tick = given("tickTime").unwrap_or(DEFAULT_TICK_TIME);
        if tick == 0 {
            return self.refuse("tickTime", ImportRefusal::NotSet("tickTime"));
        }
        let bound = |key, ticks| match given(key) {
            None | Some(-1) => tick.wrapping_mul(ticks),
            Some(time) => time,
        };
        if bound("minSessionTimeout", 2) > bound("maxSessionTimeout", 20) {
            let key = ["minSessionTimeout", "maxSessionTimeout", "tickTime"];
            let key = key.into_iter().find(|key| self.value(key).is_some()).unwrap_or_default();
            return self.refuse(key, ImportRefusal::SessionTimeouts);
        }
        Ok(())
    }

    /// What servers of an ensemble have to have (`checkValidity`).
    pub(super) fn check_limits(&self) -> Result<(), ImportError> {
        match ["initLimit", "syncLimit"].into_iter().find(|key| self.number(key) == 0) {
            Some(key) => self.refuse(key, ImportRefusal::NotSet(key)),
            None => Ok(()),
        }
    }
}

/// `ZooKeeperServer.DEFAULT_TICK_TIME`, in milliseconds.
const DEFAULT_TICK_TIME: i32 = 3000;

/// The key that was meant by one that is nothing to ZooKeeper: it differs in case, or in what cannot
/// be seen.
fn meant(key: &str) -> Option<String> {
    let plain = |c: &char| c.is_ascii_graphic();
    let seen: String = key.chars().filter(plain).collect();
    let known = NUMBERS.iter().chain(&LONG_NUMBERS).chain(&FLAGS).chain(&OTHERS);
    let same = known.copied().find(|known| known.eq_ignore_ascii_case(&seen));
    let member = |dot: &str| {
        let id = seen.get(6..)?.strip_prefix(dot)?;
        let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        (is_id && seen.get(..6)?.eq_ignore_ascii_case("server")).then(|| format!("server.{id}"))
    };
    let wanted =
        same.map(str::to_owned).or_else(|| [".", "", "_", "-"].into_iter().find_map(member));
    wanted.filter(|wanted| wanted != trimmed(key))
}
