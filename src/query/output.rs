//! Answers as a table for people, as CSV, or as one JSON document.

use std::io::{self, Write};

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use serde_json::{Value as Json, json};

use super::{Cell, Database, QueryError, RowSink};
use crate::tabular::CsvWriter;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Aligned columns.
    #[default]
    Table,
    /// RFC 4180 with a header; NULL is empty and the empty string is `""`.
    Csv,
    /// `{"columns": [name, …], "rows": [[cell, …], …]}`.
    Json,
}

/// A line under the header and nothing else.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Runs one statement and writes its answer.
pub fn write_rows(
    database: &Database,
    sql: &str,
    format: Format,
    out: &mut dyn Write,
) -> Result<(), QueryError> {
    match format {
        Format::Table => {
            let mut sink = TableSink::default();
            database.run(sql, &mut sink)?;
            Ok(sink.finish(out)?)
        }
        Format::Csv => database.run(sql, &mut CsvSink { out: Some(out), writer: None }),
        Format::Json => {
            let mut sink = JsonSink { out, separator: "" };
            database.run(sql, &mut sink)?;
            Ok(writeln!(sink.out, "\n]}}")?)
        }
    }
}

/// Keeps all rows, since the widths of the columns depend on them.
#[derive(Default)]
struct TableSink {
    table: Table,
    rows: u64,
    /// Whether a column has had no text so far.
    numeric: Vec<bool>,
}

impl RowSink for TableSink {
    fn columns(&mut self, names: &[&str]) -> io::Result<()> {
        self.table.load_style(STYLE);
        self.table.set_header(names);
        self.numeric = vec![true; names.len()];
        Ok(())
    }

    fn row(&mut self, cells: Vec<Cell>) -> io::Result<()> {
        for (numeric, cell) in self.numeric.iter_mut().zip(&cells) {
            *numeric &= !matches!(cell, Cell::Text(_));
        }
        self.table.add_row(cells.iter().map(shown).collect::<Vec<_>>());
        self.rows += 1;
        Ok(())
    }
}

impl TableSink {
    fn finish(mut self, out: &mut dyn Write) -> io::Result<()> {
        for (index, _) in self.numeric.iter().enumerate().filter(|(_, numeric)| **numeric) {
            if let Some(column) = self.table.column_mut(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        writeln!(out, "{}", self.table.trim_fmt())?;
        writeln!(out, "{} row{}", self.rows, if self.rows == 1 { "" } else { "s" })
    }
}

/// A cell for a terminal: control characters escaped, NULL as nothing.
fn shown(cell: &Cell) -> String {
    let Some(text) = text(cell) else { return String::new() };
    if !text.chars().any(char::is_control) {
        return text;
    }
    text.chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

/// A cell's text; `None` is NULL.
fn text(cell: &Cell) -> Option<String> {
    match cell {
        Cell::Null => None,
        Cell::Integer(value) => Some(value.to_string()),
        Cell::Real(value) => Some(value.to_string()),
        Cell::Text(text) => Some(text.clone()),
    }
}

struct CsvSink<'o> {
    out: Option<&'o mut dyn Write>,
    writer: Option<CsvWriter<&'o mut dyn Write>>,
}

impl RowSink for CsvSink<'_> {
    fn columns(&mut self, names: &[&str]) -> io::Result<()> {
        self.writer = self.out.take().map(|out| CsvWriter::new(out, names)).transpose()?;
        Ok(())
    }

    fn row(&mut self, cells: Vec<Cell>) -> io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), |writer| writer.record(cells.iter().map(text)))
    }
}

struct JsonSink<'o> {
    out: &'o mut dyn Write,
    separator: &'static str,
}

impl RowSink for JsonSink<'_> {
    fn columns(&mut self, names: &[&str]) -> io::Result<()> {
        write!(self.out, "{{\"columns\": {}, \"rows\": [", json!(names))
    }

    fn row(&mut self, cells: Vec<Cell>) -> io::Result<()> {
        let cells = cells.into_iter().map(|cell| match cell {
            Cell::Null => Json::Null,
            Cell::Integer(value) => json!(value),
            Cell::Real(value) => json!(value),
            Cell::Text(text) => json!(text),
        });
        write!(self.out, "{}\n  {}", self.separator, Json::Array(cells.collect()))?;
        self.separator = ",";
        Ok(())
    }
}
