//! What an HTTP answer means: its status, its place in the file, what tells this state of the file from others.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{self, HeaderMap};
use reqwest::{Response, StatusCode};
use url::Url;

use crate::transport::{TransportError, TransportErrorKind, client};

/// The innermost error: "connection refused" rather than "error sending request".
pub(super) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// A request that got no answer, or an answer that broke off.
pub(super) fn broken(url: &Url, error: &reqwest::Error) -> TransportError {
    let cause = root_cause(error);
    if let Some(reason) = client::untrusted(&cause) {
        return TransportError::new(url, TransportErrorKind::Refused, reason);
    }
    let kind = if error.is_builder() { TransportErrorKind::Refused } else { TransportErrorKind::Transient };
    let reason = if error.is_timeout() {
        "nothing arrived for too long (stalled or unreachable)".into()
    } else {
        cause
    };
    TransportError::new(url, kind, reason)
}

/// What a status other than success says.
pub(super) fn refused(url: &Url, response: &Response) -> TransportError {
    let status = response.status();
    let kind = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => TransportErrorKind::Denied,
        StatusCode::NOT_FOUND | StatusCode::GONE => TransportErrorKind::NotFound,
        StatusCode::RANGE_NOT_SATISFIABLE => TransportErrorKind::OutOfRange,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => TransportErrorKind::Busy,
        StatusCode::REQUEST_TIMEOUT => TransportErrorKind::Transient,
        status if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED => {
            TransportErrorKind::Transient
        }
        _ => TransportErrorKind::Refused,
    };
    let mut error = TransportError::new(url, kind, format!("the server answered {status}"));
    error.retry_after = retry_after(response.headers());
    error
}

/// Where a redirect leads.
pub(super) fn target(place: &Url, response: &Response) -> Result<Url, TransportError> {
    let refuse = |reason: String| TransportError::new(place, TransportErrorKind::Refused, reason);
    let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let location = location
        .ok_or_else(|| refuse(format!("the server answered {} without a place", response.status())))?;
    let next = place.join(location).map_err(|_| refuse("it redirects to what is no URL".into()))?;
    match (place.scheme(), next.scheme()) {
        (_, "https") | ("http", "http") => Ok(next),
        ("https", "http") => Err(refuse("it redirects from https to http".into())),
        (_, scheme) => Err(refuse(format!("it redirects to a {scheme}: URL"))),
    }
}

/// `Retry-After`: seconds, or a date (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(value).ok()?;
    Some(date.signed_duration_since(Utc::now()).to_std().unwrap_or_default())
}

/// Where in the file an answer begins, and the file's whole length.
pub(super) fn place(url: &Url, response: &Response) -> Result<(u64, Option<u64>), TransportError> {
    if response.status() != StatusCode::PARTIAL_CONTENT {
        return Ok((0, response.content_length()));
    }
    let value = response.headers().get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
    value.and_then(content_range).ok_or_else(|| {
        let reason = "the server answered 206 without a Content-Range that can be read";
        TransportError::new(url, TransportErrorKind::Refused, reason)
    })
}

/// `bytes FIRST-LAST/TOTAL` (RFC 9110 §14.4).
fn content_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total = if total.trim() == "*" { None } else { Some(total.trim().parse().ok()?) };
    (first <= last && total.is_none_or(|total| last < total)).then_some((first, total))
}

/// What tells this state of the file from others: a strong `ETag` (RFC 9110 §8.8.1), or else the versioned
/// path that Hatrac gives in `Content-Location`. Servers are not trusted to compare it: Hatrac ignores `If-Range`.
pub(super) fn validator(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let strong = text(header::ETAG).filter(|tag| !tag.starts_with("W/") && tag.len() > 2);
    strong
        .or_else(|| text(header::CONTENT_LOCATION).filter(|place| place.contains("/hatrac/")))
        .map(str::to_owned)
}

/// Whether an answer's octets are gzip's, though none were asked for.
pub(super) fn is_gzip(headers: &HeaderMap) -> bool {
    let coding = headers.get(header::CONTENT_ENCODING).and_then(|value| value.to_str().ok());
    coding.is_some_and(|coding| coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read_or_refused() {
        assert_eq!(content_range("bytes 0-0/1"), Some((0, Some(1))));
        assert_eq!(content_range("bytes 10-19/*"), Some((10, None)));
        for bad in ["", "bytes", "bytes */10", "bytes 5-4/10", "bytes 0-10/10", "items 0-1/2", "bytes a-b/c"]
        {
            assert_eq!(content_range(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn weak_tags_tell_nothing() {
        let headers =
            |name: header::HeaderName, value: &str| HeaderMap::from_iter([(name, value.parse().unwrap())]);
        assert_eq!(validator(&headers(header::ETAG, "\"a\"")), Some("\"a\"".into()));
        assert_eq!(validator(&headers(header::ETAG, "W/\"a\"")), None);
        assert_eq!(validator(&headers(header::ETAG, "\"\"")), None);
        let place = "/hatrac/ns/a:ABC";
        assert_eq!(validator(&headers(header::CONTENT_LOCATION, place)), Some(place.into()));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let headers = |value: &str| HeaderMap::from_iter([(header::RETRY_AFTER, value.parse().unwrap())]);
        assert_eq!(retry_after(&headers("7")), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(&headers("Wed, 21 Oct 2015 07:28:00 GMT")), Some(Duration::ZERO));
        assert_eq!(retry_after(&headers("soon")), None);
    }
}
