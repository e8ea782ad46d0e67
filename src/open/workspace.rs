//! The workspace: a folder that holds `.dbag/`.
//!
//! ```text
//! .dbag/
//!   format           "dbag workspace 1"
//!   catalog.sqlite   tables, datasets, history
//!   objects/ab/abcd… the bytes of imported files, by SHA-256; no command ever evicts them
//!   spool/….json     rows that the next writer folds in
//!   writer           who writes, where machines share the file system
//! ```

use std::path::{Path, PathBuf};

use super::OpenError;
use crate::cache::ObjectStore;
use crate::catalog::{Catalog, Clock, CreateOptions, Spooled};

pub(super) const FOLDER: &str = ".dbag";
pub(super) const CATALOG: &str = "catalog.sqlite";
pub(super) const OBJECTS: &str = "objects";
pub(super) const FORMAT: &str = "dbag workspace 1";

/// Refuses the format of a folder `.dbag/` that this dbag does not know.
pub(super) fn check_format(folder: &Path) -> Result<(), OpenError> {
    let found = fs_err::read_to_string(folder.join("format"))?;
    if found.trim() == FORMAT {
        return Ok(());
    }
    let (found, known) = (found.trim().chars().take(60).collect(), FORMAT.to_owned());
    Err(OpenError::NewerFormat { path: folder.to_owned(), found, known })
}

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
        drop(Catalog::create(&built.join(CATALOG), options)?);
        fs_err::rename(&built, &folder).map_err(|error| {
            // Another process may have been faster.
            if folder.exists() { OpenError::WorkspaceExists(root.to_owned()) } else { OpenError::Io(error) }
        })?;
        Self::open(root, options.clock)
    }

    /// Opens the workspace of exactly this folder.
    pub fn open(root: &Path, clock: Clock) -> Result<Self, OpenError> {
        let folder = root.join(FOLDER);
        check_format(&folder)?;
        let catalog = Catalog::open(&folder.join(CATALOG), clock)?;
        Ok(Self { root: root.to_owned(), catalog, objects: ObjectStore::at(&folder.join(OBJECTS)) })
    }

    /// Opens the workspace of the folder `here` or of the nearest one above it.
    pub fn find(here: &Path) -> Result<Self, OpenError> {
        Self::open(&Self::locate(here)?, Clock::System)
    }

    /// Whether exactly this folder is a workspace.
    #[must_use]
    pub fn is_at(root: &Path) -> bool {
        root.join(FOLDER).join("format").is_file()
    }

    /// The folder of the workspace that `here` is in, without opening its catalog.
    pub fn locate(here: &Path) -> Result<PathBuf, OpenError> {
        let absolute = std::path::absolute(here)?;
        let found = absolute.ancestors().find(|folder| Self::is_at(folder));
        found.map(Path::to_owned).ok_or(OpenError::NoWorkspace(absolute.clone()))
    }

    /// The catalog's file in the workspace of exactly this folder.
    pub fn catalog_file(root: &Path) -> Result<PathBuf, OpenError> {
        let folder = root.join(FOLDER);
        check_format(&folder)?;
        Ok(folder.join(CATALOG))
    }

    /// Spools rows for the workspace of exactly this folder, without opening its catalog: the next writer folds them in.
    /// The path of the file.
    pub fn spool(root: &Path, spooled: &Spooled) -> Result<PathBuf, OpenError> {
        let folder = root.join(FOLDER);
        check_format(&folder)?;
        Ok(spooled.write(&folder)?)
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.root.join(FOLDER)
    }

    /// The folder that holds `.dbag/`.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
}
