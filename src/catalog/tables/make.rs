//! Tables and columns: made, described, dropped.

use std::str::FromStr;

use super::check_free_name;
use crate::catalog::cells::{Cells, own_column};
use crate::catalog::{CatalogError, Change};
use crate::model::{Column, Table, TableKind};

/// A table that is to be made.
#[derive(Debug, Clone, Copy, Default)]
pub struct NewTable<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is for.
    pub comment: &'a str,
    /// Its own columns.
    pub columns: &'a [Column],
    /// Its keys, each the names of its columns separated by commas. A key's columns need a value in every row.
    pub keys: &'a [String],
    /// Its columns that refer to other tables. Those that are not among `columns` are made.
    pub references: &'a [NewReference],
}

/// A column that is to refer to another table: `Subject=Subject`, or `Site=Site.Code` for a column of its.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReference {
    /// The column.
    pub column: String,
    /// The other table, and perhaps `.` and its column. Without, that is a term's Name, another row's RID.
    pub to: String,
}

impl FromStr for NewReference {
    type Err = CatalogError;

    fn from_str(text: &str) -> Result<Self, CatalogError> {
        match text.rsplit_once('=') {
            Some((column, to)) if !column.is_empty() && !to.is_empty() => {
                Ok(Self { column: column.to_owned(), to: to.to_owned() })
            }
            _ => Err(CatalogError::NotAReference(text.to_owned())),
        }
    }
}

impl Change<'_> {
    /// Makes a table in a schema.
    pub fn create_table(&mut self, schema: &str, new: &NewTable<'_>) -> Result<Table, CatalogError> {
        check_free_name(new.name)?;
        let mut table = Table::new(schema, new.name, new.comment);
        table.column_definitions.extend_from_slice(new.columns);
        for reference in new.references {
            self.refer(&mut table, reference)?;
        }
        for key in new.keys {
            let columns: Vec<&str> = key.split(',').map(str::trim).collect();
            for name in &columns {
                let known = table.column_definitions.iter_mut().find(|column| column.name == *name);
                let known = known.ok_or_else(|| CatalogError::BadColumn {
                    table: new.name.to_owned(),
                    column: (*name).to_owned(),
                    reason: "a key names it, and the table has no such column".into(),
                })?;
                known.nullok = false;
            }
            table.add_key(&columns);
        }
        self.put_table(table.clone())?;
        Ok(table)
    }

    /// Adds a column to a table; rows that are there get `value`, in its text form.
    pub fn widen_table(
        &mut self,
        table: &str,
        column: &Column,
        value: Option<&str>,
        to: Option<&str>,
    ) -> Result<Table, CatalogError> {
        let table = self.lab_table(table)?;
        let mut wider = table.clone();
        wider.column_definitions.push(column.clone());
        if let Some(to) = to {
            self.refer(&mut wider, &NewReference { column: column.name.clone(), to: to.to_owned() })?;
        }
        let value = Cells::default().read(self, &wider, column, value)?;
        let added = self.add_column(&table, column, &value)?;
        match wider.foreign_keys.last().filter(|_| to.is_some()) {
            None => Ok(added),
            Some(key) => self.describe_table(&added, |table| table.foreign_keys.push(key.clone())),
        }
    }

    /// Drops a table that is the lab's own.
    pub fn drop_lab_table(&mut self, table: &str) -> Result<Table, CatalogError> {
        let table = self.lab_table(table)?;
        self.drop_table(&table)?;
        Ok(table)
    }

    /// Drops a column of a table that is the lab's own, unless it is one of those that make the table what it is: a
    /// vocabulary, a feature.
    pub fn narrow_table(&mut self, table: &str, column: &str) -> Result<Table, CatalogError> {
        let table = self.lab_table(table)?;
        let kind = self.model().kind(&table);
        let narrower = self.drop_column(&table, column)?;
        if kind != TableKind::Plain && self.model().kind(&narrower) != kind {
            return Err(CatalogError::ColumnNeeded {
                table: table.table_name,
                column: column.to_owned(),
                reason: format!("without it the table is no {} any more", kind.as_str()),
            });
        }
        Ok(narrower)
    }

    /// Says what a table is for, or one of its columns; an empty text takes that away. Returns what was said before.
    pub fn comment_on(
        &mut self,
        table: &str,
        column: Option<&str>,
        text: &str,
    ) -> Result<Option<String>, CatalogError> {
        let mut table = self.lab_table(table)?;
        let new = (!text.is_empty()).then(|| text.to_owned());
        let place = match column {
            None => &mut table.comment,
            Some(name) => {
                let known = own_column(&table, name)?.name.clone();
                let mut columns = table.column_definitions.iter_mut();
                match columns.find(|column| column.name == known) {
                    Some(column) => &mut column.comment,
                    None => return Ok(None),
                }
            }
        };
        let old = std::mem::replace(place, new.clone());
        if old != new {
            self.replace(table);
        }
        Ok(old)
    }

    /// Makes a column of a table refer to another table's row.
    fn refer(&self, table: &mut Table, new: &NewReference) -> Result<(), CatalogError> {
        let itself = |name: &str| name == table.table_name || name == table.qualified_name();
        let find = |name: &str| if itself(name) { Ok(table.clone()) } else { self.table(name) };
        // A table's name may hold dots itself.
        let (other, key) = match (find(&new.to), new.to.rsplit_once('.')) {
            (Err(error), Some((name, key))) => (find(name).map_err(|_| error)?, key),
            (found, _) => {
                let other = found?;
                let key = if other.is_vocabulary() { "Name" } else { "RID" };
                (other, key)
            }
        };
        let refused = |reason: String| CatalogError::BadColumn {
            table: table.table_name.clone(),
            column: new.column.clone(),
            reason,
        };
        let unique = other.keys.iter().any(|unique| unique.unique_columns == [key]);
        let referenced = other.column(key).filter(|_| unique).ok_or_else(|| {
            refused(format!("{key} of {}, which it would refer to, is no key there", other.table_name))
        })?;
        let storage = referenced.column_type.storage();
        match table.column_definitions.iter().find(|column| column.name == new.column) {
            Some(column) if column.column_type.storage() != storage => {
                let (ours, theirs) = (&column.column_type.typename, &referenced.column_type.typename);
                return Err(refused(format!(
                    "its type is {ours}, and that of {key} of {} is {theirs}",
                    other.table_name
                )));
            }
            Some(_) => {}
            None => {
                let base = referenced.column_type.base_type.as_deref().cloned();
                let column_type = base.unwrap_or_else(|| referenced.column_type.clone());
                table.column_definitions.push(Column::new(&new.column, column_type));
            }
        }
        table.add_foreign_key(&new.column, &other.schema_name, &other.table_name, key);
        Ok(())
    }
}
