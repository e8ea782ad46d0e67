//! What came of it: how many files from where, and what is still wrong.

use std::path::PathBuf;

use super::Shard;
use crate::ErrorKind;
use crate::bag::{BagPath, Code, Finding, Severity};
use crate::cache::LinkCounts;

/// What was done, and what is still wrong.
#[derive(Debug, Clone, Default)]
pub struct MaterializeReport {
    /// The bag's folder, or the packed archive.
    pub bag: PathBuf,
    /// Payload files in all.
    pub payload_files: u64,
    /// Files that were there before, and not found wrong.
    pub present_files: u64,
    /// Files fetched now.
    pub fetched_files: u64,
    /// Octets in them.
    pub fetched_bytes: u64,
    /// Files taken from the cache.
    pub cached_files: u64,
    /// Octets in them.
    pub cached_bytes: u64,
    /// In which way files came from the cache.
    pub links: LinkCounts,
    /// Files that are elsewhere and were not asked for: of other shards, or not selected.
    pub left_files: u64,
    /// Times that something was asked for again.
    pub retries: u64,
    /// Files that could not be had.
    pub failed_files: u64,
    /// Why; of very many the first ones.
    pub failures: Vec<Failure>,
    /// What else is wrong with the bag, warnings too.
    pub findings: Vec<Finding>,
    /// What else the user should know, and was told: a cache that can't be written to, a mirror that is not there.
    pub notes: Vec<String>,
    /// No network was to be used.
    pub offline: bool,
    /// Only what is there was checked.
    pub finish: bool,
    /// Only this share was seen to: nothing is said of the other files.
    pub shard: Option<Shard>,
    /// Files in that share.
    pub shard_files: u64,
}

impl MaterializeReport {
    /// Whether the bag is complete and every digest is right. Of a shard alone that is never known.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.shard.is_none() && self.failed_files == 0 && self.left_files == 0 && !self.is_invalid()
    }

    /// Whether something in the bag is wrong, not merely missing.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        self.failures.iter().any(|failure| failure.code.is_some())
            || self.findings.iter().any(|finding| finding.code.severity() == Severity::Error)
    }

    /// The shard that was asked for, if its files are there and right.
    #[must_use]
    pub fn done_shard(&self) -> Option<Shard> {
        self.shard.filter(|_| self.problem().is_none())
    }

    /// What keeps it from being what was asked for, if anything.
    #[must_use]
    pub fn problem(&self) -> Option<ErrorKind> {
        if self.is_invalid() {
            Some(ErrorKind::Data)
        } else if self.failed_files == 0 {
            None
        } else if self.offline || self.finish {
            Some(ErrorKind::Unfinished)
        } else {
            Some(ErrorKind::Environment)
        }
    }
}

/// Failures that are kept in full. The others are counted.
pub(super) const FAILURES: usize = 10_000;
/// Why nothing is asked for where a line of `fetch.txt` has no URL.
pub(super) const NOT_A_URL: &str = "it is not a URL";

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
