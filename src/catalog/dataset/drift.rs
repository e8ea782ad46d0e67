//! What has changed in a dataset since a release. The work grows with the changes since, not with the members.

use std::collections::{BTreeMap, BTreeSet};

use super::super::CatalogError;
use super::super::selection::member_rids;
use super::super::sql::{Aliases, literal, quoted, sql_names};
use super::View;
use super::view::NOW;
use crate::model::{DERIVA_ML, Model, Rid, Table};

/// Change in a dataset since a release. What was changed and changed back is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drift {
    /// Members added.
    pub added: u64,
    /// Members removed.
    pub removed: u64,
    /// Members of then and now whose rows have other values.
    pub changed: u64,
    /// Member tables that have other columns.
    pub tables: u64,
    /// Types added and removed.
    pub types: u64,
    /// Datasets nested in it and taken out.
    pub nested: u64,
    /// Datasets that were nested in it and are, in which something has changed.
    pub nested_changed: u64,
    /// Rows that members lead to, or that lead to them, which came, went or changed.
    pub linked: u64,
    /// Rows of it that were withdrawn.
    pub withdrawn: u64,
    /// Whether it is described otherwise.
    pub description: bool,
}

impl Drift {
    /// Whether anything has changed.
    #[must_use]
    pub fn any(&self) -> bool {
        *self != Self::default()
    }
}

/// Two columns of an association, as SQL sees them.
struct Link {
    table: Table,
    outer: String,
    inner: String,
}

/// A membership of either model.
struct Side<'m> {
    link: Link,
    nesting: bool,
    /// The element table then and now.
    elements: [Option<&'m Table>; 2],
}

impl View<'_> {
    /// What has changed in a dataset since transaction `since`, and in those nested in it.
    pub(super) fn drift(&self, dataset: &Rid, since: i64) -> Result<Drift, CatalogError> {
        let then = self.model_at(since)?;
        let drift =
            self.drift_of(dataset, since, &sides(&then, &self.model, &self.aliases), &mut BTreeSet::new())?;
        let linked = self.diff_since(dataset, since)?.linked_rows();
        let withdrawn = format!(
            "SELECT count(*) FROM dbag_tombstone WHERE number > {since} AND held LIKE '%\"{dataset}\"%'"
        );
        Ok(Drift { linked, withdrawn: self.number(&withdrawn)?, ..drift })
    }

    fn drift_of(
        &self,
        dataset: &Rid,
        since: i64,
        sides: &[Side<'_>],
        seen: &mut BTreeSet<Rid>,
    ) -> Result<Drift, CatalogError> {
        let mut drift = Drift::default();
        if !seen.insert(dataset.clone()) {
            return Ok(drift);
        }
        for side in sides {
            let (added, removed) = self.linked_since(&side.link, dataset, since)?;
            if side.nesting {
                drift.nested += added + removed;
            } else {
                drift.added += added;
                drift.removed += removed;
                drift.changed += self.changed(side, dataset, since)?;
                drift.tables += u64::from(self.has_other_columns(side, dataset, since)?);
            }
        }
        if let Some(table) = self.model.table(DERIVA_ML, "Dataset_Dataset_Type") {
            let link = Link { table: table.clone(), outer: "Dataset".into(), inner: "Dataset_Type".into() };
            let (added, removed) = self.linked_since(&link, dataset, since)?;
            drift.types = added + removed;
        }
        drift.description = self.is_described_otherwise(dataset, since)?;
        let then: BTreeSet<Rid> = self.child_rids(dataset, since)?.into_iter().collect();
        for child in self.child_rids(dataset, NOW)?.iter().filter(|child| then.contains(child)) {
            drift.nested_changed += u64::from(self.drift_of(child, since, sides, seen)?.any());
        }
        Ok(drift)
    }

    /// How many links of a dataset are new since a transaction, and how many are gone.
    fn linked_since(&self, link: &Link, dataset: &Rid, since: i64) -> Result<(u64, u64), CatalogError> {
        let (new, old) = new_and_old(link, dataset, since);
        Ok((
            self.number(&format!("SELECT count(*) FROM ({new} EXCEPT {old})"))?,
            self.number(&format!("SELECT count(*) FROM ({old} EXCEPT {new})"))?,
        ))
    }

    /// How many members of then and now have other values.
    fn changed(&self, side: &Side<'_>, dataset: &Rid, since: i64) -> Result<u64, CatalogError> {
        self.changed_sql(side, dataset, since).map_or(Ok(0), |sql| self.number(&sql))
    }

    fn changed_sql(&self, side: &Side<'_>, dataset: &Rid, since: i64) -> Option<String> {
        let element = side.elements[1].or(side.elements[0])?;
        let tables = side.elements.iter().flatten();
        let own = tables.flat_map(|table| {
            table.own_columns().map(|column| quoted(&self.aliases.physical(table, column)))
        });
        let columns: BTreeSet<String> = own.collect();
        if columns.is_empty() {
            return None;
        }
        let row = |alias: &str| {
            let cells: Vec<String> = columns.iter().map(|column| format!("{alias}.{column}")).collect();
            cells.join(", ")
        };
        let (live, past) = sql_names(element);
        let (links, _) = sql_names(&side.link.table);
        let (new, old) = new_and_old(&side.link, dataset, since);
        // The rows that are younger than the release come first, each with what it was then.
        Some(format!(
            "SELECT count(*) FROM main.{live} l CROSS JOIN main.{past} h WHERE l.\"dbag:from\" > {since} \
             AND h.\"RID\" = l.\"RID\" AND h.\"dbag:from\" <= {since} AND h.\"dbag:to\" > {since} \
             AND ({now}) IS NOT ({then}) \
             AND EXISTS (SELECT 1 FROM main.{links} m WHERE m.{outer} = {rid} AND m.{inner} = l.\"RID\") \
             AND l.\"RID\" NOT IN ({new} EXCEPT {old})",
            now = row("l"),
            then = row("h"),
            outer = quoted(&side.link.outer),
            inner = quoted(&side.link.inner),
            rid = literal(dataset.as_str()),
        ))
    }

    /// The queries that look for what has changed.
    #[cfg(test)]
    pub(super) fn drift_queries(&self, dataset: &Rid, since: i64) -> Vec<String> {
        let then = self.model.clone().into_owned();
        let sides = sides(&then, &self.model, &self.aliases);
        let of = |side: &Side<'_>| {
            let (new, old) = new_and_old(&side.link, dataset, since);
            let changed = self.changed_sql(side, dataset, since).filter(|_| !side.nesting);
            [format!("{new} EXCEPT {old}")].into_iter().chain(changed).collect::<Vec<_>>()
        };
        sides.iter().flat_map(of).collect()
    }

    /// Whether a table of which the dataset has members had other columns.
    fn has_other_columns(&self, side: &Side<'_>, dataset: &Rid, since: i64) -> Result<bool, CatalogError> {
        let [Some(then), Some(now)] = side.elements else { return Ok(false) };
        let columns = |table: &Table| -> BTreeMap<String, String> {
            table.own_columns().map(|own| (own.name.clone(), own.column_type.typename.clone())).collect()
        };
        if columns(then) == columns(now) {
            return Ok(false);
        }
        let memberships = self.model.memberships();
        let own =
            memberships.iter().find(|other| other.table.qualified_name() == side.link.table.qualified_name());
        let Some(own) = own else { return Ok(false) };
        let rids = member_rids(own, dataset.as_str(), since, &self.aliases);
        Ok(self.number(&format!("SELECT count(*) FROM (SELECT 1 FROM ({rids}) LIMIT 1)"))? > 0)
    }

    fn is_described_otherwise(&self, dataset: &Rid, since: i64) -> Result<bool, CatalogError> {
        let sql = format!(
            "SELECT count(*) FROM main.\"deriva-ml:Dataset\" l CROSS JOIN main.\"deriva-ml:Dataset@history\" h \
             WHERE l.\"RID\" = {rid} AND h.\"RID\" = l.\"RID\" AND h.\"dbag:from\" <= {since} \
             AND h.\"dbag:to\" > {since} AND l.\"Description\" IS NOT h.\"Description\"",
            rid = literal(dataset.as_str())
        );
        Ok(self.number(&sql)? > 0)
    }
}

/// The SQL of what a dataset is linked to by rows younger than a transaction, and by rows that were superseded since. Each
/// finds its rows by when they changed: the `+`s keep SQLite from going through all that there are.
fn new_and_old(link: &Link, dataset: &Rid, since: i64) -> (String, String) {
    let (live, past) = sql_names(&link.table);
    let (outer, inner, rid) = (quoted(&link.outer), quoted(&link.inner), literal(dataset.as_str()));
    (
        format!("SELECT +{inner} FROM main.{live} WHERE \"dbag:from\" > {since} AND +{outer} = {rid}"),
        format!(
            "SELECT +{inner} FROM main.{past} WHERE \"dbag:to\" > {since} AND \"dbag:from\" <= {since} \
             AND +{outer} = {rid}"
        ),
    )
}

/// The memberships of either model.
fn sides<'m>(then: &'m Model, now: &'m Model, aliases: &Aliases) -> Vec<Side<'m>> {
    let mut sides: BTreeMap<String, Side<'m>> = BTreeMap::new();
    for (at, model) in [then, now].into_iter().enumerate() {
        for membership in model.memberships() {
            let table = membership.table;
            let physical = |name: &str| {
                table.column(name).map_or_else(|| name.to_owned(), |column| aliases.physical(table, column))
            };
            let side = sides.entry(table.qualified_name()).or_insert_with(|| Side {
                link: Link {
                    table: table.clone(),
                    outer: physical(membership.dataset_column),
                    inner: physical(membership.element_column),
                },
                nesting: membership.is_nesting(),
                elements: [None, None],
            });
            side.elements[at] = Some(membership.element);
        }
    }
    sides.into_values().collect()
}
