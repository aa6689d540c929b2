//! What a careful person with a client would do: the same six reconfigs, each conditional on the
//! one before, and after each a committed write and a look at every server.

use std::time::Duration;

use zookeeper_client::{Acls, Client, CreateMode, EnsembleUpdate, Error};

use crate::harness::{Ensemble, SUPER_PASSWORD};

/// Between two looks at a server that has not followed yet.
const PAUSE: Duration = Duration::from_millis(5);

/// `KeeperException.NewConfigNoQuorum`.
const NO_QUORUM: i32 = -13;

/// Written to after each reconfig.
const MARK: &str = "/reference";

/// Moves the ensemble from some servers onto others, with whoever leads last.
pub(crate) fn migrate(ensemble: &Ensemble, from: [u8; 3], to: [u8; 3]) {
    let leader = ensemble.wait_leader();
    let mut leaving = from;
    leaving.sort_by_key(|id| *id == leader);
    let joins = to.map(|id| (Some(ensemble.server_line(id)), None));
    let leaves = leaving.map(|id| (None, Some(id.to_string())));
    let all = from.into_iter().chain(to).map(|id| ensemble.client_address(id).to_string());
    let all: Vec<String> = all.collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime for one client").block_on(async {
        let mut person = Person::begin(&all).await.expect("all servers serve");
        for (joining, leaving) in joins.into_iter().chain(leaves) {
            person.reconfig(joining.as_deref(), leaving.as_deref()).await;
            person.proves(&all).await;
        }
    });
}

struct Person {
    client: Client,
    version: u64,
}

impl Person {
    async fn begin(all: &[String]) -> Result<Self, Error> {
        let credentials = format!("super:{SUPER_PASSWORD}");
        let connector = Client::connector().with_auth("digest", credentials.as_bytes());
        let client = connector.connect(&all.join(",")).await?;
        match client.create(MARK, b"", &CreateMode::Persistent.with_acls(Acls::anyone_all())).await
        {
            Ok(_) | Err(Error::NodeExists) => {}
            Err(why) => return Err(why),
        }
        let version = version(&client.get_config().await?.0);
        Ok(Self { client, version })
    }

    async fn reconfig(&mut self, joining: Option<&str>, leaving: Option<&str>) {
        let update = || EnsembleUpdate::Incremental {
            joinings: joining.into_iter(),
            leavings: leaving.into_iter(),
        };
        let from = i64::try_from(self.version).expect("a zxid is a positive i64");
        self.version = loop {
            let replied = self.client.update_ensemble(update(), Some(from)).await;
            // Too few followers are in sync again after an election: a person asks again.
            if !matches!(replied, Err(Error::UnexpectedErrorCode(NO_QUORUM))) {
                break self.settled(replied.map(|(text, _)| version(&text))).await;
            }
            tokio::time::sleep(PAUSE).await;
        };
    }

    /// The version that a reconfig has made.
    async fn settled(&self, replied: Result<u64, Error>) -> u64 {
        match replied {
            Ok(version) => version,
            // The reply raced the end of the connection; nobody else changes anything here.
            Err(Error::ConnectionLoss) => loop {
                match self.client.get_config().await.map(|(text, _)| version(&text)) {
                    Ok(seen) if seen > self.version => break seen,
                    _ => tokio::time::sleep(PAUSE).await,
                }
            },
            Err(why) => panic!("{why}"),
        }
    }

    /// A write commits in the new configuration, and every server shows it.
    async fn proves(&self, all: &[String]) {
        while let Err(why) = self.client.set_data(MARK, b"", None).await {
            assert!(matches!(why, Error::ConnectionLoss), "{why}");
            tokio::time::sleep(PAUSE).await;
        }
        for address in all {
            while !self.is_shown_by(address).await {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn is_shown_by(&self, address: &str) -> bool {
        let look = async {
            let own = Client::connector().with_fail_eagerly().connect(address).await?;
            own.get_config().await
        };
        look.await.is_ok_and(|(text, _)| version(&text) >= self.version)
    }
}

fn version(config: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(config);
    let version = text.lines().find_map(|line| line.strip_prefix("version="));
    let version = version.and_then(|version| u64::from_str_radix(version, 16).ok());
    version.unwrap_or_else(|| panic!("no version in\n{text}"))
}
