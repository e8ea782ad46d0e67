//! One write transaction: rows inserted, superseded and deleted, tables and columns added and dropped, a snapshot made.

mod references;
mod rows;
mod tables;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rusqlite::Transaction;

pub use rows::{RowWriter, SystemValues};
pub(super) use tables::{Index, indexes};

use super::chain::{Noted, hash, hash_of};
use super::execution::Agent;
use super::lease::WriterLease;
use super::sql::{Aliases, find_table, load_model, sqlite};
use super::{CatalogError, read};
use crate::model::{Model, Rid, RidPrefix, Snapshot, Table};
use crate::version::DatasetName;

/// A transaction under way. Dropped without commit, it leaves nothing.
pub struct Change<'c> {
    pub(super) transaction: Transaction<'c>,
    pub(super) path: PathBuf,
    pub(super) model: Model,
    pub(super) aliases: Aliases,
    model_changed: bool,
    pub(super) number: i64,
    snapshot: Snapshot,
    /// The snapshot's timestamp, for RCT and RMT.
    now: String,
    prefix: RidPrefix,
    next_rid: u64,
    pub(super) agent: Agent,
    pub(super) execution: Option<Rid>,
    /// The transaction that this one takes back.
    pub(super) undoes: Option<i64>,
    /// Rows inserted, superseded or deleted.
    rows: u64,
    /// Tables with such rows, by qualified name.
    touched: BTreeSet<String>,
    /// New tables, whose indexes are made at the end: that is faster.
    unindexed: BTreeSet<String>,
    /// References are not checked: what comes from elsewhere may refer to what did not come along.
    dangling_allowed: bool,
    /// When the rows were made, where that was before this change: what a job spooled.
    pub(super) made: Option<String>,
    /// Given up after the transaction has ended.
    lease: Option<WriterLease>,
}

impl<'c> Change<'c> {
    pub(super) fn begin(
        transaction: Transaction<'c>,
        path: PathBuf,
        now: i64,
        prefix: RidPrefix,
        agent: Agent,
    ) -> Result<Self, CatalogError> {
        let fail = |e| sqlite(&path, e);
        let (last, snapshot): (Option<i64>, Option<i64>) = transaction
            .query_row("SELECT max(number), max(snapshot) FROM dbag_transaction", (), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .map_err(fail)?;
        let next_rid: i64 = transaction
            .query_row("SELECT value FROM dbag_meta WHERE key = 'next_rid'", (), |row| row.get(0))
            .map_err(fail)?;
        let model = load_model(&transaction, &path, i64::MAX)?;
        let aliases = Aliases::load(&transaction).map_err(fail)?;
        // A clock that stands still or goes back must not make two snapshots one.
        let snapshot = Snapshot::from_micros(snapshot.map_or(now, |last| now.max(last + 1)));
        Ok(Self {
            now: snapshot.timestamp(),
            snapshot,
            number: last.unwrap_or(0) + 1,
            next_rid: next_rid.unsigned_abs(),
            model_changed: false,
            rows: 0,
            touched: BTreeSet::new(),
            unindexed: BTreeSet::new(),
            dangling_allowed: false,
            made: None,
            lease: None,
            execution: None,
            undoes: None,
            transaction,
            path,
            model,
            aliases,
            prefix,
            agent,
        })
    }

    /// Keeps other writers waiting until the transaction has ended.
    pub(super) fn hold(&mut self, lease: Option<WriterLease>) {
        self.lease = lease;
    }

    pub(super) fn commit(mut self, command: &str) -> Result<(), CatalogError> {
        self.finish(command)?;
        self.transaction.commit().map_err(|e| sqlite(&self.path, e))
    }

    /// Everything but the commit itself; nothing where nothing was changed. An undo is noted even then: else the next one would
    /// take back the same change again.
    pub(super) fn finish(&mut self, command: &str) -> Result<(), CatalogError> {
        if self.rows == 0 && !self.model_changed && self.undoes.is_none() {
            return Ok(());
        }
        let execution = self.record_execution(command)?;
        self.make_indexes()?;
        if !self.dangling_allowed {
            self.check_references()?;
        }
        let fail = |e| sqlite(&self.path, e);
        let transaction = &self.transaction;
        let noted = Noted {
            number: self.number,
            snapshot: self.snapshot.micros(),
            command,
            actor: &self.agent.user,
            execution: execution.as_ref().map(Rid::as_str),
            undoes: self.undoes,
        };
        let hash = hash(&hash_of(transaction, self.number - 1).map_err(fail)?, &noted);
        transaction
            .execute(
                "INSERT INTO dbag_transaction (number, snapshot, command, actor, execution, undoes, hash) \
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    self.number,
                    self.snapshot.micros(),
                    command,
                    &self.agent.user,
                    execution.as_ref().map(Rid::as_str),
                    self.undoes,
                    hash,
                ),
            )
            .map_err(fail)?;
        let next = self.next_rid.cast_signed();
        transaction.execute("UPDATE dbag_meta SET value = ? WHERE key = 'next_rid'", [next]).map_err(fail)?;
        if self.model_changed {
            let json = serde_json::to_string(&self.model)
                .map_err(|e| CatalogError::Corrupt { path: self.path.clone(), reason: e.to_string() })?;
            transaction.execute("INSERT INTO dbag_model VALUES (?, ?)", (self.number, json)).map_err(fail)?;
        }
        Ok(())
    }

    /// The model, with this change's additions.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The snapshot that this change will make.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot
    }

    /// The snapshot of the last transaction up to `number` that is done.
    pub(super) fn snapshot_before(&self, number: i64) -> Option<Snapshot> {
        let sql = "SELECT max(snapshot) FROM dbag_transaction WHERE number <= ?";
        let found = self.transaction.query_row(sql, [number], |row| row.get::<_, Option<i64>>(0));
        found.ok().flatten().map(Snapshot::from_micros)
    }

    /// Lets rows refer to rows that are not there, and lack values that they need, as those of a bag do: their neighbours
    /// stayed in its catalog, and older catalogs had fewer columns.
    pub fn allow_dangling(&mut self) {
        self.dangling_allowed = true;
    }

    pub(super) fn transaction(&self) -> &Transaction<'c> {
        &self.transaction
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn fail(&self, error: rusqlite::Error) -> CatalogError {
        sqlite(&self.path, error)
    }

    /// A table by its bare name or as `schema:Table`.
    pub fn table(&self, name: &str) -> Result<Table, CatalogError> {
        find_table(&self.model, name).cloned()
    }

    /// The next record id of this catalog.
    pub(super) fn new_rid(&mut self) -> Rid {
        let rid = self.prefix.rid(self.next_rid);
        self.next_rid += 1;
        rid
    }

    /// Leaves out the ids up to one that was given elsewhere, by a catalog with the same prefix.
    pub(super) fn pass_rid(&mut self, rid: &Rid) {
        // Nobody has made as many; a hostile bag may say so.
        if let Some(counter) = self.prefix.counter(rid).filter(|counter| *counter < 1 << 60) {
            self.next_rid = self.next_rid.max(counter + 1);
        }
    }

    /// Notes that a row of a table is new, superseded or gone.
    pub(super) fn touch(&mut self, table: &Table) {
        self.rows += 1;
        self.touched.insert(table.qualified_name());
    }

    /// The SQL of a table's rows as they are now, the model's columns under their own names.
    pub(super) fn now(&self, table: &Table) -> String {
        read::rows_now(table, &self.aliases)
    }

    /// Gives a dataset its name. Names live beside the versioned rows.
    pub(super) fn name_dataset(&mut self, name: &DatasetName, rid: &Rid) -> Result<(), CatalogError> {
        let sql = "INSERT INTO dbag_dataset VALUES (?, ?)";
        self.transaction.execute(sql, (name.as_str(), rid.as_str())).map_err(|e| self.fail(e))?;
        Ok(())
    }

    /// Takes a dataset's name away.
    pub(super) fn unname_dataset(&mut self, rid: &Rid) -> Result<(), CatalogError> {
        let sql = "DELETE FROM dbag_dataset WHERE rid = ?";
        self.transaction.execute(sql, [rid.as_str()]).map_err(|e| self.fail(e))?;
        Ok(())
    }
}
