//! The catalog file's layout: the tables beside the data's own, and its number.

use std::path::Path;

use rusqlite::Connection;

use super::CatalogError;
use super::sql::sqlite;

/// The number of the layout that this code reads and writes. Newer ones are refused; older ones are upgraded when asked.
pub(super) const FORMAT: i64 = 3;
/// SQLite's `application_id`: "dbag".
pub(super) const APPLICATION_ID: i64 = 0x6462_6167;

/// The tables of format 1, and what formats 2 and 3 add to them.
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

pub(super) const SINCE_3: &str = "
    ALTER TABLE dbag_transaction ADD COLUMN hash TEXT;
    ALTER TABLE dbag_version ADD COLUMN details TEXT;
    CREATE TABLE dbag_place (
        id INTEGER PRIMARY KEY, location TEXT NOT NULL UNIQUE, base_url TEXT) STRICT;
    CREATE TABLE dbag_published (
        sha256 TEXT NOT NULL, place INTEGER NOT NULL, url TEXT NOT NULL,
        PRIMARY KEY (sha256, place)) STRICT, WITHOUT ROWID;
    CREATE TABLE dbag_bag (
        sha256 TEXT PRIMARY KEY, content TEXT NOT NULL, length INTEGER NOT NULL, dataset TEXT NOT NULL,
        version TEXT NOT NULL, options TEXT NOT NULL, path TEXT, url TEXT, minid TEXT, made INTEGER NOT NULL) STRICT;
    CREATE INDEX \"dbag_bag by version\" ON dbag_bag (dataset, version);
    CREATE TABLE dbag_tombstone (
        rid TEXT PRIMARY KEY, table_name TEXT NOT NULL, number INTEGER NOT NULL, reason TEXT NOT NULL,
        actor TEXT NOT NULL, held TEXT NOT NULL) STRICT;
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
