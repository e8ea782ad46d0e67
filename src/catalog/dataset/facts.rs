//! What has changed in a dataset, as far as it bears upon the number of its next release.

use std::collections::BTreeMap;

use super::super::CatalogError;
use super::super::selection::{member_rids, memberships};
use super::view::NOW;
use super::{Drift, NestedDataset, View};
use crate::model::{Rid, Table};
use crate::version::{Bump, BumpFacts};

impl View<'_> {
    /// What has changed since transaction `since`, which is `drift`; `children` are the datasets nested in it now, with
    /// their versions.
    pub(super) fn bump_facts(
        &self,
        dataset: &Rid,
        since: i64,
        drift: &Drift,
        children: &[NestedDataset],
    ) -> Result<BumpFacts, CatalogError> {
        let mut facts = BumpFacts {
            members_added: drift.added,
            members_removed: drift.removed,
            rows_changed: drift.changed,
            types_changed: drift.types,
            descriptions_changed: u64::from(drift.description),
            ..BumpFacts::default()
        };
        if drift.tables > 0 {
            self.add_columns(&mut facts, dataset, since)?;
        }
        let mut then = self.nested_versions(dataset, since)?;
        for child in children {
            let raised = match (then.remove(&child.rid), &child.version) {
                (None, _) => {
                    facts.nested_added += 1;
                    continue;
                }
                (Some(Some(then)), Some(now)) => then.raised_to(now),
                (Some(None), Some(_)) => Some(Bump::Minor),
                (Some(_), None) => None,
            };
            facts.nested_major += u64::from(raised == Some(Bump::Major));
            facts.nested_minor += u64::from(raised == Some(Bump::Minor));
            facts.nested_patch += u64::from(raised == Some(Bump::Patch));
        }
        facts.nested_removed = then.len() as u64;
        Ok(facts)
    }

    /// The columns that the tables of a dataset's members have gained, lost, and have of another type.
    fn add_columns(&self, facts: &mut BumpFacts, dataset: &Rid, since: i64) -> Result<(), CatalogError> {
        let old = self.model_at(since)?;
        for membership in memberships(&self.model) {
            let now = membership.element;
            let Some(then) = old.table(&now.schema_name, &now.table_name) else { continue };
            let members = member_rids(&membership, dataset.as_str(), NOW, &self.aliases);
            if self.number(&format!("SELECT count(*) FROM (SELECT 1 FROM ({members}) LIMIT 1)"))? == 0 {
                continue;
            }
            let (then, now) = (types(then), types(now));
            facts.columns_removed += then.keys().filter(|name| !now.contains_key(*name)).count() as u64;
            facts.columns_added += now.keys().filter(|name| !then.contains_key(*name)).count() as u64;
            let retyped = now.iter().filter(|(name, new)| then.get(*name).is_some_and(|old| old != *new));
            facts.columns_retyped += retyped.count() as u64;
        }
        Ok(())
    }
}

/// A table's own columns and their types.
fn types(table: &Table) -> BTreeMap<&str, &str> {
    table.own_columns().map(|column| (column.name.as_str(), column.column_type.typename.as_str())).collect()
}
