//! A cache with objects, for the tests of its parts.

use std::io::Write;

use crate::bag::{Algorithm, Digest, MultiHasher};
use crate::cache::{Cache, Object};

/// The MD5 and the SHA-256.
pub(in crate::cache) fn digests(contents: &[u8]) -> [Digest; 2] {
    let mut hasher = MultiHasher::new(&[Algorithm::Md5, Algorithm::Sha256]);
    hasher.update(contents);
    hasher.finish().try_into().unwrap()
}

/// Makes an object, without a stamp.
pub(in crate::cache) fn add(cache: &Cache, contents: &[u8]) -> Object {
    let mut file = cache.temporary().unwrap();
    file.write_all(contents).unwrap();
    let [md5, sha256] = digests(contents);
    cache.add(file, &sha256, Some(&md5)).unwrap()
}

/// A cache of its own, in a folder that goes with it.
pub(in crate::cache) struct Case {
    pub(in crate::cache) folder: tempfile::TempDir,
    pub(in crate::cache) cache: Cache,
}

impl Case {
    pub(in crate::cache) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(&folder.path().join("cache")).unwrap();
        Self { folder, cache }
    }

    /// An object with its stamp.
    pub(in crate::cache) fn add(&self, contents: &[u8]) -> Object {
        let object = add(&self.cache, contents);
        self.cache.stamp_batch(std::slice::from_ref(&object)).unwrap();
        object
    }
}
