//! Which rows a dataset holds at some moment: the walk of the model, and the rows that its paths lead to.
//!
//! What a path leads to is joined in memory, hop by hop. A table is read once for a hop, and only where the rows that lead to it
//! are many: of few, each is looked up.

mod edges;
mod explain;
mod ids;

#[cfg(test)]
pub(super) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use explain::{Chain, Explanation, RowPart, TablePart, WhyNot};
pub(super) use ids::{Id, IdSet, Ids};

use super::CatalogError;
use super::dataset::View;
use super::sql::{literal, quoted};
use crate::model::{Model, Rid, Table, Walk, WalkRules, is_outside};

/// The table whose rows are versions.
const VERSIONS: &str = "deriva-ml:Dataset_Version";

/// What of a dataset is taken. Everything, unless said otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SelectOptions {
    /// Only these tables, and what tells of datasets. Of each the same rows as where all are taken.
    pub tables: Vec<String>,
    /// Not these tables, nor what is reached only through them.
    pub exclude: Vec<String>,
    /// So many foreign keys from the dataset, at most.
    pub max_depth: Option<usize>,
    /// The members alone, with the vocabularies that they refer to.
    pub members_only: bool,
}

impl SelectOptions {
    /// Whether everything is taken.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }
}

/// Rows of a table.
#[derive(Debug, Clone)]
pub(super) enum Part {
    /// All that there are.
    All,
    /// Those with these ids.
    Some(Arc<IdSet>),
}

/// What a dataset holds.
pub(super) struct Reached<'m> {
    pub(super) walk: Walk<'m>,
    /// By the place of a step in the walk, how many rows its path leads to; `None` for all of a vocabulary.
    pub(super) counts: Vec<Option<u64>>,
    /// By qualified name.
    pub(super) parts: BTreeMap<String, Part>,
    pub(super) ids: Ids,
}

/// A dataset with all that are nested in it, at a moment, and what of them is taken.
pub(super) struct Subject<'s> {
    pub(super) family: &'s [Rid],
    pub(super) number: i64,
    pub(super) options: &'s SelectOptions,
}

impl View<'_> {
    /// What a family of datasets holds by a model of that moment. `ids` may know ids already, and is given back.
    pub(super) fn reach<'m>(
        &self,
        model: &'m Model,
        subject: &Subject<'_>,
        ids: Ids,
    ) -> Result<Reached<'m>, CatalogError> {
        let rules = self.walk_rules(model, subject)?;
        let no_datasets = || self.corrupt("it has no table deriva-ml:Dataset".into());
        let walk = model.walk(&rules).ok_or_else(no_datasets)?;
        let mut reached =
            Reached { counts: vec![Some(0); walk.steps.len()], walk, parts: BTreeMap::new(), ids };
        self.follow(&mut reached, subject)?;
        self.drop_drift(&mut reached, subject.number)?;
        Ok(reached)
    }

    /// The rules of the walk for these datasets: what was asked, and memberships of which they have none.
    pub(super) fn walk_rules(&self, model: &Model, subject: &Subject<'_>) -> Result<WalkRules, CatalogError> {
        let options = subject.options;
        let mut exclude: BTreeSet<String> = named(model, &options.exclude)?;
        for membership in model.memberships().iter().filter(|membership| !membership.is_nesting()) {
            let element = membership.element.qualified_name();
            if exclude.contains(&element) || !self.has_members(membership, subject)? {
                exclude.insert(membership.table.qualified_name());
            }
        }
        let SelectOptions { max_depth, members_only, .. } = *options;
        Ok(WalkRules { exclude, max_depth, members_only, ..WalkRules::default() })
    }

    fn has_members(
        &self,
        membership: &crate::model::Membership<'_>,
        subject: &Subject<'_>,
    ) -> Result<bool, CatalogError> {
        let rows = super::read::rows_at(
            membership.table,
            &[membership.dataset_column],
            subject.number,
            &self.aliases,
        );
        let rids: Vec<String> = subject.family.iter().map(|rid| literal(rid.as_str())).collect();
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM ({rows}) WHERE {} IN ({}))",
            quoted(membership.dataset_column),
            rids.join(", ")
        );
        Ok(self.number(&sql)? > 0)
    }

    /// Goes along every path. The rows of a step are kept until the last step that comes from it.
    fn follow(&self, reached: &mut Reached<'_>, subject: &Subject<'_>) -> Result<(), CatalogError> {
        let Reached { walk, counts, parts, ids } = reached;
        let mut children = vec![0_usize; walk.steps.len()];
        walk.steps.iter().filter_map(|step| step.from).for_each(|(from, _)| children[from] += 1);
        let family: IdSet = subject.family.iter().map(|rid| ids.id(rid.as_str())).collect();
        let mut kept: Vec<Option<Arc<IdSet>>> = vec![None; walk.steps.len()];
        for at in 0..walk.steps.len() {
            let step = walk.steps[at];
            let found = match step.from {
                None => Arc::new(family.clone()),
                Some((from, hop)) => {
                    let before = kept[from].clone().unwrap_or_default();
                    children[from] -= 1;
                    if children[from] == 0 {
                        kept[from] = None;
                    }
                    if step.table.is_vocabulary() {
                        // All of it, whichever terms are referred to.
                        counts[at] = None;
                        parts.insert(step.table.qualified_name(), Part::All);
                        continue;
                    }
                    if before.is_empty() {
                        continue;
                    }
                    let leaving = walk.steps[from].table;
                    Arc::new(self.hop(ids, leaving, step.table, &hop, &before, subject.number)?)
                }
            };
            counts[at] = Some(found.len() as u64);
            add(parts, step.table, &found);
            kept[at] = Some(found).filter(|_| children[at] > 0);
        }
        Ok(())
    }

    /// Takes out versions that stand for nothing that lasts: labels of drift, and what was released later.
    fn drop_drift(&self, reached: &mut Reached<'_>, number: i64) -> Result<(), CatalogError> {
        let Some(Part::Some(versions)) = reached.parts.get_mut(VERSIONS) else {
            return Ok(());
        };
        self.keep_released(&mut reached.ids, VERSIONS, Arc::make_mut(versions), number)
    }

    /// Of rows of `Dataset_Version` keeps those of versions that were released up to a transaction; of another table all.
    pub(super) fn keep_released(
        &self,
        ids: &mut Ids,
        table: &str,
        rows: &mut IdSet,
        number: i64,
    ) -> Result<(), CatalogError> {
        if table != VERSIONS || rows.is_empty() {
            return Ok(());
        }
        let Some(versions) = self.model.table("deriva-ml", "Dataset_Version") else { return Ok(()) };
        let all = super::read::rows_at(versions, &["RID", "Version"], number, &self.aliases);
        let sql = format!(
            "SELECT \"RID\", \"Version\" FROM ({all}) WHERE \"RID\" NOT IN \
             (SELECT rid FROM dbag_version WHERE number > {number})"
        );
        let mut statement = self.connection.prepare(&sql).map_err(|e| self.fail(e))?;
        let found = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?)));
        let found: Vec<(String, Option<String>)> =
            found.and_then(Iterator::collect).map_err(|e| self.fail(e))?;
        // Labels of drift stand for nothing that lasts. Versions that were released elsewhere are told of, whether their rows are here or not.
        let is_release = |label: &Option<String>| {
            label.as_ref().is_some_and(|label| label.parse::<crate::version::DatasetVersion>().is_ok())
        };
        let released: IdSet =
            found.iter().filter(|(_, label)| is_release(label)).map(|(rid, _)| ids.id(rid)).collect();
        rows.retain(|row| released.contains(row));
        Ok(())
    }
}

/// Adds rows to what is taken of a table.
fn add(parts: &mut BTreeMap<String, Part>, table: &Table, found: &Arc<IdSet>) {
    if found.is_empty() {
        return;
    }
    match parts.entry(table.qualified_name()).or_insert_with(|| Part::Some(Arc::clone(found))) {
        Part::Some(known) if !Arc::ptr_eq(known, found) && !found.is_subset(known) => {
            Arc::make_mut(known).extend(found.iter().copied());
        }
        _ => {}
    }
}

/// The qualified names of tables that a user named.
fn named(model: &Model, names: &[String]) -> Result<BTreeSet<String>, CatalogError> {
    let find = |name: &String| super::sql::find_table(model, name).map(Table::qualified_name);
    let found: BTreeSet<String> = names.iter().map(find).collect::<Result<_, _>>()?;
    Ok(found)
}

/// Whether a table is left when only some were asked for.
pub(super) fn is_chosen(model: &Model, options: &SelectOptions, table: &Table) -> Result<bool, CatalogError> {
    if is_outside(table) {
        return Ok(false);
    }
    let wanted = named(model, &options.tables)?;
    if wanted.is_empty() || wanted.contains(&table.qualified_name()) || is_of_datasets(table) {
        return Ok(true);
    }
    if let Some(membership) = model.membership(table) {
        return Ok(membership.is_nesting() || wanted.contains(&membership.element.qualified_name()));
    }
    // A vocabulary goes with what refers to it.
    Ok(table.is_vocabulary()
        && model.tables().filter(|other| wanted.contains(&other.qualified_name())).any(|other| {
            other.foreign_keys.iter().any(|key| key.refers_to(&table.schema_name, &table.table_name))
        }))
}

/// Whether a table tells of datasets: what they are, their types and versions.
fn is_of_datasets(table: &Table) -> bool {
    const OWN: [&str; 4] = ["Dataset", "Dataset_Version", "Dataset_Dataset_Type", "Dataset_Type"];
    table.schema_name == crate::model::DERIVA_ML && OWN.contains(&table.table_name.as_str())
}
