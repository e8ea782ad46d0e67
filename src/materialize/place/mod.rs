//! Where files come to lie: a folder, by way of the cache or without it, or one packed archive.

mod folder;
mod pack;
mod slot;
mod stored_zip;
mod unpack;

use std::io;
use std::ops::Range;

pub(super) use folder::{FolderPlace, is_stamped, stamp_digest};
pub(super) use pack::PackPlace;
pub(super) use unpack::{restore, unpack};

use super::list::Wanted;
use super::work::{Origin, RangeSet};
use crate::bag::{Algorithm, Digest};
use crate::cache::{Cache, Object};

/// What is there of a file without any network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Local {
    /// It is there, and right; its length in octets.
    There(u64),
    /// It is there now, from the cache; its length in octets.
    Linked(u64),
    /// It must be fetched.
    Absent,
}

/// A file in the cache; where `rehash` is set one that is hashed now, whatever its stamp says.
fn find(cache: &Cache, wanted: &Wanted<'_>, rehash: bool) -> io::Result<Option<Object>> {
    if rehash {
        cache.find_anew(&wanted.digests, wanted.length)
    } else {
        cache.find(&wanted.digests, wanted.length)
    }
}

/// Where files come to lie. Any number of threads may put files there at once; each file appears whole.
pub(super) trait Place: Sync {
    /// Sees whether a file is there, and takes it from the cache if not.
    fn look(&self, wanted: &Wanted<'_>) -> io::Result<Local>;

    /// The algorithm by whose digest files are also kept, if they are.
    fn addressed_by(&self) -> Option<Algorithm>;

    /// Puts a whole file there, whose digests (the listed ones and the one of `addressed_by`) are right.
    fn store(&self, wanted: &Wanted<'_>, octets: &[u8], digests: &[Digest]) -> io::Result<()>;

    /// A slot for a large file.
    fn begin<'p>(&'p self, wanted: &Wanted<'p>) -> io::Result<Box<dyn Slot + 'p>>;

    /// Makes what was put there survive a power failure, and keeps receipts of it: at the end of the work.
    fn settle(&self) -> io::Result<()>;
}

/// A large file under way. Any number of threads may write ranges of it at once.
pub(super) trait Slot: Send + Sync {
    /// What the octets that are there are a part of, if any are.
    fn origin(&self) -> Option<Origin>;
    /// The ranges that are there.
    fn good(&self) -> RangeSet;
    /// Says what the file is. Octets of another origin are forgotten; the ranges that are there already.
    fn begin(&self, origin: Origin) -> io::Result<RangeSet>;
    /// Writes octets at their place.
    fn write(&self, at: u64, octets: &[u8]) -> io::Result<()>;
    /// Fills the buffer from a place that was written.
    fn read(&self, at: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// Notes that a range was written, so that another run need not fetch it.
    fn wrote(&self, range: Range<u64>) -> io::Result<()>;
    /// Keeps what was noted, unless the file is finished.
    fn flush(&self) -> io::Result<()>;
    /// Forgets everything.
    fn clear(&self) -> io::Result<()>;
    /// The file is whole and its digests are right: it appears.
    fn finish(&self, digests: &[Digest], length: u64) -> io::Result<()>;
}
