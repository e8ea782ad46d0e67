//! What is wrong with a model, so that rows can't be kept by it.

use std::collections::HashMap;

use super::{ForeignKey, Key, Model, Table};

/// Something wrong with a model. Tables are named `schema:Table`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelFault {
    /// A foreign key refers to a table that is not there.
    #[error("{table}: the foreign key {foreign_key} refers to the table {referenced}, which is not there")]
    MissingTable {
        /// The referring table.
        table: String,
        /// The constraint's name, or its columns where it has none.
        foreign_key: String,
        /// The missing table.
        referenced: String,
    },
    /// A foreign key refers to a column that is not there.
    #[error(
        "{table}: the foreign key {foreign_key} refers to the column {column:?} of {referenced}, which is not there"
    )]
    MissingReferencedColumn {
        /// The referring table.
        table: String,
        /// The constraint's name, or its columns where it has none.
        foreign_key: String,
        /// The table referred to.
        referenced: String,
        /// The missing column.
        column: String,
    },
    /// A foreign key or key is over a column that the table has not.
    #[error("{table}: {constraint} is over the column {column:?}, which the table has not")]
    MissingColumn {
        /// The table.
        table: String,
        /// `the key NAME` or `the foreign key NAME`.
        constraint: String,
        /// The missing column.
        column: String,
    },
    /// A foreign key pairs unequal numbers of columns.
    #[error("{table}: the foreign key {foreign_key} has {from} columns that refer to {to}")]
    ColumnCounts {
        /// The referring table.
        table: String,
        /// The constraint's name.
        foreign_key: String,
        /// How many columns refer.
        from: usize,
        /// How many are referred to.
        to: usize,
    },
    /// A foreign key's columns are not of one table.
    #[error("{table}: the columns of the foreign key {foreign_key} are not all of one table")]
    SeveralTables {
        /// The table that lists it.
        table: String,
        /// The constraint's name.
        foreign_key: String,
    },
    /// A constraint is over no columns.
    #[error("{table}: {constraint} is over no columns")]
    NoColumns {
        /// The table.
        table: String,
        /// `the key NAME` or `the foreign key NAME`.
        constraint: String,
    },
    /// Two columns have the same name.
    #[error("{table}: there are two columns {column:?}")]
    SameColumn {
        /// The table.
        table: String,
        /// The name.
        column: String,
    },
    /// Two columns have names that differ only in case, which SQLite takes for the same.
    #[error("{table}: the columns {column:?} and {other:?} differ only in case")]
    ColumnCase {
        /// The table.
        table: String,
        /// The first name.
        column: String,
        /// The second.
        other: String,
    },
    /// Two tables have names that differ only in case, which SQLite takes for the same.
    #[error("the tables {table} and {other} differ only in case")]
    TableCase {
        /// The first table.
        table: String,
        /// The second.
        other: String,
    },
    /// A name holds a NUL.
    #[error("{table}: the name {name:?} holds a NUL")]
    Nul {
        /// The table.
        table: String,
        /// The table's or column's name.
        name: String,
    },
}

impl Model {
    /// What is wrong with the model, in its order; nothing in a model that a server gave out.
    #[must_use]
    pub fn check(&self) -> Vec<ModelFault> {
        let mut faults = Vec::new();
        let mut seen: HashMap<String, String> = HashMap::new();
        for table in self.tables() {
            let name = table.qualified_name();
            if let Some(other) = seen.insert(name.to_ascii_lowercase(), name.clone()) {
                faults.push(ModelFault::TableCase { table: other, other: name.clone() });
            }
            check_columns(table, &name, &mut faults);
            table.keys.iter().for_each(|key| check_key(table, key, &name, &mut faults));
            for foreign_key in &table.foreign_keys {
                self.check_foreign_key(table, foreign_key, &name, &mut faults);
            }
        }
        faults
    }

    fn check_foreign_key(
        &self,
        table: &Table,
        foreign_key: &ForeignKey,
        name: &str,
        faults: &mut Vec<ModelFault>,
    ) {
        let own = || name.to_owned();
        let (from, to) = (&foreign_key.foreign_key_columns, &foreign_key.referenced_columns);
        let columns: Vec<&str> = from.iter().map(|column| column.column_name.as_str()).collect();
        let constraint = constraint_name(&foreign_key.names, &columns);
        let (Some(first), Some((schema, referenced))) = (from.first(), foreign_key.referenced_table()) else {
            faults.push(ModelFault::NoColumns {
                table: own(),
                constraint: format!("the foreign key {constraint}"),
            });
            return;
        };
        if from.len() != to.len() {
            let (from, to) = (from.len(), to.len());
            faults.push(ModelFault::ColumnCounts { table: own(), foreign_key: constraint.clone(), from, to });
        }
        let of_own = first.schema_name == table.schema_name && first.table_name == table.table_name;
        let of_one = |columns: &[super::ColumnRef], schema: &str, table: &str| {
            columns.iter().all(|column| column.schema_name == schema && column.table_name == table)
        };
        if !of_own || !of_one(from, &table.schema_name, &table.table_name) || !of_one(to, schema, referenced)
        {
            faults.push(ModelFault::SeveralTables { table: own(), foreign_key: constraint });
            return;
        }
        for column in columns.iter().filter(|column| table.column(column).is_none()) {
            let (constraint, column) = (format!("the foreign key {constraint}"), (*column).to_owned());
            faults.push(ModelFault::MissingColumn { table: own(), constraint, column });
        }
        let other = format!("{schema}:{referenced}");
        let Some(target) = self.table(schema, referenced) else {
            faults.push(ModelFault::MissingTable {
                table: own(),
                foreign_key: constraint,
                referenced: other,
            });
            return;
        };
        for column in to.iter().filter(|column| target.column(&column.column_name).is_none()) {
            faults.push(ModelFault::MissingReferencedColumn {
                table: own(),
                foreign_key: constraint.clone(),
                referenced: other.clone(),
                column: column.column_name.clone(),
            });
        }
    }
}

fn check_columns(table: &Table, name: &str, faults: &mut Vec<ModelFault>) {
    let own = || name.to_owned();
    let mut seen: HashMap<String, &str> = HashMap::new();
    if name.contains('\0') {
        faults.push(ModelFault::Nul { table: own(), name: table.table_name.clone() });
    }
    for column in table.column_definitions.iter().map(|column| column.name.as_str()) {
        if column.contains('\0') {
            faults.push(ModelFault::Nul { table: own(), name: column.to_owned() });
        }
        match seen.insert(column.to_ascii_lowercase(), column) {
            None => {}
            Some(other) if other == column => {
                faults.push(ModelFault::SameColumn { table: own(), column: column.to_owned() });
            }
            Some(other) => {
                let (other, column) = (column.to_owned(), other.to_owned());
                faults.push(ModelFault::ColumnCase { table: own(), column, other });
            }
        }
    }
}

fn check_key(table: &Table, key: &Key, name: &str, faults: &mut Vec<ModelFault>) {
    let columns: Vec<&str> = key.unique_columns.iter().map(String::as_str).collect();
    let constraint = format!("the key {}", constraint_name(&key.names, &columns));
    if columns.is_empty() {
        faults.push(ModelFault::NoColumns { table: name.to_owned(), constraint: constraint.clone() });
    }
    for column in columns.into_iter().filter(|column| table.column(column).is_none()) {
        let (table, constraint) = (name.to_owned(), constraint.clone());
        faults.push(ModelFault::MissingColumn { table, constraint, column: column.to_owned() });
    }
}

/// What a constraint is called, or its columns where it has no name.
fn constraint_name(names: &[(String, String)], columns: &[&str]) -> String {
    names.first().map_or_else(|| format!("on {}", columns.join(", ")), |(_, name)| name.clone())
}
