//! Datasets made, described, renamed, deleted and restored.

use std::collections::BTreeSet;

use super::super::{Catalog, CatalogError, Change};
use crate::model::Rid;
use crate::tabular::Value;
use crate::version::DatasetName;

impl Catalog {
    /// Makes an empty dataset.
    pub fn create_dataset(&mut self, name: &DatasetName, description: &str) -> Result<Rid, CatalogError> {
        self.create_typed_dataset(name, description, &[])
    }

    /// Makes an empty dataset that has these terms of `Dataset_Type`.
    pub fn create_typed_dataset(
        &mut self,
        name: &DatasetName,
        description: &str,
        types: &[String],
    ) -> Result<Rid, CatalogError> {
        let flags: String = types.iter().map(|name| format!(" --type {name}")).collect();
        self.change(&format!("dbag dataset create {name}{flags}"), |change| {
            let rid = change.create_dataset(name, description)?;
            change.add_types(&rid, types)?;
            Ok(rid)
        })
    }

    /// Says anew what a dataset is. False where it was said before.
    pub fn describe_dataset(&mut self, name: &DatasetName, description: &str) -> Result<bool, CatalogError> {
        self.change(&format!("dbag dataset describe {name}"), |change| {
            let rid = change.view().living(name)?;
            change.describe_dataset(&rid, description)
        })
    }

    /// Gives a dataset, found by its name or RID, another name. Names are not versioned: every version is known by the new
    /// one, so a dataset with releases is renamed only where `released`.
    pub fn rename_dataset(
        &mut self,
        called: &str,
        name: &DatasetName,
        released: bool,
    ) -> Result<Rid, CatalogError> {
        self.change(&format!("dbag dataset rename {called} {name}"), |change| {
            let view = change.view();
            let rid = view.find(called)?;
            view.check_living(&rid)?;
            if view.name_of(rid.as_str())?.as_ref() == Some(name) {
                return Ok(rid);
            }
            if let (Some(old), Some(last)) = (view.name_of(rid.as_str())?, view.versions(&rid)?.pop())
                && !released
            {
                return Err(CatalogError::KnownByName { name: old, version: last.version });
            }
            change.check_free(name)?;
            change.unname_dataset(&rid)?;
            change.name_dataset(name, &rid)?;
            Ok(rid)
        })
    }

    /// Marks a dataset as deleted; `recurse`: and all that are nested in it. Names, members and versions stay. Refused
    /// while one of them is nested in a dataset that stays. Returns what was marked.
    pub fn delete_dataset(&mut self, name: &DatasetName, recurse: bool) -> Result<Vec<String>, CatalogError> {
        let flag = if recurse { " --recurse" } else { "" };
        self.change(&format!("dbag dataset delete {name}{flag}"), |change| {
            let view = change.view();
            let rid = view.dataset_rid(name)?;
            let going = view.with_nested(&rid, recurse)?;
            let names: BTreeSet<&str> = going.iter().map(Rid::as_str).collect();
            for one in &going {
                let stay =
                    |parent: &super::NestedDataset| !parent.deleted && !names.contains(parent.rid.as_str());
                let parents: Vec<String> = view
                    .parents(one)?
                    .iter()
                    .filter(|parent| stay(parent))
                    .map(super::NestedDataset::called)
                    .collect();
                if !parents.is_empty() {
                    return Err(CatalogError::StillNested { name: view.called(one.as_str())?, parents });
                }
            }
            change.mark_deleted(&going, true)
        })
    }

    /// Takes a dataset's deletion back; `recurse`: and that of all that are nested in it. Returns what was restored.
    pub fn restore_dataset(
        &mut self,
        name: &DatasetName,
        recurse: bool,
    ) -> Result<Vec<String>, CatalogError> {
        let flag = if recurse { " --recurse" } else { "" };
        self.change(&format!("dbag dataset restore {name}{flag}"), |change| {
            let view = change.view();
            let coming = view.with_nested(&view.dataset_rid(name)?, recurse)?;
            change.mark_deleted(&coming, false)
        })
    }
}

impl Change<'_> {
    /// Makes an empty dataset. The name of a deleted one is still its own.
    pub fn create_dataset(&mut self, name: &DatasetName, description: &str) -> Result<Rid, CatalogError> {
        self.check_free(name)?;
        let table = self.table("deriva-ml:Dataset")?;
        let writer = self.writer(&table)?;
        let described = ("Description", Value::Text(description.to_owned()));
        let values = writer.row(&[described, ("Deleted", Value::Boolean(false))]);
        let rid = self.insert(&writer, &values)?;
        self.name_dataset(name, &rid)?;
        Ok(rid)
    }

    fn check_free(&self, name: &DatasetName) -> Result<(), CatalogError> {
        let view = self.view();
        match view.rid_of(name.as_str())? {
            None => Ok(()),
            Some(rid) if view.is_deleted(&rid)? => Err(CatalogError::DatasetDeleted(name.to_string())),
            Some(_) => Err(CatalogError::DatasetExists(name.clone())),
        }
    }

    fn describe_dataset(&mut self, rid: &Rid, description: &str) -> Result<bool, CatalogError> {
        self.set_if_other(rid, "Description", Value::Text(description.to_owned()))
    }

    fn mark_deleted(&mut self, rids: &[Rid], deleted: bool) -> Result<Vec<String>, CatalogError> {
        let mut marked = Vec::new();
        for rid in rids {
            if self.set_if_other(rid, "Deleted", Value::Boolean(deleted))? {
                marked.push(self.view().called(rid.as_str())?);
            }
        }
        Ok(marked)
    }

    /// Gives a column of a dataset's row a value; false where it has it.
    fn set_if_other(&mut self, rid: &Rid, column: &str, value: Value) -> Result<bool, CatalogError> {
        let table = self.table("deriva-ml:Dataset")?;
        let at = table.own_columns().position(|own| own.name == column);
        let old = self.own_values(&table, rid.as_str())?;
        let empty =
            matches!(&value, Value::Boolean(false)) || matches!(&value, Value::Text(text) if text.is_empty());
        let same =
            at.and_then(|at| old.get(at)).is_some_and(|old| *old == value || *old == Value::Null && empty);
        if same {
            return Ok(false);
        }
        let writer = self.writer(&table)?;
        self.set(&writer, rid.as_str(), &[(column, value)])?;
        Ok(true)
    }
}
