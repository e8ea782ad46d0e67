//! The work in pieces that processes can share out among themselves: some dozens of small files, or one large one.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::SMALL;
use crate::bag::{Algorithm, MultiHasher};
use crate::materialize::list::WantedList;
use crate::materialize::work::{Claim, Claims};

/// Files in a batch, at most.
const FILES: usize = 64;
/// Octets in a batch, about.
const BYTES: u64 = 64 << 20;
/// How long to wait before looking again at what others have claimed.
const AGAIN: Duration = Duration::from_millis(200);
/// Who waits for longer than this with nothing else to do says so.
const SAY: Duration = Duration::from_secs(5);

/// A piece of work that is claimed.
pub(super) struct Batch {
    pub(super) indices: Range<usize>,
    /// Given up when the batch is done.
    pub(super) _claim: Claim,
}

/// What to do next.
pub(super) enum Next {
    Batch(Batch),
    /// Others have all that is left.
    Wait,
    End,
}

/// The batches that are left.
pub(super) struct Batches {
    left: VecDeque<Range<usize>>,
    /// Those that others have, and when they were looked at.
    others: VecDeque<(Range<usize>, Instant)>,
    /// Since when there is nothing to do but to wait.
    idle: Option<Instant>,
    /// Whom it was said last to be waiting for.
    told: Option<String>,
}

impl Batches {
    /// The list in batches: the same for every process that has the same list.
    pub(super) fn new(list: &WantedList<'_>, is_done: impl Fn(usize) -> bool) -> Self {
        let mut left = VecDeque::new();
        let (mut start, mut bytes, mut open) = (0, 0_u64, false);
        for index in list.indices() {
            let length = list.file(index).1.unwrap_or(0);
            let full = index - start >= FILES || bytes.saturating_add(length) > BYTES || length > SMALL;
            if index > start && full {
                push(&mut left, start..index, open);
                (start, bytes, open) = (index, 0, false);
            }
            bytes = bytes.saturating_add(length);
            open |= !is_done(index);
        }
        push(&mut left, start..list.len(), open);
        Self { left, others: VecDeque::new(), idle: None, told: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// The next batch that nobody else is at.
    pub(super) fn next(&mut self, list: &WantedList<'_>, claims: &Claims) -> io::Result<Next> {
        while let Some(indices) = self.left.pop_front() {
            if let Some(claim) = claims.take(&name(list, &indices))? {
                return Ok(Next::Batch(Batch { indices, _claim: claim }));
            }
            self.others.push_back((indices, Instant::now()));
            self.step_aside();
        }
        let ready = self.others.front().is_some_and(|(_, at)| at.elapsed() >= AGAIN);
        if ready && let Some((indices, _)) = self.others.pop_front() {
            match claims.take(&name(list, &indices))? {
                Some(claim) => return Ok(Next::Batch(Batch { indices, _claim: claim })),
                None => self.others.push_back((indices, Instant::now())),
            }
        }
        Ok(if self.others.is_empty() { Next::End } else { Next::Wait })
    }

    /// Notes that there is something to do.
    pub(super) fn busy(&mut self) {
        self.idle = None;
    }

    /// Notes that there is nothing to do but to wait; for whom, when that has lasted and was not said yet.
    pub(super) fn waits_for(&mut self, list: &WantedList<'_>, claims: &Claims) -> Option<String> {
        if self.idle.get_or_insert_with(Instant::now).elapsed() < SAY {
            return None;
        }
        let (indices, _) = self.others.front()?;
        let holder = claims.holder(&name(list, indices))?;
        if self.told.as_ref() == Some(&holder) {
            return None;
        }
        self.told = Some(holder.clone());
        Some(holder)
    }

    /// Another process is at the same work: goes on somewhere else in it, so that the two don't meet again soon.
    fn step_aside(&mut self) {
        let mut random = [0; 4];
        if self.left.len() > 1 && getrandom::fill(&mut random).is_ok() {
            let by = u32::from_le_bytes(random) as usize % self.left.len();
            self.left.rotate_left(by);
        }
    }
}

/// Keeps a batch in which anything is to be done.
fn push(left: &mut VecDeque<Range<usize>>, indices: Range<usize>, open: bool) {
    if open && !indices.is_empty() {
        left.push_back(indices);
    }
}

/// A batch's name: what it is made of, whichever bag names it.
fn name(list: &WantedList<'_>, indices: &Range<usize>) -> String {
    let mut hasher = MultiHasher::new(&[Algorithm::Sha256]);
    for index in indices.clone() {
        let wanted = list.get(index);
        hasher.update(wanted.name().map_or(&[], |digest| digest.as_bytes()));
    }
    format!("{}.claim", &hasher.finish()[0].to_string()[..32])
}
