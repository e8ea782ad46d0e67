//! Files and tables into the catalog.
//!
//! Owns how a CSV becomes rows and a folder becomes assets. All or nothing: where a line is wrong, the catalog
//! stays as it was. Importing the same thing again changes nothing.

mod assets;
mod features;
mod table;
mod terms;

use std::path::PathBuf;

pub use assets::{AssetImport, import_folder};
pub use features::{FeatureImport, FeatureReport, import_feature};
pub use table::{TableImport, import_csv};
pub use terms::{TermImport, TermReport, import_terms};

use crate::catalog::CatalogError;
use crate::model::{Table, deriva_ml_tables};
use crate::tabular::{CsvError, ValueError};

/// Refuses to make tables whose names dbag and deriva-ml need for their own.
fn check_name(table: &str) -> Result<(), IngestError> {
    let own = deriva_ml_tables("").iter().any(|own| own.table_name.eq_ignore_ascii_case(table));
    if own || table.to_ascii_lowercase().starts_with("dataset_") {
        return Err(IngestError::Reserved { table: table.to_owned() });
    }
    Ok(())
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportReport {
    /// The table, as `schema:Table`.
    pub table: String,
    /// Whether it is new.
    pub created: bool,
    /// Its own columns and their types.
    pub columns: Vec<(String, String)>,
    /// Rows that are new.
    pub added: u64,
    /// Rows that got new values.
    pub updated: u64,
    /// Rows that were there already.
    pub unchanged: u64,
    /// Entries of a folder that were passed over: hidden files, links, devices.
    pub skipped: u64,
    /// Whether this only says what would be done.
    pub dry_run: bool,
}

impl ImportReport {
    fn new(table: &Table, created: bool, dry_run: bool) -> Self {
        let columns =
            table.own_columns().map(|column| (column.name.clone(), column.column_type.typename.clone()));
        Self {
            table: table.qualified_name(),
            columns: columns.collect(),
            created,
            dry_run,
            added: 0,
            updated: 0,
            unchanged: 0,
            skipped: 0,
        }
    }
}

/// Why an import was refused.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum IngestError {
    #[error("{path}: {source}")]
    Csv { path: PathBuf, source: CsvError },
    #[error("{path}, line {line}, column {column:?}: {source}")]
    BadValue { path: PathBuf, line: u64, column: String, source: ValueError },
    #[error("{path}, line {line}: {source}")]
    AtLine { path: PathBuf, line: u64, source: Box<CatalogError> },
    #[error("{path}, line {line}: the key column {column:?} is empty")]
    EmptyKey { path: PathBuf, line: u64, column: String },
    #[error("{path}, line {line}: the same key is on line {first}")]
    RepeatedKey { path: PathBuf, line: u64, first: u64 },
    #[error(
        "{path}, line {line}: {table} has a row with this key and other values (RID {rid}); --update would replace them"
    )]
    Conflict { path: PathBuf, line: u64, table: String, rid: String },
    #[error("{path}: {table} has other bytes under this name (RID {rid}); --update would replace them")]
    FileConflict { path: PathBuf, table: String, rid: String },
    #[error("{path}: the column {column:?} is not in {table}, whose columns are {columns}")]
    UnknownColumn { path: PathBuf, column: String, table: String, columns: String },
    #[error("{path} has no column {column:?}; its columns are {columns}")]
    NoSuchColumn { path: PathBuf, column: String, columns: String },
    #[error("the column {column:?} of {table} is of type {has}, not {asked}")]
    OtherType { table: String, column: String, has: String, asked: String },
    #[error("{table} has the key {has}, not {asked}")]
    OtherKey { table: String, has: String, asked: String },
    #[error("{table} is a name that dbag keeps for datasets and their members; choose another for the table")]
    Reserved { table: String },
    #[error("{table} holds files; import a folder into it")]
    AssetTable { table: String },
    #[error(
        "{table} holds no files; a folder can only go to a new table or to one that was made from a folder"
    )]
    NotAnAssetTable { table: String },
    #[error("{0} holds no files")]
    EmptyFolder(PathBuf),
    #[error("the name of {0:?} is not UTF-8")]
    NotUtf8(PathBuf),
    #[error("interrupted")]
    Interrupted,
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
