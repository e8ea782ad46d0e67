//! The engine: what is wanted is looked for here, fetched, hashed while it arrives, and put into its place.
//!
//! One budget of connections ([`governor`]) and one of memory serve all files, small ones whole and large ones in
//! ranges. Requests are futures on one thread; what takes a processor or a disk is done by [`writers`]. Processes that
//! work on the same files share them out in [`batch`]es.

mod ask;
mod assembly;
mod batch;
mod file;
mod governor;
mod hosts;
mod large;
mod limit;
mod places;
mod small;
mod writers;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Semaphore, oneshot};

use super::list::WantedList;
use super::mirror::Mirrors;
use super::place::{Local, Place};
use super::work::{Claims, HEARTBEAT};
use super::{Failure, MaterializeError};
use crate::bag::Progress;
use crate::transport::{SetupError, Source, Transport};
use batch::{Batch, Batches, Next};
use file::failure;
use governor::{Governor, WINDOW};
use hosts::Hosts;
use limit::Limiter;
use writers::{Queue, Task, serve};

/// Files up to this many octets are kept in memory until they are whole and right.
pub(super) const SMALL: u64 = 4 << 20;
/// Octets in flight: received, and not yet written.
const MEMORY: usize = 64 << 20;
/// Memory is counted in pieces of so many octets.
const PIECE: usize = 1 << 10;
/// Batches under way at once; what they hold is bounded by connections and memory, not by this.
const BATCHES: usize = 12;

/// How to fetch.
pub(super) struct EngineOptions<'e> {
    /// Connections at once, at most.
    pub(super) connections: usize,
    /// Octets a second, at most.
    pub(super) limit_rate: Option<u64>,
    /// Give up on a connection over which hardly anything arrives for this long.
    pub(super) stall: Duration,
    /// Places to look at before those of `fetch.txt`.
    pub(super) mirrors: &'e Mirrors<'e>,
    /// Says from time to time that the work goes on.
    pub(super) beat: &'e (dyn Fn() + Sync),
    /// Makes the transport, when something is to be fetched.
    pub(super) transport: &'e (dyn Fn() -> Result<Transport, SetupError> + Sync),
}

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Files fetched, and octets in them.
    pub(super) fetched: (u64, u64),
    /// Files taken from the cache, and octets in them.
    pub(super) linked: (u64, u64),
    /// Files that came to be there while this worked.
    pub(super) present: u64,
    /// Times that something was asked for again.
    pub(super) retries: u64,
    /// The index of each file that could not be had, in any order.
    pub(super) failed: Vec<usize>,
    /// Why, by the file's index; of very many some.
    pub(super) failures: BTreeMap<usize, Failure>,
    /// What the user was told besides.
    pub(super) notes: Vec<String>,
    /// The work was stopped on request.
    pub(super) stopped: bool,
}

/// Whether an error of the disk is that of one file, for which there is no place: its name is too long, or is that of
/// a folder, or a folder's is that of a file. Others may fare better.
fn is_of_one_file(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidFilename
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::DirectoryNotEmpty
            | io::ErrorKind::AlreadyExists
    )
}

/// One run.
struct Engine<'e> {
    list: &'e WantedList<'e>,
    is_done: &'e dyn Fn(usize) -> bool,
    options: &'e EngineOptions<'e>,
    addressed_by: Option<crate::bag::Algorithm>,
    place: &'e dyn Place,
    progress: &'e dyn Progress,
    queue: Queue<'e>,
    governor: Governor,
    hosts: Hosts,
    limiter: Limiter,
    memory: Arc<Semaphore>,
    transport: OnceLock<Option<Transport>>,
    outcome: Mutex<Outcome>,
    retries: AtomicU64,
    /// Files that wait for a connection or have one.
    waiting: AtomicU64,
    fatal: Mutex<Option<MaterializeError>>,
    stop: AtomicBool,
}

/// Sees to it that every file of the list is in its place, but for those that can't be had.
pub(super) fn run(
    list: &WantedList<'_>,
    is_done: &dyn Fn(usize) -> bool,
    place: &dyn Place,
    claims: &Claims,
    options: &EngineOptions<'_>,
    progress: &dyn Progress,
) -> Result<Outcome, MaterializeError> {
    let batches = Batches::new(list, is_done);
    if batches.is_empty() {
        return Ok(Outcome::default());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 16));
    let engine = Engine {
        list,
        is_done,
        options,
        addressed_by: place.addressed_by(),
        place,
        progress,
        queue: Queue::new(),
        governor: Governor::new(options.connections),
        hosts: Hosts::default(),
        limiter: Limiter::new(options.limit_rate),
        memory: Arc::new(Semaphore::new(MEMORY / PIECE)),
        transport: OnceLock::new(),
        outcome: Mutex::default(),
        retries: AtomicU64::new(0),
        waiting: AtomicU64::new(0),
        fatal: Mutex::default(),
        stop: AtomicBool::new(false),
    };
    let done = std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| serve(&engine.queue, list, place));
        }
        let done = runtime.block_on(engine.drive(batches, claims));
        engine.queue.close();
        done
    });
    runtime.shutdown_background();
    done?;
    engine.end()
}

impl Engine<'_> {
    /// Takes batch after batch, several at once, until none is left or the work is to stop.
    async fn drive(&self, mut batches: Batches, claims: &Claims) -> io::Result<()> {
        let mut under_way = FuturesUnordered::new();
        let mut beaten = Instant::now();
        let mut ended = false;
        loop {
            while !ended && under_way.len() < BATCHES {
                match batches.next(self.list, claims)? {
                    Next::Batch(batch) => under_way.push(self.batch(batch)),
                    Next::Wait => break,
                    Next::End => ended = true,
                }
            }
            if ended && under_way.is_empty() {
                return Ok(());
            }
            if under_way.is_empty() {
                if let Some(who) = batches.waits_for(self.list, claims) {
                    self.progress.note(&format!("waiting for {who}, which is at the files that are left"));
                }
                tokio::time::sleep(WINDOW).await;
            } else {
                batches.busy();
                // Either a batch is done, or it is time to look around.
                let _ = tokio::time::timeout(WINDOW, under_way.next()).await;
            }
            self.governor.tick(self.waiting.load(Ordering::Relaxed) > 0);
            if beaten.elapsed() >= HEARTBEAT {
                claims.beat();
                (self.options.beat)();
                beaten = Instant::now();
            }
            if self.progress.cancelled() {
                self.stop.store(true, Ordering::Relaxed);
            }
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
    }

    /// Sees to every file of a batch.
    async fn batch(&self, batch: Batch) {
        let (reply, answer) = oneshot::channel();
        let indices = batch.indices.clone().filter(|index| !(self.is_done)(*index)).collect();
        self.queue.push(Task::Look { indices, reply });
        let Ok(looked) = answer.await else { return };
        let mut fetches = FuturesUnordered::new();
        for (index, local) in looked {
            match local {
                Ok(Local::There(length)) => self.local(length, |outcome| outcome.present += 1),
                Ok(Local::Linked(length)) => self.local(length, |outcome| {
                    outcome.linked.0 += 1;
                    outcome.linked.1 += length;
                }),
                Ok(Local::Absent) => fetches.push(self.file(index)),
                Err(error) if is_of_one_file(&error) => {
                    self.failed(
                        index,
                        failure(self.list.file(index).0, String::new(), error.to_string(), None),
                    );
                }
                Err(error) => return self.give_up(error),
            }
        }
        while fetches.next().await.is_some() {}
    }

    /// Counts a file that needed no network.
    fn local(&self, length: u64, count: impl FnOnce(&mut Outcome)) {
        count(&mut self.lock());
        self.progress.bytes(length);
        self.progress.file();
    }

    /// The transport, made when it is first needed; `None` where it can't be made, which ends the work.
    fn transport(&self) -> Option<&dyn Source> {
        let made = self.transport.get_or_init(|| match (self.options.transport)() {
            Ok(transport) => {
                transport.warnings().iter().for_each(|warning| self.progress.note(warning));
                Some(transport)
            }
            Err(error) => {
                self.give_up(error);
                None
            }
        });
        made.as_ref().map(|transport| transport as &dyn Source)
    }

    /// Tells the user something that stops nothing.
    fn note(&self, text: String) {
        self.progress.note(&text);
        self.lock().notes.push(text);
    }

    /// Ends the work: the disk failed, say, and no other file would fare better.
    fn give_up(&self, error: impl Into<MaterializeError>) {
        self.fatal.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error.into());
        self.stop.store(true, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(self) -> Result<Outcome, MaterializeError> {
        if let Some(error) = self.fatal.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        let mut outcome = self.outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
        outcome.retries = self.retries.into_inner();
        outcome.stopped = self.stop.into_inner();
        Ok(outcome)
    }
}
