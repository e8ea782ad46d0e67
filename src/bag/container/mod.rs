//! What a bag comes in: a folder or an archive, read in place behind one trait.

mod entries;
mod folder;
mod tar;
mod zip;

use std::io::{self, Read};
use std::path::Path;

pub use self::folder::Folder;
pub use self::tar::TarFile;
pub use self::zip::ZipFile;
use super::archive::{ArchiveError, Compression, looks_like_tar, sniff};
use super::names::{FileId, Names, TooManyNames};
use super::{BagError, Finding, Limits, PathRef, Progress};

/// How much of a container is looked at when it is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Names only.
    Names,
    /// Names and lengths, which on disk cost a system call each.
    Lengths,
}

/// Everything in a container.
#[derive(Default)]
pub struct Listing {
    /// The regular files, numbered from 0, and nothing else.
    pub(super) names: Names,
    /// Their lengths in octets, by number; nothing where only names were asked for.
    pub(super) lengths: Vec<u64>,
    /// What is there but is no regular file with a proper name.
    pub(super) odd: Vec<Finding>,
    /// Whether there is a `data/` folder, be it empty.
    pub(super) has_data: bool,
}

impl Listing {
    /// Adds a regular file of so many octets; `None` if there is one of that name already.
    pub fn add(&mut self, path: PathRef<'_>, length: u64) -> Result<Option<FileId>, TooManyNames> {
        let (id, new) = self.names.insert(path)?;
        if new {
            self.has_data |= path.is_payload();
            self.lengths.push(length);
        }
        Ok(new.then_some(id))
    }
}

/// A file of a container, as its listing numbered and named it.
#[derive(Debug, Clone, Copy)]
pub struct Place<'p> {
    /// The number.
    pub id: FileId,
    /// The path below the bag's base folder.
    pub path: PathRef<'p>,
}

/// The bytes of one file, from start to end. The container checks what it knows of them (a zip its CRC): what is
/// wrong is an error of the last read.
pub type Body<'c> = Box<dyn Read + Send + 'c>;

/// Takes the files of a container as they come: number, length in octets, body.
pub type Visitor<'v> = dyn FnMut(FileId, u64, &mut dyn Read) -> io::Result<()> + 'v;

/// A place that holds one bag. Reads may run on many threads at once.
pub trait Container: Send + Sync {
    /// The folder or archive, for messages.
    fn location(&self) -> &Path;
    /// The name of the bag's base folder.
    fn name(&self) -> &str;
    /// Lists every file, links never followed. Progress is told where that takes long, and a wish to stop is heard.
    fn list(&self, detail: Detail, progress: &dyn Progress) -> Result<Listing, BagError>;
    /// Opens one file.
    fn open(&self, file: Place<'_>) -> io::Result<Body<'_>>;

    /// Appends a whole file to `bytes`: at most `limit` octets, more is an error.
    fn read(&self, file: Place<'_>, limit: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
        let before = bytes.len();
        self.open(file)?.take(limit.saturating_add(1)).read_to_end(bytes)?;
        if (bytes.len() - before) as u64 > limit {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{} is larger than {limit} bytes", file.path),
            ));
        }
        Ok(())
    }

    /// Looks for what is wrong with the container itself and can be seen without reading the files.
    /// `names` is the table of the listing.
    fn check(&self, _names: &Names) -> Result<(), BagError> {
        Ok(())
    }

    /// Where files are best read in the container's own order, the way to do so: to open one in a compressed archive,
    /// all before it has to be decompressed.
    fn sequential(&self) -> Option<&dyn Sequential> {
        None
    }
}

/// A container that is read from start to end.
pub trait Sequential: Sync {
    /// Hands out every file. What the visitor leaves of a body is passed over.
    fn visit(&self, visitor: &mut Visitor<'_>) -> io::Result<()>;
}

/// Opens a folder or an archive, told apart by what is on disk: by the first bytes, not by the name.
pub fn open_container(path: &Path, limits: &Limits) -> Result<Box<dyn Container>, BagError> {
    if path.to_str().is_some_and(|text| text.starts_with("http://") || text.starts_with("https://")) {
        return Err(BagError::Remote);
    }
    match fs_err::metadata(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Err(BagError::NotFound(path.to_owned()))
        }
        Err(error) => Err(error.into()),
        Ok(metadata) if metadata.is_dir() => Ok(Box::new(Folder::open(path)?)),
        Ok(metadata) if metadata.is_file() => open_archive(path, limits),
        Ok(_) => Err(BagError::NotABag {
            path: path.to_owned(),
            reason: "it is neither a folder nor a file".into(),
        }),
    }
}

fn open_archive(path: &Path, limits: &Limits) -> Result<Box<dyn Container>, BagError> {
    let mut start = Vec::new();
    fs_err::File::open(path)?.take(512).read_to_end(&mut start)?;
    if start.starts_with(b"PK") {
        return Ok(Box::new(ZipFile::open(path, limits)?));
    }
    if sniff(&start) == Compression::None && !looks_like_tar(&start) {
        let reason = if start.is_empty() {
            "it is empty"
        } else {
            "it starts like no zip, tar, tar.gz, tar.bz2 or tar.xz archive"
        };
        return Err(BagError::Archive { path: path.to_owned(), reason: reason.into() });
    }
    Ok(Box::new(TarFile::open(path, limits)?))
}

fn archive_error(path: &Path, error: ArchiveError) -> BagError {
    let path = path.to_owned();
    match error {
        ArchiveError::Broken(reason) => BagError::Archive { path, reason },
        ArchiveError::Refused(reason) => BagError::Refused { path, reason },
        ArchiveError::Io(error) => {
            io::Error::new(error.kind(), format!("{}: {error}", path.display())).into()
        }
    }
}

/// The name of a bag that lies at its archive's root: the archive's, without `.zip` or `.tar.gz`.
fn file_stem(path: &Path) -> String {
    let name = path.file_name().map_or_else(|| "bag".into(), |name| name.to_string_lossy().into_owned());
    let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
    let stem = stem.strip_suffix(".tar").unwrap_or(stem);
    if stem.is_empty() { "bag".into() } else { stem.to_owned() }
}
