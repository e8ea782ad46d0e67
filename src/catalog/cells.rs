//! Values as people give them: of their column's type, terms by a name or synonym, other rows only if they are there.

use std::collections::HashMap;

use super::sql::quoted;
use super::{CatalogError, Change};
use crate::model::{Column, Table};
use crate::tabular::Value;

/// Reads cells, and remembers what the references in them have come to.
#[derive(Debug, Default)]
pub struct Cells {
    /// By table, column referred to, and text.
    known: HashMap<(String, String), Value>,
}

impl Cells {
    /// The value of a column that a text stands for; `None` is NULL. What a text refers to must be there: a term, by its
    /// name or a synonym, or a row of another table.
    pub fn read(
        &mut self,
        change: &Change<'_>,
        table: &Table,
        column: &Column,
        text: Option<&str>,
    ) -> Result<Value, CatalogError> {
        let parsed = Value::parse(text, column.column_type.storage());
        let value = parsed.and_then(|value| value.fits(&column.column_type)).map_err(|source| {
            CatalogError::BadValue { table: table.table_name.clone(), column: column.name.clone(), source }
        })?;
        let (Some(text), Some(link)) = (value.to_text(), change.model().link(table, column)) else {
            return Ok(value);
        };
        let key = (format!("{}.{}", link.table.qualified_name(), link.referenced), text.clone().into_owned());
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let found = if change.has(link.table, link.referenced, &value)? {
            value
        } else if link.table.is_vocabulary() {
            let name = change.known_term(link.table, &text)?;
            change.term_value(link.table, link.referenced, &name)?
        } else {
            return Err(CatalogError::NoRowFor {
                table: table.table_name.clone(),
                column: column.name.clone(),
                value: text.into_owned(),
                other: link.table.table_name.clone(),
            });
        };
        self.known.insert(key, found.clone());
        Ok(found)
    }

    /// What `COLUMN=VALUE` texts say of a table's own columns. A column that is named alone in `nulls` is NULL.
    pub fn assignments<'t>(
        &mut self,
        change: &Change<'_>,
        table: &'t Table,
        texts: &[String],
        nulls: &[String],
    ) -> Result<Vec<(&'t Column, Value)>, CatalogError> {
        let mut given: Vec<(&Column, Option<&str>)> = Vec::new();
        for text in texts {
            given.push(assignment(table, text).map(|(column, value)| (column, Some(value)))?);
        }
        for name in nulls {
            given.push((own_column(table, name)?, None));
        }
        for (at, (column, _)) in given.iter().enumerate() {
            if given[..at].iter().any(|(other, _)| other.name == column.name) {
                return Err(CatalogError::GivenTwice(column.name.clone()));
            }
        }
        given
            .into_iter()
            .map(|(column, text)| Ok((column, self.read(change, table, column, text)?)))
            .collect()
    }
}

/// A column's name may hold `=` itself: the longest that fits is meant.
pub(super) fn assignment<'t, 's>(
    table: &'t Table,
    text: &'s str,
) -> Result<(&'t Column, &'s str), CatalogError> {
    let fitting = table.own_columns().filter_map(|column| {
        text.strip_prefix(column.name.as_str())?.strip_prefix('=').map(|value| (column, value))
    });
    match (fitting.max_by_key(|(column, _)| column.name.len()), text.split_once('=')) {
        (Some(found), _) => Ok(found),
        (None, Some((name, _))) => own_column(table, name).map(|column| (column, "")),
        (None, None) => Err(CatalogError::NotAnAssignment(text.to_owned())),
    }
}

pub(super) fn own_column<'t>(table: &'t Table, name: &str) -> Result<&'t Column, CatalogError> {
    table.own_columns().find(|column| column.name == name).ok_or_else(|| CatalogError::NoSuchColumn {
        table: table.table_name.clone(),
        column: name.to_owned(),
        columns: table.own_columns().map(|column| column.name.clone()).collect(),
    })
}

impl Change<'_> {
    /// Whether a table has a row with this value now.
    pub(super) fn has(&self, table: &Table, column: &str, value: &Value) -> Result<bool, CatalogError> {
        let sql = format!("SELECT 1 FROM ({}) WHERE {} = ?", self.now(table), quoted(column));
        let found = self.transaction().prepare_cached(&sql).and_then(|mut found| found.exists([value]));
        found.map_err(|e| self.fail(e))
    }

    /// What rows refer to a term by: its name, or another column in older catalogs.
    fn term_value(&self, vocabulary: &Table, column: &str, name: &str) -> Result<Value, CatalogError> {
        if column == "Name" {
            return Ok(Value::Text(name.to_owned()));
        }
        let sql = format!("SELECT {} FROM ({}) WHERE \"Name\" = ?", quoted(column), self.now(vocabulary));
        let found = self
            .transaction()
            .query_row(&sql, [name], |row| row.get::<_, String>(0))
            .map_err(|e| self.fail(e))?;
        Ok(Value::Text(found))
    }
}
