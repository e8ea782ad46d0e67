//! The past: every change that was made, and the moment that a snapshot id, a date or a version stands for.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use rusqlite::OptionalExtension;

use super::read::{Row, row_at};
use super::selection::whole;
use super::{Catalog, CatalogError, TableSelection};
use crate::model::{Model, Snapshot, Table, parse_timestamp};
use crate::version::{Requirement, VersionRef};

/// A moment in a catalog's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// As it is.
    Now,
    /// As it was when a version was released, the newest where several will do.
    Version(Requirement),
    /// As it was at a snapshot.
    Snapshot(Snapshot),
}

impl FromStr for Moment {
    type Err = CatalogError;

    /// `now`, a version (`digits@1.0.0`, `digits@^1`), a snapshot id (`361-VCY3-TYV8`), a day (its end, in UTC) or a time with an
    /// offset.
    fn from_str(text: &str) -> Result<Self, CatalogError> {
        if text == "now" {
            return Ok(Self::Now);
        }
        if let Ok(requirement) = text.parse() {
            return Ok(Self::Version(requirement));
        }
        if let Some(micros) = parse_timestamp(text) {
            return Ok(Self::Snapshot(Snapshot::from_micros(micros)));
        }
        if let Ok(day) = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            let next = day.succ_opt().and_then(|next| next.and_hms_opt(0, 0, 0));
            let end = next.map_or(i64::MAX, |next| next.and_utc().timestamp_micros());
            return Ok(Self::Snapshot(Snapshot::from_micros(end - 1)));
        }
        text.parse().map(Self::Snapshot).map_err(|_| CatalogError::NotAMoment(text.to_owned()))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => f.write_str("now"),
            Self::Version(requirement) => requirement.fmt(f),
            Self::Snapshot(snapshot) => snapshot.fmt(f),
        }
    }
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionSummary {
    /// Its number; they are dense.
    pub number: i64,
    /// Its snapshot.
    pub snapshot: Snapshot,
    /// The command that made it.
    pub command: String,
    /// Who made it.
    pub actor: String,
    /// The RID of its execution.
    pub execution: Option<String>,
    /// The change that it took back.
    pub undoes: Option<i64>,
    /// The change that took it back.
    pub undone_by: Option<i64>,
}

impl Catalog {
    /// The changes, newest first, at most `limit`.
    pub fn transactions(&self, limit: u32) -> Result<Vec<TransactionSummary>, CatalogError> {
        let sql = "SELECT number, snapshot, command, actor, execution, undoes FROM dbag_transaction \
                   ORDER BY number DESC LIMIT ?";
        let mut statement = self.connection.prepare(sql).map_err(|e| self.fail(e))?;
        let rows = statement.query_map([limit], |row| {
            Ok(TransactionSummary {
                number: row.get(0)?,
                snapshot: Snapshot::from_micros(row.get(1)?),
                command: row.get(2)?,
                actor: row.get(3)?,
                execution: row.get(4)?,
                undoes: row.get(5)?,
                undone_by: None,
            })
        });
        let rows = rows.and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>);
        let mut transactions = rows.map_err(|e| self.fail(e))?;
        // What took a change back is newer, so it is among these too.
        let undone: HashMap<i64, i64> =
            transactions.iter().filter_map(|undo| Some((undo.undoes?, undo.number))).collect();
        for transaction in &mut transactions {
            transaction.undone_by = undone.get(&transaction.number).copied();
        }
        Ok(transactions)
    }

    /// The number of the last transaction at a moment.
    pub fn number_at(&self, moment: &Moment) -> Result<i64, CatalogError> {
        match moment {
            Moment::Now => {
                let sql = "SELECT ifnull(max(number), 0) FROM dbag_transaction";
                self.connection.query_row(sql, (), |row| row.get(0)).map_err(|e| self.fail(e))
            }
            Moment::Version(requirement) => self.released_by(&self.resolve(requirement)?),
            Moment::Snapshot(snapshot) => {
                let sql =
                    "SELECT number FROM dbag_transaction WHERE snapshot <= ? ORDER BY snapshot DESC LIMIT 1";
                let found = self.connection.query_row(sql, [snapshot.micros()], |row| row.get(0)).optional();
                found.map_err(|e| self.fail(e))?.ok_or_else(|| CatalogError::BeforeTime(snapshot.timestamp()))
            }
        }
    }

    /// The number of the transaction that a version stands for.
    fn released_by(&self, reference: &VersionRef) -> Result<i64, CatalogError> {
        let view = self.view()?;
        let rid = view.dataset_rid(&reference.name)?;
        view.release(&reference.name, &rid, &reference.version).map(|release| release.number)
    }

    /// A row of a table as it was at a moment: its own columns in the order of `table`, which must be of that moment too.
    pub fn row_at(&self, table: &Table, rid: &str, moment: &Moment) -> Result<Option<Row>, CatalogError> {
        let number = self.number_at(moment)?;
        let columns: Vec<&str> = table.own_columns().map(|column| column.name.as_str()).collect();
        let storage: Vec<_> = table.own_columns().map(|column| column.column_type.storage()).collect();
        row_at(&self.connection, &self.path, table, &columns, &storage, (rid, number), &self.aliases()?)
    }

    /// Everything that the catalog held at a moment.
    pub fn whole_at(&self, moment: &Moment) -> Result<(Model, Vec<TableSelection>), CatalogError> {
        let number = self.number_at(moment)?;
        let model = self.model_at(number)?;
        let tables = whole(&model, number);
        Ok((model, tables))
    }
}
