//! Rows that were withdrawn: what is left of them is that they were there.

use serde::{Deserialize, Serialize};

use super::{Catalog, CatalogError};
use crate::model::{Rid, Snapshot};
use crate::version::DatasetVersion;

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

impl Catalog {
    /// Every row that was withdrawn, oldest first.
    pub fn tombstones(&self) -> Result<Vec<Tombstone>, CatalogError> {
        let sql = "SELECT d.rid, d.table_name, d.number, ifnull(t.snapshot, 0), d.reason, d.actor, d.held \
                   FROM dbag_tombstone d LEFT JOIN dbag_transaction t ON t.number = d.number ORDER BY d.number, d.rid";
        let mut statement = self.connection.prepare(sql).map_err(|e| self.fail(e))?;
        let rows = statement.query_map((), |row| {
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
        });
        rows.and_then(Iterator::collect).map_err(|e| self.fail(e))
    }

    /// The rows that a version held and that were withdrawn since.
    pub fn tombstones_of(
        &self,
        dataset: &Rid,
        version: &DatasetVersion,
    ) -> Result<Vec<Tombstone>, CatalogError> {
        let held = Held { dataset: dataset.to_string(), version: version.to_string() };
        Ok(self.tombstones()?.into_iter().filter(|tombstone| tombstone.held.contains(&held)).collect())
    }
}
