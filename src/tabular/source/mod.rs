//! Rows of a user's file, one after the other, whatever its format.
//!
//! Owns the formats that dbag reads (CSV, TSV, JSON lines, Parquet), how a file's format is told, and how each
//! becomes cells. It streams: memory does not grow with the number of rows. It knows no catalog.

mod cell;
mod delimited;
mod format;
mod input;
mod json;
mod parquet;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;

pub use cell::Cell;
pub(crate) use cell::Cells;
pub use format::{Format, SourceOptions, open_source};

use super::CsvError;
use crate::model::ColumnType;

/// A column as its file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceColumn {
    /// Its name.
    pub name: String,
    /// Its type, where the format knows it.
    pub column_type: Option<ColumnType>,
}

/// Where a row is in its file, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Position {
    /// The line on which it starts.
    Line(u64),
    /// Its number, where the format has no lines.
    Row(u64),
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, "line {number}"),
            Self::Row(number) => write!(f, "row {number}"),
        }
    }
}

/// A file's rows. Cells may be asked for after [`RowSource::next`] said true, until it is called again.
pub trait RowSource {
    /// The columns in order; no two have the same name.
    fn columns(&self) -> &[SourceColumn];

    /// Goes to the next row; false at the end.
    fn next(&mut self) -> Result<bool, SourceError>;

    /// A cell of the row, its column counted from 0 and below the number of columns.
    fn cell(&self, column: usize) -> Cell<'_>;

    /// Where the row is.
    fn line(&self) -> Position;

    /// Bytes of the file read so far (of a compressed file, as they are stored), for progress.
    fn bytes_read(&self) -> u64;

    /// What was brought to another form and should be told to the user, a sentence each. Grows while rows are read.
    fn notes(&self) -> &[String] {
        &[]
    }
}

impl SourceError {
    /// Where the row is that alone is wrong, so that the rows after it can be read all the same.
    #[must_use]
    pub fn row(&self) -> Option<Position> {
        match self {
            Self::Csv(CsvError::Ragged { line, .. } | CsvError::NotUtf8 { line })
            | Self::Json { line, .. } => Some(Position::Line(*line)),
            _ => None,
        }
    }

    /// What is wrong, without the line where [`SourceError::row`] gives it.
    #[must_use]
    pub fn reason(&self) -> String {
        let whole = self.to_string();
        let place = self.row().map(|row| format!("{row}: ")).unwrap_or_default();
        whole.strip_prefix(&place).unwrap_or(&whole).to_owned()
    }
}

/// Gets the bytes read so far while a file is opened; false from it ends the reading.
pub type Watch<'a> = &'a mut dyn FnMut(u64) -> bool;

/// Why a file cannot be read as rows. Messages do not name the file, which the caller knows.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SourceError {
    #[error("its name does not tell its format; name one of {}", Format::list())]
    UnknownFormat,
    #[error("{0:?} is no format; the formats are {list}", list = Format::list())]
    NoSuchFormat(String),
    #[error("{0:?} cannot be a delimiter: one ASCII character that is no quote and no line end is needed")]
    BadDelimiter(char),
    #[error("a delimiter is for csv and tsv, not for {0}")]
    NoDelimiter(Format),
    #[error("it is gzipped; Parquet is compressed inside, so unpack it first")]
    GzippedParquet,
    #[error(transparent)]
    Csv(#[from] CsvError),
    #[error("line {line}: {message}")]
    Json { line: u64, message: String },
    #[error("it has no lines with a JSON object that has members")]
    NoObjects,
    #[error("row {row}, column {column:?}: {message}")]
    Parquet { row: u64, column: String, message: String },
    #[error("it is not a readable Parquet file: {0}")]
    NotParquet(String),
    #[error("the column {column:?} cannot be read: {message}")]
    ParquetColumn { column: String, message: String },
    #[error("interrupted")]
    Interrupted,
    #[error(transparent)]
    Io(#[from] io::Error),
}
