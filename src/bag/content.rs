//! The identity of a bag's content, which no container, manifest or mirror changes: SHA-256 of a line for each payload file.

use super::digest::push_hex;
use super::path::push_encoded;
use super::{Algorithm, Bag, BagFile, Digest, MultiHasher};

/// Lines are hashed by so many octets.
const ENOUGH: usize = 64 << 10;

/// The identity in the making. Files must come by their paths' octets.
pub(crate) struct Content {
    hasher: MultiHasher,
    lines: Vec<u8>,
}

impl Default for Content {
    fn default() -> Self {
        Self { hasher: MultiHasher::new(&[Algorithm::Sha256]), lines: Vec::new() }
    }
}

impl Content {
    /// Adds a file with the strongest of its digests: `PATH<TAB>LENGTH<TAB>ALGORITHM:DIGEST`, the path encoded as in a manifest.
    pub(crate) fn add(&mut self, path: &str, length: u64, (algorithm, digest): (Algorithm, &[u8])) {
        push_encoded(path, &mut self.lines);
        self.lines.extend(format!("\t{length}\t{algorithm}:").as_bytes());
        push_hex(digest, &mut self.lines);
        self.lines.push(b'\n');
        if self.lines.len() > ENOUGH {
            self.hasher.update(&self.lines);
            self.lines.clear();
        }
    }

    /// The digest of all lines.
    pub(crate) fn finish(mut self) -> Digest {
        self.hasher.update(&self.lines);
        let digests = self.hasher.finish();
        digests[0]
    }
}

/// The content digest of a bag, from its manifests and the lengths of its files, nothing hashed. `None` where the length of a
/// file is not known.
#[must_use]
pub fn content_digest(bag: &Bag) -> Option<Digest> {
    let mut files: Vec<BagFile<'_>> = bag.payload().collect();
    files.sort_unstable_by(|one, other| one.path().as_str().cmp(other.path().as_str()));
    let mut content = Content::default();
    for file in files {
        let length = match bag.stored(file) {
            Some(stored) => stored.length(),
            None => bag.remote_length(file)?.octets()?,
        };
        let strongest = *file.digests().last()?;
        content.add(file.path().as_str(), length, (strongest.algorithm(), strongest.as_bytes()));
    }
    Some(content.finish())
}
