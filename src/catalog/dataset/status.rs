//! How a dataset is, beside its newest version.

use super::super::{Catalog, CatalogError};
use super::view::NOW;
use crate::diff::Diff;
use crate::model::Rid;
use crate::version::{Bump, DatasetName, DatasetVersion, Label, propose};

/// What has changed in a dataset since its newest version.
#[derive(Debug, Clone)]
pub struct DatasetStatus {
    /// Its name.
    pub name: DatasetName,
    /// Its id.
    pub rid: Rid,
    /// The newest version.
    pub last: Option<DatasetVersion>,
    /// What it is called now; `None` before the first release.
    pub label: Option<Label>,
    /// What differs from the newest version.
    pub drift: Option<Diff>,
    /// Rows that were withdrawn from the newest version.
    pub withdrawn: u64,
    /// The bump that the changes call for, and why.
    pub proposed: (Bump, Vec<String>),
    /// The version that a release with that bump would be.
    pub next: DatasetVersion,
}

impl DatasetStatus {
    /// Whether there is something to release.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.withdrawn > 0 || self.drift.as_ref().is_some_and(Diff::any)
    }
}

impl Catalog {
    /// What has changed in a dataset since its newest version.
    pub fn dataset_status(&self, name: &DatasetName) -> Result<DatasetStatus, CatalogError> {
        let view = self.view()?;
        let rid = view.dataset_rid(name)?;
        let Some(last) = view.versions(&rid)?.pop() else {
            let proposed = (Bump::Minor, vec!["it is the first release".to_owned()]);
            let next = DatasetVersion::next(None, Bump::Minor);
            let (last, label, drift) = (None, None, None);
            return Ok(DatasetStatus {
                name: name.clone(),
                rid,
                last,
                label,
                drift,
                withdrawn: 0,
                proposed,
                next,
            });
        };
        let drift = view.drift(&rid, last.number)?;
        let label = view.label_since(&rid, &last, &drift)?;
        let mut diff = view.diff_since(&rid, last.number)?;
        (diff.from, diff.to) = (format!("{name}@{}", last.version), name.to_string());
        let children = view.children(&rid, NOW)?;
        let proposed = propose(&view.bump_facts(&rid, last.number, &children)?);
        let next = DatasetVersion::next(Some(&last.version), proposed.0);
        Ok(DatasetStatus {
            name: name.clone(),
            rid,
            last: Some(last.version),
            label: Some(label),
            drift: Some(diff),
            withdrawn: drift.withdrawn,
            proposed,
            next,
        })
    }
}
