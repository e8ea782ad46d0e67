//! Blocks on their way into an archive: compressed and hashed by several threads, written in the order in which they came.
//!
//! A block is deflated on its own and ends on an octet, so that what comes out does not depend on how many threads there are.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use flate2::{Compress, Compression, FlushCompress, Status};

use crate::bag::{Algorithm, Digest, MultiHasher};

/// Octets in a block. Part of the bag format: another size makes other bytes.
pub(super) const BLOCK: usize = 512 << 10;
/// Deflate level. Part of the bag format.
const LEVEL: u32 = 2;

/// A block as it goes into the archive.
pub(super) struct Packed {
    pub(super) octets: Vec<u8>,
    pub(super) crc: crc32fast::Hasher,
    pub(super) length: u64,
}

/// A file of one block.
pub(super) struct Whole {
    pub(super) packed: Packed,
    pub(super) digests: Vec<Digest>,
}

type Work = Box<dyn FnOnce() + Send>;

/// Threads that work for one archive. They have ended when it is dropped.
pub(super) struct Pipeline {
    work: Option<SyncSender<Work>>,
    hashing: Vec<SyncSender<Hashing>>,
    algorithms: Vec<Algorithm>,
    threads: Vec<JoinHandle<()>>,
}

enum Hashing {
    Octets(Arc<Vec<u8>>),
    End(SyncSender<Digest>),
}

impl Pipeline {
    /// Starts so many threads (0: one for each core), and one more for each algorithm.
    pub(super) fn start(threads: usize, algorithms: &[Algorithm]) -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = if threads == 0 { cores } else { threads };
        let (work, jobs) = sync_channel::<Work>(count);
        let mut pipeline = Self {
            work: Some(work),
            hashing: Vec::new(),
            algorithms: algorithms.to_vec(),
            threads: Vec::new(),
        };
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..count {
            let jobs = Arc::clone(&jobs);
            pipeline.spawn(move || work_off(&jobs))?;
        }
        for algorithm in algorithms {
            let (sender, blocks) = sync_channel(2);
            pipeline.hashing.push(sender);
            let algorithm = *algorithm;
            pipeline.spawn(move || hash_blocks(algorithm, &blocks))?;
        }
        Ok(pipeline)
    }

    fn spawn(&mut self, f: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.push(std::thread::Builder::new().spawn(f)?);
        Ok(())
    }

    /// Has a block hashed, and packed for the archive.
    pub(super) fn block(
        &self,
        octets: Vec<u8>,
        deflate: bool,
        last: bool,
    ) -> io::Result<Receiver<io::Result<Packed>>> {
        let octets = Arc::new(octets);
        for hashing in &self.hashing {
            hashing.send(Hashing::Octets(Arc::clone(&octets))).map_err(|_| gone())?;
        }
        self.run(move || pack(Arc::unwrap_or_clone(octets), deflate, last))
    }

    /// Ends a file of blocks: its digests, in the order of the algorithms.
    pub(super) fn end(&self) -> io::Result<Vec<Receiver<Digest>>> {
        let end = |hashing: &SyncSender<Hashing>| {
            let (reply, digest) = sync_channel(1);
            hashing.send(Hashing::End(reply)).map_err(|_| gone()).map(|()| digest)
        };
        self.hashing.iter().map(end).collect()
    }

    /// Has a file of one block hashed and packed.
    pub(super) fn whole(&self, octets: Vec<u8>, deflate: bool) -> io::Result<Receiver<io::Result<Whole>>> {
        let algorithms = self.algorithms.clone();
        self.run(move || {
            let mut hasher = MultiHasher::new(&algorithms);
            hasher.update(&octets);
            Ok(Whole { digests: hasher.finish(), packed: pack(octets, deflate, true)? })
        })
    }

    fn run<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<Receiver<io::Result<T>>> {
        let (reply, result) = sync_channel(1);
        let work = self.work.as_ref().ok_or_else(gone)?;
        // Nobody may be there any more to take it.
        work.send(Box::new(move || drop(reply.send(f())))).map_err(|_| gone())?;
        Ok(result)
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.work = None;
        self.hashing.clear();
        for thread in self.threads.drain(..) {
            // One that panicked has given no answer, which was an error then.
            let _ = thread.join();
        }
    }
}

/// A thread of the archive is gone.
pub(super) fn gone() -> io::Error {
    io::Error::other("a thread that packs the bag ended early")
}

fn work_off(jobs: &Mutex<Receiver<Work>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        job();
    }
}

fn hash_blocks(algorithm: Algorithm, blocks: &Receiver<Hashing>) {
    let mut hasher = MultiHasher::new(&[algorithm]);
    for block in blocks {
        match block {
            Hashing::Octets(octets) => hasher.update(&octets),
            Hashing::End(reply) => {
                let ended = std::mem::replace(&mut hasher, MultiHasher::new(&[algorithm]));
                for digest in ended.finish() {
                    let _ = reply.send(digest);
                }
            }
        }
    }
}

fn pack(octets: Vec<u8>, deflate: bool, last: bool) -> io::Result<Packed> {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&octets);
    let length = octets.len() as u64;
    let octets = if deflate { deflated(&octets, last)? } else { octets };
    Ok(Packed { octets, crc, length })
}

/// A block of a raw deflate stream (RFC 1951): ends with an empty stored block, or as the last one.
fn deflated(octets: &[u8], last: bool) -> io::Result<Vec<u8>> {
    let flush = if last { FlushCompress::Finish } else { FlushCompress::Sync };
    let mut packed = Vec::with_capacity(octets.len() / 2 + 1024);
    let mut compress = Compress::new(Compression::new(LEVEL), false);
    loop {
        let (taken, before) = (compress.total_in(), packed.len());
        let rest = &octets[usize::try_from(taken).unwrap_or(usize::MAX).min(octets.len())..];
        let status = compress.compress_vec(rest, &mut packed, flush).map_err(io::Error::other)?;
        let is_in = compress.total_in() == octets.len() as u64;
        // With room left over, all that there was to flush is out.
        let is_out = packed.len() < packed.capacity();
        if status == Status::StreamEnd || (!last && is_in && is_out) {
            return Ok(packed);
        }
        if packed.len() == before && !is_in && is_out {
            return Err(io::Error::other("deflate goes no further"));
        }
        packed.reserve(octets.len() / 4 + 1024);
    }
}
