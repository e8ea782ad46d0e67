//! So many octets a second and no more; and how slow is too slow.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Spreads octets over time.
pub(super) struct Limiter {
    /// Octets a second.
    rate: Option<u64>,
    line: Mutex<Line>,
}

struct Line {
    /// When it is free for the next octets.
    free: Instant,
    /// How long all octets so far take it up.
    taken: Duration,
}

impl Limiter {
    pub(super) fn new(rate: Option<u64>) -> Self {
        let line = Line { free: Instant::now(), taken: Duration::ZERO };
        Self { rate: rate.filter(|rate| *rate > 0), line: Mutex::new(line) }
    }

    /// Whether there is a limit.
    pub(super) fn limits(&self) -> bool {
        self.rate.is_some()
    }

    /// How long the line has been taken up until now.
    pub(super) fn busy(&self) -> Duration {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.taken.saturating_sub(line.free.saturating_duration_since(Instant::now()))
    }

    /// Waits as long as these octets take at that rate.
    pub(super) async fn take(&self, octets: usize) {
        let Some(rate) = self.rate else { return };
        let wait = {
            let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
            let (now, time) = (Instant::now(), Duration::from_secs_f64(octets as f64 / rate as f64));
            line.free = line.free.max(now) + time;
            line.taken += time;
            line.free.saturating_duration_since(now)
        };
        tokio::time::sleep(wait).await;
    }
}

/// Watches one body: a server that drips is as good as one that stalls, and holds a connection as long.
pub(super) struct Pace {
    /// Judged whenever so much time was spent waiting for the server.
    window: Duration,
    waited: Duration,
    octets: u64,
}

/// Octets a second below which a body counts as stalled.
const SLOWEST: u64 = 256;

impl Pace {
    pub(super) fn new(window: Duration) -> Self {
        Self { window, waited: Duration::ZERO, octets: 0 }
    }

    /// Notes a piece and the time that was spent waiting for it; false where too little comes.
    pub(super) fn note(&mut self, waited: Duration, octets: usize) -> bool {
        self.waited += waited;
        self.octets += octets as u64;
        if self.waited < self.window {
            return true;
        }
        let enough = self.octets >= self.window.as_secs().max(1) * SLOWEST;
        (self.waited, self.octets) = (Duration::ZERO, 0);
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drip_is_too_slow_and_a_small_file_is_not() {
        let mut pace = Pace::new(Duration::from_secs(10));
        assert!(pace.note(Duration::from_secs(9), 1));
        assert!(!pace.note(Duration::from_secs(1), 1));
        assert!(pace.note(Duration::from_secs(11), 10_000));
    }

    #[tokio::test]
    async fn the_time_in_which_the_line_is_taken_up_is_known() {
        let limiter = Limiter::new(Some(1000));
        assert_eq!(limiter.busy(), Duration::ZERO);
        limiter.take(50).await;
        // Idle time does not count, and what is to come does not count yet.
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert_eq!(limiter.busy(), Duration::from_millis(50));
        drop(tokio::time::timeout(Duration::from_millis(1), limiter.take(60_000)).await);
        assert!(limiter.busy() < Duration::from_secs(30), "{:?}", limiter.busy());
    }

    #[tokio::test(start_paused = true)]
    async fn octets_take_their_time() {
        let limiter = Limiter::new(Some(1000));
        let begun = tokio::time::Instant::now();
        for _ in 0..4 {
            limiter.take(500).await;
        }
        assert!(begun.elapsed() >= Duration::from_millis(1900), "{:?}", begun.elapsed());
        Limiter::new(None).take(usize::MAX).await;
    }
}
