//! The records of a zip archive (APPNOTE.TXT 4.3), as a bag has them: dated 1980-01-01, mode 0644, names in UTF-8.

use std::io::{self, Seek, SeekFrom, Write};

/// In a 32-bit field: the value is in the zip64 field.
const WIDE: u32 = u32::MAX;
/// Names are UTF-8.
const FLAGS: u16 = 1 << 11;
/// 1980-01-01, the first day there is.
const DATE: u16 = 1 << 5 | 1;
/// 4.5, for zip64; made on Unix, so that the mode counts.
const NEEDED: u16 = 45;
const MADE_BY: u16 = 3 << 8 | 45;
/// A plain file that its owner may write and all may read.
const MODE: u32 = 0o100_644 << 16;

/// An entry that is done.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) name: Box<str>,
    pub(super) deflated: bool,
    pub(super) offset: u64,
    pub(super) crc: u32,
    pub(super) compressed: u64,
    pub(super) length: u64,
}

impl Record {
    /// Writes the local header. Every entry has a zip64 field, for its sizes may be known only at its end.
    pub(super) fn write_local(&self, out: &mut impl Write) -> io::Result<()> {
        let mut header = Vec::with_capacity(50 + self.name.len());
        header.extend(b"PK\x03\x04");
        header.extend(NEEDED.to_le_bytes());
        self.common(&mut header);
        header.extend(self.crc.to_le_bytes());
        header.extend(WIDE.to_le_bytes());
        header.extend(WIDE.to_le_bytes());
        header.extend(self.name_length()?.to_le_bytes());
        header.extend(20_u16.to_le_bytes());
        header.extend(self.name.as_bytes());
        header.extend(1_u16.to_le_bytes());
        header.extend(16_u16.to_le_bytes());
        header.extend(self.length.to_le_bytes());
        header.extend(self.compressed.to_le_bytes());
        out.write_all(&header)
    }

    /// Writes checksum and sizes into the local header that was written before they were known.
    pub(super) fn patch_local(&self, out: &mut (impl Write + Seek)) -> io::Result<()> {
        out.seek(SeekFrom::Start(self.offset + 14))?;
        out.write_all(&self.crc.to_le_bytes())?;
        out.seek(SeekFrom::Start(self.offset + 34 + self.name.len() as u64))?;
        out.write_all(&self.length.to_le_bytes())?;
        out.write_all(&self.compressed.to_le_bytes())?;
        out.seek(SeekFrom::End(0)).map(drop)
    }

    /// Flags, method, time and date.
    fn common(&self, header: &mut Vec<u8>) {
        header.extend(FLAGS.to_le_bytes());
        header.extend(if self.deflated { 8_u16 } else { 0 }.to_le_bytes());
        header.extend(0_u16.to_le_bytes());
        header.extend(DATE.to_le_bytes());
    }

    fn name_length(&self) -> io::Result<u16> {
        let long = || {
            io::Error::new(io::ErrorKind::InvalidInput, format!("{} is too long a name for a zip", self.name))
        };
        u16::try_from(self.name.len()).map_err(|_| long())
    }

    fn write_central(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let mut wide = Vec::new();
        let mut narrow = |value: u64| match u32::try_from(value) {
            Ok(value) if value != WIDE => value,
            _ => {
                wide.extend(value.to_le_bytes());
                WIDE
            }
        };
        let (length, compressed) = (narrow(self.length), narrow(self.compressed));
        let offset = narrow(self.offset);
        out.extend(b"PK\x01\x02");
        out.extend(MADE_BY.to_le_bytes());
        out.extend(NEEDED.to_le_bytes());
        self.common(out);
        out.extend(self.crc.to_le_bytes());
        out.extend(compressed.to_le_bytes());
        out.extend(length.to_le_bytes());
        out.extend(self.name_length()?.to_le_bytes());
        let extra = if wide.is_empty() { 0 } else { 4 + wide.len() };
        out.extend(u16::try_from(extra).unwrap_or(0).to_le_bytes());
        // No comment, the first disk, no internal attributes.
        out.extend([0; 6]);
        out.extend(MODE.to_le_bytes());
        out.extend(offset.to_le_bytes());
        out.extend(self.name.as_bytes());
        if !wide.is_empty() {
            out.extend(1_u16.to_le_bytes());
            out.extend(u16::try_from(wide.len()).unwrap_or(0).to_le_bytes());
            out.extend(wide);
        }
        Ok(())
    }
}

/// Writes the central directory and the end of the archive; `start` is where it goes.
pub(super) fn write_directory(out: &mut impl Write, records: &[Record], start: u64) -> io::Result<()> {
    let (mut buffer, mut length) = (Vec::new(), 0);
    for record in records {
        record.write_central(&mut buffer)?;
        if buffer.len() >= 1 << 16 {
            length += buffer.len() as u64;
            out.write_all(&buffer)?;
            buffer.clear();
        }
    }
    length += buffer.len() as u64;
    let count = records.len() as u64;
    let fits = count < 0xFFFF && length < u64::from(WIDE) && start < u64::from(WIDE);
    if !fits {
        buffer.extend(b"PK\x06\x06");
        buffer.extend(44_u64.to_le_bytes());
        buffer.extend(MADE_BY.to_le_bytes());
        buffer.extend(NEEDED.to_le_bytes());
        buffer.extend([0; 8]);
        for value in [count, count, length, start] {
            buffer.extend(value.to_le_bytes());
        }
        buffer.extend(b"PK\x06\x07");
        buffer.extend([0; 4]);
        buffer.extend((start + length).to_le_bytes());
        buffer.extend(1_u32.to_le_bytes());
    }
    let narrow = |value: u64| u32::try_from(value).unwrap_or(WIDE);
    let few = u16::try_from(count).unwrap_or(u16::MAX);
    buffer.extend(b"PK\x05\x06");
    buffer.extend([0; 4]);
    buffer.extend(few.to_le_bytes());
    buffer.extend(few.to_le_bytes());
    buffer.extend(narrow(length).to_le_bytes());
    buffer.extend(narrow(start).to_le_bytes());
    buffer.extend([0; 2]);
    out.write_all(&buffer)
}
