//! The threads that do what takes a processor or a disk: hashing, writing, linking, looking at what is there.
//!
//! Whole small files wait in a queue, and a thread takes as many at once as can be hashed side by side. The memory
//! that a file or block holds is given back when it is written, which is what slows the network down to the disk.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::assembly::Assembly;
use crate::bag::{Algorithm, Digest, digest_all};
use crate::materialize::list::{Wanted, WantedList};
use crate::materialize::place::{Local, Place};

/// As many small files as one thread takes at once.
const MANY: usize = 32;

/// Something for a thread to do. Each has where to tell what came of it.
pub(super) enum Task<'e> {
    /// See which of these files are there, or in the cache.
    Look { indices: Vec<usize>, reply: oneshot::Sender<Vec<(usize, io::Result<Local>)>> },
    /// Hash a whole file's octets, and put it into its place if they are right.
    Store(Store),
    /// Write a block of a large file.
    Write { assembly: Arc<Assembly<'e>>, at: u64, octets: Vec<u8>, _memory: OwnedSemaphorePermit },
    /// Hash what is left of a large file, and put it into its place if its digests are right.
    Finish { index: usize, assembly: Arc<Assembly<'e>>, reply: oneshot::Sender<io::Result<Verdict>> },
}

/// A whole small file.
pub(super) struct Store {
    pub(super) index: usize,
    pub(super) octets: Vec<u8>,
    pub(super) reply: oneshot::Sender<io::Result<Verdict>>,
    pub(super) memory: OwnedSemaphorePermit,
}

/// What a file's octets turned out to be.
pub(super) enum Verdict {
    /// It is in its place; its length in octets.
    Right(u64),
    /// It has this length, and another is listed.
    Short(u64, u64),
    /// The digest that they have and the one that is listed.
    Wrong(Digest, Digest),
}

/// The queue of tasks, which ends when the last task after `close` is done.
pub(super) struct Queue<'e> {
    state: Mutex<State<'e>>,
    more: Condvar,
}

struct State<'e> {
    tasks: VecDeque<Task<'e>>,
    open: bool,
}

impl<'e> Queue<'e> {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(State { tasks: VecDeque::new(), open: true }), more: Condvar::new() }
    }

    pub(super) fn push(&self, task: Task<'e>) {
        self.lock().tasks.push_back(task);
        self.more.notify_one();
    }

    /// No more tasks will come; the threads end when they have done those that wait.
    pub(super) fn close(&self) {
        self.lock().open = false;
        self.more.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<'e>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next task, and for a small file those small files that wait right behind it. Waits; `None` at the end.
    fn pop(&self) -> Option<(Task<'e>, Vec<Store>)> {
        let mut state = self.lock();
        loop {
            if let Some(task) = state.tasks.pop_front() {
                let mut more = Vec::new();
                if matches!(task, Task::Store(_)) {
                    while more.len() + 1 < MANY && matches!(state.tasks.front(), Some(Task::Store(_))) {
                        if let Some(Task::Store(store)) = state.tasks.pop_front() {
                            more.push(store);
                        }
                    }
                }
                return Some((task, more));
            }
            if !state.open {
                return None;
            }
            state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// One thread's work.
pub(super) fn serve<'e>(queue: &Queue<'e>, list: &'e WantedList<'e>, place: &'e dyn Place) {
    while let Some((task, mut stores)) = queue.pop() {
        // Whoever asked may have stopped waiting; then nobody needs the answer.
        match task {
            Task::Look { indices, reply } => {
                let look = |index| (index, place.look(&list.get(index)));
                let _ = reply.send(indices.into_iter().map(look).collect());
            }
            Task::Store(store) => {
                stores.push(store);
                store_all(stores, list, place);
            }
            Task::Write { assembly, at, octets, _memory } => assembly.write(at, &octets),
            Task::Finish { index, assembly, reply } => {
                let _ = reply.send(finish(&assembly, &list.get(index)));
            }
        }
    }
}

/// Hashes small files side by side, and stores those that are right.
fn store_all(stores: Vec<Store>, list: &WantedList<'_>, place: &dyn Place) {
    let files: Vec<Wanted<'_>> = stores.iter().map(|store| list.get(store.index)).collect();
    let digests = digests(&stores, &files, place.addressed_by());
    for ((store, wanted), digests) in stores.into_iter().zip(&files).zip(digests) {
        let done = match mismatch(&digests, &wanted.digests) {
            Some((actual, expected)) => Ok(Verdict::Wrong(actual, expected)),
            None => {
                let length = store.octets.len() as u64;
                place.store(wanted, &store.octets, &digests).map(|()| Verdict::Right(length))
            }
        };
        drop(store.memory);
        let _ = store.reply.send(done);
    }
}

fn finish(assembly: &Assembly<'_>, wanted: &Wanted<'_>) -> io::Result<Verdict> {
    let (length, digests) = assembly.digests()?;
    if let Some(expected) = wanted.length.filter(|expected| *expected != length) {
        return Ok(Verdict::Short(length, expected));
    }
    if let Some((actual, expected)) = mismatch(&digests, &wanted.digests) {
        return Ok(Verdict::Wrong(actual, expected));
    }
    assembly.place(&digests, length)?;
    Ok(Verdict::Right(length))
}

/// What is there and what is listed, where they differ.
fn mismatch(actual: &[Digest], expected: &[Digest]) -> Option<(Digest, Digest)> {
    expected.iter().find_map(|expected| {
        let same = |actual: &&Digest| actual.algorithm() == expected.algorithm();
        let actual = actual.iter().find(same)?;
        (actual != expected).then_some((*actual, *expected))
    })
}

/// The algorithms whose digests are needed of a file.
pub(super) fn algorithms(wanted: &Wanted<'_>, also: Option<Algorithm>) -> Vec<Algorithm> {
    let mut needed: Vec<Algorithm> = wanted.digests.iter().map(Digest::algorithm).collect();
    needed.extend(also.filter(|also| !needed.contains(also)));
    needed
}

fn digests(stores: &[Store], files: &[Wanted<'_>], also: Option<Algorithm>) -> Vec<Vec<Digest>> {
    let needed: Vec<Vec<Algorithm>> = files.iter().map(|wanted| algorithms(wanted, also)).collect();
    let mut found = vec![Vec::new(); stores.len()];
    for algorithm in Algorithm::ALL {
        let those: Vec<usize> = (0..stores.len()).filter(|at| needed[*at].contains(algorithm)).collect();
        let messages: Vec<&[u8]> = those.iter().map(|at| stores[*at].octets.as_slice()).collect();
        for (at, digest) in those.iter().zip(digest_all(*algorithm, &messages)) {
            found[*at].push(digest);
        }
    }
    found
}
