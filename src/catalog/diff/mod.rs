//! What differs between two states of a dataset of one catalog.

mod delta;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use delta::{Compared, Delta, Moment};

use super::dataset::{DatasetRef, View};
use super::reach::{Id, Ids, SelectOptions};
use super::{Catalog, CatalogError};
use crate::diff::{
    CellDiff, Counts, Diff, NestedChange, NestedDiff, Role, RowChange, RowDiff, SchemaDiff, TableDiff,
};
use crate::model::{DERIVA_ML, Membership, Model, Rid, Table};
use crate::version::DatasetVersion;

/// Tables that record what was done.
const RECORDS: [&str; 4] = ["Dataset_Version", "Dataset_Execution", "Execution", "Workflow"];

impl Catalog {
    /// What differs between two states of a dataset; of one table, if that is named. Each row that differs is handed to `each`, table
    /// by table and by RID.
    pub fn diff(
        &self,
        from: &DatasetRef,
        to: &DatasetRef,
        table: Option<&str>,
        each: &mut dyn FnMut(RowDiff) -> Result<(), CatalogError>,
    ) -> Result<Diff, CatalogError> {
        let view = self.view()?;
        let [(dataset, lo), (other, hi)] = [view.moment_of(from)?, view.moment_of(to)?];
        let models = [view.model_at(lo)?, view.model_at(hi)?];
        let families = [view.family(&dataset, lo)?, view.family(&other, hi)?];
        let [old, new] =
            [0, 1].map(|at| Moment { number: [lo, hi][at], model: &models[at], family: &families[at] });
        let wanted = table.map(|name| {
            super::sql::find_table(&models[1], name).or_else(|_| super::sql::find_table(&models[0], name))
        });
        let wanted = wanted.transpose()?.map(Table::qualified_name);
        // History is read forwards.
        let backwards = lo > hi;
        let (first, second) = if backwards { (&new, &old) } else { (&old, &new) };
        let mut delta = view.delta(first, second, &SelectOptions::default())?;
        if backwards {
            for rows in delta.tables.values_mut() {
                std::mem::swap(&mut rows.added, &mut rows.removed);
            }
        }
        if let Some(wanted) = &wanted {
            delta.tables.retain(|name, _| name == wanted);
        }
        let mut diff = view.summed(&delta, &old, &new)?;
        (diff.from, diff.to) = (from.to_string(), to.to_string());
        view.about_datasets(&mut diff, [&dataset, &other], [&old, &new])?;
        view.each_row(&delta, &old, &new, each)?;
        Ok(diff)
    }
}

impl View<'_> {
    /// What has changed in a dataset since a transaction.
    pub(in crate::catalog) fn diff_since(&self, dataset: &Rid, since: i64) -> Result<Diff, CatalogError> {
        let models = [self.model_at(since)?, self.model.clone().into_owned()];
        let now = super::dataset::NOW;
        let families = [self.family(dataset, since)?, self.family(dataset, now)?];
        let [old, new] =
            [0, 1].map(|at| Moment { number: [since, now][at], model: &models[at], family: &families[at] });
        let delta = self.delta(&old, &new, &SelectOptions::default())?;
        let mut diff = self.summed(&delta, &old, &new)?;
        self.about_datasets(&mut diff, [dataset, dataset], [&old, &new])?;
        Ok(diff)
    }

    /// The numbers of rows, and how the tables in question differ.
    fn summed(&self, delta: &Delta, old: &Moment<'_>, new: &Moment<'_>) -> Result<Diff, CatalogError> {
        let mut diff = Diff::default();
        let elements: BTreeSet<String> = [old, new]
            .iter()
            .flat_map(|moment| moment.model.memberships())
            .filter(|membership| !membership.is_nesting())
            .map(|membership| membership.element.qualified_name())
            .collect();
        for (name, rows) in &delta.tables {
            let Some(table) = at(new.model, name).or_else(|| at(old.model, name)) else { continue };
            let [was, is] = [old, new]
                .map(|moment| at(moment.model, name).and_then(|table| moment.model.membership(table)));
            let membership = is.or(was);
            let role = match membership {
                Some(membership) if membership.is_nesting() => continue,
                Some(_) => Role::Membership,
                None if elements.contains(name) => Role::Element,
                None if table.is_vocabulary() => Role::Vocabulary,
                None if table.schema_name == DERIVA_ML && RECORDS.contains(&table.table_name.as_str()) => {
                    Role::Record
                }
                // What is said of datasets themselves is told apart.
                None if ["Dataset", "Dataset_Dataset_Type"].iter().any(|own| is_ml(table, own)) => continue,
                None => Role::Linked,
            };
            let counts = Counts {
                added: rows.added.len() as u64,
                removed: rows.removed.len() as u64,
                changed: rows.changed.len() as u64,
            };
            if let Some(membership) = &membership {
                let same = self.linked_again(rows, &delta.ids, membership, old, new)?;
                diff.members.added += counts.added - same;
                diff.members.removed += counts.removed - same;
            }
            if table.asset_form().is_some() {
                diff.files.added += counts.added;
                diff.files.removed += counts.removed;
                diff.files.changed += self.other_bytes(delta, name, old, new)?;
            }
            diff.tables.push(TableDiff { table: name.clone(), role, rows: counts });
        }
        Ok(diff)
    }

    /// How many new rows of a membership say what rows said that are gone.
    fn linked_again(
        &self,
        rows: &delta::TableDelta,
        ids: &Ids,
        membership: &Membership<'_>,
        old: &Moment<'_>,
        new: &Moment<'_>,
    ) -> Result<u64, CatalogError> {
        if rows.added.is_empty() || rows.removed.is_empty() {
            return Ok(0);
        }
        let at = |name: &str| membership.table.own_columns().position(|column| column.name == name);
        let columns = [at(membership.dataset_column), at(membership.element_column)];
        let pair = |id: &Id, number: i64| {
            let image = self.image(membership.table, &ids.text(*id), number)?;
            let cell =
                |at: Option<usize>| image.as_ref().zip(at).and_then(|(row, at)| row.get(at)?.to_text());
            Ok(columns.map(|at| cell(at).unwrap_or_default().into_owned()))
        };
        let gone: Result<BTreeSet<_>, CatalogError> =
            rows.removed.iter().map(|id| pair(id, old.number)).collect();
        let gone = gone?;
        let mut same = 0;
        for id in &rows.added {
            same += u64::from(gone.contains(&pair(id, new.number)?));
        }
        Ok(same)
    }

    /// How many assets have other bytes.
    fn other_bytes(
        &self,
        delta: &Delta,
        name: &str,
        old: &Moment<'_>,
        new: &Moment<'_>,
    ) -> Result<u64, CatalogError> {
        let Some(table) = at(new.model, name) else { return Ok(0) };
        let compared = Compared::new(table, old.model, new.model);
        let mut count = 0;
        for id in delta.tables.get(name).into_iter().flat_map(|rows| &rows.changed) {
            let rid = delta.ids.text(*id);
            let differing = self.differing(&compared, &rid, old, new)?;
            count += u64::from(
                differing.iter().any(|(column, ..)| ["MD5", "SHA256", "Length"].contains(&&**column)),
            );
        }
        Ok(count)
    }

    fn differing(
        &self,
        compared: &Compared,
        rid: &str,
        old: &Moment<'_>,
        new: &Moment<'_>,
    ) -> Result<Vec<(String, crate::tabular::Value, crate::tabular::Value)>, CatalogError> {
        let image = |table: &Option<Table>, number: i64| {
            table.as_ref().map_or(Ok(None), |table| self.image(table, rid, number))
        };
        Ok(compared.differing(
            image(&compared.old, old.number)?.as_ref(),
            image(&compared.new, new.number)?.as_ref(),
        ))
    }

    /// Hands over each row that differs.
    fn each_row(
        &self,
        delta: &Delta,
        old: &Moment<'_>,
        new: &Moment<'_>,
        each: &mut dyn FnMut(RowDiff) -> Result<(), CatalogError>,
    ) -> Result<(), CatalogError> {
        for (name, rows) in &delta.tables {
            let Some(table) = at(new.model, name).or_else(|| at(old.model, name)) else { continue };
            let compared = Compared::new(table, old.model, new.model);
            let mut all: Vec<(String, u8)> = Vec::new();
            for (which, set) in [(0, &rows.added), (1, &rows.removed), (2, &rows.changed)] {
                all.extend(set.iter().map(|id| (delta.ids.text(*id), which)));
            }
            all.sort_unstable();
            for (rid, which) in all {
                let change = match which {
                    0 => RowChange::Added,
                    1 => RowChange::Removed,
                    _ => {
                        let cells = self.differing(&compared, &rid, old, new)?;
                        RowChange::Changed(
                            cells.into_iter().map(|(column, was, is)| CellDiff { column, was, is }).collect(),
                        )
                    }
                };
                each(RowDiff { table: name.clone(), rid, change })?;
            }
        }
        Ok(())
    }

    /// The schema of what the dataset holds, nested datasets, types and description.
    fn about_datasets(
        &self,
        diff: &mut Diff,
        datasets: [&Rid; 2],
        moments: [&Moment<'_>; 2],
    ) -> Result<(), CatalogError> {
        if moments[0].model.schemas != moments[1].model.schemas {
            diff.schema = self.schema_of(moments)?;
        }
        let [then, now] = [0, 1].map(|at| self.nested_versions(datasets[at], moments[at].number));
        let (then, now) = (then?, now?);
        for rid in then.keys().chain(now.keys()).collect::<BTreeSet<_>>() {
            let [from, to] = [then.get(rid), now.get(rid)].map(|version| version.cloned().flatten());
            let change = match (then.contains_key(rid), now.contains_key(rid)) {
                (false, _) => NestedChange::Added,
                (_, false) => NestedChange::Removed,
                _ if from != to => NestedChange::Raised,
                _ => continue,
            };
            let dataset = self.called(rid.as_str())?;
            let text = |version: Option<DatasetVersion>| version.map(|version| version.to_string());
            diff.nested.push(NestedDiff { dataset, from: text(from), to: text(to), change });
        }
        let [then, now] = [0, 1].map(|at| self.types_at(datasets[at], moments[at].number));
        let (then, now) = (then?, now?);
        diff.types = (now.difference(&then).cloned().collect(), then.difference(&now).cloned().collect());
        let [then, now] = [0, 1].map(|at| self.description_at(datasets[at], moments[at].number));
        diff.description = then? != now?;
        Ok(())
    }

    /// How the tables that the dataset holds rows of differ.
    fn schema_of(&self, moments: [&Moment<'_>; 2]) -> Result<Vec<SchemaDiff>, CatalogError> {
        let options = SelectOptions::default();
        let mut held = [BTreeMap::new(), BTreeMap::new()];
        for (held, moment) in held.iter_mut().zip(moments) {
            let subject =
                super::reach::Subject { family: moment.family, number: moment.number, options: &options };
            let rules = self.walk_rules(moment.model, &subject)?;
            let walk = moment.model.walk(&rules);
            for step in walk.iter().flat_map(|walk| &walk.steps) {
                held.insert(step.table.qualified_name(), step.table);
            }
        }
        let mut changes = BTreeSet::new();
        for name in held[0].keys().chain(held[1].keys()) {
            match (held[0].get(name), held[1].get(name)) {
                (Some(old), Some(new)) => columns(&mut changes, name, old, new),
                // A table that both models have is not new only because rows of it came in.
                (None, _) if at(moments[0].model, name).is_none() => {
                    changes.insert(SchemaDiff::TableAdded { table: name.clone() });
                }
                (_, None) if at(moments[1].model, name).is_none() => {
                    changes.insert(SchemaDiff::TableRemoved { table: name.clone() });
                }
                _ => {}
            }
        }
        Ok(changes.into_iter().collect())
    }
}

/// Columns that one has and the other has not, or of another type.
fn columns(changes: &mut BTreeSet<SchemaDiff>, name: &str, old: &Table, new: &Table) {
    let types = |table: &Table| -> BTreeMap<String, String> {
        table.own_columns().map(|own| (own.name.clone(), own.column_type.typename.clone())).collect()
    };
    let (old, new) = (types(old), types(new));
    for column in old.keys().chain(new.keys()) {
        let (table, column) = (name.to_owned(), column.clone());
        match (old.get(&column), new.get(&column)) {
            (None, _) => drop(changes.insert(SchemaDiff::ColumnAdded { table, column })),
            (_, None) => drop(changes.insert(SchemaDiff::ColumnRemoved { table, column })),
            (Some(from), Some(to)) if from != to => {
                let (from, to) = (from.clone(), to.clone());
                changes.insert(SchemaDiff::ColumnRetyped { table, column, from, to });
            }
            _ => {}
        }
    }
}

fn at<'m>(model: &'m Model, name: &str) -> Option<&'m Table> {
    let (schema, table) = name.split_once(':')?;
    model.table(schema, table)
}

fn is_ml(table: &Table, name: &str) -> bool {
    table.schema_name == DERIVA_ML && table.table_name == name
}
