//! One write transaction: rows inserted and superseded, tables added, a snapshot made.

use std::path::{Path, PathBuf};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{ToSql, Transaction, params_from_iter};

use super::CatalogError;
use super::sql::{find_table, is_name, load_model, quoted, sql_names, sqlite};
use crate::model::{Model, Rid, RidPrefix, SYSTEM_COLUMNS, Snapshot, Table};
use crate::tabular::Value;
use crate::version::DatasetName;

/// SQLite's default limit, less the columns that dbag adds.
const MAX_COLUMNS: usize = 1990;

/// A transaction under way. Dropped without commit, it leaves nothing.
pub struct Change<'c> {
    transaction: Transaction<'c>,
    path: PathBuf,
    model: Model,
    model_changed: bool,
    number: i64,
    snapshot: Snapshot,
    prefix: RidPrefix,
    next_rid: u64,
    actor: String,
    /// Rows inserted or superseded.
    rows: u64,
}

/// A table's prepared write: what to say to SQLite for one row.
pub struct RowWriter {
    insert: String,
    supersede: String,
    update: String,
}

impl RowWriter {
    /// The statements for a table, its own columns in the model's order.
    #[must_use]
    pub fn new(table: &Table) -> Self {
        let (live, history) = sql_names(table);
        let columns: Vec<String> =
            table.column_definitions.iter().map(|column| quoted(&column.name)).collect();
        let marks = vec!["?"; columns.len() + 1].join(", ");
        let names = columns.join(", ");
        let own: Vec<String> =
            table.own_columns().map(|column| format!("{} = ?", quoted(&column.name))).collect();
        let own = if own.is_empty() { String::new() } else { format!(", {}", own.join(", ")) };
        Self {
            insert: format!("INSERT INTO {live} ({names}, \"dbag:from\") VALUES ({marks})"),
            supersede: format!(
                "INSERT INTO {history} ({names}, \"dbag:from\", \"dbag:to\") \
                 SELECT {names}, \"dbag:from\", ? FROM {live} WHERE \"RID\" = ?"
            ),
            update: format!(
                "UPDATE {live} SET \"dbag:from\" = ?, \"RMT\" = ?, \"RMB\" = ?{own} WHERE \"RID\" = ?"
            ),
        }
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Boolean(value) => ValueRef::Integer(i64::from(*value)),
            Self::Integer(value) => ValueRef::Integer(*value),
            // SQLite has no NaN: it would become NULL.
            Self::Float(value) if value.is_nan() => ValueRef::Text(b"NaN"),
            Self::Float(value) => ValueRef::Real(*value),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

impl<'c> Change<'c> {
    pub(super) fn begin(
        transaction: Transaction<'c>,
        path: PathBuf,
        now: i64,
        prefix: RidPrefix,
        actor: String,
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
        Ok(Self {
            // A clock that stands still or goes back must not make two snapshots one.
            snapshot: Snapshot::from_micros(snapshot.map_or(now, |last| now.max(last + 1))),
            number: last.unwrap_or(0) + 1,
            next_rid: next_rid.unsigned_abs(),
            model_changed: false,
            rows: 0,
            transaction,
            path,
            model,
            prefix,
            actor,
        })
    }

    pub(super) fn commit(self, command: &str) -> Result<(), CatalogError> {
        if self.rows == 0 && !self.model_changed {
            return Ok(());
        }
        let fail = |e| sqlite(&self.path, e);
        let transaction = &self.transaction;
        let stamp = (self.number, self.snapshot.micros(), command, &self.actor);
        transaction.execute("INSERT INTO dbag_transaction VALUES (?, ?, ?, ?)", stamp).map_err(fail)?;
        let next = self.next_rid.cast_signed();
        transaction.execute("UPDATE dbag_meta SET value = ? WHERE key = 'next_rid'", [next]).map_err(fail)?;
        if self.model_changed {
            let json = serde_json::to_string(&self.model)
                .map_err(|e| CatalogError::Corrupt { path: self.path.clone(), reason: e.to_string() })?;
            transaction.execute("INSERT INTO dbag_model VALUES (?, ?)", (self.number, json)).map_err(fail)?;
        }
        self.transaction.commit().map_err(|e| sqlite(&self.path, e))
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

    pub(super) fn transaction(&self) -> &Transaction<'c> {
        &self.transaction
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A table by its bare name or as `schema:Table`.
    pub fn table(&self, name: &str) -> Result<Table, CatalogError> {
        find_table(&self.model, name).cloned()
    }

    /// Adds a table: to the model, and as SQL tables for its rows and their history.
    pub fn put_table(&mut self, table: Table) -> Result<(), CatalogError> {
        check_table(&self.model, &table)?;
        let (live, history) = sql_names(&table);
        let columns: Vec<String> = table
            .column_definitions
            .iter()
            .map(|column| {
                let key = if column.name == "RID" { " PRIMARY KEY" } else { "" };
                let null = if column.nullok { "" } else { " NOT NULL" };
                (column, key, null)
            })
            .map(|(column, key, null)| {
                format!("{} {}{key}{null}", quoted(&column.name), column.column_type.storage().sql())
            })
            .collect();
        let columns = columns.join(", ");
        let past = columns.replacen(" PRIMARY KEY", "", 1);
        let name = |what: &str| quoted(&format!("{} {what}", table.qualified_name()));
        let sql = format!(
            "CREATE TABLE {live} ({columns}, \"dbag:from\" INTEGER NOT NULL);
             CREATE TABLE {history} ({past}, \"dbag:from\" INTEGER NOT NULL, \"dbag:to\" INTEGER NOT NULL);
             CREATE INDEX {} ON {history} (\"RID\");
             CREATE INDEX {} ON {history} (\"dbag:to\");",
            name("history by RID"),
            name("history by end")
        );
        self.transaction.execute_batch(&sql).map_err(|e| sqlite(&self.path, e))?;
        // An association is looked up by each of its columns.
        for foreign_key in table.foreign_keys.iter().filter(|_| table.natural_key().is_some()) {
            for column in &foreign_key.foreign_key_columns {
                let index = name(&format!("by {}", column.column_name));
                let sql = format!("CREATE INDEX {index} ON {live} ({})", quoted(&column.column_name));
                self.transaction.execute_batch(&sql).map_err(|e| sqlite(&self.path, e))?;
            }
        }
        self.model.put_table(table);
        self.model_changed = true;
        Ok(())
    }

    /// Inserts a row and returns its id; `values` are the table's own columns in the model's order.
    pub fn insert(&mut self, writer: &RowWriter, values: &[Value]) -> Result<Rid, CatalogError> {
        let rid = self.prefix.rid(self.next_rid);
        self.next_rid += 1;
        let now = self.snapshot.timestamp();
        let mut statement =
            self.transaction.prepare_cached(&writer.insert).map_err(|e| sqlite(&self.path, e))?;
        let system: [&dyn ToSql; SYSTEM_COLUMNS.len()] =
            [&rid.as_str(), &now, &now, &self.actor, &self.actor];
        let number: &dyn ToSql = &self.number;
        let all = system.into_iter().chain(values.iter().map(|value| value as &dyn ToSql)).chain([number]);
        statement.execute(params_from_iter(all)).map_err(|e| sqlite(&self.path, e))?;
        self.rows += 1;
        Ok(rid)
    }

    /// Gives a row new values; the old ones go to history.
    pub fn update(&mut self, writer: &RowWriter, rid: &str, values: &[Value]) -> Result<(), CatalogError> {
        let fail = |e| sqlite(&self.path, e);
        let now = self.snapshot.timestamp();
        self.transaction
            .prepare_cached(&writer.supersede)
            .and_then(|mut statement| statement.execute((self.number, rid)))
            .map_err(fail)?;
        let mut statement = self.transaction.prepare_cached(&writer.update).map_err(fail)?;
        let stamp: [&dyn ToSql; 3] = [&self.number, &now, &self.actor];
        let rid: &dyn ToSql = &rid;
        let all = stamp.into_iter().chain(values.iter().map(|value| value as &dyn ToSql)).chain([rid]);
        statement.execute(params_from_iter(all)).map_err(fail)?;
        self.rows += 1;
        Ok(())
    }

    /// Gives a dataset its name. Names live beside the versioned rows.
    pub(super) fn name_dataset(&mut self, name: &DatasetName, rid: &Rid) -> Result<(), CatalogError> {
        let sql = "INSERT INTO dbag_dataset VALUES (?, ?)";
        self.transaction.execute(sql, (name.as_str(), rid.as_str())).map_err(|e| sqlite(&self.path, e))?;
        Ok(())
    }
}

/// Refuses names that SQLite would confuse: it compares column and table names without case.
fn check_table(model: &Model, table: &Table) -> Result<(), CatalogError> {
    let name = &table.table_name;
    if !is_name(name) {
        return Err(CatalogError::BadTableName(name.clone()));
    }
    let same = |other: &&Table| other.qualified_name().eq_ignore_ascii_case(&table.qualified_name());
    if let Some(other) = model.tables().find(same) {
        return Err(CatalogError::TableExists(other.table_name.clone()));
    }
    let count = table.column_definitions.len();
    if count > MAX_COLUMNS {
        return Err(CatalogError::TooManyColumns { table: name.clone(), count, limit: MAX_COLUMNS });
    }
    let mut seen = std::collections::HashSet::new();
    for column in &table.column_definitions {
        let bad = |reason: &str| {
            Err(CatalogError::BadColumn {
                table: name.clone(),
                column: column.name.clone(),
                reason: reason.into(),
            })
        };
        if column.name.contains('\0') {
            return bad("it holds a NUL");
        }
        if table.own_columns().any(|own| std::ptr::eq(own, column))
            && SYSTEM_COLUMNS.iter().any(|system| system.eq_ignore_ascii_case(&column.name))
        {
            return bad("it is one of the system columns RID, RCT, RMT, RCB and RMB, which every table has");
        }
        if column.name.starts_with("dbag:") {
            return bad("names that start with dbag: are kept for dbag");
        }
        if !seen.insert(column.name.to_ascii_lowercase()) {
            return bad("another column has the same name, or one that differs only in case");
        }
    }
    Ok(())
}
