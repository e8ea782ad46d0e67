//! Paths inside a bag: relative, `/`-separated, and proven to stay inside.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

/// A path relative to the bag's base folder that can't leave it.
///
/// Made only by [`BagPath::parse`]. Holds no empty, `.` or `..` component, no NUL, is not absolute, and does
/// not start with `~`, a drive letter or a backslash (RFC 8493 §5.1). `a/./b` and `./a` are normalised.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BagPath(Box<str>);

/// Why a string is not a path inside a bag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unsafe path {path:?}: {reason}")]
pub struct PathError {
    /// The path as it was written.
    pub path: String,
    /// The rule that it breaks.
    pub reason: &'static str,
}

impl BagPath {
    /// Parses a decoded path.
    pub fn parse(raw: &str) -> Result<Self, PathError> {
        PathRef::parse(raw, &mut String::new()).map(PathRef::to_owned)
    }

    /// The same path, borrowed.
    #[must_use]
    pub fn borrowed(&self) -> PathRef<'_> {
        PathRef(&self.0)
    }

    /// The path as text, `/`-separated.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it lies below `data/`.
    #[must_use]
    pub fn is_payload(&self) -> bool {
        self.borrowed().is_payload()
    }

    /// The path on disk below `root`.
    #[must_use]
    pub fn below(&self, root: &Path) -> PathBuf {
        self.borrowed().below(root)
    }
}

/// A [`BagPath`] that is kept elsewhere: in a bag's table of names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathRef<'p>(&'p str);

impl<'p> PathRef<'p> {
    /// Parses a decoded path. Where it has to be written in another way (`./a`), that goes into `scratch`.
    pub fn parse(raw: &'p str, scratch: &'p mut String) -> Result<Self, PathError> {
        let refuse = |reason| Err(PathError { path: raw.chars().take(4096).collect(), reason });
        let bytes = raw.as_bytes();
        if raw.is_empty() {
            return refuse("it is empty");
        }
        if memchr::memchr(0, bytes).is_some() {
            return refuse("it holds a NUL");
        }
        if bytes[0] == b'/' || bytes[0] == b'\\' {
            return refuse("it is absolute");
        }
        if bytes[0] == b'~' {
            return refuse("it starts with ~");
        }
        if bytes.len() > 1 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' {
            return refuse("it names a drive");
        }
        // Every rule below is about a component that is empty or starts with a dot.
        let mut plain = bytes[0] != b'.' && bytes[bytes.len() - 1] != b'/';
        for at in memchr::memchr2_iter(b'/', b'\\', bytes) {
            plain &= !matches!(bytes.get(at + 1), Some(b'.' | b'/'));
        }
        if plain {
            return Ok(Self(raw));
        }
        if raw.split(['/', '\\']).any(|part| part == "..") {
            return refuse("it holds ..");
        }
        if raw.ends_with('/') {
            return refuse("it names a folder");
        }
        if raw.split('/').all(|part| !part.is_empty() && part != ".") {
            return Ok(Self(raw));
        }
        scratch.clear();
        for part in raw.split('/').filter(|part| !part.is_empty() && *part != ".") {
            if !scratch.is_empty() {
                scratch.push('/');
            }
            scratch.push_str(part);
        }
        if scratch.is_empty() { refuse("it names the bag itself") } else { Ok(Self(scratch)) }
    }

    /// A path that was parsed before it was stored.
    pub(super) fn stored(text: &'p str) -> Self {
        Self(text)
    }

    /// An owned copy.
    #[must_use]
    pub fn to_owned(self) -> BagPath {
        BagPath(self.0.into())
    }

    /// The path as text, `/`-separated.
    #[must_use]
    pub fn as_str(self) -> &'p str {
        self.0
    }

    /// Whether it lies below `data/`.
    #[must_use]
    pub fn is_payload(self) -> bool {
        self.0.strip_prefix("data/").is_some_and(|rest| !rest.is_empty())
    }

    /// The path on disk below `root`.
    #[must_use]
    pub fn below(self, root: &Path) -> PathBuf {
        let mut path = root.to_path_buf();
        path.extend(self.0.split('/'));
        path
    }
}

impl fmt::Display for PathRef<'_> {
    /// Control characters are shown escaped, so that a hostile name can't forge output.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(self.0))
    }
}

/// A name as it is shown: control characters escaped.
pub(crate) fn printable(name: &str) -> Cow<'_, str> {
    if !name.chars().any(char::is_control) {
        return Cow::Borrowed(name);
    }
    let escaped =
        name.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.into() });
    Cow::Owned(escaped.collect())
}

impl fmt::Debug for PathRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

impl fmt::Display for BagPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrowed().fmt(f)
    }
}

impl fmt::Debug for BagPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Decodes `%0A`, `%0D` and, where `percent` is set, `%25`; everything else stays as it is (RFC 8493 §2.1.3).
pub(super) fn decode(raw: &str, percent: bool) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let code = rest.as_bytes().get(at + 1..at + 3).map(<[u8]>::to_ascii_uppercase);
        let decoded = match code.as_deref() {
            Some(b"0A") => Some('\n'),
            Some(b"0D") => Some('\r'),
            Some(b"25") if percent => Some('%'),
            _ => None,
        };
        if let Some(c) = decoded {
            out.push(c);
            rest = &rest[at + 3..];
        } else {
            out.push('%');
            rest = &rest[at + 1..];
        }
    }
    out.push_str(rest);
    out
}

/// Encodes a path for a BagIt 1.0 manifest or `fetch.txt`: LF, CR and `%`, "those and only those".
pub(super) fn encode(path: &str) -> String {
    path.replace('%', "%25").replace('\n', "%0A").replace('\r', "%0D")
}

/// The same, added to a line.
pub(super) fn push_encoded(path: &str, line: &mut Vec<u8>) {
    if path.bytes().any(|byte| matches!(byte, b'%' | b'\n' | b'\r')) {
        line.extend(encode(path).as_bytes());
    } else {
        line.extend(path.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_paths_are_refused() {
        for raw in [
            "",
            "/etc/passwd",
            "../x",
            "data/../../x",
            "data/..",
            "~/x",
            "~root/x",
            "C:\\x",
            "c:x",
            "\\\\?\\UNC\\x",
            "data\\..\\x",
            "data/a\0b",
            "data/",
            "./",
            ".",
        ] {
            assert!(BagPath::parse(raw).is_err(), "{raw:?} was taken");
        }
    }

    #[test]
    fn odd_but_legal_paths_are_kept() {
        for raw in [
            "data/a b",
            "data/ x",
            "data/x ",
            "data/~x",
            "data/a\\b",
            "data/μ",
            "data/a:b",
            "data/...",
            "data/a\nb",
        ] {
            assert_eq!(BagPath::parse(raw).unwrap().as_str(), raw);
        }
        assert_eq!(BagPath::parse("./data/./a//b").unwrap().as_str(), "data/a/b");
    }

    #[test]
    fn only_three_codes_are_decoded() {
        assert_eq!(decode("a%0Ab%0dc%25d%20e%7E%", true), "a\nb\rc%d%20e%7E%");
        assert_eq!(decode("%250A", true), "%0A");
        assert_eq!(decode("%250A", false), "%250A");
        assert_eq!(decode("%é", true), "%é");
    }

    proptest! {
        #[test]
        fn encoding_is_undone_by_decoding(path in "\\PC*|[%0-9AaDd\\r\\n/]*") {
            prop_assert_eq!(decode(&encode(&path), true), path);
        }

        #[test]
        fn what_is_parsed_stays_below_the_root(raw in "[./~\\\\a-cC: ]{0,12}") {
            if let Ok(path) = BagPath::parse(&raw) {
                prop_assert!(path.below(Path::new("/r")).starts_with("/r"));
                prop_assert!(!path.as_str().split('/').any(|p| p.is_empty() || p == "." || p == ".."));
            }
        }
    }
}
