//! What is said of the files beside their bytes: by their paths, and by the rows of a file.

use std::path::Path;

use super::AssetImport;
use super::table::Shape;
use super::walk::Found;
use crate::ingest::bad::{BadRow, BadRows, RowPlace};
use crate::ingest::rows::{RowFile, Rows};
use crate::ingest::{IngestError, SideError, SideTable};
use crate::model::ColumnType;
use crate::tabular::{
    Cell, InferOptions, RowSource as _, SourceError, SourceOptions, TypeGuess, Value, infer,
};

/// A file of rows about the files of a folder.
#[derive(Debug, Clone, Copy)]
pub struct Metadata<'a> {
    /// The file.
    pub path: &'a Path,
    /// Format and delimiter, where its name does not tell them.
    pub options: SourceOptions,
    /// Texts that stand for NULL.
    pub nulls: &'a [String],
    /// The column that names the files, by path or by name; else one that is called so, such as `path` or `filename`.
    pub key: Option<&'a str>,
}

/// A column that says something of the files.
pub(super) struct Described {
    pub columns: Vec<(String, ColumnType)>,
    /// Each file's texts in the columns' order; `None` for a file that can't be taken.
    texts: Vec<Option<Vec<Option<String>>>>,
    /// Files that the rows said nothing of: their values stay as they are.
    silent: Vec<bool>,
    /// How many of the columns come from the path.
    from_path: usize,
    pub notes: Vec<String>,
}

/// The values of a file, in the order of [`Described::columns`]; `None` where nothing is said.
pub(super) type FileValues = Vec<Option<Value>>;

impl Described {
    /// Takes the paths apart and reads the file of metadata.
    pub fn read(
        import: &AssetImport<'_>,
        files: &[Found],
        bad: &mut BadRows<'_>,
    ) -> Result<Self, IngestError> {
        let mut described = Self {
            columns: Vec::new(),
            texts: vec![Some(Vec::new()); files.len()],
            silent: vec![false; files.len()],
            from_path: 0,
            notes: Vec::new(),
        };
        described.read_paths(import, files, bad)?;
        described.from_path = described.columns.len();
        if let Some(metadata) = &import.metadata {
            described.read_rows(metadata, import.types, files, bad)?;
        }
        for (column, _) in import.types {
            if !described.columns.iter().any(|(name, _)| name == column) {
                let columns =
                    described.columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
                let path = import.metadata.map_or(import.path, |metadata| metadata.path).to_owned();
                return Err(IngestError::NoSuchColumn { path, column: column.clone(), columns });
            }
        }
        Ok(described)
    }

    fn read_paths(
        &mut self,
        import: &AssetImport<'_>,
        files: &[Found],
        bad: &mut BadRows<'_>,
    ) -> Result<(), IngestError> {
        let Some(pattern) = import.pattern else { return Ok(()) };
        let names: Vec<&str> = pattern.names().collect();
        let mut guesses = vec![TypeGuess::default(); names.len()];
        for (file, texts) in files.iter().zip(&mut self.texts) {
            let Some(captures) = pattern.captures(&file.relative) else {
                *texts = None;
                let place = RowPlace::File(file.relative.clone());
                let reason = "its path is not of the pattern".to_owned();
                bad.note(BadRow { place, column: None, reason }, &[])?;
                continue;
            };
            for ((_, text), guess) in captures.iter().zip(&mut guesses) {
                guess.see(Some(text));
            }
            *texts = Some(captures.iter().map(|(_, text)| Some((*text).to_owned())).collect());
        }
        for (name, guess) in names.iter().zip(guesses) {
            let asked = import.types.iter().find(|(column, _)| column == name);
            let column_type = asked.map_or_else(|| guess.column_type(), |(_, asked)| asked.clone());
            self.columns.push(((*name).to_owned(), column_type));
        }
        Ok(())
    }

    fn read_rows(
        &mut self,
        metadata: &Metadata<'_>,
        types: &[(String, ColumnType)],
        files: &[Found],
        bad: &mut BadRows<'_>,
    ) -> Result<(), IngestError> {
        let file = RowFile { path: metadata.path, options: metadata.options, nulls: metadata.nulls };
        let mut source = file.open(&mut |_| true)?;
        let side = |source| match source {
            SideError::Source(source) => IngestError::Source { path: metadata.path.to_owned(), source },
            source => IngestError::Side { path: metadata.path.to_owned(), source },
        };
        let key = SideTable::<Found>::key_column(&source, metadata.key).map_err(side)?;
        let inferred = infer(&mut source, InferOptions { types, keys: &[] }, &mut |_| true)
            .map_err(|source| side(SideError::Source(source)))?;
        self.notes.extend_from_slice(source.notes());
        let taken: Vec<usize> = (0..inferred.columns.len()).filter(|at| *at != key).collect();
        for &at in &taken {
            let column = &inferred.columns[at];
            if self.columns.iter().any(|(name, _)| *name == column.name) {
                return Err(IngestError::TwoOrigins(column.name.clone()));
            }
            self.columns.push((column.name.clone(), column.column_type.clone()));
        }
        self.join(file.open(&mut |_| true)?, key, &taken, files, bad).map_err(|error| match error {
            Joined::Side(error) => side(error),
            Joined::Other(error) => error,
        })
    }

    /// Gives each file the texts of its row.
    fn join(
        &mut self,
        mut source: Rows<'_>,
        key: usize,
        taken: &[usize],
        files: &[Found],
        bad: &mut BadRows<'_>,
    ) -> Result<(), Joined> {
        let texts = &mut self.texts;
        let unmatched = SideTable::new(files).join(&mut source, key, |file, row| {
            if let Some(texts) = &mut texts[file] {
                let text = |&at: &usize| row.cell(at).text().map(std::borrow::Cow::into_owned);
                texts.extend(taken.iter().map(text));
            }
            Ok::<_, Joined>(())
        })?;
        for (position, value) in unmatched.rows {
            let reason = format!("the folder has no file {value:?}");
            let row = BadRow { place: RowPlace::At(position), column: None, reason };
            bad.note(row, &[]).map_err(Joined::Other)?;
        }
        for &file in &unmatched.files {
            self.silent[file] = true;
            if let Some(texts) = &mut self.texts[file] {
                texts.resize(self.columns.len(), None);
            }
        }
        if let Some(&first) = unmatched.files.first() {
            let count = unmatched.files.len();
            let first = &files[first].relative;
            self.notes.push(format!("{count} files have no row of metadata, such as {first:?}"));
        }
        Ok(())
    }

    /// Each file's values; `None` for one that can't be taken.
    pub fn typed(
        &self,
        shape: &Shape,
        files: &[Found],
        bad: &mut BadRows<'_>,
    ) -> Result<Vec<Option<FileValues>>, IngestError> {
        let mut rows = Vec::with_capacity(files.len());
        for (index, file) in files.iter().enumerate() {
            let Some(texts) = &self.texts[index] else {
                rows.push(None);
                continue;
            };
            let mut values = Vec::with_capacity(texts.len());
            let mut wrong = None;
            for (at, (text, column)) in texts.iter().zip(&shape.described).enumerate() {
                if self.silent[index] && at >= self.from_path {
                    values.push(None);
                    continue;
                }
                match column.value(text.as_deref().map_or(Cell::Null, Cell::Text)) {
                    Ok(value) => values.push(Some(value)),
                    Err(reason) => wrong = wrong.or(Some((column.name.clone(), reason))),
                }
            }
            match wrong {
                None => rows.push(Some(values)),
                Some((column, reason)) => {
                    let place = RowPlace::File(file.relative.clone());
                    bad.note(BadRow { place, column: Some(column), reason }, &[])?;
                    rows.push(None);
                }
            }
        }
        Ok(rows)
    }
}

/// What went wrong while rows were joined with files.
enum Joined {
    Side(SideError),
    Other(IngestError),
}

impl From<SideError> for Joined {
    fn from(error: SideError) -> Self {
        match error {
            SideError::Source(SourceError::Interrupted) => Self::Other(IngestError::Interrupted),
            SideError::Source(SourceError::Io(error)) => Self::Other(IngestError::Io(error)),
            error => Self::Side(error),
        }
    }
}
