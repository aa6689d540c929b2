use super::*;

fn run(entries: Vec<Entry>) -> Run {
    let by = Stamp { nonce: "n".into(), who: "w".into(), host: "h".into(), pid: 1, at: "t".into() };
    let record = |entry| Record::new(entry, "n".into(), "t".into());
    Run {
        number: 1,
        header: Ok(Header::new("p".into(), "e".into(), 1, BTreeMap::new(), by)),
        last: entries.len() as u64,
        illegible: BTreeMap::new(),
        records: entries.into_iter().map(record).collect(),
    }
}

#[test]
fn entries_come_back_as_they_were_written() {
    let entry = Entry::HookEnded {
        step: StepId::new("stop-1"),
        how: HookEnd::Failed("exit status 3".into()),
    };
    let record = Record::new(entry, "n".into(), "t".into());
    assert_eq!(Record::read(write(&record).as_bytes()), Ok(record));
}

#[test]
fn content_of_a_newer_version_is_distinguished_from_garbage() {
    let newer = br#"{"formatVersion":2,"entry":"claimed","who":"w","nonce":"n","at":"t"}"#;
    assert_eq!(Record::read(newer), Err(Illegible::Newer(2)));
    assert_eq!(Header::read(br#"{"formatVersion":9}"#), Err(Illegible::Newer(9)));
    for garbled in ["", "{}", "[]", r#"{"formatVersion":"x"}"#, r#"{"entry":"unheard-of"}"#] {
        assert_eq!(Record::read(garbled.as_bytes()), Err(Illegible::Garbled), "{garbled}");
        assert_eq!(Header::read(garbled.as_bytes()), Err(Illegible::Garbled), "{garbled}");
    }
    let added = br#"{"formatVersion":1,"entry":"claimed","who":"w","nonce":"n","at":"t","why":""}"#;
    assert!(Record::read(added).is_ok(), "later versions add keys");
}

#[test]
fn journals_of_the_first_version_are_read() {
    let header = br#"{"ensemble":"e","format":"zkplan/run","leaving":{},"opened":{"at":"t",
        "host":"h","nonce":"n","pid":1,"who":"w"},"pieces":1,"plan_id":"sha256:1"}"#;
    assert_eq!(Header::read(header).unwrap().plan_id, "sha256:1");
    let record = br#"{"at":"t","entry":"closed","nonce":"n"}"#;
    assert_eq!(Record::read(record).unwrap().entry, Entry::Closed);
    let lock = br#"{"at":"t","host":"h","nonce":"n","operation":"apply","pid":1,
        "plan_id":"sha256:1","who":"w"}"#;
    assert_eq!(read::<LockText>(lock).unwrap().plan_id, "sha256:1");
}

#[test]
fn a_run_of_entries_that_are_not_understood_was_begun_all_the_same() {
    let mut garbled = run(Vec::new());
    assert!(!garbled.is_begun() && !garbled.is_open());
    garbled.last = 2;
    garbled.illegible = BTreeMap::from([(1, Illegible::Garbled), (2, Illegible::Newer(2))]);
    assert!(garbled.is_begun() && garbled.is_open());
}

#[test]
fn a_hook_whose_end_was_not_seen_is_in_doubt() {
    let step = StepId::new("start-4");
    let begun = run(vec![Entry::HookIntent { step: step.clone() }]);
    assert_eq!(begun.hooks_in_doubt().len(), 1);
    let ended = Entry::HookEnded { step: step.clone(), how: HookEnd::Succeeded };
    let ended = run(vec![Entry::HookIntent { step }, ended]);
    assert_eq!(ended.hooks_in_doubt().len(), 0);
}

#[test]
fn a_plan_of_any_size_fits_into_znodes() {
    let plan = "x".repeat(PIECE_BYTES * 2 + 1);
    let pieces = pieces(&plan);
    assert_eq!(pieces.len(), 3);
    assert_eq!(pieces.concat(), plan);
}

#[test]
fn who_has_it_done_and_why_is_kept_and_older_entries_say_nothing_of_it() {
    let by =
        Stamp { nonce: "n".into(), who: "ci".into(), host: "h".into(), pid: 1, at: "t".into() };
    let leaving = LeavingText { line: "server.1=a".into(), client: None, tls: false };
    let leaving = BTreeMap::from([(1, leaving)]);
    let mut header = Header::new("p".into(), "e".into(), 1, leaving, by.clone());
    let mut lock = LockText::new(by, "apply", "p".into());
    assert!(!write(&header).contains("reason") && !write(&lock).contains("actor"));
    header.cause = Cause { actor: Some("ann".into()), reason: Some("OPS-7".into()) };
    lock.cause = header.cause.clone();
    assert_eq!(Header::read(write(&header).as_bytes()), Ok(header.clone()));
    assert_eq!(read::<LockText>(write(&lock).as_bytes()), Some(lock));
    assert_eq!(header.opened.for_whom(&header.cause), "ann (ci@h)");
    assert_eq!(header.opened.for_whom(&Cause::default()), "ci@h");
}
