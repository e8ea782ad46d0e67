//! A file of rows into a table.

mod batch;
mod load;
mod plan;
mod present;

use std::path::Path;

use super::bad::BadRows;
use super::rows::RowFile;
use super::{ImportReport, IngestError, Reference};
use crate::bag::Progress;
use crate::catalog::{Catalog, Change};
use crate::model::ColumnType;
use crate::tabular::{Format, RowSource as _, SourceOptions};
use plan::{Findings, Plan};
pub(super) use plan::{check_column, check_types};

/// How to import a file of rows.
#[derive(Debug, Clone)]
pub struct TableImport<'a> {
    /// The file: CSV, TSV, JSON lines or Parquet.
    pub path: &'a Path,
    /// The table, made where it is new.
    pub table: &'a str,
    /// Format and delimiter, where the file's name does not tell them.
    pub options: SourceOptions,
    /// Texts that stand for NULL.
    pub nulls: &'a [String],
    /// Types that are not to be guessed, by column.
    pub types: &'a [(String, ColumnType)],
    /// Columns that together tell a new table's rows apart; empty where whole rows do.
    pub key: &'a [String],
    /// What a new table's columns refer to.
    pub references: &'a [Reference],
    /// Whether rows whose key is known get the file's values. A column RID may be the key.
    pub update: bool,
    /// A new file that keeps the rows that can't be taken, all others being taken. Without it, all are or none is.
    pub skip_bad: Option<&'a Path>,
    /// Whether only to say what would be done.
    pub dry_run: bool,
}

impl<'a> TableImport<'a> {
    /// An import into a table, all else being told by the file.
    #[must_use]
    pub fn new(path: &'a Path, table: &'a str) -> Self {
        Self {
            path,
            table,
            options: SourceOptions::default(),
            nulls: &[],
            types: &[],
            key: &[],
            references: &[],
            update: false,
            skip_bad: None,
            dry_run: false,
        }
    }

    fn file(&self) -> RowFile<'a> {
        RowFile { path: self.path, options: self.options, nulls: self.nulls }
    }
}

/// Imports a file of rows: all of it or nothing, unless bad rows are to be kept aside.
pub fn import_table(
    catalog: &mut Catalog,
    import: &TableImport<'_>,
    progress: &dyn Progress,
) -> Result<ImportReport, IngestError> {
    let length = fs_err::metadata(import.path)?.len();
    let schema = catalog.domain_schema().to_owned();
    let known = catalog.model()?.table(&schema, import.table).is_some();
    // JSON lines are gone through to learn their columns whenever they are opened.
    let format = import.options.format.or_else(|| Format::of(import.path));
    let readings = if format == Some(Format::JsonLines) { 2 } else { 1 };
    progress.begin("reading", 1, length * readings * if known { 1 } else { 2 });
    let mut reading = Reading { progress, before: 0 };
    let mut source = import.file().open(&mut |bytes| reading.at(bytes))?;
    let mut bad = BadRows::new(import.path, import.skip_bad, source.names())?;
    let findings = if known {
        Findings::none()
    } else {
        reading.begin_again();
        plan::look_through(catalog, &schema, import, &mut source, &mut |bytes| reading.at(bytes))?
    };
    let mut report: Option<ImportReport> = None;
    let command = format!("dbag import {} --table {}", import.path.display(), import.table);
    let import_all = |change: &mut Change<'_>| {
        // Another process may have made the table while the file was being looked through.
        let plan = Plan::make(change, &schema, import, &source, &findings)?;
        let report = report.insert(ImportReport::new(&plan.table, plan.created, import.dry_run));
        report.notes.clone_from(&plan.notes);
        report.notes.extend_from_slice(source.notes());
        if plan.created {
            findings.tell(report, import);
            change.put_table(plan.table.clone())?;
        }
        // The file is read from its start; what it was looked through for is known.
        reading.begin_again();
        let again = if known { source } else { import.file().open(&mut |bytes| reading.at(bytes))? };
        load::load(change, plan, again, &mut bad, report, progress)?;
        bad.settle(report)
    };
    // Rows with their system columns and indexes are about four times what they are as text.
    catalog.foresee(length * 4);
    let done =
        if import.dry_run { catalog.rehearse(import_all) } else { catalog.change(&command, import_all) };
    progress.end();
    let report = report.ok_or(IngestError::Interrupted);
    match (done, report) {
        (Ok(()), report) => report,
        (Err(error), report) => {
            // Rows that were not taken after all are not kept aside from anything.
            if let Some(aside) = report.ok().and_then(|report| report.aside) {
                fs_err::remove_file(aside)?;
            }
            Err(error)
        }
    }
}

/// Tells how far a file has been read, whose readings each count from its start.
struct Reading<'p> {
    progress: &'p dyn Progress,
    before: u64,
}

impl Reading<'_> {
    fn at(&mut self, bytes: u64) -> bool {
        self.progress.bytes(bytes.saturating_sub(self.before));
        self.before = bytes;
        !self.progress.cancelled()
    }

    fn begin_again(&mut self) {
        self.before = 0;
    }
}
