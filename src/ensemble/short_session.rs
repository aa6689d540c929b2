//! One short session on one server: commit a transaction that changes nothing, read, close.
//!
//! All of it is sent at once, behind the request for the session. A server reads no further until the
//! session has begun (`ZooKeeperServer.processConnectRequest`: `disableRecv`), and answers a session's
//! requests in order. So one round trip gives everything, and the close is with the server before the
//! first answer is here: whatever happens to zkplan then, it leaves no session behind. A close outlives
//! its connection (`Request.isStale`).

use std::time::Duration;

use tokio::time::timeout;

use super::credential::LOOK;
use super::transport::TlsClient;
use super::wire::{self, AUTH_XID, CLOSE, Fields, Record, Wire};
use super::{
    AclEntry, CONFIG, ConfigRead, ErrorCode, FolderRead, IDENTITY_NAME, Kept, Limits, NoAnswer,
    NodeAcl,
};
use crate::model::{Endpoint, Folder};

/// The session time-out that is asked for, at least: the least that a server with ZooKeeper's default
/// tick of two seconds grants, so that a session whose close got lost is gone soon.
pub(super) const SESSION_TIMEOUT: Duration = Duration::from_secs(4);

/// How long the close of a session is awaited; a lost one expires by itself.
pub(super) const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// The znode that every ensemble has and whose check is committed.
pub(super) const ROOT: &str = "/";

/// The version of a check that every version of the znode passes (`ZooKeeper.multi`).
pub(super) const ANY_VERSION: i32 = -1;

/// `ZooDefs.OpCode.exists`.
const EXISTS: i32 = 3;
/// `ZooDefs.OpCode.getData`.
const GET_DATA: i32 = 4;
/// `ZooDefs.OpCode.getACL`.
const GET_ACL: i32 = 6;
/// `ZooDefs.OpCode.check`.
const CHECK: i32 = 13;
/// `ZooDefs.OpCode.multi`.
const MULTI: i32 = 14;
/// The kind of a result that is an error, and of the header behind the last part (`ZooDefs.OpCode.error`).
const ERROR: i32 = -1;

/// The bits of `ZooDefs.Perms`.
const ALL_BITS: u8 =
    AclEntry::READ | AclEntry::WRITE | AclEntry::CREATE | AclEntry::DELETE | AclEntry::ADMIN;

/// The end of a session that has answered.
pub(super) struct Ending {
    wire: Wire,
    xid: i32,
}

impl Ending {
    /// Waits until the server has closed the session, for a while.
    pub(super) async fn ended(mut self) {
        let closed = async {
            while let Ok(packet) = self.wire.receive(None).await {
                if wire::answer(&packet, self.xid).is_ok() {
                    return;
                }
            }
        };
        timeout(CLOSE_LIMIT, closed).await.ok();
    }
}

/// Opens a session on that server, sees a transaction commit, reads, and closes the session. The public
/// digest of surveys is shown if the server requires one.
pub(super) async fn read(
    at: &Endpoint,
    tls: Option<&TlsClient>,
    folder: &Folder,
    limits: Limits,
    shows_look: bool,
) -> Result<(ConfigRead, Ending), NoAnswer> {
    let asked = async {
        let mut wire = Wire::open(at, tls, limits).await?;
        let timeout_ms = SESSION_TIMEOUT.max(2 * limits.answer).as_millis();
        let requests = Requests::of(folder);
        let mut packets = Record::default();
        packets.packet(&wire::connect_request(i32::try_from(timeout_ms).unwrap_or(i32::MAX)));
        if shows_look {
            packets.packet(&wire::auth_request(LOOK));
        }
        packets.0.extend_from_slice(&requests.packets.0);
        wire.send(&packets, tls).await?;
        let response = wire.receive(tls).await?;
        let id = wire::session_id(&response).ok_or(NoAnswer::Closed)?;
        if shows_look {
            let reply = wire.receive(tls).await?;
            wire::answer(&reply, AUTH_XID)?.map_err(silence)?;
        }
        let mut replies = Vec::new();
        for xid in 1..requests.xid {
            let reply = wire.receive(tls).await?;
            // What ends the session is said of one request, and nothing comes behind it.
            if let Err(code) = wire::answer(&reply, xid)?
                && ends_session(code)
            {
                return Err(silence(code));
            }
            replies.push(reply);
        }
        let reading = reading(id, folder, &replies)?;
        Ok((reading, Ending { wire, xid: requests.xid }))
    };
    let bound = limits.connect + limits.answer_from(at);
    timeout(bound, asked).await.unwrap_or(Err(NoAnswer::AnswerTimedOut))
}

/// The requests of a session, numbered from 1, in the order in which [`reading`] takes their answers.
/// The last one is the close.
struct Requests {
    packets: Record,
    xid: i32,
}

impl Requests {
    fn of(folder: &Folder) -> Self {
        let mut all = Self { packets: Record::default(), xid: 0 };
        all.add(MULTI, |record| {
            // A `MultiHeader` before each part and behind the last one: kind, whether it is the last, error.
            record.int(CHECK).bool(false).int(-1).text(ROOT).int(ANY_VERSION);
            record.int(ERROR).bool(true).int(-1);
        });
        let identity = folder.child(IDENTITY_NAME);
        all.read(GET_DATA, CONFIG);
        for path in [CONFIG, folder.as_str(), &identity] {
            all.add(GET_ACL, |record| {
                record.text(path);
            });
        }
        all.read(EXISTS, folder.as_str());
        all.read(GET_DATA, &identity);
        all.add(GET_ACL, |record| {
            record.text(folder.as_str());
        });
        all.add(CLOSE, |_| ());
        all
    }

    fn read(&mut self, operation: i32, path: &str) {
        self.add(operation, |record| {
            record.text(path).bool(false);
        });
    }

    fn add(&mut self, operation: i32, body: impl FnOnce(&mut Record)) {
        self.xid += 1;
        let mut record = Record::default();
        body(record.int(self.xid).int(operation));
        self.packets.packet(&record);
    }
}

/// What the answers show. A session's requests are answered in order, so that the reads see at least
/// what had committed before the transaction.
fn reading(id: i64, folder: &Folder, replies: &[Vec<u8>]) -> Result<ConfigRead, NoAnswer> {
    let mut xid = 0;
    let mut replies = replies.iter();
    let mut next = || {
        xid += 1;
        wire::answer(replies.next().ok_or(NoAnswer::Unreadable)?, xid)
    };
    committed(next()?.map_err(silence)?)?;
    let (config, stat) = data(next()?.map_err(silence)?)?;
    let of_config = listed(next()?)?;
    let before = listed(next()?)?;
    let of_identity = listed(next()?)?;
    let is_empty = match next()? {
        Ok(mut fields) => stat_of(&mut fields)?.children == 0,
        Err(ErrorCode::NoNode) => true,
        Err(code) => return Err(silence(code)),
    };
    let identity = match (of_identity, next()?) {
        (_, Err(ErrorCode::NoNode)) | (Ok(None), Ok(_)) => Kept::Absent,
        (Ok(Some(acl)), Ok(fields)) => Kept::Here { acl, text: data(fields)?.0 },
        (Err(code), _) | (_, Err(code)) => Kept::Refused(code),
    };
    let after = listed(next()?)?;
    Ok(ConfigRead {
        server_id_byte: id.to_be_bytes()[0],
        config,
        config_data_version: stat.version,
        config_mzxid: stat.mzxid,
        folder: FolderRead {
            folder: folder.clone(),
            config: of_config.ok().flatten().map(|acl| acl.entries).unwrap_or_default(),
            is_empty,
            before,
            identity,
            after,
        },
    })
}

/// Whether the transaction committed. It only checks that the root is there: it is proposed, a quorum
/// logs it, and no znode changes. Neither the session itself, which is no transaction where sessions are
/// local (`localSessionsEnabled`), nor a `sync` or a read proves that writes commit.
fn committed(mut results: Fields<'_>) -> Result<(), NoAnswer> {
    let (kind, is_end, error) = (results.int(), results.bool(), results.int());
    match (kind, is_end, error) {
        (Some(CHECK), Some(false), _) => Ok(()),
        // A refusal is a transaction as well, of type `error` (`PrepRequestProcessor`).
        (Some(ERROR), Some(false), Some(error)) if ErrorCode::of(error) == ErrorCode::NoAuth => {
            Ok(())
        }
        (Some(ERROR), Some(false), Some(error)) => Err(silence(ErrorCode::of(error))),
        _ => Err(NoAnswer::Unreadable),
    }
}

/// The parts of a `Stat` that are used.
struct Stat {
    czxid: i64,
    mzxid: i64,
    version: i32,
    aversion: i32,
    owner: i64,
    children: i32,
}

fn stat_of(fields: &mut Fields<'_>) -> Result<Stat, NoAnswer> {
    let mut stat = || {
        let (czxid, mzxid) = (fields.long()?, fields.long()?);
        let _times_ms = (fields.long()?, fields.long()?);
        let (version, _children_version, aversion) = (fields.int()?, fields.int()?, fields.int()?);
        let owner = fields.long()?;
        let (_bytes, children) = (fields.int()?, fields.int()?);
        Some(Stat { czxid, mzxid, version, aversion, owner, children })
    };
    stat().ok_or(NoAnswer::Unreadable)
}

/// The answer to `getData`.
fn data(mut fields: Fields<'_>) -> Result<(String, Stat), NoAnswer> {
    let text = fields.text().ok_or(NoAnswer::Unreadable)?;
    Ok((text, stat_of(&mut fields)?))
}

/// The answer to `getACL`; `None` where there is no such znode.
fn listed(
    answer: Result<Fields<'_>, ErrorCode>,
) -> Result<Result<Option<NodeAcl>, ErrorCode>, NoAnswer> {
    let mut fields = match answer {
        Ok(fields) => fields,
        Err(ErrorCode::NoNode) => return Ok(Ok(None)),
        Err(code) => return Ok(Err(code)),
    };
    let count = fields.int().ok_or(NoAnswer::Unreadable)?;
    let mut entry = || {
        let [.., bits] = fields.int()?.to_be_bytes();
        let (scheme, id) = (fields.text()?, fields.text()?);
        Some(AclEntry { scheme, id, permissions: bits & ALL_BITS })
    };
    let entries: Option<Vec<AclEntry>> = (0..count).map(|_| entry()).collect();
    let entries = entries.ok_or(NoAnswer::Unreadable)?;
    let Stat { aversion, owner, czxid, children, .. } = stat_of(&mut fields)?;
    Ok(Ok(Some(NodeAcl { entries, aversion, owner, czxid, children })))
}

/// Whether a server that answers so has ended the session.
const fn ends_session(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::AuthFailed
            | ErrorCode::SessionClosedRequireSaslAuth
            | ErrorCode::SessionExpired
            | ErrorCode::SessionMoved
            | ErrorCode::ConnectionLoss
    )
}

/// Why nothing is known, where a server answered what it must not refuse with that.
const fn silence(code: ErrorCode) -> NoAnswer {
    match code {
        ErrorCode::AuthFailed | ErrorCode::SessionClosedRequireSaslAuth => NoAnswer::NeedsAuth,
        // It has lost its quorum and only reads (`ReadOnlyRequestProcessor`).
        ErrorCode::NotReadOnly => NoAnswer::NotServing,
        code if ends_session(code) => NoAnswer::Closed,
        ErrorCode::RequestTimeout | ErrorCode::ThrottledOp => NoAnswer::Closed,
        _ => NoAnswer::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::model::Host;

    const LIMITS: Limits = Limits {
        connect: Duration::from_secs(5),
        handshake: Duration::from_secs(5),
        answer: Duration::from_secs(5),
        answer_bytes: 4096,
        adapt: false,
    };

    const SESSION: i64 = 0x0300_0000_0000_0007;

    /// The requests of a session, without the request for it.
    const LAST: i32 = 9;

    fn anyone_reads() -> Vec<AclEntry> {
        let (scheme, id) = ("world".to_owned(), "anyone".to_owned());
        vec![AclEntry { scheme, id, permissions: AclEntry::READ }]
    }

    async fn packet(stream: &mut TcpStream) -> Vec<u8> {
        let length = stream.read_i32().await.expect("a packet");
        let mut packet = vec![0; usize::try_from(length).expect("a length")];
        stream.read_exact(&mut packet).await.expect("all of it");
        packet
    }

    fn stat(record: &mut Record, version: i32) -> &mut Record {
        record.long(1).long(2).long(3).long(4).int(version).int(0).int(0).long(0).int(0).int(5);
        record.long(0)
    }

    fn reply(xid: i32, error: i32) -> Record {
        let mut record = Record::default();
        record.int(xid).long(0x1_0000_0001).int(error);
        record
    }

    /// The answer to a request of a look at a folder with an identity in it.
    fn right(xid: i32) -> Record {
        let mut record = reply(xid, 0);
        match xid {
            1 => record.int(CHECK).bool(false).int(0).int(ERROR).bool(true).int(-1),
            2 => stat(record.text("server.1=a:1:2\nversion=100000001"), -1),
            7 => stat(record.text("identity"), 0),
            6 => stat(&mut record, 0),
            LAST => &mut record,
            _ => stat(record.int(1).int(1).text("world").text("anyone"), 0),
        };
        record
    }

    /// A read from a server that takes every request until the close before it answers any, and then
    /// answers them so.
    fn read_from(answers: fn(i32) -> Option<Record>) -> Result<ConfigRead, NoAnswer> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let port = listener.local_addr().expect("bound").port();
            let at = Endpoint::plain(Host::new("127.0.0.1"), port);
            let serving = async {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                packet(&mut stream).await;
                for xid in 1..=LAST {
                    let asked = packet(&mut stream).await;
                    assert_eq!(asked[..4], xid.to_be_bytes());
                    assert_eq!(xid == LAST, asked[4..8] == CLOSE.to_be_bytes());
                }
                let mut answer = Record::default();
                let mut response = Record::default();
                response.int(0).int(4000).long(SESSION).buffer(&[0; 16]).bool(false);
                answer.packet(&response);
                for record in (1..=LAST).map_while(answers) {
                    answer.packet(&record);
                }
                stream.write_all(&answer.0).await.expect("the client reads");
            };
            let folder = Folder::default();
            let (read, ()) = futures::join!(read(&at, None, &folder, LIMITS, false), serving);
            let (reading, ending) = read?;
            ending.ended().await;
            Ok(reading)
        })
    }

    /// A process that is killed in the middle leaves no session that way, and a far server is asked in
    /// one round trip.
    #[test]
    fn every_request_and_the_close_are_there_before_the_first_answer() {
        let reading = read_from(|xid| Some(right(xid))).expect("a reading");
        assert_eq!(reading.server_id_byte, 3);
        assert_eq!(reading.config, "server.1=a:1:2\nversion=100000001");
        assert_eq!((reading.config_data_version, reading.config_mzxid), (-1, 2));
        let folder = reading.folder;
        assert_eq!(folder.text(), Some("identity"));
        assert!(!folder.is_empty, "it has five children");
        assert_eq!(folder.config, anyone_reads());
        assert_eq!(folder.before, folder.after);
        let before = folder.before.expect("an answer").expect("a folder");
        assert_eq!((before.czxid, before.children, before.aversion), (1, 5, 0));
    }

    #[test]
    fn nothing_is_there_before_the_first_apply() {
        let none = |xid| Some(if (4..=8).contains(&xid) { reply(xid, -101) } else { right(xid) });
        let folder = read_from(none).expect("a reading").folder;
        let config = anyone_reads();
        assert_eq!(folder, FolderRead { config, ..FolderRead::default() });
    }

    #[test]
    fn a_write_that_does_not_commit_is_no_reading() {
        fn with(number: i32) -> impl Fn(i32) -> Option<Record> {
            move |xid| match xid {
                1 => {
                    let mut record = reply(1, 0);
                    record.int(ERROR).bool(false).int(number).int(number);
                    record.int(ERROR).bool(true).int(-1);
                    Some(record)
                }
                xid => Some(right(xid)),
            }
        }
        assert_eq!(read_from(|xid| with(-101)(xid)), Err(NoAnswer::Unreadable));
        assert_eq!(read_from(|xid| with(-119)(xid)), Err(NoAnswer::NotServing));
        // A refusal is a transaction as well.
        assert!(read_from(|xid| with(-102)(xid)).is_ok());
        assert_eq!(read_from(|_| None), Err(NoAnswer::Closed));
    }

    /// A server that enforces authentication says so of the first request, and hangs up.
    #[test]
    fn a_server_that_wants_a_credential_is_understood() {
        assert_eq!(read_from(|xid| (xid == 1).then(|| reply(1, -124))), Err(NoAnswer::NeedsAuth));
        let read = read_from(|xid| Some(if xid == 7 { reply(7, -112) } else { right(xid) }));
        assert_eq!(read, Err(NoAnswer::Closed), "the session is over");
        let read = read_from(|xid| Some(if xid == 7 { reply(7, -102) } else { right(xid) }));
        assert_eq!(read.expect("a reading").folder.identity, Kept::Refused(ErrorCode::NoAuth));
    }

    #[test]
    fn an_answer_that_ends_too_soon_is_no_answer() {
        for cut in 1..LAST {
            let cut_at = |xid: i32, cut: i32| {
                let mut record = right(xid);
                if xid == cut {
                    record.0.truncate(record.0.len() - 20);
                }
                record
            };
            let replies: Vec<Vec<u8>> = (1..LAST).map(|xid| cut_at(xid, cut).0).collect();
            let read = reading(SESSION, &Folder::default(), &replies);
            assert_eq!(read, Err(NoAnswer::Unreadable), "request {cut}");
        }
    }
}
