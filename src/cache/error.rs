//! Why the cache could not do what was asked.

use std::path::PathBuf;

/// Why the cache could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum CacheError {
    #[error("{path} was made by a newer dbag ({found}; this one knows {known}); upgrade dbag to use it")]
    NewerFormat { path: PathBuf, found: String, known: String },
    #[error("{path} is not a dbag cache: its file `format` says {found:?}")]
    NotACache { path: PathBuf, found: String },
    #[error("{0} is not a folder, so it is no cache")]
    NotAFolder(PathBuf),
    #[error("{0:?} is not pinned")]
    NoSuchPin(String),
    #[error("{name:?} is pinned at {one} and at {other}; unpin it by its path")]
    TwoPins { name: String, one: PathBuf, other: PathBuf },
    #[error("{path} can't be read as a pin ({reason}); delete it to go on without")]
    BadPin { path: PathBuf, reason: String },
    #[error("interrupted")]
    Interrupted,
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
