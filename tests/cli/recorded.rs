//! Ensembles behind real sockets on loopback. They answer what servers of ZooKeeper 3.8 answered when it
//! was recorded (`src/ensemble/testdata`), with the ports of this run.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// The zxid of the last reconfig, and so the version of the configuration.
const VERSION: i64 = 0x1_0000_0000;

/// The zxid of every server.
const ZXID: i64 = 0x1_0000_0002;

/// The server that leads.
const LEADER: u8 = 3;

/// `KeeperException.Code.NONODE`.
const NO_NODE: i32 = -101;

/// `ZooDefs.OpCode` of the requests that are answered.
const GET_DATA: i32 = 4;
const GET_ACL: i32 = 6;
const MULTI: i32 = 14;
const CLOSE: i32 = -11;

/// The znode that is there.
const CONFIG: &str = "/zookeeper/config";

/// Where servers 1 to 3 of every ensemble are reached by each other.
struct PeerPorts {
    quorum: u16,
    election: u16,
}

/// The servers. They end with it.
pub(crate) struct Recorded {
    runtime: Runtime,
    peers: [PeerPorts; 3],
    /// Listeners that no connection is taken from.
    frozen: std::cell::RefCell<Vec<TcpListener>>,
}

/// One server.
struct Server {
    id: u8,
    client_port: u16,
    peers: (u16, u16),
    config: String,
}

impl Recorded {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let peers = [1, 2, 3].map(|id| {
            let [quorum, election] = [0, 1].map(|_| {
                let (listener, port) = listen(&runtime, id);
                runtime.spawn(async move { while listener.accept().await.is_ok() {} });
                port
            });
            PeerPorts { quorum, election }
        });
        Self { runtime, peers, frozen: Vec::new().into() }
    }

    /// The spec of three healthy servers.
    pub(crate) fn healthy(&self, ensemble: &str) -> String {
        let listeners = [1, 2, 3].map(|id| listen(&self.runtime, id));
        let ports = listeners.each_ref().map(|(_, port)| *port);
        let config = self.config(ports);
        for ((listener, client_port), id) in listeners.into_iter().zip(1_u8..) {
            let PeerPorts { quorum, election } = self.peers[usize::from(id) - 1];
            let (peers, config) = ((quorum, election), config.clone());
            let server = Arc::new(Server { id, client_port, peers, config });
            self.runtime.spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let server = Arc::clone(&server);
                    tokio::spawn(async move { server.serve(stream).await });
                }
            });
        }
        self.spec(ensemble, ports)
    }

    /// The spec of three servers that are connected to and never answer, like stopped processes.
    pub(crate) fn frozen(&self, ensemble: &str) -> String {
        let ports = [1, 2, 3].map(|id| {
            let (listener, port) = listen(&self.runtime, id);
            self.frozen.borrow_mut().push(listener);
            port
        });
        self.spec(ensemble, ports)
    }

    fn spec(&self, ensemble: &str, ports: [u16; 3]) -> String {
        let mut text = format!("apiVersion: zkplan/v1\nensemble: {ensemble}\nservers:\n");
        for ((port, PeerPorts { quorum, election }), id) in ports.iter().zip(&self.peers).zip(1..) {
            writeln!(
                text,
                "  - {{ id: {id}, host: 127.0.0.{id}, quorumPort: {quorum}, electionPort: \
                 {election}, clientPort: {port} }}"
            )
            .expect("a string");
        }
        text
    }

    fn config(&self, ports: [u16; 3]) -> String {
        let mut text = String::new();
        for ((port, PeerPorts { quorum, election }), id) in ports.iter().zip(&self.peers).zip(1..) {
            let line =
                format!("server.{id}=127.0.0.{id}:{quorum}:{election}:participant;0.0.0.0:{port}");
            writeln!(text, "{line}").expect("a string");
        }
        write!(text, "version={VERSION:x}").expect("a string");
        text
    }
}

/// A free port of a server's address.
fn listen(runtime: &Runtime, id: u8) -> (TcpListener, u16) {
    let bound = runtime.block_on(TcpListener::bind((Ipv4Addr::new(127, 0, 0, id), 0)));
    let listener = bound.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    (listener, port)
}

impl Server {
    /// Answers a word, or a session; a client that goes away ends it.
    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut first = [0; 4];
        stream.read_exact(&mut first).await.ok()?;
        if first.is_ascii() && first[0].is_ascii_lowercase() {
            let answer = self.word(std::str::from_utf8(&first).ok()?);
            return stream.write_all(answer.as_bytes()).await.ok();
        }
        let mut length = i32::from_be_bytes(first);
        let mut is_begun = false;
        loop {
            let mut packet = vec![0; usize::try_from(length).ok()?];
            stream.read_exact(&mut packet).await.ok()?;
            let reply = if is_begun { self.reply(&packet)? } else { self.session() };
            is_begun = true;
            let length_of_reply = i32::try_from(reply.0.len()).ok()?.to_be_bytes();
            stream.write_all(&[&length_of_reply[..], &reply.0].concat()).await.ok()?;
            length = stream.read_i32().await.ok()?;
        }
    }

    /// The answer to a four-letter word; empty where none was recorded.
    fn word(&self, word: &str) -> String {
        let leads = self.id == LEADER;
        match (word, leads) {
            ("srvr", true) => include_str!("../../src/ensemble/testdata/leader.srvr").to_owned(),
            ("srvr", false) => include_str!("../../src/ensemble/testdata/follower.srvr").to_owned(),
            ("mntr", true) => include_str!("../../src/ensemble/testdata/leader.mntr").to_owned(),
            ("mntr", false) => include_str!("../../src/ensemble/testdata/follower.mntr").to_owned(),
            ("cons", true) => include_str!("../../src/ensemble/testdata/leader.cons").to_owned(),
            ("cons", false) => include_str!("../../src/ensemble/testdata/follower.cons").to_owned(),
            ("hash", _) => include_str!("../../src/ensemble/testdata/leader.hash").to_owned(),
            ("dump", true) => include_str!("../../src/ensemble/testdata/leader.dump").to_owned(),
            ("conf", _) => self.conf(),
            _ => String::new(),
        }
    }

    /// The recorded `conf` with the id, the ports and the configuration of this server.
    fn conf(&self) -> String {
        let recorded = include_str!("../../src/ensemble/testdata/follower.conf");
        let (head, _) = recorded.split_once("server.1=").expect("its configuration");
        let (quorum, election) = self.peers;
        let with = |line: &str| match line.split_once('=').map(|(key, _)| key) {
            Some("serverId") => format!("serverId={}\n", self.id),
            Some("clientPort") => format!("clientPort={}\n", self.client_port),
            Some("quorumPort") => format!("quorumPort={quorum}\n"),
            Some("electionPort") => format!("electionPort={election}\n"),
            Some("maxClientCnxns") => "maxClientCnxns=60\n".to_owned(),
            _ => format!("{line}\n"),
        };
        head.lines().map(with).collect::<String>() + &self.config
    }

    /// A `ConnectResponse`.
    fn session(&self) -> Record {
        let session = i64::from(self.id) << 56 | 7;
        Record::default().int(0).int(4000).long(session).buffer(&[0; 16]).byte(0)
    }

    /// The answer to a request; `None` for one that was not recorded.
    fn reply(&self, packet: &[u8]) -> Option<Record> {
        let (xid, rest) = packet.split_first_chunk()?;
        let (operation, body) = rest.split_first_chunk()?;
        let xid = i32::from_be_bytes(*xid);
        let head = |error: i32| Record::default().int(xid).long(ZXID).int(error);
        let is_config = body.get(4..).is_some_and(|path| path.starts_with(CONFIG.as_bytes()));
        Some(match i32::from_be_bytes(*operation) {
            // One check that passed, and the end of the list.
            MULTI => head(0).int(13).byte(0).int(0).int(-1).byte(1).int(-1),
            GET_DATA if is_config => stat(head(0).buffer(self.config.as_bytes())),
            GET_ACL if is_config => {
                let anyone = head(0).int(1).int(1).buffer(b"world").buffer(b"anyone");
                stat(anyone)
            }
            CLOSE => head(0),
            _ => head(NO_NODE),
        })
    }
}

/// The `Stat` of the configuration.
fn stat(record: Record) -> Record {
    let record = record.long(0).long(VERSION).long(0).long(0).int(-1).int(0).int(-1).long(0);
    record.int(0).int(0).long(0)
}

/// Fields in the form of `BinaryOutputArchive`.
#[derive(Default)]
struct Record(Vec<u8>);

impl Record {
    fn int(mut self, number: i32) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    fn long(mut self, number: i64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    fn buffer(self, bytes: &[u8]) -> Self {
        let mut record = self.int(i32::try_from(bytes.len()).expect("a short text"));
        record.0.extend_from_slice(bytes);
        record
    }
}
