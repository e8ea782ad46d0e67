//! The identity of a bag's content: the same whatever archive it is in, which of its files are fetched, and from where.

use sha2::{Digest as _, Sha256};

use super::{Algorithm, Bag, BagFile, Digest, path};

/// The content digest, while the payload files are told by path.
#[derive(Default)]
pub struct ContentHasher(Sha256);

impl ContentHasher {
    /// Adds a file: `sha256:abcd… 12 data/a.txt` and a line feed, the path as manifests write it. Files come in the order of
    /// their paths' octets, each with the strongest of its digests.
    pub fn add(&mut self, path: &str, length: u64, strongest: &Digest) {
        let algorithm = strongest.algorithm().name();
        self.0.update(format!("{algorithm}:{strongest} {length} {}\n", path::encode(path)));
    }

    /// The digest of all of them, a SHA-256.
    #[must_use]
    pub fn finish(self) -> Option<Digest> {
        let hex: String = self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Digest::parse(Algorithm::Sha256, &hex).ok()
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
    hasher.finish()
}
