//! A reconfig that is sent in order to be refused, so that the leader says whether it would accept
//! it.
//!
//! The leader checks the ACL of a reconfig last (`PrepRequestProcessor`, `case OpCode.reconfig`). A
//! session without permission gets every other refusal first, and `NoAuth` if the request is
//! otherwise valid. With `skipACL=yes`, or if anyone may write `/zookeeper/config`, the same
//! request would be carried out. So a dry run checks that first on the same connection, and sends
//! the request only if the answer was `NoAuth`.
//!
//! The client library is not used. It reconnects by itself and repeats requests, possibly to
//! another leader with another `skipACL`. One connection belongs to one leader: a server that loses
//! its leader, or stops leading, closes its client connections (`Learner.shutdown`,
//! `Leader.shutdown`). The connection cannot authenticate: it has no SASL, TLS shows no
//! certificate, and an `auth` request is sent only if digests are enforced, with the public
//! credential of a survey.

use tokio::time::timeout;

use super::credential::LOOK;
use super::replies::IMPOSSIBLE_DATA_VERSION;
use super::transport::TlsClient;
use super::wire::{self, AUTH_XID, CLOSE, Record, Wire};
use super::{CONFIG, ErrorCode, Limits, NoAnswer};
use crate::model::{ConfigVersion, Endpoint, Update};

/// The result of a dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DryRun {
    /// The leader refused it only for lack of permission. It has checked everything else.
    Sound,
    /// The leader refused it with this code, before it checked permissions.
    Refused(ErrorCode),
    /// An unauthenticated session may write the configuration. The request was not sent, because it
    /// would have been carried out.
    OpenToAll,
    /// Whether permissions are checked is unknown. The request was not sent.
    NotSent(ErrorCode),
    /// The server stopped answering. Either the request was not sent, or it was sent by a session
    /// that was just proven to have no permission.
    NoAnswer,
    /// The leader carried it out: permissions were taken back between two requests.
    CarriedOut,
}

/// `ZooDefs.OpCode.setData`.
const SET_DATA: i32 = 5;
/// `ZooDefs.OpCode.reconfig`.
const RECONFIG: i32 = 16;

/// The requested session time-out in milliseconds: the minimum that a server with ZooKeeper's
/// default tick of two seconds grants.
const SESSION_TIMEOUT_MS: i32 = 4_000;

/// Sends one reconfig in order to be refused, unless it might be carried out. `tls` must show no
/// certificate.
///
/// # Errors
///
/// The reason why the server gave no session. Nothing was sent.
pub(super) async fn dry_run(
    at: &Endpoint,
    tls: Option<&TlsClient>,
    limits: Limits,
    request: &Update,
    version: ConfigVersion,
) -> Result<DryRun, NoAnswer> {
    let enforced = DryRun::NotSent(ErrorCode::SessionClosedRequireSaslAuth);
    match once(at, (tls, false), limits, request, version).await {
        Ok(dry_run) if dry_run == enforced => once(at, (tls, true), limits, request, version).await,
        dry_run => dry_run,
    }
}

/// On one connection; with a public digest where servers enforce that scheme.
async fn once(
    at: &Endpoint,
    (tls, shows_look): (Option<&TlsClient>, bool),
    limits: Limits,
    request: &Update,
    version: ConfigVersion,
) -> Result<DryRun, NoAnswer> {
    let wire = Wire::open(at, tls, limits).await?;
    let mut session = RawSession { wire, limits, xid: 0 };
    session.open(tls).await?;
    if shows_look {
        session.show_look().await?;
    }
    let answer = session.guarded(request, version).await;
    // A close that got lost leaves a session that expires by itself.
    session.send(CLOSE, &[]).await.ok();
    Ok(answer.unwrap_or(DryRun::NoAnswer))
}

/// One connection with an unauthenticated session. It never reconnects.
struct RawSession {
    wire: Wire,
    limits: Limits,
    xid: i32,
}

impl RawSession {
    /// `ConnectRequest` and its response. In TLS 1.3 a server that requires a certificate reports
    /// that only here.
    async fn open(&mut self, tls: Option<&TlsClient>) -> Result<(), NoAnswer> {
        let response = self.exchange(&wire::connect_request(SESSION_TIMEOUT_MS), tls).await?;
        wire::session_id(&response).map(drop).ok_or(NoAnswer::Closed)
    }

    /// `AuthPacket` and its reply, which is never about the password.
    async fn show_look(&mut self) -> Result<(), NoAnswer> {
        let reply = self.exchange(&wire::auth_request(LOOK), None).await?;
        wire::answer(&reply, AUTH_XID).map(drop)
    }

    /// The write that shows whether permissions are checked, directly followed by the request.
    async fn guarded(
        &mut self,
        request: &Update,
        version: ConfigVersion,
    ) -> Result<DryRun, NoAnswer> {
        let mut probe = Record::default();
        probe.text(CONFIG).buffer(&[]).int(IMPOSSIBLE_DATA_VERSION);
        match self.send(SET_DATA, &probe.0).await? {
            Err(ErrorCode::NoAuth) => {}
            // No znode has that data version. A server that reports otherwise is not suitable for a
            // dry run.
            Ok(()) | Err(ErrorCode::BadVersion) => return Ok(DryRun::OpenToAll),
            Err(code) => return Ok(DryRun::NotSent(code)),
        }
        let Ok(version) = i64::try_from(version.as_zxid().get()) else {
            return Ok(DryRun::NotSent(ErrorCode::BadArguments));
        };
        let mut record = Record::default();
        match request {
            Update::Incremental(change) => {
                record.list(&change.joining).list(&change.leaving).nothing();
            }
            Update::Full(members) => {
                record.nothing().nothing().text(&members.to_string());
            }
        }
        record.long(version);
        Ok(match self.send(RECONFIG, &record.0).await? {
            Err(ErrorCode::NoAuth) => DryRun::Sound,
            Err(code) => DryRun::Refused(code),
            Ok(()) => DryRun::CarriedOut,
        })
    }

    /// One request and its reply.
    async fn send(
        &mut self,
        operation: i32,
        body: &[u8],
    ) -> Result<Result<(), ErrorCode>, NoAnswer> {
        self.xid += 1;
        let mut record = Record::default();
        record.int(self.xid).int(operation);
        record.0.extend_from_slice(body);
        let reply = self.exchange(&record, None).await?;
        Ok(wire::answer(&reply, self.xid)?.map(drop))
    }

    /// Writes one packet and reads one. The server's TLS alert says why it closed the connection.
    async fn exchange(
        &mut self,
        packet: &Record,
        tls: Option<&TlsClient>,
    ) -> Result<Vec<u8>, NoAnswer> {
        let exchange = async {
            self.wire.send(Record::default().packet(packet), tls).await?;
            self.wire.receive(tls).await
        };
        timeout(self.limits.answer, exchange).await.unwrap_or(Err(NoAnswer::AnswerTimedOut))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::super::wire::AUTH;
    use super::*;
    use crate::model::{Host, Membership, Reconfig, Server, ServerId};

    const LIMITS: Limits = Limits {
        connect: Duration::from_secs(5),
        handshake: Duration::from_secs(5),
        answer: Duration::from_secs(5),
        answer_bytes: 4096,
        adapt: false,
    };

    /// The requests that a server received: a connection, or the opcode and body of a request.
    type Asked = Arc<Mutex<Vec<(i32, Vec<u8>)>>>;

    /// The opcode under which a connection is noted.
    const CONNECTED: i32 = 0;

    /// Serves one connection: answers requests with these errors in turn, then hangs up.
    async fn serve(mut stream: TcpStream, errors: &[i32], asked: &Asked) -> std::io::Result<()> {
        let mut packet = vec![0; usize::try_from(stream.read_i32().await?).unwrap()];
        stream.read_exact(&mut packet).await?;
        asked.lock().unwrap().push((CONNECTED, packet));
        let mut reply = Record::default();
        reply.int(0).int(SESSION_TIMEOUT_MS).long(7).buffer(&[0; 16]);
        let mut framed = Record::default();
        framed.buffer(&reply.0);
        stream.write_all(&framed.0).await?;
        for error in errors {
            let mut packet = vec![0; usize::try_from(stream.read_i32().await?).unwrap()];
            stream.read_exact(&mut packet).await?;
            let operation = i32::from_be_bytes(packet[4..8].try_into().unwrap());
            asked.lock().unwrap().push((operation, packet[8..].to_vec()));
            let mut reply = Record::default();
            reply.int(i32::from_be_bytes(packet[..4].try_into().unwrap())).long(1).int(*error);
            let mut framed = Record::default();
            framed.buffer(&reply.0);
            stream.write_all(&framed.0).await?;
        }
        Ok(())
    }

    /// The requests that a server received, with their kinds and bodies.
    type Requests = Vec<(i32, Vec<u8>)>;

    /// A dry run of an addition against a server that answers with these errors, and the requests
    /// that the server received.
    fn refused_by(errors: &[i32]) -> (Result<DryRun, NoAnswer>, Requests) {
        let joiner = Server::parse_line("server.4=zk-4:2888:3888:participant;2181").unwrap();
        let change = Reconfig { joining: vec![joiner], leaving: vec![ServerId::new(3)] };
        refused(&Update::Incremental(change), errors)
    }

    fn refused(request: &Update, errors: &[i32]) -> (Result<DryRun, NoAnswer>, Requests) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let at = Endpoint::plain(Host::new("127.0.0.1"), listener.local_addr().unwrap().port());
            let asked = Asked::default();
            let (errors, noted) = (errors.to_vec(), Arc::clone(&asked));
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    serve(stream, &errors, &noted).await.ok();
                }
            });
            let version = "100000004".parse().unwrap();
            let outcome = dry_run(&at, None, LIMITS, request, version).await;
            (outcome, asked.lock().unwrap().clone())
        })
    }

    fn operations(asked: &[(i32, Vec<u8>)]) -> Vec<i32> {
        asked.iter().map(|(operation, _)| *operation).collect()
    }

    #[test]
    fn the_request_goes_out_directly_after_a_write_without_permission() {
        for (error, outcome) in [
            (-102, DryRun::Sound),
            (-13, DryRun::Refused(ErrorCode::NewConfigNoQuorum)),
            (-103, DryRun::Refused(ErrorCode::BadVersion)),
            (0, DryRun::CarriedOut),
        ] {
            let (dry_run, asked) = refused_by(&[-102, error, 0]);
            assert_eq!(dry_run, Ok(outcome));
            assert_eq!(operations(&asked), [CONNECTED, SET_DATA, RECONFIG, CLOSE]);
        }
    }

    #[test]
    fn nothing_but_the_want_of_permission_lets_the_request_out() {
        let others =
            ErrorCode::ALL.iter().map(|code| code.number()).filter(|number| *number != -102);
        for error in others.chain([0, 7, -999]) {
            let (dry_run, asked) = refused_by(&[error, 0, 0]);
            let (outcome, again) = match ErrorCode::of(error) {
                ErrorCode::BadVersion | ErrorCode::Other(0) => (DryRun::OpenToAll, &[][..]),
                // The same with a digest. This server then lets the session write.
                ErrorCode::SessionClosedRequireSaslAuth => {
                    (DryRun::OpenToAll, &[CONNECTED, AUTH, SET_DATA, CLOSE][..])
                }
                code => (DryRun::NotSent(code), &[][..]),
            };
            assert_eq!(dry_run, Ok(outcome));
            assert_eq!(operations(&asked), [&[CONNECTED, SET_DATA, CLOSE], again].concat());
        }
    }

    /// Another connection may lead to another leader, with another `skipACL`.
    #[test]
    fn a_lost_connection_is_never_made_again() {
        let (dry_run, asked) = refused_by(&[-102]);
        assert_eq!(dry_run, Ok(DryRun::NoAnswer));
        assert_eq!(operations(&asked), [CONNECTED, SET_DATA]);
        let (dry_run, asked) = refused_by(&[]);
        assert_eq!(dry_run, Ok(DryRun::NoAnswer));
        assert_eq!(operations(&asked), [CONNECTED]);
    }

    #[test]
    fn the_request_names_its_version_and_no_list_of_members() {
        let (_, asked) = refused_by(&[-102, -102, 0]);
        let [_, (_, write), (_, sent), _] = &asked[..] else { panic!("{asked:?}") };
        let mut wanted = Record::default();
        wanted.text("/zookeeper/config").buffer(b"").int(IMPOSSIBLE_DATA_VERSION);
        assert_eq!(*write, wanted.0);
        let mut wanted = Record::default();
        wanted.text("server.4=zk-4:2888:3888:participant;0.0.0.0:2181").text("3");
        wanted.int(-1).long(0x1_0000_0004);
        assert_eq!(*sent, wanted.0);
    }

    #[test]
    fn a_whole_list_goes_out_as_nothing_else() {
        let text = "server.1=zk-1:2888:3888:participant\ngroup.7=1\nweight.1=1\n";
        let request = Update::Full(Membership::parse(text).unwrap());
        let (_, asked) = refused(&request, &[-102, -102, 0]);
        let mut wanted = Record::default();
        wanted.int(-1).int(-1).text(text).long(0x1_0000_0004);
        assert_eq!(asked[2], (RECONFIG, wanted.0));
    }
}
