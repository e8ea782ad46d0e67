//! Large files: several side by side, a stretch at a time, while the next stretches are read.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::{Checker, Job, Stretch};
use crate::bag::container::Body;
use crate::bag::digest::{ManyHasher, width};
use crate::bag::{Algorithm, Digest};

impl Checker<'_> {
    /// Groups of large files; within a group they are hashed side by side, each algorithm on a thread of its own.
    pub(super) fn check_large(&self, mut jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        // Largest first, so that the last to finish has little left.
        jobs.sort_by_key(|job| std::cmp::Reverse(self.bag.by_id(job.file).length()));
        let algorithms = self.all_algorithms(&jobs);
        let groups = (rayon::current_num_threads() / algorithms.len().max(1)).clamp(1, jobs.len());
        let widest = algorithms.iter().map(|algorithm| width(*algorithm)).max().unwrap_or(1);
        let lanes = jobs.len().div_ceil(groups).min(widest.max(4));
        let queue = Queue { jobs: &jobs, next: AtomicUsize::new(0) };
        (0..groups).into_par_iter().with_max_len(1).for_each(|_| {
            Group::new(self, &queue, &algorithms, lanes).run();
        });
    }
}

/// A file being read: the stretch that is hashed now, and the one that is read meanwhile.
struct Lane<'b> {
    job: Job,
    body: Body<'b>,
    length: u64,
    now: Stretch,
    ahead: Stretch,
    read: io::Result<()>,
}

/// Large files that are hashed side by side.
struct Group<'c> {
    checker: &'c Checker<'c>,
    queue: &'c Queue<'c>,
    hashers: Vec<ManyHasher>,
    lanes: Vec<Option<Lane<'c>>>,
}

impl<'c> Group<'c> {
    fn new(checker: &'c Checker<'_>, queue: &'c Queue<'c>, algorithms: &[Algorithm], lanes: usize) -> Self {
        Self {
            checker,
            queue,
            hashers: algorithms.iter().map(|algorithm| ManyHasher::new(*algorithm, lanes)).collect(),
            lanes: (0..lanes).map(|_| None).collect(),
        }
    }

    fn run(mut self) {
        while !self.checker.progress.cancelled() {
            self.lanes.iter_mut().filter(|lane| lane.is_none()).for_each(|lane| {
                *lane = self.queue.next(self.checker);
            });
            if self.lanes.iter().all(Option::is_none) {
                return;
            }
            self.hash_and_read();
            self.turn();
        }
    }

    fn hash_and_read(&mut self) {
        let mut parts: Vec<&[u8]> = Vec::with_capacity(self.lanes.len());
        let mut reads = Vec::with_capacity(self.lanes.len());
        for lane in &mut self.lanes {
            let Some(Lane { body, now, ahead, read, .. }) = lane else {
                parts.push(&[]);
                continue;
            };
            if !now.last {
                reads.push((body, ahead, read));
            }
            parts.push(now.part());
        }
        let hashers = &mut self.hashers;
        rayon::join(
            || hashers.par_iter_mut().with_max_len(1).for_each(|hasher| hasher.update(&parts)),
            || {
                reads
                    .par_iter_mut()
                    .with_max_len(1)
                    .for_each(|(body, ahead, read)| **read = ahead.fill(body.as_mut()));
            },
        );
    }

    /// Ends the lanes whose files have ended, and turns the others to what was read.
    fn turn(&mut self) {
        for (index, slot) in self.lanes.iter_mut().enumerate() {
            let Some(mut lane) = slot.take() else { continue };
            self.checker.progress.bytes(lane.now.length as u64);
            lane.length += lane.now.length as u64;
            if !lane.now.last && lane.read.is_ok() {
                std::mem::swap(&mut lane.now, &mut lane.ahead);
                *slot = Some(lane);
                continue;
            }
            let digests: Vec<Digest> = self.hashers.iter_mut().map(|hasher| hasher.finish(index)).collect();
            match lane.read {
                Ok(()) => self.checker.compare(lane.job, lane.length, &digests),
                Err(error) => self.checker.unreadable(lane.job, &error),
            }
        }
    }
}

/// Jobs that groups take from as they have room.
struct Queue<'j> {
    jobs: &'j [Job],
    next: AtomicUsize,
}

impl Queue<'_> {
    /// The next file that can be opened.
    fn next<'b>(&self, checker: &'b Checker<'_>) -> Option<Lane<'b>> {
        loop {
            let job = *self.jobs.get(self.next.fetch_add(1, Ordering::Relaxed))?;
            match checker.bag.by_id(job.file).open() {
                Ok(body) => {
                    let (now, ahead) = Default::default();
                    return Some(Lane { job, body, length: 0, now, ahead, read: Ok(()) });
                }
                Err(error) => checker.unreadable(job, &error),
            }
        }
    }
}
