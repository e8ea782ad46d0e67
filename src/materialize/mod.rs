//! A holey bag becomes a whole one: plan, fetch, verify, place.
//!
//! Owns which files are fetched, from where, and when one counts as done: only when its digest was seen, now or by a
//! stamp that still holds. Every step can be run again, by any process; what is there and right is not fetched twice.

mod check;
mod complete;
mod download;
mod engine;
mod list;
mod mirror;
mod open;
mod packing;
mod place;
mod plan;
mod report;
mod select;
mod shard;
mod work;

use std::collections::HashSet;
use std::path::PathBuf;

pub use complete::{CacheUse, MaterializeOptions, materialize};
pub use mirror::Mirror;
pub use plan::{Amount, HostPlan, Plan, PlanOptions, PlannedFile, ShardPlan, Whereabouts, plan};
pub use report::{Failure, MaterializeReport};
pub use select::{FetchFilter, FilterError, Selection};
pub use shard::{Shard, ShardError};

use crate::bag::{BagError, Finding};
use crate::cache::CacheError;
use crate::transport::{SetupError, TransportError};

/// Why a bag could not be materialized at all.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum MaterializeError {
    #[error("{path} is there already and does not hold this bag: {why}")]
    OtherBag { path: PathBuf, why: String },
    #[error("nothing is there to finish: {0} is not there, or empty")]
    NothingThere(PathBuf),
    #[error("{0:?} is not a URL that dbag can fetch")]
    BadUrl(String),
    #[error("dbag can't fetch {0}: URLs")]
    Scheme(String),
    #[error("{0} is not a folder to take files from")]
    NoMirror(PathBuf),
    #[error("no file of fetch.txt is chosen by {asked}{known}")]
    NothingChosen { asked: String, known: String },
    #[error("{0} is there already")]
    Exists(PathBuf),
    #[error("another process is making {0}")]
    Busy(PathBuf),
    #[error(transparent)]
    Shard(#[from] ShardError),
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Bag(#[from] BagError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The places of files that are there but are not what the bag says.
fn spoilt(findings: &[Finding]) -> HashSet<&str> {
    let wrong = findings.iter().filter(|finding| finding.code.is_of_bytes());
    wrong.map(|finding| finding.place.as_str()).collect()
}
