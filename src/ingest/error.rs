//! Why an import was refused.

use std::path::PathBuf;

use super::{BadRow, PatternError, SideError};
use crate::bag::BagError;
use crate::catalog::CatalogError;
use crate::tables::TablesError;
use crate::tabular::SourceError;

/// Why an import was refused.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum IngestError {
    #[error("{path}: {source}")]
    Source { path: PathBuf, source: SourceError },
    #[error("{path}: {source}")]
    Side { path: PathBuf, source: SideError },
    #[error("{}", told(.path, *.count, .rows))]
    BadRows { path: PathBuf, count: u64, rows: Vec<BadRow> },
    #[error("{path}, line {line}: {source}")]
    AtLine { path: PathBuf, line: u64, source: Box<CatalogError> },
    #[error("{path}, line {line}: the key column {column:?} is empty")]
    EmptyKey { path: PathBuf, line: u64, column: String },
    #[error("{path}, line {line}: the same key is on line {first}")]
    RepeatedKey { path: PathBuf, line: u64, first: u64 },
    #[error("{path}: the column {column:?} can't be taken: {reason}; rename it")]
    ColumnName { path: PathBuf, column: String, reason: String },
    #[error(
        "{path}: the column {column:?} is one of the system columns {}, which dbag fills; rename it, or, to change rows \
         that are there, name them by RID and say --update",
        crate::model::SYSTEM_COLUMNS.join(", ")
    )]
    SystemColumn { path: PathBuf, column: String },
    #[error("{path}: the column {column:?} is not in {table}, whose columns are {columns}")]
    UnknownColumn { path: PathBuf, column: String, table: String, columns: String },
    #[error("{path} has no column {column:?}; its columns are {columns}")]
    NoSuchColumn { path: PathBuf, column: String, columns: String },
    #[error("the column {column:?} of {table} is of type {has}, not {asked}")]
    OtherType { table: String, column: String, has: String, asked: String },
    #[error("{table} has the key {has}, not {asked}")]
    OtherKey { table: String, has: String, asked: String },
    #[error("{column:?} of {table} can't refer to {other}: {reason}")]
    BadReference { table: String, column: String, other: String, reason: String },
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
    #[error("{0} changed while it was being imported")]
    Changing(PathBuf),
    #[error("{0} exists already; bad rows are kept in a new file")]
    AsideExists(PathBuf),
    #[error(transparent)]
    Pattern(#[from] PatternError),
    #[error(
        "the column {0:?} comes both from the pattern and from the file of metadata; leave it out of one"
    )]
    TwoOrigins(String),
    #[error("interrupted")]
    Interrupted,
    #[error("{0} does not have the digest that the bag's manifest lists")]
    DamagedFile(PathBuf),
    #[error("{0} is this workspace's own catalog, or a copy of it")]
    SameCatalog(PathBuf),
    #[error("{table} has the column {here} here, and {column:?} of type {there} there")]
    ColumnDiffers { table: String, column: String, here: String, there: String },
    #[error("a row of {table} has no RID, by which rows of a bag are told apart")]
    NoRid { table: String },
    #[error("{rid:?}, of a row of {table}, is no RID")]
    BadRid { table: String, rid: String },
    #[error(transparent)]
    Bag(#[from] BagError),
    #[error(transparent)]
    Tables(#[from] TablesError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// One bad row as a sentence; of several the first.
fn told(path: &std::path::Path, count: u64, rows: &[BadRow]) -> String {
    let (path, first) = (path.display(), rows.first().map(ToString::to_string).unwrap_or_default());
    if count == 1 {
        return format!("{path}, {first}");
    }
    format!("{path}: {count} rows can't be taken, so that nothing was imported; the first is {first}")
}
