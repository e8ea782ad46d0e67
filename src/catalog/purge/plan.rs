//! Which rows go: those that are asked for, and what exists only because of them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::sql::{quoted, sql_names};
use super::super::{CatalogError, Change};
use super::PurgeOptions;
use crate::model::{DERIVA_ML, ForeignKey, Table};

/// Tables that record what was done; without their rows nothing could be told of the rest.
const RECORDS: [&str; 4] = ["Dataset", "Dataset_Version", "Execution", "Workflow"];

/// The rows that go, by their table's qualified name.
pub(super) type Plan = BTreeMap<String, BTreeSet<String>>;

impl Change<'_> {
    /// The rows that go.
    pub(super) fn plan_purge(&self, options: &PurgeOptions) -> Result<Plan, CatalogError> {
        let mut plan = Plan::new();
        let mut pending: Vec<(Table, String)> = Vec::new();
        for rid in &options.rids {
            let table = self.table_ever(rid)?;
            check_kind(&table, rid)?;
            pending.push((table, rid.clone()));
        }
        if let Some(name) = &options.table {
            let table = self.table(name)?;
            check_kind(&table, "")?;
            let rids = self.rids_where(&table, options.condition.as_deref())?;
            pending.extend(rids.into_iter().map(|rid| (table.clone(), rid)));
        }
        let mut hindrances = BTreeSet::new();
        while let Some((table, rid)) = pending.pop() {
            if !plan.entry(table.qualified_name()).or_default().insert(rid.clone()) {
                continue;
            }
            for (from, key) in self.referring(&table) {
                for dependent in self.referring_ever(&from, &key, &table, &rid)? {
                    if goes_along(&from, &key) || options.with_dependents {
                        pending.push((from.clone(), dependent));
                    } else {
                        hindrances.insert((from.qualified_name(), dependent));
                    }
                }
            }
        }
        hindrances.retain(|(table, rid)| plan.get(table).is_none_or(|rids| !rids.contains(rid)));
        if !hindrances.is_empty() {
            let rows = hindrances.iter().take(5).map(|(table, rid)| format!("{table} {rid}")).collect();
            return Err(CatalogError::PurgeHindered { rows, count: hindrances.len() as u64 });
        }
        if plan.values().all(BTreeSet::is_empty) {
            return Err(CatalogError::NothingToPurge);
        }
        Ok(plan)
    }

    /// The table that has a row of this id, or had it once.
    fn table_ever(&self, rid: &str) -> Result<Table, CatalogError> {
        if let Some(tombstone) = self.tombstone(rid)? {
            return Err(CatalogError::PurgedBefore {
                rid: rid.to_owned(),
                when: tombstone.snapshot.date(),
                reason: tombstone.reason,
            });
        }
        for table in self.model().tables() {
            let (live, history) = sql_names(table);
            for rows in [live, history] {
                let sql = format!("SELECT 1 FROM main.{rows} WHERE \"RID\" = ?");
                let found = self.transaction().prepare_cached(&sql).and_then(|mut found| found.exists([rid]));
                if found.map_err(|e| self.fail(e))? {
                    return Ok(table.clone());
                }
            }
        }
        Err(CatalogError::NoSuchRid(rid.to_owned()))
    }

    /// The tables that refer to one, each with its foreign key.
    fn referring(&self, table: &Table) -> Vec<(Table, ForeignKey)> {
        let of = |from: &Table| -> Vec<(Table, ForeignKey)> {
            let keys = from.foreign_keys.iter();
            let here = keys.filter(|key| key.refers_to(&table.schema_name, &table.table_name));
            here.map(|key| (from.clone(), key.clone())).collect()
        };
        self.model().tables().flat_map(of).collect()
    }

    /// The rows that refer to one by a foreign key, or did so once.
    fn referring_ever(
        &self,
        from: &Table,
        key: &ForeignKey,
        to: &Table,
        rid: &str,
    ) -> Result<BTreeSet<String>, CatalogError> {
        let physical = |table: &Table, name: &str| {
            let column = table.column(name);
            quoted(&column.map_or_else(|| name.to_owned(), |column| self.aliases.physical(table, column)))
        };
        let mut found = BTreeSet::new();
        let (to_live, to_past) = sql_names(to);
        let (from_live, from_past) = sql_names(from);
        for theirs in [&to_live, &to_past] {
            for ours in [&from_live, &from_past] {
                let pairs =
                    key.foreign_key_columns.iter().zip(&key.referenced_columns).map(|(here, there)| {
                        format!(
                            "f.{} = t.{}",
                            physical(from, &here.column_name),
                            physical(to, &there.column_name)
                        )
                    });
                let equal = pairs.collect::<Vec<_>>().join(" AND ");
                let sql = format!(
                    "SELECT DISTINCT f.\"RID\" FROM main.{theirs} t CROSS JOIN main.{ours} f \
                     WHERE t.\"RID\" = ? AND {equal}"
                );
                let mut statement = self.transaction().prepare_cached(&sql).map_err(|e| self.fail(e))?;
                let rids =
                    statement.query_map([rid], |row| row.get::<_, String>(0)).map_err(|e| self.fail(e))?;
                for rid in rids {
                    found.insert(rid.map_err(|e| self.fail(e))?);
                }
            }
        }
        Ok(found)
    }
}

/// Whether rows of a table exist only because of what they refer to: links, values of features, and what says so itself.
fn goes_along(from: &Table, key: &ForeignKey) -> bool {
    key.on_delete.eq_ignore_ascii_case("CASCADE") || from.association().is_some()
}

fn check_kind(table: &Table, rid: &str) -> Result<(), CatalogError> {
    let is_record = table.schema_name == DERIVA_ML && RECORDS.contains(&table.table_name.as_str());
    if is_record || table.is_vocabulary() {
        return Err(CatalogError::NotToPurge { table: table.qualified_name(), rid: rid.to_owned() });
    }
    Ok(())
}
