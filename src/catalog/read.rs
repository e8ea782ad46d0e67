//! Reading rows, now or as they were at a transaction.

use std::collections::HashSet;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::sql::{Aliases, quoted, sentence, sql_names, sqlite};
use super::{Catalog, CatalogError, Change};
use crate::model::{Column, Storage, Table};
use crate::tabular::Value;

/// A row: its values in the order of the columns asked for.
pub type Row = Vec<Value>;

/// The SQL of a table's rows as they were after transaction `number`. The tables are those of the main
/// database, so that a temporary view may carry the name of the table that it narrows.
pub(super) fn rows_at(table: &Table, columns: &[&str], number: i64, aliases: &Aliases) -> String {
    let (live, history) = sql_names(table);
    let names = columns.iter().map(|name| selected(table, name, aliases)).collect::<Vec<_>>().join(", ");
    format!(
        "SELECT {names} FROM main.{live} WHERE \"dbag:from\" <= {number} UNION ALL \
         SELECT {names} FROM main.{history} WHERE \"dbag:from\" <= {number} AND \"dbag:to\" > {number}"
    )
}

/// The SQL of a table's rows as they are now, its columns under their own names.
pub(super) fn rows_now(table: &Table, aliases: &Aliases) -> String {
    let (live, _) = sql_names(table);
    let names: Vec<String> =
        table.column_definitions.iter().map(|column| selected(table, &column.name, aliases)).collect();
    format!("SELECT {} FROM main.{live}", names.join(", "))
}

/// A column in a SELECT, under its own name.
fn selected(table: &Table, name: &str, aliases: &Aliases) -> String {
    let physical =
        table.column(name).map_or_else(|| name.to_owned(), |column| aliases.physical(table, column));
    if physical == name { quoted(name) } else { format!("{} AS {}", quoted(&physical), quoted(name)) }
}

/// A row's columns as they were after a transaction.
pub(super) fn row_at(
    connection: &Connection,
    path: &std::path::Path,
    table: &Table,
    columns: &[&str],
    storage: &[Storage],
    (rid, number): (&str, i64),
    aliases: &Aliases,
) -> Result<Option<Row>, CatalogError> {
    let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
    let all: Vec<&str> = std::iter::once("RID").chain(columns.iter().copied()).collect();
    let rows = rows_at(table, &all, number, aliases);
    let sql = format!("SELECT {} FROM ({rows}) WHERE \"RID\" = ?", names.join(", "));
    let fail = |e| sqlite(path, e);
    let mut statement = connection.prepare_cached(&sql).map_err(fail)?;
    let mut rows = statement.query([rid]).map_err(fail)?;
    let Some(row) = rows.next().map_err(fail)? else { return Ok(None) };
    let cells = storage.iter().enumerate();
    cells
        .map(|(at, storage)| Ok(value(row.get_ref(at).map_err(fail)?, *storage)))
        .collect::<Result<_, _>>()
        .map(Some)
}

/// Runs a query whose columns have the given storage, row by row.
pub(super) fn for_each_row<E: From<CatalogError>>(
    connection: &Connection,
    path: &std::path::Path,
    sql: &str,
    storage: &[Storage],
    mut f: impl FnMut(Row) -> Result<(), E>,
) -> Result<(), E> {
    let fail = |e| E::from(sqlite(path, e));
    let mut statement = connection.prepare(sql).map_err(fail)?;
    let mut rows = statement.query(()).map_err(fail)?;
    while let Some(row) = rows.next().map_err(fail)? {
        let mut values = Vec::with_capacity(storage.len());
        for (index, storage) in storage.iter().enumerate() {
            values.push(value(row.get_ref(index).map_err(fail)?, *storage));
        }
        f(values)?;
    }
    Ok(())
}

pub(super) fn value(cell: ValueRef<'_>, storage: Storage) -> Value {
    match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) if storage == Storage::Boolean => Value::Boolean(value != 0),
        ValueRef::Integer(value) => Value::Integer(value),
        ValueRef::Real(value) => Value::Float(value),
        ValueRef::Text(b"NaN") if storage == Storage::Float => Value::Float(f64::NAN),
        ValueRef::Text(text) | ValueRef::Blob(text) => {
            Value::Text(String::from_utf8_lossy(text).into_owned())
        }
    }
}

impl Catalog {
    /// The number of a table's rows.
    pub fn count(&self, table: &Table) -> Result<u64, CatalogError> {
        let (live, _) = sql_names(table);
        let count: i64 = self
            .connection
            .query_row(&format!("SELECT count(*) FROM {live}"), (), |row| row.get(0))
            .map_err(|e| self.fail(e))?;
        Ok(count.unsigned_abs())
    }
}

impl Change<'_> {
    /// Reads a table's rows as they are now: RID first, then its own columns in the model's order.
    pub fn for_each<E: From<CatalogError>>(
        &self,
        table: &Table,
        f: impl FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let columns: Vec<_> = table.column("RID").into_iter().chain(table.own_columns()).collect();
        let storage: Vec<Storage> = columns.iter().map(|column| column.column_type.storage()).collect();
        let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
        let sql = format!("SELECT {} FROM ({})", names.join(", "), self.now(table));
        for_each_row(self.transaction(), self.path(), &sql, &storage, f)
    }

    /// A row's own columns in the model's order.
    pub fn own_values(&self, table: &Table, rid: &str) -> Result<Row, CatalogError> {
        let names: Vec<String> = table.own_columns().map(|column| quoted(&column.name)).collect();
        let storage: Vec<Storage> = table.own_columns().map(|column| column.column_type.storage()).collect();
        // A table without columns of its own has rows all the same.
        let names = if names.is_empty() { "NULL".to_owned() } else { names.join(", ") };
        let sql = format!("SELECT {names} FROM ({}) WHERE \"RID\" = ?", self.now(table));
        let fail = |e| self.fail(e);
        let mut statement = self.transaction().prepare_cached(&sql).map_err(fail)?;
        let mut rows = statement.query([rid]).map_err(fail)?;
        let Some(row) = rows.next().map_err(fail)? else {
            return Err(CatalogError::NoSuchRow(rid.to_owned()));
        };
        let cells = storage.iter().enumerate();
        cells.map(|(index, storage)| Ok(value(row.get_ref(index).map_err(fail)?, *storage))).collect()
    }

    /// The values of a column as texts, each once; NULL is none.
    pub fn values_of(&self, table: &Table, column: &Column) -> Result<HashSet<String>, CatalogError> {
        let sql = format!("SELECT {} FROM ({})", quoted(&column.name), self.now(table));
        let mut values = HashSet::new();
        for_each_row(self.transaction(), self.path(), &sql, &[column.column_type.storage()], |row| {
            values.extend(row[0].to_text().map(std::borrow::Cow::into_owned));
            Ok::<_, CatalogError>(())
        })?;
        Ok(values)
    }

    /// The RIDs of the rows for which an SQL condition holds, sorted.
    pub fn rids_where(&self, table: &Table, condition: Option<&str>) -> Result<Vec<String>, CatalogError> {
        let filter = condition.map_or_else(String::new, |condition| format!(" WHERE ({condition}\n)"));
        let bad = |reason: String| CatalogError::BadCondition {
            table: table.table_name.clone(),
            condition: condition.unwrap_or_default().to_owned(),
            reason,
        };
        let name = quoted(&table.table_name);
        let sql = format!("SELECT \"RID\" FROM ({}) AS {name}{filter} ORDER BY \"RID\"", self.now(table));
        let mut statement = self.transaction().prepare(&sql).map_err(|e| bad(sentence(&e)))?;
        if !statement.readonly() {
            return Err(bad("it writes".into()));
        }
        let rids = statement.query_map((), |row| row.get(0)).and_then(Iterator::collect);
        rids.map_err(|e| bad(sentence(&e)))
    }
}
