//! Manifests: one checksum and one path a line (RFC 8493 §2.1.3, §2.2.1).

use std::collections::BTreeMap;

use super::tagfile::lines;
use super::{Algorithm, BagPath, Code, Digest, Finding, path};

/// Findings in one tag file after which it is not worth reading on: a small archive may hold a huge one.
pub(super) const ENOUGH: usize = 10_000;

/// One manifest, its paths decoded by the rule of the bag's version.
pub(super) struct Manifest {
    pub(super) algorithm: Algorithm,
    pub(super) entries: BTreeMap<BagPath, Digest>,
}

/// What a manifest may list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lists {
    Payload,
    Tags,
}

/// How to read: the rules of the version, and which decoded names exist in the bag.
pub(super) struct Reading<'a> {
    pub(super) v1: bool,
    pub(super) exists: &'a dyn Fn(&str) -> bool,
}

impl Reading<'_> {
    /// Decodes a path by the version's percent rule; if nothing has that name but something has the name
    /// that another reading gives (tools disagree, and most never encode `%`), takes that one and says so.
    pub(super) fn decode(&self, raw: &str) -> (String, bool) {
        let first = path::decode(raw, self.v1);
        if !raw.contains('%') || (self.exists)(&first) {
            return (first, false);
        }
        for other in [path::decode(raw, !self.v1), raw.to_owned()] {
            if other != first && (self.exists)(&other) {
                return (other, true);
            }
        }
        (first, false)
    }
}

impl Manifest {
    /// Parses the decoded text of the file called `name`; whatever is wrong is added to `findings`.
    pub(super) fn parse(
        name: &str,
        algorithm: Algorithm,
        text: &str,
        lists: Lists,
        reading: &Reading<'_>,
        findings: &mut Vec<Finding>,
    ) -> Self {
        let mut entries = BTreeMap::new();
        let before = findings.len();
        for (index, line) in lines(text).enumerate() {
            let place = || format!("{name}:{}", index + 1);
            if findings.len() - before >= ENOUGH {
                let message =
                    format!("there are more than {ENOUGH} findings in this file; the rest was not read");
                findings.push(Finding::new(Code::BadManifestLine, place(), message));
                break;
            }
            match parse_line(line, algorithm, lists, reading) {
                Err((code, message)) => findings.push(Finding::new(code, place(), message)),
                Ok((path, digest, notes)) => {
                    findings.extend(
                        notes.into_iter().map(|(code, message)| Finding::new(code, place(), message)),
                    );
                    match entries.get(&path) {
                        None => drop(entries.insert(path, digest)),
                        Some(first) if *first == digest && !reading.v1 => {
                            findings.push(Finding::new(
                                Code::RepeatedEntry,
                                place(),
                                format!("{path} is listed twice"),
                            ));
                        }
                        Some(_) => {
                            findings.push(Finding::new(
                                Code::DuplicateEntry,
                                place(),
                                format!("{path} is listed twice"),
                            ));
                        }
                    }
                }
            }
        }
        Self { algorithm, entries }
    }
}

type Note = (Code, String);

fn parse_line(
    line: &str,
    algorithm: Algorithm,
    lists: Lists,
    reading: &Reading<'_>,
) -> Result<(BagPath, Digest, Vec<Note>), Note> {
    let Some((hex, rest)) = line.split_once([' ', '\t']) else {
        return Err((Code::BadManifestLine, "the line is not a digest, space and a path".into()));
    };
    let digest = Digest::parse(algorithm, hex).map_err(|e| (Code::BadManifestLine, e.to_string()))?;
    let raw = rest.trim_start_matches([' ', '\t']);
    if raw.is_empty() {
        return Err((Code::BadManifestLine, "the line names no file".into()));
    }
    let mut notes = Vec::new();
    let plain = raw.strip_prefix('*').unwrap_or(raw);
    if plain.len() != raw.len() || plain.starts_with("./") {
        notes.push((Code::ChecksumToolForm, format!("{raw:?} is written as checksum tools do")));
    }
    let (decoded, fell_back) = reading.decode(plain);
    let path = BagPath::parse(&decoded).map_err(|e| (Code::UnsafePath, e.to_string()))?;
    if fell_back {
        notes.push((
            Code::PercentFallback,
            format!("{path} was found only by another reading of its % codes"),
        ));
    }
    match lists {
        Lists::Payload if !path.is_payload() => Err((
            Code::UnsafePath,
            format!("{path} is not below data/, where a payload manifest's files lie"),
        )),
        Lists::Tags if path.is_payload() || path.as_str().starts_with("tagmanifest-") => {
            Err((Code::BadManifestLine, format!("a tag manifest must not list {path}")))
        }
        _ => Ok((path, digest, notes)),
    }
}

/// The algorithm's name in `manifest-<alg>.txt` or `tagmanifest-<alg>.txt`, and which of the two it is.
pub(super) fn manifest_name(file: &str) -> Option<(Lists, &str)> {
    let stem = file.strip_suffix(".txt")?;
    if let Some(algorithm) = stem.strip_prefix("manifest-") {
        return Some((Lists::Payload, algorithm));
    }
    stem.strip_prefix("tagmanifest-").map(|algorithm| (Lists::Tags, algorithm))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ABC: &str = "900150983cd24fb0d6963f7d28e17f72";

    fn read(text: &str, v1: bool, files: &[&str]) -> (Vec<String>, Vec<&'static str>) {
        let mut findings = Vec::new();
        let exists = |name: &str| files.contains(&name);
        let manifest = Manifest::parse(
            "manifest-md5.txt",
            Algorithm::Md5,
            text,
            Lists::Payload,
            &Reading { v1, exists: &exists },
            &mut findings,
        );
        (
            manifest.entries.keys().map(|p| p.as_str().to_owned()).collect(),
            findings.iter().map(|f| f.code.as_str()).collect(),
        )
    }

    #[test]
    fn line_forms() {
        let entries = |line: String| read(&line, false, &[]);
        assert_eq!(entries(format!("{ABC}  data/a b ")).0, ["data/a b "]);
        assert_eq!(entries(format!("{ABC}\t \tdata/a")).0, ["data/a"]);
        assert_eq!(entries(format!("{ABC} *data/a")), (vec!["data/a".into()], vec!["W301"]));
        assert_eq!(entries(format!("{ABC} ./data/a")), (vec!["data/a".into()], vec!["W301"]));
        assert_eq!(entries(format!("{ABC} data/../x")).1, ["E104"]);
        assert_eq!(entries(format!("{ABC} bagit.txt")).1, ["E104"]);
        assert_eq!(entries(ABC.to_owned()).1, ["E103"]);
        assert_eq!(entries("# comment".into()).1, ["E103"]);
        assert_eq!(entries(format!("{ABC} data/a\n{ABC} data/a")).1, ["W304"]);
    }

    #[test]
    fn duplicates_are_errors_in_1_0() {
        assert_eq!(read(&format!("{ABC} data/a\n{ABC} data/a"), true, &[]).1, ["E105"]);
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

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,60}", v1: bool) {
            let _ = read(&text, v1, &[]);
            let _ = read(&format!("{ABC} {text}"), v1, &[]);
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
