//! A file of an open bag, and a line of its `fetch.txt`: what callers are handed.

use std::fmt;
use std::io;

use super::container::{Body, Place};
use super::names::FileId;
use super::urls::FetchUrl;
use super::{Bag, Digest, PathRef};

/// A file of a bag: there, listed, or both.
#[derive(Clone, Copy)]
pub struct BagFile<'b> {
    bag: &'b Bag,
    pub(super) id: FileId,
}

impl<'b> BagFile<'b> {
    pub(super) fn new(bag: &'b Bag, id: FileId) -> Self {
        Self { bag, id }
    }

    /// Its number in the open bag: small, and its own as long as the bag is open.
    pub(crate) fn number(self) -> usize {
        self.id.index()
    }

    /// Where it is in the bag.
    #[must_use]
    pub fn path(self) -> PathRef<'b> {
        self.bag.names.get(self.id)
    }

    /// Whether it is there.
    #[must_use]
    pub fn is_present(self) -> bool {
        self.bag.is_present(self.id)
    }

    /// Its length in octets, as the container's directory says; 0 if it is not there.
    #[must_use]
    pub fn length(self) -> u64 {
        self.bag.length_of(self.id).unwrap_or(0)
    }

    /// Whether a payload manifest lists it.
    #[must_use]
    pub fn is_listed(self) -> bool {
        self.bag.columns.iter().any(|column| column.lists(self.id))
    }

    /// The digests that the manifests list, weakest algorithm first; those of the tag manifests for a tag file.
    #[must_use]
    pub fn digests(self) -> Vec<Digest> {
        let listed: Vec<Digest> = self.bag.columns.iter().filter_map(|column| column.get(self.id)).collect();
        if listed.is_empty() { self.bag.tags.get(&self.id).cloned().unwrap_or_default() } else { listed }
    }

    /// Opens it.
    pub fn open(self) -> io::Result<Body<'b>> {
        self.bag.container().open(self.place())
    }

    /// Reads it whole: at most `limit` octets, more is an error.
    pub fn read(self, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.bag.container().read(self.place(), limit, &mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn place(self) -> Place<'b> {
        Place { id: self.id, path: self.path() }
    }
}

impl fmt::Debug for BagFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.path(), f)
    }
}

/// A line of `fetch.txt`: a payload file that is elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct FetchEntry<'b> {
    /// Where it goes.
    pub file: BagFile<'b>,
    /// Where it is, as written.
    pub url: FetchUrl<'b>,
    /// Its length in octets, if the line says one.
    pub length: Option<u64>,
}
