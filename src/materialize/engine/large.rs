//! A large file: fetched in ranges by as many connections as there are to spare, written as they come, resumable.

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::oneshot;
use url::Url;

use super::Engine;
use super::assembly::Assembly;
use super::file::{Errand, Miss, NEWS, too_long};
use super::governor::Permit;
use super::limit::Pace;
use super::small::{Partly, check_length, settle};
use super::writers::{Task, algorithms};
use crate::bag::{Algorithm, MultiHasher};
use crate::materialize::work::{Origin, RangeSet};
use crate::transport::{Body, TransportError, TransportErrorKind};

/// As much is asked for at once.
const PART: u64 = 16 << 20;
/// As much is written at once.
const BLOCK: usize = 1 << 20;
/// Or what came in so much time.
const SLOW: Duration = Duration::from_millis(150);
/// Ranges of one file under way at once, at most.
const LANES: usize = 16;
/// Times that one range is asked for without anything new coming.
const ATTEMPTS: u32 = 4;

/// The file and where it comes from, for its ranges.
struct Large<'a, 'e> {
    errand: &'a Errand<'a, 'e>,
    assembly: Arc<Assembly<'e>>,
    validator: Option<String>,
    total: Option<u64>,
    /// What is there, or some connection is at.
    taken: Mutex<RangeSet>,
}

impl Large<'_, '_> {
    /// The next range for a connection to fetch.
    fn next(&self) -> Option<Range<u64>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let hole = taken.hole_from(0, self.total?)?;
        let part = hole.start..hole.end.min(hole.start + PART);
        taken.add(part.clone());
        Some(part)
    }
}

impl<'e> Engine<'e> {
    /// Fetches a file of more than `SMALL` octets, or of unknown length; its length.
    pub(super) async fn large(&self, errand: &Errand<'_, 'e>, partly: &mut Partly<'e>) -> Result<u64, Miss> {
        let wanted = errand.wanted;
        let is_first_try = partly.assembly.is_none();
        let assembly = match &partly.assembly {
            Some(assembly) => Arc::clone(assembly),
            None => {
                let slot = self.place.begin(wanted).map_err(Miss::disk)?;
                let assembly = Arc::new(Assembly::new(slot, algorithms(wanted, self.addressed_by)));
                Arc::clone(partly.assembly.insert(assembly))
            }
        };
        // What this run has under way it sees through; what an earlier one left may be whole already.
        let whole = if is_first_try { assembly.whole() } else { None };
        let known = whole.filter(|origin| origin.url == name(errand.url));
        let resumed = match known {
            // It was killed, or failed, between the last octet and the file's place.
            Some(origin) if wanted.length.is_none_or(|length| origin.length == Some(length)) => {
                let there = assembly.begin(origin).map_err(Miss::disk)?.total();
                self.retell(errand, there);
                there
            }
            _ => self.fill(errand, &assembly, partly).await?,
        };
        let (reply, verdict) = oneshot::channel();
        self.queue.push(Task::Finish { index: wanted.index, assembly: Arc::clone(&assembly), reply });
        match settle(verdict.await) {
            // What another run left may be spoilt: what comes fresh is not.
            Err(Miss::Wrong(..)) if resumed > 0 && !partly.anew => {
                partly.anew = true;
                assembly.clear().map_err(Miss::disk)?;
                Err(Miss::Cut("what an earlier run had left of it was wrong".into()))
            }
            Err(miss @ Miss::Wrong(..)) => {
                assembly.clear().map_err(Miss::disk)?;
                Err(miss)
            }
            other => other,
        }
    }

    /// Fetches what is not there of a file; how many of its octets were.
    async fn fill(
        &self,
        errand: &Errand<'_, 'e>,
        assembly: &Arc<Assembly<'e>>,
        partly: &mut Partly<'e>,
    ) -> Result<u64, Miss> {
        let permit = self.connection(errand).await?;
        let (body, asked) = self.first(errand, assembly).await?;
        let origin = Origin { url: name(errand.url), validator: body.validator.clone(), length: body.total };
        let good = assembly.begin(origin).map_err(Miss::disk)?;
        let resumed = good.total();
        self.retell(errand, resumed);
        let large = Large {
            errand,
            assembly: Arc::clone(assembly),
            validator: body.validator.clone(),
            total: body.total,
            taken: Mutex::new(good),
        };
        let done = if body.ranged && body.total.is_some() {
            self.ranges(&large, body, asked, permit).await
        } else {
            self.stream(&large, &mut 0, errand.wanted.length.unwrap_or(u64::MAX), body).await
        };
        partly.written = partly.written.max(assembly.reached());
        if matches!(done, Err(Miss::Changed)) {
            assembly.clear().map_err(Miss::disk)?;
        }
        done.map(|()| resumed)
    }

    /// The first answer, which tells what the file is, and the range that was asked for.
    async fn first(
        &self,
        errand: &Errand<'_, 'e>,
        assembly: &Assembly<'e>,
    ) -> Result<(Body, Range<u64>), Miss> {
        let Errand { wanted, url, .. } = errand;
        let known = assembly.origin().filter(|origin| origin.url == name(url));
        let all = 0..wanted.length.unwrap_or(u64::MAX);
        let hole = known.and_then(|_| assembly.first_hole(all.end)).unwrap_or(all);
        let (at, end) = (hole.start, hole.end.min(hole.start + PART));
        let answer = match self.ask(errand, Some(at..end)).await {
            // The file is shorter than was thought, or empty.
            Err(Miss::Transport(error)) if error.kind == TransportErrorKind::OutOfRange => {
                self.ask(errand, None).await
            }
            other => other,
        };
        let body = answer?.expecting(wanted.length, url);
        check_length(&body, wanted)?;
        if body.ranged && body.start != at {
            let reason = "the server answered with another range than the one that was asked for";
            return Err(Miss::Transport(TransportError::new(url, TransportErrorKind::Refused, reason)));
        }
        Ok((body, at..end))
    }

    /// A connection, when there is one to spare, unless the server turned out to be not worth asking meanwhile.
    pub(super) async fn connection(&self, errand: &Errand<'_, 'e>) -> Result<Permit<'_>, Miss> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let permit = self.governor.permit().await;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        if self.hosts.turns_away(errand.url, errand.is_probe.get()) { Err(Miss::Later) } else { Ok(permit) }
    }

    /// Fetches every range that is missing, several at once, beginning with the one that is under way.
    async fn ranges(
        &self,
        large: &Large<'_, 'e>,
        body: Body,
        asked: Range<u64>,
        permit: Permit<'_>,
    ) -> Result<(), Miss> {
        let asked = asked.start..asked.end.min(large.total.unwrap_or(asked.end));
        large.taken.lock().unwrap_or_else(PoisonError::into_inner).add(asked.clone());
        let mut lanes = FuturesUnordered::new();
        lanes.push(self.lane(large, Some((asked, body, permit))));
        for _ in 1..LANES.min(self.options.connections.max(1)) {
            lanes.push(self.lane(large, None));
        }
        while let Some(done) = lanes.next().await {
            done?;
        }
        Ok(())
    }

    /// One connection's work on a file: range after range.
    async fn lane(
        &self,
        large: &Large<'_, 'e>,
        first: Option<(Range<u64>, Body, Permit<'_>)>,
    ) -> Result<(), Miss> {
        if let Some((range, body, permit)) = first {
            self.range(large, range, Some(body)).await?;
            drop(permit);
        }
        loop {
            // The connection first: what is taken must be under way, not waiting for one.
            let permit = self.connection(large.errand).await?;
            let Some(range) = large.next() else { return Ok(()) };
            self.range(large, range, None).await?;
            drop(permit);
        }
    }

    /// Fetches a range, asking again from where the answer broke off.
    async fn range(&self, large: &Large<'_, 'e>, range: Range<u64>, first: Option<Body>) -> Result<(), Miss> {
        let (mut at, mut attempt, mut body) = (range.start, 0, first);
        loop {
            let before = at;
            let answer = match body.take() {
                Some(body) => Ok(body),
                None => self.ask(large.errand, Some(at..range.end)).await,
            };
            let done = match answer {
                Ok(body) if !body.ranged || body.start != at || body.validator != large.validator => {
                    return Err(Miss::Changed);
                }
                Ok(body) => self.stream(large, &mut at, range.end, body).await,
                Err(miss) => Err(miss),
            };
            let miss = match done {
                Ok(()) if at == range.end => {
                    self.hosts.succeeded(large.errand.url);
                    return Ok(());
                }
                Ok(()) => Miss::Cut(format!("the server sent {at} of {} bytes", range.end)),
                Err(Miss::Transport(error)) if error.kind.is_transient() => {
                    if error.kind == TransportErrorKind::Busy {
                        self.governor.halve();
                    }
                    Miss::Transport(error)
                }
                Err(miss) => return Err(miss),
            };
            attempt = if at - before >= NEWS { 1 } else { attempt + 1 };
            if attempt >= ATTEMPTS {
                return Err(miss);
            }
            if let Miss::Transport(TransportError { reason, .. }) | Miss::Cut(reason) = &miss {
                self.hosts.failed(large.errand.url, reason, large.errand.is_probe.get());
            }
            self.retries.fetch_add(1, Ordering::Relaxed);
            self.progress.retried();
            tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
        }
    }

    /// Writes a body's octets from `at` on, which moves with them, up to `end`.
    async fn stream(
        &self,
        large: &Large<'_, 'e>,
        at: &mut u64,
        end: u64,
        mut body: Body,
    ) -> Result<(), Miss> {
        let mut pace = Pace::new(self.options.stall);
        loop {
            let memory = self.memory(BLOCK as u64).await?;
            if let Some(error) = large.assembly.take_error() {
                return Err(Miss::disk(error));
            }
            let mut block = Vec::with_capacity(BLOCK);
            let begun = Instant::now();
            let ended = loop {
                match self.next(&mut body.chunks, &mut pace, large.errand).await {
                    Ok(Some(chunk)) => block.extend_from_slice(&chunk),
                    Ok(None) => break Ok(true),
                    Err(error) => break Err(error),
                }
                // On a slow line a block would keep for long what a killed run then loses.
                if block.len() >= BLOCK || begun.elapsed() >= SLOW {
                    break Ok(false);
                }
            };
            let start = *at;
            *at += block.len() as u64;
            if *at > end {
                return Err(too_long(end));
            }
            // What came before a break is good.
            if !block.is_empty() {
                large.assembly.announce();
                let assembly = Arc::clone(&large.assembly);
                self.queue.push(Task::Write { assembly, at: start, octets: block, _memory: memory });
            }
            match ended {
                Ok(false) => {}
                Ok(true) => return Ok(()),
                Err(mut error) => {
                    error.reason = format!("{} (after {at} bytes)", error.reason);
                    return Err(Miss::Transport(error));
                }
            }
        }
    }
}

/// What stands for a URL on disk: it may hold secrets.
fn name(url: &Url) -> String {
    let mut hasher = MultiHasher::new(&[Algorithm::Sha256]);
    hasher.update(url.as_str().as_bytes());
    hasher.finish()[0].to_string()
}
