//! Files that were imported in place: where the bytes of an asset are when the workspace has no copy of them.

use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use rusqlite::OptionalExtension;

use super::{Catalog, CatalogError, Change};

/// A file outside the workspace that an asset's bytes are in, as it was when it was imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReference {
    /// SHA-256 of the bytes, in lower-case hex.
    pub sha256: String,
    /// The absolute path.
    pub path: PathBuf,
    /// Length in octets.
    pub length: u64,
    /// Time of modification, in nanoseconds since 1970-01-01T00:00Z.
    pub modified: i64,
}

/// A file's time of modification in the form of [`FileReference::modified`].
#[must_use]
pub fn modified(metadata: &std::fs::Metadata) -> i64 {
    let time = metadata.modified().unwrap_or(UNIX_EPOCH);
    let nanoseconds = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()),
        Err(_) => UNIX_EPOCH
            .duration_since(time)
            .map_or(Ok(0), |before| i64::try_from(before.as_nanos()).map(|nanoseconds| -nanoseconds)),
    };
    nanoseconds.unwrap_or(i64::MAX)
}

impl FileReference {
    /// Why the file can't hold these bytes any more, by one look at it; `None` where only hashing it can tell.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let shown = self.path.display();
        let metadata = match fs_err::metadata(&self.path) {
            Ok(metadata) if metadata.is_file() => metadata,
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Some(error.to_string()),
            _ => return Some(format!("{shown}, where it was imported in place, is gone")),
        };
        let (now, then) = (metadata.len(), self.length);
        (now != then)
            .then(|| format!("{shown} has changed since it was imported in place: {now} bytes, then {then}"))
    }

    /// Whether length and time of modification are what they were, so that the bytes are too unless someone hides it.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        fs_err::metadata(&self.path).is_ok_and(|metadata| {
            metadata.is_file() && metadata.len() == self.length && modified(&metadata) == self.modified
        })
    }
}

impl Change<'_> {
    /// Remembers where the bytes of an asset are. What was remembered for the same bytes is forgotten.
    pub fn remember_file(&mut self, file: &FileReference) -> Result<(), CatalogError> {
        let path = file.path.to_str().ok_or_else(|| {
            CatalogError::Io(std::io::Error::other(format!("the path {} is not UTF-8", file.path.display())))
        })?;
        let sql = "INSERT OR REPLACE INTO dbag_file (sha256, path, length, modified) VALUES (?, ?, ?, ?)";
        let inserted = self.transaction().prepare_cached(sql).and_then(|mut statement| {
            statement.execute((&file.sha256, path, file.length.cast_signed(), file.modified))
        });
        inserted.map(drop).map_err(|e| self.fail(e))
    }
}

impl Catalog {
    /// Where the bytes with this SHA-256 were when they were imported in place.
    pub fn remembered_file(&self, sha256: &str) -> Result<Option<FileReference>, CatalogError> {
        let sql = "SELECT sha256, path, length, modified FROM dbag_file WHERE sha256 = ?";
        let found = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row([sha256], reference).optional());
        found.map_err(|e| self.fail(e))
    }

    /// Every file that was imported in place, by its path.
    pub fn remembered_files(&self) -> Result<Vec<FileReference>, CatalogError> {
        let sql = "SELECT sha256, path, length, modified FROM dbag_file ORDER BY path, sha256";
        let mut statement = self.connection.prepare(sql).map_err(|e| self.fail(e))?;
        let files = statement.query_map((), reference).and_then(Iterator::collect);
        files.map_err(|e| self.fail(e))
    }
}

fn reference(row: &rusqlite::Row<'_>) -> rusqlite::Result<FileReference> {
    let path: String = row.get(1)?;
    let length: i64 = row.get(2)?;
    Ok(FileReference {
        sha256: row.get(0)?,
        path: path.into(),
        length: length.unsigned_abs(),
        modified: row.get(3)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::CreateOptions;

    #[test]
    fn a_file_in_place_is_remembered_and_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let mut catalog =
            Catalog::create(&folder.path().join("c.sqlite"), &CreateOptions::default()).unwrap();
        let path = folder.path().join("a.bin");
        fs_err::write(&path, "abc").unwrap();
        let file = FileReference {
            modified: modified(&fs_err::metadata(&path).unwrap()),
            sha256: "ba78".into(),
            path: path.clone(),
            length: 3,
        };
        catalog
            .change::<_, CatalogError>("dbag import", |change| {
                change.remember_file(&FileReference { length: 9, ..file.clone() })?;
                change.remember_file(&file)
            })
            .unwrap();
        let found = catalog.remembered_file("ba78").unwrap().unwrap();
        assert_eq!(found, file);
        assert_eq!(catalog.remembered_files().unwrap(), [file]);
        assert_eq!((found.fault(), found.is_untouched()), (None, true));
        fs_err::write(&path, "abcd").unwrap();
        assert!(found.fault().unwrap().contains("4 bytes, then 3"));
        assert!(!found.is_untouched());
        fs_err::remove_file(&path).unwrap();
        assert!(found.fault().unwrap().contains("gone"));
    }
}
