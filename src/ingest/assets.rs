//! A folder of files into an asset table, the bytes into the workspace's objects.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::json;
use walkdir::WalkDir;

use super::{ImportReport, IngestError, check_name};
use crate::bag::{Progress, with_pool};
use crate::cache::{ObjectStore, Stored};
use crate::catalog::{Catalog, Change};
use crate::model::{ASSET_TAG, Annotations, Column, ColumnType, Table};
use crate::tabular::Value;

/// How to import a folder.
#[derive(Debug, Clone)]
pub struct AssetImport<'a> {
    /// The folder.
    pub path: &'a Path,
    /// The table, made where it is new.
    pub table: &'a str,
    /// Whether files whose path is known get the folder's bytes.
    pub update: bool,
    /// Whether hidden files are taken too.
    pub hidden: bool,
    /// Whether only to say what would be done.
    pub dry_run: bool,
}

/// Imports every regular file below a folder. Files are told apart by their path in it.
pub fn import_folder(
    catalog: &mut Catalog,
    objects: &ObjectStore,
    import: &AssetImport<'_>,
    progress: &dyn Progress,
) -> Result<ImportReport, IngestError> {
    let schema = catalog.domain_schema().to_owned();
    let known = catalog.model()?.table(&schema, import.table).cloned();
    let created = known.is_none();
    let shape = asset_shape(known, import, &schema)?;
    let (files, skipped) = list(import)?;
    if files.is_empty() {
        return Err(IngestError::EmptyFolder(import.path.to_owned()));
    }
    let mut report = ImportReport { skipped, ..ImportReport::new(&shape, created, import.dry_run) };
    let stored = store(&files, (!import.dry_run).then_some(objects), progress)?;
    // The bytes must outlive a power failure before any row speaks of them.
    objects.finish()?;
    let command = format!("dbag import {} --table {}", import.path.display(), import.table);
    let record_all = |change: &mut Change<'_>| {
        // Another process may have made the table while the bytes were being stored.
        let known = change.model().table(&schema, import.table).cloned();
        let new = known.is_none();
        let table = asset_shape(known, import, &schema)?;
        if new {
            change.put_table(table.clone())?;
        }
        record(change, &table, &files, &stored, import, &mut report)
    };
    if import.dry_run {
        catalog.rehearse(record_all)?;
    } else {
        catalog.change(&command, record_all)?;
    }
    Ok(report)
}

/// The table that is there, if it holds files, or a new one.
fn asset_shape(known: Option<Table>, import: &AssetImport<'_>, schema: &str) -> Result<Table, IngestError> {
    let table = match known {
        Some(table) => table,
        None => {
            check_name(import.table)?;
            asset_table(schema, import.table)
        }
    };
    if table.is_asset() {
        Ok(table)
    } else {
        Err(IngestError::NotAnAssetTable { table: import.table.to_owned() })
    }
}

/// An asset table in deriva-ml's form, with SHA-256 and the path in the imported folder beside it.
fn asset_table(schema: &str, name: &str) -> Table {
    let mut table = Table::new(schema, name, "");
    let mut annotations = Annotations::new();
    annotations.insert(
        ASSET_TAG.into(),
        json!({"filename_column": "Filename", "byte_count_column": "Length", "md5": "MD5", "sha256": "SHA256"}),
    );
    let text = || ColumnType::new("text");
    let markdown = ColumnType::domain("markdown", "text");
    table.column_definitions.extend([
        Column { annotations, ..Column::new("URL", text()).required().comment("Where the bytes are") },
        Column::new("Filename", text()).comment("The file's name"),
        Column::new("Description", markdown),
        Column::new("Length", ColumnType::new("int8")).required().comment("Length in bytes"),
        Column::new("MD5", text()).required().comment("MD5 of the bytes"),
        Column::new("SHA256", text()).comment("SHA-256 of the bytes"),
        Column::new("Path", text()).required().comment("Path in the folder that it was imported from"),
    ]);
    table.add_key(&["Path"]);
    table
}

struct Found {
    path: PathBuf,
    /// Below the imported folder, `/`-separated.
    relative: String,
    length: u64,
}

/// The regular files, sorted by their path, and how many entries were passed over.
fn list(import: &AssetImport<'_>) -> Result<(Vec<Found>, u64), IngestError> {
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

/// Hashes the files, and keeps their bytes where there is a store for them.
fn store(
    files: &[Found],
    objects: Option<&ObjectStore>,
    progress: &dyn Progress,
) -> Result<Vec<Stored>, IngestError> {
    progress.begin("storing", files.len() as u64, files.iter().map(|file| file.length).sum());
    let stored: Result<Vec<Stored>, IngestError> = with_pool(0, |pool| {
        let one = |file: &Found| {
            if progress.cancelled() {
                return Err(IngestError::Interrupted);
            }
            let stored = match objects {
                Some(objects) => objects.put(&file.path, progress)?,
                None => Stored::of(&file.path, progress)?,
            };
            progress.file();
            Ok(stored)
        };
        pool.install(|| files.par_iter().with_max_len(64).map(one).collect())
    })?;
    progress.end();
    if progress.cancelled() { Err(IngestError::Interrupted) } else { stored }
}

/// Adds a row for each file whose path is new, and deals with those that are known.
fn record(
    change: &mut Change<'_>,
    table: &Table,
    files: &[Found],
    stored: &[Stored],
    import: &AssetImport<'_>,
    report: &mut ImportReport,
) -> Result<(), IngestError> {
    let at = |name: &str| table.own_columns().position(|column| column.name == name);
    let (path_at, sha256_at) = (at("Path"), at("SHA256"));
    let text = |row: &[Value], at: Option<usize>| {
        at.and_then(|at| row[1 + at].to_text()).unwrap_or_default().into_owned()
    };
    let mut known = HashMap::new();
    change.for_each(table, |row| {
        known.insert(text(&row, path_at), (text(&row, sha256_at), row));
        Ok::<_, IngestError>(())
    })?;
    let writer = change.writer(table)?;
    for (file, stored) in files.iter().zip(stored) {
        let empty = vec![Value::Null; table.own_columns().count()];
        match known.get(&file.relative) {
            None => {
                change.insert(&writer, &fill(table, empty, file, stored))?;
                report.added += 1;
            }
            Some((sha256, _)) if *sha256 == stored.sha256.to_string() => report.unchanged += 1,
            Some((_, row)) => {
                let rid = row[0].to_text().unwrap_or_default().into_owned();
                if !import.update {
                    return Err(IngestError::FileConflict {
                        path: file.path.clone(),
                        table: table.table_name.clone(),
                        rid,
                    });
                }
                change.update(&writer, &rid, &fill(table, row[1..].to_vec(), file, stored))?;
                report.updated += 1;
            }
        }
    }
    Ok(())
}

/// The row of a file; columns that say nothing of its bytes keep what they hold.
fn fill(table: &Table, mut values: Vec<Value>, file: &Found, stored: &Stored) -> Vec<Value> {
    for (column, value) in table.own_columns().zip(&mut values) {
        let new = match column.name.as_str() {
            "URL" => Value::Text(format!("/{}", ObjectStore::relative(&stored.sha256))),
            "Filename" => Value::Text(file.relative.rsplit('/').next().unwrap_or_default().to_owned()),
            "Length" => Value::Integer(stored.length.cast_signed()),
            "MD5" => Value::Text(stored.md5.to_string()),
            "SHA256" => Value::Text(stored.sha256.to_string()),
            "Path" => Value::Text(file.relative.clone()),
            _ => continue,
        };
        *value = new;
    }
    values
}
