//! One object in a bucket: asked for, and asked for again where the bucket really is.

use std::ops::Range;
use std::sync::Arc;

use futures_util::StreamExt;
use object_store::{Attribute, GetOptions, GetResult, ObjectStore};
use url::Url;

use super::location::Location;
use super::refusal::{RangeIgnored, Refusal, Trouble, find};
use super::store::{Regional, Store};
use super::{TransportError, TransportErrorKind};
use crate::transport::{Answer, Body, Remote};

/// An object, or a version of it.
pub(super) struct S3Remote {
    url: Url,
    location: Location,
    store: Arc<Store>,
}

impl S3Remote {
    pub(super) fn new(url: Url, location: Location, store: Arc<Store>) -> Self {
        Self { url, location, store }
    }

    async fn open(&self, mut range: Option<Range<u64>>) -> Result<Body, TransportError> {
        if range.as_ref().is_some_and(Range::is_empty) {
            let reason = "no octet was asked for";
            return Err(TransportError::new(&self.url, TransportErrorKind::OutOfRange, reason));
        }
        let mut place = self.store.current();
        let mut has_moved = false;
        loop {
            let error = match self.ask(&place, range.clone()).await {
                Ok(found) => return Ok(self.body(found, range.is_some())),
                Err(error) => error,
            };
            if range.is_some() && find::<RangeIgnored>(&error).is_some() {
                range = None;
                continue;
            }
            let elsewhere = find::<Refusal>(&error).and_then(|refusal| refusal.region.as_deref());
            match elsewhere.filter(|region| !has_moved && *region != place.region) {
                Some(region) => {
                    let refused =
                        |reason: String| TransportError::new(&self.url, TransportErrorKind::Refused, reason);
                    place = self.store.moved_to(region).map_err(refused)?;
                    has_moved = true;
                }
                None => return Err(failed(&self.url, &error, &self.store.origin)),
            }
        }
    }

    async fn ask(&self, place: &Regional, range: Option<Range<u64>>) -> object_store::Result<GetResult> {
        let version = self.location.version.clone();
        let options = GetOptions { range: range.map(Into::into), version, ..GetOptions::default() };
        place.s3.get_opts(&self.location.key, options).await
    }

    fn body(&self, found: GetResult, ranged: bool) -> Body {
        let coding = found.attributes.get(&Attribute::ContentEncoding).map(AsRef::as_ref);
        let gzipped = coding.is_some_and(|coding: &str| coding.eq_ignore_ascii_case("gzip"));
        let strong = found.meta.e_tag.clone().filter(|tag| !tag.starts_with("W/") && tag.len() > 2);
        let validator = strong.or_else(|| found.meta.version.clone());
        let (start, total) = (found.range.start, Some(found.meta.size));
        let (url, origin) = (self.url.clone(), self.store.origin.clone());
        let chunks =
            found.into_stream().map(move |chunk| chunk.map_err(|error| failed(&url, &error, &origin)));
        Body { start, ranged, total, validator, gzipped, chunks: Box::pin(chunks) }
    }
}

impl Remote for S3Remote {
    fn get(&self, range: Option<Range<u64>>) -> Answer<'_, Body> {
        Box::pin(self.open(range))
    }
}

fn failed(url: &Url, error: &object_store::Error, origin: &str) -> TransportError {
    let Trouble { kind, reason, retry_after } = Trouble::of(error, origin);
    TransportError { retry_after, ..TransportError::new(url, kind, reason) }
}
