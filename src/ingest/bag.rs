//! A bag of any generation into the catalog: its tables, its datasets by name, the bytes of its files that are there.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::IngestError;
use super::merge::{EachRow, MergeReport, Source, merge};
use crate::bag::{Algorithm, Bag, BagFile, Digest, Progress, with_pool};
use crate::cache::{ObjectStore, Stored};
use crate::catalog::Catalog;
use crate::model::{DERIVA_ML, Rid, Table};
use crate::tables::{BagTable, BagTables};
use crate::tabular::Value;
use crate::version::{DatasetName, DatasetVersion};

/// How to import a bag.
#[derive(Debug, Clone)]
pub struct BagImport<'a> {
    /// Its folder or archive.
    pub path: &'a Path,
    /// What to call its dataset, instead of what the bag calls it.
    pub name: Option<&'a DatasetName>,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BagImportReport {
    /// The rows.
    pub merge: MergeReport,
    /// Its datasets, that of the bag first: name, RID, and the version that the bag says it is.
    pub datasets: Vec<(String, String, Option<String>)>,
    /// Files whose bytes are in the workspace now, or were.
    pub files: u64,
    /// Octets in them.
    pub bytes: u64,
    /// Files that the bag only refers to: their rows say where.
    pub remote_files: u64,
}

/// A bag's tables as a source of rows.
struct BagSource<'b> {
    tables: BagTables<'b>,
    name: String,
}

impl Source for BagSource<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn tables(&self) -> Vec<&Table> {
        self.tables.tables().iter().map(|table| &table.table).filter(|table| has_rids(table)).collect()
    }

    fn rows(&self, table: &Table, each: EachRow<'_>) -> Result<(), IngestError> {
        let name = table.qualified_name();
        let Some(found) = self.tables.tables().iter().find(|found| found.table.qualified_name() == name)
        else {
            return Ok(());
        };
        self.tables.for_each(found, each)
    }
}

/// Tables of a bag without a model may be anything; only those with RIDs can be kept apart.
fn has_rids(table: &Table) -> bool {
    table.column("RID").is_some()
}

/// Imports a bag: all of it or nothing. A bag that is not valid is refused.
pub fn import_bag(
    catalog: &mut Catalog,
    objects: &ObjectStore,
    import: &BagImport<'_>,
    progress: &dyn Progress,
) -> Result<BagImportReport, IngestError> {
    let bag = Bag::open(import.path)?;
    let source = BagSource { tables: BagTables::open(&bag)?, name: origin(&bag) };
    let without =
        source.tables.tables().iter().find(|found| !has_rids(&found.table) && !found.files.is_empty());
    if let Some(BagTable { table, .. }) = without {
        return Err(IngestError::NoRid { table: table.qualified_name() });
    }
    let datasets = datasets(&bag, &source)?;
    let (files, remote_files) = assets(&bag);
    let stored = store(&files, (!import.dry_run).then_some(objects), progress)?;
    if !import.dry_run {
        // The bytes must outlive a power failure before any row speaks of them.
        objects.finish()?;
    }
    let command = format!("dbag import {}", import.path.display());
    let (merge, datasets) = merge(catalog, &source, &command, import.dry_run, |change, remapped| {
        for object in &stored {
            change.note_object(&object.md5.to_string(), &object.sha256.to_string(), object.length)?;
        }
        // A name of a place that is not dbag's to write to.
        let place =
            if source.name.starts_with("bag") { source.name.clone() } else { format!("bag:{}", source.name) };
        let references = references(&bag);
        change.note_references(if place == "bag" { "bag:" } else { &place }, references)?;
        let mut named = Vec::new();
        for (at, dataset) in datasets.iter().enumerate() {
            let rid = remapped.ours(&dataset.rid).to_owned();
            let asked = import.name.filter(|_| at == 0).map(ToString::to_string);
            let wanted = asked.or_else(|| dataset.name.clone()).unwrap_or_else(|| format!("Dataset_{rid}"));
            let name = change.adopt_dataset(&rid, &wanted)?;
            let version = match &dataset.version {
                Some(version) => change.adopt_version(&rid, version)?.then(|| version.clone()),
                None => None,
            };
            named.push((name.to_string(), rid, version));
        }
        Ok(named)
    })?;
    Ok(BagImportReport {
        merge,
        datasets,
        files: stored.len() as u64,
        bytes: stored.iter().map(|object| object.length).sum(),
        remote_files,
    })
}

/// What tells a bag's catalog from others, as far as the bag says.
fn origin(bag: &Bag) -> String {
    if let Some(catalog) = bag.info().get("Dbag-Catalog") {
        return format!("dbag:{catalog}");
    }
    let url = bag.fetch().next().map(|entry| entry.url.to_string());
    let host = url.as_deref().and_then(|url| url.split("://").nth(1)).and_then(|rest| rest.split('/').next());
    host.map_or_else(|| "bag".to_owned(), |host| format!("bag:{host}"))
}

/// A dataset of a bag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BagDataset {
    /// Its RID.
    pub rid: String,
    /// Its name, if the bag says one.
    pub name: Option<String>,
    /// Its version, if the bag says one.
    pub version: Option<String>,
    /// The snapshot of its tables, if the bag says one.
    pub snapshot: Option<String>,
}

/// The dataset at a version that a bag is of, if it says which.
pub fn dataset_of(bag: &Bag) -> Result<Option<BagDataset>, IngestError> {
    let source = BagSource { tables: BagTables::open(bag)?, name: origin(bag) };
    let first = datasets(bag, &source)?.into_iter().next();
    Ok(first.filter(|dataset| dataset.version.is_some()))
}

/// The bag's datasets, the one that it is a bag of first.
fn datasets(bag: &Bag, source: &BagSource<'_>) -> Result<Vec<BagDataset>, IngestError> {
    let tables = source.tables();
    let table =
        |name: &str| tables.iter().find(|table| table.schema_name == DERIVA_ML && table.table_name == name);
    let Some(table_of_datasets) = table("Dataset") else { return Ok(Vec::new()) };
    let column = |table: &Table, name: &str| table.column_definitions.iter().position(|c| c.name == name);
    let text = |row: &[Value], at: Option<usize>| {
        at.and_then(|at| row[at].to_text()).unwrap_or_default().into_owned()
    };
    let mut rids = Vec::new();
    let rid_at = column(table_of_datasets, "RID");
    source.rows(table_of_datasets, &mut |row| {
        rids.push(text(row, rid_at));
        Ok(())
    })?;
    rids.sort();
    rids.dedup();
    let info = |key: &str| bag.info().get(key).map(str::to_owned);
    let folder = bag.container().name().strip_prefix("Dataset_").map(str::to_owned);
    let anchor = info("Dbag-Dataset-RID").or(folder).filter(|rid| rids.contains(rid));
    let anchor = anchor.or_else(|| if let [only] = rids.as_slice() { Some(only.clone()) } else { None });
    let version = match (info("Dbag-Dataset-Version"), &anchor, table("Dataset_Version")) {
        (None, Some(anchor), Some(versions)) => version_of(source, versions, anchor)?,
        (said, ..) => said,
    };
    rids.sort_by_key(|rid| anchor.as_ref() != Some(rid));
    let dataset = |rid: String| {
        let is_anchor = anchor.as_ref() == Some(&rid);
        let name = info("Dbag-Dataset-Name").filter(|_| is_anchor);
        let snapshot = source.tables.model().snaptime.clone();
        BagDataset { name, version: version.clone().filter(|_| is_anchor), snapshot, rid }
    };
    Ok(rids.into_iter().filter(|rid| Rid::parse(rid).is_some()).map(dataset).collect())
}

/// Which version of a dataset a bag of deriva-ml's is. It was cut at a snapshot that was taken before the row of the version
/// was given its snapshot: so it is the release whose row has none yet, unless a row has the model's.
fn version_of(
    source: &BagSource<'_>,
    versions: &Table,
    dataset: &str,
) -> Result<Option<String>, IngestError> {
    let column = |name: &str| versions.column_definitions.iter().position(|c| c.name == name);
    let [of, label, at] = ["Dataset", "Version", "Snapshot"].map(column);
    let text = |row: &[Value], at: Option<usize>| {
        at.and_then(|at| row[at].to_text()).unwrap_or_default().into_owned()
    };
    let snaptime = source.tables.model().snaptime.clone();
    let (mut exact, mut unset) = (None, None);
    source.rows(versions, &mut |row| {
        if text(row, of) != dataset {
            return Ok(());
        }
        let Ok(version) = text(row, label).parse::<DatasetVersion>() else { return Ok(()) };
        let snapshot = text(row, at);
        if Some(&snapshot) == snaptime.as_ref() {
            exact = Some(version);
        } else if snapshot.is_empty() {
            unset = unset.take().max(Some(version));
        }
        Ok(())
    })?;
    Ok(exact.or(unset).map(|version| version.to_string()))
}

/// The files below `data/asset/` that are there, and how many are elsewhere.
fn assets(bag: &Bag) -> (Vec<BagFile<'_>>, u64) {
    let is_asset = |file: &BagFile<'_>| {
        let path = file.path();
        path.as_str().starts_with("data/asset/") || path.as_str().starts_with("data/assets/")
    };
    let files: Vec<BagFile<'_>> = bag.payload().filter(is_asset).collect();
    let there: Vec<BagFile<'_>> = files.iter().filter_map(|file| bag.stored(*file)).collect();
    let remote = (files.len() - there.len()) as u64;
    (there, remote)
}

/// By which URL a bag refers to each of its files that it knows a digest of: the SHA-256, else the MD5.
fn references(bag: &Bag) -> impl Iterator<Item = (String, String)> + '_ {
    bag.fetch().filter_map(|entry| {
        let digests = entry.file.digests();
        let by = |algorithm| digests.iter().find(|digest| digest.algorithm() == algorithm);
        let digest = by(Algorithm::Sha256).or_else(|| by(Algorithm::Md5))?;
        Some((digest.to_string(), entry.url.to_string()))
    })
}

/// Keeps the bytes of a bag's files, and checks what the manifests list.
fn store(
    files: &[BagFile<'_>],
    objects: Option<&ObjectStore>,
    progress: &dyn Progress,
) -> Result<Vec<Stored>, IngestError> {
    progress.begin("storing", files.len() as u64, files.iter().map(|file| file.length()).sum());
    let one = |file: &BagFile<'_>| {
        if progress.cancelled() {
            return Err(IngestError::Interrupted);
        }
        let mut body = file.open()?;
        let stored = match objects {
            Some(objects) => objects.put_reader(&mut body, progress)?,
            None => Stored::of_reader(&mut body, progress)?,
        };
        let is_right = file.digests().iter().all(|listed| agrees(listed, &stored));
        if !is_right {
            return Err(IngestError::DamagedFile(PathBuf::from(file.path().to_string())));
        }
        progress.file();
        Ok(stored)
    };
    let stored = with_pool(0, |pool| pool.install(|| files.par_iter().with_max_len(64).map(one).collect()))?;
    progress.end();
    stored
}

/// Whether a listed digest is that of what was read. Only those that were made can tell.
fn agrees(listed: &Digest, stored: &Stored) -> bool {
    match listed.algorithm() {
        Algorithm::Md5 => *listed == stored.md5,
        Algorithm::Sha256 => *listed == stored.sha256,
        _ => true,
    }
}
