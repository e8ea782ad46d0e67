//! The last change taken back, by a change of its own: nothing is rewritten, and what was undone stays in the past.

use rusqlite::OptionalExtension;

use super::sql::{load_model, sql_names};
use super::{Catalog, CatalogError, Change};
use crate::model::{DERIVA_ML, Table};

/// What was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// The change's number.
    pub number: i64,
    /// The command that had made it.
    pub command: String,
    /// Rows that are as they were before it.
    pub rows: u64,
}

impl Catalog {
    /// Takes back the last change that is not taken back yet. Again, it takes back the one before.
    ///
    /// A release stands for ever, and so does what came before it.
    pub fn undo(&mut self, dry_run: bool) -> Result<Undone, CatalogError> {
        // Which change is the last is known only once no other process can add one.
        let take_back = |change: &mut Change<'_>| {
            let Some((number, command)) = change.last_change()? else {
                return Err(CatalogError::NothingToUndo);
            };
            if change.has_withdrawn(number)? {
                return Err(CatalogError::WithdrawnForGood(number));
            }
            if let Some(label) = change.release_since(number)? {
                return Err(CatalogError::Released(label));
            }
            change.undoes = Some(number);
            change.allow_dangling();
            let rows = change.restore(number - 1)?;
            Ok(Undone { number, command, rows })
        };
        if dry_run { self.rehearse(take_back) } else { self.change("dbag undo", take_back) }
    }
}

impl Change<'_> {
    /// The last change that neither took another back nor was taken back. The first, which made the catalog, stays.
    fn last_change(&self) -> Result<Option<(i64, String)>, CatalogError> {
        let sql = "SELECT number, command FROM dbag_transaction t WHERE undoes IS NULL AND number > 1 \
                   AND NOT EXISTS (SELECT 1 FROM dbag_transaction u WHERE u.undoes = t.number) \
                   ORDER BY number DESC LIMIT 1";
        let found = self.transaction.query_row(sql, (), |row| Ok((row.get(0)?, row.get(1)?))).optional();
        found.map_err(|e| self.fail(e))
    }

    /// Whether a change withdrew rows.
    fn has_withdrawn(&self, number: i64) -> Result<bool, CatalogError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM dbag_tombstone WHERE number = ?)";
        self.transaction.query_row(sql, [number], |row| row.get(0)).map_err(|e| self.fail(e))
    }

    /// A version that was released by a change or after it.
    fn release_since(&self, number: i64) -> Result<Option<String>, CatalogError> {
        let sql = "SELECT d.name || '@' || v.\"Version\" FROM \"deriva-ml:Dataset_Version\" v \
                   JOIN dbag_version p ON p.rid = v.\"RID\" AND p.adopted = 0 \
                   JOIN dbag_dataset d ON d.rid = v.\"Dataset\" WHERE p.number >= ? LIMIT 1";
        let found = self.transaction.query_row(sql, [number], |row| row.get(0)).optional();
        found.map_err(|e| self.fail(e))
    }

    /// Brings every row and the model back to what they were after transaction `then`. Executions and workflows stay:
    /// they tell what was done.
    fn restore(&mut self, then: i64) -> Result<u64, CatalogError> {
        let old = load_model(&self.transaction, &self.path, then)?;
        let mut rows = 0;
        let tables: Vec<Table> = self.model.tables().cloned().collect();
        let gone =
            old.tables().filter(|table| self.model.table(&table.schema_name, &table.table_name).is_none());
        let all: Vec<Table> = tables.into_iter().chain(gone.cloned()).collect();
        for table in all.iter().filter(|table| !is_record(table)) {
            rows += self.restore_rows(table, then)?;
        }
        if old.schemas != self.model.schemas {
            self.put_model(old)?;
        }
        let sql = "DELETE FROM dbag_dataset WHERE rid NOT IN (SELECT \"RID\" FROM \"deriva-ml:Dataset\");
                   DELETE FROM dbag_version WHERE rid NOT IN (SELECT \"RID\" FROM \"deriva-ml:Dataset_Version\")";
        self.transaction.execute_batch(sql).map_err(|e| self.fail(e))?;
        Ok(rows)
    }

    fn restore_rows(&mut self, table: &Table, then: i64) -> Result<u64, CatalogError> {
        let (live, past) = sql_names(table);
        let columns = self.file_columns(table)?;
        let data: Vec<&str> =
            columns.iter().map(String::as_str).filter(|name| *name != "\"dbag:from\"").collect();
        let (data, number) = (data.join(", "), self.number);
        let sql = format!(
            // What each row was; a row that was not is not in it.
            "CREATE TEMP TABLE dbag_then AS SELECT {data} FROM main.{past} \
                 WHERE \"dbag:to\" > {then} AND \"dbag:from\" <= {then};
             CREATE TEMP TABLE dbag_now AS SELECT \"RID\" FROM main.{live} WHERE \"dbag:from\" > {then};
             DELETE FROM dbag_now WHERE \"RID\" IN (
                 SELECT \"RID\" FROM (SELECT {data} FROM main.{live} WHERE \"dbag:from\" > {then} \
                     INTERSECT SELECT {data} FROM dbag_then));
             DELETE FROM dbag_then WHERE \"RID\" IN (SELECT \"RID\" FROM main.{live}) \
                 AND \"RID\" NOT IN (SELECT \"RID\" FROM dbag_now);
             INSERT INTO main.{past} ({columns}, \"dbag:to\") SELECT {columns}, {number} FROM main.{live} \
                 WHERE \"RID\" IN (SELECT \"RID\" FROM dbag_now);
             DELETE FROM main.{live} WHERE \"RID\" IN (SELECT \"RID\" FROM dbag_now);
             INSERT INTO main.{live} ({data}, \"dbag:from\") SELECT {data}, {number} FROM dbag_then;",
            columns = columns.join(", "),
        );
        self.transaction.execute_batch(&sql).map_err(|e| self.fail(e))?;
        let sql = "SELECT count(*) FROM (SELECT \"RID\" FROM dbag_then UNION SELECT \"RID\" FROM dbag_now)";
        let rows: i64 = self.transaction.query_row(sql, (), |row| row.get(0)).map_err(|e| self.fail(e))?;
        let drop = "DROP TABLE dbag_then; DROP TABLE dbag_now;";
        self.transaction.execute_batch(drop).map_err(|e| self.fail(e))?;
        if rows > 0 {
            self.touch(table);
        }
        Ok(rows.unsigned_abs())
    }
}

/// Whether a table records what was done, rather than what is.
fn is_record(table: &Table) -> bool {
    table.schema_name == DERIVA_ML && ["Execution", "Workflow"].contains(&table.table_name.as_str())
}
