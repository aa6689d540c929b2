//! The ensemble of `zkplan demo`: started, moved to its joiners by hand under a writer, removed.

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use zkplan::demo::{DemoEnsemble, Writer, WriterReport};
use zkplan::model::{Endpoint, ServerId};
use zkplan::spec;
use zookeeper_client::{Client, EnsembleUpdate};

use crate::harness::PATIENCE;
use crate::zkplan::Desk;

const PAUSE: Duration = Duration::from_millis(20);

fn run<T>(story: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("an event loop").block_on(story)
}

#[expect(clippy::print_stderr, reason = "figures belong into the test's output")]
fn say(figures: &str) {
    eprintln!("{figures}");
}

async fn started(below: &Path) -> DemoEnsemble {
    let began = Instant::now();
    let ensemble = DemoEnsemble::start(below).await.expect("an ensemble");
    say(&format!("the ensemble was up in {} ms", began.elapsed().as_millis()));
    ensemble
}

async fn acknowledged(writer: &Writer, more: u64) {
    let goal = writer.acknowledged() + more;
    let written = async {
        while writer.acknowledged() < goal {
            sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, written).await.expect("writes are acknowledged");
}

/// Processes that run in a folder below this one.
fn processes_below(dir: &Path) -> Vec<PathBuf> {
    let processes = fs::read_dir("/proc").expect("/proc").flatten().map(|entry| entry.path());
    processes
        .filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir)))
        .collect()
}

#[test]
fn the_demo_ensemble_takes_a_whole_move_and_leaves_nothing() {
    // No character of the folder's name may matter to anybody.
    let below = tempfile::Builder::new().prefix("zkplan \\u0041=ä#").tempdir().expect("a folder");
    let report = run(async {
        let mut ensemble = started(below.path()).await;
        assert_eq!(processes_below(ensemble.dir()).len(), 6);
        let desk = Desk::new();
        let file = desk.write("demo.yaml", ensemble.spec());
        desk.run(["plan", &file, "--detailed-exitcode"]).exits(2).says([
            "join-4",
            "join-5",
            "join-6",
            "leave-1",
            "leave-2",
            "leave-3",
            "gate: wait for approval",
            "follows without a vote",
        ]);
        let report = moved_to_the_joiners(&mut ensemble).await;
        ensemble.remove().expect("the folder goes");
        report
    });
    say(&format!("{report:?}"));
    // One session through all of it, of whose 4 s of patience the longest gap left some.
    assert_eq!((report.lost, report.sessions), (0, 1));
    assert_eq!(fs::read_dir(below.path()).expect("the folder").count(), 0);
    assert_eq!(processes_below(below.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_demo_ensemble_that_is_dropped_takes_its_servers_along() {
    let below = tempfile::tempdir().expect("a folder");
    run(async {
        let ensemble = started(below.path()).await;
        let writer = Writer::start(&ensemble.present()).expect("a writer");
        acknowledged(&writer, 10).await;
        drop(ensemble);
        assert_eq!(processes_below(below.path()), Vec::<PathBuf>::new());

        // Given up while it comes up.
        timeout(Duration::from_millis(400), DemoEnsemble::start(below.path()))
            .await
            .map(drop)
            .unwrap_err();
        assert_eq!(processes_below(below.path()), Vec::<PathBuf>::new());
    });
    assert_eq!(fs::read_dir(below.path()).expect("the folder").count(), 0);
}

/// Does by hand what apply does, and stops the old servers.
async fn moved_to_the_joiners(ensemble: &mut DemoEnsemble) -> WriterReport {
    let writer = Writer::start(&ensemble.addresses()).expect("a writer");
    acknowledged(&writer, 20).await;
    let spec = spec::parse("demo.yaml", ensemble.spec()).expect("a spec without complaints");
    // Not at the leader, whose own removal cuts its clients' connections.
    let admin = Client::connector()
        .with_auth("digest", format!("super:{}", ensemble.password()).as_bytes())
        .connect(&connect_string(&ensemble.joiners()))
        .await
        .expect("a session");
    for server in spec.membership().servers() {
        let line = server.to_string();
        reconfig(&admin, &line, "", |config| config.contains(&line)).await;
        acknowledged(&writer, 10).await;
    }
    for id in ["1", "2", "3"] {
        let line = format!("server.{id}=");
        reconfig(&admin, "", id, |config| !config.contains(&line)).await;
        acknowledged(&writer, 10).await;
    }
    for id in [1, 2, 3] {
        ensemble.stop(ServerId::new(id));
        acknowledged(&writer, 10).await;
    }
    assert_eq!(processes_below(ensemble.dir()).len(), 3);
    writer.finish(&ensemble.joiners()).await.expect("a report")
}

fn connect_string(servers: &[Endpoint]) -> String {
    servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Asks until the configuration is as wanted; a lost connection says nothing.
async fn reconfig(admin: &Client, joining: &str, leaving: &str, is_wanted: impl Fn(&str) -> bool) {
    let words = |text| Some(text).filter(|text: &&str| !text.is_empty()).into_iter();
    let done = async {
        loop {
            let update =
                EnsembleUpdate::Incremental { joinings: words(joining), leavings: words(leaving) };
            let answer = admin.update_ensemble(update, None).await;
            if let Ok((config, _)) = admin.get_config().await
                && is_wanted(&String::from_utf8_lossy(&config))
            {
                return;
            }
            say(&format!("join `{joining}`, leave `{leaving}`: {answer:?}"));
            sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, done).await.expect("the configuration becomes what is wanted");
}
