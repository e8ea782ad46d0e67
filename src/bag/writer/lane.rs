//! A digest made aside: what is handed in is hashed in order by one thread at a time, whichever is free.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::ThreadPool;

use super::block::Block;
use crate::bag::{Algorithm, Digest, MultiHasher};

/// One digest in the making.
pub(super) struct Lane(Arc<Mutex<State>>);

struct State {
    waiting: VecDeque<Work>,
    /// `None` while a thread is at it.
    hasher: Option<MultiHasher>,
}

enum Work {
    Block(Arc<Block>),
    End(Sender<Digest>),
}

impl Lane {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        let hasher = Some(MultiHasher::new(&[algorithm]));
        Self(Arc::new(Mutex::new(State { waiting: VecDeque::new(), hasher })))
    }

    pub(super) fn add(&self, block: &Arc<Block>, pool: &ThreadPool) {
        self.push(Work::Block(Arc::clone(block)), pool);
    }

    /// Ends it; the digest comes when all is hashed.
    pub(super) fn finish(self, pool: &ThreadPool) -> Receiver<Digest> {
        let (sender, receiver) = channel();
        self.push(Work::End(sender), pool);
        receiver
    }

    fn push(&self, work: Work, pool: &ThreadPool) {
        let mut state = lock(&self.0);
        state.waiting.push_back(work);
        if let Some(hasher) = state.hasher.take() {
            let shared = Arc::clone(&self.0);
            pool.spawn(move || run(&shared, hasher));
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hashes what waits, until nothing does.
fn run(shared: &Mutex<State>, mut hasher: MultiHasher) {
    loop {
        let mut state = lock(shared);
        let Some(work) = state.waiting.pop_front() else {
            state.hasher = Some(hasher);
            return;
        };
        drop(state);
        match work {
            Work::Block(block) => hasher.update(&block.bytes),
            Work::End(sender) => {
                for digest in hasher.finish() {
                    // Nobody waits for it where the bag was given up.
                    let _ = sender.send(digest);
                }
                return;
            }
        }
    }
}
