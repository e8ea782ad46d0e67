//! A project that is trained with datasets: `dbag.toml` says which versions will do, `dbag.lock` which one it is.
//!
//! Owns both files' places and how a requirement becomes a locked version; their forms are `version::lock`'s. Works without
//! a network: a version is looked for in a workspace, or in a bag at a path.

mod materialize;
mod source;

use std::io::Write;
use std::path::{Path, PathBuf};

use super::OpenError;
use crate::bag::{BagError, Progress};
use crate::catalog::CatalogError;
use crate::export::ExportError;
use crate::ingest::IngestError;
use crate::materialize::MaterializeError;
use crate::version::lock::{LockError, Locked, Wanted, lock_text, parse_lock, parse_wanted, with_wanted};
use crate::version::{DatasetName, DatasetVersion, Requirement, VersionRef};

const WANTED: &str = "dbag.toml";
const LOCK: &str = "dbag.lock";
/// Both are pages of text. What is longer is something else.
const LONGEST: u64 = 16 << 20;

/// Why a project's datasets could not be locked, checked or had.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum LockingError {
    #[error("there is no dbag.toml in {0} or above it")]
    NoProject(PathBuf),
    #[error("{0} is too long to be what its name says")]
    TooLong(PathBuf),
    #[error("{0} is not UTF-8")]
    NotText(PathBuf),
    #[error("{path} asks for no dataset {name}; it asks for {}", if known.is_empty() { "none".into() } else { known.join(", ") })]
    NotWanted { path: PathBuf, name: DatasetName, known: Vec<String> },
    #[error("{path} has no dataset {name}")]
    NotLocked { path: PathBuf, name: DatasetName },
    #[error("there is nothing to look for {0} in: no workspace is here, and no bag is named")]
    NoSource(Requirement),
    #[error(
        "the bag of {requirement} at {url} is not here, nor a workspace that has it; name the path of a copy"
    )]
    RemoteBag { requirement: Requirement, url: String },
    #[error("{path} does not say which version of which dataset it is")]
    NoVersion { path: PathBuf },
    #[error("{path} is a bag of {found}, and {requirement} is asked for")]
    OtherVersion { path: PathBuf, found: String, requirement: String },
    #[error(
        "{0} is nowhere: neither where dbag.lock says, nor among the bags known here, nor in a workspace"
    )]
    Nowhere(VersionRef),
    #[error(
        "dbag.lock has no digest of {0}, so that nothing can tell whether it is the same; dbag lock update"
    )]
    NoDigest(VersionRef),
    #[error(transparent)]
    Differs(Box<Mismatch>),
    #[error(transparent)]
    Form(#[from] LockError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    Ingest(#[from] IngestError),
    #[error(transparent)]
    Materialize(#[from] MaterializeError),
    #[error(transparent)]
    Bag(#[from] BagError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A bag that is not what was locked.
#[derive(Debug, thiserror::Error)]
#[error("{bag} is not the {reference} of dbag.lock: its {what} is {found}, and {locked} is locked")]
#[allow(missing_docs)]
pub struct Mismatch {
    pub bag: String,
    pub reference: VersionRef,
    pub what: &'static str,
    pub found: String,
    pub locked: String,
}

/// The folder of a `dbag.toml`.
#[derive(Debug, Clone)]
pub struct Project {
    folder: PathBuf,
    /// The workspace to look in where `dbag.toml` names none.
    workspace: Option<PathBuf>,
}

/// A dataset that was locked anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relocked {
    /// What was locked.
    pub was: Option<Locked>,
    /// What is locked now; `None` where it is not asked for any more.
    pub is: Option<Locked>,
}

/// Something that is not as `dbag.lock` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The dataset.
    pub name: DatasetName,
    /// What is different, as the rest of a sentence.
    pub what: String,
}

impl Project {
    /// The project of the folder `here`, or of the nearest one above it that has a `dbag.toml`.
    pub fn find(here: &Path, workspace: Option<PathBuf>) -> Result<Self, LockingError> {
        let absolute = std::path::absolute(here)?;
        let found = absolute.ancestors().find(|folder| folder.join(WANTED).is_file());
        let folder = found.map(Path::to_owned).ok_or(LockingError::NoProject(absolute.clone()))?;
        Ok(Self { folder, workspace })
    }

    /// The same, or where there is none the one that `here` will be.
    pub fn find_or_make(here: &Path, workspace: Option<PathBuf>) -> Result<Self, LockingError> {
        match Self::find(here, workspace.clone()) {
            Err(LockingError::NoProject(folder)) => Ok(Self { folder, workspace }),
            other => other,
        }
    }

    /// The folder of `dbag.toml`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What `dbag.toml` asks for, by name.
    pub fn wanted(&self) -> Result<Vec<Wanted>, LockingError> {
        let path = self.folder.join(WANTED);
        Ok(parse_wanted(&read(&path)?.unwrap_or_default(), &path)?)
    }

    /// What `dbag.lock` says, by name; nothing where there is none.
    pub fn locked(&self) -> Result<Vec<Locked>, LockingError> {
        let path = self.folder.join(LOCK);
        let Some(text) = read(&path)? else { return Ok(Vec::new()) };
        Ok(parse_lock(&text, &path)?)
    }

    /// Asks for a dataset in `dbag.toml`, and locks the newest version that will do.
    pub fn add(&self, wanted: &Wanted, progress: &dyn Progress) -> Result<Locked, LockingError> {
        let path = self.folder.join(WANTED);
        let text = with_wanted(&read(&path)?.unwrap_or_default(), &path, wanted)?;
        let mut all = self.locked()?;
        let locked = self.resolve(wanted, progress)?;
        all.retain(|other| other.name != locked.name);
        all.push(locked.clone());
        write(&path, &text)?;
        write(&self.folder.join(LOCK), &lock_text(&all))?;
        Ok(locked)
    }

    /// Locks the newest versions that will do of these datasets, or of all. Those not asked for any more go with all.
    pub fn update(
        &self,
        names: &[DatasetName],
        progress: &dyn Progress,
    ) -> Result<Vec<Relocked>, LockingError> {
        let (wanted, mut locked) = (self.wanted()?, self.locked()?);
        let mut changes = Vec::new();
        for one in self.chosen(&wanted, names)? {
            let mut is = self.resolve(one, progress)?;
            let was = locked.iter().position(|other| other.name == is.name).map(|at| locked.remove(at));
            // That the same bag lies somewhere else too is no news.
            if let Some(was) =
                was.as_ref().filter(|was| Locked { bag: is.bag.clone(), ..(*was).clone() } == is)
                && one.bag.is_none()
            {
                is.bag.clone_from(&was.bag);
            }
            changes.push(Relocked { was, is: Some(is) });
        }
        let gone = |one: &mut Locked| names.is_empty() && !wanted.iter().any(|other| other.name == one.name);
        changes.extend(locked.extract_if(.., gone).map(|was| Relocked { was: Some(was), is: None }));
        locked.extend(changes.iter().filter_map(|change| change.is.clone()));
        write(&self.folder.join(LOCK), &lock_text(&locked))?;
        Ok(changes)
    }

    fn chosen<'w>(
        &self,
        wanted: &'w [Wanted],
        names: &[DatasetName],
    ) -> Result<Vec<&'w Wanted>, LockingError> {
        if names.is_empty() {
            return Ok(wanted.iter().collect());
        }
        let find = |name: &DatasetName| {
            wanted.iter().find(|one| one.name == *name).ok_or_else(|| LockingError::NotWanted {
                path: self.folder.join(WANTED),
                name: name.clone(),
                known: wanted.iter().map(|one| one.name.to_string()).collect(),
            })
        };
        names.iter().map(find).collect()
    }

    /// What is not as it should be: requirements without a locked version, or with one that will not do, what is locked and
    /// not asked for, and bags and workspaces at hand that have something else by the locked name.
    pub fn check(&self, progress: &dyn Progress) -> Result<Vec<Difference>, LockingError> {
        let (wanted, locked) = (self.wanted()?, self.locked()?);
        let mut differences = Vec::new();
        let mut add = |name: &DatasetName, what: String| {
            differences.push(Difference { name: name.clone(), what });
        };
        for one in &wanted {
            let Some(found) = locked.iter().find(|other| other.name == one.name) else {
                add(&one.name, "is asked for, and not locked".into());
                continue;
            };
            if !one.range.matches(&found.version) {
                add(&one.name, format!("is locked at {}, and {} is asked for", found.version, one.range));
            }
            for what in self.differs(one, found, progress)? {
                add(&one.name, what);
            }
        }
        for one in locked.iter().filter(|one| !wanted.iter().any(|other| other.name == one.name)) {
            add(&one.name, "is locked, and not asked for".into());
        }
        Ok(differences)
    }
}

fn reference(locked: &Locked) -> VersionRef {
    let version: DatasetVersion = locked.version.clone();
    VersionRef { name: locked.name.clone(), version }
}

/// A file's text, if it is there.
fn read(path: &Path) -> Result<Option<String>, LockingError> {
    let about = match fs_err::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        about => about?,
    };
    if about.len() > LONGEST {
        return Err(LockingError::TooLong(path.to_owned()));
    }
    let text = String::from_utf8(fs_err::read(path)?);
    text.map(Some).map_err(|_| LockingError::NotText(path.to_owned()))
}

/// Writes a file whole or not at all.
fn write(path: &Path, text: &str) -> Result<(), LockingError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.prefix(".dbag-").suffix(".partial").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
