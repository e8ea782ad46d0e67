//! What is left of withdrawn rows.

use serde::{Deserialize, Serialize};

use super::super::{Catalog, CatalogError, Change};
use crate::model::Snapshot;

/// What is left of a row that was withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// The row's id.
    pub rid: String,
    /// Its table, as `schema:Table`.
    pub table: String,
    /// The change that withdrew it.
    pub number: i64,
    /// When that was.
    pub snapshot: Snapshot,
    /// Why.
    pub reason: String,
    /// Who did it.
    pub actor: String,
    /// The released versions that held it.
    pub held: Vec<Held>,
}

/// A version that held a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Held {
    /// The dataset's RID.
    pub dataset: String,
    /// The label.
    pub version: String,
}

const TOMBSTONES: &str = "SELECT d.rid, d.table_name, d.number, ifnull(t.snapshot, 0), d.reason, d.actor, d.held \
     FROM dbag_tombstone d LEFT JOIN dbag_transaction t ON t.number = d.number";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Tombstone> {
    let held: String = row.get(6)?;
    Ok(Tombstone {
        rid: row.get(0)?,
        table: row.get(1)?,
        number: row.get(2)?,
        snapshot: Snapshot::from_micros(row.get(3)?),
        reason: row.get(4)?,
        actor: row.get(5)?,
        held: serde_json::from_str(&held).unwrap_or_default(),
    })
}

impl Catalog {
    /// Every row that was withdrawn, oldest first.
    pub fn tombstones(&self) -> Result<Vec<Tombstone>, CatalogError> {
        let mut statement = self
            .connection
            .prepare(&format!("{TOMBSTONES} ORDER BY d.number, d.rid"))
            .map_err(|e| self.fail(e))?;
        let rows = statement.query_map((), read);
        rows.and_then(Iterator::collect).map_err(|e| self.fail(e))
    }
}

impl Change<'_> {
    /// What is left of a row, if it was withdrawn.
    pub fn tombstone(&self, rid: &str) -> Result<Option<Tombstone>, CatalogError> {
        use rusqlite::OptionalExtension;
        let sql = format!("{TOMBSTONES} WHERE d.rid = ?");
        let statement = self.transaction().prepare_cached(&sql);
        let found = statement.and_then(|mut statement| statement.query_row([rid], read).optional());
        found.map_err(|e| self.fail(e))
    }
}
