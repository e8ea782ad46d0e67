//! `fetch.txt`: files that are elsewhere, one URL, length and path a line (RFC 8493 §2.2.3).

use std::io::Read;

use super::manifest::{ENOUGH, Note, Reading, note_at, text_of, too_many, unreadable};
use super::names::FileId;
use super::text::Lines;
use super::urls::{FetchUrl, Urls};
use super::{Code, Finding, PathRef};

/// The lines of a `fetch.txt`, in order. Several for one file are kept: mirrors.
#[derive(Default)]
pub(super) struct FetchList {
    urls: Urls,
    /// By line.
    files: Vec<FileId>,
    /// By file, the length that its lines say.
    lengths: Vec<u64>,
}

/// The length of a file whose line says none, and of one that has no line.
const UNSAID: u64 = u64::MAX;
const NOT_REMOTE: u64 = u64::MAX - 1;

/// What `fetch.txt` says of a file's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RemoteLength {
    /// The line has `-`.
    Unsaid,
    Octets(u64),
}

impl RemoteLength {
    pub(super) fn octets(self) -> Option<u64> {
        match self {
            Self::Unsaid => None,
            Self::Octets(octets) => Some(octets),
        }
    }
}

impl FetchList {
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// The file, its URL and its length in octets, if said, of each line.
    pub(super) fn iter(&self) -> impl Iterator<Item = (FileId, FetchUrl<'_>, Option<u64>)> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// The same of one line.
    pub(super) fn get(&self, index: usize) -> Option<(FileId, FetchUrl<'_>, Option<u64>)> {
        let file = *self.files.get(index)?;
        Some((file, self.urls.get(index), self.length_of(file).and_then(RemoteLength::octets)))
    }

    /// The files of the lines.
    pub(super) fn files(&self) -> impl Iterator<Item = FileId> {
        self.files.iter().copied()
    }

    /// What is said of a file's length, if it has a line.
    pub(super) fn length_of(&self, file: FileId) -> Option<RemoteLength> {
        match self.lengths.get(file.index()).copied().unwrap_or(NOT_REMOTE) {
            NOT_REMOTE => None,
            UNSAID => Some(RemoteLength::Unsaid),
            octets => Some(RemoteLength::Octets(octets)),
        }
    }

    /// Keeps a file's length; what another line said of it that differs.
    fn set_length(&mut self, file: FileId, length: u64) -> Option<u64> {
        if self.lengths.len() <= file.index() {
            self.lengths.resize(file.index() + 1, NOT_REMOTE);
        }
        let known = &mut self.lengths[file.index()];
        if *known >= NOT_REMOTE {
            *known = length;
        }
        Some(*known).filter(|known| length < NOT_REMOTE && *known != length)
    }

    /// Parses the file; whatever is wrong is added to `findings`.
    pub(super) fn parse(reader: impl Read, reading: &mut Reading<'_>, findings: &mut Vec<Finding>) -> Self {
        let mut list = Self::default();
        let mut lines = Lines::new(reader, reading.encoding);
        let (mut scratch, before) = (String::new(), findings.len());
        loop {
            let (number, line) = match lines.next_line() {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(error) => {
                    findings.push(unreadable("fetch.txt", &error));
                    break;
                }
            };
            let added =
                text_of(&line, Code::BadFetchLine).and_then(|text| list.add(text, reading, &mut scratch));
            if let Err(note) = added {
                findings.push(note_at("fetch.txt", number, note));
                if findings.len() - before >= ENOUGH {
                    findings.push(note_at("fetch.txt", number, (Code::BadFetchLine, too_many())));
                    break;
                }
            }
        }
        list
    }

    fn add(&mut self, line: &str, reading: &mut Reading<'_>, scratch: &mut String) -> Result<(), Note> {
        let bad = |message: &str| (Code::BadFetchLine, message.to_owned());
        let blank = [' ', '\t'];
        let (url, rest) =
            line.split_once(blank).ok_or_else(|| bad("the line is not a URL, a length and a path"))?;
        let (length, rest) = rest
            .trim_start_matches(blank)
            .split_once(blank)
            .ok_or_else(|| bad("the line is not a URL, a length and a path"))?;
        let length = match length {
            "-" => UNSAID,
            digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
                let length = digits.parse().ok().filter(|length| *length < NOT_REMOTE);
                length.ok_or_else(|| bad("the length is too large"))?
            }
            _ => {
                return Err((Code::BadFetchLine, format!("the length {length:?} is neither a number nor -")));
            }
        };
        if !url.split_once(':').is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty()) {
            return Err((Code::BadFetchLine, format!("{url:?} is not an absolute URL")));
        }
        let (decoded, _) = reading.decode(rest.trim_start_matches(blank));
        let path = PathRef::parse(&decoded, scratch).map_err(|e| (Code::UnsafePath, e.to_string()))?;
        if !path.is_payload() {
            let message = format!("{path} is not below data/, where fetched files go");
            return Err((Code::UnsafePath, message));
        }
        let last = self.files.last().copied();
        let file = reading.names.insert_after(last, path).map_err(|e| bad(&e.to_string()))?;
        if !self.urls.push(url) {
            return Err(bad("there are more than 4 GiB of URLs"));
        }
        self.files.push(file);
        self.set_length(file, length).map_or(Ok(()), |other| {
            let message =
                format!("{} has {length} bytes here, and {other} in another line", reading.names.get(file));
            Err((Code::FetchLengthsDiffer, message))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bag::BagPath;
    use crate::bag::names::Names;
    use crate::bag::text::Encoding;
    use crate::bag::writer::{Home, Listing as Written};
    use proptest::prelude::*;

    type Read = (String, Option<u64>, String);

    fn read(text: &str) -> (Vec<Read>, Vec<&'static str>) {
        let mut findings = Vec::new();
        let mut names = Names::default();
        let mut reading = Reading { v1: true, encoding: Encoding::Utf8, names: &mut names, present: 0 };
        let list = FetchList::parse(text.as_bytes(), &mut reading, &mut findings);
        let entries = list
            .iter()
            .map(|(file, url, length)| (url.to_string(), length, names.get(file).as_str().to_owned()))
            .collect();
        (entries, findings.iter().map(|f| f.code.as_str()).collect())
    }

    #[test]
    fn lines_good_and_bad() {
        let (entries, findings) = read("http://h/a%20b 4 data/a b%0Ac%25.bin\nhttps://h/x\t-\tdata/x");
        assert!(findings.is_empty());
        assert_eq!(entries[0], ("http://h/a%20b".into(), Some(4), "data/a b\nc%.bin".into()));
        assert_eq!(entries[1], ("https://h/x".into(), None, "data/x".into()));
        for (line, code) in [
            ("", "E107"),
            ("http://h/x", "E107"),
            ("http://h/x 4", "E107"),
            ("http://h/x -4 data/x", "E107"),
            ("http://h/x 99999999999999999999999 data/x", "E107"),
            ("/a 4 data/a.txt", "E107"),
            ("http://h/x 4 data/x\nhttp://h/y - data/x\nhttp://h/z 5 data/x", "E112"),
            ("http://h/x 4 ../x", "E104"),
            ("http://h/x 4 /tmp/x", "E104"),
            ("http://h/x 4 manifest-md5.txt", "E104"),
        ] {
            assert_eq!(read(&format!("{line}\n")).1, [code], "{line:?}");
        }
        // Percent codes other than the three stay literal, so that no later step can decode them into `..`.
        assert_eq!(read("http://h/x 4 data/%2e%2e/x").0[0].2, "data/%2e%2e/x");
    }

    proptest! {
        #[test]
        fn written_lines_are_read_back(name in "[^/\0]{1,20}", length in 0..u64::MAX - 1) {
            prop_assume!(name != "." && name != ".." && BagPath::parse(&format!("data/{name}")).is_ok());
            let path = BagPath::parse(&format!("data/x/{name}")).unwrap();
            let (mut listing, mut line) = (Written::new(&[]), Vec::new());
            listing.add(path.as_str(), length, &[], Some(Home::At("https://h/a b"))).unwrap();
            prop_assert!(listing.fetch_line(0, &mut line));
            let read = read(&String::from_utf8(line).unwrap()).0;
            prop_assert_eq!(read, vec![("https://h/a%20b".into(), Some(length), path.as_str().to_owned())]);
        }
    }
}
