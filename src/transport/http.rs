//! HTTP and HTTPS, over the platform's certificate store and proxy settings.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use reqwest::{Client, Response, StatusCode, header};
use tokio::runtime::Runtime;
use url::Url;

use super::{Body, Source, TransportError, redacted};

/// Give up on a connection that is not made in this time.
const CONNECT: Duration = Duration::from_secs(30);
/// Give up on an answer when nothing arrives for this long.
const STALL: Duration = Duration::from_secs(30);

/// One pool of connections. The asynchronous part stays inside: callers block.
pub struct HttpSource {
    runtime: Arc<Runtime>,
    client: Client,
}

impl HttpSource {
    /// Makes a client.
    pub fn new() -> io::Result<Self> {
        // A provider may be installed already, by this library or its caller; either is good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let client = Client::builder()
            .user_agent(concat!("dbag/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(STALL)
            .build()
            .map_err(io::Error::other)?;
        Ok(Self { runtime: Arc::new(runtime), client })
    }
}

impl Source for HttpSource {
    fn open(&self, url: &Url) -> Result<Body, TransportError> {
        let fail = |reason: String, transient, retry_after| TransportError {
            url: redacted(url),
            reason,
            transient,
            retry_after,
        };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(fail(format!("dbag can't fetch {}: URLs", url.scheme()), false, None));
        }
        // The request must be made inside the runtime: its timers start there.
        let answer = self.runtime.block_on(async { self.client.get(url.clone()).send().await });
        let response = answer
            .map_err(|error| fail(root_cause(&error), !error.is_builder() && !error.is_redirect(), None))?;
        let status = response.status();
        if status != StatusCode::OK {
            let transient = status.is_server_error()
                || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
            let wait = response
                .headers()
                .get(header::RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.parse().ok());
            return Err(fail(
                format!("the server answered {status}"),
                transient,
                wait.map(Duration::from_secs),
            ));
        }
        let length = response.content_length();
        let reader =
            ResponseReader { runtime: Arc::clone(&self.runtime), response, chunk: Bytes::new(), at: 0 };
        Ok(Body { length, reader: Box::new(reader) })
    }
}

/// The innermost error: "connection refused" rather than "error sending request".
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

struct ResponseReader {
    runtime: Arc<Runtime>,
    response: Response,
    chunk: Bytes,
    at: usize,
}

impl Read for ResponseReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.chunk.len() {
            let next = self.runtime.block_on(self.response.chunk());
            match next.map_err(|error| io::Error::other(root_cause(&error)))? {
                None => return Ok(0),
                Some(chunk) => (self.chunk, self.at) = (chunk, 0),
            }
        }
        let n = buffer.len().min(self.chunk.len() - self.at);
        buffer[..n].copy_from_slice(&self.chunk[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}
