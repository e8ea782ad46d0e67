//! Columns that could be a table's key, and columns that could refer to another table's.

use hashbrown::DefaultHashBuilder;
use hashbrown::HashTable;
use std::hash::BuildHasher as _;

use super::{Inferred, InferredColumn};
use crate::model::Storage;

/// Values of a column that are told apart at most: beyond, it is not known whether they are unique.
const MOST_VALUES: usize = 4 << 20;

/// Whether a column's values are unique, by their hashes. Two values of one hash are taken for a value that came
/// twice, so "unique" is never said wrongly.
pub(super) struct Unique {
    hasher: DefaultHashBuilder,
    hashes: HashTable<u64>,
    found: Option<bool>,
    open: bool,
}

impl Default for Unique {
    fn default() -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            hashes: HashTable::new(),
            found: Some(true),
            open: true,
        }
    }
}

impl Unique {
    /// Whether the next value can still change anything.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Takes the next value.
    pub fn see(&mut self, text: &str) {
        if !self.open {
            return;
        }
        let hash = self.hasher.hash_one(text);
        if self.hashes.find(hash, |&other| other == hash).is_some() {
            self.close(Some(false));
        } else if self.hashes.len() == MOST_VALUES {
            self.close(None);
        } else {
            self.hashes.insert_unique(hash, hash, |&hash| hash);
        }
    }

    /// True, false, or not known.
    pub fn found(&self) -> Option<bool> {
        self.found
    }

    fn close(&mut self, found: Option<bool>) {
        self.found = found;
        self.open = false;
        self.hashes = HashTable::new();
    }
}

/// A key of one column of another table.
#[derive(Clone, Copy)]
pub struct OtherKey<'a> {
    /// The other table.
    pub table: &'a str,
    /// Its key's column.
    pub column: &'a str,
    /// Whether the key has this value, in PostgreSQL's text form.
    pub holds: &'a dyn Fn(&str) -> bool,
}

/// A column of which every value is one of another table's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedReference {
    /// The column.
    pub column: String,
    /// The other table.
    pub table: String,
    /// Its key's column.
    pub referenced: String,
}

/// The keys that a column can still refer to, the best name first.
pub(super) struct References {
    possible: Vec<usize>,
    values: bool,
}

impl References {
    /// The keys whose names a column's name fits.
    pub fn of(column: &str, keys: &[OtherKey<'_>]) -> Self {
        let rank =
            |index: usize| fit(column, keys[index].table, keys[index].column).map(|rank| (rank, index));
        let mut ranked: Vec<(u8, usize)> = (0..keys.len()).filter_map(rank).collect();
        ranked.sort_unstable();
        Self { possible: ranked.into_iter().map(|(_, index)| index).collect(), values: false }
    }

    /// Whether the next value can still change anything.
    pub fn are_open(&self) -> bool {
        !self.possible.is_empty()
    }

    /// Takes the next value that is not NULL.
    pub fn see(&mut self, text: &str, keys: &[OtherKey<'_>]) {
        self.values = true;
        self.possible.retain(|&index| (keys[index].holds)(text));
    }

    /// The key whose name fits best among those that hold every value.
    pub fn proposed(&self, column: &str, keys: &[OtherKey<'_>]) -> Option<ProposedReference> {
        let key = self.possible.first().filter(|_| self.values).map(|&index| &keys[index])?;
        Some(ProposedReference {
            column: column.to_owned(),
            table: key.table.to_owned(),
            referenced: key.column.to_owned(),
        })
    }
}

/// Whether a column's name looks as if it referred to a key of another table, such as `subject_id` to `id` of
/// `Subject`.
#[must_use]
pub fn may_refer(column: &str, table: &str, key: &str) -> bool {
    fit(column, table, key).is_some()
}

/// How well a column's name fits a key of another table, 0 the best: `Subject_id` and `Subject` for the key `id` or
/// `subject_id` of `Subject`. Case and what joins words do not count, nor does a plural s of the table's name.
fn fit(column: &str, table: &str, key: &str) -> Option<u8> {
    let [column, table, key] = [plain(column), plain(table), plain(key)];
    let singular = table.strip_suffix('s').filter(|rest| rest.len() > 1).unwrap_or(&table);
    for table in [table.as_str(), singular] {
        if column == format!("{table}{key}") || column == key && key.starts_with(table) {
            return Some(0);
        }
        if column == table {
            return Some(1);
        }
        let rest = column.strip_prefix(table);
        if rest.is_some_and(|rest| matches!(rest, "id" | "key" | "rid" | "name" | "code" | "number")) {
            return Some(2);
        }
    }
    None
}

/// Letters and digits alone, in lower case.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Names that tell a key, the best first; as the whole name or as its last word.
const KEY_WORDS: [&str; 11] =
    ["id", "rid", "uuid", "guid", "key", "identifier", "accession", "barcode", "code", "path", "name"];

impl Inferred {
    /// The columns that could be the table's key, the best first: unique in at least two rows, without NULLs, and of
    /// a type whose values name things. Names such as `id` and `sample_id` come first, then the first column.
    ///
    /// Values are told apart by their text, so a type that takes several spellings of one value may still refuse one.
    #[must_use]
    pub fn candidate_keys(&self) -> Vec<&InferredColumn> {
        let mut candidates: Vec<(usize, usize)> = Vec::new();
        for (index, column) in self.columns.iter().enumerate() {
            let names_things =
                matches!(column.column_type.storage(), Storage::Integer | Storage::Text | Storage::Date);
            if self.rows > 1 && names_things && column.unique == Some(true) && !column.nullable {
                candidates.push((key_rank(&column.name, index), index));
            }
        }
        candidates.sort_unstable();
        candidates.into_iter().map(|(_, index)| &self.columns[index]).collect()
    }
}

/// How much a name looks like a key's, 0 the most.
fn key_rank(name: &str, index: usize) -> usize {
    let words = words(name);
    let word = words.last().and_then(|last| KEY_WORDS.iter().position(|word| word == last));
    match word {
        Some(rank) if words.len() == 1 => rank,
        Some(rank) => KEY_WORDS.len() + rank,
        None if words == ["filename"] => 2 * KEY_WORDS.len(),
        None => 2 * KEY_WORDS.len() + if index == 0 { 1 } else { 2 },
    }
}

/// The words of a name in lower case: `Sample ID`, `sample_id` and `sampleId` have the same two.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for c in name.chars() {
        if c.is_alphanumeric() {
            let starts = !before.is_alphanumeric() || c.is_uppercase() && before.is_lowercase();
            if starts || words.is_empty() {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.extend(c.to_lowercase());
            }
        }
        before = c;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_references_and_keys() {
        for (column, table, key, fits) in [
            ("subject_id", "Subject", "id", Some(0)),
            ("SubjectID", "Subject", "subject_id", Some(0)),
            ("subject", "Subjects", "code", Some(1)),
            ("Subject_RID", "Subject", "code", Some(2)),
            ("id", "Subject", "id", None),
            ("subjective", "Subject", "id", None),
        ] {
            assert_eq!(fit(column, table, key), fits, "{column} {table} {key}");
        }
        assert!(key_rank("id", 5) < key_rank("sample_id", 0));
        assert!(key_rank("SampleId", 5) < key_rank("title", 0));
        assert!(key_rank("title", 0) < key_rank("title", 1));
        assert_eq!(words("Sample ID"), words("sampleId"));
    }

    #[test]
    fn a_value_that_comes_twice_ends_the_search() {
        let mut unique = Unique::default();
        ["a", "b"].iter().for_each(|text| unique.see(text));
        assert_eq!((unique.found(), unique.is_open()), (Some(true), true));
        unique.see("a");
        assert_eq!((unique.found(), unique.is_open()), (Some(false), false));
    }
}
