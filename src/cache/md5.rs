//! Objects found by their MD5, which is all that many manifests of Deriva's assets list.
//!
//! A name is a hard link to its object, so it takes no inode, and says which object that is: `<MD5>-<SHA-256>`. A file
//! system can't look up half a name, so a folder of names is listed at the first question and again when it has changed;
//! what listing costs is bounded by what it cost before.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::folder::{Folder, NEW};
use super::store::is_absence;
use crate::bag::{Algorithm, Digest};

pub(super) const MD5: &str = "md5-1";

/// A folder that changed as lately may change again with no new time of modification.
const TICK: Duration = Duration::from_secs(2);
/// A folder is not listed again before so many times as long as listing it took. What another process names meanwhile
/// is a miss.
const PATIENCE: u32 = 20;

/// The names by MD5 of a cache.
#[derive(Debug)]
pub(super) struct Md5Names {
    /// One for each first octet.
    listings: Vec<Mutex<Listing>>,
    /// The file system has no hard links; not asked again.
    no_links: AtomicBool,
}

/// What is known of a folder of names.
#[derive(Debug, Default)]
struct Listing {
    /// MD5 and SHA-256, sorted. There may be thousands.
    names: Vec<([u8; 16], [u8; 32])>,
    listed: Option<Listed>,
}

#[derive(Debug, Clone, Copy)]
struct Listed {
    modified: SystemTime,
    /// The folder was quiet, so that a change since has another time.
    quiet: bool,
    ended: Instant,
    took: Duration,
}

impl Md5Names {
    pub(super) fn new() -> Self {
        let listings = (0..=u8::MAX).map(|_| Mutex::default()).collect();
        Self { listings, no_links: AtomicBool::new(false) }
    }

    /// Makes an object be found by its MD5 too. Where that can't be, it is found by its SHA-256 only.
    pub(super) fn add(
        &self,
        folder: &Folder,
        object: &Path,
        md5: &Digest,
        sha256: &Digest,
    ) -> io::Result<()> {
        if self.no_links.load(Ordering::Relaxed) {
            return Ok(());
        }
        let path = path(folder, md5, sha256);
        let link = || fs_err::hard_link(object, &path);
        let linked = match link() {
            Err(error) if is_absence(&error) => {
                path.parent().map_or(Ok(()), |parent| folder.make(parent)).and_then(|()| link())
            }
            other => other,
        };
        match linked {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // An object with as many links as it may have, or one that was removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::TooManyLinks || is_absence(&error) => return Ok(()),
            // Another user's, where the system lets nobody else link it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
            Err(error) if has_no_links(&error) => {
                self.no_links.store(true, Ordering::Relaxed);
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        if let (Some((first, key)), Ok(value)) = (key(md5), sha256.as_bytes().try_into()) {
            let mut listing = self.listings[first].lock().unwrap_or_else(PoisonError::into_inner);
            // Whoever never asks need not remember.
            if listing.listed.is_some() {
                listing.insert(key, value);
            }
        }
        Ok(())
    }

    /// The SHA-256 of the object that was named so; whether it is there still is another question.
    pub(super) fn get(&self, folder: &Folder, md5: &Digest) -> Option<Digest> {
        let (first, key) = key(md5)?;
        let mut listing = self.listings[first].lock().unwrap_or_else(PoisonError::into_inner);
        if listing.get(&key).is_none() {
            let names = folder.path(MD5).join(format!("{first:02x}"));
            // What can't be listed names nothing.
            let _ = listing.refresh(&names);
        }
        listing.get(&key).map(|sha256| Digest::from_bytes(Algorithm::Sha256, sha256))
    }
}

impl Listing {
    fn place(&self, key: &[u8; 16]) -> Result<usize, usize> {
        self.names.binary_search_by(|(md5, _)| md5.cmp(key))
    }

    fn get(&self, key: &[u8; 16]) -> Option<&[u8; 32]> {
        self.place(key).ok().map(|index| &self.names[index].1)
    }

    fn insert(&mut self, key: [u8; 16], value: [u8; 32]) {
        match self.place(&key) {
            Ok(index) => self.names[index].1 = value,
            Err(index) => self.names.insert(index, (key, value)),
        }
    }

    /// Lists the folder, if it has changed since and that is not too soon.
    fn refresh(&mut self, folder: &Path) -> io::Result<()> {
        let modified = fs_err::metadata(folder)?.modified()?;
        if let Some(listed) = self.listed {
            let is_unchanged = listed.quiet && listed.modified == modified;
            if is_unchanged || listed.ended.elapsed() < listed.took * PATIENCE {
                return Ok(());
            }
        }
        let began = Instant::now();
        let quiet = SystemTime::now().duration_since(modified).is_ok_and(|age| age > TICK);
        let mut names = Vec::with_capacity(self.names.len());
        for entry in fs_err::read_dir(folder)? {
            if let Some((md5, sha256)) = entry?.file_name().to_str().and_then(parse)
                && let (Some((_, key)), Ok(value)) = (key(&md5), sha256.as_bytes().try_into())
            {
                names.push((key, value));
            }
        }
        names.sort_unstable();
        names.dedup_by_key(|(md5, _)| *md5);
        self.names = names;
        self.listed = Some(Listed { modified, quiet, ended: Instant::now(), took: began.elapsed() });
        Ok(())
    }
}

/// The first octet, which is the folder's name, and all of them.
fn key(md5: &Digest) -> Option<(usize, [u8; 16])> {
    let key: [u8; 16] = md5.as_bytes().try_into().ok().filter(|_| md5.algorithm() == Algorithm::Md5)?;
    Some((usize::from(key[0]), key))
}

/// Where the name of an object is.
fn path(folder: &Folder, md5: &Digest, sha256: &Digest) -> PathBuf {
    let hex = md5.to_string();
    folder.path(MD5).join(&hex[..2]).join(format!("{hex}-{sha256}"))
}

/// The MD5 and the SHA-256 that a name consists of.
pub(super) fn parse(name: &str) -> Option<(Digest, Digest)> {
    let (md5, sha256) = name.split_once('-').filter(|_| !name.starts_with(NEW))?;
    let md5 = Digest::parse(Algorithm::Md5, md5).ok()?;
    Some((md5, Digest::parse(Algorithm::Sha256, sha256).ok()?))
}

fn has_no_links(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput | io::ErrorKind::CrossesDevices
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cache;
    use crate::cache::tests::{add, digests};

    #[test]
    fn what_another_process_names_is_found_too() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = [(); 2].map(|()| Cache::open(folder.path()).unwrap());
        for number in 0..500_u32 {
            let contents = number.to_le_bytes();
            let [md5, sha256] = digests(&contents);
            assert_eq!(one.by_md5(&md5), None);
            add(&other, &contents);
            // Listing is never put off for longer than this.
            let limit = Instant::now() + Duration::from_secs(10);
            while one.by_md5(&md5) != Some(sha256) {
                assert!(Instant::now() < limit, "{number}");
            }
        }
    }

    #[test]
    fn a_name_takes_no_inode() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let object = add(&cache, b"abc");
        let name = path(&cache.folder, &digests(b"abc")[0], &object.sha256);
        let inode = |path: &Path| fs_err::symlink_metadata(path).unwrap().ino();
        assert_eq!(inode(&name), inode(&object.path));
    }

    #[test]
    fn only_names_of_our_form_are_names() {
        let [md5, sha256] = digests(b"abc");
        assert_eq!(parse(&format!("{md5}-{sha256}")), Some((md5, sha256)));
        for name in ["", "-", "abc", &md5.to_string(), &format!("{sha256}-{md5}"), ".new-abc"] {
            assert_eq!(parse(name), None, "{name}");
        }
    }
}
