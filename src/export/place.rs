//! The file that a bag is written to: beside its place first, then renamed, so that it is whole or not there.

use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{ExportError, ExportOptions};
use crate::catalog::Catalog;

/// Refuses a file that must not be written. What the export reads is never written over.
pub(super) fn check(catalog: &Catalog, options: &ExportOptions) -> Result<(), ExportError> {
    let output = &options.output;
    if output.is_dir() {
        return Err(ExportError::IsAFolder(output.clone()));
    }
    let folder = existing(parent(output))?;
    let workspace = fs_err::canonicalize(parent(catalog.path()))?;
    if folder.starts_with(&workspace) {
        return Err(ExportError::InWorkspace(output.clone()));
    }
    if fs_err::symlink_metadata(output).is_err() {
        return Ok(());
    }
    if !options.force {
        return Err(ExportError::Exists(output.clone()));
    }
    let mut names = vec![std::path::absolute(output)?];
    names.extend(fs_err::canonicalize(output));
    for name in names {
        if catalog.is_in_place(&name.to_string_lossy())? {
            return Err(ExportError::OntoItself(output.clone()));
        }
    }
    Ok(())
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A folder, or the nearest one above it that is there.
fn existing(folder: &Path) -> Result<PathBuf, ExportError> {
    let absolute = std::path::absolute(folder)?;
    let there = absolute.ancestors().find_map(|folder| fs_err::canonicalize(folder).ok());
    Ok(there.unwrap_or(absolute))
}

/// A new file beside the place.
pub(super) fn beside(output: &Path) -> Result<NamedTempFile, ExportError> {
    let parent = parent(output);
    fs_err::create_dir_all(parent)?;
    Ok(tempfile::Builder::new().prefix(".dbag-").suffix(".partial").tempfile_in(parent)?)
}

/// Puts the finished file in its place.
pub(super) fn put(temporary: NamedTempFile, options: &ExportOptions) -> Result<(), ExportError> {
    temporary.as_file().sync_all()?;
    #[cfg(unix)]
    temporary.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    let placed = if options.force {
        temporary.persist(&options.output)
    } else {
        temporary.persist_noclobber(&options.output)
    };
    placed.map(drop).map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => ExportError::Exists(options.output.clone()),
        _ => ExportError::Io(error.error),
    })
}
