//! Datasets within datasets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::sql::{literal, quoted};
use super::super::{Catalog, CatalogError, Change};
use super::View;
use super::view::NOW;
use crate::model::Rid;
use crate::tabular::Value;
use crate::version::{DatasetName, DatasetVersion};

const NESTED: &str = "Dataset_Dataset";

/// A dataset in another, or around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NestedDataset {
    /// Its name, if it has one.
    pub name: Option<DatasetName>,
    /// Its id.
    pub rid: Rid,
    /// Its newest released version.
    pub version: Option<DatasetVersion>,
    /// Whether it is deleted.
    pub deleted: bool,
}

impl NestedDataset {
    /// What people call it: its name, else its RID.
    #[must_use]
    pub fn called(&self) -> String {
        self.name.as_ref().map_or_else(|| self.rid.to_string(), ToString::to_string)
    }
}

impl Catalog {
    /// Nests datasets, found by name or RID, in another. Refused where that would close a circle. Returns how many are new
    /// there, and how many were nested in it before.
    pub fn nest_datasets(
        &mut self,
        parent: &DatasetName,
        children: &[String],
    ) -> Result<(u64, u64), CatalogError> {
        self.change(&format!("dbag dataset nest {parent} {}", children.join(" ")), |change| {
            let outer = change.view().living(parent)?;
            let mut nested = 0;
            for called in children {
                let child = change.view().find(called)?;
                nested += u64::from(change.nest(&outer, &child)?);
            }
            Ok((nested, children.len() as u64 - nested))
        })
    }

    /// Takes nested datasets, found by name or RID, out of another. They stay what they are. Returns how many were taken out,
    /// and how many were not nested in it.
    pub fn unnest_datasets(
        &mut self,
        parent: &DatasetName,
        children: &[String],
    ) -> Result<(u64, u64), CatalogError> {
        self.change(&format!("dbag dataset unnest {parent} {}", children.join(" ")), |change| {
            let outer = change.view().living(parent)?;
            let mut taken = 0;
            for called in children {
                let child = change.view().find(called)?;
                taken += u64::from(change.unnest(&outer, &child)?);
            }
            Ok((taken, children.len() as u64 - taken))
        })
    }
}

impl View<'_> {
    /// The RIDs of the datasets that were nested in one after transaction `number`.
    pub(super) fn child_rids(&self, dataset: &Rid, number: i64) -> Result<Vec<Rid>, CatalogError> {
        self.rids(self.linked(NESTED, ("Dataset", dataset.as_str()), number))
    }

    fn rids(&self, sql: Option<String>) -> Result<Vec<Rid>, CatalogError> {
        let Some(sql) = sql else { return Ok(Vec::new()) };
        let parse = |rid: String| {
            Rid::parse(&rid).ok_or_else(|| self.corrupt(format!("a dataset has the RID {rid:?}")))
        };
        self.texts(&sql, ())?.into_iter().map(parse).collect()
    }

    /// The datasets that were nested in one after transaction `number`, with the versions that they had then, by name.
    pub(super) fn children(&self, dataset: &Rid, number: i64) -> Result<Vec<NestedDataset>, CatalogError> {
        self.described(self.child_rids(dataset, number)?, number)
    }

    /// The datasets that one is nested in.
    pub(super) fn parents(&self, dataset: &Rid) -> Result<Vec<NestedDataset>, CatalogError> {
        self.described(self.rids(self.linked(NESTED, ("Nested_Dataset", dataset.as_str()), NOW))?, NOW)
    }

    fn described(&self, rids: Vec<Rid>, number: i64) -> Result<Vec<NestedDataset>, CatalogError> {
        let describe = |rid: Rid| {
            let mut versions = self.versions(&rid)?.into_iter();
            Ok(NestedDataset {
                name: self.name_of(rid.as_str())?,
                version: versions.rfind(|version| version.number <= number).map(|version| version.version),
                deleted: self.is_deleted(&rid)?,
                rid,
            })
        };
        let mut found = rids.into_iter().map(describe).collect::<Result<Vec<_>, CatalogError>>()?;
        found.sort_by_key(NestedDataset::called);
        Ok(found)
    }

    /// A dataset, and all that were nested in it at any depth after transaction `number`, each once and after one that it
    /// is nested in.
    pub(in crate::catalog) fn family(&self, dataset: &Rid, number: i64) -> Result<Vec<Rid>, CatalogError> {
        let mut all = vec![dataset.clone()];
        let mut seen = BTreeSet::from([dataset.clone()]);
        let mut next = 0;
        while let Some(parent) = all.get(next).cloned() {
            let children = self.child_rids(&parent, number)?;
            all.extend(children.into_iter().filter(|child| seen.insert(child.clone())));
            next += 1;
        }
        Ok(all)
    }

    /// A dataset alone, or with all that are nested in it now.
    pub(super) fn with_nested(&self, dataset: &Rid, recurse: bool) -> Result<Vec<Rid>, CatalogError> {
        if recurse { self.family(dataset, NOW) } else { Ok(vec![dataset.clone()]) }
    }

    /// The way down from a dataset to one that is nested in it, both ends included.
    fn way_down(&self, from: &Rid, to: &Rid) -> Result<Option<Vec<Rid>>, CatalogError> {
        let mut above: BTreeMap<Rid, Option<Rid>> = BTreeMap::from([(from.clone(), None)]);
        let mut queue = VecDeque::from([from.clone()]);
        while let Some(at) = queue.pop_front() {
            if at == *to {
                let mut way = vec![at];
                while let Some(Some(parent)) = way.last().and_then(|last| above.get(last)) {
                    way.push(parent.clone());
                }
                way.reverse();
                return Ok(Some(way));
            }
            for child in self.child_rids(&at, NOW)? {
                if !above.contains_key(&child) {
                    above.insert(child.clone(), Some(at.clone()));
                    queue.push_back(child);
                }
            }
        }
        Ok(None)
    }
}

impl Change<'_> {
    /// Nests a dataset in another; false where it is nested in it already.
    pub fn nest(&mut self, parent: &Rid, child: &Rid) -> Result<bool, CatalogError> {
        let view = self.view();
        view.check_living(child)?;
        if view.child_rids(parent, NOW)?.contains(child) {
            return Ok(false);
        }
        if let Some(way) = view.way_down(child, parent)? {
            let mut names: Vec<String> = vec![view.called(parent.as_str())?];
            for rid in &way {
                names.push(view.called(rid.as_str())?);
            }
            return Err(CatalogError::NestedInItself(names.join(" > ")));
        }
        let table = self.table(&format!("deriva-ml:{NESTED}"))?;
        let writer = self.writer(&table)?;
        let text = |rid: &Rid| Value::Text(rid.to_string());
        self.insert(&writer, &writer.row(&[("Dataset", text(parent)), ("Nested_Dataset", text(child))]))?;
        Ok(true)
    }

    pub(super) fn unnest(&mut self, parent: &Rid, child: &Rid) -> Result<bool, CatalogError> {
        let table = self.table(&format!("deriva-ml:{NESTED}"))?;
        let condition = format!(
            "{} = {} AND {} = {}",
            quoted("Dataset"),
            literal(parent.as_str()),
            quoted("Nested_Dataset"),
            literal(child.as_str())
        );
        let rows = self.rids_where(&table, Some(&condition))?;
        rows.iter().try_for_each(|row| self.delete(&table, row))?;
        Ok(!rows.is_empty())
    }
}
