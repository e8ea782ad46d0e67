//! How many connections at once: as many as the servers reward, and half of it when they have had enough.
//!
//! It starts low, doubles while more connections bring more, and then creeps; when more of them bring nothing it goes
//! back to where it was good. A server that answers 429 or 503, or lets a connection time out, halves it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

/// The first number of connections.
const FIRST: usize = 8;
/// What was fetched is looked at this often.
pub(super) const WINDOW: Duration = Duration::from_millis(150);
/// A step up has paid if the rate grew by this part of it.
const GAIN: f64 = 0.05;
/// After a step that brought nothing, another is tried only after so many windows.
const REST: u32 = 20;
/// A request counts as so many octets, so that many small files are work too.
const REQUEST: u64 = 16 << 10;

/// Gives out permits for connections.
pub(super) struct Governor {
    permits: Semaphore,
    most: usize,
    work: AtomicU64,
    state: Mutex<State>,
}

struct State {
    limit: usize,
    /// Permits to be withheld when they come back.
    debt: usize,
    /// Still doubling.
    doubling: bool,
    /// The limit and the rate before the last step up.
    before: Option<(usize, f64)>,
    rest: u32,
    since: Instant,
    halved: Option<Instant>,
}

/// A connection that may be used until this is dropped.
pub(super) struct Permit<'g> {
    governor: &'g Governor,
    permit: Option<SemaphorePermit<'g>>,
}

impl Governor {
    pub(super) fn new(most: usize) -> Self {
        let limit = FIRST.min(most.max(1));
        let state = State {
            limit,
            debt: 0,
            doubling: true,
            before: None,
            rest: 0,
            since: Instant::now(),
            halved: None,
        };
        Self {
            permits: Semaphore::new(limit),
            most: most.max(1),
            work: AtomicU64::new(0),
            state: Mutex::new(state),
        }
    }

    /// Waits for a connection to be allowed.
    pub(super) async fn permit(&self) -> Permit<'_> {
        Permit { governor: self, permit: self.permits.acquire().await.ok() }
    }

    /// Notes an answer.
    pub(super) fn request(&self) {
        self.work.fetch_add(REQUEST, Ordering::Relaxed);
    }

    /// Notes octets that arrived.
    pub(super) fn bytes(&self, bytes: u64) {
        self.work.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A server has had enough.
    pub(super) fn halve(&self) {
        let mut state = self.lock();
        // All that were under way hear of it at once; that is one reason, not many.
        if state.halved.is_some_and(|at| at.elapsed() < WINDOW * 4) {
            return;
        }
        state.halved = Some(Instant::now());
        state.doubling = false;
        state.before = None;
        state.rest = REST;
        let limit = (state.limit / 2).max(1);
        self.set(&mut state, limit);
    }

    /// Looks at what came in the last window, and steps up or back. `hungry`: there is more to fetch than connections.
    pub(super) fn tick(&self, hungry: bool) {
        let mut state = self.lock();
        let seconds = state.since.elapsed().as_secs_f64();
        if seconds < WINDOW.as_secs_f64() {
            return;
        }
        let rate = self.work.swap(0, Ordering::Relaxed) as f64 / seconds;
        state.since = Instant::now();
        if let Some((limit, before)) = state.before.take()
            && rate < before * (1.0 + GAIN)
        {
            state.doubling = false;
            state.rest = REST;
            self.set(&mut state, limit);
            return;
        }
        state.rest = state.rest.saturating_sub(1);
        if !hungry || state.rest > 0 || state.limit >= self.most {
            return;
        }
        state.before = Some((state.limit, rate));
        let step = if state.doubling { state.limit } else { 2 };
        let limit = (state.limit + step).min(self.most);
        self.set(&mut state, limit);
    }

    fn set(&self, state: &mut State, limit: usize) {
        if limit > state.limit {
            let more = limit - state.limit;
            let forgiven = more.min(state.debt);
            state.debt -= forgiven;
            self.permits.add_permits(more - forgiven);
        } else {
            let fewer = state.limit - limit;
            state.debt += fewer - self.permits.forget_permits(fewer);
        }
        state.limit = limit;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn limit(&self) -> usize {
        self.lock().limit
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.governor.lock();
        if state.debt > 0
            && let Some(permit) = self.permit.take()
        {
            state.debt -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window in which so much came for each connection, up to what the line can carry.
    fn window(governor: &Governor, line: u64) {
        let work = (governor.limit() as u64 * 1000).min(line);
        governor.lock().since = Instant::now().checked_sub(WINDOW).unwrap();
        governor.bytes(work);
        governor.tick(true);
    }

    #[test]
    fn it_grows_while_that_pays_and_no_further() {
        let governor = Governor::new(256);
        (0..8).for_each(|_| window(&governor, 1_000_000));
        assert_eq!(governor.limit(), 256);
        let governor = Governor::new(256);
        (0..15).for_each(|_| window(&governor, 20_000));
        assert!((16..=40).contains(&governor.limit()), "{}", governor.limit());
        assert_eq!(Governor::new(3).limit(), 3);
    }

    #[test]
    fn it_halves_once_for_one_reason() {
        let governor = Governor::new(64);
        (0..5).for_each(|_| window(&governor, 1_000_000));
        (0..10).for_each(|_| governor.halve());
        assert_eq!(governor.limit(), 32);
    }

    #[tokio::test]
    async fn permits_that_are_out_are_withheld_when_they_come_back() {
        let governor = Governor::new(8);
        let mut held = Vec::new();
        for _ in 0..8 {
            held.push(governor.permit().await);
        }
        governor.halve();
        held.truncate(4);
        assert_eq!(governor.permits.available_permits(), 0);
        held.clear();
        assert_eq!(governor.permits.available_permits(), 4);
    }
}
