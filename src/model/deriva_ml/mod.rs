//! The `deriva-ml` schema by deriva-ml's own names, and the terms that its vocabularies start with.

mod tables;
mod terms;

pub use tables::deriva_ml_tables;
pub use terms::seed_terms;

use super::{Column, ColumnType, Table};

/// The schema's name.
pub const DERIVA_ML: &str = "deriva-ml";

/// Whether a table of the lab's own can't be called so: by the name of a table of this schema, or as memberships are.
#[must_use]
pub fn is_kept_name(name: &str) -> bool {
    let own = deriva_ml_tables("").iter().any(|own| own.table_name.eq_ignore_ascii_case(name));
    own || name.to_ascii_lowercase().starts_with("dataset_")
}

/// The association that holds a dataset's members of one element type, as deriva-ml makes it.
#[must_use]
pub fn membership_table(schema: &str, element: &Table) -> Table {
    let column = element.table_name.as_str();
    let mut table =
        Table::new(schema, &format!("Dataset_{column}"), &format!("The {column} rows of datasets"));
    table.column_definitions.push(Column::new("Dataset", ColumnType::new("text")).required());
    table.column_definitions.push(Column::new(column, ColumnType::new("text")).required());
    table.add_key(&["Dataset", column]);
    table.add_foreign_key("Dataset", DERIVA_ML, "Dataset", "RID");
    table.add_foreign_key(column, &element.schema_name, column, "RID");
    table
}

/// A table of the schema; a `!` after a type's name makes the column NOT NULL.
fn table(name: &str, comment: &str, columns: &[(&str, &str)]) -> Table {
    let mut table = Table::new(DERIVA_ML, name, comment);
    for (column, typename) in columns {
        let plain = typename.trim_end_matches('!');
        let column_type = ColumnType::by_name(plain).unwrap_or_else(|| ColumnType::domain(plain, "text"));
        table
            .column_definitions
            .push(Column { nullok: plain == *typename, ..Column::new(column, column_type) });
    }
    table
}
