//! The bag's folder: copied out of its archive, and mended from it later.

use std::collections::HashSet;
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::folder::{rename, share};
use crate::bag::{
    Algorithm, Bag, BagError, BagFile, Digest, Finding, Folder, Level, NoProgress, Progress, copy_container,
    hash_reader,
};
use crate::materialize::{MaterializeError, MaterializeOptions, spoilt};

/// The bag's folder, copied out of its archive where it is not there yet.
pub(in crate::materialize) fn unpack(
    bag: &Bag,
    from: &Path,
    options: &MaterializeOptions,
    progress: &dyn Progress,
) -> Result<PathBuf, MaterializeError> {
    let target = match &options.to {
        Some(to) => to.clone(),
        None if from.is_dir() => return Ok(bag.container().location().to_owned()),
        None => PathBuf::from(bag.container().name()),
    };
    let empty =
        || target.is_dir() && fs_err::read_dir(&target).is_ok_and(|mut entries| entries.next().is_none());
    if !target.exists() || empty() {
        match copy_container(bag, &target, progress) {
            // Another process was faster.
            Err(BagError::Exists(_) | BagError::Io(_)) if same_bag(bag, &target) => {}
            other => other?,
        }
    } else if !same_bag(bag, &target) {
        return Err(MaterializeError::OtherBag(target));
    }
    Ok(target)
}

/// Takes what the folder lacks, or has wrong, from the bag that it was made of, if that has it right.
/// Settles the findings of what was taken; false where nothing was.
pub(in crate::materialize) fn restore(
    original: &Bag,
    bag: &Bag,
    root: &Path,
    findings: &mut Vec<Finding>,
) -> Result<bool, MaterializeError> {
    let wrong = spoilt(findings);
    let mut restored = HashSet::new();
    for listed in bag.payload() {
        let place = listed.path().to_string();
        let lacking = bag.stored(listed).is_none() || wrong.contains(place.as_str());
        let source = original.find(listed.path().as_str()).and_then(|file| original.stored(file));
        if let Some(source) = source.filter(|_| lacking)
            && copy_file(source, listed, root)?
        {
            restored.insert(place);
        }
    }
    findings.retain(|finding| !restored.contains(&finding.place));
    Ok(!restored.is_empty())
}

/// Copies one file and checks its digests on the way; false, with nothing changed, where they are not right.
fn copy_file(source: BagFile<'_>, listed: BagFile<'_>, root: &Path) -> Result<bool, MaterializeError> {
    let mut temporary = tempfile::Builder::new().prefix(".dbag-").suffix(".partial").tempfile_in(root)?;
    std::io::copy(&mut source.open()?, &mut temporary)?;
    temporary.seek(SeekFrom::Start(0))?;
    let expected = listed.digests();
    let algorithms: Vec<Algorithm> = expected.iter().map(Digest::algorithm).collect();
    let (_, digests) = hash_reader(&mut temporary, &algorithms, &mut vec![0; 1 << 16], &NoProgress)?;
    if digests != expected {
        return Ok(false);
    }
    share(temporary.as_file())?;
    rename(temporary, &listed.path().below(root))?;
    Ok(true)
}

/// Whether a folder holds this very bag: the same manifests and fetch.txt.
fn same_bag(bag: &Bag, folder: &Path) -> bool {
    let identity = |bag: &Bag| -> Option<Vec<(String, Vec<Digest>)>> {
        let names = bag.files().filter(|file| {
            let name = file.path().as_str();
            !name.contains('/') && (name.contains("manifest-") || name == "fetch.txt" || name == "bagit.txt")
        });
        let mut buffer = vec![0; 1 << 16];
        let hashed: Option<Vec<_>> = names
            .map(|file| {
                let (_, digests) =
                    hash_reader(&mut file.open().ok()?, &[Algorithm::Sha256], &mut buffer, &NoProgress)
                        .ok()?;
                Some((file.path().to_string(), digests))
            })
            .collect();
        hashed.map(|mut hashed| {
            hashed.sort_unstable();
            hashed
        })
    };
    let there =
        Folder::open(folder).and_then(|folder| Bag::from_container(Box::new(folder), Level::Structure));
    there.is_ok_and(|there| identity(&there).is_some_and(|there| Some(there) == identity(bag)))
}
