//! The rows of files.

use std::collections::HashMap;

use super::metadata::FileValues;
use super::table::{Shape, executions};
use super::{AssetImport, Taken};
use crate::cache::ObjectStore;
use crate::catalog::{Change, FileReference};
use crate::ingest::bad::{BadRow, BadRows, RowPlace};
use crate::ingest::{ImportReport, IngestError};
use crate::model::Table;
use crate::tabular::{Cell, Value};

/// Adds a row for each file whose path is new, and deals with those that are known.
pub(super) fn record(
    change: &mut Change<'_>,
    shape: &Shape,
    taken: &[Taken<'_>],
    rows: &[Option<FileValues>],
    import: &AssetImport<'_>,
    bad: &mut BadRows<'_>,
    report: &mut ImportReport,
) -> Result<(), IngestError> {
    let table = &shape.table;
    let known = known(change, shape)?;
    let writer = change.writer(table)?;
    let width = table.own_columns().count();
    let mut used = Vec::new();
    for taken in taken {
        let described = rows[taken.index].as_deref().unwrap_or_default();
        let old = known.get(&taken.file.relative);
        let before = old.map_or_else(|| vec![Value::Null; width], |row| row[1..].to_vec());
        let values = fill(shape, before, taken, described);
        let Some(row) = old else {
            used.push(change.insert(&writer, &values)?.to_string());
            report.added += 1;
            remember(change, import, taken)?;
            continue;
        };
        let same = row[1..] == values;
        let rid = row[0].to_text().unwrap_or_default().into_owned();
        if !same && !import.update {
            let reason = format!(
                "{} has other bytes or values under this name (RID {rid}); --update would replace them",
                table.table_name
            );
            bad.note(
                BadRow { place: RowPlace::File(taken.file.relative.clone()), column: None, reason },
                &[],
            )?;
            continue;
        }
        remember(change, import, taken)?;
        if same {
            report.unchanged += 1;
        } else {
            change.update(&writer, &rid, &values)?;
            used.push(rid);
            report.updated += 1;
        }
    }
    if bad.takes_others() { note_use(change, table, &used) } else { Ok(()) }
}

/// The rows that are there, by path.
fn known(change: &Change<'_>, shape: &Shape) -> Result<HashMap<String, Vec<Value>>, IngestError> {
    let mut known = HashMap::new();
    if shape.created {
        return Ok(known);
    }
    let path_at = shape.table.own_columns().position(|column| column.name == "Path");
    change.for_each(&shape.table, |row| {
        let path = path_at.and_then(|at| row[1 + at].to_text()).unwrap_or_default().into_owned();
        known.insert(path, row);
        Ok::<_, IngestError>(())
    })?;
    Ok(known)
}

/// Remembers where the bytes are that stay in their place.
fn remember(change: &mut Change<'_>, import: &AssetImport<'_>, taken: &Taken<'_>) -> Result<(), IngestError> {
    if !import.in_place || import.dry_run {
        return Ok(());
    }
    let path = fs_err::canonicalize(&taken.file.path)?;
    if path.to_str().is_none() {
        return Err(IngestError::NotUtf8(path));
    }
    if taken.stored.length != taken.file.length {
        return Err(IngestError::Changing(path));
    }
    change.remember_file(&FileReference {
        sha256: taken.stored.sha256.to_string(),
        path,
        length: taken.stored.length,
        modified: taken.modified,
    })?;
    Ok(())
}

/// The row of a file; columns that nothing is said of keep what they hold.
fn fill(shape: &Shape, mut values: Vec<Value>, taken: &Taken<'_>, described: &[Option<Value>]) -> Vec<Value> {
    let (file, stored) = (taken.file, &taken.stored);
    for (column, value) in shape.table.own_columns().zip(&mut values) {
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
    for (column, new) in shape.described.iter().zip(described) {
        if let Some(new) = new {
            values[column.at] = new.clone();
        }
    }
    values
}

/// Says that the files are what this import took in.
fn note_use(change: &mut Change<'_>, table: &Table, rids: &[String]) -> Result<(), IngestError> {
    let Some((uses, [asset, execution], role)) = executions(change.model(), table) else { return Ok(()) };
    if rids.is_empty() {
        return Ok(());
    }
    let own = change.execution();
    let writer = change.writer(&uses)?;
    let columns: Vec<String> = uses.own_columns().map(|column| column.name.clone()).collect();
    let mut rows = Vec::with_capacity(rids.len());
    for rid in rids {
        let cell = |column: &String| match column {
            column if *column == asset => Cell::Text(rid),
            column if *column == execution => Cell::Text(own.as_str()),
            column if Some(column) == role.as_ref() => Cell::Text("Input"),
            _ => Cell::Null,
        };
        rows.push(columns.iter().map(cell).collect::<Vec<Cell<'_>>>());
    }
    change.insert_many(&writer, rows)?;
    Ok(())
}
