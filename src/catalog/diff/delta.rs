//! Which rows of a dataset came, went and changed between two transactions.
//!
//! Where few rows of the catalog changed, only these and what they lead to are looked at, found by the history's indexes; where many
//! did, what the dataset held at both moments is compared.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::super::dataset::View;
use super::super::reach::{Id, IdSet, Ids, Part, SelectOptions, Subject};
use super::super::read::row_at;
use super::super::sql::sql_names;
use super::super::{CatalogError, Row};
use crate::model::{DERIVA_ML, Hop, Model, Rid, Table, Walk};

/// Rows that changed or may have come and gone, above which all are compared.
const MANY: usize = 100_000;

/// The rows of one table.
#[derive(Debug, Default)]
pub(super) struct TableDelta {
    pub(super) added: IdSet,
    pub(super) removed: IdSet,
    pub(super) changed: IdSet,
}

/// The rows of each table, by qualified name.
pub(super) struct Delta {
    pub(super) tables: BTreeMap<String, TableDelta>,
    pub(super) ids: Ids,
}

/// Two moments of a dataset: a transaction, the model then, and the datasets of its family.
pub(super) struct Moment<'m> {
    pub(super) number: i64,
    pub(super) model: &'m Model,
    pub(super) family: &'m [Rid],
}

/// Rows of a table that changed between two transactions.
#[derive(Default)]
struct Touched {
    /// Those that were there at the first and were superseded or deleted.
    old: IdSet,
    /// Those that are there at the second and were made since.
    new: IdSet,
    /// Those that came, went, or refer elsewhere or are referred to otherwise.
    moved: IdSet,
    /// Those that are there at both and have other values.
    changed: IdSet,
}

impl View<'_> {
    /// What came, went and changed from one moment to another.
    pub(super) fn delta(
        &self,
        from: &Moment<'_>,
        to: &Moment<'_>,
        options: &SelectOptions,
    ) -> Result<Delta, CatalogError> {
        let mut ids = Ids::default();
        let mut touched = BTreeMap::new();
        let mut count = 0;
        for table in from.model.tables().chain(to.model.tables()) {
            let Entry::Vacant(entry) = touched.entry(table.qualified_name()) else { continue };
            let rows = self.touched(&mut ids, table, from, to)?;
            count += rows.old.len() + rows.new.len();
            entry.insert(rows);
        }
        let [before, after] =
            [from, to].map(|moment| Subject { family: moment.family, number: moment.number, options });
        let rules = [self.walk_rules(from.model, &before)?, self.walk_rules(to.model, &after)?];
        let walks = [from.model.walk(&rules[0]), to.model.walk(&rules[1])];
        if count <= MANY
            && let [Some(old), Some(new)] = &walks
            && same_walk(old, new)
            && let Some(tables) = self.near(&mut ids, &touched, [old, new], [from, to])?
        {
            return Ok(Delta { tables, ids });
        }
        self.far(&touched, [from, to], [&before, &after], ids)
    }

    /// By what both moments held.
    fn far(
        &self,
        touched: &BTreeMap<String, Touched>,
        moments: [&Moment<'_>; 2],
        subjects: [&Subject<'_>; 2],
        ids: Ids,
    ) -> Result<Delta, CatalogError> {
        let old = self.reach(moments[0].model, subjects[0], ids)?;
        let new = self.reach(moments[1].model, subjects[1], old.ids)?;
        let mut tables = BTreeMap::new();
        let none = IdSet::new();
        for (name, touched) in touched {
            let of = |parts: &BTreeMap<String, Part>| parts.get(name).cloned();
            let mut delta = TableDelta::default();
            match (of(&old.parts), of(&new.parts)) {
                (None, None) => continue,
                (Some(Part::All), Some(Part::All)) => {
                    delta.added.extend(touched.new.difference(&touched.old).copied());
                    delta.removed.extend(touched.old.difference(&touched.new).copied());
                    delta.changed.clone_from(&touched.changed);
                }
                (before, after) => {
                    let all = |moment: usize| self.all_rids(moments[moment], name, &new.ids);
                    let resolve = |part: &Option<Part>, moment: usize| match part {
                        None => Ok(none.clone()),
                        Some(Part::Some(rids)) => Ok((**rids).clone()),
                        Some(Part::All) => all(moment),
                    };
                    let (before, after) = (resolve(&before, 0)?, resolve(&after, 1)?);
                    delta.added.extend(after.difference(&before).copied());
                    delta.removed.extend(before.difference(&after).copied());
                    let stays = |id: &&Id| before.contains(*id) && after.contains(*id);
                    delta.changed.extend(touched.changed.iter().filter(stays).copied());
                }
            }
            if !delta.is_empty() {
                tables.insert(name.clone(), delta);
            }
        }
        Ok(Delta { tables, ids: new.ids })
    }

    /// The ids of all rows of a vocabulary; those that were never met are left out.
    fn all_rids(&self, moment: &Moment<'_>, name: &str, ids: &Ids) -> Result<IdSet, CatalogError> {
        let Some(table) = moment.model.tables().find(|table| table.qualified_name() == name) else {
            return Ok(IdSet::new());
        };
        let rows = super::super::read::rows_at(table, &["RID"], moment.number, &self.aliases);
        Ok(self.texts(&rows, ())?.iter().filter_map(|rid| ids.find(rid)).collect())
    }

    /// By what the changed rows lead to; `None` where that is too much.
    fn near(
        &self,
        ids: &mut Ids,
        touched: &BTreeMap<String, Touched>,
        walks: [&Walk<'_>; 2],
        moments: [&Moment<'_>; 2],
    ) -> Result<Option<BTreeMap<String, TableDelta>>, CatalogError> {
        let families: [IdSet; 2] =
            moments.map(|moment| moment.family.iter().map(|rid| ids.id(rid.as_str())).collect());
        let steps = &walks[0].steps;
        let mut candidates: Vec<IdSet> =
            vec![families[0].symmetric_difference(&families[1]).copied().collect()];
        for (at, step) in steps.iter().enumerate().skip(1) {
            let mut found = IdSet::new();
            if step.table.is_vocabulary() {
                candidates.push(found);
                continue;
            }
            if let Some(rows) = touched.get(&step.table.qualified_name()) {
                found.extend(rows.moved.iter().copied());
            }
            if let Some((from, _)) = step.from {
                for (walk, moment) in walks.iter().zip(moments) {
                    let Some((_, hop)) = walk.steps[at].from else { continue };
                    let leaving = walk.steps[from].table;
                    let led =
                        self.hop(ids, leaving, walk.steps[at].table, &hop, &candidates[from], moment.number)?;
                    found.extend(led);
                }
            }
            if found.len() > MANY {
                return Ok(None);
            }
            candidates.push(found);
        }
        let mut by_table: BTreeMap<String, (Vec<usize>, IdSet)> = BTreeMap::new();
        for (at, (step, found)) in steps.iter().zip(&candidates).enumerate() {
            let (ends, all) = by_table.entry(step.table.qualified_name()).or_default();
            ends.push(at);
            all.extend(found.iter().copied());
        }
        let mut tables = BTreeMap::new();
        let nothing = Touched::default();
        for (name, (ends, mut rows)) in by_table {
            let touched = touched.get(&name).unwrap_or(&nothing);
            let mut delta = TableDelta::default();
            if steps[ends[0]].table.is_vocabulary() {
                delta.added.extend(touched.new.difference(&touched.old).copied());
                delta.removed.extend(touched.old.difference(&touched.new).copied());
                delta.changed.clone_from(&touched.changed);
            } else {
                rows.extend(touched.changed.iter().copied());
                let [before, after] = [0, 1].map(|which| {
                    let mut there = IdSet::new();
                    for end in &ends {
                        there.extend(self.held(
                            ids,
                            walks[which],
                            *end,
                            &rows,
                            &families[which],
                            moments[which].number,
                        )?);
                    }
                    self.keep_released(ids, &name, &mut there, moments[which].number)?;
                    Ok::<_, CatalogError>(there)
                });
                let (before, after) = (before?, after?);
                delta.added.extend(after.difference(&before).copied());
                delta.removed.extend(before.difference(&after).copied());
                let stays = |id: &&Id| before.contains(*id) && after.contains(*id);
                delta.changed.extend(touched.changed.iter().filter(stays).copied());
            }
            if !delta.is_empty() {
                tables.insert(name, delta);
            }
        }
        Ok(Some(tables))
    }

    /// Which of some rows a path leads to at a moment: told from the rows back to the family, and then forth again.
    pub(in crate::catalog) fn held(
        &self,
        ids: &mut Ids,
        walk: &Walk<'_>,
        end: usize,
        rows: &IdSet,
        family: &IdSet,
        number: i64,
    ) -> Result<IdSet, CatalogError> {
        let Some((from, hop)) = walk.steps[end].from else {
            return Ok(rows.intersection(family).copied().collect());
        };
        if rows.is_empty() {
            return Ok(IdSet::new());
        }
        let (before, at) = (walk.steps[from].table, walk.steps[end].table);
        let back = Hop { outbound: !hop.outbound, ..hop };
        let leading = self.hop(ids, at, before, &back, rows, number)?;
        let leading = self.held(ids, walk, from, &leading, family, number)?;
        let led = self.hop(ids, before, at, &hop, &leading, number)?;
        Ok(led.intersection(rows).copied().collect())
    }

    /// The rows of a table that changed between two moments.
    fn touched(
        &self,
        ids: &mut Ids,
        table: &Table,
        from: &Moment<'_>,
        to: &Moment<'_>,
    ) -> Result<Touched, CatalogError> {
        let ((live, past), lo, hi) = (sql_names(table), from.number, to.number);
        let old = format!(
            "SELECT \"RID\" FROM main.{past} WHERE \"dbag:to\" > {lo} AND \"dbag:to\" <= {hi} AND +\"dbag:from\" <= {lo}"
        );
        let new = format!(
            "SELECT \"RID\" FROM main.{live} WHERE \"dbag:from\" > {lo} AND \"dbag:from\" <= {hi} UNION ALL \
             SELECT \"RID\" FROM main.{past} WHERE \"dbag:to\" > {hi} AND +\"dbag:from\" > {lo} AND +\"dbag:from\" <= {hi}"
        );
        let mut read = |sql: &str| -> Result<IdSet, CatalogError> {
            Ok(self.texts(sql, ())?.iter().map(|rid| ids.id(rid)).collect())
        };
        let mut touched = Touched { old: read(&old)?, new: read(&new)?, ..Touched::default() };
        touched.moved.extend(touched.old.symmetric_difference(&touched.new).copied());
        let both: Vec<Id> = touched.old.intersection(&touched.new).copied().collect();
        if both.is_empty() {
            return Ok(touched);
        }
        let compared = Compared::new(table, from.model, to.model);
        for id in both {
            let rid = ids.text(id);
            let [old, new] = [(from, &compared.old), (to, &compared.new)].map(|(moment, table)| {
                table.as_ref().map_or(Ok(None), |table| self.image(table, &rid, moment.number))
            });
            let (old, new) = (old?, new?);
            if compared.differ(old.as_ref(), new.as_ref(), |_| true) {
                touched.changed.insert(id);
            }
            if compared.differ(old.as_ref(), new.as_ref(), |name| compared.links.contains(name)) {
                touched.moved.insert(id);
            }
        }
        Ok(touched)
    }

    /// A row's own columns at a moment, in the order of `table`.
    pub(super) fn image(&self, table: &Table, rid: &str, number: i64) -> Result<Option<Row>, CatalogError> {
        let columns: Vec<&str> = table.own_columns().map(|column| column.name.as_str()).collect();
        if columns.is_empty() {
            return Ok(Some(Row::new()));
        }
        let storage: Vec<_> = table.own_columns().map(|column| column.column_type.storage()).collect();
        row_at(self.connection, self.path(), table, &columns, &storage, (rid, number), &self.aliases)
    }
}

impl TableDelta {
    fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// A table at two moments, and which of its columns tie rows together.
pub(super) struct Compared {
    pub(super) old: Option<Table>,
    pub(super) new: Option<Table>,
    links: std::collections::BTreeSet<String>,
}

impl Compared {
    pub(super) fn new(table: &Table, from: &Model, to: &Model) -> Self {
        let at = |model: &Model| model.table(&table.schema_name, &table.table_name).cloned();
        let (old, new) = (at(from), at(to));
        let mut links = std::collections::BTreeSet::new();
        for (model, table) in [(from, &old), (to, &new)] {
            let Some(table) = table else { continue };
            links.extend(
                table
                    .foreign_keys
                    .iter()
                    .flat_map(|key| &key.foreign_key_columns)
                    .map(|c| c.column_name.clone()),
            );
            let referring = model.tables().flat_map(|other| &other.foreign_keys);
            let here = referring.filter(|key| key.refers_to(&table.schema_name, &table.table_name));
            links.extend(here.flat_map(|key| &key.referenced_columns).map(|c| c.column_name.clone()));
        }
        Self { old, new, links }
    }

    /// The columns in which two images differ, of those that are asked for: name, then both values.
    pub(super) fn differing(
        &self,
        old: Option<&Row>,
        new: Option<&Row>,
    ) -> Vec<(String, crate::tabular::Value, crate::tabular::Value)> {
        use crate::tabular::Value;
        let cells = |table: &Option<Table>, row: Option<&Row>| -> BTreeMap<String, Value> {
            let (Some(table), Some(row)) = (table, row) else { return BTreeMap::new() };
            table.own_columns().map(|column| column.name.clone()).zip(row.iter().cloned()).collect()
        };
        let (old, new) = (cells(&self.old, old), cells(&self.new, new));
        let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let is_kept = |name: &str| !self.is_bookkeeping(name);
        let value =
            |cells: &BTreeMap<String, Value>, name: &String| cells.get(name).cloned().unwrap_or(Value::Null);
        names
            .into_iter()
            .filter(|name| is_kept(name))
            .map(|name| (name.clone(), value(&old, name), value(&new, name)))
            .filter(|(_, was, is)| !same(was, is))
            .collect()
    }

    fn differ(&self, old: Option<&Row>, new: Option<&Row>, which: impl Fn(&str) -> bool) -> bool {
        self.differing(old, new).iter().any(|(name, ..)| which(name))
    }

    /// Whether a column only says which version of a dataset is the newest.
    fn is_bookkeeping(&self, column: &str) -> bool {
        let table = self.new.as_ref().or(self.old.as_ref());
        column == "Version"
            && table.is_some_and(|table| table.schema_name == DERIVA_ML && table.table_name == "Dataset")
    }
}

/// Whether two cells are the same; NaN is itself.
fn same(one: &crate::tabular::Value, other: &crate::tabular::Value) -> bool {
    use crate::tabular::Value;
    match (one, other) {
        (Value::Float(one), Value::Float(other)) => one.total_cmp(other).is_eq(),
        (one, other) => one == other,
    }
}

/// Whether two walks go the same paths.
fn same_walk(old: &Walk<'_>, new: &Walk<'_>) -> bool {
    let step = |walk: &Walk<'_>, at: usize| {
        let step = &walk.steps[at];
        let hop = step.from.map(|(from, hop)| {
            (from, hop.outbound, hop.key.foreign_key_columns.clone(), hop.key.referenced_columns.clone())
        });
        (step.table.qualified_name(), hop)
    };
    old.steps.len() == new.steps.len() && (0..old.steps.len()).all(|at| step(old, at) == step(new, at))
}
