//! RIDs that are another row's here, given anew.

use std::collections::{HashMap, HashSet};

use super::Source;
use crate::catalog::Change;
use crate::ingest::IngestError;
use crate::model::{Rid, Table};
use crate::tabular::Value;

/// Their RIDs that were given anew.
#[derive(Debug, Default)]
pub(in crate::ingest) struct Remapped {
    ours: HashMap<String, String>,
    /// Their terms that are here by name: ours stand for them.
    known_terms: HashSet<String>,
    /// Table, their RID, the RID here.
    pub(super) list: Vec<(String, String, String)>,
}

impl Remapped {
    /// The RID here of one of theirs.
    pub(in crate::ingest) fn ours<'r>(&'r self, theirs: &'r str) -> &'r str {
        self.ours.get(theirs).map_or(theirs, String::as_str)
    }

    /// Whether one of their terms is here by its name.
    pub(super) fn is_known_term(&self, theirs: &str) -> bool {
        self.known_terms.contains(theirs)
    }

    /// The columns of a table that hold RIDs: its own, and those that refer to one.
    pub(super) fn columns(&self, table: &Table) -> Vec<usize> {
        if self.ours.is_empty() {
            return Vec::new();
        }
        let refers = |name: &str| {
            table.foreign_keys.iter().any(|key| {
                key.foreign_key_columns
                    .iter()
                    .zip(&key.referenced_columns)
                    .any(|(from, to)| from.column_name == name && to.column_name == "RID")
            })
        };
        let columns = table.column_definitions.iter().enumerate();
        columns.filter(|(_, column)| column.name == "RID" || refers(&column.name)).map(|(at, _)| at).collect()
    }

    /// A value of such a column, as it is here.
    pub(super) fn value(&self, value: &Value) -> Value {
        match value {
            Value::Text(theirs) => Value::Text(self.ours(theirs).to_owned()),
            other => other.clone(),
        }
    }
}

/// Finds the rows whose RID is another row's here: one of another table, or one that was created at another time. A row
/// that has the key of one that is here is that row. What was given anew at an earlier merge of the same source keeps that RID.
pub(super) fn find_collisions(change: &mut Change<'_>, source: &dyn Source) -> Result<Remapped, IngestError> {
    change.clear_theirs()?;
    let mut remapped = Remapped::default();
    for table in source.tables() {
        let at = |name: &str| table.column_definitions.iter().position(|column| column.name == name);
        let (Some(rid), created) = (at("RID"), at("RCT")) else { continue };
        let name = table.qualified_name();
        let ours = change.table(&name)?;
        let term = at("Name").filter(|_| ours.is_vocabulary());
        let key = key_of(&ours, table);
        source.rows(table, &mut |row| {
            let text = |at: usize| row[at].to_text().unwrap_or_default().into_owned();
            let theirs = text(rid);
            if theirs.is_empty() {
                return Err(IngestError::NoRid { table: name.clone() });
            }
            if let Some(at) = term
                && let Some(here) =
                    change.term_rids(&ours, &text(at))?.into_iter().find(|here| *here != theirs)
                && (is_local(&theirs) || !is_local(&here))
            {
                remapped.known_terms.insert(theirs.clone());
                remapped.ours.insert(theirs, here);
                return Ok(());
            }
            if let Some(here) = same_key(change, &ours, &key, row)?.filter(|here| *here != theirs) {
                remapped.ours.insert(theirs, here);
                return Ok(());
            }
            change.note_theirs(&name, &theirs, &created.map(text).unwrap_or_default())?;
            Ok(())
        })?;
    }
    for (table, theirs) in change.collisions(source.name())? {
        let ours = change.remap_rid(source.name(), &theirs)?.to_string();
        remapped.ours.insert(theirs.clone(), ours.clone());
        remapped.list.push((table, theirs, ours));
    }
    Ok(remapped)
}

/// The columns of a table's key, and where they are in their rows. A key of what other rows are called here is none by which
/// rows of two catalogs can be told to be the same.
fn key_of(ours: &Table, theirs: &Table) -> Vec<(String, usize)> {
    let refers = |name: &String| {
        ours.foreign_keys.iter().any(|key| key.foreign_key_columns.iter().any(|c| c.column_name == *name))
    };
    let Some(key) = ours.natural_key().filter(|key| !ours.is_vocabulary() && !key.iter().any(refers)) else {
        return Vec::new();
    };
    let at = |name: &String| theirs.column_definitions.iter().position(|column| column.name == *name);
    let found: Option<Vec<(String, usize)>> =
        key.iter().map(|name| Some((name.clone(), at(name)?))).collect();
    found.unwrap_or_default()
}

/// The row here that has the key of one of theirs.
fn same_key(
    change: &Change<'_>,
    ours: &Table,
    key: &[(String, usize)],
    row: &[Value],
) -> Result<Option<String>, IngestError> {
    if key.is_empty() || key.iter().any(|(_, at)| row[*at] == Value::Null) {
        return Ok(None);
    }
    let key: Vec<(&str, &Value)> = key.iter().map(|(name, at)| (name.as_str(), &row[*at])).collect();
    Ok(change.rid_by_key(ours, &key)?)
}

fn is_local(rid: &str) -> bool {
    Rid::parse(rid).is_some_and(|rid| rid.is_local())
}
