//! Writes a BagIt 1.0 bag as a zip archive, in one pass, with the same bytes at every run and with any number of threads.
//!
//! Entries come in the order in which they are added, all dated 1980-01-01 with mode 0644, so that
//! nothing of the machine, the user or the clock gets in.

mod listing;
mod pipeline;
mod records;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::sync::mpsc::Receiver;

use listing::Listing;
use pipeline::{BLOCK, Packed, Pipeline, Whole, gone};
use records::{Record, write_directory};

use super::content::ContentHasher;
use super::{Algorithm, BagError, BagInfo, BagPath, Digest};

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
}

/// What a file has to be, in octets and digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Its length in octets.
    pub length: u64,
    /// Its digests; those of other algorithms than the bag's count for nothing.
    pub digests: Vec<Digest>,
}

/// A bag that is written.
#[derive(Debug)]
pub struct Written<W> {
    /// Where it was written to.
    pub out: W,
    /// The identity of its payload: see [`ContentHasher`].
    pub content: Digest,
    /// Its length in octets.
    pub length: u64,
}

/// Builds one bag. Payload first, [`BagWriter::finish`] last.
pub struct BagWriter<W: Write + Seek> {
    out: BufWriter<W>,
    /// Octets written.
    at: u64,
    root: String,
    algorithms: Vec<Algorithm>,
    listing: Listing,
    tags: Vec<(BagPath, Vec<Digest>)>,
    records: Vec<Record>,
    pipeline: Pipeline,
    waiting: VecDeque<Pending>,
    /// The entry whose blocks are being written.
    open: Option<(Record, crc32fast::Hasher)>,
    /// Pieces that may wait.
    most: usize,
}

/// A piece that is on its way.
enum Pending {
    Start(Record),
    Block(Receiver<io::Result<Packed>>),
    End(Ending, Vec<Receiver<Digest>>),
    Whole(Record, Ending, Receiver<io::Result<Whole>>),
}

/// What becomes of an entry when it is written.
struct Ending {
    path: BagPath,
    expected: Option<Expected>,
}

/// An entry that is being written, octet by octet.
pub struct Entry<'w, W: Write + Seek> {
    writer: &'w mut BagWriter<W>,
    ending: Option<Ending>,
    record: Option<Record>,
    deflate: bool,
    block: Vec<u8>,
}

impl<W: Write + Seek> BagWriter<W> {
    /// Starts a bag whose base folder is `root`, with one manifest for each algorithm, and so many threads (0: one for each
    /// core). `out` is at its start.
    pub fn new(out: W, root: &str, algorithms: &[Algorithm], threads: usize) -> Result<Self, BagError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut writer = Self {
            out: BufWriter::with_capacity(1 << 18, out),
            at: 0,
            root: root.to_owned(),
            algorithms: algorithms.to_vec(),
            listing: Listing::new(algorithms),
            tags: Vec::new(),
            records: Vec::new(),
            pipeline: Pipeline::start(threads, algorithms)?,
            waiting: VecDeque::new(),
            open: None,
            most: 4 + 2 * if threads == 0 { cores } else { threads },
        };
        writer.tag("bagit.txt", "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")?;
        Ok(writer)
    }

    /// Adds a payload file, read to its end. One that is not what is expected fails a later call, which names it.
    pub fn add_payload(
        &mut self,
        path: BagPath,
        reader: &mut dyn Read,
        compression: Compression,
        expected: Option<Expected>,
    ) -> Result<(), BagError> {
        let mut entry = self.entry(path, compression);
        if let Some(ending) = &mut entry.ending {
            ending.expected = expected;
        }
        io::copy(reader, &mut entry)?;
        entry.finish()
    }

    /// Starts a file, to be written and finished.
    pub fn entry(&mut self, path: BagPath, compression: Compression) -> Entry<'_, W> {
        let deflate = compression == Compression::Deflate;
        let record = Record {
            name: format!("{}/{path}", self.root).into(),
            deflated: deflate,
            offset: 0,
            crc: 0,
            compressed: 0,
            length: 0,
        };
        let ending = Some(Ending { path, expected: None });
        Entry { writer: self, ending, record: Some(record), deflate, block: Vec::new() }
    }

    /// Adds a payload file that stays where its URL says. `digests` must hold one for each algorithm.
    pub fn add_remote(
        &mut self,
        path: &BagPath,
        url: &str,
        length: u64,
        digests: &[Digest],
    ) -> Result<(), BagError> {
        let added = self.listing.push(path, Some(url), length, digests);
        if added { Ok(()) } else { Err(too_many().into()) }
    }

    /// Writes bag-info.txt (with the `Payload-Oxum` added to `info`), fetch.txt, manifests and tag manifests.
    pub fn finish(mut self, mut info: Vec<(String, String)>) -> Result<Written<W>, BagError> {
        self.write_waiting(0)?;
        let listing = std::mem::replace(&mut self.listing, Listing::new(&[]));
        info.push(("Payload-Oxum".into(), format!("{}.{}", listing.octets(), listing.len())));
        self.tag("bag-info.txt", &BagInfo::new(info).to_text())?;
        if listing.has_remote() {
            self.write_fetch(&listing)?;
        }
        let strongest = (0..self.algorithms.len()).max_by_key(|at| self.algorithms[*at]).unwrap_or(0);
        let mut content = ContentHasher::default();
        for (at, algorithm) in self.algorithms.clone().into_iter().enumerate() {
            let mut entry = self.entry(tag_path(&format!("manifest-{algorithm}.txt"))?, Compression::Deflate);
            for listed in listing.sorted() {
                let digest = listed.digest(at);
                writeln!(entry, "{digest}  {}", listed.path)?;
                if at == strongest {
                    content.add_encoded(&listed.path, listed.length(), &digest);
                }
            }
            entry.finish()?;
        }
        drop(listing);
        self.write_tag_manifests()?;
        let start = self.at;
        write_directory(&mut self.out, &self.records, start)?;
        let mut out = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Written { content: content.finish(), length: out.stream_position()?, out })
    }

    /// Waits until all that was added is written, so that whatever is wrong with it has been told.
    pub fn settle(&mut self) -> Result<(), BagError> {
        Ok(self.write_waiting(0)?)
    }

    fn write_fetch(&mut self, listing: &Listing) -> Result<(), BagError> {
        let mut entry = self.entry(tag_path("fetch.txt")?, Compression::Deflate);
        for listed in listing.sorted() {
            if let Some(url) = listed.url() {
                super::fetch::write_line(&mut entry, &url, listed.length(), &listed.path)?;
            }
        }
        entry.finish()
    }

    fn write_tag_manifests(&mut self) -> Result<(), BagError> {
        self.write_waiting(0)?;
        let mut tags = std::mem::take(&mut self.tags);
        tags.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for algorithm in self.algorithms.clone() {
            let mut text = String::new();
            for (path, digests) in &tags {
                for digest in digests.iter().filter(|digest| digest.algorithm() == algorithm) {
                    text.push_str(&format!("{digest}  {}\n", super::path::encode(path.as_str())));
                }
            }
            self.tag(&format!("tagmanifest-{algorithm}.txt"), &text)?;
        }
        Ok(self.write_waiting(0)?)
    }

    /// Adds a tag file.
    pub fn tag(&mut self, name: &str, text: &str) -> Result<(), BagError> {
        let mut entry = self.entry(tag_path(name)?, Compression::Deflate);
        entry.write_all(text.as_bytes())?;
        entry.finish()
    }

    /// Puts a piece into the queue, and writes what is too much there.
    fn push(&mut self, piece: Pending) -> io::Result<()> {
        self.waiting.push_back(piece);
        self.write_waiting(self.most)
    }

    /// Writes pieces until no more than so many wait.
    fn write_waiting(&mut self, most: usize) -> io::Result<()> {
        while self.waiting.len() > most {
            let Some(piece) = self.waiting.pop_front() else { break };
            match piece {
                Pending::Start(record) => self.begin(record)?,
                Pending::Block(packed) => {
                    let packed = packed.recv().map_err(|_| gone())??;
                    self.continue_with(&packed)?;
                }
                Pending::End(ending, digests) => {
                    let digests: Result<Vec<Digest>, _> =
                        digests.into_iter().map(|digest| digest.recv()).collect();
                    let record = self.end()?;
                    self.ended(ending, record, digests.map_err(|_| gone())?)?;
                }
                Pending::Whole(record, ending, whole) => {
                    let whole = whole.recv().map_err(|_| gone())??;
                    let record = Record {
                        offset: self.at,
                        crc: whole.packed.crc.finalize(),
                        compressed: whole.packed.octets.len() as u64,
                        length: whole.packed.length,
                        ..record
                    };
                    self.local(&record)?;
                    self.write(&whole.packed.octets)?;
                    self.ended(ending, record, whole.digests)?;
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, record: Record) -> io::Result<()> {
        let record = Record { offset: self.at, ..record };
        self.local(&record)?;
        self.open = Some((record, crc32fast::Hasher::new()));
        Ok(())
    }

    fn continue_with(&mut self, packed: &Packed) -> io::Result<()> {
        let (record, crc) = self.open.as_mut().ok_or_else(gone)?;
        crc.combine(&packed.crc);
        record.compressed += packed.octets.len() as u64;
        record.length += packed.length;
        self.write(&packed.octets)
    }

    fn end(&mut self) -> io::Result<Record> {
        let (record, crc) = self.open.take().ok_or_else(gone)?;
        let record = Record { crc: crc.finalize(), ..record };
        record.patch_local(&mut self.out)?;
        Ok(record)
    }

    /// Notes an entry that is written.
    fn ended(&mut self, ending: Ending, record: Record, digests: Vec<Digest>) -> io::Result<()> {
        let Ending { path, expected } = ending;
        if let Some(expected) = expected {
            let is_expected = |digest: &Digest| {
                let same = expected.digests.iter().find(|other| other.algorithm() == digest.algorithm());
                same.is_none_or(|other| other == digest)
            };
            if record.length != expected.length || !digests.iter().all(is_expected) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, NotAsExpected(path)));
            }
        }
        let length = record.length;
        self.records.push(record);
        if !path.is_payload() {
            self.tags.push((path, digests));
        } else if !self.listing.push(&path, None, length, &digests) {
            return Err(too_many());
        }
        Ok(())
    }

    fn local(&mut self, record: &Record) -> io::Result<()> {
        record.write_local(&mut self.out)?;
        self.at += 50 + record.name.len() as u64;
        Ok(())
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.at += octets.len() as u64;
        self.out.write_all(octets)
    }
}

impl<W: Write + Seek> Entry<'_, W> {
    /// Ends the file.
    pub fn finish(mut self) -> Result<(), BagError> {
        let Some(ending) = self.ending.take() else { return Ok(()) };
        let block = std::mem::take(&mut self.block);
        let pipeline = &self.writer.pipeline;
        match self.record.take() {
            Some(record) => {
                let whole = pipeline.whole(block, self.deflate)?;
                self.writer.push(Pending::Whole(record, ending, whole))?;
            }
            None => {
                let packed = pipeline.block(block, self.deflate, true)?;
                let digests = pipeline.end()?;
                self.writer.push(Pending::Block(packed))?;
                self.writer.push(Pending::End(ending, digests))?;
            }
        }
        Ok(())
    }

    /// Adds a payload file that stays where its URL says, as [`BagWriter::add_remote`] does.
    pub fn add_remote(
        &mut self,
        path: &BagPath,
        url: &str,
        length: u64,
        digests: &[Digest],
    ) -> Result<(), BagError> {
        self.writer.add_remote(path, url, length, digests)
    }

    /// Sends the full block on: more is to come.
    fn send(&mut self) -> io::Result<()> {
        if let Some(record) = self.record.take() {
            self.writer.push(Pending::Start(record))?;
        }
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK));
        let packed = self.writer.pipeline.block(block, self.deflate, false)?;
        self.writer.push(Pending::Block(packed))
    }
}

impl<W: Write + Seek> Write for Entry<'_, W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.block.len() == BLOCK && !octets.is_empty() {
            self.send()?;
        }
        let taken = octets.len().min(BLOCK - self.block.len());
        self.block.extend_from_slice(&octets[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that turned out to be another than was expected.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not what was expected: its length or a digest differs")]
pub struct NotAsExpected(pub BagPath);

fn tag_path(name: &str) -> Result<BagPath, BagError> {
    BagPath::parse(name).map_err(|error| io::Error::other(error).into())
}

fn too_many() -> io::Error {
    io::Error::other("there are more files than a bag can list: 4 GiB of names or URLs")
}
