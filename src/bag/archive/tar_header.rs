//! The 512-octet header of a tar entry (POSIX `pax`, "ustar Interchange Format") and the records of pax headers.

use super::source::{ArchiveError, Kind, shown};
use ArchiveError::{Broken, Refused};

/// Headers and content take whole blocks.
pub(super) const BLOCK: usize = 512;

/// Whether a header is an entry's own or says something of what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Entry,
    /// GNU: the next entry's name.
    LongName,
    /// GNU: the next entry's link target.
    LongLink,
    /// Pax: anything of the next entry.
    Records,
    /// Pax: anything of all entries that follow.
    GlobalRecords,
}

/// One header whose checksum is right.
#[derive(Debug)]
pub(super) struct Header<'b> {
    block: &'b [u8; BLOCK],
    pub(super) meaning: Meaning,
    pub(super) size: u64,
}

impl<'b> Header<'b> {
    /// Parses the header found at `position`.
    pub(super) fn parse(block: &'b [u8; BLOCK], position: u64) -> Result<Self, ArchiveError> {
        let header = Self { block, meaning: Meaning::Entry, size: 0 };
        if !header.checksum_is_right() {
            return Err(Broken(format!("there is no tar header at {position}, or a damaged one")));
        }
        let of_kind = |what: &str| Err(Refused(format!("{} is {what} not read", header.shown_name())));
        let meaning = match header.type_flag() {
            b'L' => Meaning::LongName,
            b'K' => Meaning::LongLink,
            b'x' => Meaning::Records,
            b'g' => Meaning::GlobalRecords,
            b'S' => return of_kind("sparse; sparse files are"),
            b'M' | b'V' | b'N' | b'D' => {
                return of_kind("of a multi-volume or incremental archive, which is");
            }
            // Solaris' own pax headers, honoured by some readers only.
            b'X' => return of_kind("an extended header of Solaris, which is"),
            _ => Meaning::Entry,
        };
        let size = number(header.field(124, 12))
            .ok_or_else(|| Broken(format!("{} has an impossible length", header.shown_name())))?;
        Ok(Self { meaning, size, ..header })
    }

    fn field(&self, at: usize, length: usize) -> &'b [u8] {
        self.block.get(at..at + length).unwrap_or_default()
    }

    /// Some old writers summed signed characters, so either sum is taken.
    fn checksum_is_right(&self) -> bool {
        let Some(stated) = number(self.field(148, 8)) else { return false };
        let (mut unsigned, mut signed) = (8 * u64::from(b' '), 8 * i64::from(b' '));
        for &octet in self.field(0, 148).iter().chain(self.field(156, 356)) {
            unsigned += u64::from(octet);
            signed += i64::from(octet.cast_signed());
        }
        stated == unsigned || i64::try_from(stated) == Ok(signed)
    }

    fn type_flag(&self) -> u8 {
        self.field(156, 1).first().copied().unwrap_or_default()
    }

    /// Appends the name that the header itself holds. Only ustar has a prefix: GNU keeps other things there.
    pub(super) fn put_name(&self, name: &mut Vec<u8>) {
        let prefix = until_nul(self.field(345, 155));
        if self.field(257, 6) == b"ustar\0" && !prefix.is_empty() {
            name.extend(prefix);
            name.push(b'/');
        }
        name.extend(until_nul(self.field(0, 100)));
    }

    fn shown_name(&self) -> String {
        let mut name = Vec::new();
        self.put_name(&mut name);
        shown(&name)
    }

    /// What the entry called `name` is. Before ustar a folder was a file whose name ends in a slash.
    pub(super) fn kind(&self, name: &[u8]) -> Kind {
        match self.type_flag() {
            b'0' | 0 | b'7' if name.ends_with(b"/") => Kind::Folder,
            b'0' | 0 | b'7' => Kind::File,
            b'5' => Kind::Folder,
            b'1' | b'2' => Kind::Link,
            _ => Kind::Other,
        }
    }

    /// Devices and pipes: as with folders and links, some readers pass over content they claim, and some don't.
    pub(super) fn has_no_content(&self) -> bool {
        matches!(self.type_flag(), b'1'..=b'6')
    }
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|&octet| octet == 0).next().unwrap_or_default()
}

/// A number in octal digits, between spaces and NULs, or in GNU's base 256; an empty field is 0. What is negative,
/// or needs more than 64 bits, starts with an octet that is neither a digit nor GNU's mark.
fn number(field: &[u8]) -> Option<u64> {
    match field.split_first()? {
        (0x80, digits) => {
            let (high, low) = digits.split_at_checked(digits.len().checked_sub(8)?)?;
            let low = low.first_chunk().map(|low| u64::from_be_bytes(*low))?;
            high.iter().all(|&octet| octet == 0).then_some(low)
        }
        _ => {
            let start = field.iter().position(|&octet| octet != b' ').unwrap_or(field.len());
            let (_, field) = field.split_at_checked(start)?;
            let end = field.iter().position(|octet| !octet.is_ascii_digit()).unwrap_or(field.len());
            let (digits, rest) = field.split_at_checked(end)?;
            let ends_well = rest.iter().all(|&octet| octet == 0 || octet == b' ');
            digits.iter().try_fold(0, |value, &digit| push_digit(value, digit, 8)).filter(|_| ends_well)
        }
    }
}

fn push_digit(value: u64, digit: u8, base: u64) -> Option<u64> {
    let digit = u64::from(digit.checked_sub(b'0')?);
    if digit >= base {
        return None;
    }
    value.checked_mul(base)?.checked_add(digit)
}

/// What a pax header says of an entry, as far as it matters here.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) link: Option<Vec<u8>>,
}

impl Records {
    /// Parses records of the form `length key=value\n`, where the length counts itself.
    pub(super) fn parse(mut text: &[u8], position: u64) -> Result<Self, ArchiveError> {
        let broken = || Broken(format!("a record of the pax header at {position} is damaged"));
        let mut records = Self::default();
        while !text.is_empty() {
            let (key, value, rest) = split_record(text).ok_or_else(broken)?;
            text = rest;
            let first = match key {
                b"path" => records.path.replace(value.to_vec()).is_none(),
                b"linkpath" => records.link.replace(value.to_vec()).is_none(),
                b"size" => records.size.replace(decimal(value).ok_or_else(broken)?).is_none(),
                _ if key.starts_with(b"GNU.sparse.") || key == b"SUN.holesdata" => {
                    return Err(Refused(format!("sparse files are not read: the pax header at {position}")));
                }
                _ => true,
            };
            if !first {
                return Err(Refused(format!("the pax header at {position} has {} twice", shown(key))));
            }
        }
        Ok(records)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.path.is_none() && self.size.is_none() && self.link.is_none()
    }
}

/// The key and the value of the first record, and the records after it.
fn split_record(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    // The length of the longest header has seven digits.
    let space = text.iter().take(8).position(|&octet| octet == b' ')?;
    let length = usize::try_from(decimal(text.get(..space)?)?).ok()?;
    let (record, rest) = text.split_at_checked(length)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|&octet| octet == b'=')?;
    let (key, value) = record.split_at_checked(equals)?;
    Some((key, value.get(1..)?, rest)).filter(|_| !key.is_empty())
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0, |value, &digit| push_digit(value, digit, 10))
}

/// Whether an archive's first octets are a tar header.
#[must_use]
pub fn looks_like_tar(first: &[u8]) -> bool {
    let header = first.first_chunk().map(|block| Header { block, meaning: Meaning::Entry, size: 0 });
    header.is_some_and(|header| header.checksum_is_right())
}
