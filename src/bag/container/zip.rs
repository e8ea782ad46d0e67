//! A bag in a zip archive, read in place by many threads: nothing is extracted to verify or query it.

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zip::ZipArchive;
use zip::result::ZipError;

use super::{Container, FileEntry, Listing};
use crate::bag::{BagError, BagPath, Code, Finding};

/// One zip archive with one bag: a single top folder (BagIt 0.97 §4), or the bag at its root.
pub struct ZipFile {
    path: PathBuf,
    name: String,
    archive: ZipArchive<Positioned>,
    entries: HashMap<BagPath, usize>,
    listing: Listing,
}

impl ZipFile {
    /// Opens the archive and reads its central directory. Entries with one name, overlapping entries and
    /// names that leave the archive are refused.
    pub fn open(path: &Path) -> Result<Self, BagError> {
        let broken = |error: ZipError| archive_error(path, error);
        let mut archive = ZipArchive::new(Positioned::open(path)?).map_err(broken)?;
        let refuse = |reason: String| BagError::Refused { path: path.to_owned(), reason };
        if archive.has_duplicate_names() {
            return Err(refuse("two of its entries have the same name".into()));
        }
        if archive.has_overlapping_entries().map_err(broken)? {
            return Err(refuse("two of its entries share bytes".into()));
        }
        let mut raw = Vec::with_capacity(archive.len());
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(broken)?;
            let name = entry.name().map_err(broken)?.into_owned();
            raw.push(RawEntry {
                index,
                name,
                length: entry.size(),
                link: entry.is_symlink(),
                encrypted: entry.encrypted(),
            });
        }
        let base = base_folder(path, &raw)?;
        let mut listing = Listing::default();
        let mut entries = HashMap::with_capacity(raw.len());
        for entry in raw {
            let inner = &entry.name[base.len()..];
            if inner.is_empty() || inner.ends_with('/') {
                listing.has_data |= inner == "data/";
                if entry.length > 0 {
                    return Err(refuse(format!("the folder {:?} has bytes of its own", entry.name)));
                }
                BagPath::parse(inner.trim_end_matches('/'))
                    .ok()
                    .or(inner.is_empty().then(bagit))
                    .ok_or_else(|| refuse(format!("the entry {:?} would lie outside the bag", entry.name)))?;
                continue;
            }
            let parsed = BagPath::parse(inner).map_err(|error| refuse(error.to_string()))?;
            listing.has_data |= parsed.is_payload();
            if entry.link {
                listing.odd.push(Finding::new(
                    Code::NotAFile,
                    &parsed,
                    "it is a symbolic link, which is not followed",
                ));
            } else if entry.encrypted {
                listing.odd.push(Finding::new(Code::NotAFile, &parsed, "it is encrypted"));
            } else {
                if entries.insert(parsed.clone(), entry.index).is_some() {
                    return Err(refuse(format!("{parsed} is in it twice")));
                }
                listing.files.push(FileEntry { path: parsed, length: entry.length });
            }
        }
        listing.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let name = match base.trim_end_matches('/') {
            "" => path.file_stem().map_or_else(|| "bag".into(), |stem| stem.to_string_lossy().into_owned()),
            base => base.to_owned(),
        };
        Ok(Self { path: path.to_owned(), name, archive, entries, listing })
    }
}

struct RawEntry {
    index: usize,
    name: String,
    length: u64,
    link: bool,
    encrypted: bool,
}

fn bagit() -> BagPath {
    BagPath::parse("bagit.txt").unwrap_or_else(|_| unreachable!("a plain name"))
}

/// The prefix of the bag's entries: the single top folder with its `/`, or nothing.
fn base_folder(path: &Path, entries: &[RawEntry]) -> Result<String, BagError> {
    if entries.iter().any(|entry| entry.name == "bagit.txt") {
        return Ok(String::new());
    }
    let not_a_bag = |reason: &str| BagError::NotABag { path: path.to_owned(), reason: reason.into() };
    let top = entries.iter().find_map(|entry| {
        let top = entry.name.strip_suffix("/bagit.txt")?;
        (!top.contains('/')).then_some(top)
    });
    let base = format!("{}/", top.ok_or_else(|| not_a_bag("it has no bagit.txt"))?);
    BagPath::parse(base.trim_end_matches('/'))
        .map_err(|error| BagError::Refused { path: path.to_owned(), reason: error.to_string() })?;
    if entries.iter().any(|entry| !entry.name.starts_with(&base)) {
        return Err(not_a_bag("it has more than one folder at its top"));
    }
    Ok(base)
}

fn archive_error(path: &Path, error: ZipError) -> BagError {
    match error {
        ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => BagError::Io(error),
        error => {
            let reason = error.to_string();
            // The end of the central directory is what makes a file a zip archive.
            let cut = reason.contains("EOCD");
            let reason = if cut { "it is none, or it is cut off".to_owned() } else { reason };
            BagError::Archive { path: path.to_owned(), reason }
        }
    }
}

impl Container for ZipFile {
    fn location(&self) -> &Path {
        &self.path
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn list(&self) -> Result<Listing, BagError> {
        let Listing { files, odd, has_data } = &self.listing;
        Ok(Listing { files: files.clone(), odd: odd.clone(), has_data: *has_data })
    }

    fn read(&self, path: &BagPath, f: &mut dyn FnMut(&mut dyn Read) -> io::Result<()>) -> io::Result<()> {
        let named = |error: io::Error| {
            let broken =
                error.kind() == io::ErrorKind::InvalidInput || error.to_string() == "Invalid checksum";
            let kind = if broken { io::ErrorKind::InvalidData } else { error.kind() };
            io::Error::new(kind, format!("{} in {}: {error}", path, self.path.display()))
        };
        let index = *self.entries.get(path).ok_or_else(|| named(io::ErrorKind::NotFound.into()))?;
        // A clone shares the directory and has a position of its own.
        let mut archive = self.archive.clone();
        let entry = archive.by_index(index).map_err(|error| named(error.into()))?;
        let length = entry.size();
        // One more byte than promised shows that the entry lies about its size.
        let mut limited = entry.take(length.saturating_add(1));
        f(&mut limited).map_err(named)?;
        if limited.limit() != 1 {
            let message = format!("its entry says {length} bytes, which is not what it has");
            return Err(named(io::Error::new(io::ErrorKind::InvalidData, message)));
        }
        Ok(())
    }
}

/// A file with a position of its own, so that clones read in parallel through one descriptor.
#[derive(Clone)]
struct Positioned {
    file: Arc<fs_err::File>,
    length: u64,
    at: u64,
}

impl Positioned {
    fn open(path: &Path) -> io::Result<Self> {
        let file = fs_err::File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), length, at: 0 })
    }
}

impl Read for Positioned {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(unix)]
        let n = std::os::unix::fs::FileExt::read_at(self.file.file(), buffer, self.at)?;
        #[cfg(windows)]
        let n = std::os::windows::fs::FileExt::seek_read(self.file.file(), buffer, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for Positioned {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before the start"))?;
        Ok(self.at)
    }
}
