//! Sources of bytes: where a URL is opened and read, and with whose credentials.
//!
//! Owns connections, redirects, timeouts, what an answer means, and which host may see which secret. One trait,
//! `Source`, for each kind of place; a new kind has only to implement it and to pass the suite in `tests/conformance`.
//! It stores nothing and checks no digests. What is asynchronous stays below the public surface.

mod client;
mod credentials;
mod error;
mod file;
mod gzip;
mod http;
mod redact;
#[cfg(feature = "s3")]
mod s3;
#[cfg(test)]
pub(crate) mod tests;

use std::ops::Range;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use url::Url;

pub use credentials::{CredentialError, CredentialFiles, Credentials};
pub use error::{SetupError, TransportError, TransportErrorKind};
pub use redact::{redacted, redacted_text};

use file::FileSource;
use gzip::Decoded;
use http::HttpSource;

/// An answer that is waited for.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, TransportError>> + Send + 'a>>;
/// Bytes as they arrive.
pub(crate) type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// Where the bytes of some scheme's URLs come from.
pub(crate) trait Source: Send + Sync {
    /// A remote file. Nothing is asked yet; a URL that this source can't read is an error.
    fn remote(&self, url: &Url) -> Result<Arc<dyn Remote>, TransportError>;
}

/// One remote file, of which any number of ranges may be asked at once.
pub(crate) trait Remote: Send + Sync {
    /// Asks for the octets of a half-open range, or for all. A source that can't give ranges answers from octet 0.
    fn get(&self, range: Option<Range<u64>>) -> Answer<'_, Body>;
}

/// An answer under way.
pub(crate) struct Body {
    /// Where in the file the first octet of `chunks` is: 0 where a range was asked for and ignored.
    pub(crate) start: u64,
    /// Whether this is the range that was asked for, and no more.
    pub(crate) ranged: bool,
    /// The length of the whole file in octets, where the server says it.
    pub(crate) total: Option<u64>,
    /// What tells this state of the file from others: a strong `ETag` or a versioned URL.
    pub(crate) validator: Option<String>,
    /// Whether the octets are gzip's, though no coding was asked for: a server may do so with files that are stored
    /// so, and whose digests are of what is stored, or with any file. `total` is of the octets as they come.
    pub(crate) gzipped: bool,
    /// The octets. An error is transient: the connection broke or stalled.
    pub(crate) chunks: Chunks,
}

impl Body {
    /// The body of a file of the given length, if that is known: decoded where what comes is not that long as it is.
    pub(crate) fn expecting(self, length: Option<u64>, url: &Url) -> Self {
        let as_is = match length {
            Some(_) => self.total == length,
            None => url.path().ends_with("gz"),
        };
        if !self.gzipped || as_is {
            return self;
        }
        Self { total: None, chunks: Box::pin(Decoded::new(self.chunks, url.clone())), gzipped: false, ..self }
    }
}

/// How to reach other machines.
#[derive(Debug, Clone)]
pub struct TransportOptions {
    /// Open no socket: only `file:` URLs can be read.
    pub offline: bool,
    /// PEM files of certificate authorities to trust beside the platform's.
    pub ca_certs: Vec<PathBuf>,
    /// Give up on a connection over which nothing to speak of arrives for this long.
    pub stall: Duration,
    /// Do not give up: the caller watches, and knows which silence is its own doing.
    pub patient: bool,
    /// Where the user's credentials are.
    pub credentials: CredentialFiles,
    /// The server that `s3://` means, in place of Amazon's.
    pub s3_endpoint: Option<Url>,
    /// The region of that server's buckets.
    pub s3_region: Option<String>,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            offline: false,
            ca_certs: Vec::new(),
            stall: Duration::from_secs(30),
            patient: false,
            credentials: CredentialFiles::of_user(),
            s3_endpoint: None,
            s3_region: None,
        }
    }
}

/// What is waited for where nobody is to give up.
const FOR_EVER: Duration = Duration::from_hours(24 * 365);

impl TransportOptions {
    /// How long a connection that was made may be silent.
    fn silence(&self) -> Duration {
        if self.patient { FOR_EVER } else { self.stall }
    }
}

/// Every source there is, by scheme.
pub(crate) struct Transport {
    file: FileSource,
    /// `None` offline.
    network: Option<Network>,
    warnings: Vec<String>,
}

/// The sources that open sockets.
struct Network {
    http: HttpSource,
    #[cfg(feature = "s3")]
    s3: s3::S3Source,
}

impl Transport {
    /// Reads credentials and makes the clients. Nothing is asked of anyone yet.
    pub(crate) fn new(options: &TransportOptions) -> Result<Self, SetupError> {
        if options.offline {
            return Ok(Self { file: FileSource::new(), network: None, warnings: Vec::new() });
        }
        let credentials = Credentials::load(&options.credentials)?;
        let warnings = credentials.warnings().to_vec();
        Ok(Self { file: FileSource::new(), network: Some(Network::new(options, credentials)?), warnings })
    }

    /// What is odd about the user's credentials.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl Network {
    fn new(options: &TransportOptions, credentials: Credentials) -> Result<Self, SetupError> {
        let read = |path: &PathBuf| Ok((path.clone(), fs_err::read(path)?));
        let certificates = options.ca_certs.iter().map(read).collect::<std::io::Result<Vec<_>>>()?;
        Ok(Self {
            #[cfg(feature = "s3")]
            s3: s3_source(options, credentials.clone(), &certificates)?,
            http: HttpSource::new(options, credentials, &certificates)?,
        })
    }
}

#[cfg(feature = "s3")]
fn s3_source(
    options: &TransportOptions,
    credentials: Credentials,
    certificates: &[(PathBuf, Vec<u8>)],
) -> Result<s3::S3Source, SetupError> {
    let settings = s3::S3Settings {
        endpoint: options.s3_endpoint.as_ref().map(ToString::to_string),
        region: options.s3_region.clone(),
        ca_certs: certificates.iter().map(|(_, text)| text.clone()).collect(),
        stall: options.silence(),
        ..s3::S3Settings::default()
    };
    let shown = |secret: Option<&credentials::Secret>| secret.map(|secret| secret.expose().to_owned());
    let keys = move |url: &Url| match credentials.for_url(url)?.authorization() {
        credentials::Authorization::S3(keys) => Some(s3::S3Keys {
            key: shown(keys.key.as_ref()).unwrap_or_default(),
            secret: shown(keys.secret.as_ref()).unwrap_or_default(),
            token: shown(keys.token.as_ref()),
            profile: keys.profile.clone(),
        }),
        _ => None,
    };
    s3::S3Source::new(settings, Box::new(keys)).map_err(|error| SetupError::Client(error.reason))
}

impl Source for Transport {
    fn remote(&self, url: &Url) -> Result<Arc<dyn Remote>, TransportError> {
        let unsupported =
            |reason: String| Err(TransportError::new(url, TransportErrorKind::Unsupported, reason));
        match (url.scheme(), &self.network) {
            ("file", _) => self.file.remote(url),
            ("http" | "https", Some(network)) => network.http.remote(url),
            #[cfg(feature = "s3")]
            ("s3", Some(network)) => network.s3.remote(url),
            (_, network) => unsupported(refusal(url, network.is_none()).unwrap_or_default()),
        }
    }
}

/// Why a URL is not even tried; `None` where it is.
pub(crate) fn refusal(url: &Url, offline: bool) -> Option<String> {
    match url.scheme() {
        "file" => None,
        _ if offline => Some("it is not in the cache, and dbag works offline".into()),
        "http" | "https" => None,
        "s3" if cfg!(feature = "s3") => None,
        scheme => Some(format!("dbag can't fetch {scheme}: URLs")),
    }
}
