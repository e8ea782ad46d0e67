//! From a requirement to a version with its digests: out of a bag at a path, or out of a workspace.

use std::path::{Path, PathBuf};

use super::{LockingError, Project, reference};
use crate::bag::{Algorithm, Bag, Digest, Progress, content_digest, hash_reader};
use crate::catalog::{Catalog, CatalogError, Clock, CutBag};
use crate::export::{ExportOptions, export};
use crate::ingest::dataset_of;
use crate::open::{OpenError, Workspace};
use crate::version::lock::{Locked, Wanted};
use crate::version::{Requirement, VersionRef};

/// The digests by which a bag is known again.
pub(super) struct Identity {
    pub content: Option<String>,
    /// `None` of a folder.
    pub archive: Option<String>,
}

impl Identity {
    pub(super) fn of(bag: &Bag, progress: &dyn Progress) -> Result<Self, LockingError> {
        let path = bag.container().location();
        let archive = if path.is_dir() { None } else { Some(sha256(path, progress)?.to_string()) };
        Ok(Self { content: content_digest(bag).map(|digest| digest.to_string()), archive })
    }

    /// What is otherwise than locked: which digest, what it is, and what it should be.
    pub(super) fn other_than(&self, locked: &Locked) -> Option<(&'static str, String, String)> {
        let pairs = [
            ("content", &self.content, &locked.content),
            ("archive's SHA-256", &self.archive, &locked.archive),
        ];
        pairs.into_iter().find_map(|(what, found, locked)| match (found, locked) {
            (Some(found), Some(locked)) if found != locked => Some((what, found.clone(), locked.clone())),
            _ => None,
        })
    }
}

fn sha256(path: &Path, progress: &dyn Progress) -> Result<Digest, LockingError> {
    let mut file = fs_err::File::open(path)?;
    let (_, digests) = hash_reader(&mut file, &[Algorithm::Sha256], &mut vec![0; 1 << 20], progress)?;
    Ok(digests[0])
}

/// Whether a bag's place is a path, and not a URL.
fn is_path(bag: &str) -> bool {
    !bag.contains("://")
}

impl Project {
    /// A bag's path as `dbag.toml` and `dbag.lock` have it: from their folder.
    pub(super) fn path_of(&self, bag: &str) -> Option<PathBuf> {
        is_path(bag).then(|| self.folder.join(bag))
    }

    /// The workspace in which a dataset is looked for, if it is here. Another one does not stand in for one that is named.
    pub(super) fn workspace_of(&self, wanted: Option<&Wanted>) -> Option<PathBuf> {
        let named = wanted.and_then(|wanted| wanted.workspace.as_ref()).map(|path| self.folder.join(path));
        match named.or_else(|| self.workspace.clone()) {
            Some(root) => Some(root).filter(|root| Workspace::is_at(root)),
            None => Workspace::locate(&self.folder).ok(),
        }
    }

    /// The newest version that will do.
    pub(super) fn resolve(&self, wanted: &Wanted, progress: &dyn Progress) -> Result<Locked, LockingError> {
        let requirement = Requirement { name: wanted.name.clone(), range: wanted.range.clone() };
        if let Some((bag, path)) = wanted.bag.as_ref().and_then(|bag| Some((bag, self.path_of(bag)?))) {
            return from_bag(&requirement, bag, &path, progress);
        }
        match (self.workspace_of(Some(wanted)), &wanted.bag) {
            (Some(root), bag) => self.in_workspace(&requirement, &root, bag.as_deref(), progress),
            (None, _) if wanted.workspace.is_some() => {
                let named = wanted.workspace.iter().map(|path| self.folder.join(path)).collect();
                Err(OpenError::NoWorkspace(named).into())
            }
            (None, Some(url)) => Err(LockingError::RemoteBag { requirement, url: url.clone() }),
            (None, None) => Err(LockingError::NoSource(requirement)),
        }
    }

    fn in_workspace(
        &self,
        requirement: &Requirement,
        root: &Path,
        url: Option<&str>,
        progress: &dyn Progress,
    ) -> Result<Locked, LockingError> {
        let workspace = Workspace::open(root, Clock::System)?;
        let catalog = &workspace.catalog;
        let reference = catalog.resolve(requirement)?;
        let (rid, version) = catalog.released(&reference)?;
        let cut = catalog.cut_bags(&rid, &reference.version)?.into_iter().find(CutBag::is_whole);
        let (identity, minid, place) = match cut {
            Some(cut) => {
                let place = cut.url.clone().or_else(|| self.place_of(cut.path.as_deref()?));
                let identity = Identity { content: Some(cut.content), archive: Some(cut.sha256) };
                (identity, cut.minid, place)
            }
            None => (cut_aside(&workspace, &reference, progress)?.1, None, None),
        };
        Ok(Locked {
            name: reference.name,
            version: reference.version,
            rid: Some(rid.to_string()),
            catalog: Some(catalog.id().to_owned()),
            snapshot: Some(version.snapshot.to_string()),
            content: identity.content,
            archive: identity.archive,
            minid,
            bag: url.map(str::to_owned).or(place),
        })
    }

    /// Where a bag is, as `dbag.lock` says it; one that is gone is nowhere.
    fn place_of(&self, path: &str) -> Option<String> {
        let path = Path::new(path);
        let below = path.strip_prefix(&self.folder).unwrap_or(path);
        path.exists().then(|| below.to_str().map(str::to_owned)).flatten()
    }

    /// What a bag and a workspace at hand have that is otherwise than locked.
    pub(super) fn differs(
        &self,
        wanted: &Wanted,
        locked: &Locked,
        progress: &dyn Progress,
    ) -> Result<Vec<String>, LockingError> {
        let mut differences = Vec::new();
        let path = locked.bag.as_ref().and_then(|bag| self.path_of(bag)).filter(|path| path.exists());
        if let Some(path) = path {
            let identity = Identity::of(&Bag::open(&path)?, progress)?;
            if let Some((what, found, locked)) = identity.other_than(locked) {
                differences.push(format!(
                    "is not the bag at {}: its {what} is {found}, and {locked} is locked",
                    path.display()
                ));
            }
        }
        if let Some(root) = self.workspace_of(Some(wanted)) {
            let catalog = Workspace::open(&root, Clock::System)?.catalog;
            differences.extend(differs_in(&catalog, &root, locked)?);
        }
        Ok(differences)
    }
}

/// What is otherwise in a workspace than locked. One of another catalog has no say.
fn differs_in(catalog: &Catalog, root: &Path, locked: &Locked) -> Result<Option<String>, LockingError> {
    if locked.catalog.as_deref() != Some(catalog.id()) {
        return Ok(None);
    }
    let (rid, version) = match catalog.released(&reference(locked)) {
        Ok(found) => found,
        Err(error @ (CatalogError::NoSuchDataset { .. } | CatalogError::NoSuchVersion { .. })) => {
            return Ok(Some(format!("is not in the workspace {}: {error}", root.display())));
        }
        Err(error) => return Err(error.into()),
    };
    let pairs = [
        ("RID", Some(rid.to_string()), &locked.rid),
        ("snapshot", Some(version.snapshot.to_string()), &locked.snapshot),
    ];
    let other = pairs.into_iter().find(|(_, found, locked)| locked.is_some() && found != *locked);
    Ok(other.map(|(what, found, locked)| {
        let (found, locked) = (found.unwrap_or_default(), locked.clone().unwrap_or_default());
        format!("has the {what} {found} in the workspace {}, and {locked} is locked", root.display())
    }))
}

fn from_bag(
    requirement: &Requirement,
    place: &str,
    path: &Path,
    progress: &dyn Progress,
) -> Result<Locked, LockingError> {
    let bag = Bag::open(path)?;
    let no_version = || LockingError::NoVersion { path: path.to_owned() };
    let dataset = dataset_of(&bag)?.ok_or_else(no_version)?;
    let version = dataset.version.as_ref().and_then(|label| label.parse().ok()).ok_or_else(no_version)?;
    // A bag of deriva-ml has no name, and is whatever it is called here.
    let is_called = dataset.name.as_deref().is_none_or(|name| name == requirement.name.as_str());
    if !is_called || !requirement.range.matches(&version) {
        let found = format!("{}@{version}", dataset.name.as_deref().unwrap_or(&dataset.rid));
        return Err(LockingError::OtherVersion {
            path: path.to_owned(),
            found,
            requirement: requirement.to_string(),
        });
    }
    let info = |label: &str| bag.info().get(label).map(str::to_owned);
    let identity = Identity::of(&bag, progress)?;
    Ok(Locked {
        name: requirement.name.clone(),
        version,
        rid: Some(dataset.rid),
        catalog: info("Dbag-Catalog"),
        snapshot: info("Dbag-Dataset-Snapshot").or(dataset.snapshot),
        content: identity.content,
        archive: identity.archive,
        minid: None,
        bag: Some(place.to_owned()),
    })
}

/// Cuts the bag of a version in a folder that goes with what is returned, and says by what it is known.
pub(super) fn cut_aside(
    workspace: &Workspace,
    reference: &VersionRef,
    progress: &dyn Progress,
) -> Result<(tempfile::TempDir, Identity, PathBuf), LockingError> {
    let folder = tempfile::Builder::new().prefix("dbag-lock-").tempdir()?;
    let output = folder.path().join(format!("{}-{}.zip", reference.name, reference.version));
    let options = ExportOptions { passing: true, ..ExportOptions::new(&output) };
    let bag = export(&workspace.catalog, &workspace.objects, reference, &options, progress)?.bag;
    let identity = Identity { content: Some(bag.content.to_string()), archive: Some(bag.sha256.to_string()) };
    Ok((folder, identity, output))
}
