//! A small file: whole in memory before a byte of it is written.

use std::sync::Arc;

use super::assembly::Assembly;
use super::file::{Errand, Miss, too_long, wrong_digest, wrong_length};
use super::limit::Pace;
use super::writers::{Store, Task, Verdict};
use super::{Engine, PIECE, SMALL};
use crate::materialize::list::Wanted;
use crate::transport::Body;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// What tries so far have brought of a file from one place.
#[derive(Default)]
pub(super) struct Partly<'e> {
    octets: Vec<u8>,
    /// What the octets are a part of. Without it they can't be added to.
    validator: Option<String>,
    /// A file that is too large for memory.
    pub(super) assembly: Option<Arc<Assembly<'e>>>,
    /// Octets of it that came.
    pub(super) written: u64,
    /// It was put together from more than one try, turned out wrong, and was begun anew.
    pub(super) anew: bool,
}

impl Partly<'_> {
    /// Grows when something new came.
    pub(super) fn progress(&self) -> u64 {
        self.octets.len() as u64 + self.written
    }

    /// Octets of the file that are there.
    pub(super) fn there(&self) -> u64 {
        self.octets.len() as u64 + self.assembly.as_ref().map_or(0, |assembly| assembly.reached())
    }

    /// Forgets everything.
    pub(super) fn forget(&mut self) {
        self.clear();
        self.assembly = None;
    }

    /// Forgets what is in memory.
    pub(super) fn clear(&mut self) {
        self.octets.clear();
        self.validator = None;
    }
}

impl<'e> Engine<'e> {
    /// Fetches a file of at most `SMALL` octets; its length.
    pub(super) async fn small(&self, errand: &Errand<'_, 'e>, partly: &mut Partly<'e>) -> Result<u64, Miss> {
        let wanted = errand.wanted;
        // The connection first: whoever waits for memory with one in hand waits only for the disk.
        let permit = self.connection(errand).await?;
        let memory = self.memory(wanted.length.unwrap_or(SMALL)).await?;
        let received = self.receive(errand, partly).await;
        // What is left needs no connection.
        drop(permit);
        match received {
            Ok(true) => {}
            Ok(false) => {
                drop(memory);
                partly.clear();
                return self.large(errand, partly).await;
            }
            Err(miss) => {
                if partly.validator.is_none() {
                    partly.clear();
                }
                return Err(miss);
            }
        }
        let octets = std::mem::take(&mut partly.octets);
        let (reply, verdict) = oneshot::channel();
        self.queue.push(Task::Store(Store { index: wanted.index, octets, reply, memory }));
        settle(verdict.await)
    }

    /// Memory for so many octets.
    pub(super) async fn memory(&self, octets: u64) -> Result<OwnedSemaphorePermit, Miss> {
        let pieces = u32::try_from(octets.div_ceil(PIECE as u64).max(1)).unwrap_or(u32::MAX);
        Arc::clone(&self.memory).acquire_many_owned(pieces).await.map_err(|_| Miss::Stop)
    }

    /// Asks for what is not there yet and takes it in; false where it is too large for memory.
    async fn receive(&self, errand: &Errand<'_, 'e>, partly: &mut Partly<'e>) -> Result<bool, Miss> {
        let Errand { wanted, url, .. } = errand;
        let there = partly.octets.len() as u64;
        let rest = wanted.length.filter(|length| there > 0 && there < *length);
        let body = self.ask(errand, rest.map(|length| there..length)).await?;
        let mut body = body.expecting(wanted.length, url);
        check_length(&body, wanted)?;
        let goes_on = body.start == there && body.validator == partly.validator;
        if there > 0 && !goes_on {
            partly.clear();
            if body.start > 0 {
                return Err(Miss::Changed);
            }
        }
        partly.validator.clone_from(&body.validator);
        let most = wanted.length.unwrap_or(u64::MAX);
        if wanted.length.is_none() && body.total.is_some_and(|total| total > SMALL) {
            return Ok(false);
        }
        let hint = wanted.length.or(body.total).unwrap_or(0);
        partly.octets.reserve(usize::try_from(hint).unwrap_or(0).saturating_sub(partly.octets.len()));
        let mut pace = Pace::new(self.options.stall);
        loop {
            match self.next(&mut body.chunks, &mut pace, errand).await {
                Ok(None) => break,
                Ok(Some(chunk)) => {
                    if partly.octets.len() as u64 + chunk.len() as u64 > most {
                        return Err(too_long(most));
                    }
                    partly.octets.extend_from_slice(&chunk);
                    if wanted.length.is_none() && partly.octets.len() as u64 > SMALL {
                        return Ok(false);
                    }
                }
                Err(mut error) => {
                    error.reason = format!("{} (after {} bytes)", error.reason, partly.octets.len());
                    return Err(Miss::Transport(error));
                }
            }
        }
        let came = partly.octets.len() as u64;
        match wanted.length.or(body.total).filter(|expected| came < *expected) {
            Some(expected) => Err(Miss::Cut(format!("the server sent {came} of {expected} bytes"))),
            None => Ok(true),
        }
    }
}

/// What a verdict means for the file: its length.
pub(super) fn settle(
    verdict: Result<std::io::Result<Verdict>, oneshot::error::RecvError>,
) -> Result<u64, Miss> {
    match verdict {
        Ok(Ok(Verdict::Right(length))) => Ok(length),
        Ok(Ok(Verdict::Wrong(actual, expected))) => Err(wrong_digest(&actual, &expected)),
        Ok(Ok(Verdict::Short(came, expected))) => {
            Err(Miss::Cut(format!("the server sent {came} of {expected} bytes")))
        }
        Ok(Err(error)) => Err(Miss::disk(error)),
        Err(_) => Err(Miss::Stop),
    }
}

/// A file of another length is another file.
pub(super) fn check_length(body: &Body, wanted: &Wanted<'_>) -> Result<(), Miss> {
    match (body.total, wanted.length) {
        (Some(announced), Some(expected)) if announced != expected => Err(wrong_length(announced, expected)),
        _ => Ok(()),
    }
}
