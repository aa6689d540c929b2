//! Clients of every rank: one without rights who forges, one who has another's name, one who is
//! super.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Runtime};
use zookeeper_client::{Acl, Acls, AuthId, Client, CreateMode, EnsembleUpdate, Error, Permission};

use crate::harness::{PATIENCE, SUPER_PASSWORD};

/// Where those are who have no rights: an operator may be known by an address, and theirs is another
/// than that of zkplan.
pub(super) const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// A session that is held for the length of a test, so that ephemeral znodes stay.
pub(super) struct Person {
    runtime: Runtime,
    client: Client,
}

impl Person {
    /// Somebody with no rights.
    pub(super) fn anonymous(at: SocketAddr) -> Self {
        Self::on(at, None, ELSEWHERE)
    }

    /// Somebody with this name and a password of their own.
    pub(super) fn named(at: SocketAddr, user: &str, password: &str) -> Self {
        Self::on(at, Some(&format!("{user}:{password}")), ELSEWHERE)
    }

    /// The super user.
    pub(super) fn root(at: SocketAddr) -> Self {
        let credential = format!("super:{SUPER_PASSWORD}");
        Self::on(at, Some(&credential), Ipv4Addr::LOCALHOST)
    }

    fn on(at: SocketAddr, credential: Option<&str>, from: Ipv4Addr) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime for one client");
        let client = runtime.block_on(async {
            let address = by_way_of(from, at).await.to_string();
            let mut connector = Client::connector().with_session_timeout(Duration::from_secs(20));
            if let Some(credential) = credential {
                connector = connector.with_auth("digest", credential.as_bytes());
            }
            connector.connect(&address).await.expect("it takes sessions")
        });
        Self { runtime, client }
    }

    fn does<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let late = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await });
        late.expect("requests are answered")
    }

    pub(super) fn create(&self, node: &Znode, list: &[Acl]) -> Result<(), Error> {
        let mut options = node.mode.with_acls(Acls::new(list));
        if let Some(ttl) = node.ttl {
            options = options.with_ttl(ttl);
        }
        self.does(async { self.client.create(&node.path, node.data.as_bytes(), &options).await })
            .map(drop)
    }

    /// Very many small znodes at once.
    pub(super) fn create_many(&self, paths: &[String], data: &str, list: &[Acl]) {
        let options = CreateMode::Persistent.with_acls(Acls::new(list));
        let made = paths.chunks(500).try_for_each(|some| {
            let all = some.iter().map(|path| self.client.create(path, data.as_bytes(), &options));
            self.does(futures::future::try_join_all(all)).map(drop)
        });
        made.expect("the list is open");
    }

    pub(super) fn set_list(&self, path: &str, list: &[Acl]) -> Result<(), Error> {
        self.does(self.client.set_acl(path, list, None)).map(drop)
    }

    pub(super) fn write(&self, path: &str, data: &str) -> Result<(), Error> {
        self.does(self.client.set_data(path, data.as_bytes(), None)).map(drop)
    }

    pub(super) fn read(&self, path: &str) -> Option<String> {
        let (data, _) = self.does(self.client.get_data(path)).ok()?;
        Some(String::from_utf8_lossy(&data).into_owned())
    }

    pub(super) fn delete(&self, path: &str) -> Result<(), Error> {
        self.does(self.client.delete(path, None))
    }

    /// The paths of a znode and of all below it, each before what lies in it.
    pub(super) fn below(&self, root: &str) -> Vec<String> {
        let (mut found, mut paths) = (Vec::new(), vec![root.to_owned()]);
        while let Some(path) = paths.pop() {
            if let Ok(names) = self.does(self.client.list_children(&path)) {
                paths.extend(names.iter().map(|name| format!("{path}/{name}")));
                found.push(path);
            }
        }
        found
    }

    /// What zkCli's `deleteall` does; without rights as far as that goes.
    pub(super) fn delete_all(&self, root: &str) {
        let mut paths = self.below(root);
        // Siblings side by side, what lies deeper first.
        paths.sort_by_key(|path| std::cmp::Reverse(path.matches('/').count()));
        for same in paths.chunk_by(|a, b| a.matches('/').count() == b.matches('/').count()) {
            for some in same.chunks(500) {
                let all = some.iter().map(|path| self.client.delete(path, None));
                drop(self.does(async { Ok(futures::future::join_all(all).await) }));
            }
        }
    }

    /// Adds a member, where the servers take such a line.
    pub(super) fn add(&self, line: &str) -> Result<(), Error> {
        let update = EnsembleUpdate::Incremental {
            joinings: Some(line).into_iter(),
            leavings: None.into_iter(),
        };
        self.does(async { self.client.update_ensemble(update, None).await }).map(drop)
    }

    /// What zkCli's `setAcl -R` does.
    pub(super) fn set_list_of_all(&self, root: &str, list: &[Acl]) {
        for path in self.below(root).iter().rev() {
            self.set_list(path, list).expect("whoever made it may close it");
        }
    }
}

/// Where a server is reached so that it sees the connections come from that address.
async fn by_way_of(from: Ipv4Addr, to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let socket = TcpSocket::new_v4().expect("a socket");
            socket.bind((from, 0).into()).expect("every address of the loopback is ours");
            let Ok(mut far) = socket.connect(to).await else { continue };
            tokio::spawn(async move {
                drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
            });
        }
    });
    address
}

/// A znode to be made.
#[derive(Clone)]
pub(super) struct Znode {
    pub(super) path: String,
    pub(super) data: String,
    pub(super) mode: CreateMode,
    pub(super) ttl: Option<Duration>,
}

impl Znode {
    pub(super) fn new(path: impl Into<String>, data: impl Into<String>) -> Self {
        let (path, data) = (path.into(), data.into());
        Self { path, data, mode: CreateMode::Persistent, ttl: None }
    }

    pub(super) fn mode(self, mode: CreateMode) -> Self {
        Self { mode, ..self }
    }
}

/// Everybody may do everything.
pub(super) fn open() -> Vec<Acl> {
    vec![Acl::new(Permission::ALL, AuthId::anyone())]
}

/// What zkplan makes as the super user: everybody reads.
pub(super) fn closed() -> Vec<Acl> {
    vec![Acl::new(Permission::READ, AuthId::anyone())]
}

/// Everybody reads, and these may do everything.
pub(super) fn of(scheme: &str, id: &str) -> Vec<Acl> {
    let all = Acl::new(Permission::ALL, AuthId::new(scheme, id));
    closed().into_iter().chain([all]).collect()
}
