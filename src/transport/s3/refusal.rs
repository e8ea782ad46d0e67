//! What it means that no answer came, or not the one that was asked for.
//!
//! Says nothing of what a server wrote but its error's code: the rest of such a text may repeat what was sent to it.

use std::error::Error;
use std::time::Duration;

use futures_util::StreamExt;
use object_store::client::{HttpError, HttpErrorKind, HttpResponse};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use thiserror::Error;

use super::TransportErrorKind;
use super::credentials::is_region;
use crate::transport::client;

/// Octets of an error's text that are looked at.
const MOST_TEXT: usize = 64 << 10;

/// The server answered the whole file where a part was asked for.
#[derive(Debug, Error)]
#[error("the server ignored the range that it was asked for")]
pub(super) struct RangeIgnored;

/// A request that would have been sent in the clear.
#[derive(Debug, Error)]
#[error("dbag asks only https: URLs for credentials")]
pub(super) struct Unencrypted;

/// An answer that is none.
#[derive(Debug, Error)]
#[error("the server answered {status}{}", code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default())]
pub(super) struct Refusal {
    status: StatusCode,
    /// The error's code, such as `NoSuchKey`.
    code: Option<String>,
    /// The region that the bucket is in, where it was asked in another one.
    pub(super) region: Option<String>,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// Reads as much of an answer as tells why (Amazon S3 API Reference, "Error responses").
    pub(super) async fn read(response: HttpResponse) -> Self {
        let (parts, body) = response.into_parts();
        let mut text = Vec::new();
        let mut chunks = body.bytes_stream();
        while let Some(Ok(chunk)) = chunks.next().await {
            text.extend_from_slice(&chunk);
            if text.len() > MOST_TEXT {
                break;
            }
        }
        let text = String::from_utf8_lossy(&text);
        let code =
            element(&text, "Code").filter(|code| code.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let header = |name: &str| parts.headers.get(name)?.to_str().ok();
        let region = header("x-amz-bucket-region").or_else(|| element(&text, "Region"));
        Self {
            status: parts.status,
            code: code.map(str::to_owned),
            region: region.filter(|region| is_region(region)).map(str::to_owned),
            retry_after: retry_after(&parts.headers),
        }
    }

    fn kind(&self) -> TransportErrorKind {
        use TransportErrorKind::{Busy, Denied, NotFound, OutOfRange, Refused, Transient};
        match (self.code.as_deref().unwrap_or_default(), self.status.as_u16()) {
            // It is archived, and must be restored before anyone can read it.
            ("InvalidObjectState", _) => Refused,
            ("SlowDown" | "RequestLimitExceeded" | "Throttling", _) | (_, 429 | 503) => Busy,
            ("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired", _) | (_, 401 | 403) => Denied,
            ("RequestTimeout", _) | (_, 408 | 500 | 502 | 504..600) => Transient,
            (_, 404 | 410) => NotFound,
            (_, 416) => OutOfRange,
            _ => Refused,
        }
    }
}

/// The text between the first tag of that name and its end.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inside, _) = rest.split_once("</")?;
    (1..=64).contains(&inside.len()).then_some(inside)
}

/// `Retry-After` in seconds, as stores give it (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// What went wrong, whatever URL it was about.
#[derive(Debug, Clone, Error)]
#[error("{reason}")]
pub(super) struct Trouble {
    pub(super) kind: TransportErrorKind,
    pub(super) reason: String,
    pub(super) retry_after: Option<Duration>,
}

impl Trouble {
    /// Finds what is behind an error of `object_store`. `origin` says whose keys the request was signed with.
    pub(super) fn of(error: &(dyn Error + 'static), origin: &str) -> Self {
        if let Some(trouble) = find::<Self>(error) {
            return trouble.clone();
        }
        let new = |kind, reason| Self { kind, reason, retry_after: None };
        if let Some(refusal) = find::<Refusal>(error) {
            let kind = refusal.kind();
            let to = if kind == TransportErrorKind::Denied { format!(" to {origin}") } else { String::new() };
            return Self { retry_after: refusal.retry_after, ..new(kind, format!("{refusal}{to}")) };
        }
        let Some(broken) = find::<HttpError>(error) else {
            return new(TransportErrorKind::Refused, root_cause(error));
        };
        let cause = root_cause(broken);
        if let Some(reason) = client::untrusted(&cause) {
            return new(TransportErrorKind::Refused, reason);
        }
        if find::<Unencrypted>(broken).is_some() {
            return new(TransportErrorKind::Refused, cause);
        }
        let stalled = broken.kind() == HttpErrorKind::Timeout;
        let reason =
            if stalled { "nothing arrived for too long (stalled or unreachable)".into() } else { cause };
        new(TransportErrorKind::Transient, reason)
    }
}

/// The outermost error of a kind in a chain.
pub(super) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}

/// The innermost error: "connection refused" rather than "error sending request".
pub(super) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let innermost = std::iter::successors(Some(error), |&error| error.source()).last();
    innermost.unwrap_or(error).to_string()
}
