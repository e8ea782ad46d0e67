use super::samples::python;
use crate::bag::archive::compression::{Compression, Counted, decoder, sniff};
use proptest::prelude::*;
use std::io::{self, Cursor, Read, Write};
use std::sync::atomic::Ordering;

const KINDS: [(Compression, &str); 3] =
    [(Compression::Gzip, "gzip"), (Compression::Bzip2, "bz2"), (Compression::Xz, "lzma")];

fn decompress(kind: Compression, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut decoder = decoder(kind, Box::new(Cursor::new(bytes.to_vec())));
    let mut content = Vec::new();
    decoder.read_to_end(&mut content)?;
    assert_eq!(decoder.read(&mut [0]).unwrap(), 0);
    Ok(content)
}

fn compress(module: &str, content: &[u8]) -> Option<Vec<u8>> {
    let script =
        format!("import {module}, sys; sys.stdout.buffer.write({module}.compress(sys.stdin.buffer.read()))");
    python(&script, content)
}

fn text() -> Vec<u8> {
    (0..20_000u32).flat_map(|number| format!("line {}\n", number.wrapping_mul(number)).into_bytes()).collect()
}

#[test]
fn tells_compressions_by_their_magic() {
    for (kind, module) in KINDS {
        for content in [&b""[..], b"text"] {
            let Some(bytes) = compress(module, content) else { return };
            assert_eq!(sniff(&bytes), kind);
        }
    }
    for none in
        [&b""[..], b"\x1f", b"\x1f\x8b", b"BZh", b"BZh9", b"BZh9 is a name", b"\xfd7zXZ", b"PK\x03\x04"]
    {
        assert_eq!(sniff(none), Compression::None);
    }
}

#[test]
fn reads_what_python_wrote() {
    for (kind, module) in KINDS {
        for content in [Vec::new(), b"text".to_vec(), text()] {
            let Some(bytes) = compress(module, &content) else { return };
            assert_eq!(decompress(kind, &bytes).unwrap(), content, "{kind:?}");
        }
    }
    assert_eq!(decompress(Compression::None, b"text").unwrap(), b"text");
}

#[test]
fn reads_streams_that_follow_each_other() {
    for (kind, module) in KINDS {
        let Some(first) = compress(module, &text()) else { return };
        let second = compress(module, b"more").unwrap();
        let both = decompress(kind, &[first.clone(), second, first].concat()).unwrap();
        assert_eq!(both, [text(), b"more".to_vec(), text()].concat(), "{kind:?}");
    }
}

#[test]
fn a_cut_is_never_an_end() {
    for (kind, module) in KINDS {
        let Some(bytes) = compress(module, b"some text, some text") else { return };
        for length in 0..bytes.len() {
            let error = decompress(kind, &bytes[..length]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{kind:?} {length} {error}");
        }
        let twice = [&bytes[..], &bytes[..]].concat();
        for length in bytes.len() + 1..twice.len() {
            assert!(decompress(kind, &twice[..length]).is_err(), "{kind:?} {length}");
        }
        let large = compress(module, &text()).unwrap();
        assert!(decompress(kind, &large[..large.len() / 2]).is_err());
    }
}

#[test]
fn garbage_after_the_end_is_an_error() {
    for (kind, module) in KINDS {
        let Some(bytes) = compress(module, b"some text") else { return };
        for garbage in [&b"!"[..], b"garbage after the end, long enough for a header", &[0; 7], &[0xff; 100]]
        {
            let error = decompress(kind, &[&bytes[..], garbage].concat()).unwrap_err();
            assert!(
                matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof),
                "{kind:?} {error:?}"
            );
        }
        let error = decompress(kind, &[&bytes[..], &[b'g'; 100]].concat()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{kind:?} {error:?}");
    }
}

#[test]
fn an_error_stays() {
    for (kind, module) in KINDS {
        let Some(mut bytes) = compress(module, &text()) else { return };
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        let mut decoder = decoder(kind, Box::new(Cursor::new(bytes)));
        let first = io::copy(&mut decoder, &mut io::sink()).unwrap_err();
        assert_eq!(first.kind(), io::ErrorKind::InvalidData);
        for _ in 0..3 {
            assert_eq!(decoder.read(&mut [0; 100]).unwrap_err().to_string(), first.to_string());
        }
    }
}

/// An .xz file whose block header claims a dictionary: the header's checksum is put right, the content kept.
fn xz_with_dictionary(bits: u8) -> Option<Vec<u8>> {
    let mut bytes = compress("lzma", b"some text")?;
    let size = (usize::from(bytes[12]) + 1) * 4;
    let header = &mut bytes[12..12 + size];
    let at = header.iter().position(|&octet| octet == 0x21).unwrap();
    header[at + 2] = bits;
    let crc = crc32fast::hash(&header[..size - 4]);
    header[size - 4..].copy_from_slice(&crc.to_le_bytes());
    Some(bytes)
}

#[test]
fn an_xz_dictionary_is_bounded() {
    // 32 is 256 MiB, 33 is 384 MiB, 40 is 4 GiB less one octet.
    for bits in 0..=40 {
        let Some(bytes) = xz_with_dictionary(bits) else { return };
        let result = decompress(Compression::Xz, &bytes);
        if bits <= 32 {
            assert_eq!(result.unwrap(), b"some text", "{bits}");
        } else {
            let error = result.unwrap_err();
            assert!(error.to_string().contains("more memory"), "{error}");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }
}

#[test]
fn counts_what_was_read() {
    let (mut reader, count) = Counted::new(Cursor::new(vec![1; 1000]));
    reader.read_exact(&mut [0; 10]).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 10);
    io::copy(&mut reader, &mut io::sink()).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 1000);
}

#[test]
fn errors_of_the_reader_pass() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::new(io::ErrorKind::PermissionDenied, "no"))
        }
    }
    for (kind, _) in KINDS {
        let mut decoder = decoder(kind, Box::new(Failing));
        assert_eq!(decoder.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::PermissionDenied, "{kind:?}");
    }
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn bzipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// The content below, as `xz` writes it.
const XZ: &[u8] =
    b"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3\
    \xe0\x01\xdf\x00\x11\x5d\x00\x34\x19\x49\xee\x8d\xe9\x56\x0a\xc1\xf9\xc0\xc1\x95\x71\xe4\x00\x00\
    \x00\x00\x00\x00\xf6\xa9\x6c\x8d\xaa\x61\xa8\x3c\x00\x01\x2d\xe0\x03\x00\x00\x00\x04\xaa\x06\x42\
    \xb1\xc4\x67\xfb\x02\x00\x00\x00\x00\x04\x59\x5a";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn mutations_never_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        random in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let content = b"hello hello hello hello\n".repeat(20);
        for (kind, good) in [
            (Compression::Gzip, gzipped(&content)),
            (Compression::Bzip2, bzipped(&content)),
            (Compression::Xz, XZ.to_vec()),
        ] {
            let wanted = decompress(kind, &good).unwrap();
            let mut bytes = good.clone();
            for (index, new) in &changes {
                let at = index.index(bytes.len());
                bytes[at] = *new;
            }
            if let Ok(found) = decompress(kind, &bytes) {
                prop_assert_eq!(found, wanted);
            }
            let _ = decompress(kind, &random);
            let middle = good.len() / 2;
            let _ = decompress(kind, &[&good[..middle], &random[..]].concat());
        }
    }
}
