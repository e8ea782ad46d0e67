//! The store of objects: put a file in, find it by digest, copy it on to another store.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::times::sync_file_system;
use crate::bag::{Algorithm, Digest, MultiHasher, Progress, hash_reader};

/// Files up to this many octets are read whole, so that one that is stored already is not written again.
const SMALL: u64 = 8 << 20;
const BUFFER: usize = 1 << 20;
const ALGORITHMS: [Algorithm; 2] = [Algorithm::Md5, Algorithm::Sha256];

/// A folder of objects. Any number of processes may add to it at once.
#[derive(Debug, Clone)]
pub struct ObjectStore {
    root: PathBuf,
}

/// A file that is in the store now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Its MD5.
    pub md5: Digest,
    /// Its SHA-256: its name in the store.
    pub sha256: Digest,
    /// Its length in octets.
    pub length: u64,
    /// Whether it was not there before.
    pub new: bool,
}

impl Stored {
    /// What a file would be stored as.
    pub fn of(source: &Path, progress: &dyn Progress) -> io::Result<Self> {
        let (length, digests) = hash_file(source, &ALGORITHMS, progress)?;
        Ok(Self { md5: digests[0], sha256: digests[1], length, new: false })
    }

    /// What the bytes of a reader would be stored as.
    pub fn of_reader(reader: &mut dyn Read, progress: &dyn Progress) -> io::Result<Self> {
        let (length, digests) = hash_reader(reader, &ALGORITHMS, &mut vec![0; BUFFER], progress)?;
        Ok(Self { md5: digests[0], sha256: digests[1], length, new: false })
    }
}

impl ObjectStore {
    /// The store at a folder, which is made when something is put there.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// An object's path below the store, `/`-separated: `ab/abcd…`.
    #[must_use]
    pub fn relative(sha256: &Digest) -> String {
        let hex = sha256.to_string();
        format!("{}/{hex}", &hex[..2])
    }

    /// An object's path on disk, whether or not it is there.
    #[must_use]
    pub fn path(&self, sha256: &Digest) -> PathBuf {
        self.root.join(Self::relative(sha256))
    }

    /// Whether the object is there with this length in octets.
    #[must_use]
    pub fn has(&self, sha256: &Digest, length: u64) -> bool {
        fs_err::metadata(self.path(sha256))
            .is_ok_and(|metadata| metadata.is_file() && metadata.len() == length)
    }

    /// Puts a file's bytes into the store, hashing while they pass.
    pub fn put(&self, source: &Path, progress: &dyn Progress) -> io::Result<Stored> {
        let mut file = fs_err::File::open(source)?;
        let expected = file.metadata()?.len();
        if expected <= SMALL {
            let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or(0));
            file.take(SMALL + 1).read_to_end(&mut bytes)?;
            if bytes.len() as u64 <= SMALL {
                progress.bytes(bytes.len() as u64);
                return self.put_bytes(&bytes);
            }
            file = fs_err::File::open(source)?;
        }
        self.put_stream(&mut file, progress)
    }

    fn put_stream(&self, file: &mut dyn Read, progress: &dyn Progress) -> io::Result<Stored> {
        let mut temporary = self.temporary()?;
        let mut hasher = MultiHasher::new(&ALGORITHMS);
        let mut buffer = vec![0; BUFFER];
        let mut length = 0;
        loop {
            let n = file.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            hasher.update(&buffer[..n]);
            temporary.write_all(&buffer[..n])?;
            length += n as u64;
            progress.bytes(n as u64);
            if progress.cancelled() {
                return Err(io::Error::other("interrupted"));
            }
        }
        self.keep(temporary, &hasher.finish(), length)
    }

    /// Puts what a reader gives into the store, hashing while it passes.
    pub fn put_reader(&self, reader: &mut dyn Read, progress: &dyn Progress) -> io::Result<Stored> {
        let mut bytes = Vec::new();
        (&mut *reader).take(SMALL).read_to_end(&mut bytes)?;
        progress.bytes(bytes.len() as u64);
        if (bytes.len() as u64) < SMALL {
            return self.put_bytes(&bytes);
        }
        self.put_stream(&mut io::Cursor::new(bytes).chain(reader), progress)
    }

    fn put_bytes(&self, bytes: &[u8]) -> io::Result<Stored> {
        let mut hasher = MultiHasher::new(&ALGORITHMS);
        hasher.update(bytes);
        let digests = hasher.finish();
        let length = bytes.len() as u64;
        if self.has(&digests[1], length)
            && fs_err::read(self.path(&digests[1])).is_ok_and(|there| there == bytes)
        {
            return Ok(Stored { md5: digests[0], sha256: digests[1], length, new: false });
        }
        let mut temporary = self.temporary()?;
        temporary.write_all(bytes)?;
        self.keep(temporary, &digests, length)
    }

    /// Copies an object to another store, checking its bytes on the way. False if it was there already.
    pub fn copy_to(
        &self,
        target: &Self,
        sha256: &Digest,
        length: u64,
        progress: &dyn Progress,
    ) -> io::Result<bool> {
        let source = self.path(sha256);
        match target.take(&source, sha256, length, progress)? {
            Some(new) => Ok(new),
            None => {
                // What was stored is right under its own name; the source is not what it was.
                let message = format!("{} is damaged: its bytes have another SHA-256", source.display());
                Err(io::Error::new(io::ErrorKind::InvalidData, message))
            }
        }
    }

    /// Copies a file that is to have this SHA-256 and length in octets into the store, unless the object is there already.
    /// Whether it was not; `None` where the file has other bytes.
    pub fn take(
        &self,
        source: &Path,
        sha256: &Digest,
        length: u64,
        progress: &dyn Progress,
    ) -> io::Result<Option<bool>> {
        // A length alone proves nothing; what is damaged is copied again.
        if self.has(sha256, length) && Stored::of(&self.path(sha256), progress)?.sha256 == *sha256 {
            return Ok(Some(false));
        }
        let stored = self.put(source, progress)?;
        Ok((stored.sha256 == *sha256).then_some(stored.new))
    }

    /// Makes everything put so far survive a power failure: one sync of the file system.
    fn sync(&self) -> io::Result<()> {
        if !self.root.is_dir() {
            return Ok(());
        }
        sync_file_system(&self.root)
    }

    /// Ends a batch: syncs, and takes away the folder of temporary files if no other process is using it.
    pub fn finish(&self) -> io::Result<()> {
        self.sync()?;
        // Not empty means that another process is at work.
        let _ = fs_err::remove_dir(self.root.join("tmp"));
        Ok(())
    }

    fn temporary(&self) -> io::Result<tempfile::NamedTempFile> {
        let folder = self.root.join("tmp");
        // Another process may take the empty folder away between the two steps.
        loop {
            fs_err::create_dir_all(&folder)?;
            match tempfile::Builder::new().prefix("object-").tempfile_in(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => return other,
            }
        }
    }

    fn keep(
        &self,
        temporary: tempfile::NamedTempFile,
        digests: &[Digest],
        length: u64,
    ) -> io::Result<Stored> {
        let (md5, sha256) = (digests[0], digests[1]);
        let target = self.path(&sha256);
        if let Some(folder) = target.parent() {
            fs_err::create_dir_all(folder)?;
        }
        let mut permissions = temporary.as_file().metadata()?.permissions();
        readable_by_all(&mut permissions);
        temporary.as_file().set_permissions(permissions)?;
        temporary.persist(&target).map_err(|error| {
            io::Error::new(
                error.error.kind(),
                format!("failed to write {}: {}", target.display(), error.error),
            )
        })?;
        Ok(Stored { md5, sha256, length, new: true })
    }
}

/// A file's length in octets and its digests, in the order of the algorithms.
pub(super) fn hash_file(
    path: &Path,
    algorithms: &[Algorithm],
    progress: &dyn Progress,
) -> io::Result<(u64, Vec<Digest>)> {
    let mut file = fs_err::File::open(path)?;
    hash_reader(&mut file, algorithms, &mut vec![0; BUFFER], progress)
}

/// Objects are never modified, and a web server that runs as another user must be able to read them.
pub(super) fn readable_by_all(permissions: &mut std::fs::Permissions) {
    #[cfg(unix)]
    std::os::unix::fs::PermissionsExt::set_mode(permissions, 0o444);
    #[cfg(not(unix))]
    permissions.set_readonly(true);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bag::NoProgress;

    #[test]
    fn a_file_is_found_by_its_digest_and_stored_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = ObjectStore::at(&folder.path().join("objects"));
        let source = folder.path().join("abc");
        fs_err::write(&source, "abc").unwrap();
        let stored = store.put(&source, &NoProgress).unwrap();
        assert!(stored.new);
        assert!(!store.put(&source, &NoProgress).unwrap().new);
        assert_eq!(fs_err::read(store.path(&stored.sha256)).unwrap(), b"abc");
        assert!(
            store
                .path(&stored.sha256)
                .ends_with("ba/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        );

        let other = ObjectStore::at(&folder.path().join("site"));
        assert!(store.copy_to(&other, &stored.sha256, 3, &NoProgress).unwrap());
        assert!(!store.copy_to(&other, &stored.sha256, 3, &NoProgress).unwrap());
    }

    #[test]
    fn a_damaged_object_is_not_passed_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = ObjectStore::at(&folder.path().join("objects"));
        let source = folder.path().join("abc");
        fs_err::write(&source, "abc").unwrap();
        let stored = store.put(&source, &NoProgress).unwrap();
        let object = store.path(&stored.sha256);
        fs_err::remove_file(&object).unwrap();
        fs_err::write(&object, "abd").unwrap();
        let other = ObjectStore::at(&folder.path().join("site"));
        let error = store.copy_to(&other, &stored.sha256, 3, &NoProgress).unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
        assert!(!other.has(&stored.sha256, 3));
    }
}
