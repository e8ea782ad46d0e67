//! The files of a folder.

use std::path::PathBuf;

use walkdir::WalkDir;

use super::AssetImport;
use crate::ingest::IngestError;

/// A file of the folder.
pub(super) struct Found {
    pub path: PathBuf,
    /// Below the imported folder, `/`-separated.
    pub relative: String,
    /// In octets.
    pub length: u64,
}

impl AsRef<str> for Found {
    fn as_ref(&self) -> &str {
        &self.relative
    }
}

/// The regular files, sorted by their path, and how many entries were passed over.
pub(super) fn list(import: &AssetImport<'_>) -> Result<(Vec<Found>, u64), IngestError> {
    let mut files = Vec::new();
    let mut skipped = 0;
    let mut walk = WalkDir::new(import.path).min_depth(1).into_iter();
    while let Some(entry) = walk.next() {
        let entry = entry.map_err(std::io::Error::from)?;
        // A workspace is never imported into itself, nor into another.
        let workspace = entry.file_name() == ".dbag";
        let hidden = workspace || !import.hidden && entry.file_name().as_encoded_bytes().starts_with(b".");
        if entry.file_type().is_dir() {
            if hidden {
                walk.skip_current_dir();
                skipped += 1;
            }
            continue;
        }
        if hidden || !entry.file_type().is_file() {
            skipped += 1;
            continue;
        }
        let relative = entry.path().strip_prefix(import.path).unwrap_or(entry.path());
        let parts: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
        let relative = parts.ok_or_else(|| IngestError::NotUtf8(entry.path().to_owned()))?.join("/");
        let length = entry.metadata().map_err(std::io::Error::from)?.len();
        files.push(Found { path: entry.into_path(), relative, length });
    }
    files.sort_unstable_by(|a, b| a.relative.cmp(&b.relative));
    Ok((files, skipped))
}
