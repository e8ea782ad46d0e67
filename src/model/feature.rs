//! Features: the tables in which executions say something about rows of a target table.

use super::kind::is_ml;
use super::{Column, DERIVA_ML, ForeignKey, Model, Table};

/// A column that refers to a table.
#[derive(Debug, Clone, Copy)]
pub struct Link<'m> {
    /// The column.
    pub column: &'m Column,
    /// The table that it refers to.
    pub table: &'m Table,
    /// That table's column: a term's Name today, its RID or ID in some older tables; an asset's RID.
    pub referenced: &'m str,
}

/// A feature. Every value is one row: by which execution, of which target row, and the values themselves.
#[derive(Debug, Clone)]
pub struct Feature<'m> {
    /// The table that holds the values.
    pub table: &'m Table,
    /// The feature's name: the default of the column that refers to `deriva-ml:Feature_Name`.
    pub name: Option<&'m str>,
    /// The table whose rows it is about.
    pub target: &'m Table,
    /// The column with the execution.
    pub execution_column: &'m str,
    /// The column with the feature's name.
    pub feature_name_column: &'m str,
    /// The column with the target row.
    pub target_column: &'m str,
    /// The values that are terms of a vocabulary.
    pub term_columns: Vec<Link<'m>>,
    /// The values that are files of an asset table.
    pub asset_columns: Vec<Link<'m>>,
    /// The other values.
    pub value_columns: Vec<&'m Column>,
    /// The columns that, with the target, say what a value is of: those of the key beyond execution, feature
    /// name and target. They are among the values too.
    pub qualifier_columns: Vec<&'m str>,
}

impl Model {
    /// The features, in the model's order.
    #[must_use]
    pub fn features(&self) -> Vec<Feature<'_>> {
        self.tables().filter_map(|table| self.feature(table)).collect()
    }

    /// The features of a target table.
    #[must_use]
    pub fn features_of(&self, target: &Table) -> Vec<Feature<'_>> {
        let name = target.qualified_name();
        self.features().into_iter().filter(|feature| feature.target.qualified_name() == name).collect()
    }

    /// A table as feature: an association that refers to an execution, a feature name and, in its key, to a
    /// third table that is no vocabulary, which is the target. Of several such tables the first is it.
    #[must_use]
    pub fn feature<'m>(&'m self, table: &'m Table) -> Option<Feature<'m>> {
        let to_ml = |name: &str| {
            let mut keys = table.foreign_keys.iter().filter(|key| key.refers_to(DERIVA_ML, name));
            keys.find_map(|key| key.single().map(|(column, _)| column))
        };
        let (execution_column, feature_name_column) = (to_ml("Execution")?, to_ml("Feature_Name")?);
        let association = table.association()?;
        let (target_column, target) = association.foreign_keys.iter().find_map(|key| self.target(key))?;
        let name = table.column(feature_name_column)?.default.as_ref().and_then(serde_json::Value::as_str);
        let fixed = [execution_column, feature_name_column, target_column];
        let mut feature = Feature {
            table,
            name,
            target,
            execution_column,
            feature_name_column,
            target_column,
            term_columns: Vec::new(),
            asset_columns: Vec::new(),
            value_columns: Vec::new(),
            qualifier_columns: Vec::new(),
        };
        let key = association.key.unique_columns.iter().map(String::as_str);
        feature.qualifier_columns = key.filter(|column| !fixed.contains(column)).collect();
        for column in table.own_columns().filter(|column| !fixed.contains(&column.name.as_str())) {
            match self.link(table, column) {
                Some(link) if link.table.is_vocabulary() => feature.term_columns.push(link),
                Some(link) if link.table.asset_form().is_some() => feature.asset_columns.push(link),
                _ => feature.value_columns.push(column),
            }
        }
        Some(feature)
    }

    fn target<'m>(&'m self, foreign_key: &'m ForeignKey) -> Option<(&'m str, &'m Table)> {
        let (column, _) = foreign_key.single()?;
        let table = self.referenced(foreign_key)?;
        (!is_ml(table, "Execution") && !table.is_vocabulary()).then_some((column, table))
    }

    /// What a column refers to by itself.
    #[must_use]
    pub fn link<'m>(&'m self, table: &'m Table, column: &'m Column) -> Option<Link<'m>> {
        table.foreign_keys.iter().find_map(|foreign_key| {
            let (from, referenced) = foreign_key.single()?;
            let to = self.referenced(foreign_key).filter(|_| from == column.name)?;
            Some(Link { column, table: to, referenced })
        })
    }
}
