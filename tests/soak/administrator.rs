//! A person with all rights and a client of their own.

use std::time::Duration;

use zookeeper_client::{Acls, Client, CreateMode, EnsembleUpdate, Error};

use crate::harness::SUPER_PASSWORD;
use crate::lab::Lab;
use crate::members::Config;

/// Longer no request may take: in the middle of faults there may be no answer.
const LONGEST: Duration = Duration::from_secs(6);

/// Deletes a znode; whether it was there.
pub(crate) fn delete(lab: &Lab, path: &str) -> Result<bool, String> {
    with_client(lab, async |client| match client.delete(path, None).await {
        Ok(()) => Ok(true),
        Err(Error::NoNode) => Ok(false),
        Err(why) => Err(why),
    })
}

/// Whether a znode is there.
pub(crate) fn exists(lab: &Lab, path: &str) -> Result<bool, String> {
    with_client(lab, async |client| Ok(client.check_stat(path).await?.is_some()))
}

/// Makes znodes below `/`, each with that number of bytes.
pub(crate) fn fill(lab: &Lab, count: usize, bytes: usize) -> Result<(), String> {
    with_client(lab, async |client| {
        let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
        for number in 0..count {
            client.create(&format!("/filled-{number}"), &vec![b'.'; bytes], &options).await?;
        }
        Ok(())
    })
}

/// Sends an unconditional reconfig, and returns what it made.
pub(crate) fn reconfig(lab: &Lab, joining: &[&str], leaving: &[&str]) -> Result<Config, String> {
    let text = with_client(lab, async |client| {
        let update = EnsembleUpdate::Incremental {
            joinings: joining.iter().copied(),
            leavings: leaving.iter().copied(),
        };
        Ok(client.update_ensemble(update, None).await?.0)
    })?;
    Config::parse(&String::from_utf8_lossy(&text)).ok_or_else(|| "no configuration".to_owned())
}

fn with_client<T>(
    lab: &Lab,
    work: impl AsyncFnOnce(&Client) -> Result<T, Error>,
) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime for one client");
    let leader = lab.leader().ok_or("no server leads")?;
    let address = leader.client_address().to_string();
    let work = async {
        let credentials = format!("super:{SUPER_PASSWORD}");
        let connector = Client::connector().with_auth("digest", credentials.as_bytes());
        let client = connector.connect(&address).await?;
        work(&client).await
    };
    let done = runtime.block_on(async { tokio::time::timeout(LONGEST, work).await });
    done.map_err(|_| "no answer".to_owned())?.map_err(|why| why.to_string())
}
