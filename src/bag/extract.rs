//! A bag copied out of its container into a folder: whole or not at all.

use std::collections::HashSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::names::Alike;
use super::verify::files_that_are_folders;
use super::{Bag, BagError, BagFile, Code, Progress, with_pool};

/// A temporary folder beside `target`, so that a rename ends the work.
pub fn temporary_beside(target: &Path) -> Result<tempfile::TempDir, BagError> {
    let parent = parent(target);
    let make = || {
        fs_err::create_dir_all(&parent)?;
        tempfile::Builder::new().prefix(".dbag-").suffix(".partial").tempdir_in(&parent)
    };
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("nothing can be made in {}: {error}", parent.display()))
    };
    Ok(make().map_err(named)?)
}

fn parent(target: &Path) -> PathBuf {
    target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// Copies every file of the bag to the new folder `target`, whatever the manifests say of them.
/// Links and other odd entries, headers that disagree, and names that the file system would take for one another are
/// refused before a byte of the bag is written; the folder appears by rename.
pub fn copy_container(bag: &Bag, target: &Path, progress: &dyn Progress) -> Result<(), BagError> {
    if let Some(odd) = bag.findings().iter().find(|finding| finding.code == Code::NotAFile) {
        return Err(refused(bag, odd.to_string()));
    }
    bag.container().check(&bag.names)?;
    if let Some(file) = files_that_are_folders(bag).first() {
        return Err(refused(bag, format!("{} is a file and a folder at once", file.path())));
    }
    let temporary = temporary_beside(target)?;
    refuse_alike(bag, temporary.path())?;
    let root = temporary.path().join("bag");
    fs_err::create_dir_all(root.join("data"))?;
    let bytes = bag.files().map(BagFile::length).sum();
    progress.begin("unpacking", bag.file_count() as u64, bytes);
    let folders: HashSet<PathBuf> =
        bag.files().filter_map(|file| Some(file.path().below(&root).parent()?.to_owned())).collect();
    folders.iter().try_for_each(fs_err::create_dir_all)?;
    let done = copy_files(bag, &root, progress);
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

fn refused(bag: &Bag, reason: String) -> BagError {
    BagError::Refused { path: bag.container().location().to_owned(), reason }
}

/// Two names that the file system of `folder` takes for one would overwrite each other.
fn refuse_alike(bag: &Bag, folder: &Path) -> Result<(), BagError> {
    let takes_for_one = |written: &str, asked: &str| -> io::Result<bool> {
        let probe = folder.join(written);
        fs_err::write(&probe, "")?;
        let found = folder.join(asked).exists();
        fs_err::remove_file(&probe)?;
        Ok(found)
    };
    let mut seen = if takes_for_one("probe", "PROBE")? {
        Alike::by_case()
    } else if takes_for_one("\u{e9}", "e\u{301}")? {
        Alike::by_normal_form()
    } else {
        return Ok(());
    };
    for file in bag.files() {
        if let Some(other) = seen.add(&bag.names, file.id) {
            let other = bag.by_id(other).path();
            return Err(refused(
                bag,
                format!("{} and {other} are one name on this file system", file.path()),
            ));
        }
    }
    Ok(())
}

fn copy_files(bag: &Bag, root: &Path, progress: &dyn Progress) -> io::Result<()> {
    if let Some(container) = bag.container().sequential() {
        return container.visit(&mut |id, _, body| copy_file(bag.by_id(id), body, root, progress));
    }
    let files: Vec<BagFile<'_>> = bag.files().collect();
    let copy = |file: &BagFile<'_>| copy_file(*file, &mut file.open()?, root, progress);
    with_pool(0, |pool| pool.install(|| files.par_iter().try_for_each(copy)))?
}

fn copy_file(file: BagFile<'_>, body: &mut dyn Read, root: &Path, progress: &dyn Progress) -> io::Result<()> {
    if progress.cancelled() {
        return Err(io::Error::other("interrupted"));
    }
    let mut out = fs_err::File::create_new(file.path().below(root))?;
    let mut watched = Watched { body, progress };
    io::copy(&mut watched, &mut out)?;
    progress.file();
    Ok(())
}

/// Tells of bytes as they pass, and ends early when the work is to stop.
struct Watched<'w> {
    body: &'w mut dyn Read,
    progress: &'w dyn Progress,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.progress.cancelled() {
            return Err(io::Error::other("interrupted"));
        }
        let n = self.body.read(buffer)?;
        self.progress.bytes(n as u64);
        Ok(n)
    }
}
