//! What the writer's thread does: write, write again what may be lost, read everything back.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::join_all;
use tokio::select;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};
use zookeeper_client::{Acls, Client, CreateMode, Error};

use super::report::{WriterError, WriterReport};
use crate::model::Endpoint;

/// The session that is asked for, as in `plans/demo.yaml`.
const SESSION_TIMEOUT: Duration = Duration::from_secs(4);

/// The rest between an acknowledgement and the next write.
const REST: Duration = Duration::from_millis(5);

/// How long the last write may take, and again how long reading from one server may take.
const LAST_LIMIT: Duration = Duration::from_secs(20);

/// Znodes that are asked for at once.
const CHUNK: usize = 256;

/// Where the znodes are.
const PARENT: &str = "/demo";

/// Writes until there is an order to finish, then reports; nothing where the sender of orders is
/// gone.
pub(super) async fn write(
    addresses: &str,
    mut orders: oneshot::Receiver<Vec<Endpoint>>,
    acknowledged: &AtomicU64,
) -> Option<Result<WriterReport, WriterError>> {
    let mut connected = Connected { addresses, client: None, sessions: 0 };
    let mut gaps = Gaps::default();
    let mut number = 0;
    loop {
        let written = select! {
            biased;
            order = &mut orders => {
                // What was under way is written once more, which does no harm.
                let servers = order.ok()?;
                let last = timeout(LAST_LIMIT, connected.write(number)).await;
                let stuck = WriterError::Stuck { waited_s: LAST_LIMIT.as_secs() };
                if let Err(cause) = last.unwrap_or(Err(stuck)) {
                    return Some(Err(cause));
                }
                gaps.end(Instant::now());
                acknowledged.store(number + 1, Ordering::Relaxed);
                let lost = lost(&servers, number + 1).await;
                return Some(lost.map(|lost| WriterReport {
                    acknowledged: number + 1,
                    lost,
                    longest_gap_ms: gaps.longest_ms(),
                    sessions: connected.sessions,
                }));
            }
            written = connected.write(number) => written,
        };
        if let Err(cause) = written {
            return Some(Err(cause));
        }
        gaps.end(Instant::now());
        number += 1;
        acknowledged.store(number, Ordering::Relaxed);
        sleep(REST).await;
    }
}

/// A client and what it takes to keep one.
struct Connected<'a> {
    addresses: &'a str,
    client: Option<Client>,
    sessions: u32,
}

impl Connected<'_> {
    /// Returns once the znode of that number is there, and known to be.
    ///
    /// Where a connection is lost, it is not known whether the write was done. To send it again
    /// settles that: either it is done now, or the answer is that the znode is there, and that
    /// answer comes only after whatever put it there has been committed. No other client writes
    /// these names. So the future may be dropped and made anew at any time.
    async fn write(&mut self, number: u64) -> Result<(), WriterError> {
        let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
        let (path, data) = znode(number);
        loop {
            let Some(client) = self.client().await else { continue };
            match client.create(&path, data.as_bytes(), &options).await {
                Ok(_) | Err(Error::NodeExists) => return Ok(()),
                Err(Error::NoNode) => {
                    // The first write of all. Should this fail, the next round comes back here.
                    if let Err(cause) = client.create(PARENT, b"", &options).await
                        && is_final(&cause)
                    {
                        return Err(WriterError::Refused(cause));
                    }
                }
                Err(cause) if is_final(&cause) => return Err(WriterError::Refused(cause)),
                Err(_) => {
                    if client.state().is_terminated() {
                        self.client = None;
                    }
                    sleep(REST).await;
                }
            }
        }
    }

    /// The client, or a new one; nothing where no server made a session in time.
    async fn client(&mut self) -> Option<&Client> {
        if self.client.is_none() {
            let connector = Client::connector().with_session_timeout(SESSION_TIMEOUT);
            match connector.connect(self.addresses).await {
                Ok(client) => {
                    self.client = Some(client);
                    self.sessions += 1;
                }
                Err(_) => sleep(REST).await,
            }
        }
        self.client.as_ref()
    }
}

/// Whether sending the same again cannot help. All else is taken for a lost connection or an ended
/// session, of which the library makes many errors.
fn is_final(cause: &Error) -> bool {
    matches!(
        cause,
        Error::NoAuth
            | Error::InvalidAcl
            | Error::BadArguments(_)
            | Error::QuotaExceeded
            | Error::NoChildrenForEphemerals
            | Error::Unimplemented
            | Error::MarshallingError
    )
}

/// The path and the data of a znode.
fn znode(number: u64) -> (String, String) {
    (format!("{PARENT}/write-{number:08}"), format!("write {number}"))
}

/// The times between acknowledgements.
#[derive(Default)]
struct Gaps {
    last: Option<Instant>,
    longest: Duration,
}

impl Gaps {
    /// Something was acknowledged now.
    fn end(&mut self, now: Instant) {
        if let Some(last) = self.last.replace(now) {
            self.longest = self.longest.max(now - last);
        }
    }

    fn longest_ms(&self) -> u64 {
        u64::try_from(self.longest.as_millis()).unwrap_or(u64::MAX)
    }
}

/// How many of the first `count` znodes one of these servers or another does not have.
async fn lost(servers: &[Endpoint], count: u64) -> Result<u64, WriterError> {
    let mut lost = BTreeSet::new();
    for at in servers {
        let read = async {
            loop {
                if let Ok(missing) = missing(at, count).await {
                    return missing;
                }
                sleep(20 * REST).await;
            }
        };
        let unread = || WriterError::Unread { at: at.clone(), waited_s: LAST_LIMIT.as_secs() };
        lost.extend(timeout(LAST_LIMIT, read).await.map_err(|_| unread())?);
    }
    Ok(u64::try_from(lost.len()).unwrap_or(u64::MAX))
}

/// Reads the first `count` znodes from one server, and returns which are missing or other.
async fn missing(at: &Endpoint, count: u64) -> Result<Vec<u64>, Error> {
    let connector = Client::connector().with_session_timeout(SESSION_TIMEOUT).with_fail_eagerly();
    let client = connector.connect(&at.to_string()).await?;
    // What was acknowledged through any other server is here after this.
    client.sync(PARENT).await?;
    let numbers: Vec<u64> = (0..count).collect();
    let mut missing = Vec::new();
    for chunk in numbers.chunks(CHUNK) {
        let reads = chunk.iter().map(|number| client.get_data(&znode(*number).0));
        for (number, read) in chunk.iter().zip(join_all(reads).await) {
            match read {
                Ok((data, _)) if data == znode(*number).1.as_bytes() => {}
                Ok(_) | Err(Error::NoNode) => missing.push(*number),
                Err(cause) => return Err(cause),
            }
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_is_between_two_neighbours() {
        let start = Instant::now();
        let mut gaps = Gaps::default();
        assert_eq!(gaps.longest_ms(), 0);
        for ms in [1000, 1005, 1405, 1412] {
            gaps.end(start + Duration::from_millis(ms));
        }
        assert_eq!(gaps.longest_ms(), 400);
    }
}
