//! The database that SQL is run on, and the guard that keeps it read-only.

use std::collections::HashSet;

use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode};

use super::QueryError;
use crate::catalog::{Catalog, TableSelection, quoted, sentence};
use crate::model::{DERIVA_ML, Model, Table};

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
    /// Only these can be read, whatever else is in the file.
    pub(super) fn guard(
        mut connection: Connection,
        mut names: Vec<(String, String)>,
    ) -> Result<Self, QueryError> {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        names.sort();
        let mut readable = HashSet::new();
        for (schema, table) in &names {
            let qualified = format!("{schema}:{table}");
            // SQLite compares names without case.
            let same = names.iter().filter(|(_, other)| other.eq_ignore_ascii_case(table)).count();
            if same == 1 {
                let (short, long) = (quoted(table), quoted(&qualified));
                connection.execute_batch(&format!("CREATE TEMP VIEW {short} AS SELECT * FROM {long}"))?;
                readable.insert(("temp".to_owned(), table.to_ascii_lowercase()));
            }
            let temporary = "SELECT count(*) FROM temp.sqlite_schema WHERE name = ?";
            let is_view = connection.query_row(temporary, [&qualified], |row| row.get::<_, i64>(0))? > 0;
            readable
                .insert(((if is_view { "temp" } else { "main" }).to_owned(), qualified.to_ascii_lowercase()));
        }
        // What people ask for first.
        names.sort_by_key(|(schema, _)| schema == DERIVA_ML);
        connection.authorizer(Some(move |context: AuthContext<'_>| authorize(&context, &readable)))?;
        let several =
            |table: &str| names.iter().filter(|(_, other)| other.eq_ignore_ascii_case(table)).count() > 1;
        let shown = |(schema, table): &(String, String)| {
            if several(table) { format!("\"{schema}:{table}\"") } else { table.clone() }
        };
        let tables = names.iter().map(shown).collect();
        Ok(Self { connection, tables })
    }

    /// Tables of a catalog as it was at some moment, read from the catalog itself. A table of the model that is not among
    /// them is there and empty, as in a bag.
    pub fn from_tables(
        catalog: Catalog,
        model: &Model,
        tables: &[TableSelection],
    ) -> Result<Self, QueryError> {
        let connection = catalog.into_connection();
        let mut names = Vec::new();
        for (place, table) in (0..).zip(model.tables()) {
            let name = quoted(&table.qualified_name());
            let part = tables.iter().find(|part| part.table.qualified_name() == table.qualified_name());
            let sql = part.map_or_else(|| Ok(empty(table)), |part| part.bind(&connection, place))?;
            connection.execute_batch(&format!("CREATE TEMP VIEW {name} AS {sql}"))?;
            names.push((table.schema_name.clone(), table.table_name.clone()));
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
            return Err(QueryError::NotReadOnly);
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
        let reason = sentence(error);
        match error.sqlite_error_code() {
            Some(ErrorCode::AuthorizationForStatementDenied) if reason.contains("prohibited") => {
                QueryError::NoTable { reason, tables: self.tables.clone() }
            }
            Some(ErrorCode::AuthorizationForStatementDenied) => QueryError::NotReadOnly,
            _ if reason.contains("because it is a view") => QueryError::NotReadOnly,
            _ if reason.starts_with("no such table") => {
                QueryError::NoTable { reason, tables: self.tables.clone() }
            }
            _ => QueryError::Sql { reason },
        }
    }
}

/// The SQL of no rows with a table's columns.
fn empty(table: &Table) -> String {
    let columns = table.column_definitions.iter().map(|column| format!("NULL AS {}", quoted(&column.name)));
    format!("SELECT {} WHERE 0", columns.collect::<Vec<_>>().join(", "))
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

/// Reading the known tables and computing pass; writing, attaching, loading extensions, settings and other
/// tables do not.
fn authorize(context: &AuthContext<'_>, readable: &HashSet<(String, String)>) -> Authorization {
    const COMPUTED: [&str; 5] =
        ["json_each", "json_tree", "pragma_table_info", "pragma_table_xinfo", "pragma_table_list"];
    let harmless = match context.action {
        AuthAction::Select | AuthAction::Recursive => true,
        AuthAction::Read { table_name, .. } => {
            let known = |place: &str| readable.contains(&(place.to_owned(), table_name.to_ascii_lowercase()));
            // What a view reads is the view's business. A view of which no column is read has no database here.
            context.accessor.is_some()
                || COMPUTED.contains(&table_name)
                || context.database_name.map_or_else(|| known("temp") || known("main"), known)
        }
        AuthAction::Function { function_name } => function_name != "load_extension",
        AuthAction::Pragma { pragma_name, .. } => {
            matches!(pragma_name, "table_info" | "table_xinfo" | "table_list")
        }
        _ => false,
    };
    if harmless { Authorization::Allow } else { Authorization::Deny }
}
