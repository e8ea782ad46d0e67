//! Writes a BagIt 1.0 bag as a zip archive, from front to back, with the same bytes at every run and with any number of threads.
//!
//! Entries come in the order in which they are added, all dated 1980-01-01 with mode 0644, so that nothing of the machine,
//! the user or the clock gets in. Content is cut into blocks of one size; each is deflated on its own by whichever thread is
//! free, while others hash it, and what comes of them is written in order. The caller's thread brings the content and
//! writes the archive; it must not be one of the pool's.

mod block;
mod lane;
mod listing;
#[cfg(test)]
mod tests;
mod zip;

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use rayon::ThreadPool;

use self::block::{BLOCK, Block, Budget, Ticket, deflate, read_blocks};
use self::lane::Lane;
pub(in crate::bag) use self::listing::Listing;
use self::zip::{Sizes, Zip};
use super::{Algorithm, BagError, BagInfo, BagPath, Digest, MultiHasher, Progress};

pub use self::listing::Home;
pub use self::zip::Compression;

/// An entry of up to so many blocks is packed whole before it is written, so that its local header has its sizes. Part of
/// the bag format.
const WHOLE: usize = 8;
/// How many pieces may wait to be written, however small they are.
const MOST_PIECES: usize = 256;
/// Payload files are hashed with these, weakest first.
const ALGORITHMS: [Algorithm; 2] = [Algorithm::Md5, Algorithm::Sha256];

/// A finished bag.
#[derive(Debug, Clone)]
pub struct WrittenBag {
    /// SHA-256 of the archive.
    pub sha256: Digest,
    /// Its length in octets.
    pub length: u64,
    /// The identity of its content, which no container, manifest or mirror changes: `docs/format.md`.
    pub content: Digest,
    /// SHA-256 of `fetch.txt`, where there is one.
    pub fetch: Option<Digest>,
    /// The algorithms of its manifests.
    pub algorithms: Vec<Algorithm>,
}

/// A payload file on disk.
#[derive(Debug, Clone)]
pub struct PayloadFile {
    /// Where it goes.
    pub path: BagPath,
    /// Where it is.
    pub source: PathBuf,
    /// How long it must be.
    pub length: u64,
    /// The digests that it must have.
    pub digests: Vec<Digest>,
}

/// What an entry is to the bag.
enum Kind {
    Payload(String),
    /// A file on disk, told to progress, and what it must be.
    File(PayloadFile),
    Tag(String),
    TagManifest(String),
}

impl Kind {
    fn name(&self) -> &str {
        match self {
            Self::Payload(path) | Self::Tag(path) | Self::TagManifest(path) => path,
            Self::File(file) => file.path.as_str(),
        }
    }
}

/// What comes of a block.
struct Piece {
    bytes: Vec<u8>,
    ticket: Option<Arc<Ticket>>,
    crc: crc32fast::Hasher,
}

struct Whole {
    pieces: Vec<Piece>,
    length: u64,
    digests: Vec<Digest>,
}

/// What is to be written, in order.
enum Slot {
    Whole(Kind, Compression, Receiver<io::Result<Whole>>),
    Start(String, Compression),
    Piece(Receiver<io::Result<Piece>>),
    End(Kind, Compression, u64, Vec<Receiver<Digest>>),
}

/// An entry whose content is being brought.
struct Open {
    kind: Kind,
    compression: Compression,
    /// Full blocks that are not on their way yet, and the one being filled.
    blocks: Vec<Block>,
    length: u64,
    /// Once it is longer than what is packed whole.
    lanes: Option<Vec<Lane>>,
}

/// Builds one bag. Payload first, [`BagWriter::finish`] last.
pub struct BagWriter<'p, W> {
    zip: Zip<'p, W>,
    pool: &'p ThreadPool,
    progress: &'p dyn Progress,
    root: String,
    budget: Arc<Budget>,
    slots: VecDeque<Slot>,
    open: Option<Open>,
    /// Of the entry being written: what its blocks came to.
    crc: crc32fast::Hasher,
    packed: u64,
    payload: Listing,
    tags: Listing,
    fetch: Option<Digest>,
}

impl<'p, W: Write> BagWriter<'p, W> {
    /// Starts a bag whose base folder is `root`.
    pub fn new(
        out: W,
        root: &str,
        pool: &'p ThreadPool,
        progress: &'p dyn Progress,
    ) -> Result<Self, BagError> {
        let blocks = 2 * WHOLE + 4 * pool.current_num_threads();
        let mut writer = Self {
            zip: Zip::new(out, pool),
            pool,
            progress,
            root: root.to_owned(),
            budget: Budget::new(blocks),
            slots: VecDeque::new(),
            open: None,
            crc: crc32fast::Hasher::new(),
            packed: 0,
            payload: Listing::new(&ALGORITHMS),
            tags: Listing::new(&ALGORITHMS),
            fetch: None,
        };
        writer.add_tag("bagit.txt", b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")?;
        Ok(writer)
    }

    /// Starts a payload file, whose content [`BagWriter::write`] brings.
    pub fn begin(&mut self, path: &BagPath, compression: Compression) {
        self.open_entry(Kind::Payload(path.as_str().to_owned()), compression);
    }

    fn open_entry(&mut self, kind: Kind, compression: Compression) {
        self.open = Some(Open { kind, compression, blocks: Vec::new(), length: 0, lanes: None });
    }

    /// Brings the next octets of the file begun last.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), BagError> {
        while !bytes.is_empty() {
            let room = match self.open.as_ref().and_then(|open| open.blocks.last()) {
                Some(block) if block.bytes.len() < BLOCK => BLOCK - block.bytes.len(),
                _ => {
                    self.next_block()?;
                    BLOCK
                }
            };
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            let open = self.open.as_mut().ok_or_else(ended)?;
            open.length += now.len() as u64;
            if let Some(block) = open.blocks.last_mut() {
                block.bytes.extend_from_slice(now);
            }
            bytes = later;
        }
        Ok(())
    }

    /// Ends the file begun last.
    pub fn end(&mut self) -> Result<(), BagError> {
        let mut open = self.open.take().ok_or_else(ended)?;
        let Some(lanes) = open.lanes.take() else {
            let blocks = std::mem::take(&mut open.blocks);
            return self.pack_whole(open.kind, open.compression, move || Ok(blocks));
        };
        if let Some(last) = open.blocks.pop() {
            self.pack_piece(last, open.compression, true, &lanes)?;
        }
        let digests = lanes.into_iter().map(|lane| lane.finish(self.pool)).collect();
        self.push(Slot::End(open.kind, open.compression, open.length, digests))
    }

    /// Adds a payload file with this content.
    pub fn add_payload(&mut self, path: &BagPath, content: &[u8]) -> Result<(), BagError> {
        self.begin(path, Compression::Deflate);
        self.write(content)?;
        self.end()
    }

    /// Adds a file from disk. A file whose length or digests are others is refused, though maybe not before the bag is
    /// finished: [`BagError::OtherBytes`].
    pub fn add_file(&mut self, file: PayloadFile, compression: Compression) -> Result<(), BagError> {
        let most = file.length.saturating_add(1);
        if file.length <= (WHOLE * BLOCK) as u64 {
            let blocks = usize::try_from(most.div_ceil(BLOCK as u64)).unwrap_or(WHOLE).min(WHOLE);
            let ticket = self.ticket(blocks)?;
            let source = file.source.clone();
            return self.pack_whole(Kind::File(file), compression, move || {
                let mut blocks = read_blocks(&mut fs_err::File::open(source)?, most)?;
                blocks.iter_mut().for_each(|block| block.ticket = Some(Arc::clone(&ticket)));
                Ok(blocks)
            });
        }
        let mut reader = fs_err::File::open(&file.source)?.take(most);
        self.open_entry(Kind::File(file), compression);
        let mut buffer = vec![0; BLOCK];
        loop {
            let n = reader.read(&mut buffer)?;
            if n == 0 {
                return self.end();
            }
            self.write(&buffer[..n])?;
        }
    }

    /// Adds a payload file that stays where it is.
    pub fn add_remote(
        &mut self,
        path: &BagPath,
        length: u64,
        digests: &[Digest],
        home: Home<'_>,
    ) -> Result<(), BagError> {
        Ok(self.payload.add(path.as_str(), length, digests, Some(home))?)
    }

    /// Adds a tag file, such as `dbag-tombstones.json`.
    pub fn add_tag(&mut self, name: &str, content: &[u8]) -> Result<(), BagError> {
        self.open_entry(Kind::Tag(name.to_owned()), Compression::Deflate);
        self.write(content)?;
        self.end()
    }

    /// Writes bag-info.txt (with the `Payload-Oxum` added to `info`), fetch.txt, manifests and tag manifests. There is a manifest for
    /// each algorithm that has a digest of every payload file.
    pub fn finish(mut self, mut info: Vec<(String, String)>) -> Result<(W, WrittenBag), BagError> {
        self.settle_all()?;
        let order = self.payload.sorted();
        let algorithms = self.payload.complete();
        let content = self.payload.content(&order).filter(|_| !algorithms.is_empty());
        let content = content.ok_or_else(|| io::Error::other("no manifest could list every payload file"))?;
        info.push(("Payload-Oxum".into(), format!("{}.{}", self.payload.octets(), self.payload.len())));
        self.add_tag("bag-info.txt", BagInfo::new(info).to_text().as_bytes())?;
        let payload = std::mem::replace(&mut self.payload, Listing::new(&ALGORITHMS));
        if payload.has_remote() {
            self.lines("fetch.txt", &order, |at, line| payload.fetch_line(at, line))?;
        }
        for algorithm in &algorithms {
            let name = format!("manifest-{algorithm}.txt");
            self.lines(&name, &order, |at, line| payload.manifest_line(at, *algorithm, line))?;
        }
        self.settle_all()?;
        let order = self.tags.sorted();
        for algorithm in &algorithms {
            let mut text = Vec::new();
            for at in &order {
                self.tags.manifest_line(*at, *algorithm, &mut text);
            }
            self.open_entry(Kind::TagManifest(format!("tagmanifest-{algorithm}.txt")), Compression::Deflate);
            self.write(&text)?;
            self.end()?;
        }
        self.settle_all()?;
        let (out, length, sha256) = self.zip.finish()?;
        Ok((out, WrittenBag { sha256, length, content, fetch: self.fetch, algorithms }))
    }

    /// A tag file of lines, of which some files have none.
    fn lines(
        &mut self,
        name: &str,
        order: &[u32],
        write: impl Fn(u32, &mut Vec<u8>) -> bool,
    ) -> Result<(), BagError> {
        self.open_entry(Kind::Tag(name.to_owned()), Compression::Deflate);
        let mut line = Vec::new();
        for at in order {
            line.clear();
            write(*at, &mut line);
            self.write(&line)?;
        }
        self.end()
    }

    /// Makes room for the next block of the open entry, and sends what can't be part of a small one on its way.
    fn next_block(&mut self) -> Result<(), BagError> {
        let mut open = self.open.take().ok_or_else(ended)?;
        if open.blocks.len() == WHOLE && open.lanes.is_none() {
            self.push(Slot::Start(open.kind.name().to_owned(), open.compression))?;
            open.lanes = Some(ALGORITHMS.into_iter().map(Lane::new).collect());
        }
        if let Some(lanes) = &open.lanes {
            for block in open.blocks.drain(..) {
                self.pack_piece(block, open.compression, false, lanes)?;
            }
        }
        let ticket = Some(self.ticket(1)?);
        open.blocks
            .push(Block { bytes: Vec::with_capacity(if open.length == 0 { 0 } else { BLOCK }), ticket });
        self.open = Some(open);
        Ok(())
    }

    fn pack_piece(
        &mut self,
        block: Block,
        compression: Compression,
        is_last: bool,
        lanes: &[Lane],
    ) -> Result<(), BagError> {
        let block = Arc::new(block);
        lanes.iter().for_each(|lane| lane.add(&block, self.pool));
        let (sender, receiver) = channel();
        self.pool.spawn(move || {
            // Nobody waits for it where the bag was given up.
            let _ = sender.send(pack(&block, compression, is_last));
        });
        self.push(Slot::Piece(receiver))
    }

    fn pack_whole(
        &mut self,
        kind: Kind,
        compression: Compression,
        read: impl FnOnce() -> io::Result<Vec<Block>> + Send + 'static,
    ) -> Result<(), BagError> {
        let (sender, receiver) = channel();
        self.pool.spawn(move || {
            let _ = sender.send(read().and_then(|blocks| whole(&blocks, compression)));
        });
        self.push(Slot::Whole(kind, compression, receiver))
    }

    /// Waits for room; what is ready is written meanwhile, for it holds room as well.
    fn ticket(&mut self, blocks: usize) -> Result<Arc<Ticket>, BagError> {
        loop {
            if let Some(ticket) = self.budget.take(blocks) {
                return Ok(ticket);
            }
            match self.slots.pop_front() {
                Some(slot) => self.settle(slot)?,
                None => self.budget.wait(blocks),
            }
        }
    }

    fn push(&mut self, slot: Slot) -> Result<(), BagError> {
        if self.progress.cancelled() {
            return Err(BagError::Interrupted);
        }
        self.slots.push_back(slot);
        while self.slots.len() > MOST_PIECES {
            if let Some(slot) = self.slots.pop_front() {
                self.settle(slot)?;
            }
        }
        Ok(())
    }

    /// Waits until all that was added is written.
    pub fn settle_all(&mut self) -> Result<(), BagError> {
        while let Some(slot) = self.slots.pop_front() {
            self.settle(slot)?;
        }
        Ok(())
    }

    /// Writes what is next in order.
    fn settle(&mut self, slot: Slot) -> Result<(), BagError> {
        match slot {
            Slot::Whole(kind, compression, whole) => {
                let Whole { pieces, length, digests } = whole.recv().map_err(io::Error::other)??;
                let name = format!("{}/{}", self.root, kind.name());
                let mut crc = crc32fast::Hasher::new();
                pieces.iter().for_each(|piece| crc.combine(&piece.crc));
                let packed = pieces.iter().map(|piece| piece.bytes.len() as u64).sum();
                let sizes = Sizes { crc: crc.finalize(), packed, length };
                self.zip.start(&name, compression, Some(sizes))?;
                for piece in pieces {
                    self.zip.write(piece.bytes, piece.ticket)?;
                }
                self.zip.end(&name, compression, sizes, false)?;
                self.record(&kind, length, &digests)
            }
            Slot::Start(name, compression) => {
                self.crc = crc32fast::Hasher::new();
                self.packed = 0;
                Ok(self.zip.start(&format!("{}/{name}", self.root), compression, None)?)
            }
            Slot::Piece(piece) => {
                let piece = piece.recv().map_err(io::Error::other)??;
                self.crc.combine(&piece.crc);
                self.packed += piece.bytes.len() as u64;
                Ok(self.zip.write(piece.bytes, piece.ticket)?)
            }
            Slot::End(kind, compression, length, digests) => {
                let digests: Result<Vec<Digest>, _> = digests.iter().map(Receiver::recv).collect();
                let digests = digests.map_err(io::Error::other)?;
                let sizes = Sizes { crc: self.crc.clone().finalize(), packed: self.packed, length };
                self.zip.end(&format!("{}/{}", self.root, kind.name()), compression, sizes, true)?;
                self.record(&kind, length, &digests)
            }
        }
    }

    /// Notes what an entry came to.
    fn record(&mut self, kind: &Kind, length: u64, digests: &[Digest]) -> Result<(), BagError> {
        match kind {
            Kind::Payload(path) => self.payload.add(path, length, digests, None)?,
            Kind::File(file) => {
                let is_right =
                    length == file.length && file.digests.iter().all(|digest| digests.contains(digest));
                if !is_right {
                    return Err(BagError::OtherBytes(file.path.clone()));
                }
                self.payload.add(file.path.as_str(), length, digests, None)?;
                self.progress.bytes(length);
                self.progress.file();
            }
            Kind::Tag(name) => {
                if name == "fetch.txt" {
                    self.fetch =
                        digests.iter().find(|digest| digest.algorithm() == Algorithm::Sha256).copied();
                }
                self.tags.add(name, length, digests, None)?;
            }
            Kind::TagManifest(_) => {}
        }
        Ok(())
    }
}

fn ended() -> io::Error {
    io::Error::other("no file was begun")
}

fn pack(block: &Block, compression: Compression, is_last: bool) -> io::Result<Piece> {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&block.bytes);
    let bytes = match compression {
        Compression::Store => block.bytes.clone(),
        Compression::Deflate => deflate(&block.bytes, is_last)?,
    };
    Ok(Piece { bytes, ticket: block.ticket.clone(), crc })
}

fn whole(blocks: &[Block], compression: Compression) -> io::Result<Whole> {
    let mut hasher = MultiHasher::new(&ALGORITHMS);
    let mut pieces = Vec::with_capacity(blocks.len());
    let mut length = 0;
    for (at, block) in blocks.iter().enumerate() {
        hasher.update(&block.bytes);
        length += block.bytes.len() as u64;
        pieces.push(pack(block, compression, at + 1 == blocks.len())?);
    }
    if pieces.is_empty() {
        pieces.push(pack(&Block { bytes: Vec::new(), ticket: None }, compression, true)?);
    }
    Ok(Whole { pieces, length, digests: hasher.finish() })
}
