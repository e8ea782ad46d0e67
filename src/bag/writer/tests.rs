//! Archives as other programs read them, and the same bytes whoever packs them.

use std::io::{Cursor, Read};

use proptest::prelude::*;

use super::*;
use crate::bag::{Bag, NoProgress, Verdict, VerifyOptions, hash_reader, verify};

const BOTH: [Algorithm; 2] = [Algorithm::Md5, Algorithm::Sha256];

fn path(text: &str) -> BagPath {
    BagPath::parse(text).unwrap()
}

/// A text that packs, of so many octets.
fn text(octets: usize) -> Vec<u8> {
    (0..octets).map(|at| b"abcdefgh\n"[(at * at / 7) % 9]).collect()
}

fn digests(mut octets: &[u8]) -> Vec<Digest> {
    hash_reader(&mut octets, &BOTH, &mut [0; 4096], &NoProgress).unwrap().1
}

/// A bag of files of these lengths, and one that is elsewhere.
fn bag(lengths: &[usize], threads: usize) -> Written<Cursor<Vec<u8>>> {
    let mut writer = BagWriter::new(Cursor::new(Vec::new()), "Dataset_1", &BOTH, threads).unwrap();
    for (at, length) in lengths.iter().enumerate() {
        let compression = if at % 3 == 2 { Compression::Store } else { Compression::Deflate };
        let octets = text(*length);
        let expected = Expected { length: octets.len() as u64, digests: digests(&octets) };
        let name = path(&format!("data/{at:03}.txt"));
        writer.add_payload(name, &mut octets.as_slice(), compression, Some(expected)).unwrap();
    }
    writer.add_remote(&path("data/000-a b%.txt"), "https://h/x y", 3, &digests(b"abc")).unwrap();
    writer.finish(vec![("Source-Organization".into(), "x".into())]).unwrap()
}

#[test]
fn others_read_it_and_it_is_a_valid_bag() {
    let lengths = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 2 * BLOCK + 17];
    let written = bag(&lengths, 2);
    assert_eq!(written.length, written.out.get_ref().len() as u64);
    let mut archive = zip::ZipArchive::new(Cursor::new(written.out.get_ref())).unwrap();
    for (at, length) in lengths.iter().enumerate() {
        let mut octets = Vec::new();
        archive.by_name(&format!("Dataset_1/data/{at:03}.txt")).unwrap().read_to_end(&mut octets).unwrap();
        assert_eq!(octets, text(*length), "{length}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bag.zip");
    fs_err::write(&file, written.out.get_ref()).unwrap();
    let opened = Bag::open(&file).unwrap();
    assert_eq!(opened.findings(), []);
    let report = verify(&opened, VerifyOptions::default(), &NoProgress).unwrap();
    assert_eq!(report.verdict(), Verdict::Holey);
    let fetch = opened.fetch().next().unwrap();
    assert_eq!((fetch.url.to_string(), fetch.length), ("https://h/x%20y".into(), Some(3)));
    let mut manifest = String::new();
    archive.by_name("Dataset_1/manifest-md5.txt").unwrap().read_to_string(&mut manifest).unwrap();
    let paths: Vec<&str> = manifest.lines().map(|line| &line[34..]).collect();
    assert_eq!(paths[..2], ["data/000-a b%25.txt", "data/000.txt"]);
    assert!(paths.is_sorted());
}

#[test]
fn a_file_that_is_another_is_named() {
    for octets in [text(10), text(3 * BLOCK)] {
        let mut writer = BagWriter::new(Cursor::new(Vec::new()), "Dataset_1", &BOTH, 1).unwrap();
        let expected = Expected { length: octets.len() as u64, digests: digests(b"other") };
        let name = path("data/wrong.txt");
        let added = writer.add_payload(name, &mut octets.as_slice(), Compression::Store, Some(expected));
        let error = added.and_then(|()| writer.settle()).unwrap_err().to_string();
        assert!(error.contains("data/wrong.txt"), "{error}");
    }
}

#[test]
fn a_writer_that_is_given_up_ends_its_threads() {
    for _ in 0..20 {
        let mut writer = BagWriter::new(Cursor::new(Vec::new()), "Dataset_1", &BOTH, 3).unwrap();
        let mut entry = writer.entry(path("data/a.txt"), Compression::Deflate);
        entry.write_all(&text(4 * BLOCK)).unwrap();
    }
}

/// What is written of an entry of more than 4 GiB, and read again.
#[test]
fn an_entry_may_be_longer_than_four_gibibytes() {
    // Hashing that many octets without optimization takes minutes.
    if cfg!(debug_assertions) {
        return eprintln!("skipped: this build is not optimized");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bag.zip");
    let length = (4 << 30) + 5;
    let mut writer =
        BagWriter::new(fs_err::File::create(&file).unwrap(), "Dataset_1", &[Algorithm::Sha256], 0).unwrap();
    let mut zeros = std::io::repeat(0).take(length);
    writer.add_payload(path("data/zeros.bin"), &mut zeros, Compression::Deflate, None).unwrap();
    writer.finish(Vec::new()).unwrap();
    let mut archive = zip::ZipArchive::new(fs_err::File::open(&file).unwrap()).unwrap();
    assert_eq!(archive.by_name("Dataset_1/data/zeros.bin").unwrap().size(), length);
    let report = verify(&Bag::open(&file).unwrap(), VerifyOptions::default(), &NoProgress).unwrap();
    assert_eq!(report.verdict(), Verdict::Valid);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn bytes_do_not_depend_on_threads(lengths in proptest::collection::vec(prop_oneof![0..2000_usize, BLOCK - 3..BLOCK + 3, 0..3 * BLOCK], 0..6)) {
        let one = bag(&lengths, 1);
        for threads in [2, 5] {
            let other = bag(&lengths, threads);
            prop_assert!(other.out.get_ref() == one.out.get_ref());
            prop_assert_eq!(other.content, one.content);
        }
    }
}
