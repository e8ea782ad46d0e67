//! Releases: what a dataset holds becomes a version.

use super::super::{Catalog, CatalogError};
use super::view::NOW;
use super::{MemberCount, NestedDataset};
use crate::model::{Rid, Snapshot};
use crate::tabular::Value;
use crate::version::{Bump, DatasetName, DatasetVersion, VersionRef};

/// What a release made.
#[derive(Debug, Clone)]
pub struct Release {
    /// Name and version.
    pub reference: VersionRef,
    /// The dataset's id.
    pub rid: Rid,
    /// The snapshot that the version stands for.
    pub snapshot: Snapshot,
    /// The members that it holds, by table.
    pub members: Vec<MemberCount>,
    /// The datasets nested in it, with the versions that they have.
    pub children: Vec<NestedDataset>,
}

impl Catalog {
    /// Releases a dataset as it is: the version is this transaction's snapshot for ever.
    pub fn release_dataset(
        &mut self,
        name: &DatasetName,
        bump: Bump,
        note: &str,
    ) -> Result<Release, CatalogError> {
        let (release, change) = self.begin(|change| {
            let view = change.view();
            let rid = view.living(name)?;
            let (members, children) = (view.member_counts(&rid, NOW)?, view.children(&rid, NOW)?);
            if members.is_empty() && children.is_empty() {
                return Err(CatalogError::NoMembers(name.clone()));
            }
            let last = view.versions(&rid)?.pop();
            if let Some(last) = &last
                && !view.drift(&rid, last.number)?.any()
            {
                return Err(CatalogError::NothingToRelease {
                    name: name.clone(),
                    version: last.version.clone(),
                });
            }
            let version = DatasetVersion::next(last.as_ref().map(|last| &last.version), bump);
            let snapshot = change.snapshot();
            let text = |text: &str| Value::Text(text.to_owned());
            let writer = change.writer(&change.table("deriva-ml:Dataset_Version")?)?;
            let values = writer.row(&[
                ("Version", text(&version.to_string())),
                ("Description", text(note)),
                ("Dataset", text(rid.as_str())),
                ("Execution", text(change.execution().as_str())),
                ("Snapshot", text(&snapshot.to_string())),
            ]);
            let row = change.insert(&writer, &values)?;
            change.pin_version(&row)?;
            let datasets = change.writer(&change.table("deriva-ml:Dataset")?)?;
            change.set(&datasets, rid.as_str(), &[("Version", text(row.as_str()))])?;
            let reference = VersionRef { name: name.clone(), version };
            Ok(Release { reference, rid, snapshot, members, children })
        })?;
        change.commit(&format!("dbag release {} {}", name, release.reference.version))?;
        Ok(release)
    }
}
