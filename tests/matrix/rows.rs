//! What is played: releases, how they are configured, and how much of the story.

use crate::harness::{Builder, Release};
use crate::whole_migration::{Begin, Way};

/// Every release line of which a release can be had, the last of each; and that of this machine.
const RELEASES: [Release; 6] = [
    Release::Apache("3.5.10"),
    Release::Apache("3.6.4"),
    Release::Apache("3.7.2"),
    Release::Apache("3.8.6"),
    Release::Apache("3.9.5"),
    Release::Installed,
];

/// Members of the one, joiners of the other. The last is a downgrade.
const PAIRS: [(&str, &str); 5] = [
    ("3.5.10", "3.6.4"),
    ("3.5.10", "3.9.5"),
    ("3.6.4", "3.8.6"),
    ("3.8.6", "3.9.5"),
    ("3.9.5", "3.8.6"),
];

/// Releases that come to where they may be changed.
const STARTS: [&str; 3] = ["3.5.10", "3.8.6", "3.9.5"];

/// Rolling upgrades, one after the other.
const CHAIN: [&str; 4] = ["3.5.10", "3.6.4", "3.8.6", "3.9.5"];

/// Before reconfig: nothing but a refusal can be had of it.
const TOO_OLD: Release = Release::Apache("3.4.14");

/// How the servers of a row are configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Configuration {
    /// `zoo.cfg` alone, `srvr` alone among the words, as by default.
    Static,
    /// A dynamic file, and every word.
    Dynamic,
}

/// How much of the story is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// Everything.
    Whole,
    /// What a move needs.
    Short,
    /// A move onto another release: of what comes after, only that the old one is gone.
    Pair,
    /// Three servers without superDigest and `reconfigEnabled` come to where they may be changed.
    Start,
    /// Five servers come there, and to another release, by one plan of restarts.
    Roll,
    /// Three servers come to the last of these releases by one plan for each.
    Chain(&'static [&'static str]),
    /// From there, and without superDigest, onto three servers that were used for something else.
    Migration(Way, Begin),
    /// A fourth server begins with an archive of a running one.
    Seed,
    /// The refusal of a release that is too old.
    Refusal,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// What members run.
    pub(crate) members: Release,
    /// What joiners run.
    pub(crate) joiners: Release,
    pub(crate) configuration: Configuration,
    pub(crate) length: Length,
}

impl Row {
    const fn of(release: Release, configuration: Configuration, length: Length) -> Self {
        Self { members: release, joiners: release, configuration, length }
    }

    fn pair((members, joiners): (&'static str, &'static str), length: Length) -> Self {
        let configuration = Configuration::Dynamic;
        let (members, joiners) = (Release::Apache(members), Release::Apache(joiners));
        Self { members, joiners, configuration, length }
    }

    /// Whether the servers that join run another release than the members.
    pub(crate) fn is_pair(&self) -> bool {
        self.members != self.joiners
    }

    /// Its releases, as they stand in the table.
    pub(crate) fn releases(&self) -> String {
        if let Length::Chain(releases) = self.length {
            return releases.join(" to ");
        }
        let number = |release: Release| number(release).unwrap_or("Debian's 3.8.0");
        if self.is_pair() {
            format!("{} to {}", number(self.members), number(self.joiners))
        } else {
            number(self.members).to_owned()
        }
    }

    /// Its configuration, as it stands in the table.
    pub(crate) const fn configuration(&self) -> &'static str {
        match self.configuration {
            Configuration::Static => "static, `srvr` alone",
            Configuration::Dynamic => "dynamic, `*`",
        }
    }

    pub(crate) fn name(&self) -> String {
        let configuration = match self.configuration {
            Configuration::Static => "static",
            Configuration::Dynamic => "dynamic",
        };
        let what = match self.length {
            Length::Start => ", start",
            Length::Roll | Length::Chain(_) => ", roll",
            Length::Seed => ", seed",
            Length::Migration(Way::Participants, Begin::Empty) => ", migration",
            Length::Migration(Way::ObserversFirst, Begin::Empty) => ", migration, observers first",
            Length::Migration(Way::Participants, Begin::Seeds) => ", migration, seeds",
            Length::Migration(Way::ObserversFirst, Begin::Seeds) => {
                ", migration, observers first, seeds"
            }
            Length::Whole | Length::Short | Length::Pair | Length::Refusal => "",
        };
        format!("{}, {configuration}{what}", self.releases())
    }

    /// Three members, and joiners 4 to 6.
    pub(crate) fn builder(&self) -> Builder {
        let builder = match self.configuration {
            Configuration::Static => Builder::plain(),
            Configuration::Dynamic => Builder::rich(),
        };
        builder.release(self.members).release_of([4, 5, 6], self.joiners)
    }

    /// The findings that have to be accepted before servers join.
    pub(crate) fn accepts(&self) -> Vec<&'static str> {
        let has_no_digests = |release: Release| {
            number(release).is_some_and(|number| number.starts_with("3.5."))
                || self.configuration == Configuration::Static
        };
        let by_counts = has_no_digests(self.members) || has_no_digests(self.joiners);
        let mixed = self.is_pair().then_some("ZKF2");
        mixed.into_iter().chain(by_counts.then_some("ZKF20")).collect()
    }
}

/// The number of a release of Apache.
const fn number(release: Release) -> Option<&'static str> {
    match release {
        Release::Installed => None,
        Release::Apache(number) => Some(number),
    }
}

/// The rows that the words on the command line stand for.
pub(crate) fn chosen(words: &[String]) -> Vec<Row> {
    use Configuration::{Dynamic, Static};
    let refusal = Row::of(TOO_OLD, Static, Length::Refusal);
    match words {
        [] => vec![Row::of(Release::Installed, Static, Length::Short)],
        [word] if word == "ci" => {
            let configuration = |release| match release {
                Release::Apache("3.5.10" | "3.8.6") => Static,
                _ => Dynamic,
            };
            let apache = RELEASES.into_iter().filter(|release| number(*release).is_some());
            let short = apache.map(|one| Row::of(one, configuration(one), Length::Short));
            let pairs = [PAIRS[0], PAIRS[3]].map(|pair| Row::pair(pair, Length::Pair));
            short.chain(pairs).chain([refusal]).collect()
        }
        [word] if word == "long" => all(refusal),
        words => {
            let is_meant = |row: &Row| words.iter().any(|word| row.name().contains(word));
            all(refusal).into_iter().filter(is_meant).collect()
        }
    }
}

fn all(refusal: Row) -> Vec<Row> {
    let whole = RELEASES.into_iter().flat_map(|release| {
        [Configuration::Static, Configuration::Dynamic]
            .map(|configuration| Row::of(release, configuration, Length::Whole))
    });
    let pairs = PAIRS.map(|pair| Row::pair(pair, Length::Pair));
    let starts = STARTS
        .map(|release| Row::of(Release::Apache(release), Configuration::Static, Length::Start));
    let ways = [
        ("3.5.10", Way::Participants, Begin::Empty),
        ("3.8.6", Way::Participants, Begin::Empty),
        ("3.8.6", Way::Participants, Begin::Seeds),
        ("3.8.6", Way::ObserversFirst, Begin::Empty),
        ("3.9.5", Way::Participants, Begin::Empty),
        ("3.9.5", Way::Participants, Begin::Seeds),
    ];
    let migrations = ways.map(|(release, way, begin)| {
        Row::of(Release::Apache(release), Configuration::Static, Length::Migration(way, begin))
    });
    let seeds = RELEASES.into_iter().filter(|release| number(*release).is_some());
    let seeds = seeds.map(|release| Row::of(release, Configuration::Dynamic, Length::Seed));
    let roll = Row::pair(("3.8.6", "3.9.5"), Length::Roll);
    let chain = Row::pair(("3.5.10", "3.9.5"), Length::Chain(&CHAIN));
    whole
        .chain(pairs)
        .chain(starts)
        .chain(seeds)
        .chain([roll, chain])
        .chain(migrations)
        .chain([refusal])
        .collect()
}
