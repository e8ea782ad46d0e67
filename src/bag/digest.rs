//! Checksums: algorithms by their BagIt names, digests as values, and one pass that feeds them all.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use md5::Md5;
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};

use super::Progress;

/// A checksum algorithm, named as in `manifest-<alg>.txt` (RFC 8493 §2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Algorithm {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Algorithm {
    /// Every algorithm that is read, weakest first.
    pub const ALL: [Self; 6] =
        [Self::Md5, Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// The name in file names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha224 => "sha224",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of a digest in octets.
    #[must_use]
    pub fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Finds an algorithm by a name as in `manifest-<alg>.txt`: lower case, punctuation ignored.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        let plain: String =
            name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == plain)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A checksum: the algorithm and its octets. Written as lower-case hex; read in either case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    bytes: [u8; 64],
}

/// A string that is no digest of its algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a digest of {algorithm} ({} hexadecimal digits)", algorithm.length() * 2)]
pub struct DigestParseError {
    text: String,
    algorithm: Algorithm,
}

impl Digest {
    /// Parses hexadecimal digits of exactly the algorithm's length.
    pub fn parse(algorithm: Algorithm, hex: &str) -> Result<Self, DigestParseError> {
        let fail = || DigestParseError { text: hex.chars().take(140).collect(), algorithm };
        let mut bytes = [0; 64];
        if hex.len() != algorithm.length() * 2 {
            return Err(fail());
        }
        for (out, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let high = char::from(pair[0]).to_digit(16).ok_or_else(fail)?;
            let low = char::from(pair[1]).to_digit(16).ok_or_else(fail)?;
            *out = u8::try_from(high * 16 + low).map_err(|_| fail())?;
        }
        Ok(Self { algorithm, bytes })
    }

    fn from_output(algorithm: Algorithm, output: &[u8]) -> Self {
        let mut bytes = [0; 64];
        bytes[..output.len()].copy_from_slice(output);
        Self { algorithm, bytes }
    }

    /// The algorithm that made it.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.algorithm.length()]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{self}", self.algorithm)
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::by_name(name).ok_or_else(|| format!("unknown checksum algorithm {name:?}"))
    }
}

enum Hasher {
    Md5(Md5),
    Sha1(Sha1),
    Sha224(Sha224),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

/// Feeds several algorithms in one pass over the bytes.
pub struct MultiHasher(Vec<Hasher>);

impl MultiHasher {
    /// Starts one hasher for each algorithm.
    #[must_use]
    pub fn new(algorithms: &[Algorithm]) -> Self {
        let start = |algorithm: &Algorithm| match algorithm {
            Algorithm::Md5 => Hasher::Md5(Md5::default()),
            Algorithm::Sha1 => Hasher::Sha1(Sha1::default()),
            Algorithm::Sha224 => Hasher::Sha224(Sha224::default()),
            Algorithm::Sha256 => Hasher::Sha256(Sha256::default()),
            Algorithm::Sha384 => Hasher::Sha384(Sha384::default()),
            Algorithm::Sha512 => Hasher::Sha512(Sha512::default()),
        };
        Self(algorithms.iter().map(start).collect())
    }

    /// Feeds the next bytes to every hasher.
    pub fn update(&mut self, bytes: &[u8]) {
        use sha2::Digest as _;
        for hasher in &mut self.0 {
            match hasher {
                Hasher::Md5(h) => h.update(bytes),
                Hasher::Sha1(h) => h.update(bytes),
                Hasher::Sha224(h) => h.update(bytes),
                Hasher::Sha256(h) => h.update(bytes),
                Hasher::Sha384(h) => h.update(bytes),
                Hasher::Sha512(h) => h.update(bytes),
            }
        }
    }

    /// Ends the pass; the digests come in the order in which the algorithms were given.
    #[must_use]
    pub fn finish(self) -> Vec<Digest> {
        use sha2::Digest as _;
        let end = |hasher| match hasher {
            Hasher::Md5(h) => Digest::from_output(Algorithm::Md5, &h.finalize()),
            Hasher::Sha1(h) => Digest::from_output(Algorithm::Sha1, &h.finalize()),
            Hasher::Sha224(h) => Digest::from_output(Algorithm::Sha224, &h.finalize()),
            Hasher::Sha256(h) => Digest::from_output(Algorithm::Sha256, &h.finalize()),
            Hasher::Sha384(h) => Digest::from_output(Algorithm::Sha384, &h.finalize()),
            Hasher::Sha512(h) => Digest::from_output(Algorithm::Sha512, &h.finalize()),
        };
        self.0.into_iter().map(end).collect()
    }
}

/// Reads to the end and returns the length in octets and the digests. `buffer` sets the size of a read.
/// Progress is told as bytes pass; a cancelled run ends with an error of kind `Other` that says "interrupted",
/// which no reader retries as it would `ErrorKind::Interrupted`.
pub fn hash_reader(
    reader: &mut dyn Read,
    algorithms: &[Algorithm],
    buffer: &mut [u8],
    progress: &dyn Progress,
) -> io::Result<(u64, Vec<Digest>)> {
    let mut hasher = MultiHasher::new(algorithms);
    let mut length = 0;
    loop {
        let n = match reader.read(buffer) {
            Ok(0) => return Ok((length, hasher.finish())),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&buffer[..n]);
        length += n as u64;
        progress.bytes(n as u64);
        if progress.cancelled() {
            return Err(io::Error::other("interrupted"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bag::NoProgress;

    #[test]
    fn known_digests() {
        let known = [
            "900150983cd24fb0d6963f7d28e17f72",
            "a9993e364706816aba3e25717850c26c9cd0d89d",
            "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ];
        let (length, digests) =
            hash_reader(&mut &b"abc"[..], &Algorithm::ALL, &mut [0; 2], &NoProgress).unwrap();
        assert_eq!(length, 3);
        for (digest, hex) in digests.iter().zip(known) {
            assert_eq!(digest.to_string(), hex);
            assert_eq!(Digest::parse(digest.algorithm(), &hex.to_uppercase()).unwrap(), *digest);
        }
    }

    #[test]
    fn wrong_lengths_and_letters_are_refused() {
        for text in [
            "",
            "9001",
            "z00150983cd24fb0d6963f7d28e17f72",
            "900150983cd24fb0d6963f7d28e17f72ff",
            "é00150983cd24fb0d6963f7d28e17f7",
        ] {
            assert!(Digest::parse(Algorithm::Md5, text).is_err());
        }
    }
}
