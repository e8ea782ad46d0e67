//! The `deriva-ml` schema by deriva-ml's own names: all of it, the part that a catalog made here starts with,
//! and the terms that its vocabularies start with.

mod tables;
mod terms;

pub use tables::deriva_ml_tables;
pub use terms::seed_terms;

use super::{Column, ColumnType, Table};

/// The schema's name.
pub const DERIVA_ML: &str = "deriva-ml";

/// The tables that a catalog made here starts with: datasets, their versions, types and nesting, and what
/// those refer to. A bag's `schema.json` shows them, so that a change here changes every bag's digest.
#[must_use]
pub fn deriva_ml_schema() -> Vec<Table> {
    let mut dataset = table(
        "Dataset",
        "A versioned collection of rows",
        &[("Description", "markdown"), ("Deleted", "boolean"), ("Version", "text")],
    );
    dataset.add_foreign_key("Version", DERIVA_ML, "Dataset_Version", "RID");
    let mut version = table(
        "Dataset_Version",
        "The released versions of datasets",
        &[
            ("Version", "text"),
            ("Description", "markdown"),
            ("Dataset", "text"),
            ("Execution", "text"),
            ("Minid", "text"),
            ("Minid_Spec_Hash", "text"),
            ("Snapshot", "text"),
        ],
    );
    version.add_key(&["Dataset", "Version"]);
    version.add_foreign_key("Dataset", DERIVA_ML, "Dataset", "RID");
    version.add_foreign_key("Execution", DERIVA_ML, "Execution", "RID");
    let mut types = table(
        "Dataset_Dataset_Type",
        "The types of datasets",
        &[("Dataset", "text!"), ("Dataset_Type", "text!")],
    );
    types.add_key(&["Dataset", "Dataset_Type"]);
    types.add_foreign_key("Dataset", DERIVA_ML, "Dataset", "RID");
    types.add_foreign_key("Dataset_Type", DERIVA_ML, "Dataset_Type", "Name");
    let mut nested = table(
        "Dataset_Dataset",
        "Datasets within datasets",
        &[("Dataset", "text!"), ("Nested_Dataset", "text!")],
    );
    nested.add_key(&["Dataset", "Nested_Dataset"]);
    nested.add_foreign_key("Dataset", DERIVA_ML, "Dataset", "RID");
    nested.add_foreign_key("Nested_Dataset", DERIVA_ML, "Dataset", "RID");
    let workflow = table(
        "Workflow",
        "Code that makes data",
        &[
            ("Name", "text"),
            ("Description", "markdown"),
            ("URL", "ermrest_uri"),
            ("Checksum", "text"),
            ("Version", "text"),
        ],
    );
    let mut execution = table(
        "Execution",
        "Runs of workflows",
        &[("Workflow", "text"), ("Description", "markdown"), ("Status", "text"), ("Status_Detail", "text")],
    );
    execution.add_foreign_key("Workflow", DERIVA_ML, "Workflow", "RID");
    vec![
        dataset,
        version,
        types,
        nested,
        vocabulary("Dataset_Type", "Kinds of datasets"),
        workflow,
        execution,
    ]
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

/// A vocabulary: the five typed columns that deriva-ml knows one by.
fn vocabulary(name: &str, comment: &str) -> Table {
    let mut table = table(
        name,
        comment,
        &[
            ("ID", "ermrest_curie!"),
            ("URI", "ermrest_uri!"),
            ("Name", "text!"),
            ("Description", "markdown!"),
            ("Synonyms", "text[]"),
        ],
    );
    for column in ["ID", "URI", "Name"] {
        table.add_key(&[column]);
    }
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
