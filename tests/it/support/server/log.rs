//! What was asked and sent, and how much of it at once.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

#[derive(Debug, Default)]
pub(super) struct Log {
    requests: Mutex<Vec<String>>,
    sent: Mutex<Vec<Sent>>,
    pub(super) connections: Peak,
    pub(super) answering: Peak,
}

/// The body of one answer with 200 or 206, as far as it was handed to the socket.
#[derive(Debug, Clone)]
pub struct Sent {
    pub path: String,
    pub status: u16,
    /// The first octet's place in the file.
    pub start: u64,
    /// When the answer began.
    pub began: Instant,
    /// How many octets there were in all, and when: after each piece.
    pub pieces: Vec<(u64, Instant)>,
    /// Whether all that was announced was sent.
    pub whole: bool,
}

impl Sent {
    /// Octets that were handed to the socket.
    pub fn len(&self) -> u64 {
        self.pieces.last().map_or(0, |piece| piece.0)
    }

    /// The octets of the file that were handed over until then.
    pub fn until(&self, time: Instant) -> Range<u64> {
        let sent = self.pieces.iter().take_while(|piece| piece.1 <= time).last();
        self.start..self.start + sent.map_or(0, |piece| piece.0)
    }
}

impl Log {
    pub(super) fn requested(&self, head: String) {
        self.requests.lock().unwrap().push(head);
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(super) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    /// Begins the record of an answer; its number.
    pub(super) fn begin(&self, path: &str, status: u16, start: u64) -> usize {
        let mut sent = self.sent.lock().unwrap();
        let path = path.to_owned();
        let began = Instant::now();
        sent.push(Sent { path, status, start, began, pieces: Vec::new(), whole: false });
        sent.len() - 1
    }

    pub(super) fn add(&self, number: usize, octets: u64) {
        let sent = &mut self.sent.lock().unwrap()[number];
        let before = sent.len();
        sent.pieces.push((before + octets, Instant::now()));
    }

    pub(super) fn whole(&self, number: usize) {
        self.sent.lock().unwrap()[number].whole = true;
    }
}

/// How many of something there are, and were at most.
#[derive(Debug, Default)]
pub(super) struct Peak {
    now: AtomicUsize,
    peak: AtomicUsize,
}

/// One of them, until it is dropped.
pub(super) struct Counted<'a>(&'a Peak);

impl Peak {
    pub(super) fn enter(&self) -> Counted<'_> {
        self.peak.fetch_max(self.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        Counted(self)
    }

    pub(super) fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A run of a program that asked, from its start to its death.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    pub began: Instant,
    /// What was sent until then has arrived and is noted.
    pub good: Instant,
    pub died: Instant,
}

/// The octets of a path that were sent again after a run's death, though the run had them.
pub fn octets_sent_twice(answers: &[Sent], path: &str, run: Run) -> u64 {
    let of_path = || answers.iter().filter(|sent| sent.path == path);
    let of_run = of_path().filter(|sent| run.began <= sent.began && sent.began <= run.died);
    let there: Vec<Range<u64>> = merged(of_run.map(|sent| sent.until(run.good)).collect());
    let again =
        of_path().filter(|sent| sent.began > run.died).map(|sent| sent.start..sent.start + sent.len());
    let overlap = |a: &Range<u64>, b: &Range<u64>| a.end.min(b.end).saturating_sub(a.start.max(b.start));
    again.map(|range| there.iter().map(|known| overlap(known, &range)).sum::<u64>()).sum()
}

/// The same octets as ranges that lie apart.
fn merged(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_by_key(|range| range.start);
    let mut apart: Vec<Range<u64>> = Vec::new();
    for range in ranges.into_iter().filter(|range| !range.is_empty()) {
        match apart.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    apart
}
