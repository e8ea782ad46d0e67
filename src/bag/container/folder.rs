//! A bag in a folder.
//!
//! Nothing outside the folder is ever opened: links are listed as findings, and files are opened relative to the bag's
//! base folder by a system call that follows none, so that a link put there meanwhile leads nowhere either.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::{Body, Container, Detail, Listing, Place};
use crate::bag::{BagError, Code, Finding, PathRef, Progress, with_pool};

/// Files from this many octets on are worth telling the system that they will be read from start to end.
const LARGE: u64 = 1 << 20;

/// A bag's base folder on disk.
pub struct Folder {
    root: PathBuf,
    name: String,
    #[cfg(unix)]
    handle: File,
}

impl Folder {
    /// Takes the folder itself, or the one bag folder right below it, as an unpacked archive leaves it.
    pub fn open(path: &Path) -> Result<Self, BagError> {
        if path.join("bagit.txt").is_file() {
            return Self::at(path);
        }
        let mut inner = Vec::new();
        for entry in fs_err::read_dir(path)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() && entry.path().join("bagit.txt").is_file() {
                inner.push(entry.path());
            }
        }
        match inner.as_slice() {
            [one] => Self::at(one),
            _ => Err(BagError::NotABag { path: path.to_owned(), reason: "it has no bagit.txt".into() }),
        }
    }

    fn at(root: &Path) -> Result<Self, BagError> {
        let full = fs_err::canonicalize(root).unwrap_or_else(|_| root.to_owned());
        let name = full.file_name().map_or_else(|| "bag".into(), |name| name.to_string_lossy().into_owned());
        Ok(Self {
            root: root.to_owned(),
            name,
            #[cfg(unix)]
            handle: fs_err::File::open(root)?.into_parts().0,
        })
    }

    fn open_file(&self, path: PathRef<'_>) -> io::Result<(File, u64)> {
        #[cfg(unix)]
        let opened = beneath::open(&self.handle, path.as_str());
        #[cfg(not(unix))]
        let opened = beneath::open(&self.root, path);
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.below(&self.root).display()))
        };
        let file = opened.map_err(named)?;
        let metadata = file.metadata().map_err(named)?;
        if !metadata.is_file() {
            return Err(named(io::Error::new(io::ErrorKind::InvalidData, "it is no regular file")));
        }
        Ok((file, metadata.len()))
    }
}

impl Container for Folder {
    fn location(&self) -> &Path {
        &self.root
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn list(&self, detail: Detail, _progress: &dyn Progress) -> Result<Listing, BagError> {
        let walk = Walk { root: &self.root, detail, listing: Mutex::default(), failed: Mutex::new(None) };
        with_pool(0, |pool| pool.scope(|scope| walk.folder("", scope)))?;
        if let Some(error) = walk.failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        let mut listing = walk.listing.into_inner().unwrap_or_else(PoisonError::into_inner);
        listing.odd.sort_unstable();
        Ok(listing)
    }

    fn open(&self, file: Place<'_>) -> io::Result<Body<'_>> {
        let (file, length) = self.open_file(file.path)?;
        #[cfg(target_os = "linux")]
        if length >= LARGE {
            // Only advice: reading works without.
            let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Sequential);
        }
        Ok(Box::new(file))
    }

    fn read(&self, file: Place<'_>, limit: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
        let (mut opened, length) = self.open_file(file.path)?;
        let refuse = || {
            io::Error::new(io::ErrorKind::InvalidData, format!("{} is larger than {limit} bytes", file.path))
        };
        let expected = usize::try_from(length.min(limit)).map_err(|_| refuse())?;
        let before = bytes.len();
        // Room for one octet more: a read that leaves it free has seen the end, which saves the call to see it.
        bytes.resize(before + expected + 1, 0);
        let n = opened.read(&mut bytes[before..])?;
        bytes.truncate(before + n);
        if n != expected {
            opened.take(limit.saturating_add(1)).read_to_end(bytes)?;
        }
        if (bytes.len() - before) as u64 > limit { Err(refuse()) } else { Ok(()) }
    }
}

/// A listing under way. Each folder is a task of its own.
struct Walk<'w> {
    root: &'w Path,
    detail: Detail,
    listing: Mutex<Listing>,
    failed: Mutex<Option<BagError>>,
}

impl Walk<'_> {
    /// Lists the folder whose path in the bag is `prefix`, which is empty or ends with `/`.
    fn folder<'s>(&'s self, prefix: &str, scope: &rayon::Scope<'s>) {
        if let Err(error) = self.try_folder(prefix, scope) {
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    }

    fn try_folder<'s>(&'s self, prefix: &str, scope: &rayon::Scope<'s>) -> Result<(), BagError> {
        let mut found: Vec<(String, u64)> = Vec::new();
        let mut odd = Vec::new();
        for entry in fs_err::read_dir(self.root.join(prefix))? {
            let entry = entry?;
            let name = entry.file_name();
            let mut odd_one = |why: &str| {
                let place = format!("{prefix}{}", name.to_string_lossy());
                odd.push(Finding::new(Code::NotAFile, crate::bag::path::printable(&place), why));
            };
            let Some(text) = name.to_str() else {
                odd_one("the name is not UTF-8");
                continue;
            };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                let inner = format!("{prefix}{text}/");
                scope.spawn(move |scope| self.folder(&inner, scope));
            } else if kind.is_symlink() {
                odd_one("it is a symbolic link, which is not followed");
            } else if !kind.is_file() {
                odd_one("it is a device, pipe or socket");
            } else {
                let length = if self.detail == Detail::Lengths { entry.metadata()?.len() } else { 0 };
                found.push((text.to_owned(), length));
            }
        }
        // In the order in which manifests mostly list them.
        found.sort_unstable();
        let mut listing = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        listing.has_data |= prefix == "data/";
        listing.odd.append(&mut odd);
        let (mut path, mut scratch) = (prefix.to_owned(), String::new());
        for (name, length) in found {
            path.truncate(prefix.len());
            path.push_str(&name);
            match PathRef::parse(&path, &mut scratch) {
                Ok(path) => {
                    let inserted = listing.names.insert(path);
                    inserted.map_err(|error| BagError::Refused {
                        path: self.root.to_owned(),
                        reason: error.to_string(),
                    })?;
                    if self.detail == Detail::Lengths {
                        listing.lengths.push(length);
                    }
                }
                Err(error) => {
                    let place = crate::bag::path::printable(&path);
                    listing.odd.push(Finding::new(Code::NotAFile, place, error.to_string()));
                }
            }
        }
        Ok(())
    }
}

/// Opens files below a folder without following links.
#[cfg(unix)]
mod beneath {
    use std::fs::File;
    use std::io;

    use rustix::fs::{Mode, OFlags, openat};

    /// A pipe or device that took a file's place must not make the reader wait.
    const FLAGS: OFlags =
        OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK);

    pub(super) fn open(root: &File, path: &str) -> io::Result<File> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::ResolveFlags;
            let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            match rustix::fs::openat2(root, path, FLAGS, Mode::empty(), how) {
                Ok(file) => return Ok(file.into()),
                // Kernels before 5.6 do not know the call, and some sandboxes deny it.
                Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {}
                Err(error) => return Err(error.into()),
            }
        }
        step_by_step(root, path)
    }

    /// Opens folder after folder, none of which may be a link.
    fn step_by_step(root: &File, path: &str) -> io::Result<File> {
        let (folders, name) =
            path.rsplit_once('/').map_or((None, path), |(folders, name)| (Some(folders), name));
        let mut folder = root.try_clone()?;
        for step in folders.iter().flat_map(|folders| folders.split('/')) {
            folder = openat(&folder, step, FLAGS | OFlags::DIRECTORY, Mode::empty())?.into();
        }
        Ok(openat(&folder, name, FLAGS, Mode::empty())?.into())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn no_link_is_followed_either_way() {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().join("root");
            fs_err::create_dir_all(root.join("a/b")).unwrap();
            fs_err::write(root.join("a/b/file"), "in").unwrap();
            fs_err::write(folder.path().join("outside"), "out").unwrap();
            fs_err::os::unix::fs::symlink("b", root.join("a/link")).unwrap();
            fs_err::os::unix::fs::symlink("../outside", root.join("leaves")).unwrap();
            let handle = fs_err::File::open(&root).unwrap().into_parts().0;
            for way in [open, step_by_step] {
                assert_eq!(io::read_to_string(way(&handle, "a/b/file").unwrap()).unwrap(), "in");
                for path in ["a/link/file", "leaves", "absent"] {
                    assert!(way(&handle, path).is_err(), "{path}");
                }
            }
            #[cfg(target_os = "linux")]
            assert!(open(&handle, "../outside").is_err());
        }
    }
}

#[cfg(not(unix))]
mod beneath {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    use crate::bag::PathRef;

    pub(super) fn open(root: &Path, path: PathRef<'_>) -> io::Result<File> {
        let mut place = root.to_owned();
        for part in path.as_str().split('/') {
            place.push(part);
            if fs_err::symlink_metadata(&place)?.is_symlink() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "it is a symbolic link"));
            }
        }
        Ok(fs_err::File::open(&place)?.into_parts().0)
    }
}
