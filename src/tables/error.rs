//! Why a bag's tables can't be read.

use std::path::PathBuf;

use crate::bag::BagError;
use crate::tabular::{CsvError, ValueError};

/// Why a bag's tables can't be read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum TablesError {
    #[error("{bag}: {file}: {source}")]
    Csv { bag: PathBuf, file: String, source: CsvError },
    #[error("{bag}: {file}, line {line}, column {column:?}: {source}")]
    BadValue { bag: PathBuf, file: String, line: u64, column: String, source: Box<ValueError> },
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
    /// Whoever took the rows wants no more.
    #[error("stopped")]
    Stopped,
    #[error(transparent)]
    Bag(#[from] BagError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
