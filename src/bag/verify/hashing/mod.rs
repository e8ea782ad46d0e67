//! The digests of a bag's files, as fast as the machine makes them.
//!
//! Small files are read in batches, and a batch's files are hashed side by side in the lanes of one core. Large files
//! go a stretch at a time, several side by side, while the next stretches are read. Both ways share one pool of threads.
//! A container that can only be read from start to end is read by one thread, and hashed by the others.

mod in_order;
mod large;
mod small;

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::Tally;
use crate::bag::digest::digest_all;
use crate::bag::names::FileId;
use crate::bag::{Algorithm, Bag, BagError, BagFile, Code, Digest, Finding, Progress, with_pool};

/// Files from this many octets on go a stretch at a time.
const LARGE: u64 = 512 << 10;
/// Octets of a stretch.
const STRETCH: usize = 512 << 10;
/// A batch is full with so many octets, or files.
const BATCH: u64 = 4 << 20;
const BATCH_FILES: usize = 512;

/// A file to hash: the name whose digests count, and the file that has the bytes. They differ where only another
/// Unicode form of the name is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job {
    pub(super) listed: FileId,
    pub(super) file: FileId,
}

/// Hashes the files of `jobs` that the options ask for, and adds what is wrong to `findings`.
pub(super) fn check(
    bag: &Bag,
    mut jobs: Vec<Job>,
    options: super::VerifyOptions,
    is_known: &(dyn Fn(BagFile<'_>) -> bool + Sync),
    progress: &dyn Progress,
    findings: &mut Vec<Finding>,
) -> Result<Tally, BagError> {
    let is_payload = |job: &Job| bag.by_id(job.listed).path().is_payload();
    if options.trust_payload || options.sample.is_some() {
        let mut payload: Vec<Job> = jobs.extract_if(.., |job| is_payload(job)).collect();
        match options.sample {
            _ if options.trust_payload => payload.clear(),
            Some(sample) => {
                // By name, so that a seed means the same files whatever order they were met in.
                payload.sort_by_key(|job| bag.by_id(job.listed).path());
                sample.choose(&mut payload);
            }
            None => {}
        }
        jobs.append(&mut payload);
    }
    let is_open = |job: &Job| !is_payload(job) || !is_known(bag.by_id(job.listed));
    let mut jobs: Vec<Job> =
        with_pool(options.jobs, |pool| pool.install(|| jobs.into_par_iter().filter(is_open).collect()))?;
    let length = |job: &Job| bag.by_id(job.file).length();
    progress.begin("verifying", jobs.len() as u64, jobs.iter().map(length).sum());
    let checker = Checker {
        bag,
        progress,
        found: Mutex::default(),
        files: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
    };
    let done = with_pool(options.jobs, |pool| {
        if let Some(container) = bag.container().sequential() {
            return checker.check_in_order(container, jobs, pool);
        }
        let large: Vec<Job> = jobs.extract_if(.., |job| length(job) >= LARGE).collect();
        pool.install(|| rayon::join(|| checker.check_large(large), || checker.check_small(&jobs)));
        Ok(())
    })?;
    progress.end();
    if progress.cancelled() {
        return Err(BagError::Interrupted);
    }
    done?;
    findings.append(&mut checker.found.into_inner().unwrap_or_else(PoisonError::into_inner));
    Ok(Tally { files: checker.files.into_inner(), bytes: checker.bytes.into_inner() })
}

struct Checker<'b> {
    bag: &'b Bag,
    progress: &'b dyn Progress,
    found: Mutex<Vec<Finding>>,
    files: AtomicU64,
    bytes: AtomicU64,
}

/// Several whole files in memory.
#[derive(Default)]
struct Batch {
    jobs: Vec<Job>,
    /// Where each job's file ends in `bytes`.
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

impl Batch {
    fn files(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| &self.bytes[std::mem::replace(&mut start, *end)..*end])
    }

    fn is_full(&self) -> bool {
        self.bytes.len() as u64 >= BATCH || self.jobs.len() >= BATCH_FILES
    }

    fn clear(&mut self) {
        self.jobs.clear();
        self.ends.clear();
        self.bytes.clear();
    }
}

impl Checker<'_> {
    fn find(&self, job: Job, code: Code, message: String) {
        let finding = Finding::new(code, self.bag.by_id(job.listed).path(), message);
        self.found.lock().unwrap_or_else(PoisonError::into_inner).push(finding);
    }

    fn unreadable(&self, job: Job, error: &io::Error) {
        self.find(job, Code::FileUnreadable, error.to_string());
        self.progress.file();
    }

    /// Compares a file's digests with those that are listed.
    fn compare(&self, job: Job, length: u64, actual: &[Digest]) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(length, Ordering::Relaxed);
        self.progress.file();
        let wrong: Vec<String> = self
            .bag
            .by_id(job.listed)
            .digests()
            .iter()
            .filter_map(|expected| {
                let actual = actual.iter().find(|actual| actual.algorithm() == expected.algorithm())?;
                (actual != expected)
                    .then(|| format!("{} is {actual}, the manifest says {expected}", actual.algorithm()))
            })
            .collect();
        if !wrong.is_empty() {
            self.find(job, Code::DigestMismatch, wrong.join("; "));
        }
    }

    fn algorithms(&self, job: Job) -> Vec<Algorithm> {
        self.bag.by_id(job.listed).digests().iter().map(Digest::algorithm).collect()
    }

    /// Every algorithm that a job needs.
    fn all_algorithms(&self, jobs: &[Job]) -> Vec<Algorithm> {
        let mut all: Vec<Algorithm> = self.bag.columns.iter().map(|column| column.algorithm).collect();
        if jobs.iter().any(|job| !self.bag.by_id(job.listed).is_listed()) {
            all.extend(self.bag.tags.values().flatten().map(Digest::algorithm));
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    fn hash_batch(&self, batch: &Batch) {
        let files: Vec<&[u8]> = batch.files().collect();
        let wanted: Vec<Vec<Algorithm>> = batch.jobs.iter().map(|job| self.algorithms(*job)).collect();
        let mut digests: Vec<Vec<Digest>> = vec![Vec::new(); files.len()];
        for algorithm in self.all_algorithms(&batch.jobs) {
            let indexes: Vec<usize> =
                (0..files.len()).filter(|index| wanted[*index].contains(&algorithm)).collect();
            let messages: Vec<&[u8]> = indexes.iter().map(|index| files[*index]).collect();
            for (index, digest) in indexes.iter().zip(digest_all(algorithm, &messages)) {
                digests[*index].push(digest);
            }
        }
        for ((job, file), digests) in batch.jobs.iter().zip(&files).zip(&digests) {
            self.compare(*job, file.len() as u64, digests);
        }
        self.progress.bytes(batch.bytes.len() as u64);
    }
}

/// A stretch of a file, and whether it is the last one.
#[derive(Default)]
struct Stretch {
    bytes: Vec<u8>,
    length: usize,
    last: bool,
}

impl Stretch {
    fn fill(&mut self, body: &mut (impl Read + ?Sized)) -> io::Result<()> {
        self.bytes.resize(STRETCH, 0);
        self.length = 0;
        self.last = false;
        while self.length < STRETCH {
            match body.read(&mut self.bytes[self.length..]) {
                Ok(0) => {
                    self.last = true;
                    break;
                }
                Ok(n) => self.length += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn part(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}
