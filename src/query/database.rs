//! The database that SQL is run on, and the guard that keeps it read-only.

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode};

use super::QueryError;
use crate::catalog::{Catalog, VersionSelection, quoted, sentence};
use crate::model::DERIVA_ML;

/// A cell of an answer.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
}

/// Takes an answer as it comes.
pub trait RowSink {
    /// The columns' names; called once, first.
    fn columns(&mut self, names: &[&str]) -> std::io::Result<()>;
    /// The next row.
    fn row(&mut self, cells: Vec<Cell>) -> std::io::Result<()>;
}

/// Tables to ask with SQL. Nothing can be written through it.
pub struct Database {
    connection: Connection,
    tables: Vec<String>,
}

impl Database {
    /// Guards a connection whose tables (or views) are called `schema:Table`, and adds the short names.
    pub(super) fn guard(
        mut connection: Connection,
        mut names: Vec<(String, String)>,
    ) -> Result<Self, QueryError> {
        names.sort();
        for (schema, table) in &names {
            // SQLite compares names without case.
            let same = names.iter().filter(|(_, other)| other.eq_ignore_ascii_case(table)).count();
            if same == 1 {
                let qualified = quoted(&format!("{schema}:{table}"));
                connection.execute_batch(&format!(
                    "CREATE TEMP VIEW {} AS SELECT * FROM {qualified}",
                    quoted(table)
                ))?;
            }
        }
        // What people ask for first.
        names.sort_by_key(|(schema, _)| schema == DERIVA_ML);
        connection.authorizer(Some(|context: AuthContext<'_>| authorize(&context)))?;
        let tables = names.into_iter().map(|(_, table)| table).collect();
        Ok(Self { connection, tables })
    }

    /// The tables of a released version, read from the catalog itself.
    pub fn from_version(catalog: Catalog, selection: &VersionSelection) -> Result<Self, QueryError> {
        let connection = catalog.into_connection();
        let mut names = Vec::new();
        for part in &selection.tables {
            let name = quoted(&part.table.qualified_name());
            connection.execute_batch(&format!("CREATE TEMP VIEW {name} AS {}", part.sql))?;
            names.push((part.table.schema_name.clone(), part.table.table_name.clone()));
        }
        Self::guard(connection, names)
    }

    /// The tables' short names, the domain's first.
    #[must_use]
    pub fn tables(&self) -> &[String] {
        &self.tables
    }

    /// Runs one statement and hands its answer to `sink`, row by row.
    pub fn run(&self, sql: &str, sink: &mut dyn RowSink) -> Result<(), QueryError> {
        let mut statement = self.connection.prepare(sql).map_err(|error| self.explain(&error))?;
        if !statement.readonly() {
            return Err(QueryError::NotReadOnly(sql.to_owned()));
        }
        let count = statement.column_count();
        let names: Vec<&str> = (0..count).filter_map(|index| statement.column_name(index).ok()).collect();
        sink.columns(&names)?;
        let mut rows = statement.query(()).map_err(|error| self.explain(&error))?;
        while let Some(row) = rows.next().map_err(|error| self.explain(&error))? {
            let cells: rusqlite::Result<Vec<Cell>> =
                (0..count).map(|index| Ok(cell(row.get_ref(index)?))).collect();
            sink.row(cells?)?;
        }
        Ok(())
    }

    fn explain(&self, error: &rusqlite::Error) -> QueryError {
        match error.sqlite_error_code() {
            Some(ErrorCode::AuthorizationForStatementDenied) => QueryError::NotReadOnly(error.to_string()),
            _ => QueryError::Sql { reason: sentence(error), tables: self.tables.clone() },
        }
    }
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Integer(value),
        ValueRef::Real(value) => Cell::Real(value),
        ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Cell::Text(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
    }
}

/// Reading and computing pass; writing, attaching, loading extensions and settings do not.
fn authorize(context: &AuthContext<'_>) -> Authorization {
    let harmless = match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => true,
        AuthAction::Function { function_name } => function_name != "load_extension",
        AuthAction::Pragma { pragma_name, pragma_value } => {
            matches!(pragma_name, "table_info" | "table_xinfo" | "table_list")
                || (pragma_name == "data_version" && pragma_value.is_none())
        }
        _ => false,
    };
    if harmless { Authorization::Allow } else { Authorization::Deny }
}
