//! All clients together, as operators have them: some are restarted with another connect string, some are
//! left alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tempfile::TempDir;
use zkplan::demo::Java;

use crate::harness::{ports, wait_until};
use crate::holdings::{Holdings, brokers_are_in_sync, holdings};
use crate::libraries::{Libraries, source};
use crate::program::{PATIENCE, Program};

/// What the session of each client is given as its time-out, in milliseconds. The programs hold it too.
pub(crate) const TIMEOUT_MS: u64 = 15_000;

/// What the two brokers are called among holdings.
pub(crate) const BROKERS: [(u8, &str); 2] = [(1, "broker-1"), (2, "broker-2")];

/// Clients with Curator, with kazoo and with go-zookeeper, two brokers, and an application that writes to
/// these.
pub(crate) struct Crowd {
    /// Where the ensemble is asked about them.
    asked: String,
    kinds: Vec<&'static str>,
    curator: Program,
    kazoo: Program,
    go: Program,
    brokers: BTreeMap<u8, Broker>,
    producer: Program,
    // Dropped last: the programs write to it.
    folder: TempDir,
}

/// A Kafka broker.
struct Broker {
    port: u16,
    program: Program,
}

impl Broker {
    fn start(folder: &Path, id: u8, port: u16, servers: &str) -> Self {
        let data = folder.join(format!("kafka-{id}"));
        let settings = format!(
            "broker.id={id}\nlisteners=PLAINTEXT://127.0.0.1:{port}\nzookeeper.connect={servers}/kafka\n\
             zookeeper.session.timeout.ms={TIMEOUT_MS}\nlog.dirs={}\nlog.cleaner.enable=false\n",
            data.display()
        );
        let logging = "log4j.rootLogger=INFO, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n\
                       log4j.appender.out.layout=org.apache.log4j.SimpleLayout\n";
        let write = |name: &str, text: &str| {
            let file = folder.join(format!("kafka-{id}.{name}"));
            fs::write(&file, text).expect("the temporary directory can be written to");
            file.display().to_string()
        };
        let (settings, logging) = (write("settings", &settings), write("logging", logging));
        let flags = ["-Xmx256m".to_owned(), format!("-Dlog4j.configuration=file:{logging}")];
        let java = &Libraries::get().kafka;
        let program = Program::start(folder, &format!("kafka-{id}"), java.program(), |command| {
            command.args(java.arguments(&flags, "kafka.Kafka")).arg(settings);
        });
        Self { port, program }
    }
}

impl Crowd {
    /// Starts all with this connect string, and returns when each holds something and writes.
    pub(crate) fn at_work(
        servers: &str,
        asked: &str,
        kinds: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        let folder = tempfile::Builder::new().prefix("zkplan-clients-").tempdir();
        let folder = folder.expect("the temporary directory can be written to");
        let kinds: Vec<&'static str> = kinds.into_iter().collect();
        let start = |(id, _): (u8, &str)| {
            let [port] = ports::free();
            (id, Broker::start(folder.path(), id, port, servers))
        };
        let brokers: BTreeMap<u8, Broker> = BROKERS.into_iter().map(start).collect();
        let curator = curator(folder.path(), servers, &kinds);
        let (kazoo, go) = (kazoo(folder.path(), servers), go(folder.path(), servers));
        let all = kinds.len() + brokers.len() + 2;
        wait_until("all clients to hold something", PATIENCE, || {
            (holdings(asked).len() == all).then_some(())
        });
        let producer = producer(folder.path(), brokers.values().map(|broker| broker.port));
        let asked = asked.to_owned();
        let mut crowd = Self { asked, kinds, curator, kazoo, go, brokers, producer, folder };
        let held = crowd.holdings();
        crowd.keeps(&held);
        crowd.wait_for_brokers();
        crowd
    }

    /// What each holds now, by the ensemble's own word.
    pub(crate) fn holdings(&self) -> Holdings {
        holdings(&self.asked)
    }

    /// The program in which a client of this name runs.
    pub(crate) fn program(&mut self, client: &str) -> &mut Program {
        match client {
            "kazoo" => &mut self.kazoo,
            "go" => &mut self.go,
            "producer" => &mut self.producer,
            kind if self.kinds.contains(&kind) => &mut self.curator,
            other => {
                let (id, _) =
                    BROKERS.into_iter().find(|(_, name)| *name == other).expect("a client");
                &mut self.brokers.get_mut(&id).expect("there are two brokers").program
            }
        }
    }

    /// Each of these clients still writes, in the session that it has, and holds what it held. Of brokers the
    /// application that writes to them tells whether they work.
    pub(crate) fn keeps(&mut self, held: &Holdings) {
        for (client, held) in held.iter().filter(|(client, _)| !is_broker(client)) {
            let program = self.program(client);
            let before = program.says_now(client).writes;
            let session = program.wait(&format!("{client} to write"), |own| {
                let said = own.last(client).filter(|said| said.writes > before + 1)?;
                Some(said.session)
            });
            assert_eq!(session, Some(held.session), "{client} is in its session");
            assert!(!program.has_lost(client), "{client} takes its session for lost");
        }
        self.application_writes();
        let now = self.holdings();
        for (client, held) in held {
            assert_eq!(now.get(client), Some(held), "{client} holds what it held");
        }
    }

    /// The application goes on to write to Kafka, and no write has ever failed.
    pub(crate) fn application_writes(&mut self) {
        let before = self.producer.says_now("producer").writes;
        self.producer.wait("the application to write", |own| {
            let said = own.last("producer").expect("it said how it is before");
            assert_eq!(said.failed, 0, "writes to Kafka fail");
            (said.writes > before).then_some(())
        });
    }

    /// Restarts what reads its connect string at its start only: the brokers one after the other.
    pub(crate) fn restarted_with(mut self, servers: &str) -> Self {
        let before = self.holdings();
        self.kazoo.stop();
        self.go.stop();
        self.kazoo = kazoo(self.folder.path(), servers);
        self.go = go(self.folder.path(), servers);
        for (id, name) in BROKERS {
            let Broker { port, program } = self.brokers.remove(&id).expect("a broker");
            program.stop();
            self.brokers.insert(id, Broker::start(self.folder.path(), id, port, servers));
            self.wait_for_another_session(name, &before);
            self.wait_for_brokers();
        }
        for name in ["kazoo", "go"] {
            self.wait_for_another_session(name, &before);
        }
        self
    }

    /// Waits until a client holds something in another session than before.
    pub(crate) fn wait_for_another_session(&self, client: &str, before: &Holdings) {
        let old = before.get(client).map(|held| held.session);
        wait_until(format!("another session of {client}"), PATIENCE, || {
            let held = self.holdings().remove(client)?;
            (Some(held.session) != old).then_some(())
        });
    }

    fn wait_for_brokers(&self) {
        wait_until("both brokers to be in sync", PATIENCE, || {
            brokers_are_in_sync(&self.asked).then_some(())
        });
    }
}

/// Whether that is the name of a broker.
pub(crate) fn is_broker(client: &str) -> bool {
    BROKERS.into_iter().any(|(_, name)| name == client)
}

fn curator(folder: &Path, servers: &str, kinds: &[&str]) -> Program {
    let java = &Libraries::get().curator;
    java_source(folder, java, "Curator.java", |command| {
        command.arg(servers).args(kinds);
    })
}

fn producer(folder: &Path, brokers: impl Iterator<Item = u16>) -> Program {
    let brokers: Vec<String> = brokers.map(|port| format!("127.0.0.1:{port}")).collect();
    java_source(folder, &Libraries::get().kafka, "Producer.java", |command| {
        command.arg(brokers.join(","));
    })
}

/// Debian's Java runtime compiles a source of one file itself.
fn java_source(
    folder: &Path,
    java: &Java,
    file: &str,
    complete: impl FnOnce(&mut std::process::Command),
) -> Program {
    let path = source(file).display().to_string();
    let flags = ["-Xmx128m".to_owned()];
    Program::start(folder, file, java.program(), |command| {
        command.args(java.arguments(&flags, &path));
        complete(command);
    })
}

fn kazoo(folder: &Path, servers: &str) -> Program {
    Program::start(folder, "kazoo", &Libraries::get().python, |command| {
        command.arg(source("kazoo_client.py")).arg(servers);
    })
}

fn go(folder: &Path, servers: &str) -> Program {
    Program::start(folder, "go", &Libraries::get().go, |command| {
        command.arg(servers);
    })
}
