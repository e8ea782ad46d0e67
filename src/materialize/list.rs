//! The files that `fetch.txt` names, in its order, each with all of its lines: four octets a line, for there may be
//! millions.

use super::place::stamp_digest;
use crate::bag::{Algorithm, Bag, BagFile, Digest, FetchEntry};

/// Files of a bag that are elsewhere.
pub(super) struct WantedList<'b> {
    bag: &'b Bag,
    /// Numbers of lines; those of one file side by side.
    lines: Vec<u32>,
    /// Where each file's lines begin in `lines`; `None` where each has one.
    starts: Option<Vec<u32>>,
}

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Wanted<'b> {
    /// Its place in the list.
    pub(super) index: usize,
    pub(super) file: BagFile<'b>,
    /// Its length in octets, if a line says one.
    pub(super) length: Option<u64>,
    /// What the manifests list, weakest algorithm first. Never empty.
    pub(super) digests: Vec<Digest>,
}

impl<'b> WantedList<'b> {
    /// The listed files that `choose` takes, by their first line.
    pub(super) fn new(bag: &'b Bag, choose: impl FnMut(&FetchEntry<'b>) -> bool) -> Self {
        let mut seen: Vec<bool> = Vec::new();
        let mut is_new = |entry: &FetchEntry<'_>| {
            let at = entry.file.number();
            if seen.len() <= at {
                seen.resize(at + 1, false);
            }
            !std::mem::replace(&mut seen[at], true)
        };
        if bag.fetch().all(|entry| is_new(&entry)) {
            Self::of_single_lines(bag, choose)
        } else {
            Self::of_groups(bag, choose)
        }
    }

    /// Where no file has two lines.
    fn of_single_lines(bag: &'b Bag, mut choose: impl FnMut(&FetchEntry<'b>) -> bool) -> Self {
        let chosen = bag.fetch().zip(0_u32..).filter(|(entry, _)| entry.file.is_listed() && choose(entry));
        Self { bag, lines: chosen.map(|(_, number)| number).collect(), starts: None }
    }

    fn of_groups(bag: &'b Bag, mut choose: impl FnMut(&FetchEntry<'b>) -> bool) -> Self {
        let mut first: Vec<u32> = Vec::new();
        let mut lines: Vec<(u32, u32)> = Vec::new();
        for (entry, number) in bag.fetch().zip(0_u32..) {
            if !entry.file.is_listed() {
                continue;
            }
            let at = entry.file.number();
            if first.len() <= at {
                first.resize(at + 1, u32::MAX);
            }
            if first[at] == u32::MAX {
                first[at] = number;
            }
            lines.push((first[at], number));
        }
        lines.sort_unstable();
        let mut list = Self { bag, lines: Vec::with_capacity(lines.len()), starts: Some(Vec::new()) };
        for group in lines.chunk_by(|a, b| a.0 == b.0) {
            // A file is taken where one of its lines is.
            let taken = group.iter().any(|(_, line)| list.entry(*line).is_some_and(|entry| choose(&entry)));
            if taken {
                list.push(group.iter().map(|(_, line)| *line));
            }
        }
        list
    }

    /// Adds a file.
    fn push(&mut self, lines: impl IntoIterator<Item = u32>) {
        if let Some(starts) = &mut self.starts {
            starts.push(u32::try_from(self.lines.len()).unwrap_or(u32::MAX));
        }
        self.lines.extend(lines);
    }

    /// The files whose index `is_kept` takes.
    pub(super) fn keep(&self, is_kept: impl Fn(usize) -> bool) -> Self {
        let mut list =
            Self { bag: self.bag, lines: Vec::new(), starts: self.starts.as_ref().map(|_| Vec::new()) };
        for index in self.indices().filter(|index| is_kept(*index)) {
            list.push(self.lines(index).iter().copied());
        }
        list
    }

    /// How many files.
    pub(super) fn len(&self) -> usize {
        self.starts.as_ref().map_or(self.lines.len(), Vec::len)
    }

    fn entry(&self, line: u32) -> Option<FetchEntry<'b>> {
        self.bag.fetch_line(line as usize)
    }

    fn lines(&self, index: usize) -> &[u32] {
        let Some(starts) = &self.starts else { return &self.lines[index..=index] };
        let start = starts[index] as usize;
        let end = starts.get(index + 1).map_or(self.lines.len(), |end| *end as usize);
        &self.lines[start..end]
    }

    /// The file at an index below `len`, with its length, if a line says one.
    pub(super) fn file(&self, index: usize) -> (BagFile<'b>, Option<u64>) {
        let mut entries = self.lines(index).iter().filter_map(|line| self.entry(*line)).peekable();
        let file = entries.peek().map(|entry| entry.file);
        let length = entries.find_map(|entry| entry.length);
        match file {
            Some(file) => (file, length),
            None => unreachable!("every file of the list was made of a line"),
        }
    }

    /// The file at an index below `len`, with its digests.
    pub(super) fn get(&self, index: usize) -> Wanted<'b> {
        let (file, length) = self.file(index);
        Wanted { index, file, length, digests: file.digests() }
    }

    /// Where a file may be had, as written, in the order of trying.
    pub(super) fn urls(&self, index: usize) -> impl Iterator<Item = String> + '_ {
        self.lines(index).iter().filter_map(|line| self.entry(*line)).map(|entry| entry.url.to_string())
    }

    /// Every index.
    pub(super) fn indices(&self) -> std::ops::Range<usize> {
        0..self.len()
    }
}

impl Wanted<'_> {
    /// The digest that names it: its SHA-256, or else the strongest that is listed.
    pub(super) fn name(&self) -> Option<&Digest> {
        stamp_digest(&self.digests)
    }

    pub(super) fn digest(&self, algorithm: Algorithm) -> Option<&Digest> {
        self.digests.iter().find(|digest| digest.algorithm() == algorithm)
    }
}
