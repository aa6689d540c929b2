//! The first start of a joiner: which joiners are to be started, the files with which they can only
//! join, and what a data directory tells of the server that used it before.
//!
//! In: the present ensemble, what is wanted, a `zoo.cfg` of a running server where there is one; names,
//! texts and hashes of files in a data directory; what the leader says of its data. Out: files as values,
//! and what a directory is. Nothing is read or written here.

mod data_directory;
mod files;
mod first_config;
mod limits;
mod origin;
mod paths;
mod script;
mod seed_list;

pub use data_directory::{
    DataDirectory, DirectoryData, DirectoryListing, DirectoryState, EpochVerdict, FileByZxid,
    judge_epoch,
};
pub use files::{FileWishes, JoinerFile, JoinerFiles, JoinerNote, PresentEnsemble};
pub use first_config::{FirstConfig, new_servers, to_start};
pub use limits::{JoinerLimits, TicksSeen};
pub use origin::{CatchUp, DataOrigin, OriginUnknown};
pub use paths::{JoinerFilesError, JoinerPaths};
pub use seed_list::{SEED_LIST, SeedFiles, SeedList};
