//! A file of rows as an import takes it: columns under their clean names, and texts that stand for NULL.

use std::path::Path;

use super::IngestError;
use super::names::{OWN_PREFIX, column_names};
use crate::tabular::{
    Cell, Position, RowSource, SourceColumn, SourceError, SourceOptions, Watch, open_source,
};

/// A file of rows, and what its name does not tell.
#[derive(Clone, Copy)]
pub(super) struct RowFile<'a> {
    pub path: &'a Path,
    pub options: SourceOptions,
    /// Texts that stand for NULL.
    pub nulls: &'a [String],
}

/// The rows of such a file.
pub(super) struct Rows<'a> {
    inner: Box<dyn RowSource + Send>,
    columns: Vec<SourceColumn>,
    /// Where each column is in the file. Those that dbag added to a file of bad rows are passed over.
    places: Vec<usize>,
    nulls: &'a [String],
    notes: Vec<String>,
}

impl<'a> RowFile<'a> {
    /// Opens the file. `watch` is as [`open_source`] takes it.
    pub fn open(&self, watch: Watch<'_>) -> Result<Rows<'a>, IngestError> {
        let fail = |source| match source {
            SourceError::Interrupted => IngestError::Interrupted,
            SourceError::Io(error) => IngestError::Io(error),
            source => IngestError::Source { path: self.path.to_owned(), source },
        };
        let inner = open_source(self.path, self.options, watch).map_err(fail)?;
        let taken: Vec<(usize, &SourceColumn)> = inner
            .columns()
            .iter()
            .enumerate()
            .filter(|(_, column)| !column.name.starts_with(OWN_PREFIX))
            .collect();
        let (names, mut notes) =
            column_names(self.path, taken.iter().map(|(_, column)| column.name.as_str()))?;
        let places = taken.iter().map(|(place, _)| *place).collect();
        let columns = names
            .into_iter()
            .zip(&taken)
            .map(|(name, (_, column))| SourceColumn { name, column_type: column.column_type.clone() });
        let columns = columns.collect();
        notes.extend_from_slice(inner.notes());
        Ok(Rows { columns, places, nulls: self.nulls, notes, inner })
    }
}

impl Rows<'_> {
    /// The columns' names.
    pub fn names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// What the source has told since it was opened.
    pub fn later_notes(&self) -> Vec<String> {
        self.inner.notes().iter().filter(|note| !self.notes.contains(note)).cloned().collect()
    }

    /// The row's cells as texts.
    pub fn texts(&self) -> Vec<Option<String>> {
        (0..self.columns.len()).map(|at| self.cell(at).text().map(std::borrow::Cow::into_owned)).collect()
    }
}

impl RowSource for Rows<'_> {
    fn columns(&self) -> &[SourceColumn] {
        &self.columns
    }

    fn next(&mut self) -> Result<bool, SourceError> {
        self.inner.next()
    }

    fn cell(&self, column: usize) -> Cell<'_> {
        match self.inner.cell(self.places[column]) {
            Cell::Text(text) if self.nulls.iter().any(|null| null == text) => Cell::Null,
            cell => cell,
        }
    }

    fn line(&self) -> Position {
        self.inner.line()
    }

    fn bytes_read(&self) -> u64 {
        self.inner.bytes_read()
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}
