//! The rows of a file into the table.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};

use super::batch::{Batch, Typist};
use super::plan::{Plan, PlanColumn};
use super::present::{Action, Present, updated};
use crate::bag::Progress;
use crate::catalog::{Change, RowWriter};
use crate::ingest::bad::{BadRow, BadRows, RowPlace};
use crate::ingest::rows::Rows;
use crate::ingest::{ImportReport, IngestError};
use crate::tabular::{Cell, Position};

/// Batches that wait to be taken.
const WAITING: usize = 4;

/// Reads, types and takes every row. One thread reads and types; this one speaks to SQLite.
pub(super) fn load(
    change: &mut Change<'_>,
    mut plan: Plan,
    source: Rows<'_>,
    bad: &mut BadRows<'_>,
    report: &mut ImportReport,
    progress: &dyn Progress,
) -> Result<(), IngestError> {
    let present = Present::read(change, &plan)?;
    let own = OwnReferences::take(&mut plan.columns);
    let writer = change.writer(&plan.table)?;
    let typist = Typist { columns: &plan.columns, rid_at: plan.rid_at, path: bad.source() };
    let (batches, arriving) = sync_channel(WAITING);
    let (back, used) = channel();
    let mut loader = Loader { change, plan: &plan, writer, present, own, bad, report, progress };
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || typist.run(source, &batches, &used));
        let outcome = loader.run(arriving, &back);
        let notes = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        loader.report.notes.extend(notes);
        outcome
    })
}

/// What takes batches.
struct Loader<'l, 'c, 's> {
    change: &'l mut Change<'c>,
    plan: &'l Plan,
    writer: RowWriter,
    present: Present,
    own: OwnReferences,
    bad: &'l mut BadRows<'s>,
    report: &'l mut ImportReport,
    progress: &'l dyn Progress,
}

impl Loader<'_, '_, '_> {
    fn run(
        &mut self,
        arriving: Receiver<Result<Batch, IngestError>>,
        back: &Sender<Batch>,
    ) -> Result<(), IngestError> {
        for batch in arriving {
            let mut batch = batch?;
            self.progress.bytes(batch.bytes);
            if self.progress.cancelled() {
                return Err(IngestError::Interrupted);
            }
            self.take(&mut batch)?;
            // The reader may have ended already.
            let _ = back.send(batch);
        }
        self.end_own_references()
    }

    fn take(&mut self, batch: &mut Batch) -> Result<(), IngestError> {
        let mut refused = std::mem::take(&mut batch.bad);
        let batch = &*batch;
        let mut inserts = Vec::with_capacity(batch.places.len());
        let mut updates = Vec::new();
        for (index, &place) in batch.places.iter().enumerate() {
            match self.present.decide(self.plan, place, |column| batch.cell(index, column)) {
                Action::Insert => inserts.push(index),
                Action::Update(rid) => updates.push((index, rid)),
                Action::Leave => self.report.unchanged += 1,
                Action::Refuse(reason) => {
                    let row = BadRow { place: RowPlace::At(place), column: None, reason };
                    refused.push((row, self.texts(batch, index)));
                    continue;
                }
            }
            self.own.see(place, |column| batch.cell(index, column));
        }
        refused.sort_by_key(|(row, _)| match row.place {
            RowPlace::At(Position::Line(number) | Position::Row(number)) => number,
            RowPlace::File(_) => 0,
        });
        refused.into_iter().try_for_each(|(row, cells)| self.bad.note(row, &cells))?;
        if !self.bad.takes_others() {
            return Ok(());
        }
        let width = self.plan.columns.len();
        let rows = inserts.iter().map(|&index| batch.row(index).take(width));
        self.report.added += self.change.insert_many(&self.writer, rows)?;
        for (index, rid) in updates {
            let old = self.change.own_values(&self.plan.table, &rid)?;
            let values = updated(self.plan, |column| batch.cell(index, column), old);
            self.change.update(&self.writer, &rid, &values)?;
            self.report.updated += 1;
        }
        Ok(())
    }

    /// A typed row's cells as texts, in the order of the file's columns.
    fn texts(&self, batch: &Batch, index: usize) -> Vec<Option<String>> {
        let mut texts = Vec::new();
        for (column, plan) in self.plan.columns.iter().enumerate() {
            if let Some(at) = plan.at {
                texts.resize(texts.len().max(at + 1), None);
                texts[at] = batch.cell(index, column).text().map(std::borrow::Cow::into_owned);
            }
        }
        if let Some(at) = self.plan.rid_at {
            texts.resize(texts.len().max(at + 1), None);
            texts[at] = batch.cell(index, self.plan.columns.len()).text().map(std::borrow::Cow::into_owned);
        }
        texts
    }

    /// Refuses references to rows of the same table that did not come. Others may refer to those that would be kept
    /// aside, so that none is.
    fn end_own_references(&mut self) -> Result<(), IngestError> {
        let dangling = self.own.dangling();
        if dangling.is_empty() {
            return Ok(());
        }
        dangling.into_iter().try_for_each(|row| self.bad.note(row, &[]))?;
        Err(self.bad.refusal())
    }
}

/// References to rows of the same table, which may come before or after those that they refer to.
struct OwnReferences {
    references: Vec<OwnReference>,
}

struct OwnReference {
    column: usize,
    name: String,
    /// Where the column referred to is in a row.
    referenced: Option<usize>,
    lookup: crate::ingest::references::Lookup,
    /// Values that no row has had so far, and where they came first.
    waiting: HashMap<String, Position>,
}

impl OwnReferences {
    /// Takes these references out of the plan.
    fn take(columns: &mut [PlanColumn]) -> Self {
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let mut references = Vec::new();
        for (index, column) in columns.iter_mut().enumerate() {
            if let Some(mut lookup) = column.lookup.take_if(|lookup| lookup.own_values().is_some()) {
                let target = lookup.own_values().map(|(name, _)| name.to_owned()).unwrap_or_default();
                references.push(OwnReference {
                    column: index,
                    name: column.name.clone(),
                    referenced: names.iter().position(|name| *name == target),
                    lookup,
                    waiting: HashMap::new(),
                });
            }
        }
        Self { references }
    }

    fn see<'c>(&mut self, place: Position, cell: impl Fn(usize) -> Cell<'c>) {
        for reference in &mut self.references {
            let Some((_, values)) = reference.lookup.own_values() else { continue };
            if let Some(value) = reference.referenced.and_then(|at| cell(at).text()) {
                reference.waiting.remove(value.as_ref());
                values.insert(value.into_owned());
            }
            if let Some(value) =
                cell(reference.column).text().filter(|value| !values.contains(value.as_ref()))
            {
                reference.waiting.entry(value.into_owned()).or_insert(place);
            }
        }
    }

    fn dangling(&self) -> Vec<BadRow> {
        let mut rows = Vec::new();
        for reference in &self.references {
            for (value, place) in &reference.waiting {
                rows.push(BadRow {
                    place: RowPlace::At(*place),
                    column: Some(reference.name.clone()),
                    reason: reference.lookup.no_such(value),
                });
            }
        }
        rows.sort_by_key(ToString::to_string);
        rows
    }
}
