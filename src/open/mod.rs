//! From a name to the thing it names: the workspace around a folder, a bag at a path, a version `NAME@1.0.0`.
//!
//! Owns the workspace's layout and the order in which a reference is looked for: path first, then workspace; an
//! exact hit or an error, and two hits are an error that names both.

mod fixity;
mod pin;
mod workspace;

use std::path::{Path, PathBuf};

pub use fixity::{Fixity, FixityOptions, FixityReport, finding_document, verify_path};
pub use pin::pin_bag;
pub use workspace::Workspace;

use crate::bag::{Bag, BagError};
use crate::cache::CacheError;
use crate::catalog::CatalogError;
use crate::query::{Database, QueryError};
use crate::version::VersionRef;

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
    #[error("{0:?} is neither a bag's path nor a version such as digits@1.0.0")]
    NothingNamed(String),
    #[error("{name:?} is ambiguous: {path} is a path, and the workspace has a version of that name")]
    Ambiguous { name: String, path: PathBuf },
    #[error("{name:?} is ambiguous: bags of that name are at {one} and at {other}; give a path")]
    TwoBags { name: String, one: PathBuf, other: PathBuf },
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

/// Opens a bag's path, or a version in the workspace around `here`, as a database.
pub fn open_database(name: &str, here: &Path) -> Result<Database, OpenError> {
    let path = Path::new(name);
    if name.contains("://") {
        return Err(BagError::Remote.into());
    }
    let reference: Option<VersionRef> = name.parse().ok();
    if path.exists() {
        if let Some(reference) = reference
            && Workspace::find(here)
                .is_ok_and(|workspace| workspace.catalog.select_version(&reference).is_ok())
        {
            return Err(OpenError::Ambiguous { name: name.to_owned(), path: path.to_owned() });
        }
        return Ok(Database::from_bag(&Bag::open(path)?)?);
    }
    let Some(reference) = reference else {
        let looks_like_a_path = name.contains(['/', '\\']) || name.to_ascii_lowercase().ends_with(".zip");
        return Err(if looks_like_a_path {
            BagError::NotFound(path.to_owned()).into()
        } else {
            OpenError::NothingNamed(name.to_owned())
        });
    };
    let workspace = Workspace::find(here)?;
    let selection = workspace.catalog.select_version(&reference)?;
    Ok(Database::from_version(workspace.catalog, &selection)?)
}
