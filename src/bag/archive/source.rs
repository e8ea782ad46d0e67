//! What the archive readers share: bytes read at an offset, the errors, the limits, and how names are shown.
//!
//! Archives come from anywhere, so a reader here takes no number in a file at its word: nothing is allocated by a
//! claimed size, and whatever two programs could read in two ways is refused rather than guessed at.

use std::fs::File;
use std::io;

/// Bytes that can be read at any offset by many threads at once.
pub trait ReadAt: Send + Sync {
    /// Reads some octets at `offset`; zero of them only at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// How many octets there are.
    fn length(&self) -> u64;
}

/// A file read by offset; its length is the one it had when it was wrapped.
#[derive(Debug)]
pub struct FileAt {
    file: File,
    length: u64,
}

impl FileAt {
    /// Wraps an open file.
    pub fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }
}

impl ReadAt for FileAt {
    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.file, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.file, buffer, offset)
    }

    fn length(&self) -> u64 {
        self.length
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        io::Read::read(&mut &*rest, buffer)
    }

    fn length(&self) -> u64 {
        self.len() as u64
    }
}

/// Fills as much of `buffer` as the source has from `offset` on; less than all of it only at the end.
pub fn read_full_at(source: &dyn ReadAt, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read_at(rest, offset.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Why an archive can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Damaged, or of a kind that is not read.
    #[error("{0}")]
    Broken(String),
    /// Hostile, or such that two programs could read it in two ways.
    #[error("{0}")]
    Refused(String),
    /// The archive itself could not be read.
    #[error(transparent)]
    Io(io::Error),
}

/// Decoders report damage as `InvalidData` and a cut as `UnexpectedEof`: both say that the archive is broken, not
/// that reading it failed.
impl From<io::Error> for ArchiveError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::Broken(error.to_string()),
            _ => Self::Io(error),
        }
    }
}

/// How much an archive may unpack to.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many entries it may have.
    pub entries: u64,
    /// How many octets it may unpack to.
    pub bytes: u64,
    /// How many times its own size it may unpack to, looked at only past [`Limits::HARMLESS`].
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 20_000_000, bytes: 64 << 40, ratio: 500 }
    }
}

impl Limits {
    /// Below so many unpacked octets a bomb does no harm, while small archives of zeros are common.
    pub const HARMLESS: u64 = 64 << 20;

    /// Refuses more entries or octets than are allowed, naming the entry that goes too far.
    pub(crate) fn check_sums(&self, entries: u64, bytes: u64, name: &[u8]) -> Result<(), ArchiveError> {
        let (limit, what) = if entries > self.entries {
            (self.entries, "entries")
        } else if bytes > self.bytes {
            (self.bytes, "octets when unpacked")
        } else {
            return Ok(());
        };
        Err(ArchiveError::Refused(format!(
            "the archive has more than {limit} {what}, from {} on",
            shown(name)
        )))
    }

    /// Refuses `bytes` unpacked out of `packed` when that is the ratio of a bomb.
    pub(crate) fn check_ratio(&self, bytes: u64, packed: u64, name: &[u8]) -> Result<(), ArchiveError> {
        if bytes <= Self::HARMLESS || bytes <= packed.saturating_mul(self.ratio) {
            return Ok(());
        }
        let ratio = self.ratio;
        Err(ArchiveError::Refused(format!(
            "the archive unpacks to more than {ratio} times its size at {}",
            shown(name)
        )))
    }
}

/// What an entry of an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A file with content.
    File,
    /// A folder.
    Folder,
    /// A symbolic or hard link.
    Link,
    /// A device, a pipe, or something unknown.
    Other,
}

/// A name for people: quoted, shortened, and with nothing in it that could move a terminal's cursor or turn the
/// direction of its text.
#[must_use]
pub fn shown(name: &[u8]) -> String {
    const LONGEST: usize = 200;
    let head = name.get(..LONGEST).unwrap_or(name);
    let mut text = String::from("\"");
    for character in String::from_utf8_lossy(head).chars() {
        let turns =
            matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if character.is_control() || turns || matches!(character, '"' | '\\') {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text.push_str(if head.len() < name.len() { "…\"" } else { "\"" });
    text
}

/// The little-endian 16-bit number at `at`, 0 past the end: callers have looked at the length before.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    array_at(bytes, at).map_or(0, u16::from_le_bytes)
}

/// The little-endian 32-bit number at `at`, 0 past the end.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    array_at(bytes, at).map_or(0, u32::from_le_bytes)
}

/// The little-endian 64-bit number at `at`, 0 past the end.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    array_at(bytes, at).map_or(0, u64::from_le_bytes)
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
