//! Every object hashed again: what is damaged is put aside, what is right is stamped.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::hashing::{Hashed, hash_all};
use super::stamp::{Stamp, stamp_unchanged};
use super::store::is_absence;
use super::survey::Entry;
use super::times::sync_file_system;
use super::{Cache, CacheError};
use crate::bag::{Digest, Progress};

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
        let entries = self.entries(progress)?;
        let checker = Checker { cache: self, progress, report: Mutex::default(), bare: Mutex::default() };
        let path = |sha256: &Digest| self.object_path(sha256);
        hash_all(entries, "verifying the cache", progress, &path, &|entry, hashed| match hashed {
            Ok(hashed) => checker.judge(entry, hashed),
            Err(error) => checker.unread(&path(&entry.digest()), &error),
        })?;
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

impl Checker<'_> {
    fn judge(&self, entry: &Entry, hashed: Hashed) {
        let (named, Hashed { metadata, length, sha256: found }) = (entry.digest(), hashed);
        {
            let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
            report.objects += 1;
            report.bytes += length;
        }
        if found != named {
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
        let is_no_file = fs_err::symlink_metadata(path).ok().filter(|metadata| !metadata.is_file());
        let aside = is_no_file.and_then(|metadata| self.cache.put_aside(path, &metadata).ok().flatten());
        self.damaged(path.to_owned(), error.to_string(), aside);
    }

    fn damaged(&self, path: PathBuf, reason: String, aside: Option<PathBuf>) {
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        report.damaged.push(Damaged { path, reason, aside });
    }
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
