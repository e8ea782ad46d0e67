//! Tables as a lab keeps them: listed and shown, made and widened, their rows changed by hand.
//!
//! The tables of the `deriva-ml` schema, memberships and terms are kept by commands of their own, and refused here.

mod make;
mod rows;

pub use make::{NewReference, NewTable};
pub use rows::{CellChange, DeletedRows, RowChange};

use super::sql::find_table;
use super::{Catalog, CatalogError, Change};
use crate::model::{DERIVA_ML, Model, Table, TableKind, is_kept_name};

/// A table in a list.
#[derive(Debug, Clone)]
pub struct TableSummary {
    /// The table.
    pub table: Table,
    /// What it is.
    pub kind: TableKind,
    /// The number of its rows.
    pub rows: u64,
}

/// A table in full.
#[derive(Debug, Clone)]
pub struct TableDetails {
    /// The table, its kind, and the number of its rows.
    pub summary: TableSummary,
    /// The feature whose values it holds: of which table, and its name.
    pub feature: Option<(String, String)>,
    /// The columns elsewhere that refer to it: table and column.
    pub referred_by: Vec<(String, String)>,
}

impl Catalog {
    /// Every table, in the model's order.
    pub fn tables(&self) -> Result<Vec<TableSummary>, CatalogError> {
        let model = self.model()?;
        model.tables().map(|table| self.table_summary(&model, table)).collect()
    }

    /// All about one table.
    pub fn table_details(&self, name: &str) -> Result<TableDetails, CatalogError> {
        let model = self.model()?;
        let table = find_table(&model, name)?;
        let feature = model.feature(table).map(|feature| {
            let name = feature.name.unwrap_or(&table.table_name).to_owned();
            (feature.target.table_name.clone(), name)
        });
        let to_it = model.tables().flat_map(|other| {
            let keys =
                other.foreign_keys.iter().filter(|key| key.refers_to(&table.schema_name, &table.table_name));
            keys.flat_map(|key| key.foreign_key_columns.iter())
                .map(|column| (other.table_name.clone(), column.column_name.clone()))
        });
        let referred_by = to_it.collect();
        Ok(TableDetails { summary: self.table_summary(&model, table)?, feature, referred_by })
    }

    fn table_summary(&self, model: &Model, table: &Table) -> Result<TableSummary, CatalogError> {
        Ok(TableSummary { table: table.clone(), kind: model.kind(table), rows: self.count(table)? })
    }
}

/// Refuses a new table's name that dbag and deriva-ml need for their own.
pub(super) fn check_free_name(name: &str) -> Result<(), CatalogError> {
    if is_kept_name(name) { Err(CatalogError::NameKept(name.to_owned())) } else { Ok(()) }
}

fn kept(table: &Table, reason: &str) -> CatalogError {
    CatalogError::TableKept { table: table.table_name.clone(), reason: reason.into() }
}

impl Change<'_> {
    /// A table that may be changed by hand.
    fn lab_table(&self, name: &str) -> Result<Table, CatalogError> {
        let table = self.table(name)?;
        check_lab_table(&table)?;
        Ok(table)
    }

    /// Refuses to change the rows of a table that only other commands change.
    fn check_lab_rows(&self, table: &Table) -> Result<(), CatalogError> {
        check_lab_table(table)?;
        if self.model().membership(table).is_some() {
            return Err(kept(table, "it holds the members of datasets; `dbag dataset add` changes them"));
        }
        Ok(())
    }
}

fn check_lab_table(table: &Table) -> Result<(), CatalogError> {
    if table.schema_name == DERIVA_ML {
        return Err(kept(table, "it is of the deriva-ml schema, whose rows dbag writes itself"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
