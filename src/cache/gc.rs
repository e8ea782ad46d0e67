//! Eviction: the objects used least recently go first, and never one that is kept.
//!
//! No lock holds other processes off. What is found is noted as used before it is handed out, what was used within
//! [`MIN_AGE`] is never removed, and each object is looked at once more before it is. A process that is faster still
//! finds an object gone and fetches it again.

use std::collections::HashSet;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::folder::NEW;
use super::lease::{LEASES, finished_files, is_live, read_digests};
use super::md5::{MD5, parse};
use super::pins::PINS;
use super::store::{ASIDE, WORK, is_absence};
use super::survey::{Entry, Key, key, walk};
use super::times::{changed, used};
use super::{Cache, CacheError};
use crate::bag::{Digest, Progress};

/// An object used as lately is never removed. Uses are noted once an hour, so one of the last hour is certain to count.
pub const MIN_AGE: Duration = Duration::from_hours(2);
/// What is left of commands that were killed goes after a day,
const LEFTOVER_AGE: Duration = Duration::from_hours(24);
/// and damaged files, which someone may want to look at, after a week.
const ASIDE_AGE: Duration = Duration::from_hours(7 * 24);

/// What to remove.
#[derive(Debug, Clone, Copy)]
pub struct GcOptions {
    /// Remove objects until no more octets are left than this.
    pub max_size: Option<u64>,
    /// Remove objects that were not used for as long.
    pub older_than: Option<Duration>,
    /// Only say what would be removed.
    pub dry_run: bool,
    /// The time from which ages are reckoned.
    pub now: SystemTime,
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Objects before.
    pub objects: u64,
    /// Octets in them.
    pub bytes: u64,
    /// Objects that were removed.
    pub removed: u64,
    /// Octets in them.
    pub removed_bytes: u64,
    /// Objects that were due, and stay since a pin or a live lease names them.
    pub kept: u64,
    /// Octets in them.
    pub kept_bytes: u64,
    /// Other files that were removed: what was left of commands that were killed, and old damaged files.
    pub leftovers: u64,
    /// Octets in them.
    pub leftover_bytes: u64,
    /// Known bags that are gone, and were forgotten.
    pub bags: u64,
}

impl Default for GcOptions {
    fn default() -> Self {
        Self { max_size: None, older_than: None, dry_run: false, now: SystemTime::now() }
    }
}

impl GcReport {
    /// Octets in the objects that are left.
    #[must_use]
    pub fn left_bytes(&self) -> u64 {
        self.bytes.saturating_sub(self.removed_bytes)
    }
}

impl Cache {
    /// Removes objects as the options say, least recently used first, and what is left over from commands that were
    /// killed. Nothing outside the cache's own folders is touched. An interrupted run has removed what it has removed.
    ///
    /// A pin or a live lease that can't be read is an error, and then nothing is removed.
    pub fn gc(&self, options: &GcOptions, progress: &dyn Progress) -> Result<GcReport, CacheError> {
        // Before the objects are looked at: what is leased later is noted as used later.
        let kept = self.kept(options.now)?;
        let mut entries = self.entries(progress)?;
        entries.sort_unstable_by_key(|entry| (entry.used, entry.key));
        let mut report = GcReport {
            objects: entries.len() as u64,
            bytes: entries.iter().map(|entry| entry.length).sum(),
            ..GcReport::default()
        };
        progress.begin("removing", report.objects, report.bytes);
        for entry in &entries {
            if progress.cancelled() {
                return Err(CacheError::Interrupted);
            }
            let age = options.now.duration_since(entry.used).unwrap_or_default();
            let is_due = options.older_than.is_some_and(|limit| age > limit)
                || options.max_size.is_some_and(|limit| report.left_bytes() > limit);
            // Those that come are fresher.
            if !is_due || age < MIN_AGE {
                break;
            }
            if kept.contains(&entry.key) {
                report.kept += 1;
                report.kept_bytes += entry.length;
            } else if options.dry_run || self.remove(entry)? {
                report.removed += 1;
                report.removed_bytes += entry.length;
            }
            progress.file();
            progress.bytes(entry.length);
        }
        progress.end();
        if !options.dry_run {
            self.remove_idle_names(options.now)?;
        }
        self.tidy(options, &mut report)?;
        Ok(report)
    }

    /// Removes an object unless it was used since it was listed.
    fn remove(&self, entry: &Entry) -> io::Result<bool> {
        let path = self.object_path(&entry.digest());
        let removed = fs_err::symlink_metadata(&path).and_then(|now| {
            if used(&now) > entry.used { Ok(false) } else { fs_err::remove_file(&path).map(|()| true) }
        });
        match removed {
            Err(error) if is_absence(&error) => Ok(false),
            other => other,
        }
    }

    /// The objects that pins and live leases name.
    pub(super) fn kept(&self, now: SystemTime) -> Result<HashSet<Key>, CacheError> {
        self.check_pins()?;
        let mut kept = HashSet::new();
        let mut keep = |digest: Digest| {
            let sha256 = key(&digest).or_else(|| key(&self.by_md5(&digest)?));
            kept.extend(sha256);
        };
        for path in digest_lists(&self.folder.path(PINS))? {
            read_unless_gone(&path, &mut keep)?;
        }
        for path in digest_lists(&self.folder.path(LEASES))? {
            let live = match fs_err::symlink_metadata(&path) {
                Err(error) if is_absence(&error) => false,
                other => is_live(&other?, now),
            };
            if live {
                read_unless_gone(&path, &mut keep)?;
            }
        }
        Ok(kept)
    }

    /// Removes the names by MD5 of objects that are gone. Until then they take the object's room.
    fn remove_idle_names(&self, now: SystemTime) -> io::Result<()> {
        walk(&self.folder.path(MD5), &mut |path, metadata| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_idle = match parse(name) {
                Some((_, sha256)) => match fs_err::symlink_metadata(self.object_path(&sha256)) {
                    Ok(object) => !is_same_file(&object, metadata),
                    Err(error) => is_absence(&error),
                },
                None => is_older(metadata, now, LEFTOVER_AGE),
            };
            if is_idle { remove_if_there(path) } else { Ok(()) }
        })
    }

    /// Removes what is left over, and forgets bags that are gone.
    fn tidy(&self, options: &GcOptions, report: &mut GcReport) -> io::Result<()> {
        let mut due: Vec<(PathBuf, u64)> = Vec::new();
        for (name, age) in [(WORK, LEFTOVER_AGE), (ASIDE, ASIDE_AGE)] {
            walk(&self.folder.path(name), &mut |path, metadata| {
                if is_older(metadata, options.now, age) {
                    due.push((path.to_owned(), metadata.len()));
                }
                Ok(())
            })?;
        }
        for name in [LEASES, PINS, super::bags::BAGS] {
            walk(&self.folder.path(name), &mut |path, metadata| {
                // A list of digests without its pin is one that was not finished.
                let is_left =
                    name == LEASES || is_new(path) || name == PINS && !path.with_extension("json").exists();
                if is_left && is_older(metadata, options.now, LEFTOVER_AGE) {
                    due.push((path.to_owned(), metadata.len()));
                }
                Ok(())
            })?;
        }
        for (path, length) in due {
            report.leftovers += 1;
            report.leftover_bytes += length;
            if !options.dry_run {
                remove_if_there(&path)?;
            }
        }
        for bag in self.bags()?.iter().filter(|bag| bag.is_gone()) {
            report.bags += 1;
            if !options.dry_run {
                // Another process may have been faster.
                let _ = self.forget_bag(bag);
            }
        }
        if !options.dry_run {
            self.remove_empty_folders(options.now)?;
        }
        Ok(())
    }

    /// Old empty folders of work that is over, and such as were never put in place.
    fn remove_empty_folders(&self, now: SystemTime) -> io::Result<()> {
        let below = walkdir::WalkDir::new(self.folder.path(WORK)).min_depth(1).contents_first(true);
        let folders = below.into_iter().filter_map(Result::ok).filter(|entry| entry.file_type().is_dir());
        let mut old: Vec<PathBuf> = folders.map(walkdir::DirEntry::into_path).collect();
        let root = match fs_err::read_dir(self.root()) {
            Err(error) if is_absence(&error) => return Ok(()),
            other => other?,
        };
        old.extend(root.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| is_new(path)));
        for path in old {
            if fs_err::symlink_metadata(&path).is_ok_and(|metadata| is_older(&metadata, now, LEFTOVER_AGE)) {
                // One that is not empty is not over.
                let _ = fs_err::remove_dir(&path);
            }
        }
        Ok(())
    }
}

fn digest_lists(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = finished_files(folder)?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    Ok(files)
}

fn read_unless_gone(path: &Path, each: &mut dyn FnMut(Digest)) -> io::Result<()> {
    match read_digests(path, each) {
        // It ended meanwhile.
        Err(error) if is_absence(&error) => Ok(()),
        other => other,
    }
}

fn is_new(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(NEW.as_bytes()))
}

/// Whether both are names of one file. One that was put aside and fetched again is another.
fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        one.ino() == other.ino()
    }
    #[cfg(not(unix))]
    {
        one.len() == other.len() && one.modified().ok() == other.modified().ok()
    }
}

fn is_older(metadata: &Metadata, now: SystemTime, age: Duration) -> bool {
    now.duration_since(changed(metadata)).is_ok_and(|ago| ago > age)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs_err::remove_file(path) {
        Err(error) if is_absence(&error) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
