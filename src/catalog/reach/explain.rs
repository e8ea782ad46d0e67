//! Why a table or a row is in a dataset, or isn't.

use super::{IdSet, Ids, Part, Reached, SelectOptions, Subject, is_chosen};
use crate::catalog::dataset::{DatasetRef, View};
use crate::catalog::read::rows_at;
use crate::catalog::sql::{find_table, literal, sql_names};
use crate::catalog::{Catalog, CatalogError};
use crate::model::{Hop, Model, Table, WalkRules, is_outside};

/// What was asked of a dataset, and why it is so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The dataset, or its version.
    pub reference: String,
    /// The tables that were asked for; else all.
    pub tables: Vec<TablePart>,
    /// The row that was asked for.
    pub row: Option<RowPart>,
}

/// A table's part in a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePart {
    /// The table, as `schema:Table`.
    pub table: String,
    /// Its rows in the dataset; `None` for a vocabulary, which comes whole.
    pub rows: Option<u64>,
    /// The paths that lead to it, and to how many rows each.
    pub paths: Vec<(String, Option<u64>)>,
    /// Why none of it is in.
    pub why_not: Option<WhyNot>,
}

/// A row's part in a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPart {
    /// Its id.
    pub rid: String,
    /// Its table, as `schema:Table`.
    pub table: String,
    /// The rows by which it is in: the dataset first, the row last.
    pub chain: Option<Chain>,
    /// Whether it is in as a term that none of the dataset's rows need refer to: vocabularies come whole.
    pub whole: bool,
    /// Why it isn't in: of each path where it breaks, or one reason for all.
    pub why_not: Vec<WhyNot>,
}

impl RowPart {
    /// Whether it is in the dataset.
    #[must_use]
    pub fn is_in(&self) -> bool {
        self.whole || self.chain.is_some()
    }
}

/// Rows of which each leads to the next: table and id.
pub type Chain = Vec<(String, String)>;

/// Why something is not in a dataset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum WhyNot {
    #[error("tables of the schema {0} never belong to datasets")]
    Outside(String),
    #[error("it was left out as you asked")]
    Excluded,
    #[error("the dataset has no members of {0}")]
    NoMembers(String),
    #[error("it is reached only through what you left out or did not choose")]
    Narrowed,
    #[error("it is more than {0} foreign keys away from the dataset")]
    TooDeep(usize),
    #[error("the way to it goes back from an execution or a workflow, which leads only to what it refers to")]
    PastTerminal,
    #[error("no foreign keys lead to it from the dataset")]
    NoPath,
    #[error("no rows lead to it: {0}")]
    NoRows(String),
    #[error("by {path}: no row of {table} leads to it")]
    Breaks { path: String, table: String },
    #[error("by {path}: it belongs to {}", .datasets.join(", "))]
    OfOthers { path: String, datasets: Vec<String> },
    #[error("it is neither the dataset nor nested in it")]
    OtherDataset,
    #[error("it stands for a version that was not released then")]
    NotReleased,
    #[error("it was made later, by change {0}")]
    Later(i64),
    #[error("it was deleted before, by change {0}")]
    Deleted(i64),
}

impl Catalog {
    /// Why tables are in a dataset or not: one of them, else all; and why a row is.
    pub fn explain(
        &self,
        reference: &DatasetRef,
        table: Option<&str>,
        rid: Option<&str>,
        options: &SelectOptions,
    ) -> Result<Explanation, CatalogError> {
        let view = self.view()?;
        let (dataset, number) = view.moment_of(reference)?;
        let model = view.model_at(number)?;
        let family = view.family(&dataset, number)?;
        let subject = Subject { family: &family, number, options };
        let mut explained = Explanation { reference: reference.to_string(), tables: Vec::new(), row: None };
        let chosen = table.map(|name| find_table(&model, name)).transpose()?;
        if let (Some(rid), table) = (rid, chosen) {
            explained.row = Some(view.explain_row(&model, &subject, table, rid)?);
            return Ok(explained);
        }
        let reached = view.reach(&model, &subject, Ids::default())?;
        for table in model.tables().filter(|table| chosen.is_none_or(|chosen| chosen == *table)) {
            // The server's own tables are told of only when they are asked for.
            if chosen.is_some() || !is_outside(table) {
                explained.tables.push(view.explain_table(&model, &subject, &reached, table)?);
            }
        }
        explained.tables.sort_by_key(|part| (part.why_not.is_some(), part.table.clone()));
        Ok(explained)
    }
}

impl View<'_> {
    fn explain_table(
        &self,
        model: &Model,
        subject: &Subject<'_>,
        reached: &Reached<'_>,
        table: &Table,
    ) -> Result<TablePart, CatalogError> {
        let name = table.qualified_name();
        let paths = reached.walk.to(table).map(|at| (reached.walk.shown(at), reached.counts[at]));
        let mut paths: Vec<(String, Option<u64>)> = paths.collect();
        let is_in = is_chosen(model, subject.options, table)?;
        let rows = match reached.parts.get(&name).filter(|_| is_in) {
            Some(Part::All) => None,
            Some(Part::Some(rids)) => Some(rids.len() as u64),
            None => Some(0),
        };
        let why_not = match rows {
            Some(0) => Some(self.why_not(model, subject, table, &paths)?),
            _ => None,
        };
        // A path that led nowhere is no path that it came by.
        if why_not.is_none() {
            paths.retain(|(_, rows)| *rows != Some(0));
        }
        Ok(TablePart { table: name, rows, paths, why_not })
    }

    fn why_not(
        &self,
        model: &Model,
        subject: &Subject<'_>,
        table: &Table,
        paths: &[(String, Option<u64>)],
    ) -> Result<WhyNot, CatalogError> {
        if is_outside(table) {
            return Ok(WhyNot::Outside(table.schema_name.clone()));
        }
        let excluded = super::named(model, &subject.options.exclude)?;
        if excluded.contains(&table.qualified_name()) {
            return Ok(WhyNot::Excluded);
        }
        if let Some(membership) = model.membership(table).filter(|membership| !membership.is_nesting())
            && !self.has_members(&membership, subject)?
        {
            return Ok(WhyNot::NoMembers(membership.element.table_name.clone()));
        }
        if let Some((path, _)) = paths.first() {
            let is_chosen = is_chosen(model, subject.options, table)?;
            return Ok(if is_chosen { WhyNot::NoRows(path.clone()) } else { WhyNot::Narrowed });
        }
        self.why_no_path(model, subject, table)
    }

    /// Which of the walk's rules keeps a table out.
    fn why_no_path(
        &self,
        model: &Model,
        subject: &Subject<'_>,
        table: &Table,
    ) -> Result<WhyNot, CatalogError> {
        let reaches =
            |rules: &WalkRules| model.walk(rules).is_some_and(|walk| walk.to(table).next().is_some());
        let asked = self.walk_rules(model, subject)?;
        if let Some(most) = asked.max_depth
            && reaches(&WalkRules { max_depth: None, ..asked })
        {
            return Ok(WhyNot::TooDeep(most));
        }
        let all = SelectOptions::default();
        let rules = self.walk_rules(model, &Subject { options: &all, ..*subject })?;
        if reaches(&rules) {
            return Ok(WhyNot::Narrowed);
        }
        if reaches(&WalkRules { past_terminals: true, ..rules.clone() }) {
            return Ok(WhyNot::PastTerminal);
        }
        // With members of every kind.
        let first = model.memberships().into_iter().find(|membership| {
            let mut rules = rules.clone();
            rules.exclude.remove(&membership.table.qualified_name()) && reaches(&rules)
        });
        Ok(first
            .map_or(WhyNot::NoPath, |membership| WhyNot::NoMembers(membership.element.table_name.clone())))
    }

    fn explain_row(
        &self,
        model: &Model,
        subject: &Subject<'_>,
        table: Option<&Table>,
        rid: &str,
    ) -> Result<RowPart, CatalogError> {
        let candidates = model.tables().filter(|other| table.is_none_or(|table| table == *other));
        let mut elsewhere = None;
        for table in candidates {
            let rows = rows_at(table, &["RID"], subject.number, &self.aliases);
            let is_there = format!("SELECT EXISTS (SELECT 1 FROM ({rows}) WHERE \"RID\" = {})", literal(rid));
            if self.number(&is_there)? > 0 {
                return self.explain_row_of(model, subject, table, rid);
            }
            if let Some(why) = self.another_time(table, rid, subject.number)? {
                elsewhere.get_or_insert((table.qualified_name(), why));
            }
        }
        let (table, why) = elsewhere.ok_or_else(|| CatalogError::NoSuchRow(rid.to_owned()))?;
        Ok(RowPart { rid: rid.to_owned(), table, chain: None, whole: false, why_not: vec![why] })
    }

    /// When a row was there that isn't at a moment.
    fn another_time(&self, table: &Table, rid: &str, number: i64) -> Result<Option<WhyNot>, CatalogError> {
        let (live, history) = sql_names(table);
        let rid = literal(rid);
        let later = format!(
            "SELECT ifnull(min(\"dbag:from\"), 0) FROM (SELECT \"dbag:from\" FROM main.{live} WHERE \"RID\" = {rid} \
             UNION ALL SELECT \"dbag:from\" FROM main.{history} WHERE \"RID\" = {rid}) WHERE \"dbag:from\" > {number}"
        );
        let before = format!(
            "SELECT ifnull(max(\"dbag:to\"), 0) FROM main.{history} WHERE \"RID\" = {rid} AND \"dbag:to\" <= {number}"
        );
        let [later, before] = [self.number(&later)?.cast_signed(), self.number(&before)?.cast_signed()];
        Ok(match (later, before) {
            (_, before) if before > 0 => Some(WhyNot::Deleted(before)),
            (later, _) if later > 0 => Some(WhyNot::Later(later)),
            _ => None,
        })
    }

    fn explain_row_of(
        &self,
        model: &Model,
        subject: &Subject<'_>,
        table: &Table,
        rid: &str,
    ) -> Result<RowPart, CatalogError> {
        let mut part = RowPart {
            rid: rid.to_owned(),
            table: table.qualified_name(),
            chain: None,
            whole: false,
            why_not: Vec::new(),
        };
        let rules = self.walk_rules(model, subject)?;
        let walk = model.walk(&rules);
        let ends: Vec<usize> = walk.iter().flat_map(|walk| walk.to(table)).collect();
        let Some(walk) = walk.filter(|_| !ends.is_empty()) else {
            part.why_not.push(self.why_not(model, subject, table, &[])?);
            return Ok(part);
        };
        if !is_chosen(model, subject.options, table)? {
            part.why_not.push(WhyNot::Narrowed);
            return Ok(part);
        }
        let mut ids = Ids::default();
        let mut own = IdSet::from_iter([ids.id(rid)]);
        self.keep_released(&mut ids, &part.table, &mut own, subject.number)?;
        if own.is_empty() {
            part.why_not.push(WhyNot::NotReleased);
            return Ok(part);
        }
        let family: IdSet = subject.family.iter().map(|rid| ids.id(rid.as_str())).collect();
        for end in ends {
            let steps = walk.path(end);
            // From the row back to the dataset: the rows of each step that lead to the one before.
            let mut rows: Vec<IdSet> = vec![own.clone()];
            for pair in steps.windows(2).rev() {
                let Some((_, hop)) = walk.steps[pair[1]].from else { break };
                let back = Hop { outbound: !hop.outbound, ..hop };
                let (at, to) = (walk.steps[pair[1]].table, walk.steps[pair[0]].table);
                let Some(last) = rows.last() else { break };
                let found = self.hop(&mut ids, at, to, &back, last, subject.number)?;
                rows.push(found);
            }
            let anchors = rows.last().filter(|_| rows.len() == steps.len());
            // Of several ways always the same is told.
            if let Some(anchor) = anchors.and_then(|set| set.intersection(&family).min()) {
                let names = steps.iter().map(|step| walk.steps[*step].table);
                let chain = self.chain_down(
                    &mut ids,
                    *anchor,
                    &names.collect::<Vec<_>>(),
                    &rows,
                    |at| walk.steps[steps[at]].from.map(|(_, hop)| hop),
                    subject.number,
                )?;
                part.chain = Some(chain);
                part.why_not.clear();
                return Ok(part);
            }
            part.why_not.push(self.broken(&walk.shown(end), &steps, &rows, &ids, |step| {
                walk.steps[step].table.table_name.clone()
            })?);
        }
        if table.is_vocabulary() {
            part.whole = true;
            part.why_not.clear();
        }
        Ok(part)
    }

    /// The rows of a chain from its anchor down, each led to by the one above.
    fn chain_down<'m>(
        &self,
        ids: &mut Ids,
        anchor: super::Id,
        tables: &[&Table],
        rows: &[IdSet],
        hop: impl Fn(usize) -> Option<Hop<'m>>,
        number: i64,
    ) -> Result<Chain, CatalogError> {
        let mut chain = vec![(tables[0].table_name.clone(), self.called(&ids.text(anchor))?)];
        let mut above = anchor;
        for at in 1..tables.len() {
            let Some(hop) = hop(at) else { break };
            let found =
                self.hop(ids, tables[at - 1], tables[at], &hop, &IdSet::from_iter([above]), number)?;
            let wanted = &rows[rows.len() - 1 - at];
            let Some(next) = found.intersection(wanted).min() else { break };
            chain.push((tables[at].table_name.clone(), ids.text(*next)));
            above = *next;
        }
        Ok(chain)
    }

    /// Where a path breaks off on the way back from a row.
    fn broken(
        &self,
        path: &str,
        steps: &[usize],
        rows: &[IdSet],
        ids: &Ids,
        table: impl Fn(usize) -> String,
    ) -> Result<WhyNot, CatalogError> {
        if steps.len() == 1 {
            return Ok(WhyNot::OtherDataset);
        }
        let path = path.to_owned();
        if let Some(empty) = rows.iter().position(IdSet::is_empty) {
            return Ok(WhyNot::Breaks { path, table: table(steps[steps.len() - 1 - empty]) });
        }
        let mut others: Vec<String> = rows.last().into_iter().flatten().map(|id| ids.text(*id)).collect();
        others.sort_unstable();
        let datasets = others.iter().take(3).map(|rid| self.called(rid)).collect::<Result<Vec<_>, _>>()?;
        Ok(WhyNot::OfOthers { path, datasets })
    }
}
