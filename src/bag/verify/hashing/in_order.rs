//! Containers that are read from start to end: one thread reads, those of the pool hash.

use std::io::{self, Read};
use std::sync::{Condvar, Mutex, PoisonError};

use super::{Batch, Checker, Job, LARGE, Stretch};
use crate::bag::container::Sequential;
use crate::bag::digest::ManyHasher;
use crate::bag::{BagError, Digest};

impl Checker<'_> {
    pub(super) fn check_in_order(
        &self,
        container: &dyn Sequential,
        mut jobs: Vec<Job>,
        pool: &rayon::ThreadPool,
    ) -> Result<(), BagError> {
        jobs.sort_by_key(|job| job.file);
        let mut seen = vec![false; jobs.len()];
        let slots = Slots::new(2 * pool.current_num_threads());
        let mut batch = Batch::default();
        pool.in_place_scope(|scope| {
            let send = |batch: &mut Batch| {
                let full = std::mem::take(batch);
                slots.take();
                let slots = &slots;
                scope.spawn(move |_| {
                    self.hash_batch(&full);
                    slots.give_back();
                });
            };
            container.visit(&mut |file, length, body| {
                if self.progress.cancelled() {
                    return Err(io::Error::other("interrupted"));
                }
                let first = jobs.partition_point(|job| job.file < file);
                let count = jobs[first..].partition_point(|job| job.file == file);
                seen[first..first + count].fill(true);
                let jobs = &jobs[first..first + count];
                if count == 0 {
                    return Ok(());
                }
                if length >= LARGE {
                    return self.hash_passing(jobs, body, pool);
                }
                let start = batch.bytes.len();
                body.read_to_end(&mut batch.bytes)?;
                for (index, job) in jobs.iter().enumerate() {
                    // The same bytes again for another name of the file.
                    if index > 0 {
                        batch.bytes.extend_from_within(start..start + usize::try_from(length).unwrap_or(0));
                    }
                    batch.jobs.push(*job);
                    batch.ends.push(batch.bytes.len());
                }
                if batch.is_full() {
                    send(&mut batch);
                }
                Ok(())
            })?;
            send(&mut batch);
            Ok::<(), io::Error>(())
        })?;
        for (job, seen) in jobs.iter().zip(&seen) {
            if !seen {
                self.unreadable(*job, &io::Error::other("the archive was changed while it was read"));
            }
        }
        Ok(())
    }

    /// Hashes a large file as it passes: each algorithm on a thread, while the next stretch is read.
    fn hash_passing(&self, jobs: &[Job], body: &mut dyn Read, pool: &rayon::ThreadPool) -> io::Result<()> {
        let mut hashers: Vec<ManyHasher> =
            self.all_algorithms(jobs).into_iter().map(|algorithm| ManyHasher::new(algorithm, 1)).collect();
        let (mut now, mut ahead) = (Stretch::default(), Stretch::default());
        let mut total = 0;
        now.fill(body)?;
        loop {
            let part = now.part();
            pool.in_place_scope(|scope| {
                for hasher in &mut hashers {
                    scope.spawn(move |_| hasher.update(&[part]));
                }
                if now.last { Ok(()) } else { ahead.fill(body) }
            })?;
            total += now.length as u64;
            self.progress.bytes(now.length as u64);
            if now.last {
                break;
            }
            std::mem::swap(&mut now, &mut ahead);
        }
        let digests: Vec<Digest> = hashers.iter_mut().map(|hasher| hasher.finish(0)).collect();
        jobs.iter().for_each(|job| self.compare(*job, total, &digests));
        Ok(())
    }
}

/// How many batches may be on their way at once.
struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Slots {
    fn new(free: usize) -> Self {
        Self { free: Mutex::new(free), freed: Condvar::new() }
    }

    fn take(&self) {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
    }

    fn give_back(&self) {
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.freed.notify_one();
    }
}
