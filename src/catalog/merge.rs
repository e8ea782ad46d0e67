//! What a merge of rows from elsewhere asks of a change.

use rusqlite::OptionalExtension;

use super::read::{for_each_row, value};
use super::sql::{literal, quoted, sql_names};
use super::{CatalogError, Change, RowWriter, SystemValues};
use crate::model::{Rid, Storage, Table};
use crate::tabular::Value;
use crate::version::{DatasetName, DatasetVersion};

/// A row that is there.
#[derive(Debug, Clone)]
pub struct RowThere {
    /// Its own columns in the model's order.
    pub values: Vec<Value>,
    /// Its RMT.
    pub modified: String,
    /// Whether this very change made it.
    pub is_new: bool,
}

impl Change<'_> {
    /// A row by its RID, if it is there.
    pub fn find_values(&self, table: &Table, rid: &str) -> Result<Option<RowThere>, CatalogError> {
        let (live, _) = sql_names(table);
        let names: Vec<String> =
            table.own_columns().map(|column| quoted(&self.aliases.physical(table, column))).collect();
        let names = names.iter().map(|name| format!(", {name}")).collect::<String>();
        let sql = format!("SELECT \"dbag:from\", \"RMT\"{names} FROM main.{live} WHERE \"RID\" = ?");
        let fail = |e| self.fail(e);
        let mut statement = self.transaction.prepare_cached(&sql).map_err(fail)?;
        let mut rows = statement.query([rid]).map_err(fail)?;
        let Some(row) = rows.next().map_err(fail)? else { return Ok(None) };
        let storage = table.own_columns().map(|column| column.column_type.storage());
        let cells = storage.enumerate();
        let values: Result<Vec<Value>, CatalogError> =
            cells.map(|(at, storage)| Ok(value(row.get_ref(at + 2).map_err(fail)?, storage))).collect();
        let from: i64 = row.get(0).map_err(fail)?;
        let modified: Option<String> = row.get(1).map_err(fail)?;
        Ok(Some(RowThere {
            values: values?,
            modified: modified.unwrap_or_default(),
            is_new: from == self.number,
        }))
    }

    /// Gives a row the values and system columns that it has elsewhere.
    pub fn update_as(
        &mut self,
        writer: &RowWriter,
        system: &SystemValues,
        values: &[Value],
    ) -> Result<(), CatalogError> {
        let Some(rid) = &system.rid else { return Ok(()) };
        self.update(writer, rid.as_str(), values)?;
        let (live, _) = sql_names(writer.table());
        let sql = format!(
            "UPDATE main.{live} SET \"RMT\" = coalesce(?, \"RMT\"), \"RMB\" = coalesce(?, \"RMB\") WHERE \"RID\" = ?"
        );
        let updated = self
            .transaction
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.execute((&system.rmt, &system.rmb, rid.as_str())));
        updated.map(drop).map_err(|e| self.fail(e))
    }

    /// The RIDs of the terms of a name.
    pub fn term_rids(&self, vocabulary: &Table, name: &str) -> Result<Vec<String>, CatalogError> {
        self.rids_where(vocabulary, Some(&format!("\"Name\" = {}", literal(name))))
    }

    /// The RID of the row with these values of a key.
    pub fn rid_by_key(&self, table: &Table, key: &[(&str, &Value)]) -> Result<Option<String>, CatalogError> {
        let (live, _) = sql_names(table);
        let column = |name: &str| {
            table.column(name).map_or_else(|| name.to_owned(), |column| self.aliases.physical(table, column))
        };
        let is: Vec<String> = key.iter().map(|(name, _)| format!("{} = ?", quoted(&column(name)))).collect();
        let sql = format!("SELECT \"RID\" FROM main.{live} WHERE {} LIMIT 1", is.join(" AND "));
        let values = rusqlite::params_from_iter(key.iter().map(|(_, value)| value));
        let found = self
            .transaction
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.query_row(values, |row| row.get(0)).optional());
        found.map_err(|e| self.fail(e))
    }

    /// Forgets the rows that [`Change::note_theirs`] noted.
    pub fn clear_theirs(&mut self) -> Result<(), CatalogError> {
        let sql = "DROP TABLE IF EXISTS temp.dbag_theirs; CREATE TEMP TABLE dbag_theirs \
                   (rid TEXT PRIMARY KEY, name TEXT NOT NULL, created TEXT NOT NULL) WITHOUT ROWID";
        self.transaction.execute_batch(sql).map_err(|e| self.fail(e))
    }

    /// Notes that a row of this table, RID and time of creation will come.
    pub fn note_theirs(&mut self, table: &str, rid: &str, created: &str) -> Result<(), CatalogError> {
        // A row whose RID is given anew must not get that of one that is still to come.
        if let Some(rid) = Rid::parse(rid) {
            self.pass_rid(&rid);
        }
        let sql = "INSERT OR IGNORE INTO temp.dbag_theirs VALUES (?, ?, ?)";
        let noted = self
            .transaction
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute((rid, table, created)));
        noted.map(drop).map_err(|e| self.fail(e))
    }

    /// Those of the noted rows whose RID is another row's here, with their tables; and those that were given another RID
    /// before, when they came from the same source.
    pub fn collisions(&self, source: &str) -> Result<Vec<(String, String)>, CatalogError> {
        let mut found = Vec::new();
        let mut add = |sql: &str| {
            for_each_row(&self.transaction, &self.path, sql, &[Storage::Text; 2], |row| {
                let text = |at: usize| row[at].to_text().unwrap_or_default().into_owned();
                found.push((text(0), text(1)));
                Ok::<_, CatalogError>(())
            })
        };
        add(&format!(
            "SELECT t.name, t.rid FROM temp.dbag_theirs t JOIN dbag_rid r \
             ON r.theirs = t.rid AND r.source = {}",
            literal(source)
        ))?;
        for table in self.model.tables() {
            let (live, _) = sql_names(table);
            add(&format!(
                "SELECT t.name, t.rid FROM temp.dbag_theirs t JOIN main.{live} l ON l.\"RID\" = t.rid \
                 WHERE NOT (t.name = {name} AND (t.created = '' OR t.created IS l.\"RCT\")) \
                 AND NOT EXISTS (SELECT 1 FROM dbag_rid r WHERE r.theirs = t.rid AND r.source = {source}) \
                 AND l.\"dbag:from\" < {number}",
                name = literal(&table.qualified_name()),
                source = literal(source),
                number = self.number,
            ))?;
        }
        Ok(found)
    }

    /// The RID here of a row of another source whose own is taken; the same at every merge.
    pub fn remap_rid(&mut self, source: &str, theirs: &str) -> Result<Rid, CatalogError> {
        let sql = "SELECT ours FROM dbag_rid WHERE source = ? AND theirs = ?";
        let known =
            self.transaction.query_row(sql, (source, theirs), |row| row.get::<_, String>(0)).optional();
        if let Some(rid) = known.map_err(|e| self.fail(e))?.as_deref().and_then(Rid::parse) {
            return Ok(rid);
        }
        let rid = self.new_rid();
        let sql = "INSERT INTO dbag_rid VALUES (?, ?, ?)";
        self.transaction.execute(sql, (source, theirs, rid.as_str())).map_err(|e| self.fail(e))?;
        Ok(rid)
    }

    /// Notes that the workspace has the bytes of a file that rows from elsewhere know by its MD5.
    pub fn note_object(&mut self, md5: &str, sha256: &str, length: u64) -> Result<(), CatalogError> {
        let sql = "INSERT OR IGNORE INTO dbag_object VALUES (?, ?, ?)";
        let row = (md5, sha256, length.cast_signed());
        self.transaction.execute(sql, row).map(drop).map_err(|e| self.fail(e))
    }

    /// Gives a dataset that came from elsewhere its name here: the one that it has already, or `wanted`, with a number
    /// after it where another dataset is called so.
    pub fn adopt_dataset(&mut self, rid: &str, wanted: &str) -> Result<DatasetName, CatalogError> {
        let named = |sql: &str, value: &str| {
            let found = self.transaction.query_row(sql, [value], |row| row.get::<_, String>(0)).optional();
            found.map_err(|e| self.fail(e))
        };
        let bad = |name: &str| CatalogError::Corrupt {
            path: self.path.clone(),
            reason: format!("a dataset is named {name:?}"),
        };
        if let Some(name) = named("SELECT name FROM dbag_dataset WHERE rid = ?", rid)? {
            return name.parse().map_err(|_| bad(&name));
        }
        let mut name = wanted.to_owned();
        let mut number = 1;
        while named("SELECT rid FROM dbag_dataset WHERE name = ?", &name)?.is_some() {
            number += 1;
            name = format!("{wanted}-{number}");
        }
        let name: DatasetName = name.parse().map_err(|_| bad(&name))?;
        let sql = "INSERT INTO dbag_dataset VALUES (?, ?)";
        self.transaction.execute(sql, (name.as_str(), rid)).map_err(|e| self.fail(e))?;
        Ok(name)
    }

    /// Makes this change stand for a version that was released elsewhere. False where no row speaks of it.
    pub fn adopt_version(&mut self, dataset: &str, label: &str) -> Result<bool, CatalogError> {
        // Labels of drift stand for nothing that lasts.
        let Ok(version) = label.parse::<DatasetVersion>() else { return Ok(false) };
        let fail = |e| self.fail(e);
        let sql = "SELECT \"RID\", \"Version\" FROM main.\"deriva-ml:Dataset_Version\" \
                   WHERE \"Dataset\" = ? AND \"Version\" IS NOT NULL";
        let mut statement = self.transaction.prepare(sql).map_err(fail)?;
        let rows = statement.query_map([dataset], |row| Ok((row.get(0)?, row.get(1)?)));
        let rows: rusqlite::Result<Vec<(String, String)>> = rows.and_then(Iterator::collect);
        // A label has several forms: 1.0.0rc1 is 1.0.0-rc.1.
        let is_it =
            |(_, label): &(String, String)| label.parse().is_ok_and(|other: DatasetVersion| other == version);
        let Some((rid, _)) = rows.map_err(fail)?.into_iter().find(is_it) else { return Ok(false) };
        let sql = "INSERT OR IGNORE INTO dbag_version (rid, number, adopted) VALUES (?, ?, 1)";
        Ok(self.transaction.execute(sql, (rid, self.number)).map_err(fail)? > 0)
    }

    /// References that lead to no row, by foreign key: `schema:Table.column`, and how many rows have one.
    pub fn dangling(&self) -> Result<Vec<(String, u64)>, CatalogError> {
        let mut counts = Vec::new();
        for (name, sql) in self.dangling_counts() {
            let count: i64 =
                self.transaction.query_row(&sql, (), |row| row.get(0)).map_err(|e| self.fail(e))?;
            if count > 0 {
                counts.push((name, count.unsigned_abs()));
            }
        }
        Ok(counts)
    }
}
