//! Manifests: one checksum and one path a line (RFC 8493 §2.1.3, §2.2.1).

use std::borrow::Cow;
use std::io::{self, Read};

use super::names::{FileId, Names};
use super::text::{Encoding, Line, Lines};
use super::{Algorithm, Code, Digest, Finding, PathRef, path};

/// Findings in one tag file after which it is not worth reading on: a small archive may hold a huge one.
pub(super) const ENOUGH: usize = 100_000;

/// What a manifest may list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lists {
    Payload,
    Tags,
}

/// The digests of one payload manifest, by file. Of the algorithm's length and no longer, since there may be millions.
pub(super) struct Column {
    pub(super) algorithm: Algorithm,
    digests: Vec<u8>,
    /// One bit a file: whether it has a digest here.
    listed: Vec<u64>,
}

impl Column {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, digests: Vec::new(), listed: Vec::new() }
    }

    /// The manifest's file name, as BagIt writes it.
    pub(super) fn manifest(&self) -> String {
        format!("manifest-{}.txt", self.algorithm)
    }

    pub(super) fn lists(&self, id: FileId) -> bool {
        self.listed.get(id.index() / 64).is_some_and(|bits| bits >> (id.index() % 64) & 1 == 1)
    }

    pub(super) fn get(&self, id: FileId) -> Option<Digest> {
        let width = self.algorithm.length();
        let at = id.index() * width;
        self.lists(id).then(|| Digest::from_bytes(self.algorithm, &self.digests[at..at + width]))
    }

    /// Sets a file's digest, unless it has one: then gives that one.
    pub(super) fn set(&mut self, id: FileId, digest: &Digest) -> Option<Digest> {
        let first = self.get(id);
        if first.is_none() {
            let (width, index) = (self.algorithm.length(), id.index());
            if self.listed.len() <= index / 64 {
                self.listed.resize(index / 64 + 1, 0);
            }
            if self.digests.len() < (index + 1) * width {
                self.digests.resize((index + 1) * width, 0);
            }
            self.listed[index / 64] |= 1 << (index % 64);
            self.digests[index * width..][..width].copy_from_slice(digest.as_bytes());
        }
        first
    }

    /// One word of 64 files' bits.
    fn word(&self, index: usize) -> u64 {
        self.listed.get(index).copied().unwrap_or(0)
    }

    /// The files that `other` lists and this one does not.
    pub(super) fn lacking<'c>(&'c self, other: &'c Self) -> impl Iterator<Item = FileId> + 'c {
        files_of(other.listed.len(), |index| other.word(index) & !self.word(index))
    }
}

/// The files that any of the columns lists.
pub(super) fn listed_in_any(columns: &[Column]) -> impl Iterator<Item = FileId> + '_ {
    let words = columns.iter().map(|column| column.listed.len()).max().unwrap_or(0);
    files_of(words, |index| columns.iter().fold(0, |bits, column| bits | column.word(index)))
}

fn files_of<'c>(words: usize, word: impl Fn(usize) -> u64 + 'c) -> impl Iterator<Item = FileId> + 'c {
    (0..words).flat_map(move |index| {
        let bits = word(index);
        (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| FileId::from_index(index * 64 + bit))
    })
}

/// How to read: the rules of the version, and the bag's names, of which the first `present` are there.
pub(super) struct Reading<'n> {
    pub(super) v1: bool,
    pub(super) encoding: Encoding,
    pub(super) names: &'n mut Names,
    pub(super) present: usize,
}

impl Reading<'_> {
    fn is_there(&self, name: &str) -> bool {
        self.names.find(name).is_some_and(|id| id.index() < self.present)
    }

    /// Decodes a path by the version's percent rule; if nothing has that name but something has the name
    /// that another reading gives (tools disagree, and most never encode `%`), takes that one and says so.
    pub(super) fn decode<'r>(&self, raw: &'r str) -> (Cow<'r, str>, bool) {
        if memchr::memchr(b'%', raw.as_bytes()).is_none() {
            return (Cow::Borrowed(raw), false);
        }
        let first = path::decode(raw, self.v1);
        if !self.is_there(&first) {
            for other in [path::decode(raw, !self.v1), raw.to_owned()] {
                if other != first && self.is_there(&other) {
                    return (Cow::Owned(other), true);
                }
            }
        }
        (Cow::Owned(first), false)
    }
}

/// A manifest being read.
pub(super) struct ManifestFile<'m> {
    /// Its file name.
    pub(super) name: &'m str,
    pub(super) algorithm: Algorithm,
    pub(super) lists: Lists,
}

impl ManifestFile<'_> {
    /// Reads line by line, and hands each entry to `record`, which gives the digest that the file had already.
    /// Whatever is wrong is added to `findings`.
    pub(super) fn parse(
        &self,
        reader: impl Read,
        reading: &mut Reading<'_>,
        record: &mut dyn FnMut(FileId, &Digest) -> Option<Digest>,
        findings: &mut Vec<Finding>,
    ) {
        let mut lines = Lines::new(reader, reading.encoding);
        let (mut scratch, mut last, mut notes) = (String::new(), None, Vec::new());
        let before = findings.len();
        loop {
            let (number, line) = match lines.next_line() {
                Ok(Some(line)) => line,
                Ok(None) => return,
                Err(error) => return findings.push(unreadable(self.name, &error)),
            };
            let entry = text_of(&line, Code::BadManifestLine)
                .and_then(|text| self.entry(text, last, reading, &mut scratch, &mut notes));
            match entry {
                Err(note) => notes.push(note),
                Ok((id, digest)) => {
                    last = Some(id);
                    if let Some(first) = record(id, &digest) {
                        let same = first == digest && !reading.v1;
                        let code = if same { Code::RepeatedEntry } else { Code::DuplicateEntry };
                        notes.push((code, format!("{} is listed twice", reading.names.get(id))));
                    }
                }
            }
            findings.extend(notes.drain(..).map(|note| note_at(self.name, number, note)));
            if findings.len() - before >= ENOUGH {
                return findings.push(note_at(self.name, number, (Code::BadManifestLine, too_many())));
            }
        }
    }

    /// The file and digest of one line; what is merely odd about it is added to `notes`.
    fn entry(
        &self,
        line: &str,
        last: Option<FileId>,
        reading: &mut Reading<'_>,
        scratch: &mut String,
        notes: &mut Vec<Note>,
    ) -> Result<(FileId, Digest), Note> {
        let (hex, raw, tool_form) = split(line)?;
        let digest =
            Digest::parse(self.algorithm, hex).map_err(|e| (Code::BadManifestLine, e.to_string()))?;
        let (decoded, fell_back) = reading.decode(&raw);
        let path = PathRef::parse(&decoded, scratch).map_err(|e| (Code::UnsafePath, e.to_string()))?;
        match self.lists {
            Lists::Payload if !path.is_payload() => {
                let message = format!("{path} is not below data/, where a payload manifest's files lie");
                return Err((Code::UnsafePath, message));
            }
            Lists::Tags if path.is_payload() || path.as_str().starts_with("tagmanifest-") => {
                return Err((Code::BadManifestLine, format!("a tag manifest must not list {path}")));
            }
            _ => {}
        }
        if tool_form {
            notes.push((Code::ChecksumToolForm, format!("{path} is written as checksum tools do")));
        }
        if fell_back {
            let message = format!("{path} was found only by another reading of its % codes");
            notes.push((Code::PercentFallback, message));
        }
        let id = reading.names.insert_after(last, path);
        Ok((id.map_err(|e| (Code::BadManifestLine, e.to_string()))?, digest))
    }
}

/// The checksum and the path of a line, and whether it is in the form of md5sum and its kin.
fn split(line: &str) -> Result<(&str, Cow<'_, str>, bool), Note> {
    let bad = |message: &str| (Code::BadManifestLine, message.to_owned());
    // They mark a line whose path has `\` and LF escaped by a `\` of its own.
    let (escaped, line) = line.strip_prefix('\\').map_or((false, line), |rest| (true, rest));
    let blank = memchr::memchr2(b' ', b'\t', line.as_bytes());
    let (hex, rest) = line.split_at(blank.ok_or_else(|| bad("the line is not a digest, space and a path"))?);
    let raw = rest.trim_start_matches([' ', '\t']);
    if raw.is_empty() {
        return Err(bad("the line names no file"));
    }
    let plain = raw.strip_prefix('*').unwrap_or(raw);
    let tool_form = escaped || plain.len() != raw.len() || plain.starts_with("./");
    Ok((hex, if escaped { Cow::Owned(unescape(plain)) } else { Cow::Borrowed(plain) }, tool_form))
}

/// A kind of finding and its sentence.
pub(super) type Note = (Code, String);

pub(super) fn note_at(name: &str, line: u64, (code, message): Note) -> Finding {
    Finding::new(code, format_args!("{name}:{line}"), message)
}

pub(super) fn unreadable(name: &str, error: &io::Error) -> Finding {
    Finding::new(Code::TagFileUnreadable, name, error.to_string())
}

pub(super) fn too_many() -> String {
    format!("there are {ENOUGH} findings in this file; the rest of it was not read")
}

/// The text of a line, or what is wrong with it.
pub(super) fn text_of<'l>(line: &Line<'l>, bad: Code) -> Result<&'l str, Note> {
    match line {
        Line::Text(text) => Ok(text),
        Line::NotText => Err((Code::TagFileUnreadable, "the line is not UTF-8".into())),
        Line::TooLong => Err((bad, "the line is longer than any path".into())),
    }
}

/// Undoes md5sum's escapes: `\\`, `\n` and `\r`.
fn unescape(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path.chars();
    while let Some(c) = rest.next() {
        match (c, rest.clone().next()) {
            ('\\', Some(code @ ('\\' | 'n' | 'r'))) => {
                rest.next();
                out.push(match code {
                    'n' => '\n',
                    'r' => '\r',
                    other => other,
                });
            }
            _ => out.push(c),
        }
    }
    out
}

/// The algorithm's name in `manifest-<alg>.txt` or `tagmanifest-<alg>.txt`, and which of the two it is.
pub(super) fn manifest_name(file: &str) -> Option<(Lists, &str)> {
    let stem = file.strip_suffix(".txt")?;
    if stem.contains('/') {
        return None;
    }
    if let Some(algorithm) = stem.strip_prefix("manifest-") {
        return Some((Lists::Payload, algorithm));
    }
    stem.strip_prefix("tagmanifest-").map(|algorithm| (Lists::Tags, algorithm))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bag::BagPath;
    use proptest::prelude::*;

    const ABC: &str = "900150983cd24fb0d6963f7d28e17f72";

    fn read_as(lists: Lists, text: &str, v1: bool, files: &[&str]) -> (Vec<String>, Vec<&'static str>) {
        let mut findings = Vec::new();
        let mut names = Names::default();
        for file in files {
            names.insert(BagPath::parse(file).unwrap().borrowed()).unwrap();
        }
        let present = names.len();
        let mut reading = Reading { v1, encoding: Encoding::Utf8, names: &mut names, present };
        let mut column = Column::new(Algorithm::Md5);
        let mut record = |id, digest: &Digest| column.set(id, digest);
        ManifestFile { name: "manifest-md5.txt", algorithm: Algorithm::Md5, lists }.parse(
            text.as_bytes(),
            &mut reading,
            &mut record,
            &mut findings,
        );
        (
            listed_in_any(&[column]).map(|id| names.get(id).as_str().to_owned()).collect(),
            findings.iter().map(|f| f.code.as_str()).collect(),
        )
    }

    fn read(text: &str, v1: bool, files: &[&str]) -> (Vec<String>, Vec<&'static str>) {
        read_as(Lists::Payload, text, v1, files)
    }

    #[test]
    fn line_forms() {
        let entries = |line: String| read(&line, false, &[]);
        assert_eq!(entries(format!("{ABC}  data/a b ")).0, ["data/a b "]);
        assert_eq!(entries(format!("{ABC}\t \tdata/a")).0, ["data/a"]);
        assert_eq!(entries(format!("{} data/a", ABC.to_uppercase())), (vec!["data/a".into()], vec![]));
        assert_eq!(entries(format!("{ABC} *data/a")), (vec!["data/a".into()], vec!["W301"]));
        assert_eq!(entries(format!("{ABC} ./data/a")), (vec!["data/a".into()], vec!["W301"]));
        assert_eq!(entries(format!("{ABC} data/./a")), (vec!["data/a".into()], vec![]));
        let escaped = entries(format!("\\{ABC}  data/a\\nb\\\\c\\d"));
        assert_eq!(escaped, (vec!["data/a\nb\\c\\d".into()], vec!["W301"]));
        assert_eq!(entries(format!("{ABC} data/../x")).1, ["E104"]);
        assert_eq!(entries(format!("{ABC} bagit.txt")).1, ["E104"]);
        assert_eq!(entries(ABC.to_owned()).1, ["E103"]);
        assert_eq!(entries(format!("{ABC} ")).1, ["E103"]);
        assert_eq!(entries(format!(" {ABC} data/a")).1, ["E103"]);
        assert_eq!(entries("# comment".into()).1, ["E103"]);
        assert_eq!(entries(format!("{ABC} data/a\n{ABC} data/a")).1, ["W304"]);
        assert_eq!(entries(format!("{ABC} data/a\n{ABC} data/./a")).1, ["W304"]);
        assert_eq!(entries(format!("{ABC} data/a\n{} data/a", "0".repeat(32))).1, ["E105"]);
    }

    #[test]
    fn duplicates_are_errors_in_1_0() {
        assert_eq!(read(&format!("{ABC} data/a\n{ABC} data/a"), true, &[]).1, ["E105"]);
    }

    #[test]
    fn tag_manifests_list_no_payload_and_no_tag_manifest() {
        let tags = |path: &str| read_as(Lists::Tags, &format!("{ABC} {path}"), true, &[]);
        assert_eq!(tags("bagit.txt"), (vec!["bagit.txt".into()], vec![]));
        assert_eq!(tags("data/a").1, ["E103"]);
        assert_eq!(tags("tagmanifest-md5.txt").1, ["E103"]);
    }

    #[test]
    fn percent_codes_by_version_and_by_what_exists() {
        let line = format!("{ABC} data/a%25b%0Ac");
        assert_eq!(read(&line, true, &["data/a%b\nc"]), (vec!["data/a%b\nc".into()], vec![]));
        assert_eq!(read(&line, true, &["data/a%25b\nc"]), (vec!["data/a%25b\nc".into()], vec!["W303"]));
        assert_eq!(read(&line, false, &["data/a%25b\nc"]), (vec!["data/a%25b\nc".into()], vec![]));
        assert_eq!(read(&line, true, &["data/a%25b%0Ac"]), (vec!["data/a%25b%0Ac".into()], vec!["W303"]));
        assert_eq!(read(&line, true, &[]).0, ["data/a%b\nc"]);
    }

    #[test]
    fn columns_know_what_they_lack() {
        let ids: Vec<FileId> = (0..200).map(FileId::from_index).collect();
        let digest = Digest::parse(Algorithm::Md5, ABC).unwrap();
        let (mut some, mut all) = (Column::new(Algorithm::Md5), Column::new(Algorithm::Md5));
        for id in &ids {
            assert_eq!(all.set(*id, &digest), None);
            if id.index() % 70 != 3 {
                some.set(*id, &digest);
            }
        }
        assert_eq!(all.set(ids[5], &digest), Some(digest));
        assert_eq!(some.lacking(&all).map(FileId::index).collect::<Vec<_>>(), [3, 73, 143]);
        assert_eq!(all.lacking(&some).count(), 0);
        assert_eq!(some.get(ids[3]), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,60}", v1: bool) {
            let _ = read(&text, v1, &[]);
            let _ = read(&format!("{ABC} {text}"), v1, &[]);
            let _ = read(&format!("\\{ABC} {text}"), v1, &[]);
        }

        #[test]
        fn written_lines_are_read_back(name in "[^/\0]{1,20}") {
            prop_assume!(name != "." && name != "..");
            let path = format!("data/{name}");
            prop_assume!(BagPath::parse(&path).is_ok());
            let line = format!("{ABC}  {}\n", path::encode(&path));
            prop_assert_eq!(read(&line, true, &[&path]), (vec![path.clone()], vec![]));
        }
    }
}
