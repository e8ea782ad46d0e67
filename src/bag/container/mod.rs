//! What a bag comes in: a folder or an archive, read in place behind one trait.

mod folder;
mod zip;

use std::io::{self, Read};
use std::path::Path;

pub use self::folder::Folder;
pub use self::zip::ZipFile;
use super::{BagError, BagPath, Finding};

/// A regular file in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Its path below the bag's base folder.
    pub path: BagPath,
    /// Its length in octets, as the container's directory says.
    pub length: u64,
}

/// Everything in a container.
#[derive(Debug, Default)]
pub struct Listing {
    /// The regular files, sorted by path.
    pub files: Vec<FileEntry>,
    /// What is there but is no regular file with a proper name.
    pub odd: Vec<Finding>,
    /// Whether there is a `data/` folder, be it empty.
    pub has_data: bool,
}

/// A place that holds one bag. Reads may run on many threads at once.
pub trait Container: Send + Sync {
    /// The folder or archive, for messages.
    fn location(&self) -> &Path;
    /// The name of the bag's base folder.
    fn name(&self) -> &str;
    /// Lists every file, links never followed.
    fn list(&self) -> Result<Listing, BagError>;
    /// Opens one file and hands it to `f`. The container checks what it knows of the bytes (a zip its CRC).
    fn read(&self, path: &BagPath, f: &mut dyn FnMut(&mut dyn Read) -> io::Result<()>) -> io::Result<()>;

    /// Reads a small file whole: at most `limit` octets, more is an error.
    fn read_small(&self, path: &BagPath, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read(path, &mut |reader| {
            reader.take(limit + 1).read_to_end(&mut bytes)?;
            if bytes.len() as u64 > limit {
                return Err(io::Error::other(format!("{path} is larger than {limit} bytes")));
            }
            Ok(())
        })?;
        Ok(bytes)
    }
}

/// Opens a folder or a zip archive, told apart by what is on disk.
pub fn open_container(path: &Path) -> Result<Box<dyn Container>, BagError> {
    if path.to_str().is_some_and(|text| text.starts_with("http://") || text.starts_with("https://")) {
        return Err(BagError::Remote);
    }
    match fs_err::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(BagError::NotFound(path.to_owned())),
        Err(error) => Err(error.into()),
        Ok(metadata) if metadata.is_dir() => Ok(Box::new(Folder::open(path)?)),
        Ok(metadata) if metadata.is_file() => Ok(Box::new(ZipFile::open(path)?)),
        Ok(_) => Err(BagError::NotABag {
            path: path.to_owned(),
            reason: "it is neither a folder nor a file".into(),
        }),
    }
}
