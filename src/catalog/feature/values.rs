//! Values of features: written by one execution for each command, and removed.

use std::collections::HashMap;

use super::FeatureInfo;
use crate::catalog::cells::{Cells, assignment};
use crate::catalog::read::for_each_row;
use crate::catalog::sql::{literal, quoted};
use crate::catalog::{CatalogError, Change, DeletedRows, RowWriter};
use crate::model::{Column, Rid, Table};
use crate::tabular::Value;

/// Writes values of a feature, all of them by one execution.
pub struct FeatureWriter {
    feature: FeatureInfo,
    execution: Value,
    name: Value,
    writer: RowWriter,
    cells: Cells,
    /// The line on which each target, with its qualifiers, got its value.
    seen: HashMap<Vec<String>, u64>,
    /// Rows of the target by a column's value: what refers to them, or nothing where several have it.
    by: HashMap<String, HashMap<String, Option<String>>>,
}

/// Whose values are to be removed. What is said must hold together; nothing said is all of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct ValuesOf<'a> {
    /// The execution that they are by.
    pub execution: Option<&'a str>,
    /// The rows that they are of.
    pub targets: &'a [String],
    /// An SQL condition on the feature's table.
    pub condition: Option<&'a str>,
}

impl FeatureWriter {
    /// Begins to write values of a feature; by the execution that makes the change, or by another that is there.
    pub fn new(
        change: &mut Change<'_>,
        target: &str,
        name: &str,
        execution: Option<&str>,
    ) -> Result<Self, CatalogError> {
        let feature = change.feature(target, name)?;
        let writer = change.writer(&feature.table)?;
        let mut cells = Cells::default();
        let execution = match execution {
            None => Value::Text(change.execution().to_string()),
            Some(rid) => {
                let column = column_of(&feature.table, &feature.execution_column)?;
                cells.read(change, &feature.table, column, Some(rid))?
            }
        };
        let column = column_of(&feature.table, &feature.name_column)?;
        let name = cells.read(change, &feature.table, column, Some(&feature.name))?;
        let (seen, by) = (HashMap::new(), HashMap::new());
        Ok(Self { feature, execution, name, writer, cells, seen, by })
    }

    /// The feature.
    #[must_use]
    pub fn feature(&self) -> &FeatureInfo {
        &self.feature
    }

    /// The RID of the execution.
    #[must_use]
    pub fn execution(&self) -> String {
        self.execution.to_text().unwrap_or_default().into_owned()
    }

    /// The target row whose `column` has a value: what a value of the feature refers to.
    pub fn target(&mut self, change: &Change<'_>, column: &str, value: &str) -> Result<String, CatalogError> {
        let table = &self.feature.target;
        let known = column_of(table, column)?;
        let parsed = Value::parse(Some(value), known.column_type.storage()).ok();
        let text = parsed.as_ref().and_then(Value::to_text);
        let unknown = || CatalogError::NoTargetRow {
            target: table.table_name.clone(),
            column: column.to_owned(),
            value: value.to_owned(),
        };
        let Some(text) = text else { return Err(unknown()) };
        if column == self.feature.target_key {
            let found = change.has(table, column, &Value::Text(text.clone().into_owned()))?;
            return if found { Ok(text.into_owned()) } else { Err(unknown()) };
        }
        if !self.by.contains_key(column) {
            let rows = targets_by(change, &self.feature, column)?;
            self.by.insert(column.to_owned(), rows);
        }
        match self.by.get(column).and_then(|rows| rows.get(text.as_ref())) {
            Some(Some(found)) => Ok(found.clone()),
            Some(None) => Err(CatalogError::SeveralTargetRows {
                target: table.table_name.clone(),
                column: column.to_owned(),
                value: value.to_owned(),
            }),
            None => Err(unknown()),
        }
    }

    /// Writes the value of the target row of a RID, `COLUMN=VALUE` each.
    pub fn add_assigned(
        &mut self,
        change: &mut Change<'_>,
        rid: &str,
        assignments: &[String],
    ) -> Result<Rid, CatalogError> {
        let target = self.target(change, "RID", rid)?;
        let table = self.feature.table.clone();
        let mut texts: Vec<(usize, Option<&str>)> = Vec::new();
        for text in assignments {
            let (column, value) = assignment(&table, text)?;
            let at = self.feature.position(&column.name)?;
            if texts.iter().any(|(other, _)| *other == at) {
                return Err(CatalogError::GivenTwice(column.name.clone()));
            }
            texts.push((at, Some(value)));
        }
        self.add(change, &target, &texts, 1)
    }

    /// Writes the value of one target row: texts by the column's place among the feature's columns. `line` is where it
    /// was given, for an error about a later one.
    pub fn add(
        &mut self,
        change: &mut Change<'_>,
        target: &str,
        texts: &[(usize, Option<&str>)],
        line: u64,
    ) -> Result<Rid, CatalogError> {
        let feature = &self.feature;
        let mut named: Vec<(&str, Value)> = vec![
            (&feature.execution_column, self.execution.clone()),
            (&feature.name_column, self.name.clone()),
            (&feature.target_column, Value::Text(target.to_owned())),
        ];
        for &(at, text) in texts {
            let Some(known) = feature.columns.get(at) else { continue };
            let column = column_of(&feature.table, &known.name)?;
            let value = self.cells.read(change, &feature.table, column, text)?;
            if known.required && value == Value::Null {
                return Err(missing(feature, &known.name, target));
            }
            named.push((&known.name, value));
        }
        let given = |name: &str| named.iter().find(|(column, _)| *column == name).map(|(_, value)| value);
        if let Some(lacking) = feature.columns.iter().find(|c| c.required && given(&c.name).is_none()) {
            return Err(missing(feature, &lacking.name, target));
        }
        let mut identity = vec![target.to_owned()];
        for column in feature.columns.iter().filter(|column| column.qualifier) {
            let text = given(&column.name).and_then(Value::to_text);
            identity.push(text.map_or_else(String::new, |text| format!("={text}")));
        }
        if let Some(first) = self.seen.insert(identity, line) {
            let (feature, target) = (feature.name.clone(), target.to_owned());
            return Err(CatalogError::RepeatedFeatureValue { feature, target, first });
        }
        change.insert(&self.writer, &self.writer.row(&named))
    }
}

fn missing(feature: &FeatureInfo, column: &str, target: &str) -> CatalogError {
    CatalogError::MissingValue {
        table: feature.table.table_name.clone(),
        column: column.to_owned(),
        rid: target.to_owned(),
    }
}

fn column_of<'t>(table: &'t Table, name: &str) -> Result<&'t Column, CatalogError> {
    table.column(name).ok_or_else(|| CatalogError::NoSuchColumn {
        table: table.table_name.clone(),
        column: name.to_owned(),
        columns: table.own_columns().map(|column| column.name.clone()).collect(),
    })
}

/// Reads the target's rows by a column's text once: a file has many, and the column may have no index.
fn targets_by(
    change: &Change<'_>,
    feature: &FeatureInfo,
    column: &str,
) -> Result<HashMap<String, Option<String>>, CatalogError> {
    let columns = [column, feature.target_key.as_str()];
    let storage: Vec<_> = columns
        .iter()
        .map(|name| column_of(&feature.target, name).map(|column| column.column_type.storage()))
        .collect::<Result<_, _>>()?;
    let sql = format!(
        "SELECT {}, {} FROM ({})",
        quoted(columns[0]),
        quoted(columns[1]),
        change.now(&feature.target)
    );
    let mut rows: HashMap<String, Option<String>> = HashMap::new();
    for_each_row(change.transaction(), change.path(), &sql, &storage, |row| {
        if let (Some(key), Some(target)) = (row[0].to_text(), row[1].to_text()) {
            let target = target.into_owned();
            rows.entry(key.into_owned()).and_modify(|known| *known = None).or_insert(Some(target));
        }
        Ok::<_, CatalogError>(())
    })?;
    Ok(rows)
}

impl Change<'_> {
    /// Removes values of a feature.
    pub fn remove_feature_values(
        &mut self,
        target: &str,
        name: &str,
        of: &ValuesOf<'_>,
    ) -> Result<DeletedRows, CatalogError> {
        let feature = self.feature(target, name)?;
        let mut conditions = Vec::new();
        if let Some(execution) = of.execution {
            conditions.push(format!("{} = {}", quoted(&feature.execution_column), literal(execution)));
        }
        if !of.targets.is_empty() {
            let targets: Vec<String> = of.targets.iter().map(|rid| literal(rid)).collect();
            conditions.push(format!("{} IN ({})", quoted(&feature.target_column), targets.join(", ")));
        }
        let mut rids: Option<Vec<String>> = None;
        if !conditions.is_empty() || of.condition.is_none() {
            let all = conditions.join(" AND ");
            rids = Some(self.rids_where(&feature.table, (!all.is_empty()).then_some(&*all))?);
        }
        // A condition of someone else's is asked alone: an error names it as it was typed.
        if let Some(condition) = of.condition {
            let mut matching = self.rids_where(&feature.table, Some(condition))?;
            if let Some(rids) = rids {
                matching.retain(|rid| rids.binary_search(rid).is_ok());
            }
            rids = Some(matching);
        }
        self.delete_with_dependents(&feature.table, &rids.unwrap_or_default())
    }
}
