//! A bag's folder: files come from the cache by the cheapest link there is, or are renamed into place.
//!
//! A file appears under its name whole and checked. What says later that it was checked is its stamp, made when
//! the file system has been synced; a file without one is hashed again.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use super::slot::{Finish, PartialSlot, naming};
use super::{Local, Place, Slot, find};
use crate::bag::{Algorithm, Digest, NoProgress, hash_reader};
use crate::cache::{
    Cache, LinkCounts, LinkMode, Linker, Object, Stamp, stamp, sync_file_system, system_words,
};
use crate::materialize::list::Wanted;
use crate::materialize::work::{Owner, Partial, make_in};

/// Receipts are written for so many files at once: each time costs a sync of the file system.
const BATCH: usize = 16_384;

/// A bag's folder.
pub(in crate::materialize) struct FolderPlace<'c> {
    root: PathBuf,
    cache: Option<&'c Cache>,
    /// Whether what is fetched is kept in the cache.
    keep: bool,
    linker: Linker,
    /// Stamps count for nothing.
    rehash: bool,
    /// Where files under way are: in the cache, or in the bag's own hidden folder.
    work: PathBuf,
    owner: Owner,
    waiting: Mutex<Waiting>,
}

/// Files that wait for their stamps.
#[derive(Default)]
struct Waiting {
    objects: Vec<Object>,
    files: Vec<(PathBuf, Digest)>,
}

impl<'c> FolderPlace<'c> {
    pub(in crate::materialize) fn new(
        root: &Path,
        cache: Option<&'c Cache>,
        keep: bool,
        link: LinkMode,
        work: &Path,
        owner: &Owner,
    ) -> Self {
        Self {
            root: root.to_owned(),
            cache,
            keep,
            linker: Linker::new(link),
            rehash: false,
            work: work.to_owned(),
            owner: owner.clone(),
            waiting: Mutex::default(),
        }
    }

    /// The same place, where stamps count for nothing if `rehash` is set.
    pub(in crate::materialize) fn rehash(self, rehash: bool) -> Self {
        Self { rehash, ..self }
    }

    /// How files came from the cache.
    pub(in crate::materialize) fn links(&self) -> LinkCounts {
        self.linker.counts()
    }

    /// Whether the file at its place is the one that is listed: by its stamp, or by its bytes. That nothing can be put
    /// there is an error.
    fn is_right(&self, path: &Path, wanted: &Wanted<'_>) -> io::Result<Option<u64>> {
        let metadata = match fs_err::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if has_no_place(&error) => {
                let message = format!("{} can't be put in place: {}", path.display(), system_words(&error));
                return Err(io::Error::new(error.kind(), message));
            }
            Err(_) => return Ok(None),
        };
        if metadata.is_dir() {
            let message = format!("{} is a folder, and a file belongs there", path.display());
            return Err(io::Error::new(io::ErrorKind::IsADirectory, message));
        }
        let length = metadata.len();
        if !metadata.is_file() || wanted.length.is_some_and(|expected| expected != length) {
            return Ok(None);
        }
        if !self.rehash && is_stamped(&metadata, &wanted.digests, self.cache) {
            return Ok(Some(length));
        }
        let algorithms: Vec<Algorithm> = wanted.digests.iter().map(Digest::algorithm).collect();
        let mut file = fs_err::File::open(path)?;
        let (_, digests) = hash_reader(&mut file, &algorithms, &mut vec![0; 1 << 18], &NoProgress)?;
        if digests != wanted.digests {
            return Ok(None);
        }
        Ok(Some(length))
    }

    /// Links an object to the file's place; false where the object is gone.
    fn link(&self, object: &Object, path: &Path) -> io::Result<bool> {
        let linked = with_folder(path, || self.linker.link(&object.path, path, &object.sha256));
        match linked {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Puts a whole and checked file into its place.
    fn place(&self, file: NamedTempFile, wanted: &Wanted<'_>, digests: &[Digest]) -> io::Result<()> {
        let path = wanted.file.path().below(&self.root);
        let digest = |algorithm| digests.iter().find(|digest| digest.algorithm() == algorithm);
        let kept = self.cache.filter(|_| self.keep).zip(digest(Algorithm::Sha256));
        let Some((cache, sha256)) = kept else {
            share(file.as_file())?;
            rename(file, &path)?;
            let named = wanted.name().copied();
            return self.wait(|waiting| waiting.files.extend(named.map(|digest| (path, digest))));
        };
        let object = cache.add(file, sha256, digest(Algorithm::Md5))?;
        if !self.link(&object, &path)? {
            let message =
                format!("{} was removed from the cache while it was put in place", object.path.display());
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, message));
        }
        self.wait(|waiting| waiting.objects.push(object))
    }

    fn wait(&self, add: impl FnOnce(&mut Waiting)) -> io::Result<()> {
        let full = {
            let mut waiting = self.lock();
            add(&mut waiting);
            let many = waiting.objects.len() + waiting.files.len() >= BATCH;
            many.then(|| std::mem::take(&mut *waiting))
        };
        full.map_or(Ok(()), |full| self.stamp(&full))
    }

    fn stamp(&self, waiting: &Waiting) -> io::Result<()> {
        if let Some(cache) = self.cache {
            cache.stamp_batch(&waiting.objects)?;
        }
        if !waiting.files.is_empty() {
            sync_file_system(&self.root)?;
        }
        for (path, digest) in &waiting.files {
            // One that can't be stamped is hashed again, no more.
            let _ = stamp(path, digest);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place for FolderPlace<'_> {
    fn look(&self, wanted: &Wanted<'_>) -> io::Result<Local> {
        let path = wanted.file.path().below(&self.root);
        if let Some(length) = self.is_right(&path, wanted)? {
            return Ok(Local::There(length));
        }
        let Some(cache) = self.cache else { return Ok(Local::Absent) };
        match find(cache, wanted, self.rehash)? {
            Some(object) if self.link(&object, &path)? => Ok(Local::Linked(object.length)),
            _ => Ok(Local::Absent),
        }
    }

    fn addressed_by(&self) -> Option<Algorithm> {
        self.cache.filter(|_| self.keep).map(|_| Algorithm::Sha256)
    }

    fn store(&self, wanted: &Wanted<'_>, octets: &[u8], digests: &[Digest]) -> io::Result<()> {
        let new = || tempfile::Builder::new().prefix("file-").suffix(".part").tempfile_in(&self.work);
        let mut file = make_in(&self.work, new)?;
        let written = file.write_all(octets);
        written.map_err(|error| naming(file.path(), &error))?;
        self.place(file, wanted, digests)
    }

    fn begin<'p>(&'p self, wanted: &Wanted<'p>) -> io::Result<Box<dyn Slot + 'p>> {
        Ok(Box::new(PartialSlot::open(&self.work, &self.owner, self, wanted)?))
    }

    fn settle(&self) -> io::Result<()> {
        let waiting = std::mem::take(&mut *self.lock());
        self.stamp(&waiting)?;
        self.linker.finish()
    }
}

impl Finish for FolderPlace<'_> {
    fn finish(&self, partial: &Partial, wanted: &Wanted<'_>, digests: &[Digest]) -> io::Result<()> {
        self.place(partial.finish()?, wanted, digests)
    }
}

/// Whether a path can't be that of a file here: it is worth no request.
fn has_no_place(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidFilename | io::ErrorKind::NotADirectory)
}

/// Whether a file's stamp says that it was seen with these digests.
pub(in crate::materialize) fn is_stamped(
    metadata: &std::fs::Metadata,
    digests: &[Digest],
    cache: Option<&Cache>,
) -> bool {
    let listed = |algorithm| digests.iter().find(|digest| digest.algorithm() == algorithm);
    if let Some(sha256) = listed(Algorithm::Sha256) {
        return Stamp::holds(metadata, sha256);
    }
    // A file that was linked from the cache is stamped as the object that it is.
    let object = listed(Algorithm::Md5).and_then(|md5| cache?.by_md5(md5));
    object.is_some_and(|sha256| Stamp::holds(metadata, &sha256))
        || digests.last().is_some_and(|digest| Stamp::holds(metadata, digest))
}

/// The digest that a file of its own is stamped with: its SHA-256, or else the strongest that is listed.
pub(in crate::materialize) fn stamp_digest(digests: &[Digest]) -> Option<&Digest> {
    let sha256 = digests.iter().find(|digest| digest.algorithm() == Algorithm::Sha256);
    sha256.or_else(|| digests.last())
}

/// Does something that needs the folder of a path, which is made if that is what is lacking.
fn with_folder<T>(path: &Path, act: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match act() {
        // Another thread may have made it meanwhile: that is no reason not to try again.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let Some(folder) = path.parent() else { return Err(error) };
            fs_err::create_dir_all(folder)?;
            act()
        }
        other => other,
    }
}

/// Renames a file to its place.
pub(super) fn rename(file: NamedTempFile, path: &Path) -> io::Result<()> {
    let source = file.into_temp_path();
    with_folder(path, || fs_err::rename(&source, path))?;
    // It is no temporary file any more.
    let _ = source.keep();
    Ok(())
}

/// Gives a file the permissions that a newly created one would have: a temporary one is its owner's alone.
pub(super) fn share(file: &std::fs::File) -> io::Result<()> {
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}
