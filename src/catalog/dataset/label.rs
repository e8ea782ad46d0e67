//! What a dataset is called now: the label of its last release, or of what it has become since.

use std::collections::BTreeSet;

use super::super::sql::{literal, quoted, sql_names};
use super::super::{Catalog, CatalogError};
use super::view::NOW;
use super::{Drift, VersionDetails, View};
use crate::model::{DERIVA_ML, Rid, Table};
use crate::version::{DatasetName, Label};

impl Catalog {
    /// The label of a dataset as it is; `None` before its first release.
    pub fn label(&self, name: &DatasetName) -> Result<Option<Label>, CatalogError> {
        let view = self.view()?;
        let rid = view.dataset_rid(name)?;
        let Some(last) = view.versions(&rid)?.pop() else { return Ok(None) };
        let drift = view.drift(&rid, last.number)?;
        view.label_since(&rid, &last, &drift).map(Some)
    }
}

impl View<'_> {
    /// The label of a dataset that has drifted so since its last release.
    pub(super) fn label_since(
        &self,
        dataset: &Rid,
        last: &VersionDetails,
        drift: &Drift,
    ) -> Result<Label, CatalogError> {
        // What was changed otherwise than by its rows counts as one change.
        let changes = if drift.any() { self.changes_since(dataset, last.number)?.max(1) } else { 0 };
        Ok(Label::since(last.version.clone(), changes))
    }

    /// How many changes since transaction `since` were of a dataset's rows, members, types and nesting, and of those nested
    /// in it. Finds them by when they were made, so that the work grows with the changes.
    fn changes_since(&self, dataset: &Rid, since: i64) -> Result<u64, CatalogError> {
        let family = self.family(dataset, NOW)?;
        let family: Vec<String> = family.iter().map(|rid| literal(rid.as_str())).collect();
        let family = family.join(", ");
        let mut numbers = BTreeSet::new();
        let mut add =
            |table: &Table, condition: &str| self.numbers_since(&mut numbers, table, since, condition);
        for membership in self.model.memberships() {
            let physical = |name: &str| {
                let column = membership.table.column(name);
                quoted(&column.map_or_else(
                    || name.to_owned(),
                    |column| self.aliases.physical(membership.table, column),
                ))
            };
            let (outer, inner) = (physical(membership.dataset_column), physical(membership.element_column));
            add(membership.table, &format!("+{outer} IN ({family})"))?;
            if !membership.is_nesting() {
                let (links, _) = sql_names(membership.table);
                let linked = format!(
                    "EXISTS (SELECT 1 FROM main.{links} m WHERE m.{outer} IN ({family}) AND m.{inner} = r.\"RID\")"
                );
                add(membership.element, &linked)?;
            }
        }
        for (name, column) in [("Dataset_Dataset_Type", "Dataset"), ("Dataset", "RID")] {
            if let Some(table) = self.model.table(DERIVA_ML, name) {
                add(table, &format!("+{} IN ({family})", quoted(column)))?;
            }
        }
        Ok(numbers.len() as u64)
    }

    /// Adds the numbers of the changes that made or ended rows of a table for which a condition holds.
    fn numbers_since(
        &self,
        numbers: &mut BTreeSet<i64>,
        table: &Table,
        since: i64,
        condition: &str,
    ) -> Result<(), CatalogError> {
        let (live, past) = sql_names(table);
        for (rows, when) in [(live, "dbag:from"), (past, "dbag:to")] {
            let when = quoted(when);
            let sql =
                format!("SELECT DISTINCT {when} FROM main.{rows} r WHERE {when} > {since} AND {condition}");
            let mut statement = self.connection.prepare(&sql).map_err(|e| self.fail(e))?;
            let found = statement.query_map((), |row| row.get(0)).map_err(|e| self.fail(e))?;
            for number in found {
                numbers.insert(number.map_err(|e| self.fail(e))?);
            }
        }
        Ok(())
    }
}
