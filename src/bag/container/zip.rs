//! A bag in a zip archive, read in place by many threads: nothing is extracted to verify or query it.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use super::entries::{BaseFolder, Sorter};
use super::{Body, Container, Detail, Listing, Place, archive_error, file_stem};
use crate::bag::archive::{
    FileAt, ReadAt, ZipEntry, check_local, check_overlaps, open_entry, read_directory,
};
use crate::bag::names::{FileId, Names};
use crate::bag::{BagError, Limits, Progress, with_pool};

/// Entries for which it does not pay to start threads.
const FEW: usize = 256;

/// One zip archive with one bag: a single top folder (BagIt 0.97 §4), or the bag at its root.
pub struct ZipFile {
    path: PathBuf,
    name: String,
    base: String,
    source: Arc<dyn ReadAt>,
    limits: Limits,
    directory: OnceLock<Directory>,
}

/// What is kept of the central directory, by the numbers that the listing gave.
struct Directory {
    entries: Vec<ZipEntry>,
    /// The few names that are not `base` and the file's path: those with `./` in them.
    odd_names: HashMap<FileId, String>,
}

impl ZipFile {
    /// Opens the archive and finds the bag in it.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, BagError> {
        let file = fs_err::File::open(path)?.into_parts().0;
        Self::read(path, Arc::new(FileAt::new(file)?), limits)
    }

    /// Finds the bag in an archive that is read from `source`; `path` is for messages.
    pub fn read(path: &Path, source: Arc<dyn ReadAt>, limits: &Limits) -> Result<Self, BagError> {
        let mut base = BaseFolder::default();
        // Which folder is the bag's can be told only after the last entry, so the directory is read twice.
        read_directory(source.as_ref(), limits, &mut |name, _, _| {
            base.look(std::str::from_utf8(name).unwrap_or_default());
            Ok(())
        })
        .map_err(|error| archive_error(path, error))?;
        let base = base.name(path)?;
        let name = if base.is_empty() { file_stem(path) } else { base.trim_end_matches('/').to_owned() };
        let directory = OnceLock::new();
        Ok(Self { path: path.to_owned(), name, base, source, limits: *limits, directory })
    }

    /// Entries with one name, overlapping entries and names that leave the archive are refused.
    fn read_listing(&self) -> Result<(Listing, Directory), BagError> {
        let mut sorter = Sorter::new(&self.path, &self.base);
        let mut directory = Directory { entries: Vec::new(), odd_names: HashMap::new() };
        let mut all = Vec::new();
        let mut failed = None;
        let start = read_directory(self.source.as_ref(), &self.limits, &mut |bytes, _, entry| {
            let added = match std::str::from_utf8(bytes) {
                Ok(name) => sorter
                    .add(name, entry.kind, entry.length, entry.is_encrypted().then_some("it is encrypted"))
                    .map(|id| (id, name)),
                Err(_) => sorter.not_text(bytes).map(|()| (None, "")),
            };
            match added {
                Ok((Some(id), name)) => {
                    directory.entries.push(entry);
                    let path = sorter.listing.names.get(id).as_str();
                    if name.len() != self.base.len() + path.len() {
                        directory.odd_names.insert(id, name.to_owned());
                    }
                }
                Ok((None, _)) => all.push(entry),
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
            Ok(())
        })
        .map_err(|error| archive_error(&self.path, error))?;
        if let Some(error) = failed {
            return Err(error);
        }
        // Folders and links take part in overlaps, and are then forgotten.
        let files = directory.entries.len();
        directory.entries.append(&mut all);
        check_overlaps(&directory.entries, start).map_err(|error| archive_error(&self.path, error))?;
        directory.entries.truncate(files);
        Ok((sorter.listing, directory))
    }

    fn entry(&self, file: Place<'_>) -> Option<(&ZipEntry, String)> {
        let directory = self.directory.get()?;
        let name = directory.odd_names.get(&file.id);
        let name = name.map_or_else(|| format!("{}{}", self.base, file.path.as_str()), String::clone);
        Some((directory.entries.get(file.id.index())?, name))
    }
}

impl Container for ZipFile {
    fn location(&self) -> &Path {
        &self.path
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn list(&self, _detail: Detail, _progress: &dyn Progress) -> Result<Listing, BagError> {
        let (listing, directory) = self.read_listing()?;
        // Listed again, it is the same.
        let _ = self.directory.set(directory);
        Ok(listing)
    }

    fn open(&self, file: Place<'_>) -> io::Result<Body<'_>> {
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("{} in {}: {error}", file.path, self.path.display()))
        };
        let (entry, name) = self.entry(file).ok_or_else(|| named(io::ErrorKind::NotFound.into()))?;
        Ok(Box::new(open_entry(self.source.as_ref(), entry, name.as_bytes()).map_err(named)?))
    }

    /// Compares every local header with the central directory.
    fn check(&self, names: &Names) -> Result<(), BagError> {
        let ids: Vec<FileId> =
            names.ids().take(self.directory.get().map_or(0, |d| d.entries.len())).collect();
        let check = |scratch: &mut Vec<u8>, id: &FileId| {
            let file = Place { id: *id, path: names.get(*id) };
            let Some((entry, name)) = self.entry(file) else { return Ok(()) };
            check_local(self.source.as_ref(), entry, name.as_bytes(), scratch).map(drop)
        };
        let checked = if ids.len() <= FEW {
            ids.iter().try_for_each(|id| check(&mut Vec::new(), id))
        } else {
            let each = || ids.par_iter().with_min_len(FEW).map_init(Vec::new, check);
            with_pool(0, |pool| pool.install(|| each().try_for_each(|checked| checked)))?
        };
        checked.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                BagError::Refused { path: self.path.clone(), reason: error.to_string() }
            }
            _ => error.into(),
        })
    }
}
