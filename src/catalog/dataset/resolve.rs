//! From a requirement to the version that it stands for now.

use super::super::{Catalog, CatalogError};
use super::{DatasetRef, VersionDetails, View};
use crate::model::Rid;
use crate::version::{DatasetName, DatasetVersion, Requirement, VersionRange, VersionRef};

impl Catalog {
    /// The newest released version that a requirement allows.
    pub fn resolve(&self, requirement: &Requirement) -> Result<VersionRef, CatalogError> {
        let view = self.view()?;
        let rid = view.dataset_rid(&requirement.name)?;
        let version = view.newest(&requirement.name, &rid, &requirement.range)?;
        Ok(VersionRef { name: requirement.name.clone(), version })
    }

    /// The version that a text stands for: `NAME@1.0.0` exactly, or the newest of `NAME@^1.2` or `NAME@latest`.
    pub fn version_called(&self, text: &str) -> Result<VersionRef, CatalogError> {
        self.resolve(&text.parse()?)
    }

    /// What is known of a released version, and the dataset's RID.
    pub fn released(&self, reference: &VersionRef) -> Result<(Rid, VersionDetails), CatalogError> {
        let view = self.view()?;
        let rid = view.dataset_rid(&reference.name)?;
        let details = view.release(&reference.name, &rid, &reference.version)?;
        Ok((rid, details))
    }

    /// A dataset (by name or RID), or one of its versions as `NAME@VERSION` or `NAME@REQUIREMENT`.
    pub fn dataset_ref(&self, called: &str) -> Result<DatasetRef, CatalogError> {
        let Some((called, range)) = called.split_once('@') else {
            return Ok(DatasetRef { name: self.dataset_named(called)?, version: None });
        };
        let name = self.dataset_named(called)?;
        let VersionRef { name, version } = self.resolve(&Requirement { name, range: range.parse()? })?;
        Ok(DatasetRef { name, version: Some(version) })
    }
}

impl View<'_> {
    /// The newest version of a dataset in a range.
    pub(super) fn newest(
        &self,
        name: &DatasetName,
        rid: &Rid,
        range: &VersionRange,
    ) -> Result<DatasetVersion, CatalogError> {
        if let VersionRange::Exact(version) = range {
            return Ok(self.release(name, rid, version)?.version);
        }
        let versions = self.versions(rid)?;
        let found = range.newest(versions.iter().map(|details| &details.version));
        found.cloned().ok_or_else(|| CatalogError::NoVersionMatches {
            requirement: Requirement { name: name.clone(), range: range.clone() },
            versions: versions.iter().map(|details| details.version.to_string()).collect(),
        })
    }
}
