use std::io::Cursor;

use super::*;
use crate::bag::{Bag, NoProgress, Verdict, VerifyOptions, verify, with_pool};

fn path(text: &str) -> BagPath {
    BagPath::parse(text).unwrap()
}

/// Octets that pack neither well nor badly, the same at every run.
fn sample(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b"0123456789abcdef,\n"[(state >> 24) as usize % 18]
    };
    (0..length).map(next).collect()
}

fn bag(threads: usize, folder: &std::path::Path) -> (Vec<u8>, WrittenBag) {
    with_pool(threads, |pool| {
        let mut writer = BagWriter::new(Vec::new(), "Dataset_1-AB12", pool, &NoProgress).unwrap();
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, WHOLE * BLOCK, WHOLE * BLOCK + 1, 3 * WHOLE * BLOCK]
        {
            for compression in [Compression::Deflate, Compression::Store] {
                let name = format!("data/{compression:?}/{length}");
                writer.begin(&path(&name), compression);
                sample(length).chunks(7001).for_each(|chunk| writer.write(chunk).unwrap());
                writer.end().unwrap();
                // Read later, so that each has a file of its own.
                let source = folder.join(format!("{compression:?}-{length}"));
                fs_err::write(&source, sample(length)).unwrap();
                let path = path(&format!("{name}.file"));
                let file = PayloadFile { path, source, length: length as u64, digests: Vec::new() };
                writer.add_file(file, compression).unwrap();
            }
        }
        let digests: Vec<Digest> =
            ALGORITHMS.iter().map(|a| Digest::from_bytes(*a, &[7; 64][..a.length()])).collect();
        let below = Home::Below("https://data.example.org/x/");
        writer.add_remote(&path("data/far/50%"), 9, &digests, below).unwrap();
        writer.add_remote(&path("data/far/a b"), 9, &digests, Home::At("s3://b/a b")).unwrap();
        writer.add_tag("more.json", b"{}").unwrap();
        writer.finish(vec![("Dbag-Format".into(), "2".into())]).unwrap()
    })
    .unwrap()
}

#[test]
fn the_same_bytes_with_any_number_of_threads_and_a_valid_bag() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, written) = bag(1, folder.path());
    for threads in [2, 3] {
        assert!(bag(threads, folder.path()).0 == bytes, "{threads} threads");
    }
    assert_eq!(written.length, bytes.len() as u64);
    let mut hasher = MultiHasher::new(&[Algorithm::Sha256]);
    hasher.update(&bytes);
    assert_eq!(hasher.finish(), [written.sha256]);
    let file = folder.path().join("bag.zip");
    fs_err::write(&file, &bytes).unwrap();
    let bag = Bag::open(&file).unwrap();
    let report = verify(&bag, VerifyOptions::default(), &NoProgress).unwrap();
    assert_eq!(report.verdict(), Verdict::Holey, "{:?}", report.findings);
    let urls: Vec<String> = bag.fetch().map(|entry| entry.url.to_string()).collect();
    let hex = "07".repeat(32);
    assert_eq!(urls, [format!("https://data.example.org/x/07/{hex}"), "s3://b/a%20b".into()]);
    // Another reader agrees on every entry.
    let mut archive = ::zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let length = name.rsplit('/').next().unwrap().trim_end_matches(".file").parse();
        if let Ok(length) = length {
            assert!(content == sample(length), "{name}");
        }
    }
}

#[test]
fn a_file_that_is_another_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("a.bin");
    fs_err::write(&source, "abc").unwrap();
    let right = Digest::parse(Algorithm::Md5, "900150983cd24fb0d6963f7d28e17f72").unwrap();
    let wrong = Digest::parse(Algorithm::Md5, "900150983cd24fb0d6963f7d28e17f73").unwrap();
    for (length, digest, is_right) in
        [(3, right, true), (3, wrong, false), (2, right, false), (4, right, false)]
    {
        let file =
            PayloadFile { path: path("data/a.bin"), source: source.clone(), length, digests: vec![digest] };
        let done = with_pool(1, |pool| {
            let mut writer = BagWriter::new(Vec::new(), "b", pool, &NoProgress).unwrap();
            writer.add_file(file, Compression::Store)?;
            writer.finish(Vec::new()).map(drop)
        });
        match done.unwrap() {
            Ok(()) => assert!(is_right),
            Err(BagError::OtherBytes(named)) => assert!(!is_right && named.as_str() == "data/a.bin"),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_manifest_lists_every_file_or_is_not_written() {
    let md5 = Digest::from_bytes(Algorithm::Md5, &[1; 16]);
    let sha256 = Digest::from_bytes(Algorithm::Sha256, &[2; 32]);
    let write = |digests: &[&[Digest]]| {
        with_pool(1, |pool| {
            let mut writer = BagWriter::new(Vec::new(), "b", pool, &NoProgress).unwrap();
            for (at, digests) in digests.iter().enumerate() {
                let path = path(&format!("data/{at}"));
                writer.add_remote(&path, 1, digests, Home::At("https://h/x")).unwrap();
            }
            writer.finish(Vec::new()).map(|(_, written)| written.algorithms)
        })
        .unwrap()
    };
    assert_eq!(write(&[&[md5, sha256], &[md5]]).unwrap(), [Algorithm::Md5]);
    assert_eq!(write(&[&[md5, sha256], &[sha256]]).unwrap(), [Algorithm::Sha256]);
    assert!(write(&[&[md5], &[sha256]]).is_err());
}

/// Counts, and keeps the last octets.
#[derive(Default)]
struct Tail(Vec<u8>, u64);

impl Write for Tail {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1 += bytes.len() as u64;
        self.0.extend_from_slice(&bytes[bytes.len().saturating_sub(400)..]);
        let old = self.0.len().saturating_sub(400);
        self.0.drain(..old);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Five gigabytes are quick only where the code is optimised.
#[cfg_attr(debug_assertions, ignore = "slow without optimisation")]
#[test]
fn more_than_four_gigabytes() {
    let zeros = vec![0; 1 << 20];
    let (tail, _) = with_pool(2, |pool| {
        let mut writer = BagWriter::new(Tail::default(), "b", pool, &NoProgress).unwrap();
        writer.begin(&path("data/zeros"), Compression::Store);
        (0..5 << 10).for_each(|_| writer.write(&zeros).unwrap());
        writer.end().unwrap();
        writer.finish(Vec::new()).unwrap()
    })
    .unwrap();
    assert!(tail.1 > 5 << 30);
    assert!(tail.0.windows(4).any(|four| four == b"PK\x06\x06"), "no directory of zip64");
}
