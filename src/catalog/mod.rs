//! The local catalog: a laboratory's tables, datasets and their history in one SQLite file.
//!
//! Owns the file's layout, record ids, snapshots and every write. Rows are never rewritten: what is superseded
//! moves to history, so that the catalog can be read as it was at any transaction. Never speaks to a network and
//! never touches the bytes of assets. The layout is specified in `docs/format.md`.

mod change;
mod dataset;
mod read;
mod selection;
mod sql;
mod store;

use std::path::PathBuf;

pub use change::{Change, RowWriter};
pub use dataset::{DatasetDetails, DatasetSummary, Drift, MemberCount, Release, VersionDetails};
pub use read::Row;
pub use selection::{TableSelection, VersionSelection};
pub(crate) use sql::{quoted, sentence};
pub use store::{Catalog, Clock, CreateOptions};

use crate::version::{DatasetName, DatasetVersion};

/// Why the catalog refused or failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum CatalogError {
    #[error("{0} exists already")]
    Exists(PathBuf),
    #[error(
        "{path} was written by a newer dbag (catalog format {found}; this one knows {known}); upgrade dbag to open it"
    )]
    NewerFormat { path: PathBuf, found: i64, known: i64 },
    #[error("{path} is not a dbag catalog: {reason}")]
    NotACatalog { path: PathBuf, reason: String },
    #[error("there is no table {name:?}; {}", known(.tables, "tables"))]
    NoSuchTable { name: String, tables: Vec<String> },
    #[error("{0:?} can't name a table: names are letters, digits and '_', and start with a letter")]
    BadTableName(String),
    #[error(
        "{0:?} can't name your schema: names are letters, digits and '_', start with a letter, and are not deriva-ml or public"
    )]
    BadSchemaName(String),
    #[error("there is a table {0} already")]
    TableExists(String),
    #[error("{column:?} can't be a column of {table}: {reason}")]
    BadColumn { table: String, column: String, reason: String },
    #[error("{table} would have {count} columns; SQLite holds {limit}")]
    TooManyColumns { table: String, count: usize, limit: usize },
    #[error("there is no dataset {name:?}; {}", known(.datasets, "datasets"))]
    NoSuchDataset { name: String, datasets: Vec<String> },
    #[error("a dataset {0} exists already")]
    DatasetExists(DatasetName),
    #[error("dataset {name} has no version {version}; {}", known(.versions, "versions"))]
    NoSuchVersion { name: DatasetName, version: DatasetVersion, versions: Vec<String> },
    #[error("nothing in dataset {name} has changed since {version}")]
    NothingToRelease { name: DatasetName, version: DatasetVersion },
    #[error("dataset {0} has no members yet")]
    NoMembers(DatasetName),
    #[error("no row of a domain table has the RID {0:?}")]
    NoSuchRow(String),
    #[error("the condition {condition:?} can't be used on {table}: {reason}")]
    BadCondition { table: String, condition: String, reason: String },
    #[error("another dbag has been writing to {0} for too long; try again")]
    Busy(PathBuf),
    #[error("the disk is full, so that {0} can't be written")]
    DiskFull(PathBuf),
    #[error("{path} can't be written: {reason}")]
    Unwritable { path: PathBuf, reason: String },
    #[error("{path}: {source}")]
    Sqlite { path: PathBuf, source: rusqlite::Error },
    #[error("{path} holds what no dbag wrote: {reason}")]
    Corrupt { path: PathBuf, reason: String },
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

fn known(names: &[String], what: &str) -> String {
    if names.is_empty() {
        format!("there are no {what} yet")
    } else {
        format!("{what}: {}", names.join(", "))
    }
}
