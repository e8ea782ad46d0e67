//! Objects hashed again, many at once: large ones a core each, small ones side by side.

use std::fs::Metadata;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::survey::Entry;
use crate::bag::{Algorithm, Digest, Progress, digest_all, hash_reader, with_pool};

/// Objects from this many octets on are not read whole.
const LARGE: u64 = 512 << 10;
/// A batch is full with so many octets, or objects.
const BATCH: u64 = 4 << 20;
const BATCH_FILES: usize = 512;
const BUFFER: usize = 1 << 20;

/// What an object turned out to be.
pub(super) struct Hashed {
    pub(super) metadata: Metadata,
    pub(super) length: u64,
    pub(super) sha256: Digest,
}

struct Hashing<'h> {
    progress: &'h dyn Progress,
    path: &'h (dyn Fn(&Digest) -> PathBuf + Sync),
    judge: &'h (dyn Fn(&Entry, io::Result<Hashed>) + Sync),
}

/// Hashes objects, which lie at the paths that `path` gives, and has `judge` told of each. Stops early where the progress
/// says so.
pub(super) fn hash_all(
    entries: Vec<Entry>,
    what: &str,
    progress: &dyn Progress,
    path: &(dyn Fn(&Digest) -> PathBuf + Sync),
    judge: &(dyn Fn(&Entry, io::Result<Hashed>) + Sync),
) -> io::Result<()> {
    let mut small = entries;
    small.sort_unstable_by_key(|entry| entry.key);
    progress.begin(what, small.len() as u64, small.iter().map(|entry| entry.length).sum());
    let mut large: Vec<Entry> = small.extract_if(.., |entry| entry.length >= LARGE).collect();
    large.sort_by_key(|entry| std::cmp::Reverse(entry.length));
    let hashing = Hashing { progress, path, judge };
    with_pool(0, |pool| {
        pool.install(|| {
            rayon::join(
                || large.par_iter().with_max_len(1).for_each(|entry| hashing.large(entry)),
                || batches(&small).par_iter().with_max_len(1).for_each(|batch| hashing.small(batch)),
            )
        })
    })?;
    progress.end();
    Ok(())
}

fn batches(entries: &[Entry]) -> Vec<&[Entry]> {
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, entry) in entries.iter().enumerate() {
        bytes += entry.length;
        if bytes >= BATCH || index + 1 - start >= BATCH_FILES || index + 1 == entries.len() {
            batches.push(&entries[start..=index]);
            (start, bytes) = (index + 1, 0);
        }
    }
    batches
}

/// Opens an object so that reading it does not count as use, where that may be had.
fn open_quietly(path: &Path) -> io::Result<fs_err::File> {
    #[cfg(target_os = "linux")]
    {
        use fs_err::os::unix::fs::OpenOptionsExt;
        let flags = (rustix::fs::OFlags::NOATIME | rustix::fs::OFlags::NOFOLLOW).bits();
        let flags = i32::try_from(flags).unwrap_or(0);
        // Only its owner may ask so.
        if let Ok(file) = fs_err::OpenOptions::new().read(true).custom_flags(flags).open(path) {
            return Ok(file);
        }
    }
    fs_err::File::open(path)
}

impl Hashing<'_> {
    fn large(&self, entry: &Entry) {
        if self.progress.cancelled() {
            return;
        }
        let hashed = look_and_open(&(self.path)(&entry.digest())).and_then(|(metadata, mut file)| {
            let mut buffer = vec![0; BUFFER];
            let (length, digests) = hash_reader(&mut file, &[Algorithm::Sha256], &mut buffer, self.progress)?;
            Ok(Hashed { metadata, length, sha256: digests[0] })
        });
        (self.judge)(entry, hashed);
        self.progress.file();
    }

    /// Reads several objects whole, and hashes them side by side.
    fn small(&self, batch: &[Entry]) {
        if self.progress.cancelled() {
            return;
        }
        let (mut bytes, mut read) = (Vec::new(), Vec::new());
        for entry in batch {
            let start = bytes.len();
            let whole = look_and_open(&(self.path)(&entry.digest())).and_then(|(metadata, mut file)| {
                // One that has grown is wrong already; it need not fill the memory.
                (&mut file).take(LARGE).read_to_end(&mut bytes)?;
                Ok(metadata)
            });
            match whole {
                Ok(metadata) => read.push((entry, metadata, start..bytes.len())),
                Err(error) => {
                    bytes.truncate(start);
                    (self.judge)(entry, Err(error));
                    self.progress.file();
                }
            }
        }
        let messages: Vec<&[u8]> = read.iter().map(|(_, _, range)| &bytes[range.clone()]).collect();
        let digests = digest_all(Algorithm::Sha256, &messages);
        for ((entry, metadata, range), sha256) in read.into_iter().zip(digests) {
            (self.judge)(entry, Ok(Hashed { metadata, length: range.len() as u64, sha256 }));
            self.progress.file();
        }
        self.progress.bytes(bytes.len() as u64);
    }
}

/// An object's metadata, and the object open. What is no regular file is an error.
fn look_and_open(path: &Path) -> io::Result<(Metadata, fs_err::File)> {
    let metadata = fs_err::symlink_metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no regular file"));
    }
    Ok((metadata, open_quietly(path)?))
}
