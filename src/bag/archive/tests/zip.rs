#![allow(clippy::needless_pass_by_value)]

use super::samples::{Item, Zip, field, put16, python, unzip, zip};
use crate::bag::archive::source::{ArchiveError, FileAt, Kind, Limits, ReadAt, shown};
use crate::bag::archive::zip_directory::{ZipEntry, check_overlaps, read_directory};
use crate::bag::archive::zip_entry::{check_local, open_entry};
use proptest::prelude::*;
use std::io::{self, Cursor, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

fn names_and_contents(bytes: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    let contents = unzip(&bytes).unwrap();
    contents.into_iter().map(|(name, _, content)| (String::from_utf8(name).unwrap(), content)).collect()
}

/// The archive must be refused, or called broken, with these words.
#[track_caller]
fn refused(bytes: Vec<u8>, words: &str) {
    match unzip(&bytes).map(|contents| contents.len()) {
        Err(ArchiveError::Refused(text)) => assert!(text.contains(words), "{text}"),
        other => panic!("{other:?} instead of {words}"),
    }
}

#[track_caller]
fn broken(bytes: Vec<u8>, words: &str) {
    match unzip(&bytes).map(|contents| contents.len()) {
        Err(ArchiveError::Broken(text)) => assert!(text.contains(words), "{text}"),
        other => panic!("{other:?} instead of {words}"),
    }
}

fn sample() -> Zip {
    zip(&[Item::new("a.txt", &b"hello ".repeat(50)), Item::stored("b/c.txt", b"stored content")], false)
}

#[test]
fn an_entry_is_small() {
    assert!(size_of::<ZipEntry>() <= 40);
}

#[test]
fn reads_what_was_put_together() {
    for zip64_end in [false, true] {
        let mut items = vec![
            Item::new("a.txt", &b"hello ".repeat(50)),
            Item::stored("é/ü", b"x"),
            Item::new("empty", b""),
            Item::stored("empty stored", b""),
            Item::stored("folder/", b""),
        ];
        items[0].zip64 = zip64_end;
        items[1].zip64 = zip64_end;
        let read = names_and_contents(zip(&items, zip64_end).bytes);
        let wanted: Vec<_> =
            items.iter().map(|i| (String::from_utf8(i.name.clone()).unwrap(), i.content.clone())).collect();
        assert_eq!(read, wanted);
    }
    assert!(unzip(&zip(&[], false).bytes).unwrap().is_empty());
}

#[test]
fn reads_from_files() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&sample().bytes).unwrap();
    assert_eq!(unzip(&FileAt::new(file).unwrap()).unwrap().len(), 2);
}

/// A source that gives little at a time, and is interrupted before each.
struct Halting(Vec<u8>, AtomicBool);

impl ReadAt for Halting {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if self.1.fetch_not(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let few = buffer.len().min(7);
        self.0.read_at(&mut buffer[..few], offset)
    }

    fn length(&self) -> u64 {
        self.0.length()
    }
}

#[test]
fn reads_from_a_halting_source() {
    let items = [Item::new("a", &b"deflated".repeat(20)), Item::stored("b", &vec![7; 70_000])];
    let source = Halting(zip(&items, true).bytes, AtomicBool::new(true));
    let contents = unzip(&source).unwrap();
    assert_eq!((&contents[0].2, &contents[1].2), (&items[0].content, &items[1].content));
}

#[test]
fn names_are_shown_shortened() {
    assert_eq!(shown(b"a"), "\"a\"");
    assert_eq!(shown(&[b'a'; 200]), format!("\"{}\"", "a".repeat(200)));
    assert_eq!(shown(&[b'a'; 201]), format!("\"{}…\"", "a".repeat(200)));
    assert_eq!(shown(b"\xff\"\\"), "\"\u{fffd}\\\"\\\\\"");
}

#[test]
fn reads_what_the_zip_crate_wrote() {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let plain = zip::write::SimpleFileOptions::default();
    let big: Vec<u8> = (0..300_000u32).flat_map(|n| n.wrapping_mul(n).to_le_bytes()).collect();
    let long = "n".repeat(300);
    let files: [(&str, &[u8], _); 5] = [
        ("a", b"text", plain),
        (&long, &big, plain.large_file(true)),
        ("ünï", &big, plain.compression_method(zip::CompressionMethod::Stored)),
        ("none", b"", plain),
        ("bits", b"x", plain.unix_permissions(0o755)),
    ];
    for (name, content, options) in files {
        writer.start_file(name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.add_directory("d", plain).unwrap();
    writer.add_symlink("link", "a", plain).unwrap();
    writer.set_comment("a comment").unwrap();
    let contents = unzip(&writer.finish().unwrap().into_inner()).unwrap();
    for ((name, content, _), (read_name, entry, read)) in files.iter().zip(&contents) {
        assert_eq!((name.as_bytes(), *content, Kind::File), (&read_name[..], &read[..], entry.kind));
    }
    assert_eq!((&contents[5].0[..], contents[5].1.kind), (&b"d/"[..], Kind::Folder));
    assert_eq!((&contents[6].0[..], contents[6].1.kind), (&b"link"[..], Kind::Link));
}

#[test]
fn reads_what_the_zip_crate_streamed() {
    let mut writer = zip::ZipWriter::new_stream(Vec::new());
    for (name, large) in [("one", false), ("two", true)] {
        writer.start_file(name, zip::write::SimpleFileOptions::default().large_file(large)).unwrap();
        writer.write_all(&name.as_bytes().repeat(100)).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    assert_eq!(
        names_and_contents(bytes),
        [("one".into(), b"one".repeat(100)), ("two".into(), b"two".repeat(100))]
    );
}

/// Python's archives in every form it writes: seekable and piped, with forced zip64, stored and deflated.
const PYTHON: &str = "
import io, os, sys, zipfile
piped, forced, stored = (argument == '1' for argument in 'ARGUMENTS')
class Pipe(io.RawIOBase):
    def __init__(self): self.bytes = bytearray()
    def writable(self): return True
    def seekable(self): return False
    def write(self, data): self.bytes += data; return len(data)
output = Pipe() if piped else io.BytesIO()
method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
with zipfile.ZipFile(output, 'w', method) as archive:
    archive.comment = b'a comment'
    for name, content in [('a', b'text'), ('n' * 150, b'y' * 100000), ('m' * 300, b''), ('ü/☃', b'snow')]:
        with archive.open(name, 'w', force_zip64=forced) as file: file.write(content)
    archive.mkdir('folder')
    archive.writestr('other', os.urandom(0) + b'z' * 70000)
sys.stdout.buffer.write(output.bytes if piped else output.getvalue())
";

#[test]
fn reads_what_python_wrote() {
    for arguments in ["000", "001", "010", "011", "100", "101", "110", "111"] {
        let Some(bytes) = python(&PYTHON.replace("ARGUMENTS", arguments), b"") else { return };
        let read = names_and_contents(bytes);
        let wanted: [(String, Vec<u8>); 6] = [
            ("a".into(), b"text".into()),
            ("n".repeat(150), vec![b'y'; 100_000]),
            ("m".repeat(300), Vec::new()),
            ("ü/☃".into(), "snow".into()),
            ("folder/".into(), Vec::new()),
            ("other".into(), vec![b'z'; 70_000]),
        ];
        assert_eq!(read, wanted, "{arguments}");
    }
}

#[test]
fn tells_kinds() {
    let kinds = [
        ("file", 0o100_644 << 16, Kind::File),
        ("file", 0, Kind::File),
        ("file", 0o600 << 16, Kind::File),
        ("folder/", 0, Kind::Folder),
        ("folder/", 0o100_644 << 16, Kind::Folder),
        ("folder", 0x10, Kind::Folder),
        ("folder", 0o040_755 << 16, Kind::Folder),
        ("file", 0o100_644 << 16 | 0x10, Kind::File),
        ("link", 0o120_777 << 16, Kind::Link),
        ("link/", 0o120_777 << 16, Kind::Link),
        ("pipe", 0o010_644 << 16, Kind::Other),
        ("device", 0o060_644 << 16, Kind::Other),
        ("socket", 0o140_644 << 16, Kind::Other),
    ];
    for (name, attributes, kind) in kinds {
        let mut item = Item::new(name, b"");
        item.attributes = attributes;
        assert_eq!(unzip(&zip(&[item], false).bytes).unwrap()[0].1.kind, kind, "{name} {attributes:o}");
    }
}

#[test]
fn tells_the_utf8_flag() {
    let mut items = [Item::new("a", b""), Item::new("b", b"")];
    items[1].flags = 1 << 11;
    let mut flags = Vec::new();
    let visit = &mut |_: &[u8], utf8, _| {
        flags.push(utf8);
        Ok(())
    };
    read_directory(&zip(&items, false).bytes, &Limits::default(), visit).unwrap();
    assert_eq!(flags, [false, true]);
}

#[test]
fn a_file_without_an_end_is_broken() {
    broken(Vec::new(), "no zip archive");
    broken(b"PK\x05\x06".to_vec(), "no zip archive");
    broken(vec![b'x'; 100_000], "no zip archive");
    let sample = sample();
    broken(sample.bytes[..sample.bytes.len() - 1].to_vec(), "no zip archive");
    broken(sample.inserting(sample.bytes.len(), b"!"), "no zip archive");
}

#[test]
fn a_comment_may_be_as_long_as_possible() {
    let sample = sample();
    let mut bytes = sample.with(sample.end + 20, &u16::MAX.to_le_bytes());
    bytes.resize(bytes.len() + 65535, b'c');
    assert_eq!(unzip(&bytes).unwrap().len(), 2);
}

#[test]
fn two_possible_ends_are_refused() {
    let sample = sample();
    let mut bytes = sample.bytes.clone();
    bytes[sample.end + 20] = 22;
    bytes.extend(&sample.bytes[sample.end..]);
    refused(bytes, "two end records");
}

#[test]
fn added_octets_are_refused() {
    for zip64_end in [false, true] {
        let sample = zip(&[Item::new("a", b"a")], zip64_end);
        for at in [0, sample.directory, sample.ends, sample.end] {
            assert!(unzip(&sample.inserting(at, b"!")).is_err(), "at {at}");
        }
        // Room for a whole hidden entry between the directory and its end.
        let hidden = sample.bytes[sample.centrals[0]..sample.ends].to_vec();
        assert!(unzip(&sample.inserting(sample.ends, &hidden)).is_err());
    }
    refused(sample().inserting(0, b"#!/bin/sh\n"), "before, into or after");
}

#[test]
fn counts_and_sizes_must_fit() {
    let sample = sample();
    for (count, words) in [(1u8, "more than the 1 entries"), (3, "too small for 3 entries")] {
        let mut bytes = sample.bytes.clone();
        bytes[sample.end + 8] = count;
        bytes[sample.end + 10] = count;
        broken(bytes, words);
    }
    let mut bytes = sample.bytes.clone();
    bytes[sample.end + 8..sample.end + 12].fill(0xff);
    broken(bytes, "too small for 65535 entries");
    broken(sample.with(sample.end + 8, &[1]), "several");
    broken(sample.with(sample.end + 4, &[1]), "several");
    broken(sample.with(sample.end + 6, &[1]), "several");
    refused(sample.with(sample.end + 12, &[1]), "should be");
    refused(sample.with(sample.end + 16, &[1]), "should be");
    broken(sample.with(sample.centrals[1], b"PK\x05\x05"), "entry 2 of the central directory");
    broken(sample.with(sample.centrals[1] + 34, &[1]), "another part");
    // A comment that would take in the end records.
    broken(sample.with(sample.centrals[1] + 32, &[30]), "ends within an entry");
}

#[test]
fn the_zip64_end_must_fit() {
    let sample = zip(&[Item::new("a", b"a")], true);
    let (record, locator) = (sample.ends, sample.ends + 56);
    broken(sample.with(record, b"PK\x06\x05"), "zip64 end record is damaged");
    broken(sample.with(record + 4, &[45]), "zip64 end record is damaged");
    refused(sample.with(record + 16, &[1]), "disagree");
    refused(sample.with(record + 20, &[1]), "disagree");
    broken(sample.with(record + 24, &[2]), "several");
    refused(sample.with(record + 48, &[1]), "should be");
    refused(sample.with(record + 47, &[0xff]), "should be");
    broken(sample.with(locator + 4, &[1]), "several");
    broken(sample.with(locator + 16, &[2]), "several");
    refused(sample.with(locator + 8, &[0]), "right before its locator");
    refused(sample.with(locator + 8, &[0xff; 8]), "right before its locator");
    refused(sample.with(sample.end + 8, &[2, 0]), "disagree");
    refused(sample.with(sample.end + 10, &[2, 0]), "disagree");
    refused(sample.with(sample.end + 12, &[1, 0, 0, 0]), "disagree");
    refused(sample.with(sample.end + 16, &[1, 0, 0, 0]), "disagree");
    assert!(unzip(&sample.with(sample.end + 8, &[1, 0])).is_ok());
    // Without its locator there is nothing to say what the end record leaves out.
    assert!(unzip(&sample.with(locator, b"PK\x06\x08")).is_err());
}

#[test]
fn zip64_fields_must_be_exact() {
    let mut item = Item::new("a", b"a");
    item.zip64 = true;
    let good = zip(std::slice::from_ref(&item), false);
    let extra = good.centrals[0] + 46 + 1;
    assert!(unzip(&good.bytes).is_ok());
    broken(good.with(extra + 2, &[16]), "extra field of \"a\"");
    broken(good.with(extra + 2, &[255]), "extra field of \"a\"");
    broken(good.with(extra, &[9]), "extra field of \"a\"");
    // A value for a number that the header doesn't leave out.
    broken(good.with(good.centrals[0] + 42, &[0; 4]), "extra field of \"a\"");
    item.central_extra = field(1, &[1, 1, 0]);
    refused(zip(std::slice::from_ref(&item), false).bytes, "two zip64 fields");
    item.zip64 = false;
    item.central_extra = b"\x01\x00\x00".to_vec();
    broken(zip(&[item], false).bytes, "extra field of \"a\"");
}

#[test]
fn a_zip64_field_may_hold_the_disk() {
    let mut item = Item::new("a", b"a");
    item.central_extra = b"\x01\x00\x04\x00\x00\x00\x00\x00".to_vec();
    let sample = zip(&[item], false);
    assert!(unzip(&sample.with(sample.centrals[0] + 34, &[0xff, 0xff])).is_ok());
    let mut bytes = sample.with(sample.centrals[0] + 34, &[0xff, 0xff]);
    bytes[sample.centrals[0] + 46 + 1 + 4] = 1;
    broken(bytes, "another part");
}

#[test]
fn names_must_be_whole() {
    let sample = sample();
    refused(sample.with(sample.centrals[0] + 46 + 1, b"\0"), "NUL");
    broken(zip(&[Item::new("", b"")], false).bytes, "no name");
    for (other, good) in [("a", true), ("b", false)] {
        let mut item = Item::new("a", b"a");
        item.central_extra = b"\x75\x70".to_vec();
        put16(&mut item.central_extra, 6);
        item.central_extra.extend(b"\x01\0\0\0\0");
        item.central_extra.extend(other.as_bytes());
        let bytes = zip(&[item], false).bytes;
        if good {
            assert!(unzip(&bytes).is_ok());
        } else {
            refused(bytes, "another name");
        }
    }
}

#[test]
fn errors_show_names_without_control_characters() {
    let mut item = Item::new("\u{1b}[2J\u{202e}x/", b"a");
    item.attributes = 0;
    refused(zip(&[item], false).bytes, r#""\u{1b}[2J\u{202e}x/" is a folder, yet it has content"#);
}

#[test]
fn limits_hold() {
    let sample = sample();
    let visit = &mut |_: &[u8], _, _| Ok(());
    let limits = Limits::default();
    let errors = [
        (Limits { entries: 1, ..limits }, "more than 1 entries, from \"b/c.txt\" on"),
        (Limits { bytes: 313, ..limits }, "more than 313 octets when unpacked, from \"b/c.txt\" on"),
    ];
    for (limits, words) in errors {
        match read_directory(&sample.bytes, &limits, visit) {
            Err(ArchiveError::Refused(text)) => assert!(text.contains(words), "{text}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(read_directory(&sample.bytes, &Limits { entries: 2, bytes: 314, ratio: 1 }, visit).is_ok());
    let bomb = zip(&[Item::new("bomb", &vec![0; 65 << 20])], false).bytes;
    let ratio = Limits::HARMLESS / bomb.len() as u64;
    refused(bomb.clone(), "unpacks to more than 500 times its size at \"bomb\"");
    assert!(read_directory(&bomb, &Limits { ratio: ratio * 2, ..limits }, visit).is_ok());
    // Sums that overflow are not small.
    let mut items = [Item::new("a", b"a"), Item::new("b", b"b")];
    for item in &mut items {
        item.zip64 = true;
    }
    let sample = zip(&items, false);
    let mut bytes = sample.bytes.clone();
    for central in sample.centrals {
        bytes[central + 46 + 1 + 4..][..8].copy_from_slice(&(u64::MAX / 2 + 1).to_le_bytes());
    }
    let limits = Limits { bytes: u64::MAX / 2 + 2, ratio: u64::MAX, ..limits };
    assert!(matches!(read_directory(&bytes, &limits, visit), Err(ArchiveError::Refused(_))));
}

#[test]
fn overlaps_are_refused() {
    let sample = sample();
    let second = sample.centrals[1] + 42;
    refused(sample.with(second, &[0, 0]), "0 and 0 overlap");
    refused(sample.with(second, &[5, 0]), "0 and 5 overlap");
    refused(sample.with(sample.centrals[1] + 20, &[200]), "reaches into the central directory");
    refused(sample.with(second, &[0xff; 3]), "reaches into the central directory");
    let entry = |offset, compressed| ZipEntry {
        offset,
        compressed,
        length: 0,
        crc32: 0,
        method: 8,
        flags: 0,
        name_length: 1,
        kind: Kind::File,
    };
    assert!(check_overlaps(&[], 0).is_ok());
    assert!(check_overlaps(&[entry(62, 1), entry(0, 31), entry(100, 0)], 131).is_ok());
    assert!(check_overlaps(&[entry(62, 1), entry(0, 32)], 131).is_err());
    assert!(check_overlaps(&[entry(62, 70), entry(0, 31)], 131).is_err());
    assert!(check_overlaps(&[entry(62, u64::MAX), entry(0, u64::MAX - 5)], u64::MAX).is_err());
    assert!(check_overlaps(&[entry(u64::MAX, 0)], 131).is_err());
}

#[test]
fn a_local_extra_field_shows_in_the_end() {
    let mut item = Item::stored("a", b"abc");
    item.local_extra = field(0x9999, &[1, 2]);
    let sample = zip(&[item], false);
    let (name, entry, content) = unzip(&sample.bytes).unwrap().remove(0);
    assert_eq!(content, b"abc");
    let end = check_local(&sample.bytes, &entry, &name, &mut Vec::new()).unwrap();
    assert_eq!(end, 30 + 1 + 20 + 3);
    assert_eq!(end, sample.directory as u64);
}

#[test]
fn a_local_extra_field_may_be_long() {
    for method in [0, 8] {
        let mut item = Item::new("a", &b"abc".repeat(50_000));
        item.method = method;
        item.local_extra = field(0x9999, &vec![7; 8000]);
        item.zip64 = true;
        assert_eq!(unzip(&zip(&[item], false).bytes).unwrap()[0].2, b"abc".repeat(50_000));
    }
}

#[test]
fn the_local_header_must_agree() {
    let sample = sample();
    for (at, new, words) in [
        (0, 1, "no local header"),
        (8, 0, "another compression method"),
        (6, 1, "another encryption flag"),
        (26, 4, "another name"),
        (30, b'b', "another name"),
        (14, 0, "another CRC-32"),
        (18, 0, "another compressed size"),
        (22, 0, "another size"),
    ] {
        let bytes = sample.with(sample.locals[0] + at, &[new]);
        broken(bytes.clone(), words);
        let error =
            entry_error(&bytes, |entry, name| check_local(&bytes, entry, name, &mut Vec::new()).map(drop));
        assert!(error.contains(words) && error.starts_with("\"a.txt\": "), "{error}");
    }
}

/// What goes wrong with the first entry of an archive.
fn entry_error(bytes: &Vec<u8>, action: impl Fn(&ZipEntry, &[u8]) -> io::Result<()>) -> String {
    let mut first = None;
    read_directory(bytes, &Limits::default(), &mut |name, _, entry| {
        first.get_or_insert((name.to_vec(), entry));
        Ok(())
    })
    .unwrap();
    let (name, entry) = first.unwrap();
    action(&entry, &name).unwrap_err().to_string()
}

#[test]
fn with_a_data_descriptor_zeros_agree_too() {
    let mut item = Item::new("a", b"hello");
    item.flags = 8;
    let sample = zip(&[item.clone()], false);
    assert!(unzip(&sample.bytes).is_ok());
    let zeroed = sample.with(14, &[0; 12]);
    assert!(unzip(&zeroed).is_ok());
    broken(sample.with(14, &[1]), "another CRC-32");
    broken(sample.with(18, &[1]), "another compressed size");
    broken(sample.with(22, &[1]), "another size");
    item.flags = 0;
    broken(zip(&[item], false).with(14, &[0; 12]), "another CRC-32");
}

#[test]
fn the_local_zip64_field_is_honoured() {
    let mut item = Item::new("a", b"hello");
    item.zip64 = true;
    let sample = zip(&[item], false);
    let extra = 30 + 1;
    broken(sample.with(extra + 4, &[1]), "another size");
    broken(sample.with(extra + 12, &[1]), "another compressed size");
    broken(sample.with(extra, &[9]), "extra field of its local header");
    broken(sample.with(extra + 2, &[8]), "extra field of its local header");
    broken(sample.with(extra + 2, &[17]), "extra field of its local header");
    // One number alone, in a field that still holds both, or only that one.
    let packed = u32::try_from(sample.directory - extra - 20).unwrap();
    assert!(unzip(&sample.with(18, &packed.to_le_bytes())).is_ok());
    assert!(unzip(&sample.with(22, &5u32.to_le_bytes())).is_ok());
}

#[test]
fn what_is_not_read_is_said() {
    let mut item = Item::stored("a", b"hello");
    item.method = 12;
    let mut bytes = zip(std::slice::from_ref(&item), false).bytes;
    broken(bytes.clone(), "compression method 12 is not read");
    item.method = 0;
    item.flags = 1;
    bytes = zip(&[item], false).bytes;
    broken(bytes, "is encrypted");
    let sample = zip(&[Item::stored("a", b"hello")], false);
    let mut bytes = sample.with(22, &[4]);
    bytes[sample.centrals[0] + 24] = 4;
    broken(bytes, "two different sizes");
}

/// An archive of one entry whose two headers say `length` and `packed` octets, whatever the content is.
fn lying(content: &[u8], method: u16, length: usize, packed: isize, crc_of: &[u8]) -> Vec<u8> {
    let mut item = Item::new("a", content);
    item.method = method;
    let sample = zip(&[item], false);
    let true_packed = sample.directory - 31;
    let mut bytes = sample.bytes.clone();
    let packed = u32::try_from(true_packed.strict_add_signed(packed)).unwrap();
    let length = u32::try_from(length).unwrap();
    for base in [14, sample.centrals[0] + 16] {
        bytes[base..base + 4].copy_from_slice(&crc32fast::hash(crc_of).to_le_bytes());
        bytes[base + 4..base + 8].copy_from_slice(&packed.to_le_bytes());
        bytes[base + 8..base + 12].copy_from_slice(&length.to_le_bytes());
    }
    bytes
}

#[test]
fn content_must_be_what_was_promised() {
    let text = b"some text, some text";
    assert!(unzip(&lying(text, 8, 20, 0, text)).is_ok());
    broken(lying(text, 8, 19, 0, &text[..19]), "unpacks to more than 19 octets");
    broken(lying(text, 8, 21, 0, text), "unpacks to 20 octets instead of 21");
    broken(lying(text, 8, 20, 0, b"other"), "does not match its CRC-32");
    broken(lying(text, 0, 20, 0, b"other"), "does not match its CRC-32");
    broken(lying(text, 8, 20, -1, text), "cut short");
    broken(lying(b"", 8, 0, -1, b""), "cut short");
    broken(lying(b"", 8, 1, 0, b""), "unpacks to 0 octets instead of 1");
    broken(lying(text, 8, 0, 0, b""), "unpacks to more than 0 octets");
    // With an octet between the content and the directory there is room to claim it.
    let mut item = Item::new("a", text);
    item.flags = 8;
    let mut sample = zip(&[item], false);
    sample.bytes = sample.inserting(sample.directory, b"!");
    let (central, end) = (sample.centrals[0] + 1, sample.end + 1);
    sample.bytes[18] += 1;
    sample.bytes[central + 20] += 1;
    sample.bytes[end + 16] += 1;
    broken(sample.bytes, "ends 1 octets too early");
    let sample = zip(&[Item::new("a", text)], false);
    broken(sample.with(31, &[0xff; 4]), "is damaged");
}

#[test]
fn the_check_comes_when_the_end_is_read() {
    let bytes = lying(b"some text", 8, 9, 0, b"other");
    let error = entry_error(&bytes, |entry, name| {
        let mut reader = open_entry(&bytes, entry, name)?;
        let mut content = [0; 9];
        reader.read_exact(&mut content).unwrap();
        assert_eq!(&content, b"some text");
        assert_eq!(reader.read(&mut []).unwrap(), 0);
        let first = reader.read(&mut content).unwrap_err().to_string();
        assert_eq!(reader.read(&mut content).unwrap_err().to_string(), first);
        assert_eq!(reader.read(&mut content).unwrap_err().kind(), io::ErrorKind::InvalidData);
        Err(io::Error::other(first))
    });
    assert_eq!(error, "\"a\": its content does not match its CRC-32");
}

#[test]
fn a_file_that_became_shorter_is_an_error() {
    let sample = zip(&[Item::stored("a", &vec![7; 200_000]), Item::new("b", b"b")], false);
    let mut first = None;
    read_directory(&sample.bytes, &Limits::default(), &mut |_, _, entry| {
        first.get_or_insert(entry);
        Ok(())
    })
    .unwrap();
    for length in [0, 10, 31, 1000, 199_999] {
        let cut = sample.bytes[..length].to_vec();
        let read = open_entry(&cut, &first.unwrap(), b"a").and_then(|mut r| r.read_to_end(&mut Vec::new()));
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::InvalidData, "{length}");
    }
}

fn mutable() -> Zip {
    let mut items = [
        Item::new("a.txt", &b"hello ".repeat(50)),
        Item::stored("b", b"stored content"),
        Item::new("c", b""),
        Item::new("d", &(0..=255).collect::<Vec<u8>>()),
    ];
    items[1].zip64 = true;
    items[3].flags = 8;
    zip(&items, true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn random_octets_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = unzip(&bytes);
        let mut ended = sample().bytes;
        let (at, new) = (ended.len() / 2, bytes);
        ended.splice(at..at, new);
        let _ = unzip(&ended);
    }

    /// Whatever is changed: an error, or every entry's very content.
    #[test]
    fn mutations_never_change_content(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in proptest::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let good = mutable();
        let mut bytes = good.bytes.clone();
        for (index, new) in changes {
            let at = index.index(bytes.len());
            bytes[at] = new;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(read) = unzip(&bytes) {
            let contents: Vec<_> = read.into_iter().map(|(_, _, content)| content).collect();
            let wanted: Vec<_> = unzip(&good.bytes).unwrap().into_iter().map(|(_, _, content)| content).collect();
            prop_assert_eq!(contents, wanted);
        }
    }

    #[test]
    fn round_trips(files in proptest::collection::vec(
        (any::<bool>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..5000)), 0..8,
    ), zip64 in any::<bool>()) {
        let items: Vec<_> = files.iter().enumerate().map(|(number, (stored, zip64, content))| {
            let mut item = Item::new(&number.to_string(), content);
            item.method = if *stored { 0 } else { 8 };
            item.zip64 = *zip64;
            item
        }).collect();
        let read = unzip(&zip(&items, zip64).bytes).unwrap();
        prop_assert_eq!(read.len(), items.len());
        for (item, (name, _, content)) in items.iter().zip(read) {
            prop_assert_eq!((&item.name, &item.content), (&name, &content));
        }
    }
}
