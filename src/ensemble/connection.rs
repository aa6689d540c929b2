//! One connection of a held session, in a thread that ends with it.

use std::future::Future;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};
use tokio::sync::oneshot;
use zookeeper_client::{Client, Connector, Error, SessionInfo, SessionState};

use super::RequestError;

/// Between two tries to reach a server again that a session was on.
const TRY_AGAIN: Duration = Duration::from_millis(50);

/// The same where servers enforce authentication and take nothing without the credential.
const REFUSED_AGAIN: Duration = Duration::from_millis(500);

/// A thread with its own runtime for one connection.
///
/// The library would reconnect by itself and show the credential to a server that was not verified.
/// So the runtime ends with the connection: after every turn of a task (`event_interval`) the
/// thread checks whether the library has lost the connection. From then on the thread only keeps
/// the session alive at that address, without a credential, until the session is attached again.
pub(super) struct Background {
    handle: Handle,
    /// Ends the thread when it is dropped.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Connects in its own runtime. `keeper` is a connector without a secret that keeps the session
    /// alive.
    pub(super) async fn connect(
        connector: Connector,
        keeper: Connector,
        to: String,
    ) -> Result<(Client, Self), Error> {
        let runtime = runtime().map_err(|_| Error::ConnectionLoss)?;
        let (stop, mut stopped) = oneshot::channel();
        let (tell, received) = oneshot::channel();
        let handle = runtime.handle().clone();
        let work = move || {
            let session = runtime.block_on(one_connection(connector, &to, tell, &mut stopped));
            drop(runtime);
            if let (Some(session), Ok(runtime)) = (session, self::runtime()) {
                runtime.block_on(keep_alive(&keeper.with_session(session), &to, &mut stopped));
            }
        };
        let thread = std::thread::Builder::new().spawn(work).map_err(|_| Error::ConnectionLoss)?;
        let background = Self { handle, stop: Some(stop), thread: Some(thread) };
        let client = received.await.map_err(|_| Error::ConnectionLoss)??;
        Ok((client, background))
    }

    /// Lets work go on beside, and waits for it.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, RequestError> {
        // The library panicked, or the connection is gone.
        self.handle.spawn(work).await.map_err(|_| RequestError::Unknown)
    }
}

impl Drop for Background {
    /// No message of this thread may reach a server once the session is attached elsewhere: it
    /// would move the session back. The thread waits only for the library and for the stop signal.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn runtime() -> std::io::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().event_interval(1).build()
}

/// Connects. Ends when the connection and the session are gone, or at the stop signal.
async fn one_connection(
    connector: Connector,
    to: &str,
    tell: oneshot::Sender<Result<Client, Error>>,
    stopped: &mut oneshot::Receiver<()>,
) -> Option<SessionInfo> {
    let client = tokio::select! {
        client = connector.connect(to) => client,
        _ = &mut *stopped => return None,
    };
    let held =
        client.as_ref().ok().map(|client| (client.state_watcher(), client.session().clone()));
    tell.send(client).ok()?;
    let (mut state, session) = held?;
    while state.state() == SessionState::SyncConnected {
        tokio::select! {
            _ = state.changed() => {}
            _ = &mut *stopped => return None,
        }
    }
    (!state.state().is_terminated()).then_some(session)
}

/// Keeps a session alive after its connection was lost. No request is sent on it.
async fn keep_alive(connector: &Connector, to: &str, stopped: &mut oneshot::Receiver<()>) {
    loop {
        let client = tokio::select! {
            client = connector.clone().connect(to) => client,
            _ = &mut *stopped => return,
        };
        let over = async {
            match client {
                // Here the library may reconnect: it has no secret to show.
                Ok(client) => {
                    let mut state = client.state_watcher();
                    while !state.state().is_terminated() {
                        state.changed().await;
                    }
                    true
                }
                Err(Error::SessionExpired) => true,
                // The server took the session before it refused: that has kept it alive.
                Err(Error::AuthFailed) => {
                    tokio::time::sleep(REFUSED_AGAIN).await;
                    false
                }
                Err(_) => {
                    tokio::time::sleep(TRY_AGAIN).await;
                    false
                }
            }
        };
        tokio::select! {
            over = over => if over { return },
            _ = &mut *stopped => return,
        }
    }
}
