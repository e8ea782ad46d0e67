//! BagIt and BDBag: the format itself, read, checked and written.
//!
//! Owns bag paths, digests, tag files, manifests, `fetch.txt`, the containers that bags come in, the
//! verifier and the writer. It never speaks to a network and knows nothing of datasets or SQL.
//! The format is RFC 8493 and its predecessors 0.93 to 0.97.

mod archive;
mod container;
mod content;
mod digest;
mod extract;
mod fetch;
mod file;
mod finding;
mod manifest;
mod names;
mod path;
mod pool;
mod reader;
mod tagfile;
mod text;
mod urls;
mod verify;
mod writer;

use std::path::{Path, PathBuf};

pub use archive::{FileAt, Limits, ReadAt};
pub use container::{
    Body, Container, Detail, Folder, Listing, Place, Sequential, TarFile, Visitor, ZipFile, open_container,
};
pub use content::content_digest;
pub(crate) use digest::digest_all;
pub use digest::{Algorithm, Digest, DigestParseError, MultiHasher, hash_reader};
pub use extract::{copy_container, temporary_beside};
pub use file::{BagFile, FetchEntry};
pub use finding::{Code, Finding, Severity};
pub use names::{FileId, Names, TooManyNames};
pub(crate) use path::printable;
pub use path::{BagPath, PathError, PathRef};
pub(crate) use pool::with_pool;
pub use reader::Bag;
pub use tagfile::BagInfo;
pub use urls::FetchUrl;
pub use verify::{Coverage, Level, Sample, SampleSize, Verdict, VerifyOptions, VerifyReport, verify};
pub(crate) use verify::{check_folders, check_oxum, verify_unknown};
pub use writer::{BagWriter, Compression, Home, PayloadFile, WrittenBag};

/// Why a bag could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum BagError {
    /// Nothing is there.
    #[error("{0} does not exist")]
    NotFound(PathBuf),
    /// A URL where only what is on this machine can be read.
    #[error("a bag at a URL can't be read in place; fetch it with: dbag materialize URL")]
    Remote,
    /// There is something, but it is no bag.
    #[error("{path} is not a bag: {reason}")]
    NotABag {
        /// What was opened.
        path: PathBuf,
        /// What is missing or wrong.
        reason: String,
    },
    /// The archive's own structure is broken, hostile or of a kind that is not read.
    #[error("{path} can't be read as an archive: {reason}")]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What the reader found.
        reason: String,
    },
    /// The bag is refused before anything is written.
    #[error("{path} is refused: {reason}")]
    Refused {
        /// The bag.
        path: PathBuf,
        /// Why, naming the entry.
        reason: String,
    },
    /// A file that was to go into a bag is not what it should be.
    #[error("the bytes for {0} are not those that were expected")]
    OtherBytes(BagPath),
    /// The destination holds something already.
    #[error("{0} exists already")]
    Exists(PathBuf),
    /// The work was interrupted on request.
    #[error("interrupted")]
    Interrupted,
    /// Reading or writing failed; the error names the path.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl BagError {
    /// The same error, said of another place.
    pub(crate) fn at(self, place: &Path) -> Self {
        let path = place.to_owned();
        match self {
            Self::NotABag { reason, .. } => Self::NotABag { path, reason },
            Self::Archive { reason, .. } => Self::Archive { path, reason },
            Self::Refused { reason, .. } => Self::Refused { path, reason },
            other => other,
        }
    }
}

/// Says how far long work has come, and whether it should stop.
///
/// The command line shows a bar; a library caller may pass [`NoProgress`].
pub trait Progress: Send + Sync {
    /// Work of `bytes` octets in `files` files begins.
    fn begin(&self, _what: &str, _files: u64, _bytes: u64) {}
    /// `bytes` more octets are done.
    fn bytes(&self, _bytes: u64) {}
    /// One more file is done.
    fn file(&self) {}
    /// Something is asked for again.
    fn retried(&self) {}
    /// `bytes` octets that had been counted came for nothing.
    fn lost(&self, _bytes: u64) {}
    /// Something that the user should know, and that stops nothing.
    fn note(&self, _text: &str) {}
    /// The work begun last has ended.
    fn end(&self) {}
    /// Whether the caller wants the work to stop at the next safe point.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Shows nothing and never stops.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {}
