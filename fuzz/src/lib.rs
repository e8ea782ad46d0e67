//! What the fuzzers do with their bytes. The tests of dbag do the same with the corpus.
//!
//! Each function feeds bytes to a parser through the library's public face, and asserts what must hold whatever they
//! are: no panic, no name that leads out of the bag, no more bytes than promised.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use dbag::bag::{
    Bag, BagError, BagPath, Body, Container, Detail, Digest, Level, Limits, Listing, NoProgress, Place,
    Progress, TarFile, VerifyOptions, ZipFile, verify,
};

/// Small enough that a bomb shows as a slow run.
const LIMITS: Limits = Limits { entries: 10_000, bytes: 32 << 20, ratio: 500 };

/// A bag in memory.
struct Memory(Vec<(BagPath, Vec<u8>)>);

impl Container for Memory {
    fn location(&self) -> &Path {
        Path::new("memory")
    }

    fn name(&self) -> &'static str {
        "memory"
    }

    fn list(&self, _detail: Detail, _progress: &dyn Progress) -> Result<Listing, BagError> {
        let mut listing = Listing::default();
        for (path, body) in &self.0 {
            let _ = listing.add(path.borrowed(), body.len() as u64);
        }
        Ok(listing)
    }

    fn open(&self, file: Place<'_>) -> io::Result<Body<'_>> {
        let found = self.0.iter().find(|(path, _)| path.borrowed() == file.path);
        found
            .map(|(_, body)| Box::new(body.as_slice()) as Body<'_>)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn memory(files: &[(&str, &[u8])]) -> Memory {
    let parsed = files.iter().filter_map(|(path, body)| Some((BagPath::parse(path).ok()?, body.to_vec())));
    Memory(parsed.collect())
}

const VERSIONS: [&str; 3] = ["1.0", "0.97", "0.93"];
const ENCODINGS: [&str; 5] = ["UTF-8", "UTF-16", "UTF-16LE", "ISO-8859-1", "windows-1252"];

/// A declaration chosen by the first octet, and the rest.
fn declared(data: &[u8]) -> (String, &[u8]) {
    let (first, rest) = data.split_first().unwrap_or((&0, &[]));
    let first = usize::from(*first);
    let version = VERSIONS[first % VERSIONS.len()];
    let encoding = ENCODINGS[first / VERSIONS.len() % ENCODINGS.len()];
    (format!("BagIt-Version: {version}\nTag-File-Character-Encoding: {encoding}\n"), rest)
}

/// Opens at every level, verifies where that is quick, and looks at all that a bag tells.
fn look(container: impl Fn() -> Box<dyn Container>) {
    for level in [Level::Oxum, Level::Structure, Level::Complete] {
        let Ok(bag) = Bag::from_container(container(), level) else { continue };
        for file in bag.payload().chain(bag.files()).chain(bag.fetch().map(|entry| entry.file)) {
            let path = file.path();
            assert!(!path.as_str().split('/').any(|part| part.is_empty() || part == "." || part == ".."));
            assert!(path.below(Path::new("/root")).starts_with("/root"));
            assert!(!path.to_string().chars().any(char::is_control));
            let digests = file.digests();
            assert!(digests.is_sorted_by_key(Digest::algorithm));
            let _ = bag.stored(file);
        }
        let Ok(report) = verify(&bag, VerifyOptions { jobs: 1, ..VerifyOptions::default() }, &NoProgress)
        else {
            continue;
        };
        assert!(report.findings.is_sorted());
        assert!(report.findings.iter().all(|finding| !finding.place.contains('\n')));
    }
}

/// Every file that is there has as many octets as its entry promises, or fails.
fn read_all(bag: &Bag) {
    for file in bag.files() {
        let mut length = 0;
        let Ok(body) = file.open() else { continue };
        let mut body = body.take(file.length() + 1);
        let mut buffer = [0; 4096];
        loop {
            match body.read(&mut buffer) {
                Ok(0) => {
                    assert_eq!(length, file.length(), "{file:?}");
                    break;
                }
                Ok(n) => length += n as u64,
                Err(_) => break,
            }
        }
        assert!(length <= file.length(), "{file:?}");
    }
}

/// `bagit.txt` and `bag-info.txt`.
pub fn tag_files(data: &[u8]) {
    look(|| Box::new(memory(&[("bagit.txt", data), ("bag-info.txt", data)])));
    let (declaration, rest) = declared(data);
    look(|| Box::new(memory(&[("bagit.txt", declaration.as_bytes()), ("bag-info.txt", rest)])));
    if let Ok(bag) = Bag::from_container(
        Box::new(memory(&[("bagit.txt", declaration.as_bytes()), ("bag-info.txt", rest)])),
        Level::Oxum,
    ) {
        let _ = bag.info().to_text();
    }
}

/// Payload and tag manifests.
pub fn manifest(data: &[u8]) {
    let (declaration, rest) = declared(data);
    let files: [(&str, &[u8]); 8] = [
        ("bagit.txt", declaration.as_bytes()),
        ("data/a", b"1"),
        ("data/a%b", b"2"),
        ("data/a%25b", b"3"),
        ("data/\u{e9}", b"4"),
        ("manifest-md5.txt", rest),
        ("manifest-sha3_256.txt", rest),
        ("tagmanifest-md5.txt", rest),
    ];
    look(|| Box::new(memory(&files)));
}

/// `fetch.txt`.
pub fn fetch(data: &[u8]) {
    let (declaration, rest) = declared(data);
    let manifest = b"900150983cd24fb0d6963f7d28e17f72  data/a\n";
    let files: [(&str, &[u8]); 3] =
        [("bagit.txt", declaration.as_bytes()), ("manifest-md5.txt", manifest), ("fetch.txt", rest)];
    look(|| Box::new(memory(&files)));
}

/// Zip archives: the directory, and every entry read.
pub fn zip(data: &[u8]) {
    let source = Arc::new(data.to_vec());
    let open = || ZipFile::read(Path::new("fuzz.zip"), source.clone(), &LIMITS);
    let Ok(file) = open() else { return };
    let Ok(bag) = Bag::from_container(Box::new(file), Level::Full) else { return };
    read_all(&bag);
}

/// Tar archives, compressed too.
pub fn tar(data: &[u8]) {
    let source = Arc::new(data.to_vec());
    let Ok(file) = TarFile::read(Path::new("fuzz.tar"), source, &LIMITS) else { return };
    let Ok(bag) = Bag::from_container(Box::new(file), Level::Full) else { return };
    if let Some(sequential) = bag.container().sequential() {
        let _ = sequential.visit(&mut |_, length, body| {
            assert_eq!(io::copy(body, &mut io::sink())?, length);
            Ok(())
        });
    } else {
        read_all(&bag);
    }
}

/// The whole reader and verifier: the bytes are several files, each with its name.
///
/// Files are separated by a NUL; the first line of each is its name.
pub fn bag(data: &[u8]) {
    let mut files = Vec::new();
    for part in data.split(|byte| *byte == 0).take(40) {
        let at = part.iter().position(|byte| *byte == b'\n').unwrap_or(part.len());
        let (name, body) = part.split_at(at);
        let Ok(path) = BagPath::parse(&String::from_utf8_lossy(name)) else { continue };
        files.push((path, body.get(1..).unwrap_or_default().to_vec()));
    }
    files.dedup_by(|a, b| a.0 == b.0);
    look(|| Box::new(Memory(files.clone())));
    let Ok(bag) = Bag::from_container(Box::new(Memory(files)), Level::Full) else { return };
    let _ = verify(&bag, VerifyOptions { jobs: 1, ..VerifyOptions::default() }, &NoProgress);
    read_all(&bag);
}
