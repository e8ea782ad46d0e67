//! A bag's tables: its model, which files hold rows of which table, and the rows, typed.
//!
//! Takes all three generations of deriva-ml's bags: a file's stem is its table, the folder names the schema where it is
//! one, and rows of one table may come in several files. Every file's digest is checked while it is read. It keeps
//! nothing: what becomes of the rows is its callers' business.

mod error;

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};

pub use error::TablesError;

use crate::bag::{Bag, BagFile, Digest, MultiHasher, Severity};
use crate::model::{Column, ColumnType, DERIVA_ML, Model, Storage, Table};
use crate::tabular::{CsvReader, Value};

/// Schemas that are the server's own; their tables are never in a bag.
const SERVER_SCHEMAS: [&str; 4] = ["public", "_acl_admin", "www", "WWW"];
/// No `schema.json` is larger, in octets.
const SCHEMA_LIMIT: u64 = 256 << 20;

/// The tables of an open bag.
pub struct BagTables<'b> {
    bag: &'b Bag,
    model: Model,
    tables: Vec<BagTable<'b>>,
}

/// A table of a bag, with the files that hold its rows.
#[derive(Debug, Clone)]
pub struct BagTable<'b> {
    /// As the model has it, then the columns that only its files have, as text. Of a table that the model does not know
    /// all columns are such.
    pub table: Table,
    /// Sorted by path: of two rows with one RID the first counts.
    pub files: Vec<BagFile<'b>>,
}

impl<'b> BagTables<'b> {
    /// Finds a bag's tables, and reads the headers of their files. A bag that is not valid, or of which a table is still
    /// to be fetched, is an error.
    pub fn open(bag: &'b Bag) -> Result<Self, TablesError> {
        let error = bag.findings().iter().find(|finding| finding.code.severity() == Severity::Error);
        if let Some(finding) = error {
            let bag = bag.container().location().to_owned();
            return Err(TablesError::BadBag { bag, finding: finding.to_string() });
        }
        let model = read_model(bag)?;
        check_all_there(bag, &model)?;
        let declared = model.tables().filter(|table| !is_server(&table.schema_name));
        let mut tables: BTreeMap<(String, String), BagTable<'b>> = declared
            .map(|table| {
                let name = (table.schema_name.clone(), table.table_name.clone());
                (name, BagTable { table: table.clone(), files: Vec::new() })
            })
            .collect();
        let mut files: Vec<(BagFile<'b>, (String, String))> = bag
            .files()
            .filter_map(|file| {
                let name = file.path().as_str().strip_prefix("data/")?;
                Some((file, table_of(&model, name)?))
            })
            .collect();
        files.sort_by_key(|(file, _)| file.path());
        for (file, name) in files {
            let table = tables.entry(name).or_insert_with_key(|(schema, name)| {
                let mut table = Table::new(schema, name, "");
                table.column_definitions.clear();
                table.keys.clear();
                BagTable { table, files: Vec::new() }
            });
            read_file(bag, file, |reader| extend_columns(bag, file, reader.header(), &mut table.table))?;
            table.files.push(file);
        }
        Ok(Self { bag, model, tables: tables.into_values().collect() })
    }

    /// The model, as `data/schema.json` has it; empty where the bag has none.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Every table that may have rows, by schema and name.
    #[must_use]
    pub fn tables(&self) -> &[BagTable<'b>] {
        &self.tables
    }

    /// Reads a table's rows, file after file: all of its columns, NULL where the file lacks one.
    pub fn for_each<E: From<TablesError>>(
        &self,
        table: &BagTable<'b>,
        mut each: impl FnMut(&[Value]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut failed = None;
        for file in &table.files {
            let read = read_file(self.bag, *file, |reader| {
                self.read_rows(*file, reader, &table.table, &mut |row| {
                    each(row).map_err(|error| {
                        failed = Some(error);
                        TablesError::Stopped
                    })
                })
            });
            match (read, failed.take()) {
                (_, Some(error)) => return Err(error),
                (other, None) => other?,
            }
        }
        Ok(())
    }

    fn read_rows(
        &self,
        file: BagFile<'_>,
        reader: &mut CsvReader<&mut dyn io::BufRead>,
        table: &Table,
        each: &mut dyn FnMut(&[Value]) -> Result<(), TablesError>,
    ) -> Result<(), TablesError> {
        let bag = || self.bag.container().location().to_owned();
        let path = || file.path().to_string();
        let at = |name: &str| reader.header().iter().position(|header| header == name);
        let columns: Vec<(&Column, Storage, Option<usize>)> = table
            .column_definitions
            .iter()
            .map(|column| (column, column.column_type.storage(), at(&column.name)))
            .collect();
        let mut row = Vec::with_capacity(columns.len());
        loop {
            let more = reader.next_record();
            if !more.map_err(|source| TablesError::Csv { bag: bag(), file: path(), source })? {
                return Ok(());
            }
            row.clear();
            for (column, storage, at) in &columns {
                let value = Value::parse(at.and_then(|at| reader.field(at)), *storage);
                row.push(value.map_err(|source| TablesError::BadValue {
                    bag: bag(),
                    file: path(),
                    line: reader.line(),
                    column: column.name.clone(),
                    source: Box::new(source),
                })?);
            }
            each(&row)?;
        }
    }
}

/// Whether a schema is the server's own, of which a bag holds no rows.
#[must_use]
pub fn is_server(schema: &str) -> bool {
    SERVER_SCHEMAS.contains(&schema)
}

/// A table whose file is listed but not there must not pass for one without rows.
fn check_all_there(bag: &Bag, model: &Model) -> Result<(), TablesError> {
    let is_table = |path: &str| {
        path.strip_prefix("data/")
            .is_some_and(|name| name == "schema.json" || table_of(model, name).is_some())
    };
    let lost = bag.payload().find(|listed| is_table(listed.path().as_str()) && bag.stored(*listed).is_none());
    let Some(listed) = lost else { return Ok(()) };
    let (location, file) = (bag.container().location().to_owned(), listed.path().to_string());
    if bag.is_remote(listed) {
        return Err(TablesError::NotFetched { bag: location, file });
    }
    Err(TablesError::Missing { bag: location, file })
}

fn read_model(bag: &Bag) -> Result<Model, TablesError> {
    let Some(file) = bag.find("data/schema.json").filter(|file| file.is_present()) else {
        return Ok(Model::default());
    };
    let mut bytes = Vec::new();
    with_checked_reader(bag, file, |reader| {
        reader.take(SCHEMA_LIMIT).read_to_end(&mut bytes)?;
        Ok(())
    })?;
    Model::from_json(&bytes).map_err(|error| TablesError::BadSchema {
        bag: bag.container().location().to_owned(),
        reason: error.to_string(),
    })
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
    let candidates: Vec<_> = named.into_iter().filter(|table| !is_server(&table.schema_name)).collect();
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
    table: &mut Table,
) -> Result<(), TablesError> {
    for name in header {
        let known = table.column_definitions.iter().find(|known| known.name.eq_ignore_ascii_case(name));
        match known {
            Some(known) if known.name == *name => {}
            None => table.column_definitions.push(Column::new(name, ColumnType::new("text"))),
            Some(_) => {
                return Err(TablesError::ColumnClash {
                    bag: bag.container().location().to_owned(),
                    file: file.path().to_string(),
                    column: name.clone(),
                });
            }
        }
    }
    Ok(())
}

/// Opens a CSV file of the bag, hands it over, reads it to its end and checks its digest.
fn read_file(
    bag: &Bag,
    file: BagFile<'_>,
    mut f: impl FnMut(&mut CsvReader<&mut dyn io::BufRead>) -> Result<(), TablesError>,
) -> Result<(), TablesError> {
    let mut result = Ok(());
    with_checked_reader(bag, file, |reader| {
        let mut buffered = BufReader::with_capacity(1 << 20, reader);
        let input: &mut dyn io::BufRead = &mut buffered;
        result = CsvReader::new(input)
            .map_err(|source| TablesError::Csv {
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
) -> Result<(), TablesError> {
    // The strongest digest is enough.
    let Some(expected) = file.digests().into_iter().max_by_key(Digest::algorithm) else {
        return Err(TablesError::Unlisted {
            bag: bag.container().location().to_owned(),
            file: file.path().to_string(),
        });
    };
    let mut body = file.open()?;
    let mut hashing = HashingReader { inner: &mut body, hasher: MultiHasher::new(&[expected.algorithm()]) };
    f(&mut hashing)?;
    io::copy(&mut hashing, &mut io::sink())?;
    if hashing.hasher.finish().first() == Some(&expected) {
        return Ok(());
    }
    Err(TablesError::Damaged { bag: bag.container().location().to_owned(), file: file.path().to_string() })
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
