//! The identity of a bag's payload, which no container, manifest or mirror changes.

use super::{Algorithm, Digest, MultiHasher, path};

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
        self.add_encoded(&path::encode(path), length, digest);
    }

    /// The same, with the path as manifests write it.
    pub(super) fn add_encoded(&mut self, path: &str, length: u64, digest: &Digest) {
        use std::fmt::Write;
        self.line.clear();
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
