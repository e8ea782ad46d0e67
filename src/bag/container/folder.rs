//! A bag in a folder.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::{Container, FileEntry, Listing};
use crate::bag::{BagError, BagPath, Code, Finding};

/// A bag's base folder on disk.
pub struct Folder {
    root: PathBuf,
    name: String,
}

impl Folder {
    /// Takes the folder itself, or the one bag folder right below it, as an unpacked archive leaves it.
    pub fn open(path: &Path) -> Result<Self, BagError> {
        if path.join("bagit.txt").is_file() {
            return Ok(Self::at(path));
        }
        let mut inner = Vec::new();
        for entry in fs_err::read_dir(path)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() && entry.path().join("bagit.txt").is_file() {
                inner.push(entry.path());
            }
        }
        match inner.as_slice() {
            [one] => Ok(Self::at(one)),
            _ => Err(BagError::NotABag { path: path.to_owned(), reason: "it has no bagit.txt".into() }),
        }
    }

    fn at(root: &Path) -> Self {
        let full = fs_err::canonicalize(root).unwrap_or_else(|_| root.to_owned());
        let name = full.file_name().map_or_else(|| "bag".into(), |name| name.to_string_lossy().into_owned());
        Self { root: root.to_owned(), name }
    }
}

impl Container for Folder {
    fn location(&self) -> &Path {
        &self.root
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn list(&self) -> Result<Listing, BagError> {
        let mut listing = Listing::default();
        for entry in WalkDir::new(&self.root).min_depth(1) {
            let entry = entry.map_err(io::Error::from)?;
            let relative = entry.path().strip_prefix(&self.root).unwrap_or(entry.path());
            let odd = |why: &str| Finding::new(Code::NotAFile, relative.display(), why);
            let Some(name) = relative.to_str() else {
                listing.odd.push(odd("the name is not UTF-8"));
                continue;
            };
            let kind = entry.file_type();
            if kind.is_dir() {
                listing.has_data |= name == "data";
            } else if kind.is_symlink() {
                listing.odd.push(odd("it is a symbolic link, which is not followed"));
            } else if !kind.is_file() {
                listing.odd.push(odd("it is a device, pipe or socket"));
            } else {
                match BagPath::parse(name) {
                    Ok(path) => {
                        let length = entry.metadata().map_err(io::Error::from)?.len();
                        listing.files.push(FileEntry { path, length });
                    }
                    Err(error) => listing.odd.push(odd(&error.to_string())),
                }
            }
        }
        listing.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        listing.odd.sort_unstable();
        Ok(listing)
    }

    fn read(&self, path: &BagPath, f: &mut dyn FnMut(&mut dyn Read) -> io::Result<()>) -> io::Result<()> {
        let mut file = fs_err::File::open(path.below(&self.root))?;
        f(&mut file)
    }
}
