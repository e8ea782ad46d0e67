//! Tables that come with their model, as those of a bag or of another workspace do, into the catalog.
//!
//! Rows keep their RIDs, so that what was said of them elsewhere stays true. A row that is here already, by its RID and
//! the moment of its creation, is the same row; another row's RID is given anew wherever it stands, and the change is kept.
//! References may lead nowhere: what they lead to may have stayed behind.

mod model;
mod rids;
mod rows;

use std::collections::BTreeMap;

use super::IngestError;
use crate::catalog::{Catalog, Change};
use crate::model::Table;
use crate::tabular::Value;
use rids::Remapped;

/// Takes a row: all columns of its table, in the table's order.
pub(super) type EachRow<'f> = &'f mut dyn FnMut(&[Value]) -> Result<(), IngestError>;

/// Where tables come from.
pub(super) trait Source {
    /// What tells it from other sources, such as the id of a catalog.
    fn name(&self) -> &str;
    /// Its tables, those without rows too.
    fn tables(&self) -> Vec<&Table>;
    /// Reads the rows of one of its tables. A row may come more than once.
    fn rows(&self, table: &Table, each: EachRow<'_>) -> Result<(), IngestError>;
}

/// What became of a table's rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MergedTable {
    /// As `schema:Table`.
    pub table: String,
    /// Whether it is new here.
    pub created: bool,
    /// Rows that are new.
    pub added: u64,
    /// Rows that were here and have the values that came.
    pub updated: u64,
    /// Rows that were here as they came.
    pub unchanged: u64,
    /// Rows that were here with other values, which were changed later than those that came.
    pub kept: u64,
    /// Rows that were left out, for they were withdrawn here.
    pub withdrawn: u64,
}

/// What a merge did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MergeReport {
    /// Tables that came with rows, or are new.
    pub tables: Vec<MergedTable>,
    /// Rows that got another RID, since theirs is another row's here: table, their RID, the RID here.
    pub remapped: Vec<(String, String, String)>,
    /// References that lead to no row: as `schema:Table.column`, and how many.
    pub dangling: Vec<(String, u64)>,
    /// Whether this only says what would be done.
    pub dry_run: bool,
}

/// Merges all tables of a source in one change. `finish` adds what else belongs to it.
pub(super) fn merge<T>(
    catalog: &mut Catalog,
    source: &dyn Source,
    command: &str,
    dry_run: bool,
    finish: impl FnOnce(&mut Change<'_>, &Remapped) -> Result<T, IngestError>,
) -> Result<(MergeReport, T), IngestError> {
    let mut report = MergeReport { dry_run, ..MergeReport::default() };
    let merge_all = |change: &mut Change<'_>| {
        change.allow_dangling();
        let created = model::merge_model(change, source)?;
        // Terms are looked up by name.
        change.index_now()?;
        let remapped = rids::find_collisions(change, source)?;
        report.remapped.clone_from(&remapped.list);
        let mut merged = BTreeMap::new();
        for table in source.tables() {
            let outcome = rows::merge_rows(change, source, table, &remapped)?;
            let created = created.contains(&table.qualified_name());
            if created || outcome != MergedTable::default() {
                merged.insert(
                    table.qualified_name(),
                    MergedTable { table: table.qualified_name(), created, ..outcome },
                );
            }
        }
        report.tables = merged.into_values().collect();
        report.dangling = change.dangling()?;
        finish(change, &remapped)
    };
    let finished = if dry_run { catalog.rehearse(merge_all)? } else { catalog.change(command, merge_all)? };
    Ok((report, finished))
}
