//! A bag copied out of its container into a folder: whole or not at all.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{Bag, BagError, BagPath, Code, Progress};

/// A temporary folder beside `target`, so that a rename ends the work.
pub fn temporary_beside(target: &Path) -> Result<tempfile::TempDir, BagError> {
    let parent = parent(target);
    fs_err::create_dir_all(&parent)?;
    Ok(tempfile::Builder::new().prefix(".dbag-").suffix(".partial").tempdir_in(&parent)?)
}

fn parent(target: &Path) -> PathBuf {
    target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// Copies every file of the bag to the new folder `target`, whatever the manifests say of them.
/// Links and other odd entries are refused before a byte is written; the folder appears by rename.
pub fn copy_container(bag: &Bag, target: &Path, progress: &dyn Progress) -> Result<(), BagError> {
    if let Some(odd) = bag.findings().iter().find(|finding| finding.code == Code::NotAFile) {
        return Err(BagError::Refused {
            path: bag.container().location().to_owned(),
            reason: odd.to_string(),
        });
    }
    refuse_clashes(bag)?;
    let temporary = temporary_beside(target)?;
    let root = temporary.path().join("bag");
    fs_err::create_dir_all(root.join("data"))?;
    progress.begin("unpacking", bag.files().len() as u64, bag.files().iter().map(|file| file.length).sum());
    let mut folders: Vec<PathBuf> =
        bag.files().iter().filter_map(|file| Some(file.path.below(&root).parent()?.to_owned())).collect();
    folders.dedup();
    folders.iter().try_for_each(fs_err::create_dir_all)?;
    let pool = rayon::ThreadPoolBuilder::new().build().map_err(io::Error::other)?;
    let done = pool
        .install(|| bag.files().par_iter().try_for_each(|file| copy_file(bag, &file.path, &root, progress)));
    progress.end();
    if progress.cancelled() {
        return Err(BagError::Interrupted);
    }
    done?;
    if target.exists() {
        // An empty folder may be filled; anything else in it stays untouched.
        fs_err::remove_dir(target).map_err(|_| BagError::Exists(target.to_owned()))?;
    }
    fs_err::rename(&root, target)?;
    Ok(())
}

/// Two names that one file system may take for the same file would overwrite each other.
fn refuse_clashes(bag: &Bag) -> Result<(), BagError> {
    let refuse = |reason| Err(BagError::Refused { path: bag.container().location().to_owned(), reason });
    for pair in bag.files().windows(2) {
        let (file, next) = (pair[0].path.as_str(), pair[1].path.as_str());
        if next.strip_prefix(file).is_some_and(|rest| rest.starts_with('/')) {
            return refuse(format!("{} is a file and a folder at once", pair[0].path));
        }
    }
    Ok(())
}

fn copy_file(bag: &Bag, path: &BagPath, root: &Path, progress: &dyn Progress) -> io::Result<()> {
    if progress.cancelled() {
        return Ok(());
    }
    let mut file = fs_err::File::create_new(path.below(root))?;
    bag.container().read(path, &mut |reader| {
        let length = io::copy(reader, &mut file)?;
        progress.bytes(length);
        file.flush()
    })?;
    progress.file();
    Ok(())
}
