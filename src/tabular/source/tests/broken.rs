//! Random, cut and changed files: an error or rows, never a panic.

use parquet::basic::Compression;
use proptest::prelude::*;

use super::parquet::{codecs, sample};
use super::{gzipped, read};

const CSV: &[u8] = "id,\"n,\"\na,\"x \"\"y\"\"\"\r\né,\n\"\",2026-01-02\n".as_bytes();
const JSON: &[u8] =
    "{\"a\":1,\"b\":[\"x\",null]}\n{\"a\":2.5e3,\"c\":{\"d\":\"\\u00e9\"}}\n{\"a\":null,\"e\":\"2026-01-02\"}\n".as_bytes();

/// A file of every kind, each compression of Parquet among them.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let mut files = vec![
        ("a.csv", CSV.to_vec()),
        ("a.tsv", CSV.to_vec()),
        ("a.jsonl", JSON.to_vec()),
        ("a.csv.gz", gzipped(CSV)),
        ("a.jsonl.gz", gzipped(JSON)),
    ];
    files.extend(codecs().map(|codec| ("a.parquet", sample(codec))));
    files
}

proptest! {
    #[test]
    fn changed_bytes_never_panic(
        file in 0..10_usize,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let (name, mut bytes) = files().swap_remove(file);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] ^= byte;
        }
        let _ = read(name, &bytes);
    }

    #[test]
    fn cut_files_never_panic(file in 0..10_usize, at: proptest::sample::Index) {
        let (name, bytes) = files().swap_remove(file);
        let at = at.index(bytes.len());
        let rows = read(name, &bytes[..at]);
        prop_assert!(name != "a.parquet" || rows.is_err());
    }

    #[test]
    fn random_bytes_never_panic(
        name in proptest::sample::select(&["a.csv", "a.tsv", "a.jsonl", "a.parquet", "a.csv.gz"][..]),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = read(name, &bytes);
        let _ = read(name, &[b"PAR1", bytes.as_slice(), &[40, 0, 0, 0], b"PAR1"].concat());
        let _ = read(name, &[b"\x1F\x8B\x08\0\0\0\0\0\0\0", bytes.as_slice()].concat());
    }
}

#[test]
fn every_bit_of_a_parquet_footer_may_be_wrong() {
    let bytes = sample(Compression::UNCOMPRESSED);
    for at in (bytes.len() - 600..bytes.len()).step_by(3) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1 << (at % 8);
        let _ = read("a.parquet", &bytes);
    }
}
