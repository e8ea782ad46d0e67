//! Tables, columns and keys: made, changed, dropped. SQL columns and tables stay for good, since history needs them.

use std::collections::HashSet;

use rusqlite::OptionalExtension;

use super::Change;
use super::rows::no_such_column;
use crate::catalog::CatalogError;
use crate::catalog::sql::{Aliases, is_name, quoted, sql_names};
use crate::model::{
    Column, DERIVA_ML, ForeignKey, SYSTEM_COLUMNS, Storage, Table, deriva_ml_tables, seed_terms,
};
use crate::tabular::Value;

/// SQLite's default limit, less the columns that dbag adds.
const MAX_COLUMNS: usize = 1990;

impl Change<'_> {
    /// Adds a table: to the model, and as SQL tables for its rows and their history.
    pub fn put_table(&mut self, table: Table) -> Result<(), CatalogError> {
        self.check_table(&table)?;
        let (live, history) = sql_names(&table);
        if self.is_in_file(&table)? {
            // A table of that name was dropped before; its past stays where it is.
            for column in &table.column_definitions {
                self.make_column(&table, column)?;
            }
        } else {
            let columns: Vec<String> = table
                .column_definitions
                .iter()
                .map(|column| {
                    let key = if column.name == "RID" { " PRIMARY KEY NOT NULL" } else { "" };
                    format!("{} {}{key}", quoted(&column.name), column.column_type.storage().sql())
                })
                .collect();
            let columns = columns.join(", ");
            let past = columns.replacen(" PRIMARY KEY NOT NULL", "", 1);
            let sql = format!(
                "CREATE TABLE main.{live} ({columns}, \"dbag:from\" INTEGER NOT NULL);
                 CREATE TABLE main.{history} ({past}, \"dbag:from\" INTEGER NOT NULL, \"dbag:to\" INTEGER NOT NULL);"
            );
            self.transaction.execute_batch(&sql).map_err(|e| self.fail(e))?;
        }
        self.unindexed.insert(table.qualified_name());
        self.model.put_table(table);
        self.model_changed = true;
        Ok(())
    }

    /// Adds those of the `deriva-ml` schema's tables that the catalog lacks, with their terms, and the indexes of this
    /// format. `project` begins the ids of new terms.
    pub(in crate::catalog) fn complete_model(&mut self, project: &str) -> Result<(), CatalogError> {
        for table in deriva_ml_tables(project) {
            if self.model.table(&table.schema_name, &table.table_name).is_none() {
                self.put_table(table)?;
            }
        }
        for (vocabulary, name, description) in seed_terms() {
            let vocabulary = self.table(&format!("{DERIVA_ML}:{vocabulary}"))?;
            if self.term(&vocabulary, name)?.is_none() {
                self.insert_term(&vocabulary, name, description, &[])?;
            }
        }
        let tables: Vec<Table> = self.model.tables().cloned().collect();
        tables.iter().try_for_each(|table| self.drop_indexes(table))?;
        self.unindexed = tables.iter().map(Table::qualified_name).collect();
        self.model_changed = true;
        Ok(())
    }

    /// Changes what the model says of a table beside its columns: comments, annotations, keys, foreign keys. Keys must
    /// hold for the rows that are there.
    pub fn describe_table(
        &mut self,
        table: &Table,
        change: impl FnOnce(&mut Table),
    ) -> Result<Table, CatalogError> {
        let mut changed = table.clone();
        change(&mut changed);
        changed.column_definitions.clone_from(&table.column_definitions);
        self.drop_indexes(table)?;
        self.unindexed.insert(table.qualified_name());
        self.touched.insert(table.qualified_name());
        self.replace(changed.clone());
        Ok(changed)
    }

    /// Adds a column. Rows that are there get `value`.
    pub fn add_column(
        &mut self,
        table: &Table,
        column: &Column,
        value: &Value,
    ) -> Result<Table, CatalogError> {
        if table.column_definitions.iter().any(|other| other.name.eq_ignore_ascii_case(&column.name)) {
            return Err(CatalogError::ColumnExists {
                table: table.table_name.clone(),
                column: column.name.clone(),
            });
        }
        let mut wider = table.clone();
        wider.column_definitions.push(column.clone());
        check_columns(&wider)?;
        let (live, _) = sql_names(table);
        let rows: i64 = self
            .transaction
            .query_row(&format!("SELECT count(*) FROM main.{live}"), (), |row| row.get(0))
            .map_err(|e| self.fail(e))?;
        if !column.nullok && *value == Value::Null && rows > 0 {
            return Err(CatalogError::BadColumn {
                table: table.table_name.clone(),
                column: column.name.clone(),
                reason: "it needs a value in every row; give one for the rows that are there".into(),
            });
        }
        self.make_column(table, column)?;
        self.replace(wider.clone());
        self.fill_column(&wider, column, value)?;
        Ok(wider)
    }

    /// Drops a column from the model. Its values stay in the past.
    pub fn drop_column(&mut self, table: &Table, name: &str) -> Result<Table, CatalogError> {
        let needed = |reason: String| {
            Err(CatalogError::ColumnNeeded {
                table: table.table_name.clone(),
                column: name.to_owned(),
                reason,
            })
        };
        if SYSTEM_COLUMNS.contains(&name) {
            return needed("every table has it".into());
        }
        if table.column(name).is_none() {
            return Err(no_such_column(table, name));
        }
        let refers = |key: &ForeignKey| {
            key.referenced_columns.iter().any(|column| {
                column.schema_name == table.schema_name
                    && column.table_name == table.table_name
                    && column.column_name == name
            })
        };
        if let Some(other) = self.model.tables().find(|other| other.foreign_keys.iter().any(refers)) {
            return needed(format!("{} refers to it", other.table_name));
        }
        self.drop_indexes(table)?;
        let mut narrower = table.clone();
        narrower.column_definitions.retain(|column| column.name != name);
        narrower.keys.retain(|key| !key.unique_columns.iter().any(|column| column == name));
        narrower
            .foreign_keys
            .retain(|key| !key.foreign_key_columns.iter().any(|column| column.column_name == name));
        self.unindexed.insert(table.qualified_name());
        self.replace(narrower.clone());
        Ok(narrower)
    }

    /// Drops a table from the model, and deletes its rows. Both stay in the past.
    pub fn drop_table(&mut self, table: &Table) -> Result<(), CatalogError> {
        let refers = |key: &ForeignKey| {
            key.referenced_columns.first().is_some_and(|column| {
                column.schema_name == table.schema_name && column.table_name == table.table_name
            })
        };
        let other = self.model.tables().find(|other| {
            other.qualified_name() != table.qualified_name() && other.foreign_keys.iter().any(refers)
        });
        if let Some(other) = other {
            return Err(CatalogError::TableNeeded {
                table: table.table_name.clone(),
                reason: format!("{} refers to it", other.table_name),
            });
        }
        let ((live, history), names) = (sql_names(table), self.file_columns(table)?.join(", "));
        let sql = format!(
            "INSERT INTO main.{history} ({names}, \"dbag:to\") \
             SELECT {names}, {number} FROM main.{live} WHERE \"dbag:from\" < {number}; \
             DELETE FROM main.{live};",
            number = self.number
        );
        self.transaction.execute_batch(&sql).map_err(|e| self.fail(e))?;
        self.drop_indexes(table)?;
        self.unindexed.remove(&table.qualified_name());
        if let Some(schema) = self.model.schemas.get_mut(&table.schema_name) {
            schema.tables.shift_remove(&table.table_name);
        }
        self.model_changed = true;
        Ok(())
    }

    /// The model that was at another time, in place of this one.
    pub(in crate::catalog) fn put_model(&mut self, model: crate::model::Model) -> Result<(), CatalogError> {
        let tables: Vec<Table> = self.model.tables().cloned().collect();
        tables.iter().try_for_each(|table| self.drop_indexes(table))?;
        self.model = model;
        self.unindexed = self.model.tables().map(Table::qualified_name).collect();
        self.model_changed = true;
        Ok(())
    }

    pub(in crate::catalog) fn replace(&mut self, table: Table) {
        self.model.put_table(table);
        self.model_changed = true;
    }

    /// The quoted SQL columns of a table's live rows, those of dropped columns too, and `"dbag:from"`.
    pub(in crate::catalog) fn file_columns(&self, table: &Table) -> Result<Vec<String>, CatalogError> {
        let sql = "SELECT name FROM pragma_table_info(?1, 'main') ORDER BY cid";
        let mut statement = self.transaction.prepare_cached(sql).map_err(|e| self.fail(e))?;
        let names = statement.query_map([table.qualified_name()], |row| row.get::<_, String>(0));
        let names =
            names.and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>).map_err(|e| self.fail(e))?;
        Ok(names.iter().map(|name| quoted(name)).collect())
    }

    fn is_in_file(&self, table: &Table) -> Result<bool, CatalogError> {
        let sql = "SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE";
        let found = self.transaction.query_row(sql, [table.qualified_name()], |_| Ok(())).optional();
        Ok(found.map_err(|e| self.fail(e))?.is_some())
    }

    /// Makes the SQL columns of a column, if they are not there from an earlier life. A column that comes back with
    /// values of another SQL type gets columns of its own.
    fn make_column(&mut self, table: &Table, column: &Column) -> Result<(), CatalogError> {
        let sql_type = column.column_type.storage().sql();
        if self.declared_type(table, &column.name)?.is_some_and(|declared| declared != sql_type) {
            let added = self.aliases.add(&self.transaction, table, column);
            added.map_err(|e| self.fail(e))?;
        }
        let name = self.aliases.physical(table, column);
        if self.declared_type(table, &name)?.is_some() {
            return Ok(());
        }
        let (live, history) = sql_names(table);
        let sql = [live, history].map(|sql_table| {
            format!("ALTER TABLE main.{sql_table} ADD COLUMN {} {sql_type};", quoted(&name))
        });
        self.transaction.execute_batch(&sql.concat()).map_err(|e| self.fail(e))
    }

    /// The type of an SQL column, if it is there.
    fn declared_type(&self, table: &Table, name: &str) -> Result<Option<String>, CatalogError> {
        let sql = "SELECT type FROM pragma_table_info(?1, 'main') WHERE name = ?2 COLLATE NOCASE";
        let found =
            self.transaction.query_row(sql, (table.qualified_name(), name), |row| row.get(0)).optional();
        found.map_err(|e| self.fail(e))
    }

    /// Gives every row that has another value in a column this one.
    fn fill_column(&mut self, table: &Table, column: &Column, value: &Value) -> Result<(), CatalogError> {
        let physical = quoted(&self.aliases.physical(table, column));
        let (live, _) = sql_names(table);
        let sql = format!("SELECT \"RID\" FROM main.{live} WHERE {physical} IS NOT ?");
        let rids: Vec<String> = {
            let mut statement = self.transaction.prepare(&sql).map_err(|e| self.fail(e))?;
            let rids = statement.query_map([value], |row| row.get(0)).and_then(Iterator::collect);
            rids.map_err(|e| self.fail(e))?
        };
        let writer = self.writer(table)?;
        rids.iter().try_for_each(|rid| self.set(&writer, rid, &[(&column.name, value.clone())]))
    }

    /// Makes the indexes of new tables now and not at the end: for who looks rows up while it adds them.
    pub fn index_now(&mut self) -> Result<(), CatalogError> {
        self.make_indexes()
    }

    /// Makes the indexes of tables that are new or changed: for their keys, for what refers elsewhere, and for what
    /// changed when.
    pub(super) fn make_indexes(&mut self) -> Result<(), CatalogError> {
        for name in std::mem::take(&mut self.unindexed) {
            let Some(table) = self.model.tables().find(|table| table.qualified_name() == name).cloned()
            else {
                continue;
            };
            for index in indexes(&table, &self.aliases) {
                let made = self.transaction.execute_batch(&index.sql);
                made.map_err(|e| match e.sqlite_error_code() {
                    Some(rusqlite::ErrorCode::ConstraintViolation) => CatalogError::RepeatedKey {
                        table: table.table_name.clone(),
                        columns: index.columns.join(", "),
                    },
                    _ => self.fail(e),
                })?;
            }
        }
        Ok(())
    }

    fn drop_indexes(&self, table: &Table) -> Result<(), CatalogError> {
        let sql = "SELECT name FROM main.sqlite_schema WHERE type = 'index' AND tbl_name = ? COLLATE NOCASE \
                   AND sql IS NOT NULL";
        let names: Vec<String> = {
            let mut statement = self.transaction.prepare(sql).map_err(|e| self.fail(e))?;
            let names = statement.query_map([table.qualified_name()], |row| row.get(0));
            names.and_then(Iterator::collect).map_err(|e| self.fail(e))?
        };
        let drops: String = names.iter().map(|name| format!("DROP INDEX main.{};", quoted(name))).collect();
        self.transaction.execute_batch(&drops).map_err(|e| self.fail(e))
    }

    /// Refuses a new table that [`Change::put_table`] would: by its name, by its columns' names, which SQLite compares
    /// without case, and by their number.
    pub fn check_table(&self, table: &Table) -> Result<(), CatalogError> {
        let name = &table.table_name;
        if !is_name(name) {
            return Err(CatalogError::BadTableName(name.clone()));
        }
        let same = |other: &&Table| other.qualified_name().eq_ignore_ascii_case(&table.qualified_name());
        if let Some(other) = self.model.tables().find(same) {
            return Err(CatalogError::TableExists(other.table_name.clone()));
        }
        check_columns(table)
    }
}

/// An index of a table.
pub(in crate::catalog) struct Index {
    /// Its name in the file.
    pub(in crate::catalog) name: String,
    /// The columns of a key; empty where it is none.
    pub(in crate::catalog) columns: Vec<String>,
    /// What makes it, if it is not there.
    pub(in crate::catalog) sql: String,
}

/// The indexes that a table has.
pub(in crate::catalog) fn indexes(table: &Table, aliases: &Aliases) -> Vec<Index> {
    let (live, history) = sql_names(table);
    let index = |what: &str, kind: &str, on: &str, sql_columns: &str, columns: &[String]| {
        let name = format!("{} {what}", table.qualified_name());
        let sql = format!("CREATE {kind} IF NOT EXISTS main.{} ON {on} ({sql_columns})", quoted(&name));
        Index { name, columns: columns.to_vec(), sql }
    };
    let listed = |columns: &[&str]| -> Option<String> {
        let physical = |column: &&str| Some(quoted(&aliases.physical(table, table.column(column)?)));
        Some(columns.iter().map(physical).collect::<Option<Vec<_>>>()?.join(", "))
    };
    let mut indexes = vec![
        index("by transaction", "INDEX", &live, "\"dbag:from\"", &[]),
        index("history by RID", "INDEX", &history, "\"RID\"", &[]),
        index("history by end", "INDEX", &history, "\"dbag:to\"", &[]),
    ];
    let mut leading: HashSet<Vec<&str>> = HashSet::new();
    for key in table.keys.iter().filter(|key| key.unique_columns != ["RID"]) {
        let columns: Vec<&str> = key.unique_columns.iter().map(String::as_str).collect();
        let Some(sql_columns) = listed(&columns) else { continue };
        let what = format!("key {}", columns.join(", "));
        indexes.push(index(&what, "UNIQUE INDEX", &live, &sql_columns, &key.unique_columns));
        leading.extend((1..=columns.len()).map(|n| columns[..n].to_vec()));
    }
    for key in &table.foreign_keys {
        let columns: Vec<&str> =
            key.foreign_key_columns.iter().map(|column| column.column_name.as_str()).collect();
        let is_system = columns.iter().all(|column| SYSTEM_COLUMNS.contains(column));
        let (Some(sql_columns), false) = (listed(&columns), is_system) else { continue };
        if leading.insert(columns.clone()) {
            let what = format!("by {}", columns.join(", "));
            indexes.push(index(&what, "INDEX", &live, &sql_columns, &[]));
        }
    }
    indexes
}

fn check_columns(table: &Table) -> Result<(), CatalogError> {
    let (name, count) = (&table.table_name, table.column_definitions.len());
    if count > MAX_COLUMNS {
        return Err(CatalogError::TooManyColumns { table: name.clone(), count, limit: MAX_COLUMNS });
    }
    let mut seen = HashSet::new();
    for column in &table.column_definitions {
        let bad = |reason: &str| {
            Err(CatalogError::BadColumn {
                table: name.clone(),
                column: column.name.clone(),
                reason: reason.into(),
            })
        };
        if column.name.is_empty() || column.name.contains('\0') {
            return bad("it has no name, or one with a NUL");
        }
        if table.own_columns().any(|own| std::ptr::eq(own, column))
            && SYSTEM_COLUMNS.iter().any(|system| system.eq_ignore_ascii_case(&column.name))
        {
            return bad("it is one of the system columns RID, RCT, RMT, RCB and RMB, which every table has");
        }
        if column.name.starts_with("dbag:") {
            return bad("names that start with dbag: are kept for dbag");
        }
        let is_alias = [Storage::Text, Storage::Integer, Storage::Float]
            .iter()
            .any(|storage| column.name.ends_with(&format!("@{}", storage.sql())));
        if is_alias {
            return bad("names that end with @TEXT, @INTEGER or @REAL are kept for dbag");
        }
        if !seen.insert(column.name.to_ascii_lowercase()) {
            return bad("another column has the same name, or one that differs only in case");
        }
    }
    Ok(())
}
