//! What is asked of a server, and how long its silence is borne.
//!
//! Where the user limits the rate, what a server sends waits for its turn here, and with it whatever comes over the same
//! connection or from the same busy server. That silence is ours, and no stall.

use std::ops::Range;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use url::Url;

use super::Engine;
use super::file::{Errand, Miss};
use super::limit::Pace;
use crate::transport::{Body, Chunks, TransportError, TransportErrorKind};

/// What is left of a wait counts as nothing below this.
const INSTANT: Duration = Duration::from_millis(10);

impl<'e> Engine<'e> {
    /// Asks for a body, and notes that an answer came.
    pub(super) async fn ask(&self, errand: &Errand<'_, 'e>, range: Option<Range<u64>>) -> Result<Body, Miss> {
        let answer = self.patiently(errand.url, errand.remote.get(range)).await;
        self.governor.request();
        answer.map_err(Miss::Transport)
    }

    /// The next piece of a body; `None` at its end.
    pub(super) async fn next(
        &self,
        chunks: &mut Chunks,
        pace: &mut Pace,
        errand: &Errand<'_, 'e>,
    ) -> Result<Option<bytes::Bytes>, TransportError> {
        let (since, busy) = (Instant::now(), self.limiter.busy());
        let next = self.patiently(errand.url, async { chunks.next().await.transpose() }).await?;
        let Some(chunk) = next else { return Ok(None) };
        let waited = since.elapsed().saturating_sub(self.limiter.busy().saturating_sub(busy));
        if !pace.note(waited, chunk.len()) {
            let reason = "hardly anything arrives any more";
            return Err(TransportError::new(errand.url, TransportErrorKind::Transient, reason));
        }
        self.governor.bytes(chunk.len() as u64);
        self.retell(errand, errand.told.get() + chunk.len() as u64);
        self.limiter.take(chunk.len()).await;
        Ok(Some(chunk))
    }

    /// Makes what was told of a file's progress what is there of it.
    pub(super) fn retell(&self, errand: &Errand<'_, 'e>, there: u64) {
        let told = errand.told.replace(there);
        match there.checked_sub(told) {
            Some(more) => self.progress.bytes(more),
            None => self.progress.lost(told - there),
        }
    }

    /// Waits for a server for as long as it may be silent, not counting the time in which the limit of the rate held
    /// things up. Without a limit the transport itself watches.
    async fn patiently<T>(
        &self,
        url: &Url,
        answer: impl Future<Output = Result<T, TransportError>>,
    ) -> Result<T, TransportError> {
        if !self.limiter.limits() {
            return answer.await;
        }
        let mut answer = std::pin::pin!(answer);
        let mut patience = self.options.stall;
        while patience > INSTANT {
            let (since, busy) = (Instant::now(), self.limiter.busy());
            if let Ok(answer) = tokio::time::timeout(patience, &mut answer).await {
                return answer;
            }
            patience = self.limiter.busy().saturating_sub(busy).min(since.elapsed());
        }
        let reason = "nothing arrived for too long (stalled or unreachable)";
        Err(TransportError::new(url, TransportErrorKind::Transient, reason))
    }
}
