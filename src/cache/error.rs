use std::path::PathBuf;

/// Why the cache could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum CacheError {
    #[error("{path} was made by a newer dbag ({found}; this one knows {known}); upgrade dbag to use it")]
    NewerFormat { path: PathBuf, found: String, known: String },
    #[error("{path} is not a dbag cache: its file `format` says {found:?}")]
    NotACache { path: PathBuf, found: String },
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
