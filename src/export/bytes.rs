//! Where the bytes of an asset are: among the workspace's objects, or where they were imported in place.

use std::path::PathBuf;

use super::ExportError;
use super::assets::Asset;
use crate::cache::ObjectStore;
use crate::catalog::{Catalog, FileReference};

/// Where the bytes of an asset are.
pub(super) struct Bytes {
    pub path: PathBuf,
    /// What is remembered of a file that is not ours.
    pub in_place: Option<FileReference>,
}

impl Bytes {
    /// Finds the bytes. A file that was imported in place must look as it did; whoever reads it must hash it, too.
    pub fn find(catalog: &Catalog, objects: &ObjectStore, asset: &Asset) -> Result<Self, ExportError> {
        let path = objects.path(&asset.sha256);
        if path.exists() {
            return Ok(Self { path, in_place: None });
        }
        let Asset { table, rid, filename, .. } = asset.clone();
        match catalog.remembered_file(&asset.sha256.to_string())? {
            None => Err(ExportError::BytesGone { table, rid, filename, path }),
            Some(file) => match file.fault() {
                Some(fault) => Err(ExportError::BytesChanged { table, rid, filename, fault }),
                None => Ok(Self { path: file.path.clone(), in_place: Some(file) }),
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
