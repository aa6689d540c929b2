//! What the leader of an ensemble says of its data, for a comparison with files that no server runs with.

use super::proof::digests_of;
use super::{Digests, Mode};
use crate::ensemble::four_letter::Srvr;
use crate::ensemble::{Ensemble, FourLetterWord, NoAnswer};
use crate::model::{Endpoint, Zxid};

/// What the leader says of its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderData {
    /// Where it was asked.
    pub at: Endpoint,
    /// Its last zxid.
    pub zxid: Zxid,
    /// The digests that it lists (`hash`), one every 128 zxids.
    pub digests: Digests,
}

/// Why there is nothing to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoLeaderData {
    /// The server does not answer, or does not say where it is.
    Silent(NoAnswer),
    /// It serves and does not lead.
    NoLeader(Mode),
}

/// Asks a server that is said to lead. Its zxid is asked for last, so that nothing it said before is newer.
///
/// # Errors
/// Where it does not answer or does not lead.
pub async fn leader_data<E: Ensemble>(port: &E, at: &Endpoint) -> Result<LeaderData, NoLeaderData> {
    let hash = port.ask(at, FourLetterWord::Hash).await;
    let srvr = port.ask(at, FourLetterWord::Srvr).await.map_err(NoLeaderData::Silent)?;
    let srvr = Srvr::parse(&srvr);
    match (srvr.mode, srvr.zxid) {
        (Some(Mode::Leader), Some(zxid)) => {
            let digests = digests_of(srvr.version, hash);
            Ok(LeaderData { at: at.clone(), zxid, digests })
        }
        (Some(mode), _) if mode != Mode::Leader => Err(NoLeaderData::NoLeader(mode)),
        _ => Err(NoLeaderData::Silent(NoAnswer::Unreadable)),
    }
}
