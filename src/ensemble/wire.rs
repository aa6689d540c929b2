//! ZooKeeper's client protocol on one connection, for sessions that are not held.
//!
//! The client library is not used for them. It reconnects by itself and repeats requests, possibly on
//! another server, and it sends a request only when it has seen the session begin.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::transport::{self, Stream, TlsClient};
use super::{ErrorCode, Limits, NoAnswer};
use crate::model::Endpoint;

/// `ZooDefs.OpCode.auth`.
pub(super) const AUTH: i32 = 100;
/// The number of every `auth` request (`ClientCnxn.AUTHPACKET_XID`).
pub(super) const AUTH_XID: i32 = -4;
/// `ZooDefs.OpCode.closeSession`.
pub(super) const CLOSE: i32 = -11;

/// One connection. It never reconnects.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    answer_bytes: u32,
    /// What was read and not taken yet.
    read: Vec<u8>,
}

impl Wire {
    /// Connects.
    pub(super) async fn open(
        at: &Endpoint,
        tls: Option<&TlsClient>,
        limits: Limits,
    ) -> Result<Self, NoAnswer> {
        let stream = transport::open(at, tls, limits).await?;
        Ok(Self { stream, answer_bytes: limits.answer_bytes, read: Vec::new() })
    }

    /// Writes packets.
    pub(super) async fn send(
        &mut self,
        packets: &Record,
        tls: Option<&TlsClient>,
    ) -> Result<(), NoAnswer> {
        let sent = async {
            self.stream.write_all(&packets.0).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|cause| transport::why_lost(&cause, tls))
    }

    /// Reads one packet. In TLS 1.3 a server that refuses a certificate reports that only here.
    pub(super) async fn receive(&mut self, tls: Option<&TlsClient>) -> Result<Vec<u8>, NoAnswer> {
        loop {
            if let Some((length, rest)) = self.read.split_first_chunk() {
                let length = match u32::try_from(i32::from_be_bytes(*length)) {
                    Ok(length) if length <= self.answer_bytes => length,
                    _ => return Err(NoAnswer::Unreadable),
                };
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                if let Some((packet, rest)) = rest.split_at_checked(length) {
                    let (packet, rest) = (packet.to_vec(), rest.to_vec());
                    self.read = rest;
                    return Ok(packet);
                }
            }
            match self.stream.read_buf(&mut self.read).await {
                Ok(0) => return Err(NoAnswer::Closed),
                Ok(_) => {}
                Err(cause) => return Err(transport::why_lost(&cause, tls)),
            }
        }
    }
}

/// A `ConnectRequest` for a new session.
pub(super) fn connect_request(timeout_ms: i32) -> Record {
    let mut record = Record::default();
    record.int(0).long(0).int(timeout_ms).long(0).buffer(&[0; 16]).bool(false);
    record
}

/// The session id of a `ConnectResponse`; `None` where the server gives no session.
pub(super) fn session_id(response: &[u8]) -> Option<i64> {
    let mut fields = Fields(response);
    let (_protocol, granted_ms) = (fields.int()?, fields.int()?);
    fields.long().filter(|_| granted_ms > 0)
}

/// An `auth` request of scheme `digest`.
pub(super) fn auth_request(credential: &str) -> Record {
    let mut record = Record::default();
    record.int(AUTH_XID).int(AUTH).int(0).text("digest").text(credential);
    record
}

/// The answer to a request: the fields behind a `ReplyHeader` (xid, zxid, err), or the error in it.
/// Nothing is watched, so no other message arrives in between.
pub(super) fn answer(packet: &[u8], xid: i32) -> Result<Result<Fields<'_>, ErrorCode>, NoAnswer> {
    let mut fields = Fields(packet);
    match (fields.int(), fields.long(), fields.int()) {
        (Some(of), Some(_), Some(0)) if of == xid => Ok(Ok(fields)),
        (Some(of), Some(_), Some(number)) if of == xid => Ok(Err(ErrorCode::of(number))),
        _ => Err(NoAnswer::Unreadable),
    }
}

/// Fields in the form of `BinaryOutputArchive`: big-endian, lengths in front.
#[derive(Default)]
pub(super) struct Record(pub(super) Vec<u8>);

impl Record {
    pub(super) fn int(&mut self, number: i32) -> &mut Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(super) fn long(&mut self, number: i64) -> &mut Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(super) fn bool(&mut self, yes: bool) -> &mut Self {
        self.0.push(u8::from(yes));
        self
    }

    pub(super) fn buffer(&mut self, bytes: &[u8]) -> &mut Self {
        // No packet of ours is nearly that long. A server would refuse it.
        self.int(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.buffer(text.as_bytes())
    }

    /// A text that is not there.
    pub(super) fn nothing(&mut self) -> &mut Self {
        self.int(-1)
    }

    /// A list joined by commas. Null if it is empty.
    pub(super) fn list<T: ToString>(&mut self, items: &[T]) -> &mut Self {
        let items: Vec<String> = items.iter().map(ToString::to_string).collect();
        if items.is_empty() { self.nothing() } else { self.text(&items.join(",")) }
    }

    /// Another record as a packet of its own.
    pub(super) fn packet(&mut self, record: &Self) -> &mut Self {
        self.buffer(&record.0)
    }
}

/// Fields in the form of `BinaryInputArchive`. `None` where they end too soon.
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn int(&mut self) -> Option<i32> {
        self.bytes().map(i32::from_be_bytes)
    }

    pub(super) fn long(&mut self) -> Option<i64> {
        self.bytes().map(i64::from_be_bytes)
    }

    pub(super) fn bool(&mut self) -> Option<bool> {
        self.bytes::<1>().map(|[byte]| byte != 0)
    }

    /// Bytes with their length in front; none where the length is that of null.
    pub(super) fn buffer(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.int()?.max(0)).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn text(&mut self) -> Option<String> {
        self.buffer().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }
}
