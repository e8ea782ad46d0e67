//! Another workspace merged into this one: its tables as they are now, its datasets, its files.

use super::IngestError;
use super::merge::{EachRow, MergeReport, Source, merge};
use crate::bag::{Algorithm, Digest, Progress};
use crate::cache::ObjectStore;
use crate::catalog::{Catalog, Moment, TableSelection};
use crate::model::{DERIVA_ML, Table};
use crate::tabular::Value;

/// What came of a merge of two workspaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkspaceImportReport {
    /// The rows.
    pub merge: MergeReport,
    /// Its datasets: the name there, the name here, and the RID here.
    pub datasets: Vec<(String, String, String)>,
    /// Files whose bytes came along.
    pub files: u64,
    /// Octets in them.
    pub bytes: u64,
}

struct CatalogSource<'c> {
    catalog: &'c Catalog,
    tables: Vec<TableSelection>,
    name: String,
}

impl Source for CatalogSource<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn tables(&self) -> Vec<&Table> {
        self.tables.iter().map(|selection| &selection.table).collect()
    }

    fn rows(&self, table: &Table, each: EachRow<'_>) -> Result<(), IngestError> {
        let name = table.qualified_name();
        let Some(found) = self.tables.iter().find(|found| found.table.qualified_name() == name) else {
            return Ok(());
        };
        self.catalog.for_each_selected(found, |row| each(&row))
    }
}

/// Merges another catalog, as it is now, into this one. Its released versions stay with it: a version stands for rows at a
/// moment of its own catalog, and travels as a bag.
pub fn import_workspace(
    (catalog, objects): (&mut Catalog, &ObjectStore),
    (other, other_objects): (&Catalog, &ObjectStore),
    command: &str,
    dry_run: bool,
    progress: &dyn Progress,
) -> Result<WorkspaceImportReport, IngestError> {
    if other.id() == catalog.id() {
        return Err(IngestError::SameCatalog(other.path().to_owned()));
    }
    let (_, tables) = other.whole_at(&Moment::Now)?;
    let source = CatalogSource { catalog: other, tables, name: format!("dbag:{}", other.id()) };
    let (files, bytes) =
        if dry_run { (0, 0) } else { copy_objects(&source, objects, other_objects, progress)? };
    let named: Vec<(String, String)> = other
        .datasets()?
        .into_iter()
        .map(|dataset| (dataset.name.to_string(), dataset.rid.to_string()))
        .collect();
    let (merge, datasets) = merge(catalog, &source, command, dry_run, |change, remapped| {
        let adopt = |(name, rid): &(String, String)| {
            let rid = remapped.ours(rid).to_owned();
            Ok((name.clone(), change.adopt_dataset(&rid, name)?.to_string(), rid))
        };
        named.iter().map(adopt).collect::<Result<Vec<_>, IngestError>>()
    })?;
    Ok(WorkspaceImportReport { merge, datasets, files, bytes })
}

/// Copies the bytes of the other workspace's files.
fn copy_objects(
    source: &CatalogSource<'_>,
    objects: &ObjectStore,
    from: &ObjectStore,
    progress: &dyn Progress,
) -> Result<(u64, u64), IngestError> {
    let mut wanted: Vec<(Digest, u64)> = Vec::new();
    for table in
        source.tables().into_iter().filter(|table| table.is_asset() && table.schema_name != DERIVA_ML)
    {
        let at = |name: &str| table.column_definitions.iter().position(|column| column.name == name);
        let (Some(sha256), Some(length)) = (at("SHA256"), at("Length")) else { continue };
        source.rows(table, &mut |row| {
            let text = row[sha256].to_text().unwrap_or_default();
            if let (Ok(digest), Value::Integer(length)) =
                (Digest::parse(Algorithm::Sha256, &text), &row[length])
            {
                wanted.push((digest, length.unsigned_abs()));
            }
            Ok(())
        })?;
    }
    wanted.sort_unstable();
    wanted.dedup();
    // What is kept elsewhere, in place, is not copied.
    wanted.retain(|(digest, length)| from.has(digest, *length));
    progress.begin("copying", wanted.len() as u64, wanted.iter().map(|(_, length)| length).sum());
    let mut bytes = 0;
    for (digest, length) in &wanted {
        if progress.cancelled() {
            return Err(IngestError::Interrupted);
        }
        from.copy_to(objects, digest, *length, progress)?;
        bytes += length;
        progress.file();
    }
    progress.end();
    objects.finish()?;
    Ok((wanted.len() as u64, bytes))
}
