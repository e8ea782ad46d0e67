//! Archives for the tests: made by Python, or put together octet by octet so that each can break one rule.

use crate::bag::archive::source::{ArchiveError, Limits, ReadAt};
use crate::bag::archive::zip_directory::{ZipEntry, check_overlaps, read_directory};
use crate::bag::archive::zip_entry::{check_local, open_entry};
use std::io::{Read, Write};
use std::process::{Command, Stdio};

/// What a Python script writes to its standard output; `None` where there is no Python.
pub fn python(script: &str, input: &[u8]) -> Option<Vec<u8>> {
    let mut child = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{script}");
    Some(output.stdout)
}

/// An entry of a zip archive to be put together.
#[derive(Clone)]
pub struct Item {
    pub name: Vec<u8>,
    pub content: Vec<u8>,
    pub method: u16,
    pub flags: u16,
    pub attributes: u32,
    pub local_extra: Vec<u8>,
    pub central_extra: Vec<u8>,
    /// Says all sizes and the offset in zip64 fields.
    pub zip64: bool,
}

impl Item {
    pub fn new(name: &str, content: &[u8]) -> Self {
        Self {
            name: name.into(),
            content: content.into(),
            method: 8,
            flags: 0,
            attributes: 0o100_644 << 16,
            local_extra: Vec::new(),
            central_extra: Vec::new(),
            zip64: false,
        }
    }

    pub fn stored(name: &str, content: &[u8]) -> Self {
        Self { method: 0, ..Self::new(name, content) }
    }

    fn packed(&self) -> Vec<u8> {
        if self.method == 0 {
            return self.content.clone();
        }
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&self.content).unwrap();
        encoder.finish().unwrap()
    }
}

/// A zip archive with the offsets of its parts, so that tests can change any octet of them.
#[derive(Clone)]
pub struct Zip {
    pub bytes: Vec<u8>,
    pub locals: Vec<usize>,
    pub centrals: Vec<usize>,
    pub directory: usize,
    /// Where the end records begin.
    pub ends: usize,
    /// Where the 22-octet end record is.
    pub end: usize,
}

impl Zip {
    /// The archive with the octets at `at` replaced.
    pub fn with(&self, at: usize, new: &[u8]) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes[at..at + new.len()].copy_from_slice(new);
        bytes
    }

    /// The archive with octets put in at `at` and no offset adjusted.
    pub fn inserting(&self, at: usize, new: &[u8]) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes.splice(at..at, new.iter().copied());
        bytes
    }
}

pub fn zip(items: &[Item], zip64_end: bool) -> Zip {
    let mut bytes = Vec::new();
    let mut locals = Vec::new();
    let mut packed_sizes = Vec::new();
    for item in items {
        locals.push(bytes.len());
        let packed = item.packed();
        bytes.extend(b"PK\x03\x04\x2d\x00");
        header(&mut bytes, item, packed.len());
        let mut extra = item.local_extra.clone();
        if item.zip64 {
            extra.extend(field(1, &[item.content.len() as u64, packed.len() as u64]));
        }
        put16(&mut bytes, extra.len());
        bytes.extend(&item.name);
        bytes.extend(&extra);
        bytes.extend(&packed);
        packed_sizes.push(packed.len());
    }
    let directory = bytes.len();
    let mut centrals = Vec::new();
    for ((item, &local), &packed) in items.iter().zip(&locals).zip(&packed_sizes) {
        centrals.push(bytes.len());
        bytes.extend(b"PK\x01\x02\x2d\x03\x2d\x00");
        header(&mut bytes, item, packed);
        let mut extra = item.central_extra.clone();
        if item.zip64 {
            extra.extend(field(1, &[item.content.len() as u64, packed as u64, local as u64]));
        }
        put16(&mut bytes, extra.len());
        bytes.extend([0; 6]);
        bytes.extend(item.attributes.to_le_bytes());
        put32(&mut bytes, if item.zip64 { 0xffff_ffff } else { local });
        bytes.extend(&item.name);
        bytes.extend(&extra);
    }
    let ends = bytes.len();
    let mut archive = Zip { bytes, locals, centrals, directory, ends, end: ends };
    end_records(&mut archive, items.len(), zip64_end);
    archive
}

/// What the local and the central header have in common, from the flags to the length of the name.
fn header(bytes: &mut Vec<u8>, item: &Item, packed: usize) {
    bytes.extend(item.flags.to_le_bytes());
    bytes.extend(item.method.to_le_bytes());
    bytes.extend([0, 0, 0x21, 0]);
    bytes.extend(crc32fast::hash(&item.content).to_le_bytes());
    put32(bytes, if item.zip64 { 0xffff_ffff } else { packed });
    put32(bytes, if item.zip64 { 0xffff_ffff } else { item.content.len() });
    put16(bytes, item.name.len());
}

fn end_records(zip: &mut Zip, count: usize, zip64: bool) {
    let size = zip.ends - zip.directory;
    let bytes = &mut zip.bytes;
    if zip64 {
        bytes.extend(b"PK\x06\x06");
        bytes.extend(44u64.to_le_bytes());
        bytes.extend([45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for number in [count, count, size, zip.directory] {
            bytes.extend((number as u64).to_le_bytes());
        }
        bytes.extend(b"PK\x06\x07\0\0\0\0");
        bytes.extend((zip.ends as u64).to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
    }
    zip.end = bytes.len();
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    put16(bytes, if zip64 { 0xffff } else { count });
    put16(bytes, if zip64 { 0xffff } else { count });
    put32(bytes, if zip64 { 0xffff_ffff } else { size });
    put32(bytes, if zip64 { 0xffff_ffff } else { zip.directory });
    put16(bytes, 0);
}

pub fn field(id: u16, values: &[u64]) -> Vec<u8> {
    let mut field = id.to_le_bytes().to_vec();
    put16(&mut field, values.len() * 8);
    values.iter().for_each(|value| field.extend(value.to_le_bytes()));
    field
}

pub fn put16(bytes: &mut Vec<u8>, value: usize) {
    bytes.extend(u16::try_from(value).unwrap().to_le_bytes());
}

pub fn put32(bytes: &mut Vec<u8>, value: usize) {
    bytes.extend(u32::try_from(value).unwrap().to_le_bytes());
}

/// Names, entries and contents of a whole zip archive, after every check.
pub type Contents = Vec<(Vec<u8>, ZipEntry, Vec<u8>)>;

pub fn unzip(source: &dyn ReadAt) -> Result<Contents, ArchiveError> {
    let mut found = Vec::new();
    let directory = read_directory(source, &Limits::default(), &mut |name, _, entry| {
        found.push((name.to_vec(), entry));
        Ok(())
    })?;
    let entries: Vec<_> = found.iter().map(|(_, entry)| *entry).collect();
    check_overlaps(&entries, directory)?;
    let mut contents = Vec::new();
    let mut scratch = Vec::new();
    for (name, entry) in found {
        assert!(check_local(source, &entry, &name, &mut scratch)? > entry.offset);
        let mut content = Vec::new();
        open_entry(source, &entry, &name)?.read_to_end(&mut content)?;
        contents.push((name, entry, content));
    }
    Ok(contents)
}

/// A header block of a tar archive with the right checksum.
pub fn tar_header(name: &[u8], flag: u8, size: u64) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..name.len()].copy_from_slice(name);
    block[100..108].copy_from_slice(b"0000644\0");
    block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    block[156] = flag;
    block[257..265].copy_from_slice(b"ustar\x0000");
    seal(&mut block);
    block
}

/// Puts the right checksum into a changed header.
pub fn seal(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block[..512].iter().map(|&octet| u32::from(octet)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// A header with its content, padded.
pub fn tar_entry(name: &[u8], flag: u8, content: &[u8]) -> Vec<u8> {
    let mut entry = tar_header(name, flag, content.len() as u64);
    entry.extend(content);
    entry.resize(entry.len().next_multiple_of(512), 0);
    entry
}

/// The records of a pax header.
pub fn records(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut text = String::new();
    for (key, value) in pairs {
        let rest = key.len() + value.len() + 3;
        let length = (rest..rest + 20).find(|length| rest + length.to_string().len() == *length).unwrap();
        text.push_str(&format!("{length} {key}={value}\n"));
    }
    text.into_bytes()
}

/// An archive of these parts with its end.
pub fn tar(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = parts.concat();
    bytes.extend([0; 1024]);
    bytes
}
