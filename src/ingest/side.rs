//! A table beside a folder of files: each row belongs to the file that its key column names.
//!
//! Owns how a row finds its file. A value is a file's relative path, or its name alone where no other file has it;
//! nothing is guessed. What the row's other columns become is the caller's.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::tabular::{Position, RowSource, SourceError};

/// Columns that are taken for the key where none is named, the best first; case does not count.
const KEY_NAMES: [&str; 8] =
    ["path", "filepath", "file_path", "relative_path", "filename", "file_name", "file", "image"];

/// Why a side table was refused.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SideError {
    #[error("there is no column {column:?}; the columns are {columns}")]
    NoSuchColumn { column: String, columns: String },
    #[error("no column looks as if it named files; say which of {columns} does")]
    NoKeyColumn { columns: String },
    #[error("{position}: the column {column:?} names no file, being empty")]
    Empty { position: Position, column: String },
    #[error(
        "{position}: {count} files have the name {name:?}, such as {first:?} and {second:?}; give the path instead"
    )]
    Ambiguous { position: Position, name: String, count: usize, first: String, second: String },
    #[error("{position}: the file {path:?} has a row already, on {first}")]
    Repeated { position: Position, path: String, first: Position },
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// What found nothing to go with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unmatched {
    /// Rows whose value names no file: where they are, and the value.
    pub rows: Vec<(Position, String)>,
    /// Files that no row names, by their place in the list of files.
    pub files: Vec<usize>,
}

/// The files that have one name.
struct Named {
    count: usize,
    first: usize,
    second: usize,
}

/// A folder's files, found by path or name.
pub struct SideTable<'f, P> {
    files: &'f [P],
    paths: HashMap<&'f str, usize>,
    names: HashMap<&'f str, Named>,
}

impl<'f, P: AsRef<str>> SideTable<'f, P> {
    /// Takes the files' paths, relative to the folder and `/`-separated, each once.
    pub fn new(files: &'f [P]) -> Self {
        let mut paths = HashMap::with_capacity(files.len());
        let mut names: HashMap<&str, Named> = HashMap::with_capacity(files.len());
        for (index, path) in files.iter().enumerate() {
            let path = path.as_ref();
            paths.insert(path, index);
            match names.entry(path.rsplit('/').next().unwrap_or(path)) {
                Entry::Vacant(entry) => {
                    entry.insert(Named { count: 1, first: index, second: index });
                }
                Entry::Occupied(mut entry) => {
                    let same = entry.get_mut();
                    if same.count == 1 {
                        same.second = index;
                    }
                    same.count += 1;
                }
            }
        }
        Self { files, paths, names }
    }

    /// The column that names the files: the one asked for, or the best by its name. An index from 0.
    pub fn key_column(source: &dyn RowSource, asked: Option<&str>) -> Result<usize, SideError> {
        let names: Vec<&str> = source.columns().iter().map(|column| column.name.as_str()).collect();
        let columns = || names.join(", ");
        if let Some(asked) = asked {
            let found = names.iter().position(|name| *name == asked);
            return found
                .ok_or_else(|| SideError::NoSuchColumn { column: asked.to_owned(), columns: columns() });
        }
        let position = |key: &&str| names.iter().position(|name| name.eq_ignore_ascii_case(key));
        KEY_NAMES.iter().find_map(position).ok_or_else(|| SideError::NoKeyColumn { columns: columns() })
    }

    /// Reads a table to its end and calls `each` for every row that has a file, with the file's place in the list.
    /// Rows and files without the other are listed; a value that could mean several files, and a second row for
    /// a file, are errors.
    pub fn join<E: From<SideError>>(
        &self,
        source: &mut dyn RowSource,
        key: usize,
        mut each: impl FnMut(usize, &dyn RowSource) -> Result<(), E>,
    ) -> Result<Unmatched, E> {
        let mut rows: Vec<Option<Position>> = vec![None; self.files.len()];
        let mut unmatched = Unmatched::default();
        while source.next().map_err(SideError::from)? {
            let position = source.line();
            let value = source.cell(key).text().filter(|text| !text.is_empty());
            let Some(value) = value else {
                let column = source.columns()[key].name.clone();
                return Err(SideError::Empty { position, column }.into());
            };
            let Some(file) = self.find(&value, position)? else {
                let value = value.into_owned();
                unmatched.rows.push((position, value));
                continue;
            };
            if let Some(first) = rows[file].replace(position) {
                let path = self.files[file].as_ref().to_owned();
                return Err(SideError::Repeated { position, path, first }.into());
            }
            each(file, source)?;
        }
        unmatched.files = (0..).zip(&rows).filter(|(_, row)| row.is_none()).map(|(file, _)| file).collect();
        Ok(unmatched)
    }

    /// The file that a value names.
    fn find(&self, value: &str, position: Position) -> Result<Option<usize>, SideError> {
        if let Some(&file) = self.paths.get(value) {
            return Ok(Some(file));
        }
        match self.names.get(value) {
            Some(named) if named.count > 1 => Err(SideError::Ambiguous {
                position,
                name: value.to_owned(),
                count: named.count,
                first: self.files[named.first].as_ref().to_owned(),
                second: self.files[named.second].as_ref().to_owned(),
            }),
            named => Ok(named.map(|named| named.first)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tabular::{SourceOptions, open_source};

    fn joined(csv: &str, files: &[&str]) -> Result<(String, Unmatched), SideError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("side.csv");
        fs_err::write(&path, csv).unwrap();
        let mut source = open_source(&path, SourceOptions::default(), &mut |_| true).unwrap();
        let key = SideTable::<&str>::key_column(source.as_ref(), None)?;
        let mut shown = String::new();
        let unmatched = SideTable::new(files).join(source.as_mut(), key, |file, row| {
            shown += &format!("{}={} ", files[file], row.cell(1 - key).text().unwrap_or_default());
            Ok::<_, SideError>(())
        })?;
        Ok((shown, unmatched))
    }

    #[test]
    fn a_row_finds_its_file_by_path_or_by_name() {
        let (shown, unmatched) =
            joined("label,File\n7,a/x.png\n8,z.png\n9,no.png\n", &["a/x.png", "b/x.png", "b/z.png"]).unwrap();
        assert_eq!(shown, "a/x.png=7 b/z.png=8 ");
        assert_eq!(unmatched.rows, [(Position::Line(4), "no.png".to_owned())]);
        assert_eq!(unmatched.files, [1]);
    }

    #[test]
    fn a_file_at_the_top_is_meant_by_its_name_even_if_others_have_it() {
        assert_eq!(joined("file,n\nx,1\n", &["x", "a/x"]).unwrap().0, "x=1 ");
    }

    #[test]
    fn what_is_not_plain_is_an_error() {
        let error = |csv| joined(csv, &["a/x", "b/x", "c"]).unwrap_err().to_string();
        assert_eq!(
            error("file,n\nx,1\n"),
            "line 2: 2 files have the name \"x\", such as \"a/x\" and \"b/x\"; give the path instead"
        );
        assert_eq!(error("file,n\nc,1\nc,2\n"), "line 3: the file \"c\" has a row already, on line 2");
        assert_eq!(error("file,n\n,1\n"), "line 2: the column \"file\" names no file, being empty");
        assert_eq!(error("a,n\nc,1\n"), "no column looks as if it named files; say which of a, n does");
    }
}
