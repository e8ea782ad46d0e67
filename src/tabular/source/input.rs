//! The bytes of a text file: counted as they are read, unpacked where they are gzipped.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

/// Bytes read at a time.
const CHUNK: usize = 256 << 10;

/// A text file that is being read.
pub(super) type TextInput = Box<dyn BufRead + Send>;

/// Counts what passes through.
struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Opens a file, told to be gzipped by its first bytes: no UTF-8 text starts so.
/// What is read of it is added to `count`.
pub(super) fn open(path: &Path, count: &Arc<AtomicU64>) -> io::Result<TextInput> {
    let file = Counted { inner: fs_err::File::open(path)?, count: Arc::clone(count) };
    let mut input = BufReader::with_capacity(CHUNK, file);
    if is_gzip(input.fill_buf()?) {
        return Ok(Box::new(BufReader::with_capacity(CHUNK, MultiGzDecoder::new(input))));
    }
    Ok(Box::new(input))
}

/// Whether bytes start as RFC 1952 (2.3.1) says that a gzip file does.
pub(super) fn is_gzip(start: &[u8]) -> bool {
    start.starts_with(&[0x1F, 0x8B])
}
