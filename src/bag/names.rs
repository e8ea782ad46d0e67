//! The table of all names in a bag: what its container holds and what its manifests list, each name once.
//!
//! A bag may name millions of files, so a name costs its own bytes and some fifteen more: all of them lie end to end in
//! one string, and a hash table of numbers finds them. What is known of a file is kept beside, in columns by its number.

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
    pub(super) fn find(&self, wanted: &str) -> Option<FileId> {
        let same = |number: &u32| name(&self.text, &self.ends, *number) == wanted;
        self.numbers.find(self.hasher.hash_one(wanted), same).copied().map(FileId)
    }

    /// The number of a name, given now if it has none yet; whether that was so.
    pub(super) fn insert(&mut self, path: PathRef<'_>) -> Result<(FileId, bool), TooManyNames> {
        if let Some(id) = self.find(path.as_str()) {
            return Ok((id, false));
        }
        if self.numbers.len() == self.numbers.capacity() {
            self.grow();
        }
        let end = u32::try_from(self.text.len() + path.as_str().len()).map_err(|_| TooManyNames)?;
        let number = u32::try_from(self.ends.len()).map_err(|_| TooManyNames)?;
        self.text.push_str(path.as_str());
        self.ends.push(end);
        let Self { text, ends, numbers, hasher } = self;
        let hash = |number: &u32| hasher.hash_one(name(text, ends, *number));
        numbers.insert_unique(hasher.hash_one(path.as_str()), number, hash);
        Ok((FileId(number), true))
    }

    /// Makes room for twice as many numbers. A table that grows by itself would look at the names in no order, all over
    /// memory, and waiting for it would be most of the work; here they are read from start to end.
    fn grow(&mut self) {
        let mut numbers = HashTable::with_capacity((self.len() * 2).max(64));
        for id in self.ids() {
            let hash = self.hasher.hash_one(name(&self.text, &self.ends, id.0));
            numbers.insert_unique(hash, id.0, |_| unreachable!("there is room for all"));
        }
        self.numbers = numbers;
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
    scratch: String,
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
        Self {
            form,
            numbers: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            scratch: String::new(),
        }
    }

    /// Makes room for so many names at once, while there are none: to grow takes a look at each.
    pub(super) fn with_room_for(mut self, names: usize) -> Self {
        self.numbers = HashTable::with_capacity(names);
        self
    }

    /// Adds a name, unless one like it is there already: then gives that one.
    pub(super) fn add(&mut self, names: &Names, id: FileId) -> Option<FileId> {
        let Self { form, numbers, hasher, scratch } = self;
        scratch.clear();
        put_form(*form, names.get(id).as_str(), scratch);
        let hash = hasher.hash_one(&*scratch);
        if let Some(other) = find(numbers, hash, *form, names, scratch) {
            return Some(other);
        }
        numbers.insert_unique(hash, id.0, |number| {
            let mut other = String::new();
            put_form(*form, names.get(FileId(*number)).as_str(), &mut other);
            hasher.hash_one(other)
        });
        None
    }

    /// A name like this one.
    pub(super) fn find(&self, names: &Names, text: &str) -> Option<FileId> {
        let mut form = String::new();
        put_form(self.form, text, &mut form);
        find(&self.numbers, self.hasher.hash_one(&form), self.form, names, &form)
    }
}

fn find(
    numbers: &HashTable<u32>,
    hash: u64,
    form: fn(char) -> char,
    names: &Names,
    wanted: &str,
) -> Option<FileId> {
    let mut other = String::new();
    let same = |number: &u32| {
        other.clear();
        put_form(form, names.get(FileId(*number)).as_str(), &mut other);
        other == wanted
    };
    numbers.find(hash, same).copied().map(FileId)
}

/// Appends the form of a name that is compared.
fn put_form(form: fn(char) -> char, name: &str, out: &mut String) {
    if name.is_ascii() {
        out.extend(name.bytes().map(|byte| form(byte.into())));
    } else {
        out.extend(name.nfc().map(form));
    }
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
