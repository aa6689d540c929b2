//! What is noted of a server's data before the restart.

use std::fmt;
use std::str::FromStr;

use crate::ensemble::four_letter::Srvr;
use crate::model::Zxid;

/// How far the data of a server go, as `srvr` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted {
    /// Its last zxid.
    pub zxid: Zxid,
    /// The number of its znodes.
    pub znodes: u64,
}

impl Noted {
    /// Whether there is no znode of an application.
    pub const fn is_empty(self) -> bool {
        self.znodes <= Srvr::OWN_ZNODES
    }

    /// The config version with which a quorum of one begins: the first zxid of its epoch.
    pub const fn first_version(self) -> u64 {
        (self.zxid.epoch() + 1) << 32
    }
}

impl fmt::Display for Noted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.zxid, self.znodes)
    }
}

impl FromStr for Noted {
    type Err = String;

    /// Reads what [`Noted`] prints: `0x16e:1234`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not ZXID:ZNODES, like 0x16e:1234");
        let (zxid, znodes) = text.split_once(':').ok_or_else(wrong)?;
        let znodes = znodes.parse().map_err(|_| wrong())?;
        Ok(Self { zxid: zxid.parse().map_err(|_| wrong())?, znodes })
    }
}
