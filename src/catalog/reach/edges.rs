//! One hop along a foreign key: from rows to the rows that they refer to, or that refer to them.

use std::fmt::Write as _;

use rusqlite::types::ValueRef;

use super::{Id, IdSet, Ids};
use crate::catalog::CatalogError;
use crate::catalog::dataset::View;
use crate::catalog::sql::{quoted, sql_names};
use crate::model::{Hop, Table};

/// Reading a row where it lies next costs about as much as looking one up out of so many.
const LOOKUP: u64 = 12;

impl View<'_> {
    /// The rows of `to` that a hop leads to from `rows` of `from`.
    pub(in crate::catalog) fn hop(
        &self,
        ids: &mut Ids,
        from: &Table,
        to: &Table,
        hop: &Hop<'_>,
        rows: &IdSet,
        number: i64,
    ) -> Result<IdSet, CatalogError> {
        let referring: Vec<&str> =
            hop.key.foreign_key_columns.iter().map(|c| c.column_name.as_str()).collect();
        let referenced: Vec<&str> =
            hop.key.referenced_columns.iter().map(|c| c.column_name.as_str()).collect();
        let (leave, enter) = if hop.outbound { (referring, referenced) } else { (referenced, referring) };
        if leave == ["RID"] {
            return self.cells_where(ids, to, &["RID"], &enter, rows, number);
        }
        let keys = self.cells_where(ids, from, &leave, &["RID"], rows, number)?;
        self.cells_where(ids, to, &["RID"], &enter, &keys, number)
    }

    /// What `wanted` columns hold in the rows of a table whose `by` columns hold one of the `keys`. NULL is nothing.
    pub(super) fn cells_where(
        &self,
        ids: &mut Ids,
        table: &Table,
        wanted: &[&str],
        by: &[&str],
        keys: &IdSet,
        number: i64,
    ) -> Result<IdSet, CatalogError> {
        let mut found = IdSet::new();
        if keys.is_empty() {
            return Ok(found);
        }
        let search = Search { view: self, table, wanted, by, number };
        let (live, _) = sql_names(table);
        // About as many as there are rows, at no cost.
        let rows = self.number(&format!("SELECT ifnull(max(rowid), 0) FROM main.{live}"))?;
        if (keys.len() as u64).saturating_mul(LOOKUP) < rows {
            search.look_up(ids, keys, &mut found)?;
        } else {
            let sql = format!("{} WHERE \"dbag:from\" <= {number}", search.select(&live));
            search.scan(ids, &sql, keys, &mut found)?;
        }
        search.history(ids, keys, &mut found)?;
        Ok(found)
    }
}

struct Search<'s> {
    view: &'s View<'s>,
    table: &'s Table,
    wanted: &'s [&'s str],
    by: &'s [&'s str],
    number: i64,
}

impl Search<'_> {
    /// Wanted columns, then those that are searched by.
    fn select(&self, sql_table: &str) -> String {
        let columns: Vec<String> =
            self.wanted.iter().chain(self.by).map(|name| self.physical(name)).collect();
        format!("SELECT {} FROM main.{sql_table}", columns.join(", "))
    }

    fn physical(&self, name: &str) -> String {
        let column = self.table.column(name);
        quoted(
            &column.map_or_else(|| name.to_owned(), |column| self.view.aliases.physical(self.table, column)),
        )
    }

    /// Rows that were superseded since.
    fn history(&self, ids: &mut Ids, keys: &IdSet, found: &mut IdSet) -> Result<(), CatalogError> {
        let (_, history) = sql_names(self.table);
        let number = self.number;
        let sql =
            format!("{} WHERE \"dbag:to\" > {number} AND +\"dbag:from\" <= {number}", self.select(&history));
        self.scan(ids, &sql, keys, found)
    }

    fn scan(&self, ids: &mut Ids, sql: &str, keys: &IdSet, found: &mut IdSet) -> Result<(), CatalogError> {
        let fail = |e| self.view.fail(e);
        let mut statement = self.view.connection.prepare(sql).map_err(fail)?;
        let mut rows = statement.query(()).map_err(fail)?;
        let count = self.wanted.len();
        // Where it is searched by what is wanted, nothing new comes of it.
        let same = self.wanted == self.by;
        let mut scratch = String::new();
        while let Some(row) = rows.next().map_err(fail)? {
            let cell = |at: usize| row.get_ref(at).map_err(fail);
            let by = (0..self.by.len()).map(|at| cell(count + at)).collect::<Result<Vec<_>, _>>()?;
            let Some(key) = known(ids, &by, &mut scratch).filter(|key| keys.contains(key)) else { continue };
            if same {
                found.insert(key);
                continue;
            }
            let wanted = (0..count).map(cell).collect::<Result<Vec<_>, _>>()?;
            found.extend(joined(&wanted, &mut scratch).then(|| ids.id(&scratch)));
        }
        Ok(())
    }

    fn look_up(&self, ids: &mut Ids, keys: &IdSet, found: &mut IdSet) -> Result<(), CatalogError> {
        let fail = |e| self.view.fail(e);
        let (live, _) = sql_names(self.table);
        let by: Vec<String> = self.by.iter().map(|name| format!("{} = ?", self.physical(name))).collect();
        let sql = format!(
            "{} WHERE {} AND +\"dbag:from\" <= {}",
            self.select(&live),
            by.join(" AND "),
            self.number
        );
        let mut statement = self.view.connection.prepare(&sql).map_err(fail)?;
        let mut scratch = String::new();
        for key in keys {
            let text = ids.text(*key);
            let parts: Vec<&str> = if self.by.len() == 1 { vec![text.as_str()] } else { parted(&text) };
            let mut rows = statement.query(rusqlite::params_from_iter(parts)).map_err(fail)?;
            while let Some(row) = rows.next().map_err(fail)? {
                let cells = (0..self.wanted.len()).map(|at| row.get_ref(at).map_err(fail));
                let cells = cells.collect::<Result<Vec<_>, _>>()?;
                found.extend(joined(&cells, &mut scratch).then(|| ids.id(&scratch)));
            }
        }
        Ok(())
    }
}

/// The number of a key that was seen before.
fn known(ids: &Ids, cells: &[ValueRef<'_>], scratch: &mut String) -> Option<Id> {
    if let [ValueRef::Text(text)] = cells {
        return std::str::from_utf8(text).ok().and_then(|text| ids.find(text));
    }
    joined(cells, scratch).then(|| ids.find(scratch)).flatten()
}

/// Writes a key's cells as one text; false where one is NULL. Of several, each has its length before it, for any symbol between them
/// could be in one.
fn joined(cells: &[ValueRef<'_>], out: &mut String) -> bool {
    out.clear();
    for cell in cells {
        let text = match cell {
            ValueRef::Null => return false,
            ValueRef::Integer(number) => number.to_string().into(),
            ValueRef::Real(number) => number.to_string().into(),
            ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text),
        };
        if cells.len() > 1 {
            let _ = write!(out, "{}:", text.len());
        }
        out.push_str(&text);
    }
    true
}

/// The cells of a key of several columns.
fn parted(mut key: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    while let Some((length, rest)) = key.split_once(':') {
        let Some((part, after)) = length.parse().ok().and_then(|length| rest.split_at_checked(length)) else {
            break;
        };
        parts.push(part);
        key = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_of_several_columns_are_told_apart(cells in proptest::collection::vec("[0-9:é\u{1f}]{0,4}", 2..4)) {
            let values: Vec<ValueRef<'_>> = cells.iter().map(|cell| ValueRef::Text(cell.as_bytes())).collect();
            let mut key = String::new();
            prop_assert!(joined(&values, &mut key));
            prop_assert_eq!(parted(&key), cells);
        }
    }
}
