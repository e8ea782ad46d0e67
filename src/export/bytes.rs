//! Where the bytes of an asset are: among the workspace's objects, or where they were imported in place.

use std::path::PathBuf;

use super::ExportError;
use super::assets::Asset;
use crate::bag::Digest;
use crate::cache::ObjectStore;
use crate::catalog::{Catalog, FileReference};

/// Where the bytes of an asset are.
pub(super) struct Bytes {
    pub path: PathBuf,
    /// What is remembered of a file that is not ours.
    pub in_place: Option<FileReference>,
    /// Their name.
    pub sha256: Digest,
}

impl Bytes {
    /// Finds the bytes; `None` where the workspace never had any. A file that was imported in place must look as it did; whoever
    /// reads it must hash it, too.
    pub fn find(
        catalog: &Catalog,
        objects: &ObjectStore,
        asset: &Asset,
    ) -> Result<Option<Self>, ExportError> {
        let Some(sha256) = sha256_of(catalog, asset)? else { return Ok(None) };
        let path = objects.path(&sha256);
        if path.exists() {
            return Ok(Some(Self { path, in_place: None, sha256 }));
        }
        let Asset { table, rid, filename, .. } = asset.clone();
        match catalog.remembered_file(&sha256.to_string())? {
            None => Err(ExportError::BytesGone { table, rid, filename, path }),
            Some(file) => match file.fault() {
                Some(fault) => Err(ExportError::BytesChanged { table, rid, filename, fault }),
                None => Ok(Some(Self { path: file.path.clone(), in_place: Some(file), sha256 })),
            },
        }
    }

    /// What to say where the bytes turned out to be others.
    pub fn wrong(&self, asset: &Asset) -> ExportError {
        let shown = self.path.display();
        let Asset { table, rid, filename, .. } = asset.clone();
        if self.in_place.is_some() {
            let fault = format!("{shown} has changed since it was imported in place");
            return ExportError::BytesChanged { table, rid, filename, fault };
        }
        let reason = format!("{shown} is damaged: its bytes are not those that were imported");
        ExportError::BadAsset { table, rid, reason }
    }
}

/// The SHA-256 of an asset's bytes: the row's own, or that of the object that came with a row that knows its MD5 only.
pub(super) fn sha256_of(catalog: &Catalog, asset: &Asset) -> Result<Option<Digest>, ExportError> {
    match (&asset.sha256, &asset.md5) {
        (Some(sha256), _) => Ok(Some(*sha256)),
        (None, Some(md5)) => Ok(catalog.object_of(md5, asset.length)?),
        (None, None) => Ok(None),
    }
}
