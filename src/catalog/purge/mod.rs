//! Withdrawal: rows erased with all that they ever were, from a catalog that forgets nothing else.
//!
//! What is erased in the catalog goes in one transaction, with a tombstone for each row. Bytes of files, and the catalog file's own free
//! pages, can only go after it; what is still to be done is kept in `dbag_meta` until it is.

mod erase;
mod finish;
mod plan;
mod tombstones;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use tombstones::{Held, Tombstone};

use super::{Catalog, CatalogError};
use crate::bag::Digest;

/// Which rows to withdraw, and how.
#[derive(Debug, Clone, Default)]
pub struct PurgeOptions {
    /// Rows by their ids.
    pub rids: Vec<String>,
    /// All rows of this table as it is, or those for which the condition holds.
    pub table: Option<String>,
    /// An SQL condition.
    pub condition: Option<String>,
    /// Rows of plain tables that refer to them go too.
    pub with_dependents: bool,
}

/// What was withdrawn, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purged {
    /// Rows by table, those that went with others among them.
    pub tables: BTreeMap<String, u64>,
    /// Every row's id.
    pub rids: Vec<String>,
    /// Superseded versions of them.
    pub superseded: u64,
    /// The released versions that held any: dataset name (or RID) and label.
    pub versions: Vec<String>,
    /// The same by RID.
    pub held: Vec<Held>,
    /// Commands in the log of which the text was blanked, for it had values of theirs.
    pub commands: Vec<i64>,
    /// Files that no row names any more: SHA-256.
    pub objects: Vec<Digest>,
    /// Files that were imported in place and are their owner's to delete.
    pub in_place: Vec<String>,
    /// URLs where their files were published.
    pub published: Vec<String>,
    /// Bags that were cut of these versions: SHA-256, and where they are.
    pub bags: Vec<(String, Vec<String>)>,
}

impl Purged {
    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.values().sum()
    }
}

impl Catalog {
    /// Withdraws rows, and what exists only because of them. The catalog no longer has them at any time; the files that are then
    /// no row's are named, and [`Catalog::finish_purge`] ends it when they are deleted.
    pub fn purge(&mut self, options: &PurgeOptions, reason: &str) -> Result<Purged, CatalogError> {
        self.connection.pragma_update(None, "secure_delete", true).map_err(|e| self.fail(e))?;
        // Set beforehand, for the name of what makes the change must not hold what it erases.
        let rows = self.plan_purge(options)?.rows();
        self.change(&format!("dbag purge {rows} rows"), |change| {
            let plan = change.plan_purge(options)?;
            change.erase(&plan, reason)
        })
    }

    /// What [`Catalog::purge`] would do.
    pub fn plan_purge(&mut self, options: &PurgeOptions) -> Result<Purged, CatalogError> {
        self.rehearse(|change| {
            let plan = change.plan_purge(options)?;
            change.erase(&plan, "")
        })
    }
}
