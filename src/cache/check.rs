//! Every object hashed again: what is damaged is put aside, what is right is stamped.

use std::fs::Metadata;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::stamp::{Stamp, stamp_unchanged};
use super::store::is_absence;
use super::survey::Entry;
use super::times::sync_file_system;
use super::{Cache, CacheError};
use crate::bag::{Algorithm, Digest, Progress, digest_all, hash_reader, with_pool};

/// Objects from this many octets on are not read whole.
const LARGE: u64 = 512 << 10;
/// A batch is full with so many octets, or objects.
const BATCH: u64 = 4 << 20;
const BATCH_FILES: usize = 512;
const BUFFER: usize = 1 << 20;

/// What hashing the cache again brought to light.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheReport {
    /// Objects that were hashed.
    pub objects: u64,
    /// Octets in them.
    pub bytes: u64,
    /// Objects that were right but had no stamp, and have one now.
    pub stamped: u64,
    /// Objects that are not what their name says, or can't be read, by name.
    pub damaged: Vec<Damaged>,
}

/// An object that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damaged {
    /// Its path in the cache.
    pub path: PathBuf,
    /// What was found.
    pub reason: String,
    /// Where it was put; `None` if that could not be done.
    pub aside: Option<PathBuf>,
}

struct Checker<'c> {
    cache: &'c Cache,
    progress: &'c dyn Progress,
    report: Mutex<CacheReport>,
    /// Right, and without a stamp.
    bare: Mutex<Vec<(Digest, Metadata)>>,
}

impl Cache {
    /// Hashes every object again, many at once. An interrupted run has put aside what it found by then.
    pub fn verify(&self, progress: &dyn Progress) -> Result<CacheReport, CacheError> {
        let mut small = self.entries(progress)?;
        small.sort_unstable_by_key(|entry| entry.key);
        progress.begin(
            "verifying the cache",
            small.len() as u64,
            small.iter().map(|entry| entry.length).sum(),
        );
        let mut large: Vec<Entry> = small.extract_if(.., |entry| entry.length >= LARGE).collect();
        large.sort_by_key(|entry| std::cmp::Reverse(entry.length));
        let checker = Checker { cache: self, progress, report: Mutex::default(), bare: Mutex::default() };
        with_pool(0, |pool| {
            pool.install(|| {
                rayon::join(
                    || large.par_iter().with_max_len(1).for_each(|entry| checker.check_large(entry)),
                    || {
                        batches(&small)
                            .par_iter()
                            .with_max_len(1)
                            .for_each(|batch| checker.check_small(batch));
                    },
                )
            })
        })?;
        progress.end();
        let mut report = checker.report.into_inner().unwrap_or_else(PoisonError::into_inner);
        let bare = checker.bare.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.stamped = self.stamp_bare(&bare)?;
        report.damaged.sort_unstable();
        if progress.cancelled() { Err(CacheError::Interrupted) } else { Ok(report) }
    }

    fn stamp_bare(&self, bare: &[(Digest, Metadata)]) -> io::Result<u64> {
        if bare.is_empty() {
            return Ok(0);
        }
        sync_file_system(self.root())?;
        let stamped = |(sha256, metadata): &&(Digest, Metadata)| {
            let path = self.object_path(sha256);
            // Only its owner can.
            stamp_unchanged(&path, sha256, metadata).is_ok()
                && fs_err::symlink_metadata(path).is_ok_and(|now| Stamp::holds(&now, sha256))
        };
        Ok(bare.iter().filter(stamped).count() as u64)
    }
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

impl Checker<'_> {
    fn check_large(&self, entry: &Entry) {
        if self.progress.cancelled() {
            return;
        }
        let path = self.cache.object_path(&entry.digest());
        let hashed = look_and_open(&path).and_then(|(metadata, mut file)| {
            let mut buffer = vec![0; BUFFER];
            let (length, digests) = hash_reader(&mut file, &[Algorithm::Sha256], &mut buffer, self.progress)?;
            Ok((metadata, length, digests[0]))
        });
        match hashed {
            Ok((metadata, length, found)) => self.judge(entry, metadata, length, &found),
            Err(error) => self.unread(&path, &error),
        }
    }

    /// Reads several objects whole, and hashes them side by side.
    fn check_small(&self, batch: &[Entry]) {
        if self.progress.cancelled() {
            return;
        }
        let (mut bytes, mut read) = (Vec::new(), Vec::new());
        for entry in batch {
            let path = self.cache.object_path(&entry.digest());
            let start = bytes.len();
            let whole = look_and_open(&path).and_then(|(metadata, mut file)| {
                // One that has grown is wrong already; it need not fill the memory.
                (&mut file).take(LARGE).read_to_end(&mut bytes)?;
                Ok(metadata)
            });
            match whole {
                Ok(metadata) => read.push((entry, metadata, start..bytes.len())),
                Err(error) => {
                    bytes.truncate(start);
                    self.unread(&path, &error);
                }
            }
        }
        let messages: Vec<&[u8]> = read.iter().map(|(_, _, range)| &bytes[range.clone()]).collect();
        let digests = digest_all(Algorithm::Sha256, &messages);
        for ((entry, metadata, range), digest) in read.into_iter().zip(digests) {
            self.judge(entry, metadata, range.len() as u64, &digest);
        }
        self.progress.bytes(bytes.len() as u64);
    }

    fn judge(&self, entry: &Entry, metadata: Metadata, length: u64, found: &Digest) {
        let named = entry.digest();
        {
            let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
            report.objects += 1;
            report.bytes += length;
        }
        self.progress.file();
        if *found != named {
            let path = self.cache.object_path(&named);
            let aside = self.cache.put_aside(&path, &metadata).ok().flatten();
            self.damaged(path, format!("its SHA-256 is {found}"), aside);
        } else if !Stamp::holds(&metadata, &named) {
            self.bare.lock().unwrap_or_else(PoisonError::into_inner).push((named, metadata));
        }
    }

    fn unread(&self, path: &Path, error: &io::Error) {
        // Another process removed it, or the user wants no more.
        if is_absence(error) || self.progress.cancelled() {
            return;
        }
        self.progress.file();
        let is_no_file = fs_err::symlink_metadata(path).ok().filter(|metadata| !metadata.is_file());
        let aside = is_no_file.and_then(|metadata| self.cache.put_aside(path, &metadata).ok().flatten());
        self.damaged(path.to_owned(), error.to_string(), aside);
    }

    fn damaged(&self, path: PathBuf, reason: String, aside: Option<PathBuf>) {
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        report.damaged.push(Damaged { path, reason, aside });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bag::NoProgress;
    use crate::cache::tests::add;

    fn contents(number: u32) -> Vec<u8> {
        // Some of them large.
        number.to_le_bytes().repeat(if number.is_multiple_of(100) { 200_000 } else { 10 })
    }

    #[test]
    fn damage_is_found_and_what_is_right_is_stamped() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        assert_eq!(cache.verify(&NoProgress).unwrap(), CacheReport::default());
        let objects: Vec<_> = (0..700).map(|number| add(&cache, &contents(number))).collect();
        cache.stamp_batch(&objects[..350]).unwrap();
        for number in [100, 101, 350] {
            let object = &objects[number];
            fs_err::remove_file(&object.path).unwrap();
            fs_err::write(&object.path, vec![b'x'; usize::try_from(object.length).unwrap()]).unwrap();
        }
        let report = cache.verify(&NoProgress).unwrap();
        assert_eq!(report.objects, 700);
        assert_eq!(report.bytes, objects.iter().map(|object| object.length).sum::<u64>());
        assert_eq!((report.stamped, report.damaged.len()), (349, 3));
        for damaged in &report.damaged {
            assert!(damaged.reason.starts_with("its SHA-256 is"), "{damaged:?}");
            assert!(!damaged.path.exists() && damaged.aside.as_ref().is_some_and(|aside| aside.exists()));
        }
        let again = cache.verify(&NoProgress).unwrap();
        assert_eq!((again.objects, again.stamped, again.damaged.len()), (697, 0, 0));
        let whole = &objects[0];
        assert!(Stamp::holds(&fs_err::symlink_metadata(&whole.path).unwrap(), &whole.sha256));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn verifying_is_no_use() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let object = add(&cache, b"abc");
        cache.stamp_batch(std::slice::from_ref(&object)).unwrap();
        let accessed = || fs_err::metadata(&object.path).unwrap().accessed().unwrap();
        let before = accessed();
        cache.verify(&NoProgress).unwrap();
        assert_eq!(accessed(), before);
    }

    #[test]
    fn an_interrupt_ends_it() {
        struct Stopped;
        impl Progress for Stopped {
            fn cancelled(&self) -> bool {
                true
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        add(&cache, b"abc");
        assert!(matches!(cache.verify(&Stopped), Err(CacheError::Interrupted)));
    }
}
