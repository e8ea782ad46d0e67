//! The catalog's SQL: names as it writes them, the model as it stores it, errors as people read them.

use std::collections::HashSet;
use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use super::CatalogError;
use crate::model::{Column, DERIVA_ML, Model, Table};

/// Columns that came back after they were dropped, with values of another SQL type: these lie in an SQL column of their
/// own, `name@TYPE`. Every other column lies in one of its name.
#[derive(Debug, Clone, Default)]
pub(super) struct Aliases(HashSet<(String, String, String)>);

impl Aliases {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut statement =
            connection.prepare("SELECT table_name, column_name, sql_type FROM dbag_column")?;
        let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        rows.collect::<rusqlite::Result<_>>().map(Self)
    }

    /// The SQL column of a column.
    pub(super) fn physical(&self, table: &Table, column: &Column) -> String {
        if self.0.is_empty() || !self.0.contains(&Self::key(table, column)) {
            return column.name.clone();
        }
        format!("{}@{}", column.name, column.column_type.storage().sql())
    }

    /// Notes one, for good.
    pub(super) fn add(
        &mut self,
        connection: &Connection,
        table: &Table,
        column: &Column,
    ) -> rusqlite::Result<()> {
        let (table, column, sql_type) = Self::key(table, column);
        connection
            .execute("INSERT OR IGNORE INTO dbag_column VALUES (?, ?, ?)", (&table, &column, &sql_type))?;
        self.0.insert((table, column, sql_type));
        Ok(())
    }

    fn key(table: &Table, column: &Column) -> (String, String, String) {
        (
            table.qualified_name().to_ascii_lowercase(),
            column.name.to_ascii_lowercase(),
            column.column_type.storage().sql().to_owned(),
        )
    }
}

pub(super) fn load_model(connection: &Connection, path: &Path, number: i64) -> Result<Model, CatalogError> {
    let sql = "SELECT json FROM dbag_model WHERE number <= ? ORDER BY number DESC LIMIT 1";
    let json: String = connection.query_row(sql, [number], |row| row.get(0)).map_err(|e| sqlite(path, e))?;
    serde_json::from_str(&json)
        .map_err(|e| CatalogError::Corrupt { path: path.to_owned(), reason: format!("the model: {e}") })
}

pub(super) fn find_table<'m>(model: &'m Model, name: &str) -> Result<&'m Table, CatalogError> {
    let exact = name.split_once(':').and_then(|(schema, table)| model.table(schema, table));
    let mut named = model.tables_named(name);
    if named.len() > 1 {
        named.retain(|table| table.schema_name != DERIVA_ML);
    }
    exact.or_else(|| named.first().copied()).ok_or_else(|| CatalogError::NoSuchTable {
        name: name.to_owned(),
        tables: model
            .tables()
            .filter(|table| table.schema_name != DERIVA_ML && model.membership(table).is_none())
            .map(|table| table.table_name.clone())
            .collect(),
    })
}

/// Whether a text can name a schema or a table: letters, digits and `_`, starting with a letter.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(char::is_alphabetic)
        && text.chars().all(|c| c.is_alphanumeric() || c == '_')
        && text.len() <= 100
}

/// The error of a failed statement, told apart where a person can do something about it.
pub(super) fn sqlite(path: &Path, error: rusqlite::Error) -> CatalogError {
    let path = path.to_owned();
    let extended = error.sqlite_error().map(|error| error.extended_code);
    match error.sqlite_error_code() {
        // The index of the log could not be made longer.
        _ if extended == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE) => CatalogError::DiskFull(path),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            CatalogError::Busy(path)
        }
        Some(ErrorCode::DiskFull) => CatalogError::DiskFull(path),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            let reason = format!("it or its folder is read-only, or full ({})", sentence(&error));
            CatalogError::Unwritable { path, reason }
        }
        Some(ErrorCode::SystemIoFailure) => CatalogError::Unwritable { path, reason: sentence(&error) },
        Some(ErrorCode::NotADatabase) => {
            CatalogError::NotACatalog { path, reason: "it is no SQLite file".into() }
        }
        Some(ErrorCode::DatabaseCorrupt) => CatalogError::Corrupt { path, reason: error.to_string() },
        _ => CatalogError::Sqlite { path, source: error },
    }
}

/// The SQL names of a table's live rows and of its superseded ones.
pub(super) fn sql_names(table: &Table) -> (String, String) {
    let name = table.qualified_name();
    (quoted(&name), quoted(&format!("{name}@history")))
}

/// SQLite's own words, without the statement and the offset that rusqlite adds.
pub(crate) fn sentence(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } | rusqlite::Error::SqliteFailure(_, Some(msg)) => {
            msg.clone()
        }
        other => other.to_string(),
    }
}

/// A name quoted for SQL.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text quoted for SQL.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
