use super::*;
use crate::model::{Bound, latin_1};

const FILE: &str = "# ours\ntickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir=/d\nclientPort=2181\n\
                    server.1=a:2888:3888\n";

fn wanted(numbers: &[(SettingName, Bound)], words: &[&str]) -> WantedSettings {
    WantedSettings {
        four_letter_words: words.iter().map(|word| (*word).to_owned()).collect(),
        numbers: numbers.iter().copied().collect(),
        ..WantedSettings::default()
    }
}

fn edited(text: &str, wanted: &WantedSettings) -> Edit {
    edit(text, wanted, SuperUser::Digest("super", None)).expect("a file that is read")
}

#[test]
fn secrets_are_not_shown() {
    let text = "tickTime=2000\n  ssl.keyStore.password = abc\\\n   def\nclientPort=2181\n\
                DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=\n";
    let shown = without_secrets(text);
    assert_eq!(
        shown,
        "tickTime=2000\n  ssl.keyStore.password=(not shown)\n(not shown)\nclientPort=2181\n\
         DigestAuthenticationProvider.superDigest=(not shown)\n"
    );
    let to_fill = format!("{SUPER_DIGEST}=super{PLACEHOLDER}\n");
    assert_eq!(without_secrets(&to_fill), to_fill);
}

#[test]
fn a_file_that_has_all_of_it_stays_as_it_is() {
    let text = format!("{FILE}reconfigEnabled=TRUE\n4lw.commands.whitelist = ruok , conf\n");
    let numbers = [(SettingName::InitLimit, Bound::AtLeast(10))];
    let all = WantedSettings { reconfig_enabled: true, ..wanted(&numbers, &["srvr", "conf"]) };
    let edit = edited(&text, &all);
    assert!(edit.is_empty());
    assert_eq!(edit.notes, []);
    let any = edited(&format!("{FILE}4lw.commands.whitelist=*\n"), &wanted(&[], &["conf"]));
    assert!(any.is_empty());
}

#[test]
fn what_is_lacking_is_added_and_what_differs_replaced() {
    let numbers = [(SettingName::InitLimit, Bound::AtLeast(30))];
    let all = WantedSettings {
        reconfig_enabled: true,
        superuser: true,
        ..wanted(&numbers, &["srvr", "conf", "mntr"])
    };
    let edit = edited(FILE, &all);
    let after = FILE.replace("initLimit=10", "initLimit=30")
        + "reconfigEnabled=true\nDigestAuthenticationProvider.superDigest=super:HASH\n\
           4lw.commands.whitelist=conf, mntr\n";
    assert_eq!(edit.after, after);
    let notes = [
        EditNote::DigestToFill { user: "super".to_owned() },
        EditNote::SecretInFile,
        EditNote::NotAsFlag(SettingName::ReconfigEnabled),
        EditNote::NotAsFlag(SettingName::InitLimit),
        EditNote::ReplacesFlag,
    ];
    assert_eq!(edit.notes, notes);
    let again = edited(&edit.after, &all);
    assert_eq!(again.after, edit.after, "an edit is needed once");
    assert!(!again.is_empty(), "the digest is still to be filled in");
    let filled = |value: &str| edited(&edit.after.replace("super:HASH", value), &all);
    assert!(filled("super:y55kBV6TaEpfWjnrZZGp2bdqAHg=").is_empty());
    for wrong in ["HASH", "DigestAuthenticationProvider.superDigest=super:y55k", ":y55k"] {
        assert!(!filled(wrong).is_empty(), "{wrong}");
    }
}

#[test]
fn the_line_that_counts_is_replaced_however_it_is_written() {
    let numbers = [(SettingName::InitLimit, Bound::Exactly(30))];
    for (text, after) in [
        (
            "initLimit=30\r\ninitLimit : \\\r\n  10\r\n#x\r\n",
            "initLimit=30\r\ninitLimit=30\r\n#x\r\n",
        ),
        ("initLimit 10", "initLimit=30"),
        ("a=b", "a=b\ninitLimit=30\n"),
        ("a=b\\", "a=b\\\n\ninitLimit=30\n"),
        ("", "initLimit=30\n"),
        ("#x\rinitLimit=1\ra=b\r", "#x\rinitLimit=30\ra=b\r"),
    ] {
        let edit = edited(text, &wanted(&numbers, &[]));
        assert_eq!(edit.after, after, "{text:?}");
        assert!(edited(&edit.after, &wanted(&numbers, &[])).is_empty(), "{text:?}");
    }
}

#[test]
fn words_that_are_allowed_stay_allowed() {
    let text = "4lw.commands.whitelist=ruok,stat\n";
    let edit = edited(text, &wanted(&[], &["conf", "ruok"]));
    assert_eq!(edit.after, "4lw.commands.whitelist=ruok, stat, conf\n");
    assert_eq!(edit.notes, []);
}

#[test]
fn bytes_beyond_ascii_stay_as_they_are() {
    let text = latin_1(b"# Gr\xf6\xdfe\ninitLimit=1\n4lw.commands.whitelist=\\u0072uok\n");
    let numbers = [(SettingName::InitLimit, Bound::Exactly(30))];
    let edit = edited(&text, &wanted(&numbers, &["conf"]));
    let after = b"# Gr\xf6\xdfe\ninitLimit=30\n4lw.commands.whitelist=ruok, conf\n";
    assert_eq!(edit.after, latin_1(after));
}

#[test]
fn a_default_that_is_as_wanted_needs_no_line() {
    let of = |name, bound| edited("tickTime=2000\n", &wanted(&[(name, bound)], &[])).after;
    assert_eq!(of(SettingName::MaxClientCnxns, Bound::AtLeast(60)), "tickTime=2000\n");
    assert_eq!(of(SettingName::MaxSessionTimeout, Bound::Exactly(40_000)), "tickTime=2000\n");
    assert_eq!(
        of(SettingName::MinSessionTimeout, Bound::Exactly(5000)),
        "tickTime=2000\nminSessionTimeout=5000\n"
    );
    let unlimited = wanted(&[(SettingName::MaxClientCnxns, Bound::AtLeast(60))], &[]);
    assert!(edited("maxClientCnxns=0\n", &unlimited).is_empty());
}

#[test]
fn a_digest_that_is_known_replaces_another_one() {
    let all = WantedSettings { superuser: true, ..WantedSettings::default() };
    let text = "DigestAuthenticationProvider.superDigest=super:old=\n";
    let known = edit(text, &all, SuperUser::Digest("super", Some("super:new="))).expect("an edit");
    assert_eq!(known.after, "DigestAuthenticationProvider.superDigest=super:new=\n");
    assert_eq!(known.notes, [EditNote::SecretInFile]);
    assert!(edited(text, &all).is_empty());
    let other = edit("", &all, SuperUser::OtherScheme).expect("an edit");
    assert_eq!((other.is_empty(), other.notes), (true, vec![EditNote::OtherScheme]));
}

/// With a tick of 6000 ms a leader pings each 3 s, and a learner with 500 ms and limit 5 gives up
/// after 2.5 s.
#[test]
fn ticks_that_lose_each_other_are_named() {
    let tick = |from: &str, to| {
        let numbers = [(SettingName::TickTime, Bound::Exactly(to))];
        let notes = edited(from, &wanted(&numbers, &[])).notes;
        notes.into_iter().find(|note| matches!(note, EditNote::TicksApart { .. }))
    };
    let apart = tick("tickTime=500\nsyncLimit=5\n", 6000);
    assert_eq!(apart, Some(EditNote::TicksApart { from_ms: 500, to_ms: 6000 }));
    assert_eq!(tick("tickTime=2000\nsyncLimit=5\n", 3000), None);
}

#[test]
fn a_size_limit_in_the_file_is_a_flag_that_is_lacking() {
    let edit = edited("jute.maxbuffer=4194304\n", &WantedSettings::default());
    assert_eq!(edit.jvm_flags, ["-Djute.maxbuffer=4194304"]);
    assert_eq!(edit.notes, [EditNote::MaxBufferIgnored]);
}

#[test]
fn a_file_that_no_server_reads_is_refused() {
    let malformed = edit("a=C:\\users\n", &WantedSettings::default(), SuperUser::OtherScheme);
    assert_eq!(malformed, Err(MalformedEscape { line: 1 }));
}
