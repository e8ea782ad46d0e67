//! Parquet as rows: one row group after the other, and of each some rows at a time.
//!
//! Owns how Parquet's types become ERMrest's. Columns with one value a row are decoded column by column; lists, maps
//! and groups go through the Parquet crate's records.

mod flat;
mod footer;
mod guard;
mod kind;
mod nested;
mod text;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::reader::ColumnReader;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::{ReaderIter, TreeBuilder};
use parquet::schema::types::{SchemaDescriptor, Type};

use flat::FlatColumn;
use guard::guarded;

use super::cell::Cells;
use super::{Cell, Position, RowSource, SourceColumn, SourceError};
use crate::model::ColumnType;

/// Rows decoded at a time.
const BATCH: u64 = 1024;

/// A top-level column: one value a row, or a tree of them.
enum Part {
    Flat { leaf: usize, column: FlatColumn, reader: Option<Box<ColumnReader>> },
    Nested { array: bool, cells: Cells },
}

/// The rows of a Parquet file.
pub(super) struct ParquetSource {
    file: SerializedFileReader<File>,
    columns: Vec<SourceColumn>,
    parts: Vec<Part>,
    /// The schema of the nested columns alone, where there are any.
    nested_schema: Option<Arc<SchemaDescriptor>>,
    nested: Option<ReaderIter>,
    notes: Vec<String>,
    place: Place,
}

/// Where the reading is.
#[derive(Default)]
struct Place {
    /// The next row group.
    group: usize,
    /// Rows of the group that are not decoded yet.
    left: u64,
    /// Rows in the batch, and the next of them.
    batch: u64,
    at: u64,
    /// Rows of the file before the batch.
    before: u64,
    /// Stored bytes of the groups begun, and of the one being read and its rows.
    bytes: u64,
    group_bytes: u64,
    group_rows: u64,
    /// Whether an error ended the reading.
    broken: bool,
}

impl ParquetSource {
    /// Opens a file and reads its schema.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let mut file = fs_err::File::open(path)?;
        footer::check(&mut file)?.map_err(SourceError::NotParquet)?;
        let file = file.into_parts().0;
        let file = guarded(|| SerializedFileReader::new(file).map_err(|error| error.to_string()))
            .and_then(|opened| opened)
            .map_err(SourceError::NotParquet)?;
        let mut source = Self {
            file,
            columns: Vec::new(),
            parts: Vec::new(),
            nested_schema: None,
            nested: None,
            notes: Vec::new(),
            place: Place::default(),
        };
        guarded(|| source.check_compression().and_then(|()| source.describe()))
            .map_err(SourceError::NotParquet)??;
        Ok(source)
    }

    /// Refuses compressions that are not read before any row is.
    fn check_compression(&self) -> Result<(), SourceError> {
        for column in self.file.metadata().row_groups().iter().flat_map(RowGroupMetaData::columns) {
            let compression = column.compression();
            if !is_read(compression) {
                let column = column.column_path().string();
                // The level, in parentheses, is not stored and so not known.
                let name = compression.to_string();
                let name = name.split('(').next().unwrap_or(&name);
                let message = format!("it is compressed with {name}, which is not read");
                return Err(SourceError::ParquetColumn { column, message });
            }
        }
        Ok(())
    }

    /// Learns the columns from the schema.
    fn describe(&mut self) -> Result<(), SourceError> {
        let schema = self.file.metadata().file_metadata().schema_descr_ptr();
        let mut names = std::collections::HashSet::new();
        let mut nested = Vec::new();
        let mut leaf = 0;
        for field in schema.root_schema().get_fields() {
            let name = field.name().to_owned();
            let fail = |message: String| SourceError::ParquetColumn { column: name.clone(), message };
            if name.is_empty() || !names.insert(name.clone()) {
                return Err(fail("every column needs a name of its own".into()));
            }
            let leaves = leaf_count(field);
            let flat = field.is_primitive() && leaves == 1 && schema.column(leaf).max_rep_level() == 0;
            let (part, column_type) = if flat {
                let column = schema.column(leaf);
                let (kind, column_type, note) = kind::describe(&column).map_err(fail)?;
                self.notes.extend(note.map(|note| format!("column {name:?}: {note}")));
                let column = FlatColumn::new(kind, column.max_def_level());
                (Part::Flat { leaf, column, reader: None }, column_type)
            } else if leaves == 0 {
                return Err(fail("it is a group without fields".into()));
            } else {
                let array = kind::is_list_of_texts(field);
                nested.push(Arc::clone(field));
                let column_type = if array { ColumnType::array("text") } else { ColumnType::new("jsonb") };
                (Part::Nested { array, cells: Cells::default() }, column_type)
            };
            self.parts.push(part);
            self.columns.push(SourceColumn { name, column_type: Some(column_type) });
            leaf += leaves;
        }
        if self.columns.is_empty() {
            return Err(SourceError::NotParquet("it has no columns".into()));
        }
        if !nested.is_empty() {
            let root = Type::group_type_builder(schema.root_schema().name()).with_fields(nested).build();
            let root = root.map_err(|error| SourceError::NotParquet(error.to_string()))?;
            self.nested_schema = Some(Arc::new(SchemaDescriptor::new(Arc::new(root))));
        }
        Ok(())
    }

    /// Goes to the next row group; false after the last.
    fn next_group(&mut self) -> Result<bool, SourceError> {
        let place = &mut self.place;
        if place.group == self.file.num_row_groups() {
            place.bytes += std::mem::take(&mut place.group_bytes);
            return Ok(false);
        }
        let broken = |error: parquet::errors::ParquetError| SourceError::NotParquet(error.to_string());
        let group = self.file.get_row_group(place.group).map_err(broken)?;
        let rows = group.metadata().num_rows();
        place.group += 1;
        place.bytes += place.group_bytes;
        place.group_bytes = u64::try_from(group.metadata().compressed_size()).unwrap_or(0);
        place.left =
            u64::try_from(rows).map_err(|_| SourceError::NotParquet(format!("a group has {rows} rows")))?;
        place.group_rows = place.left;
        if place.left == 0 {
            return Ok(true);
        }
        for part in &mut self.parts {
            if let Part::Flat { leaf, reader, .. } = part {
                *reader = Some(Box::new(group.get_column_reader(*leaf).map_err(broken)?));
            }
        }
        self.nested = match &self.nested_schema {
            Some(schema) => Some(TreeBuilder::new().as_iter(Arc::clone(schema), &*group).map_err(broken)?),
            None => None,
        };
        Ok(true)
    }

    /// Decodes the next rows of the group.
    fn next_batch(&mut self) -> Result<(), SourceError> {
        let place = &mut self.place;
        place.before += place.batch;
        place.batch = 0;
        place.at = 0;
        let rows = place.left.min(BATCH);
        let fail = |column: &SourceColumn, (row, message): (u64, String)| SourceError::Parquet {
            row: place.before + row + 1,
            column: column.name.clone(),
            message,
        };
        for (part, column) in self.parts.iter_mut().zip(&self.columns) {
            match part {
                Part::Flat { column: flat, reader: Some(reader), .. } => {
                    let cut = flat.cut;
                    flat.fill(reader, usize::try_from(rows).unwrap_or(0))
                        .map_err(|failed| fail(column, failed))?;
                    if flat.cut && !cut {
                        let note = "nanoseconds are cut to microseconds, which PostgreSQL keeps";
                        self.notes.push(format!("column {:?}: {note}", column.name));
                    }
                }
                Part::Flat { .. } => {}
                Part::Nested { cells, .. } => cells.clear(),
            }
        }
        if let Some(nested) = &mut self.nested {
            for row in 0..rows {
                read_nested(nested, &mut self.parts)
                    .map_err(|(at, message)| fail(&self.columns[at], (row, message)))?;
            }
        }
        place.left -= rows;
        place.batch = rows;
        Ok(())
    }

    /// Goes on to rows that are not decoded yet; false where there are none.
    fn advance(&mut self) -> Result<bool, SourceError> {
        while self.place.left == 0 {
            if !self.next_group()? {
                return Ok(false);
            }
        }
        self.next_batch()?;
        self.place.at = 1;
        Ok(true)
    }
}

/// Reads one row of the nested columns. An error has the place of the column, from 0.
fn read_nested(rows: &mut ReaderIter, parts: &mut [Part]) -> Result<(), (usize, String)> {
    let nested = parts.iter_mut().enumerate().filter_map(|(at, part)| match part {
        Part::Nested { array, cells } => Some((at, *array, cells)),
        Part::Flat { .. } => None,
    });
    let mut nested = nested.peekable();
    let first = nested.peek().map_or(0, |(at, ..)| *at);
    let row = rows.next().ok_or_else(|| (first, "the column ends before its rows do".to_owned()))?;
    let row = row.map_err(|error| (first, error.to_string()))?;
    let mut out = String::new();
    for ((at, array, cells), (_, field)) in nested.zip(row.get_column_iter()) {
        out.clear();
        let there = nested::write(&mut out, field, array).map_err(|message| (at, message))?;
        cells.push(if there { Cell::Text(&out) } else { Cell::Null });
    }
    Ok(())
}

/// Whether the Parquet crate is built to unpack a compression.
fn is_read(compression: Compression) -> bool {
    use Compression::{GZIP, LZ4, LZ4_RAW, SNAPPY, UNCOMPRESSED, ZSTD};
    matches!(compression, UNCOMPRESSED | SNAPPY | GZIP(_) | LZ4 | LZ4_RAW | ZSTD(_))
}

fn leaf_count(field: &Type) -> usize {
    if field.is_primitive() { 1 } else { field.get_fields().iter().map(|field| leaf_count(field)).sum() }
}

impl RowSource for ParquetSource {
    fn columns(&self) -> &[SourceColumn] {
        &self.columns
    }

    fn next(&mut self) -> Result<bool, SourceError> {
        if self.place.at < self.place.batch {
            self.place.at += 1;
            return Ok(true);
        }
        if self.place.broken {
            return Ok(false);
        }
        self.place.broken = true;
        let more = guarded(|| self.advance()).map_err(SourceError::NotParquet)??;
        self.place.broken = false;
        Ok(more)
    }

    fn cell(&self, column: usize) -> Cell<'_> {
        let (Part::Flat { column: FlatColumn { cells, .. }, .. } | Part::Nested { cells, .. }) =
            &self.parts[column];
        let row = usize::try_from(self.place.at.saturating_sub(1)).unwrap_or(usize::MAX);
        if row < cells.len() { cells.get(row) } else { Cell::Null }
    }

    fn line(&self) -> Position {
        Position::Row(self.place.before + self.place.at)
    }

    fn bytes_read(&self) -> u64 {
        let place = &self.place;
        let done = place.group_rows - place.left - (place.batch - place.at);
        place.bytes
            + u64::try_from(
                u128::from(place.group_bytes) * u128::from(done) / u128::from(place.group_rows.max(1)),
            )
            .unwrap_or(0)
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}
