//! The compressions that tar archives come in, told apart by their first octets and read as streams.
//!
//! As GNU tar's helpers do, several streams that follow each other are read as one. Unlike them, nothing else may
//! follow: what one program passes over, another may read. Every decoder's memory is bounded whatever its input
//! claims: gzip's by its 32 KiB window, bzip2's by its 900 kB blocks, and xz' by [`XZ_MEMORY`].

use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How much memory, in KiB, an .xz file's dictionary may take: 256 MiB, four times what `xz -9` uses, and the little
/// that the decoder needs besides. It is allocated only as it fills.
pub const XZ_MEMORY: u32 = (256 << 10) + 256;
const BUFFER: usize = 64 << 10;

/// How a stream is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// RFC 1952.
    Gzip,
    /// What `bzip2` writes.
    Bzip2,
    /// The .xz file format.
    Xz,
}

/// How many of a stream's first octets [`sniff`] looks at.
pub const MAGIC: usize = 10;

/// Tells a compression by the first octets of a stream.
#[must_use]
pub fn sniff(first: &[u8]) -> Compression {
    // Both a block and the end of an empty bzip2 stream have their own magic, six octets each.
    let bzip2 = || match first {
        [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..] => {
            rest.starts_with(b"\x31\x41\x59\x26\x53\x59") || rest.starts_with(b"\x17\x72\x45\x38\x50\x90")
        }
        _ => false,
    };
    match first {
        _ if first.starts_with(b"\x1f\x8b\x08") => Compression::Gzip,
        _ if first.starts_with(b"\xfd7zXZ\0") => Compression::Xz,
        _ if bzip2() => Compression::Bzip2,
        _ => Compression::None,
    }
}

/// Decompresses a stream to its very end: damage, a cut, and anything but another stream after the first are errors.
pub fn decoder(kind: Compression, reader: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
    let failed = Arc::new(AtomicBool::new(false));
    let input = BufReader::with_capacity(BUFFER, Watched { reader, failed: Arc::clone(&failed) });
    let (name, decoder): (_, Box<dyn Read + Send>) = match kind {
        Compression::None => return input.into_inner().reader,
        Compression::Gzip => ("gzip", Box::new(MultiGzDecoder::new(input))),
        Compression::Bzip2 => ("bzip2", Box::new(bzip2::bufread::MultiBzDecoder::new(input))),
        Compression::Xz => ("xz", Box::new(XzReader::new_mem_limit(input, true, XZ_MEMORY))),
    };
    Box::new(Fused { decoder, name, failed, state: State::Reading })
}

/// Remembers that reading failed: decoders give their own errors every kind that reading has too.
struct Watched {
    reader: Box<dyn Read + Send>,
    failed: Arc<AtomicBool>,
}

impl Read for Watched {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let result = self.reader.read(out);
        if result.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted) {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }
}

/// A decoder that stays at its end or its error, and says in one way what is wrong.
struct Fused {
    decoder: Box<dyn Read + Send>,
    name: &'static str,
    failed: Arc<AtomicBool>,
    state: State,
}

enum State {
    Reading,
    Ended,
    Failed(io::ErrorKind, String),
}

impl Read for Fused {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match &self.state {
            State::Ended => return Ok(0),
            State::Failed(kind, text) => return Err(io::Error::new(*kind, text.clone())),
            State::Reading if out.is_empty() => return Ok(0),
            State::Reading => {}
        }
        match self.decoder.read(out) {
            Ok(0) => {
                self.state = State::Ended;
                Ok(0)
            }
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                let error = self.explain(error);
                self.state = State::Failed(error.kind(), error.to_string());
                Err(error)
            }
            result => result,
        }
    }
}

impl Fused {
    fn explain(&self, error: io::Error) -> io::Error {
        use io::ErrorKind::{InvalidData, OutOfMemory, UnexpectedEof};
        if self.failed.load(Ordering::Relaxed) {
            return error;
        }
        let name = self.name;
        let (kind, text) = match error.kind() {
            UnexpectedEof => (UnexpectedEof, format!("the {name} stream is cut short")),
            OutOfMemory => {
                let most = XZ_MEMORY >> 10;
                (InvalidData, format!("the {name} stream needs more memory than the {most} MiB it may have"))
            }
            _ => (InvalidData, format!("the {name} stream is damaged: {error}")),
        };
        io::Error::new(kind, text)
    }
}

/// A reader that counts, for others to see, how many octets were read through it.
#[derive(Debug)]
pub struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R> Counted<R> {
    /// Wraps a reader, and returns the counter with it.
    pub fn new(inner: R) -> (Self, Arc<AtomicU64>) {
        let count = Arc::new(AtomicU64::new(0));
        (Self { inner, count: Arc::clone(&count) }, count)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out)?;
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
