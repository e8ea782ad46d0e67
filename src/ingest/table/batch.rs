//! Rows on their way from the file to the catalog: read and typed in one thread, put into SQL in another.

use std::sync::mpsc::{Receiver, SyncSender};

use super::plan::PlanColumn;
use crate::ingest::IngestError;
use crate::ingest::bad::{BadRow, RowPlace};
use crate::ingest::rows::Rows;
use crate::tabular::{Cell, Cells, Position, RowSource as _, SourceError};

/// Rows of a batch at most, and octets of text that end one sooner.
const ROWS: usize = 1024;
const TEXT: usize = 1 << 20;

/// Some rows, typed, and those among them that can't be taken.
#[derive(Default)]
pub(super) struct Batch {
    cells: Cells,
    width: usize,
    /// Where each row is.
    pub places: Vec<Position>,
    pub bad: Vec<(BadRow, Vec<Option<String>>)>,
    /// Octets of the file read since the batch before.
    pub bytes: u64,
}

impl Batch {
    fn clear(&mut self, width: usize) {
        self.cells.clear();
        self.width = width;
        self.places.clear();
        self.bad.clear();
    }

    fn is_full(&self) -> bool {
        self.places.len() + self.bad.len() >= ROWS || self.cells.text_length() >= TEXT
    }

    /// A row's cells: one for each of the table's own columns, then the RID where the file has one.
    pub fn row(&self, index: usize) -> impl Iterator<Item = Cell<'_>> {
        (0..self.width).map(move |column| self.cell(index, column))
    }

    /// One cell of a row.
    pub fn cell(&self, index: usize, column: usize) -> Cell<'_> {
        self.cells.get(index * self.width + column)
    }
}

/// What reads and types the rows.
pub(super) struct Typist<'p> {
    pub columns: &'p [PlanColumn],
    pub rid_at: Option<usize>,
    pub path: &'p std::path::Path,
}

impl Typist<'_> {
    /// Reads the source to its end and sends batch after batch, using those that come back again. Ends early where
    /// nobody takes them. Gives what the source has to tell.
    pub fn run(
        &self,
        mut source: Rows<'_>,
        batches: &SyncSender<Result<Batch, IngestError>>,
        used: &Receiver<Batch>,
    ) -> Vec<String> {
        let mut before = 0;
        loop {
            let mut batch = used.try_recv().unwrap_or_default();
            let more = match self.fill(&mut source, &mut batch) {
                Ok(more) => more,
                Err(error) => {
                    // Nobody takes it only where the other side has failed already.
                    let _ = batches.send(Err(error));
                    break;
                }
            };
            let read = source.bytes_read();
            batch.bytes = read.saturating_sub(before);
            before = read;
            if batches.send(Ok(batch)).is_err() || !more {
                break;
            }
        }
        source.later_notes()
    }

    /// Fills a batch; false at the end of the file.
    fn fill(&self, source: &mut Rows<'_>, batch: &mut Batch) -> Result<bool, IngestError> {
        batch.clear(self.columns.len() + usize::from(self.rid_at.is_some()));
        while !batch.is_full() {
            match source.next() {
                Ok(true) => self.take(source, batch),
                Ok(false) => return Ok(false),
                Err(error) => match error.row() {
                    Some(line) => {
                        let row = BadRow { place: RowPlace::At(line), column: None, reason: error.reason() };
                        batch.bad.push((row, Vec::new()));
                    }
                    None => return Err(self.fail(error)),
                },
            }
        }
        Ok(true)
    }

    fn fail(&self, error: SourceError) -> IngestError {
        match error {
            SourceError::Interrupted => IngestError::Interrupted,
            SourceError::Io(error) => IngestError::Io(error),
            source => IngestError::Source { path: self.path.to_owned(), source },
        }
    }

    /// Takes the row that the source is at.
    fn take(&self, source: &Rows<'_>, batch: &mut Batch) {
        let before = batch.cells.len();
        for column in self.columns {
            let raw = column.at.map_or(Cell::Null, |at| source.cell(at));
            if let Err(reason) = push_typed(&mut batch.cells, raw, column) {
                batch.cells.truncate(before);
                let place = RowPlace::At(source.line());
                let row = BadRow { place, column: Some(column.name.clone()), reason };
                batch.bad.push((row, source.texts()));
                return;
            }
        }
        if let Some(at) = self.rid_at {
            batch.cells.push(Cell::Text(source.cell(at).text().unwrap_or_default().trim()));
        }
        batch.places.push(source.line());
    }
}

/// Adds a cell as a value of its column's type; `Err` says why it is none.
fn push_typed(cells: &mut Cells, raw: Cell<'_>, column: &PlanColumn) -> Result<(), String> {
    use crate::model::Storage;
    if let (Cell::Text(text), Storage::Text, None) = (raw, column.storage, &column.lookup) {
        no_nul(text)?;
        cells.push(raw);
        return Ok(());
    }
    let typed = raw.value(column.storage).and_then(|value| value.fits(&column.column_type));
    let value = typed.map_err(|error| error.to_string())?;
    if value == crate::tabular::Value::Null {
        return match (column.in_key, column.required && column.at.is_some()) {
            (true, _) => Err("it is empty, and part of the key".into()),
            (false, true) => Err("it is empty, and needs a value".into()),
            (false, false) => {
                cells.push(Cell::Null);
                Ok(())
            }
        };
    }
    if let Some(lookup) = &column.lookup {
        let text = value.to_text().unwrap_or_default();
        let found = lookup.find(&text)?;
        if lookup.renames() {
            cells.push(Cell::Text(&found));
            return Ok(());
        }
    }
    if let crate::tabular::Value::Text(text) = &value {
        no_nul(text)?;
    }
    cells.push(Cell::of(&value));
    Ok(())
}

fn no_nul(text: &str) -> Result<(), String> {
    if memchr::memchr(0, text.as_bytes()).is_some() {
        return Err("it holds a NUL character, which no text in a table can".into());
    }
    Ok(())
}
