//! A zip archive of stored entries at offsets that are known before their bytes are (APPNOTE 6.3.10).
//!
//! Each entry's bytes begin at a multiple of [`ALIGNMENT`], or of a page where the file is large, so that they can be
//! read, mapped or handed to a decoder in place. The gap is an extra field of the local header, as zipalign makes it.

use std::io::{self, Write};

/// Where an entry's bytes begin, in octets.
const ALIGNMENT: u64 = 64;
/// Entries from this many octets on begin at a page.
const LARGE: u64 = 64 << 10;
const PAGE: u64 = 4096;
/// The extra field that only takes room.
const PADDING: u16 = 0xD935;
const ZIP64: u16 = 0x0001;
/// Sizes and offsets from here on need zip64's fields.
const MOST: u64 = 0xFFFF_FFFF;
/// The first day that a zip archive can name: 1980-01-01.
const DATE: u16 = 0x0021;
/// Names are UTF-8.
const FLAGS: u16 = 0x0800;

/// An entry's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where its local header begins.
    pub(super) header: u64,
    /// Where its bytes begin.
    pub(super) data: u64,
    /// How many there are.
    pub(super) length: u64,
}

impl Entry {
    /// The place of an entry whose header may begin at `at`.
    pub(super) fn at(at: u64, name: &str, length: u64) -> Self {
        let fixed = at + 30 + name.len() as u64 + zip64_local(length);
        let alignment = if length >= LARGE { PAGE } else { ALIGNMENT };
        let mut data = fixed.next_multiple_of(alignment);
        // Padding takes four octets for itself.
        if data != fixed && data - fixed < 4 {
            data += alignment;
        }
        Self { header: at, data, length }
    }

    /// Where the next entry may begin.
    pub(super) fn end(&self) -> u64 {
        self.data + self.length
    }
}

/// Octets of the zip64 field in a local header.
fn zip64_local(length: u64) -> u64 {
    if length >= MOST { 20 } else { 0 }
}

fn capped(number: u64) -> u32 {
    u32::try_from(number.min(MOST)).unwrap_or(u32::MAX)
}

/// The version needed to read an entry: 4.5 where it has zip64's fields, else 2.0.
fn version(is_zip64: bool) -> u16 {
    if is_zip64 { 45 } else { 20 }
}

/// An entry's local header, up to its bytes.
pub(super) fn local_header(entry: &Entry, name: &str, crc: u32) -> Vec<u8> {
    let is_zip64 = entry.length >= MOST;
    let mut header = Vec::with_capacity(usize::try_from(entry.data - entry.header).unwrap_or(0));
    header.extend(0x0403_4B50_u32.to_le_bytes());
    common(&mut header, is_zip64, crc, entry.length);
    header.extend(capped(name.len() as u64).to_le_bytes()[..2].iter());
    let extra = entry.data - entry.header - 30 - name.len() as u64;
    header.extend(&capped(extra).to_le_bytes()[..2]);
    header.extend(name.as_bytes());
    if is_zip64 {
        header.extend(ZIP64.to_le_bytes());
        header.extend(16_u16.to_le_bytes());
        header.extend(entry.length.to_le_bytes());
        header.extend(entry.length.to_le_bytes());
    }
    let padding = extra - zip64_local(entry.length);
    if padding >= 4 {
        header.extend(PADDING.to_le_bytes());
        header.extend(&capped(padding - 4).to_le_bytes()[..2]);
        header.resize(header.len() + usize::try_from(padding - 4).unwrap_or(0), 0);
    }
    header
}

/// What both headers have between their signature and the lengths of their names.
fn common(header: &mut Vec<u8>, is_zip64: bool, crc: u32, length: u64) {
    for number in [version(is_zip64), FLAGS, 0, 0, DATE] {
        header.extend(number.to_le_bytes());
    }
    for number in [crc, capped(length), capped(length)] {
        header.extend(number.to_le_bytes());
    }
}

/// Writes the central directory and the end of the archive, from the octet `start` on.
pub(super) fn write_directory<'n>(
    out: &mut dyn Write,
    start: u64,
    entries: impl Iterator<Item = (Entry, &'n str, u32)>,
) -> io::Result<()> {
    let (mut count, mut size) = (0_u64, 0_u64);
    for (entry, name, crc) in entries {
        let record = directory_record(&entry, name, crc);
        out.write_all(&record)?;
        count += 1;
        size += record.len() as u64;
    }
    if count >= 0xFFFF || size >= MOST || start >= MOST {
        let mut end = Vec::new();
        end.extend(0x0606_4B50_u32.to_le_bytes());
        end.extend(44_u64.to_le_bytes());
        end.extend([version(true).to_le_bytes(), version(true).to_le_bytes()].concat());
        end.extend([0; 8]);
        for number in [count, count, size, start] {
            end.extend(number.to_le_bytes());
        }
        end.extend(0x0706_4B50_u32.to_le_bytes());
        end.extend(0_u32.to_le_bytes());
        end.extend((start + size).to_le_bytes());
        end.extend(1_u32.to_le_bytes());
        out.write_all(&end)?;
    }
    let mut end = Vec::new();
    end.extend(0x0605_4B50_u32.to_le_bytes());
    end.extend([0; 4]);
    let short = u16::try_from(count).unwrap_or(u16::MAX);
    end.extend([short.to_le_bytes(), short.to_le_bytes()].concat());
    end.extend(capped(size).to_le_bytes());
    end.extend(capped(start).to_le_bytes());
    end.extend([0; 2]);
    out.write_all(&end)
}

fn directory_record(entry: &Entry, name: &str, crc: u32) -> Vec<u8> {
    let mut zip64 = Vec::new();
    if entry.length >= MOST {
        zip64.extend(entry.length.to_le_bytes());
        zip64.extend(entry.length.to_le_bytes());
    }
    if entry.header >= MOST {
        zip64.extend(entry.header.to_le_bytes());
    }
    let mut record = Vec::with_capacity(46 + name.len() + zip64.len());
    record.extend(0x0201_4B50_u32.to_le_bytes());
    // Made on Unix, so that the permissions are read.
    record.extend((0x0300 | version(true)).to_le_bytes());
    common(&mut record, !zip64.is_empty(), crc, entry.length);
    record.extend(&capped(name.len() as u64).to_le_bytes()[..2]);
    let extra = if zip64.is_empty() { 0 } else { zip64.len() as u64 + 4 };
    record.extend(&capped(extra).to_le_bytes()[..2]);
    // No comment, first disk, no internal attributes.
    record.extend([0; 6]);
    record.extend((0o100_644_u32 << 16).to_le_bytes());
    record.extend(capped(entry.header).to_le_bytes());
    record.extend(name.as_bytes());
    if !zip64.is_empty() {
        record.extend(ZIP64.to_le_bytes());
        record.extend(&capped(zip64.len() as u64).to_le_bytes()[..2]);
        record.extend(&zip64);
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_begin_where_they_should() {
        let mut at = 0;
        for (name, length) in [("a", 0), ("bag/b", 5), ("bag/data/longer", 70_000), ("c", 1 << 33), ("d", 1)]
        {
            let entry = Entry::at(at, name, length);
            let alignment = if length >= LARGE { PAGE } else { ALIGNMENT };
            assert_eq!(entry.data % alignment, 0, "{name}");
            assert_eq!(local_header(&entry, name, 7).len() as u64, entry.data - entry.header, "{name}");
            at = entry.end();
        }
    }

    #[test]
    fn the_zip_crate_reads_it() {
        let names: Vec<String> = (0..70_000).map(|number| format!("bag/{number}")).collect();
        let mut archive = Vec::new();
        let mut entries = Vec::new();
        for name in &names {
            let entry = Entry::at(archive.len() as u64, name, name.len() as u64);
            let crc = crc32fast::hash(name.as_bytes());
            archive.extend(local_header(&entry, name, crc));
            archive.extend(name.as_bytes());
            entries.push((entry, name.as_str(), crc));
        }
        let start = archive.len() as u64;
        write_directory(&mut archive, start, entries.into_iter()).unwrap();
        let mut zip = zip::ZipArchive::new(io::Cursor::new(archive)).unwrap();
        assert_eq!(zip.len(), names.len());
        for index in [0, 1, 65_535, 69_999] {
            let text = io::read_to_string(zip.by_index(index).unwrap()).unwrap();
            assert_eq!(text, names[index]);
        }
    }
}
