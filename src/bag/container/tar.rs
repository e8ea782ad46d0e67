//! A bag in a tar archive: plain, or compressed as gzip, bzip2 or xz.
//!
//! Of a plain one, any file can be read at its offset. A compressed one is decompressed once to list it, when its tag
//! files are kept aside in a temporary file, and once more to hash the payload as it passes: nothing is extracted.

use std::collections::HashMap;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use super::entries::{BaseFolder, Sorter};
use super::{Body, Container, Detail, Listing, Place, Sequential, Visitor, archive_error, file_stem};
use crate::bag::archive::{
    ArchiveError, Compression, Counted, FileAt, Kind, MAGIC, ReadAt, TarEntry, decoder, read_tar,
    read_tar_at, sniff,
};
use crate::bag::names::FileId;
use crate::bag::{BagError, Limits, Progress};

/// One tar archive with one bag: a single top folder, or the bag at its root.
pub struct TarFile {
    path: PathBuf,
    source: Arc<dyn ReadAt>,
    compression: Compression,
    limits: Limits,
    index: OnceLock<Index>,
}

/// Where the files are, by the numbers that the listing gave, which rise with the offsets.
struct Index {
    base: String,
    places: Vec<Stretch>,
    /// The tag files of a compressed archive, in `kept_bytes`.
    kept: HashMap<FileId, Stretch>,
    kept_bytes: Option<KeptBytes>,
}

/// A temporary file, read by offset.
type KeptBytes = Arc<dyn ReadAt>;

/// A part of a file, in octets.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    offset: u64,
    length: u64,
}

/// An entry as it was met, before the bag's base folder is known.
struct Met {
    name: Vec<u8>,
    kind: Kind,
    place: Stretch,
    kept: Option<Stretch>,
}

impl TarFile {
    /// Opens the archive; what is in it is seen when it is listed.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, BagError> {
        let file = fs_err::File::open(path)?.into_parts().0;
        Self::read(path, Arc::new(FileAt::new(file)?), limits)
    }

    /// The same for an archive that is read from `source`; `path` is for messages.
    pub fn read(path: &Path, source: Arc<dyn ReadAt>, limits: &Limits) -> Result<Self, BagError> {
        let mut start = [0; MAGIC];
        let n = source.read_at(&mut start, 0)?;
        let compression = sniff(&start[..n]);
        Ok(Self { path: path.to_owned(), source, compression, limits: *limits, index: OnceLock::new() })
    }

    /// The uncompressed archive from its start; and how many compressed octets were taken so far.
    fn stream(&self) -> (Box<dyn Read + Send>, impl Fn() -> u64 + use<>) {
        let whole = Section { source: Arc::clone(&self.source), at: 0, left: self.source.length() };
        let (counted, packed) = Counted::new(whole);
        let packed = move || packed.load(Ordering::Relaxed);
        (decoder(self.compression, Box::new(counted)), packed)
    }

    /// Every entry; and the kept tag files of a compressed archive.
    fn scan(&self, progress: &dyn Progress) -> Result<(Vec<Met>, Option<KeptBytes>), BagError> {
        let mut met = Vec::new();
        if self.compression == Compression::None {
            read_tar_at(
                self.source.as_ref(),
                &mut |entry| {
                    let place = Stretch { offset: entry.offset, length: entry.length };
                    met.push(Met { name: plain(entry.name).to_owned(), kind: entry.kind, place, kept: None });
                    Ok(())
                },
                &self.limits,
            )
            .map_err(|error| archive_error(&self.path, error))?;
            return Ok((met, None));
        }
        let mut kept_bytes = tempfile::tempfile()?;
        let (stream, packed) = self.stream();
        let mut stream = Watched { stream, packed: &packed, told: 0, progress };
        progress.begin("reading the archive", 0, self.source.length());
        let mut visit = |entry: TarEntry<'_>, body: &mut dyn Read| {
            let name = plain(entry.name);
            let kept = if entry.kind == Kind::File && !may_be_payload(name) {
                let offset = kept_bytes.stream_position().map_err(ArchiveError::Io)?;
                let length = io::copy(body, &mut kept_bytes)?;
                Some(Stretch { offset, length })
            } else {
                None
            };
            let place = Stretch { offset: entry.offset, length: entry.length };
            met.push(Met { name: name.to_owned(), kind: entry.kind, place, kept });
            Ok(())
        };
        let read = read_tar(&mut stream, &mut visit, &self.limits, &packed);
        progress.end();
        if progress.cancelled() {
            return Err(BagError::Interrupted);
        }
        read.map_err(|error| archive_error(&self.path, error))?;
        kept_bytes.flush()?;
        Ok((met, Some(Arc::new(FileAt::new(kept_bytes)?))))
    }
}

/// A name without the `./` that tar is often told to put before it.
fn plain(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"./").unwrap_or(name)
}

/// Whether a file may lie below `data/`, with or without a base folder.
fn may_be_payload(name: &[u8]) -> bool {
    let rest = name.iter().position(|byte| *byte == b'/').map_or(&[][..], |at| &name[at + 1..]);
    name.starts_with(b"data/") || rest.starts_with(b"data/")
}

impl Container for TarFile {
    fn location(&self) -> &Path {
        &self.path
    }

    fn name(&self) -> &str {
        self.index.get().map_or("bag", |index| index.base.trim_end_matches('/'))
    }

    fn list(&self, _detail: Detail, progress: &dyn Progress) -> Result<Listing, BagError> {
        let (met, kept_bytes) = self.scan(progress)?;
        let mut base = BaseFolder::default();
        met.iter().for_each(|entry| base.look(std::str::from_utf8(&entry.name).unwrap_or_default()));
        let base = base.name(&self.path)?;
        let mut sorter = Sorter::new(&self.path, &base);
        let (mut places, mut kept) = (Vec::new(), HashMap::new());
        for entry in met {
            let Ok(name) = std::str::from_utf8(&entry.name) else {
                sorter.not_text(&entry.name)?;
                continue;
            };
            // A name of nothing is the archive's own root, `./`.
            if name.is_empty() || name == "." {
                continue;
            }
            if let Some(id) = sorter.add(name, entry.kind, entry.place.length, None)? {
                places.push(entry.place);
                kept.extend(entry.kept.map(|stretch| (id, stretch)));
            }
        }
        let listing = sorter.listing;
        let base = if base.is_empty() { file_stem(&self.path) } else { base };
        // Listed again, it is the same.
        let _ = self.index.set(Index { base, places, kept, kept_bytes });
        Ok(listing)
    }

    fn open(&self, file: Place<'_>) -> io::Result<Body<'_>> {
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("{} in {}: {error}", file.path, self.path.display()))
        };
        let absent = || named(io::ErrorKind::NotFound.into());
        let index = self.index.get().ok_or_else(absent)?;
        if let (Some(place), Some(bytes)) = (index.kept.get(&file.id), &index.kept_bytes) {
            return Ok(Box::new(Section { source: Arc::clone(bytes), at: place.offset, left: place.length }));
        }
        let place = index.places.get(file.id.index()).ok_or_else(absent)?;
        if self.compression == Compression::None {
            return Ok(Box::new(Section {
                source: Arc::clone(&self.source),
                at: place.offset,
                left: place.length,
            }));
        }
        let (mut stream, _) = self.stream();
        io::copy(&mut stream.by_ref().take(place.offset), &mut io::sink()).map_err(named)?;
        Ok(Box::new(stream.take(place.length)))
    }

    fn sequential(&self) -> Option<&dyn Sequential> {
        (self.compression != Compression::None).then_some(self)
    }
}

impl Sequential for TarFile {
    fn visit(&self, visitor: &mut Visitor<'_>) -> io::Result<()> {
        let places = self.index.get().map_or(&[][..], |index| &index.places);
        let (mut stream, packed) = self.stream();
        let mut visit = |entry: TarEntry<'_>, body: &mut dyn Read| {
            let found = places.binary_search_by_key(&entry.offset, |place| place.offset);
            match found {
                Ok(index) if entry.kind == Kind::File => {
                    visitor(FileId::from_index(index), entry.length, body).map_err(ArchiveError::Io)
                }
                _ => Ok(()),
            }
        };
        read_tar(&mut stream, &mut visit, &self.limits, &packed).map_err(|error| match error {
            ArchiveError::Io(error) => error,
            error => io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", self.path.display())),
        })
    }
}

/// Tells of compressed octets as they are taken, and ends early when the work is to stop.
struct Watched<'w> {
    stream: Box<dyn Read + Send>,
    packed: &'w dyn Fn() -> u64,
    told: u64,
    progress: &'w dyn Progress,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.progress.cancelled() {
            return Err(io::Error::other("interrupted"));
        }
        let n = self.stream.read(buffer)?;
        let packed = (self.packed)();
        self.progress.bytes(packed - self.told);
        self.told = packed;
        Ok(n)
    }
}

/// Reads a part of a source.
struct Section {
    source: Arc<dyn ReadAt>,
    at: u64,
    left: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let n = self.source.read_at(&mut buffer[..most], self.at)?;
        if n == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive ends in this file"));
        }
        self.at += n as u64;
        self.left -= n as u64;
        Ok(n)
    }
}
