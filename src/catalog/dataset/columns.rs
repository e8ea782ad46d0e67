//! A value for each row of a table: of a column of its own, of a row that it refers to, or of a feature.

use std::collections::HashMap;

use super::super::CatalogError;
use super::super::read::{for_each_row, rows_at};
use super::super::sql::quoted;
use super::View;
use crate::model::{Column, Feature, Model, Storage, Table, parse_timestamp};
use crate::tabular::Value;

/// What a feature's name starts with in a path.
const FEATURE: &str = "feature:";

/// The way from a row to a value.
struct Way<'m> {
    /// References to follow: the column that refers, the table that it refers to, and the column there.
    hops: Vec<(&'m str, &'m Table, &'m str)>,
    column: &'m Column,
}

impl View<'_> {
    /// The values that a path leads to after transaction `number`, as text, by the RID of the row of `table`. Rows without a
    /// value may be left out.
    ///
    /// A path is a column; a column that refers elsewhere (or the name of the table that it refers to), a dot, and a path
    /// from there (`Subject.Age_Group`); or `feature:NAME` or `feature:NAME.COLUMN`, of which the newest value counts.
    pub(super) fn values(
        &self,
        model: &Model,
        table: &Table,
        path: &str,
        number: i64,
    ) -> Result<HashMap<String, String>, CatalogError> {
        if let Some(feature) = path.strip_prefix(FEATURE)
            && table.column(path).is_none()
        {
            return self.feature_values(model, table, feature, number);
        }
        let way = way(model, table, path)?;
        let mut values: Option<HashMap<String, String>> = None;
        let mut at = (table, "RID");
        for (from, to, referenced) in &way.hops {
            values = Some(joined(values, &self.pairs(at, from, number)?));
            at = (to, referenced);
        }
        Ok(joined(values, &self.pairs(at, &way.column.name, number)?))
    }

    /// Two columns of a table: the second by the first, where neither is NULL.
    fn pairs(
        &self,
        (table, key): (&Table, &str),
        column: &str,
        number: i64,
    ) -> Result<HashMap<String, String>, CatalogError> {
        let columns = [key, column];
        let storage = columns.map(|name| storage(table, name));
        // A column may be its own key.
        let names: &[&str] = if key == column { &columns[..1] } else { &columns };
        let rows = rows_at(table, names, number, &self.aliases);
        let sql = format!("SELECT {}, {} FROM ({rows})", quoted(key), quoted(column));
        let mut pairs = HashMap::new();
        for_each_row(self.connection, self.path, &sql, &storage, |row| {
            if let (Some(key), Some(value)) = (row[0].to_text(), row[1].to_text()) {
                pairs.insert(key.into_owned(), value.into_owned());
            }
            Ok::<_, CatalogError>(())
        })?;
        Ok(pairs)
    }

    fn feature_values(
        &self,
        model: &Model,
        table: &Table,
        path: &str,
        number: i64,
    ) -> Result<HashMap<String, String>, CatalogError> {
        let (feature, column) = feature_column(model, table, path)?;
        let columns = [feature.target_column, "RID", "RCT", &column.name];
        let storage = columns.map(|name| storage(feature.table, name));
        let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
        let rows = rows_at(feature.table, &columns, number, &self.aliases);
        let sql = format!("SELECT {} FROM ({rows})", names.join(", "));
        // The newest is the one that was made last, and of two made at once the one with the later RID.
        let mut newest: HashMap<String, ((Option<i64>, String), Value)> = HashMap::new();
        for_each_row(self.connection, self.path, &sql, &storage, |row| {
            let [target, rid, made, value] = row.as_slice() else { return Ok(()) };
            let text = |value: &Value| value.to_text().unwrap_or_default().into_owned();
            let age = (parse_timestamp(&text(made)), text(rid));
            let known = newest.get(&text(target)).is_some_and(|(other, _)| *other >= age);
            if !known {
                newest.insert(text(target), (age, value.clone()));
            }
            Ok::<_, CatalogError>(())
        })?;
        let texts = newest
            .into_iter()
            .filter_map(|(target, (_, value))| value.to_text().map(|value| (target, value.into_owned())));
        Ok(texts.collect())
    }
}

fn storage(table: &Table, column: &str) -> Storage {
    table.column(column).map_or(Storage::Text, |column| column.column_type.storage())
}

/// Values by key, taken one reference further.
fn joined(
    values: Option<HashMap<String, String>>,
    next: &HashMap<String, String>,
) -> HashMap<String, String> {
    match values {
        None => next.clone(),
        Some(values) => {
            let further = values.into_iter().filter_map(|(key, at)| Some((key, next.get(&at)?.clone())));
            further.collect()
        }
    }
}

/// The one way that a path stands for.
fn way<'m>(model: &'m Model, table: &'m Table, path: &str) -> Result<Way<'m>, CatalogError> {
    let mut ways = ways(model, table, path);
    match ways.len() {
        1 => Ok(ways.remove(0)),
        0 => Err(CatalogError::NoSuchPath {
            table: table.table_name.clone(),
            column: path.to_owned(),
            columns: table.own_columns().map(|column| column.name.clone()).collect(),
        }),
        _ => Err(CatalogError::AmbiguousPath {
            table: table.table_name.clone(),
            column: path.to_owned(),
            ways: ways.iter().map(Way::shown).collect(),
        }),
    }
}

impl Way<'_> {
    fn shown(&self) -> String {
        let hops: Vec<&str> = self.hops.iter().map(|(column, ..)| *column).collect();
        format!("{}.{}", hops.join("."), self.column.name)
    }
}

/// A column of the table itself, else every way by a reference. Any name may have dots.
fn ways<'m>(model: &'m Model, table: &'m Table, path: &str) -> Vec<Way<'m>> {
    if let Some(column) = table.column(path) {
        return vec![Way { hops: Vec::new(), column }];
    }
    let mut found = Vec::new();
    for (at, _) in path.match_indices('.') {
        let (head, rest) = (&path[..at], &path[at + 1..]);
        for key in &table.foreign_keys {
            let (Some((column, referenced)), Some(to)) = (key.single(), model.referenced(key)) else {
                continue;
            };
            if column != head && to.table_name != head {
                continue;
            }
            for mut way in ways(model, to, rest) {
                way.hops.insert(0, (column, to, referenced));
                found.push(way);
            }
        }
    }
    found
}

/// A feature of a table's rows and its value column: the one that is named, or its only one.
fn feature_column<'m>(
    model: &'m Model,
    table: &Table,
    path: &str,
) -> Result<(Feature<'m>, &'m Column), CatalogError> {
    let features = model.features_of(table);
    let names: Vec<String> = features.iter().filter_map(|feature| feature.name.map(str::to_owned)).collect();
    for feature in features {
        let Some(rest) = feature.name.and_then(|name| path.strip_prefix(name)) else { continue };
        let linked = feature.term_columns.iter().chain(&feature.asset_columns).map(|link| link.column);
        let columns: Vec<&Column> = linked.chain(feature.value_columns.iter().copied()).collect();
        let column = match (rest.strip_prefix('.'), columns.as_slice()) {
            (Some(name), _) => columns.iter().copied().find(|column| column.name == name),
            (None, [only]) if rest.is_empty() => Some(*only),
            (None, _) if rest.is_empty() => None,
            // Another feature's name may begin like this one's.
            (None, _) => continue,
        };
        let columns: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        return match column {
            Some(column) => Ok((feature, column)),
            None => Err(CatalogError::NoSuchPath {
                table: feature.table.table_name.clone(),
                column: rest.trim_start_matches('.').to_owned(),
                columns,
            }),
        };
    }
    Err(CatalogError::NoSuchFeature {
        table: table.table_name.clone(),
        feature: path.to_owned(),
        features: names,
    })
}
