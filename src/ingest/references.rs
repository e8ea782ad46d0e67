//! What columns refer to: rows of other tables by a key, terms of a vocabulary by their name or a synonym.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use super::IngestError;
use super::names::column_name;
use crate::catalog::{CatalogError, Change};
use crate::model::{Column, ColumnType, Model, Storage, Table};

/// Terms that are named to someone whose value is none.
const TERMS_TOLD: usize = 10;

/// A column that is to refer to another table: `COLUMN=TABLE`, or `COLUMN=TABLE.COLUMN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The column.
    pub column: String,
    /// The other table.
    pub table: String,
    /// Its column; `None` for a term's name, else the table's key, else its RID.
    pub referenced: Option<String>,
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "write COLUMN=TABLE or COLUMN=TABLE.COLUMN".to_owned();
        let (column, target) = text.rsplit_once('=').ok_or_else(form)?;
        let (table, referenced) = match target.split_once('.') {
            Some((table, referenced)) => (table, Some(column_name(referenced)?)),
            None => (target, None),
        };
        if table.is_empty() {
            return Err(form());
        }
        Ok(Self { column: column_name(column)?, table: table.to_owned(), referenced })
    }
}

/// A reference with the table that it goes to.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub column: String,
    pub table: Table,
    pub referenced: String,
}

impl Reference {
    /// Finds what it refers to: a column that alone tells the other table's rows apart.
    pub(super) fn resolve(&self, change: &Change<'_>, own: &str) -> Result<Target, IngestError> {
        self.find(change.table(&self.table)?, own)
    }

    /// The same in a table that is known.
    pub(super) fn find(&self, table: Table, own: &str) -> Result<Target, IngestError> {
        let refused = |reason: String| IngestError::BadReference {
            table: own.to_owned(),
            column: self.column.clone(),
            other: self.table.clone(),
            reason,
        };
        let keys: Vec<&str> = single_keys(&table).collect();
        let referenced = match &self.referenced {
            Some(column) if table.column(column).is_none() => {
                return Err(IngestError::Catalog(CatalogError::NoSuchColumn {
                    table: table.table_name.clone(),
                    column: column.clone(),
                    columns: table.column_definitions.iter().map(|column| column.name.clone()).collect(),
                }));
            }
            Some(column) if !keys.contains(&column.as_str()) => {
                let keys = keys.join(", ");
                return Err(refused(format!("{column:?} alone does not tell its rows apart; {keys} does")));
            }
            Some(column) => column.clone(),
            None if table.is_vocabulary() => "Name".to_owned(),
            None => match table.natural_key() {
                Some([column]) => column.clone(),
                Some(several) => {
                    let several = several.join(", ");
                    return Err(refused(format!(
                        "its key has several columns ({several}); name one, such as RID"
                    )));
                }
                None => "RID".to_owned(),
            },
        };
        Ok(Target { column: self.column.clone(), table, referenced })
    }
}

/// The columns that alone are a key, RID among them.
pub(super) fn single_keys(table: &Table) -> impl Iterator<Item = &str> {
    table.keys.iter().filter_map(|key| match key.unique_columns.as_slice() {
        [column] => Some(column.as_str()),
        _ => None,
    })
}

impl Target {
    /// The type of a column that refers so.
    pub fn column_type(&self) -> ColumnType {
        let theirs = self.table.column(&self.referenced).map(|column| &column.column_type);
        match theirs {
            Some(theirs) if theirs.storage() != Storage::Text => theirs.clone(),
            _ => ColumnType::new("text"),
        }
    }

    /// The references that a table has, each of one column. Those of system columns are the server's matter.
    pub fn of_table(model: &Model, table: &Table) -> Vec<Self> {
        let one = |key: &crate::model::ForeignKey| {
            let (column, referenced) = key.single()?;
            let own = table.own_columns().any(|own| own.name == column);
            let target = model.referenced(key).filter(|target| own && target.column(referenced).is_some())?;
            Some(Self { column: column.into(), table: target.clone(), referenced: referenced.into() })
        };
        table.foreign_keys.iter().filter_map(one).collect()
    }

    /// What its values may be. Those of a reference to the table itself come with the rows.
    pub fn lookup(&self, change: &Change<'_>, own: &Table) -> Result<Lookup, IngestError> {
        let (table, column) = (self.table.table_name.clone(), self.referenced.clone());
        if self.table.qualified_name() == own.qualified_name() {
            let known = match change.model().table(&own.schema_name, &own.table_name) {
                Some(own) => values(change, own, &column)?,
                None => HashSet::new(),
            };
            return Ok(Lookup { table, column, kind: LookupKind::Own(known) });
        }
        if self.table.is_vocabulary() && column == "Name" {
            let mut names = HashMap::new();
            let terms = change.terms(&self.table)?;
            for term in &terms {
                for synonym in &term.synonyms {
                    names.entry(synonym.clone()).or_insert_with(|| term.name.clone());
                }
            }
            let own = terms.into_iter().map(|term| (term.name.clone(), term.name));
            names.extend(own);
            return Ok(Lookup { table, column, kind: LookupKind::Terms(names) });
        }
        let kind = LookupKind::Values(values(change, &self.table, &column)?);
        Ok(Lookup { table, column, kind })
    }
}

fn values(change: &Change<'_>, table: &Table, column: &str) -> Result<HashSet<String>, IngestError> {
    let found: Option<&Column> = table.column(column);
    Ok(found.map(|column| change.values_of(table, column)).transpose()?.unwrap_or_default())
}

/// What a referring column's values may be.
pub(super) struct Lookup {
    /// The other table and its column.
    table: String,
    column: String,
    kind: LookupKind,
}

enum LookupKind {
    /// What terms are called, and their names.
    Terms(HashMap<String, String>),
    /// The values of the other table's column.
    Values(HashSet<String>),
    /// The values of a column of the same table, as far as they are known.
    Own(HashSet<String>),
}

impl Lookup {
    /// The values of the table's own column, where it refers to itself.
    pub fn own_values(&mut self) -> Option<(&str, &mut HashSet<String>)> {
        match &mut self.kind {
            LookupKind::Own(values) => Some((&self.column, values)),
            _ => None,
        }
    }

    /// Whether values are given another form.
    pub fn renames(&self) -> bool {
        matches!(self.kind, LookupKind::Terms(_))
    }

    /// The value that a row is to have for a text; `Err` says why there is none. What refers to the table itself is
    /// not checked here.
    pub fn find<'t>(&'t self, text: &'t str) -> Result<Cow<'t, str>, String> {
        match &self.kind {
            LookupKind::Terms(names) => match names.get(text) {
                Some(name) => Ok(Cow::Borrowed(name)),
                None => Err(self.no_such(text)),
            },
            LookupKind::Values(values) if !values.contains(text) => Err(self.no_such(text)),
            LookupKind::Values(_) | LookupKind::Own(_) => Ok(Cow::Borrowed(text)),
        }
    }

    /// That there is no such row.
    pub fn no_such(&self, text: &str) -> String {
        let shown: String = text.chars().take(60).collect();
        let LookupKind::Terms(names) = &self.kind else {
            return format!("{} has no row with {} {shown:?}", self.table, self.column);
        };
        let mut terms: Vec<&str> = names.values().map(String::as_str).collect();
        terms.sort_unstable();
        terms.dedup();
        let more = if terms.len() > TERMS_TOLD { ", …" } else { "" };
        terms.truncate(TERMS_TOLD);
        let terms =
            if terms.is_empty() { "it has none yet".into() } else { format!("terms: {}", terms.join(", ")) };
        format!("{} has no term {shown:?}; {terms}{more}", self.table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read() {
        let parsed = |text: &str| text.parse::<Reference>().map(|r| (r.column, r.table, r.referenced));
        assert_eq!(parsed("a=T").unwrap(), ("a".into(), "T".into(), None));
        assert_eq!(parsed("a=b=T.c.d").unwrap(), ("a=b".into(), "T".into(), Some("c.d".into())));
        assert_eq!(parsed("a=deriva-ml:T").unwrap().1, "deriva-ml:T");
        for bad in ["a", "a=", "=T", "a=T.", "a=.b"] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }
}
