//! The cache: where things are in it, and how files come in and are found again.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

use super::folder::{Folder, NEW};
use super::md5::Md5Names;
use super::objects::{ObjectStore, hash_file, readable_by_all};
use super::stamp::{Stamp, is_same, stamp_unchanged, unstamp};
use super::times::{set_accessed_now, sync_file_system, used};
use super::{CacheError, stamp};
use crate::bag::{Algorithm, Digest, NoProgress};

pub(super) const OBJECTS: &str = "objects-1";
pub(super) const WORK: &str = "work-1";
pub(super) const ASIDE: &str = "aside-1";

/// A use is noted only if the last one noted is as long ago.
const FRESH: Duration = Duration::from_hours(1);

/// A cache: what can be had again, kept by its digest. It may be shared by users and machines; any number of
/// processes may use it at once, and what it says never depends on a lock.
///
/// ```text
/// <cache>/
///   format              the line "dbag cache 1"
///   objects-1/ab/abcd…  a file by its SHA-256, mode 0444
///   md5-1/cd/cdef…-abcd…  a hard link to the object with that MD5 and SHA-256
///   work-1/             files under way
///   aside-1/            damaged files, put aside by rename
///   bags-1/….json       bags known on this machine
///   pins-1/….json .txt  bags whose files are kept, and the digests of those files
///   leases-1/….txt      digests that a running command needs
///   receipts-1/….json   what was verified: see [`Receipts`](super::Receipts)
/// ```
///
/// Nothing in it is ever the only copy of anything: a file that is gone is a miss, and fetched again.
#[derive(Debug)]
pub struct Cache {
    pub(super) folder: Folder,
    objects: ObjectStore,
    names: Md5Names,
}

/// A file in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Where it is. Another process may remove it at any time: an error of kind `NotFound` there is a miss.
    pub path: PathBuf,
    /// Its SHA-256.
    pub sha256: Digest,
    /// Its length in octets.
    pub length: u64,
}

impl Cache {
    /// The cache at a folder, which is made at the first use that writes. A cache of a newer dbag is refused, and so
    /// is a folder of another kind.
    pub fn open(root: &Path) -> Result<Self, CacheError> {
        let folder = Folder::open(root)?;
        let objects = ObjectStore::at(&folder.path(OBJECTS));
        Ok(Self { folder, objects, names: Md5Names::new() })
    }

    /// The cache's folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.folder.root()
    }

    /// The folder of files under way, which is made if it is not there. What is older than a day there may be removed.
    pub fn work_folder(&self) -> io::Result<PathBuf> {
        let folder = self.folder.path(WORK);
        self.folder.make(&folder)?;
        Ok(folder)
    }

    /// Sees whether files can be put into the cache: the error of what can't be made there.
    pub fn check_writable(&self) -> io::Result<()> {
        self.temporary()?;
        let objects = self.folder.path(OBJECTS);
        self.folder.make(&objects)?;
        tempfile::Builder::new().prefix(NEW).tempfile_in(&objects).map(drop)
    }

    /// A new file that may become an object: see [`Cache::add`].
    pub fn temporary(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new().prefix("object-").suffix(".partial").tempfile_in(self.work_folder()?)
    }

    /// Makes a file an object. The caller has seen the digests of what it wrote to the file.
    ///
    /// The object is not stamped, since it is not synced: [`Cache::stamp_batch`] does both for many. An object that is
    /// there already, and is stamped, stays, and the file goes.
    pub fn add(&self, file: NamedTempFile, sha256: &Digest, md5: Option<&Digest>) -> io::Result<Object> {
        let path = self.objects.path(sha256);
        let metadata = file.as_file().metadata()?;
        let object = Object { path, sha256: *sha256, length: metadata.len() };
        let is_there = fs_err::symlink_metadata(&object.path)
            .is_ok_and(|there| there.len() == object.length && Stamp::holds(&there, sha256));
        if is_there {
            file.close()?;
        } else {
            let mut permissions = metadata.permissions();
            readable_by_all(&mut permissions);
            file.as_file().set_permissions(permissions)?;
            // Another process may have put it there meanwhile, or something damaged may be there: this one is right.
            self.folder.persist(file, &object.path)?;
        }
        if let Some(md5) = md5 {
            self.names.add(&self.folder, &object.path, md5, sha256)?;
        }
        Ok(object)
    }

    /// Makes objects survive a power failure, by one sync of the file system, and stamps them.
    pub fn stamp_batch(&self, objects: &[Object]) -> io::Result<()> {
        if objects.is_empty() {
            return Ok(());
        }
        match sync_file_system(self.root()) {
            // All of it was deleted.
            Err(error) if is_absence(&error) => return Ok(()),
            other => other?,
        }
        for object in objects {
            // One that is gone, or another user's, is stamped when it is hashed again, or by its owner.
            let _ = stamp(&object.path, &object.sha256);
        }
        Ok(())
    }

    /// The SHA-256 of the object with this MD5, if one was named so; whether it is there still is another question.
    #[must_use]
    pub fn by_md5(&self, md5: &Digest) -> Option<Digest> {
        self.names.get(&self.folder, md5)
    }

    /// Whether a file is probably there: by its name and length alone, with nothing hashed or noted.
    pub fn holds(&self, digests: &[Digest], length: Option<u64>) -> io::Result<bool> {
        let Some(sha256) = self.named(digests) else { return Ok(false) };
        match fs_err::symlink_metadata(self.objects.path(&sha256)) {
            Ok(there) => Ok(there.is_file() && length.is_none_or(|length| length == there.len())),
            Err(error) if is_absence(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The SHA-256 of the object that a file with these digests would be.
    fn named(&self, digests: &[Digest]) -> Option<Digest> {
        let listed = |algorithm| digests.iter().find(|digest| digest.algorithm() == algorithm);
        match (listed(Algorithm::Sha256), listed(Algorithm::Md5)) {
            (Some(sha256), _) => Some(*sha256),
            (None, Some(md5)) => self.by_md5(md5),
            (None, None) => None,
        }
    }

    /// Finds a file by its digests, of which the SHA-256 or the MD5 is enough, and its length in octets if that is
    /// known. Says so if it was used, at most once an hour.
    ///
    /// One look is enough where the object's stamp holds. Elsewhere it is hashed, and stamped again if it is right; if it
    /// is not, it is put aside and not found.
    pub fn find(&self, digests: &[Digest], length: Option<u64>) -> io::Result<Option<Object>> {
        self.find_trusting(digests, length, true)
    }

    /// The same, but the object is hashed whatever its stamp says.
    pub fn find_anew(&self, digests: &[Digest], length: Option<u64>) -> io::Result<Option<Object>> {
        self.find_trusting(digests, length, false)
    }

    fn find_trusting(
        &self,
        digests: &[Digest],
        length: Option<u64>,
        stamps: bool,
    ) -> io::Result<Option<Object>> {
        let Some(sha256) = self.named(digests) else { return Ok(None) };
        let path = self.objects.path(&sha256);
        let metadata = match fs_err::symlink_metadata(&path) {
            Err(error) if is_absence(&error) => return Ok(None),
            other => other?,
        };
        let is_stamped = stamps && Stamp::holds(&metadata, &sha256);
        if !is_stamped && !self.is_right(&path, &metadata, &sha256, digests)? {
            return Ok(None);
        }
        if length.is_some_and(|length| length != metadata.len()) {
            return Ok(None);
        }
        freshen(&path, used(&metadata));
        Ok(Some(Object { path, sha256, length: metadata.len() }))
    }

    /// Hashes an object that has no stamp.
    fn is_right(
        &self,
        path: &Path,
        metadata: &std::fs::Metadata,
        sha256: &Digest,
        listed: &[Digest],
    ) -> io::Result<bool> {
        let mut algorithms: Vec<Algorithm> = listed.iter().map(Digest::algorithm).collect();
        algorithms.push(Algorithm::Sha256);
        algorithms.sort_unstable();
        algorithms.dedup();
        let hashed =
            if metadata.is_file() { hash_file(path, &algorithms, &NoProgress) } else { Ok((0, vec![])) };
        let digests = match hashed {
            Err(error) if is_absence(&error) => return Ok(false),
            other => other?.1,
        };
        if !digests.contains(sha256) {
            self.put_aside(path, metadata)?;
            return Ok(false);
        }
        // What was read may not have reached the disk. Its owner, or whoever hashes it next, may have more luck.
        let synced = fs_err::File::open(path).and_then(|file| file.sync_data());
        let _ = synced.and_then(|()| stamp_unchanged(path, sha256, metadata));
        Ok(listed.iter().all(|digest| digests.contains(digest)))
    }

    /// Puts a damaged file aside, if it is still the one that was looked at; where to, if that could be done.
    pub(super) fn put_aside(
        &self,
        path: &Path,
        looked_at: &std::fs::Metadata,
    ) -> io::Result<Option<PathBuf>> {
        let is_still_there = fs_err::symlink_metadata(path).is_ok_and(|now| is_same(&now, looked_at));
        let Some(name) = path.file_name().filter(|_| is_still_there) else { return Ok(None) };
        // Bags that have it by a hard link are to be told too. One that is another user's keeps its stamp.
        let _ = unstamp(path);
        let moved = self.folder.make(&self.folder.path(ASIDE)).and_then(|()| {
            let mut number = 0_u32;
            let place = loop {
                number += 1;
                let mut numbered = name.to_owned();
                numbered.push(format!(".{number}"));
                let place = self.folder.path(ASIDE).join(numbered);
                if fs_err::symlink_metadata(&place).is_err() {
                    break place;
                }
            };
            fs_err::rename(path, &place).map(|()| Some(place))
        });
        match moved {
            // Another user's, a cache that can't be written, or another process was faster: it is not used all the same.
            Err(error) if is_absence(&error) || is_forbidden(&error) => Ok(None),
            other => other,
        }
    }

    pub(super) fn object_path(&self, sha256: &Digest) -> PathBuf {
        self.objects.path(sha256)
    }
}

pub(super) fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Whether this user, or anyone, may not write there.
pub(crate) fn is_forbidden(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// Notes that an object is used, unless that was noted within the hour.
fn freshen(path: &Path, last: SystemTime) {
    // A time to come is as good as now.
    let is_fresh = SystemTime::now().duration_since(last).is_ok_and(|ago| ago < FRESH);
    if is_fresh || last > SystemTime::now() {
        return;
    }
    if set_accessed_now(path).is_err() {
        // Another user's: where the file system notes reading, which it does once a day at least, reading an octet tells.
        let mut octet = [0];
        let _ = fs_err::File::open(path).and_then(|mut file| io::Read::read(&mut file, &mut octet));
    }
}

#[cfg(test)]
mod tests;
