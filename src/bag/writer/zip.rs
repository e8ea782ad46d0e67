//! The zip archive around the entries (APPNOTE.TXT): written from front to back, hashed while it is written.
//!
//! An entry whose sizes are known beforehand has them in its local header. Any other is followed by a data descriptor with
//! sizes of eight octets. What is too large for four octets goes to the fields of zip64 in the directory, and only that.

use std::io::{self, Write};
use std::sync::Arc;

use rayon::ThreadPool;

use super::block::{Block, Ticket};
use super::lane::Lane;
use crate::bag::{Algorithm, Digest};

/// Written out as one.
const GATHERED: usize = 256 << 10;
/// 1980-01-01, in the format's own calendar.
const DATE: u16 = 1 << 5 | 1;
/// A regular file, mode 0644.
const ATTRIBUTES: u32 = 0o100_644 << 16;
/// Names are UTF-8; a data descriptor follows.
const UTF8: u16 = 1 << 11;
const DESCRIBED: u16 = 1 << 3;
/// Made on Unix, by what knows version 4.5: zip64.
const MADE_BY: u16 = 3 << 8 | 45;
const IN_ZIP64: u32 = u32::MAX;

/// What an entry is like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) crc: u32,
    pub(super) packed: u64,
    pub(super) length: u64,
}

/// Whether an entry is worth compressing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Stored as it is: media that are compressed already.
    Store,
    /// Deflated.
    Deflate,
}

impl Compression {
    /// Chosen by a file's name: what is compressed already is stored.
    #[must_use]
    pub fn for_name(name: &str) -> Self {
        const PACKED: [&str; 23] = [
            "7z", "avif", "bz2", "docx", "gif", "gz", "h5", "heic", "jp2", "jpeg", "jpg", "mp3", "mp4",
            "npz", "parquet", "pdf", "png", "webp", "xlsx", "xz", "zip", "zst", "tgz",
        ];
        let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        if extension.is_some_and(|extension| PACKED.contains(&extension.as_str())) {
            Self::Store
        } else {
            Self::Deflate
        }
    }

    fn method(self) -> u16 {
        match self {
            Self::Store => 0,
            Self::Deflate => 8,
        }
    }
}

/// The archive.
pub(super) struct Zip<'p, W> {
    out: W,
    pool: &'p ThreadPool,
    lane: Lane,
    gathered: Vec<u8>,
    /// Octets before `gathered`.
    written: u64,
    directory: Vec<u8>,
    entries: u64,
    /// Of the entry whose content is being written.
    offset: u64,
}

impl<'p, W: Write> Zip<'p, W> {
    pub(super) fn new(out: W, pool: &'p ThreadPool) -> Self {
        Self {
            out,
            pool,
            lane: Lane::new(Algorithm::Sha256),
            gathered: Vec::new(),
            written: 0,
            directory: Vec::new(),
            entries: 0,
            offset: 0,
        }
    }

    fn position(&self) -> u64 {
        self.written + self.gathered.len() as u64
    }

    /// Starts an entry, with its sizes where they are known already.
    pub(super) fn start(
        &mut self,
        name: &str,
        compression: Compression,
        sizes: Option<Sizes>,
    ) -> io::Result<()> {
        self.offset = self.position();
        let (flags, crc, packed, length) = match sizes {
            Some(sizes) => (UTF8, sizes.crc, short(sizes.packed), short(sizes.length)),
            None => (UTF8 | DESCRIBED, 0, IN_ZIP64, IN_ZIP64),
        };
        let mut header = Vec::with_capacity(50 + name.len());
        header.extend(0x0403_4b50_u32.to_le_bytes());
        header.extend(version(sizes.is_none()).to_le_bytes());
        header.extend(flags.to_le_bytes());
        header.extend(compression.method().to_le_bytes());
        header.extend(0_u16.to_le_bytes());
        header.extend(DATE.to_le_bytes());
        [crc, packed, length].iter().for_each(|number| header.extend(number.to_le_bytes()));
        header.extend(name_length(name)?.to_le_bytes());
        let extra: u16 = if sizes.is_none() { 20 } else { 0 };
        header.extend(extra.to_le_bytes());
        header.extend(name.as_bytes());
        if sizes.is_none() {
            // Room for both sizes, which says that the descriptor has eight octets for each.
            header.extend([1, 0, 16, 0]);
            header.extend([0; 16]);
        }
        self.write(header, None)
    }

    /// Ends an entry whose content has been written. `is_described`: its sizes were not known before.
    pub(super) fn end(
        &mut self,
        name: &str,
        compression: Compression,
        sizes: Sizes,
        is_described: bool,
    ) -> io::Result<()> {
        if is_described {
            let mut descriptor = Vec::with_capacity(24);
            descriptor.extend(0x0807_4b50_u32.to_le_bytes());
            descriptor.extend(sizes.crc.to_le_bytes());
            descriptor.extend(sizes.packed.to_le_bytes());
            descriptor.extend(sizes.length.to_le_bytes());
            self.write(descriptor, None)?;
        }
        let wide = [sizes.length, sizes.packed, self.offset];
        let extra: Vec<u64> = wide.into_iter().filter(|number| short(*number) == IN_ZIP64).collect();
        let extra_length = if extra.is_empty() { 0 } else { 4 + 8 * extra.len() };
        let record = &mut self.directory;
        record.extend(0x0201_4b50_u32.to_le_bytes());
        record.extend(MADE_BY.to_le_bytes());
        record.extend(version(is_described || !extra.is_empty()).to_le_bytes());
        record.extend((if is_described { UTF8 | DESCRIBED } else { UTF8 }).to_le_bytes());
        record.extend(compression.method().to_le_bytes());
        record.extend(0_u16.to_le_bytes());
        record.extend(DATE.to_le_bytes());
        for number in [sizes.crc, short(sizes.packed), short(sizes.length)] {
            record.extend(number.to_le_bytes());
        }
        record.extend(name_length(name)?.to_le_bytes());
        record.extend(u16::try_from(extra_length).unwrap_or_default().to_le_bytes());
        // No comment, the first disk, no attributes of the format's own.
        record.extend([0; 6]);
        record.extend(ATTRIBUTES.to_le_bytes());
        record.extend(short(self.offset).to_le_bytes());
        record.extend(name.as_bytes());
        if !extra.is_empty() {
            record.extend(1_u16.to_le_bytes());
            record.extend(u16::try_from(extra_length - 4).unwrap_or_default().to_le_bytes());
            extra.iter().for_each(|number| record.extend(number.to_le_bytes()));
        }
        self.entries += 1;
        Ok(())
    }

    /// Writes octets of an entry, or of what is around it.
    pub(super) fn write(&mut self, bytes: Vec<u8>, ticket: Option<Arc<Ticket>>) -> io::Result<()> {
        if self.gathered.len() + bytes.len() <= GATHERED {
            self.gathered.extend(bytes);
            return Ok(());
        }
        self.flush()?;
        self.put(bytes, ticket)
    }

    fn flush(&mut self) -> io::Result<()> {
        let gathered = std::mem::take(&mut self.gathered);
        if gathered.is_empty() { Ok(()) } else { self.put(gathered, None) }
    }

    fn put(&mut self, bytes: Vec<u8>, ticket: Option<Arc<Ticket>>) -> io::Result<()> {
        self.out.write_all(&bytes)?;
        self.written += bytes.len() as u64;
        self.lane.add(&Arc::new(Block { bytes, ticket }), self.pool);
        Ok(())
    }

    /// Writes the directory. The archive's length and SHA-256.
    pub(super) fn finish(mut self) -> io::Result<(W, u64, Digest)> {
        let start = self.position();
        let directory = std::mem::take(&mut self.directory);
        let length = directory.len() as u64;
        self.write(directory, None)?;
        let end = self.position();
        let mut tail = Vec::with_capacity(98);
        let entries = u16::try_from(self.entries).unwrap_or(u16::MAX);
        if entries == u16::MAX || short(length) == IN_ZIP64 || short(start) == IN_ZIP64 {
            tail.extend(0x0606_4b50_u32.to_le_bytes());
            tail.extend(44_u64.to_le_bytes());
            tail.extend(MADE_BY.to_le_bytes());
            tail.extend(45_u16.to_le_bytes());
            tail.extend([0; 8]);
            for number in [self.entries, self.entries, length, start] {
                tail.extend(number.to_le_bytes());
            }
            tail.extend(0x0706_4b50_u32.to_le_bytes());
            tail.extend(0_u32.to_le_bytes());
            tail.extend(end.to_le_bytes());
            tail.extend(1_u32.to_le_bytes());
        }
        tail.extend(0x0605_4b50_u32.to_le_bytes());
        tail.extend([0; 4]);
        [entries, entries].iter().for_each(|number| tail.extend(number.to_le_bytes()));
        [short(length), short(start)].iter().for_each(|number| tail.extend(number.to_le_bytes()));
        tail.extend([0; 2]);
        self.write(tail, None)?;
        self.flush()?;
        self.out.flush()?;
        let digest = self.lane.finish(self.pool).recv().map_err(io::Error::other)?;
        Ok((self.out, self.written, digest))
    }
}

/// A number in four octets, or the mark that it stands elsewhere.
fn short(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(IN_ZIP64)
}

/// The version of the format that is needed to read an entry.
fn version(is_zip64: bool) -> u16 {
    if is_zip64 { 45 } else { 20 }
}

fn name_length(name: &str) -> io::Result<u16> {
    u16::try_from(name.len())
        .map_err(|_| io::Error::other(format!("the name {:.60}… is too long for a zip archive", name)))
}
