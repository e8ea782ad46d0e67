//! Columns with one value a row, decoded some rows at a time.

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{DataType, Int96};
use parquet::errors::ParquetError;

use super::kind::Kind;
use super::text;
use crate::tabular::source::Cell;
use crate::tabular::source::cell::Cells;

/// Cells of one column, and what is read for them.
pub(super) struct FlatColumn {
    kind: Kind,
    /// The definition level of a value that is there.
    present: i16,
    levels: Vec<i16>,
    pub cells: Cells,
    /// Whether nanoseconds were cut.
    pub cut: bool,
}

/// What is wrong, and at which of the rows asked for (from 0).
pub(super) type Failed = (u64, String);

impl FlatColumn {
    pub fn new(kind: Kind, present: i16) -> Self {
        Self { kind, present, levels: Vec::new(), cells: Cells::default(), cut: false }
    }

    /// Replaces the cells by those of the next `rows` rows.
    pub fn fill(&mut self, reader: &mut ColumnReader, rows: usize) -> Result<(), Failed> {
        self.cells.clear();
        match reader {
            ColumnReader::BoolColumnReader(reader) => {
                self.read(reader, rows, |cells, _, value, _| push(cells, Cell::Boolean(*value)))
            }
            ColumnReader::Int32ColumnReader(reader) => self.read(reader, rows, |cells, kind, value, cut| {
                let unsigned = kind == Kind::Unsigned;
                let wide = if unsigned { i64::from(value.cast_unsigned()) } else { i64::from(*value) };
                push_whole(cells, kind, wide, cut)
            }),
            ColumnReader::Int64ColumnReader(reader) => {
                self.read(reader, rows, |cells, kind, value, cut| push_whole(cells, kind, *value, cut))
            }
            ColumnReader::Int96ColumnReader(reader) => {
                self.read(reader, rows, |cells, _, value, cut| push_int96(cells, value, cut))
            }
            ColumnReader::FloatColumnReader(reader) => {
                self.read(reader, rows, |cells, _, value, _| push(cells, Cell::Float(text::widened(*value))))
            }
            ColumnReader::DoubleColumnReader(reader) => {
                self.read(reader, rows, |cells, _, value, _| push(cells, Cell::Float(*value)))
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                self.read(reader, rows, |cells, kind, value, _| push_bytes(cells, kind, value.data()))
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                self.read(reader, rows, |cells, kind, value, _| push_bytes(cells, kind, value.data()))
            }
        }
    }

    fn read<T: DataType>(
        &mut self,
        reader: &mut ColumnReaderImpl<T>,
        rows: usize,
        push: impl Fn(&mut Cells, Kind, &T::T, &mut bool) -> Result<(), String>,
    ) -> Result<(), Failed> {
        self.levels.clear();
        let mut values = Vec::new();
        let read = reader.read_records(rows, Some(&mut self.levels), None, &mut values);
        let (records, ..) = read.map_err(|error: ParquetError| (0, error.to_string()))?;
        if records != rows {
            return Err((records as u64, "the column ends before its rows do".into()));
        }
        if self.present == 0 {
            self.levels.resize(rows, 0);
        }
        let mut values = values.iter();
        for (row, &level) in (0..).zip(&self.levels) {
            let value = (level == self.present).then(|| values.next()).flatten();
            match value {
                None => self.cells.push(Cell::Null),
                Some(_) if self.kind == Kind::Nothing => self.cells.push(Cell::Null),
                Some(value) => {
                    push(&mut self.cells, self.kind, value, &mut self.cut)
                        .map_err(|message| (row, message))?;
                }
            }
        }
        Ok(())
    }
}

#[allow(clippy::unnecessary_wraps)] // Beside those that can fail.
fn push(cells: &mut Cells, cell: Cell<'_>) -> Result<(), String> {
    cells.push(cell);
    Ok(())
}

fn push_whole(cells: &mut Cells, kind: Kind, value: i64, cut: &mut bool) -> Result<(), String> {
    match kind {
        Kind::Unsigned if value < 0 => {
            Err(format!("{} is beyond a whole number of 64 bits", value.cast_unsigned()))
        }
        Kind::Date => cells.push_text(|out| text::date(out, value)),
        Kind::Timestamp { second, utc } => {
            *cut |= second > 1_000_000 && value % (second / 1_000_000) != 0;
            cells.push_text(|out| text::timestamp(out, text::micros(value, second)?, utc))
        }
        Kind::Time { second } => cells.push_text(|out| text::time(out, value, second)),
        Kind::Decimal { scale } => cells.push_text(|out| text::decimal(out, &value.to_be_bytes(), scale)),
        _ => push(cells, Cell::Integer(value)),
    }
}

fn push_int96(cells: &mut Cells, value: &Int96, cut: &mut bool) -> Result<(), String> {
    // Nanoseconds of the day, then the Julian day; 1970-01-01 was day 2,440,588.
    let &[low, high, day] = value.data() else { return Err("a timestamp of 96 bits is too short".into()) };
    let nanos = i64::from(high) << 32 | i64::from(low);
    *cut |= nanos % 1000 != 0;
    let micros = (i64::from(day) - 2_440_588) * 86_400_000_000 + nanos / 1000;
    cells.push_text(|out| text::timestamp(out, micros, false))
}

fn push_bytes(cells: &mut Cells, kind: Kind, bytes: &[u8]) -> Result<(), String> {
    match kind {
        Kind::Decimal { scale } => cells.push_text(|out| text::decimal(out, bytes, scale)),
        Kind::Uuid => cells.push_text(|out| text::uuid(out, bytes)),
        Kind::Float16 => {
            let &[low, high] = bytes else { return Err("a float of 16 bits has not two bytes".into()) };
            push(cells, Cell::Float(text::float16(u16::from_le_bytes([low, high]))))
        }
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => push(cells, Cell::Text(text)),
            Err(_) => Err("the bytes are no UTF-8 text".into()),
        },
    }
}
