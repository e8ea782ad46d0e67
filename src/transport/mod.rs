//! Sources of bytes: where a URL is opened and read.
//!
//! Owns connections, timeouts and what an answer means. It stores nothing and checks no digests.

mod http;

use std::io::Read;
use std::time::Duration;

use url::Url;

pub use http::HttpSource;

/// An answer under way.
pub struct Body {
    /// The length in octets that the server announced.
    pub length: Option<u64>,
    /// The bytes as they arrive. Errors are transient: the connection broke or stalled.
    pub reader: Box<dyn Read + Send>,
}

/// Where bytes come from. Any number of threads may open URLs at once.
pub trait Source: Send + Sync {
    /// Opens a URL.
    fn open(&self, url: &Url) -> Result<Body, TransportError>;
}

/// Why a URL could not be opened. The message carries the URL without its credentials.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{url}: {reason}")]
pub struct TransportError {
    /// The URL, credentials and query left out.
    pub url: String,
    /// What happened.
    pub reason: String,
    /// Whether the same request may succeed later.
    pub transient: bool,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
}

/// A text that should have been a URL, for people: what may be a user, a password or a query is left out.
#[must_use]
pub fn redacted_text(text: &str) -> String {
    if let Ok(url) = Url::parse(text) {
        return redacted(&url);
    }
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    if scheme.is_empty() { format!("{host}{path}") } else { format!("{scheme}://{host}{path}") }
}

/// A URL for people: without user, password and query, which may hold secrets.
#[must_use]
pub fn redacted(url: &Url) -> String {
    let mut url = url.clone();
    // These fail only for URLs that can have none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    if url.query().is_some() {
        url.set_query(Some("…"));
    }
    url.to_string()
}
