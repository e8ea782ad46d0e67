//! Tables, columns, indexes, keys and references: whether the file has what the newest model says.

use std::collections::HashSet;

use super::{CheckReport, Checked, Fault, index_names, indexes};
use crate::catalog::CatalogError;
use crate::catalog::sql::{literal, quoted, sql_names, sqlite};
use crate::model::{Rid, RidPrefix, Table};

/// Symbols that local ids end with.
const ODD: &str = "'1','3','5','7','9','B','D','F','H','K','N','Q','S','V','X','Z'";

impl Checked<'_> {
    /// SQL tables, columns and indexes. Tables that lack one of the first two are not looked at any further.
    pub(super) fn tables(&mut self, report: &mut CheckReport) -> Result<(), CatalogError> {
        for table in self.change.model.tables() {
            report.tables += 1;
            let missing = self.missing(table)?;
            for name in &missing {
                report.add("E404", table.qualified_name(), format!("has no {name} in the file"));
            }
            if missing.is_empty() {
                self.whole.push(table);
                self.indexes(table, report)?;
            }
        }
        Ok(())
    }

    /// What the file lacks of a table: SQL tables and columns, in words.
    fn missing(&self, table: &Table) -> Result<Vec<String>, CatalogError> {
        let name = table.qualified_name();
        let past = format!("{name}@history");
        let mut missing = Vec::new();
        for (sql_table, own) in [(&name, vec!["dbag:from"]), (&past, vec!["dbag:from", "dbag:to"])] {
            let sql = format!("SELECT lower(name) FROM pragma_table_info({}, 'main')", literal(sql_table));
            let there: HashSet<String> = self.texts(&sql)?.into_iter().flatten().collect();
            if there.is_empty() {
                missing.push(format!("SQL table {sql_table:?}"));
                continue;
            }
            let physical = table.column_definitions.iter().map(|c| self.change.aliases.physical(table, c));
            for name in physical.chain(own.into_iter().map(str::to_owned)) {
                // SQLite takes letters of ASCII for the same whatever their case.
                if !there.contains(&name.to_ascii_lowercase()) {
                    missing.push(format!("column {name:?} in {sql_table:?}"));
                }
            }
        }
        Ok(missing)
    }

    fn indexes(&self, table: &Table, report: &mut CheckReport) -> Result<(), CatalogError> {
        let there = index_names(self.change, table)?.unwrap_or_default();
        for index in indexes(table, &self.change.aliases) {
            if there.contains(&index.name.to_lowercase()) {
                continue;
            }
            let message = format!("has no index {:?} in the file", index.name);
            report.faults.push(Fault::new("W405", table.qualified_name(), message).mendable());
            if !index.columns.is_empty() {
                self.key(table, &index.columns, report)?;
            }
        }
        Ok(())
    }

    /// Rows with the same key, which an index would not allow.
    fn key(&self, table: &Table, key: &[String], report: &mut CheckReport) -> Result<(), CatalogError> {
        let physical = |name: &String| {
            table.column(name).map(|found| quoted(&self.change.aliases.physical(table, found)))
        };
        let Some(columns) = key.iter().map(physical).collect::<Option<Vec<_>>>() else { return Ok(()) };
        let (live, _) = sql_names(table);
        let set: Vec<String> = columns.iter().map(|column| format!("{column} IS NOT NULL")).collect();
        let sql = format!(
            "SELECT {name} || ' ' || min(\"RID\") AS a, 'and ' || (count(*) - 1) || ' more have the same ' || {key} AS b \
             FROM main.{live} WHERE {set} GROUP BY {columns} HAVING count(*) > 1",
            name = literal(&table.qualified_name()),
            key = literal(&key.join(", ")),
            set = set.join(" AND "),
            columns = columns.join(", "),
        );
        self.tell(report, "E406", &sql)
    }

    /// Counts the rows, and looks for values that are not there and should be.
    pub(super) fn rows(&self, table: &Table, report: &mut CheckReport) -> Result<(), CatalogError> {
        let (live, history) = sql_names(table);
        report.rows += self.number(&format!("SELECT count(*) FROM main.{live}"))?.unsigned_abs();
        report.past_rows += self.number(&format!("SELECT count(*) FROM main.{history}"))?.unsigned_abs();
        let needed = table.column_definitions.iter().filter(|column| !column.nullok);
        let sums: Vec<(String, String)> = needed
            .map(|found| {
                let physical = quoted(&self.change.aliases.physical(table, found));
                (found.name.clone(), format!("total({physical} IS NULL)"))
            })
            .collect();
        if sums.is_empty() {
            return Ok(());
        }
        let all: Vec<&str> = sums.iter().map(|(_, sum)| sum.as_str()).collect();
        let counts = self.texts(&format!("SELECT {} FROM main.{live}", all.join(", ")))?;
        for ((name, _), count) in sums.iter().zip(counts.into_iter().flatten()) {
            if count != "0" {
                let place = format!("{}.{name}", table.qualified_name());
                report.add("W407", place, format!("has no value in {count} rows that need one"));
            }
        }
        Ok(())
    }

    /// No RID is that of two rows; those that will be given are new.
    pub(super) fn rids(
        &self,
        report: &mut CheckReport,
        prefix: &RidPrefix,
        next_rid: i64,
    ) -> Result<(), CatalogError> {
        let fail = |e| sqlite(&self.change.path, e);
        let run = |sql: &str| self.change.transaction.execute_batch(sql).map_err(fail);
        run("DROP TABLE IF EXISTS temp.dbag_rids; CREATE TEMP TABLE dbag_rids (rid TEXT, name TEXT)")?;
        let mut highest: Option<(u64, String)> = None;
        for table in &self.whole {
            let (live, history) = sql_names(table);
            let name = literal(&table.qualified_name());
            run(&format!("INSERT INTO temp.dbag_rids SELECT \"RID\", {name} FROM main.{live}"))?;
            for rows in [live, history] {
                let sql = format!(
                    "SELECT \"RID\" FROM main.{rows} WHERE \"RID\" GLOB '{}-*' AND substr(\"RID\", -1) IN ({ODD}) \
                     ORDER BY length(\"RID\") DESC, \"RID\" DESC LIMIT 1",
                    prefix.as_str()
                );
                let rid = self.texts(&sql)?.pop().and_then(|mut row| row.pop());
                let counter = rid.as_deref().and_then(Rid::parse).and_then(|rid| prefix.counter(&rid));
                if let (Some(rid), Some(counter)) = (rid, counter.filter(|counter| *counter < 1 << 60)) {
                    highest = highest.max(Some((counter, rid)));
                }
            }
        }
        let twice = "SELECT rid AS a, 'is the RID of several rows, in ' || group_concat(name, ' and ') AS b \
                     FROM temp.dbag_rids GROUP BY rid HAVING count(*) > 1";
        self.tell(report, "E408", twice)?;
        run("DROP TABLE temp.dbag_rids")?;
        if let Some((_, rid)) = highest.filter(|(counter, _)| *counter >= next_rid.unsigned_abs()) {
            report.add("E409", rid, "was given already, and the counter of RIDs would give it again");
        }
        Ok(())
    }

    /// Names of datasets lead to datasets.
    pub(super) fn datasets(&self, report: &mut CheckReport) -> Result<(), CatalogError> {
        let is_whole = self.whole.iter().any(|table| table.qualified_name() == "deriva-ml:Dataset");
        if !is_whole {
            return Ok(());
        }
        let sql = "SELECT 'dataset ' || name AS a, 'has the RID ' || rid || ', which no dataset has' AS b \
                   FROM dbag_dataset WHERE rid NOT IN (SELECT \"RID\" FROM main.\"deriva-ml:Dataset\")";
        self.tell(report, "E410", sql)
    }

    /// References that lead nowhere, counted: what was imported from bags has such.
    pub(super) fn references(&self, report: &mut CheckReport) -> Result<(), CatalogError> {
        if self.whole.len() < self.change.model.tables().count() {
            return Ok(());
        }
        for (place, count) in self.change.dangling()? {
            report.add("W411", place, format!("leads to no row from {count}"));
        }
        Ok(())
    }
}
