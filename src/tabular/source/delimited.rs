//! CSV and TSV as rows: all text, NULL where a field is empty and not quoted.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::input::{self, TextInput};
use super::{Cell, Position, RowSource, SourceColumn, SourceError};
use crate::tabular::CsvReader;

/// The rows of a file of delimited fields.
pub(super) struct DelimitedSource {
    reader: CsvReader<TextInput>,
    columns: Vec<SourceColumn>,
    count: Arc<AtomicU64>,
}

impl DelimitedSource {
    /// Opens a file and reads its header.
    pub fn open(path: &Path, delimiter: char) -> Result<Self, SourceError> {
        let byte = u8::try_from(delimiter)
            .ok()
            .filter(|byte| byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r' | 0))
            .ok_or(SourceError::BadDelimiter(delimiter))?;
        let count = Arc::new(AtomicU64::new(0));
        let reader = CsvReader::with_delimiter(input::open(path, &count)?, byte)?;
        let column = |name: &String| SourceColumn { name: name.clone(), column_type: None };
        let columns = reader.header().iter().map(column).collect();
        Ok(Self { reader, columns, count })
    }
}

impl RowSource for DelimitedSource {
    fn columns(&self) -> &[SourceColumn] {
        &self.columns
    }

    fn next(&mut self) -> Result<bool, SourceError> {
        Ok(self.reader.next_record()?)
    }

    fn cell(&self, column: usize) -> Cell<'_> {
        self.reader.field(column).map_or(Cell::Null, Cell::Text)
    }

    fn line(&self) -> Position {
        Position::Line(self.reader.line())
    }

    fn bytes_read(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}
