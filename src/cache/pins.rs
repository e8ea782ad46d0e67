//! Pins: bags whose files no eviction takes.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::folder::path_id;
use super::lease::{finished_files, write_digests};
use super::store::is_absence;
use super::{Cache, CacheError};
use crate::bag::Digest;

pub(super) const PINS: &str = "pins-1";

/// A bag whose files are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// What it is called, such as `digits@1.0.0`.
    pub name: Option<String>,
    /// Where the bag was, absolute. The pin holds whether or not it is there still.
    pub path: PathBuf,
    /// Files that are kept.
    pub files: u64,
    /// When it was pinned, in seconds since 1970.
    pub since: u64,
}

impl Cache {
    fn pin_place(&self, path: &Path, extension: &str) -> PathBuf {
        self.folder.path(PINS).join(format!("{}.{extension}", path_id(path)))
    }

    /// Keeps the files with these digests (one for each file, SHA-256 or MD5) until the bag is unpinned, those too that
    /// come into the cache later. A pin of the same path is replaced.
    pub fn pin(
        &self,
        name: Option<&str>,
        path: &Path,
        digests: impl Iterator<Item = Digest>,
    ) -> io::Result<Pin> {
        let mut files = 0;
        let counted = digests.inspect(|_| files += 1);
        // The digests first: they hold by themselves, and the other file tells that they are all there.
        self.folder.write_with(&self.pin_place(path, "txt"), |file| write_digests(file, counted))?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let pin = Pin { name: name.map(str::to_owned), path: path.to_owned(), files, since };
        self.folder.write(&self.pin_place(path, "json"), &serde_json::to_vec_pretty(&pin)?)?;
        Ok(pin)
    }

    /// Every pin, by name and path.
    pub fn pins(&self) -> Result<Vec<Pin>, CacheError> {
        let mut pins = Vec::new();
        for path in finished_files(&self.folder.path(PINS))? {
            if path.extension().is_some_and(|extension| extension == "json") {
                let text = fs_err::read(&path)?;
                let unreadable =
                    |error: serde_json::Error| CacheError::BadPin { path, reason: error.to_string() };
                pins.push(serde_json::from_slice(&text).map_err(unreadable)?);
            }
        }
        pins.sort_by(|one: &Pin, other| (&one.name, &one.path).cmp(&(&other.name, &other.path)));
        Ok(pins)
    }

    /// Refuses a pin without its list of digests: nobody knows any more which files it keeps.
    pub(super) fn check_pins(&self) -> Result<(), CacheError> {
        for path in finished_files(&self.folder.path(PINS))? {
            let is_pin = path.extension().is_some_and(|extension| extension == "json");
            let list = path.with_extension("txt");
            // One that ended meanwhile has neither.
            if is_pin && !list.exists() && path.exists() {
                let reason = format!("its list of digests {} is missing; pin the bag again", list.display());
                return Err(CacheError::BadPin { path, reason });
            }
        }
        Ok(())
    }

    /// Ends the pin with this name or of this path, and says which it was. Two of the name are an error that names both.
    pub fn unpin(&self, which: &str) -> Result<Pin, CacheError> {
        let absolute = std::path::absolute(which)?;
        let resolved = fs_err::canonicalize(which).unwrap_or_else(|_| absolute.clone());
        let (of_path, others): (Vec<Pin>, Vec<Pin>) =
            self.pins()?.into_iter().partition(|pin| pin.path == absolute || pin.path == resolved);
        let mut found = of_path;
        if found.is_empty() {
            found = others.into_iter().filter(|pin| pin.name.as_deref() == Some(which)).collect();
        }
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (None, _) => Err(CacheError::NoSuchPin(which.to_owned())),
            (Some(one), Some(other)) => {
                Err(CacheError::TwoPins { name: which.to_owned(), one: one.path, other: other.path })
            }
            (Some(pin), None) => {
                fs_err::remove_file(self.pin_place(&pin.path, "json"))?;
                match fs_err::remove_file(self.pin_place(&pin.path, "txt")) {
                    Err(error) if !is_absence(&error) => Err(error.into()),
                    _ => Ok(pin),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bag::Algorithm;

    #[test]
    fn a_pin_is_found_by_name_and_by_path() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let digest = Digest::parse(Algorithm::Md5, "900150983cd24fb0d6963f7d28e17f72").unwrap();
        let pin = |path: &str, name| cache.pin(name, Path::new(path), std::iter::once(digest)).unwrap();
        pin("/data/a", Some("digits@1.0.0"));
        let again = pin("/data/a", Some("digits@1.0.0"));
        assert_eq!((again.files, cache.pins().unwrap()), (1, vec![again.clone()]));
        pin("/data/b", Some("digits@1.0.0"));
        pin("/data/c", None);

        let error = cache.unpin("digits@1.0.0").unwrap_err().to_string();
        assert!(error.contains("/data/a") && error.contains("/data/b"), "{error}");
        cache.unpin("/data/b").unwrap();
        assert_eq!(cache.unpin("digits@1.0.0").unwrap(), again);
        assert!(matches!(cache.unpin("digits@1.0.0"), Err(CacheError::NoSuchPin(_))));
        cache.unpin("/data/c").unwrap();
        assert_eq!(fs_err::read_dir(folder.path().join(PINS)).unwrap().count(), 0);
    }
}
