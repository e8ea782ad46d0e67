//! The table of all names in a bag: what its container holds and what its manifests list, each name once.
//!
//! A bag may name millions of files, so a name costs its own bytes and ten more: all of them lie end to end in one
//! string, and a hash table of numbers finds them. What is known of a file is kept beside, in columns by its number.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use unicode_normalization::UnicodeNormalization;

use super::PathRef;

/// The number of a name in its bag's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

impl FileId {
    /// The number as an index of a column.
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }

    pub(super) fn from_index(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }
}

/// There are more names than a table takes: 4 GiB of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it names more files than dbag can hold: 4 GiB of names")]
pub struct TooManyNames;

/// Names by number, and numbers by name.
#[derive(Default)]
pub struct Names {
    text: String,
    ends: Vec<u32>,
    numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Names {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The name of a number that this table gave.
    pub(super) fn get(&self, id: FileId) -> PathRef<'_> {
        PathRef::stored(name(&self.text, &self.ends, id.0))
    }

    /// The number of a name.
    pub(super) fn find(&self, name: &str) -> Option<FileId> {
        let same = |number: &u32| self.get(FileId(*number)).as_str() == name;
        self.numbers.find(self.hasher.hash_one(name), same).copied().map(FileId)
    }

    /// The number of a name, given now if it has none yet; whether that was so.
    pub(super) fn insert(&mut self, path: PathRef<'_>) -> Result<(FileId, bool), TooManyNames> {
        let Self { text, ends, numbers, hasher } = self;
        let hash = hasher.hash_one(path.as_str());
        if let Some(number) = numbers.find(hash, |number| name(text, ends, *number) == path.as_str()) {
            return Ok((FileId(*number), false));
        }
        let end = u32::try_from(text.len() + path.as_str().len()).map_err(|_| TooManyNames)?;
        let number = u32::try_from(ends.len()).map_err(|_| TooManyNames)?;
        text.push_str(path.as_str());
        ends.push(end);
        numbers.insert_unique(hash, number, |number| hasher.hash_one(name(text, ends, *number)));
        Ok((FileId(number), true))
    }

    /// The same as [`Names::insert`], quicker where `path` is the name after `before`: manifests list files in much
    /// the same order as each other, and as the container.
    pub(super) fn insert_after(
        &mut self,
        before: Option<FileId>,
        path: PathRef<'_>,
    ) -> Result<FileId, TooManyNames> {
        let guess = FileId(before.map_or(0, |id| id.0.saturating_add(1)));
        if guess.index() < self.len() && self.get(guess) == path {
            return Ok(guess);
        }
        self.insert(path).map(|(id, _)| id)
    }

    /// All numbers in order.
    pub(super) fn ids(&self) -> impl Iterator<Item = FileId> + use<> {
        (0..u32::try_from(self.len()).unwrap_or(u32::MAX)).map(FileId)
    }
}

fn name<'t>(text: &'t str, ends: &[u32], number: u32) -> &'t str {
    let index = number as usize;
    let start = if index == 0 { 0 } else { ends[index - 1] as usize };
    &text[start..ends[index] as usize]
}

/// Finds names that differ only in a way that some file systems do not tell apart.
///
/// Holds numbers only, of one table: the form that is compared is made anew for each comparison.
pub(super) struct Alike {
    form: fn(char) -> char,
    numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Alike {
    /// Names are alike if their normal forms (Unicode NFC) are equal.
    pub(super) fn by_normal_form() -> Self {
        Self::new(|c| c)
    }

    /// Names are alike if they differ only in case or normal form.
    pub(super) fn by_case() -> Self {
        // One character for one is enough to warn by; full case folding changes lengths.
        Self::new(
            |c| if c.is_ascii() { c.to_ascii_lowercase() } else { c.to_lowercase().next().unwrap_or(c) },
        )
    }

    fn new(form: fn(char) -> char) -> Self {
        Self { form, numbers: HashTable::new(), hasher: DefaultHashBuilder::default() }
    }

    /// Adds a name, unless one like it is there already: then gives that one.
    pub(super) fn add(&mut self, names: &Names, id: FileId) -> Option<FileId> {
        let text = names.get(id).as_str();
        if let Some(other) = self.find(names, text) {
            return Some(other);
        }
        let Self { form, numbers, hasher } = self;
        let again = |number: &u32| hash(hasher, *form, names.get(FileId(*number)).as_str());
        numbers.insert_unique(hash(hasher, *form, text), id.0, again);
        None
    }

    /// A name like this one.
    pub(super) fn find(&self, names: &Names, text: &str) -> Option<FileId> {
        let same = |number: &u32| alike(self.form, names.get(FileId(*number)).as_str(), text);
        self.numbers.find(hash(&self.hasher, self.form, text), same).copied().map(FileId)
    }
}

fn alike(form: fn(char) -> char, a: &str, b: &str) -> bool {
    if a.is_ascii() && b.is_ascii() {
        a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| form(a.into()) == form(b.into()))
    } else {
        a.nfc().map(form).eq(b.nfc().map(form))
    }
}

fn hash(hasher: &DefaultHashBuilder, form: fn(char) -> char, text: &str) -> u64 {
    let mut state = hasher.build_hasher();
    let mut feed = |c: char| std::hash::Hasher::write_u32(&mut state, c.into());
    if text.is_ascii() {
        text.bytes().for_each(|byte| feed(form(byte.into())));
    } else {
        text.nfc().for_each(|c| feed(form(c)));
    }
    std::hash::Hasher::finish(&state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bag::BagPath;

    fn table(paths: &[&str]) -> Names {
        let mut names = Names::default();
        for path in paths {
            names.insert(BagPath::parse(path).unwrap().borrowed()).unwrap();
        }
        names
    }

    #[test]
    fn a_name_has_one_number() {
        let mut names = table(&["data/a", "data/b", "data/a", "bagit.txt"]);
        assert_eq!(names.len(), 3);
        let found: Vec<&str> = names.ids().map(|id| names.get(id).as_str()).collect();
        assert_eq!(found, ["data/a", "data/b", "bagit.txt"]);
        assert_eq!(names.find("data/b").map(FileId::index), Some(1));
        assert_eq!(names.find("data/c"), None);
        let b = BagPath::parse("data/b").unwrap();
        let first = names.insert_after(None, PathRef::stored("data/a")).unwrap();
        assert_eq!(names.insert_after(Some(first), b.borrowed()).unwrap().index(), 1);
        assert_eq!(names.insert_after(None, b.borrowed()).unwrap().index(), 1);
    }

    #[test]
    fn names_alike() {
        let names = table(&["data/\u{e9}", "data/e\u{301}", "data/A", "data/a", "data/É"]);
        let ids: Vec<FileId> = names.ids().collect();
        let first = |mut alike: Alike| -> Vec<Option<usize>> {
            ids.iter().map(|id| alike.add(&names, *id).map(FileId::index)).collect()
        };
        assert_eq!(first(Alike::by_normal_form()), [None, Some(0), None, None, None]);
        let found = first(Alike::by_case());
        assert_eq!(found, [None, Some(0), None, Some(2), Some(0)]);
    }
}
