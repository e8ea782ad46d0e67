//! A holey bag becomes a whole one: plan, fetch, verify, place.
//!
//! Owns which files are fetched, from where, and when one counts as done: only when its digest was seen. Every step
//! can be run again; what is there and right is not fetched twice. It never sends credentials.

mod complete;
mod fetch;
mod place;

use std::collections::HashSet;
use std::path::PathBuf;

pub use complete::{MaterializeOptions, materialize};

use crate::bag::{BagError, BagPath, Code, Finding, Severity};
use crate::transport::TransportError;

/// What was done, and what is still wrong.
#[derive(Debug, Clone)]
pub struct MaterializeReport {
    /// The bag's folder.
    pub bag: PathBuf,
    /// Payload files in all.
    pub payload_files: u64,
    /// Files that were there and right before.
    pub present_files: u64,
    /// Files fetched now.
    pub fetched_files: u64,
    /// Octets in them.
    pub fetched_bytes: u64,
    /// Files that could not be had.
    pub failures: Vec<Failure>,
    /// What else is wrong with the bag, warnings too.
    pub findings: Vec<Finding>,
}

impl MaterializeReport {
    /// Whether the bag is complete and every digest is right.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.failures.is_empty() && !self.is_invalid()
    }

    /// Whether something in the bag is wrong, not merely missing.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        self.failures.iter().any(|failure| failure.code.is_some())
            || self.findings.iter().any(|finding| finding.code.severity() == Severity::Error)
    }
}

/// A file that could not be had.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The file.
    pub path: BagPath,
    /// The last place tried, without credentials.
    pub url: String,
    /// What happened.
    pub reason: String,
    /// Where what came was wrong, the finding's code; `None` where nothing came, which may be worth another try.
    pub code: Option<Code>,
}

/// Why a bag could not be materialized at all.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum MaterializeError {
    #[error("{0} is there already and does not hold this bag")]
    OtherBag(PathBuf),
    #[error("{0:?} is not a URL that dbag can fetch")]
    BadUrl(String),
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error("{url}: {reason}")]
    Cut { url: String, reason: String },
    #[error(transparent)]
    Bag(#[from] BagError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The places of files that are there but are not what the bag says.
fn spoilt(findings: &[Finding]) -> HashSet<&str> {
    let wrong = |code| matches!(code, Code::DigestMismatch | Code::LengthMismatch | Code::FileUnreadable);
    findings.iter().filter(|finding| wrong(finding.code)).map(|finding| finding.place.as_str()).collect()
}
