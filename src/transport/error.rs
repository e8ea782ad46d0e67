//! Why a URL could not be read, sorted by what is to be done about it.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::{CredentialError, redacted};

/// Why a URL could not be read. The message carries the URL without its credentials and query.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{url}: {reason}")]
pub struct TransportError {
    /// The URL, credentials and query left out.
    pub url: String,
    /// What happened.
    pub reason: String,
    /// What is to be done about it.
    pub kind: TransportErrorKind,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
}

/// What is to be done about a failed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportErrorKind {
    /// dbag can't read such a URL, or may not.
    Unsupported,
    /// The server has no such file (404, 410).
    NotFound,
    /// The server wants other credentials (401, 403).
    Denied,
    /// The range lies outside the file (416).
    OutOfRange,
    /// The server is asked too much (429, 503).
    Busy,
    /// The connection was refused, broke or stalled, or the server failed (408, 5xx): it may go better later.
    Transient,
    /// Anything else: asking again would not help.
    Refused,
}

impl TransportErrorKind {
    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Busy | Self::Transient)
    }
}

impl TransportError {
    /// An error of a URL, which is redacted.
    pub(crate) fn new(url: &Url, kind: TransportErrorKind, reason: impl Into<String>) -> Self {
        Self { url: redacted(url), reason: reason.into(), kind, retry_after: None }
    }
}

/// Why nothing can be asked of anyone.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SetupError {
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    #[error("{path}: {reason}")]
    Certificates { path: PathBuf, reason: String },
    #[error("the network can't be used: {0}")]
    Client(String),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
