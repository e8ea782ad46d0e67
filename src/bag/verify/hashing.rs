//! The digests of a bag's files, as fast as the machine makes them.
//!
//! Small files are read in batches, and a batch's files are hashed side by side in the lanes of one core. Large files
//! go a stretch at a time, several side by side, while the next stretches are read. Both ways share one pool of threads.
//! A container that can only be read from start to end is read by one thread, and hashed by the others.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use rayon::prelude::*;

use super::Tally;
use crate::bag::container::{Body, Sequential};
use crate::bag::digest::{ManyHasher, digest_all, width};
use crate::bag::names::FileId;
use crate::bag::{Algorithm, Bag, BagError, Code, Digest, Finding, Progress};

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

/// A part of the payload, chosen at random.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// How many files.
    pub size: SampleSize,
    /// The same seed chooses the same files.
    pub seed: u64,
}

/// How many files a sample has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SampleSize {
    /// So many, or all if there are fewer.
    Files(u64),
    /// A hundredth for each 1.0.
    Percent(f64),
}

impl Sample {
    /// Keeps only the chosen ones of `files`.
    fn choose<T>(self, files: &mut Vec<T>) {
        let all = files.len();
        let wanted = match self.size {
            SampleSize::Files(count) => usize::try_from(count).unwrap_or(all).min(all),
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            SampleSize::Percent(percent) => ((all as f64 * percent / 100.0).ceil() as usize).min(all),
        };
        let mut state = self.seed;
        for index in 0..wanted {
            let left = (all - index) as u64;
            let chosen = index + usize::try_from(split_mix(&mut state) % left).unwrap_or(0);
            files.swap(index, chosen);
        }
        files.truncate(wanted);
    }
}

/// SplitMix64: good enough to draw a sample, and the same everywhere.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Hashes the files of `jobs` that the options ask for, and adds what is wrong to `findings`.
pub(super) fn check(
    bag: &Bag,
    mut jobs: Vec<Job>,
    options: super::VerifyOptions,
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
    let length = |job: &Job| bag.by_id(job.file).length();
    progress.begin("verifying", jobs.len() as u64, jobs.iter().map(length).sum());
    let checker = Checker {
        bag,
        progress,
        found: Mutex::default(),
        files: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.jobs).build().map_err(io::Error::other)?;
    if let Some(container) = bag.container().sequential() {
        checker.check_in_order(container, jobs, &pool)?;
    } else {
        pool.install(|| checker.check_anywhere(jobs));
    }
    progress.end();
    if progress.cancelled() {
        return Err(BagError::Interrupted);
    }
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

/// Containers of which any part can be read at any time.
impl Checker<'_> {
    fn check_anywhere(&self, mut jobs: Vec<Job>) {
        let length = |job: &Job| self.bag.by_id(job.file).length();
        let mut large: Vec<Job> = jobs.extract_if(.., |job| length(job) >= LARGE).collect();
        // Largest first, so that the last to finish has little left.
        large.sort_by_key(|job| std::cmp::Reverse(length(job)));
        rayon::join(|| self.check_large(&large), || self.check_small(&jobs));
    }

    fn check_small(&self, jobs: &[Job]) {
        let mut batches: Vec<&[Job]> = Vec::new();
        let (mut start, mut bytes) = (0, 0);
        for (index, job) in jobs.iter().enumerate() {
            bytes += self.bag.by_id(job.file).length();
            if bytes >= BATCH || index + 1 - start >= BATCH_FILES || index + 1 == jobs.len() {
                batches.push(&jobs[start..=index]);
                (start, bytes) = (index + 1, 0);
            }
        }
        batches.par_iter().with_max_len(1).for_each_init(Batch::default, |batch, jobs| {
            if self.progress.cancelled() {
                return;
            }
            batch.clear();
            for job in *jobs {
                self.read_small(*job, batch);
            }
            self.hash_batch(batch);
        });
    }

    fn read_small(&self, job: Job, batch: &mut Batch) {
        let before = batch.bytes.len();
        let file = self.bag.by_id(job.file);
        // Anything longer than the container's directory says is wrong whatever it is.
        match self.bag.container().read(file.place(), file.length().max(1), &mut batch.bytes) {
            Ok(()) => {
                batch.jobs.push(job);
                batch.ends.push(batch.bytes.len());
            }
            Err(error) => {
                batch.bytes.truncate(before);
                self.unreadable(job, &error);
            }
        }
    }

    /// Groups of large files; within a group they are hashed side by side, each algorithm on a thread of its own.
    fn check_large(&self, jobs: &[Job]) {
        if jobs.is_empty() {
            return;
        }
        let algorithms = self.all_algorithms(jobs);
        let groups = (rayon::current_num_threads() / algorithms.len().max(1)).clamp(1, jobs.len());
        let widest = algorithms.iter().map(|algorithm| width(*algorithm)).max().unwrap_or(1);
        let lanes = jobs.len().div_ceil(groups).min(widest.max(4));
        let queue = Queue { jobs, next: AtomicUsize::new(0) };
        (0..groups).into_par_iter().with_max_len(1).for_each(|_| {
            Group::new(self, &queue, &algorithms, lanes).run();
        });
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

/// Containers that are read from start to end: one thread reads, those of the pool hash.
impl Checker<'_> {
    fn check_in_order(
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
