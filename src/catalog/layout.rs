//! The catalog file's layout: the tables beside the data's own, and its number.

use std::path::Path;

use rusqlite::Connection;

use super::CatalogError;
use super::sql::sqlite;

/// The number of the layout that this code reads and writes. Newer ones are refused; older ones are upgraded when asked.
pub(super) const FORMAT: i64 = 2;
/// SQLite's `application_id`: "dbag".
pub(super) const APPLICATION_ID: i64 = 0x6462_6167;

/// The tables of format 1, and what format 2 adds to them.
pub(super) const LAYOUT: &str = "
    CREATE TABLE dbag_meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT;
    CREATE TABLE dbag_transaction (
        number INTEGER PRIMARY KEY, snapshot INTEGER NOT NULL UNIQUE, command TEXT NOT NULL, actor TEXT NOT NULL) STRICT;
    CREATE TABLE dbag_model (number INTEGER PRIMARY KEY, json TEXT NOT NULL) STRICT;
    CREATE TABLE dbag_dataset (name TEXT PRIMARY KEY, rid TEXT NOT NULL UNIQUE) STRICT;
";
pub(super) const SINCE_2: &str = "
    ALTER TABLE dbag_transaction ADD COLUMN execution TEXT;
    ALTER TABLE dbag_transaction ADD COLUMN undoes INTEGER;
    CREATE TABLE dbag_column (
        table_name TEXT NOT NULL, column_name TEXT NOT NULL, sql_type TEXT NOT NULL,
        PRIMARY KEY (table_name, column_name, sql_type)) STRICT, WITHOUT ROWID;
    CREATE TABLE dbag_rid (
        source TEXT NOT NULL, theirs TEXT NOT NULL, ours TEXT NOT NULL,
        PRIMARY KEY (source, theirs)) STRICT, WITHOUT ROWID;
    CREATE TABLE dbag_file (
        sha256 TEXT PRIMARY KEY, path TEXT NOT NULL, length INTEGER NOT NULL, modified INTEGER NOT NULL) STRICT;
    CREATE TABLE dbag_version (
        rid TEXT PRIMARY KEY, number INTEGER NOT NULL, adopted INTEGER NOT NULL) STRICT;
    CREATE TABLE dbag_object (
        md5 TEXT NOT NULL, sha256 TEXT NOT NULL, length INTEGER NOT NULL, PRIMARY KEY (md5, sha256)) STRICT;
    CREATE TABLE dbag_spool (name TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT;
";

/// The format of a catalog file, after its mark.
pub(super) fn format_of(connection: &Connection, path: &Path) -> Result<i64, CatalogError> {
    let pragma = |name: &str| {
        connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(|e| sqlite(path, e))
    };
    if pragma("application_id")? != APPLICATION_ID {
        return Err(CatalogError::NotACatalog {
            path: path.to_owned(),
            reason: "it lacks dbag's mark".into(),
        });
    }
    let found = pragma("user_version")?;
    if found > FORMAT {
        return Err(CatalogError::NewerFormat { path: path.to_owned(), found, known: FORMAT });
    }
    Ok(found)
}
