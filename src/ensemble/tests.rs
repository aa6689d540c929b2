//! The real port against sockets that behave badly.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{
    Ensemble, FourLetterWord, Limits, NoAnswer, PortState, TlsFailure, TlsSetupError, ZooKeeper,
};
use crate::model::{Endpoint, Host, Tls};

/// Short enough for a test, long enough for a busy machine.
const SHORT: Limits = Limits {
    connect: Duration::from_millis(400),
    handshake: Duration::from_millis(400),
    answer: Duration::from_millis(400),
    answer_bytes: 4096,
    adapt: true,
};

fn zookeeper() -> ZooKeeper {
    ZooKeeper::new(SHORT, None).expect("no certificates to read")
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(test)
}

/// Listens, counts the connections, and serves each one.
async fn listen<F>(serve: fn(TcpStream) -> F) -> (Endpoint, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let came = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&came);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(serve(stream));
        }
    });
    (Endpoint::plain(Host::new("127.0.0.1"), port), came)
}

/// Like a stopped process: the kernel accepts, but no answer comes.
async fn never(stream: TcpStream) {
    std::future::pending::<()>().await;
    drop(stream);
}

async fn hang_up(stream: TcpStream) {
    drop(stream);
}

/// Reads the word, answers, and closes the connection.
async fn say(mut stream: TcpStream, what: &[u8]) {
    let mut word = [0; 4];
    if stream.read_exact(&mut word).await.is_ok() {
        stream.write_all(what).await.ok();
    }
}

#[test]
fn a_port_without_a_listener_is_refused() {
    run(async {
        let (at, _) = listen(hang_up).await;
        let free = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let unused = Endpoint { port, ..at };
        assert_eq!(zookeeper().ask(&unused, FourLetterWord::Srvr).await, Err(NoAnswer::Refused));
        assert_eq!(zookeeper().read(&unused).await, Err(NoAnswer::Refused));
        assert_eq!(zookeeper().check_port(&unused.host, port).await, PortState::Refused);
        let admin = zookeeper().admin(&format!("http://{unused}"), "zabstate").await;
        assert_eq!(admin, Err(NoAnswer::Refused));
    });
}

#[test]
fn an_answer_that_comes_late_is_awaited_longer_the_second_time() {
    run(async {
        let (at, came) = listen(|stream| async {
            tokio::time::sleep(2 * SHORT.answer).await;
            say(stream, b"Mode: follower\n").await;
        })
        .await;
        let port = zookeeper();
        assert_eq!(port.ask(&at, FourLetterWord::Srvr).await.as_deref(), Ok("Mode: follower\n"));
        assert_eq!(came.load(Ordering::Relaxed), 2);
        // The measured time applies from the first try on.
        assert_eq!(port.ask(&at, FourLetterWord::Srvr).await.as_deref(), Ok("Mode: follower\n"));
        assert_eq!(came.load(Ordering::Relaxed), 3);
    });
}

#[test]
fn a_server_that_did_not_answer_twice_is_asked_once_from_then_on() {
    run(async {
        let (at, came) = listen(never).await;
        let port = zookeeper();
        for tries in [2, 3, 4] {
            assert_eq!(port.ask(&at, FourLetterWord::Srvr).await, Err(NoAnswer::AnswerTimedOut));
            assert_eq!(came.load(Ordering::Relaxed), tries);
        }
    });
}

#[test]
fn a_frozen_server_is_not_waited_for_longer_than_the_limits() {
    run(async {
        let (at, came) = listen(never).await;
        let began = Instant::now();
        let port = zookeeper();
        let (word, session) = futures::join!(port.ask(&at, FourLetterWord::Srvr), port.read(&at));
        assert_eq!(word, Err(NoAnswer::AnswerTimedOut));
        assert_eq!(session, Err(NoAnswer::AnswerTimedOut));
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(
            port.admin(&format!("http://{at}"), "leader").await,
            Err(NoAnswer::AnswerTimedOut)
        );
        // The client library would keep reconnecting. This client does not.
        let before = came.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(1200)).await;
        assert_eq!(came.load(Ordering::Relaxed), before);
    });
}

#[test]
fn a_server_that_hangs_up_is_closed() {
    run(async {
        let (at, _) = listen(hang_up).await;
        assert_eq!(zookeeper().ask(&at, FourLetterWord::Srvr).await, Err(NoAnswer::Closed));
        assert_eq!(zookeeper().read(&at).await, Err(NoAnswer::Closed));
        assert_eq!(zookeeper().check_port(&at.host, at.port).await, PortState::Open);
    });
}

#[test]
fn refusals_are_recognised() {
    run(async {
        let (at, _) = listen(|stream| async {
            say(stream, b"conf is not executed because it is not in the whitelist.\n").await;
        })
        .await;
        assert_eq!(zookeeper().ask(&at, FourLetterWord::Conf).await, Err(NoAnswer::NotWhitelisted));
    });
}

#[test]
fn an_answer_without_end_is_unreadable() {
    run(async {
        let (at, _) =
            listen(
                |mut stream| async move { while stream.write_all(&[b'x'; 1024]).await.is_ok() {} },
            )
            .await;
        assert_eq!(zookeeper().ask(&at, FourLetterWord::Mntr).await, Err(NoAnswer::Unreadable));
        let session = zookeeper().read(&at).await;
        assert!(session.is_err(), "{session:?}");
    });
}

#[test]
fn an_answer_of_other_bytes_than_text_is_kept_as_text() {
    run(async {
        let (at, _) = listen(|stream| async { say(stream, b"Mode: \xff\xfe\n").await }).await;
        assert_eq!(
            zookeeper().ask(&at, FourLetterWord::Srvr).await.as_deref(),
            Ok("Mode: \u{fffd}\u{fffd}\n")
        );
    });
}

#[test]
fn an_admin_server_is_read_and_its_redirects_are_not_followed() {
    run(async {
        let (at, _) = listen(|stream| async {
            say(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"myid\": 5}").await;
        })
        .await;
        let answer = zookeeper().admin(&format!("http://{at}/"), "zabstate").await;
        assert_eq!(answer, Ok(serde_json::json!({ "myid": 5 })));
        let (at, _) = listen(|stream| async {
            say(
                stream,
                b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            )
            .await;
        })
        .await;
        let answer = zookeeper().admin(&format!("http://{at}"), "zabstate").await;
        assert_eq!(answer, Err(NoAnswer::Unreadable));
    });
}

#[test]
fn hosts_that_are_no_names_are_never_looked_up() {
    run(async {
        for text in ["zk\u{1b}[2J", "a,127.0.0.1", "a/b", ""] {
            let at = Endpoint::plain(Host::new(text), 2181);
            assert_eq!(zookeeper().ask(&at, FourLetterWord::Srvr).await, Err(NoAnswer::Unresolved));
            assert_eq!(zookeeper().read(&at).await, Err(NoAnswer::Unresolved));
            assert_eq!(zookeeper().check_port(&at.host, 1).await, PortState::Unreachable);
            assert!(zookeeper().resolve(&at.host).await.is_empty());
        }
        let loopback = zookeeper().resolve(&Host::new("localhost")).await;
        assert!(loopback.iter().all(std::net::IpAddr::is_loopback) && !loopback.is_empty());
    });
}

#[test]
fn tls_without_certificates_is_no_tls() {
    run(async {
        let (at, _) = listen(hang_up).await;
        let at = Endpoint { tls: true, ..at };
        let none = NoAnswer::Tls(TlsFailure::NoAuthority);
        assert_eq!(zookeeper().ask(&at, FourLetterWord::Srvr).await, Err(none));
        assert_eq!(zookeeper().read(&at).await, Err(none));
    });
}

#[test]
fn certificates_that_cannot_be_used_are_named() {
    let tls = |ca: PathBuf| Tls { ca, cert: None, key: None };
    let missing = ZooKeeper::new(SHORT, Some(&tls("/nowhere/ca.pem".into())));
    assert!(matches!(missing, Err(TlsSetupError::Unreadable { .. })));
    let directory = tempfile::tempdir().expect("a directory");
    let empty = directory.path().join("ca.pem");
    std::fs::write(&empty, "nothing").expect("written");
    let error = ZooKeeper::new(SHORT, Some(&tls(empty))).err().expect("no certificate");
    assert!(matches!(error, TlsSetupError::NoPem { .. }));
    assert!(error.to_string().ends_with("has no certificate in PEM format"), "{error}");
}

/// Listens like a server with `maxClientCnxns`: it answers words after a while, and closes excess
/// connections at once. Counts the most open connections, and the closed ones.
async fn limited(limit: usize) -> (Endpoint, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let [now, most, closed] = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
    let counts = (Arc::clone(&most), Arc::clone(&closed));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if now.load(Ordering::SeqCst) >= limit {
                closed.fetch_add(1, Ordering::SeqCst);
                continue;
            }
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let now = Arc::clone(&now);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                say_then(stream, b"Mode: follower\n", || now.fetch_sub(1, Ordering::SeqCst)).await;
            });
        }
    });
    (Endpoint::plain(Host::new("127.0.0.1"), port), counts.0, counts.1)
}

/// Answers a request, and waits until the end is counted before it closes the connection.
async fn say_then<T>(mut stream: TcpStream, text: &[u8], end: impl FnOnce() -> T) {
    let mut word = [0; 4];
    if stream.read_exact(&mut word).await.is_ok() {
        stream.write_all(text).await.ok();
    }
    end();
}

#[test]
fn a_server_has_two_connections_at_a_time_at_most() {
    run(async {
        let (at, most, closed) = limited(usize::MAX).await;
        let port = zookeeper();
        let all =
            futures::future::join_all((0..9).map(|_| port.ask(&at, FourLetterWord::Srvr))).await;
        assert!(all.iter().all(Result::is_ok), "{all:?}");
        assert_eq!((most.load(Ordering::SeqCst), closed.load(Ordering::SeqCst)), (2, 0));
        assert!(!port.takes_one_connection(&at));
    });
}

#[test]
fn a_server_at_its_limit_is_asked_one_question_after_the_other() {
    run(async {
        let (at, most, closed) = limited(1).await;
        let port = zookeeper();
        let ask = || async {
            futures::join!(port.ask(&at, FourLetterWord::Srvr), port.ask(&at, FourLetterWord::Mntr))
        };
        let (one, other) = ask().await;
        assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
        assert!(port.takes_one_connection(&at));
        let before = closed.load(Ordering::SeqCst);
        let (one, other) = ask().await;
        assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
        assert_eq!(closed.load(Ordering::SeqCst), before, "it was asked twice at a time again");
        assert_eq!(most.load(Ordering::SeqCst), 1);
    });
}

/// Others have all that it allows.
#[test]
fn a_server_that_closes_every_connection_is_not_one_with_a_limit_of_one() {
    run(async {
        let (at, ..) = limited(0).await;
        let port = zookeeper();
        let answers = futures::join!(
            port.ask(&at, FourLetterWord::Srvr),
            port.ask(&at, FourLetterWord::Conf)
        );
        assert_eq!(answers, (Err(NoAnswer::Closed), Err(NoAnswer::Closed)));
        assert!(!port.takes_one_connection(&at));
    });
}
