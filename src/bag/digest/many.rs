//! Digests of many messages at once, whatever the algorithm.
//!
//! MD5 and SHA-256 are chains of dependent steps that leave most of a core idle; fed with several messages in step, it
//! does several times the work. Other algorithms are fed one message after the other.

use sha2::digest::DynDigest;

use super::lanes::{self, Kernel, Md5, Sha256, Stream};
use super::{Algorithm, Digest};

/// How many messages at once pay on this machine.
pub(crate) fn width(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::Md5 => Md5::width(),
        Algorithm::Sha256 => Sha256::width(),
        _ => 1,
    }
}

/// The digest of each message.
pub(crate) fn digest_all(algorithm: Algorithm, messages: &[&[u8]]) -> Vec<Digest> {
    let digest = |octets: &[u8]| Digest::from_bytes(algorithm, octets);
    match algorithm {
        Algorithm::Md5 => lanes::digest_all::<Md5>(messages).iter().map(|octets| digest(octets)).collect(),
        Algorithm::Sha256 => {
            lanes::digest_all::<Sha256>(messages).iter().map(|octets| digest(octets)).collect()
        }
        _ => messages
            .iter()
            .map(|message| {
                let mut hasher = algorithm.hasher();
                hasher.update(message);
                digest(&hasher.finalize())
            })
            .collect(),
    }
}

/// Hashers of one algorithm, side by side, for messages that come in parts.
pub(crate) struct ManyHasher {
    algorithm: Algorithm,
    hashers: Hashers,
}

enum Hashers {
    Md5(Vec<Stream<Md5>>),
    Sha256(Vec<Stream<Sha256>>),
    Other(Vec<Box<dyn DynDigest + Send>>),
}

impl ManyHasher {
    /// So many hashers, all at their start.
    pub(crate) fn new(algorithm: Algorithm, count: usize) -> Self {
        let hashers = match algorithm {
            Algorithm::Md5 => Hashers::Md5((0..count).map(|_| Stream::new()).collect()),
            Algorithm::Sha256 => Hashers::Sha256((0..count).map(|_| Stream::new()).collect()),
            _ => Hashers::Other((0..count).map(|_| algorithm.hasher()).collect()),
        };
        Self { algorithm, hashers }
    }

    /// Feeds each hasher the part at its place.
    pub(crate) fn update(&mut self, parts: &[&[u8]]) {
        match &mut self.hashers {
            Hashers::Md5(streams) => lanes::update(streams, parts),
            Hashers::Sha256(streams) => lanes::update(streams, parts),
            Hashers::Other(hashers) => {
                hashers.iter_mut().zip(parts).for_each(|(hasher, part)| hasher.update(part));
            }
        }
    }

    /// Ends one hasher's message and puts it back to its start.
    pub(crate) fn finish(&mut self, index: usize) -> Digest {
        match &mut self.hashers {
            Hashers::Md5(streams) => {
                let stream = std::mem::replace(&mut streams[index], Stream::new());
                Digest::from_bytes(self.algorithm, &lanes::finish(&mut [stream])[0])
            }
            Hashers::Sha256(streams) => {
                let stream = std::mem::replace(&mut streams[index], Stream::new());
                Digest::from_bytes(self.algorithm, &lanes::finish(&mut [stream])[0])
            }
            Hashers::Other(hashers) => {
                let hasher = std::mem::replace(&mut hashers[index], self.algorithm.hasher());
                Digest::from_bytes(self.algorithm, &hasher.finalize())
            }
        }
    }
}
