//! What columns a file has: their types, whether they have NULLs, whether their values are unique, and what they
//! refer to.

mod guess;
mod keys;

pub use guess::TypeGuess;
pub use keys::{OtherKey, ProposedReference, may_refer};

use keys::{References, Unique};

use super::source::{Cell, RowSource, SourceError};
use crate::model::{ColumnType, Storage};

/// Examples kept of a column, and the characters kept of each.
const EXAMPLES: usize = 3;
const EXAMPLE_CHARS: usize = 60;

/// Rows between two calls of what watches.
const WATCHED: u64 = 1024;

/// What [`infer`] is told beside the file.
#[derive(Clone, Copy, Default)]
pub struct InferOptions<'a> {
    /// Types that are not to be guessed, by column.
    pub types: &'a [(String, ColumnType)],
    /// Keys of other tables that columns may refer to.
    pub keys: &'a [OtherKey<'a>],
}

/// A column as its values are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InferredColumn {
    /// Its name.
    pub name: String,
    /// Its type: the one that was asked for, or the file's, or the guessed one.
    pub column_type: ColumnType,
    /// Whether there was a NULL: an empty field, or a blank one where the type is not text.
    pub nullable: bool,
    /// Whether no value came twice, NULLs aside; `None` where there were too many rows to know.
    pub unique: Option<bool>,
    /// The first values that differ, at most three, cut to 60 characters.
    pub examples: Vec<String>,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inferred {
    /// Its columns in order.
    pub columns: Vec<InferredColumn>,
    /// How many rows it has.
    pub rows: u64,
    /// The other tables' keys that columns refer to: every value is one of the key's.
    pub references: Vec<ProposedReference>,
}

/// One column while rows pass by.
struct Tally {
    guess: TypeGuess,
    known: Option<ColumnType>,
    nulls: bool,
    blanks: bool,
    unique: Unique,
    references: References,
    examples: Vec<String>,
}

/// Reads a source to its end. `watch` gets the bytes read so far now and then; false from it ends the reading. Rows
/// that alone are wrong tell nothing.
///
/// Memory is bounded: 64-bit hashes tell values apart, for at most four million rows.
pub fn infer(
    source: &mut dyn RowSource,
    options: InferOptions<'_>,
    watch: &mut dyn FnMut(u64) -> bool,
) -> Result<Inferred, SourceError> {
    let mut tallies: Vec<Tally> = Vec::new();
    for column in source.columns() {
        let asked =
            options.types.iter().find(|(name, _)| *name == column.name).map(|(_, asked)| asked.clone());
        tallies.push(Tally {
            guess: TypeGuess::default(),
            known: asked.or_else(|| column.column_type.clone()),
            nulls: false,
            blanks: false,
            unique: Unique::default(),
            references: References::of(&column.name, options.keys),
            examples: Vec::new(),
        });
    }
    let mut rows = 0;
    loop {
        match source.next() {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) if error.row().is_some() => continue,
            Err(error) => return Err(error),
        }
        for (index, tally) in tallies.iter_mut().enumerate() {
            tally.see(source.cell(index), options.keys);
        }
        rows += 1;
        if rows % WATCHED == 0 && !watch(source.bytes_read()) {
            return Err(SourceError::Interrupted);
        }
    }
    let mut inferred = Inferred { columns: Vec::new(), rows, references: Vec::new() };
    for (tally, column) in tallies.into_iter().zip(source.columns()) {
        let reference = tally.references.proposed(&column.name, options.keys);
        let blanks = tally.blanks;
        let column = tally.finish(column.name.clone());
        // An empty text is a value, and none that was looked for.
        inferred
            .references
            .extend(reference.filter(|_| !blanks || column.column_type.storage() != Storage::Text));
        inferred.columns.push(column);
    }
    Ok(inferred)
}

impl Tally {
    fn see(&mut self, cell: Cell<'_>, keys: &[OtherKey<'_>]) {
        let idle = self.known.is_some()
            && self.examples.len() == EXAMPLES
            && !self.unique.is_open()
            && !self.references.are_open();
        match cell {
            Cell::Null => self.nulls = true,
            // An empty text is a value of text columns alone, and tells nothing of any other type.
            Cell::Text(text) if text.trim_ascii_start().is_empty() => {
                self.blanks = true;
                self.guess.see(Some(text));
                self.unique.see(text);
            }
            Cell::Text(text) => {
                if self.known.is_none() {
                    self.guess.see(Some(text));
                }
                if !idle {
                    self.note(text, keys);
                }
            }
            _ if idle => {}
            cell => self.note(&cell.text().unwrap_or_default(), keys),
        }
    }

    fn note(&mut self, text: &str, keys: &[OtherKey<'_>]) {
        self.unique.see(text);
        self.references.see(text, keys);
        if self.examples.len() < EXAMPLES {
            let example: String = text.chars().take(EXAMPLE_CHARS).collect();
            if !self.examples.contains(&example) {
                self.examples.push(example);
            }
        }
    }

    fn finish(self, name: String) -> InferredColumn {
        let column_type = self.known.unwrap_or_else(|| self.guess.column_type());
        let nullable = self.nulls || self.blanks && column_type.storage() != Storage::Text;
        InferredColumn { name, column_type, nullable, unique: self.unique.found(), examples: self.examples }
    }
}

#[cfg(test)]
mod tests;
