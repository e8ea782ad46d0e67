//! The files that `fetch.txt` names, in its order, each with all of its lines: eight octets a file, for there may be
//! millions.

use super::place::stamp_digest;
use crate::bag::{Algorithm, Bag, BagFile, Digest, FetchEntry};

/// Files of a bag that are elsewhere.
pub(super) struct WantedList<'b> {
    bag: &'b Bag,
    /// Numbers of lines; those of one file side by side.
    lines: Vec<u32>,
    /// Where each file's lines begin in `lines`.
    starts: Vec<u32>,
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
    pub(super) fn new(bag: &'b Bag, mut choose: impl FnMut(&FetchEntry<'b>) -> bool) -> Self {
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
        let mut list = Self { bag, lines: Vec::with_capacity(lines.len()), starts: Vec::new() };
        for group in lines.chunk_by(|a, b| a.0 == b.0) {
            // A file is taken where one of its lines is.
            let taken = group.iter().any(|(_, line)| list.entry(*line).is_some_and(|entry| choose(&entry)));
            if taken {
                list.starts.push(u32::try_from(list.lines.len()).unwrap_or(u32::MAX));
                list.lines.extend(group.iter().map(|(_, line)| line));
            }
        }
        list
    }

    /// The files whose index `is_kept` takes.
    pub(super) fn keep(&self, is_kept: impl Fn(usize) -> bool) -> Self {
        let mut list = Self { bag: self.bag, lines: Vec::new(), starts: Vec::new() };
        for index in self.indices().filter(|index| is_kept(*index)) {
            list.starts.push(u32::try_from(list.lines.len()).unwrap_or(u32::MAX));
            list.lines.extend(self.lines(index));
        }
        list
    }

    /// How many files.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    fn entry(&self, line: u32) -> Option<FetchEntry<'b>> {
        self.bag.fetch_line(line as usize)
    }

    fn lines(&self, index: usize) -> &[u32] {
        let start = self.starts[index] as usize;
        let end = self.starts.get(index + 1).map_or(self.lines.len(), |end| *end as usize);
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
