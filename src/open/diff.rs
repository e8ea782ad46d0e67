//! What differs between two things that hold datasets' rows: versions of one catalog by its history, all else row by row.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{OpenError, Workspace};
use crate::bag::{Bag, Progress};
use crate::catalog::{Catalog, CatalogError, DatasetRef, SelectOptions, TableSelection};
use crate::diff::{CellDiff, Counts, Diff, Role, RowChange, RowDiff, SchemaDiff, TableDiff};
use crate::model::{DERIVA_ML, Model, Table};
use crate::tables::{BagTables, TablesError};
use crate::tabular::Value;
use crate::version::Requirement;

/// How to compare.
#[derive(Debug, Clone)]
pub struct DiffOptions {
    /// Only this table.
    pub table: Option<String>,
    /// The folder around which a workspace is looked for.
    pub here: PathBuf,
}

/// Takes the rows that differ.
pub type EachRow<'f> = dyn FnMut(RowDiff) -> Result<(), OpenError> + 'f;

/// What differs between two datasets, versions or bags' paths. Each row that differs is handed to `each`.
pub fn diff(
    from: &str,
    to: &str,
    options: &DiffOptions,
    progress: &dyn Progress,
    each: &mut EachRow<'_>,
) -> Result<Diff, OpenError> {
    let is_path = |name: &str| {
        Path::new(name).exists() || name.contains(['/', '\\']) || name.to_ascii_lowercase().ends_with(".zip")
    };
    if !is_path(from) && !is_path(to) {
        let catalog = Workspace::find(&options.here)?.catalog;
        let [from, to] = [from, to].map(|name| reference(&catalog, name));
        let mut failed = None;
        let found = catalog.diff(&from?, &to?, options.table.as_deref(), &mut |row| {
            each(row).map_err(|error| {
                failed = Some(error);
                CatalogError::Io(std::io::Error::other("stopped"))
            })
        });
        return match failed {
            Some(error) => Err(error),
            None => Ok(found?),
        };
    }
    let mut compared = Comparison::new()?;
    for (side, name) in [from, to].into_iter().enumerate() {
        if is_path(name) {
            compared.load_bag(side, Path::new(name), progress)?;
        } else {
            compared.load_version(side, name, &options.here)?;
        }
    }
    let mut diff = compared.compare(options.table.as_deref(), progress, each)?;
    (diff.from, diff.to) = (from.to_owned(), to.to_owned());
    Ok(diff)
}

/// A dataset as it is, or one of its versions by a requirement.
fn reference(catalog: &Catalog, name: &str) -> Result<DatasetRef, OpenError> {
    if let Ok(requirement) = name.parse::<Requirement>() {
        let reference = catalog.resolve(&requirement)?;
        return Ok(DatasetRef { name: reference.name, version: Some(reference.version) });
    }
    Ok(catalog.dataset_ref(name)?)
}

/// Two sides in a temporary database, which spills to disk: a table of both for each of theirs, each row by its RID and as JSON.
struct Comparison {
    connection: Connection,
    sides: [Side; 2],
}

#[derive(Default)]
struct Side {
    model: Model,
    tables: BTreeMap<String, Table>,
}

/// Rows of one table of one side.
const MADE: &str = "CREATE TABLE rows (side INTEGER, name TEXT, rid TEXT, cells TEXT, PRIMARY KEY (name, rid, side)) WITHOUT ROWID";

impl Comparison {
    fn new() -> Result<Self, OpenError> {
        // An empty name is a temporary database that spills to disk and goes with the connection.
        let connection = Connection::open("").map_err(sqlite)?;
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536; {MADE}; BEGIN"
            ))
            .map_err(sqlite)?;
        Ok(Self { connection, sides: Default::default() })
    }

    fn load_bag(&mut self, side: usize, path: &Path, progress: &dyn Progress) -> Result<(), OpenError> {
        let bag = Bag::open(path)?;
        let tables = BagTables::open(&bag).map_err(crate::query::QueryError::from)?;
        progress.begin("reading", tables.tables().len() as u64, 0);
        self.sides[side].model = tables.model().clone();
        for table in tables.tables() {
            // What has no row in the bag is none of its tables.
            if table.files.is_empty() {
                continue;
            }
            let name = table.table.qualified_name();
            self.sides[side].tables.insert(name.clone(), table.table.clone());
            tables
                .for_each(table, |row| {
                    self.put(side, &name, &table.table, row).map_err(TablesError::from)?;
                    if progress.cancelled() { Err(TablesError::Stopped) } else { Ok(()) }
                })
                .map_err(crate::query::QueryError::from)?;
            progress.file();
        }
        progress.end();
        Ok(())
    }

    fn load_version(&mut self, side: usize, name: &str, here: &Path) -> Result<(), OpenError> {
        let catalog = Workspace::find(here)?.catalog;
        let reference = reference(&catalog, name)?;
        let options = SelectOptions::default();
        let (model, tables): (Model, Vec<TableSelection>) = match reference.version {
            None => catalog.select_now(&reference.name, &options)?,
            Some(version) => {
                let reference = crate::version::VersionRef { name: reference.name, version };
                let selection = catalog.select_version(&reference, &options)?;
                (selection.model, selection.tables)
            }
        };
        self.sides[side].model = model;
        for part in &tables {
            let name = part.table.qualified_name();
            self.sides[side].tables.insert(name.clone(), part.table.clone());
            catalog.for_each_selected::<OpenError>(part, |row| {
                self.put(side, &name, &part.table, &row).map_err(OpenError::Io)
            })?;
        }
        Ok(())
    }

    /// Keeps a row: its own columns by name, as a JSON object. Of two with one RID the first counts.
    fn put(&self, side: usize, name: &str, table: &Table, row: &[Value]) -> std::io::Result<()> {
        let columns = table.column_definitions.iter().zip(row);
        let mut rid = String::new();
        let mut cells = serde_json::Map::new();
        for (column, value) in columns {
            match column.name.as_str() {
                "RID" => rid = value.to_text().unwrap_or_default().into_owned(),
                "RCT" | "RMT" | "RCB" | "RMB" => {}
                // Which version is the newest, and where the bytes of an asset are, are no part of what the rows say.
                "Version" if is_ml(table, "Dataset") => {}
                "URL" if table.asset_form().is_some() => {}
                own => {
                    if let Some(text) = value.to_text() {
                        cells.insert(own.to_owned(), text.into());
                    }
                }
            }
        }
        let cells = serde_json::Value::Object(cells).to_string();
        let sql = "INSERT OR IGNORE INTO rows VALUES (?, ?, ?, ?)";
        let put = self.connection.prepare_cached(sql).and_then(|mut statement| {
            statement.execute((i64::try_from(side).unwrap_or(0), name, rid, cells))
        });
        put.map(drop).map_err(std::io::Error::other)
    }

    fn compare(
        &self,
        only: Option<&str>,
        progress: &dyn Progress,
        each: &mut EachRow<'_>,
    ) -> Result<Diff, OpenError> {
        let mut diff = Diff::default();
        let names: BTreeSet<&String> = self.sides.iter().flat_map(|side| side.tables.keys()).collect();
        let matches = |name: &str| {
            only.is_none_or(|only| {
                only == name || name.split_once(':').is_some_and(|(_, table)| table == only)
            })
        };
        if let Some(only) = only
            && !names.iter().any(|name| matches(name))
        {
            return Err(OpenError::NoTable {
                table: only.to_owned(),
                tables: names.iter().map(ToString::to_string).collect(),
            });
        }
        for name in names.into_iter().filter(|name| matches(name)) {
            self.compare_table(&mut diff, name, progress, each)?;
        }
        Ok(diff)
    }

    fn compare_table(
        &self,
        diff: &mut Diff,
        name: &str,
        progress: &dyn Progress,
        each: &mut EachRow<'_>,
    ) -> Result<(), OpenError> {
        let [old, new] = [0, 1].map(|side| self.sides[side].tables.get(name));
        let Some(table) = new.or(old) else { return Ok(()) };
        self.compare_columns(diff, name, [old, new]);
        let role = self.role(table);
        let sql = "SELECT rid, max(CASE side WHEN 0 THEN cells END), max(CASE side WHEN 1 THEN cells END) \
                   FROM rows WHERE name = ? GROUP BY rid";
        let mut statement = self.connection.prepare_cached(sql).map_err(sqlite)?;
        let mut rows = statement.query([name]).map_err(sqlite)?;
        let (mut counts, mut other_bytes) = (Counts::default(), 0);
        while let Some(row) = rows.next().map_err(sqlite)? {
            let (rid, was, is): (String, Option<String>, Option<String>) =
                (|| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))().map_err(sqlite)?;
            let change = match (was, is) {
                (None, _) => {
                    counts.added += 1;
                    RowChange::Added
                }
                (_, None) => {
                    counts.removed += 1;
                    RowChange::Removed
                }
                (Some(was), Some(is)) if was == is => continue,
                (Some(was), Some(is)) => {
                    let cells = cells(&was, &is);
                    if cells.is_empty() {
                        continue;
                    }
                    counts.changed += 1;
                    let of_bytes = |cell: &CellDiff| ["MD5", "SHA256", "Length"].contains(&&*cell.column);
                    other_bytes += u64::from(cells.iter().any(of_bytes));
                    RowChange::Changed(cells)
                }
            };
            if progress.cancelled() {
                return Err(OpenError::Io(std::io::Error::other("interrupted")));
            }
            each(RowDiff { table: name.to_owned(), rid, change })?;
        }
        if !counts.any() {
            return Ok(());
        }
        if role == Role::Membership {
            diff.members.added += counts.added;
            diff.members.removed += counts.removed;
        }
        if table.asset_form().is_some() {
            diff.files.added += counts.added;
            diff.files.removed += counts.removed;
            diff.files.changed += other_bytes;
        }
        if is_ml(table, "Dataset") {
            diff.description |= counts.changed > 0;
        }
        diff.tables.push(TableDiff { table: name.to_owned(), role, rows: counts });
        Ok(())
    }

    fn compare_columns(&self, diff: &mut Diff, name: &str, tables: [Option<&Table>; 2]) {
        let [Some(old), Some(new)] = tables else {
            let knows =
                |side: usize| self.sides[side].model.tables().any(|table| table.qualified_name() == name);
            let table = name.to_owned();
            match tables {
                [None, _] if !knows(0) => diff.schema.push(SchemaDiff::TableAdded { table }),
                [_, None] if !knows(1) => diff.schema.push(SchemaDiff::TableRemoved { table }),
                _ => {}
            }
            return;
        };
        let types = |table: &Table| -> BTreeMap<String, String> {
            table.own_columns().map(|own| (own.name.clone(), own.column_type.typename.clone())).collect()
        };
        let (old, new) = (types(old), types(new));
        for column in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            let (table, column) = (name.to_owned(), column.clone());
            diff.schema.extend(match (old.get(&column), new.get(&column)) {
                (None, _) => Some(SchemaDiff::ColumnAdded { table, column }),
                (_, None) => Some(SchemaDiff::ColumnRemoved { table, column }),
                (Some(from), Some(to)) if from != to => {
                    Some(SchemaDiff::ColumnRetyped { table, column, from: from.clone(), to: to.clone() })
                }
                _ => None,
            });
        }
    }

    /// What a table's rows are to the datasets of either side.
    fn role(&self, table: &Table) -> Role {
        const RECORDS: [&str; 4] = ["Dataset_Version", "Dataset_Execution", "Execution", "Workflow"];
        let name = table.qualified_name();
        let memberships = || self.sides.iter().flat_map(|side| side.model.memberships());
        if memberships().any(|membership| membership.table.qualified_name() == name) {
            Role::Membership
        } else if memberships().any(|membership| membership.element.qualified_name() == name) {
            if is_ml(table, "Dataset") { Role::Record } else { Role::Element }
        } else if table.is_vocabulary() {
            Role::Vocabulary
        } else if RECORDS.iter().any(|record| is_ml(table, record)) {
            Role::Record
        } else {
            Role::Linked
        }
    }
}

fn is_ml(table: &Table, name: &str) -> bool {
    table.schema_name == DERIVA_ML && table.table_name == name
}

/// The cells in which two rows differ.
fn cells(was: &str, is: &str) -> Vec<CellDiff> {
    let read = |text: &str| -> BTreeMap<String, String> { serde_json::from_str(text).unwrap_or_default() };
    let (was, is) = (read(was), read(is));
    let value = |cells: &BTreeMap<String, String>, name: &String| {
        cells.get(name).map_or(Value::Null, |text| Value::Text(text.clone()))
    };
    let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    names
        .into_iter()
        .filter(|name| was.get(*name) != is.get(*name))
        .map(|name| CellDiff { column: name.clone(), was: value(&was, name), is: value(&is, name) })
        .collect()
}

fn sqlite(error: rusqlite::Error) -> OpenError {
    OpenError::Io(std::io::Error::other(error))
}
