//! Features: what executions have found out about rows of a table, made, listed and looked up.
//!
//! A feature is a table of `model::feature_table`'s form, and its name a term of `deriva-ml:Feature_Name`. Its values
//! are written by [`FeatureWriter`] and read by [`Catalog::feature_values`].

mod select;
mod values;

pub use select::{FeatureRecord, Selector};
pub use values::{FeatureWriter, ValuesOf};

use super::sql::{find_table, quoted};
use super::{Catalog, CatalogError, Change, Moment};
use crate::model::{
    Column, DERIVA_ML, Feature, FeatureColumns, Link, Model, SYSTEM_COLUMNS, Table, feature_table,
};

/// A feature that is to be made.
#[derive(Debug, Clone, Copy, Default)]
pub struct NewFeature<'a> {
    /// The table whose rows it is about.
    pub target: &'a str,
    /// Its name.
    pub name: &'a str,
    /// What it is.
    pub comment: &'a str,
    /// The vocabularies of which each value has a term.
    pub terms: &'a [String],
    /// The asset tables of which each value has a file.
    pub assets: &'a [String],
    /// Plain values.
    pub values: &'a [Column],
    /// The columns of all these that may be NULL.
    pub optional: &'a [String],
}

/// What a column of a feature's values is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeatureValueKind {
    /// A term of this vocabulary.
    Term(String),
    /// A file of this asset table.
    Asset(String),
    /// A value of this type.
    Value(String),
}

/// A column of a feature's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureColumn {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: FeatureValueKind,
    /// Whether every value needs it.
    pub required: bool,
    /// Whether it says, with the target, what a value is of.
    pub qualifier: bool,
}

/// A feature.
#[derive(Debug, Clone)]
pub struct FeatureInfo {
    /// Its name.
    pub name: String,
    /// The table whose rows it is about.
    pub target: Table,
    /// The table of its values.
    pub table: Table,
    /// The column with the target row.
    pub target_column: String,
    /// The target's column that it refers to: RID.
    pub target_key: String,
    /// The column with the execution.
    pub execution_column: String,
    /// The column with the feature's name.
    pub name_column: String,
    /// The columns of the values, in the table's order.
    pub columns: Vec<FeatureColumn>,
}

/// A feature in a list.
#[derive(Debug, Clone)]
pub struct FeatureSummary {
    /// The feature.
    pub feature: FeatureInfo,
    /// How many values it has.
    pub values: u64,
    /// How many rows they are of.
    pub targets: u64,
    /// How many executions they are by.
    pub executions: u64,
}

impl FeatureInfo {
    fn of(feature: &Feature<'_>) -> Self {
        let kind = |column: &Column| {
            let among = |links: &[Link<'_>]| {
                links.iter().find(|link| link.column.name == column.name).map(|l| l.table.table_name.clone())
            };
            let term = among(&feature.term_columns).map(FeatureValueKind::Term);
            term.or_else(|| among(&feature.asset_columns).map(FeatureValueKind::Asset))
                .unwrap_or_else(|| FeatureValueKind::Value(column.column_type.typename.clone()))
        };
        let fixed = [feature.execution_column, feature.feature_name_column, feature.target_column];
        let own = feature.table.own_columns().filter(|column| !fixed.contains(&column.name.as_str()));
        let keys = feature.table.foreign_keys.iter().filter_map(|key| key.single());
        let key = keys.into_iter().find(|(column, _)| *column == feature.target_column);
        Self {
            name: feature.name.unwrap_or(&feature.table.table_name).to_owned(),
            target: feature.target.clone(),
            table: feature.table.clone(),
            target_column: feature.target_column.to_owned(),
            target_key: key.map_or("RID", |(_, referenced)| referenced).to_owned(),
            execution_column: feature.execution_column.to_owned(),
            name_column: feature.feature_name_column.to_owned(),
            columns: own
                .map(|column| FeatureColumn {
                    name: column.name.clone(),
                    kind: kind(column),
                    required: !column.nullok,
                    qualifier: feature.qualifier_columns.contains(&column.name.as_str()),
                })
                .collect(),
        }
    }

    /// The names of its values' columns.
    #[must_use]
    pub fn column_names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// Where a column is among the values' columns.
    pub fn position(&self, column: &str) -> Result<usize, CatalogError> {
        self.columns.iter().position(|known| known.name == column).ok_or_else(|| {
            CatalogError::NoSuchFeatureColumn {
                feature: self.name.clone(),
                column: column.to_owned(),
                columns: self.column_names(),
            }
        })
    }

    /// Whether a name means it: its own, or its table's.
    fn is_called(&self, name: &str) -> bool {
        self.name == name || self.table.table_name == name || self.table.qualified_name() == name
    }
}

/// A feature of a target table by its name, or by its table's.
fn find_feature(model: &Model, target: &str, name: &str) -> Result<FeatureInfo, CatalogError> {
    let target = find_table(model, target)?;
    let features: Vec<FeatureInfo> = model.features_of(target).iter().map(FeatureInfo::of).collect();
    // A name goes before a table's.
    let by_name = features.iter().find(|feature| feature.name == name);
    let found = by_name.or_else(|| features.iter().find(|feature| feature.is_called(name))).cloned();
    found.ok_or_else(|| CatalogError::NoSuchFeature {
        table: target.table_name.clone(),
        feature: name.to_owned(),
        features: features.into_iter().map(|feature| feature.name).collect(),
    })
}

impl Change<'_> {
    /// Makes a feature: its table in `schema`, and its name's term where there is none yet.
    pub fn create_feature(
        &mut self,
        schema: &str,
        new: &NewFeature<'_>,
    ) -> Result<FeatureInfo, CatalogError> {
        let target = self.target(new.target)?;
        if find_feature(self.model(), &target.qualified_name(), new.name).is_ok() {
            let (target, name) = (target.table_name, new.name.to_owned());
            return Err(CatalogError::FeatureExists { target, name });
        }
        let terms: Vec<Table> =
            new.terms.iter().map(|name| self.vocabulary(name)).collect::<Result<_, _>>()?;
        let assets: Vec<Table> = new.assets.iter().map(|name| self.assets(name)).collect::<Result<_, _>>()?;
        if terms.is_empty() && assets.is_empty() && new.values.is_empty() {
            let (target, name) = (target.table_name, new.name.to_owned());
            return Err(CatalogError::EmptyFeature { target, name });
        }
        let columns = FeatureColumns {
            assets: &assets.iter().collect::<Vec<_>>(),
            terms: &terms.iter().collect::<Vec<_>>(),
            references: &[],
            values: new.values,
            optional: &new.optional.iter().map(String::as_str).collect::<Vec<_>>(),
            comment: new.comment,
        };
        let table = feature_table(schema, &target, new.name, &columns);
        self.put_table(table.clone())?;
        let feature = find_feature(self.model(), &target.qualified_name(), &table.qualified_name())?;
        for name in new.optional {
            feature.position(name)?;
        }
        self.name_feature(&feature.name, new.comment)?;
        Ok(feature)
    }

    /// A feature of a target table by its name, or by its table's.
    pub fn feature(&self, target: &str, name: &str) -> Result<FeatureInfo, CatalogError> {
        find_feature(self.model(), target, name)
    }

    /// The feature's name as a term. One that is there, of a feature of another table, serves for this one too.
    fn name_feature(&mut self, name: &str, comment: &str) -> Result<(), CatalogError> {
        let names = self.vocabulary(&format!("{DERIVA_ML}:Feature_Name"))?;
        match self.term(&names, name)? {
            Some(term) if term == name => Ok(()),
            _ => self.insert_term(&names, name, comment, &[]).map(drop),
        }
    }

    fn target(&self, name: &str) -> Result<Table, CatalogError> {
        let table = self.table(name)?;
        let execution = table.schema_name == DERIVA_ML && table.table_name == "Execution";
        // Columns of a feature's table are called after the tables that they refer to.
        let taken = ["Execution", "Feature_Name"].contains(&table.table_name.as_str())
            || SYSTEM_COLUMNS.contains(&table.table_name.as_str());
        if execution || taken || table.is_vocabulary() {
            return Err(CatalogError::NoTarget(table.table_name));
        }
        Ok(table)
    }

    fn assets(&self, name: &str) -> Result<Table, CatalogError> {
        let table = self.table(name)?;
        match table.asset_form() {
            Some(_) => Ok(table),
            None => Err(CatalogError::NotAnAssetTable(table.table_name)),
        }
    }
}

impl Catalog {
    /// The features of a table, or of all, in the model's order.
    pub fn features(&self, target: Option<&str>) -> Result<Vec<FeatureSummary>, CatalogError> {
        let model = self.model()?;
        let features = match target {
            Some(target) => model.features_of(find_table(&model, target)?),
            None => model.features(),
        };
        features.iter().map(|feature| self.feature_summary(&model, FeatureInfo::of(feature))).collect()
    }

    /// A feature as it was at a moment, by its name or by its table's.
    pub fn feature(&self, target: &str, name: &str, at: &Moment) -> Result<FeatureInfo, CatalogError> {
        let model = self.model_at(self.number_at(at)?)?;
        find_feature(&model, target, name)
    }

    fn feature_summary(&self, model: &Model, feature: FeatureInfo) -> Result<FeatureSummary, CatalogError> {
        let table = model.table(&feature.table.schema_name, &feature.table.table_name);
        let rows = super::read::rows_now(table.unwrap_or(&feature.table), &self.aliases()?);
        let distinct = |column: &str| format!("count(DISTINCT {})", quoted(column));
        let sql = format!(
            "SELECT count(*), {}, {} FROM ({rows})",
            distinct(&feature.target_column),
            distinct(&feature.execution_column)
        );
        let counts = self.connection.query_row(&sql, (), |row| {
            Ok([row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?].map(i64::unsigned_abs))
        });
        let [values, targets, executions] = counts.map_err(|e| self.fail(e))?;
        Ok(FeatureSummary { feature, values, targets, executions })
    }
}

#[cfg(test)]
mod tests;
