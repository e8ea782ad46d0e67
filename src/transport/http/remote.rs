//! One file on a web server: asked for, redirected, asked again where the bytes really are.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryStreamExt;
use reqwest::{Response, StatusCode, header};
use url::Url;

use super::{Shared, answer};
use crate::transport::{Answer, Body, Chunks, Remote, TransportError, TransportErrorKind};

/// Redirects that are followed for one answer.
const MOST_HOPS: usize = 10;

/// A file at a URL. Where the URL leads to another place, such as a presigned one in an object store, the place is
/// remembered, asked for ranges without credentials, and asked for again at the URL when it is refused.
pub(super) struct HttpRemote {
    shared: Arc<Shared>,
    url: Url,
    place: Mutex<Place>,
}

#[derive(Clone)]
enum Place {
    /// Nothing was asked yet.
    Unknown,
    /// The server of the URL has the bytes.
    Here,
    /// Another place has them.
    There(Url),
}

impl HttpRemote {
    pub(super) fn new(shared: Arc<Shared>, url: Url) -> Self {
        Self { shared, url, place: Mutex::new(Place::Unknown) }
    }

    fn place(&self) -> Place {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_place(&self, place: Place) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }

    async fn open(&self, range: Option<Range<u64>>) -> Result<Body, TransportError> {
        if range.as_ref().is_some_and(Range::is_empty) {
            let reason = "an empty range can't be asked for";
            return Err(TransportError::new(&self.url, TransportErrorKind::OutOfRange, reason));
        }
        if let Place::There(place) = self.place() {
            match self.ask(&place, range.clone(), false).await {
                // It has expired, or is there no more: the URL may lead elsewhere by now.
                Ok(response) if has_expired(response.status()) => self.set_place(Place::Unknown),
                Ok(response) => return body(&place, self.accepted(&place, false, response)?),
                Err(error) => return Err(error),
            }
        }
        // Hatrac sends only whole requests on to where the bytes are; to a range it answers itself, through its own
        // narrow door. So that door is knocked at first without a range.
        let knock = range.is_some() && matches!(self.place(), Place::Unknown) && self.is_hatrac();
        let (place, response) = self.follow(if knock { None } else { range.clone() }).await?;
        let moved = place != self.url;
        self.set_place(if moved { Place::There(place.clone()) } else { Place::Here });
        let wanted = range.filter(|range| knock && (moved || range.start > 0));
        if wanted.is_some() {
            drop(response);
            let response = self.ask(&place, wanted, !moved).await?;
            if moved && has_expired(response.status()) {
                // It was good a moment ago: others may have used it up since. The next try asks for another.
                self.set_place(Place::Unknown);
                let reason =
                    format!("the place that it leads to has expired already ({})", response.status());
                return Err(TransportError::new(&self.url, TransportErrorKind::Transient, reason));
            }
            return body(&place, self.accepted(&place, !moved, response)?);
        }
        body(&place, response)
    }

    fn is_hatrac(&self) -> bool {
        self.url.path().starts_with("/hatrac/")
    }

    /// Asks at the URL, and on from place to place until one answers.
    async fn follow(&self, range: Option<Range<u64>>) -> Result<(Url, Response), TransportError> {
        let mut place = self.url.clone();
        // Once the way has left the URL's origin, nothing that was meant for it is sent any more.
        let mut at_home = true;
        for _ in 0..MOST_HOPS {
            let response = self.ask(&place, range.clone(), at_home).await?;
            let status = response.status();
            if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
                return self.accepted(&place, at_home, response).map(|response| (place, response));
            }
            let next = answer::target(&place, &response)?;
            at_home &= next.origin() == place.origin();
            place = next;
        }
        let reason = format!("it redirects more than {MOST_HOPS} times");
        Err(TransportError::new(&self.url, TransportErrorKind::Refused, reason))
    }

    /// Sends one request.
    async fn ask(
        &self,
        place: &Url,
        range: Option<Range<u64>>,
        at_home: bool,
    ) -> Result<Response, TransportError> {
        let mut bare = place.clone();
        // These fail only for URLs that can have none.
        let _ = bare.set_username("");
        let _ = bare.set_password(None);
        let mut request = self.shared.client.get(bare).header(header::ACCEPT_ENCODING, "identity");
        if let Some(range) = range {
            // A range without an end goes to the end of the file.
            let last = if range.end == u64::MAX { String::new() } else { (range.end - 1).to_string() };
            request = request.header(header::RANGE, format!("bytes={}-{last}", range.start));
        }
        if at_home {
            request = self.shared.session.sign(&self.shared.client, place, request).await?;
        }
        request.send().await.map_err(|error| answer::broken(place, &error))
    }

    /// The answer, if it is one with a body.
    fn accepted(&self, place: &Url, at_home: bool, response: Response) -> Result<Response, TransportError> {
        if matches!(response.status(), StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
            return Ok(response);
        }
        let error = answer::refused(place, &response);
        Err(match error.kind {
            TransportErrorKind::Denied => self.shared.session.explain(place, at_home, error),
            _ => error,
        })
    }
}

impl Remote for HttpRemote {
    fn get(&self, range: Option<Range<u64>>) -> Answer<'_, Body> {
        Box::pin(self.open(range))
    }
}

/// Whether a place that was good once says that it is so no more.
fn has_expired(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::GONE
    )
}

/// The body of a good answer.
fn body(place: &Url, response: Response) -> Result<Body, TransportError> {
    let (start, total) = answer::place(place, &response)?;
    let ranged = response.status() == StatusCode::PARTIAL_CONTENT;
    let validator = answer::validator(response.headers());
    let gzipped = answer::is_gzip(response.headers());
    let url = place.clone();
    let chunks: Chunks = Box::pin(response.bytes_stream().map_err(move |error| answer::broken(&url, &error)));
    Ok(Body { start, ranged, total, validator, gzipped, chunks })
}
