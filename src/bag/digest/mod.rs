//! Checksums: algorithms by their BagIt names, digests as values, and one pass that feeds them all.

mod kernel;
mod lanes;
mod many;

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use sha2::digest::DynDigest;

use super::Progress;
pub(crate) use many::digest_all;
pub(super) use many::{ManyHasher, width};

macro_rules! algorithms {
    ($($name:ident = $text:literal $(or $other:literal)?, $length:literal, $hasher:ty;)+) => {
        /// A checksum algorithm, named as in `manifest-<alg>.txt` (RFC 8493 §2.4). Weakest first.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)]
        pub enum Algorithm { $($name,)+ }

        impl Algorithm {
            /// Every algorithm that is read, weakest first.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name in file names: lower case, without punctuation.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// Length of a digest in octets.
            #[must_use]
            pub fn length(self) -> usize {
                match self { $(Self::$name => $length,)+ }
            }

            /// Finds an algorithm by a name as in `manifest-<alg>.txt`, case and punctuation ignored: RFC 8493
            /// writes `sha3256`, Python `sha3_256`.
            #[must_use]
            pub fn by_name(name: &str) -> Option<Self> {
                let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
                match plain.to_ascii_lowercase().as_str() {
                    $($text $(| $other)? => Some(Self::$name),)+
                    _ => None,
                }
            }

            fn hasher(self) -> Box<dyn DynDigest + Send> {
                match self { $(Self::$name => Box::new(<$hasher>::default()),)+ }
            }
        }
    };
}

algorithms! {
    Md5 = "md5", 16, md5::Md5;
    Sha1 = "sha1", 20, sha1::Sha1;
    Sha224 = "sha224", 28, sha2::Sha224;
    Sha3_224 = "sha3224", 28, sha3::Sha3_224;
    Sha256 = "sha256", 32, sha2::Sha256;
    Blake2s256 = "blake2s256" or "blake2s", 32, blake2::Blake2s256;
    Blake2b256 = "blake2b256", 32, blake2::Blake2b<sha2::digest::consts::U32>;
    Sha3_256 = "sha3256", 32, sha3::Sha3_256;
    Sha384 = "sha384", 48, sha2::Sha384;
    Sha3_384 = "sha3384", 48, sha3::Sha3_384;
    Sha512 = "sha512", 64, sha2::Sha512;
    Blake2b512 = "blake2b512" or "blake2b", 64, blake2::Blake2b512;
    Sha3_512 = "sha3512", 64, sha3::Sha3_512;
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
        let mut bad = 0;
        for (out, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let (high, low) = (NIBBLES[usize::from(pair[0])], NIBBLES[usize::from(pair[1])]);
            bad |= high | low;
            *out = high << 4 | low & 0xF;
        }
        // The table says 0xFF of what is no digit.
        if bad > 0xF { Err(fail()) } else { Ok(Self { algorithm, bytes }) }
    }

    /// A digest from its octets, of which there must be as many as the algorithm makes.
    pub(crate) fn from_bytes(algorithm: Algorithm, octets: &[u8]) -> Self {
        let mut bytes = [0; 64];
        bytes[..algorithm.length()].copy_from_slice(octets);
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

/// Octets as lower-case hexadecimal digits.
pub(super) fn push_hex(octets: &[u8], text: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = |octet: &u8| [DIGITS[usize::from(octet >> 4)], DIGITS[usize::from(octet & 15)]];
    text.extend(octets.iter().flat_map(digits));
}

/// The value of each hexadecimal digit, 0xFF for all else.
const NIBBLES: [u8; 256] = {
    let mut table = [0xFF; 256];
    let mut digit = 0;
    while digit < 16 {
        table[b"0123456789abcdef"[digit as usize] as usize] = digit;
        table[b"0123456789ABCDEF"[digit as usize] as usize] = digit;
        digit += 1;
    }
    table
};

/// Feeds several algorithms in one pass over the bytes.
pub struct MultiHasher(Vec<(Algorithm, Box<dyn DynDigest + Send>)>);

impl MultiHasher {
    /// Starts one hasher for each algorithm.
    #[must_use]
    pub fn new(algorithms: &[Algorithm]) -> Self {
        Self(algorithms.iter().map(|algorithm| (*algorithm, algorithm.hasher())).collect())
    }

    /// Feeds the next bytes to every hasher.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.iter_mut().for_each(|(_, hasher)| hasher.update(bytes));
    }

    /// Ends the pass; the digests come in the order in which the algorithms were given.
    #[must_use]
    pub fn finish(self) -> Vec<Digest> {
        self.0
            .into_iter()
            .map(|(algorithm, hasher)| Digest::from_bytes(algorithm, &hasher.finalize()))
            .collect()
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

    /// Of "abc"; made with Python's hashlib.
    const KNOWN: [&str; 13] = [
        "900150983cd24fb0d6963f7d28e17f72",
        "a9993e364706816aba3e25717850c26c9cd0d89d",
        "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
        "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982",
        "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319",
        "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
        "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
        "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0",
    ];

    #[test]
    fn known_digests() {
        let (length, digests) =
            hash_reader(&mut &b"abc"[..], Algorithm::ALL, &mut [0; 2], &NoProgress).unwrap();
        assert_eq!(length, 3);
        for (digest, hex) in digests.iter().zip(KNOWN) {
            assert_eq!(digest.to_string(), hex);
            assert_eq!(Digest::parse(digest.algorithm(), &hex.to_uppercase()).unwrap(), *digest);
        }
    }

    #[test]
    fn names_in_every_spelling() {
        for (name, algorithm) in [
            ("SHA-256", Algorithm::Sha256),
            ("sha3_256", Algorithm::Sha3_256),
            ("sha3-256", Algorithm::Sha3_256),
            ("sha3256", Algorithm::Sha3_256),
            ("blake2b", Algorithm::Blake2b512),
            ("blake2b-512", Algorithm::Blake2b512),
            ("blake2s", Algorithm::Blake2s256),
        ] {
            assert_eq!(Algorithm::by_name(name), Some(algorithm), "{name}");
        }
        assert!(Algorithm::by_name("shake_128").is_none());
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
