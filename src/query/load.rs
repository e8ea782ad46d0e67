//! A bag's tables into SQLite.

use rusqlite::Connection;

use super::{Database, QueryError};
use crate::bag::Bag;
use crate::catalog::{quoted, sentence};
use crate::model::Table;
use crate::tables::{BagTable, BagTables, TablesError};

impl Database {
    /// Loads a bag's tables. The digest of every file is checked while it is read.
    pub fn from_bag(bag: &Bag) -> Result<Self, QueryError> {
        let tables = BagTables::open(bag)?;
        // An empty name is a temporary database that spills to disk and goes with the connection.
        let connection = Connection::open("")?;
        connection.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536; BEGIN",
        )?;
        for BagTable { table, .. } in tables.tables() {
            create_table(&connection, table).map_err(|error| TablesError::BadSchema {
                bag: bag.container().location().to_owned(),
                reason: format!("the table {} can't be made: {}", table.qualified_name(), sentence(&error)),
            })?;
        }
        for table in tables.tables() {
            insert_rows(&tables, table, &connection)?;
        }
        connection.execute_batch("COMMIT")?;
        let name = |table: &BagTable<'_>| (table.table.schema_name.clone(), table.table.table_name.clone());
        Self::guard(connection, tables.tables().iter().map(name).collect())
    }
}

fn create_table(connection: &Connection, table: &Table) -> rusqlite::Result<()> {
    if table.column_definitions.is_empty() {
        return Ok(());
    }
    let declared: Vec<String> = table
        .column_definitions
        .iter()
        .map(|column| {
            let key = if column.name == "RID" { " PRIMARY KEY" } else { "" };
            format!("{} {}{key}", quoted(&column.name), column.column_type.storage().sql())
        })
        .collect();
    let name = quoted(&table.qualified_name());
    connection.execute_batch(&format!("CREATE TABLE {name} ({})", declared.join(", ")))
}

fn insert_rows(
    tables: &BagTables<'_>,
    table: &BagTable<'_>,
    connection: &Connection,
) -> Result<(), QueryError> {
    if table.files.is_empty() {
        return Ok(());
    }
    let marks = vec!["?"; table.table.column_definitions.len()].join(", ");
    let name = quoted(&table.table.qualified_name());
    // Rows of one table may come in several files: one of an RID is enough.
    let mut statement = connection.prepare(&format!("INSERT OR IGNORE INTO {name} VALUES ({marks})"))?;
    tables.for_each(table, |row| {
        for (index, value) in row.iter().enumerate() {
            statement.raw_bind_parameter(index + 1, value)?;
        }
        statement.raw_execute()?;
        Ok::<_, QueryError>(())
    })
}
