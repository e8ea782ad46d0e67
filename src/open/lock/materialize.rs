//! The bags that `dbag.lock` names, made whole: from where it says, from another place on this machine, or cut anew.

use std::path::PathBuf;

use super::source::{Identity, cut_aside};
use super::{LOCK, LockingError, Mismatch, Project, reference};
use crate::bag::{Bag, Progress};
use crate::cache::Cache;
use crate::catalog::Clock;
use crate::materialize::{MaterializeOptions, MaterializeReport, materialize};
use crate::open::Workspace;
use crate::version::DatasetName;
use crate::version::lock::{Locked, Wanted};

/// Where the bag of a locked version is.
struct Found {
    /// A path or a URL.
    from: String,
    /// A bag that was cut for this goes when this does.
    _cut: Option<tempfile::TempDir>,
}

impl Found {
    fn at(from: impl Into<String>) -> Self {
        Self { from: from.into(), _cut: None }
    }
}

impl Project {
    /// Materializes what `dbag.lock` says of these datasets, or of all; several go into folders of their names. A bag that is
    /// not what was locked is an error.
    pub fn materialize(
        &self,
        names: &[DatasetName],
        options: &MaterializeOptions,
        progress: &dyn Progress,
    ) -> Result<Vec<(Locked, MaterializeReport)>, LockingError> {
        let (wanted, all) = (self.wanted()?, self.locked()?);
        let mut chosen: Vec<&Locked> = Vec::new();
        for name in names {
            let found = all.iter().find(|locked| locked.name == *name).ok_or_else(|| {
                LockingError::NotLocked { path: self.folder().join(LOCK), name: name.clone() }
            })?;
            chosen.push(found);
        }
        if names.is_empty() {
            // What is asked for and not locked would be missed in silence.
            let missing = wanted.iter().find(|one| !all.iter().any(|locked| locked.name == one.name));
            if let Some(Wanted { name, .. }) = missing {
                let path = self.folder().join(LOCK);
                return Err(LockingError::NotLocked { path, name: name.clone() });
            }
            chosen = all.iter().collect();
        }
        let several = chosen.len() > 1;
        let one = |locked: &Locked| {
            let to = options.to.as_ref();
            let to = to.map(|to| if several { to.join(locked.name.as_str()) } else { to.clone() });
            let options = MaterializeOptions { to, ..options.clone() };
            let wanted = wanted.iter().find(|one| one.name == locked.name);
            Ok((locked.clone(), self.materialize_one(locked, wanted, &options, progress)?))
        };
        chosen.into_iter().map(one).collect()
    }

    fn materialize_one(
        &self,
        locked: &Locked,
        wanted: Option<&Wanted>,
        options: &MaterializeOptions,
        progress: &dyn Progress,
    ) -> Result<MaterializeReport, LockingError> {
        if let Some(wanted) = wanted.filter(|wanted| !wanted.range.matches(&locked.version)) {
            let mismatch = Mismatch {
                bag: "what dbag.toml asks for".into(),
                reference: reference(locked),
                what: "requirement",
                found: wanted.range.to_string(),
                locked: locked.version.to_string(),
            };
            return Err(LockingError::Differs(Box::new(mismatch)));
        }
        if locked.content.is_none() {
            return Err(LockingError::NoDigest(reference(locked)));
        }
        let cache = options.cache.as_ref().map(|using| using.cache.as_ref());
        let found = self.locate(locked, wanted, cache, progress)?;
        let report = materialize(&found.from, options, progress)?;
        // What came from a URL is known by now only. An archive made of it is another one with the same content.
        if report.findings.is_empty() {
            let made = Identity { archive: None, ..Identity::of(&Bag::open(&report.bag)?, progress)? };
            agree(&made, locked, &report.bag.display().to_string())?;
        }
        Ok(report)
    }

    fn locate(
        &self,
        locked: &Locked,
        wanted: Option<&Wanted>,
        cache: Option<&Cache>,
        progress: &dyn Progress,
    ) -> Result<Found, LockingError> {
        if let Some(bag) = &locked.bag {
            let Some(path) = self.path_of(bag) else { return Ok(Found::at(bag)) };
            if path.exists() {
                agree(&Identity::of(&Bag::open(&path)?, progress)?, locked, &path.display().to_string())?;
                return Ok(Found::at(path.to_string_lossy()));
            }
        }
        if let Some(path) = cache.and_then(|cache| known(cache, locked, progress)) {
            return Ok(Found::at(path.to_string_lossy()));
        }
        let reference = reference(locked);
        let root = self.workspace_of(wanted).ok_or_else(|| LockingError::Nowhere(reference.clone()))?;
        let workspace = Workspace::open(&root, Clock::System)?;
        if locked.catalog.as_deref() != Some(workspace.catalog.id()) {
            return Err(LockingError::Nowhere(reference));
        }
        let (folder, identity, path) = cut_aside(&workspace, &reference, progress)?;
        agree(&identity, locked, &format!("the version in {}", root.display()))?;
        Ok(Found { from: path.to_string_lossy().into_owned(), _cut: Some(folder) })
    }
}

/// A bag known on this machine that has the locked content. One that can't be read is not it.
fn known(cache: &Cache, locked: &Locked, progress: &dyn Progress) -> Option<PathBuf> {
    let name = reference(locked).to_string();
    let bags = cache.bags().ok()?.into_iter();
    let mut named = bags.filter(|bag| !bag.is_gone() && bag.reference().as_deref() == Some(name.as_str()));
    let is_it = |path: &PathBuf| {
        let identity = Bag::open(path).ok().and_then(|bag| Identity::of(&bag, progress).ok());
        identity.is_some_and(|identity| identity.content.is_some() && identity.content == locked.content)
    };
    named.find_map(|bag| Some(bag.path).filter(&is_it))
}

fn agree(identity: &Identity, locked: &Locked, bag: &str) -> Result<(), LockingError> {
    match identity.other_than(locked) {
        None => Ok(()),
        Some((what, found, digest)) => {
            let (bag, reference) = (bag.to_owned(), reference(locked));
            Err(LockingError::Differs(Box::new(Mismatch { bag, reference, what, found, locked: digest })))
        }
    }
}
