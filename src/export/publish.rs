//! A version's asset bytes to a folder that a web server shows, and the bag that refers to them.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::assets::Asset;
use super::bytes::Bytes;
use super::homes::base_url;
use super::{AssetMode, ExportError, ExportOptions, ExportReport, export};
use crate::bag::{Progress, with_pool};
use crate::cache::ObjectStore;
use crate::catalog::{Catalog, SelectOptions};
use crate::version::VersionRef;

/// How to publish.
#[derive(Debug, Clone, Default)]
pub struct PublishOptions {
    /// The folder, made if it is not there.
    pub folder: PathBuf,
    /// The URL under which others see it. It is remembered for the folder.
    pub base_url: Option<String>,
    /// The bag goes there too, after the files that it refers to.
    pub bag: bool,
    /// Tell what would be copied, and copy nothing.
    pub dry_run: bool,
}

/// What was published.
#[derive(Debug, Clone)]
pub struct PublishReport {
    /// Name and version.
    pub reference: VersionRef,
    /// Files that were copied, or would be.
    pub copied: u64,
    /// Octets in them.
    pub copied_bytes: u64,
    /// Files that were there already.
    pub present: u64,
    /// Assets whose bytes never came here: they stay where their URLs say.
    pub elsewhere: u64,
    /// The URL under which others see the files.
    pub base_url: Option<String>,
    /// The bag.
    pub bag: Option<ExportReport>,
}

/// Copies a version's assets to a folder, where bags find them by the folder's URL. Each file's digest is checked while it is
/// copied; what is there already is left.
pub fn publish(
    catalog: &mut Catalog,
    objects: &ObjectStore,
    reference: &VersionRef,
    options: &PublishOptions,
    progress: &dyn Progress,
) -> Result<PublishReport, ExportError> {
    let folder = &options.folder;
    if folder.exists() && !folder.is_dir() {
        return Err(ExportError::NotAFolder(folder.clone()));
    }
    let said = options.base_url.as_deref().map(base_url).transpose()?.map(|url| url.to_string());
    let base = match said {
        Some(url) => Some(url),
        None => known_url(catalog, folder)?,
    };
    if options.bag && base.is_none() {
        return Err(ExportError::NoBaseUrl(folder.clone()));
    }
    let (files, elsewhere) = files(catalog, objects, reference)?;
    let site = ObjectStore::at(folder);
    let copied = if options.dry_run {
        files.iter().map(|(asset, _)| !site.has(&asset.sha256, asset.length)).collect()
    } else {
        fs_err::create_dir_all(folder)?;
        copy(objects, &site, &files, progress)?
    };
    let count = |wanted: bool| copied.iter().filter(|copied| **copied == wanted).count() as u64;
    let copied_files = files.iter().zip(&copied).filter(|(_, copied)| **copied);
    let mut report = PublishReport {
        reference: reference.clone(),
        copied: count(true),
        copied_bytes: copied_files.map(|((asset, _), _)| asset.length).sum(),
        present: count(false),
        elsewhere,
        base_url: base.clone(),
        bag: None,
    };
    let Some(base) = base.filter(|_| !options.dry_run) else { return Ok(report) };
    let place = catalog.place(&location(folder)?, Some(&base))?;
    let urls = files.iter().map(|(asset, _)| {
        (asset.sha256.to_string(), format!("{base}{}", ObjectStore::relative(&asset.sha256)))
    });
    catalog.record_published(place.id, urls)?;
    if options.bag {
        let options = ExportOptions {
            assets: AssetMode::Auto,
            from: Some(place.location),
            force: true,
            ..ExportOptions::new(&folder.join(format!("{}-{}.zip", reference.name, reference.version)))
        };
        report.bag = Some(export(catalog, objects, reference, &options, progress)?);
    }
    Ok(report)
}

/// The folder as the catalog calls it.
fn location(folder: &Path) -> Result<String, ExportError> {
    let folder = fs_err::canonicalize(folder)?;
    let bad =
        || ExportError::Io(std::io::Error::other(format!("the path {} is not UTF-8", folder.display())));
    folder.to_str().map(str::to_owned).ok_or_else(bad)
}

/// The URL that was said of a folder before.
fn known_url(catalog: &Catalog, folder: &Path) -> Result<Option<String>, ExportError> {
    if !folder.is_dir() {
        return Ok(None);
    }
    let location = location(folder)?;
    Ok(catalog
        .places()?
        .into_iter()
        .find(|place| place.location == location)
        .and_then(|place| place.base_url))
}

/// The version's files that are here, each once; and how many assets never were.
fn files(
    catalog: &Catalog,
    objects: &ObjectStore,
    reference: &VersionRef,
) -> Result<(Vec<(Asset, Bytes)>, u64), ExportError> {
    let selection = catalog.select_version(reference, &SelectOptions::default())?;
    let (mut files, mut elsewhere) = (Vec::new(), 0);
    for part in selection.tables.iter().filter(|part| part.table.asset_form().is_some()) {
        catalog.for_each_selected(part, |row| {
            match Asset::known(catalog, &part.table, &row)? {
                Some(asset) => {
                    let bytes = Bytes::find(catalog, objects, &asset)?;
                    files.push((asset, bytes));
                }
                None => elsewhere += 1,
            }
            Ok::<_, ExportError>(())
        })?;
    }
    files.sort_by_key(|(asset, _)| asset.sha256);
    files.dedup_by_key(|(asset, _)| asset.sha256);
    Ok((files, elsewhere))
}

/// Copies files; of each whether it was not there before.
fn copy(
    objects: &ObjectStore,
    site: &ObjectStore,
    files: &[(Asset, Bytes)],
    progress: &dyn Progress,
) -> Result<Vec<bool>, ExportError> {
    progress.begin("publishing", files.len() as u64, files.iter().map(|(asset, _)| asset.length).sum());
    let copied: Result<Vec<bool>, ExportError> = with_pool(0, |pool| {
        let one = |(asset, bytes): &(Asset, Bytes)| {
            if progress.cancelled() {
                return Err(ExportError::Interrupted);
            }
            let copied = match &bytes.in_place {
                None => objects.copy_to(site, &asset.sha256, asset.length, progress)?,
                Some(_) => site
                    .take(&bytes.path, &asset.sha256, asset.length, progress)?
                    .ok_or_else(|| bytes.wrong(asset))?,
            };
            progress.file();
            Ok(copied)
        };
        pool.install(|| files.par_iter().map(one).collect())
    })?;
    progress.end();
    let copied = copied?;
    site.finish()?;
    Ok(copied)
}
