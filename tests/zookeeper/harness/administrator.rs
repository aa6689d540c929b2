//! A person with super's rights and a client of their own, at work beside zkplan or before it.

use std::collections::BTreeMap;
use std::future::Future;

use futures::{StreamExt, TryStreamExt, stream};
use zookeeper_client::{
    Acl, Acls, AuthId, Client, CreateMode, EnsembleUpdate, Error, Permission, SaslOptions,
};

use super::builder::SUPER_PASSWORD;
use super::ensemble::Ensemble;
use super::{PATIENCE, wait_until};

/// Requests of one client that are under way at a time.
const SIDE_BY_SIDE: usize = 64;

/// An id that no server has.
const NOBODY: u8 = 250;

/// The configuration as a server has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// `server.N=…` each, sorted.
    pub(crate) members: Vec<String>,
    pub(crate) version: u64,
}

impl Config {
    fn read(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let version = text.lines().find_map(|line| line.strip_prefix("version="));
        let version = version.and_then(|version| u64::from_str_radix(version, 16).ok());
        let mut members: Vec<String> =
            text.lines().filter(|line| line.starts_with("server.")).map(str::to_owned).collect();
        members.sort();
        Self { members, version: version.expect("every configuration has a version") }
    }

    /// The ids of the members, ascending.
    pub(crate) fn ids(&self) -> Vec<u8> {
        let id = |line: &String| line["server.".len()..].split('=').next()?.parse().ok();
        let mut ids: Vec<u8> = self.members.iter().filter_map(id).collect();
        ids.sort_unstable();
        ids
    }

    /// The line of one member.
    pub(crate) fn line(&self, id: u8) -> Option<&str> {
        let key = format!("server.{id}=");
        self.members.iter().find(|line| line.starts_with(&key)).map(String::as_str)
    }
}

/// Every request is made in a session of its own on the server that leads: nothing here has a
/// connection that could be lost while nobody looks.
#[derive(Clone, Copy)]
pub(crate) struct Administrator<'a>(pub(super) &'a Ensemble);

impl Administrator<'_> {
    /// Adds a member, or gives one another role or address; returns when that is committed.
    pub(crate) fn add(self, line: &str) -> Config {
        self.reconfig(Some(line), None)
    }

    /// Removes a member, be it the leader; returns when that is committed.
    pub(crate) fn remove(self, id: u8) -> Config {
        self.reconfig(None, Some(&id.to_string()))
    }

    /// One unconditional reconfig, as an impatient person types it.
    fn reconfig(self, joining: Option<&str>, leaving: Option<&str>) -> Config {
        let before = self.config().version;
        let sent = self.with_client(async |client| {
            let update = EnsembleUpdate::Incremental {
                joinings: joining.into_iter(),
                leavings: leaving.into_iter(),
            };
            client.update_ensemble(update, None).await
        });
        match sent {
            Ok((text, _)) => Config::read(&text),
            // Normal where the leader changes: the reply races the end of the connection.
            Err(Error::ConnectionLoss) => wait_until("the reconfig to be seen", PATIENCE, || {
                Some(self.config()).filter(|config| config.version > before)
            }),
            Err(why) => panic!("reconfig of {joining:?} and {leaving:?}: {why}"),
        }
    }

    /// The configuration as the leader has it.
    pub(crate) fn config(self) -> Config {
        let read = || {
            self.with_client(async |client| client.get_config().await)
                .ok()
                .map(|(text, _)| Config::read(&text))
        };
        wait_until("the configuration to be read", PATIENCE, read)
    }

    /// What a znode holds, if it is there.
    pub(crate) fn znode(self, path: &str) -> Option<String> {
        match self.with_client(async |client| client.get_data(path).await) {
            Ok((data, _)) => Some(String::from_utf8_lossy(&data).into_owned()),
            Err(Error::NoNode) => None,
            Err(why) => panic!("reading {path}: {why}"),
        }
    }

    /// What a znode and all below it hold, by path; nothing if it is not there.
    pub(crate) fn tree(self, root: &str) -> BTreeMap<String, String> {
        let tree = self.with_client(async |client| {
            let mut found = BTreeMap::new();
            let mut paths = vec![root.to_owned()];
            while let Some(path) = paths.pop() {
                let (data, _) = match client.get_data(&path).await {
                    Err(Error::NoNode) => continue,
                    other => other?,
                };
                for child in client.list_children(&path).await? {
                    paths.push(format!("{path}/{child}"));
                }
                found.insert(path, String::from_utf8_lossy(&data).into_owned());
            }
            Ok(found)
        });
        tree.unwrap_or_else(|why| panic!("reading {root}: {why}"))
    }

    /// Makes znodes with these data, in order, each with the list of what zkplan makes as the super user.
    pub(crate) fn make_closed(self, nodes: &[(String, String)]) {
        let made = self.with_client(async |client| {
            let readers = [Acl::new(Permission::READ, AuthId::anyone())];
            let options = CreateMode::Persistent.with_acls(Acls::new(&readers));
            let made =
                nodes.iter().map(|(path, data)| client.create(path, data.as_bytes(), &options));
            futures::future::try_join_all(made).await.map(drop)
        });
        made.expect("super may make znodes anywhere");
    }

    /// Sets the list of a znode: all clients may do everything to it.
    pub(crate) fn open(self, path: &str) {
        let set = self.with_client(async |client| {
            let all = [Acl::new(Permission::ALL, AuthId::anyone())];
            client.set_acl(path, &all, None).await.map(drop)
        });
        set.expect("super may set any list");
    }

    /// Writes another text to a znode that is there.
    pub(crate) fn write(self, path: &str, text: &str) {
        let written = self.with_client(async |client| {
            client.set_data(path, text.as_bytes(), None).await.map(drop)
        });
        written.expect("super may write anywhere");
    }

    /// Deletes a znode that has no children.
    pub(crate) fn delete(self, path: &str) {
        let deleted = self.with_client(async |client| client.delete(path, None).await);
        deleted.expect("super may delete anywhere");
    }

    /// Makes `count` small znodes below a znode, in one transaction each.
    pub(crate) fn write_below(self, root: &str, count: usize) {
        let written = self.with_client(async |client| {
            let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
            match client.create(root, b"", &options).await {
                Ok(_) | Err(Error::NodeExists) => {}
                Err(why) => return Err(why),
            }
            let options = CreateMode::PersistentSequential.with_acls(Acls::anyone_all());
            for _ in 0..count {
                client.create(&format!("{root}/"), b"some", &options).await?;
            }
            Ok(())
        });
        written.expect("the leader takes writes");
    }

    /// Makes a znode and changes it in one transaction, and fails to do so in another one.
    pub(crate) fn write_multis(self, path: &str) {
        let written = self.with_client(async |client| {
            let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
            let mut multi = client.new_multi_writer();
            multi.add_create(path, b"made", &options)?;
            multi.add_set_data(path, b"changed", None)?;
            multi.commit().await.map_err(Error::from)?;
            let mut multi = client.new_multi_writer();
            multi.add_set_data(path, b"never", None)?;
            multi.add_delete("/nothing/there", None)?;
            Ok(multi.commit().await.is_err())
        });
        assert!(written.expect("the leader takes writes"), "one of them fails");
    }

    /// Makes znodes `{root}/0`, `{root}/1` and so on, many at a time, each with that number of bytes.
    pub(crate) fn fill(self, root: &str, count: usize, bytes: usize) {
        let data = vec![b'.'; bytes];
        let filled = self.with_client(async |client| {
            let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
            client.create(root, b"", &options).await?;
            let paths: Vec<String> = (0..count).map(|number| format!("{root}/{number}")).collect();
            let made = stream::iter(&paths)
                .map(|path| client.create(path, &data, &options))
                .buffer_unordered(SIDE_BY_SIDE);
            made.try_for_each(async |_| Ok(())).await
        });
        filled.expect("the leader takes writes");
    }

    /// Writes so many times to the znodes that [`Administrator::fill`] has made, each write to
    /// another one; returns how many were acknowledged.
    pub(crate) fn overwrite(self, root: &str, of: usize, count: usize) -> usize {
        let written = self.with_client(async |client| {
            let paths: Vec<String> =
                (0..count).map(|number| format!("{root}/{}", number * 7 % of)).collect();
            let mut done = stream::iter(&paths)
                .map(|path| client.set_data(path, path.as_bytes(), None))
                .buffer_unordered(SIDE_BY_SIDE);
            let mut acknowledged = 0;
            while done.try_next().await?.is_some() {
                acknowledged += 1;
            }
            Ok(acknowledged)
        });
        written.expect("the leader takes writes")
    }

    /// A reconfig that changes nothing but the version.
    pub(crate) fn change_nothing(self) -> Config {
        self.remove(NOBODY)
    }

    /// Lets a digest user write the configuration, or takes that right from everybody but super.
    pub(crate) fn let_reconfigure(self, digest: Option<&str>) {
        let anyone = Acl::new(Permission::READ, AuthId::anyone());
        let user = digest.map(|id| Acl::new(Permission::ALL, AuthId::new("digest", id)));
        self.set_list(&[anyone].into_iter().chain(user).collect::<Vec<_>>());
    }

    /// Lets a client with this certificate do that to the configuration, and everyone read it.
    pub(crate) fn let_certified(self, name: &str, permissions: Permission) {
        let anyone = Acl::new(Permission::READ, AuthId::anyone());
        self.set_list(&[anyone, Acl::new(permissions, AuthId::new("x509", name))]);
    }

    /// Lets a user of that scheme do that to the configuration, and everyone read it.
    pub(crate) fn let_user(self, scheme: &str, id: &str, permissions: Permission) {
        let anyone = Acl::new(Permission::READ, AuthId::anyone());
        self.set_list(&[anyone, Acl::new(permissions, AuthId::new(scheme, id))]);
    }

    /// The list of a znode, as `scheme:id`.
    pub(crate) fn list(self, path: &str) -> Vec<String> {
        let list = self.with_client(async |client| client.get_acl(path).await);
        let (list, _) = list.expect("super may read any list");
        list.iter().map(|entry| format!("{}:{}", entry.scheme(), entry.id())).collect()
    }

    /// The list and `aversion` of a znode and of all below it, by path.
    pub(crate) fn lists(self, root: &str) -> BTreeMap<String, String> {
        let lists = self.with_client(async |client| {
            let mut found = BTreeMap::new();
            let mut paths = vec![root.to_owned()];
            while let Some(path) = paths.pop() {
                let (list, stat) = client.get_acl(&path).await?;
                for child in client.list_children(&path).await? {
                    paths.push(format!("{}/{child}", path.trim_end_matches('/')));
                }
                found.insert(path, format!("{list:?} {} {}", stat.aversion, stat.version));
            }
            Ok(found)
        });
        lists.unwrap_or_else(|why| panic!("the lists below {root}: {why}"))
    }

    fn set_list(self, acl: &[Acl]) {
        let set = self.with_client(async |client| {
            client.set_acl("/zookeeper/config", acl, None).await.map(drop)
        });
        set.expect("super may set any ACL");
    }

    fn with_client<T>(
        self,
        work: impl AsyncFnOnce(&Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (connector, address) = self.0.connector(self.0.wait_leader());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime for one client");
        runtime.block_on(until_late(async {
            let credentials = format!("super:{SUPER_PASSWORD}");
            let connector = connector.with_auth("digest", credentials.as_bytes());
            let connector = if self.0.has_sasl() {
                connector.with_sasl(SaslOptions::digest_md5("super", SUPER_PASSWORD))
            } else {
                connector
            };
            let client = connector.connect(&address).await?;
            work(&client).await
        }))
    }
}

async fn until_late<T>(work: impl Future<Output = T>) -> T {
    let late = tokio::time::timeout(PATIENCE, work).await;
    late.unwrap_or_else(|_| panic!("after {PATIENCE:?} a request is still unanswered"))
}
