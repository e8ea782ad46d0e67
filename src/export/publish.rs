//! A version's asset bytes to a folder that a web server shows.

use std::path::Path;

use rayon::prelude::*;

use super::ExportError;
use super::assets::Asset;
use super::bytes::Bytes;
use crate::bag::{Progress, with_pool};
use crate::cache::ObjectStore;
use crate::catalog::{Catalog, SelectOptions};
use crate::version::VersionRef;

/// What was published.
#[derive(Debug, Clone)]
pub struct PublishReport {
    /// Name and version.
    pub reference: VersionRef,
    /// Files that were copied.
    pub copied: u64,
    /// Octets in them.
    pub copied_bytes: u64,
    /// Files that were there already.
    pub present: u64,
}

/// Copies a version's assets to `folder`, where a bag exported with the folder's URL finds them. Each file's digest
/// is checked while it is copied; what is there already is left.
pub fn publish(
    catalog: &Catalog,
    objects: &ObjectStore,
    reference: &VersionRef,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<PublishReport, ExportError> {
    let selection = catalog.select_version(reference, &SelectOptions::default())?;
    if folder.exists() && !folder.is_dir() {
        return Err(ExportError::NotAFolder(folder.to_owned()));
    }
    let mut assets = Vec::new();
    for part in selection.tables.iter().filter(|part| part.table.is_asset()) {
        catalog.for_each_selected(part, |row| {
            assets.push(Asset::from_row(&part.table, &row)?);
            Ok::<_, ExportError>(())
        })?;
    }
    assets.sort_by_key(|asset| asset.sha256);
    assets.dedup_by_key(|asset| asset.sha256);
    let places: Vec<Bytes> =
        assets.iter().map(|asset| Bytes::find(catalog, objects, asset)).collect::<Result<_, _>>()?;
    fs_err::create_dir_all(folder)?;
    let site = ObjectStore::at(folder);
    progress.begin("publishing", assets.len() as u64, assets.iter().map(|asset| asset.length).sum());
    let copied: Result<Vec<bool>, ExportError> = with_pool(0, |pool| {
        let one = |(asset, bytes): (&Asset, &Bytes)| {
            if progress.cancelled() {
                return Err(ExportError::Interrupted);
            }
            let copied = match &bytes.in_place {
                None => objects.copy_to(&site, &asset.sha256, asset.length, progress)?,
                Some(_) => site
                    .take(&bytes.path, &asset.sha256, asset.length, progress)?
                    .ok_or_else(|| bytes.wrong(asset))?,
            };
            progress.file();
            Ok(copied)
        };
        pool.install(|| assets.par_iter().zip(&places).map(one).collect())
    })?;
    progress.end();
    let copied = copied?;
    site.finish()?;
    let count = |wanted: bool| copied.iter().filter(|copied| **copied == wanted).count() as u64;
    let bytes =
        assets.iter().zip(&copied).filter(|(_, copied)| **copied).map(|(asset, _)| asset.length).sum();
    Ok(PublishReport {
        reference: reference.clone(),
        copied: count(true),
        copied_bytes: bytes,
        present: count(false),
    })
}
