//! Rows: new, the same, or with other values.

use std::borrow::Cow;

use super::rids::Remapped;
use super::{MergedTable, Source};
use crate::catalog::{Change, RowWriter, SystemValues};
use crate::ingest::IngestError;
use crate::model::{Rid, SYSTEM_COLUMNS, Table};
use crate::tabular::Value;

/// Merges one table's rows.
pub(super) fn merge_rows(
    change: &mut Change<'_>,
    source: &dyn Source,
    theirs: &Table,
    remapped: &Remapped,
) -> Result<MergedTable, IngestError> {
    let ours = change.table(&theirs.qualified_name())?;
    let merger = Merger {
        writer: change.writer(&ours)?,
        own: ours.own_columns().map(|column| position(theirs, &column.name)).collect(),
        system: SYSTEM_COLUMNS.map(|name| position(theirs, name)),
        rids: remapped.columns(theirs),
        is_vocabulary: ours.is_vocabulary(),
        ours,
    };
    let mut outcome = MergedTable::default();
    source.rows(theirs, &mut |row| {
        if merger.rids.is_empty() {
            return merger.merge(change, row, &mut outcome);
        }
        let theirs = merger.system[0].and_then(|at| row[at].to_text()).unwrap_or_default();
        if remapped.is_known_term(&theirs) {
            outcome.unchanged += 1;
            return Ok(());
        }
        let mut row = row.to_vec();
        for at in &merger.rids {
            row[*at] = remapped.value(&row[*at]);
        }
        merger.merge(change, &row, &mut outcome)
    })?;
    Ok(outcome)
}

fn position(table: &Table, name: &str) -> Option<usize> {
    table.column_definitions.iter().position(|column| column.name == name)
}

struct Merger {
    ours: Table,
    writer: RowWriter,
    /// Where our own columns are in their rows.
    own: Vec<Option<usize>>,
    system: [Option<usize>; SYSTEM_COLUMNS.len()],
    /// Which of their columns hold RIDs, where some were given anew.
    rids: Vec<usize>,
    is_vocabulary: bool,
}

impl Merger {
    fn merge(
        &self,
        change: &mut Change<'_>,
        row: &[Value],
        outcome: &mut MergedTable,
    ) -> Result<(), IngestError> {
        let system = self.system(row)?;
        let rid = system.rid.as_ref().map(Rid::as_str).unwrap_or_default().to_owned();
        match change.find_values(&self.ours, &rid)? {
            // What was withdrawn does not come back with a bag that was cut before.
            None if change.tombstone(&rid)?.is_some() => outcome.withdrawn += 1,
            None => {
                let values = self.values(row, None);
                if self.is_vocabulary {
                    self.make_room(change, &values)?;
                }
                change.insert_as(&self.writer, &system, &values)?;
                outcome.added += 1;
            }
            // The first of several rows with one RID counts.
            Some(there) if there.is_new => {}
            Some(there) => {
                let values = self.values(row, Some(&there.values));
                if values == there.values {
                    outcome.unchanged += 1;
                } else if system.rmt.as_deref() < Some(there.modified.as_str()) {
                    outcome.kept += 1;
                } else {
                    change.update_as(&self.writer, &system, &values)?;
                    outcome.updated += 1;
                }
            }
        }
        Ok(())
    }

    /// Their values in the order of our columns; what they lack stays as it is.
    fn values(&self, row: &[Value], there: Option<&[Value]>) -> Vec<Value> {
        let kept = |index: usize| there.map_or(Value::Null, |there| there[index].clone());
        let value =
            |(index, at): (usize, &Option<usize>)| at.map_or_else(|| kept(index), |at| row[at].clone());
        self.own.iter().enumerate().map(value).collect()
    }

    fn system(&self, row: &[Value]) -> Result<SystemValues, IngestError> {
        let text = |index: usize| self.system[index].and_then(|at| row[at].to_text()).map(Cow::into_owned);
        let rid = text(0).unwrap_or_default();
        let parsed = Rid::parse(&rid)
            .ok_or_else(|| IngestError::BadRid { table: self.ours.qualified_name(), rid: rid.clone() })?;
        Ok(SystemValues { rid: Some(parsed), rct: text(1), rmt: text(2), rcb: text(3), rmb: text(4) })
    }

    /// A term that was made here gives way to a server's of the same name: it is the same term, and by the server's RID
    /// everyone knows it.
    fn make_room(&self, change: &mut Change<'_>, values: &[Value]) -> Result<(), IngestError> {
        let name = self.ours.own_columns().position(|column| column.name == "Name").map(|at| &values[at]);
        let Some(Value::Text(name)) = name else { return Ok(()) };
        let terms = change.term_rids(&self.ours, name)?;
        for rid in terms {
            change.delete_alone(&self.writer, &rid)?;
        }
        Ok(())
    }
}
