//! Values of features read: all of them, or the one of each target that a selector takes.
//!
//! The selectors are deriva-ml's (`FeatureRecord.select_*`): values are grouped by target and qualifiers, and of each
//! group one is taken, or none.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr;

use super::{FeatureInfo, FeatureValueKind, find_feature};
use crate::catalog::read::{Row, for_each_row, rows_at};
use crate::catalog::sql::quoted;
use crate::catalog::{Catalog, CatalogError, Moment};
use crate::model::{DERIVA_ML, Model, Storage, parse_timestamp};
use crate::tabular::Value;

/// A value of a feature.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureRecord {
    /// Its own id.
    pub rid: String,
    /// The row that it is of.
    pub target: String,
    /// The execution that made it.
    pub execution: String,
    /// When it was made, in PostgreSQL's form.
    pub rct: String,
    /// The values, in the order of the feature's columns.
    pub values: Row,
}

/// Which value of each target is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Selector {
    /// Every one.
    #[default]
    All,
    /// The one made last.
    Newest,
    /// The one made first.
    First,
    /// The one made last of those that say what most say; of several that as many say, of all of these. The column that
    /// is counted is the feature's only one with terms, unless it is named.
    Majority(Option<String>),
    /// The newest by an execution.
    Execution(String),
    /// The newest by an execution of a workflow: by its RID, else its type, else its name.
    Workflow(String),
}

impl FromStr for Selector {
    type Err = CatalogError;

    fn from_str(text: &str) -> Result<Self, CatalogError> {
        let (word, rest) = text.split_once(':').map_or((text, None), |(word, rest)| (word, Some(rest)));
        let rest = rest.map(str::to_owned);
        match (word, rest) {
            ("all", None) => Ok(Self::All),
            ("newest" | "latest", None) => Ok(Self::Newest),
            ("first", None) => Ok(Self::First),
            ("majority", column) if column.as_deref() != Some("") => Ok(Self::Majority(column)),
            ("execution", Some(rid)) if !rid.is_empty() => Ok(Self::Execution(rid)),
            ("workflow", Some(of)) if !of.is_empty() => Ok(Self::Workflow(of)),
            _ => Err(CatalogError::NotASelector(text.to_owned())),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Newest => f.write_str("newest"),
            Self::First => f.write_str("first"),
            Self::Majority(None) => f.write_str("majority"),
            Self::Majority(Some(column)) => write!(f, "majority:{column}"),
            Self::Execution(rid) => write!(f, "execution:{rid}"),
            Self::Workflow(of) => write!(f, "workflow:{of}"),
        }
    }
}

/// A selector that has been looked up in a feature and a catalog.
pub(super) enum Choice {
    All,
    Newest,
    First,
    /// By the value at this place.
    Majority(usize),
    /// The newest by one of these executions.
    By(HashSet<String>),
}

impl Choice {
    /// The place of the record that is taken. Records are in the order of their RIDs, and of two made at the same time
    /// the first counts.
    pub(super) fn of(&self, records: &[FeatureRecord]) -> Option<usize> {
        let made = |at: usize| parse_timestamp(&records[at].rct);
        let newest = |among: &mut dyn Iterator<Item = usize>| {
            among.reduce(|best, at| if made(at) > made(best) { at } else { best })
        };
        match self {
            Self::All => None,
            Self::Newest => newest(&mut (0..records.len())),
            Self::First => {
                (0..records.len()).reduce(|best, at| if made(at) < made(best) { at } else { best })
            }
            Self::By(executions) => {
                newest(&mut (0..records.len()).filter(|&at| executions.contains(&records[at].execution)))
            }
            Self::Majority(column) => {
                let said = |at: usize| records[at].values[*column].to_text();
                let mut counts: HashMap<_, u32> = HashMap::new();
                for at in 0..records.len() {
                    *counts.entry(said(at)).or_default() += 1;
                }
                let most = counts.values().max().copied();
                newest(&mut (0..records.len()).filter(|&at| counts.get(&said(at)).copied() == most))
            }
        }
    }
}

impl Catalog {
    /// Reads the values of a feature that a selector takes, as they were at a moment, in the order of their targets'
    /// RIDs. Only the values of one target are held at a time.
    pub fn feature_values<E: From<CatalogError>>(
        &self,
        target: &str,
        name: &str,
        selector: &Selector,
        at: &Moment,
        mut f: impl FnMut(FeatureRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        let number = self.number_at(at)?;
        let model = self.model_at(number)?;
        let feature = find_feature(&model, target, name)?;
        let choice = self.choice(&feature, selector, &model, number)?;
        let qualifiers: Vec<usize> =
            (0..feature.columns.len()).filter(|&at| feature.columns[at].qualifier).collect();
        let mut group: Vec<FeatureRecord> = Vec::new();
        let mut take = |group: &mut Vec<FeatureRecord>| {
            let taken = choice.of(group).map(|at| group.swap_remove(at));
            group.clear();
            taken.map_or(Ok(()), &mut f)
        };
        if matches!(choice, Choice::All) {
            return self.for_each_record(&feature, number, f);
        }
        self.for_each_record(&feature, number, |record| {
            let same = |other: &FeatureRecord| {
                other.target == record.target
                    && qualifiers.iter().all(|&at| other.values[at].to_text() == record.values[at].to_text())
            };
            if group.first().is_some_and(|first| !same(first)) {
                take(&mut group)?;
            }
            group.push(record);
            Ok::<_, E>(())
        })?;
        take(&mut group)
    }

    /// Every value at a transaction, by target, qualifiers and RID.
    fn for_each_record<E: From<CatalogError>>(
        &self,
        feature: &FeatureInfo,
        number: i64,
        mut f: impl FnMut(FeatureRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        let fixed = ["RID", feature.target_column.as_str(), &feature.execution_column, "RCT"];
        let own = feature.columns.iter().map(|column| column.name.as_str());
        let columns: Vec<&str> = fixed.into_iter().chain(own).collect();
        let storage: Vec<Storage> = columns
            .iter()
            .map(|name| feature.table.column(name).map_or(Storage::Text, |c| c.column_type.storage()))
            .collect();
        let qualifiers = feature.columns.iter().filter(|column| column.qualifier);
        let order: Vec<String> = std::iter::once(feature.target_column.as_str())
            .chain(qualifiers.map(|column| column.name.as_str()))
            .chain(["RID"])
            .map(quoted)
            .collect();
        let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
        let rows = rows_at(&feature.table, &columns, number, &self.aliases()?);
        let sql = format!("SELECT {} FROM ({rows}) ORDER BY {}", names.join(", "), order.join(", "));
        for_each_row(&self.connection, &self.path, &sql, &storage, |mut row| {
            let values = row.split_off(fixed.len());
            let text = |at: usize| row[at].to_text().unwrap_or_default().into_owned();
            f(FeatureRecord { rid: text(0), target: text(1), execution: text(2), rct: text(3), values })
        })
    }

    fn choice(
        &self,
        feature: &FeatureInfo,
        selector: &Selector,
        model: &Model,
        number: i64,
    ) -> Result<Choice, CatalogError> {
        Ok(match selector {
            Selector::All => Choice::All,
            Selector::Newest => Choice::Newest,
            Selector::First => Choice::First,
            Selector::Majority(Some(column)) => Choice::Majority(feature.position(column)?),
            Selector::Majority(None) => {
                // A qualifier says what a value is of, not what it says.
                let terms = feature.columns.iter().enumerate().filter(|(_, column)| {
                    matches!(column.kind, FeatureValueKind::Term(_)) && !column.qualifier
                });
                let terms: Vec<usize> = terms.map(|(at, _)| at).collect();
                match terms.as_slice() {
                    [only] => Choice::Majority(*only),
                    _ => {
                        let (feature, columns) = (feature.name.clone(), feature.column_names());
                        return Err(CatalogError::MajorityOfWhat { feature, columns });
                    }
                }
            }
            Selector::Execution(rid) => Choice::By(HashSet::from([rid.clone()])),
            Selector::Workflow(of) => Choice::By(self.executions_of(of, model, number)?),
        })
    }

    /// The executions of a workflow, by its RID, else its type, else its name. Older catalogs have a workflow's type in a
    /// column of its own.
    fn executions_of(&self, of: &str, model: &Model, number: i64) -> Result<HashSet<String>, CatalogError> {
        let unknown = || CatalogError::NoSuchWorkflow(of.to_owned());
        let workflows = self.cells(model, "Workflow", "RID", number, None)?;
        let mut found: HashSet<String> = workflows.iter().filter(|rid| *rid == of).cloned().collect();
        if found.is_empty() && self.cells(model, "Workflow_Type", "Name", number, None)?.contains(of) {
            let key = Some(("Workflow_Type", of));
            found = self.cells(model, "Workflow_Workflow_Type", "Workflow", number, key)?;
            found.extend(self.cells(model, "Workflow", "RID", number, key)?);
            if found.is_empty() {
                return Ok(found);
            }
        }
        if found.is_empty() {
            found = self.cells(model, "Workflow", "RID", number, Some(("Name", of)))?;
        }
        if found.is_empty() {
            return Err(unknown());
        }
        let mut executions = HashSet::new();
        for workflow in &found {
            executions.extend(self.cells(model, "Execution", "RID", number, Some(("Workflow", workflow)))?);
        }
        Ok(executions)
    }

    /// A column's texts in a table of `deriva-ml`, of all rows or of those with a value in another column. A table or
    /// column that is not there has none.
    fn cells(
        &self,
        model: &Model,
        table: &str,
        column: &str,
        number: i64,
        key: Option<(&str, &str)>,
    ) -> Result<HashSet<String>, CatalogError> {
        let wanted: Vec<&str> = std::iter::once(column).chain(key.map(|(name, _)| name)).collect();
        let table = model.table(DERIVA_ML, table);
        let Some(table) = table.filter(|table| wanted.iter().all(|name| table.column(name).is_some())) else {
            return Ok(HashSet::new());
        };
        let rows = rows_at(table, &wanted, number, &self.aliases()?);
        let mut texts = HashSet::new();
        for_each_row(&self.connection, &self.path, &rows, &vec![Storage::Text; wanted.len()], |row| {
            let is = |value: &str| row.get(1).and_then(Value::to_text).as_deref() == Some(value);
            if let Some(text) = row[0].to_text().filter(|_| key.is_none_or(|(_, value)| is(value))) {
                texts.insert(text.into_owned());
            }
            Ok::<_, CatalogError>(())
        })?;
        Ok(texts)
    }
}
