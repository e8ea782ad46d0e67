//! From a name to the thing it names: the workspace around a folder, a bag at a path, a version `NAME@1.0.0`.
//!
//! Owns the workspace's layout and the order in which a reference is looked for: path first, then workspace; an
//! exact hit or an error, and two hits are an error that names both.

mod backup;
mod diff;
mod fixity;
mod fsck;
mod lock;
mod pin;
mod purge;
mod workspace;

use std::path::{Path, PathBuf};

pub use backup::{BackupOptions, BackupReport, RestoreReport};
pub use diff::{DiffOptions, EachRow, diff};
pub use fixity::{Fixity, FixityOptions, FixityReport, finding_document, verify_path};
pub use fsck::{FsckOptions, FsckReport};
pub use lock::{Difference, LockingError, Mismatch, Project, Relocked};
pub use pin::pin_bag;
pub use purge::PurgeReport;
pub use workspace::Workspace;

use crate::bag::{Bag, BagError};
use crate::cache::CacheError;
use crate::catalog::{Catalog, CatalogError, Moment, SelectOptions, TableSelection};
use crate::model::Model;
use crate::query::{Database, QueryError};
use crate::version::{DatasetName, Requirement};

/// Why a name led nowhere.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum OpenError {
    #[error("there is no dbag workspace in {0} or above it")]
    NoWorkspace(PathBuf),
    #[error("{0} is a dbag workspace already")]
    WorkspaceExists(PathBuf),
    #[error("{path} was made by a newer dbag ({found}; this one knows {known}); upgrade dbag to open it")]
    NewerFormat { path: PathBuf, found: String, known: String },
    #[error("{0:?} is neither a bag's path, nor a dataset, nor a version such as digits@1.0.0")]
    NothingNamed(String),
    #[error(
        "{name:?} is ambiguous: {path} is a path, and the workspace has a dataset or version of that name"
    )]
    Ambiguous { name: String, path: PathBuf },
    #[error("{name:?} is ambiguous: bags of that name are at {one} and at {other}; give a path")]
    TwoBags { name: String, one: PathBuf, other: PathBuf },
    #[error("neither has a table {table:?}; tables: {}", .tables.join(", "))]
    NoTable { table: String, tables: Vec<String> },
    #[error("{path} is a damaged backup: {reason}")]
    BadBackup { path: PathBuf, reason: String },
    #[error("{path} is damaged: {reason}")]
    Damaged { path: PathBuf, reason: String },
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Bag(#[from] BagError),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Opens as a database a bag's path, or from the workspace around `here` a dataset as it is (`digits`) or at a version
/// (`digits@1.0.0`, or the newest of `digits@^1`).
pub fn open_database(name: &str, here: &Path) -> Result<Database, OpenError> {
    let path = Path::new(name);
    if name.contains("://") {
        return Err(BagError::Remote.into());
    }
    let looks_like_a_path = name.contains(['/', '\\']) || name.to_ascii_lowercase().ends_with(".zip");
    if path.exists() {
        let also_named = !looks_like_a_path
            && Workspace::find(here).is_ok_and(|workspace| select(&workspace.catalog, name).is_ok());
        if also_named {
            return Err(OpenError::Ambiguous { name: name.to_owned(), path: path.to_owned() });
        }
        return Ok(Database::from_bag(&Bag::open(path)?)?);
    }
    if looks_like_a_path {
        return Err(BagError::NotFound(path.to_owned()).into());
    }
    if name.parse::<Requirement>().is_err() && name.parse::<DatasetName>().is_err() {
        return Err(OpenError::NothingNamed(name.to_owned()));
    }
    let catalog = Workspace::find(here)?.catalog;
    let (model, tables) = match select(&catalog, name) {
        Err(OpenError::Catalog(CatalogError::NoSuchDataset { .. })) if !name.contains('@') => {
            return Err(OpenError::NothingNamed(name.to_owned()));
        }
        other => other?,
    };
    Ok(Database::from_tables(catalog, &model, &tables)?)
}

/// What a dataset or a version holds.
fn select(catalog: &Catalog, name: &str) -> Result<(Model, Vec<TableSelection>), OpenError> {
    if let Ok(requirement) = name.parse::<Requirement>() {
        let selection = catalog.select_version(&catalog.resolve(&requirement)?, &SelectOptions::default())?;
        return Ok((selection.model, selection.tables));
    }
    let name = name.parse().map_err(|_| OpenError::NothingNamed(name.to_owned()))?;
    Ok(catalog.select_now(&name, &SelectOptions::default())?)
}

/// Opens the whole catalog of the workspace around `here` as it was at a moment.
pub fn open_moment(moment: &Moment, here: &Path) -> Result<Database, OpenError> {
    let catalog = Workspace::find(here)?.catalog;
    let (model, tables) = catalog.whole_at(moment)?;
    Ok(Database::from_tables(catalog, &model, &tables)?)
}
