//! The Library of Congress's conformance suite: every case by name, with its verdict and for the right reason.

use std::collections::BTreeSet;

use crate::support::{Sandbox, shared};

/// What is said of a case: that there is no bag to speak of, or codes and their places.
enum Said {
    /// The sentence of the refusal has this in it.
    NoBag(&'static str),
    /// These findings are there, among others.
    Finds(&'static [(&'static str, &'static str)]),
}
use Said::{Finds, NoBag};

const NOTHING: Said = Finds(&[]);

/// Folder of the suite, exit code, what is said. A case of `valid` may warn: the suite has the same `./` in both.
const CASES: &[(&str, i32, Said)] = &[
    ("v0.93/valid/basic-bag", 0, NOTHING),
    ("v0.93/valid/duplicate-metadata-entries", 0, NOTHING),
    ("v0.94/valid/basic-bag", 0, NOTHING),
    ("v0.94/valid/duplicate-metadata-entries", 0, NOTHING),
    ("v0.95/valid/basic-bag", 0, NOTHING),
    ("v0.95/valid/duplicate-metadata-entries", 0, NOTHING),
    ("v0.96/valid/bag-in-a-bag", 0, NOTHING),
    ("v0.96/valid/bag-with-encoded-names", 0, NOTHING),
    ("v0.96/valid/bag-with-escapable-characters", 0, NOTHING),
    ("v0.96/valid/bag-with-leading-dot-slash-in-manifest", 0, Finds(&[("W301", "manifest-md5.txt:5")])),
    ("v0.96/valid/bag-with-space", 0, NOTHING),
    ("v0.96/valid/basic-bag", 0, NOTHING),
    ("v0.96/valid/duplicate-metadata-entries", 0, NOTHING),
    ("v0.96/valid/holey-bag", 0, NOTHING),
    ("v0.97/valid/ISO-8859-1-encoded-tag-files", 0, NOTHING),
    ("v0.97/valid/UTF-16-encoded-tag-files", 0, NOTHING),
    ("v0.97/valid/bag-in-a-bag", 0, NOTHING),
    ("v0.97/valid/bag-with-encoded-names", 0, NOTHING),
    ("v0.97/valid/bag-with-escapable-characters", 0, NOTHING),
    ("v0.97/valid/bag-with-leading-dot-slash-in-manifest", 0, Finds(&[("W301", "manifest-md5.txt:5")])),
    ("v0.97/valid/bag-with-space", 0, NOTHING),
    ("v0.97/valid/basic-bag", 0, NOTHING),
    ("v0.97/valid/duplicate-metadata-entries", 0, NOTHING),
    ("v0.97/valid/holey-bag", 0, NOTHING),
    ("v0.97/valid/minimal-bag", 0, NOTHING),
    ("v0.97/valid/uncommon-metadata-separators", 0, NOTHING),
    ("v1.0/valid/basicBag", 0, NOTHING),
    ("v0.97/invalid/baginfo-missing-encoding", 1, Finds(&[("E113", "bagit.txt")])),
    ("v0.97/invalid/bom-in-bagit.txt", 1, Finds(&[("E113", "bagit.txt")])),
    ("v0.97/invalid/corrupt-data-file", 1, Finds(&[("E203", "data/bare-filename")])),
    ("v0.97/invalid/corrupt-tag-file", 1, Finds(&[("E203", "bag-info.txt")])),
    ("v0.97/invalid/extra-file-in-bag", 1, Finds(&[("E202", "data/bar")])),
    ("v0.97/invalid/invalid-version-number", 1, NoBag("\".97\"")),
    ("v0.97/invalid/missing-baginfo", 1, Finds(&[("E201", "bag-info.txt")])),
    ("v0.97/invalid/missing-bagit.txt", 1, NoBag("no bagit.txt")),
    ("v0.97/invalid/out-of-scope-file-paths-using-dot-notation", 1, Finds(&[("E104", "manifest-md5.txt:3")])),
    (
        "v0.97/invalid/out-of-scope-file-paths-using-dot-notation-for-fetch",
        1,
        Finds(&[("E104", "fetch.txt:1")]),
    ),
    (
        "v0.97/invalid/same-filename-listed-twice-with-different-hashes",
        1,
        Finds(&[("E105", "manifest-sha256.txt:2")]),
    ),
    ("v1.0/invalid/bagit-with-invalid-whitespace", 1, Finds(&[("E113", "bagit.txt")])),
    ("v1.0/invalid/notAllManifestsListAllFiles", 1, Finds(&[("E202", "data/missingFromManifest.txt")])),
    (
        "v1.0/invalid/same-filename-listed-twice-with-different-hashes",
        1,
        Finds(&[("E105", "manifest-sha256.txt:2")]),
    ),
    (
        "v1.0/invalid/same-filename-listed-twice-with-the-same-hash",
        1,
        Finds(&[("E105", "manifest-sha256.txt:2")]),
    ),
    // Of two of the warnings, the suite lists a file that it does not store.
    (
        "v0.97/warning/duplicate-file-with-different-case",
        1,
        Finds(&[("E201", "data/HELLO.txt"), ("W306", "data/HELLO.txt")]),
    ),
    ("v0.97/warning/made-with-md5sum-tools", 0, Finds(&[("W301", "manifest-md5.txt:1")])),
    ("v0.97/warning/relative-path", 0, Finds(&[("W301", "manifest-sha512.txt:1")])),
    (
        "v0.97/warning/same-filename-listed-twice-with-different-normalization",
        0,
        Finds(&[("W306", "data/Nu\u{301}n\u{303}ez")]),
    ),
    (
        "v0.97/warning/same-filename-listed-twice-with-the-same-hash",
        0,
        Finds(&[("W304", "manifest-sha256.txt:2")]),
    ),
    (
        "v0.97/warning/special-system-files",
        1,
        Finds(&[("E201", "data/.DS_Store"), ("W307", "data/.DS_Store"), ("W307", "data/Thumbs.db")]),
    ),
    (
        "v0.97/linux-only/out-of-scope-file-paths-using-absolute-path",
        1,
        Finds(&[("E104", "manifest-md5.txt:3")]),
    ),
    (
        "v0.97/linux-only/out-of-scope-file-paths-using-absolute-path-for-fetch",
        1,
        Finds(&[("E104", "fetch.txt:1")]),
    ),
    ("v0.97/linux-only/out-of-scope-file-paths-using-shortcut", 1, Finds(&[("E104", "manifest-md5.txt:3")])),
    (
        "v0.97/linux-only/out-of-scope-file-paths-using-shortcut-for-fetch",
        1,
        Finds(&[("E104", "fetch.txt:1")]),
    ),
    (
        "v0.97/linux-only/out-of-scope-file-paths-using-shortcut-username",
        1,
        Finds(&[("E104", "manifest-md5.txt:3")]),
    ),
    (
        "v0.97/linux-only/out-of-scope-file-paths-using-shortcut-username-for-fetch",
        1,
        Finds(&[("E104", "fetch.txt:1")]),
    ),
    (
        "v0.97/windows-only/out-of-scope-file-paths-using-absolute-path",
        1,
        Finds(&[("E104", "manifest-md5.txt:3")]),
    ),
    (
        "v0.97/windows-only/out-of-scope-file-paths-using-absolute-path-for-fetch",
        1,
        Finds(&[("E104", "fetch.txt:1")]),
    ),
    (
        "v0.97/windows-only/out-of-scope-file-paths-using-shortcut",
        1,
        Finds(&[("E104", "manifest-md5.txt:3")]),
    ),
    (
        "v0.97/windows-only/out-of-scope-file-paths-using-shortcut-for-fetch",
        1,
        Finds(&[("E104", "fetch.txt:1")]),
    ),
    ("v0.97/windows-only/out-of-scope-file-paths-using-unc", 1, Finds(&[("E104", "manifest-md5.txt:3")])),
    ("v0.97/windows-only/out-of-scope-file-paths-using-unc-for-fetch", 1, Finds(&[("E104", "fetch.txt:1")])),
];

#[test]
fn every_case_gets_its_verdict_for_its_reason() {
    let Some(suite) = shared("bagit-conformance-suite") else { return };
    let sandbox = Sandbox::new();
    let mut wrong = Vec::new();
    for (case, exit, said) in CASES {
        let output = sandbox.dbag(&["verify", suite.join(case).to_str().unwrap(), "--json"]);
        let document = output.json();
        let right = match said {
            NoBag(part) => {
                document["error"]["message"].as_str().is_some_and(|message| message.contains(part))
            }
            Finds(wanted) => {
                let found: BTreeSet<(&str, &str)> = document["findings"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|f| (f["code"].as_str().unwrap(), f["place"].as_str().unwrap()))
                    .collect();
                wanted.iter().all(|finding| found.contains(finding)) && wanted.is_empty() == found.is_empty()
            }
        };
        if output.code != *exit || !right {
            wrong.push(format!("{case}: {output:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_case_is_left_out() {
    let Some(suite) = shared("bagit-conformance-suite") else { return };
    let folders = walkdir::WalkDir::new(&suite).min_depth(3).max_depth(3).into_iter().map(Result::unwrap);
    let stored: BTreeSet<String> = folders
        .filter(|entry| entry.file_type().is_dir())
        .map(|entry| entry.path().strip_prefix(&suite).unwrap().to_str().unwrap().to_owned())
        .filter(|name| name.starts_with('v'))
        .collect();
    let named: BTreeSet<String> = CASES.iter().map(|(case, _, _)| (*case).to_owned()).collect();
    assert_eq!(named, stored);
}
