//! The catalog's SQL: names as it writes them, the model as it stores it, errors as people read them.

use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use super::CatalogError;
use crate::model::{DERIVA_ML, Model, Table};

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
            .filter(|table| table.schema_name != DERIVA_ML && !table.is_membership())
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
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => CatalogError::Busy(path),
        Some(ErrorCode::DiskFull) => CatalogError::DiskFull(path),
        Some(
            ErrorCode::ReadOnly
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::SystemIoFailure,
        ) => CatalogError::Unwritable { path, reason: sentence(&error) },
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
