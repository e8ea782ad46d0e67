//! Releases: what a dataset holds becomes a version, and so do the datasets nested in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::chain::hash_of;
use super::super::{Catalog, CatalogError, Change};
use super::view::NOW;
use super::{MemberCount, NestedDataset, VersionDetails, View};
use crate::model::{Rid, Snapshot};
use crate::tabular::Value;
use crate::version::{Bump, DatasetName, DatasetVersion, PreRelease, VersionRef, propose};

/// How a release gets its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleaseAs {
    /// By raising that of the last one.
    Bump(Bump),
    /// It is this one, which must be greater than every other.
    Exact(DatasetVersion),
    /// By the rule of the bump, from what has changed since the last one. The first is 0.1.0.
    Proposed,
}

/// How to release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseOptions {
    /// How the release gets its number.
    pub version: ReleaseAs,
    /// Make it a pre-release, the first or next of this kind.
    pub pre: Option<PreRelease>,
    /// Release nested datasets first, where they were not since they changed last.
    pub with_nested: bool,
    /// Check and tell everything, and leave nothing.
    pub dry_run: bool,
}

impl From<ReleaseAs> for ReleaseOptions {
    fn from(version: ReleaseAs) -> Self {
        Self { version, pre: None, with_nested: false, dry_run: false }
    }
}

impl From<Bump> for ReleaseOptions {
    fn from(bump: Bump) -> Self {
        ReleaseAs::Bump(bump).into()
    }
}

impl ReleaseOptions {
    /// The same for a nested dataset. A number is of one dataset alone; others are then raised by their own changes.
    fn for_nested(&self) -> Self {
        let (version, pre) = match &self.version {
            ReleaseAs::Exact(exact) => (ReleaseAs::Proposed, exact.pre_release().map(|(kind, _)| kind)),
            other => (other.clone(), self.pre),
        };
        Self { version, pre, ..self.clone() }
    }
}

/// What a release made.
#[derive(Debug, Clone)]
pub struct Release {
    /// Name and version.
    pub reference: VersionRef,
    /// The dataset's id.
    pub rid: Rid,
    /// The snapshot that the version stands for.
    pub snapshot: Snapshot,
    /// The number that was raised, unless the version was given.
    pub bump: Option<Bump>,
    /// Why that one, where it was proposed.
    pub reasons: Vec<String>,
    /// The members that it holds, by table.
    pub members: Vec<MemberCount>,
    /// The datasets nested in it, with the versions that they have.
    pub children: Vec<NestedDataset>,
    /// The datasets that were released before it, with it, those nested deepest first.
    pub with: Vec<Release>,
    /// The hash of the last change before it, which stands for all of them.
    pub log: String,
}

/// A dataset nested in a released version, as it was called then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NestedVersion {
    /// Its id.
    pub rid: String,
    /// Its name then, if it had one.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
}

impl std::fmt::Display for NestedVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name.as_deref().unwrap_or(&self.rid))?;
        self.version.as_ref().map_or(Ok(()), |version| write!(f, "@{version}"))
    }
}

/// What is kept of a release beside the rows: `details` of `dbag_version`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Known {
    #[serde(default)]
    pub nested: Vec<NestedVersion>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

impl Known {
    fn of(children: &[NestedDataset], log: &str) -> Self {
        let nested = children.iter().map(|child| NestedVersion {
            rid: child.rid.to_string(),
            name: child.name.as_ref().map(ToString::to_string),
            version: child.version.as_ref().map(ToString::to_string),
        });
        Self { nested: nested.collect(), log: Some(log.to_owned()) }
    }
}

impl Catalog {
    /// Releases a dataset as it is: the version is this transaction's snapshot for ever. Refused where nothing has changed
    /// since the last one, unless that was its candidate.
    pub fn release_dataset(
        &mut self,
        name: &DatasetName,
        options: impl Into<ReleaseOptions>,
        note: &str,
    ) -> Result<Release, CatalogError> {
        let options = options.into();
        let (release, mut change) = self.begin(|change| {
            let rid = change.view().living(name)?;
            let with = change.release_nested(name, &rid, &options, note)?;
            let release = change.release(name, &rid, &options, note, &versions_of(&with))?;
            Ok::<_, CatalogError>(Release { with, ..release })
        })?;
        let command = format!("dbag release {name} {}", release.reference.version);
        if options.dry_run {
            change.finish(&command)?;
        } else {
            change.commit(&command)?;
        }
        Ok(release)
    }
}

impl Change<'_> {
    /// Releases the datasets nested in one that need it, or refuses where that is not asked for.
    fn release_nested(
        &mut self,
        name: &DatasetName,
        rid: &Rid,
        options: &ReleaseOptions,
        note: &str,
    ) -> Result<Vec<Release>, CatalogError> {
        let due = self.view().unreleased_within(rid)?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        if !options.with_nested {
            let nested = due.into_iter().map(|(_, why)| why).collect();
            return Err(CatalogError::NestedUnreleased { name: name.clone(), nested });
        }
        let (options, mut with, mut versions) = (options.for_nested(), Vec::new(), BTreeMap::new());
        for (rid, _) in due {
            let name = self.view().named(rid.as_str())?;
            let release = self.release(&name, &rid, &options, note, &versions)?;
            versions.insert(rid, release.reference.version.clone());
            with.push(release);
        }
        Ok(with)
    }

    /// Releases one dataset. `just_now` are the versions that this change has made of others, which no log tells yet.
    fn release(
        &mut self,
        name: &DatasetName,
        rid: &Rid,
        options: &ReleaseOptions,
        note: &str,
        just_now: &BTreeMap<Rid, DatasetVersion>,
    ) -> Result<Release, CatalogError> {
        let view = self.view();
        let members = view.member_counts(rid, NOW)?;
        let mut children = view.children(rid, NOW)?;
        for child in &mut children {
            child.version = just_now.get(&child.rid).cloned().or(child.version.take());
        }
        if members.is_empty() && children.is_empty() {
            return Err(CatalogError::NoMembers(name.clone()));
        }
        let Numbered { version, bump, reasons } = view.numbered(name, rid, options, &children)?;
        let log = hash_of(&self.transaction, self.number - 1).map_err(|e| self.fail(e))?;
        self.write_version(rid, &version, note, &Known::of(&children, &log))?;
        let reference = VersionRef { name: name.clone(), version };
        let snapshot = self.snapshot();
        let (rid, with) = (rid.clone(), Vec::new());
        Ok(Release { reference, rid, snapshot, bump, reasons, members, children, with, log })
    }

    fn write_version(
        &mut self,
        rid: &Rid,
        version: &DatasetVersion,
        note: &str,
        known: &Known,
    ) -> Result<(), CatalogError> {
        let text = |text: &str| Value::Text(text.to_owned());
        let writer = self.writer(&self.table("deriva-ml:Dataset_Version")?)?;
        let values = writer.row(&[
            ("Version", text(&version.to_string())),
            ("Description", text(note)),
            ("Dataset", text(rid.as_str())),
            ("Execution", text(self.execution().as_str())),
            ("Snapshot", text(&self.snapshot().to_string())),
        ]);
        let row = self.insert(&writer, &values)?;
        let details = serde_json::to_string(known)
            .map_err(|e| CatalogError::Corrupt { path: self.path.clone(), reason: e.to_string() })?;
        let sql = "INSERT INTO dbag_version (rid, number, adopted, details) VALUES (?, ?, 0, ?)";
        let pinned = self.transaction.execute(sql, (row.as_str(), self.number, details));
        pinned.map_err(|e| self.fail(e))?;
        let datasets = self.writer(&self.table("deriva-ml:Dataset")?)?;
        self.set(&datasets, rid.as_str(), &[("Version", text(row.as_str()))])
    }
}

fn versions_of(releases: &[Release]) -> BTreeMap<Rid, DatasetVersion> {
    releases.iter().map(|release| (release.rid.clone(), release.reference.version.clone())).collect()
}

/// A release's number, and why it is that.
struct Numbered {
    version: DatasetVersion,
    bump: Option<Bump>,
    reasons: Vec<String>,
}

impl View<'_> {
    /// The datasets nested in one at any depth, deepest first, that are not as they were released last, and how they are.
    fn unreleased_within(&self, dataset: &Rid) -> Result<Vec<(Rid, String)>, CatalogError> {
        let mut due = Vec::new();
        let within = self.inner_first(dataset)?;
        for rid in within.into_iter().filter(|rid| rid != dataset) {
            let called = self.called(rid.as_str())?;
            match self.versions(&rid)?.pop() {
                None => due.push((rid, format!("{called} was never released"))),
                Some(last) if self.drift(&rid, last.number)?.any() => {
                    due.push((rid, format!("{called} has changed since {}", last.version)));
                }
                Some(_) => {}
            }
        }
        Ok(due)
    }

    /// The number of a dataset's next release. Refused where nothing is new, and where it would go backwards.
    fn numbered(
        &self,
        name: &DatasetName,
        rid: &Rid,
        options: &ReleaseOptions,
        children: &[NestedDataset],
    ) -> Result<Numbered, CatalogError> {
        let (last, newest) = (self.versions(rid)?.pop(), self.newest_label(rid)?);
        let since = |last: &VersionDetails| {
            let drift = self.drift(rid, last.number)?;
            Ok::<_, CatalogError>((drift.any(), self.bump_facts(rid, last.number, children)?))
        };
        let facts = last.as_ref().map(since).transpose()?;
        let (bump, reasons) = match (&options.version, &facts) {
            (ReleaseAs::Exact(_), _) => (None, Vec::new()),
            (ReleaseAs::Bump(bump), _) => (Some(*bump), Vec::new()),
            (ReleaseAs::Proposed, None) => (Some(Bump::Minor), vec!["it is the first release".into()]),
            (ReleaseAs::Proposed, Some((_, facts))) => {
                let (bump, reasons) = propose(facts);
                (Some(bump), reasons)
            }
        };
        let version = match (&options.version, bump, options.pre) {
            (ReleaseAs::Exact(version), ..) => version.clone(),
            (_, bump, Some(kind)) => {
                DatasetVersion::next_pre(newest.as_ref(), bump.unwrap_or(Bump::Patch), kind)
            }
            (_, bump, None) => DatasetVersion::next(newest.as_ref(), bump.unwrap_or(Bump::Patch)),
        };
        if version.is_pre_release() && version.pre_release().is_none() {
            return Err(CatalogError::UnknownPreRelease(version));
        }
        if let Some(newest) = newest.filter(|newest| version <= *newest) {
            return Err(CatalogError::GoesBackwards { name: name.clone(), version, newest });
        }
        let promotes = |last: &VersionDetails| last.version != version && last.version.release() == version;
        if let (Some(last), Some((false, facts))) = (last, facts)
            && facts.is_empty()
            && !promotes(&last)
        {
            return Err(CatalogError::NothingToRelease { name: name.clone(), version: last.version });
        }
        Ok(Numbered { version, bump, reasons })
    }

    /// The greatest label of a release that is known of a dataset, those too whose rows are not here.
    fn newest_label(&self, rid: &Rid) -> Result<Option<DatasetVersion>, CatalogError> {
        let sql = "SELECT \"Version\" FROM main.\"deriva-ml:Dataset_Version\" \
                   WHERE \"Dataset\" = ? AND \"Version\" IS NOT NULL";
        let labels = self.texts(sql, [rid.as_str()])?;
        Ok(labels.iter().filter_map(|label| label.parse().ok()).max())
    }

    /// A dataset and all that are nested in it at any depth, each once and before those that it is nested in.
    fn inner_first(&self, dataset: &Rid) -> Result<Vec<Rid>, CatalogError> {
        let mut order = Vec::new();
        let mut seen = std::collections::BTreeSet::from([dataset.clone()]);
        let mut way = vec![(dataset.clone(), self.child_rids(dataset, NOW)?)];
        while let Some((rid, children)) = way.last_mut() {
            if let Some(child) = children.pop() {
                if seen.insert(child.clone()) {
                    let within = self.child_rids(&child, NOW)?;
                    way.push((child, within));
                }
            } else {
                order.push(rid.clone());
                way.pop();
            }
        }
        Ok(order)
    }

    /// The versions that nested datasets had after transaction `number`, by RID.
    pub(in crate::catalog) fn nested_versions(
        &self,
        dataset: &Rid,
        number: i64,
    ) -> Result<BTreeMap<Rid, Option<DatasetVersion>>, CatalogError> {
        let children = self.children(dataset, number)?;
        Ok(children.into_iter().map(|child| (child.rid, child.version)).collect())
    }
}
