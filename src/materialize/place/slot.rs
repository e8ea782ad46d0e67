//! A large file under way in a file of its own, and who puts it into its place when it is whole.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Slot;
use crate::bag::Digest;
use crate::materialize::list::Wanted;
use crate::materialize::work::{Origin, Owner, Partial, RangeSet, read_exact_at, write_all_at};

/// Puts whole and checked files into their places.
pub(super) trait Finish: Sync {
    /// Whoever copies the file takes it out of the work ([`Partial::finish`]) only after that: a run that is killed on the
    /// way has it still.
    fn finish(&self, partial: &Partial, wanted: &Wanted<'_>, digests: &[Digest]) -> io::Result<()>;
}

/// A partial file, and whose it will be.
pub(super) struct PartialSlot<'p> {
    partial: Partial,
    place: &'p dyn Finish,
    wanted: Wanted<'p>,
    done: AtomicBool,
}

impl<'p> PartialSlot<'p> {
    /// The slot of a file: one that an earlier run left in the folder, or a new one.
    pub(super) fn open(
        folder: &Path,
        owner: &Owner,
        place: &'p dyn Finish,
        wanted: &Wanted<'p>,
    ) -> io::Result<Self> {
        let key = wanted.name().map(ToString::to_string).unwrap_or_default();
        let partial = Partial::open(folder, &key, owner)?;
        Ok(Self { partial, place, wanted: wanted.clone(), done: AtomicBool::new(false) })
    }
}

impl Slot for PartialSlot<'_> {
    fn origin(&self) -> Option<Origin> {
        self.partial.origin()
    }

    fn good(&self) -> RangeSet {
        self.partial.good()
    }

    fn begin(&self, origin: Origin) -> io::Result<RangeSet> {
        self.partial.begin(origin)
    }

    fn write(&self, at: u64, octets: &[u8]) -> io::Result<()> {
        write_all_at(&self.partial.file, octets, at).map_err(|error| naming(self.partial.path(), &error))
    }

    fn read(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        read_exact_at(&self.partial.file, buffer, at).map_err(|error| naming(self.partial.path(), &error))
    }

    fn wrote(&self, range: Range<u64>) -> io::Result<()> {
        self.partial.wrote(range)
    }

    fn flush(&self) -> io::Result<()> {
        if self.done.load(Ordering::Relaxed) { Ok(()) } else { self.partial.flush() }
    }

    fn clear(&self) -> io::Result<()> {
        self.partial.clear()
    }

    fn finish(&self, digests: &[Digest], length: u64) -> io::Result<()> {
        // What a server that ignores ranges sent before may be longer.
        self.partial.file.set_len(length)?;
        self.done.store(true, Ordering::Relaxed);
        self.place.finish(&self.partial, &self.wanted, digests)
    }
}

/// The same error, naming the file.
pub(super) fn naming(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("failed to write {}: {error}", path.display()))
}
