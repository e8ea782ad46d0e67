//! The workspace: a folder that holds `.dbag/`.
//!
//! ```text
//! .dbag/
//!   format           "dbag workspace 1"
//!   catalog.sqlite   tables, datasets, history
//!   objects/ab/abcd… the bytes of imported files, by SHA-256; no command ever evicts them
//! ```

use std::path::{Path, PathBuf};

use super::OpenError;
use crate::cache::ObjectStore;
use crate::catalog::{Catalog, Clock, CreateOptions};

const FOLDER: &str = ".dbag";
const FORMAT: &str = "dbag workspace 1";

/// An open workspace.
pub struct Workspace {
    root: PathBuf,
    /// Its tables, datasets and history.
    pub catalog: Catalog,
    /// The bytes of its files.
    pub objects: ObjectStore,
}

impl Workspace {
    /// Makes a workspace of a folder, which is made too where it is not there.
    pub fn init(root: &Path, options: &CreateOptions) -> Result<Self, OpenError> {
        options.check()?;
        let folder = root.join(FOLDER);
        if folder.exists() {
            return Err(OpenError::WorkspaceExists(root.to_owned()));
        }
        fs_err::create_dir_all(root)?;
        // Built aside and renamed, so that a workspace is whole or not there.
        let temporary = tempfile::Builder::new().prefix(".dbag-").suffix(".partial").tempdir_in(root)?;
        let built = temporary.path().join("workspace");
        fs_err::create_dir(&built)?;
        fs_err::write(built.join("format"), format!("{FORMAT}\n"))?;
        drop(Catalog::create(&built.join("catalog.sqlite"), options)?);
        fs_err::rename(&built, &folder).map_err(|error| {
            // Another process may have been faster.
            if folder.exists() { OpenError::WorkspaceExists(root.to_owned()) } else { OpenError::Io(error) }
        })?;
        Self::open(root, options.clock)
    }

    /// Opens the workspace of exactly this folder.
    pub fn open(root: &Path, clock: Clock) -> Result<Self, OpenError> {
        let folder = root.join(FOLDER);
        let found = fs_err::read_to_string(folder.join("format"))?;
        if found.trim() != FORMAT {
            let (found, known) = (found.trim().chars().take(60).collect(), FORMAT.to_owned());
            return Err(OpenError::NewerFormat { path: folder, found, known });
        }
        let catalog = Catalog::open(&folder.join("catalog.sqlite"), clock)?;
        Ok(Self { root: root.to_owned(), catalog, objects: ObjectStore::at(&folder.join("objects")) })
    }

    /// Opens the workspace of the folder `here` or of the nearest one above it.
    pub fn find(here: &Path) -> Result<Self, OpenError> {
        let absolute = std::path::absolute(here)?;
        let found = absolute.ancestors().find(|folder| folder.join(FOLDER).join("format").is_file());
        Self::open(found.ok_or(OpenError::NoWorkspace(absolute.clone()))?, Clock::System)
    }

    /// The folder that holds `.dbag/`.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
}
