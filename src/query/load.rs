//! A bag's CSV files into SQLite tables, typed by `data/schema.json` where there is one.
//!
//! Takes all three generations of deriva-ml's bags: a file's stem is its table; rows of one table may come in
//! several files and are kept once by RID; the folder names the schema where it is one.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};

use rusqlite::Connection;

use super::{Database, QueryError};
use crate::bag::{Bag, BagFile, Digest, MultiHasher, Severity};
use crate::catalog::{quoted, sentence};
use crate::model::{DERIVA_ML, Model, Storage, Table};
use crate::tabular::{CsvReader, Value};

/// Schemas that are the server's own; their tables are never in a bag.
const SERVER_SCHEMAS: [&str; 4] = ["public", "_acl_admin", "www", "WWW"];
/// No `schema.json` is larger, in octets.
const SCHEMA_LIMIT: u64 = 256 << 20;

/// The columns of a SQL table as they will be: name and storage.
type Columns = Vec<(String, Storage)>;

impl Database {
    /// Loads a bag's tables. The digest of every file is checked while it is read.
    pub fn from_bag(bag: &Bag) -> Result<Self, QueryError> {
        let error = bag.findings().iter().find(|finding| finding.code.severity() == Severity::Error);
        if let Some(finding) = error {
            let bag = bag.container().location().to_owned();
            return Err(QueryError::BadBag { bag, finding: finding.to_string() });
        }
        let model = read_model(bag)?;
        check_all_there(bag, &model)?;
        // An empty name is a temporary database that spills to disk and goes with the connection.
        let connection = Connection::open("")?;
        connection.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536; BEGIN",
        )?;
        let mut tables = declared_tables(&model);
        let mut files: Vec<(BagFile<'_>, (String, String))> = bag
            .files()
            .filter_map(|file| {
                let name = file.path().as_str().strip_prefix("data/")?;
                let table = table_of(&model, name)?;
                Some((file, table))
            })
            .collect();
        // Of two files with the same row the first by name counts, whatever order they lie in.
        files.sort_by_key(|(file, _)| file.path());
        for (file, name) in &files {
            let columns = tables.entry(name.clone()).or_default();
            read_file(bag, *file, |reader| extend_columns(bag, *file, reader.header(), columns))?;
        }
        for (name, columns) in &tables {
            create_table(&connection, name, columns).map_err(|error| QueryError::BadSchema {
                bag: bag.container().location().to_owned(),
                reason: format!("the table {}:{} can't be made: {}", name.0, name.1, sentence(&error)),
            })?;
        }
        for (file, name) in &files {
            let columns = tables.get(name).map_or(&[][..], Vec::as_slice);
            read_file(bag, *file, |reader| insert_rows(bag, *file, reader, &connection, name, columns))?;
        }
        connection.execute_batch("COMMIT")?;
        Self::guard(connection, tables.into_keys().collect())
    }
}

/// A table whose file is listed but not there must not pass for one without rows.
fn check_all_there(bag: &Bag, model: &Model) -> Result<(), QueryError> {
    let is_table = |path: &str| {
        path.strip_prefix("data/")
            .is_some_and(|name| name == "schema.json" || table_of(model, name).is_some())
    };
    let lost = bag.payload().find(|listed| is_table(listed.path().as_str()) && bag.stored(*listed).is_none());
    let Some(listed) = lost else { return Ok(()) };
    let (location, file) = (bag.container().location().to_owned(), listed.path().to_string());
    if bag.fetch().any(|entry| entry.file.path() == listed.path()) {
        return Err(QueryError::NotFetched { bag: location, file });
    }
    Err(QueryError::Missing { bag: location, file })
}

fn read_model(bag: &Bag) -> Result<Model, QueryError> {
    let Some(file) = bag.find("data/schema.json").filter(|file| file.is_present()) else {
        return Ok(Model::default());
    };
    let mut bytes = Vec::new();
    with_checked_reader(bag, file, |reader| {
        reader.take(SCHEMA_LIMIT).read_to_end(&mut bytes)?;
        Ok(())
    })?;
    let bad = |error: serde_json::Error| QueryError::BadSchema {
        bag: bag.container().location().to_owned(),
        reason: error.to_string(),
    };
    serde_json::from_slice(&bytes).map_err(bad)
}

/// Every table of the model that could have rows in a bag, be there a file or not.
fn declared_tables(model: &Model) -> BTreeMap<(String, String), Columns> {
    let declared = model.tables().filter(|table| !SERVER_SCHEMAS.contains(&table.schema_name.as_str()));
    declared.map(|table| ((table.schema_name.clone(), table.table_name.clone()), columns_of(table))).collect()
}

fn columns_of(table: &Table) -> Columns {
    table
        .column_definitions
        .iter()
        .map(|column| (column.name.clone(), column.column_type.storage()))
        .collect()
}

/// The schema and table that a file below `data/` belongs to; `None` for what is no table.
fn table_of(model: &Model, name: &str) -> Option<(String, String)> {
    let stem = name.strip_suffix(".csv")?;
    if stem.starts_with("asset/") || stem.starts_with("assets/") {
        return None;
    }
    let (folder, table) = stem.rsplit_once('/').unwrap_or(("", stem));
    let parent = folder.rsplit('/').next().unwrap_or_default();
    let named = model.tables_named(table);
    let candidates: Vec<_> =
        named.into_iter().filter(|table| !SERVER_SCHEMAS.contains(&table.schema_name.as_str())).collect();
    let by_folder = candidates.iter().find(|table| table.schema_name == parent);
    let domain = candidates.iter().find(|table| table.schema_name != DERIVA_ML);
    let schema = by_folder.or(domain).or(candidates.first()).map_or_else(
        || if parent.is_empty() { "data".to_owned() } else { parent.to_owned() },
        |table| table.schema_name.clone(),
    );
    Some((schema, table.to_owned()))
}

/// Adds a file's columns that the model does not know, as text.
fn extend_columns(
    bag: &Bag,
    file: BagFile<'_>,
    header: &[String],
    columns: &mut Columns,
) -> Result<(), QueryError> {
    for name in header {
        match columns.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((known, _)) if known == name => {}
            None => columns.push((name.clone(), Storage::Text)),
            Some(_) => {
                let bag = bag.container().location().to_owned();
                return Err(QueryError::ColumnClash {
                    bag,
                    file: file.path().to_string(),
                    column: name.clone(),
                });
            }
        }
    }
    Ok(())
}

fn create_table(
    connection: &Connection,
    (schema, table): &(String, String),
    columns: &Columns,
) -> rusqlite::Result<()> {
    if columns.is_empty() {
        return Ok(());
    }
    let declared: Vec<String> = columns
        .iter()
        .map(|(name, storage)| {
            format!("{} {}{}", quoted(name), storage.sql(), if name == "RID" { " PRIMARY KEY" } else { "" })
        })
        .collect();
    let name = quoted(&format!("{schema}:{table}"));
    connection.execute_batch(&format!("CREATE TABLE {name} ({})", declared.join(", ")))?;
    Ok(())
}

fn insert_rows(
    bag: &Bag,
    file: BagFile<'_>,
    reader: &mut CsvReader<&mut dyn io::BufRead>,
    connection: &Connection,
    (schema, table): &(String, String),
    columns: &[(String, Storage)],
) -> Result<(), QueryError> {
    let storage_of: std::collections::HashMap<&str, Storage> =
        columns.iter().map(|(name, storage)| (name.as_str(), *storage)).collect();
    let header: Vec<(String, Storage)> = reader
        .header()
        .iter()
        .map(|name| (name.clone(), storage_of.get(name.as_str()).copied().unwrap_or(Storage::Text)))
        .collect();
    let names: Vec<String> = header.iter().map(|(name, _)| quoted(name)).collect();
    let marks = vec!["?"; header.len()].join(", ");
    let name = quoted(&format!("{schema}:{table}"));
    let sql = format!("INSERT OR IGNORE INTO {name} ({}) VALUES ({marks})", names.join(", "));
    let mut statement = connection.prepare(&sql)?;
    let location = || bag.container().location().to_owned();
    while reader.next_record().map_err(|source| QueryError::Csv {
        bag: location(),
        file: file.path().to_string(),
        source,
    })? {
        for (index, (column, storage)) in header.iter().enumerate() {
            let value =
                Value::parse(reader.field(index), *storage).map_err(|source| QueryError::BadValue {
                    bag: location(),
                    file: file.path().to_string(),
                    line: reader.line(),
                    column: column.clone(),
                    source,
                })?;
            statement.raw_bind_parameter(index + 1, value)?;
        }
        statement.raw_execute()?;
    }
    Ok(())
}

/// Opens a CSV file of the bag, hands it over, reads it to its end and checks its digest.
fn read_file(
    bag: &Bag,
    file: BagFile<'_>,
    mut f: impl FnMut(&mut CsvReader<&mut dyn io::BufRead>) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let mut result = Ok(());
    with_checked_reader(bag, file, |reader| {
        let mut buffered = BufReader::with_capacity(1 << 20, reader);
        let input: &mut dyn io::BufRead = &mut buffered;
        result = CsvReader::new(input)
            .map_err(|source| QueryError::Csv {
                bag: bag.container().location().to_owned(),
                file: file.path().to_string(),
                source,
            })
            .and_then(|mut reader| f(&mut reader));
        Ok(())
    })?;
    result
}

fn with_checked_reader(
    bag: &Bag,
    file: BagFile<'_>,
    mut f: impl FnMut(&mut dyn Read) -> io::Result<()>,
) -> Result<(), QueryError> {
    // The strongest digest is enough.
    let Some(expected) = file.digests().into_iter().max_by_key(Digest::algorithm) else {
        return Err(QueryError::Unlisted {
            bag: bag.container().location().to_owned(),
            file: file.path().to_string(),
        });
    };
    let mut body = file.open()?;
    let mut hashing = HashingReader { inner: &mut body, hasher: MultiHasher::new(&[expected.algorithm()]) };
    f(&mut hashing)?;
    io::copy(&mut hashing, &mut io::sink())?;
    let damaged = hashing.hasher.finish().first() != Some(&expected);
    if damaged {
        return Err(QueryError::Damaged {
            bag: bag.container().location().to_owned(),
            file: file.path().to_string(),
        });
    }
    Ok(())
}

struct HashingReader<'r> {
    inner: &'r mut dyn Read,
    hasher: MultiHasher,
}

impl Read for HashingReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..n]);
        Ok(n)
    }
}
