//! The types of datasets: terms of `deriva-ml:Dataset_Type`.

use std::collections::BTreeSet;

use super::super::sql::{literal, quoted};
use super::super::{Catalog, CatalogError, Change};
use super::View;
use super::view::NOW;
use crate::model::Rid;
use crate::tabular::Value;
use crate::version::DatasetName;

const TYPES: &str = "Dataset_Dataset_Type";
const VOCABULARY: &str = "deriva-ml:Dataset_Type";

impl Catalog {
    /// Gives a dataset types and takes types away, by their names or synonyms. Returns how many were given and taken, and
    /// the types that it has then.
    pub fn change_types(
        &mut self,
        name: &DatasetName,
        add: &[String],
        remove: &[String],
    ) -> Result<(u64, u64, Vec<String>), CatalogError> {
        let flags = add.iter().map(|term| format!(" --add {term}"));
        let flags: String = flags.chain(remove.iter().map(|term| format!(" --remove {term}"))).collect();
        self.change(&format!("dbag dataset types {name}{flags}"), |change| {
            let rid = change.view().living(name)?;
            let added = change.add_types(&rid, add)?;
            let removed = change.remove_types(&rid, remove)?;
            Ok((added, removed, change.view().types(&rid)?))
        })
    }
}

impl View<'_> {
    /// The types that a dataset has, sorted.
    pub(super) fn types(&self, dataset: &Rid) -> Result<Vec<String>, CatalogError> {
        self.types_at(dataset, NOW).map(|types| types.into_iter().collect())
    }

    /// The types that a dataset had after a transaction.
    pub(in crate::catalog) fn types_at(
        &self,
        dataset: &Rid,
        number: i64,
    ) -> Result<BTreeSet<String>, CatalogError> {
        let sql = self.linked(TYPES, ("Dataset", dataset.as_str()), number);
        let types = sql.map_or(Ok(Vec::new()), |sql| self.texts(&sql, ()));
        types.map(|types| types.into_iter().collect())
    }
}

impl Change<'_> {
    /// Gives a dataset types; an unknown one is an error that names those that there are. Returns how many are new.
    pub fn add_types(&mut self, dataset: &Rid, types: &[String]) -> Result<u64, CatalogError> {
        let vocabulary = self.vocabulary(VOCABULARY)?;
        let writer = self.writer(&self.table(&format!("deriva-ml:{TYPES}"))?)?;
        let mut added = 0;
        for called in types {
            let term = self.known_term(&vocabulary, called)?;
            if !self.view().types(dataset)?.contains(&term) {
                let text = |text: &str| Value::Text(text.to_owned());
                let row = [("Dataset", text(dataset.as_str())), ("Dataset_Type", text(&term))];
                self.insert(&writer, &writer.row(&row))?;
                added += 1;
            }
        }
        Ok(added)
    }

    fn remove_types(&mut self, dataset: &Rid, types: &[String]) -> Result<u64, CatalogError> {
        let vocabulary = self.vocabulary(VOCABULARY)?;
        let table = self.table(&format!("deriva-ml:{TYPES}"))?;
        let mut removed = 0;
        for called in types {
            let term = self.known_term(&vocabulary, called)?;
            let condition = format!(
                "{} = {} AND {} = {}",
                quoted("Dataset"),
                literal(dataset.as_str()),
                quoted("Dataset_Type"),
                literal(&term)
            );
            for row in self.rids_where(&table, Some(&condition))? {
                self.delete(&table, &row)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Gives a dataset a type that a catalog may lack yet: the term is made where it is missing.
    pub(super) fn add_made_type(
        &mut self,
        dataset: &Rid,
        name: &str,
        description: &str,
    ) -> Result<(), CatalogError> {
        let vocabulary = self.vocabulary(VOCABULARY)?;
        if self.term(&vocabulary, name)?.is_none() {
            self.insert_term(&vocabulary, name, description, &[])?;
        }
        self.add_types(dataset, &[name.to_owned()]).map(drop)
    }
}
