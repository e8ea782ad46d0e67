//! Any bag, and any released version, as a database: read-only SQL over its tables.
//!
//! Owns how a bag's CSV files become SQLite tables and what SQL may do. Tables are named `"schema:Table"`, with
//! a view `Table` where that name is unique. It never writes to a bag or a catalog.

mod database;
mod load;
mod output;

pub use database::{Cell, Database, RowSink};
pub use output::{Format, write_rows};

use crate::catalog::CatalogError;
use crate::tables::TablesError;

/// Why a question could not be asked or answered.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum QueryError {
    #[error("the SQL can't be run: {reason}")]
    Sql { reason: String },
    #[error("the SQL can't be run: {reason}; {}", named(.tables))]
    NoTable { reason: String, tables: Vec<String> },
    #[error("the SQL can't be run: only reading is allowed")]
    NotReadOnly,
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Tables(#[from] TablesError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

fn named(names: &[String]) -> String {
    if names.is_empty() { "there are no tables".into() } else { format!("tables: {}", names.join(", ")) }
}
