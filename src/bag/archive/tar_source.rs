//! Where a tar archive's octets come from: a stream, or a file of which only the headers are read.

use super::source::{ArchiveError, Limits, ReadAt, read_full_at, shown};
use std::io::{self, BufRead, Read};

/// How much is unpacked between two looks at the ratio.
const RATIO_STEP: u64 = 1 << 20;
/// How much is read at once where headers are close together, and where they are not.
const WINDOW: usize = 256 << 10;
const SMALL_WINDOW: usize = 4 << 10;

/// Where the octets of an archive come from.
pub(super) trait Source {
    /// Reads as many octets as there are, up to a full buffer.
    fn read_full(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError>;
    /// Passes over octets of the entry called `name`; whether they were all there.
    fn skip(&mut self, count: u64, name: &[u8]) -> Result<bool, ArchiveError>;
    /// How many octets were read or passed over.
    fn position(&self) -> u64;
    /// Refuses a bomb.
    fn check_ratio(&self, name: &[u8]) -> Result<(), ArchiveError>;
}

/// What is said where the archive ends within an entry.
pub(super) fn cut_short(name: &[u8]) -> ArchiveError {
    ArchiveError::Broken(format!("the archive is cut short in {}", shown(name)))
}

/// An archive that comes as a stream.
pub(super) struct Stream<'r> {
    reader: &'r mut (dyn BufRead + 'r),
    position: u64,
    /// The position from which on the ratio is looked at again.
    look: u64,
    limits: &'r Limits,
    packed: &'r dyn Fn() -> u64,
    fault: Option<ArchiveError>,
}

impl<'r> Stream<'r> {
    pub(super) fn new(
        reader: &'r mut (dyn BufRead + 'r),
        limits: &'r Limits,
        packed: &'r dyn Fn() -> u64,
    ) -> Self {
        Self { reader, position: 0, look: Limits::HARMLESS, limits, packed, fault: None }
    }

    /// The content of the entry that starts here.
    pub(super) fn body<'s>(&'s mut self, length: u64, name: &'s [u8]) -> Body<'s, 'r> {
        Body { stream: self, left: length, name }
    }

    /// What stopped the reader of a body, if anything did.
    pub(super) fn take_fault(&mut self) -> Option<ArchiveError> {
        self.fault.take()
    }

    fn advance(&mut self, count: usize) {
        self.position += count as u64;
    }
}

impl Source for Stream<'_> {
    fn read_full(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.reader.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.advance(filled);
        Ok(filled)
    }

    fn skip(&mut self, count: u64, name: &[u8]) -> Result<bool, ArchiveError> {
        let mut left = count;
        while left > 0 {
            let held = match self.reader.fill_buf() {
                Ok(held) => held.len(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if held == 0 {
                return Ok(false);
            }
            let used = usize::try_from(left).unwrap_or(usize::MAX).min(held);
            self.reader.consume(used);
            self.advance(used);
            left -= used as u64;
            if self.position >= self.look {
                self.look = self.position + RATIO_STEP;
                self.check_ratio(name)?;
            }
        }
        Ok(true)
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn check_ratio(&self, name: &[u8]) -> Result<(), ArchiveError> {
        self.limits.check_ratio(self.position, (self.packed)(), name)
    }
}

/// The content of one entry of a stream.
pub(super) struct Body<'s, 'r> {
    stream: &'s mut Stream<'r>,
    left: u64,
    name: &'s [u8],
}

impl Read for Body<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len());
        if room == 0 {
            return Ok(0);
        }
        let count = self.stream.reader.read(out.get_mut(..room).unwrap_or_default())?;
        if count == 0 {
            return Err(self.fail(cut_short(self.name), io::ErrorKind::UnexpectedEof));
        }
        self.left -= count as u64;
        self.stream.advance(count);
        if self.stream.position >= self.stream.look {
            self.stream.look = self.stream.position + RATIO_STEP;
            self.stream
                .check_ratio(self.name)
                .map_err(|error| self.fail(error, io::ErrorKind::InvalidData))?;
        }
        Ok(count)
    }
}

impl Body<'_, '_> {
    fn fail(&mut self, fault: ArchiveError, kind: io::ErrorKind) -> io::Error {
        let error = io::Error::new(kind, fault.to_string());
        self.stream.fault = Some(fault);
        error
    }
}

/// An archive that is read by offset, through a window.
pub(super) struct Window<'s> {
    source: &'s dyn ReadAt,
    buffer: Vec<u8>,
    at: usize,
    /// The offset of what comes after the buffer.
    next: u64,
    size: usize,
}

impl<'s> Window<'s> {
    pub(super) fn new(source: &'s dyn ReadAt) -> Self {
        Self { source, buffer: Vec::new(), at: 0, next: 0, size: WINDOW }
    }
}

impl Source for Window<'_> {
    fn read_full(&mut self, out: &mut [u8]) -> Result<usize, ArchiveError> {
        let mut filled = 0;
        while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            if self.at == self.buffer.len() {
                self.buffer.resize(self.size, 0);
                let count = read_full_at(self.source, &mut self.buffer, self.next)?;
                self.buffer.truncate(count);
                (self.at, self.next) = (0, self.next + count as u64);
            }
            let count = Read::read(&mut self.buffer.get(self.at..).unwrap_or_default(), rest)?;
            if count == 0 {
                break;
            }
            self.at += count;
            filled += count;
        }
        Ok(filled)
    }

    fn skip(&mut self, count: u64, _: &[u8]) -> Result<bool, ArchiveError> {
        let held = self.buffer.len() - self.at;
        if let Some(within) = usize::try_from(count).ok().filter(|&count| count <= held) {
            self.at += within;
            return Ok(true);
        }
        let beyond = count - held as u64;
        self.size = if beyond > WINDOW as u64 { SMALL_WINDOW } else { WINDOW };
        (self.at, self.next) = (self.buffer.len(), self.next.saturating_add(beyond));
        Ok(self.next <= self.source.length())
    }

    fn position(&self) -> u64 {
        self.next - (self.buffer.len() - self.at) as u64
    }

    /// What is not compressed unpacks to itself.
    fn check_ratio(&self, _: &[u8]) -> Result<(), ArchiveError> {
        Ok(())
    }
}
