//! A store of objects looked over: what is there, and whether it is what its name says.

use std::io;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::ObjectStore;
use super::hashing::hash_all;
use super::lease::finished_files;
use super::store::is_absence;
use super::survey::{Entry, entries_in, key};
use crate::bag::{Digest, Progress, with_pool};

impl ObjectStore {
    /// Every object with its length in octets, by its digest.
    pub fn list(&self, progress: &dyn Progress) -> io::Result<Vec<(Digest, u64)>> {
        let folders = finished_files(self.root())?;
        let found: io::Result<Vec<Vec<Entry>>> = with_pool(0, |pool| {
            let survey = |folder: &std::path::PathBuf| {
                if progress.cancelled() || !folder.is_dir() { Ok(Vec::new()) } else { entries_in(folder) }
            };
            pool.install(|| folders.par_iter().map(survey).collect())
        })?;
        let entries = found?.concat();
        let mut objects: Vec<(Digest, u64)> =
            entries.iter().map(|entry| (entry.digest(), entry.length)).collect();
        objects.sort_unstable();
        Ok(objects)
    }

    /// Hashes objects again, many at once. Those that are not what their name says, with what they are.
    pub fn verify(
        &self,
        objects: &[(Digest, u64)],
        progress: &dyn Progress,
    ) -> io::Result<Vec<(Digest, String)>> {
        let used = std::time::UNIX_EPOCH;
        let entry =
            |(digest, length): &(Digest, u64)| Some(Entry { key: key(digest)?, length: *length, used });
        let entries: Vec<Entry> = objects.iter().filter_map(entry).collect();
        let damaged = Mutex::new(Vec::new());
        hash_all(entries, "hashing files", progress, &|sha256| self.path(sha256), &|entry, hashed| {
            let reason = match hashed {
                Ok(hashed) if hashed.sha256 == entry.digest() => return,
                Ok(hashed) => format!("its SHA-256 is {}", hashed.sha256),
                // The catalog knows whether it should be there.
                Err(error) if is_absence(&error) || progress.cancelled() => return,
                Err(error) => error.to_string(),
            };
            damaged.lock().unwrap_or_else(PoisonError::into_inner).push((entry.digest(), reason));
        })?;
        let mut damaged = damaged.into_inner().unwrap_or_else(PoisonError::into_inner);
        damaged.sort_unstable();
        Ok(damaged)
    }
}
