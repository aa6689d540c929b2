//! Settings: what is seen of them, and what follows.

use serde_json::json;

use super::fake::{FIRST, FakeEnsemble, at, line, voters};
use super::*;
use crate::ensemble::{FourLetterWord, ServerVersion};
use crate::model::SettingName::{FourLetterWords, InitLimit, ReconfigEnabled, Superuser, Version};
use crate::model::{Bound, Connect, SettingName, Target, WantedSettings};
use crate::observe::{
    Facts, NotSeen, SettingDifference, SettingState, SettingValue, SettingVerdict, Source,
    compare_settings,
};

fn words(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Three servers that are wanted as they are, with these settings.
fn target(settings: WantedSettings) -> Target {
    let servers = [1, 2, 3].map(|id| Server::parse_line(&line(id)).expect("a server line"));
    let connect = Connect { servers: vec!["10.0.0.1:2181".into()], ..Connect::default() };
    Target { connect, settings, ..Target::of("test", servers) }
}

fn everything() -> WantedSettings {
    WantedSettings {
        reconfig_enabled: true,
        superuser: true,
        four_letter_words: words(&["srvr", "conf", "mntr", "hash"]),
        numbers: [(InitLimit, Bound::AtLeast(10))].into(),
        version: Some(ServerVersion::new(3, 8, 0)),
    }
}

fn states(fake: &FakeEnsemble, target: &Target) -> Vec<SettingState> {
    compare_settings(&seen(fake, &Question::of(target)), target)
}

/// The verdicts on a setting, by server.
fn verdicts(states: &[SettingState], name: SettingName) -> Vec<SettingVerdict> {
    states.iter().filter(|state| state.setting == name).map(|state| state.verdict).collect()
}

/// The differences that a plan would show.
fn differences(fake: &FakeEnsemble, target: &Target) -> Vec<SettingDifference> {
    let facts = Facts::of(&seen(fake, &Question::of(target)), target);
    let found = facts.findings.into_iter().filter_map(|finding| match finding.kind {
        FindingKind::SettingsDiffer { differences } => Some(differences),
        _ => None,
    });
    found.flatten().collect()
}

#[test]
fn settings_as_wanted_are_no_finding() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    let states = states(&fake, &target(everything()));
    for name in [ReconfigEnabled, FourLetterWords, InitLimit, Version] {
        assert_eq!(verdicts(&states, name), [SettingVerdict::AsWanted; 3], "{name}");
    }
    assert_eq!(verdicts(&states, Superuser), [SettingVerdict::Unknown; 3]);
    let source = |name| {
        let state = states.iter().find(|state| state.setting == name).expect("a state");
        state.seen.as_ref().map(|seen| seen.source).map_err(|why| *why)
    };
    assert_eq!(source(InitLimit), Ok(Source::Conf));
    assert_eq!(source(FourLetterWords), Ok(Source::Word));
    assert_eq!(source(Version), Ok(Source::Srvr));
    assert_eq!(source(Superuser), Err(NotSeen::NeedsCredential));
    assert_eq!(differences(&fake, &target(everything())), []);
}

#[test]
fn a_difference_names_its_servers() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(1, |server| server.init_limit = 5);
    fake.server(2, |server| (server.init_limit, server.version) = (5, "3.8.4-abc"));
    let difference = |setting, wanted: &str, seen: &str, on: &[i64]| SettingDifference {
        setting,
        wanted: wanted.to_owned(),
        seen: seen.to_owned(),
        servers: ids(on),
    };
    let found =
        [difference(InitLimit, ">=10", "5", &[1, 2]), difference(Version, "3.8.0", "3.8.4", &[2])];
    assert_eq!(differences(&fake, &target(everything())), found);
}

#[test]
fn a_word_that_is_refused_differs_and_one_without_an_answer_does_not() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(2, |server| server.rich = false);
    let states = states(&fake, &target(everything()));
    let verdict = verdicts(&states, FourLetterWords);
    assert_eq!(
        verdict,
        [SettingVerdict::AsWanted, SettingVerdict::Differs, SettingVerdict::AsWanted]
    );
    let of_2 = differences(&fake, &target(everything()));
    assert_eq!(of_2.len(), 1);
    assert_eq!((&*of_2[0].seen, &of_2[0].servers), ("conf, hash, mntr not allowed", &ids(&[2])));
    // A server before 3.6 hangs up at `hash`, whatever its whitelist.
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(2, |server| server.hangs_up_at = Some(FourLetterWord::Hash));
    let states = self::states(&fake, &target(everything()));
    let verdict = verdicts(&states, FourLetterWords);
    assert_eq!(
        verdict,
        [SettingVerdict::AsWanted, SettingVerdict::Unknown, SettingVerdict::AsWanted]
    );
    assert_eq!(differences(&fake, &target(everything())), []);
}

#[test]
fn what_only_conf_tells_is_unknown_without_it() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    for id in [1, 2, 3] {
        fake.server(id, |server| (server.rich, server.init_limit) = (false, 1));
    }
    let settings = WantedSettings { four_letter_words: BTreeSet::new(), ..everything() };
    let states = states(&fake, &target(settings.clone()));
    for name in [InitLimit, ReconfigEnabled] {
        assert_eq!(verdicts(&states, name), [SettingVerdict::Unknown; 3], "{name}");
        let state = states.iter().find(|state| state.setting == name).expect("a state");
        assert_eq!(state.seen, Err(NotSeen::ConfNotAllowed), "{name}");
    }
    assert_eq!(differences(&fake, &target(settings)), []);
}

/// While the leader has `reconfigEnabled=false`, every server is at version 0.
#[test]
fn reconfig_enabled_shows_on_the_leader_first() {
    let shown = |fake: &FakeEnsemble| {
        let states = states(fake, &target(everything()));
        let of = states.into_iter().filter(|state| state.setting == ReconfigEnabled);
        of.map(|state| state.seen.map(|seen| seen.value)).collect::<Vec<_>>()
    };
    let (on, off) = (Ok(SettingValue::Flag(true)), Ok(SettingValue::Flag(false)));
    let none = FakeEnsemble::of(voters(&[1, 2, 3], "0"));
    assert_eq!(shown(&none), [Err(NotSeen::LeaderFirst), Err(NotSeen::LeaderFirst), off.clone()]);
    let mixed = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    mixed.server(1, |server| server.config = fake::config(&[1, 2, 3], "0"));
    assert_eq!(shown(&mixed), [off, on.clone(), on]);
}

#[test]
fn the_adminserver_tells_some_of_it_and_only_of_its_own_server() {
    let asked = |configuration: serde_json::Value| {
        let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
        fake.server(1, |server| server.rich = false);
        let properties = json!({
            "java.version": "17",
            "zookeeper.4lw.commands.whitelist": "srvr, ruok",
            "zookeeper.DigestAuthenticationProvider.superDigest": "super:hash",
        });
        let base = "http://10.0.0.1:8080";
        let mut world = fake.world.borrow_mut();
        world.admins.insert((base, "configuration"), configuration);
        world.admins.insert((base, "system_properties"), properties);
        drop(world);
        let mut target = target(WantedSettings {
            four_letter_words: words(&["ruok", "wchs"]),
            numbers: [
                (SettingName::TickTime, Bound::Exactly(200)),
                (InitLimit, Bound::Exactly(10)),
            ]
            .into(),
            ..WantedSettings::default()
        });
        target.servers.get_mut(&id(1)).expect("server 1").admin = Some(base.to_owned());
        let seen = seen(&fake, &Question::of(&target));
        assert!(!format!("{seen:?}").contains("super:hash"));
        let states = compare_settings(&seen, &target);
        states
            .into_iter()
            .filter(|state| state.server == id(1))
            .map(|state| state.verdict)
            .collect()
    };
    let verdicts: Vec<SettingVerdict> = asked(json!({ "server_id": 1, "tick_time": 200 }));
    assert_eq!(
        verdicts,
        [SettingVerdict::Differs, SettingVerdict::Unknown, SettingVerdict::AsWanted]
    );
    let of_another: Vec<SettingVerdict> = asked(json!({ "server_id": 2, "tick_time": 200 }));
    assert_eq!(of_another, [SettingVerdict::Unknown; 3]);
}

#[test]
fn a_server_that_does_not_answer_has_no_difference() {
    let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
    fake.server(1, |server| server.silent = Some(crate::ensemble::NoAnswer::Refused));
    let states = states(&fake, &target(everything()));
    let of_1 = states.iter().filter(|state| state.server == id(1));
    assert!(of_1.clone().all(|state| state.seen == Err(NotSeen::NoAnswer)));
    assert_eq!(of_1.count(), everything().each().len());
    assert_eq!(differences(&fake, &target(everything())), []);
}

/// Words are dear: each is a connection.
#[test]
fn without_wanted_settings_nothing_more_is_asked() {
    let sent = |settings| {
        let fake = FakeEnsemble::of(voters(&[1, 2, 3], FIRST));
        let mut target = target(settings);
        let admin = Some("http://10.0.0.1:8080".to_owned());
        target.servers.get_mut(&id(1)).expect("server 1").admin = admin;
        drop(seen(&fake, &Question::of(&target)));
        let words = fake.words.into_inner();
        words.iter().filter(|(to, _)| *to == at(1)).count()
    };
    let usual = sent(WantedSettings::default());
    let conf_tells = WantedSettings { four_letter_words: BTreeSet::new(), ..everything() };
    assert_eq!(sent(conf_tells), usual);
    assert_eq!(sent(everything()), usual + 2);
}
