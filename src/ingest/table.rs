//! A CSV file into a table.

use std::collections::HashMap;
use std::io::BufReader;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::{ImportReport, IngestError, check_name};
use crate::bag::Progress;
use crate::catalog::{Catalog, Change};
use crate::model::{Column, ColumnType, Model, Storage, Table};
use crate::tabular::{CsvReader, TypeGuess, Value};

/// How to import a CSV file.
#[derive(Debug, Clone)]
pub struct TableImport<'a> {
    /// The file.
    pub path: &'a Path,
    /// The table, made where it is new.
    pub table: &'a str,
    /// Types that are not to be guessed, by column.
    pub types: &'a [(String, ColumnType)],
    /// Columns that together tell rows apart; empty where whole rows do.
    pub key: &'a [String],
    /// Whether rows whose key is known get the file's values.
    pub update: bool,
    /// Whether only to say what would be done.
    pub dry_run: bool,
}

/// Imports a CSV file: all of it or nothing.
pub fn import_csv(
    catalog: &mut Catalog,
    import: &TableImport<'_>,
    progress: &dyn Progress,
) -> Result<ImportReport, IngestError> {
    let length = fs_err::metadata(import.path)?.len();
    let schema = catalog.domain_schema().to_owned();
    let model = catalog.model()?;
    let known = model.table(&schema, import.table).cloned();
    progress.begin("reading", 1, if known.is_none() { length * 2 } else { length });
    let created = known.is_none();
    let shape = match known {
        Some(table) => existing_table(&model, table, import)?,
        None => new_table(&schema, import, progress)?,
    };
    let mut report = ImportReport::new(&shape, created, import.dry_run);
    let command = format!("dbag import {} --table {}", import.path.display(), import.table);
    let import_all = |change: &mut Change<'_>| {
        // Another process may have made the table while the types were being guessed.
        let table = match change.model().table(&schema, import.table).cloned() {
            Some(table) => existing_table(change.model(), table, import)?,
            None => {
                change.put_table(shape.clone())?;
                shape
            }
        };
        load(change, &table, import, &mut report, progress)
    };
    if import.dry_run {
        catalog.rehearse(import_all)?;
    } else {
        catalog.change(&command, import_all)?;
    }
    progress.end();
    Ok(report)
}

fn open(path: &Path) -> Result<CsvReader<BufReader<fs_err::File>>, IngestError> {
    let file = BufReader::with_capacity(1 << 20, fs_err::File::open(path)?);
    CsvReader::new(file).map_err(|source| IngestError::Csv { path: path.to_owned(), source })
}

/// Checks what was asked against the table that is there.
fn existing_table(model: &Model, table: Table, import: &TableImport<'_>) -> Result<Table, IngestError> {
    let name = table.table_name.clone();
    if model.membership(&table).is_some() {
        return Err(IngestError::Reserved { table: name });
    }
    if table.is_asset() {
        return Err(IngestError::AssetTable { table: name });
    }
    for (column, asked) in import.types {
        let has = table.column(column).map(|column| &column.column_type);
        if let Some(has) = has.filter(|has| has.typename != asked.typename) {
            let (has, asked) = (has.typename.clone(), asked.typename.clone());
            return Err(IngestError::OtherType { table: name, column: column.clone(), has, asked });
        }
    }
    let has = table.natural_key().unwrap_or_default();
    if !import.key.is_empty() && has != import.key {
        let shown = |key: &[String]| if key.is_empty() { "of whole rows".into() } else { key.join(", ") };
        return Err(IngestError::OtherKey { table: name, has: shown(has), asked: shown(import.key) });
    }
    let reader = open(import.path)?;
    for column in reader.header() {
        if !table.own_columns().any(|own| own.name == *column) {
            let columns = table.own_columns().map(|own| own.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(IngestError::UnknownColumn {
                path: import.path.to_owned(),
                column: column.clone(),
                table: name,
                columns,
            });
        }
    }
    Ok(table)
}

/// A table in the file's shape, its types guessed from every value.
fn new_table(schema: &str, import: &TableImport<'_>, progress: &dyn Progress) -> Result<Table, IngestError> {
    check_name(import.table)?;
    let mut reader = open(import.path)?;
    let header = reader.header().to_vec();
    for column in import.types.iter().map(|(column, _)| column).chain(import.key) {
        if !header.contains(column) {
            let columns = header.join(", ");
            return Err(IngestError::NoSuchColumn {
                path: import.path.to_owned(),
                column: column.clone(),
                columns,
            });
        }
    }
    let mut guesses = vec![TypeGuess::default(); header.len()];
    let csv = |source| IngestError::Csv { path: import.path.to_owned(), source };
    while reader.next_record().map_err(csv)? {
        let mut bytes = 1;
        for (index, guess) in guesses.iter_mut().enumerate() {
            let field = reader.field(index);
            bytes += field.map_or(0, str::len) + 1;
            guess.see(field);
        }
        progress.bytes(bytes as u64);
        if progress.cancelled() {
            return Err(IngestError::Interrupted);
        }
    }
    let mut table = Table::new(schema, import.table, "");
    for (name, guess) in header.iter().zip(guesses) {
        let asked = import.types.iter().find(|(column, _)| column == name);
        let column_type = asked.map_or_else(|| guess.column_type(), |(_, asked)| asked.clone());
        let column = Column::new(name, column_type);
        table.column_definitions.push(if import.key.contains(name) { column.required() } else { column });
    }
    if !import.key.is_empty() {
        table.add_key(&import.key.iter().map(String::as_str).collect::<Vec<_>>());
    }
    Ok(table)
}

/// What tells two rows apart, in 128 bits of a SHA-256: rows by the million are compared, and kept in memory.
type Fingerprint = [u8; 16];

fn fingerprint<'v>(values: impl IntoIterator<Item = &'v Value>) -> Fingerprint {
    let mut hasher = Sha256::new();
    for value in values {
        match value.to_text() {
            None => hasher.update([0]),
            Some(text) => {
                hasher.update([1]);
                hasher.update((text.len() as u64).to_le_bytes());
                hasher.update(text.as_bytes());
            }
        }
    }
    let mut out = Fingerprint::default();
    out.copy_from_slice(&hasher.finalize()[..16]);
    out
}

/// What the table holds already: whole rows counted, or rows by key.
enum Present {
    Rows(HashMap<Fingerprint, u64>),
    Keys {
        indexes: Vec<usize>,
        rows: HashMap<Fingerprint, (String, Fingerprint)>,
        seen: HashMap<Fingerprint, u64>,
    },
}

impl Present {
    /// Reads the table. Rows with a key are compared by the columns that the file has.
    fn read(change: &Change<'_>, table: &Table, columns: &[FileColumn<'_>]) -> Result<Self, IngestError> {
        let own: Vec<&str> = table.own_columns().map(|column| column.name.as_str()).collect();
        let Some(key) = table.natural_key() else {
            let mut rows = HashMap::new();
            change.for_each(table, |row| {
                *rows.entry(fingerprint(&row[1..])).or_default() += 1;
                Ok::<_, IngestError>(())
            })?;
            return Ok(Self::Rows(rows));
        };
        let indexes: Vec<usize> =
            key.iter().filter_map(|name| own.iter().position(|column| column == name)).collect();
        let mut rows = HashMap::new();
        change.for_each(table, |row| {
            let rid = row[0].to_text().unwrap_or_default().into_owned();
            let key = fingerprint(indexes.iter().map(|&index| &row[1 + index]));
            rows.insert(key, (rid, fingerprint(in_file(&row[1..], columns))));
            Ok::<_, IngestError>(())
        })?;
        Ok(Self::Keys { indexes, rows, seen: HashMap::new() })
    }
}

/// One of the table's columns, its storage, and where it is in the file.
type FileColumn<'t> = (&'t Column, Storage, Option<usize>);

/// The values of the columns that the file has.
fn in_file<'v>(values: &'v [Value], columns: &[FileColumn<'_>]) -> impl Iterator<Item = &'v Value> {
    values.iter().zip(columns).filter(|(_, (_, _, at))| at.is_some()).map(|(value, _)| value)
}

fn load(
    change: &mut Change<'_>,
    table: &Table,
    import: &TableImport<'_>,
    report: &mut ImportReport,
    progress: &dyn Progress,
) -> Result<(), IngestError> {
    let mut reader = open(import.path)?;
    // Where each of the table's columns is in the file.
    let columns: Vec<FileColumn<'_>> = table
        .own_columns()
        .map(|column| {
            let at = reader.header().iter().position(|name| *name == column.name);
            (column, column.column_type.storage(), at)
        })
        .collect();
    let mut present = Present::read(change, table, &columns)?;
    let writer = change.writer(table)?;
    let mut values = Vec::with_capacity(columns.len());
    while reader.next_record().map_err(|source| IngestError::Csv { path: import.path.to_owned(), source })? {
        values.clear();
        let mut bytes = 1;
        for &(column, storage, at) in &columns {
            let field = at.and_then(|index| reader.field(index));
            bytes += field.map_or(0, str::len) + 1;
            let value = Value::parse(field, storage).and_then(|value| value.fits(&column.column_type));
            values.push(value.map_err(|source| IngestError::BadValue {
                path: import.path.to_owned(),
                line: reader.line(),
                column: column.name.clone(),
                source,
            })?);
        }
        match decide(&mut present, &values, &columns, reader.line(), import, table)? {
            Action::Insert => {
                change.insert(&writer, &values)?;
                report.added += 1;
            }
            Action::Update(rid) => {
                // Columns that the file does not have keep what they hold.
                let old = change.own_values(table, &rid)?;
                for (((_, _, at), value), old) in columns.iter().zip(&mut values).zip(old) {
                    if at.is_none() {
                        *value = old;
                    }
                }
                change.update(&writer, &rid, &values)?;
                report.updated += 1;
            }
            Action::Leave => report.unchanged += 1,
        }
        progress.bytes(bytes as u64);
        if progress.cancelled() {
            return Err(IngestError::Interrupted);
        }
    }
    Ok(())
}

enum Action {
    Insert,
    Update(String),
    Leave,
}

fn decide(
    present: &mut Present,
    values: &[Value],
    columns: &[FileColumn<'_>],
    line: u64,
    import: &TableImport<'_>,
    table: &Table,
) -> Result<Action, IngestError> {
    let path = import.path.to_owned();
    match present {
        Present::Rows(rows) => match rows.get_mut(&fingerprint(values)) {
            Some(count) if *count > 0 => {
                *count -= 1;
                Ok(Action::Leave)
            }
            _ => Ok(Action::Insert),
        },
        Present::Keys { indexes, rows, seen } => {
            if let Some(&index) = indexes.iter().find(|&&index| values[index] == Value::Null) {
                return Err(IngestError::EmptyKey { path, line, column: columns[index].0.name.clone() });
            }
            let key = fingerprint(indexes.iter().map(|&index| &values[index]));
            if let Some(first) = seen.insert(key, line) {
                return Err(IngestError::RepeatedKey { path, line, first });
            }
            match rows.get(&key) {
                None => Ok(Action::Insert),
                Some((_, whole)) if *whole == fingerprint(in_file(values, columns)) => Ok(Action::Leave),
                Some((rid, _)) if import.update => Ok(Action::Update(rid.clone())),
                Some((rid, _)) => Err(IngestError::Conflict {
                    path,
                    line,
                    table: table.table_name.clone(),
                    rid: rid.clone(),
                }),
            }
        }
    }
}
