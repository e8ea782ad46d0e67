//! What is in the cache: every object, and how much room each kind of thing takes.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rayon::prelude::*;

use super::bags::BAGS;
use super::lease::{LEASES, finished_files};
use super::md5::MD5;
use super::pins::PINS;
use super::receipts;
use super::store::{ASIDE, OBJECTS, WORK, is_absence};
use super::times::used;
use super::{Cache, CacheError};
use crate::bag::{Algorithm, Digest, Progress, with_pool};

/// A SHA-256.
pub(super) type Key = [u8; 32];

/// An object as a survey finds it. There may be millions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) length: u64,
    pub(super) used: SystemTime,
}

/// How much room one kind of thing takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// What it is.
    pub kind: &'static str,
    /// Files.
    pub files: u64,
    /// Octets in them.
    pub bytes: u64,
}

impl Entry {
    pub(super) fn digest(&self) -> Digest {
        Digest::from_bytes(Algorithm::Sha256, &self.key)
    }
}

/// A SHA-256 as a key; `None` for other digests.
pub(super) fn key(digest: &Digest) -> Option<Key> {
    digest.as_bytes().try_into().ok().filter(|_| digest.algorithm() == Algorithm::Sha256)
}

/// An object of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Its SHA-256.
    pub sha256: Digest,
    /// Its length in octets.
    pub length: u64,
    /// When it was used last, as far as that is noted.
    pub used: SystemTime,
    /// Whether a pin or a live lease keeps it.
    pub kept: bool,
}

impl Cache {
    /// Every object, least recently used first.
    pub fn list(&self, progress: &dyn Progress) -> Result<Vec<Listed>, CacheError> {
        let kept = self.kept(SystemTime::now())?;
        let mut entries = self.entries(progress)?;
        entries.sort_unstable_by_key(|entry| (entry.used, entry.key));
        let listed = |entry: &Entry| Listed {
            sha256: entry.digest(),
            length: entry.length,
            used: entry.used,
            kept: kept.contains(&entry.key),
        };
        Ok(entries.iter().map(listed).collect())
    }

    /// Every object, in no order.
    pub(super) fn entries(&self, progress: &dyn Progress) -> Result<Vec<Entry>, CacheError> {
        let folders = finished_files(&self.folder.path(OBJECTS))?;
        let found: io::Result<Vec<Vec<Entry>>> = with_pool(0, |pool| {
            pool.install(|| {
                let survey = |folder: &PathBuf| {
                    if progress.cancelled() { Ok(Vec::new()) } else { entries_in(folder) }
                };
                folders.par_iter().map(survey).collect()
            })
        })?;
        if progress.cancelled() {
            return Err(CacheError::Interrupted);
        }
        Ok(found?.concat())
    }

    /// The room that each kind of thing in the cache takes. An object that bags share by hard link counts here, and
    /// takes no room of theirs.
    pub fn du(&self, progress: &dyn Progress) -> Result<Vec<Usage>, CacheError> {
        let entries = self.entries(progress)?;
        let objects = Usage {
            kind: "objects",
            files: entries.len() as u64,
            bytes: entries.iter().map(|entry| entry.length).sum(),
        };
        let kinds = [
            ("names by MD5", MD5),
            ("work under way", WORK),
            ("damaged, put aside", ASIDE),
            ("known bags", BAGS),
            ("pins", PINS),
            ("leases", LEASES),
            ("receipts", receipts::FOLDER),
        ];
        let mut usage = vec![objects];
        for (kind, folder) in kinds {
            let mut sum = Usage { kind, files: 0, bytes: 0 };
            walk(&self.folder.path(folder), &mut |_, metadata| {
                sum.files += 1;
                // A name is a link to an object, which is counted.
                sum.bytes += if metadata.is_file() && folder != MD5 { metadata.len() } else { 0 };
                Ok(())
            })?;
            usage.push(sum);
        }
        Ok(usage)
    }
}

pub(super) fn entries_in(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let names = match fs_err::read_dir(folder) {
        Err(error) if is_absence(&error) => return Ok(entries),
        other => other?,
    };
    for name in names {
        let name = name?;
        // What is not named as an object is not one.
        let digest = name.file_name().to_str().and_then(|name| Digest::parse(Algorithm::Sha256, name).ok());
        let Some(key) = digest.as_ref().and_then(key) else { continue };
        match name.metadata() {
            Ok(metadata) => entries.push(Entry { key, length: metadata.len(), used: used(&metadata) }),
            // Another process removed it.
            Err(error) if is_absence(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(entries)
}

/// Visits every file below a folder, nothing if it is not there. Symbolic links are visited, never followed.
pub(super) fn walk(
    folder: &Path,
    each: &mut dyn FnMut(&Path, &Metadata) -> io::Result<()>,
) -> io::Result<()> {
    for entry in walkdir::WalkDir::new(folder).min_depth(1).follow_root_links(false) {
        let visited = entry.and_then(|entry| {
            let metadata = entry.metadata()?;
            Ok((entry.into_path(), metadata))
        });
        match visited.map_err(io::Error::from) {
            Ok((_, metadata)) if metadata.is_dir() => {}
            Ok((path, metadata)) => each(&path, &metadata)?,
            // Another process removed it.
            Err(error) if is_absence(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
