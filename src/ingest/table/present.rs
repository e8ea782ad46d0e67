//! What a table holds already, and what is to be done with a row beside it.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use super::plan::Plan;
use crate::catalog::Change;
use crate::ingest::IngestError;
use crate::tabular::{Cell, Position, Value};

/// What tells two rows apart, in 128 bits of a SHA-256: rows by the million are compared, and kept in memory.
type Fingerprint = [u8; 16];

/// The fingerprint of some cells.
fn fingerprint<'c>(cells: impl IntoIterator<Item = Cell<'c>>) -> Fingerprint {
    let mut hasher = Sha256::new();
    for cell in cells {
        match cell {
            Cell::Null => hasher.update([0]),
            Cell::Boolean(value) => hasher.update([1, u8::from(value)]),
            Cell::Integer(value) => {
                hasher.update([2]);
                hasher.update(value.to_le_bytes());
            }
            Cell::Float(value) => {
                // SQLite has one zero, and all that is no number is the same.
                let value = if value == 0.0 {
                    0.0
                } else if value.is_nan() {
                    f64::NAN
                } else {
                    value
                };
                hasher.update([3]);
                hasher.update(value.to_bits().to_le_bytes());
            }
            Cell::Text(text) => {
                hasher.update([4]);
                hasher.update((text.len() as u64).to_le_bytes());
                hasher.update(text.as_bytes());
            }
        }
    }
    let mut out = Fingerprint::default();
    out.copy_from_slice(&hasher.finalize()[..16]);
    out
}

/// What is to be done with a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    Insert,
    Update(String),
    Leave,
    /// It can't be taken, for this reason.
    Refuse(String),
}

/// What the table holds: whole rows counted, or rows by key.
pub(super) enum Present {
    /// The table is new, and no two rows of the file are the same by its key.
    Nothing,
    Rows(HashMap<Fingerprint, u64>),
    Keys {
        /// Where the key is in a row of a batch.
        indexes: Vec<usize>,
        rows: HashMap<Fingerprint, (String, Fingerprint)>,
        seen: HashMap<Fingerprint, Position>,
    },
}

impl Present {
    /// Reads the table. Rows with a key are compared by the columns that the file has.
    pub fn read(change: &Change<'_>, plan: &Plan) -> Result<Self, IngestError> {
        let in_key = |(index, column): (usize, &super::plan::PlanColumn)| column.in_key.then_some(index);
        let mut indexes: Vec<usize> = plan.columns.iter().enumerate().filter_map(in_key).collect();
        if plan.unique || plan.created && indexes.is_empty() {
            return Ok(Self::Nothing);
        }
        let rid = plan.rid_at.map(|_| plan.columns.len());
        if indexes.is_empty() && rid.is_none() {
            let mut rows = HashMap::new();
            change.for_each(&plan.table, |row| {
                *rows.entry(fingerprint(row[1..].iter().map(Cell::of))).or_default() += 1;
                Ok::<_, IngestError>(())
            })?;
            return Ok(Self::Rows(rows));
        }
        indexes.extend(rid);
        let mut rows = HashMap::new();
        if !plan.created {
            change.for_each(&plan.table, |row| {
                let own = &row[1..];
                let at = |&index: &usize| Cell::of(if rid == Some(index) { &row[0] } else { &own[index] });
                let key = fingerprint(indexes.iter().map(at));
                let rid = row[0].to_text().unwrap_or_default().into_owned();
                rows.insert(key, (rid, fingerprint(in_file(plan, own.iter().map(Cell::of)))));
                Ok::<_, IngestError>(())
            })?;
        }
        Ok(Self::Keys { indexes, rows, seen: HashMap::new() })
    }

    /// What is to be done with a row. Each row is asked about once.
    pub fn decide<'c>(
        &mut self,
        plan: &Plan,
        place: Position,
        cell: impl Fn(usize) -> Cell<'c> + Copy,
    ) -> Action {
        let own = move || (0..plan.columns.len()).map(cell);
        match self {
            Self::Nothing => Action::Insert,
            Self::Rows(rows) => match rows.get_mut(&fingerprint(own())) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    Action::Leave
                }
                _ => Action::Insert,
            },
            Self::Keys { indexes, rows, seen } => {
                let key = fingerprint(indexes.iter().map(|&index| cell(index)));
                if let Some(first) = seen.get(&key) {
                    return Action::Refuse(format!("the same key is on {first}"));
                }
                seen.insert(key, place);
                let table = &plan.table.table_name;
                match rows.get(&key) {
                    None if plan.rid_at.is_some() => {
                        let rid = cell(plan.columns.len()).text().unwrap_or_default();
                        Action::Refuse(format!("{table} has no row with the RID {rid:?}"))
                    }
                    None => Action::Insert,
                    Some((_, whole)) if *whole == fingerprint(in_file(plan, own())) => Action::Leave,
                    Some((rid, _)) if plan.update => Action::Update(rid.clone()),
                    Some((rid, _)) => Action::Refuse(format!(
                        "{table} has a row with this key and other values (RID {rid}); --update would replace them"
                    )),
                }
            }
        }
    }
}

/// Of a row's cells those of the columns that the file has.
fn in_file<'c>(plan: &Plan, cells: impl Iterator<Item = Cell<'c>>) -> impl Iterator<Item = Cell<'c>> {
    cells.zip(&plan.columns).filter(|(_, column)| column.at.is_some()).map(|(cell, _)| cell)
}

/// A row's values for an update: those of the file, and the old ones of the columns that it does not have.
pub(super) fn updated<'c>(plan: &Plan, cell: impl Fn(usize) -> Cell<'c>, old: Vec<Value>) -> Vec<Value> {
    let columns = plan.columns.iter().enumerate().zip(old);
    columns.map(|((index, column), old)| if column.at.is_some() { cell(index).into() } else { old }).collect()
}
