//! A dataset's versions, with what each holds.

use std::borrow::Cow;

use super::super::{Catalog, CatalogError};
use super::{MemberCount, VersionDetails, View};
use crate::model::Rid;
use crate::version::{DatasetName, Label};

/// The life of a dataset.
#[derive(Debug, Clone)]
pub struct DatasetLog {
    /// Its name.
    pub name: DatasetName,
    /// Its id.
    pub rid: Rid,
    /// What it is called as it is; `None` before the first release.
    pub label: Option<Label>,
    /// Its versions, newest first.
    pub versions: Vec<LoggedVersion>,
}

/// A version in a dataset's life.
#[derive(Debug, Clone)]
pub struct LoggedVersion {
    /// Label, snapshot, note, nested datasets.
    pub details: VersionDetails,
    /// Its members, by table.
    pub members: Vec<MemberCount>,
}

impl Catalog {
    /// The versions of a dataset, newest first, at most `limit`.
    pub fn dataset_log(&self, name: &DatasetName, limit: usize) -> Result<DatasetLog, CatalogError> {
        let label = self.label(name)?;
        let view = self.view()?;
        let rid = view.dataset_rid(name)?;
        let logged = |details: VersionDetails| {
            // Its tables may be gone by now.
            let then = View { model: Cow::Owned(view.model_at(details.number)?), ..self.view()? };
            let members = then.member_counts(&rid, details.number)?;
            Ok(LoggedVersion { details, members })
        };
        let versions = view.versions(&rid)?.into_iter().rev().take(limit);
        let versions = versions.map(logged).collect::<Result<_, CatalogError>>()?;
        Ok(DatasetLog { name: name.clone(), rid, label, versions })
    }
}
