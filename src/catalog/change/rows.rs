//! Rows: new, with other values, gone. What they were moves to history.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{ErrorCode, ToSql, params_from_iter};

use super::Change;
use crate::catalog::CatalogError;
use crate::catalog::sql::{quoted, sql_names, sqlite};
use crate::model::{Rid, SYSTEM_COLUMNS, Table};
use crate::tabular::{Cell, Value};

/// A table's prepared writes: what to say to SQLite for one row.
pub struct RowWriter {
    table: Table,
    insert: String,
    keep: String,
    update: String,
    delete: String,
    /// Own columns that need a value: where they are among the own columns.
    required: Vec<usize>,
}

/// Values of the system columns of a row that was made elsewhere. What is `None` is given here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SystemValues {
    pub rid: Option<Rid>,
    pub rct: Option<String>,
    pub rmt: Option<String>,
    pub rcb: Option<String>,
    pub rmb: Option<String>,
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

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Null => ValueRef::Null,
            Self::Boolean(value) => ValueRef::Integer(i64::from(value)),
            Self::Integer(value) => ValueRef::Integer(value),
            Self::Float(value) if value.is_nan() => ValueRef::Text(b"NaN"),
            Self::Float(value) => ValueRef::Real(value),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

impl Change<'_> {
    /// How to write rows of a table, its own columns in the model's order.
    pub fn writer(&self, table: &Table) -> Result<RowWriter, CatalogError> {
        let (live, history) = sql_names(table);
        let physical = |column: &&crate::model::Column| quoted(&self.aliases.physical(table, column));
        let columns: Vec<String> = table.column_definitions.iter().map(|column| physical(&column)).collect();
        let marks = vec!["?"; columns.len() + 1].join(", ");
        let names = columns.join(", ");
        let own: Vec<String> =
            table.own_columns().map(|column| format!("{} = ?", physical(&column))).collect();
        let own = if own.is_empty() { String::new() } else { format!(", {}", own.join(", ")) };
        let required = table.own_columns().enumerate().filter(|(_, column)| !column.nullok);
        // Columns that were dropped belong to the versions from before.
        let all = self.file_columns(table)?.join(", ");
        Ok(RowWriter {
            insert: format!("INSERT INTO main.{live} ({names}, \"dbag:from\") VALUES ({marks})"),
            // A version that this very change made has been seen by nobody.
            keep: format!(
                "INSERT INTO main.{history} ({all}, \"dbag:to\") \
                 SELECT {all}, ?1 FROM main.{live} WHERE \"RID\" = ?2 AND \"dbag:from\" < ?1"
            ),
            update: format!(
                "UPDATE main.{live} SET \"dbag:from\" = ?, \"RMT\" = ?, \"RMB\" = ?{own} WHERE \"RID\" = ?"
            ),
            delete: format!("DELETE FROM main.{live} WHERE \"RID\" = ?"),
            required: required.map(|(index, _)| index).collect(),
            table: table.clone(),
        })
    }

    /// Inserts a row and returns its id; `values` are the table's own columns in the model's order.
    pub fn insert(&mut self, writer: &RowWriter, values: &[Value]) -> Result<Rid, CatalogError> {
        self.insert_as(writer, &SystemValues::default(), values)
    }

    /// Inserts a row that was made elsewhere, with the system columns that it has.
    pub fn insert_as(
        &mut self,
        writer: &RowWriter,
        system: &SystemValues,
        values: &[Value],
    ) -> Result<Rid, CatalogError> {
        let rid = match &system.rid {
            Some(rid) => {
                self.pass_rid(rid);
                rid.clone()
            }
            None => self.new_rid(),
        };
        self.check_values(writer, rid.as_str(), values)?;
        let now = self.now.as_str();
        let user = self.agent.user.as_str();
        let columns: [Option<&str>; SYSTEM_COLUMNS.len()] = [
            Some(rid.as_str()),
            Some(system.rct.as_deref().or(self.made.as_deref()).unwrap_or(now)),
            Some(system.rmt.as_deref().unwrap_or(now)),
            system.rcb.as_deref().or(Some(user)),
            system.rmb.as_deref().or(Some(user)),
        ];
        let number: &dyn ToSql = &self.number;
        let system = columns.iter().map(|column| column as &dyn ToSql);
        let all = system.chain(values.iter().map(|value| value as &dyn ToSql)).chain([number]);
        let inserted = self
            .transaction
            .prepare_cached(&writer.insert)
            .and_then(|mut statement| statement.execute(params_from_iter(all)));
        inserted.map_err(|e| self.explain(&writer.table, rid.as_str(), e))?;
        self.touch(&writer.table);
        Ok(rid)
    }

    /// Inserts rows one after the other, each with the table's own columns in the model's order, and returns how many. What
    /// is the same for all of them is said to SQLite once.
    pub fn insert_many<'v, R: IntoIterator<Item = Cell<'v>>>(
        &mut self,
        writer: &RowWriter,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<u64, CatalogError> {
        const OWN: usize = SYSTEM_COLUMNS.len() + 1;
        let path = &self.path;
        let fail = |e| sqlite(path, e);
        let mut statement = self.transaction.prepare_cached(&writer.insert).map_err(fail)?;
        let (now, user) = (&self.now, &self.agent.user);
        for (at, text) in (2..OWN).zip([self.made.as_ref().unwrap_or(now), now, user, user]) {
            statement.raw_bind_parameter(at, text).map_err(fail)?;
        }
        let own = writer.table.own_columns().count();
        statement.raw_bind_parameter(OWN + own, self.number).map_err(fail)?;
        let mut rid = String::new();
        let mut inserted = 0;
        for row in rows {
            self.prefix.write(self.next_rid, &mut rid);
            self.next_rid += 1;
            statement.raw_bind_parameter(1, &rid).map_err(fail)?;
            let mut count = 0;
            for cell in row {
                if cell == Cell::Null && writer.required.contains(&count) {
                    return Err(missing(writer, count, &rid));
                }
                statement.raw_bind_parameter(OWN + count, cell).map_err(fail)?;
                count += 1;
            }
            debug_assert_eq!(count, own, "a cell for each column");
            statement.raw_execute().map_err(|e| self.explain(&writer.table, &rid, e))?;
            inserted += 1;
        }
        drop(statement);
        if inserted > 0 {
            self.rows += inserted;
            self.touched.insert(writer.table.qualified_name());
        }
        Ok(inserted)
    }

    /// Gives a row new values of its own columns; the old ones go to history.
    pub fn update(&mut self, writer: &RowWriter, rid: &str, values: &[Value]) -> Result<(), CatalogError> {
        self.check_values(writer, rid, values)?;
        self.keep(writer, rid)?;
        let stamp: [&dyn ToSql; 3] = [&self.number, &self.now, &self.agent.user];
        let last: &dyn ToSql = &rid;
        let all = stamp.into_iter().chain(values.iter().map(|value| value as &dyn ToSql)).chain([last]);
        let updated = self
            .transaction
            .prepare_cached(&writer.update)
            .and_then(|mut statement| statement.execute(params_from_iter(all)));
        let updated = updated.map_err(|e| self.explain(&writer.table, rid, e))?;
        self.touch(&writer.table);
        if updated == 1 { Ok(()) } else { Err(CatalogError::NoSuchRow(rid.to_owned())) }
    }

    /// Gives some columns of a row new values.
    pub fn set(
        &mut self,
        writer: &RowWriter,
        rid: &str,
        columns: &[(&str, Value)],
    ) -> Result<(), CatalogError> {
        let mut values = self.own_values(&writer.table, rid)?;
        for (name, new) in columns {
            let at = writer.table.own_columns().position(|column| column.name == *name);
            let at = at.ok_or_else(|| no_such_column(&writer.table, name))?;
            values[at] = new.clone();
        }
        self.update(writer, rid, &values)
    }

    /// Deletes a row, and those of associations that go with what they link (`ON DELETE CASCADE`). History keeps them.
    pub fn delete(&mut self, table: &Table, rid: &str) -> Result<(), CatalogError> {
        if !self.delete_one(table, rid)? {
            return Err(CatalogError::NoSuchRow(rid.to_owned()));
        }
        Ok(())
    }

    /// The same; false where the row is not there.
    fn delete_one(&mut self, table: &Table, rid: &str) -> Result<bool, CatalogError> {
        let mut pending = vec![(table.clone(), rid.to_owned())];
        let mut found = false;
        while let Some((table, rid)) = pending.pop() {
            let dependents = self.dependents(&table, &rid)?;
            let writer = self.writer(&table)?;
            let deleted = self.delete_alone(&writer, &rid)?;
            if deleted {
                found = true;
                pending.extend(dependents);
            }
        }
        Ok(found)
    }

    /// Deletes rows of a table, as [`Change::delete`] does one.
    pub fn delete_all(&mut self, table: &Table, rids: &[String]) -> Result<(), CatalogError> {
        if self.has_dependents(table) {
            return rids.iter().try_for_each(|rid| self.delete(table, rid));
        }
        let writer = self.writer(table)?;
        for rid in rids {
            if !self.delete_alone(&writer, rid)? {
                return Err(CatalogError::NoSuchRow(rid.clone()));
            }
        }
        Ok(())
    }

    /// Deletes one row and none that goes with it; false where it is not there.
    pub fn delete_alone(&mut self, writer: &RowWriter, rid: &str) -> Result<bool, CatalogError> {
        self.keep(writer, rid)?;
        let deleted = self
            .transaction
            .prepare_cached(&writer.delete)
            .and_then(|mut statement| statement.execute([rid]))
            .map_err(|e| self.fail(e))?;
        if deleted == 1 {
            self.touch(&writer.table);
        }
        Ok(deleted == 1)
    }

    /// Copies the row as it is to history.
    fn keep(&self, writer: &RowWriter, rid: &str) -> Result<(), CatalogError> {
        self.transaction
            .prepare_cached(&writer.keep)
            .and_then(|mut statement| statement.execute((self.number, rid)))
            .map(drop)
            .map_err(|e| self.fail(e))
    }

    fn check_values(&self, writer: &RowWriter, rid: &str, values: &[Value]) -> Result<(), CatalogError> {
        if self.dangling_allowed {
            return Ok(());
        }
        match writer.required.iter().find(|index| matches!(values.get(**index), Some(Value::Null) | None)) {
            None => Ok(()),
            Some(index) => Err(missing(writer, *index, rid)),
        }
    }

    /// A constraint that failed, as a sentence.
    pub(super) fn explain(&self, table: &Table, rid: &str, error: rusqlite::Error) -> CatalogError {
        if error.sqlite_error_code() != Some(ErrorCode::ConstraintViolation) {
            return self.fail(error);
        }
        let text = error.to_string();
        let column = |name: &str| text.contains(&format!(".{name}")) || text.contains(&format!(" {name}"));
        if text.rsplit('.').next() == Some("RID") {
            return CatalogError::RidTaken(rid.to_owned());
        }
        // SQLite names the columns, or the index, of which the name ends with them.
        let key = table.keys.iter().map(|key| &key.unique_columns);
        let found = key.filter(|columns| columns.iter().all(|name| column(name))).max_by_key(|c| c.len());
        CatalogError::RepeatedKey {
            table: table.table_name.clone(),
            columns: found.map_or_else(|| "key".to_owned(), |columns| columns.join(", ")),
        }
    }
}

impl RowWriter {
    /// A row's own columns in the model's order, of those that are named; the others are NULL.
    #[must_use]
    pub fn row(&self, named: &[(&str, Value)]) -> Vec<Value> {
        let value =
            |name: &str| named.iter().find(|(column, _)| *column == name).map(|(_, value)| value.clone());
        self.table.own_columns().map(|column| value(&column.name).unwrap_or(Value::Null)).collect()
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }
}

fn missing(writer: &RowWriter, index: usize, rid: &str) -> CatalogError {
    CatalogError::MissingValue {
        table: writer.table.table_name.clone(),
        column: writer.table.own_columns().nth(index).map(|c| c.name.clone()).unwrap_or_default(),
        rid: rid.to_owned(),
    }
}

pub(super) fn no_such_column(table: &Table, column: &str) -> CatalogError {
    CatalogError::NoSuchColumn {
        table: table.table_name.clone(),
        column: column.to_owned(),
        columns: table.own_columns().map(|column| column.name.clone()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use crate::catalog::{Catalog, CatalogError, CreateOptions};
    use crate::model::{Column, ColumnType, Table};
    use crate::tabular::{Cell, Value};

    #[test]
    fn many_rows_at_once_are_as_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let mut catalog =
            Catalog::create(&folder.path().join("c.sqlite"), &CreateOptions::default()).unwrap();
        let mut table = Table::new("domain", "T", "");
        table.column_definitions.push(Column::new("a", ColumnType::new("int8")).required());
        table.column_definitions.push(Column::new("b", ColumnType::new("text")));
        let rows = [[Cell::Integer(1), Cell::Text("x")], [Cell::Integer(2), Cell::Null]];
        let read = catalog
            .change::<_, CatalogError>("test", |change| {
                change.put_table(table.clone())?;
                let writer = change.writer(&table)?;
                assert_eq!(change.insert_many(&writer, rows)?, 2);
                let third = change.insert(&writer, &[Value::Integer(3), Value::Null])?;
                let mut read = Vec::new();
                change.for_each(&table, |row| {
                    read.push(row);
                    Ok::<_, CatalogError>(())
                })?;
                assert_eq!(read[2][0], Value::Text(third.to_string()));
                Ok(read)
            })
            .unwrap();
        let own: Vec<&[Value]> = read.iter().map(|row| &row[1..]).collect();
        let text = |text: &str| Value::Text(text.into());
        assert_eq!(own[0], [Value::Integer(1), text("x")]);
        assert_eq!(own[1], [Value::Integer(2), Value::Null]);
        let missing = catalog.change::<_, CatalogError>("test", |change| {
            let writer = change.writer(&table)?;
            change.insert_many(&writer, [[Cell::Null, Cell::Null]])
        });
        assert!(missing.unwrap_err().to_string().ends_with("has no value for a, which needs one"));
    }
}
