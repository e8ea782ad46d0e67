//! JSON lines as rows. The file is read twice: first for the members' names, which become the columns in the order
//! in which they appear, and their types; then for the rows. A member that is missing is NULL.

mod lines;
mod survey;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lines::Lines;
use survey::Survey;

use super::cell::Cells;
use super::{Cell, Position, RowSource, SourceColumn, SourceError, Watch, input};
use crate::model::{ColumnType, Storage};
use crate::tabular::{array_from_json, format_array};

/// The rows of a file with a JSON object a line.
pub(super) struct JsonSource {
    lines: Lines,
    survey: Survey,
    storages: Vec<Storage>,
    row: Cells,
    /// The line that last had each column, so that a member named twice is seen.
    last: Vec<u64>,
    count: Arc<AtomicU64>,
}

impl JsonSource {
    /// Opens a file and learns its columns. `watch` gets the bytes read so far; false from it ends the reading.
    pub fn open(path: &Path, watch: Watch<'_>) -> Result<Self, SourceError> {
        let count = Arc::new(AtomicU64::new(0));
        let mut lines = Lines::new(input::open(path, &count)?);
        let survey = Survey::read(&mut lines, &mut || watch(count.load(Ordering::Relaxed)))?;
        count.store(0, Ordering::Relaxed);
        let storage =
            |column: &SourceColumn| column.column_type.as_ref().map_or(Storage::Text, ColumnType::storage);
        Ok(Self {
            lines: Lines::new(input::open(path, &count)?),
            storages: survey.columns.iter().map(storage).collect(),
            last: vec![0; survey.columns.len()],
            survey,
            row: Cells::default(),
            count,
        })
    }
}

impl RowSource for JsonSource {
    fn columns(&self) -> &[SourceColumn] {
        &self.survey.columns
    }

    fn next(&mut self) -> Result<bool, SourceError> {
        if !self.lines.next()? {
            return Ok(false);
        }
        let number = self.lines.number();
        self.row.reset(self.storages.len());
        let mut unknown = None;
        self.lines.members(|name, value| {
            if name.is_empty() {
                return Err("a member has no name".into());
            }
            let Some(&at) = self.survey.index.get(name) else {
                unknown.get_or_insert_with(|| name.to_owned());
                return Ok(());
            };
            if std::mem::replace(&mut self.last[at], number) == number {
                return Err(format!("the object has the member {name:?} twice"));
            }
            set(&mut self.row, at, self.storages[at], value)
        })?;
        match unknown {
            None => Ok(true),
            Some(name) => {
                let message = format!("the member {name:?} was added while the file was read");
                Err(SourceError::Json { line: number, message })
            }
        }
    }

    fn cell(&self, column: usize) -> Cell<'_> {
        self.row.get(column)
    }

    fn line(&self) -> Position {
        Position::Line(self.lines.number())
    }

    fn bytes_read(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

/// Sets a cell from the value's JSON.
fn set(row: &mut Cells, at: usize, storage: Storage, value: &str) -> Result<(), String> {
    if value == "null" {
        return Ok(());
    }
    let other = || format!("{value:.60} is of another type than when the file was first read");
    match storage {
        Storage::Boolean => row.set(at, Cell::Boolean(value == "true")),
        Storage::Integer => row.set(at, Cell::Integer(value.parse().map_err(|_| other())?)),
        Storage::Float => row.set(at, Cell::Float(value.parse().map_err(|_| other())?)),
        Storage::Array => {
            let elements = array_from_json(value).ok_or_else(other)?;
            row.set(at, Cell::Text(&format_array(&elements)));
        }
        Storage::Json => row.set(at, Cell::Text(value)),
        _ if value.starts_with('"') => row.set(at, Cell::Text(&string(value)?)),
        _ => row.set(at, Cell::Text(value)),
    }
    Ok(())
}

/// A JSON string's text, borrowed where it has no escapes.
fn string(value: &str) -> Result<Cow<'_, str>, String> {
    match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(plain) if !plain.contains('\\') => Ok(Cow::Borrowed(plain)),
        // A string was found to be well-formed before, but half of a surrogate pair may be escaped in it.
        _ => serde_json::from_str(value).map(Cow::Owned).map_err(|error| error.to_string()),
    }
}
