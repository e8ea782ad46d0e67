//! Two models made one: tables that are new, columns that are new.

use std::collections::BTreeSet;

use super::Source;
use crate::catalog::Change;
use crate::ingest::IngestError;
use crate::model::{Column, SYSTEM_COLUMNS, Table};
use crate::tables::is_server;
use crate::tabular::Value;

/// Makes every table and column of a source be there; which tables are new.
pub(super) fn merge_model(
    change: &mut Change<'_>,
    source: &dyn Source,
) -> Result<BTreeSet<String>, IngestError> {
    let mut created = BTreeSet::new();
    for theirs in source.tables() {
        match change.model().table(&theirs.schema_name, &theirs.table_name).cloned() {
            None => {
                change.put_table(new_table(theirs))?;
                created.insert(theirs.qualified_name());
            }
            Some(ours) => add_columns(change, ours, theirs)?,
        }
    }
    Ok(created)
}

/// Their table without what refers to the server's own tables, and with the system columns where it lacks them.
fn new_table(theirs: &Table) -> Table {
    let mut table = theirs.clone();
    table.foreign_keys.retain(|key| key.referenced_table().is_some_and(|(schema, _)| !is_server(schema)));
    let plain = Table::new(&theirs.schema_name, &theirs.table_name, "");
    let mut columns: Vec<Column> = plain
        .column_definitions
        .into_iter()
        .map(|system| theirs.column(&system.name).cloned().unwrap_or(system))
        .collect();
    columns.extend(theirs.own_columns().cloned());
    table.column_definitions = columns;
    if table.keys.is_empty() {
        table.keys = plain.keys;
    }
    table
}

fn add_columns(change: &mut Change<'_>, ours: Table, theirs: &Table) -> Result<(), IngestError> {
    let mut ours = ours;
    for column in theirs.column_definitions.iter().filter(|c| !SYSTEM_COLUMNS.contains(&c.name.as_str())) {
        let known =
            ours.column_definitions.iter().find(|known| known.name.eq_ignore_ascii_case(&column.name));
        match known {
            Some(known)
                if known.name == column.name
                    && known.column_type.storage().sql() == column.column_type.storage().sql() => {}
            Some(known) => {
                return Err(IngestError::ColumnDiffers {
                    table: ours.qualified_name(),
                    column: column.name.clone(),
                    here: format!("{} {}", known.name, known.column_type.typename),
                    there: column.column_type.typename.clone(),
                });
            }
            None => {
                // Rows that are here have no value for it.
                let column = Column { nullok: true, ..column.clone() };
                ours = change.add_column(&ours, &column, &Value::Null)?;
            }
        }
    }
    Ok(())
}
