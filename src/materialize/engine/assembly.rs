//! One large file put together from ranges that arrive in any order, hashed behind the part that is whole.

use std::io;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::bag::{Digest, MultiHasher};
use crate::materialize::place::Slot;
use crate::materialize::work::{Origin, RangeSet};

/// How much is read back at once where octets came before their turn to be hashed.
const STEP: usize = 1 << 20;

/// A large file under way. Any number of threads may write to it.
pub(super) struct Assembly<'p> {
    slot: Box<dyn Slot + 'p>,
    algorithms: Vec<crate::bag::Algorithm>,
    good: Mutex<RangeSet>,
    hashing: Mutex<Hashing>,
    error: Mutex<Option<io::Error>>,
    /// Blocks that wait to be written.
    pending: Mutex<usize>,
    written: Condvar,
}

struct Hashing {
    hasher: MultiHasher,
    /// All before it has been hashed.
    frontier: u64,
}

impl<'p> Assembly<'p> {
    pub(super) fn new(slot: Box<dyn Slot + 'p>, algorithms: Vec<crate::bag::Algorithm>) -> Self {
        let hashing = Hashing { hasher: MultiHasher::new(&algorithms), frontier: 0 };
        Self {
            slot,
            algorithms,
            good: Mutex::default(),
            hashing: Mutex::new(hashing),
            error: Mutex::new(None),
            pending: Mutex::new(0),
            written: Condvar::new(),
        }
    }

    /// What the octets that are there already are a part of.
    pub(super) fn origin(&self) -> Option<Origin> {
        self.slot.origin()
    }

    /// Of what an earlier run or try noted all octets as there, so that only its digests are to be seen.
    pub(super) fn whole(&self) -> Option<Origin> {
        let origin = self.slot.origin()?;
        let length = origin.length?;
        (self.first_hole(length).is_none() && origin.validator.is_some()).then_some(origin)
    }

    /// The first range before `length` of which nothing is there, as far as an earlier run or try noted.
    pub(super) fn first_hole(&self, length: u64) -> Option<Range<u64>> {
        self.slot.good().hole_from(0, length)
    }

    /// Octets that are there.
    pub(super) fn reached(&self) -> u64 {
        lock(&self.good).total()
    }

    /// Says what the file is; returns the ranges of it that are there already.
    pub(super) fn begin(&self, origin: Origin) -> io::Result<RangeSet> {
        let good = self.slot.begin(origin)?;
        *lock(&self.good) = good.clone();
        self.restart();
        Ok(good)
    }

    /// Forgets all that is there.
    pub(super) fn clear(&self) -> io::Result<()> {
        *lock(&self.good) = RangeSet::default();
        self.restart();
        self.slot.clear()
    }

    fn restart(&self) {
        let mut hashing = lock(&self.hashing);
        *hashing = Hashing { hasher: MultiHasher::new(&self.algorithms), frontier: 0 };
    }

    /// Says that a block will be written.
    pub(super) fn announce(&self) {
        *lock(&self.pending) += 1;
    }

    /// Writes octets to their place; hashes them if it is their turn and no other thread is hashing.
    pub(super) fn write(&self, at: u64, octets: &[u8]) {
        let written = || -> io::Result<()> {
            let end = at + octets.len() as u64;
            self.slot.write(at, octets)?;
            self.slot.wrote(at..end)?;
            lock(&self.good).add(at..end);
            if let Ok(mut hashing) = self.hashing.try_lock() {
                if hashing.frontier == at {
                    hashing.hasher.update(octets);
                    hashing.frontier = end;
                }
                self.catch_up(&mut hashing, 8)?;
            }
            Ok(())
        };
        if let Err(error) = written() {
            lock(&self.error).get_or_insert(error);
        }
        *lock(&self.pending) -= 1;
        self.written.notify_all();
    }

    /// Hashes what is whole and not hashed yet, at most so many steps.
    fn catch_up(&self, hashing: &mut Hashing, steps: usize) -> io::Result<()> {
        let mut buffer = Vec::new();
        for _ in 0..steps {
            let end = lock(&self.good).end_from(hashing.frontier);
            let n = usize::try_from(end - hashing.frontier).unwrap_or(STEP).min(STEP);
            if n == 0 {
                break;
            }
            buffer.resize(n, 0);
            self.slot.read(hashing.frontier, &mut buffer)?;
            hashing.hasher.update(&buffer);
            hashing.frontier += n as u64;
        }
        Ok(())
    }

    /// A disk error of some write, once.
    pub(super) fn take_error(&self) -> Option<io::Error> {
        lock(&self.error).take()
    }

    /// The whole file's length and digests, when every block is written.
    pub(super) fn digests(&self) -> io::Result<(u64, Vec<Digest>)> {
        let mut pending = lock(&self.pending);
        while *pending > 0 {
            pending = self.written.wait(pending).unwrap_or_else(PoisonError::into_inner);
        }
        drop(pending);
        if let Some(error) = self.take_error() {
            return Err(error);
        }
        // Hashing and placing may take long, and a run that is killed meanwhile has it all.
        self.slot.flush()?;
        let mut hashing = lock(&self.hashing);
        self.catch_up(&mut hashing, usize::MAX)?;
        let fresh = Hashing { hasher: MultiHasher::new(&self.algorithms), frontier: 0 };
        let done = std::mem::replace(&mut *hashing, fresh);
        Ok((done.frontier, done.hasher.finish()))
    }

    /// Puts the whole and checked file into its place.
    pub(super) fn place(&self, digests: &[Digest], length: u64) -> io::Result<()> {
        self.slot.finish(digests, length)
    }
}

impl Drop for Assembly<'_> {
    fn drop(&mut self) {
        // What is not noted is fetched again, no more.
        let _ = self.slot.flush();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
