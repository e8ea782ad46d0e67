//! Rows changed by hand: what each was, and is.

use std::collections::{BTreeMap, HashSet};

use super::kept;
use crate::catalog::cells::Cells;
use crate::catalog::sql::sql_names;
use crate::catalog::{CatalogError, Change};
use crate::model::{Column, Table};
use crate::tabular::Value;

/// A row that was made or changed.
#[derive(Debug, Clone, PartialEq)]
pub struct RowChange {
    /// Its table.
    pub table: String,
    /// Its id.
    pub rid: String,
    /// The columns that changed.
    pub columns: Vec<CellChange>,
}

/// A cell that was changed.
#[derive(Debug, Clone, PartialEq)]
pub struct CellChange {
    /// The column.
    pub column: String,
    /// Its value before.
    pub was: Value,
    /// Its value now.
    pub is: Value,
}

/// Rows that were deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedRows {
    /// Their table.
    pub table: String,
    /// Their ids.
    pub rids: Vec<String>,
    /// How many rows of other tables went with them.
    pub with: BTreeMap<String, u64>,
}

/// Whether a vocabulary's terms are found by a column.
fn names_terms(column: &Column) -> bool {
    ["ID", "URI", "Name", "Synonyms"].contains(&column.name.as_str())
}

/// Whether a column of an asset table follows from a file's bytes, or from where they are.
fn is_of_file(column: &Column) -> bool {
    ["URL", "Length", "MD5", "SHA256", "Path"].contains(&column.name.as_str())
}

impl Change<'_> {
    /// Gives columns of a row new values, `COLUMN=VALUE` each; those of `nulls` become NULL. A row is found by its RID, in
    /// `table` where that is said.
    pub fn set_row(
        &mut self,
        table: Option<&str>,
        rid: &str,
        assignments: &[String],
        nulls: &[String],
    ) -> Result<RowChange, CatalogError> {
        let table = match table {
            Some(table) => self.table(table)?,
            None => self.table_of(rid)?,
        };
        self.check_lab_rows(&table)?;
        let given = Cells::default().assignments(self, &table, assignments, nulls)?;
        if let Some((column, _)) =
            given.iter().find(|(column, _)| table.is_vocabulary() && names_terms(column))
        {
            let reason = format!("terms are found by their {}; `dbag vocab set` changes it", column.name);
            return Err(kept(&table, &reason));
        }
        if let Some((column, _)) =
            given.iter().find(|(column, _)| table.asset_form().is_some() && is_of_file(column))
        {
            let reason = format!("{} says what the file is; `dbag import --update` changes it", column.name);
            return Err(kept(&table, &reason));
        }
        let mut values = self.own_values(&table, rid)?;
        let mut columns = Vec::new();
        for (at, column) in table.own_columns().enumerate() {
            let new = given.iter().find(|(given, _)| given.name == column.name).map(|(_, value)| value);
            let Some(is) = new.filter(|is| **is != values[at]) else { continue };
            let was = std::mem::replace(&mut values[at], is.clone());
            columns.push(CellChange { column: column.name.clone(), was, is: is.clone() });
        }
        if !columns.is_empty() {
            let writer = self.writer(&table)?;
            self.update(&writer, rid, &values)?;
        }
        Ok(RowChange { table: table.table_name, rid: rid.to_owned(), columns })
    }

    /// Makes a row of `COLUMN=VALUE` texts. Columns that are not named get their default, else NULL.
    pub fn insert_row(&mut self, table: &str, assignments: &[String]) -> Result<RowChange, CatalogError> {
        let table = self.table(table)?;
        self.check_lab_rows(&table)?;
        if table.is_vocabulary() {
            return Err(kept(&table, "it holds terms; `dbag vocab add` makes one"));
        }
        if table.asset_form().is_some() {
            return Err(kept(&table, "it holds files; `dbag import` brings one with its bytes"));
        }
        let mut cells = Cells::default();
        let mut values: Vec<(&str, Value)> = cells
            .assignments(self, &table, assignments, &[])?
            .into_iter()
            .map(|(column, value)| (column.name.as_str(), value))
            .collect();
        for column in table.own_columns() {
            let default = match &column.default {
                Some(serde_json::Value::String(text)) => text.clone(),
                Some(other) if !other.is_null() => other.to_string(),
                _ => continue,
            };
            if values.iter().all(|(name, _)| *name != column.name) {
                values.push((&column.name, cells.read(self, &table, column, Some(&default))?));
            }
        }
        let writer = self.writer(&table)?;
        let rid = self.insert(&writer, &writer.row(&values))?;
        let columns = values.into_iter().map(|(column, is)| CellChange {
            column: column.to_owned(),
            was: Value::Null,
            is,
        });
        let columns = columns.collect();
        Ok(RowChange { table: table.table_name, rid: rid.to_string(), columns })
    }

    /// Deletes rows of a table: those of these ids, or those for which an SQL condition holds. Rows whose reference says
    /// so (`ON DELETE CASCADE`, as the values of features do) go with them.
    pub fn delete_rows(
        &mut self,
        table: &str,
        rids: &[String],
        condition: Option<&str>,
    ) -> Result<DeletedRows, CatalogError> {
        let table = self.table(table)?;
        self.check_lab_rows(&table)?;
        if table.is_vocabulary() {
            return Err(kept(&table, "it holds terms; `dbag vocab remove` deletes one"));
        }
        let rids = match condition {
            Some(_) => self.rids_where(&table, condition)?,
            None => rids.to_vec(),
        };
        self.delete_with_dependents(&table, &rids)
    }

    /// Deletes rows, and counts what goes with them.
    pub(in crate::catalog) fn delete_with_dependents(
        &mut self,
        table: &Table,
        rids: &[String],
    ) -> Result<DeletedRows, CatalogError> {
        let name = table.qualified_name();
        let mut rids = rids.to_vec();
        rids.sort_unstable();
        rids.dedup();
        for rid in &rids {
            if !self.is_there(table, rid)? {
                return Err(CatalogError::NoRowOf { table: table.table_name.clone(), rid: rid.clone() });
            }
        }
        let mut gone: HashSet<(String, String)> = HashSet::new();
        if self.has_dependents(table) {
            for rid in &rids {
                let mut pending = vec![(table.clone(), rid.clone())];
                while let Some((table, rid)) = pending.pop() {
                    if gone.insert((table.qualified_name(), rid.clone())) {
                        pending.extend(self.dependents(&table, &rid)?);
                    }
                }
                // One row may have gone with another.
                if self.is_there(table, rid)? {
                    self.delete(table, rid)?;
                }
            }
        } else {
            self.delete_all(table, &rids)?;
        }
        let mut with: BTreeMap<String, u64> = BTreeMap::new();
        let asked: HashSet<&String> = rids.iter().collect();
        for (of, rid) in &gone {
            if *of != name || !asked.contains(rid) {
                *with.entry(of.rsplit(':').next().unwrap_or(of).to_owned()).or_default() += 1;
            }
        }
        Ok(DeletedRows { table: table.table_name.clone(), rids, with })
    }

    fn is_there(&self, table: &Table, rid: &str) -> Result<bool, CatalogError> {
        let sql = format!("SELECT 1 FROM main.{} WHERE \"RID\" = ?", sql_names(table).0);
        let found = self.transaction().prepare_cached(&sql).and_then(|mut found| found.exists([rid]));
        found.map_err(|e| self.fail(e))
    }

    /// The one table that has a row of this id.
    fn table_of(&self, rid: &str) -> Result<Table, CatalogError> {
        let mut found: Vec<Table> = Vec::new();
        for table in self.model().tables() {
            if self.is_there(table, rid)? {
                found.push(table.clone());
            }
        }
        match found.len() {
            0 => Err(CatalogError::NoSuchRid(rid.to_owned())),
            1 => Ok(found.swap_remove(0)),
            _ => Err(CatalogError::AmbiguousRid {
                rid: rid.to_owned(),
                tables: found.into_iter().map(|table| table.table_name).collect(),
            }),
        }
    }
}
