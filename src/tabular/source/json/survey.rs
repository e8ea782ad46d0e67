//! The first reading of a file: which members its objects have, and of which types.

use std::collections::HashMap;

use super::lines::Lines;
use crate::model::{ColumnType, Storage};
use crate::tabular::source::{SourceColumn, SourceError};
use crate::tabular::{TypeGuess, array_from_json};

/// PostgreSQL's limit of a table's columns. Objects with more different members have values for names.
const MOST_COLUMNS: usize = 1600;

/// Lines between two calls of what watches.
const WATCHED: u64 = 4096;

/// The columns in the order in which they first appear, and where each is.
pub(super) struct Survey {
    pub columns: Vec<SourceColumn>,
    pub index: HashMap<String, usize>,
}

/// What values a member has been seen with.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools)] // Each is one fact, and any may hold beside the others.
struct Seen {
    booleans: bool,
    integers: bool,
    floats: bool,
    /// Numbers that would lose digits: whole ones as a float8, or others at all.
    long: bool,
    beyond: bool,
    texts: bool,
    lists_of_texts: bool,
    nested: bool,
    guess: TypeGuess,
}

impl Survey {
    /// Reads all lines. `watch` is called now and then; false from it ends the reading.
    pub fn read(lines: &mut Lines, watch: &mut dyn FnMut() -> bool) -> Result<Self, SourceError> {
        let mut names: Vec<String> = Vec::new();
        let mut seen: Vec<Seen> = Vec::new();
        let mut index: HashMap<String, usize> = HashMap::new();
        let mut first_bad = None;
        while lines.next()? {
            let mut too_many = false;
            let known = names.len();
            let read = lines.members(|name, value| {
                let at = if let Some(&at) = index.get(name) {
                    at
                } else {
                    if names.len() == MOST_COLUMNS {
                        too_many = true;
                        return Err(format!("the objects have more than {MOST_COLUMNS} different members"));
                    }
                    if name.is_empty() {
                        return Err("a member has no name".into());
                    }
                    index.insert(name.to_owned(), names.len());
                    names.push(name.to_owned());
                    seen.push(Seen::default());
                    names.len() - 1
                };
                seen[at].see(value)
            });
            match read {
                Err(error) if too_many => return Err(error),
                // A line that alone is wrong adds no columns; it is told of when it is read as a row.
                Err(error) => {
                    for name in names.drain(known..) {
                        index.remove(&name);
                    }
                    seen.truncate(known);
                    first_bad.get_or_insert(error);
                }
                Ok(()) => {}
            }
            if lines.number().is_multiple_of(WATCHED) && !watch() {
                return Err(SourceError::Interrupted);
            }
        }
        if names.is_empty() {
            return Err(first_bad.unwrap_or(SourceError::NoObjects));
        }
        let column =
            |(name, seen): (String, Seen)| SourceColumn { name, column_type: Some(seen.column_type()) };
        Ok(Self { columns: names.into_iter().zip(seen).map(column).collect(), index })
    }
}

impl Seen {
    fn see(&mut self, value: &str) -> Result<(), String> {
        match value.as_bytes().first() {
            Some(b'n') => {}
            Some(b't' | b'f') => self.booleans = true,
            Some(b'"') => {
                if !self.texts || self.guess.is_open() {
                    self.guess.see(Some(&super::string(value)?));
                }
                self.texts = true;
            }
            Some(b'[') if is_list_of_texts(value) => self.lists_of_texts = true,
            Some(b'[' | b'{') => self.nested = true,
            _ => self.see_number(value),
        }
        Ok(())
    }

    fn see_number(&mut self, value: &str) {
        let digits = value.split(['e', 'E']).next().unwrap_or(value).trim_start_matches(['-', '0', '.']);
        let digits = digits.bytes().filter(u8::is_ascii_digit).count();
        if value.parse::<i64>().is_ok() {
            self.integers = true;
            self.long |= digits > 15;
        } else if digits <= 17 && value.parse::<f64>().is_ok_and(f64::is_finite) {
            self.floats = true;
        } else {
            self.beyond = true;
        }
    }

    /// The narrowest type that keeps every value as it is written.
    fn column_type(&self) -> ColumnType {
        let numbers = self.integers || self.floats;
        let name = if self.nested || self.lists_of_texts {
            let others = self.nested || self.booleans || numbers || self.beyond || self.texts;
            return if others { ColumnType::new("jsonb") } else { ColumnType::array("text") };
        } else if self.beyond
            || [self.booleans, numbers, self.texts].iter().filter(|&&seen| seen).count() != 1
        {
            "text"
        } else if self.booleans {
            "boolean"
        } else if self.texts {
            // JSON tells numbers from texts itself, but has no dates.
            let guessed = self.guess.column_type();
            let moment =
                matches!(guessed.storage(), Storage::Date | Storage::Timestamp | Storage::TimestampTz);
            return if moment { guessed } else { ColumnType::new("text") };
        } else {
            match (self.floats, self.long) {
                (false, _) => "int8",
                (true, false) => "float8",
                (true, true) => "text",
            }
        };
        ColumnType::new(name)
    }
}

/// Whether an array holds texts and nulls alone.
fn is_list_of_texts(value: &str) -> bool {
    let inner = value[1..].trim_start();
    inner.starts_with(['"', ']', 'n'])
        && array_from_json(value).is_some()
        && serde_json::from_str::<Vec<Option<String>>>(value).is_ok()
}
