//! The URLs of a `fetch.txt`. There may be millions, most of them with a beginning in common and many named by a digest, so
//! what a URL shares with the first of its block is kept once, and long runs of hexadecimal digits take half their room.

use std::fmt;

/// A block's first URL is kept whole.
const BLOCK: usize = 64;
/// Before a packed run: no octet of UTF-8. Then come the number of octets and the octets, two digits each.
const PACKED: u8 = 0xff;
/// Digits that are worth packing, and the most that one run takes.
const DIGITS: std::ops::RangeInclusive<usize> = 16..=2 * u8::MAX as usize;

/// URLs by number.
#[derive(Default)]
pub(super) struct Urls {
    /// What each does not share, end to end; of the first of a block the text itself, of others packed.
    text: Vec<u8>,
    ends: Vec<u32>,
    /// Octets that each shares with the first of its block.
    shared: Vec<u8>,
}

/// A URL of `fetch.txt`, as written there: in two pieces, for the sake of memory.
#[derive(Clone, Copy)]
pub struct FetchUrl<'b> {
    start: &'b str,
    rest: &'b [u8],
}

impl Urls {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Adds one; false where there are 4 GiB of them already.
    pub(super) fn push(&mut self, url: &str) -> bool {
        // Packing never makes it longer.
        if u32::try_from(self.text.len() + url.len()).is_err() {
            return false;
        }
        let shared = match self.len() % BLOCK {
            0 => {
                self.text.extend_from_slice(url.as_bytes());
                0
            }
            _ => {
                let shared = common(self.first(self.len()), url);
                pack(&url.as_bytes()[usize::from(shared)..], &mut self.text);
                shared
            }
        };
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
        self.shared.push(shared);
        true
    }

    /// The URL of a number below `len`.
    pub(super) fn get(&self, index: usize) -> FetchUrl<'_> {
        FetchUrl { start: &self.first(index)[..usize::from(self.shared[index])], rest: self.rest(index) }
    }

    /// The first URL of the block of a number.
    fn first(&self, index: usize) -> &str {
        // It was a text when it was pushed.
        str::from_utf8(self.rest(index / BLOCK * BLOCK)).unwrap_or_default()
    }

    fn rest(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[index] as usize]
    }
}

/// Adds a text to `out`, its long runs of digits packed.
fn pack(mut text: &[u8], out: &mut Vec<u8>) {
    let is_digit = |octet: &u8| matches!(octet, b'0'..=b'9' | b'a'..=b'f');
    let value = |digit: u8| if digit <= b'9' { digit - b'0' } else { digit - b'a' + 10 };
    while let Some(first) = text.first() {
        let digits = text.iter().take(*DIGITS.end()).take_while(|octet| is_digit(octet)).count() / 2 * 2;
        if digits >= *DIGITS.start() {
            out.extend([PACKED, u8::try_from(digits / 2).unwrap_or(u8::MAX)]);
            out.extend(text[..digits].chunks_exact(2).map(|pair| value(pair[0]) << 4 | value(pair[1])));
            text = &text[digits..];
        } else {
            out.push(*first);
            text = &text[1..];
        }
    }
}

/// Writes what [`pack`] made of a text.
fn unpack(mut packed: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    while !packed.is_empty() {
        let plain = memchr::memchr(PACKED, packed).unwrap_or(packed.len());
        f.write_str(str::from_utf8(&packed[..plain]).map_err(|_| fmt::Error)?)?;
        let Some((octets, rest)) = packed.get(plain + 1).map(|octets| (usize::from(*octets), plain + 2))
        else {
            return Ok(());
        };
        packed[rest..rest + octets].chunks(32).try_for_each(|octets| write_digits(octets, f))?;
        packed = &packed[rest + octets..];
    }
    Ok(())
}

/// Writes two digits for each of at most 32 octets, all at once: one at a time would take a million URLs a second more.
fn write_digits(octets: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut digits = [0; 64];
    for (pair, octet) in digits.chunks_exact_mut(2).zip(octets) {
        let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
        pair.copy_from_slice(&[digit(octet >> 4), digit(octet & 15)]);
    }
    f.write_str(str::from_utf8(&digits[..octets.len() * 2]).map_err(|_| fmt::Error)?)
}

/// How many octets two texts begin with alike, in whole characters, at most 255.
fn common(one: &str, other: &str) -> u8 {
    let alike = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let whole =
        (0..=alike.min(255)).rev().find(|at| one.is_char_boundary(*at) && other.is_char_boundary(*at));
    whole.and_then(|at| u8::try_from(at).ok()).unwrap_or(0)
}

impl fmt::Display for FetchUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.start)?;
        unpack(self.rest, f)
    }
}

impl fmt::Debug for FetchUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_pushed_is_there(urls in proptest::collection::vec("(http://h/(aé|aè|b){0,3}.{0,3}|x{250,260}.?|h://é?[0-9a-f]{0,40}(é|A|/)?[0-9a-f]{10,600})", 0..200)) {
            let mut kept = Urls::default();
            for url in &urls {
                prop_assert!(kept.push(url));
            }
            prop_assert_eq!(kept.len(), urls.len());
            for (index, url) in urls.iter().enumerate() {
                prop_assert_eq!(&kept.get(index).to_string(), url);
            }
        }
    }
}
