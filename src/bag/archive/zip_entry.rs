//! One entry of a zip archive: its local header (APPNOTE.TXT 4.3.7) and its content.
//!
//! A zip archive describes each entry twice, and readers differ in which description they follow. Here the two have
//! to agree, and the content has to be exactly what they promise: its length, its CRC-32, and where its compressed
//! form ends. What is allocated depends on no claimed size: an entry is read through at most 64 KiB.

use super::source::{ReadAt, read_full_at, shown, u16_at, u32_at, u64_at};
use super::zip_directory::{IN_ZIP64, LOCAL_HEADER, ZipEntry, extra_fields};
use flate2::{Decompress, FlushDecompress, Status};
use std::cell::Cell;
use std::io::{self, Read};

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// How much compressed content is in memory at once.
const WINDOW: u64 = 64 << 10;
/// How long a local extra field is expected to be, so that one read takes in header and content.
const LIKELY_EXTRA: u64 = 64;

/// Opens an entry whose name in the central directory is `name`, once its local header has been compared with it.
pub fn open_entry<'a>(source: &'a dyn ReadAt, entry: &ZipEntry, name: &[u8]) -> io::Result<ZipReader<'a>> {
    let decoder = match entry.method {
        _ if entry.is_encrypted() => return Err(wrong(name, "is encrypted")),
        STORED if entry.compressed != entry.length => {
            return Err(wrong(name, "is stored as it is, yet has two different sizes"));
        }
        STORED => None,
        DEFLATED => Some(Inflater::take()),
        method => return Err(wrong(name, &format!("compression method {method} is not read"))),
    };
    let mut buffer = Vec::new();
    let data = read_header(source, entry, name, entry.compressed.min(WINDOW), &mut buffer)?;
    let end = data.end(entry, name)?;
    // What was read beyond the content is not the entry's.
    let beyond = (entry.offset + buffer.len() as u64).saturating_sub(end);
    buffer.truncate(buffer.len().saturating_sub(usize::try_from(beyond).unwrap_or(usize::MAX)));
    let at = data.in_buffer.min(buffer.len());
    let next = data.offset + (buffer.len() - at) as u64;
    let crc = crc32fast::Hasher::new();
    Ok(ZipReader {
        source,
        entry: *entry,
        buffer,
        at,
        next,
        end,
        decoder,
        crc,
        produced: 0,
        state: State::Reading,
    })
}

/// Compares an entry's local header with what the central directory says, and returns where its compressed content
/// ends: with that, entries that overlap by their extra fields can be seen.
pub fn check_local(
    source: &dyn ReadAt,
    entry: &ZipEntry,
    name: &[u8],
    scratch: &mut Vec<u8>,
) -> io::Result<u64> {
    let data = read_header(source, entry, name, 0, scratch)?;
    data.end(entry, name)
}

/// Where an entry's compressed content starts.
struct Data {
    offset: u64,
    in_buffer: usize,
}

impl Data {
    fn end(&self, entry: &ZipEntry, name: &[u8]) -> io::Result<u64> {
        let end = self.offset.checked_add(entry.compressed);
        end.ok_or_else(|| wrong(name, "reaches beyond the end of the archive"))
    }
}

/// Reads the local header and, in the same go, up to `content` octets of what follows.
fn read_header(
    source: &dyn ReadAt,
    entry: &ZipEntry,
    name: &[u8],
    content: u64,
    buffer: &mut Vec<u8>,
) -> io::Result<Data> {
    let after_name = LOCAL_HEADER + name.len();
    let wanted = after_name as u64 + LIKELY_EXTRA + content;
    let wanted = wanted.min(source.length().saturating_sub(entry.offset));
    buffer.resize(usize::try_from(wanted).unwrap_or_default(), 0);
    let filled = read_full_at(source, buffer, entry.offset)?;
    buffer.truncate(filled);
    if buffer.len() < after_name || !buffer.starts_with(b"PK\x03\x04") {
        return Err(wrong(name, "has no local header where the directory says"));
    }
    let extra_length = usize::from(u16_at(buffer, 28));
    let extra_offset = entry.offset + after_name as u64;
    check_names(buffer, entry, name)?;
    if u32_at(buffer, 18) == IN_ZIP64 || u32_at(buffer, 22) == IN_ZIP64 {
        let mut extra = vec![0; extra_length];
        let filled = read_full_at(source, &mut extra, extra_offset)?;
        check_sizes(buffer, extra.get(..filled).unwrap_or_default(), entry, name)?;
    } else {
        check_sizes(buffer, &[], entry, name)?;
    }
    Ok(Data { offset: extra_offset + extra_length as u64, in_buffer: after_name + extra_length })
}

fn check_names(header: &[u8], entry: &ZipEntry, name: &[u8]) -> io::Result<()> {
    let local_name = header.get(LOCAL_HEADER..LOCAL_HEADER + name.len());
    let disagrees = if usize::from(u16_at(header, 26)) != name.len() || local_name != Some(name) {
        "name"
    } else if u16_at(header, 8) != entry.method {
        "compression method"
    } else if (u16_at(header, 6) ^ entry.flags) & 1 != 0 {
        "encryption flag"
    } else {
        return Ok(());
    };
    Err(wrong(name, &format!("its local header has another {disagrees} than the central directory")))
}

/// Compares checksum and sizes, which a writer to a pipe may have left at zero for a data descriptor (4.3.9).
fn check_sizes(header: &[u8], extra: &[u8], entry: &ZipEntry, name: &[u8]) -> io::Result<()> {
    let (compressed, length) = local_sizes(u32_at(header, 18), u32_at(header, 22), extra)
        .ok_or_else(|| wrong(name, "the extra field of its local header is damaged"))?;
    let described_later = u16_at(header, 6) & 1 << 3 != 0;
    let agrees = |local: u64, central: u64| local == central || described_later && local == 0;
    let disagrees = if !agrees(u32_at(header, 14).into(), entry.crc32.into()) {
        "CRC-32"
    } else if !agrees(compressed, entry.compressed) {
        "compressed size"
    } else if !agrees(length, entry.length) {
        "size"
    } else {
        return Ok(());
    };
    Err(wrong(name, &format!("its local header has another {disagrees} than the central directory")))
}

/// The compressed and the unpacked size, of which a local zip64 field must hold both or neither (4.5.3); one alone
/// is honoured where only that one is left out.
fn local_sizes(compressed: u32, length: u32, extra: &[u8]) -> Option<(u64, u64)> {
    if compressed != IN_ZIP64 && length != IN_ZIP64 {
        return Some((compressed.into(), length.into()));
    }
    let mut zip64 = None;
    for field in extra_fields(extra) {
        if let (0x0001, value) = field?
            && zip64.replace(value).is_some()
        {
            return None;
        }
    }
    let value = zip64?;
    let wide = |at: usize| value.get(at..at + 8).map(|_| u64_at(value, at));
    match (compressed == IN_ZIP64, length == IN_ZIP64, value.len()) {
        (true, false, 8) => Some((wide(0)?, length.into())),
        (true, false, _) => Some((wide(8)?, length.into())),
        (false, _, _) => Some((compressed.into(), wide(0)?)),
        (true, true, _) => Some((wide(8)?, wide(0)?)),
    }
}

fn wrong(name: &[u8], what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", shown(name)))
}

/// The content of one entry: exactly the octets that were promised, or an error.
///
/// Whether it was them all is known only at the end: the read after the last octet returns the error instead of
/// `Ok(0)`, so a reader has to go on until then.
pub struct ZipReader<'a> {
    source: &'a dyn ReadAt,
    entry: ZipEntry,
    /// The local header up to the name, for error messages, and then compressed content, of which `at` is the first
    /// octet not used yet and `next` the offset in the archive of what comes after the buffer.
    buffer: Vec<u8>,
    at: usize,
    next: u64,
    end: u64,
    decoder: Option<Inflater>,
    crc: crc32fast::Hasher,
    produced: u64,
    state: State,
}

enum State {
    Reading,
    Ended,
    Failed(String),
}

impl Read for ZipReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match &self.state {
            State::Ended => return Ok(0),
            State::Failed(text) => return Err(io::Error::new(io::ErrorKind::InvalidData, text.clone())),
            State::Reading if out.is_empty() => return Ok(0),
            State::Reading => {}
        }
        let result = self.advance(out);
        match &result {
            Ok(0) => self.state = State::Ended,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.state = State::Failed(error.to_string());
            }
            _ => {}
        }
        result
    }
}

impl ZipReader<'_> {
    fn advance(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.entry.length - self.produced).unwrap_or(usize::MAX);
        if left == 0 {
            return self.finish().map(|()| 0);
        }
        let room = left.min(out.len());
        let out = out.get_mut(..room).unwrap_or_default();
        let count = if self.decoder.is_some() { self.inflate(out)? } else { self.copy(out)? };
        if count == 0 {
            let (produced, length) = (self.produced, self.entry.length);
            return Err(self.wrong(&format!("unpacks to {produced} octets instead of {length}")));
        }
        self.crc.update(out.get(..count).unwrap_or_default());
        self.produced += count as u64;
        Ok(count)
    }

    /// Checks, once all octets were handed out, that nothing is left over and that they were the right ones.
    fn finish(&mut self) -> io::Result<()> {
        if self.decoder.is_some() && self.inflate(&mut [0])? > 0 {
            return Err(self.wrong(&format!("unpacks to more than {} octets", self.entry.length)));
        }
        let unused = self.end - self.next + (self.buffer.len() - self.at) as u64;
        if unused > 0 {
            return Err(self.wrong(&format!("its compressed content ends {unused} octets too early")));
        }
        if self.crc.clone().finalize() != self.entry.crc32 {
            return Err(self.wrong("its content does not match its CRC-32"));
        }
        Ok(())
    }

    /// Unpacks at least one octet, or none at the end of the compressed stream.
    fn inflate(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            self.refill()?;
            let input = self.buffer.get(self.at..).unwrap_or_default();
            let Some(decoder) = &mut self.decoder else { return Ok(0) };
            let step = decoder.step(input, out);
            let (used, made) = step.map_err(|error| self.wrong(&format!("is damaged: {error}")))?;
            self.at += used;
            if made > 0 || self.decoder.as_ref().is_some_and(|decoder| decoder.ended) {
                return Ok(made);
            }
            if used == 0 {
                return Err(self.wrong("its compressed content is cut short"));
            }
        }
    }

    /// Hands out stored content, at once into `out` where nothing is buffered.
    fn copy(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let held = self.buffer.get(self.at..).unwrap_or_default();
        if held.is_empty() {
            let room = usize::try_from(self.end - self.next).unwrap_or(usize::MAX).min(out.len());
            let count = self.source.read_at(out.get_mut(..room).unwrap_or_default(), self.next)?;
            self.next += count as u64;
            return Ok(count);
        }
        let count = Read::read(&mut &*held, out)?;
        self.at += count;
        Ok(count)
    }

    /// Reads more compressed content, if there is any, once all that was read is used.
    fn refill(&mut self) -> io::Result<()> {
        if self.at < self.buffer.len() || self.next == self.end {
            return Ok(());
        }
        let kept = LOCAL_HEADER + usize::from(self.entry.name_length);
        let more = usize::try_from((self.end - self.next).min(WINDOW)).unwrap_or_default();
        self.buffer.resize(kept + more, 0);
        self.at = kept;
        let filled = read_full_at(self.source, self.buffer.get_mut(kept..).unwrap_or_default(), self.next)?;
        self.buffer.truncate(kept + filled);
        self.next += filled as u64;
        Ok(())
    }

    fn wrong(&self, what: &str) -> io::Error {
        let name = self.buffer.get(LOCAL_HEADER..LOCAL_HEADER + usize::from(self.entry.name_length));
        wrong(name.unwrap_or_default(), what)
    }
}

thread_local! {
    /// A decoder takes longer to make than a small entry takes to unpack, so each thread keeps one.
    static SPARE: Cell<Option<Decompress>> = const { Cell::new(None) };
}

/// A raw deflate decoder that knows whether its stream has ended.
struct Inflater {
    decoder: Option<Decompress>,
    ended: bool,
}

impl Inflater {
    fn take() -> Self {
        let decoder = SPARE.take().map(|mut decoder| {
            decoder.reset(false);
            decoder
        });
        Self { decoder: Some(decoder.unwrap_or_else(|| Decompress::new(false))), ended: false }
    }

    /// How much of `input` was used and how much of `out` was filled.
    fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<(usize, usize), flate2::DecompressError> {
        let Some(decoder) = self.decoder.as_mut().filter(|_| !self.ended) else { return Ok((0, 0)) };
        let (used, made) = (decoder.total_in(), decoder.total_out());
        let status = decoder.decompress(input, out, FlushDecompress::None)?;
        self.ended = status == Status::StreamEnd;
        let count = |after: u64, before: u64| usize::try_from(after - before).unwrap_or(usize::MAX);
        Ok((count(decoder.total_in(), used), count(decoder.total_out(), made)))
    }
}

impl Drop for Inflater {
    fn drop(&mut self) {
        // Fails only while the thread ends, when there is nothing to keep it for.
        let _ = SPARE.try_with(|spare| spare.set(self.decoder.take()));
    }
}
