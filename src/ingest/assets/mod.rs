//! A folder of files into an asset table: the bytes into the workspace's objects, or by reference.

mod metadata;
mod record;
mod table;
mod walk;

use std::path::Path;

use rayon::prelude::*;

pub use metadata::Metadata;

use super::bad::BadRows;
use super::{ImportReport, IngestError, PathPattern, Reference};
use crate::bag::{Progress, with_pool};
use crate::cache::{ObjectStore, Stored};
use crate::catalog::{Catalog, Change, modified};
use crate::model::ColumnType;
use metadata::Described;
use table::Shape;
use walk::Found;

/// How to import a folder.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools)] // Each is a choice of its own.
pub struct AssetImport<'a> {
    /// The folder.
    pub path: &'a Path,
    /// The table, made where it is new.
    pub table: &'a str,
    /// A pattern of the files' paths, whose placeholders become columns.
    pub pattern: Option<&'a PathPattern>,
    /// A file of rows that say more of the files.
    pub metadata: Option<Metadata<'a>>,
    /// Types of those columns that are not to be guessed.
    pub types: &'a [(String, ColumnType)],
    /// What those columns refer to, where the table is new.
    pub references: &'a [Reference],
    /// Whether files whose path is known get the folder's bytes and the new metadata.
    pub update: bool,
    /// Whether hidden files are taken too.
    pub hidden: bool,
    /// Whether the bytes stay where they are, and only their place is remembered.
    pub in_place: bool,
    /// A new file that keeps the files that can't be taken, and rows of metadata without a file; all others are taken.
    pub skip_bad: Option<&'a Path>,
    /// Whether only to say what would be done.
    pub dry_run: bool,
}

impl<'a> AssetImport<'a> {
    /// An import into a table, with nothing known of the files but their bytes.
    #[must_use]
    pub fn new(path: &'a Path, table: &'a str) -> Self {
        Self {
            path,
            table,
            pattern: None,
            metadata: None,
            types: &[],
            references: &[],
            update: false,
            hidden: false,
            in_place: false,
            skip_bad: None,
            dry_run: false,
        }
    }
}

/// A file with what is known of its bytes.
pub(super) struct Taken<'f> {
    file: &'f Found,
    stored: Stored,
    /// Its time of modification, from before it was read.
    modified: i64,
    /// Where it is among the folder's files.
    index: usize,
}

/// Imports every regular file below a folder. Files are told apart by their path in it.
pub fn import_folder(
    catalog: &mut Catalog,
    objects: &ObjectStore,
    import: &AssetImport<'_>,
    progress: &dyn Progress,
) -> Result<ImportReport, IngestError> {
    let schema = catalog.domain_schema().to_owned();
    let (files, skipped) = walk::list(import)?;
    if files.is_empty() {
        return Err(IngestError::EmptyFolder(import.path.to_owned()));
    }
    let mut bad = BadRows::new(import.path, import.skip_bad, Vec::new())?;
    let described = Described::read(import, &files, &mut bad)?;
    // What can't be is told before a large folder is read.
    let shape = catalog.look(|change| Shape::make(change, &schema, import, &described))?;
    let rows = described.typed(&shape, &files, &mut bad)?;
    let mut report =
        ImportReport { skipped, ..ImportReport::new(&shape.table, shape.created, import.dry_run) };
    report.notes.clone_from(&described.notes);
    if !bad.takes_others() {
        return Err(bad.refusal());
    }
    let keep = (!import.dry_run && !import.in_place).then_some(objects);
    let taken = store(&files, |index| rows[index].is_some(), keep, progress)?;
    // The bytes must outlive a power failure before any row speaks of them.
    objects.finish()?;
    let command = format!("dbag import {} --table {}", import.path.display(), import.table);
    let record_all = |change: &mut Change<'_>| {
        // Another process may have made the table while the bytes were being stored.
        let shape = Shape::make(change, &schema, import, &described)?;
        if shape.created {
            shape.put(change)?;
        }
        record::record(change, &shape, &taken, &rows, import, &mut bad, &mut report)?;
        bad.settle(&mut report)
    };
    let done =
        if import.dry_run { catalog.rehearse(record_all) } else { catalog.change(&command, record_all) };
    match done {
        Ok(()) => Ok(report),
        Err(error) => {
            // Files that were not taken after all are not kept aside from anything.
            if let Some(aside) = report.aside {
                fs_err::remove_file(aside)?;
            }
            Err(error)
        }
    }
}

/// Hashes the files, and keeps their bytes where there is a store for them.
fn store<'f>(
    files: &'f [Found],
    wanted: impl Fn(usize) -> bool,
    objects: Option<&ObjectStore>,
    progress: &dyn Progress,
) -> Result<Vec<Taken<'f>>, IngestError> {
    let wanted: Vec<(usize, &Found)> = files.iter().enumerate().filter(|(index, _)| wanted(*index)).collect();
    progress.begin("storing", wanted.len() as u64, wanted.iter().map(|(_, file)| file.length).sum());
    let stored: Result<Vec<Taken<'f>>, IngestError> = with_pool(0, |pool| {
        let one = |&(index, file): &(usize, &'f Found)| {
            if progress.cancelled() {
                return Err(IngestError::Interrupted);
            }
            let modified = modified(&fs_err::metadata(&file.path)?);
            let stored = match objects {
                Some(objects) => objects.put(&file.path, progress)?,
                None => Stored::of(&file.path, progress)?,
            };
            progress.file();
            Ok(Taken { file, stored, modified, index })
        };
        pool.install(|| wanted.par_iter().with_max_len(64).map(one).collect())
    })?;
    progress.end();
    if progress.cancelled() { Err(IngestError::Interrupted) } else { stored }
}
