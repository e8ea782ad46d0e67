//! Cells as a source hands them out, and the buffer that sources of typed values keep them in.

use std::borrow::Cow;

use crate::model::Storage;
use crate::tabular::{Value, ValueError};

/// A cell, borrowed from its source until the next row is read.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub enum Cell<'a> {
    Null,
    /// Text; where the source knows the column's type, in a form of it that [`Value::parse`] takes.
    Text(&'a str),
    Boolean(bool),
    Integer(i64),
    Float(f64),
}

impl<'a> Cell<'a> {
    /// A value as a cell.
    #[must_use]
    pub fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Boolean(value) => Self::Boolean(*value),
            Value::Integer(value) => Self::Integer(*value),
            Value::Float(value) => Self::Float(*value),
            Value::Text(text) => Self::Text(text),
        }
    }

    /// The cell as a value of a column's type.
    pub fn value(self, storage: Storage) -> Result<Value, ValueError> {
        match (self, storage) {
            (Self::Null, _) => Ok(Value::Null),
            (Self::Text(text), _) => Value::parse(Some(text), storage),
            (Self::Boolean(value), Storage::Boolean) => Ok(Value::Boolean(value)),
            (Self::Integer(value), Storage::Integer) => Ok(Value::Integer(value)),
            (Self::Float(value), Storage::Float) => Ok(Value::Float(value)),
            (cell, _) => Value::parse(cell.text().as_deref(), storage),
        }
    }

    /// The text in PostgreSQL's form; `None` is NULL.
    #[must_use]
    pub fn text(self) -> Option<Cow<'a, str>> {
        let owned = |value: Value| value.to_text().map(|text| Cow::Owned(text.into_owned()));
        match self {
            Self::Null => None,
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Boolean(value) => owned(Value::Boolean(value)),
            Self::Integer(value) => owned(Value::Integer(value)),
            Self::Float(value) => owned(Value::Float(value)),
        }
    }
}

impl From<Cell<'_>> for Value {
    fn from(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Boolean(value) => Self::Boolean(value),
            Cell::Integer(value) => Self::Integer(value),
            Cell::Float(value) => Self::Float(value),
            Cell::Text(text) => Self::Text(text.to_owned()),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Slot {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    /// Start and end in the buffer's text.
    Text(usize, usize),
}

/// Cells one after the other, their texts in one string, so that a cell costs no allocation.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    slots: Vec<Slot>,
    text: String,
}

impl Cells {
    /// Forgets the cells and keeps the room.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.text.clear();
    }

    /// As many NULLs as there are columns, to be set one by one.
    pub fn reset(&mut self, columns: usize) {
        self.clear();
        self.slots.resize(columns, Slot::Null);
    }

    /// Keeps the first cells and forgets the others.
    pub fn truncate(&mut self, length: usize) {
        self.slots.truncate(length);
    }

    /// How many octets of text are kept.
    pub fn text_length(&self) -> usize {
        self.text.len()
    }

    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Adds a cell; its text is copied.
    pub fn push(&mut self, cell: Cell<'_>) {
        let slot = self.keep(cell);
        self.slots.push(slot);
    }

    /// Sets the cell of a column.
    pub fn set(&mut self, column: usize, cell: Cell<'_>) {
        let slot = self.keep(cell);
        self.slots[column] = slot;
    }

    /// Adds a text cell that is written in place.
    pub fn push_text<E>(&mut self, write: impl FnOnce(&mut String) -> Result<(), E>) -> Result<(), E> {
        let start = self.text.len();
        write(&mut self.text)?;
        self.slots.push(Slot::Text(start, self.text.len()));
        Ok(())
    }

    /// The cell at an index below [`Cells::len`].
    pub fn get(&self, index: usize) -> Cell<'_> {
        match self.slots[index] {
            Slot::Null => Cell::Null,
            Slot::Boolean(value) => Cell::Boolean(value),
            Slot::Integer(value) => Cell::Integer(value),
            Slot::Float(value) => Cell::Float(value),
            Slot::Text(start, end) => Cell::Text(&self.text[start..end]),
        }
    }

    fn keep(&mut self, cell: Cell<'_>) -> Slot {
        match cell {
            Cell::Null => Slot::Null,
            Cell::Boolean(value) => Slot::Boolean(value),
            Cell::Integer(value) => Slot::Integer(value),
            Cell::Float(value) => Slot::Float(value),
            Cell::Text(text) => {
                let start = self.text.len();
                self.text.push_str(text);
                Slot::Text(start, self.text.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_cell_is_a_value_of_its_own_type_and_of_text() {
        assert_eq!(Cell::Integer(7).value(Storage::Integer), Ok(Value::Integer(7)));
        assert_eq!(Cell::Integer(7).value(Storage::Float), Ok(Value::Float(7.0)));
        assert_eq!(Cell::Boolean(true).value(Storage::Text), Ok(Value::Text("t".into())));
        assert_eq!(Cell::Float(2.0).value(Storage::Integer), Ok(Value::Integer(2)));
        assert!(Cell::Float(2.5).value(Storage::Integer).is_err());
        assert_eq!(Cell::Text("").value(Storage::Integer), Ok(Value::Null));
        assert_eq!(Cell::Null.value(Storage::Text), Ok(Value::Null));
    }
}
