//! What the content of an entry is cut into: blocks of one size, each deflated on its own.
//!
//! How many octets are on their way at once is bounded by tickets: whoever holds octets holds tickets for them, and they
//! go back when the last one has let go.

use std::cell::RefCell;
use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use flate2::{Compress, FlushCompress, Status};

/// Octets of content that are deflated at once. Part of the bag format.
pub(super) const BLOCK: usize = 512 << 10;
/// Deflate level: the first with codes of its own for each block, without which hexadecimal digits stay as long as they
/// are. Part of the bag format.
const LEVEL: u32 = 2;

/// How many blocks may be on their way.
pub(super) struct Budget {
    free: Mutex<usize>,
    returned: Condvar,
}

/// The right to so many blocks, given back when it is dropped.
pub(super) struct Ticket {
    blocks: usize,
    budget: Arc<Budget>,
}

impl Budget {
    pub(super) fn new(blocks: usize) -> Arc<Self> {
        Arc::new(Self { free: Mutex::new(blocks), returned: Condvar::new() })
    }

    fn free(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A ticket, if there are so many blocks to be had now.
    pub(super) fn take(self: &Arc<Self>, blocks: usize) -> Option<Arc<Ticket>> {
        let mut free = self.free();
        *free = free.checked_sub(blocks)?;
        Some(Arc::new(Ticket { blocks, budget: Arc::clone(self) }))
    }

    /// Waits until a ticket for so many may be had. Only for when others than the caller hold what is missing.
    pub(super) fn wait(&self, blocks: usize) {
        let mut free = self.free();
        while *free < blocks {
            free = self.returned.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        *self.budget.free() += self.blocks;
        self.budget.returned.notify_all();
    }
}

/// Octets with the right to hold them.
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    pub(super) ticket: Option<Arc<Ticket>>,
}

/// Reads to the end, in blocks.
pub(super) fn read_blocks(reader: &mut impl Read, most: u64) -> io::Result<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut left = most;
    while left > 0 {
        let wanted = left.min(BLOCK as u64);
        let mut bytes = Vec::with_capacity(usize::try_from(wanted).unwrap_or(BLOCK));
        let n = reader.by_ref().take(wanted).read_to_end(&mut bytes)? as u64;
        if n > 0 {
            blocks.push(Block { bytes, ticket: None });
        }
        if n < wanted {
            break;
        }
        left -= n;
    }
    Ok(blocks)
}

/// A block deflated, ending on an octet so that the next one can follow; the last one ends the stream.
pub(super) fn deflate(bytes: &[u8], is_last: bool) -> io::Result<Vec<u8>> {
    thread_local! {
        // Its tables take longer to make than a small file takes to pack.
        static DEFLATER: RefCell<Compress> = RefCell::new(Compress::new(flate2::Compression::new(LEVEL), false));
    }
    DEFLATER.with_borrow_mut(|deflater| {
        deflater.reset();
        // What does not get smaller grows by a few octets.
        let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 16 + 256);
        let flush = if is_last { FlushCompress::Finish } else { FlushCompress::Sync };
        loop {
            let used = usize::try_from(deflater.total_in()).unwrap_or(usize::MAX);
            let status = deflater.compress_vec(bytes.get(used..).unwrap_or_default(), &mut out, flush)?;
            let is_done = if is_last {
                status == Status::StreamEnd
            } else {
                deflater.total_in() == bytes.len() as u64 && out.len() < out.capacity()
            };
            if is_done {
                return Ok(out);
            }
            out.reserve(bytes.len() / 16 + 256);
        }
    })
}
