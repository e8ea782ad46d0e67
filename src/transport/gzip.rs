//! Bodies that come gzipped though no coding was asked for.

use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use flate2::write::GzDecoder;
use futures_util::Stream;
use url::Url;

use super::{Chunks, TransportError, TransportErrorKind};

/// The octets that a gzipped body stands for, piece by piece: a small piece that decodes to a great deal is passed
/// on before the next one is taken, and whoever reads stops at the length that it expects.
pub(super) struct Decoded {
    inner: Chunks,
    /// `None` after the end.
    decoder: Option<GzDecoder<Vec<u8>>>,
    waiting: Bytes,
    url: Url,
}

/// As much as is decoded at once; deflate makes at most some thousand octets of one.
const PIECE: usize = 4 << 10;

impl Decoded {
    pub(super) fn new(inner: Chunks, url: Url) -> Self {
        Self { inner, decoder: Some(GzDecoder::new(Vec::new())), waiting: Bytes::new(), url }
    }

    fn bad(&self, error: &std::io::Error) -> TransportError {
        TransportError::new(
            &self.url,
            TransportErrorKind::Transient,
            format!("the gzipped body is broken: {error}"),
        )
    }

    /// Decodes the next piece of what waits; `None` where nothing does.
    fn decode(&mut self) -> Option<Result<Bytes, TransportError>> {
        let decoder = self.decoder.as_mut()?;
        while !self.waiting.is_empty() {
            let piece = self.waiting.split_to(self.waiting.len().min(PIECE));
            if let Err(error) = decoder.write_all(&piece) {
                return Some(Err(self.bad(&error)));
            }
            if !decoder.get_ref().is_empty() {
                return Some(Ok(std::mem::take(decoder.get_mut()).into()));
            }
        }
        None
    }
}

impl Stream for Decoded {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(piece) = self.decode() {
                return Poll::Ready(Some(piece));
            }
            match ready!(self.inner.as_mut().poll_next(context)) {
                Some(Ok(chunk)) => self.waiting = chunk,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    let Some(decoder) = self.decoder.take() else { return Poll::Ready(None) };
                    return Poll::Ready(match decoder.finish() {
                        Ok(rest) if rest.is_empty() => None,
                        Ok(rest) => Some(Ok(rest.into())),
                        Err(error) => Some(Err(self.bad(&error))),
                    });
                }
            }
        }
    }
}
