//! The cache's own folder: its format, and the folders and small files in it, made so that a group can share them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::NamedTempFile;

use super::CacheError;
use super::store::is_absence;
use crate::bag::{Algorithm, MultiHasher};

const FORMAT: &str = "format";
const KIND: &str = "dbag cache ";
const NUMBER: u64 = 1;
/// What a name begins with while it is made. What is left of it after a crash may be deleted.
pub(super) const NEW: &str = ".new-";

/// The root of a cache, and how things are made below it.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// The root and its format are there.
    prepared: AtomicBool,
}

impl Folder {
    pub(super) fn open(root: &Path) -> Result<Self, CacheError> {
        let root = std::path::absolute(root)?;
        let prepared = match fs_err::read_to_string(root.join(FORMAT)) {
            Ok(text) => check_format(&root, &text).map(|()| true)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(CacheError::NotACache { path: root, found: "no text".into() });
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(CacheError::NotAFolder(root));
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { root, prepared: AtomicBool::new(prepared) })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Whether the admin made the root for a group: writable by it, and what is made in it belongs to it.
    fn is_shared(&self) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs_err::metadata(&self.root).is_ok_and(|root| root.permissions().mode() & 0o2020 == 0o2020)
        }
        #[cfg(not(unix))]
        false
    }

    /// Makes the root and writes its format.
    fn prepare(&self) -> io::Result<()> {
        // All of a cache may be deleted at any time.
        if self.prepared.load(Ordering::Relaxed) && self.root.join(FORMAT).is_file() {
            return Ok(());
        }
        fs_err::create_dir_all(&self.root)?;
        self.write(&self.root.join(FORMAT), format!("{KIND}{NUMBER}\n").as_bytes())?;
        self.prepared.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Makes a folder of the cache, and those above it. One that is there is left as it is.
    pub(super) fn make(&self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() && self.prepared.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.prepare()?;
        let below: Vec<&Path> = folder.ancestors().take_while(|above| *above != self.root).collect();
        let shared = self.is_shared();
        below
            .into_iter()
            .rev()
            .filter(|folder| !folder.is_dir())
            .try_for_each(|folder| if shared { self.make_shared(folder) } else { make_plain(folder) })
    }

    /// Makes a folder that the group may write to, whatever the umask; it is not there before it is so.
    fn make_shared(&self, folder: &Path) -> io::Result<()> {
        let new = tempfile::Builder::new().prefix(NEW).tempdir_in(&self.root)?;
        #[cfg(unix)]
        fs_err::set_permissions(new.path(), std::os::unix::fs::PermissionsExt::from_mode(0o2775))?;
        match fs_err::rename(new.path(), folder) {
            Ok(()) => {
                let _ = new.keep();
                Ok(())
            }
            // Another process was faster.
            Err(_) if folder.is_dir() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Renames a finished file to its place in a folder of the cache.
    pub(super) fn persist(&self, file: NamedTempFile, to: &Path) -> io::Result<()> {
        let file = match file.persist(to) {
            Err(error) if is_absence(&error.error) => {
                to.parent().map_or(Ok(()), |folder| self.make(folder))?;
                error.file
            }
            other => return other.map(drop).map_err(|error| named(&error.error, to)),
        };
        file.persist(to).map(drop).map_err(|error| named(&error.error, to))
    }

    /// Writes a small file that others may read; it is there whole or not at all.
    pub(super) fn write(&self, path: &Path, contents: &[u8]) -> io::Result<()> {
        self.write_with(path, |file| file.write_all(contents))
    }

    /// The same for contents that are written as they come.
    pub(super) fn write_with(
        &self,
        path: &Path,
        contents: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let folder = path.parent().unwrap_or(&self.root);
        if folder != self.root {
            self.make(folder)?;
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(NEW);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
        let mut file = io::BufWriter::new(builder.tempfile_in(folder)?);
        contents(&mut file)?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        #[cfg(unix)]
        if self.is_shared() {
            let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
            file.as_file().set_permissions(readable)?;
        }
        file.persist(path).map(drop).map_err(|error| named(&error.error, path))
    }
}

/// What stands for a path in a file's name: the SHA-256 of its octets.
pub(super) fn path_id(path: &Path) -> String {
    let mut hasher = MultiHasher::new(&[Algorithm::Sha256]);
    hasher.update(path.as_os_str().as_encoded_bytes());
    hasher.finish()[0].to_string()
}

fn make_plain(folder: &Path) -> io::Result<()> {
    match fs_err::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn named(error: &io::Error, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("failed to write {}: {error}", path.display()))
}

fn check_format(root: &Path, text: &str) -> Result<(), CacheError> {
    let path = root.to_owned();
    let found: String = text.trim().chars().take(60).collect();
    match found.strip_prefix(KIND).and_then(|number| number.parse::<u64>().ok()) {
        Some(NUMBER) => Ok(()),
        Some(number) if number > NUMBER => {
            Err(CacheError::NewerFormat { path, found, known: format!("{KIND}{NUMBER}") })
        }
        _ => Err(CacheError::NotACache { path, found }),
    }
}
