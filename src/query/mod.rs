//! Any bag, and any released version, as a database: read-only SQL over its tables.
//!
//! Owns how a bag's CSV files become SQLite tables and what SQL may do. Tables are named `"schema:Table"`, with
//! a view `Table` where that name is unique. It never writes to a bag or a catalog.

mod database;
mod load;
mod output;

use std::path::PathBuf;

pub use database::{Cell, Database, RowSink};
pub use output::{Format, write_rows};

use crate::bag::BagError;
use crate::catalog::CatalogError;
use crate::tabular::{CsvError, ValueError};

/// Why a question could not be asked or answered.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum QueryError {
    #[error("{bag}: {file}: {source}")]
    Csv { bag: PathBuf, file: String, source: CsvError },
    #[error("{bag}: {file}, line {line}, column {column:?}: {source}")]
    BadValue { bag: PathBuf, file: String, line: u64, column: String, source: ValueError },
    #[error("{bag}: {file} is still to be fetched")]
    NotFetched { bag: PathBuf, file: String },
    #[error("{bag}: {file} is listed in the manifest but can't be read")]
    Missing { bag: PathBuf, file: String },
    #[error("{bag}: {file} is in no manifest, so that nothing vouches for it")]
    Unlisted { bag: PathBuf, file: String },
    #[error("{bag} is not valid: {finding}")]
    BadBag { bag: PathBuf, finding: String },
    #[error("{bag}: {file} does not have the digest that the manifest lists")]
    Damaged { bag: PathBuf, file: String },
    #[error("{bag}: data/schema.json is not a model: {reason}")]
    BadSchema { bag: PathBuf, reason: String },
    #[error("{bag}: {file} names two columns that differ only in case: {column:?}")]
    ColumnClash { bag: PathBuf, file: String, column: String },
    #[error("the SQL can't be run: {reason}")]
    Sql { reason: String },
    #[error("the SQL can't be run: {reason}; {}", named(.tables))]
    NoTable { reason: String, tables: Vec<String> },
    #[error("the SQL can't be run: only reading is allowed")]
    NotReadOnly,
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Bag(#[from] BagError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

fn named(names: &[String]) -> String {
    if names.is_empty() { "there are no tables".into() } else { format!("tables: {}", names.join(", ")) }
}
