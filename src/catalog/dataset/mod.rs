//! Datasets: made, filled, typed, nested, released, split, and what has drifted since the last release.

mod columns;
mod command;
mod drift;
mod facts;
mod label;
mod life;
mod log;
mod members;
mod nest;
mod release;
mod resolve;
mod split;
mod status;
mod types;
mod view;

#[cfg(test)]
mod tests;

pub use drift::Drift;
pub use log::{DatasetLog, LoggedVersion};
pub use members::{Member, Rows};
pub use nest::NestedDataset;
pub use release::{NestedVersion, Release, ReleaseAs, ReleaseOptions};
pub use split::{Draw, Made, SampleOptions, SplitOptions, SplitReport};
pub use status::DatasetStatus;
pub(super) use view::NOW;
pub(super) use view::View;

use super::{Catalog, CatalogError};
use crate::model::{Rid, Snapshot};
use crate::version::{DatasetName, DatasetVersion, Label};

/// A dataset in a list.
#[derive(Debug, Clone)]
pub struct DatasetSummary {
    /// Its name.
    pub name: DatasetName,
    /// Its id.
    pub rid: Rid,
    /// What it is.
    pub description: String,
    /// The terms of `Dataset_Type` that it has, sorted.
    pub types: Vec<String>,
    /// Whether it is deleted. Its name and its versions stay.
    pub deleted: bool,
    /// The newest released version.
    pub version: Option<DatasetVersion>,
    /// Its members now, without those of nested datasets.
    pub members: u64,
}

/// The members of one element type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberCount {
    /// The element table.
    pub table: String,
    /// How many of its rows are members.
    pub rows: u64,
}

/// A dataset in full.
#[derive(Debug, Clone)]
pub struct DatasetDetails {
    /// Name, id, description, newest version.
    pub summary: DatasetSummary,
    /// Its members now, by table.
    pub members: Vec<MemberCount>,
    /// The datasets nested in it.
    pub children: Vec<NestedDataset>,
    /// The datasets that it is nested in.
    pub parents: Vec<NestedDataset>,
    /// Its released versions, oldest first.
    pub versions: Vec<VersionDetails>,
    /// What it is called as it is; `None` before the first version.
    pub label: Option<Label>,
    /// What has changed since the newest version; `None` before the first.
    pub drift: Option<Drift>,
}

/// A released version.
#[derive(Debug, Clone)]
pub struct VersionDetails {
    /// The label.
    pub version: DatasetVersion,
    /// The snapshot that it stands for.
    pub snapshot: Snapshot,
    /// What was said of it.
    pub note: String,
    /// Who released it, or brought it in.
    pub actor: String,
    /// Whether it was released elsewhere, and came in a bag.
    pub adopted: bool,
    /// The datasets nested in it, with the versions that they had. None where the release did not note them.
    pub nested: Vec<NestedVersion>,
    /// The hash of the last change before it.
    pub log: Option<String>,
    /// The transaction that made it.
    pub(super) number: i64,
}

/// A dataset as it is, or at a released version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetRef {
    /// Its name.
    pub name: DatasetName,
    /// The version; `None` for the dataset as it is.
    pub version: Option<DatasetVersion>,
}

impl std::fmt::Display for DatasetRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{}@{version}", self.name),
            None => self.name.fmt(f),
        }
    }
}

impl Catalog {
    /// Every dataset that is not deleted, by name.
    pub fn datasets(&self) -> Result<Vec<DatasetSummary>, CatalogError> {
        Ok(self.all_datasets()?.into_iter().filter(|dataset| !dataset.deleted).collect())
    }

    /// Every dataset, by name; the deleted ones too.
    pub fn all_datasets(&self) -> Result<Vec<DatasetSummary>, CatalogError> {
        let view = self.view()?;
        view.names(true)?.iter().map(|name| view.summary(name)).collect()
    }

    /// All about one dataset.
    pub fn dataset_details(&self, name: &DatasetName) -> Result<DatasetDetails, CatalogError> {
        self.view()?.details(name)
    }

    /// The name of the dataset that is called so: by its name or its RID, exactly. A name that is another dataset's RID
    /// is refused.
    pub fn dataset_named(&self, called: &str) -> Result<DatasetName, CatalogError> {
        self.view()?.named(called)
    }
}
