//! The text of tag files: their encoding, and their lines one at a time (RFC 8493 §2.1.1, §2.2.2).
//!
//! A manifest may have millions of lines, and a hostile one a single endless line, so none is held whole: bytes pass
//! through a buffer, become UTF-8 on the way, and are handed on line by line.

use std::io::{self, Read};

/// No line is longer than this, in octets: more than ten times what a file system takes as a path.
const LONGEST_LINE: usize = 1 << 20;
const BUFFER: usize = 128 << 10;

/// How tag files are encoded, as `bagit.txt` declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Latin1,
    Latin9,
    Windows1252,
    Utf16 { big_endian: Option<bool> },
}

/// Where ISO-8859-15 differs from ISO-8859-1.
const LATIN_9: [(u8, char); 8] =
    [(0xA4, '€'), (0xA6, 'Š'), (0xA8, 'š'), (0xB4, 'Ž'), (0xB8, 'ž'), (0xBC, 'Œ'), (0xBD, 'œ'), (0xBE, 'Ÿ')];

/// 0x80 to 0x9F of windows-1252; five of them stand for nothing and are kept as control characters.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

impl Encoding {
    /// Finds an encoding by its IANA name.
    pub(super) fn by_name(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "UTF-8" | "UTF8" | "US-ASCII" | "ASCII" => Some(Self::Utf8),
            "ISO-8859-1" | "ISO_8859-1" | "ISO8859-1" | "LATIN1" => Some(Self::Latin1),
            "ISO-8859-15" | "ISO_8859-15" | "ISO8859-15" | "LATIN-9" | "LATIN9" => Some(Self::Latin9),
            "WINDOWS-1252" | "CP1252" => Some(Self::Windows1252),
            "UTF-16" => Some(Self::Utf16 { big_endian: None }),
            "UTF-16BE" => Some(Self::Utf16 { big_endian: Some(true) }),
            "UTF-16LE" => Some(Self::Utf16 { big_endian: Some(false) }),
            _ => None,
        }
    }

    fn character(self, byte: u8) -> char {
        match self {
            Self::Latin9 => LATIN_9
                .iter()
                .find(|(code, _)| *code == byte)
                .map_or(byte.into(), |(_, character)| *character),
            Self::Windows1252 if (0x80..0xA0).contains(&byte) => WINDOWS_1252[usize::from(byte - 0x80)],
            _ => byte.into(),
        }
    }
}

/// A tag file's bytes as UTF-8. What is not in its encoding is an error of kind `InvalidData`.
struct Transcoder<R> {
    inner: R,
    encoding: Encoding,
    /// Octets read and not yet decoded.
    raw: Vec<u8>,
    /// UTF-8 not yet handed on, from `at` on.
    ready: String,
    at: usize,
    /// Octets decoded so far.
    offset: u64,
    ended: bool,
}

impl<R: Read> Transcoder<R> {
    fn new(inner: R, encoding: Encoding) -> Self {
        Self { inner, encoding, raw: Vec::new(), ready: String::new(), at: 0, offset: 0, ended: false }
    }

    fn fill(&mut self) -> io::Result<()> {
        let kept = self.raw.len();
        self.raw.resize(kept + BUFFER / 4, 0);
        let n = read_some(&mut self.inner, &mut self.raw[kept..])?;
        self.raw.truncate(kept + n);
        self.ended = n == 0;
        self.ready.clear();
        self.at = 0;
        let used = match self.encoding {
            Encoding::Utf16 { big_endian } => self.decode_utf16(big_endian)?,
            encoding => {
                self.ready.extend(self.raw.iter().map(|byte| encoding.character(*byte)));
                self.raw.len()
            }
        };
        self.raw.drain(..used);
        self.offset += used as u64;
        Ok(())
    }

    /// Decodes the whole pairs that are there; gives how many octets that were.
    fn decode_utf16(&mut self, declared: Option<bool>) -> io::Result<usize> {
        let bad =
            |at: u64| io::Error::new(io::ErrorKind::InvalidData, format!("it is not UTF-16 at byte {at}"));
        let mut start = 0;
        if self.offset == 0 && self.raw.len() >= 2 {
            let mark = match self.raw[..2] {
                [0xFE, 0xFF] => Some(true),
                [0xFF, 0xFE] => Some(false),
                _ => None,
            };
            start = if mark.is_some() { 2 } else { 0 };
            // RFC 2781 §4.3: without a mark, big-endian is to be assumed.
            self.encoding = Encoding::Utf16 { big_endian: Some(mark.or(declared).unwrap_or(true)) };
        }
        let big = matches!(self.encoding, Encoding::Utf16 { big_endian: Some(true) });
        let unit = |at: usize| {
            let pair = [*self.raw.get(at)?, *self.raw.get(at + 1)?];
            Some(if big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) })
        };
        let mut at = start;
        while let Some(first) = unit(at) {
            let is_high = (0xD800..0xDC00).contains(&first);
            if is_high && unit(at + 2).is_none() {
                break;
            }
            let units = [first, if is_high { unit(at + 2).unwrap_or(0) } else { 0 }];
            let decoded = char::decode_utf16(units).next();
            let Some(Ok(character)) = decoded else { return Err(bad(self.offset + at as u64)) };
            self.ready.push(character);
            at += if is_high { 4 } else { 2 };
        }
        if self.ended && at < self.raw.len() {
            return Err(bad(self.offset + at as u64));
        }
        Ok(at)
    }
}

impl<R: Read> Read for Transcoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.ready.len() {
            if self.ended {
                return Ok(0);
            }
            self.fill()?;
        }
        let ready = &self.ready.as_bytes()[self.at..];
        let n = ready.len().min(buffer.len());
        buffer[..n].copy_from_slice(&ready[..n]);
        self.at += n;
        Ok(n)
    }
}

fn read_some(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// What a line turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'l> {
    Text(&'l str),
    /// Its bytes are not in the declared encoding.
    NotText,
    /// It goes on past the longest line that is read.
    TooLong,
}

/// The lines of a tag file: LF, CR and CRLF end a line, and nothing else does.
pub(super) struct Lines<'r> {
    reader: Box<dyn Read + 'r>,
    buffer: Vec<u8>,
    /// The part of the buffer that is still to be handed out.
    start: usize,
    end: usize,
    number: u64,
    /// The last line ended with CR, so that an LF right after it belongs to it.
    after_cr: bool,
    ended: bool,
    checks_mark: bool,
}

impl<'r> Lines<'r> {
    pub(super) fn new(reader: impl Read + 'r, encoding: Encoding) -> Self {
        let utf8 = encoding == Encoding::Utf8;
        let reader: Box<dyn Read + 'r> =
            if utf8 { Box::new(reader) } else { Box::new(Transcoder::new(reader, encoding)) };
        Self {
            reader,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            number: 0,
            after_cr: false,
            ended: false,
            checks_mark: utf8,
        }
    }

    /// The next line and its number from 1.
    pub(super) fn next_line(&mut self) -> io::Result<Option<(u64, Line<'_>)>> {
        let mut searched = 0;
        let (length, terminated) = loop {
            if self.after_cr && self.start < self.end {
                self.start += usize::from(self.buffer[self.start] == b'\n');
                self.after_cr = false;
            }
            let rest = &self.buffer[self.start..self.end];
            if let Some(at) = memchr::memchr2(b'\n', b'\r', &rest[searched..]) {
                break (searched + at, true);
            }
            searched = rest.len();
            if self.ended {
                break (searched, false);
            }
            if searched > LONGEST_LINE {
                self.skip_line()?;
                self.number += 1;
                return Ok(Some((self.number, Line::TooLong)));
            }
            self.fill()?;
        };
        if length == 0 && !terminated {
            return Ok(None);
        }
        let line = self.start..self.start + length;
        self.start = (line.end + 1).min(self.end);
        self.after_cr = terminated && self.buffer[line.end] == b'\r';
        self.number += 1;
        let text = std::str::from_utf8(&self.buffer[line]);
        Ok(Some((self.number, text.map_or(Line::NotText, Line::Text))))
    }

    /// Reads more behind what is there, which is moved to the buffer's start.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let n = read_some(&mut self.reader, &mut self.buffer[self.end..])?;
        self.end += n;
        self.ended = n == 0;
        if self.checks_mark && (self.end >= 3 || self.ended) {
            self.checks_mark = false;
            if self.buffer[..self.end].starts_with(b"\xEF\xBB\xBF") {
                let message = "it starts with a byte-order mark, which UTF-8 tag files must not have";
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
        }
        Ok(())
    }

    /// Throws away the rest of a line, in small memory.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let rest = &self.buffer[self.start..self.end];
            if let Some(at) = memchr::memchr2(b'\n', b'\r', rest) {
                self.after_cr = rest[at] == b'\r';
                self.start += at + 1;
                return Ok(());
            }
            self.start = self.end;
            if self.ended {
                return Ok(());
            }
            self.fill()?;
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Hands out a few octets at a time, so that every boundary falls everywhere.
    pub(in crate::bag) struct Trickle<'b>(pub &'b [u8], pub usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(buffer.len());
            buffer[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn read(bytes: &[u8], encoding: Encoding, step: usize) -> io::Result<Vec<String>> {
        let mut lines = Lines::new(Trickle(bytes, step), encoding);
        let mut found = Vec::new();
        while let Some((number, line)) = lines.next_line()? {
            assert_eq!(number, found.len() as u64 + 1);
            found.push(match line {
                Line::Text(text) => text.to_owned(),
                other => format!("{other:?}"),
            });
        }
        Ok(found)
    }

    #[test]
    fn only_lf_cr_and_crlf_end_a_line() {
        let text = "a\r\nb\rc\nd\u{b}\u{c}\u{85}\u{2028}e\n\nf";
        for step in 1..9 {
            let found = read(text.as_bytes(), Encoding::Utf8, step).unwrap();
            assert_eq!(found, ["a", "b", "c", "d\u{b}\u{c}\u{85}\u{2028}e", "", "f"]);
            assert_eq!(read(b"a\r", Encoding::Utf8, step).unwrap(), ["a"]);
            assert_eq!(read(b"\r\n\n\r\r", Encoding::Utf8, step).unwrap(), ["", "", "", ""]);
        }
        assert!(read(b"", Encoding::Utf8, 1).unwrap().is_empty());
    }

    #[test]
    fn encodings() {
        let name = |name| Encoding::by_name(name).unwrap();
        for step in 1..6 {
            assert_eq!(read(&[0xE9, 10, 0x80], name("latin1"), step).unwrap(), ["é", "\u{80}"]);
            assert_eq!(read(&[0xA4], name("ISO-8859-15"), step).unwrap(), ["€"]);
            assert_eq!(read(&[0x80, 0xE9], name("windows-1252"), step).unwrap(), ["€é"]);
            assert_eq!(read(&[0xFF, 0xFE, 0xE9, 0], name("utf-16"), step).unwrap(), ["é"]);
            assert_eq!(read(&[0xFE, 0xFF, 0, 0xE9], name("UTF-16"), step).unwrap(), ["é"]);
            assert_eq!(
                read(&[0, 0xE9, 0, 10, 0xD8, 0x3D, 0xDE, 0], name("UTF-16BE"), step).unwrap(),
                ["é", "😀"]
            );
            assert!(read(&[0xFF, 0xFE, 1], name("UTF-16"), step).unwrap_err().to_string().contains("byte 2"));
            assert!(read(&[0xD8, 0], name("UTF-16BE"), step).is_err());
            assert_eq!(read(b"a\n\xFF\nb", Encoding::Utf8, step).unwrap(), ["a", "NotText", "b"]);
            assert!(read(b"\xEF\xBB\xBFa", Encoding::Utf8, step).unwrap_err().to_string().contains("mark"));
            assert_eq!(read(b"\xEF\xBB", Encoding::Utf8, step).unwrap(), ["NotText"]);
        }
        assert!(Encoding::by_name("rot13").is_none());
    }

    #[test]
    fn an_endless_line_is_passed_over() {
        let mut text = vec![b'x'; 3 * LONGEST_LINE];
        text.extend_from_slice(b"\r\nb\n");
        assert_eq!(read(&text, Encoding::Utf8, 77_777).unwrap(), ["TooLong", "b"]);
        assert_eq!(read(&text[..2 * LONGEST_LINE], Encoding::Utf8, 77_777).unwrap(), ["TooLong"]);
    }

    proptest! {
        #[test]
        fn never_panics_and_steps_do_not_matter(bytes in proptest::collection::vec(any::<u8>(), 0..60), step in 1usize..9) {
            for encoding in ["UTF-8", "UTF-16", "UTF-16LE", "latin1"] {
                let encoding = Encoding::by_name(encoding).unwrap();
                let (whole, parts) = (read(&bytes, encoding, 1000), read(&bytes, encoding, step));
                prop_assert_eq!(whole.is_ok(), parts.is_ok());
                prop_assert_eq!(whole.ok(), parts.ok());
            }
        }
    }
}
