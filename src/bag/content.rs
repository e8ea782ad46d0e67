//! The identity of a bag's payload, which no container, manifest or mirror changes.

use super::{Algorithm, Bag, BagFile, Digest, MultiHasher, path};

/// SHA-256 over one line for each payload file, sorted by path: `<algorithm>:<digest> <length> <path>`, of the strongest algorithm
/// that lists it, the path encoded as in manifests, each ended by LF.
pub struct ContentHasher {
    hasher: MultiHasher,
    line: String,
}

impl Default for ContentHasher {
    fn default() -> Self {
        Self { hasher: MultiHasher::new(&[Algorithm::Sha256]), line: String::new() }
    }
}

impl ContentHasher {
    /// Adds the next file: `path` comes after that of the one before.
    pub fn add(&mut self, path: &str, length: u64, digest: &Digest) {
        use std::fmt::Write;
        self.line.clear();
        let path = path::encode(path);
        // Writing to a text can't fail.
        let _ = writeln!(self.line, "{}:{digest} {length} {path}", digest.algorithm());
        self.hasher.update(self.line.as_bytes());
    }

    /// The digest of all of them.
    #[must_use]
    pub fn finish(self) -> Digest {
        match self.hasher.finish().first() {
            Some(digest) => *digest,
            None => unreachable!("it hashes with one algorithm"),
        }
    }
}

/// The content digest of a bag, from its manifests and the lengths of its files, nothing hashed. `None` where the length of a
/// file is not known.
#[must_use]
pub fn content_digest(bag: &Bag) -> Option<Digest> {
    let mut files: Vec<BagFile<'_>> = bag.payload().collect();
    files.sort_unstable_by(|one, other| one.path().as_str().cmp(other.path().as_str()));
    let mut hasher = ContentHasher::default();
    for file in files {
        let length = match bag.stored(file) {
            Some(stored) => stored.length(),
            None => bag.remote_length(file)?.octets()?,
        };
        hasher.add(file.path().as_str(), length, file.digests().last()?);
    }
    Some(hasher.finish())
}
